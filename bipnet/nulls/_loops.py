"""The chain of short loops behind null model G where edges are missing. A step is a stream.

What a step does depends on its key and number alone, so steps may be run in any batches.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from bipnet._biadjacency import Array, Biadjacency, Ints
from bipnet._threads import cut
from bipnet.nulls._cells import bits_of, bits_per_line, cells_of, transposed
from bipnet.nulls._edge_signs import EdgeSigns
from bipnet.nulls._rows import Rows

_STREAMS_PER_CALL = 8  # Ctrl-C is honoured between calls
_EDGES_PER_CALL = 1 << 22  # likewise


class LoopChain(Protocol):
    """Short loops on the directed graph of the signs.

    Attributes
    ----------
    n_nodes
        Nodes that have an edge. A walk begins at one of these; one that began at any other
        would end there.
    moved
        Signs flipped so far.
    """

    n_nodes: int
    moved: int

    def run(self, first: int, n_steps: int) -> None:
        """Run steps ``first`` to ``first + n_steps - 1``."""

    def positive(self) -> Array:
        """The signs as bits, like `Rows.positive`."""

    def overlap(self) -> int:
        """How many edges are positive both now and in the matrix."""


class BitLoops:
    """Loops on lines of bits: for matrices with many edges."""

    def __init__(
        self, matrix: Biadjacency, rows: Rows, positive: Array, key: Array, n_threads: int
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
        self._key = key
        self._stream = new_stream()
        self._seen: Array = np.full(n_left + n_right, -1, dtype=index)
        self._path: Array = np.empty(n_left + n_right + 1, dtype=index)
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


class ListLoops:
    """Loops on a list of edges: for matrices with so few that bits of cells would be a waste."""

    def __init__(self, matrix: Biadjacency, rows: Rows, positive: Array, key: Array) -> None:
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
        self._tables = (starts, incident, place, out)
        self._key = key
        self._stream = new_stream()
        self._seen = np.full(self.n_nodes, -1, dtype=np.int64)
        self._paths = [np.empty(self.n_nodes + 1, dtype=np.int64) for _ in range(2)]
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


def _numbered(nodes: Array, n: int) -> tuple[Ints, Ints]:
    """New numbers of the nodes that have edges (by old number), and these nodes' degrees."""
    degrees = np.bincount(nodes, minlength=n)
    return np.cumsum(degrees > 0) - 1, degrees[degrees > 0]
