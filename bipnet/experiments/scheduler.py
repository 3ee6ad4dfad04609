"""The address of a Dask scheduler, looked at before anything is done."""

from __future__ import annotations

import importlib
from typing import Any

from bipnet.errors import InputError, MissingExtraError

_SCHEMES = ("tcp", "tls", "ws", "wss")
_ENCRYPTED = ("tls", "wss")


def require_address(address: str | None) -> None:
    """Raise unless ``address`` can be that of a scheduler; None is no address, and fine.

    Dask itself finds out late: it tries a malformed address again and again, and then shows the
    tracebacks of all its tasks.

    Raises
    ------
    InputError
        It is malformed, or encrypted and Dask knows of no certificates.
    MissingExtraError
        Dask is not installed.

    Examples
    --------
    >>> require_address(None)
    """
    if address is None:
        return
    comm = _imported("distributed.comm")
    try:
        scheme, place = comm.parse_address(address)
        host, port = comm.parse_host_port(place)
        wrong = (
            f"it begins with {scheme}://, not one of {', '.join(_SCHEMES)}"
            if scheme not in _SCHEMES
            else "it names no host"
            if not host
            else f"a port is 1 to 65535, not {port}"
            if not 0 < port < 1 << 16
            else ""
        )
    except ValueError as error:
        wrong = str(error)
    if wrong:
        raise InputError(
            f"{address!r} is no address of a Dask scheduler ({wrong}): it looks like"
            " tcp://host:8786"
        )
    if scheme in _ENCRYPTED and not _certificates():
        raise InputError(
            f"{address!r} is encrypted, and Dask's configuration names no certificates: set"
            " distributed.comm.tls there, or use tcp://"
        )


def _certificates() -> Any:
    security = _imported("distributed.security").Security()
    return security.get_connection_args("client").get("ssl_context")


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError("a Dask cluster needs Dask: pip install 'bipnet[dask]'") from error
