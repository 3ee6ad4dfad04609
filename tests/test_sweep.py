"""Sweeps: jobs with a key of their content, resumed after any end, the same by whoever works."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import bipnet
from bipnet.errors import InputError
from bipnet.experiments import sweep, work
from bipnet.experiments.datasets import load_dataset
from bipnet.experiments.jobs import Job, Runner
from bipnet.experiments.reproduce import Reproduction
from bipnet.experiments.reproduce import reproduce as whole_reproduction
from bipnet.experiments.sweep import Settings, make_plan
from bipnet.experiments.tables import COLUMNS, SIGMA_COLUMNS, SSIM_COLUMNS

BIPNET = Path(sys.executable).with_name("bipnet")
DIGITS = ("digits",)

Files = dict[str, bytes]


def reproduce(*figures: Any, **options: Any) -> Reproduction:
    """Tables alone: pictures take longer than all the rest of such small runs."""
    return whole_reproduction(*figures, tables_only=True, **options)


# -- jobs --------------------------------------------------------------------------------------


def echo(needed: Sequence[bytes], *, text: str, times: int = 1, file: str = "") -> bytes:
    """A job that says what it was given, and notes in a file that it ran."""
    if file:
        with open(file, "a") as log:
            log.write(f"{text}\n")
    return b"|".join([*needed, (text * times).encode()])


def test_key__is_of_all_that_the_result_depends_on() -> None:
    job = Job(echo, {"text": "a"})
    same = Job(echo, {"text": "a"}, where={"file": "elsewhere"})
    others = [
        Job(echo, {"text": "b"}),
        Job(echo, {"text": "a", "times": 2}),
        Job(echo, {"text": "a"}, (job,)),
        Job(echo, {"text": "a"}, version=2),
        Job(work.sigma, {"text": "a"}),
    ]
    assert same.key == job.key
    assert len({job.key, *(other.key for other in others)}) == 6
    deeper = [Job(echo, {"text": "x"}, (needed,)).key for needed in others]
    assert len(set(deeper)) == len(others)


def test_runner__does_each_job_once_and_gives_it_what_it_needs(tmp_path: Path) -> None:
    log = tmp_path / "log"
    first = [Job(echo, {"text": t}, where={"file": str(log)}) for t in "aba"]
    second = Job(echo, {"text": "c", "times": 2}, (first[0], first[1]))
    runner = Runner(tmp_path / "jobs")
    seen: list[int] = []
    assert runner.run(first, progress=seen.append) == 2
    assert seen == [1, 1]
    assert runner.run([second]) == 1
    assert runner.content(second) == b"a|b|cc"
    assert runner.run([*first, second]) == 0
    assert log.read_text() == "a\nb\n"


def test_runner__after_an_error_keeps_what_was_done(tmp_path: Path) -> None:
    jobs = [Job(echo, {"text": "a"}), Job(echo, {"wrong": 1}), Job(echo, {"text": "b"})]
    runner = Runner(tmp_path / "jobs")
    with pytest.raises(TypeError):
        runner.run(jobs)
    assert runner.missing(jobs) == jobs[1:]
    assert {path.name for path in (tmp_path / "jobs").iterdir()} == {jobs[0].file_name}


def test_runner__needs_a_worker(tmp_path: Path) -> None:
    with pytest.raises(bipnet.InputError, match="1 or more, got 0"):
        Runner(tmp_path, n_workers=0)


# -- what figures are made of --------------------------------------------------------------------


def planned(figures: Sequence[int], settings: Settings) -> sweep.Plan:
    return make_plan(figures, {"digits": load_dataset("digits")}, settings)


def test_plan__shares_networks_between_figures_and_measures_nothing_twice() -> None:
    plan = planned((1, 2, 3, 7), Settings(networks=25))
    stages = plan.stages()
    assert next(iter(stages)) == "train"
    assert len(stages["train"]) == 2 * 3  # two tasks, blocks of 10, 10 and 5
    assert [job.params["n_networks"] for job in stages["train"]] == [10, 10, 5] * 2
    assert len(stages["prune and score"]) == 6  # of Figures 1 and 3 together
    jobs = [job.key for jobs in stages.values() for job in jobs]
    assert len(jobs) == len(set(jobs))


@pytest.mark.parametrize(
    ("settings", "figure", "n"),
    [
        (Settings(), 1, 100),
        (Settings(), 10, 20),
        (Settings(), 4, 10),
        (Settings(quick=True), 1, 10),
        (Settings(quick=True), 10, 2),
        (Settings(quick=True), 4, 1),
        (Settings(networks=3), 1, 3),
        (Settings(networks=3), 4, 3),
    ],
)
def test_settings__say_how_many_networks(settings: Settings, figure: int, n: int) -> None:
    assert settings.n_networks(figure) == n


def test_networks__are_the_same_in_figures_that_take_fewer(tmp_path: Path) -> None:
    alone = planned((11,), Settings(quick=True)).stages()["train"]
    both = planned((10, 11), Settings(quick=True)).stages()["train"]
    assert [job.key for job in both] == [job.key for job in alone]


@pytest.mark.parametrize("wrong", [{"networks": 0}, {"biases": "none"}, {"stop": "never"}], ids=str)
def test_settings__are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(bipnet.InputError):
        Settings(**wrong)


# -- tables --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of some figures, two networks a task, in this process."""
    folder = tmp_path_factory.mktemp("sweep") / "results"
    reproduce(FEW, datasets=DIGITS, output=folder, settings=Settings(networks=2), n_workers=1)
    return folder


FEW = (2, 3, 7)


def tables_in(folder: Path) -> Files:
    return {path.name: path.read_bytes() for path in sorted((folder / "tables").iterdir())}


def test_tables__have_a_row_per_realization_and_point(tmp_path: Path) -> None:
    result = reproduce(
        (1, 2, 4, 6, 7),
        datasets=DIGITS,
        output=tmp_path / "results",
        settings=Settings(networks=1),
        n_workers=1,
    )
    one = result.tables[1]
    n_points = len(sweep.PRUNE_LEVELS) + len(sweep.NOISE_LEVELS) + len(sweep.FLIP_LEVELS)
    assert len(one) == 2 * 2 * n_points  # tasks, float and signed
    assert list(one.columns) == list(COLUMNS)
    assert set(one["task"]) == {"E", "H"}
    assert not one.drop(columns="accuracy").duplicated().any()
    two = result.tables[2]
    assert sorted(two.loc[two["task"] == "E", "null_model"]) == ["", "", *"ABCDEFG"]
    four = result.tables[4]
    assert len(four) == 45 * 3
    assert set(four["probe"]) == {"none", "randomize"}
    assert list(result.tables[6].columns) == list(SSIM_COLUMNS)
    assert list(result.tables[7].columns) == list(SIGMA_COLUMNS)
    # What Parquet and CSV hold is the table.
    for figure, table in result.tables.items():
        path = tmp_path / "results" / "tables" / f"figure-{figure:02}"
        pd.testing.assert_frame_equal(pd.read_parquet(f"{path}.parquet"), table)
        again = pd.read_csv(
            f"{path}.csv",
            keep_default_na=False,
            na_values={"level": ""},
            dtype={"first": "str", "second": "str"},
        )
        pd.testing.assert_frame_equal(again, table, check_dtype=False)


def test_tables__carry_their_protocol(finished: Path) -> None:
    import pyarrow.parquet as pq

    metadata = pq.read_schema(finished / "tables" / "figure-02.parquet").metadata
    protocol = json.loads(metadata[b"protocol"])
    assert protocol == json.loads((finished / "protocol.json").read_text())
    assert protocol["networks"] == 2
    assert protocol["biases"] == "trained"
    assert protocol["datasets"]["digits"]["tasks"].keys() == {"E", "H"}


@pytest.mark.parametrize("n_workers", [2, 3])
def test_tables__are_the_same_for_any_number_of_workers(
    n_workers: int, finished: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "results"
    reproduce(
        FEW, datasets=DIGITS, output=folder, settings=Settings(networks=2), n_workers=n_workers
    )
    assert tables_in(folder) == tables_in(finished)


def test_tables__of_a_cluster_are_those_of_one_process(finished: Path, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    folder = tmp_path / "results"
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
    )
    with cluster:
        result = reproduce(
            FEW,
            datasets=DIGITS,
            output=folder,
            settings=Settings(networks=2),
            scheduler=cluster.scheduler_address,
        )
    assert result.n_done > 0
    assert tables_in(folder) == tables_in(finished)


def test_scheduler__that_does_not_answer_is_said(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    with pytest.raises(bipnet.InputError, match="no Dask scheduler answers"):
        reproduce((7,), datasets=DIGITS, output=tmp_path / "results", scheduler="tcp://127.0.0.1:9")


def test_fresh_biases__and_the_best_epoch_are_other_numbers(finished: Path, tmp_path: Path) -> None:
    kept = pd.read_parquet(finished / "tables" / "figure-02.parquet")
    for name, settings in {
        "fresh": Settings(networks=2, biases="fresh"),
        "best": Settings(networks=2, stop="best"),
    }.items():
        result = reproduce(
            (2,), datasets=DIGITS, output=tmp_path / name, settings=settings, n_workers=1
        )
        assert not result.tables[2].equals(kept)
        assert (
            result.tables[2]
            .drop(columns=["accuracy", "ties", "constant"])
            .equals(kept.drop(columns=["accuracy", "ties", "constant"]))
        )


# -- interrupted ---------------------------------------------------------------------------------


def command(folder: Path, *options: str) -> list[str]:
    return [
        str(BIPNET), "reproduce", *map(str, FEW), "--data", "digits", "--realizations", "2",
        "-o", str(folder), *options,
    ]  # fmt: skip


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
@pytest.mark.parametrize("n_workers", [1, 2])
def test_interrupted_run__goes_on_and_ends_in_the_same_tables(
    how: signal.Signals, n_workers: int, finished: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "results"
    running = subprocess.Popen(
        command(folder, "--workers", str(n_workers)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert waited(lambda: n_jobs(folder) >= 2)
    os.killpg(running.pid, how)
    _, said = running.communicate(timeout=60)
    assert running.returncode == (130 if how == signal.SIGINT else -9)
    assert "Traceback" not in said
    assert not (folder / "tables").exists()
    before = n_jobs(folder)
    assert before < n_jobs(finished)
    done = subprocess.run(
        [*command(folder, "--workers", "1"), "--tables-only", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    counts = json.loads(done.stdout)["jobs"]
    assert counts["kept"] >= before
    assert counts["done"] + counts["kept"] == n_jobs(finished)
    assert tables_in(folder) == tables_in(finished)


def n_jobs(folder: Path) -> int:
    jobs = folder / "jobs"
    if not jobs.is_dir():
        return 0
    return sum(not path.name.startswith(".") for path in jobs.iterdir())


def waited(condition: Callable[[], bool], seconds: float = 120.0) -> bool:
    """Whether the condition came true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


# -- bad input -----------------------------------------------------------------------------------


def test_results__of_another_protocol_are_not_mixed(finished: Path, tmp_path: Path) -> None:
    with pytest.raises(bipnet.InputError, match=r"seed was 7 and is 8.*--force"):
        reproduce((7,), datasets=DIGITS, output=finished, settings=Settings(networks=2, seed=8))


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["5", "--data", "digits"], "--data is of figures about MLPs, not of 5 and 9"),
        (["14", "--data", "digits"], "no figure '14'"),
        (
            ["mlps", "--data", "digits"],
            "there are 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, mlp and",
        ),
        (["1", "--data", "digits", "--download"], "embedded"),
        (["1", "--quick", "--realizations", "3"], "give one of them"),
        (["1", "--data", "mnist", "--data-dir", "nowhere"], "nowhere"),
    ],
)
def test_bad_request__is_one_line(arguments: list[str], word: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [BIPNET, "reproduce", *arguments, "-o", tmp_path / "results"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 2
    assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "results").exists()


def test_whole_run__leaves_tables_pictures_and_a_report(tmp_path: Path) -> None:
    done = subprocess.run(
        [BIPNET, "reproduce", "2", "6", "--data", "digits", "--realizations", "2", "--workers", "1",
         "-o", tmp_path / "results", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )  # fmt: skip
    found = json.loads(done.stdout)
    folder = tmp_path / "results"
    assert {path.name for path in folder.iterdir()} == {
        "figures", "jobs", "protocol.json", "report.html", "tables",
    }  # fmt: skip
    names = {path.name for path in (folder / "figures").iterdir()}
    assert names == {f"figure-0{n}.{ending}" for n in (2, 6) for ending in ("png", "pdf")}
    assert {Path(path).name for path in found["files"]} == {*names, "report.html"}
    page = (folder / "report.html").read_text()
    assert "not recorded" not in page
    assert {claim["verdict"] for claim in found["claims"]} <= {
        "holds", "does not hold", "not measured",
    }  # fmt: skip
    assert found["summary"]["networks"][0]["n"] == 2
    assert set(found["seconds"]) > {"train", "score", "randomize and score", "write report"}


# -- what goes wrong on the way ------------------------------------------------------------------


def test_force__leaves_nothing_of_another_protocol(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    one = Settings(networks=1, seed=1)
    reproduce((6, 7), datasets=DIGITS, output=folder, settings=one, n_workers=1)
    other = Settings(networks=1, seed=2)
    reproduce((7,), datasets=DIGITS, output=folder, settings=other, n_workers=1, force=True)
    names = {path.name for path in (folder / "tables").iterdir()}
    assert names == {"figure-07.csv", "figure-07.parquet"}
    again = reproduce((6,), datasets=DIGITS, output=folder, settings=other, n_workers=1, force=True)
    assert set(again.tables) == {6}
    assert (folder / "tables" / "figure-07.csv").exists()  # the same protocol: it stays


@pytest.mark.parametrize("content", ["[]", "null", "{", "3"])
def test_damaged_protocol__is_one_clear_error(content: str, tmp_path: Path) -> None:
    folder = tmp_path / "r"
    folder.mkdir()
    (folder / "protocol.json").write_text(content)
    with pytest.raises(InputError, match="cannot be read: use another folder, or --force"):
        reproduce((7,), datasets=DIGITS, output=folder, settings=Settings(networks=1))


def test_figure_7__is_drawn_when_asked_for_alone(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    settings = Settings(networks=1)
    whole_reproduction((10,), datasets=DIGITS, output=folder, settings=settings, n_workers=1)
    assert not list((folder / "figures").glob("figure-07*"))


def large(needed: Sequence[bytes], *, number: int) -> bytes:
    """A job whose result is too large for a small disk."""
    return bytes(1 << 20)


def test_full_disk__ends_a_run_with_workers(tmp_path: Path) -> None:
    """With the disk full while tasks are still to be sent, the run must end, and say why."""
    code = f"""
import resource, signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
import test_sweep
from bipnet.experiments.jobs import Job, Runner
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
runner = Runner(Path({str(tmp_path / "jobs")!r}), n_workers=2)
runner._folder.mkdir()
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))
try:
    runner.run([Job(test_sweep.large, {{"number": i}}) for i in range(60)])
except OSError as error:
    print("ended:", error.strerror)
finally:
    runner.close()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=False
    )
    assert "ended: File too large" in done.stdout, done.stderr
    assert not list((tmp_path / "jobs").iterdir())
