"""What is kept of a pass is exactly what running it again would give."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import tiny_models
import torch
from torch import nn
from torch.nn.utils import prune as torch_prune
from torch.overrides import TorchFunctionMode

import bipnet
from bipnet.errors import InputError
from bipnet.torch import Accuracy, list_layers, probe, swapped, task_complexity
from bipnet.torch.passes import Passes


def same_bits(first: torch.Tensor, second: torch.Tensor) -> bool:
    """NaN of the same bits included."""
    if first.shape != second.shape or first.dtype != second.dtype:
        return False
    return first.contiguous().numpy().tobytes() == second.contiguous().numpy().tobytes()


def logits(output: Any) -> torch.Tensor:
    found: torch.Tensor = getattr(output, "logits", output)
    return found


TRANSFORMERS: dict[str, tuple[Callable[[], nn.Module], list[Any]]] = {
    "distilbert": (
        tiny_models.distilbert,
        [tiny_models.text_batch(3, 7), tiny_models.text_batch(2, 3, 1)],
    ),
    "bert": (tiny_models.bert, [tiny_models.text_batch(3, 7), tiny_models.text_batch(2, 3, 1)]),
    "gpt2": (tiny_models.gpt2, [tiny_models.text_batch(3, 7), tiny_models.text_batch(2, 3, 1)]),
    "bert-mlm": (
        lambda: tiny_models.bert("MaskedLM"),
        [tiny_models.text_batch(3, 7), tiny_models.text_batch(2, 3, 1)],
    ),
    "vit": (tiny_models.vit, [tiny_models.images(3), tiny_models.images(1, 1)]),
}


class Counted(TorchFunctionMode):
    """How often each parameter takes part in a matrix product or a normalisation."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.names = {id(tensor): name for name, tensor in model.named_parameters()}
        self.calls: dict[str, int] = {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (nn.functional.linear, nn.functional.layer_norm):
            for value in (*args, *(kwargs or {}).values()):
                if id(value) in self.names:
                    name = self.names[id(value)]
                    self.calls[name] = self.calls.get(name, 0) + 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("kind", TRANSFORMERS)
def test_reusing__gives_the_bits_of_full_passes_for_every_layer(kind: str) -> None:
    make, batches = TRANSFORMERS[kind]
    model = make()
    passes = Passes(batches, logits)
    layers = list_layers(model, "*")
    assert len(layers) > 5
    n_reused = 0
    for layer in layers:
        before = [out.clone() for out in passes.outputs(model)]
        with passes.reusing(model, [layer.at.tensor]) as kept:
            n_reused += kept is not None
            again = [out.clone() for out in passes.outputs(model)]
            assert all(map(same_bits, before, again))
            new = bipnet.flip_signs(layer.graph(), 0.7)
            with swapped(model, weights={layer.info.name: new}):
                probed = [out.clone() for out in passes.outputs(model)]
        with swapped(model, weights={layer.info.name: new}):
            full = [out.clone() for out in passes.outputs(model)]
        assert all(map(same_bits, probed, full)), layer.info.name
        assert not all(map(same_bits, probed, before)), layer.info.name
        restored = list(passes.outputs(model))
        assert all(map(same_bits, restored, before)), layer.info.name
    assert n_reused > len(layers) // 2


def test_last_layer__runs_nothing_before_it() -> None:
    model = tiny_models.distilbert()
    batches = TRANSFORMERS["distilbert"][1]
    passes = Passes(batches, logits)
    with passes.reusing(model, [model.classifier.weight]) as kept:  # type: ignore[union-attr, list-item]
        assert kept is not None
        assert kept.n_batches == 2
        with Counted(model) as counted:
            list(passes.outputs(model))
    assert counted.calls == {"classifier.weight": 2, "classifier.bias": 2}


def test_within_a_block__what_comes_before_the_layer_is_kept() -> None:
    model = tiny_models.distilbert()
    passes = Passes(TRANSFORMERS["distilbert"][1], logits)
    block = "distilbert.transformer.layer.1"
    lin2 = model.get_submodule(f"{block}.ffn.lin2").weight
    with passes.reusing(model, [lin2]), Counted(model) as counted:  # type: ignore[list-item]
        list(passes.outputs(model))
    ran = set(counted.calls)
    assert f"{block}.ffn.lin2.weight" in ran
    before = ("ffn.lin1", "attention.q_lin", "sa_layer_norm")
    assert not ran & {f"{block}.{name}.weight" for name in before}
    assert not any(name.startswith("distilbert.transformer.layer.0") for name in ran)


class Glue(nn.Module):
    """Layers with things between them that no module sees."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.first = nn.Linear(4, 4)
        self.shared = nn.Tanh()
        self.second = nn.Linear(4, 4)
        self.late = nn.Parameter(torch.randn(4, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = self.first(x)
        if self.how == "in place":
            a += 1
        b = self.shared(a)
        c = self.second(b) + (a if self.how == "skip" else 0)
        c = self.shared(c)
        if self.how == "in place":
            c.mul_(2)
        if self.how == "works on what is kept":
            b.mul_(2)
            c = c + b
        if self.how == "nested":
            c = nn.functional.relu(c)
        return c @ self.late


@pytest.mark.parametrize("how", ["plain", "in place", "skip", "nested", "works on what is kept"])
@pytest.mark.parametrize("changed", ["first.weight", "second.weight", "late"])
def test_reusing__sees_what_lies_between_modules(how: str, changed: str) -> None:
    torch.manual_seed(3)
    model = Glue(how)
    x = torch.randn(5, 4)
    passes = Passes([x, x[:2]], logits)
    parameter = dict(model.named_parameters())[changed]
    with passes.reusing(model, [parameter]) as kept:
        for factor in (1.0, -0.5, 2.0):
            with torch.no_grad():
                parameter.mul_(factor)
            found = [out.clone() for out in passes.outputs(model)]
            with torch.no_grad():
                wanted = [model(x), model(x[:2])]
            assert all(map(same_bits, found, wanted))
    if changed != "second.weight":  # "late" is the outermost module's own: used from its begin on
        assert kept is None
    else:
        assert kept is not None
        assert kept.n_batches == 2


def test_reusing__keeps_no_more_than_the_budget_and_runs_the_rest() -> None:
    model = tiny_models.distilbert()
    batches = [tiny_models.text_batch(4, 8, seed) for seed in range(4)]
    classifier: Any = model.classifier
    one = (
        4 * 8 * 12 * 4 * 2
    )  # the last hidden states, before and after the dropout that does nothing
    passes = Passes(batches, logits, budget=2 * one)
    wanted = [out.clone() for out in passes.outputs(model)]
    with passes.reusing(model, [classifier.weight]) as kept:
        assert kept is not None
        assert kept.n_batches == 2
        assert all(map(same_bits, passes.outputs(model), wanted))
    with Passes(batches, logits, budget=0).reusing(model, [classifier.weight]) as kept:
        assert kept is not None
        assert kept.n_batches == 0


@pytest.mark.parametrize("budget", [-1, 1.5, True, "2"])
def test_budget__is_a_number_of_bytes(budget: Any) -> None:
    with pytest.raises(InputError, match="number of bytes"):
        Passes([], logits, budget=budget)


def test_unused_parameter__reuses_nothing() -> None:
    model = Glue("plain")
    model.register_parameter("idle", nn.Parameter(torch.ones(2, 2)))
    with Passes([torch.ones(1, 4)], logits).reusing(model, [model.idle]) as kept:  # type: ignore[list-item]
        assert kept is None


def test_poison__shows_where_a_value_is_used_unseen() -> None:
    """What no function was seen to take is NaN: a batch that uses it is run in full."""

    class Unseen(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(3, 3)
            self.second = nn.Linear(3, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            a = self.first(x)
            with torch._C.DisableTorchFunction():
                b = a * 2
            return self.second(b)

    torch.manual_seed(5)
    model = Unseen()
    x = torch.randn(4, 3)
    passes = Passes([x], logits)
    with passes.reusing(model, [model.second.weight]) as kept:
        assert kept is None
        with torch.no_grad():
            assert same_bits(next(passes.outputs(model)), model(x))


def test_scripted_layer__reuses_nothing() -> None:
    with pytest.warns(DeprecationWarning, match="script"):
        scripted = torch.jit.script(nn.Linear(4, 4))
    model = nn.Sequential(nn.Linear(4, 4), scripted)
    with Passes([torch.ones(1, 4)], logits).reusing(model, [scripted.weight]) as kept:
        assert kept is None


def test_hooks_of_the_user__run_once_as_ever() -> None:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    model[0].register_forward_hook(lambda module, args, output: output * 2)
    x = torch.randn(3, 4)
    passes = Passes([x], logits)
    with torch.no_grad():
        wanted = model(x)
    with passes.reusing(model, [model[1].weight]) as kept:
        assert kept is not None
        assert same_bits(next(passes.outputs(model)), wanted)
    assert "forward" not in vars(model[0])


def test_pruned_layers__mask_and_all() -> None:
    torch.manual_seed(2)
    model = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 3))
    torch_prune.l1_unstructured(model[2], "weight", amount=0.5)
    x, y = torch.randn(20, 6), torch.randint(0, 3, (20,))
    plain = Accuracy((x, y))
    fast = probe(model, plain, "F", levels=[0, 0.3], layers="2.weight", rng=3)
    slow = probe(model, lambda model: plain(model), "F", levels=[0, 0.3], layers="2.weight", rng=3)
    assert fast.equals(slow)


@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize("name", ["prune", "noise", "flip", "A"])
def test_probe__is_the_same_with_and_without_what_is_kept(name: str, each: bool) -> None:
    model = tiny_models.vit()
    data = (tiny_models.images(12), torch.arange(12) % 3)
    evaluate = Accuracy(data, batch_size=5)
    options: dict[str, Any] = {"levels": [0.1, 0.5], "each": each, "rng": 5, "n_realizations": 2}
    options["layers"] = ["*layers.1.*", "classifier*"]
    fast = probe(model, evaluate, name, **options)
    slow = probe(model, lambda model: evaluate(model), name, **options)
    assert fast.equals(slow)
    gaps = task_complexity(model, evaluate, layers="classifier*", rng=1)
    assert gaps.equals(
        task_complexity(model, lambda one: evaluate(one), layers="classifier*", rng=1)
    )


def test_loader__that_may_give_other_batches_is_run_in_full() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    asked = []

    class Loader:
        def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
            asked.append(1)
            yield torch.ones(2, 4), torch.zeros(2, dtype=torch.int64)

    probe(model, Accuracy(Loader()), "A", layers="1.weight", levels=[0], n_realizations=5, rng=1)
    assert len(asked) == 1 + 1 + 2 * 5


class Stash(nn.Module):
    """Leaves a tensor lying about for a later part, as a hook or as an attribute."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.encoder = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 8))
        self.head = nn.Linear(16, 3)
        if how == "hook":
            self.encoder[0].register_forward_hook(self.keep)

    def keep(self, module: nn.Module, inputs: Any, output: torch.Tensor) -> None:
        self.skip = output

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.encoder(x)
        if self.how == "attribute":
            self.skip = h
        return self.head(torch.cat([h, self.skip], 1))


@pytest.mark.parametrize("how", ["hook", "attribute"])
@pytest.mark.parametrize("budget", [1 << 20, 2000])
def test_what_a_forward_leaves_lying_about__is_that_of_the_batch(how: str, budget: int) -> None:
    torch.manual_seed(4)
    model = Stash(how)
    x = torch.randn(100, 6)
    with torch.no_grad():
        y = model(x).argmax(1)
    evaluate = Accuracy((x, y), batch_size=25, budget=budget)
    options: dict[str, Any] = {"levels": [0.1, 0.3, 0.5, 0.7, 0.9], "layers": "head"}
    fast = probe(model, evaluate, "prune", **options)
    assert fast.equals(probe(model, lambda model: evaluate(model), "prune", **options))


class Loop(nn.Module):
    """A cell that is called before and after the middle, how often is up to the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.middle = nn.Linear(6, 6), nn.Linear(6, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = x[:, 0]
        for _ in range(x.shape[1]):
            h = torch.tanh(self.cell(h))
        h = self.middle(h)
        for _ in range(x.shape[1]):
            h = torch.tanh(self.cell(h))
        return h


@pytest.mark.parametrize("lengths", [(9, 3, 4), (3, 9), (4, 4)])
def test_a_plan_that_does_not_fit_a_batch__is_dropped(lengths: tuple[int, ...]) -> None:
    torch.manual_seed(6)
    model = Loop()
    batches = [torch.randn(n, n, 6) for n in lengths]
    passes = Passes(batches, logits)
    with passes.reusing(model, [model.middle.weight]), torch.no_grad():
        model.middle.weight.mul_(-0.7)
        for found, x in zip(passes.outputs(model), batches, strict=True):
            assert same_bits(found, model(x))


class Neck(nn.Module):
    """A module that gives a list, to which its caller appends."""

    def __init__(self) -> None:
        super().__init__()
        self.body = Listing()
        self.extra, self.head = nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = self.body(x)
        features.append(self.extra(features[-1]))
        return self.head(sum(features))


class Listing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 6)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return [x, self.layer(x)]


def test_a_model_made_in_a_way_of_its_own__is_run_in_full() -> None:
    torch.manual_seed(7)
    model = Neck()
    x = torch.randn(40, 6)
    with torch.no_grad():
        y = model(x).argmax(1)
    evaluate = Accuracy((x, y), batch_size=9)
    options: dict[str, Any] = {"levels": [0.1, 0.3, 0.5, 0.7], "layers": ["head", "extra"]}
    fast = probe(model, evaluate, "prune", each=True, **options)
    slow = probe(model, lambda model: evaluate(model), "prune", each=True, **options)
    assert fast.equals(slow)


def test_budget__counts_what_is_held() -> None:
    class Halves(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wide, self.head = nn.Linear(6, 64), nn.Linear(32, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.split(x))

        def split(self, x: torch.Tensor) -> torch.Tensor:
            return self.wide(x).chunk(2, dim=1)[0]

    model = Halves()
    passes = Passes([torch.randn(50, 6)], logits)
    with passes.reusing(model, [model.head.weight]) as kept:
        assert kept is not None
        for outputs in kept._kept[0].values():
            for tensor in outputs:
                assert tensor.untyped_storage().nbytes() == tensor.nbytes
