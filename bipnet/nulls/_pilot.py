"""How long a chain must run, found on pilot chains before any draw.

The pilot is a function of the sign pattern alone: its random streams are its own, whatever the
seed of the draws, so every draw of a matrix runs equally long and no draw's own course decides
when it is taken (which would bias it). The criterion is that of `_equilibrium`.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from bipnet._biadjacency import Array, Biadjacency
from bipnet._streams import Seed
from bipnet.nulls._chains import EdgeSigns, LoopChain, SwapChain, TradeChain
from bipnet.nulls._components import components_of_degrees, sign_components
from bipnet.nulls._equilibrium import Settling, settling
from bipnet.nulls._rows import Rows
from bipnet.nulls._signs import (
    KeyOf,
    Length,
    degrees_of,
    full_trades,
    is_full,
    masked_trades,
    trades_are_packed,
)

T = TypeVar("T")

FIRST_STEPS = 64
"""Steps of a pilot before it is first judged; twice as many each time it is not steady."""

MOST_STEPS = 1 << 13
"""Steps after which a pilot gives up."""

MOST_ROUNDS_BEFORE_LOOPS = 1 << 10
"""Rounds of trades after which loops take over where edges are missing."""

LOOPS_PER_NODE = 4
"""Short loops per node that has an edge, at the least. They are there for what trades cannot
reach. A lone hexagon among n nodes is met by a loop with probability 6 / n, and then forgets its
state: of it exp(-24) is left after 4 n loops."""

_CELLS = 1 << 14  # a small matrix gets several pilot chains, to have as many signs in all
_MOST_CHAINS = 16
_KEPT = 64  # results remembered

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
        The same for the short loops that follow, where edges are missing.
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
_frozen: OrderedDict[bytes, int] = OrderedDict()


def pilot(matrix: Biadjacency, rows: Rows, method: str, n_threads: int) -> Pilot:
    """The pilot of a matrix; remembered for the matrices seen last."""
    name = _pattern_name(matrix, rows) + method.encode()
    return _remembered(_pilots, name, lambda: _run(matrix, rows, method, n_threads))


def frozen_signs(matrix: Biadjacency, rows: Rows) -> int:
    """How many edges have the same sign in every pattern; remembered like the pilot."""

    def count() -> int:
        if rows.n_positive in (0, rows.n_edges):
            return rows.n_edges
        if is_full(matrix):
            left, right = (
                np.bincount(part) for part in components_of_degrees(*degrees_of(matrix, rows))
            )
            n_both = min(len(left), len(right))
            return rows.n_edges - int((left[:n_both] * right[:n_both]).sum())
        edges = EdgeSigns(matrix, rows)
        left, right = sign_components(matrix, edges.positive)
        return int(np.count_nonzero(left[edges.left] != right[edges.right]))

    return _remembered(_frozen, _pattern_name(matrix, rows), count)


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
    if rows.n_positive in (0, rows.n_edges):
        return Pilot(Length(1), _NOTHING, 1, None)
    n_chains = int(np.clip(_CELLS // rows.n_edges, 1, _MOST_CHAINS))
    if method == "swap":
        return _swaps(matrix, rows, n_chains)
    if not is_full(matrix):
        return _masked_trades(matrix, rows, n_chains, n_threads)
    chains = [full_trades(matrix, rows, _keys(i), n_threads) for i in range(n_chains)]
    traces, found = _followed(
        [chain.run for chain in chains], _line_overlaps(chains, rows), MOST_STEPS
    )
    moved = _moved(chains, traces, rows)
    return Pilot(Length(found.steps), traces, 1, found, moved=moved, settled=found.steady)


def _masked_trades(matrix: Biadjacency, rows: Rows, n_chains: int, n_threads: int) -> Pilot:
    """Trades as far as they lead, then loops."""
    edges = [EdgeSigns(matrix, rows) for _ in range(n_chains)]
    start = edges[0].positive.copy()
    if not trades_are_packed(matrix):
        return _then_loops(edges, start, Pilot(Length(1), _NOTHING, 1, None))
    chains = [masked_trades(signs, _keys(i), n_threads) for i, signs in enumerate(edges)]
    traces, found = _followed(
        [chain.run for chain in chains], _line_overlaps(chains, rows), MOST_ROUNDS_BEFORE_LOOPS
    )
    for signs, chain in zip(edges, chains, strict=True):
        signs.read(chain.lines)
    length = Length(found.steps if found.steady else traces.shape[1] - 1)
    moved = _moved(chains, traces, rows)
    return _then_loops(edges, start, Pilot(length, traces, 1, found, moved=moved))


def _swaps(matrix: Biadjacency, rows: Rows, n_chains: int) -> Pilot:
    """Attempted swaps, then loops where edges are missing."""
    from bipnet_kernels import ATTEMPTS_PER_STREAM

    edges = [EdgeSigns(matrix, rows) for _ in range(n_chains)]
    start = edges[0].positive.copy()
    chains = [SwapChain(signs, _keys(i)("G swaps")) for i, signs in enumerate(edges)]
    unit = -(-rows.n_edges // ATTEMPTS_PER_STREAM)
    traces, found = _followed(
        [_in_units(chain.run, unit) for chain in chains],
        _flag_overlaps(edges, start, [chain.read for chain in chains]),
        MOST_STEPS if is_full(matrix) else MOST_ROUNDS_BEFORE_LOOPS,
    )
    attempts = sum(chain.attempts for chain in chains)
    acceptance = sum(int(chain.accepted) for chain in chains) / attempts
    steps = found.steps if found.steady else traces.shape[1] - 1
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
    return result if is_full(matrix) else _then_loops(edges, start, result)


def _then_loops(edges: list[EdgeSigns], start: Array, before: Pilot) -> Pilot:
    """What follows on the chains that ``before`` describes: short loops."""
    from bipnet_kernels import LOOPS_PER_STREAM

    chains = [LoopChain(signs, _keys(i)("G loops")) for i, signs in enumerate(edges)]
    n_streams = -(-LOOPS_PER_NODE * chains[0].n_nodes // LOOPS_PER_STREAM)
    unit = max(1, n_streams // 16)
    trusted = before.found if before.found and before.found.steady else None
    traces, found = _followed(
        [_in_units(chain.run, unit) for chain in chains],
        _flag_overlaps(edges, start, [_nothing] * len(edges)),
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
) -> tuple[npt.NDArray[np.float64], Settling]:
    """Run chains step by step until their traces are steady, or agree with what is trusted."""
    values = [[overlap() for overlap in overlaps]]
    goal = FIRST_STEPS
    while True:
        for step in range(len(values) - 1, goal):
            for run in runs:
                run(step, 1)
            values.append([overlap() for overlap in overlaps])
        traces = np.array(values).T
        found = settling(traces)
        if found.steady or goal >= most_steps or _agree(traces, trusted):
            return traces, found
        goal *= 2


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


def _nothing() -> None:
    """Flags are up to date as they are."""


def _line_overlaps(chains: list[TradeChain], rows: Rows) -> list[Callable[[], float]]:
    from bipnet_kernels import common_bits

    start = chains[0].lines.copy()

    def overlap(chain: TradeChain) -> float:
        return float(common_bits(chain.lines, start)) / rows.n_positive

    return [partial(overlap, chain) for chain in chains]


def _flag_overlaps(
    edges: list[EdgeSigns], start: Array, updates: list[Callable[[], None]]
) -> list[Callable[[], float]]:
    """Overlaps with the flags ``start``, each after its chain's flags are brought up to date."""
    n_positive = int(np.count_nonzero(start))

    def overlap(signs: EdgeSigns, update: Callable[[], None]) -> float:
        update()
        return float(np.count_nonzero(signs.positive & start)) / n_positive

    return [partial(overlap, signs, update) for signs, update in zip(edges, updates, strict=True)]


def _moved(chains: list[TradeChain], traces: npt.NDArray[np.float64], rows: Rows) -> float:
    """Sign changes per round and edge."""
    n_rounds = traces.shape[1] - 1
    return float(
        sum(int(chain.moved) for chain in chains) / (len(chains) * n_rounds * rows.n_edges)
    )
