"""Run independent blocks of kernel work on a few threads (kernels release the GIL)."""

from __future__ import annotations

import functools
import os
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext

import numpy as np

from bipnet.errors import InputError

Block = tuple[int, int]

_WORTH_THREADS = 1 << 18  # words below which starting threads costs more than it saves


def usable_cores() -> int:
    """How many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def usable_threads(n_threads: int | None, n_words: int) -> int:
    """How many threads to use; ``None`` means every core this process may run on."""
    if n_threads is None:
        return usable_cores() if n_words >= _WORTH_THREADS else 1
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
    shared = _Shared(work, blocks)
    try:
        pool = _pool(os.getpid(), n_threads)
        helpers = [pool.submit(shared) for _ in range(min(n_threads, len(blocks)) - 1)]
        shared.do()
        for helper in helpers:
            if not helper.cancel():  # one that has not begun yet is too late
                helper.result()
    except BaseException:
        with _no_compiling():
            shared.call_off()  # nobody may write into our arrays after this
        raise


class _Shared:
    """Blocks that the calling thread and its helpers take one by one.

    Waking a thread takes as long as permuting a hundred thousand weights: a helper is woken once,
    and the calling thread does not wait for it to begin.
    """

    def __init__(self, work: Callable[[Block], None], blocks: Sequence[Block]) -> None:
        self._work = work
        self._blocks = iter(list(blocks))  # of a list: taking the next one is a single step
        self._changed = threading.Condition()
        self._n_helpers = 0
        self._off = False

    def do(self) -> None:
        for block in self._blocks:
            if self._off:
                return
            self._work(block)

    def __call__(self) -> None:
        """What a helper does. The calling thread is not counted: Ctrl-C may cut it short."""
        with self._changed:
            if self._off:
                return
            self._n_helpers += 1
        try:
            self.do()
        except BaseException:
            self._off = True
            raise
        finally:
            with self._changed:
                self._n_helpers -= 1
                self._changed.notify_all()

    def call_off(self) -> None:
        """Let no block be begun any more, and wait for those that are."""
        with self._changed:
            self._off = True
            while self._n_helpers:
                self._changed.wait()


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
