"""What scores an opened model, with one clear line where the model does not fit the data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bipnet.convert.source import reading

if TYPE_CHECKING:
    import torch
    from torch import nn


class Evaluator:
    """An evaluator that says of which file the model does not fit the data.

    Parameters
    ----------
    inner
        The evaluator of bipnet.torch.
    model
        Where the model is from.
    measured
        What calling it gives, if that is not what calling ``inner`` gives.
    """

    def __init__(
        self, inner: Any, model: Path, measured: Callable[[nn.Module], Any] | None = None
    ) -> None:
        self._inner = inner
        self._path = model
        self._measured = measured or inner

    @property
    def higher_is_better(self) -> bool:
        return bool(self._inner.higher_is_better)

    def __call__(self, network: nn.Module) -> float:
        with reading(self._path, "model for this data"):
            return float(self._measured(network))

    @contextmanager
    def reusing(self, network: nn.Module, changed: Sequence[torch.Tensor]) -> Iterator[Evaluator]:
        """As the inner one's: probes of late layers need not run the early ones again."""
        with ExitStack() as kept:
            with reading(self._path, "model for this data"):
                kept.enter_context(self._inner.reusing(network, changed))
            yield self
