"""The matrices that are measured: a size, a share of pruned edges, and margins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from bipnet.errors import InputError

Margins = Literal["random", "trained"]
MARGINS: tuple[Margins, ...] = ("random", "trained")
SIZES = ((784, 64), (3072, 768), (11008, 4096))
"""A first layer of an MNIST net, a feed-forward layer of BERT, one of a 7-billion Llama."""

# Margins "trained": parameters a, b of the Beta law of a side's probabilities, and its range.
_LEFT, _RIGHT = (1.5, 0.7, 0.33, 0.94), (2.0, 1.0, 0.36, 0.95)


@dataclass(frozen=True)
class Case:
    """One matrix to measure.

    Attributes
    ----------
    n_left, n_right
        Nodes of the two sides.
    pruned
        Per cent of the edges that are missing: those of the smallest magnitude.
    margins
        "random" (signs iid) or "trained" (degrees as uneven as those of a trained layer).
    """

    n_left: int
    n_right: int
    pruned: int = 0
    margins: Margins = "random"

    @property
    def size(self) -> str:
        return f"{self.n_left}x{self.n_right}"

    def __str__(self) -> str:
        edges = f"{self.pruned} % pruned" if self.pruned else "dense"
        return f"{self.size} {edges} {self.margins}"


def make_matrix(case: Case, dtype: str = "float32", seed: int = 7) -> np.ndarray[Any, Any]:
    """The matrix of a case.

    Parameters
    ----------
    case
        Size, share of missing edges, margins.
    dtype
        "float16", "float32" or "float64".
    seed
        The same seed gives the same matrix.

    Returns
    -------
    (n_left, n_right), C-ordered, without zeros before pruning.

    Notes
    -----
    random: weights are iid normal, so signs are fair coins.

    trained: a left node i gets a probability p_i from Beta(1.5, 0.7) stretched over [0.33, 0.94], a
    right node j a q_j from Beta(2, 1) over [0.36, 0.95]; w_ij is positive with the probability
    whose log-odds are those of p_i plus those of q_j minus those of the mean. At 784 x 64 the
    left k+ then run from about 20 to 62 of 64 and the right ones from about 390 to 735 of 784,
    and the overlap of draws of G with the start settles near 0.82: a trained MNIST layer has 17
    to 62, 350 to 730, and 0.83. Magnitudes are half-normal times a log-normal factor per node
    (sigma 0.5), so that pruning by magnitude leaves an uneven support.

    Examples
    --------
    >>> from bipnet.bench import Case, make_matrix
    >>> W = make_matrix(Case(100, 20, pruned=90))
    >>> W.shape, int((W != 0).sum())
    ((100, 20), 200)
    """
    rng = np.random.default_rng([seed, case.n_left, case.n_right, MARGINS.index(case.margins)])
    shape = (case.n_left, case.n_right)
    W = rng.standard_normal(shape, dtype=np.float32)
    if case.margins == "trained":
        np.abs(W, out=W)
        W *= rng.lognormal(0, 0.5, (case.n_left, 1)).astype(np.float32)
        W *= rng.lognormal(0, 0.5, (1, case.n_right)).astype(np.float32)
        left, right = (
            _probabilities(rng, _LEFT, case.n_left),
            _probabilities(rng, _RIGHT, case.n_right),
        )
        middle = _log_odds((_mean(_LEFT) + _mean(_RIGHT)) / 2)
        odds_left, odds_right = _log_odds(left), _log_odds(right)
        for i in range(case.n_left):  # by rows: a layer of float64 cells would be large
            positive = 1 / (1 + np.exp(middle - odds_left[i] - odds_right))
            W[i, rng.random(case.n_right) >= positive] *= -1
    W[np.abs(W) < 1e-4] = 1e-4  # no edge of a dense case may be missing, in float16 either
    if case.pruned:
        n_missing = W.size * case.pruned // 100
        smallest = np.argpartition(np.abs(W), n_missing, axis=None)[:n_missing]
        W.reshape(-1)[smallest] = 0
    return W.astype(dtype, copy=False)


def parse_size(text: str) -> tuple[int, int]:
    """(n_left, n_right) of text like ``784x64``."""
    parts = text.lower().split("x")
    if len(parts) == 2 and all(part.isascii() and part.isdigit() for part in parts):
        n_left, n_right = int(parts[0]), int(parts[1])
        if n_left >= 2 and n_right >= 2:
            return n_left, n_right
    raise InputError(f"a size is left x right, both at least 2, like 784x64; got {text!r}")


def _probabilities(
    rng: np.random.Generator, law: tuple[float, float, float, float], n: int
) -> np.ndarray[Any, Any]:
    a, b, low, high = law
    return low + (high - low) * rng.beta(a, b, n)


def _mean(law: tuple[float, float, float, float]) -> float:
    a, b, low, high = law
    return low + (high - low) * a / (a + b)


def _log_odds(p: Any) -> Any:
    return np.log(p / (1 - p))
