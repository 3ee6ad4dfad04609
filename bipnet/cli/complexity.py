"""``bipnet complexity``: the score a saved model loses when it is binarised or randomised."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bipnet._streams import resolve_seed
from bipnet.cli import options, tables
from bipnet.cli.opening import open_scored, scored_model
from bipnet.cli.results import Outputs


@click.command(
    epilog="Example: bipnet complexity easy.pt --data easy-test.npz --by binarize,B -n 10 --seed 7"
)
@click.argument("model", type=options.INPUT)
@scored_model
@click.option(
    "--by",
    metavar="X,Y,...",
    default="binarize,B",
    show_default=True,
    help="What is done to the weights: binarize, or a null model A to G.",
)
@options.layers
@options.each
@options.biases
@options.realizations(10, "Draws of each null model.")
@options.seed
@options.index
@options.method
@options.steps
@options.loops
@options.table_output
@options.plot_output
@options.force
@options.as_json
def complexity(
    model: Path,
    data: Path,
    by: str,
    globs: tuple[str, ...],
    each: bool,
    biases: bool,
    n_realizations: int,
    seed: int | None,
    index: int,
    method: str | None,
    steps: int | None,
    loops: int | None,
    output: Path | None,
    plot: Path | None,
    force: bool,
    as_json: bool,
    **opening: Any,
) -> None:
    """How hard its task is for MODEL: the score lost by binarising and randomising it.

    MODEL (.pt, .pth or .safetensors; with --task a Hugging Face folder) is not changed. Prints
    medians and quartiles; -o has a row per realization, --plot a picture of them.
    """
    ways = by.split(",")
    has_chance = ways != ["binarize"]
    if not has_chance:
        idle = ("n_realizations", "seed", "index")
        options.refuse_idle(idle, "is of draws: name a null model with --by too")
    outputs = Outputs(output, plot, force)
    from bipnet.torch import task_complexity  # first: says what is missing

    scored = open_scored(model, data, **opening)
    resolved = resolve_seed(seed)
    table = task_complexity(
        scored.network,
        scored.evaluate,
        ways,
        layers=globs or None,
        each=each,
        biases=biases,
        n_realizations=n_realizations,
        index=index,
        rng=resolved,
        method=method,
        steps=steps,
        loops=loops,
    )
    outputs.write(table, "complexity_bars")
    if as_json:
        result = {"model": str(model), "biases": biases, **scored.facts}
        if has_chance:
            result |= {"seed": resolved.entropy, "index": index}
        tables.print_json({**result, **outputs.as_json(), "rows": tables.records(table)})
        return
    rows = []
    for (layer, way), points in table.groupby(["layer", "by"], sort=False):
        gaps = points["gap"].quantile([0.5, 0.25, 0.75])
        scores = (points["original"].median(), points["probed"].median(), *gaps)
        rows.append((layer, way, len(points), *(f"{score:.4f}" for score in scores)))
    header = ("layer", "by", "draws", "original", "probed", "gap", "quartile 1", "quartile 3")
    tables.print_table(header, rows)
    if has_chance:
        click.echo(f"seed {resolved.entropy}")
    if scored.line is not None:
        click.echo(scored.line)
    outputs.say()
