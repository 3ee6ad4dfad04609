"""The bias vectors that belong to layers: what a probe may change besides their weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from bipnet.convert.checkpoint import TensorRole, TensorSpec
from bipnet.convert.orientation import n_pieces
from bipnet.torch.layers import Array, ModuleLayer, TensorAt, memory_of

_ROLE = TensorRole("bias", "left-right", False)


@dataclass(frozen=True, eq=False)
class BiasAt(TensorAt):
    """A bias tensor: as many vectors on end as its layer's tensor has pieces."""

    n_pieces: int = 1


@dataclass(frozen=True, eq=False)
class Bias:
    """The bias vector of one layer: of a group or expert its part alone, ``name#k``."""

    name: str
    at: BiasAt
    piece: int

    def vector(self) -> Array:
        """Its values now, in the order of the right nodes (outputs)."""
        values: Array = self.at.array().reshape(self.at.n_pieces, -1)[self.piece]
        return values


def biases_of(layers: Iterable[ModuleLayer]) -> list[Bias]:
    """The biases of these layers, each once; a layer without one has none in the list."""
    known: dict[object, BiasAt] = {}
    found: dict[tuple[object, int], Bias] = {}
    for layer in layers:
        at = layer.at
        parameter = _bias_parameter(at)
        if parameter is None:
            continue
        path = at.spec.name.rpartition(".")[0]
        name = f"{path}.{parameter}" if path else parameter
        pieces = n_pieces(at.spec.shape, at.role.layout, at.role.groups)
        tensor = TensorAt(TensorSpec(name, (), ""), _ROLE, at.module, parameter).tensor
        if tensor.numel() == 0 or tensor.numel() % pieces:
            continue
        dtype = str(tensor.dtype).removeprefix("torch.")
        spec = TensorSpec(name, tuple(tensor.shape), dtype)
        memory = memory_of(tensor)
        bias_at = known.setdefault(memory, BiasAt(spec, _ROLE, at.module, parameter, pieces))
        title = bias_at.spec.name if pieces == 1 else f"{bias_at.spec.name}#{layer.piece}"
        found.setdefault((memory, layer.piece), Bias(title, bias_at, layer.piece))
    return list(found.values())


def put_vectors(at: BiasAt, vectors: Mapping[int, Array]) -> None:
    """Write new vectors for some pieces of a bias tensor, in place; the others stay."""
    values = np.array(at.array(), order="C")
    for piece, vector in vectors.items():
        values.reshape(at.n_pieces, -1)[piece] = vector
    at.put(values)


def _bias_parameter(at: TensorAt) -> str | None:
    """The parameter's name of the bias beside a weight: bias, in_proj_bias, bias_ih_l0 ..."""
    names = [f"{at.parameter}_bias"]
    if "weight" in at.parameter:
        names.insert(0, at.parameter.replace("weight", "bias"))
    for name in names:
        stored = f"{name}_orig" if hasattr(at.module, f"{name}_mask") else name
        if isinstance(at.module._parameters.get(stored), torch.Tensor):
            return name
    return None
