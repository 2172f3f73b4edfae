"""What the simulators ask of a WebSocket: aiohttp's two kinds have it, and so has the one in memory."""

from collections.abc import AsyncIterator
from typing import Any, Protocol

from aiohttp import WSCloseCode


class Socket(Protocol):
    """An open WebSocket. Iterating over it yields messages with `type` and `data`, until it is closed."""

    @property
    def closed(self) -> bool:
        """Whether either side has closed it."""

    @property
    def close_code(self) -> int | None:
        """The code with which it was closed."""

    async def send_str(self, data: str) -> None:
        """Send a text message; ConnectionResetError where the other side is gone."""

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary message; ConnectionResetError where the other side is gone."""

    async def close(self, *, code: int = WSCloseCode.OK) -> bool:
        """Close it; False where it was closed already."""

    def __aiter__(self) -> AsyncIterator[Any]:
        """Read the messages of the other side."""
