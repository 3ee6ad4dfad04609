"""The paper's experiments: data sets, tasks, training, and what becomes of the accuracy."""

from importlib.util import find_spec as _find_spec

from bipnet.errors import MissingExtraError

_NEEDED = ("torch", "pandas", "matplotlib", "skimage", "sklearn", "jinja2")
_MISSING = [name for name in _NEEDED if _find_spec(name) is None]
if _MISSING:
    raise MissingExtraError(
        f"bipnet.experiments needs {', '.join(_MISSING)}: pip install 'bipnet[experiments]'"
    )
