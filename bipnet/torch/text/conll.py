"""Sentences with a tag per word, from files in the columns of the CoNLL shared tasks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bipnet._streams import RNGLike, Seed, resolve_seed
from bipnet.errors import (
    BipnetWarning,
    FileFormatError,
    InputError,
    MissingFileError,
    warn_caller,
)
from bipnet.torch.text.tags import TagError, as_iob2

_DOCUMENT = "-DOCSTART-"
_BLANKS = " \t"  # no other white space ends a column: words may have some of it in them
_SPLITS = ("test.txt", "test.conll", "eng.testb", "test.iob2", "test.bio", "test.tsv")


@dataclass(frozen=True)
class Sentence:
    """Words, and the tag of each in IOB2.

    Raises
    ------
    InputError
        No words, or not a tag for each; strings in place of sequences of them.

    Examples
    --------
    >>> Sentence(("Anna", "met", "Ben"), ("B-PER", "O", "B-PER")).words
    ('Anna', 'met', 'Ben')
    """

    words: tuple[str, ...]
    tags: tuple[str, ...]

    def __post_init__(self) -> None:
        given: tuple[object, ...] = (self.words, self.tags)
        if any(isinstance(one, str) for one in given):
            raise InputError(
                f"a sentence needs words and tags one by one, ('Anna', 'ran'), got {self.words!r}"
                f" and {self.tags!r}"
            )
        if len(self.words) != len(self.tags):
            raise InputError(
                f"a sentence needs a tag per word, got {len(self.words)} words and"
                f" {len(self.tags)} tags"
            )
        if not self.words:
            raise InputError("a sentence needs at least one word, got none")


def read_conll(path: str | Path) -> list[Sentence]:
    """The sentences of a CoNLL file: a word per line, its tag in the last column.

    Parameters
    ----------
    path
        The file, UTF-8; or a folder that has a test split ("test.txt" and other usual names).
        Columns are separated by blanks or tabs, sentences by empty lines. Tags are "O" or a
        prefix and a type ("B-PER"), in IOB1, IOB2, IOBES or BILOU; they are given back in IOB2.
        Lines of "-DOCSTART-" are skipped.

    Raises
    ------
    MissingFileError
        There is no such file.
    FileFormatError
        A line has another number of columns than the first one, or a tag that is none (with its
        line number); no sentences; the file is not UTF-8.

    Warns
    -----
    BipnetWarning
        Empty sentences (several empty lines on end), with the number of the first line. They
        are left out.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "test.txt")
    ...     _ = path.write_text("Anna I-PER\\nmet O\\n\\nBerlin I-LOC\\n", encoding="utf-8")
    ...     [sentence.tags for sentence in read_conll(path)]
    [('B-PER', 'O'), ('B-LOC',)]
    """
    path = _file_of(Path(path))
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise FileFormatError(
            f"{path}, line {line}: not UTF-8 text ({error.reason}); convert the file first, for"
            " example with iconv"
        ) from None
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    sentences = [_sentence(path, block) for block in _blocks(path, lines)]
    if not sentences:
        raise FileFormatError(f"{path} has no sentences: a word and its tag per line are wanted")
    return sentences


def sample_sentences(
    sentences: Sequence[Sentence], n: int | None, *, rng: RNGLike | Seed = None
) -> list[Sentence]:
    """``n`` of the sentences, in their order; all of them for None or if there are no more.

    The same seed and sentences give the same sample.

    Raises
    ------
    InputError
        ``n`` is less than 1.

    Examples
    --------
    >>> few = [Sentence((word,), ("O",)) for word in "abcdef"]
    >>> [one.words[0] for one in sample_sentences(few, 3, rng=7)]
    ['a', 'b', 'f']
    """
    if n is None:
        return list(sentences)
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        raise InputError(f"the number of sentences must be a whole number of at least 1, got {n!r}")
    if n >= len(sentences):
        return list(sentences)
    generator = resolve_seed(rng).generator("sentences")
    chosen = np.sort(generator.choice(len(sentences), size=int(n), replace=False))
    return [sentences[i] for i in chosen]


def _file_of(path: Path) -> Path:
    if path.is_dir():
        for name in _SPLITS:
            if (path / name).is_file():
                return path / name
        raise MissingFileError(
            f"{path} has no test split in CoNLL columns: looked for {', '.join(_SPLITS)}; give the"
            " file itself"
        )
    if not path.is_file():
        raise MissingFileError(f"no such file: {path}")
    return path


def _blocks(path: Path, lines: Sequence[str]) -> Iterator[list[tuple[int, list[str]]]]:
    """The columns of each sentence's lines, with the line numbers."""
    block: list[tuple[int, list[str]]] = []
    n_columns = 0
    empty: list[int] = []
    previous_empty = False
    last = max((i for i, line in enumerate(lines) if line.strip(_BLANKS)), default=-1)
    for number, line in enumerate(lines[: last + 1], start=1):
        columns = re.split(f"[{_BLANKS}]+", line.strip(_BLANKS))
        if columns == [""]:
            if previous_empty:
                empty.append(number)
            previous_empty = True
            if block:
                yield block
            block = []
            continue
        previous_empty = False
        if columns[0] == _DOCUMENT:  # whatever its columns: some files give it one only
            if block:
                yield block
            block = []
            continue
        n_columns = n_columns or len(columns)
        if len(columns) < 2 or len(columns) != n_columns:
            wanted = f"{n_columns} columns as before" if n_columns > 1 else "at least 2 columns"
            raise FileFormatError(
                f"{path}, line {number}: wanted {wanted} (word ... tag), got {len(columns)}:"
                f" {line.strip()[:60]!r}"
            )
        block.append((number, columns))
    if block:
        yield block
    if empty:
        warn_caller(
            f"{path}: {len(empty)} empty sentence(s), the first at line {empty[0]}; left out",
            BipnetWarning,
        )


def _sentence(path: Path, block: Sequence[tuple[int, list[str]]]) -> Sentence:
    words = [columns[0] for _, columns in block]
    try:
        tags = as_iob2([columns[-1] for _, columns in block])
    except TagError as error:
        raise FileFormatError(f"{path}, line {block[error.position][0]}: {error}") from None
    return Sentence(tuple(words), tuple(tags))
