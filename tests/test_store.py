"""The store: what is written comes back, damage is noticed, and a killed writer breaks nothing."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import scipy.sparse
import zarr

import bipnet
from bipnet import NULL_MODELS, SignedBipartiteGraph, new_store, open_store


def weights(
    shape: tuple[int, int] = (9, 6), seed: int = 0
) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Weights of both signs, a third of them missing."""
    rng = np.random.default_rng(seed)
    W = rng.normal(size=shape).astype(np.float32)
    W[rng.random(shape) < 1 / 3] = 0
    return W


GRAPHS: dict[str, Callable[[], SignedBipartiteGraph]] = {
    "dense": lambda: SignedBipartiteGraph(weights()),
    "csr": lambda: SignedBipartiteGraph(scipy.sparse.csr_array(weights())),
    "float16": lambda: SignedBipartiteGraph(weights().astype(np.float16)),
    "bfloat16": lambda: SignedBipartiteGraph(weights().astype(ml_dtypes.bfloat16)),
    "bfloat16 csr": lambda: SignedBipartiteGraph.from_csr(
        np.array([1, -2], ml_dtypes.bfloat16), [0, 3], [0, 1, 2], (2, 4)
    ),
    "float64": lambda: SignedBipartiteGraph(weights().astype(np.float64)),
    "int8": lambda: SignedBipartiteGraph((weights() * 40).astype(np.int8)),
    "bool": lambda: SignedBipartiteGraph(weights() > 0),
    "labels": lambda: SignedBipartiteGraph(
        [[1.0, -2.0], [0.0, 3.0]], left_labels=["a", "ä b"], right_labels=[3, 4]
    ),
    "no edges": lambda: SignedBipartiteGraph(np.zeros((3, 2))),
    "several chunks": lambda: SignedBipartiteGraph(weights((3000, 700))),
}


@pytest.mark.parametrize("kind", GRAPHS)
def test_store__gives_back_what_was_added(tmp_path: Path, kind: str) -> None:
    graph = GRAPHS[kind]()
    open_store(tmp_path / "s.zarr", "a").add("layer", graph)
    layer = open_store(tmp_path / "s.zarr")["layer"]
    assert layer.graph() == graph
    assert layer.graph().is_sparse == graph.is_sparse
    assert (layer.shape, layer.dtype, layer.n_edges) == (
        graph.shape,
        graph.dtype.name,
        graph.n_edges,
    )
    assert layer.positive_fraction == graph.positive_fraction
    for side in ("left", "right"):
        for sign in ("+", "-"):
            assert np.array_equal(layer.degrees(side, sign), graph.degrees(side, sign))
            assert np.array_equal(layer.strengths(side, sign), graph.strengths(side, sign))
    stop = graph.n_left
    part = layer.rows(stop // 2, stop)
    assert np.array_equal(part.to_array(), graph.to_array()[stop // 2 :])
    assert layer.provenance["checksum"] == graph.checksum()
    assert layer.provenance["bipnet_version"] == bipnet.__version__


def test_store__is_read_by_plain_zarr(tmp_path: Path) -> None:
    W = weights()
    open_store(tmp_path / "s.zarr", "a").add("fc1.weight", W)
    group = zarr.open_group(tmp_path / "s.zarr", mode="r", zarr_format=3)
    layer = group["layers/fc1.weight"]
    assert np.array_equal(layer["weights"][...], W)
    assert np.array_equal(layer["left/k_positive"][...], (W > 0).sum(axis=1))
    assert np.array_equal(layer["right/k_negative"][...], (W < 0).sum(axis=0))


@pytest.mark.parametrize("name", ["", "a/b", "..", ".", ".hidden", "%", "ü ~", "#0", "zarr.json"])
def test_store__takes_any_name(tmp_path: Path, name: str) -> None:
    with new_store(tmp_path / "s.zarr") as store:
        store.add("first", weights())
        store.add(name, weights(seed=1))
    store = open_store(tmp_path / "s.zarr")
    assert list(store) == ["first", name]
    assert np.array_equal(store[name].graph().to_array(), weights(seed=1))


def test_store__layers_never_change(tmp_path: Path) -> None:
    store = open_store(tmp_path / "s.zarr", "a")
    store.add("fc", weights())
    with pytest.raises(bipnet.OutputExistsError, match="layers never change"):
        store.add("fc", weights(seed=1))
    assert np.array_equal(store["fc"].graph().to_array(), weights())
    with pytest.raises(bipnet.InputError, match="mode='a'"):
        open_store(tmp_path / "s.zarr").add("other", weights())
    with pytest.raises(bipnet.LayerNotFoundError, match="it has: fc"):
        store["fd"]


# -- draws -------------------------------------------------------------------------------------


@pytest.mark.parametrize("null", NULL_MODELS)
@pytest.mark.parametrize("materialize", [False, True])
@pytest.mark.filterwarnings("ignore::bipnet.FrozenWarning")
def test_draw__comes_back_bit_for_bit(tmp_path: Path, null: str, materialize: bool) -> None:
    W = weights()
    layer = open_store(tmp_path / "s.zarr", "a").add("fc", W)
    seed = 2**127 + 5
    drawn = layer.draw(null, rng=seed, index=3, materialize=materialize)
    assert np.array_equal(drawn.to_array(), bipnet.randomize(W, null, rng=seed, index=3, name="fc"))
    layer.draw(null, rng=seed, index=3, materialize=materialize)
    (stored,) = open_store(tmp_path / "s.zarr")["fc"].draws
    assert stored.materialized == materialize
    assert stored.graph() == drawn
    assert bipnet.verify(W, stored.graph(), null).ok


def test_draw__a_recipe_may_be_materialised_later(tmp_path: Path) -> None:
    layer = open_store(tmp_path / "s.zarr", "a").add("fc", weights())
    sequence = np.random.SeedSequence([1, 2]).spawn(3)[2]
    first = layer.draw("G", rng=sequence, method="swap", steps=40)
    assert not layer.draws[0].materialized
    layer.draw("G", rng=sequence, method="swap", steps=40, materialize=True)
    (stored,) = layer.draws
    assert stored.materialized
    assert stored.graph() == first == stored.recipe.make(layer.graph())
    assert (stored.recipe.method, stored.recipe.steps) == ("swap", 40)


def test_draw__of_other_random_streams_is_refused(tmp_path: Path) -> None:
    layer = open_store(tmp_path / "s.zarr", "a").add("fc", weights())
    layer.draw("A", rng=1)
    (metadata,) = (tmp_path / "s.zarr").glob("layers/fc/draws/*/zarr.json")
    content = json.loads(metadata.read_text())
    content["attributes"]["stream_version"] = 99
    metadata.write_text(json.dumps(content))
    with pytest.raises(bipnet.InputError, match="version 99"):
        layer.draws[0].graph()


# -- damage ------------------------------------------------------------------------------------


def _damage(folder: Path, what: str) -> None:
    layer = folder / "layers" / "fc"
    chunk = layer / "weights" / "c" / "0" / "0"
    if what == "chunk deleted":
        chunk.unlink()
    elif what == "chunk cut":
        chunk.write_bytes(chunk.read_bytes()[:-5])
    elif what == "bit flipped":
        content = bytearray(chunk.read_bytes())
        content[len(content) // 2] ^= 4
        chunk.write_bytes(content)
    elif what == "array deleted":
        (layer / "weights" / "zarr.json").unlink()
    elif what == "layer metadata deleted":
        (layer / "zarr.json").unlink()
    elif what == "layer metadata cut":
        (layer / "zarr.json").write_text("{")
    elif what == "index deleted":
        (layer / "left" / "k_positive" / "zarr.json").unlink()
    elif what == "root metadata cut":
        (folder / "zarr.json").write_text("{")
    elif what == "layers deleted":
        (folder / "layers").rename(folder / "gone")
    elif what == "newer format":
        content = json.loads((folder / "zarr.json").read_text())
        content["attributes"]["format_version"] = 99
        (folder / "zarr.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    "what",
    [
        "chunk deleted",
        "chunk cut",
        "bit flipped",
        "array deleted",
        "layer metadata deleted",
        "layer metadata cut",
        "index deleted",
        "root metadata cut",
        "layers deleted",
        "newer format",
    ],
)
def test_damage__is_noticed(tmp_path: Path, what: str) -> None:
    with new_store(tmp_path / "s.zarr") as store:
        store.add("fc", weights())
    _damage(tmp_path / "s.zarr", what)
    with pytest.raises(bipnet.FileFormatError):
        _read_everything(tmp_path / "s.zarr")


def _read_everything(path: Path) -> int:
    """Read all layers, indices and draws of a store; give the number of layers."""
    store = open_store(path)
    for name in store:
        layer = store[name]
        graph = layer.graph()
        assert np.array_equal(layer.degrees("left", "+"), graph.degrees("left", "+"))
        for draw in layer.draws:
            assert draw.graph().n_edges == graph.n_edges
    return len(store)


def test_open__says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    zarr.create_group(tmp_path / "foreign.zarr")
    with pytest.raises(bipnet.MissingFileError, match="no such store"):
        open_store(tmp_path / "nothing")
    for name in ("file", "empty", "foreign.zarr"):
        with pytest.raises(bipnet.FileFormatError, match="not a"):
            open_store(tmp_path / name)


def test_new_store__an_error_leaves_things_as_they_were(tmp_path: Path) -> None:
    def fails(force: bool) -> None:
        with new_store(tmp_path / "s.zarr", force=force) as store:
            store.add("fb", weights())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails(force=False)
    assert list(tmp_path.iterdir()) == []
    with new_store(tmp_path / "s.zarr") as store:
        store.add("fc", weights())
    with pytest.raises(ZeroDivisionError):
        fails(force=True)
    assert list(open_store(tmp_path / "s.zarr")) == ["fc"]
    (tmp_path / "other").mkdir()
    with (
        pytest.raises(bipnet.OutputExistsError, match="no bipnet store"),
        new_store(tmp_path / "other", force=True),
    ):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"s.zarr", "other"}


# -- killed writers, readers beside writers ----------------------------------------------------

WRITER = """
import sys
import numpy as np
import bipnet
from bipnet import new_store, open_store
path, how, start = sys.argv[1], sys.argv[2], int(sys.argv[3])
rng = np.random.default_rng(start)
bipnet.randomize(np.ones((2, 3)) * [1, -1, 2], "A", rng=1)  # what is slow the first time
bipnet.SignedBipartiteGraph([[1.0]]).n_edges
print("ready", flush=True)
for i in range(start, start + 10_000):
    W = rng.normal(size=(60, 40)).astype(np.float32)
    if how == "add":
        layer = open_store(path, "a").add(f"layer{i}", W)
        layer.draw("B", rng=i)
        layer.draw("A", rng=i, materialize=True)
    else:
        with new_store(path, force=True) as store:
            store.add("a", W)
            store.add("b", -W).draw("A", rng=i)
"""


def _writer(path: Path, how: str, start: int) -> subprocess.Popen[str]:
    writer = subprocess.Popen(
        [sys.executable, "-P", "-c", WRITER, str(path), how, str(start)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == "ready\n"
    return writer


def _kill(writer: subprocess.Popen[str]) -> None:
    writer.send_signal(signal.SIGKILL)
    writer.communicate()


@pytest.mark.parametrize("how", ["add", "replace"])
def test_kill__leaves_the_store_as_it_was_or_complete(tmp_path: Path, how: str) -> None:
    path = tmp_path / "s.zarr"
    with new_store(path) as store:
        store.add("a", weights())
        store.add("b", weights(seed=1))
    delays = random.Random(7)
    n_before = 2
    for attempt in range(12):
        writer = _writer(path, how, 10_000 * attempt)
        time.sleep(delays.uniform(0.0, 0.5))
        _kill(writer)
        n_layers = _read_everything(path)
        assert n_layers >= n_before if how == "add" else n_layers == 2
        n_before = n_layers if how == "add" else 2
    assert how == "replace" or n_before > 2
    if how == "add":
        open_store(path, "a")
        assert not list(path.rglob(".partial-*"))


def test_readers__see_whole_layers_while_one_writes(tmp_path: Path) -> None:
    path = tmp_path / "s.zarr"
    open_store(path, "a").add("first", weights())
    writer = _writer(path, "add", 0)
    try:
        counts = []
        end = time.monotonic() + 4
        while time.monotonic() < end:
            counts.append(_read_everything(path))
    finally:
        _kill(writer)
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]
