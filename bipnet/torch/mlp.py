"""Multilayer perceptrons: inferred from a state dict, and many of one shape as one stack."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from bipnet.errors import InputError
from bipnet.torch.evaluate import checked_labels, predicted, require_samples

Activation = Literal["relu", "tanh", "sigmoid", "gelu"]
ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "gelu": nn.GELU,
}


class InferredMLP(nn.Module):
    """Linear layers under the names of a state dict, with one activation between them.

    Made by `mlp_from_state`; inputs (n, ...) are flattened.
    """

    def __init__(self, layers: Sequence[tuple[str, nn.Linear]], activation: Activation) -> None:
        super().__init__()
        for path, linear in layers:
            if not path:  # a lone nn.Linear: its tensors have no module's name before them
                self.weight, self.bias = linear.weight, linear.bias
                continue
            *parents, last = path.split(".")
            place: nn.Module = self
            try:
                for parent in parents:
                    if parent not in place._modules:
                        place.add_module(parent, nn.Module())
                    place = place._modules[parent]  # type: ignore[assignment]
                place.add_module(last, linear)
            except KeyError as error:
                raise InputError(f"a layer cannot be called {path!r}: {error}") from None
        self._order = [linear for _, linear in layers]
        self._activation = ACTIVATIONS[activation]()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.flatten(1)
        wanted = self._order[0].in_features
        if x.shape[1] != wanted:
            raise InputError(f"the model takes {wanted} inputs, the data has {x.shape[1]}")
        for linear in self._order[:-1]:
            x = self._activation(linear(x))
        last: torch.Tensor = self._order[-1](x)
        return last


def mlp_from_state(
    state: Mapping[str, torch.Tensor], *, activation: Activation = "relu"
) -> InferredMLP:
    """The MLP whose ``state_dict`` this is: Linear layers in a chain.

    Parameters
    ----------
    state
        ``<layer>.weight`` (out, in) and optionally ``<layer>.bias`` (out,) tensors. Their order
        is the file's, or that of their names where the file's shapes do not chain.
    activation
        What stands between the layers; a state dict does not say.

    Raises
    ------
    InputError
        The tensors are not those of a chain of Linear layers; says which one is not.

    Examples
    --------
    >>> from torch import nn
    >>> net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    >>> mlp_from_state(net.state_dict()).state_dict().keys() == net.state_dict().keys()
    True
    """
    if activation not in ACTIVATIONS:
        raise InputError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}")
    weights = {name: tensor for name, tensor in state.items() if name.endswith("weight")}
    for name, tensor in state.items():
        path, _, parameter = name.rpartition(".")
        weight = weights.get(f"{path}.weight" if path else "weight")
        fits = weight is not None and weight.ndim == 2 and tensor.is_floating_point()
        if parameter == "bias":
            fits = fits and weight is not None and tensor.shape == weight.shape[:1]
        if not fits or parameter not in ("weight", "bias"):
            raise InputError(
                f"not a plain MLP: tensor {name!r} is {tuple(tensor.shape)} {tensor.dtype};"
                " build the model with a factory (--factory module:function)"
            )
    if not weights:
        raise InputError("not an MLP: there is no weight tensor")
    for names in (list(weights), sorted(weights, key=natural_order)):
        if all(
            weights[after].shape[1] == weights[before].shape[0]
            for before, after in itertools.pairwise(names)
        ):
            break
    else:
        shapes = ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in weights.items())
        raise InputError(f"not an MLP: these Linear layers do not follow on each other: {shapes}")
    layers = []
    for name in names:
        path = name.rpartition(".")[0]
        bias = state.get(f"{path}.bias" if path else "bias")
        out_features, in_features = weights[name].shape
        linear = nn.Linear(
            in_features, out_features, bias=bias is not None, dtype=weights[name].dtype
        )
        layers.append((path, linear))
    model = InferredMLP(layers, activation)
    model.load_state_dict(dict(state))
    return model


def natural_order(name: str) -> list[Any]:
    """Sort key that puts 'layer10' after 'layer2'."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


@dataclass(frozen=True, eq=False)
class StackScores:
    """How the networks of a stack did, an entry per network: (n_networks,) each.

    Attributes
    ----------
    accuracy
        Share of the samples predicted correctly; the lowest class wins a tie.
    ties
        Share of the samples whose largest logit several classes share.
    constant
        Whether one class was predicted for every sample.
    """

    accuracy: npt.NDArray[np.float64]
    ties: npt.NDArray[np.float64]
    constant: npt.NDArray[np.bool_]


@dataclass(eq=False)
class MLPStack:
    """Many MLPs of one shape: matrix l of network r is ``weights[l][r]``, rows = left nodes.

    Attributes
    ----------
    weights
        Per layer (n_networks, n_left, n_right).
    biases
        Per layer (n_networks, n_right).
    """

    weights: list[torch.Tensor]
    biases: list[torch.Tensor]

    def __post_init__(self) -> None:
        if not self.weights or len(self.weights) != len(self.biases):
            raise InputError(
                "an MLPStack needs at least one layer and a bias for each, got"
                f" {len(self.weights)} weights and {len(self.biases)} biases"
            )

    def __len__(self) -> int:
        return len(self.weights[0])

    @classmethod
    def initialised(
        cls, sizes: Sequence[int], generators: Sequence[np.random.Generator]
    ) -> MLPStack:
        """A network for each generator, with PyTorch's default initialisation of ``nn.Linear``.

        Each is a function of its own generator alone, whichever others there are.
        """
        weights: list[torch.Tensor] = []
        biases: list[torch.Tensor] = []
        for n_left, n_right in itertools.pairwise(sizes):
            bound = n_left**-0.5  # kaiming_uniform_(a=sqrt(5)) and the bias rule give the same
            for values, shape in ((weights, (n_left, n_right)), (biases, (n_right,))):
                uniform = np.empty((len(generators), *shape), np.float32)
                for own, generator in zip(uniform, generators, strict=True):
                    generator.random(dtype=np.float32, out=own)
                values.append((2 * torch.from_numpy(uniform) - 1) * bound)
        return cls(weights, biases)

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        """(n_networks, n, n_classes): inputs shared (n, n_left) or own (n_networks, n, n_left)."""
        n_left = self.weights[0].shape[1]
        if x.shape[-1] != n_left:
            raise InputError(f"the networks take {n_left} inputs, the data has {x.shape[-1]}")
        hidden = x
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if layer:
                hidden = hidden.relu()
            if hidden.ndim == 2:
                # Shared inputs: one large product serves all networks.
                n_networks, n_left, n_right = weight.shape
                side_by_side = weight.permute(1, 0, 2).reshape(n_left, n_networks * n_right)
                hidden = (hidden @ side_by_side).view(-1, n_networks, n_right).transpose(0, 1)
                hidden = hidden + bias[:, None]
            else:
                hidden = torch.baddbmm(bias[:, None], hidden, weight)
        return hidden

    def predictions(self, x: torch.Tensor, *, batch_size: int = 1024) -> torch.Tensor:
        """(n_networks, n) predicted classes, all networks together; ties as in `Accuracy`."""
        return self._predicted(x, batch_size)[0]

    def _predicted(self, x: torch.Tensor, batch_size: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Classes and whether there was a tie, (n_networks, n) each."""
        device = self.weights[0].device
        with torch.no_grad():
            parts = [
                predicted(self.logits(inputs.to(device))) for inputs in torch.split(x, batch_size)
            ]
        classes, tied = zip(*parts, strict=True)
        return torch.cat(classes, dim=1), torch.cat(tied, dim=1)

    def score(self, x: torch.Tensor, y: torch.Tensor, *, batch_size: int = 1024) -> StackScores:
        """Accuracy, ties and constant predictions, all networks together; ties as in `Accuracy`."""
        require_samples(x, y)
        labels = checked_labels(y, len(x), self.weights[-1].shape[-1])
        classes, tied = self._predicted(x, batch_size)
        counts = [
            (classes == labels.to(classes.device)).sum(dim=1),
            tied.sum(dim=1),
            (classes == classes[:, :1]).sum(dim=1),
        ]
        n_correct, n_ties, n_like_first = torch.stack(counts).cpu().numpy()
        return StackScores(n_correct / len(y), n_ties / len(y), n_like_first == len(y))

    def accuracy(
        self, x: torch.Tensor, y: torch.Tensor, *, batch_size: int = 1024
    ) -> npt.NDArray[np.float64]:
        """(n_networks,) accuracies, all networks scored together; ties as in `Accuracy`."""
        return self.score(x, y, batch_size=batch_size).accuracy

    def state_dict(self, network: int) -> dict[str, torch.Tensor]:
        """One network as the state dict of ``nn.Sequential(Linear, ReLU, Linear, ...)``."""
        state = {}
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            state[f"{2 * layer}.weight"] = weight[network].T.contiguous()
            state[f"{2 * layer}.bias"] = bias[network].clone()
        return state

    def __iter__(self) -> Iterator[InferredMLP]:
        for network in range(len(self)):
            yield mlp_from_state(self.state_dict(network))
