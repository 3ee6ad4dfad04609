"""Curveball trades on bit-packed sign patterns: the bulk of null model G.

A line is one node's row of sign bits (1 = positive edge) packed into 64-bit words. In a trade
two lines put together the columns where exactly one of them is positive (and where both have
an edge) and deal them out again, each line getting as many as it brought: every outcome is
equally likely, outcomes that change nothing included. One round of global trades pairs all
lines at random (Strona et al. 2014; Carstens, Berger & Strona 2018).
"""

from __future__ import annotations

import numpy as np

from bipnet_kernels._jit import kernel
from bipnet_kernels._random import below, drawn, seeded
from bipnet_kernels._types import Int, Ints, Key, Words

_U0 = np.uint64(0)
_U1 = np.uint64(1)
_U2 = np.uint64(2)
_U4 = np.uint64(4)
_U6 = np.uint64(6)
_U56 = np.uint64(56)
_U63 = np.uint64(63)
_M1 = np.uint64(0x5555555555555555)
_M2 = np.uint64(0x3333333333333333)
_M4 = np.uint64(0x0F0F0F0F0F0F0F0F)
_H01 = np.uint64(0x0101010101010101)

LEVELS = 6
"""Bits of the dyadic probability near k/t from which a k-subset is started."""


@kernel
def popcount(x: np.uint64) -> np.int64:
    """Number of set bits (LLVM turns this into one instruction)."""
    x = x - ((x >> _U1) & _M1)
    x = (x & _M2) + ((x >> _U2) & _M2)
    x = (x + (x >> _U4)) & _M4
    return np.int64((x * _H01) >> _U56)


@kernel
def bernoulli_word(state: Key, level: Int) -> np.uint64:
    """64 independent bits, each set with probability ``level / 2**LEVELS`` (0 < level)."""
    word = _U0
    started = False
    for i in range(LEVELS):
        bit = (level >> i) & 1
        if bit == 0 and not started:
            continue  # AND with an all-zero word stays zero
        fresh = drawn(state)
        word = (word | fresh) if bit else (word & fresh)
        started = True
    return word


@kernel
def draw_subset(pool: Words, size: Int, k: Int, chosen: Words, state: Key) -> None:
    """Choose k of the ``size`` set bits of ``pool`` (w,), every k-subset equally likely.

    Few bits are listed and dealt one by one. Many bits are first chosen independently with a
    dyadic probability near k / size; given their number all such subsets are equally likely,
    and so they stay when uniformly chosen bits are taken away or added until there are k.
    """
    n_words = len(pool)
    if size < 2 * n_words or size < 24:
        # Selection sampling (Knuth, TAOCP 3.4.2 algorithm S) over the set bits.
        wanted = k
        left = size
        for w in range(n_words):
            word = pool[w]
            taken = _U0
            while word != _U0 and wanted > 0:
                bit = word & (_U0 - word)
                word ^= bit
                if below(state, left) < wanted:
                    taken |= bit
                    wanted -= 1
                left -= 1
            chosen[w] = taken
        return
    level = (k * (1 << LEVELS) + size // 2) // size
    count = np.int64(0)
    for w in range(n_words):
        if level == 0:
            taken = _U0
        elif level == 1 << LEVELS:
            taken = pool[w]
        else:
            taken = pool[w] & bernoulli_word(state, level)
        chosen[w] = taken
        count += popcount(taken)
    n_bits = n_words * 64
    while count != k:
        place = np.uint64(below(state, n_bits))
        bit = _U1 << (place & _U63)
        spot = np.int64(place >> _U6)
        if count > k:
            if chosen[spot] & bit:
                chosen[spot] ^= bit
                count -= 1
        elif (pool[spot] & bit) and not (chosen[spot] & bit):
            chosen[spot] ^= bit
            count += 1


@kernel
def trade_rounds(lines: Words, support: Words, first: int, n_rounds: int, key: Key) -> np.int64:
    """Run rounds ``first`` to ``first + n_rounds - 1`` of global trades on ``lines``, in place.

    ``lines`` (m, w) uint64 sign bits, ``support`` (m, w) uint64 bits of the edges, or (0, 0)
    where every pair of nodes has an edge (padding bits must be 0 in all lines). Round r draws
    from stream r of ``key``. Returns the number of sign bits that changed in all rounds.
    """
    n_lines, n_words = lines.shape
    masked = len(support) > 0
    order = np.arange(n_lines)
    pool = np.empty(n_words, dtype=np.uint64)
    chosen = np.empty(n_words, dtype=np.uint64)
    moved = np.int64(0)
    for r in range(first, first + n_rounds):
        state = seeded(key, r)
        # A round is a function of its own stream alone, so rounds may be run in any batches.
        for i in range(n_lines):
            order[i] = i
        for i in range(n_lines - 1, 0, -1):
            j = below(state, i + 1)
            held = order[i]
            order[i] = order[j]
            order[j] = held
        for pair in range(n_lines // 2):
            a = order[2 * pair]
            b = order[2 * pair + 1]
            size = np.int64(0)
            k = np.int64(0)
            for w in range(n_words):
                differ = lines[a, w] ^ lines[b, w]
                if masked:
                    differ &= support[a, w] & support[b, w]
                pool[w] = differ
                size += popcount(differ)
                k += popcount(differ & lines[a, w])
            if k == 0 or k == size:
                continue  # a trade with one outcome: it counts, and changes nothing
            draw_subset(pool, size, k, chosen, state)
            for w in range(n_words):
                changed = (lines[a, w] & pool[w]) ^ chosen[w]
                lines[a, w] ^= changed
                lines[b, w] ^= changed
                moved += 2 * popcount(changed)
    return moved


@kernel
def first_tradable_pair(lines: Words, order: Ints) -> int:
    """First i such that lines ``order[i]`` and ``order[i + 1]`` can trade, or -1.

    With lines sorted by their number of set bits and no missing edges, -1 proves that no two
    lines can trade at all (all are nested), so the sign pattern is the only one of its degrees.
    """
    for i in range(len(order) - 1):
        only_first = False
        only_second = False
        for w in range(lines.shape[1]):
            only_first |= (lines[order[i], w] & ~lines[order[i + 1], w]) != 0
            only_second |= (lines[order[i + 1], w] & ~lines[order[i], w]) != 0
        if only_first and only_second:
            return i
    return -1
