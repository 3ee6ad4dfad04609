"""``.npz``: named arrays (the matrices among them are layers), or one scipy sparse matrix."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from bipnet._atomic import new_file
from bipnet._bits import BFLOAT16
from bipnet._memory import require_memory
from bipnet.convert.npy import arranged_like
from bipnet.convert.single import SingleMatrixSource
from bipnet.convert.source import (
    LayerInfo,
    Skipped,
    Source,
    Writer,
    naming,
    reading,
    require_same_frame,
)
from bipnet.errors import DTypeError, InputError
from bipnet.graph import SignedBipartiteGraph


def open_npz(path: Path) -> Source:
    """Open a ``.npz`` file: dense arrays by name, or what ``scipy.sparse.save_npz`` wrote."""
    with reading(path, ".npz file"):
        with zipfile.ZipFile(path) as archive:
            n_bytes = sum(entry.file_size for entry in archive.infolist())
        require_memory(n_bytes, f"reading {path}")
        with np.load(path, allow_pickle=False) as file:
            if {"format", "shape", "data"} <= set(file.files):
                return _open_sparse(path)
            arrays = {name: file[name] for name in file.files}
    return DenseArrays(path, arrays)


def _open_sparse(path: Path) -> SingleMatrixSource:
    import scipy.sparse

    matrix = scipy.sparse.load_npz(path)
    require_memory(8 * sum(matrix.shape), f"reading {path}")
    kind = type(matrix)

    def save(graph: SignedBipartiteGraph, to: Path) -> None:
        with to.open("wb") as file:
            scipy.sparse.save_npz(file, kind(graph.to_scipy()))

    return SingleMatrixSource(path, "npz (scipy sparse)", matrix, save)


def save_sparse_npz(graph: SignedBipartiteGraph, path: Path) -> None:
    """Write one graph as scipy's sparse CSR format if it is sparse, else as array ``W``."""
    with path.open("wb") as file:
        if graph.is_sparse:
            import scipy.sparse

            scipy.sparse.save_npz(file, graph.to_scipy())
        elif graph.dtype == BFLOAT16:
            raise DTypeError(".npz cannot hold bfloat16; write .safetensors or .pt instead")
        else:
            np.savez(file, W=graph.to_array())


class DenseArrays(Source):
    """Named arrays; the two-dimensional ones are layers, rows = left nodes."""

    format = "npz"

    def __init__(self, path: Path, arrays: dict[str, Any]) -> None:
        self.path = path
        # What is no .npy inside comes as bytes.
        self._arrays = {
            name: array for name, array in arrays.items() if isinstance(array, np.ndarray)
        }
        reasons = {name: "not an array" for name in arrays if name not in self._arrays}
        reasons |= {
            name: f"not a matrix: shape {array.shape}"
            for name, array in self._arrays.items()
            if array.ndim != 2
        }
        self.layers = [
            LayerInfo(name, "", "matrix", array.shape, array.dtype.name, "left-right")
            for name, array in self._arrays.items()
            if name not in reasons
        ]
        self.skipped = [Skipped(name, reasons[name]) for name in arrays if name in reasons]
        if not self.layers:
            found = "; ".join(f"{name} is {reason}" for name, reason in reasons.items())
            raise InputError(f"{path} has no two-dimensional array; {found or 'it is empty'}")

    def read(self, layer: LayerInfo) -> SignedBipartiteGraph:
        with naming(f"{self.path}: {layer.name}"):
            return SignedBipartiteGraph(self._arrays[layer.name])

    @contextmanager
    def writer(self, path: Path, *, force: bool) -> Iterator[Writer]:
        writer = _Changed()
        with new_file(path, force=force) as partial:
            yield writer
            # Not np.savez: it cannot hold an array named "file", and the others stay as they are.
            with zipfile.ZipFile(self.path) as old, zipfile.ZipFile(partial, "w") as new:
                new.comment = old.comment
                for entry in old.infolist():
                    name = entry.filename.removesuffix(".npy")
                    same = zipfile.ZipInfo(entry.filename, entry.date_time)
                    same.compress_type = entry.compress_type
                    with old.open(entry) as source, new.open(same, "w", force_zip64=True) as to:
                        if name in writer.graphs:
                            values = writer.graphs[name].to_array()
                            values = arranged_like(values, self._arrays[name])
                            np.lib.format.write_array(to, values, allow_pickle=False)
                        else:
                            shutil.copyfileobj(source, to)


class _Changed(Writer):
    def __init__(self) -> None:
        self.graphs: dict[str, SignedBipartiteGraph] = {}

    def put(self, layer: LayerInfo, graph: SignedBipartiteGraph) -> None:
        require_same_frame(layer, graph)
        self.graphs[layer.name] = graph
