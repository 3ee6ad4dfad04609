"""Loops: the moves that make null model G irreducible when edges are missing.

Here the graph is a list of edges, for graphs too sparse for `bit_loops`.

Direct every positive edge left -> right and every negative edge right -> left. Sign patterns
with the same degrees are the orientations with the same out-degrees. A walk follows uniformly
chosen out-edges until a node repeats; the cycle just closed is reversed, its tail ignored: a
*short* loop. A *long* one turns every edge as it walks, never one twice in a row, until it is back
at its first node (both: Rahman & Stillinger 1972; Barkema & Newman 1998). Out-degrees never change,
so a move and its reverse are equally likely; a walk that ends at a node without out-edges, or is
too long, counts as a step. Short loops settle what is local at little cost, long ones what winds
around the whole graph, which short loops all but never do.
"""

from __future__ import annotations

import numpy as np

from bipnet_kernels._jit import kernel
from bipnet_kernels._stream import next_below, start, take
from bipnet_kernels._types import Int, Ints, Key, Words

_U1 = np.uint64(1)
_U32 = np.uint64(32)

LOOPS_PER_STREAM = 256
"""Loops that share one random stream; batches of whole streams give the same result."""


@kernel
def list_ends(
    left: Ints,
    right: Ints,
    positive: Words,
    first: Int,
    stop: Int,
    outward: bool,
    starts: Ints,
    filled: Ints,
    incident: Ints,
    place: Ints,
) -> None:
    """Enter edges ``first`` to ``stop - 1`` at the nodes they leave (``outward``) or lead to.

    ``left`` (e,) and ``right`` (e,) are node numbers 0..n-1 (right nodes come after left ones),
    ``positive`` (e,) uint8, ``starts`` (n + 1,) offsets of each node's part of ``incident``
    (2 e,), ``filled`` (n,) how much of it is taken. ``place`` (2 e,) says where edge e stands in
    its left node's part (2 e) and in its right node's (2 e + 1). Out-edges must come first.
    """
    for edge in range(first, stop):
        at_left = (positive[edge] != 0) == outward
        node = left[edge] if at_left else right[edge]
        slot = starts[node] + filled[node]
        filled[node] += 1
        incident[slot] = edge
        place[2 * edge + (0 if at_left else 1)] = slot


@kernel
def _swap_slots(
    slot_a: Int, slot_b: Int, incident: Ints, place: Ints, left: Ints, node: Int
) -> None:
    """Exchange two slots of one node's part of ``incident``."""
    a = incident[slot_a]
    b = incident[slot_b]
    incident[slot_a] = b
    incident[slot_b] = a
    place[2 * a + (0 if left[a] == node else 1)] = slot_b
    place[2 * b + (0 if left[b] == node else 1)] = slot_a


@kernel
def _hand_over(
    entered: Int, leaving: Int, incident: Ints, place: Ints, left: Ints, node: Int
) -> None:
    """Let a node lose one out-edge and gain another: the two edges trade slots."""
    end_in = 0 if left[entered] == node else 1
    end_out = 0 if left[leaving] == node else 1
    _swap_slots(
        place[2 * entered + end_in], place[2 * leaving + end_out], incident, place, left, node
    )


@kernel
def _long_list_loop(
    left: Ints,
    right: Ints,
    positive: Words,
    starts: Ints,
    incident: Ints,
    place: Ints,
    out: Ints,
    first: Int,
    stream: Key,
    path: Ints,
    nodes: Ints,
) -> np.int64:
    """A long loop from ``first``, in place; return the edges turned, 0 if it was given up."""
    most = len(path) - 1
    node = np.int64(first)
    length = np.int64(0)
    while length < most and out[node] > 0:
        edge = incident[starts[node] + next_below(stream, out[node])]
        if length > 0:
            _hand_over(path[length - 1], edge, incident, place, left, node)
        path[length] = edge
        nodes[length] = node
        length += 1
        node = np.int64(right[edge] if left[edge] == node else left[edge])
        if node == first:
            _hand_over(edge, path[0], incident, place, left, node)
            for i in range(length):
                positive[path[i]] ^= 1
            return length
    for i in range(length - 1, 0, -1):  # the way back, step by step
        _hand_over(path[i], path[i - 1], incident, place, left, nodes[i])
    return np.int64(0)


@kernel
def loop_streams(
    left: Ints,
    right: Ints,
    positive: Words,
    starts: Ints,
    incident: Ints,
    place: Ints,
    out: Ints,
    long_below: Ints,
    first: Int,
    n_streams: Int,
    key: Key,
    stream: Key,
    seen: Ints,
    path: Ints,
    nodes: Ints,
) -> np.int64:
    """Run ``n_streams * LOOPS_PER_STREAM`` loops, in place; return how often an edge was turned.

    Tables as made by `list_ends`, of one edge or more; ``out`` (n,) counts out-edges,
    ``long_below`` (n,) is that of 2**32 chances with which a loop from a node is a long one.
    Stream s of ``key`` serves the loops ``s * LOOPS_PER_STREAM`` and following. Working memory:
    ``seen`` (n,) holds -1 and is left so, ``path`` and ``nodes`` (n + 1 or more,); a long loop is
    given up after ``len(path) - 1`` edges.
    """
    n_nodes = len(out)
    flipped = np.int64(0)
    for s in range(first, first + n_streams):
        start(stream, key, s)
        for _ in range(LOOPS_PER_STREAM):
            chance = stream[take(stream, 1)]
            if chance & _U1:
                continue  # the lazy half: without it a lone hexagon would be periodic
            node = next_below(stream, n_nodes)
            if np.int64(chance >> _U32) < long_below[node]:
                flipped += _long_list_loop(
                    left,
                    right,
                    positive,
                    starts,
                    incident,
                    place,
                    out,
                    node,
                    stream,
                    path,
                    nodes,
                )
                continue
            length = np.int64(0)
            while seen[node] < 0 and out[node] > 0:
                seen[node] = length
                edge = incident[starts[node] + next_below(stream, out[node])]
                path[length] = edge
                nodes[length] = node
                length += 1
                node = np.int64(right[edge] if left[edge] == node else left[edge])
            closed_at = np.int64(seen[node])
            for i in range(length):
                seen[nodes[i]] = -1
            if closed_at < 0:
                continue  # a dead end: a step that changes nothing
            for i in range(closed_at, length):
                entered = path[i - 1] if i > closed_at else path[length - 1]
                _hand_over(entered, path[i], incident, place, left, nodes[i])
            for i in range(closed_at, length):
                positive[path[i]] ^= 1
            flipped += length - closed_at
    return flipped
