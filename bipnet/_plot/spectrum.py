"""The singular spectrum against that of a null model and of noise."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

from bipnet._plot.distributions import null_handle, null_label
from bipnet._plot.styles import SIGN_STYLES, axes_or_new, dress, legend_above
from bipnet.errors import InputError
from bipnet.measures import Spectrum, band, spectrum

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NULL = "#E69F00"
_PALE = 0.35


def singular_spectrum(
    W: Any,
    draws: Iterable[Any] = (),
    *,
    interval: tuple[float, float] = (0.05, 0.95),
    ax: Axes | None = None,
) -> Axes:
    """Singular values by rank, with the band of a null model and the edge of noise.

    Parameters
    ----------
    W
        Graph, matrix, or the `bipnet.measures.Spectrum` of one.
    draws
        Graphs or matrices of the same nodes (or their spectra), such as
        ``bipnet.ensemble(W, "B", 100)``; gone through once.
    interval
        Lower and upper quantile of the band, of the values of each rank.
    ax
        Axes to draw into; new ones by default.

    Returns
    -------
    The axes, in the units of the weights. Points: observed; dotted line and band: median and
    quantiles over the draws; grey line: the Marchenko-Pastur edge, where independent entries of
    the same spread would end. The ranks are on a logarithmic scale: the first few stand out.

    Raises
    ------
    InputError
        Draws of another shape, an impossible interval, no accepted matrix.
    TooLargeError
        A matrix does not fit into memory.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> import numpy as np, bipnet
    >>> W = np.random.default_rng(0).normal(size=(20, 30)) + 1
    >>> ax = singular_spectrum(W, bipnet.ensemble(W, "A", 5, rng=0))
    >>> ax.lines[0].get_ydata().size
    20
    >>> matplotlib.pyplot.close("all")
    """
    found = _spectrum_of(W)
    n = found.values.size
    drawn = []
    for number, draw in enumerate(_several(draws)):
        values = _spectrum_of(draw).values
        if values.size != n:
            raise InputError(
                f"draw {number} has {values.size} singular values, the graph {n}: draws must be"
                " of the same nodes"
            )
        drawn.append(values)
    null = band(drawn, interval=interval) if drawn else None
    ax = axes_or_new(ax)
    ranks = np.arange(1, n + 1)
    ax.plot(
        ranks, found.values, ls="none", marker="o", ms=2.4, mew=0, color=SIGN_STYLES["+"]["color"],
        label="observed", zorder=3,
    )  # fmt: skip
    handles: list[Any] = [ax.lines[0]]
    labels = ["observed"]
    if null is not None:
        ax.fill_between(ranks, null.low, null.high, color=_NULL, alpha=_PALE, lw=0)
        ax.plot(ranks, null.median, color=_NULL, lw=0.9, ls=":", label="null", zorder=2)
        handles.append(null_handle(_NULL))
        labels.append(null_label(null))
    ax.axhline(found.edge, color="0.35", lw=0.8, ls=(0, (4, 1.5)), zorder=1)
    handles.append(Line2D([], [], color="0.35", lw=0.8, ls=(0, (4, 1.5))))
    labels.append(f"Marchenko-Pastur edge ({found.n_above_edge} of {n} above)")
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda rank, _: f"{rank:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    if n < 20:  # one or two powers of ten alone are no scale
        ax.xaxis.set_major_locator(FixedLocator([rank for rank in (1, 2, 3, 5, 10) if rank <= n]))
    ax.set_xlim(0.9, 1.1 * n)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("rank $i$ (log scale)")
    ax.set_ylabel("singular value $σ_i$")
    legend_above(ax, handles, labels, 1)
    dress(ax)
    return ax


def _spectrum_of(W: Any) -> Spectrum:
    return W if isinstance(W, Spectrum) else spectrum(W)


def _several(draws: Iterable[Any]) -> Iterable[Any]:
    if isinstance(draws, Spectrum) or getattr(draws, "ndim", None) == 2 or hasattr(draws, "n_left"):
        raise InputError("draws must be several matrices; of a single one pass [R]")
    return draws
