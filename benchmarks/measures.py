"""Every statistic in seconds, each from a cold start of its own, and against networkx.

    python benchmarks/measures.py [--sizes 784x64,3072x768] [--peer-size 120x80] [--quick]
                                  [--json] [-o OUT.json]

*alone*: the statistic on a graph that nothing has been computed of yet, so that it pays for
everything it is made from (products, spectra). *together*: all of them on one graph, as
`bipnet.significance` does for each draw; what several are made from is made once. Only the sum is
given: which of them pays for what they share depends on their order alone.

networkx knows no signs and works on dictionaries: it gets the positive graph of a matrix it can do
in seconds (of sign correlations, all of the graph), made beforehand, and bipnet gets the same, in
the same run. Both give the same numbers, or the script ends with an error.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import networkx
import numpy as np
from networkx.algorithms import bipartite

import bipnet
from bipnet import SignedBipartiteGraph, measures
from bipnet.bench.cases import parse_size
from bipnet.bench.machine import describe_machine
from bipnet.bench.table import aligned, duration, number
from bipnet.convert import to_networkx
from bipnet.errors import BipnetError, MissingExtraError
from bipnet.measures.catalogue import STATISTICS, Described, Statistic

Matrix = np.ndarray[Any, np.dtype[np.float32]]
Function = Callable[[SignedBipartiteGraph], Any]

APART = "modularity"  # a search, not a count: its own bar, and not in the sum of all others
SETTLED_SECONDS = 0.3  # calls are repeated, thrice at least, until they add up to this
LONG_SECONDS = 3.0  # or, however few they were, to this
MOST_REPEATS = 20

FUNCTIONS: dict[str, Function] = {
    "butterflies()": measures.butterflies,
    "projection() left": lambda graph: measures.projection(graph, "left"),
    "projection() right": lambda graph: measures.projection(graph, "right"),
    "projection() left, same sign": lambda graph: measures.projection(graph, "left", "same"),
    "sign_correlation() left": lambda graph: measures.sign_correlation(graph, "left"),
    "sign_correlation() right": lambda graph: measures.sign_correlation(graph, "right"),
    "degree_distribution() left": lambda graph: measures.degree_distribution(graph, "left", "+"),
    "strength_distribution() left": lambda graph: measures.strength_distribution(
        graph, "left", "+"
    ),
    "weight_histograms()": lambda graph: measures.weight_histograms({"": graph}),
    "sign_pattern()": measures.sign_pattern,
}
"""What is no number of a graph or of its nodes, and so not among the named statistics."""


def matrix(n_left: int, n_right: int) -> Matrix:
    return np.random.default_rng(7).normal(size=(n_left, n_right)).astype(np.float32)


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    value = work()
    return time.perf_counter() - begun, value


def cold(W: Matrix, function: Function) -> tuple[float, Any]:
    """Shortest time of a function on graphs that nothing is known of yet, and what it gives."""
    times: list[float] = []
    value = None
    while not times or (
        sum(times) < (LONG_SECONDS if len(times) < 3 else SETTLED_SECONDS)
        and len(times) < MOST_REPEATS
    ):
        graph = SignedBipartiteGraph(W)
        seconds, value = timed(lambda graph=graph: function(graph))
        times.append(seconds)
    return min(times), value


@dataclass(frozen=True)
class Catalogue:
    """Times of one matrix.

    Attributes
    ----------
    size
        As it was asked for.
    rows
        Statistics and functions by their time alone, the longest first.
    together
        Seconds of all named statistics on one graph, but those that stand apart.
    n_together
        How many these are.
    left_out
        Statistics whose optional library is not installed -> what is wanted.
    """

    size: str
    rows: list[dict[str, Any]]
    together: float
    n_together: int
    left_out: dict[str, str]


def catalogue(size: str) -> Catalogue:
    """Time everything that there is, of one matrix."""
    W = matrix(*parse_size(size))
    named = dict(STATISTICS)
    left_out = {}
    for name, one in STATISTICS.items():  # imports, compilation and first calls are not counted
        try:
            one(matrix(6, 5))
        except MissingExtraError as error:
            left_out[name] = str(error)
            del named[name]
    rows = [
        {"what": name, "kind": "statistic", "size": size, "alone_s": cold(W, one)[0]}
        for name, one in named.items()
    ]
    for name, function in FUNCTIONS.items():
        function(SignedBipartiteGraph(matrix(6, 5)))
        seconds, _ = cold(W, function)
        rows.append({"what": name, "kind": "function", "size": size, "alone_s": seconds})
    ordinary = [one for name, one in named.items() if not name.startswith(APART)]
    together = min(together_on(W, ordinary) for _ in range(3))
    rows.sort(key=lambda row: -row["alone_s"])
    return Catalogue(size, rows, together, len(ordinary), left_out)


def together_on(W: Matrix, statistics: list[Statistic]) -> float:
    described = Described(SignedBipartiteGraph(W))
    return timed(lambda: [one(described) for one in statistics])[0]


@dataclass(frozen=True)
class Peer:
    """A function of networkx, on a graph made beforehand, and bipnet's way to the same numbers."""

    what: str
    function: str
    theirs: Callable[[], Any]
    ours: Function
    signed: bool = False


def peers(W: Matrix) -> Iterator[Peer]:
    """Whatever both have, of the positive graph or (``signed``) of all edges."""
    positive = to_networkx(np.maximum(W, 0), nodes="numbers")
    signed = to_networkx(W, nodes="numbers")
    left, right = list(range(len(W))), list(range(len(W), sum(W.shape)))
    directed = networkx.DiGraph()
    directed.add_weighted_edges_from((u, v, w) for u, v, w in positive.edges(data="weight"))

    def degrees(weight: str | None) -> Any:
        right_ones, left_ones = bipartite.degrees(positive, left, weight=weight)
        found = {**dict(left_ones), **dict(right_ones)}
        return [found[node] for node in (*left, *right)]

    def both_sides(index: Callable[[SignedBipartiteGraph, Any], Any]) -> Function:
        return lambda graph: np.concatenate([index(graph, side) for side in ("left", "right")])

    yield Peer(
        "degrees k+", "bipartite.degrees", lambda: degrees(None),
        both_sides(lambda graph, side: graph.degrees(side, "+")),
    )  # fmt: skip
    yield Peer(
        "strengths s+", "bipartite.degrees, weight", lambda: degrees("weight"),
        both_sides(lambda graph, side: graph.strengths(side, "+")),
    )  # fmt: skip
    yield Peer(
        "density", "bipartite.density", lambda: bipartite.density(positive, left),
        lambda graph: graph.density,
    )  # fmt: skip
    for by, weight in (("degree", None), ("strength", "weight")):
        yield Peer(
            f"{by} assortativity",
            "degree_assortativity_coefficient" + (", weight" if weight else ""),
            lambda weight=weight: networkx.degree_assortativity_coefficient(
                directed, x="out", y="in", weight=weight
            ),
            lambda graph, by=by: measures.assortativity(graph, by, "+"),
        )
    yield Peer(
        "Robins-Alexander clustering", "bipartite.robins_alexander_clustering",
        lambda: bipartite.robins_alexander_clustering(positive),
        lambda graph: measures.robins_alexander_clustering(graph, "+"),
    )  # fmt: skip
    for side, nodes in (("left", left), ("right", right)):
        yield Peer(
            f"Latapy clustering, {side}", "bipartite.latapy_clustering, dot",
            lambda nodes=nodes: in_order(bipartite.latapy_clustering(positive, nodes), nodes),
            lambda graph, side=side: measures.latapy_clustering(graph, side, "+"),
        )  # fmt: skip
    yield Peer(
        "mean clustering, left", "bipartite.average_clustering",
        lambda: bipartite.average_clustering(positive, left),
        lambda graph: measures.latapy_clustering(graph, "left", "+").mean(),
    )  # fmt: skip
    yield Peer(
        "butterflies, left", "square_clustering",
        lambda: squares(positive, left, networkx.square_clustering(positive, left)),
        lambda graph: np.add(*Described(graph).cycles("left")),
    )  # fmt: skip
    for side, nodes in (("left", left), ("right", right)):
        yield Peer(
            f"projection, {side}", "bipartite.weighted_projected_graph",
            lambda nodes=nodes: bipartite.weighted_projected_graph(positive, nodes),
            lambda graph, side=side: measures.projection(graph, side),
        )  # fmt: skip
    yield Peer(
        "sign correlation, left", "bipartite.generic_weighted_projected_graph",
        lambda: bipartite.generic_weighted_projected_graph(signed, left, mean_product_of_signs),
        lambda graph: measures.sign_correlation(graph, "left"), signed=True,
    )  # fmt: skip


def in_order(found: dict[int, float], nodes: list[int]) -> list[float]:
    return [found[node] for node in nodes]


def squares(graph: networkx.Graph, nodes: list[int], clustering: dict[int, float]) -> list[float]:
    """Butterflies through each node: networkx gives them as a share of what there could be.

    Its definition counts the places for squares that its neighbours' other edges leave: those less
    the squares there are stand below the line.
    """
    found = []
    for node in nodes:
        neighbours = list(graph[node])
        places = (len(neighbours) - 1) * sum(graph.degree(other) - 1 for other in neighbours)
        found.append(clustering[node] * places / (1 + clustering[node]))
    return found


def mean_product_of_signs(graph: networkx.Graph, u: int, v: int) -> float:
    shared = set(graph[u]) & set(graph[v])
    return sum(graph[u][w]["sign"] * graph[v][w]["sign"] for w in shared) / len(shared)


def compare(size: str) -> list[dict[str, Any]]:
    """Seconds of networkx and of bipnet, and how many times as long networkx takes."""
    W = matrix(*parse_size(size))
    rows = []
    for peer in peers(W):
        own = W if peer.signed else np.maximum(W, 0)
        peer.ours(SignedBipartiteGraph(own))  # first calls
        peer_s, expected = timed(peer.theirs)
        own_s, found = cold(own, peer.ours)
        require_equal(peer.what, expected, found)
        rows.append(
            {
                "what": peer.what,
                "networkx": peer.function,
                "size": size,
                "networkx_s": peer_s,
                "bipnet_s": own_s,
                "ratio": peer_s / own_s,
            }
        )
    return sorted(rows, key=lambda row: -row["ratio"])


def require_equal(what: str, expected: Any, found: Any) -> None:
    if isinstance(expected, networkx.Graph):
        expected = networkx.to_numpy_array(expected, nodelist=sorted(expected))
        found = np.asarray(found, dtype=np.float64).copy()
        np.fill_diagonal(found, 0)  # networkx joins no node with itself
    if not np.allclose(found, expected, rtol=1e-9, atol=1e-12):
        raise SystemExit(f"{what}: networkx and bipnet differ")


def as_text(found: list[Catalogue], against: list[dict[str, Any]]) -> str:
    parts = []
    for one in found:
        table = aligned(
            ("alone, on a graph of its own", "", "time"),
            [(row["what"], row["kind"], duration(row["alone_s"])) for row in one.rows],
        )
        alone = sum(
            row["alone_s"]
            for row in one.rows
            if row["kind"] == "statistic" and not row["what"].startswith(APART)
        )
        total = (
            f"{one.n_together} statistics together, on one graph: {duration(one.together)}"
            f" (alone, one after the other: {duration(alone)})"
        )
        missing = [f"left out: {name} ({why})" for name, why in one.left_out.items()]
        parts.append("\n".join([f"{one.size}, float32", table, "", total, *missing]))
    table = aligned(
        ("the same numbers", "networkx", "networkx time", "bipnet", "ratio"),
        [
            (
                row["what"],
                row["networkx"],
                duration(row["networkx_s"]),
                duration(row["bipnet_s"]),
                number(row["ratio"]),
            )
            for row in against
        ],
    )
    parts.append(f"{against[0]['size']}, against networkx {networkx.__version__}\n{table}")
    return "\n\n".join(parts)


def main(arguments: list[str] | None = None) -> int:
    """Read the command line; exit code 2 and one line for a mistake."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", help="LEFTxRIGHT,... [784x64,3072x768; quick: 60x40]")
    parser.add_argument("--peer-size", help="what networkx can do [120x80; quick: 30x20]")
    parser.add_argument("--quick", action="store_true", help="small matrices: does it work here?")
    parser.add_argument("--json", action="store_true", help="JSON for machines instead of tables")
    parser.add_argument("-o", "--output", type=Path, help="write the JSON into this file, too")
    given = parser.parse_args(arguments)
    sizes = given.sizes or ("60x40" if given.quick else "784x64,3072x768")
    warnings.simplefilter("ignore", bipnet.BipnetWarning)
    machine = describe_machine()
    machine["versions"]["networkx"] = networkx.__version__
    try:
        found = [catalogue(size) for size in sizes.split(",")]
        against = compare(given.peer_size or ("30x20" if given.quick else "120x80"))
    except BipnetError as error:
        print(f"measures: error: {error}", file=sys.stderr)
        return 2
    report = {
        "machine": machine,
        "alone": [row for one in found for row in one.rows],
        "together": [
            {"size": one.size, "statistics": one.n_together, "seconds": one.together}
            for one in found
        ],
        "left_out": {name: why for one in found for name, why in one.left_out.items()},
        "networkx": against,
    }
    as_json = json.dumps(report, indent=1)
    if given.output is not None:
        given.output.write_text(as_json + "\n", encoding="utf-8")
    if given.json:
        print(as_json)
    else:
        print(f"{machine['cpu']}, {machine['cores']} cores, load before {machine['load_before']}\n")
        print(as_text(found, against))
    return 0


if __name__ == "__main__":
    sys.exit(main())
