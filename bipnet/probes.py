"""The probes that change weights one by one: prune, binarize, add_noise, flip_signs.

They take arrays of any shape (bias vectors too), matrices and graphs, and give the same kind of
container back. Zeros are no edges and stay zero. Ties in magnitude are broken by position:
the earlier edge in row-major order counts as the smaller one, everywhere.
"""

from __future__ import annotations

import sys
from typing import Any, Literal, TypeVar, get_args

import numpy as np
import numpy.typing as npt

from bipnet._biadjacency import Array, Flags
from bipnet._bits import FLOATS, SIGNED, bit_layout
from bipnet._check import first_nonfinite, open_values
from bipnet._streams import RNGLike, Seed, checked_index, resolve_seed
from bipnet.errors import DTypeError, InputError

M = TypeVar("M")

PRUNE_LEVELS: tuple[float, ...] = (
    *(0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.92, 0.94, 0.95, 0.96, 0.97),
    *(0.98, 0.985, 0.99, 0.993, 0.995, 0.998, 0.999),
)
"""Fractions of edges removed: the paper's grid for `prune` and the null models, 23 points, denser
above 0.9."""

NOISE_LEVELS: tuple[float, ...] = tuple(2.0 ** (-10 + 10 * i / 29) for i in range(30))
"""Scales of `add_noise`: 30 values from 2**-10 to 1, evenly in their logarithm."""

FLIP_LEVELS: tuple[float, ...] = tuple(i / 29 for i in range(30))
"""Fractions of signs flipped: 30 values from 0 to 1."""

Distribution = Literal["uniform", "normal"]


def prune(W: M, fraction_removed: float) -> M:
    """Remove the smallest weights: round(p * n_edges) edges become zero.

    Parameters
    ----------
    W
        Array of any shape, scipy sparse matrix, torch tensor or graph.
    fraction_removed
        p in [0, 1]. Halves round to the even number.

    Returns
    -------
    A copy of the same kind; a sparse matrix or graph loses the removed entries.

    Raises
    ------
    InputError
        p outside [0, 1]; NaN or infinite weights.

    Notes
    -----
    Paper, section 3.1: one shot, by absolute value, no retraining.

    Examples
    --------
    >>> import numpy as np, bipnet
    >>> bipnet.prune(np.array([0.1, -3.0, 2.0, -0.2]), 0.5)
    array([ 0., -3.,  2.,  0.])
    """
    values, finish = open_values(W, what="W")
    values[_smallest(values, checked_fraction(fraction_removed, "fraction_removed"))] = 0
    result: M = finish(values)
    return result


def binarize(W: M) -> M:
    """The signed model: every weight replaced by its sign, +1 or -1; zeros stay zero.

    Parameters
    ----------
    W
        Array of any shape, scipy sparse matrix, torch tensor or graph.

    Returns
    -------
    A copy of the same kind and dtype (``bool`` stays as it is).

    Raises
    ------
    InputError
        NaN or infinite weights.

    Notes
    -----
    Paper, section 3.1 ("signed" models); no scale factor.

    Examples
    --------
    >>> import numpy as np, bipnet
    >>> bipnet.binarize(np.array([0.1, -3.0, 0.0], dtype=np.float32))
    array([ 1., -1.,  0.], dtype=float32)
    """
    values, finish = open_values(W, what="W")
    layout = bit_layout(values.dtype)
    words = values.view(layout.word)
    edges, negative = (words & layout.nonzero) != 0, (words & layout.negative) != 0
    values[edges & ~negative] = 1
    if negative.any():
        values[edges & negative] = -1
    result: M = finish(values)
    return result


def add_noise(
    W: M,
    scale: float,
    *,
    rng: RNGLike | Seed = None,
    distribution: Distribution = "uniform",
    index: int = 0,
    name: str = "",
) -> M:
    """Add independent noise to every edge: U(-scale, scale), or normal with that sd.

    Parameters
    ----------
    W
        Floating-point array of any shape, scipy sparse matrix, torch tensor or graph.
    scale
        Half-width a of the uniform noise, or standard deviation of the normal noise; >= 0, in
        units of the weights.
    rng, index, name
        Which draw, as in `randomize`. The noise of edge number e (row-major) is the same for
        dense and CSR input and, up to rounding, for every float dtype.
    distribution
        "uniform" (paper, section 3.2) or "normal" (paper, Figure 9).

    Returns
    -------
    A copy of the same kind. Zeros stay zero.

    Raises
    ------
    InputError
        A negative or non-finite scale; a noisy weight that overflows its dtype.
    DTypeError
        Integer or boolean weights, which cannot carry noise.

    Examples
    --------
    >>> import numpy as np, bipnet
    >>> noisy = bipnet.add_noise(np.array([1.0, 0.0, -1.0]), 0.1, rng=7)
    >>> noisy[1], bool(abs(noisy[0] - 1) <= 0.1)
    (np.float64(0.0), True)
    """
    distribution = checked_distribution(distribution)
    scale = checked_scale(scale)
    values, finish = open_values(W, what="W")
    if values.dtype not in FLOATS:
        raise DTypeError(f"weights are {values.dtype}; noise needs floats: convert them first")
    edges = _edges(values)
    generator = resolve_seed(rng).generator(
        f"noise {distribution}", name=name, index=checked_index(index)
    )
    n_edges = int(edges.sum())
    with np.errstate(over="ignore"):  # reported below
        if distribution == "uniform":
            noise = scale * (2 * generator.random(n_edges) - 1)
        else:
            noise = scale * generator.standard_normal(n_edges)
        values[edges] = (values[edges].astype(np.float64) + noise).astype(values.dtype)
    if first_nonfinite(values) is not None:
        raise InputError(f"noise of scale {scale} overflows {values.dtype}; use a wider dtype")
    result: M = finish(values)
    return result


def flip_signs(W: M, fraction_flipped: float) -> M:
    """Flip the sign of the smallest weights: round(q * n_edges) edges.

    Parameters
    ----------
    W
        Signed array of any shape, scipy sparse matrix, torch tensor or graph.
    fraction_flipped
        q in [0, 1]. Halves round to the even number.

    Returns
    -------
    A copy of the same kind.

    Raises
    ------
    InputError
        q outside [0, 1]; the most negative integer of a dtype, whose opposite does not exist.
    DTypeError
        Unsigned or boolean weights.

    Notes
    -----
    Paper, section 3.3.

    Examples
    --------
    >>> import numpy as np, bipnet
    >>> bipnet.flip_signs(np.array([0.1, -3.0, 2.0, -0.2]), 0.5)
    array([-0.1, -3. ,  2. ,  0.2])
    """
    values, finish = open_values(W, what="W")
    share = checked_fraction(fraction_flipped, "fraction_flipped")
    if values.dtype in FLOATS:
        chosen = _smallest(values, share)
        words = values.view(bit_layout(values.dtype).word)
        words[chosen] ^= bit_layout(values.dtype).negative
    elif values.dtype in SIGNED:
        chosen = _smallest(values, share)
        lowest = np.iinfo(values.dtype).min
        if (values[chosen] == lowest).any():
            raise InputError(f"{lowest} has no opposite in {values.dtype}; use a wider dtype")
        values[chosen] = -values[chosen]
    else:
        raise DTypeError(f"weights are {values.dtype}, which has no negative values to flip to")
    result: M = finish(values)
    return result


def _number(value: Any) -> Any:
    """A Python number; None for a bool, which is a flag in the wrong place."""
    number = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(number, bool) else number


def checked_fraction(value: float, what: str) -> float:
    """A float from 0 to 1."""
    number = _number(value)
    if not (isinstance(number, (int, float)) and 0 <= number <= 1):
        raise InputError(f"{what} must be a number from 0 to 1, got {value!r}")
    return float(number)


def checked_scale(value: float, what: str = "scale") -> float:
    """A finite float of at least 0."""
    number = _number(value)
    if not (isinstance(number, (int, float)) and 0 <= number <= sys.float_info.max):
        raise InputError(f"{what} must be a finite number >= 0, got {value!r}")
    return float(number)


def checked_distribution(value: Distribution) -> Distribution:
    """The name of a distribution of noise."""
    if value not in get_args(Distribution):
        raise InputError(f"distribution must be 'uniform' or 'normal', got {value!r}")
    return value


def _edges(values: Array) -> Flags:
    layout = bit_layout(values.dtype)
    flags: Flags = (values.view(layout.word) & layout.nonzero) != 0
    return flags


def _smallest(values: Array, share: float) -> npt.NDArray[np.intp]:
    """Positions of the round(share * n) smallest of the n edges, ties broken by position."""
    edges: npt.NDArray[np.intp] = np.nonzero(_edges(values))[0]
    n_chosen = round(share * edges.size)
    if n_chosen == 0:
        return edges[:0]
    if n_chosen == edges.size:
        return edges
    magnitudes = _magnitudes(values[edges])
    bound = np.partition(magnitudes, n_chosen - 1)[n_chosen - 1]
    chosen = magnitudes < bound
    ties = np.nonzero(magnitudes == bound)[0]
    chosen[ties[: n_chosen - int(chosen.sum())]] = True
    smallest: npt.NDArray[np.intp] = edges[chosen]
    return smallest


def _magnitudes(values: Array) -> npt.NDArray[np.unsignedinteger[Any]]:
    """Unsigned integers in the order of |w|: a float's bits without its sign, or |integer|."""
    layout = bit_layout(values.dtype)
    words = values.view(layout.word)
    opposite = ~words + layout.word.type(1)  # |w| of a negative integer, the lowest one too
    magnitudes: npt.NDArray[np.unsignedinteger[Any]] = (
        words & layout.nonzero
        if values.dtype in FLOATS
        else np.where((words & layout.negative) != 0, opposite, words)
    )
    return magnitudes
