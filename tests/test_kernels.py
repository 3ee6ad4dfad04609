"""Every kernel against its naive twin: the same stream must give the same bits."""

from __future__ import annotations

import itertools
import json
import math
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import bipnet_kernels
import numpy as np
import oracles
import pytest
import scipy.stats
import strategies as my
from bipnet_kernels import _random
from hypothesis import given
from hypothesis import strategies as st

Words = np.ndarray[Any, Any]
Tables = tuple[Words, Words, Words, Words]

FALSE_ALARM = 1e-4
"""Probability that a chi-square test below fails though the kernel is right."""

WIDTHS = (1, 2, 63, 64, 65, 127, 128, 129)
MATRICES = my.matrices(orders=("C",))


def key_of(number: int) -> Words:
    """Some 256-bit key."""
    return np.random.default_rng(number).integers(0, 2**64, size=4, dtype=np.uint64)


def word(value: int, dtype: Any) -> Any:
    """A NumPy scalar of a word type."""
    return np.dtype(dtype).type(value)


# -- random numbers ----------------------------------------------------------------------------


def test_drawn__gives_the_published_xoshiro256starstar_numbers() -> None:
    # Reference output for the state (1, 2, 3, 4), as in the test suite of Rust's rand_xoshiro.
    state = np.array([1, 2, 3, 4], dtype=np.uint64)
    found = [int(_random.drawn(state)) for _ in range(5)]
    assert found == [11520, 0, 1509978240, 1215971899390074240, 1216172134540287360]


def test_mixed__gives_the_published_splitmix64_numbers() -> None:
    golden = 0x9E3779B97F4A7C15
    found = [int(_random.mixed(np.uint64(i * golden % 2**64))) for i in (1, 2, 3)]
    assert found == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]


@pytest.mark.parametrize("block", [0, 1, 2**31, 2**62])
def test_drawn__follows_its_twin(block: int) -> None:
    key = key_of(1)
    state, twin = _random.seeded(key, block), oracles.Stream(key.tolist(), block)
    assert state.tolist() == twin.state
    assert [int(_random.drawn(state)) for _ in range(200)] == [twin.word() for _ in range(200)]


@pytest.mark.parametrize(
    "n", [1, 2, 3, 1000, 2**31 - 1, 2**31 + 1, 2**32 - 1, 2**32, 2**32 + 1, 3 * 2**61]
)
def test_below__follows_its_twin(n: int) -> None:
    key = key_of(2)
    state, twin = _random.seeded(key, 0), oracles.Stream(key.tolist(), 0)
    found = [int(_random.below(state, n)) for _ in range(300)]
    assert found == [twin.below(n) for _ in range(300)]
    assert all(0 <= value < n for value in found)


@pytest.mark.parametrize("n", [5, 3 << 30, 3 << 40])
def test_below__is_uniform_where_a_modulo_is_not(n: int) -> None:
    # 2**32 mod (3 * 2**30): a plain remainder would give the first third twice as often.
    state = _random.seeded(key_of(3), 0)
    n_bins = 5 if n == 5 else 3
    counts = Counter(int(_random.below(state, n)) * n_bins // n for _ in range(6000))
    p = scipy.stats.chisquare([counts[i] for i in range(n_bins)]).pvalue
    assert p > FALSE_ALARM
    biased = np.random.default_rng(0).integers(0, 2**32, 6000) % (3 << 30) * 3 // (3 << 30)
    assert scipy.stats.chisquare(np.bincount(biased, minlength=3)).pvalue < FALSE_ALARM


# -- permute -----------------------------------------------------------------------------------


@pytest.mark.parametrize("by_sign", [False, True], ids=["together", "by_sign"])
@my.each_dtype
def test_permute_segments__follows_its_twin(dtype: Any, by_sign: bool) -> None:
    @my.property_test
    @given(
        my.matrices(dtypes=(dtype,), orders=("C",)),
        st.integers(0, 5),
        st.lists(st.integers(0, 64), max_size=6),
    )
    def check(W: my.Matrix, first: int, cuts: list[int]) -> None:
        words, nonzero, negative = oracles.words_of(W)
        bounds = [0, *sorted(min(cut, len(words)) for cut in cuts), len(words)]
        expected, alone = oracles.permute_segments(
            words, bounds, first, by_sign, nonzero, negative, key_of(4).tolist()
        )
        found = np.array(words, dtype=f"u{dtype.itemsize}")
        longest = max(b - a for a, b in itertools.pairwise(bounds))
        frozen = np.zeros(2, dtype=np.int64)
        bipnet_kernels.permute_segments(
            found,
            np.array(bounds),
            first,
            by_sign,
            word(nonzero, found.dtype),
            word(negative, found.dtype),
            key_of(4),
            np.empty(longest, dtype=found.dtype),
            frozen,
        )
        assert found.tolist() == expected
        assert frozen.tolist() == alone

    check()


def test_permute_segments__adds_to_the_frozen_edges_it_is_given() -> None:
    frozen = np.array([10, 20])
    words = np.array([1.0, -1.0, 3.0, 0.0], dtype=np.float32).view(np.uint32)
    bipnet_kernels.permute_segments(
        words,
        np.array([0, 1, 2, 4]),
        0,
        False,
        np.uint32(0x7FFFFFFF),
        np.uint32(0x80000000),
        key_of(5),
        np.empty(2, dtype=np.uint32),
        frozen,
    )
    assert frozen.tolist() == [12, 21]


def test_permute_segments__writes_between_its_bounds_only() -> None:
    words = np.arange(1, 101, dtype=np.uint16)
    before = words.copy()
    bipnet_kernels.permute_segments(
        words,
        np.array([10, 40, 90]),
        0,
        False,
        np.uint16(0xFFFF),
        np.uint16(0),
        key_of(6),
        np.empty(50, dtype=np.uint16),
        np.zeros(2, dtype=np.int64),
    )
    assert words[:10].tolist() == before[:10].tolist()
    assert words[90:].tolist() == before[90:].tolist()
    assert sorted(words[10:40].tolist()) == before[10:40].tolist()
    assert words[10:90].tolist() != before[10:90].tolist()


@my.each_dtype
def test_spread_by_sign__follows_its_twin(dtype: Any) -> None:
    @my.property_test
    @given(my.matrices(dtypes=(dtype,), orders=("C",)), st.randoms(use_true_random=False))
    def check(W: my.Matrix, random: Any) -> None:
        words, nonzero, negative = oracles.words_of(W)
        positive = [0 if w & negative else 1 for w in words if w & nonzero]
        random.shuffle(positive)
        expected = oracles.spread_by_sign(words, positive, nonzero, negative, key_of(7).tolist())
        found = np.array(words, dtype=f"u{dtype.itemsize}")
        bipnet_kernels.spread_by_sign(
            found,
            np.array(positive, dtype=np.uint8),
            word(nonzero, found.dtype),
            word(negative, found.dtype),
            key_of(7),
            np.empty_like(found),
        )
        assert found.tolist() == expected

    check()


# -- trades ------------------------------------------------------------------------------------


def random_lines(n_lines: int, width: int, share: float, seed: int) -> Words:
    """Packed lines with independent bits, (n_lines, words) uint64."""
    flags = np.random.default_rng(seed).random((n_lines, width)) < share
    n_words = -(-width // 64)
    rows = [oracles.packed(np.nonzero(line)[0].tolist(), n_words) for line in flags]
    return np.array(rows, dtype=np.uint64)


@pytest.mark.parametrize("share", [0.03, 0.5, 0.97], ids=["few", "half", "most"])
@pytest.mark.parametrize("width", WIDTHS)
def test_draw_subset__follows_its_twin_at_word_borders(width: int, share: float) -> None:
    pool = random_lines(1, width, share, seed=width)[0]
    size = len(oracles.set_bits(pool.tolist()))
    chosen = np.empty_like(pool)
    for k in sorted({0, min(1, size), size // 3, size // 2, max(size - 1, 0), size}):
        state, twin = _random.seeded(key_of(8), k), oracles.Stream(key_of(8).tolist(), k)
        bipnet_kernels.draw_subset(pool, size, k, chosen, state)
        assert chosen.tolist() == oracles.draw_subset(pool.tolist(), k, twin)
        assert state.tolist() == twin.state  # it used as many random numbers, too
        assert len(oracles.set_bits(chosen.tolist())) == k


def subset_counts(pool: Words, size: int, k: int, n: int, marked: list[int]) -> Counter[Any]:
    """How often each subset of the marked bits was chosen in ``n`` draws."""
    state = _random.seeded(key_of(9), 0)
    chosen = np.empty_like(pool)
    counts: Counter[Any] = Counter()
    for _ in range(n):
        bipnet_kernels.draw_subset(pool, size, k, chosen, state)
        found = [int(w) for w in chosen]
        counts[tuple(place for place in marked if found[place // 64] >> (place % 64) & 1)] += 1
    return counts


def subsets_law(size: int, k: int, marked: list[int]) -> dict[tuple[int, ...], float]:
    """Probability of each subset of the marked bits when k of ``size`` are chosen uniformly."""
    return {
        subset: math.comb(size - len(marked), k - m) / math.comb(size, k)
        for m in range(max(0, k - size + len(marked)), min(k, len(marked)) + 1)
        for subset in itertools.combinations(marked, m)
    }


PLACES_LISTED = [0, 1, 5, 62, 63, 64, 65, 100]
PLACES_PACKED = [*range(0, 20, 2), 31, 32, 62, 63, 64, 65, 66, 90, *range(101, 127, 4)]


@pytest.mark.parametrize(
    ("places", "k", "n_marked"),
    [
        (PLACES_LISTED, 1, 8),
        (PLACES_LISTED, 3, 8),
        (PLACES_LISTED, 7, 8),
        (PLACES_PACKED, 1, 25),
        (PLACES_PACKED, 2, 25),
        (PLACES_PACKED, 12, 6),
        (PLACES_PACKED, 17, 6),
        (PLACES_PACKED, 23, 25),
        (PLACES_PACKED, 24, 25),
        (list(range(128)), 1, 128),  # started from no bit at all ...
        (list(range(128)), 127, 128),  # ... and from all of them
    ],
)
def test_draw_subset__chooses_uniformly(places: list[int], k: int, n_marked: int) -> None:
    pool = np.array(oracles.packed(places, 2), dtype=np.uint64)
    marked = [places[at * len(places) // n_marked] for at in range(n_marked)]
    law = subsets_law(len(places), k, marked)
    n = max(4000, 30 * len(law), math.ceil(6 / min(law.values())))
    counts = subset_counts(pool, len(places), k, n, marked)
    assert set(counts) <= set(law)
    observed = [counts[subset] for subset in law]
    expected = [n * p for p in law.values()]
    assert min(expected) >= 5
    assert scipy.stats.chisquare(observed, expected).pvalue > FALSE_ALARM


@pytest.mark.parametrize("n_lines", [1, 2, 3, 6, 7])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("masked", [False, True], ids=["full", "masked"])
def test_trade_rounds__follows_its_twin(n_lines: int, width: int, masked: bool) -> None:
    lines = random_lines(n_lines, width, 0.4, seed=1)
    support = random_lines(n_lines, width, 0.8, seed=2) if masked else np.zeros((0, 0), np.uint64)
    if masked:
        lines &= support
    expected, n_moved = oracles.trade_rounds(
        lines.tolist(), support.tolist() if masked else None, 3, 4, key_of(10).tolist()
    )
    before = lines.copy()
    moved = bipnet_kernels.trade_rounds(lines, support, 3, 4, key_of(10))
    assert lines.tolist() == expected
    assert moved == n_moved
    assert width < 63 or n_lines == 1 or not np.array_equal(lines, before)


def test_trade_rounds__keeps_degrees_of_both_sides_and_the_padding() -> None:
    lines = random_lines(9, 129, 0.5, seed=3)
    before = [oracles.set_bits(line) for line in lines.tolist()]
    bipnet_kernels.trade_rounds(lines, np.zeros((0, 0), np.uint64), 0, 20, key_of(11))
    after = [oracles.set_bits(line) for line in lines.tolist()]
    assert [len(line) for line in before] == [len(line) for line in after]
    assert Counter(itertools.chain(*before)) == Counter(itertools.chain(*after))
    assert before != after


def test_trade_rounds__gives_the_same_in_any_batches() -> None:
    whole, parts = random_lines(5, 100, 0.5, seed=4), random_lines(5, 100, 0.5, seed=4)
    full = np.zeros((0, 0), np.uint64)
    moved = bipnet_kernels.trade_rounds(whole, full, 0, 7, key_of(12))
    in_parts = [
        bipnet_kernels.trade_rounds(parts, full, first, n, key_of(12))
        for first, n in ((0, 1), (1, 4), (5, 2))
    ]
    assert whole.tolist() == parts.tolist()
    assert moved == sum(in_parts)


@pytest.mark.parametrize("width", WIDTHS)
def test_first_tradable_pair__follows_its_twin(width: int) -> None:
    found = []
    for seed in range(20):
        # Nested lines, of which one may be spoilt.
        flags = np.arange(width)[None, :] < np.sort(
            np.random.default_rng(seed).integers(0, width + 1, 5)
        ).reshape(5, 1)
        if seed % 2:
            flags[seed % 5] = np.roll(flags[seed % 5], 1)
        rows = [oracles.packed(np.nonzero(line)[0].tolist(), -(-width // 64)) for line in flags]
        lines, order = np.array(rows, dtype=np.uint64), np.arange(5)
        expected = oracles.first_tradable_pair(rows, order.tolist())
        assert bipnet_kernels.first_tradable_pair(lines, order) == expected
        found.append(expected)
    assert -1 in found
    assert width < 3 or max(found) >= 0


# -- loops -------------------------------------------------------------------------------------


def loop_tables(left: Words, right: Words, positive: Words, n_nodes: int) -> Tables:
    """(starts, incident, place, out), filled by the kernel."""
    counts = np.bincount(left, minlength=n_nodes) + np.bincount(right, minlength=n_nodes)
    starts = np.concatenate([[0], np.cumsum(counts)])
    incident = np.full(2 * len(left), -1)
    place = np.full(2 * len(left), -1)
    out = np.full(n_nodes, -1)
    bipnet_kernels.orient(left, right, positive, starts, incident, place, out)
    return starts, incident, place, out


def assert_tables_agree(left: Words, right: Words, positive: Words, tables: Tables) -> None:
    """Out-edges first at every node, every edge once at both of its ends."""
    starts, incident, place, out = tables
    for node in range(len(out)):
        here = incident[starts[node] : starts[node + 1]].tolist()
        leaving = {
            e
            for e in range(len(left))
            if (left[e] == node and positive[e]) or (right[e] == node and not positive[e])
        }
        touching = {e for e in range(len(left)) if node in (left[e], right[e])}
        assert out[node] == len(leaving)
        assert set(here[: out[node]]) == leaving
        assert set(here) == touching
        assert len(here) == len(touching)
    for e in range(len(left)):
        assert incident[place[2 * e]] == incident[place[2 * e + 1]] == e
        assert starts[left[e]] <= place[2 * e] < starts[left[e] + 1]
        assert starts[right[e]] <= place[2 * e + 1] < starts[right[e] + 1]


@my.property_test
@given(MATRICES)
def test_orient__lists_out_edges_first(W: my.Matrix) -> None:
    cells = oracles.edges(W)
    left = np.array([i for i, _ in cells], dtype=np.int64)
    right = np.array([j + W.shape[0] for _, j in cells], dtype=np.int64)
    positive = np.array([W[cell] > 0 for cell in cells], dtype=np.uint8)
    tables = loop_tables(left, right, positive, sum(W.shape))
    assert_tables_agree(left, right, positive, tables)


@pytest.mark.parametrize(
    ("shape", "density"), [((3, 3), 1.0), ((3, 3), 0.7), ((4, 7), 0.6), ((20, 11), 0.3)]
)
def test_loop_streams__follows_its_twin(shape: tuple[int, int], density: float) -> None:
    rng = np.random.default_rng(sum(shape))
    left, right = np.nonzero(rng.random(shape) < density)
    right = right + shape[0]
    positive = (rng.random(len(left)) < 0.5).astype(np.uint8)
    n_nodes = sum(shape)
    expected, n_flipped = oracles.loop_streams(
        left.tolist(),
        right.tolist(),
        positive.tolist(),
        n_nodes,
        2,
        3,
        key_of(13).tolist(),
        bipnet_kernels.LOOPS_PER_STREAM,
    )
    tables = loop_tables(left, right, positive, n_nodes)
    flipped = bipnet_kernels.loop_streams(left, right, positive, *tables, 2, 3, key_of(13))
    assert positive.tolist() == expected
    assert flipped == n_flipped > 0
    assert_tables_agree(left, right, positive, tables)


def test_loop_streams__gives_the_same_in_any_batches() -> None:
    rng = np.random.default_rng(5)
    left, right = np.nonzero(rng.random((6, 6)) < 0.7)
    right = right + 6
    start = (rng.random(len(left)) < 0.5).astype(np.uint8)
    results = []
    for batches in ([(0, 4)], [(0, 1), (1, 3)]):
        positive = start.copy()
        tables = loop_tables(left, right, positive, 12)
        flipped = sum(
            bipnet_kernels.loop_streams(left, right, positive, *tables, first, n, key_of(14))
            for first, n in batches
        )
        results.append((positive.tolist(), flipped))
    assert results[0] == results[1]


def test_loop_streams__changes_nothing_where_no_cycle_is_directed() -> None:
    # A path: left 0 - right 2 - left 1 - right 3; every walk dies.
    left, right = np.array([0, 1, 1]), np.array([2, 2, 3])
    positive = np.array([1, 0, 1], dtype=np.uint8)
    tables = loop_tables(left, right, positive, 4)
    assert bipnet_kernels.loop_streams(left, right, positive, *tables, 0, 1, key_of(15)) == 0
    assert positive.tolist() == [1, 0, 1]


# -- swaps -------------------------------------------------------------------------------------


@pytest.mark.parametrize("density", [1.0, 0.7], ids=["full", "missing edges"])
@pytest.mark.parametrize("shape", [(2, 2), (3, 5), (6, 4), (1, 5)])
def test_swap_attempts__follows_its_twin(shape: tuple[int, int], density: float) -> None:
    rng = np.random.default_rng(sum(shape))
    cells = (rng.random(shape) < 0.5).astype(np.uint8)
    cells[rng.random(shape) >= density] = bipnet_kernels.NO_EDGE
    cells[0, 0] = 1
    left, right = np.nonzero(cells == 1)
    args = (4, 1500, key_of(16))
    expected, ends, n_accepted = oracles.swap_attempts(
        cells.tolist(),
        left.tolist(),
        right.tolist(),
        args[0],
        args[1],
        args[2].tolist(),
        bipnet_kernels.ATTEMPTS_PER_STREAM,
    )
    assert bipnet_kernels.swap_attempts(cells, left, right, *args) == n_accepted
    assert cells.tolist() == expected
    assert right.tolist() == ends


def test_swap_attempts__changes_streams_where_its_twin_does() -> None:
    n_attempts = bipnet_kernels.ATTEMPTS_PER_STREAM + 100
    cells = np.array([[1, 0, 1], [0, 1, 0], [0, 0, 1]], dtype=np.uint8)
    left, right = np.nonzero(cells == 1)
    expected, ends, n_accepted = oracles.swap_attempts(
        cells.tolist(),
        left.tolist(),
        right.tolist(),
        0,
        n_attempts,
        key_of(17).tolist(),
        bipnet_kernels.ATTEMPTS_PER_STREAM,
    )
    accepted = bipnet_kernels.swap_attempts(cells, left, right, 0, n_attempts, key_of(17))
    assert (cells.tolist(), right.tolist(), accepted) == (expected, ends, n_accepted)


# -- indices -----------------------------------------------------------------------------------


def empty_indices(shape: tuple[int, int]) -> tuple[Words, ...]:
    """Zeros for (degrees left, degrees right, strengths left, strengths right)."""
    return tuple(np.zeros((2, n), dtype=t) for t in (np.int64, np.float64) for n in shape)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_index__rows_and_edges_follow_their_twin(dtype: Any) -> None:
    @my.property_test
    @given(my.matrices(dtypes=(np.dtype(dtype),), orders=("C",)))
    def check(W: my.Matrix) -> None:
        n_left, n_right = shape = (W.shape[0], W.shape[1])
        cells = oracles.edges(W)
        left = np.array([i for i, _ in cells], dtype=np.int64)
        right = np.array([j for _, j in cells], dtype=np.int64)
        values = np.array([W[cell] for cell in cells], dtype=dtype)
        expected = oracles.index_edges(
            left.tolist(), right.tolist(), [float(value) for value in values], shape
        )
        by_edges, by_rows = empty_indices(shape), empty_indices(shape)
        bipnet_kernels.index_edges(left, right, values, *by_edges)
        half = n_left // 2
        bipnet_kernels.index_rows(W[:half], n_right, 0, *by_rows)
        bipnet_kernels.index_rows(W[half:], n_right, half, *by_rows)
        for found in (by_edges, by_rows):
            assert tuple(array.tolist() for array in found) == expected

    check()


# -- compiled and not --------------------------------------------------------------------------

SMALL_DRAWS = """
import warnings, inspect
import numpy as np, scipy.sparse
import bipnet, bipnet_kernels

warnings.simplefilter("error")
warnings.simplefilter("ignore", bipnet.FrozenWarning)
bits = {"compiled": not inspect.isfunction(bipnet_kernels.trade_rounds)}
i, j = np.indices((5, 70))
full = (37 * i + 101 * j + i * j) % 23 - 11
full[full == 0] = 12
gaps = np.where((i + 2 * j) % 3 == 0, 0, full)
for name, W in (("full", full), ("gaps", gaps)):
    for dtype in ("f2", "f4", "f8", "i1", "i8"):
        for row in bipnet.NULL_MODELS.values():
            for method in row.methods:
                steps = None if row.exact else 300 if method == "swap" else 3
                for T in (W, W.T):
                    R = bipnet.randomize(
                        T.astype(dtype), row.letter, rng=7, method=method, steps=steps
                    )
                    label = f"{name} {dtype} {row.letter} {method} {T.shape}"
                    bits[label] = R.tobytes().hex()
    sparse = bipnet.randomize(scipy.sparse.csr_array(W), "F", rng=7)
    bits[f"{name} sparse"] = sparse.data.tobytes().hex()
    for kind in (W, scipy.sparse.csr_array(W.astype(float))):
        graph = bipnet.SignedBipartiteGraph(kind)
        bits[f"{name} index {graph.is_sparse}"] = [
            graph.degrees("left", "+").tolist(), graph.strengths("right", "-").tolist()
        ]
"""


def test_kernels__plain_python_bodies_give_the_bits_of_the_compiled_ones(tmp_path: Path) -> None:
    here: dict[str, Any] = {}
    exec(SMALL_DRAWS, here)  # one text for both sides: they cannot drift apart
    done = subprocess.run(
        [sys.executable, "-c", f"{SMALL_DRAWS}\nimport json\nprint(json.dumps(bits))"],
        cwd=tmp_path,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    plain = json.loads(done.stdout)
    compiled = here["bits"]
    assert compiled.pop("compiled") is True
    assert plain.pop("compiled") is False
    assert plain == compiled
    assert len(set(map(str, compiled.values()))) > len(compiled) // 2


def test_cache_folder__is_named_after_the_sources_and_is_private() -> None:
    folder = bipnet_kernels.cache_folder()
    assert folder is not None
    assert folder.name.startswith("kernels-")
    assert len(folder.name) == len("kernels-") + 16
    assert folder.stat().st_mode & 0o022 == 0
