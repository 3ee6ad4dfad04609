"""igraph (GPL, so an extra of its own): vertices with ``type`` False (left) or True (right)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bipnet.convert.assembly import Nodes, library, parts_of
from bipnet.errors import DTypeError, InputError
from bipnet.graph import SignedBipartiteGraph

if TYPE_CHECKING:
    import igraph

INSTALL = "pip install 'bipnet[igraph]' (igraph is GPL)"


def to_igraph(
    W: Any,
    *,
    left_labels: Sequence[Any] | None = None,
    right_labels: Sequence[Any] | None = None,
) -> igraph.Graph:
    """An undirected igraph graph; `from_igraph` gives it back bit for bit.

    Left nodes come first. Attributes: of vertices ``type`` (igraph's own name for the side of a
    bipartite graph) and, if a side has labels, ``name``; of edges ``weight`` and ``sign`` (1 or
    -1); of the graph ``dtype`` and ``labels`` (the sides that have labels).

    Parameters
    ----------
    W
        A matrix in any accepted container, or a `SignedBipartiteGraph`.
    left_labels, right_labels
        Names of the nodes; of a graph, instead of its own.

    Raises
    ------
    MissingExtraError
        igraph is not installed.
    """
    ig = library("igraph", INSTALL)
    parts = parts_of(W, left_labels, right_labels)
    graph: igraph.Graph = ig.Graph(len(parts.names), parts.ends.tolist())
    graph["dtype"], graph["labels"] = parts.dtype, parts.labels
    graph.vs["type"] = [False] * len(parts.left) + [True] * len(parts.right)
    labels = parts.labels_of_all
    if labels is not None:
        graph.vs["name"] = labels
    graph.es["weight"] = parts.weights.tolist()
    graph.es["sign"] = parts.signs.tolist()
    return graph


def from_igraph(
    G: igraph.Graph,
    weight: str | None = "weight",
    sign: str | None = None,
    *,
    side: str = "type",
    label: str | None = None,
    dtype: Any = None,
) -> SignedBipartiteGraph:
    """The graph behind a bipartite igraph graph.

    Parameters
    ----------
    G
        Undirected, without parallel edges.
    weight, sign, side, label
        Attributes; as in `bipnet.convert.from_networkx`. ``label=None``: ``name``, or, where
        there is none, the vertices' numbers.
    dtype
        Of the weights. None: what the graph's attribute ``dtype`` says; without it that of the
        numbers.

    Raises
    ------
    InputError, DTypeError
        As `bipnet.convert.from_networkx`; an attribute that is not there.
    MissingExtraError
        igraph is not installed.
    """
    ig = library("igraph", INSTALL)
    if not isinstance(G, ig.Graph):
        raise DTypeError(f"wanted an igraph graph, got {type(G).__name__}")
    if G.is_directed():
        raise InputError(
            "this igraph graph is directed; bipnet's edges have no direction: pass"
            " G.as_undirected(mode='each')"
        )
    known = {"vertex": G.vs.attributes(), "edge": G.es.attributes()}
    if label is None and "name" in known["vertex"]:
        label = "name"
    wanted = [("vertex", side), ("vertex", label), ("edge", weight), ("edge", sign)]
    for which, name in wanted:
        # Without vertices or edges igraph knows no attribute of theirs.
        if name is not None and name not in known[which] and (which == "vertex" or G.ecount()):
            raise InputError(f"the graph has no {which} attribute {name!r}; it has {known[which]}")
    claimed = "sign" if sign is None and "sign" in known["edge"] else sign
    facts = {name: G[name] for name in G.attributes()}
    nodes = Nodes(
        list(range(G.vcount())) if label is None else G.vs[label],
        G.vs[side],
        side,
        facts.get("labels"),
    )
    return nodes.graph(
        G.get_edgelist(),
        G.es[weight] if weight is not None and G.ecount() else None,
        signs=G.es[claimed] if claimed is not None and G.ecount() else None,
        magnitudes=sign is not None,
        dtype=facts.get("dtype") if dtype is None else dtype,
    )
