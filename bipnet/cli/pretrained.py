"""Open a model of Hugging Face and the texts that score it, for ``--task``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bipnet._streams import resolve_seed
from bipnet.cli.evaluator import Evaluator
from bipnet.cli.labelled import read_labelled
from bipnet.convert.source import reading
from bipnet.errors import BipnetWarning, FileFormatError, InputError, MissingFileError, warn_caller

if TYPE_CHECKING:
    from torch import nn

SCORES = {
    "ner": ("f1", "precision", "recall", "cka"),
    "classification": ("accuracy", "macro-f1", "cka"),
    "lm": ("loss", "perplexity", "cka"),
}
"""What each task can be scored by, its default first."""

_MASKED = ("MaskedLM", "ForPreTraining")
_CAUSAL = ("CausalLM", "LMHeadModel")


@dataclass(frozen=True)
class Task:
    """What to open and how to score it: the options of `opening.scored_model`."""

    name: str
    score: str | None
    at: tuple[str, ...]
    n_sentences: int | None
    n_tokens: int | None
    sample_seed: int
    batch_tokens: int | None
    device: str
    dtype: str | None
    download: bool

    @property
    def measure(self) -> str:
        """The score that is asked for, or the task's own."""
        return self.score or SCORES[self.name][0]

    def check(self) -> None:
        """Raise where the options do not go together."""
        if self.measure not in SCORES[self.name]:
            raise InputError(
                f"--task {self.name} is scored by {', '.join(SCORES[self.name])}, not by"
                f" {self.measure}"
            )
        if self.measure == "cka" and not self.at:
            raise InputError("--score cka compares activations: name modules with --at GLOB")
        for flag, given in (("--at", self.at), ("--tokens", self.n_tokens)):
            if given and self.measure != "cka":
                raise InputError(f"{flag} is of --score cka: choose that too")

    @property
    def batching(self) -> dict[str, Any]:
        """Arguments that all evaluators of texts take."""
        options: dict[str, Any] = {"device": self.device}
        if self.batch_tokens is not None:
            options["batch_tokens"] = self.batch_tokens
        return options


def open_task(model: Path, data: Path, task: Task) -> tuple[nn.Module, Evaluator]:
    """The model on its device, and what scores it on the data."""
    task.check()
    from bipnet.torch.text import open_pretrained

    texts = _texts(data, task)
    kind: Any = _language_kind(model, task.download) if task.name == "lm" else task.name
    network, tokenizer = open_pretrained(
        model, kind, device=task.device, dtype=task.dtype, download=task.download
    )
    with reading(model, "model for this data"):
        inner = _evaluator(kind, texts, tokenizer, network, task)
        if task.measure == "cka":
            from bipnet.torch import CKA

            seed = task.sample_seed
            inner = CKA(network, inner, at=task.at, n_tokens=task.n_tokens, rng=seed)
    if getattr(inner, "n_cut", 0):
        warn_caller(
            f"{data}: {inner.n_cut} of {len(texts)} texts are longer than the model takes: it"
            " reads their beginning",
            BipnetWarning,
        )
    if task.measure in ("precision", "recall"):
        return network, Evaluator(
            inner, model, lambda network: getattr(inner.score(network), task.measure)
        )
    return network, Evaluator(inner, model)


def _texts(data: Path, task: Task) -> Any:
    """Sentences, labelled texts or one text; a sample of them if that is asked for."""
    from bipnet.torch.text import read_conll, sample_sentences

    def sampled(rows: Any) -> Any:
        return sample_sentences(rows, task.n_sentences, rng=resolve_seed(task.sample_seed))

    if task.name == "ner":
        return sampled(read_conll(data))
    if task.name == "classification":
        return sampled(read_labelled(data))
    if not data.is_file():
        raise MissingFileError(f"no such file: {data}")
    try:
        text = data.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileFormatError(f"{data} is not UTF-8 text: {error}") from None
    if task.n_sentences is None:
        return text
    return "".join(sampled([line for line in re.findall(r".*\n?", text) if line.strip()]))


def _evaluator(kind: str, texts: Any, tokenizer: Any, network: Any, task: Task) -> Any:
    from bipnet.torch.text import CausalLM, MaskedLM, SequenceClassification, TokenClassification

    if kind == "ner":
        return TokenClassification(texts, tokenizer, network, **task.batching)
    if kind == "classification":
        labels = _as_names([label for _, label in texts], network)
        return SequenceClassification(
            [text for text, _ in texts],
            labels,
            tokenizer,
            network,
            measure="macro_f1" if task.measure == "macro-f1" else "accuracy",
            **task.batching,
        )
    measure: Any = "perplexity" if task.measure == "perplexity" else "loss"
    if kind == "causal-lm":
        return CausalLM(texts, tokenizer, network, measure=measure, **task.batching)
    seed = task.sample_seed
    return MaskedLM(texts, tokenizer, network, rng=seed, measure=measure, **task.batching)


def _as_names(labels: list[Any], network: Any) -> list[Any]:
    """Labels that the model has as names are names, even where these are numbers ("5")."""
    names = set(map(str, (network.config.id2label or {}).values()))
    as_text = [str(label) for label in labels]
    return as_text if set(as_text) <= names else labels


def _language_kind(model: Path, download: bool) -> str:
    """Masked or causal, by the classes that the model's config names."""
    try:
        import transformers

        config, _ = transformers.PretrainedConfig.get_config_dict(
            str(model), local_files_only=model.is_dir() or not download
        )
    except (ImportError, OSError, ValueError):
        return "causal-lm"  # it cannot be opened, and `open_pretrained` says why
    named: Sequence[str] = config.get("architectures") or []
    if any(name.endswith(_MASKED) for name in named):
        return "masked-lm"
    if any(name.endswith(_CAUSAL) for name in named):
        return "causal-lm"
    raise InputError(
        f"{model} is no language model: its config.json names {', '.join(named) or 'no class'};"
        " one that ends in ForCausalLM, LMHeadModel or ForMaskedLM is wanted"
    )
