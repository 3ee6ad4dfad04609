"""Write beside, flush, rename: an output is there whole or not at all."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import glob
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bipnet.errors import BipnetError, InputError, MissingFileError, OutputExistsError

_PARTIAL = ".partial-"
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def require_free_output(path: Path, force: bool) -> None:
    """Raise unless ``path`` can be written: its folder exists, and it is new or ``force``."""
    parent = path.parent
    if not parent.is_dir():
        raise MissingFileError(f"no such folder for the output: {parent}; make it first")
    if not force and (path.exists() or path.is_symlink()):
        raise OutputExistsError(
            f"output exists: {path}; choose another, or replace it with --force"
        )
    if not os.access(parent, os.W_OK):
        raise PermissionError(errno.EACCES, "no permission to write into the folder", str(parent))


@contextlib.contextmanager
def new_file(path: Path, *, force: bool = False) -> Iterator[Path]:
    """A temporary path in the same folder; becomes ``path`` when the block ends well.

    Raises
    ------
    OutputExistsError
        ``path`` exists and ``force`` is not set.
    MissingFileError
        Its folder does not exist.
    """
    require_free_output(path, force)
    if path.is_dir():
        raise OutputExistsError(f"the output is a folder, a file was wanted: {path}")
    with _claimed(path, tempfile.mkstemp) as partial, _naming(path):
        yield partial
        flush_path(partial)
        _take_umask(partial)
        os.replace(partial, path)
        flush_path(path.parent)


@contextlib.contextmanager
def new_folder(path: Path, *, force: bool = False) -> Iterator[Path]:
    """A temporary folder beside ``path``; becomes ``path`` when the block ends well.

    An old folder is exchanged for the new one in a single step where the system can do that.
    """
    require_free_output(path, force)
    with _claimed(path, tempfile.mkdtemp) as partial, _naming(path):
        yield partial
        flush_tree(partial)
        _move_folder(partial, path, force)


def _move_folder(partial: Path, path: Path, force: bool) -> None:
    partial.chmod(0o777 & ~_umask())
    if force and path.exists():
        _exchange(partial, path)
    else:
        try:
            os.rename(partial, path)
        except OSError:
            if path.exists():  # somebody else has made it meanwhile: theirs stays
                raise OutputExistsError(f"output exists by now: {path}") from None
            raise
    flush_path(path.parent)


@contextlib.contextmanager
def kept_folder(
    path: Path, *, force: bool = False, adopt: Callable[[list[Path]], Path | None] | None = None
) -> Iterator[Path]:
    """A hidden folder beside ``path`` to make the output in, kept when the process is stopped.

    Whoever is killed or interrupted leaves it behind, so that a later call can go on in it;
    after an error, and at the end, it is gone. `move_in` gives the output its name.

    Parameters
    ----------
    path, force
        As for `new_file`.
    adopt
        Chooses from the folders that earlier processes have left the one to go on in, or none.
        Without it, and when it has chosen, the others are removed.

    Raises
    ------
    OutputExistsError, MissingFileError
        As `new_file` does.
    InputError
        With ``adopt``: another process is making the same output at this moment.
    """
    require_free_output(path, force)
    lock = contextlib.ExitStack()
    with _locked(path.parent, wait=True):
        dead = _leftovers(path)[0] if adopt is None else _abandoned(path)
        folder = None if adopt is None else adopt(dead)
        for leftover in dead:
            if leftover != folder:
                _remove(leftover)
        if folder is None:
            folder = Path(tempfile.mkdtemp(prefix=f".{path.name}{_PARTIAL}", dir=path.parent))
        lock.enter_context(_locked(folder))
    with lock, _naming(path):
        try:
            yield folder
        except KeyboardInterrupt:
            raise
        except BaseException:
            _remove(folder)
            raise
        _remove(folder)


def abandoned_partials(path: Path) -> list[Path]:
    """What processes that are no more have left beside ``path``, the newest first.

    Raises
    ------
    InputError
        There is nothing, but a process is writing ``path`` at this moment.
    """
    with _locked(path.parent, wait=True):
        return _abandoned(path)


def _abandoned(path: Path) -> list[Path]:
    dead, alive = _leftovers(path)
    if alive and not dead:
        raise InputError(f"another process is writing {path} now: wait for it, or stop it")
    return dead


def _leftovers(path: Path) -> tuple[list[Path], list[Path]]:
    """The partial outputs that nobody, and that somebody, works on."""
    dead: list[Path] = []
    alive: list[Path] = []
    for leftover in path.parent.glob(f"{glob.escape(f'.{path.name}{_PARTIAL}')}*"):
        with _locked(leftover) as free:
            (dead if free else alive).append(leftover)
    return sorted(dead, key=_changed_at, reverse=True), alive


def _changed_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:  # its owner has just finished
        return 0


def move_in(made: Path, path: Path, *, force: bool) -> None:
    """Give a finished file or folder, flushed by the caller, the name of the output.

    What stood there under ``force`` is replaced in a single step. Of a folder it is at ``made``
    afterwards.
    """
    if made.is_dir():
        _move_folder(made, path, force)
    else:
        if not force and (path.exists() or path.is_symlink()):
            raise OutputExistsError(f"output exists by now: {path}")
        os.replace(made, path)
        flush_path(path.parent)


@contextlib.contextmanager
def _claimed(path: Path, make: Callable[..., Any]) -> Iterator[Path]:
    """A new file or folder beside ``path`` that is gone afterwards, unless it was renamed.

    It is locked while this process works on it, so that those of killed processes, which nobody
    has locked, can be told apart: they are removed here.
    """
    with _locked(path.parent, wait=True):
        for leftover in _leftovers(path)[0]:
            _remove(leftover)
        made = make(prefix=f".{path.name}{_PARTIAL}", dir=path.parent)
        if isinstance(made, tuple):
            os.close(made[0])
            made = made[1]
        lock = contextlib.ExitStack()
        lock.enter_context(_locked(Path(made)))
    with lock:
        try:
            yield Path(made)
        finally:
            _remove(Path(made))


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Say which output a full or failing disk has stopped."""
    try:
        yield
    except BipnetError:
        raise
    except OSError as error:
        if error.errno is None:  # NumPy's way to say that not everything could be written
            what = f"could not be written ({error}); is the disk full?"
            raise OSError(errno.EIO, what, str(path)) from error
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
        if full and error.filename != str(path):
            raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
        raise


@contextlib.contextmanager
def _locked(path: Path, *, wait: bool = False) -> Iterator[bool]:
    """Whether this process alone holds ``path``; False too where there are no such locks."""
    try:
        import fcntl

        handle = os.open(path, os.O_RDONLY)
    except (ImportError, OSError):
        yield False
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            held = True
        except OSError:
            held = False
        yield held
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    if not path.is_dir():
        path.unlink(missing_ok=True)
        return
    # A thread that an interrupt has left writing may put a file into a folder being removed.
    for _ in range(20):
        shutil.rmtree(path, ignore_errors=True)
        if not path.exists():
            return
        time.sleep(0.05)


def move_folder_in(partial: Path, path: Path, *, flush: bool = True) -> None:
    """Flush a finished folder and give it its name, which must be free.

    Without ``flush`` where a folder around it is flushed as a whole later.
    """
    if flush:
        flush_tree(partial)
    partial.chmod(0o777 & ~_umask())
    os.rename(partial, path)
    if flush:
        flush_path(path.parent)


def flush_tree(folder: Path) -> None:
    """fsync every file and folder below ``folder``."""
    for root, _, files in os.walk(folder):
        for file in files:
            flush_path(Path(root, file))
        flush_path(Path(root))


def _exchange(new: Path, old: Path) -> None:
    """Swap two paths at once; ``new`` then holds what ``old`` was."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is not None:
        paths = (_AT_FDCWD, os.fsencode(new), _AT_FDCWD, os.fsencode(old))
        if renameat2(*paths, _RENAME_EXCHANGE) == 0:
            return
    # No such call here (or not on this file system): two renames, the first one undone if the
    # second fails.
    aside = Path(tempfile.mkdtemp(prefix=f".{old.name}{_PARTIAL}", dir=old.parent))
    os.rename(old, aside / "old")
    try:
        os.rename(new, old)
    except OSError:
        os.rename(aside / "old", old)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def flush_path(path: Path) -> None:
    """fsync a file or a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EROFS):  # folders on some file systems
            raise
    finally:
        os.close(handle)


def _take_umask(path: Path) -> None:
    """mkstemp makes files private: give them the permissions of any new file."""
    path.chmod(0o666 & ~_umask())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
