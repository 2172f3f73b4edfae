"""As little of RFC 6455 as the benchmark's peers need: whole frames on a raw connection, no fragments, no extensions.

Cheapness is the point: the peers must carry far more calls on their core than the server under test does on its own.
"""

import asyncio
import base64
import hashlib
import struct
from typing import Final, cast

TEXT: Final = 1
CLOSE: Final = 8
PING: Final = 9
PONG: Final = 10
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY: Final = base64.b64encode(bytes(16))


def frame(message: bytes, opcode: int = TEXT, *, masked: bool) -> bytes:
    """Return a frame. A client's mask is zero, which is lawful and leaves the bytes as they are."""
    bit = 0x80 if masked else 0
    if len(message) < 126:
        head = struct.pack("!BB", 0x80 | opcode, bit | len(message))
    else:
        head = struct.pack("!BBH", 0x80 | opcode, bit | 126, len(message))
    return head + (bytes(4) if masked else b"") + message


def unmasked(data: bytes, mask: bytes) -> bytes:
    """Return what a client masked."""
    size = len(data)
    keys = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "little") ^ int.from_bytes(keys, "little")).to_bytes(size, "little")


def client_handshake(path: str, host: str) -> bytes:
    """Return a client's opening request."""
    lines = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    return lines.encode() + b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + _KEY + b"\r\n\r\n"


def server_handshake(request: bytes) -> bytes:
    """Return a server's answer to an opening request."""
    lines = (line.partition(b":") for line in request.split(b"\r\n"))
    key = next(value.strip() for name, _, value in lines if name.lower() == b"sec-websocket-key")
    accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())  # noqa: S324 - the RFC's own choice
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    return head + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"


class Peer(asyncio.Protocol):
    """One connection: an HTTP head, then frames. Subclasses say what a text means."""

    is_client = False

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self.is_open = False
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop writing."""
        del exc
        self.is_open = False

    def upgraded(self, head: bytes) -> None:
        """Take the HTTP head: the WebSocket is open now."""
        raise NotImplementedError

    def text(self, data: bytes, start: int, stop: int, mask: bytes) -> None:
        """Take a text message, `data[start:stop]`, masked where `mask` is not empty."""
        raise NotImplementedError

    def data_received(self, data: bytes) -> None:
        """Cut what has come into frames."""
        if self._rest:
            data = self._rest + data
        at = 0
        if not self.is_open:
            at = data.find(b"\r\n\r\n") + 4
            if at < 4:
                self._rest = data
                return
            self.is_open = True
            self.upgraded(data[:at])
        self._rest = data[self._frames(data, at) :]

    def _frames(self, data: bytes, at: int) -> int:
        """Take every full frame from `at` on; return where the rest begins."""
        end = len(data)
        while end - at >= 2:
            size, head = data[at + 1] & 0x7F, at + 2
            if size == 126:
                size, head = int.from_bytes(data[at + 2 : at + 4]), at + 4
            elif size == 127:
                size, head = int.from_bytes(data[at + 2 : at + 10]), at + 10
            mask = data[head : head + 4] if data[at + 1] & 0x80 else b""
            start = head + len(mask)
            if start + size > end or head > end:
                break
            opcode = data[at] & 0x0F
            at = start + size
            if opcode == TEXT:
                self.text(data, start, at, mask)
            elif opcode == PING:
                body = data[start:at]
                self.send(frame(unmasked(body, mask) if mask else body, PONG, masked=self.is_client))
            elif opcode == CLOSE:
                self.send(frame(b"\x03\xe8", CLOSE, masked=self.is_client))
                self.transport.close()
                self.is_open = False
        return at

    def send(self, framed: bytes) -> None:
        """Write a frame, unless the connection is gone."""
        if self.is_open:
            self.transport.write(framed)
