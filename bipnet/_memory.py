"""Ask before allocating: say how much is needed instead of being killed."""

from __future__ import annotations

import psutil

from bipnet.errors import TooLargeError


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
