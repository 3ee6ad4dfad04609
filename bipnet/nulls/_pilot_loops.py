"""How many loops a draw needs where edges are missing, after what trades or swaps have done.

Two things are watched. The overlap of the pattern, and of groups of its lines, with the start must
stay where trades have brought it; else it must become steady. And winding numbers, which no overlap
shows, must come to the same values from the given pattern and from the two ends of their range.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from bipnet._biadjacency import Array, Biadjacency
from bipnet.nulls._cells import is_packed
from bipnet.nulls._edge_signs import EdgeSigns
from bipnet.nulls._equilibrium import Settling, meeting, settling, with_last_fold
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
from bipnet.nulls._free import FreePart
from bipnet.nulls._groups import Groups
from bipnet.nulls._loops import LOOPS_PER_NODE, LoopChain
from bipnet.nulls._rows import Rows
from bipnet.nulls._signs import loop_chain, trade_chain
from bipnet.nulls._winding_numbers import WindingNumbers, winding_numbers

_LOOP_UNITS = 16
"""Steps that the least number of loops is cut into: a pilot's first look at loops after trades."""

_FAR = 4.0  # spreads between the levels before and after loops that tell that trades were stuck

UNSEEN = Settling(False, 0, 0.0, 0.0, 0.0, 0.0, 1)
"""The verdict on what no chain has run for."""

_FIRST_FAR_CHAIN = 32  # the number of the first chain from an end of the range of windings


@dataclass(frozen=True, eq=False)
class Looped:
    """What the loops of pilot chains showed.

    Attributes
    ----------
    n_loops
        How many a draw needs.
    traces
        (n_chains, n + 1) overlaps with the matrix in steps of ``unit`` loops.
    unit
        Loops per step of ``traces``.
    found
        The verdict on ``traces``.
    settled
        Whether equilibrium was reached.
    n_windings
        Winding numbers that were watched.
    """

    n_loops: int
    traces: Values
    unit: int
    found: Settling
    settled: bool
    n_windings: int


def loops_needed(
    matrix: Biadjacency,
    rows: Rows,
    free: FreePart,
    starts: list[Array],
    before: Sequence[Settling],
    n_rounds: int,
    groups: Groups,
    n_threads: int,
) -> Looped:
    """Follow loops from the patterns ``starts`` on.

    ``before`` are the verdicts on the overlaps, of the whole and of each of the ``groups``, that
    ``n_rounds`` of trades (or swaps) had brought about.
    """
    from bipnet_kernels import LOOPS_PER_STREAM

    def chain_from(positive: Array, number: int) -> LoopChain:
        return loop_chain(matrix, rows, free, positive, keys_of_pilot(number), n_threads)

    near = [chain_from(positive, i) for i, positive in enumerate(starts)]
    unit = loop_unit(near[0])
    edges = EdgeSigns(matrix, rows, rows.positive) if near[0].winding.size else None
    numbers = winding_numbers(edges, free.left, near[0].winding) if edges else None
    far: list[LoopChain] = []
    if edges and numbers and numbers.n:
        for end in _ends(edges, free, numbers):
            for _ in starts:
                number = _FIRST_FAR_CHAIN + len(far)
                positive = _traded(matrix, rows, free, end, number, n_rounds, n_threads)
                far.append(chain_from(positive, number))
    n_overlaps = 1 + groups.n

    def judge(values: Values) -> Verdict:
        overlaps = values[:, : len(near), :n_overlaps]
        judged = [settling(overlaps[:, :, i].T) for i in range(n_overlaps)]
        parts = [
            _trusted(found, overlaps[:, :, i], trusted)
            for i, (found, trusted) in enumerate(zip(judged, before, strict=True))
        ]
        found = with_slow_groups(parts[0], parts[1:])
        for winding in _judged_windings(values[:, :, n_overlaps:], len(near), numbers):
            steps = _rounded(winding.steps) if winding.steady else len(values) - 1
            found = replace(
                found,
                steady=found.steady and winding.steady,
                steps=max(found.steps, steps),
            )
        return Verdict(found, judged, found.steady)

    values, verdict = followed(
        [in_units(chain.run, unit) for chain in near + far],
        [partial(_watched, chain, rows, groups, numbers) for chain in near + far],
        judge,
        _LOOP_UNITS if before[0].steady and before[0].spread else FIRST_STEPS,
        MOST_STEPS,
    )
    return Looped(
        max(_least_streams(near[0]), unit * verdict.found.steps) * LOOPS_PER_STREAM,
        values[:, : len(near), 0].T,
        unit * LOOPS_PER_STREAM,
        verdict.parts[0],
        verdict.found.steady,
        numbers.n if numbers else 0,
    )


def loop_unit(chain: LoopChain) -> int:
    """Streams of loops in a step of a pilot."""
    return max(1, _least_streams(chain) // _LOOP_UNITS)


def _least_streams(chain: LoopChain) -> int:
    from bipnet_kernels import LOOPS_PER_STREAM

    return -(-LOOPS_PER_NODE * chain.n_nodes // LOOPS_PER_STREAM)


def _watched(
    chain: LoopChain, rows: Rows, groups: Groups, numbers: WindingNumbers | None
) -> Values:
    """The overlaps of the whole (as a share) and of the groups, and the winding numbers."""
    whole = [chain.overlap() / rows.n_positive]
    by_group = groups.sums(chain.line_overlaps(groups.left))
    return np.concatenate([whole, by_group, numbers.of(chain) if numbers else []])


def _trusted(found: Settling, traces: Values, before: Settling) -> Settling:
    """The verdict on (n_steps + 1, n_chains) overlaps that loops may leave as they were."""
    late = float(traces[len(traces) // 2 :].mean())
    stays = abs(late - before.level) <= _FAR * before.spread
    if before.steady and before.spread > 0 and stays:
        return replace(found, steady=True, steps=1)
    return with_last_fold(found, traces.T)


def _judged_windings(
    values: Values, n_chains: int, numbers: WindingNumbers | None
) -> list[Settling]:
    """Verdicts on (n_steps + 1, n_starts * n_chains, n) winding numbers."""
    if numbers is None:
        return []
    families = np.split(values, values.shape[1] // n_chains, axis=1)
    return [
        meeting([family[:, :, w].T for family in families], numbers.quantum(w), numbers.n)
        for w in range(numbers.n)
    ]


def _ends(edges: EdgeSigns, free: FreePart, numbers: WindingNumbers) -> list[Array]:
    """The patterns at the two ends of the range of all winding numbers at once, as bits."""
    from bipnet.nulls._extremes import extreme_patterns  # loads scipy.optimize

    components = np.unique(free.left[numbers.left])
    around = np.flatnonzero(np.isin(free.left[edges.left], components))
    given = edges.positive[around].copy()
    ends = []
    for signs in extreme_patterns(
        edges.left[around].astype(np.int64),
        edges.right[around].astype(np.int64),
        given,
        numbers.together(len(edges.left))[around],
    ):
        edges.positive[around] = signs
        ends.append(edges.packed())
    edges.positive[around] = given
    return ends


def _traded(
    matrix: Biadjacency,
    rows: Rows,
    free: FreePart,
    positive: Array,
    number: int,
    n_rounds: int,
    n_threads: int,
) -> Array:
    """The pattern after as many rounds of trades as a draw takes."""
    if not n_rounds or not is_packed(matrix):
        return positive
    start = replace(rows, positive=positive, name=None)
    trades = trade_chain(matrix, start, free, keys_of_pilot(number), n_threads)
    trades.run(0, n_rounds)
    return trades.positive()


def _rounded(steps: int) -> int:
    """The next power of two: ends of a range are not unique, and another one changes little."""
    return 1 << (steps - 1).bit_length()
