"""Messages over a pipe: eight bytes of length, then the message."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

_HEAD = struct.Struct("<Q")
PIECE = 1 << 16


def write(pipe: int, message: bytes) -> None:
    """Writes one message, waiting while the pipe is full.

    Raises:
        OSError: if nobody reads any more.
    """
    rest = memoryview(_HEAD.pack(len(message)) + message)
    while rest:
        rest = rest[os.write(pipe, rest) :]


class Inbox:
    """Puts messages together from the pieces that arrive."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Takes a piece; gives the messages it completes."""
        self._held += piece
        while len(self._held) >= _HEAD.size:
            end = _HEAD.size + _HEAD.unpack_from(self._held)[0]
            if len(self._held) < end:
                return
            message = bytes(self._held[_HEAD.size : end])
            del self._held[:end]
            yield message
