"""The demo end to end, and the training of many networks as one stack."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bipnet
from bipnet import NULL_MODELS
from bipnet.cli import run
from bipnet.errors import InputError, OutputExistsError

torch = pytest.importorskip("torch")
pd = pytest.importorskip("pandas")
Image = pytest.importorskip("PIL.Image")
matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("agg")

from torch import nn  # noqa: E402

from bipnet.experiments import demo, training  # noqa: E402
from bipnet.experiments.demo import MODELS, OUTPUTS, DemoResult, as_text, run_demo  # noqa: E402
from bipnet.experiments.training import Protocol, train_stack  # noqa: E402
from bipnet.torch import MLPStack  # noqa: E402

N = 2
LETTERS = ("", *NULL_MODELS)
TASK_OF = {"easy": "E", "hard": "H"}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[DemoResult, Path]:
    """One run on the digits; tests read its folder and leave it as it is."""
    folder = tmp_path_factory.mktemp("demo")
    return run_demo("digits", output=folder, n_networks=N, seed=3), folder


def table_in(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "demo-accuracy.csv", keep_default_na=False)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# --- what a run leaves behind


def test_demo__writes_what_it_says_and_nothing_else(done: tuple[DemoResult, Path]) -> None:
    _, folder = done
    assert {path.name for path in folder.iterdir()} == {*OUTPUTS, *MODELS}
    assert not [name for name in contents(folder) if "partial" in name]


def test_table__has_a_row_per_task_model_and_network(done: tuple[DemoResult, Path]) -> None:
    result, folder = done
    table = table_in(folder)
    found = list(zip(table.task, table.null_model, table.realization, strict=True))
    assert len(found) == len(set(found)) == 2 * 8 * N
    assert set(found) == {(t, letter, r) for t in "EH" for letter in LETTERS for r in range(N)}
    assert set(table.columns) == {
        *("dataset", "task", "classes", "hidden", "realization"),
        *("model", "probe", "null_model", "accuracy"),
    }
    assert (table.dataset == "digits").all()
    assert (table.hidden == 64).all()
    assert (table.model == "float").all()
    assert ((table.probe == "none") == (table.null_model == "")).all()
    assert set(table.probe) == {"none", "randomize"}
    assert table.groupby("task").classes.nunique().to_dict() == {"E": 1, "H": 1}
    assert table.accuracy.between(0, 1).all()
    pd.testing.assert_frame_equal(table, result.table, check_dtype=False)
    trained = table[table.null_model == ""]
    assert (trained.accuracy > 0.9).all()  # they did learn


def test_json__agrees_with_the_table(done: tuple[DemoResult, Path]) -> None:
    result, folder = done
    content = json.loads((folder / "demo-accuracy.json").read_text(encoding="utf-8"))
    said = json.loads(json.dumps(result.as_json()))
    assert said["seconds"].pop("write") >= 0  # the file cannot know how long writing it took
    assert content == said
    table = table_in(folder)
    rows = {(row["null_model"], row["task"]): row for row in content["accuracy"]}
    assert set(rows) == {(letter, task) for letter in LETTERS for task in "EH"}
    for (letter, task), row in rows.items():
        sample = table[(table.null_model == letter) & (table.task == task)].accuracy
        for name, share in (("q1", 0.25), ("median", 0.5), ("q3", 0.75)):
            assert row[name] == pytest.approx(sample.quantile(share), abs=1e-12)
    assert content["settings"]["n_networks"] == N
    assert content["settings"]["seed"] == 3
    assert content["settings"]["bipnet"] == bipnet.__version__
    assert content["n_class_pairs"] == 45
    assert (content["tasks"]["easy"]["rank"], content["tasks"]["hard"]["rank"]) == (1, 45)
    assert content["tasks"]["easy"]["distance"] > content["tasks"]["hard"]["distance"]
    for task, pair in content["tasks"].items():
        named = table[table.task == TASK_OF[task]].classes.iloc[0]
        assert named == f"{pair['first']} / {pair['second']}"


def test_picture__has_its_size_and_is_not_blank(done: tuple[DemoResult, Path]) -> None:
    with Image.open(done[1] / "demo-accuracy.png") as picture:
        assert picture.format == "PNG"
        assert picture.size == (1050, 780)  # 3.5 x 2.6 inches at 300 dots per inch
        colours = np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)
    assert len(colours) > 20


@pytest.mark.filterwarnings("ignore::bipnet.FrozenWarning")
def test_store__holds_every_layer_and_every_draw(done: tuple[DemoResult, Path]) -> None:
    result, folder = done
    store = bipnet.open_store(folder / "demo-layers.zarr")
    assert set(store) == {
        f"{task}-{network:02d}.{layer}.weight"
        for task in TASK_OF
        for network in range(N)
        for layer in (0, 2)
    }
    n_draws = 0
    for name, layer in store.items():
        W = layer.graph()
        assert W.shape == ((64, 64) if name.endswith(".0.weight") else (64, 2))
        assert W.dtype == np.float32
        assert [draw.recipe.null for draw in layer.draws] == list(NULL_MODELS)
        for draw in layer.draws:
            null, R = draw.recipe.null, draw.graph()
            bipnet.verify(W, R, null)
            assert R != W
            assert draw.graph() == R
            # By hand, from what the recipe says alone.
            assert (
                bipnet.randomize(W, null, rng=3, index=0, name=name, steps=draw.recipe.steps) == R
            )
            n_draws += 1
    assert n_draws == result.n_verified == 2 * 2 * N * len(NULL_MODELS)


@pytest.mark.filterwarnings("ignore::bipnet.FrozenWarning")
def test_table__is_the_score_of_the_stored_draws(done: tuple[DemoResult, Path]) -> None:
    """Network 0 of each task, scored again by hand from the files alone."""
    _, folder = done
    store = bipnet.open_store(folder / "demo-layers.zarr")
    table = table_in(folder)
    for task, short in TASK_OF.items():
        state = torch.load(folder / f"demo-{task}.pt", weights_only=True)
        with np.load(folder / f"demo-{task}-test.npz") as data:
            x, y = torch.from_numpy(data["x"]), data["y"]
        for letter in LETTERS:
            W = []
            for layer in (0, 2):
                stored = store[f"{task}-00.{layer}.weight"]
                draws = {draw.recipe.null: draw for draw in stored.draws}
                graph = draws[letter].graph() if letter else stored.graph()
                W.append(torch.tensor(graph.to_array()))
            if not letter:
                assert torch.equal(W[0], state["0.weight"].T)
                assert torch.equal(W[1], state["2.weight"].T)
            hidden = torch.relu(x @ W[0] + state["0.bias"])
            right = (hidden @ W[1] + state["2.bias"]).argmax(1).numpy() == y
            row = table[(table.task == short) & (table.null_model == letter)]
            said = float(row[row.realization == 0].accuracy.iloc[0])
            assert said == pytest.approx(right.mean(), abs=1.5 / len(y)), (task, letter)


def test_examples__are_scored_by_the_command_line(
    done: tuple[DemoResult, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    _, folder = done
    table = table_in(folder)
    for task, short in TASK_OF.items():
        data = str(folder / f"demo-{task}-test.npz")
        assert run(["score", str(folder / f"demo-{task}.pt"), "--data", data, "--json"]) == 0
        scored = json.loads(capsys.readouterr().out)
        row = table[(table.task == short) & (table.null_model == "") & (table.realization == 0)]
        with np.load(data) as arrays:
            assert scored["n_samples"] == len(arrays["y"])
        assert scored["accuracy"] == pytest.approx(
            float(row.accuracy.iloc[0]), abs=1.5 / scored["n_samples"]
        )


def test_text__shows_every_model_and_both_tasks(done: tuple[DemoResult, Path]) -> None:
    result, folder = done
    text = as_text(result)
    lines = text.splitlines()
    (header,) = [line for line in lines if line.startswith("null model ") and "easy:" in line]
    assert "hard:" in header
    table = table_in(folder)
    for letter in LETTERS:
        title = f"{letter}  {NULL_MODELS[letter].title}" if letter else "trained network"
        (line,) = [line for line in lines if line.startswith(title + " ")]
        for task in "EH":
            sample = table[(table.null_model == letter) & (table.task == task)].accuracy
            assert f"{100 * sample.median():.1f} [" in line, (letter, task)
    for task, pair in result.tasks.items():
        assert f"{task}: {pair.first} / {pair.second} ranks {pair.rank} of 45" in text
    assert f"{result.n_verified} draws, each verified" in text


# --- the same again, and not again


def test_seed__decides_everything(done: tuple[DemoResult, Path], tmp_path: Path) -> None:
    _, folder = done
    same, other = tmp_path / "same", tmp_path / "other"  # made by the demo
    run_demo("digits", output=same, n_networks=N, seed=3)
    run_demo("digits", output=other, n_networks=N, seed=4)
    name = "demo-accuracy.csv"
    assert (same / name).read_bytes() == (folder / name).read_bytes()
    assert (other / name).read_bytes() != (folder / name).read_bytes()


@pytest.mark.parametrize("name", [*OUTPUTS, *MODELS])
def test_output__that_exists_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def too_late(*_: object, **__: object) -> None:
        raise AssertionError("the work has begun")

    monkeypatch.setattr(demo, "load_dataset", too_late)
    (tmp_path / name).write_text("mine")
    with pytest.raises(OutputExistsError, match=name):
        run_demo("digits", output=tmp_path, n_networks=1)
    assert contents(tmp_path) == {name: b"mine"}


def test_force__replaces_an_earlier_run(done: tuple[DemoResult, Path], tmp_path: Path) -> None:
    folder = tmp_path / "again"
    shutil.copytree(done[1], folder)
    before = contents(folder)
    with pytest.raises(OutputExistsError):
        run_demo("digits", output=folder, n_networks=1, seed=5)
    assert contents(folder) == before
    run_demo("digits", output=folder, n_networks=1, seed=5, force=True)
    assert len(table_in(folder)) == 2 * 8
    assert len(bipnet.open_store(folder / "demo-layers.zarr")) == 4
    assert {path.name for path in folder.iterdir()} == {*OUTPUTS, *MODELS}


def test_interrupt__leaves_nothing_in_the_way_of_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: Any, **settings: Any) -> MLPStack:
        if settings["name"] == "hard":
            raise KeyboardInterrupt
        return train_stack(*arguments, **settings)

    monkeypatch.setattr(demo, "train_stack", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_demo("digits", output=tmp_path, n_networks=1)
    assert list(tmp_path.iterdir()) == []


def test_demo__refuses_what_it_does_not_know(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cifar"):
        run_demo("cifar", output=tmp_path)
    with pytest.raises(InputError, match="number of networks must be 1 or more"):
        run_demo("digits", output=tmp_path, n_networks=0)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputExistsError):
        run_demo("digits", output=tmp_path / "file", n_networks=1)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        run_demo("digits", output=tmp_path / "no" / "such", n_networks=1)
    assert contents(tmp_path) == {"file": b"mine"}


# --- training


@dataclass
class Recorded:
    """What a run of `train_stack` began with and was fed, per network."""

    stack: MLPStack
    weights: list[torch.Tensor]
    biases: list[torch.Tensor]
    batches: list[torch.Tensor]
    """(n_networks, n_batch, n_inputs) each, in the order of the steps."""


SMALL = Protocol(hidden=5, epochs=4, batch_size=16, learning_rate=0.01)


def samples(n: int = 50, n_inputs: int = 6) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Two overlapping classes; no two samples are alike."""
    rng = np.random.default_rng(8)
    y = rng.integers(0, 2, n)
    x = rng.normal(size=(n, n_inputs)) + 0.7 * y[:, None]
    return x.astype(np.float32), y


def recorded(monkeypatch: pytest.MonkeyPatch, n_networks: int, **settings: Any) -> Recorded:
    """Train, and look over the shoulder: no random number is drawn a second time here."""
    begun: dict[str, list[torch.Tensor]] = {}
    batches: list[torch.Tensor] = []

    class Spy(MLPStack):
        @classmethod
        def initialised(cls, *arguments: Any) -> MLPStack:
            stack = super().initialised(*arguments)
            begun["weights"] = [weight.clone() for weight in stack.weights]
            begun["biases"] = [bias.clone() for bias in stack.biases]
            return stack

        def logits(self, x: torch.Tensor) -> torch.Tensor:
            batches.append(x.clone())
            return super().logits(x)

    monkeypatch.setattr(training, "MLPStack", Spy)
    x, y = samples()
    stack = train_stack(x, y, n_networks, **{"protocol": SMALL, "rng": 1, **settings})
    return Recorded(stack, begun["weights"], begun["biases"], batches)


def rows_of(batch: torch.Tensor) -> list[int]:
    """Which samples these are."""
    x, _ = samples()
    place = {row.tobytes(): index for index, row in enumerate(x)}
    return [place[row.numpy().tobytes()] for row in batch]


def trained_alone(run: Recorded, network: int, protocol: Protocol) -> nn.Sequential:
    """One network trained the plain way, from the same start on the same batches."""
    x, y = samples()
    model = nn.Sequential(
        nn.Linear(x.shape[1], protocol.hidden), nn.ReLU(), nn.Linear(protocol.hidden, 2)
    )
    with torch.no_grad():
        for layer, weight, bias in zip((model[0], model[2]), run.weights, run.biases, strict=True):
            layer.weight.copy_(weight[network].T)
            layer.bias.copy_(bias[network])
    optimizer = torch.optim.Adam(model.parameters(), lr=protocol.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=protocol.epochs)
    per_epoch = math.ceil(len(x) / protocol.batch_size)
    steps = iter(run.batches)
    for _ in range(protocol.epochs):
        for _ in range(per_epoch):
            rows = rows_of(next(steps)[network])
            optimizer.zero_grad()
            output = torch.log_softmax(model(torch.from_numpy(x[rows])), dim=1)
            nn.functional.nll_loss(output, torch.from_numpy(y[rows])).backward()
            optimizer.step()
        schedule.step()
    assert next(steps, None) is None
    return model


def distance(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).norm() / b.norm())


def test_stack__is_trained_like_networks_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    run = recorded(monkeypatch, 3)
    for network in range(3):
        model = trained_alone(run, network, SMALL)
        for layer, (weight, bias) in enumerate(
            zip(run.stack.weights, run.stack.biases, strict=True)
        ):
            twin = model[2 * layer]
            assert distance(weight[network].T, twin.weight.detach()) < 1e-4
            assert distance(bias[network], twin.bias.detach()) < 1e-4
            # It is the training that is compared, not the start.
            assert distance(run.weights[layer][network].T, twin.weight.detach()) > 1e-2


def test_twin__notices_another_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    run = recorded(monkeypatch, 1)
    other = Protocol(SMALL.hidden, SMALL.epochs, SMALL.batch_size, 1.1 * SMALL.learning_rate)
    twin = trained_alone(run, 0, other)
    assert distance(run.stack.weights[0][0].T, twin[0].weight.detach()) > 1e-3


def test_batches__show_each_network_every_sample_once_an_epoch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = recorded(monkeypatch, 2)
    n = len(samples()[0])
    sizes = [batch.shape[1] for batch in run.batches]
    assert sizes == [16, 16, 16, 2] * SMALL.epochs
    orders = [
        [
            [row for batch in run.batches[first : first + 4] for row in rows_of(batch[network])]
            for first in range(0, 4 * SMALL.epochs, 4)
        ]
        for network in range(2)
    ]
    for epochs in orders:
        assert all(sorted(order) == list(range(n)) for order in epochs)
    # Every epoch of every network has an order of its own.
    assert len({tuple(order) for epochs in orders for order in epochs}) == 2 * SMALL.epochs


def test_start__is_that_of_linear_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    run = recorded(monkeypatch, 400)
    for values, n_left in zip(zip(run.weights, run.biases, strict=True), (6, 5), strict=True):
        for value in values:
            bound = n_left**-0.5
            drawn = value.numpy().ravel()
            assert np.abs(drawn).max() <= bound
            # Uniform within the bound, as nn.Linear starts: five standard errors.
            assert abs(drawn.mean()) < 5 * bound / math.sqrt(3 * drawn.size)
            assert drawn.var() == pytest.approx(bound**2 / 3, rel=5 * 0.9 / math.sqrt(drawn.size))
    reference = nn.Linear(6, 2000)
    assert float(reference.weight.detach().abs().max()) == pytest.approx(6**-0.5, rel=1e-2)


@pytest.mark.parametrize("members", [range(3, 4), range(2), range(5), range(5, 10)], ids=str)
def test_network__has_random_numbers_of_its_own(
    members: range, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever are trained with it: start and batches bit for bit, sums up to rounding."""
    whole = recorded(monkeypatch, 10)
    some = recorded(monkeypatch, len(members), first=members.start)
    place = slice(members.start, members.stop)
    for found, wanted in zip(
        (*some.weights, *some.biases, *some.batches),
        (*whole.weights, *whole.biases, *whole.batches),
        strict=True,
    ):
        assert torch.equal(found, wanted[place])
    for found, wanted in zip(
        (*some.stack.weights, *some.stack.biases),
        (*whole.stack.weights, *whole.stack.biases),
        strict=True,
    ):
        assert distance(found, wanted[place]) < 1e-4


def weights_of(stack: MLPStack) -> list[np.ndarray[Any, Any]]:
    return [weight.numpy() for weight in (*stack.weights, *stack.biases)]


def test_networks__names_and_seeds_are_independent() -> None:
    x, y = samples()

    def trained(seed: int, name: str) -> list[np.ndarray[Any, Any]]:
        return weights_of(train_stack(x, y, 3, protocol=SMALL, rng=seed, name=name))

    first = trained(1, "easy")
    for again, weight in zip(trained(1, "easy"), first, strict=True):
        np.testing.assert_array_equal(again, weight)
    for other in (trained(1, "hard"), trained(2, "easy")):
        assert not any(np.isin(a, b).any() for a, b in zip(first, other, strict=True))
    for weight in first:
        assert len(np.unique(weight)) == weight.size  # no two networks share a number


def test_training__leaves_weights_without_gradients_and_reports_epochs() -> None:
    x, y = samples()
    told: list[int] = []
    stack = train_stack(x, y, 2, protocol=SMALL, rng=1, progress=told.append)
    assert told == [1] * SMALL.epochs
    assert not any(tensor.requires_grad for tensor in (*stack.weights, *stack.biases))
    assert len(stack) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.ones((0, 2)), "y": np.ones(0, int)}, "two classes or more, got 0 samples"),
        ({"y": np.zeros(50, int)}, "two classes or more"),
        ({"y": samples()[1][:-1]}, r"x has 50 samples and y the shape \(49,\)"),
        ({"y": np.append(samples()[1], 0)}, r"x has 50 samples and y the shape \(51,\)"),
        ({"y": samples()[1][:, None]}, r"y the shape \(50, 1\)"),
        ({"y": 2 * samples()[1] - 1}, "classes count from 0, got -1"),
        ({"n_networks": 0}, "number of networks must be 1 or more, got 0"),
        ({"first": -1}, "number of the first network must be 0 or more, got -1"),
        ({"rng": -1}, "non-negative"),
    ],
)
def test_training__refuses_bad_input(change: dict[str, Any], message: str) -> None:
    x, y = samples()
    with pytest.raises(InputError, match=message):
        train_stack(**{"x": x, "y": y, "n_networks": 1, "protocol": SMALL, "rng": 1, **change})


# --- the real thing


@pytest.mark.shared
def test_mnist__shows_the_finding_of_the_paper(shared: Path, tmp_path: Path) -> None:
    result = run_demo(
        "mnist", data_dir=shared / "data" / "mnist", output=tmp_path, n_networks=3, seed=7
    )
    median = {(row["null_model"], row["task"]): row["median"] for row in result.summary()}
    assert median["", "E"] > 0.98
    assert median["", "H"] > 0.95
    assert (result.tasks["easy"].first, result.tasks["easy"].second) == ("0", "7")
    assert (result.tasks["hard"].first, result.tasks["hard"].second) == ("7", "9")
    for letter in "EF":
        assert median[letter, "E"] > 0.9, letter
    for letter in "ACD":
        assert median[letter, "E"] < 0.75, letter
    assert median["B", "H"] < 0.7
    assert result.n_verified == 2 * 2 * 3 * len(NULL_MODELS)
