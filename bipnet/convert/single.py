"""Files that hold one matrix: ``.npy``, Matrix Market, edge lists. Any of them writes any graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bipnet._atomic import new_file
from bipnet.convert.source import LayerInfo, Source, Writer, naming, require_same_frame
from bipnet.graph import SignedBipartiteGraph

Save = Callable[[SignedBipartiteGraph, Path], None]


class SingleMatrixSource(Source):
    """A file with one matrix, named "", rows = left nodes; it is read when it is opened."""

    def __init__(self, path: Path, format: str, matrix: Any, save: Save) -> None:
        self.path = path
        self.format = format
        with naming(path):
            graph = SignedBipartiteGraph(matrix)
        self._graph = graph
        self._save = save
        self.layers = [LayerInfo("", "", "matrix", graph.shape, graph.dtype.name, "left-right")]
        self.skipped = []

    def read(self, layer: LayerInfo) -> SignedBipartiteGraph:
        return self._graph

    @contextmanager
    def writer(self, path: Path, *, force: bool) -> Iterator[Writer]:
        writer = One(self._graph)
        with new_file(path, force=force) as partial:
            yield writer
            self._save(writer.graph, partial)


class One(Writer):
    """Holds the one graph until it is written."""

    def __init__(self, graph: SignedBipartiteGraph) -> None:
        self.graph = graph

    def put(self, layer: LayerInfo, graph: SignedBipartiteGraph) -> None:
        require_same_frame(layer, graph)
        self.graph = graph
