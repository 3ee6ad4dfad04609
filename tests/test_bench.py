"""The benchmark: its matrices, its criterion, its clock, its report, its command."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bipnet.bench.bars import Bar, find_bars
from bipnet.bench.cases import MARGINS, Case, make_matrix, parse_size
from bipnet.bench.measurement import Measurement, from_json
from bipnet.bench.mixing import Cost, Level, equilibrium_level, level_for, run_pilot
from bipnet.bench.peer import Cells, Chain, Matrix
from bipnet.bench.peers import PEERS
from bipnet.bench.peers.numpy_permutation import MemoryCopy
from bipnet.bench.run import CaseResult, Report, Settings, _worker_lines, parse_peers, run_bench
from bipnet.bench.stopwatch import time_peer
from bipnet.bench.table import as_text, duration, number
from bipnet.bench.worker import Job, _timed_chain
from bipnet.cli import run
from bipnet.errors import InputError

# Matrices -----------------------------------------------------------------------------------


@pytest.mark.parametrize("margins", MARGINS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_make_matrix__has_exactly_the_edges_it_says(margins: Any, dtype: str) -> None:
    dense = make_matrix(Case(70, 30, 0, margins), dtype)
    pruned = make_matrix(Case(70, 30, 90, margins), dtype)
    assert dense.dtype == pruned.dtype == np.dtype(dtype)
    assert np.count_nonzero(dense) == 2100
    assert np.count_nonzero(pruned) == 210
    kept = pruned != 0
    assert (pruned[kept] == dense[kept]).all()
    assert np.abs(dense[kept]).min() >= np.abs(dense[~kept]).max()


def test_make_matrix__is_reproducible_and_depends_on_the_seed() -> None:
    case = Case(20, 10, 50, "trained")
    assert make_matrix(case).tobytes() == make_matrix(case).tobytes()
    assert make_matrix(case, seed=8).tobytes() != make_matrix(case).tobytes()


def test_make_matrix__trained_margins_are_those_of_a_trained_layer() -> None:
    positive = make_matrix(Case(784, 64, 0, "trained")) > 0
    left, right = positive.sum(axis=1), positive.sum(axis=0)
    assert 15 <= left.min() <= 24
    assert 60 <= left.max() <= 64
    assert 340 <= right.min() <= 450
    assert 690 <= right.max() <= 760
    iid = (make_matrix(Case(784, 64)) > 0).sum(axis=1)
    assert left.std() > 2 * iid.std()


@pytest.mark.parametrize("text", ["784", "784x", "x64", "784x64x2", "1x5", "-3x5", "a x b", ""])
def test_parse_size__refuses(text: str) -> None:
    with pytest.raises(InputError, match="784x64"):
        parse_size(text)


def test_parse_size__reads() -> None:
    assert parse_size("784x64") == (784, 64)
    assert parse_size("3072X768") == (3072, 768)


# How long is enough -------------------------------------------------------------------------


def expected_overlap(W: Matrix) -> float:
    """Mean-field overlap of G: cells are positive with odds x_i y_j that fit the margins."""
    support, positive = W != 0, W > 0
    x, y = np.ones(W.shape[0]), np.ones(W.shape[1])
    rows, columns = positive.sum(axis=1), positive.sum(axis=0)
    for _ in range(300):
        x = rows / (support * y / (1 + np.outer(x, y))).sum(axis=1)
        y = columns / (support * x[:, None] / (1 + np.outer(x, y))).sum(axis=0)
    p = support * np.outer(x, y) / (1 + np.outer(x, y))
    return float(p[positive].sum() / positive.sum())


@pytest.mark.parametrize("case", [Case(300, 40, 0, "trained"), Case(300, 40)], ids=str)
def test_equilibrium_level__agrees_with_the_mean_field(case: Case) -> None:
    W = make_matrix(case)
    level = equilibrium_level(W, "edges", 0.5)
    assert level.n_draws >= 8
    assert 0 < level.sd < 0.01
    assert level.mean == pytest.approx(expected_overlap(W), abs=0.01)


def test_equilibrium_level__over_all_cells_is_that_of_the_complete_graph() -> None:
    W = make_matrix(Case(120, 30, 80))
    over_cells = equilibrium_level(W, "cells", 0.2)
    filled = np.where(W > 0, 1.0, -1.0)
    assert over_cells.mean == pytest.approx(expected_overlap(filled), abs=0.03)
    assert over_cells.mean < equilibrium_level(W, "edges", 0.2).mean - 0.1


class Decaying(Chain):
    """A chain whose overlap is level + (1 - level) exp(-steps / tau), of known cost."""

    name, licence, cannot, unit = "decaying", "MIT", "", "attempt"

    def __init__(self, tau: float, per_step: float = 1e-6, per_call: float = 0.0) -> None:
        self.tau, self.per_step, self.per_call = tau, per_step, per_call
        self.steps = 0
        self.W = make_matrix(Case(100, 100))

    def prepare(self, W: Matrix, null: str) -> None:
        self.steps = 0

    def run(self, steps: int) -> None:
        self.steps += steps

    def timed(self, steps: int) -> float:
        self.run(steps)
        return self.per_call + steps * self.per_step

    def steps_per_pass(self) -> int:
        return 5000

    def default_steps(self) -> tuple[int, str]:
        return 50000, "none"

    def positive(self) -> Cells:
        cells = np.flatnonzero(self.W > 0)
        overlap = 0.5 + 0.5 * np.exp(-self.steps / self.tau)
        return cells[: round(overlap * len(cells))]


def test_run_pilot__finds_when_a_chain_is_at_equilibrium() -> None:
    chain, level = Decaying(tau=5000), Level(0.5, 0.005, 10)
    pilot = run_pilot(chain, chain.W, level, 60)
    assert pilot.origin == "measured"
    assert pilot.steps == pytest.approx(5000 * np.log(0.5 / 0.01), rel=0.03)
    assert pilot.cost.of(1000) == pytest.approx(1e-3, rel=0.01)
    assert [steps for steps, _ in pilot.trace] == sorted({steps for steps, _ in pilot.trace})


def test_run_pilot__extrapolates_where_time_is_short() -> None:
    # Claims a millisecond a step, without spending it: a stretch of over 12000 is never begun.
    chain = Decaying(tau=50000, per_step=1e-3)
    pilot = run_pilot(chain, chain.W, Level(0.5, 0.005, 10), 12)
    assert pilot.origin == "extrapolated"
    assert pilot.steps == pytest.approx(50000 * np.log(0.5 / 0.01), rel=0.05)
    places = [steps for steps, _ in pilot.trace]
    assert max(b - a for a, b in itertools.pairwise(places)) <= 12000


def test_run_pilot__says_nothing_where_it_saw_nothing() -> None:
    chain = Decaying(tau=5000, per_step=1.0)
    pilot = run_pilot(chain, chain.W, Level(0.5, 0.005, 10), 2)
    assert (pilot.steps, pilot.origin) == (None, "none")


def test_run_pilot__knows_calls_from_steps() -> None:
    chain = Decaying(tau=5000, per_step=1e-6, per_call=0.5)
    pilot = run_pilot(chain, chain.W, Level(0.5, 0.005, 10), 60)
    assert pilot.origin == "measured"
    assert pilot.cost.of(10**6) == pytest.approx(1.5, rel=0.05)


# The clock ----------------------------------------------------------------------------------


class Scripted(MemoryCopy):
    """Takes the times it was told, one after the other."""

    def __init__(self, times: Sequence[float]) -> None:
        self.times = list(times)

    def timed(self, steps: int) -> float:
        return self.times.pop(0)


def test_time_peer__gives_minimum_and_median() -> None:
    timing = time_peer(Scripted([3, 1, 2, 9, 8, 7]), 0, repeats=5, cap=100)
    assert (timing.seconds, timing.median, timing.repeats) == (1, 3, 5)


def test_time_peer__stops_at_the_cap_but_runs_once() -> None:
    assert time_peer(Scripted([50, 1, 1]), 0, repeats=5, cap=20).repeats == 1
    assert time_peer(Scripted([12, 12, 12]), 0, repeats=5, cap=20).repeats == 2


def test_time_peer__repeats_short_calls_more() -> None:
    assert time_peer(Scripted([0.01] * 100), 0, repeats=5, cap=20).repeats in (30, 31)


# Bars ---------------------------------------------------------------------------------------


def timed(peer: str, null: str, seconds: float, **more: Any) -> Measurement:
    return Measurement(peer, null, "timed", seconds=seconds, median=seconds, repeats=1, **more)


def test_find_bars__compares_whole_calls_of_one_run() -> None:
    found = [
        timed("bipnet", "A", 1.0),
        timed("bipnet", "B", 2.5),
        timed("NumPy", "A", 7.0),
        timed("bipnet", "G", 99.0, count="criterion", steps=3),
        timed("bipnet", "G", 2.0, count="default", steps=100),
        timed("NetworKit GlobalCurveball", "G", 130.0, count="default", steps=20),
        timed("NetworKit GlobalCurveball", "G", 1.0, count="criterion", steps=1),
        timed("bipnet swap", "G", 2.0, count="default", steps=100_000_000),
    ]
    bars = {bar.what: bar for bar in find_bars([(Case(784, 64), found)])}
    assert bars["A: NumPy / bipnet"].value == 7
    assert bars["A: NumPy / bipnet"].verdict == "must"
    assert bars["B / A"].verdict == "missed"
    assert bars["C: NumPy / bipnet"].verdict == "not measured"
    assert bars["G: NetworKit GlobalCurveball 20 rounds / bipnet"].value == 65
    assert bars["G: NetworKit GlobalCurveball 20 rounds / bipnet"].verdict == "aim"
    assert bars["edge swaps: attempts per second of the whole call"].value == 50e6
    assert find_bars([(Case(784, 64, 90), found), (Case(784, 64, 0, "trained"), found)]) == []


def test_find_bars__of_the_largest_size_compares_g_with_b() -> None:
    found = [timed("bipnet", "B", 1.0), timed("bipnet", "G", 2.0, count="default", steps=9)]
    bars = {bar.what: bar for bar in find_bars([(Case(11008, 4096), found)])}
    assert bars["G / B"].verdict == "must"
    assert "G: NetworKit GlobalCurveball 20 rounds / bipnet" not in bars


def test_find_bars__of_pruned_layers() -> None:
    g = {
        pruned: [timed("bipnet", "G", seconds, count="default", steps=9)]
        for pruned, seconds in ((0, 0.1), (50, 0.6), (95, 0.2))
    }
    results = [(Case(3072, 768, pruned), found) for pruned, found in g.items()]
    bars = {bar.what: bar for bar in find_bars(results)}
    assert bars["G: 50 % pruned / dense"].value == pytest.approx(6)
    assert bars["G: 50 % pruned / dense"].verdict == "missed"
    assert bars["G: seconds at 95 % pruned"].verdict == "must"
    assert "G: 50 % pruned / dense" not in {bar.what for bar in find_bars(results[1:])}


def test_verdict__where_less_is_better() -> None:
    assert [Bar("", "", v, 2.5, 1.5, at_least=False).verdict for v in (1.5, 2.5, 2.6)] == [
        "aim",
        "must",
        "missed",
    ]


# The table ----------------------------------------------------------------------------------


def test_duration_and_number__keep_three_digits() -> None:
    assert [duration(s) for s in (12.345, 1.0, 0.0123, 4.2e-6, 3e-8)] == [
        "12.3 s",
        "1 s",
        "12.3 ms",
        "4.2 us",
        "0.03 us",
    ]
    assert [number(x) for x in (0, 0.01234, 999.4, 12345.6, 4.8e7, 2.34e10)] == [
        "0",
        "0.0123",
        "999",
        "12346",
        "48 M",
        "2.34e+10",
    ]


def test_measurement__survives_json() -> None:
    found = timed("bipnet", "G", 1.0, count="default", steps=10, trace=[(1, 0.5)])
    again = json.loads(json.dumps({**found.__dict__}))
    assert from_json(again) == found
    assert found.steps_per_second == 10


def test_picture__has_the_times_measured_and_labels_that_do_not_overlap() -> None:
    pytest.importorskip("matplotlib").use("agg")
    import matplotlib.pyplot as plt

    from bipnet.bench.picture import draw_picture

    results = [
        CaseResult(
            Case(n, 16), 16 * n, 8 * n, 64 * n, {},
            measurements=[
                timed("bipnet", "A", 1e-7 * n), timed("bipnet", "G", 1e-6 * n, count="criterion")
            ],
        )
        for n in (98, 784)
    ]  # fmt: skip
    figure = draw_picture(Report(Settings(), {}, [], results))
    figure.canvas.draw()
    for panel, factor in zip(figure.axes, (1e-7, 1e-6), strict=True):
        x, y = panel.lines[0].get_data()
        assert (list(x), list(y)) == ([1568, 12544], pytest.approx([factor * 98, factor * 784]))
        assert not any(text.get_text() for text in panel.get_xticklabels(minor=True))
    plt.close(figure)


# A whole run --------------------------------------------------------------------------------


def test_bench__quick_measures_every_null_model_and_writes_all_outputs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "bench"
    assert run(["bench", "--quick", "-o", str(out)]) == 0
    text, errors = capsys.readouterr()
    assert "bipnet bench: 96x32 dense random: NumPy" in errors
    assert (out / "bench.txt").read_text(encoding="utf-8") == text
    assert (out / "bench.png").read_bytes().startswith(b"\x89PNG")
    report = json.loads((out / "bench.json").read_text(encoding="utf-8"))
    assert report["missing_peers"] == []
    assert report["machine"]["cores"] >= 1
    assert report["machine"]["versions"]["numpy"] == np.__version__
    dense, pruned = report["results"]
    assert (dense["n_edges"], pruned["n_edges"]) == (3072, 308)
    for result in (dense, pruned):
        ours = [m for m in result["measurements"] if m["peer"] == "bipnet"]
        assert {m["null"] for m in ours} == set("ABCDEFG")
        for m in result["measurements"]:
            assert m["status"] in ("timed", "extrapolated", "cannot"), m
            if m["status"] == "timed":
                assert 0 < m["seconds"] <= m["median"]
                assert m["ratio_to_copy"] > 0
    assert {m["count"] for m in dense["measurements"] if m["null"] == "G"} == {
        "criterion",
        "default",
    }
    cannot = [m for m in pruned["measurements"] if m["status"] == "cannot"]
    assert {(m["peer"], m["null"]) for m in cannot} == {("NumPy", "C"), ("NumPy", "D")}
    measured = {bar["what"]: bar["value"] for bar in report["bars"]}
    assert measured["B / A"] > 0


def test_bench__json_goes_to_stdout_alone(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--sizes", "40x30", "--pruned", "0", "--nulls", "a", "--peers", "numpy"]
    assert run(["bench", "--quick", "--json", *arguments, "--margins", "trained"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [result["case"] for result in report["results"]] == [
        {"n_left": 40, "n_right": 30, "pruned": 0, "margins": "trained"}
    ]
    peers = [m["peer"] for m in report["results"][0]["measurements"]]
    assert peers == ["memory copy", "bipnet", "NumPy"]


def test_bench__names_a_missing_peer_and_fails_if_told_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from bipnet.bench.peers import graph_tool_rewire

    monkeypatch.setenv(graph_tool_rewire.PYTHON_VARIABLE, str(tmp_path / "no-python"))
    graph_tool_rewire._python_with_graph_tool.cache_clear()
    arguments = ["bench", "--quick", "--sizes", "20x10", "--pruned", "0", "--nulls", "G"]
    arguments += ["--peers", "graph-tool"]
    try:
        assert run(arguments) == 0
        text, errors = capsys.readouterr()
        assert "missing peer: graph-tool random_rewire" in errors
        assert "MISSING: not found in" in text
        assert "python3-graph-tool" in text
        assert run([*arguments, "--require-peers"]) == 1
    finally:
        graph_tool_rewire._python_with_graph_tool.cache_clear()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--sizes", "784"], "784x64"),
        (["--peers", "nobody"], "no peer is called 'nobody'"),
        (["--nulls", "AX"], "no null model is called 'X'"),
        (["--pruned", "100"], "0 to 99"),
        (["--pruned", "half"], "whole per cents"),
        (["--cap", "0"], "--cap"),
        (["-o", "nowhere/bench"], "no such folder"),
        (["-o", "taken"], "output exists"),
    ],
)
def test_bench__says_a_mistake_in_one_line(
    arguments: list[str],
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "bench.json").write_text("{}", encoding="utf-8")
    assert run(["bench", "--quick", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert expected in err


def test_parse_peers__takes_parts_of_names() -> None:
    assert parse_peers(["networkit"]) == tuple(n for n in PEERS if n.startswith("NetworKit"))
    assert parse_peers(["bipnet", "NUMPY", "numpy"]) == ("bipnet", "NumPy")


# Workers that do not answer -----------------------------------------------------------------


def test_worker__that_takes_too_long_is_ended(tmp_path: Path) -> None:
    np.save(tmp_path / "W.npy", make_matrix(Case(300, 100)))
    job = Job(matrix=str(tmp_path / "W.npy"), peer="bipnet", nulls=("A",), cap=60, repeats=10**6)
    (said,) = _worker_lines(job, tmp_path, patience=0.05)
    assert said == "no answer within 0 s"


def test_worker__that_dies_is_a_line_of_the_report(tmp_path: Path) -> None:
    job = Job(matrix=str(tmp_path / "none.npy"), peer="bipnet", nulls=("A",))
    (said,) = _worker_lines(job, tmp_path, patience=60)
    assert isinstance(said, str)
    assert "ended with code 1" in said
    assert "none.npy" in said


def test_worker__ends_with_the_run_that_started_it(tmp_path: Path) -> None:
    # Killed without a chance to clean up, graph-tool's child or not: the pipe closes.
    np.save(tmp_path / "W.npy", make_matrix(Case(300, 100)))
    job = Job(matrix=str(tmp_path / "W.npy"), peer="bipnet", nulls=("A",) * 500, cap=60)
    (tmp_path / "job.json").write_text(json.dumps(asdict(job)), encoding="utf-8")
    worker = subprocess.Popen(
        [sys.executable, "-P", "-m", "bipnet.bench.worker", str(tmp_path / "job.json")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert worker.stdin is not None
    assert worker.stdout is not None
    assert b'"timed"' in worker.stdout.readline()  # it works
    worker.stdin.close()
    assert worker.wait(timeout=30) == -signal.SIGKILL
    worker.stdout.close()


def test_run_bench__reports_what_a_peer_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A library of that name which is no such library: the peer's own error is the result.
    (tmp_path / "igraph.py").write_text("def Graph(*a, **k): raise RuntimeError('broken')\n")
    dist = tmp_path / "igraph-0.dist-info"
    dist.mkdir()
    (dist / "METADATA").write_text("Metadata-Version: 2.1\nName: igraph\nVersion: 0\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    report = run_bench(
        Settings(
            sizes=((20, 10),), pruned=(0,), margins=("random",), nulls=("G",),
            peers=("igraph rewire",), cap=0.2, repeats=1,
        )
    )  # fmt: skip
    (_, found) = report.results[0].measurements
    assert (found.status, found.note) == ("failed", "RuntimeError: broken")
    assert "failed" in as_text(report)


# What a worker makes of a chain's cost ------------------------------------------------------


def timed_chain(chain: Decaying, steps: int, cap: float, cost: Cost) -> Measurement:
    job = Job(matrix="", peer="decaying", cap=cap, repeats=2)
    planned = Measurement("decaying", "G", "timed", steps=steps, unit="attempt")
    return _timed_chain(job, chain, planned, cost)


def test_timed_chain__times_what_fits_and_extrapolates_what_does_not() -> None:
    chain = Decaying(tau=1, per_step=1e-3, per_call=0.5)
    cost = Cost(call=0.501, step=1e-3, longest=4000)
    fits = timed_chain(chain, 5000, 20, cost)
    assert (fits.status, fits.seconds) == ("timed", 5.5)
    rough = timed_chain(chain, 10**6, 20, cost)
    assert rough.status == "extrapolated"
    assert rough.seconds == pytest.approx(1000.5, rel=0.01)
    assert chain.steps < 20_000
    assert "of the steps timed" in rough.note


def test_timed_chain__never_foretells_from_a_single_call() -> None:
    # A call costs a second whatever it does at first: longer ones tell what steps cost.
    chain = Decaying(tau=1, per_step=1e-4, per_call=1.0)
    rough = timed_chain(chain, 10**9, 20, Cost(call=1.0))
    assert rough.status == "extrapolated"
    assert rough.seconds == pytest.approx(1e5, rel=0.01)
    # Here nothing is seen to depend on the steps before the cap.
    chain = Decaying(tau=1, per_step=1e-12, per_call=19.0)
    unknown = timed_chain(chain, 10**9, 20, Cost(call=19.0))
    assert (unknown.status, unknown.seconds) == ("over cap", 20)
    assert not unknown.has_time


def test_level__of_a_larger_matrix_is_further_away() -> None:
    assert Level(0.5, 0.0025, 8).way == pytest.approx(np.log(100))
    assert Level(0.5, 0.00025, 8).way == pytest.approx(np.log(1000))
    levels = {"edges": (0.5, 0.1, 8), "cells": (0.2, 0.1, 8)}
    assert level_for("cells", levels).mean == 0.2
    assert level_for("cells", {"edges": (0.5, 0.1, 8)}).mean == 0.5
