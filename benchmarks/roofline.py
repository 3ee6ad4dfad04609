"""What bounds each kernel: bytes, random accesses, time, and the machine's own limits beside them.

    python benchmarks/roofline.py [--sizes 784x64,3072x768,11008x4096] [--json]
    python benchmarks/roofline.py --cachegrind --sizes 784x64

Per null model and size: bytes that must be read and written at least, random accesses, the time of
the whole public call, GB/s, the ratio to a memory copy, and two floors measured on this machine:
that of the copy and that of as many independent random reads over the same span. With
--cachegrind the counts are measured instead: two runs under valgrind, the second with more draws;
their difference, per draw.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import bipnet
from bipnet.bench.cases import Case, make_matrix, parse_size
from bipnet.bench.machine import describe_machine
from bipnet.bench.table import aligned, duration, number
from bipnet.errors import BipnetError, InputError

Matrix = np.ndarray[Any, np.dtype[np.float32]]

# Over what a model's weights travel: the whole layer, a row, a column.
_SPAN = {"A": "all", "B": "all", "C": "row", "D": "column", "E": "row", "F": "column", "G": "all"}


def best(call: Callable[[], object], seconds: float = 1.0) -> float:
    """Minimum time of a call, after a warm-up, over about ``seconds`` (three times at least)."""
    call()
    times: list[float] = []
    while len(times) < 3 or (sum(times) < seconds and len(times) < 200):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def random_read_seconds(W: Matrix, span: str) -> float:
    """Time to read one random weight per weight: anywhere, in its row or in its column.

    By np.take with a list of places (4 bytes each, read in order), which do not depend on each
    other: the processor has many reads on their way at once, more than a shuffle could.
    """
    rng = np.random.default_rng(7)
    n_left, n_right = W.shape
    if span == "all":
        places = rng.integers(0, W.size, W.size, dtype=np.uint32)
    else:
        own = np.arange(W.size, dtype=np.uint32).reshape(W.shape)
        if span == "row":
            places = own[:, :1] + rng.integers(0, n_right, W.shape, dtype=np.uint32)
        else:
            places = own[:1] + rng.integers(0, n_left, W.shape, dtype=np.uint32) * own[1:2, :1]
    flat, out = W.reshape(-1), np.empty(W.size, W.dtype)
    places = places.reshape(-1)
    return best(lambda: np.take(flat, places, out=out, mode="clip"))


def sign_bytes(W: Matrix, rounds: int) -> int:
    """Bytes that ``rounds`` of global trades read and write: every line of bits once a round."""
    short, long = sorted((int(W.shape[0]), int(W.shape[1])))
    words = (long + 63) // 64
    return 2 * rounds * short * words * 8


def rows_of(case: Case, nulls: str, seconds: float) -> list[dict[str, Any]]:
    """One row per null model."""
    W = make_matrix(case)
    target = np.zeros_like(W)
    copy = best(lambda: np.copyto(target, W), seconds)
    reads = {span: random_read_seconds(W, span) for span in ("all", "row", "column")}
    rows = []
    for null in nulls:
        took = best(lambda null=null: bipnet.randomize(W, null, rng=7), seconds)  # type: ignore[misc]
        rounds = (bipnet.ensemble(W, "G", n=1, rng=7).steps or 0) if null == "G" else 0
        least = 2 * W.nbytes + sign_bytes(W, rounds)
        floor = max(copy, reads[_SPAN[null]])
        rows.append(
            {
                "size": case.size,
                "null": null,
                "weights": W.size,
                "bytes_least": least,
                "random_accesses": W.size,
                "span": _SPAN[null],
                "seconds": took,
                "gb_per_second": least / took / 1e9,
                "ns_per_weight": took / W.size * 1e9,
                "ratio_to_copy": took / copy,
                "copy_seconds": copy,
                "random_read_seconds": reads[_SPAN[null]],
                "ratio_to_floor": took / floor,
            }
        )
    return rows


_EVENTS = {
    "Ir": "instructions",
    "Dr": "reads",
    "Dw": "writes",
    "D1mr": "L1 read misses",
    "D1mw": "L1 write misses",
    "DLmr": "L2 read misses",
    "DLmw": "L2 write misses",
}
# Valgrind knows fewer instructions than processors do: kernels are compiled for a plain one.
_PLAIN_CPU = {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": "", "NPY_DISABLE_CPU_FEATURES": ""}
_COUNTED_WEIGHTS = 8_000_000
_DRAWS = """
import sys, warnings, bipnet
from bipnet.bench.cases import Case, make_matrix
warnings.simplefilter("ignore")
W = make_matrix(Case(*map(int, sys.argv[1].split("x"))))
for i in range(int(sys.argv[3])):
    bipnet.randomize(W, sys.argv[2], rng=7, index=i, n_threads=1)
"""


def cachegrind_rows(case: Case, nulls: str) -> list[dict[str, Any]]:
    """Counts of one draw per null model, one thread, by valgrind's simulated caches."""
    rows = []
    # Start-up differs by some million instructions from run to run: the draws must outweigh it.
    more = max(1, _COUNTED_WEIGHTS // (case.n_left * case.n_right))
    with tempfile.TemporaryDirectory() as folder:
        for null in nulls:
            _draws(case, null, 1, None)  # compiles for the plain processor, natively
            few, many = (
                _counts(case, null, n, Path(folder, f"{null}-{n}.out")) for n in (1, 1 + more)
            )
            counts = {name: (many[event] - few[event]) / more for event, name in _EVENTS.items()}
            missed = counts["L2 read misses"] + counts["L2 write misses"]
            rows.append(
                {
                    "size": case.size,
                    "null": null,
                    "weights": case.n_left * case.n_right,
                    **counts,
                    "bytes_past_L2": 64 * missed,
                }
            )
            print(f"roofline: {case.size} {null} counted", file=sys.stderr)
    return rows


def _draws(case: Case, null: str, n: int, out: Path | None) -> None:
    tool = []
    if out is not None:
        caches = ["--D1=49152,12,64", "--I1=32768,8,64", "--LL=2097152,16,64"]
        tool = ["valgrind", "--tool=cachegrind", "--cache-sim=yes", *caches]
        tool.append(f"--cachegrind-out-file={out}")
    done = subprocess.run(
        [*tool, sys.executable, "-P", "-c", _DRAWS, case.size, null, str(n)],
        env={**os.environ, **_PLAIN_CPU, "OPENBLAS_CORETYPE": "Nehalem", "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["nothing on stderr"])[-1]
        raise BipnetError(f"valgrind could not run the draws of {null}: {last}")


def _counts(case: Case, null: str, n: int, out: Path) -> dict[str, int]:
    _draws(case, null, n, out)
    lines = out.read_text(encoding="utf-8").splitlines()
    (events,) = (line.split()[1:] for line in lines if line.startswith("events:"))
    (totals,) = (line.split()[1:] for line in lines if line.startswith("summary:"))
    return dict(zip(events, map(int, totals), strict=True))


def as_text(rows: list[dict[str, Any]]) -> str:
    """The rows as a table."""
    if "instructions" in rows[0]:
        names = (*_EVENTS.values(),)
        header = ("size", "null", *(f"{name} / weight" for name in names), "bytes past L2 / weight")
        return aligned(
            header,
            [
                (
                    row["size"],
                    row["null"],
                    *(number(row[name] / row["weights"]) for name in (*names, "bytes_past_L2")),
                )
                for row in rows
            ],
        )
    header = (
        "size", "null", "bytes", "random", "span", "time", "GB/s", "ns/weight", "x copy",
        "copy", "random reads", "x floor",
    )  # fmt: skip
    return aligned(
        header,
        [
            (
                row["size"],
                row["null"],
                number(row["bytes_least"]),
                number(row["random_accesses"]),
                row["span"],
                duration(row["seconds"]),
                number(row["gb_per_second"]),
                number(row["ns_per_weight"]),
                number(row["ratio_to_copy"]),
                duration(row["copy_seconds"]),
                duration(row["random_read_seconds"]),
                number(row["ratio_to_floor"]),
            )
            for row in rows
        ],
    )


def main(arguments: list[str] | None = None) -> int:
    """Read the command line; exit code 2 and one line for a mistake."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", default="784x64,3072x768,11008x4096", help="[%(default)s]")
    parser.add_argument("--nulls", default="ABCDEFG", help="[%(default)s]")
    parser.add_argument("--seconds", type=float, default=1.0, help="per timing [1]")
    parser.add_argument("--cachegrind", action="store_true", help="count under valgrind instead")
    parser.add_argument("--json", action="store_true", help="JSON for machines")
    given = parser.parse_args(arguments)
    warnings.simplefilter("ignore", bipnet.BipnetWarning)
    try:
        nulls = given.nulls.upper()
        if not nulls or not set(nulls) <= set(bipnet.NULL_MODELS):
            raise InputError(f"null models are letters of ABCDEFG, got {given.nulls!r}")
        cases = [Case(*parse_size(size)) for size in given.sizes.split(",")]
        if given.cachegrind and shutil.which("valgrind") is None:
            raise InputError("--cachegrind needs valgrind: apt-get install valgrind")
        rows: list[dict[str, Any]] = []
        for case in cases:
            if given.cachegrind:
                rows += cachegrind_rows(case, nulls)
            else:
                rows += rows_of(case, nulls, given.seconds)
    except BipnetError as error:
        print(f"roofline: error: {error}", file=sys.stderr)
        return 2
    machine = describe_machine()
    if given.json:
        print(json.dumps({"machine": machine, "rows": rows}, indent=1))
    else:
        print(f"{machine['cpu']}, {machine['cores']} cores; float32, dense, random margins\n")
        print(as_text(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
