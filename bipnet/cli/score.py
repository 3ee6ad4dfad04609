"""``bipnet score``: the accuracy of a saved model, as it is or with randomised layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np

from bipnet._progress import progress_bar
from bipnet._streams import resolve_seed
from bipnet.cli import options, tables
from bipnet.cli.trained import open_trained
from bipnet.convert.source import reading
from bipnet.nulls.models import null_model


@click.command(
    epilog="Example: bipnet score easy.pt --data easy-test.npz --null B --seed 7 --draws 10"
)
@click.argument("state", type=options.INPUT)
@options.trained_model
@options.optional_null
@options.seed
@options.index
@click.option(
    "--draws",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Number of draws to score, from --index on.",
)
@options.layers
@options.method
@options.steps
@options.loops
@options.as_json
def score(
    state: Path,
    data: Path,
    factory: str | None,
    activation: str,
    letter: str | None,
    seed: int | None,
    index: int,
    draws: int,
    globs: tuple[str, ...],
    method: str | None,
    steps: int | None,
    loops: int | None,
    batch_size: int,
    device: str,
    as_json: bool,
) -> None:
    """Accuracy of the model in STATE (.pt, .pth or .safetensors) on labelled test data.

    With --null its layers are randomised first, in memory; STATE is not changed.
    """
    model = null_model(letter) if letter is not None else None
    if model is None:
        idle = ("seed", "index", "draws", "globs", "method", "steps", "loops")
        options.refuse_idle(idle, "says how to randomise: name a null model with --null too")
    from bipnet.torch import swapped  # first: says what is missing

    network, evaluate = open_trained(state, data, factory, activation, batch_size, device)
    with reading(state, "model for this data"):
        trained = evaluate.score(network)
    result: dict[str, Any] = {
        "state": str(state),
        "n_samples": trained.n_samples,
        "accuracy": trained.accuracy,
        "n_ties": trained.n_ties,
    }
    if model is not None:
        resolved = resolve_seed(seed)
        accuracies = []
        with progress_bar(draws, f"null model {model.letter}") as bar:
            for draw in range(index, index + draws):
                with swapped(
                    network,
                    model,
                    layers=globs or None,
                    rng=resolved,
                    index=draw,
                    method=method,
                    steps=steps,
                    loops=loops,
                ) as put:
                    accuracies.append(evaluate(network))
                bar.update()
        result |= {
            "null": model.letter,
            "seed": resolved.entropy,
            "index": index,
            "layers": list(put),
            "null_accuracies": accuracies,
        }
    if as_json:
        tables.print_json(result)
        return
    ties = f", {trained.n_ties} ties" if trained.n_ties else ""
    click.echo(f"accuracy {trained.accuracy:.4f} ({trained.n_samples} samples{ties})")
    if model is not None:
        low, middle, high = np.quantile(accuracies, [0.25, 0.5, 0.75])
        spread = f", quartiles {low:.4f} to {high:.4f}" if draws > 1 else ""
        click.echo(
            f"null model {model.letter} ({model.title}): {middle:.4f}{spread}"
            f" ({draws} draw(s), seed {result['seed']}, {len(put)} layers)"
        )
