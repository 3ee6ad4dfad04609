"""swapped: other weights in a model for a while, and every byte back afterwards."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bipnet
from bipnet import NULL_MODELS

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn.utils import prune  # noqa: E402

from bipnet.torch import list_layers, swapped  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::bipnet.FrozenWarning")


class Net(nn.Module):
    """Every kind of layer: tied, grouped, pruned, recurrent, normalised."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, 6)
        self.conv = nn.Conv2d(4, 6, 3, groups=2)
        self.fc = nn.Linear(6, 8)
        self.norm = nn.LayerNorm(8)
        self.pruned = nn.Linear(8, 6)
        self.rnn = nn.LSTM(6, 6)
        self.head = nn.Linear(6, 11, bias=False)
        self.head.weight = self.embed.weight
        prune.l1_unstructured(self.pruned, "weight", amount=0.4)


@pytest.fixture
def net() -> Net:
    torch.manual_seed(3)
    return Net()


def contents(model: nn.Module) -> dict[str, bytes]:
    """The bytes of every parameter, buffer and masked weight."""
    tensors = dict(model.state_dict(keep_vars=True))
    for name, module in model.named_modules():
        if hasattr(module, "weight_mask"):
            tensors[f"{name}.weight"] = module.weight
    return {
        name: tensor.detach().contiguous().view(torch.uint8).numpy().tobytes()
        for name, tensor in tensors.items()
    }


def changed(before: dict[str, bytes], model: nn.Module) -> set[str]:
    after = contents(model)
    return {name for name in before if before[name] != after[name]}


DEFAULT = ["conv.weight#0", "conv.weight#1", "fc.weight", "pruned.weight"]


def test_layers__are_the_linear_and_convolution_weights(net: Net) -> None:
    assert [layer.info.name for layer in list_layers(net)] == DEFAULT
    shapes = {layer.info.name: layer.info.shape for layer in list_layers(net, "*")}
    assert shapes["embed.weight"] == (11, 6)
    assert shapes["fc.weight"] == (6, 8)
    assert shapes["conv.weight#1"] == (18, 3)
    assert "head.weight" not in shapes
    (tied,) = list_layers(net, "head*")
    assert tied.info.name == "embed.weight"
    assert "head.weight" in tied.info.note


def test_layers__are_the_matrices_the_forward_pass_uses(net: Net) -> None:
    x = torch.randn(5, 6)
    fc, pruned = (list_layers(net, name)[0].graph().to_array() for name in ("fc", "pruned"))
    np.testing.assert_allclose(net.fc(x).detach() - net.fc.bias.detach(), x.numpy() @ fc, atol=1e-5)
    assert (pruned == 0).mean() == pytest.approx(0.4, abs=0.02)
    image = torch.randn(1, 4, 3, 3)
    out = net.conv(image).detach().flatten() - net.conv.bias.detach()
    for group, layer in enumerate(list_layers(net, "conv*")):
        patch = image[0, 2 * group : 2 * group + 2].flatten().numpy()
        np.testing.assert_allclose(
            out[3 * group : 3 * group + 3], patch @ layer.graph().to_array(), atol=1e-5
        )


@pytest.mark.parametrize("null", NULL_MODELS)
def test_swapped__draws_and_restores_every_byte(net: Net, null: str) -> None:
    before = contents(net)
    old = {layer.info.name: layer.graph() for layer in list_layers(net)}
    with swapped(net, null, rng=7, index=2) as put:
        assert list(put) == DEFAULT
        for layer in list_layers(net):
            name = layer.info.name
            drawn = bipnet.randomize(old[name], null, rng=7, index=2, name=name)
            assert layer.graph() == put[name] == drawn
            bipnet.verify(old[name], drawn, null)
        assert changed(before, net) == {
            "conv.weight",
            "fc.weight",
            "pruned.weight",
            "pruned.weight_orig",
        }
    assert changed(before, net) == set()


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_swapped__restores_after_an_exception(net: Net, error: type[BaseException]) -> None:
    def fails() -> None:
        with swapped(net, "A", rng=1):
            raise error

    before = contents(net)
    with pytest.raises(error):
        fails()
    assert changed(before, net) == set()


def test_swapped__keeps_what_a_pruning_mask_hides(net: Net) -> None:
    hidden = net.pruned.weight_mask == 0
    before = net.pruned.weight_orig.detach().clone()
    with swapped(net, "A", layers="pruned", rng=1):
        assert torch.equal(net.pruned.weight_orig[hidden], before[hidden])
        assert (net.pruned.weight[hidden] == 0).all()
        assert not torch.equal(net.pruned.weight_orig, before)


def test_swapped__changes_tied_weights_once(net: Net) -> None:
    old = net.embed.weight.detach().numpy().copy()
    with swapped(net, "C", layers="head", rng=1) as put:
        assert net.head.weight is net.embed.weight
        R = bipnet.randomize(old, "C", rng=1, name="embed.weight")
        assert np.array_equal(net.head.weight.detach().numpy(), R)
        assert list(put) == ["embed.weight"]


def test_swapped__may_be_nested(net: Net) -> None:
    before = contents(net)
    with swapped(net, "A", rng=1):
        between = contents(net)
        with swapped(net, "B", rng=2):
            assert changed(between, net)
        assert changed(between, net) == set()
    assert changed(before, net) == set()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_swapped__serves_every_float_width(dtype: Any) -> None:
    model = nn.Linear(7, 5, dtype=dtype)
    before = contents(model)
    old = list_layers(model)[0].graph()
    with swapped(model, "G", rng=3) as put:
        assert model.weight.dtype == dtype
        assert bipnet.verify(old, put["weight"], "G").ok
        assert changed(before, model) == {"weight"}
    assert changed(before, model) == set()


def test_swapped__puts_given_weights_in(net: Net) -> None:
    W = np.arange(48, dtype=np.float32).reshape(6, 8)
    before = contents(net)
    with swapped(net, weights={"fc.weight": W}):
        assert np.array_equal(net.fc.weight.detach().numpy(), W.T)
        assert changed(before, net) == {"fc.weight"}
    assert changed(before, net) == set()


def test_swapped__refuses_what_does_not_fit(net: Net) -> None:
    before = contents(net)
    W = np.ones((6, 8), np.float32)
    for options, error, message in (
        ({}, bipnet.InputError, "either null"),
        ({"null": "A", "weights": {}}, bipnet.InputError, "either null"),
        ({"null": "Z"}, bipnet.InputError, "seven null models"),
        ({"null": "A", "layers": "nope"}, bipnet.LayerNotFoundError, "There are: .*fc.weight"),
        ({"weights": {"nope": W}}, bipnet.LayerNotFoundError, "it has: .*fc.weight"),
        ({"weights": {"fc.weight": W.T}}, bipnet.InputError, r"is \(6, 8\) float32"),
        ({"weights": {"fc.weight": W.astype(float)}}, bipnet.InputError, "float32"),
    ):
        with pytest.raises(error, match=message), swapped(net, **options):
            pytest.fail("nothing may be put in")
    assert changed(before, net) == set()
