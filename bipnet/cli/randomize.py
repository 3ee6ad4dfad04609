"""``bipnet randomize``: a null draw of a matrix, of a checkpoint's layers, or of a store's."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from bipnet._atomic import require_free_output
from bipnet._progress import Stopwatch, progress_bar
from bipnet._streams import Seed, resolve_seed
from bipnet.cli import options, tables
from bipnet.cli.inputs import StoreSource, as_checkpoint, open_input, output_writer
from bipnet.convert import LayerInfo, Source, matching_layers
from bipnet.errors import BipnetWarning, InputError
from bipnet.nulls import randomize as randomized
from bipnet.nulls.models import null_model

if TYPE_CHECKING:
    from bipnet.convert.rewrite import Checkpoint


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
@options.loops
@options.orientation
@options.force
@options.resume
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
    loops: int | None,
    orientation: str | None,
    force: bool,
    resume: bool,
    as_json: bool,
) -> None:
    """Draw null model LETTER of each chosen layer of INPUT and write the result.

    Every layer draws under its tensor's name: the same seed gives the same bits as
    bipnet.randomize(W, LETTER, rng=seed, index=index, name=tensor name) in Python.

    A safetensors file or a Hugging Face folder is done layer by layer, whatever its size; a
    folder becomes a folder. After a kill or Ctrl-C the same command with --resume finishes it,
    to the same bytes.
    """
    model = null_model(letter)
    source = open_input(input, orientation)
    chosen = matching_layers(source.layers, globs, input)
    checkpoint = None if output is None else as_checkpoint(source, output)
    if resume:
        if checkpoint is None or output is None:
            raise InputError(
                "--resume is for safetensors files and folders with -o: leave it out, other"
                " outputs are made anew"
            )
        seed = _resumed_seed(output, seed, force)
    settings: dict[str, Any] = {"index": index, "method": method, "steps": steps, "loops": loops}
    draw = _Draw(model.letter, resolve_seed(seed), settings)
    draw.require_possible()
    spent: dict[str, Any] = {}
    if output is None:
        if not isinstance(source, StoreSource):
            raise InputError("name an output file with -o (only a store can record draws itself)")
        _record(source, chosen, draw, materialize)
    elif materialize:
        raise InputError("--materialize is for stores without -o: an output always has the weights")
    elif checkpoint is not None:
        recipe = {**draw.recipe(), "orientation": orientation}
        spent = _rewrite(checkpoint, chosen, draw, recipe, output, force, resume)
    else:
        spent = _write(source, chosen, draw, output, force)
    result = {
        "input": str(input),
        "output": str(output or input),
        "null": model.letter,
        "seed": draw.seed.entropy,
        "index": index,
        "layers": [layer.name for layer in chosen],
        **spent,
    }
    if as_json:
        tables.print_json(result)
    else:
        click.echo(
            f"{result['output']}: null model {model.letter} ({model.title}), seed"
            f" {draw.seed.entropy}, index {index}, {len(chosen)} layer(s)"
        )


@dataclass(frozen=True)
class _Draw:
    letter: str
    seed: Seed
    settings: dict[str, Any]

    def of(self, layer: LayerInfo, W: Any, out: Any = None) -> Any:
        return randomized(W, self.letter, rng=self.seed, name=layer.name, out=out, **self.settings)

    def in_place(self, layer: LayerInfo, matrix: np.ndarray[Any, Any]) -> None:
        self.of(layer, matrix, matrix)

    def recipe(self) -> dict[str, Any]:
        return {"null": self.letter, "seed": self.seed.entropy, **self.settings}

    def require_possible(self) -> None:
        """Let a wrong method or number of steps be refused before anything is written."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BipnetWarning)
            randomized(np.zeros((1, 1)), self.letter, rng=0, **self.settings)


def _resumed_seed(output: Path, seed: int | None, force: bool) -> int | None:
    from bipnet.convert.rewrite import unfinished_recipe

    recipe = unfinished_recipe(output)
    if recipe is None:
        require_free_output(output, force)
        if seed is None:
            raise InputError(
                f"nothing of {output} to resume, so its seed is not known: give --seed, or leave"
                " --resume out to begin with a random one"
            )
        click.echo(f"bipnet: nothing of {output} to resume: starting anew", err=True)
        return seed
    return recipe["seed"] if seed is None else seed


def _rewrite(
    source: Checkpoint,
    chosen: list[LayerInfo],
    draw: _Draw,
    recipe: dict[str, Any],
    output: Path,
    force: bool,
    resume: bool,
) -> dict[str, Any]:
    from bipnet.convert.rewrite import rewrite

    n_weights = _n_weights(chosen)
    try:
        with progress_bar(n_weights, f"null model {draw.letter}", " weights") as bar:
            done = rewrite(
                source, chosen, output, draw.in_place, recipe,
                force=force, resume=resume, advance=bar.update,
            )  # fmt: skip
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "interrupted; no output was left half-written: the same command with --resume goes on"
            " where this one stopped"
        ) from None
    return {**_speeds(n_weights, done.seconds), "resumed": done.resumed}


def _write(
    source: Source, chosen: list[LayerInfo], draw: _Draw, output: Path, force: bool
) -> dict[str, Any]:
    watch = Stopwatch()
    n_weights = _n_weights(chosen)
    with (
        progress_bar(n_weights, f"null model {draw.letter}", " weights") as bar,
        output_writer(source, output, force=force) as writer,
    ):
        for layer in chosen:
            with watch.stage("read"):
                graph = source.read(layer)
            with watch.stage("change"):
                drawn = draw.of(layer, graph)
            with watch.stage("write"):
                writer.put(layer, drawn)
            bar.update(layer.shape[0] * layer.shape[1])
    return _speeds(n_weights, watch.seconds())


def _n_weights(layers: list[LayerInfo]) -> int:
    return sum(layer.shape[0] * layer.shape[1] for layer in layers)


def _speeds(n_weights: int, seconds: dict[str, float]) -> dict[str, Any]:
    return {
        "weights": n_weights,
        "seconds": {stage: round(time, 6) for stage, time in seconds.items()},
        "weights_per_second": {
            stage: round(n_weights / time) for stage, time in seconds.items() if time > 0
        },
    }


def _record(source: StoreSource, chosen: list[LayerInfo], draw: _Draw, materialize: bool) -> None:
    from bipnet.store import open_store

    store = open_store(source.path, "a")
    with progress_bar(_n_weights(chosen), f"null model {draw.letter}", " weights") as bar:
        for layer in chosen:
            store[layer.name].draw(
                draw.letter, rng=draw.seed, materialize=materialize, **draw.settings
            )
            bar.update(layer.shape[0] * layer.shape[1])
