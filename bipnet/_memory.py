"""Ask before allocating: say how much is needed instead of being killed. Memory in whole lines."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil

from bipnet.errors import TooLargeError

Array = npt.NDArray[Any]

CACHE_LINE = 64
"""Bytes that processors of this time fetch and write together."""

IN_CACHE_BYTES = 1 << 22
"""An array up to this size is not waited for."""

_SQUARE = 8  # words that kernels write past the caches at once (`bipnet_kernels.SIDE`)


def readable_bytes(n: float) -> str:
    """``n`` bytes for people, e.g. '1.2 GB'."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if n < 1000:
            return f"{n:.0f} {unit}" if unit == "bytes" else f"{n:.1f} {unit}"
        n /= 1000
    return f"{n:.1f} TB"


def require_memory(n_bytes: int, purpose: str) -> None:
    """Raise `TooLargeError` if ``n_bytes`` more do not fit into memory now."""
    if n_bytes < 1 << 24:
        return  # asking the system costs more than such an allocation risks
    available = psutil.virtual_memory().available
    if n_bytes > available:
        raise TooLargeError(
            f"{purpose} needs {readable_bytes(n_bytes)} of memory and"
            f" {readable_bytes(available)} are free; use a smaller or sparse (CSR) matrix,"
            " or a machine with more memory"
        )


def new_array(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Uninitialised C-ordered memory; a large one begins with a cache line, as NumPy's do not."""
    n_bytes = math.prod(shape) * dtype.itemsize
    if n_bytes <= IN_CACHE_BYTES:
        return np.empty(shape, dtype=dtype)
    memory = np.empty(n_bytes + CACHE_LINE, dtype=np.uint8)
    first = -memory.ctypes.data % CACHE_LINE
    return memory[first : first + n_bytes].view(dtype).reshape(shape)


def goes_past_caches(target: Array, first: int, row: int) -> bool:
    """Whether kernels had better write ``target`` past the caches, which cannot hold it all.

    They do so from place ``first`` on, in rows ``row`` words apart, and only where each begins at
    a multiple of eight words in memory.
    """
    if target.nbytes <= IN_CACHE_BYTES:
        return False
    size = target.itemsize
    return (target.ctypes.data + first * size) % (_SQUARE * size) == 0 and row % _SQUARE == 0
