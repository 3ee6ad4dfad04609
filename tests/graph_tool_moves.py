"""Runs in a Python that has graph-tool and knows nothing of bipnet, for test_moving.py.

Arguments: what to do, a folder, and the file of `bipnet.convert.graph_tool_maps`.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np


def loaded(file: str) -> Any:
    """A module by its file."""
    spec = importlib.util.spec_from_file_location("maps", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def inputs(folder: Path, ending: str) -> list[Path]:
    """The files 0, 1, 2 ... of an ending."""
    found = []
    while (path := folder / f"{len(found)}{ending}").exists():
        found.append(path)
    return found


def through_maps(folder: Path, maps: Any) -> Any:
    """Property maps made, and read again."""
    answers = []
    for path in inputs(folder, ".npz"):
        facts = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        with np.load(path) as arrays:
            parts = dict(arrays)
        graph = maps.write_maps(sides=facts["sides"], labels=facts["labels"],
                                texts=facts["texts"], **parts)  # fmt: skip
        assert not graph.is_directed()
        assert graph.num_vertices() == len(facts["sides"])
        for edge, weight in zip(graph.edges(), parts["weights"].tolist(), strict=True):
            assert graph.ep["weight"][edge] == weight
            assert graph.ep["sign"][edge] == (1 if weight > 0 else -1)
        found = maps.read_maps(graph, "weight", "sign", "bipartite",
                               None if facts["labels"] is None else "label")  # fmt: skip
        np.savez(
            path.with_name(f"{path.stem}-back.npz"),
            ends=found.pop("ends"),
            weights=found.pop("weights"),
            signs=found.pop("signs"),
            sides=found.pop("sides"),
        )
        if isinstance(found["labels"], np.ndarray):
            found["labels"] = found["labels"].tolist()
        answers.append(found)
    return answers


def through_graphml(folder: Path) -> Any:
    """Files read by graph-tool and written by it; the weights it has read."""
    graph_tool: Any = importlib.import_module("graph_tool")
    found = []
    for path in inputs(folder, ".graphml"):
        graph = graph_tool.load_graph(str(path))
        graph.save(str(path.with_name(f"{path.stem}-back.graphml")))
        weight = graph.ep["weight"]
        if weight.value_type() == "long double":  # what it makes of a double
            doubles = weight.copy("double")
            assert all(weight[edge] == doubles[edge] for edge in graph.edges())
            weight = doubles
        found.append([weight[edge] for edge in graph.edges()])
    return found


def odd_ones(maps: Any) -> Any:
    """A view with hidden vertices and edges, a map that is not there, and a map itself."""
    graph_tool: Any = importlib.import_module("graph_tool")
    graph = maps.write_maps(
        [(0, 2), (1, 2)], np.array([2.5, -1.0]), [1, -1], [0, 0, 1, 1], None, {}
    )
    view = graph_tool.GraphView(graph, vfilt=[True, False, True, True])
    seen = maps.read_maps(view, "weight", None, "bipartite", None)
    try:
        maps.read_maps(graph, "mass", None, "bipartite", None)
        missing: Any = None
    except KeyError as error:
        missing = list(error.args)
    own = maps.read_maps(graph, graph.ep["weight"], None, graph.vp["bipartite"], None)
    return {
        "view": {
            "nodes": seen["nodes"],
            "ends": seen["ends"].tolist(),
            "weights": seen["weights"].tolist(),
            "sides": seen["sides"].tolist(),
        },
        "missing": missing,
        "map given itself": own["weights"].tolist(),
    }


def main() -> None:
    """Do what the arguments say, and answer in JSON."""
    what, folder, file = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    if what == "maps":
        answer = through_maps(folder, loaded(file))
    elif what == "graphml":
        answer = through_graphml(folder)
    else:
        answer = odd_ones(loaded(file))
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
