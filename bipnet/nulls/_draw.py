"""One draw from a matrix into a target, and what of it could not move."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bipnet._biadjacency import Array, Biadjacency
from bipnet._memory import require_memory
from bipnet._streams import Seed, checked_index
from bipnet.errors import InputError, NotSettledWarning, warn_caller
from bipnet.nulls._cells import is_full
from bipnet.nulls._finite import look_over
from bipnet.nulls._mobility import mobility
from bipnet.nulls._permute import permute_and_check, permute_within_groups
from bipnet.nulls._pilot import free_part, pilot
from bipnet.nulls._rows import Rows, packed_rows
from bipnet.nulls._signs import KeyOf, Length, chain_bytes, draw_signs
from bipnet.nulls._spread import spread
from bipnet.nulls.models import NullModel, null_model

_PROBE_WORDS = 4096


@dataclass(frozen=True)
class Plan:
    """Everything a draw depends on but the matrix: what a recipe on disk records."""

    model: NullModel
    method: str
    length: Length | None
    seed: Seed
    name: str
    index: int
    rows: Rows | None = field(default=None, repr=False, compare=False)
    """The packed signs of the matrix, where they are needed (G)."""

    @property
    def steps(self) -> int | None:
        return None if self.length is None else self.length.steps

    @property
    def loops(self) -> int | None:
        return None if self.length is None else self.length.loops


def make_plan(
    matrix: Biadjacency,
    null: str | NullModel,
    *,
    seed: Seed,
    name: str,
    index: int,
    method: str | None,
    steps: int | None,
    loops: int | None = None,
    n_threads: int = 1,
) -> Plan:
    """Check the arguments of a draw; find its method and the length of its chain."""
    model = null_model(null)
    if method is None:
        method = model.methods[0]
    elif method not in model.methods:
        raise InputError(
            f"null model {model.letter} has the methods {', '.join(model.methods)}, not {method!r}"
        )
    index = checked_index(index)
    for what, number, least in (("steps", steps, 1), ("loops", loops, 0)):
        if number is None:
            continue
        if model.exact:
            raise InputError(
                f"null model {model.letter} is an exact draw without a chain: leave {what} out"
                " (only G takes them)"
            )
        checked_count(what, number, least)
    if model.exact:
        return Plan(model, method, None, seed, name, index)
    rows = packed_rows(matrix, n_threads).knowing(matrix.n_edges)
    length = _length(matrix, rows, method, steps, loops, n_threads)
    return Plan(model, method, length, seed, name, index, rows)


def checked_count(what: str, number: Any, least: int) -> int:
    """A number of steps (``least`` 1) or of loops (0)."""
    if isinstance(number, bool) or not isinstance(number, (int, np.integer)) or number < least:
        kind = "positive" if least else "non-negative"
        raise InputError(f"{what} must be a {kind} integer, got {number!r}")
    return int(number)


def _length(
    matrix: Biadjacency,
    rows: Rows,
    method: str,
    steps: int | None,
    loops: int | None,
    n_threads: int,
) -> Length:
    """As given; what is not given the pilot says, but for loops where no edge is missing: none."""
    if is_full(matrix) and steps is not None and loops is None:
        loops = 0
    if matrix.n_edges == 0:
        return Length(steps or 1, loops or 0)
    if steps is not None and loops is not None:
        return Length(int(steps), int(loops))
    require_memory(chain_bytes(matrix, method), f"the pilot of null model G on {matrix.shape}")
    found = pilot(matrix, rows, method, n_threads)
    if not found.settled:
        warn_caller(
            f"null model G ({method}): the pilot chain had not settled after"
            f" {found.traces.shape[1] - 1} steps; draws may remember the data",
            NotSettledWarning,
        )
    return Length(
        found.length.steps if steps is None else int(steps),
        found.length.loops if loops is None else int(loops),
    )


def draw(matrix: Biadjacency, target: Array, plan: Plan, n_threads: int) -> list[str]:
    """Write a draw into ``target`` (its words); say which parts could not move.

    ``target`` may be the words of ``matrix``.
    """
    model = plan.model
    require_memory(matrix.values.nbytes, f"null model {model.letter} on {matrix.shape}")

    def key_of(purpose: str) -> Array:
        return plan.seed.key(purpose, name=plan.name, index=plan.index)

    before = matrix.words[:_PROBE_WORDS].tobytes()
    alone = None
    if not matrix.is_checked:
        alone = permute_and_check(matrix, target, model, key_of(model.letter), n_threads)
        look_over(matrix, n_threads)  # where that saw zeros or worse
    if matrix.n_edges == 0:
        target[:] = matrix.words
        return ["nothing can move: the graph has no edges"]
    if model.redraws_signs:
        return _redraw(matrix, target, plan, key_of, n_threads)
    if alone is None:
        alone = permute_within_groups(matrix, target, model, key_of(model.letter), n_threads)
    if sum(alone) < matrix.n_edges and target[:_PROBE_WORDS].tobytes() == before:
        return _same_weights(matrix, model) or _frozen_weights(matrix, model, alone)
    return _frozen_weights(matrix, model, alone)


def _redraw(
    matrix: Biadjacency, target: Array, plan: Plan, key_of: KeyOf, n_threads: int
) -> list[str]:
    rows = plan.rows
    assert rows is not None
    assert plan.length is not None
    require_memory(chain_bytes(matrix, plan.method), f"null model G on {matrix.shape}")
    frozen = _frozen_parts(matrix, rows)  # before an in-place draw changes the signs
    free = free_part(matrix, rows)
    signs = draw_signs(matrix, rows, free, plan.method, plan.length, key_of, n_threads)
    spread(matrix, target, True, key_of("G weights"), n_threads, rows, signs)
    return frozen


def _frozen_parts(matrix: Biadjacency, rows: Rows) -> list[str]:
    """What G cannot move: signs that every pattern with these degrees has, and lone weights."""
    n_edges, n_positive = rows.n_edges, rows.n_positive
    n_frozen = rows.n_edges - free_part(matrix, rows).n_edges
    if n_frozen == 0:
        return []
    if n_frozen < n_edges:
        return [
            f"the signs of {n_frozen} of {n_edges} edges are frozen: every sign pattern with these"
            " degrees has them (bipnet.certify says which)"
        ]
    if n_positive in (0, n_edges):
        word = "negative" if n_positive == 0 else "positive"
        reason = f"all {n_edges} edges are {word}"
    else:
        reason = "no other sign pattern has these degrees"
    alone = [
        f"the one {word} weight"
        for word, n in (("positive", n_positive), ("negative", n_edges - n_positive))
        if n == 1
    ]
    if len(alone) == (n_positive > 0) + (n_positive < n_edges):
        return [f"nothing can move: signs are frozen ({reason}) and so is {' and '.join(alone)}"]
    if _all_equal(matrix, False) and _all_equal(matrix, True):
        return [f"nothing can change: signs are frozen ({reason}), weights of one sign are equal"]
    if not alone:
        return [f"signs are frozen ({reason}); weights were permuted within their sign"]
    return [f"signs are frozen ({reason}); {' and '.join(alone)} too; the others were permuted"]


def _all_equal(matrix: Biadjacency, negative: bool) -> bool:
    """Whether all weights of one sign are the same value (or there are fewer than two)."""
    weights = matrix.edge_words
    chosen = weights[((weights & matrix.layout.negative) != 0) == negative]
    return bool((chosen == chosen[:1]).all())


def _frozen_weights(edges: Biadjacency, model: NullModel, alone: tuple[int, int]) -> list[str]:
    """Which edges were alone in their group of an A to F draw."""
    n_alone = sum(alone)
    if n_alone == 0:
        return []
    group = {"all": "in the graph", "left": "of their left node", "right": "of their right node"}
    if not model.by_sign:
        why = f"the only edge {group[model.groups]}"
    else:
        why = f"the only edge of their sign {group[model.groups]}"
    if n_alone == edges.n_edges:
        which = "the one edge is" if n_alone == 1 else f"each of the {n_alone} edges is"
        return [f"nothing can move: {which} {why}"]
    return [f"{n_alone} of {edges.n_edges} edges are frozen: each is {why}"]


def _same_weights(edges: Biadjacency, model: NullModel) -> list[str]:
    """Whether permuting could change nothing because the weights of each group are all equal."""
    if mobility(edges, model)[1].n_movable:
        return []
    return ["nothing can change: all weights that may change places are the same value"]
