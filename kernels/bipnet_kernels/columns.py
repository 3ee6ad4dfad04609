"""Columns of a row-major matrix as contiguous segments, a tile at a time.

A tile is read row by row, so that a cache line is fetched once for all its columns.
"""

from __future__ import annotations

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


@kernel
def read_columns(words: Words, n_rows: Int, n_columns: Int, first: Int, tile: Words) -> None:
    """Copy columns ``first``.. of a row-major matrix into the rows of ``tile`` (c, >= n_rows).

    ``words`` (n_rows * n_columns,) are the matrix.
    """
    step = np.uint64(n_columns)
    whole = n_rows - n_rows % _ROWS
    for i in range(0, whole, _ROWS):
        row = np.uint64(i)
        at = row * step + np.uint64(first)
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
            tile[j, i] = words[np.uint64(i) * step + np.uint64(first + j)]


@kernel
def write_columns(tile: Words, n_rows: Int, n_columns: Int, first: Int, words: Words) -> None:
    """The inverse of `read_columns`."""
    step = np.uint64(n_columns)
    whole = n_rows - n_rows % _ROWS
    for i in range(0, whole, _ROWS):
        row = np.uint64(i)
        at = row * step + np.uint64(first)
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
            words[np.uint64(i) * step + np.uint64(first + j)] = tile[j, i]


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
