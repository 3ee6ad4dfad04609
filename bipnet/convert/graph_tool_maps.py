"""graph-tool's side of the way: nodes, edges and property maps, in plain NumPy.

Knows nothing of bipnet, so that it also runs (and is tested) in the Python of Debian's
``python3-graph-tool``, which is built for NumPy < 2.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np


def write_maps(
    ends: Any,
    weights: Any,
    signs: Any,
    sides: Any,
    labels: list[Any] | None,
    texts: dict[str, str],
) -> Any:
    """An undirected ``graph_tool.Graph`` with internal property maps.

    Parameters
    ----------
    ends
        (n_edges, 2) numbers of nodes.
    weights, signs
        (n_edges,): maps ``weight`` (double for floats, else int64_t, bool) and ``sign``
        (int32_t).
    sides
        (n_nodes,) 0 or 1: map ``bipartite`` (int32_t).
    labels
        Map ``label``: string or int64_t, or python::object where they are mixed. None: no map.
    texts
        Graph properties (string).
    """
    graph_tool = import_module("graph_tool")
    graph = graph_tool.Graph(directed=False)
    graph.add_vertex(len(sides))
    graph.add_edge_list(np.asarray(ends, dtype=np.int64).reshape(-1, 2))
    kind = {"f": "double", "b": "bool"}.get(np.asarray(weights).dtype.kind, "int64_t")
    graph.ep["weight"] = graph.new_edge_property(kind, vals=weights)
    graph.ep["sign"] = graph.new_edge_property("int32_t", vals=signs)
    graph.vp["bipartite"] = graph.new_vertex_property("int32_t", vals=sides)
    if labels is not None:
        kinds = {type(label) for label in labels}
        whole = kinds == {int} and all(-(1 << 63) <= label < 1 << 63 for label in labels)
        kind = "int64_t" if whole else "string" if kinds == {str} else "object"
        graph.vp["label"] = graph.new_vertex_property(kind, vals=labels)
    for name, text in texts.items():
        graph.gp[name] = graph.new_graph_property("string", text)
    return graph


def read_maps(graph: Any, weight: Any, sign: Any, side: Any, label: Any) -> dict[str, Any]:
    """What the maps hold: the names of internal ones, or maps themselves, or None.

    Gives ``nodes`` (their numbers in the graph), ``ends`` (positions in ``nodes``), ``weights``,
    ``signs``, ``sides``, ``labels`` (each None where there is no map), and ``texts`` (string
    properties of the graph). Vertices and edges that a `GraphView` hides are left out.

    Raises
    ------
    KeyError
        No internal map of a name; the argument is (which, name).
    """
    vertex_maps, edge_maps = graph.vertex_properties, graph.edge_properties
    weight = _found(edge_maps, "edge", weight)
    sign = _found(edge_maps, "edge", sign)
    side = _found(vertex_maps, "vertex", side)
    label = _found(vertex_maps, "vertex", label)
    nodes = graph.get_vertices()
    position = np.full(int(nodes.max(initial=-1)) + 1, -1, dtype=np.int64)
    position[nodes] = np.arange(len(nodes))
    table = graph.get_edges([graph.edge_index])
    numbers = table[:, 2]
    return {
        "nodes": [int(node) for node in nodes],
        "ends": position[table[:, :2]],
        "weights": _values(weight, numbers, lambda: [weight[edge] for edge in graph.edges()]),
        "signs": _values(sign, numbers, lambda: [sign[edge] for edge in graph.edges()]),
        "sides": _values(side, nodes, lambda: [side[node] for node in graph.vertices()]),
        "labels": _values(label, nodes, lambda: [label[node] for node in graph.vertices()]),
        "texts": {
            name: graph.graph_properties[name]
            for name in graph.graph_properties
            if isinstance(graph.graph_properties[name], str)
        },
    }


def _found(maps: Any, which: str, name: Any) -> Any:
    if not isinstance(name, str):
        return name
    if name not in maps:
        raise KeyError(which, name)
    return maps[name]


def _values(prop: Any, at: Any, one_by_one: Any) -> Any:
    """An array of numbers, or a list where graph-tool has no array (text, objects)."""
    if prop is None:
        return None
    array = prop.get_array()
    if array is None:
        return one_by_one()
    values = np.array(array[at])
    return values.astype(bool) if prop.value_type() == "bool" else values
