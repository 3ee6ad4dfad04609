"""The catalogue of statistics, and what is more than chance."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import oracles
import pandas as pd
import pytest
import scipy.stats
import strategies as my

import bipnet
from bipnet._significance import draws as draws_room
from bipnet._significance.pvalues import adjusted, p_values
from bipnet._significance.result import COLUMNS
from bipnet.cli import significance as significance_room
from bipnet.measures import STATISTICS, butterflies, nodf, spectrum
from bipnet.measures.catalogue import graph_statistics, named_statistic
from bipnet.nulls._hidden import replicates

pytestmark = pytest.mark.filterwarnings("ignore::bipnet.FrozenWarning")

Matrix = my.Matrix
FALSE_ALARM = 1e-4


def gappy(shape: tuple[int, int] = (14, 11), seed: int = 0) -> Matrix:
    """Missing edges, heavy-tailed weights, uneven degrees."""
    rng = np.random.default_rng(seed)
    W = rng.standard_t(2, size=shape) + rng.normal(size=(shape[0], 1))
    return np.where(rng.random(shape) < np.linspace(0.4, 0.95, shape[1]), W, 0)


# -- the catalogue -----------------------------------------------------------------------------


def test_catalogue__depends_on_what_null_models_know() -> None:
    for one in STATISTICS.values():
        assert set(one.depends_on) <= set(bipnet.INVARIANTS), one.name
        assert STATISTICS[one.name] is one
    assert set(graph_statistics()) == {
        name for name, one in STATISTICS.items() if one.of == "graph"
    }


@pytest.mark.parametrize("name", STATISTICS)
def test_statistic__gives_numbers_of_its_size_on_any_graph(name: str) -> None:
    one = STATISTICS[name]
    for W in (gappy(), np.zeros((3, 4)), np.ones((2, 3)), -np.eye(3), np.array([[2.0]])):
        size = {"graph": 1, "left": W.shape[0], "right": W.shape[1]}[one.of]
        value = one(W)
        assert value.shape == (size,)
        assert np.isfinite(value).all()


def test_statistics__are_those_of_the_measures() -> None:
    W = gappy()
    g = bipnet.SignedBipartiteGraph(W)
    found = butterflies(W)
    expected: dict[str, Any] = {
        "edges": g.n_edges,
        "alpha": g.positive_fraction,
        "butterflies": found.total,
        "balanced_butterflies": found.balanced,
        "unbalanced_butterflies": found.unbalanced,
        "balanced_share": found.balanced_share,
        "butterflies right": found.right_balanced + found.right_unbalanced,
        "nodf-": nodf(W, "-"),
        "singular_value": spectrum(W).values[0],
        "k- right": g.degrees("right", "-"),
        "s+ left": g.strengths("left", "+"),
    }
    for name, value in expected.items():
        assert np.array_equal(STATISTICS[name](W), np.atleast_1d(value)), name
    share = STATISTICS["balanced_share left"](W)
    total = found.left_balanced + found.left_unbalanced
    assert np.allclose(share[total > 0], (found.left_balanced / np.maximum(total, 1))[total > 0])


@pytest.mark.parametrize("null", bipnet.NULL_MODELS)
def test_statistics__are_constant_under_the_null_models_that_fix_them_and_no_other(
    null: str,
) -> None:
    preserves = bipnet.NULL_MODELS[null].preserves
    rng = np.random.default_rng(4)
    spiked = np.outer(rng.normal(size=14) ** 3, rng.normal(size=11) ** 3)
    constant = dict.fromkeys(STATISTICS, True)
    for W in (gappy(), spiked, gappy((9, 12), 1)):
        drawn = [bipnet.SignedBipartiteGraph(R) for R in bipnet.ensemble(W, null, 6, rng=3)]
        for name, one in STATISTICS.items():
            observed = one(W)
            same = [np.allclose(one(R), observed, rtol=1e-12, atol=1e-300) for R in drawn]
            constant[name] &= all(same)
    assert constant == {name: one.is_fixed_by(preserves) for name, one in STATISTICS.items()}


def test_named_statistic__lists_what_there_is() -> None:
    with pytest.raises(bipnet.InputError, match=r"did you mean .balanced_share.*There are: edges,"):
        named_statistic("balanced_shares")
    with pytest.raises(bipnet.InputError, match="There are: edges, density"):
        bipnet.significance(gappy(), ["xyz"])


# -- p-values ----------------------------------------------------------------------------------


def naive_p(observed: float, drawn: list[float], alternative: str) -> float:
    middle = (observed + sum(drawn)) / (len(drawn) + 1)
    extreme = {
        "two-sided": lambda x: abs(x - middle),
        "greater": lambda x: x,
        "less": lambda x: -x,
    }[alternative]
    b = sum(extreme(x) >= extreme(observed) for x in drawn)
    return (b + 1) / (len(drawn) + 1)


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_p_values__are_counted(alternative: Any) -> None:
    rng = np.random.default_rng(1)
    observed, drawn = rng.normal(size=30), rng.normal(size=(19, 30))
    found = p_values(observed, drawn, alternative)
    for at in range(30):
        assert found[at] == naive_p(observed[at], drawn[:, at].tolist(), alternative)
    tied = p_values(np.array([1.0]), np.ones((9, 1)), alternative)
    assert tied.tolist() == [1.0]


def test_adjusted__follows_the_definitions() -> None:
    p = np.array([0.01, 0.04, 0.03, 0.005, 0.5])
    assert np.allclose(adjusted(p, "bonferroni"), np.minimum(1, 5 * p))
    assert np.allclose(adjusted(p, "holm"), [0.04, 0.09, 0.09, 0.025, 0.5])
    ranks = p.argsort().argsort() + 1
    naive = [min(p[j] * 5 / ranks[j] for j in range(5) if p[j] >= p[i]) for i in range(5)]
    assert np.allclose(adjusted(p, "bh"), naive)
    assert np.allclose(
        adjusted(p, "by"), np.minimum(1, np.array(naive) * (1 + 1 / 2 + 1 / 3 + 1 / 4 + 1 / 5))
    )
    assert np.array_equal(adjusted(p, None), p)


# One round of trades is far too short for it.
SLOW = np.array(
    [
        [1, 1, -1, -1, -1],
        [1, -1, 1, -1, -1],
        [-1, 1, 1, -1, -1],
        [-1, -1, -1, 1, 1],
        [-1, -1, -1, 1, 1],
    ],
    dtype=float,
)


def patterns_of(W: Matrix) -> list[Matrix]:
    """Every sign pattern with the degrees of a full matrix."""
    rows = [
        [np.isin(np.arange(W.shape[1]), k) for k in itertools.combinations(range(W.shape[1]), n)]
        for n in (W > 0).sum(axis=1)
    ]
    margins = (W > 0).sum(axis=0)
    found = []
    for choice in itertools.product(*rows):
        pattern = np.array(choice)
        if np.array_equal(pattern.sum(axis=0), margins):
            found.append(np.where(pattern, 1.0, -1.0))
    return found


def first_entries(g: bipnet.SignedBipartiteGraph) -> float:
    """Tells every pattern from every other, so that no two values tie."""
    signs = np.asarray(g.weights) > 0
    return float(signs.reshape(-1)[:24] @ 2.0 ** -np.arange(24))


def ranks(exact: bool, n: int, repetitions: int) -> Counter[int]:
    """Of p-values of data that are uniform draws, from chains that are far too short."""
    states = patterns_of(SLOW)
    rng = np.random.default_rng(20240229)
    counts: Counter[int] = Counter()
    for i in range(repetitions):
        W = states[rng.integers(len(states))]
        found = bipnet.significance(
            W, {"x": first_entries}, "G", n, rng=i, exact=exact, steps=1, loops=0,
            alternative="greater", correction=None,
        )  # fmt: skip
        p = found["x"].p[0]
        if np.isnan(p):  # all draws are as the data: ties, broken by chance
            p = 1.0
        counts[round(p * (n + 1))] += 1
    return counts


def test_significance__is_exact_under_g_however_short_the_chain_is() -> None:
    # Ties count as extreme, so p may only be too large: P(p <= t) <= t at every t.
    n, repetitions = 3, 1500
    counts = ranks(True, n, repetitions)
    for rank in range(1, n + 1):
        below = sum(counts[r] for r in range(1, rank + 1))
        p = scipy.stats.binomtest(below, repetitions, rank / (n + 1), "greater").pvalue
        assert p > FALSE_ALARM, (rank, counts)


def uniform_ranks(exact: bool) -> float:
    """p-value of a chi-square test that ranks, ties broken by chance, are uniform."""
    states, rng = patterns_of(SLOW), np.random.default_rng(1)
    n, repetitions = 4, 2000
    counts = np.zeros(n + 1)
    for i in range(repetitions):
        W = states[rng.integers(len(states))]
        if exact:
            sample = list(replicates(W, n, rng=i, steps=1, loops=0))
        else:
            sample = list(bipnet.ensemble(W, "G", n, rng=i, steps=1, loops=0))
        values = [first_entries(bipnet.SignedBipartiteGraph(R)) for R in [W, *sample]]
        larger = sum(value > values[0] for value in values[1:])
        equal = sum(value == values[0] for value in values[1:])
        counts[larger + rng.integers(equal + 1)] += 1
    return float(scipy.stats.chisquare(counts).pvalue)


def test_replicates__are_exchangeable_with_the_data_and_restarts_are_not() -> None:
    assert uniform_ranks(exact=True) > FALSE_ALARM
    assert uniform_ranks(exact=False) < FALSE_ALARM


def test_replicates__are_exchangeable_by_loops_alone_too() -> None:
    hexagons = np.kron(np.eye(2), [[0, 1, -1], [-1, 0, 1], [1, -1, 0]])
    rng = np.random.default_rng(2)
    counts = np.zeros(4)
    for i in range(1200):
        signs = rng.choice([1.0, -1.0], size=2)
        W = hexagons * np.repeat(signs, 3)[:, None]
        draws = [R[0, 1] + 0.5 * R[3, 4] for R in replicates(W, 3, rng=i, steps=1, loops=1)]
        here = W[0, 1] + 0.5 * W[3, 4]
        larger, equal = sum(x > here for x in draws), sum(x == here for x in draws)
        counts[larger + rng.integers(equal + 1)] += 1
    assert scipy.stats.chisquare(counts).pvalue > FALSE_ALARM


@pytest.mark.parametrize("density", [1.0, 0.5, 0.1, 0.01])
def test_replicates__run_equally_long_from_every_state(density: float) -> None:
    rng = np.random.default_rng(0)
    shape = (90, 80) if density > 0.01 else (600, 500)  # so few that there are no trades
    W = np.where(rng.random(shape) < density, rng.choice([1.0, -1.0], size=shape), 0)
    lengths = set()
    for R in [W, *bipnet.ensemble(W, "G", 3, rng=1)]:
        found = replicates(R, 1, rng=2)
        lengths.add((found.steps, found.loops))
    ((steps, loops),) = lengths
    assert steps is not None
    assert steps >= 64
    assert (steps > 64) == (density < 1)
    assert (loops == 0) == (density == 1)


@pytest.mark.parametrize("seed", range(12))
def test_replicates__run_equally_long_from_every_pattern_there_is(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = int(rng.integers(3, 6)), int(rng.integers(3, 6))
    W = np.where(rng.random(shape) < rng.uniform(0.5, 1), rng.choice([1.0, -1.0], size=shape), 0)
    lengths = set()
    for pattern in oracles.sign_patterns(W):
        state = np.zeros_like(W)
        for cell, sign in pattern.items():
            state[cell] = sign
        found = replicates(state, 1, rng=1)
        lengths.add((found.steps, found.loops))
    assert len(lengths) == 1


@pytest.mark.parametrize("null", ["A", "E", "G"])
def test_significance__p_values_of_draws_are_uniform(null: str) -> None:
    W, n, repetitions = gappy((8, 7)), 4, 500
    counts = np.zeros(n + 1)
    for i in range(repetitions):
        data = bipnet.randomize(W, null, rng=99, index=i)
        found = bipnet.significance(
            data, ["singular_value"], null, n, rng=i, alternative="greater", correction=None
        )
        counts[round(found["singular_value"].p[0] * (n + 1)) - 1] += 1
    assert scipy.stats.chisquare(counts).pvalue > FALSE_ALARM


# -- significance ------------------------------------------------------------------------------


def test_significance__is_what_its_draws_say() -> None:
    W = gappy()
    found = bipnet.significance(W, ["balanced_share", "s- right"], "A", 30, rng=7)
    draws = list(bipnet.ensemble(W, "A", 30, rng=7))
    shares = np.array([butterflies(R).balanced_share for R in draws])
    one = found["balanced_share"]
    assert one.observed[0] == butterflies(W).balanced_share
    assert np.allclose([one.null_mean[0], one.null_sd[0]], [shares.mean(), shares.std(ddof=1)])
    assert np.isclose(one.z[0], (one.observed[0] - shares.mean()) / shares.std(ddof=1))
    assert one.p[0] == naive_p(one.observed[0], shares.tolist(), "two-sided")
    nodes = found["s- right"]
    for j in range(W.shape[1]):
        strengths = [float(-R[:, j][R[:, j] < 0].sum()) for R in draws]
        assert np.isclose(nodes.p[j], naive_p(nodes.observed[j], strengths, "two-sided"))
    assert np.allclose(nodes.p_adjusted, scipy.stats.false_discovery_control(nodes.p))
    assert (found.law, found.n, found.null) == ("independent draws, exact p-values", 30, "A")


def test_significance__sees_what_is_there() -> None:
    rng = np.random.default_rng(0)
    W = np.outer(rng.normal(size=40), rng.normal(size=30)) + 0.5 * rng.normal(size=(40, 30))
    found = bipnet.significance(W, ["balanced_share", "balanced_share left"], "G", 99, rng=1)
    assert found["balanced_share"].p[0] == 0.01
    assert found["balanced_share"].z[0] > 10
    assert (found["balanced_share left"].p_adjusted <= 0.05).mean() > 0.5
    assert "Besag" in found.law
    assert found.steps == 64
    assert found.loops == 0


def test_significance__does_not_draw_what_is_fixed() -> None:
    found = bipnet.significance(gappy(), ["alpha", "k+ left"], "G", 10**9, rng=1)
    for one in found.statistics.values():
        assert (one.state == "fixed").all()
        assert np.isnan(one.p).all()
        assert np.array_equal(one.null_mean, one.observed)


@pytest.mark.parametrize("null", ["A", "B", "G"])
@pytest.mark.parametrize(
    "W",
    [np.zeros((3, 4)), np.ones((4, 3)), -np.ones((3, 3)), np.diag([1.0, -2.0, 0.0]), gappy((5, 4))],
    ids=["no edges", "positive", "negative", "isolated", "small"],
)
def test_significance__has_no_nan_in_its_rows(W: Matrix, null: str) -> None:
    found = bipnet.significance(W, list(STATISTICS), null, 5, rng=1)
    for row in found.rows():
        assert list(row) == list(COLUMNS)
        assert all(value == value for value in row.values())
        assert (row["p"] is None) == (row["state"] != "ok")
        assert row["observed"] is not None
    assert "nan" not in str(found)


def test_significance__gives_the_same_numbers_in_any_number_of_threads() -> None:
    W = gappy()
    rows = [
        list(
            bipnet.significance(
                W, ["balanced_share", "s+ left"], "G", 20, rng=5, n_threads=k
            ).rows()
        )
        for k in (1, 3)
    ]
    assert rows[0] == rows[1]


def test_significance__takes_functions() -> None:
    W = gappy()
    found = bipnet.significance(
        W,
        {
            "largest": lambda g: g.edges()[2].max(),
            "k left": lambda g: g.degrees("left", "+"),
            "k right": lambda g: g.degrees("right", "+"),
            "named": STATISTICS["nodf+"],
        },
        "A",
        10,
        rng=1,
    )
    assert [one.side for one in found.statistics.values()] == ["graph", "left", "right", "graph"]
    assert found["largest"].state.tolist() == ["constant"]
    assert found["k left"].observed.tolist() == (W > 0).sum(axis=1).tolist()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"statistics": []}, "empty"),
        ({"statistics": {"x": 3}}, "must be a function"),
        ({"statistics": {"x": lambda g: np.nan}}, "must give finite numbers"),
        ({"statistics": {"x": lambda g: np.ones(5)}}, "5 values: one, or .*14 left or 11.*wanted"),
        ({"statistics": {"x": (lambda g: np.ones(11), "left")}}, "11 values: .*14 left nodes was"),
        ({"statistics": {"x": (lambda g: 1, "up")}}, "'left' or 'right', got .* and 'up'"),
        ({"statistics": 5}, "must be names, or functions"),
        ({"statistics": lambda g: 1}, "must be names, or functions"),
        ({"statistics": {"x": lambda g: "many"}}, "must give numbers"),
        ({"n": 0}, "n must be a positive"),
        ({"n": True}, "n must be a positive"),
        ({"alternative": "both"}, "two-sided, greater, less"),
        ({"correction": "fdr"}, "bh, by, holm, bonferroni"),
        ({"null": "H"}, "seven null models"),
        ({"steps": 0}, "steps must be"),
        ({"null": "A", "steps": 3}, "only G takes them"),
    ],
)
def test_significance__refuses(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(bipnet.InputError, match=message):
        bipnet.significance(gappy(), **{"rng": 1, "n": 3, **arguments})


def test_significance__names_nodes_by_their_labels() -> None:
    W = gappy((3, 2))
    g = bipnet.SignedBipartiteGraph(W, left_labels=["a", "b", "c"])
    frame = bipnet.significance(g, ["s+ left", "s+ right", "alpha"], "B", 9, rng=1).to_frame()
    assert frame["node"].tolist() == ["a", "b", "c", "0", "1", ""]
    assert list(frame.columns) == list(COLUMNS)
    assert frame["z"].dtype == float


def test_significance__draws_its_dots() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    from bipnet.plot import significance_dots

    frame = bipnet.significance(gappy(), None, "E", 20, rng=1, name="layer 1").to_frame()
    ax = significance_dots(frame)
    assert "fixed by this null" in " ".join(text.get_text() for text in ax.texts)
    matplotlib.pyplot.close("all")


def test_significance__of_a_null_without_spread_is_infinitely_far() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    from bipnet.plot import significance_dots

    W = np.outer([1, -1] * 10, [1, -1] * 8) + 0.1

    def rank(g: bipnet.SignedBipartiteGraph) -> int:
        return int(np.linalg.matrix_rank(g.weights))

    own = {
        "rank": rank,
        "lost": lambda g: 30 - rank(g),
        "nodes": lambda g: np.r_[rank(g), np.zeros(19)],
    }
    found = bipnet.significance(W, own, "A", n=20, rng=1)
    one = found["rank"]
    assert (one.observed[0], one.null_mean[0], one.null_sd[0]) == (2, 16, 0)
    assert one.z.tolist() == [-np.inf]
    assert one.state.tolist() == ["ok"]
    assert found["lost"].z.tolist() == [np.inf]
    assert found["nodes"].z[0] == -np.inf
    assert np.isnan(found["nodes"].z[1:]).all()
    assert (found["nodes"].state[1:] == "constant").all()
    rows = list(found.rows())
    assert [row["z"] for row in rows[:4]] == [-np.inf, np.inf, -np.inf, None]
    assert json.loads(json.dumps(rows)) == rows
    assert " -inf " in str(found)
    frame = found.to_frame().query("node == ''")
    assert frame["z"].tolist() == [-np.inf, np.inf]
    ax = significance_dots(frame)
    low, high = ax.get_xlim()
    drawn = [
        (line.get_xdata()[0], line.get_marker()) for line in ax.lines if len(line.get_xdata()) == 1
    ]
    assert drawn == [(low, "<"), (high, ">")]
    matplotlib.pyplot.close("all")
    assert np.isnan(bipnet.significance(W, own, "A", n=1, rng=1)["rank"].z[0])


def test_significance__str_is_a_table_to_read() -> None:
    text = str(
        bipnet.significance(gappy(), ["alpha", "nodf+", "s+ left"], "A", 9, rng=1, name="fc")
    )
    assert text.startswith("fc: null model A, 9 draws: independent")
    assert "fixed by this null model" in text
    assert "of 14 left nodes beyond chance at 5 %" in text


# -- interrupted, and gone on ------------------------------------------------------------------


class StoppedError(Exception):
    pass


def test_significance__goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    W, path = gappy(), tmp_path / "values.safetensors"
    whole = list(bipnet.significance(W, ["nodf+", "s+ left"], "A", 12, rng=5).rows())
    calls = 0
    values_of = draws_room.values_of

    def counted(*args: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 7:
            raise StoppedError
        return values_of(*args)

    monkeypatch.setattr(draws_room, "values_of", counted)
    with pytest.raises(StoppedError):
        bipnet.significance(W, ["nodf+", "s+ left"], "A", 12, rng=5, resume=path, n_threads=1)
    found = bipnet.significance(W, ["nodf+", "s+ left"], "A", 12, rng=5, resume=path, n_threads=1)
    assert list(found.rows()) == whole
    assert calls == 7 + 6  # six draws were kept
    more = bipnet.significance(W, ["nodf+", "s+ left"], "A", 15, rng=5, resume=path, n_threads=1)
    assert calls == 7 + 6 + 3
    assert more.n == 15
    for n in (4, 15):  # a shorter test leaves the draws of a longer one in the file
        again = bipnet.significance(W, ["nodf+", "s+ left"], "A", n, rng=5, resume=path)
        assert calls == 7 + 6 + 3
    assert list(again.rows()) == list(more.rows())
    for other in ({"rng": 6}, {"null": "C"}, {"statistics": ["nodf-"]}):
        arguments: dict[str, Any] = {"statistics": ["nodf+", "s+ left"], "null": "A", "rng": 5}
        with pytest.raises(bipnet.InputError, match="another graph, null model, seed"):
            bipnet.significance(W, n=12, resume=path, **{**arguments, **other})
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(bipnet.FileFormatError, match="is damaged"):
        bipnet.significance(W, ["nodf+", "s+ left"], "A", 12, rng=5, resume=path)


def test_significance__keeps_values_in_a_file_alone(tmp_path: Path) -> None:
    with pytest.raises(bipnet.OutputExistsError, match="is a folder"):
        bipnet.significance(gappy(), ["nodf+"], "A", 3, resume=tmp_path)
    with pytest.raises(bipnet.MissingFileError, match="make it first"):
        bipnet.significance(gappy(), ["nodf+"], "A", 3, resume=tmp_path / "no" / "values")
    (tmp_path / "empty").touch()
    with pytest.raises(bipnet.FileFormatError, match="is damaged"):
        bipnet.significance(gappy(), ["nodf+"], "A", 3, resume=tmp_path / "empty")


def test_significance__asks_of_which_side_where_both_are_as_long(tmp_path: Path) -> None:
    g = bipnet.SignedBipartiteGraph(gappy((9, 9)), left_labels=list("abcdefghi"))
    k = {side: lambda g, side=side: g.degrees(side, "+") for side in ("left", "right")}
    with pytest.raises(bipnet.InputError, match=r"as many left nodes as right ones: .*'left'\)"):
        bipnet.significance(g, k, "A", 5, rng=1)
    both = {side: (function, side) for side, function in k.items()}
    found = bipnet.significance(g, both, "A", 5, rng=1)
    assert [(row["side"], row["node"]) for row in found.rows()] == [
        *(("left", label) for label in "abcdefghi"), *(("right", node) for node in range(9)),
    ]  # fmt: skip
    one = bipnet.significance(gappy((1, 9)), {"k": (k["left"], "left")}, "A", 5, rng=1)
    assert [(row["side"], row["node"]) for row in one.rows()] == [("left", 0)]


def test_significance__tells_own_functions_from_those_of_the_catalogue(tmp_path: Path) -> None:
    W, path = gappy(), tmp_path / "values"
    bipnet.significance(W, {"nodf+": lambda g: g.n_edges}, "A", 5, rng=1, resume=path)
    with pytest.raises(bipnet.InputError, match="another graph, null model, seed or set"):
        bipnet.significance(W, ["nodf+"], "A", 5, rng=1, resume=path)
    with pytest.raises(bipnet.InputError, match="1 values of a draw for statistic"):
        bipnet.significance(W, {"nodf+": lambda g: g.degrees("left")}, "A", 5, rng=1, resume=path)
    mine = bipnet.significance(W, {"mine": STATISTICS["nodf+"]}, "A", 5, rng=1)
    assert next(mine.rows())["statistic"] == "mine"


# -- the command line --------------------------------------------------------------------------


@pytest.fixture
def layers(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    signal = np.outer(rng.normal(size=20), rng.normal(size=10))
    np.savez(tmp_path / "after.npz", a=signal + 0.3 * rng.normal(size=(20, 10)), b=gappy((12, 9)))
    np.savez(tmp_path / "before.npz", a=rng.normal(size=(20, 10)), b=gappy((12, 9), 1))
    np.savez(tmp_path / "other.npz", a=rng.normal(size=(20, 9)), b=gappy((12, 9), 1))
    np.savez(tmp_path / "fewer.npz", a=rng.normal(size=(20, 10)))
    return tmp_path


def test_stats__compares_layers_before_and_after(
    layers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from bipnet.cli import run

    out = layers / "table.parquet"
    arguments = ["stats", str(layers / "after.npz"), "--before", str(layers / "before.npz")]
    arguments += ["--significance", "G", "-n", "39", "--statistics", "balanced_share"]
    arguments += ["--statistics", "k+ left", "--statistics", "balanced_share right", "-o", str(out)]
    assert run(arguments) == 0
    text = capsys.readouterr().out
    assert "fixed by this null model" in text
    assert "nodes beyond chance" in text
    table = pd.read_parquet(out)
    assert list(table.columns) == ["input", *COLUMNS]
    share = table[table["statistic"] == "balanced_share"].set_index(["layer", "input"])
    assert share.loc[("a", "after"), "p"] == 1 / 40
    assert share.loc[("a", "before"), "p"] > 1 / 40
    assert len(table) == 2 * (1 + 20 + 10) + 2 * (1 + 12 + 9)
    assert not (layers / "table.parquet.draws").exists()
    assert run(arguments) == 2
    assert "output exists" in capsys.readouterr().err


def test_stats__goes_on_with_what_was_kept(
    layers: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from bipnet.cli import run

    arguments = ["stats", str(layers / "after.npz"), "--significance", "A", "-n", "20"]
    arguments += ["--statistics", "nodf+"]
    assert run([*arguments, "-o", str(layers / "whole.csv")]) == 0
    values_of, calls = draws_room.values_of, 0

    def interrupted(*args: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 30:
            raise KeyboardInterrupt
        return values_of(*args)

    monkeypatch.setattr(draws_room, "values_of", interrupted)
    assert run([*arguments, "-o", str(layers / "again.csv")]) != 0
    assert not (layers / "again.csv").exists()
    assert (layers / "again.csv.draws").is_dir()
    assert run([*arguments, "-o", str(layers / "again.csv")]) == 0
    assert (layers / "again.csv").read_bytes() == (layers / "whole.csv").read_bytes()
    assert not (layers / "again.csv.draws").exists()
    assert calls < 30 + 20 + 2
    mine = layers / "third.csv.draws" / "mine"
    mine.parent.mkdir()
    mine.touch()
    assert run([*arguments, "-o", str(layers / "third.csv")]) == 0
    assert list(mine.parent.iterdir()) == [mine]
    capsys.readouterr()


def test_stats__prints_values_and_lists(layers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from bipnet.cli import run

    path = str(layers / "after.npz")
    assert run(["stats", path, "--statistics", "alpha", "--statistics", "k+ left"]) == 0
    assert " / " in capsys.readouterr().out
    assert run(["stats", path, "--statistics", "alpha", "--json"]) == 0
    assert '"alpha"' in capsys.readouterr().out
    assert run(["stats", "--list"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in STATISTICS)
    line = next(line for line in listed.splitlines() if line.startswith("s+ left"))
    assert " CE " in line
    assert run(["stats", path, "--significance", "B", "-n", "3", "--json"]) == 0
    assert '"state": "fixed"' in capsys.readouterr().out


def test_stats__json_is_strict_and_has_null_for_an_infinite_z(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from bipnet.cli import run

    np.save(tmp_path / "w.npy", np.outer([1.0, -1] * 10, [1, -1] * 8) + 0.01)
    arguments = ["stats", str(tmp_path / "w.npy"), "--significance", "A", "-n", "5", "--json"]
    assert run([*arguments, "--statistics", "balanced_share", "--statistics", "k+ left"]) == 0

    def refuse(name: str) -> None:
        raise AssertionError(name)

    rows = json.loads(capsys.readouterr().out, parse_constant=refuse)["rows"]
    assert {row["statistic"] for row in rows} == {"balanced_share", "k+ left"}
    infinite = {"statistic": "own", "z": -np.inf, "observed": 2.0, "p": None}
    assert significance_room._finite(infinite) == {**infinite, "z": None}


def test_stats__of_a_layer_that_is_refused_leaves_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from bipnet.cli import run

    np.save(tmp_path / "w.npy", np.array([[1.0, np.nan]]))
    table = str(tmp_path / "table.parquet")
    assert run(["stats", str(tmp_path / "w.npy"), "--significance", "A", "-o", table]) == 2
    assert "is nan" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["w.npy"]
    np.save(tmp_path / "w.npy", np.array([[1.0, -1.0]]))
    arguments = ["stats", str(tmp_path / "w.npy"), "--significance", "A", "-o", table]
    assert run([*arguments, "--statistics", "nope"]) == 2
    assert "nope" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["w.npy"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name a file of layers"),
        (["after.npz", "-n", "5"], "--draws goes with --significance"),
        (["after.npz", "--before", "before.npz"], "--before goes with --significance"),
        (["after.npz", "--significance", "Z"], "seven null models"),
        (["after.npz", "--significance", "A", "--statistics", "alfa"], "did you mean 'alpha'"),
        (["after.npz", "--significance", "A", "--before", "other.npz"], "two states of the same"),
        (["after.npz", "--significance", "A", "--before", "fewer.npz"], "has no layer 'b'"),
        (["after.npz", "--significance", "A", "-o", "x.txt"], "a table is written as"),
    ],
)
def test_stats__refuses(
    layers: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    from bipnet.cli import run

    monkeypatch.chdir(layers)
    assert run(["stats", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_oracle__knows_the_patterns() -> None:
    W = np.where(SLOW > 0, 1.0, -1.0)
    assert len(patterns_of(W)) == len(oracles.sign_patterns(W)) > 100
