"""Permute weights within segments: null models C to F, and A and B where they fit in the cache.

A *segment* holds all edges of one group (a left node, a right node, or the whole matrix) and
perhaps cells without an edge. Weights are moved as bit patterns and never computed with. No
branch depends on a single weight: signs are as good as random, and a wrong guess costs more than
a move.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bipnet_kernels._jit import inlined, kernel
from bipnet_kernels._lanes import HAS_COMPRESS, MOST_LANES
from bipnet_kernels._shuffle import shuffle
from bipnet_kernels._stream import start
from bipnet_kernels._types import Int, Ints, Key, Picks, Words
from bipnet_kernels.apart import put_back, take_apart
from bipnet_kernels.signs import sign_bits

_U0 = np.uint64(0)
_U1 = np.uint64(1)
_U64 = np.uint64(64)


def new_scratch(longest: int, dtype: npt.DTypeLike) -> Words:
    """Memory for the positive and for the negative edges of a segment of ``longest`` cells."""
    return np.empty(2 * (longest + MOST_LANES), dtype=dtype)


@kernel
def permute_segments(
    source: Words,
    target: Words,
    starts: Ints,
    stops: Ints,
    per_block: Int,
    first_block: Int,
    plain: bool,
    by_sign: bool,
    nonzero: np.unsignedinteger,
    negative: np.unsignedinteger,
    key: Key,
    stream: Key,
    picks: Picks,
    scratch: Words,
    frozen: Ints,
) -> None:
    """Permute the edges of every segment uniformly among their cells, from source to target.

    Segment i is the cells ``starts[i]:stops[i]`` of ``source`` and ``target`` (which may be one
    array); ``per_block`` segments share a random stream, the first ones ``first_block``. A word
    is an edge where ``word & nonzero``, a negative one where also ``word & negative``; ``plain``
    says that every cell is an edge. With ``by_sign`` the positive and the negative edges of a
    segment are permuted apart. ``scratch`` is `new_scratch` of the longest segment.
    ``frozen`` (2,) is increased by the positive and the negative edges alone in their group.
    """
    zero = nonzero ^ nonzero
    mask = negative if by_sign else zero
    half = len(scratch) // 2
    for i in range(len(starts)):
        if i % per_block == 0:
            start(stream, key, first_block + i // per_block)
        if plain and not by_sign:
            if stops[i] - starts[i] == 1:
                frozen[np.int64((source[starts[i]] & negative) != zero)] += 1
            shuffle(source, starts[i], target, starts[i], stops[i] - starts[i], stream, picks)
            continue
        first = np.uint64(starts[i])
        stop = np.uint64(stops[i])
        # Positive edges (or all) gather in the lower half of the scratch, negative in the upper.
        if HAS_COMPRESS or not plain:
            front, back = _take(source, first, stop, nonzero, mask, scratch)
        else:
            front, back = _take_plain(source, first, stop, mask, scratch)
        if front == 1:
            frozen[np.int64((scratch[0] & negative) != zero)] += 1
        if back == half + 1:
            frozen[1] += 1
        shuffle(scratch, 0, scratch, 0, front, stream, picks)
        shuffle(scratch, half, scratch, half, back - half, stream, picks)
        if HAS_COMPRESS or not plain:
            _put(scratch, source, target, first, stop, nonzero, mask)
        else:
            _put_plain(scratch, source, target, first, stop, mask)


@inlined
def _take(
    source: Words,
    first: np.uint64,
    stop: np.uint64,
    nonzero: np.unsignedinteger,
    mask: np.unsignedinteger,
    scratch: Words,
) -> tuple[np.int64, np.int64]:
    """Fill the two halves of the scratch; return where they end."""
    front = _U0
    back = np.uint64(len(scratch) // 2)
    for run in range(first, stop, _U64):
        begin = np.uint64(run)
        count = min(_U64, stop - begin)
        edges, plus = sign_bits(source, begin, count, nonzero, mask)
        front, back = take_apart(source, begin, count, edges, plus, scratch, front, back, True)
    return np.int64(front), np.int64(back)


@inlined
def _put(
    scratch: Words,
    source: Words,
    target: Words,
    first: np.uint64,
    stop: np.uint64,
    nonzero: np.unsignedinteger,
    mask: np.unsignedinteger,
) -> None:
    """The inverse."""
    front = _U0
    back = np.uint64(len(scratch) // 2)
    for run in range(first, stop, _U64):
        begin = np.uint64(run)
        count = min(_U64, stop - begin)
        edges, plus = sign_bits(source, begin, count, nonzero, mask)
        front, back = put_back(scratch, front, back, edges, plus, source, target, begin, count)


# Word by word, these two are faster than those.


@inlined
def _take_plain(
    source: Words, first: np.uint64, stop: np.uint64, mask: np.unsignedinteger, scratch: Words
) -> tuple[np.int64, np.int64]:
    """As `_take`, where every cell is an edge: every word goes to both ends, one of which moves."""
    top = np.uint64(8 * source.itemsize - 1)  # where a sign is, in integers too
    half = np.uint64(len(scratch) // 2)
    front = _U0
    back = half
    for place in range(first, stop):
        word = source[place]
        scratch[front] = word
        scratch[back] = word
        back += np.uint64(word & mask) >> top
        front = (place - first) + (half + _U1 - back)
    return np.int64(front), np.int64(back)


@inlined
def _put_plain(
    scratch: Words,
    source: Words,
    target: Words,
    first: np.uint64,
    stop: np.uint64,
    mask: np.unsignedinteger,
) -> None:
    """As `_put`, where every cell is an edge."""
    top = np.uint64(8 * source.itemsize - 1)
    front = _U0
    back = np.uint64(len(scratch) // 2)
    for place in range(first, stop):
        minus = np.uint64(source[place] & mask) >> top
        target[place] = scratch[back if minus else front]
        front += _U1 - minus
        back += minus
