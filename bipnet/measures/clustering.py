"""Bipartite clustering: closed paths of three edges, and overlap of neighbourhoods."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bipnet.graph import Side, Sign, as_graph
from bipnet.measures._signs import (
    blocks_of_products,
    checked_side,
    checked_sign,
    presence_matrix,
    smaller_side,
)


def robins_alexander_clustering(W: Any, sign: Sign | None = "+") -> float:
    """Four times the number of 4-cycles over the number of paths of three edges.

    Parameters
    ----------
    W
        Graph or matrix.
    sign
        "+" or "-": of the graph of positive or negative edges; None: of all edges.

    Returns
    -------
    In [0, 1]; 0.0 where there is no path of three edges.

    Raises
    ------
    InputError
        Another sign, no accepted matrix.

    Notes
    -----
    Robins & Alexander 2004, as ``networkx.bipartite.robins_alexander_clustering``.

    Examples
    --------
    >>> robins_alexander_clustering([[1, 1], [1, 1]])
    1.0
    >>> robins_alexander_clustering([[1, 1], [1, -1]])
    0.0
    """
    graph = as_graph(W)
    sign = checked_sign(sign)
    left = graph.degrees("left", sign).astype(np.float64) - 1
    right = graph.degrees("right", sign).astype(np.float64) - 1
    present = presence_matrix(graph, "left", sign)
    paths = float(left @ (present.astype(np.float64) @ right)) if present.any() else 0.0
    if paths <= 0:
        return 0.0
    cycles = 0.0
    for rows, common in blocks_of_products(presence_matrix(graph, smaller_side(graph), sign)):
        pairs = common.astype(np.float64)
        pairs *= pairs - 1
        at = np.arange(rows.start, rows.stop)
        pairs[at - rows.start, at] = 0
        cycles += float(pairs.sum()) / 4  # both orders of a pair are among the entries
    return 4 * cycles / paths


def latapy_clustering(
    W: Any, side: Side = "left", sign: Sign | None = "+"
) -> npt.NDArray[np.float64]:
    """How much the neighbourhoods of each node and those around it overlap, on average.

    Parameters
    ----------
    W
        Graph or matrix.
    side
        "left" or "right".
    sign
        "+" or "-": of the graph of positive or negative edges; None: of all edges.

    Returns
    -------
    (n,) mean over all nodes of the same side with a common neighbour of common neighbours over
    neighbours of either (Jaccard); 0.0 for a node that has none such.

    Raises
    ------
    InputError
        Another side or sign, no accepted matrix.

    Notes
    -----
    Latapy, Magnien & Del Vecchio 2008, as ``networkx.bipartite.latapy_clustering``.

    Examples
    --------
    >>> latapy_clustering([[1, 1, 0], [0, 1, 1], [0, 0, 0]])
    array([0.33333333, 0.33333333, 0.        ])
    """
    graph = as_graph(W)
    side, sign = checked_side(side), checked_sign(sign)
    degrees = graph.degrees(side, sign).astype(np.float64)
    means = np.zeros(len(degrees))
    for rows, common in blocks_of_products(presence_matrix(graph, side, sign)):
        overlap = common.astype(np.float64)
        at = np.arange(rows.start, rows.stop)
        overlap[at - rows.start, at] = 0
        near = overlap > 0
        either = degrees[rows, None] + degrees[None, :] - overlap
        overlap /= np.where(near, either, 1)
        n_near = near.sum(axis=1)
        means[rows] = overlap.sum(axis=1) / np.maximum(n_near, 1)
    return means
