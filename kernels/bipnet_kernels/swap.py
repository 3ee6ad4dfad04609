"""Plain 2x2 checkerboard swaps: the textbook chain for null model G (``method="swap"``)."""

from __future__ import annotations

import numpy as np

from bipnet_kernels._jit import kernel
from bipnet_kernels._stream import next_below, start
from bipnet_kernels._types import Int, Key, Words

ATTEMPTS_PER_STREAM = 65536
"""Attempts that share one random stream; batches of whole streams give the same result."""

SWAP_SCRATCH = 256
"""Words of working memory of `swap_attempts`."""

_BATCH = 64  # attempts whose memory is asked for together, before any of them needs it
_IN_CACHE = 1 << 17  # positive edges up to which asking first does not pay

_U0 = np.uint64(0)
_U1 = np.uint64(1)
_U6 = np.uint64(6)
_U63 = np.uint64(63)


@kernel
def swap_attempts(
    negative: Words,
    ends: Words,
    first: Int,
    n_attempts: Int,
    key: Key,
    stream: Key,
    scratch: Words,
) -> np.int64:
    """Attempt ``n_attempts`` swaps from stream ``first`` on, in place; return those accepted.

    ``negative`` (n_left, words) uint64 has a bit for each negative edge; ``ends`` (p,) are the
    p >= 1 positive edges, the left node in the upper half of a word (uint32 or uint64) and the
    right node in the lower. Two of them drawn uniformly, (i, j) and (k, m), become (i, m) and
    (k, j) if both of those are negative edges. A refused attempt counts as a step: without that
    the chain is not uniform (Artzy-Randrup & Stone 2005; Fosdick et al. 2018). No branch depends
    on an attempt's outcome. ``scratch`` (`SWAP_SCRATCH`,) uint64.
    """
    n_positive = len(ends)
    shift = np.uint64(4 * ends.itemsize)
    low = (_U1 << shift) - _U1
    accepted = _U0
    done = np.int64(0)
    while done < n_attempts:
        if done % ATTEMPTS_PER_STREAM == 0:
            start(stream, key, first + done // ATTEMPTS_PER_STREAM)
        batch = min(np.int64(_BATCH), n_attempts - done)
        for t in range(2 * batch):
            scratch[t] = np.uint64(next_below(stream, n_positive))
        if n_positive > _IN_CACHE:
            _fetch(negative, ends, batch, shift, low, scratch)
        for t in range(batch):
            a = scratch[2 * t]
            b = scratch[2 * t + 1]
            one = np.uint64(ends[a])
            other = np.uint64(ends[b])
            i = one >> shift
            j = one & low
            k = other >> shift
            m = other & low
            free = negative[i, m >> _U6] >> (m & _U63)
            free &= (negative[k, j >> _U6] >> (j & _U63)) & _U1
            at_j = free << (j & _U63)
            at_m = free << (m & _U63)
            negative[i, m >> _U6] ^= at_m
            negative[k, j >> _U6] ^= at_j
            negative[i, j >> _U6] ^= at_j
            negative[k, m >> _U6] ^= at_m
            exchange = (j ^ m) & (_U0 - free)
            ends[a] = one ^ exchange
            ends[b] = other ^ exchange
            accepted += free
        done += batch
    return np.int64(accepted)


@kernel
def _fetch(
    negative: Words, ends: Words, batch: Int, shift: np.uint64, low: np.uint64, scratch: Words
) -> None:
    """Touch all the memory that a batch will need: one wait for all instead of one after another.

    The places drawn are ``scratch[:2 * batch]``; the rest of it is working memory.
    """
    for t in range(2 * batch):
        scratch[2 * _BATCH + t] = np.uint64(ends[scratch[t]])
    seen = _U0
    for t in range(batch):
        one = scratch[2 * _BATCH + 2 * t]
        other = scratch[2 * _BATCH + 2 * t + 1]
        seen ^= negative[one >> shift, (one & low) >> _U6]
        seen ^= negative[one >> shift, (other & low) >> _U6]
        seen ^= negative[other >> shift, (one & low) >> _U6]
        seen ^= negative[other >> shift, (other & low) >> _U6]
    scratch[2 * _BATCH] = seen  # else the compiler would leave all of it out
