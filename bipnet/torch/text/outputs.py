"""What a model gives for each token."""

from __future__ import annotations

from typing import Any

import torch

from bipnet.errors import InputError


def token_logits(output: Any, last: str) -> torch.Tensor:
    """The (n, tokens, ``last``) logits in whatever a model returns (tensor, tuple, ``.logits``).

    Raises
    ------
    InputError
        It is something else.

    Examples
    --------
    >>> token_logits((torch.zeros(2, 3, 5),), "labels").shape
    torch.Size([2, 3, 5])
    """
    logits = getattr(output, "logits", output)
    if isinstance(logits, (tuple, list)) and logits:
        logits = logits[0]
    if not isinstance(logits, torch.Tensor) or logits.ndim != 3:
        got = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        raise InputError(f"the model must give (n, tokens, {last}) logits, got {got}")
    return logits
