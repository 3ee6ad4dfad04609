"""Reproduce the paper's MLP figures: jobs -> tables -> pictures and a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from bipnet._progress import Stopwatch
from bipnet._threads import usable_cores
from bipnet.errors import InputError
from bipnet.experiments.claims import evaluate_claims
from bipnet.experiments.datasets import find_dataset
from bipnet.experiments.figures import FIGURES as CATALOGUE
from bipnet.experiments.figures import write_figures
from bipnet.experiments.figures.files import is_missing
from bipnet.experiments.jobs import Runner
from bipnet.experiments.report import write_report
from bipnet.experiments.results import Results, ResultsFolder, require_output_folder
from bipnet.experiments.scheduler import require_address
from bipnet.experiments.software import software
from bipnet.experiments.summary import summarize
from bipnet.experiments.sweep import FIGURES, Plan, Settings, described_data, make_plan

PAPER_DATASETS = ("mnist", "fashion-mnist")


@dataclass
class Reproduction(Results):
    """What a run made.

    Attributes
    ----------
    sigmas
        Standard deviations of weights that Figures 1, 10 and 12 mark.
    """

    sigmas: dict[int, pd.DataFrame] = field(default_factory=dict)

    @property
    def drawn_tables(self) -> dict[int, pd.DataFrame]:
        """What figures, verdicts and the report are made of: Figure 7 with every sigma known."""
        tables = self.all_tables
        sigmas = [tables[7]] if 7 in tables else []
        sigmas += self.sigmas.values()
        if not sigmas:
            return tables
        return {**tables, 7: pd.concat(sigmas, ignore_index=True)}

    def take_earlier(self, folder: ResultsFolder, figures: Sequence[int]) -> None:
        """Take what runs of other figures have left in the folder."""
        others = [figure for figure in FIGURES if figure not in figures]
        found = folder.tables([name(figure) for figure in others for name in (_name, _sigma_name)])
        self.earlier = {figure: found[_name(figure)] for figure in others if _name(figure) in found}
        self.sigmas = {
            figure: found[_sigma_name(figure)]
            for figure in self.earlier
            if _sigma_name(figure) in found
        }

    def summary(self) -> dict[str, Any]:
        """Medians and quartiles, failed trainings, losses of pairs: plain data."""
        return dict(summarize(self.drawn_tables))


def reproduce(
    figures: Sequence[int] = FIGURES,
    *,
    datasets: Sequence[str] = PAPER_DATASETS,
    data_dir: str | Path | None = None,
    download: bool = False,
    output: str | Path = "results",
    settings: Settings | None = None,
    n_workers: int | None = None,
    scheduler: str | None = None,
    tables_only: bool = False,
    force: bool = False,
) -> Reproduction:
    """Run what the figures need; write tables, pictures, and a report with verdicts.

    Every job is kept below ``output``: an interrupted run goes on where it was, and ends in the
    same tables, byte for byte, with any number of workers. Verdicts and report are of all tables
    there, those of earlier runs too.

    Parameters
    ----------
    figures
        Numbers of `FIGURES`.
    datasets
        Names for `load_dataset`.
    data_dir, download
        Where the images are; see `bipnet.experiments.datasets.find_dataset`.
    output
        Folder; made if its parent exists.
    settings
        The protocol; by default the paper's.
    n_workers
        Worker processes; by default one for each processor.
    scheduler
        Address of a Dask scheduler to work on instead.
    tables_only
        Leave out pictures and report.
    force
        Replace the tables of another protocol in ``output``.

    Returns
    -------
    Tables, protocol and times.

    Raises
    ------
    InputError
        Unknown figures, ``output`` holds results of another protocol, or a damaged table; an
        address of a scheduler that is none.
    OutputExistsError
        ``output`` is a file.
    MissingFileError, FileFormatError
        The parent of ``output`` does not exist; missing or damaged data files.
    """
    if not figures:
        raise InputError(f"no figure was asked for; there are {', '.join(map(str, FIGURES))}")
    figures = sorted(set(figures))
    settings = settings or Settings()
    require_output_folder(Path(output))
    require_address(scheduler)
    where = None if data_dir is None else str(Path(data_dir).absolute())
    watch = Stopwatch()
    with watch.stage("load data"):
        loaded = {name: find_dataset(name, where, download=download) for name in datasets}
    with watch.stage("plan"):
        plan = make_plan(figures, loaded, settings, data_dir=where)
    protocol = protocol_of(settings, plan)
    folder = ResultsFolder(Path(output), protocol, force=force)
    runner = Runner(folder.jobs, n_workers=n_workers or usable_cores(), scheduler=scheduler)
    result = Reproduction({}, protocol)
    result.take_earlier(folder, figures)
    result.work_through(plan.stages(), runner, watch)
    with watch.stage("write tables"):
        for figure in figures:
            result.tables[figure] = plan.table(figure, runner)
            folder.write_table(result.tables[figure], _name(figure))
            sigmas = plan.sigmas(figure, runner)
            if sigmas is not None:
                result.sigmas[figure] = sigmas
                folder.write_table(sigmas, _sigma_name(figure))
    with watch.stage("judge claims"):
        result.findings = evaluate_claims(result.drawn_tables, image_pairs=settings.n_ssim_pairs)
    if tables_only:
        result.seconds = watch.seconds()
        return result
    with watch.stage("draw figures"):
        pictures = folder.subfolder("figures")
        # Figure 7 may be drawable by what other figures mark of it: only if it was asked for.
        asked = [figure for figure in CATALOGUE if figure.number in result.all_tables]
        asked = [
            figure
            for figure in asked
            if figure.number in result.tables or is_missing(figure, pictures)
        ]
        result.files = write_figures(result.drawn_tables, pictures, figures=asked, force=True)
    result.seconds = watch.seconds()
    stages = {stage: time for stage, time in result.seconds.items() if stage != "total"}
    with watch.stage("write report"):
        report = write_report(
            result.drawn_tables,
            result.findings,
            _as_choices(protocol),
            stages,
            folder.path / "report.html",
            force=True,
        )
    result.files.append(report)
    result.seconds = watch.seconds()
    return result


def _name(figure: int) -> str:
    """Of the file of its table, without ending."""
    return f"figure-{figure:02}"


def _sigma_name(figure: int) -> str:
    return f"{_name(figure)}-sigma"


def _as_choices(protocol: Mapping[str, Any]) -> dict[str, Any]:
    """The protocol in the words of `bipnet.experiments.choices`."""
    datasets = protocol["datasets"]
    pairs = [
        f"by {data['tasks_by']}: "
        + ", ".join(
            f"{label} of {name} = {' / '.join(pair)}" for label, pair in data["tasks"].items()
        )
        for name, data in datasets.items()
    ]
    by_figure = ("networks_per_task", "hidden")
    rest = {
        name.replace("_", " "): _rounded(value) if name.endswith("_levels") else value
        for name, value in protocol.items()
        if name not in (*by_figure, "datasets", "networks", "software", "stop")
    }
    return {
        **{
            name.replace("_", " "): {f"Figure {n}": value for n, value in protocol[name].items()}
            for name in by_figure
        },
        **{f"training on {name}": data["training"] for name, data in datasets.items()},
        **rest,
        "stop": {
            "last": "the weights after the last step",
            "best": "the epoch of highest test accuracy",
        }[protocol["stop"]],
        "pairs": "; ".join(pairs),
        "ssim_scale": "[-1, 1], as the networks see them",
        "digests of the data": ", ".join(
            f"{name} {data['digest']}" for name, data in datasets.items()
        ),
        "versions": protocol["software"],
    }


def _rounded(levels: Sequence[float]) -> str:
    return ", ".join(f"{level:.4g}" for level in levels)


def protocol_of(settings: Settings, plan: Plan) -> dict[str, Any]:
    """Everything the numbers of a run depend on, and how it was chosen where text and code of the
    paper differ: plain data."""
    return {**settings.as_dict(), "datasets": described_data(plan), "software": software()}
