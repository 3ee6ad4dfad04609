"""diagnose: how G's chain behaves on one matrix, and how long it therefore runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bipnet._check import open_matrix
from bipnet._memory import require_memory
from bipnet._threads import usable_threads
from bipnet.errors import InputError
from bipnet.nulls._pilot import pilot
from bipnet.nulls._rows import packed_rows
from bipnet.nulls._signs import chain_bytes
from bipnet.nulls.models import NullModel, null_model


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What pilot chains showed. Made by `diagnose`.

    Attributes
    ----------
    null, method
        "G", and how signs were moved ("trade" or "swap").
    steps, loops
        Length of a draw: rounds of global trades or attempted swaps, and loops after them
        (0 where no edge is missing).
    settled
        Whether equilibrium was reached; if not, ``steps`` is only as long as the pilot was.
    traces
        (n_chains, n + 1) overlap with the start, the share of its positive edges that are still
        positive, after 0, 1, ... n units of ``unit`` steps. Read-only.
    unit
        Steps between two values of ``traces``.
    level, spread
        Mean and standard deviation of the overlap at equilibrium: independent draws have these.
    settles_after, relaxation
        In steps: until the overlap is within one spread of its level, and the relaxation time.
    effective_sample_size
        Independent values that the second half of the traces is worth.
    moved
        Sign changes per step and edge.
    acceptance
        Share of the attempted swaps that were accepted; None for trades.
    loop_traces, loop_unit
        The same trace over the loops that follow, in units of ``loop_unit`` loops; None
        and 0 where no edge is missing.
    windings
        How many winding numbers (of edges around a ring, say), which no overlap shows, were
        watched until they came to the same values from the two ends of their range.
    """

    null: str
    method: str
    steps: int
    loops: int
    settled: bool
    traces: npt.NDArray[np.float64]
    unit: int
    level: float
    spread: float
    settles_after: float
    relaxation: float
    effective_sample_size: float
    moved: float
    acceptance: float | None
    loop_traces: npt.NDArray[np.float64] | None
    loop_unit: int
    windings: int

    def __str__(self) -> str:
        kind = "rounds of trades" if self.method == "trade" else "attempted swaps"
        verdict = "settled" if self.settled else "NOT SETTLED"
        lines = [
            f"null model {self.null} by {self.method}: {verdict}",
            f"  a draw takes   {self.steps} {kind}"
            + (f", then {self.loops} loops" if self.loops else ""),
            f"  overlap        {self.level:.4f} +- {self.spread:.2g} at equilibrium,"
            f" reached after {self.settles_after:g}",
            f"  relaxation     {self.relaxation:.3g} (effective sample size"
            f" {self.effective_sample_size:.0f} in {self.traces.shape[1] // 2} values)",
            f"  moved          {self.moved:.3g} sign changes per step and edge",
        ]
        if self.windings:
            lines.append(f"  windings       {self.windings} watched from both ends of their range")
        if self.acceptance is not None:
            lines.append(f"  acceptance     {self.acceptance:.3f}")
        return "\n".join(lines)


def diagnose(
    W: Any,
    null: str | NullModel = "G",
    *,
    method: str | None = None,
    n_threads: int | None = None,
) -> Diagnosis:
    """Run the pilot chains of null model G on ``W`` and say what they show.

    The pilot depends on the signs of ``W`` alone, not on any seed; draws of `randomize` and
    `ensemble` are as long as it says.

    Parameters
    ----------
    W
        (n_left, n_right) matrix or graph, as in `randomize`.
    null
        "G": the one null model that is a chain.
    method
        "trade" (default) or "swap".
    n_threads
        As in `randomize`.

    Returns
    -------
    A `Diagnosis`; print it, or draw it with `bipnet.plot.traces`.

    Raises
    ------
    InputError
        A null model without a chain, or a graph without edges of both signs (nothing mixes).

    Notes
    -----
    The criterion: the second half of the traces is taken for equilibrium if its two halves
    agree within three standard errors (autocorrelation counted; Sokal 1997). The chain has
    settled when the mean overlap is within one equilibrium standard deviation of its level; a
    draw takes ln(1000) relaxation times more, which leaves a thousandth of that.

    Examples
    --------
    >>> import numpy as np, bipnet
    >>> W = np.random.default_rng(0).normal(size=(40, 30))
    >>> found = bipnet.diagnose(W)
    >>> found.settled, found.steps == bipnet.ensemble(W, "G", n=1).steps
    (True, True)
    """
    model = null_model(null)
    if model.exact:
        raise InputError(
            f"null model {model.letter} is an exact draw without a chain: there is nothing to"
            " diagnose (bipnet.certify says what is guaranteed)"
        )
    if method is not None and method not in model.methods:
        raise InputError(
            f"null model {model.letter} has the methods {', '.join(model.methods)}, not {method!r}"
        )
    method = method or model.methods[0]
    matrix, _ = open_matrix(W)
    threads = usable_threads(n_threads, matrix.words.size)
    rows = packed_rows(matrix, threads)
    if rows.n_positive in (0, rows.n_edges):
        raise InputError("W has no edges of both signs: its sign pattern cannot change")
    require_memory(chain_bytes(matrix, method), f"the pilot of null model G on {matrix.shape}")
    found = pilot(matrix, rows, method, threads)
    if found.found is None and found.loops_found is None:
        raise InputError(
            "every sign of W is frozen: there is one pattern with these degrees, and nothing mixes"
            " (bipnet.certify says why)"
        )
    judged = found.found or found.loops_found
    assert judged is not None
    unit = found.unit if found.found is not None else found.loop_unit
    traces = found.traces if found.found is not None else found.loop_traces
    assert traces is not None
    for part in (found.traces, found.loop_traces):
        if part is not None:
            part.flags.writeable = False
    return Diagnosis(
        model.letter,
        method,
        found.length.steps,
        found.length.loops,
        found.settled,
        traces,
        unit,
        judged.level,
        judged.spread,
        float(judged.after * unit),
        judged.relaxation * unit,
        judged.effective,
        found.moved / found.unit,
        found.acceptance,
        found.loop_traces,
        found.loop_unit,
        found.n_windings,
    )
