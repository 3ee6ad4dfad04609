"""What the benchmark asks of a peer. One peer is one small class in ``peers/``."""

from __future__ import annotations

import importlib
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from importlib import metadata
from typing import Any, ClassVar

import numpy as np

Matrix = np.ndarray[Any, Any]
Cells = np.ndarray[Any, np.dtype[np.int64]]
"""Flat indices i * n_right + j of cells, in any order."""


class MissingPeerError(Exception):
    """The peer is not installed; the message says how to install it."""


class CannotServeError(Exception):
    """The peer cannot do this null model or matrix; the message says why."""


class Peer(ABC):
    """A peer that draws at once: no chain, no steps.

    Attributes
    ----------
    name
        As in tables and on the command line.
    distribution
        Its distribution on PyPI, for the version; "" where it is no package.
    licence
        SPDX identifier.
    cannot
        What it cannot do of: signs, weights, zeros, bipartite.
    nulls
        The null models it is measured under.
    install
        How to install it.
    """

    name: ClassVar[str]
    distribution: ClassVar[str] = ""
    licence: ClassVar[str]
    cannot: ClassVar[str]
    nulls: ClassVar[Sequence[str]]
    install: ClassVar[str] = "pip install 'bipnet[bench]'"

    @classmethod
    def version(cls) -> str:
        """The installed version.

        Raises
        ------
        MissingPeerError
            It is not installed.
        """
        try:
            return metadata.version(cls.distribution)
        except metadata.PackageNotFoundError:
            raise MissingPeerError(f"not installed: {cls.install}") from None

    @classmethod
    def is_for(cls, n_missing: int) -> bool:
        """Whether a matrix with so many missing edges is this peer's business at all."""
        return True

    @abstractmethod
    def prepare(self, W: Matrix, null: str) -> None:
        """Convert ``W`` into what the peer works on. Not part of the time.

        Raises
        ------
        CannotServeError
            The peer cannot do this.
        """

    @abstractmethod
    def run(self, steps: int) -> None:
        """One draw from the data; a `Chain` makes ``steps`` steps (others get 0)."""

    def timed(self, steps: int) -> float:
        """Seconds of one `run`."""
        start = time.perf_counter()
        self.run(steps)
        return time.perf_counter() - start

    def close(self) -> None:  # noqa: B027  (most peers have nothing to give back)
        """Give back what `prepare` has started."""


class Chain(Peer):
    """A peer that walks: how long is asked of all chains in the same way (``mixing.py``).

    Attributes
    ----------
    unit
        What one of its steps is: "attempt", "success", "trade", "round" or "sweep".
    moves_over
        "edges" if missing edges stay missing, "cells" if it takes a pruned edge for a negative
        one, so that positive edges may move into missing ones.
    continues
        Whether `run` goes on from where the last one stopped (else it starts from the data).
    """

    nulls: ClassVar[Sequence[str]] = ("G",)
    unit: ClassVar[str]
    moves_over: ClassVar[str] = "cells"
    continues: ClassVar[bool] = True

    @abstractmethod
    def steps_per_pass(self) -> int:
        """Steps after which every positive edge or node has been chosen about once."""

    @abstractmethod
    def default_steps(self) -> tuple[int, str]:
        """The published or default number of steps, and where it is from."""

    @abstractmethod
    def positive(self) -> Cells:
        """The cells that are positive now. Edges within a side are left out."""


def load(module: str, peer: type[Peer]) -> Any:
    """Import a peer's library; its types are its own business.

    Raises
    ------
    MissingPeerError
        It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingPeerError(f"{error}: {peer.install}") from None


def positive_edges(W: Matrix) -> tuple[Cells, Cells]:
    """Left and right end of every positive edge, in row-major order; right nodes from 0."""
    left, right = np.nonzero(W > 0)
    return left, right


def bipartite_cells(edges: Any, n_left: int, n_right: int) -> Cells:
    """Cells of an (n, 2) array of edges whose right nodes are numbered from ``n_left`` on."""
    ends = np.sort(np.asarray(edges, dtype=np.int64).reshape(-1, 2), axis=1)
    ends = ends[(ends[:, 0] < n_left) & (ends[:, 1] >= n_left)]
    return ends[:, 0] * n_right + ends[:, 1] - n_left
