"""The report holds every figure, number and verdict, and is well-formed, closed HTML."""

from __future__ import annotations

import base64
import json
import re
import xml.etree.ElementTree
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

pd = pytest.importorskip("pandas")
np = pytest.importorskip("numpy")
pytest.importorskip("matplotlib").use("agg")

from synthetic_tables import synthetic_tables  # noqa: E402

from bipnet.errors import OutputExistsError  # noqa: E402
from bipnet.experiments import report  # noqa: E402
from bipnet.experiments.choices import CHOICES, described_choices  # noqa: E402
from bipnet.experiments.claims import evaluate_claims  # noqa: E402
from bipnet.experiments.figures import drawable  # noqa: E402
from bipnet.experiments.number_tables import NumberTable, number_tables  # noqa: E402
from bipnet.experiments.report import render_report, write_report  # noqa: E402
from bipnet.experiments.summary import summarize  # noqa: E402

SETTINGS = {"biases": "trained", "stop": "last step", "seed": 7, "grid": [0.1, 0.2]}
SECONDS = {"train <all>": 12.25, "probe": 3.5}
VOID = {"meta", "link", "img", "br", "hr", "input"}

Tables = dict[int, "pd.DataFrame"]


class Page(HTMLParser):
    """Every element and text of a page; an element closed in the wrong place is an error."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names))
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip() and self.open[-1] != "style":
            self.texts.append(" ".join(data.split()))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return " ".join(self.texts)


@pytest.fixture(scope="module")
def tables() -> Tables:
    return synthetic_tables(n=3)


@pytest.fixture(scope="module")
def html(tables: Tables) -> str:
    return render_report(tables, evaluate_claims(tables), SETTINGS, SECONDS)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_report__shows_every_figure_with_caption_and_alternative_text(
    tables: Tables, page: Page
) -> None:
    figures = drawable(tables)
    images = page.all("img")
    assert len(images) == len(figures) == 17
    for figure, image in zip(figures, images, strict=True):
        assert image["alt"] == figure.alt
        assert figure.caption_of(tables).split(". ")[0] in page.text
        assert f"Figure {figure.number}. {figure.title}" in page.text
        assert image["src"] is not None
        kind, data = image["src"].split(",")
        assert kind == "data:image/svg+xml;base64"
        root = xml.etree.ElementTree.fromstring(base64.b64decode(data))
        assert root.tag.endswith("svg")
        assert int(image["width"] or 0) > 300


def test_report__loads_nothing_and_runs_nothing(html: str, page: Page) -> None:
    assert page.all("script") == []
    references = [
        value
        for _, attributes in page.elements
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "action", "data", "poster")
    ]
    assert all((value or "").startswith(("data:", "#")) for value in references)
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert "@import" not in html
    assert "url(" not in html


def test_report__says_every_verdict_with_its_numbers(tables: Tables, page: Page) -> None:
    findings = evaluate_claims(tables)
    for finding in findings:
        assert finding.claim.text in page.text
        assert finding.claim.criterion in page.text
        for name, value in finding.numbers.items():
            assert name in page.text
            if isinstance(value, float) and abs(value) >= 1e-4:
                assert f"{name}: {value:.4g}".replace(": -", ": −") in page.text
    n_holds = sum(finding.verdict == "holds" for finding in findings)
    assert f"{n_holds} holds" in page.text


def test_report__lists_medians_and_quartiles_of_every_curve(tables: Tables, page: Page) -> None:
    def cell(rows: pd.DataFrame) -> str:
        q1, median, q3 = 100 * np.quantile(rows["accuracy"].to_numpy(), [0.25, 0.5, 0.75])
        return f"{median:.1f} ({q1:.1f}–{q3:.1f})"

    table = tables[12]
    table = table[(table["dataset"] == "fashion-mnist") & (table["probe"] == "noise")]
    assert len(table) == 2 * 2 * 30 * 3
    for _, rows in table.groupby(["task", "model", "level"]):
        assert cell(rows) in page.text
    table = tables[2][tables[2]["dataset"] == "mnist"]
    for _, rows in table[table["model"] == "float"].groupby(["task", "null_model"]):
        assert cell(rows) in page.text
    assert "images with tied logits" in page.text


def test_report__names_protocol_times_and_versions(page: Page) -> None:
    for choice in CHOICES:
        assert choice.what in page.text
    assert "trained weights with fresh random biases" in page.text
    assert "0.1, 0.2" in page.text
    assert "train <all>" in page.text  # as text: see the escaping
    assert "15.8" in page.text  # 12.25 + 3.5
    assert "matplotlib" in page.text


def test_report__is_accessible(html: str, page: Page) -> None:
    assert html.startswith("<!DOCTYPE html>")
    assert page.all("html")[0]["lang"] == "en"
    assert "width=device-width" in str(page.all("meta"))
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert all(attributes.get("scope") in ("col", "row") for attributes in page.all("th"))
    identifiers = [a["id"] for _, a in page.elements if "id" in a]
    assert len(identifiers) == len(set(identifiers))
    for attributes in page.all("a"):
        assert (attributes["href"] or "")[1:] in identifiers


def test_report__escapes_what_comes_from_tables_and_settings() -> None:
    evil = '<script>alert("1")</script>'
    tables = {7: synthetic_tables(("mnist",), n=2)[7].assign(dataset=evil)}
    html = render_report(tables, evaluate_claims(tables), {"a": evil, evil: 1}, {evil: 1.0})
    page = Page(html)
    assert page.all("script") == []
    assert evil in page.text


def test_numbers__have_a_true_minus_and_no_exponents() -> None:
    values = [0.98765, -0.01234, 5.9e-07, -5.9e-07, 0.0009766, 45, "0/7", 0.999999, 1.0]
    assert [report._number(value) for value in values] == [
        "0.9877", "\u22120.01234", "0", "0", "0.0009766", "45", "0/7", "0.999999", "1",
    ]  # fmt: skip


def test_report__without_tables_says_so() -> None:
    page = Page(render_report({}, evaluate_claims({}), {}, {}))
    assert page.all("img") == []
    assert "there are no tables" in page.text
    assert "not recorded" in page.text


def test_report__is_written_whole_and_not_over_another(tmp_path: Path) -> None:
    tables = {7: synthetic_tables(("mnist",), n=2)[7]}
    path = write_report(tables, evaluate_claims(tables), {}, {}, tmp_path / "report.html")
    assert path == tmp_path / "report.html"
    before = path.read_text(encoding="utf-8")
    with pytest.raises(OutputExistsError):
        write_report({}, [], {}, {}, path)
    assert path.read_text(encoding="utf-8") == before
    write_report({}, [], {}, {}, path, force=True)
    assert path.read_text(encoding="utf-8") != before


def test_report__is_small_enough_to_be_mailed(html: str) -> None:
    assert len(html.encode()) < 8_000_000


def test_choices__say_what_was_run() -> None:
    rows = {row["what"]: row["run"] for row in described_choices({"stop": "best step"})}
    assert rows["When training stops"] == "best step"
    assert rows["Biases of a probed network"] == "not recorded"
    assert rows["Vertical lines of the noise panels"] == "the median"


def test_report__says_when_accuracies_are_folded(tables: Tables) -> None:
    chosen = {2: tables[2]}
    page = Page(render_report(chosen, [], {}, {}, fold=True))
    assert "folded to 100 - x, not trimmed" in page.text
    page = Page(render_report(chosen, [], {}, {}))
    assert "the raw sample" in page.text


def test_summary__has_quartiles_failures_and_ties(tables: Tables) -> None:
    changed = dict(tables)
    failed = tables[1].copy()
    one = (failed["dataset"] == "mnist") & (failed["task"] == "H") & (failed["realization"] == 1)
    failed.loc[one, "constant"] = True
    # A network that is constant only once it is pruned has not failed to train.
    pruned = (failed["task"] == "E") & (failed["fraction_removed"] > 0.9)
    failed.loc[pruned, "constant"] = True
    changed[1] = failed
    summary = json.loads(json.dumps(summarize(changed), allow_nan=False))
    networks = {
        (row["dataset"], row["hidden"], row["task"]): (row["n"], row["failed"])
        for row in summary["networks"]
    }
    assert networks["mnist", 64, "H"] == (3, 1)
    assert networks["mnist", 64, "E"] == (3, 0)
    assert networks["mnist", 32, "H"] == (3, 0)
    (row,) = [
        row
        for row in summary["points"]
        if (row["figure"], row["dataset"], row["task"], row["model"], row["probe"])
        == (1, "mnist", "H", "signed", "prune")
        and row["fraction_removed"] == 0.999
    ]
    chosen = failed[
        (failed["dataset"] == "mnist") & (failed["task"] == "H") & (failed["model"] == "signed")
        & (failed["fraction_removed"] == 0.999)
    ]  # fmt: skip
    assert row["n"] == 3
    assert [row["q1"], row["median"], row["q3"]] == pytest.approx(
        np.quantile(chosen["accuracy"].to_numpy(), [0.25, 0.5, 0.75]).tolist()
    )
    assert row["ties"] == 0.5
    assert row["level"] is None
    assert row["constant"] == 1
    assert len(summary["ssim"]) == 2 * 55
    assert {row["n"] for row in summary["sigma"]} == {3}
    assert len(summary["pairs"]) == 90
    assert [row["figure"] for row in summary["spearman"]] == [4, 8]


def tables_under(number: int, table: pd.DataFrame, words: str) -> list[NumberTable]:
    return [made for made in number_tables(number, table) if words in made.title]


def test_report__tells_constant_predictors_where_there_are_any(tables: Tables) -> None:
    words = "one class whatever the image"
    for number in (1, 2, 3, 4):
        assert tables_under(number, tables[number], words) == []
    one = tables[1].copy()
    there = (one["dataset"] == "mnist") & (one["task"] == "H") & (one["model"] == "signed")
    there &= (one["probe"] == "prune") & (one["fraction_removed"] == 0.9)
    one.loc[there & (one["realization"] < 2), "constant"] = True
    (made,) = tables_under(1, one, words)
    assert made.title.startswith("MNIST, pruning: ")
    assert [list(row) for row in made.rows] == [
        ["0.9", *("2 of 3" if name == "signed-H" else "0 of 3" for name in made.header[1:])]
    ]
    three = tables[3].copy()
    three.loc[(three["null_model"] == "B") & (three["fraction_removed"] == 0), "constant"] = True
    mnist, fashion = tables_under(3, three, words)
    assert fashion.rows[0][0] == "0"
    assert dict(zip(mnist.header, mnist.rows[0], strict=True))["H-model, B"] == "3 of 3"
    two = tables[2].assign(constant=tables[2]["null_model"] == "C")
    (made, _) = tables_under(2, two, words)
    assert [list(row) for row in made.rows] == [["C", "3 of 3", "3 of 3"]]
    four = tables[4].copy()
    lost = (four["task"] == "1/7") & (four["model"] == "signed") & (four["realization"] == 0)
    four.loc[lost, "constant"] = True
    (made,) = tables_under(4, four, words)
    assert [list(row) for row in made.rows] == [["1 / 7", "0 of 3", "1 of 3", "0 of 3"]]
    assert words in render_report({1: one}, [], {}, {})


def test_report__says_what_a_verdict_rests_on(tables: Tables) -> None:
    html = render_report(tables, evaluate_claims(tables), {}, {})
    assert '<th scope="col">networks</th><th scope="col">numbers</th>' in html
    assert re.search(r'verdict holds">holds</span></td><td>3</td>', html)


def test_report__counts_failed_trainings(tables: Tables) -> None:
    table = tables[2].copy()
    table["constant"] = (table["realization"] == 0) & (table["task"] == "H")
    html = render_report({2: table}, [], {}, {})
    row = re.search(r"<tr><th scope=\"row\">MNIST</th><td>64</td><td>H</td>(.*?)</tr>", html)
    assert row is not None
    assert row[1] == "<td>3</td><td>1</td>"
