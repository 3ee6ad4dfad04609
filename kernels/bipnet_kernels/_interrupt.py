"""Ctrl-C while kernels are compiled: heard between two kernels, within a second.

LLVM calls back into Python, where an exception is printed and lost: an interrupt at that moment
would end in some error of Numba's. And a thread of a pool does not hear of signals at all.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

_unwanted = threading.Event()


@contextlib.contextmanager
def no_compiling() -> Iterator[None]:
    """Let threads that are compiling stop, by an interrupt of their own, before their next kernel.

    For the thread that was interrupted while it waits for the others.
    """
    _unwanted.set()
    try:
        yield
    finally:
        _unwanted.clear()


@contextlib.contextmanager
def heard_between_kernels() -> Iterator[None]:
    """Compile one kernel: hold back SIGINT meanwhile. Kernels that it calls nest within it."""
    if threading.current_thread() is not threading.main_thread():
        _raise_if(_unwanted.is_set())
        yield
        _raise_if(_unwanted.is_set())
        return
    before = signal.getsignal(signal.SIGINT)
    if isinstance(before, _Held):  # within another kernel's
        _raise_if(before.came)
        yield
        _raise_if(before.came)
        return
    if not callable(before):  # ignored, or left to the system
        yield
        return
    held = _Held()
    signal.signal(signal.SIGINT, held)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if held.came:
            before(signal.SIGINT, None)


class _Held:
    """A handler that remembers."""

    came = False

    def __call__(self, number: int, frame: Any) -> None:
        self.came = True


def _raise_if(interrupted: bool) -> None:
    if interrupted:
        raise KeyboardInterrupt
