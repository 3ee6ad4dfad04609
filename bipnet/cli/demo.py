"""``bipnet demo``: the main job, end to end, on real data."""

from __future__ import annotations

from pathlib import Path

import click

from bipnet.cli import options, tables
from bipnet.cli.images import ready_for_images


@click.command(epilog="Example: bipnet demo --data mnist --data-dir data/mnist -o results")
@click.option(
    "--data",
    type=click.Choice(["digits", "mnist", "fashion-mnist"]),
    default="digits",
    show_default=True,
    help="digits is embedded in scikit-learn and needs no files.",
)
@options.data_dir
@options.download
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("."),
    help="Folder for picture, tables, store and example models. [default: the working folder]",
)
@click.option(
    "--networks",
    "n_networks",
    type=click.IntRange(min=1),
    help="Networks per task. [default: 10 for digits, 20 otherwise]",
)
@options.seed_of_all
@options.force
@options.as_json
def demo(
    data: str,
    data_dir: Path | None,
    download: bool,
    output: Path,
    n_networks: int | None,
    seed: int,
    force: bool,
    as_json: bool,
) -> None:
    """Train networks on an easy and a hard task, randomise them with A to G, and score them.

    Prints the accuracy per null model (the paper's Figure 2b) and writes demo-accuracy.png, .csv
    and .json, the layers and their verified draws as demo-layers.zarr, and one trained network
    per task with its test data for `bipnet score`.
    """
    ready_for_images([data], data_dir, download)
    from bipnet.experiments.demo import MODELS, OUTPUTS, as_text, run_demo

    result = run_demo(
        data,
        data_dir=data_dir,
        download=download,
        output=output,
        n_networks=n_networks,
        seed=seed,
        force=force,
    )
    if as_json:
        tables.print_json(result.as_json())
        return
    click.echo(as_text(result))
    click.echo(f"written: {', '.join(str(output / name) for name in (*OUTPUTS, *MODELS))}")
