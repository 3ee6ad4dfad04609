"""Models and tokenizers from folders; what cannot be opened says why. Nothing asks a network."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny_models
import torch
import transformers
from torch import nn

from bipnet.errors import FileFormatError, InputError, MissingFileError
from bipnet.torch import list_layers
from bipnet.torch.text import (
    CausalLM,
    MaskedLM,
    Sentence,
    SequenceClassification,
    TokenClassification,
    open_pretrained,
)

NER = "TokenClassification"
SEQ = "SequenceClassification"
KINDS: dict[str, tuple[Callable[[], nn.Module], Any]] = {
    "distilbert ner": (tiny_models.distilbert, "ner"),
    "bert ner": (tiny_models.bert, "ner"),
    "distilbert texts": (lambda: tiny_models.distilbert(SEQ), "classification"),
    "bert texts": (lambda: tiny_models.bert(SEQ), "classification"),
    "gpt2 texts": (lambda: tiny_models.gpt2("ForSequenceClassification"), "classification"),
    "gpt2": (tiny_models.gpt2, "causal-lm"),
    "bert masked": (lambda: tiny_models.bert("MaskedLM"), "masked-lm"),
    "distilbert masked": (lambda: tiny_models.distilbert("MaskedLM"), "masked-lm"),
}


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever is asked of a hub fails at once, and no cache of the user's is read."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))


def saved(folder: Path, model: Any, **options: Any) -> Path:
    model.save_pretrained(folder, **options)
    tiny_models.tokenizer().save_pretrained(folder)
    return folder


def evaluator(task: str, tokenizer: Any, model: nn.Module) -> Any:
    if task == "ner":
        data = [Sentence(("anna", "met", "unbelievable", "ben"), ("B-PER", "O", "O", "B-PER"))]
        return TokenClassification(data, tokenizer, model)
    if task == "classification":
        return SequenceClassification(["anna met ben", "paris"], [0, 1], tokenizer, model)
    kind = CausalLM if task == "causal-lm" else MaskedLM
    return kind("anna met ben in paris", tokenizer, model)


@pytest.mark.parametrize("kind", KINDS)
def test_open__gives_what_was_saved(tmp_path: Path, kind: str) -> None:
    make, task = KINDS[kind]
    model = make()
    opened, tokenizer = open_pretrained(saved(tmp_path / "model", model), task)
    assert type(opened) is type(model)
    assert not opened.training
    state = opened.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())
    score = evaluator(task, tokenizer, opened).score(opened)
    assert score == evaluator(task, tiny_models.tokenizer(), model).score(model)
    names = [layer.info.name for layer in list_layers(model, "*")]
    assert [layer.info.name for layer in list_layers(opened, "*")] == names


@pytest.mark.parametrize("stored", [torch.float32, torch.float16, torch.bfloat16])
def test_dtype__is_the_stored_one_or_the_one_asked_for(tmp_path: Path, stored: torch.dtype) -> None:
    folder = saved(tmp_path / "model", tiny_models.distilbert().to(stored))
    model, _ = open_pretrained(str(folder), "ner")
    assert {p.dtype for p in model.parameters()} == {stored}
    model, _ = open_pretrained(folder, "ner", dtype="bfloat16", device="cpu")
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}


def test_settings_of_transformers__are_given_back(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = saved(tmp_path / "model", tiny_models.distilbert())
    settings = transformers.utils.logging
    capfd.readouterr()
    for shows in (False, True):
        (settings.enable_progress_bar if shows else settings.disable_progress_bar)()
        settings.set_verbosity_info()
        try:
            open_pretrained(folder, "ner")
            with pytest.raises(FileFormatError):
                open_pretrained(folder, "masked-lm")
            assert settings.is_progress_bar_enabled() == shows
            assert settings.get_verbosity() == settings.INFO
        finally:
            settings.set_verbosity_warning()
            settings.enable_progress_bar()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"task": "lm"}, "task must be one of ner, classification, causal-lm, masked-lm, got 'lm'"),
        ({"dtype": "int8"}, "dtype must be one of float32, float16, bfloat16, got 'int8'"),
        ({"device": "nowhere"}, "device 'nowhere' cannot be used"),
    ],
)
def test_bad_options__are_refused_before_anything_is_read(
    tmp_path: Path, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(InputError, match=re.escape(says)):
        open_pretrained(tmp_path, **{"task": "ner", **options})


def test_missing_folder__is_told_from_a_missing_name(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=f"no folder of a model: {tmp_path}/gone"):
        open_pretrained(tmp_path / "gone", "ner")
    with pytest.raises(MissingFileError, match=r"no folder of a model: \./gone"):
        open_pretrained("./gone", "ner")
    (tmp_path / "file").touch()
    with pytest.raises(MissingFileError, match="no folder of a model"):
        open_pretrained(tmp_path / "file", "ner")
    with pytest.raises(MissingFileError, match=r"has no config\.json: a folder of a saved model"):
        open_pretrained(tmp_path, "ner")
    with pytest.raises(MissingFileError, match=r"^no folder nobody/gone, and no .* in the local"):
        open_pretrained("nobody/gone", "ner")
    with pytest.raises(MissingFileError, match=r"^no folder nobody/gone, .* could be fetched: "):
        open_pretrained("nobody/gone", "ner", download=True)


def test_model_of_another_task__is_refused(tmp_path: Path) -> None:
    folder = saved(tmp_path / "model", tiny_models.distilbert("MaskedLM"))
    says = r"no weights for the task ner: classifier\.bias, .* would be random; fine-tune it first"
    with pytest.raises(FileFormatError, match=says):
        open_pretrained(folder, "ner")
    with pytest.raises(FileFormatError, match="cannot be read as a model for causal-lm: "):
        open_pretrained(folder, "causal-lm")


def damaged(folder: Path, how: str) -> None:
    weights, config = folder / "model.safetensors", folder / "config.json"
    tokenizer = folder / "tokenizer.json"
    if how == "weights cut":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif how == "weights gone":
        weights.unlink()
    elif how == "pickle only":
        weights.unlink()
        torch.save({}, folder / "pytorch_model.bin")
    elif how == "weights empty":
        weights.write_bytes(b"")
    elif how == "config no JSON":
        config.write_text("{", encoding="utf-8")
    elif how == "config of nothing":
        config.write_text("{}", encoding="utf-8")
    elif how == "tokenizer gone":
        tokenizer.unlink()
    else:
        tokenizer.write_text("{", encoding="utf-8")


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("weights cut", "model: .*not fully covered"),
        ("weights gone", "safetensors"),
        ("pickle only", "pickled weights are not read: save them as safetensors first"),
        ("weights empty", "model: .*header"),
        ("config no JSON", "config.json"),
        ("config of nothing", "model_type"),
        ("tokenizer gone", "its tokenizer: "),
        ("tokenizer cut", "its tokenizer: "),
    ],
)
def test_damaged_folder__is_refused_by_name(tmp_path: Path, how: str, says: str) -> None:
    folder = saved(tmp_path / "model", tiny_models.distilbert())
    damaged(folder, how)
    wanted = f"^{re.escape(str(folder))} cannot be read as a model for ner: .*({says})"
    with pytest.raises(FileFormatError, match=wanted) as caught:
        open_pretrained(folder, "ner")
    assert len(str(caught.value)) < 450 + len(str(folder))
    assert "\n" not in str(caught.value)


def test_config_of_other_shapes__is_refused_by_tensor(tmp_path: Path) -> None:
    folder = saved(tmp_path / "model", tiny_models.distilbert())
    config = folder / "config.json"
    changed = {**json.loads(config.read_text(encoding="utf-8")), "hidden_dim": 24}
    config.write_text(json.dumps(changed), encoding="utf-8")
    says = r"do not fit config.json: \S+lin1.bias is \(20,\), and \(24,\) by the config"
    with pytest.raises(FileFormatError, match=says):
        open_pretrained(folder, "ner")
