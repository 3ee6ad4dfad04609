"""Edge lists as ``.csv`` or ``.tsv``: left node, right node, weight. Nodes are named by text."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from bipnet.convert.single import SingleMatrixSource
from bipnet.convert.source import reading
from bipnet.errors import (
    DTypeError,
    ExplicitZeroWarning,
    FileFormatError,
    InputError,
    warn_caller,
)
from bipnet.graph import Side, SignedBipartiteGraph

HEADER = ("left", "right", "weight")
_HEXADECIMAL = re.compile("[-+]?0[xX]")
_HELD = ("float64", "int64")


@dataclass
class _Edges:
    """What has been read so far: nodes are numbered as they first appear."""

    path: Path
    left: dict[str, int] = field(default_factory=dict)
    right: dict[str, int] = field(default_factory=dict)
    weights: dict[tuple[int, int], float | int] = field(default_factory=dict)
    lines: dict[tuple[int, int], int] = field(default_factory=dict)

    def add(self, row: list[str], weight: float, line: int) -> None:
        pair = (
            self.left.setdefault(row[0], len(self.left)),
            self.right.setdefault(row[1], len(self.right)),
        )
        if pair in self.lines:
            raise FileFormatError(
                f"{self.path}, line {line}: the edge {row[0]} - {row[1]} stands in line"
                f" {self.lines[pair]} already; a simple graph has one edge between two nodes"
            )
        self.lines[pair] = line
        self.weights[pair] = weight

    def graph(self) -> SignedBipartiteGraph:
        import scipy.sparse

        if not self.weights:
            raise FileFormatError(f"{self.path} has no edges")
        whole = all(isinstance(weight, int) for weight in self.weights.values())
        if not whole:
            for pair, weight in self.weights.items():
                if isinstance(weight, int) and int(float(weight)) != weight:
                    raise FileFormatError(
                        f"{self.path}, line {self.lines[pair]}: the weight {weight} stands beside"
                        " fractions, and float64 cannot hold it: round it first"
                    )
        pairs = np.array(list(self.weights), dtype=np.int64)
        try:
            values = np.array(list(self.weights.values()), dtype="int64" if whole else "float64")
        except OverflowError:
            raise FileFormatError(
                f"{self.path}: a whole weight does not fit into 64 bits"
            ) from None
        n_zeros = int((values == 0).sum())
        if n_zeros:
            warn_caller(
                f"{self.path}: {n_zeros} edges of weight zero dropped (a zero is no edge)",
                ExplicitZeroWarning,
            )
            pairs, values = pairs[values != 0], values[values != 0]
        matrix = scipy.sparse.coo_array(
            (values, (pairs[:, 0], pairs[:, 1])), shape=(len(self.left), len(self.right))
        )
        return SignedBipartiteGraph(
            matrix, left_labels=list(self.left), right_labels=list(self.right)
        )


def open_edge_list(path: Path) -> SingleMatrixSource:
    """Open an edge list. A first line whose third field is a word and no number is its header.

    Weights are int64 if all are written as whole numbers, else float64.
    """
    delimiter = "\t" if path.suffix.lower() in (".tsv", ".tab") else ","
    header: tuple[str, ...] | None = None
    edges = _Edges(path)
    with (
        reading(path, "edge list"),
        path.open(encoding="utf-8-sig", newline="") as file,
    ):
        rows = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            for row in rows:
                if not any(text.strip() for text in row):
                    continue
                place = f"{path}, line {rows.line_num}"
                if len(row) != 3:
                    raise FileFormatError(
                        f"{place}: wanted three fields (left node, right node, weight),"
                        f" got {len(row)}"
                    )
                weight = number_of(row[2])
                if weight is None and header is None and not edges.weights and _is_heading(row[2]):
                    header = tuple(row)
                elif weight is None:
                    raise FileFormatError(f"{place}: the weight {row[2]!r} is no number")
                elif not math.isfinite(weight):
                    raise FileFormatError(f"{place}: the weight is {row[2]}, not finite")
                else:
                    edges.add(row, weight, rows.line_num)
        except csv.Error as error:
            raise FileFormatError(f"{path}, line {rows.line_num}: {error}") from None
    # In the file's order, lines of weight zero too: nodes are numbered as they appear, so
    # another order would be another matrix when it is read.
    order = list(edges.lines)
    save = partial(save_edge_list, delimiter=delimiter, header=header, order=order)
    return SingleMatrixSource(path, "edge list", edges.graph(), save)


def save_edge_list(
    graph: SignedBipartiteGraph,
    path: Path,
    *,
    delimiter: str = ",",
    header: tuple[str, ...] | None = HEADER,
    order: Sequence[tuple[int, int]] | None = None,
) -> None:
    """Write the edges, nodes by label or, where they have none, by number.

    Row by row, or in the ``order`` of the pairs (left node, right node) it names, which must
    include every edge. Where row by row would number the right nodes otherwise when the file is
    read, the edges that keep the numbering come first.

    Raises
    ------
    InputError
        A node without an edge, or no order of the edges that keeps the numbering of the nodes.
    DTypeError
        A dtype that text would not bring back (all but float64 and int64).
    """
    if graph.dtype.name not in _HELD:
        raise DTypeError(
            f"an edge list cannot hold {graph.dtype.name} (it knows {', '.join(_HELD)});"
            " write .npz, or convert the weights to float64 first"
        )
    left = graph.left_labels or range(graph.n_left)
    right = graph.right_labels or range(graph.n_right)
    rows, columns, weights = (part.tolist() for part in graph.edges())
    weight_of = dict(zip(zip(rows, columns, strict=True), weights, strict=True))
    zero = graph.dtype.type(0).item()
    if order is None:
        _require_no_isolated_node(graph, left, right)
        order = _faithful_order(list(weight_of), graph.shape)
    # The csv module leaves a lone carriage return bare, which ends the line when it is read.
    bare = any("\r" in str(label) for label in (*left, *right, *(header or ())))
    quoting: Literal[0, 1] = csv.QUOTE_ALL if bare else csv.QUOTE_MINIMAL
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator="\n", quoting=quoting)
        if header is not None:
            writer.writerow(header)
        for i, j in order:
            writer.writerow((left[i], right[j], repr(weight_of.get((i, j), zero))))


def _require_no_isolated_node(
    graph: SignedBipartiteGraph, left: Sequence[object], right: Sequence[object]
) -> None:
    sides: tuple[tuple[Side, Sequence[object]], ...] = (("left", left), ("right", right))
    for side, labels in sides:
        isolated = np.flatnonzero(graph.degrees(side) == 0)
        if isolated.size:
            raise InputError(
                f"an edge list cannot hold a node without an edge, {side} node"
                f" {labels[int(isolated[0])]} ({isolated.size} such on that side);"
                " write .graphml, .npz or .mtx instead"
            )


def _faithful_order(
    pairs: Sequence[tuple[int, int]], shape: tuple[int, int]
) -> list[tuple[int, int]]:
    """The edges such that nodes appear first in the order of their numbers, on both sides.

    Greedy is enough: a node that has appeared never hinders another.
    """
    first_left, first_right = [shape[0]] * shape[1], [shape[1]] * shape[0]
    for i, j in pairs:
        first_left[j] = min(first_left[j], i)
        first_right[i] = min(first_right[i], j)
    leading: dict[tuple[int, int], None] = {}
    i = j = 0
    while (i, j) != shape:
        if j < shape[1] and first_left[j] < i:
            leading[first_left[j], j] = None
            j += 1
        elif i < shape[0] and first_right[i] < j:
            leading[i, first_right[i]] = None
            i += 1
        elif i < shape[0] and j < shape[1] and first_left[j] == i:
            leading[i, j] = None
            i, j = i + 1, j + 1
        else:
            raise InputError(
                "an edge list numbers nodes as they first appear, and no order of these edges"
                " would give the matrix back with its rows and columns in order; write .graphml,"
                " .npz or .mtx instead"
            )
    return list(leading | dict.fromkeys(pairs)) if not _is_faithful(pairs) else list(pairs)


def _is_faithful(pairs: Sequence[tuple[int, int]]) -> bool:
    """Whether nodes of both sides first appear in the order of their numbers."""
    seen_left = seen_right = 0
    for i, j in pairs:
        if i > seen_left or j > seen_right:
            return False
        seen_left, seen_right = max(seen_left, i + 1), max(seen_right, j + 1)
    return True


def _is_heading(text: str) -> bool:
    """Whether a weight field is a word: neither empty nor a number in anybody's notation."""
    bare = text.strip().replace("_", "")
    return bool(bare) and number_of(bare) is None and not _HEXADECIMAL.match(bare)


def number_of(text: str) -> float | int | None:
    """The number a text spells, whole if it is written so; None if it spells none."""
    if "_" in text:  # Python would read 1_000; nobody else does
        return None
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            return None
