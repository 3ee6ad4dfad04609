"""Median curves of a tidy table: what verdicts and summaries are computed from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Curve:
    """Medians of accuracy, as shares, against the strength of a probe, which rises."""

    x: Floats
    median: Floats

    @property
    def start(self) -> float:
        """Median where the probe is weakest."""
        return float(self.median[0])

    @property
    def end(self) -> float:
        """Median where the probe is strongest."""
        return float(self.median[-1])

    @property
    def peak(self) -> tuple[float, float]:
        """Where the highest median lies (the first of equal ones), and how high."""
        at = int(np.argmax(self.median))
        return float(self.x[at]), float(self.median[at])


def strength_of(probe: str) -> str:
    """The column with the strength of a probe."""
    return "level" if probe in ("noise", "flip") else "fraction_removed"


def curve_rows(
    table: pd.DataFrame, *, task: str, model: str, probe: str, null_model: str = ""
) -> pd.DataFrame:
    """The rows of one curve; see `median_curve`."""
    return table[
        (table["task"] == task)
        & (table["model"] == model)
        & (table["probe"] == probe)
        & (table["null_model"] == null_model)
    ]


def median_curve(
    table: pd.DataFrame, *, task: str, model: str, probe: str, null_model: str = ""
) -> Curve | None:
    """The medians over realizations of one curve; None where the table has no such row.

    Parameters
    ----------
    table
        Rows of one figure, data set and hidden width.
    task, model, probe, null_model
        Which curve: the columns' values.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"task": "E", "model": "float", "probe": "flip", "null_model": "",
    ...     "fraction_removed": 0.0, "level": [0.0, 0.0, 1.0], "accuracy": [0.75, 0.85, 0.1]})
    >>> median_curve(table, task="E", model="float", probe="flip").median.round(6).tolist()
    [0.8, 0.1]
    """
    rows = curve_rows(table, task=task, model=model, probe=probe, null_model=null_model)
    if rows.empty:
        return None
    medians = rows.groupby(strength_of(probe))["accuracy"].median().sort_index()
    return Curve(medians.index.to_numpy(dtype=np.float64), medians.to_numpy(dtype=np.float64))
