"""The paper authors' algorithm for model G in plain Python lists, from its description alone.

Two positive edges chosen at random exchange their right ends unless one of the new edges exists
(looked up in the list) or is a cell (i, i); this goes on until a number of exchanges has
succeeded. A positive weight stays with its left node. Cells that were negative and still are keep
their weight; cells that became negative are filled from the head of the list of negative weights,
so that about a quarter of them is lost. Our model G has none of this.
"""

from __future__ import annotations

import random

import numpy as np

from bipnet.bench.peer import CannotServeError, Cells, Chain, Matrix


class AuthorLists(Chain):
    """Exchanges until a number of them has succeeded: not uniform."""

    name = "authors' lists"
    licence = "MIT"
    cannot = "uniform draws (counts successes, never cell (i, i)); loses negative weights; zeros"
    unit = "success"

    @classmethod
    def version(cls) -> str:
        return "our own lines, from the description"

    def prepare(self, W: Matrix, null: str) -> None:
        if not W.all():
            raise CannotServeError("its refilling of negative cells knows no missing edges")
        self._rows: list[list[float]] = W.tolist()
        self._n_right: int = W.shape[1]
        cells = [(i, j) for i, row in enumerate(self._rows) for j, w in enumerate(row) if w > 0]
        self._edges: list[tuple[int, int]] = cells
        self._weights = [self._rows[i][j] for i, j in cells]
        self._negative = [w for row in self._rows for w in row if w < 0]
        self._rng = random.Random(7)

    def run(self, steps: int) -> None:
        edges, n = self._edges, len(self._edges)
        successes = 0
        while successes < steps:
            a, b = self._rng.randrange(n), self._rng.randrange(n)
            (i, j), (k, l) = edges[a], edges[b]  # noqa: E741
            if i == l or k == j or (i, l) in edges or (k, j) in edges:
                continue
            edges[a], edges[b] = (i, l), (k, j)
            successes += 1
        self._refill()

    def _refill(self) -> None:
        drawn = [[0.0] * self._n_right for _ in self._rows]
        for (i, j), w in zip(self._edges, self._weights, strict=True):
            drawn[i][j] = w
        head = 0
        for row, old in zip(drawn, self._rows, strict=True):
            for j, w in enumerate(row):
                if w == 0 and old[j] < 0:
                    row[j] = old[j]
                elif w == 0:
                    row[j] = self._negative[head]
                    head += 1
        self.drawn = drawn

    def steps_per_pass(self) -> int:
        return len(self._edges)

    def default_steps(self) -> tuple[int, str]:
        return len(self._edges), "not in the description: one success per positive edge"

    def positive(self) -> Cells:
        ends = np.array(self._edges, dtype=np.int64)
        cells: Cells = ends[:, 0] * self._n_right + ends[:, 1]
        return cells
