"""Who may come in: Twilio's signature on webhooks and on the media socket's handshake, and the operator's token."""

import hmac
import ipaddress
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from multidict import MultiMapping
from twilio.request_validator import RequestValidator

SIGNATURE = "X-Twilio-Signature"
_HOST: Final = re.compile(r"\[([^\[\]]*)\](?::[0-9]*)?|([^:\[\]]*)(?::[0-9]*)?")
"""An address in brackets or a name, and perhaps a port."""


class Doorkeeper:
    """Checks signatures over the URL that Twilio was given, which is built from `public_url` alone."""

    def __init__(self, auth_token: str, public_url: str) -> None:
        self._validator = RequestValidator(auth_token)
        self._public_url = public_url.rstrip("/")

    def admits_webhook(self, path: str, headers: Mapping[str, str], form: MultiMapping[Any]) -> bool:
        """Say whether Twilio signed this request; `path` carries its query as it came."""
        return self._admits(self._public_url + path, headers, form)

    def admits_socket(self, path: str, headers: Mapping[str, str]) -> bool:
        """Say whether Twilio signed this handshake, over the wss address of the TwiML."""
        return self._admits(socket_url(self._public_url, path), headers, {})

    def _admits(self, url: str, headers: Mapping[str, str], params: object) -> bool:
        signature = headers.get(SIGNATURE)
        try:
            return signature is not None and bool(self._validator.validate(url, params, signature))
        except ValueError:
            # Some charsets have text that cannot be written as UTF-8, which is what is signed.
            return False


def socket_url(base: str, path: str) -> str:
    """Return the WebSocket address of a path below an http or https address."""
    return "ws" + base.removeprefix("http").rstrip("/") + path


def is_own_origin(origin: str, host: str) -> bool:
    """Say whether an `Origin` is a page of this host, which carries its port where that is not the usual one."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    usual_port = {"https": ":443", "http": ":80"}.get(parts.scheme)
    if usual_port is None or not parts.netloc:
        return False
    return parts.netloc.lower().removesuffix(usual_port) == host.lower().removesuffix(usual_port)


def is_own_name(host: str, own: str) -> bool:
    """Say whether a `Host` is an address, `localhost` or `own`: no name that a stranger can lead to this machine."""
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    bracketed, name = match.groups()
    try:
        ipaddress.ip_address(name if bracketed is None else bracketed)
    except ValueError:
        return bracketed is None and name.lower() in {"localhost", own.lower()}
    return True


def bears(token: str, headers: Mapping[str, str]) -> bool:
    """Say whether a request bears this token."""
    scheme, _, given = headers.get("Authorization", "").partition(" ")
    is_bearer = scheme.lower() == "bearer"
    # A header may hold any bytes, which aiohttp keeps as surrogates.
    return hmac.compare_digest(given.strip().encode(errors="surrogateescape"), token.encode()) and is_bearer
