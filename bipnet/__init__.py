"""Exact null models for signed, weighted bipartite graphs: any matrix, any network layer."""

from __future__ import annotations

from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

from bipnet.errors import BipnetError as BipnetError
from bipnet.errors import BipnetWarning as BipnetWarning
from bipnet.errors import DamagedJobWarning as DamagedJobWarning
from bipnet.errors import DTypeError as DTypeError
from bipnet.errors import EmptyLayerWarning as EmptyLayerWarning
from bipnet.errors import ExplicitZeroWarning as ExplicitZeroWarning
from bipnet.errors import FileFormatError as FileFormatError
from bipnet.errors import FrozenWarning as FrozenWarning
from bipnet.errors import InputError as InputError
from bipnet.errors import InvariantError as InvariantError
from bipnet.errors import LayerNotFoundError as LayerNotFoundError
from bipnet.errors import MissingExtraError as MissingExtraError
from bipnet.errors import MissingExtraWarning as MissingExtraWarning
from bipnet.errors import MissingFileError as MissingFileError
from bipnet.errors import NotSettledWarning as NotSettledWarning
from bipnet.errors import OutputExistsError as OutputExistsError
from bipnet.errors import TooLargeError as TooLargeError
from bipnet.graph import SignedBipartiteGraph as SignedBipartiteGraph
from bipnet.nulls import INVARIANTS as INVARIANTS
from bipnet.nulls import NULL_MODELS as NULL_MODELS
from bipnet.nulls import Certificate as Certificate
from bipnet.nulls import Diagnosis as Diagnosis
from bipnet.nulls import Ensemble as Ensemble
from bipnet.nulls import NullModel as NullModel
from bipnet.nulls import Verification as Verification
from bipnet.nulls import certify as certify
from bipnet.nulls import diagnose as diagnose
from bipnet.nulls import ensemble as ensemble
from bipnet.nulls import randomize as randomize
from bipnet.nulls import verify as verify
from bipnet.probes import add_noise as add_noise
from bipnet.probes import binarize as binarize
from bipnet.probes import flip_signs as flip_signs
from bipnet.probes import prune as prune

if TYPE_CHECKING:
    from bipnet._significance import Significance as Significance
    from bipnet._significance import significance as significance
    from bipnet.store import Store as Store
    from bipnet.store import new_store as new_store
    from bipnet.store import open_store as open_store

__version__ = _version("bipnet")


_OF_THE_STORE = ("Store", "new_store", "open_store")
_OF_SIGNIFICANCE = ("Significance", "significance")


def __dir__() -> list[str]:
    return sorted({*globals(), *_OF_THE_STORE, *_OF_SIGNIFICANCE})


def __getattr__(name: str) -> Any:
    """The store needs zarr, significance all measures: loaded when they are first asked for."""
    if name in _OF_THE_STORE:
        import bipnet.store

        return getattr(bipnet.store, name)
    if name in _OF_SIGNIFICANCE:
        import bipnet._significance

        return getattr(bipnet._significance, name)
    raise AttributeError(f"module 'bipnet' has no attribute {name!r}")
