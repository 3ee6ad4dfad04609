"""Nestedness: whether the neighbours of poor nodes are among those of rich ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from bipnet.graph import Side, Sign, SignedBipartiteGraph, as_graph
from bipnet.measures._signs import blocks_of_products, checked_sign, presence_matrix


def nodf(W: Any, sign: Sign | None = "+") -> float:
    """NODF: nestedness by overlap and decreasing fill, in per cent.

    For every two nodes of a side with different degrees, the share of the poorer one's neighbours
    that the richer one has too; 0 for two of equal degree; the mean over all pairs of both sides.

    Parameters
    ----------
    W
        Graph or matrix.
    sign
        "+" or "-": of the graph of positive or negative edges; None: of all edges.

    Returns
    -------
    0 (not nested at all) to 100 (perfectly); 0.0 where no side has two nodes.

    Raises
    ------
    InputError
        Another sign, no accepted matrix.

    Notes
    -----
    Almeida-Neto et al. 2008. The order of the nodes does not matter: pairs are ordered by degree.

    Examples
    --------
    >>> nodf([[1, 1, 1], [1, 1, 0], [1, 0, 0]])
    100.0
    >>> nodf([[1, 1], [1, 1]])
    0.0
    """
    graph = as_graph(W)
    sign = checked_sign(sign)
    total = sum(_paired_nestedness(graph, side, sign) for side in ("left", "right"))
    n_pairs = sum(n * (n - 1) / 2 for n in graph.shape)
    return 100 * total / n_pairs if n_pairs else 0.0


def _paired_nestedness(graph: SignedBipartiteGraph, side: Side, sign: Sign | None) -> float:
    degrees = graph.degrees(side, sign).astype(np.float64)
    total = 0.0
    for rows, common in blocks_of_products(presence_matrix(graph, side, sign)):
        poorer = degrees[rows, None] < degrees[None, :]
        shares = common.sum(axis=1, where=poorer, dtype=np.float64)
        total += float((shares / np.maximum(degrees[rows], 1)).sum())
    return total
