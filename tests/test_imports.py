"""`import bipnet` stays light, and the kernels' folder is no package of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HEAVY = (
    "numba",
    "scipy",
    "torch",
    "transformers",
    "matplotlib",
    "networkx",
    "zarr",
    "pandas",
    "sklearn",
    "skimage",
    "sknetwork",
)


def printed_by(code: str, folder: Path) -> str:
    """What a fresh interpreter prints, started in an empty folder."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def loaded_by(statement: str, folder: Path) -> set[str]:
    """Which of the heavy libraries a fresh interpreter has loaded after a statement."""
    report = f"{statement}\nimport sys\nprint(*(m for m in {HEAVY!r} if m in sys.modules))"
    return set(printed_by(report, folder).split())


def test_import__loads_nothing_heavy(tmp_path: Path) -> None:
    assert loaded_by("import bipnet", tmp_path) == set()


def test_import__of_every_public_name_loads_nothing_heavy(tmp_path: Path) -> None:
    names = "from bipnet import *\nfrom bipnet import randomize, SignedBipartiteGraph, NULL_MODELS"
    assert loaded_by(names, tmp_path) == set()


def test_import__of_the_converters_loads_no_other_tool(tmp_path: Path) -> None:
    assert loaded_by("import bipnet.convert", tmp_path) == set()
    loaded = loaded_by("from bipnet.convert import to_networkx; to_networkx([[1]])", tmp_path)
    assert loaded & {"networkx", "pandas", "torch"} == {"networkx"}


def test_loaded_by__notices_a_heavy_library(tmp_path: Path) -> None:
    assert loaded_by("import bipnet, scipy.sparse", tmp_path) == {"scipy"}
    assert "numba" in loaded_by("import bipnet_kernels", tmp_path)


def test_graph__of_a_numpy_array_loads_neither_scipy_nor_torch(tmp_path: Path) -> None:
    statement = "import bipnet; print(bipnet.randomize([[1.0, -2.0, 3.0]], 'A', rng=1).size)"
    loaded = loaded_by(statement, tmp_path)
    assert "3" in loaded  # it did run
    assert loaded & {"torch", "zarr", "pandas", "matplotlib", "networkx", "transformers"} == set()


def test_kernels_folder__is_not_importable(tmp_path: Path) -> None:
    # A package called `kernels` would be taken for Hugging Face's.
    code = "import importlib.util as u; print(u.find_spec('kernels'), u.find_spec('tests'))"
    assert printed_by(code, tmp_path) == "None None"
    found = "import importlib.util as u; print(u.find_spec('bipnet_kernels') is not None)"
    assert printed_by(found, tmp_path) == "True"


def test_getattr__of_an_unknown_name_is_an_attribute_error(tmp_path: Path) -> None:
    code = "import bipnet\ntry:\n bipnet.rewire\nexcept AttributeError as error: print(error)"
    assert "has no attribute 'rewire'" in printed_by(code, tmp_path)


def test_dir__names_the_store_without_loading_it(tmp_path: Path) -> None:
    assert set(printed_by("import bipnet; print(*dir(bipnet))", tmp_path).split()) >= {
        "Store",
        "new_store",
        "open_store",
        "randomize",
    }
    assert loaded_by("import bipnet; dir(bipnet)", tmp_path) == set()


def test_import__loads_these_packages_and_no_others(tmp_path: Path) -> None:
    code = """
import sys
before = set(sys.modules)
import bipnet
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*sorted(new - set(sys.stdlib_module_names)))
"""
    found = set(printed_by(code, tmp_path).split())
    modules_of_cython = {name for name in found if "cython" in name}  # within numpy.random
    assert found - modules_of_cython == {"bipnet", "ml_dtypes", "numpy", "psutil"}
