"""What the weights of one layer are like, in a few numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bipnet.graph import SignedBipartiteGraph

STATISTICS = ("n_edges", "positive_fraction", "sigma", "strength_ratio")
"""Keys of `statistics`."""

_BLOCK_CELLS = 1 << 16  # converted at once: no second copy of a layer


def statistics(graph: SignedBipartiteGraph) -> dict[str, Any]:
    """Number of edges, alpha, sigma of all weights, and total s+ over total s-.

    The ratio is None where there is no negative edge, as is what float64 cannot hold.
    """
    with np.errstate(over="ignore"):
        positive, negative = (float(graph.strengths("left", sign).sum()) for sign in ("+", "-"))
    return {
        "n_edges": graph.n_edges,
        "positive_fraction": graph.positive_fraction,
        "sigma": sigma(graph),
        "strength_ratio": _finite(positive / negative) if negative else None,
    }


def sigma(graph: SignedBipartiteGraph) -> float | None:
    """Standard deviation of all n_left * n_right weights, as `bipnet.experiments` takes it.

    In float64, a block at a time.
    """
    weights = graph.__biadjacency__().values.reshape(-1)  # if sparse: edges, all others are 0
    n = graph.n_left * graph.n_right

    def total(mean: np.float64, power: int) -> np.float64:
        sums = [np.float64(0)]
        for first in range(0, weights.size, _BLOCK_CELLS):
            block = weights[first : first + _BLOCK_CELLS].astype(np.float64)
            sums.append(((block - mean) ** power).sum())
        return np.float64(np.sum(sums))

    with np.errstate(over="ignore", invalid="ignore"):
        mean = total(np.float64(0), 1) / n
        squares = total(mean, 2) + (n - weights.size) * mean**2
        return _finite(float(np.sqrt(squares / n)))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
