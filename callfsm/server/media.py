"""The media socket: who may come in, and the call that it then carries."""

import asyncio
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Final

import aiohttp
from aiohttp import web

from callfsm import __version__
from callfsm.audit.journal import Journal
from callfsm.call import Call
from callfsm.config import TRANSFER
from callfsm.config_file import config_values
from callfsm.hearing.mulaw import levels_rms
from callfsm.server.facts import facts_of
from callfsm.server.link import RealtimeAddress
from callfsm.server.session import CallSession
from callfsm.server.shared import SERVER, Afterwards, Server
from callfsm.server.tokens import Ticket
from callfsm.server.webhooks import MEDIA_PATH
from callfsm.wire import twilio
from callfsm.wire.malformed import MalformedError
from callfsm.wire.realtime_out import session_update

CLOSE_S: Final = 0.5


async def media(request: web.Request) -> web.WebSocketResponse:
    """Carry one call over its media socket."""
    server = request.app[SERVER]
    if server.doorkeeper and not server.doorkeeper.admits_socket(request.raw_path, request.headers):
        server.refused("socket_signature", request.path)
        raise web.HTTPForbidden
    limit = server.config.limits.twilio_message_bytes
    socket = web.WebSocketResponse(timeout=CLOSE_S, compress=False, max_msg_size=limit)
    await socket.prepare(request)
    server.unstarted.add(socket)
    try:
        start = await _start_of(server, socket)
    finally:
        server.unstarted.discard(socket)
    if start is not None:
        ticket = _ticket_of(server, start)
        refusal = _refusal(server, start, ticket)
        if ticket is None or refusal is not None:
            server.refused(refusal or "token", request.path)
        else:
            await _carry(server, request, socket, start, ticket)
            return socket
    await socket.close(code=aiohttp.WSCloseCode.POLICY_VIOLATION, drain=False)
    return socket


async def _start_of(server: Server, socket: web.WebSocketResponse) -> twilio.Start | None:
    """Return the stream's start; None where it does not come in time or what comes is no stream."""
    try:
        async with asyncio.timeout(server.config.limits.start_s):
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT and (start := _as_start(server, message.data)):
                    return start
    except TimeoutError:
        pass
    server.refused("no_start", MEDIA_PATH)
    return None


def _as_start(server: Server, text: str) -> twilio.Start | None:
    try:
        message = twilio.decode(text)
    except MalformedError:
        server.metrics.malformed.labels("twilio").inc()
        return None
    return message if isinstance(message, twilio.Start) else None


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
    now = datetime.now(UTC)
    clip = server.greetings.get(business.number, b"")
    call = Call.begin(config, business, facts_of(business, ticket.caller, now), clip, levels_rms(clip))
    address = RealtimeAddress(
        url=server.environment.realtime_url,
        model=config.realtime.model,
        api_key=server.environment.openai_api_key,
        session_update=session_update(config.realtime, business, call.briefing),
    )
    journal = _journal(server, start, ticket, call, now)
    session = CallSession(call, start, journal, server.metrics, detector=server.detector)
    server.calls[call_sid] = session
    server.metrics.active_calls.set(len(server.calls))
    try:
        await session.run(socket, server.http, address)
    finally:
        if socket.close_code == aiohttp.WSCloseCode.ABNORMAL_CLOSURE and request.transport is not None:
            # The other side does not answer: what it has not read would keep the connection.
            request.transport.abort()
        if session.reason == TRANSFER:
            server.owe(call_sid, Afterwards(number=business.transfer_number))
        await server.call_ended(call_sid, session.reason)


def _journal(server: Server, start: twilio.Start, ticket: Ticket, call: Call, now: datetime) -> Journal | None:
    if server.journals is None:
        return None
    journal = server.journals.open(f"{now:%Y%m%dT%H%M%S.%fZ}", start.start.call_sid)
    journal.begin(
        {
            "callfsm": __version__,
            "transitions": version("transitions"),
            "python": platform.python_version(),
            "started": now.isoformat(),
            "call_sid": start.start.call_sid,
            "stream_sid": start.stream_sid,
            "business": ticket.business.number,
            "greeting_clip_bytes": len(call.greeting_clip),
            "greeting_clip_levels_rms": call.greeting_levels_rms,
            "config": config_values(server.config),
        }
    )
    return journal
