"""One ``.safetensors`` file: layers are overwritten in a copy, every other byte stays."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bipnet._atomic import new_file
from bipnet._bits import BFLOAT16
from bipnet.convert.checkpoint import CheckpointSource, PieceWriter, TensorSpec
from bipnet.convert.orientation import Layout
from bipnet.convert.source import Writer, reading

Array = npt.NDArray[Any]

_NAMES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16",
    "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8",
    "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool",
    "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E8M0": "float8_e8m0fnu",
    "F6_E2M3": "float6_e2m3fn", "F6_E3M2": "float6_e3m2fn", "F4": "float4_e2m1fn",
    "C64": "complex64",
}  # fmt: skip


class SafetensorsSource(CheckpointSource):
    """A safetensors file. The library checks it; its bytes are then read and written in place."""

    format = "safetensors"

    def __init__(self, path: Path, orientation: Layout | None = None) -> None:
        self._header: dict[str, Any] = {}
        with reading(path, "safetensors file"):
            self._start = _checked_by_the_library(path)
            with path.open("rb") as file:
                file.seek(8)
                self._header = json.loads(file.read(self._start - 8))
        self._header.pop("__metadata__", None)
        super().__init__(path, orientation)

    def specs(self) -> Sequence[TensorSpec]:
        return [
            TensorSpec(name, tuple(entry["shape"]), _NAMES.get(entry["dtype"], entry["dtype"]))
            for name, entry in sorted(
                self._header.items(), key=lambda item: item[1]["data_offsets"][0]
            )
        ]

    def offset(self, name: str) -> int:
        """Where the tensor's bytes begin in the file."""
        return self._start + int(self._header[name]["data_offsets"][0])

    def read_tensor(self, name: str) -> Array:
        entry = self._header[name]
        dtype = np.dtype(BFLOAT16 if entry["dtype"] == "BF16" else _NAMES[entry["dtype"]])
        with reading(self.path, "safetensors file"):
            words = np.memmap(
                self.path,
                dtype=f"<u{dtype.itemsize}",
                mode="r",
                offset=self.offset(name),
                shape=tuple(entry["shape"]),
            )
        return np.asarray(words).view(dtype)

    @contextmanager
    def writer(self, path: Path, *, force: bool) -> Iterator[Writer]:
        with new_file(path, force=force) as partial:
            shutil.copyfile(self.path, partial)
            with partial.open("r+b") as file:
                writer = _InPlace(self, file)
                yield writer
                writer.finish()


class _InPlace(PieceWriter):
    def __init__(self, source: SafetensorsSource, file: Any) -> None:
        super().__init__(source)
        self._offset = source.offset
        self._file = file

    def written_tensor(self, name: str) -> Array:
        original = self._source.read_tensor(name)
        self._file.seek(self._offset(name))
        written = np.frombuffer(self._file.read(original.nbytes), dtype=original.dtype)
        return written.reshape(original.shape)

    def flush_tensor(self, name: str, values: Array) -> None:
        self._file.seek(self._offset(name))
        self._file.write(values.reshape(-1).view(np.uint8).data)


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
