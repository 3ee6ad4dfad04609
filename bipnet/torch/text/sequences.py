"""Sequence classification: accuracy and macro F1 of a model that labels whole texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import index
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from bipnet.errors import InputError, MissingExtraError
from bipnet.torch.evaluate import logits_of, predicted
from bipnet.torch.passes import DEFAULT_BUDGET, Passes
from bipnet.torch.text.batches import TOKENS_PER_BATCH, batches_by_length, model_inputs, padded
from bipnet.torch.text.limits import filler_of, longest_input

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

    Examples
    --------
    >>> from tokenizers import Tokenizer, models
    >>> from transformers import PretrainedConfig, PreTrainedTokenizerFast
    >>> class Dictionary(nn.Embedding):
    ...     config = PretrainedConfig(id2label={0: "bad", 1: "good"})
    ...     def forward(self, input_ids, attention_mask):
    ...         return super().forward(input_ids).sum(dim=1)
    >>> words = Tokenizer(models.WordLevel({"awful": 0, "fine": 1}, unk_token="fine"))
    >>> tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="fine")
    >>> model = Dictionary(2, 2, _weight=torch.eye(2))
    >>> accuracy = SequenceClassification(["awful", "fine"], ["bad", "bad"], tokenizer, model)
    >>> accuracy(model), round(accuracy.score(model).macro_f1, 3)
    (0.5, 0.333)
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
        if isinstance(texts, str) or len(texts) == 0 or len(texts) != len(labels):
            raise InputError(
                "texts and a label for each are wanted, got"
                f" {'one string' if isinstance(texts, str) else f'{len(texts)} texts'} and"
                f" {len(labels)} labels"
            )
        config = getattr(model, "config", model)
        self._measure = measure
        self._labels = _numbers(labels, config)
        limit = longest_input(config, tokenizer, max_length)
        pairs = _pairs(texts)
        tokens, types = _token_ids(pairs, tokenizer)
        self.n_cut = sum(len(ids) > limit for ids in tokens)
        if self.n_cut:
            tokens, types = _token_ids(pairs, tokenizer, truncation=True, max_length=limit)
        lengths = [len(ids) for ids in tokens]
        if 0 in lengths:
            raise InputError(f"text {lengths.index(0)} has no tokens: {texts[lengths.index(0)]!r}")
        # A model that finds a text's end by its padding can take but one text without any.
        alone = getattr(config, "pad_token_id", None) is None
        self._batches = batches_by_length(lengths, 1 if alone else batch_tokens)
        filler = filler_of(config, tokenizer)
        inputs = [model_inputs([tokens[i] for i in batch], filler) for batch in self._batches]
        if getattr(config, "type_vocab_size", None) and any(map(any, types)):
            for batch, one in zip(self._batches, inputs, strict=True):
                one["token_type_ids"] = padded([types[i] for i in batch], 0)
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


def _pairs(texts: Sequence[Any]) -> list[tuple[str, ...]]:
    """Every text as a tuple of one or two strings, of two if one of them is."""
    pairs = [tuple(text) if isinstance(text, (tuple, list)) else (text,) for text in texts]
    for number, pair in enumerate(pairs):
        if not all(isinstance(one, str) for one in pair) or len(pair) not in (1, 2):
            raise InputError(f"text {number} must be a string or a pair of them, got {pair!r:.80}")
        if len(pair) != len(pairs[0]):
            raise InputError(
                f"texts must all be strings or all be pairs: the first is {texts[0]!r:.80}, text"
                f" {number} is {texts[number]!r:.80}"
            )
    return pairs


def _token_ids(
    pairs: Sequence[tuple[str, ...]], tokenizer: Any, **options: Any
) -> tuple[list[list[int]], list[list[int]]]:
    """Tokens of each text, and which of the two each token is of."""
    options |= {"return_attention_mask": False, "return_token_type_ids": True, "verbose": False}
    encoded = tokenizer(*map(list, zip(*pairs, strict=True)), **options)
    return list(encoded["input_ids"]), list(encoded["token_type_ids"])


def _numbers(labels: Sequence[Any], config: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Labels as the numbers of the model's outputs."""
    names = {str(name): int(i) for i, name in (getattr(config, "id2label", None) or {}).items()}
    known = set(names.values()) or set(range(int(getattr(config, "num_labels", 0))))
    numbers = [names.get(one) if isinstance(one, str) else _whole(one) for one in labels]
    strange = [one for one, i in zip(labels, numbers, strict=True) if i not in known]
    if strange:
        raise InputError(
            "the labels of model and data do not match: the model has"
            f" {', '.join(f'{i} {name}' for name, i in names.items()) or sorted(known)}; the data"
            f" has {', '.join(sorted({str(one) for one in labels}))}"
        )
    return np.asarray(numbers, dtype=np.int64)


def _whole(label: Any) -> int | None:
    try:
        return index(label)
    except TypeError:
        return None


def _macro_f1(true: Any, found: Any) -> float:
    try:
        from sklearn.metrics import f1_score
    except ImportError as error:
        raise MissingExtraError(
            "macro F1 needs scikit-learn: pip install 'bipnet[language]'"
        ) from error
    return float(f1_score(true, found, average="macro", zero_division=0))
