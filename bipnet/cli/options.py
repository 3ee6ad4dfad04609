"""Options that several commands share, so that they mean the same everywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from bipnet.convert.orientation import LAYOUTS
from bipnet.errors import InputError
from bipnet.nulls import NULL_MODELS

F = TypeVar("F", bound=Callable[..., Any])

_TITLES = ", ".join(f"{row.letter} {row.title}" for row in NULL_MODELS.values())

INPUT = click.Path(path_type=Path)

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
layers = click.option(
    "--layers",
    "globs",
    metavar="GLOB",
    multiple=True,
    help="Layers by tensor or module name, with wildcards; may be repeated."
    " [default: linear and convolution weights]",
)
orientation = click.option(
    "--orientation",
    type=click.Choice(LAYOUTS),
    help="How the tensors of a raw checkpoint lie, where that cannot be told from the model type."
    " [default: right-left, i.e. (out, in)]",
)
null = click.option(
    "--null",
    "letter",
    metavar="LETTER",
    required=True,
    help=f"Null model: {_TITLES}.",
)
optional_null = click.option(
    "--null",
    "letter",
    metavar="LETTER",
    help=f"Randomise before scoring: {_TITLES}.",
)
seed = click.option(
    "--seed",
    type=click.IntRange(min=0),
    help="Seed of the draw; the same seed gives the same bits. [default: a fresh one, printed]",
)
index = click.option(
    "--index",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Number of the draw under this seed.",
)
method = click.option(
    "--method", help="How G moves signs: trade (default) or swap (2x2 swaps, for comparison)."
)
steps = click.option(
    "--steps",
    type=click.IntRange(min=1),
    help="Steps of G's chain: rounds of trades, or swaps. [default: found on a pilot chain]",
)
loops = click.option(
    "--loops",
    type=click.IntRange(min=0),
    help="Loops of G's chain where edges are missing. [default: found on a pilot chain]",
)
force = click.option("--force", is_flag=True, help="Replace the output if it exists.")
resume = click.option(
    "--resume",
    is_flag=True,
    help="Checkpoint of safetensors: go on with what a killed or interrupted run of the same"
    " command has left. Without --seed the seed is taken from there.",
)
each = click.option(
    "--each", is_flag=True, help="One layer at a time, the others as they are; not all at once."
)
biases = click.option(
    "--biases",
    is_flag=True,
    help="Prune, noise and binarise the biases of the layers too, by their own ranking.",
)
data_dir = click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="Folder with the IDX files. [default: bipnet's cache; Debian's folder for fashion-mnist]",
)
download = click.option("--download", is_flag=True, help="Fetch missing files through torchvision.")
seed_of_all = click.option(
    "--seed", type=click.IntRange(min=0), default=7, show_default=True, help="Seed of everything."
)
table_output = click.option(
    "-o", "--output", type=INPUT, help="Table to write, a row per realization: .csv or .parquet."
)
plot_output = click.option(
    "--plot", type=INPUT, help="Picture to draw of the table: .png, .pdf or .svg."
)


def realizations(default: int, text: str) -> Callable[[F], F]:
    """The option for a number of draws."""
    return click.option(
        "-n",
        "--realizations",
        "n_realizations",
        type=click.IntRange(min=1),
        default=default,
        show_default=True,
        help=text,
    )


def trained_model(command: F) -> F:
    """The options of `trained.open_trained`."""
    for option in (
        click.option(
            "--device", default="cpu", show_default=True, help="Where to evaluate, e.g. cuda."
        ),
        click.option("--batch-size", type=click.IntRange(min=1), default=1024, show_default=True),
        click.option(
            "--activation",
            type=click.Choice(["relu", "tanh", "sigmoid", "gelu"]),
            default="relu",
            show_default=True,
            help="Between the layers of an inferred MLP.",
        ),
        click.option(
            "--factory",
            metavar="MODULE:FUNCTION",
            help="Builds the model that the state dict is loaded into (your own code is run)."
            " Without it an MLP is inferred from the shapes of its Linear layers.",
        ),
        click.option(
            "--data",
            type=INPUT,
            required=True,
            help="Test data: an .npz with x (n, ...) and y (n,) integer labels.",
        ),
    ):
        command = option(command)
    return command


def refuse_idle(names: Iterable[str], why: str) -> None:
    """Options that would do nothing are a mistake: raise if any of them was given."""
    context = click.get_current_context()
    flags = {option.name: option.opts[-1] for option in context.command.params}
    for name in names:
        if context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT:
            raise InputError(f"{flags[name]} {why}")
