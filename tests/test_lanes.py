"""Kernels compiled as for other processors: every way to move words gives the same bits."""

from __future__ import annotations

import os
import signal
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


BEHIND = """
import ctypes, mmap, sys, warnings
import numpy as np
import bipnet, bipnet_kernels

warnings.simplefilter("ignore", bipnet.FrozenWarning)
seen = np.zeros(2, dtype="u8")
libc = ctypes.CDLL(None)
libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
kept = []

def at_the_end(like):
    "A copy that ends where memory may neither be read nor written."
    page = mmap.PAGESIZE
    n_bytes = -(-like.nbytes // page) * page
    memory = mmap.mmap(-1, n_bytes + page)
    kept.append(memory)
    base = np.frombuffer(memory, dtype=np.uint8)
    assert libc.mprotect(base.ctypes.data + n_bytes, page, 0) == 0
    copy = base[n_bytes - like.nbytes : n_bytes].view(like.dtype).reshape(like.shape)
    copy[:] = like
    return copy

rng = np.random.default_rng(1)
for dtype in (np.int8, np.float16, np.float32, np.float64):
    for n_right in (1, 3, 7, 9, 16, 31, 33, 64, 70):
        W = rng.integers(-9, 9, (5, n_right)).astype(dtype)
        for here in (W, np.where(W == 0, 1, W).astype(dtype)):
            there, out = at_the_end(here), at_the_end(here)
            for null in "ABCDEFG":
                bipnet.randomize(there, null, rng=1, out=out)
                assert out.tobytes() == bipnet.randomize(here, null, rng=1).tobytes()
if "--one-too-many" in sys.argv:
    bipnet_kernels.widen_range(there.view("u8").ravel(), 0, there.size + 1, np.uint64(1), seen)
print("nothing was touched behind the end")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="protects memory as Linux does")
def test_kernels_that_move_words__touch_nothing_behind_the_end() -> None:
    command = [sys.executable, "-c", BEHIND]
    run = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert "nothing was touched" in run.stdout, run.stderr[-2000:]
    # Were it otherwise, one would hear of it.
    control = subprocess.run([*command, "--one-too-many"], capture_output=True, timeout=100)
    assert control.returncode == -signal.SIGSEGV


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
