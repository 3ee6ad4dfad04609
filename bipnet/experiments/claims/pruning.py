"""Section 3.1: pruning and binarising."""

from __future__ import annotations

import numpy as np

from bipnet.experiments.claims.claim import (
    KEEPS,
    NEAR_CHANCE,
    Claim,
    Evidence,
    Measured,
)
from bipnet.experiments.claims.shapes import (
    MUCH,
    TRANSITION,
    common,
    improves,
    improves_criterion,
    keeps_more,
    keeps_more_criterion,
    transition,
)

SURPASSES = 0.02
"""signed-H surpasses H if by this much somewhere."""


def _surpasses(evidence: Evidence) -> Measured:
    signed, trained = common(
        evidence.curve("H", "signed", "prune"), evidence.curve("H", "float", "prune")
    )
    lead = signed.median - trained.median
    at = int(np.argmax(lead))
    numbers = {
        "largest lead": float(lead[at]),
        "at p": float(signed.x[at]),
        "signed-H there": float(signed.median[at]),
        "H there": float(trained.median[at]),
    }
    return Measured(bool(lead[at] >= SURPASSES), numbers)


def _binarising(evidence: Evidence) -> Measured:
    easy = evidence.curve("E", "signed", "prune").start
    hard = evidence.curve("H", "signed", "prune").start
    numbers = {"signed-E": easy, "signed-H": hard}
    return Measured(easy >= KEEPS and hard <= NEAR_CHANCE, numbers)


_FIGURES = (1, 10, 12)

CLAIMS = (
    Claim(
        "binarising",
        "Binarizing an MLP trained on a hard task causes its accuracy to collapse to chance,"
        " whereas the easy-task model remains quite robust.",
        "section 1; Figure 1a, b at p = 0",
        _FIGURES,
        f"the median of signed-E is at least {100 * KEEPS:.0f} %, that of signed-H at most"
        f" {100 * NEAR_CHANCE:.0f} %, nothing pruned",
        _binarising,
    ),
    Claim(
        "pruning-keeps-easy",
        "The E-model retains higher accuracy as the smallest-magnitude weights are removed, whereas"
        " the H-model's performance drops much more rapidly.",
        "section 3.1; Figure 1a, b",
        _FIGURES,
        keeps_more_criterion(MUCH),
        lambda evidence: keeps_more(evidence, "prune", MUCH),
    ),
    Claim(
        "pruning-raises-signed-E",
        "Pruning can even increase the accuracy of the signed-E model.",
        "section 3.1; Figure 1a, b",
        _FIGURES,
        improves_criterion("p"),
        lambda evidence: improves(evidence.curve("E", "signed", "prune"), "p"),
    ),
    Claim(
        "pruning-transition-signed-H",
        "The signed-H model, which initially performs at near random, exhibits a sharp"
        " performance transition.",
        "section 3.1; Figure 1a, b",
        _FIGURES,
        TRANSITION,
        lambda evidence: transition(evidence.curve("H", "signed", "prune")),
    ),
    Claim(
        "pruning-signed-H-surpasses-H",
        "The signed-H model even surpasses the H-model's accuracy for some sparsity levels.",
        "section 3.1; Figure 1a, b",
        _FIGURES,
        f"at some p the median of signed-H lies at least {100 * SURPASSES:.0f} points above that"
        " of H",
        _surpasses,
    ),
)
