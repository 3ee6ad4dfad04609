"""The tidy tables of the paper's experiments: a row per realization and point.

Figures, verdicts and the report are made from these tables alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bipnet.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

PROBES = ("none", "prune", "noise", "flip", "randomize")
MODELS = ("float", "signed")

COLUMNS: Mapping[str, str] = {
    "figure": "int64",
    "dataset": "str",
    "task": "str",
    "hidden": "int64",
    "realization": "int64",
    "model": "str",
    "probe": "str",
    "null_model": "str",
    "fraction_removed": "float64",
    "level": "float64",
    "accuracy": "float64",
    "ties": "float64",
    "constant": "bool",
}
"""Columns of an accuracy table, with their dtypes.

figure
    Number of the paper's figure the row belongs to.
dataset
    "mnist", "fashion-mnist" or "digits".
task
    "E", "H", or a pair of class names, "0/7".
hidden
    Width d of the hidden layer.
realization
    Number of the network, from 0; the same number is the same network in all figures.
model
    "float", or "signed": binarised after the probe.
probe
    One of `PROBES`; "none" is the trained (or just binarised) network.
null_model
    "A" to "G" where the probe is "randomize" (after pruning), else "".
fraction_removed
    p of "prune" and "randomize"; 0 elsewhere.
level
    a of "noise", q of "flip"; NaN elsewhere.
accuracy
    Share of the test images predicted correctly, in [0, 1]; of tied logits the lowest class wins.
ties
    Share of the test images whose largest logit two classes share.
constant
    Whether one class is predicted for every test image.
"""

SSIM_COLUMNS: Mapping[str, str] = {
    "figure": "int64",
    "dataset": "str",
    "first": "str",
    "second": "str",
    "rank": "int64",
    "distance": "float64",
}
"""Figure 6: mean of 1 - SSIM for each pair of classes; rank 1 is the largest distance. Rows with
``first == second`` are within a class and have rank 0."""

SIGMA_COLUMNS: Mapping[str, str] = {
    "figure": "int64",
    "dataset": "str",
    "task": "str",
    "hidden": "int64",
    "realization": "int64",
    "sigma": "float64",
}
"""Figure 7 (and the vertical lines of Figures 1, 10, 12): standard deviation of all weights of a
network, biases left out."""

LANGUAGE_COLUMNS: Mapping[str, str] = {
    "figure": "int64",
    "layer": "str",
    "model": "str",
    "probe": "str",
    "null_model": "str",
    "fraction_removed": "float64",
    "level": "float64",
    "realization": "int64",
    "f1": "float64",
}
"""Figures 5 and 9, and the map of all layers (figure 0): a row per point and draw.

layer
    Name of the one tensor that is probed, all others being as they are; "all" for the model as it
    is.
model
    "float", or "signed": the layer binarised after the probe.
probe
    One of `PROBES`; "none" is the model as it is (float), or the layer just binarised (signed).
null_model
    "A" or "B" where the probe is "randomize" (after pruning), else "".
fraction_removed
    p of "prune" and "randomize"; 0 elsewhere.
level
    Standard deviation of the normal "noise"; q of "flip"; NaN elsewhere.
realization
    Number of the draw, 0 where nothing is left to chance.
f1
    Of the entities, micro average, in [0, 1] (seqeval).
"""


def checked_table(table: pd.DataFrame, columns: Mapping[str, str] = COLUMNS) -> pd.DataFrame:
    """The table with exactly these columns, in their order and dtypes.

    Raises
    ------
    InputError
        A column is missing, or holds what its dtype cannot.
    """
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise InputError(f"the table lacks the columns {', '.join(missing)}")
    try:
        return table[list(columns)].astype(dict(columns))
    except (TypeError, ValueError) as error:
        raise InputError(f"a column of the table holds what it cannot: {error}") from None
