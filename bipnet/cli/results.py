"""The table and the picture that a command leaves on disk: both, whole, or none."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bipnet._atomic import new_file, require_free_output
from bipnet.errors import FileFormatError, InputError, MissingExtraError

if TYPE_CHECKING:
    import pandas as pd

TABLES = (".csv", ".parquet")
PICTURES = (".png", ".pdf", ".svg")


class Outputs:
    """Where table and picture go. Made before the work: it refuses what could not be written."""

    def __init__(self, table: Path | None, picture: Path | None, force: bool) -> None:
        self._table, self._picture, self._force = table, picture, force
        for path, endings, what in ((table, TABLES, "table"), (picture, PICTURES, "picture")):
            if path is None:
                continue
            if path.suffix.lower() not in endings:
                raise FileFormatError(f"{path}: a {what} is written as {' or '.join(endings)}")
            require_free_output(path, force)
        is_parquet = table is not None and table.suffix.lower() == ".parquet"
        if is_parquet and importlib.util.find_spec("pyarrow") is None:
            raise MissingExtraError(
                f"{table}: Parquet needs pyarrow: pip install 'bipnet[experiments]', or name the"
                " output *.csv"
            )
        if table is None and picture is None and force:
            raise InputError("--force replaces outputs: name one with -o or --plot too")
        if picture is not None:
            _plot()

    @property
    def paths(self) -> list[Path]:
        return [path for path in (self._table, self._picture) if path is not None]

    def write(self, table: pd.DataFrame, figure: str) -> None:
        """Write the table, and draw it with that function of `bipnet.plot`."""
        with contextlib.ExitStack() as files:
            # The one that is drawn is finished first: if that fails, there is no table either.
            if self._table is not None:
                path = files.enter_context(new_file(self._table, force=self._force))
                if self._table.suffix.lower() == ".csv":
                    table.to_csv(path, index=False)
                else:
                    with path.open("wb") as file:
                        table.to_parquet(file, engine="pyarrow", index=False)
            if self._picture is not None:
                path = files.enter_context(new_file(self._picture, force=self._force))
                axes = getattr(_plot(), figure)(table)
                kind = self._picture.suffix.lower().removeprefix(".")
                axes.figure.savefig(path, format=kind, dpi=300)

    def as_json(self) -> dict[str, str]:
        """The paths that were written, by kind."""
        named = {"table": self._table, "picture": self._picture}
        return {kind: str(path) for kind, path in named.items() if path is not None}

    def say(self) -> None:
        """Name what was written."""
        if self.paths:
            click.echo(f"written: {', '.join(map(str, self.paths))}")


def _plot() -> Any:
    """`bipnet.plot`, drawing into files: no screen is needed."""
    with contextlib.suppress(ImportError):  # bipnet.plot says what is missing
        import matplotlib

        matplotlib.use("agg")
    return importlib.import_module("bipnet.plot")
