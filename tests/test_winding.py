"""What winds around a graph, and the long loops that change it."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import numpy as np
import oracles
import pytest
import scipy.stats
import strategies as my
from hypothesis import given

import bipnet
from bipnet._check import open_matrix
from bipnet.nulls import _loops
from bipnet.nulls._cells import cells_of
from bipnet.nulls._pilot import free_part
from bipnet.nulls._rows import packed_rows
from bipnet.nulls._winding import may_wind

FALSE_ALARM = 1e-4
HEXAGON = np.array([[0, 1, -1], [-1, 0, 1], [1, -1, 0]])

Matrix = my.Matrix


def band(q: int, width: int = 4) -> Matrix:
    """Left node i has edges to the right nodes i, i + 1, ... around a ring, signs in turn."""
    W = np.zeros((q, q))
    i = np.arange(q)
    for d in range(width):
        W[i, (i + d) % q] = (-1) ** d
    return W


def windings_of_band(W: Matrix) -> int:
    """How often the positive edges of a band of width 4 run around it, negative ones back."""
    i, j = np.nonzero(W)
    steps = (j - i) % len(W) - 1.5
    return round(float((np.sign(W[i, j]) * steps).sum() / len(W)))


def torus(size: int) -> tuple[Matrix, Matrix]:
    """Square lattice with every edge directed up or to the right, and which run to the right.

    Fields of a chess board are left and right nodes in turn; every node has two edges of each sign.
    """
    n = size * size // 2
    W, rightward = np.zeros((n, n)), np.zeros((n, n))
    for x in range(size):
        for y in range(size):
            for dx, dy in ((1, 0), (0, 1)):
                here, there = (x, y), ((x + dx) % size, (y + dy) % size)
                left, right = (here, there) if sum(here) % 2 == 0 else (there, here)
                cell = tuple((a * size + b) // 2 for a, b in (left, right))
                W[cell] = 1 if left == here else -1
                rightward[cell] = dx * W[cell]
    return W, rightward


def windings_of_torus(W: Matrix, rightward: Matrix) -> int:
    """How many edges more run to the right than to the left, per column."""
    size = round((2 * len(W)) ** 0.5)
    return round(float((np.sign(W) * rightward).sum() / size))


def found(W: Any) -> list[int]:
    """Components that may wind, by the library."""
    matrix, _ = open_matrix(W)
    rows = packed_rows(matrix, 1)
    free = free_part(matrix, rows)
    moving = free.of(rows)
    return may_wind(cells_of(matrix, moving, moving.edges), free.left, free.right).tolist()


def free_edges(W: Matrix) -> Matrix:
    """The edges whose signs can change; 0 elsewhere."""
    certificate = bipnet.certify(W, "G")
    at = np.nonzero(W)
    free = np.zeros(W.shape)
    free[at] = ~certificate.signs.frozen_edges
    return free


@my.property_test
@given(my.matrices())
def test_may_wind__never_misses_a_winding(W: Matrix) -> None:
    if not (W > 0).any() or not (W < 0).any():
        return
    if not found(W):
        assert oracles.windings(free_edges(np.asarray(W, dtype=np.float64))) == 0


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("density", [0.35, 0.5, 0.65])
def test_may_wind__never_misses_a_winding_of_random_edges(seed: int, density: float) -> None:
    rng = np.random.default_rng(seed)
    W = np.where(rng.random((8, 6)) < density, rng.choice([1.0, -1.0], size=(8, 6)), 0)
    windings = oracles.windings(free_edges(W))
    if windings:
        assert found(W)
    elif density == 0.65:
        assert not found(W)


@pytest.mark.parametrize(
    ("W", "n"),
    [
        (HEXAGON, 1),
        (np.kron(np.eye(2), HEXAGON), 2),
        (band(7), 1),
        (band(12), 1),
        (torus(6)[0], 2),
    ],
    ids=["hexagon", "two", "band", "longer band", "torus"],
)
def test_may_wind__finds_what_winds(W: Matrix, n: int) -> None:
    assert found(W)
    assert oracles.windings(W) == n


@pytest.mark.parametrize("shape", [(40, 30), (30, 40), (65, 64), (300, 70)])
@pytest.mark.parametrize("density", [0.4, 0.8, 1.0])
def test_may_wind__sees_that_nothing_winds_around_random_edges(
    shape: tuple[int, int], density: float
) -> None:
    rng = np.random.default_rng(sum(shape))
    assert not found(np.where(rng.random(shape) < density, rng.normal(size=shape), 0))


def test_draws__of_a_small_band_wind_as_often_as_all_patterns_do() -> None:
    W, n = band(6), 600
    rows = [np.array(signs) for signs in set(itertools.permutations([1, 1, -1, -1]))]
    law: Counter[int] = Counter()
    for signs in itertools.product(rows, repeat=6):
        pattern = np.zeros_like(W)
        for i, row in enumerate(signs):
            pattern[i, (i + np.arange(4)) % 6] = row
        if not pattern.sum(axis=0).any():
            law[windings_of_band(pattern)] += 1
    assert sorted(law) == [-4, -2, 0, 2, 4]
    wanted, counts = np.zeros(3), np.zeros(3)
    for windings, states in law.items():  # 4 is too rare to be told from 2
        wanted[1 + np.sign(windings)] += states * n / law.total()
    for R in bipnet.ensemble(W, "G", n, rng=1):
        counts[1 + np.sign(windings_of_band(R))] += 1
    assert scipy.stats.chisquare(counts, wanted).pvalue > FALSE_ALARM


@pytest.mark.parametrize("n", [40, 200])
def test_draws__of_a_long_band_do_not_remember_how_often_it_winds(n: int) -> None:
    W = band(n)
    assert windings_of_band(W) == -2
    # All four-edged nodes with their positive edges at one end: less than one in a thousand.
    assert {windings_of_band(R) for R in bipnet.ensemble(W, "G", 60, rng=1)} == {0}


def test_draws__of_a_torus_do_not_remember_how_often_it_winds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    W, rightward = torus(16)
    around = np.where(rightward != 0, -W, W)  # the other way, but for the edges up and down
    n = 200

    def law(W: Matrix, seed: int, loops: int | None = None) -> list[int]:
        draws = bipnet.ensemble(W, "G", n, rng=seed, loops=loops)
        return [windings_of_torus(R, rightward) for R in draws]

    assert windings_of_torus(W, rightward) == 16
    assert windings_of_torus(around, rightward) == -16
    samples = law(W, 1), law(around, 2), law(W, 3, loops=20000)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        p_value = scipy.stats.ks_2samp(samples[one], samples[other]).pvalue
        assert p_value > FALSE_ALARM
    spread = np.std(samples[2])
    assert abs(np.mean(samples[0])) < 4.5 * spread / np.sqrt(n)
    # Without long loops, two a node as there are at the least, the same test sees the start.
    monkeypatch.setattr(_loops, "_long_below", lambda labels, winding: 0 * labels)
    assert np.mean(law(W, 1, loops=512)) > 4.5 * spread / np.sqrt(n)
