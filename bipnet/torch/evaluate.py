"""Accuracy with a fixed tie rule: of one model, or of many realizations in one pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from bipnet.errors import InputError
from bipnet.torch.passes import DEFAULT_BUDGET, Passes
from bipnet.torch.running import as_model_input, checked_device, device_of, evaluating

Batches: TypeAlias = Iterable[tuple[torch.Tensor, torch.Tensor]]


@dataclass(frozen=True)
class Score:
    """Accuracy of one model on one data set.

    Attributes
    ----------
    accuracy
        Share of the samples whose class was predicted, in [0, 1].
    n_samples
        Number of samples.
    n_ties
        Samples whose largest logit was shared by several classes; the lowest class index
        counts as the prediction.
    """

    accuracy: float
    n_samples: int
    n_ties: int


class Accuracy:
    """An evaluator: ``Accuracy(data)(model)`` is the share of samples predicted correctly.

    Parameters
    ----------
    data
        A DataLoader (or any iterable that can be run through again) of (inputs, labels), or a
        pair (x, y) of tensors or arrays: (n, ...) inputs, (n,) integer labels. Floating-point
        inputs are rounded to the model's dtype.
    device
        Where to evaluate; by default wherever the model's parameters are.
    batch_size
        For a pair (x, y): samples per forward pass.
    budget
        For a pair (x, y): bytes of activations that a probe may keep, so as not to compute them
        again. A loader may give other batches each time, and is run in full.

    Raises
    ------
    InputError
        No data, no module, no batch size or device; no samples, labels that do not fit, NaN
        logits, a model without (n, n_classes) outputs.

    Examples
    --------
    >>> import torch
    >>> model = torch.nn.Linear(2, 2, bias=False)
    >>> _ = model.weight.data.copy_(torch.eye(2))
    >>> Accuracy((torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0])))(model)
    0.5
    """

    def __init__(
        self,
        data: Batches | tuple[Any, Any],
        *,
        device: str | torch.device | None = None,
        batch_size: int = 1024,
        budget: int = DEFAULT_BUDGET,
    ) -> None:
        if not isinstance(data, Iterable):
            raise InputError(f"data must be a DataLoader or a pair (x, y), got {data!r}")
        self._data = data
        self._device = checked_device(device)
        self._batch_size = checked_batch_size(batch_size)
        self._budget = budget
        self._passes: Passes | None = None

    def __call__(self, model: nn.Module) -> float:
        """The accuracy of ``model``."""
        return self.score(model).accuracy

    def score(self, model: nn.Module) -> Score:
        """Accuracy, number of samples and number of ties of ``model``."""
        if not isinstance(model, nn.Module):
            raise InputError(f"the model must be a torch.nn.Module, got {type(model).__name__}")
        n_correct = n_samples = n_ties = 0
        for logits, y in self._outputs(model):
            labels = checked_labels(y, logits.shape[-2], logits.shape[-1]).to(logits.device)
            classes, tied = predicted(logits)
            n_correct += int((classes == labels).sum())
            n_ties += int(tied.sum())
            n_samples += len(labels)
        if n_samples == 0:
            raise InputError("the data has no samples")
        return Score(n_correct / n_samples, n_samples, n_ties)

    @property
    def passes(self) -> Passes:
        """Passes over the inputs of a pair (x, y); the batches of a loader are not fixed."""
        if not isinstance(self._data, tuple):
            raise InputError("a loader may give other batches each time: a pair (x, y) is wanted")
        inputs = [x for x, _ in self._batches()]
        return Passes(inputs, logits_of, device=self._device, budget=self._budget)

    @contextmanager
    def reusing(self, model: nn.Module, changed: Sequence[torch.Tensor]) -> Iterator[Accuracy]:
        """While only ``changed`` parameters change, compute only what they can change."""
        if not isinstance(self._data, tuple):
            yield self
            return
        passes = self.passes
        with passes.reusing(model, changed):
            self._passes = passes
            try:
                yield self
            finally:
                self._passes = None

    def _outputs(self, model: nn.Module) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Logits and labels of each batch."""
        if self._passes is not None:
            labels = (y for _, y in self._batches())
            yield from zip(self._passes.outputs(model), labels, strict=True)
            return
        device = device_of(model) if self._device is None else self._device
        with evaluating(model):
            for x, y in self._batches():
                yield logits_of(model(as_model_input(x.to(device), model))), y

    def _batches(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        if not isinstance(self._data, tuple):
            for batch in self._data:
                if not isinstance(batch, (tuple, list)) or len(batch) != 2:
                    raise InputError("every batch of the data must be a pair (inputs, labels)")
                yield torch.as_tensor(batch[0]), torch.as_tensor(batch[1])
            return
        if len(self._data) != 2:
            raise InputError(f"data must be a pair (x, y), got {len(self._data)} parts")
        x, y = (torch.as_tensor(part) for part in self._data)
        require_samples(x, y)
        yield from zip(
            torch.split(x, self._batch_size), torch.split(y, self._batch_size), strict=True
        )


def checked_batch_size(batch_size: int) -> int:
    """A number of samples of at least 1."""
    whole = isinstance(batch_size, (int, np.integer)) and not isinstance(batch_size, bool)
    if not whole or batch_size < 1:
        raise InputError(f"batch_size must be a whole number of at least 1, got {batch_size!r}")
    return int(batch_size)


def logits_of(output: Any) -> torch.Tensor:
    """The (n, n_classes) logits in whatever a model returns (tensor, tuple, ``.logits``)."""
    logits = getattr(output, "logits", output)
    if isinstance(logits, (tuple, list)):
        logits = logits[0]
    if not isinstance(logits, torch.Tensor) or logits.ndim != 2 or logits.shape[1] < 2:
        got = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        raise InputError(f"the model must give (n, n_classes >= 2) logits, got {got}")
    return logits


def predicted(logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Predicted class (the lowest index among equals) and whether there was a tie.

    ``logits`` (..., n_classes); both results (...).
    """
    nan = torch.isnan(logits).any(dim=-1)
    if bool(nan.any()):
        where = nan.nonzero()[0].tolist()
        raise InputError(f"the model's logits are NaN, first at {where}: nothing is predicted")
    at_maximum = logits == logits.amax(dim=-1, keepdim=True)
    # The number of classes before the first maximum: argmax promises no order on ties.
    classes = (at_maximum.cumsum(dim=-1) == 0).sum(dim=-1)
    return classes, at_maximum.sum(dim=-1) > 1


def require_samples(x: torch.Tensor, y: torch.Tensor) -> None:
    """Raise unless there are samples and as many labels."""
    if x.ndim == 0 or y.ndim == 0:
        raise InputError(
            f"x and y need a dimension of samples, got {tuple(x.shape)} and {tuple(y.shape)}"
        )
    if len(x) != len(y):
        raise InputError(f"x has {len(x)} samples and y {len(y)} labels")
    if len(x) == 0:
        raise InputError("the data has no samples")


def checked_labels(y: torch.Tensor, n: int, n_classes: int) -> torch.Tensor:
    """Labels as (n,) int64 within 0..n_classes - 1."""
    if y.ndim != 1 or len(y) != n or y.dtype.is_floating_point or y.dtype.is_complex:
        raise InputError(f"labels must be {n} integers, got shape {tuple(y.shape)} {y.dtype}")
    labels = y.to(torch.int64)
    if n and not (int(labels.min()) >= 0 and int(labels.max()) < n_classes):
        raise InputError(
            f"labels must lie in 0..{n_classes - 1} (the model has {n_classes} outputs), got"
            f" {int(labels.min())}..{int(labels.max())}"
        )
    return labels


def stacked_accuracy(
    model: nn.Module,
    stacks: Mapping[str, torch.Tensor],
    x: torch.Tensor,
    y: torch.Tensor,
    *,
    batch_size: int = 1024,
) -> npt.NDArray[np.float64]:
    """Accuracy of many realizations of one architecture, scored together.

    Parameters
    ----------
    model
        The architecture; its parameters and buffers serve where ``stacks`` has none.
    stacks
        Parameter name -> (n_realizations, *shape) values, in the parameter's own layout. A
        pruned parameter is named as `list_layers` names it, or with its ``_orig``; its mask
        applies to every realization.
    x, y
        (n, ...) inputs and (n,) integer labels, shared by all realizations. They and the stacks
        are moved to the model's device.
    batch_size
        Samples per pass.

    Returns
    -------
    (n_realizations,) accuracies.

    Raises
    ------
    InputError
        Stacks of different lengths or shapes, unknown names, bad labels, NaN logits.

    Examples
    --------
    >>> import torch
    >>> model = torch.nn.Linear(2, 2, bias=False)
    >>> stack = torch.stack([torch.eye(2), -torch.eye(2)])
    >>> stacked_accuracy(model, {"weight": stack}, torch.eye(2), torch.tensor([0, 1]))
    array([1., 0.])
    """
    own = dict(model.named_parameters())
    stacks = _by_parameter(own, stacks)
    for name, stack in stacks.items():
        if name not in own:
            raise InputError(f"the model has no parameter {name!r}; it has: {', '.join(own)}")
        if stack.shape[1:] != own[name].shape:
            raise InputError(
                f"the stack of {name!r} must be (n, {', '.join(map(str, own[name].shape))}),"
                f" got {tuple(stack.shape)}"
            )
    lengths = {len(stack) for stack in stacks.values()}
    if len(lengths) != 1 or lengths == {0}:
        raise InputError(f"all stacks must have one length of at least 1, got {sorted(lengths)}")
    x, y = torch.as_tensor(x), torch.as_tensor(y)
    require_samples(x, y)
    batch_size = checked_batch_size(batch_size)
    x = as_model_input(x, model)
    device = device_of(model)
    stacks = {name: stack.to(device) for name, stack in stacks.items()}

    def forward(realization: dict[str, torch.Tensor], inputs: torch.Tensor) -> torch.Tensor:
        return logits_of(torch.func.functional_call(model, realization, (inputs,)))

    correct = torch.zeros(lengths.pop(), dtype=torch.int64)
    with evaluating(model), _keeping_plain_tensors(model):
        for inputs, labels in zip(
            torch.split(x, batch_size), torch.split(y, batch_size), strict=True
        ):
            logits = torch.func.vmap(forward, in_dims=(0, None))(stacks, inputs.to(device))
            good = checked_labels(labels, len(inputs), logits.shape[-1]).to(logits.device)
            classes, _ = predicted(logits)
            correct += (classes == good).sum(dim=1).cpu()
    accuracies: npt.NDArray[np.float64] = correct.numpy() / len(y)
    return accuracies


def _by_parameter(
    own: Mapping[str, torch.Tensor], stacks: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """The stacks under the names of the parameters: a pruned one is its ``_orig``."""
    renamed = {}
    for name, stack in stacks.items():
        parameter = f"{name}_orig" if name not in own and f"{name}_orig" in own else name
        if parameter in renamed:
            raise InputError(
                f"{name!r} is the parameter {parameter!r}, which has its stack already"
            )
        renamed[parameter] = stack
    return renamed


@contextmanager
def _keeping_plain_tensors(model: nn.Module) -> Iterator[None]:
    """Tensors that are no parameters (a pruned weight) are what they were afterwards.

    Hooks compute them at each pass, within vmap as tensors that mean nothing outside it.
    """
    kept = [
        (module, name, value)
        for module in model.modules()
        for name, value in vars(module).items()
        if isinstance(value, torch.Tensor)
    ]
    try:
        yield
    finally:
        for module, name, value in kept:
            vars(module)[name] = value
