"""The sign pattern of null model G: a uniform draw among those with the same degrees.

Positive cells form a 0/1 matrix with fixed margins. Without missing edges checkerboard moves
connect all such matrices (Ryser 1957), and trades are many of those at once. With missing edges
they may not, so short loops follow, which connect every pattern on every support. Each kind of
step leaves the uniform law unchanged, refused steps counted, hence so does their sequence.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bipnet._biadjacency import Array, Biadjacency
from bipnet._memory import require_memory

TRADE_ROUNDS = 100
"""Default rounds of global trades. The overlap of a trained 784 x 64 layer with its start
settles after 15 to 20; five times as many leave room for slower matrices."""

SWAPS_PER_EDGE = 50
"""Default attempts per edge of ``method="swap"``."""

_SPARSEST_PACKED = 64  # cells per edge beyond which bit-packed trades cost more than they mix
_BITS_PER_CALL = 1 << 30  # work of one kernel call: Ctrl-C is honoured between calls

KeyOf = Callable[[str], Array]


def default_steps(method: str, n_edges: int) -> int:
    """Steps of a G draw where the caller names none: rounds of trades, or attempted swaps."""
    return TRADE_ROUNDS if method == "trade" else max(1, SWAPS_PER_EDGE * n_edges)


def draw_signs(
    edges: Biadjacency, positive: Array, *, method: str, steps: int, key_of: KeyOf
) -> None:
    """Move ``positive`` (n_edges,) uint8, the sign pattern in row-major order, along the chain.

    ``steps`` counts rounds of global trades (method "trade") or attempted swaps ("swap").
    Where edges are missing, short loops follow: per node that has an edge as many as there were
    rounds of trades, or attempted swaps per edge.
    """
    n_left, n_right = edges.shape
    n_edges = len(positive)
    n_positive = int(positive.sum())
    if n_positive in (0, n_edges):
        return
    full = n_edges == n_left * n_right
    if method == "trade":
        if full or n_left * n_right <= _SPARSEST_PACKED * n_edges:
            _trade(edges, positive, full, steps, key_of("G trades"))
        loops_per_node = steps
    else:
        _swap(edges, positive, steps, key_of("G swaps"))
        loops_per_node = steps // n_edges + 1
    if not full:
        _loop(edges, positive, loops_per_node, key_of("G loops"))


def signs_are_frozen(edges: Biadjacency, positive: Array) -> bool:
    """Whether this sign pattern is the only one with its degrees on these edges.

    Without missing edges: all lines are nested. With them: the directed graph of the signs
    has no cycle, i.e. each of its strongly connected components is a single node.
    """
    n_left, n_right = edges.shape
    if len(positive) == n_left * n_right:
        from bipnet_kernels import first_tradable_pair

        lines = _packed_lines(edges, positive)
        order = np.argsort(np.bitwise_count(lines).sum(axis=1, dtype=np.int64), kind="stable")
        return bool(first_tradable_pair(lines, order) < 0)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    left, right = edges.edge_rows, edges.edge_columns + n_left
    forward = positive != 0
    tails = np.where(forward, left, right)
    heads = np.where(forward, right, left)
    n_nodes = n_left + n_right
    directed = coo_array((np.ones(len(tails), np.int8), (tails, heads)), shape=(n_nodes, n_nodes))
    n_components, _ = connected_components(directed.tocsr(), connection="strong")
    return bool(n_components == n_nodes)


def _packed_lines(edges: Biadjacency, flags: Array) -> Array:
    """Edge flags as bits, (lines, words) uint64: a line per node of the shorter side.

    Long lines use words best; missing edges are 0.
    """
    cells = np.zeros(edges.shape, dtype=np.uint8)
    if edges.is_sparse:
        cells[edges.edge_rows, edges.edge_columns] = flags
    else:
        cells.reshape(-1)[edges.edge_mask] = flags
    if edges.shape[0] > edges.shape[1]:
        cells = cells.T
    packed = np.packbits(cells, axis=1, bitorder="little")
    padding = -packed.shape[1] % 8
    packed = np.ascontiguousarray(np.pad(packed, ((0, 0), (0, padding))))
    return packed.view("<u8").astype(np.uint64, copy=False)


def _unpacked_flags(edges: Biadjacency, lines: Array) -> Array:
    """The inverse of `_packed_lines`: flags of the edges in row-major order."""
    n_left, n_right = edges.shape
    width = max(n_left, n_right)
    octets = lines.astype("<u8", copy=False).view(np.uint8)
    cells = np.unpackbits(octets, axis=1, bitorder="little", count=width)
    if n_left > n_right:
        cells = cells.T
    if edges.is_sparse:
        return cells[edges.edge_rows, edges.edge_columns]
    return np.ascontiguousarray(cells).reshape(-1)[edges.edge_mask]


def _trade(edges: Biadjacency, positive: Array, full: bool, rounds: int, key: Array) -> None:
    from bipnet_kernels import trade_rounds

    require_memory(3 * edges.shape[0] * edges.shape[1], "the sign pattern of null model G")
    lines = _packed_lines(edges, positive)
    if full:
        support = np.zeros((0, 0), dtype=np.uint64)
    else:
        support = _packed_lines(edges, np.ones_like(positive))
    batch = max(1, _BITS_PER_CALL // (64 * lines.size))
    for first in range(0, rounds, batch):
        trade_rounds(lines, support, first, min(batch, rounds - first), key)
    positive[:] = _unpacked_flags(edges, lines)


def _swap(edges: Biadjacency, positive: Array, attempts: int, key: Array) -> None:
    from bipnet_kernels import ATTEMPTS_PER_STREAM, NO_EDGE, swap_attempts

    n_left, n_right = edges.shape
    require_memory(n_left * n_right, "the sign pattern of null model G")
    rows, columns = edges.edge_rows, edges.edge_columns
    cells = np.full(edges.shape, NO_EDGE, dtype=np.uint8)
    cells[rows, columns] = positive
    left = rows[positive != 0]
    right = columns[positive != 0]
    batch = 256 * ATTEMPTS_PER_STREAM
    for first in range(0, attempts, batch):
        stream = first // ATTEMPTS_PER_STREAM
        swap_attempts(cells, left, right, stream, min(batch, attempts - first), key)
    positive[:] = cells[rows, columns]


def _loop(edges: Biadjacency, positive: Array, loops_per_node: int, key: Array) -> None:
    from bipnet_kernels import LOOPS_PER_STREAM, loop_streams, orient

    # Nodes without edges are left out: every walk that began there would end there.
    left_nodes, left = np.unique(edges.edge_rows, return_inverse=True)
    right_nodes, right = np.unique(edges.edge_columns, return_inverse=True)
    right = right + len(left_nodes)
    n_nodes = len(left_nodes) + len(right_nodes)
    starts = np.concatenate([[0], np.cumsum(np.bincount(np.concatenate([left, right])))])
    incident = np.empty(2 * len(left), dtype=np.int64)
    place = np.empty(2 * len(left), dtype=np.int64)
    out = np.empty(n_nodes, dtype=np.int64)
    orient(left, right, positive, starts, incident, place, out)
    n_streams = -(-loops_per_node * n_nodes // LOOPS_PER_STREAM)
    batch = 32
    for first in range(0, n_streams, batch):
        loop_streams(
            left, right, positive, starts, incident, place, out,
            first, min(batch, n_streams - first), key,
        )  # fmt: skip
