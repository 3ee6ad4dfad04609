"""Array types of the kernels' signatures (for mypy only; Numba infers its own)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.unsignedinteger[Any]]
"""Weights or sign bits as unsigned integers of 1, 2, 4 or 8 bytes."""

Key = npt.NDArray[np.uint64]
"""A 256-bit key or the state of a random stream: 4 words."""

Picks = npt.NDArray[np.uint32]
"""Bounded random integers."""

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating[Any]]
Flags = npt.NDArray[np.bool_]

Int = int | np.int64
"""A count or a place: Numba makes no difference."""
