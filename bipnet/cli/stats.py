"""``bipnet stats``: degrees, strengths and named statistics of every layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click
import numpy as np

from bipnet._progress import progress_bar
from bipnet.cli import options, tables
from bipnet.cli.inputs import open_input
from bipnet.cli.significance import list_statistics, print_statistics, test_layers
from bipnet.convert import matching_layers
from bipnet.errors import InputError
from bipnet.graph import SignedBipartiteGraph

Side = Literal["left", "right"]
_SIDES: tuple[Side, Side] = ("left", "right")


@click.command(
    epilog="Example: bipnet stats model.safetensors --layers '*lin1*' --json; bipnet stats"
    " trained.npy --significance G -n 200 --before untrained.npy -o table.parquet"
)
@click.argument("input", type=options.INPUT, required=False)
@options.layers
@options.orientation
@click.option(
    "--statistics",
    "names",
    metavar="NAME",
    multiple=True,
    help="A named statistic (--list shows them); may be repeated. [default with --significance:"
    " all statistics of the whole graph]",
)
@click.option("--list", "listing", is_flag=True, help="List the named statistics and leave.")
@click.option(
    "--significance",
    "letter",
    metavar="LETTER",
    help="Compare statistics with draws of this null model, A to G.",
)
@click.option(
    "-n",
    "--draws",
    "n_draws",
    type=click.IntRange(min=1),
    default=200,
    show_default=True,
    help="Draws of the null model.",
)
@click.option(
    "--before", type=options.INPUT, help="The same layers at another time, e.g. before training."
)
@options.seed_of_all
@click.option(
    "-o",
    "--output",
    type=options.INPUT,
    help="Table to write, a row per number: .csv or .parquet. An interrupted run of the same"
    " command goes on where it was.",
)
@options.force
@options.as_json
def stats(
    input: Path | None,
    globs: tuple[str, ...],
    orientation: str | None,
    names: tuple[str, ...],
    listing: bool,
    letter: str | None,
    n_draws: int,
    before: Path | None,
    seed: int,
    output: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Degrees, strengths and named statistics of the layers of INPUT, as signed bipartite graphs.

    Without options: k+ and k- count a node's positive and negative edges, s+ and s- add up their
    |weights|; given as minimum / median / maximum over the nodes of a side. --significance says
    which statistics are more than a null model makes by chance.
    """
    if listing:
        list_statistics(as_json)
        return
    if input is None:
        raise InputError("name a file of layers as INPUT, or ask for --list")
    if letter is None:
        idle = ("n_draws", "before", "seed", "output", "force")
        options.refuse_idle(idle, "goes with --significance: name a null model")
        if names:
            print_statistics(input, globs, orientation, names, as_json)
            return
    else:
        test_layers(
            input, before, globs, orientation, letter, names, n_draws, seed, output, force, as_json
        )
        return
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
