"""Matrix Market ``.mtx``: one matrix as text, dense ("array") or sparse ("coordinate")."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bipnet._memory import require_memory
from bipnet.convert.single import SingleMatrixSource
from bipnet.convert.source import reading
from bipnet.errors import DTypeError
from bipnet.graph import SignedBipartiteGraph

_HELD = ("float64", "int64", "uint64")
_NUMBERS = b"0123456789+-.eE \t\r\nnaifNAIFtyTY"  # nan and infinity are refused later, by place


def open_matrix_market(path: Path) -> SingleMatrixSource:
    """Open a Matrix Market file; its values are float64 or int64, a pattern is all ones."""
    import scipy.io

    with reading(path, "Matrix Market file"):
        comment = _comment_of_checked(path)
        n_rows, n_columns, n_entries, form, _, symmetry = scipy.io.mminfo(path)
        if symmetry != "general" and n_rows != n_columns:
            raise ValueError(f"{symmetry}, but {n_rows} x {n_columns}")
        n_cells = n_rows * n_columns if form == "array" else 3 * n_entries
        require_memory(8 * (n_cells + n_rows + n_columns), f"reading {path}")
        matrix = scipy.io.mmread(path)
        if isinstance(matrix, np.ndarray) and matrix.shape != (n_rows, n_columns):
            raise ValueError("fewer values than its header says")

    dense = form == "array"

    def save(graph: SignedBipartiteGraph, to: Path) -> None:
        save_matrix_market(graph, to, comment=comment, dense=dense)

    return SingleMatrixSource(path, "Matrix Market", matrix, save)


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


def _comment_of_checked(path: Path) -> str:
    """The comment after the banner, as ``mmwrite`` takes it, if the rest is nothing but numbers.

    scipy's reader ignores what stands behind a number ("1.5D+02" is 1.5 to it) and crashes
    on a NUL byte: neither gets that far.
    """
    lines = []
    with path.open("rb") as file:
        next(file, b"")
        line = next(file, b"")
        while line.startswith(b"%") or line.isspace():
            if line.startswith(b"%"):
                lines.append(line[1:].decode(errors="replace").rstrip("\r\n"))
            line = next(file, b"")
        while line:
            strange = line.translate(None, _NUMBERS)
            if strange:
                raise ValueError(f"{strange[:1]!r} does not belong between its numbers")
            line = file.read(1 << 20)
    return "\n".join(lines)
