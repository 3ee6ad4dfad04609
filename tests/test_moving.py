"""Graphs to other tools and back: nothing is lost, and what is no bipartite graph is refused."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import strategies as my
from hypothesis import given
from hypothesis import strategies as st

import bipnet
from bipnet import SignedBipartiteGraph
from bipnet.bench.peer import MissingPeerError
from bipnet.convert import (
    from_anndata,
    from_graph_tool,
    from_igraph,
    from_networkx,
    from_pandas,
    open_source,
    save_graph,
    to_anndata,
    to_graph_tool,
    to_igraph,
    to_networkx,
    to_pandas,
)
from bipnet.convert import graph_tool_maps as maps_module
from bipnet.convert.assembly import parts_of
from bipnet.convert.graph_tool_graph import graph_of_maps
from bipnet.errors import (
    DTypeError,
    FileFormatError,
    InputError,
    MissingExtraError,
    OutputExistsError,
    TooLargeError,
)

Graphs = st.SearchStrategy[SignedBipartiteGraph]

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
TEXTS = st.text(max_size=4)
WRITABLE = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=4).map(
    lambda text: text.replace("\ufffe", "").replace("\uffff", "")
)


@st.composite
def graphs(
    draw: st.DrawFn,
    labels: st.SearchStrategy[Any] = TEXTS | INT64,
    dtypes: tuple[my.DType, ...] = my.DTYPES,
    apart: bool = False,
) -> SignedBipartiteGraph:
    """A graph with labels on no, one or both sides; dense or, with every dtype, sparse."""
    W = draw(my.matrices(dtypes=dtypes, orders=("C",), max_side=6))
    names: list[list[Any] | None] = []
    for n in W.shape:
        some = draw(st.lists(labels, min_size=n, max_size=n, unique=True))
        names.append(some if draw(st.booleans()) else None)
    if apart:  # no label on both sides, nor one that is the number of a node
        names = [
            None if some is None else [f"{side}{label}" for label in some]
            for side, some in zip("lr", names, strict=True)
        ]
    graph = SignedBipartiteGraph(W)
    if draw(st.booleans()):
        rows, columns, weights = graph.edges()
        indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=graph.n_left))])
        graph = SignedBipartiteGraph.from_csr(weights, columns, indptr, graph.shape)
    return SignedBipartiteGraph(graph, left_labels=names[0], right_labels=names[1])


def example() -> SignedBipartiteGraph:
    return SignedBipartiteGraph(
        np.float32([[0.1, 0, -3], [0, 0, 0]]), left_labels=["a", "b"], right_labels=["x", "y", "z"]
    )


# -- networkx --------------------------------------------------------------------------------


@my.property_test
@given(graphs())
def test_networkx__numbered_nodes_lose_nothing(graph: SignedBipartiteGraph) -> None:
    assert from_networkx(to_networkx(graph, nodes="numbers")) == graph


@my.property_test
@given(graphs(apart=True))
def test_networkx__labels_as_nodes_lose_nothing(graph: SignedBipartiteGraph) -> None:
    G = to_networkx(graph)
    assert G.number_of_nodes() == sum(graph.shape)
    assert from_networkx(G) == graph
    assert nx.is_bipartite(G)


def test_networkx__attributes_are_those_that_networkx_users_know() -> None:
    G = to_networkx(example())
    assert dict(G.nodes(data="bipartite")) == {"a": 0, "b": 0, "x": 1, "y": 1, "z": 1}
    assert G.edges["a", "z"] == {"weight": -3.0, "sign": -1}
    assert nx.bipartite.sets(G.subgraph(["a", "x", "z"]))[0] in ({"a"}, {"x", "z"})
    matrix = nx.bipartite.biadjacency_matrix(G, ["a", "b"], ["x", "y", "z"], dtype=np.float32)
    assert (matrix.toarray() == example().to_array()).all()


def test_networkx__its_own_biadjacency_matrix_comes_in() -> None:
    W = scipy.sparse.csr_array(np.array([[0.5, 0.0], [-1.0, 2.0]]))
    G = nx.bipartite.from_biadjacency_matrix(W)
    graph = from_networkx(G)
    assert (graph.to_array() == W.toarray()).all()
    assert graph.right_labels == (2, 3)


def test_networkx__a_labelled_matrix_goes_out() -> None:
    G = to_networkx([[1, 0]], left_labels=["a"], right_labels=np.array([7, 8]))
    assert list(G) == ["a", 7, 8]
    assert [type(node) for node in G] == [str, int, int]
    assert from_networkx(G).dtype == np.int64


def test_networkx__a_label_of_both_sides_needs_numbers() -> None:
    graph = SignedBipartiteGraph([[1.0]], left_labels=["same"], right_labels=["same"])
    with pytest.raises(InputError, match=r"'same' names a node of either side.*nodes='numbers'"):
        to_networkx(graph)
    with pytest.raises(InputError, match="None"):
        to_networkx([[1.0]], left_labels=[None])
    with pytest.raises(InputError, match="must be 'labels' or 'numbers'"):
        to_networkx(graph, nodes="names")  # type: ignore[arg-type]


def test_networkx__magnitudes_take_their_sign_from_an_attribute() -> None:
    G = bipartite([("a", "x", {"w": 2.0, "s": "-"}), ("a", "y", {"w": 3.0, "s": 1})])
    assert from_networkx(G, "w", "s").to_array().tolist() == [[-2.0, 3.0]]
    assert from_networkx(G, None, "s").to_array().tolist() == [[-1, 1]]
    assert from_networkx(G, None).to_array().tolist() == [[1, 1]]
    smallest = bipartite([("a", "x", {"w": np.int8(-128), "s": -1})])
    assert from_networkx(smallest, "w", "s").edges()[2].tolist() == [-128]
    unsigned = bipartite([("a", "x", {"w": np.uint8(200), "s": -1})])
    assert from_networkx(unsigned, "w", "s").edges()[2].tolist() == [-200]


def test_networkx__numpy_scalars_keep_their_dtype() -> None:
    for scalar in (np.float32(0.1), np.float16(0.1), my.BFLOAT16.type(0.5), np.uint8(3), np.True_):
        assert from_networkx(bipartite([("a", "x", {"weight": scalar})])).dtype == scalar.dtype


def test_networkx__mixed_and_huge_numbers_are_exact_or_refused() -> None:
    mixed = bipartite([("a", "x", {"weight": 1}), ("a", "y", {"weight": 0.5})])
    assert from_networkx(mixed).edges()[2].tolist() == [1.0, 0.5]
    huge = bipartite([("a", "x", {"weight": (1 << 64) - 1})])
    assert from_networkx(huge).dtype == np.uint64
    with pytest.raises(InputError, match=r"'a' - 'x' has weight 18446744073709551615.*float64"):
        from_networkx(huge, dtype="float64")
    with pytest.raises(InputError, match=r"'a' - 'x' has weight 18446744073709551615.*int64"):
        from_networkx(huge, dtype="int64")
    odd = bipartite([("a", "x", {"weight": (1 << 53) + 1}), ("a", "y", {"weight": 0.5})])
    with pytest.raises(InputError, match="9007199254740993, which float64 cannot hold"):
        from_networkx(odd)
    both = bipartite([("a", "x", {"weight": 1 << 63}), ("a", "y", {"weight": -1})])
    with pytest.raises(InputError, match=r"'a' - 'y' has weight -1: whole weights must all fit"):
        from_networkx(both)
    edge_of_range = bipartite([("a", "x", {"weight": (1 << 63) - 1})])
    with pytest.raises(InputError, match="which float32 cannot hold"):
        from_networkx(edge_of_range, dtype="float32")


def bipartite(
    edges: list[Any], left: str = "ab", right: str = "xyz", kind: Callable[[], Any] = nx.Graph
) -> Any:
    G = kind()
    G.add_nodes_from(left, bipartite=0)
    G.add_nodes_from(right, bipartite=1)
    G.add_edges_from(edges)
    ends = {node for edge in edges for node in edge[:2]}
    G.remove_nodes_from([node for node in G if node not in ends])
    return G


def changed(change: Callable[[Any], Any]) -> Any:
    G = to_networkx(example())
    change(G)
    return G


REFUSED_BY_NETWORKX: dict[str, tuple[Callable[[], Any], str]] = {
    "loop": (
        lambda: changed(lambda G: G.add_edge("a", "a", weight=1.0)),
        "node 'a' has an edge to itself",
    ),
    "same side": (
        lambda: changed(lambda G: G.add_edge("z", "x", weight=1.0)),
        "edge 'x' - 'z' lies within the right side",
    ),
    "no side": (lambda: changed(lambda G: G.add_node("new")), "node 'new' has no bipartite"),
    "odd side": (
        lambda: changed(lambda G: G.add_node("new", bipartite=2)),
        "node 'new' has 2 as its bipartite",
    ),
    "text as side": (
        lambda: changed(lambda G: G.add_node("new", bipartite="0")),
        "node 'new' has '0' as its bipartite",
    ),
    "no weight": (lambda: changed(lambda G: G.add_edge("b", "x")), "edge 'b' - 'x' has no weight"),
    "text as weight": (
        lambda: changed(lambda G: G.add_edge("b", "x", weight="3")),
        "edge 'b' - 'x' has weight '3', which is no number",
    ),
    "complex": (
        lambda: changed(lambda G: G.add_edge("b", "x", weight=1j)),
        "edge 'b' - 'x' has weight 1j, which is no number",
    ),
    "zero": (lambda: changed(lambda G: G.add_edge("b", "x", weight=0)), "'b' - 'x' has weight 0"),
    "minus zero": (
        lambda: changed(lambda G: G.add_edge("b", "x", weight=-0.0)),
        "'b' - 'x' has weight 0",
    ),
    "NaN": (
        lambda: changed(lambda G: G.add_edge("b", "x", weight=float("nan"))),
        "'b' - 'x' has weight nan, which is not finite",
    ),
    "infinite": (
        lambda: changed(lambda G: G.add_edge("b", "x", weight=-float("inf"))),
        "'b' - 'x' has weight -inf, which is not finite",
    ),
    "contradiction": (
        lambda: changed(lambda G: G.add_edge("b", "x", weight=2.0, sign=-1)),
        r"'b' - 'x' has weight 2.0, which contradicts its sign.*sign=",
    ),
    "odd sign": (
        lambda: changed(lambda G: G.add_edge("b", "x", weight=2.0, sign=0)),
        "'b' - 'x' has sign 0; wanted 1, -1",
    ),
    "no float32 any more": (
        lambda: changed(lambda G: G.add_edge("b", "x", weight=0.1)),
        "'b' - 'x' has weight 0.1, which float32 cannot hold exactly",
    ),
    "labels of nobody": (
        lambda: changed(lambda G: G.graph.update(labels="up")),
        "attribute labels is 'up'",
    ),
    "multigraph": (
        lambda: bipartite([("a", "x", {"weight": 1.0})] * 2, kind=nx.MultiGraph),
        "2 edges 'a' - 'x'",
    ),
    "multigraph in name": (
        lambda: bipartite([("a", "x", {"weight": 1.0})], kind=nx.MultiGraph),
        r"pass networkx.Graph\(G\)",
    ),
    "directed": (
        lambda: bipartite([("a", "x", {"weight": 1.0})], kind=nx.DiGraph),
        "directed",
    ),
    "no left node": (lambda: bipartite([]), "no rows"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "message"), REFUSED_BY_NETWORKX.values(), ids=REFUSED_BY_NETWORKX)
def test_from_networkx__refuses(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        from_networkx(make())


def test_from_networkx__refuses_signs_of_magnitudes() -> None:
    G = bipartite([("a", "x", {"weight": -1.0, "sign": 1})])
    with pytest.raises(InputError, match=r"'a' - 'x' has weight -1\.0, but its sign is positive"):
        from_networkx(G, sign="sign")
    with pytest.raises(InputError, match="'a' - 'x' has no sign"):
        from_networkx(bipartite([("a", "x", {"weight": 1.0})]), sign="sign")
    with pytest.raises(InputError, match="'a' - 'x' has sign True"):
        from_networkx(bipartite([("a", "x", {"weight": 1.0, "sign": True})]), sign="sign")


def test_from_networkx__refuses_what_is_no_graph_and_no_dtype() -> None:
    with pytest.raises(DTypeError, match="wanted a networkx graph, got list"):
        from_networkx([])  # type: ignore[arg-type]
    with pytest.raises(DTypeError, match="'float31' is no dtype"):
        from_networkx(to_networkx(example()), dtype="float31")
    with pytest.raises(DTypeError, match="complex"):
        from_networkx(to_networkx(example()), dtype="complex128")


def test_missing_library__is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, call, extra in (
        ("networkx", lambda: to_networkx([[1.0]]), "bipnet[networkx]"),
        ("igraph", lambda: to_igraph([[1.0]]), "bipnet[igraph]"),
        ("graph_tool", lambda: to_graph_tool([[1.0]]), "NumPy < 2"),
        ("graph_tool", lambda: from_graph_tool(None), "NumPy < 2"),
        ("pandas", lambda: to_pandas([[1.0]]), "bipnet[experiments]"),
        ("anndata", lambda: to_anndata([[1.0]]), "bipnet[anndata]"),
    ):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(MissingExtraError) as caught:
            call()
        assert extra in str(caught.value)


# -- pandas ----------------------------------------------------------------------------------


@my.property_test
@given(graphs())
def test_pandas__loses_nothing(graph: SignedBipartiteGraph) -> None:
    table = to_pandas(graph)
    assert from_pandas(table) == graph
    assert from_pandas(table.iloc[::-1]) == graph
    assert (table["sign"].to_numpy() == np.sign(graph.edges()[2].astype(np.float64))).all()


@my.property_test
@given(graphs(labels=WRITABLE, dtypes=tuple(t for t in my.DTYPES if t != np.float16)))
def test_pandas__parquet_loses_nothing(graph: SignedBipartiteGraph) -> None:
    import io

    file = io.BytesIO()
    to_pandas(graph).to_parquet(file)
    if not graph.n_edges and (graph.left_labels or graph.right_labels):
        with pytest.raises(InputError, match="has lost their order"):
            from_pandas(pd.read_parquet(file))
        return
    assert from_pandas(pd.read_parquet(file)) == graph


def test_pandas__says_when_parquet_has_lost_the_nodes(tmp_path: Path) -> None:
    graph = SignedBipartiteGraph([[0.0, 1.0], [0.0, 2.0]], right_labels=[7, 8])
    to_pandas(graph).to_parquet(tmp_path / "w.parquet")
    table = pd.read_parquet(tmp_path / "w.parquet")
    with pytest.raises(InputError, match=r"'right' was made of 2 nodes.*right_nodes"):
        from_pandas(table)
    assert from_pandas(table, right_nodes=[7, 8]) == graph
    table.attrs.clear()
    assert from_pandas(table).right_labels == (8,)


def test_pandas__weights_have_their_own_dtype() -> None:
    assert to_pandas(example())["weight"].dtype == np.float32
    assert to_pandas(np.array([[1]], dtype=np.uint8))["weight"].dtype == np.uint8
    labels: list[Any] = [(1, 2), 1.5, 1, "1"]
    graph = SignedBipartiteGraph(np.ones((4, 1)), left_labels=labels)
    back = from_pandas(to_pandas(graph))
    assert back == graph
    assert [type(label) for label in back.left_labels or ()] == [tuple, float, int, str]


def test_pandas__plain_tables_number_nodes_as_they_appear_or_as_they_are_told() -> None:
    table = pd.DataFrame({"l": ["b", "a"], "r": [5, 5], "w": [2, 3], "s": ["-", "+"]})
    graph = from_pandas(table, "l", "r", "w", "s")
    assert graph.left_labels == ("b", "a")
    assert graph.right_labels == (5,)
    assert graph.to_array().tolist() == [[-2], [3]]
    told = from_pandas(table, "l", "r", "w", left_nodes=["a", "alone", "b"], right_nodes=[4, 5])
    assert told.to_array().tolist() == [[0, 3], [0, 0], [0, 2]]
    assert told.left_labels == ("a", "alone", "b")
    nullable = table.assign(w=table["w"].astype("Int32"))
    assert from_pandas(nullable, "l", "r", "w").to_array().tolist() == [[2], [3]]
    assert from_pandas(table, "l", "r", None).n_edges == 2


def table_with(**columns: Any) -> pd.DataFrame:
    plain: dict[str, Any] = {"left": ["a", "b"], "right": ["x", "x"], "weight": [1.0, -2.0]}
    return pd.DataFrame({**plain, **columns})


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        (table_with(), {"left": "from"}, "column 'from' is not there"),
        (table_with(left=["a", "a"]), {}, "row 1: the edge 'a' - 'x' is there twice, as number 0"),
        (table_with(left=["a", None]), {}, "row 1: left is missing"),
        (table_with(), {"left_nodes": ["a"]}, "row 1: left is 'b', which is not among the left"),
        (table_with(), {"right_nodes": ["x", "x"]}, "'x' stands there twice"),
        (table_with(weight=[1.0, np.nan]), {}, "row 1: the edge 'b' - 'x' has weight nan"),
        (table_with(weight=[1.0, 0.0]), {}, "row 1: the edge 'b' - 'x' has weight 0"),
        (table_with(weight=pd.array([1, None], dtype="Int64")), {}, "row 1: .* has no weight"),
        (table_with(weight=["1", "2"]), {}, "row 0: .* has weight '1', which is no number"),
        (table_with(sign=[1, 1]), {}, "row 1: .* contradicts its sign"),
        (table_with(sign=[1, None]), {"sign": "sign", "weight": None}, "row 1: .* has no sign"),
        (table_with().set_axis(["left", "left", "weight"], axis=1), {}, "'left' is there more"),
    ],
)  # fmt: skip
def test_from_pandas__refuses(table: pd.DataFrame, options: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        from_pandas(table, **options)


def test_pandas__refuses_what_it_cannot_be() -> None:
    with pytest.raises(DTypeError, match="wanted a pandas DataFrame, got dict"):
        from_pandas({})  # type: ignore[arg-type]
    for label in (None, float("nan")):
        with pytest.raises(InputError, match="a left label is"):
            to_pandas([[1.0]], left_labels=[label])
    with pytest.raises(DTypeError, match="datetime64"):
        from_pandas(table_with(weight=pd.to_datetime(["2020", "2021"])))


# -- scipy -----------------------------------------------------------------------------------


@my.property_test
@given(my.matrices(dtypes=my.SPARSE_DTYPES, orders=("C",)))
def test_scipy__loses_nothing_but_labels(W: my.Matrix) -> None:
    graph = SignedBipartiteGraph(W)
    for kind in (scipy.sparse.csr_array, scipy.sparse.csc_array, scipy.sparse.coo_matrix):
        assert SignedBipartiteGraph(kind(graph.to_scipy())) == graph


# -- AnnData ---------------------------------------------------------------------------------


def test_from_anndata__takes_anything_of_that_shape() -> None:
    W = np.float32([[1, -2, 0]])
    data = SimpleNamespace(
        X=scipy.sparse.csr_matrix(W),
        obs_names=pd.Index(["cell"]),
        var_names=pd.Index(["g1", "g2", "g3"]),
        layers={"raw": W * 2},
    )
    graph = from_anndata(data)
    assert graph == SignedBipartiteGraph(W, left_labels=["cell"], right_labels=["g1", "g2", "g3"])
    assert from_anndata(data, layer="raw").strengths("left").tolist() == [6]
    with pytest.raises(InputError, match=r"no layer 'row'; there are \['raw'\]"):
        from_anndata(data, layer="row")
    data.X = None
    with pytest.raises(InputError, match="X is None: name the layer"):
        from_anndata(data)
    del data.var_names
    with pytest.raises(DTypeError, match="got SimpleNamespace without var_names"):
        from_anndata(data)
    twice = SimpleNamespace(X=W.T, obs_names=["a", "a", "b"], var_names=["v"])
    with pytest.raises(InputError, match="'a' stands there twice"):
        from_anndata(twice)


@pytest.mark.anndata
@my.property_test
@given(graphs(labels=WRITABLE, dtypes=my.SPARSE_DTYPES))
def test_anndata__loses_nothing(graph: SignedBipartiteGraph) -> None:
    pytest.importorskip("anndata")
    assert from_anndata(to_anndata(graph)) == graph


@pytest.mark.anndata
def test_anndata__refuses_what_it_cannot_hold() -> None:
    pytest.importorskip("anndata")
    with pytest.raises(DTypeError, match="cannot hold bfloat16"):
        to_anndata(np.ones((1, 1), dtype=my.BFLOAT16))
    with pytest.raises(InputError, match="a left label is 1: pass left_labels"):
        to_anndata([[1.0]], left_labels=[1])


# -- GraphML ---------------------------------------------------------------------------------


@my.property_test
@given(graphs(labels=WRITABLE | INT64 | st.sampled_from(["\r\n\t", " ", "<&>'\"", "\x85"])))
def test_graphml__loses_nothing(
    tmp_path_factory: pytest.TempPathFactory, graph: SignedBipartiteGraph
) -> None:
    path = tmp_path_factory.mktemp("graphml") / "g.graphml"
    if graph.dtype == np.uint64 and graph.edges()[2].max(initial=0) >= 1 << 63:
        with pytest.raises(DTypeError, match="beyond int64"):
            save_graph(graph, path)
        return
    save_graph(graph, path)
    assert read(path) == graph


def read(path: Path) -> SignedBipartiteGraph:
    source = open_source(path)
    return source.read(source.layers[0])


@pytest.mark.parametrize("right", [["cell"], ["c1", "c2"]])
def test_graphml__of_networkx_has_its_labels_in_the_ids(tmp_path: Path, right: list[str]) -> None:
    graph = SignedBipartiteGraph(
        [[0.5, -2.0][: len(right)]], left_labels=["gene"], right_labels=right
    )
    nx.write_graphml(to_networkx(graph), tmp_path / "of_networkx.graphml")
    assert read(tmp_path / "of_networkx.graphml") == graph


@my.property_test
@given(graphs(labels=WRITABLE.filter(bool), apart=True))
def test_graphml__networkx_reads_and_writes_the_same(
    tmp_path_factory: pytest.TempPathFactory, graph: SignedBipartiteGraph
) -> None:
    path = tmp_path_factory.mktemp("graphml") / "g.graphml"
    if graph.dtype == np.uint64 and graph.edges()[2].max(initial=0) >= 1 << 63:
        return
    save_graph(graph, path)
    assert from_networkx(nx.read_graphml(path), label="label") == graph
    nx.write_graphml(to_networkx(graph, nodes="numbers"), path)
    assert read(path) == graph


FOREIGN = """<?xml version="1.0" encoding="UTF-8"?>
<g:graphml xmlns:g="http://graphml.graphdrawing.org/xmlns">
  <!-- drawn by hand -->
  <g:key id="t" for="node" attr.name="type" attr.type="boolean"/>
  <g:key id="n" for="node" attr.name="name" attr.type="string"/>
  <g:key id="c" for="all" attr.name="colour" attr.type="string"/>
  <g:key id="w" for="edge" attr.name="weight" attr.type="double"><g:default>-0x1.8p+1</g:default></g:key>
  <g:key id="s" for="edge" attr.name="sign" attr.type="string"/>
  <g:graph edgedefault="undirected">
    <g:data key="c">all of it</g:data>
    <g:edge source="2" target="1"><g:data key="w">2.5</g:data><g:data key="s">+</g:data></g:edge>
    <g:node id="1"><g:data key="t">false</g:data><g:data key="n">u&#13;&lt;1&gt;</g:data></g:node>
    <g:node id="2"><g:data key="t">true</g:data><g:data key="n">v</g:data><g:data key="c">red</g:data></g:node>
    <g:node id="3"><g:data key="t">1</g:data><g:data key="n">w</g:data></g:node>
    <g:node id="4"><g:data key="t">0</g:data><g:data key="n">alone</g:data></g:node>
    <g:edge source="1" target="3"><g:data key="c">blue</g:data></g:edge>
  </g:graph>
</g:graphml>
"""  # noqa: E501


def test_graphml__a_foreign_file_keeps_all_but_its_weights(tmp_path: Path) -> None:
    path, output = tmp_path / "in.graphml", tmp_path / "out.graphml"
    path.write_text(FOREIGN, encoding="utf-8")
    source = open_source(path)
    (layer,) = source.layers
    graph = source.read(layer)
    assert graph.to_array().tolist() == [[2.5, -3.0], [0.0, 0.0]]
    assert graph.left_labels == ("u\r<1>", "alone")
    drawn = SignedBipartiteGraph(
        [[-3.0, 2.5], [0, 0]], left_labels=graph.left_labels, right_labels=graph.right_labels
    )
    with source.writer(output, force=False) as writer:
        writer.put(layer, drawn)
    assert read(output) == drawn
    text = output.read_text(encoding="utf-8")
    for kept in ("drawn by hand", "all of it", "red", "blue", "u&#13;&lt;1&gt;", 'key="s">-<'):
        assert kept in text
    other = SignedBipartiteGraph([[1.0, 0.0], [0.0, 0.0]])
    with (
        pytest.raises(InputError, match="other edges than the GraphML file"),
        source.writer(output, force=True) as writer,
    ):
        writer.put(layer, other)
    assert read(output) == drawn


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("undirected", "directed", "edge '2' - '1' is directed"),
        ('target="3"', 'target="9"', "there is no node '9'"),
        ('target="3"', 'target="4"', "lies within the left side"),
        ('target="3"', 'target="1"', "has an edge to itself"),
        ('source="2" target="1"', 'source="3" target="1"', "is there twice"),
        ('id="4"', 'id="3"', "node '3' is there twice"),
        ('<g:data key="t">0</g:data>', "", "node 'alone' has no type"),
        (">2.5<", ">0<", "has weight 0"),
        (">2.5<", ">nan<", "has weight nan"),
        (">2.5<", ">much<", "could not convert"),
        (">+<", ">-<", "contradicts its sign"),
        (">false<", ">no<", "neither true nor false"),
        ('key="c">red', 'key="d">red', "'d' that is not declared"),
        ("g:graphml", "g:svg", "begins with <svg>"),
        ("</g:graph>", "</g:graph><g:graph/>", "several or nested graphs"),
        ("</g:graph>", "<g:hyperedge/></g:graph>", "hyperedges"),
        ("</g:graphml>", "", "not a readable GraphML file"),
        ("alone", "v\x00", "not a readable GraphML file"),
        (">alone<", ">u&#13;&lt;1&gt;<", "stands there twice"),
    ],
)
def test_graphml__refuses(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "w.graphml"
    assert old in FOREIGN
    path.write_text(FOREIGN.replace(old, new), encoding="utf-8")
    with pytest.raises((FileFormatError, InputError), match=message) as caught:
        open_source(path)
    assert "w.graphml" in str(caught.value)


def test_graphml__refuses_labels_that_xml_cannot_hold(tmp_path: Path) -> None:
    for label, message in (("a\x00", "XML knows no character"), ((1, 2), "texts or numbers")):
        graph = SignedBipartiteGraph([[1.0]], left_labels=[label])
        with pytest.raises(InputError, match=message):
            save_graph(graph, tmp_path / "w.graphml")
    assert list(tmp_path.iterdir()) == []


# -- KONECT ----------------------------------------------------------------------------------


@my.property_test
@given(my.matrices(dtypes=(np.dtype(np.float64), np.dtype(np.int64)), orders=("C",)))
def test_konect__loses_nothing(tmp_path_factory: pytest.TempPathFactory, W: my.Matrix) -> None:
    path = tmp_path_factory.mktemp("konect") / "out.network"
    graph = SignedBipartiteGraph(W)
    save_graph(graph, path)
    back = read(path)
    if graph.n_edges:
        assert back == graph
    assert back.shape == graph.shape
    signed = "signed" if (W < 0).any() else "posweighted"
    assert path.read_text().startswith(f"% bip {signed}\n% {graph.n_edges} ")


def test_konect__a_network_of_theirs_keeps_header_order_and_times(tmp_path: Path) -> None:
    path, output = tmp_path / "out.wiki", tmp_path / "out.drawn"
    path.write_text("% bip signed\n% 3 3 2\n2 1 -1 99\n1\t2\t1\t100\n1 1 +1\n", encoding="utf-8")
    source = open_source(path)
    assert source.format == "KONECT"
    graph = source.read(source.layers[0])
    assert graph.to_array().tolist() == [[1, 1], [-1, 0], [0, 0]]
    with source.writer(output, force=False) as writer:
        writer.put(source.layers[0], SignedBipartiteGraph(np.array([[1, -1], [1, 0], [0, 0]])))
    assert output.read_text() == "% bip signed\n% 3 3 2\n2 1 1 99\n1 2 -1 100\n1 1 1\n"
    with (
        pytest.raises(InputError, match="other edges"),
        source.writer(output, force=True) as writer,
    ):
        writer.put(source.layers[0], SignedBipartiteGraph(np.array([[1, 1], [1, 1], [0, 0]])))


def test_konect__unweighted_edges_weigh_one_and_stay_bare(tmp_path: Path) -> None:
    path, output = tmp_path / "net.konect", tmp_path / "copy.konect"
    path.write_text("% bip unweighted\n1 1\n3 2\n", encoding="utf-8")
    source = open_source(path)
    graph = source.read(source.layers[0])
    assert graph.to_array().tolist() == [[1, 0], [0, 0], [0, 1]]
    with source.writer(output, force=False) as writer:
        writer.put(source.layers[0], graph)
    assert output.read_text() == path.read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("% asym signed\n1 2 1\n", "all of one kind"),
        ("1 2 1\n", "first line is not '% bip FORMAT'"),
        ("% bip signed\n", "has no edges"),
        ("% bip signed\n1 2 1\n1 2 1\n", "line 3: the edge 1 - 2 is there twice"),
        ("% bip signed\n1 2 0\n", "line 2: the weight is 0"),
        ("% bip signed\n1 2 nan\n", "line 2: the weight is nan"),
        ("% bip signed\n1 2 x\n", "line 2: the weight is x"),
        ("% bip signed\n0 2 1\n", "line 2: nodes are whole numbers from 1, got 0 2"),
        ("% bip signed\n1\n", "line 2: wanted left node, right node"),
        ("% bip signed\n1 2 3 4 5\n", "line 2: wanted left node, right node"),
        ("% bip signed\n% 2 1 2\n1 2 1\n", "says 2 edges, but there are 1"),
        ("% bip signed\n% 1 1 1\n1 2 1\n", "line 3: the edge 1 - 2 lies outside the 1 x 1"),
    ],
)
def test_konect__refuses(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "out.bad"
    path.write_text(text, encoding="utf-8")
    with pytest.raises((FileFormatError, InputError), match=message) as caught:
        open_source(path)
    assert "out.bad" in str(caught.value)


def test_konect__nodes_beyond_memory_are_refused_before_they_are_made(tmp_path: Path) -> None:
    path = tmp_path / "out.huge"
    path.write_text("% bip signed\n1 99999999999999 1\n", encoding="utf-8")
    with pytest.raises(TooLargeError, match=r"out\.huge"):
        open_source(path)


def test_graphml__entities_that_grow_are_refused(tmp_path: Path) -> None:
    entities = "".join(f'<!ENTITY e{k + 1} "{f"&e{k};" * 10}">' for k in range(9))
    bomb = FOREIGN.replace(
        "<g:graphml", f'<!DOCTYPE g [<!ENTITY e0 "lol">{entities}]><g:graphml', 1
    )
    (tmp_path / "w.graphml").write_text(bomb.replace("alone", "&e9;"), encoding="utf-8")
    with pytest.raises(FileFormatError, match="not a readable GraphML file"):
        open_source(tmp_path / "w.graphml")


def test_konect__refuses_what_it_cannot_hold(tmp_path: Path) -> None:
    for label, message in (
        (1, "names are texts, but left node 0 is labelled 1"),
        ("a\nb", "names are lines"),
        ("a\r", "names are lines"),
        ("% a", "names are lines"),
        ("\ufeffa", "names are lines"),
        ("\ud800", "names are UTF-8"),
    ):
        with pytest.raises(InputError, match=message):
            save_graph(SignedBipartiteGraph([[1.0]], left_labels=[label]), tmp_path / "out.x")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(DTypeError, match="cannot hold float32"):
        save_graph(SignedBipartiteGraph(np.float32([[1.0]])), tmp_path / "out.x")
    np.save(tmp_path / "out.npy", np.ones((1, 1)))
    assert open_source(tmp_path / "out.npy").format == "npy"


NAMES = WRITABLE.filter(lambda text: text.split()[:1] != ["%"] and not text.startswith("\ufeff"))


@my.property_test
@given(graphs(labels=NAMES, dtypes=(np.dtype(np.float64), np.dtype(np.int64))))
def test_konect__names_lose_nothing(
    tmp_path_factory: pytest.TempPathFactory, graph: SignedBipartiteGraph
) -> None:
    path = tmp_path_factory.mktemp("konect") / "out.network"
    save_graph(graph, path)
    back = read(path)
    assert (back.left_labels, back.right_labels) == (graph.left_labels, graph.right_labels)
    if graph.n_edges:
        assert back == graph
    save_graph(graph, path, force=True)  # over the same names


def dataset(
    folder: Path, *, sizes: str = "% 3 3 2\n", meta: str | None = "person, crime", **names: str
) -> Path:
    """A made-up network in the files that KONECT's moreno_crime has."""
    (folder / "out.made_up").write_text(f"% bip signed\n{sizes}1 1 1\n2 1 -1\n3 2 1\n")
    (folder / "README.made_up").write_text("about it")
    (folder / "ent.made_up.person.sex").write_text("1\n0\n1\n")
    (folder / "ent.made_up.other.person.name").write_text("of another network")
    if meta is not None:
        (folder / "meta.made_up").write_text(f"name: Made up\nentity-names:  {meta}\n")
    for kind, text in names.items():
        (folder / f"ent.made_up.{kind}.name").write_text(text, encoding="utf-8")
    return folder / "out.made_up"


def test_konect__names_beside_a_network_are_labels(tmp_path: Path) -> None:
    path = dataset(
        tmp_path, person="% names\n\u00c5sa\nBo Ek\nCy", crime="\ufefftheft\r\nfraud\r\n"
    )
    graph = read(path)
    assert graph.left_labels == ("\u00c5sa", "Bo Ek", "Cy")
    assert graph.right_labels == ("theft", "fraud")
    assert graph.to_array().tolist() == [[1, 0], [-1, 0], [0, 1]]


def test_konect__the_meta_file_says_whose_names_they_are(tmp_path: Path) -> None:
    square = dataset(tmp_path, sizes="% 3 3 3\n", crime="a\nb\nc\n")
    assert read(square).left_labels is None
    assert read(square).right_labels == ("a", "b", "c")
    dataset(tmp_path, sizes="% 3 3 3\n", meta="crime,person")
    assert read(square).left_labels == ("a", "b", "c")


@pytest.mark.parametrize("meta", [None, "person, organization", "one kind"])
def test_konect__names_called_otherwise_are_told_by_their_number(
    tmp_path: Path, meta: str | None
) -> None:
    graph = read(dataset(tmp_path, meta=meta, people="a\nb\nc\n", organisation="x\ny\n"))
    assert (graph.left_labels, graph.right_labels) == (("a", "b", "c"), ("x", "y"))


def test_konect__names_say_how_many_nodes_there_are_if_nothing_else_does(tmp_path: Path) -> None:
    graph = read(dataset(tmp_path, sizes="", person="a\nb\nc\nalone\n"))
    assert graph.shape == (4, 2)
    assert graph.left_labels == ("a", "b", "c", "alone")


@pytest.mark.parametrize(
    ("meta", "names", "message"),
    [
        ("person, crime", {"person": "a\nb\n"}, "has 2 names, but there are 3 left nodes"),
        ("person, crime", {"crime": "a\nb\nc\n"}, "has 3 names, but there are 2 right nodes"),
        ("person, crime", {"person": ""}, "has 0 names, but there are 3 left nodes"),
        ("person, crime", {"person": "a\nb\na\n"}, "nodes 1 and 3 are both called 'a'"),
        ("person, crime", {"people": "a\nb\nc\nd\n"}, "nobody can tell whether .* has the names"),
        (None, {"person": "a\n"}, "meta.made_up does not say which of them 'person' is"),
        (None, {"men": "a\nb\nc\n", "women": "a\nb\nc\n"}, "names of the left nodes, and so has"),
    ],
)
def test_konect__refuses_names(
    tmp_path: Path, meta: str | None, names: dict[str, str], message: str
) -> None:
    path = dataset(tmp_path, meta=meta, **names)
    with pytest.raises((FileFormatError, InputError), match=message) as caught:
        open_source(path)
    assert "ent.made_up." in str(caught.value)


def test_konect__refuses_names_that_are_no_text(tmp_path: Path) -> None:
    path = dataset(tmp_path)
    (tmp_path / "ent.made_up.person.name").write_bytes(b"a\n\xff\xfe\nb\n")
    with pytest.raises(FileFormatError, match=r"person\.name is not a readable list of names"):
        open_source(path)


def test_konect__names_are_written_back_as_the_source_calls_them(tmp_path: Path) -> None:
    source = open_source(dataset(tmp_path, people="a\nb\nc\n", organisation="x\ny\n"))
    drawn = SignedBipartiteGraph([[-1, 0], [1, 0], [0, 1]])
    with source.writer(tmp_path / "out.drawn", force=False) as writer:
        writer.put(source.layers[0], drawn)
    assert (tmp_path / "meta.drawn").read_text() == "entity-names: people, organisation\n"
    assert (tmp_path / "ent.drawn.people.name").read_text() == "a\nb\nc\n"
    back = read(tmp_path / "out.drawn")
    assert (back.left_labels, back.right_labels) == (("a", "b", "c"), ("x", "y"))
    assert back.to_array().tolist() == drawn.to_array().tolist()
    # In its own place nothing beside it changes.
    before = {file: file.read_bytes() for file in tmp_path.glob("[em]*.made_up*")}
    with source.writer(tmp_path / "out.made_up", force=True) as writer:
        writer.put(source.layers[0], drawn)
    assert before == {file: file.read_bytes() for file in tmp_path.glob("[em]*.made_up*")}
    assert read(tmp_path / "out.made_up") == back


def test_konect__names_of_other_nodes_are_never_overwritten(tmp_path: Path) -> None:
    graph = SignedBipartiteGraph([[1, 0], [1, 0], [0, 1]], left_labels=["a", "b", "z"])
    path = dataset(tmp_path, person="a\nb\nc\n")
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    for other in (graph, SignedBipartiteGraph(graph.weights)):
        with pytest.raises(OutputExistsError, match=r"person\.name would be read as names"):
            save_graph(other, path, force=True)
    assert before == {file: file.read_bytes() for file in tmp_path.iterdir()}
    (tmp_path / "meta.new").write_text("name: New\n")
    with pytest.raises(OutputExistsError, match=r"meta\.new has no line 'entity-names"):
        save_graph(graph, tmp_path / "out.new")
    (tmp_path / "meta.new").write_text("entity-names: user, item\n")
    save_graph(graph, tmp_path / "out.new")
    assert (tmp_path / "ent.new.user.name").read_text() == "a\nb\nz\n"
    assert read(tmp_path / "out.new") == graph


# -- igraph and graph-tool -------------------------------------------------------------------


@pytest.mark.peers
@my.property_test
@given(graphs(labels=TEXTS.filter(lambda text: "\x00" not in text) | INT64))
def test_igraph__loses_nothing(graph: SignedBipartiteGraph) -> None:
    pytest.importorskip("igraph")
    G = to_igraph(graph)
    assert G.is_bipartite()
    assert from_igraph(G) == graph


@pytest.mark.peers
def test_igraph__its_graphml_comes_in(tmp_path: Path) -> None:
    pytest.importorskip("igraph")
    graph = SignedBipartiteGraph(np.float32([[0.5, 0], [0, -3]]), left_labels=["a", ""])
    to_igraph(graph).write_graphml(str(tmp_path / "g.graphml"))
    assert read(tmp_path / "g.graphml") == graph
    # It writes 15 digits, which are not all of a weight: said, and not rounded in silence.
    to_igraph(example()).write_graphml(str(tmp_path / "g.graphml"))
    with pytest.raises(InputError, match=r"'a' - 'x' has weight 0\.100000001490116, which float32"):
        read(tmp_path / "g.graphml")


@pytest.mark.peers
def test_from_igraph__refuses() -> None:
    ig = pytest.importorskip("igraph")

    def made(**changes: Any) -> Any:
        G = to_igraph(example())
        for edge, weight in changes.get("edges", []):
            G.add_edge(*edge, weight=weight)
        return G

    for G, options, message in (
        (made(edges=[(("a", "a"), 1.0)]), {}, "node 'a' has an edge to itself"),
        (made(edges=[(("x", "y"), 1.0)]), {}, "edge 'x' - 'y' lies within the right side"),
        (made(edges=[(("a", "x"), 1.0)]), {}, "edge 'a' - 'x' is there twice"),
        (made(edges=[(("b", "x"), None)]), {}, "edge 'b' - 'x' has no weight"),
        (made(edges=[(("b", "x"), 0.0)]), {}, "edge 'b' - 'x' has weight 0"),
        (made(), {"weight": "w"}, "no edge attribute 'w'"),
        (made(), {"side": "kind"}, "no vertex attribute 'kind'"),
        (ig.Graph(2, [(0, 1)], directed=True), {}, "directed"),
    ):
        with pytest.raises(InputError, match=message):
            from_igraph(G, **options)
    with pytest.raises(DTypeError, match="wanted an igraph graph"):
        from_igraph(nx.Graph())


CHILD = Path(__file__).with_name("graph_tool_moves.py")


@pytest.fixture(name="graph_tool", scope="module")
def python_with_graph_tool() -> str:
    from bipnet.bench.peers.graph_tool_rewire import _python_with_graph_tool

    try:
        return _python_with_graph_tool()[0]
    except MissingPeerError as error:
        pytest.skip(str(error))


def moved(python: str, what: str, folder: Path) -> Any:
    """Run a move in graph-tool's own Python; its answer."""
    command = [python, "-I", CHILD, what, folder, maps_module.__file__]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def various() -> list[SignedBipartiteGraph]:
    """A graph of every dtype, with labels of all kinds."""
    found = [
        SignedBipartiteGraph(np.array([[1, 0, 1], [0, 0, 0]], dtype=dtype)) for dtype in my.DTYPES
    ]
    rng = np.random.default_rng(5)
    words = rng.integers(0, 1 << 63, size=12, dtype=np.int64).view(np.float64)
    bits = np.where(np.isfinite(words), words, 5e-324).reshape(4, 3) * [[1.0, -1.0, 1.0]]
    labels: list[tuple[list[Any] | None, list[Any] | None]] = [
        (["a", "b", "", "ü\r\n<"], ["a", "y", "z"]),
        ([1, 2, 3, -(1 << 63)], [1, 2, (1 << 63) - 1]),
        (["a", "b", "c", "d"], [1, 2, 3]),
        (None, ["x", "y", "z"]),
        (["a", "b", "c", "d"], None),
    ]
    found += [SignedBipartiteGraph(bits, left_labels=one, right_labels=two) for one, two in labels]
    for dtype in (np.dtype(np.float16), my.BFLOAT16, np.dtype(np.float32)):
        found.append(SignedBipartiteGraph(rng.normal(size=(5, 4)).astype(dtype)))
    return found


@pytest.mark.peers
def test_graph_tool__property_maps_lose_nothing(graph_tool: str, tmp_path: Path) -> None:
    # The converters' own module runs there: made into a graph, looked at, and taken apart again.
    sent = various()
    for k, graph in enumerate(sent):
        parts = parts_of(graph)
        np.savez(tmp_path / f"{k}.npz", ends=parts.ends, weights=parts.weights, signs=parts.signs)
        facts = {
            "sides": [0] * graph.n_left + [1] * graph.n_right,
            "labels": parts.labels_of_all,
            "texts": {"dtype": parts.dtype, "labels": parts.labels},
        }
        (tmp_path / f"{k}.json").write_text(json.dumps(facts), encoding="utf-8")
    answers = moved(graph_tool, "maps", tmp_path)
    assert len(answers) == len(sent)
    for k, (graph, answer) in enumerate(zip(sent, answers, strict=True)):
        with np.load(tmp_path / f"{k}-back.npz") as arrays:
            found = {**answer, **arrays}
        assert graph_of_maps(found, "bipartite", magnitudes=False) == graph


@pytest.mark.peers
def test_graph_tool__graphml_loses_nothing(graph_tool: str, tmp_path: Path) -> None:
    # Python objects, the only maps of mixed labels, are pickles there: no way through a file.
    sent = [
        graph
        for graph in various()
        if len({type(label) for side in labels_of(graph) for label in side}) < 2
    ]
    for k, graph in enumerate(sent):
        save_graph(graph, tmp_path / f"{k}.graphml")
    found = moved(graph_tool, "graphml", tmp_path)
    assert len(found) == len(sent)
    for graph, weights in zip(sent, found, strict=True):
        assert weights == parts_of(graph).weights.tolist()
    for k, graph in enumerate(sent):
        back = read(tmp_path / f"{k}-back.graphml")
        # It writes a bare carriage return, which XML reads as a line feed.
        if any("\r" in str(label) for side in labels_of(graph) for label in side):
            assert back.checksum() == graph.checksum()
            continue
        assert back == graph


def labels_of(graph: SignedBipartiteGraph) -> list[tuple[Any, ...]]:
    return [graph.left_labels or (), graph.right_labels or ()]


@pytest.mark.peers
def test_graph_tool__views_directions_and_missing_maps(graph_tool: str, tmp_path: Path) -> None:
    answers = moved(graph_tool, "odd", tmp_path)
    assert answers == {
        "view": {"nodes": [0, 2, 3], "ends": [[0, 1]], "weights": [2.5], "sides": [0, 1, 1]},
        "missing": ["edge", "mass"],
        "map given itself": [2.5, -1.0],
    }


def test_graph_tool__the_library_is_asked_for_by_the_door(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Without the library: what the converters refuse and hand over, on a stand-in of its graphs.
    class Graph:
        vertex_properties: dict[str, Any] = {}  # noqa: RUF012
        edge_properties: dict[str, Any] = {}  # noqa: RUF012

        def is_directed(self) -> bool:
            return isinstance(self, Directed)

    class Directed(Graph):
        pass

    monkeypatch.setitem(sys.modules, "graph_tool", SimpleNamespace(Graph=Graph))  # type: ignore[arg-type]
    with pytest.raises(DTypeError, match="wanted a graph of graph-tool, got list"):
        from_graph_tool([])
    with pytest.raises(InputError, match=r"set_directed\(False\)"):
        from_graph_tool(Directed())
    with pytest.raises(InputError, match="no internal edge property 'weight'"):
        from_graph_tool(Graph())
    with pytest.raises(DTypeError, match="beyond int64"):
        to_graph_tool(np.array([[1 << 63]], dtype=np.uint64))


def test_graph_tool_maps__need_nothing_of_bipnet() -> None:
    text = Path(maps_module.__file__).read_text(encoding="utf-8")
    assert "bipnet" not in "".join(
        line for line in text.splitlines() if line.lstrip().startswith(("import ", "from "))
    )
    assert importlib.util.find_spec("bipnet.convert.graph_tool_maps") is not None


# -- the way through -------------------------------------------------------------------------


def test_moved_graphs__draw_the_same(tmp_path: Path) -> None:
    W = np.random.default_rng(3).normal(size=(6, 5)).astype(np.float32)
    drawn = bipnet.randomize(SignedBipartiteGraph(W), "G", rng=7).checksum()
    save_graph(SignedBipartiteGraph(W), tmp_path / "w.graphml")
    for graph in (
        from_networkx(to_networkx(W)),
        from_pandas(to_pandas(W)),
        read(tmp_path / "w.graphml"),
    ):
        assert bipnet.randomize(graph, "G", rng=7).checksum() == drawn


# -- what a stranger found ---------------------------------------------------------------------


def labelled_pair() -> Any:
    graph = SignedBipartiteGraph([[0.5, -2.0]], left_labels=["a"], right_labels=["x", "y"])
    return to_networkx(graph)


@pytest.mark.parametrize("labels", [["left"], {"left": 1}, 7, np.array(["left", "right"])])
def test_converters__refuse_foreign_notes_of_labels(labels: Any) -> None:
    G = labelled_pair()
    G.graph["labels"] = labels
    with pytest.raises(InputError, match="attribute labels"):
        from_networkx(G)
    table = to_pandas([[0.5, -2.0]])
    table.attrs["labels"] = labels
    with pytest.raises(InputError, match="attribute labels"):
        from_pandas(table)


@pytest.mark.parametrize("label", [{"a": 1}, ["a"]])
def test_from_networkx__refuses_a_label_that_is_no_name(label: Any) -> None:
    G = labelled_pair()
    G.graph["label"] = label
    with pytest.raises(InputError, match="name of a node attribute"):
        from_networkx(G)


@pytest.mark.parametrize("side", [pd.NA, np.array([1, 0])])
def test_from_networkx__refuses_a_side_that_is_no_number(side: Any) -> None:
    G = labelled_pair()
    G.nodes["x"]["bipartite"] = side
    with pytest.raises(InputError, match=r"node 'x' has .* as its bipartite"):
        from_networkx(G)


def test_from_pandas__refuses_what_cannot_be_a_node_or_a_shape() -> None:
    table = pd.DataFrame({"left": [[1], [2]], "right": ["x", "y"], "weight": [1.0, 2.0]})
    with pytest.raises(InputError, match=r"row 0: left is \[1\]"):
        from_pandas(table)
    table = pd.DataFrame({"left": ["a", "b"], "right": ["x", "y"], "weight": [1.0, 2.0]})
    with pytest.raises(InputError, match="among the left nodes"):
        from_pandas(table, left_nodes=[["a"], "b"])
    for shape in (7, [1], ["2", "2"]):
        table.attrs["shape"] = shape
        with pytest.raises(InputError, match="shape"):
            from_pandas(table)


def test_konect__refuses_a_node_number_beyond_int64(tmp_path: Path) -> None:
    (tmp_path / "out.big").write_text(f"% bip signed\n{10**22} 1 1\n")
    with pytest.raises(FileFormatError, match=r"line 2: .* beyond 64 bits"):
        open_source(tmp_path / "out.big")


def test_graphml__tells_networkx_where_the_labels_are(tmp_path: Path) -> None:
    for labels in ({"left_labels": ["u"]}, {"left_labels": [7], "right_labels": ["x", "y"]}, {}):
        graph = SignedBipartiteGraph([[0.5, -2.0]], **labels)  # type: ignore[arg-type]
        path = tmp_path / f"{len(labels)}{bool(labels)}.graphml"
        save_graph(graph, path)
        assert from_networkx(nx.read_graphml(path)) == graph


@pytest.mark.parametrize("first", ["a,x,", "a,x, ", "a,x,0x1p3", "a,x,-0X3", "a,x,1_000"])
def test_edge_list__a_heading_is_a_word(tmp_path: Path, first: str) -> None:
    (tmp_path / "e.csv").write_text(f"{first}\nb,y,2\n")
    with pytest.raises(FileFormatError, match=r"line 1: the weight .* is no number"):
        open_source(tmp_path / "e.csv")


@pytest.mark.parametrize("whole", [(1 << 53) + 1, 10**30 + 1])
def test_edge_list__refuses_integers_that_float64_would_round(tmp_path: Path, whole: int) -> None:
    (tmp_path / "e.csv").write_text(f"a,x,{whole}\nb,y,0.5\n")
    with pytest.raises(FileFormatError, match=r"line 1: .* float64 cannot hold"):
        open_source(tmp_path / "e.csv")


@pytest.mark.parametrize("kind", ["float", "double", "int", "long"])
def test_graphml__takes_no_underscore_in_a_number(tmp_path: Path, kind: str) -> None:
    save_graph(SignedBipartiteGraph([[2]]), tmp_path / "a.graphml")
    text = (tmp_path / "a.graphml").read_text().replace('"weight">2<', '"weight">1_5<')
    text = text.replace(
        'attr.name="weight" attr.type="long"', f'attr.name="weight" attr.type="{kind}"'
    )
    (tmp_path / "b.graphml").write_text(text)
    with pytest.raises(FileFormatError, match="'1_5', which is no number"):
        open_source(tmp_path / "b.graphml")


def test_graphml__refuses_two_weights_of_an_edge(tmp_path: Path) -> None:
    save_graph(SignedBipartiteGraph([[2]]), tmp_path / "a.graphml")
    one = '<data key="weight">2</data>'
    text = (tmp_path / "a.graphml").read_text()
    assert one in text
    (tmp_path / "b.graphml").write_text(text.replace(one, 2 * one))
    with pytest.raises(FileFormatError, match="'weight' twice"):
        open_source(tmp_path / "b.graphml")


@pytest.mark.parametrize(
    ("own", "plain"),
    [("Float32", "float32"), ("Int8", "int8"), ("boolean", "bool"), ("float[pyarrow]", "float32")],
)
def test_from_pandas__keeps_the_width_of_pandas_own_dtypes(own: str, plain: str) -> None:
    weights = pd.Series([1, 1], dtype=own)
    table = pd.DataFrame({"left": ["a", "b"], "right": ["x", "y"], "weight": weights})
    assert from_pandas(table).dtype.name == plain
    table.loc[1, "weight"] = pd.NA
    with pytest.raises(InputError, match=r"row 1: .* has no weight"):
        from_pandas(table)


def test_from_anndata__refuses_a_note_that_outlived_a_transposition() -> None:
    data = SimpleNamespace(
        X=np.float32([[1], [2]]),
        obs_names=pd.Index(["0", "1"]),
        var_names=pd.Index(["c1"]),
        uns={"bipnet_labels": "left"},
    )
    with pytest.raises(InputError, match="right nodes have no names, but one is 'c1'"):
        from_anndata(data)


def test_converters__leave_times_as_they_are() -> None:
    days = np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[ns]")
    graph = SignedBipartiteGraph([[1.0], [2.0]], left_labels=days, right_labels=["x"])
    assert from_networkx(to_networkx(graph)).left_labels == tuple(days)
    assert all(isinstance(one, np.datetime64) for one in parts_of(graph).left)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (["u", "1"], [10, 11]),
        ([1, 2], [0.5, float("inf")]),
        (["true"], [True, 3]),
        ([1 << 70], "x"),
    ],
)
def test_graphml__labels_of_several_types_have_one_key(
    tmp_path: Path, left: Any, right: Any
) -> None:
    W = np.ones((len(left), len(right)))
    graph = SignedBipartiteGraph(W, left_labels=left, right_labels=right)
    path = tmp_path / "b.graphml"
    save_graph(graph, path)
    text = path.read_text()
    assert text.count('for="node" attr.name="label" attr.type="string"') == 1
    assert text.count('for="node" attr.name="label"') == 1
    assert read(path) == graph
    assert list(map(type, labels_of(read(path))[1])) == list(map(type, right))
    path.write_text(text.replace(">int<", ">float<").replace(">10<", ">ten<"))
    if "ten" in path.read_text():
        with pytest.raises(InputError, match="'ten' is noted as float"):
            read(path)
