"""Which signs null model G can move: strongly connected components of the sign pattern.

Direct each positive edge left -> right and each negative edge right -> left. The sign patterns
with the same k+ and k- on the same edges are the orientations with the same out-degrees, and two
of those differ by edge-disjoint directed cycles. An edge can therefore change its sign iff it
lies on a directed cycle, i.e. iff both its ends are in one strongly connected component.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from bipnet._biadjacency import Array, Biadjacency, Flags, Ints
from bipnet._memory import require_memory
from bipnet.nulls._cells import transposed

_BITS_PER_EDGE = 512  # bits that walks look at, per edge, beyond which an edge list costs less


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
    are walked with bit sets for neighbours, which costs a set operation per node; very sparse or
    very long ones edge by edge (scipy).
    """
    n_left, n_right = edges.shape
    positive = positive.astype(np.bool_, copy=False)
    if positive.size == n_left * n_right:
        cells = positive.reshape(edges.shape)
        return components_of_degrees(
            np.count_nonzero(cells, axis=1), np.count_nonzero(cells, axis=0)
        )
    if (n_left + n_right) * max(edges.shape) > _BITS_PER_EDGE * positive.size:
        return _by_edge_list(edges, positive)
    all_edges = np.ones_like(positive)
    return components_of_cells(_cells(edges, positive), _cells(edges, all_edges), n_right)


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


def components_of_cells(positive: Array, edges: Array, n_right: int) -> tuple[Ints, Ints]:
    """`sign_components` of a pattern given as bits of cells.

    Parameters
    ----------
    positive, edges
        (n_left, words) uint64: bit j of row i is set where (i, j) is a positive edge, or an edge.
    n_right
        Number of right nodes.

    Notes
    -----
    Kosaraju's two walks. Sets of nodes are Python integers, a bit for each node of a side.
    """
    n_left = len(edges)
    require_memory(edges.nbytes * 6, f"the components of {n_left, n_right}")
    negative = edges ^ positive
    heads = _bit_sets(positive) + _bit_sets(transposed(negative, n_right, 1))
    tails = _bit_sets(negative) + _bit_sets(transposed(positive, n_right, 1))

    shape = n_left, n_right
    finished = [node for walk in _walks(range(n_left + n_right), heads, shape) for node in walk]
    labels = np.empty(n_left + n_right, dtype=np.int64)
    for label, component in enumerate(_walks(finished[::-1], tails, shape)):
        labels[component] = label
    return labels[:n_left], labels[n_left:]


def _walks(starts: Iterable[int], ahead: list[int], shape: tuple[int, int]) -> Iterator[list[int]]:
    """The nodes seen by a depth-first walk from each of ``starts`` that none has seen before.

    Nodes are numbered left before right; ``ahead`` has the neighbours of each as bits of the
    other side. A walk lists its nodes in the order in which nothing unseen is left ahead of them.
    """
    n_left = shape[0]
    unseen = [(1 << n) - 1 for n in shape]
    for start in starts:
        side = int(start >= n_left)
        bit = 1 << (start - n_left * side)
        if not unseen[side] & bit:
            continue
        unseen[side] ^= bit
        path, finished = [start], []
        while path:
            other = int(path[-1] < n_left)
            new = ahead[path[-1]] & unseen[other]
            if new:
                bit = new & -new
                unseen[other] ^= bit
                path.append(bit.bit_length() - 1 + n_left * other)
            else:
                finished.append(path.pop())
        yield finished


def _bit_sets(lines: Array) -> list[int]:
    """The bits of each line as one integer."""
    return [int.from_bytes(line.tobytes(), "little") for line in lines.astype("<u8", copy=False)]


def _cells(edges: Biadjacency, flags: Flags) -> Array:
    """Flags of edges (n_edges,) as bits of cells (n_left, words) uint64."""
    n_left, n_right = edges.shape
    require_memory(2 * n_left * n_right, f"the components of {edges.shape}")
    cells = np.zeros((n_left, -(-n_right // 64) * 64), dtype=np.bool_)
    if edges.is_sparse:
        cells[edges.edge_rows, edges.edge_columns] = flags
    else:
        cells[:, :n_right][edges.edge_mask.reshape(edges.shape)] = flags
    words: Array = np.packbits(cells, axis=1, bitorder="little").view("<u8")
    return words.astype(np.uint64, copy=False)


def _by_edge_list(edges: Biadjacency, positive: Flags) -> tuple[Ints, Ints]:
    n_left, n_nodes = edges.shape[0], sum(edges.shape)
    if positive.all() or not positive.any():
        nodes = np.arange(n_nodes)
        return nodes[:n_left], nodes[n_left:]
    require_memory(64 * positive.size, f"the components of {edges.shape}")
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    left, right = edges.edge_rows, edges.edge_columns + n_left
    tails, heads = np.where(positive, left, right), np.where(positive, right, left)
    directed = coo_array((np.ones(len(tails), np.int8), (tails, heads)), shape=(n_nodes, n_nodes))
    _, found = connected_components(directed.tocsr(), connection="strong")
    labels = found.astype(np.int64)
    return labels[:n_left], labels[n_left:]
