"""What is probed: a state dict with its arrays or, with --task, a language model with texts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bipnet.cli import options
from bipnet.cli.evaluator import Evaluator
from bipnet.cli.pretrained import SCORES, Task, open_task
from bipnet.cli.trained import open_trained

if TYPE_CHECKING:
    from torch import nn

F = TypeVar("F", bound=Callable[..., Any])

_OF_A_TASK = (
    "score", "at", "n_sentences", "n_tokens", "sample_seed", "batch_tokens", "dtype", "download",
)  # fmt: skip
_OF_A_STATE = ("factory", "activation", "batch_size")
_EVERY_SCORE = list(dict.fromkeys(score for scores in SCORES.values() for score in scores))


@dataclass(frozen=True)
class Scored:
    """A model, what scores it, and what `--json` says of that."""

    network: nn.Module
    evaluate: Evaluator
    facts: dict[str, Any]

    @property
    def line(self) -> str | None:
        """What people should know of the score; nothing of an accuracy without --task."""
        if not self.facts:
            return None
        better = "higher" if self.facts["higher_is_better"] else "lower"
        return f"score: {self.facts['score']} ({better} is better)"


def scored_model(command: F) -> F:
    """The options of `open_scored`."""
    for option in (
        click.option("--download", is_flag=True, help="Fetch the model from the hub if needed."),
        click.option(
            "--dtype",
            type=click.Choice(["float32", "float16", "bfloat16"]),
            help="Of the model's weights. [default: as they are stored]",
        ),
        click.option(
            "--batch-tokens",
            type=click.IntRange(min=1),
            help="With --task: tokens per batch, padding included. [default: 2048]",
        ),
        click.option(
            "--sample-seed",
            type=click.IntRange(min=0),
            default=0,
            show_default=True,
            help="Seed of --sentences, --tokens and masked tokens: the same one, the same sample,"
            " whatever --seed is.",
        ),
        click.option(
            "--tokens",
            "n_tokens",
            type=click.IntRange(min=2),
            help="Of --score cka: compare a sample of N tokens. [default: all]",
        ),
        click.option(
            "--at",
            metavar="GLOB",
            multiple=True,
            help="Of --score cka: modules whose outputs are compared; may be repeated.",
        ),
        click.option(
            "--sentences",
            "n_sentences",
            type=click.IntRange(min=1),
            help="Score a sample of N sentences (texts; lines of --task lm). [default: all]",
        ),
        click.option(
            "--score",
            type=click.Choice(_EVERY_SCORE),
            help="What to measure: "
            + "; ".join(f"{task}: {', '.join(scores)}" for task, scores in SCORES.items())
            + ". cka compares activations with the original's. [default: the task's first]",
        ),
        click.option(
            "--task",
            type=click.Choice(list(SCORES)),
            help="MODEL is a language model (a Hugging Face folder, or a hub name in the local"
            " cache), and --data is: ner: a CoNLL file or folder; classification: a table .csv,"
            " .tsv, .jsonl or .parquet with columns text[, text_pair], label; lm: a text.",
        ),
    ):
        command = option(command)
    return options.trained_model(command)


def open_scored(
    model: Path,
    data: Path,
    *,
    task: str | None,
    factory: str | None,
    activation: str,
    batch_size: int,
    device: str,
    score: str | None,
    at: tuple[str, ...],
    n_sentences: int | None,
    n_tokens: int | None,
    sample_seed: int,
    batch_tokens: int | None,
    dtype: str | None,
    download: bool,
) -> Scored:
    """The model on its device, and what scores it on the data: see `scored_model`."""
    import bipnet.torch  # noqa: F401  # first: says what is missing

    if task is None:
        options.refuse_idle(_OF_A_TASK, "is of language models: name a --task too")
        network, accuracy = open_trained(model, data, factory, activation, batch_size, device)
        return Scored(network, Evaluator(accuracy, model), {})
    options.refuse_idle(_OF_A_STATE, "is of a state dict: leave it out with --task")
    wanted = Task(
        task, score, at, n_sentences, n_tokens, sample_seed, batch_tokens, device, dtype, download
    )
    network, evaluate = open_task(model, data, wanted)
    facts = {
        "task": task,
        "score": wanted.measure,
        "higher_is_better": evaluate.higher_is_better,
    }
    return Scored(network, evaluate, facts)
