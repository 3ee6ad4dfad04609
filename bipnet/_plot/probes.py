"""Figures of probes and of task complexity. They are part of `bipnet.plot`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bipnet.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

# Okabe & Ito's colours without the pale yellow; then the same ones with other markers.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = {"float": "-", "signed": "--"}
_GREY = "0.45"
_SIZE = (3.5, 2.6)  # inches: one column of a page
_PALE = 0.55

_LABELS = {
    "noise": "noise level $a$",
    "noise uniform": "half-width $a$ of the uniform noise",
    "noise normal": "standard deviation of the normal noise",
    "flip": "fraction $q$ of signs flipped, smallest weights first",
    "prune": "fraction $p$ of edges removed, smallest first",
    "randomize": "fraction $p$ of edges removed before the draw",
}


def probe_curves(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """The score against the level of a probe: medians and quartiles over realizations.

    Parameters
    ----------
    table
        Tidy, as `bipnet.torch.probe` makes it; several of one kind may be put together
        (``pandas.concat``), e.g. of the null models B, E and F. Columns ``layer``, ``model``,
        ``probe``, ``null_model``, ``fraction_removed``, ``level`` and ``score``; a row per
        realization.
    ax
        Axes to draw into; new ones by default, as wide as a column (3.5 in).

    Returns
    -------
    The axes. A colour for each layer or null model; solid lines: the model as probed, dashed
    with hollow markers: binarised; markers and lines: medians; bands: quartiles; dotted: the model
    as it is.

    Raises
    ------
    InputError
        A column is missing; no row of a probe; probes whose levels are different things (draw
        "noise", "flip" and the others apart).

    Notes
    -----
    Paper, Figures 1, 3, 5 and 9.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> import pandas as pd
    >>> table = pd.DataFrame({"layer": "all", "model": "float", "probe": "prune",
    ...     "null_model": "", "fraction_removed": [0.0, 0.5], "level": float("nan"),
    ...     "score": [0.9, 0.8]})
    >>> probe_curves(table).get_xlabel()
    'fraction $p$ of edges removed, smallest first'
    """
    _require_columns(
        table, "layer", "model", "probe", "null_model", "fraction_removed", "level", "score"
    )
    attributes = table.attrs
    letters = table["null_model"].astype(object)
    table = table.assign(null_model=letters.where(letters.notna(), ""))  # CSV has no empty text
    rows = table[table["probe"] != "none"]
    column, label = _axis_of(rows, attributes)
    ax, grows = _axes(ax)
    unchanged = table[(table["probe"] == "none") & (table["model"] == "float")]["score"]
    if len(unchanged):
        ax.axhline(float(unchanged.median()), color=_GREY, lw=0.8, ls=":", zorder=0)
    pairs = rows[["layer", "null_model"]].drop_duplicates()
    groups = list(pairs.itertuples(index=False, name=None))
    names = _group_names(groups)
    for number, (layer, letter) in enumerate(groups):
        style = _style(number)
        for model, line in LINES.items():
            chosen = (
                (rows["layer"] == layer) & (rows["null_model"] == letter) & (rows["model"] == model)
            )
            if chosen.any():
                face = "white" if model == "signed" else style["color"]
                _curve(ax, rows[chosen], column, {**style, "ls": line, "mfc": face})
    if column == "level" and set(rows["probe"]) == {"noise"}:
        _scale_of_noise(ax, rows[column].to_numpy())
    ax.set_xlabel(label, fontsize=8)
    ax.set_ylabel("score", fontsize=8)
    handles: list[Artist] = [
        Line2D([], [], ls="-", label=name, **_style(number)) for number, name in enumerate(names)
    ]
    models = [model for model in LINES if (rows["model"] == model).any()]
    if len(models) > 1 or models == ["signed"]:
        faces = {"float": _GREY, "signed": "white"}
        handles += [
            Line2D([], [], color=_GREY, ls=LINES[model], lw=1.1, marker="o", ms=2.5,
                   mfc=faces[model], label=model)
            for model in models
        ]  # fmt: skip
    if len(unchanged):
        handles.append(Line2D([], [], color=_GREY, ls=":", lw=0.8, label="as it is"))
    _finish(ax, handles, grows)
    return ax


def complexity_bars(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """The score lost by binarising and randomising: medians, and every realization.

    Parameters
    ----------
    table
        Tidy, as `bipnet.torch.task_complexity` makes it: columns ``layer``, ``by`` and ``gap``;
        a row per realization.
    ax
        Axes to draw into; new ones by default, as wide as a column (3.5 in).

    Returns
    -------
    The axes. Bars: medians; lines: quartiles; points: the realizations. A colour for each
    layer, if there are several. Where a gap is infinite there is no bar, but that word.

    Raises
    ------
    InputError
        A column is missing, or the table has no row.

    Notes
    -----
    Paper, section 4 and Figure 5d-f.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> import pandas as pd
    >>> table = pd.DataFrame({"layer": "all", "by": ["binarize", "B", "B"],
    ...                       "gap": [0.3, 0.1, 0.2]})
    >>> [text.get_text() for text in complexity_bars(table).get_xticklabels()]
    ['binarised', 'B']
    """
    _require_columns(table, "layer", "by", "gap")
    if not len(table):
        raise InputError("the table has no row")
    ax, grows = _axes(ax)
    ways = list(dict.fromkeys(table["by"]))
    layers = list(dict.fromkeys(table["layer"]))
    width = 0.8 / len(layers)
    for (place, way), (number, layer) in product(enumerate(ways), enumerate(layers)):
        chosen = (table["by"] == way) & (table["layer"] == layer)
        gaps = table.loc[chosen, "gap"].to_numpy(dtype=float)
        if not gaps.size:
            continue
        x = place + (number - (len(layers) - 1) / 2) * width
        if not np.isfinite(gaps).all():  # the table says which
            ax.text(x, 0, " infinite", rotation=90, ha="center", va="bottom", fontsize=6.5)
            gaps = gaps[np.isfinite(gaps)]
            ax.plot(np.full(gaps.size, x), gaps, ls="none", marker=".", ms=3, color="black")
            continue
        low, middle, high = np.quantile(gaps, [0.25, 0.5, 0.75])
        color = _style(number)["color"]
        ax.bar(x, middle, 0.9 * width, color=color, alpha=_PALE)
        if gaps.size > 1:
            ax.vlines(x, low, high, color="black", lw=1)
        ax.plot(np.full(gaps.size, x), gaps, ls="none", marker=".", ms=3, color="black", alpha=0.5)
    ax.axhline(0, color=_GREY, lw=0.8)
    ax.set_xticks(range(len(ways)), ["binarised" if way == "binarize" else way for way in ways])
    ax.set_xlim(-0.6, len(ways) - 0.4)
    ax.set_xlabel("weights binarised, or drawn from a null model", fontsize=8)
    ax.set_ylabel("score lost (original - probed)", fontsize=8)
    handles = [
        Patch(color=_style(number)["color"], alpha=_PALE, label=layer)
        for number, layer in enumerate(layers)
    ]
    _finish(ax, handles if len(layers) > 1 else [], grows)
    return ax


def _require_columns(table: pd.DataFrame, *names: str) -> None:
    missing = set(names) - set(table.columns)
    if missing:
        raise InputError(f"the table lacks the columns {', '.join(sorted(missing))}")


def _axis_of(rows: pd.DataFrame, attributes: dict[Any, Any]) -> tuple[str, str]:
    """The column of the levels, and what they are."""
    probes = set(rows["probe"])
    if not probes:
        raise InputError("the table has no row of a probe")
    if probes <= {"prune", "randomize"}:
        return "fraction_removed", _LABELS["prune" if probes != {"randomize"} else "randomize"]
    if len(probes) > 1 or not probes <= set(_LABELS):
        raise InputError(
            f"the levels of {', '.join(sorted(probes))} have no axis in common: draw noise, flip,"
            " and prune with null models apart"
        )
    (probe,) = probes
    named = f"{probe} {attributes.get('distribution', '')}"
    return "level", _LABELS.get(named, _LABELS[probe])


def _group_names(groups: list[tuple[str, str]]) -> list[str]:
    """What tells the curves apart: layers, null models or both; nothing if there is one."""
    layers, letters = ({group[part] for group in groups} for part in (0, 1))

    def model(letter: str) -> str:
        return f"null model {letter}" if letter else "not randomised"

    if len(groups) == 1:
        layer, letter = groups[0]
        return [model(letter)] if letter else [] if layer == "all" else [layer]
    if len(letters) == 1:
        return [layer for layer, _ in groups]
    if len(layers) == 1:
        return [model(letter) for _, letter in groups]
    return [f"{layer}, {model(letter)}" for layer, letter in groups]


def _style(number: int) -> dict[str, Any]:
    color, again = number % len(COLORS), number // len(COLORS)
    marker = MARKERS[(color + again) % len(MARKERS)]
    return {"color": COLORS[color], "marker": marker, "ms": 2.5, "lw": 1.1}


def _curve(ax: Axes, rows: pd.DataFrame, column: str, style: dict[str, Any]) -> None:
    scores = rows.groupby(column)["score"]
    median = scores.median()
    x = median.index.to_numpy(dtype=float)
    ax.plot(x, median.to_numpy(), **style)
    if len(rows) > len(x):
        low, high = scores.quantile(0.25).to_numpy(), scores.quantile(0.75).to_numpy()
        ax.fill_between(x, low, high, color=style["color"], alpha=0.18, lw=0)


def _scale_of_noise(ax: Axes, levels: Any) -> None:
    """Logarithmic where levels span decades; a level of 0 then stands left of them."""
    positive = levels[levels > 0]
    if positive.size and positive.max() >= 20 * positive.min():
        if (levels == 0).any():
            ax.set_xscale("symlog", base=2, linthresh=float(positive.min()))
        else:
            ax.set_xscale("log", base=2)


def _axes(ax: Axes | None) -> tuple[Axes, bool]:
    """The axes to draw into, and whether their figure is ours."""
    if ax is not None:
        return ax, False
    _, new = plt.subplots(figsize=_SIZE, layout="constrained")
    return new, True


def _finish(ax: Axes, handles: Sequence[Artist], grows: bool) -> None:
    """Legend above, thin frame; a figure of ours is higher by a long legend."""
    ax.tick_params(labelsize=7)
    ax.spines[["top", "right"]].set_visible(False)
    if handles:
        texts = [str(handle.get_label()) for handle in handles]
        longest = max(map(len, texts))
        n_columns = min(len(texts), 4 if longest < 12 else 3 if longest < 20 else 1)
        n_lines = -(-len(texts) // n_columns)
        if grows and n_lines > 2 and isinstance(ax.figure, Figure):
            ax.figure.set_figheight(_SIZE[1] + 0.14 * (n_lines - 2))
        ax.legend(
            handles=handles, fontsize=6.5, frameon=False,
            ncols=n_columns, loc="lower center", bbox_to_anchor=(0.5, 1.0), borderaxespad=0.2,
        )  # fmt: skip
