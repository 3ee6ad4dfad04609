"""Communities: groups of left and right nodes with more weight between them than by chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bipnet._memory import require_memory
from bipnet.errors import InputError, MissingExtraError
from bipnet.graph import Sign, SignedBipartiteGraph, as_graph
from bipnet.measures._signs import checked_sign

Labels = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float64]

LIBRARY = "sknetwork"
INSTALL = "pip install 'bipnet[communities]'"

_RESOLUTION = 1e-6
"""Q below this is rounding to the optimiser, which adds up float32."""

_TOLERANCE = 1e-5  # of a pass over the nodes: with less gain than this it is the last one
_MOST_STARTS = 10
_EDGES_OF_ALL_STARTS = 1_000_000
_BYTES_OF_AN_EDGE = 170  # at the optimiser's peak


@dataclass(frozen=True)
class Communities:
    """A partition of the nodes of both sides.

    Attributes
    ----------
    modularity
        Barber's Q of it (`bipnet.measures.modularity`), 0 to 1.
    left, right
        (n_left,), (n_right,) community of each node, both sides numbered together from 0, the
        largest first; -1 of a node without an edge.
    """

    modularity: float
    left: Labels
    right: Labels

    @property
    def n_communities(self) -> int:
        """How many there are; 0 in a graph without edges."""
        return int(max(self.left.max(), self.right.max())) + 1


def communities(W: Any, sign: Sign | None = "+", *, n_starts: int | None = None) -> Communities:
    """The partition of both sides with the highest modularity that is found.

    Modularity is Barber's Q (`modularity`); scikit-network's Louvain method climbs it.

    Parameters
    ----------
    W
        Graph or matrix.
    sign
        "+" or "-": of the graph of positive or negative edges; None: of all edges.
    n_starts
        From how many orders of the nodes it climbs; the best result counts. None: 10, or fewer
        of a graph with more than 100,000 edges, down to one with a million.

    Returns
    -------
    A partition with a Q that may be below the highest there is. All nodes with edges are in one
    community, and Q is 0.0, where no partition has more than 1e-6 (or none was found): in a graph
    without edges, in one with a single node on a side, and wherever |w| is a number of the left
    node times one of the right node, as in a graph with all its edges of the same |w|.

    Raises
    ------
    InputError
        Another sign, an impossible number of starts, no accepted matrix.
    MissingExtraError
        scikit-network is not installed.
    TooLargeError
        It does not fit into memory.

    Notes
    -----
    Barber 2007. His Q is the directed modularity of Dugue & Perez 2015 if all edges go from left
    to right; the Louvain method (Blondel et al. 2008) climbs that.

    Edges count with their |w|: without it, a graph with all its edges has no communities. For those
    of the pattern alone, give ``numpy.sign(W)``.

    It starts from the nodes in the order of their strengths, then from orders that are drawn with
    constant seeds. So the same graph always gives the same value, however its nodes are numbered
    and whichever side is the left one; but for rounding, nodes of equal strengths, and other
    versions of scikit-network.

    A start takes about a second for a million edges, in which Ctrl-C is not heard and no other
    thread runs.

    Examples
    --------
    >>> found = communities([[2, 1, 0, 0], [1, 2, 0, 0], [0, 0, 3, 1]])
    >>> round(found.modularity, 2)
    0.48
    >>> found.left, found.right
    (array([0, 0, 1]), array([0, 0, 1, 1]))
    """
    louvain = _louvain()
    weights = _Weights(as_graph(W), checked_sign(sign))
    n_edges = weights.shares.size
    n_starts = _checked_starts(n_starts, n_edges)
    best = weights.one_community()
    if weights.highest_modularity() <= _RESOLUTION:
        return best
    require_memory(_BYTES_OF_AN_EDGE * n_edges, f"communities of {n_edges} edges")
    ordered = _Ordered(weights)
    for start in range(n_starts):
        method = louvain(
            modularity="dugue",
            tol_optimization=_TOLERANCE,
            tol_aggregation=_TOLERANCE,
            shuffle_nodes=start > 0,
            random_state=start,
            sort_clusters=False,
            return_probs=False,
            return_aggregate=False,
        ).fit(ordered.matrix, force_bipartite=True)
        left, right = ordered.labels(method.labels_row_, method.labels_col_)
        found = weights.modularity(left, right)
        if found > max(best.modularity, _RESOLUTION):
            best = Communities(found, left, right)
    return best


def modularity(W: Any, left: npt.ArrayLike, right: npt.ArrayLike, sign: Sign | None = "+") -> float:
    """Barber's modularity Q of a partition of the nodes of both sides.

    The share of the weight |w| that is between nodes of the same community, less the share that
    would be if each edge met its ends in proportion to their strengths::

        Q = sum over pairs in the same community of |w_ij| / s - s_i s_j / s^2

    with the strengths s_i and s_j of their nodes and the sum s of all |w|.

    Parameters
    ----------
    W
        Graph or matrix.
    left, right
        (n_left,), (n_right,) whole numbers: the community of each node, such as those of
        `communities`. Nodes without an edge do not matter.
    sign
        "+" or "-": of the graph of positive or negative edges; None: of all edges.

    Returns
    -------
    In [-1, 1]; 0.0 in a graph without edges, and if all nodes are in one community.

    Raises
    ------
    InputError
        Not one whole number for each node, another sign, no accepted matrix.

    Notes
    -----
    Barber 2007, with weights for edges as in Newman 2004.

    Examples
    --------
    >>> modularity([[1, 0], [0, 1]], [0, 1], [0, 1])
    0.5
    >>> modularity([[1, 1], [1, 1]], [0, 1], [0, 1])
    0.0
    """
    weights = _Weights(as_graph(W), checked_sign(sign))
    n_left, n_right = weights.shape
    return weights.modularity(
        _checked_labels(left, n_left, "left"), _checked_labels(right, n_right, "right")
    )


class _Weights:
    """The edges of one sign and the strengths of the nodes, as shares of the sum of all |w|."""

    def __init__(self, graph: SignedBipartiteGraph, sign: Sign | None) -> None:
        self.shape = graph.shape
        rows, columns, weights = graph.edges()
        if sign is not None:
            wanted = weights > 0 if sign == "+" else weights < 0
            rows, columns, weights = rows[wanted], columns[wanted], weights[wanted]
        shares = np.abs(weights.astype(np.float64))
        if shares.size:
            shares /= shares.max()  # so that no sum overflows
            shares /= shares.sum()
        self.rows, self.columns, self.shares = rows, columns, shares
        self.left = np.bincount(rows, weights=shares, minlength=graph.n_left)
        self.right = np.bincount(columns, weights=shares, minlength=graph.n_right)
        self.degrees = graph.degrees("left", sign), graph.degrees("right", sign)

    def modularity(self, left: Labels, right: Labels) -> float:
        """Q of any labels."""
        _, labels = np.unique(np.concatenate([left, right]), return_inverse=True)
        left, right = labels[: len(left)], labels[len(left) :]
        n = int(labels.max()) + 1
        within = self.shares[left[self.rows] == right[self.columns]].sum()
        by_chance = np.bincount(left, self.left, n) @ np.bincount(right, self.right, n)
        return float(within - by_chance)

    def highest_modularity(self) -> float:
        """What Q is of no partition above: all edges that are heavier than by chance, no other."""
        by_chance = self.left[self.rows] * self.right[self.columns]
        return float(np.maximum(self.shares - by_chance, 0).sum())

    def one_community(self) -> Communities:
        left, right = (np.where(degrees > 0, 0, -1) for degrees in self.degrees)
        return Communities(0.0, left, right)


class _Ordered:
    """The nodes with edges in an order that knows nothing of their numbers, nor of left and right.

    On each side the strongest come first, and the side with fewer nodes comes before the other.
    """

    def __init__(self, weights: _Weights) -> None:
        from scipy.sparse import csr_matrix

        self._shape = weights.shape
        strengths = weights.left, weights.right
        self._nodes = [
            np.lexsort((-degrees, -shares))[: np.count_nonzero(degrees)]
            for degrees, shares in zip(weights.degrees, strengths, strict=True)
        ]
        rows = _places(self._nodes[0], weights.shape[0])[weights.rows]
        columns = _places(self._nodes[1], weights.shape[1])[weights.columns]
        n_rows, n_columns = (nodes.size for nodes in self._nodes)
        # Of sides with as many nodes, the one with the smaller strengths, from the largest on.
        left, right = (
            shares[nodes].tolist() for shares, nodes in zip(strengths, self._nodes, strict=True)
        )
        self._is_turned = (n_rows, left) > (n_columns, right)
        if self._is_turned:
            rows, columns, n_rows, n_columns = columns, rows, n_columns, n_rows
        self.matrix: Any = csr_matrix((weights.shares, (rows, columns)), shape=(n_rows, n_columns))

    def labels(self, first: Labels, second: Labels) -> tuple[Labels, Labels]:
        """Labels of the rows and columns of ``matrix`` as those of all left and right nodes."""
        found = _largest_first(np.concatenate([first, second]))
        parts = [found[: len(first)], found[len(first) :]]
        if self._is_turned:
            parts.reverse()
        left, right = (np.full(n, -1) for n in self._shape)
        left[self._nodes[0]], right[self._nodes[1]] = parts
        return left, right


def _places(nodes: Labels, n: int) -> Labels:
    places = np.full(n, -1)
    places[nodes] = np.arange(nodes.size)
    return places


def _largest_first(labels: Labels) -> Labels:
    """The same communities, numbered by their size; of equal ones that of the first node first."""
    _, first, numbers, sizes = np.unique(
        labels, return_index=True, return_inverse=True, return_counts=True
    )
    return _places(np.lexsort((first, -sizes)), sizes.size)[numbers]


def _louvain() -> Any:
    try:
        from sknetwork.clustering import Louvain
    except ImportError as error:
        raise MissingExtraError(
            f"communities need scikit-network: {INSTALL} ({error})"  # it may be there, and broken
        ) from error
    return Louvain


def _checked_starts(n_starts: int | None, n_edges: int) -> int:
    if n_starts is None:
        return int(np.clip(_EDGES_OF_ALL_STARTS // max(n_edges, 1), 1, _MOST_STARTS))
    if isinstance(n_starts, bool) or not isinstance(n_starts, (int, np.integer)) or n_starts < 1:
        raise InputError(f"n_starts must be a number from 1 on, got {n_starts!r}")
    return int(n_starts)


def _checked_labels(labels: npt.ArrayLike, n: int, side: str) -> Labels:
    numbers = np.asarray(labels)
    if numbers.shape != (n,) or numbers.dtype.kind not in "iu":
        raise InputError(
            f"{side} must be {n} whole numbers, one for each {side} node; got the shape"
            f" {numbers.shape} of {numbers.dtype}"
        )
    return numbers.astype(np.int64)
