"""Columns of a row-major matrix as contiguous segments, a tile at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from bipnet_kernels._jit import kernel
from bipnet_kernels._types import Int, Ints, Words
from bipnet_kernels.magnitudes import widen_range
from bipnet_kernels.transpose import transpose_block

_BAND = 64  # rows that are checked together: few enough to be in the nearest cache


@kernel
def read_columns(
    words: Words,
    n_rows: Int,
    n_columns: Int,
    first: Int,
    n: Int,
    tile: Words,
    step: Int,
    mask: np.unsignedinteger[Any],
    range_: Words,
) -> None:
    """Copy columns ``first``, ... of a row-major matrix, ``n`` of them, into ``tile``.

    ``words`` (n_rows * n_columns,) are the matrix; column ``first + j`` goes to
    ``tile[j * step:][:n_rows]``. On the way ``range_`` (2,) is widened to the least and the
    greatest ``mask``-ed word among them (`widen_range`); it may be empty.
    """
    line = 64 // words.itemsize  # as many rows fill cache lines of the tile at once
    for top in range(0, n_rows, _BAND):
        height = min(_BAND, n_rows - top)
        start = top * n_columns + first
        transpose_block(words, start, n_columns, tile, top, step, height, n, line, False)
        if len(range_):
            for i in range(height):
                widen_range(words, start + i * n_columns, n, mask, range_)


@kernel
def write_columns(
    tile: Words,
    step: Int,
    n_rows: Int,
    n_columns: Int,
    first: Int,
    n: Int,
    words: Words,
    past_caches: bool,
) -> None:
    """The inverse of `read_columns`; for ``past_caches`` see `transpose_block`."""
    transpose_block(tile, 0, step, words, first, n_columns, n, n_rows, n, past_caches)


@kernel
def sort_by_column(columns: Ints, starts: Ints, order: Ints) -> None:
    """Stable counting sort of CSR edges by column.

    ``starts`` (n_right + 1,) comes in as zeros and leaves as the offsets of the columns; edge
    ``order[k]`` (n_edges,) is the k-th one, column by column, rows ascending.
    """
    for column in columns:
        starts[column + 1] += 1
    for column in range(len(starts) - 1):
        starts[column + 1] += starts[column]
    # Each offset is moved to the end of its column, then all are moved back by one column.
    for edge in range(len(columns)):
        column = columns[edge]
        order[starts[column]] = edge
        starts[column] += 1
    for column in range(len(starts) - 1, 0, -1):
        starts[column] = starts[column - 1]
    starts[0] = np.int64(0)
