"""How many of its own steps a chain needs: the same criterion for every peer.

The overlap is the share of the start's positive cells that are still positive. It falls from 1 to
a level that the margins fix. A chain has decorrelated when its overlap is within two standard
deviations of that level; level and deviation are those of independent draws of model G, twice as
long as bipnet's default, once per matrix. The number of steps is found on pilots (their median, of
up to seven), which are not part of any time.
"""

from __future__ import annotations

import math
import time
import warnings
from dataclasses import dataclass

import numpy as np

import bipnet
from bipnet.bench.peer import Chain, Matrix

N_DEVIATIONS = 2.0
MIN_DRAWS, MAX_DRAWS = 8, 32


@dataclass(frozen=True)
class Level:
    """Overlap of independent draws with the start: mean, standard deviation, number of draws."""

    mean: float
    sd: float
    n_draws: int

    @property
    def bar(self) -> float:
        """The overlap at which a chain counts as decorrelated."""
        return self.mean + N_DEVIATIONS * self.sd

    @property
    def way(self) -> float:
        """How far an excess falls from the start to the bar, as a natural logarithm."""
        return math.log((1 - self.mean) / (N_DEVIATIONS * self.sd)) if self.sd > 0 else 0.0


def level_for(moves_over: str, levels: dict[str, tuple[float, float, int]]) -> Level:
    """The level of a chain that moves over "edges" or "cells": one for both in dense layers."""
    return Level(*levels.get(moves_over, levels["edges"]))


@dataclass(frozen=True)
class Cost:
    """Seconds of a call of n steps: ``call + n * step``, from a call of one step and the longest.

    Attributes
    ----------
    call
        Of one step.
    step
        Of every further one.
    longest
        Steps of the longest call, which ``step`` is from.
    """

    call: float
    step: float = 0.0
    longest: int = 1

    @property
    def is_known(self) -> bool:
        """Whether steps have been seen to cost something, above the noise of a call."""
        return self.longest * self.step > 0.2 * self.call

    def after(self, steps: int, took: float) -> Cost:
        """What a further call of ``steps`` has told; only a longer one tells anything."""
        if steps <= self.longest:
            return self
        return Cost(self.call, max(0.0, took - self.call) / (steps - 1), steps)

    def of(self, steps: int) -> float:
        """Seconds that so many steps are expected to take."""
        return self.call + steps * self.step


@dataclass(frozen=True)
class Pilot:
    """What a pilot has found.

    Attributes
    ----------
    steps
        Steps until the overlap is at equilibrium; None if nothing can be said.
    origin
        "measured", "extrapolated" (by the last slope of the logarithm of the excess) or "none".
    trace
        (steps, overlap) at the checkpoints.
    cost
        What a call costs.
    """

    steps: int | None
    origin: str
    trace: list[tuple[int, float]]
    cost: Cost


def equilibrium_level(W: Matrix, moves_over: str, seconds: float) -> Level:
    """The level of a matrix, of `MIN_DRAWS` draws or as many as fit into ``seconds``.

    Parameters
    ----------
    W
        (n_left, n_right) weights.
    moves_over
        "edges": model G of ``W``. "cells": model G of the complete graph with the positive edges
        of ``W``, everything else being negative, which is what most peers move over.
    seconds
        Time after which no further draw is begun.
    """
    positive = W > 0
    # Only signs count here, and bytes move faster than floats.
    signs = np.sign(W).astype(np.int8) if moves_over == "edges" else np.where(positive, 1, -1)
    signs = signs.astype(np.int8, copy=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bipnet.BipnetWarning)  # frozen signs are no news here
        return _level(signs, positive, seconds)


def _level(signs: Matrix, positive: Matrix, seconds: float) -> Level:
    usual = bipnet.ensemble(signs, "G", n=1, rng=7).steps
    steps = 2 * usual if usual else None
    overlaps: list[float] = []
    bipnet.randomize(signs, "G", rng=11, steps=1)  # compiles, which is no part of the seconds
    start = time.perf_counter()
    while len(overlaps) < MIN_DRAWS or (
        len(overlaps) < MAX_DRAWS and time.perf_counter() - start < seconds
    ):
        drawn = bipnet.randomize(signs, "G", rng=11, index=len(overlaps), steps=steps)
        overlaps.append(float((drawn[positive] > 0).mean()))
    return Level(float(np.mean(overlaps)), float(np.std(overlaps, ddof=1)), len(overlaps))


def run_pilot(chain: Chain, W: Matrix, level: Level, seconds: float) -> Pilot:
    """Walk until the overlap is at its level, or for about ``seconds``.

    Checkpoints grow by a factor of sqrt(2), from a sixteenth of a pass on; between the last two
    the steps are interpolated on the logarithm of the overlap's excess.
    """
    start_cells = (W > 0).reshape(-1)
    n_positive = int(start_cells.sum())
    first_look = max(1, chain.steps_per_pass() // 16)  # before it hardly anything has moved
    begun = time.perf_counter()
    cost = Cost(chain.timed(1))
    trace, done = [(0, 1.0)], 1
    while True:
        if done >= first_look:
            overlap = int(start_cells[chain.positive()].sum()) / n_positive
            trace.append((done, overlap))
            if overlap <= level.bar:
                return Pilot(_interpolated(trace, level), "measured", trace, cost)
            target = max(done + 1, math.ceil(done * math.sqrt(2)))
        else:
            is_cheap = 16 * done * cost.step < seconds / 50
            target = min((16 if is_cheap else 2) * done, max(first_look, done + 1))
        steps = target - done if chain.continues else target
        if time.perf_counter() - begun + cost.of(steps) > seconds:
            break
        took = chain.timed(steps)
        cost = cost.after(steps, took)
        done = target
    found = _extrapolated(trace, level)
    return Pilot(found, "none" if found is None else "extrapolated", trace, cost)


def _interpolated(trace: list[tuple[int, float]], level: Level) -> int:
    (s0, overlap0), (s1, overlap1) = trace[-2:]
    excess0, excess1 = overlap0 - level.mean, overlap1 - level.mean
    wanted = level.bar - level.mean
    if excess1 <= 0 or wanted <= 0 or excess1 >= excess0:
        return s1
    share = math.log(excess0 / wanted) / math.log(excess0 / excess1)
    return max(1, round(s0 + share * (s1 - s0)))


def _extrapolated(trace: list[tuple[int, float]], level: Level) -> int | None:
    if len(trace) < 2 or level.bar >= 1:
        return None
    (s0, overlap0), (s1, overlap1) = trace[-2:]
    excess0, excess1 = overlap0 - level.mean, overlap1 - level.mean
    wanted = max(level.bar - level.mean, 1e-12)
    if excess1 >= excess0:
        return None
    rate = math.log(excess0 / excess1) / (s1 - s0)
    return math.ceil(s1 + math.log(excess1 / wanted) / rate)
