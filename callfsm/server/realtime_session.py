"""A Realtime session, from its handshake to `session.updated`; or why there is none."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Final

import aiohttp
from attrs import frozen
from yarl import URL

from callfsm.config import LimitsConfig
from callfsm.events import Event, RealtimeError
from callfsm.states.responses import QUOTA_CODE, QUOTA_EXHAUSTED
from callfsm.wire import realtime
from callfsm.wire.malformed import MalformedError
from callfsm.wire.realtime_out import SESSION_EVENT_ID
from callfsm.wire.redaction import Redaction

CLOSE_S: Final = 0.5
_TOO_MANY: Final = 429
_REFUSAL_BYTES: Final = 4096
_TRANSIENT_CODES: Final = frozenset({"", "server_error", "rate_limit_exceeded"})
_FIRST_PRIVATE_CODE: Final = 4000

Decode = Callable[[aiohttp.WSMessage], Event | realtime.SessionUpdated | None]


class RefusedError(Exception):
    """The API will not have us; trying again would change nothing. The argument is the reason, for the journal."""


class UnavailableError(Exception):
    """This try failed; the next one may not, once `retry_after_s` have passed. The text is the reason."""

    def __init__(self, reason: str, retry_after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


@frozen
class RealtimeAddress:
    """Where the API is, and the message with which a session begins."""

    url: str
    model: str
    api_key: str
    session_update: bytes
    redaction: Redaction | None = None

    def __repr__(self) -> str:
        # An address may have a key in its query.
        return f"RealtimeAddress({self.url.partition('?')[0]!r}, {self.model!r})"


async def tell_quota(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Raise RefusedError for a handshake that is refused because the account has nothing left to pay with.

    A status of 429 says that there are too many requests, or that; only its body tells which. A middleware of the
    client's session, for the exception that a refused handshake raises has no body.
    """
    response = await handler(request)
    if response.status == _TOO_MANY and "Sec-WebSocket-Key" in request.headers:
        body = await _first_bytes(response.content)
        if QUOTA_CODE.encode() in body:
            response.close()
            raise RefusedError(QUOTA_EXHAUSTED)
    return response


async def _first_bytes(content: aiohttp.StreamReader) -> bytes:
    try:
        return await content.readexactly(_REFUSAL_BYTES)
    except asyncio.IncompleteReadError as shorter:
        return shorter.partial


@contextlib.asynccontextmanager
async def _closed_unless_ready(socket: aiohttp.ClientWebSocketResponse) -> AsyncIterator[None]:
    try:
        yield
    except (TimeoutError, ConnectionError):
        await socket.close()
        raise UnavailableError("realtime_never_ready") from None
    except BaseException:
        await socket.close()
        raise


async def open_session(
    http: aiohttp.ClientSession, address: RealtimeAddress, limits: LimitsConfig, decode: Decode
) -> aiohttp.ClientWebSocketResponse:
    """Return the socket of a session that has our settings; raise RefusedError or UnavailableError."""
    socket = await _connect(http, address, limits)
    async with _closed_unless_ready(socket), asyncio.timeout(limits.realtime_ready_s):
        await socket.send_frame(address.session_update, aiohttp.WSMsgType.TEXT)
        await _wait_until_ready(socket, decode)
    return socket


async def _connect(
    http: aiohttp.ClientSession, address: RealtimeAddress, limits: LimitsConfig
) -> aiohttp.ClientWebSocketResponse:
    try:
        async with asyncio.timeout(limits.realtime_connect_s):
            return await http.ws_connect(
                URL(address.url).update_query(model=address.model),
                headers={"Authorization": f"Bearer {address.api_key}"},
                heartbeat=limits.realtime_ping_s,
                max_msg_size=limits.realtime_message_bytes,
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_S),
            )
    except aiohttp.WSServerHandshakeError as error:
        reason = f"realtime_refused_{error.status}"
        if error.status in (401, 403):
            raise RefusedError(reason) from None
        raise UnavailableError(reason, _retry_after_s(error)) from None
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise UnavailableError(f"realtime_unreachable:{type(error).__name__}") from None


def _retry_after_s(error: aiohttp.WSServerHandshakeError) -> float:
    """Return how long the API wants to be left alone; 0 where it says nothing, or a date."""
    text = error.headers.get("Retry-After", "").strip() if error.headers else ""
    return float(text) if text.isascii() and text.replace(".", "", 1).isdigit() else 0.0


async def _wait_until_ready(socket: aiohttp.ClientWebSocketResponse, decode: Decode) -> None:
    async for message in socket:
        match decode(message):
            case realtime.SessionUpdated(is_mulaw=True):
                return
            case realtime.SessionUpdated():
                raise RefusedError("realtime_session_not_mulaw")
            case RealtimeError(code=code) if code == QUOTA_CODE:
                raise RefusedError(QUOTA_EXHAUSTED)
            case RealtimeError(_, code, event_id):
                reason = f"realtime_session_rejected:{code or 'no_code'}"
                is_final = event_id == SESSION_EVENT_ID or code not in _TRANSIENT_CODES
                raise RefusedError(reason) if is_final else UnavailableError(reason)
            case _:
                pass
    check_close(socket)
    raise UnavailableError("realtime_closed_before_ready")


def check_close(socket: aiohttp.ClientWebSocketResponse) -> None:
    """Raise RefusedError where the API closed a session with a code that says that it will not have us."""
    code = socket.close_code or 0
    if code == aiohttp.WSCloseCode.POLICY_VIOLATION or code >= _FIRST_PRIVATE_CODE:
        raise RefusedError(f"realtime_closed:{code}")


async def probe(http: aiohttp.ClientSession, address: RealtimeAddress, limits: LimitsConfig) -> None:
    """Have a session for a moment; raise RefusedError or UnavailableError where there is none to be had."""
    socket = await open_session(http, address, limits, _read)
    await socket.close()


def _read(message: aiohttp.WSMessage) -> Event | realtime.SessionUpdated | None:
    with contextlib.suppress(MalformedError, TypeError):
        return realtime.decode(message.data, 0.0)
    return None
