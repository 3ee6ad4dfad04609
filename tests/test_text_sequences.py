"""Texts that a model labels: the same as text by text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tiny_models
import torch
from torch import nn

from bipnet.errors import InputError
from bipnet.torch import probe
from bipnet.torch.text import SequenceClassification

NAMES = ["bad", "good", "so-so"]
Text = str | tuple[str, str]


def labelled() -> dict[str, Any]:
    return {"id2label": dict(enumerate(NAMES)), "label2id": {n: i for i, n in enumerate(NAMES)}}


def distilbert() -> nn.Module:
    return tiny_models.distilbert("SequenceClassification", **labelled())


def bert() -> nn.Module:
    model = tiny_models.bert("SequenceClassification", **labelled())
    classifier: Any = model.classifier
    with torch.no_grad():  # random as it is, it gives all texts the same label
        some = tiny_models.tokenizer()(texts(50, 9, longest=2), padding=True, return_tensors="pt")
        classifier.bias.sub_(model(**some).logits.median(dim=0).values)
    return model


def gpt2(**options: Any) -> nn.Module:
    return tiny_models.gpt2("ForSequenceClassification", **labelled(), **options)


def texts(n: int, seed: int = 0, longest: int = 12) -> list[str]:
    draw = np.random.default_rng(seed)
    return [
        " ".join(draw.choice(tiny_models.WORDS[5:17], draw.integers(1, longest))) for _ in range(n)
    ]


def naive_classes(
    model: nn.Module, tokenizer: Any, data: Sequence[Text], limit: int = 32
) -> list[int]:
    """One text after the other, as the tokenizer gives it."""
    classes = []
    for text in data:
        pair = (text,) if isinstance(text, str) else text
        encoded = tokenizer(*pair, truncation=True, max_length=limit, return_tensors="pt")
        if isinstance(text, tuple) and hasattr(model.config, "type_vocab_size"):
            ids = encoded["input_ids"][0].tolist()
            second = ids.index(3) + 1  # after the first [SEP]
            types = [int(at >= second) for at in range(len(ids))]
            encoded["token_type_ids"] = torch.tensor([types])
        with torch.no_grad():
            classes.append(int(model(**encoded).logits[0].argmax()))
    return classes


def naive_macro_f1(true: Sequence[int], found: Sequence[int]) -> float:
    scores = []
    for label in sorted({*true, *found}):
        hits = sum(t == f == label for t, f in zip(true, found, strict=True))
        n = sum(t == label for t in true) + sum(f == label for f in found)
        scores.append(2 * hits / n)
    return sum(scores) / len(scores)


MODELS: dict[str, Any] = {
    "distilbert": distilbert,
    "bert": bert,
    "gpt2": gpt2,
    "gpt2 with padding": lambda: gpt2(pad_token_id=1),
}


@pytest.mark.parametrize("batch_tokens", [1, 50, 2048])
@pytest.mark.parametrize("kind", MODELS)
def test_score__is_that_of_text_by_text(kind: str, batch_tokens: int) -> None:
    model = MODELS[kind]()
    tokenizer = tiny_models.tokenizer(special="gpt2" not in kind)
    data = texts(40, seed=2)
    true = np.random.default_rng(3).integers(0, 3, 40).tolist()
    found = naive_classes(model, tokenizer, data)
    evaluate = SequenceClassification(data, true, tokenizer, model, batch_tokens=batch_tokens)
    score = evaluate.score(model)
    assert score.accuracy == evaluate(model) == np.mean(np.array(true) == found)
    assert score.macro_f1 == pytest.approx(naive_macro_f1(true, found), abs=1e-15)
    assert (score.n_texts, score.n_ties, score.n_cut) == (40, 0, 0)
    right = SequenceClassification(data, found, tokenizer, model, batch_tokens=batch_tokens)
    assert right(model) == 1
    assert len(set(found)) > 1
    f1 = SequenceClassification(data, true, tokenizer, model.config, measure="macro_f1")
    assert f1(model) == score.macro_f1


@pytest.mark.parametrize("kind", ["distilbert", "bert"])
def test_pairs__are_told_apart_where_the_model_does(kind: str) -> None:
    model, tokenizer = MODELS[kind](), tiny_models.tokenizer()
    data = list(zip(texts(30, 4), texts(30, 5, longest=30), strict=True))
    found = naive_classes(model, tokenizer, data)
    evaluate = SequenceClassification(data, found, tokenizer, model, batch_tokens=100)
    assert evaluate(model) == 1
    assert evaluate.n_cut > 0
    if kind == "bert":
        embeddings: Any = model.get_submodule("bert.embeddings.token_type_embeddings")
        with torch.no_grad():
            embeddings.weight[1] += 5 * torch.randn(12)
        assert naive_classes(model, tokenizer, data) != found
        assert SequenceClassification(data, found, tokenizer, model)(model) < 1
        moved = naive_classes(model, tokenizer, data)
        assert SequenceClassification(data, moved, tokenizer, model)(model) == 1


def test_long_texts__are_cut_and_counted() -> None:
    model, tokenizer = distilbert(), tiny_models.tokenizer()
    data = ["anna met ben " * 20, "anna " * 30, "anna " * 31, "ben"]
    found = naive_classes(model, tokenizer, data)
    score = SequenceClassification(data, found, tokenizer, model).score(model)
    assert (score.accuracy, score.n_cut) == (1, 2)
    short = naive_classes(model, tokenizer, data, 5)
    assert SequenceClassification(data, short, tokenizer, model, max_length=5)(model) == 1


def test_labels__may_be_names_or_numbers() -> None:
    model, tokenizer = distilbert(), tiny_models.tokenizer()
    data = texts(20)
    numbers = naive_classes(model, tokenizer, data)
    for labels in ([NAMES[i] for i in numbers], np.array(numbers), torch.tensor(numbers)):
        assert SequenceClassification(data, labels, tokenizer, model)(model) == 1  # type: ignore[arg-type]


def test_ties__go_to_the_lowest_index_and_are_counted() -> None:
    model, tokenizer = distilbert(), tiny_models.tokenizer()
    classifier: Any = model.classifier
    with torch.no_grad():
        classifier.weight.zero_()
        classifier.bias.copy_(torch.tensor([0.0, 1, 1]))
    score = SequenceClassification(["anna", "ben"], [1, 2], tokenizer, model).score(model)
    assert (score.accuracy, score.n_ties) == (0.5, 2)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision__is_scored(dtype: torch.dtype) -> None:
    model, tokenizer = bert().to(dtype), tiny_models.tokenizer()
    data = texts(40, seed=8)
    found = naive_classes(model, tokenizer, data)
    assert SequenceClassification(data, found, tokenizer, model)(model) > 0.9


@pytest.mark.parametrize("kind", MODELS)
def test_probe__is_the_same_with_and_without_what_is_kept(kind: str) -> None:
    model, tokenizer = MODELS[kind](), tiny_models.tokenizer(special="gpt2" not in kind)
    data = texts(12, seed=5)
    truth = naive_classes(model, tokenizer, data)
    evaluate = SequenceClassification(data, truth, tokenizer, model, batch_tokens=40)
    options: dict[str, Any] = {"levels": [0.3], "each": True, "rng": 2, "n_realizations": 2}
    fast = probe(model, evaluate, "flip", layers="*.1.*", **options)
    slow = probe(model, lambda one: evaluate(one), "flip", layers="*.1.*", **options)
    assert fast.equals(slow)
    assert fast["score"].nunique() > 1


@pytest.mark.parametrize(
    ("data", "labels", "says"),
    [
        ([], [], "texts and a label for each are wanted, got 0 texts and 0 labels"),
        (["a"], [0, 1], "got 1 texts and 2 labels"),
        ("anna", [0, 1, 2, 1], "got one string and 4 labels"),
        (["a"], ["worse"], "the model has 0 bad, 1 good, 2 so-so; the data has worse"),
        (["a", "b"], [0, 3], "do not match: the model has 0 bad, 1 good, 2 so-so; the data has 0,"),
        (["a"], [0.5], "the data has 0.5"),
        (["a", 7], [0, 1], "text 1 must be a string or a pair of them, got (7,)"),
        (["a", ("a", "b", "c")], [0, 1], "text 1 must be a string or a pair of them, got ('a', "),
        (["a", ("b", "c")], [0, 1], "all be strings or all be pairs: the first is 'a', text 1 is"),
    ],
)
def test_bad_data__is_refused(data: Any, labels: Any, says: str) -> None:
    with pytest.raises(InputError, match=re.escape(says)):
        SequenceClassification(data, labels, tiny_models.tokenizer(), distilbert())


def test_bad_options_and_models__are_refused() -> None:
    model, tokenizer = distilbert(), tiny_models.tokenizer()
    with pytest.raises(InputError, match="must be 'accuracy' or 'macro_f1', got 'f1'"):
        SequenceClassification(["a"], [0], tokenizer, model, measure="f1")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="max_length 64 is more than the model's 32 positions"):
        SequenceClassification(["a"], [0], tokenizer, model, max_length=64)
    with pytest.raises(InputError, match="text 1 has no tokens: ' '"):
        SequenceClassification(["a", " "], [0, 1], tiny_models.tokenizer(special=False), gpt2())
    evaluate = SequenceClassification(["a"], [0], tokenizer, model)
    with pytest.raises(InputError, match=r"must give \(n, n_classes >= 2\) logits, got \(1, 3,"):
        evaluate(tiny_models.distilbert())
    plain = SimpleNamespace(num_labels=2)
    with pytest.raises(InputError, match=re.escape("the model has [0, 1]; the data has 2")):
        SequenceClassification(["a"], [2], tokenizer, plain)
