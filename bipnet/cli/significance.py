"""What ``bipnet stats`` says of named statistics: their values, and what is more than chance."""

from __future__ import annotations

import contextlib
import importlib.util
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from bipnet._progress import progress_bar
from bipnet.cli import tables
from bipnet.cli.inputs import open_input, partner_of
from bipnet.cli.results import Outputs
from bipnet.convert import LayerInfo, Source, matching_layers
from bipnet.errors import InputError, MissingExtraError
from bipnet.nulls import NULL_MODELS
from bipnet.nulls.models import null_model


def list_statistics(as_json: bool) -> None:
    """All named statistics, and which null models have the same value in every draw."""
    from bipnet.measures import STATISTICS
    from bipnet.measures.communities import INSTALL

    rows: list[dict[str, Any]] = [
        {
            "name": one.name,
            "of": one.of,
            "is": one.title,
            "fixed_by": [
                letter for letter, row in NULL_MODELS.items() if one.is_fixed_by(row.preserves)
            ],
            "available": one.is_available,
        }
        for one in STATISTICS.values()
    ]
    if as_json:
        tables.print_json(rows)
        return
    tables.print_table(
        ["statistic", "of", "fixed by", "what it is"],
        [
            [
                row["name"],
                row["of"],
                "".join(row["fixed_by"]) or "-",
                row["is"] if row["available"] else f"{row['is']} ({INSTALL})",
            ]
            for row in rows
        ],
    )


def print_statistics(
    path: Path, globs: tuple[str, ...], orientation: str | None, names: Sequence[str], as_json: bool
) -> None:
    """Values of named statistics; those of nodes as minimum / median / maximum."""
    from bipnet.measures.catalogue import Described, named_statistic

    statistics = [named_statistic(name) for name in names]
    source = open_input(path, orientation)
    found: list[tuple[str, list[Any]]] = []
    chosen = matching_layers(source.layers, globs, path)
    with progress_bar(len(chosen), "stats") as bar:
        for layer in chosen:
            described = Described(source.read(layer))
            found.append((layer.title, [one(described) for one in statistics]))
            bar.update()
    if as_json:
        layers = [
            {
                "layer": title,
                **{
                    one.name: value.tolist() if one.of != "graph" else float(value[0])
                    for one, value in zip(statistics, values, strict=True)
                },
            }
            for title, values in found
        ]
        tables.print_json({"path": str(path), "layers": layers})
        return
    rows = [[title, *map(_spread, values)] for title, values in found]
    tables.print_table(["layer", *names], rows)


def _spread(value: Any) -> str:
    if value.size == 1:
        return f"{value[0]:.6g}"
    return f"{value.min():.4g} / {np.median(value):.4g} / {value.max():.4g}"


def test_layers(
    path: Path,
    before: Path | None,
    globs: tuple[str, ...],
    orientation: str | None,
    letter: str,
    names: Sequence[str],
    n_draws: int,
    seed: int,
    output: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Test statistics of every chosen layer; print a table, write all rows."""
    import bipnet
    from bipnet.measures.catalogue import default_statistics, graph_statistics

    model = null_model(letter)
    outputs = Outputs(output, None, force)
    if output is not None and importlib.util.find_spec("pandas") is None:
        raise MissingExtraError(
            f"{output}: a table needs pandas: pip install 'bipnet[experiments]'"
        )
    kept = None if output is None else output.with_name(f"{output.name}.draws")
    chosen = list(names) or list(default_statistics())
    left_out = [] if names else [name for name in graph_statistics() if name not in chosen]
    results = []
    with contextlib.ExitStack() as stack:
        for number, (when, layer, source) in enumerate(_layers(path, before, globs, orientation)):
            graph = source.read(layer)
            if kept is not None and number == 0:
                kept.mkdir(exist_ok=True)
                stack.callback(_remove_if_empty, kept)
            found = bipnet.significance(
                graph,
                chosen,
                model,
                n_draws,
                rng=seed,
                name=layer.name,
                resume=None if kept is None else kept / f"{number}.safetensors",
                progress=True,
            )
            results.append((when, layer.title, found))
        if output is not None:
            outputs.write(_frame(results, before is not None), "significance_dots")
            assert kept is not None
            for number in range(len(results)):
                (kept / f"{number}.safetensors").unlink(missing_ok=True)
    if as_json:
        rows = [
            {"input": when, **_finite(row)} for when, _, found in results for row in found.rows()
        ]
        about = {"path": str(path), "null": model.letter, "n": n_draws, "seed": seed}
        tables.print_json({**about, "left_out": left_out, "rows": rows})
        return
    _print(results, before is not None)
    outputs.say()


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):  # values are kept there, or somebody else's files
        folder.rmdir()


def _layers(
    path: Path, before: Path | None, globs: tuple[str, ...], orientation: str | None
) -> Iterator[tuple[str, LayerInfo, Source]]:
    """("after" or "before" or "", layer, where it is read from), all looked up at once."""
    source = open_input(path, orientation)
    chosen = matching_layers(source.layers, globs, path)
    if before is None:
        return iter([("", layer, source) for layer in chosen])
    earlier = open_input(before, orientation)
    pairs: list[tuple[str, LayerInfo, Source]] = []
    for layer in chosen:
        known = partner_of(layer, source, earlier)
        if known.shape != layer.shape:
            raise InputError(
                f"layer {layer.title!r} is {layer.shape} in {path} and {known.shape} in {before}:"
                " give two states of the same model"
            )
        pairs += [("before", known, earlier), ("after", layer, source)]
    return iter(pairs)


def _frame(results: Sequence[tuple[str, str, Any]], is_compared: bool) -> Any:
    import pandas as pd

    frames = []
    for when, _, found in results:
        frame = found.to_frame()
        if is_compared:
            frame.insert(0, "input", when)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    """A row with null for what JSON has no number for, such as an infinite z."""
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in row.items()
    }


def _print(results: Sequence[tuple[str, str, Any]], is_compared: bool) -> None:
    first = results[0][2]
    click.echo(f"null model {first.null}, {first.n} draws: {first.law}")
    header = ["layer", *(["input"] if is_compared else []), "statistic", "observed", "null mean"]
    header += ["null sd", "z", "p", ""]
    rows: list[list[object]] = []
    for when, title, found in results:
        for one in found.statistics.values():
            row: list[object] = [title, *([when] if is_compared else []), one.name, *one.cells()]
            rows.append(row)
    tables.print_table(header, rows)
    click.echo("p: two-sided, corrected for the statistics of a layer (or nodes of a side) by bh")
