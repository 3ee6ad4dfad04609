"""Section 5: what the paper says of the layers of a language model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

from bipnet.experiments.claims.claim import (
    Claim,
    Finding,
    Measured,
    NotMeasuredError,
    finding_of,
)
from bipnet.experiments.language.layers import blocks_of, in_block, is_position, short_names
from bipnet.experiments.language.plan import MAP
from bipnet.experiments.tables import LANGUAGE_COLUMNS, checked_table

HARMLESS = 0.02
"""F1 that may be lost where a probe "has virtually no impact"."""
ANY_LOSS = 0.01
"""F1 from which on a loss is one; less is as good as none."""
CLEARLY = 0.02
"""One loss is larger than another if by this much."""
FINDS_NOTHING = 0.05
"""F1 below which there is nothing to lose, and nothing but chance."""
EXTREME = (0.90, 0.99)
"""Fractions removed that are "extreme": one edge of ten to one of a hundred is left. Beyond them a
layer is gone rather than pruned: of the classifier no edge may be left."""
HELPS = 0.01
"""Pruning or flipping more has improved F1 if by this much."""
REASONABLE = 0.5
"""Share of the model's F1 that is still "reasonable"."""
REMAINS_HIGH = 0.8
"""Share of the model's F1 that is still "high"."""


@dataclass(frozen=True, eq=False)
class LanguageEvidence:
    """The tables of Figures 5 and 9 of one model; either may be empty."""

    pruning: pd.DataFrame
    noise: pd.DataFrame
    of_model: Sequence[str] = ()
    """Names of all linear layers of the model, if known."""
    counts: set[int] = field(default_factory=set)
    """Numbers of draws behind the medians that were asked for so far."""

    @cached_property
    def probed(self) -> dict[str, str]:
        """The layers of the figures, and what they are called in print."""
        table = self.pruning if len(self.pruning) else self.noise
        return short_names(name for name in table["layer"] if name != "all")

    @property
    def original(self) -> float:
        """F1 of the model as it is, if that is anything to lose."""
        rows = self.pruning
        found = rows.loc[(rows["probe"] == "none") & (rows["model"] == "float"), "f1"]
        if found.empty:
            raise NotMeasuredError("the model as it is was not scored")
        original = float(found.iloc[0])
        if original < FINDS_NOTHING:
            raise NotMeasuredError(f"the model as it is finds next to nothing: F1 {original:.3f}")
        return original

    def layers(self, place: str) -> list[str]:
        """Layers that are "early" or "late"."""
        places = blocks_of(list(self.probed), self.of_model)
        found = [name for name, where in places.items() if where == place]
        if not found:
            raise NotMeasuredError(f"no {place} layer was probed")
        return found

    def curve(self, layer: str, probe: str, model: str, null_model: str = "") -> pd.Series[float]:
        """Median F1 by p, sigma or q."""
        table = self.pruning if probe in ("prune", "randomize") else self.noise
        by = "fraction_removed" if probe in ("prune", "randomize") else "level"
        rows = table[
            (table["layer"] == layer)
            & (table["probe"] == probe)
            & (table["model"] == model)
            & (table["null_model"] == null_model)
        ]
        if rows.empty:
            raise NotMeasuredError(f"no {probe} {null_model} rows of {layer} ({model})")
        draws = rows.groupby(by)["f1"]
        self.counts.update(draws.size().tolist())
        return draws.median()

    def lost(self, layer: str, how: str) -> float:
        """F1 lost at the smallest p: by "binarize", "A" or "B"."""
        if how == "binarize":
            curve = self.curve(layer, "prune", "signed")
        else:
            curve = self.curve(layer, "randomize", "float", how)
        return self.original - float(curve.iloc[0])


def _losses(evidence: LanguageEvidence, how: str, place: str) -> dict[str, float]:
    return {evidence.probed[name]: evidence.lost(name, how) for name in evidence.layers(place)}


def _early_lose_more(how: str) -> Callable[[LanguageEvidence], Measured]:
    def measure(evidence: LanguageEvidence) -> Measured:
        early = _losses(evidence, how, "early")
        late = _losses(evidence, how, "late")
        lead = _mean(early) - _mean(late)
        numbers = {"mean of the early layers": _mean(early), "of the late ones": _mean(late)}
        return Measured(lead >= CLEARLY, numbers | early | late)

    return measure


def _no_loss_late(evidence: LanguageEvidence) -> Measured:
    late = _losses(evidence, "binarize", "late")
    return Measured(max(late.values()) < ANY_LOSS, late)


def _pruning_helps(evidence: LanguageEvidence) -> Measured:
    _ = evidence.original  # a model that finds nothing has nothing to gain
    gains = {}
    for layer in evidence.layers("early"):
        curve = evidence.curve(layer, "prune", "signed")
        gains[evidence.probed[layer]] = float(curve.max() - curve.iloc[0])
    return Measured(max(gains.values()) >= HELPS, gains)


def _declines(evidence: LanguageEvidence) -> Measured:
    numbers: dict[str, float | int | str] = {"model as it is": evidence.original}
    lowest = []
    for layer in evidence.layers("early"):
        curve = evidence.curve(layer, "prune", "signed")
        lowest.append(_note_lowest(numbers, evidence.probed[layer], curve.loc[: EXTREME[0]]))
    return Measured(max(lowest) <= FINDS_NOTHING, numbers)


def _extreme(evidence: LanguageEvidence) -> Measured:
    numbers: dict[str, float | int | str] = {"model as it is": evidence.original}
    high = REMAINS_HIGH * evidence.original
    lowest = []
    for layer in evidence.layers("late"):
        curve = evidence.curve(layer, "prune", "signed")
        name = evidence.probed[layer]
        lowest.append(_note_lowest(numbers, name, curve.loc[EXTREME[0] : EXTREME[1]]))
        kept = curve.index[(curve >= high).cummin()]
        numbers[f"{name} high up to p"] = float(kept[-1]) if len(kept) else 0.0
    return Measured(min(lowest) >= high, numbers)


def _reasonable_under_a(evidence: LanguageEvidence) -> Measured:
    numbers: dict[str, float | int | str] = {"model as it is": evidence.original}
    wanted = REASONABLE * evidence.original
    lowest = []
    for layer, name in evidence.probed.items():
        if in_block(layer):
            curve = evidence.curve(layer, "randomize", "float", "A")
            lowest.append(_note_lowest(numbers, name, curve))
            numbers[f"{name} reasonable at"] = f"{(curve >= wanted).sum()} of {len(curve)} p"
    if not lowest:
        raise NotMeasuredError("no layer within a block was probed")
    return Measured(min(lowest) >= wanted, numbers)


def _note_lowest(
    numbers: dict[str, float | int | str], name: str, curve: pd.Series[float]
) -> float:
    """The lowest F1 of a stretch of a curve, told with its p."""
    if curve.empty:
        raise NotMeasuredError(f"no p of the criterion was measured for {name}")
    numbers[f"lowest of {name}"] = lowest = float(curve.min())
    numbers[f"at p ({name})"] = float(curve.index[int(curve.argmin())])
    return lowest


def _b_costs_late(evidence: LanguageEvidence) -> Measured:
    _ = evidence.original  # a model that finds nothing has nothing to lose
    numbers: dict[str, float] = {}
    costs = []
    for layer in evidence.layers("late"):
        pruned = evidence.curve(layer, "prune", "float")
        cost = (pruned - evidence.curve(layer, "randomize", "float", "B")).dropna()
        name = evidence.probed[layer]
        if cost.empty:
            raise NotMeasuredError(f"no p at which {name} was pruned with and without B")
        costs.append(float(cost.max()))
        numbers |= {
            f"largest cost in {name}": costs[-1],
            f"at p ({name})": float(cost.index[int(cost.argmax())]),
            f"median cost in {name}": float(cost.median()),
        }
    return Measured(max(costs) <= HARMLESS, numbers)


def _binarising_worse_than_b(evidence: LanguageEvidence) -> Measured:
    binarised = _losses(evidence, "binarize", "early")
    randomised = _losses(evidence, "B", "early")
    numbers = {
        "mean lost by binarising": _mean(binarised),
        "mean lost by B": _mean(randomised),
    }
    return Measured(_mean(binarised) >= _mean(randomised) + CLEARLY, numbers)


def _positional_flip(evidence: LanguageEvidence) -> Measured:
    names = [name for name in dict.fromkeys(evidence.noise["layer"]) if is_position(name)]
    if not names:
        raise NotMeasuredError("no position embeddings were probed")
    curve = evidence.curve(names[0], "flip", "float")
    rise = curve - curve.cummin()
    high = int(rise.argmax())
    low = int(curve.iloc[: high + 1].argmin())
    fell, rose = (float(curve.iloc[0] - curve.iloc[low]), float(rise.iloc[high]))
    numbers = {
        "F1 at q = 0": float(curve.iloc[0]),
        "falls to": float(curve.iloc[low]),
        "at q": float(curve.index[low]),
        "rises again to": float(curve.iloc[high]),
        "that at q": float(curve.index[high]),
        "F1 at the largest q": float(curve.iloc[-1]),
    }
    return Measured(fell >= HELPS and rose >= HELPS, numbers)


def _mean(values: Mapping[str, float]) -> float:
    return sum(values.values()) / len(values)


_MORE = (
    "the early layers (embeddings, first block) lose on average at least"
    f" {100 * CLEARLY:.0f} points more F1 than the late ones (last block, classifier), at the"
    " smallest p"
)
_PLACE = "section 5"

LANGUAGE_CLAIMS: tuple[Claim, ...] = (
    Claim(
        "early-least-robust",
        "The earliest layers are the least robust: binarising them costs most.",
        "sections 1 and 5; Figure 5d",
        (5,),
        f"by binarising, {_MORE}",
        _early_lose_more("binarize"),
    ),
    Claim(
        "early-decline",
        "The earliest layers suffer a rapid decline in F1 score as the edges are removed, with the"
        " signed model's predictions becoming nearly indistinguishable from random.",
        f"{_PLACE}; Figure 5a",
        (5,),
        "binarised, F1 falls in each of the early layers to at most"
        f" {100 * FINDS_NOTHING:.0f} % at some p up to {EXTREME[0]:g}",
        _declines,
    ),
    Claim(
        "pruning-helps-early",
        "Simple pruning of the smallest-magnitude weights can improve the performance of the"
        " earliest layers.",
        "section 1; Figure 5a",
        (5,),
        f"binarised, one of the early layers gains at least {100 * HELPS:.0f} point of F1 at some p"
        " over the smallest p",
        _pruning_helps,
    ),
    Claim(
        "signs-suffice-late",
        "Deeper layers can be binarised at inference time without any loss.",
        "section 1; Figure 5d",
        (5,),
        f"binarising costs each of the late layers less than {100 * ANY_LOSS:.0f} point of F1, at"
        " the smallest p",
        _no_loss_late,
    ),
    Claim(
        "late-survive-pruning",
        "The deepest layers remain remarkably robust: even under extreme edge removal, their"
        " binarized counterparts sustain high F1 scores.",
        f"{_PLACE}; Figure 5a",
        (5,),
        f"binarised, each late layer keeps {100 * REMAINS_HIGH:.0f} % of the model's F1 at every"
        f" p from {EXTREME[0]:g} to {EXTREME[1]:g}",
        _extreme,
    ),
    Claim(
        "A-reasonable",
        "Under randomization A the model still retains reasonable performance when edges are"
        " removed, thanks to the residual connections.",
        f"{_PLACE}; Figure 5b",
        (5,),
        "under A each probed layer of a block, which a residual connection bypasses, keeps"
        f" {100 * REASONABLE:.0f} % of the model's F1 at every p",
        _reasonable_under_a,
    ),
    Claim(
        "B-harmless-late",
        "Randomization B has virtually no impact on the F1 score in the later layers.",
        f"{_PLACE}; Figure 5c",
        (5,),
        f"at no p does B cost a late layer more than {100 * HARMLESS:.0f} points of F1, against the"
        " same layer pruned and not randomised",
        _b_costs_late,
    ),
    Claim(
        "binarising-worse-than-B",
        "Binarization causes a substantially larger performance drop in the early layers than B.",
        f"{_PLACE}; Figure 5d, f",
        (5,),
        f"on average the early layers lose at least {100 * CLEARLY:.0f} points more F1 by"
        " binarising than by B, at the smallest p",
        _binarising_worse_than_b,
    ),
    Claim(
        "B-early-more",
        "B follows the same relative layer-wise pattern, with early layers more affected than"
        " later ones.",
        f"{_PLACE}; Figure 5f",
        (5,),
        f"by B, {_MORE}",
        _early_lose_more("B"),
    ),
    Claim(
        "positional-flip",
        "Under sign flipping, the positional-encoding layer's performance curve becomes"
        " non-monotonic.",
        "section 5; Figure 9c",
        (9,),
        f"F1 falls by at least {100 * HELPS:.0f} point, and rises again by as much at a larger q",
        _positional_flip,
    ),
)
"""Every claim that is looked at, in the paper's order."""


def evaluate_language_claims(tables: Mapping[int, pd.DataFrame], model: str) -> list[Finding]:
    """Judge every claim from the tables alone.

    Parameters
    ----------
    tables
        Of Figures 5 and 9; what is missing is "not measured".
    model
        What the verdicts are about, in print.

    Returns
    -------
    One finding per claim.
    """
    empty = pd.DataFrame(columns=list(LANGUAGE_COLUMNS))
    checked = {number: checked_table(table, LANGUAGE_COLUMNS) for number, table in tables.items()}
    of_model = [str(name) for name in dict.fromkeys(checked.get(MAP, empty)["layer"])]
    evidence = LanguageEvidence(checked.get(5, empty), checked.get(9, empty), of_model)
    findings = []
    for claim in LANGUAGE_CLAIMS:
        (figure,) = claim.figures
        if figure not in checked:
            reason = f"there is no table of Figure {figure}"
            findings.append(Finding(claim, figure, model, None, "not measured", reason=reason))
            continue
        findings.append(finding_of(claim, figure, model, None, evidence))
    return findings
