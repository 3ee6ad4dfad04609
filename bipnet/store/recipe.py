"""A recipe: everything needed to make a null draw again, bit for bit, at any time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bipnet._streams import STREAM_VERSION, Seed
from bipnet.errors import FileFormatError, InputError
from bipnet.graph import SignedBipartiteGraph
from bipnet.nulls import randomize


@dataclass(frozen=True)
class Recipe:
    """One null draw, written down.

    Attributes
    ----------
    null, method, steps, loops
        The null model, its method, and the steps and loops of its chain (None for A to F).
    seed
        The resolved seed.
    name, index
        The name of the tensor and the number of the draw.
    stream_version
        Version of the random streams the draw was made with.
    """

    null: str
    method: str
    steps: int | None
    loops: int | None
    seed: Seed
    name: str
    index: int
    stream_version: int = STREAM_VERSION

    def make(self, graph: SignedBipartiteGraph) -> SignedBipartiteGraph:
        """Make the draw from the layer it belongs to.

        Raises
        ------
        InputError
            The recipe was written with random streams this version of bipnet does not have.
        """
        if self.stream_version != STREAM_VERSION:
            raise InputError(
                f"this draw was made with random streams of version {self.stream_version}; this"
                f" bipnet has version {STREAM_VERSION} and would make another draw: use the"
                " bipnet version that the layer's provenance names, or draw anew"
            )
        return randomize(
            graph,
            self.null,
            rng=self.seed,
            index=self.index,
            name=self.name,
            method=self.method,
            steps=self.steps,
            loops=self.loops,
        )

    def as_attributes(self) -> dict[str, Any]:
        """Plain JSON; the seed as text, since it may have more than 64 bits."""
        return {
            "null": self.null,
            "method": self.method,
            "steps": self.steps,
            "loops": self.loops,
            "seed": str(self.seed.entropy),
            "spawn_key": list(self.seed.spawn_key),
            "name": self.name,
            "index": self.index,
            "stream_version": self.stream_version,
        }

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, Any]) -> Recipe:
        """Read what `as_attributes` wrote."""
        try:
            return cls(
                null=str(attributes["null"]),
                method=str(attributes["method"]),
                steps=_number(attributes["steps"]),
                loops=_number(attributes.get("loops")),  # unknown before stream version 2
                seed=Seed(int(attributes["seed"]), tuple(map(int, attributes["spawn_key"]))),
                name=str(attributes["name"]),
                index=int(attributes["index"]),
                stream_version=int(attributes["stream_version"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise FileFormatError(f"not the recipe of a null draw: {error!r}") from error

    def key(self) -> str:
        """A name of its own for the draw within its layer: readable, then a hash of the rest."""
        text = json.dumps(self.as_attributes(), sort_keys=True)
        digest = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
        return f"{self.null}-{self.index}-{digest}"


def _number(value: Any) -> int | None:
    return None if value is None else int(value)
