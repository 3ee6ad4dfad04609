"""The rows of a matrix as the kernels see them: runs of words, and runs of sign bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bipnet._biadjacency import Array, Biadjacency, Ints
from bipnet._threads import Block, cut, run_blocks

_RUN_WORDS = 1 << 18  # words of one task


@dataclass(frozen=True, eq=False)
class Rows:
    """Row i is the words ``starts[i]:stops[i]``; its bits begin at word ``first_words[i]``.

    ``edges`` and ``positive`` are the bits, a row padded to whole words with 0.
    """

    starts: Ints
    stops: Ints
    first_words: Ints
    edges: Array
    positive: Array
    name: bytes | None = None
    """A digest of what they stand for, once somebody needed one."""

    @cached_property
    def n_edges(self) -> int:
        return int(np.bitwise_count(self.edges).sum(dtype=np.int64))

    @cached_property
    def n_positive(self) -> int:
        return int(np.bitwise_count(self.positive).sum(dtype=np.int64))

    @cached_property
    def _edges_before(self) -> Ints:
        """How many edges come before each word of bits: (n_words + 1,)."""
        return _running_sum(self.edges)

    @cached_property
    def _positive_before(self) -> Ints:
        return _running_sum(self.positive)

    def before(self, row: int) -> tuple[int, int]:
        """How many positive and how many negative edges the rows before ``row`` have."""
        if row == 0:  # all that a small matrix asks
            return 0, 0
        word = int(self.first_words[row])
        positive = int(self._positive_before[word])
        return positive, int(self._edges_before[word]) - positive

    def knowing(self, n_edges: int) -> Rows:
        """This, with its number of edges counted already."""
        self.__dict__["n_edges"] = n_edges
        return self

    def with_positive(self, positive: Array) -> Rows:
        """The same edges with other signs."""
        return Rows(self.starts, self.stops, self.first_words, self.edges, positive)

    def each(self, work: Callable[[Block], None], n_threads: int) -> None:
        """Call ``work`` on runs of rows."""
        n_words = int(self.stops[-1] - self.starts[0])
        step = max(1, _RUN_WORDS * len(self.starts) // max(n_words, 1))
        run_blocks(work, cut(len(self.starts), step), n_threads)


def _running_sum(bits: Array) -> Ints:
    counts = np.zeros(bits.size + 1, dtype=np.int64)
    np.cumsum(np.bitwise_count(bits), out=counts[1:])
    return counts


def packed_rows(matrix: Biadjacency, n_threads: int) -> Rows:
    """The edges and their signs as bits, row by row."""
    from bipnet_kernels import pack_rows

    bounds = matrix.row_bounds
    if matrix.is_sparse:
        first_words = np.zeros(len(bounds), dtype=np.int64)
        np.cumsum((bounds[1:] - bounds[:-1] + 63) // 64, out=first_words[1:])
    else:
        first_words = np.arange(len(bounds)) * -(-matrix.shape[1] // 64)
    n_words = int(first_words[-1])
    rows = Rows(
        bounds[:-1],
        bounds[1:],
        first_words[:-1],
        np.empty(n_words, dtype=np.uint64),
        np.empty(n_words, dtype=np.uint64),
    )
    layout = matrix.layout

    def work(run: Block) -> None:
        part = slice(*run)
        pack_rows(
            matrix.words,
            rows.starts[part],
            rows.stops[part],
            rows.first_words[part],
            layout.nonzero,
            layout.negative,
            rows.positive,
            rows.edges,
        )

    rows.each(work, n_threads)
    return rows
