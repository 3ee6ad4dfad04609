"""Whether strong left nodes are tied to strong right nodes."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from bipnet.errors import InputError
from bipnet.graph import Sign, as_graph
from bipnet.measures._signs import checked_sign

By = Literal["degree", "strength"]


def assortativity(W: Any, by: By = "degree", sign: Sign | None = None) -> float:
    """Pearson correlation, over the edges, of the degrees (or strengths) of their two ends.

    Parameters
    ----------
    W
        Graph or matrix.
    by
        "degree" or "strength".
    sign
        "+" or "-": over the positive or the negative edges, with k+ or k- (s+ or s-) of both
        ends; None: over all edges.

    Returns
    -------
    In [-1, 1]; 0.0 where one side's ends are all alike, as in a graph with all its edges.

    Raises
    ------
    InputError
        Another quantity or sign, no accepted matrix.

    Notes
    -----
    Newman 2003, between the two sides of a bipartite graph.

    Examples
    --------
    >>> round(assortativity([[1, 1, 1], [1, 0, 0]]), 3)
    -0.577
    """
    if by not in ("degree", "strength"):
        raise InputError(f"by must be 'degree' or 'strength', got {by!r}")
    graph = as_graph(W)
    sign = checked_sign(sign)
    index = graph.degrees if by == "degree" else graph.strengths
    left = index("left", sign).astype(np.float64)
    right = index("right", sign).astype(np.float64)
    if not (np.isfinite(left).all() and np.isfinite(right).all()):
        raise InputError("a strength is infinite: scale the weights down first")
    scale = max(left.max(), right.max()) or 1.0
    rows, columns, weights = graph.edges()
    if sign is not None:
        wanted = weights > 0 if sign == "+" else weights < 0
        rows, columns = rows[wanted], columns[wanted]
    if not rows.size or rows.size == graph.n_left * graph.n_right:
        return 0.0  # where all nodes meet, no end says anything of the other
    x, y = left[rows] / scale, right[columns] / scale
    x, y = x - x.mean(), y - y.mean()
    spread = np.sqrt((x @ x) * (y @ y))
    # What is left of equal numbers after their mean is rounding, not spread.
    if _are_alike(left[rows], graph.n_right) or _are_alike(right[columns], graph.n_left):
        return 0.0
    if spread == 0:
        return 0.0
    return float(np.clip(x @ y / spread, -1.0, 1.0))


def _are_alike(sums: npt.NDArray[np.float64], n_terms: int) -> bool:
    """Whether sums of up to ``n_terms`` positive numbers differ by rounding alone."""
    return bool(np.ptp(sums) <= n_terms * np.finfo(np.float64).eps * sums.max())
