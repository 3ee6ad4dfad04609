"""The main job, end to end, on real data: trained networks, null models, scores.

Two tasks of different difficulty; networks trained on each; every layer exported to a store as a
signed bipartite graph; drawn from each null model, verified bit for bit, put back and scored.
"""

from __future__ import annotations

import json
import platform
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

import bipnet
from bipnet._atomic import new_file, require_free_output
from bipnet._progress import progress_bar
from bipnet.errors import FrozenWarning, InputError
from bipnet.experiments.datasets import PAPER_TASKS, ImageDataset, load_dataset
from bipnet.experiments.ssim import (
    RankedPair,
    class_distances,
    easiest_and_hardest,
    rank_pairs,
)
from bipnet.experiments.training import Protocol, train_stack
from bipnet.nulls import NULL_MODELS, verify
from bipnet.plot import accuracy_boxes
from bipnet.store import Store, new_store
from bipnet.torch import MLPStack

NETWORKS = {"digits": 10, "mnist": 20, "fashion-mnist": 20}
"""Networks per task by default."""

PROTOCOLS = {"digits": Protocol(batch_size=32)}
"""Where training is not the paper's: 250 images make only two batches of 128 an epoch."""

SSIM_PAIRS = 1000
"""Random image pairs per pair of classes (the paper's Figure 6 takes 10 000)."""

TASKS = {"easy": "E", "hard": "H"}
OUTPUTS = ("demo-accuracy.png", "demo-accuracy.csv", "demo-accuracy.json", "demo-layers.zarr")
MODELS = tuple(f"demo-{task}{ending}" for task in TASKS for ending in (".pt", "-test.npz"))


@dataclass(frozen=True)
class _Example:
    """One trained network of a task, with its test data, for `bipnet score`."""

    state: dict[str, torch.Tensor]
    x: npt.NDArray[np.float32]
    y: npt.NDArray[np.int64]


@dataclass
class DemoResult:
    """What the demo found.

    Attributes
    ----------
    table
        Tidy: a row per task, null model and realization ("" stands for the trained network).
    tasks
        Task -> its pair of classes, with its rank by SSIM distance.
    n_pairs
        Number of class pairs ranked.
    n_verified
        Draws verified bit for bit.
    n_frozen
        Null model -> draws in which some edges, or their signs, could not move.
    n_failed
        Task -> networks that predict one class for everything.
    seconds
        Time per stage.
    settings
        Everything needed to run it again.
    """

    table: pd.DataFrame
    tasks: dict[str, RankedPair]
    n_pairs: int
    n_verified: int = 0
    n_frozen: dict[str, int] = field(default_factory=dict)
    n_failed: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)

    def summary(self) -> list[dict[str, Any]]:
        """Median and quartiles of the accuracy, a row per null model and task."""
        rows = []
        for (letter, task), group in self.table.groupby(["null_model", "task"], sort=False):
            q1, median, q3 = np.quantile(group["accuracy"].to_numpy(), [0.25, 0.5, 0.75]).tolist()
            row = {"null_model": letter, "task": task, "q1": q1, "median": median, "q3": q3}
            rows.append(row)
        return rows

    def as_json(self) -> dict[str, Any]:
        """Settings, tasks, medians and quartiles, stages: plain data."""
        return {
            "settings": self.settings,
            "tasks": {task: asdict(pair) for task, pair in self.tasks.items()},
            "n_class_pairs": self.n_pairs,
            "accuracy": self.summary(),
            "n_draws_verified": self.n_verified,
            "n_draws_with_frozen_edges": self.n_frozen,
            "n_failed_trainings": self.n_failed,
            "seconds": {stage: round(time, 3) for stage, time in self.seconds.items()},
        }


def run_demo(
    data: str = "digits",
    *,
    data_dir: str | Path | None = None,
    download: bool = False,
    output: str | Path = ".",
    n_networks: int | None = None,
    seed: int = 7,
    force: bool = False,
) -> DemoResult:
    """Run the demo and write its picture, tables, store and two example models.

    Parameters
    ----------
    data
        "digits" (embedded), "mnist" or "fashion-mnist".
    data_dir, download
        Where the images are; see `bipnet.experiments.datasets.load_dataset`.
    output
        Folder for the outputs; made if its parent exists.
    n_networks
        Realizations per task; 10 for digits, 20 otherwise.
    seed
        Seed of everything.
    force
        Replace outputs of an earlier run.

    Returns
    -------
    The tidy table and everything around it.

    Raises
    ------
    OutputExistsError
        An output is there already and ``force`` is not set.
    InputError, MissingFileError, FileFormatError
        Unknown data set, missing or damaged files.
    """
    folder = Path(output)
    if n_networks is None:
        n_networks = NETWORKS.get(data, 20)
    if n_networks < 1:
        raise InputError(f"the number of networks must be 1 or more, got {n_networks}")
    if not folder.is_dir():
        require_free_output(folder, force=False)
    else:
        for name in (*OUTPUTS, *MODELS):
            require_free_output(folder / name, force)
    stages = _Stages()
    with stages("load"):
        images = load_dataset(data, data_dir=data_dir, download=download)
    with stages("rank class pairs by SSIM"):
        distances = class_distances(images, n_pairs=SSIM_PAIRS, rng=seed)
        ranked = rank_pairs(distances, images.class_names)
        tasks = _chosen_tasks(data, ranked)
    folder.mkdir(exist_ok=True)
    protocol = PROTOCOLS.get(data, Protocol())
    result = DemoResult(
        table=pd.DataFrame(),
        tasks=tasks,
        n_pairs=len(ranked),
        seconds=stages.seconds,
        settings={
            "data": data,
            "n_networks": n_networks,
            "seed": seed,
            "ssim_image_pairs": SSIM_PAIRS,
            "protocol": asdict(protocol),
            "biases": "trained",
            "stop": "last step",
            "bipnet": bipnet.__version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    )
    rows: list[pd.DataFrame] = []
    examples: dict[str, _Example] = {}
    with new_store(folder / "demo-layers.zarr", force=force) as store:
        for task, pair in tasks.items():
            table, examples[task] = _one_task(
                task, pair, images, store, result, stages, protocol, n_networks
            )
            rows.append(table)
    result.table = pd.concat(rows, ignore_index=True)
    result.table.insert(0, "dataset", data)
    with stages("write"):
        _write(result, examples, folder)
    return result


def _chosen_tasks(data: str, ranked: list[RankedPair]) -> dict[str, RankedPair]:
    """The paper's pairs by name; where it has none, the extremes by SSIM distance."""
    if data not in PAPER_TASKS:
        return dict(zip(TASKS, easiest_and_hardest(ranked), strict=True))
    by_classes = {frozenset((pair.first, pair.second)): pair for pair in ranked}
    chosen = {}
    for task, (first, second) in PAPER_TASKS[data].items():
        pair = by_classes[frozenset((first, second))]
        # Ranking knows no order of the two classes; the paper's tasks do.
        chosen[task] = RankedPair(pair.rank, first, second, pair.distance)
    return chosen


def _one_task(
    task: str,
    pair: RankedPair,
    images: ImageDataset,
    store: Store,
    result: DemoResult,
    stages: _Stages,
    protocol: Protocol,
    n_networks: int,
) -> tuple[pd.DataFrame, _Example]:
    x, y = images.two_classes(pair.first, pair.second, "train")
    test_x, test_y = images.two_classes(pair.first, pair.second, "test")
    seed = result.settings["seed"]
    with (
        stages("train"),
        progress_bar(protocol.epochs, f"train {n_networks} networks, {task}") as bar,
    ):
        stack = train_stack(
            x, y, n_networks, protocol=protocol, rng=seed, name=task, progress=bar.update
        )
    inputs, classes = torch.from_numpy(test_x), torch.from_numpy(test_y)
    with stages("score"):
        trained = stack.score(inputs, classes)
        accuracies: dict[str, Any] = {"": trained.accuracy}
        result.n_failed[task] = int(trained.constant.sum())
    with stages("export"):
        _export(stack, task, pair, store)
    n_draws = len(NULL_MODELS) * len(stack.weights) * n_networks
    with progress_bar(n_draws, f"draw and verify, {task}") as bar:
        for letter in NULL_MODELS:
            with stages("draw and verify"):
                with warnings.catch_warnings(record=True) as frozen:
                    warnings.simplefilter("always", FrozenWarning)
                    weights = _drawn(stack, task, letter, store, seed, bar.update)
                result.n_verified += sum(map(len, weights))
                result.n_frozen[letter] = result.n_frozen.get(letter, 0) + len(frozen)
            with stages("score"):
                accuracies[letter] = MLPStack(weights, stack.biases).accuracy(inputs, classes)
    table = pd.DataFrame(
        {
            "task": TASKS[task],
            "classes": f"{pair.first} / {pair.second}",
            "hidden": protocol.hidden,
            "realization": realization,
            "model": "float",
            "probe": "randomize" if letter else "none",
            "null_model": letter,
            "accuracy": accuracy,
        }
        for letter, values in accuracies.items()
        for realization, accuracy in enumerate(values)
    )
    return table, _Example(stack.state_dict(0), test_x, test_y)


def _layer_name(task: str, realization: int, layer: int) -> str:
    return f"{task}-{realization:02d}.{2 * layer}.weight"


def _export(stack: MLPStack, task: str, pair: RankedPair, store: Store) -> None:
    for layer, matrices in enumerate(stack.weights):
        for realization, matrix in enumerate(matrices):
            store.add(
                _layer_name(task, realization, layer),
                matrix.numpy(),
                source=f"demo network {realization} of the {task} task",
                orientation="left-right",
                provenance={"classes": [pair.first, pair.second]},
            )


def _drawn(
    stack: MLPStack, task: str, letter: str, store: Store, seed: int, progress: Any
) -> list[torch.Tensor]:
    """One draw of every layer of every network, verified, as a new stack's weights."""
    weights = []
    for layer in range(len(stack.weights)):
        matrices = []
        for realization in range(len(stack)):
            stored = store[_layer_name(task, realization, layer)]
            drawn = stored.draw(letter, rng=seed)
            verify(stored.graph(), drawn, letter)
            matrices.append(drawn.to_array())
            progress(1)
        weights.append(torch.from_numpy(np.stack(matrices)))
    return weights


def _write(result: DemoResult, examples: Mapping[str, _Example], folder: Path) -> None:
    import matplotlib.pyplot as plt

    for task, example in examples.items():
        with (
            new_file(folder / f"demo-{task}.pt", force=True) as partial,
            partial.open("wb") as file,  # a path would be written into the archive
        ):
            torch.save(example.state, file)
        with (
            new_file(folder / f"demo-{task}-test.npz", force=True) as partial,
            partial.open("wb") as file,
        ):
            np.savez_compressed(file, x=example.x, y=example.y)

    with new_file(folder / "demo-accuracy.csv", force=True) as partial:
        result.table.to_csv(partial, index=False)
    with new_file(folder / "demo-accuracy.json", force=True) as partial:
        partial.write_text(json.dumps(result.as_json(), indent=2, ensure_ascii=False) + "\n")
    figure, ax = plt.subplots(figsize=(3.5, 2.6), layout="constrained")
    accuracy_boxes(result.table, ax=ax)
    with new_file(folder / "demo-accuracy.png", force=True) as partial:
        figure.savefig(partial, dpi=300, format="png")
    plt.close(figure)


class _Stages:
    """Wall time per stage, added up over its visits."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


def as_text(result: DemoResult) -> str:
    """The table for people: median and quartiles in per cent."""
    summary = {(row["null_model"], row["task"]): row for row in result.summary()}
    titles = {"": "trained network"} | {
        letter: f"{letter}  {model.title}" for letter, model in NULL_MODELS.items()
    }
    width = max(map(len, titles.values()))
    lines = [
        f"{result.settings['data']}: accuracy of {result.settings['n_networks']} networks per task,"
        " median [quartiles], per cent",
        "",
        f"{'null model':<{width}}"
        + "".join(
            f"  {task + ': ' + pair.first + ' / ' + pair.second:>24}"
            for task, pair in result.tasks.items()
        ),
    ]
    for letter, title in titles.items():
        cells = [_cell(summary[letter, task]) for task in TASKS.values()]
        lines.append(f"{title:<{width}}" + "".join(f"  {cell:>24}" for cell in cells))
    lines.append("")
    for task, pair in result.tasks.items():
        failed = result.n_failed[task]
        lines.append(
            f"{task}: {pair.first} / {pair.second} ranks {pair.rank} of {result.n_pairs} class"
            f" pairs by SSIM distance ({pair.distance:.3f}; 1 = most different)"
            + (f"; {failed} trainings failed (constant prediction)" if failed else "")
        )
    lines.append(f"{result.n_verified} draws, each verified bit for bit against its row of Table 1")
    for letter, n_frozen in result.n_frozen.items():
        if n_frozen:
            lines.append(
                f"null model {letter}: in {n_frozen} draws some edges could not move (bipnet"
                " certify says which)"
            )
    total = sum(result.seconds.values())
    stages = ", ".join(f"{stage} {time:.1f}" for stage, time in result.seconds.items())
    lines.append(f"{total:.1f} s: {stages}")
    return "\n".join(lines)


def _cell(values: Mapping[str, float]) -> str:
    low, middle, high = (100 * values[key] for key in ("q1", "median", "q3"))
    return f"{middle:5.1f} [{low:5.1f}, {high:5.1f}]"
