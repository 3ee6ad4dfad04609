"""Plain-text tables for people and JSON for machines."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import pandas as pd


def print_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns as wide as they must be; numbers to the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    numeric = [
        all(isinstance(row[column], (int, float)) for row in rows) and bool(rows)
        for column in range(len(header))
    ]
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    for line in (list(header), *cells):
        parts = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ]
        click.echo("  ".join(parts).rstrip())


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a data frame as plain data; what JSON has no number for is null."""
    return [
        {str(name): None if _is_no_number(value) else value for name, value in row.items()}
        for row in table.to_dict("records")
    ]


def _is_no_number(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def print_json(value: Any) -> None:
    """Indented JSON on stdout, escaped as JSON has it where the stream cannot show a name."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value, indent=2)
    click.echo(text)
