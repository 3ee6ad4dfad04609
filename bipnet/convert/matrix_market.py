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


def open_matrix_market(path: Path) -> SingleMatrixSource:
    """Open a Matrix Market file; its values are float64 or int64, a pattern is all ones."""
    import scipy.io

    with reading(path, "Matrix Market file"):
        n_rows, n_columns, n_entries, form, _, _ = scipy.io.mminfo(path)
        require_memory(
            8 * (n_rows * n_columns if form == "array" else 3 * n_entries), f"reading {path}"
        )
        matrix = scipy.io.mmread(path)
        if isinstance(matrix, np.ndarray) and matrix.shape != (n_rows, n_columns):
            raise ValueError("fewer values than its header says")

    comment = _comment(path)
    dense = form == "array"

    def save(graph: SignedBipartiteGraph, to: Path) -> None:
        save_matrix_market(graph, to, comment=comment, dense=dense)

    return SingleMatrixSource(path, "Matrix Market", SignedBipartiteGraph(matrix), save)


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


def _comment(path: Path) -> str:
    """The comment lines after the banner, as ``mmwrite`` takes them."""
    lines = []
    with path.open(encoding="utf-8", errors="replace") as file:
        next(file)
        for line in file:
            if not line.startswith("%"):
                break
            lines.append(line[1:].rstrip("\n"))
    return "\n".join(lines)
