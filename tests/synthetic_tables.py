"""Made-up tables, shaped like those of the sweep, in which every claim of the paper holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from bipnet.experiments.tables import COLUMNS, SIGMA_COLUMNS, SSIM_COLUMNS, checked_table

WIDTHS = {1: 64, 2: 64, 3: 64, 4: 64, 8: 64, 10: 32, 11: 32, 12: 128, 13: 128}
REMOVED = (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.92, 0.94, 0.95, 0.96,
           0.97, 0.98, 0.985, 0.99, 0.993, 0.996, 0.999)  # fmt: skip
NOISE = tuple(np.logspace(-10, 0, 30, base=2).tolist())
FLIPPED = tuple(np.linspace(0, 1, 30).tolist())
DIGITS = tuple("0123456789")
CLOTHES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker",
           "Bag", "Ankle boot")  # fmt: skip
SIGMAS = {
    "mnist": {"E": (0.050, 0.001), "H": (0.070, 0.004)},
    "fashion-mnist": {"E": (0.080, 0.005), "H": (0.060, 0.002)},
}
EXTREMES = {
    "fashion-mnist": (("Pullover", "Dress"), ("Trouser", "Dress")),
}

Law = Callable[[str, str, float], float]
"""(task, model, strength) -> expected accuracy."""


def step(x: float, at: float, width: float) -> float:
    """A smooth step from 0 to 1."""
    return float(1 / (1 + np.exp(-np.clip((x - at) / width, -500, 500))))


def bump(x: float, at: float, width: float) -> float:
    """A smooth peak of height 1."""
    return float(np.exp(-(((x - at) / width) ** 2)))


def pruned(task: str, model: str, p: float) -> float:
    if model == "float":
        at, width = (0.975, 0.004) if task == "E" else (0.86, 0.03)
        return 0.5 + 0.49 * step(-p, -at, width)
    if task == "E":
        return 0.5 + (0.40 + 0.08 * bump(p, 0.85, 0.2)) * step(-p, -0.978, 0.004)
    return 0.5 + 0.42 * step(p, 0.88, 0.012) * step(-p, -0.97, 0.006)


def noisy(task: str, model: str, a: float) -> float:
    x = float(np.log2(a))
    if model == "float":
        return 0.5 + 0.49 * step(-x, 2.5 if task == "E" else 3.8, 0.4)
    if task == "E":
        return 0.5 + (0.40 + 0.07 * bump(x, -4, 1)) * step(-x, 2.2, 0.35)
    return 0.51 + 0.30 * bump(x, -4, 1)


def flipped(task: str, model: str, q: float) -> float:
    if model == "float":
        return 0.01 + 0.98 * step(-q, -(0.85 if task == "E" else 0.65), 0.03)
    if task == "E":
        return 0.03 + 0.94 * step(-q, -0.5, 0.03) - 0.06 * bump(q, 0, 0.1)
    return 0.5 + 0.35 * bump(q, 0.25, 0.1)


def shuffled(task: str, letter: str, p: float) -> float:
    if letter not in ("B", "E", "F"):
        return 0.5
    shift = {"B": 0.0, "E": 0.01, "F": 0.005}[letter]
    if task == "E":
        drop = (0.045 - shift) * step(-p, -0.7, 0.08)
        return pruned("E", "float", p) - drop
    return pruned("H", "signed", p) + shift / 2


def synthetic_tables(
    datasets: Sequence[str] = ("mnist", "fashion-mnist"),
    *,
    n: int = 5,
    seed: int = 7,
    scatter: float = 0.003,
) -> dict[int, pd.DataFrame]:
    """Number of the figure -> a checked table; ``n`` networks per task.

    ``scatter`` is the standard deviation of the accuracy between networks.
    """
    rng = np.random.default_rng(seed)

    def accuracy_table(rows: Iterator[dict[str, Any]]) -> pd.DataFrame:
        return filled_table(rows, rng, scatter)

    tables = {figure: accuracy_table(_probe_rows(figure, datasets, n)) for figure in (1, 10, 12)}
    tables |= {
        figure: accuracy_table(_randomized_rows(figure, datasets, n)) for figure in (3, 11, 13)
    }
    tables[2] = accuracy_table(_null_model_rows(datasets, n))
    tables[4] = accuracy_table(_pair_rows(4, datasets[:1], n))
    tables[8] = accuracy_table(_pair_rows(8, datasets[:1], n))
    tables[6] = checked_table(pd.DataFrame(_ssim_rows(datasets)), SSIM_COLUMNS)
    tables[7] = checked_table(pd.DataFrame(_sigma_rows(datasets, n)), SIGMA_COLUMNS)
    return dict(sorted(tables.items()))


def filled_table(
    rows: Iterator[dict[str, Any]], rng: np.random.Generator, scatter: float
) -> pd.DataFrame:
    """The rows with what they leave out filled in, and a little scatter between networks."""
    filled = []
    for row in rows:
        accuracy = float(np.clip(row["accuracy"] + rng.normal(scale=scatter), 0, 1))
        defaults = {"null_model": "", "fraction_removed": 0.0, "level": np.nan, "ties": 0.0}
        constant = row.pop("constant", False)
        filled.append(defaults | row | {"accuracy": accuracy, "constant": constant})
    return checked_table(pd.DataFrame(filled), COLUMNS)


def _networks(figure: int, datasets: Sequence[str], n: int) -> Iterator[dict[str, Any]]:
    for dataset in datasets:
        for task in "EH":
            for realization in range(n):
                yield {
                    "figure": figure, "dataset": dataset, "task": task,
                    "hidden": WIDTHS[figure], "realization": realization,
                }  # fmt: skip


def _probe_rows(figure: int, datasets: Sequence[str], n: int) -> Iterator[dict[str, Any]]:
    laws: Mapping[str, tuple[Law, Sequence[float], str]] = {
        "prune": (pruned, REMOVED, "fraction_removed"),
        "noise": (noisy, NOISE, "level"),
        "flip": (flipped, FLIPPED, "level"),
    }
    for network in _networks(figure, datasets, n):
        for model in ("float", "signed"):
            for probe, (law, grid, column) in laws.items():
                for x in grid:
                    yield network | {
                        "model": model, "probe": probe, column: float(x),
                        "accuracy": law(network["task"], model, x),
                        "ties": 0.5 * (probe == "prune" and x > 0.99),
                    }  # fmt: skip


def _randomized_rows(figure: int, datasets: Sequence[str], n: int) -> Iterator[dict[str, Any]]:
    for network in _networks(figure, datasets, n):
        for p in REMOVED:
            row = network | {"model": "float", "fraction_removed": float(p)}
            for model in ("float", "signed"):
                accuracy = pruned(network["task"], model, p)
                yield row | {"probe": "prune", "model": model, "accuracy": accuracy}
            for letter in "BEF":
                accuracy = shuffled(network["task"], letter, p)
                yield row | {"probe": "randomize", "null_model": letter, "accuracy": accuracy}


def _null_model_rows(datasets: Sequence[str], n: int) -> Iterator[dict[str, Any]]:
    for network in _networks(2, datasets, n):
        for model in ("float", "signed"):
            accuracy = pruned(network["task"], model, 0)
            yield network | {"model": model, "probe": "none", "accuracy": accuracy}
        for letter in "ABCDEFG":
            accuracy = shuffled(network["task"], letter, 0)
            yield network | {
                "model": "float", "probe": "randomize", "null_model": letter, "accuracy": accuracy,
            }  # fmt: skip


def _pair_rows(figure: int, datasets: Sequence[str], n: int) -> Iterator[dict[str, Any]]:
    for dataset in datasets:
        for first, second in combinations(_classes(dataset), 2):
            lost = _difficulty(dataset, first, second) * 0.48
            for realization in range(n):
                row = {
                    "figure": figure, "dataset": dataset, "task": f"{first}/{second}",
                    "hidden": WIDTHS[figure], "realization": realization,
                }  # fmt: skip
                yield row | {"model": "float", "probe": "none", "accuracy": 0.994}
                yield row | {"model": "signed", "probe": "none", "accuracy": 0.994 - lost}
                yield row | {
                    "model": "float", "probe": "randomize", "null_model": "B",
                    "accuracy": 0.994 - 0.97 * lost,
                }  # fmt: skip


def _ssim_rows(datasets: Sequence[str]) -> Iterator[dict[str, Any]]:
    for dataset in datasets:
        pairs = list(combinations(_classes(dataset), 2))
        distances = {pair: 0.9 - 0.4 * _difficulty(dataset, *pair) for pair in pairs}
        ranks = {
            pair: rank
            for rank, pair in enumerate(sorted(pairs, key=lambda p: -distances[p]), start=1)
        }
        for name in _classes(dataset):
            yield _ssim_row(dataset, name, name, 0, 0.45)
        for (first, second), distance in distances.items():
            yield _ssim_row(dataset, first, second, ranks[first, second], distance)


def _ssim_row(dataset: str, first: str, second: str, rank: int, distance: float) -> dict[str, Any]:
    return {
        "figure": 6, "dataset": dataset, "first": first, "second": second, "rank": rank,
        "distance": distance,
    }  # fmt: skip


def _sigma_rows(datasets: Sequence[str], n: int) -> Iterator[dict[str, Any]]:
    for dataset in datasets:
        for task, (middle, spread) in SIGMAS.get(dataset, SIGMAS["mnist"]).items():
            for hidden in (32, 64, 128):
                # Evenly spread, so that quartiles are what they are said to be.
                for realization, at in enumerate(np.linspace(-1, 1, n)):
                    yield {
                        "figure": 7, "dataset": dataset, "task": task, "hidden": hidden,
                        "realization": realization, "sigma": middle + spread * at,
                    }  # fmt: skip


def _classes(dataset: str) -> tuple[str, ...]:
    return CLOTHES if dataset == "fashion-mnist" else DIGITS


def _difficulty(dataset: str, first: str, second: str) -> float:
    """From 0, the easiest pair of the data set, to 1, its hardest."""
    easiest, hardest = EXTREMES.get(dataset, (("0", "7"), ("7", "9")))
    if (first, second) == easiest:
        return 0.0
    if (first, second) == hardest:
        return 1.0
    if (first, second) == ("1", "7"):
        return 0.97
    if (first, second) == ("0", "3"):
        return 0.02
    a, b = (_classes(dataset).index(name) for name in (first, second))
    return 0.04 + 0.9 * ((7 * a + 13 * b) % 45) / 45
