"""Sections 3.2 and 3.3: noise injection and sign flipping."""

from __future__ import annotations

from functools import partial

from bipnet.experiments.claims.claim import (
    MARGIN,
    NEAR_CHANCE,
    Claim,
    Evidence,
    Measured,
    NotMeasuredError,
)
from bipnet.experiments.claims.shapes import (
    SUBSTANTIALLY,
    improves,
    improves_criterion,
    keeps_more,
    keeps_more_criterion,
)

FACTOR = 4.0
"""A level is near sigma(w) if within this factor of it, up or down."""
WEAK, UNCHANGED = 0.1, 0.02
"""Noise up to this share of sigma(w) is weak; a rise up to this much is none."""


def _resonance(evidence: Evidence, task: str) -> Measured:
    curve = evidence.curve(task, "signed", "noise")
    sigma = float(evidence.sigmas(task).median())
    at, top = curve.peak
    height = top - max(curve.start, curve.end)
    numbers = {
        "weakest noise": curve.start,
        "peak": top,
        "strongest noise": curve.end,
        "height over both": height,
        "at a": at,
        "sigma(w)": sigma,
        "a / sigma(w)": at / sigma,
    }
    return Measured(height >= MARGIN and 1 / FACTOR <= at / sigma <= FACTOR, numbers)


def _decay(evidence: Evidence, task: str) -> Measured:
    curve = evidence.curve(task, "signed", "noise")
    numbers = {"strongest noise": curve.end, "at a": float(curve.x[-1])}
    return Measured(curve.end <= NEAR_CHANCE, numbers)


def _no_effect(evidence: Evidence, task: str) -> Measured:
    curve = evidence.curve(task, "signed", "noise")
    sigma = float(evidence.sigmas(task).median())
    weak = curve.median[curve.x <= WEAK * sigma]
    if len(weak) < 2:
        raise NotMeasuredError(f"fewer than two noise levels up to {WEAK:g} of sigma(w)")
    change = float((weak - weak[0]).max())
    numbers = {"largest rise": change, "up to a": WEAK * sigma, "sigma(w)": sigma}
    return Measured(change <= UNCHANGED, numbers)


def _flips(evidence: Evidence, task: str) -> Measured:
    return improves(evidence.curve(task, "signed", "flip"), "q")


_FIGURES = (1, 10, 12)
_NOISE, _FLIPS = "section 3.2; Figure 1c, d", "section 3.3; Figure 1e, f"

CLAIMS = (
    Claim(
        "noise-keeps-easy",
        "The E-model remains substantially more robust under noise injection than the H-model.",
        _NOISE,
        _FIGURES,
        keeps_more_criterion(SUBSTANTIALLY),
        lambda evidence: keeps_more(evidence, "noise", SUBSTANTIALLY),
    ),
    *(
        Claim(
            f"noise-resonance-signed-{task}",
            f"A moderate amount of noise improves the accuracy of the signed-{task} model: there"
            " is an optimal region of noise, near the standard deviation of the weights.",
            _NOISE,
            _FIGURES,
            f"the highest median lies at least {100 * MARGIN:.0f} point above those at the weakest"
            f" and at the strongest noise, at a level within a factor {FACTOR:g} of sigma(w)"
            " (median over the networks)",
            partial(_resonance, task=task),
        )
        for task in "EH"
    ),
    *(
        Claim(
            f"noise-weak-signed-{task}",
            f"Noise much smaller than sigma(w) does not improve the signed-{task} model.",
            _NOISE,
            _FIGURES,
            f"up to {WEAK:g} sigma(w) the median rises by at most {100 * UNCHANGED:.0f} points"
            " above that at the weakest noise",
            partial(_no_effect, task=task),
        )
        for task in "EH"
    ),
    *(
        Claim(
            f"noise-decay-signed-{task}",
            f"When the noise significantly exceeds sigma(w), the accuracy of the signed-{task}"
            " model degrades to near-random levels.",
            _NOISE,
            _FIGURES,
            f"the median at the strongest noise is at most {100 * NEAR_CHANCE:.0f} %",
            partial(_decay, task=task),
        )
        for task in "EH"
    ),
    *(
        Claim(
            f"flips-improve-signed-{task}",
            "Flipping a nonzero fraction of the smallest-magnitude weights improves the"
            f" performance of the signed-{task} model.",
            _FLIPS,
            _FIGURES,
            improves_criterion("q"),
            partial(_flips, task=task),
        )
        for task in "EH"
    ),
)
