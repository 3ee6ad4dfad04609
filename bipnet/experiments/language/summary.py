"""Medians and quartiles of the study's tables, as plain data for JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

_POINT = ["layer", "model", "probe", "null_model", "fraction_removed", "level"]


def summarize_language(tables: Mapping[int, pd.DataFrame]) -> dict[str, Any]:
    """The F1 of the model as it is, and quartiles of F1 per figure and point.

    Examples
    --------
    >>> summarize_language({})
    {'f1': None, 'points': []}
    """
    original = None
    points: list[dict[str, Any]] = []
    for figure, table in sorted(tables.items()):
        as_it_is = table[(table["probe"] == "none") & (table["model"] == "float")]
        if len(as_it_is):
            original = float(as_it_is["f1"].iloc[0])
        groups = table.groupby(_POINT, sort=False, dropna=False)["f1"]
        quartiles = groups.quantile(np.array([0.25, 0.5, 0.75])).unstack()
        quartiles.columns = pd.Index(["q1", "median", "q3"])
        quartiles.insert(0, "n", groups.size())
        for row in quartiles.reset_index().to_dict("records"):
            plain = {
                str(name): None if isinstance(value, float) and math.isnan(value) else value
                for name, value in row.items()
            }
            points.append({"figure": figure, **plain})
    return {"f1": original, "points": points}
