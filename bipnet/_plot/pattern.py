"""The sign pattern of a layer as a heat map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import BoundaryNorm, ListedColormap, Normalize
from matplotlib.ticker import MaxNLocator

from bipnet._plot.heat import color_bar
from bipnet._plot.styles import (
    COLUMN_WIDTH,
    LABEL_SIZE,
    SIGN_COLORS,
    TICK_SIZE,
    axes_or_new,
)
from bipnet.errors import InputError
from bipnet.measures import sign_pattern

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Negative, no edge, positive. Not equally dark, unlike the ends of a scale: grey print keeps them
# apart where every cell is the one or the other.
_OF_SIGNS = ("#F0A36B", "#FFFFFF", "#00508A")


def sign_heatmap(
    W: Any,
    *,
    most_blocks: tuple[int, int] = (240, 240),
    sort: bool = True,
    limit: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Signs of all pairs of nodes, those with the highest k+ at the top and on the left.

    Parameters
    ----------
    W
        Graph or matrix.
    most_blocks
        At most how many cells down and across. Larger matrices are drawn as means over blocks,
        and the label of the scale says so.
    sort
        By k+; False: in the order of the nodes.
    limit
        Where the scale of block means ends, both ways, up to 1; by default at the largest mean.
    ax
        Axes to draw into; new ones by default.

    Returns
    -------
    The axes, with one image of at most ``most_blocks`` pixels, in a PDF too.

    Raises
    ------
    InputError
        An impossible number of blocks or limit, no accepted matrix.
    TooLargeError
        It does not fit into memory.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> ax = sign_heatmap([[-1, 1, 0], [2, 3, -4]])
    >>> ax.images[0].get_array().tolist()
    [[1.0, 1.0, -1.0], [1.0, -1.0, 0.0]]
    >>> matplotlib.pyplot.close("all")
    """
    if limit is not None and not 0 < limit <= 1:
        raise InputError(f"limit must be above 0 and at most 1, got {limit!r}")
    found = sign_pattern(W, most_blocks=most_blocks, sort=sort)
    n_left, n_right = found.left_order.size, found.right_order.size
    ax = axes_or_new(ax, (COLUMN_WIDTH, 3.2))
    end = limit or float(np.abs(found.means).max()) or 1.0
    scale: dict[str, Any] = {"cmap": SIGN_COLORS, "norm": Normalize(-end, end)}
    if not found.is_reduced:
        scale = {"cmap": ListedColormap(_OF_SIGNS), "norm": BoundaryNorm([-1.5, -0.5, 0.5, 1.5], 3)}
    image = ax.imshow(
        found.means, interpolation="none", aspect="auto", extent=(0, n_right, n_left, 0), **scale
    )
    by = ", by decreasing $k^{+}$" if sort else ""
    ax.set_xlabel(f"right nodes{by}", fontsize=LABEL_SIZE)
    ax.set_ylabel(f"left nodes{by}", fontsize=LABEL_SIZE)
    ax.tick_params(labelsize=TICK_SIZE)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    if not found.is_reduced:
        bar = color_bar(ax, image, "", aspect=28, ticks=[-1, 0, 1])
        bar.ax.set_yticklabels(["negative", "no edge", "positive"], rotation=90, va="center")
        bar.ax.tick_params(which="both", length=0)
        bar.outline.set_visible(True)
        return ax
    height, width = (int(np.diff(cuts).max()) for cuts in (found.left_edges, found.right_edges))
    beyond = bool((np.abs(found.means) > end).any())
    color_bar(
        ax, image, f"mean sign of blocks of {height} × {width}", aspect=28,
        extend="both" if beyond else "neither",
    )  # fmt: skip
    return ax
