"""``bipnet export``: the layers of a model as graphs, with their indices, in a store."""

from __future__ import annotations

from pathlib import Path

import click

from bipnet._progress import progress_bar
from bipnet.cli import options, tables
from bipnet.cli.inputs import open_input
from bipnet.convert import matching_layers


@click.command(epilog="Example: bipnet export model.safetensors -o layers.zarr")
@click.argument("model", type=options.INPUT)
@click.option("-o", "--output", type=options.INPUT, required=True, help="The store to make.")
@options.layers
@options.orientation
@options.force
@options.as_json
def export(
    model: Path,
    output: Path,
    globs: tuple[str, ...],
    orientation: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Export the layers of MODEL to a new store: weights, k+, k-, s+, s- of both sides.

    The store is a Zarr v3 folder that any Zarr library can read.
    """
    source = open_input(model, orientation)
    chosen = matching_layers(source.layers, globs, model)
    from bipnet.store import new_store

    with new_store(output, force=force) as store, progress_bar(len(chosen), "export") as bar:
        for layer in chosen:
            store.add(
                layer.name,
                source.read(layer),
                source=f"{source.path.name} ({source.format})",
                orientation=layer.orientation,
                provenance={"kind": layer.kind, "note": layer.note},
            )
            bar.update()
    left_out = [layer.title for layer in source.layers if layer not in chosen]
    if as_json:
        tables.print_json(
            {
                "store": str(output),
                "layers": [layer.name for layer in chosen],
                "left_out": left_out,
                "skipped": [skipped.name for skipped in source.skipped],
            }
        )
        return
    click.echo(f"{output}: {len(chosen)} layers of {model}")
    if left_out:
        click.echo(f"left out (name them with --layers): {', '.join(left_out)}")
    if source.skipped:
        click.echo(f"skipped {len(source.skipped)} tensors that are no layers (see bipnet layers)")
