"""Write a Llama-like checkpoint of random bfloat16 weights: what a sharded checkpoint looks like.

    python benchmarks/make_checkpoint.py -o FOLDER

By default 1.1 billion weights (the shape of TinyLlama: 969 million in linear layers) in shards of
about 500 MB, with index and config.json. Tensors are generated and written in pieces: memory
stays far below the size of one tensor. Nothing of it belongs into the repository.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import ml_dtypes
import numpy as np

from bipnet._atomic import new_folder
from bipnet.errors import BipnetError

_BYTES = 2  # of a bfloat16
_PIECE = 1 << 22  # weights generated at a time


@dataclass(frozen=True)
class Shape:
    """Sizes of the model, named as in Llama's config.json."""

    hidden: int = 2048
    intermediate: int = 5632
    layers: int = 22
    heads: int = 32
    kv_heads: int = 4
    vocab: int = 32000

    def tensors(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Name and shape of every tensor, (out, in), in the order of the files."""
        kv = self.hidden // self.heads * self.kv_heads
        yield "model.embed_tokens.weight", (self.vocab, self.hidden)
        for layer in range(self.layers):
            prefix = f"model.layers.{layer}."
            yield prefix + "input_layernorm.weight", (self.hidden,)
            yield prefix + "self_attn.q_proj.weight", (self.hidden, self.hidden)
            yield prefix + "self_attn.k_proj.weight", (kv, self.hidden)
            yield prefix + "self_attn.v_proj.weight", (kv, self.hidden)
            yield prefix + "self_attn.o_proj.weight", (self.hidden, self.hidden)
            yield prefix + "post_attention_layernorm.weight", (self.hidden,)
            yield prefix + "mlp.gate_proj.weight", (self.intermediate, self.hidden)
            yield prefix + "mlp.up_proj.weight", (self.intermediate, self.hidden)
            yield prefix + "mlp.down_proj.weight", (self.hidden, self.intermediate)
        yield "model.norm.weight", (self.hidden,)
        yield "lm_head.weight", (self.vocab, self.hidden)

    def config(self) -> dict[str, object]:
        """What stands in config.json."""
        return {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_size": self.hidden,
            "intermediate_size": self.intermediate,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "vocab_size": self.vocab,
            "hidden_act": "silu",
            "rms_norm_eps": 1e-05,
            "tie_word_embeddings": False,
            "torch_dtype": "bfloat16",
        }


Tensors = list[tuple[str, tuple[int, ...]]]


def cut_into_shards(tensors: Tensors, shard_bytes: int) -> list[Tensors]:
    """Whole tensors, in order, as many as fit into ``shard_bytes`` (one at least)."""
    shards: list[Tensors] = [[]]
    filled = 0
    for name, shape in tensors:
        size = _BYTES * int(np.prod(shape))
        if shards[-1] and filled + size > shard_bytes:
            shards.append([])
            filled = 0
        shards[-1].append((name, shape))
        filled += size
    return shards


def write_checkpoint(folder: Path, shape: Shape, *, shard_bytes: int, seed: int) -> int:
    """Write shards, index and config.json into ``folder``; give the number of weights."""
    shards = cut_into_shards(list(shape.tensors()), shard_bytes)
    weight_map: dict[str, str] = {}
    total = 0
    for number, tensors in enumerate(shards, 1):
        name = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        total += _write_shard(folder / name, tensors, seed, first=len(weight_map))
        weight_map |= {tensor: name for tensor, _ in tensors}
        print(f"{name}: {len(tensors)} tensors", file=sys.stderr)
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    for name, values in (("model.safetensors.index.json", index), ("config.json", shape.config())):
        (folder / name).write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    return total // _BYTES


def _write_shard(path: Path, tensors: Tensors, seed: int, first: int) -> int:
    """The safetensors format by hand: its library wants all tensors of a file in memory."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in tensors:
        begin, end = end, end + _BYTES * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for number, (name, shape) in enumerate(tensors, first):
            rng = np.random.default_rng([seed, number])
            for piece in _pieces(name, shape, rng):
                piece.tofile(file)
    return end


def _pieces(
    name: str, shape: tuple[int, ...], rng: np.random.Generator
) -> Iterator[np.ndarray[tuple[int], np.dtype[np.uint16]]]:
    size = int(np.prod(shape))
    for start in range(0, size, _PIECE):
        n = min(_PIECE, size - start)
        if name.endswith("norm.weight"):
            values = np.ones(n, dtype=np.float32)
        else:
            values = rng.standard_normal(n, dtype=np.float32)
            values *= 0.02  # Llama's initializer_range
        yield values.astype(ml_dtypes.bfloat16).view(np.uint16)


def main(arguments: list[str] | None = None) -> int:
    """Read the command line; exit code 2 and one line for a mistake."""
    usual = Shape()
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("-o", "--output", type=Path, required=True, help="a new folder")
    for name in ("hidden", "intermediate", "layers", "heads", "kv-heads", "vocab"):
        default = getattr(usual, name.replace("-", "_"))
        parser.add_argument(f"--{name}", type=int, default=default, help=f"[{default}]")
    parser.add_argument("--shard-mb", type=float, default=500, help="megabytes of a shard [500]")
    parser.add_argument("--seed", type=int, default=7, help="[7]")
    parser.add_argument("--force", action="store_true", help="replace the folder")
    given = parser.parse_args(arguments)
    shape = Shape(
        given.hidden, given.intermediate, given.layers, given.heads, given.kv_heads, given.vocab
    )
    sizes = (*vars(shape).values(), given.shard_mb)
    if min(sizes) <= 0 or given.seed < 0 or shape.hidden % shape.heads:
        parser.error("sizes are positive, the seed is not negative, heads divide hidden")
    try:
        with new_folder(given.output, force=given.force) as partial:
            n = write_checkpoint(
                partial, shape, shard_bytes=int(given.shard_mb * 1e6), seed=given.seed
            )
    except (BipnetError, OSError) as error:
        print(f"make_checkpoint: error: {error}", file=sys.stderr)
        return 2
    print(f"{given.output}: {n} weights, {n * _BYTES / 1e9:.2f} GB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
