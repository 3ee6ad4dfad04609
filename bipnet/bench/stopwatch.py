"""Repeat, and keep the minimum and the median: noise only ever adds time."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from bipnet.bench.peer import Peer

_SETTLED_SECONDS = 0.3  # short calls are repeated until they add up to this
_MOST_REPEATS = 200


@dataclass(frozen=True)
class Timing:
    """Minimum and median of the repeats, in seconds."""

    seconds: float
    median: float
    repeats: int


def time_peer(peer: Peer, steps: int, repeats: int, cap: float) -> Timing:
    """Time `Peer.run`, after a warm-up of the caller's.

    Parameters
    ----------
    peer
        Prepared.
    steps
        Steps of a chain.
    repeats
        Least number of repeats, if they fit into ``cap``; short calls are repeated more.
    cap
        Seconds after which no further repeat is begun; the first one always is.
    """
    times: list[float] = []
    while not times or (
        sum(times) < cap
        and len(times) < _MOST_REPEATS
        and (len(times) < repeats or sum(times) < min(_SETTLED_SECONDS, cap))
    ):
        times.append(peer.timed(steps))
    return Timing(min(times), statistics.median(times), len(times))
