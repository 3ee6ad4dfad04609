"""Entities that a model finds: the same as sentence by sentence, with seqeval as judge."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import seqeval.metrics
import tiny_models
import torch
from torch import nn

from bipnet.errors import InputError
from bipnet.torch import probe
from bipnet.torch.text import (
    Sentence,
    TokenClassification,
    open_pretrained,
    read_conll,
    sample_sentences,
)
from bipnet.torch.text.windows import cut_into_windows

VOCABULARY = (
    "anna", "ben", "berlin", "paris", "acme", "corp", "met", "in", "of", "the", "works", "at",
    "unbelievable", "unables", "paris.", "of,.,", "Zanzibar", "unbelievableables", ".", "\u00a0",
)  # fmt: skip
"""Words of one sub-token, of several, unknown, and (the last) of none."""


def sentences(lengths: Sequence[int], seed: int = 0) -> list[Sentence]:
    draw = np.random.default_rng(seed)
    made = []
    for n in lengths:
        tags = draw.choice(tiny_models.LABELS, n, p=[0.4, *[0.1] * 6])
        words = draw.choice(VOCABULARY, n)
        made.append(Sentence(tuple(map(str, words)), tuple(map(str, tags))))
    return made


def naive_windows(words: Sequence[str], tokenizer: Any, limit: int) -> list[Any]:
    """Per word: (tokens of the window to read it in, the place there); None for no sub-tokens."""
    content: list[int] = []
    begins: list[int | None] = []
    for word in words:
        ids = tokenizer.convert_tokens_to_ids(tokenizer.tokenize(word))
        begins.append(len(content) if ids else None)
        content += ids
    around = tokenizer("")["input_ids"]  # [CLS] [SEP], or nothing
    before, after = around[:1], around[1:]
    room = limit - len(around)
    windows = [(0, content[:room])]
    while windows[-1][0] + room < len(content):
        start = windows[-1][0] + room - room // 2
        windows.append((start, content[start : start + room]))
    read: list[Any] = []
    for at in begins:
        found: tuple[int, list[int], int] | None = None
        for start, inside in windows if at is not None else ():
            assert at is not None
            if start <= at < start + len(inside):
                whole = [*before, *inside, *after]
                place = at - start + len(before)
                distance = min(place, len(whole) - 1 - place)
                if found is None or distance > found[0]:
                    found = distance, whole, place
        assert at is None or found is not None
        read.append(None if found is None else found[1:])
    return read


def naive_logits(
    model: nn.Module, tokenizer: Any, data: Sequence[Sentence], limit: int
) -> list[list[Any]]:
    """Logits of every word, None for no sub-tokens; one window after the other, no padding."""
    logits: list[list[Any]] = []
    for sentence in data:
        logits.append([])
        for read in naive_windows(sentence.words, tokenizer, limit):
            if read is None:
                logits[-1].append(None)
                continue
            tokens, place = read
            with torch.no_grad():
                output = model(input_ids=torch.tensor([tokens]))
            logits[-1].append(output.logits[0, place].float().numpy())
    return logits


def naive_labels(logits: Sequence[Sequence[Any]], names: Sequence[str]) -> list[list[str]]:
    return [
        ["O" if one is None else names[int(np.argmax(one))] for one in sentence]
        for sentence in logits
    ]


def gpt2() -> nn.Module:
    names = tiny_models.LABELS
    return tiny_models.gpt2(
        "ForTokenClassification",
        id2label=dict(enumerate(names)),
        label2id={name: i for i, name in enumerate(names)},
    )


MODELS: dict[str, tuple[Callable[[], nn.Module], bool]] = {
    "distilbert": (tiny_models.distilbert, True),
    "bert": (tiny_models.bert, True),
    "gpt2": (gpt2, False),
}


@pytest.mark.parametrize("batch_tokens", [1, 40, 2048])
@pytest.mark.parametrize("kind", MODELS)
def test_f1__is_that_of_sentence_by_sentence(kind: str, batch_tokens: int) -> None:
    make, special = MODELS[kind]
    model, tokenizer = make(), tiny_models.tokenizer(special=special)
    data = sentences([3, 1, 9, 5, 9, 2, 60, 4, 11, 25, 1, 1, 7], seed=1)
    evaluate = TokenClassification(data, tokenizer, model, batch_tokens=batch_tokens)
    wanted = naive_labels(naive_logits(model, tokenizer, data, 32), tiny_models.LABELS)
    assert evaluate.predict(model) == wanted
    true = [list(one.tags) for one in data]
    score = evaluate.score(model)
    assert evaluate(model) == score.f1 == seqeval.metrics.f1_score(true, wanted)
    assert score.precision == seqeval.metrics.precision_score(true, wanted)
    assert score.recall == seqeval.metrics.recall_score(true, wanted)
    assert (score.n_sentences, score.n_words, score.n_ties) == (len(data), 138, 0)
    assert evaluate.n_long == 2
    by_type = seqeval.metrics.classification_report(true, wanted, output_dict=True, zero_division=0)
    assert set(score.by_type) == {"PER", "LOC", "ORG"}
    for name, row in score.by_type.items():
        assert row.f1 == by_type[name]["f1-score"]
        assert row.precision == by_type[name]["precision"]
        assert row.recall == by_type[name]["recall"]
        assert row.n == by_type[name]["support"]
    assert score.n_entities == sum(row.n for row in score.by_type.values())
    assert 0 < score.f1 < 1


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("limit", [4, 5, 7, 8, 17, 32])
@pytest.mark.parametrize("kind", ["distilbert", "gpt2"])
def test_long_sentences__are_read_where_words_are_farthest_from_an_edge(
    kind: str, limit: int, side: str
) -> None:
    make, special = MODELS[kind]
    tokenizer = tiny_models.tokenizer(special=special, truncation_side=side)
    data = sentences([50, 1, 5, 6, 100, 15, 16, 17, 2, 31], seed=limit)
    model = make()
    evaluate = TokenClassification(data, tokenizer, model, max_length=limit)
    wanted = naive_labels(naive_logits(model, tokenizer, data, limit), tiny_models.LABELS)
    assert evaluate.predict(model) == wanted
    windows = cut_into_windows([one.words for one in data], tokenizer, limit)
    assert max(map(len, windows.tokens)) <= limit
    at = iter(windows.position.tolist())
    for sentence in data:
        for read in naive_windows(sentence.words, tokenizer, limit):
            window, place = next(at)
            if read is None:
                assert (window, place) == (-1, -1)
            else:
                assert (windows.tokens[window], place) == read
    lengths = [
        sum(len(tokenizer.tokenize(word)) for word in sentence.words) + 2 * special
        for sentence in data
    ]
    assert windows.n_long == sum(length > limit for length in lengths)


def test_word_longer_than_a_window__is_read_at_its_first_sub_token() -> None:
    data = [Sentence(("in", "un" + "able" * 30, "paris"), ("O", "B-LOC", "O"))]
    model, tokenizer = tiny_models.distilbert(), tiny_models.tokenizer()
    evaluate = TokenClassification(data, tokenizer, model, max_length=8)
    wanted = naive_labels(naive_logits(model, tokenizer, data, 8), tiny_models.LABELS)
    assert evaluate.predict(model) == wanted


@pytest.mark.parametrize("special", [True, False])
def test_words_without_sub_tokens__are_no_entities(special: bool) -> None:
    data = [
        Sentence(("\u00a0",), ("B-LOC",)),
        Sentence(("anna", "\u00a0"), ("B-PER", "I-PER")),
    ]
    model = MODELS["distilbert" if special else "gpt2"][0]()
    tokenizer = tiny_models.tokenizer(special=special)
    found = TokenClassification(data, tokenizer, model).predict(model)
    assert found[0] == ["O"]
    assert found[1][1] == "O"
    assert TokenClassification(data[:1], tokenizer, model).score(model).recall == 0.0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("kind", MODELS)
def test_half_precision__finds_the_same_but_for_near_ties(kind: str, dtype: torch.dtype) -> None:
    make, special = MODELS[kind]
    model, tokenizer = make().to(dtype), tiny_models.tokenizer(special=special)
    data = sentences([3, 8, 20, 1, 50], seed=4)
    evaluate = TokenClassification(data, tokenizer, model)
    logits = naive_logits(model, tokenizer, data, 32)
    wanted = naive_labels(logits, tiny_models.LABELS)
    n_clear = 0
    for found_one, wanted_one, logits_one in zip(
        evaluate.predict(model), wanted, logits, strict=True
    ):
        for found, label, row in zip(found_one, wanted_one, logits_one, strict=True):
            if row is not None:
                second, first = np.sort(row)[-2:]
                if first - second > 0.05 * abs(row).max():
                    n_clear += 1
                    assert found == label
    assert n_clear > 50
    assert {p.dtype for p in model.parameters()} == {dtype}


def test_labels__are_matched_by_name_not_by_number() -> None:
    model, tokenizer = tiny_models.distilbert(), tiny_models.tokenizer()
    data = sentences([5, 7, 9, 40], seed=2)
    score = TokenClassification(data, tokenizer, model).score(model)
    order = [3, 0, 6, 5, 1, 2, 4]
    config: Any = model.config
    config.id2label = {new: tiny_models.LABELS[old] for new, old in enumerate(order)}
    classifier: Any = model.classifier
    with torch.no_grad():
        classifier.weight.copy_(classifier.weight[order])
        classifier.bias.copy_(classifier.bias[order])
    assert TokenClassification(data, tokenizer, model).score(model) == score
    config.id2label = {str(i): name for i, name in config.id2label.items()}  # as JSON has them
    assert TokenClassification(data, tokenizer, config).score(model) == score


class Dictionary(nn.Embedding):
    """Labels of a token whatever is around it."""

    def forward(self, input_ids: Any, attention_mask: Any = None) -> Any:  # type: ignore[override]
        return SimpleNamespace(logits=super().forward(input_ids))


def test_schemes_of_model_and_data__need_not_be_the_same() -> None:
    """A BILOU model on IOB1 data: seqeval gets both as it knows them."""
    names = ["O", *(f"{prefix}-{kind}" for kind in ("PER", "LOC") for prefix in "BILU")]
    torch.manual_seed(8)
    model = Dictionary(len(tiny_models.WORDS), len(names))
    config = SimpleNamespace(id2label=dict(enumerate(names)), max_position_embeddings=32)
    tokenizer = tiny_models.tokenizer()
    data = [
        Sentence(one.words, tuple(tag.replace("B", "I").replace("ORG", "LOC") for tag in one.tags))
        for one in sentences([8, 9, 60, 30, 50], seed=6)
    ]
    evaluate = TokenClassification(data, tokenizer, config)
    found = evaluate.predict(model)
    assert found == naive_labels(naive_logits(model, tokenizer, data, 32), names)
    assert {tag[0] for tags in found for tag in tags} > {"L", "U"}
    known = [[tag.replace("L-", "E-").replace("U-", "S-") for tag in tags] for tags in found]
    true = [list(one.tags) for one in data]
    assert evaluate(model) == seqeval.metrics.f1_score(true, known) > 0


def test_ties__go_to_the_lowest_index_and_are_counted() -> None:
    model, tokenizer = tiny_models.distilbert(), tiny_models.tokenizer()
    classifier: Any = model.classifier
    with torch.no_grad():
        classifier.weight.zero_()
        classifier.bias.copy_(torch.tensor([0.0, 1, 0, 1, 0, 1, 0]))
    data = [Sentence(("anna", "\u00a0", "unbelievable"), ("B-PER", "O", "O"))]
    evaluate = TokenClassification(data, tokenizer, model)
    assert evaluate.predict(model) == [["B-PER", "O", "B-PER"]]
    assert evaluate.score(model).n_ties == 2
    assert evaluate(model) == 2 / 3


def test_no_entities_at_all__is_a_score_of_zero() -> None:
    model, tokenizer = tiny_models.distilbert(), tiny_models.tokenizer()
    classifier: Any = model.classifier
    with torch.no_grad():
        classifier.weight.zero_()
        classifier.bias.copy_(torch.eye(7)[0])
    data = [Sentence(("met", "in"), ("O", "O"))]
    evaluate = TokenClassification(data, tokenizer, model)
    score = evaluate.score(model)
    assert (evaluate(model), score.f1, score.precision, score.recall) == (0, 0, 0, 0)
    assert (score.by_type, score.n_entities, score.n_words) == ({}, 0, 2)
    found = TokenClassification([Sentence(("met",), ("B-LOC",))], tokenizer, model).score(model)
    assert (found.f1, found.n_entities, found.by_type["LOC"].recall) == (0, 1, 0)


def test_evaluator__leaves_model_and_tokenizer_as_they_were() -> None:
    model, tokenizer = tiny_models.distilbert(dropout=0.5).train(), tiny_models.tokenizer()
    data = sentences([5, 60])
    evaluate = TokenClassification(data, tokenizer, model)
    assert evaluate.predict(model) == evaluate.predict(model)
    assert model.training
    assert all(p.grad is None for p in model.parameters())
    assert len(tokenizer("anna " * 50)["input_ids"]) == 52


def test_model_that_gives_tuples__is_scored_the_same() -> None:
    model, tokenizer = tiny_models.distilbert(), tiny_models.tokenizer()
    evaluate = TokenClassification(sentences([5, 9]), tokenizer, model)
    wanted = evaluate.score(model)
    model.config.return_dict = False  # type: ignore[union-attr]
    assert evaluate.score(model) == wanted


@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize("name", ["prune", "noise", "flip", "B"])
def test_probe__is_the_same_with_and_without_what_is_kept(name: str, each: bool) -> None:
    model = tiny_models.distilbert()
    data = sentences([5, 9, 2, 40, 3, 3], seed=3)
    evaluate = TokenClassification(data, tiny_models.tokenizer(), model, batch_tokens=60)
    options: dict[str, Any] = {"levels": [0.1, 0.5], "each": each, "rng": 5, "n_realizations": 2}
    options["layers"] = ["*layer.1.ffn*", "classifier"]
    fast = probe(model, evaluate, name, **options)
    assert fast.equals(probe(model, lambda one: evaluate(one), name, **options))
    assert fast["score"].nunique() > 2


def without_labels(**options: Any) -> SimpleNamespace:
    return SimpleNamespace(max_position_embeddings=32, **options)


@pytest.mark.parametrize(
    ("config", "tags", "says"),
    [
        (without_labels(), "O", "SimpleNamespace has no id2label: a model with named token labels"),
        (without_labels(id2label={1: "O", 2: "B-A"}), "O", "number the labels from 0 on, got [1,"),
        (
            without_labels(id2label={0: "O", 1: "B-PER"}),
            "B-LOC",
            "labels of model and data do not match: the model has B-PER, O; the data has B-LOC",
        ),
        (without_labels(id2label={0: "LABEL_0", 1: "O"}), "O", "the model has LABEL_0, O; the"),
        (without_labels(id2label={0: "B-PER"}), "B-PER", "the model has B-PER; the data has B-PER"),
        (without_labels(id2label={0: "O"}), "X", "sentence 0, word 0 ('a'): unknown tag 'X': want"),
    ],
)
def test_labels_that_do_not_match__are_shown(config: Any, tags: str, says: str) -> None:
    with pytest.raises(InputError, match=re.escape(says)):
        TokenClassification([Sentence(("a",), (tags,))], tiny_models.tokenizer(), config)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"max_length": 3}, "max_length 3 leaves room for 1 sub-tokens, 2 are needed"),
        ({"max_length": 33}, "max_length 33 is more than the model's 32 positions"),
        ({"batch_tokens": 0}, "batch_tokens must be a whole number of at least 1, got 0"),
        ({"device": "nowhere"}, "device 'nowhere' cannot be used"),
        ({"budget": -1}, "budget must be a number of bytes of 0 or more, got -1"),
    ],
)
def test_bad_options__are_refused(options: dict[str, Any], says: str) -> None:
    model, tokenizer = tiny_models.distilbert(), tiny_models.tokenizer()
    with pytest.raises(InputError, match=re.escape(says)):
        TokenClassification(sentences([3]), tokenizer, model, **options)
    with pytest.raises(InputError, match="no sentences to score"):
        TokenClassification([], tokenizer, model)
    for strange in ("abc", [(("a",), ("O",))]):
        with pytest.raises(InputError, match="sentence 0 must be a Sentence of words and tags"):
            TokenClassification(strange, tokenizer, model)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"SimpleNamespace does not tell .* a fast tokenizer"):
        TokenClassification(sentences([3]), SimpleNamespace(), model)


def test_model_of_another_kind__is_refused() -> None:
    model, tokenizer = tiny_models.distilbert(), tiny_models.tokenizer()
    evaluate = TokenClassification(sentences([3]), tokenizer, model)
    with pytest.raises(InputError, match=r"must be a torch\.nn\.Module, got str"):
        evaluate("model")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"must give \(n, tokens, labels\) logits, got \(1, 2\)"):
        evaluate(tiny_models.distilbert("SequenceClassification"))
    with pytest.raises(InputError, match="gives 23 logits a token and names 7 labels"):
        evaluate(tiny_models.distilbert("MaskedLM"))
    classifier: Any = model.classifier
    with torch.no_grad():
        classifier.bias[2] = torch.nan
    with pytest.raises(InputError, match="logits are NaN"):
        evaluate(model)


@pytest.mark.shared
def test_f1__of_a_trained_model_is_that_of_sentence_by_sentence(shared: Path) -> None:
    model, tokenizer = open_pretrained(shared / "models" / "minilm-ner", "ner")
    data = sample_sentences(read_conll(shared / "data" / "conll2003"), 100, rng=3)
    evaluate = TokenClassification(data, tokenizer, model)
    names = [model.config.id2label[i] for i in range(9)]  # type: ignore[index, union-attr]
    wanted = []
    for sentence in data:
        encoded = tokenizer(list(sentence.words), is_split_into_words=True, return_tensors="pt")
        with torch.no_grad():
            classes = model(**encoded).logits[0].argmax(-1).tolist()
        word_ids = encoded.word_ids(0)
        wanted.append([names[classes[word_ids.index(i)]] for i in range(len(sentence.words))])
    assert evaluate.predict(model) == wanted
    true = [list(one.tags) for one in data]
    assert evaluate(model) == seqeval.metrics.f1_score(true, wanted) > 0.8
