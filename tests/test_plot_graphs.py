"""bipnet.plot of graphs and their null models: what is drawn is what was handed in."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse

import bipnet
from bipnet import measures
from bipnet.errors import InputError

matplotlib = pytest.importorskip("matplotlib")
pd = pytest.importorskip("pandas")
matplotlib.use("agg")

import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.collections import LineCollection, PolyCollection  # noqa: E402
from matplotlib.colors import to_hex  # noqa: E402
from matplotlib.patches import StepPatch  # noqa: E402

from bipnet import plot  # noqa: E402
from bipnet._plot.styles import COLUMN_WIDTH, SIGN_COLORS, SIGN_STYLES, short_names  # noqa: E402

POSITIVE, NEGATIVE = (SIGN_STYLES[sign]["color"] for sign in "+-")


@pytest.fixture(autouse=True)
def _figures_are_closed() -> Iterator[None]:
    plt.close("all")
    yield
    plt.close("all")


def layer(seed: int = 0, shape: tuple[int, int] = (30, 20)) -> Any:
    rng = np.random.default_rng(seed)
    return np.where(rng.random(shape) < 0.8, rng.standard_t(3, size=shape), 0).astype(np.float32)


def steps(ax: Axes, color: str, *, filled: bool = False, width: float | None = None) -> list[Any]:
    """The step lines (or areas) of a colour."""
    return [
        patch
        for patch in ax.patches
        if isinstance(patch, StepPatch)
        and bool(patch.get_fill()) == filled
        and to_hex(patch.get_facecolor() if filled else patch.get_edgecolor()).upper() == color
        and (width is None or patch.get_linewidth() == width)
    ]


def legend(ax: Axes) -> list[str]:
    found = ax.get_legend()
    return [] if found is None else [text.get_text() for text in found.get_texts()]


# -- distributions -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["degree", "strength"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_distributions__draw_what_was_observed_and_drawn(kind: str, side: Any) -> None:
    W = layer()
    draws = list(bipnet.ensemble(W, "A", 9, rng=1))
    bands = getattr(measures, f"{kind}_bands")(W, side, draws)
    ax = getattr(plot, f"{kind}_distributions")(W, iter(draws), side=side)
    for sign, color, way in (("+", POSITIVE, 1), ("-", NEGATIVE, -1)):
        band = bands[sign]
        (observed,) = steps(ax, color, width=1.3)
        np.testing.assert_array_equal(observed.get_data().values, way * band.observed)
        np.testing.assert_array_equal(observed.get_data().edges, band.edges)
        (median,) = steps(ax, color, width=0.9)
        np.testing.assert_array_equal(median.get_data().values, way * band.null.median)
        (area,) = steps(ax, color, filled=True)
        np.testing.assert_array_equal(area.get_data().values, way * band.null.high)
        np.testing.assert_array_equal(area.get_data().baseline, way * band.null.low)
    assert legend(ax) == ["positive", "negative (down)", "null: median, 5-95 % of 9 draws"]
    assert side in ax.get_xlabel()
    assert kind in ax.get_xlabel()
    # Told apart without colours too; heights are read as such, though one hangs down.
    assert steps(ax, POSITIVE, width=1.3)[0].get_linestyle() in ("-", "solid")
    assert steps(ax, NEGATIVE, width=1.3)[0].get_linestyle() not in ("-", "solid")
    ax.figure.canvas.draw()
    assert not any("−" in text.get_text() for text in ax.get_yticklabels())


def test_distributions__of_one_sign_stand_on_the_axis() -> None:
    W = layer()
    ax = plot.degree_distributions(W, signs="-", bins=5)
    (observed,) = steps(ax, NEGATIVE)
    band = measures.degree_bands(W, "left", signs="-", bins=5)["-"]
    np.testing.assert_array_equal(observed.get_data().values, band.observed)
    assert ax.get_ylim()[0] == 0
    assert legend(ax) == ["negative"]
    assert ax.get_xlabel() == "degree $k^{-}$ of left nodes (edges)"
    assert plot.strength_distributions(W, signs=[None]).get_ylabel() == "density $P(s)$"


def test_distributions__say_that_the_null_model_fixes_them() -> None:
    W = layer()
    draws = list(bipnet.ensemble(W, "B", 4, rng=1))
    ax = plot.degree_distributions(W, draws)
    assert legend(ax)[-1] == "null: the same in 4 draws"
    assert not steps(ax, POSITIVE, filled=True)
    assert not steps(ax, POSITIVE, width=0.9)
    assert legend(plot.strength_distributions(W, draws[:1]))[-1] == (
        "null: median, 5-95 % of 1 draw"
    )


def test_distributions__of_arrays() -> None:
    observed, drawn = [0.1, 0.2, 0.2, 0.9], [[0.1, 0.5, 0.2, 0.9], [0.2, 0.2, 0.3, 0.4]]
    band = measures.distribution_band(observed, drawn, bins=3, interval=(0.25, 0.75))
    ax = plot.distribution_bands({"+": band}, x_label="share", y_label="nodes")
    (line,) = steps(ax, POSITIVE, width=1.3)
    np.testing.assert_array_equal(line.get_data().values, band.observed)
    assert legend(ax) == ["positive", "null: median, 25-75 % of 2 draws"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("share", "nodes")


def test_distributions__refuse() -> None:
    with pytest.raises(InputError, match="no distribution to draw"):
        plot.distribution_bands({}, x_label="x")
    band = measures.distribution_band([1, 2])
    with pytest.raises(InputError, match="of the signs '\\+', '-' or None, got 'plus'"):
        plot.distribution_bands({"plus": band}, x_label="x")  # type: ignore[dict-item]
    for draw in (plot.degree_distributions, plot.strength_distributions):
        with pytest.raises(InputError, match="draw 1 has the shape"):
            draw(layer(), [layer(1), layer(2).T])
        with pytest.raises(InputError, match="side must be"):
            draw(layer(), side="top")  # type: ignore[arg-type]
    assert plt.get_fignums() == []


# -- weights -------------------------------------------------------------------------------------


def test_weights__are_counted_by_sign_and_graph() -> None:
    W = layer()
    named = {"before": W, "after": bipnet.prune(W, 0.5), "noised": 2 * W}
    found = measures.weight_histograms(named, bins=20)
    ax = plot.weight_histograms(named, bins=20)
    for color, part in ((POSITIVE, "positive"), (NEGATIVE, "negative")):
        drawn = [*steps(ax, color, filled=True), *steps(ax, color)]
        assert len(drawn) == 3
        for name, patch in zip(named, drawn, strict=True):
            heights, edges, _ = patch.get_data()
            counts = getattr(found[name], part)
            assert heights.sum() == (named[name] * (1 if part == "positive" else -1) > 0).sum()
            assert list(heights[heights > 0]) == list(counts[counts > 0])
            assert (edges.min() >= 0) if part == "positive" else (edges.max() <= 0)
        assert drawn[1].get_linestyle() != drawn[2].get_linestyle()
    assert legend(ax) == ["negative", "positive", "before", "after", "noised"]
    assert ax.get_yscale() == "linear"


def test_weights__on_a_logarithmic_scale_show_a_single_edge() -> None:
    ax = plot.weight_histograms([[1.0, -1.0, -1.0]], log=True, bins=4)
    assert ax.get_yscale() == "log"
    assert ax.get_ylim()[0] < 1
    assert "log scale" in ax.get_ylabel()
    assert legend(ax) == ["negative", "positive"]
    ax.figure.canvas.draw()


def test_weights__of_one_sign_draw_no_other() -> None:
    ax = plot.weight_histograms({"_layer": np.ones((2, 2)), "$x$": np.eye(2)})
    assert legend(ax) == ["positive", " _layer", "$x$"]
    assert not steps(ax, NEGATIVE)
    assert not steps(ax, NEGATIVE, filled=True)


def test_weights__refuse() -> None:
    with pytest.raises(InputError, match="there is no edge"):
        plot.weight_histograms(np.zeros((2, 3)))
    with pytest.raises(InputError, match="at most 4 graphs can be told apart, got 5"):
        plot.weight_histograms({str(n): layer() for n in range(5)})
    with pytest.raises(InputError, match="bins must be"):
        plot.weight_histograms(layer(), bins=0)
    assert plt.get_fignums() == []


# -- the bipartite drawing -----------------------------------------------------------------------


def drawn_edges(ax: Axes) -> list[tuple[float, float, str, float]]:
    """(height of the left end, of the right end, sign, width) of every line."""
    found = []
    for collection in ax.collections:
        assert isinstance(collection, LineCollection)
        sign = str(collection.get_label())
        assert to_hex(collection.get_edgecolor()[0]).upper() == SIGN_STYLES[sign]["color"]
        for segment, width in zip(
            collection.get_segments(), collection.get_linewidths(), strict=True
        ):
            (x0, y0), (x1, y1) = segment
            assert (x0, x1) == (0, 1)
            found.append((float(y0), float(y1), sign, float(width)))
    return found


@pytest.mark.parametrize("kind", [np.asarray, scipy.sparse.csr_array])
def test_drawing__has_every_edge_of_a_small_graph(kind: Callable[[Any], Any]) -> None:
    W = np.array([[1.0, -2.0, 0.0], [0.0, 0.5, -0.01]])
    ax = plot.bipartite_drawing(kind(W))
    left, right = [1.0, 0.0], [1.0, 0.5, 0.0]
    expected = {
        (left[i], right[j], "+" if W[i, j] > 0 else "-"): abs(W[i, j])
        for i, j in zip(*np.nonzero(W), strict=True)
    }
    drawn = {edge[:3]: edge[3] for edge in drawn_edges(ax)}
    assert set(drawn) == set(expected)
    widest = max(drawn.values())
    for edge, magnitude in expected.items():
        if magnitude > 0.4:
            assert drawn[edge] == pytest.approx(widest * magnitude / 2)
        else:
            assert 0 < drawn[edge] < 0.2 * widest  # a hair, but seen
    assert ax.texts[-1].get_text() == "all 4 edges; widest: |w| = 2"
    columns = [tuple(map(float, line.get_ydata())) for line in ax.lines]
    assert columns == [tuple(left), tuple(right)]


def test_drawing__tells_signs_apart_by_dashes_too() -> None:
    ax = plot.bipartite_drawing(layer())
    lines = {str(c.get_label()): c for c in ax.collections}
    assert all(dashes is None for _, dashes in lines["+"].get_linestyle())
    assert all(dashes is not None for _, dashes in lines["-"].get_linestyle())
    # Dashes are as long on a hair as on a thick line.
    lengths = {round(float(dashes[0]), 6) for _, dashes in lines["-"].get_linestyle()}
    assert lengths == {3.0}
    shown = [line.get_linestyle() for line in ax.get_legend().get_lines()]
    assert legend(ax) == ["positive", "negative"]
    assert shown[0] != shown[1]


def test_drawing__of_a_large_layer_is_a_sample_and_says_of_what() -> None:
    W = layer(shape=(100, 50))
    left = [0, 25, 50, 74, 99]
    right = [0, 12, 24, 37, 49]
    ax = plot.bipartite_drawing(W, most_nodes=5, most_edges=6, labels=True)
    part = np.abs(W[np.ix_(left, right)])
    strongest = np.argsort(-part, axis=None)[:6]
    heights = [1.0, 0.75, 0.5, 0.25, 0.0]
    expected = {(heights[n // 5], heights[n % 5]) for n in strongest}
    assert {edge[:2] for edge in drawn_edges(ax)} == expected
    written = [text.get_text() for text in ax.texts]
    assert written[:10] == [*map(str, left), *map(str, right)]
    assert written[-1] == (
        f"6 of {np.count_nonzero(W)} edges; widest: |w| = {part.max():.3g}\n"
        "the strongest between 5 of 100 left and 5 of 50 right nodes"
    )
    again = plot.bipartite_drawing(W, most_nodes=5, most_edges=6)
    assert drawn_edges(again) == drawn_edges(ax)
    assert drawn_edges(
        plot.bipartite_drawing(scipy.sparse.csr_array(W), most_nodes=5, most_edges=6)
    ) == drawn_edges(ax)
    everything = plot.bipartite_drawing(W, most_nodes=5)
    assert "\nall between 5 of 100 left" in everything.texts[-1].get_text()


def test_drawing__has_the_labels_of_the_graph() -> None:
    graph = bipnet.SignedBipartiteGraph(
        [[1.0, -1.0]], left_labels=["$in$"], right_labels=["a", "b"]
    )
    written = plot.bipartite_drawing(graph, labels=True).texts
    assert [text.get_text() for text in written[:3]] == ["$in$", "a", "b"]
    assert not any(text.get_parse_math() for text in written[:3])
    assert len(plot.bipartite_drawing(graph).texts) == 3  # two headings and the caption


def test_drawing__without_edges_has_nodes() -> None:
    ax = plot.bipartite_drawing(np.zeros((2, 3)))
    assert [len(line.get_xdata()) for line in ax.lines] == [2, 3]
    assert not ax.collections
    assert ax.texts[-1].get_text() == "no edges"
    assert ax.get_legend() is None


def test_drawing__of_nodes_between_which_there_is_no_edge() -> None:
    W = np.zeros((5, 5))
    W[1, 1] = 3.0
    ax = plot.bipartite_drawing(W, most_nodes=2)
    assert not ax.collections
    assert ax.texts[-1].get_text() == (
        "0 of 1 edges\nall between 2 of 5 left and 2 of 5 right nodes"
    )


@pytest.mark.parametrize("name", ["most_nodes", "most_edges"])
@pytest.mark.parametrize("number", [0, -1, 1.5, True])
def test_drawing__refuses_numbers(name: str, number: Any) -> None:
    with pytest.raises(InputError, match=f"{name} must be a number from 1 on"):
        plot.bipartite_drawing(layer(), **{name: number})
    assert plt.get_fignums() == []


# -- the sign pattern ----------------------------------------------------------------------------


def test_heatmap__is_the_sorted_pattern() -> None:
    W = layer()
    ax = plot.sign_heatmap(W)
    (image,) = ax.images
    np.testing.assert_array_equal(image.get_array(), measures.sign_pattern(W).means)
    assert image.get_extent() == [0, 20, 30, 0]
    assert len({to_hex(image.cmap(image.norm(sign))) for sign in (-1, 0, 1)}) == 3
    bar = ax.figure.axes[1]
    assert [text.get_text() for text in bar.get_yticklabels()] == [
        "negative", "no edge", "positive",
    ]  # fmt: skip
    assert "decreasing" in ax.get_xlabel()


def test_heatmap__of_a_large_layer_is_block_means_and_says_so() -> None:
    W = layer(shape=(500, 90))
    ax = plot.sign_heatmap(W, most_blocks=(100, 30), sort=False, limit=0.5)
    means = np.sign(W).reshape(100, 5, 30, 3).mean(axis=(1, 3))
    (image,) = ax.images
    np.testing.assert_allclose(image.get_array(), means)
    assert (image.norm.vmin, image.norm.vmax) == (-0.5, 0.5)
    assert image.get_extent() == [0, 90, 500, 0]
    assert ax.figure.axes[1].get_ylabel() == "mean sign of blocks of 5 × 3"
    assert "decreasing" not in ax.get_xlabel()
    free = plot.sign_heatmap(W, most_blocks=(100, 30), sort=False).images[0]
    assert free.norm.vmax == pytest.approx(np.abs(means).max())
    assert free.norm.vmin == -free.norm.vmax


def test_heatmap__of_a_wide_layer_makes_a_small_file(tmp_path: Path) -> None:
    W = np.random.default_rng(0).normal(size=(3072, 768)).astype(np.float32)
    ax = plot.sign_heatmap(W)
    assert ax.images[0].get_array().shape == (240, 240)
    assert not ax.collections  # no cell is a shape of its own
    for kind in ("pdf", "png", "svg"):
        file = tmp_path / f"pattern.{kind}"
        ax.figure.savefig(file, dpi=300)
        assert 5_000 < file.stat().st_size < 500_000, kind


@pytest.mark.parametrize("W", [np.zeros((3, 4)), np.ones((3, 4)), np.zeros((300, 300))])
def test_heatmap__of_one_value_has_a_scale(W: Any) -> None:
    ax = plot.sign_heatmap(W, most_blocks=(240, 240))
    ax.figure.canvas.draw()
    assert ax.images[0].norm.vmin < ax.images[0].norm.vmax


@pytest.mark.parametrize("limit", [0, -0.5, 1.5, float("nan")])
def test_heatmap__refuses_limits(limit: float) -> None:
    with pytest.raises(InputError, match="limit must be above 0 and at most 1"):
        plot.sign_heatmap(layer(), limit=limit)
    with pytest.raises(InputError, match="most_blocks"):
        plot.sign_heatmap(layer(), most_blocks=(0, 1))
    assert plt.get_fignums() == []


# -- the spectrum --------------------------------------------------------------------------------


def test_spectrum__draws_values_band_and_edge() -> None:
    W = layer() + 0.5
    draws = list(bipnet.ensemble(W, "A", 7, rng=2))
    found = measures.spectrum(W)
    null = measures.band([measures.spectrum(draw).values for draw in draws], interval=(0, 1))
    for observed, drawn in ((W, iter(draws)), (found, map(measures.spectrum, draws))):
        ax = plot.singular_spectrum(observed, drawn, interval=(0, 1))
        points, median, edge = ax.lines
        assert list(points.get_xdata()) == list(range(1, 21))
        np.testing.assert_array_equal(points.get_ydata(), found.values)
        np.testing.assert_array_equal(median.get_ydata(), null.median)
        assert list(edge.get_ydata()) == [found.edge, found.edge]
        (area,) = ax.collections
        assert isinstance(area, PolyCollection)
        heights = area.get_paths()[0].vertices
        for rank, low, high in zip(range(1, 21), null.low, null.high, strict=True):
            at = heights[heights[:, 0] == rank, 1]
            assert (at.min(), at.max()) == pytest.approx((low, high))
        assert legend(ax) == [
            "observed",
            "null: median, 0-100 % of 7 draws",
            f"Marchenko-Pastur edge ({found.n_above_edge} of 20 above)",
        ]


def test_spectrum__without_draws_has_no_band() -> None:
    ax = plot.singular_spectrum(layer())
    assert not ax.collections
    assert len(legend(ax)) == 2


def test_spectrum__refuses() -> None:
    with pytest.raises(InputError, match="draw 0 has 10 singular values, the graph 20"):
        plot.singular_spectrum(layer(), [layer()[:10]])
    for one in (layer(), measures.spectrum(layer()), bipnet.SignedBipartiteGraph(layer())):
        with pytest.raises(InputError, match=r"of a single one pass \[R\]"):
            plot.singular_spectrum(layer(), one)
    with pytest.raises(InputError, match="interval"):
        plot.singular_spectrum(layer(), [layer()], interval=(1, 0))
    assert plt.get_fignums() == []


# -- the input pixels ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("index", "of"),
    [
        ("k+", lambda g: g.degrees("left", "+")),
        ("k-", lambda g: g.degrees("left", "-")),
        ("s+", lambda g: g.strengths("left", "+")),
        ("s-", lambda g: g.strengths("left", "-")),
        ("k+ - k-", lambda g: g.degrees("left", "+") - g.degrees("left", "-")),
        ("s+ - s-", lambda g: g.strengths("left", "+") - g.strengths("left", "-")),
    ],
)
def test_pixels__are_where_the_image_has_them(index: Any, of: Callable[[Any], Any]) -> None:
    W = layer(shape=(24, 10))
    values = of(bipnet.SignedBipartiteGraph(W))
    (image,) = plot.pixel_map(W, (4, 6), index).images
    np.testing.assert_array_equal(image.get_array(), values.reshape(4, 6))
    if " - " in index:
        assert image.cmap == SIGN_COLORS
        assert image.norm.vmin == -image.norm.vmax
        assert image.norm.vmax == np.abs(values).max()
    else:
        assert image.cmap.name == "cividis"
        assert (image.norm.vmin, image.norm.vmax) == (values.min(), values.max())
    sign = "-" if index.endswith("-") and " - " not in index else "+"
    assert f"{index[0]}^{{{sign}}}" in image.colorbar.ax.get_ylabel()


def test_pixels__of_channels_stand_side_by_side() -> None:
    W = layer(shape=(24, 10))
    values = bipnet.SignedBipartiteGraph(W).strengths("left", "+").reshape(3, 2, 4)
    ax = plot.pixel_map(W, [3, 2, 4])
    drawn = np.ma.filled(ax.images[0].get_array(), np.nan)
    assert drawn.shape == (2, 14)
    for channel, start in enumerate((0, 5, 10)):
        np.testing.assert_array_equal(drawn[:, start : start + 4], values[channel])
    assert np.isnan(drawn[:, [4, 9]]).all()
    assert [text.get_text() for text in ax.get_xticklabels()] == [
        "channel 0", "channel 1", "channel 2",
    ]  # fmt: skip
    one = plot.pixel_map(W, (1, 4, 6)).images[0].get_array()
    np.testing.assert_array_equal(one, values.reshape(4, 6))


def test_pixels__have_the_limits_asked_for() -> None:
    ax = plot.pixel_map(layer(shape=(24, 10)), (4, 6), "k+", limits=(0, 3))
    image = ax.images[0]
    assert (image.norm.vmin, image.norm.vmax) == (0, 3)
    assert image.colorbar.extend == "max"  # the scale says that there is more


@pytest.mark.parametrize("index", ["k+", "s-", "s+ - s-"])
def test_pixels__of_no_edges_have_a_scale(index: Any) -> None:
    ax = plot.pixel_map(np.zeros((4, 3)), (2, 2), index)
    assert ax.images[0].norm.vmin < ax.images[0].norm.vmax
    assert ax.images[0].get_array().tolist() == [[0, 0], [0, 0]]
    ax.figure.canvas.draw()


@pytest.mark.parametrize(
    ("given_as", "message"),
    [
        ({"image_shape": (28, 28)}, r"\(28, 28\) has 784 pixels, but the layer 24 left nodes"),
        ({"image_shape": (24,)}, "image_shape must be"),
        ({"image_shape": 24}, "image_shape must be"),
        ({"image_shape": (-4, -6)}, "image_shape must be"),
        ({"image_shape": (4.0, 6.0)}, "image_shape must be"),
        ({"image_shape": (1, 1, 4, 6)}, "image_shape must be"),
        ({"index": "w"}, r"index must be one of k\+, k-, s\+, s-, k\+ - k-, s\+ - s-, got 'w'"),
        ({"limits": (1, 1)}, "limits must increase"),
        ({"limits": (1,)}, "limits must be two numbers"),
        ({"limits": 3}, "limits must be two numbers"),
    ],
)
def test_pixels__refuse(given_as: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        plot.pixel_map(layer(shape=(24, 10)), **{"image_shape": (4, 6), **given_as})
    assert plt.get_fignums() == []


def test_pixels__refuse_infinite_strengths() -> None:
    with pytest.raises(InputError, match="a strength is infinite"):
        plot.pixel_map([[1e308, 1e308]], (1, 1))


# -- z-scores ------------------------------------------------------------------------------------

NAN = float("nan")


def result(layer: str, statistic: str, z: float, p: float, **other: Any) -> dict[str, Any]:
    """A row as `bipnet.significance` gives it."""
    return {
        "layer": layer, "statistic": statistic, "node": "", "observed": 1.0, "null_mean": 0.5,
        "null_sd": 0.1, "z": z, "p": p / 2, "p_adjusted": p, "state": "ok", **other,
    }  # fmt: skip


def fixed(layer: str, statistic: str) -> dict[str, Any]:
    return result(layer, statistic, NAN, NAN, null_sd=0.0, state="fixed")


RESULTS = [
    result("fc1", "nodf", 4.5, 0.01),
    result("fc1", "butterflies", -1.0, 0.3),
    fixed("fc1", "alpha"),
    result("fc2", "nodf", -7.0, 0.05),
    result("fc2", "butterflies", 2.0, 0.051),
    fixed("fc2", "alpha"),
]


def dots(ax: Axes) -> dict[tuple[str, str], tuple[float, str, bool]]:
    """(row, colour's name) -> (z, marker, whether it is filled)."""
    names = [text.get_text() for text in ax.get_yticklabels()]
    found = {}
    for line in ax.lines:
        if line.get_linestyle() != "None":
            continue
        (x,), (y,) = line.get_data()
        filled = to_hex(line.get_markerfacecolor()) != to_hex("white")
        key = (names[round(float(y))], str(line.get_label()))
        assert key not in found
        found[key] = (float(x), str(line.get_marker()), filled)
    return found


@pytest.mark.parametrize("kind", [list, pd.DataFrame])
def test_dots__are_filled_where_significant(kind: Callable[[Any], Any]) -> None:
    ax = plot.significance_dots(kind(RESULTS))
    assert dots(ax) == {
        ("nodf", "fc1"): (4.5, "o", True),
        ("butterflies", "fc1"): (-1.0, "o", False),
        ("alpha", "fc1"): (0.0, "x", True),
        ("nodf", "fc2"): (-7.0, "s", True),
        ("butterflies", "fc2"): (2.0, "s", False),
        ("alpha", "fc2"): (0.0, "x", True),
    }
    assert [text.get_text() for text in ax.get_yticklabels()] == ["nodf", "butterflies", "alpha"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first on top
    assert [text.get_text() for text in ax.texts] == ["fixed by this null"]
    assert legend(ax) == ["adjusted p ≤ 0.05", "p > 0.05", "fc1", "fc2"]
    assert ax.get_xscale() == "linear"
    stricter = dots(plot.significance_dots(kind(RESULTS), level=0.02))
    assert [place for place, dot in stricter.items() if dot[2] and dot[1] != "x"] == [
        ("nodf", "fc1")
    ]


def test_dots__with_a_row_for_each_layer() -> None:
    ax = plot.significance_dots(RESULTS, rows="layer")
    assert [text.get_text() for text in ax.get_yticklabels()] == ["fc1", "fc2"]
    assert dots(ax)["fc2", "nodf"] == (-7.0, "o", True)
    assert dots(ax)["fc2", "alpha"] == (0.0, "x", True)
    # Beside dots there is no room for words: the legend has them.
    assert not ax.texts
    assert legend(ax)[:3] == ["adjusted p ≤ 0.05", "p > 0.05", "fixed by this null"]


def test_dots__of_nodes_have_a_row_each() -> None:
    rows = [result("a", "s+", 1.0, 0.5, node=node) for node in (0, 3, "hub", NAN)]
    ax = plot.significance_dots(rows)
    assert [text.get_text() for text in ax.get_yticklabels()] == [
        "s+ [0]", "s+ [3]", "s+ [hub]", "s+",
    ]  # fmt: skip
    mixed = plot.significance_dots(pd.DataFrame(rows))
    assert [text.get_text() for text in mixed.get_yticklabels()][2] == "s+ [hub]"
    nullable = pd.DataFrame([*rows[:2], fixed("a", "k+")]).replace({"node": {"": None}})
    missing = plot.significance_dots(nullable.convert_dtypes())
    assert [text.get_text() for text in missing.get_yticklabels()] == ["s+ [0]", "s+ [3]", "k+"]
    assert dots(missing)["k+", "a"][1] == "x"


def test_dots__far_out_are_on_a_logarithmic_scale() -> None:
    rows = [result("a", "x", -4000.0, 0.01), result("a", "y", 2.0, 0.5), fixed("a", "z")]
    ax = plot.significance_dots(rows)
    assert ax.get_xscale() == "symlog"
    assert dots(ax)["x", "a"][0] == -4000
    assert "log scale beyond ±3" in ax.get_xlabel()
    low, high = ax.get_xlim()
    assert low < -4000 < 0 < 2 <= high + 0.6
    ax.figure.canvas.draw()
    assert [text.get_text() for text in ax.get_xticklabels()] == ["−1000", "−100", "−10", "0"]


def test_dots__of_infinite_z_are_arrows_at_the_margin() -> None:
    rows = [
        result("a", "x", np.inf, 0.01),
        result("a", "y", -np.inf, 0.5),
        result("a", "w", 2.0, 0.5),
    ]
    ax = plot.significance_dots(rows)
    low, high = ax.get_xlim()
    assert dots(ax)["x", "a"] == (high, ">", True)
    assert dots(ax)["y", "a"] == (low, "<", False)
    assert "z infinite" in legend(ax)


def test_dots__of_other_states_say_them() -> None:
    rows = [result("a", "x", NAN, NAN, state="no edges"), result("a", "y", 1.0, 0.5)]
    ax = plot.significance_dots(rows)
    assert [text.get_text() for text in ax.texts] == ["no edges"]
    both = [fixed("a", "x"), result("b", "x", NAN, NAN, state="no edges")]
    assert plot.significance_dots(both).texts[0].get_text() == "fixed by this null, no edges"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "no rows"),
        ([{"layer": "a"}], "row 0 lacks the columns node, p_adjusted, state, statistic, z"),
        (pd.DataFrame({"layer": ["a"], "z": [1.0]}), "lacks the columns node, p_adj"),
        (pd.DataFrame(RESULTS).iloc[:0], "no rows"),
        ([RESULTS[0], RESULTS[0]], "nodf of layer fc1 stands in the table twice"),
        ([result("a", "x", NAN, 0.5)], r"row 0 \(a, x\) is 'ok', but its z is no number"),
        ([result("a", "x", 1.0, NAN)], r"row 0 \(a, x\) has a z, but its p_adjusted is no"),
        ([result("a", "x", "high", 0.1)], r"z of row 0 \(a, x\) must be a number, got 'high'"),  # type: ignore[arg-type]
        ([result(str(n), "x", 1.0, 0.5) for n in range(50)], "50 colours cannot be told apart"),
    ],
)
def test_dots__refuse(rows: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        plot.significance_dots(rows)
    assert plt.get_fignums() == []


def test_dots__refuse_options() -> None:
    for level in (0, 1, -0.1, NAN):
        with pytest.raises(InputError, match="level must be between 0 and 1"):
            plot.significance_dots(RESULTS, level=level)
    with pytest.raises(InputError, match="rows must be 'statistic' or 'layer'"):
        plot.significance_dots(RESULTS, rows="node")  # type: ignore[arg-type]


def models_rows() -> list[dict[str, Any]]:
    """Names as models have them."""
    return [
        result(f"distilbert.transformer.layer.{n}.attention.q_lin", statistic, 3.0 * n, 0.01)
        for n in range(3)
        for statistic in ("balanced_share", "strength_slope+ right", "nodf+", "alpha")
    ]


def stays_inside(ax: Axes) -> bool:
    ax.figure.canvas.draw()  # a collapsed layout warns, and warnings are errors
    box, (width, height) = ax.figure.get_tightbbox(), ax.figure.get_size_inches()
    return bool(
        box.x0 > -0.02 and box.y0 > -0.02 and box.x1 < width + 0.02 and box.y1 < height + 0.02
    )


@pytest.mark.parametrize("rows", ["statistic", "layer"])
def test_dots__of_layers_with_long_names_have_room(rows: Any) -> None:
    ax = plot.significance_dots(models_rows(), rows=rows)
    assert stays_inside(ax)
    assert ax.get_window_extent().width > 0.5 * ax.figure.bbox.width
    shown = legend(ax)[2:] if rows == "statistic" else [t.get_text() for t in ax.get_yticklabels()]
    assert shown == [f"…{n}.attention.q_lin" for n in range(3)]


def test_dots__of_very_many_rows_fit_a_page() -> None:
    rows = [result(f"l{n}", "s+", 1.0, 0.5, node=node) for n in range(3) for node in range(181)]
    ax = plot.significance_dots(rows)
    assert ax.figure.get_figheight() == 12
    assert stays_inside(ax)
    assert [text.get_text() for text in ax.get_yticklabels()][:2] == ["s+ [0]", "s+ [3]"]
    assert sum(line.get_linestyle() == "None" for line in ax.lines) == len(rows)


def test_names__are_shortened_and_stay_different() -> None:
    assert short_names(["a", "b" * 9], 3, 7) == ["a", "b" * 9]
    long = [f"{'x' * 40}{n}{'y' * 40}" for n in range(12)]
    short = short_names(long, 1.0, 7)
    assert len(set(short)) == 12
    assert all("…" in name and len(name) < 30 for name in short)
    assert short_names(["one.very.long.name.of.a.layer.in.a.model"], 1.0, 7)[0].startswith("one")


def test_weights__with_long_names_have_room() -> None:
    named = {row["layer"]: layer(n) for n, row in enumerate(models_rows()[::6])}
    ax = plot.weight_histograms(named)
    assert stays_inside(ax)
    assert ax.get_window_extent().width > 0.6 * ax.figure.bbox.width


@pytest.mark.parametrize("shape", [(9, 8), (5, 4), (1, 1)])
def test_spectra__of_few_values_have_few_tick_labels(shape: tuple[int, int]) -> None:
    ax = plot.singular_spectrum(np.random.default_rng(0).normal(size=shape))
    ax.figure.canvas.draw()
    assert not any(text.get_text() for text in ax.get_xticklabels(minor=True))
    shown = [text.get_text() for text in ax.get_xticklabels()]
    assert shown == [str(rank) for rank in (1, 2, 3, 5) if rank <= min(shape)]


def test_weights__of_few_edges_on_a_logarithmic_scale_have_few_tick_labels() -> None:
    ax = plot.weight_histograms(np.ones((2, 3)), log=True)
    ax.figure.canvas.draw()
    assert not any(text.get_text() for text in ax.get_yticklabels(minor=True))
    assert {"1", "2", "5"} <= {text.get_text() for text in ax.get_yticklabels()}


def test_nodes_and_edges_are_counted_in_whole_numbers() -> None:
    W = layer(shape=(20, 20))
    for ax in (plot.sign_heatmap(W), plot.sign_heatmap(W[:5, :4])):
        for axis in (ax.xaxis, ax.yaxis):
            assert all(float(tick).is_integer() for tick in axis.get_majorticklocs())
    ticks = plot.degree_distributions(np.zeros((3, 4))).get_xticks()
    assert all(float(tick).is_integer() for tick in ticks)


@pytest.mark.parametrize("size", [None, (2.4, 2.4)])
def test_drawing__of_long_labels_stays_inside(size: tuple[float, float] | None) -> None:
    g = bipnet.SignedBipartiteGraph(
        np.arange(1, 13).reshape(3, 4) - 5.5,
        left_labels=[f"a very long gene name indeed, isoform {n}" for n in range(3)],
        right_labels=[f"condition number {n}" for n in ("one", "two", "three", "four")],
    )
    ax = None if size is None else plt.subplots(figsize=size, layout="constrained")[1]
    ax = plot.bipartite_drawing(g, labels=True, ax=ax)
    assert stays_inside(ax)
    boxes = [text.get_window_extent() for text in ax.texts]
    whole = ax.figure.bbox
    assert all(box.x0 >= whole.x0 and box.x1 <= whole.x1 for box in boxes)
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    assert not any(box.overlaps(ax.get_legend().get_window_extent()) for box in boxes)
    written = [text.get_text() for text in ax.texts[:7]]
    assert len(set(written)) == 7
    assert all("…" in name for name in written[:3])


def test_drawing__in_narrow_axes_stays_inside() -> None:
    _, ax = plt.subplots(figsize=(2.4, 2.4), layout="constrained")
    plot.bipartite_drawing(layer(shape=(784, 64)), ax=ax)
    assert stays_inside(ax)
    legend_box = ax.get_legend().get_window_extent()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert not any(box.overlaps(legend_box) for box in boxes)
    assert all(box.x0 >= 0 and box.x1 <= ax.figure.bbox.x1 for box in boxes)


def test_pixels__of_channels_fill_the_width() -> None:
    ax = plot.pixel_map(layer(shape=(3072, 4)), (3, 32, 32))
    ax.figure.canvas.draw()
    assert ax.get_window_extent().width > 0.85 * ax.figure.bbox.width
    boxes = [text.get_window_extent() for text in ax.get_xticklabels()]
    assert not any(one.overlaps(other) for one, other in itertools.pairwise(boxes))
    scale = plot.pixel_map(layer(shape=(6, 4)), (1, 6), "s+ - s-").images[0].colorbar.ax
    scale.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in scale.get_xticklabels()]
    assert not any(one.overlaps(other) for one, other in itertools.pairwise(boxes))


@pytest.mark.parametrize("scale", [1e-6, 1e7])
def test_distributions__of_tiny_or_huge_strengths_have_no_power_beside_the_axis(
    scale: float,
) -> None:
    ax = plot.strength_distributions(scale * layer().astype(float))
    ax.figure.canvas.draw()
    assert ax.xaxis.get_offset_text().get_text() == ""
    boxes = [text.get_window_extent() for text in ax.get_xticklabels()]
    assert not any(one.overlaps(other) for one, other in itertools.pairwise(boxes))


@pytest.mark.parametrize("scale", [1e300, 1e-300])
def test_distributions__refuse_what_would_be_an_empty_line(scale: float) -> None:
    with pytest.raises(InputError, match="cannot be drawn: scale the weights"):
        plot.strength_distributions(scale * layer().astype(float))
    assert plt.get_fignums() == []


# -- all of them ---------------------------------------------------------------------------------

PICTURES: dict[str, Callable[..., Axes]] = {
    "degrees": lambda W, ax: plot.degree_distributions(W, [W, -W], ax=ax),
    "strengths": lambda W, ax: plot.strength_distributions(W, [W, -W], side="right", ax=ax),
    "weights": lambda W, ax: plot.weight_histograms({"a": W, "b": W / 2}, log=True, ax=ax),
    "drawing": lambda W, ax: plot.bipartite_drawing(W, labels=True, ax=ax),
    "heatmap": lambda W, ax: plot.sign_heatmap(W, ax=ax),
    "blocks": lambda W, ax: plot.sign_heatmap(W, most_blocks=(2, 2), ax=ax),
    "spectrum": lambda W, ax: plot.singular_spectrum(W, [W, -W], ax=ax),
    "pixels": lambda W, ax: plot.pixel_map(W, (1, len(W)), "s+ - s-", ax=ax),
    "dots": lambda W, ax: plot.significance_dots(RESULTS, ax=ax),
}
GRAPHS = {
    "usual": layer(shape=(12, 9)),
    "no edges": np.zeros((3, 4)),
    "one positive edge": np.eye(4, 3) * [[1], [0], [0], [0]],
    "one sign": np.ones((3, 4)),
    "other sign": -np.ones((3, 4)),
    "isolated nodes": np.pad(layer(shape=(5, 4)), ((2, 1), (0, 3))),
    "one pair": np.array([[-2.0]]),
    "integers": np.arange(-6, 6, dtype=np.int8).reshape(4, 3),
    "half": layer(shape=(6, 5)).astype(np.float16),
}


@pytest.mark.parametrize(
    ("picture", "graph"),
    [
        (picture, graph)
        for picture in PICTURES
        for graph in GRAPHS
        if (picture, graph) != ("weights", "no edges")  # refused, see above
    ],
)
def test_pictures__of_any_graph_are_saved_as_png_and_pdf(
    picture: str, graph: str, tmp_path: Path
) -> None:
    W = GRAPHS[graph]
    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3), layout="constrained")
    assert PICTURES[picture](W, right) is right
    assert not left.has_data()
    for kind in ("png", "pdf"):  # what cannot be drawn warns, and warnings are errors
        figure.savefig(tmp_path / f"picture.{kind}")
        assert (tmp_path / f"picture.{kind}").stat().st_size > 1000
    for image in right.images:
        assert np.isfinite(np.asarray(image.norm.vmax))
    assert plt.get_fignums() == [figure.number]


@pytest.mark.parametrize("picture", PICTURES)
def test_pictures__are_new_and_as_wide_as_a_column_where_no_axes_are_given(picture: str) -> None:
    ax = PICTURES[picture](GRAPHS["usual"], None)
    assert len(plt.get_fignums()) == 1
    assert ax.figure.get_figwidth() <= COLUMN_WIDTH
    ax.figure.canvas.draw()
    # Nothing sticks out of the figure.
    box = ax.figure.get_tightbbox()
    assert box.x0 > -0.02
    assert box.x1 < ax.figure.get_figwidth() + 0.02
    assert box.y0 > -0.02
    assert box.y1 < ax.figure.get_figheight() + 0.02


def test_pictures__leave_what_was_given_as_it_was() -> None:
    W = layer()
    table = pd.DataFrame(RESULTS)
    before, kept = W.copy(), table.copy()
    for draw in PICTURES.values():
        draw(W, None)
        plt.close("all")
    plot.significance_dots(table)
    np.testing.assert_array_equal(W, before)
    pd.testing.assert_frame_equal(table, kept)
