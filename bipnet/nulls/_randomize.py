"""randomize (one draw) and ensemble (many): the public face of the null models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar, cast, overload

import numpy as np

from bipnet._biadjacency import Biadjacency, Rebuild
from bipnet._check import as_tensor, open_matrix
from bipnet._memory import new_array, require_memory
from bipnet._streams import RNGLike, Seed, resolve_seed
from bipnet._threads import usable_threads
from bipnet.errors import FrozenWarning, InputError, warn_caller
from bipnet.nulls._draw import Plan, draw, make_plan
from bipnet.nulls._finite import look_over
from bipnet.nulls._permute import is_checked_late
from bipnet.nulls.models import NullModel, null_model

M = TypeVar("M")


def randomize(
    W: M,
    null: str | NullModel,
    *,
    rng: RNGLike | Seed = None,
    index: int = 0,
    name: str = "",
    method: str | None = None,
    steps: int | None = None,
    loops: int | None = None,
    out: np.ndarray[Any, Any] | None = None,
    n_threads: int | None = None,
) -> M:
    """One draw of a null model of ``W``.

    Parameters
    ----------
    W
        (n_left, n_right) matrix (numpy, scipy sparse, torch, nested lists) or graph. Row i is
        left node i. Zeros are no edges: they never move.
    null
        "A" to "G", a key of `bipnet.NULL_MODELS`.
    rng
        int, `numpy.random.SeedSequence`, `numpy.random.Generator` (advanced) or None (fresh
        entropy). The same seed gives the same bits for any number of threads, dense or CSR,
        and the same permutation for every dtype.
    index
        Number of the draw: different indices give independent draws under one seed.
    name
        Name of the tensor, part of the draw's identity: layers of one model get streams of
        their own.
    method
        G only: "trade" (bit-packed Curveball trades, the default) or "swap" (2x2 swaps, slow,
        for comparison). Where edges are missing both are followed by loops.
    steps, loops
        G only: rounds of trades, or attempted swaps, and (where edges are missing) loops
        before the draw is taken. By default as many as the chain needs to forget the data,
        found on a pilot chain that depends on the sign pattern alone and is remembered for
        further draws of the same matrix (`bipnet.diagnose` shows it).
    out
        Write the result into this array (dense input only, same shape and dtype); may be ``W``
        itself. A C-ordered one needs no further memory.
    n_threads
        Threads to use; None means all cores for large matrices. The result does not depend
        on it.

    Returns
    -------
    The same kind of container, dtype and device as ``W``: a copy, or ``out``.

    Raises
    ------
    InputError, DTypeError
        See `SignedBipartiteGraph`; an unknown null model, method or number of steps.
    TooLargeError
        The working copy would not fit into memory.

    Warns
    -----
    FrozenWarning
        Nothing can move, or a part cannot; the warning names it.
    NotSettledWarning
        The pilot chain of G has not reached equilibrium.

    Notes
    -----
    Paper, section 3.4 and Table 1. A to F are Fisher-Yates shuffles within groups: exact,
    independent, uniform. G is a Markov chain whose stationary law is exactly uniform.

    Examples
    --------
    >>> import numpy as np, bipnet
    >>> W = np.array([[0.5, -1, 2, -3], [1.5, 3, -0.25, -4]], dtype=np.float32)
    >>> R = bipnet.randomize(W, "E", rng=7)
    >>> bool((np.sign(R) == np.sign(W)).all()), np.sort(R[0]).tolist()
    (True, [-3.0, -1.0, 0.5, 2.0])
    """
    edges, rebuild = open_matrix(W, check_later=True)
    threads = usable_threads(n_threads, edges.words.size)
    if out is not None:
        _require_out(W, edges, out)
    model = null_model(null)
    # A draw into new memory can be thrown away; a Generator that was advanced cannot go back.
    if out is not None or isinstance(rng, np.random.Generator) or not is_checked_late(edges, model):
        look_over(edges, threads)
    plan = make_plan(
        edges,
        model,
        seed=resolve_seed(rng),
        name=name,
        index=index,
        method=method,
        steps=steps,
        loops=loops,
        n_threads=threads,
    )
    if out is None:
        result: M = rebuild(drawn(edges, plan, threads))
        return result
    same = out.ctypes.data == edges.values.ctypes.data
    apart = same or not np.may_share_memory(out, edges.values)
    if out.flags.c_contiguous and out.dtype.isnative and apart:
        _draw_and_warn(edges, edges.with_values(out), plan, threads)
    else:
        np.copyto(out, drawn(edges, plan, threads).values)
    return cast(M, out)  # W is an ndarray too: checked above


def ensemble(
    W: M,
    null: str | NullModel,
    n: int,
    *,
    rng: RNGLike | Seed = None,
    name: str = "",
    method: str | None = None,
    steps: int | None = None,
    loops: int | None = None,
    n_threads: int | None = None,
) -> Ensemble[M]:
    """``n`` independent draws of a null model of ``W``, made when they are asked for.

    Draw i equals ``randomize(W, null, rng=rng, index=i, ...)``: each starts from the data with
    a stream of its own and can be made again alone.

    Parameters
    ----------
    W, null, rng, name, method, steps, loops, n_threads
        As in `randomize`. ``W`` is read at each draw: do not change it meanwhile.
    n
        Number of draws.

    Returns
    -------
    A sequence of ``n`` draws, each of the kind of ``W``; nothing is kept.

    Raises
    ------
    InputError, DTypeError
        As in `randomize`, at once and not at the first draw.

    Examples
    --------
    >>> import numpy as np, bipnet
    >>> W = np.array([[1.0, -2.0], [-3.0, 4.0]])
    >>> draws = bipnet.ensemble(W, "A", n=100, rng=7)
    >>> len(draws), bool((draws[3] == bipnet.randomize(W, "A", rng=7, index=3)).all())
    (100, True)
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 0:
        raise InputError(f"n must be a non-negative integer, got {n!r}")
    edges, rebuild = open_matrix(W, check_later=True)
    threads = usable_threads(n_threads, edges.words.size)
    look_over(edges, threads)
    plan = make_plan(
        edges,
        null,
        seed=resolve_seed(rng),
        name=name,
        index=0,
        method=method,
        steps=steps,
        loops=loops,
        n_threads=threads,
    )
    return Ensemble(edges, rebuild, plan, int(n), threads)


class Ensemble(Sequence[M]):
    """Draws of one null model of one matrix, made on demand. Made by `ensemble`.

    Attributes
    ----------
    seed
        The resolved `Seed`: pass it as ``rng=`` to make the same ensemble again, even where
        ``rng`` was None or a Generator.
    """

    def __init__(
        self, edges: Biadjacency, rebuild: Rebuild, plan: Plan, n: int, n_threads: int
    ) -> None:
        self._edges = edges
        self._rebuild = rebuild
        self._plan = plan
        self._n = n
        self._n_threads = n_threads

    @property
    def seed(self) -> Seed:
        return self._plan.seed

    @property
    def steps(self) -> int | None:
        """Steps of the chain of each draw (G), or None."""
        return self._plan.steps

    @property
    def loops(self) -> int | None:
        """Loops of the chain of each draw (G), or None."""
        return self._plan.loops

    def __len__(self) -> int:
        return self._n

    def __iter__(self) -> Iterator[M]:
        for i in range(self._n):
            yield self[i]

    @overload
    def __getitem__(self, i: int) -> M: ...
    @overload
    def __getitem__(self, i: slice) -> Sequence[M]: ...
    def __getitem__(self, i: int | slice) -> M | Sequence[M]:
        if isinstance(i, slice):
            return [self[j] for j in range(*i.indices(self._n))]
        if not -self._n <= i < self._n:
            raise IndexError(f"draw {i} of an ensemble of {self._n}")
        plan = replace(self._plan, index=i % self._n)
        draw_of_i: M = self._rebuild(drawn(self._edges, plan, self._n_threads))
        return draw_of_i


def drawn(matrix: Biadjacency, plan: Plan, n_threads: int) -> Biadjacency:
    """A draw in new memory; warns of what could not move."""
    require_memory(2 * matrix.values.nbytes, f"null model {plan.model.letter} on {matrix.shape}")
    result = matrix.with_values(new_array(matrix.values.shape, matrix.values.dtype))
    _draw_and_warn(matrix, result, plan, n_threads)
    return result


def _draw_and_warn(matrix: Biadjacency, result: Biadjacency, plan: Plan, n_threads: int) -> None:
    layer = f" of {plan.name}" if plan.name else ""
    for part in draw(matrix, result.words, plan, n_threads):
        warn_caller(f"null model {plan.model.letter}{layer}: {part}", FrozenWarning)


def _require_out(W: object, edges: Biadjacency, out: np.ndarray[Any, Any]) -> None:
    fits = (
        isinstance(out, np.ndarray)
        and not edges.is_sparse
        and as_tensor(W) is None
        and not hasattr(type(W), "__biadjacency__")
        and out.shape == edges.shape
        and out.dtype.newbyteorder("=") == edges.dtype
        and out.flags.writeable
    )
    if not fits:
        raise InputError(
            "out must be a writable ndarray of W's shape and dtype, and W a dense"
            f" array; W is {type(W).__name__} {edges.shape} {edges.dtype}, out is"
            f" {type(out).__name__} {getattr(out, 'shape', '')} {getattr(out, 'dtype', '')}"
        )
