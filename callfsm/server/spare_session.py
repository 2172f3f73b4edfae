"""A Realtime session that is made ready while an old one still serves, and kept alive until it takes its place."""

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable
from typing import Final

import aiohttp

from callfsm.server.realtime_session import RefusedError, UnavailableError

SPARE_RETRY_S: Final = 30.0
"""Between two tries to get one."""


class SpareSession:
    """At most one; its socket is closed by whoever takes it, or with `close`."""

    def __init__(self, open_session: Callable[[], Awaitable[aiohttp.ClientWebSocketResponse]]) -> None:
        self._open_session = open_session
        self._now = asyncio.get_running_loop().time
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._is_tried = asyncio.Event()
        self._tried_at = -math.inf

    @property
    def is_ready(self) -> bool:
        """Whether there is one, and its socket is open."""
        return self._socket is not None and not self._socket.closed

    def prepare(self) -> None:
        """Have one made, unless there is one, or one is being made, or the last try was not long ago."""
        is_kept = self._keeping is not None and not self._keeping.done()
        if not is_kept and self._now() >= self._tried_at + SPARE_RETRY_S:
            self._tried_at = self._now()
            self._is_tried.clear()
            self._keeping = asyncio.create_task(self._keep())

    async def _keep(self) -> None:
        try:
            with contextlib.suppress(RefusedError, UnavailableError):
                self._socket = await self._open_session()
        finally:
            self._is_tried.set()
        # Pings are answered, and it is known when it is closed.
        while self._socket is not None and not self._socket.closed:
            await self._socket.receive()

    async def take(self) -> aiohttp.ClientWebSocketResponse | None:
        """Return it; None where there is none, nor one being made."""
        if self._keeping is None:
            return None
        await self._is_tried.wait()
        await self._stop()
        # It is ours until here, and closed with us where this is cancelled.
        socket, self._socket = self._socket, None
        return None if socket is None or socket.closed else socket

    async def close(self) -> None:
        """Close it, if there is one."""
        await self._stop()
        if self._socket is not None:
            await self._socket.close()

    async def _stop(self) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
            self._keeping = None
