"""Sign patterns at the two ends of the range of a sum over their positive edges.

All patterns with given degrees are the 0/1 points of a transport polytope, whose corners they are,
so the ends are found by a linear programme.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.optimize
import scipy.sparse

from bipnet._biadjacency import Array, Ints


def extreme_patterns(
    left: Ints, right: Ints, positive: Array, costs: npt.NDArray[np.float64]
) -> tuple[Array, Array]:
    """Positive edges with the least and with the greatest sum of ``costs``.

    Parameters
    ----------
    left, right
        (n_edges,) nodes of the edges.
    positive
        (n_edges,) 1 for a positive edge: gives the degrees of all nodes.
    costs
        (n_edges,) numbers.

    Returns
    -------
    Two arrays like ``positive``.
    """
    n_edges, n_left = len(left), int(left.max()) + 1
    edges = np.arange(n_edges)
    ends: Any = scipy.sparse.coo_array(
        (
            np.ones(2 * n_edges),
            (np.concatenate([left, n_left + right]), np.concatenate([edges, edges])),
        )
    ).tocsr()
    degrees = ends @ (positive != 0).astype(np.float64)

    def end(costs: npt.NDArray[np.float64]) -> Array:
        found = scipy.optimize.linprog(
            costs, A_eq=ends, b_eq=degrees, bounds=(0, 1), method="highs-ds"
        )
        if not found.success:
            raise RuntimeError(f"no pattern with the degrees of the given one: {found.message}")
        return np.asarray(np.asarray(found.x) > 0.5, dtype=positive.dtype)

    return end(costs), end(-costs)
