"""certify: what a null model guarantees for this matrix, and why."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bipnet._biadjacency import Biadjacency, Flags
from bipnet._check import open_matrix
from bipnet._memory import require_memory
from bipnet.nulls._cells import is_packed
from bipnet.nulls._connected import trades_connect
from bipnet.nulls._mixing import INEQUALITY, RapidMixing, rapid_mixing
from bipnet.nulls._mobility import Mobility, mobility, nodes_with_edges
from bipnet.nulls._pilot import free_part
from bipnet.nulls._rows import packed_rows
from bipnet.nulls.models import NullModel, null_model

EXACT_LAW = "independent exact uniform draw"
CHAIN_LAW = "Markov chain, uniform stationary law"

IRREDUCIBLE_BY: dict[str, str] = {
    "exact draw": "a shuffle within groups reaches every outcome at once",
    "one state": "no other sign pattern has these degrees; only weights are shuffled",
    "Ryser 1957": "swaps, and so trades, connect all sign patterns if no edge is missing",
    "trades alone": "so few edges are missing that swaps can turn every directed cycle of signs",
    "short loops": "they reverse any directed cycle, and sign patterns differ by such cycles",
}
"""Why every outcome can be reached, and what that rests on."""

_SHOWN = 8  # nodes named in the report
_LISTED = 100  # nodes listed in JSON


LENGTH = "of a draw: what pilot chains showed (bipnet.diagnose), not a proven bound"


@dataclass(frozen=True, eq=False)
class Certificate:
    """What a null model guarantees for one matrix, as `certify` finds it.

    Attributes
    ----------
    null
        The letter of the null model.
    n_left, n_right, n_edges
        Size of the graph.
    exact
        Every draw is an independent and exactly uniform one: no chain, no convergence question.
        So it is under A to F, and under G if there is one sign pattern only.
    law
        What ``exact`` says, in words.
    irreducible_by
        Why every outcome can be reached: a key of `bipnet.nulls.IRREDUCIBLE_BY`.
    rapid_mixing
        Whether the chain provably mixes rapidly, and both sides of the inequality.
    signs, weights
        How many edges can change their sign, or their weight (sign included), and which nodes
        and edges are frozen.
    isolated_left, isolated_right
        (n_left,) and (n_right,) bool: nodes without edges.
    """

    null: str
    n_left: int
    n_right: int
    n_edges: int
    exact: bool
    law: str
    irreducible_by: str
    rapid_mixing: RapidMixing
    signs: Mobility
    weights: Mobility
    isolated_left: Flags
    isolated_right: Flags

    def __str__(self) -> str:
        mixing = self.rapid_mixing
        n_isolated = int(self.isolated_left.sum()), int(self.isolated_right.sum())
        isolated = (
            f" ({n_isolated[0]} left and {n_isolated[1]} right nodes have none)"
            if any(n_isolated)
            else ""
        )
        lines = [
            f"null model {self.null} on {self.n_left} x {self.n_right} nodes,"
            f" {self.n_edges} edges{isolated}",
            f"  law          {self.law}",
            f"  irreducible  {self.irreducible_by}: {IRREDUCIBLE_BY[self.irreducible_by]}",
            f"  mixing       {mixing.why}",
        ]
        if mixing.lhs is not None and mixing.rhs is not None:
            relation = "<" if mixing.lhs < mixing.rhs else ">="
            lines.append(f"               {mixing.lhs} {relation} {mixing.rhs} in {INEQUALITY}")
        if not self.exact:
            lines.append(f"  length       {LENGTH}")
        for name, part in (("signs", self.signs), ("weights", self.weights)):
            lines.append(f"  {name:<12} {_share(part.n_movable, self.n_edges)}")
            lines += [
                f"               {line}"
                for line in (
                    _frozen_nodes("left", part.frozen_left, self.isolated_left),
                    _frozen_nodes("right", part.frozen_right, self.isolated_right),
                )
                if line and part.n_movable
            ]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, texts and lists, for JSON: all counts, and the first 100 frozen of each.

        Examples
        --------
        >>> import bipnet
        >>> bipnet.certify([[1.0, -2.0], [-3.0, 4.0]], "E").to_dict()["signs"]["n_movable"]
        0
        """
        return {
            "null": self.null,
            "n_left": self.n_left,
            "n_right": self.n_right,
            "n_edges": self.n_edges,
            "exact": self.exact,
            "law": self.law,
            "irreducible_by": self.irreducible_by,
            "rapid_mixing": asdict(self.rapid_mixing),
            "n_isolated_left": int(self.isolated_left.sum()),
            "n_isolated_right": int(self.isolated_right.sum()),
            **{
                name: {
                    "n_movable": part.n_movable,
                    "n_frozen": part.n_frozen,
                    "n_frozen_left": int(part.frozen_left.sum()),
                    "n_frozen_right": int(part.frozen_right.sum()),
                    "frozen_left": np.flatnonzero(part.frozen_left)[:_LISTED].tolist(),
                    "frozen_right": np.flatnonzero(part.frozen_right)[:_LISTED].tolist(),
                    "frozen_edges": [list(ends) for ends in part.first_frozen],
                }
                for name, part in (("signs", self.signs), ("weights", self.weights))
            },
        }


def certify(W: Any, null: str | NullModel) -> Certificate:
    """What a null model guarantees for ``W``, and why; nothing is drawn.

    Parameters
    ----------
    W
        (n_left, n_right) matrix (numpy, scipy sparse, torch, nested lists) or graph. Row i is
        left node i. Zeros are no edges.
    null
        "A" to "G", a key of `bipnet.NULL_MODELS`.

    Returns
    -------
    A report to print (``str``), to send on (``to_dict``), or to ask: ``exact``, ``law``,
    ``irreducible_by``, ``rapid_mixing``, ``signs``, ``weights``.

    Raises
    ------
    InputError, DTypeError
        ``W`` is no matrix bipnet takes, or the null model is unknown.
    TooLargeError
        The masks of frozen edges would not fit into memory.

    Notes
    -----
    Irreducibility: Ryser 1957 (no missing edges); where few edges are missing a proof of our own
    that swaps turn every directed cycle (in bipnet/nulls/_connected.py); short loops elsewhere:
    Rahman & Stillinger 1972, Barkema & Newman 1998. Rapid mixing: Erdos, Mezei, Miklos &
    Soltesz 2018, PLoS ONE 13:e0201995, with no missing edges alone. Frozen signs of G: edges
    between different strongly connected components of the directed graph of the signs.

    Examples
    --------
    >>> import bipnet
    >>> print(bipnet.certify([[1.0, -2.0, 3.0], [-3.0, 4.0, 5.0]], "G"))
    null model G on 2 x 3 nodes, 6 edges
      law          Markov chain, uniform stationary law
      irreducible  Ryser 1957: swaps, and so trades, connect all sign patterns if no edge is \
missing
      mixing       proven: two sign patterns, and one swap leads to the other
      length       of a draw: what pilot chains showed (bipnet.diagnose), not a proven bound
      signs        4 of 6 edges can change, 2 are frozen
                   all edges of 1 of 3 right nodes are frozen (2)
      weights      all 6 edges can change
    """
    model = null_model(null)
    edges, _ = open_matrix(W)
    require_memory(4 * edges.words.size, f"the certificate of {edges.shape}")
    signs, weights = mobility(edges, model)
    exact = model.exact or signs.n_movable == 0
    full = edges.n_edges == edges.shape[0] * edges.shape[1]
    left, right = nodes_with_edges(edges)
    return Certificate(
        null=model.letter,
        n_left=edges.shape[0],
        n_right=edges.shape[1],
        n_edges=edges.n_edges,
        exact=exact,
        law=EXACT_LAW if exact else CHAIN_LAW,
        irreducible_by=_irreducible_by(edges, model, exact, full),
        rapid_mixing=_mixing(edges, exact, full),
        signs=signs,
        weights=weights,
        isolated_left=~left,
        isolated_right=~right,
    )


def _irreducible_by(edges: Biadjacency, model: NullModel, exact: bool, full: bool) -> str:
    if model.exact:
        return "exact draw"
    if exact:
        return "one state"
    if full:
        return "Ryser 1957"
    if not is_packed(edges):
        return "short loops"
    rows = packed_rows(edges, 1)
    moving = free_part(edges, rows).of(rows)
    return "trades alone" if trades_connect(edges, moving) else "short loops"


def _mixing(edges: Biadjacency, exact: bool, full: bool) -> RapidMixing:
    if exact:
        return RapidMixing(None, None, None, "nothing to prove: there is no chain")
    if not full:
        return RapidMixing(
            None,
            None,
            None,
            "not proven: the theorem that could tell does not apply where edges are missing",
        )
    cells = (edges.words & edges.layout.negative).reshape(edges.shape) == 0
    return rapid_mixing(np.count_nonzero(cells, axis=1), np.count_nonzero(cells, axis=0))


def _share(n_movable: int, n_edges: int) -> str:
    if n_movable == 0:
        return "frozen: none can change" if n_edges else "nothing to move: no edges"
    if n_movable == n_edges:
        return f"all {n_edges} edges can change"
    return f"{n_movable} of {n_edges} edges can change, {n_edges - n_movable} are frozen"


def _frozen_nodes(side: str, frozen: Flags, isolated: Flags) -> str:
    """The frozen nodes that have edges, "" if there are none."""
    nodes = np.flatnonzero(frozen & ~isolated)
    if nodes.size == 0:
        return ""
    shown = ", ".join(map(str, nodes[:_SHOWN].tolist())) + (", ..." if nodes.size > _SHOWN else "")
    n = isolated.size - np.count_nonzero(isolated)
    return f"all edges of {nodes.size} of {n} {side} nodes are frozen ({shown})"
