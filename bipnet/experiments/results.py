"""What runs of every kind share: their folder, their jobs in stages, what they print."""

from __future__ import annotations

import hashlib
import json
import re
import reprlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from bipnet._atomic import new_file, require_free_output
from bipnet._progress import Stopwatch, progress_bar
from bipnet.errors import InputError, OutputExistsError
from bipnet.experiments.claims import Finding
from bipnet.experiments.jobs import Job, Runner

PROTOCOL = "protocol.json"
_DIGEST = b"digest"
_OURS = re.compile(r"(figure-\d\d(-[a-z]+)?|layer-map)\.(parquet|csv|png|pdf)")
"""Names of the tables and pictures that a run writes."""
_LONGEST = 1000  # characters about differences: a damaged file may hold anything


@dataclass
class Results(ABC):
    """What a run made.

    Attributes
    ----------
    tables
        By figure; see `bipnet.experiments.tables`.
    earlier
        What earlier runs of the same protocol have left in the folder, by figure; verdicts,
        summary and report are of all tables.
    settings
        The protocol: plain data.
    n_done, n_kept
        Jobs done, and jobs found done from before.
    seconds
        Time per stage.
    findings
        The verdict on each claim of the paper.
    files
        Pictures, and last the report.
    """

    tables: dict[int, pd.DataFrame]
    settings: dict[str, Any]
    n_done: int = 0
    n_kept: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    earlier: dict[int, pd.DataFrame] = field(default_factory=dict)

    @property
    def all_tables(self) -> dict[int, pd.DataFrame]:
        """Those of this run and of earlier ones, by figure."""
        return dict(sorted({**self.earlier, **self.tables}.items()))

    @abstractmethod
    def summary(self) -> dict[str, Any]:
        """Medians and quartiles: plain data."""

    def as_json(self) -> dict[str, Any]:
        """Protocol, medians and quartiles, verdicts, jobs and stages: plain data."""
        return {
            "settings": self.settings,
            "rows": {str(figure): len(table) for figure, table in self.tables.items()},
            "earlier": sorted(self.earlier),
            "summary": self.summary(),
            "claims": [finding.as_dict() for finding in self.findings],
            "jobs": {"done": self.n_done, "kept": self.n_kept},
            "seconds": {stage: round(time, 3) for stage, time in self.seconds.items()},
            "files": [str(path) for path in self.files],
        }

    def as_text(self) -> str:
        """What was done, which claims hold, and the time of each stage."""
        figures = [str(figure) for figure in self.tables if figure > 0]
        lines = [
            f"figures {', '.join(figures)}: {self.n_done} jobs done,"
            f" {self.n_kept} found done from before"
        ]
        earlier = [str(figure) for figure in sorted(self.earlier) if figure > 0]
        if earlier:
            lines.append(f"figures of earlier runs, also judged: {', '.join(earlier)}")
        counts = Counter(finding.verdict for finding in self.findings)
        if counts:
            lines.append(
                "claims of the paper: "
                + ", ".join(f"{number} {verdict}" for verdict, number in counts.items())
            )
        lines += [f"  {stage:<22}{time:8.1f} s" for stage, time in self.seconds.items()]
        if self.files:
            lines.append(f"written: {self.files[-1]}, and tables and pictures beside it")
        return "\n".join(lines)

    def work_through(
        self, stages: Mapping[str, Sequence[Job]], runner: Runner, watch: Stopwatch
    ) -> None:
        """Do all jobs, stage by stage, and let the runner's processes go."""
        try:
            for stage, jobs in stages.items():
                n_missing = len(runner.missing(jobs))
                self.n_kept += len(jobs) - n_missing
                with watch.stage(stage), progress_bar(n_missing, stage) as bar:
                    self.n_done += runner.run(jobs, progress=bar.update)
        finally:
            runner.close()


def require_output_folder(path: Path) -> None:
    """Raise unless ``path`` is a folder, or can be made: before the work, not after it.

    Raises
    ------
    OutputExistsError, MissingFileError
        It is a file; its parent does not exist.
    """
    if path.exists() and not path.is_dir():
        raise OutputExistsError(f"results go into a folder, and {path} is a file: choose another")
    if not path.exists():
        require_free_output(path, force=False)


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


class ResultsFolder:
    """A folder that holds the results of one protocol and of no other.

    Parameters
    ----------
    path
        Made if its parent exists.
    protocol
        Everything the numbers depend on: plain data, with what
        `bipnet.experiments.software.software` gives under "software".
    force
        Take the folder over from another protocol.

    Raises
    ------
    InputError
        It holds results of another protocol, or of other versions.
    OutputExistsError, MissingFileError
        It is a file; its parent does not exist.
    """

    def __init__(self, path: Path, protocol: dict[str, Any], *, force: bool) -> None:
        require_output_folder(path)
        self.path = path
        self._protocol = protocol
        path.mkdir(exist_ok=True)
        if not force:
            self._require_same_protocol()
        elif self._before() != json.loads(json.dumps(protocol)):
            # Nothing of another protocol may stay under the name of this one.
            self._clear()
        with new_file(path / PROTOCOL, force=True) as partial:
            partial.write_text(json.dumps(protocol, indent=2) + "\n")

    @property
    def jobs(self) -> Path:
        return self.path / "jobs"

    def subfolder(self, name: str) -> Path:
        """A folder in it, which is there afterwards."""
        folder = self.path / name
        folder.mkdir(exist_ok=True)
        return folder

    def write_table(self, table: pd.DataFrame, name: str) -> None:
        """As Parquet, with the protocol and a digest in its metadata, and as CSV."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        folder = self.subfolder("tables")
        arrow = pa.Table.from_pandas(table, preserve_index=False)
        text = json.dumps(self._protocol, sort_keys=True)
        added = {b"protocol": text, _DIGEST: _digest(name, table)}
        arrow = arrow.replace_schema_metadata({**(arrow.schema.metadata or {}), **added})
        with new_file(folder / f"{name}.parquet", force=True) as partial:
            pq.write_table(arrow, partial)
        with new_file(folder / f"{name}.csv", force=True) as partial:
            table.to_csv(partial, index=False, lineterminator="\n")

    def tables(self, names: Collection[str]) -> dict[str, pd.DataFrame]:
        """Name -> table, of those of ``names`` that an earlier run has left here.

        Raises
        ------
        InputError
            One is damaged, or is of another protocol than this folder.
        """
        import pyarrow.parquet as pq

        now = json.loads(json.dumps(self._protocol))
        found = {}
        for name in names:
            path = self.path / "tables" / f"{name}.parquet"
            if not path.exists():
                continue
            try:
                metadata = pq.read_schema(path).metadata or {}
                protocol = json.loads(metadata.get(b"protocol", b"null"))
                table = pd.read_parquet(path)
                if metadata.get(_DIGEST) != _digest(name, table):
                    raise InputError("its digest is another one")
            except Exception as error:  # of damaged bytes the readers raise anything
                raise InputError(
                    f"{path} cannot be read ({_first_line(error)}): remove it, and ask for its"
                    " figure too, which is made again of finished jobs"
                ) from None
            if protocol != now:
                raise InputError(
                    f"{path} is of another protocol than this run: remove it, or use another folder"
                )
            found[name] = table
        return found

    def _clear(self) -> None:
        """Remove what a run of another protocol has written here, and nothing else."""
        if not (self.path / PROTOCOL).is_file():
            return  # no run has: whatever is here is the user's
        for name in ("tables", "figures"):
            for path in (self.path / name).glob("*"):
                if _OURS.fullmatch(path.name):
                    path.unlink()
        (self.path / "report.html").unlink(missing_ok=True)

    def _before(self) -> dict[str, Any] | None:
        """The protocol of the results that are there, None if that cannot be told."""
        try:
            before = json.loads((self.path / PROTOCOL).read_text())
        except (OSError, ValueError, RecursionError):
            return None
        return before if isinstance(before, dict) else None

    def _require_same_protocol(self) -> None:
        path = self.path / PROTOCOL
        if not path.exists():
            return
        before = self._before()
        if before is None:
            raise InputError(f"{path} cannot be read: use another folder, or --force")
        now = json.loads(json.dumps(self._protocol))
        differ = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
        if not differ:
            return
        words = "; ".join(_difference(name, before.get(name), now.get(name)) for name in differ)
        if len(words) > _LONGEST:
            words = f"{words[:_LONGEST]} ..."
        if differ == ["software"]:
            raise InputError(
                f"{self.path} holds results made with other software ({words}), with which the"
                " same seed may give other numbers: go on with that software, use another folder,"
                " or --force to replace its tables (jobs whose numbers may change are done again)"
            )
        raise InputError(
            f"{self.path} holds results of another protocol ({words}): use another"
            " folder, or --force to replace its tables (finished jobs of either are kept)"
        )


def _difference(name: str, before: Any, now: Any) -> str:
    """What a point of the protocol was and is; of nested ones those points that differ."""
    if isinstance(before, dict) and isinstance(now, dict):
        return "; ".join(
            _difference(f"{name}: {inner}", before.get(inner), now.get(inner))
            for inner in sorted({*before, *now})
            if before.get(inner) != now.get(inner)
        )
    return f"{name} was {reprlib.repr(before)} and is {reprlib.repr(now)}"


def _digest(name: str, table: pd.DataFrame) -> bytes:
    """Of a table's name and all it holds: one whose file is damaged can often be read, as another
    one, and one under another's name always."""
    columns = [(column, str(dtype)) for column, dtype in table.dtypes.items()]
    digest = hashlib.blake2b(repr((name, columns)).encode(), digest_size=16)
    digest.update(pd.util.hash_pandas_object(table).to_numpy().tobytes())
    return digest.hexdigest().encode()
