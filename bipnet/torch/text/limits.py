"""How long an input of a model may be, and what fills up shorter ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from bipnet.errors import InputError

_FAR = 1 << 20  # tokenizers without a limit of their own give a huge number
_COUNTED_FROM_PADDING = ("roberta", "xlm-roberta", "camembert", "longformer", "xlm-roberta-xl")
"""Models whose first position is the one after that of padding: they take so many tokens less."""


def longest_input(config: Any, tokenizer: Any, asked: int | None) -> int:
    """Tokens of the longest input, special ones included: ``asked``, or what the model takes.

    Raises
    ------
    InputError
        More is asked for than the model has positions for.
    """
    positions = None
    for name in ("max_position_embeddings", "n_positions", "n_ctx"):
        if isinstance(getattr(config, name, None), int):
            positions = getattr(config, name)
            break
    if positions is not None and positions < 1:
        positions = None  # -1 says of some models that there is no limit
    if positions is not None and getattr(config, "model_type", "") in _COUNTED_FROM_PADDING:
        positions -= (getattr(config, "pad_token_id", None) or 0) + 1
    if asked is not None:
        if isinstance(asked, bool) or not isinstance(asked, (int, np.integer)) or asked < 3:
            raise InputError(f"max_length must be a whole number of at least 3, got {asked!r}")
        if positions is not None and asked > positions:
            raise InputError(f"max_length {asked} is more than the model's {positions} positions")
        return int(asked)
    limits = [positions or _FAR, getattr(tokenizer, "model_max_length", None) or _FAR]
    shortest = min(int(limit) for limit in limits)
    return shortest if shortest < _FAR else 512


def filler_of(config: Any, tokenizer: Any) -> int:
    """The token that padding is made of: the model's own idea of it first.

    Some models look for it in their input (GPT-2 classifies at the last token that is no
    padding, RoBERTa counts positions without it), whatever the tokenizer pads with.
    """
    for found in (getattr(config, "pad_token_id", None), getattr(tokenizer, "pad_token_id", None)):
        if isinstance(found, int) and found >= 0:
            return found
    return 0
