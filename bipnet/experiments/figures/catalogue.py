"""Which figure is drawn from which table, and what its caption says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import pandas as pd

from bipnet.errors import InputError
from bipnet.experiments.figures import layouts
from bipnet.experiments.tables import COLUMNS, SIGMA_COLUMNS, SSIM_COLUMNS, checked_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Tables: TypeAlias = Mapping[int, pd.DataFrame]
"""Number of the paper's figure -> its tidy table.

The table of Figure 7 may hold the standard deviations of every hidden width: Figures 1, 10 and 12
take their vertical lines from it.
"""

MAIN_WIDTH = 64
"""Hidden width of Figure 7, where its table holds several."""

_MEDIANS = (
    "Solid and dashed lines: medians over {n} random initializations; shaded regions: the"
    " interquartile range (IQR). Hidden layer size d = {hidden}."
)
_SIGNED = (
    "Pale: signed networks, pruned and binarised. B, E and F keep the sign of every edge: binarised"
    " after any of them it is the same network. "
)
_TAIL = (
    " The same curves as in Figure {number}, against a logarithmic axis of 1 − p, which gives the"
    " last per cent of the edges as much room as all the others."
)


@dataclass(frozen=True)
class PaperFigure:
    """A figure, and how it is made.

    Attributes
    ----------
    number
        Of the paper's figure.
    name
        Of its files, without ending.
    title, caption
        In print; ``{n}``, ``{hidden}`` and ``{number}`` are filled in.
    alt
        What a reader who cannot see the picture should know of it.
    draw
        (its table, the standard deviations of the same hidden width, fold) -> figure.
    columns
        Of its table.
    probe
        Only rows of this probe matter: without one there is no figure.
    """

    number: int
    name: str
    title: str
    caption: str
    alt: str
    draw: Callable[[pd.DataFrame, pd.DataFrame | None, bool], Figure]
    columns: Mapping[str, str] = field(default_factory=lambda: COLUMNS)
    probe: str = ""

    @property
    def label(self) -> str:
        """What it is called in print; number 0 is none of the paper's."""
        return f"Figure {self.number}" if self.number else "Beyond the paper"

    def table(self, tables: Tables) -> pd.DataFrame | None:
        """The checked rows this figure is drawn from; None where there are none."""
        table = tables.get(self.number)
        if table is None and self.number == 8:
            table = tables.get(4)  # the same networks, not binarised
        if table is None or table.empty:
            return None
        table = checked_table(table, self.columns)
        if self.columns is SIGMA_COLUMNS:
            widths = set(table["hidden"])
            chosen = MAIN_WIDTH if MAIN_WIDTH in widths else min(widths)
            table = unique_networks(table[table["hidden"] == chosen])
        if self.probe and not (table["probe"] == self.probe).any():
            return None
        return table

    def figure(self, tables: Tables, *, fold: bool = False) -> Figure:
        """Draw it.

        Parameters
        ----------
        tables
            Number -> table.
        fold
            In Figure 2 draw accuracies x below 50 % as 100 - x.

        Raises
        ------
        InputError
            Its table is missing or lacks something.
        """
        table = self.table(tables)
        if table is None:
            raise InputError(
                f"there is no table of Figure {self.number}; measure it first, or leave it out"
            )
        sigma = sigmas_of(tables, set(table["hidden"])) if "hidden" in table else None
        return self.draw(table, sigma, fold)

    def caption_of(self, tables: Tables) -> str:
        """The caption with the numbers of this table."""
        table = self.table(tables)
        n = hidden = "?"
        if table is not None and "hidden" in table:
            counts = table.groupby(["dataset", "task"])["realization"].nunique()
            low, high = int(counts.min()), int(counts.max())
            n = f"{low}" if low == high else f"{low} to {high}"
            hidden = ", ".join(str(width) for width in sorted(set(table["hidden"])))
        elif table is not None and "realization" in table:
            n = str(table["realization"].nunique())
        return self.caption.format(n=n, hidden=hidden, number=self.number)


def sigmas_of(tables: Tables, widths: set[int]) -> pd.DataFrame | None:
    """The standard deviations of networks of these hidden widths, each network once."""
    table = tables.get(7)
    if table is None or table.empty:
        return None
    table = checked_table(table, SIGMA_COLUMNS)
    return unique_networks(table[table["hidden"].isin(widths)])


def unique_networks(sigma: pd.DataFrame) -> pd.DataFrame:
    """A network that several figures use is one point."""
    return sigma.drop_duplicates(["dataset", "task", "hidden", "realization"])


def drawable(tables: Tables, figures: Sequence[PaperFigure] | None = None) -> list[PaperFigure]:
    """Those of ``figures`` (the MLPs' by default) these tables suffice for, in their order."""
    known = FIGURES if figures is None else figures
    return [figure for figure in known if figure.table(tables) is not None]


def _probes(number: int) -> tuple[PaperFigure, PaperFigure]:
    name = f"figure-{number:02d}"
    return (
        PaperFigure(
            number,
            name,
            "Pruning, noise injection and sign flipping",
            "Pruning: the test accuracy as a function of the fraction of removed edges. Noise"
            " injection: as a function of the uniform noise level injected into the weights; the"
            " vertical dotted lines show the median standard deviation of the weights, σ(w), of"
            " the easy (blue) and the hard (orange) task. Sign flipping: as a function of the"
            " fraction of the smallest-magnitude signs flipped. " + _MEDIANS,
            "Line charts, a row per probe and a column per data set: test accuracy of the easy"
            " and the hard task, of trained and of binarised (signed) networks. The values are in"
            " the tables below.",
            lambda table, sigma, _: layouts.probes_figure(table, sigma),
        ),
        PaperFigure(
            number,
            f"{name}-tail",
            "Pruning, seen from its sparse end",
            "Pruning experiment." + _TAIL + " " + _MEDIANS,
            "Line charts, a panel per data set: test accuracy against the fraction of edges"
            " removed, on a logarithmic axis of the fraction kept.",
            lambda table, sigma, _: layouts.pruning_tail_figure(table),
            probe="prune",
        ),
    )


def _randomized(number: int) -> tuple[PaperFigure, PaperFigure]:
    name = f"figure-{number:02d}"
    return (
        PaperFigure(
            number,
            name,
            "Bipartite randomization of pruned networks",
            "The test accuracy as a function of the fraction of removed edges after applying"
            " bipartite randomization B, E and F. " + _SIGNED + _MEDIANS,
            "Line charts, a panel per data set: test accuracy of both tasks against the fraction"
            " of edges removed, for trained networks, under the null models B, E and F, and"
            " binarised. The values are in the tables below.",
            lambda table, sigma, _: layouts.randomized_figure(table),
        ),
        PaperFigure(
            number,
            f"{name}-tail",
            "Randomization of pruned networks, seen from the sparse end",
            "Bipartite randomization B, E and F." + _TAIL + " " + _SIGNED + _MEDIANS,
            "Line charts, a panel per data set: the same accuracies on a logarithmic axis of the"
            " fraction kept.",
            lambda table, sigma, _: layouts.randomized_tail_figure(table),
        ),
    )


FIGURES: tuple[PaperFigure, ...] = (
    *_probes(1),
    PaperFigure(
        2,
        "figure-02",
        "Accuracy after each bipartite randomization",
        "The accuracy of the neural network after applying each type of bipartite randomization"
        " (panels b and c of the paper's figure). Boxes: quartiles of the test accuracies of {n}"
        " independent network trainings; whiskers: the furthest within 1.5 IQR; markers: the"
        " median. Hidden layer size d = {hidden}.",
        "Box plots, a panel per data set: test accuracy of trained networks and under the null"
        " models A to G, easy and hard task side by side. The values are in the tables below.",
        lambda table, sigma, fold: layouts.null_models_figure(table, fold=fold),
    ),
    *_randomized(3),
    PaperFigure(
        4,
        "figure-04",
        "Task complexity: accuracy lost by two-class networks",
        "Difference in accuracy of the neural network for two-class discrimination under two"
        " modifications: weight binarization (left) and bipartite randomization B (middle). Each"
        " entry is the median over {n} realizations. Right: one against the other, a point per"
        " pair of classes, with the Spearman correlation coefficient. Hidden layer size"
        " d = {hidden}.",
        "Two triangular heat maps over pairs of classes with the accuracy lost, and a scatter"
        " plot of the two losses. The values are in the tables below.",
        lambda table, sigma, _: layouts.gaps_figure(table),
    ),
    PaperFigure(
        6,
        "figure-06",
        "Structural similarity of classes",
        "The Structural Similarity Index (SSIM) distance between all pairs of classes. The lower"
        " the value, the more similar the two classes are; on the diagonal, images of one class.",
        "Triangular heat maps, one per data set, of the SSIM distance between classes. The values"
        " are in the table below.",
        lambda table, sigma, _: layouts.distances_figure(table),
        SSIM_COLUMNS,
    ),
    PaperFigure(
        7,
        "figure-07",
        "Standard deviations of learned weights",
        "The distribution of weight standard deviations. Each point corresponds to a single"
        " trained neural network; boxes: quartiles and median; whiskers: the extremes. Hidden"
        " layer size d = {hidden}.",
        "Points, a panel per data set: the standard deviation of the weights of every network of"
        " the easy and of the hard task. Quartiles are in the table below.",
        lambda table, sigma, _: layouts.sigmas_figure(table),
        SIGMA_COLUMNS,
    ),
    PaperFigure(
        8,
        "figure-08",
        "Accuracy of all pairs of classes",
        "The accuracy heat map. Each entry shows the accuracy of the neural network trained to"
        " distinguish between two classes: the median over {n} realizations. Hidden layer size"
        " d = {hidden}.",
        "Triangular heat map over pairs of classes of the test accuracy. The values are in the"
        " table below.",
        lambda table, sigma, _: layouts.pair_accuracy_figure(table),
    ),
    *_probes(10),
    *_randomized(11),
    *_probes(12),
    *_randomized(13),
)
"""Every figure drawn, in the paper's order; the "-tail" ones are a second look."""
