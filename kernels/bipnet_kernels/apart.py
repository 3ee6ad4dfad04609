"""Positive and negative weights taken apart and put back, 64 cells at a time.

No branch depends on a weight: signs are as good as random, and a wrong guess costs more than a
move. Where the processor can, some words are moved at once (`_lanes`), else one by one.
"""

from __future__ import annotations

import numpy as np

from bipnet_kernels._jit import inlined
from bipnet_kernels._lanes import (
    HAS_COMPRESS,
    compress_lanes,
    copy_lanes,
    expand_lanes,
    lanes_of,
)
from bipnet_kernels._types import Words
from bipnet_kernels.signs import lowest

_U0 = np.uint64(0)
_U1 = np.uint64(1)
_U64 = np.uint64(64)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)  # of 64 cells


@inlined
def take_apart(
    source: Words,
    begin: np.uint64,
    count: np.uint64,
    edges: np.uint64,
    plus: np.uint64,
    pools: Words,
    front: np.uint64,
    back: np.uint64,
    spare: bool,
) -> tuple[np.uint64, np.uint64]:
    """Put the edges among the cells ``source[begin:][:count]`` into two pools, in order.

    There are 1 to 64 cells, with a bit of ``edges`` and one of ``plus`` for each: positive ones
    go to ``pools[front]`` and following, other edges to ``pools[back]`` and following. ``pools``
    ends with a word that is nobody's; with ``spare``, so are `MOST_LANES` words behind either pool.
    Returns where the next ones go.
    """
    if HAS_COMPRESS:
        front = _compressed(source, begin, count, plus, pools, front, spare)
        return front, _compressed(source, begin, count, edges ^ plus, pools, back, spare)
    if spare:  # every word goes to both ends, one of which moves on, or none
        for k in range(count):
            word = source[begin + k]
            is_plus = (plus >> k) & _U1
            pools[front] = word
            pools[back] = word
            front += is_plus
            back += ((edges >> k) & _U1) - is_plus
        return front, back
    if edges == _ALL:
        for k in range(_U64):
            is_plus = (plus >> k) & _U1
            place = back ^ ((back ^ front) & (_U0 - is_plus))
            pools[place] = source[begin + k]
            front += is_plus
            back += _U1 - is_plus
        return front, back
    # Another word may stand at the other end already, so what is no edge goes to waste.
    waste = np.uint64(len(pools) - 1)
    for k in range(count):
        edge = (edges >> k) & _U1
        is_plus = (plus >> k) & _U1
        place = back ^ ((back ^ front) & (_U0 - is_plus))
        place = waste ^ ((waste ^ place) & (_U0 - edge))
        pools[place] = source[begin + k]
        front += is_plus
        back += edge - is_plus
    return front, back


@inlined
def put_back(
    pools: Words,
    front: np.uint64,
    back: np.uint64,
    edges: np.uint64,
    plus: np.uint64,
    source: Words,
    target: Words,
    begin: np.uint64,
    count: np.uint64,
) -> tuple[np.uint64, np.uint64]:
    """The inverse: the edges among ``target[begin:][:count]`` take their words from the pools.

    Other cells take theirs from ``source``, which may be ``target``.
    """
    if HAS_COMPRESS:
        others = lowest(count) ^ edges
        if others != _U0:
            for k in range(_U0, count, lanes_of(source)):
                copy_lanes(source, target, begin + k, others >> k)
        front = _expanded(pools, front, target, begin, count, plus)
        return front, _expanded(pools, back, target, begin, count, edges ^ plus)
    if edges == _ALL:
        for k in range(_U64):
            is_plus = (plus >> k) & _U1
            place = back ^ ((back ^ front) & (_U0 - is_plus))
            target[begin + k] = pools[place]
            front += is_plus
            back += _U1 - is_plus
        return front, back
    for k in range(count):
        cell = begin + k
        edge = (edges >> k) & _U1
        is_plus = (plus >> k) & _U1
        place = back ^ ((back ^ front) & (_U0 - is_plus))
        word = source[cell]
        target[cell] = word ^ ((word ^ pools[place]) & (_U0 - edge))
        front += is_plus
        back += edge - is_plus
    return front, back


@inlined
def _compressed(
    source: Words,
    begin: np.uint64,
    count: np.uint64,
    chosen: np.uint64,
    pool: Words,
    to: np.uint64,
    spare: bool,
) -> np.uint64:
    if chosen == _U0:  # where the pool ends, memory may: to write nothing there takes very long
        return to
    written = _ALL if spare else _U0
    if count == _U64:  # what is known beforehand need not be asked for each register
        for k in range(_U0, _U64, lanes_of(source)):
            to += compress_lanes(source, begin + k, _ALL, chosen >> k, pool, to, written)
    else:
        for k in range(_U0, count, lanes_of(source)):
            some = chosen >> k
            to += compress_lanes(source, begin + k, some, some, pool, to, written)
    return to


@inlined
def _expanded(
    pool: Words,
    at: np.uint64,
    target: Words,
    begin: np.uint64,
    count: np.uint64,
    chosen: np.uint64,
) -> np.uint64:
    if chosen == _U0:
        return at
    if count == _U64:  # the same loop, of a length that is known when compiling
        for k in range(_U0, _U64, lanes_of(pool)):
            at += expand_lanes(pool, at, target, begin + k, chosen >> k)
    else:
        for k in range(_U0, count, lanes_of(pool)):
            at += expand_lanes(pool, at, target, begin + k, chosen >> k)
    return at
