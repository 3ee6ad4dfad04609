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
from bipnet_kernels import _lanes, _random, _shuffle, _square, _stream, apart
from bipnet_kernels import swap as _swap
from hypothesis import given
from hypothesis import strategies as st

Words = np.ndarray[Any, Any]
Tables = tuple[Words, Words, Words, Words]

FALSE_ALARM = 1e-4
"""Probability that a chi-square test below fails though the kernel is right."""

WIDTHS = (1, 2, 63, 64, 65, 127, 128, 129, 4200)
MATRICES = my.matrices(orders=("C",))


def key_of(number: int) -> Words:
    """Some 256-bit key."""
    return np.random.default_rng(number).integers(0, 2**64, size=4, dtype=np.uint64)


def word(value: int, dtype: Any) -> Any:
    """A NumPy scalar of a word type."""
    return np.dtype(dtype).type(value)


# -- random numbers ----------------------------------------------------------------------------


def test_drawn__gives_the_published_xoshiro256plusplus_numbers() -> None:
    # Reference output for the state (1, 2, 3, 4), as in the test suite of Rust's rand_xoshiro.
    state = np.array([1, 2, 3, 4], dtype=np.uint64)
    found = [int(_random.drawn(state)) for _ in range(5)]
    wanted = [41943041, 58720359, 3588806011781223, 3591011842654386, 9228616714210784205]
    assert found == wanted


def seeded(key: Words, block: int) -> Words:
    """A single stream."""
    state = np.empty(4, dtype=np.uint64)
    _random.seed(state, key, block)
    return state


def started(key: Words, block: int) -> Words:
    """A buffered stream."""
    stream = bipnet_kernels.new_stream()
    _stream.start(stream, key, block)
    return stream


def test_mixed__gives_the_published_splitmix64_numbers() -> None:
    golden = 0x9E3779B97F4A7C15
    found = [int(_random.mixed(np.uint64(i * golden % 2**64))) for i in (1, 2, 3)]
    assert found == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]


@pytest.mark.parametrize("block", [0, 1, 2**31, 2**62])
def test_drawn__follows_its_twin(block: int) -> None:
    key = key_of(1)
    state, twin = seeded(key, block), oracles.Stream(key.tolist(), block)
    assert state.tolist() == twin.state
    assert [int(_random.drawn(state)) for _ in range(200)] == [twin.word() for _ in range(200)]


@pytest.mark.parametrize(
    "n", [1, 2, 3, 1000, 2**31 - 1, 2**31 + 1, 2**32 - 1, 2**32, 2**32 + 1, 3 * 2**61]
)
def test_below__follows_its_twin(n: int) -> None:
    key = key_of(2)
    state, twin = seeded(key, 0), oracles.Stream(key.tolist(), 0)
    found = [int(_random.below(state, n)) for _ in range(300)]
    assert found == [twin.below(n) for _ in range(300)]
    assert all(0 <= value < n for value in found)


@pytest.mark.parametrize("n", [5, 3 << 30, 3 << 40])
def test_below__is_uniform_where_a_modulo_is_not(n: int) -> None:
    # 2**32 mod (3 * 2**30): a plain remainder would give the first third twice as often.
    state = seeded(key_of(3), 0)
    n_bins = 5 if n == 5 else 3
    counts = Counter(int(_random.below(state, n)) * n_bins // n for _ in range(6000))
    p = scipy.stats.chisquare([counts[i] for i in range(n_bins)]).pvalue
    assert p > FALSE_ALARM
    biased = np.random.default_rng(0).integers(0, 2**32, 6000) % (3 << 30) * 3 // (3 << 30)
    assert scipy.stats.chisquare(np.bincount(biased, minlength=3)).pvalue < FALSE_ALARM


# -- many random numbers at once ---------------------------------------------------------------


@pytest.mark.parametrize("block", [0, 1, 2**41])
def test_buffer__is_filled_by_its_lanes_in_turn(block: int) -> None:
    stream, twin = started(key_of(18), block), oracles.Lanes(key_of(18).tolist(), block)
    for n in (1, 7, 64, 500, 512, 3, 510):
        at = int(_stream.take(stream, n))
        assert stream[at : at + n].tolist() == twin.take(n)


def test_start__leaves_the_state_that_xoshiro_cannot_leave() -> None:
    stream = np.zeros(_stream.STREAM_WORDS, dtype=np.uint64)
    _stream.start(stream, key_of(19), 5)
    lanes = stream[: 4 * _stream.LANES].reshape(4, -1)
    assert (lanes != 0).any(axis=0).all()
    assert len({tuple(state) for state in lanes.T.tolist()}) == _stream.LANES


@pytest.mark.parametrize("n", [1, 2, 3, 1000, 2**31 + 1, 3 << 30, 2**32 - 1])
def test_next_below__follows_its_twin(n: int) -> None:
    stream, twin = started(key_of(20), 1), oracles.Lanes(key_of(20).tolist(), 1)
    found = [int(_stream.next_below(stream, n)) for _ in range(600)]
    assert found == [twin.below(n) for _ in range(600)]
    assert all(0 <= value < n for value in found)


@pytest.mark.parametrize("first", [1, 2, 1000, 2**31 + 1, 3 << 30, 2**32 - 1025])
def test_pick__follows_its_twin(first: int) -> None:
    # Numbers near 2**32 and 3 * 2**30 are redrawn often.
    stream, twin = started(key_of(21), 2), oracles.Lanes(key_of(21).tolist(), 2)
    picks = bipnet_kernels.new_picks()
    for n in (1, 2, 3, 64, 1023, 1024, 5, *[50] * 45, *[31] * 70):  # up to the end of the buffer
        _stream.pick(stream, picks, first, n)
        assert picks[:n].tolist() == twin.picks(first, n)


def test_pick__is_uniform_where_multiplication_alone_is_not() -> None:
    stream, picks = started(key_of(22), 0), bipnet_kernels.new_picks()
    counts = np.zeros(3)
    for _ in range(40):
        _stream.pick(stream, picks, (3 << 30) - 512, 1024)
        counts += np.bincount(picks[:1024] // (1 << 30), minlength=3)[:3]
    assert scipy.stats.chisquare(counts).pvalue > FALSE_ALARM
    halves = np.random.default_rng(0).integers(0, 2**32, 40960).astype(np.uint64)
    remainders = np.bincount((halves % np.uint64(3 << 30)) >> np.uint64(30), minlength=3)
    assert scipy.stats.chisquare(remainders).pvalue < FALSE_ALARM


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 64, 1024, 1025, 1026, 3000])
def test_shuffle__follows_its_twin(n: int, in_place: bool) -> None:
    source = np.arange(1, n + 8, dtype=np.uint16)
    target = source if in_place else np.zeros(n + 8, dtype=np.uint16)
    at = 3 if in_place else 5
    _shuffle.shuffle(source, 3, target, at, n, started(key_of(23), 0), bipnet_kernels.new_picks())
    expected = oracles.Lanes(key_of(23).tolist(), 0).shuffled(list(range(4, n + 4)))
    assert target[at : at + n].tolist() == expected


def test_shuffle__makes_every_order_equally_likely() -> None:
    stream, picks = started(key_of(24), 0), bipnet_kernels.new_picks()
    source, target = np.arange(4, dtype=np.uint8), np.empty(4, dtype=np.uint8)
    counts: Counter[bytes] = Counter()
    for _ in range(6000):
        _shuffle.shuffle(source, 0, target, 0, 4, stream, picks)
        counts[target.tobytes()] += 1
    assert len(counts) == 24
    assert scipy.stats.chisquare(list(counts.values())).pvalue > FALSE_ALARM


# -- segments ----------------------------------------------------------------------------------


def permuted(
    words: Words,
    starts: list[int],
    stops: list[int],
    per_block: int,
    by_sign: bool,
    masks: tuple[int, int],
    *,
    in_place: bool = False,
    plain: bool | None = None,
) -> tuple[list[int], list[int]]:
    """(words, frozen) of the kernel."""
    nonzero, negative = (word(mask, words.dtype) for mask in masks)
    source = words.copy()
    target = source if in_place else words.copy()
    frozen = np.zeros(2, dtype=np.int64)
    longest = max((b - a for a, b in zip(starts, stops, strict=True)), default=0)
    bipnet_kernels.permute_segments(
        source,
        target,
        np.array(starts, dtype=np.int64),
        np.array(stops, dtype=np.int64),
        per_block,
        7,
        bool((words & nonzero).all()) if plain is None else plain,
        by_sign,
        nonzero,
        negative,
        key_of(4),
        bipnet_kernels.new_stream(),
        bipnet_kernels.new_picks(),
        bipnet_kernels.new_scratch(longest, words.dtype),
        frozen,
    )
    return target.tolist(), frozen.tolist()


@pytest.mark.parametrize("by_sign", [False, True], ids=["together", "by_sign"])
@my.each_dtype
def test_permute_segments__follows_its_twin(dtype: Any, by_sign: bool) -> None:
    @my.property_test
    @given(
        my.matrices(dtypes=(dtype,), orders=("C",)),
        st.integers(1, 4),
        st.lists(st.integers(0, 64), max_size=6),
        st.booleans(),
    )
    def check(W: my.Matrix, per_block: int, cuts: list[int], in_place: bool) -> None:
        words, nonzero, negative = oracles.words_of(W)
        bounds = [0, *sorted(min(cut, len(words)) for cut in cuts), len(words)]
        starts, stops = bounds[:-1], bounds[1:]
        expected = oracles.permute_segments(
            words, starts, stops, per_block, 7, by_sign, nonzero, negative, key_of(4).tolist()
        )
        array = np.array(words, dtype=f"u{dtype.itemsize}")
        masks = (nonzero, negative)
        assert permuted(array, starts, stops, per_block, by_sign, masks, in_place=in_place) == (
            expected
        )

    check()


@pytest.mark.parametrize("length", [1, 2, 63, 64, 65, 128, 1500])
@pytest.mark.parametrize("by_sign", [False, True])
def test_permute_segments__follows_its_twin_at_word_borders(length: int, by_sign: bool) -> None:
    rng = np.random.default_rng(length)
    words = rng.integers(0, 2**16, 3 * length, dtype=np.uint16)
    words[rng.random(len(words)) < 0.3] = 0x8000  # minus zero is no edge
    starts = [0, length, 2 * length]
    stops = [length, 2 * length, 3 * length]
    masks = (0x7FFF, 0x8000)
    expected = oracles.permute_segments(
        words.tolist(), starts, stops, 2, 7, by_sign, *masks, key_of(4).tolist()
    )
    assert permuted(words, starts, stops, 2, by_sign, masks) == expected
    assert permuted(words, starts, stops, 2, by_sign, masks, plain=False) == expected


@pytest.mark.parametrize("by_sign", [False, True])
@pytest.mark.parametrize("bits", [8, 16, 32, 64])
def test_permute_segments__is_the_same_said_to_be_plain_or_not(bits: int, by_sign: bool) -> None:
    words = np.random.default_rng(3).integers(0, 2**bits, 501, dtype=f"u{bits // 8}")
    words[words << 1 == 0] = 3  # neither zero nor minus zero
    masks = ((1 << (bits - 1)) - 1, 1 << (bits - 1))
    arguments = (words, [0, 200, 500], [200, 500, 501], 1, by_sign, masks)
    assert permuted(*arguments, plain=True) == permuted(*arguments, plain=False)


def test_permute_segments__writes_between_its_bounds_only() -> None:
    words = np.arange(1, 101, dtype=np.uint16)
    found, _ = permuted(words, [10, 40], [40, 90], 1, False, (0xFFFF, 0))
    assert found[:10] == words[:10].tolist()
    assert found[90:] == words[90:].tolist()
    assert sorted(found[10:40]) == words[10:40].tolist()
    assert found[10:90] != words[10:90].tolist()


def in_lines(shape: tuple[int, ...], dtype: Any) -> Words:
    """Zeros that begin with a cache line."""
    size = np.dtype(dtype).itemsize * math.prod(shape)
    memory = np.zeros(size + 64, dtype=np.uint8)
    first = -memory.ctypes.data % 64
    return memory[first : first + size].view(dtype).reshape(shape)


def some_words(n: int, dtype: Any) -> Words:
    return np.random.default_rng(n).integers(0, np.iinfo(dtype).max, n, dtype, endpoint=True)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64])
@pytest.mark.parametrize("turn", [_square.turn_square, _square.stream_square])
def test_square__is_turned_and_nothing_beside_it_touched(turn: Any, dtype: Any) -> None:
    source, target = some_words(200, dtype), in_lines((8 * 24 + 8,), dtype)
    target[:] = some_words(len(target), dtype)[::-1]
    expected = target.copy()
    block = source[3 : 3 + 8 * 23].reshape(8, 23)[:, :8]
    expected[8:].reshape(8, 24)[:, :8] = block.T
    places = [np.uint64(place) for place in (3, 23, 8, 24)]
    turn(source, *places[:2], target, *places[2:])
    _square.end_stream()
    assert np.array_equal(target, expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64])
@pytest.mark.parametrize("past_caches", [False, True])
@pytest.mark.parametrize(
    "shape", [(1, 1), (7, 3), (8, 8), (9, 32), (40, 8), (64, 16), (65, 24), (203, 8), (72, 40)]
)
def test_columns__are_read_and_written_back(
    shape: tuple[int, int], dtype: Any, past_caches: bool
) -> None:
    past_caches &= shape[1] % 8 == 0
    words = some_words(math.prod(shape), dtype)
    matrix = words.reshape(shape)
    first = shape[1] // 16 * 8
    n = shape[1] - first
    step = shape[0] + 16
    tile = np.full(n * step, 77, dtype=dtype)
    range_ = np.array([9, 11], dtype=dtype)
    mask = dtype(0x3F)
    bipnet_kernels.read_columns(words, *shape, first, n, tile, step, mask, range_)
    columns = tile.reshape(n, step)
    assert np.array_equal(columns[:, : shape[0]], matrix[:, first:].T)
    assert (columns[:, shape[0] :] == 77).all()
    seen = [9, 11, *(matrix[:, first:] & mask).reshape(-1).tolist()]
    assert range_.tolist() == [min(seen), max(seen)]
    again = np.full(n * step, 77, dtype=dtype)
    none = np.empty(0, dtype=dtype)
    bipnet_kernels.read_columns(words, *shape, first, n, again, step, mask, none)
    assert np.array_equal(again, tile)
    back = in_lines(shape, dtype)
    bipnet_kernels.write_columns(tile, step, *shape, first, n, back.reshape(-1), past_caches)
    assert np.array_equal(back[:, first:], matrix[:, first:])
    assert not back[:, :first].any()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64])
def test_widen_range__sees_its_words_alone_and_those_masked(dtype: Any) -> None:
    words = some_words(300, dtype)
    mask = dtype(np.iinfo(dtype).max >> 1)
    for start, n in ((0, 300), (7, 1), (3, 200), (299, 1), (5, 0)):
        range_ = np.array([mask, 0], dtype=dtype)
        bipnet_kernels.widen_range(words, start, n, mask, range_)
        seen = [int(mask), 0, *(words[start : start + n] & mask).tolist()]
        assert range_.tolist() == [min(seen[:1] + seen[2:]), max(seen[1:])]


def test_sort_by_column__is_a_stable_sort() -> None:
    columns = np.random.default_rng(1).integers(0, 9, 200)
    columns[columns == 4] = 5  # a column without edges
    starts, order = np.zeros(10, dtype=np.int64), np.empty(200, dtype=np.int64)
    bipnet_kernels.sort_by_column(columns, starts, order)
    assert order.tolist() == np.argsort(columns, kind="stable").tolist()
    assert np.diff(starts).tolist() == np.bincount(columns, minlength=9).tolist()


# -- buckets -----------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 4095, 4096, 4097, 10000])
@pytest.mark.parametrize("n_bits", [0, 1, 5, 8])
def test_deal__gives_the_labels_it_has_counted(n: int, n_bits: int) -> None:
    labels = oracles.Lanes(key_of(25).tolist(), 9).labels(n, n_bits)
    stream = bipnet_kernels.new_stream()
    counts = np.zeros(1 << n_bits, dtype=np.int64)
    bipnet_kernels.count_labels(n, n_bits, key_of(25), 9, stream, counts)
    assert counts.tolist() == [labels.count(label) for label in range(1 << n_bits)]
    words = np.arange(n + 3, dtype=np.uint16)
    places = np.cumsum(counts) - counts
    pools = np.full(n, 7, dtype=np.uint16)
    bipnet_kernels.deal(words, 3, n, n_bits, key_of(25), 9, stream, places, pools)
    order = sorted(range(n), key=lambda k: labels[k])
    assert pools.tolist() == [k + 3 for k in order]
    assert places.tolist() == np.cumsum(counts).tolist()


def test_shuffle_buckets__gives_each_bucket_its_own_stream() -> None:
    pools = np.arange(30, dtype=np.uint32)
    stream, picks = bipnet_kernels.new_stream(), bipnet_kernels.new_picks()
    bounds = np.array([2, 12, 12, 25])
    bipnet_kernels.shuffle_buckets(pools, bounds, 4, key_of(26), stream, picks)
    twins = [oracles.Lanes(key_of(26).tolist(), block) for block in (4, 6)]
    expected = [0, 1, *twins[0].shuffled(list(range(2, 12)))]
    expected += [*twins[1].shuffled(list(range(12, 25))), *range(25, 30)]
    assert pools.tolist() == expected


@my.property_test
@given(MATRICES)
def test_rows__are_packed_listed_and_handed_out(W: my.Matrix) -> None:
    words, nonzero, negative = oracles.words_of(W)
    array = np.array(words, dtype=f"u{W.dtype.itemsize}")
    masks = (word(nonzero, array.dtype), word(negative, array.dtype))
    n_left, n_right = W.shape
    per_row = -(-n_right // 64)
    starts = np.arange(n_left) * n_right
    stops, first_words = starts + n_right, np.arange(n_left) * per_row
    rows = (starts, stops, first_words)
    positive, some = (np.zeros(n_left * per_row, dtype=np.uint64) for _ in range(2))
    bipnet_kernels.pack_rows(array, *rows, *masks, positive, some)
    cells = oracles.edges(W)
    plus = [cell for cell in cells if oracles.sign(W[cell]) > 0]
    for bits, wanted in ((some, cells), (positive, plus)):
        for i in range(n_left):
            line = bits[i * per_row : (i + 1) * per_row].tolist()
            assert oracles.set_bits(line) == [j for at, j in wanted if at == i]
    # Listed, and packed again.
    left, right, flags = (np.zeros(len(cells), dtype=t) for t in (np.int32, np.int32, np.uint8))
    none = np.empty(0, dtype=np.int32)
    bipnet_kernels.list_edges(7, *rows, some, positive, none, left, right, flags)
    left -= 7
    assert list(zip(left.tolist(), right.tolist(), strict=True)) == cells
    assert flags.tolist() == [cell in plus for cell in cells]
    again = np.zeros_like(positive)
    bipnet_kernels.pack_flags(*rows, some, flags, again)
    assert again.tolist() == positive.tolist()
    # Put together by sign, and handed out again.
    weights = [array[i * n_right + j] for i, j in plus]
    weights += [array[i * n_right + j] for i, j in cells if (i, j) not in plus]
    pools = np.zeros(len(cells) + 1, dtype=array.dtype)
    bipnet_kernels.gather(array, *rows, some, positive, 0, len(plus), pools)
    assert pools[:-1].tolist() == weights
    target = np.full_like(array, 99)
    bipnet_kernels.hand_out(array, *rows, some, positive, 0, len(plus), pools, target)
    assert target.tolist() == words


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64])
@pytest.mark.parametrize("density", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("spare", [False, True])
@pytest.mark.parametrize("count", [1, 7, 8, 9, 16, 17, 31, 32, 33, 63, 64])
def test_cells__are_taken_apart_and_put_back_and_nothing_beside_them_touched(
    count: int, spare: bool, density: float, dtype: Any
) -> None:
    rng = np.random.default_rng([count, round(10 * density)])
    words = some_words(count + 4, dtype)
    edges = (rng.random(count) < density).tolist()
    plus = [edge and bool(rng.random() < 0.5) for edge in edges]
    cells = words[2:-2].tolist()
    positive = [word for word, one in zip(cells, plus, strict=True) if one]
    negative = [word for word, e, p in zip(cells, edges, plus, strict=True) if e and not p]
    room = _lanes.MOST_LANES if spare else 2  # behind each pool
    front, back = 3, 3 + len(positive) + room
    pools = some_words(back + len(negative) + room + 1, dtype)[::-1].copy()
    expected = pools.tolist()
    expected[front : front + len(positive)] = positive
    expected[back : back + len(negative)] = negative
    some, ones = (np.uint64(sum(1 << k for k, one in enumerate(b) if one)) for b in (edges, plus))
    n, ends = np.uint64(count), (np.uint64(front), np.uint64(back))
    moved = (front + len(positive), back + len(negative))
    taken = apart.take_apart(words, np.uint64(2), n, some, ones, pools, *ends, spare)
    assert taken == moved
    assert pools[:front].tolist() == expected[:front]
    if spare:
        assert pools[front : moved[0]].tolist() == positive
        assert pools[back : moved[1]].tolist() == negative
    else:
        assert pools[:-1].tolist() == expected[:-1]  # the last one is nobody's

    target = some_words(count + 4, dtype)[::-1].copy()
    wanted = [*target[:2].tolist(), *cells, *target[-2:].tolist()]
    given = apart.put_back(pools, *ends, some, ones, words, target, np.uint64(2), n)
    assert given == moved
    assert target.tolist() == wanted


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 64), (63, 65), (64, 64), (65, 128), (200, 3), (130, 70)]
)
def test_transpose_bits__is_a_transpose(shape: tuple[int, int]) -> None:
    flags = np.random.default_rng(sum(shape)).random(shape) < 0.4
    rows, expected = (
        np.array(
            [oracles.packed(np.nonzero(line)[0].tolist(), -(-m.shape[1] // 64)) for line in m],
            dtype=np.uint64,
        )
        for m in (flags, flags.T)
    )
    columns = np.full_like(expected, 5)
    block = np.empty(64, dtype=np.uint64)
    n_blocks = expected.shape[1]
    for first, stop in ((0, 1), (1, n_blocks)):
        bipnet_kernels.transpose_bits(rows, first, stop, columns, block)
    assert columns.tolist() == expected.tolist()


def test_bits__are_scattered_to_cells_and_collected_again() -> None:
    rng = np.random.default_rng(2)
    columns = [np.flatnonzero(rng.random(200) < share) for share in (0.5, 0.0, 0.9, 0.1)]
    bounds = np.cumsum([0, *map(len, columns)])
    n_words = [-(-len(line) // 64) for line in columns]
    rows = (bounds[:-1], bounds[1:], np.cumsum([0, *n_words[:-1]]), np.concatenate(columns))
    chosen = [np.flatnonzero(rng.random(len(line)) < 0.5) for line in columns]
    bits = np.array(
        [
            word
            for places, n in zip(chosen, n_words, strict=True)
            for word in oracles.packed(places.tolist(), n)
        ],
        dtype=np.uint64,
    )
    cells = np.zeros((4, 4), dtype=np.uint64)
    for _ in range(2):  # what is there already is overwritten
        bipnet_kernels.scatter_bits(*rows, bits, cells)
        for line, places, found in zip(columns, chosen, cells.tolist(), strict=True):
            assert oracles.set_bits(found) == line[places].tolist()
        again = np.full_like(bits, 5)
        bipnet_kernels.collect_bits(*rows, cells, again)
        assert again.tolist() == bits.tolist()
        for line, found in zip(columns, cells, strict=True):
            found[:] = oracles.packed(line.tolist(), 4)


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
        stream, twin = started(key_of(8), k), oracles.Lanes(key_of(8).tolist(), k)
        bipnet_kernels.draw_subset(pool, size, k, chosen, stream)
        assert chosen.tolist() == oracles.draw_subset(pool.tolist(), k, twin)
        # It used as many random numbers, too.
        assert int(stream[int(_stream.take(stream, 1))]) == twin.word()
        assert len(oracles.set_bits(chosen.tolist())) == k


def subset_counts(pool: Words, size: int, k: int, n: int, marked: list[int]) -> Counter[Any]:
    """How often each subset of the marked bits was chosen in ``n`` draws."""
    state = started(key_of(9), 0)
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


def traded(lines: Words, support: Words, first: int, n_rounds: int, key: int) -> int:
    """Run rounds in place; return the bits moved."""
    moved = bipnet_kernels.trade_rounds(
        lines,
        support,
        np.arange(len(lines)),
        np.array([0, len(lines)]),
        first,
        n_rounds,
        key_of(key + 100),
        key_of(key),
        bipnet_kernels.new_stream(),
        np.empty((2, lines.shape[1]), dtype=np.uint64),
        np.empty(len(lines), dtype=np.int64),
    )
    return int(moved)


@pytest.mark.parametrize("n_lines", [1, 2, 3, 6, 7])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("masked", [False, True], ids=["full", "masked"])
def test_trade_rounds__follows_its_twin(n_lines: int, width: int, masked: bool) -> None:
    lines = random_lines(n_lines, width, 0.4, seed=1)
    support = random_lines(n_lines, width, 0.8, seed=2) if masked else np.zeros((0, 0), np.uint64)
    if masked:
        lines &= support
    expected, n_moved = oracles.trade_rounds(
        lines.tolist(),
        support.tolist() if masked else None,
        3,
        4,
        key_of(110).tolist(),
        key_of(10).tolist(),
    )
    before = lines.copy()
    moved = traded(lines, support, 3, 4, 10)
    assert lines.tolist() == expected
    assert moved == n_moved
    assert width < 63 or n_lines == 1 or not np.array_equal(lines, before)


def test_trade_rounds__keeps_degrees_of_both_sides_and_the_padding() -> None:
    lines = random_lines(9, 129, 0.5, seed=3)
    before = [oracles.set_bits(line) for line in lines.tolist()]
    traded(lines, np.zeros((0, 0), np.uint64), 0, 20, 11)
    after = [oracles.set_bits(line) for line in lines.tolist()]
    assert [len(line) for line in before] == [len(line) for line in after]
    assert Counter(itertools.chain(*before)) == Counter(itertools.chain(*after))
    assert before != after


def test_trade_rounds__gives_the_same_in_any_batches() -> None:
    whole, parts = random_lines(5, 100, 0.5, seed=4), random_lines(5, 100, 0.5, seed=4)
    full = np.zeros((0, 0), np.uint64)
    moved = traded(whole, full, 0, 7, 12)
    in_parts = [traded(parts, full, first, n, 12) for first, n in ((0, 1), (1, 4), (5, 2))]
    assert whole.tolist() == parts.tolist()
    assert moved == sum(in_parts)


def test_pair_lines__pairs_lines_of_the_same_group_alone() -> None:
    groups = [[4], [0, 7, 2], [1, 3], [5, 6, 8, 9, 11]]
    members = np.concatenate(groups)
    bounds = np.cumsum([0, *map(len, groups)])
    order = np.empty(len(members), dtype=np.int64)
    group_of = {line: g for g, group in enumerate(groups) for line in group}
    seen = Counter[tuple[int, ...]]()
    for r in range(3000):
        n_pairs = bipnet_kernels.pair_lines(members, bounds, order, r, key_of(128), key_of(0))
        assert n_pairs == 1 + 1 + 2
        pairs = [tuple(sorted(order[2 * i : 2 * i + 2].tolist())) for i in range(n_pairs)]
        assert all(group_of[a] == group_of[b] for a, b in pairs)
        assert len(set(itertools.chain(*pairs))) == 2 * n_pairs
        seen.update(pairs)
    # Every pair of a group of m is equally likely: floor(m / 2) of m (m - 1) / 2 in a round.
    assert seen[1, 3] == 3000
    for group, n in ((groups[1], 1000), (groups[3], 600)):
        counts = [seen[pair] for pair in itertools.combinations(sorted(group), 2)]
        assert abs(np.array(counts) - n).max() < 5 * math.sqrt(n)


def test_trade_blocks__are_streams_of_their_own() -> None:
    # Wide lines, two pairs to a block: blocks in any order give what the whole round gives.
    width = 64 * (1 << 13)
    whole = random_lines(9, width, 0.5, seed=5)
    parts, twin = whole.copy(), whole.copy()
    full = np.zeros((0, 0), np.uint64)
    assert bipnet_kernels.pairs_per_block(whole.shape[1]) == 2
    moved = traded(whole, full, 3, 1, 27)
    order = np.empty(9, dtype=np.int64)
    stream = bipnet_kernels.new_stream()
    n_pairs = bipnet_kernels.pair_lines(
        np.arange(9), np.array([0, 9]), order, 3, key_of(127), stream
    )
    assert n_pairs == 4
    scratch = np.empty((2, parts.shape[1]), dtype=np.uint64)
    for block in (1, 0):
        moved -= int(
            bipnet_kernels.trade_block(
                parts, full, order, n_pairs, 3, block, key_of(27), stream, scratch
            )
        )
    assert np.array_equal(parts, whole)
    assert moved == 0
    assert bipnet_kernels.common_bits(whole, twin) < np.bitwise_count(whole).sum()


def test_common_bits__counts_bits_set_in_both() -> None:
    one, other = (random_lines(5, 200, 0.5, seed=s) for s in (6, 7))
    n = sum(
        len(set(oracles.set_bits(a)) & set(oracles.set_bits(b)))
        for a, b in zip(one.tolist(), other.tolist(), strict=True)
    )
    assert bipnet_kernels.common_bits(one, other) == n > 0


# -- loops -------------------------------------------------------------------------------------


def loop_tables(left: Words, right: Words, positive: Words, n_nodes: int) -> Tables:
    """(starts, incident, place, out), filled by the kernel."""
    counts = np.bincount(left, minlength=n_nodes) + np.bincount(right, minlength=n_nodes)
    starts = np.concatenate([[0], np.cumsum(counts)])
    incident = np.full(2 * len(left), -1)
    place = np.full(2 * len(left), -1)
    filled = np.zeros(n_nodes, dtype=np.int64)
    middle = len(left) // 2
    for first, stop in ((0, middle), (middle, len(left))):
        bipnet_kernels.list_ends(
            left, right, positive, first, stop, True, starts, filled, incident, place
        )
    out = filled.copy()
    bipnet_kernels.list_ends(
        left, right, positive, 0, len(left), False, starts, filled, incident, place
    )
    assert filled.tolist() == counts.tolist()
    return starts, incident, place, out


def looped(
    left: Words,
    right: Words,
    positive: Words,
    tables: Tables,
    first: int,
    n: int,
    key: int,
    long_share: float = 0,
    longest: int | None = None,
) -> int:
    """Run streams of loops in place; return how often an edge was turned."""
    n_nodes = len(tables[3])
    most = (n_nodes if longest is None else longest) + 1
    seen, path, nodes = np.full(n_nodes, -1), np.empty(most, int), np.empty(most, int)
    stream = bipnet_kernels.new_stream()
    work = (key_of(key), stream, seen, path, nodes)
    long_below = np.full(n_nodes, int(long_share * 2**32))
    flipped = bipnet_kernels.loop_streams(
        left, right, positive, *tables, long_below, first, n, *work
    )
    assert (seen == -1).all()
    return int(flipped)


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
def test_list_ends__lists_out_edges_first(W: my.Matrix) -> None:
    cells = oracles.edges(W)
    left = np.array([i for i, _ in cells], dtype=np.int64)
    right = np.array([j + W.shape[0] for _, j in cells], dtype=np.int64)
    positive = np.array([W[cell] > 0 for cell in cells], dtype=np.uint8)
    tables = loop_tables(left, right, positive, sum(W.shape))
    assert_tables_agree(left, right, positive, tables)


LONG_SHARES = pytest.mark.parametrize(
    ("long_share", "longest"), [(0, None), (0.5, 100), (1, 1000), (1, 12)]
)
"""Chances of a long loop, and edges per node after which it is given up (in some cases often)."""


@LONG_SHARES
@pytest.mark.parametrize(
    ("shape", "density"), [((3, 3), 1.0), ((3, 3), 0.7), ((4, 7), 0.6), ((20, 11), 0.3)]
)
def test_loop_streams__follows_its_twin(
    shape: tuple[int, int], density: float, long_share: float, longest: int | None
) -> None:
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
        [int(long_share * 2**32)] * n_nodes,
        n_nodes if longest is None else max(longest, n_nodes),
        2,
        3,
        key_of(13).tolist(),
        bipnet_kernels.LOOPS_PER_STREAM,
    )
    tables = loop_tables(left, right, positive, n_nodes)
    most = None if longest is None else max(longest, n_nodes)
    flipped = looped(left, right, positive, tables, 2, 3, 13, long_share, most)
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
        flipped = sum(looped(left, right, positive, tables, first, n, 14) for first, n in batches)
        results.append((positive.tolist(), flipped))
    assert results[0] == results[1]


def test_loop_streams__changes_nothing_where_no_cycle_is_directed() -> None:
    # A path: left 0 - right 2 - left 1 - right 3; every walk dies.
    left, right = np.array([0, 1, 1]), np.array([2, 2, 3])
    positive = np.array([1, 0, 1], dtype=np.uint8)
    tables = loop_tables(left, right, positive, 4)
    for long_share in (0, 1):
        assert looped(left, right, positive, tables, 0, 1, 15, long_share) == 0
        assert positive.tolist() == [1, 0, 1]


@pytest.mark.parametrize("share", [0.01, 0.1, 0.13, 0.5, 1.0])
@pytest.mark.parametrize("width", WIDTHS)
def test_random_bit__follows_its_twin_at_word_borders(width: int, share: float) -> None:
    line = random_lines(1, width, share, seed=width)[0]
    line[-1] |= np.uint64(1 << ((width - 1) % 64))  # the last place counts
    n_set = len(oracles.set_bits(line.tolist()))
    stream, twin = started(key_of(17), width), oracles.Lanes(key_of(17).tolist(), width)
    for _ in range(40):
        found = bipnet_kernels.random_bit(line, width, n_set, stream)
        assert found == oracles.random_bit(line.tolist(), width, twin)


@pytest.mark.parametrize("n_set", [1, 7, 24, 25, 90])
def test_random_bit__chooses_all_set_bits_equally_often(n_set: int) -> None:
    width, n = 200, 8000
    places = np.sort(np.random.default_rng(n_set).permutation(width)[:n_set])
    line = np.array(oracles.packed(places.tolist(), 4), dtype=np.uint64)
    stream = started(key_of(18), n_set)
    counts = Counter(bipnet_kernels.random_bit(line, width, n_set, stream) for _ in range(n))
    assert set(counts) == set(places.tolist())
    if n_set > 1:
        assert scipy.stats.chisquare(list(counts.values())).pvalue > FALSE_ALARM


def bit_lines(flags: Words) -> Words:
    """Flags (n, m) as lines of bits (n, words) uint64."""
    n_words = -(-flags.shape[1] // 64)
    rows = [oracles.packed(np.flatnonzero(line).tolist(), n_words) for line in flags]
    return np.array(rows, dtype=np.uint64)


def bit_looped(
    cells: Words,
    batches: list[tuple[int, int]],
    index: Any,
    long_share: float = 0,
    longest: int | None = None,
) -> tuple[Words, int]:
    """(cells, edges turned) after batches (first, n) of streams of loops."""
    n_left, n_right = cells.shape
    ahead, back = bit_lines(cells > 0), bit_lines(cells.T < 0)
    out = np.concatenate([(cells > 0).sum(axis=1), (cells < 0).sum(axis=0)]).astype(index)
    alive = np.concatenate(
        [np.flatnonzero(cells.any(axis=1)), n_left + np.flatnonzero(cells.any(axis=0))]
    )
    n_nodes = n_left + n_right
    most = (n_nodes if longest is None else longest) + 1
    seen, path = np.full(n_nodes, -1, index), np.empty(most, index)
    tables = ahead, back, out, alive.astype(index), np.full(n_nodes, int(long_share * 2**32))
    work = key_of(19), bipnet_kernels.new_stream(), seen, path
    flipped = sum(int(bipnet_kernels.bit_loop_streams(*tables, *batch, *work)) for batch in batches)
    assert (seen == -1).all()
    positive = [oracles.set_bits(line) for line in ahead.tolist()]
    negative = [oracles.set_bits(line) for line in back.tolist()]
    result = np.zeros_like(cells)
    for i, places in enumerate(positive):
        result[i, places] = 1
    for j, places in enumerate(negative):
        assert not result[places, j].any()  # no edge has two directions
        result[places, j] = -1
    assert np.array_equal(result != 0, cells != 0)
    return result, flipped


@LONG_SHARES
@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize(
    ("shape", "density"),
    [
        ((4, 4), 1.0),
        ((6, 5), 0.9),
        ((5, 7), 0.9),
        ((20, 11), 0.4),
        ((9, 130), 0.3),
        ((65, 64), 0.1),
    ],
)
def test_bit_loop_streams__follows_its_twin(
    shape: tuple[int, int], density: float, index: Any, long_share: float, longest: int | None
) -> None:
    rng = np.random.default_rng(sum(shape))
    cells = np.where(rng.random(shape) < 0.5, 1, -1)
    cells[rng.random(shape) >= density] = 0
    cells[0] = 0  # a node without edges, at which no walk begins
    n_nodes = sum(shape)
    most = n_nodes if longest is None else max(longest, n_nodes)
    expected = oracles.bit_loop_streams(
        cells,
        [int(long_share * 2**32)] * n_nodes,
        most,
        2,
        3,
        key_of(19).tolist(),
        bipnet_kernels.LOOPS_PER_STREAM,
    )
    for batches in ([(2, 3)], [(2, 1), (3, 2)]):
        found, flipped = bit_looped(cells, batches, index, long_share, most)
        assert np.array_equal(found, expected[0])
        assert flipped == expected[1] > 0


def test_bit_loop_streams__changes_nothing_where_no_cycle_is_directed() -> None:
    cells = np.array([[1, 0], [-1, 1]])
    for long_share in (0, 1):
        found, flipped = bit_looped(cells, [(0, 1)], np.int32, long_share)
        assert flipped == 0
        assert np.array_equal(found, cells)


# -- swaps -------------------------------------------------------------------------------------


def assert_swaps_follow_their_twin(
    cells: Words, ends_type: Any, first: int, n_attempts: int, key: int
) -> None:
    """Cells are 1, 0 (negative) or 2 (no edge)."""
    left, right = np.nonzero(cells == 1)
    expected, ends, n_accepted = oracles.swap_attempts(
        cells.tolist(),
        left.tolist(),
        right.tolist(),
        first,
        n_attempts,
        key_of(key).tolist(),
        bipnet_kernels.ATTEMPTS_PER_STREAM,
    )
    negative, half = bit_lines(cells == 0), 4 * np.dtype(ends_type).itemsize
    words = (left << half | right).astype(ends_type)
    scratch = np.empty(bipnet_kernels.SWAP_SCRATCH, dtype=np.uint64)
    stream = bipnet_kernels.new_stream()
    accepted = bipnet_kernels.swap_attempts(
        negative, words, first, n_attempts, key_of(key), stream, scratch
    )
    assert accepted == n_accepted
    assert words.tolist() == [i << half | j for i, j in zip(left.tolist(), ends, strict=True)]
    wanted = [[j for j, cell in enumerate(row) if cell == 0] for row in expected]
    assert [oracles.set_bits(line) for line in negative.tolist()] == wanted


@pytest.mark.parametrize("fetched", [False, True], ids=["in cache", "fetched"])
@pytest.mark.parametrize("ends_type", [np.uint32, np.uint64])
@pytest.mark.parametrize("density", [1.0, 0.7], ids=["full", "missing edges"])
@pytest.mark.parametrize("shape", [(2, 2), (3, 5), (6, 4), (1, 5), (9, 65)])
def test_swap_attempts__follows_its_twin(
    shape: tuple[int, int], density: float, ends_type: Any, fetched: bool
) -> None:
    rng = np.random.default_rng(sum(shape))
    cells = (rng.random(shape) < 0.5).astype(np.uint8)
    cells[rng.random(shape) >= density] = 2
    cells[0, 0] = 1
    if fetched:  # so many positive edges that the kernel fetches their memory first
        pad = [(0, 400 - n) for n in shape]
        cells = np.pad(cells, pad, constant_values=1)
        assert (cells == 1).sum() > _swap._IN_CACHE
    assert_swaps_follow_their_twin(cells, ends_type, 4, 1500, 16)


def test_swap_attempts__changes_streams_where_its_twin_does() -> None:
    cells = np.array([[1, 0, 1], [0, 1, 0], [0, 0, 1]], dtype=np.uint8)
    n_attempts = bipnet_kernels.ATTEMPTS_PER_STREAM + 100
    assert_swaps_follow_their_twin(cells, np.uint32, 0, n_attempts, 17)


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
                loops = 256 if name == "gaps" and not row.exact else None
                for T in (W, W.T):
                    R = bipnet.randomize(
                        T.astype(dtype), row.letter, rng=7, method=method, steps=steps, loops=loops
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


@pytest.mark.skipif(
    os.environ.get("NUMBA_DISABLE_JIT", "0") != "0", reason="both sides would be plain Python"
)
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
