"""Every named statistic in seconds, and against networkx where it has the same one.

    python benchmarks/measures.py [--sizes 784x64,3072x768] [--peer-size 120x80] [-o OUT.json]

What several statistics are made from (products, spectra) is made once, as `bipnet.significance`
does: the first of them pays. Modularity is counted apart, since its optimiser takes its time, and
left out where scikit-network is not installed. networkx knows no signs and works on dictionaries:
it gets the positive graph of a matrix it can do in seconds, which bipnet does too, in the same run;
both give the same numbers or the script ends with an error.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx
import numpy as np
from networkx.algorithms import bipartite

import bipnet
from bipnet import measures
from bipnet.convert import to_networkx
from bipnet.measures.catalogue import STATISTICS, Described

Timed = tuple[float, Any]


def timed(work: Callable[[], Any]) -> Timed:
    begun = time.perf_counter()
    value = work()
    return time.perf_counter() - begun, value


def matrix(size: str) -> np.ndarray[Any, Any]:
    n_left, n_right = map(int, size.split("x"))
    return np.random.default_rng(7).normal(size=(n_left, n_right)).astype(np.float32)


def catalogue(size: str) -> list[dict[str, Any]]:
    """Seconds of every statistic of one graph, in the order of the catalogue."""
    STATISTICS["butterflies"](np.eye(3))  # imports and first calls
    STATISTICS["effective_rank"](np.eye(3))
    if STATISTICS["modularity+"].is_available:
        STATISTICS["modularity+"](np.eye(3))
    described = Described(matrix(size))
    rows = [
        {"statistic": name, "size": size, "s": timed(lambda one=one: one(described))[0]}
        for name, one in STATISTICS.items()
        if one.is_available
    ]
    apart = [row for row in rows if STATISTICS[row["statistic"]].library]
    total, optimised = sum(row["s"] for row in rows), sum(row["s"] for row in apart)
    print(f"\n{size}: {len(rows) - len(apart)} statistics in {total - optimised:.2f} s")
    if apart:
        print(f"and {' and '.join(row['statistic'] for row in apart)} in {optimised:.2f} s")
    print("The slowest:")
    for row in sorted(rows, key=lambda row: -row["s"])[:6]:
        print(f"  {row['statistic']:<28}{row['s']:9.3f} s")
    return rows


def peers(W: np.ndarray[Any, Any]) -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
    """By statistic: networkx's function and ours, of the positive graph."""
    positive = np.maximum(W, 0)
    graph = to_networkx(positive, nodes="numbers")
    left = list(range(len(W)))

    def projected() -> Any:
        return networkx.to_numpy_array(bipartite.weighted_projected_graph(graph, left))

    def latapy() -> Any:
        found = bipartite.latapy_clustering(graph, left)
        return [found[node] for node in left]

    return {
        "Robins-Alexander clustering": (
            lambda: bipartite.robins_alexander_clustering(graph),
            lambda: measures.robins_alexander_clustering(positive, "+"),
        ),
        "Latapy clustering, left": (
            latapy,
            lambda: measures.latapy_clustering(positive, "left", "+"),
        ),
        "projection, left": (projected, lambda: measures.projection(positive, "left")),
    }


def compare(size: str) -> list[dict[str, Any]]:
    """Seconds of networkx and of bipnet, and how many times as long networkx takes."""
    rows = []
    print(f"\n{size}, positive edges: networkx, bipnet")
    for name, (theirs, ours) in peers(matrix(size)).items():
        ours()  # first calls
        peer_s, expected = timed(theirs)
        own_s, found = min((timed(ours) for _ in range(3)), key=lambda one: one[0])
        if not np.allclose(found, expected, rtol=1e-9):
            raise SystemExit(f"{name}: networkx and bipnet differ")
        rows.append({"statistic": name, "size": size, "networkx s": peer_s, "bipnet s": own_s})
        rows[-1]["ratio"] = peer_s / own_s
        print(f"  {name:<28}{peer_s:9.3f} s{own_s:12.5f} s{peer_s / own_s:10.0f} x")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", default="784x64,3072x768", help="LEFTxRIGHT,...")
    parser.add_argument("--peer-size", default="120x80", help="what networkx can do in seconds")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    rows = [row for size in options.sizes.split(",") for row in catalogue(size)]
    against = compare(options.peer_size)
    if options.output is not None:
        about = {
            "bipnet": bipnet.__version__,
            "numpy": np.__version__,
            "networkx": networkx.__version__,
            "machine": platform.machine(),
        }
        found = {"about": about, "catalogue": rows, "networkx": against}
        options.output.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
