"""The messages that wait for one socket, and the task that writes them."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from aiohttp import WSMsgType

Written = Callable[[], None]
_Message = tuple[bytes, bool, Written | None]
"""The text, whether it is audio, and who wants to know when it is written."""


class FrameWriter(Protocol):
    """The writing half that aiohttp's two kinds of WebSocket have in common."""

    async def send_frame(self, message: bytes, opcode: WSMsgType) -> None:
        """Write one frame; return when there is room for another."""


class OutboxOverflowError(Exception):
    """A peer does not read what it is sent, and nothing that waits for it may be dropped. The argument names it."""


class Outbox:
    """A bounded queue of text messages.

    Beyond `limit_bytes` the oldest audio is dropped, where `drops_audio` allows it; control messages never are.
    """

    def __init__(self, peer: str, limit_bytes: int, *, drops_audio: bool) -> None:
        self._peer = peer
        self._limit_bytes = limit_bytes
        self._drops_audio = drops_audio
        self._waiting: deque[_Message] = deque()
        self._size_bytes = 0
        self._filled = asyncio.Event()
        self.dropped = 0

    def put(self, message: bytes, *, audio: bool = False, written: Written | None = None) -> None:
        """Queue a message behind all others; raise OutboxOverflowError where there is no room for it.

        `written` is called when the message has been written.
        """
        self._waiting.append((message, audio, written))
        self._size_bytes += len(message)
        self._filled.set()
        if self._size_bytes > self._limit_bytes:
            self._make_room()

    def replace_audio(self, message: bytes, *, written: Written | None = None) -> None:
        """Throw away the audio that waits, and put the message ahead of everything."""
        kept = [item for item in self._waiting if not item[1]]
        self._waiting = deque([(message, False, written), *kept])
        self._size_bytes = sum(len(item[0]) for item in self._waiting)
        self._filled.set()

    def clear(self) -> None:
        """Throw everything away."""
        self._waiting.clear()
        self._size_bytes = 0

    def _make_room(self) -> None:
        while self._drops_audio and self._size_bytes > self._limit_bytes:
            oldest = next((item for item in self._waiting if item[1]), None)
            if oldest is None:
                break
            self._waiting.remove(oldest)
            self._size_bytes -= len(oldest[0])
            self.dropped += 1
        if self._size_bytes > self._limit_bytes:
            raise OutboxOverflowError(self._peer)

    async def write_to(self, socket: FrameWriter) -> None:
        """Write what is queued, in order, until cancelled or the socket is closed (ConnectionError)."""
        while True:
            while self._waiting:
                message, _, written = self._waiting.popleft()
                self._size_bytes -= len(message)
                await socket.send_frame(message, WSMsgType.TEXT)
                if written is not None:
                    written()
            self._filled.clear()
            await self._filled.wait()
