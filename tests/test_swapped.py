"""swapped: other weights in a model for a while, and every byte back afterwards."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import strategies as my

import bipnet
from bipnet import NULL_MODELS

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn.utils import prune  # noqa: E402

from bipnet.convert import open_source  # noqa: E402
from bipnet.torch import list_layers, swapped  # noqa: E402
from bipnet.torch.files import StateDictSource  # noqa: E402

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


@pytest.fixture(autouse=True)
def seeded() -> None:
    """The same random weights in every run."""
    torch.manual_seed(3)


@pytest.fixture
def net() -> Net:
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


# -- every byte, whatever happens --------------------------------------------------------------


@pytest.mark.parametrize("layers", [None, "*", ["rnn", "head"], "conv.weight#1"])
@my.each_row
def test_swapped__restores_every_byte_for_any_choice_of_layers(
    net: Net, null: str, method: str, layers: Any
) -> None:
    before = contents(net)
    pointers = {name: parameter.data_ptr() for name, parameter in net.named_parameters()}
    chosen = [layer.info.name for layer in list_layers(net, layers)]
    old = {layer.info.name: layer.graph() for layer in list_layers(net, layers)}
    steps = 20 if null == "G" else None
    with swapped(net, null, layers=layers, rng=5, method=method, steps=steps) as put:
        assert list(put) == chosen
        for name, graph in put.items():
            assert bipnet.verify(old[name], graph, null).ok
        touched = {name.partition("#")[0] for name in chosen}
        hidden = {"pruned.weight": "pruned.weight_orig", "embed.weight": "head.weight"}
        touched |= {hidden[name] for name in touched if name in hidden}
        assert changed(before, net) <= touched
        assert changed(before, net)
        assert not any("bias" in name or "norm" in name for name in changed(before, net))
    assert contents(net) == before
    assert {name: parameter.data_ptr() for name, parameter in net.named_parameters()} == pointers


class Stop(BaseException):
    """An interruption that is no Exception."""


@pytest.mark.parametrize("n_put", [1, 2, 3])
def test_swapped__restores_when_it_is_interrupted_between_two_layers(
    net: Net, n_put: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bipnet.torch import swap

    real, calls = swap.put_pieces, 0

    def interrupted(*arguments: Any) -> None:
        nonlocal calls
        calls += 1
        real(*arguments)
        if calls == n_put:  # of three tensors: the convolution's two groups are put at once
            raise Stop

    before = contents(net)
    monkeypatch.setattr(swap, "put_pieces", interrupted)
    with pytest.raises(Stop), swapped(net, "A", rng=1):
        pytest.fail("the block must not run")
    assert contents(net) == before


@pytest.mark.parametrize("error", [ValueError("mine"), KeyboardInterrupt(), Stop(), SystemExit(2)])
def test_swapped__lets_the_error_of_its_block_through(net: Net, error: BaseException) -> None:
    def fails() -> None:
        with swapped(net, "A", rng=1), swapped(net, "B", rng=2):
            raise error

    before = contents(net)
    with pytest.raises(type(error)) as raised:
        fails()
    assert raised.value is error
    assert contents(net) == before


def test_swapped__restores_what_was_changed_inside(net: Net) -> None:
    before = contents(net)
    with swapped(net, "A", rng=1):
        net.fc.weight.data.zero_()
        net.fc.weight.data[0, 0] = float("nan")
    assert contents(net) == before


def test_swapped__restores_odd_bits(net: Net) -> None:
    # -0.0 and subnormal numbers are weights like any other; what a mask hides may even be NaN.
    net.fc.weight.data[0, :3] = torch.tensor([-0.0, 1e-45, -1e-45])
    hidden = (net.pruned.weight_mask == 0).nonzero()[0].tolist()
    net.pruned.weight_orig.data[tuple(hidden)] = float("nan")
    before = contents(net)
    with swapped(net, "A", layers=["fc", "pruned"], rng=1) as put:
        assert put["fc.weight"].n_edges == net.fc.weight.numel() - 1
        assert "pruned.weight_orig" in changed(before, net)
    after = contents(net)
    assert after["fc.weight"] == before["fc.weight"]
    assert after["pruned.weight_orig"] == before["pruned.weight_orig"]


def test_swapped__leaves_gradients_and_the_optimizer_alone(net: Net) -> None:
    optimizer = torch.optim.SGD(net.fc.parameters(), lr=0.1, momentum=0.9)
    net.fc(torch.ones(2, 6)).sum().backward()
    gradient = net.fc.weight.grad.clone()
    before = net.fc.weight.detach().clone()
    with swapped(net, "A", rng=1):
        net.fc(torch.ones(2, 6))
        assert torch.equal(net.fc.weight.grad, gradient)
    optimizer.step()
    torch.testing.assert_close(net.fc.weight.detach(), before - 0.1 * gradient)
    assert all(parameter.is_leaf for parameter in net.parameters())


def test_swapped__works_on_frozen_models_and_without_gradients() -> None:
    model = nn.Linear(6, 5).requires_grad_(False)
    before = contents(model)
    with torch.inference_mode(), swapped(model, "A", rng=1):
        assert changed(before, model) == {"weight"}
    assert contents(model) == before


def test_swapped__keeps_every_mode_of_the_model(net: Net) -> None:
    net.norm.eval()
    modes = [module.training for module in net.modules()]
    with swapped(net, "A", rng=1):
        assert [module.training for module in net.modules()] == modes
    assert [module.training for module in net.modules()] == modes


# -- the same bits everywhere ------------------------------------------------------------------


@my.each_letter
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_swapped__gives_the_bits_of_the_randomised_checkpoint(
    null: str, suffix: str, net: Net, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    net.head.weight = nn.Parameter(net.head.weight.detach().clone())  # safetensors has no ties
    # A raw checkpoint does not say that a convolution has groups.
    state = {name: tensor for name, tensor in net.state_dict().items() if "conv" not in name}
    path, output = tmp_path / f"w{suffix}", tmp_path / f"out{suffix}"
    source: Any
    if suffix == ".pt":
        torch.save(state, path)
        source = StateDictSource(path)
    else:
        save_file(state, path)
        source = open_source(path)
    globs = ["fc", "pruned", "rnn", "embed", "head"]
    settings: dict[str, Any] = {"rng": 2**70, "index": 4}
    with swapped(net, null, layers=globs, **settings) as put:
        new = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    by_name = {layer.name: layer for layer in source.layers}
    lie = {layer.info.name: layer.info.orientation for layer in list_layers(net, globs)}
    with source.writer(output, force=False) as writer:
        for name, graph in put.items():
            assert by_name[name].orientation == lie[name]
            drawn = bipnet.randomize(source.read(by_name[name]), null, name=name, **settings)
            assert drawn == graph
            writer.put(by_name[name], drawn)
    written = torch.load(output, weights_only=True) if suffix == ".pt" else load_file(output)
    assert set(written) == set(state)
    for name, tensor in written.items():
        assert torch.equal(tensor, new[name]), name


def test_swapped__of_tied_weights_gives_the_bits_of_the_tied_checkpoint(
    net: Net, tmp_path: Path
) -> None:
    state = {"head.weight": net.head.weight, "embed.weight": net.embed.weight}
    torch.save(state, tmp_path / "w.pt")
    source = StateDictSource(tmp_path / "w.pt")
    (layer,) = source.layers
    with swapped(net, "E", layers="head", rng=9) as put:
        assert bipnet.randomize(source.read(layer), "E", rng=9, name=layer.name) == put[layer.name]


@pytest.mark.parametrize("rng", [np.random.SeedSequence(3, spawn_key=(1,)), np.int64(3), 2**100])
def test_swapped__takes_any_seed(net: Net, rng: Any) -> None:
    graphs = {layer.info.name: layer.graph() for layer in list_layers(net)}
    with swapped(net, "B", rng=rng, index=1) as put:
        for name, graph in graphs.items():
            assert put[name] == bipnet.randomize(graph, "B", rng=rng, index=1, name=name)


def test_swapped__advances_a_generator_once_for_all_layers(net: Net) -> None:
    def drawn(rng: Any) -> dict[str, str]:
        with swapped(net, "A", rng=rng) as put:
            return {name: graph.checksum() for name, graph in put.items()}

    generator = np.random.default_rng(1)
    first, second = drawn(generator), drawn(generator)
    assert drawn(np.random.default_rng(1)) == first != second
    once = np.random.default_rng(1)
    bipnet.randomize(np.eye(3) + 1, "A", rng=once)
    assert drawn(once) == second


def test_swapped__without_a_seed_draws_anew(net: Net) -> None:
    drawn = set()
    for _ in range(3):
        with swapped(net, "A") as put:
            drawn.add(put["fc.weight"].checksum())
    assert len(drawn) == 3


# -- given weights -----------------------------------------------------------------------------


def dense(model: nn.Module, name: str) -> np.ndarray[Any, Any]:
    """The weights of one layer as an array of its own."""
    (layer,) = [layer for layer in list_layers(model, "*") if layer.info.name == name]
    return layer.graph().to_array().copy()


GIVEN: dict[str, Callable[[np.ndarray[Any, Any]], Any]] = {
    "array": lambda W: W,
    "Fortran order": np.asfortranarray,
    "tensor": torch.from_numpy,
    "sparse": scipy.sparse.csc_array,
    "graph": bipnet.SignedBipartiteGraph,
}


@pytest.mark.parametrize("container", GIVEN.values(), ids=GIVEN)
def test_given_weights__may_be_any_container(
    container: Callable[[np.ndarray[Any, Any]], Any], net: Net
) -> None:
    before = contents(net)
    W = -dense(net, "fc.weight")
    with swapped(net, weights={"fc.weight": container(W)}) as put:
        np.testing.assert_array_equal(net.fc.weight.detach().numpy().T, W)
        np.testing.assert_array_equal(put["fc.weight"].to_array(), W)
    assert contents(net) == before


def test_given_weights__may_be_several_and_one_group_alone(net: Net) -> None:
    before = contents(net)
    other_group = net.conv.weight[:3].detach().clone()
    new = {name: -dense(net, name) for name in ("conv.weight#1", "fc.weight")}
    with swapped(net, weights=new) as put:
        assert set(put) == set(new)
        assert torch.equal(net.conv.weight[:3], other_group)
        np.testing.assert_array_equal(dense(net, "conv.weight#1"), new["conv.weight#1"])
        assert changed(before, net) == {"conv.weight", "fc.weight"}
    assert contents(net) == before


@pytest.mark.parametrize("name", ["embed.weight", "head.weight", "head"])
def test_given_weights__of_tied_layers_go_by_either_name(name: str, net: Net) -> None:
    before = contents(net)
    W = -dense(net, "embed.weight")
    with swapped(net, weights={name: W}) as put:
        assert list(put) == ["embed.weight"]
        np.testing.assert_array_equal(net.head.weight.detach().numpy(), W)
    assert contents(net) == before


def test_given_weights__for_both_names_of_tied_layers_are_refused(net: Net) -> None:
    before = contents(net)
    W = dense(net, "embed.weight")
    with (
        pytest.raises(bipnet.InputError, match="tied to a layer that has its weights already"),
        swapped(net, weights={"embed.weight": W, "head.weight": W}),
    ):
        pytest.fail("nothing may be put in")
    assert contents(net) == before


@pytest.mark.parametrize(
    ("weights", "error"),
    [
        ({"fc.weight": np.full((6, 8), np.nan, np.float32)}, bipnet.InputError),
        ({"fc.weight": np.ones(48, np.float32)}, bipnet.InputError),
        ({"fc.weight": "text"}, bipnet.DTypeError),
        ({"fc.weight": np.ones((6, 8), np.float16)}, bipnet.InputError),
        ({"fc.bias": np.ones((1, 8), np.float32)}, bipnet.LayerNotFoundError),
        ({"norm.weight": np.ones((1, 8), np.float32)}, bipnet.LayerNotFoundError),
        ({"conv.weight": np.ones((36, 3), np.float32)}, bipnet.LayerNotFoundError),
    ],
)
def test_given_weights__that_do_not_fit_leave_the_model_alone(
    weights: dict[str, Any], error: type[Exception], net: Net
) -> None:
    before = contents(net)
    fine = {"pruned.weight": dense(net, "pruned.weight")}
    with pytest.raises(error), swapped(net, weights={**fine, **weights}):
        pytest.fail("nothing may be put in")
    assert contents(net) == before


# -- warnings and refusals ---------------------------------------------------------------------


def test_frozen_layer__is_named_in_the_warning() -> None:
    model = nn.ModuleDict({"plain": nn.Linear(9, 8), "block": nn.Sequential(nn.Linear(4, 3))})
    model["block"][0].weight.data.abs_()
    with (
        pytest.warns(bipnet.FrozenWarning, match=r"model G of block\.0\.weight: signs") as caught,
        swapped(model, "G", rng=1),
    ):
        pass
    assert not [warning for warning in caught if "plain" in str(warning.message)]
    model["plain"].weight.data.zero_()
    with (
        pytest.warns(bipnet.FrozenWarning, match=r"plain\.weight: nothing can move.*no edges"),
        swapped(model, "A", rng=1),
    ):
        pass


def test_frozen_warning__made_an_error_leaves_the_model_alone() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    model[1].weight.data.zero_()
    before = contents(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error", bipnet.FrozenWarning)
        with pytest.raises(bipnet.FrozenWarning), swapped(model, "A", rng=1):
            pytest.fail("nothing may be put in")
    assert contents(model) == before


@pytest.mark.parametrize(
    "options",
    [{"method": "fast"}, {"steps": 3}, {"index": -1}, {"rng": -1}, {"rng": "seed"}, {"rng": True}],
)
def test_wrong_settings__are_refused_before_anything_is_put_in(
    options: dict[str, Any], net: Net
) -> None:
    before = contents(net)
    with pytest.raises(bipnet.InputError), swapped(net, "A", **options):
        pytest.fail("nothing may be put in")
    assert contents(net) == before


# -- what a name or a model type says -----------------------------------------------------------


def test_swapped__refuses_weights_that_a_mask_would_drop(net: Net) -> None:
    graph = list_layers(net, "pruned")[0].graph()
    with swapped(net, weights={"pruned.weight": graph}):
        assert list_layers(net, "pruned")[0].graph() == graph
    full = np.ones(graph.shape, np.float32)
    with (
        pytest.raises(bipnet.InputError, match="under the layer's pruning mask"),
        swapped(net, weights={"pruned.weight": full}),
    ):
        pytest.fail("nothing may be put in")
    with (
        pytest.raises(bipnet.InputError, match="layers= goes with null="),
        swapped(net, weights={"pruned.weight": graph}, layers="pruned"),
    ):
        pytest.fail("nothing may be put in")


class Experts(nn.Module):
    """Stacked expert weights, as Hugging Face models have them."""

    def __init__(self, model_type: str) -> None:
        super().__init__()
        self.config = type("Config", (), {"model_type": model_type})
        self.experts = nn.Module()
        self.experts.down_proj = nn.Parameter(torch.randn(2, 3, 5))


@pytest.mark.parametrize(("model_type", "shape"), [("mixtral", (5, 3)), ("gpt_oss", (3, 5))])
def test_layers__stacked_experts_lie_as_their_model_type_says(
    model_type: str, shape: tuple[int, int]
) -> None:
    layers = list_layers(Experts(model_type))
    assert [layer.info.name for layer in layers] == ["experts.down_proj#0", "experts.down_proj#1"]
    assert [layer.info.shape for layer in layers] == [shape, shape]


# -- memory that two layers share --------------------------------------------------------------


class Autoencoder(nn.Module):
    """An encoder and a decoder with one memory."""

    def __init__(
        self, view: Callable[[Any], Any], first: Callable[[Any], Any] = lambda w: w
    ) -> None:
        super().__init__()
        self.enc, self.dec = nn.Linear(6, 4), nn.Linear(4, 6)
        memory = self.enc.weight.data.clone()
        self.enc.weight = nn.Parameter(first(memory))
        self.dec.weight = nn.Parameter(view(memory))


@pytest.mark.parametrize(
    "model",
    [
        Autoencoder(lambda w: w.t()),
        Autoencoder(lambda w: w[1:3]),
        Autoencoder(lambda w: w[:, ::2]),
    ],
    ids=["transposed", "rows", "columns"],
)
def test_swapped__refuses_two_layers_in_one_memory(model: nn.Module) -> None:
    before = contents(model)
    with pytest.raises(bipnet.InputError, match=r"'enc.weight' and 'dec.weight' overlap"):
        list_layers(model)
    with (
        pytest.raises(bipnet.InputError, match=r"overlap in memory.*layers=.*clone"),
        swapped(model, "A", rng=1),
    ):
        pytest.fail("nothing may be put in")
    given = {f"{name}.weight": list_layers(model, name)[0].graph() for name in ("enc", "dec")}
    with pytest.raises(bipnet.InputError, match="overlap"), swapped(model, weights=given):
        pytest.fail("nothing may be put in")
    assert contents(model) == before
    with swapped(model, "A", layers="enc", rng=1) as put:  # one of them: the other follows
        assert list_layers(model, "enc")[0].graph() == put["enc.weight"]
        assert changed(before, model) == {"enc.weight", "dec.weight"}
    assert contents(model) == before


def test_swapped__takes_two_halves_of_one_memory() -> None:
    model = Autoencoder(lambda w: w[:, 1::2], first=lambda w: w[:, ::2])
    before = contents(model)
    with swapped(model, "A", rng=1) as put:
        for layer in list_layers(model):
            assert layer.graph() == put[layer.info.name]
        assert changed(before, model) == {"enc.weight", "dec.weight"}
    assert contents(model) == before


# -- given weights -----------------------------------------------------------------------------


def test_swapped__takes_the_name_of_a_module_with_one_layer(net: Net) -> None:
    W = np.arange(48, dtype=np.float32).reshape(6, 8)
    with swapped(net, weights={"fc": W}) as put:
        assert list(put) == ["fc.weight"]
        assert np.array_equal(net.fc.weight.detach().numpy(), W.T)


def test_swapped__refuses_given_weights_that_say_too_little_or_too_much(net: Net) -> None:
    W = np.ones((6, 8), np.float32)
    bad = W.copy()
    bad[2, 3] = np.nan
    cases: list[tuple[dict[str, Any], str]] = [
        ({"weights": {}}, "weights= is empty"),
        ({"weights": {"fc.weight": bad}}, r"layer fc.weight: W\[2, 3\] is nan"),
        ({"weights": {"fc": W, "fc.weight": W}}, "'fc.weight' is or is tied to a layer that has"),
        ({"weights": {"conv": W}}, "more than one layer.*conv.weight#0, conv.weight#1"),
        ({"weights": {"fc": W}, "rng": 1}, "rng go with null="),
        ({"weights": {"fc": W}, "index": 2, "steps": 3}, "index, steps go with null="),
        ({"weights": {"fc": W}, "method": "trade"}, "method go with null="),
    ]
    before = contents(net)
    for options, message in cases:
        with pytest.raises(bipnet.InputError, match=message), swapped(net, **options):
            pytest.fail("nothing may be put in")
    assert contents(net) == before


# -- parameters of an odd kind -----------------------------------------------------------------


def test_swapped__refuses_an_expanded_parameter() -> None:
    model = nn.Linear(4, 3)
    model.weight = nn.Parameter(torch.ones(1, 4).expand(3, 4))
    with (
        pytest.raises(bipnet.InputError, match="weight is an expanded tensor"),
        swapped(model, weights={"weight": np.ones((4, 3), np.float32)}),
    ):
        pytest.fail("nothing may be put in")


@pytest.mark.parametrize("shape", [(8, 6), (2, 2)])
def test_swapped__puts_back_a_parameter_that_was_replaced_inside(
    net: Net, shape: tuple[int, int]
) -> None:
    def replaces(how: str) -> None:
        with swapped(net, "A", layers=["fc", "embed"], rng=1):
            if how == "data":
                net.fc.weight.data = torch.zeros(shape)
            else:
                net.fc.weight = nn.Parameter(torch.zeros(shape))
                net.embed.weight = nn.Parameter(torch.zeros(shape))
            raise ZeroDivisionError

    before, parameter = contents(net), net.fc.weight
    for how in ("data", "parameter"):
        with pytest.raises(ZeroDivisionError):
            replaces(how)
        assert contents(net) == before
        assert net.fc.weight is parameter
        assert net.head.weight is net.embed.weight


@pytest.mark.parametrize("model", ["x", nn.Linear(3, 2).state_dict(), None])
def test_list_layers__refuses_what_is_no_module(model: Any) -> None:
    with pytest.raises(bipnet.InputError, match=r"must be a torch.nn.Module, got .*mlp_from_state"):
        list_layers(model)


@pytest.mark.parametrize("layers", [3, [None], [3.0, "fc"]])
def test_list_layers__refuses_what_is_no_glob(net: Net, layers: Any) -> None:
    with pytest.raises(bipnet.InputError, match="must be a glob or a list of globs, got"):
        list_layers(net, layers)
