"""The store: layers as signed bipartite graphs on disk, with their indices and null draws.

A Zarr v3 hierarchy::

    zarr.json                       what this folder is
    layers/<name>/                  one layer; never changes once it is there
        weights | indptr indices data
        left/  right/               k_positive k_negative s_positive s_negative
        draws/<key>/                one null draw: its recipe, and perhaps its weights

Everything new is written into a hidden folder, flushed, and renamed into place in one step: a
reader sees all of it or nothing, whenever the writer is killed.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import shutil
import tempfile
import urllib.parse
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import zarr

import bipnet
from bipnet._atomic import move_folder_in, new_folder
from bipnet._memory import require_memory
from bipnet._streams import RNGLike, Seed, resolve_seed
from bipnet.convert.source import reading
from bipnet.errors import (
    FileFormatError,
    InputError,
    LayerNotFoundError,
    MissingFileError,
    OutputExistsError,
)
from bipnet.graph import Side, Sign, SignedBipartiteGraph
from bipnet.nulls._draw import make_plan
from bipnet.store import _arrays
from bipnet.store.recipe import Recipe

FORMAT = "bipnet-store"
FORMAT_VERSION = 1
_HIDDEN = ".partial-"


def open_store(path: str | Path, mode: Literal["r", "a"] = "r") -> Store:
    """Open a store of layers.

    Parameters
    ----------
    path
        Its folder, e.g. ``layers.zarr``.
    mode
        "r": read only, it must exist. "a": read and add; made if it is not there.

    Raises
    ------
    MissingFileError
        Nothing is there (mode "r"), or its parent folder is not (mode "a").
    FileFormatError
        A folder that is no bipnet store, or one this version cannot read.

    Examples
    --------
    >>> import bipnet, pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "layers.zarr"
    >>> layer = bipnet.open_store(path, "a").add("fc1", [[0.5, -1.0], [2.0, 0.0]])
    >>> stored = bipnet.open_store(path)["fc1"]
    >>> stored.degrees("right", "+").tolist()
    [2, 0]
    >>> stored.graph() == bipnet.SignedBipartiteGraph([[0.5, -1.0], [2.0, 0.0]])
    True
    """
    if not isinstance(path, (str, os.PathLike)):
        raise InputError(f"a store is opened by its folder's path, got {type(path).__name__}")
    path = Path(path)
    if mode not in ("r", "a"):
        raise InputError(f"mode must be 'r' (read) or 'a' (read and add), got {mode!r}")
    if not path.exists():
        if mode == "r":
            raise MissingFileError(f"no such store: {path}")
        # Another process may be quicker: then the store is its.
        with contextlib.suppress(OutputExistsError), new_folder(path) as partial:
            _make_root(partial)
    store = Store(path, writable=mode == "a")
    if store.writable:
        store.sweep()
    return store


@contextlib.contextmanager
def new_store(path: str | Path, *, force: bool = False) -> Iterator[Store]:
    """A new store that appears under ``path`` when the block ends well, whole.

    Raises
    ------
    OutputExistsError
        ``path`` exists and ``force`` is not set.

    Examples
    --------
    >>> import bipnet, pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "layers.zarr"
    >>> with bipnet.store.new_store(path) as store:
    ...     _ = store.add("fc1", [[0.5, -1.0]])
    >>> list(bipnet.open_store(path))
    ['fc1']
    """
    path = Path(path)
    if force and path.exists() and not is_store(path):
        raise OutputExistsError(f"{path} exists and is no bipnet store: it is not replaced")
    with new_folder(path, force=force) as partial:
        _make_root(partial)
        yield Store(partial, writable=True, flush=False)


def is_store(path: str | Path) -> bool:
    """Whether a folder says it is a bipnet store (damaged or not)."""
    try:
        content = json.loads((Path(path) / "zarr.json").read_text())
        return bool(content["attributes"]["format"] == FORMAT)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _make_root(folder: Path) -> None:
    attributes = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "bipnet_version": bipnet.__version__,
    }
    root = zarr.create_group(folder, attributes=attributes)
    root.create_group("layers")


class Store(Mapping[str, "StoredLayer"]):
    """Layers by name. Opened by `open_store`; layers can be added, never changed.

    Attributes
    ----------
    path
        Its folder.
    writable
        Whether layers and draws can be added.
    """

    def __init__(self, path: Path, *, writable: bool, flush: bool = True) -> None:
        self.path = path
        self.writable = writable
        self._flush = flush
        if not path.is_dir():
            raise FileFormatError(f"{path} is a file, not a store")
        if not is_store(path):
            raise FileFormatError(
                f"{path} is not a bipnet store (its zarr.json does not say so, or is damaged)"
            )
        with reading(path, "bipnet store"):
            root = zarr.open_group(path, mode="r")
            version = int(root.attrs["format_version"])  # type: ignore[arg-type]
        if version > FORMAT_VERSION:
            raise FileFormatError(
                f"{path} was written by a newer bipnet (format {version}); this one reads format"
                f" {FORMAT_VERSION}: update bipnet"
            )
        if not self._layers.is_dir():
            raise FileFormatError(f"{path} is a damaged store: its folder 'layers' is missing")

    @property
    def _layers(self) -> Path:
        return self.path / "layers"

    def __getitem__(self, name: str) -> StoredLayer:
        folder = self._layers / _folder_name(name)
        if not folder.is_dir():
            names = ", ".join(list(self)[:20]) or "none"
            raise LayerNotFoundError(f"{self.path} has no layer {name!r}; it has: {names}")
        return StoredLayer(self, name, folder)

    def __contains__(self, name: object) -> bool:
        try:
            return (self._layers / _folder_name(name)).is_dir()
        except InputError:  # no layer could be called that
            return False

    def get(self, name: str, default: Any = None, /) -> Any:
        """The layer, or ``default`` where there is none (a Mapping's own waits for a KeyError)."""
        try:
            return self[name]
        except LayerNotFoundError:
            return default

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())

    def _names(self) -> list[str]:
        """Names in the order in which they were added."""
        with reading(self.path, "bipnet store"):
            numbered = []
            for folder in _visible(self._layers):
                attributes = json.loads((folder / "zarr.json").read_text())["attributes"]
                numbered.append((int(attributes["number"]), str(attributes["name"])))
        return [name for _, name in sorted(numbered)]

    def add(
        self,
        name: str,
        graph: Any,
        *,
        source: str = "",
        orientation: str = "left-right",
        provenance: Mapping[str, Any] = MappingProxyType({}),
    ) -> StoredLayer:
        """Write a layer with its indices; it is there whole when this returns.

        Parameters
        ----------
        name
            Its tensor's name; part of the identity of its null draws.
        graph
            `SignedBipartiteGraph`, or any matrix that makes one (rows = left nodes).
        source, orientation, provenance
            Where it is from, how its tensor lay there, and anything else to remember (JSON).

        Raises
        ------
        OutputExistsError
            A layer of that name is there: layers never change. Make a new store instead.
        InputError, DTypeError
            See `SignedBipartiteGraph`.
        """
        if not isinstance(graph, SignedBipartiteGraph):
            graph = SignedBipartiteGraph(graph, copy=False)
        folder = self._layers / _folder_name(name)
        with self._writing():
            if folder.exists():
                raise OutputExistsError(
                    f"{self.path} already has a layer {name!r}; layers never change: choose"
                    " another name or make a new store"
                )
            with self._new_folder(folder) as partial:
                group = zarr.create_group(
                    partial,
                    attributes={
                        "name": name,
                        "number": self._next_number(),
                        "shape": list(graph.shape),
                        "dtype": graph.dtype.name,
                        "n_edges": graph.n_edges,
                        "checksum": graph.checksum(),
                        "left_labels": _json_labels(graph.left_labels, "left"),
                        "right_labels": _json_labels(graph.right_labels, "right"),
                        "source": source,
                        "orientation": orientation,
                        "bipnet_version": bipnet.__version__,
                        "written": datetime.datetime.now(datetime.UTC).isoformat(),
                        "provenance": dict(provenance),
                    },
                )
                _arrays.write_weights(group, graph)
                _arrays.write_indices(group, graph)
                group.create_group("draws")
        return StoredLayer(self, name, folder)

    def sweep(self) -> None:
        """Remove what killed writers left behind (needs the store to itself)."""
        with self._writing():
            for pattern in ("{}*", "*/draws/{}*", "*/draws/*/{}*"):
                for leftover in self._layers.glob(pattern.format(_HIDDEN)):
                    shutil.rmtree(leftover, ignore_errors=True)

    def _next_number(self) -> int:
        return len(self._names())

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """One writer at a time; a killed writer's lock goes with it. Readers need none."""
        if not self.writable:
            raise InputError(f"{self.path} was opened to be read; open it with mode='a' to add")
        try:
            import fcntl
        except ImportError:  # no such locks on this system: the caller sees to one writer
            yield
            return
        handle = os.open(self.path / "zarr.json", os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    @contextlib.contextmanager
    def _new_folder(self, folder: Path) -> Iterator[Path]:
        partial = Path(tempfile.mkdtemp(prefix=_HIDDEN, dir=folder.parent))
        try:
            yield partial
            move_folder_in(partial, folder, flush=self._flush)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


class StoredLayer:
    """One layer of a store: its indices and parts of its weights are read when asked for."""

    def __init__(self, store: Store, name: str, folder: Path) -> None:
        self._store = store
        self._folder = folder
        self.name = name
        with reading(folder, "layer of a bipnet store"):
            self._group = zarr.open_group(folder, mode="r")
            attributes: dict[str, Any] = dict(self._group.attrs)
            n_left, n_right = attributes["shape"]
            self.shape: tuple[int, int] = (int(n_left), int(n_right))
            self.dtype = str(attributes["dtype"])
            self.n_edges = int(attributes["n_edges"])
            self.checksum = str(attributes["checksum"])
        self.provenance: Mapping[str, Any] = MappingProxyType(attributes)

    def __repr__(self) -> str:
        return f"StoredLayer({self.name!r}, shape={self.shape}, n_edges={self.n_edges})"

    def degrees(self, side: Side, sign: Sign) -> npt.NDArray[np.int64]:
        """k+ or k- of one side, read without the weights: (n_left,) or (n_right,) int64."""
        return self._index("degrees", side, sign)

    def strengths(self, side: Side, sign: Sign) -> npt.NDArray[np.float64]:
        """s+ or s- of one side, read without the weights: (n_left,) or (n_right,) float64."""
        return self._index("strengths", side, sign)

    @property
    def positive_fraction(self) -> float:
        """alpha, the share of positive edges; 0.0 in a graph without edges."""
        positive = int(self.degrees("left", "+").sum())
        return positive / self.n_edges if self.n_edges else 0.0

    def _index(self, quantity: str, side: Side, sign: Sign) -> npt.NDArray[Any]:
        names = {value: key for key, value in _arrays.INDICES.items()}
        if side not in _arrays.SIDES or (quantity, sign) not in names:
            raise InputError(
                f"side must be 'left' or 'right' and sign '+' or '-', got {side!r} and {sign!r}"
            )
        with reading(self._folder, "layer of a bipnet store"):
            return _arrays.read_array(self._group, f"{side}/{names[quantity, sign]}")

    def graph(self) -> SignedBipartiteGraph:
        """The whole layer, compared with its checksum.

        Raises
        ------
        FileFormatError
            The weights on disk are not the ones that were written.
        """
        graph = self._restored(self._group, self.shape)
        if graph.checksum() != self.checksum:
            raise FileFormatError(
                f"{self._folder}: the weights do not have the checksum they were written with"
            )
        return graph

    def rows(self, start: int, stop: int) -> SignedBipartiteGraph:
        """The part of the graph at left nodes ``start`` to ``stop - 1``; reads only that part."""
        if not 0 <= start < stop <= self.shape[0]:
            raise InputError(f"rows must lie within 0..{self.shape[0]}, got {start}..{stop}")
        return self._restored(self._group, self.shape, slice(start, stop))

    def _restored(
        self, group: zarr.Group, shape: tuple[int, int], rows: slice = slice(None)
    ) -> SignedBipartiteGraph:
        itemsize = 2 if self.dtype == "bfloat16" else np.dtype(self.dtype).itemsize
        n_rows = len(range(*rows.indices(shape[0])))
        share = n_rows / shape[0]
        require_memory(int(self.n_edges * itemsize * share), f"reading layer {self.name!r}")
        with reading(self._folder, "layer of a bipnet store"):
            inner = _arrays.read_weights(group, shape, rows)
            left, right = self.provenance["left_labels"], self.provenance["right_labels"]
            left = None if left is None else left[rows]
            if inner.indptr is not None and inner.indices is not None:
                graph = SignedBipartiteGraph.from_csr(
                    inner.values, inner.indices, inner.indptr, inner.shape
                )
            else:
                graph = SignedBipartiteGraph(inner.values, copy=False)
            if left is not None or right is not None:
                graph = SignedBipartiteGraph(graph, left_labels=left, right_labels=right)
        if graph.shape != (n_rows, shape[1]) or graph.dtype.name != self.dtype:
            raise FileFormatError(
                f"{self._folder}: its weights are {graph.shape} {graph.dtype.name}, but it was"
                f" written as {(n_rows, shape[1])} {self.dtype}"
            )
        return graph

    # -- null draws --------------------------------------------------------------------------

    def draw(
        self,
        null: str,
        *,
        rng: RNGLike | Seed = None,
        index: int = 0,
        method: str | None = None,
        steps: int | None = None,
        loops: int | None = None,
        materialize: bool = False,
    ) -> SignedBipartiteGraph:
        """Make a null draw of this layer and remember its recipe, or its weights as well.

        Parameters
        ----------
        null, rng, index, method, steps, loops
            As in `bipnet.randomize`; the layer's name is the tensor's name.
        materialize
            Keep the weights too, not the recipe alone (which makes them again at any time).

        Returns
        -------
        The draw. Recording the same draw twice changes nothing.
        """
        graph = self.graph()
        plan = make_plan(
            graph.__biadjacency__(),
            null,
            seed=resolve_seed(rng),
            name=self.name,
            index=index,
            method=method,
            steps=steps,
            loops=loops,
        )
        recipe = Recipe(
            plan.model.letter,
            plan.method,
            plan.steps,
            plan.loops,
            plan.seed,
            plan.name,
            plan.index,
        )
        drawn = recipe.make(graph)
        self.record(recipe, drawn if materialize else None)
        return drawn

    def record(self, recipe: Recipe, weights: SignedBipartiteGraph | None = None) -> StoredDraw:
        """Write a recipe (and, if given, the draw's weights) as a member of this layer."""
        folder = self._folder / "draws" / recipe.key()
        store = self._store
        with store._writing():
            if not folder.exists():
                with store._new_folder(folder) as partial:
                    group = zarr.create_group(partial, attributes=recipe.as_attributes())
                    if weights is not None:
                        _write_drawn(group, weights)
            elif weights is not None and not (folder / "drawn").exists():
                with store._new_folder(folder / "drawn") as partial:
                    _fill_drawn(zarr.create_group(partial), weights)
        return StoredDraw(self, folder)

    @property
    def draws(self) -> list[StoredDraw]:
        """The draws recorded so far, by null model and index."""
        found = [StoredDraw(self, folder) for folder in _visible(self._folder / "draws")]
        return sorted(found, key=lambda draw: (draw.recipe.null, draw.recipe.index, draw.key))


class StoredDraw:
    """A null draw of a layer: its recipe, and its weights where they were kept.

    Attributes
    ----------
    recipe
        How to make it.
    key
        Its name within the layer.
    """

    def __init__(self, layer: StoredLayer, folder: Path) -> None:
        self._layer = layer
        self._folder = folder
        self.key = folder.name
        with reading(folder, "draw of a bipnet store"):
            self._group = zarr.open_group(folder, mode="r")
            self.recipe = Recipe.from_attributes(dict(self._group.attrs))

    @cached_property
    def materialized(self) -> bool:
        """Whether its weights are on disk, not its recipe alone."""
        return (self._folder / "drawn").exists()

    def graph(self) -> SignedBipartiteGraph:
        """The draw: read where its weights were kept, made again from its recipe otherwise."""
        if not self.materialized:
            return self.recipe.make(self._layer.graph())
        with reading(self._folder, "draw of a bipnet store"):
            drawn = zarr.open_group(self._folder / "drawn", mode="r")
            checksum = drawn.attrs["checksum"]
        graph = self._layer._restored(drawn, self._layer.shape)
        if graph.checksum() != checksum:
            raise FileFormatError(f"{self._folder}: the weights do not have their checksum")
        return graph

    def __repr__(self) -> str:
        kind = "materialized" if self.materialized else "recipe"
        return f"StoredDraw({self.key!r}, {kind})"


def _write_drawn(group: zarr.Group, weights: SignedBipartiteGraph) -> None:
    _fill_drawn(group.create_group("drawn"), weights)


def _fill_drawn(group: zarr.Group, weights: SignedBipartiteGraph) -> None:
    group.attrs["checksum"] = weights.checksum()
    _arrays.write_weights(group, weights)


def _folder_name(name: object) -> str:
    """A layer's folder: its name with what a file system may not take quoted; '%' if empty."""
    if not isinstance(name, str):
        raise InputError(f"the name of a layer must be text, got {name!r}")
    try:
        quoted = urllib.parse.quote(name, safe="#+ ")
    except UnicodeEncodeError:
        raise InputError(f"the layer name {name!r} is no valid text") from None
    if quoted.startswith("."):
        quoted = "%2E" + quoted[1:]
    if quoted == "zarr.json":  # that is the file beside the layers' folders
        quoted = "zarr%2Ejson"
    if len(quoted) > 240:
        raise InputError(f"the layer name is too long for a folder: {name[:60]!r}...")
    return quoted or "%"


def _visible(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")


def _json_labels(labels: tuple[Any, ...] | None, side: str) -> list[Any] | None:
    if labels is None:
        return None
    plain = [label.item() if isinstance(label, np.generic) else label for label in labels]
    if not all(isinstance(label, (str, int, float, bool)) for label in plain):
        raise InputError(f"{side} labels must be texts or numbers to be stored")
    return plain
