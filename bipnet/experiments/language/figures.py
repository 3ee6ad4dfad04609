"""How Figures 5 and 9 and the map of all layers are laid out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.figure import Figure

from bipnet._plot.styles import LABEL_SIZE, PAGE_WIDTH
from bipnet.experiments.figures.catalogue import PaperFigure
from bipnet.experiments.figures.layouts import letter_panels
from bipnet.experiments.language.layers import short_names
from bipnet.experiments.language.losses import losses_unpruned, map_losses
from bipnet.experiments.language.plan import MAP
from bipnet.experiments.tables import LANGUAGE_COLUMNS
from bipnet.plot import layer_bars, layer_curves, layer_heatmap

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_P = "fraction of edges removed, p"
_Q = "fraction of signs flipped, q"
_SD = "standard deviation of the noise"


def pruning_figure(table: pd.DataFrame) -> Figure:
    """Binarising, A and B against p, and below what each costs at the smallest p (Figure 5)."""
    figure = Figure(figsize=(PAGE_WIDTH, 4.9), layout="constrained")
    panels: list[list[Axes]] = figure.subplots(2, 3, squeeze=False).tolist()
    table = table.assign(layer=table["layer"].map(short_names(table["layer"])))
    lost = list(losses_unpruned(table).values())
    looks = (("pruned; dashed: binarised", "prune", ""), ("null model A", "randomize", "A"),
             ("null model B", "randomize", "B"))  # fmt: skip
    for column, (title, probe, letter) in enumerate(looks):
        rows = table[(table["probe"] == probe) & (table["null_model"] == letter)]
        layer_curves(rows, "fraction_removed", x_label=_P, ax=panels[0][column])
        panels[0][column].set_title(title, size=LABEL_SIZE)
        points = {layer: 100 * draws for layer, draws in lost[column].items()}
        layer_bars(points, label="F1 lost (points)", ax=panels[1][column])
    _same_heights(panels[1])
    for row in panels:
        for ax in row[1:]:
            ax.set_ylabel("")
    _legend(figure, panels[0])
    letter_panels(panels)
    return figure


def noise_figure(table: pd.DataFrame) -> Figure:
    """Noise and flips, as probed and then binarised (Figure 9)."""
    figure = Figure(figsize=(PAGE_WIDTH, 4.6), layout="constrained")
    panels: list[list[Axes]] = figure.subplots(2, 2, squeeze=False).tolist()
    table = table.assign(layer=table["layer"].map(short_names(table["layer"])))
    for row, (probe, label) in enumerate((("noise", _SD), ("flip", _Q))):
        for column, model in enumerate(("float", "signed")):
            ax = panels[row][column]
            rows = table[(table["probe"] == probe) & (table["model"] == model)]
            layer_curves(rows, "level", x_label=label, solid=True, ax=ax)
            if row == 0:
                title = "weights as probed" if model == "float" else "then binarised"
                ax.set_title(title, size=LABEL_SIZE)
            if column:
                ax.set_ylabel("")
    _legend(figure, panels[0])
    letter_panels(panels)
    return figure


def map_figure(table: pd.DataFrame) -> Figure:
    """F1 lost, all linear layers of the model by all probes."""
    lost = 100 * map_losses(table)
    names = short_names(map(str, lost.index), without=("attention.", "ffn."))
    lost.index = pd.Index([names[str(name)] for name in lost.index])
    figure = Figure(figsize=(PAGE_WIDTH, 1.3 + 0.16 * len(lost)), layout="constrained")
    layer_heatmap(lost, label="F1 lost (points)", gained="gained", ax=figure.subplots())
    return figure


def _legend(figure: Figure, panels: Sequence[Axes]) -> None:
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper center", ncols=min(3, len(labels)),
        fontsize=LABEL_SIZE, frameon=False, handlelength=3.2,
    )  # fmt: skip


def _same_heights(panels: Sequence[Axes]) -> None:
    limits = [ax.get_ylim() for ax in panels]
    for ax in panels:
        ax.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))


LANGUAGE_FIGURES: tuple[PaperFigure, ...] = (
    PaperFigure(
        5,
        "figure-05",
        "Layers of the language model: pruned, binarised, randomised",
        "F1 score as a function of the fraction of removed edges, one layer probed at a time:"
        " (a) solid lines: original weights, dashed lines with hollow markers: binarised; (b)"
        " after randomization A; (c) after randomization B. Below, at the smallest fraction"
        " removed, the F1 score lost by (d) binarising, (e) A and (f) B. Medians over {n} draws"
        " where there is chance; shaded regions and error bars: the interquartile range.",
        "Line charts of the F1 score against the fraction of edges removed, a colour for each"
        " layer, and bar charts of the F1 score lost at the smallest fraction. The values are in"
        " the tables below.",
        lambda table, sigma, _: pruning_figure(table),
        LANGUAGE_COLUMNS,
        probe="prune",
    ),
    PaperFigure(
        9,
        "figure-09",
        "Layers of the language model: noise and sign flips",
        "F1 score as a function (a, b) of the standard deviation of Gaussian noise added to the"
        " weights, (c, d) of the fraction of the smallest-magnitude signs flipped; left the"
        " weights as probed, right binarised afterwards. Medians over {n} draws of the noise;"
        " shaded regions: the interquartile range.",
        "Line charts of the F1 score against noise and flips, a colour for each layer. The values"
        " are in the tables below.",
        lambda table, sigma, _: noise_figure(table),
        LANGUAGE_COLUMNS,
    ),
    PaperFigure(
        MAP,
        "layer-map",
        "F1 score lost, all linear layers by all probes",
        "A row for each linear layer of the model, probed alone; medians over {n} draws where"
        " there is chance. White: nothing lost; orange: lost; purple, framed and bold: gained."
        " Noise has the standard deviation of the layer's own weights.",
        "Heat map of layers by probes with the F1 score lost in points. The values are in the"
        " table below.",
        lambda table, sigma, _: map_figure(table),
        LANGUAGE_COLUMNS,
    ),
)
"""Every figure of the study, in the order of the report."""
