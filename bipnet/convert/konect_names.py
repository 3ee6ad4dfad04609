"""Names of the nodes of a KONECT network, in files beside it: one line for each node.

Beside ``out.NETWORK`` there may be ``ent.NETWORK.person.name`` and ``ent.NETWORK.crime.name``,
where line i is the name of node i, and ``meta.NETWORK``, whose line ``entity-names: person, crime``
says what the left and the right nodes are. KONECT's handbook has the meta file; the others are as
its data sets have them (moreno_crime). The same kind of file with another ending (``person.sex``)
holds an attribute, which is no label.
"""

from __future__ import annotations

import contextlib
import glob
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bipnet._atomic import new_file
from bipnet.convert.source import reading
from bipnet.errors import FileFormatError, InputError, OutputExistsError
from bipnet.graph import SignedBipartiteGraph

Shape = tuple[int, int]
_SIDES = ("left", "right")


@dataclass(frozen=True)
class Names:
    """Labels of both sides (None: no file has them), and what files call the nodes of each."""

    left: tuple[str, ...] | None = None
    right: tuple[str, ...] | None = None
    kinds: tuple[str, str] = _SIDES

    def shape(self, least: Shape) -> Shape:
        """Numbers of nodes: ``least``, or as many as have a name."""
        return max(least[0], len(self.left or ())), max(least[1], len(self.right or ()))


def read_names(path: Path, shape: Shape, *, exact: bool) -> Names:
    """The names beside a network.

    A file belongs to the side that the meta file calls as it does, or else (they are not always
    spelled alike) to the one side that has as many nodes as it has lines.

    Parameters
    ----------
    path
        The network, ``out.NETWORK`` or ``NETWORK.konect``.
    shape
        Numbers of nodes of either side.
    exact
        Whether there are just so many; False: there may be more, which have no edge.

    Raises
    ------
    FileFormatError
        A file that is no text; with another number of names than there are nodes; of which nobody
        can tell whose names it has.
    InputError
        A name that stands there twice.
    """
    called = _called(_beside(path, "meta"))
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    for kind, file in _name_files(path).items():
        names = _read_lines(file)
        side = _side_of(kind, len(names), called, shape, file)
        if side in found:
            raise FileFormatError(
                f"{file} has names of the {side} nodes, and so has the file of the kind"
                f" {found[side][0]!r}: keep one of them"
            )
        n = shape[_SIDES.index(side)]
        if len(names) < n or (exact and len(names) > n):
            raise FileFormatError(f"{file} has {len(names)} names, but there are {n} {side} nodes")
        _require_unique(names, file)
        found[side] = kind, names
    kinds = [
        found[side][0] if side in found else (called or _SIDES)[number]
        for number, side in enumerate(_SIDES)
    ]
    left, right = (found[side][1] if side in found else None for side in _SIDES)
    return Names(left, right, _kinds(", ".join(kinds)) or _SIDES)


@contextlib.contextmanager
def network_file(path: Path, names: Names, shape: Shape, *, force: bool) -> Iterator[Path]:
    """A temporary path for the network, which appears last; its names and its meta file before it.

    What lies there already and says the same is left alone. Names of other nodes would be read as
    those of this network: they are never overwritten.

    Raises
    ------
    InputError
        Labels that are no lines of text.
    OutputExistsError
        The network exists and ``force`` is not set; names of other nodes lie beside it, or a meta
        file that names no two kinds of nodes.
    """
    texts = _texts(path, names, shape)
    with contextlib.ExitStack() as stack:
        partial = stack.enter_context(new_file(path, force=force))
        for file, text in texts.items():
            beside = stack.enter_context(new_file(file))
            beside.write_text(text, encoding="utf-8", newline="")
        yield partial


def names_of(graph: SignedBipartiteGraph) -> Names:
    """The labels of a graph as names.

    Raises
    ------
    InputError
        A label that is no text, or that would not be one line of it.
    """
    left, right = (
        None if labels is None else tuple(_line(label, side, number) for number, label in
                                          enumerate(labels))
        for side, labels in (("left", graph.left_labels), ("right", graph.right_labels))
    )  # fmt: skip
    return Names(left, right)


def _texts(path: Path, names: Names, shape: Shape) -> dict[Path, str]:
    """What must still be written beside the network: file -> its text."""
    there = _name_files(path)
    if there:
        try:
            same = read_names(path, shape, exact=True)
        except (FileFormatError, InputError):
            same = Names(("", ""), ("", ""))  # whatever they are, they are not these
        if (same.left, same.right) == (names.left, names.right):
            return {}
        raise OutputExistsError(
            f"{next(iter(there.values()))} would be read as names of the nodes of {path}, and says"
            " something else: choose another name for the output, or remove that file"
        )
    sides = [(0, names.left), (1, names.right)]
    if all(labels is None for _, labels in sides):
        return {}
    kinds, texts = names.kinds, {}
    meta = _beside(path, "meta")
    if meta.exists():
        called = _called(meta)
        if called is None:
            raise OutputExistsError(
                f"{meta} has no line 'entity-names: LEFT, RIGHT', without which nobody could tell"
                " whose names are whose: choose another name for the output, or add that line"
            )
        kinds = called
    else:
        texts[meta] = f"entity-names: {', '.join(kinds)}\n"
    for number, labels in sides:
        if labels is not None:
            file = _beside(path, "ent", f".{kinds[number]}.name")
            texts[file] = "".join(f"{label}\n" for label in labels)
    return texts


def _beside(path: Path, prefix: str, suffix: str = "") -> Path:
    """``prefix.NETWORK`` in the folder of ``out.NETWORK``."""
    network = path.name.removeprefix("out.")
    if network == path.name:
        network = path.stem
    return path.with_name(f"{prefix}.{network}{suffix}")


def _name_files(path: Path) -> dict[str, Path]:
    """What the nodes are called in the name of a file -> that file; in the order of the names."""
    stem = _beside(path, "ent").name
    files = sorted(path.parent.glob(f"{glob.escape(stem)}.*.name"))
    kinds = {file.name.removeprefix(f"{stem}.").removesuffix(".name"): file for file in files}
    # With a full stop in it, it is the file of another network, which is called NETWORK.something.
    return {kind: file for kind, file in kinds.items() if kind and "." not in kind}


def _called(meta: Path) -> tuple[str, str] | None:
    """What the meta file calls the left and the right nodes, if there is one and it says so."""
    if not meta.is_file():
        return None
    with meta.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            key, _, value = line.partition(":")
            if key.strip().lower() == "entity-names":
                return _kinds(value)
    return None


def _kinds(text: str) -> tuple[str, str] | None:
    """Two kinds of nodes, if they can be told apart."""
    kinds = [kind.strip() for kind in text.split(",")]
    return (kinds[0], kinds[1]) if len(kinds) == 2 and all(kinds) and len(set(kinds)) == 2 else None


def _side_of(
    kind: str, n_names: int, called: tuple[str, str] | None, shape: Shape, file: Path
) -> str:
    if called is not None and kind in called:
        return _SIDES[called.index(kind)]
    fitting = [side for side, n in zip(_SIDES, shape, strict=True) if n == n_names]
    if len(fitting) == 1:
        return fitting[0]
    raise FileFormatError(
        f"nobody can tell whether {file} has the names of the {shape[0]} left or of the {shape[1]}"
        f" right nodes: it has {n_names}, and meta.{_network_of(file, kind)} does not say which of"
        f" them {kind!r} is (a line 'entity-names: LEFT, RIGHT')"
    )


def _network_of(file: Path, kind: str) -> str:
    return file.name.removeprefix("ent.").removesuffix(f".{kind}.name")


def _read_lines(file: Path) -> tuple[str, ...]:
    with reading(file, "list of names"):
        text = file.read_text(encoding="utf-8-sig")
    lines = text.removesuffix("\n").split("\n") if text else []
    return tuple(line for line in lines if not _is_comment(line))


def _is_comment(line: str) -> bool:
    return line.split(maxsplit=1)[:1] == ["%"]


def _require_unique(names: tuple[str, ...], file: Path) -> None:
    seen: dict[str, int] = {}
    for number, name in enumerate(names, start=1):
        if name in seen:
            raise InputError(
                f"{file}: the nodes {seen[name]} and {number} are both called {name!r}; labels tell"
                " nodes apart: change one, or move the file away to number the nodes instead"
            )
        seen[name] = number


def _line(label: object, side: str, number: int) -> str:
    where = f"{side} node {number} is labelled {label!r}"
    advice = "write .graphml, or give it another label"
    if not isinstance(label, str):
        raise InputError(f"KONECT's names are texts, but {where}: {advice}")
    if "\n" in label or "\r" in label or label.startswith("\ufeff") or _is_comment(label):
        raise InputError(
            f"KONECT's names are lines that do not begin with a byte order mark or with '%', but"
            f" {where}: {advice}"
        )
    try:
        label.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError(f"KONECT's names are UTF-8, but {where}: {advice}") from None
    return label
