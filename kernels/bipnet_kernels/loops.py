"""Short loops: the move that makes null model G irreducible when edges are missing.

Here the graph is a list of edges, for graphs too sparse for `bit_loops`.

Direct every positive edge left -> right and every negative edge right -> left. Sign patterns
with the same degrees are the orientations with the same out-degrees. A walk follows uniformly
chosen out-edges until a node repeats; the cycle just closed is reversed, its tail ignored
(Rahman & Stillinger 1972; Barkema & Newman 1998). Out-degrees never change, so a move and its
reverse are equally likely; a walk that ends at a node without out-edges counts as a step.
"""

from __future__ import annotations

import numpy as np

from bipnet_kernels._jit import kernel
from bipnet_kernels._stream import next_below, start, take
from bipnet_kernels._types import Int, Ints, Key, Words

_U1 = np.uint64(1)

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
def loop_streams(
    left: Ints,
    right: Ints,
    positive: Words,
    starts: Ints,
    incident: Ints,
    place: Ints,
    out: Ints,
    first: Int,
    n_streams: Int,
    key: Key,
    stream: Key,
    seen: Ints,
    path: Ints,
    nodes: Ints,
) -> np.int64:
    """Run ``n_streams * LOOPS_PER_STREAM`` short loops, in place; return the signs flipped.

    Tables as made by `list_ends`, of one edge or more; ``out`` (n,) counts out-edges. Stream s of
    ``key`` serves the loops ``s * LOOPS_PER_STREAM`` and following. Working memory: ``seen`` (n,)
    holds -1 and is left so, ``path`` and ``nodes`` (n + 1,).
    """
    n_nodes = len(out)
    flipped = np.int64(0)
    for s in range(first, first + n_streams):
        start(stream, key, s)
        for _ in range(LOOPS_PER_STREAM):
            if stream[take(stream, 1)] & _U1:
                continue  # the lazy half: without it a lone hexagon would be periodic
            node = next_below(stream, n_nodes)
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
                # Each node of the cycle loses one out-edge and gains another: the edge it
                # leaves by trades slots with the edge it was entered by.
                entered = path[i - 1] if i > closed_at else path[length - 1]
                leaving = path[i]
                here = nodes[i]
                end_in = 0 if left[entered] == here else 1
                end_out = 0 if left[leaving] == here else 1
                _swap_slots(
                    place[2 * entered + end_in],
                    place[2 * leaving + end_out],
                    incident,
                    place,
                    left,
                    here,
                )
            for i in range(closed_at, length):
                positive[path[i]] ^= 1
            flipped += length - closed_at
    return flipped
