"""One session, both peers driven by hand: order, readiness, barge-in on the wire, bad input, the ways to end."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from callfsm.config import Business, Config, LimitsConfig, TurnConfig
from callfsm.environment import Environment
from tests.server.by_hand import CLICK, LOUD, PROOF, QUIET, Api, Hands, Twilio, by_hand

GRACELESS = Config(turn=TurnConfig(grace_ms=0))


async def answered(hands: Hands) -> tuple[Twilio, Api]:
    """A call in which a first reply, r1 of item a1, has been requested and has begun."""
    twilio = await hands.call()
    api = await hands.api()
    await api.until("session.update")
    await api.ready()
    await twilio.hears(*[QUIET] * 75)
    await twilio.asks()
    await api.until("input_audio_buffer.commit")
    await api.send("input_audio_buffer.committed", item_id="u1")
    await api.transcribes("u1", "מה שעות הפתיחה?")
    create = await api.until("response.create")
    await api.creates("r1", create["response"]["metadata"]["turn"])
    return twilio, api


async def test_first_message_sets_the_session_up() -> None:
    async with by_hand() as hands:
        await hands.call()
        api = await hands.api()
        first = await api.until("session.update")

    audio = first["session"]["audio"]
    assert audio["input"]["format"] == {"type": "audio/pcmu"}
    assert audio["output"]["format"] == {"type": "audio/pcmu"}
    assert audio["input"]["turn_detection"] is None
    assert audio["input"]["transcription"] == {"model": "gpt-transcribe"}
    assert first["session"]["instructions"].endswith("תמיד בעברית.")


async def test_nothing_goes_out_before_session_updated_and_then_all_in_order() -> None:
    async with by_hand() as hands:
        twilio = await hands.call()
        api = await hands.api()
        await twilio.hears(*[QUIET] * 75)
        await twilio.asks()
        await twilio.hears(*[LOUD] * 10)
        await api.send("session.created", session={})
        # The server echoes nothing to wait for; a second call's greeting of the API shows that the first was read.
        await hands.call("CA2")
        await hands.api()
        before = api.types()
        await api.ready()
        await api.until("input_audio_buffer.append", 15 + 15 + 25 + 5 + 10)
        types = api.types()

    assert before == ["session.update"]
    assert types[1:56] == ["input_audio_buffer.append"] * 55
    assert types[56] == "input_audio_buffer.commit"
    assert set(types[57:]) == {"input_audio_buffer.append"}


async def test_barge_in_clears_before_anything_and_cancels_by_id() -> None:
    async with by_hand(GRACELESS) as hands:
        twilio, api = await answered(hands)
        await api.speaks("r1", "a1", 4000)
        await twilio.until("media")
        await twilio.hears(LOUD)
        heard = await twilio.until("clear")
        cancel = await api.until("response.cancel")
        await api.until("input_audio_buffer.append", 60)
        await api.speaks("r1", "a1", 1000, value=0x11)
        await api.ends("r1", "1", "cancelled", "a1")
        await twilio.hears(*[LOUD] * 10, *[QUIET] * 30)
        await api.until("input_audio_buffer.commit", 2)
        await api.send("input_audio_buffer.committed", item_id="u2")
        await api.transcribes("u2", "עוד שאלה")
        await api.until("response.create", 2)
        await api.creates("r2", "2")
        await api.speaks("r2", "a2", 200, value=0x22)
        then = await twilio.until("media")

    assert cancel["response_id"] == "r1"
    assert [message["event"] for message in heard].count("clear") == 1
    assert [message["event"] for message in then] == ["media"]
    assert then[0]["media"]["payload"].startswith("IiIi")


async def test_reply_ends_with_its_last_mark_and_not_before() -> None:
    async with by_hand(GRACELESS) as hands:
        twilio, api = await answered(hands)
        await api.speaks("r1", "a1", 500)
        await api.ends("r1", "1", "completed", "a1")
        messages = [await twilio.next() for _ in range(6)]
        marks = [message["mark"]["name"] for message in messages if message["event"] == "mark"]
        await twilio.echoes(marks[0])
        await twilio.hears(*PROOF)
        await twilio.until("clear")
        truncate = await api.until("conversation.item.truncate")

    assert [message["event"] for message in messages] == ["media", "mark"] * 3
    assert len(set(marks)) == 3
    assert 200 <= truncate["audio_end_ms"] < 500


async def played(twilio: Twilio, last: bytes) -> bytes:
    """What the caller is sent next, up to this."""
    audio = b""
    while not audio.endswith(last):
        message = (await twilio.until("media"))[-1]
        audio += base64.b64decode(message["media"]["payload"])
    return audio


async def test_click_over_the_assistant_goes_on_a_little_before_the_place_where_it_stopped() -> None:
    """Each 200 ms of the reply are of one value, none of them a pause; 800 ms and hardly more have been heard."""
    last = bytes([0x59]) * 1600
    async with by_hand(GRACELESS) as hands:
        twilio, api = await answered(hands)
        for value in range(0x50, 0x5A):
            await api.speaks("r1", "a1", 200, value=value)
        await api.ends("r1", "1", "completed", "a1")
        whole = await played(twilio, last)
        for name in ("m1", "m2", "m3", "m4"):
            await twilio.echoes(name)
        await twilio.hears(CLICK, CLICK)
        before = await twilio.until("clear")
        cancel = await api.until("response.cancel")
        await api.send("error", error={"code": "response_cancel_not_active", "event_id": cancel["event_id"]})
        await twilio.hears(*[QUIET] * 48)
        again = await played(twilio, last)
        types = api.types()

    assert "media" not in [message["event"] for message in before]
    assert whole.endswith(again)
    assert 500 <= (len(whole) - len(again)) / 8 <= 700
    assert {"conversation.item.truncate", "conversation.item.delete"}.isdisjoint(types)
    assert types.count("response.create") == 1


async def test_unsolicited_audio_is_never_played() -> None:
    async with by_hand(GRACELESS) as hands:
        twilio, api = await answered(hands)
        await api.speaks("intruder", "x1", 1000, value=0x11)
        cancel = await api.until("response.cancel")
        await api.speaks("r1", "a1", 200, value=0x22)
        heard = await twilio.until("media")

    assert cancel["response_id"] == "intruder"
    assert heard[0]["media"]["payload"].startswith("IiIi")


BAD_TWILIO = [
    ("no json", "{", "twilio message: Input data was truncated"),
    ("no object", "[]", "twilio message: Expected `object`, got `array`"),
    ("no event", "{}", "twilio message: Object missing required field `event`"),
    ("unknown event", '{"event":"ring"}', "twilio message: unknown event"),
    ("media of a wrong type", '{"event":"media","media":7}', "twilio media: Expected `object`, got `int` - at `$.media`"),
    ("bad base64", '{"event":"media","media":{"payload":"*"}}', "twilio media: payload is not base64"),
    ("other track", '{"event":"media","media":{"track":"outbound","payload":""}}', "twilio media: not the caller's track"),
    ("mark without a name", '{"event":"mark","mark":{}}', "twilio mark: Object missing required field `name` - at `$.mark`"),
    ("second start", '{"event":"start","streamSid":"M","start":{"callSid":"C"}}', "twilio start: the stream has started already"),
    ("bytes", b"\x00\x01", "twilio message: not text"),
]  # fmt: skip


@pytest.mark.parametrize(("message", "place"), [pytest.param(*c[1:], id=c[0]) for c in BAD_TWILIO])
async def test_bad_message_of_twilio_is_counted_logged_once_and_harmless(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, message: str | bytes, place: str
) -> None:
    async with by_hand(folder=tmp_path) as hands:
        twilio = await hands.call()
        for _ in range(3):
            if isinstance(message, str):
                await twilio.socket.send_str(message)
            else:
                await twilio.socket.send_bytes(message)
        api = await hands.api()
        await api.until("session.update")
        await api.ready()
        await twilio.hears(*[QUIET] * 75)
        await twilio.asks()
        await api.until("input_audio_buffer.commit")
        await twilio.send({"event": "stop", "streamSid": "MZ1", "stop": {}})
        await twilio.until("closed")

    assert [record.getMessage() for record in caplog.records] == [f"[WIRE] {place}"]
    assert last_line(tmp_path)["end"]["counts"] == {place: 3}
    assert last_line(tmp_path)["end"]["reason"] == "hangup"


BAD_REALTIME = [
    ("no json", "{", "realtime message: Input data was truncated"),
    ("no type", "{}", "realtime message: Object missing required field `type`"),
    ("unknown type", '{"type":"response.sung"}', "realtime message: unknown type"),
    ("no response", '{"type":"response.done"}', "realtime response.done: no response"),
    ("bad base64", '{"type":"response.output_audio.delta","response_id":"r","item_id":"i","delta":"*"}',
     "realtime response.output_audio.delta: delta is not base64"),
    ("no item", '{"type":"input_audio_buffer.committed"}', "realtime input_audio_buffer.committed: no item_id"),
    ("wrong type", '{"type":"error","error":[]}', "realtime error: Expected `object | null`, got `array` - at `$.error`"),
    ("bytes", b"\x00", "realtime message: not text"),
]  # fmt: skip


@pytest.mark.parametrize(("message", "place"), [pytest.param(*c[1:], id=c[0]) for c in BAD_REALTIME])
async def test_bad_message_of_openai_is_counted_logged_once_and_harmless(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, message: str | bytes, place: str
) -> None:
    async with by_hand(folder=tmp_path) as hands:
        twilio, api = await answered(hands)
        for _ in range(2):
            if isinstance(message, str):
                await api.socket.send_str(message)
            else:
                await api.socket.send_bytes(message)
        await api.speaks("r1", "a1", 200)
        await twilio.until("media")
        await twilio.socket.close()
        await api.until_closed()

    assert [record.getMessage() for record in caplog.records] == [f"[WIRE] {place}"]
    assert last_line(tmp_path)["end"]["counts"] == {place: 2}


def journal(folder: Path) -> list[dict[str, Any]]:
    (path,) = folder.glob("*.jsonl")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def last_line(folder: Path) -> dict[str, Any]:
    return journal(folder)[-1]


async def test_lengths_other_than_a_frame_are_cut_into_frames() -> None:
    async with by_hand() as hands:
        twilio = await hands.call()
        api = await hands.api()
        await api.until("session.update")
        await api.ready()
        line = QUIET * 75 + LOUD * 15 + QUIET * 30
        await twilio.hears(*(line[start : start + 333] for start in range(0, len(line), 333)))
        await api.until("input_audio_buffer.commit")
        appended = [event["audio"] for event in api.received if event["type"] == "input_audio_buffer.append"]

    assert len(appended) == 15 + 15 + 25


async def test_reply_of_five_megabytes_in_one_delta_is_played_in_pieces() -> None:
    async with by_hand(GRACELESS) as hands:
        twilio, api = await answered(hands)
        await api.speaks("r1", "a1", 600_000)
        first = await twilio.next()
        await twilio.hears(LOUD)
        await twilio.until("clear")
        await api.until("response.cancel")

    assert len(first["media"]["payload"]) == 4 * -(-1600 // 3)


async def test_stream_that_never_starts_is_closed() -> None:
    async with by_hand(Config(limits=LimitsConfig(start_s=0.1))) as hands:
        twilio = await hands.connect()

        assert await twilio.next() == {"event": "closed", "code": aiohttp.WSCloseCode.POLICY_VIOLATION}


async def test_second_stream_of_a_call_is_refused_and_the_first_goes_on() -> None:
    async with by_hand() as hands:
        _, api = await answered(hands)
        second = await hands.call()

        assert await second.next() == {"event": "closed", "code": aiohttp.WSCloseCode.POLICY_VIOLATION}
        assert not api.is_closed


UNSERVABLE = [
    ("no call", {"callSid": ""}),
    ("linear audio", {"callSid": "CA1", "mediaFormat": {"encoding": "audio/l16", "sampleRate": 8000, "channels": 1}}),
    (
        "wide band",
        {"callSid": "CA1", "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 16000, "channels": 1}},
    ),
]


@pytest.mark.parametrize("start", [pytest.param(c[1], id=c[0]) for c in UNSERVABLE])
async def test_stream_that_cannot_be_served_is_refused(start: dict[str, Any]) -> None:
    async with by_hand() as hands:
        twilio = await hands.connect()
        await twilio.send({"event": "start", "streamSid": "M", "start": start})

        assert await twilio.next() == {"event": "closed", "code": aiohttp.WSCloseCode.POLICY_VIOLATION}


async def test_more_than_a_hundred_calls_have_a_session_each_at_once() -> None:
    async with by_hand(Config(limits=LimitsConfig(realtime_tries=1, realtime_connect_s=2.0))) as hands:
        for number in range(120):
            await hands.call(f"CA{number}")
        apis = [await hands.api() for _ in range(120)]
        first = [await api.until("session.update") for api in apis]

    assert len(first) == 120


async def test_line_without_media_ends_the_call(tmp_path: Path) -> None:
    async with by_hand(Config(limits=LimitsConfig(no_media_s=1.0)), folder=tmp_path) as hands:
        twilio = await hands.call()
        api = await hands.api()
        await twilio.until("closed")
        await api.until_closed()

    assert last_line(tmp_path)["end"]["reason"] == "no_media"


async def test_longest_call_ends(tmp_path: Path) -> None:
    async with by_hand(Config(max_call_s=1), folder=tmp_path) as hands:
        twilio = await hands.call()
        await twilio.until("closed")

    assert last_line(tmp_path)["end"]["reason"] == "max_call_s"


async def test_message_over_64_kib_closes_the_stream(tmp_path: Path) -> None:
    async with by_hand(folder=tmp_path) as hands:
        twilio = await hands.call()
        await twilio.socket.send_str(json.dumps({"event": "media", "media": {"payload": "A" * 70_000}}))

        assert await twilio.next() == {"event": "closed", "code": aiohttp.WSCloseCode.MESSAGE_TOO_BIG}

    assert last_line(tmp_path)["end"]["reason"] == "twilio_broke_protocol"


async def test_shutdown_closes_both_legs(tmp_path: Path) -> None:
    async with by_hand(folder=tmp_path) as hands:
        twilio, api = await answered(hands)
        closing = asyncio.create_task(twilio.until("closed"))
    await closing

    assert api.is_closed
    assert last_line(tmp_path)["end"]["reason"] == "shutdown"


async def test_session_that_speaks_no_mulaw_is_refused(tmp_path: Path) -> None:
    async with by_hand(folder=tmp_path) as hands:
        twilio = await hands.call()
        api = await hands.api()
        await api.until("session.update")
        await api.send("session.updated", session={"audio": {"input": {"format": {"type": "audio/pcm"}}}})
        await twilio.until("closed")

    assert last_line(tmp_path)["end"]["reason"] == "realtime_session_not_mulaw"


async def test_webhook_binds_the_stream_to_the_business_called() -> None:
    config = Config(business=(Business(), Business(number="+9723", name="מאפייה")))
    async with by_hand(config) as hands:
        form = {"CallSid": "CA9", "AccountSid": "AC1", "To": "+9723", "From": "anonymous"}
        async with hands.http.post(f"http{hands.base}/twilio/voice", data=form) as answer:
            twiml = await answer.text()
            assert answer.content_type == "text/xml"
        token = twiml.split('name="token" value="')[1].split('"')[0]
        await hands.call("CA9", token=token)
        update = await (await hands.api()).until("session.update")

    assert f'url="ws{hands.base}/twilio/media"' in twiml
    assert "מאפייה" in update["session"]["instructions"]


SIGNED = Environment("sk-secret", twilio_auth_token="shhh")
PUBLIC = Config(public_url="https://calls.example.org")


async def test_unsigned_webhook_and_handshake_are_refused() -> None:
    async with by_hand(PUBLIC, SIGNED) as hands:
        statuses = []
        for path in ("/twilio/voice", "/twilio/after"):
            async with hands.http.post(f"http{hands.base}{path}", data={"CallSid": "CA1"}) as answer:
                statuses.append(answer.status)
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await hands.connect({"X-Twilio-Signature": "forged"})

    assert statuses == [403, 403]
    assert refused.value.status == 403


async def test_signed_stream_without_its_token_is_closed() -> None:
    from twilio.request_validator import RequestValidator  # noqa: PLC0415 - slow to import

    signature = RequestValidator("shhh").compute_signature("wss://calls.example.org/twilio/media", {})
    async with by_hand(PUBLIC, SIGNED) as hands:
        twilio = await hands.connect({"X-Twilio-Signature": signature})
        await twilio.starts()

        assert await twilio.next() == {"event": "closed", "code": aiohttp.WSCloseCode.POLICY_VIOLATION}


async def test_webhook_without_a_call_is_a_bad_request() -> None:
    async with by_hand() as hands, hands.http.post(f"http{hands.base}/twilio/voice", data={}) as answer:
        assert answer.status == 400


async def test_health_and_what_follows_the_stream() -> None:
    async with by_hand() as hands:
        async with hands.http.get(f"http{hands.base}/livez") as answer:
            assert answer.status == 200
        async with hands.http.post(f"http{hands.base}/twilio/after", data={"CallSid": "CA1"}) as answer:
            assert "<Hangup" in await answer.text()
