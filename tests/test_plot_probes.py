"""bipnet.plot of probes and task complexity: what is drawn is what the table says."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from typing import Any

import numpy as np
import pytest

from bipnet.errors import InputError

matplotlib = pytest.importorskip("matplotlib")
pd = pytest.importorskip("pandas")
matplotlib.use("agg")

import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.collections import LineCollection, PolyCollection  # noqa: E402
from matplotlib.colors import to_hex  # noqa: E402

from bipnet.plot import complexity_bars, probe_curves  # noqa: E402


@pytest.fixture(autouse=True)
def _figures_are_closed() -> Iterator[None]:
    plt.close("all")
    yield
    plt.close("all")


def probe_table(
    probe: str = "prune",
    *,
    layers: tuple[str, ...] = ("all",),
    letters: tuple[str, ...] = ("",),
    levels: tuple[float, ...] = (0.0, 0.5, 0.9),
    n: int = 5,
    models: tuple[str, ...] = ("float", "signed"),
) -> pd.DataFrame:
    """No two points have the same score."""
    rng = np.random.default_rng(2)
    removes = probe in ("prune", "randomize")
    rows: list[tuple[Any, ...]] = [
        ("all", model, "none", "", 0.0, np.nan, 0, 9, rng.random()) for model in models
    ]
    rows += [
        (layer, model, probe, letter, level if removes else 0.0, np.nan if removes else level, i, 9,
         rng.random())
        for layer in layers
        for letter in letters
        for level in levels
        for i in range(n)
        for model in models
    ]  # fmt: skip
    columns = "layer model probe null_model fraction_removed level realization n_edges score"
    return pd.DataFrame(rows, columns=columns.split())


def curves(ax: Axes) -> list[Any]:
    """The lines with markers."""
    return [line for line in ax.lines if line.get_marker() not in ("None", "", None)]


def quantile(table: pd.DataFrame, share: float, **chosen: Any) -> list[float]:
    """By level, in order; computed without the plot."""
    scores: dict[float, list[float]] = {}
    for row in table.itertuples():
        if row.probe != "none" and all(getattr(row, k) == v for k, v in chosen.items()):
            level = row.fraction_removed if row.probe in ("prune", "randomize") else row.level
            scores.setdefault(level, []).append(row.score)
    return [float(np.quantile(scores[level], share)) for level in sorted(scores)]


def legend(ax: Axes) -> list[str]:
    found = ax.get_legend()
    return [] if found is None else [text.get_text() for text in found.get_texts()]


@pytest.mark.parametrize("shuffled", [False, True])
def test_curves__are_the_medians_and_the_bands_the_quartiles(shuffled: bool) -> None:
    table = probe_table()
    ax = probe_curves(table.sample(frac=1, random_state=1) if shuffled else table)
    by_dash = {line.get_linestyle(): line for line in curves(ax)}
    assert set(by_dash) == {"-", "--"}
    for dash, model in (("-", "float"), ("--", "signed")):
        assert by_dash[dash].get_xdata().tolist() == [0, 0.5, 0.9]
        assert by_dash[dash].get_ydata().tolist() == pytest.approx(
            quantile(table, 0.5, model=model)
        )
    bands = [c for c in ax.collections if isinstance(c, PolyCollection)]
    assert len(bands) == 2
    drawn = sorted(
        tuple(np.round(sorted({y for _, y in band.get_paths()[0].vertices}), 9)) for band in bands
    )
    wanted = sorted(
        tuple(
            np.round(sorted({*quantile(table, 0.25, model=m), *quantile(table, 0.75, model=m)}), 9)
        )
        for m in ("float", "signed")
    )
    assert drawn == wanted
    faces = {to_hex(line.get_markerfacecolor()) for line in curves(ax)}
    assert "#ffffff" in faces
    assert len(faces) == 2  # told apart where they cover one another


def test_curves__without_realizations_have_no_band() -> None:
    ax = probe_curves(probe_table(n=1))
    assert not list(ax.collections)
    assert len(curves(ax)) == 2


def test_curves__show_the_model_as_it_is() -> None:
    table = probe_table()
    ax = probe_curves(table)
    (line,) = [line for line in ax.lines if line.get_linestyle() == ":"]
    assert line.get_ydata()[0] == table["score"][0]
    assert legend(ax) == ["float", "signed", "as it is"]


@pytest.mark.parametrize(
    ("probe", "attributes", "label"),
    [
        ("prune", {}, "fraction $p$ of edges removed, smallest first"),
        ("randomize", {}, "fraction $p$ of edges removed before the draw"),
        ("flip", {}, "fraction $q$ of signs flipped, smallest weights first"),
        ("noise", {}, "noise level $a$"),
        ("noise", {"distribution": "uniform"}, "half-width $a$ of the uniform noise"),
        ("noise", {"distribution": "normal"}, "standard deviation of the normal noise"),
    ],
)
def test_axes__say_what_the_level_is(probe: str, attributes: dict[str, str], label: str) -> None:
    table = probe_table(probe, letters=("B",) if probe == "randomize" else ("",))
    table.attrs.update(attributes)
    ax = probe_curves(table)
    assert ax.get_xlabel() == label
    assert ax.get_ylabel() == "score"
    assert ax.figure.get_figwidth() == 3.5
    ax.figure.canvas.draw()  # what cannot be drawn warns here, and warnings are errors


def test_colours__are_of_layers_or_null_models() -> None:
    layers = probe_curves(probe_table(layers=("fc1", "fc2"), models=("float",)))
    assert len({line.get_color() for line in curves(layers)}) == 2
    assert len({line.get_marker() for line in curves(layers)}) == 2
    assert legend(layers) == ["fc1", "fc2", "as it is"]
    nulls = probe_curves(probe_table("randomize", letters=("B", "E", "F")))
    assert legend(nulls)[:3] == ["null model B", "null model E", "null model F"]
    assert len({line.get_color() for line in curves(nulls)}) == 3
    both = pd.concat([probe_table(), probe_table("randomize", letters=("B",))])
    assert legend(probe_curves(both))[:2] == ["not randomised", "null model B"]
    mixed = probe_table("randomize", layers=("fc1", "fc2"), letters=("A", "B"))
    assert legend(probe_curves(mixed))[:2] == ["fc1, null model A", "fc1, null model B"]
    assert legend(probe_curves(probe_table(layers=("fc1",))))[0] == "fc1"


def test_colours__of_many_layers_are_told_apart_by_markers() -> None:
    ax = probe_curves(probe_table(layers=tuple(f"layer{i}" for i in range(20)), models=("float",)))
    styles = {(line.get_color(), line.get_marker()) for line in curves(ax)}
    assert len(styles) == 20
    ax.figure.canvas.draw()


def test_figures__of_ours_are_higher_by_a_long_legend() -> None:
    table = probe_table(layers=tuple(f"transformer.layer.{i}.ffn.lin1.weight" for i in range(9)))
    ax = probe_curves(table)
    assert ax.figure.get_figheight() > probe_curves(probe_table()).figure.get_figheight() + 1
    figure, theirs = plt.subplots(figsize=(3, 2))
    probe_curves(table, ax=theirs)
    assert figure.get_figheight() == 2


def test_noise__over_decades_has_a_logarithmic_axis() -> None:
    ax = probe_curves(probe_table("noise", levels=tuple(2.0**i for i in range(-10, 1))))
    assert ax.get_xscale() == "log"
    ax.figure.canvas.draw()
    ax = probe_curves(probe_table("noise", levels=(0.0, 2**-10, 1.0)))
    assert ax.get_xscale() == "symlog"
    ax.figure.canvas.draw()
    assert probe_curves(probe_table("noise", levels=(0.1, 0.2))).get_xscale() == "linear"
    assert probe_curves(probe_table("prune", levels=(0.001, 0.9))).get_xscale() == "linear"


def test_curves__of_a_table_from_csv_are_the_same() -> None:
    table = probe_table()
    again = pd.read_csv(StringIO(table.to_csv(index=False)))
    drawn = [
        [line.get_ydata().tolist() for line in curves(probe_curves(t))] for t in (table, again)
    ]
    for first, second in zip(*drawn, strict=True):
        assert first == pytest.approx(second, rel=1e-12)
    assert len(drawn[0]) == 2


def test_tables__that_cannot_be_drawn_are_refused_before_a_figure_is_made() -> None:
    for table, message in (
        (probe_table().drop(columns=["score", "layer"]), "lacks the columns layer, score$"),
        (probe_table().iloc[:2], "no row of a probe"),
        (pd.concat([probe_table(), probe_table("flip")]), "flip, prune have no axis in common"),
        (probe_table("swirl"), "swirl"),
    ):
        with pytest.raises(InputError, match=message):
            probe_curves(table)
    for table, message in (
        (complexity_table().drop(columns="gap"), "lacks the columns gap$"),
        (complexity_table().iloc[:0], "no row"),
    ):
        with pytest.raises(InputError, match=message):
            complexity_bars(table)
    assert plt.get_fignums() == []


def test_ax__is_drawn_into_and_the_table_left_alone() -> None:
    _, (left, right) = plt.subplots(1, 2)
    for draw, table in (
        (probe_curves, probe_table()),
        (complexity_bars, complexity_table()),
    ):
        before = table.copy()
        assert draw(table, ax=right) is right
        pd.testing.assert_frame_equal(table, before)
    assert not left.lines
    assert len(plt.get_fignums()) == 1


def complexity_table(layers: tuple[str, ...] = ("all",)) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    rows = [
        (layer, by, i, rng.random())
        for layer in layers
        for by, n in (("binarize", 1), ("B", 4), ("A", 4))
        for i in range(n)
    ]
    return pd.DataFrame(rows, columns=["layer", "by", "realization", "gap"])


@pytest.mark.parametrize("layers", [("all",), ("fc1", "fc2", "fc3")])
def test_bars__are_the_medians(layers: tuple[str, ...]) -> None:
    table = complexity_table(layers)
    ax = complexity_bars(table)
    heights = {round(bar.get_x() + bar.get_width() / 2, 6): bar.get_height() for bar in ax.patches}
    wanted = [
        float(np.median(table[(table["by"] == by) & (table["layer"] == layer)]["gap"]))
        for by in ("binarize", "B", "A")
        for layer in layers
    ]
    assert [heights[x] for x in sorted(heights)] == pytest.approx(wanted)
    points = [y for line in ax.lines if line.get_marker() == "." for y in line.get_ydata()]
    assert sorted(points) == pytest.approx(sorted(table["gap"]))
    whiskers = [c for c in ax.collections if isinstance(c, LineCollection)]
    assert len(whiskers) == 2 * len(layers)  # not of binarising: it has one value
    assert [t.get_text() for t in ax.get_xticklabels()] == ["binarised", "B", "A"]
    assert ax.get_ylabel() == "score lost (original - probed)"
    assert legend(ax) == ([] if len(layers) == 1 else list(layers))
    colors = {to_hex(bar.get_facecolor()) for bar in ax.patches}
    assert len(colors) == len(layers)
    ax.figure.canvas.draw()


def test_bars__that_are_infinite_are_words() -> None:
    gaps = {"layer": "all", "by": ["binarize", "B", "B"], "gap": [0.3, -np.inf, 0.2]}
    ax = complexity_bars(pd.DataFrame(gaps))
    assert [patch.get_height() for patch in ax.patches] == [0.3]
    assert [(text.get_text(), text.get_position()[0]) for text in ax.texts] == [(" infinite", 1)]
    ax.figure.canvas.draw()
