"""Null models A to G: what they keep, and what the draw does not depend on."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import oracles
import pytest
import scipy.sparse
import strategies as my
from hypothesis import given, settings

import bipnet

pytestmark = pytest.mark.filterwarnings("ignore::bipnet.FrozenWarning")

few = settings(my.property_test, max_examples=12)


def whole_numbers(shape: tuple[int, int], *, gaps: bool = False, signed: bool = True) -> my.Matrix:
    """Whole numbers from -100 to 100 (or 1 to 100): exact in every dtype of at least a byte."""
    rng = np.random.default_rng(shape[0] * 1000 + shape[1])
    W = rng.integers(1, 101, shape)
    if signed:
        W *= rng.choice([-1, 1], shape)
    if gaps:
        W[rng.random(shape) < 0.4] = 0
    return W


# -- the table ---------------------------------------------------------------------------------


def test_null_models__preserve_what_table_1_says() -> None:
    assert "".join(bipnet.NULL_MODELS) == "ABCDEFG"
    found = {letter: set(row.preserves) for letter, row in bipnet.NULL_MODELS.items()}
    assert found == oracles.TABLE_1


def test_null_models__preserve_invariants_that_are_explained() -> None:
    used = {name for row in bipnet.NULL_MODELS.values() for name in row.preserves}
    assert used == set(bipnet.INVARIANTS)
    assert all(bipnet.INVARIANTS.values())


def test_null_models__cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        bipnet.NULL_MODELS["H"] = bipnet.NULL_MODELS["A"]  # type: ignore[index]
    with pytest.raises(AttributeError):
        bipnet.NULL_MODELS["A"].letter = "H"  # type: ignore[misc]


# -- what is kept ------------------------------------------------------------------------------


@my.each_dtype
@my.each_row
def test_randomize__keeps_what_its_row_says(null: str, method: str, dtype: Any) -> None:
    @few
    @given(my.matrices(dtypes=(dtype,)))
    def check(W: my.Matrix) -> None:
        before = W.copy()
        R = bipnet.randomize(W, null, rng=5, method=method)
        assert W.tobytes() == before.tobytes()
        assert R.dtype == W.dtype
        assert R.shape == W.shape
        assert R.flags.writeable
        assert not np.shares_memory(R, W)
        assert oracles.broken_invariants(W, R).isdisjoint(oracles.TABLE_1[null])
        assert bipnet.verify(W, R, null).ok
        for cell in np.ndindex(*W.shape):
            if not oracles.sign(W[cell]):  # a zero stays, with its sign
                assert oracles.bits(R, cell) == oracles.bits(W, cell)

    check()


@my.each_row
def test_randomize__breaks_everything_its_row_does_not_say(null: str, method: str) -> None:
    W = np.arange(1.0, 21.0).reshape(4, 5)
    W[np.indices(W.shape).sum(axis=0) % 3 == 1] *= -1
    W[1, 3] = W[3, 0] = 0
    broken: set[str] = set()
    for i in range(40):
        broken |= oracles.broken_invariants(
            W, bipnet.randomize(W, null, rng=1, index=i, method=method)
        )
    assert broken == set(bipnet.INVARIANTS) - oracles.TABLE_1[null]


@pytest.mark.parametrize("tall", [False, True], ids=["wide", "tall"])
@pytest.mark.parametrize("n", [63, 64, 65, 127, 128, 129])
def test_randomize__g_moves_every_cell_at_word_borders(n: int, tall: bool) -> None:
    W = np.where(np.indices((3, n)).sum(axis=0) % 2 == 0, 1.0, -1.0)
    W = W.T if tall else W
    moved = np.zeros(W.shape, dtype=bool)
    for i in range(40):
        R = bipnet.randomize(W, "G", rng=2, index=i)
        assert bipnet.verify(W, R, "G").ok
        moved |= R != W
    assert moved.all()


@pytest.mark.parametrize("null", ["A", "B", "C", "E"])
def test_randomize__permutes_a_single_row_as_a_whole(null: str) -> None:
    W = np.arange(1.0, 101.0).reshape(1, 100)
    R = bipnet.randomize(W, null, rng=1)
    assert not np.array_equal(R, W)
    assert sorted(R[0].tolist()) == W[0].tolist()


# -- what the draw does not depend on ----------------------------------------------------------


@my.each_row
def test_randomize__gives_dense_and_csr_the_same_bits(null: str, method: str) -> None:
    @my.property_test
    @given(my.matrices(dtypes=my.SPARSE_DTYPES, orders=("C",)))
    def check(W: my.Matrix) -> None:
        sparse = scipy.sparse.csr_array(W)
        dense = bipnet.randomize(W, null, rng=3, method=method)
        R = bipnet.randomize(sparse, null, rng=3, method=method)
        assert np.array_equal(R.toarray(), dense)
        assert R.dtype == W.dtype
        assert np.array_equal(sparse.toarray(), W)

    check()


@pytest.mark.parametrize("dtype", [np.float16, my.BFLOAT16], ids=["float16", "bfloat16"])
@my.each_row
def test_randomize__gives_dense_and_csr_graphs_the_same_bits(
    null: str, method: str, dtype: Any
) -> None:
    W = whole_numbers((9, 14), gaps=True).astype(dtype)
    left, right = np.nonzero(W)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(left, minlength=9))])
    sparse = bipnet.SignedBipartiteGraph.from_csr(W[left, right], right, indptr, W.shape)
    dense = bipnet.SignedBipartiteGraph(W)
    assert sparse.is_sparse
    R_sparse = bipnet.randomize(sparse, null, rng=3, method=method)
    R_dense = bipnet.randomize(dense, null, rng=3, method=method)
    assert R_sparse.is_sparse
    assert not R_dense.is_sparse
    assert R_sparse == R_dense
    assert R_dense != dense


@pytest.mark.parametrize("container", ["dense", "csr"])
@pytest.mark.parametrize("gaps", [False, True], ids=["full", "gaps"])
@my.each_row
def test_randomize__gives_any_number_of_threads_the_same_bits(
    null: str, method: str, gaps: bool, container: str
) -> None:
    # About 300,000 words are cut into five blocks of rows or columns, and use all cores.
    W = whole_numbers((610, 493), gaps=gaps).astype(np.int16)
    steps = None if bipnet.NULL_MODELS[null].exact else 10
    matrix: Any = W if container == "dense" else scipy.sparse.csr_array(W)

    def draw(n_threads: int | None) -> my.Matrix:
        R: Any = bipnet.randomize(
            matrix, null, rng=4, method=method, steps=steps, n_threads=n_threads
        )
        result: my.Matrix = R if container == "dense" else R.toarray()
        return result

    alone = draw(1)
    assert not np.array_equal(alone, W)
    assert bipnet.verify(W, alone, null).ok
    for n_threads in (2, 5, None):
        assert np.array_equal(draw(n_threads), alone)


@my.each_row
def test_randomize__gives_a_large_matrix_the_same_bits_dense_and_csr(
    null: str, method: str
) -> None:
    W = whole_numbers((610, 493), gaps=True).astype(np.int16)
    steps = None if bipnet.NULL_MODELS[null].exact else 10
    dense = bipnet.randomize(W, null, rng=4, method=method, steps=steps)
    sparse = bipnet.randomize(scipy.sparse.csr_array(W), null, rng=4, method=method, steps=steps)
    assert np.array_equal(sparse.toarray(), dense)


@my.each_row
def test_randomize__gives_every_dtype_the_same_permutation(null: str, method: str) -> None:
    for gaps in (False, True):
        W = whole_numbers((11, 70), gaps=gaps)
        wanted = bipnet.randomize(W, null, rng=6, method=method)
        assert not np.array_equal(wanted, W)
        for dtype in (*my.FLOATS, *my.SIGNED_INTS):
            R = bipnet.randomize(W.astype(dtype), null, rng=6, method=method)
            assert R.dtype == dtype
            assert np.array_equal(R.astype(np.int64), wanted)


@my.each_row
def test_randomize__gives_every_unsigned_dtype_the_same_permutation(null: str, method: str) -> None:
    W = whole_numbers((7, 12), gaps=True, signed=False)
    wanted = bipnet.randomize(W, null, rng=6, method=method)
    assert not np.array_equal(wanted, W)
    for dtype in my.UNSIGNED[1:]:
        R = bipnet.randomize(W.astype(dtype), null, rng=6, method=method)
        assert np.array_equal(R.astype(np.int64), wanted)


@my.each_row
def test_randomize__gives_every_memory_order_the_same_bits(null: str, method: str) -> None:
    W = whole_numbers((6, 9), gaps=True).astype(np.float32)
    wanted = bipnet.randomize(W, null, rng=6, method=method)
    for order in my.ORDERS:
        R = bipnet.randomize(my.arranged(W, order), null, rng=6, method=method)
        assert np.array_equal(R, wanted)
        assert R.dtype == my.arranged(W, order).dtype


def test_randomize__g_without_missing_edges_reads_signs_alone() -> None:
    W = whole_numbers((8, 9))
    R, S = (np.sign(bipnet.randomize(X, "G", rng=6)) for X in (W, np.sign(W) * 3))
    assert np.array_equal(R, S)


@pytest.mark.parametrize("method", bipnet.NULL_MODELS["G"].methods)
def test_randomize__g_at_its_default_steps_equals_g_at_that_number(method: str) -> None:
    W = whole_numbers((8, 30))
    steps = bipnet.ensemble(W, "G", 1, rng=6, method=method).steps
    assert steps is not None
    assert steps > 1
    default = bipnet.randomize(W, "G", rng=6, method=method)
    assert np.array_equal(bipnet.randomize(W, "G", rng=6, method=method, steps=steps), default)
    shorter = bipnet.randomize(W, "G", rng=6, method=method, steps=steps // 2)
    assert not np.array_equal(shorter, default)


# -- bad arguments -----------------------------------------------------------------------------


@pytest.mark.parametrize("null", ["H", "a", "", "AB", None, 0, ["A"]])
def test_randomize__an_unknown_letter_lists_all_seven(null: Any) -> None:
    for call in (
        lambda: bipnet.randomize([[1.0, 2.0]], null),
        lambda: bipnet.ensemble([[1.0, 2.0]], null, 3),
        lambda: bipnet.verify([[1.0, 2.0]], [[1.0, 2.0]], null),
    ):
        with pytest.raises(bipnet.InputError) as caught:
            call()
        for row in bipnet.NULL_MODELS.values():
            assert f"{row.letter}: {row.title}" in str(caught.value)
        assert repr(null) in str(caught.value)


@my.each_letter
def test_randomize__takes_the_row_of_the_table_itself(null: str) -> None:
    W = whole_numbers((4, 5))
    row = bipnet.NULL_MODELS[null]
    assert np.array_equal(bipnet.randomize(W, row, rng=1), bipnet.randomize(W, null, rng=1))
    assert bipnet.verify(W, bipnet.randomize(W, row, rng=1), row).ok


@my.each_letter
@pytest.mark.parametrize("method", ["walk", "", "TRADE", 3])
def test_randomize__an_unknown_method_lists_those_it_has(null: str, method: Any) -> None:
    methods = ", ".join(bipnet.NULL_MODELS[null].methods)
    with pytest.raises(bipnet.InputError, match=methods):
        bipnet.randomize([[1.0, -2.0]], null, method=method)


@pytest.mark.parametrize("null", list("ABCDEF"))
def test_randomize__steps_are_refused_where_there_is_no_chain(null: str) -> None:
    with pytest.raises(bipnet.InputError, match="leave steps out"):
        bipnet.randomize([[1.0, -2.0]], null, steps=10)


@pytest.mark.parametrize("steps", [0, -1, 1.5, "10", True])
def test_randomize__steps_must_be_a_positive_integer(steps: Any) -> None:
    with pytest.raises(bipnet.InputError, match="positive integer"):
        bipnet.randomize([[1.0, -2.0]], "G", steps=steps)


@pytest.mark.parametrize("loops", [-1, 1.5, "10", True])
def test_randomize__loops_must_be_a_non_negative_integer(loops: Any) -> None:
    with pytest.raises(bipnet.InputError, match="loops must be a non-negative integer"):
        bipnet.randomize([[1.0, -2.0, 0.0]], "G", loops=loops)


def test_randomize__loops_are_for_g_alone_and_as_many_as_asked_for() -> None:
    W = whole_numbers((6, 8))
    assert bipnet.ensemble(W, "G", 1).loops == 0  # no edge is missing: none are needed
    assert bipnet.ensemble(W, "G", 1, steps=5).loops == 0
    assert bipnet.ensemble(W, "G", 1, loops=7).loops == 7
    W[0, 0] = 0
    assert bipnet.ensemble(W, "G", 1, loops=7).loops == 7
    with pytest.raises(bipnet.InputError, match="leave loops out"):
        bipnet.randomize([[1.0, -2.0]], "A", loops=7)


@pytest.mark.parametrize("index", [-1, 1.0, "0", None, True])
def test_randomize__index_must_be_a_non_negative_integer(index: Any) -> None:
    with pytest.raises(bipnet.InputError, match="non-negative integer"):
        bipnet.randomize([[1.0, -2.0]], "A", index=index)


@pytest.mark.parametrize("n_threads", [0, -1, 1.5, "2", True])
def test_randomize__n_threads_must_be_a_positive_integer(n_threads: Any) -> None:
    with pytest.raises(bipnet.InputError, match="n_threads"):
        bipnet.randomize([[1.0, -2.0]], "A", n_threads=n_threads)


@pytest.mark.parametrize("argument", ["rng", "index", "steps", "n_threads"])
def test_randomize__takes_a_numpy_integer_where_it_takes_an_integer(argument: str) -> None:
    W = whole_numbers((4, 5))
    arguments: dict[str, Any] = {"rng": 3, "index": 2, "steps": 4, "n_threads": 2}
    wanted = bipnet.randomize(W, "G", **arguments)
    arguments[argument] = np.int64(arguments[argument])
    assert np.array_equal(bipnet.randomize(W, "G", **arguments), wanted)


@pytest.mark.parametrize("letter", ["D", "F"])
def test_nearly_empty_layers__need_no_more_memory_than_themselves(letter: str) -> None:
    W = np.zeros((1000, 900), dtype=np.float32)
    W[3:7, :5] = np.arange(1, 21).reshape(4, 5) - 8.5
    tracemalloc.start()
    R = bipnet.randomize(W, letter, rng=1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    bipnet.verify(W, R, letter)
    assert not np.array_equal(R, W)
    assert peak < 4 * W.nbytes
    assert np.array_equal(bipnet.randomize(scipy.sparse.csr_array(W), letter, rng=1).toarray(), R)
