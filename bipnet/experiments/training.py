"""Train many small MLPs at once: all realizations of a task as one stack of matrix products."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from bipnet._streams import RNGLike, Seed, resolve_seed
from bipnet.errors import InputError
from bipnet.torch import MLPStack

Stop = Literal["last", "best"]

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Protocol:
    """How networks are trained (paper, section 3; what its text leaves out, from its code).

    Attributes
    ----------
    hidden
        Width d of the one hidden layer (ReLU).
    epochs, batch_size, learning_rate
        Adam with this rate, annealed by a cosine to 0, stepped once an epoch; the weights after
        the last step are kept (stopping by test accuracy would leak the test set).
    """

    hidden: int = 64
    epochs: int = 10
    batch_size: int = 128
    learning_rate: float = 0.01


def train_stack(
    x: Floats,
    y: Ints,
    n_networks: int,
    *,
    first: int = 0,
    protocol: Protocol = Protocol(),  # frozen: shared safely
    rng: RNGLike | Seed = None,
    name: str = "",
    stop: Stop = "last",
    test: tuple[Floats, Ints] | None = None,
    progress: Callable[[int], object] | None = None,
) -> MLPStack:
    """Train ``n_networks`` MLPs from independent initialisations, together.

    Each network starts from numbers of its own and sees the samples in an order of its own, so
    the result has the law of networks trained one by one: log-softmax with negative
    log-likelihood, PyTorch's default initialisation.

    A network's random numbers are a function of the seed, the name and its number, whichever
    others are trained with it. Its sums may be rounded otherwise in a stack of another size:
    for the same bits train the same networks together.

    Parameters
    ----------
    x, y
        (n, n_inputs) float32 inputs; (n,) int64 classes, from 0.
    n_networks
        Number of realizations.
    first
        Number of the first of them; the others follow it.
    protocol
        Architecture and training.
    rng, name
        Seed, and the name of the task: another name, or another number, is an independent
        network.
    stop
        "last": the weights after the last step. "best": each network's after the epoch at whose
        end its accuracy on ``test`` was highest, the earliest of equals (the paper's text, which
        lets the test images choose).
    test
        (x, y) like the first two, for ``stop="best"``.
    progress
        Called with 1 after each epoch.

    Returns
    -------
    The trained stack.

    Raises
    ------
    InputError
        No samples, fewer than two classes, not one class from 0 on per sample, no networks,
        a negative ``first``, ``stop="best"`` without ``test``.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.float32([[-1, 0], [1, 0]] * 8)
    >>> stack = train_stack(x, np.array([0, 1] * 8), 3, rng=7, protocol=Protocol(8, 20, 4))
    >>> stack.accuracy(torch.from_numpy(x), torch.tensor([0, 1] * 8))
    array([1., 1., 1.])
    """
    n_samples = len(x)
    if n_networks < 1:
        raise InputError(f"the number of networks must be 1 or more, got {n_networks}")
    if first < 0:
        raise InputError(f"the number of the first network must be 0 or more, got {first}")
    if y.shape != (n_samples,):
        raise InputError(f"x has {n_samples} samples and y the shape {y.shape}, not ({n_samples},)")
    n_classes = int(y.max()) + 1 if n_samples else 0
    if n_classes < 2:
        raise InputError(f"training needs samples of two classes or more, got {n_samples} samples")
    if y.min() < 0:
        raise InputError(f"classes count from 0, got {int(y.min())}")
    if stop not in ("last", "best"):
        raise InputError(f"stop must be 'last' or 'best', got {stop!r}")
    if stop == "best" and test is None:
        raise InputError("stop='best' needs the test images: pass test=(x, y)")
    best = _Best() if stop == "best" else None
    seed = resolve_seed(rng)
    generators = [
        seed.generator("training", name=name, index=number)
        for number in range(first, first + n_networks)
    ]
    stack = MLPStack.initialised([x.shape[1], protocol.hidden, n_classes], generators)
    parameters = [*stack.weights, *stack.biases]
    for parameter in parameters:
        parameter.requires_grad_(True)
    optimizer = torch.optim.Adam(parameters, lr=protocol.learning_rate, fused=True)
    inputs, classes = torch.from_numpy(x), torch.from_numpy(y)
    for epoch in range(protocol.epochs):
        cosine = (1 + math.cos(math.pi * epoch / protocol.epochs)) / 2
        for group in optimizer.param_groups:
            group["lr"] = protocol.learning_rate * cosine
        orders = np.stack([generator.permutation(n_samples) for generator in generators])
        for batch in torch.split(torch.from_numpy(orders), protocol.batch_size, dim=1):
            logits = stack.logits(inputs[batch])
            # A sum over networks: each one's gradient is that of its own mean loss.
            loss = torch.nn.functional.cross_entropy(
                logits.flatten(0, 1), classes[batch].flatten(), reduction="sum"
            )
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss / batch.shape[1])
            optimizer.step()
        if best is not None and test is not None:
            best.look(stack, *map(torch.from_numpy, test))
        if progress is not None:
            progress(1)
    for parameter in parameters:
        parameter.requires_grad_(False)
    return stack if best is None else best.stack


class _Best:
    """For each network the weights with which it was most accurate."""

    stack: MLPStack

    def __init__(self) -> None:
        self._accuracy: npt.NDArray[np.float64] | None = None

    def look(self, stack: MLPStack, x: torch.Tensor, y: torch.Tensor) -> None:
        """Keep those of the networks that are better than ever."""
        accuracy = stack.accuracy(x, y)
        now = MLPStack(
            [weight.detach().clone() for weight in stack.weights],
            [bias.detach().clone() for bias in stack.biases],
        )
        if self._accuracy is None:
            self._accuracy, self.stack = accuracy, now
            return
        better = torch.from_numpy(accuracy > self._accuracy)
        self._accuracy = np.maximum(accuracy, self._accuracy)
        for kept, new in ((self.stack.weights, now.weights), (self.stack.biases, now.biases)):
            for ours, theirs in zip(kept, new, strict=True):
                ours[better] = theirs[better]
