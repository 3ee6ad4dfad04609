"""Section 3.1, Figure 7: the standard deviation of the weights."""

from __future__ import annotations

from functools import partial

from bipnet.experiments.claims.claim import Claim, Evidence, Measured


def _median(evidence: Evidence, easy_is_less: bool) -> Measured:
    medians = {f"median of {task}": float(evidence.sigmas(task).median()) for task in "EH"}
    easy, hard = medians.values()
    return Measured(easy < hard if easy_is_less else easy > hard, medians)


def _spread(evidence: Evidence, easy_is_less: bool) -> Measured:
    widths = {
        f"IQR of {task}": float(
            evidence.sigmas(task).quantile(0.75) - evidence.sigmas(task).quantile(0.25)
        )
        for task in "EH"
    }
    easy, hard = widths.values()
    return Measured(easy < hard if easy_is_less else easy > hard, widths)


CLAIMS = tuple(
    Claim(
        f"sigma-{word}-{dataset}",
        f"For {title}, sigma(w) is {word} for the easy task.",
        "section 3.1; Figure 7",
        (7,),
        f"the {statistic} over the E-models is {'below' if less else 'above'} that over the"
        " H-models",
        partial(measure, easy_is_less=less),
        (dataset,),
    )
    for dataset, title, less, words in (
        ("mnist", "MNIST", True, ("smaller", "narrower")),
        ("fashion-mnist", "Fashion-MNIST", False, ("larger", "wider")),
    )
    for word, statistic, measure in (
        (words[0], "median", _median),
        (words[1], "interquartile range", _spread),
    )
)
