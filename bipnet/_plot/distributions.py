"""Distributions of degrees and strengths, with the band of a null model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from bipnet._plot.styles import NULL_COLOR, SIGN_STYLES, axes_or_new, dress, legend_above
from bipnet.errors import InputError
from bipnet.graph import Side, Sign
from bipnet.measures import Band, DistributionBand, degree_bands, strength_bands

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAMES = {"+": "positive", "-": "negative", None: "all edges"}
_PALE = 0.22
_LEAST = 1e-286  # matplotlib takes an axis up to less than this for one of nothing


def distribution_bands(
    bands: Mapping[Sign | None, DistributionBand],
    *,
    x_label: str,
    y_label: str = "density",
    ax: Axes | None = None,
) -> Axes:
    """Histograms by sign, each with the median and the band of its null model.

    Parameters
    ----------
    bands
        "+", "-" or None (all edges) -> what `bipnet.measures.distribution_band` makes of numbers
        and draws, or `degree_bands` and `strength_bands` of graphs.
    x_label
        What the numbers are, with their unit.
    y_label
        What the heights are.
    ax
        Axes to draw into; new ones by default.

    Returns
    -------
    The axes. Thick steps: observed; thin dotted ones and bands: median and quantiles of the null
    model's draws. Blue and solid: positive; orange and dashed: negative, which hangs from the
    axis where both are drawn, so that neither hides the other. Where every draw has the observed
    distribution nothing but that is drawn, and the legend says so.

    Raises
    ------
    InputError
        No band, or one of another sign; numbers or densities below 1e-286.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> from bipnet.measures import distribution_band
    >>> found = distribution_band([0.1, 0.2, 0.2], [[0.1, 0.1, 0.2], [0.1, 0.2, 0.2]], bins=2)
    >>> ax = distribution_bands({"+": found}, x_label="x")
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['positive', 'null: median, 5-95 % of 2 draws']
    >>> matplotlib.pyplot.close("all")
    """
    if not bands:
        raise InputError("there is no distribution to draw; give one for a sign")
    unknown = [sign for sign in bands if sign not in SIGN_STYLES]
    if unknown:
        raise InputError(f"bands must be of the signs '+', '-' or None, got {unknown[0]!r}")
    for found in bands.values():
        highest = float(found.observed.max())
        if float(np.abs(found.edges).max()) < _LEAST or 0 < highest < _LEAST:
            raise InputError(
                f"numbers up to {float(np.abs(found.edges).max()):g} with densities up to"
                f" {highest:g} cannot be drawn: scale the weights to usual sizes first"
            )
    ax = axes_or_new(ax)
    hangs = {"+", "-"} <= set(bands)
    handles: list[Any] = []
    labels: list[str] = []
    for sign, found in bands.items():
        style = SIGN_STYLES[sign]
        way: Literal[1, -1] = -1 if hangs and sign == "-" else 1
        if found.null is not None and not found.is_fixed:
            _draw_null(ax, found.null, found.edges, style["color"], way)
        outline = {"edgecolor": style["color"], "linestyle": style["linestyle"]}
        ax.stairs(way * found.observed, found.edges, lw=1.3, zorder=3, **outline)
        handles.append(Line2D([], [], lw=1.3, **style))
        labels.append(_NAMES[sign] + (" (down)" if way < 0 else ""))
    for sign, found in bands.items():
        if found.null is None:
            continue
        label = null_label(found.null, is_fixed=found.is_fixed)
        if label not in labels:
            color = SIGN_STYLES[sign]["color"] if len(bands) == 1 else NULL_COLOR
            handles.append(Line2D([], [], ls="none") if found.is_fixed else null_handle(color))
            labels.append(label)
    if hangs:
        ax.axhline(0, color="0.3", lw=0.6, zorder=4)
        ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{abs(y):.6g}"))
    else:
        ax.set_ylim(bottom=0)
    largest = max(float(np.abs(found.edges).max()) for found in bands.values())
    if not 1e-3 <= largest < 1e5:  # a power of ten at the end of the axis would cover its label
        ax.xaxis.set_major_locator(MaxNLocator(4))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.4g}"))
    ax.set_xlabel(x_label)
    ax.set_ylabel(y_label)
    legend_above(ax, handles, labels, 2)
    dress(ax)
    return ax


def degree_distributions(
    W: Any,
    draws: Iterable[Any] = (),
    *,
    side: Side = "left",
    signs: Sequence[Sign | None] = ("+", "-"),
    bins: int | npt.ArrayLike = 30,
    interval: tuple[float, float] = (0.05, 0.95),
    ax: Axes | None = None,
) -> Axes:
    """P(k+) and P(k-) of a side's nodes, with the band of a null model.

    Parameters
    ----------
    W
        Graph or matrix.
    draws
        Graphs or matrices of the same nodes, such as ``bipnet.ensemble(W, "A", 100)``; gone
        through once.
    side
        "left" or "right".
    signs
        "+", "-", or None for all edges: which degrees.
    bins
        At most how many bins (of a whole width), or their edges.
    interval
        Lower and upper quantile of the band.
    ax
        Axes to draw into; new ones by default.

    Returns
    -------
    The axes, as `distribution_bands` fills them.

    Raises
    ------
    InputError
        Another side or sign, draws of another shape, impossible bins, no accepted matrix.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> import numpy as np, bipnet
    >>> W = np.random.default_rng(0).normal(size=(20, 30))
    >>> ax = degree_distributions(W, bipnet.ensemble(W, "A", 5, rng=0), signs="+")
    >>> ax.get_xlabel()
    'degree $k^{+}$ of left nodes (edges)'
    >>> matplotlib.pyplot.close("all")
    """
    found = degree_bands(W, side, draws, signs=signs, bins=bins, interval=interval)
    ax = distribution_bands(
        found,
        x_label=f"degree {_symbol('k', found)} of {side} nodes (edges)",
        y_label=f"density {_symbol('P(k', found, ')')}",
        ax=ax,
    )
    ax.xaxis.set_major_locator(MaxNLocator(7, integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    return ax


def strength_distributions(
    W: Any,
    draws: Iterable[Any] = (),
    *,
    side: Side = "left",
    signs: Sequence[Sign | None] = ("+", "-"),
    bins: int | npt.ArrayLike = 30,
    interval: tuple[float, float] = (0.05, 0.95),
    ax: Axes | None = None,
) -> Axes:
    """P(s+) and P(s-) of a side's nodes, with the band of a null model.

    Parameters
    ----------
    W, draws, side, signs, bins, interval, ax
        As in `degree_distributions`; bins are of equal width.

    Returns
    -------
    The axes, as `distribution_bands` fills them. Strengths are in the units of the weights.

    Raises
    ------
    InputError
        As `degree_distributions`; a strength is infinite.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> ax = strength_distributions([[1.0, -2.0], [0.5, 0.0]], side="right", bins=2)
    >>> ax.get_ylabel()
    'density $P(s^{\\\\pm})$'
    >>> matplotlib.pyplot.close("all")
    """
    found = strength_bands(W, side, draws, signs=signs, bins=bins, interval=interval)
    return distribution_bands(
        found,
        x_label=f"strength {_symbol('s', found)} of {side} nodes (sum of $|w|$)",
        y_label=f"density {_symbol('P(s', found, ')')}",
        ax=ax,
    )


def null_handle(color: str) -> tuple[Patch, Line2D]:
    """A band with its median, for a legend."""
    return (Patch(color=color, alpha=_PALE, lw=0), Line2D([], [], color=color, lw=0.9, ls=":"))


def null_label(null: Band, *, is_fixed: bool = False) -> str:
    """What band and median are, with the number of draws."""
    draws = "1 draw" if null.n_draws == 1 else f"{null.n_draws} draws"
    if is_fixed:
        return f"null: the same in {draws}"
    low, high = (f"{100 * share:.3g}" for share in null.interval)
    return f"null: median, {low}-{high} % of {draws}"


def _draw_null(
    ax: Axes, null: Band, edges: npt.NDArray[np.float64], color: str, way: Literal[1, -1]
) -> None:
    ax.stairs(
        way * null.high, edges, baseline=way * null.low, fill=True, color=color, alpha=_PALE, lw=0
    )
    ax.stairs(way * null.median, edges, color=color, lw=0.9, linestyle=":", zorder=2)


def _symbol(letter: str, bands: Mapping[Sign | None, DistributionBand], after: str = "") -> str:
    signs = set(bands)
    # In braces: signs of operators would be set with space around them.
    mark = r"^{\pm}" if len(signs) > 1 else {"+": "^{+}", "-": "^{-}", None: ""}[signs.pop()]
    return f"${letter}{mark}{after}$"
