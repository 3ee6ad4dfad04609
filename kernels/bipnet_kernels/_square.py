"""Eight by eight words turned in the registers of the processor, and written past its caches.

Moved one by one, each word costs a read and a write; a square takes eight wide reads, 24 shuffles
and eight wide writes. LLVM finds neither that in a loop nor what need not be kept in a cache, so
it is told here, in its own instructions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

from bipnet_kernels._jit import kernel
from bipnet_kernels._types import Words

SIDE = 8
"""Rows and columns of a square: for 16, 32 and 64 bits the best of 4, 8 and 16."""

_config: Any = numba.config
_numba_intrinsic: Any = intrinsic


@kernel
def turn_square(
    source: Words,
    source_start: np.uint64,
    source_stride: np.uint64,
    target: Words,
    target_start: np.uint64,
    target_stride: np.uint64,
) -> None:
    """Row i of a square of ``source`` becomes column i of a square of ``target``.

    Row i of a square begins at ``start + i * stride``; the arrays are flat.
    """
    _turn(source, source_start, source_stride, target, target_start, target_stride)


@kernel
def stream_square(
    source: Words,
    source_start: np.uint64,
    source_stride: np.uint64,
    target: Words,
    target_start: np.uint64,
    target_stride: np.uint64,
) -> None:
    """The same, past the caches.

    Rows must begin at multiples of eight words in memory, and `end_stream` follow the last one.
    """
    _stream(source, source_start, source_stride, target, target_start, target_stride)


@kernel
def end_stream() -> None:
    """What was streamed can be seen by other threads from here on."""
    _fence()


def _turn_words(
    source: Words,
    source_start: np.uint64,
    source_stride: np.uint64,
    target: Words,
    target_start: np.uint64,
    target_stride: np.uint64,
) -> None:
    for i in range(SIDE):
        for j in range(SIDE):
            at = source_start + np.uint64(i) * source_stride + np.uint64(j)
            to = target_start + np.uint64(j) * target_stride + np.uint64(i)
            target[to] = source[at]


def _nothing() -> None:
    pass


def _turner(*, streams: bool) -> Any:
    """`_turn_words` for Numba, which calls it with the types of the arguments."""

    def turn(
        typing_context: Any,
        source: Any,
        source_start: Any,
        source_stride: Any,
        target: Any,
        target_start: Any,
        target_stride: Any,
    ) -> Any:
        n_bytes = source.dtype.bitwidth // 8
        place = numba.types.uint64
        signature = numba.types.void(source, place, place, target, place, place)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            row = ir.VectorType(context.get_data_type(source.dtype), SIDE).as_pointer()

            def rows_of(array: int) -> list[Any]:
                make = context.make_array(signature.args[array])
                words = make(context, builder, arguments[array]).data
                start, stride = arguments[array + 1 : array + 3]
                rows = []
                for _ in range(SIDE):
                    rows.append(builder.bitcast(builder.gep(words, [start]), row))
                    start = builder.add(start, stride)
                return rows

            read = [builder.load(at, align=n_bytes) for at in rows_of(0)]
            for turned, at in zip(_transposed(builder, read), rows_of(3), strict=True):
                if streams:
                    store = builder.store(turned, at, align=SIDE * n_bytes)
                    one = builder.module.add_metadata([ir.Constant(ir.IntType(32), 1)])
                    store.set_metadata("nontemporal", one)
                else:
                    builder.store(turned, at, align=n_bytes)
            return context.get_dummy_value()

        return signature, generate

    return turn


def _transposed(builder: ir.IRBuilder, rows: list[Any]) -> list[Any]:
    """Halves, quarters, then single words change places across the diagonal (Eklundh 1972)."""
    lanes = range(SIDE)
    half = SIDE // 2
    while half:
        left = _chosen(lane + SIDE - half if lane & half else lane for lane in lanes)
        right = _chosen(lane + SIDE if lane & half else lane + half for lane in lanes)
        for i in lanes:
            if not i & half:
                upper, lower = rows[i], rows[i + half]
                rows[i] = builder.shuffle_vector(upper, lower, left)
                rows[i + half] = builder.shuffle_vector(upper, lower, right)
        half //= 2
    return rows


def _chosen(lanes: Iterable[int]) -> ir.Constant:
    return ir.Constant(ir.VectorType(ir.IntType(32), SIDE), list(lanes))


def _fencer(typing_context: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return numba.types.void(), generate


_turn: Any
_stream: Any
_fence: Any
if _config.DISABLE_JIT or _config.BOUNDSCHECK:  # word by word, so that places are checked
    _turn = _stream = kernel(_turn_words)
    _fence = kernel(_nothing)
else:
    _turn = _numba_intrinsic(_turner(streams=False))
    _stream = _numba_intrinsic(_turner(streams=True))
    _fence = _numba_intrinsic(_fencer)
