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
    it lies farthest from an edge (special tokens aside; the first of two). Nothing is cut away;
    windows in which no word is read are left out.

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
    # The tokenizer's own windows are not used: which side they begin at depends on its settings,
    # and they do not tell whether a window begins within a word.
    encoded = tokenizer(
        [list(words) for words in sentences],
        is_split_into_words=True,
        return_attention_mask=False,
        return_token_type_ids=False,
        verbose=False,
    )
    tokens: list[list[int]] = []
    positions: list[tuple[int, int]] = []
    n_long = 0
    for number, (words, ids) in enumerate(zip(sentences, encoded["input_ids"], strict=True)):
        word_ids = encoded.word_ids(number)
        first, last = _content(word_ids)
        starts = _starts(last - first, room)
        n_long += len(starts) > 1
        before, after = list(ids[:first]), list(ids[last:])
        places = _first_places(word_ids[first:last], starts, room, first)
        used: dict[int, int] = {}  # window of the sentence -> its number among all that are kept
        for window in sorted({window for window, _ in places.values()}):
            used[window] = len(tokens)
            start = first + starts[window]
            tokens.append([*before, *ids[start : min(start + room, last)], *after])
        for word in range(len(words)):
            window, place = places.get(word, (-1, -1))
            positions.append((used.get(window, -1), place))
    return Windows(tokens, np.array(positions, dtype=np.int64).reshape(-1, 2), n_long)


def _content(word_ids: Sequence[int | None]) -> tuple[int, int]:
    """Where the sub-tokens of words begin and end between the special tokens."""
    places = [place for place, word in enumerate(word_ids) if word is not None]
    return (places[0], places[-1] + 1) if places else (0, 0)


def _starts(n_tokens: int, room: int) -> range:
    """Where windows begin that overlap by half of ``room``; the last one reaches the end."""
    step = room - room // 2
    return range(0, max(n_tokens - room + step, 1), step)


def _first_places(
    word_ids: Sequence[int | None], starts: range, room: int, n_before: int
) -> dict[int, tuple[int, int]]:
    """Word -> window and place there at which its first sub-token is farthest from an edge."""

    def distance(window: int) -> int:
        start = starts[window]
        return min(at - start, min(start + room, len(word_ids)) - 1 - at)

    best: dict[int, tuple[int, int]] = {}
    for at, word in enumerate(word_ids):
        if word is None or word in best:
            continue
        first = max((at - room) // starts.step + 1, 0)
        last = min(at // starts.step, len(starts) - 1)
        window = max(range(first, last + 1), key=distance)
        best[word] = window, at - starts[window] + n_before
    return best
