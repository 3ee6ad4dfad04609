"""NumPy's shuffles, for the models that they can express, and the copy that bounds them all."""

from __future__ import annotations

import numpy as np

from bipnet.bench.peer import CannotServeError, Matrix, Peer


class MemoryCopy(Peer):
    """np.copyto of the same bytes into memory that is there already."""

    name = "memory copy"
    distribution = "numpy"
    licence = "BSD-3-Clause"
    cannot = "draws nothing: the floor of every draw"
    nulls = ("copy",)

    def prepare(self, W: Matrix, null: str) -> None:
        self._source, self._target = W, np.empty_like(W)
        self._target.fill(0)  # touched: page faults are not part of a copy

    def run(self, steps: int) -> None:
        np.copyto(self._target, self._source)


class NumPyPermutation(Peer):
    """A: Generator.permutation of the flat edges; C and D: Generator.permuted along an axis."""

    name = "NumPy"
    distribution = "numpy"
    licence = "BSD-3-Clause"
    cannot = "B, E, F, G: knows no signs; C, D of pruned layers: zeros would move"
    nulls = ("A", "C", "D")

    def prepare(self, W: Matrix, null: str) -> None:
        self._W, self._null = W, null
        self._edges = W != 0
        self._dense = bool(self._edges.all())
        if null != "A" and not self._dense:
            raise CannotServeError("Generator.permuted would move the zeros")
        self._rng = np.random.default_rng(7)

    def run(self, steps: int) -> None:
        if self._null == "C":
            self._rng.permuted(self._W, axis=1)
        elif self._null == "D":
            self._rng.permuted(self._W, axis=0)
        elif self._dense:
            self._rng.permutation(self._W.reshape(-1)).reshape(self._W.shape)
        else:
            R = np.zeros_like(self._W)
            R[self._edges] = self._rng.permutation(self._W[self._edges])
