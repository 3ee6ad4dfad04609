"""NetworKit's three chains, on the positive graph directed left -> right.

Directed, so that it stays bipartite: only left nodes have out-edges to trade or to switch. A run
is constructor + run + getGraph, graph in, graph out. The degree-preserving shuffle before the
chain is left out: it mends directed triangles, which a bipartite graph has none of.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bipnet.bench.peer import Cells, Chain, Matrix, bipartite_cells, load, positive_edges


class _NetworKitChain(Chain):
    distribution = "networkit"
    licence = "MIT"
    cannot = "signs (positive graph only), weights, zeros"

    def prepare(self, W: Matrix, null: str) -> None:
        self._nk = load("networkit", type(self))
        self._n_left: int = W.shape[0]
        self._n_right: int = W.shape[1]
        left, right = positive_edges(W)
        self._n_edges = int(left.size)
        ends = (left.astype(np.uint64), (right + self._n_left).astype(np.uint64))
        self._graph: Any = self._nk.GraphFromCoo(ends, n=sum(W.shape), directed=True)

    def _walked(self, chain: Any, *trades: Any) -> None:
        chain.run(*trades)
        self._graph = chain.getGraph()

    def positive(self) -> Cells:
        edges = np.fromiter(self._graph.iterEdges(), dtype=np.dtype((np.int64, 2)))
        return bipartite_cells(edges, self._n_left, self._n_right)


class GlobalCurveball(_NetworKitChain):
    """Global trades: every round pairs all nodes at random (right ones have nothing to trade)."""

    name = "NetworKit GlobalCurveball"
    unit = "round"

    def run(self, steps: int) -> None:
        make = self._nk.randomization.GlobalCurveball
        self._walked(make(self._graph, steps, degreePreservingShufflePreprocessing=False))

    def steps_per_pass(self) -> int:
        return 1

    def default_steps(self) -> tuple[int, str]:
        return 20, "NetworKit's default"


class Curveball(_NetworKitChain):
    """Single trades between random pairs of left nodes; drawing the pairs is part of the run."""

    name = "NetworKit Curveball"
    unit = "trade"

    def run(self, steps: int) -> None:
        rng = np.random.default_rng()
        first = rng.integers(0, self._n_left, steps)
        second = (first + rng.integers(1, self._n_left, steps)) % self._n_left
        trades = list(zip(first.tolist(), second.tolist(), strict=True))
        self._walked(self._nk.randomization.Curveball(self._graph), trades)

    def steps_per_pass(self) -> int:
        return (self._n_left + 1) // 2

    def default_steps(self) -> tuple[int, str]:
        return 20 * self.steps_per_pass(), "none: as many trades as 20 global rounds of left nodes"


class EdgeSwitching(_NetworKitChain):
    """Edge switches; refused ones count."""

    name = "NetworKit EdgeSwitching"
    unit = "attempt"

    def run(self, steps: int) -> None:
        per_edge = steps / self._n_edges
        self._walked(self._nk.randomization.EdgeSwitching(self._graph, per_edge, False))

    def steps_per_pass(self) -> int:
        return self._n_edges

    def default_steps(self) -> tuple[int, str]:
        return 10 * self._n_edges, "NetworKit's default, 10 per edge"
