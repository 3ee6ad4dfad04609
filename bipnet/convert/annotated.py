"""AnnData: a matrix with names of rows (``obs``) and columns (``var``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bipnet._bits import BFLOAT16
from bipnet.convert.assembly import labelled_sides, library
from bipnet.errors import DTypeError, InputError
from bipnet.graph import SignedBipartiteGraph

INSTALL = "pip install 'bipnet[anndata]'"


def from_anndata(adata: Any, layer: str | None = None) -> SignedBipartiteGraph:
    """The graph of an AnnData-like object: observations are left nodes, variables right ones.

    Parameters
    ----------
    adata
        Anything with ``X`` (a matrix), ``obs_names`` and ``var_names``; anndata itself is not
        needed.
    layer
        Name of the matrix in ``adata.layers`` to take instead of ``X``.

    Raises
    ------
    InputError
        No such layer, no matrix; names that are not unique; what a matrix may not be.
    DTypeError
        Something without these attributes.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> data = SimpleNamespace(X=[[1.0, -2.0]], obs_names=["cell"], var_names=["gene1", "gene2"])
    >>> from_anndata(data).right_labels
    ('gene1', 'gene2')
    """
    for name in ("X", "obs_names", "var_names"):
        if not hasattr(adata, name):
            raise DTypeError(
                f"wanted an AnnData-like object (X, obs_names, var_names), got"
                f" {type(adata).__name__} without {name}"
            )
    if layer is None:
        X = adata.X
    else:
        layers = getattr(adata, "layers", {})
        if layer not in layers:
            raise InputError(f"there is no layer {layer!r}; there are {sorted(layers) or 'none'}")
        X = layers[layer]
    if X is None:
        raise InputError("X is None: name the layer whose matrix is wanted")
    labels = labelled_sides(getattr(adata, "uns", {}).get("bipnet_labels"))
    for side, names in (("left", adata.obs_names), ("right", adata.var_names)):
        named = next((name for name in names if not str(name).isdecimal()), None)
        if side not in labels and named is not None:
            raise InputError(
                f"uns['bipnet_labels'] says that the {side} nodes have no names, but one is"
                f" {named!r}: it was written before .T or a change of names; remove it, or let it"
                " name the sides that have labels ('left right', 'left', 'right')"
            )
    return SignedBipartiteGraph(
        X,
        left_labels=list(adata.obs_names) if "left" in labels else None,
        right_labels=list(adata.var_names) if "right" in labels else None,
    )


def to_anndata(
    W: Any,
    *,
    left_labels: Sequence[str] | None = None,
    right_labels: Sequence[str] | None = None,
) -> Any:
    """An ``anndata.AnnData``; `from_anndata` gives it back bit for bit.

    Left nodes are observations, right nodes variables; a side without labels is numbered
    ("0", "1", ...), which ``uns["bipnet_labels"]`` notes. ``X`` is CSR if the graph is sparse.

    Parameters
    ----------
    W
        A matrix in any accepted container, or a `SignedBipartiteGraph`.
    left_labels, right_labels
        Names of the nodes, texts; of a graph, instead of its own.

    Raises
    ------
    InputError
        Labels that are no texts.
    DTypeError
        bfloat16 weights, or sparse float16 ones: AnnData cannot hold them.
    MissingExtraError
        anndata is not installed.
    """
    anndata = library("anndata", INSTALL)
    graph = SignedBipartiteGraph(W, left_labels=left_labels, right_labels=right_labels, copy=False)
    if graph.dtype == BFLOAT16:
        raise DTypeError("AnnData cannot hold bfloat16; convert the weights to float32 first")
    names = []
    labelled = []
    for side, labels, n in (
        ("left", graph.left_labels, graph.n_left),
        ("right", graph.right_labels, graph.n_right),
    ):
        for label in labels or ():
            if not isinstance(label, str):
                raise InputError(
                    f"names of AnnData are texts, but a {side} label is {label!r}: pass"
                    f" {side}_labels=[str(label) for label in ...]"
                )
        labelled += [side] if labels is not None else []
        names.append(list(map(str, range(n) if labels is None else labels)))
    X = graph.to_scipy() if graph.is_sparse else np.array(graph.to_array())
    adata = anndata.AnnData(X)
    adata.obs_names, adata.var_names = names
    adata.uns["bipnet_labels"] = " ".join(labelled) or "none"
    return adata
