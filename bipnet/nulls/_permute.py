"""Null models A to F: find the groups, let the kernels permute the weights within them."""

from __future__ import annotations

import threading

import numpy as np

from bipnet._biadjacency import Array, Biadjacency, Ints
from bipnet._memory import CACHE_LINE, IN_CACHE_BYTES, goes_past_caches, require_memory
from bipnet._threads import Block, cut, run_blocks
from bipnet.nulls._finite import are_finite_edges, nothing_seen
from bipnet.nulls._spread import IN_CACHE, spread
from bipnet.nulls.models import NullModel

_BLOCK_EDGES = 1 << 15  # edges that share a random stream
_TILE_LINES = 8  # cache lines of a row that a tile of columns takes at a time, at the most
_TASK_WORDS = 1 << 18  # words one task permutes
_SMALL_WORDS = 1 << 16  # words that one task permutes by columns


def permute_within_groups(
    matrix: Biadjacency, target: Array, model: NullModel, key: Array, n_threads: int
) -> tuple[int, int]:
    """Permute the weights of ``matrix`` into the words ``target`` within groups (A to F).

    ``target`` may be the words of ``matrix``. Returns how many positive and how many negative
    edges were alone in their group.
    """
    groups = _Groups(matrix, target, model, key, n_threads)
    if model.groups == "left":
        return groups.rows()
    if model.groups == "right":
        return groups.sparse_columns() if matrix.is_sparse else groups.columns()
    if matrix.n_edges <= IN_CACHE:
        return groups.whole()
    spread(matrix, target, model.by_sign, key, n_threads)
    return 0, 0


def is_checked_late(matrix: Biadjacency, model: NullModel) -> bool:
    """Whether weights may be checked as they are permuted (`permute_and_check`).

    A pass over a large matrix takes as long as a quarter of a draw within groups of nodes.
    """
    large = matrix.words.nbytes > IN_CACHE_BYTES
    return large and not matrix.is_sparse and model.groups != "all"


def permute_and_check(
    matrix: Biadjacency, target: Array, model: NullModel, key: Array, n_threads: int
) -> tuple[int, int] | None:
    """The same as `permute_within_groups`, of weights that are yet to be checked.

    ``target`` must not be the words of ``matrix``. None: there are zeros, or some weight is not
    finite; ``target`` then holds nothing of use.
    """
    groups = _Groups(matrix, target, model, key, n_threads, checks=True)
    frozen = groups.rows() if model.groups == "left" else groups.columns()
    if not groups.are_finite_edges:
        return None
    matrix.knowing(matrix.words.size)
    return frozen


class _Groups:
    """The ways to cut a matrix into the segments that the kernel permutes."""

    def __init__(
        self,
        matrix: Biadjacency,
        target: Array,
        model: NullModel,
        key: Array,
        n_threads: int,
        *,
        checks: bool = False,
    ) -> None:
        self.matrix = matrix
        self.words = matrix.words
        self.target = target
        self.by_sign = model.by_sign
        self.key = key
        self.n_threads = n_threads
        self.checks = checks
        self.are_finite_edges = True  # as far as has been looked, if they are checked
        self.n_edges = self.words.size if checks else matrix.n_edges
        self.plain = self.n_edges == self.words.size

    def whole(self) -> tuple[int, int]:
        bounds = np.array([0, self.words.size])
        return _pair(self._permute(self.words, self.target, bounds[:1], bounds[1:], 1, 0))

    def rows(self) -> tuple[int, int]:
        bounds = self.matrix.row_bounds
        return self._by_rows(self.words, self.target, bounds)

    def sparse_columns(self) -> tuple[int, int]:
        from bipnet_kernels import sort_by_column

        assert self.matrix.indices is not None
        starts = np.zeros(self.matrix.shape[1] + 1, dtype=np.int64)
        order = np.empty(self.words.size, dtype=np.int64)
        sort_by_column(self.matrix.indices, starts, order)
        by_column = self.words[order]
        frozen = self._by_rows(by_column, by_column, starts)
        self.target[order] = by_column
        return frozen

    @property
    def column_step(self) -> int:
        """How many columns a task takes."""
        n_right = self.matrix.shape[1]
        if self.words.size <= _SMALL_WORDS:
            return n_right  # a task costs more than a thread gains
        line = CACHE_LINE // self.words.itemsize
        lines = min(_TILE_LINES, max(1, n_right // (2 * self.n_threads * line)))
        # Whole blocks, all powers of two.
        return min(max(self._per_block(n_right), line << (lines.bit_length() - 1)), n_right)

    def columns(self) -> tuple[int, int]:
        """Columns are copied out by tiles, so that a cache line is fetched once for many."""
        from bipnet_kernels import read_columns, write_columns

        n_left, n_right = self.matrix.shape
        # A line longer than the columns: their places in the cache must not coincide.
        length = n_left + CACHE_LINE // self.words.itemsize
        per_block = self._per_block(n_right)
        step = self.column_step
        n_tiles = min(self.n_threads, -(-n_right // step))
        require_memory(
            n_tiles * step * length * self.words.itemsize,
            f"permuting columns of {self.matrix.shape} on {self.n_threads} threads",
        )
        frozen = np.zeros((-(-n_right // step), 2), dtype=np.int64)
        past_caches = goes_past_caches(self.target, 0, n_right)
        kept = threading.local()  # fresh memory for every tile takes as long as filling it

        def work(run: Block) -> None:
            if not hasattr(kept, "tile"):
                kept.tile = np.empty(step * length, dtype=self.words.dtype)
            first, stop = run
            n = stop - first
            seen = self._new_range()
            nonzero = self.matrix.layout.nonzero
            read_columns(self.words, n_left, n_right, first, n, kept.tile, length, nonzero, seen)
            if not self._may_go_on(seen):
                return
            starts = np.arange(n) * length
            frozen[first // step] = self._permute(
                kept.tile, kept.tile, starts, starts + n_left, per_block, first // per_block
            )
            write_columns(kept.tile, length, n_left, n_right, first, n, self.target, past_caches)

        run_blocks(work, cut(n_right, step), self.n_threads)
        return _pair(frozen.sum(axis=0))

    def _by_rows(self, source: Array, target: Array, bounds: Ints) -> tuple[int, int]:
        from bipnet_kernels import widen_range

        n = len(bounds) - 1
        per_block = self._per_block(n)
        step = max(1, _TASK_WORDS * n // max(source.size, 1))
        step = per_block * -(-step // per_block)
        frozen = np.zeros((-(-n // step), 2), dtype=np.int64)

        def work(run: Block) -> None:
            first, stop = run
            seen = self._new_range()
            if self.checks:
                start, length = bounds[first], bounds[stop] - bounds[first]
                widen_range(source, start, length, self.matrix.layout.nonzero, seen)
            if not self._may_go_on(seen):
                return
            starts, stops = bounds[first:stop], bounds[first + 1 : stop + 1]
            block = first // per_block
            frozen[first // step] = self._permute(source, target, starts, stops, per_block, block)

        run_blocks(work, cut(n, step), self.n_threads)
        return _pair(frozen.sum(axis=0))

    def _new_range(self) -> Array:
        """Of magnitudes, for kernels to widen; empty if weights are not checked."""
        if not self.checks:
            return np.empty(0, dtype=self.words.dtype)
        seen: Array = nothing_seen(self.matrix.layout, 1)[0]
        return seen

    def _may_go_on(self, seen: Array) -> bool:
        """Whether no thread has found a zero, NaN or infinity yet."""
        if self.checks and not are_finite_edges(seen[np.newaxis], self.matrix.layout):
            self.are_finite_edges = False
        return self.are_finite_edges

    def _per_block(self, n_segments: int) -> int:
        """Segments that share a stream: the same for dense and sparse matrices of equal edges.

        A power of two, so that tiles of columns begin where cache lines do.
        """
        share = max(1, _BLOCK_EDGES * n_segments // max(self.n_edges, 1))
        return 1 << (share.bit_length() - 1)

    def _permute(
        self, source: Array, target: Array, starts: Ints, stops: Ints, per_block: int, block: int
    ) -> Ints:
        from bipnet_kernels import new_picks, new_scratch, new_stream, permute_segments

        layout = self.matrix.layout
        in_place = self.plain and not self.by_sign
        longest = 0 if in_place else int((stops - starts).max(initial=0))
        frozen = np.zeros(2, dtype=np.int64)
        permute_segments(
            source,
            target,
            starts,
            stops,
            per_block,
            block,
            self.plain,
            self.by_sign,
            layout.nonzero,
            layout.negative,
            self.key,
            new_stream(),
            new_picks(),
            new_scratch(longest, source.dtype),
            frozen,
        )
        return frozen


def _pair(frozen: Ints) -> tuple[int, int]:
    return int(frozen[0]), int(frozen[1])
