"""The numbers of a figure as tables to be read: medians, quartiles, shares of ties."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bipnet.experiments.figures.layouts import datasets_of, title_of
from bipnet.experiments.pairs import pair_losses
from bipnet.nulls import NULL_MODELS

if TYPE_CHECKING:
    import pandas as pd

_STRENGTH = {"prune": "p", "randomize": "p", "noise": "a", "flip": "q"}
_PROBE_NAMES = {
    "prune": "pruning", "noise": "noise injection", "flip": "sign flipping",
    "randomize": "randomization",
}  # fmt: skip


@dataclass(frozen=True)
class NumberTable:
    """A table of text: a header, and rows whose first cell is their own header."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def number_tables(number: int, table: pd.DataFrame) -> list[NumberTable]:
    """The tables under one figure.

    Parameters
    ----------
    number
        Of the paper's figure.
    table
        Its checked table.
    """
    made: list[NumberTable] = []
    for dataset in datasets_of(table):
        rows = table[table["dataset"] == dataset]
        if number in (1, 10, 12):
            made += _probe_tables(dataset, rows)
        elif number in (3, 11, 13):
            made += _curve_tables(
                dataset,
                "pruning, then randomization",
                "p",
                rows[(rows["model"] == "float") & rows["probe"].isin(["prune", "randomize"])],
            )
        elif number == 2:
            made.append(_null_model_table(dataset, rows))
        elif number in (4, 8):
            made.append(_pair_table(number, dataset, rows))
        elif number == 6:
            made.append(_distance_table(dataset, rows))
        elif number == 7:
            made.append(_sigma_table(dataset, rows))
    return made


def band(values: pd.Series[float], scale: float = 100, decimals: int = 1) -> str:
    """Median (lower quartile to upper quartile).

    Examples
    --------
    >>> import pandas as pd
    >>> band(pd.Series([0.5, 0.6, 0.7]))
    '60.0 (55.0–65.0)'
    """
    q1, median, q3 = scale * np.quantile(values.to_numpy(), [0.25, 0.5, 0.75])
    return f"{median:.{decimals}f} ({q1:.{decimals}f}–{q3:.{decimals}f})"


def _probe_tables(dataset: str, rows: pd.DataFrame) -> Iterator[NumberTable]:
    for probe in ("prune", "noise", "flip"):
        chosen = rows[rows["probe"] == probe]
        yield from _curve_tables(dataset, _PROBE_NAMES[probe], _STRENGTH[probe], chosen)


def _curve_tables(
    dataset: str, what: str, strength: str, rows: pd.DataFrame
) -> Iterator[NumberTable]:
    """Accuracy, and where there are any the share of ties, of all curves of a panel."""
    if rows.empty:
        return
    x = "fraction_removed" if strength == "p" else "level"
    curves = {
        _curve_name(task, model, letter): group
        for (model, task, letter), group in rows.groupby(["model", "task", "null_model"])
    }
    title = f"{title_of(dataset)}, {what}"
    grid = np.unique(rows[x].to_numpy())
    by_x = {name: dict(iter(group.groupby(x))) for name, group in curves.items()}
    yield NumberTable(
        f"{title}: test accuracy in %, median (IQR)",
        [strength, *curves],
        [
            [
                f"{at:.4g}",
                *(band(found[at]["accuracy"]) if at in found else "" for found in by_x.values()),
            ]
            for at in grid
        ],
    )
    tied = [
        at
        for at in grid
        if any(at in found and found[at]["ties"].mean() >= 0.001 for found in by_x.values())
    ]
    if tied:
        yield NumberTable(
            f"{title}: images with tied logits in %, mean over networks",
            [strength, *curves],
            [
                [
                    f"{at:.4g}",
                    *(
                        f"{100 * found[at]['ties'].mean():.1f}" if at in found else ""
                        for found in by_x.values()
                    ),
                ]
                for at in tied
            ],
        )


def _curve_name(task: Any, model: Any, letter: Any) -> str:
    name = f"signed-{task}" if model == "signed" else f"{task}-model"
    return f"{name}, {letter}" if letter else name


def _null_model_table(dataset: str, rows: pd.DataFrame) -> NumberTable:
    rows = rows[(rows["model"] == "float") & (rows["fraction_removed"] == 0)]
    tasks = [task for task in ("E", "H") if (rows["task"] == task).any()]
    lines = []
    for letter in ("", *NULL_MODELS):
        cells = [
            rows.loc[(rows["null_model"] == letter) & (rows["task"] == task), "accuracy"]
            for task in tasks
        ]
        if any(len(cell) for cell in cells):
            lines.append(
                [letter or "trained", *(band(cell) if len(cell) else "" for cell in cells)]
            )
    return NumberTable(
        f"{title_of(dataset)}: test accuracy in %, median (IQR)",
        ["null model", *(f"{task}-model" for task in tasks)],
        lines,
    )


def _pair_table(number: int, dataset: str, rows: pd.DataFrame) -> NumberTable:
    header = ["classes", "trained"]
    if number == 4:
        header += ["lost, binarised", "lost, null model B"]
    lines = []
    for loss in pair_losses(rows):
        line = [f"{loss.first} / {loss.second}", f"{100 * loss.accuracy:.2f}"]
        if number == 4:
            line += [
                "" if lost is None else f"{100 * lost:.1f}"
                for lost in (loss.binarised, loss.randomised)
            ]
        lines.append(line)
    return NumberTable(
        f"{title_of(dataset)}: test accuracy in %"
        + (" and what of it is lost, in points; medians" if number == 4 else ", median"),
        header,
        lines,
    )


def _distance_table(dataset: str, rows: pd.DataFrame) -> NumberTable:
    ranked = rows[rows["first"] != rows["second"]].sort_values("rank")
    return NumberTable(
        f"{title_of(dataset)}: SSIM distance, the largest first",
        ["classes", "rank", "distance"],
        [
            [f"{first} / {second}", str(rank), f"{distance:.4f}"]
            for first, second, rank, distance in zip(
                ranked["first"], ranked["second"], ranked["rank"], ranked["distance"], strict=True
            )
        ],
    )


def _sigma_table(dataset: str, rows: pd.DataFrame) -> NumberTable:
    return NumberTable(
        f"{title_of(dataset)}: σ(w), median (IQR)",
        ["task", "networks", "σ(w)"],
        [
            [f"{task}-model", str(len(group)), band(group["sigma"], 1, 4)]
            for task, group in rows.groupby("task")
        ],
    )
