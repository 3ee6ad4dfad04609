"""igraph's rewire, in place, on the positive graph directed left -> right (stays bipartite)."""

from __future__ import annotations

from typing import Any

import numpy as np

from bipnet.bench.peer import Cells, Chain, Matrix, bipartite_cells, load, positive_edges


class IgraphRewire(Chain):
    """Edge switches; refused ones count."""

    name = "igraph rewire"
    distribution = "igraph"
    licence = "GPL-2.0-or-later"
    cannot = "signs (positive graph only), weights, zeros"
    unit = "attempt"

    def prepare(self, W: Matrix, null: str) -> None:
        igraph = load("igraph", type(self))
        self._n_left, self._n_right = W.shape
        left, right = positive_edges(W)
        edges = np.column_stack([left, right + self._n_left])
        self._graph: Any = igraph.Graph(n=sum(W.shape), edges=edges, directed=True)

    def run(self, steps: int) -> None:
        self._graph.rewire(n=steps)

    def steps_per_pass(self) -> int:
        return int(self._graph.ecount())

    def default_steps(self) -> tuple[int, str]:
        return 10 * self.steps_per_pass(), "igraph's default, 10 per edge"

    def positive(self) -> Cells:
        return bipartite_cells(self._graph.get_edgelist(), self._n_left, self._n_right)
