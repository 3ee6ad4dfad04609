"""The store: what goes in comes out, damage is noticed, and no kill leaves anything half-written.

Run as a script, this file is the farm of writers and readers that the tests kill.
"""

from __future__ import annotations

import errno
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import traceback
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import scipy.sparse
import strategies as my
import zarr

import bipnet
from bipnet import FileFormatError, InputError, OutputExistsError, SignedBipartiteGraph
from bipnet.store import Store, StoredLayer, _arrays, new_store, open_store
from bipnet.store._store import is_store

pytestmark = pytest.mark.filterwarnings("ignore::bipnet.FrozenWarning")

SIDES = ("left", "right")
SIGNS = ("+", "-")


def matrix_of(name: str, n_left: int = 30, n_right: int = 20) -> my.Matrix:
    """Weights that only this name has; every third name's has many zeros."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    W = rng.normal(size=(n_left, n_right)).astype(np.float32)
    if zlib.crc32(name.encode()) % 3 == 0:
        W[rng.random(W.shape) < 0.7] = 0
    return W


def graph_of(name: str) -> SignedBipartiteGraph:
    """The graph that a layer of this name must be: CSR if it has many zeros."""
    W = matrix_of(name)
    return SignedBipartiteGraph(scipy.sparse.csr_array(W) if (W == 0).any() else W)


def require_whole(layer: StoredLayer, expected: SignedBipartiteGraph) -> None:
    """Raise unless a layer, its indices and all its draws are there and right."""
    graph = layer.graph()
    if graph != expected or layer.checksum != expected.checksum():
        raise AssertionError(f"{layer} is not what was written")
    for side in SIDES:
        for sign in SIGNS:
            degrees = layer.degrees(side, sign)  # type: ignore[arg-type]
            strengths = layer.strengths(side, sign)  # type: ignore[arg-type]
            if not np.array_equal(degrees, expected.degrees(side, sign)):  # type: ignore[arg-type]
                raise AssertionError(f"degrees of {layer}")
            if not np.array_equal(strengths, expected.strengths(side, sign)):  # type: ignore[arg-type]
                raise AssertionError(f"strengths of {layer}")
    for draw in layer.draws:
        if draw.graph() != draw.recipe.make(expected):
            raise AssertionError(f"{draw} is not what its recipe makes")


def stored(path: Path, name: str, graph: Any, **settings: Any) -> StoredLayer:
    """A layer just added, read back through another door."""
    open_store(path, "a").add(name, graph, **settings)
    return open_store(path)[name]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a store may be made."""
    return tmp_path / "layers.zarr"


# -- in and out --------------------------------------------------------------------------------


@my.each_dtype
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "CSR"])
def test_layer__comes_back_bit_for_bit_in_every_dtype(
    dtype: my.DType, sparse: bool, path: Path
) -> None:
    rng = np.random.default_rng(1)
    W = (5 * rng.normal(size=(7, 5))).astype(dtype)
    W[rng.random(W.shape) < 0.5] = 0
    graph = SignedBipartiteGraph(W)
    if sparse:
        rows, columns, weights = graph.edges()
        indptr = np.searchsorted(rows, np.arange(8))
        graph = SignedBipartiteGraph.from_csr(weights, columns, indptr, (7, 5))
    layer = stored(path, "fc", graph)
    require_whole(layer, graph)
    assert layer.graph().is_sparse == sparse
    assert (layer.shape, layer.dtype, layer.n_edges) == ((7, 5), dtype.name, graph.n_edges)
    assert layer.positive_fraction == graph.positive_fraction


@pytest.mark.parametrize(
    "graph",
    [
        np.zeros((3, 2)),
        scipy.sparse.csr_array((3, 2)),
        np.ones((1, 1)),
        np.full((2, 2), 5e-324),
        np.array([[-0.0, 1.0]]),
        scipy.sparse.csr_array(([1.0], ([0], [10**6])), shape=(1, 10**6 + 1)),
        np.random.default_rng(1).normal(size=(1500, 700)),
    ],
    ids=["no edges", "no edges, CSR", "one", "subnormal", "minus zero", "wide", "8 MB"],
)
def test_layer__may_be_an_edge_case(graph: Any, path: Path) -> None:
    require_whole(stored(path, "fc", graph), SignedBipartiteGraph(graph))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (["a", "b", "ü"], None),
        (None, [1, 2]),
        ([0.5, 1.5, 2.5], ["", " "]),
        (np.array(["x", "y", "z"]), np.array([3, 1])),
    ],
)
def test_labels__come_back_with_their_types(left: Any, right: Any, path: Path) -> None:
    graph = SignedBipartiteGraph(np.ones((3, 2)), left_labels=left, right_labels=right)
    layer = stored(path, "fc", graph)
    assert layer.graph() == graph
    part = layer.rows(1, 3)
    assert part.left_labels == (None if left is None else tuple(left)[1:])
    assert part.right_labels == graph.right_labels


def test_labels__that_json_cannot_hold_are_refused(path: Path) -> None:
    graph = SignedBipartiteGraph(np.ones((1, 2)), right_labels=[("a", 1), ("b", 2)])
    store = open_store(path, "a")
    with pytest.raises(InputError, match="right labels must be texts or numbers"):
        store.add("fc", graph)
    assert list(store) == []


def test_provenance__says_where_a_layer_is_from(path: Path) -> None:
    W = np.ones((3, 2), dtype=np.float32)
    layer = stored(
        path, "fc.weight", W, source="model.pt", orientation="right-left", provenance={"task": "x"}
    )
    expected = {
        "name": "fc.weight",
        "source": "model.pt",
        "orientation": "right-left",
        "provenance": {"task": "x"},
        "shape": [3, 2],
        "dtype": "float32",
        "checksum": SignedBipartiteGraph(W).checksum(),
        "bipnet_version": bipnet.__version__,
    }
    assert {key: layer.provenance[key] for key in expected} == expected
    assert layer.provenance["written"].startswith("20")
    with pytest.raises(TypeError):
        layer.provenance["source"] = "elsewhere"  # type: ignore[index]


NAMES = [
    "", "a/b", "/", "..", ".", ".hidden", "%", "%2E", "%25", "a b", " ", "x#3", "zarr.json", "c",
    "weights", "draws", "__init__", "ünï.蛋白 ~", "line\nbreak", "back\\slash", "q?*:|<>\"'", "#0",
    "n" * 240, "é" * 40, "layers.0.weight",
]  # fmt: skip


def test_names__may_be_anything_a_tensor_is_called(path: Path) -> None:
    store = open_store(path, "a")
    for name in NAMES:
        store.add(name, graph_of(name))
    again = open_store(path)
    assert list(again) == NAMES
    assert len(again) == len(NAMES)
    for name in NAMES:
        assert name in again
        require_whole(again[name], graph_of(name))
        assert again[name].name == name
    assert {folder.parent for folder in path.glob("layers/*/zarr.json")} == {
        folder for folder in (path / "layers").iterdir() if folder.is_dir()
    }
    assert sorted(entry.name for entry in path.iterdir()) == ["layers", "zarr.json"]


@pytest.mark.parametrize("name", ["n" * 241, "é" * 41, "\udcff", 3, None, b"fc"])
def test_names__that_cannot_be_are_refused(name: Any, path: Path) -> None:
    store = open_store(path, "a")
    with pytest.raises(InputError, match="layer"):
        store.add(name, np.ones((2, 2)))
    assert name not in store
    assert list(store) == []


def test_unknown_layer__is_refused_with_those_there_are(path: Path) -> None:
    store = open_store(path, "a")
    with pytest.raises(bipnet.LayerNotFoundError, match="has no layer 'fc'; it has: none"):
        store["fc"]
    store.add("fc1", np.ones((2, 2)))
    store.add("fc2", np.ones((2, 2)))
    with pytest.raises(bipnet.LayerNotFoundError, match="'fc'; it has: fc1, fc2"):
        open_store(path)["fc"]
    assert "fc" not in store
    assert store.get("fc") is None
    assert store.get("fc1").name == "fc1"


def test_layers__never_change(path: Path) -> None:
    store = open_store(path, "a")
    store.add("fc", graph_of("fc"))
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    with pytest.raises(OutputExistsError, match="layers never change"):
        store.add("fc", graph_of("other"))
    assert {file: file.read_bytes() for file in path.rglob("*") if file.is_file()} == before
    assert not hasattr(store, "__setitem__")
    assert not hasattr(store, "__delitem__")
    require_whole(store["fc"], graph_of("fc"))


def test_layers__are_listed_in_the_order_in_which_they_were_added(path: Path) -> None:
    names = [f"l{i}" for i in (3, 10, 1, 2, 0)]
    for name in names:
        open_store(path, "a").add(name, np.ones((2, 2)))
    assert list(open_store(path)) == names
    assert [layer.name for layer in open_store(path).values()] == names


@pytest.mark.parametrize("matrix", [np.ones(3), np.full((2, 2), np.nan), np.ones((0, 2)), "text"])
def test_add__checks_what_it_is_given(matrix: Any, path: Path) -> None:
    store = open_store(path, "a")
    with pytest.raises(bipnet.BipnetError):
        store.add("fc", matrix)
    assert list(store) == []


# -- parts of a layer ----------------------------------------------------------------------------


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "CSR"])
def test_rows__are_those_of_the_graph_over_many_chunks(
    sparse: bool, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_arrays, "_CHUNK_BYTES", 256)
    W = np.random.default_rng(2).normal(size=(25, 13))
    W[3] = W[24] = 0
    if sparse:
        W[np.random.default_rng(3).random(W.shape) < 0.6] = 0
    graph = SignedBipartiteGraph(scipy.sparse.csr_array(W) if sparse else W)
    layer = stored(path, "fc", graph)
    n_chunks = zarr.open_group(path)[f"layers/fc/{'data' if sparse else 'weights'}"].nchunks  # type: ignore[union-attr]
    assert n_chunks > 3
    require_whole(layer, graph)
    for start in range(25):
        for stop in (start + 1, start + 3, 25):
            if stop <= 25:
                part = layer.rows(start, stop)
                assert part == SignedBipartiteGraph(W[start:stop])
                assert part.is_sparse == sparse


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (2, 2), (3, 2), (0, 31), (30, 31)])
def test_rows__must_lie_within_the_layer(start: int, stop: int, path: Path) -> None:
    layer = stored(path, "fc", graph_of("fc"))
    with pytest.raises(InputError, match=r"rows must lie within 0\.\.30"):
        layer.rows(start, stop)


def test_rows__read_only_their_chunks(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_arrays, "_CHUNK_BYTES", 256)
    graph = SignedBipartiteGraph(np.random.default_rng(2).normal(size=(25, 13)))
    layer = stored(path, "fc", graph)
    chunks = sorted((path / "layers/fc/weights/c").iterdir(), key=lambda chunk: int(chunk.name))
    last = next(chunk for chunk in chunks[-1].rglob("*") if chunk.is_file())
    last.write_bytes(b"damaged")
    assert layer.rows(0, 3) == SignedBipartiteGraph(graph.to_array()[:3])
    with pytest.raises(FileFormatError):
        layer.rows(22, 25)


@pytest.mark.parametrize(
    ("side", "sign"), [("top", "+"), ("left", "*"), ("left", None), ("", ""), (None, "+")]
)
def test_indices__are_refused_by_a_wrong_name(side: Any, sign: Any, path: Path) -> None:
    layer = stored(path, "fc", graph_of("fc"))
    for index in (layer.degrees, layer.strengths):
        with pytest.raises(InputError, match="side must be 'left' or 'right'"):
            index(side, sign)


def test_indices__are_read_without_the_weights(path: Path) -> None:
    layer = stored(path, "fc", graph_of("fc"))
    shutil.rmtree(path / "layers/fc" / ("data" if layer.graph().is_sparse else "weights"))
    again = open_store(path)["fc"]
    expected = graph_of("fc").degrees("left", "+")
    np.testing.assert_array_equal(again.degrees("left", "+"), expected)
    with pytest.raises(FileFormatError, match="the weights are missing"):
        again.graph()


def test_store__is_plain_zarr(path: Path) -> None:
    dense = np.array([[0.5, -1.0, 0.0], [2.0, 0.0, 0.25]], dtype=np.float32)
    store = open_store(path, "a")
    store.add("a/b", dense)
    store.add("sparse", scipy.sparse.csr_array(dense))
    store.add("bf16", dense.astype(ml_dtypes.bfloat16))
    store["sparse"].draw("A", rng=1)
    store["sparse"].draw("B", rng=1, materialize=True)
    root = zarr.open_group(path, mode="r")
    assert root.metadata.zarr_format == 3
    assert root.attrs["format"] == "bipnet-store"
    assert root.attrs["format_version"] == 1
    layers: Any = root["layers"]
    assert set(layers.group_keys()) == {"a%2Fb", "sparse", "bf16"}
    layer: Any = layers["a%2Fb"]
    np.testing.assert_array_equal(layer["weights"][...], dense)
    assert layer["weights"].dtype == np.float32
    expected = {
        "left/k_positive": [1, 2], "left/k_negative": [1, 0],
        "left/s_positive": [0.5, 2.25], "left/s_negative": [1.0, 0.0],
        "right/k_positive": [2, 0, 1], "right/k_negative": [0, 1, 0],
        "right/s_positive": [2.5, 0.0, 0.25], "right/s_negative": [0.0, 1.0, 0.0],
    }  # fmt: skip
    for other in layers.group_keys():
        for name, values in expected.items():
            array = layers[other][name]
            assert array[...].tolist() == values
            assert array.dtype == (np.int64 if "/k_" in name else np.float64)
    csr = scipy.sparse.csr_array(
        tuple(layers["sparse"][part][...] for part in ("data", "indices", "indptr")), shape=(2, 3)
    )
    np.testing.assert_array_equal(csr.toarray(), dense)
    bits = layers["bf16"]["weights"]
    assert (bits.dtype, bits.attrs["bits_of"]) == (np.uint16, "bfloat16")
    np.testing.assert_array_equal(bits[...].view(ml_dtypes.bfloat16), dense)
    draws = layers["sparse"]["draws"]
    assert sorted(draws[key].attrs["null"] for key in draws.group_keys()) == ["A", "B"]
    (kept,) = [draws[key] for key in draws.group_keys() if "drawn" in draws[key]]
    assert sorted(kept["drawn/data"][...]) == sorted(dense[dense != 0])


# -- draws ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["dense", "CSR", "bfloat16", "labels"])
@my.each_row
def test_draw__is_the_one_randomize_makes(null: str, method: str, kind: str, path: Path) -> None:
    W = matrix_of("some", 8, 6)
    graph = {
        "dense": SignedBipartiteGraph(W),
        "CSR": SignedBipartiteGraph(scipy.sparse.csr_array(np.where(np.abs(W) < 0.3, 0, W))),
        "bfloat16": SignedBipartiteGraph(W.astype(ml_dtypes.bfloat16)),
        "labels": SignedBipartiteGraph(W, left_labels=list("abcdefgh")),
    }[kind]
    store = open_store(path, "a")
    layer = store.add("block.0/fc", graph)
    settings: dict[str, Any] = {"rng": 11, "index": 3, "method": method}
    if null == "G":
        settings["steps"] = 40
    expected = bipnet.randomize(graph, null, name="block.0/fc", **settings)
    assert layer.draw(null, **settings) == expected
    (recorded,) = open_store(path)["block.0/fc"].draws
    assert not recorded.materialized
    assert recorded.graph() == expected
    recipe = recorded.recipe
    assert (recipe.null, recipe.index, recipe.name) == (null, 3, "block.0/fc")
    assert (recipe.method, recipe.steps) == (method, 40 if null == "G" else None)
    # Recorded again it stays one draw; with weights it becomes materialised, and stays so.
    assert layer.draw(null, **settings) == expected
    assert layer.draw(null, materialize=True, **settings) == expected
    assert layer.draw(null, **settings) == expected
    (recorded,) = open_store(path)["block.0/fc"].draws
    assert recorded.materialized
    assert recorded.graph() == expected
    assert recorded.graph().is_sparse == graph.is_sparse
    assert bipnet.verify(graph, recorded.graph(), null).ok


def test_default_steps__are_written_down(path: Path) -> None:
    store = open_store(path, "a")
    layer = store.add("fc", matrix_of("fc", 6, 5))
    layer.draw("G", rng=1)
    layer.draw("G", rng=1, method="swap")
    steps = {draw.recipe.method: draw.recipe.steps for draw in layer.draws}
    assert steps == {
        m: bipnet.ensemble(layer.graph(), "G", 1, method=m).steps for m in ("trade", "swap")
    }
    # The same number, named, is the same draw.
    layer.draw("G", rng=1, steps=steps["trade"])
    assert len(layer.draws) == 2


def test_materialised_draw__is_read_and_not_made_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = open_store(path, "a").add("fc", graph_of("fc"))
    expected = layer.draw("A", rng=1, materialize=True)
    layer.draw("A", rng=2)
    by_seed = {draw.recipe.seed.entropy: draw for draw in layer.draws}

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("made again")

    monkeypatch.setattr("bipnet.store.recipe.randomize", refuse)
    assert by_seed[1].graph() == expected
    with pytest.raises(AssertionError, match="made again"):
        by_seed[2].graph()


@pytest.mark.parametrize(
    "rng",
    [
        0,
        2**128 - 1,
        np.uint64(2**64 - 1),
        np.random.SeedSequence(5, spawn_key=(1, 2**40)),
        np.random.SeedSequence([1, 2, 2**31]),
        np.random.SeedSequence(2**127 + 1),
    ],
    ids=["0", "128 bits", "uint64", "spawned", "words", "large sequence"],
)
def test_draw__of_any_seed_can_be_made_again(rng: Any, path: Path) -> None:
    graph = graph_of("fc")
    layer = open_store(path, "a").add("fc", graph)
    drawn = layer.draw("B", rng=rng)
    assert drawn == bipnet.randomize(graph, "B", rng=rng, name="fc")
    assert drawn != bipnet.randomize(graph, "B", rng=1, name="fc")
    (recorded,) = open_store(path)["fc"].draws
    assert recorded.graph() == drawn
    layer.draw("B", rng=rng)
    assert len(layer.draws) == 1


@pytest.mark.parametrize("make", [lambda: None, lambda: np.random.default_rng(3)])
def test_draw__without_a_fixed_seed_can_be_made_again(make: Callable[[], Any], path: Path) -> None:
    layer = open_store(path, "a").add("fc", graph_of("fc"))
    rng = make()
    drawn = [layer.draw("A", rng=rng) for _ in range(3)]
    recorded = [draw.graph().checksum() for draw in open_store(path)["fc"].draws]
    assert len(set(recorded)) == 3
    assert sorted(recorded) == sorted(graph.checksum() for graph in drawn)


def test_draws__are_told_apart_and_listed_in_order(path: Path) -> None:
    layer = open_store(path, "a").add("fc", matrix_of("fc", 6, 5))
    for null in "GBA":
        for index in (10, 2):
            for rng in (1, 2):
                layer.draw(null, rng=rng, index=index)
    layer.draw("G", rng=1, index=2, method="swap")
    layer.draw("G", rng=1, index=2, steps=3)
    listed = [(draw.recipe.null, draw.recipe.index) for draw in open_store(path)["fc"].draws]
    assert len(listed) == 14
    assert listed == sorted(listed)
    assert len({draw.key for draw in layer.draws}) == 14


@pytest.mark.parametrize(
    "settings",
    [{"null": "Z"}, {"null": "A", "index": -1}, {"null": "A", "rng": -1}, {"null": "A", "steps": 3},
     {"null": "G", "method": "fast"}, {"null": "G", "steps": 0}],
)  # fmt: skip
def test_draw__checks_its_arguments(settings: dict[str, Any], path: Path) -> None:
    layer = open_store(path, "a").add("fc", graph_of("fc"))
    with pytest.raises(InputError):
        layer.draw(**settings)
    assert layer.draws == []


def edit(file: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a JSON file."""
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def test_recipe_of_another_stream_version__is_refused_unless_its_weights_were_kept(
    path: Path,
) -> None:
    layer = open_store(path, "a").add("fc", graph_of("fc"))
    layer.draw("A", rng=1)
    kept = layer.draw("B", rng=1, materialize=True)
    for draw in layer.draws:
        file = path / "layers/fc/draws" / draw.key / "zarr.json"
        edit(file, lambda content: content["attributes"].update(stream_version=99))
    recipe, materialised = open_store(path)["fc"].draws
    assert recipe.recipe.stream_version == 99
    with pytest.raises(InputError, match="random streams of version 99"):
        recipe.graph()
    assert materialised.graph() == kept


# -- opening and making ----------------------------------------------------------------------------


def test_read_mode__adds_nothing(path: Path) -> None:
    open_store(path, "a").add("fc", graph_of("fc"))
    store = open_store(path)
    before = sorted(path.rglob("*"))
    for change in (
        lambda: store.add("other", np.ones((2, 2))),
        lambda: store["fc"].draw("A", rng=1),
        store.sweep,
    ):
        with pytest.raises(InputError, match="mode='a'"):
            change()  # type: ignore[no-untyped-call]
    assert sorted(path.rglob("*")) == before
    assert not store.writable


def test_open_store__makes_one_only_in_mode_a(path: Path) -> None:
    with pytest.raises(bipnet.MissingFileError, match="no such store"):
        open_store(path)
    assert not path.exists()
    assert dict(open_store(path, "a")) == {}
    assert dict(open_store(path)) == {}
    with pytest.raises(bipnet.MissingFileError, match="no such folder"):
        open_store(path.parent / "nowhere" / "s.zarr", "a")
    for mode in ("w", "r+", "", None):
        with pytest.raises(InputError, match="mode must be 'r'"):
            open_store(path, mode)  # type: ignore[arg-type]
    assert [entry.name for entry in path.parent.iterdir()] == ["layers.zarr"]


def foreign(path: Path, kind: str) -> None:
    """Something that is no store of ours, or no longer one."""
    if kind == "file":
        path.write_text("precious")
        return
    path.mkdir()
    (path / "precious").write_text("precious")
    if kind == "plain zarr":
        zarr.create_group(path / "inside")
        shutil.move(path / "inside" / "zarr.json", path / "zarr.json")
    elif kind != "folder":
        (path / "zarr.json").write_bytes(
            {
                "empty json": b"",
                "half json": b'{"attributes": {"form',
                "list": b"[]",
                "other attributes": b'{"attributes": []}',
                "other format": b'{"attributes": {"format": "other"}}',
                "binary": b"\xff\x00\xff",
            }[kind]
        )


FOREIGN = ["file", "folder", "plain zarr", "empty json", "half json", "list", "other attributes",
           "other format", "binary"]  # fmt: skip


@pytest.mark.parametrize("kind", FOREIGN)
@pytest.mark.parametrize("mode", ["r", "a"])
def test_foreign_folder__is_refused_and_left_alone(kind: str, mode: Any, path: Path) -> None:
    foreign(path, kind)
    before = sorted(path.parent.rglob("*"))
    with pytest.raises(FileFormatError, match=r"layers\.zarr is (a file|not a bipnet store)"):
        open_store(path, mode)
    assert not is_store(path)
    assert sorted(path.parent.rglob("*")) == before


@pytest.mark.parametrize("kind", FOREIGN)
@pytest.mark.parametrize("force", [False, True])
def test_new_store__never_replaces_what_is_no_store(kind: str, force: bool, path: Path) -> None:
    foreign(path, kind)
    before = sorted(path.parent.rglob("*"))
    with pytest.raises(OutputExistsError, match=r"layers\.zarr"), new_store(path, force=force):
        pass
    assert sorted(path.parent.rglob("*")) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["attributes"].update(format_version=2), "newer bipnet.*update bipnet"),
        (lambda c: c["attributes"].update(format_version="x"), "not a readable bipnet store"),
        (lambda c: c["attributes"].pop("format_version"), "format_version"),
        (lambda c: c.update(zarr_format=7), "not a readable bipnet store"),
        (lambda c: c.update(node_type="array"), "not a readable bipnet store"),
    ],
    ids=["newer", "no number", "no version", "zarr 7", "array"],
)
def test_root_of_another_version__is_refused(
    change: Callable[[dict[str, Any]], object], message: str, path: Path
) -> None:
    open_store(path, "a").add("fc", graph_of("fc"))
    edit(path / "zarr.json", change)
    with pytest.raises(FileFormatError, match=message):
        open_store(path)


def test_new_store__appears_whole(path: Path) -> None:
    with new_store(path) as store:
        store.add("one", graph_of("one"))
        assert not path.exists()
        store.add("two", graph_of("two"))
        store["two"].draw("A", rng=1)
    assert list(open_store(path)) == ["one", "two"]
    require_whole(open_store(path)["two"], graph_of("two"))
    assert path.stat().st_mode & 0o777 == 0o777 & ~current_umask()
    with pytest.raises(OutputExistsError, match="--force"), new_store(path):
        pass
    with new_store(path, force=True) as store:
        store.add("three", graph_of("three"))
        assert list(open_store(path)) == ["one", "two"]
    assert list(open_store(path)) == ["three"]
    assert [entry.name for entry in path.parent.iterdir()] == ["layers.zarr"]


def current_umask() -> int:
    """The permissions new files do not get."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def failing_store(path: Path, error: BaseException, *, force: bool) -> None:
    """Make a store and fail before it is done."""
    with new_store(path, force=force) as store:
        store.add("half", graph_of("half"))
        raise error


@pytest.mark.parametrize("error", [ValueError("mine"), KeyboardInterrupt(), SystemExit(3)])
def test_new_store__that_fails_leaves_everything_as_it_was(
    error: BaseException, path: Path
) -> None:
    with pytest.raises(type(error)):
        failing_store(path, error, force=False)
    assert list(path.parent.iterdir()) == []
    with new_store(path) as store:
        store.add("old", graph_of("old"))
    with pytest.raises(type(error)):
        failing_store(path, error, force=True)
    assert [entry.name for entry in path.parent.iterdir()] == ["layers.zarr"]
    assert list(open_store(path)) == ["old"]
    require_whole(open_store(path)["old"], graph_of("old"))


@pytest.mark.parametrize("function", ["fsync", "rename"])
def test_full_disk__leaves_the_store_as_it_was(
    function: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(path, "a")
    layer = store.add("fc", graph_of("fc"))
    before = sorted(path.rglob("*"))

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, function, full)
        with pytest.raises(OSError, match="No space left"):
            store.add("other", graph_of("other"))
        with pytest.raises(OSError, match="No space left"):
            layer.draw("A", rng=1, materialize=True)
    assert sorted(path.rglob("*")) == before
    store.add("other", graph_of("other"))
    assert list(open_store(path)) == ["fc", "other"]


# -- damage ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store to be copied and damaged: a dense and a CSR layer, several chunks, both draws."""
    path = tmp_path_factory.mktemp("intact") / "s.zarr"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_arrays, "_CHUNK_BYTES", 1024)
        store = open_store(path, "a")
        store.add("dense", SignedBipartiteGraph(matrix_of("dense"), left_labels=range(30)))
        W = matrix_of("sparse")
        store.add("sparse", scipy.sparse.csr_array(np.where(np.abs(W) < 0.8, 0, W)))
        for name in ("dense", "sparse"):
            store[name].draw("A", rng=1)
            store[name].draw("B", rng=1, materialize=True)
    return path


def everything(path: Path) -> dict[str, Any]:
    """Whatever can be read from a store."""
    found: dict[str, Any] = {}
    for name, layer in open_store(path).items():
        graph = layer.graph()
        indices = [
            index(side, sign).tolist()  # type: ignore[operator]
            for index in (layer.degrees, layer.strengths)
            for side in SIDES
            for sign in SIGNS
        ]
        draws = {draw.key: draw.graph().checksum() for draw in layer.draws}
        parts = layer.rows(0, 10).checksum(), layer.rows(10, 30).checksum()
        found[name] = (graph.checksum(), graph.left_labels, indices, draws, parts)
    return found


def test_intact_store__reads_as_itself(intact: Path, tmp_path: Path) -> None:
    shutil.copytree(intact, tmp_path / "copy.zarr")
    assert everything(tmp_path / "copy.zarr") == everything(intact)
    assert list(everything(intact)) == ["dense", "sparse"]


def chunk_of(array: Path) -> Path:
    """The first chunk of an array."""
    return sorted(file for file in (array / "c").rglob("*") if file.is_file())[0]


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0x10
    file.write_bytes(content)


DAMAGE: dict[str, tuple[str, Callable[[Path], object]]] = {
    "chunk deleted": ("chunks are missing", lambda array: chunk_of(array).unlink()),
    "chunk emptied": ("not a readable", lambda array: chunk_of(array).write_bytes(b"")),
    "chunk truncated": ("not a readable", lambda array: os.truncate(chunk_of(array), 9)),
    "bit flipped": ("not a readable", lambda array: flip(chunk_of(array))),
    "array deleted": ("missing", shutil.rmtree),
    "metadata deleted": ("missing", lambda array: (array / "zarr.json").unlink()),
    "metadata emptied": ("not a readable", lambda array: (array / "zarr.json").write_bytes(b"")),
}
ARRAYS = [
    "dense/weights", "sparse/data", "sparse/indices", "sparse/indptr", "dense/left/k_positive",
    "dense/right/s_negative", "dense/draws/B*/drawn/weights", "sparse/draws/B*/drawn/data",
]  # fmt: skip


@pytest.mark.parametrize(("message", "damage"), DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("array", ARRAYS)
def test_damaged_array__is_noticed_and_named(
    array: str, message: str, damage: Callable[[Path], object], intact: Path, tmp_path: Path
) -> None:
    path = tmp_path / "s.zarr"
    shutil.copytree(intact, path)
    (folder,) = path.glob(f"layers/{array}")
    damage(folder)
    with pytest.raises(FileFormatError, match=message) as error:
        everything(path)
    assert f"layers/{array.split('/')[0]}" in str(error.value)
    other = "sparse" if array.startswith("dense") else "dense"
    assert open_store(path)[other].graph().n_edges > 0


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("layers/dense/zarr.json", "not a readable bipnet store"),
        ("layers/dense/draws/A*/zarr.json", "not a readable draw of a bipnet store"),
        ("layers/dense/draws/B*/drawn/zarr.json", "not a readable draw of a bipnet store"),
        ("zarr.json", "not a bipnet store"),
    ],
)
@pytest.mark.parametrize("damage", [Path.unlink, lambda file: file.write_text("{")])
def test_damaged_metadata__is_noticed(
    file: str, message: str, damage: Callable[[Path], object], intact: Path, tmp_path: Path
) -> None:
    path = tmp_path / "s.zarr"
    shutil.copytree(intact, path)
    (found,) = path.glob(file)
    damage(found)
    with pytest.raises(FileFormatError, match=message):
        everything(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"checksum": "0" * 64}, "do not have the checksum"),
        ({"shape": [31, 20]}, "checksum|was written as|rows"),
        ({"dtype": "float64"}, "written as"),
        ({"shape": "wide"}, "not a readable layer"),
        ({"n_edges": None}, "not a readable layer"),
        ({"number": [1]}, "not a readable bipnet store"),
        ({"left_labels": [1, 2]}, "labels"),
    ],
)
def test_metadata_that_does_not_fit__is_noticed(
    change: dict[str, Any], message: str, intact: Path, tmp_path: Path
) -> None:
    path = tmp_path / "s.zarr"
    shutil.copytree(intact, path)
    edit(path / "layers/dense/zarr.json", lambda content: content["attributes"].update(change))
    with pytest.raises((FileFormatError, InputError), match=message):
        everything(path)


def test_deeply_nested_root__is_no_store(path: Path) -> None:
    path.mkdir()
    (path / "zarr.json").write_text('{"a":' * 200_000)
    with pytest.raises(FileFormatError, match="not a bipnet store"):
        bipnet.open_store(path)


def test_missing_layers_folder__is_noticed(intact: Path, tmp_path: Path) -> None:
    path = tmp_path / "s.zarr"
    shutil.copytree(intact, path)
    shutil.rmtree(path / "layers")
    with pytest.raises(FileFormatError, match="its folder 'layers' is missing"):
        open_store(path)


def test_weights_of_another_layer__are_noticed(intact: Path, tmp_path: Path) -> None:
    path = tmp_path / "s.zarr"
    shutil.copytree(intact, path)
    drawn = next(path.glob("layers/dense/draws/B*/drawn/weights"))
    shutil.rmtree(path / "layers/dense/weights")
    shutil.copytree(drawn, path / "layers/dense/weights")  # intact by itself, but not this layer
    with pytest.raises(FileFormatError, match="do not have the checksum"):
        everything(path)


def test_random_damage__is_noticed_or_harmless(intact: Path, tmp_path: Path) -> None:
    path = tmp_path / "s.zarr"
    expected = everything(intact)
    files = sorted(file.relative_to(intact) for file in intact.rglob("*") if file.is_file())
    draw = random.Random(5)
    noticed = 0
    shutil.copytree(intact, path)
    for file in draw.sample(files, 40):
        original = (path / file).read_bytes()
        damaged = bytearray(original)
        kind = draw.randrange(3)
        if kind == 0:
            damaged = damaged[: draw.randrange(len(damaged))]
        else:
            for _ in range(1 if kind == 1 else 5):
                damaged[draw.randrange(len(damaged))] ^= 1 << draw.randrange(8)
        (path / file).write_bytes(damaged)
        try:
            assert everything(path) == expected, file
        except bipnet.BipnetError:
            noticed += 1
        (path / file).write_bytes(original)
    assert noticed > 20
    assert everything(path) == expected


# -- killed, and many at once ----------------------------------------------------------------------
#
# The farm is this file run as a script: it has everything loaded, forks a process for each task,
# and kills it when told to. A task is a function below by name, with its arguments.


def add_some(path: str, prefix: str, n: int) -> None:
    """Add layers, with a draw as recipe, one with weights, and one whose weights come later."""
    store = open_store(path, "a")
    for k in range(n):
        name = f"{prefix}-{k}"
        layer = store.add(name, graph_of(name))
        layer.draw("A", rng=k)
        layer.draw("E", rng=k, materialize=True)
        layer.draw("A", rng=k, materialize=True)


def replace_all(path: str, prefix: str, n: int) -> None:
    """Replace the whole store, generation after generation."""
    for k in range(n):
        with new_store(path, force=True) as store:
            for part in "abc":
                name = f"{prefix}-{k}-{part}"
                store.add(name, graph_of(name))
            store[name].draw("B", rng=k, materialize=True)


def read_until(path: str, stop: str) -> None:
    """Read everything, again and again, until the file ``stop`` is there and once more."""
    rounds, last = 0, False
    end = time.monotonic() + 240
    while not last:
        if time.monotonic() > end:
            raise AssertionError("the writer has not stopped")
        last = Path(stop).exists()
        store = open_store(path)
        names = list(store)
        for name in names if last else names[-4:]:
            require_whole(store[name], graph_of(name))
        rounds += 1
    if rounds < 2:
        raise AssertionError("nothing was read meanwhile")


def add_then_stop(path: str, prefix: str, n: int, stop: str) -> None:
    """Add layers, then tell the readers to stop."""
    try:
        add_some(path, prefix, n)
    finally:
        Path(stop).touch()


def add_contested(path: str, prefix: str, n: int) -> None:
    """Add layers, every second under a name that others want as well."""
    store = open_store(path, "a")
    for k in range(n):
        name = f"{prefix}-{k}" if k % 2 else f"wanted-{k}"
        try:
            store.add(name, graph_of(name))
        except OutputExistsError:
            print(f"{name} was taken", file=sys.stderr)
        store[name].draw("A", rng=k)


TASKS = {
    task.__name__: task
    for task in (add_some, replace_all, read_until, add_then_stop, add_contested)
}
EVENTS = {
    "open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.scandir",
    "fcntl.flock", "shutil.rmtree",
}  # fmt: skip


def farmed(task: str, arguments: list[Any], kill_at: int | None, count_to: str | None) -> None:
    """Run a task in this process; die at the ``kill_at``-th thing done to the file system."""
    count = 0

    def watch(event: str, _: tuple[Any, ...]) -> None:
        nonlocal count
        if event in EVENTS:
            count += 1
            if count == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    TASKS[task](*arguments)
    if count_to is not None:
        Path(count_to).write_text(str(count))


def run_farm() -> None:
    """Serve requests, one JSON line each: tasks to run side by side. Answer with their ends."""
    import warnings

    warnings.simplefilter("error")
    warnings.simplefilter("ignore", bipnet.FrozenWarning)
    bipnet.randomize(graph_of("warm up"), "E", rng=1).degrees("left")
    print("ready", flush=True)
    for line in sys.stdin:
        started = []
        number, requests = json.loads(line)
        for request in requests:
            pid = os.fork()
            if pid == 0:
                status = 1
                try:
                    farmed(
                        request["task"],
                        request["arguments"],
                        request.get("kill_at"),
                        request.get("count_to"),
                    )
                    status = 0
                except BaseException:
                    traceback.print_exc()
                finally:
                    sys.stderr.flush()
                    os._exit(status)
            started.append((pid, request.get("kill_after")))
        ends = []
        for pid, kill_after in started:
            if kill_after is not None:
                time.sleep(kill_after)
                os.kill(pid, signal.SIGKILL)
            ends.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        print(json.dumps([number, ends]), flush=True)


Farm = Callable[..., list[int]]


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """Run tasks side by side in processes of their own; gives their exit codes."""
    log = tmp_path_factory.mktemp("farm") / "stderr"
    numbers = itertools.count()
    search = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, search))}
    with (
        log.open("w") as stderr,
        subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env=environment,
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None

        def run(*requests: dict[str, Any]) -> list[int]:
            assert process.stdin is not None
            assert process.stdout is not None
            number = next(numbers)
            process.stdin.write(json.dumps([number, requests]) + "\n")
            process.stdin.flush()
            answered, ends = None, []
            while answered != number:  # an answer to a test that has timed out is nobody's
                answered, ends = json.loads(process.stdout.readline())
            assert 1 not in ends, log.read_text()
            return ends

        assert process.stdout.readline() == "ready\n", log.read_text()
        yield run
        process.stdin.close()


def request(task: Callable[..., None], *arguments: Any, **how: Any) -> dict[str, Any]:
    """A task for the farm."""
    return {"task": task.__name__, "arguments": [*map(str, arguments[:2]), *arguments[2:]], **how}


def leftovers(folder: Path) -> list[Path]:
    """What killed writers have left behind."""
    return [path for path in folder.rglob("*") if ".partial-" in path.name]


def require_all_whole(path: Path, seen: set[str]) -> None:
    """Every layer that is listed and was not looked at before is complete."""
    store = open_store(path)
    for name in store:
        if name not in seen:
            require_whole(store[name], graph_of(name))


KILLED = -signal.SIGKILL


@pytest.mark.timeout(280)
def test_killed_writer__leaves_whole_layers_and_draws_at_25_moments(
    farm: Farm, tmp_path: Path
) -> None:
    path = tmp_path / "s.zarr"
    start = time.monotonic()
    farm(request(add_some, path, "dry", 2))
    longest = 1.5 * (time.monotonic() - start)  # of this machine, as busy as it is
    draw = random.Random(11)
    seen: set[str] = set()
    killed = 0
    for k in range(25):
        delay = draw.uniform(0.0, longest)
        ends = farm(request(add_some, path, f"run{k}", 1000, kill_after=delay))
        killed += ends == [KILLED]
        require_all_whole(path, seen)
        assert seen <= set(open_store(path))
        seen |= set(open_store(path))
    assert killed == 25
    assert len(seen) > 10
    open_store(path, "a")
    assert leftovers(path) == []
    require_all_whole(path, set())


@pytest.mark.timeout(280)
@pytest.mark.parametrize(("task", "n_kills"), [(add_some, 24), (replace_all, 16)])
def test_killed_writer__leaves_whole_layers_at_every_step(
    task: Callable[..., None], n_kills: int, farm: Farm, tmp_path: Path
) -> None:
    path, counter = tmp_path / "s.zarr", tmp_path / "count"
    farm(request(task, path, "dry", 2, count_to=str(counter)))
    n_steps = int(counter.read_text())
    counter.unlink()
    assert n_steps > 100
    left_behind = 0
    seen = set(open_store(path))
    for k, at in enumerate(np.linspace(1, n_steps - 5, n_kills).astype(int).tolist()):
        assert farm(request(task, path, f"run{k}", 2, kill_at=at)) == [KILLED]
        require_all_whole(path, seen)
        names = list(open_store(path))
        if task is replace_all:
            assert [name[-2:] for name in names] == ["-a", "-b", "-c"]
            assert len({name[:-2] for name in names}) == 1
            assert len(open_store(path)[names[2]].draws) == 1
        else:
            assert names[: len(seen)] == sorted(seen, key=names.index)
            assert seen <= set(names)
            seen |= set(names)
        left_behind += bool(leftovers(tmp_path))
    assert left_behind > n_kills // 3
    # The next writer of the same store sweeps them.
    farm(request(task, path, "last", 1))
    assert leftovers(tmp_path) == []
    assert [entry.name for entry in tmp_path.iterdir()] == ["s.zarr"]
    require_all_whole(path, set())


def test_sweep__leaves_alone_what_a_living_writer_works_on(path: Path) -> None:
    with new_store(path) as store:
        store.add("fc", graph_of("fc"))
        with new_store(path) as quicker:
            quicker.add("other", graph_of("other"))
        assert list(store) == ["fc"]
        require_whole(store["fc"], graph_of("fc"))
        assert leftovers(path.parent) != []
        shutil.rmtree(path)
    assert list(open_store(path)) == ["fc"]


def test_store_made_meanwhile__is_not_replaced_without_force(path: Path) -> None:
    def slower() -> None:
        with new_store(path) as store:
            store.add("mine", graph_of("mine"))
            open_store(path, "a").add("theirs", graph_of("theirs"))

    with pytest.raises(OutputExistsError, match="exists by now"):
        slower()
    assert list(open_store(path)) == ["theirs"]
    assert [entry.name for entry in path.parent.iterdir()] == ["layers.zarr"]


@pytest.mark.timeout(280)
def test_two_readers__see_whole_layers_while_one_writes(farm: Farm, tmp_path: Path) -> None:
    path, stop = tmp_path / "s.zarr", str(tmp_path / "stop")
    open_store(path, "a").add("first", graph_of("first"))
    ends = farm(
        request(read_until, path, stop),
        request(read_until, path, stop),
        request(add_then_stop, path, "more", 8, stop),
    )
    assert ends == [0, 0, 0]
    assert len(open_store(path)) == 9


@pytest.mark.timeout(280)
def test_two_writers__do_not_lose_or_mix_anything(farm: Farm, tmp_path: Path) -> None:
    for attempt in range(3):
        path = tmp_path / f"{attempt}.zarr"  # not there: both want to make it
        ends = farm(*(request(add_contested, path, prefix, 8) for prefix in ("left", "right")))
        assert ends == [0, 0]
        store = open_store(path)
        assert set(store) == {
            *(f"wanted-{k}" for k in range(0, 8, 2)),
            *(f"{prefix}-{k}" for prefix in ("left", "right") for k in range(1, 8, 2)),
        }
        numbers = [layer.provenance["number"] for layer in store.values()]
        assert numbers == list(range(12))
        require_all_whole(path, set())
        assert all(len(layer.draws) == 1 for layer in store.values())
    assert leftovers(tmp_path) == []


def test_store_class__is_what_open_store_gives(path: Path) -> None:
    assert isinstance(bipnet.open_store(path, "a"), Store)
    assert bipnet.Store is Store


if __name__ == "__main__":
    run_farm()
