"""Which signs null model G can move: strongly connected components of the sign pattern.

Direct each positive edge left -> right and each negative edge right -> left. The sign patterns
with the same k+ and k- on the same edges are the orientations with the same out-degrees, and two
of those differ by edge-disjoint directed cycles. An edge can therefore change its sign iff it
lies on a directed cycle, i.e. iff both its ends are in one strongly connected component.
"""

from __future__ import annotations

import numpy as np

from bipnet._biadjacency import Array, Biadjacency, Flags, Ints
from bipnet._memory import require_memory

_PIVOTS = 8  # components peeled off a dense pattern before the rest is searched edge by edge
_SPARSEST_PACKED = 64  # cells per edge beyond which bits cost more than an edge search
_MOST_LEVELS = 64  # of one breadth-first search on bits; a longer one is left to the edge search


def sign_components(edges: Biadjacency, positive: Array) -> tuple[Ints, Ints]:
    """Label each node by its strongly connected component.

    Parameters
    ----------
    edges
        The graph; only where its edges are is read, not their weights.
    positive
        (n_edges,) sign of each edge in row-major order: not 0 where it is positive.

    Returns
    -------
    Labels of the left nodes (n_left,) and of the right nodes (n_right,), int64. A label is on
    both sides iff its component has more than one node; an edge can change its sign iff its two
    ends have the same label.

    Notes
    -----
    Where no edge is missing the degrees alone decide (`components_of_degrees`). Other patterns
    are searched on packed bits from a well connected node, which finds the one big component of a
    usual layer; what remains, and a very sparse pattern, is searched edge by edge (scipy).
    """
    n_left, n_right = edges.shape
    positive = positive.astype(np.bool_, copy=False)
    if positive.size == n_left * n_right:
        cells = positive.reshape(edges.shape)
        return components_of_degrees(
            np.count_nonzero(cells, axis=1), np.count_nonzero(cells, axis=0)
        )
    if n_left * n_right > _SPARSEST_PACKED * positive.size:
        return _searched(edges.edge_rows, edges.edge_columns, positive, edges.shape)
    return _peeled(edges, positive)


def components_of_degrees(k_left: Ints, k_right: Ints) -> tuple[Ints, Ints]:
    """`sign_components` of a pattern without missing edges, from the k+ of its nodes.

    Parameters
    ----------
    k_left, k_right
        (n_left,) and (n_right,) number of positive edges of each node.

    Returns
    -------
    Labels as in `sign_components`, ascending along the edges: an edge between two components
    leads from the smaller label to the larger one.

    Notes
    -----
    Two nodes are in different components iff a *cut* parts them: a set X of nodes that edges
    only leave. Let X have the left nodes E and lack the right nodes F. Edges between E and F
    leave X iff they are positive, and those between the other left and the other right nodes
    iff they are negative; so X is a cut iff all of E x F is positive and all of the opposite
    block is negative. With e = |E|, f = |F|, and both sides sorted by k+ descending,

        T(e, f) = e f + (sum of k+ of the left nodes from e on) - (sum of k+ of the first f
        right nodes)

    counts the negative edges in E x F plus the positive ones in the opposite block when E and F
    are the first e and f nodes (the positive edges of the other left nodes with F cancel). It
    cannot be negative and is 0 iff they make a cut.

    These prefix cuts part all that any cut parts. In a cut, nodes of E have k+ >= f and other
    left nodes k+ <= f, and likewise on the right: sorted, E and F are prefixes but for ties, and
    T is 0 at their sizes. Only left nodes with k+ = f exactly may be exchanged between E and the
    others; since T(e + 1, f) - T(e, f) = f - k+ of left node e, T stays 0 while they enter one
    by one, so that prefix cuts part each of them from every other node.

    For a given e, T is convex in f with steps e - k+: it is least for f from the number of right
    nodes with k+ > e to the number with k+ >= e. Cuts are nested (X grows with e, and as f
    falls), so the number of cuts a node is not in labels its component. (Gale 1957 and Ryser
    1957 read existence off the same sums.)
    """
    n_left, n_right = len(k_left), len(k_right)
    left_order = np.argsort(-k_left, kind="stable")
    right_order = np.argsort(-k_right, kind="stable")
    left_sorted, right_sorted = k_left[left_order], k_right[right_order]
    e = np.arange(n_left + 1)
    ascending = right_sorted[::-1]
    first = n_right - np.searchsorted(ascending, e, side="right")
    last = n_right - np.searchsorted(ascending, e, side="left")
    left_rest = np.concatenate([np.cumsum(left_sorted[::-1])[::-1], [0]])
    right_sum = np.concatenate([[0], np.cumsum(right_sorted)])
    is_cut = e * first + left_rest - right_sum[first] == 0
    # A left node at place p is not in the cuts with e <= p, a right node at q in those with f > q.
    cuts_by_e = np.where(is_cut, last - first + 1, 0)
    steps = np.zeros(n_right + 2, dtype=np.int64)
    np.add.at(steps, first[is_cut], 1)
    np.add.at(steps, last[is_cut] + 1, -1)
    cuts_by_f = np.cumsum(steps)[: n_right + 1]
    left, right = np.empty(n_left, dtype=np.int64), np.empty(n_right, dtype=np.int64)
    left[left_order] = np.cumsum(cuts_by_e)[:-1]
    right[right_order] = np.cumsum(cuts_by_f[::-1])[::-1][1:]
    return left, right


def _peeled(edges: Biadjacency, positive: Flags) -> tuple[Ints, Ints]:
    """Peel big components off a dense pattern, then search what remains edge by edge.

    The component of a node is what it reaches and is reached from; the other components are
    those of the graph without it.
    """
    require_memory(4 * edges.shape[0] * edges.shape[1], f"the components of {edges.shape}")
    cells = np.zeros(edges.shape, dtype=np.uint8)
    if edges.is_sparse:
        cells[edges.edge_rows, edges.edge_columns] = positive + np.uint8(1)
    else:
        cells.reshape(-1)[edges.edge_mask] = positive + np.uint8(1)
    plus, minus = cells == 2, cells == 1
    left = np.full(edges.shape[0], -1, dtype=np.int64)
    right = np.full(edges.shape[1], -1, dtype=np.int64)
    plus_bits, minus_bits = _packed(plus), _packed(minus)
    n_found = 0
    for _ in range(_PIVOTS):
        rows = np.flatnonzero(left < 0)
        if rows.size == 0:
            break
        here = _packed((right < 0)[None])[0]
        both = np.minimum(_n_bits(plus_bits[rows] & here), _n_bits(minus_bits[rows] & here))
        if not both.any():
            break  # every left node is a source or a sink: no cycle is left
        pivot = int(rows[np.argmax(both)])
        ahead = _reached(plus_bits, minus_bits, pivot, left < 0, here)
        behind = _reached(minus_bits, plus_bits, pivot, left < 0, here)
        if ahead is None or behind is None:
            break
        left[ahead[0] & behind[0]] = n_found
        right[_unpacked(ahead[1] & behind[1], edges.shape[1])] = n_found
        n_found += 1
    rows, columns = np.flatnonzero(left < 0), np.flatnonzero(right < 0)
    plus, minus = plus[rows][:, columns], minus[rows][:, columns]
    row, column = np.nonzero(plus | minus)
    left_rest, right_rest = _searched(row, column, plus[row, column], plus.shape)
    left[rows], right[columns] = left_rest + n_found, right_rest + n_found
    return left, right


def _reached(
    out: Array, back: Array, start: int, rows_here: Flags, columns_here: Array
) -> tuple[Flags, Array] | None:
    """The left nodes, and as bits the right ones, that left node ``start`` reaches.

    ``out`` and ``back`` are (n_left, words): edges left -> right and right -> left. None if the
    search takes many levels, each of which looks at all bits.
    """
    rows = np.zeros(len(out), dtype=np.bool_)
    rows[start] = True
    columns = np.zeros_like(columns_here)
    newest = np.array([start])
    for _ in range(_MOST_LEVELS):
        new_columns = np.bitwise_or.reduce(out[newest], axis=0) & columns_here & ~columns
        columns |= new_columns
        unseen = np.flatnonzero(rows_here & ~rows)
        newest = unseen[np.bitwise_or.reduce(back[unseen] & new_columns, axis=1) != 0]
        if newest.size == 0:
            return rows, columns
        rows[newest] = True
    return None


def _packed(flags: Flags) -> Array:
    """(r, n) flags as (r, words) uint64 bits, padded with 0."""
    octets = np.packbits(flags, axis=1, bitorder="little")
    return np.ascontiguousarray(np.pad(octets, ((0, 0), (0, -octets.shape[1] % 8)))).view(np.uint64)


def _unpacked(bits: Array, n: int) -> Flags:
    return np.unpackbits(bits.view(np.uint8), bitorder="little", count=n).view(np.bool_)


def _n_bits(bits: Array) -> Ints:
    counts: Ints = np.bitwise_count(bits).sum(axis=1, dtype=np.int64)
    return counts


def _searched(
    left: Ints, right: Ints, positive: Flags, shape: tuple[int, int]
) -> tuple[Ints, Ints]:
    """`sign_components` of a list of edges."""
    n_left, n_nodes = shape[0], sum(shape)
    if positive.all() or not positive.any():
        nodes = np.arange(n_nodes)
        return nodes[:n_left], nodes[n_left:]
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    index = np.int32 if n_nodes < 1 << 31 else np.int64
    from_left, from_right = left.astype(index), (right + n_left).astype(index)
    tails = np.where(positive, from_left, from_right)
    heads = np.where(positive, from_right, from_left)
    directed = coo_array((np.ones(len(tails), np.int8), (tails, heads)), shape=(n_nodes, n_nodes))
    _, found = connected_components(directed.tocsr(), connection="strong")
    labels = found.astype(np.int64)
    return labels[:n_left], labels[n_left:]
