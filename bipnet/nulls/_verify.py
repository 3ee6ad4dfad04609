"""verify: does a randomised matrix keep exactly what its row of Table 1 says?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bipnet._biadjacency import Array, Biadjacency, Flags, Ints
from bipnet._check import open_matrix
from bipnet._memory import require_memory
from bipnet._threads import Block, cut
from bipnet.errors import InputError, InvariantError
from bipnet.nulls.models import (
    ALPHA,
    EDGES,
    INVARIANTS,
    SIGNS,
    WEIGHTS,
    NullModel,
    null_model,
)

_BYTES_PER_EDGE = 32  # places of the edges, and an order by node; beside two copies of the words

_SORTED_TOGETHER = 1 << 20  # edges of one sort: Ctrl-C is honoured between sorts


@dataclass(frozen=True)
class InvariantCheck:
    """One invariant: kept or broken, and where it is broken first.

    Attributes
    ----------
    invariant
        A key of `bipnet.nulls.INVARIANTS`.
    kept
        Whether it holds, bit for bit.
    where
        "" if kept, else the first place it is broken at and what stands there.
    """

    invariant: str
    kept: bool
    where: str = ""


@dataclass(frozen=True)
class Verification:
    """What `verify` found, one check per invariant of the null model."""

    null: str
    checks: tuple[InvariantCheck, ...]
    note: str = ""
    """Which side had its nodes in another order, so that they were compared by name; or ""."""

    @property
    def ok(self) -> bool:
        """Whether everything the null model preserves is kept."""
        return all(check.kept for check in self.checks)

    @property
    def broken(self) -> tuple[InvariantCheck, ...]:
        return tuple(check for check in self.checks if not check.kept)

    def __str__(self) -> str:
        lines = [f"null model {self.null}: {'kept' if self.ok else 'BROKEN'}"]
        for check in self.checks:
            mark = "kept  " if check.kept else "BROKEN"
            lines.append(
                f"  {mark} {check.invariant:<9} {check.where or INVARIANTS[check.invariant]}"
            )
        return "\n".join([*lines, f"  ({self.note})"] if self.note else lines)


def verify(W: Any, R: Any, null: str | NullModel, *, strict: bool = True) -> Verification:
    """Check bit for bit that ``R`` keeps of ``W`` all that the null model preserves.

    Strengths are sums of floats, so "s+ of a left node is preserved" is checked as "the multiset
    of its positive weights is the same", which needs no tolerance.

    Parameters
    ----------
    W, R
        The matrix before and after, in any accepted container (they may differ in it). Where
        both are graphs with labels on a side, its nodes are compared by name, whatever their
        order; else by position.
    null
        "A" to "G".
    strict
        Raise where an invariant is broken; with False return the report either way.

    Returns
    -------
    A report with one check per invariant of the null model.

    Raises
    ------
    InvariantError
        An invariant is broken; its ``report`` has all of them.
    InputError, DTypeError
        ``W`` or ``R`` is no matrix bipnet takes; their labels name other nodes.
    TooLargeError
        Comparing the edges would not fit into memory.

    Examples
    --------
    >>> import numpy as np, bipnet
    >>> W = np.array([[1.0, -2.0], [-3.0, 4.0]])
    >>> bipnet.verify(W, bipnet.randomize(W, "B", rng=1), "B").ok
    True
    >>> bipnet.verify(W, W[::-1], "B", strict=False).broken[0].invariant
    'signs'
    """
    model = null_model(null)
    before, _ = open_matrix(W, what="W")
    after, _ = open_matrix(R, what="R")
    note = ""
    if before.shape == after.shape:
        orders = [_order(labels_of(W), labels_of(R), side) for side, labels_of in _LABELS.items()]
        moved = [side for side, order in zip(_LABELS, orders, strict=True) if order is not None]
        if moved:
            note = f"the {' and '.join(moved)} nodes stand in another order: compared by name"
            after = _reordered(after, *orders)
    report = Verification(model.letter, tuple(_checks(before, after, model)), note)
    if strict and not report.ok:
        first = report.broken[0]
        more = f" (and {len(report.broken) - 1} more)" if len(report.broken) > 1 else ""
        raise InvariantError(
            f"null model {model.letter} must preserve {first.invariant}"
            f" ({INVARIANTS[first.invariant]}), but {first.where}{more}",
            report,
        )
    return report


_LABELS: dict[str, Callable[[Any], tuple[Any, ...] | None]] = {
    "left": lambda graph: getattr(graph, "left_labels", None),
    "right": lambda graph: getattr(graph, "right_labels", None),
}


def _order(
    old: tuple[Any, ...] | None, new: tuple[Any, ...] | None, side: str
) -> npt.NDArray[np.int64] | None:
    """Where the nodes ``old`` names stand in ``new``; None if just there, or nobody knows."""
    if old is None or new is None or old == new:
        return None
    # A format may turn numbers into texts: 10 and "10" are one name, if no side has both.
    texts = [[str(name) for name in names] for names in (old, new)]
    if all(len(set(names)) == len(names) for names in texts):
        names, others = texts
    else:
        names, others = list(old), list(new)
    place = {name: k for k, name in enumerate(others)}
    for name in names:
        if name not in place:
            raise InputError(
                f"these are other nodes: no {side} node of R is called {name!r}, as one of W is;"
                " a null model keeps the nodes: compare graphs of the same nodes, or bare matrices"
                " (graph.weights)"
            )
    order = np.array([place[name] for name in names], dtype=np.int64)
    return None if np.array_equal(order, np.arange(len(order))) else order


def _reordered(
    inner: Biadjacency,
    left: npt.NDArray[np.int64] | None,
    right: npt.NDArray[np.int64] | None,
) -> Biadjacency:
    """The same matrix with row ``left[k]`` as row k, and columns likewise; None leaves them."""
    if not inner.is_sparse:
        require_memory(inner.values.nbytes, f"a matrix {inner.shape} in another order")
        values = inner.values if left is None else inner.values[left]
        values = values if right is None else values[:, right]
        return Biadjacency(inner.shape, np.ascontiguousarray(values))
    rows, columns = inner.edge_rows, inner.edge_columns
    rows = rows if left is None else np.argsort(left)[rows]
    columns = columns if right is None else np.argsort(right)[columns]
    order = np.lexsort((columns, rows))
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=inner.shape[0]))])
    words = inner.edge_words[order]
    return Biadjacency(inner.shape, words.view(inner.dtype), indptr, columns[order])


def _checks(before: Biadjacency, after: Biadjacency, model: NullModel) -> list[InvariantCheck]:
    shared = _same_frame(before, after)
    if shared:
        # Nothing else can be compared cell by cell: every invariant is broken for this reason.
        return [InvariantCheck(name, False, shared) for name in model.preserves]
    n_edges = before.n_edges + after.n_edges
    per_edge = _BYTES_PER_EDGE + 2 * before.dtype.itemsize
    require_memory(n_edges * per_edge, f"comparing {before.shape} matrices edge by edge")
    comparison = _Comparison(before, after)
    found = [(name, comparison.difference(name)) for name in model.preserves]
    return [InvariantCheck(name, not where, where) for name, where in found]


def _same_frame(before: Biadjacency, after: Biadjacency) -> str:
    if before.shape != after.shape:
        return f"the shape was {before.shape} and is {after.shape}"
    if before.dtype != after.dtype:
        return f"the dtype was {before.dtype} and is {after.dtype}"
    return ""


class _Comparison:
    """Edges of two matrices of one shape and dtype, compared invariant by invariant."""

    def __init__(self, before: Biadjacency, after: Biadjacency) -> None:
        self.dtype = before.dtype
        self.layout = before.layout
        self.n = {"left": before.shape[0], "right": before.shape[1]}
        self.words = (before.edge_words, after.edge_words)
        self.nodes = {
            "left": (before.edge_rows, after.edge_rows),
            "right": (before.edge_columns, after.edge_columns),
        }
        negative = self.layout.negative
        self.positive = tuple((words & negative) == 0 for words in self.words)

    def difference(self, invariant: str) -> str:
        """ "" if ``invariant`` is kept, else where it is broken first."""
        simple: dict[str, Callable[[], str]] = {
            EDGES: self._edges,
            WEIGHTS: self._weights,
            ALPHA: self._alpha,
            SIGNS: self._signs,
        }
        if invariant in simple:
            return simple[invariant]()
        quantity, side = invariant.split()
        kind, sign = quantity[0], quantity[1]
        return (self._degrees if kind == "k" else self._strengths)(side, sign)

    def _edges(self) -> str:
        if all(np.array_equal(*nodes) for nodes in self.nodes.values()):
            return ""
        width = self.n["right"]
        old, new = (
            rows * width + columns
            for rows, columns in zip(self.nodes["left"], self.nodes["right"], strict=True)
        )
        at = _first_difference(old, new)
        cell = int(min([*old[at : at + 1], *new[at : at + 1]]))
        what = "has lost its edge" if cell in old[at : at + 1] else "has an edge it had not"
        n_both = _n_common(old, new)
        return (
            f"[{cell // width}, {cell % width}] {what}"
            f" ({old.size - n_both} edges gone, {new.size - n_both} new)"
        )

    def _weights(self) -> str:
        return self._multiset(self.words[0], self.words[1], "the matrix")

    def _multiset(self, old: Array, new: Array, place: str) -> str:
        old, new = np.sort(old), np.sort(new)
        if np.array_equal(old, new):
            return ""
        at = _first_difference(old, new)
        value = min([*old[at : at + 1], *new[at : at + 1]])
        n_old, n_new = (_n_equal(words, value) for words in (old, new))
        change = "more" if n_new > n_old else "fewer"
        shown = value.reshape(1).view(self.dtype)[0]
        return f"{place} has {shown!s} {abs(n_new - n_old)} times {change} than before"

    def _alpha(self) -> str:
        old, new = (int(flags.sum()) for flags in self.positive)
        n_old, n_new = (len(words) for words in self.words)
        if old == new and n_old == n_new:
            return ""
        return f"{old} of {n_old} edges were positive and {new} of {n_new} are"

    def _signs(self) -> str:
        where = self._edges()
        if where:
            return where
        changed = np.nonzero(self.positive[0] != self.positive[1])[0]
        if changed.size == 0:
            return ""
        edge = changed[0]
        cell = [int(self.nodes[side][0][edge]) for side in ("left", "right")]
        was = "positive" if self.positive[0][edge] else "negative"
        return f"{cell} was {was} and is not ({changed.size} signs changed)"

    def _chosen(self, sign: str) -> tuple[Array, Array]:
        old, new = self.positive
        return (old, new) if sign == "+" else (~old, ~new)

    def _counts(self, side: str, sign: str) -> tuple[Ints, Ints]:
        """k of that sign of every node, before and after."""
        n = self.n[side]
        old, new = (
            sum(
                (
                    np.bincount(nodes[first:stop][chosen[first:stop]], minlength=n)
                    for first, stop in cut(len(nodes), _SORTED_TOGETHER)
                ),
                start=np.zeros(n, dtype=np.int64),
            )
            for nodes, chosen in zip(self.nodes[side], self._chosen(sign), strict=True)
        )
        return old, new

    def _degrees(self, side: str, sign: str) -> str:
        old, new = self._counts(side, sign)
        if np.array_equal(old, new):
            return ""
        node = int(np.argmax(old != new))
        n_wrong = int((old != new).sum())
        return (
            f"{side} node {node} had k{sign} = {old[node]} and has {new[node]}"
            f" ({n_wrong} of {len(old)} nodes differ)"
        )

    def _strengths(self, side: str, sign: str) -> str:
        nodes, chosen = self.nodes[side], self._chosen(sign)
        runs = _runs_of_nodes(self._counts(side, sign)[0])
        edges = [_edges_of_runs(*both, runs) for both in zip(nodes, chosen, strict=True)]
        for run, *both in zip(runs, *edges, strict=True):
            old, new = (
                _sorted_by_node(of[at], words[at])
                for of, words, at in zip(nodes, self.words, both, strict=True)
            )
            if all(np.array_equal(*parts) for parts in zip(old, new, strict=True)):
                continue
            for node in range(*run):
                where = self._multiset(
                    old[1][_run(old[0], node)], new[1][_run(new[0], node)], f"{side} node {node}"
                )
                if where:
                    return where
            raise AssertionError("sorted edges differ, yet every node has the same weights")
        return ""


def _first_difference(old: Array, new: Array) -> int:
    """Where two arrays differ first; in the longer one alone, perhaps."""
    n_both = min(old.size, new.size)
    for first, stop in cut(n_both, _SORTED_TOGETHER):
        differ = old[first:stop] != new[first:stop]
        if differ.any():
            return first + int(np.argmax(differ))
    return n_both


def _n_equal(ascending: Array, value: np.generic) -> int:
    first, stop = (int(np.searchsorted(ascending, value, side)) for side in ("left", "right"))
    return stop - first


def _n_common(old: Array, new: Array) -> int:
    """How many values are in both; each ascends, without repeats."""
    n = 0
    for first, stop in cut(old.size, _SORTED_TOGETHER):
        some = old[first:stop]
        place = np.searchsorted(new, some)
        inside = place < new.size
        n += int(np.count_nonzero(new[place[inside]] == some[inside]))
    return n


def _runs_of_nodes(degrees: Array) -> list[Block]:
    """All nodes in runs of about `_SORTED_TOGETHER` edges, or of one node."""
    before = np.concatenate([[0], np.cumsum(degrees)])
    runs: list[Block] = []
    first = 0
    while first < len(degrees):
        stop = int(np.searchsorted(before, before[first] + _SORTED_TOGETHER, side="right")) - 1
        runs.append((first, max(stop, first + 1)))
        first = runs[-1][1]
    return runs


def _edges_of_runs(nodes: Array, chosen: Flags, runs: list[Block]) -> Iterator[Array]:
    """Which of the chosen edges belong to the nodes of each run, one after the other."""
    lengths = [stop - first for first, stop in runs]
    run_of = np.repeat(np.arange(len(runs), dtype=np.uint16), lengths)  # so it sorts by counting
    number = np.uint32 if len(nodes) < 1 << 32 else np.int64
    pieces: list[list[Array]] = [[] for _ in runs]
    for first, stop in cut(len(nodes), _SORTED_TOGETHER):
        at = (first + np.flatnonzero(chosen[first:stop])).astype(number)
        run = run_of[nodes[at]]
        bounds = np.cumsum(np.bincount(run, minlength=len(runs)))[:-1]
        by_run = np.split(at[np.argsort(run, kind="stable")], bounds)
        for piece, part in zip(pieces, by_run, strict=True):
            piece.append(part)
    for piece in pieces:
        yield piece[0] if len(piece) == 1 else np.concatenate([*piece, np.empty(0, number)])
        piece.clear()


def _sorted_by_node(nodes: Array, words: Array) -> tuple[Array, Array]:
    if (nodes == nodes[:1]).all():  # perhaps a long run: this is the faster sort
        return nodes, np.sort(words)
    order = np.lexsort((words, nodes))
    return nodes[order], words[order]


def _run(nodes: Array, node: int) -> slice:
    return slice(*np.searchsorted(nodes, [node, node + 1]).tolist())
