"""Pilot chains are run on and on until what is watched has been judged steady."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from bipnet._biadjacency import Array
from bipnet._streams import Seed
from bipnet.nulls._equilibrium import Settling
from bipnet.nulls._signs import KeyOf

Values = npt.NDArray[np.float64]

FIRST_STEPS = 64
"""Steps of a pilot before it is first judged; twice as many each time it is not steady."""

MOST_STEPS = 1 << 13
"""Steps after which a pilot gives up."""

_SLOWER = 2.0


@dataclass(frozen=True, eq=False)
class Verdict:
    """What was seen of some chains.

    Attributes
    ----------
    found
        The verdict on the whole pattern, slow groups of lines counted in.
    parts
        That on the overlap of the whole pattern, then of each group alone.
    enough
        Whether the chains need not run on.
    """

    found: Settling
    parts: list[Settling]
    enough: bool


def followed(
    runs: Sequence[Callable[[int, int], None]],
    watch: Sequence[Callable[[], Values]],
    judge: Callable[[Values], Verdict],
    first_steps: int,
    most_steps: int,
) -> tuple[Values, Verdict]:
    """Run chains until ``judge`` has seen enough.

    Parameters
    ----------
    runs
        One per chain; ``run(first, n)`` runs its steps ``first`` to ``first + n - 1``.
    watch
        One per chain; what is watched of it, (n,).
    judge
        Given all that was watched, (n_steps + 1, n_chains, n).
    first_steps, most_steps
        Steps before the first judgement, and before the last.
    """
    values = [[look() for look in watch]]
    goal = first_steps
    while True:
        for step in range(len(values) - 1, goal):
            for run in runs:
                run(step, 1)
            values.append([look() for look in watch])
        seen = np.array(values)
        verdict = judge(seen)
        if verdict.enough or goal >= most_steps:
            return seen, verdict
        goal *= 2


def with_slow_groups(found: Settling, groups: Sequence[Settling]) -> Settling:
    """The verdict on a whole pattern, and on those of its groups that are clearly slower.

    Which of several alike is the slowest is chance: what is less than `_SLOWER` times as slow
    changes nothing.
    """
    for judged in groups:
        if judged.steady and judged.steps <= _SLOWER * found.steps:
            continue
        found = replace(
            found,
            steady=found.steady and judged.steady,
            steps=max(found.steps, judged.steps),
        )
    return found


def keys_of_pilot(chain: int) -> KeyOf:
    """The random streams of a pilot chain: its own, whatever the seed of the draws."""
    seed = Seed(0)

    def key(purpose: str) -> Array:
        return seed.key(f"pilot {purpose}", index=chain)

    return key


def in_units(run: Callable[[int, int], None], unit: int) -> Callable[[int, int], None]:
    """Steps of so many of the chain's own."""
    return lambda first, n: run(first * unit, n * unit)
