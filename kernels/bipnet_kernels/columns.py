"""Columns of a row-major matrix as contiguous segments, a tile at a time.

A tile is read row by row, so that a cache line is fetched once for all its columns. Rows of a
matrix that is larger than the cache are staged: copied a stretch of each at a time to where eight
of them can be turned into columns without waiting for memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bipnet_kernels._jit import kernel
from bipnet_kernels._types import Int, Ints, Words

_ROWS = 8  # rows done together: the loops' own work costs as much as the moves otherwise
_U1 = np.uint64(1)
_U2 = np.uint64(2)
_U3 = np.uint64(3)
_U4 = np.uint64(4)
_U5 = np.uint64(5)
_U6 = np.uint64(6)
_U7 = np.uint64(7)


STAGED_ROWS = 64
"""Rows that are staged together."""


@kernel
def read_columns(
    words: Words,
    n_rows: Int,
    n_columns: Int,
    first: Int,
    tile: Words,
    stage: Words,
    mask: np.unsignedinteger[Any],
    range_: Words,
) -> None:
    """Copy columns ``first``.. of a row-major matrix into the rows of ``tile`` (c, >= n_rows).

    ``words`` (n_rows * n_columns,) are the matrix. ``stage`` is working memory for `STAGED_ROWS`
    rows of c or more words each; rows are not staged if it is empty. If they are, ``range_`` (2,)
    is widened to the least and the greatest ``mask``-ed word among them, which costs nothing while
    memory is waited for; it may be empty.
    """
    if len(stage) == 0:
        _turn_rows(words, first, n_columns, n_rows, tile, 0)
        return
    width = len(stage) // STAGED_ROWS
    for top in range(0, n_rows, STAGED_ROWS):
        height = min(STAGED_ROWS, n_rows - top)
        for i in range(height):
            at = np.uint64((top + i) * n_columns + first)
            to = np.uint64(i * width)
            for j in range(len(tile)):
                stage[to + np.uint64(j)] = words[at + np.uint64(j)]
        if len(range_):
            _widen(stage, width, height, len(tile), mask, range_)
        _turn_rows(stage, 0, width, height, tile, top)


@kernel
def _widen(
    stage: Words,
    width: Int,
    height: Int,
    n: Int,
    mask: np.unsignedinteger[Any],
    range_: Words,
) -> None:
    low = range_[0]
    high = range_[1]
    for i in range(height):
        at = np.uint64(i * width)
        for j in range(n):
            word = stage[at + np.uint64(j)] & mask
            low = min(low, word)
            high = max(high, word)
    range_[0] = low
    range_[1] = high


@kernel
def write_columns(
    tile: Words, n_rows: Int, n_columns: Int, first: Int, words: Words, stage: Words
) -> None:
    """The inverse of `read_columns`."""
    if len(stage) == 0:
        _turn_back(tile, 0, n_rows, words, first, n_columns)
        return
    width = len(stage) // STAGED_ROWS
    for top in range(0, n_rows, STAGED_ROWS):
        height = min(STAGED_ROWS, n_rows - top)
        _turn_back(tile, top, height, stage, 0, width)
        for i in range(height):
            at = np.uint64((top + i) * n_columns + first)
            to = np.uint64(i * width)
            for j in range(len(tile)):
                words[at + np.uint64(j)] = stage[to + np.uint64(j)]


@kernel
def _turn_rows(words: Words, first: Int, width: Int, n_rows: Int, tile: Words, top: Int) -> None:
    """Rows of ``width`` words, from place ``first`` on, become ``tile[:, top:top + n_rows]``."""
    step = np.uint64(width)
    whole = n_rows - n_rows % _ROWS
    for i in range(0, whole, _ROWS):
        row = np.uint64(top + i)
        at = np.uint64(i) * step + np.uint64(first)
        for j in range(len(tile)):
            column = np.uint64(j)
            tile[column, row] = words[at]
            tile[column, row + _U1] = words[at + step]
            tile[column, row + _U2] = words[at + _U2 * step]
            tile[column, row + _U3] = words[at + _U3 * step]
            tile[column, row + _U4] = words[at + _U4 * step]
            tile[column, row + _U5] = words[at + _U5 * step]
            tile[column, row + _U6] = words[at + _U6 * step]
            tile[column, row + _U7] = words[at + _U7 * step]
            at += _U1
    for i in range(whole, n_rows):
        for j in range(len(tile)):
            tile[j, top + i] = words[np.uint64(i) * step + np.uint64(first + j)]


@kernel
def _turn_back(tile: Words, top: Int, n_rows: Int, words: Words, first: Int, width: Int) -> None:
    """The inverse of `_turn_rows`."""
    step = np.uint64(width)
    whole = n_rows - n_rows % _ROWS
    for i in range(0, whole, _ROWS):
        row = np.uint64(top + i)
        at = np.uint64(i) * step + np.uint64(first)
        for j in range(len(tile)):
            column = np.uint64(j)
            words[at] = tile[column, row]
            words[at + step] = tile[column, row + _U1]
            words[at + _U2 * step] = tile[column, row + _U2]
            words[at + _U3 * step] = tile[column, row + _U3]
            words[at + _U4 * step] = tile[column, row + _U4]
            words[at + _U5 * step] = tile[column, row + _U5]
            words[at + _U6 * step] = tile[column, row + _U6]
            words[at + _U7 * step] = tile[column, row + _U7]
            at += _U1
    for i in range(whole, n_rows):
        for j in range(len(tile)):
            words[np.uint64(i) * step + np.uint64(first + j)] = tile[j, top + i]


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
