"""``bipnet reproduce``: the paper's figures, from data files to a report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bipnet.cli import options, tables
from bipnet.cli.images import ready_for_images
from bipnet.errors import InputError


@click.command(
    epilog="Example: bipnet reproduce 1 2 --quick --data-dir data -o results; with no data files:"
    " bipnet reproduce mlp --quick --data digits"
)
@click.argument("figures", nargs=-1, required=True, metavar="FIGURE...")
@click.option(
    "--data",
    "datasets",
    multiple=True,
    type=click.Choice(["mnist", "fashion-mnist", "digits"]),
    help="Data set; may be repeated. digits is embedded. [default: mnist and fashion-mnist]",
)
@options.data_dir
@options.download
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Folder for tables, pictures, report and finished jobs.",
)
@click.option("--quick", is_flag=True, help="A tenth of the paper's numbers of networks.")
@click.option(
    "--realizations",
    type=click.IntRange(min=1),
    help="Networks per task in every figure. [default: the paper's: 100, 20 or 10]",
)
@click.option(
    "--biases",
    type=click.Choice(["trained", "fresh"]),
    default="trained",
    show_default=True,
    help="fresh: random biases in all evaluations, as in the paper's released code.",
)
@click.option(
    "--stop",
    type=click.Choice(["last", "best"]),
    default="last",
    show_default=True,
    help="best: the epoch of highest test accuracy, as in the paper's text.",
)
@options.seed_of_all
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Worker processes. [default: one for each processor]",
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Work on this Dask cluster, whose workers see the same data folder.",
)
@click.option("--tables-only", is_flag=True, help="Leave out pictures and report.")
@options.force
@options.as_json
def reproduce(
    figures: tuple[str, ...],
    datasets: tuple[str, ...],
    data_dir: Path | None,
    download: bool,
    output: Path,
    quick: bool,
    realizations: int | None,
    biases: Any,
    stop: Any,
    seed: int,
    workers: int | None,
    scheduler: str | None,
    tables_only: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Reproduce figures of the paper: numbers, or mlp for all about MLPs.

    An interrupted run goes on where it was. Writes tables (Parquet, CSV), pictures (PNG, PDF) and
    report.html.
    """
    if quick and realizations is not None:
        raise InputError("--quick and --realizations both say how many networks: give one of them")
    ready_for_images(datasets, data_dir, download)
    from bipnet.experiments import reproduce as experiment
    from bipnet.experiments.sweep import Settings

    settings = Settings(realizations, quick, biases, stop, seed)
    result = experiment.reproduce(
        _numbers(figures),
        datasets=datasets or experiment.PAPER_DATASETS,
        data_dir=data_dir,
        download=download,
        output=output,
        settings=settings,
        n_workers=workers,
        scheduler=scheduler,
        tables_only=tables_only,
        force=force,
    )
    if as_json:
        tables.print_json(result.as_json())
        return
    click.echo(result.as_text())


def _numbers(figures: tuple[str, ...]) -> list[int]:
    from bipnet.experiments.sweep import FIGURES

    numbers: list[int] = []
    for name in figures:
        if name == "mlp":
            numbers += FIGURES
        elif name.isdecimal() and int(name) in FIGURES:
            numbers.append(int(name))
        else:
            known = ", ".join(map(str, FIGURES))
            raise InputError(f"no figure {name!r} to reproduce; there are {known} and mlp")
    return numbers
