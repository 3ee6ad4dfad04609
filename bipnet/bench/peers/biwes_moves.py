"""BiWES, on the 0/1 matrix of positive edges, with its structures made beforehand."""

from __future__ import annotations

from typing import Any

import numpy as np

from bipnet.bench.peer import Cells, Chain, Matrix, load


class BiWESMoves(Chain):
    """A third weight moves (idle on 0/1), a third simple and a third bridge edge swaps."""

    name = "BiWES"
    distribution = "biwes"
    licence = "MIT"
    cannot = "signs, real weights (positive integers, whose values it changes), zeros"
    unit = "attempt"

    def prepare(self, W: Matrix, null: str) -> None:
        biwes = load("biwes", type(self))
        pattern = (W > 0).astype(np.int64)
        self._n_edges = int(pattern.sum())
        state = biwes.pre_compute(pattern)
        # It gives the lists of weights last and takes them fourth.
        self._pattern, by_edge, by_weight, neighbours, lists, unique, unique_list = state
        self._state: tuple[Any, ...] = (by_edge, by_weight, unique, unique_list, neighbours, lists)
        self._moves = biwes.BiWES2

    def run(self, steps: int) -> None:
        self._pattern = self._moves(self._pattern, *self._state, steps)

    def steps_per_pass(self) -> int:
        return self._n_edges

    def default_steps(self) -> tuple[int, str]:
        return 10 * self._n_edges, "none: 10 per edge, as elsewhere"

    def positive(self) -> Cells:
        return np.flatnonzero(self._pattern)
