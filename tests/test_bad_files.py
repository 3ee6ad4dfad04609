"""Files that are damaged, foreign, dangerous or too large, and outputs that cannot be written.

Whatever is wrong: one of bipnet's own errors says so, and nothing is lost or half-written.
"""

from __future__ import annotations

import errno
import io
import json
import os
import pickle
import random
import shutil
import struct
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import psutil
import pytest
import scipy.io
import scipy.sparse
import torch
from safetensors.numpy import save_file
from torch import nn

import bipnet
from bipnet import FileFormatError, SignedBipartiteGraph, TooLargeError, _atomic
from bipnet.convert import SUFFIXES, Source, open_source, save_graph
from bipnet.torch.files import StateDictSource

RNG = np.random.default_rng(20240302)
W = RNG.normal(size=(6, 5))
SPARSE = scipy.sparse.random_array((7, 6), density=0.5, rng=RNG).tocsr()

# torch warns, besides, of some damaged legacy files.
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:torch"),
    pytest.mark.filterwarnings("ignore::bipnet.ExplicitZeroWarning"),
]


def opened(path: Path) -> Source:
    """Any file, as the command line opens it."""
    if path.suffix in (".pt", ".pth"):
        return StateDictSource(path)
    return open_source(path)


def read_all(path: Path) -> list[SignedBipartiteGraph]:
    """Every layer of a file."""
    source = opened(path)
    return [source.read(layer) for layer in source.layers]


def edge_list(path: Path) -> None:
    """A labelled edge list with header."""
    delimiter = "," if path.suffix == ".csv" else "\t"
    rows = [(f"n{i}", f"m{j}", repr(float(W[i, j]))) for i in range(6) for j in range(5)]
    lines = [delimiter.join(row) for row in [("left", "right", "weight"), *rows]]
    path.write_text("\n".join(lines) + "\n")


def state() -> dict[str, torch.Tensor]:
    """A small state dict."""
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(5, 4), nn.Linear(4, 3)).state_dict()


GOOD: dict[str, Callable[[Path], object]] = {
    "w.npy": lambda path: np.save(path, W),
    "w.npz": lambda path: np.savez(path, W=W, b=np.ones(3)),
    "packed.npz": lambda path: np.savez_compressed(path, W=W, b=np.ones(3)),
    "csr.npz": lambda path: scipy.sparse.save_npz(path, SPARSE),
    "coo.npz": lambda path: scipy.sparse.save_npz(path, SPARSE.tocoo()),
    "array.mtx": lambda path: scipy.io.mmwrite(path, W, comment="some\nlines"),
    "coordinate.mtx": lambda path: scipy.io.mmwrite(path, SPARSE),
    "w.csv": edge_list,
    "w.tsv": edge_list,
    "w.graphml": lambda path: save_graph(SignedBipartiteGraph(SPARSE), path),
    "w.konect": lambda path: save_graph(SignedBipartiteGraph(SPARSE), path),
    "w.safetensors": lambda path: save_file(
        {"a.weight": W.astype("f4"), "b.weight": W.astype("f2"), "a.bias": W[0]}, path
    ),
    "w.pt": lambda path: torch.save(state(), path),
    "legacy.pt": lambda path: torch.save(state(), path, _use_new_zipfile_serialization=False),
}
TEXTS = ("w.mtx", "w.csv", "w.graphml", "w.konect")
each_file = pytest.mark.parametrize("name", GOOD)


def content(name: str, folder: Path) -> bytes:
    """The bytes of a good file."""
    GOOD[name](folder / name)
    return (folder / name).read_bytes()


def test_good_files__are_good_to_begin_with(tmp_path: Path) -> None:
    for name, write in GOOD.items():
        write(tmp_path / name)
        assert read_all(tmp_path / name), name
    assert {Path(name).suffix for name in GOOD} == {*SUFFIXES, ".pt"} - {".tab"}


# -- damaged -----------------------------------------------------------------------------------


def outcome(path: Path) -> str:
    """ "read" or the message of the error; any error but bipnet's own goes through."""
    message = "read"
    try:
        read_all(path)
    except (FileFormatError, bipnet.InputError, TooLargeError) as error:
        message = str(error)
    assert message == "read" or str(path) in message
    assert "\n" not in message
    return message


@pytest.mark.timeout(60)
@each_file
def test_truncated_file__is_said_to_be_unreadable(name: str, tmp_path: Path) -> None:
    data = content(name, tmp_path)
    path = tmp_path / f"cut-{name}"
    ends = {*range(0, len(data), max(1, len(data) // 60)), *range(1, 12), len(data) - 1}
    results = {}
    for end in sorted(ends):
        path.write_bytes(data[:end])
        results[end] = outcome(path)
    readable = {end for end, result in results.items() if result == "read"}
    last_line = data.rindex(b"\n", 0, len(data) - 1)
    if path.suffix == ".graphml":
        assert readable == {len(data) - 1}  # complete without its last line break
    elif path.suffix in (
        ".mtx",
        ".konect",
    ):  # complete without its last line break, or with a shorter number
        assert readable <= {end for end in ends if end > last_line}
        assert len(data) - 1 in readable
    elif path.suffix in (".csv", ".tsv"):  # any whole line will do
        assert readable == {end for end in ends if ends_with_an_edge(data[:end].decode())}
    else:
        assert readable == set()
    assert results[0] == f"{path} is empty" or path.suffix == ".pt"


def ends_with_an_edge(text: str) -> bool:
    """Whether an edge list, cut here, ends with all three fields of an edge."""
    lines = text.replace("\t", ",").splitlines()[1:]
    if not lines:
        return False
    *nodes, weight = lines[-1].split(",")
    return len(nodes) == 2 and weight not in ("", "-") and weight[-1] not in "e-"


@pytest.mark.timeout(60)
@each_file
@pytest.mark.parametrize("seed", range(3))
def test_damaged_file__is_read_or_said_to_be_damaged(name: str, seed: int, tmp_path: Path) -> None:
    data = content(name, tmp_path)
    path = tmp_path / f"damaged-{name}"
    draw = random.Random(f"{name} {seed}")
    results = []
    for _ in range(60):
        damaged = bytearray(data)
        at = draw.randrange(len(data))
        if draw.random() < 0.4:
            damaged[at] ^= 1 << draw.randrange(8)
        elif draw.random() < 0.5:
            damaged[at : at + draw.randrange(1, 16)] = draw.randbytes(draw.randrange(16))
        else:
            for _ in range(8):
                damaged[draw.randrange(len(data))] = draw.randrange(256)
        path.write_bytes(damaged)
        results.append(outcome(path))
    assert set(results) != {"read"}


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".pt", ".pth"])
@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"\0",
        b"\0" * 4096,
        b"PK\x03\x04",
        b"\x93NUMPY",
        b"\x80\x02.",
        b"%%",
        b"\n\n",
        b'{"a":1}',
    ],
    ids=["empty", "NUL", "NULs", "zip", "npy", "pickle", "percent", "blank", "json"],
)
def test_junk__is_refused_under_every_ending(suffix: str, junk: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"junk{suffix}"
    path.write_bytes(junk)
    with pytest.raises(FileFormatError) as error:
        read_all(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("name", [*TEXTS, "w.npy", "w.npz", "w.safetensors", "w.pt"])
@pytest.mark.parametrize(
    "real", ["w.npy", "packed.npz", "array.mtx", "w.graphml", "w.konect", "w.safetensors", "w.pt"]
)
def test_file_under_another_ending__is_not_taken_for_it(
    name: str, real: str, tmp_path: Path
) -> None:
    data = content(real, tmp_path)
    path = tmp_path / f"misnamed-{name}"
    path.write_bytes(data)
    if Path(name).suffix == Path(real).suffix:
        assert read_all(path)
    else:
        with pytest.raises((FileFormatError, bipnet.InputError), match="misnamed"):
            read_all(path)


@pytest.mark.parametrize(
    "body",
    [
        "array real general\n2 1\n1\n5.4E-",
        "array real general\n2 1\n1\n2\0\0\n",
        "array real general\n2 1\n1\n1.5D+02\n",
        "array real general\n2 1\n1\n2x\n",
        "array real general\n2 1\n1\n2\n3\n",
        "array real general\n2 1\n1 2\n",
        "array real general\n2\n1\n2\n",
        "array real general\n-2 -1\n1\n2\n",
        "array real symmetric\n2 3\n1\n2\n3\n",
        "array pattern general\n1 1\n1\n",
        "array integer general\n1 1\n1.5\n",
        "array integer general\n1 1\n9223372036854775808\n",
        "coordinate real general\n2 2 1\n3 1 5.0\n",
        "coordinate real general\n2 2 1\n0 1 5.0\n",
        "coordinate real general\n2 2 1\n1 -1 5.0\n",
        "coordinate real general\n2 2 1\n1 1\n",
        "coordinate real general\n2 2 2\n1 1 5.0\n",
        "coordinate real general\n2 2 1\n1 1 5.0\n2 2 5.0\n",
        "coordinate real hermitian\n2 2 1\n1 1 5.0\n",
        "vector real general\n2\n1\n",
        "array real general\n",
        "array real",
    ],
)
def test_matrix_market__that_breaks_its_own_rules_is_refused(body: str, tmp_path: Path) -> None:
    # Some of these crash the interpreter, or are read wrong, where scipy reads them.
    path = tmp_path / "w.mtx"
    path.write_text(f"%%MatrixMarket matrix {body}")
    with pytest.raises(FileFormatError, match="is not a readable Matrix Market file"):
        read_all(path)


# -- not there, or not a file ------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".pt", ".gguf", ".odd", ""])
def test_missing_file__is_said_to_be_missing(suffix: str, tmp_path: Path) -> None:
    with pytest.raises(bipnet.MissingFileError, match=r"no such file: .*nowhere"):
        opened(tmp_path / f"nowhere{suffix}")


@pytest.mark.parametrize("name", ["w.npy", "w.pt", "w.safetensors", "w.csv", "w"])
def test_folder__is_no_file(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises((FileFormatError, bipnet.MissingFileError), match=name):
        opened(tmp_path / name)


@pytest.mark.parametrize(
    ("suffix", "word"),
    [
        (".gguf", "GGUF files hold quantised weights"),
        (".ggml", "quantised"),
        (".pkl", "pickles can execute code"),
        (".bin", "pickle"),
        (".h5", "HDF5"),
        (".onnx", "ONNX"),
        (".odd", "unknown kind of file '.odd'"),
        ("", "unknown kind of file ''"),
    ],
)
def test_foreign_format__is_refused_by_name(suffix: str, word: str, tmp_path: Path) -> None:
    path = tmp_path / f"w{suffix}"
    path.write_bytes(b"GGUF\x03\0\0\0")
    with pytest.raises(FileFormatError, match=word):
        opened(path)


def test_gguf_under_another_name__is_refused(tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(b"GGUF\x03\0\0\0" + bytes(64))
    with pytest.raises(FileFormatError, match="not a readable safetensors file"):
        opened(tmp_path / "w.safetensors")


# -- pickles -----------------------------------------------------------------------------------


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self.path), "w")


def pickled_zip(path: Path, payload: object) -> None:
    """An archive as ``torch.save`` writes it, around any pickle."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(payload, protocol=2))
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/byteorder", "little")


DANGEROUS: dict[str, Callable[[Path, Payload], object]] = {
    "torch.pt": lambda path, payload: torch.save(
        {"a.weight": torch.ones(2, 2), "x": payload}, path
    ),
    "legacy.pt": lambda path, payload: torch.save(
        {"a.weight": torch.ones(2, 2), "x": payload}, path, _use_new_zipfile_serialization=False
    ),
    "zip.pth": pickled_zip,
    "plain.pt": lambda path, payload: path.write_bytes(pickle.dumps(payload)),
    "text.pt": lambda path, payload: path.write_bytes(pickle.dumps(payload, protocol=0)),
    "plain.pkl": lambda path, payload: path.write_bytes(pickle.dumps(payload)),
    "plain.bin": lambda path, payload: path.write_bytes(pickle.dumps(payload)),
    "plain.npy": lambda path, payload: path.write_bytes(pickle.dumps(payload)),
    "plain.npz": lambda path, payload: path.write_bytes(pickle.dumps(payload)),
    "plain.safetensors": lambda path, payload: path.write_bytes(pickle.dumps(payload)),
    "plain.mtx": lambda path, payload: path.write_bytes(pickle.dumps(payload, protocol=0)),
    "plain.csv": lambda path, payload: path.write_bytes(pickle.dumps(payload, protocol=0)),
    "objects.npy": lambda path, payload: np.save(
        path, np.array([[payload, 1]], dtype=object), allow_pickle=True
    ),
    "objects.npz": lambda path, payload: np.savez(
        path, W=np.ones((2, 2)), x=np.array([payload], dtype=object)
    ),
    "sparse.npz": lambda path, payload: np.savez(
        path, format=np.array([payload], dtype=object), shape=(2, 2), data=[1.0], row=[0], col=[0]
    ),
}


@pytest.mark.parametrize("name", DANGEROUS)
def test_pickle__is_refused_and_never_run(name: str, tmp_path: Path) -> None:
    created = tmp_path / "created"
    DANGEROUS[name](tmp_path / name, Payload(created))
    with pytest.raises(FileFormatError, match=name):
        read_all(tmp_path / name)
    assert not created.exists()


def test_npy__of_objects_says_that_they_are_pickled(tmp_path: Path) -> None:
    np.save(tmp_path / "w.npy", np.array([[1, None]], dtype=object), allow_pickle=True)
    with pytest.raises(FileFormatError, match=r"w\.npy holds pickled Python objects"):
        opened(tmp_path / "w.npy")


@pytest.mark.parametrize("name", ["w.npy", "w.npz", "objects.npz", "sparse.npz"])
def test_numpy__advice_to_unpickle_is_never_passed_on(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if name in DANGEROUS:
        DANGEROUS[name](path, Payload(tmp_path / "created"))
    else:
        path.write_text("x,y\n1,2\n")
    with pytest.raises(FileFormatError, match=name) as error:
        read_all(path)
    assert "allow_pickle" not in str(error.value)


def test_payload__would_have_run(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Payload(tmp_path / "created"))).close()
    assert (tmp_path / "created").exists()


def test_whole_pickled_model__is_refused_with_what_to_save_instead(tmp_path: Path) -> None:
    torch.save(nn.Linear(3, 2), tmp_path / "w.pt")
    with pytest.raises(FileFormatError, match=r"could execute code.*model\.state_dict\(\)"):
        opened(tmp_path / "w.pt")


@pytest.mark.parametrize("value", [{"a": 1, "b": "c"}, {}, [1, 2], 3, "text", None])
def test_pt__without_tensors_says_what_it_holds(value: Any, tmp_path: Path) -> None:
    torch.save(value, tmp_path / "w.pt")
    with pytest.raises(FileFormatError, match=r"no state dict|not a state dict"):
        opened(tmp_path / "w.pt")


# -- quantised, and other weights that are none ------------------------------------------------


def refused(source: Source, name: str) -> str:
    """The message with which reading a layer is refused."""
    layer = next(layer for layer in source.layers if layer.name == name)
    with pytest.raises(bipnet.DTypeError) as error:
        source.read(layer)
    assert name in str(error.value)
    return str(error.value)


def write_raw(path: Path, dtype: str, shape: list[int], n_bytes: int) -> None:
    """A safetensors file with one tensor of zeros of any dtype."""
    entry = {"dtype": dtype, "shape": shape, "data_offsets": [0, n_bytes]}
    header = json.dumps({"a.weight": entry}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(n_bytes))


@pytest.mark.parametrize(
    ("dtype", "n_bytes", "word"),
    [
        ("F8_E4M3", 16, "float8_e4m3fn"),
        ("F8_E5M2", 16, "float8_e5m2"),
        ("F8_E8M0", 16, "float8_e8m0fnu"),
        ("F4", 8, "float4_e2m1fn"),
        ("F6_E2M3", 12, "float6_e2m3fn"),
        ("I8", 16, "packed or 8-bit integers"),
        ("U8", 16, "packed or 8-bit integers"),
        ("C64", 128, "complex64"),
    ],
)
def test_safetensors__of_a_quantised_dtype_is_refused_by_name(
    dtype: str, n_bytes: int, word: str, tmp_path: Path
) -> None:
    path = tmp_path / "w.safetensors"
    write_raw(path, dtype, [4, 4], n_bytes)
    source = opened(path)
    assert source.layers[0].by_default
    assert word in refused(source, "a.weight")


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2, torch.complex64])
def test_pt__of_a_quantised_dtype_is_refused_by_name(dtype: torch.dtype, tmp_path: Path) -> None:
    torch.save({"a.weight": torch.ones(4, 4).to(dtype)}, tmp_path / "w.pt")
    message = refused(opened(tmp_path / "w.pt"), "a.weight")
    assert str(dtype).removeprefix("torch.") in message


@pytest.mark.parametrize(
    ("tensors", "name"),
    [
        ({"q.qweight": np.ones((4, 4), "i4"), "q.scales": np.ones((2, 4), "f2")}, "q.qweight"),
        ({"q.weight_packed": np.ones((4, 4), "i4")}, "q.weight_packed"),
        ({"q.weight": np.ones((8, 1), "u1"), "q.weight.absmax": np.ones(3, "f4")}, "q.weight"),
        ({"q.weight": np.ones((4, 4), "i1"), "q.SCB": np.ones(4, "f4")}, "q.weight"),
    ],
    ids=["GPTQ", "compressed-tensors", "bitsandbytes 4 bit", "bitsandbytes 8 bit"],
)
@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_packed_weights__are_refused_and_not_skipped(
    tensors: dict[str, Any], name: str, suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"w{suffix}"
    if suffix == ".pt":
        torch.save({key: torch.from_numpy(value) for key, value in tensors.items()}, path)
    else:
        save_file(tensors, path)
    source = opened(path)
    assert next(layer for layer in source.layers if layer.name == name).by_default
    assert "dequantise the model to bfloat16 first" in refused(source, name)


def test_pt__with_tensors_that_have_no_plain_values_says_so(tmp_path: Path) -> None:
    torch.save(
        {
            "sparse.weight": torch.eye(3).to_sparse(),
            "meta.weight": torch.empty(3, 2, device="meta"),
            "plain.weight": torch.ones(2, 2),
        },
        tmp_path / "w.pt",
    )
    source = opened(tmp_path / "w.pt")
    layers = {layer.name: layer for layer in source.layers}
    assert source.read(layers["plain.weight"]).n_edges == 4
    with pytest.raises(bipnet.DTypeError, match="sparse torch tensor"):
        source.read(layers["sparse.weight"])
    with pytest.raises(bipnet.InputError, match="meta device"):
        source.read(layers["meta.weight"])


def test_expanded_tensor__cannot_be_changed_weight_by_weight(tmp_path: Path) -> None:
    torch.save({"a.weight": torch.ones(1, 3).expand(4, 3)}, tmp_path / "w.pt")
    source = opened(tmp_path / "w.pt")
    layer = source.layers[0]

    def write() -> None:
        with source.writer(tmp_path / "out.pt", force=False) as writer:
            writer.put(layer, source.read(layer))

    with pytest.raises(bipnet.InputError, match="expanded tensor"):
        write()
    assert [path.name for path in tmp_path.iterdir()] == ["w.pt"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_nan_and_infinity__are_refused_with_file_layer_and_position(
    value: float, dtype: str, tmp_path: Path
) -> None:
    V = W.astype(dtype)
    V[4, 3] = value
    np.save(tmp_path / "w.npy", V)
    np.savez(tmp_path / "w.npz", fine=W, bad=V)
    save_file({"fc.weight": V}, tmp_path / "w.safetensors")
    torch.save({"fc.weight": torch.from_numpy(V)}, tmp_path / "w.pt")
    where = {
        "w.npy": ("[4, 3]",),
        "w.npz": ("bad", "[4, 3]"),
        # Left nodes are the inputs: the position is that in the graph.
        "w.safetensors": ("fc.weight", "[3, 4]"),
        "w.pt": ("fc.weight", "[3, 4]"),
    }
    if dtype == "float64":
        scipy.io.mmwrite(tmp_path / "w.mtx", V)
        where["w.mtx"] = ("[4, 3]",)
    for name, parts in where.items():
        with pytest.raises(bipnet.InputError) as error:
            read_all(tmp_path / name)
        message = str(error.value)
        assert all(part in message for part in (name, f"is {value}", *parts)), message


def test_nan_of_a_sparse_file__is_refused_with_its_position(tmp_path: Path) -> None:
    matrix = scipy.sparse.csr_array(([1.0, np.nan], ([0, 2], [1, 0])), shape=(3, 2))
    scipy.sparse.save_npz(tmp_path / "w.npz", matrix)
    scipy.io.mmwrite(tmp_path / "w.mtx", matrix)
    for name in ("w.npz", "w.mtx"):
        with pytest.raises(bipnet.InputError, match=rf"{name}.*\[2, 0\] is nan"):
            read_all(tmp_path / name)


@pytest.mark.parametrize(
    ("array", "word"),
    [
        (np.ones(3), "two dimensions"),
        (np.ones((2, 2, 2)), "two dimensions"),
        (np.float64(1), "two dimensions"),
        (np.ones((0, 3)), "no rows"),
        (np.ones((3, 0)), "no columns"),
        (np.ones((2, 2), complex), "complex"),
        (np.array([["a", "b"]]), "bipnet takes"),
        (np.ones((2, 2), ml_dtypes.bfloat16), "cannot name bfloat16"),
        (np.ones((2, 2), "datetime64[s]"), "bipnet takes"),
        (np.ones((2, 2), np.longdouble), "bipnet takes"),
    ],
)
def test_npy__of_no_matrix_is_refused(array: Any, word: str, tmp_path: Path) -> None:
    np.save(tmp_path / "w.npy", array)
    with pytest.raises((bipnet.BipnetError), match=word) as error:
        read_all(tmp_path / "w.npy")
    assert "w.npy" in str(error.value)


def test_npz__without_a_matrix_says_what_is_in_it(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", b=np.ones(3), stack=np.ones((2, 3, 4)))
    np.savez(tmp_path / "none.npz")
    with pytest.raises(bipnet.InputError, match=r"b is not a matrix: shape \(3,\); stack is"):
        opened(tmp_path / "w.npz")
    with pytest.raises(bipnet.InputError, match="it is empty"):
        opened(tmp_path / "none.npz")


@pytest.mark.parametrize("name", ["w.npz", "w.mtx"])
def test_duplicate_entries__are_refused_and_not_added_up(name: str, tmp_path: Path) -> None:
    matrix = scipy.sparse.coo_array(([1.0, 2.0], ([1, 1], [0, 0])), shape=(3, 2))
    save = scipy.sparse.save_npz if name == "w.npz" else scipy.io.mmwrite
    save(tmp_path / name, matrix)
    with pytest.raises(bipnet.InputError, match=rf"{name}.*more than one entry for \[1, 0\]"):
        opened(tmp_path / name)


# -- edge lists --------------------------------------------------------------------------------

BAD_LISTS: dict[str, tuple[bytes, str]] = {
    "two columns": (b"a,x,1\nb,y\n", r"line 2: wanted three fields .* got 2"),
    "four columns": (b"l,r,w\na,x,1\nb,y,2,3\n", r"line 3: wanted three fields .* got 4"),
    "semicolons": (b"a;x;1\n", r"line 1: wanted three fields .* got 1"),
    "no number": (b"l,r,w\na,x,1\nb,y,two\n", r"line 3: the weight 'two' is no number"),
    "underscore": (b"a,x,1\nb,y,1_000\n", r"line 2: the weight '1_000' is no number"),
    "no weight": (b"a,x,1\nb,y,\n", r"line 2: the weight '' is no number"),
    "second header": (b"l,r,w\nl,r,w\n", r"line 2: the weight 'w' is no number"),
    "nan": (b"l,r,w\na,x,1\nb,x,nan\n", r"line 3: the weight is nan, not finite"),
    "nan first": (b"a,x,nan\n", r"line 1: the weight is nan, not finite"),
    "infinite": (b"a,x,-inf\n", r"line 1: the weight is -inf, not finite"),
    "too large": (b"a,x,1\nb,y,1e999\n", r"line 2: the weight is 1e999, not finite"),
    "duplicate": (b"a,x,1\nb,x,2\n\na,x,3\n", r"line 4: the edge a - x stands in line 1"),
    "open quote": (b'a,x,1\n"b,y,2\n', r"line 2: unexpected end of data"),
    "quote inside": (b'a,x,1\n"b"c,y,2\n', r"line 2: ',' expected after '\"'"),
    "not UTF-8": ("a,x,1\nb,\xe9,2\n".encode("latin-1"), "utf-8"),
    "UTF-16": ("a,x,1\n".encode("utf-16"), "utf-8"),
    "no edges": (b"left,right,weight\n", "has no edges"),
    "blank": (b"\n \n", "has no edges"),
    "beyond 64 bits": (b"a,x,9223372036854775808\n", "does not fit into 64 bits"),
    "far beyond": (b"a,x,0.5\nb,x," + b"9" * 400 + b"\n", "w.csv"),
}


@pytest.mark.parametrize(("text", "message"), BAD_LISTS.values(), ids=BAD_LISTS)
def test_edge_list__says_in_which_line_it_is_wrong(
    text: bytes, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "w.csv"
    path.write_bytes(text)
    with pytest.raises(FileFormatError, match=message) as error:
        opened(path)
    assert str(path) in str(error.value)


# -- too large ---------------------------------------------------------------------------------

HUGE = 10**7


def npy_header(shape: tuple[int, ...]) -> bytes:
    """The beginning of a .npy file of float64."""
    stream = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue()


def huge_npz(path: Path) -> None:
    """An archive whose member claims to be huge, without its values."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("W.npy", npy_header((HUGE, HUGE)))


def huge_sparse_npz(path: Path) -> None:
    """Few entries in a matrix with more rows than memory has bytes."""
    np.savez(path, format=b"coo", shape=(10**13, 2), data=[1.0], row=[0], col=[0])


def market(sizes: str) -> Callable[[Path], object]:
    """A Matrix Market file with one entry, whatever its sizes say."""
    form = "array" if sizes.count(" ") == 1 else "coordinate"
    text = f"%%MatrixMarket matrix {form} real general\n{sizes}\n1 1 5.0\n"
    return lambda path: path.write_text(text)


TOO_LARGE: dict[str, Callable[[Path], object]] = {
    "w.npz": huge_npz,
    "sparse.npz": huge_sparse_npz,
    "array.mtx": market(f"{HUGE} {HUGE}"),
    "entries.mtx": market(f"3 3 {HUGE**2}"),
    "rows.mtx": market(f"{HUGE**2} 3 1"),
    "columns.mtx": market(f"3 {HUGE**2} 1"),
    "beyond.mtx": market(f"{2**64} {2**64}"),
}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_header_of_a_matrix_larger_than_memory__is_refused_before_allocating(
    name: str, tmp_path: Path
) -> None:
    TOO_LARGE[name](tmp_path / name)
    with pytest.raises(TooLargeError, match=name):
        opened(tmp_path / name)


@pytest.mark.parametrize("name", ["w.npy", "w.safetensors", "w.pt"])
def test_file_larger_than_memory__is_refused_with_what_is_needed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A file of holes: it claims 80 MB and takes no space.
    path, n = tmp_path / name, 10**7
    if name == "w.npy":
        path.write_bytes(npy_header((n, 1)))
    elif name == "w.safetensors":
        write_raw(path, "F64", [n, 1], 8 * n)
    else:
        torch.save({"a.weight": torch.ones(2, 2)}, path)
    os.truncate(path, max(path.stat().st_size, 8 * n + 128 * (name == "w.npy")))
    memory = psutil.virtual_memory()._replace(available=10**7)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    with pytest.raises(TooLargeError, match=r"needs 80\.0 MB of memory and 10\.0 MB are free"):
        read_all(path)


def test_npy__shorter_than_its_header_says_is_refused_before_allocating(tmp_path: Path) -> None:
    (tmp_path / "w.npy").write_bytes(npy_header((HUGE, HUGE)) + bytes(8))
    with pytest.raises(FileFormatError, match=r"not a readable .npy file"):
        opened(tmp_path / "w.npy")


# -- formats that cannot hold a dtype ----------------------------------------------------------


@pytest.mark.parametrize(
    ("suffix", "dtype"),
    [
        *[
            (suffix, dtype)
            for suffix in (".mtx", ".csv", ".tsv")
            for dtype in ("f2", "f4", "i4", "?")
        ],
        (".csv", "u8"),
        *[(suffix, ml_dtypes.bfloat16) for suffix in (".npy", ".npz", ".mtx", ".csv")],
    ],
)
def test_dtype_a_format_cannot_hold__is_refused_and_not_converted(
    suffix: str, dtype: Any, tmp_path: Path
) -> None:
    graph = SignedBipartiteGraph(np.ones((2, 2), dtype=dtype))
    with pytest.raises(bipnet.DTypeError, match="cannot hold") as error:
        save_graph(graph, tmp_path / f"w{suffix}")
    assert graph.dtype.name in str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("dtype", ["f2", ml_dtypes.bfloat16])
def test_sparse_half_floats__cannot_be_written_as_scipy_sparse(dtype: Any, tmp_path: Path) -> None:
    graph = SignedBipartiteGraph.from_csr(np.ones(1, dtype), [0], [0, 1], (1, 2))
    with pytest.raises(bipnet.DTypeError, match=graph.dtype.name):
        save_graph(graph, tmp_path / "w.npz")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".odd", ""])
def test_save_graph__names_the_endings_it_writes(suffix: str, tmp_path: Path) -> None:
    with pytest.raises(
        FileFormatError, match=r"\.npy, \.npz, \.mtx, \.csv, \.tsv, \.graphml, \.konect or out"
    ):
        save_graph(SignedBipartiteGraph(W), tmp_path / f"w{suffix}")
    assert list(tmp_path.iterdir()) == []


# -- outputs that cannot be written ------------------------------------------------------------


def rewrite(path: Path, output: Path, *, force: bool = False) -> None:
    """Put one draw of a file into another."""
    source = opened(path)
    layer = source.layers[0]
    with source.writer(output, force=force) as writer:
        writer.put(layer, bipnet.randomize(source.read(layer), "A", rng=1))


def listed(folder: Path) -> dict[str, bytes]:
    """Everything in a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


OUTPUTS = (
    "w.npy", "w.npz", "csr.npz", "array.mtx", "w.csv", "w.graphml", "w.konect", "w.safetensors",
    "w.pt",
)  # fmt: skip
each_output = pytest.mark.parametrize("name", OUTPUTS)


@each_output
def test_existing_output__is_kept_without_force(name: str, tmp_path: Path) -> None:
    content(name, tmp_path)
    output = tmp_path / f"out{Path(name).suffix}"
    output.write_bytes(b"precious")
    with pytest.raises(bipnet.OutputExistsError, match="--force"):
        rewrite(tmp_path / name, output)
    assert output.read_bytes() == b"precious"
    rewrite(tmp_path / name, output, force=True)
    assert read_all(output)
    assert len(list(tmp_path.iterdir())) == 2


@each_output
def test_missing_output_folder__is_said_to_be_missing(name: str, tmp_path: Path) -> None:
    content(name, tmp_path)
    with pytest.raises(bipnet.MissingFileError, match=r"no such folder for the output: .*nowhere"):
        rewrite(tmp_path / name, tmp_path / "nowhere" / f"out{Path(name).suffix}")
    assert len(list(tmp_path.iterdir())) == 1


def test_output__that_is_a_folder_is_refused_even_with_force(tmp_path: Path) -> None:
    content("w.npy", tmp_path)
    (tmp_path / "out.npy").mkdir()
    with pytest.raises(bipnet.OutputExistsError, match="a file was wanted"):
        rewrite(tmp_path / "w.npy", tmp_path / "out.npy", force=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.npy", "w.npy"]


def test_output__that_is_a_broken_link_is_refused_without_force(tmp_path: Path) -> None:
    content("w.npy", tmp_path)
    (tmp_path / "out.npy").symlink_to(tmp_path / "nowhere")
    with pytest.raises(bipnet.OutputExistsError, match="--force"):
        rewrite(tmp_path / "w.npy", tmp_path / "out.npy")
    rewrite(tmp_path / "w.npy", tmp_path / "out.npy", force=True)
    assert read_all(tmp_path / "out.npy")
    assert not (tmp_path / "nowhere").exists()


@each_output
def test_read_only_output_folder__is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content(name, tmp_path)
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    if os.geteuid() == 0:  # root may write anywhere: ask as somebody else would be answered
        monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != folder)
    with pytest.raises(PermissionError, match="locked"):
        rewrite(tmp_path / name, folder / f"out{Path(name).suffix}")
    assert list(folder.iterdir()) == []


def test_output__gets_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    content("w.npy", tmp_path)
    rewrite(tmp_path / "w.npy", tmp_path / "out.npy")
    assert (tmp_path / "out.npy").stat().st_mode == (tmp_path / "w.npy").stat().st_mode


@each_output
@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_output__is_as_it_was_when_the_disk_fails(
    name: str, function: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content(name, tmp_path)
    output = tmp_path / f"out{Path(name).suffix}"
    output.write_bytes(b"precious")
    before = listed(tmp_path)

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(_atomic.os, function, full)
    with pytest.raises(OSError, match=r"No space left on device: .*out"):
        rewrite(tmp_path / name, output, force=True)
    assert listed(tmp_path) == before


FULL_DISK = """
    import resource, signal, sys
    from pathlib import Path
    import bipnet
    from bipnet.convert import open_source
    from bipnet.torch.files import StateDictSource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    for path in map(Path, sys.argv[1:]):
        source = (StateDictSource if path.suffix == ".pt" else open_source)(path)
        layer = source.layers[0]
        graph = bipnet.randomize(source.read(layer), "A", rng=1)
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        try:
            with source.writer(path.with_stem("out"), force=True) as writer:
                writer.put(layer, graph)
        except Exception as error:
            print(f"{path.name}: {type(error).__name__} {error}")
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
"""


def test_output__is_as_it_was_when_a_file_cannot_grow(tmp_path: Path) -> None:
    large = np.random.default_rng(1).normal(size=(200, 150))
    paths = [tmp_path / f"w{s}" for s in (".npy", ".npz", ".mtx", ".csv", ".safetensors", ".pt")]
    for path in paths:
        if path.suffix == ".pt":
            torch.save({"a.weight": torch.from_numpy(large)}, path)
        elif path.suffix == ".safetensors":
            save_file({"a.weight": large}, path)
        else:
            save_graph(SignedBipartiteGraph(large), path)
        path.with_stem("out").write_bytes(b"precious")
    before = listed(tmp_path)
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FULL_DISK), *map(str, paths)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    reason = f"[Errno {errno.EFBIG}] {os.strerror(errno.EFBIG)}"
    expected = [f"{path.name}: OSError {reason}: '{path.with_stem('out')}'" for path in paths]
    assert result.stdout.splitlines() == expected, result.stderr
    assert listed(tmp_path) == before


def test_output__of_a_killed_writer_is_swept_by_the_next(tmp_path: Path) -> None:
    content("w.npy", tmp_path)
    (tmp_path / ".out.npy.partial-dead").write_bytes(b"half")
    (tmp_path / ".other.npy.partial-dead").write_bytes(b"half")
    with _atomic.new_file(tmp_path / "out.npy") as alive:
        assert not (tmp_path / ".out.npy.partial-dead").exists()
        rewrite(tmp_path / "w.npy", tmp_path / "out.npy")
        assert alive.exists()  # a living writer's file is left alone
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"w.npy", "out.npy", ".other.npy.partial-dead"}


def test_partial_folder__is_gone_though_a_thread_still_wrote_into_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = shutil.rmtree
    calls: list[Path] = []

    def rmtree(path: Path, *, ignore_errors: bool = False) -> None:
        calls.append(path)
        if len(calls) > 2:  # as long as the thread writes, the folder does not become empty
            real(path, ignore_errors=ignore_errors)

    monkeypatch.setattr("bipnet._atomic.shutil.rmtree", rmtree)

    def interrupted() -> None:
        with _atomic.new_folder(tmp_path / "s.zarr") as partial:
            (partial / "chunk").write_bytes(b"x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_pickle_of_protocol_0__is_refused_without_advice_to_run_it(tmp_path: Path) -> None:
    path = tmp_path / "old.pt"
    path.write_bytes(pickle.dumps({"a": 1.5}, protocol=0))
    with pytest.raises(FileFormatError) as refusal:
        opened(path)
    assert "weights_only=False" not in str(refusal.value)
    assert "Re-running" not in str(refusal.value)
