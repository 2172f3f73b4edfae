"""The two applications: the public one that Twilio calls, and the operator's."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

import aiohttp
from aiohttp import WSCloseCode, web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from callfsm.audit.journal import JournalWriter
from callfsm.audit.recovery import Recovery
from callfsm.server import webhooks
from callfsm.server.listening import in_time
from callfsm.server.loop_watch import watched
from callfsm.server.media import media
from callfsm.server.middlewares import operators_token, own_name, own_origin
from callfsm.server.realtime_session import probe, tell_quota
from callfsm.server.shared import SERVER, Server
from callfsm.speaking.prompts import NO_FACTS, briefing

SHUTDOWN_S: Final = 1.0
MAX_FORM_BYTES: Final = 64 * 2**10


async def live(_request: web.Request) -> web.Response:
    """Say that the process serves."""
    return web.Response(text="ok\n")


async def ready(request: web.Request) -> web.Response:
    """Say whether new calls are welcome."""
    server = request.app[SERVER]
    if server.is_draining or server.breaker.is_open:
        return web.Response(status=503, text="draining\n" if server.is_draining else "openai is down\n")
    return web.Response(text="ok\n")


async def metrics(request: web.Request) -> web.Response:
    """Give the metrics as Prometheus reads them."""
    body = generate_latest(request.app[SERVER].metrics.registry)
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _end_calls(app: web.Application) -> None:
    """End the live calls before aiohttp stops reading their sockets."""
    server = app[SERVER]
    for session in server.calls.values():
        session.end("shutdown")
    await asyncio.gather(*(socket.close(code=WSCloseCode.GOING_AWAY, drain=False) for socket in server.unstarted))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SHUTDOWN_S):
            await server.wait_for_the_last_call()


async def _services(app: web.Application) -> AsyncIterator[None]:
    server = app[SERVER]
    recovery = None
    if server.journal_dir:
        lost = server.metrics.journal_lost_lines
        server.journals = JournalWriter(server.journal_dir, lambda reason, lines: lost.labels(reason).inc(lines))
        recovery = Recovery(server.journal_dir, server.metrics.journals_aborted.inc)
    # max_calls is the limit; aiohttp's own, of 100 connections, would count every live call.
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, middlewares=[tell_quota]) as server.http:
        yield
    if server.detector:
        server.detector.close()
    if recovery:
        await asyncio.to_thread(recovery.stop)
    if server.journals:
        await asyncio.to_thread(server.journals.close)


async def _loop_watch(app: web.Application) -> AsyncIterator[None]:
    async with watched(app[SERVER].metrics):
        yield


async def _breaker_watch(app: web.Application) -> AsyncIterator[None]:
    server = app[SERVER]
    business = server.config.business_of("*")
    address = server.realtime_address(business, briefing(business, NO_FACTS))
    watch = asyncio.create_task(server.breaker.watch(lambda: probe(server.http, address, server.config.limits)))
    yield
    watch.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watch


def build_app(server: Server) -> web.Application:
    """Return the public application."""
    app = web.Application(client_max_size=MAX_FORM_BYTES, middlewares=[in_time, own_origin(public=True)])
    app[SERVER] = server
    app.cleanup_ctx.append(_services)
    app.cleanup_ctx.append(_breaker_watch)
    app.cleanup_ctx.append(_loop_watch)
    app.on_shutdown.append(_end_calls)
    app.router.add_post("/twilio/voice", webhooks.voice)
    app.router.add_post(webhooks.AFTER_PATH, webhooks.after)
    app.router.add_get(webhooks.MEDIA_PATH, media)
    app.router.add_get("/clips/{name}", webhooks.clip)
    _add_health(app)
    return app


def build_admin_app(server: Server, host: str = "localhost") -> web.Application:
    """Return the operator's application, which is asked for by this name or by an address."""
    app = web.Application(middlewares=[in_time, own_origin(public=False), own_name(host), operators_token])
    app[SERVER] = server
    app.router.add_get("/metrics", metrics)
    _add_health(app)
    return app


def _add_health(app: web.Application) -> None:
    app.router.add_get("/livez", live)
    app.router.add_get("/readyz", ready)
