"""Medians, quartiles, failures and ties of the tables, as plain data for JSON and reports."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from bipnet.experiments.figures.catalogue import Tables, unique_networks
from bipnet.experiments.pairs import pair_losses, spearman
from bipnet.experiments.tables import COLUMNS, SIGMA_COLUMNS, SSIM_COLUMNS, checked_table

PAIR_FIGURES = (4, 8)
_POINT = [
    "figure", "dataset", "hidden", "task", "model", "probe", "null_model", "fraction_removed",
    "level",
]  # fmt: skip


def summarize(tables: Tables) -> dict[str, list[dict[str, Any]]]:
    """Everything the figures show, as numbers.

    Parameters
    ----------
    tables
        Number of the paper's figure -> its table.

    Returns
    -------
    Lists of rows, each a dict of plain values:

    ``points``
        Per figure, curve and strength: number of rows, quartiles of the accuracy, mean share of
        ties, number of constant predictors.
    ``networks``
        Per data set, width and task: number of networks, and how many failed to train (predict
        one class for everything although nothing was done to them).
    ``sigma``
        Quartiles of the standard deviation of the weights.
    ``ssim``
        Distance and rank per pair of classes.
    ``pairs``, ``spearman``
        Accuracy and losses per pair of classes; their correlation.

    Raises
    ------
    InputError
        A table lacks a column or holds what it cannot.

    Examples
    --------
    >>> sorted(summarize({}))
    ['networks', 'pairs', 'points', 'sigma', 'spearman', 'ssim']
    """
    columns: Mapping[int, Mapping[str, str]] = {6: SSIM_COLUMNS, 7: SIGMA_COLUMNS}
    checked = {
        number: checked_table(table, columns.get(number, COLUMNS))
        for number, table in sorted(tables.items())
        if not table.empty
    }
    accuracies = [table for number, table in checked.items() if number not in columns]
    summary: dict[str, list[dict[str, Any]]] = {
        "points": [row for table in accuracies for row in points(table)],
        "networks": network_counts(accuracies),
        "sigma": sigma_quartiles(checked[7]) if 7 in checked else [],
        "ssim": _records(checked[6].drop(columns="figure")) if 6 in checked else [],
        "pairs": [],
        "spearman": [],
    }
    for number in PAIR_FIGURES:
        if number not in checked:
            continue
        for (dataset, hidden), rows in checked[number].groupby(["dataset", "hidden"], sort=False):
            where = {"figure": number, "dataset": _plain(dataset), "hidden": _plain(hidden)}
            losses = pair_losses(rows)
            summary["pairs"] += [where | asdict(loss) for loss in losses]
            rho = spearman(losses)
            if not math.isnan(rho):
                summary["spearman"].append(where | {"rho": rho, "n": len(losses)})
    return summary


def points(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A row per curve and strength of one accuracy table: n, q1, median, q3, ties, constant."""
    groups = table.groupby(_POINT, sort=False, dropna=False)
    quartiles = groups["accuracy"].quantile(np.array([0.25, 0.5, 0.75])).unstack()
    quartiles.columns = pd.Index(["q1", "median", "q3"])
    quartiles.insert(0, "n", groups.size())
    quartiles["ties"] = groups["ties"].mean()
    quartiles["constant"] = groups["constant"].sum()
    return _records(quartiles.reset_index())


def network_counts(tables: list[pd.DataFrame]) -> list[dict[str, Any]]:
    """How many networks there are, and how many of them failed to train."""
    if not tables:
        return []
    everything = pd.concat(tables, ignore_index=True)
    one_network = ["dataset", "hidden", "task", "realization"]
    untouched = everything[
        (everything["model"] == "float")
        & (
            (everything["probe"] == "none")
            | ((everything["probe"] == "prune") & (everything["fraction_removed"] == 0))
            | ((everything["probe"] == "flip") & (everything["level"] == 0))
        )
    ]
    failed = untouched.groupby(one_network, sort=False)["constant"].any()
    counts = failed.groupby(level=[0, 1, 2], sort=False).agg(["size", "sum"])
    counts.columns = pd.Index(["n", "failed"])
    return _records(counts.reset_index())


def sigma_quartiles(table: pd.DataFrame) -> list[dict[str, Any]]:
    """n, q1, median, q3 of sigma(w) per data set, width and task."""
    groups = unique_networks(table).groupby(["dataset", "hidden", "task"], sort=False)["sigma"]
    quartiles = groups.quantile(np.array([0.25, 0.5, 0.75])).unstack()
    quartiles.columns = pd.Index(["q1", "median", "q3"])
    quartiles.insert(0, "n", groups.size())
    return _records(quartiles.reset_index())


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of Python's own types; what is not a number is None, as in JSON."""
    return [
        {str(name): _plain(value) for name, value in row.items()}
        for row in table.to_dict("records")
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and math.isnan(value) else value
