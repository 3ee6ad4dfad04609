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

from bipnet._biadjacency import Array, Biadjacency
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


def _transposed(bits: Array, n_columns: int, n_threads: int) -> Array:
    from bipnet_kernels import transpose_bits

    n_blocks = -(-len(bits) // 64)
    columns = np.empty((n_columns, n_blocks), dtype=np.uint64)

    def work(run: Block) -> None:
        transpose_bits(bits, *run, columns, np.empty(64, dtype=np.uint64))

    run_blocks(work, cut(n_blocks, max(1, (1 << 14) // bits.shape[1])), n_threads)
    return columns


def signs_are_frozen(matrix: Biadjacency, rows: Rows) -> bool:
    """Whether this sign pattern is the only one with its degrees on these edges.

    Without missing edges: all lines are nested. With them: the directed graph of the signs
    has no cycle, i.e. each of its strongly connected components is a single node.
    """
    if is_full(matrix):
        from bipnet_kernels import first_tradable_pair

        lines = lines_of(matrix.shape, rows.positive, 1)
        order = np.argsort(np.bitwise_count(lines).sum(axis=1, dtype=np.int64), kind="stable")
        return bool(first_tradable_pair(lines, order) < 0)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = EdgeSigns(matrix, rows)
    left, right = edges.left, edges.right + matrix.shape[0]
    forward = edges.positive != 0
    tails = np.where(forward, left, right)
    heads = np.where(forward, right, left)
    n_nodes = sum(matrix.shape)
    directed = coo_array((np.ones(len(tails), np.int8), (tails, heads)), shape=(n_nodes, n_nodes))
    n_components, _ = connected_components(directed.tocsr(), connection="strong")
    return bool(n_components == n_nodes)
