"""Loss and perplexity: the same as block by block, by the plain formula."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import tiny_models
import torch
from torch import nn

from bipnet.errors import InputError
from bipnet.torch import probe
from bipnet.torch.text import CausalLM, MaskedLM


def text(n: int, seed: int = 0) -> str:
    draw = np.random.default_rng(seed)
    return " ".join(draw.choice(tiny_models.WORDS[5:17], n))


def negative_log_likelihood(logits: torch.Tensor, token: int) -> float:
    row = logits.double().numpy()
    return float(np.log(np.exp(row - row.max()).sum()) + row.max() - row[token])


def naive_causal(model: nn.Module, tokens: Sequence[int], size: int) -> list[float]:
    losses = []
    for start in range(0, len(tokens), size):
        block = list(tokens[start : start + size])
        if len(block) == 1:
            continue
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([block])).logits[0]
        losses += [negative_log_likelihood(logits[i], block[i + 1]) for i in range(len(block) - 1)]
    return losses


@pytest.mark.parametrize("batch_tokens", [1, 70, 2048])
@pytest.mark.parametrize("n", [2, 31, 32, 33, 34, 100])
def test_causal__is_the_mean_over_blocks(n: int, batch_tokens: int) -> None:
    model, tokenizer = tiny_models.gpt2(), tiny_models.tokenizer(special=False)
    words = text(n)
    tokens = tokenizer(words)["input_ids"]
    assert len(tokens) == n
    wanted = naive_causal(model, tokens, 32)
    score = CausalLM(words, tokenizer, model, batch_tokens=batch_tokens).score(model)
    assert score.n_tokens == len(wanted)
    assert score.loss == pytest.approx(np.mean(wanted), rel=1e-6)
    assert score.perplexity == math.exp(score.loss)


def test_causal__is_the_loss_of_transformers() -> None:
    model, tokenizer = tiny_models.gpt2(), tiny_models.tokenizer(special=False)
    tokens = tokenizer(text(32), return_tensors="pt")["input_ids"]
    with torch.no_grad():
        wanted = float(model(input_ids=tokens, labels=tokens).loss)
    evaluate = CausalLM(text(32), tokenizer, model.config)
    assert evaluate(model) == pytest.approx(wanted, rel=1e-5)
    perplexity = CausalLM(text(32), tokenizer, model, measure="perplexity")
    assert perplexity(model) == math.exp(evaluate(model))


def test_causal__joins_texts_and_adds_no_special_tokens() -> None:
    model = tiny_models.gpt2()
    with_special, without = tiny_models.tokenizer(), tiny_models.tokenizer(special=False)
    wanted = CausalLM("anna met ben", without, model, max_length=5).score(model)
    assert wanted.n_tokens == 2
    assert CausalLM(["anna ", "met", " ben"], with_special, model).score(model) == wanted


def masked_by_hand(evaluate: MaskedLM) -> tuple[list[list[int]], list[list[int]]]:
    """Blocks and attention masks as the model gets them, without padding."""
    shown: list[list[int]] = []

    class Spy(nn.Module):
        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            for row, mask in zip(input_ids.tolist(), attention_mask.tolist(), strict=True):
                assert mask == sorted(mask, reverse=True)
                shown.append(row[: sum(mask)])
            return torch.zeros(*input_ids.shape, len(tiny_models.WORDS))

    assert evaluate(Spy()) == pytest.approx(math.log(len(tiny_models.WORDS)))
    return shown, [[at for at, token in enumerate(row) if token == 4] for row in shown]


@pytest.mark.parametrize("kind", ["bert", "distilbert"])
@pytest.mark.parametrize(("share", "n"), [(0.15, 100), (0.5, 30), (1.0, 31), (0.01, 62)])
def test_masked__is_the_mean_over_masked_tokens(kind: str, share: float, n: int) -> None:
    model, tokenizer = getattr(tiny_models, kind)("MaskedLM"), tiny_models.tokenizer()
    words = text(n, seed=3)
    tokens = tokenizer(words, add_special_tokens=False)["input_ids"]
    evaluate = MaskedLM(words, tokenizer, model, masked=share, rng=5, batch_tokens=64)
    blocks = [tokens[i : i + 30] for i in range(0, n, 30)]
    blocks = [block for block in blocks if len(block) > 1]
    shown, places = masked_by_hand(evaluate)
    assert sorted(map(len, shown)) == sorted(len(block) + 2 for block in blocks)
    losses = []
    for row, at in zip(shown, places, strict=True):  # longest first, equal ones in order
        block = blocks[sorted(range(len(blocks)), key=lambda i: -len(blocks[i]))[len(losses)]]
        assert (row[0], row[-1]) == (2, 3)
        assert len(at) == max(1, round(share * len(block)))
        assert all(row[i + 1] in (4, block[i]) for i in range(len(block)))
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([row])).logits[0]
        losses.append([negative_log_likelihood(logits[i], block[i - 1]) for i in at])
    flat = [loss for of_block in losses for loss in of_block]
    score = evaluate.score(model)
    assert score.n_tokens == len(flat)
    assert score.loss == pytest.approx(np.mean(flat), rel=1e-6)


def test_masked__tokens_are_the_same_for_a_seed() -> None:
    model, tokenizer = tiny_models.bert("MaskedLM"), tiny_models.tokenizer()
    first, second, other = (
        masked_by_hand(MaskedLM(text(90), tokenizer, model, rng=seed)) for seed in (1, 1, 2)
    )
    assert first == second != other


def test_large_batches__are_taken_in_pieces() -> None:
    """More predictions than are worked on at once."""
    model, tokenizer = tiny_models.gpt2(), tiny_models.tokenizer(special=False)
    words = text(700, seed=9)
    wanted = naive_causal(model, tokenizer(words)["input_ids"], 32)
    assert CausalLM(words, tokenizer, model)(model) == pytest.approx(np.mean(wanted), rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision__is_scored(dtype: torch.dtype) -> None:
    causal, tokenizer = tiny_models.gpt2(), tiny_models.tokenizer(special=False)
    full = CausalLM(text(80), tokenizer, causal)(causal)
    assert CausalLM(text(80), tokenizer, causal)(causal.to(dtype)) == pytest.approx(full, rel=0.05)
    masked, tokenizer = tiny_models.bert("MaskedLM"), tiny_models.tokenizer()
    full = MaskedLM(text(80), tokenizer, masked)(masked)
    assert MaskedLM(text(80), tokenizer, masked)(masked.to(dtype)) == pytest.approx(full, rel=0.05)


def test_hopeless_model__has_infinite_perplexity() -> None:
    model, tokenizer = tiny_models.gpt2(), tiny_models.tokenizer(special=False)
    head: Any = model.get_submodule("lm_head")
    with torch.no_grad():
        head.weight.mul_(1e6)
    score = CausalLM(text(30), tokenizer, model).score(model)
    assert math.isinf(score.perplexity)
    assert math.isfinite(score.loss)


@pytest.mark.parametrize("kind", ["gpt2", "bert", "distilbert"])
def test_probe__is_the_same_with_and_without_what_is_kept(kind: str) -> None:
    if kind == "gpt2":
        model, tokenizer = tiny_models.gpt2(), tiny_models.tokenizer(special=False)
        evaluate: Any = CausalLM(text(90), tokenizer, model, batch_tokens=40)
    else:
        model, tokenizer = getattr(tiny_models, kind)("MaskedLM"), tiny_models.tokenizer()
        evaluate = MaskedLM(text(90), tokenizer, model, batch_tokens=40)
    assert not evaluate.higher_is_better
    options: dict[str, Any] = {"levels": [0.3], "each": True, "rng": 2, "n_realizations": 2}
    fast = probe(model, evaluate, "A", layers="*.1.*", **options)
    slow = probe(model, lambda one: evaluate(one), "A", layers="*.1.*", **options)
    columns = [name for name in fast.columns if fast[name].dtype == float]
    assert "score" in columns
    assert fast[columns].equals(slow[columns])
    assert fast["score"].nunique() > 4


@pytest.mark.parametrize(
    ("texts", "options", "says"),
    [
        ("", {}, "the text has 0 token(s): at least 2 are needed"),
        ([], {}, "the text has 0 token(s)"),
        ("anna", {}, "the text has 1 token(s)"),
        (["anna", 3], {}, "texts must be a string or several, got something else"),
        ("anna met", {"measure": "f1"}, "measure must be 'loss' or 'perplexity', got 'f1'"),
        ("anna met", {"max_length": 33}, "max_length 33 is more than the model's 32 positions"),
        ("anna met", {"max_length": 3}, "max_length 3 leaves room for 1 token(s), 2 are needed"),
        ("anna met", {"masked": 0}, "masked must be a share above 0 and at most 1, got 0"),
        ("anna met", {"masked": 15}, "got 15"),
        ("anna met", {"masked": float("nan")}, "got nan"),
        ("anna met", {"masked": True}, "got True"),
    ],
)
def test_bad_input__is_refused(texts: Any, options: dict[str, Any], says: str) -> None:
    model = tiny_models.bert("MaskedLM")
    with pytest.raises(InputError, match=re.escape(says)):
        MaskedLM(texts, tiny_models.tokenizer(), model, **options)


def test_bad_models__are_refused() -> None:
    model, tokenizer = tiny_models.bert("MaskedLM"), tiny_models.tokenizer()
    with pytest.raises(InputError, match=r"has no mask token: .* CausalLM scores"):
        MaskedLM("anna met", tiny_models.tokenizer(mask_token=None), model)
    evaluate = MaskedLM("anna met", tokenizer, model)
    with pytest.raises(InputError, match=r"must give \(n, tokens, vocabulary\) logits, got \(1, 2"):
        evaluate(tiny_models.bert("SequenceClassification"))
    with pytest.raises(
        InputError, match=r"gives token \d+, the model has logits of 3: it is anoth"
    ):
        evaluate(tiny_models.bert("TokenClassification", num_labels=3))
    decoder: Any = model.get_submodule("cls.predictions")
    with torch.no_grad():
        decoder.bias[0] = torch.nan
    with pytest.raises(InputError, match="logits are NaN"):
        evaluate(model)


def test_causal_lm__refuses_a_model_that_sees_what_it_is_to_predict() -> None:
    tokenizer = tiny_models.tokenizer()
    text = "a b c a b d a " * 9
    for model in (tiny_models.bert("MaskedLM"), tiny_models.distilbert("MaskedLM")):
        evaluate = CausalLM(text, tokenizer, model)
        with pytest.raises(InputError, match=r"is not causal: .* MaskedLM"):
            evaluate(model)
        with pytest.raises(InputError, match="is not causal"), evaluate.reusing(model, []):
            pass
    causal = tiny_models.gpt2()
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        assert CausalLM(text, tokenizer, causal)(causal.to(dtype)) > 0
    assert CausalLM("a a", tokenizer, causal).score(causal.float()).n_tokens >= 1
