"""Models and tokenizers of Hugging Face, from a folder or, if there is a network, the hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from bipnet.errors import FileFormatError, InputError, MissingExtraError, MissingFileError
from bipnet.torch.running import checked_device

Task = Literal["ner", "classification", "causal-lm", "masked-lm"]

_CLASSES = {
    "ner": "AutoModelForTokenClassification",
    "classification": "AutoModelForSequenceClassification",
    "causal-lm": "AutoModelForCausalLM",
    "masked-lm": "AutoModelForMaskedLM",
}
_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def open_pretrained(
    name: str | Path,
    task: Task,
    *,
    device: str | torch.device | None = None,
    dtype: str | None = None,
    download: bool = False,
) -> tuple[nn.Module, Any]:
    """A model in evaluation mode, and its tokenizer.

    Parameters
    ----------
    name
        A folder as ``save_pretrained`` writes it; or the name of a model on the hub, which must
        be in the local cache unless ``download`` is set.
    task
        "ner", "classification", "causal-lm" or "masked-lm".
    device
        Where to put it; the CPU by default.
    dtype
        "float32", "float16" or "bfloat16"; by default as it is stored.
    download
        Fetch it from the hub if it is not there.

    Raises
    ------
    MissingFileError
        No such folder, and nothing of that name in the cache.
    FileFormatError
        The folder cannot be read as a model, or has no weights for this task.
    InputError
        An unknown task or dtype, or a device that is not there.
    MissingExtraError
        transformers is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from tokenizers import Tokenizer, models
    >>> from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast
    >>> words = Tokenizer(models.WordLevel({"a": 0, "b": 1}, unk_token="b"))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tiny = GPT2LMHeadModel(GPT2Config(vocab_size=2, n_embd=4, n_layer=1, n_head=1))
    ...     tiny.save_pretrained(folder)
    ...     _ = PreTrainedTokenizerFast(tokenizer_object=words).save_pretrained(folder)
    ...     model, tokenizer = open_pretrained(folder, "causal-lm")
    >>> type(model).__name__
    'GPT2LMHeadModel'

    Notes
    -----
    No code of the model's own is run (``trust_remote_code`` stays off), no pickle is read.
    """
    if task not in _CLASSES:
        raise InputError(f"task must be one of {', '.join(_CLASSES)}, got {task!r}")
    if dtype is not None and dtype not in _DTYPES:
        raise InputError(f"dtype must be one of {', '.join(_DTYPES)}, got {dtype!r}")
    place = checked_device(device) or torch.device("cpu")
    transformers = _transformers()
    where = str(name)
    is_folder = Path(name).is_dir()
    if not is_folder and (Path(name).exists() or where.startswith((".", "/", "~"))):
        raise MissingFileError(f"no folder of a model: {name}")
    if is_folder and not (Path(name) / "config.json").is_file():
        raise MissingFileError(f"{name} has no config.json: a folder of a saved model is wanted")
    options: dict[str, Any] = {"local_files_only": is_folder or not download}
    loading = transformers.utils.logging
    before, showed_progress = loading.get_verbosity(), loading.is_progress_bar_enabled()
    loading.set_verbosity_error()
    loading.disable_progress_bar()
    part = "tokenizer"
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(where, **options)
        part = "model"
        model, found = getattr(transformers, _CLASSES[task]).from_pretrained(
            where,
            dtype="auto" if dtype is None else _DTYPES[dtype],
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are refused below, by name
            **options,
        )
    except Exception as error:  # of a damaged file: tokenizers raise no class of their own
        reason = " ".join(str(error).split())[:300]
        if not is_folder:
            hub = (
                f"could be fetched: {reason}"
                if download
                else "is in the local cache: give a folder, or have it fetched from the hub"
                " (download=True, --download)"
            )
            raise MissingFileError(f"no folder {name}, and no model of that name {hub}") from None
        pickled = (Path(name) / "pytorch_model.bin").is_file() and "safetensors" in reason
        hint = "; pickled weights are not read: save them as safetensors first" if pickled else ""
        raise FileFormatError(
            f"{name} cannot be read as a model for {task}: its {part}: {reason}{hint}"
        ) from None
    finally:
        loading.set_verbosity(before)
        if showed_progress:
            loading.enable_progress_bar()
    for key, stored, wanted in sorted(found["mismatched_keys"]):
        raise FileFormatError(
            f"{name}: the weights do not fit config.json: {key} is {tuple(stored)}, and"
            f" {tuple(wanted)} by the config"
        )
    missing = sorted(found["missing_keys"])
    if missing:
        shown = ", ".join(missing[:4])
        raise FileFormatError(
            f"{name} has no weights for the task {task}: {shown} would be random; fine-tune it"
            " first, or choose the task it was made for"
        )
    return model.to(place).eval(), tokenizer


def _transformers() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise MissingExtraError(
            "models of Hugging Face need transformers: pip install 'bipnet[language]'"
        ) from error
    return transformers
