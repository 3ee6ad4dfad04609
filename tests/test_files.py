"""Every format in and out: what is changed is exactly the draw, and all else is as it was."""

from __future__ import annotations

import io
import json
import struct
import tempfile
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import scipy.io
import scipy.sparse
import strategies as my
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file
from torch import nn

import bipnet
from bipnet import SignedBipartiteGraph
from bipnet.convert import LayerInfo, Source, matching_layers, open_source, save_graph
from bipnet.convert.orientation import LAYOUTS
from bipnet.errors import InputError
from bipnet.torch.files import StateDictSource

SEED = 7
RNG = np.random.default_rng(20240301)
W = RNG.normal(size=(6, 5))
SPARSE = scipy.sparse.random_array((9, 7), density=0.5, rng=RNG, data_sampler=RNG.normal)

Changed = dict[str, SignedBipartiteGraph]

pytestmark = pytest.mark.filterwarnings("ignore::bipnet.FrozenWarning")


def opened(path: Path, orientation: str | None = None) -> Source:
    """Any file, as the command line opens it."""
    if path.suffix in (".pt", ".pth"):
        return StateDictSource(path, orientation)  # type: ignore[arg-type]  # some are wrong
    return open_source(path, orientation=orientation)


def named(source: Source) -> dict[str, LayerInfo]:
    """The layers of a source by name."""
    return {layer.name: layer for layer in source.layers}


def default_names(source: Source) -> list[str]:
    """Names of the layers that are taken when no glob names any."""
    return [layer.name for layer in source.layers if layer.by_default]


def rewritten(path: Path, output: Path, null: str | None, *globs: str) -> Changed:
    """Randomise the chosen layers of a file into another (or copy them); what was put in."""
    source = opened(path)
    put = {}
    with source.writer(output, force=False) as writer:
        for layer in matching_layers(source.layers, globs, path):
            graph = source.read(layer)
            if null is not None:
                graph = bipnet.randomize(graph, null, rng=SEED, name=layer.name)
            writer.put(layer, graph)
            put[layer.name] = graph
    assert put
    return put


# -- one matrix of every format through every null model ---------------------------------------


def write_npy(path: Path) -> None:
    np.save(path, W.astype(np.float32))


def write_npz(path: Path) -> None:
    np.savez(path, first=W, second=W.T.astype(np.float16))


def write_sparse_npz(path: Path) -> None:
    scipy.sparse.save_npz(path, SPARSE.tocsc())


def write_mtx_array(path: Path) -> None:
    scipy.io.mmwrite(path, W)


def write_mtx_coordinate(path: Path) -> None:
    scipy.io.mmwrite(path, SPARSE.tocsr())


def write_edges(path: Path) -> None:
    save_graph(SignedBipartiteGraph(SPARSE), path)


def write_safetensors(path: Path) -> None:
    tensors = {
        "a.weight": W.astype(np.float32),
        "b.weight": W.astype(ml_dtypes.bfloat16),
        "c.weight": RNG.normal(size=(4, 3, 2, 2)).astype(np.float16),
        "a.bias": W[0],
    }
    torch_tensors = {name: tensor_of(values) for name, values in tensors.items()}
    from safetensors.torch import save_file as save_torch

    save_torch(torch_tensors, path, metadata={"format": "pt"})


def write_pt(path: Path) -> None:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(5, 6), nn.Conv2d(2, 4, 3), nn.Linear(6, 3).bfloat16())
    torch.save(model.state_dict(), path)


def tensor_of(values: Any) -> torch.Tensor:
    """A tensor of any of the dtypes NumPy and ml_dtypes have."""
    if values.dtype == my.BFLOAT16:
        return torch.from_numpy(values.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(np.array(values, order="C"))


FORMATS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "npy": ("w.npy", write_npy),
    "npz": ("w.npz", write_npz),
    "sparse npz": ("w.npz", write_sparse_npz),
    "mtx array": ("w.mtx", write_mtx_array),
    "mtx coordinate": ("w.mtx", write_mtx_coordinate),
    "csv": ("w.csv", write_edges),
    "tsv": ("w.tsv", write_edges),
    "graphml": ("w.graphml", write_edges),
    "konect": ("w.konect", write_edges),
    "safetensors": ("w.safetensors", write_safetensors),
    "pt": ("w.pt", write_pt),
}
each_format = pytest.mark.parametrize(("name", "write"), FORMATS.values(), ids=FORMATS)


@each_format
@my.each_letter
def test_randomized_file__holds_verified_draws(
    name: str, write: Callable[[Path], None], null: str, tmp_path: Path
) -> None:
    path, output = tmp_path / name, tmp_path / f"out{Path(name).suffix}"
    write(path)
    before = path.read_bytes()
    put = rewritten(path, output, null)
    old, new = opened(path), opened(output)
    assert [layer.name for layer in new.layers] == [layer.name for layer in old.layers]
    assert set(put) == set(default_names(old))
    for layer in old.layers:
        graph, drawn = old.read(layer), new.read(named(new)[layer.name])
        assert drawn == put[layer.name]
        assert drawn == bipnet.randomize(graph, null, rng=SEED, name=layer.name)
        assert drawn.checksum() != graph.checksum()
        assert bipnet.verify(graph, drawn, null).ok
    assert path.read_bytes() == before


@each_format
def test_file_written_back_unchanged__reads_the_same(
    name: str, write: Callable[[Path], None], tmp_path: Path
) -> None:
    path, output = tmp_path / name, tmp_path / f"out{Path(name).suffix}"
    write(path)
    rewritten(path, output, None)
    old, new = opened(path), opened(output)
    assert old.layers == new.layers
    assert old.skipped == new.skipped
    assert [old.read(layer) for layer in old.layers] == [new.read(layer) for layer in new.layers]
    if path.suffix not in (".npz", ".pt"):  # zip archives have dates, or are packed anew
        assert output.read_bytes() == path.read_bytes()


def test_writer__replaces_a_file_only_when_forced(tmp_path: Path) -> None:
    path = tmp_path / "w.npy"
    write_npy(path)
    source = opened(path)
    with pytest.raises(bipnet.OutputExistsError), source.writer(path, force=False):
        pass
    with source.writer(path, force=True) as writer:
        graph = bipnet.randomize(source.read(source.layers[0]), "A", rng=SEED)
        writer.put(source.layers[0], graph)
    assert opened(path).read(source.layers[0]) == graph
    assert [entry.name for entry in tmp_path.iterdir()] == ["w.npy"]


def interrupted(source: Source, output: Path) -> None:
    """Ctrl-C while a file is written."""
    with source.writer(output, force=False) as writer:
        writer.put(source.layers[0], source.read(source.layers[0]))
        raise KeyboardInterrupt


def test_writer__leaves_nothing_when_its_block_fails(tmp_path: Path) -> None:
    for name, write in FORMATS.values():
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        write(folder / name)
        source = opened(folder / name)
        with pytest.raises(KeyboardInterrupt):
            interrupted(source, folder / f"out{Path(name).suffix}")
        assert [entry.name for entry in folder.iterdir()] == [name]


@pytest.mark.parametrize(
    "wrong",
    [W[:, :3].astype(np.float32), W, W.astype(np.float32)[:1]],
    ids=["shape", "dtype", "rows"],
)
def test_writer__refuses_another_shape_or_dtype(wrong: my.Matrix, tmp_path: Path) -> None:
    for name, write in (FORMATS["npy"], FORMATS["safetensors"]):
        write(tmp_path / name)
        source = opened(tmp_path / name)
        output = tmp_path / f"out{Path(name).suffix}"
        with (
            pytest.raises(bipnet.InputError, match="cannot be replaced by"),
            source.writer(output, force=False) as writer,
        ):
            writer.put(source.layers[0], SignedBipartiteGraph(wrong))
        assert not output.exists()


# -- .npy and .npz -----------------------------------------------------------------------------


NUMPY_DTYPES = [dtype for dtype in my.DTYPES if dtype != my.BFLOAT16]


@pytest.mark.parametrize("order", ["C", "F", "big-endian"])
@pytest.mark.parametrize("dtype", NUMPY_DTYPES, ids=[dtype.name for dtype in NUMPY_DTYPES])
def test_npy__keeps_dtype_byte_order_and_memory_order(
    order: str, dtype: my.DType, tmp_path: Path
) -> None:
    matrix = my.arranged((10 * W).astype(dtype), order)
    np.save(tmp_path / "w.npy", matrix)
    np.savez(tmp_path / "w.npz", W=matrix)
    rewritten(tmp_path / "w.npy", tmp_path / "out.npy", "A")
    rewritten(tmp_path / "w.npz", tmp_path / "out.npz", "A")
    drawn = np.load(tmp_path / "out.npy")
    expected = bipnet.randomize(matrix, "A", rng=SEED)
    np.testing.assert_array_equal(drawn, expected)
    np.testing.assert_array_equal(
        np.load(tmp_path / "out.npz")["W"], bipnet.randomize(matrix, "A", rng=SEED, name="W")
    )
    for written in (drawn, np.load(tmp_path / "out.npz")["W"]):
        assert written.dtype.str == matrix.dtype.str
        assert np.isfortran(written) == np.isfortran(matrix)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz__untouched_members_stay_byte_for_byte(save: Any, tmp_path: Path) -> None:
    path, output = tmp_path / "w.npz", tmp_path / "out.npz"
    save(path, W=W, other=W * 2, labels=np.array(["a", "b"]), stack=np.ones((2, 3, 4)), n=3)
    with zipfile.ZipFile(path, "a") as archive:
        # np.savez cannot: its own argument is called so.
        with archive.open("file.npy", "w") as member:
            np.lib.format.write_array(member, W * 3)
        archive.writestr("read me.txt", "by hand")
        archive.comment = b"kept"
    source = opened(path)
    assert default_names(source) == ["W", "other", "file"]
    assert {skipped.name for skipped in source.skipped} == {"labels", "stack", "n", "read me.txt"}
    put = rewritten(path, output, "B", "W", "file")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(output) as new:
        assert new.comment == b"kept"
        assert new.namelist() == old.namelist()
        for before, after in zip(old.infolist(), new.infolist(), strict=True):
            assert after.compress_type == before.compress_type
            assert after.date_time == before.date_time
            changed = before.filename in ("W.npy", "file.npy")
            assert (old.read(before) == new.read(after)) is not changed
        with new.open("file.npy") as member:
            np.testing.assert_array_equal(np.lib.format.read_array(member), put["file"].weights)
    np.testing.assert_array_equal(np.load(output)["W"], put["W"].weights)


@pytest.mark.parametrize("kind", ["array", "matrix"])
@pytest.mark.parametrize("form", ["csr", "csc", "coo"])
def test_sparse_npz__keeps_format_and_class(form: str, kind: str, tmp_path: Path) -> None:
    path, output = tmp_path / "w.npz", tmp_path / "out.npz"
    matrix = getattr(scipy.sparse, f"{form}_{kind}")(SPARSE)
    scipy.sparse.save_npz(path, matrix)
    put = rewritten(path, output, "G")
    drawn = scipy.sparse.load_npz(output)
    assert type(drawn) is type(matrix)
    np.testing.assert_array_equal(drawn.toarray(), put[""].to_array())
    np.testing.assert_array_equal(
        drawn.toarray(), bipnet.randomize(SPARSE.toarray(), "G", rng=SEED)
    )


# -- Matrix Market -----------------------------------------------------------------------------

MATRIX_MARKET: dict[str, tuple[str, my.Matrix]] = {
    "array": (
        "array real general\n% by columns\n2 3\n1\n-2.5\n3e-3\n4\n5\n-6\n",
        np.array([[1, 3e-3, 5], [-2.5, 4, -6]]),
    ),
    "array integer": ("array integer general\n2 1\n3\n-4\n", np.array([[3], [-4]])),
    "array symmetric": (
        "array real symmetric\n3 3\n1\n2\n3\n4\n5\n6\n",
        np.array([[1.0, 2, 3], [2, 4, 5], [3, 5, 6]]),
    ),
    "array skew-symmetric": (
        "array real skew-symmetric\n3 3\n1\n2\n3\n",
        np.array([[0.0, -1, -2], [1, 0, -3], [2, 3, 0]]),
    ),
    "coordinate": (
        "coordinate real general\n%one\n%two\n3 2 2\n1 2 -1.5\n3 1 2\n",
        np.array([[0, -1.5], [0, 0], [2, 0]]),
    ),
    "coordinate integer": (
        "coordinate integer general\n2 2 2\n2 2 9007199254740993\n1 1 -1\n",
        np.array([[-1, 0], [0, 9007199254740993]]),
    ),
    "coordinate unsigned": (
        "coordinate unsigned-integer general\n1 2 1\n1 2 18446744073709551615\n",
        np.array([[0, 2**64 - 1]], dtype=np.uint64),
    ),
    "coordinate pattern": (
        "coordinate pattern general\n2 2 2\n1 2\n2 1\n",
        np.array([[0.0, 1], [1, 0]]),
    ),
    "coordinate symmetric": (
        "coordinate real symmetric\n3 3 2\n1 1 5\n3 1 -2\n",
        np.array([[5.0, 0, -2], [0, 0, 0], [-2, 0, 0]]),
    ),
    "coordinate skew-symmetric": (
        "coordinate integer skew-symmetric\n2 2 1\n2 1 7\n",
        np.array([[0, -7], [7, 0]]),
    ),
    "blank lines and capitals": (
        "COORDINATE Real General\n\n%kept\n\n2 2 1\n\n1 1 3\n\n",
        np.array([[3.0, 0], [0, 0]]),
    ),
    "no entries": ("coordinate real general\n2 2 0\n", np.zeros((2, 2))),
}


@pytest.mark.parametrize(("text", "expected"), MATRIX_MARKET.values(), ids=MATRIX_MARKET)
def test_matrix_market__is_read_as_its_definition_says(
    text: str, expected: my.Matrix, tmp_path: Path
) -> None:
    path, output = tmp_path / "w.mtx", tmp_path / "out.mtx"
    path.write_text(f"%%MatrixMarket matrix {text}")
    source = opened(path)
    graph = source.read(source.layers[0])
    assert graph.dtype == expected.dtype
    np.testing.assert_array_equal(graph.to_array(), expected)
    read_by_scipy = scipy.io.mmread(path)
    if scipy.sparse.issparse(read_by_scipy):
        read_by_scipy = read_by_scipy.toarray()
    np.testing.assert_array_equal(graph.to_array(), read_by_scipy)
    assert graph.is_sparse == ("coordinate" in text.lower())
    rewritten(path, output, None)
    assert opened(output).read(source.layers[0]) == graph
    old, new = path.read_text().splitlines(), output.read_text().splitlines()
    if comments := [line for line in old[1:] if line.startswith("%")]:
        assert [line for line in new[1:] if line.startswith("%")] == comments
    assert new[0].split()[2:4] == [
        old[0].lower().split()[2],
        old[0].lower().split()[3].replace("pattern", "real"),
    ]


EXTREMES = [5e-324, -1.7976931348623157e308, 0.1, -1 / 3, 2.2250738585072014e-308, 1e22, 1e23]


@pytest.mark.parametrize("suffix", [".mtx", ".csv", ".tsv"])
@pytest.mark.parametrize("sparse", [False, True])
def test_text_formats__bring_back_every_bit(suffix: str, sparse: bool, tmp_path: Path) -> None:
    floats = np.array([EXTREMES, EXTREMES[::-1]])
    integers = np.array([[2**63 - 1, -(2**63)], [2**53 + 1, -1]])
    for i, matrix in enumerate((floats, integers)):
        graph = SignedBipartiteGraph(scipy.sparse.csr_array(matrix) if sparse else matrix)
        save_graph(graph, tmp_path / f"{i}{suffix}")
        source = opened(tmp_path / f"{i}{suffix}")
        assert source.read(source.layers[0]).checksum() == graph.checksum()


# -- edge lists --------------------------------------------------------------------------------


def edges_of(graph: SignedBipartiteGraph) -> dict[tuple[Any, Any], Any]:
    """Weights by the labels of their nodes."""
    left = graph.left_labels or [str(i) for i in range(graph.n_left)]
    right = graph.right_labels or [str(j) for j in range(graph.n_right)]
    rows, columns, weights = (part.tolist() for part in graph.edges())
    return {(left[i], right[j]): w for i, j, w in zip(rows, columns, weights, strict=True)}


EDGE_LISTS: dict[str, tuple[str, str, dict[tuple[str, str], float]]] = {
    "header": (".csv", "from,to,w\na,x,0.5\nb,y,-2.0\n", {("a", "x"): 0.5, ("b", "y"): -2.0}),
    "no header": (".csv", "a,x,3\na,y,-4\n", {("a", "x"): 3, ("a", "y"): -4}),
    "tabs": (".tsv", "l\tr\tw\na,b\tx y\t1.5\n", {("a,b", "x y"): 1.5}),
    "tab": (".tab", "a\tx\t1.5\n", {("a", "x"): 1.5}),
    "commas": (".csv", '"a, b","x ""y""",1.0\n', {("a, b", 'x "y"'): 1.0}),
    "line break": (".csv", '"a\nb",x,1.0\n', {("a\nb", "x"): 1.0}),
    "unicode": (".csv", "gène ,蛋白,-1.0\n", {("gène ", "蛋白"): -1.0}),
    "numbers as names": (".csv", "1,1,2\n01,1,3\n", {("1", "1"): 2, ("01", "1"): 3}),
    "no name": (".csv", ",x,2.0\n", {("", "x"): 2.0}),
    "same names on both sides": (".csv", "a,a,2.0\n", {("a", "a"): 2.0}),
    "not row by row": (
        ".csv",
        "a,x,1\nb,y,2\na,z,3\nb,x,-4\n",
        {("a", "x"): 1, ("a", "z"): 3, ("b", "x"): -4, ("b", "y"): 2},
    ),
}


@pytest.mark.parametrize(("suffix", "text", "expected"), EDGE_LISTS.values(), ids=EDGE_LISTS)
def test_edge_list__is_read_and_written_back_as_it_was(
    suffix: str, text: str, expected: dict[tuple[str, str], float], tmp_path: Path
) -> None:
    path, output = tmp_path / f"w{suffix}", tmp_path / f"out{suffix}"
    path.write_text(text, encoding="utf-8")
    source = opened(path)
    found = edges_of(source.read(source.layers[0]))
    assert found == expected
    assert all(type(found[pair]) is type(expected[pair]) for pair in expected)
    rewritten(path, output, None)
    assert output.read_text(encoding="utf-8") == text


def test_edge_list__keeps_its_order_so_that_a_draw_can_be_verified(tmp_path: Path) -> None:
    # Nodes are numbered as they appear: row by row, this file would be another matrix.
    path, output = tmp_path / "w.csv", tmp_path / "out.csv"
    lines = [f"n{i},m{j},{(-1) ** (i * j) * (1 + i + 10 * j)}" for j in range(5) for i in range(4)]
    rng = np.random.default_rng(3)
    path.write_text("left,right,weight\n" + "\n".join(rng.permutation(lines).tolist()) + "\n")
    rewritten(path, output, "D")
    old, new = opened(path), opened(output)
    before, after = old.read(old.layers[0]), new.read(new.layers[0])
    assert (before.left_labels, before.right_labels) == (after.left_labels, after.right_labels)
    assert bipnet.verify(before, after, "D").ok
    pairs = [line.rpartition(",")[0] for line in path.read_text().splitlines()]
    assert [line.rpartition(",")[0] for line in output.read_text().splitlines()] == pairs


def test_edge_list__keeps_lines_of_weight_zero(tmp_path: Path) -> None:
    path, output = tmp_path / "w.csv", tmp_path / "out.csv"
    path.write_text("a,x,1\nlonely,x,0\na,y,-2\n")
    with pytest.warns(bipnet.ExplicitZeroWarning, match="1 edges of weight zero dropped"):
        source = opened(path)
    graph = source.read(source.layers[0])
    assert graph.n_edges == 2
    assert graph.left_labels == ("a", "lonely")
    with source.writer(output, force=False) as writer:
        writer.put(source.layers[0], graph)
    assert output.read_text() == path.read_text()


def test_edge_list__ignores_blank_lines_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "w.csv"
    path.write_bytes(b"\xef\xbb\xbfa,x,1.0\r\n\r\n  \r\nb,x,2.0")
    source = opened(path)
    assert edges_of(source.read(source.layers[0])) == {("a", "x"): 1.0, ("b", "x"): 2.0}


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
LABELS = st.lists(TEXTS, min_size=2, max_size=4, unique=True)


@my.property_test
@given(left=LABELS, right=LABELS, suffix=st.sampled_from([".csv", ".tsv"]))
def test_edge_list__holds_any_label(left: list[str], right: list[str], suffix: str) -> None:
    graph = SignedBipartiteGraph(
        np.arange(1, 1 + len(left) * len(right)).reshape(len(left), -1),
        left_labels=left,
        right_labels=right,
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"w{suffix}"
        save_graph(graph, path)
        source = opened(path)
        assert source.read(source.layers[0]) == graph


# -- one graph to any file ---------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".mtx", ".csv", ".tsv", ".tab", ".CSV"])
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_save_graph__writes_what_can_be_read(suffix: str, sparse: bool, tmp_path: Path) -> None:
    graph = SignedBipartiteGraph(scipy.sparse.csr_array(W) if sparse else W)
    path = tmp_path / f"w{suffix}"
    save_graph(graph, path)
    source = opened(path)
    read = source.read(source.layers[0])
    assert read.checksum() == graph.checksum()
    if suffix in (".npz", ".mtx"):
        assert read.is_sparse == sparse
    with pytest.raises(bipnet.OutputExistsError, match="--force"):
        save_graph(graph, path)
    save_graph(SignedBipartiteGraph(-W), path, force=True)
    source = opened(path)
    assert source.read(source.layers[0]).checksum() == SignedBipartiteGraph(-W).checksum()


# -- .safetensors ------------------------------------------------------------------------------


def header_of(path: Path) -> tuple[dict[str, Any], int]:
    """The header of a safetensors file and where its data begins."""
    raw = path.read_bytes()
    (n,) = struct.unpack("<Q", raw[:8])
    return json.loads(raw[8 : 8 + n]), 8 + n


def write_by_hand(path: Path, tensors: dict[str, tuple[str, list[int], bytes]]) -> None:
    """A safetensors file in the given order of tensors, its header padded with blanks."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt", "note": "ünïcode"}}
    at = 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header, indent=1, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8 + 24)
    data = b"".join(data for _, _, data in tensors.values())
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def test_safetensors__every_other_byte_stays(tmp_path: Path) -> None:
    path, output = tmp_path / "w.safetensors", tmp_path / "out.safetensors"
    some = RNG.normal(size=24)
    write_by_hand(
        path,
        {
            "z.weight": ("F64", [4, 6], some.tobytes()),
            "count": ("I64", [], b"\x07" + bytes(7)),
            "a.weight": ("F32", [6, 4], some.astype("f4").tobytes()),
            "a.bias": ("F32", [6], some[:6].astype("f4").tobytes()),
            "mask": ("BOOL", [2, 2], b"\x01\x00\x00\x01"),
            "h.weight": ("F16", [3, 8], some.astype("f2").tobytes()),
            "b.weight": ("BF16", [8, 3], some.astype(ml_dtypes.bfloat16).tobytes()),
            "ids": ("U8", [2, 3], bytes(range(6))),
            "empty.weight": ("F32", [0, 3], b""),
            "codes": ("I32", [2, 2], bytes(16)),
        },
    )
    source = opened(path)
    assert default_names(source) == ["z.weight", "a.weight", "h.weight", "b.weight"]
    assert {skipped.name for skipped in source.skipped} == {
        "count", "a.bias", "mask", "ids", "empty.weight", "codes",
    }  # fmt: skip
    put = rewritten(path, output, "A", "a.*", "b.weight")
    old, new = bytearray(path.read_bytes()), bytearray(output.read_bytes())
    header, start = header_of(path)
    for name, dtype in (("a.weight", np.dtype("f4")), ("b.weight", my.BFLOAT16)):
        first, last = (start + at for at in header[name]["data_offsets"])
        written = np.frombuffer(bytes(new[first:last]), dtype=dtype)
        graph = put[name]
        np.testing.assert_array_equal(written.reshape(header[name]["shape"]), graph.weights.T)
        assert old[first:last] != new[first:last]
        old[first:last] = new[first:last] = b""
        # Offsets of what follows have moved in both alike; the larger offset must go first.
        assert name != "a.weight" or header["b.weight"]["data_offsets"][0] > last - start
        header["b.weight"]["data_offsets"] = [
            at - (last - first) for at in header["b.weight"]["data_offsets"]
        ]
    assert old == new


@pytest.mark.parametrize("dtype", my.FLOATS, ids=[dtype.name for dtype in my.FLOATS])
def test_safetensors__holds_every_float(dtype: my.DType, tmp_path: Path) -> None:
    from safetensors.torch import load_file as load_torch
    from safetensors.torch import save_file as save_torch

    path, output = tmp_path / "w.safetensors", tmp_path / "out.safetensors"
    save_torch({"a.weight": tensor_of(W.astype(dtype))}, path)
    put = rewritten(path, output, "E")["a.weight"]
    assert put.dtype == dtype
    written = load_torch(output)["a.weight"]
    assert torch.equal(written, tensor_of(np.array(put.weights.T)))
    matrix = np.ascontiguousarray(W.astype(dtype).T)
    expected = bipnet.randomize(matrix, "E", rng=SEED, name="a.weight")
    assert put == SignedBipartiteGraph(expected)


def test_checkpoint_writer__takes_pieces_in_any_order(tmp_path: Path) -> None:
    stack = RNG.normal(size=(3, 4, 2)).astype(np.float32)
    tensors = {"experts.up": stack, "b.weight": W.astype(np.float32)}
    save_file(tensors, tmp_path / "w.safetensors")
    torch.save({name: tensor_of(v) for name, v in tensors.items()}, tmp_path / "w.pt")
    for name in ("w.safetensors", "w.pt"):
        source = opened(tmp_path / name)
        layers = named(source)
        assert list(layers) == [*(f"experts.up#{k}" for k in range(3)), "b.weight"] or (
            list(layers) == ["b.weight", *(f"experts.up#{k}" for k in range(3))]
        )
        output = tmp_path / f"out-{name}"
        with source.writer(output, force=False) as writer:
            for piece in ("experts.up#2", "b.weight", "experts.up#0"):
                graph = source.read(layers[piece])
                writer.put(layers[piece], SignedBipartiteGraph(-graph.to_array()))
        new = opened(output)
        signs = {n: -1 if n in ("experts.up#2", "b.weight", "experts.up#0") else 1 for n in layers}
        for piece, sign in signs.items():
            expected = sign * source.read(layers[piece]).to_array()
            np.testing.assert_array_equal(new.read(layers[piece]).to_array(), expected)


@pytest.mark.parametrize(
    ("matrix", "wanted"),
    [
        ([[0, 0, 3], [1, 0, 2], [1, 4, 0]], None),
        ([[1, 0, 3], [2, 4, 0]], "same"),
        ([[1, 0, 3, 0], [4, 5, 0, 0], [0, 0, 0, 6]], "same"),
        ([[0, 1], [2, 0]], None),
    ],
)
def test_edge_list__gives_the_matrix_back_in_order_or_is_refused(
    matrix: list[list[int]], wanted: str | None, tmp_path: Path
) -> None:
    graph, path = SignedBipartiteGraph(np.array(matrix)), tmp_path / "w.csv"
    if wanted is None:
        with pytest.raises(InputError, match="no order of these edges"):
            save_graph(graph, path)
        assert not path.exists()
        return
    save_graph(graph, path)
    source = opened(path)
    np.testing.assert_array_equal(source.read(source.layers[0]).to_array(), matrix)


def test_edge_list__cannot_hold_a_node_without_an_edge(tmp_path: Path) -> None:
    for matrix, node in (([[1, 2], [3, 4], [0, 0]], "left node 2"), ([[0, 1]], "right node 0")):
        with pytest.raises(InputError, match=rf"{node} .*\.npz or \.mtx"):
            save_graph(SignedBipartiteGraph(np.array(matrix)), tmp_path / "w.csv")
    assert list(tmp_path.iterdir()) == []


# -- .pt ---------------------------------------------------------------------------------------


def load(path: Path) -> Any:
    """What a .pt file holds."""
    return torch.load(path, weights_only=True)


def test_pt__keeps_ties_views_metadata_and_all_that_is_no_layer(tmp_path: Path) -> None:
    path, output = tmp_path / "w.pt", tmp_path / "out.pt"
    torch.manual_seed(2)
    base = torch.randn(10, 4)
    tied = torch.randn(7, 4)
    state: OrderedDict[str, Any] = OrderedDict(nn.Sequential(nn.Linear(4, 3)).state_dict())
    state["head.weight"] = tied
    state["embed.weight"] = tied
    state["part.weight"] = base[2:6]
    state["rest"] = base[6:]
    state["transposed.weight"] = torch.randn(5, 6).T
    state["steps"] = torch.tensor(3)
    state["note"] = "kept"
    state["lr"] = 0.1
    state["shape"] = (1, [2, {"three": 4}])
    state._metadata = {"": {"version": 1}, "0": {"version": 2}}  # type: ignore[attr-defined]
    torch.save(state, path)
    put = rewritten(path, output, "B", "0.weight", "head*", "part.weight", "transposed.weight")
    assert list(put) == ["0.weight", "embed.weight", "part.weight", "transposed.weight"]
    new = load(output)
    assert list(new) == list(state)
    assert new._metadata == state._metadata  # type: ignore[attr-defined]
    assert (new["note"], new["lr"], new["shape"]) == ("kept", 0.1, (1, [2, {"three": 4}]))
    assert new["head.weight"].data_ptr() == new["embed.weight"].data_ptr()
    assert torch.equal(new["embed.weight"], tensor_of(put["embed.weight"].to_array()))
    for name in ("0.weight", "part.weight", "transposed.weight"):
        assert torch.equal(new[name].T, tensor_of(put[name].to_array()))
        assert new[name].stride() == state[name].stride()
    # Two views beside each other stay views of one storage, and the other one as it was.
    storages = {new[name].untyped_storage().data_ptr() for name in ("part.weight", "rest")}
    assert len(storages) == 1
    assert torch.equal(new["rest"], base[6:])
    assert torch.equal(new["0.bias"], state["0.bias"])
    assert torch.equal(new["steps"], state["steps"])


@pytest.mark.parametrize(
    "view",
    [
        lambda base: base[:4],
        lambda base: base.T,
        lambda base: base[1:, 1:],
        lambda base: base.reshape(-1)[3:7],
    ],
    ids=["rows", "transposed", "block", "vector"],
)
def test_pt__of_overlapping_tensors_is_refused_and_names_both(
    view: Callable[[torch.Tensor], torch.Tensor], tmp_path: Path
) -> None:
    path, output = tmp_path / "w.pt", tmp_path / "out.pt"
    base = torch.randn(6, 6)
    torch.save({"free.weight": torch.randn(3, 2), "a.weight": base, "b.weight": view(base)}, path)
    with pytest.raises(InputError, match=r"a\.weight and b\.weight.*clone"):
        rewritten(path, output, "A", "a.weight")
    assert not output.exists()
    rewritten(path, output, "A", "free.weight")


def test_pt__of_interleaved_views_is_written_like_any_other(tmp_path: Path) -> None:
    base = torch.randn(6, 6)
    views = {"a.weight": base[:, ::2], "b.weight": base[:, 1::2]}
    torch.save(views, tmp_path / "w.pt")
    put = rewritten(tmp_path / "w.pt", tmp_path / "out.pt", "A")
    new = load(tmp_path / "out.pt")
    for name in views:
        assert torch.equal(new[name].T, tensor_of(put[name].to_array()))


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model"])
def test_pt__finds_the_state_dict_in_a_training_checkpoint(key: str, tmp_path: Path) -> None:
    path, output = tmp_path / "w.pt", tmp_path / "out.pt"
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 4)).sum().backward()
    optimizer.step()
    checkpoint = {
        "epoch": 3,
        "best": torch.tensor(0.5),  # a tensor beside the state dict is not taken for it
        "optimizer": optimizer.state_dict(),
        key: model.state_dict(),
    }
    torch.save(checkpoint, path)
    put = rewritten(path, output, "A")
    assert list(put) == ["0.weight", "1.weight"]
    new = load(output)
    assert list(new) == list(checkpoint)
    assert torch.equal(new[key]["1.weight"].T, tensor_of(put["1.weight"].to_array()))
    assert torch.equal(new[key]["1.bias"], model[1].bias)
    assert torch.equal(new["best"], checkpoint["best"])
    for i, moments in optimizer.state_dict()["state"].items():
        assert torch.equal(new["optimizer"]["state"][i]["exp_avg"], moments["exp_avg"])


@pytest.mark.parametrize("suffix", [".pt", ".pth"])
def test_pt__may_be_one_tensor_left_nodes_as_rows(suffix: str, tmp_path: Path) -> None:
    for dtype in (torch.float64, torch.bfloat16, torch.int16):
        tensor = (10 * torch.from_numpy(W)).to(dtype)
        path, output = tmp_path / f"{dtype}{suffix}", tmp_path / f"{dtype}-out{suffix}"
        torch.save(tensor, path)
        put = rewritten(path, output, "C")[""]
        assert put.shape == W.shape
        assert torch.equal(load(output), bipnet.randomize(tensor, "C", rng=SEED))
        assert load(output).dtype == dtype


def test_pt__of_parameters_stays_one_of_parameters(tmp_path: Path) -> None:
    model = nn.Linear(4, 3)
    torch.save(dict(model.named_parameters()), tmp_path / "w.pt")
    put = rewritten(tmp_path / "w.pt", tmp_path / "out.pt", "A")
    new = load(tmp_path / "out.pt")
    assert isinstance(new["weight"], nn.Parameter)
    assert new["weight"].requires_grad
    assert torch.equal(new["weight"].data.T, tensor_of(put["weight"].to_array()))


def test_pt__of_old_torch_is_read(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(4, 3))
    torch.save(model.state_dict(), tmp_path / "w.pt", _use_new_zipfile_serialization=False)
    assert not zipfile.is_zipfile(tmp_path / "w.pt")
    put = rewritten(tmp_path / "w.pt", tmp_path / "out.pt", "A")
    model.load_state_dict(load(tmp_path / "out.pt"))
    assert torch.equal(model[0].weight.data.T, tensor_of(put["0.weight"].to_array()))


def test_pt__is_the_same_bytes_each_time(tmp_path: Path) -> None:
    write_pt(tmp_path / "w.pt")
    rewritten(tmp_path / "w.pt", tmp_path / "one.pt", "A")
    rewritten(tmp_path / "w.pt", tmp_path / "another.pt", "A")
    assert (tmp_path / "one.pt").read_bytes() == (tmp_path / "another.pt").read_bytes()


def test_pt__of_a_pruned_model_has_its_masks_folded(tmp_path: Path) -> None:
    torch.manual_seed(4)
    model = nn.Sequential(nn.Linear(6, 5), nn.Conv2d(2, 4, 3, groups=2))
    for module in model:
        nn.utils.prune.random_unstructured(module, "weight", 0.4)
    path, output = tmp_path / "w.pt", tmp_path / "out.pt"
    torch.save(model.state_dict(), path)
    source = opened(path)
    assert default_names(source) == ["0.weight", "1.weight"]
    assert {s.name for s in source.skipped if "mask" in s.reason} == {
        "0.weight_mask",
        "1.weight_mask",
    }
    np.testing.assert_array_equal(
        source.read(named(source)["0.weight"]).to_array(), model[0].weight.detach().numpy().T
    )
    put = rewritten(path, output, "B")
    old, new = load(path), load(output)
    for name in ("0.weight", "1.weight"):
        kept = old[f"{name}_mask"] != 0
        assert torch.equal(new[f"{name}_mask"], old[f"{name}_mask"])
        assert torch.equal(new[f"{name}_orig"][~kept], old[f"{name}_orig"][~kept])
        assert not torch.equal(new[f"{name}_orig"][kept], old[f"{name}_orig"][kept])
        again = opened(output)
        assert again.read(named(again)[name]) == put[name]


# -- which tensors are layers, and how they lie ------------------------------------------------


def saved(tensors: dict[str, Any], folder: Path, suffix: str = ".safetensors") -> Source:
    """The source of a checkpoint with these tensors; a shape stands for random values."""
    rng = np.random.default_rng(5)
    values = {
        name: rng.normal(size=value).astype(np.float32) if isinstance(value, tuple) else value
        for name, value in tensors.items()
    }
    path = folder / f"checkpoint{suffix}"
    if suffix == ".pt":
        torch.save({name: tensor_of(value) for name, value in values.items()}, path)
    else:
        save_file(values, path)
    return opened(path)


def test_linear__is_transposed_once(tmp_path: Path) -> None:
    torch.manual_seed(5)
    linear = nn.Linear(5, 3)
    torch.save(linear.state_dict(), tmp_path / "w.pt")
    source = opened(tmp_path / "w.pt")
    graph = source.read(source.layers[0])
    assert graph.shape == (5, 3)
    x = torch.randn(4, 5)
    expected = linear(x) - linear.bias
    np.testing.assert_allclose(
        x.numpy() @ graph.to_array(), expected.detach().numpy(), rtol=1e-5, atol=1e-6
    )


NAMES: dict[str, tuple[tuple[int, ...], str, tuple[int, int], bool]] = {
    "layers.0.attn.q_proj.weight": ((5, 3), "linear", (3, 5), True),
    "in_proj_weight": ((9, 3), "linear", (3, 9), True),
    "member.weight": ((5, 3), "linear", (3, 5), True),
    "ensemble.fc.weight": ((5, 3), "linear", (3, 5), True),
    "ensemble.weight": ((5, 3), "linear", (3, 5), True),
    "model.embed_tokens.weight": ((5, 3), "embedding", (5, 3), False),
    "bert.embeddings.word_embeddings.weight": ((5, 3), "embedding", (5, 3), False),
    "transformer.wte.weight": ((5, 3), "embedding", (5, 3), False),
    "positional_embedding": ((5, 3), "embedding", (5, 3), False),
    "lm_head.weight": ((5, 3), "head", (3, 5), False),
    "embed_out.weight": ((5, 3), "head", (3, 5), False),
    "cls.predictions.decoder.weight": ((5, 3), "head", (3, 5), False),
    "rnn.weight_hh_l0": ((8, 2), "recurrent", (2, 8), False),
    "conv.weight": ((4, 3, 2, 5), "convolution", (30, 4), True),
    "conv1d.weight": ((4, 3, 2), "convolution", (6, 4), True),
    "conv3d.weight": ((4, 3, 2, 2, 2), "convolution", (24, 4), True),
    "mlp.experts.up": ((1, 5, 3), "experts", (3, 5), True),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_raw_tensor__is_taken_for_what_its_name_and_shape_say(
    name: str, suffix: str, tmp_path: Path
) -> None:
    shape, kind, matrix_shape, by_default = NAMES[name]
    (layer,) = saved({name: shape}, tmp_path, suffix).layers
    assert (layer.name, layer.kind) == (name, kind)
    assert layer.shape == matrix_shape
    assert layer.by_default is by_default
    assert bool(layer.note) is (not by_default or kind == "convolution")


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("a.bias", (4,), "a vector"),
        ("experts.up_bias", (4, 3), "a bias"),
        ("position_ids", np.ones((1, 4), dtype=np.int64), "a int64 buffer"),
        ("codes", np.ones((1, 4), dtype=np.uint64), "a uint64 buffer"),
        ("cls_token", (1, 1, 4), "no weight by its name"),
        ("a.weight_v", (4, 3), "parametrized"),
        ("a.weight_orig", (4, 3), "parametrized"),
        ("a.parametrizations.weight.original1", (4, 3), "parametrized"),
        ("a.weight", (2, 2, 2, 2, 2, 2), "no layer's"),
    ],
)
def test_raw_tensor__that_is_no_layer_is_skipped_with_the_reason(
    name: str, value: Any, reason: str, tmp_path: Path
) -> None:
    source = saved({name: value, "b.weight": (2, 2)}, tmp_path)
    assert default_names(source) == ["b.weight"]
    (skipped,) = source.skipped
    assert skipped.name == name
    assert reason in skipped.reason


def test_convolution__is_the_matrix_it_multiplies_patches_with(tmp_path: Path) -> None:
    torch.manual_seed(6)
    conv = nn.Conv2d(3, 4, (2, 5), bias=False)
    torch.save({"conv.weight": conv.weight.data}, tmp_path / "w.pt")
    source = opened(tmp_path / "w.pt")
    matrix = source.read(source.layers[0]).to_array()
    image = torch.randn(2, 3, 6, 7)
    patches = nn.functional.unfold(image, (2, 5)).transpose(1, 2).numpy()
    expected = conv(image).flatten(2).transpose(1, 2).detach().numpy()
    np.testing.assert_allclose(patches @ matrix, expected, rtol=1e-4, atol=1e-5)


def test_stacked_experts__are_one_matrix_each(tmp_path: Path) -> None:
    source = saved({"mlp.experts.up": (3, 5, 2)}, tmp_path)
    assert [layer.name for layer in source.layers] == [f"mlp.experts.up#{k}" for k in range(3)]
    values = load_file(tmp_path / "checkpoint.safetensors")["mlp.experts.up"]
    for k, layer in enumerate(source.layers):
        np.testing.assert_array_equal(source.read(layer).to_array(), values[k].T)
    output = tmp_path / "out.safetensors"
    put = rewritten(tmp_path / "checkpoint.safetensors", output, "A", "*#1")
    new = load_file(output)["mlp.experts.up"]
    np.testing.assert_array_equal(new[1].T, put["mlp.experts.up#1"].to_array())
    np.testing.assert_array_equal(new[[0, 2]], values[[0, 2]])
    assert not np.array_equal(new[1], values[1])


@pytest.mark.parametrize(("model_type", "transposed"), [("gpt2", False), ("llama", True)])
def test_config_beside_the_file__says_how_linear_layers_lie(
    model_type: str, transposed: bool, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
    source = saved({"h.0.mlp.c_fc.weight": (4, 8), "lm_head.weight": (9, 4)}, tmp_path)
    values = load_file(tmp_path / "checkpoint.safetensors")
    layers = named(source)
    expected = values["h.0.mlp.c_fc.weight"]
    np.testing.assert_array_equal(
        source.read(layers["h.0.mlp.c_fc.weight"]).to_array(),
        expected.T if transposed else expected,
    )
    # The head of GPT-2 is a Linear all the same.
    assert layers["lm_head.weight"].shape == (4, 9)


@pytest.mark.parametrize("text", ["", "[1]", "{", "\xff", '{"model_type": null}'])
def test_config_beside_the_file__may_be_nonsense(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(text, encoding="latin-1")
    assert saved({"a.weight": (4, 8)}, tmp_path).layers[0].shape == (8, 4)


def test_folder_of_hugging_face__means_its_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    save_file({"c.weight": np.ones((2, 3), dtype=np.float32)}, tmp_path / "model.safetensors")
    source = open_source(tmp_path)
    assert source.path == tmp_path / "model.safetensors"
    assert source.layers[0].shape == (2, 3)


@pytest.mark.parametrize(
    ("orientation", "name", "shape", "expected"),
    [
        ("left-right", "a.weight", (4, 8), (4, 8)),
        ("right-left", "a.weight", (4, 8), (8, 4)),
        ("left-right", "wte.weight", (4, 8), (4, 8)),
        ("conv-transposed", "up.weight", (2, 3, 4, 5), (2, 60)),
        ("conv", "up.weight", (2, 3, 4, 5), (60, 2)),
        ("conv-transposed", "a.weight", (4, 8), (8, 4)),
        ("stack-left-right", "experts.w", (2, 3, 4), (3, 4)),
        ("left-right", "experts.w", (2, 3, 4), (3, 4)),
        ("stack-right-left", "experts.w", (2, 3, 4), (4, 3)),
    ],
)
def test_orientation__overrides_the_guess(
    orientation: str, name: str, shape: tuple[int, ...], expected: tuple[int, int], tmp_path: Path
) -> None:
    saved({name: shape}, tmp_path)
    source = opened(tmp_path / "checkpoint.safetensors", orientation)
    assert {layer.shape for layer in source.layers} == {expected}
    values = load_file(tmp_path / "checkpoint.safetensors")[name]
    total = sum(source.read(layer).strengths("left").sum() for layer in source.layers)
    assert total == pytest.approx(np.abs(values.astype(np.float64)).sum())


def test_orientation__that_does_not_exist_is_refused_with_those_that_do(tmp_path: Path) -> None:
    saved({"a.weight": (4, 8)}, tmp_path)
    with pytest.raises(bipnet.InputError, match="sideways") as error:
        opened(tmp_path / "checkpoint.safetensors", "sideways")
    assert all(layout in str(error.value) for layout in LAYOUTS)


@pytest.mark.parametrize("head_first", [False, True])
def test_tied_tensors__are_one_layer_by_the_name_of_the_embedding(
    head_first: bool, tmp_path: Path
) -> None:
    shared = torch.randn(7, 3)
    names = ["lm_head.weight", "embed_tokens.weight"]
    torch.save(dict.fromkeys(names if head_first else names[::-1], shared), tmp_path / "w.pt")
    source = opened(tmp_path / "w.pt")
    (layer,) = source.layers
    assert (layer.name, layer.kind) == ("embed_tokens.weight", "embedding")
    assert layer.shape == (7, 3)
    assert not layer.by_default
    assert "tied to lm_head.weight: changed once" in layer.note
    for glob in ("lm_head", "lm_*.weight", "embed_tokens", "*"):
        assert matching_layers(source.layers, [glob], "w.pt") == [layer]


def test_equal_but_separate_tensors__are_not_tied(tmp_path: Path) -> None:
    values = torch.randn(4, 4)
    torch.save({"a.weight": values, "b.weight": values.clone()}, tmp_path / "w.pt")
    put = rewritten(tmp_path / "w.pt", tmp_path / "out.pt", "A")
    assert list(put) == ["a.weight", "b.weight"]
    assert put["a.weight"] != put["b.weight"]


# -- layers by glob ----------------------------------------------------------------------------


def test_globs__match_tensors_and_modules_in_the_order_of_the_file(tmp_path: Path) -> None:
    source = saved({"b.fc.weight": (2, 3), "a.fc.weight": (2, 3), "wte.weight": (2, 3)}, tmp_path)

    def chosen(*globs: str) -> list[str]:
        return [layer.name for layer in matching_layers(source.layers, globs, "here")]

    order = [layer.name for layer in source.layers]
    assert chosen() == [name for name in order if name != "wte.weight"]
    assert chosen("*") == order
    assert chosen("a.fc", "b.*") == [name for name in order if name != "wte.weight"]
    assert chosen("wte.weight") == ["wte.weight"]
    assert chosen("?.fc.weight", "?.fc.weight") == chosen()


def test_glob__that_matches_nothing_lists_what_there_is(tmp_path: Path) -> None:
    source = saved({"encoder.fc.weight": (2, 3), "encoder.fc.weight_v": (2, 2)}, tmp_path)
    with pytest.raises(bipnet.LayerNotFoundError) as error:
        matching_layers(source.layers, ["encoder.fd.weight"], "here", source.skipped)
    assert "no layer of here matches 'encoder.fd.weight'" in str(error.value)
    assert "Did you mean 'encoder.fc.weight'?" in str(error.value)
    assert "There are: encoder.fc.weight." in str(error.value)
    with pytest.raises(bipnet.LayerNotFoundError, match="weight_v is parametrized"):
        matching_layers(source.layers, ["*_v"], "here", source.skipped)


def test_no_default_layer__says_so_and_lists_what_there_is(tmp_path: Path) -> None:
    source = saved({"wte.weight": (2, 3), "bias": (3,)}, tmp_path)
    with pytest.raises(bipnet.LayerNotFoundError, match=r"name layers with a glob.*wte"):
        matching_layers(source.layers, [], "here", source.skipped)


def test_long_lists_of_layers__are_cut(tmp_path: Path) -> None:
    source = saved({f"l{i:02}.weight": (2, 2) for i in range(25)}, tmp_path)
    with pytest.raises(bipnet.LayerNotFoundError, match="and 5 more"):
        matching_layers(source.layers, ["zzz"], "here")


def test_in_memory_zip__is_what_numpy_reads(tmp_path: Path) -> None:
    """The archive written without np.savez is one that NumPy itself would have written."""
    path, output = tmp_path / "w.npz", tmp_path / "out.npz"
    np.savez(path, W=W)
    rewritten(path, output, None)
    with np.load(io.BytesIO(output.read_bytes()), allow_pickle=False) as archive:
        assert archive.files == ["W"]
        np.testing.assert_array_equal(archive["W"], W)


def test_checkpoint__takes_weights_by_default_and_other_matrices_by_name(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    matrix = np.ones((3, 4), np.float32)
    names = ("layers.0.fc.weight", "layers.0.ssm.A_log", "W", "rnn.weight_ih_l0")
    names += ("layers.0.relative_attention_bias.weight",)
    save_file(dict.fromkeys(names, matrix), tmp_path / "m.safetensors")
    source = open_source(tmp_path / "m.safetensors")
    default = {layer.name: layer.by_default for layer in source.layers}
    assert default == {name: name in ("layers.0.fc.weight", "W") for name in names}


@pytest.mark.parametrize(
    ("kind", "shape"), [("mixtral", (4, 3)), ("llama4", (3, 4)), ("gpt_oss", (3, 4))]
)
def test_checkpoint__stacked_experts_lie_as_the_config_says(
    tmp_path: Path, kind: str, shape: tuple[int, int]
) -> None:
    from safetensors.numpy import save_file

    save_file({"mlp.experts.down_proj": np.ones((2, 3, 4), np.float32)}, tmp_path / "m.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
    assert open_source(tmp_path / "m.safetensors").layers[1].shape == shape


def test_orientation__is_for_checkpoints_alone(tmp_path: Path) -> None:
    np.save(tmp_path / "W.npy", np.ones((2, 3)))
    with pytest.raises(bipnet.InputError, match="rows of a npy file are left nodes"):
        open_source(tmp_path / "W.npy", orientation="right-left")
