"""probe and task_complexity: every weight that is scored is the one a naive twin computes."""

from __future__ import annotations

import builtins
import math
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import bipnet
from bipnet import NULL_MODELS
from bipnet._streams import resolve_seed
from bipnet.probes import FLIP_LEVELS, NOISE_LEVELS, PRUNE_LEVELS

torch = pytest.importorskip("torch")
pd = pytest.importorskip("pandas")
from torch import nn  # noqa: E402
from torch.nn.utils import prune as torch_prune  # noqa: E402

from bipnet.experiments.tables import COLUMNS, MODELS, PROBES  # noqa: E402
from bipnet.torch import list_layers, probe, swapped, task_complexity  # noqa: E402
from bipnet.torch.biases import biases_of  # noqa: E402
from bipnet.torch.complexity import COMPLEXITY_COLUMNS  # noqa: E402
from bipnet.torch.probing import PROBE_COLUMNS  # noqa: E402

quiet = pytest.mark.filterwarnings(
    "ignore::bipnet.FrozenWarning", "ignore::bipnet.EmptyLayerWarning"
)
SEED = 11


class Net(nn.Module):
    """Linear, grouped convolution, embedding, a tied head, and a pruning mask."""

    def __init__(self, dtype: Any = torch.float32) -> None:
        super().__init__()
        self.embed = nn.Embedding(7, 4, dtype=dtype)
        self.conv = nn.Conv1d(4, 6, 2, groups=2, dtype=dtype)
        self.fc = nn.Linear(6, 5, dtype=dtype)
        self.masked = nn.Linear(5, 4, dtype=dtype)
        self.head = nn.Linear(4, 7, bias=False, dtype=dtype)
        self.head.weight = self.embed.weight
        torch_prune.l1_unstructured(self.masked, "weight", amount=0.3)


@pytest.fixture(autouse=True)
def seeded() -> None:
    """The same random weights in every run."""
    torch.manual_seed(5)


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


# -- naive twins: one weight at a time, in plain Python ------------------------------------------


Matrix = list[list[Any]]


def places_by_size(matrix: Matrix) -> list[tuple[int, int]]:
    """Where the edges are, smallest magnitude first, the earlier one first among equals."""
    found = [
        (abs(float(weight)), i, j)
        for i, row in enumerate(matrix)
        for j, weight in enumerate(row)
        if weight != 0
    ]
    return [(i, j) for _, i, j in sorted(found)]


def naive_prune(matrix: Matrix, share: float) -> Matrix:
    places = places_by_size(matrix)
    gone = set(places[: round(share * len(places))])
    return [
        [weight * 0 if (i, j) in gone else weight for j, weight in enumerate(row)]
        for i, row in enumerate(matrix)
    ]


def naive_flip(matrix: Matrix, share: float) -> Matrix:
    places = places_by_size(matrix)
    turned = set(places[: round(share * len(places))])
    return [
        [-weight if (i, j) in turned else weight for j, weight in enumerate(row)]
        for i, row in enumerate(matrix)
    ]


def naive_noise(matrix: Matrix, scale: float, name: str, index: int, normal: bool) -> Matrix:
    purpose = "noise normal" if normal else "noise uniform"
    generator = resolve_seed(SEED).generator(purpose, name=name, index=index)
    noisy = []
    for row in matrix:
        noisy.append([])
        for weight in row:
            if weight != 0:
                draw = generator.standard_normal() if normal else 2 * generator.random() - 1
                weight = weight.dtype.type(float(weight) + scale * draw)
            noisy[-1].append(weight)
    return noisy


def naive_signs(matrix: Matrix) -> Matrix:
    return [[(float(w) > 0) * 1.0 - (float(w) < 0) * 1.0 for w in row] for row in matrix]


def naive_null(matrix: Matrix, share: float, null: str, name: str, index: int) -> Matrix:
    """Randomised after pruning: the draw that the library gives of what is left."""
    left = np.array(naive_prune(matrix, share))
    return [list(row) for row in bipnet.randomize(left, null, rng=SEED, index=index, name=name)]


def naive(kind: str, matrix: Matrix, level: float, name: str, index: int, normal: bool) -> Matrix:
    if kind == "prune":
        return naive_prune(matrix, level)
    if kind == "flip":
        return naive_flip(matrix, level)
    if kind == "noise":
        return naive_noise(matrix, level, name, index, normal)
    return naive_null(matrix, level, kind, name, index)


def matrices(model: nn.Module, layers: Any = None) -> dict[str, Matrix]:
    """Layer -> its matrix now, as rows of scalars."""
    return {
        layer.info.name: [list(row) for row in layer.graph().to_array()]
        for layer in list_layers(model, layers)
    }


class Recorder:
    """An evaluate function that keeps what it saw; the score is the number of the call."""

    def __init__(self, layers: Any = None) -> None:
        self.layers = layers
        self.seen: list[dict[str, Matrix]] = []
        self.bytes: list[dict[str, bytes]] = []

    def __call__(self, model: nn.Module) -> float:
        self.seen.append(matrices(model, self.layers))
        self.bytes.append(contents(model))
        return float(len(self.seen))


def as_floats(matrix: Matrix) -> list[list[float]]:
    return [[float(weight) for weight in row] for row in matrix]


LEVELS = {
    "prune": [0, 0.25, 0.9, 0.999, 1],
    "flip": [0, 0.5, 1],
    "noise": [0, 0.01, 2.5],
    **{letter: [0, 0.5, 1] for letter in NULL_MODELS},
}


@quiet
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "float64"])
@pytest.mark.parametrize("kind", LEVELS)
def test_probe__scores_what_the_naive_twin_makes(kind: str, dtype: str) -> None:
    model = Net(getattr(torch, dtype))
    layers = ["conv*", "fc", "masked", "embed"]
    old, before = matrices(model, layers), contents(model)
    record = Recorder(layers)
    table = probe(
        model, record, kind, levels=LEVELS[kind], layers=layers, n_realizations=2, rng=SEED
    )
    assert contents(model) == before
    assert table["score"].tolist() == [i + 1 for i in range(len(table))]  # in order, none twice
    assert len(old) == 5  # two groups of the convolution
    for row, seen in zip(table.itertuples(), record.seen, strict=True):
        for name, matrix in old.items():
            wanted = matrix
            if row.probe != "none":
                level = row.level if kind in ("noise", "flip") else row.fraction_removed
                wanted = naive(kind, matrix, level, name, row.realization, False)
            if row.model == "signed":
                wanted = naive_signs(wanted)
            assert as_floats(seen[name]) == as_floats(wanted), (row, name)
        n_edges = sum(w != 0 for matrix in seen.values() for line in matrix for w in line)
        assert row.n_edges == n_edges


def test_probe__of_normal_noise() -> None:
    model, record = nn.Linear(4, 3), Recorder()
    (old,) = matrices(model).values()
    table = probe(
        model, record, "noise", levels=[0.3], distribution="normal", n_realizations=3, rng=SEED
    )
    for row, seen in zip(table.itertuples(), record.seen, strict=True):
        if row.probe == "noise":
            wanted = naive_noise(old, 0.3, "weight", row.realization, True)
            wanted = naive_signs(wanted) if row.model == "signed" else wanted
            assert as_floats(seen["weight"]) == as_floats(wanted)
    assert table.attrs == {"distribution": "normal"}


@pytest.mark.parametrize("kind", ["prune", "flip"])
def test_ties__go_by_position_in_the_graph(kind: str) -> None:
    # (out, in) = (2, 3), all of one size: the graph's rows are the inputs.
    model = nn.Linear(3, 2, bias=False)
    model.weight.data.copy_(torch.tensor([[1.0, -1, 1], [1, 1, -1]]))
    record = Recorder()
    probe(model, record, kind, levels=[0.5], signed=False)
    changed = 0 if kind == "prune" else -1
    (start, probed) = (as_floats(seen["weight"]) for seen in record.seen)
    assert start == [[1, 1], [-1, 1], [1, -1]]
    assert probed == [[1 * changed, 1 * changed], [-1 * changed, 1], [1, -1]]


@quiet
@pytest.mark.parametrize("kind", LEVELS)
def test_probe__of_equal_weights_is_the_twin(kind: str) -> None:
    model = nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 4))
    for layer in model:
        layer.weight.data = torch.sign(layer.weight.data) / 2
        layer.weight.data[0, :2] = 0  # no edges
    old, record = matrices(model), Recorder()
    table = probe(model, record, kind, levels=[0.3, 0.7], n_realizations=1, rng=SEED, signed=False)
    for row, seen in list(zip(table.itertuples(), record.seen, strict=True))[1:]:
        level = row.level if kind in ("noise", "flip") else row.fraction_removed
        for name, matrix in old.items():
            wanted = naive(kind, matrix, level, name, 0, False)
            assert as_floats(seen[name]) == as_floats(wanted)


@quiet
def test_levels__at_the_ends() -> None:
    model = nn.Linear(6, 4)
    before = contents(model)

    def weights(kind: str, level: float) -> Any:
        found = []
        probe(
            model,
            lambda m: found.append(m.weight.detach().clone()) or 0.0,
            kind,
            levels=level,
            signed=False,
            n_realizations=1,
            rng=SEED,
        )
        return found[1]

    old = model.weight.detach().clone()
    for kind in ("prune", "noise", "flip"):
        assert torch.equal(weights(kind, 0), old)
    assert not weights("prune", 1).any()
    assert not weights("A", 1.0).any()
    assert torch.equal(weights("flip", 1), -old)
    assert weights("prune", 0.99).count_nonzero() == 0  # round(23.76) = 24
    assert weights("prune", 0.97).count_nonzero() == 1
    assert contents(model) == before


# -- the table -----------------------------------------------------------------------------------


def steady(model: nn.Module) -> float:
    return 0.5


def test_table__has_its_columns_in_the_dtypes_of_the_experiments() -> None:
    table = probe(nn.Linear(5, 4), steady, "B", levels=[0, 0.5], n_realizations=2, rng=1)
    assert list(table.columns) == list(PROBE_COLUMNS)
    wanted = pd.DataFrame({name: [] for name in PROBE_COLUMNS}).astype(dict(PROBE_COLUMNS))
    assert table.dtypes.equals(wanted.dtypes)
    for name in set(COLUMNS) & set(PROBE_COLUMNS):
        assert COLUMNS[name] == PROBE_COLUMNS[name]
    assert set(COLUMNS) & set(PROBE_COLUMNS) == {
        "model", "probe", "null_model", "fraction_removed", "level", "realization",
    }  # fmt: skip
    assert set(table["model"]) == set(MODELS)
    assert set(table["probe"]) <= set(PROBES)


def test_table__begins_with_the_model_as_it_is() -> None:
    table = probe(nn.Linear(5, 4), steady, "noise", levels=[0.1, 0.2], n_realizations=2, rng=1)
    first = table.iloc[:2]
    assert first["probe"].tolist() == ["none", "none"]
    assert first["model"].tolist() == ["float", "signed"]
    assert first["level"].isna().all()
    assert (first["fraction_removed"] == 0).all()
    rest = table.iloc[2:]
    assert len(rest) == 2 * 2 * 2
    assert rest["level"].tolist() == [0.1] * 4 + [0.2] * 4
    assert rest["realization"].tolist() == [0, 0, 1, 1] * 2
    assert rest["model"].tolist() == ["float", "signed"] * 4
    assert (rest["null_model"] == "").all()
    assert (table["layer"] == "all").all()


def test_table__says_what_the_level_is() -> None:
    for kind, null, column in (
        ("prune", "", "fraction_removed"),
        ("C", "C", "fraction_removed"),
        ("flip", "", "level"),
        ("noise", "", "level"),
    ):
        row = probe(nn.Linear(9, 9), steady, kind, levels=[0.25], signed=False, rng=1).iloc[-1]
        assert row["probe"] == (kind if kind != "C" else "randomize")
        assert row["null_model"] == null
        assert row[column] == 0.25
        other = row["level" if column == "fraction_removed" else "fraction_removed"]
        assert math.isnan(other) if column == "fraction_removed" else other == 0


@pytest.mark.parametrize("kind", ["prune", "flip"])
def test_draws__without_chance_are_evaluated_once(kind: str) -> None:
    record = Recorder()
    table = probe(nn.Linear(5, 4), record, kind, levels=[0.1, 0.5], n_realizations=9)
    assert len(table) == len(record.seen) == 2 + 2 * 2
    assert (table["realization"] == 0).all()


@pytest.mark.parametrize(("signed", "models"), [(False, {"float"}), ([True], {"signed"})])
def test_signed__chooses_the_models(signed: Any, models: set[str]) -> None:
    table = probe(nn.Linear(5, 4), steady, levels=[0.5], signed=signed)
    assert set(table["model"]) == models
    assert len(table) == 2


@pytest.mark.parametrize("make", [list, np.array, torch.tensor])
def test_levels__come_in_any_container(make: Any) -> None:
    levels = make([0.0, 0.5])
    table = probe(nn.Linear(5, 4), steady, "prune", levels=levels, signed=False)
    assert table["fraction_removed"].tolist()[1:] == [0.0, 0.5]
    table = probe(nn.Linear(5, 4), steady, "prune", levels=make([0.5])[0], signed=False)
    assert table["fraction_removed"].tolist()[1:] == [0.5]


def test_error_of_an_evaluator__says_at_which_point() -> None:
    model = nn.Linear(5, 4)
    evaluate = bipnet.torch.Accuracy([(torch.full((3, 5), 99.0), torch.tensor([0, 1, 2]))])
    says = r"logits are NaN.*\(for probe 'noise' at noise level 3e\+38"
    with pytest.raises(bipnet.InputError, match=says):
        probe(model, evaluate, "noise", levels=[3e38], signed=False, n_realizations=1, rng=1)


@quiet
def test_levels__are_the_papers_by_default() -> None:
    assert len(PRUNE_LEVELS) == 23
    assert (PRUNE_LEVELS[0], PRUNE_LEVELS[-1]) == (0, 0.999)
    assert sum(level > 0.9 for level in PRUNE_LEVELS) > len(PRUNE_LEVELS) / 2
    assert len(NOISE_LEVELS) == len(FLIP_LEVELS) == 30
    assert (NOISE_LEVELS[0], NOISE_LEVELS[-1]) == (2**-10, 1)
    assert np.diff(np.log(NOISE_LEVELS)) == pytest.approx(10 * math.log(2) / 29)
    assert (FLIP_LEVELS[0], FLIP_LEVELS[-1]) == (0, 1)
    for kind, levels in (("prune", PRUNE_LEVELS), ("noise", NOISE_LEVELS), ("flip", FLIP_LEVELS)):
        assert list(levels) == sorted(set(levels))
        table = probe(nn.Linear(30, 40), steady, kind, signed=False, n_realizations=1, rng=1)
        column = "fraction_removed" if kind == "prune" else "level"
        assert table[column].tolist()[1:] == list(levels)


# -- reproducible one by one ---------------------------------------------------------------------


@quiet
@pytest.mark.parametrize("kind", ["noise", *NULL_MODELS])
def test_realization__can_be_made_alone(kind: str) -> None:
    model = nn.Sequential(nn.Linear(12, 9), nn.ReLU(), nn.Linear(9, 6))
    whole, alone = Recorder(), Recorder()
    options = {"levels": [0.25], "signed": False, "rng": SEED}
    probe(model, whole, kind, n_realizations=3, **options)
    table = probe(model, alone, kind, n_realizations=1, index=2, n_threads=1, **options)
    assert table["realization"].tolist() == [0, 2]
    assert whole.bytes[3] == alone.bytes[1]
    assert whole.bytes[1] != whole.bytes[2] != whole.bytes[3]


@quiet
@pytest.mark.parametrize("null", NULL_MODELS)
def test_realization__is_that_of_swapped(null: str) -> None:
    model = nn.Sequential(nn.Linear(12, 9), nn.ReLU(), nn.Linear(9, 6))
    record = Recorder()
    probe(model, record, null, levels=[0], signed=False, n_realizations=2, rng=SEED)
    for index in range(2):
        with swapped(model, null, rng=SEED, index=index):
            assert contents(model) == record.bytes[1 + index]


@pytest.mark.parametrize("kind", ["A", "G"])
def test_realization__does_not_depend_on_the_number_of_threads(kind: str) -> None:
    model = nn.Linear(700, 300)
    one, two = Recorder(), Recorder()
    options = {"levels": [0.1], "signed": False, "n_realizations": 1, "rng": 3}
    if kind == "G":
        options |= {"steps": 2, "loops": 0}
    probe(model, one, kind, n_threads=1, **options)
    probe(model, two, kind, n_threads=2, **options)
    assert one.bytes == two.bytes


def test_realization__of_a_generator_advances_it() -> None:
    model, rng = nn.Linear(12, 9), np.random.default_rng(1)
    records = Recorder(), Recorder()
    for record in records:
        probe(model, record, "A", levels=[0], signed=False, n_realizations=1, rng=rng)
    assert records[0].bytes[1] != records[1].bytes[1]


def test_options__of_the_chain_reach_g() -> None:
    model = nn.Linear(12, 9)
    records = [Recorder() for _ in range(3)]
    chains = ({"steps": 1}, {"steps": 9}, {"method": "swap", "steps": 9})
    for record, chain in zip(records, chains, strict=True):
        probe(model, record, "G", levels=[0], signed=False, n_realizations=1, rng=1, **chain)
        wanted = bipnet.randomize(
            model.weight.detach().numpy().T, "G", rng=1, name="weight", **chain
        )
        assert as_floats(record.seen[1]["weight"]) == wanted.tolist()


# -- which layers --------------------------------------------------------------------------------


def test_layers__are_linear_and_convolution_weights_by_default() -> None:
    model, record = Net(), Recorder()
    before = contents(model)
    probe(model, record, "flip", levels=[1], signed=False)
    changed = {name for name in before if before[name] != record.bytes[1][name]}
    assert changed == {"conv.weight", "fc.weight", "masked.weight", "masked.weight_orig"}


def test_tied__weights_are_changed_once() -> None:
    model = Net()
    old = model.embed.weight.detach().clone()
    seen = []

    def evaluate(model: Any) -> float:
        assert model.head.weight is model.embed.weight
        seen.append(model.head.weight.detach().clone())
        return 0.0

    probe(model, evaluate, "flip", levels=[1], layers=["head", "embed"], signed=False)
    assert torch.equal(seen[1], -old)  # twice would be the old ones
    assert torch.equal(model.embed.weight, old)


def test_mask__is_respected() -> None:
    model = Net()
    hidden = model.masked.weight_mask == 0
    kept = model.masked.weight_orig.detach()[hidden].clone()

    def evaluate(model: Any) -> float:
        assert torch.equal(model.masked.weight_orig.detach()[hidden], kept)
        assert not model.masked.weight[hidden].any()
        return 0.0

    probe(model, evaluate, "prune", levels=[0.5], layers="masked")


def test_each__probes_one_layer_at_a_time() -> None:
    model, record = Net(), Recorder()
    before = contents(model)
    table = probe(model, record, "flip", levels=[0.5, 1], each=True)
    names = ["conv.weight#0", "conv.weight#1", "fc.weight", "masked.weight"]
    assert table["layer"].tolist()[0] == "all"
    assert table["layer"].tolist()[1:5] == names
    assert table["probe"].tolist()[:6] == ["none"] * 5 + ["flip"]
    assert table["layer"].tolist()[5:] == [name for name in names for _ in range(4)]
    # All of a layer's points are evaluated before the next layer's, its signed model first.
    stable = pd.concat([table[table["layer"] == name] for name in ("all", *names)])
    for row, seen in zip(stable.itertuples(), record.bytes, strict=True):
        changed = {name for name in before if before[name] != seen[name]}
        tensor = row.layer.partition("#")[0]
        assert changed <= {tensor, f"{tensor}_orig"}
        assert (tensor in changed) == (row.layer != "all")
    sizes = {layer.info.name: layer.graph().n_edges for layer in list_layers(model)}
    assert table["n_edges"].tolist()[:5] == [sum(sizes.values()), *sizes.values()]


def test_each__of_a_single_layer_names_it_throughout() -> None:
    table = probe(Net(), steady, levels=[0.5], layers="fc", each=True)
    assert set(table["layer"]) == {"fc.weight"}


# -- biases --------------------------------------------------------------------------------------


def biased() -> nn.Module:
    model = nn.Sequential(nn.Conv1d(4, 6, 1, groups=2), nn.Linear(6, 4))
    model[1].bias.data = torch.tensor([0.5, -0.5, 0.0, 3.0])
    return model


@quiet
def test_biases__stay_by_default() -> None:
    model, record = biased(), Recorder()
    for kind in ("prune", "noise", "flip", "B"):
        probe(model, record, kind, levels=[0.5], n_realizations=1, rng=SEED)
    before = contents(model)
    for seen in record.bytes:
        assert all(seen[name] == before[name] for name in before if name.endswith("bias"))


@pytest.mark.parametrize("kind", ["prune", "noise", "flip", "B"])
def test_biases__are_probed_by_their_own_ranking(kind: str) -> None:
    model = biased()
    old = [[list(part)] for part in (*model[0].bias.detach().numpy().reshape(2, 3),)]
    old.append([list(model[1].bias.detach().numpy())])
    names = ["0.bias#0", "0.bias#1", "1.bias"]
    seen: list[list[Matrix]] = []

    def evaluate(model: Any) -> float:
        conv, linear = (layer.bias.detach().numpy() for layer in model)
        seen.append([[list(conv[:3])], [list(conv[3:])], [list(linear)]])
        return 0.0

    table = probe(model, evaluate, kind, levels=[0.4], biases=True, n_realizations=2, rng=SEED)
    for row, vectors in zip(table.itertuples(), seen, strict=True):
        for name, before, after in zip(names, old, vectors, strict=True):
            wanted = before
            if row.probe == "noise":
                wanted = naive_noise(before, 0.4, name, row.realization, False)
            elif row.probe in ("prune", "randomize"):
                wanted = naive_prune(before, 0.4)  # and never randomised, nor flipped
            if row.model == "signed":
                wanted = naive_signs(wanted)
            assert as_floats(after) == as_floats(wanted)


def test_biases__are_found_beside_their_weights() -> None:
    model = nn.ModuleDict(
        {
            "attention": nn.MultiheadAttention(4, 2),
            "rnn": nn.GRU(3, 2),
            "plain": nn.Linear(3, 2, bias=False),
            "up": nn.ConvTranspose1d(4, 6, 2, groups=2),
            "embed": nn.Embedding(3, 2),
        }
    )
    model["tied"] = nn.Linear(4, 12)
    model["tied"].bias = model["attention"].in_proj_bias
    found = [bias.name for bias in biases_of(list_layers(model, "*"))]
    assert found == [
        "attention.in_proj_bias",
        "attention.out_proj.bias",
        "rnn.bias_ih_l0",
        "rnn.bias_hh_l0",
        "up.bias#0",
        "up.bias#1",
    ]


def test_biases__under_a_mask_and_in_experts() -> None:
    class Experts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down_proj = nn.Parameter(torch.randn(2, 4, 3))
            self.down_proj_bias = nn.Parameter(torch.randn(2, 3))

    model = nn.ModuleDict({"experts": Experts(), "fc": nn.Linear(3, 4)})
    torch_prune.l1_unstructured(model["fc"], "bias", amount=0.5)
    before = contents(model)
    seen = []

    def evaluate(model: Any) -> float:
        seen.append((model["fc"].bias.detach().clone(), model["experts"].down_proj_bias.clone()))
        return 0.0

    names = [bias.name for bias in biases_of(list_layers(model, "*"))]
    assert names == ["experts.down_proj_bias#0", "experts.down_proj_bias#1", "fc.bias"]
    probe(model, evaluate, "prune", levels=[0.5], layers="*", biases=True, signed=False)
    masked, stacked = seen[1]
    assert masked.count_nonzero() == 1  # of the two that the mask lets through
    assert stacked.count_nonzero(dim=1).tolist() == [1, 1]  # round(1.5) = 2 of 3 gone
    assert contents(model) == before


# -- everything back -----------------------------------------------------------------------------


@quiet
@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
@pytest.mark.parametrize("call", range(1, 7))
@pytest.mark.parametrize("kind", ["prune", "noise", "flip", "G"])
def test_model__is_restored_after_an_exception(
    kind: str, call: int, error: type[BaseException]
) -> None:
    model = Net()
    before = contents(model)
    n_calls = 0

    def evaluate(model: Any) -> float:
        nonlocal n_calls
        n_calls += 1
        if n_calls == call:
            raise error
        return 1.0

    with pytest.raises(error):
        probe(model, evaluate, kind, levels=[0.2, 0.5], layers="*", biases=True, rng=1)
    assert n_calls == call
    assert contents(model) == before
    n_calls = call - 1
    with pytest.raises(error):
        task_complexity(model, evaluate, ("A", "binarize"), biases=True)
    assert contents(model) == before


@pytest.mark.parametrize("call", range(4))
@pytest.mark.parametrize("after", [False, True])
def test_model__is_restored_when_interrupted_while_it_is_put_back(
    call: int, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bipnet.torch import swap

    real, n_calls = swap._put_back, 0

    def interrupted(*arguments: Any) -> None:
        nonlocal n_calls
        n_calls += 1
        if after:
            real(*arguments)
        if n_calls == call + 1:
            raise KeyboardInterrupt
        if not after:
            real(*arguments)

    monkeypatch.setattr(swap, "_put_back", interrupted)
    model = Net()
    before = contents(model)
    with pytest.raises(KeyboardInterrupt):
        probe(model, steady, "prune", levels=[0.5], biases=True, signed=False)
    assert contents(model) == before


def test_model__is_restored_even_from_an_evaluate_that_trains() -> None:
    model = nn.Linear(4, 3)
    before, parameter = contents(model), model.weight

    def evaluate(model: Any) -> float:
        model.weight = nn.Parameter(model.weight.detach() * 2)
        return 0.0

    probe(model, evaluate, "A", levels=[0], n_realizations=2, rng=1)
    assert model.weight is parameter
    assert contents(model) == before


# -- warnings ------------------------------------------------------------------------------------


def test_empty__layers_are_reported_once() -> None:
    model = nn.Sequential(nn.Linear(20, 10), nn.Linear(10, 2))
    with pytest.warns(bipnet.EmptyLayerWarning) as caught:
        table = probe(model, steady, levels=[0.5, 0.98, 0.99, 1], signed=False)
    messages = [str(warning.message) for warning in caught]
    assert [message.partition(" (")[0] for message in messages] == [
        "layer 1.weight has no edges left at fraction removed 0.98",  # round(19.6) = 20
        "layer 0.weight has no edges left at fraction removed 1",
    ]
    assert table["n_edges"].tolist() == [220, 110, 4, 2, 0]
    assert all(warning.filename == __file__ for warning in caught)


def test_empty__layers_from_the_start_are_reported() -> None:
    model = nn.Linear(4, 3)
    model.weight.data.zero_()
    for kind in ("flip", "noise", "A", "G"):
        with pytest.warns(bipnet.EmptyLayerWarning, match=r"layer weight has no edges \("):
            table = probe(model, steady, kind, levels=[0, 0.5], n_realizations=2, rng=1)
        assert not table["n_edges"].any()
    with pytest.warns(bipnet.EmptyLayerWarning, match="layer weight has no edges"):
        task_complexity(model, steady, "binarize")


def test_frozen__draws_are_reported_once_for_a_layer() -> None:
    model = nn.Linear(6, 5)
    model.weight.data.abs_()
    with pytest.warns(bipnet.FrozenWarning) as caught:
        probe(model, steady, "G", levels=[0, 0.2], n_realizations=3, rng=1)
    (warning,) = caught
    assert "null model G of weight: signs are frozen" in str(warning.message)
    assert warning.filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = contents(model)
        with pytest.raises(bipnet.FrozenWarning):
            probe(model, steady, "G", levels=[0], n_realizations=1, rng=1)
        assert contents(model) == before


# -- bad input -----------------------------------------------------------------------------------


def after(n: int, value: Any) -> Callable[[Any], Any]:
    """An evaluate function that gives ``value`` from call n on, and 0.5 before."""
    calls = iter(range(10**6))
    return lambda model: 0.5 if next(calls) < n else value


@pytest.mark.parametrize("nan", [math.nan, np.float32("nan"), torch.tensor(math.nan)])
def test_nan__is_refused_where_it_came(nan: Any) -> None:
    model = nn.Linear(6, 5)
    before = contents(model)
    for n, message in (
        (0, "NaN for the model as it is"),
        (1, "NaN for the signed model"),
        (2 + 5, "'B' at fraction removed 0.25, realization 4, signed model"),
    ):
        with pytest.raises(bipnet.InputError, match=message):
            probe(model, after(n, nan), "B", levels=[0.25], n_realizations=3, index=2, rng=1)
        assert contents(model) == before
    with pytest.raises(bipnet.InputError, match="NaN for 'B', realization 1, layer all"):
        task_complexity(model, after(3, nan), rng=1)
    with pytest.raises(bipnet.InputError, match=r"noise level 0\.5, realization 0, float"):
        probe(model, after(2, nan), "noise", levels=[0.5], rng=1)


@pytest.mark.parametrize("value", [None, "0.5", [0.5, 1], {}, 1j, torch.ones(2), np.ones(2)])
def test_score__must_be_a_number(value: Any) -> None:
    with pytest.raises(bipnet.InputError, match="evaluate must give a number, got"):
        probe(nn.Linear(3, 2), lambda model: value)


@pytest.mark.parametrize(
    "value", [1, 0.25, True, np.float32(0.25), torch.tensor(0.25, requires_grad=True), math.inf]
)
def test_score__may_be_any_real_number(value: Any) -> None:
    table = probe(nn.Linear(3, 2), lambda model: value, levels=[0])
    assert set(table["score"]) == {float(value.detach() if hasattr(value, "detach") else value)}


@pytest.mark.parametrize("name", ["H", "b", "", "none", "randomize", "binarize", None, 3, ["A"]])
def test_probe__unknown_lists_what_there_is(name: Any) -> None:
    with pytest.raises(bipnet.InputError, match=r"prune, noise, flip, .*A: .*G: .*got"):
        probe(nn.Linear(3, 2), steady, name)


def test_probe__takes_a_row_of_the_table() -> None:
    table = probe(nn.Linear(9, 9), steady, NULL_MODELS["A"], levels=[0], rng=1)
    assert table["null_model"].tolist()[-1] == "A"


def never(model: Any) -> float:
    pytest.fail("nothing may be evaluated")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"levels": []}, "one number or more"),
        ({"levels": "0.5"}, "one number or more"),
        ({"levels": [0.5, 1.5]}, "number from 0 to 1, got 1.5"),
        ({"levels": [math.nan]}, "number from 0 to 1, got nan"),
        ({"levels": [True]}, "number from 0 to 1, got True"),
        ({"levels": [0.5, 0.2, 0.5]}, "0.5 twice"),
        ({"levels": None, "probe": "noise", "distribution": "cauchy"}, "'uniform' or 'normal'"),
        ({"probe": "noise", "levels": [-0.1]}, "finite number >= 0, got -0.1"),
        ({"probe": "noise", "levels": [math.inf]}, "finite number >= 0, got inf"),
        ({"probe": "flip", "levels": [2]}, "number from 0 to 1"),
        ({"probe": "A", "levels": [2]}, "number from 0 to 1"),
        ({"levels": object()}, "levels must be numbers"),
        ({"signed": ()}, "True, False or both"),
        ({"signed": "both"}, "True, False or both"),
        ({"signed": None}, "True, False or both"),
        ({"n_realizations": 0}, "at least 1, got 0"),
        ({"n_realizations": 1.5}, "at least 1, got 1.5"),
        ({"n_realizations": True}, "at least 1, got True"),
        ({"index": -1}, "non-negative"),
        ({"rng": -1}, "non-negative"),
        ({"steps": 3}, "steps is of null model G"),
        ({"probe": "noise", "method": "swap"}, "method is of null model G"),
        ({"layers": "nothing"}, "no layer of Linear matches"),
    ],
)
def test_options__are_checked_before_anything_is_evaluated(
    options: dict[str, Any], message: str
) -> None:
    model = nn.Linear(3, 2)
    before = contents(model)
    with pytest.raises((bipnet.InputError, bipnet.LayerNotFoundError), match=message):
        probe(model, never, **options)
    assert contents(model) == before


def test_input__that_is_no_model_or_function_is_refused() -> None:
    with pytest.raises(bipnet.InputError, match=r"torch\.nn\.Module, got dict"):
        probe({}, never)
    with pytest.raises(bipnet.InputError, match="evaluate must be a function"):
        probe(nn.Linear(3, 2), 0.5)
    model = nn.Linear(3, 2)
    model.weight.data[1, 2] = math.nan
    with pytest.raises(bipnet.InputError, match=r"layer weight: .*\[2, 1\] is nan"):
        probe(model, steady)
    model = nn.Linear(3, 2)
    model.bias.data[1] = math.inf
    with pytest.raises(bipnet.InputError, match=r"bias bias: .*\[1\] is inf"):
        probe(model, steady, biases=True)
    model = nn.Linear(3, 2, dtype=torch.float16)
    with pytest.raises(bipnet.InputError, match=r"layer weight: noise of scale .* overflows"):
        probe(model, steady, "noise", levels=[1e6], rng=1)


@pytest.mark.parametrize("function", [probe, task_complexity])
def test_pandas__missing_is_said_with_the_extra(
    function: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **options: Any) -> Any:
        if name == "pandas":
            raise ImportError(name)
        return real(name, *rest, **options)

    monkeypatch.delitem(sys.modules, "pandas")
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(bipnet.MissingExtraError, match=r"pandas: pip install 'bipnet\[exper"):
        function(nn.Linear(3, 2), never)


# -- task complexity -----------------------------------------------------------------------------


@pytest.fixture
def scores() -> Callable[[Any], float]:
    return lambda model: float(model[0].weight.detach().flatten()[:7].double().sum())


@quiet
def test_complexity__is_the_score_lost(scores: Callable[[Any], float]) -> None:
    model = nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 4))
    before = contents(model)
    original = scores(model)
    table = task_complexity(model, scores, ("binarize", *NULL_MODELS), n_realizations=3, rng=SEED)
    assert contents(model) == before
    assert list(table.columns) == list(COMPLEXITY_COLUMNS)
    assert table["by"].tolist() == ["binarize"] + [letter for letter in NULL_MODELS for _ in "123"]
    assert table["realization"].tolist() == [0] + [0, 1, 2] * 7
    assert (table["original"] == original).all()
    assert (table["gap"] == table["original"] - table["probed"]).all()
    (first,) = (table[table["by"] == "binarize"]).itertuples()
    assert first.probed == float(torch.sign(model[0].weight.detach()).flatten()[:7].sum())
    for row in table[1:].itertuples():
        with swapped(model, row.by, rng=SEED, index=row.realization):
            assert row.probed == scores(model)
    medians = table.groupby("by")["gap"].median()
    assert medians["B"] == sorted(table[table["by"] == "B"]["gap"])[1]


def test_complexity__is_of_binarising_and_b_by_default() -> None:
    table = task_complexity(nn.Linear(9, 9), steady, rng=1)
    assert table["by"].value_counts().to_dict() == {"B": 10, "binarize": 1}
    assert not table["gap"].any()


@quiet
def test_complexity__can_be_made_alone(scores: Callable[[Any], float]) -> None:
    model = nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 4))
    whole = task_complexity(model, scores, "E", n_realizations=4, rng=3)
    last = task_complexity(model, scores, ["E"], n_realizations=1, index=3, rng=3, n_threads=1)
    assert last.iloc[0].tolist() == whole.iloc[3].tolist()


def test_complexity__layer_by_layer(scores: Callable[[Any], float]) -> None:
    model = nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 4))
    table = task_complexity(model, scores, n_realizations=2, each=True, rng=1)
    assert table["layer"].tolist() == ["0.weight"] * 3 + ["1.weight"] * 3
    assert (table[table["layer"] == "1.weight"]["gap"] == 0).all()
    assert table["gap"].any()


def test_complexity__binarises_biases_if_asked_to() -> None:
    model = nn.Linear(4, 3)

    def evaluate(model: Any) -> float:
        return float(model.bias.detach().abs().sum())

    assert task_complexity(model, evaluate, "binarize")["probed"][0] < 3
    assert task_complexity(model, evaluate, "binarize", biases=True)["probed"][0] == 3
    assert not task_complexity(model, evaluate, "A", biases=True, rng=1)["gap"].any()


def test_complexity__from_an_infinite_score_is_refused_at_once() -> None:
    calls = []

    def evaluate(model: Any) -> float:
        calls.append(model)
        return math.inf

    with pytest.raises(bipnet.InputError, match="gave inf for the model as it is"):
        task_complexity(nn.Linear(9, 9), evaluate)
    assert len(calls) == 1


def test_complexity__to_an_infinite_score_is_infinite() -> None:
    scores = iter([1.0, math.inf, 2.0, -math.inf])
    table = task_complexity(nn.Linear(9, 9), lambda model: next(scores), n_realizations=2, rng=1)
    assert table["gap"].tolist() == [-math.inf, -1.0, math.inf]


@pytest.mark.parametrize("function", [probe, task_complexity])
@pytest.mark.parametrize("layers", [[], (), iter([])])
def test_layers__that_are_an_empty_list_are_not_all_layers(
    function: Callable[..., Any], layers: Any
) -> None:
    with pytest.raises(bipnet.InputError, match="layers is empty: name a layer or more"):
        function(nn.Linear(3, 2), never, layers=layers)


def test_layers__may_come_one_by_one() -> None:
    model = nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 4))
    table = task_complexity(model, steady, "binarize", layers=iter(["1"]), each=True)
    assert table["layer"].tolist() == ["1.weight"]


def test_complexity__gives_the_options_of_the_chain_to_g_alone() -> None:
    model, ways = nn.Linear(9, 9), ["A", "G"]
    table = task_complexity(model, steady, ways, n_realizations=1, rng=1, steps=2)
    assert len(table) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": "Q"}, r"'binarize' and null models \(A: .*got 'Q'"),
        ({"by": ["prune"]}, "got 'prune'"),
        ({"by": []}, "one way or more"),
        ({"by": None}, "one way or more"),
        ({"by": [None]}, "got None"),
        ({"by": ["A", "B", "A"]}, "'A' twice"),
        ({"steps": 3}, "name it in by= too"),
        ({"n_realizations": 0}, "at least 1"),
    ],
)
def test_complexity__checks_its_options_first(options: dict[str, Any], message: str) -> None:
    with pytest.raises(bipnet.InputError, match=message):
        task_complexity(nn.Linear(3, 2), never, **options)
