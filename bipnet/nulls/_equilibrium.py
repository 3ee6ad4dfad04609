"""When has a chain forgotten its start? The criteria, as functions of traces alone.

A trace is the overlap with the start (the share of its positive edges that are still positive)
after 0, 1, 2, ... steps of a pilot chain. Its second half is taken for equilibrium if it is
steady, and gives the level and the spread of the overlap there. The chain has *settled* when the
overlap has come within one spread of the level; ``ln(1000)`` relaxation times more bring what a
draw still remembers below a thousandth of the spread between independent draws.

What may stand still for very long in the middle of its range looks the same when it is stuck there.
Of such a number the traces from the two ends of its range are compared as well: it has settled when
all have met.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

REMEMBERED = 1e-3
"""Part of the spread between independent draws that a draw may still owe to its start."""

FEWEST_EFFECTIVE = 10
"""Independent values that the second half of the traces must be worth."""

MOST_STANDARD_ERRORS = 3.0
"""How far the means of the third and the last quarter may lie apart."""


@dataclass(frozen=True)
class Settling:
    """What a set of traces says.

    Attributes
    ----------
    steady
        Whether the second half of the traces can be taken for equilibrium. What never moves,
        though it can, is not steady but stuck.
    after
        Steps until the mean overlap is within one spread of its level.
    relaxation
        Relaxation time in steps: the slower of the decay to equilibrium and of the
        autocorrelation there.
    level, spread
        Mean and standard deviation of the overlap at equilibrium.
    effective
        Independent values that the second half of the traces is worth (effective sample size).
    steps
        The number of steps for a draw: ``after + ln(1 / REMEMBERED) * relaxation``.
    """

    steady: bool
    after: int
    relaxation: float
    level: float
    spread: float
    effective: float
    steps: int


def settling(traces: npt.ArrayLike) -> Settling:
    """Judge traces of independent chains from one start.

    Parameters
    ----------
    traces
        (n_chains, n_steps + 1) overlaps; column 0 is before the first step.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> t = np.arange(257)
    >>> found = settling([0.5 + 0.5 * np.exp(-t / 4) + 0.01 * rng.normal(size=257)])
    >>> found.steady, 10 <= found.after <= 24, 30 <= found.steps <= 60
    (True, True, True)
    """
    traces = np.atleast_2d(np.asarray(traces, dtype=np.float64))
    n_values = traces.shape[1]
    mean = traces.mean(axis=0)
    tail = traces[:, n_values // 2 :]
    level, spread = float(tail.mean()), float(tail.std())
    close = np.nonzero(np.abs(mean - level) <= spread)[0]
    after = int(close[0])
    correlation = integrated_time(tail - level)
    effective = tail.size / correlation
    half = tail.shape[1] // 2
    drift = abs(float(tail[:, :half].mean() - tail[:, half:].mean()))
    error = 2 * spread / math.sqrt(effective)
    steady = (
        spread > 0
        and effective >= FEWEST_EFFECTIVE
        and drift <= MOST_STANDARD_ERRORS * error
        and after <= n_values // 4
    )
    relaxation = exponential_time(correlation) if spread else 0.0
    distance = abs(float(mean[0]) - level)
    if distance > spread > 0:
        # A start hardly outside of the spread says little of the rate: one e-fold is assumed.
        relaxation = max(relaxation, after / max(1.0, math.log(distance / spread)))
    steps = max(1, math.ceil(after + math.log(1 / REMEMBERED) * relaxation))
    return Settling(steady, after, relaxation, level, spread, effective, steps)


def with_last_fold(found: Settling, traces: npt.ArrayLike) -> Settling:
    """A verdict that takes the relaxation time to be no less than the last e-fold of the decay.

    Where loops do what trades cannot, decay is fast at first and slow in the end, and an average
    over all of it says too little: a band that is unwound loop by loop slows down as it nears
    equilibrium.
    """
    mean = np.atleast_2d(np.asarray(traces, dtype=np.float64)).mean(axis=0)
    near = np.flatnonzero(np.abs(mean - found.level) <= math.e * found.spread)
    fold = float(found.after - near[0]) if near.size else 0.0
    if fold <= found.relaxation:
        return found
    steps = math.ceil(found.after + math.log(1 / REMEMBERED) * fold)
    return replace(found, relaxation=fold, steps=steps)


def meeting(families: Sequence[npt.ArrayLike], quantum: float, n_judged: int = 1) -> Settling:
    """Judge traces of one number from several starts: they must come to the same values.

    Parameters
    ----------
    families
        Per start (n_chains, n_steps + 1) values; column 0 is before the first step.
    quantum
        The least change of the number: what differs by less is the same.
    n_judged
        How many numbers are judged: the more, the farther apart chance brings the means of one.

    Returns
    -------
    As of `settling`. A number that all chains leave at one value, wherever they began, is steady.

    Examples
    --------
    >>> import numpy as np
    >>> t = np.arange(65)
    >>> down, stuck = np.maximum(6 - t, 0), np.full(65, 6)
    >>> found = meeting([[down], [-down], [0 * t]], 1)
    >>> found.steady, found.after, meeting([[stuck], [-down], [0 * t]], 1).steady
    (True, 6, False)
    """
    traces = [np.atleast_2d(np.asarray(family, dtype=np.float64)) for family in families]
    n_values = traces[0].shape[1]
    tails = [family[:, n_values // 2 :] for family in traces]
    level = float(np.mean([tail.mean() for tail in tails]))
    spread = max(float(np.mean([tail.var() for tail in tails])) ** 0.5, quantum / 2)
    after, relaxation, effective = 0, 0.0, 0.0
    means, squared_errors = [], []
    for family, tail in zip(traces, tails, strict=True):
        mean = family.mean(axis=0)
        close = np.flatnonzero(np.abs(mean - level) <= spread)
        first = int(close[0]) if close.size else n_values
        distance = abs(float(mean[0]) - level)
        if distance > spread:
            relaxation = max(relaxation, first / max(1.0, math.log(distance / spread)))
        after = max(after, first)
        correlation = integrated_time(tail - tail.mean())
        if tail.var():  # else it stands still, at a value that the others must have as well
            relaxation = max(relaxation, exponential_time(correlation))
            effective += tail.size / correlation
        means.append(float(tail.mean()))
        squared_errors.append(float(tail.var()) * correlation / tail.size)
    pairs = list(itertools.combinations(range(len(means)), 2))
    # As improbable for the largest of so many as MOST_STANDARD_ERRORS are for one.
    most = math.sqrt(MOST_STANDARD_ERRORS**2 + 2 * math.log(n_judged * len(pairs)))
    met = all(
        abs(means[a] - means[b]) <= most * math.sqrt(squared_errors[a] + squared_errors[b])
        for a, b in pairs
    )
    enough = effective >= FEWEST_EFFECTIVE or effective == 0
    steady = met and enough and after <= n_values // 4
    steps = max(1, math.ceil(after + math.log(1 / REMEMBERED) * relaxation))
    return Settling(steady, after, relaxation, level, spread, effective, steps)


def integrated_time(deviations: npt.ArrayLike) -> float:
    """Integrated autocorrelation time 1 + 2 sum rho(k) of (n_chains, n) deviations from the mean.

    The sum ends at the first k >= 5 times itself (Sokal 1997, section 3). At least 1.
    """
    values = np.atleast_2d(np.asarray(deviations, dtype=np.float64))
    n = values.shape[1]
    variance = float((values**2).mean())
    if variance == 0:
        return 1.0
    time = 1.0
    for lag in range(1, n // 2):
        rho = float((values[:, lag:] * values[:, :-lag]).mean()) / variance
        time += 2 * rho
        if lag >= 5 * time:
            break
    return max(time, 1.0)


def exponential_time(integrated: float) -> float:
    """The relaxation time of an exponential decay with that integrated time; 1/3 at the least.

    rho(k) = exp(-k / t) has the integrated time (1 + rho(1)) / (1 - rho(1)).
    """
    rho = (integrated - 1) / (integrated + 1)
    return -1 / math.log(rho) if rho > math.exp(-3) else 1 / 3
