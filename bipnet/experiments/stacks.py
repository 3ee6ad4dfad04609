"""The paper's probes on many networks of one shape at once.

Each Linear layer is probed by itself, all layers in one evaluation. Biases are pruned, perturbed
and binarised like weights, by a ranking of their own; randomisations and flips leave them alone
(PROTOCOL: the released code).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch

import bipnet
from bipnet._streams import Seed
from bipnet.errors import FrozenWarning
from bipnet.torch import MLPStack

Array = npt.NDArray[np.float64]


class RankedStack:
    """Networks whose edges are ranked by |w| once, for many levels of pruning and flipping.

    The rank is among the edges of one tensor of one network, ties by position: the edges of
    `bipnet.prune` and `bipnet.flip_signs`.
    """

    def __init__(self, stack: MLPStack) -> None:
        self.stack = stack
        self._weights = [_Ranks(weight) for weight in stack.weights]
        self._biases = [_Ranks(bias) for bias in stack.biases]

    def pruned(self, fraction_removed: float) -> MLPStack:
        """The smallest weights and biases removed."""
        return MLPStack(
            [
                torch.where(ranks.chosen(fraction_removed), 0, weight)
                for ranks, weight in zip(self._weights, self.stack.weights, strict=True)
            ],
            [
                torch.where(ranks.chosen(fraction_removed), 0, bias)
                for ranks, bias in zip(self._biases, self.stack.biases, strict=True)
            ],
        )

    def flipped(self, fraction_flipped: float) -> MLPStack:
        """The signs of the smallest weights flipped; biases as they are."""
        return MLPStack(
            [
                torch.where(ranks.chosen(fraction_flipped), -weight, weight)
                for ranks, weight in zip(self._weights, self.stack.weights, strict=True)
            ],
            self.stack.biases,
        )


class _Ranks:
    """Place of each edge of (n_networks, ...) values in the order of |w|, in each network."""

    def __init__(self, values: torch.Tensor) -> None:
        magnitudes = values.abs().flatten(1)
        self._n_edges = (magnitudes != 0).sum(dim=1).tolist()
        # Zeros are no edges: behind all edges they are never chosen.
        magnitudes = torch.where(magnitudes == 0, torch.inf, magnitudes)
        order = magnitudes.argsort(dim=1, stable=True)
        places = torch.arange(order.shape[1], dtype=torch.int32).expand(order.shape)
        ranks = torch.empty(order.shape, dtype=torch.int32)
        self._ranks = ranks.scatter_(1, order, places).view(values.shape)

    def chosen(self, share: float) -> torch.Tensor:
        """The round(share * n) smallest of each network's n edges."""
        counts = torch.tensor([round(share * n) for n in self._n_edges], dtype=torch.int32)
        return self._ranks < counts.view(-1, *[1] * (self._ranks.ndim - 1))


def binarised(stack: MLPStack) -> MLPStack:
    """The signed model: weights and biases replaced by their signs."""
    return MLPStack([w.sign() for w in stack.weights], [b.sign() for b in stack.biases])


def noisy(
    stack: MLPStack, scale: float, *, seed: Seed, name: str, index: int, first: int = 0
) -> MLPStack:
    """U(-scale, scale) added to each edge and to each bias that is not 0; fresh for an index.

    The noise of network r, counted from ``first``, and layer l is that of `bipnet.add_noise` with
    this seed, the index and the name "``name``/r/weight l" (or "bias l").
    """

    def with_noise(r: int, layer: int, kind: str, values: torch.Tensor) -> torch.Tensor:
        label = f"{name}/{r}/{kind} {layer}"
        return bipnet.add_noise(values, scale, rng=seed, name=label, index=index)

    return _changed(stack, with_noise, first, biases=True)


def randomized(
    stack: MLPStack, null: str, *, seed: Seed, name: str, index: int, first: int = 0
) -> MLPStack:
    """A draw of every layer of every network; biases as they are.

    The draw of network r, counted from ``first``, and layer l is that of `bipnet.randomize` with
    this seed, the index and the name "``name``/r/weight l".
    """

    def drawn(r: int, layer: int, kind: str, values: torch.Tensor) -> torch.Tensor:
        label = f"{name}/{r}/{kind} {layer}"
        return bipnet.randomize(values, null, rng=seed, name=label, index=index, n_threads=1)

    with warnings.catch_warnings():
        # Strongly pruned layers have edges that are alone in their group: nothing to report.
        warnings.simplefilter("ignore", FrozenWarning)
        return _changed(stack, drawn, first, biases=False)


def _changed(
    stack: MLPStack,
    change: Callable[[int, int, str, torch.Tensor], torch.Tensor],
    first: int,
    *,
    biases: bool,
) -> MLPStack:
    def all_of(kind: str, tensors: list[torch.Tensor]) -> list[torch.Tensor]:
        return [
            torch.stack([change(first + r, layer, kind, own) for r, own in enumerate(values)])
            for layer, values in enumerate(tensors)
        ]

    return MLPStack(
        all_of("weight", stack.weights),
        all_of("bias", stack.biases) if biases else stack.biases,
    )


def sigmas(stack: MLPStack) -> Array:
    """Standard deviation of all weights of each network, biases left out: (n_networks,)."""
    weights = torch.cat([weight.flatten(1) for weight in stack.weights], dim=1)
    deviations: Array = weights.double().std(dim=1, correction=0).numpy()
    return deviations
