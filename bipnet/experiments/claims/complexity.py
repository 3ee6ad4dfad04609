"""Section 4: task complexity, over all pairs of classes."""

from __future__ import annotations

import math

from bipnet.experiments.claims.claim import (
    NEAR_CHANCE,
    Claim,
    Evidence,
    Measured,
    NotMeasuredError,
)
from bipnet.experiments.pairs import spearman

VERY_HIGH = 0.80
"""Spearman's rho from this on is "very high"."""
TRAINED = 0.98
SMALL_LOSS, LARGE_LOSS = 0.10, 0.40
"""A small drop in accuracy, and one "approaching 50 %"."""


def _correlated(evidence: Evidence) -> Measured:
    losses = evidence.losses()
    both = [x for x in losses if x.binarised is not None and x.randomised is not None]
    rho = spearman(losses)
    if math.isnan(rho):
        raise NotMeasuredError("no two pairs of classes with both losses, differing among them")
    return Measured(rho >= VERY_HIGH, {"rho": rho, "pairs": len(both)})


def _accurate(evidence: Evidence) -> Measured:
    losses = evidence.losses()
    worst = min(losses, key=lambda loss: loss.accuracy)
    below = sum(loss.accuracy <= TRAINED for loss in losses)
    numbers: dict[str, float | int | str] = {
        "lowest": worst.accuracy,
        "held by": f"{worst.first}/{worst.second}",
        "pairs": len(losses),
        "pairs not above": below,
    }
    return Measured(below == 0, numbers)


def _binarised(evidence: Evidence, first: str, second: str) -> tuple[float, float]:
    """What a pair loses when it is binarised, and what is left."""
    loss = evidence.loss(first, second)
    if loss.binarised is None:
        raise NotMeasuredError(f"no binarised networks for the classes {first} and {second}")
    return loss.binarised, loss.accuracy - loss.binarised


def _named_pairs(evidence: Evidence) -> Measured:
    easy_lost, _ = _binarised(evidence, "0", "3")
    _, hard_left = _binarised(evidence, "1", "7")
    numbers = {"0/3 loses": easy_lost, "1/7 is left": hard_left}
    return Measured(easy_lost <= SMALL_LOSS and hard_left <= NEAR_CHANCE, numbers)


def _ssim_pairs(evidence: Evidence) -> Measured:
    easy, _ = _binarised(evidence, "0", "7")
    hard, _ = _binarised(evidence, "7", "9")
    numbers = {"0/7 loses": easy, "7/9 loses": hard}
    return Measured(easy <= SMALL_LOSS and hard >= LARGE_LOSS, numbers)


CLAIMS = (
    Claim(
        "pairs-correlated",
        "The Spearman correlation between the accuracy changes, under binarization and under"
        " randomization, is very high.",
        "section 4; Figure 4c",
        (4,),
        f"rho over the pairs of classes, of median losses, is at least {VERY_HIGH:g}",
        _correlated,
    ),
    Claim(
        "pairs-accurate",
        "The test accuracy for each digit pair exceeds 98 %.",
        "section 4; Figure 8",
        (8,),
        f"the median of every pair is above {100 * TRAINED:.0f} %",
        _accurate,
        ("mnist",),
    ),
    Claim(
        "pairs-0-3-and-1-7",
        "Digits 0 and 3 show very little change after binarization, while 1 and 7 fall to around"
        " 50 % accuracy.",
        "section 4; Figure 4a",
        (4,),
        f"binarised, 0/3 loses at most {100 * SMALL_LOSS:.0f} points (median), and at most"
        f" {100 * NEAR_CHANCE:.0f} % accuracy is left to 1/7",
        _named_pairs,
        ("mnist",),
    ),
    Claim(
        "pairs-0-7-and-7-9",
        "The SSIM-easy task (0 vs 7) exhibits only a small drop in accuracy, whereas the"
        " SSIM-hard task (7 vs 9) suffers accuracy losses approaching 50 %.",
        "section 4; Figure 4",
        (4,),
        f"binarised, 0/7 loses at most {100 * SMALL_LOSS:.0f} points and 7/9 at least"
        f" {100 * LARGE_LOSS:.0f} (medians)",
        _ssim_pairs,
        ("mnist",),
    ),
)
