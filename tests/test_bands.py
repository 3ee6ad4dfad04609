"""Histograms, bands over draws and block means, against their definitions written out."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays

import bipnet
from bipnet import measures
from bipnet.errors import InputError

WEIGHTS = st.sampled_from([-2.0, -1.0, -0.5, 0.0, 0.0, 0.5, 1.0, 3.0])
MATRICES = st.tuples(st.integers(1, 7), st.integers(1, 7)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=WEIGHTS)
)
NUMBERS = st.lists(st.integers(0, 40), min_size=1, max_size=12)


def layer(seed: int = 0, shape: tuple[int, int] = (12, 9)) -> Any:
    rng = np.random.default_rng(seed)
    return np.where(rng.random(shape) < 0.8, rng.standard_t(3, size=shape), 0).astype(np.float32)


# -- bands ---------------------------------------------------------------------------------------


def test_band__is_the_quantiles_of_each_number_by_itself() -> None:
    samples = np.random.default_rng(1).normal(size=(21, 4))
    found = measures.band(iter(samples), interval=(0.1, 0.8))
    for place in range(4):
        values = sorted(samples[:, place])
        assert found.low[place] == pytest.approx(values[2])  # 0.1 x 20 steps
        assert found.median[place] == pytest.approx(values[10])
        assert found.high[place] == pytest.approx(values[16])
    assert (found.n_draws, found.interval) == (21, (0.1, 0.8))


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ([], "no draw"),
        ([[1.0], [1.0, 2.0]], "draw 1 has 2 numbers, draw 0 has 1"),
        ([[1.0], [math.nan]], "draw 1 has nan at position 0"),
        ([[[1.0]]], r"draw 0 must be a row of numbers, got the shape \(1, 1\)"),
        ([["a"]], "draw 0 must be numbers"),
    ],
)
def test_band__refuses(samples: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        measures.band(samples)


@pytest.mark.parametrize("interval", [(0.9, 0.1), (-0.1, 0.5), (0, 1.1), (0.5,), 0.9, "ab"])
def test_band__refuses_an_interval(interval: Any) -> None:
    with pytest.raises(InputError, match="interval must be two quantiles"):
        measures.band([[1.0]], interval=interval)
    with pytest.raises(InputError, match="interval must be two quantiles"):
        measures.distribution_band([1.0], interval=interval)


# -- distributions -------------------------------------------------------------------------------


@given(NUMBERS, st.lists(NUMBERS, max_size=3), st.integers(1, 9))
@settings(deadline=None)
def test_distribution__of_whole_numbers_has_whole_bins_that_miss_nothing(
    observed: list[int], draws: list[list[int]], bins: int
) -> None:
    found = measures.distribution_band(observed, draws, bins=bins)
    assert 1 <= found.observed.size <= bins
    (width,) = set(np.diff(found.edges))
    assert width == int(width)
    for low, share in zip(found.edges, found.observed * width, strict=False):
        naive = sum(low < value < low + width for value in observed) / len(observed)
        assert share == pytest.approx(naive)
    assert (found.observed * width).sum() == pytest.approx(1)
    if draws:
        assert found.null is not None
        assert found.null.n_draws == len(draws)


def test_distribution__has_the_same_bins_for_what_was_drawn() -> None:
    found = measures.distribution_band([0.0, 1.0], [[3.0, 4.0]], bins=4)
    assert found.edges.tolist() == [0, 1, 2, 3, 4]
    assert found.observed.tolist() == [0.5, 0.5, 0, 0]
    assert found.null is not None
    assert found.null.median.tolist() == [0, 0, 0, 1]
    assert not found.is_fixed


def test_distribution__outside_of_given_edges_is_a_share_that_is_missing() -> None:
    found = measures.distribution_band([0.5, 0.5, 7.0, 8.0], bins=[0.0, 1.0, 2.0])
    assert found.observed.tolist() == [0.5, 0.0]
    assert found.null is None
    assert not found.is_fixed


@pytest.mark.parametrize("value", [0.0, 5.0, -1e-30, 1e300])
def test_distribution__of_equal_numbers_is_a_single_bin_around_them(value: float) -> None:
    found = measures.distribution_band([value, value], [[value, value]])
    low, high = found.edges
    assert low < value < high
    assert (found.observed * (high - low)).tolist() == pytest.approx([1.0])
    assert found.is_fixed


@pytest.mark.parametrize("bins", [0, -1, 2.5, True, [1.0], [1.0, 1.0], [2.0, 1.0], "ten"])
def test_distribution__refuses_bins(bins: Any) -> None:
    with pytest.raises(InputError, match="bins must be"):
        measures.distribution_band([1.0, 2.0], bins=bins)


def test_distributions__refuse_more_bins_than_memory_may_hold() -> None:
    W = [[1.0, -2.0], [0.5, 3.0]]
    refusing: list[Callable[[int], Any]] = [
        lambda bins: measures.distribution_band([1.0, 2.0], bins=bins),
        lambda bins: measures.degree_bands(W, "left", bins=bins),
        lambda bins: measures.strength_bands(W, "left", bins=bins),
        lambda bins: measures.strength_distribution(W, "left", bins=bins),
        lambda bins: measures.weight_histograms({"a": W}, bins=bins),
    ]
    for make in refusing:
        make(10_000)
        with pytest.raises(InputError, match="bins must be at most 10000, got 10001: give fewer"):
            make(10_001)  # not 10^9: a test that fails must not fill the memory


@pytest.mark.parametrize("observed", [[], [math.inf], [[1.0]]])
def test_distribution__refuses_what_was_observed(observed: Any) -> None:
    with pytest.raises(InputError, match="what was observed"):
        measures.distribution_band(observed)


# -- of degrees and strengths --------------------------------------------------------------------


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("kind", ["degree", "strength"])
def test_bands__of_a_graph_are_those_of_its_index(side: Any, kind: str) -> None:
    W = layer()
    draws = list(bipnet.ensemble(W, "A", 11, rng=3))
    of_kind = measures.degree_bands if kind == "degree" else measures.strength_bands
    found = of_kind(W, side, iter(draws), signs=("+", "-", None), bins=8, interval=(0, 1))
    assert list(found) == ["+", "-", None]
    for sign, band in found.items():
        assert (band.edges == found["+"].edges).all()
        every = [
            getattr(bipnet.SignedBipartiteGraph(V), f"{kind}s")(side, sign) for V in (W, *draws)
        ]
        shares = [np.histogram(values, band.edges)[0] / len(values) for values in every]
        widths = np.diff(band.edges)
        np.testing.assert_allclose(band.observed * widths, shares[0])
        assert band.null is not None
        np.testing.assert_allclose(band.null.low * widths, np.min(shares[1:], axis=0))
        np.testing.assert_allclose(band.null.high * widths, np.max(shares[1:], axis=0))
        assert shares[0].sum() == pytest.approx(1)  # no node is left out


def test_bands__say_what_the_null_model_fixes() -> None:
    W = layer(shape=(30, 20))
    draws = list(bipnet.ensemble(W, "G", 5, rng=3))
    assert all(band.is_fixed for band in measures.degree_bands(W, "left", draws).values())
    assert not any(band.is_fixed for band in measures.strength_bands(W, "left", draws).values())
    draws = list(bipnet.ensemble(W, "A", 5, rng=3))
    assert not any(band.is_fixed for band in measures.degree_bands(W, "left", draws).values())


@given(MATRICES, st.sampled_from(["left", "right"]))
@settings(deadline=None)
def test_bands__are_numbers_on_any_graph(W: Any, side: Any) -> None:
    for of_kind in (measures.degree_bands, measures.strength_bands):
        for band in of_kind(W, side, [W, 0 * W], signs=("+", "-", None)).values():
            assert band.null is not None
            for values in (band.edges, band.observed, band.null.low, band.null.high):
                assert np.isfinite(values).all()
            assert (band.observed * np.diff(band.edges)).sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("given_as", "message"),
    [
        ({"draws": [np.ones((9, 12))]}, r"draw 0 has the shape \(9, 12\), the graph \(12, 9\)"),
        ({"draws": layer()}, r"draws must be several matrices; of a single one pass \[R\]"),
        ({"draws": bipnet.SignedBipartiteGraph(layer())}, "draws must be several matrices"),
        ({"signs": ()}, "signs must name one"),
        ({"signs": "x"}, "sign must be"),
        ({"side": "top"}, "side must be"),
    ],
)
def test_bands__refuse(given_as: dict[str, Any], message: str) -> None:
    for of_kind in (measures.degree_bands, measures.strength_bands):
        with pytest.raises(InputError, match=message):
            of_kind(layer(), **{"side": "left", **given_as})


def test_bands__refuse_infinite_strengths() -> None:
    with pytest.raises(InputError, match="a strength is infinite"):
        measures.strength_bands([[1e308, 1e308]], "left")


# -- weights -------------------------------------------------------------------------------------


@given(MATRICES, st.integers(1, 20))
@settings(deadline=None)
def test_weights__are_each_in_a_bin_of_their_sign(W: Any, bins: int) -> None:
    if not W.any():
        return
    halved = W / 2
    for given_as in (W, scipy.sparse.csr_array(W), W.astype(np.float16)):
        found = measures.weight_histograms({"a": given_as, "b": halved}, bins=bins)
        for part, V in (("a", W), ("b", halved)):
            histogram = found[part]
            assert histogram.positive.sum() == (V > 0).sum()
            assert histogram.negative.sum() == (V < 0).sum()
            assert not histogram.positive[histogram.edges[1:] <= 0].any()
            assert not histogram.negative[histogram.edges[:-1] >= 0].any()
            assert (histogram.edges == found["a"].edges).all()
        edges = found["a"].edges
        assert 0.0 in edges
        assert edges.size - 1 <= bins + 1
        assert edges[0] <= W.min()
        assert edges[-1] >= W.max()


def test_weights__are_counted_one_by_one() -> None:
    W = layer(2, (30, 20)).astype(np.float64)
    found = measures.weight_histograms({"": W}, bins=17)[""]
    for number, (low, high) in enumerate(zip(found.edges, found.edges[1:], strict=False)):
        last = number == found.positive.size - 1
        inside = [w for w in W.ravel() if w and (low <= w < high or (last and w == high))]
        assert found.positive[number] == sum(w > 0 for w in inside)
        assert found.negative[number] == sum(w < 0 for w in inside)


@pytest.mark.parametrize(
    ("graphs", "bins", "message"),
    [
        ({}, 3, "graphs must be one or more"),
        ([[1.0]], 3, "graphs must be one or more"),
        ({"a": [[0.0, 0.0]]}, 3, "there is no edge"),
        ({"a": [[1.0]]}, 0, "bins must be a number from 1 on"),
        ({"a": [[1.0]]}, [0.0, 1.0], "bins must be a number from 1 on"),
        ({"a": [[1.7e308, -1.7e308]]}, 1, "cannot be binned"),
        ({"a": [[5e-324]]}, 60, "cannot be binned"),
    ],
)
def test_weights__refuse(graphs: Any, bins: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        measures.weight_histograms(graphs, bins=bins)


# -- the sign pattern ----------------------------------------------------------------------------


@given(MATRICES, st.integers(1, 5), st.integers(1, 5), st.booleans())
@settings(deadline=None)
def test_pattern__is_the_mean_of_each_block(W: Any, rows: int, columns: int, sort: bool) -> None:
    for given_as in (W, scipy.sparse.csr_array(W)):
        found = measures.sign_pattern(given_as, most_blocks=(rows, columns), sort=sort)
        left, right = found.left_order, found.right_order
        assert sorted(left) == list(range(W.shape[0]))
        assert sorted(right) == list(range(W.shape[1]))
        if not sort:
            assert list(left) == sorted(left)
        ordered = np.sign(W)[left][:, right]
        assert found.means.shape == (min(rows, W.shape[0]), min(columns, W.shape[1]))
        for i, j in np.ndindex(*found.means.shape):
            block = ordered[
                found.left_edges[i] : found.left_edges[i + 1],
                found.right_edges[j] : found.right_edges[j + 1],
            ]
            assert found.means[i, j] == pytest.approx(block.mean())
        assert found.is_reduced == (found.means.size < W.size)
        for edges in (found.left_edges, found.right_edges):
            sizes = np.diff(edges)
            assert sizes.min() >= 1
            assert sizes.max() - sizes.min() <= 1


def test_pattern__has_the_highest_positive_degrees_first_and_ties_in_order() -> None:
    W = np.array([[-1, 1, 0], [1, 1, 1], [-1, -1, -1], [1, 0, 0]])
    found = measures.sign_pattern(W)
    assert found.left_order.tolist() == [1, 0, 3, 2]
    assert found.right_order.tolist() == [0, 1, 2]


@pytest.mark.parametrize("most_blocks", [(0, 3), (3, -1), 3, (1, 2, 3), "ab"])
def test_pattern__refuses_numbers_of_blocks(most_blocks: Any) -> None:
    with pytest.raises(InputError, match="most_blocks must be"):
        measures.sign_pattern([[1.0]], most_blocks=most_blocks)
