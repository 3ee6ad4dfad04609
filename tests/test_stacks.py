"""The paper's probes on many networks at once: each against the naive way, weight by weight."""

from __future__ import annotations

from typing import Any

import numpy as np
import oracles
import pytest
import torch

import bipnet
from bipnet._streams import Seed
from bipnet.experiments.stacks import (
    RankedStack,
    binarised,
    noisy,
    randomized,
    sigmas,
)
from bipnet.torch import Accuracy, MLPStack, swapped

Array = np.ndarray[Any, Any]
SEED = Seed(3)


def some_stack(n_networks: int = 3, seed: int = 0) -> MLPStack:
    """Networks 12 - 5 - 3 with equal magnitudes and weights that are zero."""
    stack = MLPStack.initialised([12, 5, 3], np.random.default_rng(seed).spawn(n_networks))
    for tensor in (*stack.weights, *stack.biases):
        tensor.copy_((8 * tensor).round() / 8)
    stack.weights[0][0, 0] = 0
    return stack


def some_images(n: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    return torch.randn((n, 12), generator=generator), torch.arange(n) % 3


def arrays(stack: MLPStack) -> dict[str, list[Array]]:
    """Tensors by kind and layer, (n_networks, ...) each."""
    return {
        "weight": [tensor.numpy() for tensor in stack.weights],
        "bias": [tensor.numpy() for tensor in stack.biases],
    }


@pytest.mark.parametrize("share", [0.0, 0.1, 1 / 3, 0.5, 0.9, 0.999, 1.0])
def test_pruned__is_the_naive_pruning_of_every_tensor(share: float) -> None:
    stack = some_stack()
    before, after = arrays(stack), arrays(RankedStack(stack).pruned(share))
    for kind in ("weight", "bias"):
        for old, new in zip(before[kind], after[kind], strict=True):
            for r in range(len(stack)):
                assert np.array_equal(new[r], oracles.prune(old[r], share))
                assert np.array_equal(new[r], bipnet.prune(old[r], share))


@pytest.mark.parametrize("share", [0.0, 0.1, 1 / 3, 0.5, 0.9, 1.0])
def test_flipped__is_the_naive_flipping_and_leaves_biases_alone(share: float) -> None:
    stack = some_stack()
    flipped = RankedStack(stack).flipped(share)
    for old, new in zip(stack.weights, flipped.weights, strict=True):
        for r in range(len(stack)):
            assert np.array_equal(new[r].numpy(), oracles.flip_signs(old[r].numpy(), share))
    for old, new in zip(stack.biases, flipped.biases, strict=True):
        assert torch.equal(old, new)


def test_binarised__is_the_naive_one() -> None:
    stack = some_stack()
    after = arrays(binarised(stack))
    for kind, tensors in arrays(stack).items():
        for old, new in zip(tensors, after[kind], strict=True):
            for r in range(len(stack)):
                assert np.array_equal(new[r], oracles.binarize(old[r]))


@pytest.mark.parametrize("scale", [0.0, 0.25])
def test_noisy__is_add_noise_of_every_tensor_under_its_name(scale: float) -> None:
    stack = some_stack()
    after = arrays(noisy(stack, scale, seed=SEED, name="task", index=4))
    for kind, tensors in arrays(stack).items():
        for layer, (old, new) in enumerate(zip(tensors, after[kind], strict=True)):
            for r in range(len(stack)):
                name = f"task/{r}/{kind} {layer}"
                wanted = bipnet.add_noise(old[r], scale, rng=SEED, name=name, index=4)
                assert np.array_equal(new[r], wanted)
                assert np.array_equal(new[r] == 0, old[r] == 0)
                assert np.abs(new[r] - old[r]).max() <= scale * 1.0001
    again = arrays(noisy(stack, scale, seed=SEED, name="task", index=5))
    assert (scale == 0) == np.array_equal(again["weight"][0], after["weight"][0])


@pytest.mark.filterwarnings("ignore::bipnet.FrozenWarning")
def test_probed_networks__are_the_same_in_any_stack_that_counts_from_where_they_are() -> None:
    whole = some_stack(5)
    part = MLPStack([w[3:] for w in whole.weights], [b[3:] for b in whole.biases])
    for of_whole, of_part in (
        (
            noisy(whole, 0.25, seed=SEED, name="task", index=4),
            noisy(part, 0.25, seed=SEED, name="task", index=4, first=3),
        ),
        (
            randomized(whole, "B", seed=SEED, name="task", index=4),
            randomized(part, "B", seed=SEED, name="task", index=4, first=3),
        ),
    ):
        for kind, tensors in arrays(of_part).items():
            for all_of_them, some in zip(arrays(of_whole)[kind], tensors, strict=True):
                assert np.array_equal(all_of_them[3:], some)


@pytest.mark.parametrize("null", list(bipnet.NULL_MODELS))
@pytest.mark.filterwarnings("ignore::bipnet.FrozenWarning")
def test_randomized__is_randomize_of_every_layer_under_its_name(null: str) -> None:
    stack = RankedStack(some_stack()).pruned(0.3)
    drawn = randomized(stack, null, seed=SEED, name="task", index=2)
    for layer, (old, new) in enumerate(zip(stack.weights, drawn.weights, strict=True)):
        for r in range(len(stack)):
            wanted = bipnet.randomize(
                old[r].numpy(), null, rng=SEED, name=f"task/{r}/weight {layer}", index=2
            )
            assert np.array_equal(new[r].numpy(), wanted)
            bipnet.verify(old[r].numpy(), new[r].numpy(), null)
    assert all(torch.equal(a, b) for a, b in zip(stack.biases, drawn.biases, strict=True))


@pytest.mark.parametrize(("null", "same"), [*((x, True) for x in "BEF"), ("A", False)])
def test_binarised__after_a_draw_that_keeps_signs_is_binarised_before(
    null: str, same: bool
) -> None:
    """Figure 3 draws the signed networks once, for all of these draws."""
    pruned = RankedStack(some_stack()).pruned(0.5)
    drawn = randomized(pruned, null, seed=SEED, name="n", index=0)
    before, after = arrays(binarised(pruned)), arrays(binarised(drawn))
    weights = zip(before["weight"], after["weight"], strict=True)
    assert all(np.array_equal(old, new) for old, new in weights) == same
    assert all(map(np.array_equal, before["bias"], after["bias"]))
    assert not np.array_equal(pruned.weights[0], drawn.weights[0])


def test_scores__are_those_of_the_networks_one_by_one() -> None:
    stack, (x, y) = some_stack(), some_images()
    found = stack.score(x, y, batch_size=7)
    evaluate = Accuracy((x, y))
    logits = stack.logits(x)
    for r, net in enumerate(stack):
        alone = net(x).detach()
        scale = alone.abs().max()
        assert torch.allclose(logits[r], alone, rtol=1e-5, atol=float(1e-5 * scale))
        score = evaluate.score(net)
        assert found.accuracy[r] == score.accuracy
        assert found.ties[r] == score.n_ties / score.n_samples
        assert found.constant[r] == (len(net(x).argmax(dim=1).unique()) == 1)


def test_scores__of_a_probed_stack_are_those_of_swapped_models() -> None:
    stack, (x, y) = some_stack(), some_images()
    found = RankedStack(stack).pruned(0.5).score(x, y)
    for r, net in enumerate(stack):
        weights = {
            f"{2 * i}.weight": bipnet.prune(w[r].numpy(), 0.5) for i, w in enumerate(stack.weights)
        }
        with torch.no_grad():
            for i, bias in enumerate(stack.biases):
                net.get_parameter(f"{2 * i}.bias").copy_(bipnet.prune(bias[r], 0.5))
        with swapped(net, weights=weights):
            assert Accuracy((x, y))(net) == found.accuracy[r]


def test_scores__of_networks_without_weights_are_those_of_the_lowest_class() -> None:
    stack, (x, y) = some_stack(), some_images()
    found = RankedStack(stack).pruned(1.0).score(x, y)
    assert found.constant.all()
    assert (found.ties == 1).all()
    assert (found.accuracy == float((y == 0).double().mean())).all()


def test_sigmas__are_those_of_all_weights_without_biases() -> None:
    stack = some_stack()
    for r, sigma in enumerate(sigmas(stack)):
        weights = np.concatenate([w[r].numpy().reshape(-1) for w in stack.weights])
        assert sigma == pytest.approx(weights.astype(float).std())
