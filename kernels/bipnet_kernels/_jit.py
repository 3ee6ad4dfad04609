"""The one place that names Numba: one decorator and one cache switch.

Numba's own on-disk cache does not notice an edit in a jitted callee that lives in another
file. The cache folder is therefore named after a hash of all kernel sources: an edited kernel
gets a new folder and can never be served stale.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np

F = TypeVar("F", bound=Callable[..., Any])

_njit: Any = numba.njit  # takes ``_nrt``, which its type hints leave out
_config: Any = numba.config  # its settings are made at run time, unknown to type checkers


def _sources_digest() -> str:
    digest = hashlib.sha256(f"{numba.__version__} {np.__version__} {sys.version}".encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _private_folder(folder: Path) -> bool:
    """Make ``folder`` and say whether it is ours alone and writable.

    Cached kernels are executed, so a folder that somebody else could have filled is refused.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        info = folder.stat()
        if hasattr(os, "getuid") and info.st_uid != os.getuid():
            return False
        if info.st_mode & stat.S_IWOTH:
            return False
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


@functools.cache
def cache_folder() -> Path | None:
    """Where compiled kernels are kept, or None where nothing can be written.

    ``NUMBA_CACHE_DIR`` if set, else the user's cache folder, else a private folder below the
    system's folder for temporary files.
    """
    name = f"kernels-{_sources_digest()}"
    given = os.environ.get("NUMBA_CACHE_DIR")
    if given:
        bases = [Path(given)]
    else:
        home_cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(
            os.path.expanduser("~"), ".cache"
        )
        user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
        bases = [Path(home_cache) / "bipnet", Path(tempfile.gettempdir()) / f"bipnet-{user}"]
    for base in bases:
        if _private_folder(base / name):
            return base / name
    return None


class _Forgiving:
    """Numba's cache of one kernel, which may be damaged or full: then the kernel is compiled."""

    def __init__(self, cache: Any) -> None:
        self._inner = cache

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def load_overload(self, signature: Any, target: Any) -> Any:
        """The machine code, or None: whatever a damaged file makes unpickling raise."""
        try:
            return self._inner.load_overload(signature, target)
        except Exception:
            with contextlib.suppress(OSError):
                self._inner.flush()  # forget what the index lists: it is written anew
            return None

    def save_overload(self, signature: Any, data: Any) -> None:
        """Keep the machine code, unless there is no room for it."""
        try:
            self._inner.save_overload(signature, data)
        except Exception as error:
            # A damaged index is read before it is written: replace it and try once more.
            if isinstance(error, OSError):
                return
            with contextlib.suppress(OSError):
                self._inner.flush()
                self._inner.save_overload(signature, data)


def kernel(func: F) -> F:
    """Compile ``func`` at its first call, without the GIL, and keep the machine code on disk.

    Without Numba's run time for memory (``_nrt``) too: a kernel allocates nothing, and with it a
    bounded random number takes thirty times as long (28 ns against 0.8; kernels/README.md).
    """
    if _config.DISABLE_JIT:
        # The plain Python body: 64-bit arithmetic wraps around on purpose.
        return np.errstate(over="ignore")(func)
    options: dict[str, Any] = {"nogil": True, "_nrt": False}
    folder = cache_folder()
    if folder is None:
        return cast(F, _njit(**options)(func))
    before = _config.CACHE_DIR
    _config.CACHE_DIR = str(folder)  # read when the dispatcher is made, not later
    try:
        compiled = _njit(cache=True, **options)(func)
        compiled._cache = _Forgiving(compiled._cache)
        return cast(F, compiled)
    finally:
        _config.CACHE_DIR = before
