"""The named statistics: what each is, of what it is a number, and on what alone it depends."""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from bipnet.errors import InputError, MissingExtraWarning, warn_caller
from bipnet.graph import Side, Sign, SignedBipartiteGraph, as_graph
from bipnet.measures._signs import smaller_side
from bipnet.measures.assortativity import assortativity
from bipnet.measures.butterflies import Counts, butterflies_through
from bipnet.measures.clustering import latapy_clustering, robins_alexander_clustering
from bipnet.measures.communities import INSTALL, LIBRARY, communities
from bipnet.measures.distributions import weight_sd
from bipnet.measures.heterogeneity import disparity, strength_degree_slope
from bipnet.measures.nestedness import nodf, wnodf
from bipnet.measures.spectrum import Spectrum, spectrum

Of = Literal["graph", "left", "right"]
Values = npt.NDArray[np.float64]

EDGES = "edges"
SIGNS = "signs"
_SIDES: tuple[Side, Side] = ("left", "right")
_SIGNS: tuple[Sign, Sign] = ("+", "-")
_WORDS = {"+": "positive edges", "-": "negative edges", None: "all edges"}


class Described:
    """A graph, with what several statistics of it are made from: each made once, when asked for."""

    def __init__(self, W: Any) -> None:
        self.graph: SignedBipartiteGraph = as_graph(W)
        self._cycles: dict[Side, tuple[Counts, Counts]] = {}
        self._spectrum: Spectrum | None = None

    def cycles(self, side: Side) -> tuple[Counts, Counts]:
        """Balanced and unbalanced butterflies through each node of a side."""
        if side not in self._cycles:
            self._cycles[side] = butterflies_through(self.graph, side)
        return self._cycles[side]

    def cycle_totals(self) -> tuple[int, int]:
        """Balanced and unbalanced butterflies of the graph; each goes through two of a side."""
        known = next(iter(self._cycles), smaller_side(self.graph))
        balanced, unbalanced = self.cycles(known)
        return int(balanced.sum()) // 2, int(unbalanced.sum()) // 2

    def spectrum(self) -> Spectrum:
        if self._spectrum is None:
            self._spectrum = spectrum(self.graph)
        return self._spectrum


@dataclass(frozen=True)
class Statistic:
    """A named statistic.

    Attributes
    ----------
    name, title
        How it is asked for, and what it is in a few words.
    of
        "graph": one number; "left" or "right": one for each node of that side.
    depends_on
        Keys of `bipnet.INVARIANTS` of which it is a function: a null model that preserves them
        all has the same value in every draw. Empty: of no such property.
    compute
        From a `Described` graph.
    library
        The optional library that computes it, by the name it is imported as; "" if none does.
    """

    name: str
    title: str
    of: Of
    depends_on: tuple[str, ...]
    compute: Callable[[Described], Any] = field(repr=False, compare=False)
    library: str = ""

    def __call__(self, W: Any) -> Values:
        """Its value of a graph or matrix: (1,) or (n,) float64.

        Examples
        --------
        >>> STATISTICS["k+ left"]([[1.0, -2.0], [3.0, 4.0]])
        array([1., 2.])
        """
        described = W if isinstance(W, Described) else Described(W)
        return np.atleast_1d(np.asarray(self.compute(described), dtype=np.float64))

    @property
    def is_available(self) -> bool:
        """Whether the library that computes it is installed, if it takes one."""
        return not self.library or importlib.util.find_spec(self.library) is not None

    def is_fixed_by(self, preserves: Iterable[str]) -> bool:
        """Whether everything it depends on is among what a null model preserves."""
        return bool(self.depends_on) and set(self.depends_on) <= set(preserves)


def _share(cycles: tuple[Any, Any]) -> Any:
    """The balanced share of each; 0.5 where there are none."""
    balanced, total = np.asarray(cycles[0]), np.add(*cycles)
    return np.divide(balanced, total, out=np.full(np.shape(total), 0.5), where=total > 0)


def _of_the_graph() -> Iterator[Statistic]:
    one = partial(_make, "graph")
    yield one("edges", "number of edges", [EDGES], lambda d: d.graph.n_edges)
    yield one("density", "edges per pair of nodes", [EDGES], lambda d: d.graph.density)
    yield one("alpha", "share of positive edges", ["alpha"], lambda d: d.graph.positive_fraction)
    yield one(
        "weight_sd", "standard deviation of the weights", ["weights"], lambda d: weight_sd(d.graph)
    )
    yield one("butterflies", "cycles of four edges", [EDGES], lambda d: sum(d.cycle_totals()))
    yield one(
        "balanced_butterflies",
        "cycles of four with an even number of negative edges",
        [SIGNS],
        lambda d: d.cycle_totals()[0],
    )
    yield one(
        "unbalanced_butterflies",
        "cycles of four with an odd number of negative edges",
        [SIGNS],
        lambda d: d.cycle_totals()[1],
    )
    yield one(
        "balanced_share",
        "share of the cycles of four that are balanced",
        [SIGNS],
        lambda d: _share(d.cycle_totals()),
    )
    for sign in _SIGNS:
        yield from _of_a_sign(sign)
    for mark in (None, *_SIGNS):
        yield from _assortativities(mark)
    for side in _SIDES:
        for mark in (None, *_SIGNS):
            yield _slope(side, mark)
    yield one("singular_value", "largest singular value", [], lambda d: d.spectrum().values[0])
    yield one(
        "effective_rank",
        "effective rank of the singular values",
        [],
        lambda d: d.spectrum().effective_rank,
    )
    yield one(
        "above_noise",
        "singular values above the Marchenko-Pastur edge",
        [],
        lambda d: d.spectrum().n_above_edge,
    )


def _of_a_sign(sign: Sign) -> Iterator[Statistic]:
    yield _make(
        "graph",
        f"clustering{sign}",
        f"Robins-Alexander clustering of the {_WORDS[sign]}",
        [SIGNS],
        lambda d: robins_alexander_clustering(d.graph, sign),
    )
    yield _make(
        "graph",
        f"nodf{sign}",
        f"nestedness (NODF) of the {_WORDS[sign]}",
        [SIGNS],
        lambda d: nodf(d.graph, sign),
    )
    yield _make(
        "graph",
        f"wnodf{sign}",
        f"nestedness of the weights (WNODF) of the {_WORDS[sign]}",
        [],
        lambda d: wnodf(d.graph, sign),
    )
    yield _make(
        "graph",
        f"modularity{sign}",
        f"Barber modularity of the communities found in the {_WORDS[sign]}, by |w|",
        [],
        lambda d: communities(d.graph, sign).modularity,
        library=LIBRARY,
    )


def _assortativities(sign: Sign | None) -> Iterator[Statistic]:
    yield _make(
        "graph",
        f"degree_assortativity{sign or ''}",
        f"correlation of the degrees at the ends of the {_WORDS[sign]}",
        [SIGNS if sign else EDGES],
        lambda d: assortativity(d.graph, "degree", sign),
    )
    yield _make(
        "graph",
        f"strength_assortativity{sign or ''}",
        f"correlation of the strengths at the ends of the {_WORDS[sign]}",
        [],
        lambda d: assortativity(d.graph, "strength", sign),
    )


def _slope(side: Side, sign: Sign | None) -> Statistic:
    return _make(
        "graph",
        f"strength_slope{sign or ''} {side}",
        f"beta of s ~ k^beta over {side} nodes, {_WORDS[sign]}",
        _strengths(side, sign),
        lambda d: strength_degree_slope(d.graph, side, sign),
    )


def _of_nodes(side: Side) -> Iterator[Statistic]:
    for sign in _SIGNS:
        yield from _indices(side, sign)
    for mark in (None, *_SIGNS):
        yield _disparity(side, mark)
    for sign in _SIGNS:
        yield _latapy(side, sign)
    yield _make(
        side,
        f"butterflies {side}",
        f"cycles of four edges through every {side} node",
        [EDGES],
        lambda d: np.add(*d.cycles(side)),
    )
    yield _make(
        side,
        f"balanced_share {side}",
        f"share of the cycles of four through every {side} node that are balanced",
        [SIGNS],
        lambda d: _share(d.cycles(side)),
    )


def _indices(side: Side, sign: Sign) -> Iterator[Statistic]:
    yield _make(
        side,
        f"k{sign} {side}",
        f"number of {_WORDS[sign]} of every {side} node",
        [f"k{sign} {side}"],
        lambda d: d.graph.degrees(side, sign),
    )
    yield _make(
        side,
        f"s{sign} {side}",
        f"sum of |w| over the {_WORDS[sign]} of every {side} node",
        [f"s{sign} {side}"],
        lambda d: d.graph.strengths(side, sign),
    )


def _disparity(side: Side, sign: Sign | None) -> Statistic:
    return _make(
        side,
        f"disparity{sign or ''} {side}",
        f"disparity of the weights of the {_WORDS[sign]} of every {side} node",
        _strengths(side, sign),
        lambda d: disparity(d.graph, side, sign),
    )


def _latapy(side: Side, sign: Sign) -> Statistic:
    return _make(
        side,
        f"clustering{sign} {side}",
        f"Latapy clustering of every {side} node in the graph of the {_WORDS[sign]}",
        [SIGNS],
        lambda d: latapy_clustering(d.graph, side, sign),
    )


def _strengths(side: Side, sign: Sign | None) -> list[str]:
    return [f"s{one} {side}" for one in (_SIGNS if sign is None else (sign,))]


def _make(
    of: Of,
    name: str,
    title: str,
    depends_on: Sequence[str],
    compute: Callable[[Described], Any],
    *,
    library: str = "",
) -> Statistic:
    return Statistic(name, title, of, tuple(depends_on), compute, library)


STATISTICS: Mapping[str, Statistic] = MappingProxyType(
    {one.name: one for one in (*_of_the_graph(), *_of_nodes("left"), *_of_nodes("right"))}
)
"""All named statistics by name: what `bipnet.significance` and `bipnet stats` take.

Examples
--------
>>> STATISTICS["balanced_share"].title
'share of the cycles of four that are balanced'
>>> STATISTICS["disparity+ left"].depends_on
('s+ left',)
"""


@cache
def graph_statistics() -> tuple[str, ...]:
    """Names of the statistics that are one number of a graph."""
    return tuple(name for name, one in STATISTICS.items() if one.of == "graph")


def default_statistics() -> tuple[str, ...]:
    """Names of the statistics that are one number of a graph and can be computed here.

    Warns
    -----
    MissingExtraWarning
        An optional library is not installed: says which statistics are left out.

    Examples
    --------
    >>> set(default_statistics()) <= set(graph_statistics())
    True
    """
    names = graph_statistics()
    lacking = [name for name in names if not STATISTICS[name].is_available]
    if lacking:
        warn_caller(
            f"{' and '.join(lacking)} are left out: they need scikit-network, {INSTALL}",
            MissingExtraWarning,
        )
    return tuple(name for name in names if name not in lacking)


def named_statistic(name: str) -> Statistic:
    """The statistic of that name.

    Raises
    ------
    InputError
        There is none; the error says which come closest, and what there is.

    Examples
    --------
    >>> named_statistic("alpha").title
    'share of positive edges'
    """
    if name in STATISTICS:
        return STATISTICS[name]
    near = difflib.get_close_matches(str(name), STATISTICS, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else "."
    raise InputError(f"there is no statistic {name!r}{hint} There are: {', '.join(STATISTICS)}")
