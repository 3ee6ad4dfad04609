"""Token sequences as batches of about the same length, so that little is padding."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from bipnet.errors import InputError

TOKENS_PER_BATCH = 2048
"""Padding included. More fills no cache of a processor better, and takes memory."""


def batches_by_length(lengths: Sequence[int], n_tokens: int) -> list[list[int]]:
    """Numbers of sequences in batches of at most ``n_tokens``, padding included.

    Longest first, so that what needs most memory fails at once; equal lengths keep their order.

    Examples
    --------
    >>> batches_by_length([3, 5, 4, 3], 10)
    [[1, 2], [0, 3]]
    """
    whole = isinstance(n_tokens, (int, np.integer)) and not isinstance(n_tokens, bool)
    if not whole or n_tokens < 1:
        raise InputError(f"batch_tokens must be a whole number of at least 1, got {n_tokens!r}")
    order = np.argsort(-np.asarray(lengths), kind="stable").tolist()
    batches: list[list[int]] = []
    for number in order:
        longest = lengths[batches[-1][0]] if batches else 0
        if not batches or longest * (len(batches[-1]) + 1) > n_tokens:
            batches.append([])
        batches[-1].append(number)
    return batches


def padded(sequences: Sequence[Sequence[int]], filler: int) -> torch.Tensor:
    """Sequences as one (n, longest) tensor of int64, filled up at the end.

    Examples
    --------
    >>> padded([[7, 8], [9]], 0).tolist()
    [[7, 8], [9, 0]]
    """
    rows = torch.full((len(sequences), max(map(len, sequences))), filler, dtype=torch.int64)
    for row, sequence in zip(rows, sequences, strict=True):
        row[: len(sequence)] = torch.as_tensor(sequence)
    return rows


def model_inputs(sequences: Sequence[Sequence[int]], filler: int) -> dict[str, torch.Tensor]:
    """``input_ids`` and ``attention_mask`` of one batch.

    Examples
    --------
    >>> model_inputs([[7, 8], [9]], 0)["attention_mask"].tolist()
    [[1, 1], [1, 0]]
    """
    mask = padded([[1] * len(sequence) for sequence in sequences], 0)
    return {"input_ids": padded(sequences, filler), "attention_mask": mask}
