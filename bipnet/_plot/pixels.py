"""The indices of the inputs of an image layer, put where their pixels are."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
from matplotlib.colors import Normalize
from matplotlib.ticker import MaxNLocator

from bipnet._plot.heat import color_bar
from bipnet._plot.styles import (
    COLUMN_WIDTH,
    HEAT_COLORS,
    SIGN_COLORS,
    TICK_SIZE,
    axes_or_new,
)
from bipnet.errors import InputError
from bipnet.graph import SignedBipartiteGraph, as_graph

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PixelIndex: TypeAlias = Literal["k+", "k-", "s+", "s-", "k+ - k-", "s+ - s-"]

_LABELS = {
    "k+": "degree $k^{+}$ (edges)",
    "k-": "degree $k^{-}$ (edges)",
    "s+": "strength $s^{+}$ (sum of $|w|$)",
    "s-": "strength $s^{-}$ (sum of $|w|$)",
    "k+ - k-": "$k^{+} - k^{-}$ (edges)",
    "s+ - s-": "$s^{+} - s^{-}$ (sum of $w$)",
}


def pixel_map(
    W: Any,
    image_shape: Sequence[int],
    index: PixelIndex = "s+",
    *,
    limits: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """An index of the left nodes of a layer whose inputs are the pixels of an image.

    Parameters
    ----------
    W
        Graph or matrix; left node i is pixel i in row-major order.
    image_shape
        (height, width), or (channels, height, width) as torch flattens images; channels stand
        side by side.
    index
        "k+", "k-", "s+", "s-", or a difference: "k+ - k-", "s+ - s-".
    limits
        Ends of the colour scale; by default the extremes, and of differences as far down as up.
    ax
        Axes to draw into; new ones by default.

    Returns
    -------
    The axes. Of one sign the darker the less; of differences orange where negative edges prevail
    and blue where positive ones do.

    Raises
    ------
    InputError
        A shape that is none, or has not as many pixels as there are left nodes; another index;
        limits that do not increase; a strength is infinite; no accepted matrix.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> ax = pixel_map([[1, -1], [2, 3], [0, 0], [-1, 0]], (2, 2), "k+ - k-")
    >>> ax.images[0].get_array().tolist()
    [[0.0, 2.0], [0.0, -1.0]]
    >>> matplotlib.pyplot.close("all")
    """
    if index not in get_args(PixelIndex):
        raise InputError(f"index must be one of {', '.join(get_args(PixelIndex))}, got {index!r}")
    graph = as_graph(W)
    n_channels, height, width = _checked_shape(image_shape, graph.n_left)
    values = _values(graph, index)
    differs = " - " in index
    low, high = _checked_limits(limits, values, differs=differs)
    # A column without a number parts the channels.
    mosaic = np.full((height, n_channels * (width + 1) - 1), np.nan)
    for channel, image in enumerate(values.reshape(n_channels, height, width)):
        mosaic[:, channel * (width + 1) :][:, :width] = image
    ratio = mosaic.shape[0] / mosaic.shape[1]
    flat = mosaic.shape[1] > 1.6 * mosaic.shape[0]
    # Of a flat one the scale lies below and takes no width.
    high_enough = 3.3 * ratio + 0.85 if flat else 2.7 * ratio + 0.3
    size = (COLUMN_WIDTH, float(np.clip(high_enough, 1.1, 4.5)))
    ax = axes_or_new(ax, size)
    picture = ax.imshow(
        mosaic, cmap=SIGN_COLORS if differs else HEAT_COLORS, norm=Normalize(low, high),
        interpolation="none",
    )  # fmt: skip
    ax.set_xticks([])
    ax.set_yticks([])
    if n_channels > 1:
        middles = [channel * (width + 1) + (width - 1) / 2 for channel in range(n_channels)]
        word = "channel " if n_channels <= 4 else ""
        ax.set_xticks(middles, [f"{word}{channel}" for channel in range(n_channels)])
    ax.tick_params(labelsize=TICK_SIZE, length=0)
    ax.spines[:].set_visible(n_channels == 1)
    beyond = {(True, True): "both", (True, False): "min", (False, True): "max"}
    extend = beyond.get((bool((values < low).any()), bool((values > high).any())), "neither")
    color_bar(
        ax, picture, _LABELS[index], extend=extend, aspect=22 if not flat else 30,
        **({"orientation": "horizontal", "shrink": 0.7, "ticks": MaxNLocator(4)} if flat else {}),
    )  # fmt: skip
    return ax


def _values(graph: SignedBipartiteGraph, index: str) -> npt.NDArray[np.float64]:
    of = graph.degrees if index.startswith("k") else graph.strengths
    if " - " in index:
        values = of("left", "+").astype(np.float64) - of("left", "-")
    else:
        values = of("left", "+" if index.endswith("+") else "-").astype(np.float64)
    if not np.isfinite(values).all():
        raise InputError("a strength is infinite: scale the weights down first")
    return values


def _checked_shape(image_shape: Sequence[int], n_left: int) -> tuple[int, int, int]:
    try:
        shape = tuple(operator.index(n) for n in image_shape)
    except TypeError:
        shape = ()
    if len(shape) not in (2, 3) or min(shape) < 1:
        raise InputError(
            f"image_shape must be (height, width) or (channels, height, width), got {image_shape!r}"
        )
    channels, height, width = shape if len(shape) == 3 else (1, *shape)
    n_pixels = channels * height * width
    if n_pixels != n_left:
        raise InputError(
            f"image_shape {shape} has {n_pixels} pixels, but the layer {n_left} left nodes; left"
            " nodes are the inputs (rows of a matrix)"
        )
    return channels, height, width


def _checked_limits(
    limits: tuple[float, float] | None, values: npt.NDArray[np.float64], *, differs: bool
) -> tuple[float, float]:
    if limits is not None:
        try:
            low, high = (float(end) for end in limits)
        except (TypeError, ValueError):
            raise InputError(f"limits must be two numbers, got {limits!r}") from None
        if not low < high:
            raise InputError(f"limits must increase, got {limits!r}")
        return low, high
    if differs:
        end = float(np.abs(values).max()) or 1.0
        return -end, end
    low, high = float(values.min()), float(values.max())
    return low, high if high > low else low + 1.0
