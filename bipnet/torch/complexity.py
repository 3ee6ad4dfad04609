"""task_complexity: the score that a model loses when its weights are binarised or randomised."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torch import nn

from bipnet._progress import progress_bar
from bipnet._streams import RNGLike, Seed, resolve_seed
from bipnet.errors import InputError
from bipnet.nulls import NULL_MODELS, NullModel
from bipnet.torch.layers import list_layers
from bipnet.torch.scoring import Evaluate, Scorer, data_frame, pandas_for
from bipnet.torch.treatment import (
    Chance,
    News,
    Treatment,
    grouped,
)

if TYPE_CHECKING:
    import pandas as pd

BINARIZE = "binarize"

COMPLEXITY_COLUMNS: Mapping[str, str] = {
    "layer": "str",
    "by": "str",
    "realization": "int64",
    "original": "float64",
    "probed": "float64",
    "gap": "float64",
}
"""Columns of the table of `task_complexity`, with their dtypes."""


def task_complexity(
    model: nn.Module,
    evaluate: Evaluate,
    by: str | NullModel | Sequence[str | NullModel] = (BINARIZE, "B"),
    *,
    layers: str | Sequence[str] | None = None,
    each: bool = False,
    biases: bool = False,
    n_realizations: int = 10,
    index: int = 0,
    rng: RNGLike | Seed = None,
    method: str | None = None,
    steps: int | None = None,
    loops: int | None = None,
    n_threads: int | None = None,
) -> pd.DataFrame:
    """How hard a task is for a model: its score minus that of the binarised or randomised model.

    A large gap means a hard task. Nothing is trained. Every byte of the model is what it was
    afterwards, exceptions and Ctrl-C included.

    Parameters
    ----------
    model
        Any torch module, on any device.
    evaluate
        Called with ``model``; gives its score, a number that is not NaN, e.g. `Accuracy`.
    by
        What is done to the weights: "binarize" (`bipnet.binarize`), "A" to "G"
        (`bipnet.randomize`), or several of them.
    layers
        Glob or globs on tensor or module names, as in `swapped`; linear and convolution weights
        by default.
    each
        Change one layer at a time, the others as they are (paper, Figure 5d-f), instead of all
        at once.
    biases
        Binarise the bias vectors of the layers as well. They are never randomised.
    n_realizations
        Draws of each null model. Binarising leaves nothing to chance and has one row.
    index
        Number of the first realization.
    rng
        As in `bipnet.randomize`: realization i of a layer is draw ``index=i`` under the name of
        its tensor, that of ``swapped(model, null, rng=rng, index=i)``.
    method, steps, loops
        Of null model G, as in `bipnet.randomize`; they need "G" to be among ``by``.
    n_threads
        Threads of a draw; the result does not depend on it.

    Returns
    -------
    DataFrame with the columns

    - layer: "all", or with ``each`` the name of the layer that is changed;
    - by: "binarize", "A" to "G";
    - realization: number of the draw, 0 for "binarize";
    - original: score of the model as it is, evaluated once;
    - probed: score of the changed model;
    - gap: original minus probed, in the units of the score; infinite where the changed model's
      score is.

    ``table.groupby("by")["gap"].median()`` is the measure of the paper.

    Raises
    ------
    InputError
        An unknown ``by`` (lists all there are) or one given twice; a score that is NaN (says
        where) or no number, or of the model as it is infinite; ``layers`` that is empty; weights
        that are not finite.
    LayerNotFoundError
        No such layer; lists what there is.
    MissingExtraError
        pandas is not installed.

    Warns
    -----
    EmptyLayerWarning, FrozenWarning, NotSettledWarning
        As in `probe`. Once for each layer and null model.

    Notes
    -----
    Paper, section 4 ("Defining task complexity") and Figure 4: the change in accuracy when a
    trained network is binarised or randomised by B measures the difficulty of its task, without
    a look at the data. Accuracies below chance are not folded.

    Examples
    --------
    >>> import torch
    >>> model = torch.nn.Linear(4, 1, bias=False)
    >>> _ = model.weight.data.copy_(torch.tensor([[0.5, -1.0, 2.0, -3.0]]))
    >>> def largest(model):
    ...     return float(model.weight.detach().max())
    >>> table = task_complexity(model, largest, n_realizations=3, rng=7)
    >>> table.groupby("by")["gap"].median().to_dict()
    {'B': 0.0, 'binarize': 1.0}
    """
    pandas_for("bipnet.torch.task_complexity")
    seed = resolve_seed(rng)
    plain = Chance(seed, index, n_realizations, n_threads=n_threads)
    chain = Chance(
        seed, index, n_realizations, method=method, steps=steps, loops=loops, n_threads=n_threads
    )
    chosen = _checked_by(by)
    if "G" not in chosen and any(option is not None for option in (method, steps, loops)):
        raise InputError("method, steps and loops are of null model G: name it in by= too")
    groups = grouped(list_layers(model, layers), each=each, biases=biases)
    news = News()
    treatments = [
        Treatment(BINARIZE, None, plain, news)
        if name == BINARIZE
        else Treatment.named(name, chain if name == "G" else plain, news)
        for name in chosen
    ]
    n_draws = sum(treatment.n_realizations for treatment in treatments)
    rows: list[tuple[Any, ...]] = []
    with (
        progress_bar(1 + len(groups) * n_draws, "task complexity") as bar,
        Scorer(model, evaluate, groups, bar.update) as score,
    ):
        original = score("the model as it is")
        if math.isinf(original):
            raise InputError(
                f"evaluate gave {original} for the model as it is; a gap from that is no number:"
                " use a score that stays finite, e.g. a loss in place of its exponential"
            )
        for group in groups:
            with score.probing(group, n_draws):
                for treatment in treatments:
                    name = treatment.name
                    for realization, values in treatment.applied(group):
                        what = f"{name!r}, realization {realization}, layer {group.name}"
                        probed = score(what, values)
                        gap = original - probed
                        rows.append((group.name, name, realization, original, probed, gap))
    table: pd.DataFrame = data_frame(rows, dict(COMPLEXITY_COLUMNS))
    return table


def _checked_by(by: str | NullModel | Sequence[str | NullModel]) -> list[str]:
    given = [by] if isinstance(by, (str, NullModel)) else by
    if not isinstance(given, Sequence) or not given:
        raise InputError(f"by must name one way or more, got {by!r}")
    names: list[str] = []
    for one in given:
        name = one.letter if isinstance(one, NullModel) else one
        if not isinstance(name, str) or (name != BINARIZE and name not in NULL_MODELS):
            models = "; ".join(f"{row.letter}: {row.title}" for row in NULL_MODELS.values())
            raise InputError(f"by takes {BINARIZE!r} and null models ({models}), got {name!r}")
        if name in names:
            raise InputError(f"by has {name!r} twice")
        names.append(name)
    return names
