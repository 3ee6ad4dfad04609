"""bipnet itself: whole public calls, with every check and the copy."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

import bipnet
from bipnet.bench.peer import Cells, Chain, Matrix


class BipnetDense(Chain):
    """bipnet.randomize of an array, with its default method."""

    name = "bipnet"
    distribution = "bipnet"
    licence = "MIT"
    cannot = ""
    nulls = tuple(bipnet.NULL_MODELS)
    unit = "round"
    moves_over = "edges"
    continues = False
    method: str | None = None

    def prepare(self, W: Matrix, null: str) -> None:
        self._W: Any = self._container(W)
        self._null = null
        self._n_positive = int((W > 0).sum())
        self._draws = 0
        # Frozen edges (alone in a group of a pruned layer) are no news here.
        warnings.simplefilter("ignore", bipnet.BipnetWarning)

    def _container(self, W: Matrix) -> Any:
        return W

    def run(self, steps: int) -> None:
        """One call; for G with a given number of steps, 0 for the default."""
        self._R = bipnet.randomize(
            self._W,
            self._null,
            rng=7,
            index=self._draws,
            method=self.method,
            steps=steps or None,
        )
        self._draws += 1

    def steps_per_pass(self) -> int:
        return 1

    def default_steps(self) -> tuple[int, str]:
        steps = bipnet.ensemble(self._W, "G", n=1, rng=7, method=self.method).steps
        return int(steps or 0), "bipnet's default"

    def positive(self) -> Cells:
        return np.flatnonzero(np.asarray(self._R) > 0)


class BipnetCSR(BipnetDense):
    """The same, of a scipy.sparse.csr_array."""

    name = "bipnet CSR"

    @classmethod
    def is_for(cls, n_missing: int) -> bool:
        return n_missing > 0  # nobody keeps a full matrix as CSR

    def _container(self, W: Matrix) -> Any:
        from scipy.sparse import csr_array

        return csr_array(W)

    def positive(self) -> Cells:
        coo = self._R.tocoo()
        n_right: int = coo.shape[1]
        rows, columns = coo.coords
        cells: Cells = (rows.astype(np.int64) * n_right + columns)[coo.data > 0]
        return cells


class BipnetSwap(BipnetDense):
    """bipnet.randomize(method="swap"): plain edge swaps, as most peers make them."""

    name = "bipnet swap"
    nulls = ("G",)
    unit = "attempt"
    method = "swap"

    def steps_per_pass(self) -> int:
        return self._n_positive
