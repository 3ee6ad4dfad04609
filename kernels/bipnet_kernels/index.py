"""Degree and strength indices of both sides in one pass over the weights."""

from __future__ import annotations

from bipnet_kernels._jit import kernel
from bipnet_kernels._types import Floats, Ints


@kernel
def index_rows(
    weights: Floats,
    n_right: int,
    first: int,
    degrees_left: Ints,
    degrees_right: Ints,
    strengths_left: Floats,
    strengths_right: Floats,
) -> None:
    """Add the dense rows ``weights`` (r, n_right), left nodes ``first``.., to the indices.

    Each index is (2, n): row 0 for positive edges, row 1 for negative ones. Sums run in
    row-major order in float64, dense and CSR alike, so both give the same bits.
    """
    for row in range(weights.shape[0]):
        i = first + row
        for j in range(n_right):
            w = float(weights[row, j])
            if w > 0:
                degrees_left[0, i] += 1
                degrees_right[0, j] += 1
                strengths_left[0, i] += w
                strengths_right[0, j] += w
            elif w < 0:
                degrees_left[1, i] += 1
                degrees_right[1, j] += 1
                strengths_left[1, i] -= w
                strengths_right[1, j] -= w


@kernel
def index_edges(
    left: Ints,
    right: Ints,
    weights: Floats,
    degrees_left: Ints,
    degrees_right: Ints,
    strengths_left: Floats,
    strengths_right: Floats,
) -> None:
    """Add the edges (``left[e]``, ``right[e]``, ``weights[e]``) to the indices (2, n)."""
    for e in range(len(weights)):
        w = float(weights[e])
        sign = 0 if w > 0 else 1
        magnitude = w if w > 0 else -w
        degrees_left[sign, left[e]] += 1
        degrees_right[sign, right[e]] += 1
        strengths_left[sign, left[e]] += magnitude
        strengths_right[sign, right[e]] += magnitude
