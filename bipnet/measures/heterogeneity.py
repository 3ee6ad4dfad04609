"""How unequal the weights of a node are, and how strength grows with degree."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bipnet.graph import Side, Sign, as_graph
from bipnet.measures._signs import checked_side, checked_sign


def disparity(W: Any, side: Side, sign: Sign | None = None) -> npt.NDArray[np.float64]:
    """Y of every node of a side: the sum of (|w| / s)^2 over its edges.

    1 / k if all its weights are equal, 1 if one has all the strength; its inverse is the
    participation ratio, the effective number of edges.

    Parameters
    ----------
    W
        Graph or matrix.
    side
        "left" or "right".
    sign
        "+" or "-": over the positive or the negative edges; None: over all.

    Returns
    -------
    (n,) in (0, 1]; 0.0 for a node without such edges.

    Raises
    ------
    InputError
        Another side or sign, no accepted matrix.

    Notes
    -----
    Barthelemy, Gondran & Guichard 2003; Serrano, Boguna & Vespignani 2009.

    Examples
    --------
    >>> disparity([[1.0, -1.0], [2.0, 0.0], [0.0, 0.0]], "left")
    array([0.5, 1. , 0. ])
    """
    graph = as_graph(W)
    side, sign = checked_side(side), checked_sign(sign)
    rows, columns, weights = graph.edges()
    magnitudes = np.abs(weights.astype(np.float64))
    if sign is not None:
        wanted = weights > 0 if sign == "+" else weights < 0
        rows, columns, magnitudes = rows[wanted], columns[wanted], magnitudes[wanted]
    n = graph.n_left if side == "left" else graph.n_right
    nodes = rows if side == "left" else columns
    # Relative to the largest: no square under- or overflows.
    largest = np.zeros(n)
    np.maximum.at(largest, nodes, magnitudes)
    relative = magnitudes / largest[nodes]
    strengths = np.bincount(nodes, weights=relative, minlength=n)
    squares = np.bincount(nodes, weights=relative**2, minlength=n)
    return np.divide(squares, strengths**2, out=np.zeros(n), where=strengths > 0)


def strength_degree_slope(W: Any, side: Side, sign: Sign | None = None) -> float:
    """beta of s ~ k^beta: the least-squares slope of log s against log k over a side's nodes.

    1 if weights know nothing of degrees (Barrat et al. 2004).

    Parameters
    ----------
    W, side, sign
        As in `disparity`.

    Returns
    -------
    The slope over the nodes that have such edges; 1.0 where all of these have the same degree.

    Raises
    ------
    InputError
        Another side or sign, no accepted matrix.

    Examples
    --------
    >>> strength_degree_slope([[2.0, 0.0], [2.0, 2.0]], "left")
    1.0
    """
    graph = as_graph(W)
    side, sign = checked_side(side), checked_sign(sign)
    degrees = graph.degrees(side, sign)
    strengths = graph.strengths(side, sign)
    known = (degrees > 0) & (strengths > 0)
    k, s = np.log(degrees[known].astype(np.float64)), np.log(strengths[known])
    if not known.any() or np.ptp(k) == 0:
        return 1.0
    k = k - k.mean()
    return float(k @ (s - s.mean()) / (k @ k))
