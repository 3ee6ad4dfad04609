"""Random numbers one by one inside kernels: xoshiro256++ streams keyed by (key, block).

Every independent block of work owns the stream that `seed` starts for its number, so results do
not depend on which thread does which block. Many numbers at once come from `_stream`.
"""

from __future__ import annotations

import numpy as np

from bipnet_kernels._jit import kernel
from bipnet_kernels._types import Int, Key

_U1 = np.uint64(1)
_U17 = np.uint64(17)
_U19 = np.uint64(19)
_U23 = np.uint64(23)
_U27 = np.uint64(27)
_U30 = np.uint64(30)
_U31 = np.uint64(31)
_U32 = np.uint64(32)
_U41 = np.uint64(41)
_U45 = np.uint64(45)
_LOW32 = np.uint64(0xFFFFFFFF)
_TWO32 = np.uint64(0x100000000)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX2 = np.uint64(0x94D049BB133111EB)


@kernel
def mixed(x: np.uint64) -> np.uint64:
    """The output function of SplitMix64 (Steele, Lea & Flood 2014): a bijection of 64 bits."""
    x = (x ^ (x >> _U30)) * _MIX1
    x = (x ^ (x >> _U27)) * _MIX2
    return x ^ (x >> _U31)


@kernel
def seed(state: Key, key: Key, block: Int) -> None:
    """Set ``state`` (4 words) to the stream of ``block`` under the 256-bit ``key`` (4 words)."""
    counter = np.uint64(block)
    for i in range(4):
        counter = counter + _GOLDEN
        state[i] = mixed(key[i] ^ mixed(counter))
    if (state[0] | state[1] | state[2] | state[3]) == np.uint64(0):
        state[0] = _GOLDEN  # the one state xoshiro cannot leave


@kernel
def drawn(state: Key) -> np.uint64:
    """64 random bits; advances ``state``. xoshiro256++ (Blackman & Vigna 2021)."""
    total = state[0] + state[3]
    result: np.uint64 = ((total << _U23) | (total >> _U41)) + state[0]
    t = state[1] << _U17
    state[2] ^= state[0]
    state[3] ^= state[1]
    state[1] ^= state[2]
    state[0] ^= state[3]
    state[2] ^= t
    s3 = state[3]
    state[3] = (s3 << _U45) | (s3 >> _U19)
    return result


@kernel
def below(state: Key, n: Int) -> np.int64:
    """A uniform integer in [0, n), n >= 1, without modulo bias.

    Multiply-shift with rejection (Lemire 2019) on the upper 32 bits; masks with rejection
    for n >= 2**32.
    """
    bound = np.uint64(n)
    if bound < _TWO32:
        product = (drawn(state) >> _U32) * bound
        low = product & _LOW32
        if low < bound:
            threshold = (_TWO32 - bound) % bound
            while low < threshold:
                product = (drawn(state) >> _U32) * bound
                low = product & _LOW32
        return np.int64(product >> _U32)
    mask = bound - _U1
    shift = _U1
    while shift < np.uint64(64):
        mask |= mask >> shift
        shift = shift + shift
    value = drawn(state) & mask
    while value >= bound:
        value = drawn(state) & mask
    return np.int64(value)
