"""Progress on stderr, on a terminal alone, and only for work of over a second."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm


def progress_bar(total: int, title: str, unit: str = "") -> tqdm[Any]:
    """A bar to call ``update`` on; use it as a context manager. Large ``unit``s are scaled."""
    return tqdm(
        total=total,
        desc=title,
        disable=None,
        delay=1,
        leave=False,
        unit=unit or "it",
        unit_scale=bool(unit),
    )


class Stopwatch:
    """Seconds spent in each named stage of a task, and in the whole of it."""

    def __init__(self) -> None:
        self._begun = time.perf_counter()
        self._seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time of a block under ``name``."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[name] = self._seconds.get(name, 0.0) + time.perf_counter() - begun

    def seconds(self) -> dict[str, float]:
        """By stage, in the order in which they first came; "total" is since the beginning."""
        return {**self._seconds, "total": time.perf_counter() - self._begun}
