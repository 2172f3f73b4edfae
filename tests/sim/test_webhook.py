"""Calls that begin at the webhook: rung, signed, and connected where the TwiML says."""

import pytest
from twilio.request_validator import RequestValidator

from callfsm.sim.caller import place_call
from callfsm.sim.webhook import Details, NotConnectedError, Signer
from tests.sim.media_server import MediaServer

SPEED = 20.0
DETAILS = Details(caller="anonymous", called="+97239999999", account_sid="AC1", call_sid="CA1")


async def test_a_webhook_is_rung_and_its_stream_connected(server: MediaServer) -> None:
    server.twiml = """<Response><Connect action="/after"><Stream url="/twilio/media">
        <Parameter name="token" value="once"/></Stream></Connect></Response>"""

    async with place_call(f"{server.base}/twilio/voice", details=DETAILS, speed=SPEED):
        start = await server.next("start")

    assert start["start"]["customParameters"] == {"token": "once"}
    assert server.webhooks[0][1] == {
        "CallSid": "CA1",
        "AccountSid": "AC1",
        "From": "anonymous",
        "To": "+97239999999",
        "CallStatus": "ringing",
        "ApiVersion": "2010-04-01",
        "Direction": "inbound",
    }


async def test_webhook_and_handshake_are_signed_as_the_server_knows_them(server: MediaServer) -> None:
    public = "https://calls.example.org"
    server.twiml = '<Response><Connect><Stream url="wss://calls.example.org/twilio/media"/></Connect></Response>'
    signer = Signer(auth_token="secret", public_url=public)

    async with place_call(f"{server.base}/twilio/voice?a=%D7%90", signer=signer, speed=SPEED):
        await server.next("start")

    validator = RequestValidator("secret")
    (webhook, form), (handshake,) = server.webhooks[0], server.handshakes
    assert validator.validate(public + webhook.raw_path, form, webhook.headers["X-Twilio-Signature"])
    signature = handshake.headers["X-Twilio-Signature"]
    assert validator.validate("wss://calls.example.org/twilio/media", {}, signature)


@pytest.mark.parametrize(
    ("status", "twiml", "reason"),
    [
        (403, "no", "answered 403: no"),
        (200, "<Response><Reject/></Response>", "but Reject"),
        (200, "<Response/>", "but nothing"),
        (200, "sorry", "no XML"),
    ],
)
async def test_a_call_that_is_not_connected(server: MediaServer, status: int, twiml: str, reason: str) -> None:
    server.status, server.twiml = status, twiml

    with pytest.raises(NotConnectedError, match=reason):
        async with place_call(f"{server.base}/twilio/voice"):
            pass
