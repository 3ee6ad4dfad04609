"""Pictures of a model's layers, a colour for each. They are part of `bipnet.plot`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle

from bipnet._plot.heat import color_bar, draw_cells
from bipnet._plot.probes import COLORS, MARKERS
from bipnet._plot.styles import (
    COLUMN_WIDTH,
    TICK_SIZE,
    axes_or_new,
    dress,
    require_columns,
)
from bipnet.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

N_STYLES = len(COLORS) * len(MARKERS)  # different ones of `layer_style`


# Purple and orange are told apart with every kind of colour vision.
_DIVERGING = "PuOr_r"
_FRAME = "#40004b"
_DECIMALS = 1


def layer_curves(
    table: pd.DataFrame,
    x: str,
    *,
    x_label: str,
    solid: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """F1 against the strength of a probe, a colour for each layer (Figures 5a-c, 9).

    Parameters
    ----------
    table
        Columns ``layer``, ``model`` ("float" or "signed"), ``f1`` and ``x``; a row per draw.
    x
        Name of the column with the strength.
    x_label
        What it is, in words.
    solid
        Draw signed models like others; by default their lines are dashed, their markers hollow.
    ax
        Axes to draw into; new ones by default.

    Returns
    -------
    The axes. Lines: medians; bands: from the lower to the upper quartile.

    Raises
    ------
    InputError
        A column is missing, or there is no row.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> import pandas as pd
    >>> table = pd.DataFrame({"layer": "head", "model": "float", "level": [0.0, 0.5, 0.5],
    ...     "f1": [0.9, 0.5, 0.7]})
    >>> ax = layer_curves(table, "level", x_label="q")
    >>> [round(float(y), 6) for y in ax.lines[0].get_ydata()]
    [90.0, 60.0]
    """
    require_columns(table, "layer", "model", "f1", x)
    ax = axes_or_new(ax)
    for number, layer in enumerate(dict.fromkeys(table["layer"])):
        style = layer_style(number)
        for model in ("float", "signed"):
            rows = table[(table["layer"] == layer) & (table["model"] == model)]
            if rows.empty:
                continue
            dashed = model == "signed" and not solid
            quartiles = 100 * rows.groupby(x)["f1"].quantile(np.array([0.25, 0.5, 0.75])).unstack()
            places = quartiles.index.to_numpy()
            ax.fill_between(
                places, quartiles[0.25], quartiles[0.75], color=style["color"], alpha=0.18, lw=0
            )
            ax.plot(
                places, quartiles[0.5], lw=1.1, ms=2.8, **style,
                linestyle=(0, (4, 1.5)) if dashed else "-", mfc="white" if dashed else None,
                label=f"_{layer}" if dashed else str(layer),
            )  # fmt: skip
    ax.set_xlabel(x_label)
    ax.set_ylabel("F1 score (%)")
    ax.set_ylim(-3, 103)
    dress(ax)
    return ax


def layer_bars(
    values: Mapping[str, pd.Series[float]], *, label: str, ax: Axes | None = None
) -> Axes:
    """A number for each layer: bars of medians, with the quartiles of its draws (Figure 5d-f).

    Parameters
    ----------
    values
        Layer -> its draws, in the units of ``label``; the colours are those of `layer_curves`.
    label
        What the numbers are, with their unit.
    ax
        Axes to draw into; new ones by default.

    Returns
    -------
    The axes.

    Raises
    ------
    InputError
        There is nothing to draw.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> import pandas as pd
    >>> ax = layer_bars({"head": pd.Series([1.0, 2.0, 4.0])}, label="F1 lost (points)")
    >>> float(ax.patches[0].get_height())
    2.0
    """
    if not values:
        raise InputError("there is no layer to draw; give the draws of each")
    ax = axes_or_new(ax)
    for number, draws in enumerate(values.values()):
        low, middle, high = np.quantile(draws.to_numpy(), [0.25, 0.5, 0.75])
        ax.bar(number, middle, width=0.72, color=layer_style(number)["color"])
        if len(draws) > 1:
            ax.errorbar(
                number, middle, [[middle - low], [high - middle]], color="0.2", lw=0.8, capsize=1.5
            )
    ax.axhline(0, color="0.3", lw=0.6)
    ax.set_xticks(range(len(values)), list(values), rotation=40, ha="right", rotation_mode="anchor")
    ax.set_ylabel(label)
    dress(ax)
    ax.tick_params(axis="x", length=0, labelsize=TICK_SIZE - 1)
    return ax


def layer_heatmap(
    values: pd.DataFrame, *, label: str, gained: str = "below zero", ax: Axes | None = None
) -> Axes:
    """Layers by probes as a heat map, with the numbers in the cells.

    Parameters
    ----------
    values
        A row per layer, a column per probe; may have gaps (NaN).
    label
        What the numbers are, with their unit: written at the colour bar.
    gained
        What numbers below zero are, in a word: written there too if there are any.
    ax
        Axes to draw into; new ones by default.

    Returns
    -------
    The axes. White is zero, orange above and purple below it, as dark for as much; cells below
    zero, as they are printed, have a frame and a bold number.

    Raises
    ------
    InputError
        There is no number to draw.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> import pandas as pd
    >>> lost = pd.DataFrame({"A": [31.2, 4.0], "B": [7.9, 0.1]}, index=["first", "last"])
    >>> ax = layer_heatmap(lost, label="F1 lost (points)")
    >>> [text.get_text() for text in ax.texts]
    ['31.2', '7.9', '4.0', '0.1']
    """
    numbers = values.to_numpy(dtype=float)
    if not np.isfinite(numbers).any():
        raise InputError("there is no number to draw; give a row for each layer")
    ax = axes_or_new(ax, (COLUMN_WIDTH, 0.8 + 0.16 * len(values)))
    finite = numbers[np.isfinite(numbers)]
    # One slope for both sides: a gain looks as small as it is beside what is lost.
    far = max(1.0, float(np.abs(finite).max()))
    mesh = draw_cells(ax, numbers, Normalize(-far, far), decimals=_DECIMALS, colors=_DIVERGING)
    below = np.round(numbers, _DECIMALS) < 0
    _frame(ax, below)
    ax.set_ylim(len(values) - 0.5, -0.5)
    ax.set_yticks(range(len(values)), [str(name) for name in values.index], parse_math=False)
    ax.set_xticks(
        range(numbers.shape[1]), [str(name) for name in values.columns], rotation=30, ha="left",
        rotation_mode="anchor",
    )  # fmt: skip
    ax.xaxis.tick_top()
    ax.tick_params(labelsize=TICK_SIZE - 1, length=0)
    ax.spines[:].set_visible(False)
    if below.any():
        label += f"; framed: {gained}"
    bar = color_bar(ax, mesh, label, aspect=30)
    bar.ax.set_ylim(min(0.0, float(finite.min())), max(0.0, float(finite.max()), 1.0))
    return ax


def _frame(ax: Axes, marked: npt.NDArray[np.bool_]) -> None:
    """A frame and a bold number for each marked cell: seen in grey print too."""
    for row, column in np.argwhere(marked):
        ax.add_patch(
            Rectangle((column - 0.46, row - 0.42), 0.92, 0.84, fill=False, ec=_FRAME, lw=0.6)
        )
    for text in ax.texts:
        column, row = (int(place) for place in text.get_position())
        if marked[row, column]:
            text.set_fontweight("bold")


def layer_style(number: int) -> dict[str, Any]:
    """Colour and marker of the layer with this number."""
    color, again = number % len(COLORS), number // len(COLORS)
    return {"color": COLORS[color], "marker": MARKERS[(color + again) % len(MARKERS)]}
