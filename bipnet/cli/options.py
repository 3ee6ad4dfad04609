"""Options that several commands share, so that they mean the same everywhere."""

from __future__ import annotations

from pathlib import Path

import click

from bipnet.convert.orientation import LAYOUTS
from bipnet.nulls import NULL_MODELS

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
    help="Short loops of G's chain where edges are missing. [default: found on a pilot chain]",
)
force = click.option("--force", is_flag=True, help="Replace the output if it exists.")
resume = click.option(
    "--resume",
    is_flag=True,
    help="Checkpoint of safetensors: go on with what a killed or interrupted run of the same"
    " command has left. Without --seed the seed is taken from there.",
)
