"""Kernels compiled as for other processors: every way to move words gives the same bits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from bipnet_kernels import _lanes

KERNELS = Path(__file__).parent / "test_kernels.py"
MOVING = "cells or handed_out or permute_segments"

RUN = f"""
import sys, pytest
from bipnet_kernels import _lanes
assert (_lanes.HAS_COMPRESS, _lanes._NARROWEST) == {{}}
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "-k", {MOVING!r}, {str(KERNELS)!r}]))
"""


def features_without(*names: str) -> str:
    """What this processor can do, but for some."""
    every = sorted(_lanes.features())
    return ",".join("-" + one[1:] if one[1:].startswith(names) else one for one in every)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ("avx512", (False, 4)),
        pytest.param(
            "avx512vbmi2",
            (True, 4),
            marks=pytest.mark.skipif(not _lanes.HAS_COMPRESS, reason="needs AVX-512"),
        ),
    ],
)
def test_kernels_that_move_words__follow_their_twins_without(
    missing: str, expected: tuple[bool, int], tmp_path: Path
) -> None:
    environment = {
        **os.environ,
        "NUMBA_CPU_FEATURES": features_without(missing),
        "NUMBA_CACHE_DIR": str(tmp_path),
    }
    run = subprocess.run(
        [sys.executable, "-c", RUN.format(expected)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
    assert " passed" in run.stdout
