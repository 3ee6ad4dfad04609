"""Transpose a block of words: NumPy fetches a cache line for every 2-byte word it moves."""

from __future__ import annotations

import numpy as np

from bipnet_kernels._jit import kernel
from bipnet_kernels._types import Int, Words


@kernel
def transpose_block(
    source: Words,
    source_start: Int,
    source_stride: Int,
    target: Words,
    target_start: Int,
    target_stride: Int,
    n_rows: Int,
    n_columns: Int,
    tile_rows: Int,
    tile_columns: Int,
) -> None:
    """Write an (n_rows, n_columns) block of one matrix transposed into another.

    ``source`` and ``target`` are flat arrays of unsigned words. Row i of the block begins at
    ``source_start + i * source_stride``; it becomes column i of a block of ``target`` whose row
    j begins at ``target_start + j * target_stride``. The block is turned in tiles of
    (tile_rows, tile_columns): short enough for the lines of a tile to stay in the nearest
    cache, long on the side that lies in main memory, so that whole lines of it are used.
    """
    for row in range(0, n_rows, tile_rows):
        height = min(tile_rows, n_rows - row)
        for column in range(0, n_columns, tile_columns):
            width = min(tile_columns, n_columns - column)
            for j in range(column, column + width):
                # Unsigned: Numba asks of a signed index whether it counts from the end, which
                # takes four times as long as the move itself.
                first = np.uint64(source_start + row * source_stride + j)
                place = np.uint64(target_start + j * target_stride + row)
                for i in range(height):
                    target[place + np.uint64(i)] = source[first + np.uint64(i * source_stride)]
