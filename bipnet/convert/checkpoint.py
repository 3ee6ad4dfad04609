"""Checkpoints: named tensors of which some are layers. Which ones, and how they lie, is here."""

from __future__ import annotations

import json
import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from bipnet._bits import refusal
from bipnet._memory import require_memory
from bipnet.convert.orientation import Layout, n_pieces, own_matrix, put_matrix, to_matrix
from bipnet.convert.source import LayerInfo, Skipped, Source, Writer, naming, require_same_frame
from bipnet.errors import DTypeError, InputError
from bipnet.graph import SignedBipartiteGraph

Array = npt.NDArray[Any]

FLOAT_NAMES = ("float16", "bfloat16", "float32", "float64")

CONV1D_MODELS = ("gpt2", "openai-gpt", "imagegpt", "decision_transformer", "clvp")
"""Model types of Hugging Face configurations whose linear layers are ``Conv1D`` (in, out)."""

LEFT_RIGHT_EXPERTS = ("gpt_oss", "llama4", "llama4_text")
"""Model types whose stacked expert weights are (n, in, out); all others' are (n, out, in)."""

_EMBEDDINGS = ("wte", "wpe", "shared", "tok_embeddings", "relative_attention_bias")
_HEADS = ("lm_head", "embed_out", "vocab_projector", "output_projection", "vocab_transform_out")
_PACKED = ("qweight", "weight_packed", "qzeros")
_INTEGERS = ("bool", *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)))

REPARAMETRIZED = (
    "parametrized (weight norm or another reparametrisation): remove it first, e.g."
    " torch.nn.utils.parametrize.remove_parametrizations"
)


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
    spec: TensorSpec, *, model_type: str = "", orientation: Layout | None = None
) -> TensorRole | str:
    """What a raw checkpoint's tensor is, by its name and shape; a string says why it is none.

    Tensors are (out, in) unless the model type says otherwise (`CONV1D_MODELS`,
    `LEFT_RIGHT_EXPERTS`), the tensor is an embedding (rows are left nodes) or ``orientation``
    is given.
    """
    if spec.name == "" and len(spec.shape) == 2:
        return TensorRole("matrix", orientation or "left-right", True)
    if len(spec.shape) < 2:
        return "a vector or scalar (bias, norm), not a matrix"
    if len(spec.shape) > 5 or 0 in spec.shape:
        return f"its shape {spec.shape} is no layer's"
    module, _, parameter = spec.name.rpartition(".")
    last = module.rpartition(".")[2]
    if parameter in _PACKED or (parameter == "weight" and spec.dtype in ("int8", "uint8")):
        return TensorRole("quantized", "right-left", True, note="packed or 8-bit integers")
    if spec.dtype in _INTEGERS:
        return f"a {spec.dtype} buffer, not weights"
    if parameter == "bias" or parameter.endswith("_bias"):
        return "a bias, not a matrix"
    if is_reparametrized(spec.name):
        return REPARAMETRIZED
    if len(spec.shape) == 2:
        if orientation is not None and not orientation.startswith(("conv", "stack")):
            linear: Layout = orientation
        else:
            linear = "left-right" if model_type in CONV1D_MODELS else "right-left"
        if last in _HEADS or module.endswith("predictions.decoder"):
            return TensorRole("head", "right-left", False, note="output head: name it to use it")
        if _is_embedding(last) or (parameter != "weight" and _is_embedding(parameter)):
            return TensorRole("embedding", "left-right", False, note="embedding: name it to use it")
        if parameter.startswith(("weight_ih", "weight_hh", "weight_hr")):
            return TensorRole("recurrent", linear, False, note="recurrent: name it to use it")
        if "weight" not in parameter and module:
            note = "not called a weight: name it to use it"
            return TensorRole("matrix", linear, False, note=note)
        return TensorRole("linear", linear, True)
    if len(spec.shape) == 3 and "expert" in spec.name:
        stack: Layout = "stack-right-left"
        if orientation in ("left-right", "stack-left-right") or (
            orientation is None and model_type in LEFT_RIGHT_EXPERTS
        ):
            stack = "stack-left-right"
        return TensorRole("experts", stack, True)
    conv: Layout = "conv-transposed" if orientation == "conv-transposed" else "conv"
    if parameter != "weight":
        return f"a {len(spec.shape)}-dimensional tensor that is no weight by its name"
    return TensorRole("convolution", conv, True, note="taken as one group")


def _is_embedding(last: str) -> bool:
    # "emb" begins a word of the name or ends it: "member" and "ensemble" are no embeddings.
    word = re.search(r"(^|_|\d)emb|emb(ed|eddings?)?$", last)
    named = last in _EMBEDDINGS or word is not None
    return named and "proj" not in last and "mapping" not in last


def is_reparametrized(name: str) -> bool:
    """Whether a tensor, by its name, is a part that weights are computed from."""
    parameter = name.rpartition(".")[2]
    parts = ("weight_g", "weight_v", "weight_orig")
    return parameter in parts or "parametrizations" in name.split(".")


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
        kind = model_type(path)
        specs = self.specs()
        self._mask_of = masks([spec.name for spec in specs])
        pruned = {mask: name for name, mask in self._mask_of.items()}
        for spec in specs:
            if spec.name in pruned:
                self.skipped.append(Skipped(spec.name, f"the pruning mask of {pruned[spec.name]}"))
                continue
            plain = spec
            if spec.name in self._mask_of:
                plain = replace(spec, name=spec.name.removesuffix("_orig"))
            role = guessed_role(plain, model_type=kind, orientation=orientation)
            if isinstance(role, str):
                self.skipped.append(Skipped(spec.name, role))
                continue
            for info, piece in described(plain, role):
                layers.append(info)
                self._piece_of[info.name] = (spec, role, piece)
        self.layers = layers

    @abstractmethod
    def specs(self) -> Sequence[TensorSpec]:
        """Every tensor; tied names together, in the file's order."""

    @abstractmethod
    def read_tensor(self, name: str) -> Array:
        """The values of one tensor, in its own shape; may be a view of what the source holds."""

    def read(self, layer: LayerInfo) -> SignedBipartiteGraph:
        matrix = self.read_matrix(layer)
        matrix.flags.writeable = False
        with naming(f"{self.path}: {layer.title}"):
            return SignedBipartiteGraph(matrix, copy=False)

    def require_readable(self, layer: LayerInfo) -> None:
        """Raise unless the layer holds plain weights that fit into memory.

        Raises
        ------
        DTypeError
            Quantised weights, or of a dtype bipnet does not know.
        TooLargeError
            There is no memory for them.
        """
        spec, role, _ = self._piece_of[layer.name]
        if role.kind == "quantized":
            raise DTypeError(
                f"{self.path}: tensor {spec.name} holds packed or 8-bit integers (int4, int8,"
                " GPTQ ...): quantised weights are useless without their scales; dequantise the"
                " model to bfloat16 first"
            )
        if layer.dtype not in (*FLOAT_NAMES, *_INTEGERS):
            raise DTypeError(f"{self.path}: tensor {spec.name}: {refusal(layer.dtype)}")
        n_bytes = layer.shape[0] * layer.shape[1] * np.dtype(_numpy_name(layer.dtype)).itemsize
        require_memory(n_bytes, f"reading layer {layer.title}")

    def read_matrix(self, layer: LayerInfo) -> Array:
        """The (n_left, n_right) weights of a layer, a C-ordered array of the caller's own.

        What a pruning mask hides is 0. Raises as `require_readable` does.
        """
        self.require_readable(layer)
        spec, role, piece = self._piece_of[layer.name]
        values = self.read_tensor(spec.name)
        if spec.name in self._mask_of:
            values = np.where(self._kept(spec.name), values, np.zeros((), dtype=values.dtype))
        return own_matrix(values, role.layout, role.groups, piece)

    def _kept(self, name: str) -> npt.NDArray[np.bool_]:
        """Which weights of a pruned tensor are in use."""
        kept: npt.NDArray[np.bool_] = self.read_tensor(self._mask_of[name]) != 0
        return kept


def masks(names: Sequence[str]) -> dict[str, str]:
    """Which tensors `torch.nn.utils.prune` has pruned: ``x_orig``, by the mask ``x_mask``."""
    pairs = ((name, f"{name.removesuffix('_orig')}_mask") for name in names)
    known = set(names)
    return {name: mask for name, mask in pairs if name.endswith("_orig") and mask in known}


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


def canonical(tied: Sequence[TensorSpec]) -> TensorSpec:
    """Tied tensors as one: by the name of the embedding among them, else by the first."""
    roles = [guessed_role(spec) for spec in tied]
    embeddings = [
        spec
        for spec, role in zip(tied, roles, strict=True)
        if isinstance(role, TensorRole) and role.kind == "embedding"
    ]
    first = (embeddings or list(tied))[0]
    return replace(first, tied=tuple(spec.name for spec in tied if spec is not first))


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
            self._current = (spec.name, np.array(self.written_tensor(spec.name), order="C"))
        values = self._current[1]
        hidden = None
        if spec.name in self._source._mask_of:
            hidden = values.copy(), ~self._source._kept(spec.name)
        put_matrix(values, graph.to_array(), role.layout, role.groups, piece)
        if hidden is not None:  # what a mask hides stays as it is
            np.copyto(values, hidden[0], where=hidden[1])

    def finish(self) -> None:
        """Flush the tensor at hand."""
        if self._current is not None:
            self.flush_tensor(*self._current)
            self._current = None

    @abstractmethod
    def written_tensor(self, name: str) -> Array:
        """The values of one tensor in the output so far."""

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
