"""Hypothesis strategies for weight matrices, and the rows the tests are parametrised by."""

from __future__ import annotations

from typing import Any

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import settings

import bipnet

Matrix = npt.NDArray[Any]
DType = np.dtype[Any]

BFLOAT16: DType = np.dtype(ml_dtypes.bfloat16)
FLOATS: tuple[DType, ...] = (
    np.dtype(np.float16),
    BFLOAT16,
    np.dtype(np.float32),
    np.dtype(np.float64),
)
SIGNED_INTS: tuple[DType, ...] = tuple(np.dtype(f"i{size}") for size in (1, 2, 4, 8))
UNSIGNED: tuple[DType, ...] = (
    np.dtype(np.bool_),
    *(np.dtype(f"u{size}") for size in (1, 2, 4, 8)),
)
DTYPES: tuple[DType, ...] = (*FLOATS, *SIGNED_INTS, *UNSIGNED)
SPARSE_DTYPES = tuple(dtype for dtype in DTYPES if dtype not in (np.float16, BFLOAT16))
"""What scipy.sparse can hold."""

ORDERS = ("C", "F", "strided", "big-endian", "read-only")

ROWS: list[tuple[str, str]] = [
    (row.letter, method) for row in bipnet.NULL_MODELS.values() for method in row.methods
]
"""Every null model with every method it has."""

ROW_IDS = [
    letter if len(bipnet.NULL_MODELS[letter].methods) == 1 else f"{letter}-{method}"
    for letter, method in ROWS
]

each_row = pytest.mark.parametrize(("null", "method"), ROWS, ids=ROW_IDS)
each_letter = pytest.mark.parametrize("null", list(bipnet.NULL_MODELS))
each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=[dtype.name for dtype in DTYPES])

property_test = settings(max_examples=60, deadline=None, derandomize=True, database=None)
"""Fixed examples: a test that passes today passes tomorrow."""


def arranged(W: Matrix, order: str) -> Matrix:
    """The same weights in another memory order, as an array of its own."""
    if order == "F":
        return np.array(W, order="F")
    if order == "strided":
        big = np.zeros((2 * W.shape[0], 3 * W.shape[1]), dtype=W.dtype)
        view = big[::-2, 1::3]
        view[...] = W
        return view
    if order == "big-endian" and W.dtype != BFLOAT16:
        return W.astype(W.dtype.newbyteorder(">"))
    copy = np.array(W, order="C")
    if order == "read-only":
        copy.flags.writeable = False
    return copy


def weights(dtype: DType) -> st.SearchStrategy[Any]:
    """Any finite weight of a dtype; small whole numbers come often, so that there are ties."""
    if dtype == np.bool_:
        return st.booleans()
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return st.integers(max(info.min, -3), 3) | st.integers(int(info.min), int(info.max))
    small = st.sampled_from([-2.0, -1.0, -0.5, 0.5, 1.0, 2.0])
    if dtype.itemsize == 2:
        # Hypothesis does not know bfloat16, and for float16 it throws too many floats away.
        exponent = 0x7F80 if dtype == BFLOAT16 else 0x7C00
        bits = st.integers(0, 0xFFFF).filter(lambda word: word & exponent != exponent)
        return small | bits.map(lambda word: float(np.uint16(word).view(dtype)))
    width: Any = 8 * dtype.itemsize
    return small | st.floats(allow_nan=False, allow_infinity=False, width=width)


@st.composite
def matrices(
    draw: st.DrawFn,
    dtypes: tuple[DType, ...] = DTYPES,
    orders: tuple[str, ...] = ORDERS,
    max_side: int = 8,
) -> Matrix:
    """A matrix of 1..``max_side`` nodes a side with ties, missing edges, -0.0, one sign alone."""
    dtype = draw(st.sampled_from(dtypes))
    shape = draw(st.tuples(st.integers(1, max_side), st.integers(1, max_side)))
    flat = draw(
        st.lists(weights(dtype), min_size=shape[0] * shape[1], max_size=shape[0] * shape[1])
    )
    W = np.array(flat, dtype=dtype).reshape(shape)
    signs = draw(st.sampled_from(["both", "both", "positive", "negative"]))
    if signs == "positive":
        W[W < 0] = 1
    elif signs == "negative" and dtype not in UNSIGNED:
        W[W > 0] = -1
    if draw(st.booleans()):
        missing = draw(hnp.arrays(np.bool_, shape))
        W[missing] = 0
        if dtype in FLOATS and draw(st.booleans()):
            W[missing] = -0.0
    return arranged(W, draw(st.sampled_from(orders)))
