"""The score of a model with other weights put in, and the scores as a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from torch import nn

from bipnet.errors import InputError, MissingExtraError
from bipnet.torch.swap import Part, held, replaced
from bipnet.torch.treatment import Group

_WORTH_KEEPING = 4
"""Keeping outputs costs about two evaluations: less than so many of a group are done in full."""


class Evaluate(Protocol):
    """Whatever scores a model.

    If it also has a method ``reusing(model, changed)`` that gives a context, probes call it: until
    that ends only the parameters ``changed`` change, and the evaluator need compute no more than
    what depends on them. Those of bipnet do so.
    """

    def __call__(self, model: Any, /) -> Any:
        """A number: the score of ``model``."""


class Scorer:
    """Evaluates one model as it is, or with other values put in for the while.

    Use it as a context manager: it holds every tensor of the groups once more, so that Ctrl-C
    may come even while weights are being put back.
    """

    def __init__(
        self,
        model: nn.Module,
        evaluate: Evaluate,
        groups: Sequence[Group],
        done: Callable[[], object],
    ) -> None:
        if not callable(evaluate):
            raise InputError(
                f"evaluate must be a function of the model that gives a number, got {evaluate!r}"
            )
        self._model = model
        self._evaluate = evaluate
        parts: list[Part] = []
        for group in groups:
            parts += self._parts_of(group)
        self._hold = held(list({_place(part): part.at for part in parts}.values()))
        self.done = done

    def __enter__(self) -> Scorer:
        self._hold.__enter__()
        return self

    def __exit__(self, *error: Any) -> bool | None:
        return self._hold.__exit__(*error)

    @contextmanager
    def probing(self, group: Group, n_points: int) -> Iterator[None]:
        """For ``n_points`` scores in which only the parts of ``group`` are changed."""
        reusing = getattr(self._evaluate, "reusing", None)
        if reusing is None or n_points < _WORTH_KEEPING:
            yield
            return
        changed = {_place(part): part.at.tensor for part in self._parts_of(group)}
        with reusing(self._model, list(changed.values())):
            yield

    @staticmethod
    def _parts_of(group: Group) -> list[Part]:
        return [*group.layers, *group.biases]

    def __call__(self, what: str, values: dict[Part, Any] | None = None) -> float:
        """The score with ``values`` put in; ``what`` names the point in an error."""
        with replaced(values or {}):
            try:
                found = self._evaluate(self._model)
            except InputError as error:  # of an evaluator of ours, which knows no points
                raise InputError(f"{error} (for {what})") from error
            score = _checked_score(found, what)
        self.done()
        return score


def _checked_score(score: Any, what: str) -> float:
    number: float | None = None
    if not isinstance(score, (str, bytes)):
        with suppress(TypeError, ValueError, RuntimeError, OverflowError):
            plain = score.detach() if hasattr(score, "detach") else score
            number = float(plain.item() if hasattr(plain, "item") else plain)
    if number is None:
        raise InputError(
            f"evaluate must give a number, got {type(score).__name__} from {what}: return e.g."
            " an accuracy"
        )
    if number != number:
        raise InputError(f"evaluate gave NaN for {what}: a score must be a number")
    return number


def data_frame(rows: Sequence[tuple[Any, ...]], columns: dict[str, str]) -> Any:
    """A pandas DataFrame of the rows, its columns in these dtypes."""
    pandas = pandas_for("a table")
    return pandas.DataFrame.from_records(rows, columns=list(columns)).astype(columns)


def pandas_for(what: str) -> Any:
    """The library pandas, or an error that says how to get it."""
    try:
        import pandas
    except ImportError as error:
        raise MissingExtraError(
            f"{what} needs pandas: pip install 'bipnet[experiments]'"
        ) from error
    return pandas


def _place(part: Part) -> object:
    """Equal for the pieces of one tensor, however often it was looked up."""
    return id(part.at.module), part.at.stored
