"""Words as sub-tokens in windows that a model can take, and where each word's label is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bipnet.errors import InputError


@dataclass(frozen=True)
class Windows:
    """Sentences cut into windows of sub-tokens.

    Attributes
    ----------
    tokens
        Ids of each window, special tokens included.
    position
        (n_words, 2) window and place of the first sub-token of each word, the words of all
        sentences on end; -1 for a word without sub-tokens.
    n_long
        Sentences that needed more than one window.
    """

    tokens: list[list[int]]
    position: npt.NDArray[np.int64]
    n_long: int


def cut_into_windows(
    sentences: Sequence[Sequence[str]], tokenizer: Any, max_length: int
) -> Windows:
    """Tokenise sentences given as words; what is longer than ``max_length`` becomes windows.

    Windows overlap by half. A word's label is read at its first sub-token, in the window in which
    it lies farthest from an edge. Nothing is cut away.

    Raises
    ------
    InputError
        A tokenizer that does not say which word a sub-token belongs to (not a fast one), or
        ``max_length`` leaves no room beside the special tokens.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise InputError(
            f"{type(tokenizer).__name__} does not tell which word a sub-token belongs to: a fast"
            " tokenizer (tokenizer.json) is wanted"
        )
    room = max_length - tokenizer.num_special_tokens_to_add()
    if room < 2:
        raise InputError(f"max_length {max_length} leaves room for {room} sub-tokens, 2 are needed")
    encoded = tokenizer(
        [list(words) for words in sentences],
        is_split_into_words=True,
        truncation=True,
        max_length=max_length,
        stride=room // 2,
        return_overflowing_tokens=True,
        return_attention_mask=False,
        return_token_type_ids=False,
    )
    source = encoded["overflow_to_sample_mapping"]
    begins = np.concatenate([[0], np.cumsum([len(words) for words in sentences])])
    position = np.full((int(begins[-1]), 2), -1, dtype=np.int64)
    best = np.full(len(position), -1, dtype=np.int64)
    for window, sentence in enumerate(source):
        continues = window > 0 and source[window - 1] == sentence
        for word, place, distance in _first_places(encoded.word_ids(window), continues):
            at = int(begins[sentence]) + word
            if distance > best[at]:
                best[at] = distance
                position[at] = window, place
    n_long = len({source[i] for i in range(1, len(source)) if source[i] == source[i - 1]})
    return Windows(list(encoded["input_ids"]), position, n_long)


def _first_places(word_ids: Sequence[int | None], continues: bool) -> list[tuple[int, int, int]]:
    """(word, place of its first sub-token, distance to the nearer edge) of one window.

    A window that continues a sentence may begin within a word; its first word is left to the
    window before, which has the whole beginning of it.
    """
    places: dict[int, int] = {}
    for place, word in enumerate(word_ids):
        if word is not None:
            places.setdefault(word, place)
    if continues and places:
        del places[next(iter(places))]
    last = len(word_ids) - 1
    return [(word, place, min(place, last - place)) for word, place in places.items()]
