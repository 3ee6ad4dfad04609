"""F1 lost by each layer of a model: under each probe (the map of all layers), and unpruned."""

from __future__ import annotations

import pandas as pd

from bipnet.errors import InputError

BINARISED = "binarised"

_UNPRUNED = (
    (BINARISED, "prune", "", "signed"),
    ("null model A", "randomize", "A", "float"),
    ("null model B", "randomize", "B", "float"),
)
"""The ways of Figure 5d-f: in words, and the rows they are measured by."""

_POINT = ["probe", "null_model", "model", "fraction_removed", "level"]


def map_losses(table: pd.DataFrame) -> pd.DataFrame:
    """Layers x probes: F1 of the model as it is minus the median F1 with that layer probed.

    Parameters
    ----------
    table
        Of `bipnet.experiments.tables.LANGUAGE_COLUMNS`, one strength per kind of probe and layer
        but for pruning, whose strength is part of the column's name.

    Returns
    -------
    Shares of 1; rows in the order of the model, columns in words ("pruned, p = 0.5").

    Raises
    ------
    InputError
        The model as it is was not scored.
    """
    original = _as_it_is(table)
    rows = table[table["probe"] != "none"]
    columns = pd.Series(
        [_column(*row) for row in rows[_POINT].itertuples(index=False)], index=rows.index
    )
    medians = rows.groupby(["layer", columns.rename("probe in words")], sort=False)["f1"].median()
    lost = original - medians.unstack()
    return lost.reindex(list(dict.fromkeys(rows["layer"])))[list(dict.fromkeys(columns))]


def losses_unpruned(table: pd.DataFrame) -> dict[str, dict[str, pd.Series[float]]]:
    """What binarising, A and B cost each layer at (almost) p = 0, draw by draw (Figure 5d-f).

    Parameters
    ----------
    table
        Of Figure 5.

    Returns
    -------
    Way in words -> layer -> F1 of the model as it is minus that of each draw at the smallest p,
    as shares.

    Raises
    ------
    InputError
        The model as it is was not scored.
    """
    original = _as_it_is(table)
    lost: dict[str, dict[str, pd.Series[float]]] = {}
    for way, probe, letter, model in _UNPRUNED:
        rows = table[
            (table["probe"] == probe) & (table["null_model"] == letter) & (table["model"] == model)
        ]
        least = rows[rows["fraction_removed"] == rows["fraction_removed"].min()]
        lost[way] = {
            str(layer): original - group["f1"]
            for layer, group in least.groupby("layer", sort=False)
        }
    return lost


def _as_it_is(table: pd.DataFrame) -> float:
    rows = table[(table["probe"] == "none") & (table["model"] == "float")]
    if rows.empty:
        raise InputError("the table has no score of the model as it is (probe none, model float)")
    return float(rows["f1"].iloc[0])


def _column(probe: str, null_model: str, model: str, fraction: float, level: float) -> str:
    if probe == "randomize":
        return f"null model {null_model}"
    if probe == "noise":
        return "noise, sd = σ(w)"
    if probe == "flip":
        return f"flipped, q = {level:g}"
    if model == "signed" and fraction == 0:
        return BINARISED
    return f"pruned, p = {fraction:g}"
