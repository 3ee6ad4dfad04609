"""Verdicts come from the tables: each claim holds where it should, and fails where it should."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest

pd = pytest.importorskip("pandas")
np = pytest.importorskip("numpy")

from synthetic_tables import NOISE, synthetic_tables  # noqa: E402

from bipnet.errors import InputError  # noqa: E402
from bipnet.experiments.claims import CLAIMS, Finding, evaluate_claims  # noqa: E402
from bipnet.experiments.claims.shapes import first_crossing, improves, transition  # noqa: E402
from bipnet.experiments.curves import Curve  # noqa: E402
from bipnet.experiments.tables import SIGMA_COLUMNS, SSIM_COLUMNS  # noqa: E402

Tables = dict[int, "pd.DataFrame"]
BY_KEY = {claim.key: claim for claim in CLAIMS}


@pytest.fixture(scope="module")
def tables() -> Tables:
    return synthetic_tables(n=5)


def judged(tables: Tables, key: str) -> list[Finding]:
    return evaluate_claims(tables, [BY_KEY[key]])


def verdicts(findings: Iterable[Finding]) -> set[str]:
    return {finding.verdict for finding in findings}


def where(table: pd.DataFrame, **values: Any) -> pd.Series:
    """Which rows have these values."""
    chosen = pd.Series(True, index=table.index)
    for name, value in values.items():
        chosen &= table[name].isin(value) if isinstance(value, tuple) else table[name] == value
    return chosen


def flat(accuracy: float, **values: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Set some rows to one accuracy."""

    def change(table: pd.DataFrame) -> pd.DataFrame:
        table = table.copy()
        table.loc[where(table, **values), "accuracy"] = accuracy
        return table

    return change


def swapped_tasks(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(task=table["task"].map({"E": "H", "H": "E"}))


def gentle_slope(**values: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Let some curve rise evenly over the whole of p: no transition."""

    def change(table: pd.DataFrame) -> pd.DataFrame:
        table = table.copy()
        chosen = where(table, **values)
        table.loc[chosen, "accuracy"] = 0.5 + 0.4 * table.loc[chosen, "fraction_removed"]
        return table

    return change


def peak_at_the_end(task: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Noise that only ever helps: no peak between the ends."""

    def change(table: pd.DataFrame) -> pd.DataFrame:
        table = table.copy()
        chosen = where(table, task=task, model="signed", probe="noise")
        table.loc[chosen, "accuracy"] = 0.5 + 0.4 * table.loc[chosen, "level"]
        return table

    return change


def one_wide_spread(task: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Standard deviations of one task ten times as far from their median."""

    def change(table: pd.DataFrame) -> pd.DataFrame:
        table = table.copy()
        chosen = where(table, task=task)
        median = table.loc[chosen, "sigma"].groupby(table["dataset"]).transform("median")
        table.loc[chosen, "sigma"] = median + 10 * (table.loc[chosen, "sigma"] - median)
        return table

    return change


def reversed_ranks(table: pd.DataFrame) -> pd.DataFrame:
    between = table["rank"] > 0
    return table.assign(rank=table["rank"].where(~between, 46 - table["rank"]))


def shuffled_losses(table: pd.DataFrame) -> pd.DataFrame:
    table = table.copy()
    chosen = where(table, probe="randomize")
    values = table.loc[chosen, "accuracy"].to_numpy()
    table.loc[chosen, "accuracy"] = np.random.default_rng(0).permutation(values)
    return table


Change = Callable[["pd.DataFrame"], "pd.DataFrame"]
BREAKING: list[tuple[str, Change]] = [
    ("ssim-easy-mnist", reversed_ranks),
    ("ssim-hard-mnist", reversed_ranks),
    ("ssim-easy-fashion-mnist", reversed_ranks),
    ("ssim-hard-fashion-mnist", reversed_ranks),
    ("binarising", flat(0.7, task="E", model="signed")),
    ("binarising", flat(0.7, task="H", model="signed")),
    ("pruning-keeps-easy", swapped_tasks),
    ("pruning-keeps-easy", flat(0.9, model="float")),
    ("pruning-keeps-easy", flat(0.7, task="E", model="float", probe="prune", fraction_removed=0.4)),
    ("pruning-keeps-easy", flat(0.8, task="H", model="float", probe="prune")),  # E leads by 19
    ("pruning-raises-signed-E", flat(0.9, task="E", model="signed")),
    ("pruning-transition-signed-H", gentle_slope(task="H", model="signed", probe="prune")),
    ("pruning-transition-signed-H", flat(0.5, task="H", model="signed")),
    ("pruning-transition-signed-H", swapped_tasks),
    ("pruning-signed-H-surpasses-H", flat(0.4, task="H", model="signed")),
    ("sigma-smaller-mnist", swapped_tasks),
    ("sigma-narrower-mnist", one_wide_spread("E")),
    ("sigma-larger-fashion-mnist", swapped_tasks),
    ("sigma-wider-fashion-mnist", one_wide_spread("H")),
    ("noise-keeps-easy", swapped_tasks),
    ("noise-keeps-easy", flat(0.9, task="E", model="float", level=NOISE[8])),
    ("noise-keeps-easy", flat(0.9, task="H", model="float", probe="noise")),
    ("noise-resonance-signed-E", peak_at_the_end("E")),
    ("noise-resonance-signed-H", peak_at_the_end("H")),
    ("noise-resonance-signed-H", flat(0.5, task="H", model="signed")),
    ("noise-weak-signed-E", lambda table: table.assign(level=table["level"] / 100)),
    ("noise-weak-signed-H", lambda table: table.assign(level=table["level"] / 100)),
    ("noise-decay-signed-E", flat(0.9, task="E", model="signed")),
    ("noise-decay-signed-H", flat(0.9, task="H", model="signed")),
    ("flips-improve-signed-E", flat(0.9, task="E", model="signed")),
    ("flips-improve-signed-H", flat(0.5, task="H", model="signed")),
    *(("randomise-signs-keep-easy", flat(0.6, null_model=letter)) for letter in "BEF"),
    *(("randomise-signs-keep-easy", flat(0.7, null_model=letter)) for letter in "ACDG"),
    *(("randomise-signs-unchanged", flat(0.93, task="E", null_model=letter)) for letter in "BEF"),
    ("randomise-B-not-G", flat(0.5, null_model="B")),
    ("randomise-B-not-G", flat(0.9, null_model="G")),
    ("randomise-hard-loses-more", swapped_tasks),
    ("randomise-hard-loses-more", flat(0.95, null_model="B")),
    ("randomise-hard-loses-more", flat(0.70, task="E", null_model="B")),
    ("randomise-hard-loses-more", flat(0.70, task="E", model="signed")),
    ("randomise-hard-loses-more", flat(0.85, task="H", model="signed")),
    *((f"randomise-{letter}-recovers-E", flat(0.8, null_model=letter)) for letter in "BEF"),
    *((f"randomise-{letter}-recovers-E", flat(0.99, null_model=letter)) for letter in "BEF"),
    *(
        (f"randomise-{letter}-transition-H", gentle_slope(task="H", null_model=letter))
        for letter in "BEF"
    ),
    ("pairs-correlated", shuffled_losses),
    ("pairs-accurate", flat(0.97, task="4/9", model="float", probe="none")),
    ("pairs-0-3-and-1-7", flat(0.8, task="0/3", model="signed")),
    ("pairs-0-3-and-1-7", flat(0.8, task="1/7", model="signed")),
    ("pairs-0-7-and-7-9", flat(0.8, task="0/7", model="signed")),
    ("pairs-0-7-and-7-9", flat(0.8, task="7/9", model="signed")),
]  # fmt: skip


@pytest.mark.parametrize("key", BY_KEY)
def test_claim__holds_where_the_tables_show_it(tables: Tables, key: str) -> None:
    findings = [finding for finding in judged(tables, key) if finding.verdict != "not measured"]
    assert verdicts(findings) == {"holds"}
    for finding in findings:
        assert finding.numbers
        assert finding.reason == ""


@pytest.mark.parametrize(("key", "change"), BREAKING, ids=[key for key, _ in BREAKING])
def test_claim__fails_where_they_do_not(tables: Tables, key: str, change: Change) -> None:
    figures = BY_KEY[key].figures
    changed = {
        number: change(table) if number in figures else table for number, table in tables.items()
    }
    findings = [finding for finding in judged(changed, key) if finding.verdict != "not measured"]
    assert verdicts(findings) == {"does not hold"}


def test_claims__are_each_broken_by_some_table() -> None:
    assert {key for key, _ in BREAKING} == set(BY_KEY)
    assert len(BY_KEY) == len(CLAIMS)


@pytest.mark.parametrize("key", BY_KEY)
def test_claim__without_its_table_is_not_measured(tables: Tables, key: str) -> None:
    figures = BY_KEY[key].figures
    left = {number: table for number, table in tables.items() if number not in figures}
    left.pop(4, None)  # Figure 8 can be read from it
    findings = judged(left, key)
    assert verdicts(findings) == {"not measured"}
    assert all("no table of Figure" in finding.reason for finding in findings)
    assert {finding.figure for finding in findings} == set(figures)


@pytest.mark.parametrize("key", BY_KEY)
def test_claim__without_any_row_it_rests_on_says_what_is_missing(tables: Tables, key: str) -> None:
    def without(table: pd.DataFrame) -> pd.DataFrame:
        if "task" in table:
            return table[table["task"].isin(["nobody", "2/3"])]
        return table[table["first"] == table["second"]]

    stub = {number: without(table) for number, table in tables.items()}
    for number, table in stub.items():
        if table.empty:  # a row of another task, so that data set and width are there
            stub[number] = tables[number].iloc[:1].assign(task="other")
    findings = [f for f in judged(stub, key) if f.dataset == "mnist"]
    if key not in ("pairs-accurate",):  # one pair is enough for it
        assert verdicts(findings) <= {"not measured"}
        assert all(finding.reason for finding in findings)


def test_claims__are_judged_per_data_set_and_width(tables: Tables) -> None:
    changed = dict(tables)
    changed[10] = swapped_tasks(tables[10])
    found = {(f.dataset, f.hidden): f.verdict for f in judged(changed, "pruning-keeps-easy")}
    assert found == {
        ("mnist", 64): "holds", ("fashion-mnist", 64): "holds",
        ("mnist", 32): "does not hold", ("fashion-mnist", 32): "does not hold",
        ("mnist", 128): "holds", ("fashion-mnist", 128): "holds",
    }  # fmt: skip


def test_claims__about_named_classes_stay_with_their_data_set() -> None:
    findings = evaluate_claims(synthetic_tables(("digits",), n=3))
    for finding in findings:
        if finding.claim.datasets:
            assert finding.dataset in finding.claim.datasets
            assert finding.verdict == "not measured"
            assert "not run on this data set" in finding.reason
        else:
            assert (finding.dataset, finding.verdict) == ("digits", "holds")


def test_resonance__needs_sigma_and_a_peak_near_it(tables: Tables) -> None:
    without = {number: table for number, table in tables.items() if number != 7}
    findings = judged(without, "noise-resonance-signed-E")
    assert verdicts(findings) == {"not measured"}
    assert "standard deviation" in findings[0].reason
    far = tables | {7: tables[7].assign(sigma=tables[7]["sigma"] * 10)}
    assert verdicts(judged(far, "noise-resonance-signed-E")) == {"does not hold"}
    numbers = judged(tables, "noise-resonance-signed-E")[0].numbers
    assert numbers["a / sigma(w)"] == pytest.approx(numbers["at a"] / numbers["sigma(w)"])  # type: ignore[operator]


def test_numbers__are_the_medians_of_the_table(tables: Tables) -> None:
    (finding, *_) = judged(tables, "randomise-signs-keep-easy")
    table = tables[2]
    for letter, value in finding.numbers.items():
        rows = where(table, dataset=finding.dataset, task="E", null_model=letter)
        assert value == pytest.approx(np.median(table.loc[rows, "accuracy"]))
    (finding, *_) = judged(tables, "sigma-smaller-mnist")
    rows = where(tables[7], dataset="mnist", task="H", hidden=finding.hidden)
    assert finding.numbers["median of H"] == pytest.approx(tables[7].loc[rows, "sigma"].median())


def test_findings__say_how_many_networks_are_behind_a_median(tables: Tables) -> None:
    (finding, *_) = judged(tables, "pruning-keeps-easy")
    assert finding.n == (5, 5)
    one = tables[1]
    fewer = one[~((one["task"] == "H") & (one["realization"] == 0))]
    (finding, *_) = judged(tables | {1: fewer}, "pruning-keeps-easy")
    assert (finding.n, finding.n_in_words, finding.as_dict()["n"]) == ((4, 5), "4 to 5", [4, 5])
    (finding, *_) = judged(tables | {1: fewer}, "pruning-raises-signed-E")
    assert finding.n_in_words == "5"  # the H-model has no part in it
    assert judged(tables, "sigma-smaller-mnist")[0].n == (5, 5)
    assert judged(tables, "pairs-correlated")[0].n == (5, 5)
    assert judged(tables, "ssim-hard-mnist")[0].n_in_words == "\u2013"
    measured = [f for f in evaluate_claims(tables) if f.verdict != "not measured"]
    assert all(f.n for f in measured if f.figure != 6)


def test_ssim__shows_the_pair_that_comes_next(tables: Tables) -> None:
    (finding, *_) = judged(tables, "ssim-easy-mnist")
    between = tables[6].query("dataset == 'mnist' and rank > 0").sort_values("rank")
    second = between.iloc[1]
    assert finding.numbers["largest held by"] == "0/7"
    assert finding.numbers["second largest held by"] == f"{second['first']}/{second['second']}"
    assert finding.numbers["second largest distance"] == second["distance"]
    (finding, *_) = judged(tables, "ssim-hard-mnist")
    assert finding.numbers["smallest held by"] == "7/9"
    assert finding.numbers["second smallest distance"] == between.iloc[-2]["distance"]
    assert "image pairs behind each distance" not in finding.numbers
    (finding, *_) = evaluate_claims(tables, [BY_KEY["ssim-hard-mnist"]], image_pairs=10_000)
    assert finding.numbers["image pairs behind each distance"] == 10_000


def test_lead__at_chance_counts_for_nobody(tables: Tables) -> None:
    """Two constant predictors differ by the shares of their classes."""
    last = {"model": "float", "probe": "prune", "fraction_removed": 0.999}
    table = flat(0.48, task="E", **last)(flat(0.52, task="H", **last)(tables[1]))
    (finding, *_) = judged(tables | {1: table}, "pruning-keeps-easy")
    assert finding.verdict == "holds"
    assert str(finding.numbers["H leads by more than 1 point at"]).startswith("0 of ")


def test_findings__are_plain_data_for_json(tables: Tables) -> None:
    findings = evaluate_claims(tables)
    again = json.loads(json.dumps([finding.as_dict() for finding in findings], allow_nan=False))
    assert len(again) == len(findings)
    assert set(again[0]) >= {"claim", "text", "place", "criterion", "verdict", "numbers"}


def test_tables__are_checked_before_they_are_judged(tables: Tables) -> None:
    with pytest.raises(InputError, match="lacks the columns accuracy"):
        evaluate_claims({1: tables[1].drop(columns="accuracy")})
    with pytest.raises(InputError, match="number of the figure, got 'one'"):
        evaluate_claims({"one": tables[1]})  # type: ignore[dict-item]


def test_tables__may_be_empty_or_shuffled(tables: Tables) -> None:
    empty = {
        1: tables[1].iloc[:0],
        6: pd.DataFrame(columns=list(SSIM_COLUMNS)),
        7: pd.DataFrame(columns=list(SIGMA_COLUMNS)),
    }
    assert verdicts(evaluate_claims(empty)) == {"not measured"}
    shuffled = {n: table.sample(frac=1, random_state=1) for n, table in tables.items()}
    key = {f.claim.key: f.numbers for f in evaluate_claims(shuffled) if f.dataset == "mnist"}
    for finding in evaluate_claims(tables):
        if finding.dataset == "mnist" and finding.claim.figures in ((2,), (4,), (6,)):
            assert key[finding.claim.key] == pytest.approx(finding.numbers)


def curve(*median: float) -> Curve:
    return Curve(np.linspace(0, 1, len(median)), np.array(median))


def test_transition__must_start_low_climb_far_and_climb_fast() -> None:
    assert transition(curve(0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.9, 0.9, 0.5)).holds
    assert not transition(curve(0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.95, 0.95, 0.5)).holds  # starts high
    assert not transition(curve(0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.6, 0.6, 0.5)).holds  # a mere bump
    assert not transition(curve(0.5, 0.6, 0.7, 0.8, 0.9)).holds  # a slope
    assert not transition(curve(0.5, 0.4, 0.3)).holds
    measured = transition(curve(0.5, 0.5, 0.9))
    assert measured.numbers["climb from p"] == pytest.approx(0.625)
    assert measured.numbers["to p"] == pytest.approx(0.875)


def test_first_crossing__is_the_first_one() -> None:
    assert first_crossing(curve(0.5, 0.9, 0.5, 0.9, 0.9), 0.7) == pytest.approx(0.125)
    assert first_crossing(curve(0.9, 0.5), 0.7) == 0


def test_improves__takes_more_than_scatter() -> None:
    assert improves(curve(0.90, 0.92, 0.5), "q").holds
    assert not improves(curve(0.90, 0.905, 0.5), "q").holds
