"""Layers of torch modules: which tensors they are, how they lie, and that they go back in."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import strategies as my
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

import bipnet
from bipnet import SignedBipartiteGraph
from bipnet.torch import ModuleLayer, list_layers, swapped
from bipnet.torch.layers import put_pieces, survey

pytestmark = pytest.mark.filterwarnings("ignore::bipnet.FrozenWarning")


@pytest.fixture(autouse=True)
def seeded() -> None:
    """The same random weights in every run."""
    torch.manual_seed(20240303)


def names(model: nn.Module, *globs: str) -> list[str]:
    """Names of the layers that globs name, or the default ones."""
    return [layer.info.name for layer in list_layers(model, globs or None)]


def layer_of(model: nn.Module, name: str) -> ModuleLayer:
    """One layer by its name."""
    (layer,) = [layer for layer in survey(model)[0] if layer.info.name == name]
    return layer


def reasons(model: nn.Module) -> dict[str, str]:
    """Why parameters are no layers."""
    return {skipped.name: skipped.reason for skipped in survey(model)[1]}


def bytes_of(model: nn.Module) -> dict[str, bytes]:
    """The bytes of every parameter and buffer."""
    return {
        name: tensor.detach().contiguous().view(torch.uint8).numpy().tobytes()
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]
        if tensor.ndim
    }


def negated(layer: ModuleLayer) -> SignedBipartiteGraph:
    """The layer with every sign flipped."""
    return SignedBipartiteGraph(-layer.graph().to_array())


def close(found: Any, expected: torch.Tensor) -> None:
    """Raise unless two results of float32 arithmetic agree."""
    np.testing.assert_allclose(np.asarray(found), expected.detach().numpy(), rtol=1e-4, atol=1e-5)


# -- orientation: the matrix is the one the forward pass multiplies with -----------------------


def test_linear__maps_left_nodes_to_right_nodes() -> None:
    linear = nn.Linear(5, 3)
    (layer,) = list_layers(linear)
    assert (layer.info.name, layer.info.kind, layer.info.shape) == ("weight", "linear", (5, 3))
    assert layer.info.orientation == "right-left"
    x = torch.randn(4, 5)
    close(x.numpy() @ layer.graph().to_array() + linear.bias.detach().numpy(), linear(x))


def test_embedding__has_its_tokens_as_left_nodes_and_is_not_taken_by_default() -> None:
    for module in (nn.Embedding(7, 3), nn.EmbeddingBag(7, 3)):
        model = nn.Sequential(module, nn.Linear(3, 2))
        assert names(model) == ["1.weight"]
        layer = layer_of(model, "0.weight")
        assert (layer.info.kind, layer.info.shape) == ("embedding", (7, 3))
        assert "name it to use it" in layer.info.note
        np.testing.assert_array_equal(layer.graph().to_array(), module.weight.detach().numpy())


CONVOLUTIONS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "Conv1d": (nn.Conv1d(4, 6, 3, bias=False), (9,)),
    "Conv2d": (nn.Conv2d(4, 6, (2, 3), bias=False), (5, 6)),
    "Conv3d": (nn.Conv3d(4, 6, (2, 1, 3), bias=False), (3, 4, 5)),
    "two groups": (nn.Conv2d(4, 6, (2, 3), groups=2, bias=False), (5, 6)),
    "depthwise": (nn.Conv1d(4, 8, 3, groups=4, bias=False), (9,)),
    "stride": (nn.Conv2d(4, 6, 2, stride=2, groups=2, bias=False), (6, 6)),
}


@pytest.mark.parametrize(("conv", "size"), CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_convolution__multiplies_patches_with_one_matrix_per_group(
    conv: Any, size: tuple[int, ...]
) -> None:
    layers = list_layers(conv)
    kernel, stride, groups = conv.kernel_size, conv.stride, conv.groups
    n_in, n_out = conv.in_channels // groups, conv.out_channels // groups
    assert len(layers) == groups
    assert {layer.info.shape for layer in layers} == {(n_in * int(np.prod(kernel)), n_out)}
    assert [layer.info.name for layer in layers] == (
        ["weight"] if groups == 1 else [f"weight#{k}" for k in range(groups)]
    )
    x = torch.randn(2, conv.in_channels, *size)
    out = conv(x)
    # Every patch, the slow way: channel by channel, kernel position by kernel position.
    for group, layer in enumerate(layers):
        matrix = layer.graph().to_array()
        channels = slice(group * n_in, (group + 1) * n_in)
        for place in np.ndindex(*out.shape[2:]):
            window = tuple(
                slice(i * s, i * s + k) for i, s, k in zip(place, stride, kernel, strict=True)
            )
            patch = x[(slice(None), channels, *window)].reshape(2, -1).numpy()
            result = out[(slice(None), slice(group * n_out, (group + 1) * n_out), *place)]
            close(patch @ matrix, result)


@pytest.mark.parametrize(
    "conv",
    [
        nn.ConvTranspose1d(4, 6, 3, bias=False),
        nn.ConvTranspose1d(4, 6, 3, groups=2, bias=False),
        nn.ConvTranspose2d(4, 6, (2, 3), groups=2, bias=False),
        nn.ConvTranspose3d(2, 3, 2, bias=False),
    ],
)
def test_transposed_convolution__spreads_each_pixel_with_one_matrix_per_group(conv: Any) -> None:
    layers = list_layers(conv)
    n_in, n_out = conv.in_channels // conv.groups, conv.out_channels // conv.groups
    kernel = conv.kernel_size
    pixel = torch.randn(1, conv.in_channels, *(1 for _ in kernel))
    out = conv(pixel)[0]
    assert out.shape[1:] == kernel
    assert len(layers) == conv.groups
    for group, layer in enumerate(layers):
        assert layer.info.shape == (n_in, n_out * int(np.prod(kernel)))
        part = pixel.flatten()[group * n_in : (group + 1) * n_in].numpy()
        result = out[group * n_out : (group + 1) * n_out].flatten()
        close(part @ layer.graph().to_array(), result)


def test_hugging_face_conv1d__lies_as_it_is() -> None:
    from transformers.pytorch_utils import Conv1D

    model = nn.Sequential(Conv1D(3, 5))
    (layer,) = list_layers(model)
    assert (layer.info.shape, layer.info.orientation) == ((5, 3), "left-right")
    x = torch.randn(4, 5)
    close(x.numpy() @ layer.graph().to_array() + model[0].bias.detach().numpy(), model(x))


def test_attention__has_its_packed_projections_transposed() -> None:
    attention = nn.MultiheadAttention(6, 2, bias=False)
    assert names(attention) == ["in_proj_weight", "out_proj.weight"]
    matrix = layer_of(attention, "in_proj_weight").graph().to_array()
    assert matrix.shape == (6, 18)
    x = torch.randn(4, 6)
    query, key, value = np.split(x.numpy() @ matrix, 3, axis=1)
    parts = [nn.functional.linear(x, w) for w in attention.in_proj_weight.chunk(3)]
    for found, expected in zip((query, key, value), parts, strict=True):
        close(found, expected)


def test_attention__of_other_widths_has_three_projections() -> None:
    attention = nn.MultiheadAttention(6, 2, kdim=5, vdim=4, add_bias_kv=True)
    shapes = {layer.info.name: layer.info.shape for layer in list_layers(attention)}
    assert shapes == {
        "q_proj_weight": (6, 6),
        "k_proj_weight": (5, 6),
        "v_proj_weight": (4, 6),
        "out_proj.weight": (6, 6),
    }
    assert {"bias_k", "bias_v", "in_proj_bias", "out_proj.bias"} <= set(reasons(attention))


@pytest.mark.parametrize("cell", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_weights__are_layers_only_when_named(cell: Any) -> None:
    model = nn.ModuleDict({"rnn": cell(4, 3, bidirectional=True), "fc": nn.Linear(6, 2)})
    assert names(model) == ["fc.weight"]
    assert len(names(model, "rnn")) == 4
    layer = layer_of(model, "rnn.weight_ih_l0")
    assert layer.info.shape == (4, model["rnn"].weight_ih_l0.shape[0])
    assert layer.info.kind == "recurrent"


def test_experts__are_a_stack_of_matrices() -> None:
    class Experts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up = nn.Parameter(torch.randn(3, 5, 2))
            self.up_bias = nn.Parameter(torch.randn(3, 5))

    model = nn.ModuleDict({"experts": Experts()})
    assert names(model) == [f"experts.up#{k}" for k in range(3)]
    for k, layer in enumerate(list_layers(model)):
        expected = model["experts"].up[k].detach().numpy().T
        np.testing.assert_array_equal(layer.graph().to_array(), expected)
    assert "no linear or convolution layer" in reasons(model)["experts.up_bias"]


# -- what is no layer, and why -------------------------------------------------------------------


def test_survey__names_every_parameter_once_as_layer_or_with_a_reason() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token = nn.Parameter(torch.randn(1, 4))
            self.scale = nn.Parameter(torch.ones(()))

    model = nn.ModuleDict(
        {
            "fc": nn.Linear(4, 3),
            "norm": nn.LayerNorm((2, 3)),
            "batch": nn.BatchNorm1d(3),
            "bilinear": nn.Bilinear(2, 3, 4),
            "prelu": nn.PReLU(3),
            "odd": Odd(),
            "wte": nn.Embedding(5, 4),
        }
    )
    layers, skipped = survey(model)
    found = [layer.info.name for layer in layers] + [part.name for part in skipped]
    assert sorted(found) == sorted(name for name, _ in model.named_parameters())
    assert names(model) == ["fc.weight"]
    assert "a vector or scalar" in reasons(model)["fc.bias"]
    assert "a parameter of LayerNorm" in reasons(model)["norm.weight"]
    assert "a parameter of Odd" in reasons(model)["odd.token"]


def weight_norm(module: nn.Module) -> nn.Module:
    """The reparametrisation of old, which warns that it is one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return torch.nn.utils.weight_norm(module)


REPARAMETRIZED: dict[str, Callable[[nn.Module], nn.Module]] = {
    "weight norm": parametrizations.weight_norm,
    "spectral norm": parametrizations.spectral_norm,
    "orthogonal": parametrizations.orthogonal,
    "old weight norm": weight_norm,
    "old spectral norm": torch.nn.utils.spectral_norm,
}


@pytest.mark.parametrize("change", REPARAMETRIZED.values(), ids=REPARAMETRIZED)
def test_reparametrised_weights__are_refused_with_what_to_do(
    change: Callable[[nn.Module], nn.Module],
) -> None:
    model = nn.Sequential(nn.Linear(4, 4), change(nn.Linear(4, 4)))
    assert names(model) == ["0.weight"]
    with pytest.raises(bipnet.LayerNotFoundError, match=r"is parametrized .* remove it first"):
        list_layers(model, "1.*")
    with pytest.raises(bipnet.LayerNotFoundError, match="remove it first"):
        list_layers(change(nn.Linear(4, 4)))
    before = bytes_of(model)
    with swapped(model, "A", rng=1):
        changed = {name for name, value in bytes_of(model).items() if before[name] != value}
    assert changed == {"0.weight"}


def test_meta_device__has_layers_but_no_values() -> None:
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 4))
    assert names(model) == ["0.weight", "1.weight"]
    for use in (lambda: list_layers(model)[0].graph(), swapped(model, "A", rng=1).__enter__):
        with pytest.raises(bipnet.InputError, match=r"0\.weight has no values .*meta"):
            use()


def test_lazy_module__is_skipped_until_it_is_initialised() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.LazyLinear(2), nn.LazyConv2d(2, 3))
    assert names(model) == ["0.weight"]
    assert "not initialised yet" in reasons(model)["1.weight"]
    model[1](torch.ones(1, 3))
    assert names(model) == ["0.weight", "1.weight"]


def test_empty_layer__is_skipped() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model = nn.Sequential(nn.Linear(0, 3), nn.Linear(0, 3), nn.Linear(3, 2))
    assert names(model) == ["2.weight"]
    assert "empty" in reasons(model)["0.weight"]


def test_quantised_weights__are_refused_by_name() -> None:
    model = nn.Linear(4, 3)
    model.weight = nn.Parameter(model.weight.data.to(torch.float8_e4m3fn), requires_grad=False)
    with pytest.raises(bipnet.DTypeError, match="float8_e4m3fn"):
        list_layers(model)[0].graph()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_broken_weights__are_refused_with_layer_and_position(value: float) -> None:
    model = nn.Sequential(nn.Linear(4, 3))
    model[0].weight.data[2, 1] = value
    with pytest.raises(bipnet.InputError, match=rf"layer 0\.weight: .*\[1, 2\] is {value}"):
        list_layers(model)[0].graph()


def test_model_without_layers__says_so() -> None:
    for model in (nn.ReLU(), nn.LayerNorm(3), nn.Embedding(3, 2)):
        with pytest.raises(bipnet.LayerNotFoundError, match=type(model).__name__):
            list_layers(model)


def test_globs__name_tensors_or_modules() -> None:
    model = nn.ModuleDict(
        {"enc": nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), "out": nn.Linear(2, 2)}
    )
    assert names(model, "enc.*") == ["enc.0.weight", "enc.1.weight"]
    assert names(model, "enc.0") == ["enc.0.weight"]
    assert names(model, "out.weight", "enc.1") == ["enc.1.weight", "out.weight"]
    assert [layer.info.name for layer in list_layers(model, "out")] == ["out.weight"]
    with pytest.raises(bipnet.LayerNotFoundError, match=r"There are: enc.0.weight, enc.1.weight"):
        list_layers(model, ["enc.*", "decoder.*"])


# -- ties ----------------------------------------------------------------------------------------


class Tied(nn.Module):
    """A language model in small: the head's weights are the embedding's."""

    def __init__(self, head_first: bool) -> None:
        super().__init__()
        if head_first:
            self.head = nn.Linear(4, 9, bias=False)
        self.embedding = nn.Embedding(9, 4)
        self.fc = nn.Linear(4, 4)
        if not head_first:
            self.head = nn.Linear(4, 9, bias=False)
        self.head.weight = self.embedding.weight


@pytest.mark.parametrize("head_first", [False, True])
def test_tied_weights__are_one_layer_with_the_embeddings_name_and_orientation(
    head_first: bool,
) -> None:
    model = Tied(head_first)
    assert names(model) == ["fc.weight"]
    for glob in ("head", "head.weight", "embedding", "emb*", "[he]*"):
        (layer,) = list_layers(model, glob)
        assert layer.info.name == "embedding.weight"
        assert layer.info.shape == (9, 4)
        assert "tied to head.weight: changed once" in layer.info.note
    put_pieces(layer.at, {0: negated(layer)})
    assert model.head.weight is model.embedding.weight


def test_shared_module__is_one_layer_by_its_first_name() -> None:
    shared = nn.Linear(3, 3)
    model = nn.ModuleDict({"first": shared, "second": shared, "other": nn.Linear(3, 3)})
    assert names(model) == ["first.weight", "other.weight"]
    assert names(model, "second") == ["first.weight"]
    assert "tied to second.weight" in layer_of(model, "first.weight").info.note


def test_equal_weights_of_their_own__are_two_layers() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight.data.copy_(model[0].weight.data)
    assert names(model) == ["0.weight", "1.weight"]


# -- pruned layers -------------------------------------------------------------------------------


PRUNED: dict[str, Callable[[nn.Module], object]] = {
    "random": lambda module: prune.random_unstructured(module, "weight", 0.5),
    "rows": lambda module: prune.ln_structured(module, "weight", 0.5, n=2, dim=0),
    "twice": lambda module: (
        prune.random_unstructured(module, "weight", 0.3),
        prune.l1_unstructured(module, "weight", 0.3),
    ),
    "nothing": lambda module: prune.identity(module, "weight"),
}


@pytest.mark.parametrize("cut", PRUNED.values(), ids=PRUNED)
@pytest.mark.parametrize(
    "module", [nn.Linear(6, 8), nn.Conv2d(4, 8, 3, groups=2)], ids=["linear", "conv"]
)
def test_pruning_mask__is_folded_as_missing_edges(
    cut: Callable[[nn.Module], object], module: Any
) -> None:
    model = nn.Sequential(copy.deepcopy(module))
    pruned: Any = model[0]
    cut(pruned)
    hidden = pruned.weight_mask == 0
    original = pruned.weight_orig.detach().clone()
    layers = list_layers(model)
    assert [layer.info.name.partition("#")[0] for layer in layers] == ["0.weight"] * len(layers)
    assert sum(layer.graph().n_edges for layer in layers) == int((~hidden).sum())
    put_pieces(layers[0].at, {layer.piece: negated(layer) for layer in layers})
    assert torch.equal(pruned.weight_orig[hidden], original[hidden])
    assert torch.equal(pruned.weight_orig[~hidden], -original[~hidden])
    # What the forward pass uses is fresh at once, and stays so when it runs.
    expected = torch.where(hidden, torch.zeros(()), -original)
    assert torch.equal(pruned.weight, expected)
    x = torch.randn(2, 6) if isinstance(module, nn.Linear) else torch.randn(2, 4, 5, 5)
    model(x)
    assert torch.equal(pruned.weight, expected)
    prune.remove(pruned, "weight")
    assert torch.equal(pruned.weight, expected)


# -- dtypes, memory, gradients -------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_layer__keeps_every_float_exactly(dtype: torch.dtype) -> None:
    model = nn.Sequential(nn.Linear(5, 3, dtype=dtype), nn.Conv1d(2, 4, 3, groups=2, dtype=dtype))
    before = bytes_of(model)
    for layer in list_layers(model):
        graph = layer.graph()
        assert graph.dtype.name == str(dtype).removeprefix("torch.") == layer.info.dtype
        put_pieces(layer.at, {layer.piece: graph})
    assert bytes_of(model) == before
    expected = model[0].weight.detach().T.double().numpy()
    np.testing.assert_array_equal(layer_of(model, "0.weight").graph().to_array(), expected)


def test_non_contiguous_parameter__is_read_and_written_in_its_own_layout() -> None:
    for dtype in (torch.float32, torch.bfloat16):
        base = torch.randn(10, 9).to(dtype)
        before = base.clone()
        model = nn.Linear(3, 5, bias=False)
        model.weight = nn.Parameter(base[::2, ::3])
        assert not model.weight.is_contiguous()
        (layer,) = list_layers(model)
        graph = layer.graph()
        expected = before[::2, ::3].T.float().numpy()
        np.testing.assert_array_equal(graph.to_array().astype(np.float32), expected)
        put_pieces(layer.at, {0: negated(layer)})
        assert torch.equal(base[::2, ::3], -before[::2, ::3])
        base[::2, ::3] = before[::2, ::3]
        assert torch.equal(base, before)  # nothing between has been touched


def test_channels_last_convolution__is_the_same_matrix() -> None:
    conv = nn.Conv2d(4, 6, 3)
    (plain,) = [layer.graph() for layer in list_layers(conv)]
    conv = conv.to(memory_format=torch.channels_last)
    assert not conv.weight.is_contiguous()
    (layer,) = list_layers(conv)
    assert layer.graph() == plain
    put_pieces(layer.at, {0: bipnet.randomize(plain, "A", rng=1)})
    assert layer.graph() == bipnet.randomize(plain, "A", rng=1)
    assert conv.weight.is_contiguous(memory_format=torch.channels_last)


def test_gradients__are_neither_needed_nor_touched() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2).requires_grad_(False))
    model(torch.randn(4, 3)).sum().backward()
    gradient = model[0].weight.grad.clone()
    for layer in list_layers(model):
        put_pieces(layer.at, {0: negated(layer)})
    assert torch.equal(model[0].weight.grad, gradient)
    assert [p.requires_grad for p in model.parameters()] == [True, True, False, False]
    assert all(p.is_leaf and p.grad_fn is None for p in model.parameters())
    model.zero_grad()
    model(torch.randn(4, 3)).sum().backward()
    assert model[0].weight.grad is not None


def test_graph__is_a_copy_of_the_weights_now() -> None:
    model = nn.Linear(3, 2)
    (layer,) = list_layers(model)
    graph = layer.graph()
    checksum = graph.checksum()
    model.weight.data.zero_()
    assert graph.checksum() == checksum
    assert layer.graph().n_edges == 0


def test_one_group_of_a_convolution__can_be_put_alone() -> None:
    conv = nn.Conv2d(4, 6, 3, groups=2)
    before = conv.weight.detach().clone()
    layer = layer_of(conv, "weight#1")
    put_pieces(layer.at, {1: negated(layer)})
    assert torch.equal(conv.weight[:3], before[:3])
    assert torch.equal(conv.weight[3:], -before[3:])


# -- small models of Hugging Face, made from a configuration ---------------------------------------


def distilbert() -> Any:
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    config = DistilBertConfig(
        vocab_size=40, dim=12, n_layers=2, n_heads=2, hidden_dim=16, max_position_embeddings=10
    )
    return DistilBertForSequenceClassification(config)


def distilbert_lm() -> Any:
    from transformers import DistilBertConfig, DistilBertForMaskedLM

    config = DistilBertConfig(
        vocab_size=40, dim=12, n_layers=1, n_heads=2, hidden_dim=16, max_position_embeddings=10
    )
    return DistilBertForMaskedLM(config)


def gpt2() -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel

    return GPT2LMHeadModel(
        GPT2Config(vocab_size=40, n_positions=10, n_embd=12, n_layer=2, n_head=2)
    )


def vit() -> Any:
    from transformers import ViTConfig, ViTForImageClassification

    config = ViTConfig(
        hidden_size=12, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16,
        image_size=8, patch_size=4,
    )  # fmt: skip
    return ViTForImageClassification(config)


MODELS: dict[str, tuple[Callable[[], Any], int, tuple[str, ...]]] = {
    # default layers: the linear ones of each block (and what stands before the classifier)
    "DistilBERT": (distilbert, 2 * 6 + 2, ("embedding",)),
    "DistilBERT with a tied head": (distilbert_lm, 6 + 1, ("embedding",)),
    "GPT-2": (gpt2, 2 * 4, ("wte", "wpe", "lm_head")),
    "ViT": (vit, 2 * 6 + 2, ("position_embeddings", "cls_token")),
}


@pytest.mark.parametrize(("make", "n_default", "left_out"), MODELS.values(), ids=MODELS)
def test_transformer__has_its_layers_without_embeddings_and_goes_there_and_back(
    make: Callable[[], Any], n_default: int, left_out: tuple[str, ...]
) -> None:
    model = make()
    default = names(model)
    assert len(default) == n_default, default
    assert not [name for name in default if any(word in name for word in left_out)]
    before = bytes_of(model)
    for layer in survey(model)[0]:
        graph = layer.graph()
        assert graph.shape == layer.info.shape
        drawn = bipnet.randomize(graph, "C", rng=1, name=layer.info.name)
        put_pieces(layer.at, {layer.piece: drawn})
        assert layer.graph() == drawn
        put_pieces(layer.at, {layer.piece: graph})
    assert bytes_of(model) == before
    with swapped(model, "A", rng=1) as put:
        assert list(put) == default
        changed = {name for name, value in bytes_of(model).items() if before[name] != value}
        assert changed == set(default)
    assert bytes_of(model) == before


def test_gpt2__has_its_conv1d_layers_as_they_lie_and_its_head_tied() -> None:
    model = gpt2()
    layer = layer_of(model, "transformer.h.0.mlp.c_fc.weight")
    assert layer.info.shape == (12, 48)
    x = torch.randn(3, 12)
    close(
        x.numpy() @ layer.graph().to_array(),
        model.transformer.h[0].mlp.c_fc(x) - model.transformer.h[0].mlp.c_fc.bias,
    )
    (tied,) = list_layers(model, "lm_head")
    assert (tied.info.name, tied.info.shape) == ("transformer.wte.weight", (40, 12))


def test_distilbert__has_its_head_tied_to_the_word_embeddings() -> None:
    model = distilbert_lm()
    (tied,) = list_layers(model, "vocab_projector")
    assert tied.info.name == "distilbert.embeddings.word_embeddings.weight"
    assert tied.info.shape == (40, 12)


@my.each_letter
def test_list_layers__gives_what_every_null_model_takes(null: str) -> None:
    model = nn.Sequential(nn.Conv2d(2, 4, 3, groups=2), nn.Flatten(), nn.Linear(16, 5))
    for layer in list_layers(model):
        graph = layer.graph()
        assert bipnet.verify(graph, bipnet.randomize(graph, null, rng=1), null).ok


def test_default_layers__have_a_classifier_but_no_vocabulary_head() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.classifier = nn.Linear(6, 5), nn.Linear(5, 3)
            self.lm_head = nn.Linear(5, 11, bias=False)

    assert names(Two()) == ["body.weight", "classifier.weight"]
    assert names(Two(), "lm_head") == ["lm_head.weight"]
    for said in ("classifier", "lm_head", "only by name"):
        assert said in str(list_layers.__doc__)
