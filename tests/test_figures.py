"""The paper's figures: what is drawn is what the table says, and everything is labelled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats

matplotlib = pytest.importorskip("matplotlib")
pd = pytest.importorskip("pandas")
matplotlib.use("agg")

import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.collections import QuadMesh  # noqa: E402
from matplotlib.colors import to_hex  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.lines import Line2D  # noqa: E402
from synthetic_tables import REMOVED, filled_table, synthetic_tables  # noqa: E402

from bipnet.errors import InputError, OutputExistsError  # noqa: E402
from bipnet.experiments.figures import FIGURES, drawable, write_figures  # noqa: E402
from bipnet.experiments.pairs import PairLoss, class_order, pair_losses, split_pairs  # noqa: E402
from bipnet.experiments.pairs import spearman as rank_correlation  # noqa: E402
from bipnet.plot import (  # noqa: E402
    STYLES,
    accuracy_curves,
    gap_scatter,
    pair_heatmap,
    randomized_curves,
    sigma_points,
)

CURVES = {
    "E-model": ("E", "float"),
    "H-model": ("H", "float"),
    "signed-E": ("E", "signed"),
    "signed-H": ("H", "signed"),
}
BY_NAME = {figure.name: figure for figure in FIGURES}


@pytest.fixture(autouse=True)
def _figures_are_closed() -> Iterator[None]:
    plt.close("all")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def tables() -> dict[int, pd.DataFrame]:
    return synthetic_tables(n=5, scatter=0.02)


def of_mnist(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["dataset"] == "mnist"]


def line(ax: Axes, label: str) -> Line2D:
    (found,) = [line for line in ax.lines if line.get_label() == label]
    return found


def quantiles(rows: pd.DataFrame, x: str, share: float) -> dict[float, float]:
    """Strength -> quantile of the accuracy in per cent, computed without the plot."""
    values: dict[float, list[float]] = {}
    for row in rows.to_dict("records"):
        values.setdefault(row[x], []).append(100 * row["accuracy"])
    return {at: float(np.quantile(values[at], share)) for at in sorted(values)}


def drawn(found: Line2D) -> dict[float, float]:
    return dict(zip(*(np.asarray(data).tolist() for data in found.get_data()), strict=True))


def band_of(ax: Axes, number: int) -> tuple[dict[float, float], dict[float, float]]:
    """Lower and upper edge of the ``number``-th band."""
    vertices = ax.collections[number].get_paths()[0].vertices
    low: dict[float, float] = {}
    high: dict[float, float] = {}
    for x, y in vertices:
        low[float(x)] = min(low.get(float(x), np.inf), float(y))
        high[float(x)] = max(high.get(float(x), -np.inf), float(y))
    return low, high


@pytest.mark.parametrize("probe", ["prune", "noise", "flip"])
def test_probe_curves__are_the_medians_and_quartiles_of_the_table(
    tables: dict[int, pd.DataFrame], probe: Any
) -> None:
    table = of_mnist(tables[1])
    x = "fraction_removed" if probe == "prune" else "level"
    ax = accuracy_curves(table, probe)
    for number, (label, (task, model)) in enumerate(CURVES.items()):
        rows = table[
            (table["probe"] == probe) & (table["task"] == task) & (table["model"] == model)
        ]
        assert drawn(line(ax, label)) == pytest.approx(quantiles(rows, x, 0.5))
        low, high = band_of(ax, number)
        assert low == pytest.approx(quantiles(rows, x, 0.25))
        assert high == pytest.approx(quantiles(rows, x, 0.75))
    assert ax.get_xscale() == ("log" if probe == "noise" else "linear")
    assert ax.get_ylabel() == "test accuracy (%)"


def test_probe_curves__name_the_strength(tables: dict[int, pd.DataFrame]) -> None:
    labels = {
        probe: accuracy_curves(tables[1], probe).get_xlabel()
        for probe in ("prune", "noise", "flip")
    }  # type: ignore[arg-type]
    assert labels == {
        "prune": "fraction of edges removed, p",
        "noise": "noise level, a",
        "flip": "fraction of signs flipped, q",
    }


def test_probe_curves__of_the_kept_fraction_show_the_same_points_in_the_same_direction(
    tables: dict[int, pd.DataFrame],
) -> None:
    table = of_mnist(tables[1])
    linear = drawn(line(accuracy_curves(table, "prune"), "H-model"))
    ax = accuracy_curves(table, "prune", axis="kept")
    kept = drawn(line(ax, "H-model"))
    assert kept == pytest.approx({1 - p: y for p, y in linear.items()})
    assert ax.get_xscale() == "log"
    left, right = ax.get_xlim()
    assert left > right  # sparser to the right
    assert "1 − p" in ax.get_xlabel()
    ax.figure.canvas.draw()
    names = [text.get_text() for text in ax.get_xticklabels()]
    assert {"0", "0.9", "0.99", "0.999"} <= set(names)


def test_probe_curves__leave_out_nothing_left_on_the_log_axis() -> None:
    rows = [
        {"figure": 1, "dataset": "mnist", "task": "E", "hidden": 64, "realization": 0,
         "model": "float", "probe": "prune", "fraction_removed": p, "accuracy": 0.9}
        for p in (0.0, 0.5, 1.0)
    ]  # fmt: skip
    table = filled_table(iter(rows), np.random.default_rng(0), 0)
    ax = accuracy_curves(table, "prune", axis="kept")
    assert list(drawn(line(ax, "E-model"))) == [1.0, 0.5]


def test_probe_curves__draw_sigma_where_it_is(tables: dict[int, pd.DataFrame]) -> None:
    ax = accuracy_curves(tables[1], "noise", sigma={"E": 0.05, "H": 0.07})
    found = {
        to_hex(line.get_color()).upper(): line.get_xdata()[0]
        for line in ax.lines
        if str(line.get_label()).startswith("_sigma")
    }
    assert found == {STYLES["E"]["color"]: 0.05, STYLES["H"]["color"]: 0.07}
    assert all(line.get_linestyle() == ":" for line in ax.lines if "sigma" in str(line.get_label()))


def test_randomized_curves__are_the_medians_of_the_table(
    tables: dict[int, pd.DataFrame],
) -> None:
    table = of_mnist(tables[3])
    ax = randomized_curves(table)
    for task in "EH":
        for letter in ("", "B", "E", "F"):
            rows = table[(table["task"] == task) & (table["null_model"] == letter)]
            rows = rows[rows["model"] == "float"]
            label = f"{task}-model, {letter}" if letter else f"{task}-model"
            expected = quantiles(rows, "fraction_removed", 0.5)
            assert drawn(line(ax, label)) == pytest.approx(expected)
        rows = table[(table["task"] == task) & (table["model"] == "signed")]
        expected = quantiles(rows, "fraction_removed", 0.5)
        assert drawn(line(ax, f"signed-{task}")) == pytest.approx(expected)
    # Null models are told apart without colours.
    looks = {(str(line.get_linestyle()), line.get_marker()) for line in ax.lines[1:5]}
    assert len(looks) == 4


def test_sigma_points__are_the_networks(tables: dict[int, pd.DataFrame]) -> None:
    table = of_mnist(tables[7])
    table = table[table["hidden"] == 64]
    ax = sigma_points(table)
    for place, task in enumerate("EH"):
        sigma = table.loc[table["task"] == task, "sigma"]
        points = line(ax, f"{task}-model")
        assert sorted(points.get_ydata()) == pytest.approx(sorted(sigma))
        assert np.abs(np.asarray(points.get_xdata()) - place).max() < 0.3
    medians = [line.get_ydata()[0] for line in ax.lines if line.get_linewidth() == 1.4]
    expected = [table.loc[table["task"] == task, "sigma"].median() for task in "EH"]
    assert medians == pytest.approx(expected)
    assert "σ(w)" in ax.get_ylabel()


def cells(ax: Axes) -> dict[tuple[str, str], str]:
    """(row, column) -> what is written in the cell."""
    rows = dict(
        zip(ax.get_yticks().tolist(), (t.get_text() for t in ax.get_yticklabels()), strict=True)
    )
    columns = dict(
        zip(ax.get_xticks().tolist(), (t.get_text() for t in ax.get_xticklabels()), strict=True)
    )
    return {
        (rows[t.get_position()[1]], columns[t.get_position()[0]]): t.get_text()
        for t in ax.texts
        if t.get_position()[1] in rows and t.get_position()[0] in columns
    }


def test_heatmap__writes_every_number_into_the_lower_triangle() -> None:
    values = {("a", "b"): 1.26, ("c", "a"): 20.0, ("b", "c"): -3.0}
    ax = pair_heatmap(values, "abc", label="lost (points)", decimals=1)
    assert cells(ax) == {("b", "a"): "1.3", ("c", "a"): "20.0", ("c", "b"): "-3.0"}
    (mesh,) = [artist for artist in ax.collections if isinstance(artist, QuadMesh)]
    assert sorted(mesh.get_array().compressed().tolist()) == [-3.0, 1.26, 20.0]
    (bar,) = [other for other in ax.figure.axes if other is not ax]
    assert bar.get_ylabel() == "lost (points)"


def test_heatmap__keeps_a_diagonal_and_writes_no_negative_zero() -> None:
    ax = pair_heatmap({("a", "a"): 0.2, ("a", "b"): -0.001}, "ab", label="x")
    assert cells(ax) == {("a", "a"): "0", ("b", "a"): "0"}


def test_heatmap__of_unknown_classes_or_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="z is not"):
        pair_heatmap({("a", "z"): 1.0}, "ab", label="x")
    with pytest.raises(InputError, match="no value"):
        pair_heatmap({}, "ab", label="x")


def test_scatter__shows_every_pair_and_the_correlation() -> None:
    gaps = {"0/7": (0.01, 0.02), "7/9": (0.4, 0.5), "1/2": (0.2, 0.1)}
    ax = gap_scatter(gaps, rho=0.5, names=["7/9", "8/9"])
    points = line(ax, "pair of classes")
    assert drawn(points) == pytest.approx({1.0: 2.0, 40.0: 50.0, 20.0: 10.0})
    texts = [text.get_text() for text in ax.texts]
    assert "Spearman's ρ = 0.50" in texts
    assert "7/9" in texts
    assert "8/9" not in texts


def panels(figure: Figure) -> list[Axes]:
    """The visible axes that are no colour bars."""
    return [ax for ax in figure.axes if ax.get_visible() and ax.get_label() != "<colorbar>"]


def letters(figure: Figure) -> list[str]:
    return [t.get_text() for ax in panels(figure) for t in ax.texts if t.get_fontweight() == "bold"]


def test_figure_1__is_laid_out_like_the_papers(tables: dict[int, pd.DataFrame]) -> None:
    figure = BY_NAME["figure-01"].figure(tables)
    assert letters(figure) == list("abcdef")
    assert [ax.get_xlabel()[:5] for ax in panels(figure)] == 2 * ["fract"] + 2 * ["noise"] + 2 * [
        "fract"
    ]
    assert [ax.get_title() for ax in panels(figure)[:2]] == ["MNIST", "Fashion-MNIST"]
    # One scale for what is compared by eye.
    assert all(
        left.get_ylim() == right.get_ylim()
        for left, right in zip(panels(figure)[::2], panels(figure)[1::2], strict=True)
    )
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list(CURVES)
    # Each data set has its own panel.
    for ax, dataset in zip(panels(figure)[:2], ("mnist", "fashion-mnist"), strict=True):
        table = tables[1][tables[1]["dataset"] == dataset]
        rows = table[
            (table["probe"] == "prune") & (table["task"] == "H") & (table["model"] == "signed")
        ]
        expected = quantiles(rows, "fraction_removed", 0.5)
        assert drawn(line(ax, "signed-H")) == pytest.approx(expected)


def test_figure_1__takes_its_lines_from_networks_of_its_width(
    tables: dict[int, pd.DataFrame],
) -> None:
    sigma = tables[7].copy()
    sigma.loc[sigma["hidden"] == 32, "sigma"] *= 2
    for name, factor in (("figure-01", 1), ("figure-10", 2)):
        figure = BY_NAME[name].figure(tables | {7: sigma})
        noise = panels(figure)[2]
        assert line(noise, "_sigma E").get_xdata()[0] == pytest.approx(0.05 * factor)


def test_figure_2__folds_only_when_asked_to(tables: dict[int, pd.DataFrame]) -> None:
    table = tables[2].copy()
    table.loc[table["null_model"] == "A", "accuracy"] = 0.3
    for fold, height in ((False, 30), (True, 70)):
        figure = BY_NAME["figure-02"].figure({2: table}, fold=fold)
        ax = panels(figure)[0]
        medians = {
            round(float(x)): float(y)
            for line in ax.lines
            if str(line.get_label()).startswith("easy")
            for x, y in zip(*line.get_data(), strict=True)
        }
        assert medians[1] == pytest.approx(height)
        assert ("folded" in ax.get_ylabel()) is fold
    assert letters(figure) == ["b", "c"]
    assert [t.get_text() for t in panels(figure)[1].get_legend().get_texts()] == [
        "easy (Dress / Pullover)",
        "hard (Dress / Trouser)",
    ]


def test_figure_4__shows_median_losses_network_by_network(
    tables: dict[int, pd.DataFrame],
) -> None:
    figure = BY_NAME["figure-04"].figure(tables)
    binarised, randomised, scatter = panels(figure)
    rows = tables[4][tables[4]["task"] == "3/8"].set_index("realization")
    trained = rows.loc[(rows["probe"] == "none") & (rows["model"] == "float"), "accuracy"]
    for ax, chosen in (
        (binarised, rows["model"] == "signed"),
        (randomised, rows["probe"] == "randomize"),
    ):
        lost = float((trained - rows.loc[chosen, "accuracy"]).median())
        assert cells(ax)["8", "3"] == f"{100 * lost:.0f}"
    rho = rank_correlation(pair_losses(tables[4]))
    assert f"Spearman's ρ = {rho:.2f}" in [text.get_text() for text in scatter.texts]
    assert letters(figure) == list("abc")


def test_figure_6__shows_distances_within_classes_too(tables: dict[int, pd.DataFrame]) -> None:
    figure = BY_NAME["figure-06"].figure(tables)
    mnist, clothes = panels(figure)
    assert cells(mnist)["7", "0"] == "0.90"
    assert cells(mnist)["4", "4"] == "0.45"
    assert len(cells(clothes)) == 55
    assert cells(clothes)["Dress", "Trouser"] == "0.50"


def test_figure_7__shows_the_main_width_once_per_network(
    tables: dict[int, pd.DataFrame],
) -> None:
    twice = pd.concat([tables[7], tables[7].assign(figure=1)])
    figure = BY_NAME["figure-07"].figure({7: twice})
    assert len(line(panels(figure)[0], "E-model").get_ydata()) == 5
    assert "d = 64" in BY_NAME["figure-07"].caption_of({7: twice})


def test_figure_8__may_be_drawn_from_the_table_of_figure_4(
    tables: dict[int, pd.DataFrame],
) -> None:
    figure = BY_NAME["figure-08"].figure({4: tables[4]})
    (ax,) = panels(figure)
    assert len(cells(ax)) == 45
    trained = tables[4][(tables[4]["model"] == "float") & (tables[4]["probe"] == "none")]
    median = float(trained.loc[trained["task"] == "7/9", "accuracy"].median())
    assert cells(ax)["9", "7"] == f"{100 * median:.1f}"


@pytest.mark.parametrize("dataset", ["mnist", "fashion-mnist", "digits"])
def test_figures__of_one_data_set_alone_are_drawn(dataset: str) -> None:
    tables = synthetic_tables((dataset,), n=2)
    for figure in drawable(tables):
        done = figure.figure(tables)
        done.canvas.draw()  # what cannot be drawn warns here, and warnings are errors
        assert all(ax.get_xlabel() or ax.get_xticklabels() for ax in panels(done))
        assert done.get_figwidth() <= 7.2
    assert plt.get_fignums() == []  # none of them is left open in pyplot


def test_figures__need_their_tables() -> None:
    assert drawable({}) == []
    with pytest.raises(InputError, match="no table of Figure 3"):
        BY_NAME["figure-03"].figure({})
    tables = synthetic_tables(("mnist",), n=1)
    noise = tables[1][tables[1]["probe"] == "noise"]
    assert [figure.name for figure in drawable({1: noise})] == ["figure-01"]
    with pytest.raises(InputError, match="lacks the columns level"):
        BY_NAME["figure-01"].figure({1: noise.drop(columns="level")})


def test_captions__say_how_many_networks_and_which_width(
    tables: dict[int, pd.DataFrame],
) -> None:
    for figure in drawable(tables):
        caption = figure.caption_of(tables)
        assert "{" not in caption
        assert "?" not in caption
    assert "medians over 5 random" in BY_NAME["figure-12"].caption_of(tables)
    assert "d = 128" in BY_NAME["figure-12"].caption_of(tables)
    fewer = tables[1][(tables[1]["task"] == "E") | (tables[1]["realization"] < 3)]
    assert "3 to 5" in BY_NAME["figure-01"].caption_of({1: fewer})


def test_files__are_written_twice_with_the_same_bytes(tmp_path: Path) -> None:
    tables = {7: synthetic_tables(("mnist",), n=3)[7]}
    first = write_figures(tables, tmp_path / "a", formats=("png", "pdf", "svg"))
    again = write_figures(tables, tmp_path / "b", formats=("png", "pdf", "svg"))
    assert [path.name for path in first] == ["figure-07.png", "figure-07.pdf", "figure-07.svg"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    pixels = plt.imread(first[0]).shape
    assert pixels[1] >= 200 * 3.5


def test_files__are_not_overwritten_unless_asked_to(tmp_path: Path) -> None:
    tables = {7: synthetic_tables(("mnist",), n=3)[7]}
    (path,) = write_figures(tables, tmp_path, formats=("svg",))
    before = path.read_bytes()
    with pytest.raises(OutputExistsError):
        write_figures(tables, tmp_path, formats=("svg",))
    assert path.read_bytes() == before
    write_figures(tables, tmp_path, formats=("svg",), force=True)
    with pytest.raises(InputError, match="formats must be of png, pdf, svg, got 'gif'"):
        write_figures(tables, tmp_path, formats=("gif",))


def test_pairs__with_a_slash_in_a_name_are_split_where_the_others_say() -> None:
    tasks = ["T-shirt/top/Trouser", "T-shirt/top/Coat", "Trouser/Coat"]
    assert split_pairs(tasks) == {
        "T-shirt/top/Trouser": ("T-shirt/top", "Trouser"),
        "T-shirt/top/Coat": ("T-shirt/top", "Coat"),
        "Trouser/Coat": ("Trouser", "Coat"),
    }
    for unclear in ("a/b/c", "E", "/7"):
        with pytest.raises(InputError, match="two classes"):
            split_pairs([unclear])


def test_classes__stand_in_the_order_of_their_labels(tables: dict[int, pd.DataFrame]) -> None:
    pairs = split_pairs(
        synthetic_tables(("fashion-mnist",), n=1)[4]["task"].sample(frac=1, random_state=1)
    )
    assert class_order(pairs.values())[:4] == ["T-shirt/top", "Trouser", "Pullover", "Dress"]
    assert class_order([("10", "9"), ("2", "10")]) == ["2", "9", "10"]


def test_losses__without_binarised_networks_are_not_made_up(
    tables: dict[int, pd.DataFrame],
) -> None:
    losses = pair_losses(tables[4][tables[4]["model"] == "float"])
    assert {loss.binarised for loss in losses} == {None}
    assert np.isnan(rank_correlation(losses))
    assert losses[0].n == 5
    assert isinstance(losses[0], PairLoss)


def test_grid__of_the_made_up_tables_is_dense_near_one() -> None:
    assert sum(p >= 0.9 for p in REMOVED) > len(REMOVED) / 2


def test_rank_correlation__of_losses_that_are_equal_but_for_rounding_ties_them() -> None:
    shares = [(0.3 - 0.2, 0.1), (0.4 - 0.3, 0.2), (0.1, 0.3), (0.5, 0.05), (0.6, 0.5)]
    losses = [PairLoss("0", str(k), 0.99, x, y, 10) for k, (x, y) in enumerate(shares, start=1)]
    x, y = np.array(shares).round(9).T
    assert len(set(x.tolist())) == 3
    assert len({a for a, _ in shares}) == 5
    assert rank_correlation(losses) == pytest.approx(scipy.stats.spearmanr(x, y).statistic)
