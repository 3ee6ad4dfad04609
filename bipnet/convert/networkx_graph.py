"""networkx: a graph whose nodes have ``bipartite`` 0 (left) or 1 (right)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from bipnet.convert.assembly import LABEL_TYPE, Nodes, library, parts_of, typed_label
from bipnet.errors import DTypeError, InputError
from bipnet.graph import SignedBipartiteGraph

if TYPE_CHECKING:
    import networkx

INSTALL = "pip install 'bipnet[networkx]'"


def to_networkx(
    W: Any,
    *,
    left_labels: Sequence[Any] | None = None,
    right_labels: Sequence[Any] | None = None,
    nodes: Literal["labels", "numbers"] = "labels",
) -> networkx.Graph[Any]:
    """A networkx graph of a matrix or graph; `from_networkx` gives it back bit for bit.

    Nodes have ``bipartite`` (0 left, 1 right), edges ``weight`` and ``sign`` (1 or -1); the
    graph has ``dtype`` and ``labels`` (the sides whose nodes have labels).

    Parameters
    ----------
    W
        A matrix in any accepted container, or a `SignedBipartiteGraph`.
    left_labels, right_labels
        Names of the nodes; of a graph, instead of its own.
    nodes
        "labels": nodes are their labels; those of a side without labels are numbered, left ones
        from 0, right ones from n_left. "numbers": all are numbered so, and have their labels as
        attribute ``label``.

    Raises
    ------
    InputError
        A label that stands on both sides, or None, with ``nodes="labels"``.
    MissingExtraError
        networkx is not installed.

    Examples
    --------
    >>> G = to_networkx([[0.5, 0.0], [0.0, -2.0]], left_labels="ab", right_labels="xy")
    >>> G.nodes["x"], G.edges["b", "y"]
    ({'bipartite': 1}, {'weight': -2.0, 'sign': -1})
    >>> from_networkx(G).right_labels
    ('x', 'y')
    """
    nx = library("networkx", INSTALL)
    if nodes not in ("labels", "numbers"):
        raise InputError(f"nodes must be 'labels' or 'numbers', got {nodes!r}")
    parts = parts_of(W, left_labels, right_labels)
    n_left, names = len(parts.left), parts.names
    graph: networkx.Graph[Any] = nx.Graph(dtype=parts.dtype, labels=parts.labels)
    if nodes == "labels":
        _require_different(parts.left, parts.right)
        graph.add_nodes_from(
            (name, {"bipartite": int(k >= n_left)}) for k, name in enumerate(names)
        )
    else:
        graph.graph["label"] = "label"
        for k, name in enumerate(names):
            label = {"label": name} if parts.has_labels(k) else {}
            graph.add_node(k, bipartite=int(k >= n_left), **label)
        names = list(range(len(names)))
    graph.add_edges_from(
        (names[i], names[j], {"weight": weight, "sign": sign})
        for (i, j), weight, sign in zip(
            parts.ends.tolist(), parts.weights.tolist(), parts.signs.tolist(), strict=True
        )
    )
    return graph


def _require_different(left: list[Any], right: list[Any]) -> None:
    on_left = set(left)
    for label in right:
        if label in on_left:
            raise InputError(
                f"{label!r} names a node of either side, and networkx would make them one: rename"
                " it, or use nodes='numbers'"
            )
    if None in on_left or None in right:
        raise InputError("networkx takes no node None: rename it, or use nodes='numbers'")


def from_networkx(
    G: networkx.Graph[Any],
    weight: str | None = "weight",
    sign: str | None = None,
    *,
    side: str = "bipartite",
    label: str | None = None,
    dtype: Any = None,
) -> SignedBipartiteGraph:
    """The graph behind a bipartite networkx graph; nodes keep their order within a side.

    Parameters
    ----------
    G
        An undirected simple graph, every node of which has ``side`` 0 (left) or 1 (right).
    weight
        Edge attribute with the weight. None: every edge has weight 1.
    sign
        Edge attribute with 1, -1, "+" or "-"; weights are magnitudes then. None: weights have
        their sign, and an attribute ``sign`` that contradicts them is refused.
    side
        Node attribute with the side.
    label
        Node attribute with the label. None: the node itself, or what `to_networkx` has noted.
    dtype
        Of the weights. None: what the graph's attribute ``dtype`` says; without it that of the
        numbers, int64 if all are whole, else float64.

    Raises
    ------
    InputError
        Names the node without a side; the loop, the edge within a side, or one of several edges
        between two nodes; the edge whose weight is missing, zero, not finite, not exact in the
        dtype, or contradicts its sign. A directed graph.
    DTypeError
        Something else than a networkx graph.
    MissingExtraError
        networkx is not installed.

    Examples
    --------
    >>> import networkx
    >>> G = networkx.Graph()
    >>> G.add_node("gene", bipartite=0)
    >>> G.add_node("cell", bipartite=1)
    >>> G.add_edge("cell", "gene", weight=2, sign="-")
    >>> from_networkx(G, sign="sign").edges()[2]
    array([-2])
    """
    nx = library("networkx", INSTALL)
    if not isinstance(G, nx.Graph):
        raise DTypeError(f"wanted a networkx graph, got {type(G).__name__}")
    if G.is_directed():
        raise InputError(
            "this networkx graph is directed; bipnet's edges have no direction: pass"
            " networkx.Graph(G), after a look whether edges run both ways"
        )
    if G.is_multigraph():
        raise InputError(_why_no_multigraph(G))
    position = {node: k for k, node in enumerate(G)}
    if label is None:
        label = G.graph.get("label")
    if not isinstance(label, Hashable):
        raise InputError(
            f"the label is {label!r}; wanted the name of a node attribute: pass label=..., or"
            " remove the graph's own attribute label"
        )
    edges = list(G.edges(data=True))
    signs = None
    if sign is not None or any("sign" in data for _, _, data in edges):
        signs = [data.get("sign" if sign is None else sign) for _, _, data in edges]
    noted = LABEL_TYPE if "labels" in G.graph else None  # a foreign attribute may mean anything
    nodes = Nodes(
        [
            node if label is None else typed_label(data.get(label, node), data.get(noted))
            for node, data in G.nodes(data=True)
        ],
        [data.get(side) for _, data in G.nodes(data=True)],
        side,
        G.graph.get("labels"),
    )
    return nodes.graph(
        [(position[u], position[v]) for u, v, _ in edges],
        None if weight is None else [data.get(weight) for _, _, data in edges],
        signs=signs,
        magnitudes=sign is not None,
        dtype=G.graph.get("dtype") if dtype is None else dtype,
    )


def _why_no_multigraph(G: Any) -> str:
    for u, v in G.edges():
        if G.number_of_edges(u, v) > 1:
            return (
                f"this is a multigraph with {G.number_of_edges(u, v)} edges {u!r} - {v!r}; a simple"
                " graph has one edge between two nodes: add their weights up, or keep one"
            )
    return (
        "this is a multigraph, though no two nodes have more than one edge: pass networkx.Graph(G)"
    )
