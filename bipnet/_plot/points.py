"""Pictures of single points: networks, pairs of classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from bipnet._plot.styles import (
    LABEL_SIZE,
    SMALL_SIZE,
    STYLES,
    axes_or_new,
    dress,
    require_columns,
)
from bipnet.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_GOLDEN = 0.6180339887498949  # multiples of it spread evenly in [0, 1), however many there are


def gap_scatter(
    gaps: Mapping[str, tuple[float, float]],
    *,
    rho: float | None = None,
    names: Sequence[str] = (),
    ax: Axes | None = None,
) -> Axes:
    """Accuracy lost by randomising against accuracy lost by binarising (Figure 4c).

    Parameters
    ----------
    gaps
        Pair of classes -> the two losses, (binarised, randomised), as shares in [-1, 1].
    rho
        Spearman's correlation, written into the upper left corner.
    names
        Pairs whose points are named.
    ax
        Axes to draw into; new ones by default.

    Returns
    -------
    The axes. A point for each pair, in percentage points.

    Raises
    ------
    InputError
        No pair.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> ax = gap_scatter({"0/7": (0.02, 0.01), "7/9": (0.45, 0.48)}, rho=1.0)
    >>> ax.texts[0].get_text()
    "Spearman's ρ = 1.00"
    """
    if not gaps:
        raise InputError("there is no pair of classes to draw")
    ax = axes_or_new(ax)
    x, y = 100 * np.array(list(gaps.values()), dtype=float).T
    low, high = min(x.min(), y.min(), 0), max(x.max(), y.max(), 1)
    ax.plot([low, high], [low, high], color="0.6", linewidth=0.8, linestyle=":", zorder=0)
    ax.plot(
        x, y, linestyle="none", marker="o", markersize=4, color="#009E73",
        markeredgecolor="black", markeredgewidth=0.4, alpha=0.85, label="pair of classes",
    )  # fmt: skip
    if rho is not None:
        ax.set_ylim(low - 0.06 * (high - low), high + 0.22 * (high - low))  # room for the text
        ax.text(
            0.03, 0.97, f"Spearman's ρ = {rho:.2f}", transform=ax.transAxes,
            ha="left", va="top", fontsize=LABEL_SIZE,
        )  # fmt: skip
    for number, name in enumerate(name for name in names if name in gaps):
        at = (100 * gaps[name][0], 100 * gaps[name][1])
        inwards = 1 if at[0] < (low + high) / 2 else -1
        # In turn beside and above (or below) the diagonal: neighbours keep apart.
        beside = number % 4 < 2
        ax.annotate(
            name, at, xytext=(18 * inwards, -inwards) if beside else (-inwards, 18 * inwards),
            textcoords="offset points", ha="center", va="center",
            arrowprops={"arrowstyle": "-", "linewidth": 0.6, "shrinkA": 0, "shrinkB": 2},
            fontsize=SMALL_SIZE, parse_math=False,
        )  # fmt: skip
    ax.set_xlabel("lost, binarised (points)")
    ax.set_ylabel("lost, null model B (points)")
    dress(ax)
    return ax


def sigma_points(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Standard deviation of the weights, a point per network, with its box (Figure 7).

    Parameters
    ----------
    table
        Rows of one data set and one hidden width: columns ``task``, ``sigma``.
    ax
        Axes to draw into; new ones by default.

    Returns
    -------
    The axes. Points are moved sideways to be seen; boxes: quartiles and median.

    Raises
    ------
    InputError
        A column is missing, or there is no row of task "E" or "H".

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> import pandas as pd
    >>> ax = sigma_points(pd.DataFrame({"task": ["E", "E", "H"], "sigma": [0.05, 0.06, 0.08]}))
    >>> [text.get_text() for text in ax.get_xticklabels()]
    ['E-model', 'H-model']
    """
    require_columns(table, "task", "sigma")
    tasks = [task for task in STYLES if (table["task"] == task).any()]
    if not tasks:
        raise InputError(f"the table has no row of task {' or '.join(STYLES)}")
    ax = axes_or_new(ax)
    for place, task in enumerate(tasks):
        style = STYLES[task]
        sigma = table.loc[table["task"] == task, "sigma"].to_numpy()
        spread = (np.arange(1, len(sigma) + 1) * _GOLDEN) % 1 - 0.5
        ax.plot(
            place + 0.44 * spread, sigma, linestyle="none", marker=style["marker"], markersize=3,
            color=style["color"], alpha=0.55, markeredgewidth=0, label=f"{task}-model",
        )  # fmt: skip
        ax.boxplot(
            [sigma], positions=[place], widths=0.56, manage_ticks=False, showfliers=False,
            showcaps=False, whis=(0, 100), boxprops={"linewidth": 0.8},
            whiskerprops={"linewidth": 0.8}, medianprops={"color": "black", "linewidth": 1.4},
        )  # fmt: skip
    ax.set_xticks(range(len(tasks)), [f"{task}-model" for task in tasks])
    ax.set_xlim(-0.6, len(tasks) - 0.4)
    ax.set_ylabel("standard deviation of weights, σ(w)")
    dress(ax)
    return ax
