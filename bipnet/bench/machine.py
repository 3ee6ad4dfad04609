"""What a time depends on: processor, threads, versions."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from bipnet._threads import usable_cores


def describe_machine() -> dict[str, Any]:
    """Processor, cores, memory, system, and versions of what bipnet runs on."""
    versions = {"python": platform.python_version()}
    for distribution in ("bipnet", "numpy", "numba", "scipy"):
        versions[distribution] = metadata.version(distribution)
    return {
        "cpu": _cpu(),
        "cores": usable_cores(),
        "memory_bytes": psutil.virtual_memory().total,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load_before": round(psutil.getloadavg()[0], 2),
        "versions": versions,
        "thread_variables": {
            name: os.environ[name]
            for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS")
            if name in os.environ
        },
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
