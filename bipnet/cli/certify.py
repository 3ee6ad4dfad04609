"""``bipnet certify``: what a null model guarantees for each layer, and why."""

from __future__ import annotations

from pathlib import Path

import click

from bipnet._progress import progress_bar
from bipnet.cli import options, tables
from bipnet.cli.inputs import open_input
from bipnet.convert import matching_layers
from bipnet.nulls import certify as certified
from bipnet.nulls.models import null_model


@click.command(epilog="Example: bipnet certify model.safetensors --null G --layers '*ffn*'")
@click.argument("input", type=options.INPUT)
@options.null
@options.layers
@options.orientation
@options.as_json
def certify(
    input: Path, letter: str, globs: tuple[str, ...], orientation: str | None, as_json: bool
) -> None:
    """Say what null model LETTER guarantees for each chosen layer of INPUT, and why.

    Whether draws are exact and independent; why every outcome can be reached; whether rapid
    mixing is proven, with both sides of the inequality; how many edges can change their sign
    and their weight, and which nodes and edges are frozen. Nothing is drawn.
    """
    model = null_model(letter)
    source = open_input(input, orientation)
    chosen = matching_layers(source.layers, globs, input)
    texts, found = [], []
    with progress_bar(len(chosen), f"certify null model {model.letter}") as bar:
        for layer in chosen:
            certificate = certified(source.read(layer), model)
            texts.append(f"{layer.title}: {certificate}")
            found.append({"layer": layer.name, **certificate.to_dict()})
            bar.update()
    if as_json:
        tables.print_json({"path": str(input), "null": model.letter, "layers": found})
    else:
        click.echo("\n\n".join(texts))
