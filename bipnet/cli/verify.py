"""``bipnet verify``: does AFTER keep of BEFORE what the null model preserves?"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from bipnet._progress import progress_bar
from bipnet.cli import options, tables
from bipnet.cli.inputs import open_input, partner_of
from bipnet.convert import LayerInfo, matching_layers
from bipnet.nulls import Verification
from bipnet.nulls import verify as verified
from bipnet.nulls.models import null_model

EXIT_CODE = "bipnet.exit_code"
"""Where the context keeps the exit code that stands even if nobody reads the report."""


@click.command(epilog="Example: bipnet verify W.npy R.npy --null E")
@click.argument("before", type=options.INPUT)
@click.argument("after", type=options.INPUT)
@options.null
@options.layers
@options.orientation
@options.as_json
def verify(
    before: Path,
    after: Path,
    letter: str,
    globs: tuple[str, ...],
    orientation: str | None,
    as_json: bool,
) -> None:
    """Check bit for bit that AFTER is a draw of null model LETTER of BEFORE.

    Exit code 0: everything the null model preserves is kept in every layer; 1: something is
    broken, and the report says what and where.
    """
    model = null_model(letter)
    old, new = open_input(before, orientation), open_input(after, orientation)
    chosen = matching_layers(old.layers, globs, before)
    reports: list[tuple[LayerInfo, Verification]] = []
    with progress_bar(len(chosen), f"verify null model {model.letter}") as bar:
        for layer in chosen:
            partner = partner_of(layer, old, new)
            report = verified(old.read(layer), new.read(partner), model, strict=False)
            reports.append((layer, report))
            bar.update()
    ok = all(report.ok for _, report in reports)
    context = click.get_current_context()
    context.meta[EXIT_CODE] = 0 if ok else 1
    if as_json:
        tables.print_json(
            {
                "before": str(before),
                "after": str(after),
                "null": model.letter,
                "ok": ok,
                "layers": [
                    {
                        "layer": layer.name,
                        "ok": report.ok,
                        "note": report.note,
                        "checks": [asdict(check) for check in report.checks],
                    }
                    for layer, report in reports
                ],
            }
        )
    else:
        for layer, report in reports:
            click.echo(
                f"{layer.title}: {report}"
                if len(reports) == 1 or not report.ok
                else f"{layer.title}: null model {model.letter}: kept"
                + (f" ({report.note})" if report.note else "")
            )
    if not ok:
        context.exit(1)
