"""Measure one peer on one matrix, in a process of its own that can be ended from outside.

``python -P -m bipnet.bench.worker JOB`` reads the job (JSON) from a file; lines of JSON go to
stdout, a `Measurement` each. What libraries print goes to stderr. When stdin ends, the process
and its group end too.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import statistics
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TextIO

import numpy as np
import psutil

from bipnet.bench.measurement import Measurement
from bipnet.bench.mixing import Cost, Level, Pilot, equilibrium_level, level_for, run_pilot
from bipnet.bench.peer import CannotServeError, Chain, Matrix, MissingPeerError
from bipnet.bench.peers import PEERS
from bipnet.bench.stopwatch import time_peer

_MEMORY_SHARE = 0.8
_EXTRAPOLATION_SHARE = 4  # a stretch of cap / 4 stands for the whole where that would not fit
_NOTICEABLE = 1000  # one step in so many is no part of a pass
_MOST_PILOTS = 7
_TRUSTED = 64  # times the longest call seen that a time may be foretold


@dataclass(frozen=True)
class Job:
    """What a worker is asked.

    Attributes
    ----------
    matrix
        The .npy file.
    peer
        Its name; "level" measures the equilibrium level instead.
    nulls
        Null models to time.
    cap
        Seconds for a pilot, and for the repeats of a timing.
    repeats
        Least number of repeats.
    levels
        "edges" and "cells" -> (mean, sd, draws); see `mixing.equilibrium_level`.
    hint
        Passes that this peer needed on a smaller matrix of the same kind, per `Level.way`, for
        where its pilot does not come to an end: a larger matrix has a narrower level.
    """

    matrix: str
    peer: str
    nulls: tuple[str, ...] = ()
    cap: float = 20.0
    repeats: int = 5
    levels: dict[str, tuple[float, float, int]] | None = None
    hint: float | None = None


def main() -> None:
    """Run the job that stands in the file named on the command line."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries may print
    job = Job(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    # More memory than there is ends a peer with an error, not the machine.
    limit = int(_MEMORY_SHARE * psutil.virtual_memory().available)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    W = np.load(job.matrix)
    if job.peer == "level":
        for moves_over in ("edges", "cells") if not W.all() else ("edges",):
            level = equilibrium_level(W, moves_over, job.cap)
            say(answers, {"moves_over": moves_over, **asdict(level)})
        return
    for null in job.nulls:
        measure(job, W, null, lambda found: say(answers, asdict(found)))


def _end_with_parent() -> None:
    """stdin is a pipe that the run holds: where the run was killed, nobody wants the rest."""
    sys.stdin.read()
    os.killpg(0, signal.SIGKILL)


def say(answers: TextIO, values: dict[str, object]) -> None:
    """One answer, at once: what comes later may be cut off."""
    answers.write(json.dumps(values) + "\n")
    answers.flush()


def measure(job: Job, W: Matrix, null: str, report: Callable[[Measurement], None]) -> None:
    """Measure one null model; every outcome is reported, errors of the peer's included."""
    peer = PEERS[job.peer]()
    try:
        peer.version()
        begun = time.perf_counter()
        peer.prepare(W, null)
        prepared = time.perf_counter() - begun
        try:
            if isinstance(peer, Chain) and null == "G":
                _measure_chain(job, peer, W, prepared, report)
            else:
                peer.run(0)  # warm-up: compiles, touches memory
                timing = time_peer(peer, 0, job.repeats, job.cap)
                report(
                    Measurement(
                        job.peer,
                        null,
                        "timed",
                        prepare_seconds=prepared,
                        **asdict(timing),
                    )
                )
        finally:
            peer.close()
    except CannotServeError as error:
        report(Measurement(job.peer, null, "cannot", note=str(error)))
    except MissingPeerError as error:
        report(Measurement(job.peer, null, "missing", note=str(error)))
    except MemoryError:
        report(Measurement(job.peer, null, "failed", note="out of memory"))
    except Exception as error:  # whatever a peer raises is a result here, not ours to handle
        report(Measurement(job.peer, null, "failed", note=f"{type(error).__name__}: {error}"))


def _measure_chain(
    job: Job, chain: Chain, W: Matrix, prepared: float, report: Callable[[Measurement], None]
) -> None:
    chain.run(1)  # warm-up
    one_pass = chain.steps_per_pass()
    if chain.continues and one_pass < _NOTICEABLE:  # that step must not count for the pilot
        chain.close()
        chain.prepare(W, "G")
    level = level_for(chain.moves_over, job.levels or {})
    default, source = chain.default_steps()
    pilot, steps = _median_pilot(chain, W, level, job.cap)
    origin = f"pilot, {pilot.origin}"
    if pilot.origin != "measured" and job.hint is not None:
        steps = max(1, round(job.hint * level.way * one_pass))
        origin = "pilot on the smaller matrix"
    planned = Measurement(
        job.peer, "G", "timed", unit=chain.unit, prepare_seconds=prepared, trace=pilot.trace
    )
    if steps is None:
        note = "the pilot saw too little of the chain to tell how long is enough"
        report(replace(planned, status="over cap", count="criterion", seconds=job.cap, note=note))
    else:
        found = replace(
            planned, count="criterion", steps=steps, steps_from=origin, passes=steps / one_pass
        )
        report(_timed_chain(job, chain, found, pilot.cost))
    usual = replace(
        planned,
        count="default",
        steps=default,
        steps_from=source,
        passes=default / one_pass,
        trace=[],
    )
    report(_timed_chain(job, chain, usual, pilot.cost))


def _median_pilot(chain: Chain, W: Matrix, level: Level, cap: float) -> tuple[Pilot, int | None]:
    """The first pilot, and the median steps of as many (an odd number) as fit into the cap.

    A single trajectory crosses its bar by chance some steps early or late.
    """
    begun = time.perf_counter()
    pilots = [run_pilot(chain, W, level, cap)]
    one = time.perf_counter() - begun
    affordable = min(_MOST_PILOTS, int(cap / one)) if pilots[0].origin == "measured" else 1
    for _ in range((affordable - 1) // 2 * 2):
        if chain.continues:
            chain.close()
            chain.prepare(W, "G")
        pilots.append(run_pilot(chain, W, level, cap))
    found = [pilot.steps for pilot in pilots if pilot.steps is not None]
    return pilots[0], round(statistics.median(found)) if found else None


def _timed_chain(job: Job, chain: Chain, planned: Measurement, cost: Cost) -> Measurement:
    steps = planned.steps or 0
    spent = 0.0
    while not (cost.is_known or steps <= _TRUSTED * cost.longest) and spent < job.cap:
        took = chain.timed(_TRUSTED * cost.longest)
        cost = cost.after(_TRUSTED * cost.longest, took)
        spent += took
    if cost.of(steps) <= job.cap and (cost.is_known or steps <= _TRUSTED * cost.longest):
        return replace(planned, **asdict(time_peer(chain, steps, job.repeats, job.cap)))
    if not cost.is_known:
        note = f"a call of one step takes {cost.call:.2g} s; what steps add was not seen"
        return replace(planned, status="over cap", seconds=job.cap, note=note)
    affordable = int((job.cap / _EXTRAPOLATION_SHARE - cost.call) / cost.step)
    stretch = min(steps, max(1, affordable))
    timing = time_peer(chain, stretch, 1, 0)
    seconds = cost.call + max(0.0, timing.seconds - cost.call) * steps / stretch
    return replace(
        planned,
        status="extrapolated",
        seconds=seconds,
        median=seconds,
        repeats=timing.repeats,
        note=f"{stretch} of the steps timed",
    )


if __name__ == "__main__":
    main()
