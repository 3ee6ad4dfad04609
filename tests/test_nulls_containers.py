"""Null models give back the kind of container they are given, or fill ``out``."""

from __future__ import annotations

from typing import Any

import numpy as np
import oracles
import pytest
import scipy.sparse
import strategies as my
from hypothesis import given

import bipnet

pytestmark = pytest.mark.filterwarnings("ignore::bipnet.FrozenWarning")

W = np.array([[1.5, -2.0, 3.0, 0.0], [0.0, 4.5, -5.0, 6.0], [-7.0, 8.0, 0.0, -9.5]])

FORMATS = ("csr", "csc", "coo", "bsr", "dia", "dok", "lil")
KINDS = [f"{name}_{kind}" for name in FORMATS for kind in ("array", "matrix")]

TORCH_DTYPES = (
    "float16",
    "bfloat16",
    "float32",
    "float64",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "bool",
)


# -- NumPy -------------------------------------------------------------------------------------


def test_randomize__takes_nested_lists_and_gives_an_array() -> None:
    R = bipnet.randomize(W.tolist(), "A", rng=1)
    assert isinstance(R, np.ndarray)
    assert np.array_equal(R, bipnet.randomize(W, "A", rng=1))


@pytest.mark.parametrize("dtype", ["f4", "f8", "i2", "u8"])
def test_randomize__gives_big_endian_back_as_such(dtype: str) -> None:
    V = np.abs(W).astype(f">{dtype}") if dtype == "u8" else W.astype(f">{dtype}")
    R = bipnet.randomize(V, "A", rng=1)
    assert R.dtype == V.dtype
    assert not R.dtype.isnative
    assert np.array_equal(R, bipnet.randomize(V.astype(dtype), "A", rng=1))


def test_randomize__does_not_change_its_input_where_draws_are_copied_late() -> None:
    kept = W.copy()
    for null in bipnet.NULL_MODELS:
        R = bipnet.randomize(W, null, rng=1)
        R[...] = 99
    assert np.array_equal(W, kept)


# -- scipy -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "uint16"])
@pytest.mark.parametrize("kind", KINDS)
def test_randomize__gives_the_sparse_format_back(kind: str, dtype: str) -> None:
    V = (np.abs(W) if dtype == "uint16" else W).astype(dtype)
    options = {"blocksize": (1, 1)} if kind.startswith("bsr") else {}
    matrix = getattr(scipy.sparse, kind)(V, **options)
    for null in bipnet.NULL_MODELS:
        R = bipnet.randomize(matrix, null, rng=1)
        assert type(R) is type(matrix)
        assert R.dtype == V.dtype
        assert R.shape == V.shape
        assert np.array_equal(R.toarray(), bipnet.randomize(V, null, rng=1))
    assert np.array_equal(matrix.toarray(), V)


def test_randomize__does_not_share_a_sparse_input() -> None:
    matrix = scipy.sparse.csr_array(W)
    R = bipnet.randomize(matrix, "A", rng=1)
    for name in ("data", "indices", "indptr"):
        assert not np.shares_memory(getattr(R, name), getattr(matrix, name))


def test_randomize__sorts_an_unsorted_csr_without_changing_it() -> None:
    matrix = scipy.sparse.csr_array(
        (np.array([3.0, 1.0, -2.0]), np.array([2, 0, 1]), np.array([0, 2, 3])), shape=(2, 3)
    )
    R = bipnet.randomize(matrix, "A", rng=1)
    assert np.array_equal(R.toarray(), bipnet.randomize(matrix.toarray(), "A", rng=1))
    assert matrix.indices.tolist() == [2, 0, 1]


# -- torch -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def torch() -> Any:
    """torch, where it is installed."""
    return pytest.importorskip("torch")


@pytest.mark.parametrize("dtype", TORCH_DTYPES)
def test_randomize__gives_a_tensor_back(torch: Any, dtype: str) -> None:
    V = np.abs(W) if dtype.startswith("u") else W
    tensor = torch.tensor(V.tolist()).to(getattr(torch, dtype))
    before = tensor.clone()
    array = V.astype(my.BFLOAT16 if dtype == "bfloat16" else dtype)
    for null in bipnet.NULL_MODELS:
        R = bipnet.randomize(tensor, null, rng=1)
        assert isinstance(R, torch.Tensor)
        assert R.dtype == tensor.dtype
        assert R.device == tensor.device
        assert R.tolist() == bipnet.randomize(array, null, rng=1).tolist()
        assert R.data_ptr() != tensor.data_ptr()
    assert torch.equal(tensor, before)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_randomize__takes_tensors_of_any_strides(torch: Any, dtype: str) -> None:
    tensor = torch.tensor(W.tolist(), dtype=getattr(torch, dtype))
    big = torch.zeros(6, 8, dtype=tensor.dtype)
    big[::2, ::2] = tensor
    for V in (tensor.t().contiguous().t(), big[::2, ::2], torch.nn.Parameter(tensor)):
        before = V.detach().clone()
        R = bipnet.randomize(V, "A", rng=1)
        assert torch.equal(R, bipnet.randomize(tensor, "A", rng=1))
        assert torch.equal(V.detach(), before)


def test_randomize__gives_a_tensor_without_gradient(torch: Any) -> None:
    R = bipnet.randomize(torch.nn.Parameter(torch.tensor(W)), "A", rng=1)
    assert not R.requires_grad
    R[0, 0] = 5  # and it may be written to
    assert R[0, 0] == 5


def test_ensemble__gives_tensors(torch: Any) -> None:
    draws = bipnet.ensemble(torch.tensor(W), "A", 3, rng=1)
    assert [type(R) for R in draws] == [torch.Tensor] * 3
    assert torch.equal(draws[2], bipnet.randomize(torch.tensor(W), "A", rng=1, index=2))


@pytest.mark.parametrize("dtype", ["complex64", "float8_e4m3fn"])
def test_randomize__refuses_tensors_that_are_no_weights(torch: Any, dtype: str) -> None:
    tensor = torch.zeros(2, 2, dtype=getattr(torch, dtype))
    with pytest.raises(bipnet.DTypeError, match=dtype.split("_")[0]):
        bipnet.randomize(tensor, "A")


def test_randomize__refuses_a_sparse_tensor_and_says_what_to_do(torch: Any) -> None:
    with pytest.raises(bipnet.DTypeError, match="to_dense"):
        bipnet.randomize(torch.tensor(W).to_sparse(), "A")


def test_verify__takes_tensors_and_arrays_together(torch: Any) -> None:
    R = bipnet.randomize(W, "E", rng=1)
    assert bipnet.verify(torch.tensor(W), R, "E").ok
    assert bipnet.verify(W, torch.tensor(R), "E").ok


# -- graphs ------------------------------------------------------------------------------------


@my.each_row
def test_randomize__gives_a_graph_with_its_labels_back(null: str, method: str) -> None:
    g = bipnet.SignedBipartiteGraph(W, left_labels="abc", right_labels=[1, 2, 3, 4])
    R = bipnet.randomize(g, null, rng=1, method=method)
    assert isinstance(R, bipnet.SignedBipartiteGraph)
    assert R.left_labels == ("a", "b", "c")
    assert R.right_labels == (1, 2, 3, 4)
    assert np.array_equal(R.to_array(), bipnet.randomize(W, null, rng=1, method=method))
    assert np.array_equal(g.to_array(), W)
    assert bipnet.verify(g, R, null).ok


def test_randomize__gives_a_graph_indices_of_its_own() -> None:
    g = bipnet.SignedBipartiteGraph(W)
    assert g.degrees("left", "+").tolist() == [2, 2, 1]
    found = set()
    for R in bipnet.ensemble(g, "A", 10, rng=1):
        for side in ("left", "right"):
            assert R.degrees(side, "+").tolist() == oracles.degrees(R.to_array(), side, "+")
        found.add(tuple(R.degrees("left", "+").tolist()))
    assert len(found) > 1


def test_randomize__gives_a_sparse_graph_back_sparse() -> None:
    g = bipnet.SignedBipartiteGraph(scipy.sparse.coo_array(W))
    R = bipnet.randomize(g, "B", rng=1)
    assert R.is_sparse
    assert np.array_equal(R.to_array(), bipnet.randomize(W, "B", rng=1))


# -- out ---------------------------------------------------------------------------------------


@my.each_row
def test_out__is_filled_elsewhere_and_in_place(null: str, method: str) -> None:
    @my.property_test
    @given(my.matrices(orders=("C",)))
    def check(V: my.Matrix) -> None:
        before = V.copy()
        wanted = bipnet.randomize(V, null, rng=1, method=method)
        out = np.ones_like(V)
        assert bipnet.randomize(V, null, rng=1, method=method, out=out) is out
        assert out.tobytes() == wanted.tobytes()
        assert V.tobytes() == before.tobytes()
        assert bipnet.randomize(V, null, rng=1, method=method, out=V) is V
        assert V.tobytes() == wanted.tobytes()

    check()


def test_out__takes_the_draw_of_a_list_or_of_a_matrix_in_another_order() -> None:
    wanted = bipnet.randomize(W, "A", rng=1)
    for V in (W.tolist(), np.asfortranarray(W), my.arranged(W, "strided")):
        out = np.empty_like(W, order="C")
        bipnet.randomize(V, "A", rng=1, out=out)
        assert np.array_equal(out, wanted)


def test_out__may_overlap_its_input() -> None:
    memory = np.zeros((4, 4))
    memory[:3] = W
    bipnet.randomize(memory[:3], "A", rng=1, out=memory[1:])
    assert np.array_equal(memory[1:], bipnet.randomize(W, "A", rng=1))


def test_out__may_be_a_big_endian_input_itself() -> None:
    V = W.astype(">f8")
    bipnet.randomize(V, "A", rng=1, out=V)
    assert np.array_equal(V, bipnet.randomize(W, "A", rng=1))


def read_only() -> my.Matrix:
    """An array that cannot be written to."""
    array = np.zeros((3, 4))
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    "out",
    [
        np.zeros((4, 3)),
        np.zeros(12),
        np.zeros((3, 4), dtype=np.float32),
        np.zeros((3, 4), dtype=np.int64),
        read_only(),
        W.tolist(),
        scipy.sparse.csr_array(W),
        "out",
    ],
    ids=[
        "shape",
        "flat",
        "float32",
        "same width",
        "read-only",
        "list",
        "csr",
        "text",
    ],
)
def test_out__is_refused_where_it_does_not_fit(out: Any) -> None:
    with pytest.raises(bipnet.InputError, match="out must be a writable ndarray"):
        bipnet.randomize(W, "A", rng=1, out=out)


@pytest.mark.parametrize(
    "out", [np.zeros((3, 4), order="F"), np.zeros((3, 8))[:, ::2]], ids=["Fortran", "strided"]
)
def test_out__may_have_any_memory_order(out: Any) -> None:
    bipnet.randomize(W, "A", rng=1, out=out)
    assert np.array_equal(out, bipnet.randomize(W, "A", rng=1))


def test_out__is_refused_for_other_containers(torch: Any) -> None:
    for V in (
        scipy.sparse.csr_array(W),
        bipnet.SignedBipartiteGraph(W),
        bipnet.SignedBipartiteGraph(scipy.sparse.csr_array(W)),
        torch.tensor(W),
    ):
        out = np.zeros_like(W)
        with pytest.raises(bipnet.InputError, match="W a dense"):
            bipnet.randomize(V, "A", rng=1, out=out)
        assert not out.any()


def test_out__is_untouched_where_an_argument_is_wrong() -> None:
    out = np.zeros_like(W)
    for wrong in ({"null": "H"}, {"null": "A", "steps": 3}, {"null": "A", "index": -1}):
        arguments: dict[str, Any] = {"rng": 1, "out": out, **wrong}
        with pytest.raises(bipnet.InputError):
            bipnet.randomize(W, **arguments)
    assert not out.any()
