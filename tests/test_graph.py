"""SignedBipartiteGraph: its indices, that it cannot change, and what it is equal to."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import oracles
import pytest
import scipy.sparse
import strategies as my
from hypothesis import given

import bipnet
from bipnet import SignedBipartiteGraph
from bipnet.graph import Side, Sign

W = np.array([[1.5, -2.0, 3.0, 0.0], [0.0, 4.5, -5.0, 6.0], [-7.0, 8.0, 0.0, -9.5]])

SIDES: tuple[Side, ...] = ("left", "right")
SIGNS: tuple[Sign, ...] = ("+", "-")
SIDES_AND_SIGNS = [(side, sign) for side in SIDES for sign in SIGNS]


def as_csr_graph(V: my.Matrix, **labels: Any) -> SignedBipartiteGraph:
    """The same graph held as CSR, whatever its dtype."""
    left, right = (np.array(places, dtype=np.int64) for places in np.nonzero(V))
    indptr = np.concatenate([[0], np.cumsum(np.bincount(left, minlength=V.shape[0]))])
    return SignedBipartiteGraph.from_csr(V[left, right], right, indptr, (V.shape[0], V.shape[1]))


# -- size and indices --------------------------------------------------------------------------


@my.each_dtype
def test_graph__counts_and_sums_what_the_oracle_does(dtype: Any) -> None:
    @my.property_test
    @given(my.matrices(dtypes=(dtype,)))
    def check(V: my.Matrix) -> None:
        dense, sparse = SignedBipartiteGraph(V), as_csr_graph(V)
        assert sparse.is_sparse
        assert not dense.is_sparse
        for g in (dense, sparse):
            n_edges = len(oracles.edges(V))
            assert (g.n_left, g.n_right) == g.shape == V.shape
            assert g.n_edges == n_edges
            assert g.density == n_edges / V.size
            n_positive = sum(oracles.degrees(V, "left", "+"))
            assert g.positive_fraction == (n_positive / n_edges if n_edges else 0.0)
            for side, sign in SIDES_AND_SIGNS:
                assert g.degrees(side, sign).tolist() == oracles.degrees(V, side, sign)
                assert g.strengths(side, sign).tolist() == oracles.strengths(V, side, sign)
            for side in SIDES:
                assert g.degrees(side).tolist() == oracles.degrees(V, side)

    check()


def test_graph__indices_are_int64_and_float64() -> None:
    for g in (SignedBipartiteGraph(W.astype(np.float16)), as_csr_graph(W.astype(np.float32))):
        assert g.degrees("left", "+").dtype == np.int64
        assert g.strengths("right", "-").dtype == np.float64
        assert g.degrees("left").dtype == np.int64


def test_graph__strength_of_both_signs_is_their_sum() -> None:
    g = SignedBipartiteGraph(W)
    assert g.strengths("left").tolist() == [6.5, 15.5, 24.5]
    assert g.strengths("left", "-").tolist() == [2.0, 5.0, 16.5]


def test_graph__strengths_beyond_any_float_are_infinite_without_a_warning() -> None:
    g = SignedBipartiteGraph([[1.5e308, 1.5e308, -1.5e308]])
    assert g.strengths("left", "+").tolist() == [np.inf]
    assert g.strengths("left").tolist() == [np.inf]
    assert SignedBipartiteGraph([[1.5e308, -1.5e308]]).strengths("left").tolist() == [np.inf]


def test_graph__sums_small_floats_in_double_precision() -> None:
    V = np.full((1, 4000), 1.0, dtype=np.float16)
    assert SignedBipartiteGraph(V).strengths("left", "+")[0] == 4000
    assert SignedBipartiteGraph(V.astype(my.BFLOAT16)).strengths("left", "+")[0] == 4000


def test_graph__sums_in_blocks_give_the_bits_of_one_sum() -> None:
    # Many rows of a dtype that is converted block by block.
    rng = np.random.default_rng(1)
    V = rng.normal(size=(3000, 700)).astype(np.float16)
    blocks, whole = SignedBipartiteGraph(V), SignedBipartiteGraph(V.astype(np.float64))
    for side, sign in SIDES_AND_SIGNS:
        assert np.array_equal(blocks.strengths(side, sign), whole.strengths(side, sign))
        assert np.array_equal(blocks.degrees(side, sign), whole.degrees(side, sign))


def test_graph__without_edges_is_a_graph() -> None:
    for g in (SignedBipartiteGraph(np.zeros((2, 3))), as_csr_graph(np.zeros((2, 3)))):
        assert g.n_edges == 0
        assert g.positive_fraction == 0.0
        assert g.density == 0.0
        assert g.degrees("right").tolist() == [0, 0, 0]
        assert [len(part) for part in g.edges()] == [0, 0, 0]


def test_graph__minus_zero_is_no_edge() -> None:
    g = SignedBipartiteGraph(np.array([[-0.0, 1.0], [0.0, -2.0]], dtype=np.float32))
    assert g.n_edges == 2
    assert g.degrees("left", "-").tolist() == [0, 1]


@pytest.mark.parametrize("method", ["degrees", "strengths"])
@pytest.mark.parametrize(
    ("side", "sign", "message"),
    [
        ("rows", "+", "side must be 'left' or 'right', got 'rows'"),
        (None, "+", "side must be"),
        ("left", "plus", "sign must be '\\+', '-' or None"),
        ("left", 1, "sign must be"),
    ],
)
def test_graph__an_unknown_side_or_sign_is_refused(
    method: str, side: Any, sign: Any, message: str
) -> None:
    with pytest.raises(bipnet.InputError, match=message):
        getattr(SignedBipartiteGraph(W), method)(side, sign)


def test_graph__lists_its_edges_in_row_major_order() -> None:
    cells = oracles.edges(W)
    for g in (SignedBipartiteGraph(W), as_csr_graph(W)):
        left, right, weights = g.edges()
        assert list(zip(left.tolist(), right.tolist(), strict=True)) == cells
        assert weights.tolist() == [W[cell] for cell in cells]
        weights[0] = 99  # a copy
        assert g.edges()[2][0] == 1.5


def test_graph__repr_says_what_it_is() -> None:
    assert repr(as_csr_graph(W)) == (
        "SignedBipartiteGraph(n_left=3, n_right=4, n_edges=9, positive_fraction=0.5556,"
        " dtype=float64, sparse)"
    )


# -- immutable ---------------------------------------------------------------------------------


def test_graph__attributes_cannot_be_set_or_deleted() -> None:
    g = SignedBipartiteGraph(W)
    for name in ("n_left", "weights", "left_labels", "anything"):
        with pytest.raises(AttributeError, match=f"immutable: cannot set {name}"):
            setattr(g, name, 1)
        with pytest.raises(AttributeError, match=f"immutable: cannot delete {name}"):
            delattr(g, name)
    assert g.n_left == 3


def test_graph__arrays_are_read_only() -> None:
    g = SignedBipartiteGraph(W)
    for array in (
        g.weights,
        g.to_array(),
        g.degrees("left", "+"),
        g.degrees("left"),
        g.strengths("right", "-"),
        g.strengths("right"),
    ):
        assert isinstance(array, np.ndarray)
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_graph__its_own_arrays_cannot_be_made_writable_again() -> None:
    # Indices and checksum are kept: weights that change behind them would make them wrong.
    g = SignedBipartiteGraph(W)
    for array in (g.to_array(), g.degrees("left", "+"), g.strengths("right", "-")):
        with pytest.raises(ValueError, match="WRITEABLE"):
            array.flags.writeable = True


def test_graph__a_later_change_of_the_callers_array_does_not_show() -> None:
    dense, sparse = W.copy(), scipy.sparse.csr_array(W)
    graphs = [SignedBipartiteGraph(dense), SignedBipartiteGraph(sparse)]
    data, indices, indptr = sparse.data.copy(), sparse.indices.copy(), sparse.indptr.copy()
    graphs.append(SignedBipartiteGraph.from_csr(data, indices, indptr, (3, 4)))
    dense[...] = 1
    for array in (sparse.data, sparse.indices, sparse.indptr, data, indices, indptr):
        array[...] = 0
    for g in graphs:
        assert np.array_equal(g.to_array(), W)
        assert g.degrees("left", "+").tolist() == [2, 2, 1]


def test_graph__a_later_change_of_a_tensor_does_not_show() -> None:
    torch = pytest.importorskip("torch")
    for dtype in (torch.float32, torch.bfloat16):
        tensor = torch.tensor(W.tolist(), dtype=dtype)
        g = SignedBipartiteGraph(tensor)
        tensor.zero_()
        assert g.n_edges == 9


def test_graph__without_a_copy_shares_a_c_ordered_array() -> None:
    V = W.copy()
    assert np.shares_memory(SignedBipartiteGraph(V, copy=False).to_array(), V)
    assert not np.shares_memory(SignedBipartiteGraph(V).to_array(), V)
    assert V.flags.writeable  # the caller's own array is not locked


def test_graph__a_copy_of_a_sharing_graph_shares_nothing() -> None:
    V, sparse = W.copy(), scipy.sparse.csr_array(W)
    sharing = [SignedBipartiteGraph(V, copy=False), SignedBipartiteGraph(sparse, copy=False)]
    copies = [
        make(g)
        for g in sharing
        for make in (
            SignedBipartiteGraph,
            copy.copy,
            lambda g: SignedBipartiteGraph(SignedBipartiteGraph(g, copy=False)),
        )
    ]
    drawn = bipnet.randomize(sharing[1], "B", rng=1)
    before = drawn.to_array().copy()
    V[0, 0] = 99
    for array in (sparse.data, sparse.indices, sparse.indptr):
        array[...] = 0
    for g in copies:
        assert np.array_equal(g.to_array(), W)
    assert np.array_equal(drawn.to_array(), before)
    own = copies[0]
    assert np.shares_memory(SignedBipartiteGraph(own).to_array(), own.to_array())


def test_graph__dense_copies_of_a_sparse_graph_are_the_callers_own() -> None:
    g = as_csr_graph(W)
    g.to_array()[...] = 0
    assert isinstance(g.weights, scipy.sparse.csr_array)
    g.weights.data[...] = 0
    g.to_scipy().indices[...] = 0
    assert np.array_equal(g.to_array(), W)


# -- labels ------------------------------------------------------------------------------------


def test_labels__are_kept_as_tuples() -> None:
    g = SignedBipartiteGraph(W, left_labels=["a", "b", "c"], right_labels=range(4))
    assert g.left_labels == ("a", "b", "c")
    assert g.right_labels == (0, 1, 2, 3)
    assert SignedBipartiteGraph(W).left_labels is None


def test_labels__of_a_graph_are_taken_over_unless_new_ones_are_given() -> None:
    g = SignedBipartiteGraph(W, left_labels="abc", right_labels="wxyz")
    again = SignedBipartiteGraph(g, right_labels="1234")
    assert again.left_labels == ("a", "b", "c")
    assert again.right_labels == ("1", "2", "3", "4")


def test_labels__that_cannot_be_compared_are_refused() -> None:
    with pytest.raises((bipnet.InputError, bipnet.DTypeError), match="left_labels"):
        SignedBipartiteGraph(W, left_labels=[["a"], ["b"], ["c"]])


@pytest.mark.parametrize("side", ["left", "right"])
def test_labels__must_fit_and_be_unique(side: str) -> None:
    n = {"left": 3, "right": 4}[side]
    labels: dict[str, Any] = {f"{side}_labels": list(range(n + 1))}
    with pytest.raises(bipnet.InputError, match=f"all {n} {side} nodes, got {n + 1}"):
        SignedBipartiteGraph(W, **labels)
    labels = {f"{side}_labels": ["twin", "twin", *range(n - 2)]}
    with pytest.raises(bipnet.InputError, match=f"{side}_labels must be unique, but 'twin'"):
        SignedBipartiteGraph(W, **labels)


# -- equality ----------------------------------------------------------------------------------


@my.each_dtype
def test_graph__dense_and_csr_are_equal(dtype: Any) -> None:
    @my.property_test
    @given(my.matrices(dtypes=(dtype,)))
    def check(V: my.Matrix) -> None:
        dense, sparse = SignedBipartiteGraph(V), as_csr_graph(V)
        assert dense == sparse
        assert hash(dense) == hash(sparse)
        assert dense.checksum() == sparse.checksum()
        assert np.array_equal(dense.to_array(), sparse.to_array())
        assert len(dense.checksum()) == 64

    check()


def test_graph__equality_sees_every_difference() -> None:
    moved, weight, sign = W.copy(), W.copy(), W.copy()
    moved[0, 3], moved[0, 2] = W[0, 2], W[0, 3]
    weight[0, 0] = np.nextafter(1.5, 2)
    sign[0, 0] = -1.5
    others = [
        SignedBipartiteGraph(moved),
        SignedBipartiteGraph(weight),
        SignedBipartiteGraph(sign),
        SignedBipartiteGraph(W.T),
        SignedBipartiteGraph(np.vstack([W, np.zeros(4)])),
        SignedBipartiteGraph(W.astype(np.float32)),
    ]
    g = SignedBipartiteGraph(W)
    for other in others:
        assert g != other
        assert g.checksum() != other.checksum()
    assert len({g, *others}) == 7


def test_graph__checksum_of_a_full_matrix_sees_its_shape() -> None:
    full = np.arange(1.0, 7.0)
    sums = {SignedBipartiteGraph(full.reshape(s)).checksum() for s in ((1, 6), (2, 3), (6, 1))}
    assert len(sums) == 3


def test_graph__equality_reads_labels_and_the_checksum_does_not() -> None:
    g, labelled = SignedBipartiteGraph(W), SignedBipartiteGraph(W, left_labels="abc")
    assert g != labelled
    assert g.checksum() == labelled.checksum()
    assert labelled == SignedBipartiteGraph(W, left_labels=["a", "b", "c"])


def test_graph__is_not_equal_to_a_matrix() -> None:
    assert (SignedBipartiteGraph(W) == "graph") is False
    assert SignedBipartiteGraph(W) != 1


def test_graph__either_zero_and_either_byte_order_are_equal() -> None:
    V = np.where(W == 0, -0.0, W)
    assert SignedBipartiteGraph(V) == SignedBipartiteGraph(W)
    assert SignedBipartiteGraph(W.astype(">f8")) == SignedBipartiteGraph(W)
    assert SignedBipartiteGraph(W.astype(">f8")).dtype == np.float64


@pytest.mark.parametrize("dtype", ["float64", "bfloat16", "int8", "bool"])
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "csr"])
def test_graph__survives_pickle_and_copy(sparse: bool, dtype: str) -> None:
    V = W.astype(my.BFLOAT16 if dtype == "bfloat16" else dtype)
    g = bipnet.prune(as_csr_graph(V) if sparse else SignedBipartiteGraph(V), 0.2)
    g = SignedBipartiteGraph(g, left_labels="abc", right_labels=[1, 2, 3, 4])
    assert g.degrees("left").sum() == g.n_edges  # caches come along or not
    for again in (pickle.loads(pickle.dumps(g)), copy.copy(g), copy.deepcopy(g)):
        assert again == g
        assert again.is_sparse == sparse
        assert again.left_labels == g.left_labels
        assert again.right_labels == g.right_labels
        assert again.degrees("right", "+").tolist() == g.degrees("right", "+").tolist()
        with pytest.raises(ValueError, match="read-only"):
            again._inner.values[...] = 0


# -- back to matrices --------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", my.SPARSE_DTYPES, ids=[d.name for d in my.SPARSE_DTYPES])
def test_to_scipy__gives_the_weights_without_explicit_zeros(dtype: Any) -> None:
    V = abs(W).astype(dtype)
    for g in (SignedBipartiteGraph(V), as_csr_graph(V)):
        matrix = g.to_scipy()
        assert isinstance(matrix, scipy.sparse.csr_array)
        assert matrix.dtype == dtype
        assert matrix.nnz == 9
        assert np.array_equal(matrix.toarray(), V)


@pytest.mark.parametrize("dtype", [np.float16, my.BFLOAT16], ids=["float16", "bfloat16"])
def test_to_scipy__says_what_to_do_where_scipy_has_no_such_dtype(dtype: Any) -> None:
    for g in (SignedBipartiteGraph(W.astype(dtype)), as_csr_graph(W.astype(dtype))):
        with pytest.raises(bipnet.DTypeError, match=r"cannot hold b?float16; use edges\(\)"):
            g.to_scipy()


def test_weights__are_those_it_was_made_from() -> None:
    dense = SignedBipartiteGraph(W).weights
    assert isinstance(dense, np.ndarray)
    assert np.array_equal(dense, W)
    sparse = SignedBipartiteGraph(scipy.sparse.coo_array(W)).weights
    assert isinstance(sparse, scipy.sparse.csr_array)
    assert np.array_equal(sparse.toarray(), W)


def test_graph__refuses_labels_that_are_no_list() -> None:
    with pytest.raises(bipnet.InputError, match="left_labels must be a list of 3 labels, got 3"):
        SignedBipartiteGraph(W, left_labels=3)  # type: ignore[arg-type]


def test_from_csr__takes_tensors_and_refuses_what_is_ragged() -> None:
    torch = pytest.importorskip("torch")
    weights = torch.tensor([1.5, -2.0], dtype=torch.bfloat16)
    graph = SignedBipartiteGraph.from_csr(weights, [0, 1], torch.tensor([0, 1, 2]), (2, 2))
    assert graph.dtype.name == "bfloat16"
    assert graph.to_array().astype(float).tolist() == [[1.5, 0.0], [0.0, -2.0]]
    with pytest.raises(bipnet.DTypeError, match="data is no matrix"):
        SignedBipartiteGraph.from_csr([1.0, [2]], [0, 1], [0, 1, 2], (2, 2))


def test_pickle__holds_the_weights_once_whatever_was_asked_of_the_graph() -> None:
    W = np.random.default_rng(0).normal(size=(300, 200))
    graph = SignedBipartiteGraph(W)
    for null in "ADG":
        bipnet.randomize(graph, null, rng=1)
    assert len(pickle.dumps(graph)) < 1.5 * W.nbytes
