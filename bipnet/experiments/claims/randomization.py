"""Section 3.4: bipartite network randomization."""

from __future__ import annotations

from functools import partial

import numpy as np

from bipnet.experiments.claims.claim import (
    KEEPS,
    MARGIN,
    NEAR_CHANCE,
    Claim,
    Evidence,
    Measured,
    NotMeasuredError,
)
from bipnet.experiments.claims.shapes import TRANSITION, common, transition
from bipnet.nulls import NULL_MODELS

KEEPING = ("B", "E", "F")
"""The null models that leave every edge its sign, and so every node its degrees."""
OTHERS = tuple(letter for letter in NULL_MODELS if letter not in KEEPING)
NEARLY = 0.05
"""An accuracy is "nearly unchanged" if it falls by no more."""
LARGE_DROP = 0.20
MUCH_LESS = 0.5
"""A loss is "much less" than another up to this share of it."""


def _keep_easy(evidence: Evidence) -> Measured:
    medians = {letter: evidence.median("E", "float", letter) for letter in NULL_MODELS}
    kept = all(medians[letter] >= KEEPS for letter in KEEPING)
    destroyed = all(medians[letter] <= NEAR_CHANCE for letter in OTHERS)
    return Measured(kept and destroyed, medians)


def _nearly_unchanged(evidence: Evidence) -> Measured:
    trained = evidence.median("E", "float")
    lost = {f"{x} costs": trained - evidence.median("E", "float", x) for x in KEEPING}
    return Measured(max(lost.values()) <= NEARLY, {"E": trained, **lost})


def _b_not_g(evidence: Evidence) -> Measured:
    medians = {letter: evidence.median("E", "float", letter) for letter in ("B", "G")}
    return Measured(medians["B"] >= KEEPS and medians["G"] <= NEAR_CHANCE, medians)


def _hard_loses_more(evidence: Evidence) -> Measured:
    numbers: dict[str, float] = {}
    holds = True
    for how, model, letter in (("binarised", "signed", ""), ("under B", "float", "B")):
        easy, hard = (
            evidence.median(task, "float") - evidence.median(task, model, letter) for task in "EH"
        )
        numbers |= {f"E loses {how}": easy, f"H loses {how}": hard}
        holds = holds and hard >= LARGE_DROP and easy <= MUCH_LESS * hard
    return Measured(holds, numbers)


def _recovers(evidence: Evidence, letter: str) -> Measured:
    trained, randomised = common(
        evidence.curve("E", "float", "prune"), evidence.curve("E", "float", "randomize", letter)
    )
    gap = trained.median - randomised.median
    # Where the trained network itself has collapsed, being equal to it says nothing.
    alive = np.nonzero((trained.x > 0) & (trained.median >= KEEPS))[0]
    if not len(alive):
        raise NotMeasuredError(f"no p > 0 at which the E-model keeps {100 * KEEPS:.0f} %")
    at = int(alive[np.argmin(gap[alive])])
    numbers = {
        "gap at p = 0": float(gap[0]),
        "smallest gap": float(gap[at]),
        "at p": float(trained.x[at]),
        "E there": float(trained.median[at]),
    }
    return Measured(bool(gap[0] >= MARGIN and gap[at] <= MARGIN), numbers)


def _transition(evidence: Evidence, letter: str) -> Measured:
    return transition(evidence.curve("H", "float", "randomize", letter))


CLAIMS = (
    Claim(
        "randomise-signs-keep-easy",
        "Only the randomizations that preserve the degrees of both signs and every edge's"
        " original sign (B, E, F) maintain high performance; otherwise accuracy falls to chance.",
        "section 3.4; Figure 2b, c",
        (2,),
        f"of the E-model, the medians under B, E and F are at least {100 * KEEPS:.0f} %, those"
        f" under A, C, D and G at most {100 * NEAR_CHANCE:.0f} %",
        _keep_easy,
    ),
    Claim(
        "randomise-signs-unchanged",
        "Randomizing the bipartite connectivity while preserving the sign of each weight leaves the"
        " accuracy on the easy task nearly unchanged.",
        "section 1; Figure 2b, c",
        (2,),
        f"none of B, E and F costs the E-model's median more than {100 * NEARLY:.0f} points",
        _nearly_unchanged,
    ),
    Claim(
        "randomise-B-not-G",
        "Both randomizations B and G keep the degree distributions fixed, but only B preserves"
        " accuracy.",
        "section 3.4; Figure 2b, c",
        (2,),
        f"of the E-model, the median under B is at least {100 * KEEPS:.0f} %, under G at most"
        f" {100 * NEAR_CHANCE:.0f} %",
        _b_not_g,
    ),
    Claim(
        "randomise-hard-loses-more",
        "Binarizing or randomizing the H-model causes a large drop in accuracy, whereas the"
        " E-model's accuracy declines much less.",
        "section 4; Figures 1a, b at p = 0 and 2b, c",
        (2,),
        f"binarised, and under B as well, the H-model's median falls by at least"
        f" {100 * LARGE_DROP:.0f} points, and the E-model's by at most {MUCH_LESS:g} times that",
        _hard_loses_more,
    ),
    *(
        Claim(
            f"randomise-{letter}-recovers-E",
            f"Randomization {letter} initially causes an accuracy drop; as sparsity increases,"
            " the E-model's accuracy recovers and ultimately matches that of the original.",
            "section 3.4; Figure 3",
            (3, 11, 13),
            f"the gap between the medians is at least {100 * MARGIN:.0f} point at p = 0, and at"
            f" most that at some p at which the E-model itself keeps {100 * KEEPS:.0f} %",
            partial(_recovers, letter=letter),
        )
        for letter in KEEPING
    ),
    *(
        Claim(
            f"randomise-{letter}-transition-H",
            f"The H-model randomized by {letter} undergoes an abrupt transition, similar to the"
            " signed-H model.",
            "section 3.4; Figure 3",
            (3, 11, 13),
            TRANSITION,
            partial(_transition, letter=letter),
        )
        for letter in KEEPING
    ),
)
