"""What of the signs and of the weights a null model can move, and what is frozen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from bipnet._biadjacency import Array, Biadjacency, Flags, Ints
from bipnet._threads import cut
from bipnet.nulls._pilot import free_part
from bipnet.nulls._rows import packed_rows
from bipnet.nulls.models import NullModel

_BLOCK_WORDS = 1 << 17  # words looked at together: codes and words of a block stay in cache
_LISTED = 100  # frozen edges given by their ends


@dataclass(frozen=True, eq=False)
class Mobility:
    """Which edges can ever change in a draw, and which never do (signs, or weights); read-only.

    Attributes
    ----------
    n_movable
        Number of edges that are not the same in all draws.
    frozen_left, frozen_right
        (n_left,) and (n_right,) bool: nodes all of whose edges are frozen, those without edges
        included.
    frozen_edges
        (n_edges,) bool in row-major order, as `SignedBipartiteGraph.edges` gives them.
    first_frozen
        (left node, right node) of the first 100 frozen edges.
    """

    n_movable: int
    frozen_left: Flags
    frozen_right: Flags
    frozen_edges: Flags
    first_frozen: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        for mask in (self.frozen_left, self.frozen_right, self.frozen_edges):
            mask.flags.writeable = False  # signs and weights may share them

    @property
    def n_frozen(self) -> int:
        """Number of edges that are the same in all draws."""
        return self.frozen_edges.size - self.n_movable


@dataclass(frozen=True)
class _Block:
    """The edges of some successive left nodes: ends and words, (r,) each; ``at`` among all."""

    at: slice
    left: Ints
    right: Ints
    words: Array


def mobility(edges: Biadjacency, model: NullModel) -> tuple[Mobility, Mobility]:
    """What of the signs and what of the weights ``model`` can move.

    A weight (its sign included) is frozen under A to F iff all weights of its group are equal,
    since each of them comes to each place of the group. A sign is frozen iff its group has one
    sign only. Under G a sign is free iff its edge lies in a strongly connected component; a
    weight is frozen iff its sign is and all weights of that sign are equal, since each of them
    comes to each place of its sign under every sign pattern.
    """
    if model.redraws_signs:
        return _redrawn(edges, model)
    groups = _Groups(edges, model)
    if model.by_sign:
        return _none(edges), groups.mobility(groups.differ)
    both_signs = np.repeat(groups.present[::2] & groups.present[1::2], 2)
    differ = np.repeat(groups.differ[::2] | groups.differ[1::2], 2)
    return groups.mobility(both_signs), groups.mobility(both_signs | differ)


class _Groups:
    """Groups of edges by node (as the null model has them) and sign: 2 * node + (negative)."""

    def __init__(self, edges: Biadjacency, model: NullModel) -> None:
        self._edges = edges
        self._side = model.groups
        n_left, n_right = edges.shape
        n = 2 * {"all": 1, "left": n_left, "right": n_right}[model.groups]
        self.present: Flags = np.zeros(n, dtype=np.bool_)
        """Which groups have an edge at all."""
        self.differ: Flags = np.zeros(n, dtype=np.bool_)
        """Which groups have two different weights, bit for bit."""
        some = np.zeros(n, dtype=edges.words.dtype)
        for block in _blocks(edges):
            groups = self.of(block)
            new = ~self.present[groups]
            if new.any():
                some[groups[new]] = block.words[new]  # any one of a group's will do
                self.present[groups[new]] = True
            self.differ[groups[block.words != some[groups]]] = True
            if self.differ.all():
                break

    def of(self, block: _Block) -> Ints:
        """The group of each edge of a block."""
        negative = (block.words & self._edges.layout.negative) != 0
        groups: Ints = negative.astype(np.int64)
        if self._side != "all":
            groups += 2 * (block.left if self._side == "left" else block.right)
        return groups

    def mobility(self, movable: Flags) -> Mobility:
        """Mobility where the edges of the ``movable`` groups are free."""
        if not movable[self.present].any():
            return _none(self._edges)
        if movable[self.present].all():
            return _all(self._edges)
        return _some(self._edges, lambda block: movable[self.of(block)])


def _redrawn(edges: Biadjacency, model: NullModel) -> tuple[Mobility, Mobility]:
    free = free_part(edges, packed_rows(edges, 1))

    def same_component(block: _Block) -> Flags:
        labels = free.left[block.left]
        same: Flags = (labels == free.right[block.right]) & (labels >= 0)
        return same

    if free.n_edges == 0:
        signs = _none(edges)
    elif free.n_edges == edges.n_edges:
        signs = _all(edges)
    else:
        signs = _some(edges, same_component)
    groups = _Groups(edges, model)
    if groups.differ[groups.present].all():
        return signs, _all(edges)
    if not groups.differ.any() or signs.n_movable == edges.n_edges:
        return signs, signs
    return signs, _some(
        edges, lambda block: same_component(block) | groups.differ[groups.of(block)]
    )


def nodes_with_edges(edges: Biadjacency) -> tuple[Flags, Flags]:
    """Which left and which right nodes have an edge: (n_left,) and (n_right,)."""
    n_left, n_right = edges.shape
    if edges.indices is not None:
        right = np.zeros(n_right, dtype=np.bool_)
        right[edges.indices] = True
        return np.diff(edges.row_bounds) > 0, right
    if edges.n_edges == n_left * n_right:
        return np.ones(n_left, dtype=np.bool_), np.ones(n_right, dtype=np.bool_)
    cells = edges.edge_mask.reshape(edges.shape)
    return np.logical_or.reduce(cells, axis=1), np.logical_or.reduce(cells, axis=0)


def _all(edges: Biadjacency) -> Mobility:
    left, right = nodes_with_edges(edges)
    frozen = np.zeros(edges.n_edges, dtype=np.bool_)
    return Mobility(edges.n_edges, ~left, ~right, frozen, ())


def _none(edges: Biadjacency) -> Mobility:
    frozen = np.ones(edges.n_edges, dtype=np.bool_)
    first: list[tuple[int, int]] = []
    for block in _blocks(edges):
        first += zip(block.left[:_LISTED].tolist(), block.right[:_LISTED].tolist(), strict=True)
        if len(first) >= _LISTED:
            break
    left, right = (np.ones(n, dtype=np.bool_) for n in edges.shape)
    return Mobility(0, left, right, frozen, tuple(first[:_LISTED]))


def _some(edges: Biadjacency, movable: Callable[[_Block], Flags]) -> Mobility:
    frozen = np.empty(edges.n_edges, dtype=np.bool_)
    left, right = (np.ones(n, dtype=np.bool_) for n in edges.shape)
    first: list[tuple[int, int]] = []
    for block in _blocks(edges):
        free = movable(block)
        frozen[block.at] = ~free
        left[block.left[free]] = False
        right[block.right[free]] = False
        if len(first) < _LISTED:
            at = np.flatnonzero(~free)[:_LISTED]
            first += zip(block.left[at].tolist(), block.right[at].tolist(), strict=True)
    n_movable = edges.n_edges - int(np.count_nonzero(frozen))
    return Mobility(n_movable, left, right, frozen, tuple(first[:_LISTED]))


def _blocks(edges: Biadjacency) -> Iterator[_Block]:
    n_left, n_right = edges.shape
    step = max(1, _BLOCK_WORDS * n_left // max(edges.words.size, 1))
    all_right = np.arange(n_right)
    full = edges.n_edges == n_left * n_right
    done = 0
    for first, last in cut(n_left, step):
        start, stop = int(edges.row_bounds[first]), int(edges.row_bounds[last])
        words = edges.words[start:stop]
        nodes = np.arange(first, last)
        if edges.indices is not None:
            left = np.repeat(nodes, np.diff(edges.row_bounds[first : last + 1]))
            right = edges.indices[start:stop].astype(np.int64, copy=False)
        else:
            left, right = np.repeat(nodes, n_right), np.tile(all_right, last - first)
            if not full:
                is_edge = edges.edge_mask[start:stop]
                left, right, words = left[is_edge], right[is_edge], words[is_edge]
        yield _Block(slice(done, done + len(words)), left, right, words)
        done += len(words)
