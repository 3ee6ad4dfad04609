"""Texts with a label each, from a table on disk."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from bipnet.convert.source import reading
from bipnet.errors import FileFormatError, InputError, MissingExtraError, MissingFileError

_INTEGER = re.compile("-?[0-9]+")
_ENDINGS = (".csv", ".tsv", ".jsonl", ".json", ".parquet")


def read_labelled(path: Path) -> list[tuple[Any, Any]]:
    """(text or pair of texts, label) of each row of a table with columns text[, text_pair], label.

    Labels are integers or names. Rows are counted from 1, without the header.
    """
    if not path.is_file():
        raise MissingFileError(f"no such file: {path}")
    ending = path.suffix.lower()
    if ending not in _ENDINGS:
        raise FileFormatError(f"{path}: labelled texts are read from {', '.join(_ENDINGS)}")
    table = _table(path, ending)
    wanted = {"text", "label"}
    if not wanted <= set(table.columns):
        names = ", ".join(map(str, table.columns)) or "none"
        raise FileFormatError(
            f"{path} must have columns text and label (and text_pair for two texts); it has:"
            f" {names}"
        )
    if not len(table):
        raise FileFormatError(f"{path} has no rows: a text and its label per row are wanted")
    columns = [name for name in ("text", "text_pair") if name in table.columns]
    for name in columns:
        for number, value in enumerate(table[name], start=1):
            if not isinstance(value, str):
                raise InputError(f"{path}, row {number}: {name} must be text, got {value!r}")
    labels = [_label(path, number, one) for number, one in enumerate(table["label"], start=1)]
    if all(isinstance(label, str) and _INTEGER.fullmatch(label) for label in labels):
        labels = [int(label) for label in labels]
    if len(columns) == 1:
        texts = list(table["text"])
    else:
        texts = list(zip(table["text"], table["text_pair"], strict=True))
    return list(zip(texts, labels, strict=True))


def _table(path: Path, ending: str) -> Any:
    try:
        import pandas
    except ImportError as error:
        raise MissingExtraError(
            "labelled texts need pandas: pip install 'bipnet[experiments]'"
        ) from error
    with reading(path, "table of labelled texts"):
        if ending == ".parquet":
            return pandas.read_parquet(path)
        if ending in (".jsonl", ".json"):
            return pandas.read_json(path, lines=True, dtype=False, encoding="utf-8-sig")
        # "NA" and "null" are words of a text; labels become numbers further on.
        return pandas.read_csv(
            path,
            sep="\t" if ending == ".tsv" else ",",
            dtype=str,
            keep_default_na=False,
            encoding="utf-8-sig",
        )


def _label(path: Path, number: int, value: Any) -> Any:
    if isinstance(value, str) and value.strip():
        return value.strip()
    try:
        if not isinstance(value, str) and int(value) == value:
            return int(value)
    except (TypeError, ValueError, OverflowError):
        pass
    raise InputError(f"{path}, row {number}: a label is a name or a whole number, got {value!r}")
