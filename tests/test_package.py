"""The built wheel and sdist: what is in them, and that they work outside the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.timeout(900)


def call(*command: object, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONSAFEPATH", "PYTHONPATH")
    }
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, env=environment
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Wheel and sdist, built from a copy of what git tracks."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    for name in filter(None, tracked):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    call(sys.executable, "-P", "-m", "build", "--no-isolation", "-o", out, ".", cwd=source)
    (wheel,) = out.glob("*.whl")
    (sdist,) = out.glob("*.tar.gz")
    return wheel, sdist


def test_wheel__holds_the_two_packages_and_nothing_else(built: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(built[0]) as wheel:
        names = wheel.namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"bipnet", "bipnet_kernels"}
    assert {"bipnet/py.typed", "bipnet_kernels/py.typed", "bipnet/cli/__init__.py"} <= set(names)
    assert "bipnet/experiments/templates/report.html.jinja" in names
    sources = {
        str(path.relative_to(base))
        for base, package in ((ROOT, "bipnet"), (ROOT / "kernels", "bipnet_kernels"))
        for path in (base / package).rglob("*.py")
    }
    assert sources == {name for name in names if name.endswith(".py")}


def test_sdist__builds_the_same_wheel(built: tuple[Path, Path], tmp_path: Path) -> None:
    with tarfile.open(built[1]) as sdist:
        sdist.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    out = tmp_path / "again"
    call(sys.executable, "-P", "-m", "build", "--no-isolation", "-w", "-o", out, ".", cwd=source)
    (wheel,) = out.glob("*.whl")
    with zipfile.ZipFile(built[0]) as first, zipfile.ZipFile(wheel) as second:
        assert sorted(first.namelist()) == sorted(second.namelist())


PROGRAM = """
import importlib.util, numpy as np, bipnet
assert importlib.util.find_spec("kernels") is None
assert importlib.util.find_spec("torch") is None
W = np.random.default_rng(0).normal(size=(8, 5))
np.save("W.npy", W)
for null in bipnet.NULL_MODELS:
    bipnet.verify(W, bipnet.randomize(W, null, rng=1), null)
print(bipnet.__version__)
"""


def test_wheel__works_outside_the_checkout_and_without_torch(
    built: tuple[Path, Path], tmp_path: Path
) -> None:
    call(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    python, bipnet = (tmp_path / "venv" / "bin" / name for name in ("python", "bipnet"))
    call(python, "-m", "pip", "install", "--quiet", built[0], cwd=tmp_path)
    work = tmp_path / "work"
    work.mkdir()
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert call(python, "-W", "ignore", "-c", PROGRAM, cwd=work).stdout.strip() == declared
    call(bipnet, "randomize", "W.npy", "--null", "G", "--seed", "1", "-o", "R.npy", cwd=work)
    call(bipnet, "verify", "W.npy", "R.npy", "--null", "G", cwd=work)
    call(bipnet, "stats", "R.npy", cwd=work)
    call(bipnet, "export", "W.npy", "-o", "s.zarr", cwd=work)
    call(bipnet, "layers", "s.zarr", cwd=work)
    done = call(bipnet, "bench", "--quick", "--nulls", "AG", "--peers", "numpy,igraph", cwd=work)
    assert "missing peer: igraph rewire" in done.stderr
    (work / "m.pt").write_bytes(b"PK\x03\x04")
    for arguments in (
        ("layers", "m.pt"),
        ("score", "m.pt", "--data", "W.npy"),
        ("demo",),
        ("bench", "--quick", "-o", "b"),
    ):
        done = call(bipnet, *arguments, cwd=work, code=2)
        assert done.stdout == ""
        assert len(done.stderr.splitlines()) == 1
        assert "pip install" in done.stderr
