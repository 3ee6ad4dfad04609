"""Histograms of weights by sign, one graph over another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from bipnet._plot.styles import (
    NULL_COLOR,
    SIGN_STYLES,
    SMALL_SIZE,
    axes_or_new,
    dress,
    legend_above,
    short_names,
)
from bipnet.errors import InputError
from bipnet.measures import weight_histograms as histograms_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The first graph is an area; the others are lines over it, told apart by their dashes.
_LINES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1.2)))
_PALE = 0.35


def weight_histograms(
    graphs: Any, *, bins: int = 60, log: bool = False, ax: Axes | None = None
) -> Axes:
    """How many edges have which weight, by sign: of a graph, or of several over one another.

    Parameters
    ----------
    graphs
        A graph or matrix, or up to four of them by name: ``{"before": W, "after": V}``.
    bins
        About how many bins; zero is the edge of one.
    log
        Counts on a logarithmic scale.
    ax
        Axes to draw into; new ones by default.

    Returns
    -------
    The axes. Blue: positive; orange: negative. The first graph is an area, the others are lines.

    Raises
    ------
    InputError
        No edge in any graph, more than four graphs, impossible bins, no accepted matrix.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> ax = weight_histograms({"before": [[-1.0, 2.0]], "after": [[-1.0, 0.0]]}, log=True)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['negative', 'positive', 'before', 'after']
    >>> matplotlib.pyplot.close("all")
    """
    named = dict(graphs) if isinstance(graphs, Mapping) else {"": graphs}
    if len(named) > 1 + len(_LINES):
        raise InputError(f"at most {1 + len(_LINES)} graphs can be told apart, got {len(named)}")
    found = histograms_of(named, bins=bins)
    ax = axes_or_new(ax)
    shown = [
        sign
        for sign, part in (("-", "negative"), ("+", "positive"))
        if any(getattr(histogram, part).any() for histogram in found.values())
    ]
    for number, histogram in enumerate(found.values()):
        for sign in shown:
            color = SIGN_STYLES[sign]["color"]
            # Its own side of zero alone: the other's empty bins would run along the axis.
            zero = int(np.searchsorted(histogram.edges, 0.0))
            side = slice(None, zero) if sign == "-" else slice(zero, None)
            counts = (histogram.negative if sign == "-" else histogram.positive)[side]
            places = histogram.edges[: zero + 1] if sign == "-" else histogram.edges[zero:]
            if number == 0:
                ax.stairs(counts, places, fill=True, color=color, alpha=_PALE, lw=0)
            else:
                ax.stairs(counts, places, color=color, lw=1.0, linestyle=_LINES[number - 1])
    if log:
        ax.set_yscale("log")
        ax.set_ylim(bottom=0.7)  # a single edge has a height
        ax.yaxis.set_minor_formatter(NullFormatter())
        if ax.get_ylim()[1] < 20:  # one or two powers of ten alone are no scale
            ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            ax.yaxis.set_major_formatter(FuncFormatter(lambda count, _: f"{count:g}"))
    ax.axvline(0, color="0.3", lw=0.6, zorder=0)
    ax.xaxis.set_major_locator(MaxNLocator(6))
    ax.set_xlabel("weight $w$")
    ax.set_ylabel("edges per bin" + (" (log scale)" if log else ""))
    names = {"-": "negative", "+": "positive"}
    handles: list[Any] = [Patch(color=SIGN_STYLES[sign]["color"], lw=0) for sign in shown]
    labels = [names[sign] for sign in shown]
    if list(named) != [""]:
        handles.append(Patch(color=NULL_COLOR, alpha=_PALE, lw=0))
        handles += [Line2D([], [], color=NULL_COLOR, lw=1.0, ls=line) for line in _LINES]
        labels += short_names(list(named), 1.1, SMALL_SIZE)
    legend_above(ax, handles[: len(labels)], labels, _columns(labels))
    dress(ax)
    return ax


def _columns(labels: Sequence[str]) -> int:
    """Of the legend: fewer where names are long."""
    if max(map(len, labels)) > 12:
        return 2
    return 4 if len(labels) == 4 else 3
