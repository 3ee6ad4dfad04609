"""Lines of a sign pattern in groups, the slow ones together, so that no majority hides them.

The overlap of a whole pattern says little of a small part that mixes slowly: its edges are few, and
its share of the spread is smaller still. A scout, a chain of its own that takes no part in what is
judged, runs a few steps; lines are put in order of how much of their signs it has left in place.
The faster half of the edges is one group, the faster half of the rest the next, and so on: a slow
part makes up most of some group, large or small. Each group's overlap is then judged like that of
the whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bipnet._biadjacency import Ints

MOST_GROUPS = 16

SCOUT_STEPS = 16

FEWEST_EDGES = 1 << 10
"""Free edges of a group: a smaller pattern hides nothing and is one group."""


@dataclass(frozen=True, eq=False)
class Groups:
    """Which group each line belongs to.

    Attributes
    ----------
    of_line
        (n_lines,) number of the group, -1 for lines in none.
    n
        Number of groups; 0 where the whole pattern is the only one.
    left
        Whether lines are left nodes (else right nodes).
    """

    of_line: Ints
    n: int
    left: bool

    def sums(self, counts: Ints) -> npt.NDArray[np.float64]:
        """Per group: the sum of a count per line, such as what is as it was at the start."""
        known = self.of_line >= 0
        sums = np.bincount(self.of_line[known], weights=counts[known], minlength=self.n)
        return sums.astype(np.float64)


def group_lines(
    own: Ints, edges: Ints, scout: Callable[[], Ints], n_edges: int, *, left: bool
) -> Groups:
    """Groups of lines with ``own`` positive ones among their ``edges``.

    ``scout`` runs a chain and returns, per line, how many edges are positive both now and before.
    """
    own, edges = own.astype(np.float64), edges.astype(np.float64)
    moving = (own > 0) & (own < edges)
    of_line = np.where(moving, 0, -1)
    n_groups = min(MOST_GROUPS, (n_edges // FEWEST_EDGES).bit_length())
    if n_groups > 1 and moving.sum() >= 2:
        kept = scout().astype(np.float64)
        # 0: as if the signs of a line were dealt anew, 1: as they were.
        dealt = own**2 / np.maximum(edges, 1)
        stayed = (kept - dealt)[moving] / (own - dealt)[moving]
        order = np.flatnonzero(moving)[np.argsort(stayed, kind="stable")]
        slower = 1 - np.cumsum(edges[order]) / edges[order].sum()
        halvings = -np.log2(np.maximum(slower, 0.5**MOST_GROUPS))
        of_line[order] = np.minimum(halvings.astype(np.int64), n_groups - 1)
    groups, of_known = np.unique(of_line[moving], return_inverse=True)
    of_line[moving] = of_known
    if len(groups) < 2:
        return Groups(np.full_like(of_line, -1), 0, left)
    return Groups(of_line, len(groups), left)
