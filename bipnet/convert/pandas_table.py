"""pandas: a table with a row per edge. The one module of this room that names pandas."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bipnet._bits import BFLOAT16
from bipnet.convert.assembly import Ints, graph_of_edges, labelled_sides, parts_of
from bipnet.errors import DTypeError, InputError, MissingExtraError
from bipnet.graph import SignedBipartiteGraph

if TYPE_CHECKING:
    import pandas

INSTALL = "pip install 'bipnet[experiments]'"


def to_pandas(
    W: Any,
    *,
    left_labels: Sequence[Any] | None = None,
    right_labels: Sequence[Any] | None = None,
) -> pandas.DataFrame:
    """A table of the edges; `from_pandas` gives the graph back bit for bit.

    Columns ``left`` and ``right`` (categorical: their categories are all nodes in order, isolated
    ones too; of a side without labels its numbers from 0), ``weight`` (in its own dtype;
    bfloat16, which pandas does not know, as float32) and ``sign`` (1 or -1). ``attrs``, which
    Parquet keeps, has ``dtype``, ``labels`` (the sides that have labels) and ``shape``.

    Parameters
    ----------
    W
        A matrix in any accepted container, or a `SignedBipartiteGraph`.
    left_labels, right_labels
        Names of the nodes; of a graph, instead of its own.

    Raises
    ------
    InputError
        A label None or NaN, which pandas takes for a missing one.
    MissingExtraError
        pandas is not installed.

    Examples
    --------
    >>> print(to_pandas([[0.5, 0.0], [0.0, -2.0]], left_labels="ab", right_labels="xy"))
      left right  weight  sign
    0    a     x     0.5     1
    1    b     y    -2.0    -1
    """
    pd = _pandas()
    parts = parts_of(W, left_labels, right_labels)
    right = parts.right if "right" in parts.labels.split() else list(range(len(parts.right)))
    dtype = np.dtype(parts.dtype)
    weights = parts.weights.astype(np.float32 if dtype == BFLOAT16 else dtype)
    table: pandas.DataFrame = pd.DataFrame(
        {
            "left": pd.Categorical.from_codes(parts.rows, _categories(parts.left, "left")),
            "right": pd.Categorical.from_codes(parts.columns, _categories(right, "right")),
            "weight": weights,
            "sign": parts.signs,
        }
    )
    shape = [len(parts.left), len(right)]
    table.attrs |= {"dtype": parts.dtype, "labels": parts.labels, "shape": shape}
    return table


def from_pandas(
    table: pandas.DataFrame,
    left: str = "left",
    right: str = "right",
    weight: str | None = "weight",
    sign: str | None = None,
    *,
    left_nodes: Sequence[Any] | None = None,
    right_nodes: Sequence[Any] | None = None,
    dtype: Any = None,
) -> SignedBipartiteGraph:
    """The graph of a table with a row per edge.

    Parameters
    ----------
    table
        Rows are counted from 0 in messages, whatever its index.
    left, right
        Columns with the ends. The nodes of a side are ``left_nodes`` (``right_nodes``) if given;
        the categories of a categorical column, isolated ones too; else the values as they first
        appear.
    weight
        Column with the weight. None: every edge has weight 1.
    sign
        Column with 1, -1, "+" or "-"; weights are magnitudes then. None: weights have their
        sign, which a column ``sign`` may not contradict.
    left_nodes, right_nodes
        All nodes of a side, in order: also those without an edge.
    dtype
        Of the weights. None: what ``table.attrs["dtype"]`` says; without it that of the column.

    Raises
    ------
    InputError
        Names the column that is not there or has lost nodes, or the row whose end is missing
        or not among the nodes, that repeats an edge, or whose weight is missing, zero, not
        finite, not exact in the dtype, or contradicts its sign.
    DTypeError
        Something else than a DataFrame.
    MissingExtraError
        pandas is not installed.

    Examples
    --------
    >>> import pandas
    >>> table = pandas.DataFrame({"left": ["a", "b"], "right": ["x", "x"], "weight": [1.5, -2.0]})
    >>> g = from_pandas(table, left_nodes=["a", "b", "alone"])
    >>> g.left_labels, g.degrees("left")
    (('a', 'b', 'alone'), array([1, 1, 0]))
    """
    pd = _pandas()
    if not isinstance(table, pd.DataFrame):
        raise DTypeError(f"wanted a pandas DataFrame, got {type(table).__name__}")
    for name in (left, right, weight, sign):
        if name is not None and list(table.columns).count(name) != 1:
            there = "is there more than once" if name in table.columns else "is not there"
            raise InputError(f"column {name!r} {there}; the table has {list(table.columns)}")
    labels = labelled_sides(table.attrs.get("labels"))
    known = [
        _remembered(table, name, side, axis, labels) if nodes is None else list(nodes)
        for axis, (side, name, nodes) in enumerate(
            [("left", left, left_nodes), ("right", right, right_nodes)]
        )
    ]
    rows, left_names = _nodes(table[left], "left", left, known[0])
    columns, right_names = _nodes(table[right], "right", right, known[1])

    def edge(k: int) -> str:
        return f"row {k}: the edge {left_names[rows[k]]!r} - {right_names[columns[k]]!r}"

    claimed = "sign" if sign is None and "sign" in table.columns else sign
    return graph_of_edges(
        (len(left_names), len(right_names)),
        rows,
        columns,
        None if weight is None else _numbers(table[weight]),
        edge,
        signs=None if claimed is None else _plain(table[claimed]),
        magnitudes=sign is not None,
        dtype=table.attrs.get("dtype") if dtype is None else dtype,
        left_labels=left_names if left_nodes is not None or "left" in labels else None,
        right_labels=right_names if right_nodes is not None or "right" in labels else None,
    )


def _pandas() -> Any:
    try:
        import pandas
    except ImportError as error:
        raise MissingExtraError(f"this needs pandas: {INSTALL}") from error
    return pandas


def _categories(labels: list[Any], side: str) -> Any:
    """An index of just these labels: pandas itself would make floats of [1, 1.5]."""
    for label in labels:
        if label is None or label != label:
            raise InputError(
                f"a {side} label is {label}, which pandas takes for a missing one: rename it"
            )
    if all(type(label) is int and -(1 << 63) <= label < 1 << 63 for label in labels):
        return _pandas().Index(np.array(labels, dtype=np.int64))
    objects = np.empty(len(labels), dtype=object)
    objects[:] = labels
    return _pandas().Index(objects, dtype=object, tupleize_cols=False)


def _plain(column: Any) -> list[Any]:
    """Python's own values; None where one is missing."""
    values, missing = column.tolist(), column.isna().tolist()
    return [None if gone else value for value, gone in zip(values, missing, strict=True)]


def _numbers(column: Any) -> Any:
    if isinstance(column.dtype, np.dtype) and column.dtype != object:
        return column.to_numpy()
    # pandas' own dtypes (Float32, Int8, float[pyarrow]) are as wide as the one they name.
    width = getattr(column.dtype, "numpy_dtype", None)
    if isinstance(width, np.dtype) and width.kind in "fiub" and not column.isna().any():
        return column.to_numpy(dtype=width)
    return _plain(column)


def _remembered(table: Any, name: str, side: str, axis: int, labels: list[str]) -> list[Any] | None:
    """All nodes of a side, if the table itself knows them."""
    shape = table.attrs.get("shape")
    if shape is not None and not (
        isinstance(shape, (list, tuple)) and len(shape) == 2 and all(type(n) is int for n in shape)
    ):
        raise InputError(
            f"table.attrs['shape'] is {shape!r}; wanted the numbers of left and right nodes, as"
            " to_pandas notes them: remove it"
        )
    if hasattr(table[name].dtype, "categories"):
        categories: list[Any] = table[name].dtype.categories.tolist()
        if shape is None or len(categories) == shape[axis]:
            return categories
    if shape is None:
        return None
    if side not in labels:
        return list(range(shape[axis]))
    raise InputError(
        f"column {name!r} was made of {shape[axis]} nodes, but has lost their order or those"
        " without an edge (Parquet keeps categories of text alone, and none of an empty table):"
        f" name all with {side}_nodes, or forget them with table.attrs.clear()"
    )


def _nodes(column: Any, side: str, name: str, nodes: list[Any] | None) -> tuple[Ints, list[Any]]:
    """Number of each row's node, and all nodes in order."""
    values = _plain(column)
    names = nodes
    for k, value in enumerate(values):
        if not isinstance(value, Hashable):
            raise InputError(f"row {k}: {name} is {value!r}; nodes have texts or numbers for names")
    for value in names or ():
        if not isinstance(value, Hashable):
            raise InputError(f"{value!r} among the {side} nodes is no name: wanted text or number")
    if names is None:
        names = list(dict.fromkeys(value for value in values if value is not None))
    number = {label: k for k, label in enumerate(names)}
    found = np.empty(len(values), dtype=np.int64)
    for k, value in enumerate(values):
        if value is None:
            raise InputError(f"row {k}: {name} is missing")
        if value not in number:
            raise InputError(f"row {k}: {name} is {value!r}, which is not among the {side} nodes")
        found[k] = number[value]
    return found, names
