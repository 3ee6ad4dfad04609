"""The study, from a model folder and a CoNLL file to tables, pictures and a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from bipnet._atomic import new_file
from bipnet._progress import Stopwatch
from bipnet._threads import usable_cores
from bipnet.errors import InputError
from bipnet.experiments.figures import write_figures
from bipnet.experiments.figures.catalogue import drawable
from bipnet.experiments.figures.files import is_missing
from bipnet.experiments.jobs import Runner
from bipnet.experiments.language import work
from bipnet.experiments.language.choices import LANGUAGE_CHOICES
from bipnet.experiments.language.claims import evaluate_language_claims
from bipnet.experiments.language.figures import LANGUAGE_FIGURES
from bipnet.experiments.language.layers import linear_layers, names_of, paper_layers
from bipnet.experiments.language.numbers import language_numbers
from bipnet.experiments.language.plan import (
    FIGURES,
    LIBRARIES,
    MAP,
    LanguagePlan,
    make_language_plan,
)
from bipnet.experiments.language.settings import LanguageSettings
from bipnet.experiments.language.summary import summarize_language
from bipnet.experiments.report import Subject, drawn, render_page
from bipnet.experiments.results import Results, ResultsFolder, require_output_folder
from bipnet.experiments.scheduler import require_address
from bipnet.experiments.software import software

DEFAULT_MODEL = "dslim/distilbert-NER"
"""The paper's model, on the Hugging Face hub."""


@dataclass
class LanguageStudy(Results):
    """What a run made.

    Attributes
    ----------
    layers
        Names of the layers of Figures 5 and 9.
    """

    layers: Sequence[str] = field(default_factory=tuple)

    def summary(self) -> dict[str, Any]:
        """The F1 of the model as it is, and what each layer costs under each probe: plain data."""
        return summarize_language(self.all_tables)


def study_language_model(
    figures: Sequence[int] = FIGURES,
    *,
    model: str | Path = DEFAULT_MODEL,
    conll: str | Path,
    output: str | Path = "results",
    settings: LanguageSettings | None = None,
    device: str = "cpu",
    download: bool = False,
    n_workers: int | None = None,
    scheduler: str | None = None,
    tables_only: bool = False,
    force: bool = False,
) -> LanguageStudy:
    """Probe the layers of a model of named entities; write tables, pictures, and a report.

    Every job is kept below ``output``: an interrupted run goes on where it was, and ends in the
    same tables, byte for byte, with any number of workers (on the CPU). Verdicts and report are of
    all tables there, those of earlier runs too.

    Parameters
    ----------
    figures
        5 (pruning, binarising, A, B; and a map of all linear layers) and 9 (noise, flips).
    model
        Folder of a token classification model, or its name on the hub.
    conll
        A file in CoNLL columns, or a folder with a test split; see `read_conll`.
    output
        Folder; made if its parent exists.
    settings
        The protocol; by default the paper's.
    device
        Where to evaluate; on anything but the CPU one process does all the work.
    download
        Fetch the model from the hub if it is not in the local cache.
    n_workers
        Worker processes; by default one for each processor.
    scheduler
        Address of a Dask scheduler to work on instead.
    tables_only
        Leave out pictures and report.
    force
        Replace the tables of another protocol in ``output``.

    Raises
    ------
    InputError
        Unknown figures, labels of model and data that do not match, ``output`` holds results of
        another protocol, or a damaged table; an address of a scheduler that is none.
    OutputExistsError
        ``output`` is a file.
    LayerNotFoundError
        The model has no such layer; lists what it has.
    MissingFileError, FileFormatError
        The parent of ``output`` does not exist; missing or damaged model or data.
    """
    if not figures or set(figures) - set(FIGURES):
        raise InputError(f"the figures of the language model are 5 and 9, got {list(figures)}")
    figures = sorted(set(figures))
    settings = settings or LanguageSettings()
    require_output_folder(Path(output))
    require_address(scheduler)
    where = {
        "model": str(Path(model).absolute()) if work.is_local(str(model)) else str(model),
        "conll": str(Path(conll).absolute()),
        "device": device,
        "download": download,
    }
    watch = Stopwatch()
    try:
        with watch.stage("load model and data"):
            opened = work.session(sentences=settings.n_sentences, seed=settings.seed, **where)
        names = (
            names_of(opened.model, settings.layers)
            if settings.layers
            else paper_layers(opened.model)
        )
        plan = make_language_plan(
            figures, names, linear_layers(opened.model), settings, opened.digests, where
        )
        protocol = _protocol(opened, str(model), names, settings)
        folder = ResultsFolder(Path(output), protocol, force=force)
        if device != "cpu":
            n_workers = 1
        n_workers = n_workers or usable_cores()
        if n_workers > 1:
            work.release()  # the workers open it themselves
        runner = Runner(folder.jobs, n_workers=n_workers, scheduler=scheduler)
        result = LanguageStudy({}, protocol, layers=names)
        result.earlier = _earlier(plan, folder)
        result.work_through(plan.stages(), runner, watch)
    finally:
        work.release()
    with watch.stage("write tables"):
        _write_tables(result, plan, runner, folder)
    with watch.stage("judge claims"):
        title = str(protocol["model"]["name"])
        result.findings = evaluate_language_claims(result.all_tables, title)
    if not tables_only:
        with watch.stage("draw figures"):
            pictures = folder.subfolder("figures")
            asked = [
                figure
                for figure in LANGUAGE_FIGURES
                if figure.number in result.tables or is_missing(figure, pictures)
            ]
            result.files = write_figures(result.all_tables, pictures, figures=asked, force=True)
        with watch.stage("write report"):
            seconds = {name: time for name, time in watch.seconds().items() if name != "total"}
            result.files.append(_write_report(result, seconds, folder.path / "report.html"))
    result.seconds = watch.seconds()
    return result


def _write_tables(
    result: LanguageStudy, plan: LanguagePlan, runner: Runner, folder: ResultsFolder
) -> None:
    for figure in plan.jobs:
        result.tables[figure] = plan.table(figure, runner)
        folder.write_table(result.tables[figure], _name(figure))


def _earlier(plan: LanguagePlan, folder: ResultsFolder) -> dict[int, pd.DataFrame]:
    """What a run of the other figure has left in the folder."""
    names = {_name(figure): figure for figure in (*FIGURES, MAP) if figure not in plan.jobs}
    return {names[name]: table for name, table in folder.tables(list(names)).items()}


def _name(figure: int) -> str:
    """Of the file of its table, without ending."""
    return "layer-map" if figure == MAP else f"figure-{figure:02}"


def _protocol(
    opened: work.Session, name: str, layers: Sequence[str], settings: LanguageSettings
) -> dict[str, Any]:
    """Everything the numbers of a run depend on: plain data."""
    config = opened.model.config
    return {
        **settings.as_dict(),
        "layers": list(layers),
        "model": {
            "name": Path(name).name if work.is_local(name) else name,
            "type": str(config.model_type),
            "dtype": str(next(opened.model.parameters()).dtype).removeprefix("torch."),
            "digest": opened.digests[0],
        },
        "data": {
            "sentences": len(opened.sentences),
            "words": sum(len(sentence.words) for sentence in opened.sentences),
            "digest": opened.digests[1],
        },
        "software": software(LIBRARIES),
    }


def _write_report(result: LanguageStudy, seconds: Mapping[str, float], path: Path) -> Path:
    protocol = result.settings
    flat = {
        f"{group}: {name}": value
        for group in ("model", "data")
        for name, value in protocol[group].items()
    }
    apart = ("model", "data", "software")
    rest = {name: value for name, value in protocol.items() if name not in apart}
    page = render_page(
        Subject(
            "All figures, numbers and verdicts are made from the same tables of measured F1 scores"
            " of named entities.",
            "Each claim about the language model is judged on the model measured here; it stands in"
            " for the paper's where that is another one.",
            "F1 scores and their differences are shares of 1, medians over draws",
            "model",
            "draws",
        ),
        drawn(drawable(result.all_tables, LANGUAGE_FIGURES), result.all_tables, language_numbers),
        result.findings,
        LANGUAGE_CHOICES,
        {**flat, **rest, "versions": protocol["software"]},
        seconds,
    )
    with new_file(path, force=True) as partial:
        partial.write_text(page, encoding="utf-8")
    return path
