"""Twilio's side before the stream opens: the signed webhook, and where its TwiML sends the call."""

from collections.abc import Mapping
from typing import Final
from uuid import uuid4
from xml.etree import ElementTree as ET

import aiohttp
import attrs
from twilio.request_validator import RequestValidator
from yarl import URL

SIGNATURE: Final = "X-Twilio-Signature"
# Twilio gives a webhook 15 s in all (its error 11205).
_ANSWER_TIMEOUT: Final = aiohttp.ClientTimeout(total=15)
_WS_SCHEME: Final = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


class NotConnectedError(Exception):
    """The webhook did not connect the call to a stream; the message says what it answered."""


@attrs.frozen
class Details:
    """Who calls whom: Twilio's ids, and the two numbers in E.164 (or what the network gave instead)."""

    caller: str = "+972501234567"
    called: str = "+97231234567"
    account_sid: str = attrs.field(factory=lambda: f"AC{uuid4().hex}")
    call_sid: str = attrs.field(factory=lambda: f"CA{uuid4().hex}")

    def form(self) -> dict[str, str]:
        """Return the fields that Twilio posts for an incoming call."""
        return {
            "CallSid": self.call_sid,
            "AccountSid": self.account_sid,
            "From": self.caller,
            "To": self.called,
            "CallStatus": "ringing",
            "ApiVersion": "2010-04-01",
            "Direction": "inbound",
        }


@attrs.frozen
class Signer:
    """Signs requests as Twilio does.

    `public_url` is the origin that the server believes it has, where that is not the one we connect to.
    """

    auth_token: str | None = attrs.field(default=None, repr=False)
    public_url: str | None = None

    def headers(self, url: URL, form: Mapping[str, str]) -> dict[str, str]:
        """Return the signature header for a URL as the server knows it; none without an auth token."""
        if self.auth_token is None:
            return {}
        return {SIGNATURE: RequestValidator(self.auth_token).compute_signature(str(url), dict(form))}

    def public(self, url: URL) -> URL:
        """Return the URL as the server knows it."""
        return url if self.public_url is None else at_origin(url, URL(self.public_url))


@attrs.frozen
class Stream:
    """What a TwiML `<Stream>` says: its URL, and its parameters by name."""

    url: URL
    parameters: dict[str, str]


async def ring(session: aiohttp.ClientSession, url: URL, details: Details, signer: Signer) -> Stream:
    """Post the incoming call to the webhook at `url` and return the stream of its answer.

    Raises NotConnectedError where that is no TwiML with a `<Stream>`, aiohttp.ClientError where there is none.
    """
    form = details.form()
    public = signer.public(url)
    headers = signer.headers(public, form)
    async with session.post(url, data=form, headers=headers, timeout=_ANSWER_TIMEOUT) as answer:
        body = await answer.text()
    if answer.status != 200:
        raise NotConnectedError(f"the webhook answered {answer.status}: {body[:200]}")
    return _stream(body, public)


def at_origin(url: URL, origin: URL) -> URL:
    """Return `url` at the host and port of `origin`, and as secure: wss for https, ws for http."""
    scheme = "ws" if url.scheme in {"ws", "wss"} else "http"
    security = "s" if origin.scheme in {"https", "wss"} else ""
    return origin.with_path(url.path).with_query(url.query).with_scheme(scheme + security)


def _stream(twiml: str, base: URL) -> Stream:
    try:
        response = ET.fromstring(twiml)  # noqa: S314 - the answer of the server under test, on loopback
    except ET.ParseError as error:
        raise NotConnectedError(f"the webhook's TwiML is no XML: {error}") from None
    stream = response.find("./Connect/Stream")
    if stream is None:
        verbs = ", ".join(verb.tag for verb in response) or "nothing"
        raise NotConnectedError(f"the webhook's TwiML has no <Connect><Stream>, but {verbs}")
    parameters = {each.get("name", ""): each.get("value", "") for each in stream.findall("Parameter")}
    ws_base = base.with_scheme(_WS_SCHEME[base.scheme])
    return Stream(ws_base.join(URL(stream.get("url", ""))), parameters)
