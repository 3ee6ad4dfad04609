"""Tiny random transformers of several architectures, made from configuration: no download."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

WORDS = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "anna", "ben", "berlin", "paris", "acme", "corp",
    "met", "in", "of", "the", "works", "at", "un", "##believ", "##able", "##s", ".", ",",
]  # fmt: skip

LABELS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG"]


def tokenizer(max_length: int = 32, *, special: bool = True, **options: Any) -> Any:
    """A WordPiece tokenizer over `WORDS`, with or without special tokens around a text."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: i for i, word in enumerate(WORDS)}
    made = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    if special:
        made.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair="[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
        )
    names = {
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    }
    return PreTrainedTokenizerFast(
        tokenizer_object=made, model_max_length=max_length, **{**names, **options}
    )


def distilbert(task: str = "TokenClassification", **options: Any) -> nn.Module:
    import transformers

    config = transformers.DistilBertConfig(
        vocab_size=len(WORDS), dim=12, hidden_dim=20, n_heads=2, n_layers=3,
        max_position_embeddings=32, **_labels(task), **options,
    )  # fmt: skip
    return _made(getattr(transformers, f"DistilBertFor{task}"), config)


def bert(task: str = "TokenClassification", **options: Any) -> nn.Module:
    import transformers

    config = transformers.BertConfig(
        vocab_size=len(WORDS), hidden_size=12, intermediate_size=20, num_attention_heads=2,
        num_hidden_layers=2, max_position_embeddings=32, **_labels(task), **options,
    )  # fmt: skip
    return _made(getattr(transformers, f"BertFor{task}"), config)


def gpt2(task: str = "LMHeadModel", **options: Any) -> nn.Module:
    import transformers

    config = transformers.GPT2Config(
        vocab_size=len(WORDS), n_embd=12, n_head=2, n_layer=2, n_positions=32, use_cache=False,
        bos_token_id=2, eos_token_id=3, **options,
    )  # fmt: skip
    return _made(getattr(transformers, f"GPT2{task}"), config)


def vit(**options: Any) -> nn.Module:
    import transformers

    config = transformers.ViTConfig(
        hidden_size=12, intermediate_size=20, num_attention_heads=2, num_hidden_layers=2,
        image_size=8, patch_size=4, num_channels=1, num_labels=3, **options,
    )  # fmt: skip
    return _made(transformers.ViTForImageClassification, config)


def text_batch(n: int, length: int, seed: int = 0) -> dict[str, torch.Tensor]:
    """Random tokens, the last ones of every other row padding."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(5, len(WORDS), (n, length), generator=generator)
    mask = torch.ones_like(tokens)
    if length > 3:
        tokens[::2, -2:] = 0
        mask[::2, -2:] = 0
    return {"input_ids": tokens, "attention_mask": mask}


def images(n: int, seed: int = 0) -> torch.Tensor:
    return torch.rand((n, 1, 8, 8), generator=torch.Generator().manual_seed(seed))


def _labels(task: str) -> dict[str, Any]:
    if task != "TokenClassification":
        return {}
    return {
        "id2label": dict(enumerate(LABELS)),
        "label2id": {name: i for i, name in enumerate(LABELS)},
    }


def _made(kind: Callable[[Any], nn.Module], config: Any) -> nn.Module:
    """Its own random weights every time, large enough that everything matters."""
    torch.manual_seed(20260101)
    model = kind(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape))
    return model
