"""How the panels of each figure stand together.

A function takes rows of `bipnet.experiments.tables`, of one figure, and gives a figure, which
pyplot does not know: nothing has to be closed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from bipnet._plot.styles import LABEL_SIZE, PAGE_WIDTH, SMALL_SIZE
from bipnet.errors import InputError
from bipnet.experiments.datasets import DATASETS, PAPER_TASKS
from bipnet.experiments.pairs import by_pair, class_order, pair_losses, spearman
from bipnet.plot import (
    accuracy_boxes,
    accuracy_curves,
    gap_scatter,
    pair_heatmap,
    randomized_curves,
    sigma_points,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

    from bipnet._plot.curves import Probe, PruningAxis

TITLES = {"mnist": "MNIST", "fashion-mnist": "Fashion-MNIST", "digits": "Digits (8 × 8)"}

PROBES: tuple[Probe, ...] = ("prune", "noise", "flip")

# The paper's pairs, named in Figure 4c where the data set has them.
_NAMED_PAIRS = ("0/7", "7/9", "0/3", "1/7")


def datasets_of(table: pd.DataFrame) -> list[str]:
    """The data sets of a table, MNIST first, then Fashion-MNIST, then others."""
    order = {name: place for place, name in enumerate(("mnist", "fashion-mnist", *DATASETS))}
    names = dict.fromkeys(table["dataset"])
    if not names:
        raise InputError("the table has no rows; there is nothing to draw")
    return sorted(names, key=lambda name: order.get(name, len(order)))


def title_of(dataset: str) -> str:
    """What a data set is called in print."""
    return TITLES.get(dataset, dataset)


def probes_figure(table: pd.DataFrame, sigma: pd.DataFrame | None = None) -> Figure:
    """Pruning, noise and flips, a row each, a column per data set (Figures 1, 10, 12).

    Parameters
    ----------
    table
        Accuracies under the probes "prune", "noise" and "flip"; absent ones get no panel.
    sigma
        Standard deviations of the same networks; their median per task is drawn as a dotted
        line into the noise panels (paper's text: the average, its code: the median).
    """
    datasets = datasets_of(table)
    probes = [probe for probe in PROBES if (table["probe"] == probe).any()]
    if not probes:
        raise InputError("the table has no row of the probes prune, noise and flip")
    # One data set: side by side, to use the width. Two: a column each, as in the paper.
    across = len(datasets) == 1
    shape = (1, len(probes)) if across else (len(probes), len(datasets))
    figure, panels = _panels(*shape, height=2.55 if across else 2.2 * len(probes) + 0.3)
    for column, dataset in enumerate(datasets):
        rows = table[table["dataset"] == dataset]
        lines = _median_sigma(sigma, dataset)
        for row, probe in enumerate(probes):
            ax = panels[0][row] if across else panels[row][column]
            if (rows["probe"] == probe).any():
                accuracy_curves(rows, probe, sigma=lines if probe == "noise" else None, ax=ax)
                if probe == "noise" and lines:
                    ax.text(
                        max(lines.values()), 0.02, " σ(w)", transform=ax.get_xaxis_transform(),
                        fontsize=SMALL_SIZE, ha="left", va="bottom", color="0.25",
                    )  # fmt: skip
            else:
                ax.set_visible(False)
            if across or row == 0:
                ax.set_title(title_of(dataset), size=LABEL_SIZE, parse_math=False)
            if (row if across else column) > 0:
                ax.set_ylabel("")
    if not across:
        _share_heights(panels)
    return _finished(figure, panels)


def pruning_tail_figure(table: pd.DataFrame) -> Figure:
    """The pruning panels again, on a log axis of the fraction kept (Figures 1, 10, 12)."""
    return _pruning_figure(table, "kept", probes=True)


def randomized_figure(table: pd.DataFrame) -> Figure:
    """Pruned, then randomised by B, E or F, a panel per data set (Figures 3, 11, 13)."""
    return _pruning_figure(table, "removed", probes=False)


def randomized_tail_figure(table: pd.DataFrame) -> Figure:
    """The same on a log axis of the fraction kept."""
    return _pruning_figure(table, "kept", probes=False)


def _pruning_figure(table: pd.DataFrame, axis: PruningAxis, *, probes: bool) -> Figure:
    datasets = datasets_of(table)
    figure, panels = _panels(1, len(datasets), height=2.75)
    for ax, dataset in zip(panels[0], datasets, strict=True):
        rows = table[table["dataset"] == dataset]
        if probes:
            accuracy_curves(rows, "prune", axis=axis, ax=ax)
        else:
            randomized_curves(rows, axis=axis, ax=ax)
        ax.set_title(title_of(dataset), size=LABEL_SIZE, parse_math=False)
        if ax is not panels[0][0]:
            ax.set_ylabel("")
    _share_heights(panels)
    return _finished(figure, panels)


def null_models_figure(table: pd.DataFrame, *, fold: bool = False) -> Figure:
    """Box plots of accuracy under A to G, a panel per data set (Figure 2b, c).

    Parameters
    ----------
    table
        Accuracies of the probes "none" and "randomize" (at p = 0) of float networks.
    fold
        Draw accuracies x below 50 % as 100 - x, as the paper's code does.
    """
    chosen = table[
        table["probe"].isin(["none", "randomize"])
        & (table["model"] == "float")
        & (table["fraction_removed"] == 0)
    ]
    datasets = datasets_of(chosen)
    figure, panels = _panels(1, len(datasets), height=2.75)
    for ax, dataset in zip(panels[0], datasets, strict=True):
        rows = chosen[chosen["dataset"] == dataset]
        accuracy_boxes(rows.assign(classes=rows["task"].map(_classes(dataset))), fold=fold, ax=ax)
        ax.set_title(title_of(dataset), size=LABEL_SIZE, parse_math=False, pad=18)
        if fold:
            ax.set_ylabel("test accuracy, folded (%)")
        if ax is not panels[0][0]:
            ax.set_ylabel("")
    _share_heights(panels)
    letter_panels(panels, y=1.10, first="b")  # the paper's panel a explains the null models
    return figure


def gaps_figure(table: pd.DataFrame) -> Figure:
    """Accuracy lost by binarising and by B, and one against the other (Figure 4).

    A row of three panels per data set; medians over the networks of a pair.
    """
    datasets = datasets_of(table)
    figure, panels = _panels(len(datasets), 3, height=2.6 * len(datasets) + 0.1)
    for row, dataset in zip(panels, datasets, strict=True):
        losses = pair_losses(table[table["dataset"] == dataset])
        classes = class_order((loss.first, loss.second) for loss in losses)
        maps = [by_pair(losses, "binarised"), by_pair(losses, "randomised")]
        everything = [100 * value for values in maps for value in values.values()]
        if not everything:
            raise InputError(
                f"the table has no accuracy of binarised or randomised networks of {dataset}"
            )
        # One scale for both: the eye may compare the panels.
        limits = (min(0.0, *everything), max(everything))
        for ax, values, title in zip(row, maps, ("binarised", "null model B"), strict=False):
            if not values:
                ax.set_visible(False)
                continue
            pair_heatmap(
                {pair: 100 * value for pair, value in values.items()},
                classes, label="accuracy lost (points)", limits=limits, ax=ax,
            )  # fmt: skip
            ax.set_title(f"{title_of(dataset)}\n{title}", size=LABEL_SIZE, parse_math=False)
        both = {
            f"{loss.first}/{loss.second}": (loss.binarised, loss.randomised)
            for loss in losses
            if loss.binarised is not None and loss.randomised is not None
        }
        if both:
            gap_scatter(both, rho=spearman(losses), names=_NAMED_PAIRS, ax=row[2])
            row[2].set_title(title_of(dataset), size=LABEL_SIZE, parse_math=False)
            row[2].set_box_aspect(1)
        else:
            row[2].set_visible(False)
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    engine.set(wspace=0.06)  # room between a colour bar's label and the next panel
    letter_panels(panels, y=1.04)
    return figure


def distances_figure(table: pd.DataFrame) -> Figure:
    """SSIM distance of all pairs of classes, a panel per data set (Figure 6)."""
    datasets = datasets_of(table)
    figure, panels = _panels(1, len(datasets), height=3.1 if len(datasets) > 1 else 4.4)
    for ax, dataset in zip(panels[0], datasets, strict=True):
        rows = table[table["dataset"] == dataset]
        pairs = list(zip(rows["first"], rows["second"], strict=True))
        pair_heatmap(
            dict(zip(pairs, rows["distance"].astype(float), strict=True)),
            class_order(pairs), label="SSIM distance, 1 − SSIM", decimals=2,
            text_size=5.5 if len(datasets) > 1 else 7, ax=ax,
        )  # fmt: skip
        ax.set_title(title_of(dataset), size=LABEL_SIZE, parse_math=False)
    return _finished(figure, panels, legend=False)


def sigmas_figure(table: pd.DataFrame) -> Figure:
    """Standard deviation of the weights of every network, a panel per data set (Figure 7)."""
    datasets = datasets_of(table)
    figure, panels = _panels(1, len(datasets), height=2.6)
    for ax, dataset in zip(panels[0], datasets, strict=True):
        sigma_points(table[table["dataset"] == dataset], ax=ax)
        ax.set_title(title_of(dataset), size=LABEL_SIZE, parse_math=False)
        if ax is not panels[0][0]:
            ax.set_ylabel("")
    return _finished(figure, panels, legend=False)


def pair_accuracy_figure(table: pd.DataFrame) -> Figure:
    """Accuracy of the trained networks of all pairs, a panel per data set (Figure 8)."""
    datasets = datasets_of(table)
    figure, panels = _panels(1, len(datasets), height=3.1 if len(datasets) > 1 else 4.2)
    for ax, dataset in zip(panels[0], datasets, strict=True):
        losses = pair_losses(table[table["dataset"] == dataset])
        if not losses:
            raise InputError(f"the table has no accuracy of trained networks of {dataset}")
        pair_heatmap(
            {pair: 100 * value for pair, value in by_pair(losses, "accuracy").items()},
            class_order((loss.first, loss.second) for loss in losses),
            label="test accuracy (%)", decimals=1, text_size=5.5 if len(datasets) > 1 else 7, ax=ax,
        )  # fmt: skip
        ax.set_title(title_of(dataset), size=LABEL_SIZE, parse_math=False)
    return _finished(figure, panels, legend=False)


def _panels(n_rows: int, n_columns: int, *, height: float) -> tuple[Figure, list[list[Axes]]]:
    # A panel alone is not stretched over the page.
    width = PAGE_WIDTH if n_columns > 1 else 0.62 * PAGE_WIDTH
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(n_rows, n_columns, squeeze=False).tolist()


def _finished(figure: Figure, panels: Sequence[Sequence[Axes]], *, legend: bool = True) -> Figure:
    letter_panels(panels)
    if legend:
        handles: dict[str, Line2D] = {}
        for row in panels:
            for ax in row:
                for line in ax.get_lines():
                    if not str(line.get_label()).startswith("_"):
                        handles.setdefault(str(line.get_label()), line)
        n_columns = 4 if figure.get_figwidth() > 5 or len(handles) <= 4 else 2
        if n_columns == 4 and len(handles) == 10:
            n_columns = 5  # a line for each task
        labels = list(handles)
        if len(labels) == 2 * n_columns:  # legends are filled down, and read along
            labels = [label for pair in zip(labels[:n_columns], labels[n_columns:], strict=True)
                      for label in pair]  # fmt: skip
        figure.legend(
            [handles[label] for label in labels], labels, loc="outside upper center",
            ncols=min(n_columns, len(handles)), fontsize=LABEL_SIZE, frameon=False,
            handlelength=3.2,
        )  # fmt: skip
    return figure


def _share_heights(panels: Sequence[Sequence[Axes]]) -> None:
    """Give the panels of each row one scale: data sets can be compared by eye."""
    for row in panels:
        limits = [ax.get_ylim() for ax in row if ax.get_visible()]
        for ax in row:
            ax.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))


def letter_panels(panels: Sequence[Sequence[Axes]], y: float = 1.03, first: str = "a") -> None:
    """A bold letter at the upper left of each visible panel, if there are several."""
    letters = iter("abcdefghijklmnopqrstuvwxyz"[ord(first) - ord("a") :])
    visible = [ax for row in panels for ax in row if ax.get_visible()]
    if len(visible) < 2:
        return
    for ax in visible:
        ax.text(
            -0.02, y, next(letters), transform=ax.transAxes, fontsize=10, fontweight="bold",
            ha="right", va="bottom",
        )  # fmt: skip


def _median_sigma(sigma: pd.DataFrame | None, dataset: str) -> dict[str, float]:
    if sigma is None:
        return {}
    rows = sigma[(sigma["dataset"] == dataset) & sigma["task"].isin(["E", "H"])]
    return {str(task): float(group["sigma"].median()) for task, group in rows.groupby("task")}


def _classes(dataset: str) -> dict[str, str]:
    """What the legend says of a task: its classes where the paper names them."""
    tasks = PAPER_TASKS.get(dataset, {})
    return {
        letter: " / ".join(tasks[task]) if task in tasks else f"{letter}-model"
        for letter, task in (("E", "easy"), ("H", "hard"))
    }
