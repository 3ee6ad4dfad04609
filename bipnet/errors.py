"""Everything bipnet raises on purpose, and the warnings it gives."""

from __future__ import annotations

import sys
import warnings


class BipnetError(Exception):
    """Base of all errors bipnet raises on purpose: their message says what to do."""


class InputError(BipnetError, ValueError):
    """A value that cannot be used (shape, range, NaN, unknown letter ...)."""


class DTypeError(BipnetError, TypeError):
    """A dtype or a type of object that cannot be used."""


class FileFormatError(BipnetError, ValueError):
    """A file or folder that is damaged, foreign or not safe to read."""


class MissingFileError(BipnetError, FileNotFoundError):
    """A file or folder that is not there."""


class OutputExistsError(BipnetError, FileExistsError):
    """An output that exists already and was not to be replaced."""


class LayerNotFoundError(BipnetError, LookupError):
    """No layer of that name, or none that matches a pattern."""


class TooLargeError(BipnetError, MemoryError):
    """Work that would need more memory than there is; raised before allocating."""


class MissingExtraError(BipnetError, ImportError):
    """An optional library that this call needs is not installed."""


class InvariantError(BipnetError, ValueError):
    """A randomised matrix breaks what its null model preserves.

    ``report`` (a `bipnet.Verification`) lists every invariant, kept or broken, and where.
    """

    def __init__(self, message: str, report: object = None) -> None:
        super().__init__(message)
        self.report = report


class BipnetWarning(UserWarning):
    """Base of all warnings of bipnet."""


class FrozenWarning(BipnetWarning):
    """A draw in which nothing, or not every part, could move."""


class EmptyLayerWarning(BipnetWarning):
    """A probe leaves a layer without a single edge."""


class DamagedJobWarning(BipnetWarning):
    """What a finished job of a sweep had made is damaged: the job is done again."""


class MissingExtraWarning(BipnetWarning):
    """Something is left out, since an optional library that it needs is not installed."""


class NotSettledWarning(BipnetWarning):
    """A chain did not reach equilibrium on its pilot: draws may remember the data."""


class ExplicitZeroWarning(BipnetWarning):
    """Explicit zeros of a sparse matrix were dropped: a zero is no edge."""


def warn_caller(message: str, category: type[BipnetWarning]) -> None:
    """Warn at the line of the user's code that called into bipnet, however deep this is."""
    frame = sys._getframe(1)
    level = 2
    while frame.f_back is not None and _is_ours(frame.f_globals):
        frame = frame.f_back
        level += 1
    warnings.warn(message, category, stacklevel=level)


def _is_ours(module_globals: dict[str, object]) -> bool:
    return str(module_globals.get("__name__", "")).partition(".")[0] == "bipnet"
