"""Tags of entities, whatever their scheme, as IOB2."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from bipnet.errors import InputError, MissingExtraError

_TAG = re.compile(r"(?P<prefix>[BIESLUM])-(?P<type>\S+)")

# BILOU's last and unit, and BMES's middle, are IOBES's end, single and inside.
_AS_IOBES = {"L": "E", "U": "S", "M": "I"}


class TagError(InputError):
    """What stands where a tag is wanted is none; ``position`` says at which word."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


def as_iobes(tag: str) -> str:
    """One tag with the prefixes of IOBES."""
    return f"{_AS_IOBES.get(tag[0], tag[0])}{tag[1:]}" if "-" in tag else tag


def as_iob2(tags: Sequence[str]) -> list[str]:
    """The tags of one sentence, in IOB1, IOB2, IOBES or BILOU, as IOB2.

    Entities are those that seqeval finds, which are those of the CoNLL evaluation script: one
    begins at B or S, after O or another type, and after E.

    Raises
    ------
    TagError
        A tag that is neither "O" nor a prefix and a type.

    Examples
    --------
    >>> as_iob2(["I-PER", "I-PER", "O", "I-LOC", "B-LOC"])  # IOB1
    ['B-PER', 'I-PER', 'O', 'B-LOC', 'B-LOC']
    >>> as_iob2(["B-PER", "E-PER", "S-LOC"])  # IOBES
    ['B-PER', 'I-PER', 'B-LOC']
    """
    for position, tag in enumerate(tags):
        if tag != "O" and not _TAG.fullmatch(tag):
            raise TagError(
                f"unknown tag {tag!r}: wanted O, or B, I, E, S, L, U or M with a type, like B-PER",
                position,
            )
    get_entities = _get_entities()
    iob2 = ["O"] * len(tags)
    for kind, first, last in get_entities([as_iobes(tag) for tag in tags]):
        iob2[first] = f"B-{kind}"
        iob2[first + 1 : last + 1] = [f"I-{kind}"] * (last - first)
    return iob2


def types_of(tags: Iterable[str]) -> set[str]:
    """The types of entities among some tags."""
    return {match["type"] for tag in tags if (match := _TAG.fullmatch(tag))}


def _get_entities() -> Any:
    try:
        from seqeval.metrics.sequence_labeling import get_entities
    except ImportError as error:
        raise MissingExtraError(
            "tags of entities need seqeval: pip install 'bipnet[language]'"
        ) from error
    return get_entities
