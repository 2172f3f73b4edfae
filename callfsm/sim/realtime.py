"""A simulated OpenAI Realtime server (GA protocol, manual turns, mu-law) that follows a script.

It stands in for the vendor in tests and demos: what a telephone client may do is answered as the vendor documents
it, or as live captures show it. Left out: turn detection, tools, responses outside the conversation.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import attrs
from aiohttp import WSCloseCode, WSMsgType, web

from callfsm.sim.changes import Changes
from callfsm.sim.realtime_connection import Connection
from callfsm.sim.realtime_script import Fault, Script
from callfsm.sim.realtime_session import Session
from callfsm.sim.sockets import Socket

PATH: Final = "/v1/realtime"
_BETA_REFUSED: Final = 4000
_MAX_MESSAGE_BYTES: Final = 32 * 1024 * 1024
_REFUSALS: Final = {
    Fault.UNAUTHORIZED: (401, None, "Missing bearer authentication in header."),
    Fault.FORBIDDEN: (403, None, "You are not allowed to use this model."),
    Fault.NOT_FOUND: (404, None, "Invalid URL."),
    Fault.TOO_MANY_REQUESTS: (429, "rate_limit_exceeded", "Rate limit reached for requests."),
    Fault.REFUSED_FOR_QUOTA: (429, "insufficient_quota", "You exceeded your current quota."),
    Fault.SERVER_ERROR: (500, None, "The server had an error while processing your request."),
}


@attrs.define(eq=False)
class Connections:
    """Every connection the server has had, oldest first, closed ones included.

    `tried_at_s` has the time of each attempt to connect, refused ones included, on the event loop's clock.
    `scripts` may be changed while the server is at work, for the attempts that follow.
    """

    scripts: tuple[Script, ...]
    tried_at_s: list[float] = attrs.field(factory=list, init=False)
    over: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    """Set when the server stops."""
    opened: list[Connection] = attrs.field(factory=list, init=False)
    _changes: Changes = attrs.field(factory=Changes, init=False)

    def next_script(self) -> Script:
        """Return the script for the next attempt: the n-th for the n-th, the last for all that follow."""
        script = self.scripts[min(self.handshakes, len(self.scripts) - 1)]
        self.tried_at_s.append(asyncio.get_running_loop().time())
        self._changes.notify()
        return script

    @property
    def handshakes(self) -> int:
        """How often somebody tried to connect."""
        return len(self.tried_at_s)

    def add(self, connection: Connection) -> None:
        """Keep a connection that has just opened."""
        self.opened.append(connection)
        self._changes.notify()

    async def wait_for(self, number: int = 1, timeout_s: float = 5.0) -> Connection:
        """Return the connection of this number (from 1), once it is open; TimeoutError if that takes too long."""
        await self._changes.until(lambda: len(self.opened) >= number, f"connection {number}", timeout_s)
        return self.opened[number - 1]

    async def wait_for_handshakes(self, count: int, timeout_s: float = 5.0) -> None:
        """Return once so many have tried to connect; TimeoutError if that takes too long."""
        await self._changes.until(lambda: self.handshakes >= count, f"handshake {count}", timeout_s)


CONNECTIONS: Final = web.AppKey("connections", Connections)


def build_realtime_app(*scripts: Script) -> web.Application:
    """Return the server. The n-th attempt to connect gets the n-th script, later ones the last."""
    app = web.Application()
    app[CONNECTIONS] = Connections(scripts or (Script(),))
    app.router.add_get(PATH, _connect)
    app.on_shutdown.append(_close_all)
    return app


@attrs.frozen
class Running:
    """A server at work: its URL, to which a client adds `?model=`, and what went over its connections."""

    url: str
    connections: Connections


@asynccontextmanager
async def running(*scripts: Script, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Running]:
    """Serve for the length of the block, on any free port unless one is named; OSError where that is taken."""
    app = build_realtime_app(*scripts)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        bound_port = runner.addresses[0][1]
        yield Running(f"ws://{host}:{bound_port}{PATH}", app[CONNECTIONS])
    finally:
        await runner.cleanup()


async def serve(port: int, *scripts: Script, host: str = "127.0.0.1") -> None:
    """Serve until cancelled; OSError where the port is taken."""
    async with running(*scripts, host=host, port=port):
        await asyncio.Event().wait()


async def _connect(request: web.Request) -> web.StreamResponse:
    connections = request.app[CONNECTIONS]
    script = connections.next_script()
    if Fault.NO_HANDSHAKE in script.faults:
        await connections.over.wait()
    if refusal := _refusal(request, script):
        return refusal
    model = request.query["model"]

    socket = web.WebSocketResponse(compress=False, max_msg_size=_MAX_MESSAGE_BYTES, timeout=1.0)
    await socket.prepare(request)
    async with asyncio.TaskGroup() as tasks:
        abort = request.transport.abort if request.transport else None
        connection = Connection(len(connections.opened) + 1, model, script, socket, tasks, abort)
        connections.add(connection)
        try:
            if request.headers.get("OpenAI-Beta") == "realtime=v1":
                await _refuse_beta(connection)
            else:
                await converse(connection, socket)
        finally:
            connection.end()
    return socket


def _refusal(request: web.Request, script: Script) -> web.Response | None:
    """Return why there is no handshake: the script's fault, or the client's."""
    for fault, (status, code, message) in _REFUSALS.items():
        if fault in script.faults:
            return _http_error(status, message, code, script.retry_after)
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer" or not key:
        return _http_error(*_REFUSALS[Fault.UNAUTHORIZED][::2])
    if not request.query.get("model"):
        return _http_error(400, "You must provide a model parameter.")
    return None


async def converse(connection: Connection, socket: Socket) -> None:
    """Answer one client, by its connection's script, until its socket is closed."""
    session = Session(connection)
    await session.open()
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await session.receive(message.data)


async def _refuse_beta(connection: Connection) -> None:
    error = {
        "type": "invalid_request_error",
        "code": "beta_api_shape_disabled",
        "message": "The Realtime beta API shape is disabled; use the GA API.",
        "param": None,
        "event_id": None,
    }
    await connection.send("error", error=error)
    await connection.close(_BETA_REFUSED)


def _http_error(status: int, message: str, code: str | None = None, retry_after: str = "") -> web.Response:
    error = {"type": code or "invalid_request_error", "code": code, "message": message, "param": None}
    headers = {"Retry-After": retry_after} if retry_after else {}
    return web.json_response({"error": error}, status=status, headers=headers)


async def _close_all(app: web.Application) -> None:
    app[CONNECTIONS].over.set()
    for connection in app[CONNECTIONS].opened:
        await connection.close(WSCloseCode.GOING_AWAY)
