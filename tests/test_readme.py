"""What the README shows runs as it stands there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bipnet

README = Path(__file__).resolve().parents[1] / "README.md"
BIPNET = Path(sys.executable).with_name("bipnet")


def blocks(language: str) -> list[str]:
    """The README's code blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def test_readme__python_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("matplotlib").use("agg")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    examples = blocks("python")
    assert len(examples) == 6
    for example in examples[:3]:
        exec(compile(example, README.name, "exec"), names)
    assert names["g"].n_edges == 784 * 64
    assert names["layer"].draws[0].graph() == names["R"]
    assert names["from_networkx"](names["G"]) == names["named"]
    assert (tmp_path / "random.graphml").is_file()
    # The last two are about the reader's own model and data.
    torch.manual_seed(0)
    model = torch.nn.ModuleDict({"ffn": torch.nn.Linear(5, 2)})
    model.forward = model["ffn"].forward
    names |= {"model": model, "x_test": torch.randn(40, 5), "y_test": torch.zeros(40).long()}
    before = model["ffn"].weight.clone()
    exec(compile(examples[3], README.name, "exec"), names)
    assert 0 <= names["score"] <= 1
    exec(compile(examples[4], README.name, "exec"), names)
    assert len(names["table"]) == 2 + 3 * 2
    assert set(names["gaps"]["by"]) == {"binarize", "B"}
    assert torch.equal(model["ffn"].weight, before)
    exec(compile(examples[5], README.name, "exec"), names)
    assert names["found"]["largest"].observed[0] == abs(names["W"]).max()


def test_readme__the_certificate_shown_is_what_comes_out() -> None:
    W = np.where(np.indices((20, 15)).sum(axis=0) % 2 == 0, 1.0, -1.0)
    W[3] = np.arange(1, 16)
    (shown,) = blocks("text")
    assert shown == f"{bipnet.certify(W, 'G')}\n"


def test_readme__commands_run_on_what_the_demo_leaves(tmp_path: Path) -> None:
    commands = [
        line for block in blocks("sh") for line in block.splitlines() if line.startswith("bipnet ")
    ]
    assert len(commands) == 8
    commands.insert(0, "bipnet demo -o demo --networks 2")
    for command in commands:
        arguments = shlex.split(command)[1:]
        done = subprocess.run(
            [BIPNET, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=240
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        assert done.stdout
    assert (tmp_path / "random.pt").is_file()
