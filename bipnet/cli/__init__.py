"""The command line: ``bipnet COMMAND``. Results on stdout, progress and warnings on stderr.

Exit code 0: done; 1: an invariant or check failed; 2: bad usage or input (one clear line); 130:
interrupted by Ctrl-C.
Commands import what they need when they run, so that ``bipnet --help`` is quick.
"""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import click

from bipnet import __version__
from bipnet.cli.bench import bench
from bipnet.cli.certify import certify
from bipnet.cli.complexity import complexity
from bipnet.cli.demo import demo
from bipnet.cli.export import export
from bipnet.cli.layers import layers
from bipnet.cli.probe import probe
from bipnet.cli.randomize import randomize
from bipnet.cli.reproduce import reproduce
from bipnet.cli.score import score
from bipnet.cli.stats import stats
from bipnet.cli.verify import EXIT_CODE, verify
from bipnet.errors import BipnetError, BipnetWarning, InvariantError

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130


_NOTHING_LEFT = "interrupted; no output was left half-written"


class _UserInterruptError(BipnetError):
    """Ctrl-C, out of click's sight: it would print a line of its own."""


class _Group(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:  # a command may have something to add
            raise _UserInterruptError(str(error) or _NOTHING_LEFT) from None
        except BrokenPipeError:  # the reader has gone, but the verdict stands
            _discard_stdout()
            return ctx.meta.get(EXIT_CODE, 0)


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: bipnet randomize W.npy --null E --seed 7 -o R.npy",
)
@click.version_option(__version__, prog_name="bipnet")
def cli() -> None:
    """Exact null models for signed, weighted bipartite graphs: any matrix, any network layer."""


for _command in (
    layers, stats, export, randomize, verify, certify, score, probe, complexity, reproduce, demo,
    bench,
):  # fmt: skip
    cli.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    try:
        _prepare_streams()
        code = run(arguments)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is said: only Python's own end is left
    except KeyboardInterrupt:  # just before or after what `run` guards
        code = _fail(_NOTHING_LEFT, INTERRUPTED)
    sys.exit(code)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; give its exit code. A user's mistake is one line on stderr."""
    warnings.showwarning = _show_warning
    warnings.simplefilter("always", BipnetWarning)
    _show_news()
    try:
        code = cli.main(
            args=None if arguments is None else list(arguments),
            prog_name="bipnet",
            standalone_mode=False,
        )
        if sys.stdout is not None:  # closed by the caller: nobody wants the results
            sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return BAD_INPUT
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx is not None else "bipnet"
        return _fail(f"{error.format_message()} ({command} --help shows how)", BAD_INPUT)
    except click.ClickException as error:
        return _fail(error.format_message(), BAD_INPUT)
    except (_UserInterruptError, click.Abort, KeyboardInterrupt) as error:
        if sys.stderr.isatty():
            click.echo(err=True)  # ends the line in which the terminal shows ^C
        return _fail(str(error) or _NOTHING_LEFT, INTERRUPTED)
    except InvariantError as error:
        return _fail(str(error), FAILED)
    except (BrokenPipeError, SystemExit):
        # The reader has gone (head, less), which click answers by exiting: say nothing, not
        # even at exit.
        _discard_stdout()
        return 0
    except BipnetError as error:
        return _fail(str(error), BAD_INPUT)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        return _fail(f"{error.strerror or error}{where}", BAD_INPUT)
    except MemoryError as error:
        return _fail(f"out of memory: {error or 'the work does not fit'}", BAD_INPUT)


def _prepare_streams() -> None:
    """Names that the terminal cannot show are escaped; asyncio, which zarr runs on, is silent.

    Of a failed write it would otherwise report every task that was cut off, with a traceback.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    logging.getLogger("asyncio").disabled = True


class _Lines(logging.Handler):
    """News on stderr: results on stdout stay by themselves."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(f"bipnet: {record.getMessage()}", err=True)


def _show_news() -> None:
    """Show what bipnet tells those who ask for it: here, that kernels are being compiled."""
    log = logging.getLogger("bipnet")
    log.setLevel(logging.INFO)
    if not any(isinstance(handler, _Lines) for handler in log.handlers):
        log.addHandler(_Lines())


def _discard_stdout() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, code: int) -> int:
    click.echo(f"bipnet: error: {' '.join(message.split())}", err=True)
    return code


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    click.echo(f"bipnet: warning: {' '.join(str(message).split())}", err=True)
