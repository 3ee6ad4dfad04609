"""Least and greatest of some words: whether weights are finite, and no zeros, as they pass by."""

from __future__ import annotations

from typing import Any

import numpy as np

from bipnet_kernels._jit import kernel
from bipnet_kernels._types import Int, Words


@kernel
def widen_range(
    words: Words, start: Int, n: Int, mask: np.unsignedinteger[Any], range_: Words
) -> None:
    """Widen ``range_`` (2,) to the least and the greatest ``word & mask`` of ``words[start:][:n]``.

    Bit patterns of magnitudes are ordered as magnitudes are; NaN and infinity come last.
    """
    low = range_[0]
    high = range_[1]
    for i in range(np.uint64(start), np.uint64(start + n)):
        word = words[i] & mask
        low = min(low, word)
        high = max(high, word)
    range_[0] = low
    range_[1] = high
