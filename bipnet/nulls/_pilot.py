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

from bipnet._biadjacency import Array, Biadjacency, Ints
from bipnet.nulls._cells import is_full, is_packed
from bipnet.nulls._chains import SwapChain, TradeChain
from bipnet.nulls._connected import trades_connect
from bipnet.nulls._equilibrium import REMEMBERED, Settling, settling
from bipnet.nulls._following import (
    FIRST_STEPS,
    MOST_STEPS,
    Values,
    Verdict,
    followed,
    in_units,
    keys_of_pilot,
    with_slow_groups,
)
from bipnet.nulls._free import FreePart, find_free_part
from bipnet.nulls._groups import SCOUT_STEPS, Groups, group_lines
from bipnet.nulls._pilot_loops import UNSEEN, loop_unit, loops_needed
from bipnet.nulls._rows import Rows
from bipnet.nulls._signs import Length, loop_chain, trade_chain

T = TypeVar("T")

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

_CELLS = 1 << 14  # a small matrix gets several pilot chains, to have as many signs in all
_MOST_CHAINS = 16
_KEPT = 64  # results remembered

_SCOUT = _MOST_CHAINS  # the number of a chain that no pilot has


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
    n_windings
        Winding numbers that were watched as well.
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
    n_windings: int = 0
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
        digest = hashlib.blake2b(f"{matrix.shape} {rows.n_edges}".encode(), digest_size=16)
        digest.update(rows.positive.data)
        if not is_full(matrix):
            digest.update(rows.edges.data)
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
        shown = _swaps(matrix, moving, n_chains, connected)
    elif is_packed(matrix):
        shown = _trades(matrix, moving, free, n_chains, connected, n_threads)
    else:
        shown = _nothing(matrix, moving, free, n_chains, n_threads)
    result = shown.result
    if connected:
        return result
    loops = loops_needed(
        matrix,
        moving,
        free,
        shown.ends,
        shown.parts,
        result.length.steps if method == "trade" else 0,
        shown.groups,
        n_threads,
    )
    return replace(
        result,
        length=Length(result.length.steps, loops.n_loops),
        loop_traces=loops.traces,
        loop_unit=loops.unit,
        loops_found=loops.found,
        n_windings=loops.n_windings,
        settled=loops.settled,
    )


@dataclass(frozen=True, eq=False)
class _Shown:
    """What chains of trades or swaps showed.

    Attributes
    ----------
    result
        The pilot, but for loops.
    ends
        The patterns that the chains came to.
    groups, parts
        Groups of lines; the verdicts on the whole, then on each group.
    """

    result: Pilot
    ends: list[Array]
    groups: Groups
    parts: list[Settling]


def _trades(
    matrix: Biadjacency,
    rows: Rows,
    free: FreePart,
    n_chains: int,
    connected: bool,
    n_threads: int,
) -> _Shown:
    """Trades as far as they lead."""
    chains = [trade_chain(matrix, rows, free, keys_of_pilot(i), n_threads) for i in range(n_chains)]
    scout = trade_chain(matrix, rows, free, keys_of_pilot(_SCOUT), n_threads)
    groups = _groups_by(scout, rows)
    traces, verdict = _followed(
        [chain.run for chain in chains], _overlaps(chains, rows, groups), connected
    )
    found = verdict.found
    steps = max(
        _steps(found, traces.shape[1] - 1, connected), _steps_if_small(found, rows, LEAST_ROUNDS)
    )
    n_trades = len(chains) * (traces.shape[1] - 1) * rows.n_edges
    moved = sum(int(chain.moved) for chain in chains) / n_trades
    result = Pilot(Length(steps), traces, 1, found, moved=moved, settled=found.steady)
    return _Shown(result, [chain.positive() for chain in chains], groups, verdict.parts)


def _swaps(matrix: Biadjacency, rows: Rows, n_chains: int, connected: bool) -> _Shown:
    """The same for attempted swaps."""
    from bipnet_kernels import ATTEMPTS_PER_STREAM

    chains = [SwapChain(matrix, rows, keys_of_pilot(i)("G swaps")) for i in range(n_chains)]
    unit = -(-rows.n_edges // ATTEMPTS_PER_STREAM)
    groups = _groups_by(SwapChain(matrix, rows, keys_of_pilot(_SCOUT)("G swaps")), rows)
    traces, verdict = _followed(
        [in_units(chain.run, unit) for chain in chains],
        _overlaps(chains, rows, groups),
        connected,
    )
    found = verdict.found
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
    return _Shown(result, [chain.positive() for chain in chains], groups, verdict.parts)


def _nothing(
    matrix: Biadjacency, rows: Rows, free: FreePart, n_chains: int, n_threads: int
) -> _Shown:
    """Where loops do it all."""
    scout = loop_chain(matrix, rows, free, rows.positive, keys_of_pilot(_SCOUT), n_threads)
    left = matrix.shape[0] <= matrix.shape[1]

    def scouted() -> Ints:
        scout.run(0, SCOUT_STEPS * loop_unit(scout))
        return scout.line_overlaps(left)

    groups = group_lines(
        scout.line_overlaps(left), scout.line_edges(left), scouted, rows.n_edges, left=left
    )
    nothing = Pilot(Length(1), _NOTHING, 1, None)
    return _Shown(nothing, [rows.positive] * n_chains, groups, [UNSEEN] * (1 + groups.n))


def _followed(
    runs: Sequence[Callable[[int, int], None]],
    watch: Sequence[Callable[[], Values]],
    connected: bool,
) -> tuple[Values, Verdict]:
    """Trades or swaps until overlaps are steady: the traces of the whole, (n_chains, n + 1).

    Where loops follow, what has not moved at all is left to them.
    """

    def judge(values: Values) -> Verdict:
        whole, *groups = parts = [settling(values[:, :, i].T) for i in range(values.shape[2])]
        found = with_slow_groups(whole, [part for part in groups if connected or part.spread > 0])
        stuck = not connected and found.spread == 0
        return Verdict(found, parts, found.steady or stuck)

    most = MOST_STEPS if connected else MOST_ROUNDS_BEFORE_LOOPS
    values, verdict = followed(runs, watch, judge, FIRST_STEPS, most)
    return values[:, :, 0].T, verdict


def _groups_by(scout: TradeChain | SwapChain, rows: Rows) -> Groups:
    """Groups of the lines of chains, by one that has not run."""
    start = scout.snapshot()

    def scouted() -> Ints:
        scout.run(0, SCOUT_STEPS)
        return scout.line_overlaps(start)

    return group_lines(
        scout.line_overlaps(start),
        scout.line_edges(),
        scouted,
        rows.n_edges,
        left=scout.lines_are_left,
    )


def _overlaps(
    chains: Sequence[TradeChain] | Sequence[SwapChain], rows: Rows, groups: Groups
) -> list[Callable[[], Values]]:
    """Of chains that have not run: the share of the positive edges that are still positive, and
    the overlap of each group."""
    start = chains[0].snapshot()

    def look(chain: TradeChain | SwapChain) -> Values:
        whole = [chain.overlap(start) / rows.n_positive]
        return np.concatenate([whole, groups.sums(chain.line_overlaps(start))])

    return [partial(look, chain) for chain in chains]


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
