"""Tasks that are pairs of classes: their names, and the accuracy they lose (Figures 4 and 8)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import spearmanr

from bipnet.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class PairLoss:
    """What one pair of classes scores, and loses: medians over its networks, as shares.

    Attributes
    ----------
    first, second
        Names of the classes.
    accuracy
        Of the trained networks.
    binarised, randomised
        Accuracy of a network minus that of its binarised or randomised (B) version; None where
        the table has no such rows.
    n
        Networks.
    """

    first: str
    second: str
    accuracy: float
    binarised: float | None
    randomised: float | None
    n: int


def split_pairs(tasks: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Task -> its two classes, for tasks written "first/second".

    Parameters
    ----------
    tasks
        Names of tasks; a class may have a slash in its own name if the others tell where it ends.

    Raises
    ------
    InputError
        A name that is no pair, or that can be read in two ways.

    Examples
    --------
    >>> split_pairs(["T-shirt/top/Coat", "Coat/Bag"])["T-shirt/top/Coat"]
    ('T-shirt/top', 'Coat')
    """
    cuts = {}
    for task in dict.fromkeys(tasks):
        parts = task.split("/")
        cuts[task] = [("/".join(parts[:at]), "/".join(parts[at:])) for at in range(1, len(parts))]
    known = {name for ways in cuts.values() if len(ways) == 1 for name in ways[0]}
    pairs = {}
    for task, ways in cuts.items():
        likely = [way for way in ways if len(ways) == 1 or known & set(way)]
        if len(likely) != 1 or not all(likely[0]):
            raise InputError(
                f"a task must name two classes, as in '0/7', got {task!r}, which can be read in"
                f" {len(likely)} ways"
            )
        pairs[task] = likely[0]
    return pairs


def class_order(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Every class once: numbers by value, names in the order their data set gives them.

    Examples
    --------
    >>> class_order([("Dress", "Coat"), ("Shirt", "Dress"), ("Shirt", "Coat")])
    ['Shirt', 'Dress', 'Coat']
    """
    distinct = {pair for pair in pairs if pair[0] != pair[1]}
    names = sorted({name for pair in distinct for name in pair})
    if all(name.isdecimal() for name in names):
        return sorted(names, key=int)
    # Pairs are written in label order: an earlier class comes first in more of them.
    leads = Counter(first for first, _ in distinct)
    return sorted(names, key=lambda name: -leads[name])


def pair_losses(table: pd.DataFrame) -> list[PairLoss]:
    """The accuracy of every pair of classes, and what binarising and null model B take from it.

    Parameters
    ----------
    table
        Rows of one data set and one hidden width of Figure 4 or 8.

    Returns
    -------
    One entry per pair, in the order of the classes. A loss is taken network by network, then
    its median (the paper's code; its text: the average), not folded.
    """
    pairs = split_pairs(table["task"])
    places = {name: place for place, name in enumerate(class_order(pairs.values()))}
    losses = []
    for task, (first, second) in pairs.items():
        rows = table[table["task"] == task]
        trained = _by_network(rows, "float", "none", "")
        if trained.empty:
            continue
        lost: dict[str, float | None] = {}
        for name, selection in (
            ("binarised", ("signed", "none", "")),
            ("randomised", ("float", "randomize", "B")),
        ):
            difference = (trained - _by_network(rows, *selection)).dropna()
            lost[name] = None if difference.empty else float(difference.median())
        losses.append(PairLoss(first, second, float(trained.median()), n=len(trained), **lost))
    return sorted(losses, key=lambda loss: sorted((places[loss.first], places[loss.second])))


def spearman(losses: Iterable[PairLoss]) -> float:
    """Spearman's correlation of the two losses over the pairs; NaN where it is not defined.

    Examples
    --------
    >>> losses = [PairLoss("0", str(k), 0.99, k / 10, k**2 / 90, 10) for k in range(1, 5)]
    >>> spearman(losses)
    1.0
    """
    both = [
        (loss.binarised, loss.randomised)
        for loss in losses
        if loss.binarised is not None and loss.randomised is not None
    ]
    # Differences of equal shares are equal but for rounding: without this they would not tie.
    x, y = np.array(both, dtype=float).reshape(-1, 2).T.round(9)
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return round(float(spearmanr(x, y).statistic), 12)  # a perfect one is 1, not 0.9999...


def of_pair(losses: Iterable[PairLoss], first: str, second: str) -> PairLoss | None:
    """The entry of two classes, in either order."""
    for loss in losses:
        if {loss.first, loss.second} == {first, second}:
            return loss
    return None


def by_pair(losses: Iterable[PairLoss], value: str) -> Mapping[tuple[str, str], float]:
    """(first, second) -> one attribute, for the pairs that have it."""
    return {
        (loss.first, loss.second): getattr(loss, value)
        for loss in losses
        if getattr(loss, value) is not None
    }


def _by_network(rows: pd.DataFrame, model: str, probe: str, null_model: str) -> pd.Series[float]:
    """Accuracy per network; several draws of one network count as their median."""
    chosen = rows[
        (rows["model"] == model) & (rows["probe"] == probe) & (rows["null_model"] == null_model)
    ]
    return chosen.groupby("realization")["accuracy"].median()
