"""The numbers of a figure as tables to be read: medians, quartiles, ties, constant predictors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bipnet.experiments.figures.layouts import datasets_of, title_of
from bipnet.experiments.pairs import pair_losses, split_pairs
from bipnet.nulls import NULL_MODELS

if TYPE_CHECKING:
    import pandas as pd

_STRENGTH = {"prune": "p", "randomize": "p", "noise": "a", "flip": "q"}
_CONSTANT = "networks that predict one class whatever the image"
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
                rows[rows["probe"].isin(["prune", "randomize"])],
            )
        elif number == 2:
            made += _null_model_tables(dataset, rows)
        elif number in (4, 8):
            made.append(_pair_table(number, dataset, rows))
            made += _constant_pairs(number, dataset, rows)
        elif number == 6:
            made.append(_distance_table(dataset, rows))
        elif number == 7:
            made.append(_sigma_table(dataset, rows))
    return made


def band(values: pd.Series[float], scale: float = 100, decimals: int = 1) -> str:
    """Median (lower quartile to upper quartile), with a true minus.

    Examples
    --------
    >>> import pandas as pd
    >>> band(pd.Series([0.5, 0.6, 0.7]))
    '60.0 (55.0–65.0)'
    """
    q1, median, q3 = scale * np.quantile(values.to_numpy(), [0.25, 0.5, 0.75])
    made = f"{median:z.{decimals}f} ({q1:z.{decimals}f}–{q3:z.{decimals}f})"
    return made.replace("-", "\u2212")


def _probe_tables(dataset: str, rows: pd.DataFrame) -> Iterator[NumberTable]:
    for probe in ("prune", "noise", "flip"):
        chosen = rows[rows["probe"] == probe]
        yield from _curve_tables(dataset, _PROBE_NAMES[probe], _STRENGTH[probe], chosen)


def _curve_tables(
    dataset: str, what: str, strength: str, rows: pd.DataFrame
) -> Iterator[NumberTable]:
    """Accuracy of all curves of a panel; where there are any, ties and constant predictors."""
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
    # Point by point where there is something to tell.
    columns = [strength, *curves]
    points: list[tuple[str, Callable[[pd.DataFrame], bool], Callable[[pd.DataFrame], str]]] = [
        ("images with tied logits in %, mean over networks", _has_ties, _share_of_ties),
        (_CONSTANT, _has_constant, _count_constant),
    ]
    for what_of, told, shown in points:
        lines = [
            [f"{at:.4g}", *(shown(found[at]) if at in found else "" for found in by_x.values())]
            for at in grid
            if any(at in found and told(found[at]) for found in by_x.values())
        ]
        if lines:
            yield NumberTable(f"{title}: {what_of}", columns, lines)


def _has_ties(rows: pd.DataFrame) -> bool:
    return float(rows["ties"].mean()) >= 0.001


def _share_of_ties(rows: pd.DataFrame) -> str:
    return f"{100 * rows['ties'].mean():.1f}"


def _has_constant(rows: pd.DataFrame) -> bool:
    return bool(rows["constant"].any())


def _count_constant(rows: pd.DataFrame) -> str:
    return f"{rows['constant'].sum()} of {len(rows)}"


def _curve_name(task: Any, model: Any, letter: Any) -> str:
    name = f"signed-{task}" if model == "signed" else f"{task}-model"
    return f"{name}, {letter}" if letter else name


def _null_model_tables(dataset: str, rows: pd.DataFrame) -> Iterator[NumberTable]:
    rows = rows[(rows["model"] == "float") & (rows["fraction_removed"] == 0)]
    tasks = [task for task in ("E", "H") if (rows["task"] == task).any()]
    cells = {
        (letter, task): rows[(rows["null_model"] == letter) & (rows["task"] == task)]
        for letter in ("", *NULL_MODELS)
        for task in tasks
    }

    def table(
        what: str, letters: Sequence[str], shown: Callable[[pd.DataFrame], str]
    ) -> NumberTable:
        lines = [
            [letter or "trained", *(shown(cells[letter, task]) for task in tasks)]
            for letter in letters
        ]
        header = ["null model", *(f"{task}-model" for task in tasks)]
        return NumberTable(f"{title_of(dataset)}: {what}", header, lines)

    there = [letter for letter in ("", *NULL_MODELS) if any(len(cells[letter, t]) for t in tasks)]
    yield table(
        "test accuracy in %, median (IQR)",
        there,
        lambda cell: band(cell["accuracy"]) if len(cell) else "",
    )
    constant = [
        letter for letter in there if any(cells[letter, t]["constant"].any() for t in tasks)
    ]
    if constant:
        yield table(
            _CONSTANT,
            constant,
            lambda cell: _count_constant(cell) if len(cell) else "",
        )


def _constant_pairs(number: int, dataset: str, rows: pd.DataFrame) -> Iterator[NumberTable]:
    """Pairs of classes with constant predictors among what their figure shows."""
    kinds = [("trained", "float", "")]
    if number == 4:
        kinds += [("binarised", "signed", ""), ("null model B", "float", "B")]
    cells = dict(iter(rows.groupby(["task", "model", "null_model"], sort=False)))
    lines = []
    for task, (first, second) in split_pairs(rows["task"]).items():
        found = [cells.get((task, model, letter)) for _, model, letter in kinds]
        if any(cell is not None and cell["constant"].any() for cell in found):
            counts = ["" if cell is None else _count_constant(cell) for cell in found]
            lines.append([f"{first} / {second}", *counts])
    if lines:
        yield NumberTable(
            f"{title_of(dataset)}: {_CONSTANT}", ["classes", *(name for name, *_ in kinds)], lines
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
