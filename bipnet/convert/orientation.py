"""Which axes of a layer's tensor are left and right nodes: the only place that transposes.

====================  ================================  ==============================
layout                tensor                            matrix (left nodes as rows)
====================  ================================  ==============================
``left-right``        (left, right): arrays,            the tensor itself
                      embeddings, HF ``Conv1D``
``right-left``        (out, in): ``nn.Linear``          its transpose
``conv``              (out, in/groups, *kernel)         per group: (in/groups * kernel,
                                                        out/groups)
``conv-transposed``   (in, out/groups, *kernel)         per group: (in/groups,
                                                        out/groups * kernel)
``stack-right-left``  (n, out, in): stacked experts     n transposed matrices
``stack-left-right``  (n, in, out)                      n matrices
====================  ================================  ==============================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from bipnet._memory import CACHE_LINE, goes_past_caches, new_array
from bipnet.errors import InputError

Array = npt.NDArray[Any]
Layout = Literal[
    "left-right", "right-left", "conv", "conv-transposed", "stack-right-left", "stack-left-right"
]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)

_WORTH_A_KERNEL = 1 << 16  # words below which NumPy is done before a kernel is loaded


@dataclass(frozen=True)
class Placement:
    """How one piece lies in its tensor: rows on end, which are left nodes or right ones.

    Attributes
    ----------
    first
        How many words of the tensor come before it.
    n_rows, n_columns
        Its rows, one after the other.
    transposed
        Whether the rows are right nodes.
    """

    first: int
    n_rows: int
    n_columns: int
    transposed: bool

    @property
    def n_words(self) -> int:
        return self.n_rows * self.n_columns

    @property
    def shape(self) -> tuple[int, int]:
        """(n_left, n_right) of the matrix."""
        n_left, n_right = self.n_rows, self.n_columns
        return (n_right, n_left) if self.transposed else (n_left, n_right)


def n_pieces(shape: tuple[int, ...], layout: Layout, groups: int = 1) -> int:
    """How many bipartite graphs a tensor is: its groups, its stacked matrices, or one."""
    return shape[0] if layout.startswith("stack") else groups


def to_matrix(tensor: Array, layout: Layout, groups: int = 1, piece: int = 0) -> Array:
    """The (n_left, n_right) matrix of one piece of a tensor: a view where possible.

    Raises
    ------
    InputError
        A tensor whose dimensions do not fit the layout or the groups.

    Examples
    --------
    >>> import numpy as np
    >>> to_matrix(np.arange(6).reshape(2, 3), "right-left").shape
    (3, 2)
    >>> to_matrix(np.zeros((8, 2, 3, 3)), "conv", groups=2, piece=1).shape
    (18, 4)
    """
    _require_fit(tensor.shape, layout, groups)
    if layout == "left-right":
        return tensor
    if layout == "right-left":
        return tensor.T
    if layout.startswith("stack"):
        matrix: Array = tensor[piece]
        return matrix.T if layout == "stack-right-left" else matrix
    width = tensor.shape[0] // groups
    part = tensor[piece * width : (piece + 1) * width].reshape(width, -1)
    return part.T if layout == "conv" else part


def put_matrix(
    tensor: Array, matrix: Array, layout: Layout, groups: int = 1, piece: int = 0
) -> None:
    """Write one piece back into the C-ordered ``tensor``, in place: undoes `to_matrix`."""
    _require_fit(tensor.shape, layout, groups)
    view = to_matrix(tensor, layout, groups, piece)
    if not np.shares_memory(view, tensor):
        raise InputError("the tensor to write into must be C-ordered")
    if view.shape != matrix.shape:
        raise InputError(f"the matrix must be {view.shape} (left, right), got {matrix.shape}")
    view[...] = matrix


def placement(shape: tuple[int, ...], layout: Layout, groups: int = 1, piece: int = 0) -> Placement:
    """Where one piece of a C-ordered tensor lies: what `to_matrix` gives, without the tensor.

    Raises
    ------
    InputError
        A tensor whose dimensions do not fit the layout or the groups.

    Examples
    --------
    >>> placement((8, 2, 3, 3), "conv", groups=2, piece=1)
    Placement(first=72, n_rows=4, n_columns=18, transposed=True)
    """
    _require_fit(shape, layout, groups)
    if layout.startswith("stack"):
        n_rows, n_columns = shape[1:]
    else:
        n_rows = shape[0] // groups
        n_columns = int(np.prod(shape[1:]))
    transposed = layout in ("right-left", "conv", "stack-right-left")
    return Placement(piece * n_rows * n_columns, n_rows, n_columns, transposed)


def put_rows(matrix: Array, rows: Array, first: int, *, transposed: bool) -> None:
    """Write a run of a tensor's rows, from row ``first`` on, into its (n_left, n_right) matrix.

    Both are C-ordered and of one dtype. Other threads may write other rows meanwhile.
    """
    if not transposed:
        matrix[first : first + len(rows)] = rows
    elif rows.size < _WORTH_A_KERNEL:
        matrix[:, first : first + len(rows)] = rows.T
    else:
        from bipnet_kernels import transpose_block

        n_rows, n_columns = rows.shape
        past_caches = goes_past_caches(matrix, first, matrix.shape[1])
        transpose_block(
            _words(rows), 0, n_columns, _words(matrix), first, matrix.shape[1],
            n_rows, n_columns, n_rows, past_caches,
        )  # fmt: skip


def get_rows(matrix: Array, rows: Array, first: int, *, transposed: bool) -> None:
    """Fill ``rows`` with a run of a tensor's rows from its matrix: undoes `put_rows`."""
    if not transposed:
        rows[...] = matrix[first : first + len(rows)]
    elif rows.size < _WORTH_A_KERNEL:
        rows[...] = matrix[:, first : first + len(rows)].T
    else:
        from bipnet_kernels import transpose_block

        n_rows, n_columns = rows.shape
        transpose_block(
            _words(matrix), first, matrix.shape[1], _words(rows), 0, n_columns,
            n_columns, n_rows, CACHE_LINE // rows.itemsize, False,
        )  # fmt: skip


def own_matrix(tensor: Array, layout: Layout, groups: int = 1, piece: int = 0) -> Array:
    """`to_matrix` as a C-ordered copy."""
    view = to_matrix(tensor, layout, groups, piece)
    if not view.T.flags.c_contiguous or not view.dtype.isnative or view.dtype.itemsize > 8:
        return np.array(view, order="C")
    matrix = new_array(view.shape, view.dtype)
    put_rows(matrix, view.T, 0, transposed=True)
    return matrix


def _words(array: Array) -> Array:
    """A C-ordered array as the flat words that kernels move."""
    return array.reshape(-1).view(f"u{array.dtype.itemsize}")


def _require_fit(shape: tuple[int, ...], layout: Layout, groups: int) -> None:
    n_dims = len(shape)
    wanted = {"left-right": (2, 2), "right-left": (2, 2), "conv": (3, 5), "conv-transposed": (3, 5)}
    low, high = wanted.get(layout, (3, 3))
    if not low <= n_dims <= high:
        raise InputError(f"a tensor of layout {layout!r} cannot have shape {shape}")
    if shape[0] % groups:
        raise InputError(f"{shape[0]} channels cannot be cut into {groups} groups")
