"""Which layers of a model the paper's six are, and which of a model's layers are early or late."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import partial

from torch import nn

from bipnet.errors import InputError
from bipnet.torch.layers import ModuleLayer, list_layers, survey

_SIX = {
    "distilbert": (
        "distilbert.embeddings.position_embeddings",
        "distilbert.transformer.layer.{block}.ffn.lin1",
        "distilbert.transformer.layer.{block}.ffn.lin2",
    ),
    **{
        kind: (
            f"{kind}.embeddings.position_embeddings",
            f"{kind}.encoder.layer.{{block}}.intermediate.dense",
            f"{kind}.encoder.layer.{{block}}.output.dense",
        )
        for kind in ("bert", "roberta", "electra")
    },
}
"""By model type: position embeddings, and the two linear layers behind a block's attention."""

_BLOCK = re.compile(r"\.(\d+)\.")


def paper_layers(model: nn.Module) -> list[str]:
    """Names of the six layers that the paper probes, in the order of the model.

    Raises
    ------
    InputError
        A kind of model for which nobody has said which they are; lists the model's layers.
    """
    config = getattr(model, "config", None)
    kind = str(getattr(config, "model_type", type(model).__name__))
    n_blocks = getattr(config, "num_hidden_layers", None)
    if kind not in _SIX or not n_blocks:
        names = ", ".join(layer.info.name for layer in survey(model)[0][:12])
        raise InputError(
            f"the paper's six layers are not known for a {kind} model: name layers with --layers;"
            f" it has {names} ..."
        )
    position, first, second = _SIX[kind]
    globs = [
        position,
        *(one.format(block=block) for block in (0, n_blocks - 1) for one in (first, second)),
        "classifier",
    ]
    return names_of(model, globs)


def names_of(model: nn.Module, globs: Sequence[str]) -> list[str]:
    """Names of the layers that globs choose, each once, in the order of the model."""
    return [layer.info.name for layer in _whole(list_layers(model, globs))]


def linear_layers(model: nn.Module) -> list[str]:
    """Names of all linear layers, in the order of the model."""
    return [layer.info.name for layer in _whole(list_layers(model))]


def blocks_of(names: Sequence[str], of_model: Sequence[str] = ()) -> dict[str, str]:
    """Where in the model each layer is: "early", "late" or "middle".

    Early are embeddings and the first block, late are the last block and what comes after it;
    first and last among the layers ``of_model``, if these are known, and ``names``.

    Examples
    --------
    >>> blocks_of(["embed.weight", "layer.0.a.weight", "layer.5.a.weight", "classifier.weight"])
    {'embed.weight': 'early', 'layer.0.a.weight': 'early', 'layer.5.a.weight': 'late', \
'classifier.weight': 'late'}
    """
    numbers = [_block(name) for name in names]
    blocks = [number for name in (*names, *of_model) if (number := _block(name)) is not None]
    first, last = (min(blocks), max(blocks)) if blocks else (0, 0)
    places = {}
    for name, number in zip(names, numbers, strict=True):
        if number is None:
            places[name] = "early" if is_embedding(name) else "late"
        elif first == last:
            places[name] = "middle"
        else:
            places[name] = {first: "early", last: "late"}.get(number, "middle")
    return places


def is_embedding(name: str) -> bool:
    """Whether a layer's name is that of token or position embeddings."""
    return any(word in name for word in ("embed", "position", "wte", "wpe"))


def is_position(name: str) -> bool:
    """Whether a layer's name is that of position embeddings."""
    return "position" in name or "wpe" in name


def _block(name: str) -> int | None:
    match = _BLOCK.search(name)
    return int(match[1]) if match else None


def in_block(name: str) -> bool:
    """Whether a layer is within a block, which its residual connection can bypass."""
    return _block(name) is not None


def short_name(layer: str) -> str:
    """What stands in a legend, if it is the only layer of that name: see `short_names`.

    Examples
    --------
    >>> short_name("distilbert.transformer.layer.0.ffn.lin1.weight")
    'layer 0, ffn.lin1'
    >>> short_name("distilbert.embeddings.position_embeddings.weight")
    'position_embeddings'
    >>> short_name("classifier.weight")
    'classifier'
    """
    name = layer.removesuffix(".weight")
    match = _BLOCK.search(f"{name}.")
    if match:
        rest = name[match.end() :]
        return f"layer {match[1]}, {rest}" if rest else f"layer {match[1]}"
    return name.rpartition(".")[2]


def short_names(layers: Iterable[str], without: Sequence[str] = ()) -> dict[str, str]:
    """Layer -> what stands in a legend; no two layers have the same.

    Parameters
    ----------
    layers
        Full names.
    without
        Parts of names to leave out where that makes no two the same, such as "ffn.".

    Examples
    --------
    >>> names = ["encoder.layers.0.fc1.weight", "decoder.layers.0.fc1.weight", "head.weight"]
    >>> list(short_names(names).values())
    ['encoder layer 0, fc1', 'decoder layer 0, fc1', 'head']
    """
    names = list(dict.fromkeys(layers))
    found: dict[str, str] = {}
    for group in ([n for n in names if not in_block(n)], [n for n in names if in_block(n)]):
        # One way for all of a group: a reader compares the names.
        for way in (
            lambda name: _left_out(short_name(name), without),
            short_name,
            partial(_with_place, group=group),
            str,
        ):
            made = {name: way(name) for name in group}
            if len({*found.values(), *made.values()}) == len(found) + len(made):
                break
        found |= made
    return {name: found[name] for name in names}


def _left_out(name: str, parts: Sequence[str]) -> str:
    for part in parts:
        name = name.replace(part, "")
    return name


def _with_place(layer: str, group: Sequence[str]) -> str:
    """The short name, behind the parts of the name before it that not all of the group share."""
    common = set.intersection(*(set(_before_block(name)) for name in group))
    place = ".".join(part for part in _before_block(layer) if part not in common)
    return f"{place} {short_name(layer)}".strip()


def _before_block(layer: str) -> list[str]:
    name = layer.removesuffix(".weight")
    match = _BLOCK.search(f"{name}.")
    return (name[: match.start()] if match else name.rpartition(".")[0]).split(".")


def _whole(layers: Sequence[ModuleLayer]) -> list[ModuleLayer]:
    """Those that are a tensor of their own: experts and groups share one, and a name."""
    return [layer for layer in layers if layer.piece == 0]
