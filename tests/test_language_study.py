"""The study of a language model: tables against the naive loop, resuming, verdicts, pictures."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import tiny_models
import torch
from seqeval.metrics import f1_score

import bipnet
from bipnet.cli import run
from bipnet.errors import InputError, LayerNotFoundError
from bipnet.experiments.claims import Finding
from bipnet.experiments.language import LanguageSettings, LanguageStudy, study_language_model, work
from bipnet.experiments.language.claims import LANGUAGE_CLAIMS, evaluate_language_claims
from bipnet.experiments.language.figures import LANGUAGE_FIGURES
from bipnet.experiments.language.layers import (
    blocks_of,
    paper_layers,
    short_name,
    short_names,
)
from bipnet.experiments.language.losses import map_losses
from bipnet.experiments.language.numbers import language_numbers
from bipnet.experiments.language.plan import FIGURES, MAP, make_language_plan
from bipnet.experiments.language.settings import (
    FLIP_LEVELS,
    NOISE_LEVELS,
    PRUNE_LEVELS,
    QUICK_FLIP_LEVELS,
    QUICK_NOISE_LEVELS,
    QUICK_PRUNE_LEVELS,
)
from bipnet.experiments.tables import LANGUAGE_COLUMNS
from bipnet.plot import layer_heatmap
from bipnet.torch import list_layers, swapped
from bipnet.torch.text import open_pretrained, read_conll
from bipnet.torch.text.tags import as_iob2

LAYERS = ("distilbert.transformer.layer.2.ffn.lin2", "classifier")
QUICK = LanguageSettings(LAYERS, quick=True, seed=3)


def naive_f1(model: Any, tokenizer: Any, sentences: Sequence[Any]) -> float:
    """Sentence by sentence, word by word, no padding, nothing kept."""
    found = []
    for sentence in sentences:
        encoded = tokenizer(list(sentence.words), is_split_into_words=True, return_tensors="pt")
        with torch.no_grad():
            logits = model(
                input_ids=encoded["input_ids"], attention_mask=encoded["attention_mask"]
            ).logits[0]
        tags = []
        for word in range(len(sentence.words)):
            place = encoded.word_ids(0).index(word)
            tags.append(model.config.id2label[int(logits[place].argmax())])
        found.append(tags)
    return float(f1_score([list(s.tags) for s in sentences], found, zero_division=0))


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "tiny-ner"
    tiny_models.distilbert().save_pretrained(folder)
    tiny_models.tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def conll(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> Path:
    """Sentences that carry the tags the model itself would give, nearly all of them."""
    model, tokenizer = open_pretrained(model_folder, "ner")
    rng = random.Random(5)
    lines = []
    for _ in range(30):
        words = rng.choices(tiny_models.WORDS[5:18], k=rng.randint(1, 9))
        encoded = tokenizer(words, is_split_into_words=True, return_tensors="pt")
        with torch.no_grad():
            logits = model(
                input_ids=encoded["input_ids"], attention_mask=encoded["attention_mask"]
            ).logits[0]
        labels = [
            model.config.id2label[int(logits[encoded.word_ids(0).index(i)].argmax())]
            for i in range(len(words))
        ]
        if rng.random() < 0.2:
            labels[0] = "B-ORG"
        lines += [f"{word} {tag}" for word, tag in zip(words, as_iob2(labels), strict=True)]
        lines.append("")
    path = tmp_path_factory.mktemp("data") / "test.txt"
    path.write_text("\n".join(lines))
    return path


@pytest.fixture(scope="module")
def study(
    model_folder: Path, conll: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[LanguageStudy, Path]:
    output = tmp_path_factory.mktemp("study") / "results"
    made = study_language_model(
        model=model_folder, conll=conll, output=output, settings=QUICK, n_workers=1
    )
    return made, output


def files_of(output: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((output / "tables").iterdir())}


# -- tables ------------------------------------------------------------------------------------


def test_tables__have_every_layer_probe_and_draw(study: tuple[LanguageStudy, Path]) -> None:
    result, output = study
    assert set(result.tables) == {5, 9, MAP}
    names = [f"{name}.weight" for name in LAYERS]
    for table in result.tables.values():
        assert list(table.columns) == list(LANGUAGE_COLUMNS)
        assert table["f1"].between(0, 1).all()
    five = result.tables[5]
    counts = five.groupby(["layer", "probe", "null_model", "model"]).size().to_dict()
    n = len(QUICK_PRUNE_LEVELS)
    wanted = {("all", "none", "", "float"): 1}
    for name in names:
        wanted |= {
            (name, "none", "", "signed"): 1,
            (name, "prune", "", "float"): n,
            (name, "prune", "", "signed"): n,
            (name, "randomize", "A", "float"): 2 * n,
            (name, "randomize", "B", "float"): 2 * n,
        }
    assert counts == wanted
    nine = result.tables[9].groupby(["layer", "probe", "model"]).size().to_dict()
    assert nine == {
        key: value
        for name in names
        for model in ("float", "signed")
        for key, value in (
            ((name, "noise", model), 2 * len(QUICK_NOISE_LEVELS)),
            ((name, "flip", model), len(QUICK_FLIP_LEVELS)),
        )
    }
    every = result.tables[MAP]
    assert set(every["layer"]) == {"all", *_linear(result)}
    read = pd.read_parquet(output / "tables" / "figure-05.parquet")
    pd.testing.assert_frame_equal(read, five)
    csv = pd.read_csv(output / "tables" / "figure-05.csv", keep_default_na=False)
    assert len(csv) == len(five)


def _linear(result: LanguageStudy) -> set[str]:
    blocks = range(3)
    parts = ("attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin",
             "ffn.lin1", "ffn.lin2")  # fmt: skip
    names = {f"distilbert.transformer.layer.{b}.{part}.weight" for b in blocks for part in parts}
    return names | {"classifier.weight"}


def test_rows__are_what_the_naive_loop_measures(
    study: tuple[LanguageStudy, Path], model_folder: Path, conll: Path
) -> None:
    result, _ = study
    model, tokenizer = open_pretrained(model_folder, "ner")
    sentences = read_conll(conll)
    table = pd.concat(result.tables.values(), ignore_index=True)
    rng = np.random.default_rng(11)
    chosen = [*rng.permutation(len(table))[:45]]
    seen = set()
    for row in table.iloc[chosen].itertuples():
        if row.layer == "all":
            assert row.f1 == naive_f1(model, tokenizer, sentences)
            continue
        (layer,) = list_layers(model, row.layer)
        weights: Any = layer.graph()
        if row.probe in ("prune", "randomize"):
            weights = bipnet.prune(weights, row.fraction_removed)
        if row.probe == "flip":
            weights = bipnet.flip_signs(weights, row.level)
        if row.probe == "noise":
            weights = bipnet.add_noise(
                weights, row.level, rng=3, distribution="normal", index=row.realization,
                name=row.layer,
            )  # fmt: skip
        if row.probe == "randomize" and weights.n_edges > 1:
            weights = bipnet.randomize(
                weights, row.null_model, rng=3, index=row.realization, name=row.layer
            )
        if row.model == "signed":
            weights = bipnet.binarize(weights)
        with swapped(model, weights={row.layer: weights}):
            assert row.f1 == naive_f1(model, tokenizer, sentences), row
        seen.add((row.probe, row.model))
    assert len(seen) >= 6
    assert table["f1"].nunique() > 10


def test_map__takes_the_noise_of_each_layers_own_width(
    study: tuple[LanguageStudy, Path], model_folder: Path
) -> None:
    result, _ = study
    model, _ = open_pretrained(model_folder, "ner")
    noise = result.tables[MAP].query("probe == 'noise'")
    for name, level in noise.groupby("layer")["level"].first().items():
        sigma = float(model.state_dict()[str(name)].double().std(correction=0))
        assert level == pytest.approx(sigma, rel=1e-5)


def test_two_workers_and_a_second_run__give_the_same_bytes(
    study: tuple[LanguageStudy, Path], model_folder: Path, conll: Path, tmp_path: Path
) -> None:
    _, first = study
    output = tmp_path / "again"
    options: dict[str, Any] = {"model": model_folder, "conll": conll, "settings": QUICK}
    made = study_language_model(output=output, n_workers=2, tables_only=True, **options)
    assert files_of(output) == files_of(first)
    some = sorted((output / "jobs").iterdir())[::3]
    for path in some:
        path.unlink()
    again = study_language_model(output=output, n_workers=1, tables_only=True, **options)
    assert (again.n_done, again.n_kept) == (len(some), made.n_done - len(some))
    assert files_of(output) == files_of(first)


def test_second_run__reports_and_judges_the_figures_of_both(
    study: tuple[LanguageStudy, Path], model_folder: Path, conll: Path, tmp_path: Path
) -> None:
    whole, first = study
    output = tmp_path / "results"
    shutil.copytree(first / "jobs", output / "jobs")
    options: dict[str, Any] = {"model": model_folder, "conll": conll, "settings": QUICK}
    options |= {"output": output, "n_workers": 1}
    study_language_model([5], tables_only=True, **options)
    made = study_language_model([9], **options)
    assert (set(made.tables), set(made.earlier)) == ({9}, {5, MAP})
    assert made.n_done == 0
    assert files_of(output) == files_of(first)
    assert [f.as_dict() for f in made.findings] == [f.as_dict() for f in whole.findings]
    assert made.summary() == whole.summary()
    page = (output / "report.html").read_text()
    assert page.count("<img ") == 3
    assert {path.stem for path in (output / "figures").iterdir()} == {
        "figure-05", "figure-09", "layer-map",
    }  # fmt: skip


def test_nothing_is_held_afterwards(study: tuple[LanguageStudy, Path]) -> None:
    assert work.session.cache_info().currsize == 0


# -- what goes wrong ---------------------------------------------------------------------------


def test_another_protocol__is_refused(
    study: tuple[LanguageStudy, Path], model_folder: Path, conll: Path
) -> None:
    _, output = study
    other = LanguageSettings(LAYERS, quick=True, seed=4)
    with pytest.raises(InputError, match=r"another protocol \(seed was 3 and is 4\)"):
        study_language_model(model=model_folder, conll=conll, output=output, settings=other)


def test_layers__that_are_not_there_list_what_is(
    model_folder: Path, conll: Path, tmp_path: Path
) -> None:
    settings = LanguageSettings(("*layer.7*",), quick=True)
    with pytest.raises(LayerNotFoundError, match=r"There are: distilbert"):
        study_language_model(
            model=model_folder, conll=conll, output=tmp_path / "r", settings=settings
        )
    assert not (tmp_path / "r").exists()


def test_paper_layers__of_models_that_have_them() -> None:
    six = paper_layers(tiny_models.distilbert())
    assert six == [
        "distilbert.embeddings.position_embeddings.weight",
        "distilbert.transformer.layer.0.ffn.lin1.weight",
        "distilbert.transformer.layer.0.ffn.lin2.weight",
        "distilbert.transformer.layer.2.ffn.lin1.weight",
        "distilbert.transformer.layer.2.ffn.lin2.weight",
        "classifier.weight",
    ]
    assert [short_name(name) for name in paper_layers(tiny_models.bert())] == [
        "position_embeddings",
        "layer 0, intermediate.dense",
        "layer 0, output.dense",
        "layer 1, intermediate.dense",
        "layer 1, output.dense",
        "classifier",
    ]
    with pytest.raises(InputError, match=r"not known for a gpt2 model: name layers with --layers"):
        paper_layers(tiny_models.gpt2())


@pytest.mark.parametrize("name", ["realizations", "sentences"])
def test_settings__count_from_one(name: str) -> None:
    with pytest.raises(InputError, match=f"number of {name} must be 1 or more, got 0"):
        LanguageSettings(**{name: 0})


@pytest.mark.parametrize("figures", [[], [4], [5, 6]])
def test_figures__are_five_and_nine(figures: list[int]) -> None:
    with pytest.raises(InputError, match="are 5 and 9"):
        study_language_model(figures, conll="nowhere")


def test_plan__of_the_paper_has_its_grids_and_draws() -> None:
    plan = make_language_plan(
        FIGURES, ["a.weight"], ["a.weight", "b.weight"], LanguageSettings(), ("m", "d"), {}
    )
    jobs = [job for group in plan.jobs.values() for _, job in group]
    points: dict[tuple[str, int], list[Any]] = {}
    for figure, group in plan.jobs.items():
        for _, job in group:
            for name, levels, signed in job.params["probes"]:
                points.setdefault((name, figure), []).extend(levels)
                n = job.params["n_realizations"] if name not in ("prune", "flip") else 1
                assert len(levels) * n * len(signed) <= 60
    assert points["prune", 5] == list(PRUNE_LEVELS)
    assert points["A", 5] == points["B", 5] == list(PRUNE_LEVELS)
    assert points["noise", 9] == list(NOISE_LEVELS)
    assert points["flip", 9] == list(FLIP_LEVELS)
    assert (len(NOISE_LEVELS), len(FLIP_LEVELS)) == (100, 50)
    assert (PRUNE_LEVELS[0], PRUNE_LEVELS[-1]) == (0.001, 0.999999)
    assert {job.params["n_realizations"] for job in jobs} == {5}
    assert len({job.key for job in jobs}) == len(jobs)


# -- verdicts ----------------------------------------------------------------------------------

EARLY = [
    "m.embeddings.position_embeddings.weight",
    "m.layer.0.ffn.lin1.weight",
    "m.layer.0.ffn.lin2.weight",
]
LATE = ["m.layer.5.ffn.lin1.weight", "m.layer.5.ffn.lin2.weight", "classifier.weight"]


def synthetic(**other: Any) -> dict[int, pd.DataFrame]:
    """Tables in which every claim holds, but for what ``other`` says of single curves.

    Curves: (layers, probe, null model, model) -> F1 at each of a few strengths.
    """
    curves: dict[str, Any] = {
        "early prune": [0.88, 0.8, 0.4, 0.2],
        "late prune": [0.9, 0.9, 0.88, 0.8],
        "early signed": [0.3, 0.5, 0.04, 0.03],
        "late signed": [0.9, 0.9, 0.88, 0.75],
        "early A": [0.6, 0.7, 0.7, 0.7],
        "late A": [0.85, 0.8, 0.7, 0.7],
        "early B": [0.8, 0.8, 0.7, 0.7],
        "late B": [0.9, 0.9, 0.89, 0.8],
        "position flip": [0.9, 0.6, 0.5, 0.7],
    } | other
    rows: list[tuple[Any, ...]] = [(5, "all", "float", "none", "", 0.0, np.nan, 0, 0.9)]
    p = (0.001, 0.5, 0.9, 0.99)
    for place, layers in (("early", EARLY), ("late", LATE)):
        for layer in layers:
            for what, probe, letter, model in (
                ("prune", "prune", "", "float"),
                ("signed", "prune", "", "signed"),
                ("A", "randomize", "A", "float"),
                ("B", "randomize", "B", "float"),
            ):
                for at, f1 in zip(p, curves[f"{place} {what}"], strict=True):
                    rows.append((5, layer, model, probe, letter, at, np.nan, 0, f1))
    for at, f1 in zip((0.0, 0.3, 0.6, 1.0), curves["position flip"], strict=True):
        rows.append((9, EARLY[0], "float", "flip", "", 0.0, at, 0, f1))
    table = pd.DataFrame(rows, columns=list(LANGUAGE_COLUMNS)).astype(dict(LANGUAGE_COLUMNS))
    return {5: table[table["figure"] == 5], 9: table[table["figure"] == 9]}


BREAKING: list[tuple[str, dict[str, Any]]] = [
    ("early-least-robust", {"late signed": [0.2, 0.2, 0.2, 0.2]}),
    ("early-decline", {"early signed": [0.3, 0.5, 0.06, 0.03]}),  # too late is not rapid
    ("pruning-helps-early", {"early signed": [0.3, 0.305, 0.2, 0.1]}),
    ("signs-suffice-late", {"late signed": [0.885, 0.9, 0.88, 0.7]}),
    ("late-survive-pruning", {"late signed": [0.9, 0.9, 0.6, 0.75]}),
    ("late-survive-pruning", {"late signed": [0.9, 0.9, 0.88, 0.7]}),
    ("A-reasonable", {"early A": [0.4, 0.7, 0.7, 0.7]}),
    ("A-reasonable", {"late A": [0.7, 0.7, 0.7, 0.4]}),
    ("B-harmless-late", {"late B": [0.87, 0.9, 0.89, 0.8]}),
    ("B-harmless-late", {"late B": [0.9, 0.9, 0.85, 0.8]}),
    ("binarising-worse-than-B", {"early signed": [0.8, 0.82, 0.2, 0.1]}),
    ("B-early-more", {"early B": [0.9, 0.8, 0.7, 0.7]}),
    ("positional-flip", {"position flip": [0.9, 0.6, 0.5, 0.5]}),
    ("positional-flip", {"position flip": [0.5, 0.6, 0.6, 0.9]}),  # nothing falls
]


def verdicts(tables: dict[int, pd.DataFrame]) -> dict[str, str]:
    found = evaluate_language_claims(tables, "tiny")
    return {finding.claim.key: finding.verdict for finding in found}


def test_claims__hold_where_the_numbers_say_so() -> None:
    assert set(verdicts(synthetic()).values()) == {"holds"}
    assert {key for key, _ in BREAKING} == {claim.key for claim in LANGUAGE_CLAIMS}


@pytest.mark.parametrize(("key", "curves"), BREAKING, ids=[key for key, _ in BREAKING])
def test_claims__fall_one_by_one(key: str, curves: dict[str, Any]) -> None:
    assert verdicts(synthetic(**curves))[key] == "does not hold"


def finding(tables: dict[int, pd.DataFrame], key: str) -> Finding:
    (found,) = [f for f in evaluate_language_claims(tables, "tiny") if f.claim.key == key]
    return found


def test_claims__show_the_point_that_decides_and_the_draws() -> None:
    numbers = finding(synthetic(**{"late B": [0.9, 0.9, 0.83, 0.8]}), "B-harmless-late").numbers
    assert numbers["largest cost in classifier"] == pytest.approx(0.05)
    assert numbers["at p (classifier)"] == 0.9
    numbers = finding(synthetic(), "late-survive-pruning").numbers
    assert numbers["lowest of classifier"] == 0.75
    assert numbers["at p (classifier)"] == 0.99
    assert numbers["classifier high up to p"] == 0.99
    fallen = synthetic(**{"late signed": [0.9, 0.7, 0.88, 0.75]})
    assert finding(fallen, "late-survive-pruning").numbers["classifier high up to p"] == 0.001
    five = synthetic()[5]
    second = five[five["null_model"] == "B"].assign(realization=1)
    both = {5: pd.concat([five, second], ignore_index=True)}
    assert finding(both, "B-early-more").n == (2, 2)
    assert finding(both, "binarising-worse-than-B").n == (1, 2)


def test_positional_flip__may_end_lower_than_it_falls_in_between() -> None:
    tables = synthetic(**{"position flip": [0.9, 0.5, 0.7, 0.2]})
    found = finding(tables, "positional-flip")
    assert found.verdict == "holds"
    assert dict(found.numbers) == {
        "F1 at q = 0": 0.9, "falls to": 0.5, "at q": 0.3, "rises again to": 0.7,
        "that at q": 0.6, "F1 at the largest q": 0.2,
    }  # fmt: skip


def test_b__is_measured_against_the_pruned_layer_not_the_model_as_it_is() -> None:
    fallen = {"late prune": [0.9, 0.6, 0.5, 0.4], "late B": [0.9, 0.59, 0.5, 0.4]}
    assert verdicts(synthetic(**fallen))["B-harmless-late"] == "holds"


def test_short_names__are_never_the_same_for_two_layers() -> None:
    both = [
        f"model.{side}.layers.0.fc{i}.weight" for side in ("encoder", "decoder") for i in (1, 2)
    ]
    assert list(short_names(both).values()) == [
        "encoder layer 0, fc1", "encoder layer 0, fc2",
        "decoder layer 0, fc1", "decoder layer 0, fc2",
    ]  # fmt: skip
    bert = [f"bert.encoder.layer.0.{part}output.dense.weight" for part in ("attention.", "")]
    assert list(short_names(bert, without=("attention.",)).values()) == [
        "layer 0, attention.output.dense",
        "layer 0, output.dense",
    ]
    one = short_names(bert[:1], without=("attention.",))
    assert one == {bert[0]: "layer 0, output.dense"}
    odd = ["layers.0.a", "layers.0.a.weight", "head", "head.weight"]
    assert len(set(short_names(odd).values())) == 4


def test_figure__of_an_encoder_and_a_decoder_has_a_curve_for_each_layer() -> None:
    five = synthetic()[5]
    names = {"m.layer.0.ffn.lin1.weight": "encoder", "m.layer.5.ffn.lin1.weight": "decoder"}
    five = five.assign(
        layer=five["layer"].map(
            lambda name: f"m.{names[name]}.layer.0.fc.weight" if name in names else name
        )
    )
    drawn = LANGUAGE_FIGURES[0].figure({5: five})
    (legend,) = drawn.legends
    labels = [text.get_text() for text in legend.get_texts()]
    assert {"m.encoder layer 0, fc", "m.decoder layer 0, fc"} <= set(labels) or {
        "encoder layer 0, fc", "decoder layer 0, fc",
    } <= set(labels)  # fmt: skip
    assert len(labels) == len(set(labels)) == 6


def test_claims__without_their_rows_are_not_measured() -> None:
    assert set(verdicts({}).values()) == {"not measured"}
    tables = synthetic()
    only_late = {5: tables[5][~tables[5]["layer"].isin(EARLY)]}
    found = verdicts(only_late)
    assert found["early-least-robust"] == "not measured"
    assert found["B-harmless-late"] == "holds"
    assert found["positional-flip"] == "not measured"
    assert json.dumps([f.as_dict() for f in evaluate_language_claims(tables, "tiny")])


def test_claims__of_a_model_that_finds_nothing_are_not_measured() -> None:
    tables = {number: table.assign(f1=0.0) for number, table in synthetic().items()}
    found = verdicts(tables)
    assert found.pop("positional-flip") == "does not hold"
    assert set(found.values()) == {"not measured"}


def test_blocks__are_first_and_last_in_the_model_not_among_the_probed() -> None:
    probed = ["m.layer.3.a.weight", "m.layer.4.a.weight", "m.wpe.weight"]
    of_model = [f"m.layer.{i}.a.weight" for i in range(6)]
    assert list(blocks_of(probed, of_model).values()) == ["middle", "middle", "early"]
    tables = synthetic()
    tables[MAP] = tables[5].assign(figure=MAP, layer="m.layer.9.x.weight")
    assert verdicts(tables)["signs-suffice-late"] == "holds"  # the classifier is late still
    only_blocks = {5: tables[5][~tables[5]["layer"].str.contains("classifier")], MAP: tables[MAP]}
    assert verdicts(only_blocks)["signs-suffice-late"] == "not measured"


def test_bars__are_lost_from_the_model_as_it_is_not_from_a_better_binarised_one() -> None:
    five = synthetic()[5]
    better = five.iloc[[1]].assign(probe="none", model="signed", f1=0.99)
    drawn = LANGUAGE_FIGURES[0].figure({5: pd.concat([five, better], ignore_index=True)})
    heights = [patch.get_height() for patch in drawn.axes[3].patches]
    assert heights[0] == pytest.approx(100 * (0.9 - 0.3))


def test_another_config_or_tokenizer__is_another_model(model_folder: Path) -> None:
    model, tokenizer = open_pretrained(model_folder, "ner")
    before = work.model_digest(model, tokenizer)
    assert work.model_digest(*open_pretrained(model_folder, "ner")) == before
    model.config.activation = "relu"
    assert work.model_digest(model, tokenizer) != before
    other = tiny_models.tokenizer(special=False)
    assert work.model_digest(open_pretrained(model_folder, "ner")[0], other) != before


def test_data_without_entities__is_refused(
    cli: Callable[..., tuple[int, str]], model_folder: Path, tmp_path: Path
) -> None:
    data = tmp_path / "all-o.txt"
    data.write_text("anna O\nmet O\n")
    code, text = cli("reproduce", 5, "--model", model_folder, "--conll", data, "-o", tmp_path / "r")
    assert (code, "no entity in 1 sentence(s)" in text) == (2, True)


def test_blocks__of_one_block_are_neither_early_nor_late() -> None:
    assert blocks_of(["m.layer.0.a.weight"]) == {"m.layer.0.a.weight": "middle"}
    names = ["e.embed.weight", "m.0.a.weight", "m.1.a.weight", "m.2.a.weight", "head.weight"]
    assert list(blocks_of(names).values()) == ["early", "early", "middle", "late", "late"]


# -- pictures, numbers, report -----------------------------------------------------------------


def test_losses__are_the_score_as_it_is_minus_the_median(
    study: tuple[LanguageStudy, Path],
) -> None:
    table = study[0].tables[MAP]
    original = float(table.query("probe == 'none'")["f1"].iloc[0])
    lost = map_losses(table)
    assert list(lost.columns) == [
        "pruned, p = 0.5", "pruned, p = 0.9", "binarised", "noise, sd = σ(w)", "flipped, q = 0.2",
        "null model A", "null model B",
    ]  # fmt: skip
    assert set(lost.index) == _linear(study[0])
    rows = table[(table["layer"] == "classifier.weight") & (table["null_model"] == "A")]
    assert len(rows) == 2
    assert lost.loc["classifier.weight", "null model A"] == original - rows["f1"].median()
    with pytest.raises(InputError, match="no score of the model as it is"):
        map_losses(table[table["probe"] != "none"])


def test_pictures_and_report__are_of_the_tables(study: tuple[LanguageStudy, Path]) -> None:
    result, output = study
    names = [path.name for path in result.files]
    assert names == [
        "figure-05.png", "figure-05.pdf", "figure-09.png", "figure-09.pdf", "layer-map.png",
        "layer-map.pdf", "report.html",
    ]  # fmt: skip
    page = (output / "report.html").read_text()
    for text in ("Figure 5.", "Figure 9.", "Beyond the paper.", "tiny-ner", "Numbers of Figure 5"):
        assert text in page
    assert 'id="networks"' not in page
    assert page.count("<img ") == 3
    for claim in LANGUAGE_CLAIMS:
        assert f'id="claim-{claim.key}"' in page


def test_curves__in_the_picture_are_medians_of_the_table(
    study: tuple[LanguageStudy, Path],
) -> None:
    table = study[0].tables[5]
    drawn = LANGUAGE_FIGURES[0].figure(study[0].tables)
    panel = drawn.axes[1]
    rows = table[(table["layer"] == "classifier.weight") & (table["null_model"] == "A")]
    medians = 100 * rows.groupby("fraction_removed")["f1"].median()
    (line,) = [line for line in panel.get_lines() if line.get_label() == "classifier"]
    assert np.asarray(line.get_ydata()) == pytest.approx(medians.to_numpy())
    heights = [patch.get_height() for patch in drawn.axes[4].patches]
    original = float(table.query("probe == 'none' and model == 'float'")["f1"].iloc[0])
    assert heights[-1] == pytest.approx(100 * original - medians.iloc[0])


def test_map__shows_a_gain_as_another_thing_than_nothing_lost() -> None:
    lost = pd.DataFrame({"A": [40.0, 0.0], "B": [-20.0, -0.04]}, index=["first", "last"])
    ax = layer_heatmap(lost, label="F1 lost", gained="gained")
    colors = dict(zip(("A first", "B first", "A last", "B last"), face_colors(ax), strict=True))
    assert sum(colors["A last"]) > 2.85  # nothing lost: white
    red, _, blue = colors["A first"]
    assert red > blue + 0.3
    red, _, blue = colors["B first"]
    assert blue > red + 0.1
    frames = [patch for patch in ax.patches if not patch.get_fill()]
    assert [frame.get_x() for frame in frames] == [pytest.approx(0.54)]  # -0.0 is no gain
    assert [t.get_text() for t in ax.texts if t.get_fontweight() == "bold"] == ["-20.0"]
    (bar,) = [other for other in ax.figure.axes if other is not ax]
    assert bar.get_ylabel() == "F1 lost; framed: gained"
    assert bar.get_ylim() == (-20, 40)
    without = layer_heatmap(lost[["A"]], label="F1 lost", gained="gained")
    (bar,) = [other for other in without.figure.axes if other is not without]
    assert (bar.get_ylabel(), bar.get_ylim()) == ("F1 lost", (0, 40))
    plt.close("all")


def face_colors(ax: Any) -> list[tuple[float, float, float]]:
    (mesh,) = ax.collections
    return [tuple(color[:3]) for color in mesh.cmap(mesh.norm(mesh.get_array().ravel()))]


def test_numbers__of_figure_5_have_its_bars(study: tuple[LanguageStudy, Path]) -> None:
    table = study[0].tables[5]
    made = language_numbers(5, table)[-1]
    assert made.title == "F1 lost in points at p = 0.001 (panels d to f), median (IQR)"
    assert list(made.header) == ["layer", "binarised", "null model A", "null model B"]
    assert [row[0] for row in made.rows] == ["layer 2, ffn.lin2", "classifier"]
    drawn = LANGUAGE_FIGURES[0].figure(study[0].tables)
    for column in (1, 2, 3):
        heights = [patch.get_height() for patch in drawn.axes[2 + column].patches]
        told = [float(row[column].split()[0].replace("\u2212", "-")) for row in made.rows]
        assert told == pytest.approx(heights, abs=0.051)


def test_json__has_the_score_and_every_point(study: tuple[LanguageStudy, Path]) -> None:
    found = json.loads(json.dumps(study[0].as_json(), allow_nan=False))
    original = study[0].tables[5].query("probe == 'none' and model == 'float'")["f1"].iloc[0]
    assert found["summary"]["f1"] == original
    assert {point["figure"] for point in found["summary"]["points"]} == {0, 5, 9}
    assert found["settings"]["model"]["name"] == "tiny-ner"
    assert "figures 5, 9" in study[0].as_text()


# -- command line ------------------------------------------------------------------------------


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """The command line in this process: exit code, and all that it printed."""

    def call(*arguments: Any) -> tuple[int, str]:
        code = run([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return call


def test_command__makes_the_study(
    cli: Callable[..., tuple[int, str]], model_folder: Path, conll: Path, tmp_path: Path
) -> None:
    output = tmp_path / "results"
    code, text = cli(
        "reproduce", 9, "--model", model_folder, "--conll", conll.parent, "--quick", "--layers",
        "classifier", "--sentences", 12, "--realizations", 1, "-o", output, "--workers", 1,
        "--tables-only", "--seed", 3, "--json",
    )  # fmt: skip
    assert code == 0, text
    found = json.loads(text)
    assert found["settings"]["data"]["sentences"] == 12
    assert found["settings"]["layers"] == ["classifier.weight"]
    assert found["rows"] == {"9": 2 * (len(QUICK_NOISE_LEVELS) + len(QUICK_FLIP_LEVELS))}
    assert not (output / "report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["5"], "figures 5 and 9 need labelled sentences: --conll FILE"),
        (["5", "1"], "reproduce them apart, into another folder"),
        (["5", "--conll", "x", "--biases", "fresh"], "--biases is of figures about MLPs"),
        (["1", "--model", "x"], "--model is of figures 5 and 9"),
        (["1", "--sentences", "5"], "--sentences is of figures 5 and 9"),
        (["14"], "no figure '14' to reproduce; there are 1, 2, 3, 4, 5, 6"),
        (["9", "--conll", "nowhere.txt", "--model", "./none"], "no folder of a model: ./none"),
    ],
)
def test_command__says_what_is_wrong_in_one_line(
    cli: Callable[..., tuple[int, str]], arguments: list[str], message: str, tmp_path: Path
) -> None:
    code, text = cli("reproduce", *arguments, "-o", tmp_path / "r")
    assert code == 2
    assert message in text
    assert "Traceback" not in text
    assert not (tmp_path / "r").exists()


def test_labels__that_do_not_match_show_both_sets(
    cli: Callable[..., tuple[int, str]], model_folder: Path, tmp_path: Path
) -> None:
    data = tmp_path / "other.txt"
    data.write_text("anna B-PERSON\nmet O\n")
    code, text = cli("reproduce", 5, "--model", model_folder, "--conll", data, "-o", tmp_path / "r")
    assert code == 2
    assert "B-PERSON" in text
    assert "I-LOC" in text
