"""The media socket: who may come in, and the call that it then carries."""

import asyncio
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from logging import ERROR
from typing import Final

import aiohttp
import attrs
from aiohttp import web

from callfsm import __version__
from callfsm.audit.journal import Journal
from callfsm.call import Call
from callfsm.config import TRANSFER
from callfsm.config_file import journal_values
from callfsm.server.bugs import BUG_LINE, contained
from callfsm.server.facts import caller_hash, facts_of
from callfsm.server.logs import CallLog
from callfsm.server.masks import is_ahead, is_handshake, require_masks
from callfsm.server.session import CallSession
from callfsm.server.shared import SERVER, Afterwards, Server
from callfsm.server.tokens import Ticket
from callfsm.server.twilio_reader import broken
from callfsm.speaking.clips import Clip
from callfsm.speaking.playback import Piece
from callfsm.states.base import State
from callfsm.wire import twilio
from callfsm.wire.malformed import MalformedError
from callfsm.wire.redaction import redaction_of

CLOSE_S: Final = 0.5
NO_GREETING: Final = Clip()
_TRANSITIONS: Final = version("transitions")
"""Read once: it stands in a file."""
MOST_BEFORE_START: Final = 50
"""Messages, pings included. Twilio sends one."""


async def media(request: web.Request) -> web.WebSocketResponse:
    """Carry one call over its media socket."""
    server = request.app[SERVER]
    if server.doorkeeper and not server.doorkeeper.admits_socket(request.raw_path, request.headers):
        server.refused("socket_signature", request.path)
        raise web.HTTPForbidden
    socket = await _opened(server, request)
    server.unstarted.add(socket)
    try:
        start = await _start_of(server, socket)
    finally:
        server.unstarted.discard(socket)
    if isinstance(start, str):
        server.refused(start, request.path)
    else:
        ticket = _ticket_of(server, start)
        refusal = _refusal(server, start, ticket)
        if ticket is None or refusal is not None:
            server.refused(refusal or "token", request.path)
        else:
            await _carry(server, request, socket, start, ticket)
            return socket
    # A socket on which the protocol was broken is closed already, with the code that says so.
    await socket.close(code=aiohttp.WSCloseCode.POLICY_VIOLATION, drain=False)
    return socket


async def _opened(server: Server, request: web.Request) -> web.WebSocketResponse:
    """Answer the handshake; 400 where it is none, or where frames have come without waiting for the answer."""
    if not is_handshake(request.protocol):
        raise _last(web.HTTPBadRequest(text="no_handshake"))
    if is_ahead(request.protocol):
        server.refused("broken_protocol", request.path)
        raise _last(web.HTTPBadRequest(text="broken_protocol"))
    require_masks(request.transport)
    # aiohttp refuses a message of just its limit, too; and it answers a flood of pings without letting others run.
    limit = server.config.limits.twilio_message_bytes + 1
    socket = web.WebSocketResponse(timeout=CLOSE_S, compress=False, autoping=False, max_msg_size=limit)
    try:
        await socket.prepare(request)
    except web.HTTPBadRequest as refusal:
        raise _last(refusal) from None
    return socket


def _last(refusal: web.HTTPBadRequest) -> web.HTTPBadRequest:
    """Return an answer that ends its connection: what else comes on it is no HTTP, or would not be read as such."""
    refusal.force_close()
    return refusal


async def _start_of(server: Server, socket: web.WebSocketResponse) -> twilio.Start | str:
    """Return the stream's start, or why there is none: it does not come in time, or what comes is no stream."""
    try:
        async with asyncio.timeout(server.config.limits.start_s):
            for _ in range(MOST_BEFORE_START):
                message = await socket.receive()
                if message.type is aiohttp.WSMsgType.PING:
                    await socket.pong(message.data)
                elif message.type in {aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY}:
                    if start := _as_start(server, message.data):
                        return start
                elif message.type is not aiohttp.WSMsgType.PONG:
                    return broken(message) or "no_start"
    except (TimeoutError, ConnectionError):
        return "no_start"
    return "much_before_start"


def _as_start(server: Server, data: str | bytes) -> twilio.Start | None:
    """Return the message where it is a start; count any other that has no place before it."""
    try:
        message = twilio.decode(data) if isinstance(data, str) else None
    except MalformedError:
        message = None
    if isinstance(message, twilio.Start):
        return message
    if not isinstance(message, twilio.Connected):
        server.metrics.malformed.labels("twilio").inc()
    return None


def _ticket_of(server: Server, start: twilio.Start) -> Ticket | None:
    """Return what the stream's token stands for; None where it may not come in."""
    body = start.start
    ticket = server.tokens.redeem(body.custom_parameters.get("token", ""), body.call_sid, body.account_sid)
    if ticket is None and server.doorkeeper is None:
        return Ticket(body.call_sid, body.account_sid, server.config.business_of("*"), "", 0.0, 0.0)
    return ticket


def _refusal(server: Server, start: twilio.Start, ticket: Ticket | None) -> str | None:
    """Return why a stream is not served, None where it is."""
    if ticket is None:
        return "token"
    if not start.start.call_sid:
        return "no_call_sid"
    if start.start.call_sid in server.calls:
        return "second_stream"
    if not start.start.media_format.is_mulaw:
        return "media_format"
    if len(server.calls) >= server.config.max_calls:
        server.owe(start.start.call_sid, Afterwards(clip="busy"))
        return "max_calls"
    return None


async def _carry(
    server: Server, request: web.Request, socket: web.WebSocketResponse, start: twilio.Start, ticket: Ticket
) -> None:
    config, business, call_sid = server.config, ticket.business, start.start.call_sid
    log = CallLog(call_sid, None)
    journal: Journal | None = None
    call: Call | None = None
    session: CallSession | None = None

    def failed() -> None:
        if journal is not None:
            journal.note(ERROR, BUG_LINE)
        if session is not None:
            session.fail()

    try:
        with contained(log, failed):
            now = datetime.now(UTC)
            greeting = server.greetings.get(business.number, NO_GREETING).piece
            journal = _journal(server, start, ticket, now, greeting)
            facts = facts_of(business, ticket.caller, now)
            call = Call.begin(config, business, facts, greeting.audio, greeting.levels_rms, clips=server.spoken_clips)
            address = server.realtime_address(business, call.briefing)
            session = CallSession(
                call, start, journal, server.metrics, breaker=server.breaker, detector=server.detector
            )
            server.calls[call_sid] = session
            server.metrics.active_calls.set(len(server.calls))
            await session.run(socket, server.http, address)
    finally:
        reason = session.reason if session is not None else "internal_error"
        if journal is not None:
            # The session has done so, unless it met a bug before or in its end.
            state = State.CALIBRATING if call is None else call.state
            journal.end({"reason": reason, "state": state.name, "counts": {}})
        await _leave(server, request, socket, ticket, reason)


async def _leave(
    server: Server, request: web.Request, socket: web.WebSocketResponse, ticket: Ticket, reason: str
) -> None:
    """Close the socket, where the session has not, and note what follows the call."""
    try:
        await socket.close(drain=False)
        if socket.close_code == aiohttp.WSCloseCode.ABNORMAL_CLOSURE and request.transport is not None:
            # The other side does not answer: what it has not read would keep the connection.
            request.transport.abort()
    finally:
        if reason == TRANSFER:
            server.owe(ticket.call_sid, Afterwards(number=ticket.business.transfer_number))
        await server.call_ended(ticket.call_sid, reason)


def _journal(server: Server, start: twilio.Start, ticket: Ticket, now: datetime, greeting: Piece) -> Journal | None:
    if server.journals is None:
        return None
    redaction = redaction_of(server.config.privacy.redact)
    shown = redaction.for_journal if redaction else None
    journal = server.journals.open(f"{now:%Y%m%dT%H%M%S.%fZ}", start.start.call_sid, shown)
    journal.begin(
        {
            "callfsm": __version__,
            "transitions": _TRANSITIONS,
            "python": platform.python_version(),
            "started": now.isoformat(),
            "call_sid": start.start.call_sid,
            "stream_sid": start.stream_sid,
            "business": ticket.business.number,
            "greeting_clip_bytes": len(greeting.audio),
            "greeting_clip_levels_rms": greeting.levels_rms,
            "clips": {
                name: {"bytes": len(clip.piece.audio), "levels_rms": clip.piece.levels_rms, "words": clip.words}
                for name, clip in attrs.asdict(server.spoken_clips, recurse=False).items()
            },
            "config": journal_values(server.config),
            "caller": caller_hash(ticket.caller, server.environment.twilio_auth_token),
        }
    )
    return journal
