"""z-scores of many statistics and layers as dots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from bipnet._plot.layers import N_STYLES, layer_style
from bipnet._plot.styles import (
    COLUMN_WIDTH,
    NULL_COLOR,
    SMALL_SIZE,
    TICK_SIZE,
    axes_or_new,
    dress,
    legend_above,
    require_columns,
    short_names,
)
from bipnet.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_COLUMNS = ("layer", "statistic", "node", "z", "p_adjusted", "state")
_DOT: dict[str, Any] = {"ls": "none", "ms": 4.0, "mew": 0.9}
_WORDS = {"fixed": "fixed by this null"}
_FAR = 30.0  # |z| from which the axis is logarithmic at its ends
_NEAR = 3.0  # it stays linear up to here
_HIGHEST = 12.0  # inches of a new figure
_MOST_NAMES = 90  # rows with a name: of more every second, third ... has one
_NAME_WIDTH, _GROUP_WIDTH = 1.25, 1.1  # inches


def significance_dots(
    table: pd.DataFrame | Sequence[Mapping[str, Any]],
    *,
    rows: Literal["statistic", "layer"] = "statistic",
    level: float = 0.05,
    ax: Axes | None = None,
) -> Axes:
    """The z-score of every statistic and layer under a null model, as a dot.

    Parameters
    ----------
    table
        A row per layer and statistic, as `bipnet.significance` makes it: columns ``layer``,
        ``statistic``, ``node`` ("" if it is of the whole layer), ``z``, ``p_adjusted`` and
        ``state`` ("fixed" where the null model leaves the statistic as it is). A DataFrame, or a
        list of dicts.
    rows
        What has a row each; the other has colours and markers. "layer" for a deep model and few
        statistics.
    level
        Dots are filled where ``p_adjusted`` is at most this.
    ax
        Axes to draw into; new ones by default, as high as the rows need, up to 12 inches.

    Returns
    -------
    The axes, what comes first on top. Filled: significant; hollow: not; a cross at zero: no z,
    for the reason beside it; an arrow at the margin: an infinite z (the null model has no
    spread, but is elsewhere). Where some |z| exceeds 30 the axis is logarithmic beyond 3.
    Long names are shortened, but stay different; of more than 90 rows every second, third ...
    has its name.

    Raises
    ------
    InputError
        A column is missing; no row; a row twice; a z that is no number in state "ok", and a p
        that is none beside a z; more layers (or statistics) than there are colours and markers.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> row = {"layer": "fc1", "statistic": "nodf", "node": "", "z": 4.0, "p_adjusted": 0.01,
    ...        "state": "ok"}
    >>> ax = significance_dots([row, {**row, "statistic": "alpha", "state": "fixed"}])
    >>> [text.get_text() for text in ax.get_yticklabels()], ax.texts[0].get_text()
    (['nodf', 'alpha'], 'fixed by this null')
    >>> matplotlib.pyplot.close("all")
    """
    if not 0 < level < 1:
        raise InputError(f"level must be between 0 and 1, got {level!r}")
    if rows not in ("statistic", "layer"):
        raise InputError(f"rows must be 'statistic' or 'layer', got {rows!r}")
    dots = _dots(table)
    if rows == "layer":
        dots = [replace(dot, row=dot.group, group=dot.row) for dot in dots]
    names = list(dict.fromkeys(dot.row for dot in dots))
    groups = list(dict.fromkeys(dot.group for dot in dots))
    if len(groups) > N_STYLES:
        raise InputError(
            f"{len(groups)} colours cannot be told apart: give fewer, or the other kind of rows"
        )
    height = 0.95 + (0.15 + 0.07 * (len(groups) - 1)) * len(names)
    ax = axes_or_new(ax, (COLUMN_WIDTH, min(height, _HIGHEST)))
    named = range(0, len(names), -(-len(names) // _MOST_NAMES))
    for place in range(1, len(names), 2):
        ax.axhspan(place - 0.5, place + 0.5, color="0.95", lw=0, zorder=0)
    ax.axvline(0, color="0.3", lw=0.6, zorder=1)
    finite = [dot.z for dot in dots if dot.reason is None and np.isfinite(dot.z)]
    far = max(map(abs, finite), default=0.0) > _FAR
    if far:
        ax.set_xscale("symlog", linthresh=_NEAR, linscale=0.8)
    low, high = _limits(finite, far=far)
    if far:
        ax.xaxis.set_major_locator(FixedLocator(_decades(low, high)))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(FuncFormatter(lambda z, _: f"{z:g}".replace("-", "−")))
    for dot in dots:
        number = groups.index(dot.group)
        # Those of a row stand under one another.
        y = names.index(dot.row) + 0.76 * ((number + 0.5) / len(groups) - 0.5)
        style = {**layer_style(number), **_DOT, "label": dot.group, "zorder": 3, "clip_on": False}
        x = dot.z
        if dot.reason is not None:
            x, style["marker"], style["ms"] = 0.0, "x", 3.2
        elif not dot.p_adjusted <= level:
            style["mfc"] = "white"
        if np.isinf(x):
            style["marker"] = ">" if x > 0 else "<"
            x = high if x > 0 else low
        ax.plot([x], [y], **style)
    elsewhere = _explain(ax, dots, names, named, on_the_right=high >= -low)
    ax.set_xlim(low, high)
    ax.set_ylim(len(names) - 0.5, -0.5)
    shown = short_names(names, _NAME_WIDTH, TICK_SIZE)
    ax.set_yticks(list(named), [shown[place] for place in named], parse_math=False)
    ax.set_xlabel(
        "$z$ under the null" + (f" (log scale beyond ±{_NEAR:g})" if far else ""),
        loc="right" if max(map(len, shown)) > 12 else "center",  # under the names there is room
    )
    dress(ax)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    grey = {"color": NULL_COLOR, "marker": "o", **_DOT}
    handles = [Line2D([], [], **grey), Line2D([], [], **{**grey, "mfc": "white"})]
    labels = [f"adjusted p ≤ {level:g}", f"p > {level:g}"]
    for reason in elsewhere:
        handles.append(Line2D([], [], **{**grey, "marker": "x", "ms": 3.2}))
        labels.append(reason)
    if any(np.isinf(dot.z) for dot in dots if dot.reason is None):
        handles.append(Line2D([], [], **{**grey, "marker": ">"}))
        labels.append("z infinite")
    if len(groups) > 1:
        handles += [Line2D([], [], **layer_style(n), **_DOT) for n in range(len(groups))]
        labels += short_names(groups, _GROUP_WIDTH, SMALL_SIZE)
    legend_above(ax, handles, labels, 3 if max(map(len, labels)) < 18 else 2)
    return ax


@dataclass(frozen=True)
class _Dot:
    """A row of the table; ``reason`` says why it has no z, if it has none."""

    row: str
    group: str
    z: float
    p_adjusted: float
    reason: str | None


def _dots(table: pd.DataFrame | Sequence[Mapping[str, Any]]) -> list[_Dot]:
    """The rows, checked."""
    rows = _rows(table)
    dots: list[_Dot] = []
    for number, row in enumerate(rows):
        state, node = str(row["state"]), row["node"]
        name = f"{row['statistic']}" if _is_missing(node) else f"{row['statistic']} [{node}]"
        where = f"row {number} ({row['layer']}, {name})"
        z, p = (_number(row[column], f"{column} of {where}") for column in ("z", "p_adjusted"))
        reason = None
        if state == "fixed" or np.isnan(z):
            if state == "ok":
                raise InputError(f"{where} is 'ok', but its z is no number")
            reason = _WORDS.get(state, state)
        elif np.isnan(p):
            raise InputError(f"{where} has a z, but its p_adjusted is no number")
        dots.append(_Dot(name, str(row["layer"]), z, p, reason))
    seen: set[tuple[str, str]] = set()
    for dot in dots:
        if (dot.row, dot.group) in seen:
            raise InputError(
                f"{dot.row} of layer {dot.group} stands in the table twice: draw one null model at"
                " a time"
            )
        seen.add((dot.row, dot.group))
    return dots


def _rows(table: pd.DataFrame | Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    if not isinstance(table, Sequence):
        require_columns(table, *_COLUMNS)
        columns = [table[name].tolist() for name in _COLUMNS]
        return [dict(zip(_COLUMNS, row, strict=True)) for row in zip(*columns, strict=True)]
    rows = list(table)
    if not rows:
        raise InputError("the table has no rows; there is nothing to draw")
    for number, row in enumerate(rows):
        missing = [name for name in _COLUMNS if not isinstance(row, Mapping) or name not in row]
        if missing:
            raise InputError(f"row {number} lacks the columns {', '.join(sorted(missing))}")
    return rows


def _number(value: Any, what: str) -> float:
    if _is_missing(value):
        return float("nan")
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InputError(f"{what} must be a number, got {value!r}") from None


def _is_missing(value: Any) -> bool:
    """Whether a cell is empty: None, "", NaN (what an empty text becomes in CSV) or pandas' NA."""
    return value is None or str(value) in ("", "nan", "<NA>")


def _limits(finite: Sequence[float], *, far: bool) -> tuple[float, float]:
    """Room around the dots, zero among them."""
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    if far:
        return min(1.6 * low, -_NEAR / 2), max(1.6 * high, _NEAR / 2)
    low, high = min(low, 0.0), max(high, 0.0)
    margin = 0.08 * (high - low) or 1.0
    return low - margin, high + margin


def _decades(low: float, high: float) -> list[float]:
    """Zero and powers of ten, at most three each way."""
    ticks = [0.0]
    for way, end in ((-1.0, -low), (1.0, high)):
        powers = range(1, int(np.floor(np.log10(max(end, 1.0)))) + 1)
        ticks += [way * 10.0**power for power in powers[:: -(-len(powers) // 3) or 1]]
    return sorted(ticks)


def _explain(
    ax: Axes, dots: Sequence[_Dot], names: Sequence[str], named: range, *, on_the_right: bool
) -> list[str]:
    """Say why there is no z beside the rows that have none; give the reasons of other rows."""
    elsewhere: dict[str, None] = {}
    of_row: dict[str, list[str | None]] = {name: [] for name in names}
    for dot in dots:
        of_row[dot.row].append(dot.reason)
    for place, reasons in enumerate(of_row.values()):
        known = dict.fromkeys(reason for reason in reasons if reason is not None)
        if None in reasons:  # other dots may be where the text would be
            elsewhere.update(known)
        elif known and place in named:
            ax.annotate(
                ", ".join(known), (0, place), (7 if on_the_right else -7, 0),
                textcoords="offset points", ha="left" if on_the_right else "right", va="center",
                fontsize=SMALL_SIZE, color=NULL_COLOR, zorder=2, parse_math=False,
            )  # fmt: skip
    return list(elsewhere)
