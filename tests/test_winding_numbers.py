"""Winding numbers, the ends of their range, and the pilot that watches them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import oracles
import pytest
import scipy.sparse
import scipy.stats
import strategies as my
from hypothesis import given
from test_winding import band, torus, windings_of_torus

import bipnet
from bipnet._check import open_matrix
from bipnet.nulls import _groups, _pilot, _winding_numbers
from bipnet.nulls._cells import is_packed
from bipnet.nulls._edge_signs import EdgeSigns
from bipnet.nulls._equilibrium import meeting, settling, with_last_fold
from bipnet.nulls._extremes import extreme_patterns
from bipnet.nulls._following import keys_of_pilot
from bipnet.nulls._pilot import Pilot, free_part, pilot
from bipnet.nulls._rows import packed_rows
from bipnet.nulls._signs import loop_chain
from bipnet.nulls._winding_numbers import WindingNumbers, winding_numbers

FALSE_ALARM = 1e-4

Matrix = my.Matrix


def numbers_of(W: Matrix) -> WindingNumbers:
    """Winding numbers of all edges of a matrix, in the components that they fall into."""
    matrix, _ = open_matrix(W)
    rows = packed_rows(matrix, 1)
    edges = EdgeSigns(matrix, rows, rows.positive)
    n = sum(W.shape)
    graph = scipy.sparse.coo_array(
        (np.ones(rows.n_edges), (edges.left, W.shape[0] + edges.right)), shape=(n, n)
    )
    _, labels = scipy.sparse.csgraph.connected_components(graph, directed=False)
    labels = labels[: W.shape[0]].astype(np.int64)
    return winding_numbers(edges, labels, np.unique(labels[edges.left]))


def ring(n: int, width: int = 6, sign: int = 1) -> scipy.sparse.csr_array:
    """A band with the positive edges of every node at one end."""
    i, d = np.repeat(np.arange(n), width), np.tile(np.arange(width), n)
    signs = np.where(d < width // 2, sign, -sign).astype(np.float32)
    return scipy.sparse.csr_array((signs, (i, (i + d) % n)), shape=(n, n))


def crossings(R: Any, n: int, width: int = 6) -> int:
    """Positive edges of a `ring` across the seam: its winding number and a constant."""
    return sum(int(R[i, j] > 0) for i in range(n - width, n) for j in range(width) if R[i, j])


def cactus(n_hubs: int, size: int, n_squares: int) -> tuple[Any, list[tuple[int, int]]]:
    """Directed rings of ``size`` nodes, a tail of 4-cycles at every node, the end of one the start
    of the next ring; with an edge of each ring."""
    cycles: list[list[int]] = []
    side = [0]

    def cycle(first: int, n: int) -> list[int]:
        nodes = [first, *range(len(side), len(side) + n - 1)]
        for before in nodes[:-1]:
            side.append(1 - side[before])
        cycles.append(nodes)
        return nodes

    end, hubs = 0, []
    for _ in range(n_hubs):
        hubs.append(cycle(end, size))
        for end in hubs[-1]:
            for _ in range(n_squares):
                end = cycle(end, 4)[2]
    sides = np.array(side)
    number = np.where(sides == 0, np.cumsum(sides == 0), np.cumsum(sides)) - 1

    def cell(a: int, b: int) -> tuple[int, int]:
        left, right = (a, b) if side[a] == 0 else (b, a)
        return int(number[left]), int(number[right])

    W = scipy.sparse.dok_array((int((sides == 0).sum()), int(sides.sum())))
    for nodes in cycles:
        for a, b in itertools.pairwise([*nodes, nodes[0]]):
            W[cell(a, b)] = 1 if side[a] == 0 else -1
    return W.tocsr(), [cell(hub[0], hub[1]) for hub in hubs]


# -- the numbers -------------------------------------------------------------------------------


def assert_windings(W: Matrix) -> None:
    """Around squares they add up to zero; with a(i) + b(j) they span all that do."""
    found = numbers_of(W)
    assert found.n == oracles.windings(W)
    h = np.zeros((found.n, *W.shape))
    h[:, found.left, found.right] = found.h
    for i, k in itertools.combinations(range(W.shape[0]), 2):
        common = np.flatnonzero((W[i] != 0) & (W[k] != 0))
        apart = h[:, i][:, common] - h[:, k][:, common]
        assert np.allclose(apart, apart[:, :1])
    i, j = np.nonzero(W)
    trivial = np.concatenate([np.eye(W.shape[0])[:, i], np.eye(W.shape[1])[:, j]])
    rank = np.linalg.matrix_rank(np.concatenate([trivial, h[:, i, j]])) if len(i) else 0
    assert rank == (np.linalg.matrix_rank(trivial) if len(i) else 0) + found.n
    assert [(a, b) for a, b in zip(i[found.edges], j[found.edges], strict=True)] == list(
        zip(found.left, found.right, strict=True)
    )


@my.property_test
@given(my.matrices())
def test_winding_numbers__are_all_there_are(W: Matrix) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_winding_numbers, "LEAST_DEPTH", 0)
        assert_windings(np.asarray(W, dtype=np.float64))


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("density", [0.3, 0.4, 0.55])
def test_winding_numbers__of_random_edges_are_all_there_are(
    seed: int, density: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_winding_numbers, "LEAST_DEPTH", 0)
    rng = np.random.default_rng(seed)
    assert_windings((rng.random((9, 8)) < density).astype(float))


@pytest.mark.parametrize(
    "W", [band(30), band(7, 3), torus(8)[0], cactus(2, 12, 1)[0].toarray()], ids=str
)
def test_winding_numbers__of_long_graphs(W: Matrix, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_winding_numbers, "LEAST_DEPTH", 0)
    assert_windings(W)


def test_winding_numbers__around_the_longest_cycles_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_winding_numbers, "LEAST_DEPTH", 0)
    monkeypatch.setattr(_winding_numbers, "MOST_WINDINGS", 2)
    W = np.zeros((29, 29))
    for first, n in ((0, 4), (4, 10), (14, 3), (17, 12)):  # rings of 2 n nodes
        at = first + np.arange(n)
        W[at, at], W[at, first + (np.arange(n) + 1) % n] = 1, -1
    found = numbers_of(W)
    assert found.n == 2
    assert {4 <= i < 14 or i >= 17 for i in found.left} == {True}


def test_winding_numbers__of_shallow_or_huge_components_are_not_looked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert numbers_of(band(30)).n == 1
    assert numbers_of(band(7)).n == 0
    monkeypatch.setattr(_winding_numbers, "MOST_EDGES", 100)
    assert numbers_of(band(30)).n == 0


def test_winding_numbers__of_a_torus_are_those_counted_by_hand() -> None:
    W, rightward = torus(10)
    numbers = numbers_of(W)
    assert numbers.n == 2
    h = np.zeros((2, *W.shape))
    h[:, numbers.left, numbers.right] = numbers.h
    by_hand, found = [], []
    for draw in bipnet.ensemble(W, "G", 30, rng=1):
        by_hand.append([1.0, windings_of_torus(draw, rightward)])
        found.append([1.0, *(h * (draw > 0)).sum(axis=(1, 2))])
    # The number by hand is a combination of those found and of a constant.
    _, residuals, rank, _ = np.linalg.lstsq(np.array(found), np.array(by_hand), rcond=None)
    assert rank == 3
    assert np.allclose(residuals, 0)


# -- the ends of their range -------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(10))
def test_extreme_patterns__are_the_least_and_the_greatest_of_all(seed: int) -> None:
    rng = np.random.default_rng(seed)
    W = np.where(rng.random((5, 5)) < 0.8, rng.choice([-1.0, 1.0], size=(5, 5)), 0)
    costs = rng.integers(-3, 4, size=W.shape).astype(float)
    i, j = np.nonzero(W)
    sums = [
        sum(costs[cell] for cell, sign in pattern.items() if sign > 0)
        for pattern in oracles.sign_patterns(W)
    ]
    ends = extreme_patterns(i, j, (W[i, j] > 0).astype(np.uint8), costs[i, j])
    assert [float(costs[i, j] @ end) for end in ends] == [min(sums), max(sums)]
    for end in ends:
        R = np.zeros(W.shape)
        R[i, j] = np.where(end, 1, -1)
        assert ((R > 0).sum(axis=0) == (W > 0).sum(axis=0)).all()
        assert ((R > 0).sum(axis=1) == (W > 0).sum(axis=1)).all()


# -- the criterion -----------------------------------------------------------------------------


def test_meeting__needs_all_starts_at_one_level() -> None:
    rng = np.random.default_rng(0)
    t = np.arange(513)
    noise = rng.normal(size=(3, 4, 513))
    decay = np.exp(-t / 5)
    close = [20 * decay + noise[0], -20 * decay + noise[1], noise[2]]
    found = meeting(close, 1)
    assert found.steady
    assert 5 <= found.after <= 25
    assert 3 <= found.relaxation <= 10
    assert not meeting([close[0] + 1, *close[1:]], 1).steady
    assert not meeting([20 * np.exp(-t / 2000) + noise[0], *close[1:]], 1).steady


def test_meeting__of_what_stands_still_tells_stuck_from_rare() -> None:
    still = np.full((2, 129), 7.0)
    arrived = np.where(np.arange(129) < 9, 3.0, 7.0)[None].repeat(2, axis=0)
    assert meeting([still, arrived, still], 1).steady
    assert meeting([still, arrived, still], 1).after == 9
    assert not meeting([still, still + 1, still], 1).steady


def test_with_last_fold__sees_a_decay_that_slows_down() -> None:
    t = np.arange(1025)
    rng = np.random.default_rng(0)
    noise = 0.01 * rng.normal(size=(8, 1025))
    plain = np.exp(-t / 8) + noise
    slowing = np.exp(-t / 8) + 0.1 * np.exp(-t / 60) + noise
    for trace, low, high in ((plain, 6, 14), (slowing, 45, 90)):
        assert low <= with_last_fold(settling(trace), trace).relaxation <= high


# -- what chains of loops show -----------------------------------------------------------------


@pytest.mark.parametrize("density", [0.3, 0.008], ids=["bits", "list"])
def test_loop_chains__show_signs_and_overlaps(density: float) -> None:
    rng = np.random.default_rng(3)
    n_left, n_right = (90, 70) if density > 0.1 else (600, 500)
    signs = np.where(
        rng.random((n_left, n_right)) < density, rng.choice([-1, 1], size=(n_left, n_right)), 0
    )
    W = scipy.sparse.csr_array(signs.astype(np.float32))
    matrix, _ = open_matrix(W)
    rows = packed_rows(matrix, 1)
    free = free_part(matrix, rows)
    moving = free.of(rows)
    chain = loop_chain(matrix, moving, free, moving.positive, keys_of_pilot(0), 1)
    assert is_packed(matrix) == (density > 0.1)
    before = EdgeSigns(matrix, moving, moving.positive)
    chain.run(0, 4)
    after = EdgeSigns(matrix, moving, chain.positive())
    left, right = before.left.astype(np.int64), before.right.astype(np.int64)
    assert np.array_equal(chain.positive_at(left, right), after.positive != 0)
    common = (before.positive & after.positive) != 0
    assert 0 < common.sum() < np.count_nonzero(before.positive)
    assert chain.overlap() == common.sum()
    for is_left, nodes, n in ((True, left, n_left), (False, right, n_right)):
        assert np.array_equal(chain.line_edges(is_left), np.bincount(nodes, minlength=n))
        overlaps = np.bincount(nodes[common], minlength=n)
        assert np.array_equal(chain.line_overlaps(is_left), overlaps)


# -- the pilot ---------------------------------------------------------------------------------


def piloted(W: Any) -> Pilot:
    matrix, _ = open_matrix(W)
    return pilot(matrix, packed_rows(matrix, 1), "trade", 1)


@pytest.mark.parametrize("pack", [np.asarray, scipy.sparse.csr_array], ids=["dense", "csr"])
def test_draws__of_a_long_thin_ring_do_not_remember_how_often_it_winds(
    pack: Callable[[Any], Any],
) -> None:
    n, n_draws = 600, 60

    def law(sign: int, loops: int | None = None) -> list[int]:
        W = pack(ring(n, sign=sign).toarray())
        return [crossings(R, n) for R in bipnet.ensemble(W, "G", n_draws, rng=1, loops=loops)]

    assert piloted(pack(ring(n).toarray())).n_windings == 1
    up, down = law(1), law(-1)
    assert set(up) == set(down) == {7, 8}  # of 3 at one end, 12 at the other
    table = [[sample.count(7), sample.count(8)] for sample in (up, down)]
    assert scipy.stats.fisher_exact(table).pvalue > FALSE_ALARM
    few = [[sample.count(7), sample.count(8)] for sample in (law(1, 2 * n), law(-1, 2 * n))]
    assert scipy.stats.fisher_exact(few).pvalue < FALSE_ALARM


def test_draws__of_a_cactus_do_not_remember_any_of_its_rings() -> None:
    W, hubs = cactus(6, 20, 4)
    n_draws = 300

    def kept(loops: int | None = None) -> float:
        draws = bipnet.ensemble(W, "G", n_draws, rng=1, loops=loops)
        return float(np.mean([[np.sign(R[c]) == np.sign(W[c]) for c in hubs] for R in draws]))

    assert piloted(W).n_windings == 6
    error = 0.5 / np.sqrt(n_draws * len(hubs))
    assert abs(kept() - 0.5) < 4 * error  # a ring is directed one way or the other
    assert kept(2 * sum(W.shape)) - 0.5 > 6 * error


def test_a_ring_that_cannot_forget_is_said_not_to_have_settled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bipnet.nulls._pilot_loops.MOST_STEPS", 64)
    W = ring(1200)
    _pilot._pilots.clear()
    with pytest.warns(bipnet.NotSettledWarning):
        bipnet.randomize(W, "G", rng=1)
    _pilot._pilots.clear()


def banded(n: int, sign: int) -> Matrix:
    """A band, and a left node with edges to all of it, one of them positive, which unwinds it."""
    return np.concatenate([ring(n, sign=sign).toarray(), np.r_[1.0, -np.ones(n - 1)][None]])


def test_loops__see_the_slow_part_of_a_matrix_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    n, n_fast = 600, 1500
    rng = np.random.default_rng(0)
    fast = rng.choice([-1.0, 1.0], size=(n_fast, n_fast))
    i, j = np.nonzero(ring(n).toarray())
    steps = (j - i) % n - 2.5

    def law(sign: int) -> list[float]:
        W = np.zeros((n + 1 + n_fast, n + n_fast), dtype=np.float32)
        W[: n + 1, :n], W[n + 1 :, n:] = banded(n, sign), fast
        draws = bipnet.ensemble(W, "G", 10, rng=1)
        return [float(steps[R[i, j] > 0].sum() / n) for R in draws]

    def apart() -> float:
        """p-value of draws from a band wound one way and the other: -4.5 and 4.5 turns."""
        _pilot._pilots.clear()
        return float(scipy.stats.ks_2samp(law(1), law(-1)).pvalue)

    assert apart() > FALSE_ALARM
    monkeypatch.setattr(_groups, "MOST_GROUPS", 1)
    assert apart() < FALSE_ALARM
    _pilot._pilots.clear()
