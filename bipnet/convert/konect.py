"""KONECT's ``out.*`` files of bipartite networks: nodes are numbers from 1, on each side apart.

The first line is ``% bip FORMAT`` (``signed``, ``weighted``, ``unweighted`` ...), a second one may
give the numbers of edges, left and right nodes; each other line has left node, right node, and
perhaps a weight and a time stamp. (J. Kunegis, Handbook of Network Analysis: The KONECT Project.)
Names of the nodes lie in files beside it (`konect_names`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bipnet._memory import require_memory
from bipnet.convert.assembly import graph_of_edges
from bipnet.convert.edge_list import number_of
from bipnet.convert.konect_names import Names, names_of, network_file, read_names
from bipnet.convert.single import One, Save, SingleMatrixSource
from bipnet.convert.source import Writer, naming, reading
from bipnet.errors import DTypeError, FileFormatError, InputError
from bipnet.graph import SignedBipartiteGraph

_HELD = ("float64", "int64")
_ONE_SIDED = ("sym", "asym")


@dataclass
class _Content:
    """A file's comment lines, and its edges with what stands behind their weights."""

    comments: list[str] = field(default_factory=list)
    sizes: list[int] | None = None
    pairs: list[tuple[int, int]] = field(default_factory=list)
    weights: list[float | int] = field(default_factory=list)
    tails: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    weighted: bool = False


def is_konect(path: Path) -> bool:
    """Whether a file is named as KONECT names its networks."""
    return path.suffix.lower() == ".konect" or path.name.startswith("out.")


class KonectSource(SingleMatrixSource):
    """A network of KONECT, written back with the names of its nodes beside it."""

    def __init__(self, path: Path, graph: SignedBipartiteGraph, names: Names, save: Save) -> None:
        super().__init__(path, "KONECT", graph, save)
        self._names = names

    @contextmanager
    def writer(self, path: Path, *, force: bool) -> Iterator[Writer]:
        writer = One(self._graph)
        with network_file(path, self._names, self._graph.shape, force=force) as partial:
            yield writer
            self._save(writer.graph, partial)


def open_konect(path: Path) -> KonectSource:
    """Open a bipartite network of KONECT. Weights are int64 if all are whole, else float64.

    Nodes without an edge are there if the file gives the numbers of nodes, or another one beside it
    their names, which become labels. Edges without a weight weigh 1.

    Raises
    ------
    FileFormatError
        No bipartite network of KONECT; a line that cannot be read; names that are not those of
        its nodes.
    InputError
        An edge that stands there twice; two nodes of one name.
    """
    with reading(path, "bipartite network of KONECT"), path.open(encoding="utf-8") as file:
        content = _read(path, file)
    pairs = np.array(content.pairs, dtype=np.int64).reshape(-1, 2)
    shape = (int(pairs[:, 0].max(initial=0)), int(pairs[:, 1].max(initial=0)))
    if content.sizes is not None:
        shape = (content.sizes[1], content.sizes[2])
    require_memory(16 * sum(shape), f"reading {path}")
    names = read_names(path, shape, exact=content.sizes is not None)
    shape = names.shape(shape)

    def line(k: int) -> str:
        return f"line {content.numbers[k]}: the edge {pairs[k, 0]} - {pairs[k, 1]}"

    with naming(path):
        graph = SignedBipartiteGraph(
            graph_of_edges(shape, pairs[:, 0] - 1, pairs[:, 1] - 1, content.weights, line),
            left_labels=names.left,
            right_labels=names.right,
        )

    def save(drawn: SignedBipartiteGraph, to: Path) -> None:
        rows, columns, weights = (part.tolist() for part in drawn.edges())
        weight_of = dict(zip(zip(rows, columns, strict=True), weights, strict=True))
        at = [(i - 1, j - 1) for i, j in content.pairs]
        if set(at) != set(weight_of):
            raise InputError(f"the graph has other edges than {path}: it cannot be written as that")
        bare = not content.weighted and all(weight == 1 for weight in weights)
        lines = (
            f"{i + 1} {j + 1}" + ("" if bare else f" {weight_of[i, j]!r}{tail}")
            for (i, j), tail in zip(at, content.tails, strict=True)
        )
        _write(to, content.comments, lines)

    return KonectSource(path, graph, names, save)


def _read(path: Path, file: Iterable[str]) -> _Content:
    content = _Content()
    for number, line in enumerate(file, start=1):
        place = f"{path}, line {number}"
        if number == 1:
            words = line.lstrip("\ufeff").lstrip("%").split()
            if not line.lstrip("\ufeff").startswith("%") or words[:1] != ["bip"]:
                one_sided = words[:1] and words[0] in _ONE_SIDED
                raise ValueError(
                    "its nodes are all of one kind (sym, asym)"
                    if one_sided
                    else "its first line is not '% bip FORMAT'"
                )
        if line.startswith(("%", "\ufeff%")):
            sizes = line[1:].split()
            if number == 2 and len(sizes) == 3 and all(size.isdigit() for size in sizes):
                content.sizes = [int(size) for size in sizes]
            content.comments.append(line.rstrip("\r\n"))
        elif line.strip():
            _add(content, line, number, place)
    _require_sizes(path, content)
    return content


def _add(content: _Content, line: str, number: int, place: str) -> None:
    words = line.split()
    if not 2 <= len(words) <= 4:
        raise FileFormatError(
            f"{place}: wanted left node, right node and perhaps weight and time stamp, got"
            f" {len(words)} fields"
        )
    if not (words[0].isdigit() and words[1].isdigit() and int(words[0]) and int(words[1])):
        raise FileFormatError(f"{place}: nodes are whole numbers from 1, got {words[0]} {words[1]}")
    if max(int(words[0]), int(words[1])) > np.iinfo(np.int64).max:
        raise FileFormatError(
            f"{place}: the edge {words[0]} - {words[1]} has a node number beyond 64 bits"
        )
    weight = number_of(words[2]) if len(words) > 2 else 1
    if weight is None or not math.isfinite(weight) or weight == 0:
        raise FileFormatError(
            f"{place}: the weight is {words[2]}; wanted a finite number that is not zero (a zero is"
            " no edge)"
        )
    content.pairs.append((int(words[0]), int(words[1])))
    content.weights.append(weight)
    content.tails.append(f" {words[3]}" if len(words) > 3 else "")
    content.numbers.append(number)
    content.weighted |= len(words) > 2


def _require_sizes(path: Path, content: _Content) -> None:
    if not content.pairs and content.sizes is None:
        raise FileFormatError(f"{path} has no edges")
    if content.sizes is None:
        return
    n_edges, n_left, n_right = content.sizes
    if n_edges != len(content.pairs):
        raise FileFormatError(
            f"{path}: its second line says {n_edges} edges, but there are {len(content.pairs)}"
        )
    for (i, j), number in zip(content.pairs, content.numbers, strict=True):
        if i > n_left or j > n_right:
            raise FileFormatError(
                f"{path}, line {number}: the edge {i} - {j} lies outside the {n_left} x {n_right}"
                " nodes of its second line"
            )


def save_konect(graph: SignedBipartiteGraph, path: Path, *, force: bool = False) -> None:
    """Write a graph as ``% bip signed``, or ``posweighted`` if it has no negative edge.

    Labels go into files beside it: ``ent.NETWORK.left.name``, ``ent.NETWORK.right.name``, and
    ``meta.NETWORK``, which says that the left and the right nodes are called so.

    Raises
    ------
    InputError
        A label that is no line of text.
    DTypeError
        A dtype that text would not bring back (all but float64 and int64).
    OutputExistsError
        The file exists and ``force`` is not set, or names of other nodes lie beside it.
    """
    if graph.dtype.name not in _HELD:
        raise DTypeError(
            f"KONECT's format cannot hold {graph.dtype.name} (it knows {', '.join(_HELD)});"
            " write .graphml or .npz, or convert the weights to float64 first"
        )
    rows, columns, weights = (part.tolist() for part in graph.edges())
    signed = any(weight < 0 for weight in weights)
    comments = [
        f"% bip {'signed' if signed else 'posweighted'}",
        f"% {graph.n_edges} {graph.n_left} {graph.n_right}",
    ]
    lines = (
        f"{i + 1} {j + 1} {weight!r}" for i, j, weight in zip(rows, columns, weights, strict=True)
    )
    with network_file(path, names_of(graph), graph.shape, force=force) as partial:
        _write(partial, comments, lines)


def _write(path: Path, comments: Iterable[str], lines: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(f"{line}\n" for line in (*comments, *lines))
