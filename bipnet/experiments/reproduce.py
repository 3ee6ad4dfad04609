"""Reproduce the paper's MLP figures: jobs -> tables -> pictures and a report."""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

import bipnet
from bipnet._atomic import new_file
from bipnet._progress import Stopwatch, progress_bar
from bipnet._streams import STREAM_VERSION
from bipnet._threads import usable_cores
from bipnet.errors import InputError
from bipnet.experiments.claims import Finding, evaluate_claims
from bipnet.experiments.figures import write_figures
from bipnet.experiments.jobs import Runner
from bipnet.experiments.report import write_report
from bipnet.experiments.summary import summarize
from bipnet.experiments.sweep import FIGURES, Plan, Settings, make_plan
from bipnet.experiments.training import Protocol
from bipnet.experiments.work import find_dataset

PAPER_DATASETS = ("mnist", "fashion-mnist")

PROTOCOL = "protocol.json"


@dataclass
class Reproduction:
    """What a run made.

    Attributes
    ----------
    tables
        By figure; see `bipnet.experiments.tables`.
    sigmas
        Standard deviations of weights that Figures 1, 10 and 12 mark.
    settings
        The protocol: plain data.
    n_done, n_kept
        Jobs done, and jobs found done from before.
    seconds
        Time per stage.
    findings
        The verdict on each claim of the paper.
    files
        Pictures, and last the report.
    """

    tables: dict[int, pd.DataFrame]
    sigmas: dict[int, pd.DataFrame]
    settings: dict[str, Any]
    n_done: int = 0
    n_kept: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)

    @property
    def drawn_tables(self) -> dict[int, pd.DataFrame]:
        """What figures, verdicts and the report are made of: Figure 7 with every sigma known."""
        sigmas = [self.tables[7]] if 7 in self.tables else []
        sigmas += self.sigmas.values()
        if not sigmas:
            return self.tables
        return {**self.tables, 7: pd.concat(sigmas, ignore_index=True)}

    def as_json(self) -> dict[str, Any]:
        """Protocol, medians and quartiles, verdicts, jobs and stages: plain data."""
        return {
            "settings": self.settings,
            "rows": {str(figure): len(table) for figure, table in self.tables.items()},
            "summary": summarize(self.drawn_tables),
            "claims": [finding.as_dict() for finding in self.findings],
            "jobs": {"done": self.n_done, "kept": self.n_kept},
            "seconds": {stage: round(time, 3) for stage, time in self.seconds.items()},
            "files": [str(path) for path in self.files],
        }

    def as_text(self) -> str:
        """What was done, which claims hold, and the time of each stage."""
        lines = [
            f"figures {', '.join(map(str, self.tables))}: {self.n_done} jobs done,"
            f" {self.n_kept} found done from before"
        ]
        counts = Counter(finding.verdict for finding in self.findings)
        if counts:
            lines.append(
                "claims of the paper: "
                + ", ".join(f"{number} {verdict}" for verdict, number in counts.items())
            )
        lines += [f"  {stage:<22}{time:8.1f} s" for stage, time in self.seconds.items()]
        if self.files:
            lines.append(f"written: {self.files[-1]}, and tables and pictures beside it")
        return "\n".join(lines)


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
    same tables, byte for byte, with any number of workers.

    Parameters
    ----------
    figures
        Numbers of `FIGURES`.
    datasets
        Names for `load_dataset`.
    data_dir, download
        Where the images are; see `bipnet.experiments.work.find_dataset`.
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
        Unknown figures, ``output`` holds results of another protocol.
    MissingFileError, FileFormatError
        Missing or damaged data files.
    """
    if not figures:
        raise InputError(f"no figure was asked for; there are {', '.join(map(str, FIGURES))}")
    figures = sorted(set(figures))
    settings = settings or Settings()
    folder = Path(output)
    where = None if data_dir is None else str(Path(data_dir).absolute())
    watch = Stopwatch()
    with watch.stage("load data"):
        loaded = {name: find_dataset(name, where, download=download) for name in datasets}
    with watch.stage("plan"):
        plan = make_plan(figures, loaded, settings, data_dir=where)
    protocol = protocol_of(settings, plan)
    if not folder.is_dir():
        folder.mkdir()
    _require_same_protocol(folder, protocol, force)
    _write_json(folder / PROTOCOL, protocol)
    runner = Runner(folder / "jobs", n_workers=n_workers or usable_cores(), scheduler=scheduler)
    result = Reproduction({}, {}, protocol)
    try:
        for stage, jobs in plan.stages().items():
            n_missing = len(runner.missing(jobs))
            result.n_kept += len(jobs) - n_missing
            with watch.stage(stage), progress_bar(n_missing, stage) as bar:
                result.n_done += runner.run(jobs, progress=bar.update)
    finally:
        runner.close()
    with watch.stage("write tables"):
        (folder / "tables").mkdir(exist_ok=True)
        for figure in figures:
            result.tables[figure] = plan.table(figure, runner)
            _write_table(result.tables[figure], folder / "tables", f"figure-{figure:02}", protocol)
            sigmas = plan.sigmas(figure, runner)
            if sigmas is not None:
                result.sigmas[figure] = sigmas
                _write_table(sigmas, folder / "tables", f"figure-{figure:02}-sigma", protocol)
    with watch.stage("judge claims"):
        result.findings = evaluate_claims(result.drawn_tables)
    if tables_only:
        result.seconds = watch.seconds()
        return result
    with watch.stage("draw figures"):
        (folder / "figures").mkdir(exist_ok=True)
        result.files = write_figures(result.drawn_tables, folder / "figures", force=True)
    result.seconds = watch.seconds()
    stages = {stage: time for stage, time in result.seconds.items() if stage != "total"}
    with watch.stage("write report"):
        report = write_report(
            result.drawn_tables,
            result.findings,
            _as_choices(protocol),
            stages,
            folder / "report.html",
            force=True,
        )
    result.files.append(report)
    result.seconds = watch.seconds()
    return result


def _as_choices(protocol: Mapping[str, Any]) -> dict[str, Any]:
    """The protocol in the words of `bipnet.experiments.choices`."""
    versions = ("bipnet", "torch", "numpy", "pandas", "python", "machine")
    pairs = {
        f"{label} of {name}": " / ".join(pair)
        for name, data in protocol["datasets"].items()
        for label, pair in data["tasks"].items()
    }
    rest = {
        name: value
        for name, value in protocol.items()
        if name not in (*versions, "datasets", "training", "stop")
    }
    return {
        **rest,
        **{f"training: {name}": value for name, value in protocol["training"].items()},
        "stop": {
            "last": "the weights after the last step",
            "best": "the epoch of highest test accuracy",
        }[protocol["stop"]],
        "pairs": "by name: " + "; ".join(f"{what} = {pair}" for what, pair in pairs.items()),
        "ssim_scale": "[-1, 1], as the networks see them",
        "digests of the data": ", ".join(
            f"{name} {data['digest']}" for name, data in protocol["datasets"].items()
        ),
        "versions": {name: protocol[name] for name in versions},
    }


def protocol_of(settings: Settings, plan: Plan) -> dict[str, Any]:
    """Everything the numbers of a run depend on, and how it was chosen where text and code of the
    paper differ: plain data."""
    return {
        **asdict(settings),
        "datasets": {
            name: {
                "digest": plan.digests[name],
                "tasks": {label: list(pair) for label, pair in tasks.items()},
            }
            for name, tasks in plan.tasks.items()
        },
        "training": asdict(Protocol()),
        "stream_version": STREAM_VERSION,
        "bipnet": bipnet.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "pandas": pd.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }


def _require_same_protocol(folder: Path, protocol: dict[str, Any], force: bool) -> None:
    path = folder / PROTOCOL
    if force or not path.exists():
        return
    try:
        before = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}): use another folder, or --force") from (
            None
        )
    now = json.loads(json.dumps(protocol))
    differ = [
        f"{name} was {before.get(name)!r} and is {now.get(name)!r}"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    ]
    if differ:
        raise InputError(
            f"{folder} holds results of another protocol ({'; '.join(differ)}): use another"
            " folder, or --force to replace its tables (finished jobs of either are kept)"
        )


def _write_table(table: pd.DataFrame, folder: Path, name: str, protocol: dict[str, Any]) -> None:
    """As Parquet, with the protocol in its metadata, and as CSV."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrow = pa.Table.from_pandas(table, preserve_index=False)
    text = json.dumps(protocol, sort_keys=True)
    arrow = arrow.replace_schema_metadata({**(arrow.schema.metadata or {}), b"protocol": text})
    with new_file(folder / f"{name}.parquet", force=True) as partial:
        pq.write_table(arrow, partial)
    with new_file(folder / f"{name}.csv", force=True) as partial:
        table.to_csv(partial, index=False, lineterminator="\n")


def _write_json(path: Path, content: dict[str, Any]) -> None:
    with new_file(path, force=True) as partial:
        partial.write_text(json.dumps(content, indent=2) + "\n")
