"""The checked matrix every room works on: dense or CSR, row = left node, as values or words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from bipnet._bits import BitLayout, bit_layout

_BLOCK = 1 << 20  # words of one NumPy call: Ctrl-C is honoured between calls

Array = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Biadjacency:
    """Weights of a bipartite graph, checked by the door (`bipnet._check`).

    ``values`` is (n_left, n_right), C-ordered, native-endian; or, with ``indptr``
    (n_left + 1,) and ``indices`` (n_edges,), the (n_edges,) non-zero weights of a CSR matrix
    with sorted, unique columns.
    """

    shape: tuple[int, int]
    values: Array
    indptr: Array | None = None
    indices: Array | None = None

    @property
    def is_sparse(self) -> bool:
        return self.indptr is not None

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.values.dtype

    @property
    def layout(self) -> BitLayout:
        return bit_layout(self.values.dtype)

    @cached_property
    def words(self) -> Array:
        """The weights as a flat view of unsigned words, in row-major order."""
        return self.values.reshape(-1).view(self.layout.word)

    def __getstate__(self) -> dict[str, Any]:
        """Without the view, which would be pickled as a second copy of the weights."""
        return {name: value for name, value in self.__dict__.items() if name != "words"}

    @cached_property
    def row_bounds(self) -> Ints:
        """Where each left node's words begin, and where the last one's end: (n_left + 1,)."""
        if self.indptr is not None:
            return self.indptr.astype(np.int64, copy=False)
        return np.arange(self.shape[0] + 1, dtype=np.int64) * self.shape[1]

    @cached_property
    def edge_mask(self) -> Flags:
        """Which of the words are edges: (n_words,) bool."""
        words, nonzero = self.words, self.layout.nonzero
        flags = np.empty(words.size, dtype=np.bool_)
        for part in _parts(words.size):
            np.not_equal(words[part] & nonzero, 0, out=flags[part])
        return flags

    @property
    def edge_words(self) -> Array:
        """The words of the edges alone, in row-major order: (n_edges,)."""
        return self.words if self.is_sparse else self.words[self.edge_mask]

    @property
    def is_checked(self) -> bool:
        """Whether it is known that all weights are finite; asking for ``n_edges`` checks it."""
        return "_check" not in self.__dict__ or "n_edges" in self.__dict__

    @cached_property
    def n_edges(self) -> int:
        check: Callable[[], int] | None = self.__dict__.get("_check")
        if check is not None:
            return check()
        return self.words.size if self.is_sparse else int(np.count_nonzero(self.edge_mask))

    @cached_property
    def edge_rows(self) -> Ints:
        """Left node of each edge, in row-major order: (n_edges,) int64."""
        if self.is_sparse:
            degrees = np.diff(self.row_bounds)
        else:
            degrees = np.count_nonzero(self.edge_mask.reshape(self.shape), axis=1)
        rows = np.empty(self.n_edges, dtype=np.int64)
        ends = np.cumsum(degrees)
        first = 0
        while first < len(ends):
            begin = int(ends[first] - degrees[first])
            stop = max(first + 1, int(np.searchsorted(ends, begin + _BLOCK)))
            part = np.repeat(np.arange(first, stop), degrees[first:stop])
            rows[begin : begin + part.size] = part
            first = stop
        return rows

    @cached_property
    def edge_columns(self) -> Ints:
        """Right node of each edge, in row-major order: (n_edges,) int64."""
        if self.indices is not None:
            return self.indices.astype(np.int64, copy=False)
        columns = np.empty(self.n_edges, dtype=np.int64)
        done = 0
        for part in _parts(self.edge_mask.size):
            found = np.flatnonzero(self.edge_mask[part])
            columns[done : done + found.size] = (found + part.start) % self.shape[1]
            done += found.size
        return columns

    def to_be_checked(self, check: Callable[[], int]) -> Biadjacency:
        """This, with weights that nobody has looked at: ``check`` does, and counts the edges."""
        self.__dict__["_check"] = check
        return self

    def knowing(self, n_edges: int) -> Biadjacency:
        """This, with its number of edges counted already."""
        self.__dict__["n_edges"] = n_edges
        return self

    def copy(self) -> Biadjacency:
        """A copy with weights of its own; the pattern of a CSR matrix is shared."""
        return self.with_values(copied(self.values))

    def with_values(self, values: Array) -> Biadjacency:
        """The same edges (or cells) with other values."""
        return Biadjacency(self.shape, values, self.indptr, self.indices)

    def without_zeros(self) -> Biadjacency:
        """The same graph; a CSR matrix loses the entries that have become zero."""
        if self.indptr is None or self.indices is None:
            return self
        keep = (self.words & self.layout.nonzero) != 0
        if keep.all():
            return self
        counts = np.bincount(self.edge_rows[keep], minlength=self.shape[0])
        indptr = np.concatenate([[0], np.cumsum(counts)]).astype(self.indptr.dtype)
        return Biadjacency(self.shape, self.values[keep], indptr, self.indices[keep])

    def dense_values(self) -> Array:
        """The (n_left, n_right) array, built if this is sparse."""
        if not self.is_sparse:
            return self.values
        dense = np.zeros(self.shape, dtype=self.dtype)
        dense[self.edge_rows, self.edge_columns] = self.values
        return dense


def copied(array: Array) -> Array:
    """A copy in C order, made block by block: NumPy would hear of Ctrl-C afterwards only."""
    copy = np.empty(array.shape, dtype=array.dtype)
    if not array.flags.c_contiguous:
        copy[...] = array
        return copy
    source, target = array.reshape(-1), copy.reshape(-1)
    for part in _parts(source.size):
        target[part] = source[part]
    return copy


def _parts(n: int) -> Iterator[slice]:
    return (slice(start, start + _BLOCK) for start in range(0, n, _BLOCK))


Rebuild = Callable[[Biadjacency], Any]
"""Turns a result into the same kind of container as the caller's input."""
