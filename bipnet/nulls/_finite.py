"""Whether all cells of a matrix are finite edges: its least and its greatest magnitude say so."""

from __future__ import annotations

import numpy as np

from bipnet._biadjacency import Array, Biadjacency
from bipnet._bits import BitLayout
from bipnet._threads import Block, cut, run_blocks

_TASK_WORDS = 1 << 18


def look_over(matrix: Biadjacency, n_threads: int) -> None:
    """Check weights that were left to be checked later (`open_matrix`).

    A kernel reads them once; NumPy, with which the door does the same and loads no kernels for it,
    takes twice as long. Where there are zeros or worse, the door counts the edges or refuses them.
    """
    if matrix.is_checked:
        return
    from bipnet_kernels import widen_range

    words, layout = matrix.words, matrix.layout
    seen = nothing_seen(layout, -(-words.size // _TASK_WORDS))

    def work(run: Block) -> None:
        first, stop = run
        widen_range(words, first, stop - first, layout.nonzero, seen[first // _TASK_WORDS])

    run_blocks(work, cut(words.size, _TASK_WORDS), n_threads)
    if are_finite_edges(seen, layout):
        matrix.knowing(words.size)
    else:
        _ = matrix.n_edges


def nothing_seen(layout: BitLayout, n: int) -> Array:
    """``n`` ranges of magnitudes (n, 2) for `widen_range` to widen."""
    seen = np.empty((n, 2), dtype=layout.word)
    seen[:] = layout.nonzero, 0
    return seen


def are_finite_edges(seen: Array, layout: BitLayout) -> bool:
    """Whether the ranges (n, 2) hold neither zero nor infinity or NaN."""
    infinity = int(layout.exponent) or 1 << 64  # integers know none
    return all(least > 0 and greatest < infinity for least, greatest in seen.tolist())
