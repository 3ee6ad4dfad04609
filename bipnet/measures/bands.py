"""Distributions of a graph beside those of its draws: a median and a band over the ensemble."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bipnet.errors import InputError
from bipnet.graph import Side, Sign, SignedBipartiteGraph, as_graph
from bipnet.measures._bins import checked_few
from bipnet.measures._signs import checked_side, checked_sign

Numbers = npt.NDArray[np.float64]

_SAME = 1e-9  # relative spread below which numbers differ by rounding


@dataclass(frozen=True)
class Band:
    """Where an ensemble lies, number by number.

    Attributes
    ----------
    low, median, high
        (n,) quantiles over the draws, each number by itself.
    interval
        Which quantiles ``low`` and ``high`` are, e.g. (0.05, 0.95).
    n_draws
        Number of draws.
    """

    low: Numbers
    median: Numbers
    high: Numbers
    interval: tuple[float, float]
    n_draws: int


def band(samples: Iterable[npt.ArrayLike], *, interval: tuple[float, float] = (0.05, 0.95)) -> Band:
    """Median and quantiles over an ensemble.

    Parameters
    ----------
    samples
        Arrays of n numbers, one for each draw.
    interval
        Lower and upper quantile, 0 to 1.

    Raises
    ------
    InputError
        No sample; samples of different lengths; NaN or infinite numbers; an impossible interval.

    Examples
    --------
    >>> found = band([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]], interval=(0, 1))
    >>> found.low, found.median, found.high
    (array([1., 5.]), array([2., 5.]), array([3., 5.]))
    """
    lower, upper = _checked_interval(interval)
    rows = [_numbers(sample, f"draw {number}") for number, sample in enumerate(samples)]
    if not rows:
        raise InputError("there is no draw to make a band of")
    for number, row in enumerate(rows):
        if row.size != rows[0].size:
            raise InputError(f"draw {number} has {row.size} numbers, draw 0 has {rows[0].size}")
    low, median, high = np.quantile(np.stack(rows), [lower, 0.5, upper], axis=0)
    return Band(low, median, high, (lower, upper), len(rows))


@dataclass(frozen=True)
class DistributionBand:
    """A histogram, and those of the draws of a null model in the same bins.

    Attributes
    ----------
    edges
        (n_bins + 1,) edges of the bins.
    observed
        (n_bins,) density: the share of the values in a bin over its width.
    null
        The same of the draws; None without draws.
    """

    edges: Numbers
    observed: Numbers
    null: Band | None

    @property
    def is_fixed(self) -> bool:
        """Whether the draws show the observed distribution and no other."""
        null = self.null
        return null is not None and bool(
            (null.low == self.observed).all() and (null.high == self.observed).all()
        )


def distribution_band(
    observed: npt.ArrayLike,
    draws: Iterable[npt.ArrayLike] = (),
    *,
    bins: int | npt.ArrayLike = 30,
    interval: tuple[float, float] = (0.05, 0.95),
) -> DistributionBand:
    """Histogram of numbers, one for each node, and the band of those of an ensemble.

    Parameters
    ----------
    observed
        (n,) numbers.
    draws
        Arrays of such numbers, one for each draw.
    bins
        Edges of the bins, or at most how many (up to 10 000); they then cover all that was
        observed and drawn.
        Whole numbers (an integer dtype) get bins of a whole width around them.
    interval
        Lower and upper quantile of the band, 0 to 1.

    Raises
    ------
    InputError
        Nothing observed, NaN or infinite numbers, impossible bins or interval.

    Examples
    --------
    >>> found = distribution_band([1, 1, 2, 4], [[1, 2, 3, 4], [1, 1, 2, 4]], interval=(0, 1))
    >>> found.edges
    array([0.5, 1.5, 2.5, 3.5, 4.5])
    >>> found.observed, found.null.low
    (array([0.5 , 0.25, 0.  , 0.25]), array([0.25, 0.25, 0.  , 0.25]))
    """
    _checked_interval(interval)
    values = [_numbers(observed, "what was observed")]
    values += [_numbers(draw, f"draw {number}") for number, draw in enumerate(draws)]
    edges = bin_edges(values, bins, whole=np.asarray(observed).dtype.kind in "iub")
    densities = [_density(drawn, edges) for drawn in values]
    null = band(densities[1:], interval=interval) if len(densities) > 1 else None
    return DistributionBand(edges, densities[0], null)


def degree_bands(
    W: Any,
    side: Side,
    draws: Iterable[Any] = (),
    *,
    signs: Sequence[Sign | None] = ("+", "-"),
    bins: int | npt.ArrayLike = 30,
    interval: tuple[float, float] = (0.05, 0.95),
) -> dict[Sign | None, DistributionBand]:
    """P(k+) and P(k-) of a side's nodes, with the band of an ensemble.

    Parameters
    ----------
    W
        Graph or matrix.
    side
        "left" or "right".
    draws
        Graphs or matrices of the same nodes, such as `bipnet.ensemble` gives. Gone through once,
        one at a time.
    signs
        "+", "-", or None for all edges: which degrees. All are put into the same bins.
    bins, interval
        As in `distribution_band`.

    Raises
    ------
    InputError
        Another side or sign, draws of another shape, impossible bins, no accepted matrix.

    Examples
    --------
    >>> found = degree_bands([[1, -1], [1, 1], [0, 1]], "left")
    >>> found["+"].edges, found["+"].observed
    (array([-0.5,  0.5,  1.5,  2.5]), array([0.        , 0.66666667, 0.33333333]))
    """
    return _bands(SignedBipartiteGraph.degrees, W, side, draws, signs, bins, interval)


def strength_bands(
    W: Any,
    side: Side,
    draws: Iterable[Any] = (),
    *,
    signs: Sequence[Sign | None] = ("+", "-"),
    bins: int | npt.ArrayLike = 30,
    interval: tuple[float, float] = (0.05, 0.95),
) -> dict[Sign | None, DistributionBand]:
    """P(s+) and P(s-) of a side's nodes, with the band of an ensemble.

    Parameters
    ----------
    W, side, draws, signs, bins, interval
        As in `degree_bands`.

    Raises
    ------
    InputError
        As `degree_bands`; a strength is infinite.

    Examples
    --------
    >>> found = strength_bands([[1.0, 2.0], [0.5, 0.5]], "left", signs="+", bins=2)
    >>> found["+"].edges, found["+"].observed
    (array([1., 2., 3.]), array([0.5, 0.5]))
    """
    return _bands(SignedBipartiteGraph.strengths, W, side, draws, signs, bins, interval)


def each_draw(draws: Iterable[Any], graph: SignedBipartiteGraph) -> Iterator[SignedBipartiteGraph]:
    """The draws as graphs, once it is clear that they have the nodes of ``graph``."""
    if isinstance(draws, SignedBipartiteGraph) or getattr(draws, "ndim", None) == 2:
        raise InputError("draws must be several matrices; of a single one pass [R]")
    for number, draw in enumerate(draws):
        drawn = as_graph(draw)
        if drawn.shape != graph.shape:
            raise InputError(
                f"draw {number} has the shape {drawn.shape}, the graph {graph.shape}: draws must"
                " be of the same nodes"
            )
        yield drawn


def bin_edges(values: Sequence[Numbers], bins: int | npt.ArrayLike, *, whole: bool) -> Numbers:
    """Edges of bins over all values: those asked for, or at most so many of equal width."""
    if np.ndim(bins):
        edges = _numbers(bins, "bins")
        if edges.size < 2 or (np.diff(edges) <= 0).any():
            raise InputError("bins must be a number or at least two increasing edges")
        return edges
    if isinstance(bins, bool) or not isinstance(bins, (int, np.integer)) or bins < 1:
        raise InputError(f"bins must be a number from 1 on, or edges, got {bins!r}")
    n_bins = checked_few(int(bins))
    low = min(float(part.min()) for part in values)
    high = max(float(part.max()) for part in values)
    if whole:
        n_values = int(high) - int(low) + 1
        width = -(-n_values // n_bins)
        return low - 0.5 + width * np.arange(-(-n_values // width) + 1, dtype=np.float64)
    largest = max(abs(low), abs(high))
    if high - low <= _SAME * largest:
        return np.array([low - 0.05 * largest, high + 0.05 * largest] if largest else [-0.5, 0.5])
    return np.linspace(low, high, n_bins + 1)


def _bands(
    index: Callable[[SignedBipartiteGraph, Side, Sign | None], npt.NDArray[Any]],
    W: Any,
    side: Side,
    draws: Iterable[Any],
    signs: Sequence[Sign | None],
    bins: int | npt.ArrayLike,
    interval: tuple[float, float],
) -> dict[Sign | None, DistributionBand]:
    graph, side = as_graph(W), checked_side(side)
    chosen = [checked_sign(sign) for sign in signs]
    if not chosen:
        raise InputError("signs must name one at least: '+', '-' or None (all edges)")
    observed = {sign: index(graph, side, sign) for sign in chosen}
    drawn: dict[Sign | None, list[npt.NDArray[Any]]] = {sign: [] for sign in chosen}
    for draw in each_draw(draws, graph):
        for sign in chosen:
            drawn[sign].append(index(draw, side, sign))
    every = [values for sign in chosen for values in (observed[sign], *drawn[sign])]
    if not all(np.isfinite(values).all() for values in every):
        raise InputError("a strength is infinite: scale the weights down first")
    edges = bin_edges(
        [values.astype(np.float64) for values in every], bins, whole=every[0].dtype.kind == "i"
    )
    return {
        sign: distribution_band(observed[sign], drawn[sign], bins=edges, interval=interval)
        for sign in chosen
    }


def _density(values: Numbers, edges: Numbers) -> Numbers:
    counts, _ = np.histogram(values, edges)
    return counts / (values.size * np.diff(edges))


def _numbers(values: npt.ArrayLike, what: str) -> Numbers:
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{what} must be numbers: {error}") from None
    if numbers.ndim != 1 or not numbers.size:
        raise InputError(f"{what} must be a row of numbers, got the shape {numbers.shape}")
    if not np.isfinite(numbers).all():
        place = int(np.argmin(np.isfinite(numbers)))
        raise InputError(f"{what} has {numbers[place]} at position {place}: it must be finite")
    return numbers


def _checked_interval(interval: tuple[float, float]) -> tuple[float, float]:
    try:
        low, high = (float(share) for share in interval)
    except (TypeError, ValueError):
        raise InputError(f"interval must be two quantiles, got {interval!r}") from None
    if not 0 <= low <= high <= 1:
        raise InputError(f"interval must be two quantiles, 0 <= low <= high <= 1, got {interval!r}")
    return low, high
