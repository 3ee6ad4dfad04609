"""How long G runs: the criterion on traces whose law is known, and the pilot that applies it."""

from __future__ import annotations

import math
from typing import Any

import bipnet_kernels
import numpy as np
import oracles
import pytest
import scipy.sparse

import bipnet
from bipnet._check import open_matrix
from bipnet.errors import InputError
from bipnet.nulls import _equilibrium, _loops, _pilot
from bipnet.nulls._equilibrium import (
    REMEMBERED,
    exponential_time,
    integrated_time,
    settling,
)
from bipnet.nulls._pilot import Pilot, pilot
from bipnet.nulls._rows import packed_rows

Matrix = np.ndarray[Any, Any]

METHODS = bipnet.NULL_MODELS["G"].methods


def noise(rho: float, shape: tuple[int, int], seed: int) -> Matrix:
    """Stationary AR(1) noise with variance 1 and correlation ``rho`` per step."""
    rng = np.random.default_rng(seed)
    values = np.empty(shape)
    values[:, 0] = rng.normal(size=shape[0])
    for t in range(1, shape[1]):
        fresh = rng.normal(size=shape[0])
        values[:, t] = rho * values[:, t - 1] + math.sqrt(1 - rho**2) * fresh
    return values


def decaying(tau: float, n: int, *, chains: int = 1, spread: float = 0.01, seed: int = 0) -> Matrix:
    """Overlaps that decay from 1 to 0.6 with relaxation time ``tau``, correlated accordingly."""
    t = np.arange(n)
    return 0.6 + 0.4 * np.exp(-t / tau) + spread * noise(math.exp(-1 / tau), (chains, n), seed)


# -- the criterion -----------------------------------------------------------------------------


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_integrated_time__is_that_of_the_process(rho: float) -> None:
    exact = (1 + rho) / (1 - rho)
    found = integrated_time(noise(rho, (4, 4000), seed=1))
    assert 0.8 * exact <= found <= 1.25 * exact


@pytest.mark.parametrize("tau", [0.5, 1.0, 5.0, 40.0])
def test_exponential_time__inverts_the_integrated_time(tau: float) -> None:
    rho = math.exp(-1 / tau)
    assert exponential_time((1 + rho) / (1 - rho)) == pytest.approx(tau)


@pytest.mark.parametrize("tau", [1.0, 3.0, 10.0])
@pytest.mark.parametrize("chains", [1, 8])
def test_settling__finds_level_spread_and_relaxation(tau: float, chains: int) -> None:
    found = settling(decaying(tau, 1024, chains=chains))
    assert found.steady
    assert found.level == pytest.approx(0.6, abs=0.01)
    assert found.spread == pytest.approx(0.01, rel=0.5)
    assert tau / 2 <= found.relaxation <= 2 * tau
    # What is left of the start after so many steps is below the promised part of the spread.
    assert 0.4 * math.exp(-found.steps / tau) <= 20 * REMEMBERED * found.spread


@pytest.mark.parametrize(
    "trace",
    [
        1 - np.arange(257) / 600,  # still falling
        decaying(100.0, 257)[0],  # too slow for what has been seen
        np.where(np.arange(257) < 200, 1.0, 0.6) + noise(0.0, (1, 257), 3)[0] / 100,
        0.6 + noise(0.995, (1, 257), 4)[0] / 100,  # hardly an independent value
    ],
    ids=["falling", "slow", "late jump", "correlated"],
)
def test_settling__is_not_fooled(trace: Matrix) -> None:
    assert not settling([trace]).steady


def test_settling__is_not_reached_by_what_never_moves() -> None:
    found = settling(np.ones((1, 65)))
    assert not found.steady
    assert found.spread == 0


@pytest.mark.parametrize("shape", [(16, 64), (16, 1024), (4, 256)])
def test_settling__of_two_states_takes_few_steps(shape: tuple[int, int]) -> None:
    # Forgotten after one step: the start is hardly further away than the spread.
    rng = np.random.default_rng(11)
    for _ in range(200):
        states = rng.integers(0, 2, shape).astype(float)
        states[:, 0] = 1
        found = settling(states)
        assert found.steps <= 40


# -- the pilot ---------------------------------------------------------------------------------


def signs(shape: tuple[int, int], share: float, density: float = 1.0, seed: int = 0) -> Matrix:
    """Independent signs (and edges)."""
    rng = np.random.default_rng(seed)
    W = np.where(rng.random(shape) < share, 1.0, -1.0)
    return np.where(rng.random(shape) < density, W, 0.0)


def piloted(W: Any, method: str = "trade") -> Pilot:
    matrix, _ = open_matrix(W)
    return pilot(matrix, packed_rows(matrix, 1), method, 1)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("density", [1.0, 0.5], ids=["full", "pruned"])
def test_pilot__depends_on_the_signs_alone(method: str, density: float) -> None:
    W = signs((40, 30), 0.4, density)
    lengths = {
        bipnet.ensemble(X, "G", 1, rng=seed, method=method).steps
        for seed in (1, 2)
        for X in (W, W.astype(np.float16), 3 * W, scipy.sparse.csr_array(W))
    }
    _pilot._pilots.clear()
    lengths.add(bipnet.ensemble(W, "G", 1, rng=3, method=method).steps)
    assert len(lengths) == 1


def test_pilot__is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    W = signs((33, 30), 0.4)
    first = piloted(W)
    monkeypatch.setattr(_pilot, "_run", None)  # not to be called again
    assert piloted(W) is first


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("density", [1.0, 0.5], ids=["full", "pruned"])
def test_pilot__finds_a_length_after_which_nothing_is_remembered(
    method: str, density: float
) -> None:
    W = signs((30, 40), 0.4, density, seed=5)
    n = 300
    start = W > 0

    def overlaps(steps: int | None, loops: int | None) -> Matrix:
        draws = bipnet.ensemble(W, "G", n, rng=9, method=method, steps=steps, loops=loops)
        return np.array([((R > 0) & start).sum() / start.sum() for R in draws])

    found = piloted(W, method)
    assert found.settled
    enough = overlaps(None, None)
    much = overlaps(8 * found.length.steps, 8 * found.length.loops)
    error = math.hypot(enough.std(), much.std()) / math.sqrt(n)
    assert abs(enough.mean() - much.mean()) < 4 * error
    # The same comparison catches a chain that is too short.
    short = overlaps(1, 0)
    assert abs(short.mean() - much.mean()) > 4 * error


def test_pilot__of_a_large_layer_needs_rounds_in_the_tens() -> None:
    found = piloted(signs((784, 64), 0.5, seed=6))
    assert found.settled
    assert 8 <= found.length.steps <= 60
    assert found.length.loops == 0
    assert found.moved > 0.1


def test_pilot__leaves_to_loops_what_trades_cannot_reach() -> None:
    W = np.kron(np.eye(12), [[0, 1, -1], [-1, 0, 1], [1, -1, 0]])
    found = piloted(W)
    assert found.found is not None
    assert not found.found.steady  # but stuck
    assert found.settled
    assert (found.traces == 1).all()  # trades move nothing
    assert found.loop_traces is not None
    assert found.loop_traces[:, -1].mean() < 0.9
    assert found.length.loops >= _loops.LOOPS_PER_NODE * 72


def test_pilot__that_does_not_settle_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    W = signs((31, 30), 0.4, seed=8)
    monkeypatch.setattr(_pilot, "FIRST_STEPS", 4)
    monkeypatch.setattr(_pilot, "MOST_STEPS", 4)
    with pytest.warns(bipnet.NotSettledWarning, match="had not settled after 4 steps"):
        bipnet.randomize(W, "G", rng=1)
    _pilot._pilots.clear()


# -- what the overlap of the whole matrix does not show --------------------------------------------


def lone_negatives(shape: tuple[int, int], k: int) -> Matrix:
    """All positive but for k edges in different rows and columns."""
    W = np.ones(shape)
    W[3 + 2 * np.arange(k), 5 + np.arange(k)] = -1
    return W


def hexagon_that_drains(block: int) -> Matrix:
    """A hexagon from which edges lead into a block that never leads back."""
    n = 3 + block
    W = np.where(np.random.default_rng(1).random((n, n)) < 0.5, 1.0, -1.0)
    W[:3, :3] = [[1, 0, -1], [-1, 1, 0], [0, -1, 1]]
    W[:3, 3:], W[3:, :3] = 1, -1
    return W


def square_beside_a_block(block: int) -> Matrix:
    """A checkerboard of four cut off from random signs."""
    n = 2 + block
    W = np.where(np.random.default_rng(2).random((n, n)) < 0.5, 1.0, -1.0)
    W[:2, :2] = [[1, -1], [-1, 1]]
    W[:2, 2:], W[2:, :2] = 1, -1
    return W


@pytest.mark.filterwarnings("ignore::bipnet.FrozenWarning")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("W", "cell", "share"),
    [
        (lone_negatives((500, 500), 2), (3, 5), 1 / 2),
        (lone_negatives((784, 64), 2), (3, 5), 1 / 2),
        (lone_negatives((500, 500), 10), (3, 5), 1 / 10),
        (square_beside_a_block(20), (0, 1), 1 / 2),
        (square_beside_a_block(254), (0, 1), 1 / 2),
        (hexagon_that_drains(2), (0, 2), 1 / 2),
        (hexagon_that_drains(40), (0, 2), 1 / 2),
    ],
    ids=["two", "two of 784 x 64", "ten", "square", "small square", "hexagon", "small hexagon"],
)
def test_draws__forget_a_small_free_part_beside_a_large_one(
    W: Matrix, cell: tuple[int, int], share: float, method: str
) -> None:
    assert W[cell] == -1
    n = 300
    draws = bipnet.ensemble(W, "G", n, rng=4, method=method)
    kept = sum(R[cell] == -1 for R in draws)
    assert abs(kept - share * n) < 4.5 * math.sqrt(n * share * (1 - share))


def test_draws__of_two_states_are_short() -> None:
    W = np.array([[1.0, -1.0], [-1.0, 1.0]])
    assert bipnet.ensemble(W, "G", 1, rng=0).steps <= 40
    hexagon = np.array([[0, 1.0, -1], [-1, 0, 1], [1, -1, 0]])
    assert bipnet.ensemble(hexagon, "G", 1, rng=0).loops <= 20 * bipnet_kernels.LOOPS_PER_STREAM


SMALL = {
    "pairs in common": [[1, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 1]],
    "4 x 5": [[1, 1, 0, 0, 0], [1, 0, 1, 0, 1], [0, 1, 0, 1, 0], [0, 0, 1, 1, 1]],
    "3 x 3": [[1, 1, 0], [1, 0, 0], [0, 0, 1]],
    "5 x 5": [[1, 1, 1, 1, 0], [1, 1, 1, 0, 0], [1, 1, 0, 1, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 1]],
    "permutations": np.eye(5),
    "two of four": [[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1], [1, 0, 0, 1]],
}


@pytest.mark.parametrize("name", SMALL)
def test_draws__of_small_patterns_have_the_uniform_law_to_a_thousandth(name: str) -> None:
    # The law of a draw of that length, in full: no sampling.
    W = 2.0 * np.asarray(SMALL[name]) - 1
    steps = bipnet.ensemble(W, "G", 1, rng=0).steps
    assert steps is not None
    law, second = oracles.law_of_rounds(W, steps)
    assert second < 1
    remembered = len(law) * sum((p - 1 / len(law)) ** 2 for p in law)  # relative variance
    assert remembered < _equilibrium.REMEMBERED**2
    # A third of the rounds would not do: the test can fail.
    law, _ = oracles.law_of_rounds(W, steps // 3)
    assert len(law) * sum((p - 1 / len(law)) ** 2 for p in law) > _equilibrium.REMEMBERED**2


# -- slow parts --------------------------------------------------------------------------------


def slow_corner(n_fast: int) -> Any:
    """Independent signs, and a corner of 60 x 60 whose few free signs trade slowly."""
    rng = np.random.default_rng(5)
    i, j = np.indices((60, 60))
    corner = np.where(j > i + 3, 1.0, -1.0)
    near = abs(i - j) <= 3
    corner[near] = np.where((i + j)[near] % 2, 1, -1)
    n = n_fast + 60
    W = np.ones((n, n))
    W[n_fast:, :n_fast] = -1
    W[:n_fast, :n_fast] = rng.choice([1, -1], size=(n_fast, n_fast))
    W[n_fast:, n_fast:] = corner
    W[5, n_fast + 30], W[n_fast + 30, 5] = -1, 1  # one component, with what is around it
    return W


@pytest.mark.parametrize("method", METHODS)
def test_slow_lines__are_not_hidden_by_a_fast_majority(method: str) -> None:
    W = slow_corner(200)
    alone, among = piloted(W[200:, 200:], method), piloted(W, method)
    fast = piloted(W[:200, :200], method)
    per_edge = 1 if method == "trade" else 1 / W.size
    corner = alone.length.steps * (1 if method == "trade" else 1 / 3600)
    assert among.settled
    assert fast.length.steps * (1 if method == "trade" else 1 / 40000) < corner / 4
    assert among.length.steps * per_edge > corner / 2


def test_slow_lines__are_drawn_from_equilibrium() -> None:
    W = slow_corner(200)
    kept = []
    for steps in (None, 2000):
        draws = bipnet.ensemble(W, "G", 40, rng=1, steps=steps)
        kept.append([int(((R > 0) & (W > 0))[200:, 200:].sum()) for R in draws])
    short, long = map(np.array, kept)
    error = math.hypot(short.std(), long.std()) / math.sqrt(40)
    assert abs(short.mean() - long.mean()) < 4 * error


def test_alike_lines__take_no_longer_for_being_judged_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = {}
    for most in (1, 8):
        monkeypatch.setattr("bipnet.nulls._groups.MOST_GROUPS", most)
        _pilot._pilots.clear()
        found[most] = [piloted(signs(shape, 0.5)).length.steps for shape in ((784, 64), (300, 200))]
    for plain, grouped in zip(found[1], found[8], strict=True):
        assert plain <= grouped <= 1.5 * plain


def test_one_pattern__has_nothing_to_diagnose() -> None:
    for W in ([[1.0, 2.0], [-1.0, -2.0]], [[1.0, 2.0, -1.0]], np.diag([1.0, -1.0, 2.0])):
        for method in METHODS:
            with pytest.raises(InputError, match="one pattern with these degrees, and nothing mix"):
                bipnet.diagnose(W, method=method)
