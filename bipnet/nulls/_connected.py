"""Whether trades alone connect all sign patterns of a matrix that lacks some edges.

Direct positive edges left -> right and negative ones right -> left (`_components`). A directed
cycle of four is a swap, which is a trade. Two patterns with the same degrees differ by
edge-disjoint directed cycles, so trades connect them all if swaps can reverse every directed
cycle and leave all else as it is. By induction over its length:

- A cycle with a *chord*, an edge between two of its nodes that are not neighbours on it: with
  one of the two halves the chord makes a shorter directed cycle. Reverse that; the chord has
  turned and makes a directed cycle with the other half. Reverse that too.
- A cycle of length 2k >= 6 without chords. Each of its nodes lacks an edge to one of its nodes of
  the other side, so it runs through nodes alone that lack edges: it needs three of them on both
  sides. Call Q its k >= 3 right nodes, and let d be a left node that lacks no edge and has edges
  of both signs to Q. Along the cycle there is then a part p -> b -> q with p, q in Q and
  p -> d -> q. The cycle with d in place of b is directed, and d has an edge to all of Q: chords
  cut it down to cycles of four. Reverse it. Now p -> b -> q -> d -> p is a directed cycle of
  four; reverse that. Both paths through d are as they were, and the cycle is reversed.
- If no such d is there, the left nodes that lack no edge have one sign each towards Q: U of them
  are positive to all of Q. Let d, e be one of these and one of the others. If k+ of d exceeds k+
  of e by less than |Q|, there is a right node s outside of Q with d negative and e positive to
  it. Swap d, e between s and a node of Q: the cycle is as it was and d has both signs towards Q.
  Do as above, and swap back.

So it is enough that there are such d and e whatever the pattern. U is not known, but each node p
of Q has k+ = U + (its positive edges to left nodes that lack edges): U lies between k+ minus the
number of these edges and k+. If U is not zero nor everything, and the left nodes that lack no
edge, sorted by k+, make no step of three or more after the first U of them, d and e exist: either
these U are the first U, or some d in U has no larger k+ than some e outside. All of it holds with
left and right exchanged, too.
"""

from __future__ import annotations

import numpy as np

from bipnet._biadjacency import Array, Biadjacency, Ints
from bipnet.nulls._cells import bits_per_line, cells_of, transposed
from bipnet.nulls._rows import Rows

_FEWEST = 3  # nodes of either side on a chordless cycle


def trades_connect(matrix: Biadjacency, rows: Rows) -> bool:
    """Whether trades provably reach every sign pattern with the degrees of ``matrix``.

    True says that they do; False says that this module cannot tell.
    """
    edges, positive = (cells_of(matrix, rows, bits) for bits in (rows.edges, rows.positive))
    degrees, k_plus = (_both_sides(cells, matrix.shape) for cells in (edges, positive))
    # Nodes without edges are on no cycle: they are left out.
    n_alive = [int(np.count_nonzero(d)) for d in degrees]
    lacks = [(d > 0) & (d < n) for d, n in zip(degrees, n_alive[::-1], strict=True)]
    if min(int(np.count_nonzero(flags)) for flags in lacks) < _FEWEST:
        return True
    return any(
        _helped(
            k_helpers=k_plus[side][degrees[side] == n_alive[1 - side]],
            degrees=degrees[1 - side][lacks[1 - side]],
            k_plus=k_plus[1 - side][lacks[1 - side]],
        )
        for side in (0, 1)
    )


def _helped(k_helpers: Ints, degrees: Ints, k_plus: Ints) -> bool:
    """The last paragraph above: ``k_helpers`` of one side's nodes that lack no edge, ``degrees``
    and ``k_plus`` of the other side's nodes that do lack some."""
    n = len(k_helpers)
    least = np.maximum(k_plus - (degrees - n), 0)
    most = np.minimum(k_plus, n)
    if n == 0 or (least <= 0).any() or (most >= n).any():
        return False
    steps = -np.diff(np.sort(k_helpers)[::-1])  # after the first U + 1 of them
    too_high = np.concatenate([[0], np.cumsum(steps >= _FEWEST)])
    return bool((too_high[most] == too_high[least - 1]).all())


def _both_sides(cells: Array, shape: tuple[int, int]) -> tuple[Ints, Ints]:
    return bits_per_line(cells), bits_per_line(transposed(cells, shape[1], 1))
