"""Memory in whole cache lines, and what may be written past the caches."""

from __future__ import annotations

import bipnet_kernels
import numpy as np
import pytest

from bipnet import _memory
from bipnet._memory import goes_past_caches, new_array

LARGE = _memory.IN_CACHE_BYTES + 64


@pytest.mark.parametrize("dtype", ["int8", "float16", "float32", "float64"])
def test_new_array__has_its_shape_and_a_large_one_begins_with_a_line(dtype: str) -> None:
    kind = np.dtype(dtype)
    for shape in ((3, 5), (0, 4), (7,), (LARGE // 8, 8), (LARGE,)):
        array = new_array(shape, kind)
        assert (array.shape, array.dtype) == (shape, kind)
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert array.nbytes <= _memory.IN_CACHE_BYTES or array.ctypes.data % 64 == 0
        array[...] = 1  # all of it is there
        assert array.sum(dtype=np.float64) == array.size


@pytest.mark.parametrize("dtype", ["int8", "float16", "float32", "float64"])
def test_goes_past_caches__only_large_arrays_whose_squares_are_aligned(dtype: str) -> None:
    large = new_array((LARGE + 64,), np.dtype(dtype))
    side = bipnet_kernels.SIDE
    assert side == _memory._SQUARE  # said twice: asking for memory must load no kernels
    assert goes_past_caches(large, 0, 80)
    assert goes_past_caches(large, 3 * side, 5 * side)
    assert not goes_past_caches(large, 1, 80)
    assert not goes_past_caches(large, 0, 81)
    assert not goes_past_caches(large[1:], 0, 80)
    assert goes_past_caches(large[1:], side - 1, 80)
    assert not goes_past_caches(large[: _memory.IN_CACHE_BYTES // large.itemsize], 0, 80)
