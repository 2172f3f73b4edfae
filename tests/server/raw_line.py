"""A media socket of nothing but bytes, for peers that break what a WebSocket is."""

import asyncio
import base64
import json
import os
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs

from tests.server.beside import ready
from tests.server.by_hand import QUIET, TIMEOUT_S, Api, Hands

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
LOST = 0
"""In place of a close code: the connection ended without one."""


def ws_frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, masked: bool = True) -> bytes:
    """A client's frame; by default as RFC 6455 has it."""
    size = len(payload)
    length = b"\x7f" + size.to_bytes(8, "big")
    if size < 2**16:
        length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
    first = bytes([0x80 * fin | rsv << 4 | opcode])
    if not masked:
        return first + length + payload
    mask = os.urandom(4)
    body = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
    return first + bytes([0x80 | length[0]]) + length[1:] + mask + body


def text(message: dict[str, Any] | str, **how: Any) -> bytes:
    """A message in a frame of its own."""
    whole = message if isinstance(message, str) else json.dumps(message)
    return ws_frame(TEXT, whole.encode(), **how)


def start(call_sid: str = "CA1", stream_sid: str = "MZ1", number: object = "1") -> dict[str, Any]:
    body = {"accountSid": "AC1", "streamSid": stream_sid, "callSid": call_sid}
    return {"event": "start", "sequenceNumber": number, "streamSid": stream_sid, "start": body}


def media(ulaw: bytes = QUIET, number: object = None, stream_sid: str = "MZ1") -> dict[str, Any]:
    body = {"track": "inbound", "payload": base64.b64encode(ulaw).decode()}
    return {"event": "media", "sequenceNumber": number, "streamSid": stream_sid, "media": body}


@attrs.define(eq=False)
class RawLine:
    """The client's end of a connection whose handshake is done."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def say(self, *messages: dict[str, Any] | str) -> None:
        self.writer.write(b"".join(text(message) for message in messages))

    async def next(self) -> tuple[int, bytes]:
        """The next frame of the server."""
        first, size = await self.reader.readexactly(2)
        if size >= 126:
            size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8), "big")
        return first & 0xF, await self.reader.readexactly(size)

    async def code(self) -> int:
        """The code with which the server closes, LOST where it says none; a close is answered."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                opcode, payload = await self.next()
                while opcode != CLOSE:
                    opcode, payload = await self.next()
        except (asyncio.IncompleteReadError, ConnectionError):
            return LOST
        self.writer.write(ws_frame(CLOSE, payload))
        return int.from_bytes(payload[:2], "big")

    async def is_closed(self) -> bool:
        """Whether the server ends the connection as well."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await self.reader.read()
        except ConnectionError:
            pass
        return True

    def reset(self) -> None:
        """End the connection with RST."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


@asynccontextmanager
async def raw_line(hands: Hands) -> AsyncIterator[RawLine]:
    """A media socket on which nothing has been said; when the block ends it is gone without a word."""
    host, port = hands.base.removeprefix("://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write(
        f"GET /twilio/media HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    try:
        yield RawLine(reader, writer)
    finally:
        writer.transport.abort()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


@asynccontextmanager
async def raw_call(hands: Hands) -> AsyncIterator[tuple[RawLine, Api]]:
    """The same, of a call whose stream has started and whose session is ready."""
    async with raw_line(hands) as line:
        line.say(start())
        yield line, await ready(hands)
