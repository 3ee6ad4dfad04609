"""Sentences and their tags: what is read, in whichever scheme, and what is refused."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given
from seqeval.metrics.sequence_labeling import get_entities

from bipnet.errors import BipnetWarning, FileFormatError, InputError, MissingFileError
from bipnet.torch.text import Sentence, read_conll, sample_sentences
from bipnet.torch.text.tags import TagError, as_iob2, as_iobes, types_of

Entity = tuple[str, int, int]

TYPES = ("PER", "LOC", "work-of-art", "E")


@st.composite
def chunks(draw: st.DrawFn) -> tuple[int, list[Entity]]:
    """A number of words, and entities (type, first, last) among them."""
    entities: list[Entity] = []
    at = 0
    for _ in range(draw(st.integers(0, 6))):
        at += draw(st.integers(0, 2))
        size = draw(st.integers(1, 4))
        entities.append((draw(st.sampled_from(TYPES)), at, at + size - 1))
        at += size
    return max(at + draw(st.integers(0, 2)), 1), entities


def written(n: int, entities: list[Entity], scheme: str) -> list[str]:
    """The tags that a scheme gives: written from its definition."""
    tags = ["O"] * n
    before: Entity | None = None
    for kind, first, last in entities:
        for at in range(first, last + 1):
            if scheme == "IOB1":
                touches = before is not None and before[2] == first - 1 and before[0] == kind
                prefix = "B" if touches and at == first else "I"
            elif scheme == "IOB2":
                prefix = "B" if at == first else "I"
            else:
                begin, inside, end, single = scheme
                if first == last:
                    prefix = single
                else:
                    prefix = begin if at == first else end if at == last else inside
            tags[at] = f"{prefix}-{kind}"
        before = (kind, first, last)
    return tags


@given(chunks())
@pytest.mark.parametrize("scheme", ["IOB1", "IOB2", "BIES", "BILU", "BMES"])
def test_as_iob2__is_the_same_for_all_schemes(scheme: str, case: tuple[int, list[Entity]]) -> None:
    n, entities = case
    wanted = written(n, entities, "IOB2")
    found = as_iob2(written(n, entities, scheme))
    assert found == wanted
    assert as_iob2(found) == found
    assert [tuple(one) for one in get_entities(found)] == entities


@given(st.lists(st.sampled_from(["O", *(f"{p}-{t}" for p in "BIES" for t in ("X", "Y"))])))
def test_as_iob2__keeps_what_seqeval_finds_in_any_order_of_tags(tags: list[str]) -> None:
    assert get_entities(as_iob2(tags)) == get_entities(tags)


def test_as_iobes__renames_prefixes_and_nothing_else() -> None:
    named = ["O", "B-A", "I-A", "L-A", "U-L-A", "M-A", "E-A", "S-A"]
    assert [as_iobes(tag) for tag in named] == [
        "O", "B-A", "I-A", "E-A", "S-L-A", "I-A", "E-A", "S-A",
    ]  # fmt: skip
    assert types_of(named) == {"A", "L-A"}


@pytest.mark.parametrize("tag", ["", "X", "o", "B", "B-", "-PER", "b-PER", "B_PER", "B-A B"])
def test_unknown_tag__is_named_with_its_place(tag: str) -> None:
    with pytest.raises(TagError, match=f"unknown tag {re.escape(repr(tag))}: wanted O") as caught:
        as_iob2(["O", tag])
    assert caught.value.position == 1


def file(folder: Path, text: str | bytes, name: str = "some.conll") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


PLAIN = [
    Sentence(("Anna", "met", "Ben"), ("B-PER", "O", "B-PER")),
    Sentence(("Berlin",), ("B-LOC",)),
]


@pytest.mark.parametrize(
    "text",
    [
        "Anna B-PER\nmet O\nBen B-PER\n\nBerlin B-LOC\n",
        "Anna I-PER\nmet O\nBen I-PER\n\nBerlin I-LOC",
        "Anna S-PER\nmet O\nBen U-PER\n\nBerlin S-LOC\n\n\n\n",
        "\ufeffAnna\tI-PER\r\nmet\tO\r\nBen\tI-PER\r\n\r\nBerlin\tI-LOC\r\n",
        "\nAnna NNP x I-PER\n met VBD  x O \nBen NNP x I-PER\n \t\nBerlin\tNNP\tx\tI-LOC\n",
        "-DOCSTART- -X- O\n\nAnna x I-PER\nmet x O\nBen x I-PER\n\n-DOCSTART-\n\nBerlin x I-LOC\n",
        "Anna x I-PER\nmet x O\nBen x I-PER\n-DOCSTART- -X- -X- O\nBerlin x I-LOC\n",
    ],
    ids=["iob2", "iob1", "iobes", "windows", "columns", "documents", "documents without blanks"],
)
def test_read_conll__reads(tmp_path: Path, text: str) -> None:
    assert read_conll(file(tmp_path, text)) == PLAIN
    assert read_conll(str(file(tmp_path, text))) == PLAIN


def test_read_conll__takes_other_white_space_as_a_part_of_words(tmp_path: Path) -> None:
    words = ("10\u00a0000", "\u3000", "a\u2028b", "\x0b", "\x85")
    text = "\n".join(f"{word} O" for word in words)
    assert read_conll(file(tmp_path, text)) == [Sentence(words, ("O",) * len(words))]


@pytest.mark.parametrize("name", ["test.txt", "test.conll", "eng.testb", "test.tsv"])
def test_read_conll__finds_the_test_split_of_a_folder(tmp_path: Path, name: str) -> None:
    file(tmp_path, "not\nread", "train.txt")
    file(tmp_path, "Anna O", name)
    assert read_conll(tmp_path) == [Sentence(("Anna",), ("O",))]


def test_empty_sentences__are_told_with_line_number_and_left_out(tmp_path: Path) -> None:
    path = file(tmp_path, "a O\n\n\n\nb O\n\n-DOCSTART- O\n\n\nc O\n\n\n")
    with pytest.warns(BipnetWarning, match=r"some.conll: 3 empty .*first at line 3; left") as said:
        found = read_conll(path)
    assert [one.words for one in found] == [("a",), ("b",), ("c",)]
    assert said[0].filename == __file__


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a x O\n\nb O\n", r"line 3: wanted 3 columns as before \(word ... tag\), got 2: 'b O'"),
        ("a O\nb x y O\n", r"line 2: wanted 2 columns as before .*got 4: 'b x y O'"),
        ("-DOCSTART-\n\na\n", r"line 3: wanted at least 2 columns \(word ... tag\), got 1: 'a'"),
        ("a O\n\nb O\nc B-\n", r"line 4: unknown tag 'B-': wanted O, or B, I, .* like B-PER"),
        ("a O\nb PER", r"line 2: unknown tag 'PER'"),
        ("\n\n", r"no sentences: a word and its tag per line"),
        ("", r"no sentences"),
        ("-DOCSTART- O\n\n", r"no sentences"),
        ("a O\nb\xe4 O\n".encode("latin1"), r"line 2: not UTF-8 text .*; convert the file"),
    ],
)
def test_bad_file__is_refused_with_line_and_reason(
    tmp_path: Path, text: str | bytes, says: str
) -> None:
    path = file(tmp_path, text)
    with pytest.raises(FileFormatError, match=f"^{re.escape(str(path))}.*{says}"):
        read_conll(path)


def test_missing_file__says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"no such file: .*gone.txt"):
        read_conll(tmp_path / "gone.txt")
    with pytest.raises(MissingFileError, match=r"no test split .*test.txt, .*give the file itself"):
        read_conll(tmp_path)


@pytest.mark.parametrize(
    ("words", "tags", "says"),
    [
        (("a",), (), "a tag per word, got 1 words and 0 tags"),
        ((), (), "at least one word"),
        ("ab", ("O", "O"), "one by one.*got 'ab'"),
    ],
)
def test_sentence__needs_words_and_a_tag_each(words: Any, tags: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        Sentence(words, tags)


@given(st.integers(1, 60), st.integers(0, 2**32))
def test_sample__is_in_order_without_repeats_and_the_same_for_a_seed(n: int, seed: int) -> None:
    sentences = [Sentence((str(i),), ("O",)) for i in range(40)]
    sample = sample_sentences(sentences, n, rng=seed)
    assert sample == sample_sentences(sentences, n, rng=seed)
    numbers = [int(one.words[0]) for one in sample]
    assert len(sample) == min(n, 40)
    assert numbers == sorted(set(numbers))
    assert sample_sentences(sentences, None, rng=seed) == sentences


def test_sample__differs_between_seeds_and_reaches_every_sentence() -> None:
    sentences = [Sentence((str(i),), ("O",)) for i in range(10)]
    samples = [tuple(sample_sentences(sentences, 5, rng=seed)) for seed in range(40)]
    assert len(set(samples)) > 30
    assert {one for sample in samples for one in sample} == set(sentences)


@pytest.mark.parametrize("n", [0, -1, 1.5, True, "3"])
def test_sample__of_no_number_is_refused(n: Any) -> None:
    with pytest.raises(InputError, match=f"whole number of at least 1, got {re.escape(repr(n))}"):
        sample_sentences(PLAIN, n)


@pytest.mark.shared
def test_read_conll__of_the_shared_data(shared: Path) -> None:
    """Counts of the published data set, read by an obvious loop; no warning."""
    path = shared / "data" / "conll2003" / "test.txt"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = read_conll(path.parent)
    wanted: list[list[list[str]]] = [[]]
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip():
            wanted.append([])
        elif not line.startswith("-DOCSTART-"):
            wanted[-1].append(line.split())
    wanted = [one for one in wanted if one]
    assert [list(one.words) for one in found] == [[c[0] for c in one] for one in wanted]
    assert [get_entities(list(one.tags)) for one in found] == [
        get_entities([c[-1] for c in one]) for one in wanted
    ]
    assert len(found) == 3453
