"""The file of a finished job: what it made, sealed, so that no other bytes are taken for it.

A line of text with the key of the job and a digest, then the content:

    bipnet job <key> <digest of key and content>
"""

from __future__ import annotations

import hashlib

from bipnet.errors import FileFormatError

_WORD = b"bipnet job "


def sealed(key: str, content: bytes) -> bytes:
    """The bytes of the file.

    Examples
    --------
    >>> unsealed("00ff", sealed("00ff", b"made"))
    b'made'
    """
    return b"%s%s %s\n%s" % (_WORD, key.encode(), _digest(key, content), content)


def unsealed(key: str, file: bytes) -> bytes:
    """The content of a file that must be whole, and that of the job with this key.

    Raises
    ------
    FileFormatError
        It is not; says why, in words that follow the name of the file.
    """
    if not file:
        raise FileFormatError("is empty")
    head, line_end, content = file.partition(b"\n")
    words = head.removeprefix(_WORD).split(b" ")
    if not file.startswith(_WORD) or not line_end or len(words) != 2:
        raise FileFormatError("is damaged, or not the file of a job")
    if words[0] != key.encode():
        raise FileFormatError("is damaged, or the file of another job")
    if words[1] != _digest(key, content):
        raise FileFormatError("is damaged: its digest is another one")
    return content


def _digest(key: str, content: bytes) -> bytes:
    digest = hashlib.blake2b(key.encode(), digest_size=16)
    digest.update(content)
    return digest.hexdigest().encode()
