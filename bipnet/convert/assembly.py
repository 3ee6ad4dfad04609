"""What all converters share: a graph taken apart for another tool, and put together with checks.

Other tools know nodes by name and hold weights as Python numbers or float64. What they have no
room for, the dtype of the weights and which sides have labels, travels as two texts beside the
graph (``dtype``, ``labels``), so that the way back gives the same bits.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from bipnet._bits import BFLOAT16, FLOATS, bit_layout
from bipnet.errors import DTypeError, InputError, MissingExtraError
from bipnet.graph import SignedBipartiteGraph

Array = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]
Name = Callable[[int], str]
"""How messages call edge number k."""

_EXACT_INTEGERS = 1 << 53  # float64 holds every integer up to here
LABEL_TYPE = "label_type"
"""Node attribute with the type of a label that GraphML holds as a text."""

_TYPED: dict[str, Callable[[str], Any]] = {
    "bool": {"true": True, "false": False}.__getitem__,
    "int": int,
    "float": float,
}
_SIGNS = {1: 1, -1: -1, "+": 1, "-": -1, "1": 1, "+1": 1, "-1": -1}


@dataclass(frozen=True)
class Parts:
    """A graph as nodes and edges in the terms of other tools.

    Attributes
    ----------
    left, right
        Labels; of a side without labels, numbers: left nodes from 0, right ones from n_left.
    rows, columns
        Ends of each edge, counted within their side, in row-major order: (n_edges,).
    weights
        (n_edges,) float64 for floats (which holds every narrower float exactly), else as it is.
    signs
        (n_edges,) int8: 1 or -1.
    dtype
        Name of the dtype of the weights.
    labels
        The sides that have labels: "left right", "left", "right" or "none" (not "", which
        graph-tool does not write).
    """

    left: list[Any]
    right: list[Any]
    rows: Ints
    columns: Ints
    weights: Array
    signs: npt.NDArray[np.int8]
    dtype: str
    labels: str

    @property
    def names(self) -> list[Any]:
        """The left nodes, then the right ones."""
        return [*self.left, *self.right]

    @property
    def labels_of_all(self) -> list[Any] | None:
        """A label for every node, if a side has any, of one type if those are.

        For tools that hold a list of one type best: numbers of the other side are texts beside
        texts.
        """
        if self.labels == "none":
            return None
        texts = all(type(name) is str for k, name in enumerate(self.names) if self.has_labels(k))
        return [str(name) for name in self.names] if texts else self.names

    @property
    def ends(self) -> Ints:
        """Ends of each edge, right nodes counted on from the left ones: (n_edges, 2)."""
        return np.column_stack([self.rows, self.columns + len(self.left)])

    def has_labels(self, number: int) -> bool:
        """Whether the side of node ``number`` (right nodes counted on) has labels."""
        return ("left" if number < len(self.left) else "right") in self.labels.split()


def parts_of(
    W: Any, left_labels: Sequence[Any] | None = None, right_labels: Sequence[Any] | None = None
) -> Parts:
    """Take any accepted matrix or graph apart; labels given here come before the graph's own."""
    graph = SignedBipartiteGraph(W, left_labels=left_labels, right_labels=right_labels, copy=False)
    rows, columns, weights = graph.edges()
    plain = weights.astype(np.float64) if weights.dtype in FLOATS else weights
    sides = (("left", graph.left_labels), ("right", graph.right_labels))
    return Parts(
        left=_plain(graph.left_labels, range(graph.n_left)),
        right=_plain(graph.right_labels, range(graph.n_left, sum(graph.shape))),
        rows=rows,
        columns=columns,
        weights=plain,
        signs=np.where(plain < 0, -1, 1).astype(np.int8),
        dtype=graph.dtype.name,
        labels=" ".join(side for side, labels in sides if labels is not None) or "none",
    )


def _plain(labels: Sequence[Any] | None, numbers: range) -> list[Any]:
    return [
        # Of a time, item() is a bare number as soon as it counts nanoseconds.
        label.item()
        if isinstance(label, np.generic) and not isinstance(label, (np.datetime64, np.timedelta64))
        else label
        for label in (numbers if labels is None else labels)
    ]


@dataclass(frozen=True)
class Nodes:
    """Nodes of both sides in one list, as most tools keep them.

    ``names`` are their labels, ``sides`` their values of the attribute ``attribute``: 0 (left)
    or 1 (right). ``labels`` is as in `Parts`; None, in a foreign graph: both sides have them.
    """

    names: Sequence[Any]
    sides: Sequence[Any]
    attribute: str
    labels: Any = None

    def graph(
        self,
        ends: Any,
        weights: Any,
        *,
        signs: Any = None,
        magnitudes: bool = False,
        dtype: Any = None,
    ) -> SignedBipartiteGraph:
        """The graph of these nodes and edges; ``ends`` are two positions in ``names`` each.

        Raises
        ------
        InputError
            Names the node without a side; the loop, the edge within a side, the edge that is
            there twice; and what `graph_of_edges` refuses.
        """
        right = self._right()
        ends = np.asarray(ends, dtype=np.int64).reshape(-1, 2)

        def edge(k: int) -> str:
            return f"edge {self.names[ends[k, 0]]!r} - {self.names[ends[k, 1]]!r}"

        within = right[ends[:, 0]] == right[ends[:, 1]]
        if within.any():
            k = int(np.argmax(within))
            if ends[k, 0] == ends[k, 1]:
                raise InputError(
                    f"node {self.names[ends[k, 0]]!r} has an edge to itself; edges of a bipartite"
                    " graph lead from left to right: remove it"
                )
            side = "right" if right[ends[k, 0]] else "left"
            raise InputError(
                f"{edge(k)} lies within the {side} side; edges of a bipartite graph lead from left"
                f" to right: remove it, or set {self.attribute} of one end to the other side"
            )
        number = np.empty(len(right), dtype=np.int64)
        for flags in (~right, right):
            number[flags] = np.arange(np.count_nonzero(flags))
        swapped = right[ends[:, 0]]
        names = [
            [name for name, is_right in zip(self.names, right, strict=True) if is_right == side]
            for side in (False, True)
        ]
        labelled = labelled_sides(self.labels)
        return graph_of_edges(
            (len(names[0]), len(names[1])),
            number[np.where(swapped, ends[:, 1], ends[:, 0])],
            number[np.where(swapped, ends[:, 0], ends[:, 1])],
            weights,
            edge,
            signs=signs,
            magnitudes=magnitudes,
            dtype=dtype,
            left_labels=names[0] if "left" in labelled else None,
            right_labels=names[1] if "right" in labelled else None,
        )

    def _right(self) -> npt.NDArray[np.bool_]:
        for name, side in zip(self.names, self.sides, strict=True):
            # A text "0" is no 0: it would be a sign that something else is meant.
            if not _is_side(side):
                has = "has no" if side is None else f"has {side!r} as its"
                raise InputError(
                    f"node {name!r} {has} {self.attribute}; every node needs"
                    f" {self.attribute} = 0 (left) or 1 (right)"
                )
        return np.array([bool(side) for side in self.sides], dtype=np.bool_)


def _is_side(side: Any) -> bool:
    try:
        return not isinstance(side, str) and bool(side in (0, 1))
    except (TypeError, ValueError):  # pandas.NA and arrays are neither equal nor unequal
        return False


def labelled_sides(labels: Any) -> list[str]:
    """The sides that have labels; both where a foreign graph says nothing of them."""
    if labels is None:
        return ["left", "right"]
    if isinstance(labels, str) and labels == "none":
        return []
    sides = labels.split() if isinstance(labels, str) else [labels]
    if not all(isinstance(side, str) and side in ("left", "right") for side in sides):
        raise InputError(
            f"the graph's attribute labels is {labels!r}; it names the sides whose nodes have"
            " labels: 'left right', 'left', 'right' or 'none'"
        )
    return sides


def typed_label(label: Any, type_name: Any) -> Any:
    """A label that is held as a text, of the type that is noted beside it (none: as it is)."""
    if not isinstance(label, str) or type_name not in _TYPED:
        return label
    try:
        return _TYPED[type_name](label)
    except (ValueError, KeyError):
        raise InputError(f"the label {label!r} is noted as {type_name}, and is none") from None


def graph_of_edges(
    shape: tuple[int, int],
    rows: Ints,
    columns: Ints,
    weights: Any,
    edge: Name,
    *,
    signs: Any = None,
    magnitudes: bool = False,
    dtype: Any = None,
    left_labels: Sequence[Any] | None = None,
    right_labels: Sequence[Any] | None = None,
) -> SignedBipartiteGraph:
    """A sparse graph of edges in any order.

    Parameters
    ----------
    shape
        (n_left, n_right): isolated nodes count.
    rows, columns
        Ends of each edge, counted within their side.
    weights
        A number for each edge; None means 1.
    edge
        Names an edge in messages.
    signs
        None; or 1, -1, "+" or "-" for each edge. With ``magnitudes`` they give the weights their
        sign; without it they may be None here and there, and must agree with the weights.
    dtype
        Of the weights, which must be exact in it. None: that of the numbers; int64 or float64
        for Python's.

    Raises
    ------
    InputError
        A weight that is missing, zero, not finite, not exact in ``dtype``, or that contradicts
        its sign; an edge that is there twice; labels that are not unique.
    DTypeError
        Weights or a ``dtype`` that are no real numbers.
    """
    values = numbers(np.ones(len(rows), dtype=np.int64) if weights is None else weights, edge)
    _refuse(
        ~np.isfinite(values), edge, "has weight {}, which is not finite: clean it first", values
    )
    _refuse(values == 0, edge, "has weight 0, but a zero is no edge: remove it")
    if signs is not None:
        values = _with_signs(values, _plus_minus(signs, magnitudes, edge), magnitudes, edge)
    if dtype is not None:
        values = exactly(values, weight_dtype(dtype), edge)
    order = np.lexsort((columns, rows))
    rows, columns = rows[order], columns[order]
    twice = (rows[1:] == rows[:-1]) & (columns[1:] == columns[:-1])
    if twice.any():
        at = int(np.argmax(twice))
        first, second = sorted((int(order[at]), int(order[at + 1])))
        raise InputError(
            f"{edge(second)} is there twice, as number {first} and as number {second} (counted"
            " from 0); a simple graph has one edge between two nodes: add their weights up, or"
            " keep one"
        )
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=shape[0]))])
    graph = SignedBipartiteGraph.from_csr(values[order], columns, indptr, shape)
    return SignedBipartiteGraph(graph, left_labels=left_labels, right_labels=right_labels)


def numbers(values: Any, edge: Name) -> Array:
    """An array of weights: of their own NumPy dtype, else bool, int64, uint64 or float64."""
    if isinstance(values, np.ndarray) and values.dtype != object:
        if values.dtype.kind not in "fiub" and values.dtype != BFLOAT16:
            raise DTypeError(f"weights are {values.dtype}; wanted real numbers")
        if values.dtype.kind == "f" and values.dtype.itemsize > 8:  # graph-tool has long doubles
            _refuse(~np.isfinite(values), edge, "has weight {}, which is not finite", values)
            return exactly(values, np.dtype(np.float64), edge)
        return values.astype(values.dtype.newbyteorder("="), copy=False)
    values = list(values)
    for k, value in enumerate(values):
        if not isinstance(value, (int, float, np.integer, np.floating, np.bool_, BFLOAT16.type)):
            has = "has no weight" if value is None else f"has weight {value!r}, which is no number"
            raise InputError(f"{edge(k)} {has}")
    kinds = {type(value) for value in values}
    if len(kinds) == 1 and issubclass(next(iter(kinds)), np.generic):
        return np.array(values)
    if kinds == {bool}:
        return np.array(values, dtype=np.bool_)
    if kinds and all(issubclass(kind, (int, np.integer, np.bool_)) for kind in kinds):
        whole = [int(value) for value in values]
        wide = np.uint64 if max(whole) > np.iinfo(np.int64).max else np.int64
        least, most = (0, (1 << 64) - 1) if wide is np.uint64 else (-(1 << 63), (1 << 63) - 1)
        for k, number in enumerate(whole):
            if not least <= number <= most:
                raise InputError(
                    f"{edge(k)} has weight {number}: whole weights must all fit into int64, or all"
                    " into uint64"
                )
        return np.array(whole, dtype=wide)
    doubles = []
    for k, value in enumerate(values):
        try:
            double = float(value)
        except OverflowError:
            double = np.inf
        if double != value and value == value:  # a NaN has its own refusal
            raise InputError(f"{edge(k)} has weight {value!r}, which float64 cannot hold")
        doubles.append(double)
    return np.array(doubles, dtype=np.float64)


def weight_dtype(dtype: Any) -> np.dtype[Any]:
    """The NumPy dtype of a name, if weights can have it."""
    try:
        found: np.dtype[Any] = np.dtype(dtype)
    except TypeError:
        raise DTypeError(
            f"{dtype!r} is no dtype of weights; wanted float16, bfloat16, float32, float64,"
            " an integer type or bool"
        ) from None
    bit_layout(found)
    return found


def exactly(values: Array, dtype: np.dtype[Any], edge: Name) -> Array:
    """The same numbers in another dtype, or an `InputError` that names what does not fit."""
    if values.dtype == dtype:
        return values
    with np.errstate(all="ignore"):
        cast = values.astype(dtype)
        same = (cast.astype(values.dtype) == values) & ((cast < 0) == (values < 0))
    if values.dtype.kind in "iu" and dtype in FLOATS:
        # The way back from a float at the end of the range is not defined: ask Python.
        for k in np.flatnonzero((values > _EXACT_INTEGERS) | (values < -_EXACT_INTEGERS)):
            number = float(cast[k])
            same[k] = np.isfinite(number) and int(number) == int(values[k])
    _refuse(
        ~same,
        edge,
        f"has weight {{}}, which {dtype.name} cannot hold exactly: round it first, or name another"
        " dtype",
        values,
    )
    return cast


def _plus_minus(signs: Any, needed: bool, edge: Name) -> npt.NDArray[np.int8]:
    """1 or -1 for each edge; 0 for None where signs are not needed."""
    found = np.empty(len(signs), dtype=np.int8)
    for k, sign in enumerate(signs.tolist() if isinstance(signs, np.ndarray) else signs):
        if sign is None and not needed:
            found[k] = 0
            continue
        value = _SIGNS.get(sign) if isinstance(sign, (str, int, float, np.generic)) else None
        if value is None or isinstance(sign, bool):
            has = "has no sign" if sign is None else f"has sign {sign!r}"
            raise InputError(f"{edge(k)} {has}; wanted 1, -1, '+' or '-'")
        found[k] = value
    return found


def _with_signs(values: Array, signs: npt.NDArray[np.int8], magnitudes: bool, edge: Name) -> Array:
    if not magnitudes:
        _refuse(
            (signs != 0) & ((values < 0) != (signs < 0)),
            edge,
            "has weight {}, which contradicts its sign: correct one of them, or, if weights are"
            " magnitudes, name the attribute that is their sign (sign=...)",
            values,
        )
        return values
    _refuse((values < 0) & (signs > 0), edge, "has weight {}, but its sign is positive", values)
    if values.dtype.kind in "ub" and (signs < 0).any():
        values = exactly(values, np.dtype(np.int64), edge)
    return np.where((signs < 0) & (values > 0), -values, values) if (signs < 0).any() else values


def _refuse(bad: Array, edge: Name, message: str, values: Array | None = None) -> None:
    if bad.any():
        k = int(np.argmax(bad))
        value = None if values is None else values[k].item()
        raise InputError(f"{edge(k)} {message.format(value)}")


def library(name: str, extra: str) -> types.ModuleType:
    """An optional library, loaded by the call that needs it."""
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtraError(f"this needs {name}: {extra}") from error
