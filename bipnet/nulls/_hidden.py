"""A start that data and draws of null model G share: exact p-values need no convergence.

Besag & Clifford 1989. Let K be reversible with respect to the uniform law (as rounds of trades and
loops are: each step is as likely as its reverse). Run the chain *backward* from the data, t steps
to a hidden state, and from there t steps *forward* for every replicate, independently. If the data
are a uniform draw themselves, so is the hidden state, and the data are one more forward run from
it, as good as any replicate: all n + 1 are exchangeable, whatever t is. A draw here is rounds of
trades T and then loops L; backward it is L first, then T. Weights are dealt anew within their sign
at the end of either, so that they depend on no other state.

It takes that t is the same for every state. So it must not come from a pilot, which looks at the
pattern of the data, but only from what all patterns share: shape, edges, degrees and what is free
to move. A larger t buys power, and draws that forget the hidden state: only then are their mean,
spread and z those of the null model.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from bipnet._biadjacency import Biadjacency
from bipnet._check import open_matrix
from bipnet._streams import RNGLike, Seed, resolve_seed
from bipnet._threads import usable_threads
from bipnet.nulls._cells import is_packed
from bipnet.nulls._connected import trades_connect
from bipnet.nulls._draw import Plan, checked_count
from bipnet.nulls._free import FreePart
from bipnet.nulls._loops import LOOPS_PER_NODE
from bipnet.nulls._pilot import MOST_ROUNDS_BEFORE_LOOPS, free_part
from bipnet.nulls._randomize import Ensemble
from bipnet.nulls._rows import Rows, packed_rows
from bipnet.nulls._signs import Length, draw_signs_backward
from bipnet.nulls._spread import spread
from bipnet.nulls.models import NULL_MODELS

M = TypeVar("M")

ROUNDS = 64
"""Rounds of trades of a run either way, if no edge is missing: the pilot of layers that were
trained asks for 20 to 50. Lines that share fewer columns need more: it is divided by the share of
pairs that have an edge."""


def replicates(
    W: M,
    n: int,
    *,
    rng: RNGLike | Seed = None,
    name: str = "",
    steps: int | None = None,
    loops: int | None = None,
    n_threads: int | None = None,
) -> Ensemble[M]:
    """``n`` draws of null model G that are exchangeable with ``W`` if it is one itself.

    Unlike those of `ensemble` they are independent only given the hidden state they all start from:
    use them for p-values, not as independent draws.

    Parameters
    ----------
    W, rng, name, n_threads
        As in `bipnet.randomize`.
    n
        Number of draws.
    steps, loops
        Rounds of trades, and loops, of a run either way. By default 64 rounds, or more where edges
        are missing, and then loops: two per node, or one per edge where there are no trades.
        Numbers of your own must not be chosen by a look at the signs of ``W``.

    Returns
    -------
    As `bipnet.ensemble`.

    Raises
    ------
    InputError, DTypeError
        As in `bipnet.randomize`.

    Examples
    --------
    >>> import numpy as np, bipnet
    >>> W = np.random.default_rng(0).normal(size=(20, 15))
    >>> draws = replicates(W, 3, rng=7)
    >>> len(draws), bool((draws[2] != W).any())
    (3, True)
    """
    edges, rebuild = open_matrix(W)
    threads = usable_threads(n_threads, edges.words.size)
    seed = resolve_seed(rng)
    rows = packed_rows(edges, threads)
    free = free_part(edges, rows)
    length = Length(
        _default_rounds(free) if steps is None else checked_count("steps", steps, 1),
        _default_loops(edges, rows, free) if loops is None else checked_count("loops", loops, 0),
    )
    hidden = _hidden_start(edges, rows, free, length, seed, name, threads)
    model = NULL_MODELS["G"]
    plan = Plan(model, "trade", length, seed, name, 0, packed_rows(hidden, threads))
    return Ensemble(hidden, rebuild, plan, n, threads)


def _default_rounds(free: FreePart) -> int:
    """The same for all patterns with these degrees, as the free part is."""
    n_pairs = int((free.left >= 0).sum()) * int((free.right >= 0).sum())
    return (
        min(MOST_ROUNDS_BEFORE_LOOPS, -(-ROUNDS * n_pairs // max(free.n_edges, 1)))
        if n_pairs
        else ROUNDS
    )


def _default_loops(edges: Biadjacency, rows: Rows, free: FreePart) -> int:
    """Where trades need not connect all patterns; the same for all of them."""
    if free.n_edges == 0:
        return 0
    n_nodes = int((free.left >= 0).sum() + (free.right >= 0).sum())
    if not is_packed(edges):
        return max(LOOPS_PER_NODE * n_nodes, free.n_edges)
    return 0 if trades_connect(edges, free.of(rows)) else LOOPS_PER_NODE * n_nodes


def _hidden_start(
    edges: Biadjacency,
    rows: Rows,
    free: FreePart,
    length: Length,
    seed: Seed,
    name: str,
    n_threads: int,
) -> Biadjacency:
    """A graph with the signs that the backward run from ``edges`` ends with."""

    def key_of(purpose: str) -> Any:
        return seed.key(f"backward {purpose}", name=name, index=0)

    hidden = edges.with_values(np.empty_like(edges.values))
    if edges.n_edges == 0:
        hidden.words[:] = edges.words
        return hidden
    signs = draw_signs_backward(edges, rows, free, length, key_of, n_threads)
    spread(edges, hidden.words, True, key_of("G weights"), n_threads, rows, signs)
    return hidden
