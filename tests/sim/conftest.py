"""Fixtures: a hand-driven peer for each of the simulators."""

from collections.abc import Awaitable, Callable

import pytest
from pytest_aiohttp import AiohttpClient, AiohttpServer

from callfsm.sim.realtime import CONNECTIONS, build_realtime_app
from callfsm.sim.realtime_script import Script
from tests.sim.media_server import MediaServer
from tests.sim.realtime_client import HEADERS, URL, Client

Connect = Callable[[Script], Awaitable[Client]]


@pytest.fixture
def connect(aiohttp_client: AiohttpClient) -> Connect:
    """Return what starts a server with a script and connects to it, up to session.created."""

    async def connect_to(script: Script) -> Client:
        app = build_realtime_app(script)
        client = await aiohttp_client(app)
        socket = await client.ws_connect(URL, headers=HEADERS)
        connected = Client(socket, await app[CONNECTIONS].wait_for())
        await connected.until("session.created")
        return connected

    return connect_to


@pytest.fixture
async def server(aiohttp_server: AiohttpServer) -> MediaServer:
    """Return a running server that simulated callers can call."""
    media_server = MediaServer()
    running = await aiohttp_server(media_server.app())
    media_server.base = str(running.make_url("")).rstrip("/")
    return media_server
