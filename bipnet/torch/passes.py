"""Passes of a model over fixed batches, without running again what has not changed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch
from torch import nn

from bipnet.errors import BipnetError, BipnetWarning, InputError
from bipnet.torch.prefix import Plan, Prefix, plan_of
from bipnet.torch.running import as_model_input, checked_device, device_of, evaluating

_log = logging.getLogger(__name__)

Batch: TypeAlias = torch.Tensor | Mapping[str, torch.Tensor]
"""What a model is called with: one tensor, or keyword arguments."""

DEFAULT_BUDGET = 2 << 30
"""Bytes of activations kept at the most, by default."""


class Passes:
    """Runs a model over batches that stay the same from call to call.

    Parameters
    ----------
    batches
        What the model is called with, batch by batch. Floating-point tensors are rounded to the
        model's dtype.
    read
        Gets the tensor that matters (logits) out of what the model returns.
    device
        Where to run; by default wherever the model's parameters are.
    budget
        Bytes of activations that `reusing` may keep; batches beyond it are run in full.

    Attributes
    ----------
    batches
        As given.
    number
        Which of them is being run, for ``read`` and for hooks of the model.
    """

    def __init__(
        self,
        batches: Sequence[Batch],
        read: Callable[[Any], torch.Tensor],
        *,
        device: str | torch.device | None = None,
        budget: int = DEFAULT_BUDGET,
    ) -> None:
        if not isinstance(budget, int) or isinstance(budget, bool) or budget < 0:
            raise InputError(f"the budget must be a number of bytes of 0 or more, got {budget!r}")
        self.batches = batches
        self.number = 0
        self._read = read
        self._device = checked_device(device)
        self._budget = budget
        self._prefix: Prefix | None = None
        self._changed: tuple[int, frozenset[int]] | None = None

    def __len__(self) -> int:
        return len(self.batches)

    def read_by(self, read: Callable[[Any], torch.Tensor]) -> Passes:
        """Passes over the same batches that get another tensor out of what the model returns."""
        return Passes(self.batches, read, device=self._device, budget=self._budget)

    def outputs(self, model: nn.Module) -> Iterator[torch.Tensor]:
        """What the model gives for each batch, in order."""
        if not isinstance(model, nn.Module):
            raise InputError(f"the model must be a torch.nn.Module, got {type(model).__name__}")
        with evaluating(model):
            for number in range(len(self.batches)):
                run = self._run(model, number)
                if self._prefix is None:
                    output = run()
                else:
                    with self._prefix.replaying(number):
                        output = run()
                yield output

    @contextmanager
    def reusing(self, model: nn.Module, changed: Sequence[torch.Tensor]) -> Iterator[Prefix | None]:
        """Until the block ends, run only what ``changed`` can change.

        All other parameters must stay as they are. Gives the kept outputs, None where there is
        nothing to keep. Within such a block one for the same model and fewer parameters keeps
        nothing anew.
        """
        before = self._prefix, self._changed
        what = (id(model), frozenset(tensor.data_ptr() for tensor in changed))
        if self._changed is None or what[0] != self._changed[0] or not what[1] <= self._changed[1]:
            self._prefix, self._changed = self._kept(model, changed), what
        try:
            yield self._prefix
        finally:
            self._prefix, self._changed = before

    def plan(self, model: nn.Module, changed: Sequence[torch.Tensor]) -> Plan | None:
        """What need not be run again while only ``changed`` changes, seen on the smallest batch.

        None where that is nothing.
        """
        if not self.batches:
            return None
        sizes = [
            batch.numel()
            if isinstance(batch, torch.Tensor)
            else sum(map(torch.numel, batch.values()))
            for batch in self.batches
        ]
        with evaluating(model):
            return plan_of(model, changed, self._run(model, sizes.index(min(sizes))))

    def _kept(self, model: nn.Module, changed: Sequence[torch.Tensor]) -> Prefix | None:
        try:
            plan = self.plan(model, changed)
            if plan is None:
                return None
            prefix = Prefix(plan, self._budget)
            runs = [self._run(model, number) for number in range(len(self.batches))]
            with evaluating(model):
                return prefix if prefix.keep(runs) else None
        except (BipnetError, BipnetWarning):
            raise
        except Exception as error:
            # Watching or replaying a model that is made in a way of its own is no reason to fail:
            # full passes do without, and raise what is wrong with the model itself.
            _log.info(
                "nothing is kept before the probed layer: %s: %s", type(error).__name__, error
            )
            return None

    def _run(self, model: nn.Module, number: int) -> Callable[[], torch.Tensor]:
        device = device_of(model) if self._device is None else self._device

        def run() -> torch.Tensor:
            self.number = number
            batch = self.batches[number]
            if isinstance(batch, torch.Tensor):
                return self._read(model(as_model_input(batch.to(device), model)))
            moved = {
                name: as_model_input(tensor.to(device), model) for name, tensor in batch.items()
            }
            return self._read(model(**moved))

        return run
