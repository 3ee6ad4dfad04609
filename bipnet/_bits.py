"""How each dtype spells zero, sign and infinity in its bits.

Randomisation moves weights as unsigned words and never computes with them, so all it needs to
know of a dtype are three masks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import ml_dtypes
import numpy as np

from bipnet.errors import DTypeError

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)

FLOATS = (np.dtype(np.float16), BFLOAT16, np.dtype(np.float32), np.dtype(np.float64))
SIGNED = tuple(np.dtype(t) for t in (np.int8, np.int16, np.int32, np.int64))
UNSIGNED = tuple(np.dtype(t) for t in (np.bool_, np.uint8, np.uint16, np.uint32, np.uint64))

_EXPONENT = {
    np.dtype(np.float16): 0x7C00,
    BFLOAT16: 0x7F80,
    np.dtype(np.float32): 0x7F800000,
    np.dtype(np.float64): 0x7FF0000000000000,
}


@dataclass(frozen=True)
class BitLayout:
    """The bits of a dtype: its unsigned word and three masks on it."""

    word: np.dtype[np.unsignedinteger]
    nonzero: np.unsignedinteger
    """Any of these bits set: the value is not zero (a float's sign bit does not count)."""
    negative: np.unsignedinteger
    """Set in a negative value; 0 where there are none (unsigned, bool)."""
    exponent: np.unsignedinteger
    """All set: NaN or infinite; 0 where there are none (integers, bool)."""


@cache
def bit_layout(dtype: np.dtype) -> BitLayout:
    """The layout of a native-endian ``dtype``.

    Raises
    ------
    DTypeError
        For every dtype that is no real weight of 1, 2, 4 or 8 bytes.
    """
    bits = 8 * dtype.itemsize
    if dtype in FLOATS:
        word = np.dtype(f"u{dtype.itemsize}")
        negative = 1 << (bits - 1)
        return BitLayout(
            word, word.type(negative - 1), word.type(negative), word.type(_EXPONENT[dtype])
        )
    if dtype in SIGNED or dtype in UNSIGNED:
        word = np.dtype(f"u{dtype.itemsize}")
        negative = 1 << (bits - 1) if dtype in SIGNED else 0
        return BitLayout(word, word.type((1 << bits) - 1), word.type(negative), word.type(0))
    raise DTypeError(refusal(dtype))


def refusal(dtype: object) -> str:
    """Why weights of ``dtype`` are refused, and what to do."""
    name = str(dtype)
    wanted = "float16, bfloat16, float32, float64, integers or bool"
    if "float8" in name or "f8_" in name.lower() or "float4" in name or "float6" in name:
        return (
            f"weights are {name}: 8-bit and smaller floats are quantised and useless without"
            f" their scales; dequantise to bfloat16 first (bipnet takes {wanted})"
        )
    if "int4" in name or "int2" in name:
        return f"weights are {name}: packed integers are quantised; dequantise them first"
    if "complex" in name:
        return f"weights are {name}: a complex weight has no sign; pass its real part or modulus"
    if name == "object":
        return (
            "weights are Python objects (rows of unequal length, None or mixed types?);"
            f" convert them to {wanted}"
        )
    return f"weights are {name}; bipnet takes {wanted}"
