"""The chains of trades and of swaps on sign patterns, ready to be run step by step.

Each keeps k+ and k- of every node and leaves the uniform law unchanged, refused steps counted;
hence so does any fixed sequence of them (and of loops, `_loops`). What step number i does
depends on its key and on i alone, so steps may be run in any batches.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bipnet._biadjacency import Array, Biadjacency, Ints
from bipnet._memory import require_memory
from bipnet._threads import Block, run_blocks
from bipnet.nulls._cells import bits_of, cells_of, cells_of_lines, lines_of
from bipnet.nulls._edge_signs import EdgeSigns
from bipnet.nulls._free import Groups
from bipnet.nulls._rows import Rows

_BITS_PER_CALL = 1 << 30  # work of one kernel call: Ctrl-C is honoured between calls
_STREAMS_PER_CALL = 64  # of attempts, likewise
_PARALLEL_WORDS = 1 << 17  # words of lines from which a round is worth several threads


class TradeChain:
    """Rounds of global trades on lines of bits. A step is a round.

    Lines trade with those of their group; one that is in none has nothing to trade.
    """

    def __init__(
        self,
        matrix: Biadjacency,
        rows: Rows,
        groups: Groups,
        pair_key: Array,
        key: Array,
        n_threads: int,
    ) -> None:
        from bipnet_kernels import new_stream

        self._matrix, self._rows = matrix, rows
        shape = matrix.shape
        self.lines_are_left = shape[0] <= shape[1]
        self._lines = lines_of(shape, cells_of(matrix, rows, rows.positive), n_threads)
        self._support = (
            np.empty((0, 0), dtype=np.uint64)
            if rows.n_edges == shape[0] * shape[1]
            else lines_of(shape, cells_of(matrix, rows, rows.edges), n_threads)
        )
        self._keys = (pair_key, key)
        self._n_threads = n_threads if self._lines.size >= _PARALLEL_WORDS else 1
        self._stream = new_stream()
        self._scratch = np.empty((2, self._lines.shape[1]), dtype=np.uint64)
        self._members, self._bounds = groups
        self._order = np.empty(len(self._members), dtype=np.int64)
        self.moved: int | np.int64 = 0

    def run(self, first: int, n_steps: int) -> None:
        from bipnet_kernels import trade_rounds

        if self._n_threads > 1:
            for number in range(first, first + n_steps):
                self._parallel_round(number)
            return
        batch = max(1, _BITS_PER_CALL // (64 * self._lines.size))
        for number in range(first, first + n_steps, batch):
            self.moved += trade_rounds(
                self._lines,
                self._support,
                self._members,
                self._bounds,
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
        n_pairs = pair_lines(
            self._members, self._bounds, self._order, number, pair_key, self._stream
        )
        n_blocks = int(-(-n_pairs // pairs_per_block(self._lines.shape[1])))
        moved = np.zeros(n_blocks, dtype=np.int64)

        def work(run: Block) -> None:
            stream, scratch = new_stream(), np.empty_like(self._scratch)
            for block in range(*run):
                moved[block] = trade_block(
                    self._lines,
                    self._support,
                    self._order,
                    n_pairs,
                    number,
                    block,
                    key,
                    stream,
                    scratch,
                )

        step = max(1, -(-n_blocks // (4 * self._n_threads)))
        blocks = [(at, min(at + step, n_blocks)) for at in range(0, n_blocks, step)]
        run_blocks(work, blocks, self._n_threads)
        self.moved += int(moved.sum())

    def positive(self) -> Array:
        """The signs as bits, like `Rows.positive`."""
        cells = cells_of_lines(self._matrix.shape, self._lines, self._n_threads)
        return bits_of(self._matrix, self._rows, cells)

    def snapshot(self) -> Array:
        """A copy of the lines as they are now, for `overlap`."""
        return self._lines.copy()

    def overlap(self, then: Array) -> int:
        """How many edges are positive both now and in a `snapshot`."""
        from bipnet_kernels import common_bits

        return int(common_bits(self._lines, then))

    def line_overlaps(self, then: Array) -> Ints:
        """Per line: how many of its edges are positive both now and in a `snapshot`."""
        return _bits_per_line(self._lines & then)

    def line_edges(self) -> Ints:
        """Per line: how many edges it has."""
        if self._support.size:
            return _bits_per_line(self._support)
        return np.full(len(self._lines), max(self._matrix.shape), dtype=np.int64)


class SwapChain:
    """Plain 2x2 swaps. A step is one stream of attempts (`ATTEMPTS_PER_STREAM`)."""

    def __init__(self, matrix: Biadjacency, rows: Rows, key: Array) -> None:
        from bipnet_kernels import SWAP_SCRATCH, new_stream

        n_left, n_right = matrix.shape
        require_memory(n_left * n_right // 8, "the sign pattern of null model G")
        self._matrix, self._rows = matrix, rows
        self.lines_are_left = True
        self._line_edges: Ints | None = None
        self._negative = cells_of(matrix, rows, rows.edges ^ rows.positive)
        positive = replace(rows, edges=rows.positive, name=None)
        edges = EdgeSigns(matrix, positive, rows.positive)  # the positive edges alone
        word = np.uint32 if max(n_left, n_right) <= 1 << 16 else np.uint64
        half = word(4 * np.dtype(word).itemsize)
        self._ends: Array = edges.left.astype(word)
        self._ends <<= half
        self._ends |= edges.right.astype(word)
        self._key = key
        self._stream = new_stream()
        self._scratch = np.empty(SWAP_SCRATCH, dtype=np.uint64)
        self.accepted: int | np.int64 = 0
        self.attempts = 0

    def run(self, first: int, n_steps: int) -> None:
        from bipnet_kernels import ATTEMPTS_PER_STREAM

        for number in range(first, first + n_steps, _STREAMS_PER_CALL):
            n = min(_STREAMS_PER_CALL, first + n_steps - number) * ATTEMPTS_PER_STREAM
            self.attempt(number, n)

    def attempt(self, first: int, n_attempts: int) -> None:
        """``n_attempts`` from stream ``first`` on; the last stream need not be used up."""
        from bipnet_kernels import swap_attempts

        self.accepted += swap_attempts(
            self._negative,
            self._ends,
            first,
            n_attempts,
            self._key,
            self._stream,
            self._scratch,
        )
        self.attempts += n_attempts

    def positive(self) -> Array:
        """The signs as bits, like `Rows.positive`."""
        return self._rows.edges ^ bits_of(self._matrix, self._rows, self._negative)

    def snapshot(self) -> Array:
        """The negative edges as they are now, for `overlap`."""
        return self._negative.copy()

    def overlap(self, then: Array) -> int:
        """How many edges are positive both now and in a `snapshot`."""
        from bipnet_kernels import common_bits

        rows = self._rows
        twice_negative = int(common_bits(self._negative, then))
        # Positive and negative edges number the same at all times.
        return rows.n_positive - (rows.n_edges - rows.n_positive - twice_negative)

    def line_overlaps(self, then: Array) -> Ints:
        """Per left node: how many of its edges are positive both now and in a `snapshot`."""
        if self._line_edges is None:
            self._line_edges = self.line_edges()
        negative = _bits_per_line(then)  # as many of each line at all times
        return self._line_edges - 2 * negative + _bits_per_line(self._negative & then)

    def line_edges(self) -> Ints:
        """Per left node: how many edges it has."""
        return _bits_per_line(cells_of(self._matrix, self._rows, self._rows.edges))


def _bits_per_line(lines: Array) -> Ints:
    counts: Ints = np.bitwise_count(lines).sum(axis=1, dtype=np.int64)
    return counts
