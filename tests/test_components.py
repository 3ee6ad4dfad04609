"""Strongly connected components of sign patterns: by degrees, by bit sets, by edge lists."""

from __future__ import annotations

from typing import Any

import numpy as np
import oracles
import pytest
import scipy.sparse
import strategies as my
from scipy.sparse.csgraph import connected_components

from bipnet._check import open_matrix
from bipnet.nulls import _components

Labels = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]


def labelled(W: Any) -> Labels:
    """`sign_components` of a matrix."""
    edges, _ = open_matrix(W)
    positive = (edges.edge_words & edges.layout.negative) == 0
    return _components.sign_components(edges, positive)


def partition(labels: Labels) -> list[int]:
    """Labels renumbered by first appearance: equal lists are equal partitions."""
    numbers: dict[int, int] = {}
    return [numbers.setdefault(int(label), len(numbers)) for label in np.concatenate(labels)]


def by_scipy(W: my.Matrix) -> list[int]:
    """The partition scipy finds on the whole graph."""
    adjacency = np.block(
        [
            [np.zeros((W.shape[0], W.shape[0])), W > 0],
            [(W < 0).T, np.zeros((W.shape[1], W.shape[1]))],
        ]
    )
    _, labels = connected_components(scipy.sparse.csr_array(adjacency), connection="strong")
    return partition((labels[: W.shape[0]], labels[W.shape[0] :]))


def random_signs(rng: np.random.Generator, shape: tuple[int, int]) -> my.Matrix:
    """Independent signs, or nearly nested ones, which have many components."""
    if rng.random() < 0.3:
        return np.where(rng.random(shape) < rng.random(), 1.0, -1.0)
    height = np.add.outer(rng.random(shape[0]), rng.random(shape[1]))
    return np.where(height + 0.4 * rng.random() * rng.random(shape) > 2 * rng.random(), 1.0, -1.0)


def small_cases(n: int, missing: bool) -> list[my.Matrix]:
    """Random matrices of up to 6 x 6."""
    rng = np.random.default_rng(8)
    cases = []
    for _ in range(n):
        W = random_signs(rng, tuple(rng.integers(1, 7, 2)))
        if missing:
            W[rng.random(W.shape) < rng.random()] = 0
        cases.append(W)
    return cases


def test_components__of_every_full_3x4_pattern_tell_what_enumeration_tells() -> None:
    for pattern, frozen in oracles.frozen_signs_of_all(3, 4).items():
        W = np.array(pattern, dtype=float).reshape(3, 4)
        left, right = labelled(W)
        assert (left[:, None] != right).reshape(-1).tolist() == frozen
        assert partition((left, right)) == by_scipy(W)


@pytest.mark.parametrize("missing", [False, True], ids=["full", "missing"])
def test_components__are_scipys(missing: bool) -> None:
    n_components = set()
    for W in small_cases(600, missing):
        wanted = by_scipy(W)
        n_components.add(max(wanted))
        assert partition(labelled(W)) == wanted
        assert partition(labelled(scipy.sparse.csr_array(W))) == wanted
    assert len(n_components) > 5


def test_components__are_those_of_the_walking_oracle() -> None:
    for W in small_cases(150, False) + small_cases(150, True):
        left, right = labelled(W)
        found = [
            (np.flatnonzero(left == label).tolist(), np.flatnonzero(right == label).tolist())
            for label in np.intersect1d(left, right)
        ]
        assert sorted(found) == sorted(oracles.parts(W))


@pytest.mark.parametrize("bits_per_edge", [0, 1 << 30], ids=["edge list", "bit sets"])
@pytest.mark.parametrize("container", [np.array, scipy.sparse.csr_array])
def test_components__do_not_depend_on_the_way_they_are_found(
    bits_per_edge: int, container: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_components, "_BITS_PER_EDGE", bits_per_edge)
    for W in small_cases(300, True):
        assert partition(labelled(container(W))) == by_scipy(W)


@pytest.mark.parametrize("n_right", [1, 63, 64, 65, 128, 129])
@pytest.mark.parametrize("n_left", [1, 63, 64, 65])
def test_components__at_word_borders(n_left: int, n_right: int) -> None:
    rng = np.random.default_rng(n_left * n_right)
    for density in (0.02, 0.05, 0.3, 0.95, 1.0):
        W = np.where(rng.random((n_left, n_right)) < 0.5, 1.0, -1.0)
        W[rng.random(W.shape) > density] = 0
        W[-1, -1] = 1  # the last bit counts
        assert partition(labelled(W)) == by_scipy(W)


def test_components__of_a_long_chain_of_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_components, "_BITS_PER_EDGE", 1 << 20)
    W = np.zeros((300, 301))
    at = np.arange(300)
    W[at, at], W[at, at + 1] = -1, 1
    assert len(np.unique(np.concatenate(labelled(W)))) == 601
    W[299, 0] = 1  # closes the chain, but for the last right node
    assert len(np.unique(np.concatenate(labelled(W)))) == 2
    W[299, 0], W[0, 300] = 0, -1  # the last one too, but for the first
    assert len(np.unique(np.concatenate(labelled(W)))) == 2


@pytest.mark.parametrize("n_left", [127, 128, 129, 300])
def test_components__at_the_borders_of_transposed_tiles(n_left: int) -> None:
    rng = np.random.default_rng(n_left)
    W = rng.choice([-1.0, 0.0, 1.0], p=[0.02, 0.96, 0.02], size=(n_left, 40))
    assert 2 < len(set(by_scipy(W))) < n_left + 40
    assert partition(labelled(W)) == by_scipy(W)


def test_components_of_degrees__ascend_along_the_edges() -> None:
    for W in small_cases(300, False):
        left, right = _components.components_of_degrees((W > 0).sum(axis=1), (W > 0).sum(axis=0))
        apart = left[:, None] != right
        assert np.array_equal((left[:, None] < right)[apart], (W > 0)[apart])


def test_sign_components__takes_flags_of_any_width() -> None:
    edges, _ = open_matrix([[1.0, -1.0, 0.0], [-1.0, 1.0, 1.0]])
    flags = np.array([1, 0, 0, 1, 1], dtype=np.uint8)
    for positive in (flags, flags != 0, 7 * flags.astype(np.int64)):
        left, right = _components.sign_components(edges, positive)
        assert left[0] == left[1] == right[0] == right[1] != right[2]
