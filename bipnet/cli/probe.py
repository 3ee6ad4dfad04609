"""``bipnet probe``: the score of a saved model against the level of a probe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bipnet._streams import resolve_seed
from bipnet.cli import options, tables
from bipnet.cli.opening import open_scored, scored_model
from bipnet.cli.results import Outputs
from bipnet.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

_WHICH = {"float": (False,), "signed": (True,), "both": (False, True)}


@click.command(
    epilog="Example: bipnet probe easy.pt --data easy-test.npz --probe B --levels 0,0.5,0.9"
    " --seed 7 -o easy-b.csv --plot easy-b.png"
)
@click.argument("model", type=options.INPUT)
@scored_model
@click.option(
    "--probe",
    "name",
    metavar="PROBE",
    default="prune",
    show_default=True,
    help="prune, noise, flip, or a null model A to G (pruned first, then randomised).",
)
@click.option(
    "--levels",
    "listed",
    metavar="X,Y,...",
    help="Fractions removed (prune, A to G), noise levels, or fractions flipped."
    " [default: the paper's grid]",
)
@click.option(
    "--models",
    type=click.Choice(tuple(_WHICH)),
    default="both",
    show_default=True,
    help="Score the model as probed (float), binarised afterwards (signed), or both.",
)
@options.layers
@options.each
@options.biases
@options.realizations(5, "Draws per level, where the probe has any.")
@options.seed
@options.index
@click.option(
    "--distribution",
    type=click.Choice(["uniform", "normal"]),
    default="uniform",
    show_default=True,
    help="Of the noise; its level is the half-width, or the standard deviation.",
)
@options.method
@options.steps
@options.loops
@options.table_output
@options.plot_output
@options.force
@options.as_json
def probe(
    model: Path,
    data: Path,
    name: str,
    listed: str | None,
    models: str,
    globs: tuple[str, ...],
    each: bool,
    biases: bool,
    n_realizations: int,
    seed: int | None,
    index: int,
    distribution: str,
    method: str | None,
    steps: int | None,
    loops: int | None,
    output: Path | None,
    plot: Path | None,
    force: bool,
    as_json: bool,
    **opening: Any,
) -> None:
    """Prune, noise, flip or randomise the layers of MODEL, and score it at each level.

    MODEL (.pt, .pth or .safetensors; with --task a Hugging Face folder) is not changed. Prints
    medians and quartiles; -o has a row per level and realization, --plot a picture of them.
    """
    if name != "noise":
        options.refuse_idle(["distribution"], "is of noise: choose --probe noise too")
    if name in ("prune", "flip"):
        idle = ("n_realizations", "seed", "index")
        options.refuse_idle(idle, f"is of draws, and {name} leaves nothing to chance: leave it out")
    levels = None if listed is None else _numbers(listed)
    outputs = Outputs(output, plot, force)
    from bipnet.torch import probe as probe_model  # first: says what is missing

    scored = open_scored(model, data, **opening)
    resolved = resolve_seed(seed)
    table = probe_model(
        scored.network,
        scored.evaluate,
        name,
        levels=levels,
        signed=_WHICH[models],
        layers=globs or None,
        each=each,
        biases=biases,
        n_realizations=n_realizations,
        index=index,
        rng=resolved,
        distribution=distribution,  # type: ignore[arg-type]  # click has checked it
        method=method,
        steps=steps,
        loops=loops,
    )
    outputs.write(table, "probe_curves")
    has_chance = name not in ("prune", "flip")
    if as_json:
        result = {"model": str(model), "probe": name, "biases": biases, **scored.facts}
        if name == "noise":
            result["distribution"] = distribution
        if has_chance:
            result |= {"seed": resolved.entropy, "index": index}
        tables.print_json({**result, **outputs.as_json(), "rows": tables.records(table)})
        return
    _print_summary(table)
    if has_chance:
        click.echo(f"{n_realizations} draw(s) per level, seed {resolved.entropy}")
    if scored.line is not None:
        click.echo(scored.line)
    outputs.say()


def _numbers(listed: str) -> list[float]:
    try:
        return [float(part) for part in listed.split(",")]
    except ValueError:
        raise InputError(f"--levels takes numbers like 0,0.5,0.9, got {listed!r}") from None


def _print_summary(table: pd.DataFrame) -> None:
    """A line per point: where it is, and the scores there."""
    flips_or_noise = table["probe"].isin(["noise", "flip"]).any()
    at = "level" if flips_or_noise else "fraction_removed"
    rows = []
    keys = ["layer", "model", "probe", "null_model", at]
    for (layer, model, kind, letter, level), points in table.groupby(
        keys, sort=False, dropna=False
    ):
        low, middle, high = points["score"].quantile([0.25, 0.5, 0.75])
        rows.append(
            (
                layer,
                model,
                letter or kind,
                "-" if kind == "none" else f"{level:.6g}",
                f"{points['n_edges'].median():.0f}",
                f"{middle:.4f}",
                f"{low:.4f}",
                f"{high:.4f}",
            )
        )
    header = ("layer", "model", "probe", "level", "edges", "median", "quartile 1", "quartile 3")
    tables.print_table(header, rows)
