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

from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from bipnet.errors import InputError

Array = npt.NDArray[Any]
Layout = Literal[
    "left-right", "right-left", "conv", "conv-transposed", "stack-right-left", "stack-left-right"
]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)


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


def _require_fit(shape: tuple[int, ...], layout: Layout, groups: int) -> None:
    n_dims = len(shape)
    wanted = {"left-right": (2, 2), "right-left": (2, 2), "conv": (3, 5), "conv-transposed": (3, 5)}
    low, high = wanted.get(layout, (3, 3))
    if not low <= n_dims <= high:
        raise InputError(f"a tensor of layout {layout!r} cannot have shape {shape}")
    if shape[0] % groups:
        raise InputError(f"{shape[0]} channels cannot be cut into {groups} groups")
