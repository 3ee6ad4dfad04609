"""A folder of results: runs of one protocol add up in it, and nothing else gets in."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pd = pytest.importorskip("pandas")
pytest.importorskip("matplotlib").use("agg")
pytest.importorskip("torch")

from bipnet.cli import run  # noqa: E402
from bipnet.errors import InputError, MissingFileError, OutputExistsError  # noqa: E402
from bipnet.experiments import reproduce as reproducing  # noqa: E402
from bipnet.experiments.reproduce import Reproduction, reproduce  # noqa: E402
from bipnet.experiments.results import ResultsFolder  # noqa: E402
from bipnet.experiments.sweep import Settings  # noqa: E402

BIPNET = Path(sys.executable).with_name("bipnet")
SETTINGS = Settings(networks=1)


def run_of(output: Path, *figures: int, **options: Any) -> Reproduction:
    return reproduce(
        figures, datasets=("digits",), output=output, settings=SETTINGS, n_workers=1, **options
    )


def verdicts(result: Reproduction, figure: int) -> set[str]:
    return {finding.verdict for finding in result.findings if finding.figure == figure}


# -- runs that add up ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Reproduction, Path]:
    """Figure 1 without pictures, then Figure 2 into the same folder."""
    output = tmp_path_factory.mktemp("folder") / "results"
    run_of(output, 1, tables_only=True)
    return run_of(output, 2), output


def test_report__of_a_second_run_shows_the_figures_of_both(
    two_runs: tuple[Reproduction, Path],
) -> None:
    result, output = two_runs
    page = (output / "report.html").read_text(encoding="utf-8")
    shown = re.findall(r'<h3 id="(figure-\S+)">', page)
    assert {"figure-01", "figure-01-tail", "figure-02"} <= set(shown)
    # What the first run left without pictures has them now.
    pictures = {path.name for path in (output / "figures").iterdir()}
    assert {"figure-01.png", "figure-01-tail.pdf", "figure-02.png"} <= pictures
    assert {1, 2} <= set(result.drawn_tables)
    assert (set(result.tables), set(result.earlier)) == ({2}, {1})


def test_claims__of_a_second_run_are_judged_on_the_tables_of_both(
    two_runs: tuple[Reproduction, Path], tmp_path: Path
) -> None:
    result, _ = two_runs
    once = run_of(tmp_path / "once", 1, 2, tables_only=True)
    assert [f.as_dict() for f in result.findings] == [f.as_dict() for f in once.findings]
    assert verdicts(result, 1) <= {"holds", "does not hold"}  # with sigma(w), which is a table too
    assert result.summary() == once.summary()
    found = json.loads(json.dumps(result.as_json(), allow_nan=False))
    assert (found["rows"].keys(), found["earlier"]) == ({"2"}, [1])
    assert "figures 2: " in result.as_text()
    assert "figures of earlier runs, also judged: 1" in result.as_text()


def test_run__again_draws_no_picture_that_is_there(
    two_runs: tuple[Reproduction, Path],
) -> None:
    _, output = two_runs
    picture = output / "figures" / "figure-01.png"
    before = picture.stat().st_mtime_ns
    result = run_of(output, 2)
    assert picture.stat().st_mtime_ns == before
    assert result.n_done == 0


def test_tables__of_another_protocol_are_refused_before_the_work(tmp_path: Path) -> None:
    output = tmp_path / "r"
    run_of(output, 7, tables_only=True)
    other = Settings(networks=1, seed=8)
    reproduce((7,), datasets=("digits",), output=tmp_path / "o", settings=other, tables_only=True)
    foreign = (tmp_path / "o" / "tables" / "figure-07.parquet").read_bytes()
    table = output / "tables" / "figure-07.parquet"
    table.write_bytes(foreign)
    jobs = sorted((output / "jobs").iterdir())
    with pytest.raises(InputError, match=r"figure-07\.parquet is of another protocol"):
        run_of(output, 2)
    assert sorted((output / "jobs").iterdir()) == jobs
    table.write_bytes(foreign[:100])
    with pytest.raises(InputError, match=r"figure-07\.parquet cannot be read .*: remove it"):
        run_of(output, 2)
    run_of(output, 7, tables_only=True)  # what is asked for is made anew
    assert ResultsFolder(output, run_of(output, 7, tables_only=True).settings, force=False).tables(
        ["figure-07", "figure-09"]
    ).keys() == {"figure-07"}


def test_tables__of_somebody_else_are_left_alone(tmp_path: Path) -> None:
    output = tmp_path / "r"
    (output / "tables").mkdir(parents=True)
    mine = output / "tables" / "mine.parquet"
    mine.write_bytes(b"mine")
    assert run_of(output, 7, tables_only=True).earlier == {}
    assert mine.read_bytes() == b"mine"


def test_force__removes_what_a_run_has_written_and_nothing_else(tmp_path: Path) -> None:
    output = tmp_path / "r"
    for name in ("tables/mine.csv", "figures/mine.png", "figures/figure-99.png"):
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        (output / name).write_bytes(b"mine")
    run_of(output, 7, tables_only=True, force=True)  # no run has been here before
    assert (output / "figures" / "figure-99.png").read_bytes() == b"mine"
    other = {"datasets": ("digits",), "output": output, "n_workers": 1, "tables_only": True}
    reproduce((1,), settings=Settings(networks=1, seed=8), force=True, **other)
    assert not (output / "tables" / "figure-07.parquet").exists()
    assert (output / "tables" / "figure-01.parquet").exists()
    for name in ("tables/mine.csv", "figures/mine.png"):
        assert (output / name).read_bytes() == b"mine"


def test_tables__under_the_name_of_another_are_refused(tmp_path: Path) -> None:
    output = tmp_path / "r"
    run_of(output, 7, tables_only=True)
    table = (output / "tables" / "figure-07.parquet").read_bytes()
    (output / "tables" / "figure-11.parquet").write_bytes(table)
    with pytest.raises(InputError, match=r"figure-11\.parquet cannot be read \(its digest"):
        run_of(output, 7, tables_only=True)


# -- where results cannot go ---------------------------------------------------------------------


def test_output__that_is_a_file_or_has_no_parent_is_said_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("data were loaded first")

    monkeypatch.setattr(reproducing, "find_dataset", never)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputExistsError, match=r"results go into a folder, and .*file is a file"):
        run_of(tmp_path / "file", 7)
    with pytest.raises(MissingFileError, match=r"no such folder for the output: .*; make it first"):
        run_of(tmp_path / "no" / "results", 7)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("foo", "missing port number"),
        ("zzz://a:1", "it begins with zzz://, not one of tcp, tls, ws, wss"),
        ("tcp://host:abc", "invalid literal"),
        ("tcp://:80", "it names no host"),
        ("tcp://host:0", "a port is 1 to 65535, not 0"),
        ("tls://127.0.0.1:9", "names no certificates"),
    ],
)
def test_scheduler__that_is_no_address_is_one_line_at_once(
    address: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("distributed")
    output = tmp_path / "r"
    start = time.monotonic()
    code = run(["reproduce", "7", "--data", "digits", "-o", str(output), "--scheduler", address])
    assert time.monotonic() - start < 8
    (line,) = capsys.readouterr().err.splitlines()
    assert code == 2
    assert line.startswith(f"bipnet: error: {address!r} is ")
    assert message in line
    assert not output.exists()


def test_ctrl_c__is_held_back_while_any_process_is_started() -> None:
    """The helpers of two libraries, too, whose start would let it through again."""
    code = """
import signal
from multiprocessing import resource_tracker
from joblib.externals.loky.backend import resource_tracker as loky_tracker
from bipnet.experiments.jobs import _ctrl_c_waits
with _ctrl_c_waits():
    resource_tracker.getfd()
    loky_tracker.getfd()
    print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))
print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]


def test_trackers__remove_what_was_left_without_a_warning() -> None:
    code = """
import os
from joblib.externals.loky.backend import resource_tracker
from bipnet.experiments.jobs import _ctrl_c_waits
with _ctrl_c_waits():
    pass
resource_tracker.register("/loky-of-a-test", "semlock")
assert "PYTHONWARNINGS" not in os.environ
os._exit(0)
"""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONWARNINGS"}
    # The tracker outlives its parent, and holds its error stream until it is done.
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stderr == ""


@pytest.mark.parametrize(("n_workers", "after"), [(1, "a job"), (2, "a job"), (2, "the start")])
def test_ctrl_c__is_one_line_that_says_how_to_go_on(
    n_workers: int, after: str, tmp_path: Path
) -> None:
    output = tmp_path / "r"
    running = subprocess.Popen(
        [BIPNET, "reproduce", "1", "2", "--data", "digits", "--realizations", "40",
         "-o", output, "--workers", str(n_workers)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )  # fmt: skip
    end = time.monotonic() + 120
    jobs = output / "jobs"
    while not jobs.is_dir() or (after == "a job" and not any(jobs.iterdir())):
        assert time.monotonic() < end
        time.sleep(0.02)
    if after == "the start":
        time.sleep(0.2)  # the workers are importing what they need
    os.killpg(running.pid, signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130
    lines = [line for line in said.splitlines() if "compiling" not in line]
    assert lines == [
        "bipnet: error: interrupted; finished jobs are kept: the same command goes on where it"
        " stopped"
    ]
