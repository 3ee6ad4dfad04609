"""Graphs as Zarr arrays, and back, with every kind of damage noticed.

Chunks carry a CRC, chunks of zeros are written too (so a missing one is damage and not zeros),
and a layer read whole is compared with its checksum.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec

from bipnet._biadjacency import Biadjacency
from bipnet._bits import BFLOAT16
from bipnet.errors import FileFormatError
from bipnet.graph import SignedBipartiteGraph

Array = npt.NDArray[Any]

_CHUNK_BYTES = 4 << 20
SIDES = ("left", "right")
INDICES = {
    "k_positive": ("degrees", "+"),
    "k_negative": ("degrees", "-"),
    "s_positive": ("strengths", "+"),
    "s_negative": ("strengths", "-"),
}
"""Arrays of each side's index, and what `SignedBipartiteGraph` calls them."""


def write_array(group: zarr.Group, name: str, values: Array) -> None:
    """One array, cut into chunks of whole rows of about 4 MB."""
    stored = values.view(np.uint16) if values.dtype == BFLOAT16 else values
    row = max(1, int(np.prod(stored.shape[1:])) * stored.dtype.itemsize)
    n_rows = max(1, min(stored.shape[0], _CHUNK_BYTES // row)) if stored.shape[0] else 1
    array = group.create_array(
        name,
        shape=stored.shape,
        dtype=stored.dtype,
        chunks=(n_rows, *stored.shape[1:]),
        compressors=[ZstdCodec(level=1), Crc32cCodec()],
        fill_value=False if stored.dtype == np.bool_ else 0,
        config={"write_empty_chunks": True},
        # Zarr has no bfloat16: its bits are kept as integers, and this says so.
        attributes={"bits_of": "bfloat16"} if values.dtype == BFLOAT16 else {},
    )
    # One by one: of a chunk that fails (a full disk), the others would still be written by
    # zarr's threads while the folder is removed, and bring it back.
    for start in range(0, stored.shape[0], n_rows):
        rows = slice(start, start + n_rows)
        array[rows] = stored[rows]


def read_array(group: zarr.Group, name: str, rows: slice = slice(None)) -> Array:
    """All of an array, or some of its rows; raises where it is not what was written."""
    array = group.get(name)
    if not isinstance(array, zarr.Array):
        raise FileFormatError(f"{_place(group)}: array {name!r} is missing")
    if array.nchunks_initialized != array.nchunks:
        raise FileFormatError(
            f"{_place(group)}/{name}: {array.nchunks - array.nchunks_initialized} of"
            f" {array.nchunks} chunks are missing"
        )
    values = np.asarray(array[rows])
    if array.attrs.get("bits_of") == "bfloat16":
        return np.ascontiguousarray(values).view(BFLOAT16)
    return values


def _place(group: zarr.Group) -> str:
    return str(group.store_path).removeprefix("file://")


def write_weights(group: zarr.Group, graph: SignedBipartiteGraph) -> None:
    """The weights: array ``weights``, or the CSR arrays ``indptr``, ``indices``, ``data``."""
    inner = graph.__biadjacency__()
    if inner.indptr is None or inner.indices is None:
        write_array(group, "weights", inner.values)
        return
    write_array(group, "indptr", inner.indptr)
    write_array(group, "indices", inner.indices)
    write_array(group, "data", inner.values)


def has_weights(group: zarr.Group) -> bool:
    return "weights" in group or "data" in group


def read_weights(
    group: zarr.Group, shape: tuple[int, int], rows: slice = slice(None)
) -> Biadjacency:
    """The weights of some left nodes (all by default), dense or CSR as they were written."""
    if not has_weights(group):
        raise FileFormatError(f"{_place(group)}: the weights are missing")
    start, stop, _ = rows.indices(shape[0])
    if "weights" in group:
        values = read_array(group, "weights", slice(start, stop))
        return Biadjacency((stop - start, shape[1]), np.ascontiguousarray(values))
    indptr = read_array(group, "indptr", slice(start, stop + 1))
    span = slice(int(indptr[0]), int(indptr[-1]))
    indices, data = read_array(group, "indices", span), read_array(group, "data", span)
    return Biadjacency((stop - start, shape[1]), data, indptr - indptr[0], indices)


def write_indices(group: zarr.Group, graph: SignedBipartiteGraph) -> None:
    """k+, k-, s+, s- of both sides, as groups ``left`` and ``right``."""
    for side in SIDES:
        inside = group.create_group(side)
        for name, (quantity, sign) in INDICES.items():
            write_array(inside, name, getattr(graph, quantity)(side, sign))
