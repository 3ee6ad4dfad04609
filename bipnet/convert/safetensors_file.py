"""Safetensors: one file, or a Hugging Face folder of shards. Every byte but the layers' stays."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import numpy.typing as npt

from bipnet._atomic import new_file, new_folder
from bipnet._bits import BFLOAT16
from bipnet._memory import new_array
from bipnet.convert.checkpoint import CheckpointSource, TensorSpec
from bipnet.convert.extent import Extent
from bipnet.convert.orientation import Layout, Placement, placement
from bipnet.convert.source import LayerInfo, Writer, reading, require_same_frame
from bipnet.errors import FileFormatError, InputError, MissingFileError, OutputExistsError
from bipnet.graph import SignedBipartiteGraph

Array = npt.NDArray[Any]

INDEX = ".safetensors.index.json"
"""How the name of the file ends that says which tensor is in which shard."""

_OTHER_WEIGHTS = re.compile(
    r".*\.(safetensors|gguf|onnx)$|(pytorch_|tf_|flax_)?model.*\.(bin|pth?|h5|msgpack)$"
    r"|consolidated.*\.pth$"
)

_NAMES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16",
    "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8",
    "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool",
    "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E8M0": "float8_e8m0fnu",
    "F6_E2M3": "float6_e2m3fn", "F6_E3M2": "float6_e3m2fn", "F4": "float4_e2m1fn",
    "C64": "complex64",
}  # fmt: skip


class TensorFile:
    """The header of one safetensors file, checked by the library.

    Attributes
    ----------
    name
        The file's name within the checkpoint.
    size
        In bytes.
    start
        Where the data begin, behind the header.
    digest
        Of the header's bytes.
    entries
        Dtype, shape and offsets of each tensor.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.name
        with reading(path, "safetensors file"):
            self.start = _checked_by_the_library(path)
            with path.open("rb") as file:
                header = file.read(self.start)
            self.size = path.stat().st_size
            self.digest = hashlib.blake2b(header, digest_size=16).hexdigest()
            entries = json.loads(header[8:], object_pairs_hook=_without_duplicates)
            entries.pop("__metadata__", None)
        self.entries: dict[str, dict[str, Any]] = dict(
            sorted(entries.items(), key=lambda item: item[1]["data_offsets"][0])
        )

    def specs(self) -> list[TensorSpec]:
        """The tensors in the file's order."""
        return [
            TensorSpec(name, tuple(entry["shape"]), _NAMES.get(entry["dtype"], entry["dtype"]))
            for name, entry in self.entries.items()
        ]

    def extent(self, name: str, place: Placement) -> Extent:
        """The bytes of one piece of a tensor of a dtype that NumPy knows."""
        entry = self.entries[name]
        dtype = np.dtype(BFLOAT16 if entry["dtype"] == "BF16" else _NAMES[entry["dtype"]])
        offset = self.start + int(entry["data_offsets"][0]) + place.first * dtype.itemsize
        return Extent(self.name, offset, place, dtype)


class _Safetensors(CheckpointSource):
    """What a file and a folder of shards have in common."""

    folder: Path
    """Where the files lie."""
    files: Sequence[TensorFile]
    others: Sequence[PurePath] = ()
    """The other files of the folder, by their paths within it."""
    copied_weights: Sequence[PurePath] = ()
    """Those of them that, by their names, hold weights of their own."""

    def __init__(self, path: Path, orientation: Layout | None = None) -> None:
        self._file_of: dict[str, TensorFile] = {}
        for file in self.files:
            for name in file.entries:
                if name in self._file_of:
                    raise FileFormatError(
                        f"{self.folder}: tensor {name} is in both {self._file_of[name].name} and"
                        f" {file.name}: remove one of them"
                    )
                self._file_of[name] = file
        super().__init__(path, orientation)

    def specs(self) -> Sequence[TensorSpec]:
        return [spec for file in self.files for spec in file.specs()]

    def extent_of(self, layer: LayerInfo) -> Extent:
        """The bytes of a layer, which `require_readable` has let pass."""
        spec, role, piece = self._piece_of[layer.name]
        place = placement(spec.shape, role.layout, role.groups, piece)
        return self._file_of[spec.name].extent(spec.name, place)

    def read_tensor(self, name: str) -> Array:
        file = self._file_of[name]
        shape = tuple(file.entries[name]["shape"])
        place = Placement(0, 1, int(np.prod(shape)), transposed=False)
        return self._read(file.extent(name, place)).reshape(shape)

    def read_matrix(self, layer: LayerInfo, buffer: Array | None = None) -> Array:
        """As `CheckpointSource.read_matrix`; into ``buffer`` (bytes) where one is given."""
        self.require_readable(layer)
        matrix = self._read(self.extent_of(layer), buffer)
        kept = self.kept_matrix(layer)
        if kept is not None:
            matrix[~kept] = 0
        return matrix

    def kept_matrix(self, layer: LayerInfo) -> npt.NDArray[np.bool_] | None:
        """Which weights of a pruned layer are in use, (n_left, n_right); None if it has no mask."""
        spec, role, piece = self._piece_of[layer.name]
        mask = self._mask_of.get(spec.name)
        if mask is None:
            return None
        place = placement(spec.shape, role.layout, role.groups, piece)
        kept: npt.NDArray[np.bool_] = self._read(self._file_of[mask].extent(mask, place)) != 0
        return kept

    def uncover(self, layer: LayerInfo, matrix: Array) -> None:
        """Put what the layer's pruning mask hides back into ``matrix``: it stays as it is."""
        kept = self.kept_matrix(layer)
        if kept is not None:
            np.copyto(matrix, self._read(self.extent_of(layer)), where=~kept)

    def _read(self, extent: Extent, buffer: Array | None = None) -> Array:
        if buffer is None:
            buffer = new_array((extent.n_bytes,), np.dtype(np.uint8))
        matrix = buffer[: extent.n_bytes].view(extent.dtype).reshape(extent.placement.shape)
        with reading(self.folder / extent.file, "safetensors file"):
            extent.read(self.folder, matrix)
        return matrix

    def identity(self) -> dict[str, Any]:
        """What tells this checkpoint from another, or from itself after a change."""
        names = [PurePath(file.name) for file in self.files] + list(self.others)
        files = {}
        for name in names:
            info = (self.folder / name).stat()
            files[name.as_posix()] = [info.st_size, info.st_mtime_ns]
        return {"files": files, "headers": {file.name: file.digest for file in self.files}}

    @abstractmethod
    def require_output(self, path: Path, *, force: bool) -> None:
        """Raise unless this checkpoint can be written to ``path``."""


class SafetensorsSource(_Safetensors):
    """A safetensors file. The library checks it; its bytes are then read and written in place."""

    format = "safetensors"

    def __init__(self, path: Path, orientation: Layout | None = None) -> None:
        self.folder = path.parent
        self.files = [TensorFile(path)]
        super().__init__(path, orientation)

    @contextmanager
    def writer(self, path: Path, *, force: bool) -> Iterator[Writer]:
        with new_file(path, force=force) as partial:
            shutil.copyfile(self.path, partial)
            yield _InPlace(self, partial.parent, {self.path.name: partial.name})

    def require_output(self, path: Path, *, force: bool) -> None:
        if path.is_dir():
            raise OutputExistsError(f"the output is a folder, a file was wanted: {path}")


class SafetensorsFolder(_Safetensors):
    """A Hugging Face folder: one safetensors file, or shards and the index that names them."""

    format = "safetensors folder"

    def __init__(self, main: Path, orientation: Layout | None = None) -> None:
        self.folder = main.parent
        names = _shards(main) if main.name.endswith(INDEX) else {main.name: []}
        self.files = [TensorFile(self.folder / name) for name in names]
        for file in self.files:
            for tensor in names[file.name]:
                if tensor not in file.entries:
                    raise FileFormatError(
                        f"{main} says that tensor {tensor} is in {file.name}, which does not"
                        " hold it"
                    )
        self.others = [name for name in _files_below(self.folder) if name.as_posix() not in names]
        self.copied_weights = [name for name in self.others if _OTHER_WEIGHTS.match(name.name)]
        super().__init__(main, orientation)

    @contextmanager
    def writer(self, path: Path, *, force: bool) -> Iterator[Writer]:
        self.require_output(path, force=force)
        with new_folder(path, force=force) as partial:
            for name in (*(PurePath(file.name) for file in self.files), *self.others):
                (partial / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self.folder / name, partial / name)
            yield _InPlace(self, partial, {})

    def require_output(self, path: Path, *, force: bool) -> None:
        if path.suffix.lower() in (".safetensors", ".json"):
            raise FileFormatError(
                f"{self.folder} is a folder and is written as one, not as {path.name}: name a"
                " folder, or name a file as the input"
            )
        here, there = self.folder.resolve(), path.resolve()
        if here != there and (here in there.parents or there in here.parents):
            raise InputError(
                f"the output {path} and the input {self.folder} must not lie in one another"
            )
        if force and path.is_dir() and not _is_checkpoint(path):
            raise OutputExistsError(
                f"the output {path} is a folder of other things than a checkpoint, which --force"
                " does not replace: choose another, or remove it yourself"
            )


class _InPlace(Writer):
    """Overwrites layers in a copy of the checkpoint, in any order."""

    def __init__(self, source: _Safetensors, folder: Path, renamed: Mapping[str, str]) -> None:
        self._source = source
        self._folder = folder
        self._renamed = renamed

    def put(self, layer: LayerInfo, graph: SignedBipartiteGraph) -> None:
        require_same_frame(layer, graph)
        extent = self._source.extent_of(layer)
        matrix = graph.to_array()
        if self._source.kept_matrix(layer) is not None:
            matrix = matrix.copy()
            self._source.uncover(layer, matrix)
        extent.renamed(self._renamed.get(extent.file, extent.file)).write(self._folder, matrix)


def checkpoint_in(folder: Path) -> Path | None:
    """The file by which Hugging Face's libraries open a folder, or None."""
    for name in ("model.safetensors", f"model{INDEX}"):
        if (folder / name).is_file():
            return folder / name
    return None


def _shards(index: Path) -> dict[str, list[str]]:
    """The shards that an index names, in order, with the tensors it says are in them."""
    with reading(index, "index of shards"):
        content = json.loads(
            index.read_text(encoding="utf-8"), object_pairs_hook=_without_duplicates
        )
        if not isinstance(content, dict) or not isinstance(content.get("weight_map"), dict):
            raise ValueError("it has no weight_map")
        tensors: dict[str, list[str]] = {}
        for tensor, shard in content["weight_map"].items():
            if not isinstance(shard, str) or PurePath(shard).name != shard:
                raise ValueError(f"tensor {tensor} is in {shard!r}, which is no file name")
            tensors.setdefault(shard, []).append(tensor)
        if not tensors:
            raise ValueError("it names no tensors")
    for shard in tensors:
        if not (index.parent / shard).is_file():
            raise MissingFileError(
                f"{index} names the shard {shard}, which is not there: fetch it again"
            )
    return dict(sorted(tensors.items()))


def _files_below(folder: Path) -> list[PurePath]:
    """Every file in a folder and below, by its path within it; links are followed."""
    found = []
    for root, folders, files in os.walk(folder, followlinks=True, onerror=_raise):
        here = Path(root).resolve()
        if any(Path(root, name).resolve() in (here, *here.parents) for name in folders):
            raise InputError(f"{root} holds a link to a folder around it: remove the link first")
        for name in files:
            path = Path(root, name)
            if not path.is_file():
                raise InputError(f"{path} is no file that can be copied: remove it first")
            found.append(PurePath(path.relative_to(folder)))
    return sorted(found)


def _raise(error: OSError) -> None:
    raise error


def _is_checkpoint(folder: Path) -> bool:
    """Whether a folder holds a checkpoint, or nothing at all."""
    return checkpoint_in(folder) is not None or not any(folder.iterdir())


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice} is in it twice")
    return found


def _checked_by_the_library(path: Path) -> int:
    """Let safetensors validate header, offsets and length; give the position of the data."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            file.keys()
    except SafetensorError as error:
        raise ValueError(error) from None
    with path.open("rb") as raw:
        return 8 + int.from_bytes(raw.read(8), "little")
