"""The one type: an immutable signed, weighted bipartite graph."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from bipnet._biadjacency import Array, Biadjacency, copied
from bipnet._check import check_csr, open_matrix, own_array, require_matrix_shape
from bipnet._memory import require_memory
from bipnet.errors import DTypeError, InputError

if TYPE_CHECKING:
    import scipy.sparse

Side = Literal["left", "right"]
Sign = Literal["+", "-"]

_BLOCK_CELLS = 1 << 20  # weights of one call: Ctrl-C is honoured between calls


class SignedBipartiteGraph:
    """A weight matrix as a signed, weighted bipartite graph. Immutable.

    Row i of the matrix is left node i, column j is right node j. ``W[i, j] > 0`` is a positive
    edge, ``W[i, j] < 0`` a negative edge, a zero (``-0.0`` too) no edge. (Paper, section 3.4.)

    Parameters
    ----------
    W
        (n_left, n_right) matrix: numpy array or nested lists, scipy sparse array (any format),
        torch tensor. float16, bfloat16, float32, float64, integers and booleans are kept
        exactly.
    left_labels, right_labels
        Optional names of the nodes, unique within a side.
    copy
        Keep a copy of the weights of one's own. With False a C-ordered NumPy array is shared
        and must not be changed afterwards.

    Raises
    ------
    InputError
        Not a matrix, no rows or columns, NaN or infinite weights, duplicate entries, labels
        of the wrong number or not unique.
    DTypeError
        Complex, object, text or quantised weights.

    Examples
    --------
    >>> import bipnet
    >>> g = bipnet.SignedBipartiteGraph([[0.5, -1.0, 0.0], [2.0, 0.0, 0.25]])
    >>> g
    SignedBipartiteGraph(n_left=2, n_right=3, n_edges=4, positive_fraction=0.75, dtype=float64)
    >>> g.degrees("left", "+")
    array([1, 2])
    >>> g.strengths("right", "-")
    array([0., 1., 0.])
    """

    _inner: Biadjacency
    _owned: bool
    left_labels: tuple[Any, ...] | None
    right_labels: tuple[Any, ...] | None

    def __init__(
        self,
        W: Any,
        *,
        left_labels: Sequence[Any] | None = None,
        right_labels: Sequence[Any] | None = None,
        copy: bool = True,
    ) -> None:
        inner, _ = open_matrix(W)
        owned = isinstance(W, SignedBipartiteGraph) and W._owned
        if copy and not owned:
            require_memory(inner.values.nbytes, f"a copy of W {inner.shape}")
            inner = _copied(inner)
        if isinstance(W, SignedBipartiteGraph):
            left_labels = W.left_labels if left_labels is None else left_labels
            right_labels = W.right_labels if right_labels is None else right_labels
        self._freeze(
            inner,
            _checked_labels(left_labels, inner.shape[0], "left"),
            _checked_labels(right_labels, inner.shape[1], "right"),
            own=copy or owned,
        )

    def _freeze(
        self,
        inner: Biadjacency,
        left_labels: tuple[Any, ...] | None,
        right_labels: tuple[Any, ...] | None,
        *,
        own: bool = True,
    ) -> None:
        """Take the parts; ``own`` says that nobody else holds the arrays."""

        def read_only(array: Array) -> Array:
            if own and array.flags.writeable:
                _lock(array)
            view: Array = array.view()
            view.flags.writeable = False
            return view

        inner = Biadjacency(
            inner.shape,
            read_only(inner.values),
            None if inner.indptr is None else read_only(inner.indptr),
            None if inner.indices is None else read_only(inner.indices),
        )
        fields = {"_inner": inner, "left_labels": left_labels, "right_labels": right_labels}
        self.__dict__.update(fields, _owned=own)

    @classmethod
    def from_csr(
        cls,
        data: npt.ArrayLike,
        indices: npt.ArrayLike,
        indptr: npt.ArrayLike,
        shape: tuple[int, int],
    ) -> SignedBipartiteGraph:
        """A sparse graph from CSR arrays: the way in for float16 and bfloat16.

        (scipy.sparse has no such dtypes.) Columns of a row must be sorted and unique.

        Raises
        ------
        InputError
            Arrays that do not fit together; NaN or infinite weights; duplicate entries.
        DTypeError
            A dtype that is no weight.

        Examples
        --------
        >>> import numpy as np
        >>> SignedBipartiteGraph.from_csr(np.float16([1, -2]), [0, 1], [0, 1, 2], (2, 2)).n_edges
        2
        """
        inner = check_csr(
            require_matrix_shape(shape, "the graph"),
            own_array(data, "data"),
            own_array(indptr, "indptr"),
            own_array(indices, "indices"),
            "the graph",
        )
        graph = cls.__new__(cls)
        graph._freeze(inner, None, None)
        return graph

    # -- protocol of the door (bipnet._check) ------------------------------------------------

    def __biadjacency__(self) -> Biadjacency:
        return self._inner

    def __with_biadjacency__(self, inner: Biadjacency) -> SignedBipartiteGraph:
        """A graph on the same, equally labelled nodes with other edges (already checked)."""
        graph = type(self).__new__(type(self))
        if inner.is_sparse and not self._owned:  # the pattern may still be the caller's
            inner = _copied(inner)
        graph._freeze(inner, self.left_labels, self.right_labels)
        return graph

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a SignedBipartiteGraph is immutable: cannot set {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a SignedBipartiteGraph is immutable: cannot delete {name}")

    def __reduce__(self) -> tuple[Any, ...]:
        inner = self._inner if self._owned else _copied(self._inner)
        return _restored, (inner, self.left_labels, self.right_labels)

    # -- size --------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, int]:
        """(n_left, n_right)."""
        return self._inner.shape

    @property
    def n_left(self) -> int:
        """Number of left nodes (rows, inputs)."""
        return self._inner.shape[0]

    @property
    def n_right(self) -> int:
        """Number of right nodes (columns, outputs)."""
        return self._inner.shape[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """dtype of the weights."""
        return self._inner.dtype

    @property
    def is_sparse(self) -> bool:
        """Whether the weights are held as CSR."""
        return self._inner.is_sparse

    @property
    def n_edges(self) -> int:
        """Number of non-zero weights."""
        return int(self._index["left_degrees"].sum())

    @property
    def density(self) -> float:
        """Share of the node pairs that have an edge."""
        return self.n_edges / (self.n_left * self.n_right)

    @property
    def positive_fraction(self) -> float:
        """alpha, the share of positive edges (paper, Table 1); 0.0 in a graph without edges."""
        positive = int(self._index["left_degrees"][0].sum())
        return positive / self.n_edges if self.n_edges else 0.0

    # -- indices -----------------------------------------------------------------------------

    def degrees(self, side: Side, sign: Sign | None = None) -> npt.NDArray[np.int64]:
        """k+ or k- of every node of one side (both together without ``sign``).

        Parameters
        ----------
        side
            "left" or "right".
        sign
            "+", "-", or None for the number of all edges.

        Returns
        -------
        (n_left,) or (n_right,) int64, read-only.
        """
        return self._index_of("degrees", side, sign)

    def strengths(self, side: Side, sign: Sign | None = None) -> npt.NDArray[np.float64]:
        """s+ or s- of every node of one side: the sum of |w| over its edges of that sign.

        s- is positive too (paper, section 3.4). Sums are float64 in row-major order, so dense
        and CSR give the same bits.

        Parameters
        ----------
        side
            "left" or "right".
        sign
            "+", "-", or None for the sum over all edges.

        Returns
        -------
        (n_left,) or (n_right,) float64, read-only.
        """
        return self._index_of("strengths", side, sign)

    def _index_of(self, kind: str, side: Side, sign: Sign | None) -> npt.NDArray[Any]:
        if side not in ("left", "right"):
            raise InputError(f"side must be 'left' or 'right', got {side!r}")
        if sign not in ("+", "-", None):
            raise InputError(f"sign must be '+', '-' or None (both), got {sign!r}")
        both = self._index[f"{side}_{kind}"]
        with np.errstate(over="ignore"):  # infinite, as the sum of a single sign would be
            chosen: npt.NDArray[Any] = (
                both.sum(axis=0) if sign is None else both[0 if sign == "+" else 1]
            )
        chosen.flags.writeable = False
        return chosen

    @cached_property
    def _index(self) -> dict[str, npt.NDArray[Any]]:
        """All degree and strength indices, (2, n) each, filled in one pass over the weights."""
        from bipnet_kernels import index_edges, index_rows

        index: dict[str, npt.NDArray[Any]] = {}
        for side, n in (("left", self.n_left), ("right", self.n_right)):
            index[f"{side}_degrees"] = np.zeros((2, n), dtype=np.int64)
            index[f"{side}_strengths"] = np.zeros((2, n), dtype=np.float64)
        out = tuple(
            index[f"{side}_{kind}"]
            for kind in ("degrees", "strengths")
            for side in ("left", "right")
        )
        inner = self._inner
        direct = inner.dtype in (np.dtype(np.float32), np.dtype(np.float64))
        if inner.is_sparse:
            weights = inner.values if direct else inner.values.astype(np.float64)
            index_edges(inner.edge_rows, inner.edge_columns, weights, *out)
        else:
            step = max(1, _BLOCK_CELLS // self.n_right)
            for first in range(0, self.n_left, step):
                rows = inner.values[first : first + step]
                block = rows if direct else rows.astype(np.float64)
                index_rows(block, self.n_right, first, *out)
        for array in out:
            _lock(array)
        return index

    # -- the weights themselves --------------------------------------------------------------

    @property
    def weights(self) -> Array | scipy.sparse.csr_array[Any]:
        """The (n_left, n_right) weights: a read-only array, or a scipy csr_array if sparse."""
        return self.to_scipy() if self.is_sparse else self._inner.values

    def to_array(self) -> Array:
        """The (n_left, n_right) weights as a dense array; read-only if the graph is dense."""
        if self.is_sparse:
            size = self.n_left * self.n_right * self.dtype.itemsize
            require_memory(size, f"a dense array of {self.n_left} x {self.n_right}")
        return self._inner.dense_values()

    def to_scipy(self) -> scipy.sparse.csr_array[Any]:
        """The weights as a scipy ``csr_array`` without explicit zeros (a copy).

        Raises
        ------
        DTypeError
            float16 or bfloat16 weights: scipy.sparse cannot hold them (use `edges`).
        """
        import scipy.sparse

        if self.dtype.itemsize == 2 and self.dtype.kind not in "iu":
            raise DTypeError(
                f"scipy.sparse cannot hold {self.dtype}; use edges(), or convert the weights"
                " to float32 first"
            )
        rows, columns, weights = self.edges()
        indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=self.n_left))])
        return scipy.sparse.csr_array((weights, columns, indptr), shape=self.shape)

    def edges(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Array]:
        """(left node, right node, weight) of every edge in row-major order: (n_edges,) each."""
        inner = self._inner
        weights = inner.edge_words.view(inner.dtype)
        return inner.edge_rows.copy(), inner.edge_columns.copy(), weights.copy()

    def checksum(self) -> str:
        """SHA-256 of the edges (shape, dtype, places, weights, bit for bit); hexadecimal.

        The same for a dense and a CSR graph of the same edges. Labels do not count.
        """
        inner = self._inner
        digest = hashlib.sha256(f"{self.shape} {self.dtype.name} {inner.n_edges}\n".encode())
        full = inner.n_edges == self.n_left * self.n_right  # then the places say nothing new
        words = inner.edge_words
        for first in range(0, words.size, _BLOCK_CELLS):
            _add_to(digest, words[first : first + _BLOCK_CELLS])
        for first in range(0, 0 if full else words.size, _BLOCK_CELLS):
            part = slice(first, first + _BLOCK_CELLS)
            _add_to(digest, inner.edge_rows[part] * self.n_right + inner.edge_columns[part])
        return digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        """Same nodes, labels, dtype and edges, bit for bit (dense and CSR may be equal)."""
        if not isinstance(other, SignedBipartiteGraph):
            return NotImplemented
        return (
            self.shape == other.shape
            and self.dtype == other.dtype
            and self.left_labels == other.left_labels
            and self.right_labels == other.right_labels
            and self.checksum() == other.checksum()
        )

    def __hash__(self) -> int:
        return hash((self.shape, self.dtype.name, self.checksum()))

    def __repr__(self) -> str:
        return (
            f"SignedBipartiteGraph(n_left={self.n_left}, n_right={self.n_right},"
            f" n_edges={self.n_edges}, positive_fraction={self.positive_fraction:.4g},"
            f" dtype={self.dtype.name}{', sparse' if self.is_sparse else ''})"
        )


def as_graph(W: Any) -> SignedBipartiteGraph:
    """A graph as it is, or that of a matrix, which is not copied: to read from."""
    return W if isinstance(W, SignedBipartiteGraph) else SignedBipartiteGraph(W, copy=False)


def _add_to(digest: hashlib._Hash, numbers: Array) -> None:
    """Little-endian on every machine."""
    digest.update(numbers.astype(numbers.dtype.newbyteorder("<"), copy=False).data)


def _copied(inner: Biadjacency) -> Biadjacency:
    """The same weights and pattern in arrays that nobody else holds."""
    return Biadjacency(
        inner.shape,
        copied(inner.values),
        None if inner.indptr is None else inner.indptr.copy(),
        None if inner.indices is None else inner.indices.copy(),
    )


def _lock(array: Array) -> None:
    """Make an array read-only for good: its memory's owner too, so that no view can undo it."""
    part: Any = array
    while isinstance(part, np.ndarray):
        part.flags.writeable = False
        part = part.base


def _restored(
    inner: Biadjacency,
    left_labels: tuple[Any, ...] | None,
    right_labels: tuple[Any, ...] | None,
) -> SignedBipartiteGraph:
    graph = SignedBipartiteGraph.__new__(SignedBipartiteGraph)
    graph._freeze(inner, left_labels, right_labels)
    return graph


def _checked_labels(labels: Sequence[Any] | None, n: int, side: str) -> tuple[Any, ...] | None:
    if labels is None:
        return None
    try:
        labels = tuple(labels)
    except TypeError:
        raise InputError(f"{side}_labels must be a list of {n} labels, got {labels!r}") from None
    if len(labels) != n:
        raise InputError(f"{side}_labels must name all {n} {side} nodes, got {len(labels)}")
    try:
        n_different = len(set(labels))
    except TypeError:
        raise InputError(f"{side}_labels must be texts or numbers that can be compared") from None
    if n_different != n:
        twice = next(label for label in labels if labels.count(label) > 1)
        raise InputError(f"{side}_labels must be unique, but {twice!r} stands there twice")
    return labels
