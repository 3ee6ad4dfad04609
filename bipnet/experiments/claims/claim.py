"""What a claim is, what it is measured on, and what comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from bipnet.experiments.curves import Curve, curve_rows, median_curve, strength_of
from bipnet.experiments.pairs import PairLoss, of_pair, pair_losses

if TYPE_CHECKING:
    import pandas as pd

Verdict: TypeAlias = Literal["holds", "does not hold", "not measured"]
Numbers: TypeAlias = Mapping[str, float | int | str]

CHANCE = 0.5
NEAR_CHANCE = 0.65
"""A median accuracy up to this counts as "at chance": two classes, 15 points of leeway."""
KEEPS = 0.80
"""A median accuracy from this on counts as "kept"; between the two it is neither."""
MARGIN = 0.01
"""One accuracy is higher than another if by this much: the highest of many medians always lies a
little above the rest."""


class NotMeasuredError(Exception):
    """The tables lack what a claim rests on; the message says what."""


@dataclass(frozen=True)
class Measured:
    """Whether a criterion is met, and the numbers it was judged by (accuracies as shares)."""

    holds: bool
    numbers: Numbers


@dataclass(frozen=True, eq=False)
class Evidence:
    """The rows of one figure, data set and hidden width.

    Attributes
    ----------
    table
        Of the figure, in its own columns.
    sigma
        Standard deviations of networks of the same data set and width; may be empty.
    image_pairs
        Random pairs of images behind each SSIM distance; None where that is not known.
    counts
        Numbers of networks behind the medians that were asked for so far.
    """

    table: pd.DataFrame
    sigma: pd.DataFrame
    image_pairs: int | None = None
    counts: set[int] = field(default_factory=set)

    def curve(self, task: str, model: str, probe: str, null_model: str = "") -> Curve:
        """The medians of one curve."""
        curve = median_curve(self.table, task=task, model=model, probe=probe, null_model=null_model)
        if curve is None:
            name = f"signed-{task}" if model == "signed" else f"{task}-model"
            under = f" under null model {null_model}" if null_model else ""
            raise NotMeasuredError(f"no {probe} rows of the {name}{under}")
        rows = curve_rows(self.table, task=task, model=model, probe=probe, null_model=null_model)
        self.counts.update(rows.groupby(strength_of(probe))["realization"].nunique().tolist())
        return curve

    def median(self, task: str, model: str, null_model: str = "") -> float:
        """Median accuracy of networks not pruned: as trained, binarised or randomised."""
        return self.curve(task, model, "randomize" if null_model else "none", null_model).start

    def sigmas(self, task: str) -> pd.Series[float]:
        """The standard deviations of the weights of one task's networks."""
        values = self.sigma.loc[self.sigma["task"] == task, "sigma"]
        if values.empty:
            raise NotMeasuredError(f"no standard deviation of weights of the {task}-model")
        self.counts.add(len(values))
        return values

    def losses(self) -> list[PairLoss]:
        """What every pair of classes scores and loses."""
        losses = pair_losses(self.table)
        if not losses:
            raise NotMeasuredError("no trained networks")
        self.counts.update(loss.n for loss in losses)
        return losses

    def loss(self, first: str, second: str) -> PairLoss:
        """The same of one pair."""
        found = of_pair(self.losses(), first, second)
        if found is None:
            raise NotMeasuredError(f"no networks for the classes {first} and {second}")
        return found


@dataclass(frozen=True)
class Claim:
    """One statement of the paper that its figures can bear out or not.

    Attributes
    ----------
    key
        Short name, for machines.
    text
        What the paper says.
    place
        Where.
    figures
        Numbers of the figures it can be read from, each on its own.
    criterion
        How the verdict is reached, in words.
    measure
        The same, in code: of an `Evidence`, or of what a language model's tables give.
    datasets
        Data sets it speaks of; empty: any.
    """

    key: str
    text: str
    place: str
    figures: tuple[int, ...]
    criterion: str
    measure: Callable[[Any], Measured] = field(repr=False)
    datasets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """What became of a claim on one data set and hidden width.

    Attributes
    ----------
    claim
        The claim.
    figure, dataset, hidden
        Where it was looked for; hidden is None where width does not matter or nothing is there.
    verdict
        "holds", "does not hold" or "not measured".
    numbers
        What the verdict rests on.
    reason
        Why it is not measured, else "".
    n
        Fewest and most networks (or draws) behind one of the medians; None where there are none.
    """

    claim: Claim
    figure: int
    dataset: str
    hidden: int | None
    verdict: Verdict
    numbers: Numbers = field(default_factory=dict)
    reason: str = ""
    n: tuple[int, int] | None = None

    @property
    def n_in_words(self) -> str:
        """How many networks or draws, in print.

        Examples
        --------
        >>> claim = Claim("key", "text", "place", (1,), "criterion", print)
        >>> Finding(claim, 1, "mnist", 64, "holds", n=(20, 100)).n_in_words
        '20 to 100'
        """
        if self.n is None:
            return "\u2013"
        low, high = self.n
        return str(low) if low == high else f"{low} to {high}"

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {
            "claim": self.claim.key,
            "text": self.claim.text,
            "place": self.claim.place,
            "criterion": self.claim.criterion,
            "figure": self.figure,
            "dataset": self.dataset,
            "hidden": self.hidden,
            "verdict": self.verdict,
            "numbers": dict(self.numbers),
            "reason": self.reason,
            "n": None if self.n is None else list(self.n),
        }


def finding_of(
    claim: Claim,
    figure: int,
    dataset: str,
    hidden: int | None,
    evidence: Any,
) -> Finding:
    """Judge a claim by its evidence, which has ``counts`` of what its medians are over."""
    evidence.counts.clear()
    try:
        measured = claim.measure(evidence)
    except NotMeasuredError as lacking:
        return Finding(claim, figure, dataset, hidden, "not measured", reason=str(lacking))
    n = (min(evidence.counts), max(evidence.counts)) if evidence.counts else None
    verdict: Verdict = "holds" if measured.holds else "does not hold"
    return Finding(claim, figure, dataset, hidden, verdict, measured.numbers, n=n)
