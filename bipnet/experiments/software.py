"""What computes: versions and machine, on which the last bits of the numbers depend."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
import torch

import bipnet
from bipnet._streams import STREAM_VERSION


def numeric_software(libraries: Iterable[str] = ()) -> dict[str, Any]:
    """What changes numbers: a sum rounded otherwise early in a training is another network.

    Parameters
    ----------
    libraries
        Distributions that compute besides those that always do.

    Examples
    --------
    >>> "transformers" in numeric_software()
    False
    >>> sorted(numeric_software())[:3]
    ['bipnet', 'instructions', 'machine']
    """
    return dict(_numeric(tuple(libraries)))


def software(libraries: Iterable[str] = ()) -> dict[str, Any]:
    """What every protocol has under "software": also what writes the tables."""
    return {
        **numeric_software(libraries),
        "pandas": pd.__version__,
        "python": platform.python_version(),
    }


@cache
def _numeric(libraries: tuple[str, ...]) -> dict[str, Any]:
    return {
        "stream_version": STREAM_VERSION,
        "bipnet": bipnet.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "numba": version("numba"),
        **{name: version(name) for name in libraries},
        "machine": platform.machine(),
        # Matrix products add up in another order where registers are wider.
        "instructions": torch.backends.cpu.get_cpu_capability(),
    }
