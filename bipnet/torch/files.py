"""``.pt`` and ``.pth`` state dicts: read without ever unpickling code, written back whole."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch

from bipnet._atomic import new_file
from bipnet._check import array_to_tensor, tensor_to_array
from bipnet._memory import require_memory
from bipnet.convert.checkpoint import CheckpointSource, PieceWriter, TensorSpec, canonical
from bipnet.convert.orientation import Layout
from bipnet.convert.source import Writer, reading
from bipnet.errors import FileFormatError, InputError, MissingFileError
from bipnet.torch.layers import memory_of

Array = npt.NDArray[Any]

SUFFIXES = (".pt", ".pth")
_WRAPPERS = ("state_dict", "model_state_dict", "model", "module", "net", "weights")


class StateDictSource(CheckpointSource):
    """A state dict as ``torch.save`` writes it, perhaps within a training checkpoint."""

    format = "torch state dict"

    def __init__(self, path: Path, orientation: Layout | None = None) -> None:
        self._tensors = tensors_of(load_tensors(path), path)
        super().__init__(path, orientation)

    def specs(self) -> Sequence[TensorSpec]:
        groups: dict[object, list[TensorSpec]] = {}
        for name, tensor in self._tensors.items():
            spec = TensorSpec(name, tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))
            groups.setdefault(memory_of(tensor), []).append(spec)
        return [canonical(tied) for tied in groups.values()]

    def read_tensor(self, name: str) -> Array:
        tensor = self._tensors[name]
        if tensor.is_meta:
            raise InputError(f"{self.path}: {name} has no values (it is on the meta device)")
        return tensor_to_array(tensor, f"{self.path}: {name}")

    @contextmanager
    def writer(self, path: Path, *, force: bool) -> Iterator[Writer]:
        with new_file(path, force=force) as partial:
            # Read again: changing tensors in place keeps ties and everything else as it was.
            content = load_tensors(self.path)
            writer = _InPlace(self, tensors_of(content, self.path))
            yield writer
            writer.finish()
            with partial.open("wb") as file:  # a path would be written into the archive
                try:
                    torch.save(content, file)
                except RuntimeError as error:
                    if isinstance(error.__context__, OSError):  # a full disk, in torch's words
                        raise error.__context__ from None
                    raise


class _InPlace(PieceWriter):
    def __init__(self, source: StateDictSource, tensors: Mapping[str, torch.Tensor]) -> None:
        super().__init__(source)
        self._tensors = tensors

    def written_tensor(self, name: str) -> Array:
        self._require_own_memory(name)
        return tensor_to_array(self._tensors[name], name)

    def _require_own_memory(self, name: str) -> None:
        """Raise where new values would change another tensor too: only exact ties may."""
        tensor = self._tensors[name]
        for other_name, other in self._tensors.items():
            if memory_of(other) != memory_of(tensor) and _overlap(tensor, other):
                raise InputError(
                    f"{self._source.path}: {name} and {other_name} are different views of the same"
                    " memory, so one cannot be randomised without the other: save copies of them,"
                    " tensor.clone(), instead"
                )

    def flush_tensor(self, name: str, values: Array) -> None:
        tensor = self._tensors[name]
        if any(step == 0 and n > 1 for step, n in zip(tensor.stride(), tensor.shape, strict=True)):
            raise InputError(
                f"{self._source.path}: {name} is an expanded tensor, one number for many weights:"
                " save a copy of it, tensor.clone(), instead"
            )
        with torch.no_grad():
            tensor.copy_(array_to_tensor(values))


def _overlap(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors have an element in common."""
    if any(t.is_meta or t.layout is not torch.strided or not t.numel() for t in (one, other)):
        return False
    storage = one.untyped_storage()
    if storage.data_ptr() != other.untyped_storage().data_ptr():
        return False
    spans = [_span(t) for t in (one, other)]
    if max(start for start, _ in spans) >= min(stop for _, stop in spans):
        return False
    if one.element_size() != other.element_size():  # the same bytes under another dtype
        return True
    taken = torch.zeros(storage.nbytes() // one.element_size(), dtype=torch.bool)
    taken.as_strided(one.shape, one.stride(), one.storage_offset()).fill_(True)
    return bool(taken.as_strided(other.shape, other.stride(), other.storage_offset()).any())


def _span(tensor: torch.Tensor) -> tuple[int, int]:
    """The first byte of a tensor within its storage, and the one after its last."""
    first = int(tensor.storage_offset())
    steps = zip(tensor.stride(), tensor.shape, strict=True)
    last = first + sum(int(step) * (int(n) - 1) for step, n in steps)
    return first * tensor.element_size(), (last + 1) * tensor.element_size()


def load_tensors(path: Path) -> Any:
    """What ``torch.save`` wrote, if it is tensors and plain data alone.

    Raises
    ------
    FileFormatError
        Damaged, or a pickle that could execute code when it is read.
    """
    if path.is_dir():
        raise FileFormatError(f"{path} is a folder; a file that torch.save wrote is wanted")
    if not path.is_file():
        raise MissingFileError(f"no such file: {path}")
    require_memory(path.stat().st_size, f"reading {path}")
    with reading(path, "torch state dict"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch's musings on a file it is about to refuse
                return torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            if "Weights only load failed" not in str(error) or _is_damaged(path):
                # Not torch's own words where they advise to read it unsafely.
                damaged = "Weights only load failed" in str(error)
                reason = "a damaged or foreign pickle" if damaged else str(error).splitlines()[0]
                raise ValueError(reason) from None
            raise FileFormatError(
                f"{path} holds more than tensors and could execute code when read, so it is not"
                " read: save the state dict instead, torch.save(model.state_dict(), path)"
            ) from None


def _is_damaged(path: Path) -> bool:
    """Whether the file is neither a zip archive nor an old-style torch pickle."""
    with path.open("rb") as file:
        start = file.read(2)
    return start not in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def tensors_of(content: Any, path: Path) -> dict[str, torch.Tensor]:
    """The named tensors in a state dict, in a checkpoint around one, or the one tensor."""
    if isinstance(content, torch.Tensor):
        return {"": content}
    if isinstance(content, Mapping):
        for candidate in (*(content.get(key) for key in _WRAPPERS), content):
            if isinstance(candidate, Mapping):
                tensors = {
                    str(name): value
                    for name, value in candidate.items()
                    if isinstance(value, torch.Tensor)
                }
                if tensors:
                    return tensors
        keys = ", ".join(map(str, list(content)[:10])) or "nothing"
        raise FileFormatError(f"{path} holds no state dict; it has the entries: {keys}")
    raise FileFormatError(f"{path} holds a {type(content).__name__}, not a state dict of tensors")
