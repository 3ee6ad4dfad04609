"""CKA: how alike the activations of a model are, as it was and as it is now."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from bipnet._streams import RNGLike, Seed, resolve_seed
from bipnet.errors import InputError, LayerNotFoundError
from bipnet.torch.activations import matching_modules, rows_of, sampled_rows
from bipnet.torch.passes import Passes


class CKA:
    """An evaluator: linear CKA between the activations of a model as it was and as it is.

    The model that it is made with is the original: its activations are recorded then. Called with
    the model as it is now (pruned, randomised, ...), it gives the mean over the chosen modules of
    their CKA: 1 where the activations are the same up to rotation, shift and a common scale, 0
    where nothing of them is left.

    Parameters
    ----------
    model
        The original.
    evaluator
        Whose inputs to use: any evaluator with fixed batches (`TokenClassification`,
        `SequenceClassification`, `CausalLM`, `MaskedLM`, `Accuracy` of a pair (x, y)), or a
        `bipnet.torch.passes.Passes`.
    at
        Glob or globs on the names of modules, as ``model.named_modules()`` gives them; "" is the
        model itself. Modules that are never called (a ``ModuleList``) are left out.
    n_tokens
        Compare a sample of so many tokens (of each module's rows, see Notes) instead of all.
    rng
        Which ones; as in `bipnet.randomize`. The same seed gives the same ones.

    Attributes
    ----------
    modules
        Names of the modules that are compared.

    Raises
    ------
    InputError
        No fixed batches; a module that is called several times in a pass; an output that is not
        made of samples and features; activations that are not finite; fewer than two samples.
    LayerNotFoundError
        A glob matches no module that is called; lists what there is.

    Notes
    -----
    Kornblith et al., "Similarity of neural network representations revisited" (2019), section 3:
    ``||Y'X||^2 / (||X'X|| ||Y'Y||)`` in Frobenius norms, of centred X (original) and Y, in
    float64.

    Rows of X are tokens for an output (n, t, d), places where the batch's ``attention_mask`` is 0
    left out; samples for (n, d); positions for images (n, c, h, w), their features the channels.
    Of an output of several tensors the first one counts.

    Where the original's activations do not vary at all, neither do they say anything: CKA is then
    0, but 1 if those of the other model do not vary either, as CKA does not see shifts.

    Held in memory: the original's activations in their own dtype (rows x features of all modules,
    of the sample alone if there is one); while it is called as much again for the model as it is,
    and both in float64 for one module at a time.

    Examples
    --------
    >>> import torch
    >>> from bipnet.torch import Accuracy, probe
    >>> _ = torch.manual_seed(0)
    >>> model = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    >>> accuracy = Accuracy((torch.randn(50, 6), torch.zeros(50).long()))
    >>> cka = CKA(model, accuracy, at=["0", "2"])
    >>> round(cka(model), 12)
    1.0
    >>> table = probe(model, cka, "prune", levels=[0.9], signed=False, layers="2")
    >>> bool(0 < table["score"].iloc[-1] < 1)
    True
    """

    higher_is_better = True

    def __init__(
        self,
        model: nn.Module,
        evaluator: Any,
        *,
        at: str | Sequence[str],
        n_tokens: int | None = None,
        rng: RNGLike | Seed = 0,
    ) -> None:
        passes = evaluator if isinstance(evaluator, Passes) else getattr(evaluator, "passes", None)
        if not isinstance(passes, Passes) or not len(passes):
            raise InputError(
                "an evaluator with fixed batches is wanted (one of bipnet.torch or its text"
                f" folder, or Passes), got {type(evaluator).__name__}"
            )
        self._passes = passes.read_by(self._taken)
        self._seen: dict[str, torch.Tensor] = {}
        self._last: dict[str, torch.Tensor] = {}
        self._picked: dict[str, list[torch.Tensor]] = {}
        self._settled: dict[str, float] = {}
        counts = self._row_counts(model, matching_modules(model, at), at)
        self.modules = tuple(counts)
        self._picked = sampled_rows(counts, n_tokens, resolve_seed(rng))
        self._original = self._activations(model, self.modules)
        self._norms = {}
        for name, rows in self._original.items():
            centred = _centred(rows, name)
            self._norms[name] = _squared_product(centred, centred)

    def __call__(self, model: nn.Module) -> float:
        """Mean of the CKA of the modules."""
        return float(np.mean(list(self.by_module(model).values())))

    def by_module(self, model: nn.Module) -> dict[str, float]:
        """CKA of each module, in [0, 1]."""
        wanted = [name for name in self.modules if name not in self._settled]
        values = dict(self._settled)
        now = self._activations(model, wanted)
        for name in wanted:
            values[name] = self._compared(name, now.pop(name))
        return {name: values[name] for name in self.modules}

    @contextmanager
    def reusing(self, model: nn.Module, changed: Sequence[torch.Tensor]) -> Iterator[CKA]:
        """While only ``changed`` parameters change, compute only what they can change."""
        # What lies before them gives what it gives now: its CKA is known, and its activations,
        # which a replayed pass may not compute at all, are not looked at.
        plan = self._passes.plan(model, changed)
        modules = dict(model.named_modules(remove_duplicate=False))
        before = set() if plan is None else plan.before
        known = [name for name in self.modules if modules.get(name) in before]
        now = self._activations(model, known)
        settled = {name: self._compared(name, now.pop(name)) for name in known}
        with ExitStack() as stack:
            wanted = [name for name in self.modules if name not in settled]
            if wanted:
                with self._watching(model, wanted, self._kept):
                    stack.enter_context(self._passes.reusing(model, changed))
            earlier, self._settled = self._settled, settled
            try:
                yield self
            finally:
                self._settled = earlier

    def _compared(self, name: str, rows: torch.Tensor) -> float:
        if len(rows) != len(self._original[name]):
            raise InputError(
                f"module {name!r} gives {len(rows)} rows, and {len(self._original[name])} in the"
                " original: they cannot be compared"
            )
        now = _centred(rows, name)
        return _similarity(
            _squared_product(now, _centred(self._original[name], name)),
            self._norms[name],
            _squared_product(now, now),
        )

    def _activations(self, model: nn.Module, names: Sequence[str]) -> dict[str, torch.Tensor]:
        """(rows, features) of each module, all batches."""
        parts: dict[str, list[torch.Tensor]] = {name: [] for name in names}
        if not names:
            return {}
        with self._watching(model, names, self._kept):
            for _ in self._passes.outputs(model):
                for name in names:
                    if name not in self._last:
                        raise InputError(f"module {name!r} is not called in every batch")
                    parts[name].append(self._last[name])
        return {name: torch.cat(parts.pop(name)) for name in names}

    def _row_counts(
        self, model: nn.Module, names: Sequence[str], at: str | Sequence[str]
    ) -> dict[str, list[int]]:
        """Rows of each module that is called, batch by batch."""
        counts: dict[str, list[int]] = {name: [] for name in names}

        def count(name: str, rows: torch.Tensor) -> torch.Tensor:
            counts[name].append(len(rows))
            return rows[:0]

        with self._watching(model, names, count):
            for _ in self._passes.outputs(model):
                pass
        called = {name: rows for name, rows in counts.items() if rows}
        for name, rows in called.items():
            if len(rows) != len(self._passes):
                raise InputError(f"module {name!r} is not called in every batch")
        if not called:
            raise LayerNotFoundError(f"no module that matches {at!r} is called by the model")
        return called

    def _kept(self, name: str, rows: torch.Tensor) -> torch.Tensor:
        picked = self._picked.get(name)
        if picked is not None:
            rows = rows[picked[self._passes.number].to(rows.device)]
        # A copy: what comes later may work in place on the output.
        return rows.to("cpu", copy=True)

    def _taken(self, output: Any) -> torch.Tensor:
        """What was seen in this pass, as the one tensor that a replayed pass must give too."""
        self._last, self._seen = self._seen, {}
        return torch.cat([torch.empty(0), *(rows.flatten() for rows in self._last.values())])

    @contextmanager
    def _watching(
        self,
        model: nn.Module,
        names: Sequence[str],
        see: Callable[[str, torch.Tensor], torch.Tensor],
    ) -> Iterator[None]:
        """Until the block ends, what ``see`` makes of these modules' outputs is noted."""
        modules = dict(model.named_modules(remove_duplicate=False))

        def hook(name: str) -> Callable[..., None]:
            def look(module: nn.Module, inputs: Any, output: Any) -> None:
                if name in self._seen:
                    raise InputError(
                        f"module {name!r} is called several times in a pass, so it has no one"
                        " activation: choose another"
                    )
                batch = self._passes.batches[self._passes.number]
                mask = batch.get("attention_mask") if isinstance(batch, Mapping) else None
                self._seen[name] = see(name, rows_of(name, output, mask))

            return look

        missing = [name for name in names if name not in modules]
        if missing:
            raise LayerNotFoundError(f"the model has no module {missing[0]!r}; the original has")
        self._seen = {}
        with ExitStack() as hooks:
            for name in names:
                hooks.callback(modules[name].register_forward_hook(hook(name)).remove)
            yield


def linear_cka(X: torch.Tensor, Y: torch.Tensor) -> float:
    """Linear CKA of (n, d) and (n, e) activations of the same n samples, in float64.

    Examples
    --------
    >>> X = torch.tensor([[0.0, 1.0], [2.0, 0.0], [1.0, 5.0]])
    >>> round(linear_cka(X, 3 - 2 * X), 12)
    1.0
    >>> linear_cka(X, torch.ones(3, 4))
    0.0
    """
    X, Y = _centred(X, "X"), _centred(Y, "Y")
    return _similarity(_squared_product(Y, X), _squared_product(X, X), _squared_product(Y, Y))


def _similarity(shared: float, first: float, second: float) -> float:
    if first == 0 or second == 0:  # no variance: see the notes of `CKA`
        return float(first == second)
    return min(shared / math.sqrt(first) / math.sqrt(second), 1.0)


def _centred(rows: torch.Tensor, name: str) -> torch.Tensor:
    """Columns with mean 0 in float64, on a scale on which their squares are numbers."""
    values = rows.double()
    if not bool(torch.isfinite(values).all()):
        raise InputError(f"the activations of module {name!r} are not finite: nothing to compare")
    values = values - values[0]  # a column that is constant becomes 0 exactly
    values -= values.mean(dim=0)
    largest = float(values.abs().max())
    return values.div_(largest) if largest > 0 else values


def _squared_product(Y: torch.Tensor, X: torch.Tensor) -> float:
    """The squared Frobenius norm of Y'X; by the products of samples where these are fewer."""
    if len(X) < min(X.shape[1], Y.shape[1]):
        return float(((X @ X.T) * (Y @ Y.T)).sum())
    return float((Y.T @ X).square_().sum())
