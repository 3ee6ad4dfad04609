"""Signed butterflies: 4-cycles of two left and two right nodes, balanced or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bipnet.graph import Side, SignedBipartiteGraph, as_graph
from bipnet.measures._signs import blocks_of_products, sign_matrix

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Butterflies:
    """How many 4-cycles there are, by the product of their four signs.

    Attributes
    ----------
    balanced, unbalanced
        Cycles with an even or an odd number of negative edges.
    left_balanced, left_unbalanced
        (n_left,) cycles through each left node.
    right_balanced, right_unbalanced
        (n_right,) cycles through each right node.
    """

    balanced: int
    unbalanced: int
    left_balanced: Counts
    left_unbalanced: Counts
    right_balanced: Counts
    right_unbalanced: Counts

    @property
    def total(self) -> int:
        return self.balanced + self.unbalanced

    @property
    def balanced_share(self) -> float:
        """Share of the cycles that are balanced, in [0, 1]; 0.5 where there are none."""
        return self.balanced / self.total if self.total else 0.5


def butterflies(W: Any) -> Butterflies:
    """Count the signed butterflies of a graph, through its nodes and in total.

    Parameters
    ----------
    W
        Graph or matrix.

    Returns
    -------
    Exact counts.

    Raises
    ------
    InputError
        No accepted matrix.

    Notes
    -----
    A butterfly is a complete subgraph of two left and two right nodes (Sanei-Mehri et al. 2018);
    it is balanced if the product of its signs is positive (Derr et al. 2019, Cartwright & Harary
    1956). Two nodes of one side with c common neighbours, to p of which their edges have the same
    sign, are in p (p - 1) / 2 + (c - p) (c - p - 1) / 2 balanced and p (c - p) unbalanced ones; c
    and 2 p - c are entries of matrix products.

    Examples
    --------
    >>> found = butterflies([[1, 1, -1], [1, -1, -1]])
    >>> found.balanced, found.unbalanced, found.balanced_share
    (1, 2, 0.3333333333333333)
    >>> found.right_unbalanced
    array([1, 2, 1])
    """
    graph = as_graph(W)
    left_balanced, left_unbalanced = butterflies_through(graph, "left")
    right_balanced, right_unbalanced = butterflies_through(graph, "right")
    # Each cycle goes through two nodes of a side.
    return Butterflies(
        int(left_balanced.sum()) // 2,
        int(left_unbalanced.sum()) // 2,
        left_balanced,
        left_unbalanced,
        right_balanced,
        right_unbalanced,
    )


def butterflies_through(graph: SignedBipartiteGraph, side: Side) -> tuple[Counts, Counts]:
    """Balanced and unbalanced cycles through each node of a side."""
    signs = sign_matrix(graph, side)
    present = np.abs(signs)
    full = bool(present.all())
    balanced = np.zeros(len(signs), dtype=np.int64)
    unbalanced = np.zeros(len(signs), dtype=np.int64)
    common_blocks = None if full else blocks_of_products(present)
    for rows, agreement in blocks_of_products(signs):
        common: Any = signs.shape[1] if common_blocks is None else next(common_blocks)[1]
        same = ((common + agreement) / 2).astype(np.float64)
        other = common - same
        pairs = (same * (same - 1) + other * (other - 1)) / 2
        mixed = same * other
        at = np.arange(rows.start, rows.stop)
        pairs[at - rows.start, at] = mixed[at - rows.start, at] = 0  # a node is no pair
        balanced[rows] = np.rint(pairs.sum(axis=1)).astype(np.int64)
        unbalanced[rows] = np.rint(mixed.sum(axis=1)).astype(np.int64)
    return balanced, unbalanced
