"""The values of statistics over draws: in threads, with progress, kept on disk if asked."""

from __future__ import annotations

import hashlib
import json
import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bipnet._atomic import new_file, require_free_output
from bipnet._progress import progress_bar
from bipnet._threads import Block, run_blocks
from bipnet.errors import FileFormatError, FrozenWarning, InputError, OutputExistsError
from bipnet.graph import SignedBipartiteGraph
from bipnet.measures.catalogue import Described, Statistic

Values = npt.NDArray[np.float64]

_SECONDS_BETWEEN_SAVES = 10.0


def values_of(described: Described, statistics: Mapping[str, Statistic]) -> dict[str, Values]:
    """The value of each statistic of one graph.

    Raises
    ------
    InputError
        A statistic gives something else than finite numbers, one or one for each node.
    """
    return {name: _checked(name, one, described) for name, one in statistics.items()}


def _checked(name: str, one: Statistic, described: Described) -> Values:
    try:
        value = one(described)
    except (TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"statistic {name!r} must give numbers: {error}") from error
    if value.ndim != 1 or not np.isfinite(value).all():
        raise InputError(
            f"statistic {name!r} must give finite numbers, one or one for each node; got"
            f" {value!r:.80}"
        )
    return value


def drawn_values(
    draws: Sequence[SignedBipartiteGraph],
    statistics: Mapping[str, Statistic],
    observed: Mapping[str, Values],
    *,
    n_threads: int,
    title: str,
    progress: bool,
    kept: Kept | None,
) -> dict[str, Values]:
    """(n, m) values of each statistic over all draws."""
    n = len(draws)
    found = {name: np.full((n, len(observed[name])), np.nan) for name in statistics}
    done = np.zeros(n, dtype=np.bool_)
    if kept is not None:
        kept.load_into(found, done)

    lock = threading.Lock()
    saved = time.monotonic()

    def work(block: Block) -> None:
        nonlocal saved
        for i in range(*block):
            values = values_of(Described(draws[i]), statistics)
            with lock:
                _take(values, found, i)
                done[i] = True
                bar.update()
                if kept is not None and time.monotonic() - saved > _SECONDS_BETWEEN_SAVES:
                    kept.save(found, done)
                    saved = time.monotonic()

    with progress_bar(n if progress else 0, title or "draws") as bar, warnings.catch_warnings():
        warnings.simplefilter("ignore", FrozenWarning)  # states say what cannot move
        bar.update(int(done.sum()) if progress else 0)
        try:
            run_blocks(work, [(int(i), int(i) + 1) for i in np.flatnonzero(~done)], n_threads)
        finally:
            if kept is not None:
                kept.save(found, done)
    return found


def _take(values: Mapping[str, Values], found: Mapping[str, Values], i: int) -> None:
    for name, value in values.items():
        wanted = found[name][i]
        if value.shape != wanted.shape:
            raise InputError(
                f"statistic {name!r} has {len(value)} values of draw {i} and {len(wanted)} of the"
                " data"
            )
        wanted[:] = value


class Kept:
    """A file of the values found so far (safetensors): the same test goes on where it was."""

    def __init__(self, path: Path, identity: Mapping[str, Any]) -> None:
        if path.is_dir():
            raise OutputExistsError(f"values of draws go into a file, and {path} is a folder")
        require_free_output(path, force=True)  # before the work, not after it
        self._path = path
        text = json.dumps(identity, sort_keys=True, default=str)
        self._key = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
        self._beyond: dict[str, npt.NDArray[Any]] = {}  # draws of a longer test, kept for it

    def load_into(self, found: Mapping[str, Values], done: npt.NDArray[np.bool_]) -> None:
        """What the file holds; nothing if there is none.

        Raises
        ------
        FileFormatError
            It is damaged, or no such file.
        InputError
            It is of another graph, null model, seed or set of statistics.
        """
        if not self._path.exists():
            return
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self._path, framework="numpy") as file:
                key = (file.metadata() or {}).get("bipnet significance")
                if key is None:
                    raise FileFormatError(f"{self._path} holds no values of draws")
                if key != self._key:
                    raise InputError(
                        f"{self._path} is of another graph, null model, seed or set of statistics:"
                        " name another file, or remove it"
                    )
                for number, (name, values) in enumerate(found.items()):
                    n_known, n_wanted = file.get_slice(str(number)).get_shape()[1], values.shape[1]
                    if n_known != n_wanted:
                        raise InputError(
                            f"{self._path} has {n_known} values of a draw for statistic {name!r},"
                            f" which gives {n_wanted} now: name another file, or remove it"
                        )
                known = file.get_tensor("done").astype(np.bool_)
                n = min(len(known), len(done))
                done[:n] = known[:n]
                self._beyond["done"] = file.get_tensor("done")[n:]
                for number, values in enumerate(found.values()):
                    known_values = file.get_tensor(str(number))
                    values[:n] = known_values[:n]
                    self._beyond[str(number)] = known_values[n:]
        except SafetensorError as error:
            raise FileFormatError(f"{self._path} is damaged: remove it ({error})") from error

    def save(self, found: Mapping[str, Values], done: npt.NDArray[np.bool_]) -> None:
        from safetensors.numpy import save_file

        tensors: dict[str, npt.NDArray[Any]] = {
            str(number): values for number, values in enumerate(found.values())
        }
        tensors["done"] = done.astype(np.uint8)
        for name, beyond in self._beyond.items():
            tensors[name] = np.concatenate([tensors[name], beyond])
        with new_file(self._path, force=True) as partial:
            save_file(
                tensors,
                partial,
                metadata={"bipnet significance": self._key},
            )
