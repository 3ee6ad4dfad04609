"""certify: what is guaranteed, and what is frozen, against enumeration of every outcome."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import oracles
import pytest
import scipy.sparse
import strategies as my
from hypothesis import assume, given

import bipnet
from bipnet.nulls import IRREDUCIBLE_BY, _certify, _mixing, _mobility

CONTAINERS: list[Any] = [np.array, scipy.sparse.csr_array, bipnet.SignedBipartiteGraph]

HEXAGON = np.array([[0.0, 1, -2], [-3, 0, 4], [5, -6, 0]])
TWO_HEXAGONS = np.kron(np.eye(2), HEXAGON)

# Small enough to enumerate; weights tie where there are many.
CASES: dict[str, my.Matrix] = {
    "distinct": np.array([[1.0, -2, 3], [-4, 5, -6]]),
    "ties": np.array([[1.0, -1, 1, 2], [-1, 1, -1, -1]]),
    "signs alone": np.array([[1.0, -1, 1], [-1, 1, 1], [1, 1, -1]]),
    "nested signs": np.array([[1.0, 1, 1], [2, 1, -1], [2, -1, -1]]),
    "nearly nested": np.array([[1.0, 1, 1, 1], [1, 1, -1, -1], [1, -1, 1, -1]]),
    "two free blocks": np.array([[1.0, -1, 1, 1], [-1, 1, 1, 1], [-1, -1, 1, -1], [-1, -1, -1, 1]]),
    "hexagon": HEXAGON,
    "hexagon of signs with a tail": np.array([[0.0, 1, -1, 1], [-1, 0, 1, 0], [1, -1, 0, 0]]),
    "missing edges": np.array([[1.0, -2, 0], [-2, 1, 3], [0, 0, 3]]),
    "no cycle": np.array([[1.0, -2, 0], [0, 3, -4], [0, 0, 5]]),
    "one row": np.array([[1.0, -2, 2, -2, 0]]),
    "one column": np.array([[1.0], [-2], [2], [0], [2]]),
    "one cell": np.array([[-3.0]]),
    "one edge": np.array([[0.0, 0], [0, 2]]),
    "no edges": np.zeros((2, 3)),
    "positive": np.array([[1.0, 2], [2, 2]]),
    "negative": np.array([[-1.0, -2], [-2, 0]]),
    "equal": np.full((2, 3), 2.0),
    "equal but one": np.array([[2.0, 2, 2], [2, 2, 3]]),
    "equal within rows": np.array([[1.0, 1, -1], [2, 2, 2], [-3, -3, 0]]),
    "equal within columns": np.array([[1.0, 2, -3], [1, 2, -3], [-1, 2, 0]]),
    "negative zeros": np.array([[1.0, -0.0, -2], [-0.0, 3, 0]]),
    "empty nodes": np.array([[0.0, 0, 0], [1, 0, -1], [-1, 0, 1]]),
}


def assert_frozen(W: my.Matrix, null: str, found: bipnet.Certificate) -> None:
    """The certificate says of every edge and node what enumeration of the outcomes says."""
    cells = oracles.edges(W)
    for frozen, part in zip(oracles.frozen(W, null), (found.signs, found.weights), strict=True):
        assert part.frozen_edges.dtype == bool
        assert part.frozen_edges.tolist() == frozen
        assert part.n_frozen == sum(frozen)
        assert part.n_movable == len(cells) - sum(frozen)
        assert list(part.first_frozen) == [
            cell for cell, stays in zip(cells, frozen, strict=True) if stays
        ]
        for axis, nodes in ((0, part.frozen_left), (1, part.frozen_right)):
            movable = {cell[axis] for cell, stays in zip(cells, frozen, strict=True) if not stays}
            assert nodes.tolist() == [node not in movable for node in range(W.shape[axis])]
    for axis, nodes in ((0, found.isolated_left), (1, found.isolated_right)):
        with_edges = {cell[axis] for cell in cells}
        assert nodes.tolist() == [node not in with_edges for node in range(W.shape[axis])]


# -- what is frozen ----------------------------------------------------------------------------


@my.each_letter
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("container", CONTAINERS)
def test_certify__freezes_what_is_the_same_in_every_outcome(
    container: Any, case: str, null: str
) -> None:
    W = CASES[case]
    before = W.tobytes()
    found = bipnet.certify(container(W), null)
    assert_frozen(W, null, found)
    assert (found.null, found.n_left, found.n_right) == (null, *W.shape)
    assert found.n_edges == len(oracles.edges(W))
    assert W.tobytes() == before


@my.each_letter
def test_certify__freezes_what_is_the_same_in_every_outcome_of_any_dtype(null: str) -> None:
    @my.property_test
    @given(my.matrices(max_side=3))
    def check(W: my.Matrix) -> None:
        assume(len(oracles.edges(W)) <= 6)
        assert_frozen(W.astype(W.dtype.newbyteorder("="), order="C"), null, bipnet.certify(W, null))

    check()


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_certify__freezes_the_signs_that_g_cannot_move_up_to_5x5(missing: float) -> None:
    rng = np.random.default_rng(3)
    n_frozen = set()
    for _ in range(60):
        shape = tuple(rng.integers(2, 6, 2))
        height = np.add.outer(rng.random(shape[0]), rng.random(shape[1]))
        W = np.where(height + 0.5 * rng.random(shape) > 1.25, 1.0, -1.0)
        W[rng.random(shape) < missing] = 0
        patterns = oracles.sign_patterns(W)
        frozen = [len({pattern[cell] for pattern in patterns}) == 1 for cell in oracles.edges(W)]
        found = bipnet.certify(W, "G")
        assert found.signs.frozen_edges.tolist() == frozen
        assert found.weights.frozen_edges.tolist() == frozen  # no weights but +1 and -1
        assert found.exact == (len(patterns) == 1)
        n_frozen.add(sum(frozen))
    assert len(n_frozen) > 5


@my.each_letter
@pytest.mark.parametrize("block", [1, 7, 1 << 17])
@pytest.mark.parametrize("container", CONTAINERS)
def test_certify__of_a_larger_matrix_follows_the_groups(
    null: str, block: int, container: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_mobility, "_BLOCK_WORDS", block)
    rng = np.random.default_rng(4)
    W = rng.choice([-1.0, 1.0], size=(23, 17)) * rng.integers(1, 4, size=(23, 17))
    W[:5] = np.abs(W[:5])
    W[5:9] = np.sign(W[5:9])
    W[:, :3] = -1
    W[3, 3:] = 1
    for missing in (0.0, 0.6):
        W[rng.random(W.shape) < missing] = 0
        found = bipnet.certify(container(W), null)
        signs, weights = {}, {}
        if null != "G":
            for cells in oracles.groups(W, null):
                for cell in cells:
                    signs[cell] = len({oracles.sign(W[other]) for other in cells}) == 1
                    weights[cell] = len({W[other] for other in cells}) == 1
        else:
            free = {
                (i, j) for left, right in oracles.parts(W) for i in left for j in right if W[i, j]
            }
            for cell in oracles.edges(W):
                values = {W[o] for o in oracles.edges(W) if W[o] * W[cell] > 0}
                signs[cell] = cell not in free
                weights[cell] = signs[cell] and len(values) == 1
        cells = oracles.edges(W)
        assert found.signs.frozen_edges.tolist() == [signs[cell] for cell in cells]
        assert found.weights.frozen_edges.tolist() == [weights[cell] for cell in cells]


@pytest.mark.filterwarnings("ignore::bipnet.FrozenWarning")
@my.each_letter
def test_certify__all_that_is_free_moves_and_nothing_else(null: str) -> None:
    rng = np.random.default_rng(5)
    W = rng.choice([-1.0, 1.0], size=(9, 7)) * rng.integers(1, 4, size=(9, 7))
    W[:4, :4] = 1
    W[4:, 4:] = -2
    W[rng.random(W.shape) < 0.15] = 0
    found = bipnet.certify(W, null)
    draws = [bipnet.randomize(W, null, rng=1, index=i) for i in range(100)]
    is_edge = W != 0
    moved = {
        "signs": np.any([np.sign(R) != np.sign(W) for R in draws], axis=0)[is_edge],
        "weights": np.any([R != W for R in draws], axis=0)[is_edge],
    }
    assert np.array_equal(moved["signs"], ~found.signs.frozen_edges)
    assert np.array_equal(moved["weights"], ~found.weights.frozen_edges)


def test_certify__says_the_same_of_every_dtype_and_memory_order() -> None:
    W = CASES["nearly nested"]
    for null in bipnet.NULL_MODELS:
        wanted = bipnet.certify(W, null).to_dict()
        for dtype in (*my.FLOATS, *my.SIGNED_INTS):
            for order in my.ORDERS:
                assert bipnet.certify(my.arranged(W.astype(dtype), order), null).to_dict() == wanted
        assert bipnet.certify(W.tolist(), null).to_dict() == wanted


# -- what is guaranteed ------------------------------------------------------------------------


@my.each_letter
@pytest.mark.parametrize("case", CASES)
def test_certify__says_why_every_outcome_is_reached(case: str, null: str) -> None:
    W = CASES[case]
    found = bipnet.certify(W, null)
    n_patterns = len(oracles.sign_patterns(W)) if null == "G" else 0
    if null != "G":
        assert (found.exact, found.irreducible_by) == (True, "exact draw")
    elif n_patterns == 1:
        assert (found.exact, found.irreducible_by) == (True, "one state")
    elif (W != 0).all():
        assert (found.exact, found.irreducible_by) == (False, "Ryser 1957")
    else:
        # Too few nodes of these lack an edge for a cycle without chords.
        few_gaps = case in ("missing edges", "empty nodes")
        why = "trades alone" if few_gaps else "short loops"
        assert (found.exact, found.irreducible_by) == (False, why)
    assert found.law == (
        "independent exact uniform draw" if found.exact else "Markov chain, uniform stationary law"
    )
    assert found.irreducible_by in IRREDUCIBLE_BY
    if found.exact:
        assert found.rapid_mixing.proven is None
        assert "there is no chain" in found.rapid_mixing.why


@pytest.mark.parametrize("W", [HEXAGON, TWO_HEXAGONS], ids=["one", "two"])
def test_certify__a_hexagon_is_free_by_loops_alone(W: my.Matrix) -> None:
    found = bipnet.certify(W, "G")
    assert found.irreducible_by == "short loops"
    assert found.signs.n_movable == found.n_edges
    assert found.rapid_mixing == bipnet.nulls.RapidMixing(
        None, None, None, "not proven: the theorem that could tell does not apply where edges are"
        " missing"
    )  # fmt: skip


def test_rapid_mixing__is_read_off_the_inequality() -> None:
    rng = np.random.default_rng(6)
    seen = set()
    for _ in range(800):
        m, n = rng.integers(2, 9, 2)
        tilt = 2 * rng.random() * np.add.outer(rng.random(m), rng.random(n))
        W = np.where(tilt + rng.random((m, n)) > rng.random() + 1, 1.0, -1.0)
        found = bipnet.certify(W, "G")
        mixing, sides = found.rapid_mixing, oracles.mixing_sides(W)
        if not oracles.parts(W):
            assert mixing.proven is None
        elif not sides:
            assert mixing.proven
            assert mixing.lhs is mixing.rhs is None
            assert "two sign patterns" in mixing.why
        else:
            assert mixing.proven == all(lhs < rhs for lhs, rhs in sides)
            assert (mixing.lhs, mixing.rhs) in sides
            assert mixing.lhs - mixing.rhs == max(lhs - rhs for lhs, rhs in sides)
        seen.add((mixing.proven, mixing.lhs is None, len(sides) > 1))
    assert len(seen) >= 4


def test_rapid_mixing__by_hand() -> None:
    # Left k+ 2, 1, 3 of n = 4; right k+ 2, 1, 2, 1 of m = 3: c in [1, 2], d in [1, 3].
    # (2 - 1 - 1)(3 - 1 - 1) = 0 < max{1 (4 - 3), 1 (3 - 2)} = 1.
    mixing = _mixing.rapid_mixing(np.array([2, 1, 3]), np.array([2, 1, 2, 1]))
    assert (mixing.proven, mixing.lhs, mixing.rhs) == (True, 0, 1)
    assert mixing.why == f"proven for the swap chain: {_mixing.SOURCE}"


def uneven_signs(n: int) -> my.Matrix:
    """A checkerboard with nodes of k+ 1 and n - 1 on both sides, all in one component."""
    W = np.where(np.indices((n, n)).sum(axis=0) % 2 == 0, 1.0, -1.0)
    W[0], W[1] = 1, -1
    W[:, 0], W[:, 1] = 1, -1
    W[2, :2] = -1, 1
    return W


def test_rapid_mixing__fails_for_very_uneven_degrees() -> None:
    W = uneven_signs(8)
    assert len(oracles.parts(W)) == 1
    for side in ("left", "right"):
        k = oracles.degrees(W, side, "+")
        assert (min(k), max(k)) == (1, 7)
    mixing = bipnet.certify(W, "G").rapid_mixing
    assert (mixing.proven, mixing.lhs, mixing.rhs) == (False, 5 * 5, 1 * 1)
    assert mixing.why == f"not proven: the inequality of {_mixing.SOURCE} fails"


def test_rapid_mixing__nodes_of_one_sign_do_not_count() -> None:
    rng = np.random.default_rng(7)
    W = np.where(rng.random((30, 20)) < 0.5, 1.0, -1.0)
    inner = bipnet.certify(W, "G").rapid_mixing
    framed = np.pad(W, ((3, 0), (0, 2)), constant_values=1.0)
    framed = np.pad(framed, ((0, 1), (0, 0)), constant_values=-1.0)
    found = bipnet.certify(framed, "G")
    assert inner.proven
    assert found.rapid_mixing == inner
    assert np.flatnonzero(found.signs.frozen_left).tolist() == [0, 1, 2, 33]
    assert found.signs.frozen_right.sum() == 2


def test_rapid_mixing__of_parts_asks_each_of_them() -> None:
    easy = np.where(np.indices((4, 6)).sum(axis=0) % 2 == 0, 1.0, -1.0)
    both = np.block([[easy, np.ones((4, 8))], [-np.ones((8, 6)), uneven_signs(8)]])
    mixing = bipnet.certify(both, "G").rapid_mixing
    assert (mixing.proven, mixing.lhs, mixing.rhs) == (False, 25, 1)
    assert mixing.why.endswith("fails in one of the 2 independent parts")
    twice = np.block([[easy, np.ones((4, 6))], [-np.ones((4, 6)), easy]])
    mixing = bipnet.certify(twice, "G").rapid_mixing
    assert mixing.proven
    assert "in each of the 2 independent parts" in mixing.why
    assert (mixing.lhs, mixing.rhs) == (1, 6)


# -- how it is said ----------------------------------------------------------------------------


def test_certificate__reads_as_a_report() -> None:
    W = np.where(np.indices((20, 15)).sum(axis=0) % 2 == 0, 1.0, -2.0)
    W[3] = 1
    lines = str(bipnet.certify(W, "G")).splitlines()
    assert lines[0] == "null model G on 20 x 15 nodes, 300 edges"
    assert lines[1].split(maxsplit=1) == ["law", "Markov chain, uniform stationary law"]
    assert lines[2].split(maxsplit=1)[1].startswith("Ryser 1957: ")
    mixing = bipnet.certify(W, "G").rapid_mixing
    assert lines[3].split(maxsplit=1) == ["mixing", mixing.why]
    assert lines[4].strip() == f"{mixing.lhs} < {mixing.rhs} in {_mixing.INEQUALITY}"
    assert lines[5].split(maxsplit=1) == ["length", _certify.LENGTH]
    assert lines[6:] == [
        "  signs        285 of 300 edges can change, 15 are frozen",
        "               all edges of 1 of 20 left nodes are frozen (3)",
        "  weights      285 of 300 edges can change, 15 are frozen",
        "               all edges of 1 of 20 left nodes are frozen (3)",
    ]


def test_certificate__reports_an_inequality_that_fails() -> None:
    assert f"25 >= 1 in {_mixing.INEQUALITY}" in str(bipnet.certify(uneven_signs(8), "G"))


def test_certificate__names_the_first_frozen_nodes_and_counts_the_empty_ones() -> None:
    W = np.zeros((30, 4))
    W[:12] = 1
    W[12:20] = np.arange(1.0, 33).reshape(8, 4)
    text = str(bipnet.certify(W, "C"))
    assert "80 edges (10 left and 0 right nodes have none)" in text
    assert "all edges of 12 of 20 left nodes are frozen (0, 1, 2, 3, 4, 5, 6, 7, ...)" in text
    assert "signs        frozen: none can change" in text
    assert "inequality" not in text
    assert "length" not in text  # of what is no chain
    assert "no edges" in str(bipnet.certify(np.zeros((2, 2)), "G"))
    assert "all 80 edges can change" in str(bipnet.certify(W, "A"))


def test_certificate__as_a_dictionary_has_all_counts_and_the_first_hundred() -> None:
    W = np.ones((150, 120))
    W[149] = np.arange(1, 121)
    found = bipnet.certify(W, "C").to_dict()
    assert json.loads(json.dumps(found)) == found
    weights = found["weights"]
    assert (weights["n_movable"], weights["n_frozen"]) == (120, 149 * 120)
    assert (weights["n_frozen_left"], weights["n_frozen_right"]) == (149, 0)
    assert weights["frozen_left"] == list(range(100))
    assert weights["frozen_edges"] == [[0, j] for j in range(100)]
    signs = found["signs"]
    assert (signs["n_movable"], signs["n_frozen_right"]) == (0, 120)
    assert signs["frozen_right"] == list(range(100))
    assert found["rapid_mixing"]["proven"] is None
    assert (found["n_isolated_left"], found["n_isolated_right"]) == (0, 0)


def test_certificate__cannot_be_changed() -> None:
    for null in bipnet.NULL_MODELS:
        found = bipnet.certify(CASES["nearly nested"], null)
        with pytest.raises(AttributeError):
            found.exact = True  # type: ignore[misc]
        for part in (found.signs, found.weights):
            for mask in (part.frozen_left, part.frozen_right, part.frozen_edges):
                with pytest.raises(ValueError, match="read-only"):
                    mask[0] = True


# -- mistakes ----------------------------------------------------------------------------------


def test_certify__refuses_what_the_door_refuses() -> None:
    with pytest.raises(bipnet.InputError, match="seven null models"):
        bipnet.certify(HEXAGON, "H")
    with pytest.raises(bipnet.InputError, match=r"W\[0, 1\] is nan"):
        bipnet.certify([[1.0, np.nan]], "G")
    with pytest.raises(bipnet.DTypeError, match="complex"):
        bipnet.certify([[1j]], "A")


def test_certify__takes_a_row_of_the_table() -> None:
    model = bipnet.NULL_MODELS["F"]
    assert bipnet.certify(HEXAGON, model).to_dict() == bipnet.certify(HEXAGON, "F").to_dict()


def test_certify__asks_for_memory_first(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(n_bytes: int, purpose: str) -> None:
        raise bipnet.TooLargeError(f"{purpose}: {n_bytes}")

    monkeypatch.setattr("bipnet.nulls._certify.require_memory", refuse)
    with pytest.raises(bipnet.TooLargeError, match=r"the certificate of \(3, 3\): 36"):
        bipnet.certify(HEXAGON, "G")
