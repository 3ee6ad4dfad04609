"""``bipnet stats``: degrees and strengths of every layer at a glance."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click
import numpy as np

from bipnet._progress import progress_bar
from bipnet.cli import options, tables
from bipnet.cli.inputs import open_input
from bipnet.convert import matching_layers
from bipnet.graph import SignedBipartiteGraph

Side = Literal["left", "right"]
_SIDES: tuple[Side, Side] = ("left", "right")


@click.command(epilog="Example: bipnet stats model.safetensors --layers '*lin1*' --json")
@click.argument("input", type=options.INPUT)
@options.layers
@options.orientation
@options.as_json
def stats(input: Path, globs: tuple[str, ...], orientation: str | None, as_json: bool) -> None:
    """Degrees and strengths of the layers of INPUT, as signed bipartite graphs.

    k+ and k- count a node's positive and negative edges, s+ and s- add up their |weights|;
    given as minimum / median / maximum over the nodes of a side.
    """
    source = open_input(input, orientation)
    chosen = matching_layers(source.layers, globs, input)
    found = []
    with progress_bar(len(chosen), "stats") as bar:
        for layer in chosen:
            found.append((layer.title, _stats(source.read(layer))))
            bar.update()
    if as_json:
        layers = [{"layer": title, **values} for title, values in found]
        tables.print_json({"path": str(input), "format": source.format, "layers": layers})
        return
    header = ["layer", "left x right", "edges", "density", "alpha", "sigma(w)"]
    quantities = [(side, name) for side in _SIDES for name in ("k+", "k-", "s+", "s-")]
    header += [f"{name} {side}" for side, name in quantities]
    rows = []
    for title, values in found:
        row: list[object] = [
            title,
            f"{values['n_left']} x {values['n_right']}",
            values["n_edges"],
            f"{values['density']:.3f}",
            f"{values['positive_fraction']:.3f}",
            f"{values['weight_sd']:.4g}",
        ]
        for side, name in quantities:
            spread = values[side][name]
            row.append(" / ".join(f"{spread[part]:.4g}" for part in ("min", "median", "max")))
        rows.append(row)
    tables.print_table(header, rows)


def _stats(graph: SignedBipartiteGraph) -> dict[str, Any]:
    weights = graph.edges()[2].astype(np.float64)
    values: dict[str, Any] = {
        "n_left": graph.n_left,
        "n_right": graph.n_right,
        "dtype": graph.dtype.name,
        "n_edges": graph.n_edges,
        "density": graph.density,
        "positive_fraction": graph.positive_fraction,
        "weight_sd": float(weights.std()) if weights.size else 0.0,
    }
    for side in _SIDES:
        values[side] = {
            "k+": _spread(graph.degrees(side, "+")),
            "k-": _spread(graph.degrees(side, "-")),
            "s+": _spread(graph.strengths(side, "+")),
            "s-": _spread(graph.strengths(side, "-")),
        }
    return values


def _spread(values: np.ndarray[Any, Any]) -> dict[str, float]:
    return {
        "min": float(values.min()),
        "median": float(np.median(values)),
        "mean": float(values.mean()),
        "max": float(values.max()),
    }
