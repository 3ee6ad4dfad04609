"""Layers of a torch module as graphs, and back: which tensors they are and how they lie."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter
from torch.nn.utils import parametrize
from torch.nn.utils.prune import BasePruningMethod

from bipnet._check import array_to_tensor, tensor_to_array
from bipnet.convert.checkpoint import (
    REPARAMETRIZED,
    TensorRole,
    TensorSpec,
    described,
    guessed_role,
    is_reparametrized,
)
from bipnet.convert.orientation import put_matrix, to_matrix
from bipnet.convert.source import LayerInfo, Skipped, matching_layers, naming
from bipnet.errors import InputError
from bipnet.graph import SignedBipartiteGraph
from bipnet.torch.mlp import InferredMLP

Array = npt.NDArray[Any]

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


@dataclass(frozen=True, eq=False)
class TensorAt:
    """A tensor of a module, with the module it stands in and what it is taken for."""

    spec: TensorSpec
    role: TensorRole
    module: nn.Module
    parameter: str

    @property
    def tensor(self) -> torch.Tensor:
        """The tensor that holds the weights (before any pruning mask)."""
        tensor: torch.Tensor = getattr(self.module, self.stored).data
        return tensor

    @property
    def stored(self) -> str:
        """The name of the parameter in its module (a pruned one's is another)."""
        return f"{self.parameter}_orig" if self.mask is not None else self.parameter

    @property
    def mask(self) -> torch.Tensor | None:
        """The mask of `torch.nn.utils.prune`, if there is one."""
        mask: torch.Tensor | None = getattr(self.module, f"{self.parameter}_mask", None)
        return mask

    def array(self) -> Array:
        """The weights as the forward pass uses them: a pruned weight is 0."""
        if self.tensor.is_meta:
            raise InputError(f"{self.spec.name} has no values (it is on the meta device)")
        values = tensor_to_array(self.tensor, self.spec.name)
        if self.mask is None:
            return values
        kept = tensor_to_array(self.mask, f"{self.spec.name}_mask") != 0
        return np.where(kept, values, np.zeros((), dtype=values.dtype))

    def put(self, values: Array) -> None:
        """Write new weights in place; what a mask hides stays as it is."""
        new = array_to_tensor(np.ascontiguousarray(values)).to(self.tensor.device)
        if self.mask is not None:
            new = torch.where(self.mask != 0, new, self.tensor)
        self.tensor.copy_(new)
        self.refresh()

    def refresh(self) -> None:
        """Let pruning hooks compute the masked weight again, as before a forward pass."""
        for hook in self.module._forward_pre_hooks.values():
            if isinstance(hook, BasePruningMethod) and hook._tensor_name == self.parameter:
                hook(self.module, None)


@dataclass(frozen=True, eq=False)
class ModuleLayer:
    """One layer of a module: a tensor, or one group or expert of it."""

    info: LayerInfo
    at: TensorAt
    piece: int

    def graph(self) -> SignedBipartiteGraph:
        """Its weights now, rows = left nodes (inputs)."""
        role = self.at.role
        matrix = to_matrix(self.at.array(), role.layout, role.groups, self.piece)
        with naming(f"layer {self.info.title}"):
            return SignedBipartiteGraph(matrix)


def list_layers(model: nn.Module, layers: str | Sequence[str] | None = None) -> list[ModuleLayer]:
    """The layers of a model that globs name, or its linear and convolution weights.

    Parameters
    ----------
    model
        Any module. Linear (out, in) weights are transposed; embeddings are rows-left;
        convolutions are (in * kernel, out) per group; Hugging Face ``Conv1D`` lies as it is.
        Tied weights are one layer, pruning masks are folded in.
        A classifier's last linear layer is taken by default, as in the paper; a head over a
        vocabulary (``lm_head``), embeddings and recurrent weights only by name.
    layers
        Glob or globs on tensor or module names; by default linear and convolution weights.

    Raises
    ------
    LayerNotFoundError
        A glob matches nothing; lists what there is.
    InputError
        No module; ``layers`` that are no globs, or an empty list; two of the layers overlap in
        memory without being the same tensor (one is the transpose of the other): both would change
        with each.

    Examples
    --------
    >>> from torch import nn
    >>> model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    >>> [(layer.info.name, layer.info.shape) for layer in list_layers(model)]
    [('0.weight', (4, 3)), ('2.weight', (3, 2))]
    """
    if not isinstance(model, nn.Module):
        raise InputError(
            f"the model must be a torch.nn.Module, got {type(model).__name__}; put a state dict"
            " into its model first (load_state_dict, or bipnet.torch.mlp_from_state for an MLP)"
        )
    globs = _checked_globs(layers)
    found, skipped = survey(model)
    infos = [layer.info for layer in found]
    chosen = matching_layers(infos, globs, type(model).__name__, skipped)
    names = {info.name for info in chosen}
    taken = [layer for layer in found if layer.info.name in names]
    require_apart(taken)
    return taken


def _checked_globs(layers: str | Sequence[str] | None) -> list[str]:
    """Globs as a list, which is empty for the layers taken by default."""
    if layers is None or isinstance(layers, str):
        return [] if layers is None else [layers]
    globs = list(layers) if isinstance(layers, Iterable) else []
    if not isinstance(layers, Iterable) or not all(isinstance(glob, str) for glob in globs):
        raise InputError(f"layers must be a glob or a list of globs, got {layers!r}")
    if not globs:  # a list that a filter has left empty must not mean all there are
        raise InputError(
            "layers is empty: name a layer or more, or leave it out for the linear and convolution"
            " weights"
        )
    return globs


def survey(model: nn.Module) -> tuple[list[ModuleLayer], list[Skipped]]:
    """Every layer of a model, and every other parameter with the reason why it is none."""
    groups: dict[object, list[TensorAt]] = {}
    skipped: list[Skipped] = []
    model_type = str(getattr(getattr(model, "config", None), "model_type", ""))
    for name, module, parameter, tensor in _parameters(model):
        role = _role(name, module, parameter, tensor, model_type)
        if isinstance(role, str):
            skipped.append(Skipped(name, role))
            continue
        spec = TensorSpec(name, tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))
        groups.setdefault(memory_of(tensor), []).append(TensorAt(spec, role, module, parameter))
    layers = []
    for tied in groups.values():
        first = _canonical(tied)
        others = tuple(at.spec.name for at in tied if at is not first)
        spec = TensorSpec(first.spec.name, first.spec.shape, first.spec.dtype, others)
        at = TensorAt(spec, first.role, first.module, first.parameter)
        layers += [ModuleLayer(info, at, piece) for info, piece in described(spec, first.role)]
    return layers, skipped


def memory_of(tensor: torch.Tensor) -> object:
    """Equal for tensors that are the same values in the same memory."""
    if not _has_memory(tensor):
        return id(tensor)
    storage = tensor.untyped_storage().data_ptr()
    return storage, tensor.storage_offset(), tuple(tensor.shape), tensor.stride(), tensor.dtype


def require_apart(layers: Sequence[ModuleLayer]) -> None:
    """Raise if two layers overlap in memory and are not the same tensor (a transposed tie)."""
    ats = {id(layer.at): layer.at for layer in layers}.values()
    placed = sorted(
        ((*_span(at.tensor), at) for at in ats if _has_memory(at.tensor)),
        key=lambda place: place[0],
    )
    for i, (_, end, at) in enumerate(placed):
        for start, _, other in placed[i + 1 :]:
            if start >= end:
                break
            if np.shares_memory(_outline(at.tensor), _outline(other.tensor)):
                first, second = at.spec.name, other.spec.name
                raise InputError(
                    f"layers {first!r} and {second!r} overlap in memory but do not lie alike (one"
                    " is the transpose or a part of the other), so each would change both; name"
                    " one of them with layers=, or give the other a copy of its own"
                    " (nn.Parameter(weight.detach().clone()))"
                )


def _has_memory(tensor: torch.Tensor) -> bool:
    return not tensor.is_meta and tensor.layout is torch.strided


def _span(tensor: torch.Tensor) -> tuple[int, int]:
    """First byte and the byte after the last one."""
    steps = sum((n - 1) * step for n, step in zip(tensor.shape, tensor.stride(), strict=True))
    return tensor.data_ptr(), tensor.data_ptr() + (steps + 1) * tensor.element_size()


class _Outline:
    """Where a tensor lies, for NumPy to compare; its memory is never read."""

    def __init__(self, tensor: torch.Tensor) -> None:
        size = tensor.element_size()
        self.__array_interface__ = {
            "version": 3,
            "shape": tuple(tensor.shape),
            "strides": tuple(step * size for step in tensor.stride()),
            "typestr": f"|V{size}",
            "data": (tensor.data_ptr(), True),
        }


def _outline(tensor: torch.Tensor) -> Array:
    return np.asarray(_Outline(tensor))


def _canonical(tied: list[TensorAt]) -> TensorAt:
    """Tied tensors take the embedding's name and orientation, else the first one's."""
    return next((at for at in tied if at.role.kind == "embedding"), tied[0])


def _parameters(model: nn.Module) -> Iterator[tuple[str, nn.Module, str, torch.Tensor]]:
    """Every parameter by each of its names; a pruned one under its own name, not ``_orig``."""
    for path, module in model.named_modules(remove_duplicate=False):
        for parameter, tensor in module._parameters.items():
            if tensor is None:
                continue
            plain = parameter.removesuffix("_orig")
            if plain != parameter and hasattr(module, f"{plain}_mask"):
                parameter = plain
            yield f"{path}.{parameter}" if path else parameter, module, parameter, tensor


def _role(
    name: str, module: nn.Module, parameter: str, tensor: torch.Tensor, model_type: str
) -> TensorRole | str:
    if isinstance(tensor, (UninitializedParameter, UninitializedBuffer)):
        return "not initialised yet (a lazy module)"
    if tensor.ndim < 2:
        return "a vector or scalar (bias, norm), not a matrix"
    if tensor.numel() == 0:
        return f"empty: its shape is {tuple(tensor.shape)}"
    if isinstance(module, parametrize.ParametrizationList) or is_reparametrized(parameter):
        return REPARAMETRIZED
    if isinstance(module, (nn.Embedding, nn.EmbeddingBag)):
        return TensorRole("embedding", "left-right", False, note="embedding: name it to use it")
    if isinstance(module, _CONVOLUTIONS):
        return TensorRole("convolution", "conv", True, groups=module.groups)
    if isinstance(module, _TRANSPOSED):
        return TensorRole("convolution", "conv-transposed", True, groups=module.groups)
    if type(module).__name__ == "Conv1D" and parameter == "weight":
        return TensorRole("linear", "left-right", True, note="Conv1D")
    if isinstance(module, nn.RNNBase):
        return TensorRole("recurrent", "right-left", False, note="recurrent: name it to use it")
    if isinstance(module, nn.MultiheadAttention) and "weight" in parameter:
        return TensorRole("linear", "right-left", True)
    spec = TensorSpec(name, tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))
    guess = guessed_role(spec, model_type=model_type)
    if isinstance(module, (nn.Linear, InferredMLP)):  # of one layer, which has no name
        is_head = isinstance(guess, TensorRole) and guess.kind == "head"
        return guess if is_head else TensorRole("linear", "right-left", True)
    if isinstance(guess, TensorRole) and guess.kind == "experts":
        return guess
    return f"a parameter of {type(module).__name__}, which is no linear or convolution layer"


def put_pieces(at: TensorAt, pieces: dict[int, SignedBipartiteGraph]) -> None:
    """Write new matrices for some pieces of one tensor, in place; the others stay."""
    values = np.array(at.array(), order="C")
    for piece, graph in pieces.items():
        put_matrix(values, graph.to_array(), at.role.layout, at.role.groups, piece)
    at.put(values)
