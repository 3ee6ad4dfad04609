"""Colours, markers and sizes: one look for all pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

from bipnet.errors import InputError

# Okabe & Ito's colours, told apart with every kind of colour vision; hatching besides.
STYLES = {
    "E": {"color": "#0072B2", "hatch": "", "marker": "o", "label": "easy"},
    "H": {"color": "#D55E00", "hatch": "////", "marker": "s", "label": "hard"},
}

# A signed curve is dashed and lighter than its task's, so that grey print tells them apart too.
SIGNED_STYLES: dict[str, dict[str, Any]] = {
    "E": {"color": "#56B4E9", "marker": "^", "linestyle": (0, (4, 1.5))},
    "H": {"color": "#E69F00", "marker": "D", "linestyle": (0, (4, 1.5))},
}

# Of a randomised network the colour says the task; dashes and marker say the null model.
NULL_MODEL_STYLES: dict[str, dict[str, Any]] = {
    "": {"linestyle": "-", "marker": "", "linewidth": 1.6},
    "B": {"linestyle": (0, (4, 1.5)), "marker": "^", "linewidth": 1.0},
    "E": {"linestyle": (0, (4, 1.5, 1, 1.5)), "marker": "D", "linewidth": 1.0},
    "F": {"linestyle": (0, (1, 1.2)), "marker": "v", "linewidth": 1.0},
}

HEAT_COLORS = "cividis"  # the same for every kind of colour vision, and grey print keeps its order

# Signs are told apart by colour and by dashes, never by red against green.
SIGN_STYLES: dict[str | None, dict[str, Any]] = {
    "+": {"color": "#0072B2", "linestyle": "-"},
    "-": {"color": "#D55E00", "linestyle": (0, (3, 1.2))},
    None: {"color": "#000000", "linestyle": "-"},
}

# The same two hues, from negative over nothing to positive.
SIGN_COLORS = LinearSegmentedColormap.from_list(
    "bipnet_signs", ["#8A3A00", "#D55E00", "#F5B78C", "#FFFFFF", "#8FC4E3", "#0072B2", "#00406B"]
)

NULL_COLOR = "0.45"  # of what is said of a null model as such

COLUMN_WIDTH, PAGE_WIDTH = 3.5, 7.2
"""Inches: one and two columns of a journal."""

LABEL_SIZE, TICK_SIZE, SMALL_SIZE = 8.0, 7.0, 6.5


def axes_or_new(ax: Axes | None, size: tuple[float, float] = (COLUMN_WIDTH, 2.6)) -> Axes:
    """The axes to draw into: those given, or those of a new figure."""
    if ax is None:
        _, ax = plt.subplots(figsize=size, layout="constrained")
    return ax


def require_columns(table: pd.DataFrame, *columns: str) -> None:
    """Raise `InputError` unless the table has these columns and a row."""
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise InputError(f"the table lacks the columns {', '.join(sorted(missing))}")
    if table.empty:
        raise InputError("the table has no rows; there is nothing to draw")


def dress(ax: Axes) -> None:
    """Small type, no box: what all pictures share."""
    ax.tick_params(labelsize=TICK_SIZE)
    ax.xaxis.label.set_fontsize(LABEL_SIZE)
    ax.yaxis.label.set_fontsize(LABEL_SIZE)
    ax.spines[["top", "right"]].set_visible(False)


def mark_chance(ax: Axes) -> None:
    """A thin line at 50 %, what guessing one of two classes gives."""
    ax.axhline(50, color="0.55", linewidth=0.8, linestyle=":", zorder=0)


def legend_above(ax: Axes, handles: Sequence[Any], labels: Sequence[str], n_columns: int) -> None:
    """A legend over the axes; to the left there is room over their labels."""
    legend = ax.legend(
        handles, [f" {label}" if label.startswith("_") else label for label in labels],
        fontsize=SMALL_SIZE, frameon=False, ncols=n_columns, loc="lower right",
        bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2, handlelength=1.8, columnspacing=1.0,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)  # names of layers are no formulas; nor hidden by an underscore


def shortened(text: str, inches: float, size: float) -> str:
    """The text, with an ellipsis for its middle if it is wider than so many inches."""
    shown, kept = text, len(text)
    while kept > 1 and width_of(shown, size) > inches:
        kept -= 1
        shown = f"{text[: kept // 2]}…{text[len(text) - (kept - kept // 2) :]}"
    return shown


def short_names(names: Sequence[str], inches: float, size: float) -> list[str]:
    """Names no wider than so many inches, and still all different.

    Where one is too wide, what all begin with (up to a dot) goes first, then the middle.
    """
    names = list(names)
    if all(width_of(name, size) <= inches for name in names):
        return names
    common = 0
    if len(names) > 1:
        common = _common_start(names).rfind(".") + 1
    tails = [f"…{name[common:]}" if common else name for name in names]
    short = [shortened(tail, inches, size) for tail in tails]
    for place, one in enumerate(short):
        if one in short[:place]:  # the same but for their middles: number them
            number = f" ({place + 1})"
            short[place] = shortened(tails[place], inches - width_of(number, size), size) + number
    return short


def _common_start(names: Sequence[str]) -> str:
    """What all names begin with: what the first and the last of them in order do."""
    first, last = min(names), max(names)
    same = (n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b)
    return first[: next(same, len(first))]


def width_of(text: str, size: float) -> float:
    """Inches that a text of so many points takes."""
    if not text:
        return 0.0
    width, _, _ = TextToPath().get_text_width_height_descent(text, FontProperties(size=size), False)
    return float(width) / 72
