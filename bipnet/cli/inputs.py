"""Open whatever a user names: file, checkpoint, folder or store; and write results beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bipnet._atomic import require_free_output
from bipnet.convert import SUFFIXES, LayerInfo, Source, Writer, open_source, suffix_of
from bipnet.errors import FileFormatError, LayerNotFoundError
from bipnet.graph import SignedBipartiteGraph

if TYPE_CHECKING:
    from bipnet.convert.rewrite import Checkpoint
    from bipnet.store import Store

TORCH_SUFFIXES = (".pt", ".pth")


def open_input(path: Path, orientation: str | None = None) -> Source:
    """The source behind a path; torch and zarr are loaded only for what needs them."""
    if path.is_dir() and (path / "zarr.json").exists():
        from bipnet.store import open_store

        return StoreSource(open_store(path))
    if path.suffix.lower() in TORCH_SUFFIXES:
        from bipnet.torch.files import StateDictSource

        return StateDictSource(path, orientation)  # type: ignore[arg-type]  # it checks the name
    return open_source(path, orientation=orientation)


def partner_of(layer: LayerInfo, of: Source, source: Source) -> LayerInfo:
    """The layer of the same name; a lone matrix may have changed its name with its format."""
    for candidate in source.layers:
        if candidate.name == layer.name:
            return candidate
    lone = len(of.layers) == len(source.layers) == 1
    if lone and layer.kind == "matrix" == source.layers[0].kind:
        return source.layers[0]
    raise LayerNotFoundError(f"{source.path} has no layer {layer.title!r}, which the other one has")


class StoreSource(Source):
    """The layers of a store; written back they become a new store."""

    format = "bipnet store"

    def __init__(self, store: Store) -> None:
        self.path = store.path
        self.store = store
        self.layers = [
            LayerInfo(
                name, name.rpartition(".")[0], "stored", layer.shape, layer.dtype, "left-right"
            )
            for name, layer in store.items()
        ]
        self.skipped = []

    def read(self, layer: LayerInfo) -> SignedBipartiteGraph:
        return self.store[layer.name].graph()

    @contextmanager
    def writer(self, path: Path, *, force: bool) -> Iterator[Writer]:
        from bipnet.store import new_store

        with new_store(path, force=force) as target:
            writer = _IntoStore(target, self)
            yield writer
            writer.finish()


class _IntoStore(Writer):
    """Takes changed layers in the source's order and copies the others where they stand."""

    def __init__(self, target: Store, source: StoreSource) -> None:
        self._target = target
        self._source = source
        self._left = list(source.layers)

    def put(self, layer: LayerInfo, graph: SignedBipartiteGraph) -> None:
        while self._left[0].name != layer.name:
            self._add(self._left[0], self._source.read(self._left[0]))
        self._add(layer, graph)

    def finish(self) -> None:
        """Copy what comes after the last changed layer."""
        while self._left:
            self._add(self._left[0], self._source.read(self._left[0]))

    def _add(self, layer: LayerInfo, graph: SignedBipartiteGraph) -> None:
        stored = self._source.store[layer.name].provenance
        self._target.add(
            layer.name,
            graph,
            source=stored["source"],
            orientation=stored["orientation"],
            provenance={**stored["provenance"], "copied_from": self._source.path.name},
        )
        del self._left[0]


def output_writer(source: Source, path: Path, *, force: bool) -> AbstractContextManager[Writer]:
    """A writer of the format that the output's ending names, which must suit the input."""
    before, after = suffix_of(source.path), suffix_of(path)
    if isinstance(source, StoreSource):
        if after in (*SUFFIXES, *TORCH_SUFFIXES):
            raise FileFormatError(
                f"{source.path} is a store and is written as one, not as {after}: name the output"
                " *.zarr"
            )
        return source.writer(path, force=force)
    if before == after or {before, after} <= set(TORCH_SUFFIXES):
        return source.writer(path, force=force)
    lone_array = source.format == "npz" and len(source.layers) == 1 and not source.skipped
    if [layer.name for layer in source.layers] == [""] or lone_array:
        return _converting(path, force)
    require_free_output(path, force)
    raise FileFormatError(
        f"{source.path} ({source.format}) is written back as {before}, not {after or 'a folder'}:"
        f" name the output *{before}"
    )


def as_checkpoint(source: Source, path: Path) -> Checkpoint | None:
    """``source`` if it is safetensors and is written as that: then it is done layer by layer."""
    if source.format.startswith("safetensors"):
        from bipnet.convert.safetensors_file import SafetensorsFolder, SafetensorsSource

        if isinstance(source, SafetensorsFolder):
            return source
        if isinstance(source, SafetensorsSource) and path.suffix.lower() == ".safetensors":
            return source
    return None


@contextmanager
def _converting(path: Path, force: bool) -> Iterator[Writer]:
    from bipnet.convert import save_graph

    require_free_output(path, force)
    writer = _Held()
    yield writer
    if writer.graph is not None:
        save_graph(writer.graph, path, force=force)


class _Held(Writer):
    graph: SignedBipartiteGraph | None = None

    def put(self, layer: LayerInfo, graph: SignedBipartiteGraph) -> None:
        self.graph = graph
