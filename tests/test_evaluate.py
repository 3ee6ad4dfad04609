"""Accuracy: of one model against the obvious loop, and of many at once against one by one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score
from torch import nn
from torch.nn.utils import prune
from torch.utils.data import DataLoader, TensorDataset

import bipnet
from bipnet.torch import Accuracy, MLPStack, list_layers, mlp_from_state, stacked_accuracy, swapped
from bipnet.torch.evaluate import evaluating, predicted
from bipnet.torch.mlp import ACTIVATIONS

RNG = np.random.default_rng(20240304)


@pytest.fixture(autouse=True)
def seeded() -> None:
    """The same random weights in every run."""
    torch.manual_seed(20240304)


def naive_accuracy(logits: torch.Tensor, y: torch.Tensor) -> float:
    """The obvious loop: the first of the largest logits is the prediction."""
    correct = 0
    for row, label in zip(logits.tolist(), y.tolist(), strict=True):
        best = 0
        for k, logit in enumerate(row):
            if logit > row[best]:
                best = k
        correct += best == label
    return correct / len(y)


class Given(nn.Module):
    """Gives its inputs as logits, in whatever way models give them."""

    def __init__(self, how: str = "tensor") -> None:
        super().__init__()
        self.how = how

    def forward(self, x: torch.Tensor) -> Any:
        return {
            "tensor": x,
            "tuple": (x, x.sum()),
            "list": [x],
            "logits": SimpleNamespace(logits=x, loss=None),
        }[self.how]


def mlp(*sizes: int) -> nn.Sequential:
    """A small perceptron."""
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def samples(n: int, *shape: int, n_classes: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    """Random inputs and labels."""
    return torch.randn(n, *shape), torch.randint(n_classes, (n,))


# -- one model ---------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 7, 100])
@pytest.mark.parametrize("n_classes", [2, 3, 10])
@pytest.mark.parametrize("batch_size", [1, 8, 1024])
def test_accuracy__is_that_of_the_naive_loop_and_of_scikit_learn(
    n: int, n_classes: int, batch_size: int
) -> None:
    model = mlp(5, 8, n_classes)
    x, y = samples(n, 5, n_classes=n_classes)
    found = Accuracy((x, y), batch_size=batch_size)(model)
    with torch.no_grad():
        logits = model(x)
    assert found == naive_accuracy(logits, y) == accuracy_score(y, logits.argmax(dim=1))


def test_accuracy__is_the_same_for_every_kind_of_data() -> None:
    model = mlp(5, 8, 3)
    x, y = samples(53, 5)
    expected = Accuracy((x, y)).score(model)
    assert expected.n_samples == 53
    data: dict[str, Any] = {
        "loader": DataLoader(TensorDataset(x, y), batch_size=10),
        "shuffled": DataLoader(TensorDataset(x, y), batch_size=7, shuffle=True),
        "one by one": DataLoader(TensorDataset(x, y), batch_size=1),
        "list": [(x[:20], y[:20]), [x[20:], y[20:]]],
        "arrays": (x.numpy(), y.numpy()),
        "small labels": (x, y.to(torch.uint8)),
        "NumPy batches": [(x.numpy(), y.numpy())],
    }
    for kind, source in data.items():
        evaluator = Accuracy(source)
        assert evaluator.score(model) == expected, kind
        assert evaluator(model) == expected.accuracy, kind  # and once more with the same data


@pytest.mark.parametrize("how", ["tensor", "tuple", "list", "logits"])
def test_accuracy__finds_the_logits_in_whatever_a_model_returns(how: str) -> None:
    x = torch.tensor([[0.0, 1.0], [3.0, 1.0], [0.0, -1.0]])
    assert Accuracy((x, torch.tensor([1, 0, 1])))(Given(how)) == 2 / 3


def test_accuracy__of_a_hugging_face_model() -> None:
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    config = DistilBertConfig(
        vocab_size=20, dim=8, n_layers=1, n_heads=2, hidden_dim=8, max_position_embeddings=8,
        num_labels=3,
    )  # fmt: skip
    model = DistilBertForSequenceClassification(config)
    model.train()
    tokens, y = torch.randint(20, (11, 6)), torch.randint(3, (11,))
    found = Accuracy((tokens, y), batch_size=4)(model)
    assert model.training
    model.eval()
    with torch.no_grad():
        assert found == naive_accuracy(model(tokens).logits, y)


def test_ties__go_to_the_lowest_class_and_are_counted() -> None:
    logits = torch.tensor(
        [[1.0, 1.0, 0.0], [0.0, 2.0, 2.0], [5.0, 5.0, 5.0], [0.0, -0.0, -1.0], [1.0, 2.0, 3.0]]
    )
    classes, tied = predicted(logits)
    assert classes.tolist() == [0, 1, 0, 0, 2]
    assert tied.tolist() == [True, True, True, True, False]
    score = Accuracy((logits, torch.tensor([0, 2, 0, 1, 2]))).score(Given())
    assert (score.accuracy, score.n_samples, score.n_ties) == (3 / 5, 5, 4)


@pytest.mark.parametrize("n_classes", [2, 3, 1000])
def test_constant_logits__mean_the_first_class(n_classes: int) -> None:
    # A long row: argmax with several threads promises no order among equals.
    logits = torch.zeros(50, n_classes)
    y = torch.arange(50) % n_classes
    score = Accuracy((logits, y)).score(Given())
    assert score.accuracy == (y == 0).double().mean()
    assert score.n_ties == 50


def test_infinite_logits__are_compared_like_any_other() -> None:
    inf = float("inf")
    x = torch.tensor([[-inf, 0.0], [inf, 0.0], [inf, inf], [-inf, -inf]])
    assert predicted(x)[0].tolist() == [1, 0, 0, 0]
    assert predicted(x)[1].tolist() == [False, False, True, True]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_accuracy__of_models_of_every_float_width(dtype: torch.dtype) -> None:
    model = mlp(5, 8, 3).to(dtype)
    x, y = samples(40, 5)
    with torch.no_grad():
        logits = model(x.to(dtype))
    assert Accuracy((x.to(dtype), y))(model) == naive_accuracy(logits.double(), y)


# -- what evaluating leaves behind -----------------------------------------------------------------


class Modes(nn.Module):
    """Dropout, batch statistics, and a part that is frozen in evaluation mode."""

    def __init__(self) -> None:
        super().__init__()
        self.batch = nn.BatchNorm1d(5)
        self.drop = nn.Dropout(0.9)
        self.frozen = nn.BatchNorm1d(5).eval()
        self.fc = nn.Linear(5, 3)
        self.gradients: list[bool] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.gradients.append(torch.is_grad_enabled())
        out: torch.Tensor = self.fc(self.frozen(self.drop(self.batch(x))))
        return out


def test_evaluating__uses_evaluation_mode_and_restores_every_modules_own() -> None:
    model = Modes()
    model.fc.requires_grad_(False)
    x, y = samples(64, 5)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modes = {name: module.training for name, module in model.named_modules()}
    assert (modes["drop"], modes["frozen"]) == (True, False)
    evaluator = Accuracy((x, y), batch_size=16)
    assert len({evaluator(model) for _ in range(5)}) == 1  # no dropout
    assert {name: module.training for name, module in model.named_modules()} == modes
    assert model.gradients == [False] * 20
    assert torch.is_grad_enabled()
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name  # no batch statistics gathered
    assert [p.requires_grad for p in model.fc.parameters()] == [False, False]


def test_evaluating__restores_the_modes_after_an_error() -> None:
    model = Modes()
    modes = [module.training for module in model.modules()]
    with pytest.raises(bipnet.InputError):
        Accuracy((torch.full((4, 5), float("nan")), torch.zeros(4, dtype=torch.int64)))(model)
    assert [module.training for module in model.modules()] == modes
    with evaluating(model):
        assert not any(module.training for module in model.modules())
    assert [module.training for module in model.modules()] == modes


# -- what cannot be scored -----------------------------------------------------------------------


def error_of(data: Any, model: nn.Module | None = None) -> str:
    """The message with which data or a model is refused."""
    with pytest.raises(bipnet.InputError) as error:
        Accuracy(data)(Given() if model is None else model)
    return str(error.value)


def test_nan_logits__are_refused_with_their_place() -> None:
    x = torch.zeros(5, 3)
    x[3, 1] = float("nan")
    assert "NaN, first at [3]" in error_of((x, torch.zeros(5, dtype=torch.int64)))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([0, 1, 3], "labels must lie in 0..2"),
        ([0, -1, 2], "got -1..2"),
        ([0.0, 1.0, 2.0], "labels must be 3 integers"),
        ([[0], [1], [2]], "labels must be 3 integers"),
        ([0, 1], "x has 3 samples and y 2 labels"),
    ],
)
def test_labels__that_do_not_fit_are_refused(y: Any, message: str) -> None:
    assert message in error_of((torch.zeros(3, 3), torch.tensor(y)))


@pytest.mark.parametrize(
    "data", [[], (torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64)), iter([])]
)
def test_data__without_samples_is_refused(data: Any) -> None:
    assert "no samples" in error_of(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((torch.zeros(3, 3),), "a pair (x, y), got 1 parts"),
        ((1, 2, 3), "a pair (x, y), got 3 parts"),
        ([torch.zeros(3, 3)], "must be a pair (inputs, labels)"),
        ([{"x": 1}], "must be a pair (inputs, labels)"),
        ([(torch.zeros(3, 3), torch.zeros(2, dtype=torch.int64))], "labels must be 3 integers"),
    ],
)
def test_data__that_is_no_pairs_is_refused(data: Any, message: str) -> None:
    assert message in error_of(data)


class Wrong(nn.Module):
    """Gives anything but logits."""

    def __init__(self, output: Any) -> None:
        super().__init__()
        self.output = output

    def forward(self, x: torch.Tensor) -> Any:
        return self.output


@pytest.mark.parametrize(
    "output",
    [torch.zeros(3, 1), torch.zeros(3), torch.zeros(3, 2, 2), "text", None, {"logits": 1}, (None,)],
    ids=["one class", "one dimension", "three dimensions", "text", "None", "dict", "tuple"],
)
def test_model__without_logits_is_refused(output: Any) -> None:
    message = error_of((torch.zeros(3, 2), torch.zeros(3, dtype=torch.int64)), Wrong(output))
    assert "(n, n_classes >= 2) logits" in message


def test_generator_of_batches__is_refused_when_it_has_run_dry() -> None:
    def batches() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        yield torch.zeros(2, 2), torch.zeros(2, dtype=torch.int64)

    evaluator = Accuracy(batches())
    assert evaluator(Given()) == 1.0
    with pytest.raises(bipnet.InputError, match="no samples"):
        evaluator(Given())


# -- many realizations of one architecture -------------------------------------------------------


def cnn() -> nn.Sequential:
    """A small convolutional network with batch norm and dropout."""
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3, groups=2), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(),
        nn.Linear(4 * 4 * 4, 3),
    )  # fmt: skip
    model[1].running_mean.normal_()
    return model


@pytest.mark.parametrize("batch_size", [5, 1024])
@pytest.mark.parametrize("architecture", ["MLP", "CNN"])
def test_stacked_accuracy__is_that_of_the_models_one_by_one(
    architecture: str, batch_size: int
) -> None:
    model, shape = (mlp(6, 16, 3), (6,)) if architecture == "MLP" else (cnn(), (2, 6, 6))
    model.train()
    x, y = samples(64, *shape)
    graphs = {layer.info.name: layer for layer in list_layers(model)}
    stacks: dict[str, list[torch.Tensor]] = {}
    one_by_one, logits = [], []
    for index in range(6):
        with swapped(model, "A", rng=3, index=index):
            one_by_one.append(Accuracy((x, y))(model))
            for name in {name.partition("#")[0] for name in graphs}:
                tensor = model.get_parameter(name).detach().clone()
                stacks.setdefault(name, []).append(tensor)
            with evaluating(model):
                logits.append(model(x))
    stacked = {name: torch.stack(parts) for name, parts in stacks.items()}
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    found = stacked_accuracy(model, stacked, x, y, batch_size=batch_size)
    assert found.tolist() == one_by_one
    assert len(set(one_by_one)) > 1
    assert model.training
    assert all(torch.equal(t, before[name]) for name, t in model.state_dict().items())
    with evaluating(model):
        together = torch.func.vmap(
            lambda weights: torch.func.functional_call(model, weights, (x,))
        )(stacked)
    torch.testing.assert_close(together, torch.stack(logits), rtol=1e-5, atol=1e-5)
    assert torch.equal(predicted(together)[0], predicted(torch.stack(logits))[0])


@pytest.mark.parametrize(
    ("stacks", "message"),
    [
        ({"nope": torch.zeros(2, 3, 6)}, "no parameter 'nope'; it has: 0.weight, 0.bias"),
        ({"0.weight": torch.zeros(2, 6, 16)}, r"must be \(n, 16, 6\), got \(2, 6, 16\)"),
        ({"0.weight": torch.zeros(16, 6)}, r"must be \(n, 16, 6\)"),
        ({"0.weight": torch.zeros(2, 16, 6), "0.bias": torch.zeros(3, 16)}, r"got \[2, 3\]"),
        ({"0.weight": torch.zeros(0, 16, 6)}, r"got \[0\]"),
        ({}, r"got \[\]"),
        ({"0.weight": torch.full((2, 16, 6), float("nan"))}, "NaN"),
    ],
)
def test_stacked_accuracy__refuses_stacks_that_do_not_fit(
    stacks: dict[str, torch.Tensor], message: str
) -> None:
    x, y = samples(4, 6)
    with pytest.raises(bipnet.InputError, match=message):
        stacked_accuracy(mlp(6, 16, 3), stacks, x, y)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (torch.zeros(0, 6), torch.zeros(0, dtype=torch.int64), "no samples"),
        (torch.zeros(4, 6), torch.zeros(3, dtype=torch.int64), "4 samples and y 3 labels"),
        (torch.zeros(4, 6), torch.full((4,), 3), "labels must lie in 0..2"),
        (torch.zeros(4, 6), torch.zeros(4), "labels must be 4 integers"),
    ],
)
def test_many_at_once__check_their_data(x: torch.Tensor, y: torch.Tensor, message: str) -> None:
    model = mlp(6, 16, 3)
    stack = {"0.weight": torch.zeros(2, 16, 6)}
    with pytest.raises(bipnet.InputError, match=message):
        stacked_accuracy(model, stack, x, y)
    perceptrons = MLPStack.initialised([6, 16, 3], np.random.default_rng(1).spawn(2))
    with pytest.raises(bipnet.InputError, match=message):
        perceptrons.accuracy(x, y)


@pytest.mark.parametrize("name", ["0.weight", "0.weight_orig"])
def test_stacked_accuracy__leaves_a_pruned_model_as_it_was(name: str) -> None:
    model = mlp(6, 16, 3)
    prune.l1_unstructured(model[0], "weight", amount=0.5)
    assert list_layers(model)[0].info.name == "0.weight"
    x, y = samples(64, 6)
    before = model[0].weight.detach().clone()
    stack = torch.randn(3, 16, 6)
    found = stacked_accuracy(model, {name: stack}, x, y)
    assert torch.equal(model[0].weight, before)
    with pytest.raises(bipnet.InputError, match="NaN"):
        stacked_accuracy(model, {name: stack * float("inf")}, x, y)
    assert float(model[0].weight.detach().sum()) == float(before.sum())
    expected = []
    for values in stack:
        model[0].weight_orig.data.copy_(values)
        expected.append(Accuracy((x, y))(model))
    assert found.tolist() == expected


def test_stacked_accuracy__refuses_one_parameter_under_two_names() -> None:
    model = mlp(6, 16, 3)
    prune.l1_unstructured(model[0], "weight", amount=0.5)
    stack = torch.zeros(2, 16, 6)
    with pytest.raises(bipnet.InputError, match=r"'0.weight_orig', which has its stack already"):
        stacked_accuracy(model, {"0.weight": stack, "0.weight_orig": stack}, *samples(4, 6))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_accuracy__gives_a_model_inputs_of_its_dtype(dtype: torch.dtype) -> None:
    model, (x, y) = mlp(6, 16, 3).to(dtype), samples(64, 6)
    with torch.no_grad():
        expected = naive_accuracy(model(x.to(dtype)), y)
    assert Accuracy((x, y))(model) == expected
    stack = {"0.weight": model[0].weight.detach()[None]}
    assert stacked_accuracy(model, stack, x.numpy(), y.numpy()).tolist() == [expected]  # type: ignore[arg-type]


@pytest.mark.parametrize("batch_size", [0, -1, 1.5, True, None])
def test_accuracy__refuses_what_is_no_batch_size(batch_size: Any) -> None:
    model, (x, y) = mlp(6, 16, 3), samples(4, 6)
    with pytest.raises(bipnet.InputError, match="batch_size must be a whole number"):
        Accuracy((x, y), batch_size=batch_size)
    stack = {"0.weight": torch.zeros(2, 16, 6)}
    with pytest.raises(bipnet.InputError, match="batch_size must be a whole number"):
        stacked_accuracy(model, stack, x, y, batch_size=batch_size)


def test_accuracy__refuses_what_it_cannot_use() -> None:
    x, y = samples(4, 6)
    with pytest.raises(bipnet.InputError, match=r"DataLoader or a pair .* got None"):
        Accuracy(None)  # type: ignore[arg-type]
    for device in ("gpu", "cuda:99"):
        with pytest.raises(bipnet.InputError, match=f"device '{device}' cannot be used: "):
            Accuracy((x, y), device=device)
    with pytest.raises(bipnet.InputError, match=r"must be a torch.nn.Module, got function"):
        Accuracy((x, y))(lambda inputs: inputs)  # type: ignore[arg-type]
    with pytest.raises(bipnet.InputError, match=r"dimension of samples, got \(4, 6\) and \(\)"):
        Accuracy((x, torch.tensor(1)))(mlp(6, 16, 3))


class SeenError(Exception):
    """Says on which devices a model got its weights and inputs."""


def test_many_at_once__move_data_to_the_device_of_the_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The meta device stands in for a GPU: nothing can be computed on it, but much can be seen.
    class Elsewhere(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise SeenError(self.weight.device.type, x.device.type)

    x, y = samples(4, 6)
    stack = {"weight": torch.zeros(2, 3, 6)}
    with pytest.raises(SeenError) as seen:
        stacked_accuracy(Elsewhere(6, 3, device="meta"), stack, x, y)
    assert seen.value.args == ("meta", "meta")

    def stand_in(logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        assert logits.device.type == "meta"
        classes = torch.zeros(logits.shape[:-1], dtype=torch.int64, device="meta")
        return classes, classes != 0

    moved: list[str] = []

    def cpu(tensor: torch.Tensor) -> torch.Tensor:
        moved.append(tensor.device.type)
        return torch.zeros(tensor.shape, dtype=tensor.dtype)

    monkeypatch.setattr("bipnet.torch.mlp.predicted", stand_in)
    monkeypatch.setattr(torch.Tensor, "cpu", cpu)
    perceptrons = MLPStack(
        [torch.zeros(2, 6, 3, device="meta")], [torch.zeros(2, 3, device="meta")]
    )
    assert perceptrons.accuracy(x, y).tolist() == [0, 0]
    assert moved == ["meta"]


# -- stacks of perceptrons -----------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(6, 3), (6, 16, 3), (6, 5, 4, 3)])
def test_mlp_stack__is_its_networks_side_by_side(sizes: tuple[int, ...]) -> None:
    stack = MLPStack.initialised(sizes, np.random.default_rng(2).spawn(5))
    assert len(stack) == 5
    x, y = samples(70, 6)
    logits = stack.logits(x)
    assert logits.shape == (5, 70, 3)
    own = stack.logits(x.expand(5, -1, -1))  # inputs of each network's own
    torch.testing.assert_close(own, logits, rtol=1e-5, atol=1e-6)
    accuracies = stack.accuracy(x, y, batch_size=16)
    networks = list(stack)
    assert len(networks) == 5
    for r, network in enumerate(networks):
        with torch.no_grad():
            alone = network(x)
        torch.testing.assert_close(logits[r], alone, rtol=1e-5, atol=1e-6)
        assert torch.equal(predicted(logits[r])[0], predicted(alone)[0])
        assert accuracies[r] == Accuracy((x, y))(network)
        plain = mlp(*sizes)
        plain.load_state_dict(stack.state_dict(r))
        assert torch.equal(plain(x).detach(), alone)
        for layer, found in enumerate(list_layers(network)):
            np.testing.assert_array_equal(found.graph().to_array(), stack.weights[layer][r].numpy())
    assert len(set(accuracies.tolist())) > 1
    with torch.no_grad():
        assert torch.equal(stack.predictions(x, batch_size=9), predicted(logits)[0])


def test_mlp_stack__starts_like_torch_does() -> None:
    stack = MLPStack.initialised([400, 50, 10], np.random.default_rng(3).spawn(40))
    for weight, bias, n_left in zip(stack.weights, stack.biases, (400, 50), strict=True):
        bound = n_left**-0.5
        linear = nn.Linear(n_left, 50)
        assert linear.weight.abs().max() <= bound
        for values in (weight, bias):
            assert values.abs().max() <= bound
            assert float(values.std()) == pytest.approx(bound / 3**0.5, rel=0.08)
            assert float(values.mean()) == pytest.approx(0, abs=0.1 * bound)
        assert len({float(w[0, 0]) for w in weight}) == 40
    again = MLPStack.initialised([400, 50, 10], np.random.default_rng(3).spawn(40))
    assert all(torch.equal(a, b) for a, b in zip(stack.weights, again.weights, strict=True))


def test_mlp_stack__refuses_what_does_not_fit() -> None:
    weight, bias = torch.zeros(2, 3, 4), torch.zeros(2, 4)
    for weights, biases in (([], []), ([weight], []), ([weight], [bias, bias])):
        with pytest.raises(bipnet.InputError, match="at least one layer and a bias for each"):
            MLPStack(weights, biases)
    with pytest.raises(bipnet.InputError, match="at least one layer"):
        MLPStack.initialised([5], np.random.default_rng(4).spawn(2))
    with pytest.raises(bipnet.InputError, match="take 3 inputs, the data has 6"):
        MLPStack([weight], [bias]).predictions(torch.zeros(5, 6))


def test_mlp_stack__resolves_ties_like_accuracy() -> None:
    stack = MLPStack([torch.zeros(2, 3, 4)], [torch.tensor([[0.0, 0, 0, 0], [0, 1, 1, 0]])])
    y = torch.tensor([0, 1, 1, 2])
    assert stack.accuracy(torch.randn(4, 3), y).tolist() == [0.25, 0.5]


# -- a perceptron from its state dict ------------------------------------------------------------


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_mlp_from_state__computes_what_the_model_did(activation: Any) -> None:
    layers = [nn.Linear(6, 5), ACTIVATIONS[activation](), nn.Linear(5, 4, bias=False)]
    model = nn.Sequential(*layers, ACTIVATIONS[activation](), nn.Linear(4, 3))
    inferred = mlp_from_state(model.state_dict(), activation=activation)
    x = torch.randn(7, 2, 3)
    assert torch.equal(inferred(x), model(x.flatten(1)))
    assert inferred.state_dict().keys() == model.state_dict().keys()
    for name, tensor in inferred.state_dict().items():
        assert torch.equal(tensor, model.state_dict()[name])
        assert tensor.data_ptr() != model.state_dict()[name].data_ptr()


@pytest.mark.parametrize(
    "names",
    [
        ["0", "2", "4"],
        ["fc_in", "hidden", "a_last"],
        ["net.layers.0", "net.layers.1", "net.head"],
        ["a", "a.b", "a.b.c"],
    ],
)
def test_mlp_from_state__keeps_the_names_and_the_order_of_the_file(names: list[str]) -> None:
    layers = [nn.Linear(5, 5), nn.Linear(5, 5), nn.Linear(5, 3)]
    state = {
        f"{name}.{part}": tensor
        for name, layer in zip(names, layers, strict=True)
        for part, tensor in layer.state_dict().items()
    }
    inferred = mlp_from_state(state)
    assert set(inferred.state_dict()) == set(state)
    assert [layer.info.module for layer in list_layers(inferred)] == names
    x = torch.randn(4, 5)
    expected = layers[2](layers[1](layers[0](x).relu()).relu())
    torch.testing.assert_close(inferred(x), expected)


def test_mlp_from_state__takes_the_order_of_the_names_where_the_file_has_none() -> None:
    sizes = [7, 6, 5, 4, 3]
    layers = {
        f"layer{i}": nn.Linear(a, b)
        for i, a, b in zip((1, 2, 9, 10), sizes, sizes[1:], strict=False)
    }
    state = {
        f"{name}.{part}": tensor
        for name in sorted(layers)  # layer1, layer10, layer2, layer9
        for part, tensor in layers[name].state_dict().items()
    }
    inferred = mlp_from_state(state)
    x = torch.randn(4, 7)
    expected = x
    for name in ("layer1", "layer2", "layer9"):
        expected = layers[name](expected).relu()
    assert torch.equal(inferred(x), layers["layer10"](expected))


def test_mlp_from_state__takes_a_single_layer_without_a_name() -> None:
    for linear in (nn.Linear(4, 3), nn.Linear(4, 3, bias=False), nn.Linear(4, 3).double()):
        inferred = mlp_from_state(linear.state_dict())
        x = torch.randn(2, 4, dtype=linear.weight.dtype)
        assert torch.equal(inferred(x), linear(x))
        assert inferred.state_dict().keys() == linear.state_dict().keys()
        assert [layer.info.name for layer in list_layers(inferred)] == ["weight"]
        with swapped(inferred, "A", rng=1):
            assert not torch.equal(inferred(x), linear(x))
        assert torch.equal(inferred(x), linear(x))


STATES: dict[str, tuple[dict[str, torch.Tensor], str]] = {
    "nothing": ({}, "no weight tensor"),
    "convolution": ({"0.weight": torch.ones(2, 3, 3, 3)}, r"tensor '0.weight' is \(2, 3, 3, 3\)"),
    "batch norm": (
        {"0.weight": torch.ones(4, 3), "1.weight": torch.ones(4), "1.bias": torch.ones(4)},
        "tensor '1.weight'",
    ),
    "buffer": ({"0.weight": torch.ones(4, 3), "0.scale": torch.ones(4)}, "tensor '0.scale'"),
    "bias alone": ({"0.weight": torch.ones(4, 3), "1.bias": torch.ones(4)}, "tensor '1.bias'"),
    "bias too long": ({"0.weight": torch.ones(4, 3), "0.bias": torch.ones(5)}, "tensor '0.bias'"),
    "integers": ({"0.weight": torch.ones(4, 3, dtype=torch.int8)}, "torch.int8"),
    "odd name": ({"0.my_weight": torch.ones(4, 3)}, "tensor '0.my_weight'"),
    "no chain": (
        {"a.weight": torch.ones(4, 3), "b.weight": torch.ones(4, 3)},
        r"do not follow on each other: a.weight \(4, 3\), b.weight \(4, 3\)",
    ),
    "taken name": ({"forward.weight": torch.ones(4, 3)}, "cannot be called 'forward'"),
}


@pytest.mark.parametrize(("state", "message"), STATES.values(), ids=STATES)
def test_mlp_from_state__says_which_tensor_is_no_layers(
    state: dict[str, torch.Tensor], message: str
) -> None:
    with pytest.raises(bipnet.InputError, match=message):
        mlp_from_state(state)


def test_mlp_from_state__checks_activation_and_inputs() -> None:
    state = mlp(4, 3, 2).state_dict()
    with pytest.raises(bipnet.InputError, match="relu, tanh, sigmoid, gelu, got 'swish'"):
        mlp_from_state(state, activation="swish")  # type: ignore[arg-type]
    with pytest.raises(bipnet.InputError, match="takes 4 inputs, the data has 6"):
        mlp_from_state(state)(torch.ones(1, 2, 3))
