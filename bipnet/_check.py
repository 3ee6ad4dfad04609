"""The one door: whatever a caller hands in is checked and converted here.

Inside, everything is a `Biadjacency`. Beside it the door gives a function that turns a result
into the caller's kind of container again: ndarray, scipy sparse array, torch tensor on its
device, or graph.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from bipnet._biadjacency import Array, Biadjacency, Rebuild
from bipnet._bits import BFLOAT16, BitLayout, bit_layout, refusal
from bipnet._memory import require_memory
from bipnet._threads import cut, run_blocks, usable_threads
from bipnet.errors import DTypeError, ExplicitZeroWarning, InputError, warn_caller

if TYPE_CHECKING:
    import torch

_BLOCK = 1 << 16  # words looked at together: stays in cache

TORCH_DTYPES = {
    "torch.float16": np.dtype(np.float16),
    "torch.bfloat16": BFLOAT16,
    "torch.float32": np.dtype(np.float32),
    "torch.float64": np.dtype(np.float64),
    "torch.bool": np.dtype(np.bool_),
    **{
        f"torch.{kind}{bits}": np.dtype(f"{kind}{bits}")
        for kind in ("int", "uint")
        for bits in (8, 16, 32, 64)
    },
}


def open_matrix(
    matrix: Any, *, what: str = "W", check_later: bool = False
) -> tuple[Biadjacency, Rebuild]:
    """Check ``matrix`` and give it as a `Biadjacency`, with the way back.

    Shares memory with the input where it can: callers copy before they change anything. With
    ``check_later`` dense weights are left to be checked when edges are first counted.

    Raises
    ------
    InputError
        Not two-dimensional, no rows or columns, NaN or infinite (with the position),
        duplicate entries of a sparse matrix.
    DTypeError
        Complex, object, text, quantised ... or a container bipnet does not know.
    """
    if hasattr(type(matrix), "__biadjacency__"):
        return matrix.__biadjacency__(), matrix.__with_biadjacency__
    tensor = as_tensor(matrix)
    if tensor is not None:
        return _open_tensor(tensor, what, check_later)
    if hasattr(matrix, "tocsr") and hasattr(matrix, "nnz"):
        return _open_sparse(matrix, what)
    array = as_plain_array(matrix, what)
    biadjacency = _open_array(array, what, check_later)
    if isinstance(matrix, np.generic) or not isinstance(matrix, np.ndarray):
        return biadjacency, lambda result: result.dense_values()
    dtype = array.dtype  # perhaps big-endian: give it back as it came
    return biadjacency, lambda result: result.dense_values().astype(dtype, copy=False)


def as_tensor(value: Any) -> torch.Tensor | None:
    """``value`` if it is a torch tensor; torch is never imported to find out."""
    loaded = sys.modules.get("torch")
    if loaded is None or not isinstance(value, loaded.Tensor):
        return None
    tensor: torch.Tensor = value
    return tensor


def as_plain_array(value: Any, what: str) -> Array:
    """An ndarray of ``value``; refuses masks, objects and ragged lists."""
    if isinstance(value, np.ma.MaskedArray):
        raise DTypeError(f"{what} is a masked array; fill it first (0 means no edge)")
    if isinstance(value, (str, bytes, dict, set)) or value is None:
        raise DTypeError(
            f"{what} must be a matrix (numpy, scipy.sparse, torch, nested lists or a"
            f" SignedBipartiteGraph), got {type(value).__name__}"
        )
    if hasattr(value, "iloc"):
        raise DTypeError(f"{what} is a pandas {type(value).__name__}; pass {what}.to_numpy()")
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise DTypeError(f"{what} is no matrix: {error}") from None
    if array.dtype.kind not in "fiub" and array.dtype != BFLOAT16:
        raise DTypeError(f"{what}: {refusal(array.dtype)}")
    return array


def own_array(value: Any, what: str) -> Array:
    """A copy of ``value`` as an ndarray; a torch tensor will do (bfloat16 included)."""
    tensor = as_tensor(value)
    return np.array(
        as_plain_array(value, what) if tensor is None else tensor_to_array(tensor, what)
    )


def native(array: Array, what: str) -> Array:
    """C-ordered, native-endian and of a dtype whose bits bipnet knows."""
    dtype = array.dtype.newbyteorder("=")
    try:
        bit_layout(dtype)
    except DTypeError as error:
        raise DTypeError(f"{what}: {error}") from None
    if array.flags.c_contiguous and array.dtype == dtype and array.dtype.isnative:
        return array
    require_memory(array.size * dtype.itemsize, f"a C-ordered copy of {what} {array.shape}")
    return np.ascontiguousarray(array, dtype=dtype)


def require_finite(values: Array, what: str) -> int:
    """Raise `InputError` with the position of the first NaN or infinity; else count the edges."""
    n_edges = finite_edges(values)
    if n_edges is not None:
        return n_edges
    position = first_nonfinite(values)
    assert position is not None
    value = values.reshape(-1)[position]
    where = tuple(int(i) for i in np.unravel_index(position, values.shape))
    raise InputError(f"{what}{list(where)} is {value}: weights must be finite; clean it first")


def finite_edges(values: Array) -> int | None:
    """How many weights are no zeros; None if any is NaN or infinite. Looks at bits alone."""
    layout = bit_layout(values.dtype)
    words = values.reshape(-1).view(layout.word)
    if words.size <= _BLOCK:
        return _finite_edges(words, np.empty_like(words), layout)
    n_blocks = -(-words.size // _BLOCK)
    counts = np.zeros(n_blocks, dtype=np.int64)

    def work(run: tuple[int, int]) -> None:
        magnitudes = np.empty(_BLOCK, dtype=layout.word)
        for block in range(*run):
            part = words[block * _BLOCK : (block + 1) * _BLOCK]
            found = _finite_edges(part, magnitudes[: part.size], layout)
            counts[block] = -1 if found is None else found

    run_blocks(work, cut(n_blocks, 16), usable_threads(None, words.size))
    return None if counts.min(initial=0) < 0 else int(counts.sum())


def _finite_edges(words: Array, scratch: Array, layout: BitLayout) -> int | None:
    bits = np.bitwise_and(words, layout.nonzero, out=scratch)
    if layout.exponent and bits.max(initial=0) >= layout.exponent:
        return None
    return words.size if bits.size and bits.min() else int(np.count_nonzero(bits))


def first_nonfinite(values: Array) -> int | None:
    """Flat position of the first NaN or infinity."""
    layout = bit_layout(values.dtype)
    if not layout.exponent:
        return None
    words = values.reshape(-1).view(layout.word)
    for start in range(0, words.size, _BLOCK):
        bad = (words[start : start + _BLOCK] & layout.exponent) == layout.exponent
        if bad.any():
            return start + int(np.argmax(bad))
    return None


def require_matrix_shape(shape: tuple[int, ...], what: str) -> tuple[int, int]:
    """Raise `InputError` unless ``shape`` is that of a matrix with rows and columns."""
    try:
        shape = tuple(operator.index(n) for n in shape)
    except TypeError:
        raise InputError(f"the shape of {what} must be two whole numbers, got {shape}") from None
    if len(shape) != 2:
        raise InputError(
            f"{what} must have two dimensions (left nodes, right nodes), got shape {shape};"
            " reshape it, or pass one matrix of a stack at a time"
        )
    if 0 in shape:
        side = "rows (left nodes)" if shape[0] == 0 else "columns (right nodes)"
        raise InputError(f"{what} has no {side}: shape {shape}")
    return shape[0], shape[1]


def _open_array(array: Array, what: str, check_later: bool = False) -> Biadjacency:
    shape = require_matrix_shape(array.shape, what)
    values = native(array, what)
    if check_later:
        return Biadjacency(shape, values).to_be_checked(partial(require_finite, values, what))
    n_edges = require_finite(values, what)
    return Biadjacency(shape, values).knowing(n_edges)


def _open_tensor(tensor: torch.Tensor, what: str, check_later: bool) -> tuple[Biadjacency, Rebuild]:

    array = tensor_to_array(tensor, what)
    device = tensor.device

    def rebuild(result: Biadjacency) -> torch.Tensor:
        return array_to_tensor(result.dense_values()).to(device)

    return _open_array(array, what, check_later), rebuild


def tensor_to_array(tensor: torch.Tensor, what: str) -> Array:
    """The tensor's values as an ndarray (bfloat16 included), by way of the CPU."""
    if tensor.is_nested:
        raise DTypeError(f"{what} is a nested torch tensor; pass its matrices one by one")
    if tensor.is_meta:
        raise InputError(f"{what} has no values (it is on the meta device); load its weights first")
    if tensor.layout is not sys.modules["torch"].strided:
        raise DTypeError(f"{what} is a sparse torch tensor; pass {what}.to_dense()")
    if str(tensor.dtype) not in TORCH_DTYPES:
        raise DTypeError(f"{what}: {refusal(tensor.dtype)}")
    return plain_tensor_array(tensor.detach().cpu().resolve_conj().resolve_neg())


def plain_tensor_array(tensor: torch.Tensor) -> Array:
    """ndarray view of a CPU tensor; torch hands bfloat16 over only as integers."""
    torch = sys.modules["torch"]
    if tensor.dtype is torch.bfloat16:
        if not tensor.is_contiguous():
            n_bytes = 2 * tensor.numel()
            require_memory(n_bytes, f"a contiguous copy of a {tuple(tensor.shape)} tensor")
        bits: Array = tensor.contiguous().view(torch.int16).numpy()
        return bits.view(BFLOAT16)
    array: Array = tensor.numpy()
    return array


def array_to_tensor(array: Array) -> torch.Tensor:
    """CPU tensor that shares memory with a writable C-ordered ``array``."""
    import torch

    if array.dtype == BFLOAT16:
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def _open_sparse(matrix: Any, what: str) -> tuple[Biadjacency, Rebuild]:
    import scipy.sparse

    is_sparse: bool = scipy.sparse.issparse(matrix)
    if not is_sparse:
        raise DTypeError(f"{what} must be a scipy sparse matrix, got {type(matrix).__name__}")
    if matrix.dtype.kind not in "fiub":
        raise DTypeError(f"{what}: {refusal(matrix.dtype)}")
    shape = require_matrix_shape(matrix.shape, what)
    if matrix.format == "csr":
        csr = matrix
    else:
        csr = matrix.tocsr()
        _require_unique(matrix, csr.nnz, what)
    if matrix.format == "bsr":
        csr.eliminate_zeros()  # its blocks cannot do without them: no news to the caller
    if not csr.has_sorted_indices:
        csr = csr.copy()
        csr.sort_indices()
    biadjacency = check_csr(shape, csr.data, csr.indptr, csr.indices, what)
    kind = type(matrix)

    def rebuild(result: Biadjacency) -> Any:
        assert result.indptr is not None
        assert result.indices is not None
        out = scipy.sparse.csr_array(
            (result.values, result.indices.copy(), result.indptr.copy()), shape=result.shape
        )
        return kind(out)

    return biadjacency, rebuild


def _require_unique(matrix: Any, n_entries: int, what: str) -> None:
    """tocsr() adds duplicates up silently, and has fewer entries then: find them.

    (Of those formats where it keeps them, `check_csr` does.)
    """
    coo = matrix.tocoo()
    if coo.nnz == n_entries:
        return
    order = np.lexsort((coo.col, coo.row))
    rows, columns = coo.row[order], coo.col[order]
    twice = (rows[1:] == rows[:-1]) & (columns[1:] == columns[:-1])
    if twice.any():
        at = int(np.argmax(twice))
        raise InputError(duplicate_message(what, int(rows[at]), int(columns[at])))


def duplicate_message(what: str, left: int, right: int) -> str:
    """Two entries for one cell: bipnet does not guess whether to add them or to keep one."""
    return (
        f"{what} has more than one entry for [{left}, {right}]; a simple graph has one edge"
        " between two nodes: add duplicates up first (e.g. sum_duplicates())"
    )


def _wide(indices: Array) -> type[np.integer[Any]]:
    return np.int32 if indices.dtype == np.int32 else np.int64


def check_csr(
    shape: tuple[int, int], data: Array, indptr: Array, indices: Array, what: str
) -> Biadjacency:
    """A `Biadjacency` from CSR arrays with sorted columns; drops explicit zeros, with a warning."""
    for part, array in (("data", data), ("indptr", indptr), ("indices", indices)):
        if array.ndim != 1:
            raise InputError(f"{what}: {part} of a CSR matrix must have one dimension")
        if part != "data" and array.dtype.kind not in "iu" and array.size:
            raise InputError(f"{what}: {part} must be integers, got {array.dtype}")
    values = native(data, what)
    # Wide and signed: unsigned differences would wrap around.
    indptr, indices = (part.astype(_wide(part), copy=False) for part in (indptr, indices))
    if (
        len(indptr) != shape[0] + 1
        or indptr[0] != 0
        or indptr[-1] != len(indices)
        or len(indices) != len(values)
        or (np.diff(indptr) < 0).any()
    ):
        raise InputError(f"{what}: indptr, indices and data of this CSR matrix do not fit together")
    if len(indices) and (indices.min() < 0 or indices.max() >= shape[1]):
        raise InputError(f"{what}: a column index lies outside 0..{shape[1] - 1}")
    rows = np.repeat(np.arange(shape[0]), np.diff(indptr))
    if len(indices) > 1:
        step = np.diff(indices.astype(np.int64))
        same_row = rows[1:] == rows[:-1]
        if (same_row & (step == 0)).any():
            at = int(np.argmax(same_row & (step == 0)))
            raise InputError(duplicate_message(what, int(rows[at]), int(indices[at])))
        if (same_row & (step < 0)).any():
            raise InputError(f"{what}: the column indices of a CSR row must be sorted")
    bad = first_nonfinite(values)
    if bad is not None:
        raise InputError(
            f"{what}[{int(rows[bad])}, {int(indices[bad])}] is {values[bad]}:"
            " weights must be finite; clean it first"
        )
    biadjacency = Biadjacency(shape, values, indptr, indices)
    kept = biadjacency.without_zeros()
    if kept is not biadjacency:
        n_dropped = len(values) - kept.n_edges
        zeros = "zero" if n_dropped == 1 else "zeros"
        warn_caller(
            f"{what}: {n_dropped} explicit {zeros} dropped (a zero is no edge)",
            ExplicitZeroWarning,
        )
    return kept


def open_values(values: Any, *, what: str) -> tuple[Array, Callable[[Array], Any]]:
    """Door of the probes, which take arrays of any shape: a flat copy of the values.

    Gives (copy, finish); ``finish(copy)`` puts the changed copy back into the caller's kind of
    container and shape. Of a sparse matrix or graph the copy holds the edges alone, and edges
    that have become zero are gone afterwards.
    """
    tensor = as_tensor(values)
    if tensor is not None:
        array = tensor_to_array(tensor, what)
        shape, device = array.shape, tensor.device
        copy = _flat_copy(array, what)
        return copy, lambda flat: array_to_tensor(flat.reshape(shape)).to(device)
    if hasattr(type(values), "__biadjacency__") or hasattr(values, "tocsr"):
        biadjacency, rebuild = open_matrix(values, what=what)
        inner = biadjacency.values.shape
        copy = biadjacency.values.reshape(-1).copy()
        return copy, lambda flat: rebuild(
            biadjacency.with_values(flat.reshape(inner)).without_zeros()
        )
    array = as_plain_array(values, what)
    shape, dtype = array.shape, array.dtype
    return _flat_copy(array, what), lambda flat: flat.reshape(shape).astype(dtype, copy=False)


def _flat_copy(array: Array, what: str) -> Array:
    require_memory(array.nbytes, f"a copy of {what} {array.shape}")
    values = native(array, what)
    require_finite(values, what)
    return values.reshape(-1).copy()
