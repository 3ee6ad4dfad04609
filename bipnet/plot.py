"""Figures of tables and of graphs. Nothing is computed here but what a box plot shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bipnet._plot.bipartite import bipartite_drawing as bipartite_drawing
from bipnet._plot.curves import accuracy_curves as accuracy_curves
from bipnet._plot.curves import randomized_curves as randomized_curves
from bipnet._plot.distributions import degree_distributions as degree_distributions
from bipnet._plot.distributions import distribution_bands as distribution_bands
from bipnet._plot.distributions import strength_distributions as strength_distributions
from bipnet._plot.heat import pair_heatmap as pair_heatmap
from bipnet._plot.layers import layer_bars as layer_bars
from bipnet._plot.layers import layer_curves as layer_curves
from bipnet._plot.layers import layer_heatmap as layer_heatmap
from bipnet._plot.pattern import sign_heatmap as sign_heatmap
from bipnet._plot.pixels import pixel_map as pixel_map
from bipnet._plot.points import gap_scatter as gap_scatter
from bipnet._plot.points import sigma_points as sigma_points
from bipnet._plot.probes import complexity_bars as complexity_bars
from bipnet._plot.probes import probe_curves as probe_curves
from bipnet._plot.significance import significance_dots as significance_dots
from bipnet._plot.spectrum import singular_spectrum as singular_spectrum
from bipnet._plot.styles import STYLES as STYLES
from bipnet._plot.styles import axes_or_new
from bipnet._plot.weights import weight_histograms as weight_histograms
from bipnet.errors import InputError
from bipnet.nulls import NULL_MODELS, Diagnosis

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def accuracy_boxes(table: pd.DataFrame, *, fold: bool = False, ax: Axes | None = None) -> Axes:
    """Box plots of accuracy per null model, easy and hard task side by side (Figure 2b).

    Parameters
    ----------
    table
        Tidy: columns ``task`` ("E" or "H"), ``classes``, ``null_model`` ("" = trained network)
        and ``accuracy`` in [0, 1]; a row per realization.
    fold
        Draw an accuracy x below 50 % as 100 - x, as the paper's code does: a network that is
        wrong about most images tells the two classes apart, under the wrong names.
    ax
        Axes to draw into; new ones by default.

    Returns
    -------
    The axes. Boxes: quartiles and median; whiskers: the furthest points within 1.5 IQR;
    markers: medians. The raw sample, not trimmed, and not folded by default.

    Raises
    ------
    InputError
        A column is missing, or there is no row of task "E" or "H".

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> import pandas as pd
    >>> table = pd.DataFrame({"task": "E", "classes": "0 / 7", "null_model": ["", "A", "A"],
    ...                       "accuracy": [0.99, 0.4, 0.6]})
    >>> accuracy_boxes(table).get_ylabel()
    'test accuracy (%)'
    """
    missing = {"task", "classes", "null_model", "accuracy"} - set(table.columns)
    if missing:
        raise InputError(f"the table lacks the columns {', '.join(sorted(missing))}")
    tasks = [task for task in STYLES if (table["task"] == task).any()]
    if not tasks:
        raise InputError(f"the table has no row of task {' or '.join(STYLES)}")
    ax = axes_or_new(ax)
    letters = ["", *NULL_MODELS]
    handles: list[Any] = []
    for offset, task in zip(_offsets(len(tasks)), tasks, strict=True):
        style = STYLES[task]
        of_task = table[table["task"] == task]
        samples = [
            100 * of_task.loc[of_task["null_model"] == letter, "accuracy"].to_numpy()
            for letter in letters
        ]
        if fold:
            samples = [np.maximum(sample, 100 - sample) for sample in samples]
        places = [place + offset for place, sample in enumerate(samples) if sample.size]
        drawn = ax.boxplot(
            [sample for sample in samples if sample.size],
            positions=places,
            widths=0.32,
            patch_artist=True,
            manage_ticks=False,
            boxprops={"facecolor": "none", "edgecolor": style["color"], "linewidth": 0.8},
            whiskerprops={"color": style["color"], "linewidth": 0.8},
            capprops={"color": style["color"], "linewidth": 0.8},
            medianprops={"color": style["color"], "linewidth": 1.2},
            flierprops={"marker": ".", "markersize": 2, "markeredgecolor": style["color"]},
        )
        for box in drawn["boxes"]:
            box.set_hatch(style["hatch"])
            box.set_facecolor(style["color"] + "40")
        medians = [line.get_ydata()[0] for line in drawn["medians"]]
        (handle,) = ax.plot(
            places,
            medians,
            linestyle="none",
            marker=style["marker"],
            markersize=3.5,
            color=style["color"],
            markeredgecolor="white",
            markeredgewidth=0.4,
            label=f"{style['label']} ({of_task['classes'].iloc[0]})",
            zorder=5,
        )
        handles.append(handle)
    ax.axhline(50, color="0.5", linewidth=0.8, linestyle=":", zorder=0)
    ax.text(-0.55, 51, "chance", color="0.4", fontsize=6.5, va="bottom", ha="left")
    ax.set_xticks(range(len(letters)), ["trained", *NULL_MODELS])
    ax.set_xlim(-0.6, len(letters) - 0.4)
    ax.set_xlabel("null model", fontsize=8)
    ax.set_ylabel("test accuracy (%)", fontsize=8)
    ax.tick_params(labelsize=7)
    ax.legend(
        handles=handles, fontsize=6.5, frameon=False, ncols=2,
        loc="lower center", bbox_to_anchor=(0.5, 1.0), borderaxespad=0.2,
    )  # fmt: skip
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _offsets(n: int) -> list[float]:
    return [0.0] if n == 1 else [-0.19, 0.19]


def traces(diagnosis: Diagnosis, *, ax: Axes | None = None) -> Axes:
    """The overlap with the start along the pilot chains, and where a draw is taken.

    Parameters
    ----------
    diagnosis
        Made by `bipnet.diagnose`.
    ax
        Axes to draw into; new ones by default.

    Returns
    -------
    The axes. Lines: one per chain; band: one standard deviation around the equilibrium level;
    dotted line: the length of a draw.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> import numpy as np, bipnet
    >>> W = np.random.default_rng(0).normal(size=(20, 30))
    >>> traces(bipnet.diagnose(W)).get_ylabel()
    'overlap with the start'
    """
    ax = axes_or_new(ax)
    steps = diagnosis.unit * np.arange(diagnosis.traces.shape[1])
    low, high = (diagnosis.level + side * diagnosis.spread for side in (-1, 1))
    ax.axhspan(low, high, color="#E69F00", alpha=0.5, lw=0, label="equilibrium, +- 1 SD")
    for number, trace in enumerate(diagnosis.traces):
        label = "pilot chain" if number == 0 else None
        ax.plot(steps, trace, color="#0072B2", lw=0.8, alpha=0.7, label=label)
    loops_alone = diagnosis.loop_unit == diagnosis.unit
    taken = diagnosis.loops if loops_alone else diagnosis.steps
    ax.axvline(taken, color="black", ls=":", lw=1, label="a draw is taken")
    kind = "rounds of trades" if diagnosis.method == "trade" else "attempted swaps"
    ax.set_xlabel("loops" if loops_alone else kind)
    ax.set_ylabel("overlap with the start")
    ax.legend(frameon=False, fontsize="small")
    return ax
