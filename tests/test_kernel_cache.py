"""Compiled kernels on disk: said once, kept, shared by processes, never stale, never in the way."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bipnet_kernels
import numpy as np
import pytest
from bipnet_kernels import _cache, _interrupt, _jit

from bipnet._threads import run_blocks

BIPNET = Path(sys.executable).with_name("bipnet")
COMPILING = "bipnet: compiling kernels for this machine, once (some seconds) ...\n"

ONE_KERNEL = """
import numpy as np
from bipnet_kernels import _random
print(hex(_random.mixed(np.uint64(1))))
"""
MIXED = "0x5692161d100b05e5\n"
"""The first number of SplitMix64's output function, also of its plain Python body."""

SAYING = "import logging\nlogging.basicConfig(level=logging.INFO, format='%(message)s')\n"


def process(
    *command: object, preexec_fn: Callable[[], None] | None = None, **variables: object
) -> subprocess.CompletedProcess[str]:
    """A finished process in which some variables of the environment are set, or (None) are not."""
    environment = {**os.environ, **{name: str(value) for name, value in variables.items()}}
    for name, value in variables.items():
        if value is None:
            del environment[name]
    done = subprocess.run(
        [str(part) for part in command],
        env=environment,
        preexec_fn=preexec_fn,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


def python(code: str, **settings: Any) -> tuple[str, str]:
    """What a fresh interpreter prints and says."""
    done = process(sys.executable, "-P", "-c", code, **settings)
    return done.stdout, done.stderr


def without_root_powers() -> None:
    """Let permissions count for root as well (prctl: drop CAP_DAC_OVERRIDE, for what it starts)."""
    drop_from_bounding_set, dac_override = 24, 1
    if os.getuid() == 0:
        assert ctypes.CDLL(None).prctl(drop_from_bounding_set, dac_override, 0, 0, 0) == 0


# -- what is said ------------------------------------------------------------------------------


def test_compiling__is_said_once_on_stderr_and_not_when_the_cache_serves(tmp_path: Path) -> None:
    np.save(tmp_path / "W.npy", np.arange(1.0, 41.0).reshape(5, 8))
    command = (BIPNET, "randomize", tmp_path / "W.npy", "--null", "A", "--seed", 1, "--json")
    first = process(*command, "-o", tmp_path / "R.npy", NUMBA_CACHE_DIR=tmp_path)
    assert first.stderr == COMPILING
    assert first.stdout.startswith("{")
    assert COMPILING not in first.stdout
    second = process(*command, "-o", tmp_path / "R2.npy", NUMBA_CACHE_DIR=tmp_path)
    assert second.stderr == ""
    assert np.array_equal(np.load(tmp_path / "R.npy"), np.load(tmp_path / "R2.npy"))


def test_compiling__is_silent_in_the_library_unless_asked_for(tmp_path: Path) -> None:
    assert python(f"import warnings\nwarnings.simplefilter('error')\n{ONE_KERNEL}") == (MIXED, "")
    assert python(ONE_KERNEL, NUMBA_CACHE_DIR=tmp_path / "a") == (MIXED, "")
    said = COMPILING.removeprefix("bipnet: ")
    assert python(SAYING + ONE_KERNEL, NUMBA_CACHE_DIR=tmp_path / "b") == (MIXED, said)
    assert python(SAYING + ONE_KERNEL, NUMBA_CACHE_DIR=tmp_path / "b") == (MIXED, "")


def test_compiling__without_jit_is_not_said(tmp_path: Path) -> None:
    settings = {"NUMBA_CACHE_DIR": tmp_path, "NUMBA_DISABLE_JIT": 1}
    assert python(SAYING + ONE_KERNEL, **settings) == (MIXED, "")


def test_no_folder__is_said_with_the_reason_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder can be made in here")
    for _ in range(2):  # every time, as nothing could be kept
        out, err = python(SAYING + ONE_KERNEL, NUMBA_CACHE_DIR=tmp_path / "file" / "cache")
        assert out == MIXED
        assert err.count("\n") == 1
        assert re.search(
            r"in every other: .*cannot be kept.*file/cache\); let NUMBA_CACHE_DIR", err
        )


# -- where it is kept ----------------------------------------------------------------------------


def test_cache_folder__is_named_after_the_sources_and_is_private() -> None:
    folder = bipnet_kernels.cache_folder()
    assert folder is not None
    assert folder.name.startswith("kernels-")
    assert len(folder.name) == len("kernels-") + 16
    assert folder.stat().st_mode & 0o022 == 0


def homeless(tmp_path: Path, **settings: Any) -> dict[str, Any]:
    """Settings under which the folder for temporary files is all there is."""
    (tmp_path / "temporary").mkdir()
    missing = dict.fromkeys({"XDG_CACHE_HOME", "NUMBA_CACHE_DIR"} & set(os.environ))
    return {**missing, "TMPDIR": tmp_path / "temporary", **settings}


@pytest.mark.parametrize("kind", ["missing", "empty", "relative", "read-only", "a file"])
def test_home__that_cannot_be_used_is_done_without(kind: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    if kind == "a file":
        home.write_text("")
    elif kind == "read-only":
        home.mkdir(mode=0o555)
    name = {"empty": "", "relative": "home"}.get(kind, home)
    settings = homeless(tmp_path, HOME=name, preexec_fn=without_root_powers)
    said = COMPILING.removeprefix("bipnet: ")
    assert python(SAYING + ONE_KERNEL, **settings) == (MIXED, said)
    assert python(SAYING + ONE_KERNEL, **settings) == (MIXED, "")
    assert list(tmp_path.glob("temporary/bipnet-*/kernels-*/*.nbc"))
    assert home.exists() == (kind in ("a file", "read-only"))


def test_read_only_folder__serves_what_it_holds(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    python(ONE_KERNEL, NUMBA_CACHE_DIR=cache)
    (folder,) = cache.iterdir()
    folder.chmod(0o555)
    cache.chmod(0o555)
    settings: dict[str, Any] = {"NUMBA_CACHE_DIR": cache, "preexec_fn": without_root_powers}
    assert python(SAYING + ONE_KERNEL, **settings) == (MIXED, "")
    other = ONE_KERNEL.replace("np.uint64(1)", "1")  # of another type: not in there
    assert "cannot be kept" in python(SAYING + other.replace("hex", ""), **settings)[1]


@pytest.mark.parametrize("mode", [0o757, 0o777])
def test_folder__that_others_can_write_is_refused(mode: int, tmp_path: Path) -> None:
    (tmp_path / "kernels-0123456789abcdef").mkdir()
    (tmp_path / "kernels-0123456789abcdef").chmod(mode)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
        found = _cache.find_files("0123456789abcdef")
    assert (found.folder, found.others, found.refused) == (None, (), (tmp_path,))


def test_old_versions__are_removed_after_thirty_days(tmp_path: Path) -> None:
    days = {"kernels-" + "0" * 16: 31, "kernels-" + "1" * 16: 29, "kernels-mine": 99, "other": 99}
    for name, age in days.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "file.nbc").write_text("")
        os.utime(tmp_path / name, times=(time.time() - age * 86_400,) * 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
        files = _cache.find_files("1" * 16)  # used again: as good as new
        kept = _cache.find_files("2" * 16)
    assert (tmp_path / "kernels-1111111111111111").stat().st_mtime > time.time() - 86_400
    kept.tidy()
    assert {path.name for path in tmp_path.iterdir()} == {
        *("kernels-" + digit * 16 for digit in "12"),
        "kernels-mine",
        "other",
    }
    assert files.folder is not None
    shutil.rmtree(files.folder)  # by a process that thinks it is old, at the same moment
    files.tidy()
    assert files.folder.is_dir()


# -- what is kept --------------------------------------------------------------------------------

FOUR_TYPES = """
import sys
import numpy as np
from bipnet_kernels import transpose_block
order = int(sys.argv[1])
for width in np.roll([1, 2, 4, 8], order):
    source = np.arange(12, dtype=f"u{width}")
    target = np.zeros(12, dtype=f"u{width}")
    transpose_block(source, 0, 4, target, 0, 3, 3, 4, 8, False)
    assert (target.reshape(4, 3) == source.reshape(3, 4).T).all(), target
"""


def test_processes__that_start_at_once_fill_one_cache(tmp_path: Path) -> None:
    """Each compiles the same kernel for four types, each in another order."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    running = [
        subprocess.Popen(
            [sys.executable, "-P", "-c", FOUR_TYPES, str(order)],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for order in range(4)
    ]
    for one in running:
        assert (one.communicate(timeout=120)[1], one.returncode) == ("", 0)
    (folder,) = tmp_path.iterdir()
    names = sorted(path.name for path in folder.iterdir())
    # An index and the code, for each of the four types (and of what it calls).
    assert sum(name.startswith("bipnet_kernels.transpose.") for name in names) == 8
    assert all(re.fullmatch(r"bipnet_kernels\..*\.(nbi|1\.nbc)", name) for name in names)
    assert python(SAYING + FOUR_TYPES.replace("sys.argv[1]", "0"), NUMBA_CACHE_DIR=tmp_path) == (
        ("", "")
    )


def test_kernel__is_compiled_anew_when_a_callee_in_another_file_is_edited(tmp_path: Path) -> None:
    package = tmp_path / "package" / "bipnet_kernels"
    shutil.copytree(
        Path(bipnet_kernels.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__")
    )
    code = f"""
import sys
sys.path.insert(0, {str(package.parent)!r})
import numpy as np
from bipnet_kernels import trade
assert trade.__file__.startswith({str(package)!r})
order = np.empty(9, dtype=np.int64)
key = np.arange(4, dtype=np.uint64)
trade.pair_lines(np.arange(9), np.array([0, 9]), order, 1, key, key.copy())
print(order)
"""
    before = python(SAYING + code, NUMBA_CACHE_DIR=tmp_path)
    assert python(SAYING + code, NUMBA_CACHE_DIR=tmp_path) == (before[0], "")
    callee = package / "_random.py"  # `below`, which `pair_lines` of trade.py calls
    edited = callee.read_text().replace("return np.int64(product >> _U32)", "return np.int64(0)")
    assert edited != callee.read_text()
    callee.write_text(edited)
    after = python(SAYING + code, NUMBA_CACHE_DIR=tmp_path)
    assert after[0] == "[1 2 3 4 5 6 7 8 0]\n" != before[0]
    assert after[1] == before[1] == COMPILING.removeprefix("bipnet: ")


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
def test_damaged_file__is_made_anew(ending: str, tmp_path: Path) -> None:
    python(ONE_KERNEL, NUMBA_CACHE_DIR=tmp_path)
    (file,) = tmp_path.rglob(f"*.{ending}")
    whole = file.read_bytes()
    for damaged in (b"", whole[:20], whole[:-1], b"?" + whole):
        file.write_bytes(damaged)
        out, said = python(SAYING + ONE_KERNEL, NUMBA_CACHE_DIR=tmp_path)
        assert (out, said) == (MIXED, COMPILING.removeprefix("bipnet: "))
        assert python(SAYING + ONE_KERNEL, NUMBA_CACHE_DIR=tmp_path) == (MIXED, "")


def test_full_disk__costs_the_cache_alone(tmp_path: Path) -> None:
    import resource

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))

    assert python(ONE_KERNEL, NUMBA_CACHE_DIR=tmp_path, preexec_fn=limit) == (MIXED, "")
    assert list(tmp_path.rglob("*.nbc")) == []
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


# -- bounds --------------------------------------------------------------------------------------

OUT_OF_BOUNDS = """
import numpy as np
from bipnet_kernels._jit import kernel

@kernel
def beyond(words, place):
    words[place] = 7

words = np.zeros(8, dtype=np.uint64)
beyond(words[:4], np.uint64(5))
print(words)
"""


def test_bounds_check__finds_a_broken_kernel_and_has_a_cache_of_its_own(tmp_path: Path) -> None:
    """So that tests/test_kernels.py can fail under NUMBA_BOUNDSCHECK=1, whatever is cached."""
    script = tmp_path / "broken.py"
    script.write_text(OUT_OF_BOUNDS)
    cache = {"NUMBA_CACHE_DIR": str(tmp_path)}
    assert process(sys.executable, "-P", script, **cache).stdout == "[0 0 0 0 0 7 0 0]\n"
    for setting in ("NUMBA_BOUNDSCHECK", "NUMBA_DISABLE_JIT"):
        done = subprocess.run(
            [sys.executable, "-P", script],
            env={**os.environ, **cache, setting: "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1, setting
        assert "IndexError" in done.stderr, setting
    assert len(list(tmp_path.glob("kernels-*"))) == 2


# -- Ctrl-C while compiling ------------------------------------------------------------------------


def test_interrupt__is_heard_between_two_kernels() -> None:
    done = []

    def compile_with_callees() -> None:
        with _interrupt.heard_between_kernels():
            with _interrupt.heard_between_kernels():
                done.append("one callee")
            signal.raise_signal(signal.SIGINT)
            done.append("held back")
            with _interrupt.heard_between_kernels():
                done.append("another callee")

    with pytest.raises(KeyboardInterrupt):
        compile_with_callees()
    assert done == ["one callee", "held back"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with _interrupt.heard_between_kernels():
        done.append("and well again")


def test_interrupt__does_not_cut_a_kernel_short(monkeypatch: pytest.MonkeyPatch) -> None:
    @_jit.kernel
    def twice(n: int) -> int:
        return 2 * n

    done = []

    def interrupted(*_: object) -> None:
        signal.raise_signal(signal.SIGINT)
        done.append("compiled")

    monkeypatch.setattr(_jit._Kept, "save_overload", interrupted)
    with pytest.raises(KeyboardInterrupt):
        twice(4)
    assert done == ["compiled"]
    assert twice(4) == 8
    assert done == ["compiled"]


def test_interrupt__stops_the_compiling_of_other_threads() -> None:
    done: list[str] = []
    compiling, interrupted = threading.Event(), threading.Event()

    def work(run: tuple[int, int]) -> None:
        if run == (0, 1):
            compiling.wait(60)
            signal.raise_signal(signal.SIGINT)  # heard by the main thread, which waits for both
            return
        with _interrupt.heard_between_kernels():
            compiling.set()
            for _ in range(600):
                try:
                    with _interrupt.heard_between_kernels():
                        time.sleep(0.1)
                except KeyboardInterrupt:
                    interrupted.set()
                    return

    with pytest.raises(KeyboardInterrupt):
        run_blocks(work, [(0, 1), (1, 2)], 2)
    assert interrupted.is_set()
    with _interrupt.heard_between_kernels():
        done.append("later kernels are compiled")
    assert done


def test_interrupt__while_compiling_is_one_line(tmp_path: Path) -> None:
    np.save(tmp_path / "W.npy", np.random.default_rng(0).normal(size=(40, 30)))
    for delay in (0.1, 0.6, 1.1):
        running = subprocess.Popen(
            [BIPNET, "randomize", "W.npy", "--null", "G", "--seed", "1", "-o", "R.npy"],
            cwd=tmp_path,
            env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / f"after {delay}")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert running.stderr is not None
        assert running.stderr.readline() == COMPILING
        time.sleep(delay)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
        assert err == "bipnet: error: interrupted; no output was left half-written\n"
        assert (running.returncode, out) == (130, "")
        assert not list(tmp_path.glob("*R.npy*"))
