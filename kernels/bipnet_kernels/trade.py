"""Curveball trades on bit-packed sign patterns: the bulk of null model G.

A line is one node's row of sign bits (1 = positive edge) packed into 64-bit words. In a trade
two lines put together the columns where exactly one of them is positive (and where both have
an edge) and deal them out again, each line getting as many as it brought: every outcome is
equally likely, outcomes that change nothing included. One round of global trades pairs all
lines at random (Strona et al. 2014; Carstens, Berger & Strona 2018).

Trades of one round touch different lines. They are done in blocks of `pairs_per_block` pairs,
each with a stream of its own, so any number of threads gives the same bits.
"""

from __future__ import annotations

import numpy as np

from bipnet_kernels._jit import kernel
from bipnet_kernels._random import below, seed
from bipnet_kernels._stream import BUFFER, USED, WORDS, next_below, redrawn, refill, start, take
from bipnet_kernels._types import Int, Ints, Key, Words

_U0 = np.uint64(0)
_U1 = np.uint64(1)
_U2 = np.uint64(2)
_U4 = np.uint64(4)
_U6 = np.uint64(6)
_U32 = np.uint64(32)
_LOW32 = np.uint64(0xFFFFFFFF)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_U56 = np.uint64(56)
_U63 = np.uint64(63)
_M1 = np.uint64(0x5555555555555555)
_M2 = np.uint64(0x3333333333333333)
_M4 = np.uint64(0x0F0F0F0F0F0F0F0F)
_H01 = np.uint64(0x0101010101010101)

LEVELS = 6
"""Bits of the dyadic probability near k/t from which a k-subset is started."""

_RUN = 64  # words of a line that are chosen together

_BLOCK_WORDS = 1 << 14  # words of lines whose trades share a stream


@kernel
def popcount(x: np.uint64) -> np.int64:
    """Number of set bits (LLVM turns this into one instruction)."""
    x = x - ((x >> _U1) & _M1)
    x = (x & _M2) + ((x >> _U2) & _M2)
    x = (x + (x >> _U4)) & _M4
    return np.int64((x * _H01) >> _U56)


@kernel
def choose_bits(pool: Words, level: Int, chosen: Words, stream: Key) -> None:
    """Choose each set bit of ``pool`` independently with probability ``level / 2**LEVELS``.

    0 < level < 2**LEVELS. The bits of ``level`` from the lowest set one up say whether a random
    word is OR-ed to (1) or AND-ed with (0) what has been chosen so far.
    """
    for begin in range(0, len(pool), _RUN):
        here = np.uint64(begin)
        count = min(_RUN, len(pool) - begin)
        for w in range(count):
            chosen[here + np.uint64(w)] = _U0
        started = False
        for i in range(LEVELS):
            keep = (level >> i) & 1
            if keep == 0 and not started:
                continue  # AND with nothing chosen
            started = True
            at = take(stream, count)
            if keep:
                for w in range(count):
                    chosen[here + np.uint64(w)] |= stream[at + np.uint64(w)]
            else:
                for w in range(count):
                    chosen[here + np.uint64(w)] &= stream[at + np.uint64(w)]
        for w in range(count):
            chosen[here + np.uint64(w)] &= pool[here + np.uint64(w)]


@kernel
def draw_subset(pool: Words, size: Int, k: Int, chosen: Words, stream: Key) -> None:
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
                if next_below(stream, left) < wanted:
                    taken |= bit
                    wanted -= 1
                left -= 1
            chosen[w] = taken
        return
    level = (k * (1 << LEVELS) + size // 2) // size
    count = np.int64(0)
    if level == 0:
        for w in range(n_words):
            chosen[w] = _U0
    elif level == 1 << LEVELS:
        for w in range(n_words):
            chosen[w] = pool[w]
        count = np.int64(size)
    else:
        choose_bits(pool, level, chosen, stream)
        for w in range(n_words):
            count += popcount(chosen[w])
    # Bits are looked for at random places, most of them in vain: no branch depends on what is
    # there, and the place in the buffer is kept at hand (`next_below`, but for that).
    bound = np.uint64(n_words * 64)
    removes = count > k
    others = _U0 if removes else _ALL  # chosen bits are taken away, or other ones of the pool added
    missing = np.uint64(abs(count - k))
    used = stream[USED]
    while missing != _U0:
        if used == np.uint64(BUFFER):
            refill(stream)
            used = _U0
        product = (stream[WORDS + used] >> _U32) * bound
        used += _U1
        place = product >> _U32
        if (product & _LOW32) < bound:
            place = np.uint64(redrawn(product, bound, stream))
        spot = place >> _U6
        found = (((pool[spot] & others) ^ chosen[spot]) >> (place & _U63)) & _U1
        chosen[spot] ^= found << (place & _U63)
        missing -= found
    stream[USED] = used


@kernel
def pair_lines(
    members: Ints, bounds: Ints, order: Ints, round_number: Int, key: Key, state: Key
) -> int:
    """Pair the lines of each group at random; return the number of pairs.

    Group g is the lines ``members[bounds[g]:bounds[g + 1]]``. The pairs are neighbours 2 i and
    2 i + 1 of ``order`` (len(members),), of an odd group one line is left out. ``state`` (4,) is
    working memory.

    A round is a function of its own stream alone, so rounds may be run in any batches.
    """
    seed(state, key, round_number)
    paired = 0
    for group in range(len(bounds) - 1):
        first = bounds[group]
        size = bounds[group + 1] - first
        for i in range(size):
            order[first + i] = members[first + i]
        for i in range(size - 1, 0, -1):
            j = below(state, i + 1)
            held = order[first + i]
            order[first + i] = order[first + j]
            order[first + j] = held
        for i in range(size - size % 2):
            order[paired + i] = order[first + i]
        paired += size - size % 2
    return paired // 2


@kernel
def pairs_per_block(n_words: Int) -> Int:
    """Pairs of lines of ``n_words`` words whose trades share a stream."""
    return max(1, _BLOCK_WORDS // max(1, n_words))


@kernel
def trade_block(
    lines: Words,
    support: Words,
    order: Ints,
    n_pairs: Int,
    round_number: Int,
    block: Int,
    key: Key,
    stream: Key,
    scratch: Words,
) -> np.int64:
    """The trades of one block of pairs of one round, in place; return the sign bits changed.

    ``lines`` (m, w) uint64 sign bits, ``support`` (m, w) uint64 bits of the edges, or (0, 0)
    where every pair of nodes has an edge (padding bits must be 0 in all lines). ``order`` and
    ``n_pairs`` as made by `pair_lines`; ``scratch`` (2, w).
    """
    n_words = lines.shape[1]
    masked = len(support) > 0
    pool = scratch[0]
    chosen = scratch[1]
    moved = np.int64(0)
    per_block = pairs_per_block(n_words)
    first = block * per_block
    start(stream, key, (np.int64(round_number) << 24) + block)
    for pair in range(first, min(first + per_block, n_pairs)):
        one = np.uint64(order[2 * pair])
        other = np.uint64(order[2 * pair + 1])
        size = np.int64(0)
        k = np.int64(0)
        if masked:
            for w in range(n_words):
                differ = lines[one, w] ^ lines[other, w]
                pool[w] = differ & support[one, w] & support[other, w]
        else:
            for w in range(n_words):
                pool[w] = lines[one, w] ^ lines[other, w]
        for w in range(n_words):
            size += popcount(pool[w])
            k += popcount(pool[w] & lines[one, w])
        if k == 0 or k == size:
            continue  # a trade with one outcome: it counts, and changes nothing
        draw_subset(pool, size, k, chosen, stream)
        for w in range(n_words):
            changed = (lines[one, w] & pool[w]) ^ chosen[w]
            lines[one, w] ^= changed
            lines[other, w] ^= changed
            moved += popcount(changed)
    return 2 * moved


@kernel
def trade_rounds(
    lines: Words,
    support: Words,
    members: Ints,
    bounds: Ints,
    first: Int,
    n_rounds: Int,
    pair_key: Key,
    key: Key,
    stream: Key,
    scratch: Words,
    order: Ints,
) -> np.int64:
    """Rounds ``first`` to ``first + n_rounds - 1``, every block of each; return the bits changed.

    ``members``, ``bounds`` and ``order`` as in `pair_lines`; the rest as in `trade_block`.
    """
    per_block = pairs_per_block(lines.shape[1])
    moved = np.int64(0)
    for r in range(first, first + n_rounds):
        n_pairs = pair_lines(members, bounds, order, r, pair_key, stream)
        for block in range((n_pairs + per_block - 1) // per_block):
            moved += trade_block(lines, support, order, n_pairs, r, block, key, stream, scratch)
    return moved


@kernel
def common_bits(lines: Words, others: Words) -> np.int64:
    """How many bits are set in both of two sets of lines (m, w)."""
    total = np.int64(0)
    for i in range(len(lines)):
        for w in range(lines.shape[1]):
            total += popcount(lines[i, w] & others[i, w])
    return total
