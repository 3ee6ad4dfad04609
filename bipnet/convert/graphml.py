"""GraphML: one signed bipartite graph with labels, as networkx, igraph and graph-tool know it.

Read and written here and not by networkx, so that no other library is needed, hexadecimal numbers
are understood, and a randomised file keeps every attribute bipnet knows nothing of. Nodes have
``bipartite`` 0 (left) or 1 (right; igraph's ``type`` false or true will do) and perhaps a
``label`` (or igraph's ``name``; of labels of several types, texts, ``label_type`` says which is
what), edges ``weight`` and ``sign``, the graph ``dtype``, ``labels`` (the sides that have labels)
and ``label`` (the attribute that holds them, for `from_networkx`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from bipnet._memory import require_memory
from bipnet.convert.assembly import LABEL_TYPE, Ints, Nodes, labelled_sides, parts_of, typed_label
from bipnet.convert.single import SingleMatrixSource
from bipnet.convert.source import naming, reading
from bipnet.errors import DTypeError, InputError
from bipnet.graph import SignedBipartiteGraph

_NAMESPACE = "http://graphml.graphdrawing.org/xmlns"
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}
_LABEL_TYPES = {str: "string", bool: "boolean", int: "long", float: "double"}
_NUMBERS = ("int", "long", "short", "float", "double")
_SIDE, _LABEL = ("bipartite", "type"), ("label", "name")

Attributes = dict[str, Any]


@dataclass(frozen=True)
class _Key:
    """A declared attribute: of what, its name and type, and the value where none is given."""

    of: str
    name: str
    kind: str
    default: str | None

    def value(self, text: str) -> Any:
        if self.kind == "string":
            return text
        text = text.strip()
        if "_" in text and self.kind in _NUMBERS:
            # Python would read 1_000; nobody else does.
            raise ValueError(f"{self.name} is {text!r}, which is no number")
        if self.kind in ("float", "double"):
            # graph-tool calls double precision float, and other tools write hexadecimal numbers.
            return float.fromhex(text) if "x" in text.lower() else float(text)
        if self.kind == "boolean":
            if text.lower() not in _BOOLEANS:
                raise ValueError(f"{self.name} is {text!r}, which is neither true nor false")
            return _BOOLEANS[text.lower()]
        if self.kind in ("int", "long", "short"):
            return int(text)
        return text  # a type of some tool's own


@dataclass
class _Content:
    """What has been read so far."""

    keys: dict[str, _Key] = field(default_factory=dict)
    defaults: dict[str, Attributes] = field(default_factory=dict)
    graph: Attributes = field(default_factory=dict)
    directed: bool = False
    nodes: dict[str, Attributes] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    weights: list[Any] = field(default_factory=list)
    signs: list[Any] = field(default_factory=list)

    def declares(self, of: str, name: str) -> bool:
        return any(key.name == name and key.of in (of, "all") for key in self.keys.values())

    def declare(self, name: str, key: _Key) -> None:
        self.keys[name] = key
        if key.default is not None:
            for of in ("graph", "node", "edge") if key.of == "all" else (key.of,):
                self.defaults.setdefault(of, {})[key.name] = key.value(key.default)

    def attributes(self, of: str, element: Iterable[ElementTree.Element]) -> Attributes:
        found = dict(self.defaults.get(of, {}))
        seen = set()
        for data in element:
            if _tag(data) != "data":
                continue
            name = data.get("key", "")
            key = self.keys.get(name)
            if key is None:
                raise ValueError(f"{of} data of a key {name!r} that is not declared")
            if name in seen:
                raise ValueError(f"one {of} has data of the key {name!r} twice: keep one")
            seen.add(name)
            if len(data) == 0:  # else drawings of some tool
                found[key.name] = key.value(data.text or "")
        return found


def open_graphml(path: Path) -> SingleMatrixSource:
    """Open a GraphML file with one undirected bipartite graph.

    Weights have the dtype that the graph's ``dtype`` names, else int64 if all are whole numbers,
    else float64.

    Raises
    ------
    FileFormatError
        No GraphML; a directed, nested or hyper-graph, or several.
    InputError
        What `bipnet.convert.from_networkx` refuses, with the node or edge named.
    """
    with naming(path):
        require_memory(2 * path.stat().st_size, f"reading {path}")
        with reading(path, "GraphML file"), path.open("rb") as file:
            content = _read(file)
        graph, rows, columns = _graph(content)

    def save(drawn: SignedBipartiteGraph, to: Path) -> None:
        _rewrite(path, to, content, _weights_at(drawn, rows, columns))

    return SingleMatrixSource(path, "GraphML", graph, save)


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _read(file: Any) -> _Content:
    content = _Content()
    depth: list[ElementTree.Element] = []
    n_graphs = 0
    for event, element in ElementTree.iterparse(file, events=("start", "end")):
        tag = _tag(element)
        if event == "start":
            if not depth and tag != "graphml":
                raise ValueError(f"it begins with <{tag}>, not with <graphml>")
            if tag == "graph":
                n_graphs += 1
                if len(depth) > 1 or n_graphs > 1:
                    raise ValueError("it holds several or nested graphs, and one is wanted")
                content.directed = element.get("edgedefault") == "directed"
            depth.append(element)
            continue
        depth.pop()
        _take(content, tag, element, _tag(depth[-1]) if depth else "")
        if depth and tag in ("node", "edge"):
            depth[-1].clear()  # else the whole file would be kept
    if not n_graphs:
        raise ValueError("it holds no graph")
    return content


def _take(content: _Content, tag: str, element: ElementTree.Element, parent: str) -> None:
    if tag == "key":
        default = next((child.text or "" for child in element if _tag(child) == "default"), None)
        of, name = element.get("for", "all"), element.attrib["id"]
        key = _Key(of, element.get("attr.name", name), element.get("attr.type", "string"), default)
        content.declare(name, key)
    elif tag == "node":
        name = element.attrib["id"]
        if name in content.nodes:
            raise ValueError(f"node {name!r} is there twice")
        content.nodes[name] = content.attributes("node", element)
    elif tag == "edge":
        ends = (element.attrib["source"], element.attrib["target"])
        if element.get("directed", "true" if content.directed else "false") == "true":
            raise ValueError(
                f"edge {ends[0]!r} - {ends[1]!r} is directed, but bipnet's edges have no"
                " direction: write the graph as an undirected one"
            )
        found = content.attributes("edge", element)
        content.edges.append(ends)
        content.weights.append(found.get("weight"))
        content.signs.append(found.get("sign"))
    elif tag == "hyperedge":
        raise ValueError("it has hyperedges, and edges between two nodes are wanted")
    elif tag == "data" and parent == "graph":
        content.graph |= content.attributes("graph", [element])


def _graph(content: _Content) -> tuple[SignedBipartiteGraph, Ints, Ints]:
    side = next((name for name in _SIDE if content.declares("node", name)), _SIDE[0])
    label = next((name for name in _LABEL if content.declares("node", name)), "")
    position = {name: k for k, name in enumerate(content.nodes)}
    for source, target in content.edges:
        for end in (source, target):
            if end not in position:
                raise InputError(f"edge {source!r} - {target!r}: there is no node {end!r}")
    # graph-tool leaves empty texts out: in a file that says who has labels, and where they are,
    # none is an empty one. What networkx writes of labels as nodes has them as ids alone.
    said = bool(label) and "labels" in content.graph
    labelled = labelled_sides(content.graph.get("labels"))
    names: list[Any] = []
    for name, found in content.nodes.items():
        of = "right" if found.get(side) else "left"
        named = found.get(label, "" if said and of in labelled else name)
        names.append(typed_label(named, found.get(LABEL_TYPE)) if said else named)
    sides = [found.get(side) for found in content.nodes.values()]
    ends = np.array([(position[u], position[v]) for u, v in content.edges], dtype=np.int64)
    ends = ends.reshape(-1, 2)
    weighted = content.declares("edge", "weight")
    graph = Nodes(names, sides, side, content.graph.get("labels")).graph(
        ends,
        content.weights if weighted else None,
        signs=content.signs if content.declares("edge", "sign") else None,
        magnitudes=not weighted,
        dtype=content.graph.get("dtype"),
    )
    right = np.array([bool(one) for one in sides], dtype=np.bool_)
    number = np.where(right, np.cumsum(right), np.cumsum(~right)) - 1
    swapped = right[ends[:, 0]]
    rows = number[np.where(swapped, ends[:, 1], ends[:, 0])]
    columns = number[np.where(swapped, ends[:, 0], ends[:, 1])]
    return graph, rows, columns


def _weights_at(graph: SignedBipartiteGraph, rows: Ints, columns: Ints) -> list[Any]:
    """The weights of a graph's edges in the order of a file that has just these edges."""
    parts = parts_of(graph)
    cells = parts.rows * graph.n_right + parts.columns
    wanted = rows * graph.n_right + columns
    order = np.argsort(wanted, kind="stable")
    if not np.array_equal(wanted[order], cells):
        raise InputError(
            "the graph has other edges than the GraphML file it is to be written into: write a new"
            " file with bipnet.convert.save_graph"
        )
    weights = np.empty_like(parts.weights)
    weights[order] = parts.weights
    found: list[Any] = weights.tolist()
    return found


# -- writing ---------------------------------------------------------------------------------


def save_graphml(graph: SignedBipartiteGraph, path: Path) -> None:
    """Write a graph with its labels and dtype; reading it gives the same bits.

    Raises
    ------
    InputError
        A label that is no text or number, or holds a character that XML does not know.
    DTypeError
        Whole weights beyond int64.
    """
    parts = parts_of(graph)
    if parts.dtype == "uint64" and parts.weights.max(initial=0) > np.iinfo(np.int64).max:
        raise DTypeError("GraphML has no unsigned 64-bit numbers, and a weight is beyond int64")
    names = parts.names
    kind = {"f": "double", "b": "boolean"}.get(parts.weights.dtype.kind, "long")
    for number, label in enumerate(names):
        if parts.has_labels(number):
            _require_writable(label)
    # One key, as igraph and graph-tool know an attribute once: labels of several types, and whole
    # numbers that a long cannot hold, are texts there, beside the name of their type.
    kinds = [
        label_type
        for label_type in _LABEL_TYPES
        if any(type(label) is label_type and parts.has_labels(k) for k, label in enumerate(names))
    ]
    mixed = len(kinds) > 1 or any(
        type(label) is int and not -(1 << 63) <= label < 1 << 63 and parts.has_labels(k)
        for k, label in enumerate(names)
    )
    label_kind = "string" if mixed or not kinds else _LABEL_TYPES[kinds[0]]
    keys = [
        ("dtype", "graph", "dtype", "string"),
        ("labels", "graph", "labels", "string"),
        *([("label", "graph", "label", "string")] if kinds else []),
        ("bipartite", "node", "bipartite", "int"),
        *([("node_label", "node", "label", label_kind)] if kinds else []),
        *([("label_type", "node", LABEL_TYPE, "string")] if mixed else []),
        ("weight", "edge", "weight", kind),
        ("sign", "edge", "sign", "int"),
    ]
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(f'<?xml version="1.0" encoding="UTF-8"?>\n<graphml xmlns="{_NAMESPACE}">\n')
        for key, of, name, type_name in keys:
            file.write(
                f'  <key id="{key}" for="{of}" attr.name="{name}" attr.type="{type_name}"/>\n'
            )
        file.write('  <graph edgedefault="undirected">\n')
        file.write(f"    {_data('dtype', parts.dtype)}{_data('labels', parts.labels)}")
        # Where from_networkx is to look, if networkx reads the file.
        file.write(f"{_data('label', 'label') if kinds else ''}\n")
        for number, label in enumerate(names):
            data = _data("bipartite", int(number >= len(parts.left)))
            if parts.has_labels(number):
                data += _data("node_label", label)
                data += _data("label_type", type(label).__name__) if mixed else ""
            file.write(f'    <node id="n{number}">{data}</node>\n')
        for (i, j), weight, sign in zip(
            parts.ends.tolist(), parts.weights.tolist(), parts.signs.tolist(), strict=True
        ):
            data = f'<data key="weight">{_weight(weight)}</data>' + _data("sign", sign)
            file.write(f'    <edge source="n{i}" target="n{j}">{data}</edge>\n')
        file.write("  </graph>\n</graphml>\n")


def _require_writable(label: Any) -> None:
    if type(label) not in _LABEL_TYPES:
        raise InputError(f"labels of GraphML are texts or numbers, but one is {label!r}")
    bad = _ILLEGAL.search(label) if isinstance(label, str) else None
    if bad:
        raise InputError(f"XML knows no character {bad[0]!r}, but it stands in the label {label!r}")


def _data(key: str, value: Any) -> str:
    text = _text(value)
    return f'<data key="{key}">{text}</data>' if text else f'<data key="{key}"/>'


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    # A bare carriage return would be read as a line feed.
    return escape(value, {"\r": "&#13;"}) if isinstance(value, str) else repr(value)


def _weight(value: Any) -> str:
    # graph-tool reads doubles as long doubles: 21 digits are the same number to either.
    return f"{value:.21g}" if isinstance(value, float) else _text(value)


def _sign(weight: Any, kind: str) -> str:
    if kind == "string":
        return "-" if weight < 0 else "+"
    return "-1" if weight < 0 else "1"


def _rewrite(path: Path, to: Path, content: _Content, weights: list[Any]) -> None:
    """The file at ``path`` with other weights: all else is copied, comments too."""
    from xml.parsers import expat

    keys = {key: one for key, one in content.keys.items() if one.of in ("edge", "all")}
    with to.open("w", encoding="utf-8", newline="") as file:
        copier = _Copier(file, keys, iter(weights))
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.ordered_attributes = True
        parser.StartElementHandler = copier.start
        parser.EndElementHandler = copier.end
        parser.CharacterDataHandler = copier.characters
        parser.CommentHandler = copier.comment
        parser.ProcessingInstructionHandler = copier.instruction
        file.write('<?xml version="1.0" encoding="UTF-8"?>\n')
        with path.open("rb") as source:
            parser.ParseFile(source)
        file.write("\n")


class _Copier:
    """Handlers of an XML parser that write what comes, with other weights and signs of edges."""

    def __init__(self, file: TextIO, keys: dict[str, _Key], weights: Iterator[Any]) -> None:
        self._file = file
        self._keys = {key: one for key, one in keys.items() if one.name in ("weight", "sign")}
        self._weights = weights
        self._new: dict[str, str] = {}
        self._within: list[str] = []
        self._replaced = False
        self._unfinished = False

    def start(self, tag: str, attributes: list[str]) -> None:
        self._finish_tag()
        pairs = list(zip(attributes[::2], attributes[1::2], strict=True))
        self._within.append(tag.rpartition(":")[2])
        self._file.write(f"<{tag}" + "".join(f" {k}={quoteattr(v)}" for k, v in pairs))
        self._unfinished = True
        if self._within[-1] == "edge":
            weight = next(self._weights)
            self._new = {
                key: _weight(weight) if one.name == "weight" else _sign(weight, one.kind)
                for key, one in self._keys.items()
            }
        elif self._within[-2:] == ["edge", "data"]:
            key = dict(pairs).get("key", "")
            if key in self._keys:
                self._replaced = True
                self._write(self._new.pop(key, ""))

    def end(self, tag: str) -> None:
        if self._within.pop() == "edge":  # what the file has left to a default
            prefix = tag[: -len("edge")]
            for key, text in self._new.items():
                self._write(f"<{prefix}data key={quoteattr(key)}>{text}</{prefix}data>")
        self._replaced = False
        self._file.write("/>" if self._unfinished else f"</{tag}>")
        self._unfinished = False

    def characters(self, text: str) -> None:
        if not self._replaced:
            self._write(_text(text))

    def comment(self, text: str) -> None:
        self._write(f"<!--{text}-->")

    def instruction(self, target: str, text: str) -> None:
        self._write(f"<?{target} {text}?>")

    def _write(self, text: str) -> None:
        self._finish_tag()
        self._file.write(text)

    def _finish_tag(self) -> None:
        """A start tag stays open until it is clear whether its element is empty."""
        if self._unfinished:
            self._file.write(">")
        self._unfinished = False
