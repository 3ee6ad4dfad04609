"""Whether rapid mixing is proven for the signs of null model G, and by which inequality."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bipnet._biadjacency import Flags, Ints
from bipnet.nulls._components import components_of_degrees

INEQUALITY = "(c2 - c1 - 1)(d2 - d1 - 1) < max{c1 (n - d2), d1 (m - c2)}"
SOURCE = "Erdos, Mezei, Miklos & Soltesz 2018, PLoS ONE 13:e0201995"


@dataclass(frozen=True)
class RapidMixing:
    """What is proven of the speed of a chain: a statement about growth, not a number of steps.

    Attributes
    ----------
    proven
        True: rapid mixing is proven. False: the inequality fails, which proves nothing either
        way. None: there is nothing to prove, or the theorem says nothing; ``why`` tells.
    lhs, rhs
        The two sides of (c2 - c1 - 1)(d2 - d1 - 1) < max{c1 (n - d2), d1 (m - c2)}: m left
        nodes whose k+ is in [d1, d2], n right nodes whose k+ is in [c1, c2]. Of several
        independent parts the one that is furthest from satisfying it. None where it was not
        asked.
    why
        One sentence.
    """

    proven: bool | None
    lhs: int | None
    rhs: int | None
    why: str


def rapid_mixing(k_left: Ints, k_right: Ints) -> RapidMixing:
    """What is proven for sign patterns without missing edges with these k+.

    Parameters
    ----------
    k_left, k_right
        (n_left,) and (n_right,) number of positive edges of each node.

    Notes
    -----
    The theorem asks for 0 < c1, c2 < m, 0 < d1, d2 < n. Signs move within strongly connected
    components alone, each without missing edges itself, and there every node has edges of both
    signs. The pattern is thus a product of independent parts which the theorem fits, and the
    swap chain, which picks a pair of cells, makes a step in one of them with a probability that
    is polynomial in the size: it mixes rapidly if all of them do (so Erdos, Miklos & Toroczkai,
    arXiv:1601.08224, with a decomposition of the same kind). A part of 2 x 2 nodes has two
    patterns, one swap apart.

    The theorem is about the swap chain. It carries over to Curveball's single trades (Carstens
    & Kleer, arXiv:1709.07290); of global rounds of trades, which do many at once, nothing is
    proven.
    """
    left, right = components_of_degrees(k_left, k_right)
    # Labels ascend along the edges: an edge to another component is positive from a smaller left
    # label to a larger right one. Those edges are frozen and do not count within the part.
    in_left = np.isin(left, right)
    in_right = np.isin(right, left)
    n_later = len(right) - np.searchsorted(np.sort(right), left, side="right")
    n_earlier = np.searchsorted(np.sort(left), right, side="left")
    m, d1, d2 = _by_part(left, k_left - n_later, in_left)
    n, c1, c2 = _by_part(right, k_right - n_earlier, in_right)
    if m.size == 0:
        return RapidMixing(None, None, None, "nothing to prove: there is one sign pattern")
    asked = (m > 2) | (n > 2)
    where = "" if m.size == 1 else f" in each of the {m.size} independent parts"
    if not asked.any():
        return RapidMixing(
            True, None, None, f"proven: two sign patterns{where}, and one swap leads to the other"
        )
    lhs = ((c2 - c1 - 1) * (d2 - d1 - 1))[asked]
    rhs = np.maximum(c1 * (n - d2), d1 * (m - c2))[asked]
    worst = int(np.argmax(lhs - rhs))
    sides = int(lhs[worst]), int(rhs[worst])
    if sides[0] < sides[1]:
        return RapidMixing(True, *sides, f"proven for the swap chain{where}: {SOURCE}")
    where = "" if m.size == 1 else f" in one of the {m.size} independent parts"
    return RapidMixing(False, *sides, f"not proven: the inequality of {SOURCE} fails{where}")


def _by_part(labels: Ints, degrees: Ints, inside: Flags) -> tuple[Ints, Ints, Ints]:
    """(number of nodes, smallest degree, largest degree) of each part, by ascending label."""
    order = np.flatnonzero(inside)[np.lexsort((degrees[inside], labels[inside]))]
    labels, degrees = labels[order], degrees[order]
    starts = np.flatnonzero(np.diff(labels, prepend=-1))
    ends = np.append(starts[1:], len(labels))[: len(starts)]
    return ends - starts, degrees[starts], degrees[ends - 1]
