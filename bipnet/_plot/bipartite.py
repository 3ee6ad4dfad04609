"""A layer as two columns of nodes with the edges between them."""

from __future__ import annotations

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
)
from bipnet.errors import InputError
from bipnet.graph import SignedBipartiteGraph, as_graph

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_THIN, _THICK = 0.3, 2.2  # points
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
        Write the graph's labels at the nodes (their numbers, if it has none).
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

    ax = axes_or_new(ax, (3.35, 3.6))
    heights = _heights(len(left)), _heights(len(right))
    _draw_edges(ax, heights[0][rows], heights[1][columns], weights)
    for x, y in zip((0.0, 1.0), heights, strict=True):
        ax.plot(
            np.full(y.size, x), y, ls="none", marker="o", ms=4.5, color="white",
            mec="0.2", mew=0.8, zorder=4,
        )  # fmt: skip
    if labels:
        _write(ax, 0, heights[0], graph.left_labels, left)
        _write(ax, 1, heights[1], graph.right_labels, right)
    for x, side in ((0.0, "left"), (1.0, "right")):
        ax.text(x, 1.06, f"{side} nodes", ha=side, va="bottom", fontsize=LABEL_SIZE)
    ax.text(
        0.5, -0.06, _what_is_drawn(graph, len(left), len(right), weights, among),
        ha="center", va="top", fontsize=SMALL_SIZE, color="0.25",
    )  # fmt: skip
    signs = [sign for sign, some in (("+", weights > 0), ("-", weights < 0)) if some.any()]
    if signs:
        dashes: dict[str, Any] = {"+": "-", "-": (0, _DASH)}
        names = {"+": "positive", "-": "negative"}
        ax.legend(
            [Line2D([], [], color=SIGN_STYLES[s]["color"], lw=1.2, ls=dashes[s]) for s in signs],
            [names[sign] for sign in signs], fontsize=SMALL_SIZE, frameon=False, ncols=2,
            loc="lower center", bbox_to_anchor=(0.5, 0.98), borderaxespad=0.0, handlelength=2.4,
        )  # fmt: skip
    ax.set_xlim(-0.12, 1.12)
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
    names: Sequence[Any] | None,
    nodes: npt.NDArray[np.int64],
) -> None:
    for y, node in zip(heights, nodes, strict=True):
        ax.text(
            x + (0.04 if x else -0.04), y, str(node if names is None else names[node]),
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


def _grouped(number: int) -> str:
    """Digits in threes, kept together."""
    return f"{number:,}".replace(",", " ") if number >= 10_000 else str(number)
