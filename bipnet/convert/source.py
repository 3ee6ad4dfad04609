"""What every input looks like: named layers to read as graphs, and a way to write them back."""

from __future__ import annotations

import difflib
import fnmatch
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bipnet.errors import (
    BipnetError,
    BipnetWarning,
    DTypeError,
    FileFormatError,
    InputError,
    LayerNotFoundError,
    TooLargeError,
)
from bipnet.graph import SignedBipartiteGraph


@dataclass(frozen=True)
class LayerInfo:
    """One layer of an input, before its weights are read.

    Attributes
    ----------
    name
        Its tensor's name (with ``#k`` for group or expert k): part of a draw's identity. The
        only matrix of a file has the name "".
    module
        The module the tensor belongs to ("" where there are none): globs match it too.
    kind
        "matrix", "linear", "convolution", "embedding", "head", ...
    shape
        (n_left, n_right).
    dtype
        Its name.
    orientation
        A layout of `bipnet.convert.orientation`.
    by_default
        Whether it is taken when no glob names layers.
    note
        Anything a user should know: ties, assumed groups, why it is not taken by default.
    aliases
        Other names of the same memory, each followed by its module: globs match them too.
    """

    name: str
    module: str
    kind: str
    shape: tuple[int, int]
    dtype: str
    orientation: str
    by_default: bool = True
    note: str = ""
    aliases: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return self.name or "(matrix)"

    @property
    def tied(self) -> tuple[str, ...]:
        """Names of the other tensors that are the same memory (of whole ones, not of pieces)."""
        return self.aliases[::2]


@dataclass(frozen=True)
class Skipped:
    """A tensor of an input that is no layer, and why."""

    name: str
    reason: str


class Writer(ABC):
    """Takes the changed layers of a source one by one."""

    @abstractmethod
    def put(self, layer: LayerInfo, graph: SignedBipartiteGraph) -> None:
        """Use ``graph`` in place of ``layer``: same shape and dtype."""


class Source(ABC):
    """An opened input: a file, or a folder, with at least one matrix.

    Attributes
    ----------
    path
        Where it is.
    format
        Name of its format, for people and provenance.
    layers, skipped
        What can be read as a graph, and what else there is.
    """

    path: Path
    format: str
    layers: Sequence[LayerInfo]
    skipped: Sequence[Skipped]

    @abstractmethod
    def read(self, layer: LayerInfo) -> SignedBipartiteGraph:
        """The weights of one layer as a graph, rows = left nodes."""

    @abstractmethod
    def writer(self, path: Path, *, force: bool) -> AbstractContextManager[Writer]:
        """Write a file of the same format: put layers go in, everything else stays as it was.

        The file appears when the block ends without an error, whole.
        """


def matching_layers(
    layers: Sequence[LayerInfo],
    globs: Iterable[str],
    where: object,
    skipped: Sequence[Skipped] = (),
) -> list[LayerInfo]:
    """The layers whose tensor or module name matches a glob; the default ones without globs.

    An error also says why ``skipped`` tensors are no layers.

    Raises
    ------
    LayerNotFoundError
        A glob matches nothing, or there is no default layer; lists what there is.
    """
    globs = list(globs)
    if not globs:
        chosen = [layer for layer in layers if layer.by_default]
        if not chosen:
            raise LayerNotFoundError(
                f"{where} has no linear or convolution layer; name layers with a glob."
                f" {_what_there_is(layers)}{_why_not(skipped, '*')}"
            )
        return chosen
    wanted: set[str] = set()
    for glob in globs:
        hits = [
            layer.name
            for layer in layers
            if any(
                fnmatch.fnmatchcase(name, glob)
                for name in (layer.name, layer.module, *layer.aliases)
            )
        ]
        if not hits:
            close = difflib.get_close_matches(glob, [layer.name for layer in layers], n=1)
            guess = f" Did you mean {close[0]!r}?" if close else ""
            raise LayerNotFoundError(
                f"no layer of {where} matches {glob!r}.{guess} {_what_there_is(layers)}"
                f"{_why_not(skipped, glob)}"
            )
        wanted.update(hits)
    return [layer for layer in layers if layer.name in wanted]


def _what_there_is(layers: Sequence[LayerInfo]) -> str:
    if not layers:
        return "There are no layers at all."
    names = [layer.title for layer in layers[:20]]
    more = f" and {len(layers) - 20} more" if len(layers) > 20 else ""
    return f"There are: {', '.join(names)}{more}."


def _why_not(skipped: Sequence[Skipped], glob: str) -> str:
    reasons = [
        f"{tensor.name} is {tensor.reason}"
        for tensor in skipped
        if any(
            fnmatch.fnmatchcase(name, glob)
            for name in (tensor.name, tensor.name.rpartition(".")[0])
        )
        and not (glob == "*" and tensor.reason.startswith("a vector"))
    ]
    return f" But {'; '.join(reasons[:5])}." if reasons else ""


def require_same_frame(layer: LayerInfo, graph: SignedBipartiteGraph) -> None:
    """Raise unless ``graph`` can stand in for ``layer``."""
    if graph.shape != layer.shape or graph.dtype.name != layer.dtype:
        raise InputError(
            f"layer {layer.title} is {layer.shape} {layer.dtype}; it cannot be replaced by"
            f" {graph.shape} {graph.dtype.name}"
        )


@contextmanager
def naming(where: object) -> Iterator[None]:
    """Say in which file or layer weights are wrong."""
    try:
        yield
    except (InputError, DTypeError) as error:
        raise type(error)(f"{where}: {error}") from None


@contextmanager
def reading(path: Path, what: str) -> Iterator[None]:
    """Turn whatever a parser raises on a damaged file into one clear `FileFormatError`."""
    try:
        yield
    except (BipnetError, BipnetWarning, PermissionError):
        raise
    except MemoryError as error:
        raise TooLargeError(f"reading {path} needs more memory than there is: {error}") from None
    except Exception as error:  # parsers raise all kinds on damaged files, assertions included
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        if isinstance(error, KeyError):
            reason = f"{reason} is missing"
        if "allow_pickle" in reason:  # NumPy's advice, which nobody should follow
            reason = (
                "it is not in NumPy's format, or holds pickled Python objects, which could execute"
                " code and are never read"
            )
        raise FileFormatError(f"{path} is not a readable {what}: {reason}") from error
