"""diagnose and its picture: what the pilot showed, and nothing else."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np
import pytest
import scipy.sparse

import bipnet
from bipnet import plot

matplotlib.use("agg")

Matrix = np.ndarray[Any, Any]


def signs(density: float, seed: int = 0) -> Matrix:
    rng = np.random.default_rng(seed)
    W = np.where(rng.random((40, 30)) < 0.4, 1.0, -1.0)
    return np.where(rng.random(W.shape) < density, W, 0.0)


@pytest.mark.parametrize("method", bipnet.NULL_MODELS["G"].methods)
@pytest.mark.parametrize("density", [1.0, 0.5], ids=["full", "pruned"])
def test_diagnose__says_how_long_draws_are(density: float, method: str) -> None:
    W = signs(density)
    found = bipnet.diagnose(W, method=method)
    draws = bipnet.ensemble(W, "G", 200, rng=5, method=method)
    assert (found.steps, found.loops) == (draws.steps, draws.loops)
    assert (found.loops > 0) == (density < 1)
    assert found.settled
    assert (found.acceptance is None) == (method == "trade")
    assert found.settles_after < found.steps
    assert found.relaxation > 0
    assert found.moved > 0
    assert found.effective_sample_size >= 10
    # Independent draws have the level and the spread that the pilot saw.
    start = W > 0
    overlaps = np.array([((R > 0) & start).sum() / start.sum() for R in draws])
    assert abs(overlaps.mean() - found.level) < found.spread
    assert 0.6 < overlaps.std() / found.spread < 1.6


def test_diagnose__takes_any_container() -> None:
    W = signs(0.5)
    one, other = bipnet.diagnose(W), bipnet.diagnose(scipy.sparse.csr_array(W))
    assert np.array_equal(one.traces, other.traces)
    assert one.loop_traces is not None
    assert other.loop_traces is not None
    assert np.array_equal(one.loop_traces, other.loop_traces)
    assert one.traces[:, 0].tolist() == [1.0] * len(one.traces)


def test_diagnose__traces_are_read_only() -> None:
    with pytest.raises(ValueError, match="read-only"):
        bipnet.diagnose(signs(1.0)).traces[0, 0] = 2


def test_diagnose__counts_moves_and_acceptance_as_they_are() -> None:
    W = signs(1.0)
    found = bipnet.diagnose(W, method="swap")
    assert found.acceptance is not None
    # Each accepted swap changes four signs of the n edges.
    assert found.moved == pytest.approx(4 * found.acceptance / W.size)
    # An attempt picks two positive edges; it succeeds if both other corners are negative: about
    # (1 - alpha)**2 of the time where signs are independent.
    assert found.acceptance == pytest.approx((1 - (W > 0).mean()) ** 2, rel=0.1)


@pytest.mark.parametrize("null", list("ABCDEF"))
def test_diagnose__of_an_exact_draw_is_refused(null: str) -> None:
    with pytest.raises(bipnet.InputError, match="nothing to diagnose"):
        bipnet.diagnose(signs(1.0), null)


@pytest.mark.parametrize("W", [np.ones((3, 4)), -np.ones((3, 4)), np.zeros((3, 4))])
def test_diagnose__needs_edges_of_both_signs(W: Matrix) -> None:
    with pytest.raises(bipnet.InputError, match="no edges of both signs"):
        bipnet.diagnose(W)


def test_diagnose__of_an_unknown_method_lists_them() -> None:
    with pytest.raises(bipnet.InputError, match="trade, swap"):
        bipnet.diagnose(signs(1.0), method="magic")


def test_diagnosis__reads_like_a_report() -> None:
    found = bipnet.diagnose(signs(0.5), method="swap")
    text = str(found)
    assert text.startswith("null model G by swap: settled")
    assert f"{found.steps} attempted swaps, then {found.loops} loops" in text
    assert f"{found.acceptance:.3f}" in text


def hexagon_far_from_dense() -> Matrix:
    """So sparse that trades are left out: loops alone."""
    W = np.zeros((40, 40))
    W[:3, :3] = [[0, 1, -1], [-1, 0, 1], [1, -1, 0]]
    return W


def test_diagnose__of_loops_alone_counts_in_loops() -> None:
    found = bipnet.diagnose(hexagon_far_from_dense())
    assert found.loop_traces is not None
    assert np.array_equal(found.traces, found.loop_traces)
    assert found.unit == found.loop_unit > 0
    assert found.loops > 0


@pytest.mark.parametrize(
    ("W", "method", "label", "taken"),
    [
        (signs(1.0), "trade", "rounds of trades", "steps"),
        (signs(0.5), "swap", "attempted swaps", "steps"),
        (hexagon_far_from_dense(), "trade", "loops", "loops"),
    ],
    ids=["trades", "swaps", "loops"],
)
def test_traces__draws_every_chain_and_where_a_draw_is_taken(
    W: Matrix, method: str, label: str, taken: str
) -> None:
    found = bipnet.diagnose(W, method=method)
    ax = plot.traces(found)
    *chains, line = ax.get_lines()
    assert len(chains) == len(found.traces)
    for chain, trace in zip(chains, found.traces, strict=True):
        assert np.array_equal(np.asarray(chain.get_ydata()), trace)
        assert np.asarray(chain.get_xdata())[1] == found.unit
    assert np.asarray(line.get_xdata())[0] == getattr(found, taken)
    assert ax.get_xlabel() == label
    assert plot.traces(found, ax=ax) is ax
    matplotlib.pyplot.close("all")
