"""``bipnet bench``: every null model against every peer, in one run."""

from __future__ import annotations

import json
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bipnet._atomic import new_file, require_free_output
from bipnet.cli import options, tables
from bipnet.errors import MissingExtraError, MissingFileError

if TYPE_CHECKING:
    from bipnet.bench import Report

_MISSING_PEER = 1


@click.command(epilog="Example: bipnet bench --sizes 784x64 --nulls AG --peers networkit -o bench")
@click.option(
    "--quick",
    is_flag=True,
    help="A few seconds: one small size, bipnet and NumPy, unless other options say otherwise.",
)
@click.option(
    "--sizes",
    metavar="LEFTxRIGHT,...",
    help="Sizes of the matrices. [default: 784x64,3072x768,11008x4096]",
)
@click.option("--pruned", metavar="PERCENT,...", help="Missing edges. [default: 0,90]")
@click.option(
    "--margins",
    type=click.Choice(["random", "trained", "both"]),
    help="Signs iid, or degrees as uneven as a trained layer's. [default: both]",
)
@click.option("--nulls", metavar="LETTERS", help="Null models. [default: ABCDEFG]")
@click.option(
    "--peers",
    metavar="NAME,...",
    help="Peers by name or part of it, e.g. numpy,networkit,igraph; bipnet is always measured."
    " [default: all]",
)
@click.option(
    "--cap",
    metavar="SECONDS",
    type=click.FloatRange(min=0, min_open=True),
    help="Longest pilot, and longest series of repeats; where a chain needs more, its time is"
    " extrapolated and marked. [default: 20]",
)
@click.option("--repeats", type=click.IntRange(min=1), help="Repeats at least. [default: 5]")
@click.option(
    "--dtype", type=click.Choice(["float16", "float32", "float64"]), default="float32",
    show_default=True,
)  # fmt: skip
@click.option(
    "--require-peers", is_flag=True, help="Exit with 1 if a peer is missing or has failed."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Folder (made if need be) for bench.txt, bench.json and the plot bench.png,"
    " renewed after each matrix.",
)
@options.force
@options.as_json
def bench(
    quick: bool,
    sizes: str | None,
    pruned: str | None,
    margins: str | None,
    nulls: str | None,
    peers: str | None,
    cap: float | None,
    repeats: int | None,
    dtype: str,
    require_peers: bool,
    output: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Time to a decorrelated sample: bipnet against NumPy, networkx, igraph, NetworKit and more.

    Every peer that is installed runs in a process of its own, one after another; a missing one
    is named, with how to install it. Prints one table with the bars that bipnet is to reach.
    """
    from bipnet.bench.cases import MARGINS, parse_size
    from bipnet.bench.peers import OURS
    from bipnet.bench.run import Settings, parse_peers, quick_settings, run_bench
    from bipnet.bench.table import as_text

    changes: dict[str, Any] = {"dtype": dtype}
    if sizes is not None:
        changes["sizes"] = tuple(parse_size(part) for part in _parts(sizes))
    if pruned is not None:
        changes["pruned"] = tuple(_per_cent(part) for part in _parts(pruned))
    if margins is not None:
        changes["margins"] = MARGINS if margins == "both" else (margins,)
    if nulls is not None:
        changes["nulls"] = tuple(dict.fromkeys("".join(_parts(nulls)).upper()))
    if peers is not None:
        named = parse_peers(_parts(peers))
        changes["peers"] = tuple(dict.fromkeys((*OURS, *named)))
    if cap is not None:
        changes["cap"] = cap
    if repeats is not None:
        changes["repeats"] = repeats
    settings = quick_settings(**changes) if quick else Settings(**changes)
    if output is not None:
        _prepare_folder(output, force)

    report = run_bench(
        settings,
        say=lambda line: click.echo(f"bipnet bench: {line}", err=True),
        keep=None if output is None else partial(_write, output),
    )
    if as_json:
        tables.print_json(report.as_json())
    else:
        click.echo(as_text(report))
    broken = [
        f"{found.peer} on {result.case}: {found.note}"
        for result in report.results
        for found in result.measurements
        if found.status == "failed"
    ]
    for line in (*(f"missing peer: {name}" for name in report.missing_peers), *broken):
        click.echo(f"bipnet bench: {line}", err=True)
    if require_peers and (report.missing_peers or broken):
        click.get_current_context().exit(_MISSING_PEER)


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _per_cent(text: str) -> int:
    try:
        return int(text.removesuffix("%"))
    except ValueError:
        raise click.UsageError(f"--pruned takes whole per cents like 0,90, got {text!r}") from None


_OUTPUTS = ("bench.txt", "bench.json", "bench.png")


def _prepare_folder(folder: Path, force: bool) -> None:
    """Before an hour of work: matplotlib is there, and the outputs can be written."""
    if find_spec("matplotlib") is None:
        raise MissingExtraError(
            "the plot of bench -o needs matplotlib: pip install 'bipnet[bench]'"
        )
    import matplotlib

    matplotlib.use("agg")  # pictures go into files: no screen is needed
    if not folder.parent.is_dir():
        raise MissingFileError(f"no such folder: {folder.parent}; make it first")
    folder.mkdir(exist_ok=True)
    for name in _OUTPUTS:
        require_free_output(folder / name, force)


def _write(folder: Path, report: Report) -> None:
    """Replace the outputs by those of the matrices measured so far, each one whole."""
    import matplotlib.pyplot as plt

    from bipnet.bench.picture import draw_picture
    from bipnet.bench.table import as_text

    with new_file(folder / "bench.txt", force=True) as path:
        path.write_text(as_text(report) + "\n", encoding="utf-8")
    with new_file(folder / "bench.json", force=True) as path:
        path.write_text(json.dumps(report.as_json(), indent=1) + "\n", encoding="utf-8")
    with new_file(folder / "bench.png", force=True) as path:
        figure = draw_picture(report)
        figure.savefig(path, dpi=200, format="png")
        plt.close(figure)
