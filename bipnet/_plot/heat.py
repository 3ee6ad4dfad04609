"""Heat maps over pairs of classes: the lower triangle, with the numbers in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from matplotlib.colors import Normalize

from bipnet._plot.styles import (
    COLUMN_WIDTH,
    HEAT_COLORS,
    LABEL_SIZE,
    TICK_SIZE,
    axes_or_new,
)
from bipnet.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.collections import QuadMesh
    from matplotlib.colorbar import Colorbar


def pair_heatmap(
    values: Mapping[tuple[str, str], float],
    classes: Sequence[str],
    *,
    label: str,
    decimals: int = 0,
    limits: tuple[float, float] | None = None,
    colors: str = HEAT_COLORS,
    text_size: float = 5.5,
    ax: Axes | None = None,
) -> Axes:
    """A number for every pair of classes, as the lower triangle of a matrix (Figures 4, 6, 8).

    Parameters
    ----------
    values
        (first class, second class), in either order, -> number; pairs may be missing.
    classes
        All classes, in the order of the rows.
    label
        What the numbers are, with their unit: written at the colour bar.
    decimals
        Digits after the point, in the cells.
    limits
        Ends of the colour scale; the extremes by default.
    colors
        Name of a matplotlib colour map.
    text_size
        Of the numbers in the cells, in points.
    ax
        Axes to draw into; new ones by default.

    Returns
    -------
    The axes.

    Raises
    ------
    InputError
        No value, or a class that is not among ``classes``.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> ax = pair_heatmap({("0", "1"): 12.3, ("2", "0"): 4.6}, "012", label="accuracy lost")
    >>> sorted(text.get_text() for text in ax.texts)
    ['12', '5']
    """
    places = {name: place for place, name in enumerate(classes)}
    unknown = sorted({name for pair in values for name in pair} - set(places))
    if unknown:
        raise InputError(f"classes must name every class of values; {', '.join(unknown)} is not")
    if not values:
        raise InputError("there is no value to draw; give one for each pair of classes")
    n = len(classes)
    matrix = np.full((n, n), np.nan)
    for (first, second), value in values.items():
        row, column = sorted((places[first], places[second]), reverse=True)
        matrix[row, column] = value
    ax = axes_or_new(ax, (COLUMN_WIDTH, 3.2))
    low, high = limits or (float(np.nanmin(matrix)), float(np.nanmax(matrix)))
    norm = Normalize(low, high if high > low else low + 1)
    mesh = draw_cells(ax, matrix, norm, decimals=decimals, colors=colors, text_size=text_size)
    # Without a diagonal the first row and the last column are empty: leave them out.
    diagonal = 0 if np.isnan(matrix.diagonal()).all() else 1
    ax.set_xlim(-0.5, n - 1.5 + diagonal)
    ax.set_ylim(n - 0.5, 0.5 - diagonal)
    ax.set_aspect("equal")
    long = max(map(len, classes)) > 3
    across, down = list(classes)[: n - 1 + diagonal], list(classes)[1 - diagonal :]
    ax.set_xticks(range(len(across)), across, rotation=90 if long else 0, parse_math=False)
    ax.set_yticks(range(1 - diagonal, n), down, parse_math=False)
    ax.tick_params(labelsize=TICK_SIZE, length=0)
    ax.spines[:].set_visible(False)
    color_bar(ax, mesh, label, shrink=0.82, aspect=22)
    return ax


def draw_cells(
    ax: Axes,
    matrix: npt.NDArray[np.float64],
    norm: Normalize,
    *,
    decimals: int,
    colors: str = HEAT_COLORS,
    text_size: float = 5.5,
) -> QuadMesh:
    """A coloured cell with its number for every entry that is not NaN."""
    # A mesh, not an image: it stays sharp, cell by cell, in PDF and SVG.
    mesh = ax.pcolormesh(
        *(np.arange(n + 1) - 0.5 for n in reversed(matrix.shape)), np.ma.masked_invalid(matrix),
        norm=norm, cmap=colors, edgecolors="white", linewidth=0.4,
    )  # fmt: skip
    for row, column in zip(*np.nonzero(~np.isnan(matrix)), strict=True):
        red, green, blue, _ = mesh.cmap(norm(matrix[row, column]))
        dark = 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.5
        ax.text(
            float(column), float(row), f"{matrix[row, column]:z.{decimals}f}",
            ha="center", va="center", fontsize=text_size, color="white" if dark else "black",
        )  # fmt: skip
    return mesh


def color_bar(ax: Axes, mesh: ScalarMappable, label: str, **place: Any) -> Colorbar:
    """The scale of the cells, thin and without a frame."""
    bar = ax.figure.colorbar(mesh, ax=ax, pad=0.02, **place)
    bar.set_label(label, size=LABEL_SIZE)
    bar.ax.tick_params(labelsize=TICK_SIZE, length=2)
    bar.outline.set_visible(False)
    return bar
