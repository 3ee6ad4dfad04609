"""What can move: the free edges of a pattern are those that differ between its patterns."""

from __future__ import annotations

from typing import Any

import numpy as np
import oracles
import pytest
import scipy.sparse
import strategies as my

from bipnet._check import open_matrix
from bipnet.nulls._edge_signs import EdgeSigns
from bipnet.nulls._free import FreePart, find_free_part
from bipnet.nulls._rows import Rows, packed_rows


def found(W: Any) -> tuple[Any, Rows, FreePart]:
    """The matrix, its rows and its free part."""
    matrix, _ = open_matrix(W)
    rows = packed_rows(matrix, 1)
    return matrix, rows, find_free_part(matrix, rows)


def small_cases(n: int) -> list[my.Matrix]:
    """Signs of up to 4 x 4, with gaps or without, some far from dense."""
    rng = np.random.default_rng(21)
    cases = []
    while len(cases) < n:
        W = np.where(rng.random(rng.integers(1, 5, 2)) < rng.random(), 1.0, -1.0)
        if rng.random() < 0.6:
            W[rng.random(W.shape) < 0.3] = 0
        if (W > 0).any() and (W < 0).any():
            cases.append(W)
    return cases


@pytest.mark.parametrize("container", [np.array, scipy.sparse.csr_array])
@pytest.mark.parametrize("padding", [0, 70], ids=["packed", "listed"])
def test_free_part__is_what_differs_between_patterns(padding: int, container: Any) -> None:
    n_free = set()
    for W in small_cases(150):
        padded = np.zeros((W.shape[0] + padding, W.shape[1] + padding))
        padded[: W.shape[0], : W.shape[1]] = W
        matrix, rows, free = found(container(padded))
        patterns = oracles.sign_patterns(W)
        cells = oracles.edges(W)
        wanted = [len({pattern[cell] for pattern in patterns}) > 1 for cell in cells]
        bits = rows.edges if free.edges is None else free.edges
        assert EdgeSigns(matrix, rows, bits).positive.tolist() == wanted
        assert free.n_edges == sum(wanted)
        assert (free.edges is None) == all(wanted)
        n_free.add(sum(wanted))
        # Labels: the two ends of a free edge have one, nodes without free edges have none.
        for (i, j), is_free in zip(cells, wanted, strict=True):
            assert is_free == (free.left[i] == free.right[j] >= 0)
        assert (free.left >= 0).sum() == len(
            {i for (i, _), f in zip(cells, wanted, strict=True) if f}
        )
    assert len(n_free) > 4


def test_put_back__keeps_frozen_signs_and_takes_new_ones() -> None:
    W = np.ones((4, 70))
    W[1, 3], W[2, 69] = -1, -1
    _, rows, free = found(W)
    assert free.n_edges == 4
    moving = free.of(rows)
    assert moving.n_edges == 4
    assert moving.n_positive == 2
    assert free.put_back(rows, moving.positive).tolist() == rows.positive.tolist()
    swapped = moving.edges ^ moving.positive
    back = free.put_back(rows, swapped)
    assert np.bitwise_count(back).sum() == np.bitwise_count(rows.positive).sum()
    assert np.bitwise_count(back ^ rows.positive).sum() == 4
