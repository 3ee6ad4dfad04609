"""Null models A to F: find the groups, let the kernel permute the weights within them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bipnet._biadjacency import Array, Biadjacency, Ints
from bipnet.nulls._threads import Block, cut, run_blocks
from bipnet.nulls.models import NullModel

_BLOCK_WORDS = 1 << 16  # words one task permutes: a tile of columns stays in cache


def permute_within_groups(
    edges: Biadjacency, model: NullModel, key: Array, n_threads: int
) -> tuple[int, int]:
    """Permute the weights of ``edges`` in place within the groups of ``model`` (A to F).

    Returns how many positive and how many negative edges were alone in their group.
    """
    words = edges.words
    layout = edges.layout

    def permute(part: Array, bounds: Ints, first: int) -> Ints:
        from bipnet_kernels import permute_segments

        longest = int(np.diff(bounds).max(initial=0))
        scratch = np.empty(longest, dtype=part.dtype)
        frozen = np.zeros(2, dtype=np.int64)
        permute_segments(
            part,
            bounds,
            first,
            model.by_sign,
            layout.nonzero,
            layout.negative,
            key,
            scratch,
            frozen,
        )
        return frozen

    if model.groups == "all":
        frozen = permute(words, np.array([0, words.size]), 0)
        return int(frozen[0]), int(frozen[1])
    if model.groups == "left":
        return _by_rows(words, edges.row_bounds, permute, n_threads)
    if edges.is_sparse:
        columns = edges.edge_columns
        order = np.argsort(columns, kind="stable")  # rows stay sorted within a column
        counts = np.bincount(columns, minlength=edges.shape[1])
        by_column = words[order]
        frozen_pair = _by_rows(
            by_column, np.concatenate([[0], np.cumsum(counts)]), permute, n_threads
        )
        words[order] = by_column
        return frozen_pair
    return _by_column_tiles(words.reshape(edges.shape), permute, n_threads)


Permute = Callable[[Array, Ints, int], Ints]


def _by_rows(words: Array, bounds: Ints, permute: Permute, n_threads: int) -> tuple[int, int]:
    n = len(bounds) - 1
    total = np.zeros((n, 2), dtype=np.int64)
    step = max(1, _BLOCK_WORDS * n // max(words.size, 1))

    def work(block: Block) -> None:
        start, stop = block
        total[start] = permute(words, bounds[start : stop + 1], start)

    run_blocks(work, cut(n, step), n_threads)
    return int(total[:, 0].sum()), int(total[:, 1].sum())


def _by_column_tiles(words: Array, permute: Permute, n_threads: int) -> tuple[int, int]:
    """Columns are copied out by tiles, so that a cache line is fetched once for many of them."""
    n_left, n_right = words.shape
    total = np.zeros((n_right, 2), dtype=np.int64)

    def work(block: Block) -> None:
        start, stop = block
        tile = np.ascontiguousarray(words[:, start:stop].T)
        bounds = np.arange(stop - start + 1, dtype=np.int64) * n_left
        total[start] = permute(tile.reshape(-1), bounds, start)
        words[:, start:stop] = tile.T

    run_blocks(work, cut(n_right, max(16, _BLOCK_WORDS // n_left)), n_threads)
    return int(total[:, 0].sum()), int(total[:, 1].sum())
