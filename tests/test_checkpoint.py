"""Whole checkpoints: layer by layer, everything else byte for byte, finished after any kill."""

from __future__ import annotations

import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest
from news import without_news

import bipnet
from bipnet import NULL_MODELS, _atomic
from bipnet.cli import run
from bipnet.convert import LayerInfo, extent, matching_layers, open_source
from bipnet.convert import rewrite as rewrite_module
from bipnet.convert.journal import NAME, Journal
from bipnet.convert.rewrite import Rewritten, rewrite, unfinished_recipe
from bipnet.convert.safetensors_file import SafetensorsFolder, SafetensorsSource

BIPNET = Path(sys.executable).with_name("bipnet")
BF16 = np.dtype(ml_dtypes.bfloat16)
HIDDEN, INNER, WORDS = 40, 64, 48

Array = npt.NDArray[Any]
Files = dict[str, bytes]
Run = Callable[..., tuple[int, str, str]]
each_null = pytest.mark.parametrize("null", list(NULL_MODELS))


# -- a small generator -------------------------------------------------------------------------


def llama_shapes(
    hidden: int = HIDDEN, inner: int = INNER, words: int = WORDS, n_layers: int = 2
) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a small Llama, in the order of its modules."""
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (words, hidden)}
    for i in range(n_layers):
        block = f"model.layers.{i}"
        shapes |= {
            f"{block}.input_layernorm.weight": (hidden,),
            f"{block}.self_attn.q_proj.weight": (hidden, hidden),
            f"{block}.self_attn.k_proj.weight": (hidden // 2, hidden),
            f"{block}.self_attn.v_proj.weight": (hidden // 2, hidden),
            f"{block}.self_attn.o_proj.weight": (hidden, hidden),
            f"{block}.post_attention_layernorm.weight": (hidden,),
            f"{block}.mlp.gate_proj.weight": (inner, hidden),
            f"{block}.mlp.up_proj.weight": (inner, hidden),
            f"{block}.mlp.down_proj.weight": (hidden, inner),
        }
    return shapes | {"model.norm.weight": (hidden,), "lm_head.weight": (words, hidden)}


def weights_of(shape: tuple[int, ...], rng: np.random.Generator) -> bytes:
    """bfloat16 weights of both signs, none of them zero; quick for large shapes too."""
    bits = rng.integers(0x3C00, 0x3F80, size=shape, dtype=np.uint16)
    return (bits | (rng.integers(0, 2, size=shape, dtype=np.uint16) << 15)).tobytes()


def write_shard(path: Path, tensors: dict[str, tuple[str, tuple[int, ...], bytes]]) -> None:
    """A safetensors file with tensors in the given order and odd blanks after its header."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt", "made by": "a test, ünïcode"}}
    at = 0
    for name, (dtype, shape, content) in tensors.items():
        offsets = [at, at + len(content)]
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": offsets}
        at += len(content)
    text = json.dumps(header, indent=1, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8 + 16)
    content = b"".join(content for _, _, content in tensors.values())
    path.write_bytes(struct.pack("<Q", len(text)) + text + content)


def write_llama(
    folder: Path, *, n_shards: int = 3, seed: int = 0, shapes: dict[str, Any] | None = None
) -> Path:
    """A Hugging Face folder: bf16 shards (or one file), index, configuration and other files."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    shapes = llama_shapes() if shapes is None else shapes
    names = list(shapes)
    per_shard = -(-len(names) // n_shards)
    weight_map = {}
    for k in range(n_shards):
        title = f"model-{k + 1:05}-of-{n_shards:05}.safetensors"
        part = names[k * per_shard : (k + 1) * per_shard]
        part = [part[i] for i in rng.permutation(len(part))]  # no order to rely on
        if n_shards == 1:
            title = "model.safetensors"
        write_shard(
            folder / title,
            {name: ("BF16", shapes[name], weights_of(shapes[name], rng)) for name in part},
        )
        weight_map |= dict.fromkeys(part, title)
    if n_shards > 1:
        index = {"metadata": {"total_size": 1}, "weight_map": weight_map}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=3))
    (folder / "config.json").write_text('{"model_type":  "llama"}\n')
    (folder / "tokenizer.json").write_bytes(bytes(range(256)) * 5)
    (folder / "assets" / "deep").mkdir(parents=True)
    (folder / "assets" / "deep" / "note.txt").write_text("kept")
    (folder / "empty").touch()
    return folder


def content_of(folder: Path) -> Files:
    """Every file of a folder and below."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def tensors_in(files: Files) -> dict[str, tuple[str, int, int, tuple[int, ...]]]:
    """File, first and last byte, and shape of every tensor; by reading headers, with no library."""
    found = {}
    for title, content in files.items():
        if title.endswith(".safetensors"):
            (n,) = struct.unpack("<Q", content[:8])
            header = json.loads(content[8 : 8 + n])
            header.pop("__metadata__", None)
            for name, entry in header.items():
                first, last = (8 + n + at for at in entry["data_offsets"])
                found[name] = (title, first, last, tuple(entry["shape"]))
    return found


def matrix_in(files: Files, name: str) -> Array:
    """A bfloat16 tensor in its own shape."""
    title, first, last, shape = tensors_in(files)[name]
    return np.frombuffer(files[title][first:last], dtype=BF16).reshape(shape)


def assert_drawn(old: Files, new: Files, null: str, names: list[str], seed: int = 7) -> None:
    """``names`` are draws, bit for bit, and every other byte is what it was."""
    places = tensors_in(old)
    expected = {title: bytearray(content) for title, content in old.items()}
    for name in names:
        title, first, last, _ = places[name]
        matrix = np.ascontiguousarray(matrix_in(old, name).T)
        draw = bipnet.randomize(matrix, null, rng=seed, name=name)
        expected[title][first:last] = np.ascontiguousarray(draw.T).tobytes()
        assert expected[title][first:last] != old[title][first:last]
    assert new == expected


def linear_names(shapes: dict[str, tuple[int, ...]] | None = None) -> list[str]:
    """The tensors taken by default."""
    return [name for name in shapes or llama_shapes() if "_proj" in name]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line in this process: (exit code, stdout, stderr)."""

    def call(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def assert_refused(result: tuple[int, str, str], *words: str) -> None:
    code, out, err = result
    assert (code, out) == (2, "")
    assert err.startswith("bipnet: error: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    for word in words:
        assert word in err


def hidden(folder: Path) -> list[Path]:
    """Unfinished outputs in a folder."""
    return [path for path in folder.iterdir() if ".partial-" in path.name]


@pytest.fixture
def small_slabs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small matrices take the paths of large ones: many slabs, on threads."""
    monkeypatch.setattr(extent, "_SLAB_BYTES", 256)
    monkeypatch.setattr(extent, "_LINE", 2)
    monkeypatch.setattr(extent, "_WORTH_THREADS", 0)
    monkeypatch.setattr(extent, "usable_cores", lambda: 3)


# -- draws, and all that stays -----------------------------------------------------------------


@each_null
def test_folder__becomes_a_folder_in_which_only_layers_changed(
    null: str, cli: Run, tmp_path: Path
) -> None:
    old = content_of(write_llama(tmp_path / "in"))
    code, _, err = cli(
        "randomize", tmp_path / "in", "--null", null, "--seed", 7, "-o", tmp_path / "out"
    )
    assert (code, err) == (0, "")
    assert_drawn(old, content_of(tmp_path / "out"), null, linear_names())
    assert content_of(tmp_path / "in") == old
    assert cli("verify", tmp_path / "in", tmp_path / "out", "--null", null)[0] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


@pytest.mark.usefixtures("small_slabs")
@pytest.mark.parametrize("null", ["B", "F", "G"])
def test_folder__is_the_same_by_many_slabs_and_threads(null: str, cli: Run, tmp_path: Path) -> None:
    old = content_of(write_llama(tmp_path / "in"))
    slabs = extent.Extent("", 0, place(56, 24), BF16).slabs()
    assert slabs[1] == (4, 8)  # whole lines of the matrix
    cli("randomize", tmp_path / "in", "--null", null, "--seed", 7, "-o", tmp_path / "out")
    assert_drawn(old, content_of(tmp_path / "out"), null, linear_names())


def place(n_rows: int, n_columns: int) -> Any:
    from bipnet.convert.orientation import Placement

    return Placement(0, n_rows, n_columns, transposed=True)


def test_single_file__alone_and_in_its_folder(cli: Run, tmp_path: Path) -> None:
    old = content_of(write_llama(tmp_path / "in", n_shards=1))
    options = ("--null", "E", "--seed", 7, "-o")
    assert cli("randomize", tmp_path / "in", *options, tmp_path / "out")[0] == 0
    assert_drawn(old, content_of(tmp_path / "out"), "E", linear_names())
    alone = tmp_path / "alone.safetensors"
    assert cli("randomize", tmp_path / "in" / "model.safetensors", *options, alone)[0] == 0
    assert alone.read_bytes() == (tmp_path / "out" / "model.safetensors").read_bytes()
    mode = (tmp_path / "in" / "model.safetensors").stat().st_mode
    assert alone.stat().st_mode == mode
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "in").stat().st_mode


def test_index__may_be_named_instead_of_the_folder(cli: Run, tmp_path: Path) -> None:
    write_llama(tmp_path / "in")
    options = ("--null", "A", "--seed", 7, "-o")
    cli("randomize", tmp_path / "in", *options, tmp_path / "one")
    index = tmp_path / "in" / "model.safetensors.index.json"
    assert cli("randomize", index, *options, tmp_path / "two")[0] == 0
    assert content_of(tmp_path / "one") == content_of(tmp_path / "two")


@pytest.mark.parametrize("null", ["A", "G"])
def test_layer__is_the_same_alone_as_among_all(null: str, cli: Run, tmp_path: Path) -> None:
    old = content_of(write_llama(tmp_path / "in"))
    options = ("--null", null, "--seed", 7)
    cli("randomize", tmp_path / "in", *options, "-o", tmp_path / "all")
    every = content_of(tmp_path / "all")
    for name in linear_names()[::5]:
        output = tmp_path / name
        assert cli("randomize", tmp_path / "in", *options, "--layers", name, "-o", output)[0] == 0
        alone = content_of(output)
        assert_drawn(old, alone, null, [name])
        assert matrix_in(alone, name).tobytes() == matrix_in(every, name).tobytes()


def drawing(null: str = "E", seed: int = 7) -> Callable[[LayerInfo, Array], None]:
    def change(layer: LayerInfo, matrix: Array) -> None:
        bipnet.randomize(matrix, null, rng=seed, name=layer.name, out=matrix)

    return change


def opened(path: Path) -> tuple[SafetensorsFolder | SafetensorsSource, list[LayerInfo]]:
    source = open_source(path)
    assert isinstance(source, (SafetensorsFolder, SafetensorsSource))
    return source, matching_layers(source.layers, [], path)


def test_layers__may_come_in_any_order(tmp_path: Path) -> None:
    old = content_of(write_llama(tmp_path / "in"))
    source, layers = opened(tmp_path / "in")
    for k, order in enumerate((layers, layers[::-1], sorted(layers, key=lambda x: x.shape))):
        rewrite(source, order, tmp_path / f"out{k}", drawing(), {})
        assert_drawn(old, content_of(tmp_path / f"out{k}"), "E", linear_names())


@pytest.mark.parametrize("null", ["D", "G"])
def test_checkpoint__has_the_bits_of_swapped(null: str, cli: Run, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file

    from bipnet.torch import swapped

    model = torch.nn.ModuleDict({"mlp": torch.nn.Linear(19, 33), "head": torch.nn.Linear(33, 5)})
    model = model.to(torch.bfloat16)
    write_shard(
        tmp_path / "in.safetensors",
        {
            name: ("BF16", tuple(value.shape), value.view(torch.int16).numpy().tobytes())
            for name, value in model.state_dict().items()
        },
    )
    output = tmp_path / "out.safetensors"
    cli("randomize", tmp_path / "in.safetensors", "--null", null, "--seed", 3, "-o", output)
    written = load_file(output)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with swapped(model, null, rng=3):
        for name, value in model.state_dict().items():
            assert torch.equal(written[name], value)
            assert ("weight" in name) != torch.equal(before[name], value)


@pytest.mark.usefixtures("small_slabs")
def test_every_layout__is_written_where_it_was_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    shapes: dict[str, tuple[int, ...]] = {
        "wte.weight": (11, 7),
        "h.0.attn.weight": (9, 30),
        "h.0.conv.weight": (6, 5, 3, 3),
        "h.0.experts.up": (3, 8, 13),
        "h.0.narrow.weight": (1, 40),
        "h.0.tall.weight": (40, 1),
    }
    tensors = {
        f"{name}{kind}": (kind, shape, rng.normal(size=shape).astype(dtype).tobytes())
        for name, shape in shapes.items()
        for kind, dtype in (("F64", "f8"), ("F32", "f4"), ("F16", "f2"), ("BF16", BF16))
    }
    for k, (name, (kind, shape, data)) in enumerate(list(tensors.items())):
        del tensors[name]
        tensors[name.replace(kind, "").replace(".", f".{kind}.", 1) + f".{k}"] = (kind, shape, data)
    tensors = {
        f"{kind}.{name.rpartition('.')[0].replace(f'{kind}.', '')}": value
        for name, value in tensors.items()
        for kind in (value[0],)
    }
    write_shard(tmp_path / "in.safetensors", tensors)
    source = open_source(tmp_path / "in.safetensors")
    assert isinstance(source, SafetensorsSource)
    layers = list(source.layers)
    assert {layer.orientation for layer in layers} == {
        "left-right", "right-left", "conv", "stack-right-left",
    }  # fmt: skip
    assert len(layers) == 4 * (5 + 3)
    seen = {}

    def negated(layer: LayerInfo, matrix: Array) -> None:
        assert matrix.shape == layer.shape
        assert matrix.flags.c_contiguous
        seen[layer.name] = matrix.copy()
        matrix *= -1

    rewrite(source, layers, tmp_path / "out.safetensors", negated, {})
    new = open_source(tmp_path / "out.safetensors")
    for layer in layers:
        graph = source.read(layer)
        np.testing.assert_array_equal(graph.to_array(), seen[layer.name])
        np.testing.assert_array_equal(new.read(layer).to_array(), -seen[layer.name])
    old = content_of(tmp_path)
    flipped = bytearray(old["in.safetensors"])
    for _, first, last, _ in tensors_in({"in.safetensors": old["in.safetensors"]}).values():
        part = np.frombuffer(flipped, dtype=np.uint8)[first:last]
        assert part.size == last - first
    for name, (_, first, last, _) in tensors_in({"in": b""} | old).items():
        if name.startswith(("F64", "F32", "F16", "BF16")):
            width = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}[name.split(".")[0]]
            signs = np.frombuffer(flipped, dtype=np.uint8)[first + width - 1 : last : width]
            flipped[first + width - 1 : last : width] = (signs ^ 0x80).tobytes()
    assert bytes(flipped) == old["out.safetensors"]


def test_pruned_layer__keeps_what_its_mask_hides(cli: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(size=(12, 9)).astype("f4")
    mask = (rng.random((12, 9)) < 0.6).astype("f4")
    tensors = {"fc.weight_orig": values, "fc.weight_mask": mask}
    write_shard(
        tmp_path / "in.safetensors",
        {name: ("F32", part.shape, part.tobytes()) for name, part in tensors.items()},
    )
    output = tmp_path / "out.safetensors"
    cli("randomize", tmp_path / "in.safetensors", "--null", "C", "--seed", 7, "-o", output)
    new = content_of(tmp_path)["out.safetensors"]
    _, first, last, shape = tensors_in({"x.safetensors": new})["fc.weight_orig"]
    written = np.frombuffer(new[first:last], dtype="f4").reshape(shape)
    np.testing.assert_array_equal(written[mask == 0], values[mask == 0])
    kept = np.ascontiguousarray((values * mask).T)
    draw = bipnet.randomize(kept, "C", rng=7, name="fc.weight")
    np.testing.assert_array_equal((written * mask).T, draw)
    assert not np.array_equal(written, values)


def test_writer_of_a_folder__takes_layers_in_any_order(tmp_path: Path) -> None:
    old = content_of(write_llama(tmp_path / "in"))
    source, layers = opened(tmp_path / "in")
    with source.writer(tmp_path / "out", force=False) as writer:
        for layer in layers[::-1]:
            graph = source.read(layer)
            writer.put(layer, bipnet.randomize(graph, "E", rng=7, name=layer.name))
    assert_drawn(old, content_of(tmp_path / "out"), "E", linear_names())
    with pytest.raises(bipnet.OutputExistsError, match="--force"):
        source.writer(tmp_path / "out", force=False).__enter__()


def test_folder_of_links__is_copied_as_what_they_point_to(cli: Run, tmp_path: Path) -> None:
    old = content_of(write_llama(tmp_path / "blobs"))
    (tmp_path / "in").mkdir()
    for path in (tmp_path / "blobs").iterdir():
        (tmp_path / "in" / path.name).symlink_to(path)
    cli("randomize", tmp_path / "in", "--null", "B", "--seed", 7, "-o", tmp_path / "out")
    assert_drawn(old, content_of(tmp_path / "out"), "B", linear_names())
    assert not any(path.is_symlink() for path in (tmp_path / "out").rglob("*"))


def test_other_weights_of_a_folder__are_copied_and_named(cli: Run, tmp_path: Path) -> None:
    write_llama(tmp_path / "in")
    for name in ("pytorch_model.bin", "optimizer.pt", "extra.safetensors"):
        (tmp_path / "in" / name).write_bytes(b"weights")
    code, _, err = cli("randomize", tmp_path / "in", "--null", "A", "-o", tmp_path / "out")
    assert code == 0
    assert err.count("\n") == 1
    assert "extra.safetensors, pytorch_model.bin" in err
    assert "optimizer" not in err
    assert (tmp_path / "out" / "pytorch_model.bin").read_bytes() == b"weights"


def test_commands__read_folders(cli: Run, tmp_path: Path) -> None:
    write_llama(tmp_path / "in")
    listed = json.loads(cli("layers", tmp_path / "in", "--json")[1])
    assert sorted(layer["name"] for layer in listed["layers"] if layer["by_default"]) == sorted(
        linear_names()
    )
    assert {skipped["name"] for skipped in listed["skipped"]} == {
        name for name in llama_shapes() if "norm" in name
    }
    stats = json.loads(cli("stats", tmp_path / "in", "--layers", "*1.mlp*", "--json")[1])
    assert sorted((part["n_left"], part["n_right"]) for part in stats["layers"]) == [
        (HIDDEN, INNER), (HIDDEN, INNER), (INNER, HIDDEN),
    ]  # fmt: skip
    assert cli("export", tmp_path / "in", "-o", tmp_path / "s.zarr")[0] == 0
    assert cli("verify", tmp_path / "in", tmp_path / "s.zarr", "--null", "E")[0] == 0
    cli("randomize", tmp_path / "in", "--null", "A", "--seed", 1, "-o", tmp_path / "out")
    assert cli("verify", tmp_path / "in", tmp_path / "out", "--null", "B")[0] == 1


def test_json__says_how_fast_each_stage_was(cli: Run, tmp_path: Path) -> None:
    write_llama(tmp_path / "in")
    (tmp_path / "W.npy").parent.mkdir(exist_ok=True)
    np.save(tmp_path / "W.npy", np.arange(-5.0, 7.0).reshape(3, 4))
    for name, output, stages in (
        ("in", "out", {"copy", "read", "change", "write", "flush", "total"}),
        ("W.npy", "R.npy", {"read", "change", "write", "total"}),
    ):
        options = ("--null", "A", "--seed", 7, "-o", tmp_path / output, "--json")
        result = json.loads(cli("randomize", tmp_path / name, *options)[1])
        assert set(result["seconds"]) == stages
        assert set(result["weights_per_second"]) <= stages
        assert result["weights"] == 12 or name == "in"
        assert result["seconds"]["total"] >= result["seconds"]["change"] > 0
    shapes = [shape for name, shape in llama_shapes().items() if "_proj" in name]
    result = json.loads(
        cli("randomize", tmp_path / "in", "--null", "A", "-o", tmp_path / "o", "--json")[1]
    )
    assert result["weights"] == sum(a * b for a, b in shapes)
    assert result["resumed"] is None
    speed, seconds = result["weights_per_second"]["change"], result["seconds"]["change"]
    assert speed * seconds == pytest.approx(result["weights"], rel=0.01)


# -- kill and resume ---------------------------------------------------------------------------

KILL_EVERYWHERE = """
    # Forks a child per moment at which it is killed, then one that resumes; until none is left.
    import hashlib, json, os, shutil, signal, sys
    from pathlib import Path
    from bipnet.cli import run

    base, source, old, *options = sys.argv[1:]
    base = Path(base)
    output = base / ("out" + Path(source).suffix)
    moments = ("open", "os.", "shutil.", "ctypes.dl", "tempfile.")

    def digest(path):
        files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
        total = hashlib.sha256()
        for file in files:
            total.update(str(file.relative_to(path)).encode() + b":" + file.read_bytes())
        return total.hexdigest() if path.exists() else None

    def reset():
        for path in base.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if old and Path(old).is_dir():
            shutil.copytree(old, output)
        elif old:
            shutil.copyfile(old, output)

    def child(*extra, kill_at=None):
        pid = os.fork()
        if pid:
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if kill_at is not None:
            left = [kill_at]
            def kill(event, arguments):
                if event.startswith(moments) and event != "os.kill":
                    left[0] -= 1
                    if left[0] < 0:
                        os.kill(os.getpid(), signal.SIGKILL)
            sys.addaudithook(kill)
        os._exit(run(["randomize", source, "-o", str(output), *options, *extra]))

    reset()
    before = digest(output)
    sys.stdout = open(os.devnull, "w")
    assert run(["randomize", source, "-o", str(output), *options]) == 0  # loads and compiles
    sys.stdout = sys.__stdout__
    wanted = digest(output)
    assert wanted != before
    counts = {"old": 0, "new": 0, "twice": 0, "done": 0}
    moment = 0
    while True:
        reset()
        code = child(kill_at=moment)
        found = digest(output)
        assert found in (before, wanted), moment
        counts["old" if found == before else "new"] += 1
        if code == 0:
            break
        assert code == -signal.SIGKILL, code
        if moment % 3 == 0:  # and the one that resumes is killed as well
            counts["twice"] += child("--resume", kill_at=moment // 2) == -signal.SIGKILL
            assert digest(output) in (before, wanted), moment
        already = digest(output) == wanted
        code = child("--resume")
        assert digest(output) == wanted, moment
        names = sorted(path.name for path in base.iterdir())
        if code == 2:  # all was done but to remove an empty folder: "output exists"
            assert already, moment
            counts["done"] += 1
            assert all(path.is_file() or path.name[0] != "." or not any(path.iterdir())
                       for path in base.iterdir()), names
        else:
            assert code == 0, moment
            assert names == [output.name], (moment, names)
        moment += 1
    print(json.dumps({**counts, "moments": moment}))
"""


@pytest.mark.parametrize(
    "kind", ["folder", "folder over an old one", "file", "file over an old one"]
)
def test_kill__at_any_moment_leaves_the_old_or_the_new_and_can_be_resumed(
    kind: str, tmp_path: Path
) -> None:
    shapes = llama_shapes(hidden=8, inner=12, words=6, n_layers=1)
    old = ""
    options = ["--null", "E", "--seed", "7"]
    if kind.startswith("folder"):
        source = write_llama(tmp_path / "in", n_shards=2, shapes=shapes)
        before = write_llama(tmp_path / "old", n_shards=1, seed=5, shapes=shapes)
    else:
        folder = write_llama(tmp_path / "in", n_shards=1, shapes=shapes)
        source = folder / "model.safetensors"
        before = tmp_path / "old.safetensors"
        before.write_bytes(b"precious")
    if "old" in kind:
        old = str(before)
        options.append("--force")
    (tmp_path / "work").mkdir()
    done = subprocess.run(
        [
            sys.executable, "-c", textwrap.dedent(KILL_EVERYWHERE),
            str(tmp_path / "work"), str(source), old, *options,
        ],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    counts = json.loads(done.stdout)
    assert counts["moments"] > 30
    assert min(counts["old"], counts["new"], counts["twice"]) > 2
    assert counts["done"] <= 4


class StopError(Exception):
    """Raised where a test wants a run to end as if it had been killed."""


def interrupted_after(
    n: int, source: Any, layers: list[LayerInfo], output: Path, **options: Any
) -> None:
    """A run that Ctrl-C ends when ``n`` layers are done."""
    change = drawing()
    left = [n]

    def stop(layer: LayerInfo, matrix: Array) -> None:
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        change(layer, matrix)

    with pytest.raises(KeyboardInterrupt):
        rewrite(source, layers, output, stop, options.pop("recipe", {}), **options)


def resumed(
    source: Any, layers: list[LayerInfo], output: Path, **options: Any
) -> tuple[Rewritten, list[str]]:
    """Resume; also which layers were drawn (again)."""
    change, drawn = drawing(), []

    def counted(layer: LayerInfo, matrix: Array) -> None:
        drawn.append(layer.name)
        change(layer, matrix)

    recipe = options.pop("recipe", {})
    done = rewrite(source, layers, output, counted, recipe, resume=True, **options)
    return done, drawn


def test_resume__draws_only_what_is_left(tmp_path: Path) -> None:
    old = content_of(write_llama(tmp_path / "in"))
    source, layers = opened(tmp_path / "in")
    names = [layer.name for layer in layers]
    for n in (0, 1, 6, len(layers) - 1):
        output = tmp_path / f"out{n}"
        interrupted_after(n, source, layers, output)
        assert not output.exists()
        assert len(hidden(tmp_path)) == 1
        seen: list[int] = []
        done, drawn = resumed(source, layers, output, advance=seen.append)
        assert (done.resumed, drawn) == (names[:n], names[n:])
        assert sum(seen) == sum(layer.shape[0] * layer.shape[1] for layer in layers)
        assert_drawn(old, content_of(output), "E", names)
        assert hidden(tmp_path) == []


@pytest.mark.parametrize("damage", ["zeros", "short", "gone", "one bit", "journal"])
def test_resume__draws_again_what_was_torn(damage: str, tmp_path: Path) -> None:
    old = content_of(write_llama(tmp_path / "in"))
    source, layers = opened(tmp_path / "in")
    names = [layer.name for layer in layers]
    interrupted_after(8, source, layers, tmp_path / "out")
    (work,) = hidden(tmp_path)
    place = source.extent_of(layers[2])
    torn = work / "made" / place.file
    if damage == "gone":
        torn.unlink()
    elif damage == "short":
        os.truncate(torn, place.offset + 9)
    elif damage == "journal":
        text = (work / NAME).read_bytes()
        (work / NAME).write_bytes(text[: text.rindex(b"digest") + 12])  # mid-line, mid-digest
    else:
        content = bytearray(torn.read_bytes())
        if damage == "zeros":
            content[place.offset + 100 : place.offset + 120] = bytes(20)
        else:
            content[place.offset + place.n_bytes - 1] ^= 1
        torn.write_bytes(content)
    done, drawn = resumed(source, layers, tmp_path / "out")
    if damage == "journal":
        assert drawn == names[7:]
    elif damage in ("zeros", "one bit"):
        assert drawn == [names[2], *names[8:]]
    else:
        assert set(drawn) >= {names[2], *names[8:]}
    assert done.resumed == [name for name in names if name not in drawn]
    assert_drawn(old, content_of(tmp_path / "out"), "E", names)


def test_resume__of_another_run_is_refused_with_what_differs(cli: Run, tmp_path: Path) -> None:
    write_llama(tmp_path / "in")
    output = tmp_path / "out"
    source, layers = opened(tmp_path / "in")
    recipe = {"null": "G", "seed": 7, "index": 0, "method": None, "steps": None}
    recipe |= {"orientation": None}
    interrupted_after(3, source, layers, output, recipe=recipe)
    (work,) = hidden(tmp_path)
    before = content_of(work)
    given = {"--null": "G", "--seed": 7}
    for changed, words in (
        ({"--null": "B"}, "null was G and is B"),
        ({"--seed": 8}, "seed was 7 and is 8"),
        ({"--index": 1}, "index was 0 and is 1"),
        ({"--method": "swap"}, "method was None and is swap"),
        ({"--steps": 3}, "steps was None and is 3"),
        ({"--layers": "*mlp*"}, "other layers were chosen"),
        ({"--orientation": "right-left"}, "orientation was None and is right-left"),
    ):
        options = [part for pair in (given | changed).items() for part in pair]
        result = cli("randomize", tmp_path / "in", *options, "-o", output, "--resume")
        assert_refused(result, words, "--resume", str(output))
        assert content_of(work) == before
    (tmp_path / "in" / "config.json").write_text('{"model_type": "gpt2"}')
    options = [part for pair in given.items() for part in pair]
    result = cli("randomize", tmp_path / "in", *options, "-o", output, "--resume")
    assert_refused(result, "the input has changed since")
    assert content_of(work) == before
    # Without --resume it is cleared away.
    assert cli("randomize", tmp_path / "in", *options, "-o", output)[0] == 0
    assert hidden(tmp_path) == []


def test_resume__of_a_file_minds_the_configuration_beside_it(tmp_path: Path) -> None:
    folder = write_llama(tmp_path / "in", n_shards=1)
    source, layers = opened(folder / "model.safetensors")
    output = tmp_path / "out.safetensors"
    interrupted_after(3, source, layers, output)
    (folder / "config.json").write_text('{"model_type": "gpt2"}')  # its layers are not transposed
    source, layers = opened(folder / "model.safetensors")
    with pytest.raises(bipnet.InputError, match="other layers were chosen, or they lie otherwise"):
        resumed(source, layers, output)
    assert len(hidden(tmp_path)) == 1


def test_resume__takes_the_seed_from_what_is_there(cli: Run, tmp_path: Path) -> None:
    old = content_of(write_llama(tmp_path / "in"))
    source, layers = opened(tmp_path / "in")
    recipe = {"null": "E", "seed": 7, "index": 0, "method": None, "steps": None, "loops": None}
    interrupted_after(3, source, layers, tmp_path / "out", recipe={**recipe, "orientation": None})
    found = unfinished_recipe(tmp_path / "out")
    assert found is not None
    assert {key: found[key] for key in recipe} == recipe
    options = ("--null", "E", "-o", tmp_path / "out", "--resume", "--json")
    code, out, err = cli("randomize", tmp_path / "in", *options)
    assert (code, err) == (0, "")
    result = json.loads(out)
    assert result["seed"] == 7
    assert result["resumed"] == [layer.name for layer in layers[:3]]
    assert_drawn(old, content_of(tmp_path / "out"), "E", linear_names())


def test_resume__of_nothing_begins_and_says_so(cli: Run, tmp_path: Path) -> None:
    old = content_of(write_llama(tmp_path / "in"))
    options = ("--null", "E", "--seed", 7, "-o", tmp_path / "out", "--resume")
    code, _, err = cli("randomize", tmp_path / "in", *options)
    assert code == 0
    assert err == f"bipnet: nothing of {tmp_path / 'out'} to resume: starting anew\n"
    assert_drawn(old, content_of(tmp_path / "out"), "E", linear_names())
    assert_refused(cli("randomize", tmp_path / "in", *options), "output exists")


def test_resume__of_nothing_without_a_seed_is_refused(cli: Run, tmp_path: Path) -> None:
    write_llama(tmp_path / "in")
    options = ("--null", "E", "-o", tmp_path / "out", "--resume")
    assert_refused(cli("randomize", tmp_path / "in", *options), "give --seed")
    assert not (tmp_path / "out").exists()


def test_resume__is_for_checkpoints_alone(cli: Run, tmp_path: Path) -> None:
    np.save(tmp_path / "W.npy", np.arange(-5.0, 7.0).reshape(3, 4))
    result = cli(
        "randomize", tmp_path / "W.npy", "--null", "A", "-o", tmp_path / "R.npy", "--resume"
    )
    assert_refused(result, "--resume is for safetensors")
    write_llama(tmp_path / "in")
    assert_refused(cli("randomize", tmp_path / "in", "--null", "A", "--resume"), "-o")


def test_resume__does_not_take_the_output_of_a_running_process(cli: Run, tmp_path: Path) -> None:
    write_llama(tmp_path / "in")
    with _atomic.kept_folder(tmp_path / "out") as alive:
        options = ("--null", "E", "-o", tmp_path / "out")
        result = cli("randomize", tmp_path / "in", *options, "--resume")
        assert_refused(result, "another process is writing")
        assert alive.exists()
        assert cli("randomize", tmp_path / "in", *options)[0] == 0
        assert alive.exists()


def test_resume__after_the_last_step_finds_the_output_finished(tmp_path: Path) -> None:
    write_llama(tmp_path / "in")
    source, layers = opened(tmp_path / "in")
    output = tmp_path / "out"
    left = tmp_path / ".out.partial-left"
    with pytest.MonkeyPatch.context() as patch:  # killed before its folder was cleared away
        patch.setattr(_atomic, "_remove", lambda path: None)
        rewrite(source, layers, output, drawing(), {})
    (work,) = hidden(tmp_path)
    work.rename(left)
    before = content_of(output)
    done, drawn = resumed(source, layers, output)
    assert (drawn, done.resumed) == ([], [layer.name for layer in layers])
    assert content_of(output) == before
    assert hidden(tmp_path) == []


def test_resume__does_not_go_on_in_what_was_exchanged_for_the_output(tmp_path: Path) -> None:
    old = content_of(write_llama(tmp_path / "in"))
    source, layers = opened(tmp_path / "in")
    output = write_llama(tmp_path / "out", seed=9)
    (output / "stale.txt").write_text("of the old output")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_atomic, "_remove", lambda path: None)
        patch.setattr(rewrite_module.shutil, "rmtree", lambda path, **_: None)
        rewrite(source, layers, output, drawing(), {}, force=True)
    (work,) = hidden(tmp_path)
    assert (work / "made" / "stale.txt").exists()  # there the old one is now
    shutil.rmtree(output)
    _, drawn = resumed(source, layers, output)
    assert len(drawn) == len(layers)
    assert_drawn(old, content_of(output), "E", linear_names())


def test_interrupt__says_how_to_go_on(tmp_path: Path) -> None:
    write_llama(tmp_path / "in")
    arguments = ["randomize", str(tmp_path / "in"), "--null", "G", "--seed", "7"]
    arguments += ["--steps", "30000", "-o", str(tmp_path / "out")]
    running = subprocess.Popen(
        [BIPNET, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = [Journal.found(folder) for folder in hidden(tmp_path)]
        if found and found[0] is not None and found[0].done:
            break
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (130, "")
    assert without_news(err) == (
        "bipnet: error: interrupted; no output was left half-written: the same command with"
        " --resume goes on where this one stopped\n"
    )
    assert not (tmp_path / "out").exists()
    (work,) = hidden(tmp_path)
    journal = Journal.found(work)
    assert journal is not None
    assert 0 < len(journal.done) < len(linear_names())
    done = subprocess.run(
        [BIPNET, *arguments, "--resume", "--json"], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["resumed"] == list(journal.done)
    again = [*arguments[:-1], str(tmp_path / "whole")]
    assert run(again) == 0
    assert content_of(tmp_path / "out") == content_of(tmp_path / "whole")


def test_error__leaves_nothing(tmp_path: Path) -> None:
    write_llama(tmp_path / "in")
    source, layers = opened(tmp_path / "in")

    def fail(layer: LayerInfo, matrix: Array) -> None:
        raise StopError

    with pytest.raises(StopError):
        rewrite(source, layers, tmp_path / "out", fail, {})
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_input__that_changes_meanwhile_is_noticed(tmp_path: Path) -> None:
    write_llama(tmp_path / "in")
    source, layers = opened(tmp_path / "in")

    def touch(layer: LayerInfo, matrix: Array) -> None:
        os.utime(tmp_path / "in" / "config.json", ns=(1, 1))

    with pytest.raises(bipnet.InputError, match="changed while it was read"):
        rewrite(source, layers, tmp_path / "out", touch, {})
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


# -- outputs -----------------------------------------------------------------------------------


def test_existing_folder__is_replaced_only_when_forced(cli: Run, tmp_path: Path) -> None:
    old = content_of(write_llama(tmp_path / "in"))
    write_llama(tmp_path / "out", n_shards=1, seed=4)
    (tmp_path / "out" / "stale.txt").write_text("gone afterwards")
    before = content_of(tmp_path / "out")
    options = ("--null", "F", "--seed", 7, "-o", tmp_path / "out")
    assert_refused(cli("randomize", tmp_path / "in", *options), "output exists", "--force")
    assert content_of(tmp_path / "out") == before
    assert cli("randomize", tmp_path / "in", *options, "--force")[0] == 0
    assert_drawn(old, content_of(tmp_path / "out"), "F", linear_names())
    assert hidden(tmp_path) == []


def test_input__may_be_replaced_itself(cli: Run, tmp_path: Path) -> None:
    old = content_of(write_llama(tmp_path / "in"))
    options = ("--null", "F", "--seed", 7, "-o", tmp_path / "in", "--force")
    assert cli("randomize", tmp_path / "in", *options)[0] == 0
    assert_drawn(old, content_of(tmp_path / "in"), "F", linear_names())


def test_bad_output__is_refused_in_one_line(
    cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_llama(tmp_path / "in")
    write_llama(tmp_path / "single", n_shards=1)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letters.txt").write_text("of a lifetime")
    before = content_of(tmp_path)

    def refused(name: str, output: str, *words: str) -> None:
        result = cli(
            "randomize", tmp_path / name, "--null", "A", "-o", tmp_path / output, "--force"
        )
        assert_refused(result, *words)
        assert content_of(tmp_path) == before

    refused("in", "out.safetensors", "name a folder")
    refused("in", "in/out", "must not lie in one another")
    refused("in", "home", "other things than a checkpoint")
    refused("single/model.safetensors", "home", "is written back as .safetensors")
    refused("in", "nowhere/out", "no such folder")
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(rewrite_module.shutil, "disk_usage", lambda path: usage)
    refused("in", "out", "are needed on its disk and 1.0 kB free", "out")
    monkeypatch.undo()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    refused("in", "out", "no permission to write")


def test_full_disk__leaves_the_old_output(tmp_path: Path) -> None:
    import resource

    write_llama(tmp_path / "in")
    write_llama(tmp_path / "out", seed=5)
    before = content_of(tmp_path)

    def small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))

    done = subprocess.run(
        [BIPNET, "randomize", tmp_path / "in", "--null", "A", "-o", tmp_path / "out", "--force"],
        capture_output=True, text=True, timeout=120, check=False, preexec_fn=small_files,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
    )  # fmt: skip
    assert_refused((done.returncode, done.stdout, done.stderr), "File too large", "out")
    assert content_of(tmp_path) == before


# -- inputs ------------------------------------------------------------------------------------


def change_index(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = folder / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    change(index)
    path.write_text(json.dumps(index))


def shard(folder: Path, k: int) -> Path:
    return folder / f"model-{k:05}-of-00003.safetensors"


def damage(kind: str, folder: Path) -> None:
    index = folder / "model.safetensors.index.json"
    if kind == "missing shard":
        shard(folder, 2).unlink()
    elif kind == "no index":
        index.unlink()
    elif kind == "index is no JSON":
        index.write_text("{")
    elif kind == "index is a list":
        index.write_text("[1]")
    elif kind == "index is empty":
        change_index(folder, lambda content: content["weight_map"].clear())
    elif kind == "index names a path":
        change_index(folder, lambda content: content["weight_map"].update(a="../x.safetensors"))
    elif kind == "index names a number":
        change_index(folder, lambda content: content["weight_map"].update(a=3))
    elif kind == "tensor in no shard":
        change_index(
            folder,
            lambda content: content["weight_map"].update({"a.weight": shard(folder, 1).name}),
        )
    elif kind == "tensor in the wrong shard":
        change_index(
            folder,
            lambda content: content["weight_map"].update({"lm_head.weight": shard(folder, 1).name}),
        )
    elif kind == "tensor twice in the index":
        text = index.read_text()
        name = f'"lm_head.weight": "{shard(folder, 3).name}"'
        assert name in text
        index.write_text(text.replace(name, f"{name}, {name}"))
    elif kind == "tensor in two shards":
        shutil.copyfile(shard(folder, 1), shard(folder, 2))
        moved = list(tensors_in({"x.safetensors": shard(folder, 1).read_bytes()}))
        change_index(
            folder,
            lambda content: content.update(
                weight_map={moved[0]: shard(folder, 1).name, moved[1]: shard(folder, 2).name}
            ),
        )
    elif kind == "truncated header":
        os.truncate(shard(folder, 2), 40)
    elif kind == "truncated data":
        os.truncate(shard(folder, 2), shard(folder, 2).stat().st_size - 1)
    elif kind == "overlap":
        content = shard(folder, 2).read_bytes()
        (n,) = struct.unpack("<Q", content[:8])
        header = json.loads(content[8 : 8 + n])
        names = [name for name in header if name != "__metadata__"]
        header[names[1]]["data_offsets"] = header[names[0]]["data_offsets"]
        text = json.dumps(header).encode()
        shard(folder, 2).write_bytes(struct.pack("<Q", len(text)) + text + content[8 + n :])
    elif kind == "not a number":
        content = bytearray(shard(folder, 3).read_bytes())
        _, first, _, _ = tensors_in({"x.safetensors": bytes(content)})[
            "model.layers.1.mlp.down_proj.weight"
        ]
        content[first : first + 2] = b"\xc0\x7f"
        shard(folder, 3).write_bytes(content)
    elif kind == "fifo":
        os.mkfifo(folder / "pipe")
    elif kind == "loop":
        (folder / "assets" / "again").symlink_to(folder)


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("missing shard", "names the shard model-00002-of-00003.safetensors, which is not there"),
        ("no index", "model.safetensors.index.json"),
        ("index is no JSON", "not a readable index of shards"),
        ("index is a list", "it has no weight_map"),
        ("index is empty", "names no tensors"),
        ("index names a path", "'../x.safetensors', which is no file name"),
        ("index names a number", "3, which is no file name"),
        ("tensor in no shard", "says that tensor a.weight is in model-00001-of-00003"),
        ("tensor in the wrong shard", "says that tensor lm_head.weight is in model-00001-of"),
        ("tensor twice in the index", "lm_head.weight is in it twice"),
        ("tensor in two shards", "is in both model-00001-of-00003.safetensors and model-00002"),
        ("truncated header", "model-00002-of-00003.safetensors is not a readable safetensors"),
        ("truncated data", "model-00002-of-00003.safetensors is not a readable safetensors"),
        ("overlap", "model-00002-of-00003.safetensors is not a readable safetensors"),
        ("not a number", "model.layers.1.mlp.down_proj.weight: W[0, 0] is nan"),
        ("fifo", "pipe is no file that can be copied"),
        ("loop", "a link to a folder around it"),
    ],
)
def test_bad_folder__is_refused_in_one_line(kind: str, word: str, cli: Run, tmp_path: Path) -> None:
    write_llama(tmp_path / "in")
    damage(kind, tmp_path / "in")
    result = cli("randomize", tmp_path / "in", "--null", "A", "-o", tmp_path / "out")
    assert_refused(result, word)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_missing_index__is_said_to_be_missing(cli: Run, tmp_path: Path) -> None:
    index = tmp_path / "model.safetensors.index.json"
    assert_refused(cli("layers", index), "no such file")


@pytest.mark.parametrize(("dtype", "width"), [("F8_E4M3", 1), ("I8", 1)])
def test_quantised_tensors__are_refused_only_if_they_are_chosen(
    dtype: str, width: int, cli: Run, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    write_shard(
        tmp_path / "in.safetensors",
        {
            "a.weight": ("BF16", (6, 8), weights_of((6, 8), rng)),
            "b.weight": (dtype, (4, 5), bytes(20 * width)),
        },
    )
    output = tmp_path / "out.safetensors"
    command = ("randomize", tmp_path / "in.safetensors", "--null", "A", "--seed", 7, "-o", output)
    assert_refused(cli(*command), "b.weight", "quantised")
    assert [path.name for path in tmp_path.iterdir()] == ["in.safetensors"]
    assert cli(*command, "--layers", "a.*")[0] == 0
    old = {"x.safetensors": (tmp_path / "in.safetensors").read_bytes()}
    assert_drawn(old, {"x.safetensors": output.read_bytes()}, "A", ["a.weight"])


def test_wrong_method__is_refused_before_anything_is_written(cli: Run, tmp_path: Path) -> None:
    write_llama(tmp_path / "in")
    options = ("--null", "A", "-o", tmp_path / "out", "--method", "trade")
    result = cli("randomize", tmp_path / "in", *options)
    assert_refused(result, "null model A has the methods")
    assert "layers" not in result[2]


# -- memory ------------------------------------------------------------------------------------

PEAK = """
    import sys
    from bipnet.cli import run
    code = run(sys.argv[1:])
    # Not ru_maxrss: that begins with what the process that started this one had.
    with open("/proc/self/status") as status:
        (peak,) = (line.split()[1] for line in status if line.startswith("VmHWM"))
    print(int(peak) * 1024)
    sys.exit(code)
"""


@pytest.mark.parametrize("options", [("A",), ("D",), ("G", "--steps", "1")], ids=lambda o: o[0])
def test_memory__is_three_times_the_largest_layer_and_300_mb(
    options: tuple[str, ...], tmp_path: Path
) -> None:
    largest = (12_000, 4096)  # 98 MB
    shapes = {
        "model.layers.0.mlp.up_proj.weight": largest,
        "model.layers.0.self_attn.q_proj.weight": (2000, 2048),
        "model.layers.0.mlp.down_proj.weight": (4096, 12_000),
        "lm_head.weight": (6000, 4096),
    }
    write_llama(tmp_path / "in", n_shards=2, shapes=shapes)
    done = subprocess.run(
        [
            sys.executable, "-c", textwrap.dedent(PEAK), "randomize", tmp_path / "in",
            "--null", *options, "--seed", "7", "-o", tmp_path / "out",
        ],
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    n_bytes = 2 * largest[0] * largest[1]
    peak = int(done.stdout.splitlines()[-1])
    assert n_bytes < peak <= 3 * n_bytes + 300_000_000
    shutil.rmtree(tmp_path / "in")
    shutil.rmtree(tmp_path / "out")
