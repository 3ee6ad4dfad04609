"""What commands that train on images do before they begin."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path

from bipnet.errors import InputError


def ready_for_images(datasets: Sequence[str], data_dir: Path | None, download: bool) -> None:
    """Refuse options that say where embedded images are; load what draws, without a screen.

    Raises
    ------
    InputError
        ``data_dir`` or ``download`` with digits alone.
    MissingExtraError
        The extra with the experiments is missing; says which.
    """
    if set(datasets) == {"digits"} and (download or data_dir is not None):
        idle = "--download" if download else "--data-dir"
        raise InputError(f"{idle} says where images are from; digits is embedded: use --data too")
    importlib.import_module("bipnet.experiments")
    import matplotlib

    matplotlib.use("agg")  # pictures go into files
