"""``bipnet layers``: what of an input is a layer, and what is not and why."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from bipnet.cli import options, tables
from bipnet.cli.inputs import open_input
from bipnet.convert import matching_layers


@click.command(epilog="Example: bipnet layers model.safetensors --layers '*ffn*'")
@click.argument("model", type=options.INPUT)
@options.layers
@options.orientation
@options.as_json
def layers(model: Path, globs: tuple[str, ...], orientation: str | None, as_json: bool) -> None:
    """List the layers of MODEL: any file of weights, checkpoint folder or store.

    Layers marked * are taken when no --layers glob names others. Shapes are left x right nodes.
    """
    source = open_input(model, orientation)
    chosen = matching_layers(source.layers, globs, model) if globs else list(source.layers)
    if as_json:
        tables.print_json(
            {
                "path": str(model),
                "format": source.format,
                "layers": [asdict(layer) for layer in chosen],
                "skipped": [asdict(skipped) for skipped in source.skipped],
            }
        )
        return
    tables.print_table(
        ("", "layer", "left x right", "dtype", "kind", "orientation", "note"),
        [
            (
                "*" if layer.by_default else "",
                layer.title,
                f"{layer.shape[0]} x {layer.shape[1]}",
                layer.dtype,
                layer.kind,
                layer.orientation,
                layer.note,
            )
            for layer in chosen
        ],
    )
    reasons: dict[str, list[str]] = {}
    for skipped in source.skipped:
        reasons.setdefault(skipped.reason, []).append(skipped.name)
    for reason, names in reasons.items():
        shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        click.echo(f"skipped {len(names)}: {reason}: {shown}")
