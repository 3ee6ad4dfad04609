"""The command line: every command, exit codes, streams, and one clear line for a mistake."""

from __future__ import annotations

import json
import os
import pickle
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import scipy.io
import scipy.sparse
from news import without_news
from safetensors.torch import save_file

import bipnet
from bipnet import NULL_MODELS
from bipnet.cli import run
from bipnet.convert import open_source, save_graph

torch = pytest.importorskip("torch")
BIPNET = Path(sys.executable).with_name("bipnet")
COMMANDS = (
    "layers", "stats", "export", "randomize", "verify", "certify", "score", "probe", "complexity",
    "demo", "bench",
)  # fmt: skip


def weights(shape: tuple[int, int] = (7, 5)) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Distinct weights of both signs, some of them missing."""
    rng = np.random.default_rng(5)
    W = rng.permutation(np.arange(1.0, shape[0] * shape[1] + 1)).reshape(shape)
    W *= rng.choice([-1, 1], shape)
    W[rng.random(shape) < 0.2] = 0
    return W


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with one input of every format."""
    monkeypatch.chdir(tmp_path)
    W = weights()
    np.save("W.npy", W)
    np.savez("W.npz", fc=W, bias=np.arange(3.0))
    scipy.sparse.save_npz("S.npz", scipy.sparse.csr_array(W))
    scipy.io.mmwrite("W.mtx", W)
    for name in ("W.csv", "W.graphml", "W.konect"):
        save_graph(bipnet.SignedBipartiteGraph(W), name)
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3))
    torch.save(model.state_dict(), "mlp.pt")
    save_file(model.state_dict(), "mlp.safetensors", metadata={"format": "pt"})
    np.savez("test.npz", x=np.random.default_rng(1).normal(size=(40, 6)), y=np.arange(40) % 3)
    return tmp_path


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in this process: (exit code, stdout, stderr)."""
    import warnings

    def call(*arguments: object) -> tuple[int, str, str]:
        with warnings.catch_warnings():
            code = run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def process(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [BIPNET, *map(str, arguments)], capture_output=True, text=True, timeout=120, **options
    )
    done.stderr = without_news(done.stderr)
    return done


def assert_refused(result: tuple[int, str, str], message: str) -> None:
    """Exit code 2, one line on stderr that matches, nothing on stdout."""
    code, out, err = result
    lines = [line for line in err.splitlines() if not line.startswith("bipnet: warning:")]
    assert code == 2, err
    assert out == ""
    assert len(lines) == 1, err
    assert lines[0].startswith("bipnet: error: ")
    assert re.search(message, lines[0]), lines[0]


# -- help --------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_help__shows_an_example(cli: Run, command: str) -> None:
    code, out, _ = cli(command, "--help")
    assert code == 0
    assert f"Example: bipnet {command}" in out
    assert "--json" in out


def test_help__loads_neither_torch_nor_numba() -> None:
    program = (
        "import sys; from bipnet.cli import run\n"
        "for arguments in (['--help'], *([c, '--help'] for c in sys.argv[1:])): run(arguments)\n"
        "heavy = {'torch', 'numba', 'scipy', 'zarr', 'pandas', 'matplotlib', 'sklearn'}\n"
        "print('LOADED', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, *COMMANDS], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "LOADED []", done.stderr
    assert process("--help").returncode == 0
    assert process("--version").stdout.split() == ["bipnet,", "version", bipnet.__version__]


# -- randomize and verify ----------------------------------------------------------------------

MATRIX_FILES = ("W.npy", "W.npz", "S.npz", "W.mtx", "W.csv", "W.graphml", "W.konect", "mlp.pt",
                "mlp.safetensors")  # fmt: skip


@pytest.mark.parametrize("name", MATRIX_FILES)
@pytest.mark.parametrize("null", NULL_MODELS)
def test_randomize__of_every_format_verifies(cli: Run, files: Path, name: str, null: str) -> None:
    out = f"R{Path(name).suffix}"
    code, text, err = cli("randomize", name, "--null", null, "--seed", 3, "-o", out)
    assert code == 0, err
    assert text.startswith(f"{out}: null model {null}")
    code, text, _ = cli("verify", name, out, "--null", null, "--json")
    report = json.loads(text)
    assert code == 0
    assert report["ok"]
    assert {check["invariant"] for check in report["layers"][0]["checks"]} == set(
        NULL_MODELS[null].preserves
    )
    code, text, _ = cli("stats", out, "--json")
    assert code == 0
    assert json.loads(text)["layers"]


@pytest.mark.filterwarnings("ignore::bipnet.FrozenWarning")
def test_randomize__gives_the_bits_that_python_gives(cli: Run, files: Path) -> None:
    options = ("--null", "E", "--seed", 11, "--index", 4)
    cli("randomize", "W.npy", *options, "-o", "R.npy")
    R = bipnet.randomize(weights(), "E", rng=11, index=4)
    assert np.array_equal(np.load("R.npy"), R)
    cli("randomize", "mlp.pt", *options, "-o", "R.pt")
    cli("randomize", "mlp.safetensors", *options, "-o", "R.safetensors")
    from safetensors.torch import load_file

    from bipnet.torch import mlp_from_state, swapped

    state = torch.load("R.pt", weights_only=True)
    other = load_file("R.safetensors")
    model = mlp_from_state(torch.load("mlp.pt", weights_only=True))
    with swapped(model, "E", rng=11, index=4):
        for name, tensor in model.state_dict().items():
            assert torch.equal(tensor, state[name])
            assert torch.equal(tensor, other[name])


@pytest.mark.filterwarnings("ignore::bipnet.FrozenWarning")
def test_randomize__in_a_process_of_its_own(files: Path) -> None:
    done = process("randomize", "W.npy", "--null", "G", "--seed", 3, "-o", "R.npy", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["seed"] == 3
    assert np.array_equal(np.load("R.npy"), bipnet.randomize(weights(), "G", rng=3))
    assert process("verify", "W.npy", "R.npy", "--null", "G").returncode == 0
    broken = process("verify", "W.npy", "R.npy", "--null", "B")
    assert broken.returncode == 1
    assert "BROKEN signs" in broken.stdout
    assert process("randomize", "W.npy", "--null", "Z", "-o", "Q.npy").returncode == 2


def test_randomize__changes_the_named_layers_alone(cli: Run, files: Path) -> None:
    cli("randomize", "mlp.pt", "--null", "A", "--seed", 1, "--layers", "2*", "-o", "R.pt")
    before, after = (torch.load(name, weights_only=True) for name in ("mlp.pt", "R.pt"))
    assert [name for name in before if not torch.equal(before[name], after[name])] == ["2.weight"]
    cli("randomize", "W.npz", "--null", "A", "--seed", 1, "-o", "R.npz")
    with np.load("R.npz") as arrays:
        assert np.array_equal(arrays["bias"], np.arange(3.0))


def test_randomize__converts_a_matrix_where_the_format_can_hold_it(cli: Run, files: Path) -> None:
    for name in ("R.mtx", "R.npz", "R.csv"):
        assert cli("randomize", "W.npy", "--null", "B", "--seed", 2, "-o", name)[0] == 0
    assert np.array_equal(scipy.io.mmread("R.mtx"), bipnet.randomize(weights(), "B", rng=2))
    np.save("f.npy", weights().astype(np.float32))
    assert_refused(cli("randomize", "f.npy", "--null", "B", "-o", "f.mtx"), "cannot hold float32")
    assert_refused(
        cli("randomize", "mlp.pt", "--null", "B", "-o", "R2.safetensors"), r"name the output \*\.pt"
    )
    assert not (files / "f.mtx").exists()


def test_randomize__of_labelled_files_keeps_labels_and_names_of_konect(
    cli: Run, files: Path
) -> None:
    Path("edges.csv").write_text("gene,cell,3\ngene,other,-1.5\nlone,cell,2\n")
    graph = bipnet.SignedBipartiteGraph(
        [[3, -1.5], [2, 0]], left_labels=["gene", "lone"], right_labels=["cell", "other"]
    )
    assert cli("randomize", "edges.csv", "--null", "A", "--seed", 2, "-o", "R.graphml")[0] == 0
    source = open_source("R.graphml")
    drawn = source.read(source.layers[0])
    assert drawn == bipnet.randomize(graph, "A", rng=2)
    assert drawn.left_labels == ("gene", "lone")
    # KONECT has the names of nodes in files beside the network.
    assert cli("randomize", "edges.csv", "--null", "A", "--seed", 2, "-o", "out.edges")[0] == 0
    assert cli("randomize", "out.edges", "--null", "A", "--seed", 3, "-o", "out.again")[0] == 0
    for name, seeds in (("out.edges", [2]), ("out.again", [2, 3])):
        source, expected = open_source(name), graph
        for seed in seeds:
            expected = bipnet.randomize(expected, "A", rng=seed)
        assert source.read(source.layers[0]) == expected
    assert cli("randomize", "W.npy", "--null", "B", "--seed", 2, "-o", "out.first")[0] == 0
    assert cli("randomize", "out.first", "--null", "B", "-o", "out.second")[0] == 0
    assert cli("verify", "out.first", "out.second", "--null", "B")[0] == 0
    assert_refused(
        cli("randomize", "out.first", "--null", "B", "-o", "copy.first"), "one graph is written as"
    )


def test_randomize__converts_an_npz_of_one_array_alone(cli: Run, files: Path) -> None:
    np.savez("one.npz", fc=weights())
    for name in ("R.npy", "R.mtx"):
        assert cli("randomize", "one.npz", "--null", "B", "--seed", 2, "-o", name)[0] == 0
        assert cli("verify", "one.npz", name, "--null", "B")[0] == 0
    assert np.array_equal(np.load("R.npy"), bipnet.randomize(weights(), "B", rng=2, name="fc"))
    assert_refused(cli("randomize", "W.npz", "--null", "B", "-o", "Q.npy"), r"name the output \*")


def test_randomize__a_fresh_seed_is_printed_and_can_be_used_again(cli: Run, files: Path) -> None:
    first = json.loads(cli("randomize", "W.npy", "--null", "A", "-o", "1.npy", "--json")[1])
    again = cli("randomize", "W.npy", "--null", "A", "--seed", first["seed"], "-o", "2.npy")
    assert again[0] == 0
    assert np.array_equal(np.load("1.npy"), np.load("2.npy"))


def test_verify__says_what_is_broken_and_where(cli: Run, files: Path) -> None:
    R = weights()
    R[0, :2] = R[0, 1::-1]
    np.save("R.npy", R)
    assert cli("verify", "W.npy", "R.npy", "--null", "A")[0] == 0
    code, out, err = cli("verify", "W.npy", "R.npy", "--null", "D")
    assert code == 1
    assert "right node 0" in out
    assert err == ""
    assert_refused(cli("verify", "W.npy", "mlp.pt", "--null", "D"), "has no layer")


def test_verify__compares_nodes_by_name(cli: Run, files: Path) -> None:
    Path("a.csv").write_text("a,x,1\na,y,-2\nb,x,4\nb,y,5\n")
    Path("moved.csv").write_text("b,y,5\nb,x,4\na,y,-2\na,x,1\n")
    Path("other.csv").write_text("p,x,1\np,y,-2\nq,x,4\nq,y,5\n")
    code, out, _ = cli("verify", "a.csv", "moved.csv", "--null", "E")
    assert code == 0
    assert "compared by name" in out
    found = json.loads(cli("verify", "a.csv", "moved.csv", "--null", "E", "--json")[1])
    assert "compared by name" in found["layers"][0]["note"]
    assert_refused(cli("verify", "a.csv", "other.csv", "--null", "E"), "other nodes")


def test_randomize__does_not_drop_labels(cli: Run, files: Path) -> None:
    Path("named.csv").write_text("a,x,1\na,y,-2\n")
    for name in ("R.npy", "R.npz", "R.mtx"):
        refused = cli("randomize", "named.csv", "--null", "A", "-o", name)
        assert_refused(refused, "cannot hold labels")
        assert not Path(name).exists()
    bare = bipnet.SignedBipartiteGraph([[1.0, -2.0]])
    for name in ("bare.graphml", "bare.csv"):
        save_graph(bare, name)
        out = name.replace(".", "-") + ".npz"
        assert cli("randomize", name, "--null", "A", "-o", out)[0] == 0


def test_verify__takes_a_lone_matrix_for_a_lone_matrix_alone(cli: Run, files: Path) -> None:
    W = weights()
    np.savez("one.npz", fc=W)
    np.savez("two.npz", a=W, b=W)
    assert cli("verify", "one.npz", "W.npy", "--null", "A")[0] == 0
    assert_refused(cli("verify", "two.npz", "W.npy", "--null", "A"), "has no layer 'a'")


# -- certify -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MATRIX_FILES)
@pytest.mark.parametrize("null", NULL_MODELS)
def test_certify__of_every_format_says_what_python_says(
    cli: Run, files: Path, name: str, null: str
) -> None:
    code, out, err = cli("certify", name, "--null", null, "--json")
    assert (code, err) == (0, "")
    report = json.loads(out)
    assert (report["path"], report["null"]) == (name, null)
    first = report["layers"][0]
    del first["layer"]
    if name.startswith("mlp"):
        W = torch.load("mlp.pt", weights_only=True)["0.weight"].numpy().T
    else:
        W = weights()
    if name == "W.csv":  # nodes without edges are lost, and the others numbered anew
        assert first["n_edges"] == np.count_nonzero(W)
    else:
        assert first == bipnet.certify(W, null).to_dict()


def test_certify__prints_a_report_per_layer(cli: Run, files: Path) -> None:
    code, out, err = cli("certify", "mlp.pt", "--null", "G")
    assert (code, err) == (0, "")
    reports = out.split("\n\n")
    state = torch.load("mlp.pt", weights_only=True)
    assert [report.strip() for report in reports] == [
        f"{name}: {bipnet.certify(state[name].numpy().T, 'G')}" for name in ("0.weight", "2.weight")
    ]
    code, out, _ = cli("certify", "mlp.pt", "--null", "G", "--layers", "2*", "--json")
    assert [layer["layer"] for layer in json.loads(out)["layers"]] == ["2.weight"]
    left_right = ("--orientation", "left-right", "--json")
    (layer,) = json.loads(
        cli("certify", "mlp.pt", "--null", "A", "--layers", "2*", *left_right)[1]
    )["layers"]
    assert (layer["n_left"], layer["n_right"]) == (3, 5)


def test_certify__of_a_store_and_in_a_process_of_its_own(cli: Run, files: Path) -> None:
    assert cli("export", "mlp.pt", "-o", "s.zarr")[0] == 0
    done = process("certify", "s.zarr", "--null", "G")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == cli("certify", "mlp.pt", "--null", "G")[1]


# -- stores ------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::bipnet.FrozenWarning")
def test_store__export_randomize_and_verify(cli: Run, files: Path) -> None:
    code, out, _ = cli("export", "mlp.pt", "-o", "s.zarr", "--json")
    assert code == 0
    assert json.loads(out)["layers"] == ["0.weight", "2.weight"]
    assert json.loads(cli("layers", "s.zarr", "--json")[1])["layers"][1]["shape"] == [5, 3]
    assert cli("randomize", "s.zarr", "--null", "G", "--seed", 5)[0] == 0
    draw = bipnet.open_store("s.zarr")["0.weight"].draws[0]
    assert not draw.materialized
    assert draw.recipe.null == "G"
    assert cli("randomize", "s.zarr", "--null", "G", "--seed", 5, "--materialize")[0] == 0
    assert bipnet.open_store("s.zarr")["0.weight"].draws[0].materialized
    assert cli("randomize", "s.zarr", "--null", "G", "--seed", 5, "-o", "r.zarr")[0] == 0
    assert bipnet.open_store("r.zarr")["0.weight"].graph() == draw.graph()
    assert cli("verify", "s.zarr", "r.zarr", "--null", "G")[0] == 0
    assert cli("verify", "mlp.pt", "r.zarr", "--null", "G")[0] == 0
    assert_refused(cli("export", "mlp.pt", "-o", "s.zarr"), "output exists")
    assert cli("export", "mlp.pt", "-o", "s.zarr", "--force")[0] == 0
    assert bipnet.open_store("s.zarr")["0.weight"].draws == []


def test_store__copy_says_in_help_that_it_leaves_the_draws(cli: Run, files: Path) -> None:
    cli("export", "mlp.pt", "-o", "s.zarr")
    cli("randomize", "s.zarr", "--null", "A", "--seed", 1)
    cli("randomize", "s.zarr", "--null", "A", "--seed", 1, "-o", "copy.zarr")
    assert bipnet.open_store("copy.zarr")["0.weight"].draws == []
    assert "not the draws" in " ".join(cli("randomize", "--help")[1].split())


# -- score -------------------------------------------------------------------------------------


def test_score__infers_an_mlp(cli: Run, files: Path) -> None:
    code, out, _ = cli("score", "mlp.pt", "--data", "test.npz", "--json")
    result = json.loads(out)
    assert code == 0
    state = torch.load("mlp.pt", weights_only=True)
    with np.load("test.npz") as data:
        x, y = torch.tensor(data["x"], dtype=torch.float32), data["y"]
    hidden = torch.relu(x @ state["0.weight"].T + state["0.bias"])
    logits = hidden @ state["2.weight"].T + state["2.bias"]
    assert result["accuracy"] == float((logits.argmax(1).numpy() == y).mean())
    other = json.loads(cli("score", "mlp.safetensors", "--data", "test.npz", "--json")[1])
    assert other["accuracy"] == result["accuracy"]


def test_score__randomises_in_memory(cli: Run, files: Path) -> None:
    before = (files / "mlp.pt").read_bytes()
    options = ("--null", "A", "--seed", 2, "--draws", 3, "--json")
    result = json.loads(cli("score", "mlp.pt", "--data", "test.npz", *options)[1])
    assert result["layers"] == ["0.weight", "2.weight"]
    assert len(result["null_accuracies"]) == 3
    for index, accuracy in enumerate(result["null_accuracies"]):
        name = f"R{index}.pt"
        cli("randomize", "mlp.pt", "--null", "A", "--seed", 2, "--index", index, "-o", name)
        score = json.loads(cli("score", name, "--data", "test.npz", "--json")[1])
        assert score["accuracy"] == accuracy
    assert (files / "mlp.pt").read_bytes() == before


FACTORY = """
import torch
def build():
    return torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3))
def other():
    return torch.nn.Linear(2, 2)
def nothing():
    return 3
def fails():
    raise RuntimeError("my\\nown error")
"""


def test_score__builds_anything_else_by_a_factory(cli: Run, files: Path) -> None:
    module = f"models_{os.getpid()}"
    (files / f"{module}.py").write_text(FACTORY)
    options = ("score", "mlp.pt", "--data", "test.npz")
    built = json.loads(cli(*options, "--factory", f"{module}:build", "--json")[1])
    tanh = json.loads(cli(*options, "--activation", "tanh", "--json")[1])
    assert built["accuracy"] == tanh["accuracy"]
    assert_refused(cli(*options, "--factory", f"{module}:other"), "does not fit the model")
    assert_refused(cli(*options, "--factory", f"{module}:nothing"), "must return a torch module")
    assert_refused(cli(*options, "--factory", f"{module}:fails"), "my own error")
    assert_refused(cli(*options, "--factory", f"{module}:missing"), "missing")
    assert_refused(cli(*options, "--factory", "no_such_module:build"), "no_such_module")
    assert_refused(cli(*options, "--factory", "build"), "module:function")


# -- bad input ---------------------------------------------------------------------------------


class _Payload:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch pwned",)


def _bad_files() -> dict[str, tuple[Callable[[str], object], str]]:
    def bytes_of(content: bytes) -> Callable[[str], object]:
        return lambda name: Path(name).write_bytes(content)

    def array(values: Any) -> Callable[[str], object]:
        return lambda name: np.save(name, values, allow_pickle=True)

    def start_of(source: str, n: int) -> Callable[[str], object]:
        return lambda name: Path(name).write_bytes(Path(source).read_bytes()[:n])

    def tensor(values: Any) -> Callable[[str], object]:
        return lambda name: torch.save({"fc.weight": values}, name)

    return {
        "nan.npy": (array(np.array([[1, 2], [3, np.nan]])), r"\[1, 1\] is nan"),
        "inf.npy": (array(np.array([[1, -np.inf]], np.float32)), r"\[0, 1\] is -inf"),
        "complex.npy": (array(np.ones((2, 2)) * 1j), "complex"),
        "object.npy": (array(np.array([[_Payload()]])), "object"),
        "vector.npy": (array(np.ones(3)), "two dimensions"),
        "cube.npy": (array(np.ones((2, 2, 2))), "two dimensions"),
        "rows.npy": (array(np.ones((0, 3))), "no rows"),
        "columns.npy": (array(np.ones((3, 0))), "no columns"),
        "bf16.npy": (array(np.ones((2, 2), ml_dtypes.bfloat16)), "bfloat16"),
        "cut.npy": (start_of("W.npy", 200), "cut.npy is not a readable"),
        "cut.npz": (start_of("W.npz", 200), "cut.npz is not a readable"),
        "cut.mtx": (start_of("W.mtx", 60), "cut.mtx is not a readable"),
        "cut.pt": (start_of("mlp.pt", 900), "cut.pt is not a readable"),
        "cut.safetensors": (start_of("mlp.safetensors", 300), "cut.safetensors is not a readable"),
        "empty.npy": (bytes_of(b""), "is empty|not a readable"),
        "empty.pt": (bytes_of(b""), "not a readable|empty"),
        "columns.csv": (bytes_of(b"left,right,weight\na,b,1\na,c\n"), "line 3: wanted three"),
        "number.csv": (bytes_of(b"a,b,1\na,c,x\n"), "line 2: the weight 'x'"),
        "nan.tsv": (bytes_of(b"a\tb\t1\na\tc\tnan\n"), "line 2: the weight is nan"),
        "twice.csv": (bytes_of(b"a,b,1\na,b,2\n"), "line 2: .* line 1 already"),
        "evil.pt": (lambda name: torch.save({"w": _Payload()}, name), "could execute code"),
        "evil.pth": (bytes_of(pickle.dumps(_Payload())), "could execute code"),
        "evil.pkl": (bytes_of(pickle.dumps(_Payload())), "execute code"),
        "fp8.pt": (tensor(torch.ones(2, 2).to(torch.float8_e4m3fn)), "float8"),
        "nan.pt": (tensor(torch.tensor([[1.0, float("nan")]])), r"fc\.weight.*\[1, 0\] is nan"),
        "model.gguf": (bytes_of(b"GGUF"), "GGUF"),
        "what.xyz": (bytes_of(b"1"), "unknown kind of file"),
    }


@pytest.mark.parametrize("name", _bad_files())
def test_bad_file__is_refused_in_one_line(cli: Run, files: Path, name: str) -> None:
    make, message = _bad_files()[name]
    make(name)
    before = sorted(files.iterdir())
    assert_refused(cli("stats", name), message)
    assert_refused(cli("certify", name, "--null", "G"), message)
    assert_refused(cli("randomize", name, "--null", "A", "-o", f"R{Path(name).suffix}"), message)
    assert sorted(files.iterdir()) == before


BAD_CALLS: dict[str, tuple[tuple[object, ...], str]] = {
    "no such file": (("stats", "no.npy"), "no such file: no.npy"),
    "no such folder": (("stats", "no/"), "no such file"),
    "a folder without a checkpoint": (("stats", "."), "folder without a model.safetensors"),
    "unknown null model": (
        ("randomize", "W.npy", "--null", "H", "-o", "R.npy"),
        ".*".join(f"{letter}: " for letter in NULL_MODELS),
    ),
    "certify by an unknown null model": (("certify", "W.npy", "--null", "g"), "seven null models"),
    "certify without a null model": (("certify", "W.npy"), "Missing option '--null'"),
    "certify without a file": (("certify", "no.npy", "--null", "G"), "no such file: no.npy"),
    "certify without a match": (
        ("certify", "mlp.pt", "--null", "A", "--layers", "fc*"),
        r"'fc\*'.*0\.weight, 2\.weight",
    ),
    "glob without a match": (
        ("randomize", "mlp.pt", "--null", "A", "--layers", "fc*", "-o", "R.pt"),
        r"'fc\*'.*0\.weight, 2\.weight",
    ),
    "existing output": (("randomize", "W.npy", "--null", "A", "-o", "W.npy"), "exists.*--force"),
    "no folder for the output": (
        ("randomize", "W.npy", "--null", "A", "-o", "no/R.npy"),
        "no such folder",
    ),
    "output is a folder": (
        ("randomize", "W.npy", "--null", "A", "-o", ".", "--force"),
        "folder|one graph is written as",
    ),
    "no output": (("randomize", "W.npy", "--null", "A"), "name an output file"),
    "negative seed": (("randomize", "W.npy", "--null", "A", "--seed", -1, "-o", "R.npy"), "seed"),
    "steps of an exact model": (
        ("randomize", "W.npy", "--null", "A", "--steps", 5, "-o", "R.npy"),
        "only G takes them",
    ),
    "unknown method": (
        ("randomize", "W.npy", "--null", "G", "--method", "x", "-o", "R.npy"),
        "trade, swap",
    ),
    "unknown orientation": (("layers", "mlp.pt", "--orientation", "up"), "orientation"),
    "unknown command": (("randomise", "W.npy"), "No such command"),
    "missing argument": (("randomize",), "Missing argument"),
    "no test data": (("score", "mlp.pt", "--data", "no.npz"), "no such file: no.npz"),
    "test data without x": (("score", "mlp.pt", "--data", "W.npz"), "must hold arrays x and y"),
    "a matrix is no state": (("score", "W.npy", "--data", "test.npz"), "a state dict is a"),
    "bad device": (("score", "mlp.pt", "--data", "test.npz", "--device", "x"), "device 'x'"),
    "bad null model before work": (
        ("score", "mlp.pt", "--data", "test.npz", "--null", "x"),
        "seven null models",
    ),
    "demo without data": (("demo", "--data", "mnist", "--data-dir", "."), "train-images"),
    "demo of digits from a folder": (("demo", "--data-dir", "."), "--data-dir .*embedded"),
    "demo of digits downloaded": (("demo", "--download"), "--download .*embedded"),
    "demo without a folder": (("demo", "-o", "no/such"), "no such folder"),
}


@pytest.mark.parametrize("case", BAD_CALLS)
def test_bad_call__is_refused_in_one_line(cli: Run, files: Path, case: str) -> None:
    before = {path: path.read_bytes() for path in files.iterdir()}
    arguments, message = BAD_CALLS[case]
    assert_refused(cli(*arguments), message)
    assert {path: path.read_bytes() for path in files.iterdir()} == before


def test_score__refuses_data_that_does_not_fit(cli: Run, files: Path) -> None:
    x, y = np.ones((4, 6)), np.zeros(4, int)
    for arrays, message in (
        ({"x": np.ones((4, 7)), "y": y}, "takes 6 inputs, the data has 7"),
        ({"x": x, "y": np.full(4, 3)}, r"labels must lie in 0\.\.2"),
        ({"x": x, "y": y - 1}, "labels must lie in"),
        ({"x": x, "y": np.zeros(3, int)}, "4 samples and y 3 labels"),
        ({"x": x * np.nan, "y": y}, "not finite"),
        ({"x": x, "y": np.zeros(4)}, "y integers"),
        ({"x": np.ones((0, 6)), "y": np.zeros(0, int)}, "no samples"),
    ):
        np.savez("bad.npz", **arrays)
        assert_refused(cli("score", "mlp.pt", "--data", "bad.npz"), message)


def test_disk_full__leaves_the_old_output_and_no_partial_file(files: Path) -> None:
    np.save("big.npy", np.ones((200, 200)))
    np.save("R.npy", np.zeros((1, 1)))
    before = sorted(files.iterdir())

    def small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    environment = {**os.environ, "NUMBA_CACHE_DIR": str(files.parent)}
    done = process(
        *("randomize", "big.npy", "--null", "A", "-o", "R.npy", "--force"),
        preexec_fn=small_files,
        env=environment,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert re.match("bipnet: error: .*(File too large|disk full)", done.stderr.splitlines()[-1])
    assert "Traceback" not in done.stderr
    assert np.load("R.npy").shape == (1, 1)
    assert [path for path in sorted(files.iterdir()) if path.name[:6] != "kernel"] == before


def test_interrupt__leaves_no_partial_file(files: Path) -> None:
    np.save("big.npy", np.random.default_rng(0).normal(size=(600, 500)))
    running = subprocess.Popen(
        [BIPNET, *["randomize", "big.npy", "--null", "G", "--steps", "2000000", "-o", "R.npy"]],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not list(files.glob(".R.npy*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.0)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert out == ""
    assert err.splitlines()[-1].startswith("bipnet: error: interrupted")
    assert "Traceback" not in err
    assert not list(files.glob("*R.npy*"))


def test_pipe__closed_by_its_reader_is_no_error(files: Path) -> None:
    done = subprocess.run(
        f"{BIPNET} layers mlp.pt --json | head -1; exit ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "{\n"
    assert done.stderr == ""


# -- more of the same, found by use --------------------------------------------------------------


def test_every_command__in_a_process_of_its_own(files: Path) -> None:
    steps: list[tuple[object, ...]] = [
        ("layers", "mlp.pt", "--json"),
        ("export", "mlp.safetensors", "-o", "s.zarr", "--json"),
        ("stats", "s.zarr", "--json"),
        ("score", "mlp.pt", "--data", "test.npz", "--json"),
    ]
    for step in steps:
        done = process(*step)
        assert (done.returncode, done.stderr) == (0, ""), step
        assert json.loads(done.stdout)
    refused = process("stats", "no.npy")
    assert_refused((refused.returncode, refused.stdout, refused.stderr), "no such file")


def test_help__alone_and_short(cli: Run) -> None:
    code, out, err = cli()
    assert code == 2
    assert "Commands:" in out + err
    for command in COMMANDS:
        assert cli(command, "-h")[:2] == cli(command, "--help")[:2]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_score__takes_models_of_every_float_width(cli: Run, files: Path, dtype: str) -> None:
    state = torch.load("mlp.pt", weights_only=True)
    width = getattr(torch, dtype)
    torch.save({name: tensor.to(width) for name, tensor in state.items()}, "m.pt")
    code, out, err = cli(
        "score", "m.pt", "--data", "test.npz", "--null", "A", "--seed", 1, "--json"
    )
    assert code == 0, err
    plain = json.loads(cli("score", "mlp.pt", "--data", "test.npz", "--json")[1])["accuracy"]
    assert json.loads(out)["accuracy"] == pytest.approx(plain, abs=0.1)


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_score__refuses_fp8_by_name(cli: Run, files: Path, suffix: str) -> None:
    state = torch.load("mlp.pt", weights_only=True)
    fp8 = {name: tensor.to(torch.float8_e4m3fn) for name, tensor in state.items()}
    torch.save(fp8, "q.pt") if suffix == "pt" else save_file(fp8, "q.safetensors")
    assert_refused(
        cli("score", f"q.{suffix}", "--data", "test.npz"), r"tensor 0\.(weight|bias).*float8_e4m3fn"
    )


def test_store__copy_keeps_the_order_of_its_layers(cli: Run, files: Path) -> None:
    assert cli("export", "mlp.pt", "-o", "s.zarr")[0] == 0
    options = ("--null", "A", "--seed", 1, "--layers", "2*")
    assert cli("randomize", "s.zarr", *options, "-o", "r.zarr")[0] == 0
    old, new = bipnet.open_store("s.zarr"), bipnet.open_store("r.zarr")
    assert list(new) == list(old) == ["0.weight", "2.weight"]
    assert new["0.weight"].graph() == old["0.weight"].graph()
    assert new["2.weight"].graph() != old["2.weight"].graph()


@pytest.mark.parametrize("output", ["R.npy", "R.safetensors", "R.pt"])
def test_store__is_not_written_as_a_file(cli: Run, files: Path, output: str) -> None:
    cli("export", "mlp.pt", "-o", "s.zarr")
    assert_refused(cli("randomize", "s.zarr", "--null", "A", "-o", output), r"name the output \*")
    assert not Path(output).exists()


def test_layers__globs_may_be_repeated(cli: Run, files: Path) -> None:
    out = cli("layers", "mlp.pt", "--layers", "0*", "--layers", "2.weight", "--json")[1]
    assert [layer["name"] for layer in json.loads(out)["layers"]] == ["0.weight", "2.weight"]
    out = cli("layers", "mlp.pt", "--layers", "2", "--json")[1]
    assert [layer["name"] for layer in json.loads(out)["layers"]] == ["2.weight"]


def test_damaged_store__is_refused_in_one_line(cli: Run, files: Path) -> None:
    for victim in ("zarr.json", "layers/0.weight/zarr.json"):
        cli("export", "mlp.pt", "-o", "s.zarr", "--force")
        Path("s.zarr", victim).write_bytes(b"{")
        assert_refused(cli("stats", "s.zarr"), "s.zarr")
        shutil.rmtree("s.zarr")


@pytest.mark.parametrize("suffix", ["npy", "npz", "mtx", "csv", "pt", "safetensors"])
def test_disk_full__of_every_format_is_one_line(files: Path, suffix: str) -> None:
    W = np.random.default_rng(0).normal(size=(150, 150))
    if suffix == "pt":
        torch.save({"a.weight": torch.tensor(W)}, "big.pt")
    elif suffix == "safetensors":
        save_file({"a.weight": torch.tensor(W)}, "big.safetensors")
    elif suffix == "npz":
        np.savez("big.npz", W=W)
    else:
        save_graph(bipnet.SignedBipartiteGraph(W), f"big.{suffix}")
    before = sorted(files.iterdir())

    def small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))

    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}  # no kernel need be written
    done = process(
        *("randomize", f"big.{suffix}", "--null", "A", "--seed", 1, "-o", f"R.{suffix}"),
        preexec_fn=small_files,
        env=environment,
    )
    assert_refused((done.returncode, done.stdout, done.stderr), "File too large|disk full")
    assert sorted(files.iterdir()) == before


def test_interrupt__is_one_line_alone(files: Path) -> None:
    arguments = ("W.npy", "--null", "G", "--seed", "1", "--steps", "100000000", "-o", "R.npy")
    running = subprocess.Popen(
        [BIPNET, "randomize", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not list(files.glob(".R.npy*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (130, "")
    assert without_news(err) == "bipnet: error: interrupted; no output was left half-written\n"
    assert not list(files.glob("*R.npy*"))


def test_stdout__gone_or_closed_is_no_error(files: Path) -> None:
    for ending in ("| true; exit ${PIPESTATUS[0]}", ">&-"):
        done = subprocess.run(
            ["bash", "-c", f'"$0" layers mlp.pt {ending}', str(BIPNET)],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_score__refuses_options_that_would_do_nothing(cli: Run, files: Path) -> None:
    options = ("score", "mlp.pt", "--data", "test.npz")
    for idle in (("--draws", 3), ("--seed", 1), ("--layers", "x"), ("--index", 0), ("--steps", 2)):
        assert_refused(cli(*options, *idle), f"{idle[0]} says how to randomise")


def test_score__gives_whole_numbers_to_a_factory_as_they_are(cli: Run, files: Path) -> None:
    module = f"embedding_{os.getpid()}"
    (files / f"{module}.py").write_text(
        "import torch\ndef build():\n"
        "    return torch.nn.Sequential(torch.nn.Embedding(9, 4), torch.nn.Flatten(),"
        " torch.nn.Linear(8, 3))\n"
    )
    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.Embedding(9, 4), torch.nn.Flatten(), torch.nn.Linear(8, 3))
    torch.save(model.state_dict(), "embedding.pt")
    x, y = np.arange(18).reshape(9, 2) % 9, np.arange(9) % 3
    np.savez("words.npz", x=x, y=y)
    options = ("--data", "words.npz", "--factory", f"{module}:build", "--json")
    result = json.loads(cli("score", "embedding.pt", *options)[1])
    assert result["accuracy"] == float((model(torch.tensor(x)).argmax(1).numpy() == y).mean())


def test_score__chains_layers_of_safetensors_by_number(cli: Run, files: Path) -> None:
    torch.manual_seed(2)
    layers = [torch.nn.Linear(6, 6) for _ in range(12)]
    state = {f"layer{i}.{k}": v for i, m in enumerate(layers) for k, v in m.state_dict().items()}
    save_file(state, "deep.safetensors")
    torch.save(state, "deep.pt")
    np.savez("six.npz", x=np.random.default_rng(1).normal(size=(200, 6)), y=np.arange(200) % 6)
    scores = [
        json.loads(cli("score", name, "--data", "six.npz", "--null", "A", "--seed", 1, "--json")[1])
        for name in ("deep.safetensors", "deep.pt")
    ]
    assert scores[0]["accuracy"] == scores[1]["accuracy"]
    assert scores[0]["null_accuracies"] == scores[1]["null_accuracies"]


def test_store__copy_keeps_where_its_layers_are_from(cli: Run, files: Path) -> None:
    cli("export", "mlp.pt", "-o", "s.zarr")
    cli("randomize", "s.zarr", "--null", "A", "--seed", 1, "-o", "r.zarr")
    before, after = (
        bipnet.open_store(name)["0.weight"].provenance for name in ("s.zarr", "r.zarr")
    )
    assert after["source"] == before["source"] == "mlp.pt (torch state dict)"
    assert after["orientation"] == before["orientation"] == "right-left"
    assert after["provenance"]["copied_from"] == "s.zarr"


@pytest.mark.parametrize("extra", [(), ("--json",)])
def test_verify__that_fails_says_so_to_a_reader_who_has_gone(
    files: Path, extra: tuple[str, ...]
) -> None:
    np.save("R.npy", -weights())
    read, write = os.pipe()
    os.close(read)
    for after, code in (("R.npy", 1), ("W.npy", 0)):
        done = subprocess.run(
            [BIPNET, "verify", "W.npy", after, "--null", "B", *extra],
            stdout=write,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
        )
        assert (done.returncode, done.stderr) == (code, "")
    os.close(write)


@pytest.mark.parametrize("encoding", ["latin1", "utf-8:strict"])
def test_stdout__that_cannot_show_a_name_gets_it_escaped(files: Path, encoding: str) -> None:
    np.savez("names.npz", **{"層1😀": weights(), "é": weights()})
    path = os.fsdecode(b"\xff.npz")
    shutil.copy("names.npz", path)
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    for extra in ((), ("--json",)):
        done = subprocess.run(
            [BIPNET, "layers", path, *extra], capture_output=True, timeout=120, env=environment
        )
        assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode("utf-8" if encoding.startswith("utf") else encoding)
    assert [layer["name"] for layer in json.loads(text)["layers"]] == ["層1😀", "é"]
    missing = subprocess.run(
        [BIPNET, "layers", os.fsdecode(b"no\xff.npy")],
        capture_output=True,
        timeout=120,
        env=environment,
    )
    assert missing.returncode == 2
    assert missing.stderr.startswith(b"bipnet: error: no such file: no")
    assert missing.stderr.count(b"\n") == 1


def test_disk_full__during_export_is_one_line_with_the_output(files: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez("big.npz", W=rng.normal(size=(3000, 2000)))  # a dozen chunks
    before = sorted(files.iterdir())

    def small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = process("export", "big.npz", "-o", "s.zarr", preexec_fn=small_files, env=environment)
    assert_refused((done.returncode, done.stdout, done.stderr), r"File too large.*s\.zarr$")
    assert sorted(files.iterdir()) == before
