"""Barber modularity: its definition, the best of tiny graphs, and what is done without it."""

from __future__ import annotations

import importlib
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import strategies as my
from hypothesis import given
from hypothesis import strategies as st

import bipnet
from bipnet import measures
from bipnet.errors import InputError, MissingExtraError, MissingExtraWarning, TooLargeError
from bipnet.measures import STATISTICS, communities, modularity
from bipnet.measures.catalogue import default_statistics, graph_statistics

Matrix = my.Matrix
MODULE = importlib.import_module("bipnet.measures.communities")
SIGNS: Any = ("+", "-", None)


def magnitudes(W: Any, sign: str | None) -> Matrix:
    W = np.asarray(W, dtype=np.float64)
    return np.abs(np.where(W > 0 if sign == "+" else W < 0 if sign == "-" else W != 0, W, 0))


def naive_q(A: Matrix, left: Any, right: Any) -> float:
    """Barber's sum over all pairs, one by one."""
    total = A.sum()
    if not total:
        return 0.0
    rows, columns = A.sum(axis=1), A.sum(axis=0)
    return sum(
        float(A[i, j] / total - rows[i] * columns[j] / total**2)
        for i in range(A.shape[0])
        for j in range(A.shape[1])
        if left[i] == right[j]
    )


def partitions(n: int) -> Iterator[list[int]]:
    """All partitions of n things, as labels."""
    labels = [0] * n
    while True:
        yield list(labels)
        at = n - 1
        while at > 0 and labels[at] > max(labels[:at]):
            at -= 1
        if at <= 0:
            return
        labels[at] += 1
        labels[at + 1 :] = [0] * (n - at - 1)


def best_q(A: Matrix) -> float:
    n_left, n_right = A.shape
    return max(naive_q(A, p[:n_left], p[n_left:]) for p in partitions(n_left + n_right))


def blocks(sizes: list[tuple[int, int]], between: float = 0.0) -> Matrix:
    """Strong weights within blocks, and weak ones between them."""
    rng = np.random.default_rng(len(sizes))
    W = between * rng.random(np.sum(sizes, axis=0))
    top = leftmost = 0
    for n_left, n_right in sizes:
        place = slice(top, top + n_left), slice(leftmost, leftmost + n_right)
        W[place] = 1 + rng.random((n_left, n_right))
        top, leftmost = top + n_left, leftmost + n_right
    return W


def same_groups(a: Any, b: Any) -> bool:
    pairs = set(zip(a, b, strict=True))
    return len(pairs) == len(set(a)) == len(set(b))


# -- Q of a partition --------------------------------------------------------------------------


@my.property_test
@given(data=st.data(), sign=st.sampled_from(SIGNS))
def test_modularity__is_its_definition(data: st.DataObject, sign: Any) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    shape = data.draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    W = rng.choice([-2.0, -0.5, 0.0, 0.0, 1.0, 3.0], size=shape)
    left, right = rng.integers(-1, 4, size=shape[0]), rng.integers(-1, 4, size=shape[1])
    found = modularity(W, left, right, sign)
    assert found == pytest.approx(naive_q(magnitudes(W, sign), left, right), abs=1e-12)
    assert modularity(W.T, right, left, sign) == pytest.approx(found, abs=1e-12)
    assert modularity(scipy.sparse.csr_array(W), left, right, sign) == found
    assert modularity(W, left + 7, right + 7, sign) == pytest.approx(found, abs=1e-12)
    together = modularity(W, [3] * shape[0], [3] * shape[1], sign)
    assert together == pytest.approx(0, abs=1e-15)
    assert modularity(W, [3] * shape[0], [4] * shape[1], sign) == 0


def test_modularity__of_graphs_known_by_hand() -> None:
    # Two separate edges: all weight within, a quarter of it in each block by chance.
    assert modularity(np.eye(2), [0, 1], [0, 1]) == pytest.approx(1 - 2 / 4)
    # k separate equal blocks: 1 - 1/k.
    five = np.kron(np.eye(5), np.ones((2, 3)))
    found = modularity(five, np.arange(10) // 2, np.arange(15) // 3)
    assert found == pytest.approx(1 - 1 / 5)
    # Weights 3 and 1: 1 - (3/4)^2 - (1/4)^2, and nobody at home the other way round.
    assert modularity(np.diag([3, 1]), [0, 1], [0, 1]) == pytest.approx(6 / 16)
    assert modularity(np.diag([3, 1]), [0, 1], [1, 0]) == pytest.approx(-6 / 16)
    assert modularity(np.diag([-3, 1]), [0, 1], [0, 1], None) == pytest.approx(6 / 16)
    assert modularity(np.diag([1e308, 1e308]), [0, 1], [0, 1]) == pytest.approx(1 / 2)


# -- the partition that is found ---------------------------------------------------------------


@pytest.mark.parametrize("sign", SIGNS)
def test_communities__are_the_best_of_all_partitions_of_separate_blocks(sign: Any) -> None:
    for sizes in ([(2, 1), (1, 2)], [(1, 1), (2, 1), (1, 2)], [(2, 2), (2, 2)], [(3, 2), (1, 2)]):
        for between in (0.0, 0.05):
            W = blocks(sizes, between)
            W = -W if sign == "-" else W
            found = communities(W, sign)
            assert found.n_communities == len(sizes)
            assert found.modularity == pytest.approx(best_q(np.abs(W)), abs=1e-12)
            ends = [np.repeat(np.arange(len(sizes)), n) for n in np.transpose(sizes)]
            assert same_groups([*found.left, *found.right], np.concatenate(ends))


def test_communities__are_never_above_the_best_and_mostly_the_best() -> None:
    short = []
    for seed in range(25):
        W = np.random.default_rng(seed).choice([-1.0, 0.0, 0.0, 1.0, 2.0, 3.0], size=(4, 4))
        best = best_q(magnitudes(W, "+"))
        short.append(best - communities(W).modularity)
    assert min(short) > -1e-12
    assert np.mean(np.array(short) < 1e-9) > 0.85
    assert max(short) < 0.03


def test_communities__of_planted_blocks_are_those_planted() -> None:
    rng = np.random.default_rng(1)
    left, right = rng.integers(0, 6, size=150), rng.integers(0, 6, size=90)
    W = rng.normal(size=(150, 90)) + 3 * (left[:, None] == right)
    found = communities(W)
    assert same_groups([*found.left, *found.right], [*left, *right])
    sizes = np.bincount([*found.left, *found.right])
    assert (np.diff(sizes) <= 0).all()
    assert sizes.size == found.n_communities == 6


@my.property_test
@given(data=st.data(), sign=st.sampled_from(SIGNS))
def test_communities__have_the_modularity_they_say(data: st.DataObject, sign: Any) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    shape = data.draw(st.tuples(st.integers(1, 7), st.integers(1, 7)))
    W = rng.choice([-2.0, -0.5, 0.0, 0.0, 1.0, 3.0], size=shape)
    A = magnitudes(W, sign)
    found = communities(W, sign)
    assert 0 <= found.modularity < 1
    assert found.modularity == pytest.approx(naive_q(A, found.left, found.right), abs=1e-12)
    assert ((found.left >= 0) == A.any(axis=1)).all()
    assert ((found.right >= 0) == A.any(axis=0)).all()
    numbers = {*found.left.tolist(), *found.right.tolist()} - {-1}
    assert numbers == set(range(found.n_communities))


@pytest.mark.parametrize("shape", [(40, 25), (25, 40), (30, 30)])
def test_communities__know_neither_numbers_nor_sides_nor_units(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(5)
    W = rng.normal(size=shape) * (rng.random(shape) < 0.8)
    found = communities(W)
    again = communities(W)
    assert (again.left == found.left).all()
    assert (again.right == found.right).all()
    rows, columns = rng.permutation(shape[0]), rng.permutation(shape[1])
    shuffled = communities(W[rows][:, columns])
    assert shuffled.modularity == pytest.approx(found.modularity, abs=1e-12)
    assert (shuffled.left == found.left[rows]).all()
    turned = communities(W.T)
    assert (turned.left == found.right).all()
    assert (turned.right == found.left).all()
    for scaled in (2.5 * W, 1e-200 * W, 1e250 * W):
        assert communities(scaled).modularity == pytest.approx(found.modularity, abs=1e-12)
    assert communities(-W, "-").modularity == found.modularity
    assert communities(scipy.sparse.csr_array(W)).modularity == found.modularity


def test_communities__leave_the_global_random_state_alone() -> None:
    np.random.seed(3)
    wanted = np.random.random()
    np.random.seed(3)
    communities(np.random.default_rng(0).normal(size=(9, 9)))
    assert np.random.random() == wanted


def test_communities__with_more_starts_are_no_worse() -> None:
    W = np.random.default_rng(2).normal(size=(60, 50))
    found = [communities(W, n_starts=n).modularity for n in (1, 3, 10, 30)]
    assert (np.diff(found) >= 0).all()
    assert found[-1] > found[0]
    assert found[2] == communities(W).modularity  # 10 of a small graph


def test_communities__of_large_graphs_start_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    W = np.random.default_rng(2).normal(size=(60, 50))
    one = communities(W, n_starts=1).modularity
    assert communities(W).modularity > one
    monkeypatch.setattr(MODULE, "_EDGES_OF_ALL_STARTS", 100)
    assert communities(W).modularity == one


PRODUCTS = {
    "all edges alike": np.ones((6, 5)),
    "a product": np.outer([1.0, 2.0, 3.0], [0.5, 4.0, 1.0, 0.0]),
    "a product in float32": np.outer(np.linspace(1, 3, 40), np.linspace(2, 7, 30)).astype(
        np.float32
    ),
    "one row": np.array([[1.0, 3.0, 0.0, 2.0]]),
    "one edge": np.array([[0.0, 2.0], [0.0, 0.0]]),
    "no edge": np.zeros((3, 2)),
}


@pytest.mark.parametrize("kind", PRODUCTS)
def test_communities__are_one_where_no_partition_is_better(kind: str) -> None:
    W = PRODUCTS[kind]
    for sign, given_as in (("+", W), ("-", -W), (None, W)):
        found = communities(given_as, sign)  # type: ignore[arg-type]
        assert found.modularity == 0.0
        assert found.n_communities == int(W.any())
        assert found.left.tolist() == np.where(W.any(axis=1), 0, -1).tolist()
        assert found.right.tolist() == np.where(W.any(axis=0), 0, -1).tolist()


def test_communities__of_a_dense_layer_need_its_weights() -> None:
    W = 1 + blocks([(8, 6), (7, 9)])
    assert communities(W).modularity > 0.05
    assert communities(np.sign(W)).modularity == 0.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: communities([[1.0]], "*"), "sign must be '\\+', '-' or None"),  # type: ignore[arg-type]
        (lambda: communities([[math.nan]]), "weights must be finite"),
        (lambda: communities([[1.0]], n_starts=0), "n_starts must be a number from 1 on, got 0"),
        (lambda: communities([[1.0]], n_starts=True), "n_starts must be"),
        (lambda: modularity([[1.0]], [0, 1], [0]), r"left must be 1 whole numbers.*shape \(2,\)"),
        (lambda: modularity([[1.0]], [0], [0.5]), "right must be 1 whole numbers.*float64"),
        (lambda: modularity([[1.0]], [0], [0], "*"), "sign must be"),  # type: ignore[arg-type]
    ],
)
def test_bad_input__says_what_was_wanted(call: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()


def test_communities__ask_for_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MODULE, "_BYTES_OF_AN_EDGE", 1 << 60)
    with pytest.raises(TooLargeError, match="communities of 2 edges"):
        communities(np.eye(2))


# -- in the catalogue, and without scikit-network -----------------------------------------------


def test_statistics__are_of_the_communities() -> None:
    W = np.random.default_rng(4).normal(size=(20, 12))
    assert STATISTICS["modularity+"](W)[0] == communities(W, "+").modularity
    assert STATISTICS["modularity-"](W)[0] == communities(W, "-").modularity
    assert STATISTICS["wnodf-"](W)[0] == measures.wnodf(W, "-")
    for name in ("modularity+", "modularity-", "wnodf+", "wnodf-"):
        letters = [
            letter
            for letter, row in bipnet.NULL_MODELS.items()
            if STATISTICS[name].is_fixed_by(row.preserves)
        ]
        assert letters == []


@pytest.mark.parametrize("null", ["A", "G"])
def test_significance__sees_blocks(null: str) -> None:
    rng = np.random.default_rng(6)
    group = np.arange(30) % 3
    W = rng.normal(size=(30, 30)) + 1.5 * (group[:, None] == group)
    found = bipnet.significance(W, ["modularity+", "modularity-"], null, 39, rng=1)
    assert found["modularity+"].p[0] == 1 / 40
    assert found["modularity+"].z[0] > 5
    noise = bipnet.significance(rng.normal(size=(30, 30)), ["modularity+"], null, 39, rng=1)
    assert abs(noise["modularity+"].z[0]) < 4
    threads = bipnet.significance(W, ["modularity+"], null, 8, rng=1, n_threads=3)
    alone = bipnet.significance(W, ["modularity+"], null, 8, rng=1, n_threads=1)
    assert list(threads.rows()) == list(alone.rows())


@pytest.fixture
def no_optimiser(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if scikit-network were not installed."""
    monkeypatch.setitem(sys.modules, "sknetwork", None)
    monkeypatch.setitem(sys.modules, "sknetwork.clustering", None)


@pytest.mark.usefixtures("no_optimiser")
def test_communities__name_the_extra_that_is_missing() -> None:
    for call in (
        lambda: communities([[1.0, 2.0]]),
        lambda: STATISTICS["modularity+"]([[0.0]]),
        lambda: bipnet.significance(np.eye(3), "modularity-", "A", 3, rng=1),
    ):
        with pytest.raises(MissingExtraError, match=r"scikit-network: .*bipnet\[communities\]"):
            call()
    assert modularity(np.eye(2), [0, 1], [0, 1]) == 0.5  # needs no optimiser
    assert not STATISTICS["modularity+"].is_available
    assert STATISTICS["wnodf+"].is_available


@pytest.mark.usefixtures("no_optimiser")
def test_significance__without_names_says_what_is_left_out() -> None:
    W = np.random.default_rng(1).normal(size=(6, 5))
    with pytest.warns(
        MissingExtraWarning, match=r"modularity\+ and modularity- are left out"
    ) as said:
        found = bipnet.significance(W, null="A", n=3, rng=1)
    assert said[0].filename == __file__
    assert list(found.statistics) == [
        name for name in graph_statistics() if not name.startswith("modularity")
    ]


def test_default_statistics__are_all_if_nothing_is_missing() -> None:
    assert default_statistics() == graph_statistics()
    assert "modularity-" in default_statistics()


@pytest.mark.usefixtures("no_optimiser")
def test_stats__goes_on_without_modularity_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import json

    from bipnet.cli import run

    rng = np.random.default_rng(1)
    path = str(tmp_path / "two.npz")
    np.savez(path, a=rng.normal(size=(6, 5)), b=rng.normal(size=(4, 5)))
    arguments = ["stats", path, "--significance", "A", "-n", "3"]
    assert run([*arguments, "--json"]) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert found["left_out"] == ["modularity+", "modularity-"]
    assert "modularity+" not in {row["statistic"] for row in found["rows"]}
    assert "wnodf+" in {row["statistic"] for row in found["rows"]}
    assert said.err.count("left out") == 1  # for both layers
    assert "pip install 'bipnet[communities]'" in said.err
    assert run([*arguments, "--statistics", "wnodf-", "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["left_out"] == []
    assert "left out" not in said.err
    for asked in (arguments, ["stats", path]):
        assert run([*asked, "--statistics", "modularity+"]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert "bipnet[communities]" in error
    assert run(["stats", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    needy = [line for line in lines if "bipnet[communities]" in line]
    assert [line.split()[0] for line in needy] == ["modularity+", "modularity-"]


def test_stats__leaves_nothing_out_if_nothing_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import json

    from bipnet.cli import run

    np.save(tmp_path / "one.npy", np.random.default_rng(1).normal(size=(6, 5)))
    arguments = ["stats", str(tmp_path / "one.npy"), "--significance", "A", "-n", "3", "--json"]
    assert run(arguments) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert found["left_out"] == []
    assert {"modularity+", "modularity-"} <= {row["statistic"] for row in found["rows"]}
    assert "warning" not in said.err
    assert run(["stats", "--list"]) == 0
    assert "communities]" not in capsys.readouterr().out


def test_import__of_the_measures_does_not_load_the_optimiser(tmp_path: Path) -> None:
    code = "import sys, bipnet.measures; bipnet.measures.modularity([[1]], [0], [0])\n"
    code += "print([name for name in sys.modules if name.startswith('sknetwork')])"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
