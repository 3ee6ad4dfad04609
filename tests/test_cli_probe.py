"""bipnet probe and bipnet complexity: the tables of the library, and one line for a mistake."""

from __future__ import annotations

import importlib.util
import json
import re
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bipnet.cli import run

torch = pytest.importorskip("torch")
pd = pytest.importorskip("pandas")
pytest.importorskip("matplotlib")

from bipnet.torch import Accuracy, mlp_from_state, probe, task_complexity  # noqa: E402

BIPNET = Path(sys.executable).with_name("bipnet")
Run = Callable[..., tuple[int, str, str]]
DATA = ("mlp.pt", "--data", "test.npz")
FROM_CSV: Any = {
    "keep_default_na": False,
    "na_values": {"level": ""},
}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a model and its test data."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(6, 9), torch.nn.ReLU(), torch.nn.Linear(9, 3))
    torch.save(model.state_dict(), "mlp.pt")
    np.savez("test.npz", x=np.random.default_rng(1).normal(size=(40, 6)), y=np.arange(40) % 3)
    return tmp_path


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process: (exit code, stdout, stderr)."""

    def call(*arguments: object) -> tuple[int, str, str]:
        with warnings.catch_warnings():
            code = run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture
def opened(files: Path) -> tuple[Any, Any]:
    """Model and evaluator, opened without the command line."""
    model = mlp_from_state(torch.load("mlp.pt", weights_only=True))
    with np.load("test.npz") as data:
        return model, Accuracy((data["x"].astype(np.float32), data["y"]))


def ok(result: tuple[int, str, str]) -> str:
    code, out, err = result
    assert code == 0, err
    return out


@pytest.mark.filterwarnings("ignore::bipnet.BipnetWarning")
@pytest.mark.parametrize("kind", ["prune", "noise", "flip", "B", "G"])
def test_probe__writes_the_table_of_the_library(cli: Run, opened: Any, kind: str) -> None:
    levels, draws = [0, 0.5, 1], () if kind in ("prune", "flip") else ("-n", 2, "--seed", 7)
    ok(cli("probe", *DATA, "--probe", kind, "--levels", "0,0.5,1", *draws, "-o", "t.csv"))
    wanted = probe(*opened, kind, levels=levels, n_realizations=2, rng=7)
    found = pd.read_csv("t.csv", **FROM_CSV)
    pd.testing.assert_frame_equal(found, wanted, check_dtype=False, rtol=1e-12)


def test_probe__writes_parquet_with_every_dtype(cli: Run, opened: Any) -> None:
    pytest.importorskip("pyarrow")
    out = ok(cli("probe", *DATA, "--levels", "0.1,0.3", "--models", "signed", "-o", "t.parquet"))
    wanted = probe(*opened, levels=[0.1, 0.3], signed=True)
    pd.testing.assert_frame_equal(pd.read_parquet("t.parquet"), wanted, check_exact=True)
    assert out.splitlines()[-1] == "written: t.parquet"


def test_probe__passes_its_options_on(cli: Run, opened: Any) -> None:
    options = ("--layers", "2", "--biases", "--each", "--distribution", "normal", "--index", 3)
    options += ("--probe", "noise", "--levels", "0.5", "-n", 2, "--seed", 7, "-o", "t.csv")
    ok(cli("probe", *DATA, *options))
    wanted = probe(
        *opened,
        "noise",
        levels=0.5,
        layers="2",
        biases=True,
        each=True,
        distribution="normal",
        n_realizations=2,
        index=3,
        rng=7,
    )
    found = pd.read_csv("t.csv", **FROM_CSV)
    pd.testing.assert_frame_equal(found, wanted, check_dtype=False, rtol=1e-12)


def test_probe__prints_medians(cli: Run, opened: Any) -> None:
    options = ("--probe", "A", "--levels", "0,0.25", "-n", 3, "--seed", 7, "--models", "float")
    lines = ok(cli("probe", *DATA, *options)).splitlines()
    table = probe(*opened, "A", levels=[0, 0.25], signed=False, n_realizations=3, rng=7)
    drawn = table[table["probe"] == "randomize"]
    medians = drawn.groupby("fraction_removed")["score"].median()
    assert lines[0].split() == [
        "layer", "model", "probe", "level", "edges", "median", "quartile", "1", "quartile", "3",
    ]  # fmt: skip
    assert lines[1].split()[:6] == ["all", "float", "none", "-", "81", f"{table['score'][0]:.4f}"]
    assert lines[2].split()[:6] == ["all", "float", "A", "0", "81", f"{medians[0]:.4f}"]
    assert lines[3].split()[:6] == ["all", "float", "A", "0.25", "60", f"{medians[0.25]:.4f}"]
    assert lines[4] == "3 draw(s) per level, seed 7"


def test_probe__json_has_every_row(cli: Run, opened: Any) -> None:
    options = ("--probe", "noise", "--levels", "0.5", "-n", 2, "--seed", 7, "--json")
    result = json.loads(ok(cli("probe", *DATA, *options)))
    wanted = probe(*opened, "noise", levels=[0.5], n_realizations=2, rng=7)
    rows = result.pop("rows")
    assert result == {
        "model": "mlp.pt", "probe": "noise", "biases": False, "distribution": "uniform",
        "seed": 7, "index": 0,
    }  # fmt: skip
    assert [row["score"] for row in rows] == wanted["score"].tolist()
    assert [row["level"] for row in rows] == [None, None, 0.5, 0.5, 0.5, 0.5]
    assert list(rows[0]) == list(wanted.columns)


def test_probe__draws_a_picture_beside_the_table(cli: Run, files: Path) -> None:
    options = ("--levels", "0,0.5", "-o", "t.csv", "--plot", "t.png")
    assert ok(cli("probe", *DATA, *options)).splitlines()[-1] == "written: t.csv, t.png"
    assert (files / "t.png").read_bytes().startswith(b"\x89PNG")
    for ending, start in (("svg", b"<?xml"), ("pdf", b"%PDF")):
        ok(cli("probe", *DATA, "--levels", "0,0.5", "--plot", f"t.{ending}"))
        assert (files / f"t.{ending}").read_bytes().startswith(start)
    assert not [path for path in files.iterdir() if "partial" in path.name]


def test_probe__warns_of_empty_layers_on_stderr(cli: Run, files: Path) -> None:
    code, _, err = cli("probe", *DATA, "--levels", "0,1")
    assert code == 0
    assert err.splitlines() == [
        f"bipnet: warning: layer {name} has no edges left at fraction removed 1"
        " (said once for each layer)"
        for name in ("0.weight", "2.weight")
    ]


def test_complexity__writes_the_table_of_the_library(cli: Run, opened: Any) -> None:
    options = ("--by", "binarize,B,A", "-n", 3, "--seed", 7, "-o", "c.csv", "--plot", "c.png")
    out = ok(cli("complexity", *DATA, *options)).splitlines()
    wanted = task_complexity(*opened, ["binarize", "B", "A"], n_realizations=3, rng=7)
    found = pd.read_csv("c.csv")
    pd.testing.assert_frame_equal(found, wanted, check_dtype=False, rtol=1e-12)
    gaps = wanted.groupby("by")["gap"].median()
    for line, (way, draws) in zip(out[1:4], (("binarize", 1), ("B", 3), ("A", 3)), strict=True):
        assert line.split()[:3] == ["all", way, str(draws)]
        assert line.split()[5] == f"{gaps[way]:.4f}"
    assert out[4:] == ["seed 7", "written: c.csv, c.png"]


def test_complexity__json_has_every_row(cli: Run, opened: Any) -> None:
    result = json.loads(ok(cli("complexity", *DATA, "-n", 2, "--seed", 7, "--each", "--json")))
    wanted = task_complexity(*opened, n_realizations=2, rng=7, each=True)
    assert [row["gap"] for row in result["rows"]] == wanted["gap"].tolist()
    assert result["seed"] == 7
    assert "seed" not in json.loads(ok(cli("complexity", *DATA, "--by", "binarize", "--json")))


BAD = {
    "unknown probe": (("probe", *DATA, "--probe", "X"), "prune, noise, flip.*got 'X'"),
    "level out of range": (("probe", *DATA, "--levels", "0,2"), "from 0 to 1, got 2"),
    "level that is none": (("probe", *DATA, "--levels", "0;1"), "--levels takes numbers"),
    "negative noise": (("probe", *DATA, "--probe", "noise", "--levels", "-1"), ">= 0, got -1"),
    "draws of prune": (("probe", *DATA, "-n", 3), "--realizations is of draws, and prune"),
    "seed of flip": (("probe", *DATA, "--probe", "flip", "--seed", 3), "--seed is of draws"),
    "noise of prune": (("probe", *DATA, "--distribution", "normal"), "--probe noise too"),
    "steps of prune": (("probe", *DATA, "--steps", 3), "steps is of null model G"),
    "steps of A": (("probe", *DATA, "--probe", "A", "--steps", 3), "only G takes them"),
    "no draws": (("probe", *DATA, "--probe", "A", "-n", 0), "realizations"),
    "table ending": (("probe", *DATA, "-o", "t.txt"), "t.txt: a table is written as .csv or"),
    "picture ending": (("probe", *DATA, "--plot", "t.doc"), "t.doc: a picture is written as"),
    "no folder": (("probe", *DATA, "-o", "no/t.csv"), "no such folder for the output"),
    "output exists": (("probe", *DATA, "-o", "old.csv"), "output exists: old.csv"),
    "picture exists": (("probe", *DATA, "-o", "t.csv", "--plot", "old.png"), "exists: old.png"),
    "idle force": (("probe", *DATA, "--force"), "--force replaces outputs"),
    "no layer": (("probe", *DATA, "--layers", "fc"), "no layer of .* matches 'fc'"),
    "no model": (("probe", "no.pt", "--data", "test.npz"), "no such file: no.pt"),
    "no data": (("probe", "mlp.pt", "--data", "no.npz"), "no such file: no.npz"),
    "data that is text": (
        ("probe", "mlp.pt", "--data", "text.npz"),
        "text.npz is not a readable .npz file of test data: it is not in NumPy's format",
    ),
    "data missing": (("probe", "mlp.pt"), "Missing option '--data'"),
    "data that does not fit": (("probe", "mlp.pt", "--data", "wide.npz"), "takes 6 inputs"),
    "unknown by": (("complexity", *DATA, "--by", "A,Q"), "got 'Q'"),
    "seed of binarize": (("complexity", *DATA, "--by", "binarize", "--seed", 1), "--by too"),
    "steps without G": (("complexity", *DATA, "--steps", 3), "are of null model G"),
    "complexity ending": (("complexity", *DATA, "-o", "t.json"), "a table is written as"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_call__is_refused_in_one_line(cli: Run, files: Path, case: str) -> None:
    for name in ("old.csv", "old.png"):
        (files / name).write_text("mine")
    np.savez("wide.npz", x=np.ones((4, 7)), y=np.zeros(4, int))
    (files / "text.npz").write_text("x,y\n1,2\n")
    before = {path: path.read_bytes() for path in files.iterdir()}
    arguments, message = BAD[case]
    code, out, err = cli(*arguments)
    assert (code, out) == (2, ""), err
    (line,) = err.splitlines()
    assert line.startswith("bipnet: error: ")
    assert re.search(message, line), line
    assert {path: path.read_bytes() for path in files.iterdir()} == before


def test_outputs__are_replaced_with_force(cli: Run, files: Path) -> None:
    (files / "t.csv").write_text("old")
    ok(cli("probe", *DATA, "--levels", "0.5", "-o", "t.csv", "--force"))
    assert len(pd.read_csv("t.csv")) == 4


def test_outputs__are_both_there_or_neither(
    cli: Run, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import bipnet.plot

    def fails(table: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bipnet.plot, "probe_curves", fails)
    code, _, err = cli("probe", *DATA, "--levels", "0.5", "-o", "t.csv", "--plot", "t.png")
    assert code == 2
    assert "No space left" in err
    assert {path.name for path in files.iterdir()} == {"mlp.pt", "test.npz"}


def test_parquet__without_pyarrow_is_refused_before_the_work(
    cli: Run, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "pyarrow" else real(name)
    )
    code, out, err = cli("probe", *DATA, "-o", "t.parquet")
    assert (code, out) == (2, "")
    assert re.search(r"pyarrow: pip install 'bipnet\[experiments\]', or name .*csv", err)


def test_interrupt__leaves_nothing(files: Path) -> None:
    before = sorted(files.iterdir())
    options = ("--probe", "G", "--steps", "2000", "-n", "100000", "-o", "t.csv")
    running = subprocess.Popen(
        [BIPNET, "probe", *DATA, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(5)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (130, "")
    assert err.splitlines()[-1].startswith("bipnet: error: interrupted")
    assert "Traceback" not in err
    assert sorted(files.iterdir()) == before
