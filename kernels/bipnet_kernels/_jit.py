"""Numba behind one decorator, which compiles, keeps and tells."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.core.caching import IndexDataCacheFile
from numba.core.compiler import CompileResult

from bipnet_kernels._cache import Files, find_files
from bipnet_kernels._interrupt import heard_between_kernels

F = TypeVar("F", bound=Callable[..., Any])

_njit: Any = numba.njit  # takes ``_nrt``, which its type hints leave out
_config: Any = numba.config  # its settings are made at run time, unknown to type checkers
_CacheFile: Any = IndexDataCacheFile
_rebuild: Any = CompileResult._rebuild

_log = logging.getLogger("bipnet.kernels")


@functools.cache
def _digest() -> str:
    """Of all that machine code depends on, but for the kernel's name, types and processor."""
    settings = (_config.BOUNDSCHECK, _config.OPT, _config.DEBUGINFO_DEFAULT)
    versions = f"{numba.__version__} {np.__version__} {sys.version} {settings}"
    digest = hashlib.sha256(versions.encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


@functools.cache
def _files() -> Files:
    return find_files(_digest())


def cache_folder() -> Path | None:
    """Where compiled kernels are kept, or None where nothing can be written."""
    return _files().folder


@functools.cache
def _tell() -> None:
    """Say once that kernels are being compiled: it takes seconds, of which nothing else is seen."""
    files = _files()
    if files.folder is not None:
        _log.info("compiling kernels for this machine, once (some seconds) ...")
        return
    tried = ", ".join(map(str, files.refused)) or "there is no folder for temporary files either"
    _log.info(
        "compiling kernels (some seconds), in this run and in every other: they cannot be kept, as"
        " no folder for them can be written (%s); let NUMBA_CACHE_DIR name one that can",
        tried,
    )


class _Kept:
    """The machine code of one kernel, in the place of Numba's own cache.

    Numba's files, but a pair of them for each signature: its index of all signatures may be
    written by several processes at once, after which one can be served the code of another.
    """

    def __init__(self, func: Callable[..., Any]) -> None:
        self._name = f"{func.__module__}.{func.__qualname__}"

    @property
    def cache_path(self) -> str:
        """What Numba shows in a dispatcher's ``stats``."""
        return str(_files().folder or "")

    def _pair(self, folder: Path, key: str) -> Any:
        digest = hashlib.sha256(key.encode()).hexdigest()[:32]
        return _CacheFile(str(folder), f"{self._name}-{digest}", _digest())

    def load_overload(self, signature: Any, target: Any) -> Any:
        """The machine code; None where there is none, and Numba compiles."""
        target.refresh()
        key = _key(signature, target.codegen())
        for folder in _files().readable:
            try:
                kept = self._pair(folder, key).load(key)
                if kept is not None:
                    return _rebuild(target, *kept)
            except Exception:  # damaged, or not to be read: whatever Numba raises of that
                continue
        _tell()
        return None

    def save_overload(self, signature: Any, compiled: Any) -> None:
        """Keep the machine code, unless there is no room for it."""
        folder = _files().folder
        if folder is None:
            return
        key = _key(signature, compiled.codegen)
        pair = self._pair(folder, key)
        with contextlib.suppress(OSError):
            _files().tidy()
            try:
                pair.save(key, compiled._reduce())
            except OSError:
                raise
            except Exception:  # the index is damaged: write it anew
                pair.flush()
                pair.save(key, compiled._reduce())


def _key(signature: Any, codegen: Any) -> str:
    """Argument types and processor."""
    return f"{signature!r} {codegen.magic_tuple()!r}"


def kernel(func: F) -> F:
    """Compile ``func`` at its first call, without the GIL, and keep the machine code on disk.

    Without Numba's run time for memory (``_nrt``) too: a kernel allocates nothing, and with it a
    bounded random number takes thirty times as long (28 ns against 0.8; kernels/README.md).
    """
    if _config.DISABLE_JIT:
        return _plain(func)
    compiled = _njit(nogil=True, _nrt=False)(func)
    compiled._cache = _Kept(func)
    compile_or_load = compiled.compile

    def compile_heedfully(signature: Any) -> Any:
        with heard_between_kernels():
            return compile_or_load(signature)

    compiled.compile = compile_heedfully
    return cast(F, compiled)


def inlined(func: F) -> F:
    """Compile ``func`` into the kernels that call it: a call can take longer than all it does."""
    if _config.DISABLE_JIT:
        return _plain(func)
    return cast(F, _njit(nogil=True, _nrt=False, forceinline=True)(func))


def _plain(func: F) -> F:
    """The plain Python body: 64-bit arithmetic wraps around on purpose."""
    return np.errstate(over="ignore")(func)
