"""Runs in a Python that has graph-tool and knows nothing of bipnet: commands in, JSON out.

A command is a line of JSON on stdin, an answer a line of JSON on stdout.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from typing import Any


def main() -> None:
    """Answer until stdin ends."""
    np: Any = importlib.import_module("numpy")
    graph_tool: Any = importlib.import_module("graph_tool")
    generation: Any = importlib.import_module("graph_tool.generation")
    if "--version" in sys.argv:
        print(graph_tool.__version__.split()[0], "with NumPy", np.__version__)
        return
    graph: Any = None
    for line in sys.stdin:
        ask = json.loads(line)
        seconds = 0.0
        if ask["command"] == "prepare":
            graph = graph_tool.Graph(directed=True)
            graph.add_vertex(ask["n_nodes"])
            graph.add_edge_list(np.load(ask["path"]))
        elif ask["command"] == "run":
            start = time.perf_counter()
            generation.random_rewire(graph, model="configuration", n_iter=ask["sweeps"])
            seconds = time.perf_counter() - start
        elif ask["command"] == "edges":
            np.save(ask["path"], graph.get_edges())
        print(json.dumps({"seconds": seconds}), flush=True)


if __name__ == "__main__":
    main()
