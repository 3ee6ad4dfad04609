"""Each peer's adapter does what the table says of it. Needs the extra ``bench`` and graph-tool."""

from __future__ import annotations

import numpy as np
import pytest

from bipnet.bench.cases import Case, make_matrix
from bipnet.bench.mixing import equilibrium_level, run_pilot
from bipnet.bench.peer import CannotServeError, Chain, Matrix, MissingPeerError
from bipnet.bench.peers import OURS, PEERS
from bipnet.bench.peers.author_lists import AuthorLists
from bipnet.bench.peers.numpy_permutation import MemoryCopy, NumPyPermutation

pytestmark = pytest.mark.timeout(300)  # BiWES compiles for about a minute

CHAINS = [name for name, peer in PEERS.items() if issubclass(peer, Chain)]
OTHERS = ("authors' lists", *OURS)  # these need nothing installed
BIPARTITE = [name for name in CHAINS if name != "networkx double_edge_swap"]


def marked(names: list[str]) -> list[object]:
    return [pytest.param(n, marks=[] if n in OTHERS else [pytest.mark.peers]) for n in names]


def prepared(name: str, W: Matrix) -> Chain:
    peer = PEERS[name]
    assert issubclass(peer, Chain)
    try:
        peer.version()
        chain: Chain = peer()
        chain.prepare(W, "G")
    except MissingPeerError as error:
        pytest.skip(str(error))
    return chain


@pytest.fixture(name="W")
def dense() -> Matrix:
    return make_matrix(Case(60, 24))


def pattern(chain: Chain, shape: tuple[int, int]) -> np.ndarray[tuple[int, int], np.dtype[np.bool]]:
    cells = chain.positive()
    assert len(set(cells.tolist())) == len(cells)
    positive = np.zeros(shape, dtype=np.bool)
    positive.reshape(-1)[cells] = True
    return positive


@pytest.mark.parametrize("name", marked(BIPARTITE))
def test_chain__keeps_both_sides_degrees_and_moves_edges(name: str, W: Matrix) -> None:
    if not PEERS[name].is_for(n_missing=0):
        W[0, 0] = 0
    chain = prepared(name, W)
    steps, source = chain.default_steps()
    assert steps > 0
    assert source
    chain.run(steps)
    drawn = pattern(chain, (60, 24))
    chain.close()
    assert (drawn.sum(axis=0) == (W > 0).sum(axis=0)).all()
    assert (drawn.sum(axis=1) == (W > 0).sum(axis=1)).all()
    assert 0.4 < (drawn & (W > 0)).sum() / (W > 0).sum() < 0.7


@pytest.mark.parametrize("name", marked(CHAINS))
def test_chain__reaches_the_common_level(name: str, W: Matrix) -> None:
    if not PEERS[name].is_for(n_missing=0):
        W[0, 0] = 0
    level = equilibrium_level(W, "edges", 0.3)
    chain = prepared(name, W)
    pilot = run_pilot(chain, W, level, 30)
    chain.close()
    assert pilot.origin == "measured"
    passes = (pilot.steps or 0) / chain.steps_per_pass()
    assert 0.1 < passes < 40  # a step is what its unit says


@pytest.mark.parametrize("name", marked(["networkx double_edge_swap"]))
def test_networkx__leaves_the_bipartite_graphs(name: str, W: Matrix) -> None:
    chain = prepared(name, W)
    assert len(chain.positive()) == (W > 0).sum()
    chain.run(chain.steps_per_pass())
    assert len(chain.positive()) < 0.9 * (W > 0).sum()  # the rest lies within a side


@pytest.mark.parametrize("name", marked([n for n in CHAINS if n not in OTHERS]))
def test_chain__of_a_pruned_layer_moves_edges_into_missing_ones(name: str) -> None:
    # What the mark * of the table says.
    W = make_matrix(Case(60, 24, 80))
    chain = prepared(name, W)
    chain.run(chain.default_steps()[0])
    drawn = pattern(chain, (60, 24))
    chain.close()
    assert drawn[W == 0].any()
    assert chain.moves_over == "cells"


@pytest.mark.parametrize("name", OURS)
def test_bipnet__of_a_pruned_layer_moves_over_edges_alone(name: str) -> None:
    W = make_matrix(Case(60, 24, 80))
    chain = prepared(name, W)
    chain.run(chain.default_steps()[0])
    drawn = pattern(chain, (60, 24))
    assert not drawn[W == 0].any()
    assert (drawn.sum(axis=0) == (W > 0).sum(axis=0)).all()
    assert (drawn.sum(axis=1) == (W > 0).sum(axis=1)).all()
    assert chain.moves_over == "edges"


def test_author_lists__is_the_described_algorithm_with_its_flaws(W: Matrix) -> None:
    authors = AuthorLists()
    authors.prepare(W, "G")
    authors.run(authors.steps_per_pass())
    R = np.array(authors.drawn, dtype=np.float32)
    assert (R != 0).all()
    for before, after in zip(W, R, strict=True):  # a positive weight stays with its left node
        assert sorted(before[before > 0]) == sorted(after[after > 0])
    diagonal = np.arange(24)
    assert ((R[diagonal, diagonal] > 0) <= (W[diagonal, diagonal] > 0)).all()
    lost = 1 - len(np.unique(R[R < 0])) / (W < 0).sum()
    assert 0.15 < lost < 0.35


def test_author_lists__cannot_do_pruned_layers() -> None:
    with pytest.raises(CannotServeError, match="missing edges"):
        AuthorLists().prepare(make_matrix(Case(10, 10, 50)), "G")


@pytest.mark.parametrize("null", ["A", "C", "D"])
def test_numpy__has_no_way_to_hold_zeros_but_for_a(null: str) -> None:
    W = make_matrix(Case(30, 20, 50))
    peer = NumPyPermutation()
    if null != "A":
        with pytest.raises(CannotServeError, match="zeros"):
            peer.prepare(W, null)
        return
    peer.prepare(W, null)
    before = W.copy()
    peer.run(0)
    assert (before == W).all()


def test_memory_copy__copies(W: Matrix) -> None:
    peer = MemoryCopy()
    peer.prepare(W, "copy")
    peer.run(0)
    assert (peer._target == W).all()


@pytest.mark.parametrize("name", list(PEERS))
def test_peer__says_who_it_is(name: str) -> None:
    peer = PEERS[name]
    assert peer.name == name
    assert peer.licence
    assert peer.cannot or name in OURS
    assert set(peer.nulls) <= {"copy", *"ABCDEFG"}
