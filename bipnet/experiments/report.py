"""The report: one HTML file with every figure, number and verdict, that loads nothing else."""

from __future__ import annotations

import base64
import io
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import matplotlib
import numpy as np
import pandas as pd
import torch

import bipnet
from bipnet._atomic import new_file
from bipnet.experiments.choices import CHOICES, Choice, described_choices
from bipnet.experiments.claims import Claim, Finding
from bipnet.experiments.figures import PaperFigure, Tables, drawable
from bipnet.experiments.figures.files import save
from bipnet.experiments.figures.layouts import title_of
from bipnet.experiments.number_tables import NumberTable, number_tables
from bipnet.experiments.summary import summarize

_PIXELS_PER_INCH = 125
"""At which type of 7 points is as large as the text around."""

VERDICTS = ("holds", "does not hold", "not measured")


@dataclass(frozen=True)
class Drawn:
    """A figure ready for the page."""

    figure: PaperFigure
    caption: str
    source: str
    width: int
    height: int
    tables: Sequence[NumberTable]

    @property
    def is_wide(self) -> bool:
        """Whether it takes two columns in print: too wide for a phone."""
        return self.width > 5 * _PIXELS_PER_INCH


def write_report(
    tables: Tables,
    claims: Sequence[Finding],
    settings: Mapping[str, Any],
    seconds: Mapping[str, float],
    output: str | Path,
    *,
    fold: bool = False,
    force: bool = False,
) -> Path:
    """Write the report of a reproduction: figures, numbers, verdicts, protocol, times.

    Parameters
    ----------
    tables
        Number of the paper's figure -> its table.
    claims
        What `bipnet.experiments.claims.evaluate_claims` found.
    settings
        Everything needed to run it again, plain data. The keys of
        `bipnet.experiments.choices.CHOICES` say which side of a choice was run; a dict under
        "versions" adds to the versions listed.
    seconds
        Time per stage.
    output
        The HTML file.
    fold
        In Figure 2 draw accuracies x below 50 % as 100 - x.
    force
        Replace the report of an earlier run.

    Returns
    -------
    The file.

    Raises
    ------
    InputError
        A table lacks a column or holds what it cannot.
    OutputExistsError, MissingFileError
        The file is there already and ``force`` is not set; its folder is not there.
    """
    path = Path(output)
    with new_file(path, force=force) as partial:
        partial.write_text(
            render_report(tables, claims, settings, seconds, fold=fold), encoding="utf-8"
        )
    return path


def render_report(
    tables: Tables,
    claims: Sequence[Finding],
    settings: Mapping[str, Any],
    seconds: Mapping[str, float],
    *,
    fold: bool = False,
) -> str:
    """The report as text; see `write_report`."""
    if fold:
        settings = {"boxes": "accuracies below 50 % folded to 100 - x, not trimmed"} | dict(
            settings
        )
    networks = summarize(tables)["networks"]
    return render_page(
        Subject(
            "All figures, numbers and verdicts are made from the same tables of measured"
            " accuracies.",
            "Each claim is judged on every data set and hidden width d it was measured on.",
            "accuracies and their differences are shares of 1, medians over networks",
            "data set",
            "networks",
        ),
        drawn(drawable(tables), tables, number_tables, fold=fold),
        claims,
        CHOICES,
        settings,
        seconds,
        networks=[row for row in networks if "/" not in row["task"]],
        pair_networks=_pair_networks(networks),
    )


@dataclass(frozen=True)
class Subject:
    """What a report is about, in words.

    Attributes
    ----------
    source
        What everything is made from.
    scope
        What a claim is judged on.
    units
        What the numbers of a verdict are.
    place
        What stands before each verdict: "data set" or "model".
    sample
        What the medians are over, and their number is told of: "networks" or "draws".
    """

    source: str
    scope: str
    units: str
    place: str
    sample: str


def render_page(
    subject: Subject,
    figures: Iterable[Drawn],
    claims: Sequence[Finding],
    choices: Sequence[Choice],
    settings: Mapping[str, Any],
    seconds: Mapping[str, float],
    *,
    networks: Sequence[Mapping[str, Any]] = (),
    pair_networks: Sequence[Mapping[str, Any]] = (),
) -> str:
    """A report of any experiment: verdicts, figures, numbers, protocol, times."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("bipnet.experiments", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": _number, "dataset": title_of, "plain": _plain}
    known = {choice.key for choice in choices}
    return environment.get_template("report.html.jinja").render(
        subject=subject,
        figures=figures,
        findings=list(_by_place(claims)),
        has_widths=any(finding.hidden is not None for finding in claims),
        counts={
            verdict: sum(finding.verdict == verdict for finding in claims) for verdict in VERDICTS
        },
        networks=networks,
        pair_networks=pair_networks,
        choices=described_choices(settings, choices),
        settings={
            key: value for key, value in settings.items() if key not in known and key != "versions"
        },
        seconds=seconds,
        total=sum(seconds.values()),
        versions=versions() | dict(settings.get("versions", {})),
    )


def versions() -> dict[str, str]:
    """The versions a number of the report depends on."""
    return {
        "bipnet": bipnet.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
        "pandas": pd.__version__,
        "matplotlib": matplotlib.__version__,
    }


def drawn(
    figures: Sequence[PaperFigure],
    tables: Tables,
    numbers: Callable[[int, pd.DataFrame], Sequence[NumberTable]],
    *,
    fold: bool = False,
) -> Iterator[Drawn]:
    """Each figure as a picture, with its caption and, by ``numbers``, its numbers."""
    told: set[int] = set()
    for figure in figures:
        picture = io.BytesIO()
        # As an image of its own, not inline: identifiers of one drawing cannot meet another's.
        drawing = figure.figure(tables, fold=fold)
        save(drawing, picture, "svg")
        source = base64.b64encode(picture.getvalue()).decode("ascii")
        table = figure.table(tables)
        # A second look at a figure shows the same numbers: they are listed once.
        first = table is not None and figure.number not in told
        yield Drawn(
            figure,
            figure.caption_of(tables),
            f"data:image/svg+xml;base64,{source}",
            round(_PIXELS_PER_INCH * drawing.get_figwidth()),
            round(_PIXELS_PER_INCH * drawing.get_figheight()),
            numbers(figure.number, table) if first and table is not None else (),
        )
        told.add(figure.number)


def _by_place(
    claims: Sequence[Finding],
) -> Iterator[tuple[str, list[tuple[Claim, list[Finding]]]]]:
    """Place in the paper -> its claims, each with its findings; all in the order given."""
    places: dict[str, dict[str, list[Finding]]] = {}
    for finding in claims:
        at_place = places.setdefault(finding.claim.place, {})
        at_place.setdefault(finding.claim.key, []).append(finding)
    for place, by_key in places.items():
        yield place, [(found[0].claim, found) for found in by_key.values()]


def _pair_networks(networks: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Networks of all pairs of classes together, per data set and width."""
    totals: dict[tuple[str, int], dict[str, Any]] = {}
    for row in networks:
        if "/" in row["task"]:
            where = (row["dataset"], row["hidden"])
            total = totals.setdefault(
                where,
                {"dataset": where[0], "hidden": where[1], "pairs": 0, "n": 0, "failed": 0},
            )
            total["pairs"] += 1
            total["n"] += row["n"]
            total["failed"] += row["failed"]
    return list(totals.values())


def _number(value: Any) -> str:
    """Four significant digits with a true minus; what is next to nothing is 0, and only 1 is 1."""
    if not isinstance(value, float):
        return str(value)
    sign = "\u2212" if value <= -1e-4 else ""
    size = abs(value)
    return sign + ("0" if size < 1e-4 else f"{size:.{4 if size < 0.9999 or size >= 1 else 6}g}")


def _plain(value: Any) -> str:
    """A setting as one line."""
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_plain(inner)}" for key, inner in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_plain, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
