"""One draw on a working copy, and what of it could not move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bipnet._biadjacency import Array, Biadjacency
from bipnet._memory import require_memory
from bipnet._streams import Seed, checked_index
from bipnet.errors import InputError
from bipnet.nulls._permute import permute_within_groups
from bipnet.nulls._signs import KeyOf, default_steps, draw_signs, signs_are_frozen
from bipnet.nulls.models import NullModel, null_model

_PROBE_WORDS = 4096


@dataclass(frozen=True)
class Plan:
    """Everything a draw depends on but the matrix: what a recipe on disk records."""

    model: NullModel
    method: str
    steps: int | None
    seed: Seed
    name: str
    index: int


def make_plan(
    edges: Biadjacency,
    null: str | NullModel,
    *,
    seed: Seed,
    name: str,
    index: int,
    method: str | None,
    steps: int | None,
) -> Plan:
    """Check the arguments of a draw and fill in its method and number of steps."""
    model = null_model(null)
    if method is None:
        method = model.methods[0]
    elif method not in model.methods:
        raise InputError(
            f"null model {model.letter} has the methods {', '.join(model.methods)}, not {method!r}"
        )
    if model.exact:
        if steps is not None:
            raise InputError(
                f"null model {model.letter} is an exact draw without a chain: leave steps out"
                " (only G takes them)"
            )
    elif steps is None:
        steps = default_steps(method, edges.n_edges)
    elif isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 1:
        raise InputError(f"steps must be a positive integer, got {steps!r}")
    return Plan(
        model, method, None if steps is None else int(steps), seed, name, checked_index(index)
    )


def draw(edges: Biadjacency, plan: Plan, n_threads: int) -> list[str]:
    """Randomise ``edges`` (a working copy) in place; say which parts could not move."""
    model = plan.model
    require_memory(edges.values.nbytes, f"null model {model.letter} on {edges.shape}")
    if edges.n_edges == 0:
        return ["nothing can move: the graph has no edges"]
    before = edges.words[:_PROBE_WORDS].copy()

    def key_of(purpose: str) -> Array:
        return plan.seed.key(purpose, name=plan.name, index=plan.index)

    if not model.redraws_signs:
        alone = permute_within_groups(edges, model, key_of(model.letter), n_threads)
        if sum(alone) == edges.n_edges:
            return _frozen_weights(edges, model, alone)
        return _same_weights(edges, model, before) or _frozen_weights(edges, model, alone)
    return _redraw(edges, plan, key_of)


def _redraw(edges: Biadjacency, plan: Plan, key_of: KeyOf) -> list[str]:
    from bipnet_kernels import spread_by_sign

    layout = edges.layout
    old = ((edges.edge_words & layout.negative) == 0).astype(np.uint8)
    positive = old.copy()
    assert plan.steps is not None
    draw_signs(edges, positive, method=plan.method, steps=plan.steps, key_of=key_of)
    words = edges.words
    spread_by_sign(
        words,
        positive,
        layout.nonzero,
        layout.negative,
        key_of("G weights"),
        np.empty(words.size, dtype=words.dtype),
    )
    n_positive = int(old.sum())
    if n_positive in (0, len(old)):
        word = "negative" if n_positive == 0 else "positive"
        reason = f"all {len(old)} edges are {word}"
    elif np.array_equal(old, positive) and signs_are_frozen(edges, old):
        reason = "no other sign pattern has these degrees"
    else:
        return []
    alone = [
        f"the one {word} weight"
        for word, n in (("positive", n_positive), ("negative", len(old) - n_positive))
        if n == 1
    ]
    if len(alone) == (n_positive > 0) + (n_positive < len(old)):
        return [f"nothing can move: signs are frozen ({reason}) and so is {' and '.join(alone)}"]
    weights = f"; {' and '.join(alone)} too" if alone else ""
    return [f"signs are frozen ({reason}){weights}; the other weights were permuted"]


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
        return [f"nothing can move: each of the {n_alone} edges is {why}"]
    return [f"{n_alone} of {edges.n_edges} edges are frozen: each is {why}"]


def _same_weights(edges: Biadjacency, model: NullModel, before: Array) -> list[str]:
    """Whether permuting could change nothing because the weights of each group are all equal."""
    if not np.array_equal(edges.words[: before.size], before):
        return []  # the cheap common case
    weights = edges.edge_words
    nodes = {
        "all": np.zeros(weights.size, dtype=np.int64),
        "left": edges.edge_rows,
        "right": edges.edge_columns,
    }[model.groups]
    negative = (weights & edges.layout.negative) != 0
    groups = 2 * nodes + (negative if model.by_sign else 0)
    order = np.lexsort((weights, groups))
    same_group = groups[order][1:] == groups[order][:-1]
    differ = weights[order][1:] != weights[order][:-1]
    if (same_group & differ).any():
        return []
    return ["nothing can change: all weights that may change places are the same value"]
