"""Sign patterns as bits: 1 where a node's edge is positive, 64 cells to a word."""

from __future__ import annotations

import numpy as np

from bipnet_kernels._jit import inlined, kernel
from bipnet_kernels._lanes import HAS_COMPRESS, lanes_of, lanes_where
from bipnet_kernels._types import Int, Ints, Words

_U0 = np.uint64(0)
_U1 = np.uint64(1)
_U6 = np.uint64(6)
_U64 = np.uint64(64)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_U63 = np.uint64(63)
_LOW = np.uint64(0x00000000FFFFFFFF)


@inlined
def sign_bits(
    words: Words,
    begin: np.uint64,
    count: np.uint64,
    nonzero: np.unsignedinteger,
    negative: np.unsignedinteger,
) -> tuple[np.uint64, np.uint64]:
    """Which of ``words[begin:][:count]`` (1 to 64) are edges, and which positive edges.

    Bits, from the lowest up. Loops over weights ask these bits and not the weights themselves:
    with comparisons they took twice as long (branches, one supposes, on signs that are as good
    as random).
    """
    edges = _U0
    minus = _U0
    if not HAS_COMPRESS:
        zero = nonzero ^ nonzero
        for k in range(count):
            word = words[begin + k]
            edges |= np.uint64((word & nonzero) != zero) << k
            minus |= np.uint64((word & negative) != zero) << k
    elif count == _U64:  # what is known beforehand need not be asked for each register
        for k in range(_U0, _U64, lanes_of(words)):
            edges |= lanes_where(words, begin + k, _ALL, nonzero) << k
            minus |= lanes_where(words, begin + k, _ALL, negative) << k
    else:
        cells = lowest(count)
        for k in range(_U0, count, lanes_of(words)):
            edges |= lanes_where(words, begin + k, cells >> k, nonzero) << k
            minus |= lanes_where(words, begin + k, cells >> k, negative) << k
    return edges, edges & ~minus


@inlined
def lowest(count: np.uint64) -> np.uint64:
    """So many bits (1 to 64), from the lowest up."""
    return _ALL >> (_U64 - count)


@kernel
def pack_rows(
    words: Words,
    starts: Ints,
    stops: Ints,
    first_words: Ints,
    nonzero: np.unsignedinteger,
    negative: np.unsignedinteger,
    positive: Words,
    edges: Words,
) -> None:
    """Set the bits of rows ``words[starts[i]:stops[i]]`` from word ``first_words[i]`` on.

    ``positive`` gets the positive edges, ``edges`` (unless it is empty) all edges.
    """
    with_edges = len(edges) > 0
    for i in range(len(starts)):
        at = first_words[i]
        for begin in range(starts[i], stops[i], 64):
            count = np.uint64(min(np.int64(64), stops[i] - begin))
            some, plus = sign_bits(words, np.uint64(begin), count, nonzero, negative)
            positive[at] = plus
            if with_edges:
                edges[at] = some
            at += 1


@kernel
def transpose_bits(rows: Words, first: Int, stop: Int, columns: Words, block: Words) -> None:
    """Bit (i, j) of ``rows`` (n, v) becomes bit (j, i) of ``columns`` (m, w).

    Only the blocks of 64 rows numbered ``first`` to ``stop - 1`` are done: they fill those words
    of ``columns``. Padding bits must be 0.
    ``block`` (64,) uint64 is working memory. 64 x 64 bits at a time (Warren, Hacker's Delight 7-3).
    """
    n_rows = len(rows)
    n_columns = len(columns)
    for high in range(first, stop):
        for word in range(rows.shape[1]):
            for k in range(64):
                i = 64 * high + k
                block[k] = rows[i, word] if i < n_rows else _U0
            width = np.uint64(32)
            mask = _LOW
            while width != _U0:
                step = int(width)
                k = 0
                while k < 64:
                    swapped = ((block[k] >> width) ^ block[k + step]) & mask
                    block[k] ^= swapped << width
                    block[k + step] ^= swapped
                    k = (k + step + 1) & ~step
                width = width >> _U1
                mask = mask ^ (mask << width)
            for k in range(min(64, n_columns - 64 * word)):
                columns[64 * word + k, high] = block[k]


@kernel
def list_edges(
    first_row: Int,
    starts: Ints,
    stops: Ints,
    first_words: Ints,
    edges: Words,
    positive: Words,
    columns: Ints,
    left: Ints,
    right: Ints,
    flags: Words,
) -> None:
    """List the edges of packed rows in order: ``left``, ``right``, ``flags`` (1 = positive).

    The rows are numbered from ``first_row`` on. The node on the right is the cell's place in its
    row, or ``columns[cell]`` unless that is empty.
    """
    given = len(columns) > 0
    n = np.uint64(0)
    for i in range(len(starts)):
        at = first_words[i]
        for run in range(starts[i], stops[i], 64):
            some = edges[at]
            plus = positive[at]
            at += 1
            for k in range(min(np.int64(64), stops[i] - run)):
                if (some >> np.uint64(k)) & _U1:
                    left[n] = first_row + i
                    right[n] = columns[run + k] if given else run + k - starts[i]
                    flags[n] = (plus >> np.uint64(k)) & _U1
                    n += _U1


@kernel
def pack_flags(
    starts: Ints, stops: Ints, first_words: Ints, edges: Words, flags: Words, positive: Words
) -> None:
    """The inverse: set the bits of ``positive`` from the flags of the edges in order."""
    n = np.uint64(0)
    for i in range(len(starts)):
        at = first_words[i]
        for run in range(starts[i], stops[i], 64):
            some = edges[at]
            plus = _U0
            for k in range(min(np.int64(64), stops[i] - run)):
                if (some >> np.uint64(k)) & _U1:
                    plus |= np.uint64(flags[n]) << np.uint64(k)
                    n += _U1
            positive[at] = plus
            at += 1


@kernel
def scatter_bits(
    starts: Ints, stops: Ints, first_words: Ints, columns: Ints, bits: Words, cells: Words
) -> None:
    """Set bit ``columns[c]`` of row i of ``cells`` (n, w) to the bit of word c of row i.

    Rows of ``bits`` as made by `pack_rows`; ``cells`` is 0 elsewhere and stays so.
    """
    for i in range(len(starts)):
        at = first_words[i]
        for begin in range(starts[i], stops[i], 64):
            word = bits[at]
            at += 1
            for k in range(min(np.int64(64), stops[i] - begin)):
                column = np.uint64(columns[begin + k])
                place = column & _U63
                bit = (word >> np.uint64(k)) & _U1
                cells[i, column >> _U6] = (cells[i, column >> _U6] & ~(_U1 << place)) | (
                    bit << place
                )


@kernel
def collect_bits(
    starts: Ints, stops: Ints, first_words: Ints, columns: Ints, cells: Words, bits: Words
) -> None:
    """The inverse: fill the rows of ``bits`` from ``cells``."""
    for i in range(len(starts)):
        at = first_words[i]
        for begin in range(starts[i], stops[i], 64):
            word = _U0
            for k in range(min(np.int64(64), stops[i] - begin)):
                column = np.uint64(columns[begin + k])
                word |= ((cells[i, column >> _U6] >> (column & _U63)) & _U1) << np.uint64(k)
            bits[at] = word
            at += 1
