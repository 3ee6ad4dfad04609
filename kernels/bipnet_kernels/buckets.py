"""Permute more weights than fit into the cache: deal them to random buckets, shuffle each.

Every weight gets an independent uniform label; the weights of each label, shuffled, one label
after the other, are a uniformly random order of all (Rao 1961; Sandelius 1962). Weights are
labelled in chunks of `CHUNK`, each with a stream of its own, so chunks and buckets may be worked
on in any order by any number of threads.

Where only some cells are edges, or positive and negative weights are permuted apart, `gather`
puts the weights together first and `hand_out` gives them back to the edges afterwards.
"""

from __future__ import annotations

import numpy as np

from bipnet_kernels._jit import kernel
from bipnet_kernels._shuffle import shuffle
from bipnet_kernels._stream import BUFFER, WORDS, refill, start
from bipnet_kernels._types import Int, Ints, Key, Picks, Words
from bipnet_kernels.apart import put_back, take_apart

CHUNK = 1 << 16
"""Weights that share a stream of labels."""

MOST_LABEL_BITS = 8

_OCTETS = 8 * BUFFER

_U3 = np.uint64(3)
_U7 = np.uint64(7)
_U8 = np.uint64(8)
_OCTET = np.uint64(255)


@kernel
def label_at(stream: Key, octet: np.uint64, shift: np.uint64) -> np.uint64:
    """The upper bits of an octet of the buffer."""
    word = stream[WORDS + (octet >> _U3)]
    label: np.uint64 = ((word >> ((octet & _U7) << _U3)) & _OCTET) >> shift
    return label


@kernel
def count_labels(n: Int, label_bits: Int, key: Key, chunk: Int, stream: Key, counts: Ints) -> None:
    """Add to ``counts`` (2**label_bits,) how often each label is given in a chunk of ``n``.

    ``label_bits`` <= `MOST_LABEL_BITS`. `deal` gives the same labels again.
    """
    start(stream, key, chunk)
    shift = _U8 - np.uint64(label_bits)
    for done in range(0, n, _OCTETS):
        refill(stream)
        for k in range(min(_OCTETS, n - done)):
            counts[label_at(stream, np.uint64(k), shift)] += 1


@kernel
def deal(
    words: Words,
    begin: Int,
    n: Int,
    label_bits: Int,
    key: Key,
    chunk: Int,
    stream: Key,
    places: Ints,
    pools: Words,
) -> None:
    """Put the chunk ``words[begin:][:n]`` into its buckets in ``pools``.

    ``places`` (2**label_bits,) says where the chunk's part of each bucket begins, and is moved on.
    """
    start(stream, key, chunk)
    shift = _U8 - np.uint64(label_bits)
    for done in range(0, n, _OCTETS):
        refill(stream)
        at = np.uint64(begin + done)
        for k in range(min(_OCTETS, n - done)):
            bucket = label_at(stream, np.uint64(k), shift)
            place = places[bucket]
            pools[np.uint64(place)] = words[at + np.uint64(k)]
            places[bucket] = place + 1


@kernel
def shuffle_buckets(
    pools: Words, bounds: Ints, first: Int, key: Key, stream: Key, picks: Picks
) -> None:
    """Shuffle ``pools[bounds[b]:bounds[b + 1]]`` in place, for each b, from stream first + b."""
    for bucket in range(len(bounds) - 1):
        start(stream, key, first + bucket)
        begin = bounds[bucket]
        shuffle(pools, begin, pools, begin, bounds[bucket + 1] - begin, stream, picks)


@kernel
def gather(
    source: Words,
    starts: Ints,
    stops: Ints,
    first_words: Ints,
    edges: Words,
    positive: Words,
    front: Int,
    back: Int,
    pools: Words,
) -> None:
    """Put the weights of some rows together, positive and negative ones apart, in order.

    Row i is the cells ``starts[i]:stops[i]`` of ``source``; its bits of ``edges`` and
    ``positive`` begin at word ``first_words[i]``. Positive weights go to ``pools[front]`` and
    following, all others to ``pools[back]`` and following. ``pools`` ends with a word that is
    nobody's.
    """
    at_front = np.uint64(front)
    at_back = np.uint64(back)
    for i in range(len(starts)):
        at = first_words[i]
        for run in range(starts[i], stops[i], 64):
            count = np.uint64(min(np.int64(64), stops[i] - run))
            some = edges[at]
            plus = positive[at]
            at += 1
            at_front, at_back = take_apart(
                source, np.uint64(run), count, some, plus, pools, at_front, at_back, False
            )


@kernel
def hand_out(
    source: Words,
    starts: Ints,
    stops: Ints,
    first_words: Ints,
    edges: Words,
    positive: Words,
    front: Int,
    back: Int,
    pools: Words,
    target: Words,
) -> None:
    """The inverse of `gather`: edges of ``target`` take their weights from the pools, in order.

    Cells without an edge take their words from ``source``.
    """
    at_front = np.uint64(front)
    at_back = np.uint64(back)
    for i in range(len(starts)):
        at = first_words[i]
        for run in range(starts[i], stops[i], 64):
            count = np.uint64(min(np.int64(64), stops[i] - run))
            some = edges[at]
            plus = positive[at]
            at += 1
            at_front, at_back = put_back(
                pools, at_front, at_back, some, plus, source, target, np.uint64(run), count
            )
