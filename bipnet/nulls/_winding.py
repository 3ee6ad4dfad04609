"""Around which parts of a graph something may wind that trades never change.

Give every edge a number h such that, all around every square (four nodes, four edges), the numbers
add up to zero when taken with alternating signs. Then the sum of h over the positive edges is the
same after any swap, hence after any trade. If h(i, j) is always a(i) + b(j), that sum is a function
of the degrees and of no interest. If there are other such h, there are *winding numbers*: how often
the positive edges of a band run around it. Trades keep them for ever, and short loops for very long
where the shortest cycle with a winding is long. Only long loops change those (`_loops`).

Two lines (nodes of one side) that share the vertices r and s (of the other side) have h(., r) -
h(., s) in common, so there is a number for each pair of vertices that some line holds both of; it
adds up along a line. There is no winding if these numbers can all be made zero by the choice of b:
b makes them zero along a first line; then along any line whose known vertices hang together by
pairs that are zero already, as the numbers b of the others on it are still free. When no line is
left, h is a(i) + b(j). (It is the first cohomology of the Dowker complex of the graph.) If lines
are left, nothing is known, and something *may* wind.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bipnet._biadjacency import Array, Ints
from bipnet.nulls._cells import bits_per_line, transposed


def may_wind(cells: Array, left: Ints, right: Ints) -> Ints:
    """Labels of the components for which it is not shown that nothing winds around them.

    ``cells`` (n_left, words) are the free edges as bits; ``left`` and ``right`` the components of
    the nodes, -1 where a node has no free edge.
    """
    if len(left) < len(right):  # there are tables of pairs of vertices: let these be few
        cells, left, right = transposed(cells, len(right), 1), right, left
    labels = np.unique(left[left >= 0])
    winding = [label for label in labels if not _contracts(cells[left == label], right == label)]
    return np.array(winding, dtype=np.int64)


def _contracts(lines: Array, inside: npt.NDArray[np.bool_]) -> bool:
    """Whether nothing winds around one component: all its ``lines``, its vertices ``inside``."""
    n_vertices = int(np.count_nonzero(inside))
    numbers = np.cumsum(inside) - 1
    # The lines of one vertex first: they share it, so that along them everything is zero.
    root = int(np.argmax(bits_per_line(transposed(lines, len(inside), 1))))
    has_root = (lines[:, root // 64] >> np.uint64(root % 64)) & np.uint64(1)
    pending = np.argsort(1 - has_root.astype(np.int64), kind="stable")
    zero = np.eye(n_vertices, dtype=np.bool_)
    known = np.zeros(n_vertices, dtype=np.bool_)
    while pending.size:
        later = []
        for at in pending:
            bits = np.unpackbits(lines[at].astype("<u8").view(np.uint8), bitorder="little")
            members = numbers[np.flatnonzero(bits)]
            before = members[known[members]]
            if known.any() and not _one_piece(zero[np.ix_(before, before)]):
                later.append(at)
                continue
            zero[np.ix_(members, members)] = True
            known[members] = True
            if zero[members[0]].all() and zero.all():
                return True
        if len(later) == len(pending):
            return False
        pending = np.array(later, dtype=np.int64)
    return True


def _one_piece(linked: npt.NDArray[np.bool_]) -> bool:
    """Whether an undirected graph, given by its (n, n) adjacency, is connected and not empty."""
    if not len(linked):
        return False
    reached = linked[0]
    while True:
        further = linked[reached].any(axis=0)
        if further.sum() == reached.sum():
            return bool(reached.all())
        reached = further
