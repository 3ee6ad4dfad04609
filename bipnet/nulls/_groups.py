"""Lines of a sign pattern in groups, the slow ones together, so that no majority hides them.

The overlap of a whole pattern says little of a small part that mixes slowly: its edges are few, and
its share of the spread is smaller still. A scout, a chain of its own that takes no part in what is
judged, runs a few steps; lines are put in order of how much of their signs it has left in place.
The faster half of the edges is one group, the faster half of the rest the next, and so on: a slow
part makes up most of some group, large or small. Each group's overlap is then judged like that of
the whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bipnet._biadjacency import Array, Ints
from bipnet.nulls._chains import SwapChain, TradeChain

MOST_GROUPS = 8

SCOUT_STEPS = 16

FEWEST_EDGES = 1 << 10
"""Free edges of a group: a smaller pattern hides nothing and is one group."""


@dataclass(frozen=True, eq=False)
class Groups:
    """Which group each line belongs to.

    Attributes
    ----------
    of_line
        (n_lines,) number of the group, -1 for lines without free edges.
    n
        Number of groups.
    """

    of_line: Ints
    n: int

    def overlaps(self, chain: TradeChain | SwapChain, start: Array) -> npt.NDArray[np.float64]:
        """Per group: how much of the chain is as it was at the start."""
        known = self.of_line >= 0
        counts = chain.line_overlaps(start)[known]
        overlaps = np.bincount(self.of_line[known], weights=counts, minlength=self.n)
        return overlaps.astype(np.float64)


def group_lines(scout: TradeChain | SwapChain, n_edges: int) -> Groups:
    """Groups of the lines of a chain that has not run yet; runs it."""
    start = scout.snapshot()
    own = scout.line_overlaps(start).astype(np.float64)
    edges = scout.line_edges().astype(np.float64)
    moving = (own > 0) & (own < edges)
    of_line = np.where(moving, 0, -1)
    n_groups = min(MOST_GROUPS, (n_edges // FEWEST_EDGES).bit_length())
    if n_groups > 1 and moving.sum() >= 2:
        scout.run(0, SCOUT_STEPS)
        kept = scout.line_overlaps(start).astype(np.float64)
        # 0: as if the signs of a line were dealt anew, 1: as they were.
        dealt = own**2 / np.maximum(edges, 1)
        stayed = (kept - dealt)[moving] / (own - dealt)[moving]
        order = np.flatnonzero(moving)[np.argsort(stayed, kind="stable")]
        slower = 1 - np.cumsum(edges[order]) / edges[order].sum()
        halvings = -np.log2(np.maximum(slower, 0.5**MOST_GROUPS))
        of_line[order] = np.minimum(halvings.astype(np.int64), n_groups - 1)
    groups, of_known = np.unique(of_line[moving], return_inverse=True)
    of_line[moving] = of_known
    return Groups(of_line, max(1, len(groups)))
