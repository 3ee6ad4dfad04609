"""Large matrices: dealt to buckets, in parallel rounds; by hand, and for any number of threads."""

from __future__ import annotations

from typing import Any

import bipnet_kernels
import numpy as np
import oracles
import pytest
import scipy.sparse

import bipnet
from bipnet.nulls import _chains, _permute, _rows, _spread

Matrix = np.ndarray[Any, Any]


@pytest.fixture
def small_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a few hundred weights count as a large matrix."""
    for module in (_spread, _permute):
        monkeypatch.setattr(module, "IN_CACHE", 100)
    monkeypatch.setattr(_spread, "_BUCKET", 32)
    monkeypatch.setattr(bipnet_kernels, "CHUNK", 64)
    monkeypatch.setattr(_rows, "_RUN_WORDS", 50)


def matrix(density: float) -> Matrix:
    """(23, 70) distinct weights of both signs."""
    rng = np.random.default_rng(1)
    W = rng.permutation(np.arange(1, 1611, dtype=np.float32)).reshape(23, 70)
    W[rng.random(W.shape) < 0.4] *= -1
    return np.where(rng.random(W.shape) < density, W, np.float32(0))


def by_hand(W: Matrix, null: str, positive: list[int] | None) -> Matrix:
    """The draw from the seed on."""
    words, nonzero, negative = oracles.words_of(W)
    purpose = "G weights" if null == "G" else null
    key = oracles.stream_key(5, [], 2, purpose, "")
    n_edges = len(oracles.edges(W))
    n_bits = min(8, (n_edges // 32).bit_length())
    found = oracles.spread(words, positive, nonzero, negative, key, n_bits, 64)
    return np.array(found, dtype=np.uint32).view(np.float32).reshape(W.shape)


@pytest.mark.usefixtures("small_buckets")
@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("density", [1.0, 0.6], ids=["full", "gaps"])
@pytest.mark.parametrize("null", ["A", "B", "G"])
def test_large__follows_its_twin(null: str, density: float, n_threads: int) -> None:
    W = matrix(density)
    cells = oracles.edges(W)
    options: dict[str, Any] = {"rng": 5, "index": 2, "n_threads": n_threads}
    R = bipnet.randomize(W, null, **options)
    positive = None if null == "A" else [int((R if null == "G" else W)[cell] > 0) for cell in cells]
    assert np.array_equal(R, by_hand(W, null, positive))
    assert not np.array_equal(R, W)
    bipnet.verify(W, R, null)
    in_place = W.copy()
    bipnet.randomize(in_place, null, out=in_place, **options)
    assert np.array_equal(in_place, R)
    sparse = bipnet.randomize(scipy.sparse.csr_array(W), null, **options)
    assert np.array_equal(sparse.toarray(), R)


@pytest.mark.parametrize("density", [1.0, 0.7], ids=["full", "gaps"])
def test_trades__give_the_same_bits_round_by_round_in_threads(
    density: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    W = matrix(density)
    wanted = bipnet.randomize(W, "G", rng=3, n_threads=1)
    monkeypatch.setattr(_chains, "_PARALLEL_WORDS", 0)
    for n_threads in (1, 2, 3):
        assert np.array_equal(bipnet.randomize(W, "G", rng=3, n_threads=n_threads), wanted)


@pytest.mark.filterwarnings("ignore::bipnet.FrozenWarning")  # columns of one sign
def test_trades__of_several_blocks_give_the_same_bits_in_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # So wide that two pairs of lines make a block.
    W = np.where(np.random.default_rng(3).random((9, 1 << 19)) < 0.4, 1, -1).astype(np.int8)
    assert bipnet_kernels.pairs_per_block(W.shape[1] // 64) == 2
    wanted = bipnet.randomize(W, "G", rng=3, steps=2, n_threads=1)
    monkeypatch.setattr(_chains, "_PARALLEL_WORDS", 0)
    assert np.array_equal(bipnet.randomize(W, "G", rng=3, steps=2, n_threads=2), wanted)
    bipnet.verify(W, wanted, "G")


@pytest.mark.parametrize("null", list("ABCDEFG"))
def test_million_weights__are_kept_bit_for_bit(null: str) -> None:
    # Large enough for every real threshold: buckets, tiles, threads.
    W = np.random.default_rng(2).normal(size=(1100, 1001)).astype(np.float32)
    steps = {"steps": 3} if null == "G" else {}
    R = bipnet.randomize(W, null, rng=1, n_threads=2, **steps)
    bipnet.verify(W, R, null)
    assert (R != W).mean() > 0.9
    assert np.array_equal(bipnet.randomize(W, null, rng=1, n_threads=1, **steps), R)
