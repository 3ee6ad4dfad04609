"""Transposition: the kernel against its naive twin, and the layouts of tensors built on it."""

from __future__ import annotations

from typing import Any

import bipnet_kernels
import numpy as np
import numpy.typing as npt
import oracles
import pytest
import strategies as my
from hypothesis import given
from hypothesis import strategies as st

from bipnet import InputError
from bipnet.convert import orientation
from bipnet.convert.orientation import (
    LAYOUTS,
    Layout,
    get_rows,
    n_pieces,
    own_matrix,
    placement,
    put_rows,
    to_matrix,
)

Array = npt.NDArray[Any]
WORDS = ("u1", "u2", "u4", "u8")
SIZES = st.integers(1, 9) | st.sampled_from([15, 16, 17, 63, 64, 65, 127, 128, 129, 131])
SHAPES: dict[Layout, tuple[int, ...]] = {
    "left-right": (5, 7),
    "right-left": (5, 7),
    "conv": (6, 3, 2, 5),
    "conv-transposed": (6, 3, 4),
    "stack-right-left": (3, 4, 5),
    "stack-left-right": (3, 4, 5),
}


def test_shapes__have_every_layout() -> None:
    assert set(SHAPES) == set(LAYOUTS)


@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "plain"])
@pytest.mark.parametrize("word", WORDS)
def test_transpose_block__follows_its_twin(word: str, compiled: bool) -> None:
    kernel: Any = bipnet_kernels.transpose_block
    kernel = kernel if compiled else getattr(kernel, "py_func", kernel)

    @my.property_test
    @given(
        SIZES, SIZES, st.sampled_from([8, 16, 64, 136]), st.booleans(),
        st.tuples(*[st.integers(0, 5)] * 4), st.randoms(use_true_random=False),
    )  # fmt: skip
    def check(
        n_rows: int,
        n_columns: int,
        together: int,
        past_caches: bool,
        gaps: tuple[int, ...],
        random: Any,
    ) -> None:
        before, behind, start, beside = gaps
        if not compiled:
            n_rows, n_columns = n_rows % 20 + 1, n_columns % 20 + 1
        rng = np.random.default_rng(random.getrandbits(32))
        source_stride, target_stride = n_columns + behind, n_rows + beside
        if past_caches:
            start, target_stride = 8 * start, -(-target_stride // 8) * 8
        size = np.dtype(word).itemsize
        source = rng.integers(0, 256, before + n_rows * source_stride).astype(word)
        source = (source << (size * 8 - 8)) | source[::-1]
        memory = np.zeros((start + n_columns * target_stride + 3) * size + 64, dtype=np.uint8)
        first = -memory.ctypes.data % 64  # a line: what streams must begin at eight words
        target = memory[first : first + memory.size - 64].view(word)
        target[:] = rng.integers(0, 256, target.size)
        expected = target.tolist()
        strides = (n_rows, n_columns)
        oracles.transpose_block(
            source.tolist(), before, source_stride, expected, start, target_stride, *strides
        )
        kernel(
            source, before, source_stride, target, start, target_stride, *strides,
            together if random.random() < 0.7 else n_rows, past_caches,
        )  # fmt: skip
        assert target.tolist() == expected  # what lies beside the block included

    check()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("groups", [1, 2, 3])
def test_placement__is_where_to_matrix_reads(layout: Layout, groups: int) -> None:
    shape = SHAPES[layout]
    tensor = np.arange(np.prod(shape)).reshape(shape)
    if not layout.startswith("conv"):
        groups = 1
    for piece in range(n_pieces(shape, layout, groups)):
        place = placement(shape, layout, groups, piece)
        part = tensor.reshape(-1)[place.first : place.first + place.n_words]
        rows = part.reshape(place.n_rows, place.n_columns)
        expected = to_matrix(tensor, layout, groups, piece)
        np.testing.assert_array_equal(rows.T if place.transposed else rows, expected)
        assert place.shape == expected.shape


def test_placement__refuses_what_to_matrix_refuses() -> None:
    for shape, layout, groups in (((2, 3), "conv", 1), ((5, 2, 3), "conv", 2), ((2,), "conv", 1)):
        with pytest.raises(InputError):
            placement(shape, layout, groups)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [*my.FLOATS, np.dtype(np.int8)], ids=str)
@pytest.mark.parametrize("by_kernel", [False, True])
def test_rows__go_into_the_matrix_and_come_out_again(
    dtype: Any, by_kernel: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if by_kernel:
        monkeypatch.setattr(orientation, "_WORTH_A_KERNEL", 0)
    rng = np.random.default_rng(2)
    for n_rows, n_columns, first, last in ((1, 1, 0, 1), (131, 37, 5, 70), (9, 300, 8, 9)):
        tensor = rng.integers(-100, 100, (n_rows, n_columns)).astype(dtype)
        for transposed in (False, True):
            matrix = np.zeros((n_columns, n_rows) if transposed else tensor.shape, dtype=dtype)
            put_rows(matrix, tensor[first:last].copy(), first, transposed=transposed)
            lying = matrix.T if transposed else matrix
            np.testing.assert_array_equal(lying[first:last], tensor[first:last])
            assert not lying[:first].any()
            assert not lying[last:].any()
            rows = np.empty_like(tensor[first:last])
            get_rows(matrix, rows, first, transposed=transposed)
            np.testing.assert_array_equal(rows, tensor[first:last])


@pytest.mark.parametrize("order", ["C", "F", "strided", "big-endian", "read-only"])
def test_own_matrix__is_a_copy_that_lies_in_rows(
    order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orientation, "_WORTH_A_KERNEL", 0)
    tensor = my.arranged(np.arange(12.0).reshape(3, 4) - 5, order)
    for layout in ("left-right", "right-left"):
        matrix = own_matrix(tensor, layout)  # type: ignore[arg-type]
        np.testing.assert_array_equal(matrix, tensor if layout == "left-right" else tensor.T)
        assert matrix.flags.c_contiguous
        assert matrix.flags.writeable
        assert not np.shares_memory(matrix, tensor)
