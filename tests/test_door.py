"""The one door: what is taken, what is refused, and with which words."""

from __future__ import annotations

import datetime
import tracemalloc
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import ml_dtypes
import numpy as np
import psutil
import pytest
import scipy.sparse
import strategies as my

import bipnet
from bipnet import SignedBipartiteGraph

W = np.array([[1.0, -2.0, 0.0], [0.0, 3.0, -4.0]])

DOORS: dict[str, Callable[[Any], object]] = {
    "graph": SignedBipartiteGraph,
    "randomize": lambda matrix: bipnet.randomize(matrix, "A", rng=1),
    "ensemble": lambda matrix: bipnet.ensemble(matrix, "A", 3, rng=1),
    "verify": lambda matrix: bipnet.verify(matrix, matrix, "A"),
}
each_door = pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)


def with_weight(weight: float, cell: tuple[int, int], dtype: Any = np.float64) -> my.Matrix:
    """A matrix of ones but for one cell."""
    V = np.ones((3, 4), dtype=dtype)
    V[cell] = weight
    return V


# -- refused by dtype or type ------------------------------------------------------------------


def masked() -> Any:
    """A masked array."""
    return np.ma.masked_array(W, mask=W == 0)


def data_frame() -> Any:
    """A pandas DataFrame."""
    return pytest.importorskip("pandas").DataFrame(W)


@each_door
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: W.astype(complex), "complex weight has no sign"),
        (lambda: W.astype(object), "Python objects"),
        (lambda: [[1.0, None]], "Python objects"),
        (lambda: np.array([["a", "b"]]), "bipnet takes float16"),
        (lambda: W.astype(np.longdouble), "bipnet takes float16"),
        (lambda: np.array([[datetime.date(2024, 1, 1)]], dtype="M8[D]"), "bipnet takes float16"),
        (lambda: W.astype(ml_dtypes.float8_e4m3fn), "float8_e4m3fn.*dequantise"),
        (lambda: W.astype(ml_dtypes.float8_e5m2), "float8_e5m2.*dequantise"),
        (lambda: W.astype(ml_dtypes.int4), "int4.*dequantise"),
        (lambda: abs(W).astype(ml_dtypes.uint4), "int4.*dequantise"),
        (masked, "masked array; fill it first"),
        (data_frame, r"pandas DataFrame; pass \w\.to_numpy\(\)"),
        (lambda: "weights.npy", "must be a matrix .* got str"),
        (lambda: b"weights", "got bytes"),
        (lambda: {"weight": W}, "got dict"),
        (lambda: None, "got NoneType"),
        (lambda: [[1.0, 2.0], [3.0]], "is no matrix"),
        (lambda: (row for row in W), "Python objects"),
        (lambda: scipy.sparse.csr_array(W.astype(complex)), "complex weight has no sign"),
    ],
    ids=[
        "complex",
        "object",
        "None inside",
        "text",
        "longdouble",
        "dates",
        "float8 e4m3",
        "float8 e5m2",
        "int4",
        "uint4",
        "masked",
        "DataFrame",
        "str",
        "bytes",
        "dict",
        "None",
        "ragged",
        "generator",
        "sparse complex",
    ],
)
def test_door__refuses_what_is_no_weight(
    make: Callable[[], Any], message: str, door: Callable[[Any], object]
) -> None:
    with pytest.raises(bipnet.DTypeError, match=message):
        door(make())


# -- refused by shape --------------------------------------------------------------------------


@each_door
@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (5.0, r"two dimensions .* got shape \(\)"),
        (np.ones(3), r"two dimensions .* got shape \(3,\)"),
        (np.ones((2, 3, 4)), r"two dimensions .* got shape \(2, 3, 4\)"),
        (np.ones((0, 3)), r"no rows \(left nodes\): shape \(0, 3\)"),
        (np.ones((3, 0)), r"no columns \(right nodes\): shape \(3, 0\)"),
        ([], r"two dimensions"),
        ([[]], r"no columns"),
        (scipy.sparse.csr_array((0, 3)), "no rows"),
        (scipy.sparse.coo_array(np.ones(3)), "two dimensions"),
    ],
    ids=["scalar", "1-D", "3-D", "no rows", "no columns", "[]", "[[]]", "sparse", "sparse 1-D"],
)
def test_door__refuses_what_is_no_matrix(
    matrix: Any, message: str, door: Callable[[Any], object]
) -> None:
    with pytest.raises(bipnet.InputError, match=message):
        door(matrix)


# -- refused by value --------------------------------------------------------------------------


@each_door
@pytest.mark.parametrize("dtype", my.FLOATS, ids=[dtype.name for dtype in my.FLOATS])
@pytest.mark.parametrize(
    ("weight", "word"), [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf")], ids=str
)
def test_door__names_the_place_of_a_weight_that_is_not_finite(
    weight: float, word: str, dtype: Any, door: Callable[[Any], object]
) -> None:
    for order in ("C", "F", "strided", "big-endian"):
        V = my.arranged(with_weight(weight, (1, 2), dtype), order)
        with pytest.raises(bipnet.InputError, match=rf"\w\[1, 2\] is {word}"):
            door(V)


def test_door__names_the_first_of_several_places() -> None:
    V = np.ones((300, 400))  # more than one block is looked at
    V[299, 399] = V[250, 7] = np.nan
    with pytest.raises(bipnet.InputError, match=r"W\[250, 7\] is nan"):
        SignedBipartiteGraph(V)


@pytest.mark.parametrize("kind", ["csr_array", "csc_array", "coo_array", "lil_array"])
def test_door__names_the_place_of_a_sparse_weight_that_is_not_finite(kind: str) -> None:
    V = W.copy()
    V[1, 2] = np.inf
    with pytest.raises(bipnet.InputError, match=r"W\[1, 2\] is inf"):
        SignedBipartiteGraph(getattr(scipy.sparse, kind)(V))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_door__names_the_place_in_a_tensor(dtype: str) -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.ones(3, 4, dtype=getattr(torch, dtype))
    tensor[2, 1] = float("nan")
    with pytest.raises(bipnet.InputError, match=r"W\[2, 1\] is nan"):
        SignedBipartiteGraph(tensor)
    with pytest.raises(bipnet.InputError, match=r"W\[1, 2\] is nan"):
        SignedBipartiteGraph(tensor.t())


def test_door__takes_the_largest_and_smallest_finite_weights() -> None:
    for dtype in my.FLOATS:
        info: Any = ml_dtypes.finfo(dtype)  # type: ignore[no-untyped-call]
        V = np.array([[info.max, -info.max, info.smallest_subnormal]], dtype=dtype)
        assert SignedBipartiteGraph(V).n_edges == 3
    for dtype in my.SIGNED_INTS:
        V = np.array([[np.iinfo(dtype).min, np.iinfo(dtype).max]], dtype=dtype)
        g = SignedBipartiteGraph(V)
        assert g.degrees("left", "-").tolist() == [1]
        assert g.strengths("left", "-").tolist() == [-float(np.iinfo(dtype).min)]


# -- sparse matrices ---------------------------------------------------------------------------


def with_zeros() -> Any:
    """A CSR matrix with two explicit zeros, one of them -0.0."""
    return scipy.sparse.csr_array(
        (np.array([1.0, 0.0, -2.0, -0.0]), np.array([0, 1, 0, 2]), np.array([0, 2, 4])),
        shape=(2, 3),
    )


def test_door__counts_a_single_explicit_zero_as_one() -> None:
    one = scipy.sparse.csr_array((np.array([1.0, 0.0]), ([0, 1], [0, 1])), shape=(2, 3))
    with pytest.warns(bipnet.ExplicitZeroWarning, match="W: 1 explicit zero dropped"):
        SignedBipartiteGraph(one)


def test_door__drops_explicit_zeros_with_a_warning() -> None:
    matrix = with_zeros()
    with pytest.warns(bipnet.ExplicitZeroWarning, match="W: 2 explicit zeros dropped"):
        g = SignedBipartiteGraph(matrix)
    assert g.n_edges == 2
    assert [part.tolist() for part in g.edges()] == [[0, 1], [0, 0], [1.0, -2.0]]
    assert matrix.nnz == 4  # the caller's matrix keeps them
    with pytest.warns(bipnet.ExplicitZeroWarning, match="the graph: 2 explicit zeros"):
        again = SignedBipartiteGraph.from_csr(matrix.data, matrix.indices, matrix.indptr, (2, 3))
    assert again == g


def test_door__a_warning_points_at_the_line_of_the_caller() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        SignedBipartiteGraph(with_zeros())
        bipnet.randomize(with_zeros(), "A", rng=1)
        bipnet.verify(with_zeros(), W, "A", strict=False)
        bipnet.prune(with_zeros(), 0.0)
        matrix = with_zeros()
        SignedBipartiteGraph.from_csr(matrix.data, matrix.indices, matrix.indptr, (2, 3))
    assert {warning.category for warning in caught} == {bipnet.ExplicitZeroWarning}
    assert [warning.filename for warning in caught] == [__file__] * 5


@pytest.mark.parametrize("kind", ["coo_array", "coo_matrix", "csr_array", "csc_array"])
def test_door__refuses_duplicate_entries(kind: str) -> None:
    data, places = np.array([1.0, 2.0, 3.0]), (np.array([0, 1, 1]), np.array([0, 2, 2]))
    if kind.startswith("coo"):
        matrix = getattr(scipy.sparse, kind)((data, places), shape=(2, 3))
    else:
        indptr = [0, 1, 3] if kind == "csr_array" else [0, 1, 1, 3]
        indices = [0, 2, 2] if kind == "csr_array" else [0, 1, 1]
        matrix = getattr(scipy.sparse, kind)((data, indices, indptr), shape=(2, 3))
    with pytest.raises(bipnet.InputError, match=r"more than one entry for \[1, 2\].*sum_dup"):
        SignedBipartiteGraph(matrix)
    with pytest.raises(bipnet.InputError, match=r"more than one entry"):
        bipnet.prune(matrix, 0.5)


# -- from_csr ----------------------------------------------------------------------------------

GOOD: dict[str, Any] = {
    "data": np.array([1.0, -2.0, 3.0, -4.0]),
    "indices": np.array([0, 1, 1, 2]),
    "indptr": np.array([0, 2, 4]),
    "shape": (2, 3),
}


@my.each_dtype
def test_from_csr__holds_any_dtype_exactly(dtype: Any) -> None:
    V = abs(W).astype(dtype) if dtype in my.UNSIGNED else W.astype(dtype)
    arguments = {**GOOD, "data": V[V != 0]}
    g = SignedBipartiteGraph.from_csr(**arguments)
    assert g.dtype == dtype
    assert g.is_sparse
    assert g == SignedBipartiteGraph(V)
    assert np.array_equal(g.to_array(), V)


@pytest.mark.parametrize("index_dtype", [np.int32, np.int64, np.uint8, np.uint32, list])
def test_from_csr__takes_any_whole_number_as_an_index(index_dtype: Any) -> None:
    convert = list if index_dtype is list else lambda array: array.astype(index_dtype)
    arguments = {**GOOD, "indices": convert(GOOD["indices"]), "indptr": convert(GOOD["indptr"])}
    g = SignedBipartiteGraph.from_csr(**arguments)
    assert np.array_equal(g.to_array(), W)
    assert g.degrees("right").tolist() == [1, 2, 1]
    assert bipnet.randomize(g, "A", rng=1).n_edges == 4


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"indptr": [0, 4]}, "do not fit together"),
        ({"indptr": [1, 2, 4]}, "do not fit together"),
        ({"indptr": [0, 2, 3]}, "do not fit together"),
        ({"indptr": [0, 5, 4]}, "do not fit together"),
        ({"indptr": np.array([0, 5, 4], dtype=np.uint8)}, "do not fit together"),
        ({"indptr": 4}, "one dimension"),
        ({"indptr": [0.0, 2.0, 4.0]}, "integer|whole|fit"),
        ({"data": [1.0, 2.0]}, "do not fit together"),
        ({"data": np.ones((4, 2))}, "do not fit together|one dimension"),
        ({"indices": [0, 1, 1, 3]}, r"column index lies outside 0\.\.2"),
        ({"indices": [-1, 1, 1, 2]}, "column index lies outside"),
        ({"indices": [1, 0, 1, 2]}, "must be sorted"),
        ({"indices": [0, 1, 2, 2]}, r"more than one entry for \[1, 2\]"),
        ({"indices": [0.0, 1.5, 1.0, 2.0]}, "integer|whole|fit"),
        ({"data": [1.0, -2.0, np.nan, -4.0]}, r"the graph\[1, 1\] is nan"),
        ({"shape": (2, 3, 4)}, "two dimensions"),
        ({"shape": (0, 3)}, "no rows"),
        ({"shape": (2.5, 3)}, "integer|whole|shape"),
        ({"shape": (2, -3)}, "column|shape"),
    ],
    ids=str,
)
def test_from_csr__refuses_arrays_that_do_not_fit(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises((bipnet.InputError, bipnet.DTypeError), match=message):
        SignedBipartiteGraph.from_csr(**{**GOOD, **wrong})


@pytest.mark.parametrize("data", [[1j, 2, 3, 4], ["a", "b", "c", "d"], [1, 2, 3, None]])
def test_from_csr__refuses_what_is_no_weight(data: Any) -> None:
    with pytest.raises(bipnet.DTypeError):
        SignedBipartiteGraph.from_csr(**{**GOOD, "data": data})


# -- memory ------------------------------------------------------------------------------------

HUGE = (10**8, 10**8)
"""More bytes than any address space has: whoever allocates first gets another error."""


@each_door
@pytest.mark.parametrize("dtype", ["float16", "float32", "int8"])
def test_memory__a_matrix_that_does_not_fit_is_refused_before_allocating(
    dtype: str, door: Callable[[Any], object]
) -> None:
    giant = np.broadcast_to(np.array(1, dtype=dtype), HUGE)
    with pytest.raises(bipnet.TooLargeError, match=r"needs .* TB of memory and .* are free"):
        door(giant)


@pytest.mark.parametrize(
    "probe",
    [
        lambda V: bipnet.prune(V, 0.5),
        bipnet.binarize,
        lambda V: bipnet.add_noise(V, 0.1, rng=1),
        lambda V: bipnet.flip_signs(V, 0.5),
    ],
    ids=["prune", "binarize", "add_noise", "flip_signs"],
)
def test_memory__probes_refuse_before_allocating(probe: Callable[[Any], object]) -> None:
    with pytest.raises(bipnet.TooLargeError, match="TB of memory"):
        probe(np.broadcast_to(np.float32(1), HUGE))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_memory__a_tensor_that_does_not_fit_is_refused_before_allocating(dtype: str) -> None:
    torch = pytest.importorskip("torch")
    giant = torch.ones(1, 1, dtype=getattr(torch, dtype)).expand(*HUGE)
    with pytest.raises(bipnet.TooLargeError, match="TB of memory"):
        SignedBipartiteGraph(giant)


def test_memory__a_sparse_graph_may_be_larger_than_its_dense_array() -> None:
    matrix = scipy.sparse.coo_array(([1.0, -2.0], ([0, 10**6 - 1], [5, 7])), shape=(10**6, 10**6))
    g = SignedBipartiteGraph(matrix)
    assert g.n_edges == 2
    with pytest.raises(bipnet.TooLargeError, match="a dense array of 1000000 x 1000000"):
        g.to_array()
    sign_pattern = r"pilot of null model G on \(1000000, 1000000\) needs 1\.0 TB of memory"
    with pytest.raises(bipnet.TooLargeError, match=sign_pattern):
        bipnet.randomize(g, "G", rng=1, method="swap", steps=1)
    with pytest.warns(bipnet.FrozenWarning, match="nothing can move"):  # trades are left out
        assert bipnet.randomize(g, "G", rng=1) == g


@pytest.mark.parametrize("letter", list(bipnet.NULL_MODELS))
def test_memory__is_asked_for_at_each_draw(letter: str, monkeypatch: pytest.MonkeyPatch) -> None:
    V = np.ones((3000, 1000), dtype=np.float64)
    V[::2, ::2] = -1
    draws = bipnet.ensemble(V, letter, 3, rng=1)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=20_000_000))
    with pytest.raises(bipnet.TooLargeError, match=r"needs 48\.0 MB of memory and 20\.0 MB"):
        bipnet.randomize(V, letter, rng=1)
    with pytest.raises(bipnet.TooLargeError, match="null model"):
        draws[0]
    with pytest.raises(bipnet.TooLargeError, match=r"a copy of W \(3000, 1000\)"):
        SignedBipartiteGraph(V)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_memory__verify_asks_for_what_it_takes(dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    V = np.random.default_rng(1).normal(size=(600, 500)).astype(dtype)
    R = bipnet.randomize(V, "E", rng=1)
    asked: list[int] = []
    monkeypatch.setattr("bipnet.nulls._verify.require_memory", lambda n, purpose: asked.append(n))
    tracemalloc.start()
    try:
        assert bipnet.verify(V, R, "E").ok
        taken = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    monkeypatch.undo()
    assert taken <= asked[0] <= 1.2 * taken
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=asked[0] - 1))
    with pytest.raises(bipnet.TooLargeError, match=r"comparing \(600, 500\) matrices"):
        bipnet.verify(V, R, "E")


def test_memory__small_work_does_not_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=0))
    assert bipnet.randomize(W, "A", rng=1).size == 6


# -- tensors of an odd kind --------------------------------------------------------------------


def test_door__takes_tensors_whose_sign_is_only_noted() -> None:
    torch = pytest.importorskip("torch")
    plain = torch.tensor(W)
    noted = torch._neg_view(plain)
    assert noted.is_neg()
    assert SignedBipartiteGraph(noted) == SignedBipartiteGraph(-W)
    imaginary = torch.complex(plain, plain).conj().imag
    assert SignedBipartiteGraph(imaginary) == SignedBipartiteGraph(-W)
    assert torch.equal(bipnet.prune(noted, 0.0), -plain)


@each_door
def test_door__refuses_tensors_without_values_or_shape(door: Callable[[Any], object]) -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(bipnet.InputError, match=r"has no values .*meta device"):
        door(torch.zeros(2, 3, device="meta"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch: nested tensors are a prototype
        nested = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])
    with pytest.raises(bipnet.DTypeError, match="nested torch tensor"):
        door(nested)
    with pytest.raises(bipnet.InputError, match="meta device"):
        bipnet.prune(torch.zeros(2, 3, device="meta"), 0.5)
