"""graph-tool's random_rewire, in a Python that has it, on edges directed left -> right.

Debian's python3-graph-tool is built for NumPy < 2, which bipnet cannot share. So a child
(``graph_tool_child.py``) runs in Debian's Python: edges go in and out as files, and the seconds,
measured in the child, come back as JSON.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bipnet.bench.peer import (
    Cells,
    Chain,
    Matrix,
    MissingPeerError,
    bipartite_cells,
    positive_edges,
)

PYTHON_VARIABLE = "BIPNET_GRAPH_TOOL_PYTHON"
_CHILD = Path(__file__).with_name("graph_tool_child.py")


class GraphToolRewire(Chain):
    """Sweeps over all edges, one attempted switch each; refused ones count."""

    name = "graph-tool random_rewire"
    licence = "LGPL-3.0-or-later"
    cannot = "signs (positive graph only), weights, zeros; NumPy 2 (Debian's build)"
    unit = "sweep"
    install = (
        "apt-get install python3-graph-tool, then benchmarks/graph_tool_environment.sh, or name a"
        f" Python that has it in {PYTHON_VARIABLE}"
    )

    @classmethod
    def version(cls) -> str:
        return _python_with_graph_tool()[1]

    def prepare(self, W: Matrix, null: str) -> None:
        self._n_left, self._n_right = W.shape
        left, right = positive_edges(W)
        self._folder = tempfile.TemporaryDirectory()
        self._edges = Path(self._folder.name, "edges.npy")
        np.save(self._edges, np.column_stack([left, right + self._n_left]))
        self._child = subprocess.Popen(
            [_python_with_graph_tool()[0], "-I", _CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._ask("prepare", path=str(self._edges), n_nodes=sum(W.shape))

    def _ask(self, command: str, **arguments: Any) -> Any:
        if self._child.stdin is None or self._child.stdout is None:
            raise RuntimeError("the child of graph-tool has no pipes")
        self._child.stdin.write(json.dumps({"command": command, **arguments}) + "\n")
        self._child.stdin.flush()
        answer = self._child.stdout.readline()
        if not answer:
            raise RuntimeError(f"graph-tool's Python ended with code {self._child.wait()}")
        return json.loads(answer)

    def run(self, steps: int) -> None:
        self.timed(steps)

    def timed(self, steps: int) -> float:
        return float(self._ask("run", sweeps=steps)["seconds"])

    def steps_per_pass(self) -> int:
        return 1

    def default_steps(self) -> tuple[int, str]:
        return 10, "none (default 1): 10 sweeps, as elsewhere"

    def positive(self) -> Cells:
        self._ask("edges", path=str(self._edges))
        return bipartite_cells(np.load(self._edges), self._n_left, self._n_right)

    def close(self) -> None:
        self._child.communicate()  # its loop ends with its input
        self._folder.cleanup()


@functools.cache
def _python_with_graph_tool() -> tuple[str, str]:
    """Path of a Python that can import graph-tool, and graph-tool's version."""
    named = os.environ.get(PYTHON_VARIABLE)
    candidates = [named] if named else [".venv-graph-tool/bin/python", "/usr/bin/python3"]
    for python in candidates:
        try:
            done = subprocess.run(
                [python, "-I", _CHILD, "--version"], capture_output=True, text=True, timeout=60
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0:
            return python, done.stdout.strip()
    raise MissingPeerError(f"not found in {', '.join(candidates)}: {GraphToolRewire.install}")
