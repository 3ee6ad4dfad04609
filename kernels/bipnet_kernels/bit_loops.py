"""Loops on bit-packed sign patterns: the moves of `loops` where there are many edges.

A node's line has a bit for each node of the other side, set where the edge leads there: a left
node's bits are its positive edges, a right node's its negative ones. Such lines are 1/16 of a
table of edges and stay in cache; there is nothing to set up but a transpose.
"""

from __future__ import annotations

import numpy as np

from bipnet_kernels._jit import kernel
from bipnet_kernels._stream import next_below, start, take
from bipnet_kernels._types import Int, Ints, Key, Words
from bipnet_kernels.loops import LOOPS_PER_STREAM
from bipnet_kernels.trade import popcount

_U0 = np.uint64(0)
_U1 = np.uint64(1)
_U6 = np.uint64(6)
_U32 = np.uint64(32)
_U63 = np.uint64(63)

MOST_TRIES = 8
"""Places per set bit up to which one is found by trying places, and not by counting bits."""


@kernel
def random_bit(line: Words, n_places: Int, n_set: Int, stream: Key) -> np.int64:
    """Return the place of a uniformly chosen set bit of ``line`` (w,).

    ``n_set`` >= 1 of its ``n_places`` bits are set, and no others.
    """
    if n_set * MOST_TRIES >= n_places:
        while True:
            place = np.uint64(next_below(stream, n_places))
            if (line[place >> _U6] >> (place & _U63)) & _U1:
                return np.int64(place)
    rank = next_below(stream, n_set)
    w = 0
    count = popcount(line[0])
    while rank >= count:
        rank -= count
        w += 1
        count = popcount(line[w])
    word = line[w]
    for _ in range(rank):
        word &= word - _U1
    return np.int64(64 * w) + popcount((word & (_U0 - word)) - _U1)


@kernel
def turn(ahead: Words, back: Words, n_left: Int, node: Int, other: Int) -> None:
    """Take the edge from ``node`` to ``other`` out of the line of ``node``, or put it in."""
    if node < n_left:
        place = np.uint64(other - n_left)
        ahead[node, place >> _U6] ^= _U1 << (place & _U63)
    else:
        place = np.uint64(other)
        back[node - n_left, place >> _U6] ^= _U1 << (place & _U63)


@kernel
def long_loop(
    ahead: Words, back: Words, out: Ints, first: Int, stream: Key, path: Ints
) -> np.int64:
    """A long loop from ``first``, in place; return the edges turned, 0 if it was given up.

    An edge that was walked leaves the line of the node it came from, but enters that of the node
    it led to only when that one has been left: a walk never turns back at once.
    """
    n_left = len(ahead)
    most = len(path) - 1
    node = np.int64(first)
    length = np.int64(0)
    while length < most and out[node] > 0:
        if node < n_left:
            then = n_left + random_bit(ahead[node], len(back), out[node], stream)
        else:
            then = random_bit(back[node - n_left], n_left, out[node], stream)
        turn(ahead, back, n_left, node, then)
        if length > 0:
            turn(ahead, back, n_left, node, path[length - 1])
        path[length] = node
        length += 1
        node = then
        if node == first:
            turn(ahead, back, n_left, node, path[length - 1])
            return length
    path[length] = node
    for i in range(length - 1, -1, -1):  # the way back, step by step
        if i > 0:
            turn(ahead, back, n_left, path[i], path[i - 1])
        turn(ahead, back, n_left, path[i], path[i + 1])
    return np.int64(0)


@kernel
def bit_loop_streams(
    ahead: Words,
    back: Words,
    out: Ints,
    starts: Ints,
    long_below: Ints,
    first: Int,
    n_streams: Int,
    key: Key,
    stream: Key,
    seen: Ints,
    path: Ints,
) -> np.int64:
    """Run ``n_streams * LOOPS_PER_STREAM`` loops, in place; return how often an edge was turned.

    ``ahead`` (n_left, v) and ``back`` (n_right, w) uint64 are the lines of the left and of the
    right nodes, ``out`` (n_left + n_right,) their numbers of set bits, ``starts`` the nodes that
    walks begin at (right nodes are numbered after left ones), ``long_below`` (n_left + n_right,)
    that of 2**32 chances with which a loop from a node is a long one. Stream s of ``key`` serves
    the loops ``s * LOOPS_PER_STREAM`` and following. Working memory: ``seen`` (n,) holds -1 and
    is left so, ``path`` (n + 1 or more,); a long loop is given up after ``len(path) - 1`` edges.
    """
    n_left = len(ahead)
    n_right = len(back)
    flipped = np.int64(0)
    for s in range(first, first + n_streams):
        start(stream, key, s)
        for _ in range(LOOPS_PER_STREAM):
            chance = stream[take(stream, 1)]
            if chance & _U1:
                continue  # the lazy half: without it a lone hexagon would be periodic
            node = np.int64(starts[next_below(stream, len(starts))])
            if np.int64(chance >> _U32) < long_below[node]:
                flipped += long_loop(ahead, back, out, node, stream, path)
                continue
            length = np.int64(0)
            while seen[node] < 0 and out[node] > 0:
                seen[node] = length
                path[length] = node
                length += 1
                if node < n_left:
                    node = n_left + random_bit(ahead[node], n_right, out[node], stream)
                else:
                    node = random_bit(back[node - n_left], n_left, out[node], stream)
            closed_at = np.int64(seen[node])
            for i in range(length):
                seen[path[i]] = -1
            if closed_at < 0:
                continue  # a dead end: a step that changes nothing
            path[length] = node
            for i in range(closed_at, length):
                left = np.uint64(min(path[i], path[i + 1]))
                right = np.uint64(max(path[i], path[i + 1]) - n_left)
                ahead[left, right >> _U6] ^= _U1 << (right & _U63)
                back[right, left >> _U6] ^= _U1 << (left & _U63)
            flipped += length - closed_at
    return flipped
