"""bipnet probe and complexity with --task: the library's tables, and one line for a mistake."""

from __future__ import annotations

import json
import re
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny_models

from bipnet.cli import run

torch = pytest.importorskip("torch")
pd = pytest.importorskip("pandas")
pytest.importorskip("transformers")
pytest.importorskip("seqeval")

from bipnet.torch import CKA, probe, task_complexity  # noqa: E402
from bipnet.torch.text import (  # noqa: E402
    CausalLM,
    MaskedLM,
    SequenceClassification,
    TokenClassification,
    open_pretrained,
    read_conll,
    sample_sentences,
)

Run = Callable[..., tuple[int, str, str]]
NER = ("--task", "ner", "--data", "conll")
LM = ("--task", "lm", "--data", "text.txt")
CLASSES = ("--task", "classification", "--data")
PAIRS = (*CLASSES, "pairs.csv")
FROM_CSV: Any = {"keep_default_na": False, "na_values": {"level": ""}}

CONLL = """Anna NN B-PER
works VB O
at IN O
Acme NN B-ORG
Corp NN I-ORG
. . O

Ben NN B-PER
met VB O
Anna NN B-PER
in IN O
Berlin NN B-LOC
. . O

The DT O
unbelievable JJ O
Paris NN B-LOC
. . O

Acme NN B-ORG
met VB O
Ben NN B-PER
"""
ROWS = [
    ("anna met ben", "in berlin", 0),
    ("the acme corp", "works", 1),
    ("ben works at acme", "NA", 1),
    ("paris", "unbelievable", 0),
    ("anna", "null", 1),
]
TEXT = "Anna works at Acme Corp.\n\nBen met Anna in Berlin.\nThe unbelievable Paris.\n" * 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of every task, and data for each."""
    where = tmp_path_factory.mktemp("language")
    models = {
        "ner": tiny_models.distilbert(),
        "classes": tiny_models.bert("SequenceClassification"),
        "causal": tiny_models.gpt2(),
        "masked": tiny_models.distilbert("MaskedLM"),
    }
    for name, model in models.items():
        model.save_pretrained(where / name)  # type: ignore[operator]
        tiny_models.tokenizer().save_pretrained(where / name)
    (where / "conll").mkdir()
    (where / "conll" / "test.txt").write_text(CONLL)
    (where / "text.txt").write_text(TEXT)
    table = pd.DataFrame(ROWS, columns=["text", "text_pair", "label"])
    table.to_csv(where / "pairs.csv", index=False)
    table[["text", "label"]].to_csv(where / "texts.tsv", index=False, sep="\t")
    table.to_json(where / "pairs.jsonl", orient="records", lines=True)
    table.to_parquet(where / "pairs.parquet")
    return where


@pytest.fixture
def cli(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> Run:
    """Run a command in this process and that folder: (exit code, stdout, stderr)."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def call(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()  # transformers shows how it writes a model
        with warnings.catch_warnings():
            code = run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def ok(result: tuple[int, str, str]) -> str:
    code, out, err = result
    assert (code, err) == (0, ""), err
    return out


def entities(model: Any, tokenizer: Any, n: int | None = None, rng: int = 0) -> Any:
    sentences = sample_sentences(read_conll("conll"), n, rng=rng)
    return TokenClassification(sentences, tokenizer, model)


def test_probe__of_entities_is_the_table_of_the_library(cli: Run) -> None:
    options = ("--task", "ner", "--data", "conll", "--probe", "B", "--levels", "0,0.5", "-n", 2)
    options += ("--seed", 7, "--layers", "*ffn*", "--layers", "classifier", "--each")  # type: ignore[assignment]
    out = ok(cli("probe", "ner", *options, "-o", "t.csv", "--force"))
    model, tokenizer = open_pretrained("ner", "ner")
    wanted = probe(
        model,
        entities(model, tokenizer),
        "B",
        levels=[0, 0.5],
        layers=["*ffn*", "classifier"],
        each=True,
        n_realizations=2,
        rng=7,
    )
    found = pd.read_csv("t.csv", **FROM_CSV)
    pd.testing.assert_frame_equal(found, wanted, check_dtype=False, rtol=1e-12)
    assert found["score"].nunique() > 3
    assert out.splitlines()[-2:] == ["score: f1 (higher is better)", "written: t.csv"]


def probed(cli: Run, model: str, *options: object) -> tuple[dict[str, Any], list[float]]:
    """What --json says, and the scores: as it is, signed, pruned and pruned and signed."""
    result = json.loads(ok(cli("probe", model, *options, "--levels", "0.5", "--json")))
    rows = result.pop("rows")
    assert [row["model"] for row in rows] == ["float", "signed", "float", "signed"]
    return result, [row["score"] for row in rows]


def in_python(model: Any, evaluate: Any) -> list[float]:
    scores: list[float] = probe(model, evaluate, levels=[0.5])["score"].tolist()
    return scores


@pytest.mark.parametrize("score", ["f1", "precision", "recall"])
def test_scores__of_entities(cli: Run, score: str) -> None:
    result, scores = probed(cli, "ner", "--task", "ner", "--data", "conll", "--score", score)
    assert result == {
        "model": "ner", "probe": "prune", "biases": False, "task": "ner", "score": score,
        "higher_is_better": True,
    }  # fmt: skip
    model, tokenizer = open_pretrained("ner", "ner")
    evaluate = entities(model, tokenizer)
    assert scores == in_python(model, lambda model: getattr(evaluate.score(model), score))


@pytest.mark.parametrize("score", ["accuracy", "macro-f1"])
@pytest.mark.parametrize("data", ["pairs.csv", "pairs.jsonl", "pairs.parquet", "texts.tsv"])
def test_scores__of_labelled_texts(cli: Run, data: str, score: str) -> None:
    pytest.importorskip("sklearn")
    options = ("--task", "classification", "--data", data, "--score", score)
    result, scores = probed(cli, "classes", *options)
    assert (result["score"], result["higher_is_better"]) == (score, True)
    model, tokenizer = open_pretrained("classes", "classification")
    texts: Any = [row[0] if data == "texts.tsv" else row[:2] for row in ROWS]
    labels = [row[2] for row in ROWS]
    measure: Any = score.replace("-", "_")
    evaluate = SequenceClassification(texts, labels, tokenizer, model, measure=measure)
    assert scores == in_python(model, evaluate)


@pytest.mark.parametrize("name", ["causal", "masked"])
@pytest.mark.parametrize("score", ["loss", "perplexity"])
def test_scores__of_language_models(cli: Run, name: str, score: str) -> None:
    result, scores = probed(cli, name, "--task", "lm", "--data", "text.txt", "--score", score)
    assert (result["score"], result["higher_is_better"]) == (score, False)
    kind: Any = f"{name}-lm"
    model, tokenizer = open_pretrained(name, kind)
    evaluator: Any = CausalLM if name == "causal" else MaskedLM
    assert scores == in_python(model, evaluator(TEXT, tokenizer, model, measure=score))


def test_names_of_labels__may_be_numbers(cli: Run, folder: Path) -> None:
    """Stars from 1 on: "1" is the name of label 0, not label 1."""
    model = tiny_models.bert("SequenceClassification")
    model.config.id2label = {0: "1", 1: "2"}
    model.config.label2id = {"1": 0, "2": 1}
    model.save_pretrained(folder / "stars")  # type: ignore[operator]
    tiny_models.tokenizer().save_pretrained(folder / "stars")
    stars = pd.DataFrame([(a, b, label + 1) for a, b, label in ROWS])
    stars.columns = ["text", "text_pair", "label"]
    stars.to_json("stars.jsonl", orient="records", lines=True)
    options = ("--task", "classification", "--data")
    found = probed(cli, "stars", *options, "stars.jsonl")[1]
    assert found == probed(cli, "classes", *options, "pairs.csv")[1]


def test_cka__of_chosen_modules(cli: Run) -> None:
    options = ("--task", "ner", "--data", "conll", "--score", "cka", "--at", "*layer.?")
    result, scores = probed(cli, "ner", *options, "--tokens", 15, "--sample-seed", 3)
    assert (result["score"], result["higher_is_better"]) == ("cka", True)
    model, tokenizer = open_pretrained("ner", "ner")
    cka = CKA(model, entities(model, tokenizer), at="*layer.?", n_tokens=15, rng=3)
    assert scores == in_python(model, cka)
    assert scores[0] == pytest.approx(1)
    for name, task, data in (
        ("causal", "lm", "text.txt"),
        ("classes", "classification", "pairs.csv"),
    ):
        at = ("--score", "cka", "--at", "*h.1" if name == "causal" else "*layer.1")
        assert probed(cli, name, "--task", task, "--data", data, *at)[1][0] == pytest.approx(1)


def test_samples__depend_on_their_own_seed_alone(cli: Run) -> None:
    base = ("probe", "ner", "--task", "ner", "--data", "conll", "--probe", "B", "--levels", "0")
    base += ("--models", "float", "-n", "1", "--json", "--sentences", "2")

    def first(*options: object) -> float:
        score: float = json.loads(ok(cli(*base, *options)))["rows"][0]["score"]
        return score

    model, tokenizer = open_pretrained("ner", "ner")
    for rng in range(3):
        wanted = entities(model, tokenizer, 2, rng)(model)
        assert first("--seed", 1, "--sample-seed", rng) == wanted
        assert first("--seed", 2, "--sample-seed", rng) == wanted
    assert first() == entities(model, tokenizer, 2)(model)
    causal, its_tokenizer = open_pretrained("causal", "causal-lm")
    lines = [line for line in TEXT.splitlines(keepends=True) if line.strip()]
    loss = CausalLM("".join(sample_sentences(lines, 3, rng=0)), its_tokenizer, causal)  # type: ignore[type-var,arg-type]
    options = ("--task", "lm", "--data", "text.txt", "--sentences", 3)
    assert probed(cli, "causal", *options)[1][0] == loss(causal)


def test_options__of_the_model_are_passed_on(cli: Run) -> None:
    options = ("--task", "lm", "--data", "text.txt", "--dtype", "bfloat16", "--batch-tokens", 40)
    found = probed(cli, "causal", *options)[1]
    model, tokenizer = open_pretrained("causal", "causal-lm", dtype="bfloat16")
    assert found == in_python(model, CausalLM(TEXT, tokenizer, model, batch_tokens=40))


def test_complexity__of_entities(cli: Run) -> None:
    options = ("--task", "ner", "--data", "conll", "-n", 2, "--seed", 7, "--layers", "*ffn*")
    result = json.loads(ok(cli("complexity", "ner", *options, "--json")))
    model, tokenizer = open_pretrained("ner", "ner")
    wanted = task_complexity(
        model, entities(model, tokenizer), layers="*ffn*", n_realizations=2, rng=7
    )
    assert [row["gap"] for row in result["rows"]] == wanted["gap"].tolist()
    assert {key: result[key] for key in ("task", "score", "higher_is_better")} == {
        "task": "ner", "score": "f1", "higher_is_better": True,
    }  # fmt: skip
    out = ok(cli("complexity", "causal", "--task", "lm", "--data", "text.txt", "--by", "binarize"))
    assert out.splitlines()[-1] == "score: loss (lower is better)"


def test_probes__of_late_layers_do_not_run_the_early_ones_again(
    cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wrapper of the command line lets the evaluator's `reusing` through: of an MLP too."""
    import numpy as np

    from bipnet.torch.passes import Passes

    calls: list[int] = []
    reusing = Passes.reusing
    monkeypatch.setattr(
        Passes, "reusing", lambda self, *args: (calls.append(1), reusing(self, *args))[1]
    )
    ok(cli("probe", "ner", "--task", "ner", "--data", "conll", "--layers", "classifier",
           "--levels", "0,0.2,0.5"))  # fmt: skip
    assert calls == [1]
    mlp = torch.nn.Sequential(torch.nn.Linear(6, 9), torch.nn.ReLU(), torch.nn.Linear(9, 3))
    torch.save(mlp.state_dict(), "mlp.pt")
    np.savez("test.npz", x=np.random.default_rng(1).normal(size=(40, 6)), y=np.arange(40) % 3)
    ok(cli("probe", "mlp.pt", "--data", "test.npz", "--layers", "2", "--levels", "0,0.2,0.5"))
    assert calls == [1, 1]


def test_long_texts__are_cut_with_a_warning(cli: Run, folder: Path) -> None:
    (folder / "long.csv").write_text(f"text,label\n{'anna met ben ' * 20},0\nben,1\n")
    options = ("--task", "classification", "--data", "long.csv", "--levels", "0.5")
    code, _, err = cli("probe", "classes", *options)
    assert code == 0
    assert err.splitlines() == [
        "bipnet: warning: long.csv: 1 of 2 texts are longer than the model takes: it reads their"
        " beginning"
    ]


MLP = ("mlp.pt", "--data", "test.npz")
BAD = {
    "no folder": (
        ("no/such", *NER),
        r"no folder no/such, and no model of that name is in the local cache",
    ),
    "folder without a model": (("conll", *NER), "conll has no config.json"),
    "a file": (("text.txt", *NER), "no folder of a model: text.txt"),
    "no data": (("ner", "--task", "ner", "--data", "no.txt"), "no such file: no.txt"),
    "folder without a split": (("ner", "--task", "ner", "--data", "ner"), "no test split"),
    "no text": (("causal", "--task", "lm", "--data", "no.txt"), "no such file: no.txt"),
    "no table": (("classes", *CLASSES, "no.csv"), "no such file: no.csv"),
    "unknown task": (("ner", "--task", "qa", "--data", "conll"), "'qa' is not one of"),
    "wrong task": (("masked", *NER), "has no weights for the task ner"),
    "no language model": (("ner", *LM), "ner is no language model.*DistilBertForTokenClass"),
    "model of text for classes": (("causal", *CLASSES, "pairs.csv"), "no weights for the task"),
    "strange tags": (("ner", "--task", "ner", "--data", "strange.txt"), "do not match.*B-GENE"),
    "bad tag": (("ner", "--task", "ner", "--data", "bad.txt"), "bad.txt, line 3: unknown tag"),
    "bad columns": (("ner", "--task", "ner", "--data", "columns.txt"), "line 2: wanted 2 columns"),
    "strange labels": (("classes", *CLASSES, "names.csv"), "do not match.*the data has bad, good"),
    "labels out of range": (("classes", *CLASSES, "seven.csv"), "do not match.*the data has 0, 7"),
    "half labels": (("classes", *CLASSES, "half.jsonl"), "row 1: a label is a name or a whole"),
    "no label": (("classes", *CLASSES, "empty.csv"), "row 2: a label is .* got ''"),
    "no text in a row": (
        ("classes", *CLASSES, "null.jsonl"),
        "row 2: text must be text, got (nan|N)",
    ),
    "no columns": (("classes", *CLASSES, "other.csv"), "columns text and label.*it has: a, b"),
    "no rows": (("classes", *CLASSES, "header.csv"), "has no rows"),
    "no table at all": (("classes", *CLASSES, "broken.parquet"), "not a readable table"),
    "table ending": (("classes", *CLASSES, "text.txt"), "are read from .csv, .tsv"),
    "no UTF-8": (("causal", "--task", "lm", "--data", "latin.txt"), "latin.txt is not UTF-8"),
    "empty text": (("causal", "--task", "lm", "--data", "empty.txt"), "at least 2 are needed"),
    "no layer": (("ner", *NER, "--layers", "fc"), "no layer of .* matches 'fc'.*There are: dist"),
    "score of another task": (("ner", *NER, "--score", "loss"), "--task ner is scored by f1, pre"),
    "cka of nothing": (("ner", *NER, "--score", "cka"), "name modules with --at"),
    "cka of no module": (
        ("ner", *NER, "--score", "cka", "--at", "nope"),
        "no module of .* matches 'nope'.*There are: distilbert",
    ),
    "at of f1": (("ner", *NER, "--at", "*"), "--at is of --score cka"),
    "tokens of f1": (("ner", *NER, "--tokens", 5), "--tokens is of --score cka"),
    "no sentences": (("ner", *NER, "--sentences", 0), "--sentences"),
    "no device": (("ner", *NER, "--device", "warp"), "device 'warp' cannot be used"),
    "factory": (("ner", *NER, "--factory", "a:b"), "--factory is of a state dict"),
    "batch size": (("ner", *NER, "--batch-size", 8), "--batch-size is of a state dict"),
    "activation": (("ner", *NER, "--activation", "tanh"), "--activation is of a state dict"),
    "score of an MLP": ((*MLP, "--score", "f1"), "--score is of language models: name a --task"),
    "sentences of an MLP": ((*MLP, "--sentences", 3), "--sentences is of language models"),
    "download of an MLP": ((*MLP, "--download"), "--download is of language models"),
    "dtype of an MLP": ((*MLP, "--dtype", "float16"), "--dtype is of language models"),
}


@pytest.fixture(scope="module")
def bad_files(folder: Path) -> None:
    for name, text in {
        "strange.txt": "anna B-GENE\nben O\n",
        "bad.txt": "anna B-PER\nben O\nberlin LOC\n",
        "columns.txt": "anna B-PER\nben\n",
        "names.csv": "text,label\nanna,good\nben,bad\n",
        "seven.csv": "text,label\nanna,0\nben,7\n",
        "half.jsonl": '{"text": "anna", "label": 0.5}\n{"text": "ben", "label": 1}\n',
        "null.jsonl": '{"text": "anna", "label": 0}\n{"text": null, "label": 1}\n',
        "empty.csv": "text,label\nanna,0\nben,\n",
        "other.csv": "a,b\nanna,0\n",
        "header.csv": "text,label\n",
        "broken.parquet": "PAR?",
        "empty.txt": "",
    }.items():
        (folder / name).write_text(text)
    (folder / "latin.txt").write_bytes("né".encode("latin-1"))


@pytest.mark.usefixtures("bad_files")
@pytest.mark.parametrize("case", BAD)
def test_bad_call__is_refused_in_one_line(cli: Run, case: str) -> None:
    arguments, message = BAD[case]
    commands = ("probe", "complexity") if case in ("no folder", "no layer") else ("probe",)
    for command in commands:
        code, out, err = cli(command, *arguments)
        assert (code, out) == (2, ""), err
        (line,) = err.splitlines()
        assert line.startswith("bipnet: error: ")
        assert re.search(message, line), line


@pytest.mark.parametrize(
    ("missing", "arguments"), [("seqeval", ("ner", *NER)), ("transformers", ("causal", *LM))]
)
def test_missing_extra__is_named(
    cli: Run, monkeypatch: pytest.MonkeyPatch, missing: str, arguments: tuple[str, ...]
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == missing]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, missing, None)
    code, out, err = cli("probe", *arguments)
    assert (code, out) == (2, "")
    assert re.search(r"need.* (transformers|seqeval): pip install 'bipnet\[language\]'", err)


def test_a_model_that_does_not_fit_its_tokenizer__is_named(cli: Run, folder: Path) -> None:
    """Its vocabulary is smaller than the tokens' ids."""
    model = tiny_models.gpt2()
    tiny_models.tokenizer().save_pretrained(folder / "small")
    model.resize_token_embeddings(6)  # type: ignore[operator]
    model.save_pretrained(folder / "small")  # type: ignore[operator]
    code, out, err = cli("probe", "small", *LM, "--levels", "0.5")
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith("bipnet: error: small is not a readable model for this data: index")
