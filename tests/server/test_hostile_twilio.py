"""A media socket that breaks every rule there is, with a good call beside it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvloop
from aiohttp import web
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from callfsm.config import Config, LimitsConfig
from callfsm.server.masks import MOST_FRAGMENTS
from callfsm.server.media import MOST_BEFORE_START
from callfsm.wire.sequence import MOST_LATE
from tests.server.beside import answer, beside, ending, events, metric, ready, until_over
from tests.server.by_hand import LOUD, QUIET, TIMEOUT_S, Hands
from tests.server.raw_line import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    RawLine,
    media,
    raw_call,
    raw_line,
    start,
    text,
    ws_frame,
)
from tests.server.test_listening import HANDSHAKE, LIVE

QUESTION = [*[QUIET] * 75, *[LOUD] * 15, *[QUIET] * 30]
HEARD = 15 + 15 + 25
"""Frames of it that go to the API: pre-roll, speech, hangover."""
MARK = {"event": "mark", "streamSid": "MZ1", "mark": {"name": "m1"}}
DIGIT = {"event": "dtmf", "streamSid": "MZ1", "dtmf": {"track": "inbound_track", "digit": "5"}}
STOP = {"event": "stop", "streamSid": "MZ1", "stop": {"callSid": "CA1"}}


def with_limits(**limits: Any) -> Config:
    return Config(limits=LimitsConfig(**limits))


# What breaks the WebSocket itself


BIG = b"A" * 70_000
PIECE = b"A" * 40_000
BROKEN = [
    ("a reserved bit", ws_frame(TEXT, b"{}", rsv=2), 1002, "broken_protocol"),
    ("a compressed frame", ws_frame(TEXT, b"{}", rsv=4), 1002, "broken_protocol"),
    ("an unknown opcode", ws_frame(3, b"{}"), 1002, "broken_protocol"),
    ("an unknown control opcode", ws_frame(0xB), 1002, "broken_protocol"),
    ("no mask", text(media(), masked=False), 1002, "broken_protocol"),
    ("no mask, behind a masked one", text("{}") + ws_frame(TEXT, b"{}", masked=False), 1002, "broken_protocol"),
    ("a ping without a mask", ws_frame(PING, masked=False), 1002, "broken_protocol"),
    ("a ping in fragments", ws_frame(PING, fin=False), 1002, "broken_protocol"),
    ("a long ping", ws_frame(PING, b"x" * 126), 1002, "broken_protocol"),
    ("a message within another", text("{", fin=False) + text("{}"), 1002, "broken_protocol"),
    ("a continuation of nothing", ws_frame(0, b"{}"), 1002, "broken_protocol"),
    ("a message without end", text("{", fin=False) + ws_frame(0, fin=False) * MOST_FRAGMENTS, 1002, "broken_protocol"),
    ("half a close code", ws_frame(CLOSE, b"\x03"), 1002, "broken_protocol"),
    ("no close code", ws_frame(CLOSE, (999).to_bytes(2, "big")), 1002, "broken_protocol"),
    ("broken UTF-8", ws_frame(TEXT, b'{"event":"\xff"}'), 1007, "broken_text"),
    ("half a character", ws_frame(TEXT, b"\xd7", fin=False) + ws_frame(0), 1007, "broken_text"),
    ("a lone surrogate", ws_frame(TEXT, b"\xed\xa0\x80"), 1007, "broken_text"),
    ("a large message", ws_frame(TEXT, BIG), 1009, "too_large"),
    ("large bytes", ws_frame(BINARY, BIG), 1009, "too_large"),
    ("a large message, announced", ws_frame(TEXT, BIG)[:10], 1009, "too_large"),
    ("the largest there is", b"\x81\xff" + b"\xff" * 12, 1009, "too_large"),
    ("two pieces", ws_frame(TEXT, PIECE, fin=False) + ws_frame(0, PIECE), 1009, "too_large"),
]  # fmt: skip
broken = pytest.mark.parametrize(("sent", "code", "what"), [pytest.param(*c[1:], id=c[0]) for c in BROKEN])


@broken
async def test_what_is_no_websocket_is_refused_by_name(tmp_path: Path, sent: bytes, code: int, what: str) -> None:
    async with beside(tmp_path) as hands:
        async with raw_line(hands) as line:
            line.writer.write(sent)

            assert await line.code() == code
            assert await line.is_closed()
            assert metric(hands, "rejected", reason=what) == 1
            assert metric(hands, "rejected", reason="no_start") == 0


@broken
async def test_what_is_no_websocket_ends_the_call(tmp_path: Path, sent: bytes, code: int, what: str) -> None:
    async with beside(tmp_path) as hands:
        async with raw_call(hands) as (line, api):
            line.writer.write(sent)

            assert await line.code() == code
            assert await line.is_closed()
            await until_over(hands)
            await api.until_closed()
            assert metric(hands, "calls", end="twilio_broke_protocol") == 1

    assert ending(tmp_path)["reason"] == "twilio_broke_protocol"
    assert ending(tmp_path)["counts"][f"twilio socket: {what}"] == 1


def test_what_is_no_websocket_is_none_on_the_loop_that_serves(tmp_path: Path) -> None:
    async def codes() -> list[int]:
        found = []
        async with beside(tmp_path) as hands:
            for _, sent, _, _ in BROKEN:
                async with raw_call(hands) as (line, _):
                    line.writer.write(sent)
                    found.append(await line.code())
                    await until_over(hands)
        return found

    assert uvloop.run(codes()) == [code for _, _, code, _ in BROKEN]


async def test_fault_that_comes_byte_by_byte_is_a_fault(tmp_path: Path) -> None:
    sent = text("{}") + text(media()) + ws_frame(PING, b"x") + ws_frame(BINARY, PIECE) + text("{}", masked=False)
    async with beside(tmp_path) as hands:
        async with raw_call(hands) as (line, _):
            for piece in [
                *(sent[i : i + 1] for i in range(1000)),
                sent[1000:-8],
                *(sent[-8 + i :][:1] for i in range(8)),
            ]:
                line.writer.write(piece)
                await asyncio.sleep(0)

            assert await line.code() == 1002


async def test_message_in_fragments_with_pings_between_is_taken(tmp_path: Path) -> None:
    async with beside(tmp_path) as hands:
        async with raw_line(hands) as line:
            for message in [start(), *(media(ulaw) for ulaw in QUESTION)]:
                whole = json.dumps(message).encode()
                line.writer.write(
                    ws_frame(TEXT, whole[:30], fin=False)
                    + ws_frame(PING, b"p")
                    + ws_frame(0, whole[30:31], fin=False)
                    + ws_frame(0, b"", fin=False)
                    + ws_frame(PONG, b"unasked")
                    + ws_frame(0, whole[31:])
                )
            pongs = [await line.next() for _ in range(1 + len(QUESTION))]
            await answer(await ready(hands))

            assert pongs == [(PONG, b"p")] * (1 + len(QUESTION))
            assert (await line.next())[0] == TEXT


async def test_message_of_just_the_limit_is_taken(tmp_path: Path) -> None:
    async with beside(tmp_path) as hands:
        async with raw_line(hands) as line:
            shortest = len(json.dumps({**start(), "more": ""}))
            line.say({**start(), "more": "x" * (LimitsConfig().twilio_message_bytes - shortest)})
            await ready(hands)


# What does not wait for the handshake's answer


UNMASKED = text(start(), masked=False)
BEHIND = [
    ("a start without a mask", [HANDSHAKE + UNMASKED]),
    ("half of it", [HANDSHAKE + UNMASKED[:40], UNMASKED[40:]]),
    ("a masked start", [HANDSHAKE + text(start())]),
    ("half of it", [HANDSHAKE + text(start())[:40], text(start())[40:]]),
    ("a byte", [HANDSHAKE + b"\x81"]),
    ("half a frame, then pieces", [HANDSHAKE + ws_frame(TEXT, b"{", fin=False)[:3], ws_frame(0, fin=False) * 2000]),
    ("a request", [HANDSHAKE + LIVE]),
    ("with the end of the head", [HANDSHAKE[:-2], b"\r\n" + UNMASKED]),
    ("behind another request", [LIVE + HANDSHAKE + UNMASKED]),
]
LOOPS = pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])


@asynccontextmanager
async def connected(hands: Hands, *sent: bytes) -> AsyncIterator[RawLine]:
    """A connection on which this has been sent, and nothing waited for."""
    host, port = hands.base.removeprefix("://").split(":")
    line = RawLine(*await asyncio.open_connection(host, int(port)))
    for piece in sent:
        line.writer.write(piece)
        await asyncio.sleep(0)
    try:
        yield line
    finally:
        line.writer.transport.abort()


@LOOPS
@pytest.mark.parametrize("sent", [pytest.param(sent, id=name) for name, sent in BEHIND])
def test_frames_that_come_ahead_of_the_answer_are_refused(
    tmp_path: Path, run: Callable[[Coroutine[Any, Any, None]], None], sent: list[bytes]
) -> None:
    async def ahead() -> None:
        async with beside(tmp_path) as hands:
            async with connected(hands, *sent) as line:
                await line.is_closed()

            assert set(hands.server.calls) == {"CA99"}
            assert metric(hands, "rejected", reason="broken_protocol") == 1
            assert metric(hands, "rejected", reason="no_start") == 0

    run(ahead())


async def test_frames_that_come_ahead_are_answered_with_400(tmp_path: Path) -> None:
    async with beside(tmp_path) as hands:
        async with connected(hands, HANDSHAKE + UNMASKED) as line, asyncio.timeout(TIMEOUT_S):
            heard = await line.reader.read()

    assert heard.startswith(b"HTTP/1.1 400 ")
    assert heard.endswith(b"\r\n\r\nbroken_protocol")


@LOOPS
def test_two_hundred_thousand_fragments_behind_the_handshake_are_not_read(
    tmp_path: Path, run: Callable[[Coroutine[Any, Any, None]], None]
) -> None:
    async def ahead() -> None:
        async with beside(tmp_path) as hands:
            fragments = text("{", fin=False) + ws_frame(0, fin=False) * 200_000
            async with connected(hands, HANDSHAKE + fragments) as line:
                await line.is_closed()

            assert metric(hands, "rejected", reason="broken_protocol") == 1

    run(ahead())


@LOOPS
def test_frames_are_checked_while_the_answer_is_being_taken(
    tmp_path: Path, run: Callable[[Coroutine[Any, Any, None]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare = web.WebSocketResponse.prepare

    async def check() -> None:
        is_taken = asyncio.Event()

        async def slow(self: web.WebSocketResponse, request: web.Request) -> Any:
            # As it is with a peer that has not read what it was answered before.
            writer = await prepare(self, request)
            await is_taken.wait()
            return writer

        async with beside(tmp_path) as hands:
            monkeypatch.setattr("callfsm.server.media.web.WebSocketResponse.prepare", slow)
            async with raw_line(hands) as line:
                line.writer.write(UNMASKED)
                for _ in range(3):
                    await hands.http.get(f"http{hands.base}/livez")
                is_taken.set()

                assert await line.code() == 1002
                assert metric(hands, "rejected", reason="broken_protocol") == 1

    run(check())


NO_HANDSHAKES = [
    ("no upgrade", HANDSHAKE.replace(b"Upgrade: websocket\r\n", b"")),
    ("an old version", HANDSHAKE.replace(b"Version: 13", b"Version: 12")),
    ("no key", HANDSHAKE.replace(b"dGhl", b"")),
    ("a body to come", HANDSHAKE.replace(b"Host: x", b"Host: x\r\nContent-Length: 9")),
    ("a blank that is none", HANDSHAKE.replace(b"websocket", "websocket\u00a0".encode())),
]


@pytest.mark.parametrize("sent", [pytest.param(sent, id=name) for name, sent in NO_HANDSHAKES])
async def test_what_is_no_handshake_is_answered_with_400_and_frames_behind_it_are_not_read(
    tmp_path: Path, sent: bytes
) -> None:
    async with beside(tmp_path) as hands:
        async with connected(hands, sent) as line, asyncio.timeout(TIMEOUT_S):
            heard = await line.reader.readuntil(b"\r\n\r\n")
            line.writer.write(UNMASKED * 2)
            await line.is_closed()

        assert heard.startswith(b"HTTP/1.1 400 ")
        assert set(hands.server.calls) == {"CA99"}


# Before the start


async def test_socket_that_never_says_a_word_is_closed(tmp_path: Path) -> None:
    async with beside(tmp_path, with_limits(start_s=0.2)) as hands:
        async with raw_line(hands) as line:
            assert await line.code() == aiohttp.WSCloseCode.POLICY_VIOLATION
            assert metric(hands, "rejected", reason="no_start") == 1


async def test_what_comes_before_the_start_is_counted_and_not_heard(tmp_path: Path) -> None:
    early: list[dict[str, Any] | str] = [media(LOUD), MARK, DIGIT, STOP, {"event": "ring"}, "{", "[" * 60_000]
    async with beside(tmp_path) as hands:
        async with raw_line(hands) as line:
            line.say(*early)
            line.writer.write(ws_frame(BINARY, b"\x00"))
            line.say({"event": "connected"}, start(), *(media(ulaw) for ulaw in QUESTION))
            api = await ready(hands)
            await answer(api)

            assert metric(hands, "malformed", peer="twilio") == len(early) + 1
            assert api.types().count("input_audio_buffer.append") == HEARD


@pytest.mark.parametrize(
    "sent",
    [text(media()), text("{}"), text({"event": "connected"}), ws_frame(PING), ws_frame(PONG)],
    ids=["media", "nothing", "connected", "ping", "pong"],
)
async def test_talk_without_a_start_is_closed(tmp_path: Path, sent: bytes) -> None:
    async with beside(tmp_path) as hands:
        async with raw_line(hands) as line:
            line.writer.write(sent * MOST_BEFORE_START)

            assert await line.code() == aiohttp.WSCloseCode.POLICY_VIOLATION
            assert metric(hands, "rejected", reason="much_before_start") == 1


@pytest.mark.parametrize(
    "bad",
    [{"callSid": "CA\x00/../1\u2028"}, {"callSid": "C" * 60_000}, {"customParameters": {"token": "\x00" * 1000}}],
)  # fmt: skip
async def test_start_of_odd_words_is_a_start(tmp_path: Path, bad: dict[str, Any]) -> None:
    async with beside(tmp_path) as hands:
        async with raw_line(hands) as line:
            line.say({**start(), "start": {**start()["start"], **bad}})
            await ready(hands)
            line.say(STOP)

            assert await line.code() == aiohttp.WSCloseCode.OK
            await until_over(hands, {**start()["start"], **bad}["callSid"])
            assert metric(hands, "calls", end="hangup") == 1


# Messages that have no place


async def test_second_start_and_another_streams_messages_are_counted_and_not_obeyed(tmp_path: Path) -> None:
    async with beside(tmp_path) as hands:
        twilio = await hands.call()
        api = await ready(hands)
        await twilio.send(start())
        await twilio.send(start("CA2", stream_sid="MZ2"))
        for message in (media(LOUD, stream_sid="MZ2"), {**MARK, "streamSid": "MZ2"}, {**DIGIT, "streamSid": "MZ2"}):
            await twilio.send(message)
        await twilio.send({**STOP, "streamSid": "MZ2"})
        await twilio.hears(*QUESTION)
        await answer(api)
        await twilio.until("media")
        await twilio.send(STOP)
        await twilio.until("closed")
        await until_over(hands)

        assert set(hands.server.calls) == {"CA99"}

    assert ending(tmp_path)["reason"] == "hangup"
    assert ending(tmp_path)["counts"] == {
        "twilio start: the stream has started already": 2,
        "twilio message: of another stream": 4,
    }


ODD = [
    '{"event":"media","x":' + "[" * 60_000,
    '{"a":' * 12_000,
    '{"event":"ring","x":' + "[" * 60_000,
    '{"event":"mark","mark":{"name":"\\ud800"}}',
    '{"event":"media","sequenceNumber":' + "9" * 60_000 + ',"media":{"payload":""}}',
    '{"event":"media","media":{"payload":NaN}}',
    '{"event":"media","streamSid":1,"media":{"payload":""}}',
    '{"event":"media","media":{"payload":"\\u0000"}}',
    '{"event":"dtmf","dtmf":{"digit":"1\\n"}}',
]
HARMLESS: list[dict[str, Any] | str] = [
    '{"event":"media","media":{"payload":"","x":1e999999}}',
    media(b""),
    {**media(b""), "streamSid": None, "sequenceNumber": None},
    {**media(b""), "sequenceNumber": {"a": [1.5, "x"]}},
    {**media(b""), "sequenceNumber": "9" * 60_000},
    {**media(b""), "more": [{"a": "\x00\u2028"}], "event2": "stop"},
    {**MARK, "mark": {"name": "\x00"}},
    {**MARK, "mark": {"name": "m" * 60_000}},
]


async def test_odd_messages_are_named_or_harmless(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with beside(tmp_path) as hands:
        twilio = await hands.call()
        api = await ready(hands)
        for odd in [*ODD, *HARMLESS]:
            await twilio.socket.send_str(odd if isinstance(odd, str) else json.dumps(odd))
        await twilio.hears(*QUESTION)
        await answer(api)
        await twilio.until("media")

        await twilio.send(STOP)
        await twilio.until("closed")

        assert metric(hands, "malformed", peer="twilio") == len(ODD)

    assert events(tmp_path, "PlaybackMarked") == 2
    assert "[BUG]" not in caplog.text
    assert "999" not in caplog.text


# Numbers that do not count up


def numbered(first: int, frames: list[bytes]) -> list[dict[str, Any]]:
    return [media(ulaw, str(first + i)) for i, ulaw in enumerate(frames)]


def sent_twice(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [message for message in messages for _ in range(2)]


TRUSTED = 5
"""So many messages into the question its numbering is trusted."""
PROXIES = [
    ("every message twice", sent_twice, 115, 0),
    ("two in one place", lambda rest: [rest[1], rest[0], *rest[2:]], 1, 1),
    ("the last ones again", lambda rest: [*rest[:100], *rest[80:]], 20, 0),
    ("one is missing", lambda rest: rest[1:], 0, 1),
    ("twenty are missing", lambda rest: rest[20:], 0, 20),
]


@pytest.mark.parametrize(
    ("proxy", "late", "missing"), [pytest.param(*c[1:], id=c[0]) for c in PROXIES]
)  # fmt: skip
async def test_nobody_is_heard_twice(tmp_path: Path, proxy: Any, late: int, missing: int) -> None:
    question = numbered(2, QUESTION)
    async with beside(tmp_path) as hands:
        async with raw_call(hands) as (line, api):
            line.say(*question[:TRUSTED], *proxy(question[TRUSTED:]))
            # Frames that went missing are missed by the calibration and by nobody else.
            line.say(*numbered(122, [QUIET] * missing), {**STOP, "sequenceNumber": "1"})
            await line.code()
            await until_over(hands)

            assert api.types().count("input_audio_buffer.append") == HEARD
            assert metric(hands, "twilio_sequence", what="late") == late + 1
            assert metric(hands, "twilio_sequence", what="missing") == missing

    assert ending(tmp_path)["reason"] == "hangup"


async def test_numbers_that_begin_anew_mean_nothing_after_half_a_second(tmp_path: Path) -> None:
    async with beside(tmp_path) as hands:
        async with raw_call(hands) as (line, api):
            line.say(*numbered(2, [QUIET] * 100), *numbered(1, [QUIET] * MOST_LATE), *numbered(1, QUESTION))
            await answer(api)

            assert metric(hands, "twilio_sequence", what="late") == MOST_LATE


@pytest.mark.parametrize("number", [None, "2", 2, "", "x", -1, "٣", True, 1.5, []])
async def test_numbers_that_do_not_count_up_from_the_start_mean_nothing(tmp_path: Path, number: object) -> None:
    async with beside(tmp_path) as hands:
        async with raw_call(hands) as (line, api):
            line.say(*(media(ulaw, number) for ulaw in QUESTION))
            await answer(api)

            assert api.types().count("input_audio_buffer.append") == HEARD
            assert metric(hands, "twilio_sequence", what="late") == 0


# Floods


AHEAD_S = 6
MOST_FRAMES = 50 * AHEAD_S
FLOODS = [
    ("audio", text(media()), 3 * MOST_FRAMES),
    ("much audio in a message", text(media(QUIET * 200)), 4),
    ("keys", text(DIGIT), 3 * MOST_FRAMES),
    ("marks", text(MARK), 3 * MOST_FRAMES),
    ("nothing", text("{}"), 3 * MOST_FRAMES),
    ("bytes", ws_frame(BINARY), 3 * MOST_FRAMES),
    ("pings", ws_frame(PING), 3 * MOST_FRAMES),
    ("pongs", ws_frame(PONG), 3 * MOST_FRAMES),
]


@pytest.mark.parametrize(("sent", "times"), [pytest.param(*c[1:], id=c[0]) for c in FLOODS])
async def test_flood_ends_its_call(tmp_path: Path, sent: bytes, times: int) -> None:
    async with beside(tmp_path, with_limits(twilio_ahead_s=AHEAD_S)) as hands:
        async with raw_call(hands) as (line, _):
            line.writer.write(sent * times)

            assert await line.code() == aiohttp.WSCloseCode.POLICY_VIOLATION
            await until_over(hands)
            assert metric(hands, "calls", end="twilio_flood") == 1

    assert ending(tmp_path)["reason"] == "twilio_flood"


async def test_audio_far_ahead_of_the_clock_is_dropped_and_what_matters_is_not(tmp_path: Path) -> None:
    async with beside(tmp_path, with_limits(twilio_ahead_s=AHEAD_S)) as hands:
        async with raw_call(hands) as (line, _):
            line.say(*[media()] * (MOST_FRAMES + 100), MARK, DIGIT, STOP)
            await line.code()
            await until_over(hands)

            assert 0 < metric(hands, "rejected", reason="flood") <= 100

    assert ending(tmp_path)["reason"] == "hangup"
    assert ending(tmp_path)["counts"]["twilio messages: flood"] > 0
    assert [events(tmp_path, kind) for kind in ("PlaybackMarked", "DtmfReceived")] == [1, 1]


async def test_what_waited_for_five_seconds_is_heard(tmp_path: Path) -> None:
    async with beside(tmp_path) as hands:
        async with raw_call(hands) as (line, api):
            line.say(*(media(ulaw) for ulaw in [*[QUIET] * 250, *QUESTION]))
            await answer(api)

            assert metric(hands, "rejected", reason="flood") == 0


# Ends


async def test_peer_that_is_nowhere_is_waited_for_no_longer(tmp_path: Path) -> None:
    async with beside(tmp_path, with_limits(no_media_s=1.0)) as hands:
        async with raw_call(hands) as (_, api):
            gone = asyncio.ensure_future(api.until_closed())
            while not gone.done():
                await hands._lines[0].hears(QUIET)
                await asyncio.wait([gone], timeout=0.1)
            await gone
            async with asyncio.timeout(2):
                await until_over(hands)

    assert ending(tmp_path)["reason"] == "no_media"


async def test_reset_in_mid_word_is_a_lost_call(tmp_path: Path) -> None:
    async with beside(tmp_path) as hands:
        async with raw_call(hands) as (line, api):
            line.writer.write(text(media(LOUD))[:100])
            await line.writer.drain()
            line.reset()
            await api.until_closed()
            await until_over(hands)

    assert ending(tmp_path) == {"reason": "twilio_lost", "state": "ENDED", "counts": {}}


async def test_half_closed_connection_is_a_lost_call(tmp_path: Path) -> None:
    async with beside(tmp_path) as hands:
        async with raw_call(hands) as (line, api):
            line.writer.write_eof()
            await api.until_closed()
            await until_over(hands)

            assert await line.is_closed()

    assert ending(tmp_path) == {"reason": "twilio_lost", "state": "ENDED", "counts": {}}


async def test_reset_before_the_start_is_no_start(tmp_path: Path) -> None:
    async with beside(tmp_path) as hands:
        async with raw_line(hands) as line:
            line.reset()
            while not metric(hands, "rejected", reason="no_start"):
                await asyncio.wait([asyncio.ensure_future(asyncio.Event().wait())], timeout=0.01)


async def test_call_ends_once_whatever_follows_its_stop(tmp_path: Path) -> None:
    async with beside(tmp_path) as hands:
        async with raw_call(hands) as (line, _):
            line.say(STOP, STOP, "{", *[media(LOUD)] * 100, start(), STOP)
            line.writer.write(ws_frame(TEXT, b"{}", rsv=7))

            assert await line.code() == aiohttp.WSCloseCode.OK
            await until_over(hands)
            assert metric(hands, "calls", end="hangup") == 1

    assert ending(tmp_path) == {"reason": "hangup", "state": "ENDED", "counts": {}}


# Marks and keys


async def test_marks_that_prove_nothing_are_counted(tmp_path: Path) -> None:
    async with beside(tmp_path) as hands:
        twilio = await hands.call()
        api = await ready(hands)
        await twilio.hears(*QUESTION[:75])
        await twilio.echoes("before anything")
        await twilio.hears(*QUESTION[75:])
        await answer(api)
        name = (await twilio.until("mark"))[-1]["mark"]["name"]
        for echoed in (name, name, name, "nobody's", ""):
            await twilio.echoes(echoed)
        await twilio.send(STOP)
        await twilio.until("closed")
        await until_over(hands)

        assert metric(hands, "rejected", reason="stray_mark") == 4

    assert ending(tmp_path)["reason"] == "hangup"


async def test_hundred_keys_at_once_are_no_flood(tmp_path: Path) -> None:
    async with beside(tmp_path) as hands:
        async with raw_call(hands) as (line, api):
            line.say(*(media(ulaw) for ulaw in QUESTION), *[DIGIT] * 100)
            await answer(api)

            assert "CA1" in hands.server.calls


# Anything


def mutated(message: str, cuts: list[tuple[int, int, str]]) -> str:
    for at, length, piece in cuts:
        message = message[:at] + piece + message[at + length :]
    return message


def arbitrary(*valid: dict[str, Any]) -> st.SearchStrategy[bytes]:
    """These messages, the same with something cut out and put in, and anything else."""
    whole = st.sampled_from([json.dumps(message) for message in valid])
    said = whole | st.builds(mutated, whole, CUTS) | JSON.map(json.dumps) | st.text()
    return said.map(text) | st.builds(ws_frame, st.sampled_from([BINARY, PING, PONG]), st.binary(max_size=125))


CUTS = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 20), st.text(max_size=5)), max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
EARLY = arbitrary(media(LOUD), MARK, DIGIT, STOP, {"event": "connected"})
LATER = arbitrary(media(LOUD, "2"), media(QUIET, "3"), media(b"x" * 77), start(), MARK, DIGIT)


FEW = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate, Phase.shrink),
)


@FEW
@given(before=st.lists(EARLY, max_size=5), sent=st.lists(LATER, min_size=5, max_size=60))
def test_whatever_is_sent_is_no_bug(
    tmp_path_factory: pytest.TempPathFactory, before: list[bytes], sent: list[bytes]
) -> None:
    folder = tmp_path_factory.mktemp("journals")

    async def call() -> None:
        async with beside(folder) as hands:
            async with raw_line(hands) as line:
                line.writer.write(b"".join(before) + text(start("CA1")) + b"".join(sent))
                line.say(STOP)

                assert await line.code() == aiohttp.WSCloseCode.OK
                await until_over(hands)

    asyncio.run(call())

    assert ending(folder)["reason"] == "hangup"


@FEW
@given(sent=st.lists(LATER, max_size=5), noise=st.binary(min_size=1, max_size=300))
def test_whatever_bytes_are_sent_end_no_more_than_the_call(
    tmp_path_factory: pytest.TempPathFactory, sent: list[bytes], noise: bytes
) -> None:
    folder = tmp_path_factory.mktemp("journals")

    async def call() -> None:
        async with beside(folder) as hands:
            async with raw_call(hands) as (line, _):
                line.writer.write(b"".join(sent) + noise)
                line.writer.write_eof()
                await line.is_closed()
                await until_over(hands)

    asyncio.run(call())

    assert ending(folder)["reason"] in {"twilio_lost", "twilio_broke_protocol"}
