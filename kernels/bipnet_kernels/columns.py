"""Columns of a row-major matrix as contiguous segments, a tile at a time.

A tile is read row by row, so that a cache line is fetched once for all its columns.
"""

from __future__ import annotations

import numpy as np

from bipnet_kernels._jit import kernel
from bipnet_kernels._types import Int, Ints, Words

_ROWS = 16  # rows done together: a cache line of a tile is written whole


@kernel
def read_columns(matrix: Words, first: Int, tile: Words) -> None:
    """Copy columns ``first``.. of ``matrix`` (n, m) into the rows of ``tile`` (c, >= n)."""
    n_rows = len(matrix)
    for begin in range(0, n_rows, _ROWS):
        end = min(begin + _ROWS, n_rows)
        for j in range(len(tile)):
            column = np.uint64(first) + np.uint64(j)
            for i in range(begin, end):
                tile[j, i] = matrix[i, column]


@kernel
def write_columns(tile: Words, first: Int, matrix: Words) -> None:
    """The inverse of `read_columns`."""
    n_rows = len(matrix)
    for begin in range(0, n_rows, _ROWS):
        end = min(begin + _ROWS, n_rows)
        for i in range(begin, end):
            for j in range(len(tile)):
                matrix[i, np.uint64(first) + np.uint64(j)] = tile[j, i]


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
