"""The Realtime leg of one call: connected while the line is calibrated, connected anew when it is lost."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

import aiohttp
from attrs import frozen
from yarl import URL

from callfsm.config import LimitsConfig
from callfsm.events import CallEnded, Event, RealtimeError, RealtimeLost, RealtimeReady
from callfsm.server.outbox import Outbox
from callfsm.wire import realtime
from callfsm.wire.malformed import MalformedError
from callfsm.wire.realtime_out import SESSION_EVENT_ID

FIRST_PAUSE_S: Final = 1.0
STEADY_S: Final = 5.0
"""A session that lived as long was a good one: the tries are counted anew."""
CLOSE_S: Final = 0.5
WAITING_BYTES: Final = 2**20
"""Some 60 s of the caller's audio, base64 and JSON included."""
_TRANSIENT_CODES: Final = frozenset({"", "server_error", "rate_limit_exceeded"})
_FIRST_PRIVATE_CODE: Final = 4000


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
        limits: LimitsConfig,
        feed: Callable[[Event], None],
        count: Callable[[MalformedError], None],
    ) -> None:
        self._http = http
        self._address = address
        self._limits = limits
        self._feed = feed
        self._count = count
        self._now = asyncio.get_running_loop().time
        self._outbox = Outbox("realtime", WAITING_BYTES, drops_audio=True)
        self._is_ready = False

    @property
    def dropped(self) -> int:
        """Return how many of the caller's frames were dropped because the API did not read them."""
        return self._outbox.dropped

    def send(self, message: bytes, *, audio: bool = False) -> None:
        """Queue a message for the session; without one it is dropped, for the next session is told anew."""
        if self._is_ready:
            self._outbox.put(message, audio=audio)

    async def run(self) -> None:
        """Keep a session until cancelled; feed the end of the call where none can be had, or none lasts."""
        tries, first_at = 0, self._now()
        while True:
            tries += 1
            try:
                lived_s = await self._serve(await self._try())
                reason = "realtime_lost"
            except RefusedError as error:
                self._feed(CallEnded(self._now(), str(error)))
                return
            except _UnavailableError as error:
                lived_s, reason = 0.0, str(error)
            if lived_s >= STEADY_S:
                tries, first_at = 0, self._now()
            pause_s = FIRST_PAUSE_S * 3 ** (tries - 1) if tries else 0.0
            if (
                tries >= self._limits.realtime_tries
                or self._now() + pause_s > first_at + self._limits.realtime_tries_s
            ):
                self._feed(CallEnded(self._now(), reason))
                return
            await asyncio.sleep(pause_s)

    async def _try(self) -> aiohttp.ClientWebSocketResponse:
        address, limits = self._address, self._limits
        try:
            async with asyncio.timeout(limits.realtime_connect_s):
                socket = await self._http.ws_connect(
                    URL(address.url).update_query(model=address.model),
                    headers={"Authorization": f"Bearer {address.api_key}"},
                    heartbeat=limits.realtime_ping_s,
                    max_msg_size=limits.realtime_message_bytes,
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_S),
                )
        except aiohttp.WSServerHandshakeError as error:
            if error.status in (401, 403):
                raise RefusedError(f"realtime_refused_{error.status}") from None
            raise _UnavailableError(f"realtime_refused_{error.status}") from None
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise _UnavailableError(f"realtime_unreachable:{type(error).__name__}") from None
        try:
            async with asyncio.timeout(limits.realtime_ready_s):
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
                case RealtimeError(_, code, event_id):
                    reason = f"realtime_session_rejected:{code or 'no_code'}"
                    ours = event_id == SESSION_EVENT_ID or code not in _TRANSIENT_CODES
                    raise RefusedError(reason) if ours else _UnavailableError(reason)
                case _:
                    pass
        self._check_close(socket)
        raise _UnavailableError("realtime_closed_before_ready")

    def _check_close(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        code = socket.close_code or 0
        if code == aiohttp.WSCloseCode.POLICY_VIOLATION or code >= _FIRST_PRIVATE_CODE:
            raise RefusedError(f"realtime_closed_{code}")

    async def _serve(self, socket: aiohttp.ClientWebSocketResponse) -> float:
        """Carry a session until its socket is lost; return how many seconds it lived."""
        began = self._now()
        self._is_ready = True
        self._feed(RealtimeReady(began))
        legs = [asyncio.create_task(self._read(socket)), asyncio.create_task(self._write(socket))]
        try:
            await asyncio.wait(legs, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._is_ready = False
            self._outbox.clear()
            self._feed(RealtimeLost(self._now()))
            for leg in legs:
                leg.cancel()
            ends = await asyncio.gather(*legs, return_exceptions=True)
            await socket.close()
        for end in ends:
            if isinstance(end, Exception):
                raise end
        self._check_close(socket)
        return self._now() - began

    async def _write(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        # A socket that cannot be written is lost, which reading it tells as well.
        with contextlib.suppress(ConnectionError):
            await self._outbox.write_to(socket)

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            event = self._decode(message)
            if event is None or isinstance(event, realtime.SessionUpdated):
                continue
            self._feed(event)
            if isinstance(event, RealtimeError) and event.code == "session_expired":
                return

    def _decode(self, message: aiohttp.WSMessage) -> Event | realtime.SessionUpdated | None:
        if message.type is not aiohttp.WSMsgType.TEXT:
            self._count(MalformedError("realtime message: not text"))
            return None
        try:
            return realtime.decode(message.data, self._now())
        except MalformedError as error:
            self._count(error)
            return None
