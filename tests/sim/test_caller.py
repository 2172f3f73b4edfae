"""The simulated caller against a small media server that the test drives by hand."""

import base64
from typing import Any

import pytest

from callfsm.sim.caller import CallOverError, SimulatedCaller, place_call
from callfsm.sim.earpiece import SILENCE
from callfsm.sim.media_line import Kind
from callfsm.sim.webhook import Details
from tests.sim.media_server import MediaServer

SPEED = 20.0
VOICE = b"\x10" * 1600
DETAILS = Details(caller="anonymous", called="+97239999999", account_sid="AC1", call_sid="CA1")


def names(caller: SimulatedCaller, kind: Kind) -> list[str]:
    return [entry.detail for entry in caller.entries(kind)]


async def test_a_call_speaks_the_wire_of_twilio(server: MediaServer) -> None:
    async with place_call(server.media_url, details=DETAILS, parameters={"token": "t"}, speed=SPEED) as caller:
        await caller.say(VOICE[:170])
        await caller.silence(0.06)
    await server.next("stop")

    connected, start, first, second, third = server.received[:5]

    assert connected == {"event": "connected", "protocol": "Call", "version": "1.0.0"}
    assert start == {
        "event": "start",
        "sequenceNumber": "1",
        "streamSid": "MZ1",
        "start": {
            "accountSid": "AC1",
            "streamSid": "MZ1",
            "callSid": "CA1",
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": {"token": "t"},
        },
    }
    payloads = [base64.b64decode(media["media"]["payload"]) for media in (first, second, third)]
    spoken = payloads.index(VOICE[:160])
    assert payloads[spoken + 1] == VOICE[:10] + SILENCE * 150
    assert first == {
        "event": "media",
        "sequenceNumber": "2",
        "streamSid": "MZ1",
        "media": {"track": "inbound", "chunk": "1", "timestamp": "0", "payload": first["media"]["payload"]},
    }
    assert (second["sequenceNumber"], second["media"]["timestamp"]) == ("3", "20")
    assert (third["sequenceNumber"], third["media"]["chunk"]) == ("4", "3")


async def test_hanging_up_sends_stop_last_and_closes(server: MediaServer) -> None:
    async with place_call(server.media_url, details=DETAILS, speed=SPEED) as caller:
        await caller.silence(0.1)
        await caller.hang_up()
        with pytest.raises(CallOverError):
            await caller.say(VOICE)
    await server.next("closed")

    *_, media, stop, closed = server.received
    assert media["event"] == "media"
    assert stop == {
        "event": "stop",
        "sequenceNumber": str(int(media["sequenceNumber"]) + 1),
        "streamSid": "MZ1",
        "stop": {"accountSid": "AC1", "callSid": "CA1"},
    }
    assert closed == {"event": "closed", "code": 1000}


async def test_silence_is_streamed_or_the_background_is(server: MediaServer) -> None:
    async with place_call(server.media_url, speed=SPEED, background=b"n" * 160 + b"m" * 100) as caller:
        await caller.silence(0.08)
    payloads = [base64.b64decode((await server.next("media"))["media"]["payload"]) for _ in range(3)]

    assert payloads == [b"n" * 160, b"m" * 100 + SILENCE * 60, b"n" * 160]


async def test_audio_is_heard_at_the_pace_of_the_line_and_then_its_mark_returns(server: MediaServer) -> None:
    long = VOICE * 20
    async with place_call(server.media_url, details=DETAILS, speed=SPEED) as caller:
        await server.next("start")
        await server.play(long, "played")
        await caller.wait_heard(100)
        assert caller.is_assistant_audible
        assert caller.entries(Kind.ECHO) == []
        echo = await server.next("mark")
        await caller.wait_quiet()

    (sound,), (quiet,) = caller.entries(Kind.SOUND), caller.entries(Kind.QUIET)
    assert echo["mark"] == {"name": "played"}
    assert (quiet.at_s - sound.at_s) * SPEED == pytest.approx(4.0)
    assert caller.heard.strip(SILENCE) == long
    at_ms = caller.heard.index(long) / 8
    assert (sound.at_s - caller.started_s) * SPEED * 1000 == pytest.approx(at_ms)


async def test_a_mark_with_nothing_buffered_is_echoed_at_once(server: MediaServer) -> None:
    async with place_call(server.media_url, details=DETAILS, speed=SPEED) as caller:
        await server.next("start")
        await server.answer("mark", mark={"name": "lone"})

        assert (await server.next("mark"))["mark"] == {"name": "lone"}
        assert names(caller, Kind.ECHO) == ["lone"]


async def test_a_clear_silences_at_once_and_returns_all_marks(server: MediaServer) -> None:
    async with place_call(server.media_url, details=DETAILS, speed=SPEED) as caller:
        await server.next("start")
        await server.play(VOICE, "first")
        await server.play(VOICE * 50, "second")
        await caller.wait_for(Kind.ECHO)
        await caller.wait_heard(300)
        await server.play(VOICE, "third")
        await server.answer("clear")
        await caller.wait_for(Kind.CLEAR)
        await caller.wait_quiet()
        await caller.wait_for(Kind.ECHO, count=3)

    assert names(caller, Kind.ECHO) == ["first", "second", "third"]
    assert not caller.is_assistant_audible
    assert caller.heard_ms == 0
    assert len(caller.heard.strip(SILENCE)) < len(VOICE) * 20


async def test_marks_can_be_lost(server: MediaServer) -> None:
    async with place_call(server.media_url, details=DETAILS, speed=SPEED, echo_marks=False) as caller:
        await server.next("start")
        await server.play(VOICE, "lost")
        await caller.wait_for(Kind.QUIET)

    assert names(caller, Kind.MARK) == ["lost"]
    assert names(caller, Kind.ECHO) == []


@pytest.mark.parametrize(
    "message",
    [
        pytest.param({"event": "media", "streamSid": "MZ2", "media": {"payload": ""}}, id="another stream"),
        pytest.param({"event": "media", "streamSid": "MZ1", "media": {"payload": "*"}}, id="no base64"),
        pytest.param({"event": "media", "streamSid": "MZ1"}, id="no payload"),
        pytest.param({"event": "pause", "streamSid": "MZ1"}, id="unknown event"),
        pytest.param({"event": "clear"}, id="no stream"),
        pytest.param(["clear"], id="no object"),
    ],
)
async def test_what_twilio_would_refuse_is_logged_as_a_fault(server: MediaServer, message: Any) -> None:
    async with place_call(server.media_url, details=DETAILS, speed=SPEED) as caller:
        await server.next("start")
        await server.sockets[0].send_json(message)

        assert len(await caller.wait_for(Kind.FAULT)) == 1


async def test_the_server_may_end_the_call(server: MediaServer) -> None:
    async with place_call(server.media_url, speed=SPEED) as caller:
        await server.next("start")
        await server.sockets[0].close(code=1011)
        await caller.wait_over()

        assert caller.is_over
        assert names(caller, Kind.CLOSED) == ["1011"]
        with pytest.raises(CallOverError, match="before the 20 ms of the assistant"):
            await caller.wait_heard(20)


async def test_a_dropped_call_has_no_stop(server: MediaServer) -> None:
    async with place_call(server.media_url, speed=SPEED) as caller:
        await server.next("media")
        await caller.drop()
    closed = await server.next("closed")

    assert closed["code"] != 1000
    assert "stop" not in {message["event"] for message in server.received}


async def test_raw_messages_go_out_as_they_are(server: MediaServer) -> None:
    async with place_call(server.media_url, speed=SPEED) as caller:
        await caller.send_raw('{"event": "dtmf"}')

        assert await server.next("dtmf") == {"event": "dtmf"}


async def test_waiting_for_what_does_not_come_names_it(server: MediaServer) -> None:
    async with place_call(server.media_url, speed=SPEED) as caller:
        with pytest.raises(TimeoutError, match=r"no clear number 2 within 0\.01 s"):
            await caller.wait_for(Kind.CLEAR, count=2, timeout_s=0.01)
