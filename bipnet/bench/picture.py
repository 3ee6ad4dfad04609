"""Time of one sample against the number of edges, both on logarithmic axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bipnet.bench.run import Report
from bipnet.errors import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

try:
    import matplotlib.pyplot as plt
    from matplotlib.ticker import NullFormatter
except ImportError as error:
    raise MissingExtraError(
        "the picture of bipnet bench needs matplotlib: pip install 'bipnet[bench]'"
    ) from error

# Okabe & Ito's colours, told apart with every kind of colour vision; a marker of its own besides.
_STYLES: dict[str, tuple[str, str]] = {
    "memory copy": ("#000000", "_"),
    "bipnet": ("#D55E00", "o"),
    "bipnet swap": ("#D55E00", "P"),
    "NumPy": ("#0072B2", "s"),
    "NetworKit GlobalCurveball": ("#0072B2", "^"),
    "NetworKit Curveball": ("#0072B2", "v"),
    "NetworKit EdgeSwitching": ("#56B4E9", "D"),
    "igraph rewire": ("#009E73", "X"),
    "graph-tool random_rewire": ("#CC79A7", "<"),
    "PyBiRewireX": ("#E69F00", ">"),
    "networkx double_edge_swap": ("#666666", "*"),
    "BiWES": ("#009E73", "h"),
    "authors' lists": ("#666666", "d"),
}


def draw_picture(report: Report) -> Figure:
    """Two panels, one column wide: a permutation (A), and the chains of model G.

    Dense layers with random margins, or the first other kind that was measured; time to a
    decorrelated sample. Open markers: extrapolated. The grey line has slope 1.
    """
    figure, panels = plt.subplots(
        2, 1, figsize=(3.5, 6.2), sharex=True, height_ratios=(1, 1.6), layout="constrained"
    )
    results = report.results
    kinds = [(r.case.pruned, r.case.margins) for r in results]
    kind = (0, "random") if (0, "random") in kinds else kinds[0]
    chosen = [r for r in results if (r.case.pruned, r.case.margins) == kind]
    handles: dict[str, Any] = {}
    for ax, null in zip(panels, ("A", "G"), strict=True):
        for peer, (color, marker) in _STYLES.items():
            points = [
                (r.n_edges, m.seconds, m.status)
                for r in chosen
                for m in r.measurements
                if m.peer == peer
                and m.has_time
                and m.null in (null, "copy")
                and m.count in (("", "criterion") if null == "G" else ("",))
                and m.seconds is not None
            ]
            if not points:
                continue
            edges, seconds, _ = zip(*points, strict=True)
            dash = ":" if peer == "memory copy" else "-"
            (line,) = ax.plot(edges, seconds, dash, color=color, marker=marker, ms=5, lw=1)
            handles.setdefault(peer, line)
            rough = [(n, s) for n, s, status in points if status == "extrapolated"]
            if rough:
                ax.plot(*zip(*rough, strict=True), marker, color=color, mfc="white", ms=5)
        ax.set_xscale("log")
        ax.set_yscale("log")
        # Over less than two decades matplotlib labels minor ticks too, one over another.
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_ylabel("time per sample (s)", fontsize=8)
        what = "A: one permutation" if null == "A" else "G: to a decorrelated sign pattern"
        ax.set_title(what, fontsize=8, loc="left")
        ax.grid(color="0.9", lw=0.5)
        ax.tick_params(labelsize=7)
        _slope(ax)
    panels[-1].set_xlabel("edges", fontsize=8)
    figure.legend(
        handles.values(), handles.keys(), loc="outside lower center", ncols=2, fontsize=6.5,
        frameon=False,
    )  # fmt: skip
    return figure


def _slope(ax: Any) -> None:
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    middle = (bottom * top) ** 0.5 / (left * right) ** 0.5
    ax.plot([left, right], [left * middle, right * middle], "--", color="0.7", lw=0.8, zorder=0)
    ax.set_xlim(left, right)
    ax.set_ylim(bottom, top)
