"""``bipnet score``: the accuracy of a saved model, as it is or with randomised layers."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from bipnet._bits import refusal
from bipnet._progress import progress_bar
from bipnet._streams import resolve_seed
from bipnet.cli import options, tables
from bipnet.convert.checkpoint import FLOAT_NAMES
from bipnet.convert.source import reading
from bipnet.errors import DTypeError, FileFormatError, InputError, MissingFileError
from bipnet.nulls.models import null_model

if TYPE_CHECKING:
    import torch
    from torch import nn


@click.command(
    epilog="Example: bipnet score easy.pt --data easy-test.npz --null B --seed 7 --draws 10"
)
@click.argument("state", type=options.INPUT)
@click.option(
    "--data",
    type=options.INPUT,
    required=True,
    help="Test data: an .npz with x (n, ...) and y (n,) integer labels.",
)
@click.option(
    "--factory",
    metavar="MODULE:FUNCTION",
    help="Builds the model that the state dict is loaded into (your own code is run). Without"
    " it an MLP is inferred from the shapes of its Linear layers.",
)
@click.option(
    "--activation",
    type=click.Choice(["relu", "tanh", "sigmoid", "gelu"]),
    default="relu",
    show_default=True,
    help="Between the layers of an inferred MLP.",
)
@options.optional_null
@options.seed
@options.index
@click.option(
    "--draws",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Number of draws to score, from --index on.",
)
@options.layers
@options.method
@options.steps
@options.loops
@click.option("--batch-size", type=click.IntRange(min=1), default=1024, show_default=True)
@click.option("--device", default="cpu", show_default=True, help="Where to evaluate, e.g. cuda.")
@options.as_json
def score(
    state: Path,
    data: Path,
    factory: str | None,
    activation: str,
    letter: str | None,
    seed: int | None,
    index: int,
    draws: int,
    globs: tuple[str, ...],
    method: str | None,
    steps: int | None,
    loops: int | None,
    batch_size: int,
    device: str,
    as_json: bool,
) -> None:
    """Accuracy of the model in STATE (.pt, .pth or .safetensors) on labelled test data.

    With --null its layers are randomised first, in memory; STATE is not changed.
    """
    model = null_model(letter) if letter is not None else None
    if model is None:
        _refuse_idle_options()
    from bipnet.torch import Accuracy, mlp_from_state, swapped  # first: says what is missing

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
    evaluate = Accuracy((inputs, y), device=device, batch_size=batch_size)
    with reading(state, "model for this data"):
        trained = evaluate.score(network)
    result: dict[str, Any] = {
        "state": str(state),
        "n_samples": trained.n_samples,
        "accuracy": trained.accuracy,
        "n_ties": trained.n_ties,
    }
    if model is not None:
        resolved = resolve_seed(seed)
        accuracies = []
        with progress_bar(draws, f"null model {model.letter}") as bar:
            for draw in range(index, index + draws):
                with swapped(
                    network,
                    model,
                    layers=globs or None,
                    rng=resolved,
                    index=draw,
                    method=method,
                    steps=steps,
                    loops=loops,
                ) as put:
                    accuracies.append(evaluate(network))
                bar.update()
        result |= {
            "null": model.letter,
            "seed": resolved.entropy,
            "index": index,
            "layers": list(put),
            "null_accuracies": accuracies,
        }
    if as_json:
        tables.print_json(result)
        return
    ties = f", {trained.n_ties} ties" if trained.n_ties else ""
    click.echo(f"accuracy {trained.accuracy:.4f} ({trained.n_samples} samples{ties})")
    if model is not None:
        low, middle, high = np.quantile(accuracies, [0.25, 0.5, 0.75])
        spread = f", quartiles {low:.4f} to {high:.4f}" if draws > 1 else ""
        click.echo(
            f"null model {model.letter} ({model.title}): {middle:.4f}{spread}"
            f" ({draws} draw(s), seed {result['seed']}, {len(put)} layers)"
        )


def _refuse_idle_options() -> None:
    """Options that only mean something with --null are a mistake without it."""
    context = click.get_current_context()
    for name in ("seed", "index", "draws", "globs", "method", "steps", "loops"):
        if context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT:
            option = "--layers" if name == "globs" else f"--{name}"
            raise InputError(f"{option} says how to randomise: name a null model with --null too")


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
