"""Permute weights within groups of edges: the one kernel behind null models A to F.

A *segment* is a run ``words[bounds[i]:bounds[i + 1]]`` that holds all edges of one group (the
whole matrix, a left node or a right node) and perhaps cells without an edge. Weights are moved
as bit patterns and never computed with.
"""

from __future__ import annotations

import numpy as np

from bipnet_kernels._jit import kernel
from bipnet_kernels._random import seeded, shuffle
from bipnet_kernels._types import Ints, Key, Words


@kernel
def permute_segments(
    words: Words,
    bounds: Ints,
    first: int,
    by_sign: bool,
    nonzero: np.unsignedinteger,
    negative: np.unsignedinteger,
    key: Key,
    scratch: Words,
    frozen: Ints,
) -> None:
    """Permute the edges of every segment uniformly among their cells, in place.

    ``words`` (n,) unsigned; ``bounds`` (s + 1,) int64; segment i draws from stream ``first + i``
    of ``key`` (4,). A word is an edge where ``word & nonzero``, a negative one where also
    ``word & negative``. With ``by_sign`` the positive and the negative edges of a segment are
    permuted apart. ``scratch`` holds at least the longest segment. ``frozen`` (2,) is increased
    by the positive and the negative edges that are alone in their group.
    """
    for i in range(len(bounds) - 1):
        start = bounds[i]
        stop = bounds[i + 1]
        state = seeded(key, first + i)
        # Positive edges (or all of them) fill the scratch from the front, negative ones from
        # the back; the back is read backwards too, so every order stays equally likely.
        front = 0
        back = stop - start
        n_negative = 0
        for cell in range(start, stop):
            word = words[cell]
            if word & nonzero:
                is_negative = (word & negative) != 0
                n_negative += is_negative
                if by_sign and is_negative:
                    back -= 1
                    scratch[back] = word
                else:
                    scratch[front] = word
                    front += 1
        length = stop - start
        if by_sign:
            if front == 1:
                frozen[0] += 1
            if length - back == 1:
                frozen[1] += 1
        elif front == 1:
            frozen[n_negative] += 1
        shuffle(scratch, 0, front, state)
        shuffle(scratch, back, length, state)
        front = 0
        back = length
        for cell in range(start, stop):
            word = words[cell]
            if word & nonzero:
                if by_sign and (word & negative) != 0:
                    back -= 1
                    words[cell] = scratch[back]
                else:
                    words[cell] = scratch[front]
                    front += 1


@kernel
def spread_by_sign(
    words: Words,
    positive: Words,
    nonzero: np.unsignedinteger,
    negative: np.unsignedinteger,
    key: Key,
    scratch: Words,
) -> None:
    """Spread the weights uniformly over a new sign pattern, in place (second half of G).

    ``words`` (n,) holds the old weights; ``positive`` (e,) uint8 says for the edges in order
    which are positive now: as many as before. Positive weights go to positive edges, negative
    ones to negative edges, each in uniformly random order. ``scratch`` (n,).
    """
    state = seeded(key, 0)
    front = 0
    back = len(words)
    for cell in range(len(words)):
        word = words[cell]
        if word & nonzero:
            if word & negative:
                back -= 1
                scratch[back] = word
            else:
                scratch[front] = word
                front += 1
    shuffle(scratch, 0, front, state)
    shuffle(scratch, back, len(words), state)
    front = 0
    back = len(words)
    edge = 0
    for cell in range(len(words)):
        if words[cell] & nonzero:
            if positive[edge]:
                words[cell] = scratch[front]
                front += 1
            else:
                back -= 1
                words[cell] = scratch[back]
            edge += 1
