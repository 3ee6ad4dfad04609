"""The whole benchmark: every case, every peer, each in a process of its own, one after another."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bipnet.bench.bars import Bar, find_bars
from bipnet.bench.cases import SIZES, Case, Margins, make_matrix
from bipnet.bench.machine import describe_machine
from bipnet.bench.measurement import Measurement, from_json
from bipnet.bench.mixing import level_for
from bipnet.bench.peer import Chain, MissingPeerError
from bipnet.bench.peers import OURS, PEERS
from bipnet.bench.worker import Job
from bipnet.errors import BipnetError, InputError
from bipnet.nulls import NULL_MODELS

_START_SECONDS = 120.0  # for imports, compiling and conversion, beyond what the caps allow
QUICK_PEERS = ("bipnet", "bipnet CSR", "bipnet swap", "NumPy")


@dataclass(frozen=True)
class Settings:
    """What to measure.

    Attributes
    ----------
    sizes
        (n_left, n_right) pairs.
    pruned
        Per cents of missing edges.
    margins
        "random", "trained".
    nulls
        Letters.
    peers
        Names; the memory copy is always measured.
    cap
        Seconds: of a pilot; of the repeats of a timing; a peer that takes several times as long
        without an answer is ended.
    repeats
        Least number of repeats of a timing.
    dtype
        Of the weights.
    seed
        Of the matrices.
    """

    sizes: tuple[tuple[int, int], ...] = SIZES
    pruned: tuple[int, ...] = (0, 90)
    margins: tuple[Margins, ...] = ("random", "trained")
    nulls: tuple[str, ...] = tuple(NULL_MODELS)
    peers: tuple[str, ...] = tuple(PEERS)
    cap: float = 20.0
    repeats: int = 5
    dtype: str = "float32"
    seed: int = 7

    def __post_init__(self) -> None:
        for names, known, what in (
            (self.peers, tuple(PEERS), "peer"),
            (self.nulls, tuple(NULL_MODELS), "null model"),
        ):
            unknown = [name for name in names if name not in known]
            if unknown:
                raise InputError(f"no {what} is called {unknown[0]!r}: {', '.join(known)}")
        if not all(0 <= share < 100 for share in self.pruned):
            raise InputError(f"per cents of pruned edges are 0 to 99, got {self.pruned}")
        if not self.cap > 0:
            raise InputError(f"the cap must be positive seconds, got {self.cap}")

    def cases(self) -> Iterator[Case]:
        """Every matrix, small ones first."""
        for n_left, n_right in self.sizes:
            for pruned in self.pruned:
                for margins in self.margins:
                    yield Case(n_left, n_right, pruned, margins)


def quick_settings(**changes: Any) -> Settings:
    """A run of seconds: one small size, random margins, bipnet and NumPy, unless told else."""
    quick: dict[str, Any] = {
        "sizes": ((96, 32),),
        "margins": ("random",),
        "peers": QUICK_PEERS,
        "cap": 0.5,
        "repeats": 3,
    }
    return Settings(**{**quick, **changes})


@dataclass
class CaseResult:
    """What was measured on one matrix.

    Attributes
    ----------
    case, n_edges, n_positive, n_bytes
        The matrix.
    degrees
        Least and greatest k+ of the left and the right side.
    levels
        "edges", "cells" -> (mean, sd, draws) of the overlap at equilibrium.
    measurements
        In the order of the run.
    """

    case: Case
    n_edges: int
    n_positive: int
    n_bytes: int
    degrees: dict[str, tuple[int, int]]
    levels: dict[str, tuple[float, float, int]] = field(default_factory=dict)
    measurements: list[Measurement] = field(default_factory=list)

    @property
    def copy_seconds(self) -> float | None:
        """Time of a memory copy of the matrix."""
        for found in self.measurements:
            if found.null == "copy" and found.has_time:
                return found.seconds
        return None


@dataclass
class Report:
    """Everything a run has found; `as_json` is what is written."""

    settings: Settings
    machine: dict[str, Any]
    peers: list[dict[str, str]]
    results: list[CaseResult] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def missing_peers(self) -> list[str]:
        """Names of the peers that were asked for and are not installed."""
        return [peer["name"] for peer in self.peers if not peer["version"]]

    def bars(self) -> list[Bar]:
        """What bipnet wants to reach, with what this run has measured."""
        return find_bars([(r.case, r.measurements) for r in self.results])

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        results = []
        for result in self.results:
            values = asdict(result)
            for found, dumped in zip(result.measurements, values["measurements"], strict=True):
                dumped["steps_per_second"] = found.steps_per_second
                copy = result.copy_seconds
                dumped["ratio_to_copy"] = (
                    found.seconds / copy if found.has_time and found.seconds and copy else None
                )
            results.append(values)
        return {
            "settings": asdict(self.settings),
            "machine": self.machine,
            "peers": self.peers,
            "missing_peers": self.missing_peers,
            "results": results,
            "bars": [asdict(bar) for bar in self.bars()],
            "seconds": self.seconds,
        }


def run_bench(
    settings: Settings,
    *,
    say: Callable[[str], None] | None = None,
    keep: Callable[[Report], None] | None = None,
) -> Report:
    """Measure everything that ``settings`` name.

    Parameters
    ----------
    settings
        See `Settings`.
    say
        Called with a line of progress before each measurement.
    keep
        Called with the report so far after each matrix: a run may take hours.

    Returns
    -------
    The report. A peer that is missing, fails or does not finish is a line of it, not an error.

    Raises
    ------
    BipnetError
        bipnet itself, or the memory copy, could not be measured.
    """
    tell = say or (lambda line: None)
    begun = time.perf_counter()
    report = Report(settings, describe_machine(), [_describe(name) for name in settings.peers])
    hints: dict[tuple[str, int, str], float] = {}
    with tempfile.TemporaryDirectory(prefix="bipnet-bench-") as folder:
        for case in settings.cases():
            tell(f"{case}: making the matrix")
            result = _measure_case(case, settings, Path(folder), hints, tell)
            report.results.append(result)
            report.seconds = round(time.perf_counter() - begun, 1)
            if keep is not None:
                keep(report)
    return report


def _describe(name: str) -> dict[str, str]:
    peer = PEERS[name]
    try:
        version, note = peer.version(), ""
    except MissingPeerError as error:
        version, note = "", str(error)
    return {
        "name": name,
        "version": version,
        "licence": peer.licence,
        "cannot": peer.cannot,
        "note": note,
    }


def _measure_case(
    case: Case,
    settings: Settings,
    folder: Path,
    hints: dict[tuple[str, int, str], float],
    tell: Callable[[str], None],
) -> CaseResult:
    W = make_matrix(case, settings.dtype, settings.seed)
    path = folder / "W.npy"
    np.save(path, W)
    positive = W > 0
    degrees = {}
    for side, axis in (("left", 1), ("right", 0)):
        counts = positive.sum(axis=axis)
        degrees[side] = (int(counts.min()), int(counts.max()))
    result = CaseResult(case, int(np.count_nonzero(W)), int(positive.sum()), int(W.nbytes), degrees)
    del W, positive
    common: dict[str, Any] = {
        "matrix": str(path),
        "cap": settings.cap,
        "repeats": settings.repeats,
    }
    if "G" in settings.nulls:
        tell(f"{case}: equilibrium of model G")
        result.levels = _levels(Job(peer="level", **common), folder, settings.cap)
    for name in dict.fromkeys(("memory copy", *settings.peers)):
        peer = PEERS[name]
        wanted = ("copy",) if name == "memory copy" else settings.nulls
        nulls = tuple(null for null in wanted if null in peer.nulls)
        if not nulls or not peer.is_for(n_missing=case.n_left * case.n_right - result.n_edges):
            continue
        tell(f"{case}: {name}")
        key = (name, case.pruned, case.margins)
        job = Job(peer=name, nulls=nulls, levels=result.levels, hint=hints.get(key), **common)
        for found in _answers(job, folder, settings.cap):
            result.measurements.append(found)
            if found.steps_from == "pilot, measured" and found.passes is not None:
                way = level_for(getattr(peer, "moves_over", "edges"), result.levels).way
                if way > 0:
                    hints[key] = found.passes / way
            if name in (*OURS, "memory copy") and found.status in ("failed", "over cap"):
                tell(f"{case}: {name}, {found.null}: {found.status} {found.note}")
    return result


def _levels(job: Job, folder: Path, cap: float) -> dict[str, tuple[float, float, int]]:
    levels = {}
    for answer in _worker_lines(job, folder, 20 * cap + _START_SECONDS):
        if isinstance(answer, str):
            raise BipnetError(f"the equilibrium of model G could not be measured: {answer}")
        levels[answer["moves_over"]] = (answer["mean"], answer["sd"], answer["n_draws"])
    return levels


def _answers(job: Job, folder: Path, cap: float) -> Iterator[Measurement]:
    """One measurement per null model (two for a chain), whatever happens to the worker."""
    open_nulls = list(job.nulls)
    for answer in _worker_lines(job, folder, 4 * cap + _START_SECONDS):
        if isinstance(answer, str):
            over = answer.startswith("no answer")
            null = open_nulls[0] if open_nulls else job.nulls[-1]
            yield Measurement(
                job.peer,
                null,
                "over cap" if over else "failed",
                count="criterion" if issubclass(PEERS[job.peer], Chain) and null == "G" else "",
                seconds=4 * cap + _START_SECONDS if over else None,
                note=answer,
            )
            return
        found = from_json(answer)
        if found.null in open_nulls and found.count != "criterion":
            open_nulls.remove(found.null)
        yield found


def _worker_lines(job: Job, folder: Path, patience: float) -> Iterator[dict[str, Any] | str]:
    """The worker's answers; at the end a sentence if it was ended or died."""
    order = folder / "job.json"
    order.write_text(json.dumps(asdict(job)), encoding="utf-8")
    errors = folder / "stderr.txt"
    with errors.open("wb") as stderr:
        worker = subprocess.Popen(
            [sys.executable, "-P", "-m", "bipnet.bench.worker", str(order)],
            stdin=subprocess.PIPE,  # held open: the worker ends when it closes
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,  # graph-tool's child must end with it
        )
    lines: queue.Queue[str | None] = queue.Queue()
    reader = threading.Thread(target=_read, args=(worker, lines), daemon=True)
    reader.start()
    try:
        while True:
            try:
                line = lines.get(timeout=patience)
            except queue.Empty:
                yield f"no answer within {patience:.0f} s"
                return
            if line is None:
                break
            yield json.loads(line)
        if worker.wait() != 0:
            tail = errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            last = tail[-1] if tail else "nothing on stderr"
            yield f"its process ended with code {worker.returncode}: {last[:200]}"
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
        reader.join()
        if worker.stdin is not None:
            worker.stdin.close()


def _read(worker: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
    if worker.stdout is not None:
        with worker.stdout:
            for line in worker.stdout:
                lines.put(line)
    lines.put(None)


def parse_peers(names: Sequence[str]) -> tuple[str, ...]:
    """Names as given on the command line: any case, any part that fits one peer or several."""
    chosen: list[str] = []
    for name in names:
        exact = [peer for peer in PEERS if peer.lower() == name.lower()]
        fitting = exact or [peer for peer in PEERS if name.lower() in peer.lower()]
        if not fitting:
            raise InputError(f"no peer is called {name!r}: {', '.join(PEERS)}")
        chosen += fitting
    return tuple(dict.fromkeys(chosen))
