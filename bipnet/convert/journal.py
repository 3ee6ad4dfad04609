"""What an unfinished checkpoint is to become, and which layers of it are done.

A journal is a file of JSON lines beside the unfinished output: first the plan (which input,
which draw, which layers), then a line per finished layer with a digest of its bytes, at the end
which file or folder the output was. A line that a kill or a crash has cut off is ignored, and a
layer counts as done only if its bytes still have that digest, so nothing need be flushed to disk
before the end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bipnet._streams import STREAM_VERSION
from bipnet.errors import InputError

NAME = "journal"
_VERSION = 1

Plan = dict[str, Any]


def make_plan(
    source: Mapping[str, Any], recipe: Mapping[str, Any], layers: Sequence[tuple[str, str]]
) -> Plan:
    """Everything that the bytes of the output depend on, as JSON gives it back.

    Parameters
    ----------
    source
        Identity of the input.
    recipe
        What is done to each layer: null model, seed, index, method, steps, loops.
    layers
        Names of the layers it is done to, and how they lie.
    """
    plan: Plan = json.loads(
        json.dumps(
            {
                "journal": _VERSION,
                "streams": STREAM_VERSION,
                **recipe,
                "layers": layers,
                "input": source,
            }
        )
    )
    return plan


class Journal:
    """The journal of one unfinished output.

    Attributes
    ----------
    plan
        What the output is to become.
    done
        Digests of the finished layers, by their names.
    """

    def __init__(self, path: Path, plan: Plan) -> None:
        self._path = path
        self.plan = plan
        self.done: dict[str, str] = {}
        self._output: list[int] | None = None

    @classmethod
    def begin(cls, folder: Path, plan: Plan) -> Journal:
        """Start the journal of a new unfinished output in ``folder``."""
        journal = cls(folder / NAME, plan)
        journal._append({"plan": plan})
        return journal

    @classmethod
    def found(cls, folder: Path) -> Journal | None:
        """The journal in ``folder``, or None if there is none that can be used."""
        path = folder / NAME
        try:
            content = path.read_bytes()
        except OSError:
            return None
        journal: Journal | None = None
        for line in content.splitlines(keepends=True):
            try:
                entry = json.loads(line) if line.endswith(b"\n") else None
            except ValueError:
                entry = None
            if not isinstance(entry, dict):
                break  # cut off: what follows cannot be told from rubbish
            if journal is None:
                if not isinstance(entry.get("plan"), dict):
                    return None
                journal = cls(path, entry["plan"])
            elif "output" in entry:
                journal._output = entry["output"]
            elif "layer" in entry:
                journal.done[str(entry["layer"])] = str(entry.get("digest"))
        return journal

    def rewrite(self) -> None:
        """Write it again without what was cut off, so that lines can be added."""
        partial = self._path.with_name(f"{NAME}.new")
        done = [_line({"layer": name, "digest": digest}) for name, digest in self.done.items()]
        partial.write_text("".join([_line({"plan": self.plan}), *done]), encoding="utf-8")
        partial.replace(self._path)

    def add(self, layer: str, digest: str) -> None:
        """A layer is finished and written."""
        self.done[layer] = digest
        self._append({"layer": layer, "digest": digest})

    def finish(self, made: Path) -> None:
        """All is done: ``made`` is about to become the output."""
        self._append({"output": _inode(made)})

    def can_go_on(self, made: Path) -> bool:
        """Whether ``made`` is still the unfinished output, not what it has taken the place of."""
        return self._output is None or (made.exists() and _inode(made) == self._output)

    def is_output(self, path: Path) -> bool:
        """Whether ``path`` is the finished output: a kill came after it had got its name."""
        return self._output is not None and path.exists() and _inode(path) == self._output

    def require_plan(self, plan: Plan, output: Path) -> None:
        """Raise `InputError` unless this is the journal of ``plan``; says what differs."""
        changed = [key for key in {**self.plan, **plan} if self.plan.get(key) != plan.get(key)]
        if not changed:
            return
        said = {
            "input": "the input has changed since",
            "layers": "other layers were chosen, or they lie otherwise",
            "journal": "another version of bipnet wrote it",
            "streams": "another version of bipnet wrote it",
        }
        reasons = [
            said.get(key, f"{key} was {self.plan.get(key)} and is {plan.get(key)}")
            for key in changed
        ]
        raise InputError(
            f"the unfinished output of {output} is of another run: {'; '.join(reasons)}. Resume"
            " with the input and options it was begun with, or leave --resume out to begin anew"
        )

    def _append(self, entry: Mapping[str, Any]) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(_line(entry))


def _line(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry) + "\n"


def _inode(path: Path) -> list[int]:
    info = path.lstat()
    return [info.st_dev, info.st_ino]
