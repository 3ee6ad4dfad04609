"""The one kind of job of the study: scores of a model with one layer probed.

A process opens its model once and keeps what lies before the layer it probed last: the next job is
likely to be about the same one.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import safetensors.torch
import torch

from bipnet._streams import Seed
from bipnet.errors import EmptyLayerWarning, FrozenWarning, InputError
from bipnet.experiments.work import parquet
from bipnet.torch import list_layers, probe
from bipnet.torch.text import (
    Sentence,
    TokenClassification,
    open_pretrained,
    read_conll,
    sample_sentences,
)

BUDGET = 2 << 30
"""Bytes of activations that a process keeps."""

AT_SIGMA = "sigma"
"""In place of a level of noise: the standard deviation of the layer's weights."""

Probes = Sequence[tuple[str, Sequence[float | str], Sequence[bool]]]
"""(name, levels, models) of each probe; models as ``signed`` of `bipnet.torch.probe`."""


def model_digest(model: Any, tokenizer: Any) -> str:
    """A digest of all that a model's labels depend on: parameters, buffers, config, tokenizer."""
    digest = hashlib.blake2b(digest_size=16)
    config = {
        name: value for name, value in model.config.to_dict().items() if name != "_name_or_path"
    }
    digest.update(json.dumps(config, sort_keys=True, default=str).encode())
    digest.update(tokenizer.backend_tokenizer.to_str().encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(safetensors.torch.save({"": tensor.detach().cpu().contiguous()}))
    return digest.hexdigest()


def sentences_digest(sentences: Sequence[Sentence]) -> str:
    """A digest of all words and tags."""
    digest = hashlib.blake2b(digest_size=16)
    for sentence in sentences:
        digest.update(repr((sentence.words, sentence.tags)).encode())
    return digest.hexdigest()


@dataclass
class Session:
    """An open model, and how it is scored."""

    model: Any
    evaluate: TokenClassification
    sentences: Sequence[Sentence]
    digests: tuple[str, str]
    _layer: str = ""
    _kept: ExitStack = field(default_factory=ExitStack)

    def turn_to(self, layer: str) -> None:
        """From now on only this layer changes: what lies before it is kept."""
        if layer == self._layer:
            return
        self.let_go()
        tensors = [found.at.tensor for found in list_layers(self.model, layer)]
        self._kept.enter_context(self.evaluate.reusing(self.model, tensors))
        self._layer = layer

    def let_go(self) -> None:
        """Forget what is kept."""
        self._layer = ""
        self._kept.close()


@lru_cache(maxsize=1)
def session(
    model: str, conll: str, sentences: int | None, seed: int, device: str, download: bool
) -> Session:
    """A process opens model and data once; see `release`."""
    opened, tokenizer = open_pretrained(model, "ner", device=device, download=download)
    chosen = sample_sentences(read_conll(conll), sentences, rng=Seed(seed))
    if all(tag == "O" for sentence in chosen for tag in sentence.tags):
        raise InputError(f"{conll}: no entity in {len(chosen)} sentence(s): nothing to score")
    digests = model_digest(opened, tokenizer), sentences_digest(chosen)
    evaluate = TokenClassification(chosen, tokenizer, opened, budget=BUDGET)
    return Session(opened, evaluate, chosen, digests)


def release() -> None:
    """Let the process's model go, and all that is kept."""
    session.cache_clear()


def measure_layer(
    needed: Sequence[bytes],
    *,
    model_digest: str,
    data_digest: str,
    sentences: int | None,
    layer: str,
    probes: Probes,
    untouched: bool,
    n_realizations: int,
    seed: int,
    model: str,
    conll: str,
    device: str,
    download: bool,
) -> bytes:
    """F1 under the probes of one layer: rows as Parquet.

    ``untouched``: also of the model as it is, and of the layer binarised. Columns: those of
    `bipnet.experiments.tables.LANGUAGE_COLUMNS` without ``figure``.
    """
    opened = session(model, conll, sentences, seed, device, download)
    if opened.digests != (model_digest, data_digest):
        raise InputError(f"{model} or {conll} is not what this run began with")
    opened.turn_to(layer)
    parts = []
    for number, (name, levels, signed) in enumerate(probes):
        at = [_sigma(opened.model, layer) if one == AT_SIGMA else float(one) for one in levels]
        with warnings.catch_warnings():
            # The grid ends where a layer has one edge, or none: that is what it is for.
            warnings.simplefilter("ignore", EmptyLayerWarning)
            warnings.simplefilter("ignore", FrozenWarning)
            table = probe(
                opened.model,
                opened.evaluate,
                name,
                levels=at,
                signed=list(signed),
                layers=layer,
                n_realizations=n_realizations,
                rng=Seed(seed),
                distribution="normal",
                untouched=untouched and number == 0,
            )
        parts.append(table)
    rows = pd.concat(parts, ignore_index=True)
    as_it_is = (rows["probe"] == "none") & (rows["model"] == "float")
    rows["layer"] = np.where(as_it_is, "all", layer)
    return parquet(rows.rename(columns={"score": "f1"}).drop(columns="n_edges"))


def _sigma(model: Any, layer: str) -> float:
    """Standard deviation of a layer's weights, rounded so that it is one level."""
    tensors = {id(found.at): found.at.tensor for found in list_layers(model, layer)}
    values = torch.cat([tensor.double().flatten() for tensor in tensors.values()])
    return float(f"{float(values.std(correction=0)):.6g}")


def is_local(model: str) -> bool:
    """Whether a model is a folder, not a name on the hub."""
    return Path(model).is_dir()
