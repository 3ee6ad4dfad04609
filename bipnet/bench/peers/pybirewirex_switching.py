"""PyBiRewireX, the Python port of BiRewire: switches on a dense 0/1 matrix."""

from __future__ import annotations

import numpy as np

from bipnet.bench.peer import Cells, Chain, Matrix, load


class PyBiRewireXSwitching(Chain):
    """Edge switches in C; refused ones count. A run copies the matrix in and out."""

    name = "PyBiRewireX"
    distribution = "pybirewirex"
    licence = "GPL-3.0-or-later"
    cannot = "signs (0/1 matrices only), weights, zeros"
    unit = "attempt"

    def prepare(self, W: Matrix, null: str) -> None:
        self._library = load("pybirewirex", type(self))
        self._pattern = (W > 0).astype(np.int16)
        self._n_edges = int(self._pattern.sum(dtype=np.int64))
        self._n_cells = W.size

    def run(self, steps: int) -> None:
        self._pattern = self._library.rewire_bipartite(self._pattern, max_iter=steps)

    def steps_per_pass(self) -> int:
        return self._n_edges

    def default_steps(self) -> tuple[int, str]:
        bound = load("pybirewirex.bipartite", type(self)).bound_bipartite
        steps = int(bound(self._n_edges, self._n_cells, 1e-5, False))
        return steps, "BiRewire's bound N (Iorio et al. 2016)"

    def positive(self) -> Cells:
        return np.flatnonzero(self._pattern)
