"""Draws in which nothing, or not every part, can move say so."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import oracles
import pytest
import scipy.sparse
import strategies as my

import bipnet

SIGN_BLIND = ("A", "C", "D")


def warning_of(W: Any, null: str, **options: Any) -> str:
    """The one warning of a draw, without its head."""
    with pytest.warns(bipnet.FrozenWarning) as caught:
        bipnet.randomize(W, null, rng=1, **options)
    assert len(caught) == 1
    text = str(caught[0].message)
    assert text.startswith(f"null model {null}: ")
    return text.partition(": ")[2]


# Warnings are errors here: a test without `warning_of` also says that there is none.


@my.each_row
def test_frozen__a_matrix_that_can_move_gives_no_warning(null: str, method: str) -> None:
    W = np.where(np.indices((6, 6)).sum(axis=0) % 2 == 0, 1.0, -1.0)
    W *= np.arange(1, 37).reshape(6, 6)
    R = bipnet.randomize(W, null, rng=1, method=method)
    assert not np.array_equal(R, W)


@my.each_row
@pytest.mark.parametrize("container", [np.array, scipy.sparse.csr_array])
def test_frozen__no_edges(null: str, method: str, container: Any) -> None:
    W = container(np.zeros((3, 4)))
    assert "no edges" in warning_of(W, null, method=method)
    with pytest.warns(bipnet.FrozenWarning):
        R = bipnet.randomize(W, null, rng=1, method=method)
    assert abs(R).sum() == 0


@my.each_row
@pytest.mark.parametrize("weight", [2.0, -2.0])
def test_frozen__one_edge(null: str, method: str, weight: float) -> None:
    W = np.zeros((3, 4))
    W[1, 2] = weight
    text = warning_of(W, null, method=method)
    assert text.startswith("nothing can move")
    with pytest.warns(bipnet.FrozenWarning):
        assert np.array_equal(bipnet.randomize(W, null, rng=1, method=method), W)


@pytest.mark.parametrize("method", bipnet.NULL_MODELS["G"].methods)
@pytest.mark.parametrize(("sign", "word"), [(1, "positive"), (-1, "negative")])
def test_frozen__g_with_all_edges_of_one_sign_permutes_weights_alone(
    sign: int, word: str, method: str
) -> None:
    W = sign * np.arange(1.0, 13.0).reshape(3, 4)
    text = warning_of(W, "G", method=method)
    assert f"signs are frozen (all 12 edges are {word})" in text
    assert "weights were permuted within their sign" in text
    with pytest.warns(bipnet.FrozenWarning):
        assert not np.array_equal(bipnet.randomize(W, "G", rng=1, method=method), W)


@pytest.mark.parametrize("method", bipnet.NULL_MODELS["G"].methods)
@pytest.mark.parametrize(
    "signs",
    [
        [[1, 1, 1, -1], [1, 1, -1, -1], [1, -1, -1, -1]],
        [[-1, 1, 1, -1], [-1, -1, 1, -1]],
        [[1, 1, -1, -1]],
        [[1], [-1], [1], [-1]],
        [[1, 1, 1], [-1, -1, -1]],
    ],
    ids=["nested", "nested in another order", "one row", "one column", "rows of one sign"],
)
def test_frozen__g_with_one_sign_pattern_of_these_degrees(signs: Any, method: str) -> None:
    W = np.array(signs) * np.arange(1.0, 1.0 + np.size(signs)).reshape(np.shape(signs))
    text = warning_of(W, "G", method=method)
    assert "no other sign pattern has these degrees" in text
    assert text.startswith("signs are frozen")
    with pytest.warns(bipnet.FrozenWarning):
        R = bipnet.randomize(W, "G", rng=1, method=method)
    assert np.array_equal(np.sign(R), np.sign(W))
    assert not np.array_equal(R, W)


@pytest.mark.parametrize("method", bipnet.NULL_MODELS["G"].methods)
@pytest.mark.parametrize("container", [np.array, scipy.sparse.csr_array])
def test_frozen__g_on_a_support_without_cycles(method: str, container: Any) -> None:
    W = container(np.array([[1.0, -2.0, 0.0], [0.0, 3.0, -4.0], [0.0, 0.0, 5.0]]))
    assert "no other sign pattern" in warning_of(W, "G", method=method)


@pytest.mark.parametrize("method", bipnet.NULL_MODELS["G"].methods)
def test_frozen__g_where_neither_signs_nor_weights_can_move(method: str) -> None:
    text = warning_of(np.array([[1.0, -2.0]]), "G", method=method)
    assert text.startswith("nothing can move")
    assert "the one positive weight and the one negative weight" in text
    text = warning_of(np.array([[1.0, -2.0, -3.0]]), "G", method=method)
    assert text.startswith("signs are frozen")
    assert "the one positive weight too" in text


@pytest.mark.parametrize("method", bipnet.NULL_MODELS["G"].methods)
def test_frozen__g_on_a_hexagon_is_not(method: str) -> None:
    # No 2x2 move exists, yet there are two patterns.
    W = np.array([[0.0, 1, -2], [-3, 0, 4], [5, -6, 0]])
    found = {
        np.sign(bipnet.randomize(W, "G", rng=1, index=i, method=method)).tobytes()
        for i in range(30)
    }
    assert len(found) == 2


@pytest.mark.parametrize("null", ["B", "E", "F"])
def test_frozen__a_weight_alone_with_its_sign(null: str) -> None:
    W = np.arange(1.0, 13.0).reshape(3, 4)
    W[1, 1] *= -1
    assert "1 of 12 edges are frozen" in warning_of(W, null)
    assert "of their sign" in warning_of(W, null)


@pytest.mark.parametrize(
    ("null", "shape", "word"),
    [("C", (5, 1), "left"), ("E", (5, 1), "left"), ("D", (1, 5), "right"), ("F", (1, 5), "right")],
)
def test_frozen__one_row_or_one_column(null: str, shape: tuple[int, int], word: str) -> None:
    text = warning_of(np.arange(1.0, 6.0).reshape(shape), null)
    assert text.startswith("nothing can move: each of the 5 edges is the only edge")
    assert f"{word} node" in text


@pytest.mark.parametrize(
    ("null", "value"),
    [*((null, 1.0) for null in "ABCDEF"), *((null, -1.0) for null in "ABCDEF")],
)
def test_frozen__equal_weights_of_one_sign(null: str, value: float) -> None:
    assert "nothing can change" in warning_of(np.full((3, 4), value), null)


@pytest.mark.parametrize("null", ["B", "E", "F"])
def test_frozen__a_binarized_matrix_where_signs_stay(null: str) -> None:
    W = np.where(np.indices((4, 4)).sum(axis=0) % 2 == 0, 1.0, -1.0)
    assert "nothing can change" in warning_of(W, null)


@pytest.mark.parametrize("null", SIGN_BLIND)
def test_frozen__a_binarized_matrix_moves_where_signs_move(null: str) -> None:
    W = np.where(np.indices((4, 4)).sum(axis=0) % 2 == 0, 1.0, -1.0)
    draws = {bipnet.randomize(W, null, rng=1, index=i).tobytes() for i in range(10)}
    assert len(draws) > 1


@pytest.mark.parametrize("null", ["C", "D", "E", "F"])
def test_frozen__equal_weights_within_each_group(null: str) -> None:
    # Different nodes, but each of them has one value only: no draw can differ from W.
    W = np.repeat([[1.0], [2.0], [3.0]], 4, axis=1)
    W = W if null in "CE" else W.T
    assert "nothing can change" in warning_of(W, null)


def test_frozen__weights_that_did_not_move_by_chance_give_no_warning() -> None:
    W = np.array([[1.0, 2.0]])
    draws = [bipnet.randomize(W, "A", rng=1, index=i) for i in range(20)]
    assert any(np.array_equal(R, W) for R in draws)


def test_frozen__signs_that_did_not_move_by_chance_give_no_warning() -> None:
    W = np.array([[1.0, -1.0], [-1.0, 1.0]])
    draws = [bipnet.randomize(W, "G", rng=1, index=i) for i in range(20)]
    assert any(np.array_equal(R, W) for R in draws)


def test_frozen__the_warning_names_the_layer() -> None:
    with pytest.warns(bipnet.FrozenWarning, match="null model A of block.0.weight: nothing"):
        bipnet.randomize(np.zeros((2, 2)), "A", name="block.0.weight")


def test_frozen__every_draw_of_an_ensemble_warns() -> None:
    draws = bipnet.ensemble(np.zeros((2, 2)), "A", 3, rng=1)
    for i in range(3):
        with pytest.warns(bipnet.FrozenWarning, match="no edges"):
            draws[i]


def test_frozen__warnings_point_at_the_line_of_the_caller() -> None:
    W = np.zeros((2, 2))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        bipnet.randomize(W, "A", rng=1)
        bipnet.ensemble(W, "A", 3, rng=1)[0]
    assert [warning.filename for warning in caught] == [__file__] * 2


def test_frozen__warnings_of_a_loop_over_an_ensemble_point_at_the_line_of_the_caller() -> None:
    draws = bipnet.ensemble(np.zeros((2, 2)), "A", 2, rng=1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in draws:
            pass
        draws[:2]
    assert [warning.filename for warning in caught] == [__file__] * 4


def test_frozen__warnings_of_a_draw_into_out_point_at_the_line_of_the_caller() -> None:
    W = np.zeros((2, 2))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        bipnet.randomize(W, "A", rng=1, out=W)
    assert [warning.filename for warning in caught] == [__file__]


# -- parts of a sign pattern -------------------------------------------------------------------


PARTLY_FROZEN = {
    "a row of one sign": [[1.0, 2, 3, 4], [5, -6, 7, -8], [-9, 10, -11, 12]],
    "a block of one sign": [[1.0, -2, 0, 0], [-3, 4, 0, 0], [0, 0, 5, 6], [0, 0, 7, 8]],
    "a column of one sign": [[1.0, -2, -3], [1, 2, -3], [1, -2, 3]],
}


@pytest.mark.parametrize("method", bipnet.NULL_MODELS["G"].methods)
@pytest.mark.parametrize("case", PARTLY_FROZEN)
def test_frozen__g_counts_the_signs_that_no_pattern_changes(case: str, method: str) -> None:
    W = np.array(PARTLY_FROZEN[case])
    patterns = oracles.sign_patterns(W)
    cells = oracles.edges(W)
    n_frozen = sum(len({pattern[cell] for pattern in patterns}) == 1 for cell in cells)
    assert 0 < n_frozen < len(cells)
    wanted = f"the signs of {n_frozen} of {len(cells)} edges are frozen"
    for container in (W, scipy.sparse.csr_array(W)):
        with pytest.warns(bipnet.FrozenWarning, match=wanted):
            bipnet.randomize(container, "G", rng=1, method=method)
    in_place = W.copy()
    with pytest.warns(bipnet.FrozenWarning, match=wanted):
        bipnet.randomize(in_place, "G", rng=1, method=method, out=in_place)
    assert bipnet.certify(W, "G").signs.n_frozen == n_frozen


@pytest.mark.parametrize(
    "W",
    [np.ones((2, 3)), np.ones((2, 2), dtype=bool), [[1.0, 1], [1, -1]]],
    ids=["1", "bool", "-1"],
)
def test_frozen__g_of_equal_weights_and_one_pattern_changes_nothing(W: Any) -> None:
    with pytest.warns(bipnet.FrozenWarning, match="nothing can (change|move)"):
        R = bipnet.randomize(W, "G", rng=1)
    assert np.array_equal(R, W)


@pytest.mark.parametrize("shape", [(2, 2), (3, 4), (5, 3), (70, 3)])
def test_frozen__g_agrees_with_certify_on_random_signs(shape: tuple[int, int]) -> None:
    for seed in range(20):
        W = np.where(np.random.default_rng(seed).random(shape) < 0.6, 1.5, -2.5)
        expected = bipnet.certify(W, "G").signs.n_frozen
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            bipnet.randomize(W, "G", rng=1)
        said = " ".join(str(w.message) for w in caught)
        if expected == 0:
            assert said == ""
        elif expected < W.size:
            assert f"the signs of {expected} of {W.size} edges" in said
        else:
            assert "signs are frozen" in said
