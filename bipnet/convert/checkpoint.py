"""Checkpoints: named tensors of which some are layers. Which ones, and how they lie, is here."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from bipnet._bits import refusal
from bipnet._memory import require_memory
from bipnet.convert.orientation import Layout, n_pieces, put_matrix, to_matrix
from bipnet.convert.source import LayerInfo, Skipped, Source, Writer, require_same_frame
from bipnet.errors import DTypeError, InputError
from bipnet.graph import SignedBipartiteGraph

Array = npt.NDArray[Any]

FLOAT_NAMES = ("float16", "bfloat16", "float32", "float64")

CONV1D_MODELS = ("gpt2", "openai-gpt", "imagegpt", "decision_transformer", "clvp")
"""Model types of Hugging Face configurations whose linear layers are ``Conv1D`` (in, out)."""

_EMBEDDINGS = ("wte", "wpe", "shared", "tok_embeddings")
_HEADS = ("lm_head", "embed_out", "vocab_projector", "output_projection", "vocab_transform_out")
_PACKED = ("qweight", "weight_packed", "qzeros")


@dataclass(frozen=True)
class TensorSpec:
    """A tensor of a checkpoint, before it is read."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    tied: tuple[str, ...] = ()
    """Other names of the same memory."""


@dataclass(frozen=True)
class TensorRole:
    """What a tensor is taken for."""

    kind: str
    layout: Layout
    by_default: bool
    groups: int = 1
    note: str = ""


def guessed_role(
    spec: TensorSpec, *, conv1d_model: bool = False, orientation: Layout | None = None
) -> TensorRole | str:
    """What a raw checkpoint's tensor is, by its name and shape; a string says why it is none.

    Tensors are (out, in) unless the model type says ``Conv1D``, the tensor is an embedding
    (rows are left nodes) or ``orientation`` says otherwise.
    """
    if spec.name == "" and len(spec.shape) == 2:
        return TensorRole("matrix", orientation or "left-right", True)
    if len(spec.shape) < 2:
        return "a vector or scalar (bias, norm), not a matrix"
    if len(spec.shape) > 5 or 0 in spec.shape:
        return f"its shape {spec.shape} is no layer's"
    module, _, parameter = spec.name.rpartition(".")
    last = module.rpartition(".")[2]
    if parameter in _PACKED:
        return TensorRole("quantized", "right-left", True, note="packed integers")
    if spec.dtype in ("int64", "int32", "int16", "int8", "bool", "uint8", "uint16", "uint32"):
        return f"a {spec.dtype} buffer, not weights"
    if len(spec.shape) == 2:
        if orientation is not None and not orientation.startswith(("conv", "stack")):
            linear: Layout = orientation
        else:
            linear = "left-right" if conv1d_model else "right-left"
        if _is_embedding(last):
            return TensorRole("embedding", "left-right", False, note="embedding: name it to use it")
        if last in _HEADS or module.endswith("predictions.decoder"):
            return TensorRole("head", "right-left", False, note="output head: name it to use it")
        return TensorRole("linear", linear, True)
    if len(spec.shape) == 3 and "expert" in spec.name:
        stack: Layout = "stack-right-left"
        if orientation in ("left-right", "stack-left-right"):
            stack = "stack-left-right"
        return TensorRole("experts", stack, True)
    conv: Layout = "conv-transposed" if orientation == "conv-transposed" else "conv"
    if parameter != "weight":
        return f"a {len(spec.shape)}-dimensional tensor that is no weight by its name"
    return TensorRole("convolution", conv, True, note="taken as one group")


def _is_embedding(last: str) -> bool:
    named = last in _EMBEDDINGS or "emb" in last
    return named and "proj" not in last and "mapping" not in last


class CheckpointSource(Source):
    """A file of named tensors. Subclasses say which there are and move their bytes."""

    def __init__(self, path: Path, orientation: Layout | None = None) -> None:
        if orientation is not None and orientation not in get_args(Layout):
            raise InputError(
                f"orientation must be one of {', '.join(get_args(Layout))}, got {orientation!r}"
            )
        self.path = path
        layers: list[LayerInfo] = []
        self.skipped: list[Skipped] = []
        self._piece_of: dict[str, tuple[TensorSpec, TensorRole, int]] = {}
        conv1d_model = model_type(path) in CONV1D_MODELS
        for spec in self.specs():
            role = guessed_role(spec, conv1d_model=conv1d_model, orientation=orientation)
            if isinstance(role, str):
                self.skipped.append(Skipped(spec.name, role))
                continue
            for info, piece in described(spec, role):
                layers.append(info)
                self._piece_of[info.name] = (spec, role, piece)
        self.layers = layers

    @abstractmethod
    def specs(self) -> Sequence[TensorSpec]:
        """Every tensor; tied names together, in the file's order."""

    @abstractmethod
    def read_tensor(self, name: str) -> Array:
        """The values of one tensor, in its own shape; may be a view of the file."""

    def read(self, layer: LayerInfo) -> SignedBipartiteGraph:
        spec, role, piece = self._piece_of[layer.name]
        if layer.dtype not in FLOAT_NAMES:
            raise DTypeError(f"{self.path}: tensor {spec.name}: {refusal(layer.dtype)}")
        n_bytes = layer.shape[0] * layer.shape[1] * np.dtype(_numpy_name(layer.dtype)).itemsize
        require_memory(n_bytes, f"reading layer {layer.title}")
        matrix = to_matrix(self.read_tensor(spec.name), role.layout, role.groups, piece)
        return SignedBipartiteGraph(_named_in_errors(matrix, self.path, layer))


def _named_in_errors(matrix: Array, path: Path, layer: LayerInfo) -> Array:
    """Check here, so that the error names the file and the layer."""
    from bipnet._check import native, require_finite

    where = f"{path}: {layer.title}"
    values = native(matrix, where)
    require_finite(values, where)
    return values


def _numpy_name(name: str) -> Any:
    from bipnet._bits import BFLOAT16

    return BFLOAT16 if name == "bfloat16" else name


def described(spec: TensorSpec, role: TensorRole) -> list[tuple[LayerInfo, int]]:
    """The layers that a tensor of this role is: one for each group or stacked matrix."""
    n = n_pieces(spec.shape, role.layout, role.groups)
    notes = [role.note] if role.note else []
    if spec.tied:
        notes.append(f"tied to {', '.join(spec.tied)}: changed once")
    found = []
    for piece in range(n):
        shape = piece_shape(spec.shape, role)
        name = spec.name if n == 1 else f"{spec.name}#{piece}"
        info = LayerInfo(
            name=name,
            module=module_of(spec.name),
            kind=role.kind,
            shape=shape,
            dtype=spec.dtype,
            orientation=role.layout,
            by_default=role.by_default,
            note="; ".join(notes),
            aliases=tuple(alias for name in spec.tied for alias in (name, module_of(name))),
        )
        found.append((info, piece))
    return found


def module_of(name: str) -> str:
    """The module a tensor belongs to, by its name."""
    return name.rpartition(".")[0]


def piece_shape(shape: tuple[int, ...], role: TensorRole) -> tuple[int, int]:
    """(n_left, n_right) of one piece, without reading it."""
    probe = np.broadcast_to(np.zeros((), dtype=np.int8), shape)
    if role.layout == "conv":
        return int(np.prod(shape[1:])), shape[0] // role.groups
    if role.layout == "conv-transposed":
        return shape[0] // role.groups, int(np.prod(shape[1:]))
    n_left, n_right = to_matrix(probe, role.layout).shape
    return int(n_left), int(n_right)


class PieceWriter(Writer):
    """Collects the pieces of each tensor; ``flush_tensor`` gets it whole."""

    def __init__(self, source: CheckpointSource) -> None:
        self._source = source
        self._current: tuple[str, Array] | None = None

    def put(self, layer: LayerInfo, graph: SignedBipartiteGraph) -> None:
        require_same_frame(layer, graph)
        spec, role, piece = self._source._piece_of[layer.name]
        if self._current is None or self._current[0] != spec.name:
            self.finish()
            self._current = (spec.name, np.array(self._source.read_tensor(spec.name), order="C"))
        put_matrix(self._current[1], graph.to_array(), role.layout, role.groups, piece)

    def finish(self) -> None:
        """Flush the tensor at hand."""
        if self._current is not None:
            self.flush_tensor(*self._current)
            self._current = None

    @abstractmethod
    def flush_tensor(self, name: str, values: Array) -> None:
        """Keep the new values of one tensor."""


def model_type(path: Path) -> str:
    """The model type of a Hugging Face ``config.json`` beside a checkpoint, or ""."""
    config = path.parent / "config.json"
    try:
        content = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return str(content.get("model_type", "")) if isinstance(content, Mapping) else ""
