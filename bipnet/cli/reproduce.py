"""``bipnet reproduce``: the paper's figures, from data files to a report."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bipnet.cli import options, tables
from bipnet.cli.images import ready_for_images
from bipnet.errors import InputError

if TYPE_CHECKING:
    from bipnet.experiments.results import Results

_LANGUAGE = (5, 9)


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
@click.option(
    "--quick",
    is_flag=True,
    help="A tenth of the paper's numbers of networks; of 5 and 9: fewer levels, draws, sentences.",
)
@click.option(
    "--realizations",
    type=click.IntRange(min=1),
    help="Networks per task in every figure; of 5 and 9: draws. [default: the paper's]",
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
@click.option(
    "--model",
    metavar="FOLDER|NAME",
    help="Of 5 and 9: a model of named entities, a folder or a name on the Hugging Face hub."
    " [default: the paper's, dslim/distilbert-NER]",
)
@click.option(
    "--conll",
    type=click.Path(path_type=Path),
    help="Of 5 and 9: a CoNLL file, or a folder with a test split.",
)
@options.layers
@click.option(
    "--sentences",
    type=click.IntRange(min=1),
    help="Of 5 and 9: size of the sample of sentences. [default: all; 500 if quick]",
)
@click.option("--device", default="cpu", show_default=True, help="Of 5 and 9: where to evaluate.")
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
@click.option(
    "--tables-only",
    is_flag=True,
    help="Leave out pictures and report; those of earlier runs stay as they are.",
)
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
    model: str | None,
    conll: Path | None,
    globs: tuple[str, ...],
    sentences: int | None,
    device: str,
    seed: int,
    workers: int | None,
    scheduler: str | None,
    tables_only: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Reproduce figures of the paper: numbers, mlp for all about MLPs, language for 5 and 9.

    An interrupted run goes on where it was. Writes tables (Parquet, CSV), pictures (PNG, PDF) and
    report.html, which is of all figures in the folder, those of earlier runs too.
    """
    numbers = _numbers(figures)
    if set(numbers) <= set(_LANGUAGE):
        options.refuse_idle(
            ("datasets", "data_dir", "biases", "stop"), "is of figures about MLPs, not of 5 and 9"
        )
        with _going_on():
            result = _study(
                numbers,
                model=model,
                conll=conll,
                globs=globs,
                quick=quick,
                realizations=realizations,
                sentences=sentences,
                seed=seed,
                output=output,
                device=device,
                download=download,
                n_workers=workers,
                scheduler=scheduler,
                tables_only=tables_only,
                force=force,
            )
        _print(result, as_json)
        return
    if set(numbers) & set(_LANGUAGE):
        raise InputError(
            "figures 5 and 9 are about a language model, the others about MLPs: reproduce them"
            " apart, into another folder"
        )
    idle = ("model", "conll", "globs", "sentences", "device")
    options.refuse_idle(idle, "is of figures 5 and 9, not of those about MLPs")
    if quick and realizations is not None:
        raise InputError("--quick and --realizations both say how many networks: give one of them")
    ready_for_images(datasets, data_dir, download)
    from bipnet.experiments import reproduce as experiment
    from bipnet.experiments.sweep import Settings

    settings = Settings(realizations, quick, biases, stop, seed)
    with _going_on():
        result = experiment.reproduce(
            numbers,
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
    _print(result, as_json)


def _study(
    numbers: list[int],
    *,
    model: str | None,
    conll: Path | None,
    globs: tuple[str, ...],
    quick: bool,
    realizations: int | None,
    sentences: int | None,
    seed: int,
    **options: Any,
) -> Results:
    """Figures 5 and 9."""
    if conll is None:
        raise InputError(
            "figures 5 and 9 need labelled sentences: --conll FILE, in the columns of CoNLL-2003"
        )
    importlib.import_module("bipnet.experiments")  # first: says what is missing
    import matplotlib

    matplotlib.use("agg")  # pictures go into files
    from bipnet.experiments.language import LanguageSettings, study_language_model
    from bipnet.experiments.language.study import DEFAULT_MODEL

    settings = LanguageSettings(globs, realizations, quick, sentences, seed)
    return study_language_model(
        numbers, model=model or DEFAULT_MODEL, conll=conll, settings=settings, **options
    )


@contextmanager
def _going_on() -> Iterator[None]:
    """Say on Ctrl-C that nothing finished is lost."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "interrupted; finished jobs are kept: the same command goes on where it stopped"
        ) from None


def _print(result: Results, as_json: bool) -> None:
    if as_json:
        tables.print_json(result.as_json())
        return
    click.echo(result.as_text())


def _numbers(figures: tuple[str, ...]) -> list[int]:
    importlib.import_module("bipnet.experiments")  # first: says what is missing
    from bipnet.experiments.sweep import FIGURES

    numbers: list[int] = []
    for name in figures:
        if name == "mlp":
            numbers += FIGURES
        elif name == "language":
            numbers += _LANGUAGE
        elif name.isdecimal() and int(name) in (*FIGURES, *_LANGUAGE):
            numbers.append(int(name))
        else:
            known = ", ".join(map(str, sorted((*FIGURES, *_LANGUAGE))))
            raise InputError(
                f"no figure {name!r} to reproduce; there are {known}, mlp and language"
            )
    return numbers
