"""The protocol of the study: grids, draws, sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bipnet.errors import InputError

PRUNE_LEVELS = (
    0.001, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99,
    0.995, 0.999, 0.9999, 0.99999, 0.999999,
)  # fmt: skip
"""p, from 0.001 to 0.999999 as in the paper's code."""

QUICK_PRUNE_LEVELS = (0.001, 0.2, 0.5, 0.7, 0.9, 0.97, 0.99, 0.999999)

NOISE_LEVELS = tuple(round(float(level), 6) for level in np.linspace(0, 1, 100))
"""Standard deviations of the normal noise."""

FLIP_LEVELS = tuple(round(float(level), 6) for level in np.linspace(0, 1, 50))
"""q."""

QUICK_NOISE_LEVELS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
QUICK_FLIP_LEVELS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)

QUICK_SENTENCES = 500


@dataclass(frozen=True)
class LanguageSettings:
    """All that the tables of a run depend on besides model and data.

    Attributes
    ----------
    layers
        Globs on the layers of Figures 5 and 9; the paper's six if there are none.
    realizations
        Draws of noise and null models at each level; None for the paper's five (two if quick).
    quick
        Fewer levels, draws and sentences.
    sentences
        Size of the sample; None for all (500 if quick).
    seed
        Seed of everything.
    """

    layers: tuple[str, ...] = ()
    realizations: int | None = None
    quick: bool = False
    sentences: int | None = None
    seed: int = 7

    def __post_init__(self) -> None:
        for name in ("realizations", "sentences"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"the number of {name} must be 1 or more, got {value}")

    @property
    def n_realizations(self) -> int:
        return self.realizations or (2 if self.quick else 5)

    @property
    def n_sentences(self) -> int | None:
        """None for all there are."""
        return self.sentences or (QUICK_SENTENCES if self.quick else None)

    @property
    def prune_levels(self) -> Sequence[float]:
        return QUICK_PRUNE_LEVELS if self.quick else PRUNE_LEVELS

    @property
    def noise_levels(self) -> Sequence[float]:
        return QUICK_NOISE_LEVELS if self.quick else NOISE_LEVELS

    @property
    def flip_levels(self) -> Sequence[float]:
        return QUICK_FLIP_LEVELS if self.quick else FLIP_LEVELS

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for the protocol of a run."""
        return {
            "layers": list(self.layers),
            "realizations": self.n_realizations,
            "sentences": self.n_sentences,
            "seed": self.seed,
            "prune levels": list(self.prune_levels),
            "noise levels": list(self.noise_levels),
            "flip levels": list(self.flip_levels),
        }
