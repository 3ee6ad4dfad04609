"""Singular values of the weights, and how they stand to those of pure noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bipnet.graph import as_graph


@dataclass(frozen=True)
class Spectrum:
    """The singular spectrum of a weight matrix.

    Attributes
    ----------
    values
        (min(n_left, n_right),) singular values, the largest first.
    edge
        Where the spectrum of a matrix of independent entries of the same standard deviation would
        end: sigma (sqrt(n_left) + sqrt(n_right)) (Marchenko & Pastur 1967), in the units of the
        weights; sigma is over all pairs of nodes, missing edges being zeros.
    tolerance
        Singular values up to this are rounding, not structure: max(n_left, n_right) times the
        largest one times the relative precision of the weights' dtype (of float64 for integers).
    effective_rank
        exp of the entropy of the singular values taken as shares (Roy & Vetterli 2007): 1 to
        their number; 0.0 without edges.
    """

    values: npt.NDArray[np.float64]
    edge: float
    effective_rank: float
    tolerance: float = 0.0

    @property
    def n_above_edge(self) -> int:
        """Singular values that noise would not have: above the edge, and above rounding too.

        Where all weights are equal the edge is 0, and those that are not rounding count.
        """
        return int((self.values > max(self.edge, self.tolerance)).sum())


def spectrum(W: Any) -> Spectrum:
    """Singular values of the weights, in float64.

    Parameters
    ----------
    W
        Graph or matrix; a sparse one is made dense.

    Raises
    ------
    InputError
        No accepted matrix.
    TooLargeError
        It does not fit into memory.

    Examples
    --------
    >>> found = spectrum([[3.0, 0.0], [0.0, -4.0]])
    >>> found.values
    array([4., 3.])
    >>> round(found.effective_rank, 3)
    1.98
    """
    import scipy.linalg

    graph = as_graph(W)
    weights = np.asarray(graph.to_array(), dtype=np.float64)
    scale = float(np.abs(weights).max(initial=0.0)) or 1.0
    scaled = weights / scale
    values = scipy.linalg.svdvals(scaled, overwrite_a=False, check_finite=False)
    edge = float(scaled.std()) * (np.sqrt(graph.n_left) + np.sqrt(graph.n_right))
    total = float(values.sum())
    rank = 0.0
    if total > 0:
        shares = values[values > 0] / total
        rank = float(np.exp(-(shares * np.log(shares)).sum()))
    rounding = max(graph.shape) * _precision(graph.dtype) * float(values.max(initial=0.0))
    return Spectrum(values * scale, edge * scale, rank, rounding * scale)


def _precision(dtype: np.dtype[Any]) -> float:
    """Distance from 1 to the next number; weights that are no floats are exact in float64."""
    if dtype.kind in "iub":
        return float(np.finfo(np.float64).eps)
    if dtype.kind == "f":
        return max(float(np.finfo(dtype).eps), float(np.finfo(np.float64).eps))
    import ml_dtypes  # bfloat16 is of a kind of its own

    finfo: Any = ml_dtypes.finfo  # it has no types
    return float(finfo(dtype).eps)
