"""Plain 2x2 checkerboard swaps: the textbook chain for null model G (``method="swap"``)."""

from __future__ import annotations

import numpy as np

from bipnet_kernels._jit import kernel
from bipnet_kernels._stream import next_below, start
from bipnet_kernels._types import Int, Ints, Key, Words

ATTEMPTS_PER_STREAM = 65536
"""Attempts that share one random stream; batches of whole streams give the same result."""

NO_EDGE = 2
"""Cell without an edge (0 = negative, 1 = positive)."""


@kernel
def swap_attempts(
    cells: Words,
    left: Ints,
    right: Ints,
    first: Int,
    n_attempts: Int,
    key: Key,
    stream: Key,
) -> np.int64:
    """Attempt ``n_attempts`` swaps from stream ``first`` on, in place; return those accepted.

    ``cells`` (n_left, n_right) uint8: 1, 0 or `NO_EDGE`; ``left``, ``right`` (p,) the ends of
    the p >= 1 positive edges. Two positive edges (i, j), (k, l) drawn uniformly become (i, l),
    (k, j) if both of those are negative edges. A refused attempt counts as a step: without
    that the chain is not uniform (Artzy-Randrup & Stone 2005; Fosdick et al. 2018).
    """
    n_positive = len(left)
    accepted = np.int64(0)
    done = np.int64(0)
    number = first
    while done < n_attempts:
        start(stream, key, number)
        number += 1
        batch = min(np.int64(ATTEMPTS_PER_STREAM), n_attempts - done)
        for _ in range(batch):
            a = next_below(stream, n_positive)
            b = next_below(stream, n_positive)
            i = left[a]
            k = left[b]
            j = right[a]
            m = right[b]
            if cells[i, m] == 0 and cells[k, j] == 0:
                cells[i, j] = 0
                cells[k, m] = 0
                cells[i, m] = 1
                cells[k, j] = 1
                right[a] = m
                right[b] = j
                accepted += 1
        done += batch
    return accepted
