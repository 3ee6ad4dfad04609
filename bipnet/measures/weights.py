"""How many edges have which weight, positive and negative ones apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bipnet.errors import InputError
from bipnet.graph import as_graph
from bipnet.measures._bins import checked_few


@dataclass(frozen=True)
class WeightHistogram:
    """Edges by weight.

    Attributes
    ----------
    edges
        (n_bins + 1,) edges of the bins, in the units of the weights. Zero is one of them: no bin
        holds both signs.
    negative, positive
        (n_bins,) number of negative and of positive edges in each bin.
    """

    edges: npt.NDArray[np.float64]
    negative: npt.NDArray[np.int64]
    positive: npt.NDArray[np.int64]


def weight_histograms(graphs: Mapping[str, Any], *, bins: int = 60) -> dict[str, WeightHistogram]:
    """Histograms of the weights of several graphs, all in the same bins.

    Parameters
    ----------
    graphs
        Name -> graph or matrix, of any shapes.
    bins
        About how many bins of equal width, up to 10 000 (one more where zero would fall into one).

    Returns
    -------
    Name -> histogram. Every edge is in a bin.

    Raises
    ------
    InputError
        No graph, no edge in any of them, an impossible number of bins, no accepted matrix.

    Examples
    --------
    >>> found = weight_histograms({"before": [[-1.0, 0.0], [0.5, 2.0]]}, bins=3)["before"]
    >>> found.edges, found.negative, found.positive
    (array([-1.,  0.,  1.,  2.]), array([1, 0, 0]), array([0, 1, 1]))
    """
    if isinstance(bins, bool) or not isinstance(bins, (int, np.integer)) or bins < 1:
        raise InputError(f"bins must be a number from 1 on, got {bins!r}")
    checked_few(int(bins))
    if not isinstance(graphs, Mapping) or not graphs:
        raise InputError("graphs must be one or more of {name: matrix}")
    weights = {
        name: as_graph(graph).edges()[2].astype(np.float64) for name, graph in graphs.items()
    }
    low = min((float(part.min(initial=0.0)) for part in weights.values()), default=0.0)
    high = max((float(part.max(initial=0.0)) for part in weights.values()), default=0.0)
    if low == high:
        raise InputError("there is no edge, so no weight: every entry is zero")
    width = high / bins - low / bins
    if not np.isfinite(width) or width < np.finfo(np.float64).tiny:
        raise InputError(f"weights from {low:g} to {high:g} cannot be binned: scale them first")
    # A hair less than a whole number of bins is rounding, not another bin.
    n_below, n_above = (int(np.ceil(reach / width - 1e-9)) for reach in (-low, high))
    edges = width * np.arange(-n_below, n_above + 1, dtype=np.float64)
    edges[0], edges[-1] = min(edges[0], low), max(edges[-1], high)
    found = {}
    for name, part in weights.items():
        counts = [np.histogram(part[chosen], edges)[0] for chosen in (part < 0, part > 0)]
        found[name] = WeightHistogram(edges, *(count.astype(np.int64) for count in counts))
    return found
