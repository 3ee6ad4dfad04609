"""The seven null models as rows of one table (paper, Table 1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from bipnet.errors import InputError

EDGES = "edges"
WEIGHTS = "weights"
ALPHA = "alpha"
SIGNS = "signs"
_DEGREES = {side: (f"k+ {side}", f"k- {side}") for side in ("left", "right")}
_STRENGTHS = {side: (f"s+ {side}", f"s- {side}") for side in ("left", "right")}

INVARIANTS: Mapping[str, str] = MappingProxyType(
    {
        EDGES: "which pairs of nodes have an edge",
        WEIGHTS: "the multiset of all weights",
        ALPHA: "the share of positive edges",
        SIGNS: "the sign of every edge",
        **{
            f"k{sign} {side}": f"the number of {word} edges of every {side} node"
            for side in ("left", "right")
            for sign, word in (("+", "positive"), ("-", "negative"))
        },
        **{
            f"s{sign} {side}": f"the multiset of {word} weights of every {side} node"
            for side in ("left", "right")
            for sign, word in (("+", "positive"), ("-", "negative"))
        },
    }
)
"""What a null model may preserve, and what that means. All are compared bit for bit."""


@dataclass(frozen=True)
class NullModel:
    """One row of the table: what a null model does and what it preserves.

    Attributes
    ----------
    letter
        "A" to "G", as in the paper.
    title, does
        Its name and one sentence on what it does.
    preserves
        Keys of `INVARIANTS`, in that order.
    groups
        Within which edges weights are permuted: "all", "left" or "right" nodes'.
    by_sign
        Whether positive and negative weights are permuted apart.
    redraws_signs
        Whether the sign pattern itself is drawn anew first (G alone).
    exact
        True: every draw is an independent, exactly uniform one. False: a Markov chain whose
        stationary law is exactly uniform, run for a stated number of steps.
    methods
        The values ``method=`` takes; the first is the default.
    """

    letter: str
    title: str
    does: str
    preserves: tuple[str, ...]
    groups: Literal["all", "left", "right"]
    by_sign: bool
    redraws_signs: bool = False
    methods: tuple[str, ...] = ("permute",)

    @property
    def exact(self) -> bool:
        return not self.redraws_signs


def _row(
    letter: str,
    title: str,
    does: str,
    groups: Literal["all", "left", "right"],
    *preserved: str,
    by_sign: bool = False,
    redraws_signs: bool = False,
    methods: tuple[str, ...] = ("permute",),
) -> NullModel:
    kept = {EDGES, WEIGHTS, ALPHA, *preserved}
    preserves = tuple(name for name in INVARIANTS if name in kept)
    return NullModel(letter, title, does, preserves, groups, by_sign, redraws_signs, methods)


_ALL_DEGREES = (*_DEGREES["left"], *_DEGREES["right"])

NULL_MODELS: Mapping[str, NullModel] = MappingProxyType(
    {
        model.letter: model
        for model in (
            _row(
                "A",
                "weights shuffled",
                "one permutation of all weights over all edges",
                "all",
            ),
            _row(
                "B",
                "weights shuffled within sign",
                "positive weights permuted over the positive edges, negative over the negative",
                "all",
                SIGNS,
                *_ALL_DEGREES,
                by_sign=True,
            ),
            _row(
                "C",
                "weights shuffled at left nodes",
                "the weights of each left node permuted over its edges",
                "left",
                *_DEGREES["left"],
                *_STRENGTHS["left"],
            ),
            _row(
                "D",
                "weights shuffled at right nodes",
                "the weights of each right node permuted over its edges",
                "right",
                *_DEGREES["right"],
                *_STRENGTHS["right"],
            ),
            _row(
                "E",
                "weights shuffled at left nodes within sign",
                "the weights of each left node permuted, positive and negative apart",
                "left",
                SIGNS,
                *_ALL_DEGREES,
                *_STRENGTHS["left"],
                by_sign=True,
            ),
            _row(
                "F",
                "weights shuffled at right nodes within sign",
                "the weights of each right node permuted, positive and negative apart",
                "right",
                SIGNS,
                *_ALL_DEGREES,
                *_STRENGTHS["right"],
                by_sign=True,
            ),
            _row(
                "G",
                "signs and weights redrawn with fixed degrees",
                "the sign pattern drawn uniformly among those with the same k+ and k- of every"
                " node, then weights spread uniformly within sign",
                "all",
                *_ALL_DEGREES,
                by_sign=True,
                redraws_signs=True,
                methods=("trade", "swap"),
            ),
        )
    }
)
"""The seven null models of the paper by letter: the table that `randomize`, `verify`, the
command line and the documentation read.

Examples
--------
>>> from bipnet import NULL_MODELS
>>> NULL_MODELS["E"].preserves
('edges', 'weights', 'alpha', 'signs', 'k+ left', 'k- left', 'k+ right', 'k- right', \
's+ left', 's- left')
"""


def null_model(null: str | NullModel) -> NullModel:
    """The row of the table for a letter; lists all seven for an unknown one."""
    if isinstance(null, NullModel):
        return null
    if isinstance(null, str) and null in NULL_MODELS:
        return NULL_MODELS[null]
    known = "; ".join(f"{row.letter}: {row.title}" for row in NULL_MODELS.values())
    raise InputError(f"null must be one of the seven null models ({known}), got {null!r}")
