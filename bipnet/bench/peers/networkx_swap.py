"""networkx's double_edge_swap, in place, on the undirected positive graph.

Its directed variant needs paths of three edges, which a graph of edges left -> right has none of.
"""

from __future__ import annotations

from typing import Any

from bipnet.bench.peer import Cells, Chain, Matrix, bipartite_cells, load, positive_edges


class NetworkXSwap(Chain):
    """Edge switches until a number of them has succeeded: not uniform."""

    name = "networkx double_edge_swap"
    distribution = "networkx"
    licence = "BSD-3-Clause"
    cannot = "bipartite (edges come to lie within a side), signs, weights, zeros; counts successes"
    unit = "success"

    def prepare(self, W: Matrix, null: str) -> None:
        networkx = load("networkx", type(self))
        self._swap = networkx.double_edge_swap
        self._n_left, self._n_right = W.shape
        left, right = positive_edges(W)
        self._graph: Any = networkx.Graph()
        self._graph.add_nodes_from(range(sum(W.shape)))
        ends = zip(left.tolist(), (right + self._n_left).tolist(), strict=True)
        self._graph.add_edges_from(ends)

    def run(self, steps: int) -> None:
        self._swap(self._graph, nswap=steps, max_tries=1000 * steps + 1000)

    def steps_per_pass(self) -> int:
        return int(self._graph.number_of_edges())

    def default_steps(self) -> tuple[int, str]:
        return 10 * self.steps_per_pass(), "none (default 1): 10 per edge, as elsewhere"

    def positive(self) -> Cells:
        return bipartite_cells(list(self._graph.edges), self._n_left, self._n_right)
