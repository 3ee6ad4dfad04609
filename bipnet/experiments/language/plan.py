"""Which measurements Figures 5 and 9 and the map of all layers are made of: figures -> jobs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bipnet.experiments import work as rows_as_files
from bipnet.experiments.jobs import Job, Runner
from bipnet.experiments.language import work
from bipnet.experiments.language.settings import LanguageSettings
from bipnet.experiments.tables import LANGUAGE_COLUMNS, checked_table

FIGURES = (5, 9)

MAP = 0
"""Number of the map of all layers, which the paper does not have."""

LIBRARIES = ("transformers", "tokenizers", "seqeval")
"""What computes scores besides what all experiments compute with."""

EVALUATIONS = 60
"""Evaluations of a job: what is lost by an interruption, at the most."""

_FLOAT, _SIGNED, _BOTH = [False], [True], [False, True]

MAP_PROBES: work.Probes = (
    ("prune", [0.5, 0.9], _FLOAT),
    ("prune", [0.0], _SIGNED),  # binarised
    ("noise", [work.AT_SIGMA], _FLOAT),
    ("flip", [0.2], _FLOAT),
    ("A", [0.0], _FLOAT),
    ("B", [0.0], _FLOAT),
)
"""Of the map of all layers."""


@dataclass(frozen=True)
class LanguagePlan:
    """The jobs of each figure by stage, in the order of the rows of its table."""

    jobs: Mapping[int, Sequence[tuple[str, Job]]]

    def stages(self) -> dict[str, list[Job]]:
        """All jobs, each once, in stages."""
        stages: dict[str, dict[str, Job]] = {}
        for stage, job in itertools.chain(*self.jobs.values()):
            stages.setdefault(stage, {}).setdefault(job.key, job)
        return {name: list(jobs.values()) for name, jobs in stages.items()}

    def table(self, figure: int, runner: Runner) -> pd.DataFrame:
        """The table of a figure whose jobs are done."""
        parts = [rows_as_files.rows_of(runner.content(job)) for _, job in self.jobs[figure]]
        table = pd.concat(parts, ignore_index=True).assign(figure=figure)
        as_it_is = (table["probe"] == "none") & (table["model"] == "float")
        # Every layer's first job scores the model as it is: the same number, told once.
        return checked_table(
            table[~as_it_is | ~as_it_is.duplicated()].reset_index(drop=True), LANGUAGE_COLUMNS
        )


def make_language_plan(
    figures: Sequence[int],
    layers: Sequence[str],
    all_layers: Sequence[str],
    settings: LanguageSettings,
    digests: tuple[str, str],
    where: Mapping[str, Any],
) -> LanguagePlan:
    """The jobs of Figure 5 (with the map of ``all_layers``) and 9 for the given ``layers``."""
    n = settings.n_realizations

    def job(layer: str, probes: work.Probes, *, untouched: bool = False) -> Job:
        params = {
            "model_digest": digests[0],
            "data_digest": digests[1],
            "sentences": settings.n_sentences,
            "layer": layer,
            "probes": [[name, list(levels), list(signed)] for name, levels, signed in probes],
            "untouched": untouched,
            "n_realizations": n,
            "seed": settings.seed,
        }
        return Job(work.measure_layer, params, where=where, libraries=LIBRARIES)

    def in_jobs(
        layer: str, probe: str, levels: Sequence[float], signed: Sequence[bool]
    ) -> Iterator[Job]:
        n_draws = 1 if probe in ("prune", "flip") else n
        size = max(1, EVALUATIONS // (n_draws * len(signed)))
        for first in range(0, len(levels), size):
            yield job(
                layer,
                [(probe, levels[first : first + size], signed)],
                untouched=probe == "prune" and first == 0,
            )

    jobs: dict[int, list[tuple[str, Job]]] = {}
    if 5 in figures:
        jobs[5] = [
            ("prune and randomize", one)
            for layer in layers
            for probe, signed in (("prune", _BOTH), ("A", _FLOAT), ("B", _FLOAT))
            for one in in_jobs(layer, probe, settings.prune_levels, signed)
        ]
    if 9 in figures:
        jobs[9] = [
            ("add noise and flip", one)
            for layer in layers
            for probe, levels in (
                ("noise", settings.noise_levels),
                ("flip", settings.flip_levels),
            )
            for one in in_jobs(layer, probe, levels, _BOTH)
        ]
    if 5 in figures:
        jobs[MAP] = [
            ("map all layers", job(layer, MAP_PROBES, untouched=True)) for layer in all_layers
        ]
    return LanguagePlan(jobs)
