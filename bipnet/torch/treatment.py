"""What a probe does to the layers of a model at a level."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from bipnet._streams import Seed, checked_index
from bipnet.convert.source import naming
from bipnet.errors import (
    BipnetWarning,
    EmptyLayerWarning,
    InputError,
    warn_caller,
)
from bipnet.graph import SignedBipartiteGraph
from bipnet.nulls import NULL_MODELS, NullModel, randomize
from bipnet.probes import (
    FLIP_LEVELS,
    NOISE_LEVELS,
    PRUNE_LEVELS,
    Distribution,
    add_noise,
    binarize,
    checked_distribution,
    checked_fraction,
    checked_scale,
    flip_signs,
    prune,
)
from bipnet.torch.biases import Bias, biases_of
from bipnet.torch.layers import ModuleLayer
from bipnet.torch.swap import Part

WEIGHT_PROBES = ("prune", "noise", "flip")
"""Probes of single weights; besides them every null model is one."""

ALL_LAYERS = "all"
"""In the column ``layer``: the chosen layers, probed all at once."""


@dataclass(frozen=True)
class Group:
    """Layers that are probed together, with their biases if these are probed too."""

    name: str
    layers: tuple[ModuleLayer, ...]
    biases: tuple[Bias, ...]

    def values(self) -> dict[Part, Any]:
        """Their weights as graphs, and their bias vectors, as they are in the model now."""
        read: dict[Part, Any] = {layer: layer.graph() for layer in self.layers}
        read |= {bias: bias.vector() for bias in self.biases}
        return read


def grouped(layers: Sequence[ModuleLayer], *, each: bool, biases: bool) -> list[Group]:
    """All layers as one group, or each layer as a group of its own."""

    def group(name: str, members: Sequence[ModuleLayer]) -> Group:
        return Group(name, tuple(members), tuple(biases_of(members)) if biases else ())

    if each:
        return [group(layer.info.title, [layer]) for layer in layers]
    return [group(ALL_LAYERS, layers)]


@dataclass(frozen=True)
class Chance:
    """Which draws a probe with chance makes: what is the same for all its levels."""

    seed: Seed
    index: int
    n_realizations: int
    distribution: Distribution = "uniform"
    method: str | None = None
    steps: int | None = None
    loops: int | None = None
    n_threads: int | None = None

    def __post_init__(self) -> None:
        checked_index(self.index)
        n = self.n_realizations
        if isinstance(n, bool) or not hasattr(n, "__index__") or n < 1:
            raise InputError(f"n_realizations must be a whole number of at least 1, got {n!r}")
        checked_distribution(self.distribution)


@dataclass(frozen=True)
class Treatment:
    """A probe by name, ready to be applied at any level.

    Attributes
    ----------
    probe
        "prune", "noise", "flip", "randomize"; or "binarize", which has no level.
    null
        The null model of "randomize".
    chance
        Its draws.
    news
        Where it tells what went on.
    """

    probe: str
    null: NullModel | None
    chance: Chance
    news: News

    @classmethod
    def named(cls, name: str | NullModel, chance: Chance, news: News) -> Treatment:
        """The probe of that name; lists all of them for an unknown one."""
        null = NULL_MODELS.get(name) if isinstance(name, str) else name
        if isinstance(null, NullModel):
            treatment = cls("randomize", null, chance, news)
        elif name in WEIGHT_PROBES:
            treatment = cls(str(name), None, chance, news)
        else:
            models = "; ".join(f"{row.letter}: {row.title}" for row in NULL_MODELS.values())
            raise InputError(
                f"probe must be one of {', '.join(WEIGHT_PROBES)}, or a null model ({models}),"
                f" got {name!r}"
            )
        for option in ("method", "steps", "loops"):
            if getattr(chance, option) is not None and null is None:
                raise InputError(f"{option} is of null model G: the probe {name!r} takes none")
        return treatment

    @property
    def has_chance(self) -> bool:
        """Whether there are different realizations of it."""
        return self.probe in ("noise", "randomize")

    @property
    def n_realizations(self) -> int:
        return self.chance.n_realizations if self.has_chance else 1

    @property
    def name(self) -> str:
        """What a user calls it: a null model by its letter."""
        return self.probe if self.null is None else self.null.letter

    def at(self, level: float) -> str:
        """The level in words, for messages."""
        names = {"noise": "noise level", "flip": "fraction flipped"}
        return f"{names.get(self.probe, 'fraction removed')} {level:g}"

    @property
    def default_levels(self) -> tuple[float, ...]:
        return {"noise": NOISE_LEVELS, "flip": FLIP_LEVELS}.get(self.probe, PRUNE_LEVELS)

    def checked_levels(self, levels: Any) -> list[float]:
        """Levels that this probe can have, each once; its default ones for None."""
        if levels is None:
            return list(self.default_levels)
        if hasattr(levels, "tolist"):  # an array's or a tensor's own numbers
            levels = levels.tolist()
        try:
            given = [levels] if isinstance(levels, (int, float)) else list(levels)
        except TypeError:
            raise InputError(f"levels must be numbers, got {levels!r}") from None
        if not given or isinstance(levels, (str, bytes)):
            raise InputError(f"levels must be one number or more, got {levels!r}")
        check = checked_scale if self.probe == "noise" else checked_fraction
        numbers = [check(level, "each of the levels") for level in given]
        for place, number in enumerate(numbers):
            if number in numbers[:place]:
                raise InputError(f"levels has {number:g} twice")
        return numbers

    def applied(self, group: Group, level: float = 0) -> Iterator[tuple[int, dict[Part, Any]]]:
        """(realization, new values) at a level: as many as there are, one without chance."""
        kept = {}
        for part, values in group.values().items():
            with naming(_title(part)):
                kept[part] = self._without_chance(part, values, level)
            if isinstance(part, ModuleLayer) and n_edges_of(kept[part]) == 0:
                since = f" left at {self.at(level)}" if level else ""
                message = f"layer {part.info.title} has no edges{since}"
                self.news.tell(message, EmptyLayerWarning, part.info.name)
        first = self.chance.index if self.has_chance else 0
        for index in range(first, first + self.n_realizations):
            if not self.has_chance:
                yield index, kept
                continue
            drawn = {}
            for part, values in kept.items():
                subject = f"{self.name} {_name(part)}"
                where = f"at {self.at(level)}; " if level else ""
                draw = partial(self._drawn, part, values, level, index)
                with naming(_title(part)):
                    drawn[part] = self.news.heard_of(draw, subject, where)
            yield index, drawn

    def _without_chance(self, part: Part, values: Any, level: float) -> Any:
        if self.probe == "binarize":
            return binarize(values)
        if self.probe in ("prune", "randomize"):
            return prune(values, level)
        if self.probe == "flip" and isinstance(part, ModuleLayer):
            return flip_signs(values, level)
        return values

    def _drawn(self, part: Part, values: Any, level: float, index: int) -> Any:
        chance = self.chance
        if self.probe == "noise":
            return add_noise(
                values,
                level,
                rng=chance.seed,
                distribution=chance.distribution,
                index=index,
                name=_name(part),
            )
        if isinstance(part, Bias) or n_edges_of(values) == 0:
            return values
        assert self.null is not None
        return randomize(
            values,
            self.null,
            rng=chance.seed,
            index=index,
            name=_name(part),
            method=chance.method,
            steps=chance.steps,
            loops=chance.loops,
            n_threads=chance.n_threads,
        )


class News:
    """Warnings of many draws, each kind of them once for each subject."""

    def __init__(self) -> None:
        self._told: set[tuple[type[Warning], str]] = set()

    def tell(
        self, message: str, category: type[BipnetWarning], subject: str, where: str = ""
    ) -> None:
        """Warn, unless this subject has had such a warning."""
        if (category, subject) not in self._told:
            self._told.add((category, subject))
            warn_caller(f"{message} ({where}said once for each layer)", category)

    def heard_of(self, draw: Callable[[], Any], subject: str, where: str) -> Any:
        """What ``draw`` gives; its warnings are held back, and told afterwards."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", BipnetWarning)
            result = draw()
        for warning in caught:
            if issubclass(warning.category, BipnetWarning):
                self.tell(str(warning.message), warning.category, subject, where)
            else:
                warnings.warn_explicit(
                    warning.message, warning.category, warning.filename, warning.lineno
                )
        return result


def n_edges_of(graph: SignedBipartiteGraph) -> int:
    """Number of edges, without the graph's indices being made for it."""
    return graph.__biadjacency__().n_edges


def total_edges(values: dict[Part, Any]) -> int:
    """Edges of all layers together; biases are none."""
    return sum(n_edges_of(graph) for part, graph in values.items() if isinstance(part, ModuleLayer))


def binarized(values: dict[Part, Any]) -> dict[Part, Any]:
    """The signed model of them, biases included where they are probed."""
    signs = {}
    for part, weights in values.items():
        with naming(_title(part)):
            signs[part] = binarize(weights)
    return signs


def _name(part: Part) -> str:
    return part.name if isinstance(part, Bias) else part.info.name


def _title(part: Part) -> str:
    return f"bias {part.name}" if isinstance(part, Bias) else f"layer {part.info.title}"
