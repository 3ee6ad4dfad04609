"""Some words at a time, in the lanes of one register of the processor.

Which of them have a bit set; those that are chosen put one after another (*compress*); and words
that follow one another put to chosen places (*expand*). For the last two, processors with AVX-512
have an instruction each, of which LLVM makes no use by itself: `HAS_COMPRESS` says whether they
are here.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from bipnet_kernels._jit import inlined
from bipnet_kernels._types import Words

_config: Any = numba.config
_numba_intrinsic: Any = intrinsic
_target: Any = cpu_target

_BY_WORD: bool = _config.DISABLE_JIT or _config.BOUNDSCHECK  # so that places are checked
_BIT = ir.IntType(1)
_COUNT = ir.IntType(64)


def features() -> set[str]:
    """What the processor that kernels are compiled for can do: "+avx2", "-avx512f" and so on."""
    return set(str(_target.target_context.codegen().magic_tuple()[2]).split(","))


# Of words of 8 and 16 bits, BW and VL read and write some.
HAS_COMPRESS = not _BY_WORD and {"+avx512f", "+avx512bw", "+avx512vl"} <= features()
"""Whether `compress_lanes` and `expand_lanes` can be compiled for this processor."""

# Without VBMI2, words of 8 and 16 bits are compressed in 32 bits each.
_NARROWEST = 1 if HAS_COMPRESS and "+avx512vbmi2" in features() else 4

MOST_LANES = 32
"""Words taken at a time, at the most."""


@inlined
def lanes_of(words: Words) -> np.uint64:
    """How many words are taken at a time: from 8 of 64 bits to `MOST_LANES`."""
    n: np.uint64 = _lanes_of(words)  # known when compiling, as ``words.itemsize`` is not
    return n


@inlined
def lanes_where(
    words: Words, at: np.uint64, asked: np.uint64, mask: np.unsignedinteger
) -> np.uint64:
    """Which of the ``asked`` ones of ``words[at:]`` share a bit with ``mask``: a bit for each."""
    found: np.uint64 = _where(words, at, asked, mask)
    return found


@inlined
def compress_lanes(
    source: Words,
    at: np.uint64,
    asked: np.uint64,
    chosen: np.uint64,
    target: Words,
    to: np.uint64,
    spare: np.uint64,
) -> np.uint64:
    """Write the chosen ones of ``source[at:][:lanes_of(source)]`` to ``target[to]`` and following.

    ``chosen`` has a bit for each, lowest first (higher bits are nobody's). Only words of ``asked``
    are read, and besides the results only words of ``target[to:]`` written that ``spare`` says.
    Returns how many were chosen.
    """
    n: np.uint64 = _compress(source, at, asked, chosen, target, to, spare)
    return n


@inlined
def expand_lanes(
    source: Words, at: np.uint64, target: Words, to: np.uint64, chosen: np.uint64
) -> np.uint64:
    """The inverse: ``source[at]`` and following become the chosen ones of ``target[to:]``."""
    n: np.uint64 = _expand(source, at, target, to, chosen)
    return n


@inlined
def copy_lanes(source: Words, target: Words, at: np.uint64, chosen: np.uint64) -> None:
    """The chosen ones of ``source[at:]`` go to the same places of ``target``."""
    _copy(source, target, at, chosen)


class _Lanes:
    """What is written of a register of words in LLVM's instructions."""

    def __init__(self, context: Any, builder: ir.IRBuilder, words: Any) -> None:
        self.context = context
        self.builder = builder
        self.n_bytes = words.dtype.bitwidth // 8
        self.n = min(MOST_LANES, 64 // max(self.n_bytes, _NARROWEST))
        self.type = ir.VectorType(ir.IntType(8 * self.n_bytes), self.n)
        self.widens = self.n_bytes < _NARROWEST
        self.wide = ir.VectorType(ir.IntType(8 * max(self.n_bytes, _NARROWEST)), self.n)
        self.flags = ir.VectorType(_BIT, self.n)

    def place(self, words: Any, array: Any, at: Any) -> Any:
        first = self.context.make_array(words)(self.context, self.builder, array).data
        return self.builder.bitcast(self.builder.gep(first, [at]), self.type.as_pointer())

    def everywhere(self, word: Any) -> Any:
        alone = self.builder.insert_element(self.none, word, ir.Constant(ir.IntType(32), 0))
        same = ir.Constant(ir.VectorType(ir.IntType(32), self.n), [0] * self.n)
        return self.builder.shuffle_vector(alone, self.none, same)

    @property
    def none(self) -> ir.Constant:
        return ir.Constant(self.type, [0] * self.n)

    def bits(self, flags: Any) -> Any:
        return self.builder.zext(self.builder.bitcast(flags, ir.IntType(self.n)), _COUNT)

    def flagged(self, bits: Any) -> Any:
        return self.builder.bitcast(self.builder.trunc(bits, ir.IntType(self.n)), self.flags)

    def count(self, bits: Any) -> Any:
        chosen = self.builder.and_(bits, ir.Constant(_COUNT, (1 << self.n) - 1))
        return self.builder.call(self._function("llvm.ctpop.i64", _COUNT, [_COUNT]), [chosen])

    def first(self, count: Any) -> Any:
        """Flags of the lowest ``count`` lanes."""
        one = ir.Constant(_COUNT, 1)
        return self.flagged(self.builder.sub(self.builder.shl(one, count), one))

    def load(self, place: Any, flags: Any) -> Any:
        name = f"llvm.masked.load.{self._suffix(self.type)}.p0"
        types = [self.type.as_pointer(), ir.IntType(32), self.flags, self.type]
        load = self._function(name, self.type, types)
        return self.builder.call(load, [place, self._aligned(), flags, self.none])

    def store(self, lanes: Any, place: Any, flags: Any) -> None:
        name = f"llvm.masked.store.{self._suffix(self.type)}.p0"
        types = [self.type, self.type.as_pointer(), ir.IntType(32), self.flags]
        store = self._function(name, ir.VoidType(), types)
        self.builder.call(store, [lanes, place, self._aligned(), flags])

    def moved(self, instruction: str, lanes: Any, flags: Any) -> Any:
        """Lanes compressed or expanded."""
        name = f"llvm.x86.avx512.mask.{instruction}.{self._suffix(self.wide)}"
        move = self._function(name, self.wide, [self.wide, self.wide, self.flags])
        widened = self.builder.zext(lanes, self.wide) if self.widens else lanes
        moved = self.builder.call(move, [widened, ir.Constant(self.wide, [0] * self.n), flags])
        return self.builder.trunc(moved, self.type) if self.widens else moved

    def _aligned(self) -> ir.Constant:
        return ir.Constant(ir.IntType(32), self.n_bytes)

    def _function(self, name: str, returned: Any, arguments: list[Any]) -> Any:
        known = self.builder.module.globals.get(name)
        return known or ir.Function(self.builder.module, ir.FunctionType(returned, arguments), name)

    @staticmethod
    def _suffix(lanes: ir.VectorType) -> str:
        return f"v{lanes.count}i{lanes.element.width}"


def _lanes_writer(typing_context: Any, words: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return ir.Constant(_COUNT, _Lanes(context, builder, words).n)

    return numba.types.uint64(words), generate


def _where_writer(typing_context: Any, words: Any, at: Any, asked: Any, mask: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes = _Lanes(context, builder, signature.args[0])
        array, at, asked, mask = arguments
        read = lanes.load(lanes.place(words, array, at), lanes.flagged(asked))
        common = builder.and_(read, lanes.everywhere(mask))
        return lanes.bits(builder.icmp_unsigned("!=", common, lanes.none))

    place = numba.types.uint64
    return place(words, place, place, words.dtype), generate


def _compress_writer(
    typing_context: Any,
    source: Any,
    at: Any,
    asked: Any,
    chosen: Any,
    target: Any,
    to: Any,
    spare: Any,
) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes = _Lanes(context, builder, source)
        source_array, at, asked, chosen, target_array, to, spare = arguments
        flags = lanes.flagged(chosen)
        read = lanes.load(lanes.place(source, source_array, at), lanes.flagged(asked))
        n = lanes.count(chosen)
        together = lanes.moved("compress", read, flags)
        written = builder.or_(lanes.first(n), lanes.flagged(spare))
        lanes.store(together, lanes.place(target, target_array, to), written)
        return n

    place = numba.types.uint64
    return place(source, place, place, place, target, place, place), generate


def _expand_writer(
    typing_context: Any, source: Any, at: Any, target: Any, to: Any, chosen: Any
) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes = _Lanes(context, builder, source)
        source_array, at, target_array, to, chosen = arguments
        n = lanes.count(chosen)
        flags = lanes.flagged(chosen)
        read = lanes.load(lanes.place(source, source_array, at), lanes.first(n))
        apart = lanes.moved("expand", read, flags)
        lanes.store(apart, lanes.place(target, target_array, to), flags)
        return n

    place = numba.types.uint64
    return place(source, place, target, place, place), generate


def _copy_writer(typing_context: Any, source: Any, target: Any, at: Any, chosen: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes = _Lanes(context, builder, source)
        source_array, target_array, at, chosen = arguments
        flags = lanes.flagged(chosen)
        read = lanes.load(lanes.place(source, source_array, at), flags)
        lanes.store(read, lanes.place(target, target_array, at), flags)
        return context.get_dummy_value()

    place = numba.types.uint64
    return numba.types.void(source, target, place, place), generate


_lanes_of: Any = _numba_intrinsic(_lanes_writer)
_where: Any = _numba_intrinsic(_where_writer)
_compress: Any = _numba_intrinsic(_compress_writer)
_expand: Any = _numba_intrinsic(_expand_writer)
_copy: Any = _numba_intrinsic(_copy_writer)
