"""Many random numbers at once: 32 xoshiro256++ generators side by side, filling a buffer.

Written so that the compiler can keep eight generators in one vector register: a random number
then costs a fraction of what a single generator, bound by the latency of its own steps, takes.
Lane l of block b of a key is the single stream number ``b * (LANES + 1) + l`` of `_random`; the
last one, the spare, serves the rare redraws.

A stream is one array of `STREAM_WORDS` words: kernels pass it on at no cost, which they cannot
do with a tuple of arrays. Places in it are unsigned, which spares a check for negative ones.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bipnet_kernels._jit import kernel
from bipnet_kernels._random import (
    _GOLDEN,
    _LOW32,
    _TWO32,
    _U17,
    _U19,
    _U23,
    _U32,
    _U41,
    _U45,
    drawn,
    mixed,
)
from bipnet_kernels._types import Int, Key, Picks

LANES = 32
"""Generators side by side."""

BUFFER = 512
"""Words made at a time (a multiple of `LANES`)."""

MOST_PICKS = 2 * BUFFER
"""Bounded integers that `pick` gives at most at once."""

_SPARE = 4 * LANES
_USED = _SPARE + 4
_WORDS = _USED + 4
USED = np.uint64(_USED)
"""Where it is written how many words of the buffer are used up."""

WORDS = np.uint64(_WORDS)
"""Where the buffer begins."""

_STEP = 16
"""Picks made at a time: those that nobody asked for cost less than a loop over the last few."""

STREAM_WORDS = _WORDS + BUFFER + _STEP

_U0 = np.uint64(0)
_U1 = np.uint64(1)
_LANES1 = np.uint64(LANES + 1)


def new_stream() -> Key:
    """Memory for a stream; `start` must come before any draw. One thread at a time may use it."""
    stream = np.zeros(STREAM_WORDS, dtype=np.uint64)
    stream[_WORDS + BUFFER :] = ~_U0  # read by picks that nobody asked for: never doubtful
    return stream


def new_picks() -> npt.NDArray[np.uint32]:
    """Memory for the results of `pick`: of the most there can be, and of some nobody asks for."""
    return np.zeros(MOST_PICKS + _STEP, dtype=np.uint32)


@kernel
def start(stream: Key, key: Key, block: Int) -> None:
    """Begin the stream of ``block`` under the 256-bit ``key`` (4 words)."""
    first = np.uint64(block) * _LANES1
    for i in range(4):
        step = np.uint64(i + 1) * _GOLDEN
        word = key[i]
        for lane in range(LANES):
            stream[i * LANES + lane] = mixed(word ^ mixed(first + np.uint64(lane) + step))
        stream[_SPARE + i] = mixed(word ^ mixed(first + np.uint64(LANES) + step))
    for lane in range(LANES):  # the one state xoshiro cannot leave
        any_bit = stream[lane] | stream[LANES + lane]
        any_bit |= stream[2 * LANES + lane] | stream[3 * LANES + lane]
        if any_bit == np.uint64(0):
            stream[lane] = _GOLDEN
    any_bit = stream[_SPARE] | stream[_SPARE + 1] | stream[_SPARE + 2] | stream[_SPARE + 3]
    if any_bit == np.uint64(0):
        stream[_SPARE] = _GOLDEN
    stream[_USED] = np.uint64(BUFFER)


@kernel
def refill(stream: Key) -> None:
    """Fill the buffer anew: each lane gives every `LANES`-th word."""
    for row in range(0, BUFFER, LANES):
        for lane in range(LANES):
            s0 = stream[lane]
            s1 = stream[LANES + lane]
            s2 = stream[2 * LANES + lane]
            s3 = stream[3 * LANES + lane]
            total = s0 + s3
            stream[_WORDS + row + lane] = ((total << _U23) | (total >> _U41)) + s0
            t = s1 << _U17
            s2 ^= s0
            s3 ^= s1
            s1 ^= s2
            s0 ^= s3
            s2 ^= t
            s3 = (s3 << _U45) | (s3 >> _U19)
            stream[lane] = s0
            stream[LANES + lane] = s1
            stream[2 * LANES + lane] = s2
            stream[3 * LANES + lane] = s3
    stream[_USED] = np.uint64(0)


@kernel
def take(stream: Key, n: Int) -> np.uint64:
    """Use up ``n`` <= `BUFFER` words of the buffer; return where in ``stream`` they begin."""
    used = stream[_USED]
    if used + np.uint64(n) > np.uint64(BUFFER):
        refill(stream)
        used = np.uint64(0)
    stream[_USED] = used + np.uint64(n)
    at: np.uint64 = WORDS + used
    return at


@kernel
def next_below(stream: Key, n: Int) -> np.int64:
    """A uniform integer in [0, n), 1 <= n < 2**32, from one word of the buffer."""
    bound = np.uint64(n)
    product = (stream[take(stream, 1)] >> _U32) * bound
    if (product & _LOW32) < bound:
        return redrawn(product, bound, stream)
    return np.int64(product >> _U32)


@kernel
def redrawn(product: np.uint64, bound: np.uint64, stream: Key) -> np.int64:
    """The upper half of ``product``, or of a fresh one where it would be biased (Lemire 2019)."""
    threshold = (_TWO32 - bound) % bound
    while (product & _LOW32) < threshold:
        product = (drawn(stream[_SPARE:_USED]) >> _U32) * bound
    return np.int64(product >> _U32)


@kernel
def _in_steps(n: Int) -> Int:
    return (n + _STEP - 1) // _STEP * _STEP


@kernel
def pick(stream: Key, picks: Picks, first: Int, n: Int) -> None:
    """Set ``picks[k]`` to a uniform integer in [0, first + k) for each k < n, without bias.

    1 <= first, first + n <= 2**32, n <= `MOST_PICKS`. ``picks`` comes from `new_picks`; some behind
    the first n are overwritten, too. The lower halves of (n + 1) // 2 words serve the first half of
    the picks, the upper halves the others. Multiply-shift with rejection (Lemire 2019): whether any
    number may have to be redrawn is asked once for all of them.
    """
    n_words = (n + 1) // 2
    at = take(stream, n_words)
    doubtful = False
    for k in range(_in_steps(n_words)):
        bound = np.uint64(first + k)
        product = (stream[at + np.uint64(k)] & _LOW32) * bound
        picks[k] = np.uint32(product >> _U32)
        doubtful |= (product & _LOW32) < bound
    for k in range(_in_steps(n - n_words)):
        bound = np.uint64(first + n_words + k)
        product = (stream[at + np.uint64(k)] >> _U32) * bound
        picks[np.uint64(n_words) + np.uint64(k)] = np.uint32(product >> _U32)
        doubtful |= (product & _LOW32) < bound
    if doubtful:
        for k in range(n):
            bound = np.uint64(first + k)
            word = stream[at + np.uint64(k % n_words)]
            half = word & _LOW32 if k < n_words else word >> _U32
            product = half * bound
            if (product & _LOW32) < bound:
                picks[k] = np.uint32(redrawn(product, bound, stream))
