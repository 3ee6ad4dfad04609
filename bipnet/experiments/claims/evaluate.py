"""Every claim, measured on every data set and hidden width the tables hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from bipnet.errors import InputError
from bipnet.experiments.claims import (
    complexity,
    noise,
    pruning,
    randomization,
    similarity,
    weights,
)
from bipnet.experiments.claims.claim import Claim, Evidence, Finding, finding_of
from bipnet.experiments.figures.catalogue import Tables, unique_networks
from bipnet.experiments.tables import COLUMNS, SIGMA_COLUMNS, SSIM_COLUMNS, checked_table

CLAIMS: tuple[Claim, ...] = (
    *similarity.CLAIMS,
    *pruning.CLAIMS,
    *weights.CLAIMS,
    *noise.CLAIMS,
    *randomization.CLAIMS,
    *complexity.CLAIMS,
)
"""Every claim that is looked at, in the paper's order."""

_PAPER_DATASETS = ("mnist", "fashion-mnist")


def evaluate_claims(
    tables: Tables, claims: Sequence[Claim] = CLAIMS, *, image_pairs: int | None = None
) -> list[Finding]:
    """Judge every claim from the tables alone.

    Parameters
    ----------
    tables
        Number of the paper's figure -> its table; what is missing is "not measured".
    claims
        Which claims; all by default.
    image_pairs
        Random pairs of images behind each SSIM distance, to be told with the verdicts on them.

    Returns
    -------
    One finding per claim, figure, data set and hidden width.

    Raises
    ------
    InputError
        A table lacks a column or holds what it cannot.

    Examples
    --------
    >>> {finding.verdict for finding in evaluate_claims({})}
    {'not measured'}
    """
    checked = {
        number: checked_table(table, _columns(number))
        for number, table in tables.items()
        if not table.empty
    }
    if 4 in checked:
        checked.setdefault(8, checked[4])  # the same networks, not binarised
    present = dict.fromkeys(
        str(name) for table in checked.values() for name in table["dataset"].unique()
    )
    return [
        finding
        for claim in claims
        for figure in claim.figures
        for dataset in claim.datasets or present or _PAPER_DATASETS
        for finding in _findings(claim, figure, dataset, checked, image_pairs)
    ]


def _columns(number: int) -> dict[str, str]:
    if not isinstance(number, int):
        raise InputError(f"tables must be keyed by the number of the figure, got {number!r}")
    return dict({6: SSIM_COLUMNS, 7: SIGMA_COLUMNS}.get(number, COLUMNS))


def _findings(
    claim: Claim, figure: int, dataset: str, tables: Tables, image_pairs: int | None
) -> Iterator[Finding]:
    table = tables.get(figure)
    if table is None:
        reason = f"there is no table of Figure {figure}"
        yield Finding(claim, figure, dataset, None, "not measured", reason=reason)
        return
    table = table[table["dataset"] == dataset]
    if table.empty:
        reason = f"Figure {figure} was not run on this data set"
        yield Finding(claim, figure, dataset, None, "not measured", reason=reason)
        return
    sigma = tables.get(7, pd.DataFrame(columns=list(SIGMA_COLUMNS)))
    sigma = unique_networks(sigma[sigma["dataset"] == dataset])
    widths = sorted(table["hidden"].unique().tolist()) if "hidden" in table else [None]
    for hidden in widths:
        evidence = Evidence(
            table if hidden is None else table[table["hidden"] == hidden],
            sigma if hidden is None else sigma[sigma["hidden"] == hidden],
            image_pairs,
        )
        yield finding_of(claim, figure, dataset, hidden, evidence)
