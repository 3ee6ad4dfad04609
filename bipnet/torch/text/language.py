"""Language models: loss and perplexity of a text, causal or masked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import torch
from torch import nn

from bipnet._streams import RNGLike, Seed, resolve_seed
from bipnet.errors import InputError
from bipnet.torch.passes import DEFAULT_BUDGET, Passes
from bipnet.torch.text.batches import TOKENS_PER_BATCH, batches_by_length, model_inputs
from bipnet.torch.text.limits import longest_input

Measure = Literal["loss", "perplexity"]
E = TypeVar("E", bound="_LanguageEvaluator")

_DEFAULT_BLOCK = 512


@dataclass(frozen=True)
class LanguageScore:
    """How well a model predicts the tokens of a text.

    Attributes
    ----------
    loss
        Mean negative log-likelihood per predicted token, in nats.
    perplexity
        exp(loss).
    n_tokens
        Predicted tokens.
    """

    loss: float
    perplexity: float
    n_tokens: int


class _LanguageEvaluator:
    """Common to both: blocks of tokens, and at each place the token to be predicted or -1."""

    higher_is_better = False

    def __init__(
        self,
        blocks: Sequence[Sequence[int]],
        targets: Sequence[Sequence[int]],
        filler: int,
        *,
        measure: Measure,
        device: str | torch.device | None,
        batch_tokens: int,
        budget: int,
    ) -> None:
        if measure not in ("loss", "perplexity"):
            raise InputError(f"measure must be 'loss' or 'perplexity', got {measure!r}")
        self._measure = measure
        batches = batches_by_length([len(block) for block in blocks], batch_tokens)
        inputs = [model_inputs([blocks[i] for i in batch], filler) for batch in batches]
        self._targets = []
        for batch in batches:
            wanted = [
                (row, at, target - 1)
                for row, number in enumerate(batch)
                for at, target in enumerate(targets[number])
                if target
            ]
            rows, columns, tokens = torch.tensor(wanted, dtype=torch.int64).reshape(-1, 3).T
            self._targets.append((rows, columns, tokens))
        self.passes = Passes(inputs, _logits, device=device, budget=budget)

    def __call__(self, model: nn.Module) -> float:
        """Loss or perplexity."""
        return float(getattr(self.score(model), self._measure))

    def score(self, model: nn.Module) -> LanguageScore:
        """Loss and perplexity."""
        total, n = 0.0, 0
        for logits, (rows, columns, tokens) in zip(
            self.passes.outputs(model), self._targets, strict=True
        ):
            likelihood = logits[rows, columns].double().log_softmax(dim=-1)
            total -= float(likelihood[torch.arange(len(tokens)), tokens].sum())
            n += len(tokens)
        if math.isnan(total):
            raise InputError("the model's logits are NaN: nothing is predicted")
        loss = total / n
        return LanguageScore(loss, math.exp(loss) if loss < 700 else math.inf, n)

    @contextmanager
    def reusing(self: E, model: nn.Module, changed: Sequence[torch.Tensor]) -> Iterator[E]:
        """While only ``changed`` parameters change, compute only what they can change."""
        with self.passes.reusing(model, changed):
            yield self


class CausalLM(_LanguageEvaluator):
    """An evaluator: loss (or perplexity) of a causal language model on a text.

    The text is read in blocks of ``max_length`` tokens that do not overlap; all tokens of a block
    but the first are predicted.

    Parameters
    ----------
    texts
        One string or more, joined as they are.
    tokenizer
        Of transformers.
    model
        The model that will be scored, or its config.
    measure
        What calling it gives: "loss" (nats per token) or "perplexity". Lower is better.
    max_length
        Tokens of a block; by default as many as the model takes, 512 at the most.
    device, batch_tokens, budget
        As in `TokenClassification`.

    Raises
    ------
    InputError
        A text of fewer than two tokens.
    """

    def __init__(
        self,
        texts: str | Sequence[str],
        tokenizer: Any,
        model: Any,
        *,
        measure: Measure = "loss",
        device: str | torch.device | None = None,
        batch_tokens: int = TOKENS_PER_BATCH,
        max_length: int | None = None,
        budget: int = DEFAULT_BUDGET,
    ) -> None:
        blocks = _blocks(texts, tokenizer, model, max_length, n_special=0)
        # The token after each place, plus 1; 0 where nothing is predicted.
        targets = [[token + 1 for token in block[1:]] + [0] for block in blocks]
        super().__init__(
            blocks,
            targets,
            tokenizer.pad_token_id or 0,
            measure=measure,
            device=device,
            batch_tokens=batch_tokens,
            budget=budget,
        )


class MaskedLM(_LanguageEvaluator):
    """An evaluator: loss (or perplexity) of a masked language model on a text.

    A share of the tokens, the same ones for a seed, is masked and predicted.

    Parameters
    ----------
    texts, tokenizer, model, measure, max_length, device, batch_tokens, budget
        As in `CausalLM`.
    masked
        Share of the tokens that are masked, in (0, 1].
    rng
        Which ones; as in `bipnet.randomize`.

    Raises
    ------
    InputError
        A tokenizer without a mask token, a share out of range, a text without tokens.
    """

    def __init__(
        self,
        texts: str | Sequence[str],
        tokenizer: Any,
        model: Any,
        *,
        masked: float = 0.15,
        rng: RNGLike | Seed = 0,
        measure: Measure = "loss",
        device: str | torch.device | None = None,
        batch_tokens: int = TOKENS_PER_BATCH,
        max_length: int | None = None,
        budget: int = DEFAULT_BUDGET,
    ) -> None:
        if not 0 < masked <= 1:
            raise InputError(f"masked must be a share above 0 and at most 1, got {masked!r}")
        mask = getattr(tokenizer, "mask_token_id", None)
        if mask is None:
            raise InputError(f"{type(tokenizer).__name__} has no mask token")
        first, last = _around(tokenizer)
        generator = resolve_seed(rng).generator("masked tokens")
        blocks, targets = [], []
        for block in _blocks(texts, tokenizer, model, max_length, n_special=len(first + last)):
            n_masked = max(1, round(masked * len(block)))
            chosen = set(generator.permutation(len(block))[:n_masked].tolist())
            shown = [mask if i in chosen else token for i, token in enumerate(block)]
            wanted = [token + 1 if i in chosen else 0 for i, token in enumerate(block)]
            blocks.append([*first, *shown, *last])
            targets.append([0] * len(first) + wanted + [0] * len(last))
        super().__init__(
            blocks,
            targets,
            tokenizer.pad_token_id or 0,
            measure=measure,
            device=device,
            batch_tokens=batch_tokens,
            budget=budget,
        )


def _blocks(
    texts: str | Sequence[str], tokenizer: Any, model: Any, max_length: int | None, n_special: int
) -> list[list[int]]:
    """The text's tokens in blocks, without special tokens; a last one of one token is left out."""
    text = texts if isinstance(texts, str) else "".join(texts)
    tokens = tokenizer(text, add_special_tokens=False, return_attention_mask=False, verbose=False)[
        "input_ids"
    ]
    config = getattr(model, "config", model)
    longest = longest_input(config, tokenizer, max_length)
    size = (longest if max_length is not None else min(longest, _DEFAULT_BLOCK)) - n_special
    blocks = [list(tokens[i : i + size]) for i in range(0, len(tokens), size)]
    blocks = [block for block in blocks if len(block) > 1]
    if not blocks:
        raise InputError(f"the text has {len(tokens)} token(s): at least 2 are needed")
    return blocks


def _around(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The special tokens before and after a sequence."""
    probe = [tokenizer.mask_token_id]
    mask = tokenizer.mask_token
    whole = tokenizer(mask)["input_ids"]
    at = whole.index(probe[0])
    return list(whole[:at]), list(whole[at + 1 :])


def _logits(output: Any) -> torch.Tensor:
    logits = getattr(output, "logits", output)
    if not isinstance(logits, torch.Tensor) or logits.ndim != 3:
        got = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        raise InputError(f"a language model must give (n, tokens, vocabulary) logits, got {got}")
    return logits
