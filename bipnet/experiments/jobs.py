"""A sweep as a list of independent jobs, each kept on disk under a key of its content.

A job is a function of its parameters and of what the jobs it needs have made; nothing else. What
it makes is a file, named after a digest of all that it depends on: a sweep that was interrupted,
or is run again, does only what is missing or damaged, and ends in the same files, byte for byte,
whatever did the work: this process, worker processes (joblib) or a cluster (Dask).
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import signal
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from bipnet._atomic import new_file
from bipnet.errors import (
    DamagedJobWarning,
    FileFormatError,
    InputError,
    MissingExtraError,
    warn_caller,
)
from bipnet.experiments.job_files import sealed, unsealed
from bipnet.experiments.software import numeric_software

Work = Callable[..., bytes]
"""``work(needed, **params, **where)``: the content of its file, from those of the needed jobs."""


@dataclass(frozen=True)
class Job:
    """One piece of a sweep.

    Attributes
    ----------
    work
        A function of a module, so that other processes find it: ``work(needed, **params)`` with
        the contents of the ``needs``, in their order. It must be a function of these alone.
    params
        Plain data (JSON), all of it part of the key.
    needs
        Jobs to be done before.
    where
        What ``work`` takes besides, though the result does not depend on it: where files are.
    version
        Raised when ``work`` makes something else of the same parameters.
    libraries
        Distributions that ``work`` computes with besides those of `numeric_software`.
    """

    work: Work
    params: Mapping[str, Any]
    needs: tuple[Job, ...] = ()
    where: Mapping[str, Any] = field(default_factory=dict)
    version: int = 1
    libraries: tuple[str, ...] = ()

    @cached_property
    def key(self) -> str:
        """A digest of everything that the result depends on: also of what computes it."""
        content = [
            f"{self.work.__module__}.{self.work.__qualname__}",
            self.version,
            numeric_software(self.libraries),
            dict(self.params),
            [job.key for job in self.needs],
        ]
        text = json.dumps(content, sort_keys=True, allow_nan=False)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    @property
    def file_name(self) -> str:
        return f"{self.work.__name__}-{self.key}"


class Runner:
    """Does jobs and keeps what they make in a folder.

    Parameters
    ----------
    folder
        Where files are kept; made if its parent exists.
    n_workers
        Worker processes; 1 works in this process.
    scheduler
        Address of a Dask scheduler ("tcp://host:8786") whose workers do the work instead. They
        must see the same data files.

    Raises
    ------
    MissingExtraError
        A scheduler is given and Dask is not there.
    InputError
        No such scheduler answers.
    """

    def __init__(self, folder: Path, *, n_workers: int = 1, scheduler: str | None = None) -> None:
        if n_workers < 1:
            raise InputError(f"the number of workers must be 1 or more, got {n_workers}")
        self._folder = folder
        self._n_workers = n_workers
        self._scheduler = scheduler
        self._worked_in_processes = False
        self._whole: dict[str, bool] = {}  # by key: whether the file that is there is whole

    def content(self, job: Job) -> bytes:
        """What a finished job has made.

        Raises
        ------
        FileFormatError
            Its file is damaged, or another's.
        """
        path = self._folder / job.file_name
        try:
            return unsealed(job.key, path.read_bytes())
        except FileFormatError as error:
            raise FileFormatError(
                f"{path} {error}; run the same command again, which does this job again"
            ) from None

    def is_done(self, job: Job) -> bool:
        """Whether its file is there, and whole; a `DamagedJobWarning` says which one is not."""
        path = self._folder / job.file_name
        if not path.is_file():
            return False
        if job.key not in self._whole:
            try:
                unsealed(job.key, path.read_bytes())
                self._whole[job.key] = True
            except FileFormatError as error:
                self._whole[job.key] = False
                warn_caller(f"{path} {error}; this job is done again", DamagedJobWarning)
        return self._whole[job.key]

    def missing(self, jobs: Sequence[Job]) -> list[Job]:
        """Those that are still to be done, each once."""
        return [job for job in {job.key: job for job in jobs}.values() if not self.is_done(job)]

    def run(self, jobs: Sequence[Job], *, progress: Callable[[int], object] | None = None) -> int:
        """Do what is missing of ``jobs``, whose needs must be done; return how many that were.

        ``progress`` is called with 1 after each job that was to be done.
        """
        todo = self.missing(jobs)
        self._folder.mkdir(exist_ok=True)
        with warnings.catch_warnings():
            # A worker that holds much memory is replaced by a fresh one between two jobs.
            warnings.filterwarnings("ignore", message="A worker stopped while some jobs")
            # Of an interrupted run: its own last line says what becomes of it.
            warnings.filterwarnings("ignore", message=r"\d+ tasks .*(not used|been cancelled)")
            results = self._results(todo)
            try:
                self._keep(results, progress)
            except BaseException as error:
                if self._worked_in_processes:
                    results.close()
                    self._worked_in_processes = False  # joblib has ended them
                if type(error).__name__ == "TerminatedWorkerError":
                    raise InputError(
                        "a worker process was ended from outside (out of memory?): run the same"
                        " command again, it goes on where it was"
                    ) from None
                raise
        return len(todo)

    def _keep(
        self, results: Iterator[tuple[Job, bytes]], progress: Callable[[int], object] | None
    ) -> None:
        for job, content in results:
            with new_file(self._folder / job.file_name, force=True) as partial:
                partial.write_bytes(sealed(job.key, content))
            self._whole[job.key] = True
            if progress is not None:
                progress(1)

    def close(self) -> None:
        """Let worker processes go; without it they wait for more work for minutes."""
        if self._worked_in_processes:
            from joblib.externals.loky import get_reusable_executor

            get_reusable_executor().shutdown(wait=True)
            self._worked_in_processes = False

    def _results(self, todo: list[Job]) -> Generator[tuple[Job, bytes]]:
        if not todo:
            return (_ for _ in ())
        if self._scheduler is not None:
            return self._on_cluster(todo, self._scheduler)
        if self._n_workers == 1 or len(todo) == 1:
            return ((job, _done(*self._task(job))) for job in todo)
        return self._in_processes(todo)

    def _task(self, job: Job) -> tuple[Work, dict[str, Any], list[bytes]]:
        return job.work, {**job.params, **job.where}, [self.content(needed) for needed in job.needs]

    def _in_processes(self, todo: list[Job]) -> Generator[tuple[Job, bytes]]:
        from joblib import Parallel, delayed

        self._worked_in_processes = True

        def numbered(number: int) -> Any:
            return delayed(_numbered)(number, *self._task(todo[number]))

        # Tasks are made when a worker is free: what they need is not read all at once.
        parallel = Parallel(
            n_jobs=self._n_workers, return_as="generator_unordered", pre_dispatch="n_jobs"
        )
        with _ctrl_c_waits():
            results = parallel(numbered(number) for number in range(len(todo)))
        # Closed, joblib sends no more tasks: an error here must not wait for those.
        with closing(results):
            for number, content in results:
                yield todo[number], content

    def _on_cluster(self, todo: list[Job], address: str) -> Generator[tuple[Job, bytes]]:
        with _client(address) as client, client.as_current():
            n_at_once = 2 * max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
            waiting = iter(todo)
            running: dict[Any, Job] = {}
            queue = _distributed().as_completed()

            def submit() -> None:
                for job in waiting:
                    made_with = numeric_software(job.libraries), job.libraries
                    future = client.submit(
                        _done_elsewhere, *made_with, *self._task(job), pure=False
                    )
                    running[future] = job
                    queue.add(future)
                    return

            for _ in range(n_at_once):
                submit()
            for future in queue:
                job = running.pop(future)
                try:
                    content = future.result()
                except CancelledError as error:
                    raise InputError(f"the Dask scheduler {address} is gone: {error}") from None
                submit()
                yield job, content


@contextmanager
def _ctrl_c_waits() -> Iterator[None]:
    """Hold Ctrl-C back while processes are started: they inherit that, and never hear of it.

    It is for this process, which ends them. Else each would print a traceback of its own.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    from joblib.externals.loky.backend import resource_tracker as loky_tracker

    with _trackers_say_nothing():
        for tracker in (resource_tracker, loky_tracker):
            tracker.ensure_running()  # before: the start of such a process lets Ctrl-C through
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _trackers_say_nothing() -> Iterator[None]:
    """Processes started within remove what Ctrl-C left behind without a warning about it."""
    name, quiet = "PYTHONWARNINGS", "ignore:resource_tracker:UserWarning"
    before = os.environ.get(name)
    os.environ[name] = f"{before},{quiet}" if before else quiet
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _numbered(number: int, *task: Any) -> tuple[int, bytes]:
    return number, _done(*task)


def _done_elsewhere(wanted: Mapping[str, Any], libraries: Sequence[str], *task: Any) -> bytes:
    """On a machine that may not have what the key of the job says it is done with."""
    found = numeric_software(libraries)
    differ = [
        f"{name} {found[name]}, not {wanted[name]}"
        for name in wanted
        if found[name] != wanted[name]
    ]
    if differ:
        raise InputError(
            f"a worker of the cluster has {'; '.join(differ)}, and would give other numbers: let"
            " all workers, and this process, run the same versions on processors of one kind"
        )
    return _done(*task)


def _done(work: Work, params: dict[str, Any], needed: list[bytes]) -> bytes:
    """One thread of torch: sums in another order would give other bits."""
    with _one_thread():
        return work(needed, **params)


@contextmanager
def _one_thread() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _client(address: str) -> Iterator[Any]:
    try:
        client = _distributed().Client(address, timeout=10, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(f"no Dask scheduler answers at {address!r}: {error}") from None
    try:
        yield client
    finally:
        client.close()


def _distributed() -> Any:
    try:
        return importlib.import_module("distributed")
    except ImportError as error:
        raise MissingExtraError("a Dask cluster needs Dask: pip install 'bipnet[dask]'") from error
