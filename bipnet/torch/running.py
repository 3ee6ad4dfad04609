"""A model at work: where it runs, what it is fed, and its mode given back afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from bipnet.errors import InputError


def device_of(model: nn.Module) -> torch.device:
    """Where the model's first parameter is; the CPU if it has none."""
    return next(model.parameters(), torch.empty(0)).device


def as_model_input(x: torch.Tensor, model: nn.Module) -> torch.Tensor:
    """Floating-point inputs in the dtype of the model, if all its floats have one."""
    dtypes = {p.dtype for p in model.parameters() if p.is_floating_point()}
    return x.to(dtypes.pop()) if x.is_floating_point() and len(dtypes) == 1 else x


def checked_device(device: str | torch.device | None) -> torch.device | None:
    if device is None:
        return None
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"device {device!r} cannot be used: {reason}") from None


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; every module's mode is restored."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes:
            module.training = mode
