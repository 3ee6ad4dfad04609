"""Progress on stderr, on a terminal alone, and only for work of over a second."""

from __future__ import annotations

from typing import Any

from tqdm import tqdm


def progress_bar(total: int, title: str) -> tqdm[Any]:
    """A bar to call ``update`` on; use it as a context manager."""
    return tqdm(total=total, desc=title, disable=None, delay=1, leave=False)
