"""Rewrite the layers of a safetensors checkpoint one by one, and go on after a kill.

One layer is in memory at a time. The output grows in a hidden folder beside its name, with a
journal of the finished layers, and gets its name at the end in a single step.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import numpy.typing as npt

from bipnet._atomic import (
    abandoned_partials,
    flush_path,
    flush_tree,
    kept_folder,
    move_in,
)
from bipnet._memory import new_array, readable_bytes
from bipnet._progress import Stopwatch
from bipnet.convert.extent import Extent, copy_bytes
from bipnet.convert.journal import Journal, Plan, make_plan
from bipnet.convert.safetensors_file import SafetensorsFolder, SafetensorsSource, TensorFile
from bipnet.convert.source import LayerInfo, naming
from bipnet.errors import BipnetWarning, InputError, warn_caller

Array = npt.NDArray[Any]
Checkpoint = SafetensorsSource | SafetensorsFolder

_MADE = "made"
_FLUSH_BYTES = 1 << 24  # written bytes after which the disk is set to work


@dataclass(frozen=True)
class Rewritten:
    """What `rewrite` did.

    Attributes
    ----------
    seconds
        By stage: "copy" of all that stays, "read", "change", "write", "check" of resumed
        layers, "flush" to disk; and in "total".
    resumed
        Names of the layers that an earlier run had finished; None if it did not go on with one.
    """

    seconds: dict[str, float]
    resumed: list[str] | None


def rewrite(
    source: Checkpoint,
    layers: Sequence[LayerInfo],
    output: Path,
    change: Callable[[LayerInfo, Array], None],
    recipe: Mapping[str, Any],
    *,
    force: bool = False,
    resume: bool = False,
    advance: Callable[[int], object] = lambda _: None,
) -> Rewritten:
    """Write a checkpoint anew with some layers changed; every other byte stays as it was.

    Parameters
    ----------
    source
        An opened file or folder; the output is of the same kind.
    layers
        Which of its layers to change.
    output
        The file or folder to make.
    change
        Called with each layer and its (n_left, n_right) matrix, which it changes in place. It
        must not depend on the other layers or on their order.
    recipe
        What ``change`` does, in plain values: whoever resumes must give the same.
    force
        Replace the output if it exists, in a single step at the end.
    resume
        Go on with what a killed or interrupted call has left, if there is any. Finished layers
        are checked and not changed again.
    advance
        Called with the number of weights of each layer when it is done.

    Returns
    -------
    Seconds by stage, and which layers were there already.

    Raises
    ------
    DTypeError
        A layer is quantised; before anything is written.
    InputError
        A layer has NaN or infinite weights; the input changes meanwhile; with ``resume``: what
        is there belongs to another input, recipe or choice of layers.
    OutputExistsError, MissingFileError, OSError
        The output cannot be made; there is no room for it.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from safetensors.numpy import load_file, save_file
    >>> from bipnet import randomize
    >>> from bipnet.convert import open_source
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> W = np.array([[1.0, -2.0, 3.0], [-4.0, 5.0, 6.0]])
    >>> save_file({"fc.weight": W, "fc.bias": W[0]}, folder / "model.safetensors")
    >>> def draw(layer, matrix):
    ...     randomize(matrix, "A", rng=7, name=layer.name, out=matrix)
    >>> source = open_source(folder / "model.safetensors")
    >>> done = rewrite(source, source.layers, folder / "random.safetensors", draw, {"seed": 7})
    >>> new = load_file(folder / "random.safetensors")
    >>> bool((new["fc.weight"].T == randomize(W.T, "A", rng=7, name="fc.weight")).all())
    True
    >>> new["fc.bias"].tolist()
    [1.0, -2.0, 3.0]
    """
    for layer in layers:
        source.require_readable(layer)
    identity = source.identity()
    plan = make_plan(identity, recipe, [(layer.name, layer.orientation) for layer in layers])
    watch = Stopwatch()
    if resume and _is_done(output, plan):
        for layer in layers:
            advance(layer.shape[0] * layer.shape[1])
        return Rewritten(watch.seconds(), [layer.name for layer in layers])
    source.require_output(output, force=force)
    if source.copied_weights:
        names = ", ".join(map(str, source.copied_weights[:5]))
        warn_caller(f"{source.folder}: copied as it is, weights and all: {names}", BipnetWarning)
    with kept_folder(output, force=force, adopt=_adopted(output, plan) if resume else None) as work:
        journal = Journal.found(work)
        going_on = journal is not None
        if journal is None:
            journal = Journal.begin(work, plan)
        else:
            journal.rewrite()
        target = _Target(source, work / _MADE, layers)
        _require_room(source, target, output)
        with watch.stage("copy"):
            target.prepare()
        resumed = _change_layers(source, layers, change, journal, target, watch, advance)
        if source.identity() != identity:
            raise InputError(f"{source.folder}: the input has changed while it was read")
        with watch.stage("flush"):
            target.flush()
            journal.finish(target.made)
            move_in(target.made, output, force=force)
            # What stood there before; the journal goes last, so that until then it is known
            # that all is done.
            shutil.rmtree(target.made, ignore_errors=True)
    return Rewritten(watch.seconds(), resumed if going_on else None)


def unfinished_recipe(output: Path) -> Plan | None:
    """The plan, with the recipe in it, of the newest unfinished output beside ``output``."""
    if output.parent.is_dir():
        for folder in abandoned_partials(output):
            journal = Journal.found(folder)
            if journal is not None and (
                journal.can_go_on(folder / _MADE) or journal.is_output(output)
            ):
                return journal.plan
    return None


def _adopted(output: Path, plan: Plan) -> Callable[[list[Path]], Path | None]:
    def adopt(dead: list[Path]) -> Path | None:
        found = _journals(dead)
        for folder, journal in found:
            if journal.plan == plan:
                return folder
        for _, journal in found:
            journal.require_plan(plan, output)
        return None

    return adopt


def _journals(dead: list[Path]) -> list[tuple[Path, Journal]]:
    """Those of partial outputs in which one can go on."""
    found = [(folder, Journal.found(folder)) for folder in dead]
    return [
        (folder, journal)
        for folder, journal in found
        if journal is not None and journal.can_go_on(folder / _MADE)
    ]


def _is_done(output: Path, plan: Plan) -> bool:
    """Whether the run to be resumed had come to its end, all but for clearing up."""
    for folder in abandoned_partials(output) if output.parent.is_dir() else []:
        journal = Journal.found(folder)
        if journal is not None and journal.is_output(output):
            journal.require_plan(plan, output)
            shutil.rmtree(folder / _MADE, ignore_errors=True)
            shutil.rmtree(folder, ignore_errors=True)
            return True
    return False


def _require_room(source: Checkpoint, target: _Target, output: Path) -> None:
    """Find out now rather than after hours; what is there already counts."""
    needed = 0
    for name in (*(PurePath(file.name) for file in source.files), *source.others):
        needed += (source.folder / name).stat().st_size
        there = target.path(str(name))
        if there.exists():
            info = there.stat()
            holes = info.st_size - 512 * getattr(info, "st_blocks", 0)
            needed -= info.st_size - max(holes, 0)
    free = shutil.disk_usage(output.parent).free
    if needed > free:
        reason = f"{readable_bytes(needed)} are needed on its disk and {readable_bytes(free)} free"
        raise OSError(errno.ENOSPC, reason, str(output))


def _change_layers(
    source: Checkpoint,
    layers: Sequence[LayerInfo],
    change: Callable[[LayerInfo, Array], None],
    journal: Journal,
    target: _Target,
    watch: Stopwatch,
    advance: Callable[[int], object],
) -> list[str]:
    extents = [source.extent_of(layer) for layer in layers]
    # One piece of memory for all layers: fresh pages for each would cost as much as a copy.
    largest = max((extent.n_bytes for extent in extents), default=0)
    buffer = new_array((largest,), np.dtype(np.uint8))
    resumed = []
    for layer, extent in zip(layers, extents, strict=True):
        if layer.name in journal.done:
            with watch.stage("check"):
                kept = target.digest(extent) == journal.done[layer.name]
            if kept:
                resumed.append(layer.name)
                advance(extent.placement.n_words)
                continue
        with watch.stage("read"):
            matrix = source.read_matrix(layer, buffer)
        with watch.stage("change"), naming(f"{source.path}: {layer.title}"):
            change(layer, matrix)
        with watch.stage("write"):
            source.uncover(layer, matrix)
            journal.add(layer.name, target.write(extent, matrix))
        advance(extent.placement.n_words)
    return resumed


class _Target:
    """The unfinished output: a file, or a folder of files."""

    def __init__(self, source: Checkpoint, made: Path, layers: Sequence[LayerInfo]) -> None:
        self.made = made
        self._source = source
        self._extents: dict[str, list[Extent]] = {file.name: [] for file in source.files}
        for layer in layers:
            extent = source.extent_of(layer)
            self._extents[extent.file].append(extent)
        self._is_folder = isinstance(source, SafetensorsFolder)
        self._disk = ThreadPoolExecutor(1)
        self._flushing: Future[None] | None = None
        self._unflushed: set[Path] = set()
        self._n_unflushed = 0

    def prepare(self) -> None:
        """Make every file at its full size and copy all that is no chosen layer.

        In an output that is resumed this is done again: it is quick, and overwrites what may
        have been cut off.
        """
        if self._is_folder:
            self.made.mkdir(exist_ok=True)
        for file in self._source.files:
            self._copy_around(file)
        for name in self._source.others:
            path = self.made / name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self._source.folder / name, path)

    def write(self, extent: Extent, matrix: Array) -> str:
        """Write a layer; give its digest. The disk is kept busy meanwhile."""
        place = self._place(extent)
        digest = place.write(self.made if self._is_folder else self.made.parent, matrix)
        self._wrote(self.path(extent.file), extent.n_bytes)
        return digest

    def _wrote(self, path: Path, n_bytes: int) -> None:
        self._unflushed.add(path)
        self._n_unflushed += n_bytes
        if self._n_unflushed < _FLUSH_BYTES:
            return
        if self._flushing is not None:
            if not self._flushing.done():
                return
            self._flushing.result()
        self._flushing = self._disk.submit(_flush_all, sorted(self._unflushed))
        self._unflushed.clear()
        self._n_unflushed = 0

    def digest(self, extent: Extent) -> str:
        """The digest of what is there of a layer."""
        folder = self.made if self._is_folder else self.made.parent
        return self._place(extent).digest(folder)

    def flush(self) -> None:
        """Wait until all is on disk."""
        self._disk.shutdown()
        if self._flushing is not None:
            self._flushing.result()
        if self._is_folder:
            flush_tree(self.made)
        else:
            flush_path(self.made)

    def path(self, name: str) -> Path:
        """Where a file of the checkpoint is made."""
        return self.made / name if self._is_folder else self.made

    def _place(self, extent: Extent) -> Extent:
        return extent if self._is_folder else extent.renamed(_MADE)

    def _copy_around(self, file: TensorFile) -> None:
        path = self.path(file.name)
        path.touch()
        with (
            open(self._source.folder / file.name, "rb", buffering=0) as old,
            open(path, "r+b", buffering=0) as new,
        ):
            new.truncate(file.size)
            at = 0
            for extent in sorted(self._extents[file.name], key=lambda extent: extent.offset):
                copy_bytes(old, new, at, extent.offset)
                at = extent.offset + extent.n_bytes
            copy_bytes(old, new, at, file.size)
        self._wrote(path, file.size)


def _flush_all(paths: list[Path]) -> None:
    for path in paths:
        flush_path(path)
