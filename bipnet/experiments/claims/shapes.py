"""Shapes of median curves that several claims ask for."""

from __future__ import annotations

import numpy as np

from bipnet.experiments.claims.claim import (
    MARGIN,
    NEAR_CHANCE,
    Evidence,
    Measured,
    NotMeasuredError,
)
from bipnet.experiments.curves import Curve

MUCH, SUBSTANTIALLY = 0.20, 0.10
"""How far E must lead somewhere: H drops "much" more rapidly, E is "substantially" more robust."""
RISE = 0.20
"""A transition climbs at least this far ..."""
SHARP = 0.20
"""... and its middle half within this much of p."""


def common(first: Curve, second: Curve) -> tuple[Curve, Curve]:
    """Both curves at the strengths they share."""
    shared, at_first, at_second = np.intersect1d(first.x, second.x, return_indices=True)
    if not len(shared):
        raise NotMeasuredError("the two curves share no strength of the probe")
    return Curve(shared, first.median[at_first]), Curve(shared, second.median[at_second])


def keeps_more(evidence: Evidence, probe: str, lead_wanted: float) -> Measured:
    """Whether the E-model stays above the H-model under a probe, and somewhere far above it."""
    easy, hard = common(evidence.curve("E", "float", probe), evidence.curve("H", "float", probe))
    # Where both are at chance, the one with the more common class leads.
    alive = np.maximum(easy.median, hard.median) > NEAR_CHANCE
    if not alive.any():
        raise NotMeasuredError("both models are at chance at every strength of the probe")
    lead, x = (easy.median - hard.median)[alive], easy.x[alive]
    best, worst = int(np.argmax(lead)), int(np.argmin(lead))
    lost = [float(np.mean(curve.start - curve.median)) for curve in (easy, hard)]
    strength = {"prune": "p", "noise": "a"}[probe]
    numbers: dict[str, float | int | str] = {
        "largest lead of E": float(lead[best]),
        f"at {strength}": float(x[best]),
        "smallest lead of E": float(lead[worst]),
        f"that at {strength}": float(x[worst]),
        f"H leads by more than {100 * MARGIN:.0f} point at": f"{(lead < -MARGIN).sum()} of"
        f" {len(lead)} {strength}",
        "mean loss of E": lost[0],
        "mean loss of H": lost[1],
    }
    holds = lost[0] < lost[1] and lead[best] >= lead_wanted and lead[worst] >= -MARGIN
    return Measured(bool(holds), numbers)


def keeps_more_criterion(lead_wanted: float) -> str:
    """`keeps_more` in words."""
    return (
        f"the H-model leads by more than {100 * MARGIN:.0f} point at no strength at which either"
        f" median is above {100 * NEAR_CHANCE:.0f} %, the E-model by at least"
        f" {100 * lead_wanted:.0f} points at some, and averaged over the grid it loses less since"
        " the weakest probe"
    )


def transition(curve: Curve) -> Measured:
    """Whether a curve starts near chance and climbs sharply."""
    top_at, top = curve.peak
    rise = top - curve.start
    numbers: dict[str, float] = {
        "start": curve.start,
        "highest": top,
        "at p": top_at,
    }
    if rise <= 0:
        return Measured(False, numbers)
    # Where a quarter and three quarters of the climb are first passed, between grid points.
    quarter, three_quarters = (
        first_crossing(curve, curve.start + share * rise) for share in (0.25, 0.75)
    )
    width = three_quarters - quarter
    numbers |= {"climb from p": quarter, "to p": three_quarters}
    return Measured(curve.start <= NEAR_CHANCE and rise >= RISE and width <= SHARP, numbers)


TRANSITION = (
    f"the median is at most {100 * NEAR_CHANCE:.0f} % at p = 0, climbs by at least"
    f" {100 * RISE:.0f} points, and passes from a quarter to three quarters of the climb within"
    f" {SHARP:g} of p"
)


def first_crossing(curve: Curve, level: float) -> float:
    """Where the curve first reaches a level, linearly between its points.

    Examples
    --------
    >>> import numpy as np
    >>> first_crossing(Curve(np.array([0.0, 1.0, 2.0]), np.array([0.5, 0.5, 0.9])), 0.7)
    1.5
    """
    at = int(np.argmax(curve.median >= level))
    if at == 0:
        return float(curve.x[0])
    x0, x1 = curve.x[at - 1], curve.x[at]
    y0, y1 = curve.median[at - 1], curve.median[at]
    return round(float(x0 + (x1 - x0) * (level - y0) / (y1 - y0)), 12)


def improves(curve: Curve, strength: str) -> Measured:
    """Whether some strength of a probe beats its weakest."""
    at, top = curve.peak
    numbers = {"start": curve.start, "highest": top, f"at {strength}": at}
    return Measured(top - curve.start >= MARGIN, numbers)


def improves_criterion(strength: str) -> str:
    """`improves` in words."""
    return (
        f"at some {strength} the median lies at least {100 * MARGIN:.0f} point above that at"
        f" {strength} = 0"
    )
