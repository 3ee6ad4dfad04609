"""Open a trained model and its test data, for the commands that score models."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bipnet._bits import refusal
from bipnet.convert.checkpoint import FLOAT_NAMES
from bipnet.convert.source import reading
from bipnet.errors import DTypeError, FileFormatError, InputError, MissingFileError

if TYPE_CHECKING:
    import torch
    from torch import nn

    from bipnet.torch import Accuracy


def open_trained(
    state: Path, data: Path, factory: str | None, activation: str, batch_size: int, device: str
) -> tuple[nn.Module, Accuracy]:
    """The model on its device, and its accuracy on the data: see `options.trained_model`."""
    from bipnet.torch import Accuracy, mlp_from_state  # first: says what is missing

    import torch  # isort: skip

    tensors = _state(state)
    for name, tensor in tensors.items():
        dtype = str(tensor.dtype).removeprefix("torch.")
        if tensor.is_floating_point() and dtype not in FLOAT_NAMES:
            raise DTypeError(f"{state}: tensor {name}: {refusal(dtype)}")
    x, y = _test_data(data)
    if factory is None:
        network: nn.Module = mlp_from_state(tensors, activation=activation)  # type: ignore[arg-type]
    else:
        network = _built(factory, tensors, state)
    try:
        network.to(device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device {device!r} cannot be used: {error}") from None
    first = next(network.parameters(), None)
    inputs = torch.from_numpy(x)
    # A model computes in one dtype alone; but whole numbers may be what a factory's embedding
    # wants, and it is asked as it is.
    if first is not None and (factory is None or inputs.is_floating_point()):
        inputs = inputs.to(first.dtype)
    return network, Accuracy((inputs, y), device=device, batch_size=batch_size)


def _state(path: Path) -> Mapping[str, torch.Tensor]:
    if path.suffix.lower() == ".safetensors":
        if not path.is_file():
            raise MissingFileError(f"no such file: {path}")
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        from bipnet.torch.mlp import natural_order

        with reading(path, "safetensors file"):
            try:
                tensors: dict[str, torch.Tensor] = load_file(path)
            except SafetensorError as error:
                raise ValueError(error) from None
            # The file sorts its tensors by name: layer10 before layer2.
            return dict(sorted(tensors.items(), key=lambda item: natural_order(item[0])))
    if path.suffix.lower() not in (".pt", ".pth"):
        raise FileFormatError(f"{path}: a state dict is a .pt, .pth or .safetensors file")
    from bipnet.torch.files import load_tensors, tensors_of

    return tensors_of(load_tensors(path), path)


def _test_data(path: Path) -> tuple[Any, Any]:
    if not path.is_file():
        raise MissingFileError(f"no such file: {path}")
    with reading(path, ".npz file of test data"), np.load(path, allow_pickle=False) as file:
        if not hasattr(file, "files"):
            raise FileFormatError(f"{path} is one array; an .npz with x and y is wanted")
        if not {"x", "y"} <= set(file.files):
            names = ", ".join(file.files) or "nothing"
            raise FileFormatError(f"{path} must hold arrays x and y; it holds: {names}")
        x, y = file["x"], file["y"]
    if x.dtype.kind not in "fiub" or y.dtype.kind not in "iu":
        raise InputError(f"{path}: x must be numbers and y integers, got {x.dtype} and {y.dtype}")
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        where = [int(i) for i in np.argwhere(~np.isfinite(x))[0]]
        raise InputError(f"{path}: x{where} is not finite")
    return x, y.astype(np.int64)


def _built(factory: str, tensors: Mapping[str, torch.Tensor], state: Path) -> nn.Module:
    """The model a user's function makes, with the state dict loaded."""
    from torch import nn

    module_name, _, function_name = factory.partition(":")
    if not module_name or not function_name:
        raise InputError(f"--factory takes module:function, got {factory!r}")
    sys.path.insert(0, "")  # as `python -m` would: the user's module may lie here
    try:
        build = getattr(importlib.import_module(module_name), function_name)
        network = build()
    except Exception as error:
        raise InputError(
            f"the factory {factory} failed: {type(error).__name__}: {error}"
        ) from error
    finally:
        sys.path.remove("")
    if not isinstance(network, nn.Module):
        raise InputError(f"{factory} must return a torch module, got {type(network).__name__}")
    try:
        network.load_state_dict(dict(tensors))
    except RuntimeError as error:
        raise InputError(f"{state} does not fit the model of {factory}: {error}") from None
    return network
