"""Sequence classification: accuracy and macro F1 of a model that labels whole texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from bipnet.errors import InputError, MissingExtraError
from bipnet.torch.evaluate import logits_of, predicted
from bipnet.torch.passes import DEFAULT_BUDGET, Passes
from bipnet.torch.text.batches import TOKENS_PER_BATCH, batches_by_length, model_inputs
from bipnet.torch.text.limits import longest_input

Measure = Literal["accuracy", "macro_f1"]


@dataclass(frozen=True)
class SequenceScore:
    """What a model made of labelled texts.

    Attributes
    ----------
    accuracy
        Share of the texts labelled correctly, in [0, 1].
    macro_f1
        Mean over the labels, in data or predictions, of their F1.
    n_texts, n_ties
        Texts, and those whose largest logit several labels share; the lowest index counts.
    n_cut
        Texts longer than the model takes, of which it reads the beginning.
    """

    accuracy: float
    macro_f1: float
    n_texts: int
    n_ties: int
    n_cut: int


class SequenceClassification:
    """An evaluator: accuracy (or macro F1) of a model that gives each text a label.

    Parameters
    ----------
    texts
        Strings; or pairs of strings for tasks about two texts.
    labels
        A label per text: numbers, or names of the model's ``id2label``.
    tokenizer
        Of transformers.
    model
        The model that will be scored, or its config.
    measure
        What calling it gives: "accuracy" or "macro_f1".
    device, batch_tokens, max_length, budget
        As in `TokenClassification`; a longer text is cut at ``max_length``, `score` says how many.

    Raises
    ------
    InputError
        No texts, not as many labels, labels that the model does not have (shows both sets).
    """

    higher_is_better = True

    def __init__(
        self,
        texts: Sequence[str] | Sequence[tuple[str, str]],
        labels: Sequence[int] | Sequence[str],
        tokenizer: Any,
        model: Any,
        *,
        measure: Measure = "accuracy",
        device: str | torch.device | None = None,
        batch_tokens: int = TOKENS_PER_BATCH,
        max_length: int | None = None,
        budget: int = DEFAULT_BUDGET,
    ) -> None:
        if measure not in ("accuracy", "macro_f1"):
            raise InputError(f"measure must be 'accuracy' or 'macro_f1', got {measure!r}")
        if not texts or len(texts) != len(labels):
            raise InputError(
                f"a label per text is wanted, got {len(texts)} texts and {len(labels)} labels"
            )
        config = getattr(model, "config", model)
        self._measure = measure
        self._labels = _numbers(labels, config)
        limit = longest_input(config, tokenizer, max_length)
        tokens = _token_ids(texts, tokenizer)
        self.n_cut = sum(len(ids) > limit for ids in tokens)
        if self.n_cut:
            tokens = _token_ids(texts, tokenizer, truncation=True, max_length=limit)
        self._batches = batches_by_length([len(ids) for ids in tokens], batch_tokens)
        filler = tokenizer.pad_token_id or 0
        inputs = [model_inputs([tokens[i] for i in batch], filler) for batch in self._batches]
        self.passes = Passes(inputs, logits_of, device=device, budget=budget)

    def __call__(self, model: nn.Module) -> float:
        """Accuracy or macro F1."""
        return float(getattr(self.score(model), self._measure))

    def score(self, model: nn.Module) -> SequenceScore:
        """Accuracy and macro F1."""
        classes = np.empty(len(self._labels), dtype=np.int64)
        n_ties = 0
        for batch, logits in zip(self._batches, self.passes.outputs(model), strict=True):
            found, tied = predicted(logits)
            classes[batch] = found.cpu().numpy()
            n_ties += int(tied.sum())
        return SequenceScore(
            float((classes == self._labels).mean()),
            _macro_f1(self._labels, classes),
            len(classes),
            n_ties,
            self.n_cut,
        )

    @contextmanager
    def reusing(
        self, model: nn.Module, changed: Sequence[torch.Tensor]
    ) -> Iterator[SequenceClassification]:
        """While only ``changed`` parameters change, compute only what they can change."""
        with self.passes.reusing(model, changed):
            yield self


def _token_ids(texts: Sequence[Any], tokenizer: Any, **options: Any) -> list[list[int]]:
    pairs = [(text, None) if isinstance(text, str) else tuple(text) for text in texts]
    first = [one for one, _ in pairs]
    second = [two for _, two in pairs] if pairs[0][1] is not None else None
    options |= {"return_attention_mask": False, "verbose": False}
    ids: list[list[int]] = list(tokenizer(first, second, **options)["input_ids"])
    return ids


def _numbers(labels: Sequence[Any], config: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Labels as the numbers of the model's outputs."""
    names = {str(name): int(i) for i, name in (getattr(config, "id2label", None) or {}).items()}
    known = set(names.values()) or set(range(int(getattr(config, "num_labels", 0))))
    numbers = [names.get(one) if isinstance(one, str) else int(one) for one in labels]
    strange = sorted({str(one) for one, i in zip(labels, numbers, strict=True) if i not in known})
    if strange:
        raise InputError(
            "the labels of model and data do not match: the model has"
            f" {', '.join(f'{i} {name}' for name, i in names.items()) or sorted(known)}; the data"
            f" has {', '.join(sorted({str(one) for one in labels}))}"
        )
    return np.asarray(numbers, dtype=np.int64)


def _macro_f1(true: Any, found: Any) -> float:
    try:
        from sklearn.metrics import f1_score
    except ImportError as error:
        raise MissingExtraError(
            "macro F1 needs scikit-learn: pip install 'bipnet[language]'"
        ) from error
    return float(f1_score(true, found, average="macro", zero_division=0))
