"""Sweeps: jobs with a key of their content, resumed after any end, the same by whoever works."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import safetensors.torch

import bipnet
from bipnet.cli import run
from bipnet.errors import DamagedJobWarning, FileFormatError, InputError
from bipnet.experiments import job_files, jobs, software, sweep, work
from bipnet.experiments.datasets import load_dataset
from bipnet.experiments.jobs import Job, Runner
from bipnet.experiments.reproduce import Reproduction, protocol_of
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


def test_key__is_of_the_software_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs of two versions must not meet in one table."""
    here = Job(echo, {"text": "a"}).key
    with_library = Job(echo, {"text": "a"}, libraries=("tqdm",)).key
    keys = {here, with_library}
    for name in ("stream_version", "bipnet", "torch", "numpy", "numba", "instructions", "tqdm"):
        monkeypatch.setattr(jobs, "numeric_software", with_other(name))
        keys.add(Job(echo, {"text": "a"}, libraries=("tqdm",)).key)
    assert len(keys) == 9
    assert Job(echo, {"text": "a"}).key == here  # tqdm is nothing to it


def with_other(name: str) -> Callable[..., dict[str, Any]]:
    """`numeric_software` in which one thing, where it counts, is another."""

    def other(libraries: Sequence[str] = ()) -> dict[str, Any]:
        found = software.numeric_software(libraries)
        return {**found, name: "0.0.1"} if name in found else found

    return other


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
    assert [job.params["n_networks"] for job in stages["train"]] == [1, 1, 3, 5, 10, 10] * 2
    assert [job.params["first"] for job in stages["train"]] == [0, 1, 2, 5, 10, 20] * 2
    assert len(stages["prune and score"]) == 2 * 6  # of Figures 1 and 3 together
    keys = [job.key for stage in stages.values() for job in stage]
    assert len(keys) == len(set(keys))


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


@pytest.mark.parametrize("n", [1, 2, 3, 7, 10, 11, 99, 100, 101])
def test_blocks__hold_each_network_once_and_do_not_depend_on_how_many_there_are(n: int) -> None:
    found, more = sweep.blocks(n), sweep.blocks(1000)
    assert found == more[: len(found)]
    assert [number for block in more for number in block] == list(range(1000))
    assert n - 1 in found[-1]
    assert max(map(len, more)) == sweep.BLOCK


@pytest.mark.parametrize(
    ("figures", "settings"),
    [
        ((10,), Settings(quick=True)),
        ((10, 11), Settings(quick=True)),
        (sweep.FIGURES, Settings(quick=True)),
        ((12, 13, 4), Settings(networks=3)),
        ((4, 8), Settings(quick=True)),
    ],
)
def test_networks__are_made_by_the_same_jobs_whatever_else_is_asked_for(
    figures: Sequence[int], settings: Settings
) -> None:
    everything = planned(sweep.FIGURES, Settings())
    known = {job.key for stage in everything.stages().values() for job in stage}
    for stage, asked in planned(figures, settings).stages().items():
        if stage != "compare classes":  # of fewer image pairs
            assert {job.key for job in asked} <= known


def test_rows__of_a_network_are_the_same_whatever_else_is_asked_for(
    finished: Path, tmp_path: Path
) -> None:
    for name, figures, settings in (
        ("more networks", FEW, Settings(networks=4)),
        ("fewer figures", (2,), Settings(networks=2)),
        ("more figures", (1, 2, 11), Settings(networks=1)),
    ):
        folder = tmp_path / name
        result = reproduce(figures, datasets=DIGITS, output=folder, settings=settings, n_workers=1)
        for figure in {*figures} & {*FEW}:
            kept = pd.read_parquet(finished / "tables" / f"figure-{figure:02}.parquet")
            found = result.tables[figure]
            n = min(2, settings.n_networks(figure))
            pd.testing.assert_frame_equal(
                found[found["realization"] < n].reset_index(drop=True),
                kept[kept["realization"] < n].reset_index(drop=True),
            )


@pytest.mark.parametrize("biases", ["trained", "fresh"])
@pytest.mark.parametrize(
    ("probe", "levels"), [("none", []), ("noise", [0.3]), ("randomize", [0.0, 0.5])]
)
def test_measured_networks__have_streams_of_their_own(
    probe: str, levels: list[float], biases: str
) -> None:
    """Networks 5 to 7 of a task, measured together or each by itself."""
    data = load_dataset("digits")
    options: dict[str, Any] = {
        "dataset": "digits", "digest": work.data_digest(data), "pair": ("3", "8"), "name": "task",
        "data_dir": None, "seed": 7,
    }  # fmt: skip
    training = {"protocol": {"hidden": 8, "epochs": 1, "batch_size": 32}, "stop": "last"}
    probing = {"probe": probe, "levels": levels, "null_models": ["A", "B"], "biases": biases}

    def measured(numbers: range, of: bytes) -> pd.DataFrame:
        content = work.measure([of], first=numbers.start, **options, **probing)
        return work.rows_of(content).sort_values("realization", kind="stable", ignore_index=True)

    together = work.train([], first=5, n_networks=3, **options, **training)
    stack = work.networks(together)
    assert len(stack) == 3
    alone = []
    for number in range(5, 8):
        own = {
            f"{kind} {layer}": tensor[number - 5 : number - 4].contiguous()
            for kind, tensors in (("weight", stack.weights), ("bias", stack.biases))
            for layer, tensor in enumerate(tensors)
        }
        alone.append(measured(range(number, number + 1), safetensors.torch.save(own)))
    found = measured(range(5, 8), together)
    pd.testing.assert_frame_equal(found, pd.concat(alone, ignore_index=True))
    assert found["accuracy"].nunique() > 2


# -- the protocol that is written down -----------------------------------------------------------


@pytest.mark.parametrize("settings", [Settings(), Settings(quick=True), Settings(networks=3)])
def test_protocol__says_what_the_jobs_are_run_with(settings: Settings) -> None:
    digits = load_dataset("digits")
    # The paper's batches under a name of the paper's; its tasks are digits, too.
    plan = make_plan(sweep.FIGURES, {"digits": digits, "mnist": digits}, settings)
    protocol = json.loads(json.dumps(protocol_of(settings, plan)))
    seen: set[tuple[str, str, int]] = set()
    for figure, parts in (*plan.parts.items(), *plan.sigma_parts.items()):
        for part in parts:
            if figure == 6:
                assert part.job.params["n_pairs"] == protocol["ssim_pairs"]
                continue
            assert part.n_networks == protocol["networks_per_task"][str(figure)]
            assert part.columns["hidden"] == protocol["hidden"][str(figure)]
            (training,) = part.job.needs
            data = protocol["datasets"][part.columns["dataset"]]
            assert training.params["protocol"] == {
                **data["training"], "hidden": protocol["hidden"][str(figure)],
            }  # fmt: skip
            assert training.params["stop"] == protocol["stop"]
            assert training.params["seed"] == protocol["seed"]
            label = part.columns["task"]
            if label in data["tasks"]:
                assert training.params["pair"] == data["tasks"][label]
            probe = part.job.params.get("probe")
            if probe in ("prune", "noise", "flip"):
                assert part.job.params["levels"] == protocol[f"{probe}_levels"]
            batch_size = training.params["protocol"]["batch_size"]
            seen.add((part.columns["dataset"], str(figure), batch_size))
    assert {(dataset, size) for dataset, _, size in seen} == {("digits", 32), ("mnist", 128)}
    assert [protocol["hidden"][figure] for figure in ("1", "10", "13")] == [64, 32, 128]
    assert {figure for _, figure, _ in seen} == set(map(str, sweep.NETWORKS))
    assert protocol["datasets"]["mnist"]["tasks_by"] == "name"
    assert "1000 image pairs" in protocol["datasets"]["digits"]["tasks_by"]


def test_protocol__is_the_same_for_all_figures() -> None:
    """They are made into one folder, one after the other."""
    settings = Settings(quick=True)
    one, other = (protocol_of(settings, planned((n,), settings)) for n in (6, 13))
    assert one == other


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
    for said in (
        "batch_size: 32",
        "Figure 2: 2;",
        "Figure 10: 32;",
        "0.999</td>",
        "by SSIM distance of 1000",
    ):
        assert said in page
    assert re.search(r"ssim pairs</th><td>10000<", page)
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


# -- damage --------------------------------------------------------------------------------------

DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda file: b"",
    "cut in its first line": lambda file: file[:30],
    "cut after its first line": lambda file: file[: file.index(b"\n") + 1],
    "cut by a byte": lambda file: file[:-1],
    "a byte more": lambda file: file + b"\0",
    "a byte flipped in the middle": lambda file: flipped(file, len(file) // 2),
    "a byte flipped at the end": lambda file: flipped(file, len(file) - 1),
    "zeros of the same length": lambda file: bytes(len(file)),
    "the bare content": lambda file: file.partition(b"\n")[2],
    "a table of others": lambda file: work.parquet(pd.DataFrame({"realization": [0, 1]})),
}


def flipped(file: bytes, place: int) -> bytes:
    return file[:place] + bytes([file[place] ^ 1]) + file[place + 1 :]


def test_job_file__any_change_is_noticed() -> None:
    key, content = "0123", b"what was made"
    file = job_files.sealed(key, content)
    assert job_files.unsealed(key, file) == content
    assert job_files.unsealed(key, job_files.sealed(key, b"")) == b""
    changed = [flipped(file, place) for place in range(len(file))]
    changed += [file[:length] for length in range(len(file))]
    for one in (*changed, file + b"x", content, b"\n" + file, job_files.sealed("4567", content)):
        with pytest.raises(FileFormatError, match=r"is empty|is damaged"):
            job_files.unsealed(key, one)


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damaged_jobs__are_done_again(
    damage: Callable[[bytes], bytes], finished: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "results"
    shutil.copytree(finished, folder)
    shutil.rmtree(folder / "tables")
    hurt = [next((folder / "jobs").glob(f"{kind}-*")) for kind in ("train", "measure", "sigma")]
    for path in hurt:
        path.write_bytes(damage(path.read_bytes()))
    with pytest.warns(DamagedJobWarning) as told:
        result = reproduce(
            FEW, datasets=DIGITS, output=folder, settings=Settings(networks=2), n_workers=1
        )
    assert result.n_done == len(hurt)
    for path in hurt:
        (said,) = [str(one.message) for one in told if str(path) in str(one.message)]
        assert said.endswith("this job is done again")
    assert len(told) == len(hurt)
    assert tables_in(folder) == tables_in(finished)
    assert {path.name: path.read_bytes() for path in (folder / "jobs").iterdir()} == {
        path.name: path.read_bytes() for path in (finished / "jobs").iterdir()
    }


def test_file_of_another_job__is_not_taken_for_that_of_this_one(
    finished: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "results"
    shutil.copytree(finished, folder)
    one, other, *_ = sorted((folder / "jobs").glob("train-*"))
    one.write_bytes(other.read_bytes())
    with pytest.warns(DamagedJobWarning, match=rf"{one.name} is damaged, or the file of another"):
        reproduce(FEW, datasets=DIGITS, output=folder, settings=Settings(networks=2), n_workers=1)
    assert tables_in(folder) == tables_in(finished)


def test_damaged_job__is_one_line_on_stderr(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "results"
    shutil.copytree(finished, folder)
    path = next((folder / "jobs").glob("measure-*"))
    path.write_bytes(path.read_bytes()[:-5])
    code = run([*command(folder, "--workers", "1")[1:], "--tables-only"])
    said = capsys.readouterr()
    assert code == 0
    assert said.err.splitlines() == [
        f"bipnet: warning: {path} is damaged: its digest is another one; this job is done again"
    ]
    assert "1 jobs done" in said.out


def test_job__damaged_while_a_run_goes_on_is_one_clear_error(tmp_path: Path) -> None:
    job = Job(echo, {"text": "a"})
    runner = Runner(tmp_path / "jobs")
    runner.run([job])
    (tmp_path / "jobs" / job.file_name).write_bytes(b"")
    with pytest.raises(FileFormatError, match="is empty; run the same command again"):
        runner.content(job)
    with pytest.raises(FileFormatError, match=job.file_name):
        runner.run([Job(echo, {"text": "b"}, (job,))])


# -- other versions ------------------------------------------------------------------------------


def test_results__of_other_versions_are_not_mixed(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "results"
    shutil.copytree(finished, folder)
    options: dict[str, Any] = {
        "datasets": DIGITS, "output": folder, "settings": Settings(networks=2), "n_workers": 1,
    }  # fmt: skip
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(jobs, "numeric_software", with_other("torch"))
        elsewhere.setattr(software, "_numeric", with_other_below("torch"))
        with pytest.raises(InputError, match=r"other software \(software: torch was .* '0.0.1'\)"):
            reproduce(FEW, **options)
        assert tables_in(folder) == tables_in(finished)
        there = reproduce(FEW, **options, force=True)
        assert there.n_kept == 0
    with pytest.raises(InputError, match=r"torch was '0.0.1' and is .*: go on with that software"):
        reproduce(FEW, **options)
    back = reproduce(FEW, **options, force=True)
    assert back.n_done == 0  # each version's jobs have keys of their own
    assert tables_in(folder) == tables_in(finished)


def with_other_below(name: str) -> Callable[..., dict[str, Any]]:
    found = software.numeric_software()
    return lambda libraries: {**found, name: "0.0.1"}


def test_cluster__of_another_version_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(jobs, "numeric_software", with_other("torch"))
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        pytest.raises(InputError, match=r"a worker of the cluster has torch \S+, not 0.0.1, and"),
    ):
        Runner(tmp_path / "jobs", scheduler=cluster.scheduler_address).run(
            [Job(work.sigma, {"first": 0})]
        )


# -- nothing in a results folder gives a traceback -----------------------------------------------


def a_file(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    path.write_text("mine")


def a_folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


def holds(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


STRANGE: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "deep protocol": ("protocol.json", holds(b"[" * 200_000), "cannot be read: use another"),
    "binary protocol": ("protocol.json", holds(b"\xff\xfe\x00{"), "cannot be read: use another"),
    "empty protocol": ("protocol.json", holds(b""), "cannot be read: use another"),
    "long protocol": (
        "protocol.json",
        holds(json.dumps({f"x{i}" * 9: ["\udcff" * 999] * 99 for i in range(99)}).encode()),
        "holds results of another protocol",
    ),
    "nested protocol": (
        "protocol.json",
        holds(b'{"software": [], "datasets": {"digits": 3}, "seed": {"a": {"b": null}}}'),
        "holds results of another protocol",
    ),
    "folder protocol": ("protocol.json", a_folder, "cannot be read: use another"),
    "jobs, a file": ("jobs", a_file, "jobs"),
    "tables, a file": ("tables", a_file, "tables"),
    "figures, a file": ("figures", a_file, "figures"),
    "table, a folder": ("tables/figure-07.csv", a_folder, "figure-07.csv"),
    "picture, a folder": ("figures/figure-07.png", a_folder, "figure-07.png"),
    "report, a folder": ("report.html", a_folder, "report.html"),
}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run of one figure, with its picture and a report."""
    folder = tmp_path_factory.mktemp("drawn") / "results"
    assert run(arguments(folder)) == 0
    return folder


def arguments(folder: Path) -> list[str]:
    return [
        "reproduce", "7", "--data", "digits", "--realizations", "1", "--workers", "1",
        "-o", str(folder),
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "make", "word"), STRANGE.values(), ids=STRANGE)
def test_strange_results_folder__is_one_line(
    name: str,
    make: Callable[[Path], object],
    word: str,
    drawn: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "results"
    shutil.copytree(drawn, folder)
    make(folder / name)
    capsys.readouterr()
    assert run(arguments(folder)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("bipnet: error: ")
    assert word in line
    assert len(line) < 2000
    # With --force it is replaced if it can be, and is one line as well if not.
    assert run([*arguments(folder), "--force"]) in (0, 2)
    assert "Traceback" not in capsys.readouterr().err


def test_strange_job__is_one_line(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "results"
    shutil.copytree(drawn, folder)
    path = next((folder / "jobs").glob("train-*"))
    a_folder(path)
    assert run(arguments(folder)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"bipnet: error: the output is a folder, a file was wanted: {path}"


def test_output__that_is_a_file_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a_file(tmp_path / "results")
    assert run(arguments(tmp_path / "results")) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert str(tmp_path / "results") in line
    assert (tmp_path / "results").read_text() == "mine"
