"""Models and tokenizers of Hugging Face, from a folder or, if there is a network, the hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from bipnet.errors import FileFormatError, InputError, MissingExtraError, MissingFileError

Task = Literal["ner", "classification", "causal-lm", "masked-lm"]

_CLASSES = {
    "ner": "AutoModelForTokenClassification",
    "classification": "AutoModelForSequenceClassification",
    "causal-lm": "AutoModelForCausalLM",
    "masked-lm": "AutoModelForMaskedLM",
}


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
    MissingExtraError
        transformers is not installed.

    Notes
    -----
    No code of the model's own is run (``trust_remote_code`` stays off), no pickle is read.
    """
    if task not in _CLASSES:
        raise InputError(f"task must be one of {', '.join(_CLASSES)}, got {task!r}")
    transformers = _transformers()
    where = str(name)
    is_folder = Path(name).is_dir()
    if not is_folder and (Path(name).exists() or where.startswith((".", "/", "~"))):
        raise MissingFileError(f"no folder of a model: {name}")
    if is_folder and not (Path(name) / "config.json").is_file():
        raise MissingFileError(f"{name} has no config.json: a folder of a saved model is wanted")
    options: dict[str, Any] = {"local_files_only": is_folder or not download}
    loading = transformers.utils.logging
    before = loading.get_verbosity()
    loading.set_verbosity_error()
    loading.disable_progress_bar()
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(where, **options)
        model, found = getattr(transformers, _CLASSES[task]).from_pretrained(
            where,
            dtype="auto" if dtype is None else getattr(torch, dtype),
            use_safetensors=True,
            output_loading_info=True,
            **options,
        )
    except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
        reason = " ".join(str(error).split())[:300]
        if not is_folder:
            raise MissingFileError(
                f"no folder {name}, and no model of that name"
                + (" could be fetched" if download else " in the local cache (--download fetches)")
                + f": {reason}"
            ) from None
        raise FileFormatError(f"{name} cannot be read as a model for {task}: {reason}") from None
    finally:
        loading.set_verbosity(before)
        loading.enable_progress_bar()
    missing = sorted(found["missing_keys"])
    if missing:
        shown = ", ".join(missing[:4])
        raise FileFormatError(
            f"{name} has no weights for the task {task}: {shown} would be random; fine-tune it"
            " first, or choose the task it was made for"
        )
    try:
        model.to(device or "cpu")
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device {device!r} cannot be used: {error}") from None
    return model.eval(), tokenizer


def _transformers() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise MissingExtraError(
            "models of Hugging Face need transformers: pip install 'bipnet[language]'"
        ) from error
    return transformers
