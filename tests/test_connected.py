"""Where trades are said to connect all sign patterns, they do: against searching them all."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import strategies as my

import bipnet
from bipnet._check import open_matrix
from bipnet.nulls import _connected
from bipnet.nulls._connected import trades_connect
from bipnet.nulls._rows import packed_rows

State = tuple[tuple[int, ...], ...]


def said(W: Any) -> bool:
    """The verdict on a matrix."""
    matrix, _ = open_matrix(W)
    return trades_connect(matrix, packed_rows(matrix, 1))


def reached(W: my.Matrix) -> int:
    """How many sign patterns swaps lead to from that of ``W``."""
    first: State = tuple(tuple(int(w) for w in row) for row in np.sign(W))
    seen, todo = {first}, [first]
    n_left, n_right = W.shape
    pairs = [(i, k) for i in range(n_left) for k in range(i)]
    corners = [(j, m) for j in range(n_right) for m in range(j)]
    while todo:
        state = todo.pop()
        for i, k in pairs:
            for j, m in corners:
                a, b, c, d = state[i][j], state[i][m], state[k][j], state[k][m]
                if a and a == d and b == c == -a:
                    new = [list(row) for row in state]
                    new[i][j], new[i][m], new[k][j], new[k][m] = b, a, d, c
                    found = tuple(map(tuple, new))
                    if found not in seen:
                        seen.add(found)
                        todo.append(found)
    return len(seen)


def all_patterns(W: my.Matrix) -> int:
    """How many sign patterns have the degrees of ``W`` on its edges: row by row."""
    wanted = tuple((W > 0).sum(axis=0).tolist())
    counts = Counter({(0,) * W.shape[1]: 1})
    for row in W:
        edges = np.flatnonzero(row)
        k = int((row > 0).sum())
        choices = [s for s in range(1 << edges.size) if s.bit_count() == k]
        after: Counter[tuple[int, ...]] = Counter()
        for so_far, n in counts.items():
            for choice in choices:
                new = list(so_far)
                for place, edge in enumerate(edges.tolist()):
                    new[edge] += choice >> place & 1
                if all(a <= b for a, b in zip(new, wanted, strict=True)):
                    after[tuple(new)] += n
        counts = after
    return counts[wanted]


def lacking(W: my.Matrix) -> int:
    """Nodes that lack some edge on the side that has fewer of these; isolated nodes aside."""
    V = W[(W != 0).any(axis=1)][:, (W != 0).any(axis=0)]
    return min(int((V == 0).any(axis=axis).sum()) for axis in (0, 1))


def test_all_patterns__by_hand() -> None:
    assert all_patterns(np.array([[1, -1], [-1, 1]])) == 2
    assert all_patterns(np.array([[1, -1, -1], [-1, 1, -1], [-1, -1, 1]])) == 6
    assert all_patterns(np.array([[0, 1, -1], [-1, 0, 1], [1, -1, 0]])) == 2


def small_matrix(rng: np.random.Generator, kind: str) -> my.Matrix:
    """Signs with gaps: anywhere, in three rows and columns of many, or on a hexagon's diagonal."""
    if kind == "anywhere":
        W = np.where(rng.random(rng.integers(2, 6, 2)) < rng.uniform(0.2, 0.8), 1, -1)
        W[rng.random(W.shape) < rng.uniform(0.05, 0.6)] = 0
    elif kind == "three of many":
        W = np.where(rng.random((9, 3)) < 0.5, 1, -1)
        W[range(3), range(3)] = 0
    else:
        W = np.ones((5, 5), dtype=int)
        W[:3, :3] = [[0, 1, -1], [-1, 0, 1], [1, -1, 0]]
        W[3:] = rng.choice([-1, 1], 2)[:, None]
        W[:, 3:] = rng.choice([-1, 1], 2)
    W = rng.permutation(rng.permutation(W), axis=1)
    return W if rng.random() < 0.5 else W.T


def test_trades_connect__is_never_wrong() -> None:
    rng = np.random.default_rng(12)
    verdicts: Counter[tuple[bool, bool, bool]] = Counter()
    for kind in ("anywhere", "three of many", "hexagon") * 100:
        W = small_matrix(rng, kind)
        n_reached, n_patterns = reached(W), all_patterns(W)
        assert n_reached <= n_patterns
        verdict = said(W)
        assert not verdict or n_reached == n_patterns, W
        verdicts[verdict, n_reached == n_patterns, lacking(W) >= 3] += 1
    assert verdicts[True, True, True] >= 20  # by helpers
    assert verdicts[True, True, False] >= 20  # chordal
    assert verdicts[False, False, True] >= 3  # stuck, and known to be
    assert verdicts[False, True, True] >= 20  # cannot tell


@pytest.mark.parametrize("side", ["left", "right"])
def test_trades_connect__of_a_large_layer_with_a_few_gaps(side: str) -> None:
    rng = np.random.default_rng(3)
    W = np.where(rng.random((300, 130)) < 0.5, 1.0, -1.0)
    W[rng.integers(0, 300, 20), rng.integers(0, 130, 20)] = 0
    W = W if side == "left" else W.T
    assert lacking(W) > 10
    assert said(W)
    assert said(scipy.sparse.csr_array(W))
    with_isolated = np.zeros((W.shape[0] + 3, W.shape[1] + 70))
    with_isolated[2:-1, 50:-20] = W
    assert said(with_isolated)
    # No draw wastes loops on it; the certificate says why it needs none.
    assert bipnet.ensemble(W, "G", n=1, rng=0).loops == 0
    assert bipnet.certify(W, "G").irreducible_by == "trades alone"


def test_trades_connect__cannot_tell_where_half_of_the_edges_are_missing() -> None:
    rng = np.random.default_rng(4)
    W = rng.choice([-1.0, 0.0, 1.0], p=[0.25, 0.5, 0.25], size=(60, 40))
    assert not said(W)
    assert bipnet.ensemble(W, "G", n=1, rng=0).loops > 0


def test_trades_connect__needs_helpers_of_nearly_equal_degrees() -> None:
    def helped(k_helpers: list[int]) -> bool:
        """Three nodes with 5, 5 and 4 positive edges, two edges of each to nodes that lack some."""
        degrees = np.full(3, len(k_helpers) + 2)
        return _connected._helped(np.array(k_helpers), degrees, np.array([5, 5, 4]))

    assert helped([0, 2, 3, 4, 6, 8, 9])
    assert helped([0, 0, 1, 3, 5, 6, 9])  # a step of three, after the first of them
    assert not helped([0, 0, 3, 4, 6, 8, 9])  # after the fifth: perhaps all others are negative
    assert not helped([1, 2, 3, 4, 7, 8, 9])  # after the third
    assert not helped([2, 3, 4, 6, 8])  # perhaps all of them are positive
    assert not _connected._helped(np.array([4, 5, 6]), np.array([5, 5, 5]), np.array([2, 2, 1]))
    assert not _connected._helped(np.array([], int), np.array([2, 2, 2]), np.array([1, 1, 1]))
