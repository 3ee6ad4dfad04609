"""The scripts of benchmarks/: a checkpoint that real libraries read, and the roofline."""

from __future__ import annotations

import itertools
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import tiny_models

import bipnet
from bipnet.bench.cases import Case, make_matrix
from bipnet.measures import STATISTICS

SCRIPTS = Path(__file__).resolve().parents[1] / "benchmarks"
TINY = ["--hidden=32", "--intermediate=80", "--layers=2", "--heads=4", "--kv-heads=2"]
TINY += ["--vocab=50", "--shard-mb=0.02"]


def script(name: str, *arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", SCRIPTS / name, *arguments]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done


def test_make_checkpoint__is_what_safetensors_and_its_index_say(tmp_path: Path) -> None:
    safe_open = pytest.importorskip("safetensors").safe_open
    folder = tmp_path / "llama"
    script("make_checkpoint.py", "-o", folder, *TINY)
    index = json.loads((folder / "model.safetensors.index.json").read_text(encoding="utf-8"))
    files = sorted(path.name for path in folder.glob("*.safetensors"))
    assert len(files) > 1
    assert set(index["weight_map"].values()) == set(files)
    shapes, n_bytes = {}, 0
    for file in files:
        with safe_open(folder / file, framework="numpy") as tensors:
            for name in tensors.keys():  # noqa: SIM118 (no mapping)
                assert index["weight_map"][name] == file
                tensor = tensors.get_tensor(name)
                assert tensor.dtype == ml_dtypes.bfloat16
                shapes[name] = tensor.shape
                n_bytes += tensor.nbytes
                spread = float(tensor.astype(np.float32).std())
                assert spread == 0 if "norm" in name else 0.015 < spread < 0.025
    assert n_bytes == index["metadata"]["total_size"]
    assert shapes["model.layers.1.self_attn.k_proj.weight"] == (16, 32)
    assert shapes["model.layers.0.mlp.down_proj.weight"] == (32, 80)
    assert shapes["model.embed_tokens.weight"] == shapes["lm_head.weight"] == (50, 32)
    assert len(shapes) == 2 * 9 + 3


def test_make_checkpoint__loads_into_a_real_llama(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    script("make_checkpoint.py", "-o", tmp_path / "llama", *TINY)
    config = transformers.AutoConfig.from_pretrained(tmp_path / "llama")
    model = transformers.LlamaForCausalLM(config)
    index = json.loads((tmp_path / "llama" / "model.safetensors.index.json").read_text())
    assert set(index["weight_map"]) == set(model.state_dict())


def test_make_checkpoint__is_reproducible(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        script("make_checkpoint.py", "-o", tmp_path / name, *TINY, "--seed", seed)
    bits = {
        name: next((tmp_path / name).glob("model-00001-*")).read_bytes() for name in ("a", "b", "c")
    }
    assert bits["a"] == bits["b"] != bits["c"]


def test_make_checkpoint__mistakes_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    done = script("make_checkpoint.py", "-o", tmp_path / "there", *TINY, code=2)
    assert len(done.stderr.splitlines()) == 1
    assert "output exists" in done.stderr
    script("make_checkpoint.py", "-o", tmp_path / "new", "--heads=3", "--hidden=32", code=2)
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_make_checkpoint__memory_is_that_of_a_piece(tmp_path: Path) -> None:
    # One tensor of 60 M weights, 120 MB: only pieces of it may ever be held.
    code = (
        "import pathlib, runpy, sys\n"
        "sys.argv = sys.argv[1:]\n"
        "try:\n    runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "(peak,) = (line.split()[1] for line in pathlib.Path('/proc/self/status').open()"
        " if line.startswith('VmHWM'))\nprint(peak)\n"
    )
    sizes = ["--hidden=64", "--intermediate=64", "--layers=1", "--heads=1", "--kv-heads=1"]
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, SCRIPTS / "make_checkpoint.py", "-o",
         tmp_path / "wide", "--vocab=937500", *sizes],
        capture_output=True, text=True, check=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    assert int(done.stdout.splitlines()[-1]) < 120_000  # kB, the interpreter and NumPy included


def test_roofline__gives_a_row_per_null_model() -> None:
    done = script("roofline.py", "--sizes", "96x32", "--seconds", "0.01", "--json")
    rows = json.loads(done.stdout)["rows"]
    assert [row["null"] for row in rows] == list("ABCDEFG")
    for row in rows:
        assert row["bytes_least"] >= 2 * 4 * 96 * 32
        assert row["seconds"] > 0
        assert row["ratio_to_copy"] == pytest.approx(row["seconds"] / row["copy_seconds"])
        assert row["gb_per_second"] == pytest.approx(row["bytes_least"] / row["seconds"] / 1e9)
    text = script("roofline.py", "--sizes", "40x30", "--seconds", "0.01").stdout
    assert "ns/weight" in text


def test_roofline__counts_the_bytes_of_sign_rounds() -> None:
    rows = json.loads(script("roofline.py", "--sizes", "96x32", "--seconds=0.01", "--json").stdout)
    by_null = {row["null"]: row["bytes_least"] for row in rows["rows"]}
    # 32 lines of 96 bits, i.e. two words, read and written in every round.
    rounds = bipnet.ensemble(make_matrix(Case(96, 32)), "G", n=1).steps
    assert rounds is not None
    assert rounds > 1
    assert by_null["G"] - by_null["B"] == 2 * rounds * 32 * 2 * 8


def test_roofline__mistakes_are_one_line() -> None:
    for arguments in (["--sizes", "96"], ["--nulls", "X"]):
        done = script("roofline.py", *arguments, code=2)
        assert len(done.stderr.splitlines()) == 1


def test_language_probes__find_what_the_naive_loop_finds(tmp_path: Path) -> None:
    folder, data, out = tmp_path / "model", tmp_path / "test.txt", tmp_path / "out.json"
    model: Any = tiny_models.distilbert()
    model.save_pretrained(folder)
    tiny_models.tokenizer().save_pretrained(folder)
    words = itertools.cycle(tiny_models.WORDS[5:18])
    lengths = [1, 7, 3, 9, 2] * 8
    blocks = ["\n".join(f"{next(words)} B-PER" for _ in range(n)) for n in lengths]
    data.write_text("\n\n".join(blocks))
    said = script("language_probes.py", folder, data, "--draws=2", "--threads=1", "-o", out).stdout
    rows = json.loads(out.read_text())["layers"]
    assert len(rows) == 6
    for row in rows:
        assert row["words labelled otherwise"] <= 1
        assert row["f1"] == pytest.approx(row["f1 naive"], abs=0.02)
        assert row["ratio"] == pytest.approx(row["naive s"] / row["bipnet s"])
    assert "classifier" in said


def test_measures__times_everything_and_gives_what_networkx_gives(tmp_path: Path) -> None:
    pytest.importorskip("networkx")
    out = tmp_path / "measures.json"
    text = script("measures.py", "--quick", "-o", out).stdout
    found = json.loads(out.read_text(encoding="utf-8"))
    alone = [row for row in found["alone"] if row["kind"] == "statistic"]
    assert {row["what"] for row in alone} | set(found["left_out"]) == set(STATISTICS)
    functions = {row["what"].partition("(")[0] for row in found["alone"]} - set(STATISTICS)
    assert {"projection", "sign_correlation"} <= functions
    times = [row["alone_s"] for row in found["alone"]]
    assert times == sorted(times, reverse=True)
    assert times[-1] > 0
    (together,) = found["together"]
    ordinary = [row["alone_s"] for row in alone if not row["what"].startswith("modularity")]
    assert together["statistics"] == len(ordinary)
    assert 0 < together["seconds"] < 3 * sum(ordinary)
    assert len(found["networkx"]) == 13
    for row in found["networkx"]:
        assert row["ratio"] == pytest.approx(row["networkx_s"] / row["bipnet_s"])
    # Everything that was timed stands in the text.
    for row in (*found["alone"], *found["networkx"]):
        assert row["what"] in text
    assert f"{together['statistics']} statistics together, on one graph" in text


def test_measures__statistics_pay_for_what_they_are_made_from() -> None:
    said = script("measures.py", "--sizes", "300x250", "--peer-size", "8x6", "--json").stdout
    found = json.loads(said)
    seconds = {row["what"]: row["alone_s"] for row in found["alone"]}
    # The singular values are most of the work, and were all charged to the first of these.
    spectral = [seconds[name] for name in ("singular_value", "effective_rank", "above_noise")]
    assert max(spectral) < 20 * min(spectral)
    assert min(spectral) > 5 * seconds["alpha"]
    assert {row["size"] for row in found["networkx"]} == {"8x6"}
    assert found["machine"]["versions"]["networkx"]


def test_measures__mistakes_are_one_line() -> None:
    for arguments in (["--sizes", "96"], ["--quick", "--peer-size", "1x9"]):
        done = script("measures.py", *arguments, code=2)
        assert len(done.stderr.splitlines()) == 1
        assert "left x right" in done.stderr


@pytest.mark.parametrize(
    ("expected", "found"),
    [([1.0, 2.0], [1.0, 2.1]), (np.nan, 1.0), ([0.0], [np.nan]), ([0.0, 1.0], [0.0, 0.0])],
)
def test_measures__other_numbers_end_the_script(expected: Any, found: Any) -> None:
    pytest.importorskip("networkx")
    require_equal = runpy.run_path(str(SCRIPTS / "measures.py"))["require_equal"]
    with pytest.raises(SystemExit, match="butterflies: networkx and bipnet differ"):
        require_equal("butterflies", expected, found)
