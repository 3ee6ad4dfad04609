"""Transpose a block of words: NumPy fetches a cache line for every 2-byte word it moves."""

from __future__ import annotations

import numpy as np

from bipnet_kernels._jit import kernel
from bipnet_kernels._square import SIDE, end_stream, stream_square, turn_square
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
    rows_together: Int,
    past_caches: bool,
) -> None:
    """Write an (n_rows, n_columns) block of one matrix transposed into another.

    ``source`` and ``target`` are flat arrays of unsigned words. Row i of the block begins at
    ``source_start + i * source_stride``; it becomes column i of a block of ``target`` whose row
    j begins at ``target_start + j * target_stride``.

    The block is done in squares of eight: ``rows_together`` rows of the source (a multiple of
    eight, or all) from left to right, then the next ones. Few of them suit a source in main
    memory, which foresees long stretches of few rows; all of them a target there, of which eight
    rows are then written at a time. ``past_caches`` writes to memory itself what no cache could
    hold until it is needed: the target's rows must begin at multiples of eight words in memory.
    """
    from_row = np.uint64(source_stride)
    to_row = np.uint64(target_stride)
    rows = n_rows - n_rows % SIDE
    columns = n_columns - n_columns % SIDE
    for band in range(0, rows, rows_together):
        band_end = min(band + rows_together, rows)
        for j in range(0, columns, SIDE):
            for i in range(band, band_end, SIDE):
                # Unsigned: Numba asks of a signed index whether it counts from the end, which
                # takes four times as long as the move itself.
                at = np.uint64(source_start + j) + np.uint64(i) * from_row
                to = np.uint64(target_start + i) + np.uint64(j) * to_row
                if past_caches:
                    stream_square(source, at, from_row, target, to, to_row)
                else:
                    turn_square(source, at, from_row, target, to, to_row)
    if past_caches:
        end_stream()
    for i in range(n_rows):
        at = np.uint64(source_start) + np.uint64(i) * from_row
        to = np.uint64(target_start) + np.uint64(i)
        for j in range(columns if i < rows else 0, n_columns):
            target[to + np.uint64(j) * to_row] = source[at + np.uint64(j)]
