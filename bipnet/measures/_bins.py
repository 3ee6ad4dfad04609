"""How many bins a histogram may have."""

from __future__ import annotations

from bipnet.errors import InputError

MOST_BINS = 10_000
"""Of equal width: far more than a picture can show, and still little memory."""


def checked_few(n_bins: int) -> int:
    """The number of bins; `InputError` if there are so many that memory may not hold them."""
    if n_bins > MOST_BINS:
        raise InputError(
            f"bins must be at most {MOST_BINS}, got {n_bins}: give fewer, or the edges themselves"
        )
    return n_bins
