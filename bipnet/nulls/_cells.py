"""Bits of edges as bits of cells: a bit for each pair of nodes, and lines of them either way."""

from __future__ import annotations

import numpy as np

from bipnet._biadjacency import Array, Biadjacency, Ints
from bipnet._memory import require_memory
from bipnet._threads import Block, cut, run_blocks
from bipnet.nulls._rows import Rows

_SPARSEST_PACKED = 64  # cells per edge beyond which bits of cells cost more than they mix


def is_full(matrix: Biadjacency) -> bool:
    """Whether every pair of nodes has an edge."""
    return matrix.n_edges == matrix.shape[0] * matrix.shape[1]


def is_packed(matrix: Biadjacency) -> bool:
    """Whether there are enough edges for a bit per cell; loops on a list do it all otherwise."""
    return matrix.shape[0] * matrix.shape[1] <= _SPARSEST_PACKED * matrix.n_edges


def cells_of(matrix: Biadjacency, rows: Rows, bits: Array) -> Array:
    """Bits laid out like those of ``rows`` as (n_left, words) uint64: bit j of row i for (i, j).

    A view of ``bits`` where the matrix is dense.
    """
    n_left, n_right = matrix.shape
    if matrix.indices is None:
        return bits.reshape(n_left, -1)
    from bipnet_kernels import scatter_bits

    require_memory(n_left * n_right // 8, "the sign pattern of null model G")
    cells = np.zeros((n_left, -(-n_right // 64)), dtype=np.uint64)
    scatter_bits(rows.starts, rows.stops, rows.first_words, matrix.indices, bits, cells)
    return cells


def bits_of(matrix: Biadjacency, rows: Rows, cells: Array) -> Array:
    """The inverse of `cells_of`."""
    if matrix.indices is None:
        return cells.reshape(-1)
    from bipnet_kernels import collect_bits

    bits = np.empty_like(rows.positive)
    collect_bits(rows.starts, rows.stops, rows.first_words, matrix.indices, cells, bits)
    return bits


def lines_of(shape: tuple[int, int], cells: Array, n_threads: int) -> Array:
    """Cells as lines, (lines, words) uint64: a line per node of the shorter side.

    Long lines use words best. A copy.
    """
    return cells.copy() if shape[0] <= shape[1] else transposed(cells, shape[1], n_threads)


def cells_of_lines(shape: tuple[int, int], lines: Array, n_threads: int) -> Array:
    """The inverse of `lines_of`."""
    return lines if shape[0] <= shape[1] else transposed(lines, shape[0], n_threads)


def transposed(cells: Array, n_columns: int, n_threads: int) -> Array:
    """Cells by column: (n_columns, words) uint64."""
    from bipnet_kernels import transpose_bits

    n_blocks = -(-len(cells) // 64)
    columns = np.empty((n_columns, n_blocks), dtype=np.uint64)

    def work(run: Block) -> None:
        transpose_bits(cells, *run, columns, np.empty(64, dtype=np.uint64))

    run_blocks(work, cut(n_blocks, max(1, (1 << 14) // cells.shape[1])), n_threads)
    return columns


def bits_per_line(lines: Array) -> Ints:
    """How many bits of each line are set: (len(lines),)."""
    counts: Ints = np.bitwise_count(lines).sum(axis=1, dtype=np.int64)
    return counts
