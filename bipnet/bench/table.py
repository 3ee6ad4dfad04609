"""The run as text: one table of times, the peers, the bars."""

from __future__ import annotations

from collections.abc import Sequence

from bipnet.bench.measurement import Measurement
from bipnet.bench.run import CaseResult, Report

_HEADER = (
    "matrix", "null", "peer", "steps by", "time", "median", "x copy", "steps", "unit", "passes",
    "steps/s", "how",
)  # fmt: skip


def as_text(report: Report) -> str:
    """Everything a reader wants to see, with what the columns mean."""
    machine, settings = report.machine, report.settings
    versions = ", ".join(f"{name} {value}" for name, value in machine["versions"].items())
    parts = [
        f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}; {versions};"
        f" {settings.dtype}, cap {settings.cap:g} s, load before {machine['load_before']}",
        _NOTES,
        aligned(_HEADER, [row for result in report.results for row in _rows(result)]),
        _matrices(report),
        aligned(
            ("peer", "version", "licence", "cannot"),
            [
                (peer["name"], peer["version"] or f"MISSING: {peer['note']}", peer["licence"],
                 peer["cannot"])
                for peer in report.peers
            ],
        ),
    ]  # fmt: skip
    bars = report.bars()
    if bars:
        parts.append(
            aligned(
                ("bar", "matrix", "measured", "must", "aim", "reached"),
                [
                    (
                        bar.what,
                        bar.case,
                        "-" if bar.value is None else number(bar.value),
                        ("" if bar.at_least else "<= ") + number(bar.must),
                        ("" if bar.at_least else "<= ") + number(bar.aim),
                        bar.verdict,
                    )
                    for bar in bars
                ],
            )
        )
    return "\n\n".join(parts)


_NOTES = """\
time: minimum of the repeats, for one sample. bipnet: whole public calls, checks and copy
included, weights moved. Peers: their run alone, on a graph or array made beforehand; chains move
the sign pattern and no weights.
steps by: "criterion": so many steps that the overlap with the start is within two standard
deviations of its equilibrium, found on pilots that are not counted; "default": the published or
default number.
~: fewer steps were timed, the time is in proportion. >: ended unfinished. *: takes missing edges
for negative ones, so that edges move into them: no draw of G of a pruned layer."""


def _rows(result: CaseResult) -> list[tuple[str, ...]]:
    order = {null: i for i, null in enumerate(("copy", *"ABCDEFG"))}
    found = sorted(result.measurements, key=lambda m: order.get(m.null, 99))  # stable: peers stay
    return [_row(result, measurement) for measurement in found]


def _row(result: CaseResult, found: Measurement) -> tuple[str, ...]:
    mark = {"extrapolated": "~", "over cap": "> "}.get(found.status, "")
    copy = result.copy_seconds
    rate = found.steps_per_second
    peer = found.peer
    if result.case.pruned and found.null == "G" and not peer.startswith("bipnet"):
        peer += " *"
    timed = found.has_time and found.seconds is not None
    how = "; ".join(part for part in (found.steps_from, found.note) if part)
    return (
        str(result.case),
        found.null,
        peer,
        found.count,
        mark + duration(found.seconds) if found.seconds is not None else found.status,
        duration(found.median) if timed and found.median is not None else "",
        number(found.seconds / copy) if timed and found.seconds and copy else "",
        str(found.steps) if found.steps else "",
        found.unit,
        number(found.passes) if found.passes else "",
        number(rate) if rate else "",
        how,
    )


def _matrices(report: Report) -> str:
    rows = []
    for result in report.results:
        row = [
            str(result.case),
            str(result.n_edges),
            f"{result.n_positive / result.n_edges:.3f}",
            *(f"{low} to {high}" for low, high in result.degrees.values()),
        ]
        for moves_over in ("edges", "cells"):
            level = result.levels.get(moves_over)
            row.append(f"{level[0]:.4f} +- {level[1]:.4f} ({level[2]} draws)" if level else "")
        rows.append(tuple(row))
    header = ("matrix", "edges", "alpha", "k+ left", "k+ right", "overlap of G", "overlap of *")
    return aligned(header, rows)


def duration(seconds: float) -> str:
    """Three digits with a unit that suits."""
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        if seconds * factor >= 1 or unit == "us":
            return f"{number(seconds * factor)} {unit}"
    raise AssertionError  # the last unit always suits


def number(value: float) -> str:
    """Three significant digits, without exponents below a million."""
    if value == 0:
        return "0"
    if 1e6 <= abs(value) < 1e9:
        return f"{value / 1e6:.3g} M"
    return f"{value:.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they must be."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [tuple(header), tuple("-" * width for width in widths), *rows]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
