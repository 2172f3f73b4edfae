"""The doors: who may come in, what is said to those who may not, what is measured, and how the last call ends."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from attrs import evolve
from twilio.request_validator import RequestValidator

from callfsm.config import Business, ClipsConfig, Config, LimitsConfig
from callfsm.config_checks import ConfigError
from callfsm.environment import Environment
from callfsm.hearing.wav import write_wav
from callfsm.server.shared import make_server
from tests.server.by_hand import LOUD, QUIET, Hands, Twilio, by_hand
from tests.server.test_session import GRACELESS, answered, last_line

SIGNED = Environment("sk-secret", twilio_auth_token="shhh")
PUBLIC = Config(public_url="https://calls.example.org")
FORM = {
    "CallSid": "CA1",
    "AccountSid": "AC1",
    "To": "+9723",
    "From": "+972501234567",
    "CallerName": "",
    "City": "חיפה",
}


def signature(path: str, form: dict[str, str] | None = None, token: str = "shhh") -> dict[str, str]:
    scheme = "wss" if form is None else "https"
    return signed(f"{scheme}://calls.example.org{path}", form or {}, token)


def signed(url: str, form: dict[str, str], token: str = "shhh") -> dict[str, str]:
    return {"X-Twilio-Signature": RequestValidator(token).compute_signature(url, form)}


async def post(
    hands: Hands, path: str, form: dict[str, str], headers: dict[str, str] | None = None
) -> tuple[int, str]:
    async with hands.http.post(f"http{hands.base}{path}", data=form, headers=headers) as answer:
        return answer.status, await answer.text()


async def token(hands: Hands, form: dict[str, str]) -> str:
    status, twiml = await post(hands, "/twilio/voice", form, signature("/twilio/voice", form))
    assert status == 200
    assert 'url="wss://calls.example.org/twilio/media"' in twiml
    return twiml.split('name="token" value="')[1].split('"')[0]


def metric(hands: Hands, name: str, **labels: str) -> float | None:
    return hands.server.metrics.registry.get_sample_value(name, labels)


async def test_signed_call_comes_in_and_the_assistant_knows_who_calls() -> None:
    async with by_hand(PUBLIC, SIGNED) as hands:
        key = await token(hands, FORM)
        twilio = await hands.connect(signature("/twilio/media"))
        await twilio.starts("CA1", token=key)
        update = await (await hands.api()).until("session.update")

    instructions = update["session"]["instructions"]
    assert "מספר הטלפון של המתקשר: +972501234567" in instructions
    assert "היום: יום " in instructions
    assert instructions.endswith("תמיד בעברית.")


FORWARDED = {
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "http",
    "Forwarded": "host=evil.example;proto=http",
    "X-Original-URL": "/twilio/after",
}
WRONG = [
    ("unsigned", "/twilio/voice", FORM, {}, 403, "unsigned"),
    ("forged", "/twilio/voice", FORM, {"X-Twilio-Signature": "forged"}, 403, "bad_signature"),
    ("another's key", "/twilio/voice", FORM, signature("/twilio/voice", FORM, "other"), 403, "bad_signature"),
    ("another form", "/twilio/voice", {**FORM, "To": "+1"}, signature("/twilio/voice", FORM), 403, "bad_signature"),
    ("another path", "/twilio/after", FORM, signature("/twilio/voice", FORM), 403, "bad_signature"),
    ("another query", "/twilio/voice?to=1", FORM, signature("/twilio/voice", FORM), 403, "bad_signature"),
    ("no query", "/twilio/voice", FORM, signature("/twilio/voice?to=1", FORM), 403, "bad_signature"),
    ("an empty signature", "/twilio/voice", FORM, {"X-Twilio-Signature": ""}, 403, "bad_signature"),
    ("one field less", "/twilio/voice", {"CallSid": "CA1"}, signature("/twilio/voice", FORM), 403, "bad_signature"),
    ("no field", "/twilio/voice", FORM, signature("/twilio/voice", {}), 403, "bad_signature"),
    ("a socket's", "/twilio/voice", FORM, signed("wss://calls.example.org/twilio/voice", FORM), 403, "bad_signature"),
    ("a forwarded host", "/twilio/voice", FORM, {"X-Forwarded-Host": "x"}, 403, "unsigned"),
    (
        "signed for the forwarded host",
        "/twilio/voice",
        FORM,
        {**FORWARDED, **signed("http://evil.example/twilio/voice", FORM)},
        403,
        "bad_signature",
    ),
    ("no call", "/twilio/voice", {"To": "1"}, signature("/twilio/voice", {"To": "1"}), 400, "no_call_sid"),
]


@pytest.mark.parametrize(
    ("path", "form", "headers", "status", "reason"), [pytest.param(*c[1:], id=c[0]) for c in WRONG]
)
async def test_webhook_refuses(
    path: str, form: dict[str, str], headers: dict[str, str], status: int, reason: str
) -> None:
    async with by_hand(PUBLIC, SIGNED) as hands:
        assert (await post(hands, path, form, headers))[0] == status
        assert metric(hands, "callfsm_rejected_total", reason=reason) == 1


@pytest.mark.parametrize(("ours", "status"), [("AC1", 200), ("AC2", 403)])
async def test_webhook_of_another_account_is_refused(ours: str, status: int) -> None:
    async with by_hand(PUBLIC, evolve(SIGNED, twilio_account_sid=ours)) as hands:
        answer = await post(hands, "/twilio/voice", FORM, signature("/twilio/voice", FORM))

        assert answer[0] == status
        assert metric(hands, "callfsm_rejected_total", reason="other_account") == {200: None, 403: 1}[status]


async def test_forwarded_headers_change_nothing() -> None:
    async with by_hand(PUBLIC, SIGNED) as hands:
        headers = {**FORWARDED, **signature("/twilio/voice?to=1", FORM)}
        status, twiml = await post(hands, "/twilio/voice?to=1", FORM, headers)

    assert status == 200
    assert 'action="https://calls.example.org/twilio/after"' in twiml
    assert 'url="wss://calls.example.org/twilio/media"' in twiml
    assert "evil" not in twiml


async def test_what_is_no_form_is_a_bad_request() -> None:
    async with by_hand(PUBLIC, SIGNED) as hands:
        headers = {"Content-Type": "application/json", **signature("/twilio/voice", {})}
        async with hands.http.post(f"http{hands.base}/twilio/voice", data=b"{}", headers=headers) as answer:
            status = answer.status

        assert status == 400
        assert metric(hands, "callfsm_rejected_total", reason="no_form") == 1


async def test_handshake_refuses_before_anything_is_opened() -> None:
    async with by_hand(PUBLIC, SIGNED) as hands:
        key = await token(hands, FORM)
        strangers: list[dict[str, str]] = [
            {},
            {"X-Twilio-Signature": ""},
            {"X-Twilio-Signature": "forged"},
            signature("/twilio/media/"),
            signature("/twilio/media?x=1"),
            signature("/twilio/media", {}),
            {**FORWARDED, **signed("ws://evil.example/twilio/media", {})},
        ]
        for headers in strangers:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await hands.connect(headers)
            assert refused.value.status == 403
        assert metric(hands, "callfsm_rejected_total", reason="socket_signature") == len(strangers)
        assert len(hands.server.tokens._tickets) == 1
        assert key in hands.server.tokens._tickets


STARTS: list[tuple[str, dict[str, Any]]] = [
    ("no token", {}),
    ("unknown token", {"token": "x" * 43}),
    ("another call's", {"call_sid": "CA2", "token": ...}),
    ("no call's", {"call_sid": "", "token": ...}),
]


@pytest.mark.parametrize("start", [pytest.param(c[1], id=c[0]) for c in STARTS])
async def test_stream_without_its_own_token_is_closed(start: dict[str, Any]) -> None:
    async with by_hand(PUBLIC, SIGNED) as hands:
        key = await token(hands, FORM)
        twilio = await hands.connect(signature("/twilio/media"))
        await twilio.starts(**{name: key if value is ... else value for name, value in start.items()})

        assert await twilio.next() == {"event": "closed", "code": aiohttp.WSCloseCode.POLICY_VIOLATION}
        assert metric(hands, "callfsm_rejected_total", reason="token") == 1
        assert hands._apis.empty()


async def test_token_used_twenty_at_once_opens_one_stream() -> None:
    async with by_hand(PUBLIC, SIGNED) as hands:
        key = await token(hands, FORM)
        lines = [await hands.connect(signature("/twilio/media")) for _ in range(20)]
        await asyncio.gather(*(line.starts("CA1", token=key) for line in lines))
        await (await hands.api()).until("session.update")

        assert len(hands.server.calls) == 1
        assert metric(hands, "callfsm_rejected_total", reason="token") == 19
        assert hands._apis.empty()


async def test_replayed_token_is_refused_when_its_call_is_over() -> None:
    async with by_hand(PUBLIC, SIGNED) as hands:
        key = await token(hands, FORM)
        first, second = [await hands.connect(signature("/twilio/media")) for _ in range(2)]
        await first.starts("CA1", token=key)
        await first.send({"event": "stop"})
        await first.until("closed")
        await hands.server.wait_for_the_last_call()
        await second.starts("CA1", token=key)

        assert await second.next() == {"event": "closed", "code": aiohttp.WSCloseCode.POLICY_VIOLATION}
        assert metric(hands, "callfsm_rejected_total", reason="token") == 1


STREAMS: list[tuple[str, dict[str, Any], str]] = [
    ("no call", {"callSid": ""}, "no_call_sid"),
    ("a live call", {"callSid": "CA1"}, "second_stream"),
    ("A-law", {"callSid": "CA2", "mediaFormat": {"encoding": "audio/x-alaw"}}, "media_format"),
    ("no room", {"callSid": "CA2"}, "max_calls"),
]


@pytest.mark.parametrize(("start", "reason"), [pytest.param(*c[1:], id=c[0]) for c in STREAMS])
async def test_stream_that_is_refused_is_counted(start: dict[str, Any], reason: str) -> None:
    async with by_hand(Config(max_calls=1)) as hands:
        await answered(hands)
        twilio = await hands.connect()
        await twilio.send({"event": "start", "streamSid": "M", "start": start})
        await twilio.until("closed")

        assert metric(hands, "callfsm_rejected_total", reason=reason) == 1


async def test_old_token_is_refused() -> None:
    async with by_hand(evolve(PUBLIC, limits=LimitsConfig(token_s=0.1)), SIGNED) as hands:
        key = await token(hands, FORM)
        expires_at = hands.server.tokens._tickets[key].expires_at
        while hands.server.tokens._now() < expires_at:
            await asyncio.wait([asyncio.ensure_future(asyncio.Event().wait())], timeout=0.05)
        twilio = await hands.connect(signature("/twilio/media"))
        await twilio.starts("CA1", token=key)

        assert await twilio.next() == {"event": "closed", "code": aiohttp.WSCloseCode.POLICY_VIOLATION}


# What callers hear outside the conversation


async def test_failed_call_is_followed_by_an_apology_once() -> None:
    async with by_hand() as hands:
        twilio = await hands.call()
        api = await hands.api()
        update = await api.until("session.update")
        await api.send("error", error={"type": "x", "code": "invalid_value", "event_id": update["event_id"]})
        await twilio.until("closed")
        await hands.server.wait_for_the_last_call()
        _, first = await post(hands, "/twilio/after", {"CallSid": "CA1"})
        _, second = await post(hands, "/twilio/after", {"CallSid": "CA1"})

    assert f"<Play>http{hands.base}/clips/apology</Play><Hangup />" in first
    assert "<Play>" not in second


async def test_call_that_ended_well_is_followed_by_nothing() -> None:
    async with by_hand() as hands:
        twilio, _ = await answered(hands)
        await twilio.send({"event": "stop"})
        await twilio.until("closed")
        await hands.server.wait_for_the_last_call()

        assert "<Play>" not in (await post(hands, "/twilio/after", {"CallSid": "CA1"}))[1]


async def test_caller_without_a_place_hears_that_all_lines_are_busy() -> None:
    async with by_hand(Config(max_calls=1)) as hands:
        await answered(hands)
        status, twiml = await post(hands, "/twilio/voice", {**FORM, "CallSid": "CA2"})
        late = await hands.call("CA3")
        closed = await late.next()
        _, after = await post(hands, "/twilio/after", {"CallSid": "CA3"})

    assert status == 200
    assert "/clips/busy</Play><Hangup />" in twiml
    assert closed["event"] == "closed"
    assert "/clips/busy</Play>" in after


async def test_clips_are_served_and_can_be_replaced(tmp_path: Path) -> None:
    mine = tmp_path / "mine.wav"
    write_wav(mine, b"\x55" * 1600)
    async with by_hand(Config(clips=ClipsConfig(busy=str(mine)))) as hands:
        served = {}
        for name in ("busy", "apology", "secret", "..%2Fserver.py"):
            async with hands.http.get(f"http{hands.base}/clips/{name}") as answer:
                served[name] = (answer.status, answer.content_type, await answer.read())

    assert served["busy"] == (200, "audio/wav", mine.read_bytes())
    assert served["apology"][:2] == (200, "audio/wav")
    assert [served[name][0] for name in ("secret", "..%2Fserver.py")] == [404, 404]


@pytest.mark.parametrize("content", [None, b"OggS"])
def test_clip_that_cannot_be_played_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "mine.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as refused:
        make_server(Config(clips=ClipsConfig(apology=str(path))), SIGNED)

    assert refused.value.key == "clips.apology"


# Drain


async def drained(hands: Hands) -> None:
    hands.server.is_draining = True


async def test_draining_server_takes_no_new_call_and_keeps_the_live_one(tmp_path: Path) -> None:
    async with by_hand(GRACELESS, folder=tmp_path) as hands:
        twilio, api = await answered(hands)
        await drained(hands)
        async with hands.http.get(f"http{hands.base}/readyz") as answer:
            status = answer.status
        async with hands.http.get(f"http{hands.base}/livez") as answer:
            alive = answer.status
        _, twiml = await post(hands, "/twilio/voice", {**FORM, "CallSid": "CA2"})
        await api.speaks("r1", "a1", 4000)
        await twilio.until("media")
        await twilio.hears(LOUD)
        await twilio.until("clear")
        await twilio.send({"event": "stop"})
        await hands.server.wait_for_the_last_call()

        assert metric(hands, "callfsm_rejected_total", reason="draining") == 1

    assert (status, alive) == (503, 200)
    assert "/clips/busy</Play>" in twiml
    assert last_line(tmp_path)["end"]["reason"] == "hangup"


async def test_call_ended_by_shutdown_is_closed_as_going_away(tmp_path: Path) -> None:
    async with by_hand(folder=tmp_path) as hands:
        twilio, _ = await answered(hands)
        closing: asyncio.Task[list[dict[str, Any]]] = asyncio.create_task(twilio.until("closed"))

    assert (await closing)[-1]["code"] == aiohttp.WSCloseCode.GOING_AWAY


async def test_draining_server_waits_until_twilio_has_asked_what_follows() -> None:
    async with by_hand() as hands:
        twilio = await hands.call()
        await hands.api()
        next(iter(hands.server.calls.values())).end("no_media")
        await twilio.until("closed")
        await hands.server.wait_for_the_last_call()
        idle = asyncio.create_task(hands.server.wait_until_idle())
        await asyncio.wait([idle], timeout=0.2)
        was_idle = idle.done()
        hands.server._needed_until = 0.0
        await asyncio.wait_for(idle, 5)

    assert not was_idle


async def test_stream_that_has_not_started_is_closed_as_going_away() -> None:
    async with by_hand() as hands:
        twilio = await hands.connect()
        while not hands.server.unstarted:
            await asyncio.wait([asyncio.create_task(asyncio.Event().wait())], timeout=0.01)
        closing = asyncio.create_task(twilio.next())

    assert await closing == {"event": "closed", "code": aiohttp.WSCloseCode.GOING_AWAY}


# Metrics


async def test_call_is_measured() -> None:
    async with by_hand(GRACELESS) as hands:
        twilio, api = await answered(hands)
        await api.speaks("r1", "a1", 4000)
        await twilio.until("media")
        live = metric(hands, "callfsm_active_calls")
        await twilio.hears(LOUD)
        await twilio.until("clear")
        await api.send("error", error={"type": "x", "code": "made_up", "message": ""})
        await api.socket.send_str("{")
        await twilio.socket.send_str("{")
        await api.transcribes("nobody", "x")
        await api.ends("r1", "1", "cancelled")
        await twilio.hears(*[LOUD] * 4)
        await api.until("input_audio_buffer.append", 60)
        await twilio.send({"event": "stop"})
        await hands.server.wait_for_the_last_call()

        assert live == 1
        assert metric(hands, "callfsm_active_calls") == 0
        assert metric(hands, "callfsm_calls_total", end="hangup") == 1
        assert metric(hands, "callfsm_frames_total", gate="calibrating") == 74
        assert metric(hands, "callfsm_frames_total", gate="open") == 15 + 25 + 1 + 4
        assert metric(hands, "callfsm_frames_total", gate="closed") == 1 + 5
        assert metric(hands, "callfsm_barge_in_seconds_count") == 1
        assert metric(hands, "callfsm_reply_seconds_count") == 1
        assert metric(hands, "callfsm_request_seconds_count") == 1
        assert metric(hands, "callfsm_realtime_errors_total", code="other") == 1
        assert metric(hands, "callfsm_malformed_total", peer="twilio") == 1
        assert metric(hands, "callfsm_malformed_total", peer="realtime") == 1
        assert metric(hands, "callfsm_rejected_total", reason="stray_item") == 1
        moved = {"source": "AI_SPEAKING", "event": "RmsFrame", "dest": "CANCELLING"}
        assert metric(hands, "callfsm_transitions_total", **moved) == 1


async def test_business_of_the_called_number_greets_with_its_own_words() -> None:
    config = evolve(PUBLIC, business=(Business(), Business(number="+9723", name="מאפייה", enable_greeting=True)))
    async with by_hand(config, SIGNED) as hands:
        key = await token(hands, FORM)
        twilio: Twilio = await hands.connect(signature("/twilio/media"))
        await twilio.starts("CA1", token=key)
        update = await (await hands.api()).until("session.update")

    assert "שם העסק: מאפייה" in update["session"]["instructions"]


async def test_greeting_that_is_a_recording_is_played_word_for_word(tmp_path: Path) -> None:
    notice = bytes(range(256)) * 8
    write_wav(tmp_path / "notice.wav", notice)
    business = Business(enable_greeting=True, greeting="השיחה מוקלטת", greeting_clip=str(tmp_path / "notice.wav"))
    async with by_hand(Config(business=(business,))) as hands:
        twilio = await hands.call()
        api = await hands.api()
        await api.until("session.update")
        await api.ready()
        await twilio.hears(*[QUIET] * 75)
        messages = await twilio.until("mark")
        messages += await twilio.until("mark")
        await twilio.echoes(messages[-1]["mark"]["name"])
        told = await api.until("conversation.item.create")

    heard = b"".join(base64.b64decode(m["media"]["payload"]) for m in messages if m["event"] == "media")
    assert heard == notice.replace(b"\x7f", b"\xff")
    assert told["item"]["content"] == [{"type": "output_text", "text": "השיחה מוקלטת"}]
    assert "response.create" not in api.types()
