"""Peers that misbehave in ways that only a real socket can show."""

import asyncio
import base64
import json
import os
import socket
from pathlib import Path

import aiohttp
import pytest
from attrs import evolve

from callfsm.config import Config, LimitsConfig
from callfsm.server import link as link_module
from callfsm.server.outbox import Outbox
from tests.server.by_hand import QUIET, Hands, by_hand
from tests.server.test_session import GRACELESS, answered, journal, last_line


async def test_session_that_never_lasts_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "FIRST_BACKOFF_S", 0.01)
    async with by_hand(folder=tmp_path) as hands:
        twilio = await hands.call()
        for _ in range(Config().limits.realtime_tries):
            api = await hands.api()
            await api.until("session.update")
            await api.ready()
            await api.socket.close()
        await twilio.until("closed")

    assert last_line(tmp_path)["end"]["reason"] == "realtime_lost"


async def test_private_close_code_is_not_tried_again(tmp_path: Path) -> None:
    async with by_hand(folder=tmp_path) as hands:
        twilio = await hands.call()
        api = await hands.api()
        await api.until("session.update")
        await api.ready()
        await api.socket.close(code=4000)
        await twilio.until("closed")

    assert last_line(tmp_path)["end"]["reason"] == "realtime_closed:4000"


async def test_passing_error_before_the_session_is_ready_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "FIRST_BACKOFF_S", 0.01)
    async with by_hand() as hands:
        await hands.call()
        first = await hands.api()
        await first.until("session.update")
        await first.send("error", error={"type": "server_error", "code": "server_error", "message": ""})
        second = await hands.api()

        assert (await second.until("session.update"))["type"] == "session.update"


async def test_error_that_answers_our_settings_is_final(tmp_path: Path) -> None:
    async with by_hand(folder=tmp_path) as hands:
        twilio = await hands.call()
        api = await hands.api()
        update = await api.until("session.update")
        await api.send("error", error={"type": "server_error", "code": None, "event_id": update["event_id"]})
        await twilio.until("closed")

    assert last_line(tmp_path)["end"]["reason"] == "realtime_session_rejected:no_code"


async def test_turn_of_thousands_of_digits_is_nobodys(tmp_path: Path) -> None:
    async with by_hand(GRACELESS, folder=tmp_path) as hands:
        twilio, api = await answered(hands)
        await api.creates("huge", "9" * 5000)
        cancel = await api.until("response.cancel")
        await twilio.send({"event": "stop"})
        await twilio.until("closed")

    assert cancel["response_id"] == "huge"
    assert last_line(tmp_path)["end"]["reason"] == "hangup"


async def test_bug_in_a_writer_ends_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with by_hand(folder=tmp_path) as hands:
        twilio = await hands.call()
        api = await hands.api()
        await api.until("session.update")

        async def broken(self: Outbox, socket: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(Outbox, "write_to", broken)
        await api.ready()
        await twilio.until("closed")

    assert last_line(tmp_path)["end"]["reason"] == "internal_error"
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert caplog.records[1].getMessage() == "[CALL] Ended: internal_error"


async def test_event_that_meets_a_bug_is_in_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(call: object, event: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("callfsm.server.session.dispatch", broken)
    async with by_hand(folder=tmp_path) as hands:
        twilio = await hands.call()
        await twilio.hears(QUIET)
        await twilio.until("closed")

    assert journal(tmp_path)[1]["event"] == "RmsFrame"


def masked(text: str) -> bytes:
    """A client's text frame, as RFC 6455 has it."""
    body, mask = text.encode(), os.urandom(4)
    length = bytes([0x80 | len(body)]) if len(body) < 126 else bytes([0xFE]) + len(body).to_bytes(2, "big")
    return b"\x81" + length + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(body))


async def shaken(hands: Hands) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A raw media socket whose receive buffer is as small as the system allows."""
    host, port = hands.base.removeprefix("://").split(":")
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, (host, int(port)))
    reader, writer = await asyncio.open_connection(sock=raw, limit=2**10)
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write(
        f"GET /twilio/media HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


@pytest.mark.parametrize("spoken_ms", [0, 60_000, 400_000])
async def test_caller_who_reads_nothing_does_not_keep_the_call(tmp_path: Path, spoken_ms: int) -> None:
    config = evolve(GRACELESS, limits=LimitsConfig(no_media_s=0.5))
    async with by_hand(config, folder=tmp_path) as hands:
        reader, writer = await shaken(hands)
        start = {"event": "start", "streamSid": "M", "start": {"callSid": "CA1"}}
        writer.write(masked(json.dumps(start)))
        api = await hands.api()
        await api.until("session.update")
        await api.ready()
        loud = base64.b64encode(b"\x00\x80" * 80).decode()
        quiet = base64.b64encode(QUIET).decode()
        for payload in [*[quiet] * 75, *[loud] * 15, *[quiet] * 30]:
            writer.write(masked(json.dumps({"event": "media", "media": {"payload": payload}})))
        await api.until("input_audio_buffer.commit")
        await api.send("input_audio_buffer.committed", item_id="u1")
        await api.transcribes("u1", "מה שעות הפתיחה?")
        await api.until("response.create")
        await api.creates("r1", "1")
        if spoken_ms:
            await api.speaks("r1", "a1", spoken_ms)
        await api.until_closed()
        async with asyncio.timeout(20):
            await hands.server.wait_for_the_last_call()
        writer.transport.abort()
        del reader

    assert last_line(tmp_path)["end"]["reason"] == "no_media"


FORMS = [
    ("a file", {"Content-Type": "multipart/form-data; boundary=x"}, b"--x\r\n\r\nfile\r\n--x--\r\n"),
    ("no boundary", {"Content-Type": "multipart/form-data"}, b""),
    ("json", {"Content-Type": "application/json"}, b"{}"),
    ("unknown charset", {"Content-Type": "application/x-www-form-urlencoded; charset=klingon"}, b"CallSid=CA1"),
    ("broken text", {"Content-Type": "application/x-www-form-urlencoded"}, b"CallSid=\xff"),
    ("no call", {"Content-Type": "application/x-www-form-urlencoded"}, b"To=1"),
]


@pytest.mark.parametrize(("headers", "body"), [pytest.param(*c[1:], id=c[0]) for c in FORMS])
async def test_form_that_is_none_is_a_bad_request(
    caplog: pytest.LogCaptureFixture, headers: dict[str, str], body: bytes
) -> None:
    async with by_hand() as hands:
        url = f"http{hands.base}/twilio/voice"
        async with hands.http.post(url, headers=headers, data=body) as answer:
            assert answer.status == 400

    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["[DOOR] Refused at /twilio/voice"]


async def test_name_of_a_call_cannot_forge_a_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with by_hand() as hands:
        twilio = await hands.call("CA1\nINFO CA2 [BARGE-IN]")
        await twilio.socket.send_str("{")
        await twilio.send({"event": "stop"})
        await twilio.until("closed")

    assert [record.__dict__["call_sid"] for record in caplog.records] == ["CA1?INFO CA2 [BARGE-IN]"]


async def test_stream_of_another_track_is_no_media(tmp_path: Path) -> None:
    async with by_hand(Config(limits=LimitsConfig(no_media_s=0.2)), folder=tmp_path) as hands:
        twilio = await hands.call()
        closed = asyncio.create_task(twilio.until("closed"))
        while not closed.done():
            media = {"track": "outbound", "payload": "/w=="}
            try:
                await twilio.send({"event": "media", "media": media})
            except aiohttp.ClientConnectionResetError:
                break
            await asyncio.wait([closed], timeout=0.02)
        await closed

    assert last_line(tmp_path)["end"]["reason"] == "no_media"
