"""Token classification: how many entities a model finds, judged by seqeval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from bipnet.errors import InputError, MissingExtraError
from bipnet.torch.evaluate import predicted
from bipnet.torch.passes import DEFAULT_BUDGET, Passes
from bipnet.torch.text.batches import TOKENS_PER_BATCH, batches_by_length, model_inputs
from bipnet.torch.text.conll import Sentence
from bipnet.torch.text.limits import filler_of, longest_input
from bipnet.torch.text.outputs import token_logits
from bipnet.torch.text.tags import TagError, as_iob2, as_iobes, types_of
from bipnet.torch.text.windows import cut_into_windows


@dataclass(frozen=True)
class TypeScore:
    """Scores of the entities of one type."""

    f1: float
    precision: float
    recall: float
    n: int


@dataclass(frozen=True)
class EntityScore:
    """What a model made of the entities of a data set.

    Attributes
    ----------
    f1, precision, recall
        Over all entities (micro), in [0, 1]; 0 where nothing was found.
    by_type
        The same per type of entity, with the number of true entities.
    n_entities, n_sentences, n_words
        In the data.
    n_ties
        Words whose largest logit was shared by several labels; the lowest index counts.
    """

    f1: float
    precision: float
    recall: float
    by_type: Mapping[str, TypeScore]
    n_entities: int
    n_sentences: int
    n_words: int
    n_ties: int


class TokenClassification:
    """An evaluator: F1 of the entities that a model finds in sentences (seqeval, micro).

    Sentences are tokenised once and batched by length. The label of a word is the one of its
    first sub-token; sentences longer than the model can take are read in overlapping windows,
    none is cut.

    Parameters
    ----------
    sentences
        Words and tags (of any scheme); see `read_conll`.
    tokenizer
        A fast tokenizer of transformers.
    model
        The model that will be scored, or its config: its label names (``id2label``) and its
        longest input.
    device
        Where to evaluate; by default wherever the model's parameters are.
    batch_tokens
        Tokens per batch, padding included.
    max_length
        Tokens of a window, special ones included; by default as many as the model takes.
    budget
        Bytes of activations that a probe may keep, so as not to compute them again.

    Raises
    ------
    InputError
        No sentences, an unknown tag, or the labels of model and data do not match: shows both
        sets.
    MissingExtraError
        seqeval is not installed.

    Examples
    --------
    Models and tokenizers come from `open_pretrained`, sentences from `read_conll`; here is a
    model that knows three words:

    >>> from tokenizers import Tokenizer, models
    >>> from transformers import PretrainedConfig, PreTrainedTokenizerFast
    >>> class Dictionary(nn.Embedding):
    ...     config = PretrainedConfig(id2label={0: "O", 1: "B-PER"})
    ...     def forward(self, input_ids, attention_mask):
    ...         return super().forward(input_ids)
    >>> words = models.WordLevel({"anna": 0, "met": 1, "ben": 2}, unk_token="met")
    >>> tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(words), unk_token="met")
    >>> model = Dictionary(3, 2, _weight=torch.tensor([[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]]))
    >>> sentence = Sentence(("anna", "met", "ben"), ("B-PER", "O", "B-PER"))
    >>> f1 = TokenClassification([sentence], tokenizer, model)
    >>> f1.predict(model)
    [['B-PER', 'O', 'O']]
    >>> f1.score(model).precision, f1.score(model).recall, round(f1(model), 3)
    (1.0, 0.5, 0.667)
    """

    higher_is_better = True

    def __init__(
        self,
        sentences: Sequence[Sentence],
        tokenizer: Any,
        model: Any,
        *,
        device: str | torch.device | None = None,
        batch_tokens: int = TOKENS_PER_BATCH,
        max_length: int | None = None,
        budget: int = DEFAULT_BUDGET,
    ) -> None:
        _seqeval()  # first: says what is missing
        if not sentences:
            raise InputError("there are no sentences to score")
        config = getattr(model, "config", model)
        self._labels = _label_names(config)
        self._true = [_tags(number, sentence) for number, sentence in enumerate(sentences)]
        _require_matching(self._labels, sentences)
        limit = longest_input(config, tokenizer, max_length)
        windows = cut_into_windows([sentence.words for sentence in sentences], tokenizer, limit)
        self.n_long = windows.n_long
        lengths = [len(tokens) for tokens in windows.tokens]
        batches = batches_by_length(lengths, batch_tokens)
        filler = filler_of(config, tokenizer)
        inputs = [model_inputs([windows.tokens[i] for i in batch], filler) for batch in batches]
        self._read_at = _places_by_batch(windows.position, batches)
        self.passes = Passes(inputs, self._logits, device=device, budget=budget)

    def __call__(self, model: nn.Module) -> float:
        """F1 over all entities."""
        predictions, _ = self._predict(model)
        return float(_seqeval().f1_score(self._true, predictions, zero_division=0))

    def score(self, model: nn.Module) -> EntityScore:
        """F1, precision and recall, over all entities and per type."""
        predictions, n_ties = self._predict(model)
        by_type, micro = {}, TypeScore(0.0, 0.0, 0.0, 0)
        # seqeval's averages over no types at all are NaN, with warnings.
        if any(tag != "O" for tags in (*self._true, *predictions) for tag in tags):
            report = _seqeval().classification_report(
                self._true, predictions, output_dict=True, zero_division=0
            )
            by_type = {kind: _type_score(row) for kind, row in report.items() if " avg" not in kind}
            micro = _type_score(report["micro avg"])
        return EntityScore(
            micro.f1,
            micro.precision,
            micro.recall,
            by_type,
            micro.n,
            len(self._true),
            sum(map(len, self._true)),
            n_ties,
        )

    def predict(self, model: nn.Module) -> list[list[str]]:
        """The label of every word of every sentence, in the model's own names."""
        predictions, _ = self._predict(model, names=self._labels)
        return predictions

    @contextmanager
    def reusing(
        self, model: nn.Module, changed: Sequence[torch.Tensor]
    ) -> Iterator[TokenClassification]:
        """While only ``changed`` parameters change, compute only what they can change."""
        with self.passes.reusing(model, changed):
            yield self

    def _predict(
        self, model: nn.Module, *, names: Sequence[str] | None = None
    ) -> tuple[list[list[str]], int]:
        classes = np.full(sum(map(len, self._true)), -1, dtype=np.int64)
        n_ties = 0
        for logits, (words, rows, columns) in zip(
            self.passes.outputs(model), self._read_at, strict=True
        ):
            found, tied = predicted(logits[rows, columns])
            classes[words] = found.cpu().numpy()
            n_ties += int(tied.sum())
        shown = [*(names or map(as_iobes, self._labels)), "O"]  # the last: -1, no sub-token
        labels = [shown[i] for i in classes.tolist()]
        ends = np.cumsum([len(tags) for tags in self._true]).tolist()
        return [
            labels[end - len(tags) : end] for end, tags in zip(ends, self._true, strict=True)
        ], n_ties

    def _logits(self, output: Any) -> torch.Tensor:
        logits = token_logits(output, "labels")
        if logits.shape[-1] != len(self._labels):
            raise InputError(
                f"the model gives {logits.shape[-1]} logits a token and names"
                f" {len(self._labels)} labels"
            )
        return logits


def _label_names(config: Any) -> list[str]:
    names = getattr(config, "id2label", None)
    if not names:
        raise InputError(
            f"{type(config).__name__} has no id2label: a model with named token labels is wanted"
        )
    by_index = {int(index): str(name) for index, name in names.items()}
    if sorted(by_index) != list(range(len(by_index))):
        raise InputError(f"id2label must number the labels from 0 on, got {sorted(by_index)}")
    return [by_index[index] for index in range(len(by_index))]


def _tags(number: int, sentence: Sentence) -> list[str]:
    if not isinstance(sentence, Sentence):
        raise InputError(
            f"sentence {number} must be a Sentence of words and tags (`read_conll` gives them), got"
            f" {sentence!r:.60}"
        )
    try:
        return as_iob2(sentence.tags)
    except TagError as error:
        word = sentence.words[error.position]
        raise InputError(f"sentence {number}, word {error.position} ({word!r}): {error}") from None


def _require_matching(labels: Sequence[str], sentences: Sequence[Sentence]) -> None:
    """Labels are matched by name: the model must know every type of the data."""
    tags = {tag for sentence in sentences for tag in sentence.tags}
    unknown = types_of(tags) - types_of(labels)
    strange = [label for label in labels if label != "O" and not types_of([label])]
    if unknown or strange or "O" not in labels:
        raise InputError(
            "the labels of model and data do not match: the model has"
            f" {', '.join(sorted(labels))}; the data has {', '.join(sorted(tags))}"
        )


def _places_by_batch(
    position: npt.NDArray[np.int64], batches: Sequence[Sequence[int]]
) -> list[tuple[npt.NDArray[np.int64], torch.Tensor, torch.Tensor]]:
    """Per batch: which words are read there, and at which (row, column) of its logits."""
    n_windows = sum(map(len, batches))
    batch_of = np.empty(n_windows, dtype=np.int64)
    row_of = np.empty(n_windows, dtype=np.int64)
    for number, batch in enumerate(batches):
        batch_of[batch] = number
        row_of[batch] = np.arange(len(batch))
    words = np.flatnonzero(position[:, 0] >= 0)
    read_in = batch_of[position[words, 0]]
    order = np.argsort(read_in, kind="stable")
    ends = np.cumsum(np.bincount(read_in, minlength=len(batches)))
    by_batch = []
    for here in np.split(words[order], ends[:-1]) if batches else ():
        windows, places = position[here].T
        by_batch.append((here, torch.from_numpy(row_of[windows]), torch.from_numpy(places.copy())))
    return by_batch


def _type_score(row: Mapping[str, Any]) -> TypeScore:
    return TypeScore(
        float(row["f1-score"]), float(row["precision"]), float(row["recall"]), int(row["support"])
    )


def _seqeval() -> Any:
    try:
        import seqeval.metrics
    except ImportError as error:
        raise MissingExtraError(
            "F1 of entities needs seqeval: pip install 'bipnet[language]'"
        ) from error
    return seqeval.metrics
