"""Twilio's webhooks: an incoming call, what follows its stream, and the clips that Twilio plays."""

import asyncio
from collections.abc import Mapping
from typing import Final

from aiohttp import web
from twilio.twiml.voice_response import Connect, VoiceResponse

from callfsm.server.security import SIGNATURE, socket_url
from callfsm.server.shared import SERVER, Afterwards

MEDIA_PATH: Final = "/twilio/media"
AFTER_PATH: Final = "/twilio/after"
FORM: Final = "application/x-www-form-urlencoded"


def _refuse(request: web.Request, reason: str, kind: type[web.HTTPException]) -> web.HTTPException:
    request.app[SERVER].refused(reason, request.path)
    return kind(text=reason)


async def _signed_form(request: web.Request) -> Mapping[str, str]:
    """Return the fields of a webhook's form; refuse what Twilio did not sign, and what is no form."""
    doorkeeper = request.app[SERVER].doorkeeper
    if doorkeeper and SIGNATURE not in request.headers:
        raise _refuse(request, "unsigned", web.HTTPForbidden)
    if request.content_type != FORM:
        raise _refuse(request, "no_form", web.HTTPBadRequest)
    try:
        async with asyncio.timeout(request.app[SERVER].config.limits.request_s):
            form = await request.post()
    except TimeoutError:
        raise _refuse(request, "slow_request", web.HTTPRequestTimeout) from None
    except (ValueError, LookupError, OSError, web.RequestPayloadError):
        raise _refuse(request, "broken_form", web.HTTPBadRequest) from None
    if doorkeeper and not doorkeeper.admits_webhook(request.raw_path, request.headers, form):
        raise _refuse(request, "bad_signature", web.HTTPForbidden)
    ours = request.app[SERVER].environment.twilio_account_sid
    if doorkeeper and ours and form.get("AccountSid") != ours:
        raise _refuse(request, "other_account", web.HTTPForbidden)
    return {name: value for name, value in form.items() if isinstance(value, str)}


def _base(request: web.Request) -> str:
    """Return our own address as Twilio knows it."""
    return (request.app[SERVER].config.public_url or f"http://{request.host}").rstrip("/")


def _twiml(answer: VoiceResponse) -> web.Response:
    return web.Response(text=str(answer), content_type="text/xml")


def _bring_to_an_end(request: web.Request, afterwards: Afterwards) -> web.Response:
    answer = VoiceResponse()
    if afterwards.clip:
        request.app[SERVER].stay()
        answer.play(f"{_base(request)}/clips/{afterwards.clip}")
    if afterwards.number:
        answer.dial(afterwards.number)
    answer.hangup()
    return _twiml(answer)


async def voice(request: web.Request) -> web.Response:
    """Answer an incoming call: connect it to the media socket, with a token that stands for the business called.

    Without room for it the caller hears that all lines are busy.
    """
    server = request.app[SERVER]
    form = await _signed_form(request)
    if not form.get("CallSid"):
        raise _refuse(request, "no_call_sid", web.HTTPBadRequest)
    if not server.has_room:
        server.refused("draining" if server.is_draining else "max_calls", request.path)
        return _bring_to_an_end(request, Afterwards(clip="busy"))
    if server.breaker.is_open:
        server.refused("openai_down", request.path)
        return _bring_to_an_end(request, Afterwards(clip="apology"))
    business = server.config.business_of(form.get("To", ""))
    token = server.tokens.issue(form["CallSid"], form.get("AccountSid", ""), business, form.get("From", ""))
    connect = Connect(action=_base(request) + AFTER_PATH)
    connect.stream(url=socket_url(_base(request), MEDIA_PATH)).parameter(name="token", value=token)
    answer = VoiceResponse()
    answer.append(connect)
    return _twiml(answer)


async def after(request: web.Request) -> web.Response:
    """Answer what follows the stream: hang up, after an apology where it failed, or connect another number."""
    form = await _signed_form(request)
    return _bring_to_an_end(request, request.app[SERVER].afterwards(form.get("CallSid", "")))


async def clip(request: web.Request) -> web.Response:
    """Serve a clip to Twilio. What callers may hear is no secret."""
    data = request.app[SERVER].clips.get(request.match_info["name"])
    if data is None:
        raise web.HTTPNotFound
    return web.Response(body=data, content_type="audio/wav")
