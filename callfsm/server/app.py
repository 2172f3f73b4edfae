"""The routes: Twilio's webhooks, the media socket, and the health of the process."""

import asyncio
import platform
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

import aiohttp
from aiohttp import web
from attrs import define, field
from twilio.twiml.voice_response import Connect, VoiceResponse

from callfsm import __version__
from callfsm.audit.journal import Journal, JournalWriter
from callfsm.config import Business, Config, config_values
from callfsm.environment import Environment
from callfsm.server.link import RealtimeAddress
from callfsm.server.security import SIGNATURE, Doorkeeper, socket_url
from callfsm.server.session import CallSession
from callfsm.server.tokens import Tokens
from callfsm.wire import twilio
from callfsm.wire.malformed import MalformedError
from callfsm.wire.realtime_out import session_update

START_S: Final = 5.0
CLOSE_S: Final = 0.5
SHUTDOWN_S: Final = 1.0
MAX_MESSAGE_BYTES: Final = 64 * 2**10
MEDIA_PATH: Final = "/twilio/media"


@define(eq=False)
class Server:
    """What the handlers share."""

    config: Config
    environment: Environment
    doorkeeper: Doorkeeper | None
    """None: no signature and no token is asked for (`--insecure`)."""
    tokens: Tokens
    http: aiohttp.ClientSession
    journals: JournalWriter | None
    calls: dict[str, CallSession] = field(factory=dict)
    """The live calls by CallSid."""
    ended: asyncio.Condition = field(factory=asyncio.Condition)


SERVER: Final = web.AppKey("server", Server)


async def _signed_form(request: web.Request) -> Mapping[str, str]:
    """Return the fields of a webhook's form; refuse what Twilio did not sign, and what is no form."""
    server = request.app[SERVER]
    if server.doorkeeper and SIGNATURE not in request.headers:
        raise web.HTTPForbidden
    if request.content_type != "application/x-www-form-urlencoded":
        raise web.HTTPBadRequest(text="a form is expected")
    try:
        form = await request.post()
    except (ValueError, LookupError):
        raise web.HTTPBadRequest(text="the form cannot be read") from None
    if server.doorkeeper and not server.doorkeeper.admits_webhook(request.raw_path, request.headers, form):
        raise web.HTTPForbidden
    return {name: value for name, value in form.items() if isinstance(value, str)}


async def voice(request: web.Request) -> web.Response:
    """Answer an incoming call: connect it to the media socket, with a token that stands for the business called."""
    server = request.app[SERVER]
    form = await _signed_form(request)
    if not form.get("CallSid"):
        raise web.HTTPBadRequest(text="CallSid is missing")
    business = server.config.business_of(form.get("To", ""))
    token = server.tokens.issue(form["CallSid"], form.get("AccountSid", ""), business)
    base = server.config.public_url or f"http://{request.host}"
    connect = Connect(action=f"{base.rstrip('/')}/twilio/after")
    connect.stream(url=socket_url(base, MEDIA_PATH)).parameter(name="token", value=token)
    answer = VoiceResponse()
    answer.append(connect)
    return web.Response(text=str(answer), content_type="text/xml")


async def after(request: web.Request) -> web.Response:
    """Answer what follows the stream: hang up."""
    await _signed_form(request)
    answer = VoiceResponse()
    answer.hangup()
    return web.Response(text=str(answer), content_type="text/xml")


async def live(_request: web.Request) -> web.Response:
    """Say that the process serves."""
    return web.Response(text="ok\n")


async def media(request: web.Request) -> web.WebSocketResponse:
    """Carry one call over its media socket."""
    server = request.app[SERVER]
    if server.doorkeeper and not server.doorkeeper.admits_socket(request.raw_path, request.headers):
        raise web.HTTPForbidden
    socket = web.WebSocketResponse(timeout=CLOSE_S, compress=False, max_msg_size=MAX_MESSAGE_BYTES)
    await socket.prepare(request)
    start = await _start_of(socket)
    business = _business_of(server, start) if start else None
    if start is None or business is None or not _is_servable(server, start.start):
        await socket.close(code=aiohttp.WSCloseCode.POLICY_VIOLATION)
        return socket
    try:
        await _carry(server, socket, start, business)
    finally:
        if socket.close_code == aiohttp.WSCloseCode.ABNORMAL_CLOSURE and request.transport is not None:
            # The other side does not answer: what it has not read would keep the connection.
            request.transport.abort()
    return socket


async def _start_of(socket: web.WebSocketResponse) -> twilio.Start | None:
    """Return the stream's start; None where it does not come in time or what comes is no stream."""
    try:
        async with asyncio.timeout(START_S):
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT and (start := _as_start(message.data)):
                    return start
    except TimeoutError:
        pass
    return None


def _as_start(text: str) -> twilio.Start | None:
    try:
        message = twilio.decode(text)
    except MalformedError:
        return None
    return message if isinstance(message, twilio.Start) else None


def _is_servable(server: Server, start: twilio.StartBody) -> bool:
    """Say whether a stream has a call of its own and carries what we understand."""
    return bool(start.call_sid) and start.call_sid not in server.calls and start.media_format.is_mulaw


def _business_of(server: Server, start: twilio.Start) -> Business | None:
    """Return the business that the stream's token stands for; None where it may not come in."""
    token = start.start.custom_parameters.get("token", "")
    business = server.tokens.redeem(token, start.start.call_sid, start.start.account_sid)
    return business or (None if server.doorkeeper else server.config.business_of("*"))


async def _carry(server: Server, socket: web.WebSocketResponse, start: twilio.Start, business: Business) -> None:
    config = server.config
    address = RealtimeAddress(
        url=server.environment.realtime_url,
        model=config.realtime.model,
        api_key=server.environment.openai_api_key,
        session_update=session_update(config.realtime, business),
    )
    session = CallSession(config, business, start, _journal(server, start, business))
    call_sid = start.start.call_sid
    server.calls[call_sid] = session
    try:
        await session.run(socket, server.http, address)
    finally:
        del server.calls[call_sid]
        async with server.ended:
            server.ended.notify_all()


def _journal(server: Server, start: twilio.Start, business: Business) -> Journal | None:
    if server.journals is None:
        return None
    now = datetime.now(UTC)
    journal = server.journals.open(f"{now:%Y%m%dT%H%M%S.%fZ}", start.start.call_sid)
    journal.begin(
        {
            "callfsm": __version__,
            "transitions": version("transitions"),
            "python": platform.python_version(),
            "started": now.isoformat(),
            "call_sid": start.start.call_sid,
            "stream_sid": start.stream_sid,
            "business": business.number,
            "config": config_values(server.config),
        }
    )
    return journal


async def _end_calls(app: web.Application) -> None:
    """End the live calls before aiohttp stops reading their sockets."""
    server = app[SERVER]
    for session in server.calls.values():
        session.end("shutdown")
    try:
        async with asyncio.timeout(SHUTDOWN_S), server.ended:
            await server.ended.wait_for(lambda: not server.calls)
    except TimeoutError:
        pass


def build_app(
    config: Config, environment: Environment, *, journal_dir: Path | None = None, is_insecure: bool = False
) -> web.Application:
    """Return the public application. Insecure: no signatures, no tokens; for loopback alone."""
    app = web.Application(client_max_size=MAX_MESSAGE_BYTES)

    async def services(app: web.Application) -> AsyncIterator[None]:
        journals = JournalWriter(journal_dir) if journal_dir else None
        doorkeeper = None if is_insecure else Doorkeeper(environment.twilio_auth_token, config.public_url)
        tokens = Tokens(asyncio.get_running_loop().time)
        async with aiohttp.ClientSession() as http:
            app[SERVER] = Server(config, environment, doorkeeper, tokens, http, journals)
            yield
        if journals:
            await asyncio.to_thread(journals.close)

    app.cleanup_ctx.append(services)
    app.on_shutdown.append(_end_calls)
    app.router.add_post("/twilio/voice", voice)
    app.router.add_post("/twilio/after", after)
    app.router.add_get(MEDIA_PATH, media)
    _add_health(app)
    return app


def build_admin_app() -> web.Application:
    """Return the operator's application."""
    app = web.Application()
    _add_health(app)
    return app


def _add_health(app: web.Application) -> None:
    app.router.add_get("/livez", live)
    app.router.add_get("/readyz", live)
