"""The sign pattern of null model G: a uniform draw among those with the same degrees.

Positive cells form a 0/1 matrix with fixed margins. Without missing edges checkerboard moves
connect all such matrices (Ryser 1957), and trades are many of those at once. With missing edges
they may not (`_connected` says when they provably do), so loops follow, which connect
every pattern on every support. Each kind of step leaves the uniform law unchanged, refused steps
counted, hence so does their sequence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from bipnet._biadjacency import Array, Biadjacency
from bipnet.nulls._cells import is_full, is_packed
from bipnet.nulls._chains import SwapChain, TradeChain
from bipnet.nulls._free import FreePart
from bipnet.nulls._loops import BitLoops, ListLoops, LoopChain
from bipnet.nulls._rows import Rows

KeyOf = Callable[[str], Array]


@dataclass(frozen=True)
class Length:
    """How long a G chain runs.

    Attributes
    ----------
    steps
        Rounds of global trades (method "trade") or attempted swaps ("swap").
    loops
        Loops that follow where edges are missing.
    """

    steps: int
    loops: int = 0


def draw_signs(
    matrix: Biadjacency,
    rows: Rows,
    free: FreePart,
    method: str,
    length: Length,
    key_of: KeyOf,
    n_threads: int,
) -> Array:
    """Run the chain from the signs of ``matrix``; return the new ones, like ``rows.positive``."""
    if free.n_edges == 0:
        return rows.positive
    moving = free.of(rows)
    positive = moving.positive
    if method == "swap":
        swaps = SwapChain(matrix, moving, key_of("G swaps"))
        swap(swaps, length.steps)
        positive = swaps.positive()
    elif is_packed(matrix):
        trades = trade_chain(matrix, moving, free, key_of, n_threads)
        trades.run(0, length.steps)
        positive = trades.positive()
    if length.loops:
        positive = _looped(matrix, moving, free, positive, length.loops, key_of, n_threads)
    return free.put_back(rows, positive)


def draw_signs_backward(
    matrix: Biadjacency,
    rows: Rows,
    free: FreePart,
    length: Length,
    key_of: KeyOf,
    n_threads: int,
) -> Array:
    """The same chain of trades backward, from the signs of ``matrix``: loops first, then trades.

    The order of steps of one kind does not matter: each is drawn for itself.
    """
    if free.n_edges == 0:
        return rows.positive
    moving = free.of(rows)
    positive = moving.positive
    if length.loops:
        positive = _looped(matrix, moving, free, positive, length.loops, key_of, n_threads)
    if is_packed(matrix):
        start = replace(moving, positive=positive, name=None)
        trades = trade_chain(matrix, start, free, key_of, n_threads)
        trades.run(0, length.steps)
        positive = trades.positive()
    return free.put_back(rows, positive)


def _looped(
    matrix: Biadjacency,
    moving: Rows,
    free: FreePart,
    positive: Array,
    n_loops: int,
    key_of: KeyOf,
    n_threads: int,
) -> Array:
    """The signs after so many loops, in whole streams."""
    from bipnet_kernels import LOOPS_PER_STREAM

    loops = loop_chain(matrix, moving, free, positive, key_of, n_threads)
    loops.run(0, -(-n_loops // LOOPS_PER_STREAM))
    return loops.positive()


def trade_chain(
    matrix: Biadjacency, moving: Rows, free: FreePart, key_of: KeyOf, n_threads: int
) -> TradeChain:
    """The chain of trades on the free edges, with the keys of its streams."""
    groups = free.left_groups if matrix.shape[0] <= matrix.shape[1] else free.right_groups
    keys = key_of("G pairs"), key_of("G trades")
    return TradeChain(matrix, moving, groups, *keys, n_threads)


def loop_chain(
    matrix: Biadjacency,
    moving: Rows,
    free: FreePart,
    positive: Array,
    key_of: KeyOf,
    n_threads: int,
) -> LoopChain:
    """The chain of loops on the free edges, from the signs ``positive`` on."""
    if is_packed(matrix):
        return BitLoops(matrix, moving, free, positive, key_of("G loops"), n_threads)
    return ListLoops(matrix, moving, free, positive, key_of("G loops"))


def swap(chain: SwapChain, attempts: int) -> None:
    """Attempt so many swaps, from the first on."""
    from bipnet_kernels import ATTEMPTS_PER_STREAM

    whole, rest = divmod(attempts, ATTEMPTS_PER_STREAM)
    chain.run(0, whole)
    if rest:
        chain.attempt(whole, rest)


def chain_bytes(matrix: Biadjacency, method: str) -> int:
    """Memory that the chain of a matrix needs at the most, besides its weights."""
    n_left, n_right = matrix.shape
    cells = n_left * n_right
    if method == "trade" and is_full(matrix):
        return cells // 2
    needed = cells if is_packed(matrix) else 0  # eight arrays of a bit per cell
    if method == "swap" or not is_packed(matrix):
        per_edge = 2 * 4 + 1 + 4 * 4 + 2 * 8  # the list, loops' tables and their making
        needed += per_edge * matrix.n_edges * (1 if matrix.n_edges < 1 << 30 else 2)
    return needed + (cells if method == "swap" else 0)
