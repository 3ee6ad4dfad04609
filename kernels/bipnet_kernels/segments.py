"""Permute weights within segments: null models C to F, and A and B where they fit in the cache.

A *segment* holds all edges of one group (a left node, a right node, or the whole matrix) and
perhaps cells without an edge. Weights are moved as bit patterns and never computed with. No
branch depends on a weight: signs are as good as random, and a wrong guess costs more than a move.
"""

from __future__ import annotations

import numpy as np

from bipnet_kernels._jit import kernel
from bipnet_kernels._shuffle import shuffle
from bipnet_kernels._stream import start
from bipnet_kernels._types import Int, Ints, Key, Picks, Words
from bipnet_kernels.signs import sign_bits

_U0 = np.uint64(0)
_U1 = np.uint64(1)


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
    segment are permuted apart. ``scratch`` holds twice the longest segment and two words more.
    ``frozen`` (2,) is increased by the positive and the negative edges alone in their group.
    """
    zero = nonzero ^ nonzero
    mask = negative if by_sign else zero
    half = len(scratch) // 2
    top = np.uint64(8 * source.itemsize - 1)  # where a sign is, in integers too
    for i in range(len(starts)):
        if i % per_block == 0:
            start(stream, key, first_block + i // per_block)
        if plain and not by_sign:
            if stops[i] - starts[i] == 1:
                frozen[np.int64((source[starts[i]] & negative) != zero)] += 1
            shuffle(source, starts[i], target, starts[i], stops[i] - starts[i], stream, picks)
            continue
        # Positive edges (or all) gather in the lower half of the scratch, negative ones in the
        # upper. Every word is written to both, and only one of the ends moves on.
        front = np.uint64(0)
        back = np.uint64(half)
        if plain:
            for place in range(np.uint64(starts[i]), np.uint64(stops[i])):
                word = source[place]
                scratch[front] = word
                scratch[back] = word
                back += np.uint64(word & mask) >> top
                front = (place - np.uint64(starts[i])) + (np.uint64(half) + _U1 - back)
        else:
            for run in range(starts[i], stops[i], 64):
                count = min(np.int64(64), stops[i] - run)
                edges, minuses = sign_bits(source, run, count, nonzero, mask)
                for k in range(count):
                    word = source[np.uint64(run) + np.uint64(k)]
                    edge = (edges >> np.uint64(k)) & _U1
                    minus = (minuses >> np.uint64(k)) & _U1
                    scratch[front] = word
                    scratch[back] = word
                    front += edge - minus
                    back += minus
        if front == np.uint64(1):
            frozen[np.int64((scratch[0] & negative) != zero)] += 1
        if back == np.uint64(half + 1):
            frozen[1] += 1
        shuffle(scratch, 0, scratch, 0, np.int64(front), stream, picks)
        shuffle(scratch, half, scratch, half, np.int64(back) - half, stream, picks)
        front = np.uint64(0)
        back = np.uint64(half)
        if plain:
            for place in range(np.uint64(starts[i]), np.uint64(stops[i])):
                minus = np.uint64(source[place] & mask) >> top
                target[place] = scratch[back if minus else front]
                front += _U1 - minus
                back += minus
            continue
        for run in range(starts[i], stops[i], 64):
            count = min(np.int64(64), stops[i] - run)
            edges, minuses = sign_bits(source, run, count, nonzero, mask)
            for k in range(count):
                cell = np.uint64(run) + np.uint64(k)
                word = source[cell]
                edge = (edges >> np.uint64(k)) & _U1
                minus = (minuses >> np.uint64(k)) & _U1
                lower_word = scratch[front]
                upper_word = scratch[back]
                moved = lower_word ^ ((lower_word ^ upper_word) & (_U0 - minus))
                target[cell] = word ^ ((word ^ moved) & (_U0 - edge))
                front += edge - minus
                back += minus
