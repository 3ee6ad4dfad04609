"""``bipnet layers``: what of an input is a layer, what its weights are like, and what is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from bipnet._progress import progress_bar
from bipnet.cli import options, tables
from bipnet.cli.inputs import open_input
from bipnet.cli.weights import STATISTICS, statistics
from bipnet.convert import LayerInfo, Source, matching_layers
from bipnet.errors import BipnetWarning, DTypeError, InputError, warn_caller

Values = dict[str, Any] | None


@click.command(epilog="Example: bipnet layers model.safetensors --layers '*ffn*'")
@click.argument("model", type=options.INPUT)
@options.layers
@options.orientation
@click.option(
    "--statistics/--no-statistics",
    "with_statistics",
    default=True,
    help="Read the weights, a layer at a time, for edges, alpha, sigma(w) and s+/s-. Without them"
    " nothing but names and shapes is read: instant however large MODEL is. [default: with]",
)
@options.as_json
def layers(
    model: Path,
    globs: tuple[str, ...],
    orientation: str | None,
    with_statistics: bool,
    as_json: bool,
) -> None:
    """List the layers of MODEL: any file of weights, checkpoint folder or store.

    Layers marked * are taken when no --layers glob names others. Shapes are left x right nodes.
    alpha is the share of positive edges, sigma(w) the standard deviation of all weights (missing
    edges are zeros), s+/s- the sum of the positive weights over that of the negative ones' |w|.
    """
    source = open_input(model, orientation)
    chosen = matching_layers(source.layers, globs, model) if globs else list(source.layers)
    found: list[Values] = [None] * len(chosen)
    if with_statistics:
        found = _statistics(source, chosen)
    if as_json:
        tables.print_json(
            {
                "path": str(model),
                "format": source.format,
                "layers": [
                    {**asdict(layer), "tied": list(layer.tied), **(values or {})}
                    for layer, values in zip(chosen, found, strict=True)
                ],
                "skipped": [asdict(skipped) for skipped in source.skipped],
            }
        )
        return
    tables.print_table(
        (
            *("", "layer", "left x right", "dtype", "kind", "orientation"),
            *(("edges", "alpha", "sigma(w)", "s+/s-") if with_statistics else ()),
            "note",
        ),
        [
            (
                "*" if layer.by_default else "",
                layer.title,
                f"{layer.shape[0]} x {layer.shape[1]}",
                layer.dtype,
                layer.kind,
                layer.orientation,
                *(_cells(values) if with_statistics else ()),
                layer.note,
            )
            for layer, values in zip(chosen, found, strict=True)
        ],
    )
    reasons: dict[str, list[str]] = {}
    for skipped in source.skipped:
        reasons.setdefault(skipped.reason, []).append(skipped.name)
    for reason, names in reasons.items():
        shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        click.echo(f"skipped {len(names)}: {reason}: {shown}")


def _statistics(source: Source, chosen: Sequence[LayerInfo]) -> list[Values]:
    """Of each layer; of one that cannot be a graph (NaN weights) empty ones, with a warning."""
    found: list[Values] = []
    n_weights = sum(layer.shape[0] * layer.shape[1] for layer in chosen)
    with progress_bar(n_weights, "layers", "weights") as bar:
        for layer in chosen:
            try:
                found.append(statistics(source.read(layer)))
            except (InputError, DTypeError) as error:
                warn_caller(f"no statistics of layer {layer.title}: {error}", BipnetWarning)
                found.append(dict.fromkeys(STATISTICS))
            bar.update(layer.shape[0] * layer.shape[1])
    return found


def _cells(values: Values) -> list[object]:
    """A dash where there is no number."""
    edges, *numbers = ((values or {}).get(name) for name in STATISTICS)
    shown = ["-" if number is None else f"{number:.4g}" for number in numbers]
    return ["-" if edges is None else edges, *shown]
