"""What commands say of the kernels' cache, which a test of something else may meet empty."""

from __future__ import annotations


def without_news(stderr: str) -> str:
    """All that was said but for the line that kernels are being compiled."""
    lines = stderr.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("bipnet: compiling kernels"))
