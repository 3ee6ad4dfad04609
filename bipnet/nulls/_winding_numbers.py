"""The winding numbers of a sign pattern: what trades keep and only long loops change.

`_winding` says what a winding number is: the sum, over the positive edges, of numbers h such that
around every square of edges the alternating sum is zero, but which is not a(i) + b(j). Here such h
are found, line by line. Where the known vertices of a line hang together by lines done before, h
along it follows from them; if it follows in two ways, they must agree. Where they fall into
pieces, a new unknown is named for each piece but the first; agreements are linear equations in the
unknowns, and what they leave free are the independent h. A graph may have very many, most of them
around short cycles that short loops turn; those around the longest cycles are kept, the others set
to zero.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bipnet._biadjacency import Array, Ints
from bipnet.nulls._edge_signs import EdgeSigns
from bipnet.nulls._loops import LoopChain

MOST_EDGES = 1 << 15
"""Edges of a component beyond which its windings are not looked for."""

MOST_WINDINGS = 64
"""Winding numbers that are watched, those around the longest cycles first."""

LEAST_DEPTH = 8
"""Edges between the first node of a component and the farthest, up to which its windings are not
looked for: they go around cycles of about twice as many nodes, and about as many long loops change
each of them, ln(1000) times over: no more than there are in any case (`_loops.LONG_LOOPS`)."""

_Numbers = npt.NDArray[np.float64]

_GOLDEN = 0.618033988749895  # its multiples spread over the unit interval
_ZERO = 1e-9  # sums of a few small integers and their ratios


@dataclass(frozen=True, eq=False)
class WindingNumbers:
    """Independent winding numbers of a graph.

    Attributes
    ----------
    edges, left, right
        (e,) the edges for which some h is not zero, in row-major order, and their nodes.
    h
        (n, e) the numbers; winding number w of a pattern is the sum of ``h[w]`` over its positive
        edges.
    """

    edges: Ints
    left: Ints
    right: Ints
    h: _Numbers

    @property
    def n(self) -> int:
        """How many there are."""
        return len(self.h)

    def of(self, chain: LoopChain) -> _Numbers:
        """The winding numbers of the pattern that a chain has reached: (n,)."""
        numbers: _Numbers = self.h @ chain.positive_at(self.left, self.right)
        return numbers

    def quantum(self, number: int) -> float:
        """About the least change of one of them."""
        h = np.abs(self.h[number])
        return float(h[h > 0].min())

    def together(self, n_edges: int) -> _Numbers:
        """One number per edge whose sum grows with all winding numbers, (n_edges,).

        The weights differ, so that hardly any combination of the numbers is left out of the sum.
        """
        costs = np.zeros(n_edges)
        costs[self.edges] = (1 + np.arange(1, self.n + 1) * _GOLDEN % 1) @ self.h
        return costs


def winding_numbers(edges: EdgeSigns, labels: Ints, winding: Ints) -> WindingNumbers:
    """The winding numbers of a graph with these edges.

    ``labels`` (n_left,) are the components of the left nodes, ``winding`` those to look at.
    """
    left, right = edges.left, edges.right
    parts: list[tuple[Ints, _Numbers, Ints]] = []
    of_edge = labels[left]
    for label in winding:
        inside = np.flatnonzero(of_edge == label)
        if len(inside) <= MOST_EDGES:
            h, lengths = _Component(left[inside], right[inside]).solve()
            parts.append((inside, h, lengths))
    lengths = np.concatenate([part[2] for part in parts] or [np.empty(0, dtype=np.int64)])
    kept = np.sort(np.argsort(-lengths, kind="stable")[:MOST_WINDINGS])
    of_part = np.repeat(np.arange(len(parts)), [len(part[2]) for part in parts])
    h = np.zeros((len(kept), len(left)))
    first = 0
    for number, (inside, values, own) in enumerate(parts):
        mine = np.flatnonzero(of_part[kept] == number)
        h[mine[:, None], inside] = values[:, kept[mine] - first].T
        first += len(own)
    used = np.flatnonzero(h.any(axis=0))
    return WindingNumbers(
        used,
        left[used].astype(np.int64),
        right[used].astype(np.int64),
        np.ascontiguousarray(h[:, used]),
    )


class _Component:
    """One component: its lines are left nodes, their vertices right nodes."""

    def __init__(self, left: Array, right: Array) -> None:
        _, self._line = np.unique(left, return_inverse=True)
        _, self._vertex = np.unique(right, return_inverse=True)
        n_lines, n_vertices = (int(nodes.max()) + 1 for nodes in (self._line, self._vertex))
        self._of_line = _slots(self._line, n_lines)
        self._of_vertex = _slots(self._vertex, n_vertices)
        self._order, self._parent, self._depth = _tree(self._line, self._vertex)
        self._done = np.zeros(n_lines, dtype=np.bool_)
        self._known = np.zeros(n_vertices, dtype=np.bool_)
        self._room = np.zeros((len(left), 8))  # a column per unknown, and some to spare
        self._lengths: list[int] = []
        self._equations: list[_Numbers] = []

    def solve(self) -> tuple[_Numbers, Ints]:
        """h of the edges, (n_edges, n), and the lengths of cycles they wind around, (n,)."""
        if self._depth.max() <= LEAST_DEPTH:
            return np.zeros((len(self._line), 0)), np.empty(0, dtype=np.int64)
        queue = [(0, int(np.argmin(self._order)))]
        queued, stuck = {queue[0][1]}, set[int]()
        while queue or stuck:
            forced = not queue
            line = min(stuck, key=self._order.__getitem__) if forced else heapq.heappop(queue)[1]
            queued.discard(line)
            if self._done[line]:
                continue
            if not self._enter(line, forced):
                stuck.add(line)
                continue
            stuck.discard(line)
            for other in self._neighbours(line):
                if not self._done[other] and other not in queued:
                    queued.add(other)
                    heapq.heappush(queue, (int(self._order[other]), other))
            if len(self._lengths) >= 4 * MOST_WINDINGS:
                self._eliminate()
        self._eliminate()
        return self._values.copy(), np.array(self._lengths, dtype=np.int64)

    @property
    def _values(self) -> _Numbers:
        """h of the edges, by unknown: a view."""
        return self._room[:, : len(self._lengths)]

    def _neighbours(self, line: int) -> list[int]:
        vertices = self._vertex[self._of_line[line]]
        edges = np.concatenate([self._of_vertex[vertex] for vertex in vertices])
        others: list[int] = np.unique(self._line[edges]).tolist()
        return others

    def _enter(self, line: int, forced: bool) -> bool:
        """Find h along a line; whether this was done. Only if ``forced`` may pieces be joined."""
        own = self._of_line[line]
        vertices = self._vertex[own]
        meeting = [self._of_vertex[vertex] for vertex in vertices]
        edge = np.concatenate(meeting)
        place = np.repeat(np.arange(len(own)), [len(edges) for edges in meeting])
        done = self._done[self._line[edge]]
        edge, place = edge[done], place[done]
        by_line = np.argsort(self._line[edge], kind="stable")
        edge, place = edge[by_line], place[by_line]
        same = np.flatnonzero(self._line[edge][1:] == self._line[edge][:-1])
        one, other = place[same], place[same + 1]
        walk, piece = _spanning(one, other, len(own))
        known = np.flatnonzero(self._known[vertices])
        pieces = np.unique(piece[known])
        if len(pieces) > 1 and not forced:
            return False
        steps = self._values[edge[same + 1]] - self._values[edge[same]]
        h = np.zeros((len(own), steps.shape[1]))
        for here, there, link, sign in walk:
            h[there] = h[here] + sign * steps[link]
        self._equations.extend(
            row for row in h[other] - h[one] - steps if np.abs(row).max(initial=0) > _ZERO
        )
        self._values[own] = h
        for further in pieces[1:]:
            self._name(int(vertices[pieces[0]]), int(vertices[further]))
            self._values[own[piece == further], -1] = 1
        self._done[line] = True
        self._known[vertices] = True
        return True

    def _name(self, one: int, other: int) -> None:
        """A new unknown, around the cycle that two vertices of a line close."""
        n_lines = len(self._of_line)
        a, b = n_lines + one, n_lines + other
        length = 2
        while a != b:
            if self._depth[a] < self._depth[b]:
                a, b = b, a
            a = int(self._parent[a])
            length += 1
        if len(self._lengths) == self._room.shape[1]:
            self._room = np.pad(self._room, ((0, 0), (0, len(self._lengths))))
        self._lengths.append(length)

    def _eliminate(self) -> None:
        """Solve the equations for the unknowns of short cycles; keep the longest of the others."""
        lengths = np.array(self._lengths, dtype=np.int64)
        order = np.argsort(lengths, kind="stable")
        rows = np.zeros((len(self._equations), len(lengths)))
        for row, equation in zip(rows, self._equations, strict=True):
            row[: len(equation)] = equation
        rows = np.unique(np.round(rows, 9), axis=0)[:, order]
        pivots: list[int] = []
        for column in range(len(lengths)):
            below = np.abs(rows[len(pivots) :, column])
            if not below.size or below.max() <= _ZERO:
                continue
            at, top = len(pivots) + int(below.argmax()), len(pivots)
            rows[[top, at]] = rows[[at, top]]
            rows[top] /= rows[top, column]
            factors = rows[:, column].copy()
            factors[top] = 0
            rows -= np.outer(factors, rows[top])
            pivots.append(column)
        free = np.setdiff1d(np.arange(len(lengths)), pivots)[-MOST_WINDINGS:]
        basis = np.zeros((len(lengths), len(free)))
        basis[order[free], np.arange(len(free))] = 1
        if pivots:
            basis[order[pivots]] = -rows[: len(pivots)][:, free]
        values = np.round(self._values @ basis, 9)
        self._lengths = lengths[order[free]].tolist()
        self._values[:] = values
        self._room[:, len(free) :] = 0
        self._equations = []


def _slots(nodes: Ints, n: int) -> list[Ints]:
    """The edges at each node."""
    by_node = np.argsort(nodes, kind="stable")
    return np.split(by_node, np.searchsorted(nodes[by_node], np.arange(1, n)))


def _tree(line: Ints, vertex: Ints) -> tuple[Ints, Ints, Ints]:
    """Breadth-first rank, parent and depth of every node; vertices are numbered after lines."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import breadth_first_order

    n_lines = int(line.max()) + 1
    n = n_lines + int(vertex.max()) + 1
    ends = (line, n_lines + vertex)
    graph = coo_array((np.ones(len(line)), ends), shape=(n, n)).tocsr()
    found, parent = breadth_first_order(graph, 0, directed=False)
    rank, depth = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    rank[found] = np.arange(n)
    for node in found[1:]:
        depth[node] = depth[parent[node]] + 1
    return rank, parent.astype(np.int64), depth


def _spanning(one: Ints, other: Ints, n: int) -> tuple[list[tuple[int, int, int, int]], Ints]:
    """Links that span the pieces of n places, and each place's piece.

    A link is (from, to, its number, 1 or -1 if it is walked backward), in the order of a walk.
    """
    links: list[list[tuple[int, int, int, int]]] = [[] for _ in range(n)]
    _, first = np.unique(one * n + other, return_index=True)
    for at in first.tolist():
        a, b = int(one[at]), int(other[at])
        links[a].append((a, b, at, 1))
        links[b].append((b, a, at, -1))
    walk: list[tuple[int, int, int, int]] = []
    piece = np.full(n, -1)
    for root in range(n):
        if piece[root] >= 0:
            continue
        piece[root] = root
        todo = [root]
        while todo:
            for link in links[todo.pop()]:
                there = link[1]
                if piece[there] < 0:
                    piece[there] = root
                    walk.append(link)
                    todo.append(there)
    return walk, piece
