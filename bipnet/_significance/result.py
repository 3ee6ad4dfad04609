"""What a test of statistics has found, as arrays, as rows and as a text to read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from bipnet.errors import MissingExtraError

if TYPE_CHECKING:
    import pandas as pd

State = Literal["ok", "fixed", "constant"]
Values = npt.NDArray[np.float64]

COLUMNS = (
    "layer", "statistic", "side", "node", "observed", "null_mean", "null_sd", "z", "p",
    "p_adjusted", "n", "null", "state",
)  # fmt: skip
"""Of `Significance.rows` and `to_frame`."""

BEYOND = 0.05
"""Adjusted p-value up to which a node is counted as beyond chance."""

STATES = {
    "ok": "",
    "fixed": "fixed by this null model",
    "constant": "the same in all draws",
}
"""What a state means. "fixed": the null model preserves all that the statistic depends on.
"constant": it does not, but all draws of this graph have the observed value."""


@dataclass(frozen=True, eq=False)
class Tested:
    """One statistic against its draws: arrays with one value, or one for each node of a side.

    Attributes
    ----------
    name, side
        The statistic, and "graph", "left" or "right".
    observed, null_mean, null_sd
        Of the graph; mean and standard deviation (n - 1) over the draws.
    z
        (observed - null_mean) / null_sd. Where all draws have one value it is infinite if the
        observed value is another (inf above, -inf below; the state is "ok"), and NaN if it is
        the same, or if there is a single draw.
    p, p_adjusted
        NaN where ``state`` is not "ok".
    state
        "ok", "fixed" or "constant", see `STATES`.
    """

    name: str
    side: str
    observed: Values
    null_mean: Values
    null_sd: Values
    z: Values
    p: Values
    p_adjusted: Values
    state: npt.NDArray[np.str_]

    def cells(self) -> tuple[str, str, str, str, str, str]:
        """Observed, null mean, null sd, z, adjusted p and a remark, as texts for a table.

        Of a statistic of nodes the remark alone: how many are beyond chance at 5 %.
        """
        tested = self.state == "ok"
        remark = STATES[str(self.state[0])] if not tested.any() else ""
        if self.side != "graph":
            beyond = int((self.p_adjusted[tested] <= BEYOND).sum())
            rest = int((~tested).sum())
            count = (
                f"{beyond} of {len(tested)} {self.side} nodes beyond chance at {100 * BEYOND:g} %"
            )
            same = f" ({rest} are the same in all draws)" if rest else ""
            return "", "", "", "", "", remark or f"{count}{same}"
        observed, mean, sd = self.observed[0], self.null_mean[0], self.null_sd[0]
        if remark == STATES["fixed"]:
            return f"{observed:.5g}", "", "", "", "", remark
        z = "-" if np.isnan(self.z[0]) else f"{self.z[0]:.2f}"
        p = "-" if not tested[0] else f"{self.p_adjusted[0]:.3g}"
        return f"{observed:.5g}", f"{mean:.5g}", f"{sd:.3g}", z, p, remark


@dataclass(frozen=True, eq=False)
class Significance:
    """What `significance` has found. Print it, or take `rows` or `to_frame`.

    Attributes
    ----------
    statistics
        By name: `Tested`.
    null, n, seed, name
        Null model, number of draws, seed of the draws, name of the layer.
    steps, loops
        Of the chain of G; None for A to F.
    law
        What the draws are, and so what the p-values rest on.
    alternative, correction
        As asked for.
    left_labels, right_labels
        Of the graph's nodes, if it has any.
    """

    statistics: dict[str, Tested]
    null: str
    n: int
    seed: Any
    name: str
    steps: int | None
    loops: int | None
    law: str
    alternative: str
    correction: str | None
    left_labels: Sequence[Any] | None = None
    right_labels: Sequence[Any] | None = None

    def __getitem__(self, statistic: str) -> Tested:
        return self.statistics[statistic]

    def rows(self) -> Iterator[dict[str, Any]]:
        """A row for each number, with the columns `COLUMNS`; None where there is no number.

        An infinite z stays infinite, which strict JSON cannot hold.

        ``node`` is its label, or its number from 0, or "" for statistics of the graph.
        """
        for one in self.statistics.values():
            labels = {"left": self.left_labels, "right": self.right_labels}.get(one.side)
            for at in range(len(one.observed)):
                node: Any = "" if one.side == "graph" else at if labels is None else labels[at]
                yield {
                    "layer": self.name,
                    "statistic": one.name,
                    "side": one.side,
                    "node": node,
                    "observed": _number(one.observed[at]),
                    "null_mean": _number(one.null_mean[at]),
                    "null_sd": _number(one.null_sd[at]),
                    "z": _number(one.z[at]),
                    "p": _number(one.p[at]),
                    "p_adjusted": _number(one.p_adjusted[at]),
                    "n": self.n,
                    "null": self.null,
                    "state": str(one.state[at]),
                }

    def to_frame(self) -> pd.DataFrame:
        """`rows` as a data frame; nodes are text.

        Raises
        ------
        MissingExtraError
            pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise MissingExtraError(
                "a data frame needs pandas: pip install 'bipnet[experiments]'"
            ) from error
        table = pd.DataFrame(list(self.rows()), columns=list(COLUMNS))
        numbers = ["observed", "null_mean", "null_sd", "z", "p", "p_adjusted"]
        return table.astype({"node": str, **dict.fromkeys(numbers, float)})

    def __str__(self) -> str:
        head = f"null model {self.null}, {self.n} draws: {self.law}"
        if self.name:
            head = f"{self.name}: {head}"
        corrected = f", p corrected ({self.correction})" if self.correction else ""
        header = ("observed", "null mean", "null sd", "z", "p", "")
        lines = [head, _line("", header)]
        lines += [_line(one.name, one.cells()) for one in self.statistics.values()]
        lines.append(f"alternative: {self.alternative}{corrected}")
        return "\n".join(lines)


def _number(value: np.float64) -> float | None:
    return None if np.isnan(value) else float(value)


def _line(name: str, cells: Sequence[str]) -> str:
    """Numbers to the right; a remark begins where the numbers that are missing would."""
    *numbers, remark = cells
    widths = (12, 12, 11, 9, 9)
    known = [f"{cell:>{width}}" for cell, width in zip(numbers, widths, strict=True) if cell]
    return f"{name:<28}{''.join(known)}{'  ' if remark else ''}{remark}".rstrip()
