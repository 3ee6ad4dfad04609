"""``.npz``: named arrays (the matrices among them are layers), or one scipy sparse matrix."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bipnet._atomic import new_file
from bipnet._bits import BFLOAT16
from bipnet.convert.single import SingleMatrixSource
from bipnet.convert.source import LayerInfo, Skipped, Source, Writer, reading, require_same_frame
from bipnet.errors import DTypeError, InputError
from bipnet.graph import SignedBipartiteGraph

Array = npt.NDArray[Any]


def open_npz(path: Path) -> Source:
    """Open a ``.npz`` file: dense arrays by name, or what ``scipy.sparse.save_npz`` wrote."""
    with reading(path, ".npz file"), np.load(path, allow_pickle=False) as file:
        if {"format", "shape", "data"} <= set(file.files):
            return _open_sparse(path)
        arrays = {name: file[name] for name in file.files}
    return DenseArrays(path, arrays)


def _open_sparse(path: Path) -> SingleMatrixSource:
    import scipy.sparse

    matrix = scipy.sparse.load_npz(path)
    kind = matrix.format

    def save(graph: SignedBipartiteGraph, to: Path) -> None:
        with to.open("wb") as file:
            scipy.sparse.save_npz(file, graph.to_scipy().asformat(kind))

    return SingleMatrixSource(path, "npz (scipy sparse)", SignedBipartiteGraph(matrix), save)


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

    def __init__(self, path: Path, arrays: dict[str, Array]) -> None:
        self.path = path
        self._arrays = arrays
        matrices = {name: array for name, array in arrays.items() if array.ndim == 2}
        if not matrices:
            shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
            raise InputError(f"{path} has no two-dimensional array; it has: {shapes or 'nothing'}")
        self.layers = [
            LayerInfo(name, "", "matrix", array.shape, array.dtype.name, "left-right")
            for name, array in matrices.items()
        ]
        self.skipped = [
            Skipped(name, f"not a matrix: shape {array.shape}")
            for name, array in arrays.items()
            if name not in matrices
        ]

    def read(self, layer: LayerInfo) -> SignedBipartiteGraph:
        try:
            return SignedBipartiteGraph(self._arrays[layer.name])
        except (InputError, DTypeError) as error:
            raise type(error)(f"{self.path}: {layer.name}: {error}") from None

    @contextmanager
    def writer(self, path: Path, *, force: bool) -> Iterator[Writer]:
        writer = _Arrays(self._arrays)
        with zipfile.ZipFile(self.path) as archive:
            compressions = {entry.compress_type for entry in archive.infolist()}
        with new_file(path, force=force) as partial:
            yield writer
            # Not np.savez: it cannot hold an array named "file".
            with zipfile.ZipFile(partial, "w", max(compressions)) as archive:
                for name, array in writer.arrays.items():
                    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                        np.lib.format.write_array(member, array, allow_pickle=False)


class _Arrays(Writer):
    def __init__(self, arrays: dict[str, Array]) -> None:
        self.arrays = dict(arrays)

    def put(self, layer: LayerInfo, graph: SignedBipartiteGraph) -> None:
        require_same_frame(layer, graph)
        self.arrays[layer.name] = graph.to_array().astype(self.arrays[layer.name].dtype, copy=False)
