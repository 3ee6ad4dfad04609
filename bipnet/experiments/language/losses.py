"""F1 lost by each layer of a model under each probe: the map of all layers."""

from __future__ import annotations

import pandas as pd

from bipnet.errors import InputError

BINARISED = "binarised"

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
    as_it_is = table[(table["probe"] == "none") & (table["model"] == "float")]
    if as_it_is.empty:
        raise InputError("the table has no score of the model as it is (probe none, model float)")
    rows = table[table["probe"] != "none"]
    columns = pd.Series(
        [_column(*row) for row in rows[_POINT].itertuples(index=False)], index=rows.index
    )
    medians = rows.groupby(["layer", columns.rename("probe in words")], sort=False)["f1"].median()
    lost = float(as_it_is["f1"].iloc[0]) - medians.unstack()
    return lost.reindex(list(dict.fromkeys(rows["layer"])))[list(dict.fromkeys(columns))]


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
