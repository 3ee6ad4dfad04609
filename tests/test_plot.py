"""bipnet.plot: the figure shows what the table says, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from bipnet import NULL_MODELS
from bipnet.errors import InputError

matplotlib = pytest.importorskip("matplotlib")
pd = pytest.importorskip("pandas")
matplotlib.use("agg")

import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.colors import to_hex  # noqa: E402
from matplotlib.lines import Line2D  # noqa: E402
from matplotlib.patches import PathPatch  # noqa: E402

from bipnet.plot import STYLES, accuracy_boxes  # noqa: E402

LETTERS = ("", *NULL_MODELS)
CLASSES = {"E": "0 / 7", "H": "7 / 9"}


@pytest.fixture(autouse=True)
def _figures_are_closed() -> Iterator[None]:
    plt.close("all")
    yield
    plt.close("all")


def accuracy_table(tasks: str = "EH", n: int = 9) -> pd.DataFrame:
    """A row per task, null model and realization; no two groups have the same median."""
    rng = np.random.default_rng(3)
    return pd.DataFrame(
        {"task": task, "classes": CLASSES[task], "null_model": letter, "accuracy": accuracy}
        for task in tasks
        for letter in LETTERS
        for accuracy in rng.random(n)
    )


def of_task(artists: list[Line2D], task: str) -> list[Line2D]:
    return [line for line in artists if to_hex(line.get_color()).upper() == STYLES[task]["color"]]


def markers(ax: Axes, task: str) -> dict[int, float]:
    """Place (0 = trained, 1 = A ...) -> height of the median's marker."""
    (line,) = [line for line in ax.lines if line.get_label().startswith(STYLES[task]["label"])]
    return {round(float(x)): float(y) for x, y in zip(*line.get_data(), strict=True)}


def boxes(ax: Axes, task: str) -> dict[int, tuple[float, float]]:
    """Place -> lower and upper edge of the box."""
    found = {}
    for patch in ax.patches:
        if (
            isinstance(patch, PathPatch)
            and to_hex(patch.get_edgecolor()).upper() == STYLES[task]["color"]
        ):
            x, y = patch.get_path().vertices.T
            found[round(float(x.mean()))] = (float(y.min()), float(y.max()))
    return found


def expected(table: pd.DataFrame, task: str, share: float) -> dict[int, float]:
    """Place -> a quantile of the accuracies in per cent, computed without the plot."""
    return {
        place: float(
            np.quantile(
                [
                    100 * row.accuracy
                    for row in table.itertuples()
                    if (row.task, row.null_model) == (task, letter)
                ],
                share,
            )
        )
        for place, letter in enumerate(LETTERS)
    }


def test_boxes__show_the_medians_and_quartiles_of_the_table() -> None:
    table = accuracy_table()
    ax = accuracy_boxes(table)
    for task in "EH":
        assert markers(ax, task) == pytest.approx(expected(table, task, 0.5))
        drawn = boxes(ax, task)
        low = {place: edges[0] for place, edges in drawn.items()}
        high = {place: edges[1] for place, edges in drawn.items()}
        assert low == pytest.approx(expected(table, task, 0.25))
        assert high == pytest.approx(expected(table, task, 0.75))
        # The line inside each box stands as high as its marker.
        inside = [
            float(line.get_ydata()[0])
            for line in of_task(ax.lines, task)
            if line.get_linewidth() == 1.2
        ]
        assert sorted(inside) == pytest.approx(sorted(markers(ax, task).values()))


def test_boxes__neither_fold_nor_trim_the_sample() -> None:
    # Below chance stays below chance, and an outlier is drawn as one.
    accuracies = [0.10, 0.11, 0.12, 0.13, 0.95]
    table = pd.DataFrame(
        {"task": "E", "classes": "0 / 7", "null_model": "A", "accuracy": accuracies}
    )
    ax = accuracy_boxes(table)
    assert markers(ax, "E") == pytest.approx({1: 12.0})
    fliers = [line.get_ydata().tolist() for line in ax.lines if line.get_marker() == "."]
    assert [value for heights in fliers for value in heights] == pytest.approx([95.0])
    bottom, top = ax.get_ylim()
    assert bottom < 10 < 95 < top


def test_boxes__do_not_depend_on_the_order_of_the_rows() -> None:
    table = accuracy_table()
    shuffled = table.sample(frac=1, random_state=1)
    for task in "EH":
        assert markers(accuracy_boxes(shuffled), task) == markers(accuracy_boxes(table), task)


def test_boxes__name_axes_models_and_tasks() -> None:
    ax = accuracy_boxes(accuracy_table())
    assert [text.get_text() for text in ax.get_xticklabels()] == ["trained", *NULL_MODELS]
    assert ax.get_ylabel() == "test accuracy (%)"
    assert ax.get_xlabel() == "null model"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "easy (0 / 7)",
        "hard (7 / 9)",
    ]
    # Chance is at one half: two classes.
    assert [50.0, 50.0] in [list(map(float, line.get_ydata())) for line in ax.lines]


def test_boxes__of_the_two_tasks_stand_side_by_side() -> None:
    ax = accuracy_boxes(accuracy_table())
    (easy,) = [line for line in ax.lines if line.get_label().startswith("easy")]
    (hard,) = [line for line in ax.lines if line.get_label().startswith("hard")]
    assert (np.asarray(hard.get_xdata()) - np.asarray(easy.get_xdata()) > 0.3).all()
    hatches = {patch.get_hatch() for patch in ax.patches if isinstance(patch, PathPatch)}
    assert len(hatches) == 2  # told apart without colours too


def test_boxes__of_one_task_stand_in_the_middle() -> None:
    table = accuracy_table("H")
    ax = accuracy_boxes(table)
    assert markers(ax, "H") == pytest.approx(expected(table, "H", 0.5))
    (line,) = [line for line in ax.lines if line.get_label().startswith("hard")]
    assert list(line.get_xdata()) == list(range(len(LETTERS)))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["hard (7 / 9)"]
    assert boxes(ax, "E") == {}


def test_boxes__of_a_single_value_and_of_missing_models() -> None:
    table = pd.DataFrame(
        {"task": "E", "classes": "0 / 7", "null_model": ["", "C"], "accuracy": [0.99, 0.25]}
    )
    ax = accuracy_boxes(table)
    assert markers(ax, "E") == pytest.approx({0: 99.0, 3: 25.0})
    assert boxes(ax, "E") == {0: pytest.approx((99, 99)), 3: pytest.approx((25, 25))}
    ax.figure.canvas.draw()  # what cannot be drawn warns here, and warnings are errors


def test_ax__is_drawn_into_and_given_back() -> None:
    figure, (left, right) = plt.subplots(1, 2)
    assert accuracy_boxes(accuracy_table(), ax=right) is right
    assert not left.lines
    assert right.lines
    assert plt.get_fignums() == [figure.number]


def test_ax__is_new_where_none_is_given() -> None:
    first, second = (accuracy_boxes(accuracy_table()) for _ in range(2))
    assert first is not second
    assert first.figure is not second.figure
    assert len(plt.get_fignums()) == 2


def test_table__is_left_as_it_was() -> None:
    table = accuracy_table()
    before = table.copy()
    accuracy_boxes(table)
    pd.testing.assert_frame_equal(table, before)


@pytest.mark.parametrize("column", ["task", "classes", "null_model", "accuracy"])
def test_table__without_a_column_is_refused_before_a_figure_is_made(column: str) -> None:
    with pytest.raises(InputError, match=f"lacks the columns {column}$"):
        accuracy_boxes(accuracy_table().drop(columns=column))
    assert plt.get_fignums() == []


def test_table__lists_every_missing_column() -> None:
    with pytest.raises(InputError, match=r"lacks the columns accuracy, classes$"):
        accuracy_boxes(accuracy_table().drop(columns=["classes", "accuracy"]))


@pytest.mark.parametrize("task", ["easy", "e", ""])
def test_table__without_a_row_of_either_task_is_refused(task: str) -> None:
    with pytest.raises(InputError, match="no row of task E or H"):
        accuracy_boxes(accuracy_table().assign(task=task))
    with pytest.raises(InputError, match="no row of task E or H"):
        accuracy_boxes(accuracy_table().iloc[:0])
    assert plt.get_fignums() == []
