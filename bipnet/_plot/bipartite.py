"""A layer as two columns of nodes with the edges between them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D

from bipnet._plot.styles import (
    LABEL_SIZE,
    SIGN_STYLES,
    SMALL_SIZE,
    TICK_SIZE,
    axes_or_new,
    short_names,
    width_of,
)
from bipnet.errors import InputError
from bipnet.graph import SignedBipartiteGraph, as_graph

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_THIN, _THICK = 0.3, 2.2  # points
_MARGIN = 0.12  # beside the columns, in distances between them
_LABELS, _GAP = 0.27, 0.1  # share of the width for the labels of a side; inches beside them
_NARROW = 3.0  # inches: below, the legend stands above the names of the sides
_DASH = (3.0, 1.6)  # points, whatever the width: a thin line is seen to be dashed too


def bipartite_drawing(
    W: Any,
    *,
    most_nodes: int = 24,
    most_edges: int = 100,
    labels: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Left and right nodes in two columns, positive and negative edges between them.

    Parameters
    ----------
    W
        Graph or matrix.
    most_nodes
        At most how many nodes of a side are drawn: of a longer side those at equal distances in
        the order of the nodes, the first and the last among them.
    most_edges
        At most how many of the edges between drawn nodes: those of the largest |w| (of equals the
        first in row-major order). Nothing is left to chance.
    labels
        Write the graph's labels at the nodes (their numbers, if it has none); those wider than a
        quarter of the picture are shortened, but stay different.
    ax
        Axes to draw into; new ones by default.

    Returns
    -------
    The axes. Blue, solid: positive; orange, dashed: negative; width: proportional to |w|, but at
    least a hair. What is left out is said below the columns.

    Raises
    ------
    InputError
        An impossible number of nodes or edges, no accepted matrix.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> ax = bipartite_drawing([[1.0, -2.0], [0.0, 0.5]])
    >>> ax.texts[-1].get_text()
    'all 3 edges; widest: |w| = 2'
    >>> import numpy as np
    >>> W = np.random.default_rng(0).normal(size=(784, 64))
    >>> print(bipartite_drawing(W).texts[-1].get_text())
    100 of 50 176 edges; widest: |w| = 3.12
    the strongest between 24 of 784 left and 24 of 64 right nodes
    >>> matplotlib.pyplot.close("all")
    """
    for name, number in (("most_nodes", most_nodes), ("most_edges", most_edges)):
        if isinstance(number, bool) or not isinstance(number, (int, np.integer)) or number < 1:
            raise InputError(f"{name} must be a number from 1 on, got {number!r}")
    graph = as_graph(W)
    left, right = _spread(graph.n_left, most_nodes), _spread(graph.n_right, most_nodes)
    rows, columns, weights = _edges_between(graph, left, right)
    strongest = np.argsort(-np.abs(weights), kind="stable")[:most_edges]
    among = weights.size
    rows, columns, weights = rows[strongest], columns[strongest], weights[strongest]

    is_new = ax is None
    ax = axes_or_new(ax, (3.35, 3.6))
    figure = ax.get_figure(root=True)
    assert figure is not None
    width, height = (
        figure.get_size_inches() if is_new else np.array(ax.get_window_extent().size) / figure.dpi
    )
    heights = _heights(len(left)), _heights(len(right))
    _draw_edges(ax, heights[0][rows], heights[1][columns], weights)
    for x, y in zip((0.0, 1.0), heights, strict=True):
        ax.plot(
            np.full(y.size, x), y, ls="none", marker="o", ms=4.5, color="white",
            mec="0.2", mew=0.8, zorder=4,
        )  # fmt: skip
    margins = [_MARGIN, _MARGIN]
    if labels:
        written = [
            short_names([str(node if of is None else of[node]) for node in nodes], _LABELS * width,
                        TICK_SIZE)
            for of, nodes in ((graph.left_labels, left), (graph.right_labels, right))
        ]  # fmt: skip
        rooms = [max(width_of(name, TICK_SIZE) for name in side) + _GAP for side in written]
        between = width - sum(rooms)
        margins = [max(_MARGIN, room / between) for room in rooms]
        _write(ax, 0, heights[0], written[0])
        _write(ax, 1, heights[1], written[1])
    for x, side in ((_MARGIN - margins[0], "left"), (1 - _MARGIN + margins[1], "right")):
        ax.text(x, 1.06, f"{side} nodes", ha=side, va="bottom", fontsize=LABEL_SIZE)
    ax.text(
        0.5, -0.06,
        _wrapped(_what_is_drawn(graph, len(left), len(right), weights, among), width),
        ha="center", va="top", fontsize=SMALL_SIZE, color="0.25",
    )  # fmt: skip
    signs = [sign for sign, some in (("+", weights > 0), ("-", weights < 0)) if some.any()]
    if signs:
        beside = width >= _NARROW and max(margins) == _MARGIN  # of the names of the sides
        bottom = 0.98 if beside else 0.95 + 0.17 / float(height)
        dashes: dict[str, Any] = {"+": "-", "-": (0, _DASH)}
        names = {"+": "positive", "-": "negative"}
        ax.legend(
            [Line2D([], [], color=SIGN_STYLES[s]["color"], lw=1.2, ls=dashes[s]) for s in signs],
            [names[sign] for sign in signs], fontsize=SMALL_SIZE, frameon=False, ncols=2,
            loc="lower center", bbox_to_anchor=(0.5, bottom), borderaxespad=0.0, handlelength=2.4,
        )  # fmt: skip
    ax.set_xlim(-margins[0], 1 + margins[1])
    ax.set_ylim(-0.08, 1.12)
    ax.set_axis_off()
    return ax


def _spread(n: int, most: int) -> npt.NDArray[np.int64]:
    """Nodes at equal distances, the first and the last among them."""
    if n <= most:
        return np.arange(n)
    return np.rint(np.linspace(0, n - 1, most)).astype(np.int64)


def _edges_between(
    graph: SignedBipartiteGraph, left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Places in ``left``, places in ``right`` and weights, in row-major order."""
    if graph.is_sparse:
        every_row, every_column, weights = graph.edges()
        chosen = np.isin(every_row, left) & np.isin(every_column, right)
        rows = np.searchsorted(left, every_row[chosen])
        columns = np.searchsorted(right, every_column[chosen])
        return rows, columns, weights[chosen].astype(np.float64)
    part = np.asarray(graph.weights)[np.ix_(left, right)].astype(np.float64)
    rows, columns = np.nonzero(part)
    return rows, columns, part[rows, columns]


def _heights(n: int) -> npt.NDArray[np.float64]:
    """The first node on top; a single one in the middle."""
    return np.linspace(1, 0, n) if n > 1 else np.array([0.5])


def _draw_edges(
    ax: Axes,
    starts: npt.NDArray[np.float64],
    ends: npt.NDArray[np.float64],
    weights: npt.NDArray[np.float64],
) -> None:
    """One collection for each sign; strong edges over weak ones."""
    magnitudes = np.abs(weights)
    widths = np.maximum(_THIN, _THICK * magnitudes / magnitudes.max(initial=1e-300))
    for sign, of_sign in (("+", weights > 0), ("-", weights < 0)):
        chosen = np.flatnonzero(of_sign)[::-1]
        if not chosen.size:
            continue
        lines = [[(0.0, starts[edge]), (1.0, ends[edge])] for edge in chosen]
        # matplotlib measures dashes in line widths.
        dashes: list[Any] = [
            (0, tuple(length / widths[edge] for length in _DASH)) for edge in chosen
        ]
        ax.add_collection(
            LineCollection(
                lines,
                linewidths=widths[chosen],
                colors=SIGN_STYLES[sign]["color"],
                linestyles="-" if sign == "+" else dashes,
                alpha=0.8,
                capstyle="butt",
                label=sign,
                zorder=2,
            )
        )


def _write(
    ax: Axes,
    x: float,
    heights: npt.NDArray[np.float64],
    names: Sequence[str],
) -> None:
    for y, name in zip(heights, names, strict=True):
        ax.text(
            x + (0.04 if x else -0.04), y, name,
            ha="left" if x else "right", va="center", fontsize=TICK_SIZE, parse_math=False,
        )  # fmt: skip


def _what_is_drawn(
    graph: SignedBipartiteGraph,
    n_left: int,
    n_right: int,
    weights: npt.NDArray[np.float64],
    among: int,
) -> str:
    drawn, total = weights.size, graph.n_edges
    if not total:
        return "no edges"
    widest = f"; widest: |w| = {np.abs(weights).max():.3g}" if drawn else ""
    if drawn == total:
        return f"all {_grouped(total)} edges{widest}"
    which = "the strongest" if drawn < among else "all"
    return (
        f"{drawn} of {_grouped(total)} edges{widest}\n{which} between {n_left} of"
        f" {_grouped(graph.n_left)} left and {n_right} of {_grouped(graph.n_right)} right nodes"
    )


def _wrapped(text: str, inches: float) -> str:
    """Broken into lines where a narrow picture has no room for them."""
    n_letters = max(12, int(inches / 0.05))  # of small type
    return "\n".join(part for line in text.split("\n") for part in textwrap.wrap(line, n_letters))


def _grouped(number: int) -> str:
    """Digits in threes, kept together."""
    return f"{number:,}".replace(",", " ") if number >= 10_000 else str(number)
