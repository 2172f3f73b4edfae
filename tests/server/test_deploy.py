"""The proxies of deploy/, carrying calls: what comes through, and what a long stream outlives."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from callfsm.config import Config, LimitsConfig
from callfsm.environment import Environment
from callfsm.sim.media_line import Kind as Happened
from callfsm.sim.realtime import running
from callfsm.sim.realtime_script import clip_reply
from tests.server.beside import ready
from tests.server.by_hand import Hands, Twilio, by_hand
from tests.server.proxies import (
    AUTH_TOKEN,
    HAPROXY,
    NGINX,
    SEVERAL,
    TIMEOUT_S,
    Kind,
    Proxy,
    free_port,
    is_installed,
    proxied,
)
from tests.server.stage import QUESTION, SPEED, script
from tests.test_server import OPENAI, run, until_status


def needs(kind: Kind) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not is_installed(kind), reason=f"{kind.program} or openssl is not installed")


EACH = [pytest.param(kind, id=kind.program, marks=needs(kind)) for kind in (HAPROXY, NGINX)]
SHORT_REPLY = clip_reply("he_reply_short")
FAST = """
[turn]
grace_ms = 30
transcript_timeout_ms = 3000
reply_timeout_ms = 5000

[limits]
twilio_ahead_s = 3600.0
"""
"""The callers are ten times as fast as the clock."""


@asynccontextmanager
async def serving(
    folder: Path, realtime_url: str, public_url: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str, str]]:
    """Run server.py, with signatures; its two addresses."""
    (folder / "callfsm.toml").write_text(FAST, encoding="utf-8")
    environ = {**OPENAI, "TWILIO_AUTH_TOKEN": AUTH_TOKEN, "OPENAI_REALTIME_URL": realtime_url}
    options = ("--port", "0", "--admin-port", "0", "--journal", str(folder / "journals"))
    process = await run(*options, environ={**environ, "CALLFSM_PUBLIC_URL": public_url}, cwd=folder)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(TIMEOUT_S):
            public, admin = [(await process.stdout.readline()).decode().split()[-1] for _ in range(2)]
        yield process, public.removeprefix("http://"), admin
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.parametrize("kind", EACH)
async def test_signed_call_comes_through_and_outlives_a_reload_and_a_drain(kind: Kind, tmp_path: Path) -> None:
    port = free_port()
    async with (
        running(script("שאלה", "עוד שאלה", "ועוד", replies=(SHORT_REPLY,) * 3)) as api,
        serving(tmp_path, api.url, f"https://localhost:{port}") as (process, server, admin),
        proxied(kind, tmp_path / "proxy", port=port, server=server) as proxy,
        proxy.call(speed=SPEED) as caller,
    ):
        await caller.silence(2)
        await caller.say(QUESTION)
        await caller.wait_for(Happened.SOUND, 1)
        await caller.wait_quiet()
        await proxy.reload()
        await caller.say(QUESTION)
        await caller.wait_for(Happened.SOUND, 2)
        await caller.wait_quiet()
        process.terminate()
        await until_status(proxy.http, f"{admin}/readyz", 503)
        busy = await proxy.post("/twilio/voice", {"CallSid": "CA-late"})
        await caller.say(QUESTION)
        await caller.wait_for(Happened.SOUND, 3)
        await caller.hang_up()
        after = await proxy.post("/twilio/after", {"CallSid": caller.details.call_sid})
        async with proxy.http.get(f"{proxy.url}/clips/busy") as clip:
            wav = await clip.read()
        # It would wait for what may follow the busy message.
        process.terminate()
        async with asyncio.timeout(TIMEOUT_S):
            code = await process.wait()

    (journal,) = (tmp_path / "journals").glob("*.jsonl")
    assert json.loads(journal.read_text(encoding="utf-8").splitlines()[-1])["end"]["reason"] == "hangup"
    assert (busy[0], "/clips/busy" in busy[1]) == (200, True)
    assert (after[0], "<Hangup" in after[1]) == (200, True)
    assert (clip.status, wav[:4], code) == (200, b"RIFF", 0)


# What a stream outlives, and what it would not with other numbers: two proxies before one server, a call through each.

SHORT = [
    # kind,   what is made short,                                          reloads, the proxy's key
    (HAPROXY, {"timeout tunnel 1h": "timeout tunnel 1s"},                   0, "silence"),
    (HAPROXY, {"hard-stop-after 35m": "hard-stop-after 1s"},                1, "reload"),
    (NGINX,   {"proxy_read_timeout 1h": "proxy_read_timeout 1s"},           0, "silence"),
    (NGINX,   {"worker_shutdown_timeout 35m": "worker_shutdown_timeout 1s"}, 1, "reload"),
]  # fmt: skip


async def open_stream(hands: Hands, proxy: Proxy, call_sid: str) -> Twilio:
    twilio = Twilio(await proxy.http.ws_connect(f"{proxy.url}/twilio/media"))
    await twilio.starts(call_sid)
    return twilio


@pytest.mark.parametrize(
    ("kind", "short", "reloads"),
    [pytest.param(*case[:3], id=f"{case[0].program} {case[3]}", marks=needs(case[0])) for case in SHORT],
)
async def test_stream_lives_as_long_as_the_proxy_lets_it(
    kind: Kind, short: dict[str, str], reloads: int, tmp_path: Path
) -> None:
    """Both lines are silent in both directions until the one is lost."""
    async with by_hand(Config(limits=LimitsConfig(no_media_s=600)), folder=tmp_path / "journals") as hands:
        server = hands.base.removeprefix("://")
        async with (
            proxied(kind, tmp_path / "ours", server=server) as ours,
            proxied(kind, tmp_path / "short", changes=short, server=server) as other,
        ):
            kept = await open_stream(hands, ours, "CA1")
            await ready(hands)
            lost = await open_stream(hands, other, "CA2")
            await ready(hands)
            for proxy in [ours, other] * reloads:
                await proxy.reload()
            end = await lost.next()
            await kept.send({"event": "stop"})
            closed = await kept.next()

    ends = {
        path.stem.rpartition("-")[2]: json.loads(path.read_text(encoding="utf-8").splitlines()[-1])["end"]["reason"]
        for path in (tmp_path / "journals").glob("*.jsonl")
    }
    assert end == {"event": "closed", "code": aiohttp.WSCloseCode.ABNORMAL_CLOSURE}
    assert closed == {"event": "closed", "code": aiohttp.WSCloseCode.OK}
    assert ends == {"CA1": "hangup", "CA2": "twilio_lost"}


@needs(HAPROXY)
async def test_server_that_is_marked_down_keeps_its_streams_where_nobody_shuts_them_down(tmp_path: Path) -> None:
    down_when_draining = {"GET /livez": "GET /readyz", "fall 3": "fall 1"}
    shut_down = {**down_when_draining, "maxconn 480": "maxconn 480 on-marked-down shutdown-sessions"}
    async with by_hand() as hands:
        server = hands.base.removeprefix("://")
        async with (
            proxied(HAPROXY, tmp_path / "kept", changes=down_when_draining, server=server) as ours,
            proxied(HAPROXY, tmp_path / "lost", changes=shut_down, server=server) as other,
        ):
            kept = await open_stream(hands, ours, "CA1")
            await ready(hands)
            lost = await open_stream(hands, other, "CA2")
            await ready(hands)
            hands.server.is_draining = True
            end = await lost.next()
            async with asyncio.timeout(TIMEOUT_S):
                while await statuses(ours, "/clips/busy") != [503]:
                    pass
            await kept.send({"event": "stop"})
            closed = await kept.next()

    assert end == {"event": "closed", "code": aiohttp.WSCloseCode.ABNORMAL_CLOSURE}
    assert closed == {"event": "closed", "code": aiohttp.WSCloseCode.OK}


# What comes through

CLAIMS = {
    "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "http",
    "X-Real-IP": "203.0.113.7",
    "Forwarded": "host=evil.example",
}


@asynccontextmanager
async def echoing() -> AsyncIterator[tuple[str, list[web.Request]]]:
    """A server that answers 200 to all, and what reached it."""
    reached: list[web.Request] = []

    async def take(request: web.Request) -> web.Response:
        reached.append(request)
        return web.Response(text=await request.text())

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"127.0.0.1:{runner.addresses[0][1]}", reached
    finally:
        await runner.cleanup()


async def statuses(proxy: Proxy, *paths: str) -> list[int]:
    answers = []
    for path in paths:
        async with proxy.http.get(proxy.url + path) as answer:
            answers.append(answer.status)
    return answers


@pytest.mark.parametrize("kind", EACH)
async def test_proxy_passes_what_is_twilios_and_nothing_else(kind: Kind, tmp_path: Path) -> None:
    secret = "token-in-a-query"
    async with echoing() as (server, reached), proxied(kind, tmp_path / "proxy", server=server) as proxy:
        closed = await statuses(
            proxy, "/metrics", "/livez", "/readyz", "/", "/twilio/voice/x", "/clips/", "/x/clips/y"
        )
        is_reached = [request.path for request in reached if request.path != "/livez"]
        headers = {"X-Twilio-Signature": "s", **CLAIMS}
        url = f"{proxy.url}/twilio/voice?a=1&t={secret}"
        async with proxy.http.post(url, data=b"x" * 60_000, headers=headers) as answer:
            body, request = await answer.read(), reached[-1]
        async with proxy.http.post(url, data=b"x" * 70_000) as answer:
            too_large = answer.status
        with pytest.raises(aiohttp.ClientConnectionError):
            await proxy.http.get(f"{proxy.url}/clips/busy", server_hostname="other.example", ssl=False)
        with pytest.raises(aiohttp.ClientError):
            await proxy.http.get(f"http://localhost:{proxy.port}/clips/busy", raise_for_status=True)

    assert closed == [404] * 7
    assert is_reached == []
    assert (request.method, request.path_qs, len(body)) == ("POST", f"/twilio/voice?a=1&t={secret}", 60_000)
    assert request.headers["X-Twilio-Signature"] == "s"
    assert [name for name in CLAIMS if name in request.headers] == []
    assert request.headers.get("Connection", "").lower() == "close"
    assert too_large == 413
    assert "/twilio/voice" in proxy.log()
    assert secret not in proxy.log()


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        pytest.param(
            HAPROXY, {"timeout http-request 10s": "timeout http-request 1s"}, id="haproxy", marks=needs(HAPROXY)
        ),
        pytest.param(
            NGINX, {"client_header_timeout 10s": "client_header_timeout 1s"}, id="nginx", marks=needs(NGINX)
        ),
    ],
)
async def test_stranger_who_sends_half_a_request_is_met_by_the_proxy(
    kind: Kind, changes: dict[str, str], tmp_path: Path
) -> None:
    async with (
        echoing() as (server, reached),
        proxied(kind, tmp_path / "proxy", changes=changes, server=server) as proxy,
    ):
        trust = ssl.create_default_context(cafile=tmp_path / "proxy" / "cert.pem")
        reader, writer = await asyncio.open_connection("localhost", proxy.port, ssl=trust)
        writer.write(b"POST /twilio/voice HTTP/1.1\r\nHost: localhost\r\nX-Half: ")
        await asyncio.wait_for(reader.read(), TIMEOUT_S / 2)
        writer.transport.abort()

    assert [request.path for request in reached if request.path != "/livez"] == []


# Several servers behind one address


async def redirected(proxy: Proxy) -> str:
    """Where a new call is sent: `a` or `b`."""
    _, twiml = await proxy.post("/twilio/voice", {"CallSid": "CA1"})
    before, url, after = twiml.replace("</", "<").split("<Redirect>")
    assert (before, after) == ("<Response>", "<Response>")
    assert url.startswith(f"{proxy.url}/")
    assert url.endswith("/twilio/voice")
    return url.split("/")[3]


async def until_all_go_to(proxy: Proxy, *names: str) -> None:
    """Wait until new calls go to all of these servers and to no other."""
    async with asyncio.timeout(TIMEOUT_S):
        while {await redirected(proxy) for _ in range(20)} != set(names):
            pass


@needs(SEVERAL)
async def test_several_servers_have_one_address_and_a_call_stays_with_its_own(tmp_path: Path) -> None:
    port = free_port()
    signed = Environment("sk-secret", twilio_auth_token=AUTH_TOKEN)
    async with (
        by_hand(Config(public_url=f"https://localhost:{port}/a"), signed) as a,
        by_hand(Config(public_url=f"https://localhost:{port}/b"), signed) as b,
        proxied(
            SEVERAL,
            tmp_path / "proxy",
            port=port,
            server=a.base.removeprefix("://"),
            other=b.base.removeprefix("://"),
        ) as proxy,
    ):
        await until_all_go_to(proxy, "a", "b")
        async with proxy.call("/a/twilio/voice") as of_a, proxy.call("/b/twilio/voice") as of_b:
            await ready(a)
            await ready(b)
            a.server.is_draining = True
            await until_all_go_to(proxy, "b")
            b.server.is_draining = True
            await until_all_go_to(proxy, "a", "b")
            a.server.is_draining = False
            await until_all_go_to(proxy, "a")
            were_over = [of_a.is_over, of_b.is_over]
        after = [await proxy.post(f"/{name}/twilio/after", {"CallSid": "CA1"}) for name in "ab"]
        closed = await statuses(proxy, "/a/metrics", "/b/readyz", "/metrics", "/c/twilio/voice", "/a/b/twilio/voice")

    assert were_over == [False, False]
    assert [status for status, _ in after] == [200, 200]
    assert closed == [404] * 5
