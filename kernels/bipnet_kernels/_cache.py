"""Where machine code is kept on disk.

The folder is named after a digest of all that the machine code depends on, above all of every
kernel's source: an edited kernel, or one whose callee in another file was edited, gets a new
folder and can never be served stale. (Numba's own cache looks at the edited file alone.)
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

_DAY = 86_400.0
_DAYS_UNUSED = 30.0
"""After so many days without use the folders of other versions are removed."""

_FOLDER = re.compile("kernels-[0-9a-f]{16}")


@dataclass(frozen=True)
class Files:
    """The files of one version of the kernels.

    Attributes
    ----------
    folder
        Where new ones are kept; None where no folder can be written.
    others
        Folders that cannot be written but may hold some: in a read-only home, say.
    refused
        Where it was tried in vain to make a folder.
    """

    folder: Path | None
    others: tuple[Path, ...]
    refused: tuple[Path, ...]

    @property
    def readable(self) -> tuple[Path, ...]:
        """All folders that may hold some."""
        return self.others if self.folder is None else (self.folder, *self.others)

    def tidy(self) -> None:
        """Make the folder again if another version just removed it, and remove what they left."""
        assert self.folder is not None
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self._remove_unused()

    def _remove_unused(self) -> None:
        """Remove what other versions have left: they come and go with every edit of a kernel.

        A process of such a version that starts at this moment compiles once more, at the worst.
        """
        assert self.folder is not None
        for other in self.folder.parent.glob("kernels-*"):
            with contextlib.suppress(OSError):
                if (
                    other != self.folder
                    and _FOLDER.fullmatch(other.name)
                    and not other.is_symlink()
                    and time.time() - other.stat().st_mtime > _DAYS_UNUSED * _DAY
                ):
                    shutil.rmtree(other, ignore_errors=True)


def find_files(digest: str) -> Files:
    """The files of the version ``digest``, in the first folder that can be written.

    ``NUMBA_CACHE_DIR`` if set, else the user's cache folder, else a private folder below the
    system's folder for temporary files.
    """
    folder, others, refused = None, [], []
    for base in _bases():
        candidate = base / f"kernels-{digest}"
        if _writable(candidate):
            folder = candidate
            break
        if _trusted(candidate):
            others.append(candidate)
        refused.append(base)
    return Files(folder, tuple(others), tuple(refused))


def _bases() -> list[Path]:
    given = os.environ.get("NUMBA_CACHE_DIR")
    if given:
        return [Path(given).absolute()]
    bases = []
    caches = os.environ.get("XDG_CACHE_HOME", "")
    home = os.path.expanduser("~") if os.environ.get("HOME", "~") else ""
    if os.path.isabs(caches):
        bases.append(Path(caches, "bipnet"))
    elif os.path.isdir(home) and os.path.isabs(home):  # a home that is missing is not made
        bases.append(Path(home, ".cache", "bipnet"))
    with contextlib.suppress(FileNotFoundError):  # no folder for temporary files can be written
        user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
        bases.append(Path(tempfile.gettempdir(), f"bipnet-{user}"))
    return bases


def _writable(folder: Path) -> bool:
    """Make ``folder`` and say whether it is ours alone and writable; note that it is in use."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _trusted(folder):
            return False
        with tempfile.TemporaryFile(dir=folder):
            pass
        if time.time() - folder.stat().st_mtime > _DAY:
            os.utime(folder)
        return True
    except OSError:
        return False


def _trusted(folder: Path) -> bool:
    """Whether nobody else could have filled ``folder``: what is in it is executed."""
    if not hasattr(os, "getuid"):
        return folder.is_dir()
    trusted = (os.getuid(), 0)
    try:
        info, parent = folder.stat(), folder.parent.stat()
    except OSError:
        return False
    # A parent that others can write is well if it is like /tmp: there they cannot rename ours.
    return (
        stat.S_ISDIR(info.st_mode)
        and info.st_uid in trusted
        and parent.st_uid in trusted
        and not info.st_mode & stat.S_IWOTH
        and not (parent.st_mode & stat.S_IWOTH and not parent.st_mode & stat.S_ISVTX)
    )
