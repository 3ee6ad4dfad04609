"""The bytes of one layer in a file, moved by slabs: read into its matrix, written back from it.

A slab is a run of rows that stays in cache between the file and the matrix, so that a layer
passes through main memory once and never lies there twice. Files are read, not mapped: mapped
pages would count as memory of the process.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from bipnet._threads import usable_cores
from bipnet.convert.orientation import Placement, get_rows, put_rows
from bipnet.errors import FileFormatError

Array = npt.NDArray[Any]
Rows = tuple[int, int]

_SLAB_BYTES = 1 << 20
_LARGEST_SLAB = 1 << 25
_LINE = 64  # rows that fill a cache line of the matrix even at a byte per weight
_WORTH_THREADS = 1 << 22  # bytes below which starting threads costs more than it saves


@dataclass(frozen=True)
class Extent:
    """Where the weights of a layer lie: a run of bytes in one of a checkpoint's files.

    Attributes
    ----------
    file
        The file's name within the checkpoint.
    offset
        Its first byte.
    placement
        How its rows lie.
    dtype
        Of the weights.
    """

    file: str
    offset: int
    placement: Placement
    dtype: np.dtype[Any]

    @property
    def n_bytes(self) -> int:
        return self.placement.n_words * self.dtype.itemsize

    def renamed(self, file: str) -> Extent:
        """The same place in another file."""
        return replace(self, file=file)

    def slabs(self) -> list[Rows]:
        """The rows cut into runs: a function of the extent alone, as digests depend on it."""
        n_rows = self.placement.n_rows
        row_bytes = self.placement.n_columns * self.dtype.itemsize
        step = max(_SLAB_BYTES // row_bytes // _LINE, 1) * _LINE
        step = max(1, min(step, _LARGEST_SLAB // row_bytes))
        return [(first, min(first + step, n_rows)) for first in range(0, n_rows, step)]

    def read(self, folder: Path, matrix: Array) -> None:
        """Fill ``matrix`` (n_left, n_right) with the weights in ``folder``'s file."""

        def work(rows: Rows) -> None:
            first, last = rows
            with self._at(folder, first, "rb") as file:
                if not self.placement.transposed:
                    self._fill(file, matrix[first:last])
                    return
                slab = self._slab(rows)
                self._fill(file, slab)
            put_rows(matrix, slab, first, transposed=True)

        self._each_slab(work)

    def write(self, folder: Path, matrix: Array) -> str:
        """Write ``matrix`` (n_left, n_right) into ``folder``'s file; give its `digest`."""
        sums: dict[int, int] = {}

        def work(rows: Rows) -> None:
            first, last = rows
            if self.placement.transposed:
                slab = self._slab(rows)
                get_rows(matrix, slab, first, transposed=True)
            else:
                slab = matrix[first:last]
            content = _bytes_of(slab)
            sums[first] = zlib.crc32(content)
            with self._at(folder, first, "r+b") as file:
                _write_all(file, content)

        self._each_slab(work)
        return _digest(sums)

    def digest(self, folder: Path) -> str:
        """A checksum of the bytes in ``folder``'s file, to notice a write that was cut off."""
        sums: dict[int, int] = {}

        def work(rows: Rows) -> None:
            slab = self._slab(rows)
            with self._at(folder, rows[0], "rb") as file:
                self._fill(file, slab)
            sums[rows[0]] = zlib.crc32(_bytes_of(slab))

        self._each_slab(work)
        return _digest(sums)

    def _each_slab(self, work: Callable[[Rows], None]) -> None:
        slabs = self.slabs()
        n_threads = min(usable_cores(), len(slabs)) if self.n_bytes >= _WORTH_THREADS else 1
        if n_threads == 1:
            for rows in slabs:
                work(rows)
            return
        pool = ThreadPoolExecutor(n_threads)
        try:
            for done in [pool.submit(work, rows) for rows in slabs]:
                done.result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _slab(self, rows: Rows) -> Array:
        return np.empty((rows[1] - rows[0], self.placement.n_columns), dtype=self.dtype)

    @contextmanager
    def _at(self, folder: Path, row: int, mode: str) -> Iterator[Any]:
        with open(folder / self.file, mode, buffering=0) as file:
            file.seek(self.offset + row * self.placement.n_columns * self.dtype.itemsize)
            yield file

    def _fill(self, file: Any, slab: Array) -> None:
        content = _bytes_of(slab)
        while content:
            n = file.readinto(content)
            if not n:
                raise FileFormatError(f"{file.name} has become shorter while it was read")
            content = content[n:]


def copy_bytes(source: BinaryIO, target: BinaryIO, first: int, last: int) -> None:
    """Copy the bytes from ``first`` to ``last`` to the same place of another unbuffered file."""
    source.seek(first)
    target.seek(first)
    piece = memoryview(bytearray(min(_SLAB_BYTES, last - first)))
    while first < last:
        n = source.readinto(piece[: last - first])  # type: ignore[attr-defined]
        if not n:
            raise FileFormatError(f"{source.name} has become shorter while it was read")
        _write_all(target, piece[:n])
        first += n


def _write_all(file: BinaryIO, content: memoryview) -> None:
    while content:
        content = content[file.write(content) :]


def _bytes_of(slab: Array) -> memoryview:
    return slab.reshape(-1).view(np.uint8).data


def _digest(sums: dict[int, int]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for first in sorted(sums):
        digest.update(sums[first].to_bytes(4, "little"))
    return digest.hexdigest()
