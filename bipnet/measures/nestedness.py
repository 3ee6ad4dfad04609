"""Nestedness: whether the neighbours of poor nodes are among those of rich ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from bipnet._memory import require_memory
from bipnet.graph import Side, Sign, SignedBipartiteGraph, as_graph
from bipnet.measures._signs import blocks_of_products, checked_sign, presence_matrix

Counts = npt.NDArray[np.int64]
_Lists = tuple[Counts, Counts]
_Sorter = Callable[[Side, Counts], Iterator[_Lists]]

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
        A dense graph whose work does not fit into memory.

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
    sign = checked_sign(sign)
    sorted_edges = _sparse_sorter(graph, sign) if graph.is_sparse else _dense_sorter(graph, sign)
    total = sum(
        _lower_edges(graph.degrees(side, sign), partial(sorted_edges, side))
        for side in ("left", "right")
    )
    return _per_pair(total, graph)


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


def _lower_edges(degrees: Counts, sorted_edges: Callable[[Counts], Iterator[_Lists]]) -> float:
    """Over all pairs of nodes of a side: the share of the poorer's edges that are lower in it.

    Not pair by pair. Let each node of the other side list its edges, those with the largest |w|
    first: the edge of a poor node is lower than those of richer ones before it in such a list. So
    all is in how many those are, by the degree of the poor node: whole numbers, and exact.
    """
    values, classes = np.unique(degrees, return_inverse=True)
    counts = np.zeros(len(values))
    for codes, bounds in sorted_edges(classes):
        _count_richer_before(codes, bounds, 0, len(values), counts)
    return float((counts / np.maximum(values, 1)).sum())


def _count_richer_before(
    classes: Counts, bounds: Counts, low: int, high: int, counts: npt.NDArray[np.float64]
) -> None:
    """Add to ``counts``, by class, how many of a higher class come before in the same list.

    List i is ``classes[bounds[i] : bounds[i + 1]]``; classes are from ``low`` to ``high`` - 1.
    Those of the upper half are counted before each of the lower half, then each half by itself.
    """
    if high - low < 2 or not classes.size:
        return
    middle = (low + high) // 2
    is_poor = classes < middle
    places = np.flatnonzero(is_poor)
    poor, rich = classes[places], classes[~is_poor]
    poor_bounds = np.searchsorted(places, bounds)
    rich_bounds = bounds - poor_bounds
    # The t-th poor one has its place less t rich ones before it, those of earlier lists among them.
    before = places - np.arange(places.size)
    before -= np.repeat(rich_bounds[:-1], np.diff(poor_bounds))
    counts += np.bincount(poor, weights=before, minlength=len(counts))
    _count_richer_before(poor, poor_bounds, low, middle, counts)
    _count_richer_before(rich, rich_bounds, middle, high, counts)


def _dense_sorter(graph: SignedBipartiteGraph, sign: Sign | None) -> _Sorter:
    """Sorts the edges of a dense graph, some columns at a time."""
    require_memory(16 * graph.n_left * graph.n_right, f"WNODF of {graph.shape}")
    weights = graph.to_array()
    wanted = _wanted(weights, sign)
    levels = np.zeros(graph.shape, dtype=np.uint32)
    levels[wanted] = _in_order(weights[wanted])

    def sorted_edges(side: Side, classes: Counts) -> Iterator[_Lists]:
        lists = levels.T if side == "left" else levels
        step = max(1, _BLOCK // len(classes))
        for first in range(0, len(lists), step):
            block = np.ascontiguousarray(lists[first : first + step])
            # Large |w| first, among equal ones the poor first, what is no edge last.
            keys = (~block).astype(np.uint64) << np.uint64(32)
            keys |= classes.astype(np.uint64)
            keys.sort(axis=1)
            lengths = np.count_nonzero(block, axis=1)
            are_edges = np.arange(len(classes)) < lengths[:, None]
            yield keys.astype(np.uint32)[are_edges].astype(np.int64), _bounds(lengths)

    return sorted_edges


def _sparse_sorter(graph: SignedBipartiteGraph, sign: Sign | None) -> _Sorter:
    """Sorts the edges of a sparse graph."""
    rows, columns, weights = graph.edges()
    wanted = _wanted(weights, sign)
    rows, columns, levels = rows[wanted], columns[wanted], _in_order(weights[wanted])

    def sorted_edges(side: Side, classes: Counts) -> Iterator[_Lists]:
        nodes, lists = (rows, columns) if side == "left" else (columns, rows)
        n_lists = graph.n_right if side == "left" else graph.n_left
        order = np.lexsort((classes[nodes], ~levels, lists))  # the same order as in dense graphs
        yield classes[nodes[order]], _bounds(np.bincount(lists, minlength=n_lists))

    return sorted_edges


def _wanted(weights: npt.NDArray[Any], sign: Sign | None) -> npt.NDArray[np.bool_]:
    return weights != 0 if sign is None else weights > 0 if sign == "+" else weights < 0


def _bounds(lengths: Counts) -> Counts:
    return np.concatenate([[0], np.cumsum(lengths)])


def _in_order(weights: npt.NDArray[Any]) -> npt.NDArray[np.uint32]:
    """Whole numbers above zero in the order of |w|, equal where it is."""
    if weights.dtype.itemsize <= 2 or weights.dtype == np.float32:
        # float32 holds these dtypes exactly, and floats above zero are in the order of their bits.
        return np.abs(weights.astype(np.float32)).view(np.uint32)
    magnitudes = np.abs(weights)
    if magnitudes.dtype.kind == "i":  # that of the least number is one too large for its dtype
        magnitudes = magnitudes.view(f"u{magnitudes.dtype.itemsize}")
    return (np.unique(magnitudes, return_inverse=True)[1] + 1).astype(np.uint32)
