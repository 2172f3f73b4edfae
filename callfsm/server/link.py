"""The Realtime leg of one call: connected while the line is calibrated, connected anew when it is lost."""

import asyncio
from collections.abc import Callable
from typing import Final

import aiohttp
from attrs import frozen
from yarl import URL

from callfsm.events import CallEnded, Event, RealtimeError, RealtimeLost, RealtimeReady
from callfsm.server.outbox import Outbox
from callfsm.wire import realtime
from callfsm.wire.malformed import MalformedError

CONNECT_S: Final = 5.0
READY_S: Final = 5.0
TRIES: Final = 3
TRIES_WITHIN_S: Final = 10.0
FIRST_PAUSE_S: Final = 0.25
PING_S: Final = 20.0
CLOSE_S: Final = 0.5
MAX_MESSAGE_BYTES: Final = 16 * 2**20
WAITING_BYTES: Final = 2**20
"""Some 60 s of the caller's audio, base64 and JSON included."""


class RefusedError(Exception):
    """The API will not have us; trying again would change nothing. The argument is the reason, for the journal."""


class _UnavailableError(Exception):
    """This try failed; the next one may not. The argument is the reason."""


@frozen
class RealtimeAddress:
    """Where the API is, and the message with which a session begins."""

    url: str
    model: str
    api_key: str
    session_update: bytes

    def __repr__(self) -> str:
        return f"RealtimeAddress({self.url!r}, {self.model!r})"


class RealtimeLink:
    """One call's connection to the Realtime API, over as many sockets as it takes."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        address: RealtimeAddress,
        feed: Callable[[Event], None],
        count: Callable[[MalformedError], None],
    ) -> None:
        self._http = http
        self._address = address
        self._feed = feed
        self._count = count
        self._now = asyncio.get_running_loop().time
        self._outbox = Outbox(WAITING_BYTES, drops_audio=True)
        self._is_ready = False

    def send(self, message: bytes, *, audio: bool = False) -> None:
        """Queue a message for the session; without one it is dropped, for the next session is told anew."""
        if self._is_ready:
            self._outbox.put(message, audio=audio)

    async def run(self) -> None:
        """Keep a session until cancelled; feed the end of the call where none can be had."""
        while True:
            try:
                socket = await self._connect()
            except (RefusedError, _UnavailableError) as error:
                self._feed(CallEnded(self._now(), str(error)))
                return
            try:
                await self._serve(socket)
            finally:
                self._is_ready = False
                await socket.close()
            self._outbox.clear()
            self._feed(RealtimeLost(self._now()))

    async def _connect(self) -> aiohttp.ClientWebSocketResponse:
        give_up_at = self._now() + TRIES_WITHIN_S
        pause_s = FIRST_PAUSE_S
        for tried in range(1, TRIES + 1):
            try:
                return await self._try()
            except _UnavailableError:
                if tried == TRIES or self._now() + pause_s > give_up_at:
                    raise
            await asyncio.sleep(pause_s)
            pause_s *= 4
        raise AssertionError("the last try returns or raises")

    async def _try(self) -> aiohttp.ClientWebSocketResponse:
        address = self._address
        try:
            async with asyncio.timeout(CONNECT_S):
                socket = await self._http.ws_connect(
                    URL(address.url).update_query(model=address.model),
                    headers={"Authorization": f"Bearer {address.api_key}"},
                    heartbeat=PING_S,
                    max_msg_size=MAX_MESSAGE_BYTES,
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_S),
                )
        except aiohttp.WSServerHandshakeError as error:
            if error.status in (401, 403):
                raise RefusedError(f"realtime_refused_{error.status}") from None
            raise _UnavailableError(f"realtime_refused_{error.status}") from None
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise _UnavailableError(f"realtime_unreachable:{type(error).__name__}") from None
        try:
            async with asyncio.timeout(READY_S):
                await socket.send_frame(address.session_update, aiohttp.WSMsgType.TEXT)
                await self._wait_until_ready(socket)
        except (TimeoutError, ConnectionError):
            await socket.close()
            raise _UnavailableError("realtime_never_ready") from None
        except BaseException:
            await socket.close()
            raise
        return socket

    async def _wait_until_ready(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            match self._decode(message):
                case realtime.SessionUpdated(is_mulaw=True):
                    return
                case realtime.SessionUpdated():
                    raise RefusedError("realtime_session_not_mulaw")
                case RealtimeError(_, code):
                    raise RefusedError(f"realtime_session_rejected:{code or 'no_code'}")
                case _:
                    pass
        if socket.close_code == aiohttp.WSCloseCode.POLICY_VIOLATION or (socket.close_code or 0) >= 4000:
            raise RefusedError(f"realtime_closed_{socket.close_code}")
        raise _UnavailableError("realtime_closed_before_ready")

    async def _serve(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Carry a session until its socket is lost."""
        self._is_ready = True
        self._feed(RealtimeReady(self._now()))
        writer = asyncio.create_task(self._outbox.write_to(socket))
        try:
            async for message in socket:
                event = self._decode(message)
                if event is None or isinstance(event, realtime.SessionUpdated):
                    continue
                self._feed(event)
                if isinstance(event, RealtimeError) and event.code == "session_expired":
                    return
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)

    def _decode(self, message: aiohttp.WSMessage) -> Event | realtime.SessionUpdated | None:
        if message.type is not aiohttp.WSMsgType.TEXT:
            self._count(MalformedError("realtime message: not text"))
            return None
        try:
            return realtime.decode(message.data, self._now())
        except MalformedError as error:
            self._count(error)
            return None
