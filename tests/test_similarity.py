"""CKA of activations: against Gram matrices, without padding, and no other for being reused."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tiny_models
import torch
from torch import nn

from bipnet.errors import InputError, LayerNotFoundError
from bipnet.torch import CKA, Accuracy, list_layers, probe, swapped
from bipnet.torch.evaluate import logits_of
from bipnet.torch.passes import Passes
from bipnet.torch.similarity import linear_cka


def gram_cka(X: Any, Y: Any) -> float:
    """HSIC(X, Y) / sqrt(HSIC(X, X) HSIC(Y, Y)) of linear kernels, by n x n matrices."""
    n = len(X)
    H = np.eye(n) - np.full((n, n), 1 / n)
    K, L = (H @ np.asarray(Z, np.float64) @ np.asarray(Z, np.float64).T @ H for Z in (X, Y))
    return float(np.trace(K @ L) / math.sqrt(np.trace(K @ K) * np.trace(L @ L)))


def outputs_of(model: nn.Module, batches: list[Any], name: str) -> Any:
    """Rows of a module's outputs, one by one; places that are padding left out."""
    module = dict(model.named_modules())[name]
    rows = []
    for batch in batches:
        seen: list[Any] = []
        handle = module.register_forward_hook(lambda _, __, out, seen=seen: seen.append(out))
        with torch.no_grad():
            model(batch) if isinstance(batch, torch.Tensor) else model(**batch)
        handle.remove()
        (found,) = seen
        found = found[0] if isinstance(found, tuple) else found
        for i, sample in enumerate(found.double().numpy()):
            if sample.ndim == 1:
                rows.append(sample)
            elif sample.ndim == 2:
                kept = range(len(sample))
                if not isinstance(batch, torch.Tensor):
                    kept = [t for t in kept if batch["attention_mask"][i, t]]
                rows += [sample[t] for t in kept]
            else:
                h, w = sample.shape[1:]
                rows += [sample[:, y, x] for y in range(h) for x in range(w)]
    return np.array(rows)


def read(output: Any) -> torch.Tensor:
    found: torch.Tensor = getattr(output, "logits", output)
    return found


def passes(batches: list[Any], **options: Any) -> Passes:
    return Passes(batches, read, **options)


TEXTS = [tiny_models.text_batch(3, 7), tiny_models.text_batch(2, 3, 1)]
IMAGES = [tiny_models.images(3), tiny_models.images(2, 1)]


class Pictures(nn.Module):
    """A convolution, positions in (n, c, h, w), and then one number per sample and feature."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.act = nn.ReLU(inplace=True)
        self.out = nn.Linear(4 * 36, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.out(self.act(self.conv(x)).flatten(1))
        return found


CASES: dict[str, tuple[Callable[[], nn.Module], list[Any], list[str], str]] = {
    "distilbert": (
        tiny_models.distilbert,
        TEXTS,
        ["distilbert.transformer.layer.[0-2]", "*.1.ffn.lin1", "classifier"],
        "distilbert.transformer.layer.1.ffn.lin2.weight",
    ),
    "bert": (tiny_models.bert, TEXTS, ["*.layer.[01]"], "bert.encoder.layer.0.output.dense.weight"),
    "gpt2": (
        tiny_models.gpt2,
        TEXTS,
        ["*.h.[01]", "*.attn.c_attn"],
        "transformer.h.1.attn.c_attn.weight",
    ),
    "vit": (tiny_models.vit, IMAGES, ["*attention.output.dense", "*mlp.fc?", "classifier"], ""),
    "pictures": (Pictures, IMAGES, ["conv", "out"], "out.weight"),
}


def made(kind: str) -> tuple[nn.Module, list[Any], list[str], str]:
    make, batches, at, layer = CASES[kind]
    torch.manual_seed(7)
    model = make().eval()
    if not layer:
        names = [name for name, _ in model.named_modules()]
        at = [f"*{name.split('.')[-2]}.{name.split('.')[-1]}" for name in names if "mlp." in name]
        at = [*at, "classifier"]
        layer = list_layers(model)[-2].info.name
    return model, batches, at, layer


@pytest.mark.parametrize("shapes", [((9, 4), (9, 3)), ((5, 12), (5, 20)), ((40, 6), (40, 6))])
def test_linear_cka__is_that_of_gram_matrices(shapes: Any) -> None:
    rng = np.random.default_rng(3)
    X, Y = (1e3 + 10.0 ** rng.integers(-3, 3) * rng.normal(size=shape) for shape in shapes)
    found = linear_cka(torch.from_numpy(X), torch.from_numpy(Y))
    assert found == pytest.approx(gram_cka(X, Y), rel=1e-7)
    assert linear_cka(torch.from_numpy(X), torch.from_numpy(5 - 1e200 * X)) == pytest.approx(1)


@pytest.mark.parametrize("kind", CASES)
def test_cka__is_that_of_gram_matrices_for_every_module(kind: str) -> None:
    model, batches, at, layer = made(kind)
    cka = CKA(model, passes(batches), at=at)
    assert len(cka.modules) >= 2
    assert cka.by_module(model) == pytest.approx(dict.fromkeys(cka.modules, 1.0), abs=1e-12)
    before = {name: outputs_of(model, batches, name) for name in cka.modules}
    with swapped(model, "A", layers=layer, rng=7):
        found = cka.by_module(model)
        wanted = {name: gram_cka(before[name], outputs_of(model, batches, name)) for name in before}
        assert cka(model) == pytest.approx(np.mean(list(wanted.values())), rel=1e-6)
    assert found == pytest.approx(wanted, rel=1e-6)
    assert min(found.values()) < 0.999999
    assert cka(model) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("budget", [2 << 30, 2000, 0])
@pytest.mark.parametrize("kind", CASES)
def test_reusing__gives_the_same_number_for_every_layer(kind: str, budget: int) -> None:
    model, batches, at, _ = made(kind)
    cka = CKA(model, passes(batches, budget=budget), at=at)
    for layer in list_layers(model):
        name, changed = layer.info.name, [layer.at.tensor]
        with swapped(model, "A", layers=name, rng=1):
            full = cka.by_module(model)
        with cka.reusing(model, changed):
            as_it_is = cka.by_module(model)
            with swapped(model, "A", layers=name, rng=1):
                assert cka.by_module(model) == full, name
        assert as_it_is == cka.by_module(model)
        assert not any(module._forward_hooks for module in model.modules())


def test_reusing__what_lies_before_a_probed_layer_is_neither_run_nor_lost() -> None:
    """Block 2 is probed: block 0 is replayed, and what is chosen within is not even called."""
    model = tiny_models.distilbert()
    cka = CKA(model, passes(TEXTS), at=["*layer.0.ffn.lin?", "*layer.0", "*layer.2"])
    runs: list[str] = []
    within = model.get_submodule("distilbert.transformer.layer.0.ffn.lin1")
    within.register_forward_pre_hook(lambda *_: runs.append("run"))
    changed = model.get_parameter("distilbert.transformer.layer.2.ffn.lin2.weight")
    with cka.reusing(model, [changed]):
        runs.clear()
        found = cka.by_module(model)
        assert runs == []
    assert len(found) == 4
    assert found == pytest.approx(dict.fromkeys(found, 1.0), abs=1e-12)
    # The original is another model: what does not change is not 1 for that.
    with swapped(model, "A", layers="*layer.0.ffn.lin1", rng=1):
        full = cka.by_module(model)
        with cka.reusing(model, [changed]):
            assert cka.by_module(model) == full
    assert full[cka.modules[0]] < 0.99
    # Nothing that is chosen can change: nothing is run at all.
    early = CKA(model, passes(TEXTS), at="*layer.0.ffn.lin1")
    with early.reusing(model, [changed]):
        runs.clear()
        assert early(model) == pytest.approx(1.0)
        assert runs == []


@pytest.mark.filterwarnings("ignore::bipnet.BipnetWarning")
def test_probe__takes_it_as_an_evaluator() -> None:
    model = tiny_models.distilbert()
    cka = CKA(model, passes(TEXTS), at="*layer.?")
    options: Any = {"levels": [0.3, 0.6, 1.0], "layers": "*lin2", "each": True, "signed": False}
    table = probe(model, cka, "prune", **options)
    plain = probe(model, lambda model: cka(model), "prune", **options)
    assert table.equals(plain)
    assert table["score"].iloc[0] == pytest.approx(1.0)
    assert table["score"].between(0, 1).all()


def test_sample__is_the_same_for_a_seed_and_for_modules_of_the_same_rows() -> None:
    model = tiny_models.distilbert()
    everything = CKA(model, passes(TEXTS), at="*layer.?")
    n = len(outputs_of(model, TEXTS, everything.modules[0]))
    with swapped(model, "A", layers="*lin1", rng=1):
        probed = CKA(model, passes(TEXTS), at="*layer.?")
        assert probed(model) == pytest.approx(1.0)

    def sampled(n_tokens: int | None, rng: int) -> dict[str, float]:
        cka = CKA(model, passes(TEXTS), at="*layer.?", n_tokens=n_tokens, rng=rng)
        with swapped(model, "A", layers="*lin1", rng=1):
            return cka.by_module(model)

    assert sampled(9, 0) == sampled(9, 0)
    assert sampled(9, 0) != sampled(9, 1)
    assert sampled(n, 0) == sampled(None, 0) == sampled(10 * n, 3)
    cka = CKA(model, passes(TEXTS), at="*layer.?", n_tokens=9)
    assert [len(rows) for rows in cka._original.values()] == [9] * 3
    whole = outputs_of(model, TEXTS, cka.modules[0]).tolist()
    places = [whole.index(row) for row in cka._original[cka.modules[0]].double().tolist()]
    assert places == sorted(set(places))
    with cka.reusing(model, [next(model.parameters())]):
        assert cka(model) == pytest.approx(1.0)


def test_constant_activations__say_nothing_and_are_all_the_same() -> None:
    varied, constant = torch.randn(6, 3), torch.full((6, 2), 0.1)
    assert linear_cka(varied, constant) == linear_cka(constant, varied) == 0.0
    assert linear_cka(constant, constant + 1) == 1.0
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    cka = CKA(model, passes([torch.randn(9, 4)]), at=["0", "2"])
    with torch.no_grad():
        model[0].weight.zero_()
    assert cka.by_module(model) == {"0": 0.0, "2": 0.0}
    assert CKA(model, passes([torch.randn(9, 4)]), at="0")(model) == 1.0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_dtypes__activations_are_compared_in_float64(dtype: torch.dtype) -> None:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3)).to(dtype)
    batches = [torch.randn(9, 4).to(dtype), torch.randn(7, 4).to(dtype)]
    cka = CKA(model, passes(batches), at=["0", "1"])
    before = {name: outputs_of(model, batches, name) for name in ("0", "1")}
    with swapped(model, "A", layers="0", rng=1):
        found = cka.by_module(model)
        for name, rows in before.items():
            wanted = gram_cka(rows, outputs_of(model, batches, name))
            assert found[name] == pytest.approx(wanted, rel=1e-9)


def test_evaluators__lend_their_inputs() -> None:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))
    x, y = torch.randn(20, 4), torch.arange(20) % 3
    accuracy = Accuracy((x, y), batch_size=8)
    cka = CKA(model, accuracy, at="?")
    assert cka.modules == ("0", "1", "2")
    assert len(cka._original["0"]) == 20
    torch.testing.assert_close(cka._original["2"], model(x).detach())
    assert CKA(model, accuracy, at="").modules == ("",)
    assert CKA(model, accuracy, at=["2", "2", "*"]).modules == ("0", "1", "2")
    with pytest.raises(InputError, match="loader may give other batches"):
        CKA(model, Accuracy([(x, y)]), at="0")
    with pytest.raises(InputError, match=r"fixed batches is wanted.*got function"):
        CKA(model, lambda model: 1.0, at="0")
    with pytest.raises(InputError, match="fixed batches"):
        CKA(model, Passes([], logits_of), at="0")


class Odd(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.twice = nn.Linear(4, 4)
        self.flat = nn.Flatten(0)
        self.kinds = nn.Identity()
        self.never = nn.ModuleList([nn.Identity()])
        self.once = nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.flat(x)
        self.kinds(x.argmax(-1))
        found: torch.Tensor = self.twice(self.twice(x))
        return self.once(found) if len(x) > 5 else found


def test_modules__that_cannot_be_compared_are_refused() -> None:
    model, batches = Odd(), passes([torch.randn(9, 4), torch.randn(8, 4)])
    assert CKA(model, batches, at=["never*", "once"]).modules == ("once",)
    for at, error, message in (
        ("twice", InputError, "module 'twice' is called several times"),
        ("flat", InputError, r"module 'flat' gives \(36,\), not"),
        ("kinds", InputError, "module 'kinds' gives torch.int64"),
        ("never*", LayerNotFoundError, "no module that matches 'never.' is called"),
        ("onc", LayerNotFoundError, "'onc'. Did you mean 'once'.*There are: twice, flat"),
        ([], InputError, "at must be a glob"),
        (3, InputError, "at must be a glob"),
    ):
        with pytest.raises(error, match=message):
            CKA(model, batches, at=at)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="'once' is not called in every batch"):
        CKA(model, passes([torch.randn(9, 4), torch.randn(4, 4)]), at="once")
    with pytest.raises(InputError, match="module '' gives 1 row"):
        CKA(nn.Sequential(model), passes([torch.randn(6, 4)[:1]]), at="")
    for n_tokens in (1, 2.5, True, "all"):
        with pytest.raises(InputError, match="n_tokens must be"):
            CKA(model, batches, at="once", n_tokens=n_tokens)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"torch\.nn\.Module, got int"):
        CKA(3, batches, at="once")  # type: ignore[arg-type]
    cka = CKA(model, batches, at="once")
    with pytest.raises(LayerNotFoundError, match="has no module 'once'"):
        cka(nn.Sequential(nn.Linear(4, 4)))
    with torch.no_grad():
        model.twice.weight.fill_(math.inf)
    with pytest.raises(InputError, match="of module 'once' are not finite"):
        cka(model)


def test_modules__of_texts_must_have_the_texts_tokens() -> None:
    model = tiny_models.distilbert()
    with pytest.raises(InputError, match=r"position_embeddings' gives \(1, 7, 12\), not 3 samples"):
        CKA(model, passes(TEXTS), at="*position_embeddings")
