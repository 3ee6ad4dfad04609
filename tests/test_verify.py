"""verify: every broken invariant is found, named and located."""

from __future__ import annotations

from typing import Any

import numpy as np
import oracles
import pytest
import scipy.sparse
import strategies as my
from hypothesis import given
from hypothesis import strategies as st

import bipnet
from bipnet import _biadjacency
from bipnet.nulls import _verify

W = np.array([[1.0, -2.0, 3.0, 0.0], [-4.0, 5.0, 0.0, 6.0], [7.0, 0.0, -8.0, -9.0]])


def changed(**cells: float) -> my.Matrix:
    """``W`` with other weights: ``changed(c01=5)`` sets cell [0, 1]."""
    R = W.copy()
    for name, weight in cells.items():
        R[int(name[1]), int(name[2])] = weight
    return R


# invariant -> a matrix that breaks it, and where
BROKEN: list[tuple[str, my.Matrix, str]] = [
    ("edges", changed(c00=0, c03=1), "[0, 0] has lost its edge (1 edges gone, 1 new)"),
    ("edges", changed(c12=5), "[1, 2] has an edge it had not (0 edges gone, 1 new)"),
    ("edges", changed(c20=0, c22=0), "[2, 0] has lost its edge (2 edges gone, 0 new)"),
    ("weights", changed(c00=1.5), "the matrix has 1.0 1 times fewer than before"),
    ("weights", changed(c00=0.5), "the matrix has 0.5 1 times more than before"),
    ("weights", changed(c02=1.0), "the matrix has 1.0 1 times more than before"),
    ("alpha", changed(c00=-1), "5 of 9 edges were positive and 4 of 9 are"),
    ("alpha", changed(c01=0), "5 of 9 edges were positive and 5 of 8 are"),
    ("signs", changed(c00=-2, c01=1), "[0, 0] was positive and is not (2 signs changed)"),
    ("signs", changed(c22=8), "[2, 2] was negative and is not (1 signs changed)"),
    ("k+ left", changed(c10=7, c20=-4), "left node 1 had k+ = 2 and has 3 (2 of 3 nodes differ)"),
    ("k- left", changed(c10=7, c20=-4), "left node 1 had k- = 1 and has 0 (2 of 3 nodes differ)"),
    ("k+ right", changed(c10=5, c11=-4), "right node 0 had k+ = 2 and has 3 (2 of 4 nodes differ)"),
    ("k- right", changed(c22=7, c20=-8), "right node 0 had k- = 1 and has 2 (2 of 4 nodes differ)"),
    ("s+ left", changed(c11=7, c20=5), "left node 1 has 5.0 1 times fewer than before"),
    ("s- left", changed(c10=-8, c22=-4), "left node 1 has -4.0 1 times fewer than before"),
    ("s+ right", changed(c11=6, c13=5), "right node 1 has 5.0 1 times fewer than before"),
    ("s- right", changed(c22=-9, c23=-8), "right node 2 has -8.0 1 times fewer than before"),
]

BROKEN_ROWS = [
    (null, invariant, R, where)
    for null in bipnet.NULL_MODELS
    for invariant, R, where in BROKEN
    if invariant in oracles.TABLE_1[null]
]


def test_broken__has_a_case_for_every_invariant_of_every_null_model() -> None:
    covered = {(null, invariant) for null, invariant, _, _ in BROKEN_ROWS}
    assert covered == {
        (null, invariant) for null, row in oracles.TABLE_1.items() for invariant in row
    }


@pytest.mark.parametrize(
    ("null", "invariant", "R", "where"),
    BROKEN_ROWS,
    ids=[f"{null}-{where[:24]}" for null, _, _, where in BROKEN_ROWS],
)
@pytest.mark.parametrize("container", [np.array, scipy.sparse.csr_array])
def test_verify__says_what_is_broken_and_where(
    null: str, invariant: str, R: my.Matrix, where: str, container: Any
) -> None:
    report = bipnet.verify(W, container(R), null, strict=False)
    assert not report.ok
    found = {check.invariant: check for check in report.checks}
    assert not found[invariant].kept
    assert found[invariant].where == where
    assert {check.invariant for check in report.broken} == (
        oracles.broken_invariants(W, R) & oracles.TABLE_1[null]
    )
    assert f"null model {null}: BROKEN" in str(report)
    assert f"BROKEN {invariant}" in str(report)
    assert where in str(report)


@my.each_letter
def test_verify__reports_every_invariant_of_the_row_in_its_order(null: str) -> None:
    report = bipnet.verify(W, W, null)
    assert report.ok
    assert report.broken == ()
    assert report.null == null
    assert tuple(check.invariant for check in report.checks) == bipnet.NULL_MODELS[null].preserves
    assert all(check.where == "" for check in report.checks)
    assert f"null model {null}: kept" in str(report)
    assert "BROKEN" not in str(report)


@my.each_letter
def test_verify__finds_exactly_what_the_oracle_finds(null: str) -> None:
    @my.property_test
    @given(my.matrices(max_side=4), st.data())
    def check(V: my.Matrix, data: st.DataObject) -> None:
        R = np.array(V)
        cell = st.tuples(*(st.integers(0, n - 1) for n in V.shape))
        for _ in range(data.draw(st.integers(0, 4))):  # swap weights, copy one over another
            a, b = data.draw(cell), data.draw(cell)
            if data.draw(st.booleans()):
                R[a], R[b] = R[b], R[a]
            else:
                R[a] = R[b]
        report = bipnet.verify(V, R, null, strict=False)
        wanted = oracles.broken_invariants(V, R) & oracles.TABLE_1[null]
        assert {check.invariant for check in report.broken} == wanted
        assert report.ok == (not wanted)

    check()


# -- strict ------------------------------------------------------------------------------------


def test_verify__raises_with_the_report_where_something_is_broken() -> None:
    with pytest.raises(bipnet.InvariantError) as caught:
        bipnet.verify(W, changed(c00=-2, c01=1), "E")
    report = caught.value.report
    assert isinstance(report, bipnet.Verification)
    assert [check.invariant for check in report.broken] == [
        "signs",
        "k+ right",
        "k- right",
    ]
    text = str(caught.value)
    assert "null model E must preserve signs (the sign of every edge)" in text
    assert "[0, 0] was positive and is not" in text
    assert text.endswith("(and 2 more)")


def test_verify__does_not_speak_of_more_where_one_is_broken() -> None:
    with pytest.raises(bipnet.InvariantError) as caught:
        bipnet.verify(W, changed(c11=7, c20=5), "E")
    assert "more)" not in str(caught.value).replace("more than before", "")


def test_verify__strict_accepts_what_is_kept() -> None:
    assert bipnet.verify(W, changed(c11=7, c20=5), "B", strict=True).ok


# -- frame -------------------------------------------------------------------------------------


@my.each_letter
def test_verify__another_shape_breaks_everything(null: str) -> None:
    report = bipnet.verify(W, W.T, null, strict=False)
    assert len(report.broken) == len(report.checks)
    assert {check.where for check in report.broken} == {"the shape was (3, 4) and is (4, 3)"}
    with pytest.raises(bipnet.InvariantError, match="the shape was"):
        bipnet.verify(W, W.T, null)


@my.each_letter
def test_verify__another_dtype_breaks_everything(null: str) -> None:
    report = bipnet.verify(W, W.astype(np.float32), null, strict=False)
    assert len(report.broken) == len(report.checks)
    assert {check.where for check in report.broken} == {"the dtype was float64 and is float32"}


def test_verify__float16_is_not_bfloat16_nor_int16() -> None:
    for dtype in (my.BFLOAT16, np.int16, np.uint16):
        report = bipnet.verify(W.astype(np.float16), abs(W).astype(dtype), "A", strict=False)
        assert not report.ok


def test_verify__byte_order_and_memory_order_do_not_matter() -> None:
    for order in my.ORDERS:
        assert bipnet.verify(W, my.arranged(W, order), "E").ok
        assert bipnet.verify(my.arranged(W, order), W, "F").ok


@pytest.mark.parametrize(("first", "second"), [("W", "R"), ("R", "W")])
def test_verify__says_which_matrix_is_no_good(first: str, second: str) -> None:
    matrices = {first: W, second: changed(c12=np.nan)}
    with pytest.raises(bipnet.InputError, match=rf"^{second}\[1, 2\] is nan"):
        bipnet.verify(matrices["W"], matrices["R"], "A")


# -- bit for bit -------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", my.FLOATS, ids=[dtype.name for dtype in my.FLOATS])
@my.each_letter
def test_verify__catches_a_change_of_one_ulp(null: str, dtype: Any) -> None:
    V = W.astype(dtype)
    R = V.copy()
    R.view(f"u{dtype.itemsize}")[2, 0] += 1
    report = bipnet.verify(V, R, null, strict=False)
    broken = {check.invariant: check.where for check in report.broken}
    assert "weights" in broken
    assert set(broken) == oracles.broken_invariants(V, R) & oracles.TABLE_1[null]
    if "s+ left" in oracles.TABLE_1[null]:
        assert broken["s+ left"].startswith("left node 2 has")
    if "s+ right" in oracles.TABLE_1[null]:
        assert broken["s+ right"].startswith("right node 0 has")


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_verify__catches_a_change_of_one_in_integers_beyond_float64(dtype: str) -> None:
    V = np.array([[2**62, 2**62 + 1], [5, 6]], dtype=dtype)
    R = V.copy()
    R[0, 0] += 1
    assert float(R[0, 0]) == float(V[0, 0])
    assert not bipnet.verify(V, R, "A", strict=False).ok


@pytest.mark.parametrize(
    ("null", "a", "b"),
    [
        ("B", (0, 0), (0, 1)),  # across signs
        ("C", (0, 0), (1, 1)),  # across left nodes
        ("D", (0, 0), (1, 1)),
        ("E", (0, 0), (1, 1)),
        ("E", (0, 0), (0, 1)),
        ("F", (0, 0), (1, 1)),
        ("F", (0, 0), (1, 0)),
        ("G", (0, 0), (0, 1)),
    ],
)
def test_verify__catches_two_weights_swapped_across_groups(
    null: str, a: tuple[int, int], b: tuple[int, int]
) -> None:
    R = W.copy()
    R[a], R[b] = W[b], W[a]
    with pytest.raises(bipnet.InvariantError):
        bipnet.verify(W, R, null)
    assert bipnet.verify(W, R, "A").ok


def test_verify__takes_either_zero_for_no_edge() -> None:
    assert bipnet.verify(W, changed(c03=-0.0), "E").ok
    assert bipnet.verify(changed(c03=-0.0), W, "E").ok


def test_verify__dense_and_csr_and_graph_may_be_mixed() -> None:
    R = changed(c11=7, c20=5)
    forms = (np.array, scipy.sparse.csr_array, scipy.sparse.coo_matrix, bipnet.SignedBipartiteGraph)
    for before in forms:
        for after in forms:
            assert bipnet.verify(before(W), after(R), "B").ok
            report = bipnet.verify(before(W), after(R), "E", strict=False)
            assert [check.invariant for check in report.broken] == ["s+ left"]


@pytest.mark.parametrize("null", sorted(bipnet.NULL_MODELS))
def test_verify__reports_the_same_of_edges_taken_a_few_at_a_time(
    null: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large matrices are compared in runs, so that Ctrl-C is heard: here every one is large."""

    @given(my.matrices(), st.integers(0, 2**32), st.booleans(), st.booleans(), st.integers(1, 9))
    def check(W: my.Matrix, seed: int, broken: bool, sparse: bool, at_once: int) -> None:
        R = W.copy()
        if broken:
            rng = np.random.default_rng(seed)
            for _ in range(2):
                i, j, k, m = (rng.integers(n) for n in (*W.shape, *W.shape))
                R[i, j], R[k, m] = R[k, m], R[i, j]
            R[rng.integers(W.shape[0]), rng.integers(W.shape[1])] = rng.integers(2)
        pair = [W, R]
        if sparse and W.dtype.itemsize > 2 and W.dtype.isnative:
            pair = [scipy.sparse.csr_array(A) for A in pair]
            for A in pair:
                A.eliminate_zeros()
        wanted = bipnet.verify(*pair, null, strict=False)
        with monkeypatch.context() as patch:
            patch.setattr(_verify, "_SORTED_TOGETHER", at_once)
            patch.setattr(_biadjacency, "_BLOCK", at_once)
            assert bipnet.verify(*pair, null, strict=False) == wanted
        assert wanted.ok or broken

    check()


def test_verify__works_without_edges() -> None:
    empty = np.zeros((2, 3))
    assert bipnet.verify(empty, empty, "E").ok
    report = bipnet.verify(empty, np.eye(2, 3), "E", strict=False)
    assert {check.invariant for check in report.broken} == (
        oracles.broken_invariants(empty, np.eye(2, 3)) & oracles.TABLE_1["E"]
    )


# -- names -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [np.array, scipy.sparse.csr_array])
@pytest.mark.parametrize("names", [("ab", "xyz"), ([10, 2], [3, 1, 0])])
def test_verify__compares_nodes_by_name(kind: Any, names: tuple[Any, Any]) -> None:
    W = np.array([[1.0, -2.0, 0.0], [4.0, 5.0, -6.0]])
    left, right = map(list, names)
    before = bipnet.SignedBipartiteGraph(kind(W), left_labels=left, right_labels=right)
    rows, columns = [1, 0], [2, 0, 1]
    after = bipnet.SignedBipartiteGraph(
        kind(W[rows][:, columns]),
        left_labels=[str(left[i]) for i in rows],
        right_labels=[right[j] for j in columns],
    )
    report = bipnet.verify(before, after, "E")
    assert report.ok
    assert "left and right nodes stand in another order" in str(report)
    bare = bipnet.verify(W, after, "E", strict=False)  # nobody says who is who
    assert not bare.ok
    assert bare.note == ""
    changed = W.copy()
    changed[1, 2] = -7.0
    moved = bipnet.SignedBipartiteGraph(
        kind(changed[:, columns]), left_labels=left, right_labels=[right[j] for j in columns]
    )
    where = bipnet.verify(before, moved, "E", strict=False).broken[0].where
    assert "-6.0" in where or "-7.0" in where


def test_verify__refuses_other_nodes() -> None:
    W = [[1.0, -2.0], [3.0, 4.0]]
    before = bipnet.SignedBipartiteGraph(W, left_labels="ab", right_labels="xy")
    after = bipnet.SignedBipartiteGraph(W, left_labels="pb", right_labels="xy")
    with pytest.raises(bipnet.InputError, match="no left node of R is called 'a'"):
        bipnet.verify(before, after, "E")
