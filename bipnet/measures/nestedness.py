"""Nestedness: whether the neighbours of poor nodes are among those of rich ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bipnet._memory import require_memory
from bipnet.graph import Side, Sign, SignedBipartiteGraph, as_graph
from bipnet.measures._signs import blocks_of_products, checked_sign, presence_matrix

_BLOCK = 1 << 20  # weights that are put in order at a time


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
    return _per_pair(total, graph)


def wnodf(W: Any, sign: Sign | None = "+") -> float:
    """WNODF: nestedness of the weights by overlap and decreasing fill, in per cent.

    For every two nodes of a side with different degrees, the share of the poorer one's edges that
    the richer one has too *and with a larger |w|*; 0 for two of equal degree; the mean over all
    pairs of both sides.

    Parameters
    ----------
    W
        Graph or matrix.
    sign
        "+" or "-": of the graph of positive or negative edges; None: of all edges.

    Returns
    -------
    0 to 100, at most `nodf`; 0.0 where no side has two nodes, where all nodes of each side have
    the same degree (as in a graph with all its edges), and where all weights are equal.

    Raises
    ------
    InputError
        Another sign, no accepted matrix.
    TooLargeError
        It does not fit into memory.

    Notes
    -----
    Almeida-Neto & Ulrich 2011. Only the order of the weights matters. Equal weights are not
    nested, equal degrees neither, so the order of the nodes does not matter.

    Examples
    --------
    >>> wnodf([[5, 3, 1], [4, 2, 0], [1, 0, 0]])
    100.0
    >>> wnodf([[1, 1], [1, 0]]), nodf([[1, 1], [1, 0]])
    (0.0, 100.0)
    """
    graph = as_graph(W)
    levels = _levels(graph, checked_sign(sign))
    return _per_pair(_lower_edges(levels) + _lower_edges(levels.T), graph)


def _per_pair(total: float, graph: SignedBipartiteGraph) -> float:
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


def _levels(graph: SignedBipartiteGraph, sign: Sign | None) -> npt.NDArray[np.uint32]:
    """(n_left, n_right) whole numbers in the order of |w|; 0 where there is no such edge."""
    require_memory(24 * graph.n_edges + 8 * graph.n_left * graph.n_right, f"WNODF {graph.shape}")
    rows, columns, weights = graph.edges() if graph.is_sparse else (None, None, graph.to_array())
    wanted = weights != 0 if sign is None else weights > 0 if sign == "+" else weights < 0
    levels = np.zeros(weights.shape, dtype=np.uint32)
    levels[wanted] = _in_order(weights[wanted])
    if not graph.is_sparse:
        return levels
    dense = np.zeros(graph.shape, dtype=np.uint32)
    dense[rows, columns] = levels
    return dense


def _in_order(weights: npt.NDArray[Any]) -> npt.NDArray[np.uint32]:
    """Whole numbers above zero in the order of |w|, equal where it is."""
    if weights.dtype.itemsize <= 2 or weights.dtype == np.float32:
        # float32 holds these dtypes exactly, and floats above zero are in the order of their bits.
        return np.abs(weights.astype(np.float32)).view(np.uint32)
    magnitudes = np.abs(weights)
    if magnitudes.dtype.kind == "i":  # that of the least number is one too large for its dtype
        magnitudes = magnitudes.view(f"u{magnitudes.dtype.itemsize}")
    return (np.unique(magnitudes, return_inverse=True)[1] + 1).astype(np.uint32)


def _lower_edges(levels: npt.NDArray[np.uint32]) -> float:
    """Over all pairs of rows: the share of the poorer one's edges that are lower in it.

    Not pair by pair. A pair counts where the richer one comes before the poorer one when the
    edges of a column are in the order of |w|; so each row's edges count the richer rows before
    them, over its degree. All these are whole numbers and exact.
    """
    n, n_columns = levels.shape
    degrees, classes = np.unique(np.count_nonzero(levels, axis=1), return_inverse=True)
    counts = np.zeros(2 * len(degrees))
    step = max(1, _BLOCK // n)
    for first in range(0, n_columns, step):
        block = np.ascontiguousarray(levels[:, first : first + step].T)
        # Sorted: large |w| first, among equal ones the poor first; pairs without an edge last.
        keys = (~block).astype(np.uint64) << np.uint64(32)
        keys |= (2 * classes + (block > 0)).astype(np.uint64)
        keys.sort(axis=1)
        _count_richer_before(keys.astype(np.uint32), 0, len(degrees), counts)
    return float((counts[1::2] / np.maximum(degrees, 1)).sum())


def _count_richer_before(
    codes: npt.NDArray[np.uint32], low: int, high: int, counts: npt.NDArray[np.float64]
) -> None:
    """Add to ``counts``, by code, how many of a higher class come before in the same row.

    A code is twice the class, plus one where there is an edge; classes are from ``low`` to
    ``high`` - 1. Every row holds as many of each class, so that both halves are matrices again.
    """
    if high - low < 2:
        return
    middle = (low + high) // 2
    n_rows, n = codes.shape
    flat = codes.ravel()
    is_poor = flat < 2 * middle
    places = np.flatnonzero(is_poor)
    poor, rich = flat[places].reshape(n_rows, -1), flat[~is_poor].reshape(n_rows, -1)
    # The t-th poor one of a row in its place p has p - t rich ones before it.
    before = places.reshape(poor.shape) - n * np.arange(n_rows)[:, None]
    before -= np.arange(poor.shape[1])
    counts += np.bincount(poor.ravel(), weights=before.ravel(), minlength=len(counts))
    _count_richer_before(poor, low, middle, counts)
    _count_richer_before(rich, middle, high, counts)
