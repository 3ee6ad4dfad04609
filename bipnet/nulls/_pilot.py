"""How long a chain must run, found on pilot chains before any draw.

The pilot is a function of the sign pattern alone: its random streams are its own, whatever the
seed of the draws, so every draw of a matrix runs equally long and no draw's own course decides
when it is taken (which would bias it). The criterion is that of `_equilibrium`.
"""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from bipnet._biadjacency import Array, Biadjacency
from bipnet._streams import Seed
from bipnet.nulls._cells import is_packed
from bipnet.nulls._chains import SwapChain, TradeChain
from bipnet.nulls._connected import trades_connect
from bipnet.nulls._equilibrium import REMEMBERED, Settling, settling
from bipnet.nulls._free import FreePart, find_free_part
from bipnet.nulls._groups import Groups, group_lines
from bipnet.nulls._loops import LOOPS_PER_NODE
from bipnet.nulls._rows import Rows
from bipnet.nulls._signs import KeyOf, Length, loop_chain, trade_chain

T = TypeVar("T")

FIRST_STEPS = 64
"""Steps of a pilot before it is first judged; twice as many each time it is not steady."""

MOST_STEPS = 1 << 13
"""Steps after which a pilot gives up."""

MOST_ROUNDS_BEFORE_LOOPS = 1 << 10
"""Rounds of trades after which loops take over where edges are missing."""

FEW_EDGES = 1 << 10
"""Free edges below which a pattern counts as small: its overlap may hide its slowest mode, and more
steps cost next to nothing. There the relaxation time that the overlap shows is doubled. Of small
cases whose chain can be written down in full the worst had 1.8 times (5 x 5) what the overlap
showed, but for those of `LEAST_ROUNDS`."""

LEAST_ROUNDS = 2.5
"""Relaxation time, in rounds of trades, that is assumed of a small pattern at the least. Two lines
that trade with each other keep what they have in common, and with four lines that is one round in
three: the chain's second eigenvalue is 2/3, though the overlap may relax with 1/3."""

_LOOP_UNITS = 16
"""Steps that the least number of loops is cut into: a pilot's first look at loops after trades."""

_CELLS = 1 << 14  # a small matrix gets several pilot chains, to have as many signs in all
_MOST_CHAINS = 16
_KEPT = 64  # results remembered

_SLOWER = 2.0
_SCOUT = _MOST_CHAINS  # the number of a chain that no pilot has

_FAR = 4.0  # spreads between the levels before and after loops that tell that trades were stuck


@dataclass(frozen=True, eq=False)
class Pilot:
    """What the pilot chains showed.

    Attributes
    ----------
    length
        How long a draw runs.
    traces
        (n_chains, n + 1) overlaps with the start in steps of ``unit`` (trades or swaps).
    unit
        Attempts or rounds per step of ``traces``.
    found
        The verdict on ``traces``.
    loop_traces, loop_unit, loops_found
        The same for the loops that follow, where edges are missing.
    moved
        Sign changes per step of ``traces`` and edge.
    settled
        Whether equilibrium was reached at all.
    acceptance
        Share of swap attempts that were accepted (None for trades).
    """

    length: Length
    traces: npt.NDArray[np.float64]
    unit: int
    found: Settling | None
    loop_traces: npt.NDArray[np.float64] | None = None
    loop_unit: int = 0
    loops_found: Settling | None = None
    moved: float = 0.0
    settled: bool = True
    acceptance: float | None = None


_NOTHING = np.ones((1, 1))
_pilots: OrderedDict[bytes, Pilot] = OrderedDict()
_free: OrderedDict[bytes, FreePart] = OrderedDict()


def pilot(matrix: Biadjacency, rows: Rows, method: str, n_threads: int) -> Pilot:
    """The pilot of a matrix; remembered for the matrices seen last."""
    name = _pattern_name(matrix, rows) + method.encode()
    return _remembered(_pilots, name, lambda: _run(matrix, rows, method, n_threads))


def free_part(matrix: Biadjacency, rows: Rows) -> FreePart:
    """What of the signs can move; remembered like the pilot."""

    def find() -> FreePart:
        if rows.n_positive in (0, rows.n_edges):
            left, right = (np.full(n, -1) for n in matrix.shape)
            return FreePart(np.zeros_like(rows.edges), 0, left, right)
        return find_free_part(matrix, rows)

    return _remembered(_free, _pattern_name(matrix, rows), find)


def _remembered(known: OrderedDict[bytes, T], name: bytes, find: Callable[[], T]) -> T:
    if name not in known:
        known[name] = find()
        while len(known) > _KEPT:
            known.popitem(last=False)
    return known[name]


def _pattern_name(matrix: Biadjacency, rows: Rows) -> bytes:
    """A name for the shape, the edges and their signs: all that a pilot depends on."""
    if rows.name is None:
        digest = hashlib.blake2b(f"{matrix.shape}".encode(), digest_size=16)
        digest.update(rows.edges.data)
        digest.update(rows.positive.data)
        if matrix.indices is not None:
            digest.update(rows.first_words.data)
            digest.update(np.ascontiguousarray(matrix.indices, dtype=np.int64).data)
        rows.__dict__["name"] = digest.digest()
    name: bytes = rows.__dict__["name"]
    return name


def _run(matrix: Biadjacency, rows: Rows, method: str, n_threads: int) -> Pilot:
    free = free_part(matrix, rows)
    if free.n_edges == 0:
        return Pilot(Length(1), _NOTHING, 1, None)
    moving = free.of(rows)
    n_chains = int(np.clip(_CELLS // free.n_edges, 1, _MOST_CHAINS))
    connected = is_packed(matrix) and trades_connect(matrix, moving)
    if method == "swap":
        ends, result = _swaps(matrix, moving, n_chains, connected)
    elif is_packed(matrix):
        ends, result = _trades(matrix, moving, free, n_chains, connected, n_threads)
    else:
        ends, result = [moving.positive] * n_chains, Pilot(Length(1), _NOTHING, 1, None)
    return result if connected else _then_loops(matrix, moving, free, ends, result, n_threads)


def _trades(
    matrix: Biadjacency,
    rows: Rows,
    free: FreePart,
    n_chains: int,
    connected: bool,
    n_threads: int,
) -> tuple[list[Array], Pilot]:
    """Trades as far as they lead: where the chains ended, and what they showed."""
    chains = [trade_chain(matrix, rows, free, _keys(i), n_threads) for i in range(n_chains)]
    scout = trade_chain(matrix, rows, free, _keys(_SCOUT), n_threads)
    traces, found = _followed(
        [chain.run for chain in chains],
        _overlaps(chains, rows),
        MOST_STEPS if connected else MOST_ROUNDS_BEFORE_LOOPS,
        groups=_by_group(chains, group_lines(scout, rows.n_edges)),
        loops_follow=not connected,
    )
    steps = max(
        _steps(found, traces.shape[1] - 1, connected), _steps_if_small(found, rows, LEAST_ROUNDS)
    )
    n_trades = len(chains) * (traces.shape[1] - 1) * rows.n_edges
    moved = sum(int(chain.moved) for chain in chains) / n_trades
    result = Pilot(Length(steps), traces, 1, found, moved=moved, settled=found.steady)
    return [chain.positive() for chain in chains], result


def _swaps(
    matrix: Biadjacency, rows: Rows, n_chains: int, connected: bool
) -> tuple[list[Array], Pilot]:
    """The same for attempted swaps."""
    from bipnet_kernels import ATTEMPTS_PER_STREAM

    chains = [SwapChain(matrix, rows, _keys(i)("G swaps")) for i in range(n_chains)]
    unit = -(-rows.n_edges // ATTEMPTS_PER_STREAM)
    scout = SwapChain(matrix, rows, _keys(_SCOUT)("G swaps"))
    traces, found = _followed(
        [_in_units(chain.run, unit) for chain in chains],
        _overlaps(chains, rows),
        MOST_STEPS if connected else MOST_ROUNDS_BEFORE_LOOPS,
        groups=_by_group(chains, group_lines(scout, rows.n_edges)),
        loops_follow=not connected,
    )
    attempts = sum(chain.attempts for chain in chains)
    acceptance = sum(int(chain.accepted) for chain in chains) / attempts
    steps = max(_steps(found, traces.shape[1] - 1, connected), _steps_if_small(found, rows, 0))
    per_unit = unit * ATTEMPTS_PER_STREAM
    result = Pilot(
        Length(steps * per_unit),
        traces,
        per_unit,
        found,
        moved=4 * acceptance * per_unit / rows.n_edges,
        acceptance=acceptance,
        settled=found.steady,
    )
    return [chain.positive() for chain in chains], result


def _then_loops(
    matrix: Biadjacency,
    rows: Rows,
    free: FreePart,
    starts: list[Array],
    before: Pilot,
    n_threads: int,
) -> Pilot:
    """Loops from the patterns ``starts`` on, after what ``before`` describes."""
    from bipnet_kernels import LOOPS_PER_STREAM

    chains = [
        loop_chain(matrix, rows, free, positive, _keys(i), n_threads)
        for i, positive in enumerate(starts)
    ]
    n_streams = -(-LOOPS_PER_NODE * chains[0].n_nodes // LOOPS_PER_STREAM)
    unit = max(1, n_streams // _LOOP_UNITS)
    trusted = before.found if before.found and before.found.steady else None
    traces, found = _followed(
        [_in_units(chain.run, unit) for chain in chains],
        [_share_of(rows, chain.overlap) for chain in chains],
        MOST_STEPS,
        trusted,
    )
    if not _agree(traces, trusted):
        n_streams = max(n_streams, unit * found.steps)
    return replace(
        before,
        length=Length(before.length.steps, n_streams * LOOPS_PER_STREAM),
        loop_traces=traces,
        loop_unit=unit * LOOPS_PER_STREAM,
        loops_found=found,
        settled=found.steady or _agree(traces, trusted),
    )


def _followed(
    runs: list[Callable[[int, int], None]],
    overlaps: list[Callable[[], float]],
    most_steps: int,
    trusted: Settling | None = None,
    *,
    groups: list[Callable[[], npt.NDArray[np.float64]]] | None = None,
    loops_follow: bool = False,
) -> tuple[npt.NDArray[np.float64], Settling]:
    """Run chains step by step until their traces are steady, or agree with what is trusted.

    The overlaps of ``groups`` of lines must be steady too. Where loops follow, what has not moved
    at all is left to them.
    """
    values = [[overlap() for overlap in overlaps]]
    parts = [[overlaps() for overlaps in groups or []]]
    goal = FIRST_STEPS if trusted is None else _LOOP_UNITS
    while True:
        for step in range(len(values) - 1, goal):
            for run in runs:
                run(step, 1)
            values.append([overlap() for overlap in overlaps])
            parts.append([overlaps() for overlaps in groups or []])
        traces = np.array(values).T
        found = settling(traces)
        if groups:
            found = _with_slow_groups(found, np.array(parts), loops_follow)
        stuck = loops_follow and found.spread == 0
        if found.steady or stuck or goal >= most_steps or _agree(traces, trusted):
            return traces, found
        goal *= 2


def _with_slow_groups(
    found: Settling, parts: npt.NDArray[np.float64], loops_follow: bool
) -> Settling:
    """The verdict on a whole pattern, and on those of its groups that are clearly slower.

    ``parts`` are (steps, chains, groups) overlaps. Which of several alike is the slowest is
    chance: what is less than `_SLOWER` times as slow changes nothing.
    """
    if parts.shape[2] < 2:
        return found
    for group in range(parts.shape[2]):
        judged = settling(parts[:, :, group].T)
        if judged.spread == 0 and loops_follow:
            continue
        if judged.steady and judged.steps <= _SLOWER * found.steps:
            continue
        found = replace(
            found,
            steady=found.steady and judged.steady,
            steps=max(found.steps, judged.steps),
        )
    return found


def _by_group(
    chains: Sequence[TradeChain] | Sequence[SwapChain], groups: Groups
) -> list[Callable[[], npt.NDArray[np.float64]]]:
    """The overlap of every group of lines with the start, of chains that have not run."""
    start = chains[0].snapshot()
    return [partial(groups.overlaps, chain, start) for chain in chains]


def _steps(found: Settling, n_run: int, connected: bool) -> int:
    """The steps of a draw after a pilot of ``n_run``."""
    if found.steady:
        return found.steps
    if connected:
        return max(found.steps, n_run)
    return 1 if found.spread == 0 else n_run


def _steps_if_small(found: Settling, rows: Rows, least: float) -> int:
    """The steps of a draw of a small pattern; 0 for others, and where the pilot did not settle."""
    if rows.n_edges >= FEW_EDGES or not found.steady:
        return 0
    relaxation = max(2 * found.relaxation, least)
    return math.ceil(found.after + math.log(1 / REMEMBERED) * relaxation)


def _agree(traces: npt.NDArray[np.float64], trusted: Settling | None) -> bool:
    """Whether loops after trades leave the overlap where the trades had brought it."""
    if trusted is None or trusted.spread == 0:
        return False
    late = float(traces[:, traces.shape[1] // 2 :].mean())
    return abs(late - trusted.level) <= _FAR * trusted.spread


def _keys(chain: int) -> KeyOf:
    seed = Seed(0)
    return lambda purpose: seed.key(f"pilot {purpose}", index=chain)


def _in_units(run: Callable[[int, int], None], unit: int) -> Callable[[int, int], None]:
    return lambda first, n: run(first * unit, n * unit)


def _overlaps(
    chains: Sequence[TradeChain] | Sequence[SwapChain], rows: Rows
) -> list[Callable[[], float]]:
    """The share of the positive edges that are still positive, of chains that have not run."""
    start = chains[0].snapshot()
    return [_share_of(rows, partial(chain.overlap, start)) for chain in chains]


def _share_of(rows: Rows, count: Callable[[], int]) -> Callable[[], float]:
    return lambda: count() / rows.n_positive
