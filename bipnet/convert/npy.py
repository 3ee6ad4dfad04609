"""``.npy``: one dense matrix, rows = left nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bipnet._bits import BFLOAT16
from bipnet._memory import require_memory
from bipnet.convert.single import SingleMatrixSource
from bipnet.convert.source import reading
from bipnet.errors import DTypeError, FileFormatError
from bipnet.graph import SignedBipartiteGraph

Array = npt.NDArray[Any]


def open_npy(path: Path) -> SingleMatrixSource:
    """Open a ``.npy`` file. Never unpickles."""
    with reading(path, ".npy file"):
        with path.open("rb") as file:
            if file.read(6) != b"\x93NUMPY":
                raise ValueError("it does not begin like one")
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except ValueError as error:
            if "Python objects" in str(error):
                raise FileFormatError(
                    f"{path} holds pickled Python objects, which could execute code when they are"
                    " read, so it is not read; save an array of numbers"
                ) from None
            raise
    if array.dtype.kind == "V":
        raise FileFormatError(
            f"{path} holds raw {array.dtype.itemsize}-byte values: .npy cannot name bfloat16;"
            " save such weights as .safetensors"
        )
    require_memory(array.nbytes, f"reading {path}")

    def save(graph: SignedBipartiteGraph, to: Path) -> None:
        _save(to, arranged_like(graph.to_array(), array))

    return SingleMatrixSource(path, "npy", array, save)


def arranged_like(values: Array, original: Array) -> Array:
    """``values`` in the byte order and memory order in which the file had them."""
    fortran = original.flags.f_contiguous and not original.flags.c_contiguous
    return np.asarray(values, dtype=original.dtype, order="F" if fortran else "C")


def save_npy(graph: SignedBipartiteGraph, path: Path) -> None:
    """Write the dense matrix.

    Raises
    ------
    DTypeError
        bfloat16 weights, which ``.npy`` would turn into raw bytes.
    """
    if graph.dtype == BFLOAT16:
        raise DTypeError(".npy cannot hold bfloat16; write .safetensors or .pt instead")
    _save(path, graph.to_array())


def _save(path: Path, values: Array) -> None:
    # Not "wb": into such a file NumPy writes by itself, and a full disk is "30000 requested and
    # 12484 written" then.
    with path.open("w+b") as file:
        np.save(file, values, allow_pickle=False)
