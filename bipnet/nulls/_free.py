"""What of a sign pattern can move at all: everything else is peeled off before a chain runs.

Signs move within strongly connected components alone (`_components`), and independently in each.
With the frozen edges gone, no trade is wasted on a pair of lines that have nothing in common, no
walk is lost in a part that never leads back, and a small free part is met as often as a large one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from bipnet._biadjacency import Array, Biadjacency, Ints
from bipnet.nulls._cells import (
    bits_of,
    bits_per_line,
    cells_of,
    is_full,
    is_packed,
    transposed,
)
from bipnet.nulls._components import components_of_cells, components_of_degrees, sign_components
from bipnet.nulls._edge_signs import EdgeSigns
from bipnet.nulls._rows import Rows


class Groups(NamedTuple):
    """Nodes of one side by component: group i is ``members[bounds[i]:bounds[i + 1]]``."""

    members: Ints
    bounds: Ints


@dataclass(frozen=True, eq=False)
class FreePart:
    """The edges whose sign is not the same in every pattern.

    Attributes
    ----------
    edges
        Their bits, like `Rows.edges`; None where every edge is free.
    n_edges
        Their number.
    left, right
        (n_left,) and (n_right,) label of each node's component, -1 for nodes without free edges.
    """

    edges: Array | None
    n_edges: int
    left: Ints
    right: Ints

    @cached_property
    def left_groups(self) -> Groups:
        """The left nodes of each component."""
        return _grouped(self.left)

    @cached_property
    def right_groups(self) -> Groups:
        """The right nodes of each component."""
        return _grouped(self.right)

    def of(self, rows: Rows) -> Rows:
        """The rows with the free edges alone."""
        if self.edges is None:
            return rows
        return replace(rows, edges=self.edges, positive=rows.positive & self.edges, name=None)

    def put_back(self, rows: Rows, positive: Array) -> Array:
        """New signs of the free edges, together with the frozen ones of ``rows``."""
        if self.edges is None:
            return positive
        signs: Array = (rows.positive & ~self.edges) | positive
        return signs


def _grouped(labels: Ints) -> Groups:
    by_label = np.argsort(labels, kind="stable")
    members = by_label[labels[by_label] >= 0]
    starts = np.flatnonzero(np.diff(labels[members], prepend=-1))
    return Groups(members, np.append(starts, len(members)))


def find_free_part(matrix: Biadjacency, rows: Rows) -> FreePart:
    """The free part of a sign pattern that has both signs."""
    if not is_packed(matrix):
        return _of_list(matrix, rows)
    n_right = matrix.shape[1]
    positive = cells_of(matrix, rows, rows.positive)
    edges = cells_of(matrix, rows, rows.edges)
    if is_full(matrix):
        left, right = components_of_degrees(
            bits_per_line(positive), bits_per_line(transposed(positive, n_right, 1))
        )
    else:
        left, right = components_of_cells(positive, edges, n_right)
    shared = np.intersect1d(left, right)
    left = np.where(np.isin(left, shared), left, -1)
    right = np.where(np.isin(right, shared), right, -1)
    if shared.size == 1 and (left >= 0).all() and (right >= 0).all():
        return FreePart(None, rows.n_edges, left, right)
    free = np.zeros_like(edges)
    for label in shared:
        inside = np.zeros(edges.shape[1] * 64, dtype=np.bool_)
        inside[:n_right] = right == label
        mask = np.packbits(inside, bitorder="little").view("<u8").astype(np.uint64)
        at = left == label
        free[at] = edges[at] & mask
    bits = bits_of(matrix, rows, free)
    n_edges = int(np.bitwise_count(free).sum(dtype=np.int64))
    return FreePart(None if n_edges == rows.n_edges else bits, n_edges, left, right)


def _of_list(matrix: Biadjacency, rows: Rows) -> FreePart:
    edges = EdgeSigns(matrix, rows, rows.positive)
    left, right = sign_components(matrix, edges.positive)
    is_free = left[edges.left] == right[edges.right]
    shared = np.intersect1d(left, right)
    left = np.where(np.isin(left, shared), left, -1)
    right = np.where(np.isin(right, shared), right, -1)
    n_edges = int(np.count_nonzero(is_free))
    if n_edges == rows.n_edges:
        return FreePart(None, n_edges, left, right)
    edges.positive[:] = is_free
    return FreePart(edges.packed(), n_edges, left, right)
