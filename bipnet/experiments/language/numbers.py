"""The numbers of the study's figures as tables to be read."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from bipnet.experiments.language.layers import short_names
from bipnet.experiments.language.losses import losses_unpruned, map_losses
from bipnet.experiments.language.plan import MAP
from bipnet.experiments.number_tables import NumberTable, band

_CURVES = {
    5: (
        ("Pruning", "prune", "", "float", "fraction_removed", "p"),
        ("Pruning, then binarising", "prune", "", "signed", "fraction_removed", "p"),
        ("Pruning, then null model A", "randomize", "A", "float", "fraction_removed", "p"),
        ("Pruning, then null model B", "randomize", "B", "float", "fraction_removed", "p"),
    ),
    9: (
        ("Noise", "noise", "", "float", "level", "sd"),
        ("Noise, then binarising", "noise", "", "signed", "level", "sd"),
        ("Sign flips", "flip", "", "float", "level", "q"),
        ("Sign flips, then binarising", "flip", "", "signed", "level", "q"),
    ),
}


def language_numbers(number: int, table: pd.DataFrame) -> list[NumberTable]:
    """The tables under one figure: F1 in %, median (IQR) over draws."""
    if number == MAP:
        return list(_map_tables(table))
    return [*_curve_tables(number, table), *(_unpruned_tables(table) if number == 5 else ())]


def _curve_tables(number: int, table: pd.DataFrame) -> Iterator[NumberTable]:
    for title, probe, letter, model, column, strength in _CURVES[number]:
        rows = table[
            (table["probe"] == probe) & (table["null_model"] == letter) & (table["model"] == model)
        ]
        if rows.empty:
            continue
        layers = list(dict.fromkeys(rows["layer"]))
        grid = sorted(set(rows[column]))
        cells = {key: group["f1"] for key, group in rows.groupby(["layer", column])}
        yield NumberTable(
            f"{title}: F1 in %, median (IQR)",
            [strength, *short_names(layers).values()],
            [
                [
                    f"{at:.6g}",
                    *(band(cells[name, at]) if (name, at) in cells else "" for name in layers),
                ]
                for at in grid
            ],
        )


def _unpruned_tables(table: pd.DataFrame) -> Iterator[NumberTable]:
    """The bars of Figure 5d-f."""
    lost = losses_unpruned(table)
    layers = list(dict.fromkeys(name for by_layer in lost.values() for name in by_layer))
    names = short_names(layers)
    least = table.loc[table["probe"] == "prune", "fraction_removed"].min()
    yield NumberTable(
        f"F1 lost in points at p = {least:g} (panels d to f), median (IQR)",
        ["layer", *lost],
        [
            [
                names[layer],
                *(band(found[layer]) if layer in found else "" for found in lost.values()),
            ]
            for layer in layers
        ],
    )


def _map_tables(table: pd.DataFrame) -> Iterator[NumberTable]:
    lost = map_losses(table)
    yield NumberTable(
        "F1 lost in points, median over draws",
        ["layer", *map(str, lost.columns)],
        [
            [str(layer).removesuffix(".weight"), *(f"{100 * value:.1f}" for value in row)]
            for layer, row in zip(lost.index, lost.to_numpy(), strict=True)
        ],
    )
