"""Reproduce the paper's MLP figures: jobs -> tables -> pictures and a report."""

from __future__ import annotations

import json
import os
import platform
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
from bipnet.errors import InputError
from bipnet.experiments.datasets import ImageDataset
from bipnet.experiments.jobs import Runner
from bipnet.experiments.sweep import FIGURES, Settings, make_plan, tasks_of
from bipnet.experiments.training import Protocol
from bipnet.experiments.work import data_digest, find_dataset

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
    """

    tables: dict[int, pd.DataFrame]
    sigmas: dict[int, pd.DataFrame]
    settings: dict[str, Any]
    n_done: int = 0
    n_kept: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Protocol, sizes, jobs and stages: plain data."""
        return {
            "settings": self.settings,
            "rows": {str(figure): len(table) for figure, table in self.tables.items()},
            "jobs": {"done": self.n_done, "kept": self.n_kept},
            "seconds": {stage: round(time, 3) for stage, time in self.seconds.items()},
        }

    def as_text(self) -> str:
        """What was done, and the time of each stage."""
        lines = [
            f"figures {', '.join(map(str, self.tables))}: {self.n_done} jobs done,"
            f" {self.n_kept} found done"
        ]
        lines += [f"  {stage:<22} {time:8.1f} s" for stage, time in self.seconds.items()]
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
    force: bool = False,
) -> Reproduction:
    """Run what the figures need, and write their tables.

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
    protocol = protocol_of(settings, loaded)
    if not folder.is_dir():
        folder.mkdir()
    _require_same_protocol(folder, protocol, force)
    _write_json(folder / PROTOCOL, protocol)
    runner = Runner(folder / "jobs", n_workers=n_workers or _n_processors(), scheduler=scheduler)
    result = Reproduction({}, {}, protocol)
    for stage, jobs in plan.stages().items():
        n_missing = len(runner.missing(jobs))
        result.n_kept += len(jobs) - n_missing
        with watch.stage(stage), progress_bar(n_missing, stage) as bar:
            result.n_done += runner.run(jobs, progress=bar.update)
    with watch.stage("write tables"):
        (folder / "tables").mkdir(exist_ok=True)
        for figure in figures:
            result.tables[figure] = plan.table(figure, runner)
            _write_table(result.tables[figure], folder / "tables", f"figure-{figure:02}", protocol)
            sigmas = plan.sigmas(figure, runner)
            if sigmas is not None:
                result.sigmas[figure] = sigmas
                _write_table(sigmas, folder / "tables", f"figure-{figure:02}-sigma", protocol)
    result.seconds = watch.seconds()
    return result


def protocol_of(settings: Settings, loaded: Mapping[str, ImageDataset]) -> dict[str, Any]:
    """Everything the numbers of a run depend on, and how it was chosen where text and code of the
    paper differ: plain data."""
    return {
        **asdict(settings),
        "datasets": {
            name: {
                "digest": data_digest(data),
                "tasks": {
                    label: list(pair) for label, pair in tasks_of(name, data, settings.seed).items()
                },
            }
            for name, data in loaded.items()
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


def _n_processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
