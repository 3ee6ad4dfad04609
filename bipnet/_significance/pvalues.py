"""Empirical p-values, and their correction for many."""

from __future__ import annotations

from typing import Literal, cast, get_args

import numpy as np
import numpy.typing as npt

from bipnet.errors import InputError

Alternative = Literal["two-sided", "greater", "less"]
Correction = Literal["bh", "by", "holm", "bonferroni"]
Values = npt.NDArray[np.float64]

SAME = 1e-9
"""Relative difference up to which two values are the same: sums in another order differ so."""


def checked_alternative(alternative: str) -> Alternative:
    if alternative not in get_args(Alternative):
        known = ", ".join(get_args(Alternative))
        raise InputError(f"alternative must be one of {known}, got {alternative!r}")
    return cast(Alternative, alternative)


def checked_correction(correction: str | None) -> Correction | None:
    if correction not in (None, *get_args(Correction)):
        known = ", ".join(get_args(Correction))
        raise InputError(f"correction must be None or one of {known}, got {correction!r}")
    return cast("Correction | None", correction)


def p_values(observed: Values, drawn: Values, alternative: Alternative) -> Values:
    """(b + 1) / (n + 1) of each of m numbers, of which b draws are at least as extreme.

    Two-sided, extreme is what is far from the mean of all n + 1 values: data and draws go into it
    alike, so that if they are exchangeable the p-value is exact. Ties count as extreme.

    Parameters
    ----------
    observed, drawn
        (m,) and (n, m).

    Examples
    --------
    >>> p_values(np.array([3.0]), np.array([[0.0], [1.0], [2.0]]), "greater")
    array([0.25])
    >>> p_values(np.array([3.0]), np.array([[0.0], [1.0], [2.0]]), "two-sided")
    array([0.5])
    """
    n = len(drawn)
    everything = np.vstack([observed, drawn])
    slack = SAME * np.abs(everything).max(axis=0)
    if alternative == "two-sided":
        everything = np.abs(everything - everything.mean(axis=0))
    elif alternative == "less":
        everything = -everything
    extreme = everything[1:] >= everything[0] - slack
    p: Values = (extreme.sum(axis=0) + 1) / (n + 1)
    return p


def adjusted(p: Values, correction: Correction | None) -> Values:
    """p-values of one family, corrected.

    "bonferroni" and "holm" bound the chance of any false finding, "bh" (Benjamini & Hochberg 1995;
    independent tests, or positively dependent ones) and "by" (Benjamini & Yekutieli 2001; any) the
    share of false ones among the findings.

    Examples
    --------
    >>> adjusted(np.array([0.01, 0.04, 0.03]), "holm")
    array([0.03, 0.06, 0.06])
    >>> adjusted(np.array([0.01, 0.04, 0.03]), "bh")
    array([0.03, 0.04, 0.04])
    """
    if correction is None or not p.size:
        return p.copy()
    if correction == "bonferroni":
        return np.minimum(1, p * p.size)
    if correction == "holm":
        order = np.argsort(p, kind="stable")
        steps = np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1))
        result = np.empty_like(p)
        result[order] = np.minimum(1, steps)
        return result
    from scipy.stats import false_discovery_control

    found: Values = false_discovery_control(p, method=correction)
    return found
