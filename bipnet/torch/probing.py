"""probe: the score of a model as its layers are pruned, noised, flipped or randomised."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torch import nn

from bipnet._progress import progress_bar
from bipnet._streams import RNGLike, Seed, resolve_seed
from bipnet.errors import InputError
from bipnet.nulls import NullModel
from bipnet.probes import Distribution
from bipnet.torch.layers import list_layers
from bipnet.torch.scoring import Evaluate, Scorer, data_frame, pandas_for
from bipnet.torch.treatment import (
    ALL_LAYERS,
    Chance,
    News,
    Treatment,
    binarized,
    grouped,
    total_edges,
)

if TYPE_CHECKING:
    import pandas as pd

MODELS = {False: "float", True: "signed"}

PROBE_COLUMNS: Mapping[str, str] = {
    "layer": "str",
    "model": "str",
    "probe": "str",
    "null_model": "str",
    "fraction_removed": "float64",
    "level": "float64",
    "realization": "int64",
    "n_edges": "int64",
    "score": "float64",
}
"""Columns of the table of `probe`, with their dtypes."""


def probe(
    model: nn.Module,
    evaluate: Evaluate,
    probe: str | NullModel = "prune",
    *,
    levels: Iterable[float] | float | None = None,
    signed: bool | Iterable[bool] = (False, True),
    layers: str | Sequence[str] | None = None,
    each: bool = False,
    biases: bool = False,
    untouched: bool = True,
    n_realizations: int = 5,
    index: int = 0,
    rng: RNGLike | Seed = None,
    distribution: Distribution = "uniform",
    method: str | None = None,
    steps: int | None = None,
    loops: int | None = None,
    n_threads: int | None = None,
) -> pd.DataFrame:
    """The score of a model with probed layers: a tidy table, a row per level and realization.

    Nothing is trained. Every byte of the model is what it was afterwards, exceptions and Ctrl-C
    included.

    Parameters
    ----------
    model
        Any torch module, on any device.
    evaluate
        Called with ``model`` at each point; gives its score, a number that is not NaN, e.g.
        `Accuracy`.
    probe
        "prune": remove the smallest weights (`bipnet.prune`). "noise": add noise to the weights
        (`bipnet.add_noise`). "flip": flip the signs of the smallest weights
        (`bipnet.flip_signs`). "A" to "G": prune, then randomise what is left
        (`bipnet.randomize`).
    levels
        "prune" and null models: fraction p of edges removed, 0 to 1. "noise": half-width a, or
        standard deviation if normal, >= 0, in units of the weights. "flip": fraction q of edges
        flipped, 0 to 1. By default ``PRUNE_LEVELS``, ``NOISE_LEVELS`` or ``FLIP_LEVELS`` of
        `bipnet.probes`.
    signed
        Which models to evaluate: False, the probed one; True, the probed one binarised
        afterwards (`bipnet.binarize`).
    layers
        Glob or globs on tensor or module names, as in `swapped`; linear and convolution weights
        by default. Each is probed by itself (its own ranking, its own draw), and the model is
        evaluated with all of them probed.
    each
        Evaluate with one probed layer at a time instead, the others as they are.
    biases
        Prune, noise and binarise the bias vectors of the layers as well, by their own ranking.
        They are never flipped or randomised.
    untouched
        First evaluate the model as it is, and binarised.
    n_realizations
        Draws per level of "noise" and null models. "prune", "flip" and binarising leave nothing
        to chance: they are evaluated once, and their table has no rows of other realizations.
    index
        Number of the first realization.
    rng
        As in `bipnet.randomize`. Realization i of a layer is draw ``index=i`` under the name of
        its tensor (as `list_layers` gives it), at every level: it can be made again alone, and
        is the one of ``swapped(model, null, rng=rng, index=i)``.
    distribution
        Of the noise, "uniform" or "normal".
    method, steps, loops
        Of null model G, as in `bipnet.randomize`.
    n_threads
        Threads of a draw; the result does not depend on it.

    Returns
    -------
    DataFrame with the columns

    - layer: "all", or with ``each`` the name of the layer that is probed ("all" for the model as
      it is, which is evaluated once);
    - model: "float", or "signed" (binarised);
    - probe: "none" (the first rows, if ``untouched``: the model as it is, and binarised),
      "prune", "noise", "flip", or "randomize" for a null model;
    - null_model: "A" to "G", or "";
    - fraction_removed: p of "prune" and null models, else 0;
    - level: a of "noise", q of "flip", else NaN;
    - realization: number of the draw, 0 where there is none;
    - n_edges: edges that the probed layers then have, together;
    - score: what ``evaluate`` gave.

    ``table.attrs`` has the distribution of the noise.

    Raises
    ------
    InputError
        An unknown probe (lists all there are), a level out of range or given twice, a score that
        is NaN (says at which level and realization) or no number, ``layers`` that is empty, weights
        that are not finite.
    LayerNotFoundError
        No such layer; lists what there is.
    DTypeError
        Weights that cannot be probed so (noise on integers).
    MissingExtraError
        pandas is not installed.

    Warns
    -----
    EmptyLayerWarning
        A layer has no edges left from some level on. Once for each layer.
    FrozenWarning, NotSettledWarning
        As `bipnet.randomize`. Once for each layer.

    Notes
    -----
    Paper, sections 3.1 (prune, binarise), 3.2 (noise), 3.3 (flip), 3.4 (null models) and 5 (one
    layer at a time). Ties in magnitude are broken by position, as in `bipnet.prune`: the earlier
    edge of the layer's graph in row-major order counts as the smaller one.

    Examples
    --------
    >>> import torch
    >>> model = torch.nn.Linear(4, 1, bias=False)
    >>> _ = model.weight.data.copy_(torch.tensor([[0.5, -1.0, 2.0, -3.0]]))
    >>> def total(model):
    ...     return float(model.weight.detach().sum())
    >>> table = probe(model, total, "prune", levels=[0.5], signed=False)
    >>> table[["model", "probe", "fraction_removed", "n_edges", "score"]]
       model  probe  fraction_removed  n_edges  score
    0  float   none               0.0        4   -1.5
    1  float  prune               0.5        2   -1.0
    >>> model = torch.nn.Linear(20, 10)
    >>> len(probe(model, total, "B", levels=[0, 0.5], n_realizations=3, rng=7))  # 2 + 2 * 3 * 2
    14
    """
    pandas_for("bipnet.torch.probe")
    chance = Chance(
        resolve_seed(rng), index, n_realizations, distribution, method, steps, loops, n_threads
    )
    news = News()
    treatment = Treatment.named(probe, chance, news)
    grid = treatment.checked_levels(levels)
    kinds = _checked_signed(signed)
    groups = grouped(list_layers(model, layers), each=each, biases=biases)
    first_rows: list[tuple[Any, ...]] = []
    rows: list[tuple[Any, ...]] = []

    def row(group: str, kind: bool, treatment: Treatment | None, level: float, *rest: Any) -> Any:
        fraction, other = 0.0, math.nan
        if treatment is not None and treatment.probe in ("prune", "randomize"):
            fraction = level
        elif treatment is not None:
            other = level
        probe = "none" if treatment is None else treatment.probe
        letter = "" if treatment is None or treatment.null is None else treatment.null.letter
        return (group, MODELS[kind], probe, letter, fraction, other, *rest)

    signs = Treatment("binarize", None, chance, news)
    at_first = kinds if untouched else []
    n_points = len(grid) * treatment.n_realizations * len(kinds) + (True in at_first)
    with (
        progress_bar(
            (False in at_first) + n_points * len(groups), f"probe {treatment.name}"
        ) as bar,
        Scorer(model, evaluate, groups, bar.update) as score,
    ):
        if False in at_first:
            group_name = groups[0].name if len(groups) == 1 else ALL_LAYERS
            n_edges = sum(total_edges(group.values()) for group in groups)
            first_rows.append(
                row(group_name, False, None, 0, 0, n_edges, score("the model as it is"))
            )
        for group in groups:
            with score.probing(group, n_points):
                for _, values in signs.applied(group) if True in at_first else ():
                    what = f"the signed model, layer {group.name}"
                    rest = (0, total_edges(values), score(what, values))
                    first_rows.append(row(group.name, True, None, 0, *rest))
                for level in grid:
                    for realization, probed in treatment.applied(group, level):
                        for kind in kinds:
                            values = binarized(probed) if kind else probed
                            what = (
                                f"probe {treatment.name!r} at {treatment.at(level)}, realization"
                                f" {realization}, {MODELS[kind]} model, layer {group.name}"
                            )
                            rest = (realization, total_edges(values), score(what, values))
                            rows.append(row(group.name, kind, treatment, level, *rest))
    table: pd.DataFrame = data_frame(first_rows + rows, dict(PROBE_COLUMNS))
    if treatment.probe == "noise":
        table.attrs["distribution"] = distribution
    return table


def _checked_signed(signed: bool | Iterable[bool]) -> list[bool]:
    """False and True as asked for, each once, in this order."""
    given = [signed] if isinstance(signed, bool) else signed
    kinds = list(given) if isinstance(given, Iterable) else []
    if not kinds or any(not isinstance(kind, bool) for kind in kinds):
        raise InputError(f"signed must be True, False or both, got {signed!r}")
    return sorted(set(kinds))
