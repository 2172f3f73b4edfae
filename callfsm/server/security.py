"""Who may come in: Twilio's signature on the webhooks and on the media socket's handshake."""

from collections.abc import Mapping
from typing import Any

from multidict import MultiMapping
from twilio.request_validator import RequestValidator

SIGNATURE = "X-Twilio-Signature"


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
        return signature is not None and bool(self._validator.validate(url, params, signature))


def socket_url(base: str, path: str) -> str:
    """Return the WebSocket address of a path below an http or https address."""
    return "ws" + base.removeprefix("http").rstrip("/") + path
