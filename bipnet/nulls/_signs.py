"""The sign pattern of null model G: a uniform draw among those with the same degrees.

Positive cells form a 0/1 matrix with fixed margins. Without missing edges checkerboard moves
connect all such matrices (Ryser 1957), and trades are many of those at once. With missing edges
they may not, so short loops follow, which connect every pattern on every support. Each kind of
step leaves the uniform law unchanged, refused steps counted, hence so does their sequence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bipnet._biadjacency import Array, Biadjacency, Ints
from bipnet._threads import Block, cut, run_blocks
from bipnet.nulls._chains import EdgeSigns, LoopChain, SwapChain, TradeChain
from bipnet.nulls._rows import Rows

_SPARSEST_PACKED = 64  # cells per edge beyond which bit-packed trades cost more than they mix

KeyOf = Callable[[str], Array]


@dataclass(frozen=True)
class Length:
    """How long a G chain runs.

    Attributes
    ----------
    steps
        Rounds of global trades (method "trade") or attempted swaps ("swap").
    loops
        Short loops that follow where edges are missing.
    """

    steps: int
    loops: int = 0


def is_full(matrix: Biadjacency) -> bool:
    """Whether every pair of nodes has an edge."""
    return matrix.n_edges == matrix.shape[0] * matrix.shape[1]


def trades_are_packed(matrix: Biadjacency) -> bool:
    """Whether there are enough edges for trades on packed bits; loops do it all otherwise."""
    return matrix.shape[0] * matrix.shape[1] <= _SPARSEST_PACKED * matrix.n_edges


def draw_signs(
    matrix: Biadjacency, rows: Rows, method: str, length: Length, key_of: KeyOf, n_threads: int
) -> Array:
    """Run the chain from the signs of ``matrix``; return the new ones, like ``rows.positive``."""
    if rows.n_positive in (0, rows.n_edges):
        return rows.positive
    if method == "trade" and is_full(matrix):
        trades = full_trades(matrix, rows, key_of, n_threads)
        trades.run(0, length.steps)
        return rows_of(matrix.shape, trades.lines, n_threads).reshape(-1)
    edges = EdgeSigns(matrix, rows)
    if method == "swap":
        swap(edges, length.steps, key_of)
    elif trades_are_packed(matrix):
        trades = masked_trades(edges, key_of, n_threads)
        trades.run(0, length.steps)
        edges.read(trades.lines)
    if not is_full(matrix):
        from bipnet_kernels import LOOPS_PER_STREAM

        loops = LoopChain(edges, key_of("G loops"))
        loops.run(0, -(-length.loops // LOOPS_PER_STREAM))
    return edges.packed()


def full_trades(matrix: Biadjacency, rows: Rows, key_of: KeyOf, n_threads: int) -> TradeChain:
    """The chain of trades where every pair of nodes has an edge."""
    lines = lines_of(matrix.shape, rows.positive, n_threads)
    no_mask = np.empty((0, 0), dtype=np.uint64)
    return TradeChain(lines, no_mask, key_of("G pairs"), key_of("G trades"), n_threads)


def masked_trades(edges: EdgeSigns, key_of: KeyOf, n_threads: int) -> TradeChain:
    """The chain of trades where edges are missing."""
    lines = edges.lines(edges.positive)
    support = edges.lines(np.ones_like(edges.positive))
    return TradeChain(lines, support, key_of("G pairs"), key_of("G trades"), n_threads)


def swap(edges: EdgeSigns, attempts: int, key_of: KeyOf) -> SwapChain:
    """Attempt swaps and give the signs back to ``edges``."""
    from bipnet_kernels import ATTEMPTS_PER_STREAM

    chain = SwapChain(edges, key_of("G swaps"))
    whole, rest = divmod(attempts, ATTEMPTS_PER_STREAM)
    chain.run(0, whole)
    if rest:
        chain.attempt(whole, rest)
    chain.read()
    return chain


def lines_of(shape: tuple[int, int], positive: Array, n_threads: int) -> Array:
    """Bits of full rows as lines, (lines, words) uint64: a line per node of the shorter side.

    Long lines use words best.
    """
    rows = positive.reshape(shape[0], -1)
    return rows.copy() if shape[0] <= shape[1] else _transposed(rows, shape[1], n_threads)


def rows_of(shape: tuple[int, int], lines: Array, n_threads: int) -> Array:
    """The inverse of `lines_of`."""
    return lines if shape[0] <= shape[1] else _transposed(lines, shape[0], n_threads)


def degrees_of(matrix: Biadjacency, rows: Rows) -> tuple[Ints, Ints]:
    """k+ of the left and of the right nodes, from the bits of a matrix without missing edges."""
    bits = rows.positive.reshape(matrix.shape[0], -1)
    turned = _transposed(bits, matrix.shape[1], 1)
    left, right = (np.bitwise_count(part).sum(axis=1, dtype=np.int64) for part in (bits, turned))
    return left, right


def _transposed(bits: Array, n_columns: int, n_threads: int) -> Array:
    from bipnet_kernels import transpose_bits

    n_blocks = -(-len(bits) // 64)
    columns = np.empty((n_columns, n_blocks), dtype=np.uint64)

    def work(run: Block) -> None:
        transpose_bits(bits, *run, columns, np.empty(64, dtype=np.uint64))

    run_blocks(work, cut(n_blocks, max(1, (1 << 14) // bits.shape[1])), n_threads)
    return columns


def chain_bytes(matrix: Biadjacency, method: str) -> int:
    """Memory that the chain of a matrix needs at the most, besides its weights."""
    n_left, n_right = matrix.shape
    cells = n_left * n_right
    if method == "trade" and is_full(matrix):
        return cells // 2
    per_edge = 2 * 4 + 1 + 4 * 4 + 2 * 8  # the list, loops' tables and what they are made from
    if matrix.n_edges >= 1 << 30:
        per_edge *= 2
    packed = cells if method == "swap" else cells // 4 if trades_are_packed(matrix) else 0
    return per_edge * matrix.n_edges + packed
