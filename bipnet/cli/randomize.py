"""``bipnet randomize``: a null draw of a matrix, of a checkpoint's layers, or of a store's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bipnet._progress import progress_bar
from bipnet._streams import Seed, resolve_seed
from bipnet.cli import options, tables
from bipnet.cli.inputs import StoreSource, open_input, output_writer
from bipnet.convert import LayerInfo, Source, matching_layers
from bipnet.errors import InputError
from bipnet.nulls import randomize as randomized
from bipnet.nulls.models import null_model


@click.command(
    epilog="Example: bipnet randomize model.safetensors --null E --seed 7 --layers '*ffn*'"
    " -o random.safetensors"
)
@click.argument("input", type=options.INPUT)
@options.null
@options.seed
@options.index
@options.layers
@click.option(
    "-o",
    "--output",
    type=options.INPUT,
    help="Where to write; everything but the chosen layers stays as it was. A store may do"
    " without: the recipe of each draw is then recorded in the store itself. A copy of a store"
    " holds the new weights, not the draws that the store has recorded.",
)
@click.option(
    "--materialize", is_flag=True, help="Store without -o: keep the draws' weights as well."
)
@options.method
@options.steps
@options.orientation
@options.force
@options.as_json
def randomize(
    input: Path,
    letter: str,
    seed: int | None,
    index: int,
    globs: tuple[str, ...],
    output: Path | None,
    materialize: bool,
    method: str | None,
    steps: int | None,
    orientation: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Draw null model LETTER of each chosen layer of INPUT and write the result.

    Every layer draws under its tensor's name: the same seed gives the same bits as
    bipnet.randomize(W, LETTER, rng=seed, index=index, name=tensor name) in Python.
    """
    model = null_model(letter)
    source = open_input(input, orientation)
    chosen = matching_layers(source.layers, globs, input)
    resolved = resolve_seed(seed)
    settings: dict[str, Any] = {"index": index, "method": method, "steps": steps}
    if output is None:
        if not isinstance(source, StoreSource):
            raise InputError("name an output file with -o (only a store can record draws itself)")
        _record(source, chosen, model.letter, resolved, settings, materialize)
    elif materialize:
        raise InputError("--materialize is for stores without -o: an output always has the weights")
    else:
        _write(source, chosen, model.letter, resolved, settings, output, force)
    result = {
        "input": str(input),
        "output": str(output or input),
        "null": model.letter,
        "seed": resolved.entropy,
        "index": index,
        "layers": [layer.name for layer in chosen],
    }
    if as_json:
        tables.print_json(result)
    else:
        click.echo(
            f"{result['output']}: null model {model.letter} ({model.title}), seed"
            f" {resolved.entropy}, index {index}, {len(chosen)} layer(s)"
        )


def _write(
    source: Source,
    chosen: list[LayerInfo],
    letter: str,
    seed: Seed,
    settings: dict[str, Any],
    output: Path,
    force: bool,
) -> None:
    with (
        output_writer(source, output, force=force) as writer,
        progress_bar(len(chosen), f"null model {letter}") as bar,
    ):
        for layer in chosen:
            drawn = randomized(source.read(layer), letter, rng=seed, name=layer.name, **settings)
            writer.put(layer, drawn)
            bar.update()


def _record(
    source: StoreSource,
    chosen: list[LayerInfo],
    letter: str,
    seed: Seed,
    settings: dict[str, Any],
    materialize: bool,
) -> None:
    from bipnet.store import open_store

    store = open_store(source.path, "a")
    with progress_bar(len(chosen), f"null model {letter}") as bar:
        for layer in chosen:
            store[layer.name].draw(letter, rng=seed, materialize=materialize, **settings)
            bar.update()
