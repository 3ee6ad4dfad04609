"""Statistics against their definitions written out, networkx, and graphs known by hand."""

from __future__ import annotations

import itertools
import math
import types
from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import ml_dtypes
import networkx as nx
import numpy as np
import pytest
import scipy.sparse
import strategies as my
from hypothesis import given, settings
from networkx.algorithms import bipartite

import bipnet
from bipnet import NULL_MODELS, measures
from bipnet.errors import InputError

SIGNS = ("+", "-", None)
SIDES: Any = ("left", "right")


def matrices(most: int = 6) -> Any:
    """Small matrices with gaps, both signs and repeated weights."""
    weight = st.sampled_from([-2.0, -1.0, -0.5, 0.0, 0.0, 0.5, 1.0, 3.0])
    shapes = st.tuples(st.integers(1, most), st.integers(1, most))
    return shapes.flatmap(
        lambda shape: st.lists(
            st.lists(weight, min_size=shape[1], max_size=shape[1]),
            min_size=shape[0],
            max_size=shape[0],
        ).map(np.array)
    )


def part(W: np.ndarray[Any, Any], sign: str | None) -> np.ndarray[Any, Any]:
    """1 where there is an edge of that sign."""
    return np.asarray(W > 0 if sign == "+" else W < 0 if sign == "-" else W != 0).astype(int)


def as_networkx(pattern: np.ndarray[Any, Any]) -> tuple[nx.Graph, list[str], list[str]]:
    left = [f"l{i}" for i in range(pattern.shape[0])]
    right = [f"r{j}" for j in range(pattern.shape[1])]
    graph = nx.Graph()
    graph.add_nodes_from(left, bipartite=0)
    graph.add_nodes_from(right, bipartite=1)
    graph.add_edges_from((left[i], right[j]) for i, j in zip(*np.nonzero(pattern), strict=True))
    return graph, left, right


# -- butterflies ---------------------------------------------------------------------------------


def naive_butterflies(W: np.ndarray[Any, Any]) -> tuple[list[list[int]], list[list[int]]]:
    """[balanced, unbalanced] cycles through each left and each right node, one by one."""
    left = [[0, 0] for _ in range(W.shape[0])]
    right = [[0, 0] for _ in range(W.shape[1])]
    for i, k in itertools.combinations(range(W.shape[0]), 2):
        for j, m in itertools.combinations(range(W.shape[1]), 2):
            four = [W[i, j], W[i, m], W[k, j], W[k, m]]
            if 0 in four:
                continue
            kind = sum(weight < 0 for weight in four) % 2
            for node in (left[i], left[k], right[j], right[m]):
                node[kind] += 1
    return left, right


@given(matrices())
@settings(deadline=None)
def test_butterflies__are_those_counted_one_by_one(W: np.ndarray[Any, Any]) -> None:
    left, right = naive_butterflies(W)
    for given_as in (W, W.astype(np.float32), scipy.sparse.csr_array(W)):
        found = measures.butterflies(given_as)
        assert np.transpose([found.left_balanced, found.left_unbalanced]).tolist() == left
        assert np.transpose([found.right_balanced, found.right_unbalanced]).tolist() == right
        assert found.balanced == sum(node[0] for node in left) / 2
        assert found.unbalanced == sum(node[1] for node in right) / 2
        assert 0 <= found.balanced_share <= 1


def test_butterflies__of_graphs_known_by_hand() -> None:
    ones = measures.butterflies(np.ones((4, 5)))
    assert (ones.balanced, ones.unbalanced) == (6 * 10, 0)
    assert ones.left_balanced.tolist() == [30] * 4
    assert ones.right_balanced.tolist() == [24] * 5
    split = measures.butterflies(np.outer([1, 1, -1], [1, -1, 1, -1]))  # two camps
    assert split.unbalanced == 0
    one = measures.butterflies([[1, 1], [1, -1]])
    assert (one.balanced, one.unbalanced, one.total, one.balanced_share) == (0, 1, 1, 0.0)
    assert measures.butterflies([[0.0]]).balanced_share == 0.5


def test_butterflies__of_random_signs_are_balanced_by_half() -> None:
    W = np.random.default_rng(3).choice([-1.0, 1.0], size=(200, 150))
    found = measures.butterflies(W)
    assert found.total == math.comb(200, 2) * math.comb(150, 2)
    assert found.balanced_share == pytest.approx(0.5, abs=0.01)


def test_products__go_in_blocks_without_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    W = np.random.default_rng(5).choice([-1.0, 0.0, 1.0], size=(37, 23))
    whole = (
        measures.butterflies(W),
        measures.nodf(W),
        measures.wnodf(W),
        measures.latapy_clustering(W),
        measures.robins_alexander_clustering(W),
    )
    monkeypatch.setattr("bipnet.measures._signs._BLOCK_BYTES", 4 * 37 * 5)
    monkeypatch.setattr("bipnet.measures.nestedness._BLOCK", 37 * 5)
    again = measures.butterflies(W)
    assert (again.balanced, again.unbalanced) == (whole[0].balanced, whole[0].unbalanced)
    assert (again.left_balanced == whole[0].left_balanced).all()
    assert measures.nodf(W) == pytest.approx(whole[1], rel=1e-14)
    assert measures.wnodf(W) == whole[2]
    assert (measures.latapy_clustering(W) == whole[3]).all()
    assert measures.robins_alexander_clustering(W) == pytest.approx(whole[4], rel=1e-14)


# -- clustering, nestedness ----------------------------------------------------------------------


@pytest.mark.parametrize("sign", SIGNS)
@given(W=matrices())
@settings(deadline=None)
def test_robins_alexander__is_that_of_networkx(W: np.ndarray[Any, Any], sign: Any) -> None:
    graph, _, _ = as_networkx(part(W, sign))
    wanted = 0.0
    if graph.number_of_edges():
        wanted = bipartite.robins_alexander_clustering(graph)
    assert measures.robins_alexander_clustering(W, sign) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("sign", SIGNS)
@given(W=matrices())
@settings(deadline=None)
def test_latapy__is_that_of_networkx(W: np.ndarray[Any, Any], sign: Any) -> None:
    graph, left, right = as_networkx(part(W, sign))
    wanted = bipartite.latapy_clustering(graph)
    for side, names in (("left", left), ("right", right)):
        found = measures.latapy_clustering(W, side, sign)
        assert found == pytest.approx([wanted[name] for name in names], abs=1e-12)


@pytest.mark.parametrize("sign", SIGNS)
@given(W=matrices())
@settings(deadline=None)
def test_nodf__is_its_definition(W: np.ndarray[Any, Any], sign: Any) -> None:
    pattern = part(W, sign)
    values = []
    for rows in (pattern, pattern.T):
        for a, b in itertools.combinations(rows, 2):
            poor, rich = sorted((a, b), key=lambda row: row.sum())
            equal = poor.sum() == rich.sum()
            shared = int((poor * rich).sum())
            values.append(0.0 if equal or not poor.sum() else 100 * shared / int(poor.sum()))
    wanted = sum(values) / len(values) if values else 0.0
    assert measures.nodf(W, sign) == pytest.approx(wanted, abs=1e-9)


def test_nodf__of_a_staircase_is_perfect_and_of_blocks_nothing() -> None:
    assert measures.nodf(np.tri(6)) == pytest.approx(100)
    assert measures.nodf(np.eye(4)) == 0
    assert measures.nodf([[5.0]]) == 0


def lower_shares(W: np.ndarray[Any, Any]) -> list[float]:
    """Per pair of rows, pair by pair: the share of the poorer one's edges that are lower in it."""
    shares = []
    for a, b in itertools.combinations(W, 2):
        poor, rich = sorted((a, b), key=lambda row: int((row > 0).sum()))
        n_poor, n_rich = int((poor > 0).sum()), int((rich > 0).sum())
        if n_poor == n_rich or not n_poor:
            shares.append(0.0)
        else:
            shares.append(sum(0 < p < r for p, r in zip(poor, rich, strict=True)) / n_poor)
    return shares


def naive_wnodf(W: np.ndarray[Any, Any], sign: str | None) -> float:
    magnitudes = np.abs(W) * part(W, sign)
    shares = lower_shares(magnitudes) + lower_shares(magnitudes.T)
    return 100 * sum(shares) / len(shares) if shares else 0.0


@pytest.mark.parametrize("sign", SIGNS)
@given(W=matrices(8))
@settings(deadline=None)
def test_wnodf__is_its_definition(W: np.ndarray[Any, Any], sign: Any) -> None:
    found = measures.wnodf(W, sign)
    assert found == pytest.approx(naive_wnodf(W, sign), abs=1e-9)
    assert found <= measures.nodf(W, sign) + 1e-9
    assert measures.wnodf(W.astype(np.float32), sign) == found
    assert measures.wnodf(scipy.sparse.csr_array(W), sign) == found


def test_wnodf__by_hand() -> None:
    # Rows: (4 5 1) has 3 edges, (3 6 .) and (2 . 2) have 2, and equal degrees are not nested.
    # In (3 6 .) 3 < 4 is lower and 6 is not, in (2 . 2) 2 < 4 is and 2 is not: 1/2 + 1/2 of 3
    # pairs.
    # Columns: (4 3 2) has 3 edges; in (5 6 .) none is lower, in (1 . 2) 1 < 4 is and 2 = 2 is not:
    # 0 + 1/2 of 3 pairs.
    W = np.array([[4, 5, 1], [3, 6, 0], [2, 0, 2]])
    assert measures.wnodf(W) == pytest.approx(100 * 1.5 / 6)
    assert measures.wnodf(-W, "-") == pytest.approx(100 * 1.5 / 6)
    assert measures.wnodf(W, "-") == 0
    # The same, with every edge of a poorer node below that of a richer one.
    assert measures.wnodf([[5, 4, 1], [4, 2, 0], [1, 0, 0]]) == pytest.approx(100)


def test_wnodf__of_equal_weights_or_equal_degrees_is_nothing() -> None:
    assert measures.wnodf(np.tri(6)) == 0
    assert measures.nodf(np.tri(6)) == pytest.approx(100)
    assert measures.wnodf(np.arange(1, 13).reshape(3, 4)) == 0
    assert measures.wnodf([[5.0]]) == 0


@my.each_dtype
def test_wnodf__is_that_of_any_dtype(dtype: np.dtype[Any]) -> None:
    rng = np.random.default_rng(6)
    W = rng.integers(0, 9, size=(11, 8)).astype(np.float64)
    if dtype.kind not in "ub":
        W *= rng.choice([-1, 1], size=W.shape)
    given_as = W.astype(dtype)
    W = given_as.astype(np.float64)
    for sign in SIGNS:
        assert measures.wnodf(given_as, sign) == pytest.approx(naive_wnodf(W, sign))


def test_wnodf__tells_weights_apart_that_float32_and_int64_do_not() -> None:
    close = [[1 + 2**-40, 1.0], [1.0, 0.0]]
    assert measures.wnodf(close) == pytest.approx(100)
    assert measures.wnodf(np.float32(close)) == 0  # all alike
    least = np.iinfo(np.int64).min
    W = np.array([[least, least], [least + 1, 0]])
    assert measures.wnodf(W, "-") == measures.wnodf(W, None) == pytest.approx(50)
    tiny = np.array([[3e-45, 3e-45], [1.5e-45, 0]], dtype=np.float32)
    assert measures.wnodf(tiny) == pytest.approx(50)


def test_wnodf__of_uneven_degrees_is_its_definition() -> None:
    rng = np.random.default_rng(12)
    W = rng.normal(size=(60, 45)) * (rng.random((60, 45)) < rng.random(60)[:, None])
    assert len(set((W > 0).sum(axis=1))) > 15
    assert measures.wnodf(W) == pytest.approx(naive_wnodf(W, "+"))
    assert measures.wnodf(scipy.sparse.csr_array(W), "-") == pytest.approx(naive_wnodf(W, "-"))


def test_wnodf__asks_for_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = bipnet.SignedBipartiteGraph(np.ones((1100, 1000), dtype=np.float32))
    assert measures.wnodf(graph) == 0
    monkeypatch.setattr("psutil.virtual_memory", lambda: types.SimpleNamespace(available=0))
    with pytest.raises(bipnet.errors.TooLargeError, match=r"WNODF of \(1100, 1000\) needs 17.6 MB"):
        measures.wnodf(graph)


def test_wnodf__knows_the_order_of_weights_alone() -> None:
    rng = np.random.default_rng(9)
    W = rng.normal(size=(30, 20)) * (rng.random((30, 20)) < 0.7)
    assert measures.wnodf(W) > 0
    assert measures.wnodf(np.sign(W) * np.abs(W) ** 3) == measures.wnodf(W)


# -- heterogeneity, assortativity, distributions -------------------------------------------------


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("sign", SIGNS)
@given(W=matrices())
@settings(deadline=None)
def test_disparity__is_its_definition(W: np.ndarray[Any, Any], side: Any, sign: Any) -> None:
    magnitudes = np.abs(W) * part(W, sign)
    wanted = []
    for row in magnitudes if side == "left" else magnitudes.T:
        total = row.sum()
        wanted.append(sum((w / total) ** 2 for w in row) if total else 0.0)
    assert measures.disparity(W, side, sign) == pytest.approx(wanted)


def test_disparity__holds_for_weights_at_the_ends_of_the_dtype() -> None:
    tiny, huge = 1e-200, 1e200
    assert measures.disparity([[tiny, tiny]], "left") == pytest.approx([0.5])
    assert measures.disparity([[huge, huge]], "left") == pytest.approx([0.5])
    assert measures.disparity(np.float16([[60000, 60000]]), "left") == pytest.approx([0.5])


def test_assortativity__of_strengths_equal_but_for_rounding_is_none() -> None:
    W = np.array([[0.1, 0.2, 0.3, 0], [0.3, 0.2, 0.1, 0], [0.2, 0, 0.3, 0.1], [0, 0.3, 0.1, 0.2]])
    assert np.ptp(W.sum(axis=1)) > 0  # rounding: all are 0.6
    for scale in (1, 10, 1e-200, 1e200):
        assert measures.assortativity(scale * W, "strength") == 0
        assert measures.assortativity(scale * W.T, "strength") == 0
    W[0, 0] += 1e-12
    assert measures.assortativity(W, "strength") != 0


@pytest.mark.parametrize("by", ["degree", "strength"])
@pytest.mark.parametrize("sign", SIGNS)
@given(W=matrices())
@settings(deadline=None)
def test_assortativity__is_pearsons_over_the_edges(
    W: np.ndarray[Any, Any], by: Any, sign: Any
) -> None:
    pattern = part(W, sign)
    weights = pattern if by == "degree" else np.abs(W) * pattern
    rows, columns = np.nonzero(pattern)
    x, y = weights.sum(axis=1)[rows], weights.sum(axis=0)[columns]
    wanted = 0.0
    if len(rows) and np.ptp(x) > 0 and np.ptp(y) > 0:
        wanted = float(np.corrcoef(x, y)[0, 1])
    assert measures.assortativity(W, by, sign) == pytest.approx(wanted, abs=1e-9)


def test_strength_degree_slope__finds_the_exponent() -> None:
    degrees = np.arange(1, 30)
    W = np.zeros((len(degrees), 40))
    for i, k in enumerate(degrees):
        W[i, :k] = k**0.5  # s = k^1.5
    assert measures.strength_degree_slope(W, "left") == pytest.approx(1.5)
    assert measures.strength_degree_slope(-W, "left", "-") == pytest.approx(1.5)
    assert measures.strength_degree_slope(W, "left", "-") == 1.0
    assert measures.strength_degree_slope(np.ones((3, 3)), "right") == 1.0


@pytest.mark.parametrize("side", SIDES)
@given(W=matrices())
@settings(deadline=None)
def test_distributions__add_up(W: np.ndarray[Any, Any], side: Any) -> None:
    for sign in SIGNS:
        degrees, shares = measures.degree_distribution(W, side, sign)  # type: ignore[arg-type]
        counted = part(W, sign).sum(axis=1 if side == "left" else 0)
        assert shares.sum() == pytest.approx(1)
        assert (np.diff(degrees) > 0).all()
        assert degrees @ shares == pytest.approx(counted.mean())
        edges, density = measures.strength_distribution(W, side, sign, bins=7)  # type: ignore[arg-type]
        assert density @ np.diff(edges) == pytest.approx(1)


def test_weight_sd__leaves_missing_edges_out() -> None:
    assert measures.weight_sd([[0.0, 2.0], [4.0, 0.0]]) == 1.0
    assert measures.weight_sd([[0.0]]) == 0.0


# -- spectrum ------------------------------------------------------------------------------------


def test_spectrum__of_noise_ends_at_its_edge() -> None:
    W = np.random.default_rng(1).normal(0, 0.3, size=(600, 200)).astype(np.float32)
    found = measures.spectrum(W)
    assert len(found.values) == 200
    assert (np.diff(found.values) <= 0).all()
    assert found.values[0] == pytest.approx(found.edge, rel=0.02)
    assert found.edge == pytest.approx(0.3 * (math.sqrt(600) + math.sqrt(200)), rel=0.01)
    assert (found.values**2).sum() == pytest.approx((W.astype(float) ** 2).sum())
    spiked = W + np.float32(3.0) * np.outer(np.ones(600), np.ones(200)).astype(np.float32) / 10
    assert measures.spectrum(spiked).n_above_edge >= 1


def test_spectrum__of_known_matrices() -> None:
    assert measures.spectrum(np.eye(5)).effective_rank == pytest.approx(5)
    assert measures.spectrum(np.ones((4, 6))).effective_rank == pytest.approx(1)
    assert measures.spectrum(np.ones((4, 6))).values[0] == pytest.approx(math.sqrt(24))
    nothing = measures.spectrum(np.zeros((2, 3)))
    assert (nothing.effective_rank, nothing.edge, nothing.n_above_edge) == (0.0, 0.0, 0)
    huge = measures.spectrum([[1e200, 0.0], [0.0, 1e200]])
    assert huge.values.tolist() == [1e200, 1e200]


@pytest.mark.parametrize(
    ("W", "rank"),
    [
        (np.ones((6, 6)), 1),
        (np.full((7, 9), -3), 1),
        (np.full((40, 30), 0.1, dtype=np.float32), 1),
        (np.full((40, 30), 0.1, dtype=np.float16), 1),
        (np.full((40, 30), 0.1, dtype=ml_dtypes.bfloat16), 1),
        (np.full((6, 6), 1e-300), 1),
        (np.ones((1, 1)), 1),
        (np.eye(2, 3), 0),  # below the edge: 0.47 * (sqrt 2 + sqrt 3) = 1.48
    ],
)
def test_spectrum__does_not_count_rounding(W: Any, rank: int) -> None:
    found = measures.spectrum(W)
    assert found.n_above_edge == rank
    assert measures.STATISTICS["above_noise"](W).tolist() == [rank]


def test_spectrum__knows_how_finely_weights_are_rounded() -> None:
    W = np.random.default_rng(0).normal(size=(30, 20)).astype(np.float32)
    found = measures.spectrum(W)
    assert found.tolerance == pytest.approx(30 * 2.0**-23 * found.values[0])
    # An equal column but for the last bits of its dtype.
    nearly = np.ones((30, 30), dtype=np.float32)
    nearly[3] = np.nextafter(np.float32(1), np.float32(2))
    assert measures.spectrum(nearly).n_above_edge == 1


# -- what holds for all of them ------------------------------------------------------------------

GRAPH_STATISTICS: dict[str, Callable[[Any], float]] = {
    "balanced": lambda W: measures.butterflies(W).balanced,
    "unbalanced": lambda W: measures.butterflies(W).unbalanced,
    "clustering": measures.robins_alexander_clustering,
    "nodf": measures.nodf,
    "wnodf": measures.wnodf,
    "modularity": lambda W: measures.communities(W).modularity,
    "assortativity": measures.assortativity,
    "strength assortativity": lambda W: measures.assortativity(W, "strength"),
    "effective rank": lambda W: measures.spectrum(W).effective_rank,
    "sigma": measures.weight_sd,
    "share above": lambda W: measures.spectrum(W).values[0],
}
OF_SIGNS = ("balanced", "unbalanced", "clustering", "nodf", "assortativity")
SCALING = ("sigma", "share above")


@pytest.mark.parametrize("name", GRAPH_STATISTICS)
def test_statistics__do_not_know_the_order_of_nodes_or_which_side_is_which(name: str) -> None:
    rng = np.random.default_rng(8)
    W = rng.normal(size=(9, 7)) * (rng.random((9, 7)) < 0.8)
    value = GRAPH_STATISTICS[name](W)
    shuffled = W[rng.permutation(9)][:, rng.permutation(7)]
    assert GRAPH_STATISTICS[name](shuffled) == pytest.approx(value)
    assert GRAPH_STATISTICS[name](W.T) == pytest.approx(value)
    factor = 2.5 if name in SCALING else 1
    assert GRAPH_STATISTICS[name](2.5 * W) == pytest.approx(factor * value)
    sparse = GRAPH_STATISTICS[name](scipy.sparse.csr_array(W))
    assert sparse == pytest.approx(value)


@pytest.mark.parametrize("letter", ["B", "E", "F"])
@pytest.mark.parametrize("name", OF_SIGNS)
def test_statistics_of_signs__stay_under_models_that_keep_signs(name: str, letter: str) -> None:
    assert "signs" in NULL_MODELS[letter].preserves
    W = np.random.default_rng(2).normal(size=(12, 9))
    W[W > 1.2] = 0
    drawn = bipnet.randomize(W, letter, rng=3)
    assert GRAPH_STATISTICS[name](drawn) == GRAPH_STATISTICS[name](W)


DEGENERATE = {
    "no edges": np.zeros((3, 2)),
    "one node each": np.array([[1.0]]),
    "one sign": np.full((3, 4), -2.0),
    "isolated nodes": np.array([[0.0, 0, 0], [0, 1, -1], [0, 0, 0]]),
    "one row": np.array([[1.0, -2.0, 0.0]]),
}


@pytest.mark.parametrize("kind", DEGENERATE)
def test_degenerate_graphs__have_numbers_for_everything(kind: str) -> None:
    W = DEGENERATE[kind]
    for function in GRAPH_STATISTICS.values():
        assert math.isfinite(function(W))
    for side in SIDES:
        for sign in SIGNS:
            assert np.isfinite(measures.disparity(W, side, sign)).all()  # type: ignore[arg-type]
            assert np.isfinite(measures.latapy_clustering(W, side, sign)).all()  # type: ignore[arg-type]
            assert math.isfinite(measures.strength_degree_slope(W, side, sign))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: measures.disparity([[1.0]], "up"), "side must be 'left' or 'right', got 'up'"),
        (lambda: measures.nodf([[1.0]], "*"), "sign must be"),
        (lambda: measures.wnodf([[1.0]], "*"), "sign must be"),
        (lambda: measures.assortativity([[1.0]], "size"), "by must be 'degree' or 'strength'"),
        (lambda: measures.butterflies([[math.nan]]), "weights must be finite"),
        (lambda: measures.strength_distribution([[1.0]], "left", bins=[3, 1]), "bins must be"),
    ],
)
def test_bad_input__says_what_was_wanted(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()


# -- projections -------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(matrices())
def test_projection__counts_shared_neighbours(W: np.ndarray[Any, Any]) -> None:
    V = np.sign(W)
    kinds: dict[Any, Any] = {
        "all": lambda s: s != 0,
        "same": lambda s: s > 0,
        "opposite": lambda s: s < 0,
    }
    for side, A in zip(SIDES, (V, V.T), strict=True):
        for shared, chosen in kinds.items():
            found = measures.projection(W, side, shared)
            assert np.array_equal(found, found.T)
            for i, k in itertools.combinations(range(len(A)), 2):
                assert found[i, k] == chosen(A[i] * A[k]).sum()
            assert not np.diag(found).any()


@settings(max_examples=60, deadline=None)
@given(matrices())
def test_sign_correlation__is_the_mean_product_of_signs(W: np.ndarray[Any, Any]) -> None:
    V = np.sign(W)
    for side, A in zip(SIDES, (V, V.T), strict=True):
        found = measures.sign_correlation(W, side)
        for i, k in itertools.product(range(len(A)), repeat=2):
            both = (A[i] != 0) & (A[k] != 0)
            expected = (A[i] * A[k])[both].mean() if both.any() else 0.0
            assert found[i, k] == pytest.approx(expected, abs=1e-12)


def test_projection__is_that_of_networkx() -> None:
    rng = np.random.default_rng(0)
    W = np.where(rng.random((9, 7)) < 0.5, rng.normal(size=(9, 7)), 0)
    graph, left, _ = as_networkx(part(W, None))
    projected = bipartite.weighted_projected_graph(graph, left)
    found = measures.projection(W, "left")
    for i, k in itertools.combinations(range(9), 2):
        assert found[i, k] == projected.get_edge_data(left[i], left[k], {"weight": 0})["weight"]


def test_projection__refuses_another_kind() -> None:
    with pytest.raises(bipnet.InputError, match="all, same, opposite"):
        measures.projection([[1]], "left", "both")  # type: ignore[arg-type]
