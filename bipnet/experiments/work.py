"""The kinds of jobs that the paper's sweeps are made of: train, measure, compare classes.

Each is a function of plain parameters and of the files of the jobs it needs, and gives the content
of a file: networks as safetensors, rows as Parquet.
"""

from __future__ import annotations

import functools
import hashlib
import io
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
import safetensors.torch
import torch

from bipnet._streams import Seed
from bipnet.errors import InputError
from bipnet.experiments.datasets import ImageDataset, find_dataset
from bipnet.experiments.ssim import class_distances, rank_pairs
from bipnet.experiments.stacks import (
    RankedStack,
    binarised,
    noisy,
    randomized,
    sigmas,
)
from bipnet.experiments.training import Protocol, Stop, train_stack
from bipnet.torch import MLPStack
from bipnet.torch.mlp import StackScores

Biases = Literal["trained", "fresh"]


def data_digest(dataset: ImageDataset) -> str:
    """A digest of all images and labels of a data set."""
    digest = hashlib.blake2b(f"{dataset.class_names} {dataset.value_range}".encode())
    for array in (
        dataset.train_images,
        dataset.train_labels,
        dataset.test_images,
        dataset.test_labels,
    ):
        digest.update(f"{array.shape} {array.dtype}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:32]


@functools.lru_cache(maxsize=2)
def _loaded(name: str, data_dir: str | None) -> tuple[ImageDataset, str]:
    """A process reads its data once."""
    dataset = find_dataset(name, data_dir)
    return dataset, data_digest(dataset)


def _checked_data(name: str, digest: str, data_dir: str | None) -> ImageDataset:
    dataset, found = _loaded(name, data_dir)
    if found != digest:
        raise InputError(f"{name} in {data_dir} is not the data that this run began with")
    return dataset


def train(
    needed: Sequence[bytes],
    *,
    dataset: str,
    digest: str,
    pair: Sequence[str],
    name: str,
    first: int,
    n_networks: int,
    protocol: dict[str, Any],
    stop: Stop,
    seed: int,
    data_dir: str | None,
) -> bytes:
    """Networks of one task, from number ``first`` on, trained together: safetensors, see
    `networks`."""
    data = _checked_data(dataset, digest, data_dir)
    test = None
    if stop == "best":
        test = data.two_classes(pair[0], pair[1], "test")
    stack = train_stack(
        *data.two_classes(pair[0], pair[1], "train"),
        n_networks,
        first=first,
        protocol=Protocol(**protocol),
        rng=seed,
        name=name,
        stop=stop,
        test=test,
    )
    tensors = {f"weight {layer}": weight for layer, weight in enumerate(stack.weights)}
    tensors |= {f"bias {layer}": bias for layer, bias in enumerate(stack.biases)}
    return safetensors.torch.save({key: tensor.contiguous() for key, tensor in tensors.items()})


def networks(content: bytes) -> MLPStack:
    """The networks that `train` has made."""
    tensors = safetensors.torch.load(content)
    n_layers = len(tensors) // 2
    return MLPStack(
        [tensors[f"weight {layer}"] for layer in range(n_layers)],
        [tensors[f"bias {layer}"] for layer in range(n_layers)],
    )


def measure(
    needed: Sequence[bytes],
    *,
    dataset: str,
    digest: str,
    pair: Sequence[str],
    name: str,
    first: int,
    biases: Biases,
    probe: str,
    levels: Sequence[float],
    null_models: Sequence[str],
    seed: int,
    data_dir: str | None,
) -> bytes:
    """Scores of the networks of a `train` job under a probe: rows as Parquet.

    ``first`` is the number of the first network: random streams belong to a network's number, not
    to its place in the job. ``levels`` are p, a or q, with their places as index of the draws.
    Columns: those of `bipnet.experiments.tables.COLUMNS` from ``realization``
    on, without ``hidden``.
    """
    stack = networks(needed[0])
    if biases == "fresh":
        stack = MLPStack(stack.weights, _fresh_biases(stack, Seed(seed), name, first))
    x, y = _checked_data(dataset, digest, data_dir).two_classes(pair[0], pair[1], "test")
    inputs, classes = torch.from_numpy(x), torch.from_numpy(y)
    parts = []
    for point, probed in _probed(stack, probe, levels, null_models, Seed(seed), name, first):
        models = {"float": probed}
        if probe != "randomize":
            models["signed"] = binarised(probed)
        for model, networks_ in models.items():
            found = networks_.score(inputs, classes)
            parts.append(_rows(found, first, {"model": model, "probe": probe, **point}))
    return parquet(pd.concat(parts, ignore_index=True))


def _probed(
    stack: MLPStack,
    probe: str,
    levels: Sequence[float],
    null_models: Sequence[str],
    seed: Seed,
    name: str,
    first: int,
) -> Iterator[tuple[dict[str, Any], MLPStack]]:
    """Each point of a probe: its columns, and the networks there."""
    nowhere = {"null_model": "", "fraction_removed": 0.0, "level": float("nan")}
    if probe == "none":
        yield nowhere, stack
        return
    ranked = RankedStack(stack)
    for index, level in enumerate(levels):
        if probe == "prune":
            yield {**nowhere, "fraction_removed": level}, ranked.pruned(level)
        elif probe == "flip":
            yield {**nowhere, "level": level}, ranked.flipped(level)
        elif probe == "noise":
            changed = noisy(stack, level, seed=seed, name=name, index=index, first=first)
            yield {**nowhere, "level": level}, changed
        elif probe == "randomize":
            pruned = ranked.pruned(level)
            for letter in null_models:
                drawn = randomized(pruned, letter, seed=seed, name=name, index=index, first=first)
                yield {**nowhere, "null_model": letter, "fraction_removed": level}, drawn
        else:
            raise InputError(f"unknown probe {probe!r}")


def _fresh_biases(stack: MLPStack, seed: Seed, name: str, first: int) -> list[torch.Tensor]:
    """Biases as before training, independent of the trained ones (the released code's way)."""
    fresh = []
    for layer, (weight, bias) in enumerate(zip(stack.weights, stack.biases, strict=True)):
        bound = weight.shape[1] ** -0.5
        values = [
            seed.generator("fresh biases", name=f"{name}/{first + r}/bias {layer}").uniform(
                -bound, bound, bias.shape[1]
            )
            for r in range(len(stack))
        ]
        fresh.append(torch.from_numpy(np.stack(values).astype(np.float32)))
    return fresh


def _rows(found: StackScores, first: int, columns: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "realization": np.arange(first, first + len(found.accuracy)),
            **columns,
            "accuracy": found.accuracy,
            "ties": found.ties,
            "constant": found.constant,
        }
    )


def sigma(needed: Sequence[bytes], *, first: int) -> bytes:
    """Standard deviation of all weights of each network of a `train` job: rows as Parquet."""
    values = sigmas(networks(needed[0]))
    return parquet(
        pd.DataFrame({"realization": np.arange(first, first + len(values)), "sigma": values})
    )


def compare_classes(
    needed: Sequence[bytes],
    *,
    dataset: str,
    digest: str,
    n_pairs: int,
    seed: int,
    data_dir: str | None,
) -> bytes:
    """SSIM distance of all classes: rows (first, second, rank, distance) as Parquet."""
    data = _checked_data(dataset, digest, data_dir)
    distances = class_distances(data, n_pairs=n_pairs, rng=seed)
    rows = [
        (pair.first, pair.second, pair.rank, pair.distance)
        for pair in rank_pairs(distances, data.class_names)
    ]
    rows += [(name, name, 0, float(distances[i, i])) for i, name in enumerate(data.class_names)]
    return parquet(pd.DataFrame(rows, columns=["first", "second", "rank", "distance"]))


def parquet(table: pd.DataFrame) -> bytes:
    """The content of a job's file of rows."""
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    return buffer.getvalue()


def rows_of(content: bytes) -> pd.DataFrame:
    """The rows that a job has made."""
    return pd.read_parquet(io.BytesIO(content))
