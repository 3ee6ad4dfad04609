"""Matrix Market ``.mtx``: one matrix as text, dense ("array") or sparse ("coordinate").

Read here and not by scipy, whose reader crashes the interpreter on a file that ends within a
number or holds a NUL byte, and ignores what stands behind a number ("1.5D+02" is 1.5 to it).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt

from bipnet._bits import refusal
from bipnet._memory import require_memory
from bipnet.convert.single import SingleMatrixSource
from bipnet.convert.source import naming, reading
from bipnet.errors import DTypeError
from bipnet.graph import SignedBipartiteGraph

Array = npt.NDArray[Any]

_HELD = ("float64", "int64", "uint64")
_FIELDS = {
    "real": "float64",
    "double": "float64",
    "integer": "int64",
    "unsigned-integer": "uint64",
    "pattern": "float64",
}
_MIRRORED = {"general": 0, "symmetric": 1, "skew-symmetric": -1}


@dataclass(frozen=True)
class _Header:
    """The banner, the comment lines after it, and the sizes."""

    dense: bool
    field: str
    mirrored: int
    """0: all entries are there; 1 or -1: those above the diagonal are the lower ones, or minus."""
    comment: str
    n_rows: int
    n_columns: int
    n_entries: int

    @classmethod
    def read(cls, file: TextIO) -> _Header:
        banner = next(file, "").split()
        if len(banner) != 5 or [word.lower() for word in banner[:2]] != [
            "%%matrixmarket",
            "matrix",
        ]:
            raise ValueError("its first line is not '%%MatrixMarket matrix <form> <field> <kind>'")
        form, field, kind = (word.lower() for word in banner[2:])
        if field == "complex":
            raise DTypeError(refusal("complex128"))
        if form not in ("array", "coordinate") or field not in _FIELDS or kind not in _MIRRORED:
            raise ValueError(f"unknown form, field or symmetry: {form} {field} {kind}")
        if form == "array" and field == "pattern":
            raise ValueError("a pattern has no dense form")
        comment = []
        line = next(file, "")
        while line.startswith("%") or line.isspace():
            if line.startswith("%"):
                comment.append(line[1:].rstrip("\n"))
            line = next(file, "")
        sizes = [int(size) for size in line.split()]
        if len(sizes) != (2 if form == "array" else 3) or min(sizes) < 0:
            raise ValueError(f"its line of sizes is {line.strip()!r}")
        if kind != "general" and sizes[0] != sizes[1]:
            raise ValueError(f"it is {kind}, but {sizes[0]} x {sizes[1]}")
        mirrored = _MIRRORED[kind]
        if form == "array":
            n = sizes[0]
            sizes.append(n * (n + mirrored) // 2 if mirrored else n * sizes[1])
        return cls(form == "array", field, mirrored, "\n".join(comment), *sizes)


def open_matrix_market(path: Path) -> SingleMatrixSource:
    """Open a Matrix Market file; its values are float64 or (u)int64, a pattern is all ones."""
    with (
        naming(path),
        reading(path, "Matrix Market file"),
        path.open(encoding="utf-8", errors="replace") as file,
    ):
        header = _Header.read(file)
        n_cells = header.n_rows * header.n_columns if header.dense else 5 * header.n_entries
        require_memory(8 * (n_cells + header.n_rows + header.n_columns), f"reading {path}")
        matrix = _read_dense(file, header) if header.dense else _read_sparse(file, header)

    def save(graph: SignedBipartiteGraph, to: Path) -> None:
        save_matrix_market(graph, to, comment=header.comment, dense=header.dense)

    return SingleMatrixSource(path, "Matrix Market", matrix, save)


def _read_dense(file: TextIO, header: _Header) -> Array:
    values = _table(file, header, [("value", _FIELDS[header.field])])["value"]
    n_rows, n_columns = header.n_rows, header.n_columns
    if not header.mirrored:
        return values.reshape(n_columns, n_rows).T
    matrix = np.zeros((n_rows, n_columns), dtype=values.dtype)
    columns, rows = np.triu_indices(n_rows, k=0 if header.mirrored > 0 else 1)
    matrix[columns, rows] = _signed(values, header)
    matrix[rows, columns] = values
    return matrix


def _read_sparse(file: TextIO, header: _Header) -> Any:
    import scipy.sparse

    fields = [("row", "int64"), ("column", "int64")]
    if header.field != "pattern":
        fields.append(("value", _FIELDS[header.field]))
    table = _table(file, header, fields)
    rows, columns = table["row"] - 1, table["column"] - 1
    outside = (rows < 0) | (rows >= header.n_rows) | (columns < 0) | (columns >= header.n_columns)
    if outside.any():
        at = int(np.argmax(outside))
        raise ValueError(f"entry {at + 1} is at {rows[at] + 1}, {columns[at] + 1}: outside")
    values = table["value"] if header.field != "pattern" else np.ones(len(rows))
    if header.mirrored:
        off = rows != columns
        mirrored = _signed(values[off], header)
        rows, columns = np.append(rows, columns[off]), np.append(columns, rows[off])
        values = np.append(values, mirrored)
    shape = (header.n_rows, header.n_columns)
    return scipy.sparse.coo_array((values, (rows, columns)), shape=shape)


def _signed(values: Array, header: _Header) -> Array:
    return values if header.mirrored > 0 else -values


def _table(file: TextIO, header: _Header, fields: list[tuple[str, str]]) -> Array:
    """The lines after the header, as many as it says."""
    dtype = np.dtype(fields)
    lines = (line for line in file if line.strip() and not line.startswith("%"))
    first = next(lines, None)
    if first is None:  # loadtxt warns where there is nothing
        table = np.empty(0, dtype=dtype)
    else:
        table = np.loadtxt(chain([first], lines), dtype=dtype, comments=None, ndmin=1)
    if len(table) != header.n_entries:
        raise ValueError(f"it has {len(table)} entries, its header says {header.n_entries}")
    return table


def save_matrix_market(
    graph: SignedBipartiteGraph, path: Path, *, comment: str = "", dense: bool | None = None
) -> None:
    """Write a graph so that reading it gives the same bits.

    Raises
    ------
    DTypeError
        A dtype that Matrix Market has no name for: it would come back as another one.
    """
    import scipy.io

    if graph.dtype.name not in _HELD:
        raise DTypeError(
            f"Matrix Market cannot hold {graph.dtype.name} (it knows {', '.join(_HELD)});"
            " write .npz, or convert the weights to float64 first"
        )
    if dense is None:
        dense = not graph.is_sparse
    matrix = graph.to_array() if dense else graph.to_scipy()
    with path.open("wb") as file:
        scipy.io.mmwrite(file, matrix, comment=comment, symmetry="general")
