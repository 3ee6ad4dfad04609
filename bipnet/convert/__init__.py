"""Files in and out, without torch, and graphs to and from other tools.

`open_source` chooses the format of a file by its ending. ``to_networkx`` and its kin load the
other tool's library when they are called.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bipnet.convert.annotated import from_anndata as from_anndata
from bipnet.convert.annotated import to_anndata as to_anndata
from bipnet.convert.graph_tool_graph import from_graph_tool as from_graph_tool
from bipnet.convert.graph_tool_graph import to_graph_tool as to_graph_tool
from bipnet.convert.igraph_graph import from_igraph as from_igraph
from bipnet.convert.igraph_graph import to_igraph as to_igraph
from bipnet.convert.konect import is_konect
from bipnet.convert.networkx_graph import from_networkx as from_networkx
from bipnet.convert.networkx_graph import to_networkx as to_networkx
from bipnet.convert.pandas_table import from_pandas as from_pandas
from bipnet.convert.pandas_table import to_pandas as to_pandas
from bipnet.convert.source import LayerInfo as LayerInfo
from bipnet.convert.source import Skipped as Skipped
from bipnet.convert.source import Source as Source
from bipnet.convert.source import Writer as Writer
from bipnet.convert.source import matching_layers as matching_layers
from bipnet.errors import FileFormatError, InputError, MissingFileError
from bipnet.graph import SignedBipartiteGraph

SUFFIXES = {
    ".npy": "npy",
    ".npz": "npz",
    ".mtx": "Matrix Market",
    ".csv": "edge list",
    ".tsv": "edge list",
    ".tab": "edge list",
    ".graphml": "GraphML",
    ".konect": "KONECT",
    ".safetensors": "safetensors",
}
"""File endings that `open_source` reads (``.pt`` and ``.pth`` are read by `bipnet.torch`).

Files called ``out.NAME``, as KONECT calls its networks, are read as ``.konect`` unless their ending
is a known one.
"""

_WITHOUT_LABELS = (".npy", ".npz", ".mtx")
_ELSEWHERE = (".pt", ".pth", ".zarr")

_REFUSED = {
    ".gguf": "GGUF files hold quantised weights; convert the model to safetensors in bfloat16",
    ".ggml": "GGML files hold quantised weights; convert the model to safetensors in bfloat16",
    ".pkl": "pickles can execute code when they are read; save the weights as .npz or .safetensors",
    ".bin": "a .bin file may be a pickle of any kind; save the weights as .safetensors, or"
    " rename it to .pt if torch.save wrote it",
    ".h5": "HDF5 is not read; save the weights as .npz or .safetensors",
    ".onnx": "ONNX is not read; save the weights as .npz or .safetensors",
}


def open_source(path: str | Path, *, orientation: str | None = None) -> Source:
    """Open a file with one or more matrices (see `SUFFIXES`), or a folder with one checkpoint.

    Parameters
    ----------
    path
        The file; or a Hugging Face folder that holds ``model.safetensors``, or shards and the
        ``model.safetensors.index.json`` that names them.
    orientation
        Overrides how the tensors of a raw checkpoint lie: a layout of
        `bipnet.convert.orientation`.

    Raises
    ------
    MissingFileError
        There is no such file.
    FileFormatError
        Damaged, foreign, quantised or not safe to read.

    Examples
    --------
    >>> import numpy as np, pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> np.save(folder / "W.npy", np.array([[1.0, -2.0]]))
    >>> source = open_source(folder / "W.npy")
    >>> source.read(source.layers[0]).n_edges
    2
    """
    path = Path(path)
    if path.is_dir() or path.name.endswith(".safetensors.index.json"):
        return _open_folder(path, orientation)
    if not path.exists():
        raise MissingFileError(f"no such file: {path}")
    suffix = suffix_of(path)
    if suffix in _REFUSED:
        raise FileFormatError(f"{path}: {_REFUSED[suffix]}")
    if suffix not in SUFFIXES:
        if suffix in (".pt", ".pth"):
            raise FileFormatError(f"{path}: state dicts are opened by bipnet.torch.files")
        known = ", ".join([*SUFFIXES, "out.NAME (KONECT)", ".pt", ".pth"])
        raise FileFormatError(f"{path}: unknown kind of file {suffix!r}; bipnet reads {known}")
    if orientation is not None and suffix != ".safetensors":
        raise InputError(
            f"{path}: an orientation is for checkpoints (.safetensors, .pt); the rows of a"
            f" {SUFFIXES[suffix]} file are left nodes: transpose the matrix instead"
        )
    if path.stat().st_size == 0:
        raise FileFormatError(f"{path} is empty")
    return _opener(suffix)(path, orientation)


def suffix_of(path: Path) -> str:
    """The ending that says which format a file has: ``.konect`` for ``out.NAME``."""
    suffix = path.suffix.lower()
    if suffix not in (*SUFFIXES, *_REFUSED, *_ELSEWHERE) and is_konect(path):
        return ".konect"
    return suffix


def _open_folder(path: Path, orientation: str | None) -> Source:
    from bipnet.convert.safetensors_file import SafetensorsFolder, checkpoint_in

    main = checkpoint_in(path) if path.is_dir() else path
    if main is None:
        raise FileFormatError(
            f"{path} is a folder without a model.safetensors or a"
            " model.safetensors.index.json (and no bipnet store); name the file itself"
        )
    if not main.exists():
        raise MissingFileError(f"no such file: {main}")
    return SafetensorsFolder(main, orientation)  # type: ignore[arg-type]  # it checks the name


def _opener(suffix: str) -> Callable[[Path, str | None], Source]:
    """The reader of a format, loaded only when it is needed."""
    if suffix == ".safetensors":
        from bipnet.convert.safetensors_file import SafetensorsSource

        return SafetensorsSource  # type: ignore[return-value]  # it checks the orientation's name
    if suffix == ".npy":
        from bipnet.convert.npy import open_npy

        return lambda path, _: open_npy(path)
    if suffix == ".npz":
        from bipnet.convert.npz import open_npz

        return lambda path, _: open_npz(path)
    if suffix == ".mtx":
        from bipnet.convert.matrix_market import open_matrix_market

        return lambda path, _: open_matrix_market(path)
    if suffix == ".graphml":
        from bipnet.convert.graphml import open_graphml

        return lambda path, _: open_graphml(path)
    if suffix == ".konect":
        from bipnet.convert.konect import open_konect

        return lambda path, _: open_konect(path)
    from bipnet.convert.edge_list import open_edge_list

    return lambda path, _: open_edge_list(path)


def save_graph(graph: SignedBipartiteGraph, path: str | Path, *, force: bool = False) -> None:
    """Write one graph to a file; the ending says in which format.

    Raises
    ------
    OutputExistsError
        The file exists and ``force`` is not set.
    FileFormatError
        An ending that is not ``.npy .npz .mtx .csv .tsv .graphml .konect``, and no name
        ``out.NAME``.
    InputError
        A format that cannot hold the labels (``.npy .npz .mtx`` hold none; numbers from 0
        in order are no loss; KONECT's are lines of text), or the nodes without an edge.
    DTypeError
        A format that cannot hold the dtype of the weights.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "edges.csv"
    >>> save_graph(SignedBipartiteGraph([[1.5, 0.0], [0.0, -2.0]]), path)
    >>> print(path.read_text(), end="")
    left,right,weight
    0,0,1.5
    1,1,-2.0
    """
    from bipnet._atomic import new_file

    path = Path(path)
    if suffix_of(path) == ".konect":
        from bipnet.convert.konect import save_konect

        save_konect(graph, path, force=force)  # several files: it makes them itself
        return
    save = _saver(path)
    if suffix_of(path) in _WITHOUT_LABELS:
        _require_nameless(graph, path)
    with new_file(path, force=force) as partial:
        save(graph, partial)


def _require_nameless(graph: SignedBipartiteGraph, path: Path) -> None:
    for side, labels in (("left", graph.left_labels), ("right", graph.right_labels)):
        # Nothing is lost of labels that number the nodes, as in the edge list of a bare matrix.
        if labels is not None and [str(one) for one in labels] != [*map(str, range(len(labels)))]:
            raise InputError(
                f"{path}: {suffix_of(path)} cannot hold labels, and the {side} nodes have some,"
                f" the first is {labels[0]!r}: write .graphml or .csv, or save the bare matrix,"
                " SignedBipartiteGraph(graph.weights)"
            )


def _saver(path: Path) -> Callable[[SignedBipartiteGraph, Path], None]:
    suffix = suffix_of(path)
    if suffix == ".npy":
        from bipnet.convert.npy import save_npy

        return save_npy
    if suffix == ".npz":
        from bipnet.convert.npz import save_sparse_npz

        return save_sparse_npz
    if suffix == ".mtx":
        from bipnet.convert.matrix_market import save_matrix_market

        return save_matrix_market
    if suffix in (".csv", ".tsv", ".tab"):
        from bipnet.convert.edge_list import save_edge_list

        delimiter = "," if suffix == ".csv" else "\t"
        return lambda graph, to: save_edge_list(graph, to, delimiter=delimiter)
    if suffix == ".graphml":
        from bipnet.convert.graphml import save_graphml

        return save_graphml
    raise FileFormatError(
        f"{path}: one graph is written as .npy, .npz, .mtx, .csv, .tsv, .graphml, .konect or"
        f" out.NAME, not {suffix!r}"
    )
