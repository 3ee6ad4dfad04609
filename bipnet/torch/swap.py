"""swapped: other weights in a model for a while, and every byte back afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

import numpy as np
import torch
from torch import nn

from bipnet._streams import RNGLike, Seed, resolve_seed
from bipnet.convert.orientation import to_matrix
from bipnet.convert.source import naming, require_same_frame
from bipnet.errors import InputError, LayerNotFoundError
from bipnet.graph import SignedBipartiteGraph
from bipnet.nulls import NullModel, randomize
from bipnet.torch.biases import Bias, BiasAt, put_vectors
from bipnet.torch.layers import (
    ModuleLayer,
    TensorAt,
    list_layers,
    put_pieces,
    require_apart,
    survey,
)

Part: TypeAlias = ModuleLayer | Bias
"""What other values can be put in for: a layer, or the bias vector of one."""

P = TypeVar("P", bound=Part)


@contextlib.contextmanager
def swapped(
    model: nn.Module,
    null: str | NullModel | None = None,
    *,
    weights: Mapping[str, Any] | None = None,
    layers: str | Sequence[str] | None = None,
    rng: RNGLike | Seed = None,
    index: int = 0,
    method: str | None = None,
    steps: int | None = None,
    loops: int | None = None,
) -> Iterator[dict[str, SignedBipartiteGraph]]:
    """Randomise layers of ``model``, or put given weights in, until the block ends.

    On exit, exceptions included, every byte of the weights is what it was. Weights are changed
    in place, so tied ones follow, and no gradient history is touched: do not train inside.

    Parameters
    ----------
    model
        Any torch module, on any device.
    null
        "A" to "G": randomise each chosen layer. Biases are never touched.
    weights
        Instead of ``null``: matrices or graphs by layer name, rows = left nodes (inputs) as
        `list_layers` gives them. A module's name will do if it has one layer.
    layers
        Glob or globs on tensor or module names (with ``null``); linear and convolution weights
        by default.
    rng, index, method, steps, loops
        As in `bipnet.randomize`; each layer draws under its tensor's name, so
        ``bipnet randomize`` on the model's checkpoint with the same seed gives the same bits.

    Yields
    ------
    The graphs that were put in, by layer name.

    Raises
    ------
    InputError
        Neither or both of ``null`` and ``weights``; options of ``null`` with ``weights``, or
        none in it; NaN or infinite weights, weights of another shape or dtype, or where a
        pruning mask has none; layers that overlap in memory.
    LayerNotFoundError
        No such layer; lists what there is.

    Examples
    --------
    >>> import torch
    >>> model = torch.nn.Linear(3, 2)
    >>> before = model.weight.clone()
    >>> with swapped(model, "A", rng=7) as put:
    ...     changed = not torch.equal(model.weight, before)
    >>> changed, torch.equal(model.weight, before), list(put)
    (True, True, ['weight'])
    """
    if (null is None) == (weights is None):
        raise InputError("swapped needs either null='A'..'G' or weights={layer name: matrix}")
    if weights is not None and layers is not None:
        raise InputError("layers= goes with null=; weights= names its layers itself")
    idle = {"rng": rng, "index": index or None, "method": method, "steps": steps}
    if weights is not None and (given := [k for k, value in idle.items() if value is not None]):
        raise InputError(f"{', '.join(given)} go with null=: weights= puts in what it is given")
    if weights is not None and not weights:
        raise InputError("weights= is empty: give at least one {layer name: matrix}")
    if null is not None:
        seed = resolve_seed(rng)
        new = {
            layer: randomize(
                layer.graph(),
                null,
                rng=seed,
                index=index,
                name=layer.info.name,
                method=method,
                steps=steps,
                loops=loops,
            )
            for layer in list_layers(model, layers)
        }
    else:
        new = _named(model, weights or {})
    with replaced(new):
        yield {layer.info.name: graph for layer, graph in new.items()}


@contextlib.contextmanager
def replaced(new: Mapping[P, Any]) -> Iterator[None]:
    """Other weights (graphs) and biases (vectors) until the block ends, then every byte back."""
    by_tensor: dict[TensorAt, dict[int, Any]] = {}
    for part, values in new.items():
        by_tensor.setdefault(part.at, {})[part.piece] = values
    with held(by_tensor):
        for at, pieces in by_tensor.items():
            if isinstance(at, BiasAt):
                put_vectors(at, pieces)
            else:
                put_pieces(at, pieces)
        yield


@contextlib.contextmanager
def held(tensors: Iterable[TensorAt]) -> Iterator[None]:
    """When the block ends, exceptions included, every byte of these tensors is what it was."""
    tensors = list(tensors)
    for at in tensors:
        require_memory_per_weight(at)
    with contextlib.ExitStack() as restore:
        for at in tensors:
            parameter = at.module._parameters[at.stored]
            assert parameter is not None
            restore.callback(_put_back, at, parameter, at.tensor.clone())
        yield


def _named(model: nn.Module, weights: Mapping[str, Any]) -> dict[ModuleLayer, SignedBipartiteGraph]:
    found, _ = survey(model)
    by_name = {name: layer for layer in found for name in (*layer.info.aliases, layer.info.name)}
    of_module: dict[str, list[ModuleLayer]] = {}
    for layer in found:
        of_module.setdefault(layer.info.module, []).append(layer)
    new = {}
    for name, matrix in weights.items():
        candidates = [by_name[name]] if name in by_name else of_module.get(name, [])
        if len(candidates) > 1:
            several = ", ".join(layer.info.name for layer in candidates)
            raise InputError(f"{name!r} has more than one layer, name one of them: {several}")
        if not candidates:
            known = ", ".join(layer.info.name for layer in found[:20])
            raise LayerNotFoundError(f"the model has no layer {name!r}; it has: {known}")
        (layer,) = candidates
        if layer in new:
            raise InputError(f"{name!r} is or is tied to a layer that has its weights already")
        with naming(f"weights of layer {layer.info.title}"):
            graph = SignedBipartiteGraph(matrix, copy=False)
        require_same_frame(layer.info, graph)
        if layer.at.mask is not None:
            _require_within_mask(layer, graph)
        new[layer] = graph
    require_apart(list(new))
    return new


def _require_within_mask(layer: ModuleLayer, graph: SignedBipartiteGraph) -> None:
    """A weight that the mask hides would be dropped without a word."""
    assert layer.at.mask is not None
    role = layer.at.role
    kept = to_matrix(layer.at.mask.cpu().numpy() != 0, role.layout, role.groups, layer.piece)
    rows, columns, _ = graph.edges()
    hidden = ~kept[rows, columns]
    if hidden.any():
        where = [int(part[np.argmax(hidden)]) for part in (rows, columns)]
        raise InputError(
            f"{layer.info.name}: the weight at {where} lies under the layer's pruning mask"
            f" ({int(hidden.sum())} in all); remove the mask first (torch.nn.utils.prune.remove)"
        )


def require_memory_per_weight(at: TensorAt) -> None:
    """Of an expanded tensor one place in memory is many weights."""
    lies = zip(at.tensor.shape, at.tensor.stride(), strict=True)
    if any(n > 1 and step == 0 for n, step in lies):
        raise InputError(
            f"{at.spec.name} is an expanded tensor, many weights in one place of memory; give the"
            " module a copy first (nn.Parameter(weight.detach().clone()))"
        )


def _put_back(at: TensorAt, parameter: nn.Parameter, saved: torch.Tensor) -> None:
    at.module._parameters[at.stored] = parameter  # the block may have put another in its place
    if parameter.shape == saved.shape:
        parameter.data.copy_(saved)
    else:
        parameter.data = saved
    at.refresh()
