"""Distributions of degrees and strengths, and the spread of weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bipnet.errors import InputError
from bipnet.graph import Side, Sign, as_graph
from bipnet.measures._bins import checked_few
from bipnet.measures._signs import checked_side, checked_sign


def degree_distribution(
    W: Any, side: Side, sign: Sign | None = None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """P(k): the degrees that occur on a side, and the share of its nodes that have each.

    Parameters
    ----------
    W
        Graph or matrix.
    side
        "left" or "right".
    sign
        "+" or "-" for k+ or k-; None for all edges.

    Returns
    -------
    Degrees (increasing) and shares, (n_different,) each; the shares add up to 1.

    Raises
    ------
    InputError
        Another side or sign, no accepted matrix.

    Examples
    --------
    >>> degree_distribution([[1, -1], [1, 1], [0, 1]], "left", "+")
    (array([1, 2]), array([0.66666667, 0.33333333]))
    """
    degrees = as_graph(W).degrees(checked_side(side), checked_sign(sign))
    found, counts = np.unique(degrees, return_counts=True)
    return found, counts / len(degrees)


def strength_distribution(
    W: Any, side: Side, sign: Sign | None = None, *, bins: int | npt.ArrayLike = 30
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """P(s): the density of the strengths of a side's nodes, as a histogram.

    Parameters
    ----------
    W
        Graph or matrix.
    side
        "left" or "right".
    sign
        "+" or "-" for s+ or s-; None for all edges.
    bins
        Number of bins of equal width, up to 10 000, or their edges.

    Returns
    -------
    Edges of the bins (n_bins + 1,) and densities (n_bins,), which integrate to 1 where every
    strength lies in a bin.

    Raises
    ------
    InputError
        Another side or sign, impossible bins, no accepted matrix.

    Examples
    --------
    >>> edges, density = strength_distribution([[1.0, 2.0], [0.5, 0.5]], "left", "+", bins=2)
    >>> edges, density
    (array([1., 2., 3.]), array([0.5, 0.5]))
    """
    strengths = as_graph(W).strengths(checked_side(side), checked_sign(sign))
    if isinstance(bins, (int, np.integer)):
        checked_few(int(bins))
    try:
        edges = np.histogram_bin_edges(strengths, bins=np.asarray(bins)[()])
        counts, _ = np.histogram(strengths, edges)
    except (TypeError, ValueError) as error:
        raise InputError(f"bins must be a number or increasing edges: {error}") from None
    n_within = max(1, int(counts.sum()))
    return edges.astype(np.float64), counts / (n_within * np.diff(edges))


def weight_sd(W: Any) -> float:
    """sigma(w): the standard deviation of the weights of all edges; 0.0 without edges.

    Missing edges do not count. In float64.

    Examples
    --------
    >>> weight_sd([[1.0, -1.0, 0.0]])
    1.0
    """
    weights = as_graph(W).edges()[2].astype(np.float64)
    return float(weights.std()) if weights.size else 0.0
