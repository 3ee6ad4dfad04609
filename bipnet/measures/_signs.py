"""The sign pattern of a graph as matrices, and the products of their rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt

from bipnet._memory import require_memory
from bipnet.errors import InputError
from bipnet.graph import Side, Sign, SignedBipartiteGraph

Matrix = npt.NDArray[np.float32]

_EXACT = 1 << 24
"""float32 holds whole numbers exactly up to here: no node may have more neighbours."""

_BLOCK_BYTES = 1 << 27  # of a block of rows of a product


def checked_side(side: Side) -> Side:
    if side not in ("left", "right"):
        raise InputError(f"side must be 'left' or 'right', got {side!r}")
    return side


def checked_sign(sign: Sign | None, *, both: bool = True) -> Sign | None:
    """ "+", "-", or None for all edges where that makes sense."""
    if sign not in (("+", "-", None) if both else ("+", "-")):
        known = "'+', '-' or None (all edges)" if both else "'+' or '-'"
        raise InputError(f"sign must be {known}, got {sign!r}")
    return sign


def sign_matrix(graph: SignedBipartiteGraph, side: Side) -> Matrix:
    """(n, m) matrix of +1, -1 and 0, a row for each node of ``side``."""
    require_memory(4 * graph.n_left * graph.n_right, f"the signs of {graph.shape}")
    signs: Matrix
    if graph.is_sparse:
        signs = np.zeros(graph.shape, dtype=np.float32)
        rows, columns, weights = graph.edges()
        signs[rows, columns] = np.sign(weights)
    else:
        weights = np.asarray(graph.weights)
        signs = (weights > 0).astype(np.float32)
        signs -= weights < 0
    return signs if side == "left" else np.ascontiguousarray(signs.T)


def presence_matrix(graph: SignedBipartiteGraph, side: Side, sign: Sign | None) -> Matrix:
    """(n, m) matrix of 1 where there is an edge of that sign, a row for each node of ``side``."""
    signs = sign_matrix(graph, side)
    if sign is None:
        return np.abs(signs)
    return (signs > 0 if sign == "+" else signs < 0).astype(np.float32)


def smaller_side(graph: SignedBipartiteGraph) -> Literal["left", "right"]:
    """The side with fewer nodes: pairs of its nodes are fewer."""
    return "left" if graph.n_left <= graph.n_right else "right"


def blocks_of_products(matrix: Matrix) -> Iterator[tuple[slice, Matrix]]:
    """``matrix @ matrix.T`` in blocks of rows: (which rows, the block). Exact whole numbers."""
    n, m = matrix.shape
    if m > _EXACT:
        raise InputError(f"a side of {m} nodes is too large: products are exact up to {_EXACT}")
    step = max(1, _BLOCK_BYTES // (4 * n))
    for first in range(0, n, step):
        rows = slice(first, min(n, first + step))
        yield rows, matrix[rows] @ matrix.T
