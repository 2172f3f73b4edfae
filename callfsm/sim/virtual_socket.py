"""A WebSocket in memory: two ends, and a network between them that takes its time."""

import asyncio
from typing import Self

import attrs
from aiohttp import WSCloseCode, WSMessage, WSMsgType


@attrs.define(eq=False)
class VirtualSocket:
    """One end; `pair` makes two. What is sent arrives `latency_s` later, in the order in which it was sent."""

    latency_s: float
    close_code: int | None = attrs.field(default=None, init=False)
    _peer: "VirtualSocket | None" = attrs.field(default=None, init=False)
    _arriving: asyncio.Queue[tuple[float, WSMessage]] = attrs.field(factory=asyncio.Queue, init=False)

    @property
    def closed(self) -> bool:
        """Whether this end is closed, by itself or because it has read that the other one is."""
        return self.close_code is not None

    def put(self, text: str) -> None:
        """Send a text message; ConnectionResetError where this end is closed."""
        self._put(WSMessage(WSMsgType.TEXT, text, None))

    async def send_str(self, data: str) -> None:
        """Send a text message; ConnectionResetError where this end is closed."""
        self.put(data)

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary message; ConnectionResetError where this end is closed."""
        self._put(WSMessage(WSMsgType.BINARY, data, None))

    async def close(self, *, code: int = WSCloseCode.OK) -> bool:
        """Close this end, and the other one once it reads of it; False where this one was closed already."""
        if self.closed:
            return False
        goodbye = WSMessage(WSMsgType.CLOSE, code, None)
        self._put(goodbye)
        self.close_code = code
        # Whoever reads here is woken, at once.
        self._arriving.put_nowait((0.0, goodbye))
        return True

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> WSMessage:
        arrives_s, message = await self._arriving.get()
        await asyncio.sleep(arrives_s - asyncio.get_running_loop().time())
        if self.closed:
            raise StopAsyncIteration
        if message.type is WSMsgType.CLOSE:
            self.close_code = message.data
            raise StopAsyncIteration
        return message

    def _put(self, message: WSMessage) -> None:
        if self.closed or self._peer is None:
            raise ConnectionResetError("the socket is closed")
        arrives_s = asyncio.get_running_loop().time() + self.latency_s
        self._peer._arriving.put_nowait((arrives_s, message))  # noqa: SLF001 - the other end of the same socket

    @classmethod
    def pair(cls, latency_ms: float) -> "tuple[VirtualSocket, VirtualSocket]":
        """Return the two ends of an open socket; a message takes `latency_ms` from one to the other."""
        one, other = cls(latency_ms / 1000), cls(latency_ms / 1000)
        one._peer, other._peer = other, one
        return one, other
