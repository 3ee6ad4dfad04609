"""The Markov chains on sign patterns behind null model G, ready to be run step by step.

Each keeps k+ and k- of every node and leaves the uniform law unchanged, refused steps counted;
hence so does any fixed sequence of them. What step number i does depends on its key and on i
alone, so steps may be run in any batches.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bipnet._biadjacency import Array, Biadjacency, Ints
from bipnet._memory import require_memory
from bipnet._threads import Block, run_blocks
from bipnet.nulls._rows import Rows

_BITS_PER_CALL = 1 << 30  # work of one kernel call: Ctrl-C is honoured between calls
_PARALLEL_WORDS = 1 << 17  # words of lines from which a round is worth several threads


class TradeChain:
    """Rounds of global trades on lines of bits. A step is a round."""

    def __init__(
        self, lines: Array, support: Array, pair_key: Array, key: Array, n_threads: int
    ) -> None:
        from bipnet_kernels import new_stream

        self.lines = lines
        self._support = support
        self._keys = (pair_key, key)
        self._n_threads = n_threads if lines.size >= _PARALLEL_WORDS else 1
        self._stream = new_stream()
        self._scratch = np.empty((2, lines.shape[1]), dtype=np.uint64)
        self._order = np.empty(len(lines), dtype=np.int64)
        self.moved: int | np.int64 = 0

    def run(self, first: int, n_steps: int) -> None:
        from bipnet_kernels import trade_rounds

        if self._n_threads > 1:
            for number in range(first, first + n_steps):
                self._parallel_round(number)
            return
        batch = max(1, _BITS_PER_CALL // (64 * self.lines.size))
        for number in range(first, first + n_steps, batch):
            self.moved += trade_rounds(
                self.lines,
                self._support,
                number,
                min(batch, first + n_steps - number),
                *self._keys,
                self._stream,
                self._scratch,
                self._order,
            )

    def _parallel_round(self, number: int) -> None:
        from bipnet_kernels import new_stream, pair_lines, pairs_per_block, trade_block

        pair_key, key = self._keys
        pair_lines(self._order, number, pair_key, self._stream)
        n_blocks = int(-(-(len(self.lines) // 2) // pairs_per_block(self.lines.shape[1])))
        moved = np.zeros(n_blocks, dtype=np.int64)

        def work(run: Block) -> None:
            stream, scratch = new_stream(), np.empty_like(self._scratch)
            for block in range(*run):
                moved[block] = trade_block(
                    self.lines, self._support, self._order, number, block, key, stream, scratch
                )

        step = -(-n_blocks // (4 * self._n_threads))
        blocks = [(at, min(at + step, n_blocks)) for at in range(0, n_blocks, step)]
        run_blocks(work, blocks, self._n_threads)
        self.moved += int(moved.sum())


class EdgeSigns:
    """The edges of a matrix as a list, and their signs as flags."""

    def __init__(self, matrix: Biadjacency, rows: Rows) -> None:
        from bipnet_kernels import list_edges

        n_edges = rows.n_edges
        self.shape = matrix.shape
        self.rows = rows
        index = np.int32 if max(2 * n_edges, sum(matrix.shape)) < 1 << 31 else np.int64
        self.left: npt.NDArray[np.signedinteger] = np.empty(n_edges, dtype=index)
        self.right: npt.NDArray[np.signedinteger] = np.empty(n_edges, dtype=index)
        self.positive = np.empty(n_edges, dtype=np.uint8)
        none: Array = np.empty(0, dtype=np.int32)
        columns = none if matrix.indices is None else matrix.indices
        list_edges(
            rows.starts,
            rows.stops,
            rows.first_words,
            rows.edges,
            rows.positive,
            columns,
            self.left,
            self.right,
            self.positive,
        )

    def packed(self) -> Array:
        """The signs as bits, like `Rows.positive`."""
        from bipnet_kernels import pack_flags

        rows = self.rows
        bits = np.empty_like(rows.positive)
        pack_flags(rows.starts, rows.stops, rows.first_words, rows.edges, self.positive, bits)
        return bits

    @property
    def _line_and_bit(self) -> tuple[Array, Array]:
        """A line per node of the shorter side: long lines use words best."""
        flipped = self.shape[0] > self.shape[1]
        return (self.right, self.left) if flipped else (self.left, self.right)

    def lines(self, flags: Array) -> Array:
        """Flags of the edges as lines of bits, (lines, words) uint64; missing edges are 0."""
        from bipnet_kernels import write_bits

        n_lines, width = sorted(self.shape)
        require_memory(n_lines * width // 8, "the sign pattern of null model G")
        lines = np.zeros((n_lines, -(-width // 64)), dtype=np.uint64)
        write_bits(*self._line_and_bit, flags, lines)
        return lines

    def read(self, lines: Array) -> None:
        """Take the signs from lines of bits."""
        from bipnet_kernels import read_bits

        read_bits(*self._line_and_bit, lines, self.positive)


class LoopChain:
    """Short loops on the directed graph of the signs. A step is a stream of loops."""

    def __init__(self, edges: EdgeSigns, key: Array) -> None:
        from bipnet_kernels import new_stream, orient

        # Nodes without edges are left out: every walk that began there would end there.
        n_left, n_right = edges.shape
        left_number, left_degrees = _numbered(edges.left, n_left)
        right_number, right_degrees = _numbered(edges.right, n_right)
        degrees = np.concatenate([left_degrees, right_degrees])
        self.n_nodes = len(degrees)
        index = edges.left.dtype
        self._left = left_number.astype(index)[edges.left]
        self._right = (right_number + len(left_degrees)).astype(index)[edges.right]
        self._positive = edges.positive
        starts = np.zeros(self.n_nodes + 1, dtype=np.int64)
        np.cumsum(degrees, out=starts[1:])
        incident, place = (np.empty(2 * len(edges.left), dtype=index) for _ in range(2))
        self._tables = (starts, incident, place, np.empty(self.n_nodes, dtype=np.int64))
        orient(self._left, self._right, self._positive, *self._tables)
        self._key = key
        self._stream = new_stream()
        self._seen = np.full(self.n_nodes, -1, dtype=np.int64)
        self._paths = [np.empty(self.n_nodes + 1, dtype=np.int64) for _ in range(2)]
        self.moved: int | np.int64 = 0

    def run(self, first: int, n_steps: int) -> None:
        from bipnet_kernels import loop_streams

        for number in range(first, first + n_steps, 32):
            self.moved += loop_streams(
                self._left,
                self._right,
                self._positive,
                *self._tables,
                number,
                min(32, first + n_steps - number),
                self._key,
                self._stream,
                self._seen,
                *self._paths,
            )


def _numbered(nodes: Array, n: int) -> tuple[Ints, Ints]:
    """New numbers of the nodes that have edges (by old number), and these nodes' degrees."""
    degrees = np.bincount(nodes, minlength=n)
    return np.cumsum(degrees > 0) - 1, degrees[degrees > 0]


class SwapChain:
    """Plain 2x2 swaps. A step is one stream of attempts (`ATTEMPTS_PER_STREAM`)."""

    def __init__(self, edges: EdgeSigns, key: Array) -> None:
        from bipnet_kernels import NO_EDGE, new_stream

        n_left, n_right = edges.shape
        require_memory(n_left * n_right, "the sign pattern of null model G")
        self._edges = edges
        self._cells = np.full(edges.shape, NO_EDGE, dtype=np.uint8)
        self._cells[edges.left, edges.right] = edges.positive
        chosen = edges.positive != 0
        self._ends = (edges.left[chosen], edges.right[chosen])
        self._key = key
        self._stream = new_stream()
        self.accepted: int | np.int64 = 0
        self.attempts = 0

    def run(self, first: int, n_steps: int) -> None:
        from bipnet_kernels import ATTEMPTS_PER_STREAM

        for number in range(first, first + n_steps, 256):
            n = min(256, first + n_steps - number) * ATTEMPTS_PER_STREAM
            self.attempt(number, n)

    def attempt(self, first: int, n_attempts: int) -> None:
        """``n_attempts`` from stream ``first`` on; the last stream need not be used up."""
        from bipnet_kernels import swap_attempts

        self.accepted += swap_attempts(
            self._cells, *self._ends, first, n_attempts, self._key, self._stream
        )
        self.attempts += n_attempts

    def read(self) -> None:
        """Give the signs back to the list of edges."""
        self._edges.positive[:] = self._cells[self._edges.left, self._edges.right]
