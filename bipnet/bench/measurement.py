"""One line of the table: a peer, a null model, a matrix, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["timed", "extrapolated", "over cap", "cannot", "missing", "failed"]
Count = Literal["", "criterion", "default"]


@dataclass(frozen=True)
class Measurement:
    """A peer's time for one draw.

    Attributes
    ----------
    peer, null
        Who, and under which null model ("copy" for the memory copy).
    status
        "timed"; "extrapolated" (fewer steps were timed, the time is in proportion); "over cap"
        (ended unfinished); "cannot"; "missing" (not installed); "failed".
    count
        For chains, where ``steps`` is from: "criterion" (pilot) or "default" (published).
    seconds, median
        Minimum and median over ``repeats``; of "over cap" the time after which it was ended.
    prepare_seconds
        Conversion into the peer's own container, not part of ``seconds``.
    steps, unit, steps_from, passes
        Steps of a chain, what a step is, where the number is from, and the same in passes over
        the graph.
    note
        Why, for all but "timed".
    trace
        (steps, overlap) of the pilot.
    """

    peer: str
    null: str
    status: Status
    count: Count = ""
    seconds: float | None = None
    median: float | None = None
    repeats: int = 0
    prepare_seconds: float | None = None
    steps: int | None = None
    unit: str = ""
    steps_from: str = ""
    passes: float | None = None
    note: str = ""
    trace: list[tuple[int, float]] = field(default_factory=list)

    @property
    def steps_per_second(self) -> float | None:
        """Steps of a chain per second of the whole call."""
        if self.status in ("timed", "extrapolated") and self.steps and self.seconds:
            return self.steps / self.seconds
        return None

    @property
    def has_time(self) -> bool:
        return self.status in ("timed", "extrapolated")


def from_json(values: dict[str, Any]) -> Measurement:
    """The inverse of dataclasses.asdict, after a journey through JSON."""
    return Measurement(**{**values, "trace": [tuple(point) for point in values.get("trace", [])]})
