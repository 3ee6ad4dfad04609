"""What bipnet wants to reach against its peers, and what one run has found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bipnet.bench.cases import Case
from bipnet.bench.measurement import Measurement

Results = Sequence[tuple[Case, Sequence[Measurement]]]

# size -> (must, aim): NumPy's time over ours
_OVER_NUMPY = {"784x64": (6, 10), "3072x768": (8, 20), "11008x4096": (15, 40)}
# size -> (must, aim): time of NetworKit's GlobalCurveball, 20 rounds, over that of a draw of G
_OVER_CURVEBALL = {"784x64": (30, 60), "3072x768": (50, 100)}
_SWAPS_PER_SECOND = 40e6


@dataclass(frozen=True)
class Bar:
    """One bar.

    Attributes
    ----------
    what, case
        What is compared, on which matrix.
    value
        Measured; None where this run has not measured what it takes.
    must, aim
        What is wanted; equal where there is no further aim.
    at_least
        Whether more is better.
    """

    what: str
    case: str
    value: float | None
    must: float
    aim: float
    at_least: bool = True

    @property
    def verdict(self) -> str:
        """ "aim", "must", "missed" or "not measured"."""
        if self.value is None:
            return "not measured"
        for name, wanted in (("aim", self.aim), ("must", self.must)):
            if self.value >= wanted if self.at_least else self.value <= wanted:
                return name
        return "missed"


def find_bars(results: Results) -> list[Bar]:
    """The bars of every matrix with random margins that has any.

    Parameters
    ----------
    results
        Matrices with what was measured on them.

    Returns
    -------
    Bars against NumPy (A, C, D), against ourselves (B, E, F; G at the largest size), against
    NetworKit's GlobalCurveball of 20 rounds (which moves no weights), of edge swaps, and of G
    of pruned layers.
    """
    bars: list[Bar] = []
    for case, found in results:
        if case.pruned or case.margins != "random":
            continue
        times = _Times(found)
        where = str(case)
        if case.size in _OVER_NUMPY:
            must, aim = _OVER_NUMPY[case.size]
            for null in "ACD":
                ratio = times.ratio(("NumPy", null), ("bipnet", null))
                bars.append(Bar(f"{null}: NumPy / bipnet", where, ratio, must, aim))
        for null, base, most in (("B", "A", 2), ("E", "C", 3), ("F", "D", 3)):
            ratio = times.ratio(("bipnet", null), ("bipnet", base))
            bars.append(Bar(f"{null} / {base}", where, ratio, most, most, at_least=False))
        if case.size in _OVER_CURVEBALL:
            must, aim = _OVER_CURVEBALL[case.size]
            ratio = times.ratio(("NetworKit GlobalCurveball", "G"), ("bipnet", "G"))
            bars.append(
                Bar("G: NetworKit GlobalCurveball 20 rounds / bipnet", where, ratio, must, aim)
            )
        if case.size == "11008x4096":
            ratio = times.ratio(("bipnet", "G"), ("bipnet", "B"))
            bars.append(Bar("G / B", where, ratio, 2.5, 1.5, at_least=False))
        rate = times.rate("bipnet swap")
        what = "edge swaps: attempts per second of the whole call"
        bars.append(Bar(what, where, rate, _SWAPS_PER_SECOND, _SWAPS_PER_SECOND))
    return bars + _pruned_bars(results)


def _pruned_bars(results: Results) -> list[Bar]:
    """G of pruned layers of 3072 x 768, where a run has measured such."""
    of = {
        case.pruned: (str(case), _Times(found).seconds("bipnet", "G"))
        for case, found in results
        if case.size == "3072x768" and case.margins == "random"
    }
    bars = []
    if 0 in of and 50 in of:
        where, seconds = of[50]
        dense = of[0][1]
        ratio = seconds / dense if seconds and dense else None
        bars.append(Bar("G: 50 % pruned / dense", where, ratio, 5, 5, at_least=False))
    if 95 in of:
        where, seconds = of[95]
        bars.append(Bar("G: seconds at 95 % pruned", where, seconds, 0.3, 0.1, at_least=False))
    return bars


class _Times:
    """Seconds by peer and null model; of chains with their default number of steps."""

    def __init__(self, found: Sequence[Measurement]) -> None:
        self._found = {
            (m.peer, m.null): m for m in found if m.has_time and m.count in ("", "default")
        }

    def seconds(self, peer: str, null: str) -> float | None:
        found = self._found.get((peer, null))
        return None if found is None else found.seconds

    def ratio(self, over: tuple[str, str], under: tuple[str, str]) -> float | None:
        top, bottom = self.seconds(*over), self.seconds(*under)
        return top / bottom if top and bottom else None

    def rate(self, peer: str) -> float | None:
        found = self._found.get((peer, "G"))
        return None if found is None else found.steps_per_second
