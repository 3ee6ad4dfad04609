"""Figures as files."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import matplotlib

from bipnet._atomic import new_file, require_free_output
from bipnet.errors import InputError
from bipnet.experiments.figures.catalogue import PaperFigure, Tables, drawable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("png", "pdf", "svg")

# Text stays text in PDF (TrueType) and becomes outlines in SVG, which then looks the same with
# any fonts; the salt and the empty dates make the same picture the same bytes.
_SAVING: Any = {"pdf.fonttype": 42, "svg.fonttype": "path", "svg.hashsalt": "bipnet"}
_UNDATED: dict[str, dict[str, Any]] = {
    "png": {},
    "pdf": {"CreationDate": None},
    "svg": {"Date": None},
}


WRITTEN = ("png", "pdf")
"""What a reproduction writes of each figure."""


def write_figures(
    tables: Tables,
    folder: str | Path,
    *,
    figures: Sequence[PaperFigure] | None = None,
    formats: Collection[str] = WRITTEN,
    dpi: int = 300,
    fold: bool = False,
    force: bool = False,
) -> list[Path]:
    """Draw every figure the tables suffice for and write it in every format.

    Parameters
    ----------
    tables
        Number of the figure -> its table.
    folder
        Where they go; made if its parent exists.
    figures
        Which ones there are; those about MLPs by default.
    formats
        Of "png", "pdf" and "svg".
    dpi
        Dots per inch of PNG; 200 or more for print.
    fold
        In Figure 2 draw accuracies x below 50 % as 100 - x.
    force
        Replace files of an earlier run.

    Returns
    -------
    The files, in the paper's order.

    Raises
    ------
    InputError
        Another format, or a table that lacks something.
    OutputExistsError
        A file is there already and ``force`` is not set.
    """
    unknown = sorted(set(formats) - set(FORMATS))
    if unknown:
        raise InputError(
            f"formats must be of {', '.join(FORMATS)}, got {', '.join(map(repr, unknown))}"
        )
    folder = Path(folder)
    drawn_figures = drawable(tables, figures)
    paths = {
        figure.name: [folder / f"{figure.name}.{ending}" for ending in formats]
        for figure in drawn_figures
    }
    if not folder.is_dir():
        require_free_output(folder, force=False)
    folder.mkdir(exist_ok=True)
    for path in (path for group in paths.values() for path in group):
        require_free_output(path, force)
    for figure in drawn_figures:
        drawn = figure.figure(tables, fold=fold)
        for path in paths[figure.name]:
            with new_file(path, force=force) as partial, partial.open("wb") as file:
                save(drawn, file, path.suffix[1:], dpi=dpi)
    return [path for group in paths.values() for path in group]


def is_missing(figure: PaperFigure, folder: Path) -> bool:
    """Whether a figure has yet to be written."""
    return not all((folder / f"{figure.name}.{ending}").exists() for ending in WRITTEN)


def save(figure: Figure, file: BinaryIO, ending: str, *, dpi: int = 300) -> None:
    """Write one figure in one format: the same bytes every time."""
    with matplotlib.rc_context(_SAVING), warnings.catch_warnings():
        # fontTools, which cuts fonts for PDF, deprecates some of its own calls.
        warnings.simplefilter("ignore", DeprecationWarning)
        figure.savefig(file, format=ending, dpi=dpi, metadata=_UNDATED[ending])
