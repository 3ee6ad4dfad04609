"""Many draws against the exact law over every reachable matrix, by chi-square.

All seeds are fixed. `FALSE_ALARM` is the probability with which one of these tests would fail
for a correct library, had its seed been chosen at random.
"""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from random import Random
from typing import Any

import numpy as np
import oracles
import pytest
import scipy.stats
import strategies as my

import bipnet

pytestmark = pytest.mark.filterwarnings("ignore::bipnet.FrozenWarning")

FALSE_ALARM = 1e-4
SEED = 20240229
DRAWS_PER_STATE = 40

Draw = Callable[[int], Hashable]

MATRICES: dict[str, Any] = {
    "dense": [[1, 2, -1], [3, -1, 1]],
    "dense square, ties": [[1, 1, -2], [1, -1, -1], [-2, -1, 3]],
    "missing edges": [[1, 0, -2, 1], [0, -1, 1, -3], [2, 0, 0, 0]],
    # Not chordal bipartite: 2x2 moves alone do not connect these.
    "hexagon": [[0, 1, -2], [-1, 0, 3], [1, -1, 0]],
    "octagon": [[1, -1, 0, 0], [0, 1, -1, 0], [0, 0, 1, -1], [-1, 0, 0, 1]],
    "empty diagonal 4x4": [[0, 1, -1, -1], [-1, 0, 1, -1], [-1, -1, 0, 1], [1, -1, -1, 0]],
    "two hexagons": np.kron(np.eye(2), [[0, 1, -1], [-1, 0, 1], [1, -1, 0]]),
    "hexagon with a tail": [[0, 1, -1, 2], [-1, 0, 1, 0], [1, -1, 0, -2]],
    "a hexagon that drains into a block": [
        [1, 0, -1, 1, 1],
        [-1, 1, 0, 1, 1],
        [0, -1, 1, 1, 1],
        [-1, -1, -1, 1, -1],
        [-1, -1, -1, -1, 1],
    ],
    "a square beside a block": [
        [1, -1, 1, 1, 1],
        [-1, 1, 1, 1, 1],
        [-1, -1, 1, -1, 1],
        [-1, -1, -1, 1, -1],
        [-1, -1, 1, 1, -1],
    ],
    "a hexagon among few": np.pad([[0, 1, -2], [-1, 0, 3], [1, -1, 0]], ((0, 17), (17, 0))),
    # Signs alone: every pattern is one state.
    "margins 2 1 1": [[1, 1, -1], [1, -1, -1], [-1, -1, 1]],
    "margins 4 1 1": [[1, 1, 1, 1, -1], [-1, -1, -1, -1, 1], [-1, -1, 1, -1, -1]],
    "dead ends": [[-1, 1, 1, 1], [1, -1, -1, -1], [0, -1, -1, 0]],
    "permutations": [[1, -1, -1, -1], [-1, 1, -1, -1], [-1, -1, 1, -1], [-1, -1, -1, 1]],
    "wide": [[1, 1, 1, -1, -1, -1], [1, -1, -1, -1, -1, 1]],
}
CASES = [
    *itertools.product("BCDEF", ["dense", "dense square, ties", "missing edges", "hexagon"]),
    *itertools.product("A", ["dense", "hexagon"]),
    *itertools.product("G", MATRICES),
]
CASES_WITH_METHODS = [
    (null, method, case) for null, case in CASES for method in bipnet.NULL_MODELS[null].methods
]


@functools.cache
def matrix(case: str) -> my.Matrix:
    """One of `MATRICES`."""
    return np.array(MATRICES[case], dtype=np.float64)


@functools.cache
def law(case: str, null: str) -> oracles.Law:
    """Its exact law under a null model."""
    return oracles.law(matrix(case), null)


def assert_follows(expected: Mapping[Any, Any], draw: Draw, n: int | None = None) -> None:
    """Chi-square of ``draw(0)``, ``draw(1)``, ... against a law over all possible outcomes."""
    n = n or max(2000, DRAWS_PER_STATE * len(expected))
    counts = Counter(draw(i) for i in range(n))
    assert set(counts) <= set(expected), "an outcome that cannot be"
    assert set(counts) == set(expected), "an outcome that never came"
    if len(expected) == 1:
        return
    observed = [counts[state] for state in expected]
    wanted = [float(p) * n for p in expected.values()]
    assert min(wanted) >= 5, "too few draws for a chi-square test"
    p_value = scipy.stats.chisquare(observed, wanted).pvalue
    assert p_value > FALSE_ALARM, f"p = {p_value:.2g}"


def uniform(states: Any) -> dict[Any, float]:
    """Every state equally likely."""
    states = list(states)
    return dict.fromkeys(states, 1 / len(states))


# -- bipnet ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("null", "method", "case"), CASES_WITH_METHODS)
def test_randomize__follows_the_exact_law(null: str, method: str, case: str) -> None:
    W = matrix(case)

    def draw(i: int) -> bytes:
        return bipnet.randomize(W, null, rng=SEED, index=i, method=method).tobytes()

    assert_follows(law(case, null), draw)


@pytest.mark.parametrize("case", ["hexagon", "octagon", "two hexagons"])
@pytest.mark.parametrize("method", bipnet.NULL_MODELS["G"].methods)
def test_randomize__g_reaches_patterns_no_2x2_move_leads_to(method: str, case: str) -> None:
    W = matrix(case)
    n, states = 400, [tuple(p.values()) for p in oracles.sign_patterns(W)]
    at = tuple(zip(*oracles.edges(W), strict=True))
    counts = Counter(
        tuple(np.sign(bipnet.randomize(W, "G", rng=SEED, index=i, method=method)[at]).astype(int))
        for i in range(n)
    )
    assert set(counts) == set(states)
    assert len(states) == (4 if case == "two hexagons" else 2)
    for state in states:
        p = scipy.stats.binomtest(counts[state], n, 1 / len(states)).pvalue
        assert p > FALSE_ALARM


@pytest.mark.parametrize("method", bipnet.NULL_MODELS["G"].methods)
@pytest.mark.parametrize("case", ["margins 4 1 1", "permutations", "wide", "dead ends"])
def test_randomize__g_leaves_the_uniform_law_unchanged_at_each_step(method: str, case: str) -> None:
    # One step from every state in turn: no run is long enough to hide a lopsided step.
    starts = [np.frombuffer(state).reshape(matrix(case).shape) for state in law(case, "G")]

    def draw(i: int) -> bytes:
        W = starts[i % len(starts)]
        return bipnet.randomize(W, "G", rng=SEED + 1, index=i, method=method, steps=1).tobytes()

    assert_follows(law(case, "G"), draw, n=len(starts) * max(DRAWS_PER_STATE, 2000 // len(starts)))


@pytest.mark.parametrize("null", ["A", "B", "C", "D"])
def test_randomize__a_weight_is_as_likely_on_the_diagonal_as_elsewhere(null: str) -> None:
    W = np.array([[9.0, 1, 1], [1, 1, 1], [1, 1, 1]])
    cells = {"C": [(0, j) for j in range(3)], "D": [(i, 0) for i in range(3)]}.get(
        null, list(itertools.product(range(3), repeat=2))
    )

    def draw(i: int) -> tuple[int, int]:
        R = bipnet.randomize(W, null, rng=SEED, index=i)
        row, column = divmod(int(np.argmax(R)), 3)
        return row, column

    assert_follows(uniform(cells), draw)


@pytest.mark.parametrize("method", bipnet.NULL_MODELS["G"].methods)
def test_randomize__a_positive_edge_of_g_is_as_likely_on_the_diagonal(method: str) -> None:
    W = -np.ones((4, 4))
    W[0, 1] = W[1, 0] = W[2, 3] = W[3, 2] = 1  # none on the diagonal to begin with

    def draw(i: int) -> int:
        R = bipnet.randomize(W, "G", rng=SEED, index=i, method=method)
        return int(np.argmax(R[i % 4] > 0)) - i % 4

    offsets = Counter(j - i for i in range(4) for j in range(4))
    assert_follows({offset: n / 16 for offset, n in offsets.items()}, draw, n=4000)


@pytest.mark.parametrize("vary", ["index", "name", "rng", "seed sequence"])
def test_randomize__draws_are_independent_of_each_other(vary: str) -> None:
    W = np.array([[1.0, 2.0, 3.0]])
    parent = np.random.SeedSequence(SEED).spawn(4000)
    options: dict[str, Callable[[int], dict[str, Any]]] = {
        "index": lambda i: {"rng": SEED, "index": i},
        "name": lambda i: {"rng": SEED, "name": f"layer {i}"},
        "rng": lambda i: {"rng": i},
        "seed sequence": lambda i: {"rng": parent[i]},
    }
    option = options[vary]

    def draw(i: int) -> bytes:
        two = (bipnet.randomize(W, "A", **option(2 * i + at)).tobytes() for at in range(2))
        return b"".join(two)

    states = [np.array(p).tobytes() for p in itertools.permutations([1.0, 2.0, 3.0])]
    assert_follows(uniform(a + b for a, b in itertools.product(states, states)), draw)


def test_randomize__null_models_of_one_seed_are_independent_of_each_other() -> None:
    W = np.array([[1.0, 2.0, 3.0]])

    def draw(i: int) -> bytes:
        two = (bipnet.randomize(W, null, rng=SEED, index=i).tobytes() for null in "AC")
        return b"".join(two)

    states = [np.array(p).tobytes() for p in itertools.permutations([1.0, 2.0, 3.0])]
    assert_follows(uniform(a + b for a, b in itertools.product(states, states)), draw)


def test_randomize__rows_of_one_draw_are_independent_of_each_other() -> None:
    W = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
    expected = oracles.law(W, "C")
    assert len(expected) == 36
    assert_follows(expected, lambda i: bipnet.randomize(W, "C", rng=SEED, index=i).tobytes())


# -- the twins pass the same test --------------------------------------------------------------


@pytest.mark.parametrize("null", list("ABCDEFG"))
def test_oracle__follows_the_exact_law(null: str) -> None:
    W, rng = matrix("missing edges"), np.random.default_rng(SEED)
    assert_follows(law("missing edges", null), lambda i: oracles.randomize(W, null, rng).tobytes())


def test_oracle__loop_walk_leaves_the_uniform_law_unchanged_at_each_step() -> None:
    W, rng = matrix("empty diagonal 4x4"), np.random.default_rng(SEED)
    states = list(law("empty diagonal 4x4", "G"))

    def draw(i: int) -> bytes:
        start = np.frombuffer(states[i % len(states)]).reshape(W.shape)
        return oracles.randomize(start, "G", rng, walk=1).tobytes()

    assert_follows(law("empty diagonal 4x4", "G"), draw, n=400 * len(states))


# -- negative controls: the same test notices a biased kernel ----------------------------------


def lopsided_shuffle(rng: np.random.Generator) -> bytes:
    """Swaps every place with a place among *all*, not among those still open."""
    items = np.arange(4.0)
    for i in range(4):
        j = int(rng.integers(4))
        items[[i, j]] = items[[j, i]]
    return items.tobytes()


def shuffle_by_remainder(rng: np.random.Generator) -> bytes:
    """Fisher-Yates with bounded integers made by a remainder (here of 3 bits)."""
    items = np.arange(4.0)
    for i in (3, 2, 1):
        j = int(rng.integers(8)) % (i + 1)
        items[[i, j]] = items[[j, i]]
    return items.tobytes()


def sattolo_shuffle(rng: np.random.Generator) -> bytes:
    """Fisher-Yates that is off by one: no item may stay where it is."""
    items = np.arange(4.0)
    for i in (3, 2, 1):
        j = int(rng.integers(i))
        items[[i, j]] = items[[j, i]]
    return items.tobytes()


@pytest.mark.parametrize("biased", [lopsided_shuffle, shuffle_by_remainder, sattolo_shuffle])
def test_assert_follows__notices_a_biased_shuffle(
    biased: Callable[[np.random.Generator], bytes],
) -> None:
    rng = np.random.default_rng(SEED)
    expected = uniform(np.array(p, float).tobytes() for p in itertools.permutations(range(4)))
    assert_follows(expected, lambda i: rng.permutation(np.arange(4.0)).tobytes())
    with pytest.raises(AssertionError, match=r"p = |never came"):
        assert_follows(expected, lambda i: biased(rng))


_KEY = 10  # place of the key among the arguments of `permute_segments`


def lopsided_kernel(source: Any, target: Any, *rest: Any) -> None:
    """Stands in for the kernel of A: swaps each place with any, not with one still open."""
    rng = np.random.default_rng(rest[_KEY - 2])
    target[...] = source
    n = len(target)
    for i in range(n):
        j = int(rng.integers(n))
        target[[i, j]] = target[[j, i]]


def right_kernel(source: Any, target: Any, *rest: Any) -> None:
    """The same stand-in without the fault."""
    target[...] = np.random.default_rng(rest[_KEY - 2]).permutation(source)


def test_assert_follows__notices_a_biased_kernel_behind_randomize(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = law("dense", "A")

    def draw(i: int) -> bytes:
        return bipnet.randomize(matrix("dense"), "A", rng=SEED, index=i).tobytes()

    monkeypatch.setattr("bipnet_kernels.permute_segments", right_kernel)
    assert_follows(expected, draw)
    monkeypatch.setattr("bipnet_kernels.permute_segments", lopsided_kernel)
    with pytest.raises(AssertionError, match="p = "):
        assert_follows(expected, draw)


def swap_once(R: my.Matrix, random: Random) -> bool:
    """Attempt one 2x2 checkerboard swap of signs, in place."""
    i, k = random.sample(range(R.shape[0]), 2)
    j, m = random.sample(range(R.shape[1]), 2)
    if R[i, j] > 0 and R[k, m] > 0 and R[i, m] < 0 and R[k, j] < 0:
        R[[i, k, i, k], [j, m, m, j]] *= -1
        return True
    return False


def counting_attempts(R: my.Matrix, random: Random) -> None:
    """The right rule: refused swaps count as steps."""
    for _ in range(20):
        swap_once(R, random)


def counting_successes(R: my.Matrix, random: Random) -> None:
    """The wrong rule: stop after so many successful swaps."""
    successes = 0
    while successes < 4:
        successes += swap_once(R, random)


def retrying_each_swap(R: my.Matrix, random: Random) -> None:
    """The wrong rule in another dress: a step retries until its swap succeeds."""
    for _ in range(random.choice([3, 4])):
        while not swap_once(R, random):
            pass


def sparing_the_diagonal(R: my.Matrix, random: Random) -> None:
    """Takes equal indices on both sides for a self-loop."""
    for _ in range(20):
        before = R.copy()
        swap_once(R, random)
        if (np.diag(R) > np.diag(before)).any():
            R[...] = before


def walking_loops(R: my.Matrix, random: Random) -> None:
    """The right rule: a walk into a dead end counts as a step."""
    R[...] = oracles.randomize(R, "G", np.random.default_rng(random.getrandbits(64)), walk=6)


def retrying_each_loop(R: my.Matrix, random: Random) -> None:
    """The wrong rule: walk again until a loop closes."""
    for _ in range(random.choice([2, 3])):
        before = R.copy()
        while np.array_equal(R, before):
            rng = np.random.default_rng(random.getrandbits(64))
            R[...] = oracles.randomize(before, "G", rng, walk=1)


Walk = Callable[[my.Matrix, Random], None]


@pytest.mark.parametrize(
    ("right", "wrong", "case"),
    [
        (counting_attempts, counting_successes, "margins 4 1 1"),
        (counting_attempts, retrying_each_swap, "margins 4 1 1"),
        (counting_attempts, sparing_the_diagonal, "margins 4 1 1"),
        (walking_loops, retrying_each_loop, "dead ends"),
    ],
)
def test_assert_follows__notices_a_biased_walk(right: Walk, wrong: Walk, case: str) -> None:
    expected = law(case, "G")
    random = Random(SEED)

    def ends_of(walk: Walk) -> Draw:
        def draw(i: int) -> bytes:
            # From every state in turn: a right walk leaves the uniform law as it is.
            state = list(expected)[i % len(expected)]
            R = np.frombuffer(state).reshape(matrix(case).shape).copy()
            walk(R, random)
            return R.tobytes()

        return draw

    n = 300 * len(expected)
    assert_follows(expected, ends_of(right), n)
    with pytest.raises(AssertionError, match="p = "):
        assert_follows(expected, ends_of(wrong), n)


def test_assert_follows__notices_2x2_moves_alone_on_a_hexagon() -> None:
    W, random = np.sign(matrix("hexagon")), Random(SEED)
    expected = oracles.law(W, "G")
    assert len(expected) == 2

    def draw(i: int) -> bytes:
        R = W.copy()
        counting_attempts(R, random)
        return R.tobytes()

    with pytest.raises(AssertionError, match="never came"):
        assert_follows(expected, draw, n=100)
