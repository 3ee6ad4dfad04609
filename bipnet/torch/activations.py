"""Activations of a model: which modules are meant, and their outputs as rows of features."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from bipnet._streams import Seed
from bipnet.errors import InputError, LayerNotFoundError


def rows_of(name: str, output: Any, mask: torch.Tensor | None) -> torch.Tensor:
    """(rows, features) of an output, padding left out."""
    found = output
    while isinstance(found, (tuple, list, Mapping)) and len(found):
        found = next(iter(found.values() if isinstance(found, Mapping) else found))
    if not isinstance(found, torch.Tensor) or not found.is_floating_point():
        got = str(found.dtype) if isinstance(found, torch.Tensor) else type(found).__name__
        raise InputError(f"module {name!r} gives {got}, not a tensor of floats: choose another")
    shape, features = tuple(found.shape), found.shape[-1:]
    if found.ndim < 2 or (found.ndim > 3 and mask is not None):
        raise InputError(
            f"module {name!r} gives {shape}, not (samples, features) or (samples, tokens,"
            " features): choose another"
        )
    if mask is not None and len(found) != len(mask):
        raise InputError(f"module {name!r} gives {shape}, not {len(mask)} samples: choose another")
    if found.ndim == 3 and mask is not None:
        if mask.shape != shape[:2]:
            raise InputError(
                f"module {name!r} gives {shape}, but the batch has {tuple(mask.shape)} tokens:"
                " choose another"
            )
        return found.detach()[mask.to(found.device) != 0]
    if found.ndim > 3:
        found = found.movedim(1, -1)
        features = found.shape[-1:]
    return found.detach().reshape(-1, *features)


def sampled_rows(
    counts: Mapping[str, Sequence[int]], n_tokens: int | None, seed: Seed
) -> dict[str, list[torch.Tensor]]:
    """The rows to keep of each module, batch by batch; nothing where all are kept."""
    whole = isinstance(n_tokens, (int, np.integer)) and not isinstance(n_tokens, bool)
    if n_tokens is not None and (not whole or n_tokens < 2):
        raise InputError(f"n_tokens must be a whole number of at least 2, got {n_tokens!r}")
    picked = {}
    for name, rows in counts.items():
        total = sum(rows)
        if total < 2:
            raise InputError(f"module {name!r} gives {total} row(s): CKA needs 2 or more")
        if n_tokens is not None and n_tokens < total:
            # Modules with the same rows share a sample: its seed knows no names.
            generator = seed.generator("tokens")
            chosen = np.sort(generator.choice(total, size=int(n_tokens), replace=False))
            ends = np.cumsum(rows)
            parts = np.split(chosen, np.searchsorted(chosen, ends[:-1]))
            picked[name] = [
                torch.from_numpy(part - (end - n))
                for part, end, n in zip(parts, ends, rows, strict=True)
            ]
    return picked


def matching_modules(model: nn.Module, at: str | Sequence[str]) -> list[str]:
    """Names of the modules that globs match, each module under its first one."""
    if not isinstance(model, nn.Module):
        raise InputError(f"the model must be a torch.nn.Module, got {type(model).__name__}")
    several = isinstance(at, Iterable) and all(isinstance(glob, str) for glob in at)
    globs = [at] if isinstance(at, str) else list(at) if several else []
    if not globs:
        raise InputError(f"at must be a glob on names of modules, or a list of them, got {at!r}")
    every = dict(model.named_modules(remove_duplicate=False))
    chosen: dict[nn.Module, str] = {}
    for glob in globs:
        # The model itself has no name, and no wildcard means it.
        hits = [
            name for name in every if name == glob or (name and fnmatch.fnmatchcase(name, glob))
        ]
        if not hits:
            close = difflib.get_close_matches(glob, every, n=1)
            guess = f" Did you mean {close[0]!r}?" if close else ""
            names = [name for name in every if name]
            more = f" and {len(names) - 20} more" if len(names) > 20 else ""
            raise LayerNotFoundError(
                f"no module of {type(model).__name__} matches {glob!r}.{guess} There are:"
                f" {', '.join(names[:20])}{more}."
            )
        for name in hits:
            chosen.setdefault(every[name], name)
    return [name for name in every if chosen.get(every[name]) == name]
