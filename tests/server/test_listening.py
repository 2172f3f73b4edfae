"""The listeners against strangers: too many connections, slow requests, what is no HTTP, foreign pages, the token."""

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import attrs
import pytest
from aiohttp import web
from attrs import evolve

from callfsm.config import ClipsConfig, Config, LimitsConfig
from callfsm.environment import Environment
from callfsm.hearing.wav import write_wav
from callfsm.server import loop_watch
from callfsm.server.app import build_admin_app, build_app
from callfsm.server.listening import OPERATOR, PUBLIC, Bounds, listen
from callfsm.server.shared import Server, make_server
from tests.server.raw_line import start, text

TIMEOUT_S = 10.0
OURS = Config(public_url="https://calls.example.org")
HASTY = LimitsConfig(request_s=0.2)
SIGNED = Environment("sk-secret", twilio_auth_token="shhh")
TOKEN = "0123456789abcdef"
LIVE = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
FORM = b"POST /twilio/voice HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"

HANDSHAKE = (
    b"GET /twilio/media HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@attrs.frozen
class Line:
    """A raw connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def sends(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> bytes:
        """The head of the next answer."""
        async with asyncio.timeout(TIMEOUT_S):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def rest(self) -> bytes:
        """All that comes until the other side closes."""
        async with asyncio.timeout(TIMEOUT_S):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""


@attrs.frozen
class Door:
    """One of the listeners, at work."""

    server: Server
    port: int
    http: aiohttp.ClientSession
    lines: list[Line] = attrs.field(factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def line(self) -> Line:
        self.lines.append(Line(*await asyncio.open_connection("127.0.0.1", self.port)))
        return self.lines[-1]

    async def get(self, path: str, **headers: str) -> aiohttp.ClientResponse:
        async with self.http.get(self.url + path, headers=headers) as answer:
            await answer.read()
            return answer

    def metric(self, name: str, **labels: str) -> float | None:
        return self.server.metrics.registry.get_sample_value(name, labels)

    async def until_metric(self, value: float, name: str, **labels: str) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            while self.metric(name, **labels) != value:
                await self.get("/livez")


@asynccontextmanager
async def door(
    config: Config | None = None,
    environment: Environment | None = None,
    connections: int = 100,
    name: str = PUBLIC,
    admin_host: str = "127.0.0.1",
) -> AsyncIterator[Door]:
    """Open a listener for the length of the block; insecure, unless the environment has a Twilio token."""
    environment = environment or Environment("sk-secret")
    config = config or Config()
    server = make_server(config, environment, is_insecure=not environment.twilio_auth_token)
    app = build_app(server) if name == PUBLIC else build_admin_app(server, admin_host)
    bounds = Bounds(name, connections, config.limits.request_s)
    runner: web.AppRunner = await listen(app, server, bounds, "127.0.0.1", 0)
    # Each request of the client is a connection of its own, so that none is left to count.
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as http:
        opened = Door(server, runner.addresses[0][1], http)
        try:
            yield opened
        finally:
            for line in opened.lines:
                line.writer.transport.abort()
            await runner.cleanup()


def lines_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


# How many


async def test_connections_above_the_bound_are_closed_and_those_below_are_served(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with door(connections=5) as public:
        kept = [await public.line() for _ in range(5)]
        strangers = [await public.line() for _ in range(20)]
        heard = [await stranger.rest() for stranger in strangers]
        for line in kept:
            await line.sends(LIVE)
        answers = [await line.answer() for line in kept]
        is_full = public.metric("callfsm_connections", listener="public")
        kept[0].writer.close()
        await kept[0].writer.wait_closed()
        # One more would be refused as long as the server has not seen the close.
        async with asyncio.timeout(TIMEOUT_S):
            while public.metric("callfsm_connections", listener="public") == 5:
                await kept[1].sends(LIVE)
                await kept[1].answer()
        late = await public.get("/livez")

    assert heard == [b""] * 20
    assert all(answer.startswith(b"HTTP/1.1 200 ") for answer in answers)
    assert is_full == 5
    assert late.status == 200
    assert public.metric("callfsm_connections_refused_total", listener="public") == 20
    assert lines_of(caplog) == ["[DOOR] More than 5 connections at the public listener: refused"]


async def test_burst_is_counted_before_it_is_connected() -> None:
    async with door(connections=5) as public:
        lines = await asyncio.gather(*(public.line() for _ in range(60)))
        ends = [asyncio.ensure_future(line.rest()) for line in lines]
        async with asyncio.timeout(TIMEOUT_S):
            while sum(end.done() for end in ends) < 55:
                await asyncio.wait([end for end in ends if not end.done()], return_when=asyncio.FIRST_COMPLETED)
        kept = [line for line, end in zip(lines, ends, strict=True) if not end.done()]
        for end in ends:
            end.cancel()
        await asyncio.gather(*ends, return_exceptions=True)
        for line in kept:
            await line.sends(LIVE)
        answers = [await line.answer() for line in kept]

    assert len(answers) == 5
    assert public.metric("callfsm_connections_refused_total", listener="public") == 55


# How slow


@pytest.mark.parametrize("sent", [[], [b"GET /liv"], [LIVE, b"GET /liv"]], ids=["nothing", "half", "half a second"])
async def test_request_that_does_not_come_is_not_waited_for(
    caplog: pytest.LogCaptureFixture, sent: list[bytes]
) -> None:
    async with door(Config(limits=HASTY)) as public:
        line = await public.line()
        for data in sent[:-1]:
            await line.sends(data)
            await line.answer()
        for data in sent[-1:]:
            await line.sends(data)
        await line.rest()

        assert public.metric("callfsm_rejected_total", reason="slow_request") == 1
        assert lines_of(caplog) == ["[DOOR] Refused at the public listener: slow_request"]


async def test_connection_that_was_only_kept_alive_is_closed_without_blame(caplog: pytest.LogCaptureFixture) -> None:
    async with door(Config(limits=HASTY)) as public:
        line = await public.line()
        await line.sends(LIVE)
        await line.answer()
        await line.rest()

        assert public.metric("callfsm_rejected_total", reason="slow_request") is None
        assert lines_of(caplog) == []


async def test_body_that_does_not_come_is_a_time_out() -> None:
    async with door(Config(limits=HASTY)) as public:
        line = await public.line()
        await line.sends(FORM + b"Content-Length: 30\r\n\r\nCallSid=")
        answer = await line.answer()
        await line.rest()

        assert answer.startswith(b"HTTP/1.1 408 ")
        assert public.metric("callfsm_rejected_total", reason="slow_request") == 1


async def test_body_that_trickles_is_a_time_out() -> None:
    async with door(Config(limits=HASTY)) as public:
        line = await public.line()
        await line.sends(FORM + b"Content-Length: 60000\r\n\r\n")
        answered = asyncio.ensure_future(line.answer())
        while not answered.done():
            line.writer.write(b"a")
            await asyncio.wait([answered], timeout=0.02)

        assert (await answered).startswith(b"HTTP/1.1 408 ")


async def test_answer_that_is_not_taken_is_given_up(tmp_path: Path) -> None:
    write_wav(tmp_path / "long.wav", b"\x55" * 2**23)
    config = Config(limits=HASTY, clips=ClipsConfig(busy=str(tmp_path / "long.wav")))
    async with door(config) as public:
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        raw.setblocking(False)
        await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", public.port))
        await asyncio.get_running_loop().sock_sendall(raw, b"GET /clips/busy HTTP/1.1\r\nHost: x\r\n\r\n")
        await public.until_metric(1, "callfsm_rejected_total", reason="slow_request")
        raw.close()


async def test_media_socket_is_no_request_any_more() -> None:
    limits = evolve(HASTY, start_s=1.0)
    async with door(Config(limits=limits)) as public:
        async with public.http.ws_connect(f"{public.url}/twilio/media") as media:
            await media.receive(timeout=TIMEOUT_S)

        assert media.close_code == aiohttp.WSCloseCode.POLICY_VIOLATION
        assert public.metric("callfsm_rejected_total", reason="no_start") == 1
        assert public.metric("callfsm_rejected_total", reason="slow_request") is None


async def test_frames_behind_a_handshake_end_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    async with door() as public:
        line = await public.line()
        await line.sends(HANDSHAKE + text(start(), masked=False))
        answer = await line.rest()

        assert answer.startswith(b"HTTP/1.1 400 ")
        assert public.server.calls == {}
        assert public.metric("callfsm_rejected_total", reason="broken_protocol") == 1
        assert lines_of(caplog) == ["[DOOR] Refused at /twilio/media: broken_protocol"]


# What is no HTTP

CHUNKED = FORM + b"Transfer-Encoding: chunked\r\n\r\n"
NO_HTTP = [
    ("TLS", [b"\x16\x03\x01\x02\x00\x01\xfc\x03\x03" + b"x" * 200], "bad_request"),
    ("no method", [b"HELLO\r\n\r\n"], "bad_request"),
    ("no header", [b"GET /livez HTTP/1.1\r\nHost: x\r\nno header\r\n\r\n"], "bad_request"),
    ("a long line", [b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n"], "bad_request"),
    ("no port", [b"POST http://x:99999/twilio/voice HTTP/1.1\r\nHost: x\r\n\r\n"], "bad_request"),
    ("no gzip", [FORM + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"], "broken_form"),
    ("no chunk", [CHUNKED + b"2\r\nab\r\nzz\r\n"], "bad_request"),
    ("no UTF-8", [FORM + b"Content-Length: 3\r\n\r\na=\xff"], "broken_form"),
]


@pytest.mark.parametrize(("sent", "reason"), [pytest.param(*c[1:], id=c[0]) for c in NO_HTTP])
async def test_what_is_no_http_is_one_line_of_the_log(
    caplog: pytest.LogCaptureFixture, sent: list[bytes], reason: str
) -> None:
    async with door() as public:
        line = await public.line()
        for data in sent:
            await line.sends(data)
        answer = await line.answer()

        assert b" 400 " in answer
        assert public.metric("callfsm_rejected_total", reason=reason) == 1
        assert [line.rpartition(" ")[2] for line in lines_of(caplog)] == [reason]
        assert [record.exc_info for record in caplog.records] == [None]


async def test_body_broken_off_is_one_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with door() as public:
        line = await public.line()
        await line.sends(FORM + b"Expect: 100-continue\r\nContent-Length: 30\r\n\r\n")
        await line.answer()
        reset = struct.pack("ii", 1, 0)
        line.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        line.writer.transport.abort()
        await public.until_metric(1, "callfsm_rejected_total", reason="broken_form")

    assert lines_of(caplog) == ["[DOOR] Refused at /twilio/voice: broken_form"]
    assert [record.exc_info for record in caplog.records] == [None]


async def test_text_that_cannot_be_signed_is_not_signed() -> None:
    async with door(OURS, SIGNED) as public:
        kind = "application/x-www-form-urlencoded; charset=utf-7"
        headers = {"Content-Type": kind, "X-Twilio-Signature": "x"}
        async with public.http.post(f"{public.url}/twilio/voice", data=b"CallSid=+2AA-", headers=headers) as answer:
            status = answer.status

        assert status == 403
        assert public.metric("callfsm_rejected_total", reason="bad_signature") == 1


# Whose page

AT = "http://127.0.0.1:{port}"
ORIGINS = [
    # id                       environment           listener  Origin                              is ours
    ("ours",                    SIGNED,              PUBLIC,   "https://calls.example.org",         True),
    ("ours in capitals",        SIGNED,              PUBLIC,   "https://Calls.Example.ORG:443",     True),
    ("another",                 SIGNED,              PUBLIC,   "https://evil.example",              False),
    ("another port",            SIGNED,              PUBLIC,   "https://calls.example.org:8443",    False),
    ("ours as a user",          SIGNED,              PUBLIC,   "https://calls.example.org@evil.example", False),
    ("ours as a beginning",     SIGNED,              PUBLIC,   "https://calls.example.org.evil.example", False),
    ("another scheme",          SIGNED,              PUBLIC,   "ftp://calls.example.org",           False),
    ("a sandbox",               SIGNED,              PUBLIC,   "null",                              False),
    ("nothing",                 SIGNED,              PUBLIC,   "",                                  False),
    ("no address",              SIGNED,              PUBLIC,   "http://[",                          False),
    ("the address called",      SIGNED,              PUBLIC,   AT,                                  False),
    ("insecure: the address",   Environment("sk"),   PUBLIC,   AT,                                  True),
    ("insecure: another",       Environment("sk"),   PUBLIC,   "http://localhost.evil.example",     False),
    ("operator's: the address", SIGNED,              OPERATOR, AT,                                  True),
    ("operator's: public",      SIGNED,              OPERATOR, "https://calls.example.org",         False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("environment", "name", "origin", "is_ours"), [pytest.param(*c[1:], id=c[0]) for c in ORIGINS]
)
async def test_request_of_a_foreign_page_is_refused(
    environment: Environment, name: str, origin: str, is_ours: bool
) -> None:
    async with door(OURS, environment, name=name) as opened:
        answer = await opened.get("/livez", Origin=origin.format(port=opened.port))

        assert answer.status == (200 if is_ours else 403)
        assert opened.metric("callfsm_rejected_total", reason="foreign_origin") == (None if is_ours else 1)


async def test_foreign_page_opens_no_media_socket_and_reads_no_metrics() -> None:
    async with door() as public, door(name=OPERATOR) as operators:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await public.http.ws_connect(f"{public.url}/twilio/media", origin="https://evil.example")
        answer = await operators.get("/metrics", Origin="https://evil.example")

    assert refused.value.status == 403
    assert answer.status == 403


async def test_two_origins_are_one_too_many() -> None:
    async with door(OURS, SIGNED) as public:
        line = await public.line()
        twice = b"Origin: https://calls.example.org\r\nOrigin: https://evil.example\r\n\r\n"
        await line.sends(LIVE[:-2] + twice)

        assert b" 403 " in await line.answer()


async def test_path_of_a_foreign_page_cannot_forge_a_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with door() as public:
        await public.get("/x%0aINFO CA1 User said", Origin="https://evil.example")

    assert lines_of(caplog) == ["[DOOR] Refused at an unknown path: foreign_origin"]


# By which name

NAMES = [
    # id                 Host                          is the operator's
    ("an address",       "127.0.0.1",                  True),
    ("and a port",       "10.1.2.3:9090",              True),
    ("version six",      "[::1]:9090",                 True),
    ("and no port",      "[::1]",                      True),
    ("a name",           "localhost:1",                True),
    ("in capitals",      "LocalHost",                  True),
    ("as configured",    "Metrics.Example:9090",       True),
    ("another",          "evil.example:9090",          False),
    ("as a beginning",   "127.0.0.1.evil.example",     False),
    ("as an end",        "evil.localhost",             False),
    ("as a user",        "127.0.0.1@evil.example",     False),
    ("as a path",        "evil.example/127.0.0.1",     False),
    ("in brackets",      "[localhost]",                False),
    ("half a bracket",   "[::1",                       False),
    ("two ports",        "127.0.0.1:80:80",            False),
    ("a port of words",  "127.0.0.1:evil.example",     False),
    ("four in brackets", "[evil.example]:9090",        False),
    ("odd digits",       "\u0661\u0662\u0667.0.0.1",   False),
    ("nothing",          "",                           False),
    ("a port alone",     ":9090",                      False),
]  # fmt: skip


@pytest.mark.parametrize("path", ["/metrics", "/livez", "/readyz", "/no-such"])
@pytest.mark.parametrize(("host", "is_own"), [pytest.param(*c[1:], id=c[0]) for c in NAMES])
async def test_name_that_is_not_the_operators_is_refused(host: str, path: str, is_own: bool) -> None:
    async with door(name=OPERATOR, admin_host="metrics.example") as operators:
        line = await operators.line()
        await line.sends(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        answer = await line.answer()

        assert (b" 403 " not in answer) == is_own
        assert operators.metric("callfsm_rejected_total", reason="foreign_host") == (None if is_own else 1)


REBOUND = [("a page that asks itself", {"Origin": "http://evil.example:9090"}), ("without an Origin", {})]


@pytest.mark.parametrize("headers", [pytest.param(headers, id=name) for name, headers in REBOUND])
async def test_rebound_page_reads_no_metrics(headers: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    async with door(name=OPERATOR) as operators:
        url = f"{operators.url}/metrics"
        async with operators.http.get(url, headers={"Host": "evil.example:9090", **headers}) as answer:
            heard = await answer.text()

    assert (answer.status, heard) == (403, "foreign_host")
    assert lines_of(caplog) == ["[DOOR] Refused at /metrics: foreign_host"]


async def test_monitor_of_old_that_sends_no_name_is_answered() -> None:
    async with door(name=OPERATOR) as operators:
        line = await operators.line()
        await line.sends(b"GET /livez HTTP/1.0\r\n\r\n")

        assert b" 200 " in await line.answer()


@pytest.mark.parametrize(("headers", "status"), [({}, 401), ({"Authorization": f"Bearer {TOKEN}"}, 200)])
async def test_token_decides_whatever_the_name(headers: dict[str, str], status: int) -> None:
    async with door(environment=Environment("sk", admin_token=TOKEN), name=OPERATOR) as operators:
        answer = await operators.get("/metrics", Host="metrics.example", **headers)

        assert answer.status == status


async def test_public_listener_asks_for_no_name() -> None:
    async with door(OURS, SIGNED) as public:
        assert (await public.get("/livez", Host="whatever.example")).status == 200


# The operator's token

BEARING = [
    ("none", {}, "/metrics", 401),
    ("another", {"Authorization": f"Bearer {TOKEN}x"}, "/metrics", 401),
    ("a beginning", {"Authorization": f"Bearer {TOKEN[:-1]}"}, "/metrics", 401),
    ("an empty one", {"Authorization": "Bearer "}, "/metrics", 401),
    ("another scheme", {"Authorization": f"Basic {TOKEN}"}, "/metrics", 401),
    ("in the query", {}, f"/metrics?token={TOKEN}", 401),
    ("no such path", {}, "/secret", 401),
    ("doubled slash", {}, "//metrics", 401),
    ("the token", {"Authorization": f"Bearer {TOKEN}"}, "/metrics", 200),
    ("small letters", {"Authorization": f"bearer {TOKEN}"}, "/metrics", 200),
    ("health", {}, "/livez", 200),
    ("readiness", {}, "/readyz", 200),
]


@pytest.mark.parametrize(("headers", "path", "status"), [pytest.param(*c[1:], id=c[0]) for c in BEARING])
async def test_operators_listener_wants_its_token(headers: dict[str, str], path: str, status: int) -> None:
    async with door(environment=Environment("sk", admin_token=TOKEN), name=OPERATOR) as operators:
        answer = await operators.get(path, **headers)

        assert answer.status == status
        assert answer.headers.get("WWW-Authenticate") == {401: "Bearer", 200: None}[status]
        assert operators.metric("callfsm_rejected_total", reason="admin_token") == {401: 1, 200: None}[status]


async def test_token_of_other_bytes_is_none() -> None:
    async with door(environment=Environment("sk", admin_token=TOKEN), name=OPERATOR) as operators:
        line = await operators.line()
        await line.sends(b"GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\xfe\r\n\r\n")

        assert b" 401 " in await line.answer()


async def test_without_a_token_the_operators_listener_asks_for_none() -> None:
    async with door(name=OPERATOR) as operators:
        assert (await operators.get("/metrics")).status == 200


# The event loop


async def test_late_loop_is_measured_and_is_one_line_of_the_log(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_watch, "TOO_LATE_S", 0.5)
    async with door() as public:
        for late_s in (0.5, 1.0):
            asyncio.get_running_loop().call_soon(time.sleep, 0.8)
            async with asyncio.timeout(TIMEOUT_S):
                while (public.metric("callfsm_loop_lag_seconds_sum") or 0.0) < late_s:
                    await public.get("/livez")

    assert [line[:32] for line in lines_of(caplog)] == ["[LOOP] The event loop is late by"]


async def test_tasks_are_counted() -> None:
    async with door() as public:
        before = public.metric("callfsm_tasks")
        tasks = [asyncio.create_task(asyncio.Event().wait()) for _ in range(5)]
        during = public.metric("callfsm_tasks")
        for task in tasks:
            task.cancel()

    assert before is not None
    assert during == before + 5
