"""What a model computes before certain tensors are used, computed once and replayed after that.

A probe of a late layer need not run the early ones again: their outputs stay what they were. No
architecture is known here. One pass is watched: which modules are called, in which order, when
the changed tensors are first used, and which outputs of finished modules are used later on. In
later passes those modules give back what they gave then, and everything else runs as it always
does, with the same values: the result is the same, bit for bit. Every batch is checked for that
after the outputs of all are kept, the last batch first, so that what a module leaves lying about
for a later one is that of another batch. If one fails, nothing is kept.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

Forward: TypeAlias = Callable[..., Any]
Pass: TypeAlias = Callable[[], torch.Tensor]
"""One pass of the model over one batch."""


@dataclass(eq=False)
class _Call:
    """One call of a module's forward in the pass that is watched."""

    module: nn.Module
    parent: _Call | None
    begin: int
    end: float = math.inf
    output: Any = None
    versions: list[int] = field(default_factory=list)
    replayed: bool = False

    @property
    def within_replayed(self) -> bool:
        """Whether a call around this one is replayed, so that it is not made at all."""
        around = self.parent
        while around is not None:
            if around.replayed:
                return True
            around = around.parent
        return False


class _Watch(TorchFunctionMode):
    """Notes the calls of modules, and which functions take which tensors, in order."""

    def __init__(self, changed: Iterable[torch.Tensor]) -> None:
        super().__init__()
        self._storages = {_storage(tensor) for tensor in changed} - {None}
        self._clock = 0
        self._open: list[_Call] = []
        self.calls: list[_Call] = []
        self.first_use = math.inf
        self.users: dict[int, list[_Call | None]] = {}
        """id of an output -> the innermost call around each function that took it."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        self._clock += 1
        kwargs = kwargs or {}
        for tensor in _tensors([*args, *kwargs.values()]) if func not in _SAYS_NO_VALUES else ():
            if _storage(tensor) in self._storages:
                self.first_use = min(self.first_use, self._clock)
            if id(tensor) in self.users:
                self.users[id(tensor)].append(self._open[-1] if self._open else None)
        return func(*args, **kwargs)

    def forward_of(self, module: nn.Module, original: Forward) -> Forward:
        """``original``, noted as a call of ``module``."""

        def watched(*args: Any, **kwargs: Any) -> Any:
            self._clock += 1
            call = _Call(module, self._open[-1] if self._open else None, self._clock)
            self.calls.append(call)
            self._open.append(call)
            try:
                call.output = original(*args, **kwargs)
            finally:
                self._open.pop()
            self._clock += 1
            call.end = self._clock
            for tensor in _tensors([call.output]):
                call.versions.append(tensor._version)
                self.users.setdefault(id(tensor), [])
            return call.output

        return watched


_SAYS_NO_VALUES = {
    *(
        getattr(torch.Tensor, name)
        for name in (
            "__len__", "data_ptr", "dim", "element_size", "get_device", "is_complex",
            "is_contiguous", "is_floating_point", "is_signed", "nelement", "numel", "size",
            "storage_offset", "stride",
        )
    ),
    *(
        getattr(torch.Tensor, name).__get__
        for name in (
            "device", "dtype", "is_cuda", "is_leaf", "is_meta", "is_mkldnn", "is_quantized",
            "is_sparse", "itemsize", "layout", "nbytes", "ndim", "requires_grad", "shape",
        )
    ),
    torch.is_complex,
    torch.is_floating_point,
    torch.numel,
}  # fmt: skip
"""Functions that ask what a tensor is like, not what is in it."""


@dataclass(frozen=True)
class Plan:
    """Which calls of modules need not be made, and what of their outputs is used.

    Attributes
    ----------
    used
        Module -> for each of its first calls, which of the tensors of its output are used later.
    clone
        Whether outputs are changed in place after their module has given them.
    owners
        Modules that have the changed tensors: the first call of one ends what can be kept.
    before
        Modules whose calls, all of them, end before the changed tensors are used: what they
        give stays what it was. Some lie within others that are replayed, and are not called.
    """

    used: Mapping[nn.Module, Sequence[frozenset[int]]]
    clone: bool
    owners: frozenset[nn.Module]
    before: frozenset[nn.Module]


def plan_of(model: nn.Module, changed: Sequence[torch.Tensor], run: Pass) -> Plan | None:
    """Watch one pass; what can be replayed while only ``changed`` changes, None if nothing.

    ``changed`` are parameters. Nothing is replayed if they are not seen to be used (compiled
    or scripted code), or if the calls before that are in no clear order.
    """
    watch = _Watch(changed)
    scripted = [module for module in model.modules() if isinstance(module, torch.jit.ScriptModule)]
    storages = {_storage(tensor) for tensor in changed}
    owners = {
        module
        for module in model.modules()
        if any(_storage(own) in storages for own in module._parameters.values() if own is not None)
    }
    if owners & set(scripted):
        return None
    plain = [module for module in model.modules() if module not in scripted]
    with patched({module: watch.forward_of(module, module.forward) for module in plain}), watch:
        run()
    changes = min([watch.first_use, *(call.begin for call in watch.calls if call.module in owners)])
    begun = min((call.begin for call in watch.calls if call.module in owners), default=math.inf)
    if changes == math.inf or changes < begun:
        return None
    reached: dict[nn.Module, list[_Call]] = {}
    for call in watch.calls:  # an outer call comes before those within it
        if call.within_replayed:
            continue
        call.replayed = call.end < changes and _is_plain(call.output)
        reached.setdefault(call.module, []).append(call)
    used: dict[nn.Module, list[frozenset[int]]] = {}
    clone = False
    for module, calls in reached.items():
        n_replayed = sum(call.replayed for call in calls)
        if not all(call.replayed for call in calls[:n_replayed]):
            return None
        for call in calls[:n_replayed]:
            places = set()
            for place, (tensor, version) in enumerate(
                zip(_tensors([call.output]), call.versions, strict=True)
            ):
                users = watch.users[id(tensor)]
                is_used = any(user is None or not _is_skipped(user) for user in users)
                # Whole numbers cannot be poisoned with NaN: they are few, and kept.
                if is_used or not (tensor.is_floating_point() or tensor.is_complex()):
                    places.add(place)
                    clone |= tensor._version != version
            used.setdefault(module, []).append(frozenset(places))
    before = {call.module for call in watch.calls}
    before -= {call.module for call in watch.calls if call.end >= changes}
    return Plan(used, clone, frozenset(owners), frozenset(before)) if used else None


def _is_skipped(call: _Call) -> bool:
    return call.replayed or call.within_replayed


class Prefix:
    """Kept outputs of the modules before the changed tensors, batch by batch.

    Parameters
    ----------
    plan
        Of `plan_of`.
    budget
        Bytes of outputs to keep, all batches together.
    """

    def __init__(self, plan: Plan, budget: int) -> None:
        self._plan = plan
        self._budget = budget
        self._kept: dict[int, dict[nn.Module, list[Any]]] = {}
        self._clone_again = False

    @property
    def n_batches(self) -> int:
        """Batches whose outputs are kept."""
        return len(self._kept)

    def keep(self, runs: Sequence[Pass]) -> bool:
        """Run all batches in full and keep what is used later, as far as the budget goes.

        Then all are replayed, the last one first. Whether that gave the same bits; if not, nothing
        is kept.
        """
        for self._clone_again in (False, True):
            left, digests = self._budget, {}
            self._kept = {}
            for number, run in enumerate(runs):
                kept, taken, full = self._recorded(run)
                if kept is not None and taken <= left:
                    left -= taken
                    self._kept[number] = kept
                    digests[number] = _digest(full)
                elif kept is None:
                    self._kept = {}
                    return False
            exact, touched = True, False
            for number in reversed(range(len(runs))):
                again, changed = self._replayed(number, runs[number])
                touched |= changed
                exact &= number not in digests or _digest(again) == digests[number]
            if exact and not touched:
                return True
            if not touched:
                break
            # What comes later works in place on what is kept: once more, and give it copies.
        self._kept = {}
        return False

    def _recorded(self, run: Pass) -> tuple[dict[nn.Module, list[Any]] | None, int, torch.Tensor]:
        """What to keep of a full pass, its bytes, and what the pass gave.

        None to keep if this pass calls other modules than the plan's before the changed tensors.
        """
        kept: dict[nn.Module, list[Any]] = {}
        taken = depth = 0
        fits = True

        def keeping(module: nn.Module, original: Forward) -> Forward:
            def forward(*args: Any, **kwargs: Any) -> Any:
                nonlocal taken, depth
                outputs = kept.setdefault(module, [])
                places = self._plan.used[module]
                if depth or len(outputs) == len(places):
                    return original(*args, **kwargs)
                depth += 1
                try:
                    output = original(*args, **kwargs)
                finally:
                    depth -= 1
                stored, size = _stored(output, places[len(outputs)], self._plan.clone)
                outputs.append(stored)
                taken += size
                return output

            return forward

        def beginning(original: Forward) -> Forward:
            def forward(*args: Any, **kwargs: Any) -> Any:
                nonlocal fits
                made = {module: len(outputs) for module, outputs in kept.items()}
                planned = {module: len(places) for module, places in self._plan.used.items()}
                fits &= made == planned
                return original(*args, **kwargs)

            return forward

        forwards = {module: keeping(module, module.forward) for module in self._plan.used}
        forwards |= {module: beginning(module.forward) for module in self._plan.owners}
        with patched(forwards):
            full = run()
        return kept if fits else None, taken, full

    @contextmanager
    def replaying(self, number: int) -> Iterator[None]:
        """Modules give back what they gave for batch ``number``; nothing if it is not kept."""
        if number not in self._kept:
            yield
            return
        kept = self._kept[number]
        made: dict[nn.Module, int] = {}

        def replay(module: nn.Module, original: Forward) -> Forward:
            def forward(*args: Any, **kwargs: Any) -> Any:
                call = made.get(module, 0)
                made[module] = call + 1
                if call < len(kept[module]):
                    return _mapped(kept[module][call], self._given)
                return original(*args, **kwargs)

            return forward

        with patched({module: replay(module, module.forward) for module in kept}):
            yield

    def _given(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.clone() if self._clone_again else tensor

    def _replayed(self, number: int, run: Pass) -> tuple[torch.Tensor, bool]:
        """What the replayed pass gives, and whether it changed anything that is kept."""
        tensors = [
            tensor
            for outputs in self._kept.get(number, {}).values()
            for tensor in _tensors(outputs)
            if 0 not in tensor.stride()
        ]
        versions = [tensor._version for tensor in tensors]
        with self.replaying(number):
            again = run()
        return again, versions != [tensor._version for tensor in tensors]


@contextmanager
def patched(forwards: Mapping[nn.Module, Forward]) -> Iterator[None]:
    """Other ``forward`` functions of modules until the block ends."""
    missing = object()
    before = {module: vars(module).get("forward", missing) for module in forwards}
    try:
        for module, forward in forwards.items():
            vars(module)["forward"] = forward
        yield
    finally:
        for module, own in before.items():
            if own is missing:
                vars(module).pop("forward", None)
            else:
                vars(module)["forward"] = own


def _digest(output: torch.Tensor) -> bytes:
    """Of all bits of a tensor, NaN of any kind included."""
    values = output.detach().cpu().contiguous().flatten()
    digest = hashlib.blake2b(f"{tuple(output.shape)} {output.dtype}".encode(), digest_size=16)
    if values.numel():
        digest.update(values.view(torch.uint8).numpy().data)
    return digest.digest()


def _stored(output: Any, used: Collection[int], clone: bool) -> tuple[Any, int]:
    """An output with only the used tensors in it, and the bytes of these.

    The others become NaN of the same shape, without memory of their own: were one used after
    all, the check of the batch would show it.
    """
    size = 0
    place = -1

    def kept(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal size, place
        place += 1
        if place not in used:
            nothing = torch.full((), math.nan, dtype=tensor.dtype, device=tensor.device)
            return nothing.expand(tensor.shape)
        tensor = tensor.detach()
        if clone or tensor.untyped_storage().nbytes() > tensor.nbytes:
            tensor = tensor.clone()  # a part of something larger would keep all of it
        size += tensor.nbytes
        return tensor

    return _mapped(output, kept), size


def _is_plain(output: Any) -> bool:
    """Whether an output is made of tensors, numbers and plain containers: it can be kept."""
    if output is None or isinstance(output, (bool, int, float, str)):
        return True
    if isinstance(output, torch.Tensor):
        return output.layout is torch.strided and _storage(output) is not None
    if isinstance(output, (tuple, list)):
        return all(map(_is_plain, output))
    return isinstance(output, Mapping) and all(map(_is_plain, output.values()))


def _mapped(output: Any, function: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """The output with every tensor replaced; containers are new ones."""
    if isinstance(output, torch.Tensor):
        return function(output)
    if isinstance(output, tuple) and hasattr(output, "_fields"):
        return type(output)(*(_mapped(item, function) for item in output))
    if isinstance(output, (tuple, list)):
        return type(output)(_mapped(item, function) for item in output)
    if isinstance(output, Mapping):
        items = {key: _mapped(item, function) for key, item in output.items()}
        return type(output)(**items) if type(output) is not dict else items
    return output


def _tensors(values: Iterable[Any]) -> Iterator[torch.Tensor]:
    """Every tensor in nested containers, in the order in which `_mapped` meets them."""
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, (tuple, list)):
            yield from _tensors(value)
        elif isinstance(value, Mapping):
            yield from _tensors(value.values())


def _storage(tensor: torch.Tensor) -> int | None:
    """Where a tensor's memory begins: the same for its views."""
    try:
        return tensor.untyped_storage().data_ptr() or None
    except (RuntimeError, NotImplementedError):
        return None
