"""Spread weights uniformly over all edges of a matrix: null models A and B, and G's second half.

Weights are put together (positive and negative ones apart), dealt to random buckets, shuffled
bucket by bucket, and handed out to the edges again. Without missing edges, and with the signs
together, the buckets are the result and two of these steps fall away.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from bipnet._biadjacency import Array, Biadjacency, Ints
from bipnet._memory import require_memory
from bipnet._threads import Block, cut, run_blocks
from bipnet.errors import InputError
from bipnet.nulls._rows import Rows, packed_rows

IN_CACHE = 1 << 18
"""Edges up to which a shuffle without buckets is the faster one."""

_CHUNKS_PER_TASK = 64  # at the most, so that Ctrl-C is honoured soon

_BUCKET = 1 << 14  # edges of a bucket, at the most (until there are 256 buckets)


def spread(
    matrix: Biadjacency,
    target: Array,
    by_sign: bool,
    key: Array,
    n_threads: int,
    rows: Rows | None = None,
    signs: Array | None = None,
) -> None:
    """Put the weights of ``matrix`` in uniformly random order on its edges, into ``target``.

    With ``by_sign`` positive weights go to positive edges and negative to negative ones: to those
    of ``signs`` (bits like ``rows.positive``, as many as before) or their own. ``target`` (the
    words of the result) may be the words of ``matrix``.
    """
    words = matrix.words
    in_place = np.may_share_memory(words, target)
    n_edges = matrix.n_edges
    if n_edges == words.size and not by_sign:
        pools = np.empty_like(words) if in_place else target
        _shuffle(words, pools, (0, n_edges), key, n_threads)
        if in_place:
            target[:] = pools
        return
    if rows is None:
        rows = packed_rows(matrix, n_threads)
        if rows.n_edges != n_edges:  # the pools would be too small
            raise InputError(
                f"W had {n_edges} edges when it was checked and has {rows.n_edges} now: do not"
                " change a matrix that draws are made of, or pass a copy of it"
            )
    if not by_sign:
        rows = rows.with_positive(rows.edges)
    require_memory(n_edges * words.itemsize, f"shuffling {matrix.shape}")
    n_positive = rows.n_positive
    bounds = (0, n_positive, n_edges)
    small = n_edges <= IN_CACHE
    # The target is free until the weights are handed out: no further copy is needed.
    gathered = np.empty(n_edges + 1, words.dtype) if small or in_place else target
    _gather(words, rows, n_positive, gathered, n_threads)
    pools = gathered if small else np.empty(n_edges + 1, words.dtype)
    _shuffle(gathered, pools, bounds, key, n_threads)
    new = rows if signs is None else rows.with_positive(signs)
    _hand_out(words, new, n_positive, pools, target, n_threads)


def _gather(words: Array, rows: Rows, n_positive: int, gathered: Array, n_threads: int) -> None:
    from bipnet_kernels import gather

    def work(run: Block) -> None:
        part = slice(*run)
        front, back = rows.before(run[0])
        gather(
            words,
            rows.starts[part],
            rows.stops[part],
            rows.first_words[part],
            rows.edges,
            rows.positive,
            front,
            n_positive + back,
            gathered,
        )

    rows.each(work, n_threads)


def _hand_out(
    words: Array, rows: Rows, n_positive: int, pools: Array, target: Array, n_threads: int
) -> None:
    from bipnet_kernels import hand_out

    def work(run: Block) -> None:
        part = slice(*run)
        front, back = rows.before(run[0])
        hand_out(
            words,
            rows.starts[part],
            rows.stops[part],
            rows.first_words[part],
            rows.edges,
            rows.positive,
            front,
            n_positive + back,
            pools,
            target,
        )

    rows.each(work, n_threads)


def _shuffle(
    source: Array, pools: Array, bounds: tuple[int, ...], key: Array, n_threads: int
) -> None:
    """Shuffle the words between neighbouring ``bounds`` apart, from ``source`` into ``pools``."""
    bits = _label_bits(bounds[-1])
    if bits == 0:
        if pools is not source:
            pools[: bounds[-1]] = source[: bounds[-1]]
        buckets = np.array(bounds)
    else:
        buckets = _deal(source, pools, bounds, bits, key, n_threads)
    _shuffle_buckets(pools, buckets, key, n_threads)


def _share(n: int, n_threads: int) -> int:
    """Items of a task, so that every thread gets a few: handing out a task takes its time too."""
    return max(1, -(-n // (4 * n_threads)))


def _label_bits(n_edges: int) -> int:
    from bipnet_kernels import MOST_LABEL_BITS

    if n_edges <= IN_CACHE:
        return 0
    return min(MOST_LABEL_BITS, (n_edges // _BUCKET).bit_length())


def _deal(
    source: Array, pools: Array, bounds: tuple[int, ...], bits: int, key: Array, n_threads: int
) -> Ints:
    """Deal the words between neighbouring ``bounds`` apart, to 2**bits buckets each.

    Returns where the buckets begin in ``pools``, and the end. All parts are dealt at once: to wake
    a thread for each takes longer than its share of a small layer.
    """
    from bipnet_kernels import CHUNK, count_labels, deal, new_stream

    parts = [cut(stop - first, CHUNK) for first, stop in pairwise(bounds)]
    # Each chunk's place, length and stream; those of the parts follow behind the buckets' own.
    chunks = [
        (first + begin, end - begin, (number << 40) + i)
        for number, (first, part) in enumerate(zip(bounds, parts, strict=False), 1)
        for i, (begin, end) in enumerate(part)
    ]
    counts = np.zeros((len(chunks), 1 << bits), dtype=np.int64)
    runs = cut(len(chunks), min(_CHUNKS_PER_TASK, _share(len(chunks), n_threads)))

    def count(run: Block) -> None:
        stream = new_stream()
        for chunk in range(*run):
            _, n, block = chunks[chunk]
            count_labels(n, bits, key, block, stream, counts[chunk])

    run_blocks(count, runs, n_threads)
    places = np.empty_like(counts)
    buckets = []
    done = 0
    for first, part in zip(bounds, parts, strict=False):
        mine = slice(done, done + len(part))
        totals = counts[mine].sum(axis=0)
        begins = first + np.cumsum(totals) - totals
        places[mine] = begins + np.cumsum(counts[mine], axis=0) - counts[mine]
        buckets.append(begins)
        done += len(part)

    def put(run: Block) -> None:
        stream = new_stream()
        for chunk in range(*run):
            begin, n, block = chunks[chunk]
            deal(source, begin, n, bits, key, block, stream, places[chunk], pools)

    run_blocks(put, runs, n_threads)
    return np.append(np.concatenate(buckets), bounds[-1])


def _shuffle_buckets(pools: Array, bounds: Ints, key: Array, n_threads: int) -> None:
    from bipnet_kernels import new_picks, new_stream, shuffle_buckets

    n_buckets = len(bounds) - 1

    def work(run: Block) -> None:
        first, stop = run
        part = bounds[first : stop + 1]
        shuffle_buckets(pools, part, first, key, new_stream(), new_picks())

    in_cache = bounds[-1] <= IN_CACHE  # one task, or two parts would be two
    step = n_buckets if in_cache else _share(n_buckets, n_threads)
    run_blocks(work, cut(n_buckets, step), n_threads)
