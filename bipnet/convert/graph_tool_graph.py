"""graph-tool: property maps ``weight``, ``sign``, ``bipartite`` (0 left, 1 right) and ``label``.

The library must be in this Python: a build for NumPy 2 (conda-forge has one). Debian's
``python3-graph-tool`` is built for NumPy < 2 and lives in a Python of its own; there graphs go
both ways as GraphML (`bipnet.convert.graphml`), which keeps the same maps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bipnet.convert.assembly import Nodes, library, parts_of
from bipnet.convert.graph_tool_maps import read_maps, write_maps
from bipnet.errors import DTypeError, InputError
from bipnet.graph import SignedBipartiteGraph

INSTALL = (
    "conda install -c conda-forge graph-tool; Debian's python3-graph-tool needs NumPy < 2 and"
    " a Python of its own: exchange .graphml files with it (bipnet.convert.save_graph)"
)


def to_graph_tool(
    W: Any,
    *,
    left_labels: Sequence[Any] | None = None,
    right_labels: Sequence[Any] | None = None,
) -> Any:
    """An undirected ``graph_tool.Graph``; `from_graph_tool` gives it back bit for bit.

    Left nodes come first. Internal property maps: of edges ``weight`` and ``sign`` (1 or -1), of
    vertices ``bipartite`` and, if a side has labels, ``label``; of the graph ``dtype`` and
    ``labels`` (the sides that have labels).

    Parameters
    ----------
    W
        A matrix in any accepted container, or a `SignedBipartiteGraph`.
    left_labels, right_labels
        Names of the nodes; of a graph, instead of its own.

    Raises
    ------
    DTypeError
        Whole weights beyond int64.
    MissingExtraError
        graph-tool is not installed in this Python.
    """
    library("graph_tool", INSTALL)
    parts = parts_of(W, left_labels, right_labels)
    if parts.dtype == "uint64" and parts.weights.max(initial=0) > np.iinfo(np.int64).max:
        raise DTypeError("graph-tool has no unsigned 64-bit map, and a weight is beyond int64")
    return write_maps(
        parts.ends,
        parts.weights,
        parts.signs,
        np.repeat([0, 1], [len(parts.left), len(parts.right)]),
        parts.labels_of_all,
        {"dtype": parts.dtype, "labels": parts.labels},
    )


def from_graph_tool(
    G: Any,
    weight: Any = "weight",
    sign: Any = None,
    *,
    side: Any = "bipartite",
    label: Any = None,
    dtype: Any = None,
) -> SignedBipartiteGraph:
    """The graph behind a bipartite ``graph_tool.Graph`` or ``GraphView``.

    Parameters
    ----------
    G
        Undirected (``G.set_directed(False)``), without parallel edges.
    weight, sign, side, label
        Property maps, or names of internal ones. ``weight=None``: every edge has weight 1.
        ``sign=None``: weights have their sign, which an internal map ``sign`` may not
        contradict; else they are magnitudes. ``side``: 0 (left) or 1 (right) for every vertex,
        as `graph_tool.topology.is_bipartite` gives it with ``partition=True``. ``label=None``:
        the map ``label``, or, where there is none, the vertices' numbers.
    dtype
        Of the weights. None: what the graph property ``dtype`` says; without it that of the map.

    Raises
    ------
    InputError, DTypeError
        As `bipnet.convert.from_networkx`; a map that is not there.
    MissingExtraError
        graph-tool is not installed in this Python.
    """
    gt = library("graph_tool", INSTALL)
    if not isinstance(G, gt.Graph):
        raise DTypeError(f"wanted a graph of graph-tool, got {type(G).__name__}")
    if G.is_directed():
        raise InputError(
            "this graph of graph-tool is directed; bipnet's edges have no direction: call"
            " G.set_directed(False), after a look whether edges run both ways"
        )
    if label is None and "label" in G.vertex_properties:
        label = "label"
    claimed = "sign" if sign is None and "sign" in G.edge_properties else sign
    try:
        maps = read_maps(G, weight, claimed, side, label)
    except KeyError as error:
        which, name = error.args
        raise InputError(f"the graph has no internal {which} property {name!r}") from None
    return graph_of_maps(maps, str(side), sign is not None, dtype)


def graph_of_maps(
    maps: dict[str, Any], side: str, magnitudes: bool, dtype: Any = None
) -> SignedBipartiteGraph:
    """The graph of what `read_maps` has found."""
    labels = maps["labels"]
    if isinstance(labels, np.ndarray):
        labels = labels.tolist()
    sides = maps["sides"]
    nodes = Nodes(
        maps["nodes"] if labels is None else labels,
        sides.tolist() if isinstance(sides, np.ndarray) else sides,
        side,
        maps["texts"].get("labels"),
    )
    return nodes.graph(
        maps["ends"],
        maps["weights"],
        signs=maps["signs"],
        magnitudes=magnitudes,
        dtype=maps["texts"].get("dtype") if dtype is None else dtype,
    )
