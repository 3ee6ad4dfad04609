"""significance: statistics of a graph against draws of a null model."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from bipnet._significance.draws import Kept, Values, drawn_values, values_of
from bipnet._significance.pvalues import (
    SAME,
    Alternative,
    Correction,
    adjusted,
    checked_alternative,
    checked_correction,
    p_values,
)
from bipnet._significance.result import Significance, Tested
from bipnet._streams import STREAM_VERSION, RNGLike, Seed, resolve_seed
from bipnet._threads import usable_threads
from bipnet.errors import InputError
from bipnet.graph import SignedBipartiteGraph
from bipnet.measures.catalogue import (
    STATISTICS,
    Described,
    Of,
    Statistic,
    default_statistics,
    named_statistic,
)
from bipnet.nulls import ensemble
from bipnet.nulls._hidden import replicates
from bipnet.nulls.models import NullModel, null_model

Own = Callable[[SignedBipartiteGraph], Any]
Named = Iterable[str] | Mapping[str, Own | tuple[Own, Of]]

_SIDES: tuple[Of, ...] = ("left", "right")

INDEPENDENT = "independent draws, exact p-values"
EXCHANGEABLE = (
    "draws from a hidden state (Besag & Clifford 1989), exact p-values; mean, sd and z as good as"
    " the chain's convergence"
)
CHAIN = "restarts of the chain from the data, p-values as good as its convergence"


def significance(
    W: Any,
    statistics: str | Named | None = None,
    null: str | NullModel = "G",
    n: int = 1000,
    *,
    rng: RNGLike | Seed = None,
    exact: bool = True,
    steps: int | None = None,
    loops: int | None = None,
    alternative: Alternative = "two-sided",
    correction: Correction | None = "bh",
    name: str = "",
    n_threads: int | None = None,
    resume: str | PathLike[str] | None = None,
    progress: bool = False,
) -> Significance:
    """What of a graph is more than a null model makes by chance.

    Parameters
    ----------
    W
        Graph or matrix.
    statistics
        Names from `bipnet.measures.STATISTICS`, or functions of one's own by name: graph -> a
        number, or one for each node of one side; a pair (function, "left" or "right") says of
        which, as it must where both sides have as many nodes. By default all statistics of the
        whole graph; of large ones modularity is the slowest by far: name the others to do without.
    null
        "A" to "G", a key of `bipnet.NULL_MODELS`.
    n
        Number of draws; no p-value is below 1 / (n + 1).
    rng, name, steps, loops
        As in `bipnet.randomize`. Under G, and if ``exact``, steps and loops are those of a run
        either way: 64 rounds of trades, more where edges are missing, and then loops too. Numbers
        of your own must not be chosen by a look at the signs.
    exact
        Under G: draw from a hidden state that data and draws share (Besag & Clifford 1989), which
        makes p-values exact however slowly the chain mixes; longer runs buy power, and a mean, sd
        and z that forget the hidden state (compare ``exact=False`` where it mixes slowly). False:
        draws of `bipnet.ensemble`. A to F are exact in any case.
    alternative
        "two-sided" (far from the mean of data and draws), "greater" or "less".
    correction
        For many p-values: "bh", "by", "holm", "bonferroni" or None. A family are the nodes of a
        side for one statistic, or all statistics of the whole graph.
    n_threads
        Draws made at a time; None means all cores for large matrices. The result does not depend
        on it.
    resume
        A file in which the values are kept: the same call goes on after an interruption, or with
        another ``n``. Of functions of one's own it knows the names alone: name another file when
        one has changed.
    progress
        Show a bar on a terminal.

    Returns
    -------
    A `Significance`: print it, or take its rows. Statistics that the null model preserves are
    "fixed" and not drawn at all; those that are the same in all draws are "constant". Where all
    draws agree on another value than the data's, z is infinite, with the sign of the difference.

    Raises
    ------
    InputError, DTypeError
        As in `bipnet.randomize`; an unknown statistic (the error lists all), alternative or
        correction; a function that gives no finite numbers; a file of another test.
    OutputExistsError, MissingFileError
        ``resume`` is a folder, or its folder does not exist.
    MissingExtraError
        A statistic was named that needs an optional library, and that is not installed.

    Warns
    -----
    MissingExtraWarning
        The same, of the statistics by default: they are left out.

    Notes
    -----
    p = (b + 1) / (n + 1), with b draws at least as extreme as the data, ties among them.

    Examples
    --------
    >>> import numpy as np, bipnet
    >>> rng = np.random.default_rng(0)
    >>> W = np.outer(rng.normal(size=30), rng.normal(size=20)) + rng.normal(size=(30, 20))
    >>> found = bipnet.significance(W, ["balanced_share", "alpha"], "G", n=99, rng=7)
    >>> float(found["balanced_share"].p[0]), str(found["alpha"].state[0])
    (0.01, 'fixed')
    """
    model = null_model(null)
    alternative, correction = checked_alternative(alternative), checked_correction(correction)
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        raise InputError(f"n must be a positive number of draws, got {n!r}")
    described = Described(W)
    graph = described.graph
    chosen = _chosen(statistics)
    observed = values_of(described, chosen)
    chosen = {name: _placed(one, observed[name], graph) for name, one in chosen.items()}
    to_draw = {name: one for name, one in chosen.items() if not one.is_fixed_by(model.preserves)}
    seed = resolve_seed(rng)
    threads = usable_threads(n_threads, graph.n_left * graph.n_right)
    options: dict[str, Any] = {"rng": seed, "name": name, "n_threads": 1 if threads > 1 else None}
    if model.redraws_signs and exact:
        draws = replicates(graph, int(n), steps=steps, loops=loops, **options)
        law = EXCHANGEABLE
    else:
        draws = ensemble(graph, model, int(n), steps=steps, loops=loops, **options)
        law = INDEPENDENT if model.exact else CHAIN
    kept = None
    if resume is not None:
        kept = Kept(
            Path(resume),
            {
                "graph": graph.checksum(),
                "null": model.letter,
                "seed": repr(seed),
                "name": name,
                "law": law,
                "length": [draws.steps, draws.loops],
                "streams": STREAM_VERSION,
                "statistics": [
                    f"own {name}" if _is_own(one) else name for name, one in to_draw.items()
                ],
            },
        )
    drawn: dict[str, Values] = {}
    if to_draw:
        drawn = drawn_values(
            draws, to_draw, observed, n_threads=threads, title=name or "draws",
            progress=progress, kept=kept,
        )  # fmt: skip
    tested = {
        name: _tested(one, observed[name], drawn.get(name), alternative)
        for name, one in chosen.items()
    }
    return Significance(
        _corrected(tested, correction), model.letter, int(n), seed, name, draws.steps,
        draws.loops, law, alternative, correction, graph.left_labels, graph.right_labels,
    )  # fmt: skip


def _chosen(statistics: str | Named | None) -> dict[str, Statistic]:
    if statistics is None:
        statistics = default_statistics()
    if isinstance(statistics, str):
        statistics = [statistics]
    if isinstance(statistics, Mapping):
        chosen = {name: _own(name, one) for name, one in statistics.items()}
    elif isinstance(statistics, Iterable):
        chosen = {name: named_statistic(name) for name in statistics}
    else:
        raise InputError(
            "statistics must be names, or functions of a graph by name like {'mine': function},"
            f" got {statistics!r}"
        )
    if not chosen:
        raise InputError("statistics is empty: name one at least")
    return chosen


def _own(name: str, function: Any) -> Statistic:
    """A statistic of the user's: of no known dependence, and of what its values tell."""
    if isinstance(function, Statistic):
        return replace(function, name=name)
    side: Of = "graph"  # or whichever its values fit: `_placed`
    if isinstance(function, tuple) and len(function) == 2:
        function, side = function
    if not callable(function) or side not in ("graph", "left", "right"):
        raise InputError(
            f"statistic {name!r} must be a function of a graph, or a pair of it and 'left' or"
            f" 'right', got {function!r}" + (f" and {side!r}" if callable(function) else "")
        )
    return Statistic(name, name, side, (), lambda described: function(described.graph))


def _is_own(one: Statistic) -> bool:
    return STATISTICS.get(one.name) != one


def _placed(one: Statistic, values: Values, graph: SignedBipartiteGraph) -> Statistic:
    """An own statistic with many values is one of the nodes of the side that has as many."""
    if not _is_own(one):
        return one
    sizes = {"left": graph.n_left, "right": graph.n_right}
    if one.of == "graph":
        if len(values) == 1:
            return one
        sides: list[Of] = [side for side in _SIDES if sizes[side] == len(values)]
    else:
        sides = [one.of] if sizes[one.of] == len(values) else []
    if len(sides) == 2:
        raise InputError(
            f"statistic {one.name!r} gives {len(values)} values, and there are as many left nodes"
            " as right ones: say of which they are by a pair like (function, 'left')"
        )
    if not sides:
        wanted = f"one, or one for each of {graph.n_left} left or {graph.n_right} right nodes,"
        if one.of != "graph":
            wanted = f"one for each of {sizes[one.of]} {one.of} nodes"
        raise InputError(f"statistic {one.name!r} gives {len(values)} values: {wanted} was wanted")
    return replace(one, of=sides[0])


def _tested(
    one: Statistic, observed: Values, drawn: Values | None, alternative: Alternative
) -> Tested:
    nothing = np.full(len(observed), np.nan)
    if drawn is None:
        fixed = np.full(len(observed), "fixed")
        zero = np.zeros(len(observed))
        return Tested(one.name, one.of, observed, observed, zero, nothing, nothing, nothing, fixed)
    mean = drawn.mean(axis=0)
    sd = drawn.std(axis=0, ddof=1) if len(drawn) > 1 else np.zeros(len(observed))
    size = np.maximum(np.abs(drawn).max(axis=0), np.abs(observed))
    sd = np.where(np.ptp(drawn, axis=0) <= SAME * size, 0.0, sd)
    same = (sd == 0) & (np.abs(observed - mean) <= SAME * size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        z = np.where(sd > 0, (observed - mean) / sd, np.nan)
    if len(drawn) > 1:  # a single draw says nothing of the spread
        z = np.where((sd == 0) & ~same, np.copysign(np.inf, observed - mean), z)
    p = np.where(same, np.nan, p_values(observed, drawn, alternative))
    return Tested(one.name, one.of, observed, mean, sd, z, p, p, np.where(same, "constant", "ok"))


def _corrected(tested: dict[str, Tested], correction: Correction | None) -> dict[str, Tested]:
    families: list[Sequence[str]] = [[name] for name, one in tested.items() if one.side != "graph"]
    families.append([name for name, one in tested.items() if one.side == "graph"])
    result = dict(tested)
    for names in families:
        p = np.concatenate([tested[name].p for name in names]) if names else np.empty(0)
        known = np.isfinite(p)
        p[known] = adjusted(p[known], correction)
        start = 0
        for name in names:
            stop = start + len(tested[name].p)
            result[name] = replace(tested[name], p_adjusted=p[start:stop])
            start = stop
    return result
