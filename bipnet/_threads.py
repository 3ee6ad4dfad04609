"""Run independent blocks of kernel work on a few threads (kernels release the GIL)."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext

import numpy as np

from bipnet.errors import InputError

Block = tuple[int, int]

_WORTH_THREADS = 1 << 18  # words below which starting threads costs more than it saves


def usable_threads(n_threads: int | None, n_words: int) -> int:
    """How many threads to use; ``None`` means every core this process may run on."""
    if n_threads is None:
        if n_words < _WORTH_THREADS:
            return 1
        if hasattr(os, "sched_getaffinity"):
            return len(os.sched_getaffinity(0))
        return os.cpu_count() or 1
    if isinstance(n_threads, bool) or not isinstance(n_threads, (int, np.integer)) or n_threads < 1:
        raise InputError(f"n_threads must be a positive integer or None, got {n_threads!r}")
    return int(n_threads)


def run_blocks(work: Callable[[Block], None], blocks: Sequence[Block], n_threads: int) -> None:
    """Call ``work`` on every block.

    The blocks, not the threads, own the random streams: the result is the same for any number
    of threads. Blocks are short, so Ctrl-C is honoured between them.
    """
    if n_threads == 1 or len(blocks) < 2:
        for block in blocks:
            work(block)
        return
    tasks = [_pool(os.getpid(), n_threads).submit(work, block) for block in blocks]
    try:
        for task in tasks:
            task.result()
    except BaseException:
        for task in tasks:
            task.cancel()
        with _no_compiling():
            wait(tasks)  # nobody may write into our arrays after this
        raise


def _no_compiling() -> AbstractContextManager[None]:
    """Threads that are compiling kernels, for seconds, stop early. Loads no kernels to say so."""
    kernels = sys.modules.get("bipnet_kernels")
    return nullcontext() if kernels is None else kernels.no_compiling()


@functools.lru_cache(maxsize=4)
def _pool(process: int, n_threads: int) -> ThreadPoolExecutor:
    """Threads are kept: starting them takes as long as a draw of a small layer.

    A forked child has none of its parent's threads, and so a pool of its own.
    """
    return ThreadPoolExecutor(n_threads, thread_name_prefix="bipnet")


def cut(n: int, step: int) -> list[Block]:
    """[0, n) cut into runs of ``step``: a function of the data alone, never of the threads."""
    return [(start, min(start + step, n)) for start in range(0, n, step)]
