"""Which random numbers a draw gets: a function of (seed, name, index, purpose) and nothing else."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from bipnet.errors import InputError

STREAM_VERSION = 3
"""Raised whenever the same seed gives other bits than before; recipes on disk record it."""

RNGLike: TypeAlias = int | np.integer[Any] | np.random.SeedSequence | np.random.Generator | None
"""What ``rng=`` takes everywhere (Scientific Python SPEC 7)."""


@dataclass(frozen=True)
class Seed:
    """A resolved ``rng=``: plain integers that can be written down and used again."""

    entropy: int
    spawn_key: tuple[int, ...] = ()

    def key(self, purpose: str, *, name: str = "", index: int = 0) -> npt.NDArray[np.uint64]:
        """256-bit key (4 words) of one stream; different arguments never share a stream."""
        if not isinstance(name, str):
            raise InputError(f"name must be text, got {name!r}")
        text = (
            f"bipnet stream {STREAM_VERSION}\n{self.entropy}\n{list(self.spawn_key)}\n"
            f"{index}\n{purpose}\n{name}"
        )
        digest = hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=32).digest()
        return np.frombuffer(digest, dtype="<u8").astype(np.uint64)

    def generator(self, purpose: str, *, name: str = "", index: int = 0) -> np.random.Generator:
        """A NumPy generator on that stream, for work outside kernels."""
        key = self.key(purpose, name=name, index=index)
        return np.random.Generator(np.random.Philox(key=key[:2]))


def checked_index(index: object) -> int:
    """``index`` as a plain int; raises unless it is a whole number from 0 on."""
    if isinstance(index, bool) or not isinstance(index, (int, np.integer)) or index < 0:
        raise InputError(f"index must be a non-negative integer, got {index!r}")
    return int(index)


def resolve_seed(rng: RNGLike | Seed) -> Seed:
    """Turn whatever the caller passed as ``rng`` into a `Seed`.

    An int or SeedSequence gives the same seed every time. A Generator is advanced by two
    draws. None asks the operating system for fresh entropy.
    """
    if isinstance(rng, Seed):
        return rng
    if rng is None:
        return Seed(secrets.randbits(128))
    if isinstance(rng, (int, np.integer)) and not isinstance(rng, (bool, np.bool_)):
        if rng < 0:
            raise InputError(f"rng must be a non-negative integer, got {rng}")
        return Seed(int(rng))
    if isinstance(rng, np.random.SeedSequence):
        entropy = rng.entropy
        if not isinstance(entropy, (int, np.integer)):
            words = [] if entropy is None else [int(word) for word in entropy]
            # Negative, so that no integer seed is the same; a last word of 1 keeps [5, 0]
            # apart from [5].
            entropy = -sum(word << (32 * i) for i, word in enumerate([*words, 1]))
        return Seed(int(entropy), tuple(int(word) for word in rng.spawn_key))
    if isinstance(rng, np.random.Generator):
        high, low = (int(word) for word in rng.integers(0, 2**64, size=2, dtype=np.uint64))
        return Seed(high << 64 | low)
    raise InputError(
        "rng must be a non-negative int, numpy.random.SeedSequence, numpy.random.Generator"
        f" or None, got {type(rng).__name__}"
    )
