"""Accuracy against the strength of a probe: median lines, and bands between the quartiles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator, PercentFormatter

from bipnet._plot.styles import (
    NULL_MODEL_STYLES,
    SIGNED_STYLES,
    STYLES,
    axes_or_new,
    dress,
    mark_chance,
    require_columns,
)
from bipnet.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

Probe: TypeAlias = Literal["prune", "noise", "flip"]
PruningAxis: TypeAlias = Literal["removed", "kept"]

X_LABELS = {
    "prune": "fraction of edges removed, p",
    "noise": "noise level, a",
    "flip": "fraction of signs flipped, q",
}

_COLUMNS = ("task", "model", "probe", "null_model", "fraction_removed", "level", "accuracy")
_REMOVED_TICKS = (0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999, 0.9999)


def accuracy_curves(
    table: pd.DataFrame,
    probe: Probe,
    *,
    sigma: Mapping[str, float] | None = None,
    axis: PruningAxis = "removed",
    ax: Axes | None = None,
) -> Axes:
    """Accuracy of E, H, signed-E and signed-H against the strength of a probe (Figure 1).

    Parameters
    ----------
    table
        Rows of one data set and one hidden width, columns as in
        `bipnet.experiments.tables.COLUMNS`.
    probe
        "prune", "noise" (logarithmic axis) or "flip".
    sigma
        Task -> standard deviation of its weights: a dotted vertical line each.
    axis
        Of pruning: "removed" is p, linear, as in the paper; "kept" is 1 - p, logarithmic, which
        gives the last per cent as much room as all the rest.
    ax
        Axes to draw into; new ones by default.

    Returns
    -------
    The axes. Lines: medians over realizations; bands: from the lower to the upper quartile.

    Raises
    ------
    InputError
        A column is missing, or no row is of this probe.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> import pandas as pd
    >>> table = pd.DataFrame({"task": "E", "model": "float", "probe": "flip", "null_model": "",
    ...     "fraction_removed": 0.0, "level": [0.0, 0.0, 1.0], "accuracy": [0.9, 0.8, 0.1]})
    >>> ax = accuracy_curves(table, "flip")
    >>> [round(float(y), 6) for y in ax.lines[1].get_ydata()]  # line 0 is chance
    [85.0, 10.0]
    """
    require_columns(table, *_COLUMNS)
    if probe not in X_LABELS:
        raise InputError(f"probe must be one of {', '.join(X_LABELS)}, got {probe!r}")
    rows = table[table["probe"] == probe]
    if rows.empty:
        raise InputError(f"the table has no row of the probe {probe!r}")
    ax = axes_or_new(ax)
    mark_chance(ax)
    for model, styles in (("float", STYLES), ("signed", SIGNED_STYLES)):
        for task, style in styles.items():
            _draw_curve(
                ax,
                rows[(rows["task"] == task) & (rows["model"] == model)],
                "fraction_removed" if probe == "prune" else "level",
                kept=axis == "kept",
                label=f"signed-{task}" if model == "signed" else f"{task}-model",
                color=style["color"],
                marker=style["marker"],
                linestyle=style.get("linestyle", "-"),
            )
    for task, value in (sigma or {}).items():
        color = STYLES[task]["color"]
        ax.axvline(value, color=color, linestyle=":", linewidth=1.2, label=f"_sigma {task}")
    if probe == "noise":
        ax.set_xscale("log")
    return _finish(ax, X_LABELS[probe], kept=probe == "prune" and axis == "kept")


def randomized_curves(
    table: pd.DataFrame, *, axis: PruningAxis = "removed", ax: Axes | None = None
) -> Axes:
    """Accuracy of pruned and then randomised networks against p (Figure 3).

    Parameters
    ----------
    table
        Rows of one data set and one hidden width, columns as in
        `bipnet.experiments.tables.COLUMNS`; those of the probe "prune", and of float networks
        under "randomize" (null models B, E, F), are drawn.
    axis
        "removed" or "kept", see `accuracy_curves`.
    ax
        Axes to draw into; new ones by default.

    Returns
    -------
    The axes. Colour: task; dashes and marker: null model; solid: not randomised. Pale: binarised,
    which is the same network whether it was randomised before or not: B, E and F keep every sign.

    Raises
    ------
    InputError
        A column is missing, or there is no such row.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> import pandas as pd
    >>> table = pd.DataFrame({"task": "H", "model": "float", "probe": ["prune", "randomize"],
    ...     "null_model": ["", "B"], "fraction_removed": 0.5, "level": float("nan"),
    ...     "accuracy": [0.9, 0.6]})
    >>> [line.get_label() for line in randomized_curves(table).lines[1:]]
    ['H-model', 'H-model, B']
    """
    require_columns(table, *_COLUMNS)
    pruned = table[table["probe"].isin(["prune", "randomize"])]
    rows = pruned[(pruned["model"] == "float") & pruned["null_model"].isin([*NULL_MODEL_STYLES])]
    signed = pruned[(pruned["model"] == "signed") & (pruned["probe"] == "prune")]
    if rows.empty:
        raise InputError("the table has no float row of the probes 'prune' and 'randomize'")
    ax = axes_or_new(ax)
    mark_chance(ax)
    for task, task_style in STYLES.items():
        for letter, style in NULL_MODEL_STYLES.items():
            _draw_curve(
                ax,
                rows[(rows["task"] == task) & (rows["null_model"] == letter)],
                "fraction_removed",
                kept=axis == "kept",
                label=f"{task}-model, {letter}" if letter else f"{task}-model",
                color=task_style["color"],
                alpha=0.10,
                **style,
            )
        _draw_curve(
            ax,
            signed[signed["task"] == task],
            "fraction_removed",
            kept=axis == "kept",
            label=f"signed-{task}",
            alpha=0.10,
            linewidth=1.0,
            **SIGNED_STYLES[task],
        )
    return _finish(ax, X_LABELS["prune"], kept=axis == "kept")


def _draw_curve(
    ax: Axes,
    rows: pd.DataFrame,
    x: str,
    *,
    kept: bool,
    label: str,
    color: Any,
    alpha: float = 0.18,
    linewidth: float = 1.2,
    **style: Any,
) -> None:
    if rows.empty:
        return
    quartiles = 100 * rows.groupby(x)["accuracy"].quantile(np.array([0.25, 0.5, 0.75])).unstack()
    places = quartiles.index.to_numpy()
    if kept:
        quartiles, places = quartiles[places < 1], 1 - places[places < 1]
    ax.fill_between(places, quartiles[0.25], quartiles[0.75], color=color, alpha=alpha, linewidth=0)
    ax.plot(
        places,
        quartiles[0.5],
        label=label,
        color=color,
        linewidth=linewidth,
        markersize=3,
        markeredgecolor="white",
        markeredgewidth=0.3,
        **style,
    )


def _finish(ax: Axes, x_label: str, *, kept: bool) -> Axes:
    if kept:
        # Reversed: sparser to the right, as on the linear axis; the ticks still name p.
        low = ax.dataLim.x0
        ax.set_xscale("log")
        ax.set_xlim(1.05, low / 1.05)
        ticks = [1 - p for p in _REMOVED_TICKS if 1 - p >= low * 0.99]
        ax.xaxis.set_major_locator(FixedLocator(ticks))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{1 - x:.4g}"))
        ax.xaxis.set_minor_locator(NullLocator())
        x_label += " (log scale of 1 − p)"
    ax.set_ylim(-3, 103) if ax.dataLim.y0 < 38 else ax.set_ylim(38, 103)
    ax.yaxis.set_major_formatter(PercentFormatter(decimals=0, symbol=""))
    ax.set_xlabel(x_label)
    ax.set_ylabel("test accuracy (%)")
    dress(ax)
    return ax
