"""The edges of a matrix as a list and their signs as flags, for what goes edge by edge."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bipnet._biadjacency import Array, Biadjacency
from bipnet._threads import Block
from bipnet.nulls._rows import Rows


class EdgeSigns:
    """Edges in row-major order.

    Attributes
    ----------
    left, right
        (n_edges,) nodes, int32 where that is enough.
    positive
        (n_edges,) uint8: 1 for a positive edge.
    """

    def __init__(self, matrix: Biadjacency, rows: Rows, positive: Array) -> None:
        from bipnet_kernels import list_edges

        n_edges = rows.n_edges
        self.shape = matrix.shape
        self._rows = rows
        index = np.int32 if max(2 * n_edges, sum(matrix.shape)) < 1 << 31 else np.int64
        self.left: npt.NDArray[np.signedinteger] = np.empty(n_edges, dtype=index)
        self.right: npt.NDArray[np.signedinteger] = np.empty(n_edges, dtype=index)
        self.positive = np.empty(n_edges, dtype=np.uint8)
        none: Array = np.empty(0, dtype=np.int32)
        columns = none if matrix.indices is None else matrix.indices

        def work(run: Block) -> None:
            part, at = slice(*run), sum(rows.before(run[0]))
            list_edges(
                run[0],
                rows.starts[part],
                rows.stops[part],
                rows.first_words[part],
                rows.edges,
                positive,
                columns,
                self.left[at:],
                self.right[at:],
                self.positive[at:],
            )

        rows.each(work, 1)

    def packed(self) -> Array:
        """The signs as bits, like `Rows.positive`."""
        from bipnet_kernels import pack_flags

        rows = self._rows
        bits = np.empty_like(rows.positive)

        def work(run: Block) -> None:
            part, at = slice(*run), sum(rows.before(run[0]))
            flags = self.positive[at:]
            pack_flags(
                rows.starts[part], rows.stops[part], rows.first_words[part], rows.edges, flags, bits
            )

        rows.each(work, 1)
        return bits
