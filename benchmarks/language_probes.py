"""How many evaluations a second: the naive loop against bipnet, layer by layer.

    python benchmarks/language_probes.py MODEL CONLL [--sentences N] [--threads N] [-o OUT.json]

The naive loop is what one writes first: load the model, set the weights, score the test set in
file order in padded batches of 32, ask seqeval. bipnet: `probe` with `TokenClassification`, which
loads nothing again, batches by length and computes what lies before the layer once (the time for
that is given apart: it is spent once for all evaluations of a layer). Both find the same entities
or the script ends with an error. On the weights of null model B, so that something has changed.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from seqeval.metrics import f1_score

import bipnet
from bipnet.experiments.language.layers import paper_layers, short_name
from bipnet.torch import list_layers, swapped
from bipnet.torch.text import (
    Sentence,
    TokenClassification,
    open_pretrained,
    read_conll,
    sample_sentences,
)

BATCH = 32


def naive_evaluation(
    folder: str, sentences: Sequence[Sentence], tokenizer: Any, layer: str, weights: Any
) -> tuple[float, list[list[str]]]:
    """Load, set, score in file order: F1 and the labels."""
    model = transformers.AutoModelForTokenClassification.from_pretrained(folder)
    found: list[list[str]] = []
    with swapped(model, weights={layer: weights}), torch.no_grad():
        for first in range(0, len(sentences), BATCH):
            batch = sentences[first : first + BATCH]
            encoded = tokenizer(
                [list(sentence.words) for sentence in batch],
                is_split_into_words=True, padding=True, truncation=True, return_tensors="pt",
            )  # fmt: skip
            inputs = {name: encoded[name] for name in ("input_ids", "attention_mask")}
            classes = model(**inputs).logits.argmax(-1)
            for number, sentence in enumerate(batch):
                places: dict[int, int] = {}
                for place, word in enumerate(encoded.word_ids(number)):
                    if word is not None:
                        places.setdefault(word, place)
                found.append(
                    [
                        model.config.id2label[int(classes[number, places[word]])]
                        for word in range(len(sentence.words))
                    ]
                )
    return float(f1_score([list(s.tags) for s in sentences], found)), found


def compare(folder: str, conll: str, n_sentences: int | None, n_draws: int) -> list[dict[str, Any]]:
    """A row per layer of the paper: seconds per evaluation of both, and their ratio."""
    sentences = sample_sentences(read_conll(conll), n_sentences, rng=7)
    model, tokenizer = open_pretrained(folder, "ner")
    rows = []
    for name in paper_layers(model):
        (layer,) = list_layers(model, name)
        weights = bipnet.randomize(layer.graph(), "B", rng=7, name=name)
        begun = time.perf_counter()
        naive_f1, labels = naive_evaluation(folder, sentences, tokenizer, name, weights)
        naive = time.perf_counter() - begun
        evaluate = TokenClassification(sentences, tokenizer, model)
        begun = time.perf_counter()
        with evaluate.reusing(model, [layer.at.tensor]):
            kept = time.perf_counter() - begun
            seconds = []
            for _ in range(n_draws):
                begun = time.perf_counter()
                with swapped(model, weights={name: weights}):
                    f1 = evaluate(model)
                seconds.append(time.perf_counter() - begun)
            with swapped(model, weights={name: weights}):
                found = evaluate.predict(model)
        # Padding moves sums in their last bits: a label may differ where two are as good as tied.
        differ = sum(a != b for one, two in zip(labels, found, strict=True)
                     for a, b in zip(one, two, strict=True))  # fmt: skip
        if differ > 1e-4 * sum(map(len, labels)) + 1:
            raise SystemExit(
                f"{name}: {differ} words are labelled otherwise than by the naive loop"
            )
        rows.append(
            {
                "layer": name,
                "f1": f1,
                "f1 naive": naive_f1,
                "words labelled otherwise": differ,
                "naive s": naive,
                "bipnet s": min(seconds),
                "ratio": naive / min(seconds),
                "once s": kept,
            }
        )
        print(
            f"{short_name(name):<28}{naive:9.2f} s{min(seconds):9.3f} s{rows[-1]['ratio']:8.1f} x"
            f"   once {kept:6.2f} s   F1 {f1:.4f} ({naive_f1:.4f})",
            flush=True,
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model")
    parser.add_argument("conll")
    parser.add_argument("--sentences", type=int, help="sample so many; all by default")
    parser.add_argument("--draws", type=int, default=3, help="evaluations timed per layer")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    print(f"{'layer':<28}{'naive':>11}{'bipnet':>11}{'ratio':>10}")
    rows = compare(options.model, options.conll, options.sentences, options.draws)
    if options.output is not None:
        about = {
            "bipnet": bipnet.__version__,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "machine": platform.machine(),
            "threads": options.threads,
            "sentences": options.sentences,
        }
        options.output.write_text(json.dumps({"about": about, "layers": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
