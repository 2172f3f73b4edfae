"""What RFC 6455 asks of a client and aiohttp does not check: that it masks its frames, and that its messages end."""

import asyncio
from typing import Final

from aiohttp import web

MOST_FRAGMENTS: Final = 1000
"""Empty fragments would be read for ever and never be a message."""
_MASKED: Final = 0x80
_FIN: Final = 0x80
_CONTROL: Final = 0x08
_WHOLE_TEXT: Final = 0x81
_BROKEN: Final = b"\xff\xff"
"""A head that aiohttp takes for what it is: it closes the socket with 1002."""


def is_handshake(protocol: web.RequestHandler) -> bool:
    """Say whether aiohttp has done with HTTP here: what else comes is frames, or more than a handshake."""
    return protocol._upgraded  # noqa: SLF001 - nothing public says it; the minor of aiohttp that was read is pinned


def is_ahead(protocol: web.RequestHandler) -> bool:
    """Say whether something has come behind a handshake that is not answered yet, which RFC 6455 forbids."""
    # aiohttp keeps it, and would read it as frames, past any check.
    return bool(protocol._message_tail)  # noqa: SLF001 - as above


def require_masks(transport: asyncio.Transport | None) -> None:
    """Have a WebSocket closed with 1002 at the first frame that is not masked, and at a message without end."""
    # To be called where a handshake is not ahead of its answer, and before the answer: whatever the transport reads
    # from here on is frames.
    if transport is not None and isinstance(inner := transport.get_protocol(), asyncio.Protocol):
        transport.set_protocol(_MaskCheck(inner))


class _MaskCheck(asyncio.Protocol):
    """Stands between a connection and the protocol that reads it; what is right goes on as it came."""

    def __init__(self, inner: asyncio.Protocol) -> None:
        self._inner = inner
        self._to_come = 0
        """Bytes of the frame in hand."""
        self._head = b""
        """The beginning of a head that has not come whole: it goes on only when it is known to be right."""
        self._fragments = 0
        self._is_broken = False

    def data_received(self, data: bytes) -> None:
        # As Twilio sends them: one message, one frame, one packet, of 126 to 65,535 bytes.
        is_alone = not self._to_come and not self._head and len(data) > 8
        if is_alone and data[0] == _WHOLE_TEXT and data[1] == 0xFE and len(data) == 8 + (data[2] << 8 | data[3]):
            self._inner.data_received(data)
        elif not self._is_broken:
            self._check(self._head + data)

    def _check(self, data: bytes) -> None:
        at, self._to_come = self._to_come, max(self._to_come - len(data), 0)
        self._head = b""
        while at < len(data):
            size = _frame_bytes(data, at)
            if size is None:
                self._head = data[at:]
                break
            self._count(data[at])
            if not data[at + 1] & _MASKED or self._fragments > MOST_FRAGMENTS:
                self._is_broken = True
                self._inner.data_received(data[:at] + _BROKEN)
                return
            at += size
            self._to_come = max(at - len(data), 0)
        if len(data) > len(self._head):
            self._inner.data_received(data[: len(data) - len(self._head)])

    def _count(self, first: int) -> None:
        if not first & _CONTROL:
            self._fragments = 0 if first & _FIN else self._fragments + 1

    def connection_lost(self, exc: Exception | None) -> None:
        self._inner.connection_lost(exc)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()


def _frame_bytes(data: bytes, at: int) -> int | None:
    """Return the length of the masked frame that begins here; None where its length has not come."""
    left = len(data) - at
    if left < 2:
        return None
    length = data[at + 1] & ~_MASKED
    if length < 126:
        return 6 + length
    wide = 2 if length == 126 else 8
    if left < 2 + wide:
        return None
    return 6 + wide + int.from_bytes(data[at + 2 : at + 2 + wide], "big")
