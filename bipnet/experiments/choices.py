"""Where the paper's text and its released code differ, or say too little; and what was run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Choice:
    """One point of the protocol.

    Attributes
    ----------
    key
        Where the settings say which was run.
    what
        The point.
    text, code
        What the paper's text says, and what its released code does.
    fixed
        What is always done here; empty where the settings decide.
    """

    key: str
    what: str
    text: str
    code: str
    fixed: str = ""

    def run(self, settings: Mapping[str, Any]) -> str:
        """What was run, in words."""
        if self.key in settings:
            return _words(settings[self.key])
        return self.fixed or "not recorded"


CHOICES: tuple[Choice, ...] = (
    Choice(
        "stop",
        "When training stops",
        "At the step at which the test accuracy is maximal, within 10 epochs.",
        "After ten full epochs; the weights after the last step.",
    ),
    Choice(
        "biases",
        "Biases of a probed network",
        "Not said.",
        "Only weights are stored: trained weights with fresh random biases.",
    ),
    Choice(
        "pairs",
        "The easy and the hard pair of classes",
        "The largest and the smallest SSIM distance.",
        "Pairs by name. On MNIST 0-1 is farther apart than 0-7 by a hair; on Fashion-MNIST"
        " several pairs are nearly tied.",
    ),
    Choice(
        "ties",
        "Equal logits of two classes",
        "Not said.",
        "Not said.",
        "the lowest class index wins; the share of ties is reported",
    ),
    Choice(
        "pruned_edges",
        "Edges removed from a layer of n at fraction p",
        "The smallest absolute weights, iteratively.",
        "All but floor((1 - p) n) in one shot, in floating point, which keeps 0 of 10 at p = 0.9.",
        "round(p n) in one shot, equal magnitudes by position; each layer by itself",
    ),
    Choice(
        "signed_draws",
        "Randomised networks, binarised",
        "Not said.",
        "Pruned, randomised, then binarised, for signed curves.",
        "drawn once, as signed-E and signed-H: B, E and F keep every sign, and so the binarised"
        " network",
    ),
    Choice(
        "sigma_lines",
        "Vertical lines of the noise panels",
        "The average standard deviation of the weights.",
        "The median over the networks.",
        "the median",
    ),
    Choice(
        "average",
        "Curves and entries of the heat maps",
        "Averaged over the networks (the lines: medians).",
        "Medians; those of the heat maps folded: x below 50 % becomes 100 - x.",
        "medians, not folded",
    ),
    Choice(
        "boxes",
        "Sample behind the box plots of Figure 2",
        "The test accuracies.",
        "Accuracies below 50 % folded to 100 - x, then trimmed to the interquartile range.",
        "the raw sample",
    ),
    Choice(
        "ssim_scale",
        "Scale of the images SSIM compares",
        "Not said.",
        "Not said.",
    ),
)


def described_choices(
    settings: Mapping[str, Any], choices: Sequence[Choice] = CHOICES
) -> list[dict[str, str]]:
    """A row per choice: what, text, code, run.

    Parameters
    ----------
    settings
        Of the run; the key of a choice names what was run, "not recorded" where it is missing
        and nothing else is possible.
    choices
        Which ones there are; those about MLPs by default.

    Examples
    --------
    >>> rows = described_choices({"biases": "trained"})
    >>> [row["run"] for row in rows if row["what"].startswith("Biases")]
    ['trained']
    """
    return [
        {"what": choice.what, "text": choice.text, "code": choice.code, "run": choice.run(settings)}
        for choice in choices
    ]


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
