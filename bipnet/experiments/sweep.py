"""Which networks and which measurements each figure of the paper is made of: figures -> jobs."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import pandas as pd

from bipnet.errors import InputError
from bipnet.experiments import work
from bipnet.experiments.datasets import PAPER_TASKS, ImageDataset
from bipnet.experiments.jobs import Job, Runner
from bipnet.experiments.ssim import class_distances, easiest_and_hardest, rank_pairs
from bipnet.experiments.tables import COLUMNS, SIGMA_COLUMNS, SSIM_COLUMNS, checked_table
from bipnet.experiments.training import Protocol, Stop
from bipnet.nulls import NULL_MODELS
from bipnet.probes import FLIP_LEVELS, NOISE_LEVELS, PRUNE_LEVELS

FIGURES = (1, 2, 3, 4, 6, 7, 8, 10, 11, 12, 13)
"""The figures about MLPs: `bipnet reproduce mlp`."""

HIDDEN = {1: 64, 2: 64, 3: 64, 4: 64, 7: 64, 8: 64, 10: 32, 11: 32, 12: 128, 13: 128}
"""Width of the hidden layer by figure."""

NETWORKS = {1: 100, 2: 100, 3: 100, 4: 10, 7: 100, 8: 10, 10: 20, 11: 100, 12: 20, 13: 100}
"""Networks per task by figure (paper, captions)."""

CURVES = (1, 10, 12)
RECOVERIES = (3, 11, 13)
BY_PAIR = (4, 8)

SSIM_PAIRS = 10_000
"""Random image pairs per pair of classes (Figure 6)."""

BLOCK = 10
"""Networks trained and measured together, at the most: what is lost by an interruption. Twenty
together take a third more time each: their gradients no longer fit into the cache."""

FIRST_BLOCKS = (0, 1, 2, 5)
"""Where blocks begin below `BLOCK`: few networks are asked for often."""

BATCH_SIZES = {"digits": 32}
"""Where the paper's 128 would make only two batches an epoch."""

CHOOSING_PAIRS = 1000
"""Random image pairs per pair of classes where E and H are chosen by SSIM distance."""

RECOVERING = ("B", "E", "F")
"""Null models of Figure 3: those that keep signs."""

_NOTHING: tuple[float, ...] = (0.0,)


@dataclass(frozen=True)
class Settings:
    """The protocol of a run: all that its tables depend on besides the data.

    Attributes
    ----------
    networks
        Networks per task in every figure; None for the paper's numbers.
    quick
        A tenth of the paper's numbers (with ``networks`` None).
    biases
        "trained", or "fresh": random ones in all evaluations, as in the released code.
    stop
        "last", or "best": see `bipnet.experiments.training.train_stack`.
    seed
        Seed of everything.
    """

    networks: int | None = None
    quick: bool = False
    biases: work.Biases = "trained"
    stop: Stop = "last"
    seed: int = 7

    def __post_init__(self) -> None:
        if self.networks is not None and self.networks < 1:
            raise InputError(f"the number of realizations must be 1 or more, got {self.networks}")
        if self.biases not in ("trained", "fresh"):
            raise InputError(f"biases must be 'trained' or 'fresh', got {self.biases!r}")
        if self.stop not in ("last", "best"):
            raise InputError(f"stop must be 'last' or 'best', got {self.stop!r}")

    def n_networks(self, figure: int) -> int:
        """Networks per task of a figure."""
        if self.networks is not None:
            return self.networks
        return max(1, NETWORKS[figure] // 10) if self.quick else NETWORKS[figure]

    @property
    def n_ssim_pairs(self) -> int:
        return SSIM_PAIRS // 10 if self.quick else SSIM_PAIRS

    def as_dict(self) -> dict[str, Any]:
        """What was asked for, and the numbers and grids that follow from it: plain data.

        Of all figures, whichever a run is of: they are made one after the other in one folder.
        """
        return {
            **asdict(self),
            "networks_per_task": {str(figure): self.n_networks(figure) for figure in NETWORKS},
            "hidden": {str(figure): width for figure, width in HIDDEN.items()},
            "ssim_pairs": self.n_ssim_pairs,
            "prune_levels": list(PRUNE_LEVELS),
            "noise_levels": list(NOISE_LEVELS),
            "flip_levels": list(FLIP_LEVELS),
        }


def training_of(dataset: str, hidden: int) -> Protocol:
    """How networks of this width are trained on a data set."""
    protocol = Protocol(hidden=hidden)
    return replace(protocol, batch_size=BATCH_SIZES.get(dataset, protocol.batch_size))


def blocks(n_networks: int) -> list[range]:
    """The blocks that hold the first so many networks: the same ones, always whole.

    Sums of a stack of another size may be rounded otherwise, and in time other images are
    misclassified. Where blocks begin and end must therefore not depend on what is asked for.

    Examples
    --------
    >>> blocks(4)
    [range(0, 1), range(1, 2), range(2, 5)]
    >>> blocks(20)[-2:]
    [range(5, 10), range(10, 20)]
    """
    begins = [*FIRST_BLOCKS, *range(BLOCK, n_networks + BLOCK, BLOCK)]
    return [range(begin, end) for begin, end in itertools.pairwise(begins) if begin < n_networks]


@dataclass(frozen=True)
class _Task:
    dataset: str
    label: str
    pair: tuple[str, str]
    hidden: int


@dataclass(frozen=True)
class Part:
    """Rows of a figure: those of a job, with what the job does not know.

    Attributes
    ----------
    columns
        Columns to add.
    n_networks
        Only rows of the first so many networks belong to the figure; None for all rows.
    stage
        What people call this kind of work.
    """

    job: Job
    columns: Mapping[str, Any]
    n_networks: int | None
    stage: str


@dataclass(frozen=True)
class Plan:
    """The parts of each figure, in the order of the rows of its table."""

    parts: Mapping[int, Sequence[Part]]
    sigma_parts: Mapping[int, Sequence[Part]]
    """Standard deviations of weights that a figure marks besides."""
    digests: Mapping[str, str]
    """Of each data set."""
    tasks: Mapping[str, Mapping[str, tuple[str, str]]]
    """The easy (E) and the hard (H) pair of classes of each data set."""

    def stages(self) -> dict[str, list[Job]]:
        """All jobs, each once, in stages: what a job needs is in an earlier one."""
        stages: dict[str, dict[str, Job]] = {"train": {}}
        for part in self._all():
            for needed in part.job.needs:
                stages["train"].setdefault(needed.key, needed)
            stages.setdefault(part.stage, {}).setdefault(part.job.key, part.job)
        return {name: list(jobs.values()) for name, jobs in stages.items()}

    def table(self, figure: int, runner: Runner) -> pd.DataFrame:
        """The table of a figure whose jobs are done."""
        columns = {6: SSIM_COLUMNS, 7: SIGMA_COLUMNS}.get(figure, COLUMNS)
        return _table(self.parts[figure], columns, figure, runner)

    def sigmas(self, figure: int, runner: Runner) -> pd.DataFrame | None:
        """The standard deviations that a figure marks, if it marks any."""
        if figure not in self.sigma_parts:
            return None
        return _table(self.sigma_parts[figure], SIGMA_COLUMNS, figure, runner)

    def _all(self) -> list[Part]:
        return list(itertools.chain(*self.parts.values(), *self.sigma_parts.values()))


def _table(
    parts: Sequence[Part], columns: Mapping[str, str], figure: int, runner: Runner
) -> pd.DataFrame:
    tables = []
    for part in parts:
        rows = work.rows_of(runner.content(part.job))
        if part.n_networks is not None:
            rows = rows[rows["realization"] < part.n_networks]
        tables.append(rows.assign(figure=figure, **part.columns))
    return checked_table(pd.concat(tables, ignore_index=True), columns)


def make_plan(
    figures: Sequence[int],
    datasets: Mapping[str, ImageDataset],
    settings: Settings,
    *,
    data_dir: str | None = None,
) -> Plan:
    """The jobs of some figures on some data sets.

    Raises
    ------
    InputError
        A figure that is none of `FIGURES`.
    """
    for figure in figures:
        if figure not in FIGURES:
            known = ", ".join(map(str, FIGURES))
            raise InputError(f"there is no figure {figure} to reproduce here; there are {known}")
    planner = _Planner(datasets, settings, data_dir)
    parts = {figure: planner.parts(figure) for figure in figures}
    sigma_parts = {figure: planner.sigmas(figure) for figure in figures if figure in CURVES}
    return Plan(parts, sigma_parts, planner.digests, planner.tasks)


class _Planner:
    def __init__(
        self,
        datasets: Mapping[str, ImageDataset],
        settings: Settings,
        data_dir: str | None,
    ) -> None:
        self._datasets = datasets
        self._settings = settings
        self._where = {"data_dir": data_dir}
        self.digests = {name: work.data_digest(data) for name, data in datasets.items()}
        self.tasks = {name: tasks_of(name, data, settings.seed) for name, data in datasets.items()}

    def parts(self, figure: int) -> list[Part]:
        if figure == 6:
            return [self._ssim(name) for name in self._datasets]
        if figure == 7:
            return self.sigmas(figure)
        probes: list[tuple[str, Sequence[float], Sequence[str]]]
        if figure in CURVES:
            probes = [
                ("prune", PRUNE_LEVELS, ()),
                ("noise", NOISE_LEVELS, ()),
                ("flip", FLIP_LEVELS, ()),
            ]
        elif figure == 2:
            probes = [("none", (), ()), ("randomize", _NOTHING, tuple(NULL_MODELS))]
        elif figure in RECOVERIES:
            probes = [("prune", PRUNE_LEVELS, ()), ("randomize", PRUNE_LEVELS, RECOVERING)]
        else:
            probes = [("none", (), ()), ("randomize", _NOTHING, ("B",))]
            if figure == 8:
                probes = probes[:1]
        return [
            self._measured(figure, task, block, *probe)
            for task in self._tasks_of(figure)
            for block in blocks(self._settings.n_networks(figure))
            for probe in probes
        ]

    def sigmas(self, figure: int) -> list[Part]:
        n_networks = self._settings.n_networks(figure)
        return [
            Part(
                Job(work.sigma, {"first": block.start}, (self._trained(task, block),)),
                _columns(task),
                n_networks,
                "weigh",
            )
            for task in self._tasks_of(figure)
            for block in blocks(n_networks)
        ]

    def _tasks_of(self, figure: int) -> list[_Task]:
        hidden = HIDDEN[figure]
        if figure not in BY_PAIR:
            return [
                _Task(name, label, pair, hidden)
                for name, tasks in self.tasks.items()
                for label, pair in tasks.items()
            ]
        return [
            _Task(name, f"{first}/{second}", (first, second), hidden)
            for name, data in self._datasets.items()
            for first, second in itertools.combinations(data.class_names, 2)
        ]

    def _trained(self, task: _Task, block: range) -> Job:
        return Job(
            work.train,
            {
                **self._data(task),
                "name": _name(task),
                "first": block.start,
                "n_networks": len(block),
                "protocol": asdict(training_of(task.dataset, task.hidden)),
                "stop": self._settings.stop,
                "seed": self._settings.seed,
            },
            where=self._where,
        )

    def _measured(
        self,
        figure: int,
        task: _Task,
        block: range,
        probe: str,
        levels: Sequence[float],
        null_models: Sequence[str],
    ) -> Part:
        job = Job(
            work.measure,
            {
                **self._data(task),
                "name": _name(task),
                "first": block.start,
                "biases": self._settings.biases,
                "probe": probe,
                "levels": list(levels),
                "null_models": list(null_models),
                "seed": self._settings.seed,
            },
            (self._trained(task, block),),
            where=self._where,
        )
        stage = {
            "none": "score",
            "prune": "prune and score",
            "noise": "add noise and score",
            "flip": "flip signs and score",
            "randomize": "randomize and score",
        }[probe]
        return Part(job, _columns(task), self._settings.n_networks(figure), stage)

    def _ssim(self, name: str) -> Part:
        params = {
            "dataset": name,
            "digest": self.digests[name],
            "n_pairs": self._settings.n_ssim_pairs,
            "seed": self._settings.seed,
        }
        job = Job(work.compare_classes, params, where=self._where)
        return Part(job, {"dataset": name}, None, "compare classes")

    def _data(self, task: _Task) -> dict[str, Any]:
        return {
            "dataset": task.dataset,
            "digest": self.digests[task.dataset],
            "pair": list(task.pair),
        }


def _name(task: _Task) -> str:
    """What the random streams of a task's networks are called, beside each one's number."""
    return f"{task.dataset}/{'/'.join(task.pair)}/{task.label}/{task.hidden}"


def _columns(task: _Task) -> dict[str, Any]:
    return {"dataset": task.dataset, "task": task.label, "hidden": task.hidden}


def described_data(plan: Plan) -> dict[str, dict[str, Any]]:
    """Each data set of a plan, its tasks and how networks are trained on it: plain data."""
    return {
        name: {
            "digest": plan.digests[name],
            "tasks": {label: list(pair) for label, pair in tasks.items()},
            "tasks_by": (
                "name"
                if name in PAPER_TASKS
                else f"SSIM distance of {CHOOSING_PAIRS} image pairs per pair of classes"
            ),
            "training": {
                point: value
                for point, value in asdict(training_of(name, HIDDEN[1])).items()
                if point != "hidden"  # is that of the figure
            },
        }
        for name, tasks in plan.tasks.items()
    }


def tasks_of(name: str, data: ImageDataset, seed: int) -> dict[str, tuple[str, str]]:
    """The easy (E) and the hard (H) pair: the paper's, else the extremes by SSIM distance."""
    if name in PAPER_TASKS:
        pairs = PAPER_TASKS[name]
        return {"E": pairs["easy"], "H": pairs["hard"]}
    distances = class_distances(data, n_pairs=CHOOSING_PAIRS, rng=seed)
    easiest, hardest = easiest_and_hardest(rank_pairs(distances, data.class_names))
    return {
        "E": (easiest.first, easiest.second),
        "H": (hardest.first, hardest.second),
    }
