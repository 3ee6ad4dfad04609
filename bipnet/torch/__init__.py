"""Torch models: their layers as graphs, other weights put in and taken out, scores, probes."""

from bipnet.errors import MissingExtraError

try:
    import torch as _torch  # noqa: F401  # only to say clearly what is missing
except ImportError as error:
    raise MissingExtraError("bipnet.torch needs PyTorch: pip install 'bipnet[torch]'") from error

from bipnet.torch.complexity import task_complexity as task_complexity
from bipnet.torch.evaluate import Accuracy as Accuracy
from bipnet.torch.evaluate import Score as Score
from bipnet.torch.evaluate import stacked_accuracy as stacked_accuracy
from bipnet.torch.layers import ModuleLayer as ModuleLayer
from bipnet.torch.layers import list_layers as list_layers
from bipnet.torch.mlp import MLPStack as MLPStack
from bipnet.torch.mlp import mlp_from_state as mlp_from_state
from bipnet.torch.probing import probe as probe
from bipnet.torch.similarity import CKA as CKA
from bipnet.torch.swap import swapped as swapped
