"""Which random numbers a draw gets: rng, index, name; ensembles; and the stream itself."""

from __future__ import annotations

import itertools
from typing import Any

import bipnet_kernels
import numpy as np
import oracles
import pytest
import strategies as my

import bipnet
from bipnet import _check, _memory
from bipnet._streams import STREAM_VERSION
from bipnet.nulls import _chains, _loops, _permute

pytestmark = pytest.mark.filterwarnings("ignore::bipnet.FrozenWarning")

W = np.arange(1.0, 41.0).reshape(5, 8) * np.where(np.arange(40).reshape(5, 8) % 3 == 0, -1, 1)


def draw(**options: Any) -> bytes:
    """The bits of one draw."""
    return bipnet.randomize(W, options.pop("null", "A"), **options).tobytes()


# -- rng ---------------------------------------------------------------------------------------


def test_rng__the_same_int_gives_the_same_bits_in_any_dress() -> None:
    wanted = draw(rng=7)
    assert draw(rng=7) == wanted
    assert draw(rng=np.int32(7)) == wanted
    assert draw(rng=np.uint64(7)) == wanted
    assert draw(rng=np.random.SeedSequence(7)) == wanted


def test_rng__different_seeds_give_different_bits() -> None:
    seeds: list[Any] = [
        0,
        1,
        2**32,
        2**64 + 1,
        2**200,
        np.random.SeedSequence(1).spawn(2)[0],
        np.random.SeedSequence(1).spawn(2)[1],
        np.random.SeedSequence([5]),
        np.random.SeedSequence([5, 0]),
        np.random.SeedSequence([0, 5]),
        np.random.SeedSequence(5).spawn(1)[0].spawn(1)[0],
    ]
    assert len({draw(rng=seed) for seed in seeds}) == len(seeds)


def test_rng__an_int_never_shares_the_stream_of_a_list_of_words() -> None:
    # NumPy tells SeedSequence([5]) and SeedSequence(5 + 2**32) apart, and so must we.
    assert draw(rng=np.random.SeedSequence([5])) != draw(rng=5 + 2**32)
    assert draw(rng=np.random.SeedSequence([0, 5])) != draw(rng=5 * 2**32 + 2**64)


def test_rng__a_seed_sequence_is_not_used_up() -> None:
    sequence = np.random.SeedSequence(3)
    assert draw(rng=sequence) == draw(rng=sequence)
    assert sequence.n_children_spawned == 0


def test_rng__a_generator_advances() -> None:
    generator = np.random.default_rng(3)
    first, second = draw(rng=generator), draw(rng=generator)
    assert first != second
    again = np.random.default_rng(3)
    assert [draw(rng=again), draw(rng=again)] == [first, second]


def test_rng__none_is_fresh_every_time() -> None:
    assert draw(rng=None) != draw(rng=None)


def test_rng__none_does_not_read_or_change_numpys_global_state() -> None:
    state = np.random.get_state()
    first = draw(rng=None)
    np.random.set_state(state)
    assert draw(rng=None) != first
    assert str(np.random.get_state()) == str(state)


@pytest.mark.parametrize(
    "rng",
    [-1, True, np.True_, "7", 7.0, [7], np.random.RandomState(7)],
    ids=lambda rng: type(rng).__name__,
)
def test_rng__anything_else_is_refused(rng: Any) -> None:
    with pytest.raises(bipnet.InputError, match="non-negative"):
        draw(rng=rng)


# -- identity of a draw ------------------------------------------------------------------------


def test_draw__index_and_name_and_letter_give_streams_of_their_own() -> None:
    row = np.arange(1.0, 31.0).reshape(1, 30)  # A, B, C and E do the same here
    options = itertools.product("ABCE", [0, 1, 2], ["", "a", "b", "1"])
    draws = [
        bipnet.randomize(row, null, rng=7, index=index, name=name).tobytes()
        for null, index, name in options
    ]
    assert len(set(draws)) == len(draws)


def test_draw__a_name_cannot_imitate_an_index() -> None:
    assert draw(rng=7, name="a\n1", index=0) != draw(rng=7, name="a", index=1)
    assert draw(rng=7, name="1", index=0) != draw(rng=7, name="", index=10)


def test_draw__methods_of_g_have_streams_of_their_own() -> None:
    assert draw(null="G", rng=7, method="trade") != draw(null="G", rng=7, method="swap")


# -- ensembles ---------------------------------------------------------------------------------


@my.each_row
def test_ensemble__draw_i_is_randomize_with_index_i(null: str, method: str) -> None:
    draws = bipnet.ensemble(W, null, 5, rng=7, name="layer", method=method)
    wanted = [
        bipnet.randomize(W, null, rng=7, index=i, name="layer", method=method) for i in range(5)
    ]
    assert len(draws) == 5
    for i in (3, 0, 4):  # in any order
        assert np.array_equal(draws[i], wanted[i])
        assert np.array_equal(draws[i - 5], wanted[i])
    for found, R in zip(draws, wanted, strict=True):
        assert np.array_equal(found, R)
    assert len({R.tobytes() for R in wanted}) > 1


def test_ensemble__slices_are_lists_of_draws() -> None:
    draws = bipnet.ensemble(W, "A", 10, rng=7)
    part = draws[2:9:3]
    assert [R.tobytes() for R in part] == [draws[i].tobytes() for i in (2, 5, 8)]
    assert len(draws[5:5]) == 0
    assert [R.tobytes() for R in draws[::-1]] == [R.tobytes() for R in draws][::-1]


@pytest.mark.parametrize("i", [10, -11, 10**9])
def test_ensemble__an_index_beyond_its_end_is_an_index_error(i: int) -> None:
    with pytest.raises(IndexError, match=f"draw {i} of an ensemble of 10"):
        bipnet.ensemble(W, "A", 10, rng=7)[i]


def test_ensemble__makes_draws_only_when_asked() -> None:
    draws = bipnet.ensemble(W, "A", 10**15, rng=7)
    assert len(draws) == 10**15
    assert np.array_equal(draws[10**14], bipnet.randomize(W, "A", rng=7, index=10**14))


@pytest.mark.parametrize("null", ["A", "B"])
def test_ensemble__of_a_large_matrix_that_gained_edges_is_refused(null: str) -> None:
    W = np.random.default_rng(1).normal(size=(900, 500))
    some = np.where(W > -0.5, W, 0)
    draws = bipnet.ensemble(some, null, 2, rng=1)
    _ = draws[0]
    some[:] = W
    with pytest.raises(bipnet.InputError, match=r"when it was checked and has 450000 now"):
        _ = draws[1]


def test_ensemble__does_not_keep_or_share_draws() -> None:
    draws = bipnet.ensemble(W, "A", 3, rng=7)
    first = draws[0]
    kept = first.copy()
    first[...] = 0
    assert np.array_equal(draws[0], kept)


@pytest.mark.parametrize("rng", [None, 7, np.random.SeedSequence(7).spawn(2)[1]], ids=str)
def test_ensemble__its_seed_makes_it_again(rng: Any) -> None:
    draws = bipnet.ensemble(W, "A", 3, rng=rng)
    again = bipnet.ensemble(W, "A", 3, rng=draws.seed)
    for i in range(3):
        assert np.array_equal(draws[i], again[i])
        assert np.array_equal(draws[i], bipnet.randomize(W, "A", rng=draws.seed, index=i))


def test_ensemble__its_seed_makes_that_of_a_generator_again() -> None:
    generator = np.random.default_rng(5)
    draws = bipnet.ensemble(W, "A", 3, rng=generator)
    other = bipnet.ensemble(W, "A", 3, rng=generator)
    assert draws.seed != other.seed
    assert np.array_equal(bipnet.ensemble(W, "A", 3, rng=draws.seed)[2], draws[2])


def test_ensemble__checks_its_arguments_at_once() -> None:
    for wrong in (
        {"n": -1},
        {"n": 1.5},
        {"n": True},
        {"null": "H"},
        {"method": "swap"},
        {"steps": 5},
        {"rng": -1},
        {"n_threads": 0},
        {"W": [[np.nan]]},
    ):
        arguments: dict[str, Any] = {"W": W, "null": "A", "n": 3, **wrong}
        with pytest.raises(bipnet.InputError):
            bipnet.ensemble(**arguments)


def test_ensemble__of_none_is_empty() -> None:
    draws = bipnet.ensemble(W, "A", 0, rng=7)
    assert len(draws) == 0
    assert list(draws) == []


def nothing_is_in_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small matrices are treated as large ones are."""
    monkeypatch.setattr(_permute, "_SMALL_WORDS", 0)
    for module in (_permute, _memory):
        monkeypatch.setattr(module, "IN_CACHE_BYTES", 0)


@pytest.mark.parametrize("dtype", [np.int8, np.float16, np.float32, np.float64])
@pytest.mark.parametrize("null", ["D", "F"])
@pytest.mark.parametrize("n_right", [1500, 1504])  # rows that can be streamed, and that cannot
def test_randomize__gives_the_same_written_past_the_caches(
    monkeypatch: pytest.MonkeyPatch, null: str, dtype: Any, n_right: int
) -> None:
    V = (np.random.default_rng(0).normal(size=(301, n_right)) * 40).astype(dtype)
    plain = bipnet.randomize(V, null, rng=7)
    nothing_is_in_cache(monkeypatch)
    calls: list[bool] = []
    write = bipnet_kernels.write_columns
    monkeypatch.setattr(
        bipnet_kernels, "write_columns", lambda *args: (calls.append(args[-1]), write(*args))
    )
    assert np.array_equal(bipnet.randomize(V, null, rng=7, n_threads=2), plain)
    assert set(calls) == {n_right == 1504}
    calls.clear()
    memory = _memory.new_array((V.size + 8,), V.dtype)
    for shift in (0, 1, 8):  # words: the second array begins where no square may be streamed to
        out = memory[shift : shift + V.size].reshape(V.shape)
        assert np.array_equal(bipnet.randomize(V, null, rng=7, n_threads=2, out=out), plain)
        assert set(calls) == {n_right == 1504 and shift != 1}
        calls.clear()
    V = V.copy()
    assert np.array_equal(bipnet.randomize(V, null, rng=7, n_threads=2, out=V), plain)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int32, my.BFLOAT16])
@pytest.mark.parametrize("null", ["C", "D", "E", "F"])
def test_randomize__checks_large_matrices_on_the_way(
    monkeypatch: pytest.MonkeyPatch, null: str, dtype: Any
) -> None:
    V = np.random.default_rng(0).integers(1, 90, size=(301, 1500)).astype(dtype)
    V[::3] *= -1
    zeros = V.copy()
    zeros[300, 1499] = zeros[17, 640] = 0
    plain, gaps = (bipnet.randomize(matrix, null, rng=7) for matrix in (V, zeros))
    nothing_is_in_cache(monkeypatch)
    passes = []
    monkeypatch.setattr(_check, "finite_edges", lambda values: passes.append(1))
    assert np.array_equal(bipnet.randomize(V, null, rng=7, n_threads=2), plain)
    assert not passes  # over all of the matrix for the check alone
    monkeypatch.undo()
    nothing_is_in_cache(monkeypatch)
    assert np.array_equal(bipnet.randomize(zeros, null, rng=7, n_threads=2), gaps)
    assert np.array_equal(bipnet.randomize(np.zeros_like(V), null, rng=7), 0 * V)
    assert np.array_equal(bipnet.ensemble(zeros, null, 1, rng=7)[0], gaps)
    if np.dtype(dtype) != np.int32:
        for value in (np.nan, -np.inf):
            bad = V.copy()
            bad[17, 640] = value
            before = bad.tobytes()
            with pytest.raises(bipnet.InputError, match=r"W\[17, 640\] is (nan|-inf)"):
                bipnet.randomize(bad, null, rng=7)
            with pytest.raises(bipnet.InputError, match=r"W\[17, 640\] is (nan|-inf)"):
                bipnet.randomize(bad, null, rng=7, out=bad)
            assert bad.tobytes() == before


@pytest.mark.parametrize("null", ["C", "D"])
def test_randomize__gives_up_checking_on_the_way_at_the_first_zero(
    monkeypatch: pytest.MonkeyPatch, null: str
) -> None:
    V = np.random.default_rng(0).normal(size=(1500, 1500))
    V[3, 5] = 0
    nothing_is_in_cache(monkeypatch)
    permuted = []
    permute = bipnet_kernels.permute_segments
    monkeypatch.setattr(
        bipnet_kernels, "permute_segments", lambda *args: (permuted.append(args[6]), permute(*args))
    )
    bipnet.randomize(V, null, rng=7, n_threads=1)
    assert len(permuted) > 1
    assert not any(permuted)  # no segment was taken to be without zeros


@pytest.mark.parametrize("null", "ABCDEFG")
@pytest.mark.parametrize("n_left", [3, 1100])
def test_randomize__leaves_a_generator_alone_when_weights_are_refused(
    null: str, n_left: int
) -> None:
    bad = np.ones((n_left, 1000))  # the larger one would be checked as it is permuted
    bad[-1, -1] = np.nan
    rng = np.random.default_rng(1)
    with pytest.raises(bipnet.InputError, match="is nan"):
        bipnet.randomize(bad, null, rng=rng)
    assert rng.integers(1 << 60) == np.random.default_rng(1).integers(1 << 60)


# -- the stream must not change unnoticed ------------------------------------------------------

GOLDEN_W = np.array([[1, -2, 3, 0, -5], [0, 7, -8, 9, 10], [-11, 12, 0, -14, 15]])

GOLDEN: dict[str, list[list[int]]] = {
    "A permute": [[-2, 9, -14, 0, -11], [0, 12, 3, 15, -5], [10, 1, 0, -8, 7]],
    "B permute": [[9, -2, 10, 0, -8], [0, 7, -5, 3, 1], [-11, 12, 0, -14, 15]],
    "C permute": [[1, -5, -2, 0, 3], [0, 10, 7, -8, 9], [-14, -11, 0, 15, 12]],
    "D permute": [[1, 7, -8, 0, 15], [0, 12, 3, -14, 10], [-11, -2, 0, 9, -5]],
    "E permute": [[3, -5, 1, 0, -2], [0, 10, -8, 7, 9], [-14, 12, 0, -11, 15]],
    "F permute": [[1, -2, 3, 0, -5], [0, 7, -8, 9, 10], [-11, 12, 0, -14, 15]],
    "G trade": [[3, -5, -2, 0, 15], [0, 1, 12, 10, -11], [-8, 9, 0, -14, 7]],
    "G swap": [[3, -5, -2, 0, 15], [0, 1, 12, 10, -11], [-8, 9, 0, -14, 7]],
}

GOLDEN_CHECKSUMS: dict[str, str] = {
    "A permute gaps": "538f021e7a42fdbc",
    "A permute full": "aee2cb87807bcd43",
    "B permute gaps": "985f5ad16c38b347",
    "B permute full": "d0f5f75de0c1fb52",
    "C permute gaps": "b013980c5a528974",
    "C permute full": "780f13c568b026df",
    "D permute gaps": "28ef79ce224e7213",
    "D permute full": "6c54eb67fc1ddfd4",
    "E permute gaps": "d27f799e95854afc",
    "E permute full": "4c43d6331b77c092",
    "F permute gaps": "219051ac1a9837b2",
    "F permute full": "41a472affd36a752",
    "G trade gaps": "9753b1cbe0529748",
    "G trade full": "1c5af52c30927474",
    "G swap gaps": "7bb4c57ad1f809c6",
    "G swap full": "dc5baee4c62b5702",
}


def large_golden_matrix() -> my.Matrix:
    """Wide enough for every code path of the trades, and with missing edges."""
    i, j = np.indices((33, 130))
    large = (37 * i + 101 * j + i * j) % 23 - 11
    large[(i + 2 * j) % 7 == 0] = 0
    return large.astype(np.float32)


@my.each_row
def test_stream__gives_the_bits_it_always_gave(null: str, method: str) -> None:
    assert STREAM_VERSION == 3, "new bits: make the golden values anew"
    R = bipnet.randomize(GOLDEN_W, null, rng=2024, name="golden", index=1, method=method)
    assert R.tolist() == GOLDEN[f"{null} {method}"]


@pytest.mark.parametrize("null", list("ABCDEF"))
def test_stream__leads_from_the_seed_to_the_bits_as_written_down(null: str) -> None:
    # The whole way by hand: key, stream, order of the groups, shuffle.
    V = GOLDEN_W if null not in "DF" else GOLDEN_W.T  # groups become runs of cells
    words, nonzero, negative = oracles.words_of(V)
    width = V.size if null in "AB" else V.shape[1]
    starts = list(range(0, V.size, width))
    stops = [start + width for start in starts]
    key = oracles.stream_key(2024, [], 1, null, "golden")
    n = len(starts)  # so few edges that all segments share one stream
    by_hand, _ = oracles.permute_segments(
        words, starts, stops, n, 0, null in "BEF", nonzero, negative, key
    )
    wanted = np.array(by_hand, dtype=np.uint64).view(np.int64).reshape(V.shape)
    R = bipnet.randomize(GOLDEN_W, null, rng=2024, name="golden", index=1)
    assert np.array_equal(R if null not in "DF" else R.T, wanted)


def spread_by_hand(V: my.Matrix, positive: list[int], index: int) -> my.Matrix:
    """Second half of G by hand: the weights on a new sign pattern (edges in row-major order)."""
    words, nonzero, negative = oracles.words_of(V)
    key = oracles.stream_key(2024, [], index, "G weights", "")
    by_hand = oracles.spread(words, positive, nonzero, negative, key)
    return np.array(by_hand, dtype=f"u{V.itemsize}").view(V.dtype).reshape(V.shape)


def signed(shape: tuple[int, int], share: float) -> my.Matrix:
    """Distinct float32 weights with a share of positive ones."""
    positive = np.random.default_rng(shape[0]).random(shape) < share
    weights = np.arange(1, shape[0] * shape[1] + 1, dtype=np.float32).reshape(shape)
    return np.where(positive, weights, -weights)


@pytest.mark.parametrize("rounds_per_call", [None, 1, 3])
@pytest.mark.parametrize("shape", [(7, 70), (130, 5), (6, 6)], ids=str)
def test_stream__leads_from_the_seed_to_the_trades_of_g(
    shape: tuple[int, int], rounds_per_call: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    V = signed(shape, 0.4)
    tall = shape[0] > shape[1]  # lines run along the longer side
    lines = [oracles.packed(np.nonzero(line > 0)[0].tolist(), 3) for line in (V.T if tall else V)]
    if rounds_per_call is not None:  # kernel calls are cut short so that Ctrl-C is honoured
        n_words = -(-max(shape) // 64)
        monkeypatch.setattr(_chains, "_BITS_PER_CALL", rounds_per_call * 64 * min(shape) * n_words)
    # Words that are empty in all lines draw random numbers too: leave them out.
    lines = [line[: -(-max(shape) // 64)] for line in lines]
    keys = [oracles.stream_key(2024, [], 3, purpose, "") for purpose in ("G pairs", "G trades")]
    lines, _ = oracles.trade_rounds(lines, None, 0, 7, *keys)
    cells = np.zeros((min(shape), max(shape)), dtype=int)
    for i, line in enumerate(lines):
        cells[i, oracles.set_bits(line)] = 1
    positive = (cells.T if tall else cells).reshape(-1).tolist()
    R = bipnet.randomize(V, "G", rng=2024, index=3, steps=7)
    assert np.array_equal(R, spread_by_hand(V, positive, 3))
    assert not np.array_equal(np.sign(R), np.sign(V))


def test_stream__leads_from_the_seed_to_the_swaps_of_g() -> None:
    # Enough attempts for two kernel calls: the second one goes on where the first one stopped.
    V = signed((6, 8), 0.4)
    n_attempts = 65 * bipnet_kernels.ATTEMPTS_PER_STREAM + 17
    key = np.array(oracles.stream_key(2024, [], 3, "G swaps", ""), dtype=np.uint64)
    rows = [np.flatnonzero(line < 0).tolist() for line in V]
    negative = np.array([oracles.packed(places, 1) for places in rows], dtype=np.uint64)
    left, right = np.nonzero(V > 0)
    ends = (left << 16 | right).astype(np.uint32)
    scratch = np.empty(bipnet_kernels.SWAP_SCRATCH, dtype=np.uint64)
    bipnet_kernels.swap_attempts(
        negative, ends, 0, n_attempts, key, bipnet_kernels.new_stream(), scratch
    )
    cells = np.ones(V.shape, dtype=np.uint8)
    for i, line in enumerate(negative.tolist()):
        cells[i, oracles.set_bits(line)] = 0
    R = bipnet.randomize(V, "G", rng=2024, index=3, method="swap", steps=n_attempts)
    assert np.array_equal(R, spread_by_hand(V, cells.reshape(-1).tolist(), 3))


def test_stream__leads_from_the_seed_to_the_loops_of_g() -> None:
    # So few edges that trades are left out: loops alone, and in two kernel calls.
    V = np.zeros((40, 40), dtype=np.float32)
    V[10:15, 20:25] = signed((5, 5), 0.5)
    V[[10, 11, 12, 13, 14], [20, 21, 22, 23, 24]] = 0
    cells = oracles.edges(V)
    assert V.size > 64 * len(cells)
    # Nodes are counted among those that have an edge: five on each side.
    n_streams = 33
    positive, n_flipped = oracles.loop_streams(
        [i - 10 for i, _ in cells],
        [5 + j - 20 for _, j in cells],
        [int(V[cell] > 0) for cell in cells],
        10,
        [1 << 31] * 10,  # in a small component every second loop is long
        16 * 10,
        0,
        n_streams,
        oracles.stream_key(2024, [], 3, "G loops", ""),
        bipnet_kernels.LOOPS_PER_STREAM,
    )
    assert n_flipped > 100
    loops = n_streams * bipnet_kernels.LOOPS_PER_STREAM
    R = bipnet.randomize(V, "G", rng=2024, index=3, steps=1, loops=loops)
    assert np.array_equal(R, spread_by_hand(V, positive, 3))


@pytest.mark.filterwarnings("ignore::bipnet.FrozenWarning")
@pytest.mark.parametrize(
    ("shape", "empty", "winds"),
    [((7, 70), 3, True), ((70, 9), 3, True), ((9, 70), 7, False)],
    ids=str,
)
def test_stream__leads_from_the_seed_to_the_loops_of_g_on_bits(
    shape: tuple[int, int], empty: int, winds: bool
) -> None:
    # Enough edges for bits: one round of trades, then loops in two kernel calls.
    V = signed(shape, 0.4)
    V[(np.indices(shape).sum(axis=0) % empty) == 0] = 0
    V[3], V[:, 5] = 0, 0  # nodes without edges
    # Only edges within the one component can change their sign; all others are left out.
    ((lefts, rights),) = oracles.parts(V)
    free = np.zeros_like(V)
    free[np.ix_(lefts, rights)] = V[np.ix_(lefts, rights)]
    assert 0 < np.count_nonzero(free) <= np.count_nonzero(V)
    tall = shape[0] > shape[1]
    members = sorted(rights if tall else lefts)
    lines, support = (
        [
            oracles.packed(np.flatnonzero((cells.T if tall else cells)[i]).tolist(), 2)
            for i in members
        ]
        for cells in (free > 0, free != 0)
    )
    keys = [oracles.stream_key(2024, [], 3, purpose, "") for purpose in ("G pairs", "G trades")]
    lines, _ = oracles.trade_rounds(lines, support, 0, 1, *keys)
    signs = np.where(free != 0, -1, 0)
    for i, line in zip(members, lines, strict=True):
        for j in oracles.set_bits(line):
            signs[(j, i) if tall else (i, j)] = 1
    n_streams = _loops._STREAMS_PER_CALL + 1
    key = oracles.stream_key(2024, [], 3, "G loops", "")
    n_nodes, size = sum(shape), len(lefts) + len(rights)
    assert bool(oracles.windings(free)) == winds
    long_share = min(0.5, 256 / (2 * size)) if winds else 0
    signs, n_flipped = oracles.bit_loop_streams(
        signs,
        [int(long_share * 2**32)] * n_nodes,
        16 * n_nodes,
        0,
        n_streams,
        key,
        bipnet_kernels.LOOPS_PER_STREAM,
    )
    assert n_flipped > 100
    loops = n_streams * bipnet_kernels.LOOPS_PER_STREAM
    R = bipnet.randomize(V, "G", rng=2024, index=3, steps=1, loops=loops)
    signs = np.where(free != 0, signs, np.sign(V))
    positive = [int(signs[cell] > 0) for cell in oracles.edges(V)]
    assert np.array_equal(R, spread_by_hand(V, positive, 3))


@my.each_row
def test_stream__gives_a_large_matrix_the_bits_it_always_gave(null: str, method: str) -> None:
    large = large_golden_matrix()
    for name, V in (("gaps", large), ("full", np.where(large == 0, 13, large))):
        R = bipnet.randomize(V, null, rng=2024, name="golden", index=1, method=method)
        digest = bipnet.SignedBipartiteGraph(R).checksum()[:16]
        assert digest == GOLDEN_CHECKSUMS[f"{null} {method} {name}"]


def test_stream__gives_the_noise_it_always_gave() -> None:
    noisy = bipnet.add_noise(np.array([1.0, 0.0, -2.0]), 0.5, rng=2024, name="golden", index=1)
    assert noisy.tolist() == [1.0956686474894526, 0.0, -2.1452062005387846]
