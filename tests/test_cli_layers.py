"""bipnet layers: statistics of the weights, one layer at a time, or names and shapes alone."""

from __future__ import annotations

import json
import math
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from safetensors.torch import save_file

import bipnet
from bipnet.cli import run
from bipnet.cli.weights import sigma, statistics

torch = pytest.importorskip("torch")
Run = Callable[..., tuple[int, str, str]]
KEYS = ("n_edges", "positive_fraction", "sigma", "strength_ratio")


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: Any) -> Run:
    """Run a command in this process, in a folder of its own: (exit code, stdout, stderr)."""
    import warnings

    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        with warnings.catch_warnings():
            code = run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def naive(W: Any) -> dict[str, Any]:
    """The statistics by loops over Python's floats."""
    weights = [float(w) for row in W for w in row]
    positive = [w for w in weights if w > 0]
    negative = [-w for w in weights if w < 0]
    n_edges = len(positive) + len(negative)
    mean = math.fsum(weights) / len(weights)
    variance = math.fsum((w - mean) ** 2 for w in weights) / len(weights)
    return {
        "n_edges": n_edges,
        "positive_fraction": len(positive) / n_edges if n_edges else 0.0,
        "sigma": math.sqrt(variance),
        "strength_ratio": math.fsum(positive) / math.fsum(negative) if negative else None,
    }


def same(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Equal to 12 digits, and None where that is wanted."""
    assert list(found) == list(wanted) == list(KEYS)
    return all(
        found[key] is None if value is None else found[key] == pytest.approx(value, rel=1e-12)
        for key, value in wanted.items()
    )


def matrix(shape: tuple[int, int] = (7, 5)) -> Any:
    rng = np.random.default_rng(5)
    W = rng.normal(0.3, 1, shape)
    W[rng.random(shape) < 0.4] = 0
    return W


def layers_of(out: str) -> dict[str, dict[str, Any]]:
    return {layer["name"]: layer for layer in json.loads(out)["layers"]}


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_statistics__are_those_of_the_weights(cli: Run, dtype: str) -> None:
    tensors = {
        "a.weight": torch.from_numpy(matrix((9, 6))).to(getattr(torch, dtype)),
        "b.weight": torch.from_numpy(matrix((6, 4))).to(getattr(torch, dtype)),
        "a.bias": torch.zeros(6),
    }
    save_file(tensors, "m.safetensors")
    code, out, err = cli("layers", "m.safetensors", "--json")
    assert (code, err) == (0, "")
    found = layers_of(out)
    assert list(found) == ["a.weight", "b.weight"]
    for name, layer in found.items():
        wanted = naive(tensors[name].double().T.tolist())
        assert same({key: layer[key] for key in KEYS}, wanted)
    table = cli("layers", "m.safetensors")[1].splitlines()
    assert table[0].split() == [
        "layer", "left", "x", "right", "dtype", "kind", "orientation", "edges", "alpha",
        "sigma(w)", "s+/s-", "note",
    ]  # fmt: skip
    wanted = naive(tensors["a.weight"].double().T.tolist())
    cells = table[1].split()
    assert cells[1:5] == ["a.weight", "6", "x", "9"]
    shown = [f"{wanted[key]:.4g}" for key in KEYS]
    assert cells[8:12] == shown


def test_statistics__of_sparse_and_dense_graphs_are_the_same() -> None:
    for W in (matrix(), matrix((300, 200)), np.zeros((3, 2)), np.ones((3, 2)), -np.ones((2, 2))):
        wanted = naive(W)
        assert same(statistics(bipnet.SignedBipartiteGraph(W)), wanted)
        assert same(statistics(bipnet.SignedBipartiteGraph(scipy.sparse.csr_array(W))), wanted)


def test_sigma__is_that_of_the_experiments() -> None:
    from bipnet.experiments.stacks import sigmas
    from bipnet.torch import MLPStack

    W = torch.from_numpy(matrix()).float()
    stack = MLPStack([W[None]], [torch.zeros(1, 5)])
    assert sigma(bipnet.SignedBipartiteGraph(W)) == pytest.approx(sigmas(stack)[0], rel=1e-12)


def test_statistics__that_no_float_holds_are_null() -> None:
    found = statistics(bipnet.SignedBipartiteGraph([[1e308, 1e308], [1e308, -1e-3]]))
    assert (found["n_edges"], found["sigma"], found["strength_ratio"]) == (4, None, None)


def test_layers__that_are_no_graph_are_listed_with_a_warning(cli: Run) -> None:
    broken = torch.full((3, 2), math.nan)
    save_file({"a.weight": torch.ones(2, 2), "b.weight": broken}, "m.safetensors")
    code, out, err = cli("layers", "m.safetensors", "--json")
    assert code == 0
    assert "warning: no statistics of layer b.weight" in err
    found = layers_of(out)
    assert found["a.weight"]["n_edges"] == 4
    assert [found["b.weight"][key] for key in KEYS] == [None] * 4
    assert cli("layers", "m.safetensors")[1].splitlines()[2].split()[-4:] == ["-"] * 4


def test_without_statistics__no_weight_is_read(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from bipnet.convert.safetensors_file import SafetensorsSource

    save_file({"a.weight": torch.ones(2, 2)}, "m.safetensors")
    monkeypatch.setattr(SafetensorsSource, "read", lambda *_: pytest.fail("read"))
    code, out, _ = cli("layers", "m.safetensors", "--no-statistics", "--json")
    assert code == 0
    (layer,) = json.loads(out)["layers"]
    assert not set(KEYS) & set(layer)
    assert layer["tied"] == []
    text = cli("layers", "m.safetensors", "--no-statistics")[1]
    assert text.splitlines()[0].split()[-2:] == ["orientation", "note"]


def test_tied_tensors__are_named(cli: Run) -> None:
    weight = torch.randn(6, 4)
    model = torch.nn.ModuleDict({"embed": torch.nn.Embedding(6, 4), "head": torch.nn.Linear(4, 6)})
    model["embed"].weight.data, model["head"].weight = weight, model["embed"].weight
    torch.save(model.state_dict(), "m.pt")
    found = layers_of(cli("layers", "m.pt", "--json")[1])
    (name,) = found
    assert found[name]["tied"] == [{"embed.weight": "head.weight"}.get(name, "embed.weight")]
    assert "tied to" in cli("layers", "m.pt")[1]


def test_memory__is_that_of_one_layer(cli: Run) -> None:
    size = 600
    tensors = {f"l{i}.weight": torch.randn(size, size) for i in range(12)}
    save_file(tensors, "m.safetensors")
    del tensors
    cli("layers", "m.safetensors")  # kernels are compiled and imports done
    tracemalloc.start()
    code, _, _ = cli("layers", "m.safetensors")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert code == 0
    assert peak < 6 * size * size * 4  # of 12 layers
