"""Fisher-Yates from one array into another: every order equally likely, each weight read once."""

from __future__ import annotations

import numpy as np

from bipnet_kernels._jit import kernel
from bipnet_kernels._stream import MOST_PICKS, pick
from bipnet_kernels._types import Int, Key, Picks, Words


@kernel
def shuffle(
    source: Words,
    source_start: Int,
    target: Words,
    target_start: Int,
    n: Int,
    stream: Key,
    picks: Picks,
) -> None:
    """Put ``n`` < 2**32 words of ``source`` in uniformly random order into ``target``.

    They are ``source[source_start:][:n]`` and go to ``target[target_start:][:n]``; the two may be
    the same. (The "inside-out" form of Durstenfeld 1964: word i goes to a uniformly chosen place
    of the first i + 1, and what was there moves to place i.)
    """
    if n > 0:
        target[target_start] = source[source_start]
    done = np.int64(1)
    while done < n:
        count = min(np.int64(MOST_PICKS), n - done)
        pick(stream, picks, done + 1, count)
        read = np.uint64(source_start + done)
        write = np.uint64(target_start + done)
        for k in range(count):
            word = source[read + np.uint64(k)]
            place = np.uint64(target_start) + np.uint64(picks[k])
            target[write + np.uint64(k)] = target[place]
            target[place] = word
        done += count
