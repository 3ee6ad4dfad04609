"""The drawings of `bipnet.plot`, a kind of picture a file. Import them from there."""

from bipnet.errors import MissingExtraError

try:
    import matplotlib as _matplotlib  # noqa: F401
except ImportError as error:
    raise MissingExtraError(
        "bipnet.plot needs matplotlib: pip install 'bipnet[experiments]'"
    ) from error
