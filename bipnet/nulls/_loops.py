"""The chain of loops behind null model G where edges are missing. A step is a stream.

What a step does depends on its key and number alone, so steps may be run in any batches.

Most loops are short ones. They are cheap, and they settle what is local; but what winds around a
graph that is long and thin (how often the positive edges of a band run around it), no short loop
changes in any reasonable time, and no overlap shows it. A long loop, which walks on until it is
back where it began, changes it about as readily as not. So in components around which something
may wind (`_winding`) some loops are long: so many for each, as their length goes with its size.
"""

from __future__ import annotations

from typing import Any, Protocol
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from bipnet._biadjacency import Array, Biadjacency, Ints
from bipnet._threads import cut
from bipnet.nulls._cells import bits_of, bits_per_line, cells_of, transposed
from bipnet.nulls._edge_signs import EdgeSigns
from bipnet.nulls._free import FreePart
from bipnet.nulls._rows import Rows
from bipnet.nulls._winding import may_wind

LOOPS_PER_NODE = 2
"""Loops per node that has an edge, at the least. They are there for what trades cannot reach. A
lone hexagon among n nodes is met by a loop with probability 6 / n, and then forgets its state (a
loop is lazy half of the time): of it exp(-12) is left after 2 n loops, less than the criterion
leaves of anything (`_equilibrium.REMEMBERED`)."""

LONG_LOOPS = 256
"""Long loops among these in each component, the lazy half counted; in small ones every second loop
is long. On a torus of 1024 nodes the winding numbers of the most extreme pattern relax in 10 that
are not lazy; their start is 24 spreads away, and ln(24 / 0.001) relaxation times are 100. Where
that is too few (a ring of 1000 x 6 nodes, around which hardly a walk gets before it is back at its
start) the pilot sees it on the winding numbers and takes more loops of both kinds."""

_LONGEST = 16
"""Edges of a long loop, per node of the graph, after which it is given up. On random signs, bands
and tori loops take 0.05 to 2 per node on average, and none was as long."""

_winding: WeakKeyDictionary[FreePart, Ints] = WeakKeyDictionary()

_STREAMS_PER_CALL = 8  # Ctrl-C is honoured between calls
_EDGES_PER_CALL = 1 << 22  # likewise


class LoopChain(Protocol):
    """Loops on the directed graph of the signs.

    Attributes
    ----------
    n_nodes
        Nodes that have an edge. A walk begins at one of these; one that began at any other
        would end there.
    moved
        How often the sign of an edge was flipped so far.
    winding
        Components (labels of the free part) around which something may wind.
    """

    n_nodes: int
    moved: int
    winding: Ints

    def run(self, first: int, n_steps: int) -> None:
        """Run steps ``first`` to ``first + n_steps - 1``."""

    def positive(self) -> Array:
        """The signs as bits, like `Rows.positive`."""

    def positive_at(self, left: Ints, right: Ints) -> npt.NDArray[np.bool_]:
        """Whether the edges between these nodes are positive, (e,)."""

    def overlap(self) -> int:
        """How many edges are positive both now and in the matrix."""

    def line_overlaps(self, left: bool) -> Ints:
        """The same for each left node, or for each right one."""

    def line_edges(self, left: bool) -> Ints:
        """How many edges each left node has, or each right one."""


class BitLoops:
    """Loops on lines of bits: for matrices with many edges."""

    def __init__(
        self,
        matrix: Biadjacency,
        rows: Rows,
        free: FreePart,
        positive: Array,
        key: Array,
        n_threads: int,
    ) -> None:
        from bipnet_kernels import new_stream

        n_left, n_right = matrix.shape
        self._matrix, self._rows = matrix, rows
        self._start = cells_of(matrix, rows, rows.positive)
        edges = cells_of(matrix, rows, rows.edges)
        self._ahead = cells_of(matrix, rows, positive).copy()
        self._back = transposed(edges ^ self._ahead, n_right, n_threads)
        index = np.int32 if n_left + n_right < 1 << 31 else np.int64
        out = np.concatenate([bits_per_line(self._ahead), bits_per_line(self._back)])
        self._out: Array = out.astype(index)
        right_has_edges = np.bitwise_or.reduce(edges, axis=0).astype("<u8").view(np.uint8)
        self._starts: Array = np.concatenate(
            [
                np.flatnonzero(edges.any(axis=1)),
                n_left + np.flatnonzero(np.unpackbits(right_has_edges, bitorder="little")),
            ]
        ).astype(index)
        self.n_nodes = len(self._starts)
        if free not in _winding:
            _winding[free] = may_wind(edges, free.left, free.right)
        self.winding = _winding[free]
        labels = np.concatenate([free.left, free.right])
        self._long_below = _long_below(labels, self.winding)
        self._key = key
        self._stream = new_stream()
        self._seen: Array = np.full(n_left + n_right, -1, dtype=index)
        self._path: Array = np.empty(_LONGEST * (n_left + n_right) + 1, dtype=index)
        self.moved = 0

    def run(self, first: int, n_steps: int) -> None:
        from bipnet_kernels import bit_loop_streams

        for number in range(first, first + n_steps, _STREAMS_PER_CALL):
            self.moved += int(
                bit_loop_streams(
                    self._ahead,
                    self._back,
                    self._out,
                    self._starts,
                    self._long_below,
                    number,
                    min(_STREAMS_PER_CALL, first + n_steps - number),
                    self._key,
                    self._stream,
                    self._seen,
                    self._path,
                )
            )

    def positive(self) -> Array:
        return bits_of(self._matrix, self._rows, self._ahead)

    def overlap(self) -> int:
        from bipnet_kernels import common_bits

        return int(common_bits(self._ahead, self._start))

    def positive_at(self, left: Ints, right: Ints) -> npt.NDArray[np.bool_]:
        words = self._ahead[left, right // 64]
        bits: Array = (words >> (right % 64).astype(np.uint64)) & np.uint64(1)
        return bits.astype(np.bool_)

    def line_overlaps(self, left: bool) -> Ints:
        return self._per_line(self._ahead & self._start, left)

    def line_edges(self, left: bool) -> Ints:
        return self._per_line(cells_of(self._matrix, self._rows, self._rows.edges), left)

    def _per_line(self, cells: Array, left: bool) -> Ints:
        return bits_per_line(cells if left else transposed(cells, self._matrix.shape[1], 1))


class ListLoops:
    """Loops on a list of edges: for matrices with so few that bits of cells would be a waste."""

    def __init__(
        self, matrix: Biadjacency, rows: Rows, free: FreePart, positive: Array, key: Array
    ) -> None:
        from bipnet_kernels import list_ends, new_stream

        edges = EdgeSigns(matrix, rows, positive)
        self._edges = edges
        self._start = EdgeSigns(matrix, rows, rows.positive).positive
        left_number, left_degrees = _numbered(edges.left, matrix.shape[0])
        right_number, right_degrees = _numbered(edges.right, matrix.shape[1])
        degrees = np.concatenate([left_degrees, right_degrees])
        self.n_nodes = len(degrees)
        index = edges.left.dtype
        self._left = left_number.astype(index)[edges.left]
        self._right = (right_number + len(left_degrees)).astype(index)[edges.right]
        starts = np.zeros(self.n_nodes + 1, dtype=np.int64)
        np.cumsum(degrees, out=starts[1:])
        incident, place = (np.empty(2 * len(edges.left), dtype=index) for _ in range(2))
        filled = np.zeros(self.n_nodes, dtype=np.int64)
        out = filled
        for outward in (True, False):
            for run in cut(len(edges.left), _EDGES_PER_CALL):
                list_ends(
                    self._left,
                    self._right,
                    edges.positive,
                    *run,
                    outward,
                    starts,
                    filled,
                    incident,
                    place,
                )
            if outward:
                out = filled.copy()
        labels = np.concatenate([free.left, free.right])
        labels = labels[labels >= 0]
        self.winding = np.unique(labels)
        self._tables = (starts, incident, place, out, _long_below(labels, self.winding))
        self._key = key
        self._stream = new_stream()
        self._seen = np.full(self.n_nodes, -1, dtype=np.int64)
        most = _LONGEST * self.n_nodes
        self._paths = [np.empty(most + 1, dtype=np.int64) for _ in range(2)]
        self.moved = 0

    def run(self, first: int, n_steps: int) -> None:
        from bipnet_kernels import loop_streams

        for number in range(first, first + n_steps, _STREAMS_PER_CALL):
            self.moved += int(
                loop_streams(
                    self._left,
                    self._right,
                    self._edges.positive,
                    *self._tables,
                    number,
                    min(_STREAMS_PER_CALL, first + n_steps - number),
                    self._key,
                    self._stream,
                    self._seen,
                    *self._paths,
                )
            )

    def positive(self) -> Array:
        return self._edges.packed()

    def overlap(self) -> int:
        return int(np.count_nonzero(self._edges.positive & self._start))

    def positive_at(self, left: Ints, right: Ints) -> npt.NDArray[np.bool_]:
        n_right = self._edges.shape[1]
        cells = self._edges.left.astype(np.int64) * n_right + self._edges.right
        at = np.searchsorted(cells, left * n_right + right)
        return self._edges.positive[at].astype(np.bool_)

    def line_overlaps(self, left: bool) -> Ints:
        return self._per_line((self._edges.positive & self._start) != 0, left)

    def line_edges(self, left: bool) -> Ints:
        return self._per_line(slice(None), left)

    def _per_line(self, chosen: Any, left: bool) -> Ints:
        nodes = self._edges.left if left else self._edges.right
        return np.bincount(nodes[chosen], minlength=self._edges.shape[0 if left else 1])


def _numbered(nodes: Array, n: int) -> tuple[Ints, Ints]:
    """New numbers of the nodes that have edges (by old number), and these nodes' degrees."""
    degrees = np.bincount(nodes, minlength=n)
    return np.cumsum(degrees > 0) - 1, degrees[degrees > 0]


def _long_below(labels: Ints, winding: Ints) -> Ints:
    """Per node: that of 2**32 chances with which a loop from it is a long one.

    ``labels`` are the nodes' components, -1 for nodes without edges, ``winding`` those that need
    long loops. Both are the same for every pattern with these degrees, so they favour none.
    """
    chances = np.zeros(len(labels), dtype=np.int64)
    known = np.isin(labels, winding)
    _, component, sizes = np.unique(labels[known], return_inverse=True, return_counts=True)
    chance = np.minimum(0.5, LONG_LOOPS / (LOOPS_PER_NODE * sizes))
    chances[known] = (chance * (1 << 32)).astype(np.int64)[component]
    return chances
