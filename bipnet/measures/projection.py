"""Nodes of one side beside each other: the neighbours they share, and how their signs agree."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from bipnet._memory import require_memory
from bipnet.errors import InputError
from bipnet.graph import Side, as_graph
from bipnet.measures._signs import blocks_of_products, checked_side, sign_matrix

Shared = Literal["all", "same", "opposite"]


def projection(W: Any, side: Side, shared: Shared = "all") -> npt.NDArray[np.int64]:
    """How many neighbours each two nodes of a side have in common: the one-mode projection.

    Parameters
    ----------
    W
        Graph or matrix.
    side
        "left" or "right": whose nodes.
    shared
        "all" common neighbours; those to which both nodes have the "same" sign; or "opposite"
        ones.

    Returns
    -------
    (n, n), symmetric; a node with itself: 0.

    Raises
    ------
    InputError
        Another side or kind, no accepted matrix.
    TooLargeError
        It does not fit into memory.

    Notes
    -----
    Newman 2001. Entries are exact: products of matrices of 0 and +-1.

    Examples
    --------
    >>> projection([[1, -1, 2], [3, 4, 0]], "left")
    array([[0, 2],
           [2, 0]])
    >>> projection([[1, -1, 2], [3, 4, 0]], "left", "opposite")
    array([[0, 1],
           [1, 0]])
    """
    if shared not in get_args(Shared):
        raise InputError(f"shared must be one of {', '.join(get_args(Shared))}, got {shared!r}")
    graph = as_graph(W)
    signs = sign_matrix(graph, checked_side(side))
    n = len(signs)
    require_memory(8 * n * n, f"the projection on {n} {side} nodes")
    common = np.empty((n, n), dtype=np.int64)
    for rows, block in blocks_of_products(np.abs(signs)):
        common[rows] = np.rint(block)
    if shared != "all":
        for rows, block in blocks_of_products(signs):
            agreement = np.rint(block).astype(np.int64)
            if shared == "opposite":
                agreement = -agreement
            common[rows] = (common[rows] + agreement) // 2
    np.fill_diagonal(common, 0)
    return common


def sign_correlation(W: Any, side: Side) -> npt.NDArray[np.float64]:
    """The correlation of the signs of each two nodes of a side, over their common neighbours.

    The mean product of the two nodes' signs: 1 if they agree about all neighbours they share, -1
    if about none.

    Parameters
    ----------
    W, side
        As in `projection`.

    Returns
    -------
    (n, n) in [-1, 1], symmetric; 0.0 where two nodes share no neighbour, 1.0 of a node with
    itself if it has any.

    Raises
    ------
    InputError, TooLargeError
        As in `projection`.

    Notes
    -----
    Two nodes with c common neighbours and a correlation r are in c^2 (1 - r^2) / 4 unbalanced
    butterflies (`bipnet.measures.butterflies`).

    Examples
    --------
    >>> sign_correlation([[1, -1, 2], [3, -4, 0]], "left")
    array([[1., 1.],
           [1., 1.]])
    """
    same = projection(W, side, "same").astype(np.float64)
    opposite = projection(W, side, "opposite")
    total = same + opposite
    correlation = np.divide(same - opposite, total, out=np.zeros_like(same), where=total > 0)
    graph = as_graph(W)
    np.fill_diagonal(correlation, graph.degrees(side) > 0)
    return correlation
