"""The sign pattern as a whole: rich nodes first, and as block means where it is large."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bipnet.errors import InputError
from bipnet.graph import as_graph
from bipnet.measures._signs import sign_matrix


@dataclass(frozen=True)
class SignPattern:
    """Mean signs of blocks of a matrix with its nodes in order.

    Attributes
    ----------
    means
        (n_row_blocks, n_column_blocks) mean over the pairs of a block of the signs: +1, -1, 0
        where there is no edge.
    left_edges, right_edges
        (n_row_blocks + 1,), (n_column_blocks + 1,): block i is of the nodes in the places
        ``left_edges[i]`` to ``left_edges[i + 1] - 1`` of ``left_order``.
    left_order, right_order
        Nodes in the order of the places.
    """

    means: npt.NDArray[np.float64]
    left_edges: npt.NDArray[np.int64]
    right_edges: npt.NDArray[np.int64]
    left_order: npt.NDArray[np.int64]
    right_order: npt.NDArray[np.int64]

    @property
    def is_reduced(self) -> bool:
        """Whether some block has more than one pair of nodes."""
        return self.means.size < self.left_order.size * self.right_order.size


def sign_pattern(
    W: Any, *, most_blocks: tuple[int, int] = (300, 300), sort: bool = True
) -> SignPattern:
    """The signs of a graph, nodes with the highest k+ first, reduced to block means.

    Parameters
    ----------
    W
        Graph or matrix; a sparse one is made dense.
    most_blocks
        At most how many blocks of rows and of columns. Blocks have as equal sizes as there can be.
    sort
        By k+, both sides; nodes of the same k+ stay in order. False: all stay in order.

    Raises
    ------
    InputError
        An impossible number of blocks, no accepted matrix.
    TooLargeError
        It does not fit into memory.

    Examples
    --------
    >>> found = sign_pattern([[-1, 0, 1], [1, -2, 3]])
    >>> found.means
    array([[ 1.,  1., -1.],
           [ 1., -1.,  0.]])
    >>> found.left_order, found.right_order
    (array([1, 0]), array([2, 0, 1]))
    >>> sign_pattern([[1, 1, -1, 0]], most_blocks=(1, 2)).means
    array([[ 1. , -0.5]])
    """
    graph = as_graph(W)
    try:
        most_rows, most_columns = (int(n) for n in most_blocks)
    except (TypeError, ValueError):
        raise InputError(f"most_blocks must be two numbers, got {most_blocks!r}") from None
    if min(most_rows, most_columns) < 1:
        raise InputError(f"most_blocks must be from 1 on, got {most_blocks!r}")
    signs = sign_matrix(graph, "left")
    left, right = np.arange(graph.n_left), np.arange(graph.n_right)
    if sort:
        left = np.argsort(-graph.degrees("left", "+"), kind="stable")
        right = np.argsort(-graph.degrees("right", "+"), kind="stable")
        signs = signs[left][:, right]
    rows, columns = _cuts(graph.n_left, most_rows), _cuts(graph.n_right, most_columns)
    sums = np.add.reduceat(signs, columns[:-1], axis=1, dtype=np.float64)
    sums = np.add.reduceat(sums, rows[:-1], axis=0)
    means = sums / (np.diff(rows)[:, None] * np.diff(columns)[None, :])
    return SignPattern(means, rows, columns, left, right)


def _cuts(n: int, most: int) -> npt.NDArray[np.int64]:
    n_blocks = min(n, most)
    return np.arange(n_blocks + 1, dtype=np.int64) * n // n_blocks
