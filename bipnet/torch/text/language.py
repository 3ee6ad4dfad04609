"""Language models: loss and perplexity of a text, causal or masked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar
from weakref import WeakSet

import torch
from torch import nn

from bipnet._streams import RNGLike, Seed, resolve_seed
from bipnet.errors import InputError
from bipnet.torch.passes import DEFAULT_BUDGET, Passes
from bipnet.torch.text.batches import TOKENS_PER_BATCH, batches_by_length, model_inputs
from bipnet.torch.text.limits import filler_of, longest_input
from bipnet.torch.text.outputs import token_logits

Measure = Literal["loss", "perplexity"]
E = TypeVar("E", bound="_LanguageEvaluator")

_DEFAULT_BLOCK = 512
_LOOKED_AT = 16  # tokens of a block that tell whether a model is causal
_ROUNDING = 64  # units of rounding that the same numbers may differ by
_AT_ONCE = 256  # predictions: all of a batch over a large vocabulary take gigabytes in float64


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
        self.passes = Passes(inputs, _vocabulary_logits, device=device, budget=budget)

    def __call__(self, model: nn.Module) -> float:
        """Loss or perplexity."""
        return float(getattr(self.score(model), self._measure))

    def score(self, model: nn.Module) -> LanguageScore:
        """Loss and perplexity."""
        total, n = 0.0, 0
        for logits, (rows, columns, tokens) in zip(
            self.passes.outputs(model), self._targets, strict=True
        ):
            _require_vocabulary(logits, tokens)
            for start in range(0, len(tokens), _AT_ONCE):
                here = slice(start, start + _AT_ONCE)
                likelihood = logits[rows[here], columns[here]].double().log_softmax(dim=-1)
                total -= float(likelihood[torch.arange(len(likelihood)), tokens[here]].sum())
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
        A text of fewer than two tokens; when scored, a model that is not causal.

    Examples
    --------
    A model that knows nothing of four words hesitates between four:

    >>> from tokenizers import Tokenizer, models, pre_tokenizers
    >>> from transformers import PretrainedConfig, PreTrainedTokenizerFast
    >>> class Clueless(nn.Module):
    ...     def forward(self, input_ids, attention_mask):
    ...         return torch.zeros(*input_ids.shape, 4)
    >>> words = Tokenizer(models.WordLevel({"a": 0, "b": 1, "c": 2, "?": 3}, unk_token="?"))
    >>> words.pre_tokenizer = pre_tokenizers.Whitespace()
    >>> tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="?")
    >>> evaluate = CausalLM("a b c a b", tokenizer, PretrainedConfig(), measure="perplexity")
    >>> round(evaluate(Clueless()), 6), evaluate.score(Clueless()).n_tokens
    (4.0, 4)
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
        filler = filler_of(getattr(model, "config", model), tokenizer)
        begun = list(blocks[0][:_LOOKED_AT])
        other = next((token for token in begun if token != begun[-1]), int(begun[-1] == 0))
        self._known: WeakSet[nn.Module] = WeakSet()
        self._two_ends = Passes(
            [model_inputs([begun, [*begun[:-1], other]], filler)], _vocabulary_logits, device=device
        )
        # The token after each place, plus 1; 0 where nothing is predicted.
        targets = [[token + 1 for token in block[1:]] + [0] for block in blocks]
        super().__init__(
            blocks,
            targets,
            filler,
            measure=measure,
            device=device,
            batch_tokens=batch_tokens,
            budget=budget,
        )

    def score(self, model: nn.Module) -> LanguageScore:
        """Loss and perplexity."""
        self._require_causal(model)
        return super().score(model)

    @contextmanager
    def reusing(self, model: nn.Module, changed: Sequence[torch.Tensor]) -> Iterator[CausalLM]:
        """While only ``changed`` parameters change, compute only what they can change."""
        self._require_causal(model)  # before what lies ahead of these is replayed
        with super().reusing(model, changed):
            yield self

    def _require_causal(self, model: nn.Module) -> None:
        """The loss of a model that sees the token which it is to predict means nothing."""
        if model in self._known:
            return
        (logits,) = self._two_ends.outputs(model)
        one, other = logits[0, :-1], logits[1, :-1]
        slack = _ROUNDING * torch.finfo(logits.dtype).eps * float(logits.abs().max())
        if float((one - other).abs().max()) > slack:
            raise InputError(
                f"{type(model).__name__} is not causal: what it gives for a token changes with the"
                " tokens after it; a masked model is scored by MaskedLM"
            )
        self._known.add(model)


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
        A tokenizer without a mask token, a share out of range, a text of fewer than two tokens.

    Examples
    --------
    >>> from tokenizers import Tokenizer, models, pre_tokenizers
    >>> from transformers import PretrainedConfig, PreTrainedTokenizerFast
    >>> class Clueless(nn.Module):
    ...     def forward(self, input_ids, attention_mask):
    ...         return torch.zeros(*input_ids.shape, 4)
    >>> words = Tokenizer(models.WordLevel({"a": 0, "b": 1, "c": 2, "?": 3}, unk_token="?"))
    >>> words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    >>> tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="?", mask_token="?")
    >>> evaluate = MaskedLM("a b c a b", tokenizer, PretrainedConfig(), masked=0.4, rng=7)
    >>> round(evaluate(Clueless()), 3), evaluate.score(Clueless()).n_tokens
    (1.386, 2)
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
        if isinstance(masked, bool) or not 0 < masked <= 1:
            raise InputError(f"masked must be a share above 0 and at most 1, got {masked!r}")
        mask = getattr(tokenizer, "mask_token_id", None)
        if mask is None:
            raise InputError(
                f"{type(tokenizer).__name__} has no mask token: a masked language model has one;"
                " CausalLM scores models that predict the next token"
            )
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
            filler_of(getattr(model, "config", model), tokenizer),
            measure=measure,
            device=device,
            batch_tokens=batch_tokens,
            budget=budget,
        )


def _blocks(
    texts: str | Sequence[str], tokenizer: Any, model: Any, max_length: int | None, n_special: int
) -> list[list[int]]:
    """The text's tokens in blocks, without special tokens; a last one of one token is left out."""
    if not isinstance(texts, str) and not all(isinstance(text, str) for text in texts):
        raise InputError("texts must be a string or several, got something else among them")
    text = texts if isinstance(texts, str) else "".join(texts)
    tokens = tokenizer(text, add_special_tokens=False, return_attention_mask=False, verbose=False)[
        "input_ids"
    ]
    config = getattr(model, "config", model)
    longest = longest_input(config, tokenizer, max_length)
    longest = longest if max_length is not None else min(longest, _DEFAULT_BLOCK)
    size = longest - n_special
    if size < 2:
        raise InputError(f"max_length {longest} leaves room for {size} token(s), 2 are needed")
    blocks = [list(tokens[i : i + size]) for i in range(0, len(tokens), size)]
    blocks = [block for block in blocks if len(block) > 1]
    if not blocks:
        raise InputError(f"the text has {len(tokens)} token(s): at least 2 are needed")
    return blocks


def _around(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The special tokens before and after a sequence."""
    some = tokenizer.mask_token
    bare = list(tokenizer(some, add_special_tokens=False)["input_ids"])
    whole = list(tokenizer(some)["input_ids"])
    at = next(i for i in range(len(whole)) if whole[i : i + len(bare)] == bare)
    return whole[:at], whole[at + len(bare) :]


def _vocabulary_logits(output: Any) -> torch.Tensor:
    return token_logits(output, "vocabulary")


def _require_vocabulary(logits: torch.Tensor, tokens: torch.Tensor) -> None:
    """The tokenizer must be the model's: all its tokens must have logits."""
    largest = int(tokens.max()) if len(tokens) else 0
    if largest >= logits.shape[-1]:
        raise InputError(
            f"the tokenizer gives token {largest}, the model has logits of {logits.shape[-1]}: it"
            " is another model's tokenizer, or the model has no head over the vocabulary"
        )
