"""Batches of about the same length, the longest input, and what pads it."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given

from bipnet.errors import InputError
from bipnet.torch.text.batches import batches_by_length, model_inputs
from bipnet.torch.text.limits import filler_of, longest_input
from bipnet.torch.text.outputs import token_logits


@given(st.lists(st.integers(1, 40), max_size=60), st.integers(1, 200))
def test_batches__hold_every_sequence_once_and_no_more_tokens(lengths: list[int], n: int) -> None:
    batches = batches_by_length(lengths, n)
    assert sorted(number for batch in batches for number in batch) == list(range(len(lengths)))
    assert all(
        len(batch) == 1 or max(lengths[i] for i in batch) * len(batch) <= n for batch in batches
    )
    in_order = [lengths[number] for batch in batches for number in batch]
    assert in_order == sorted(lengths, reverse=True)


@pytest.mark.parametrize("n", [0, -3, 1.5, True, None])
def test_batches__of_no_tokens_are_refused(n: Any) -> None:
    says = f"batch_tokens must be a whole number of at least 1, got {n!r}"
    with pytest.raises(InputError, match=re.escape(says)):
        batches_by_length([1, 2], n)


def test_inputs__are_padded_at_the_end() -> None:
    inputs = model_inputs([[4, 5, 6], [7]], 9)
    assert inputs["input_ids"].tolist() == [[4, 5, 6], [7, 9, 9]]
    assert inputs["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert {tensor.dtype for tensor in inputs.values()} == {torch.int64}


@pytest.mark.parametrize(
    ("config", "of_tokenizer", "asked", "wanted"),
    [
        ({"max_position_embeddings": 64}, 10**30, None, 64),
        ({"max_position_embeddings": 64}, 48, None, 48),
        ({"max_position_embeddings": 64}, 48, 60, 60),
        ({"n_positions": 32}, 10**30, None, 32),
        ({"max_position_embeddings": -1}, None, None, 512),
        ({}, 10**30, None, 512),
        ({}, 10**30, 4000, 4000),
        (
            {"max_position_embeddings": 514, "model_type": "roberta", "pad_token_id": 1},
            10**30,
            None,
            512,
        ),
    ],
)
def test_longest_input__is_what_model_and_tokenizer_take(
    config: dict[str, Any], of_tokenizer: Any, asked: int | None, wanted: int
) -> None:
    tokenizer = SimpleNamespace(model_max_length=of_tokenizer)
    assert longest_input(SimpleNamespace(**config), tokenizer, asked) == wanted


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (65, "max_length 65 is more than the model's 64 positions"),
        (2, "max_length must be a whole number of at least 3, got 2"),
        (True, "got True"),
        (7.0, "got 7.0"),
    ],
)
def test_longest_input__refuses(asked: Any, says: str) -> None:
    config = SimpleNamespace(max_position_embeddings=64)
    with pytest.raises(InputError, match=re.escape(says)):
        longest_input(config, SimpleNamespace(), asked)


@pytest.mark.parametrize(
    ("of_model", "of_tokenizer", "wanted"), [(7, 3, 7), (None, 3, 3), (-1, 3, 3), (None, None, 0)]
)
def test_filler__is_the_models_then_the_tokenizers(
    of_model: int | None, of_tokenizer: int | None, wanted: int
) -> None:
    config = SimpleNamespace(pad_token_id=of_model)
    assert filler_of(config, SimpleNamespace(pad_token_id=of_tokenizer)) == wanted


def test_token_logits__are_found_in_whatever_a_model_gives() -> None:
    logits = torch.zeros(2, 3, 4)
    for output in (logits, (logits, None), SimpleNamespace(logits=logits)):
        assert token_logits(output, "labels") is logits
    with pytest.raises(InputError, match=r"must give \(n, tokens, labels\) logits, got \(2, 3\)"):
        token_logits(logits[..., 0], "labels")
    with pytest.raises(InputError, match="got dict"):
        token_logits({"logit": logits}, "labels")
