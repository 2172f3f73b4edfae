"""A hostile world: a Realtime server whose every caller has a script of their own, and sockets that break.

For many calls at a time, of which each is to meet its own fault and no other call may notice.
"""

import asyncio
import os
import re
import socket as tcp
import struct
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from typing import Any, Final

import attrs
from aiohttp import ClientWebSocketResponse, WSCloseCode, WSMsgType, web

from callfsm.sim.caller import SimulatedCaller
from callfsm.sim.changes import Changes
from callfsm.sim.realtime import PATH
from callfsm.sim.realtime_connection import Connection
from callfsm.sim.realtime_script import Script
from callfsm.sim.realtime_session import Session

_FIRST_MESSAGE_S: Final = 10.0
_NUMBER: Final = re.compile(r"\+\d{6,15}")
_RESET_LINGER: Final = struct.pack("ii", 1, 0)
"""Kept for no time after the close: what the peer sees is a reset."""
_MAX_MESSAGE_BYTES: Final = 32 * 1024 * 1024


class Break(StrEnum):
    """What becomes of a session's socket at a message of the server's."""

    MUTE = "mute"
    """That message and all that follow are not sent. The socket stays open, and is read."""
    RESET = "reset"
    """The connection is reset in its place."""


@attrs.frozen
class Plan:
    """How one session goes: its script, and where its socket breaks: at the `at`-th message of type `event_type`."""

    script: Script
    breaks: Break | None = None
    event_type: str = ""
    at: int = 1


@attrs.define(eq=False)
class BreakingSocket:
    """A server's socket that breaks as its plan has it; the simulated server does not know."""

    _socket: web.WebSocketResponse
    _plan: Plan
    _seen: int = attrs.field(default=0, init=False)
    is_broken: bool = attrs.field(default=False, init=False)

    @property
    def closed(self) -> bool:
        """Whether either side has closed it."""
        return self._socket.closed

    @property
    def close_code(self) -> int | None:
        """The code with which it was closed."""
        return self._socket.close_code

    async def send_str(self, data: str) -> None:
        """Send a text message, unless the socket is broken."""
        plan = self._plan
        if plan.breaks and not self.is_broken and f'"type": "{plan.event_type}"' in data:
            self._seen += 1
            if self._seen == plan.at:
                self.is_broken = True
                if plan.breaks is Break.RESET:
                    reset(self._socket)
        if not self.is_broken:
            await self._socket.send_str(data)

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary message."""
        await self._socket.send_bytes(data)

    async def close(self, *, code: int = WSCloseCode.OK) -> bool:
        """Close it; False where it was closed already."""
        return await self._socket.close(code=code)

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._socket


@attrs.define(eq=False)
class Switchboard:
    """Whose session is whose: the caller's number stands in what the session is told.

    The n-th session of a caller goes by the n-th of their plans, later ones by the last. A session of nobody who is
    known here goes by `default`. `refusals` are HTTP statuses: each refuses one handshake, whosever it is.
    """

    default: Plan = attrs.field(factory=lambda: Plan(Script()))
    refusals: deque[int] = attrs.field(factory=deque)
    handshakes: int = attrs.field(default=0, init=False)
    _plans: dict[str, deque[Plan]] = attrs.field(factory=dict, init=False)
    _sessions: dict[str, list[Connection]] = attrs.field(factory=dict, init=False)
    _changes: Changes = attrs.field(factory=Changes, init=False)
    open: set[web.WebSocketResponse] = attrs.field(factory=set, init=False)

    def expect(self, number: str, *plans: Plan) -> None:
        """Lay down how the sessions of a caller go."""
        self._plans[number] = deque(plans)
        self._sessions[number] = []

    def forget(self, number: str) -> list[Connection]:
        """Drop what is kept of a caller; return the sessions that there were."""
        self._plans.pop(number, None)
        return self._sessions.pop(number, [])

    def caller_in(self, text: str) -> str | None:
        """Return the number of the known caller whom a message names."""
        return next((number for number in _NUMBER.findall(text) if number in self._plans), None)

    def next_plan(self, number: str | None) -> Plan:
        """Return the plan for the next session of a caller."""
        plans = self._plans.get(number or "")
        if not plans:
            return self.default
        return plans.popleft() if len(plans) > 1 else plans[0]

    def next_refusal(self) -> int | None:
        """Return the status that refuses this handshake; None where it is not refused."""
        if not self.refusals:
            return None
        status = self.refusals.popleft()
        self._changes.notify()
        return status

    async def wait_refused(self, timeout_s: float = 5.0) -> None:
        """Return once all refusals have been met; TimeoutError if that takes too long."""
        await self._changes.until(lambda: not self.refusals, "end of the refusals", timeout_s)

    def add(self, number: str | None, connection: Connection) -> None:
        """Keep a session of a known caller."""
        if number is not None:
            self._sessions[number].append(connection)
            self._changes.notify()

    async def wait_for_session(self, number: str, timeout_s: float = 5.0) -> Connection:
        """Return a caller's first session, once there is one; TimeoutError if that takes too long."""
        sessions = self._sessions[number]
        await self._changes.until(lambda: bool(sessions), f"session of {number}", timeout_s)
        return sessions[0]


BOARD: Final = web.AppKey("switchboard", Switchboard)


@asynccontextmanager
async def running(board: Switchboard, host: str = "127.0.0.1") -> AsyncIterator[str]:
    """Serve for the length of the block; yield the URL, to which a client adds `?model=`."""
    app = web.Application()
    app[BOARD] = board
    app.router.add_get(PATH, _connect)
    app.on_shutdown.append(_close_all)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, 0).start()
        yield f"ws://{host}:{runner.addresses[0][1]}{PATH}"
    finally:
        await runner.cleanup()


def reset(socket: web.WebSocketResponse | ClientWebSocketResponse[bool]) -> None:
    """Reset the connection under a WebSocket: neither a close frame nor a FIN, and what was not sent is lost."""
    transport_socket = socket.get_extra_info("socket")
    if transport_socket is None:
        return
    with tcp.socket(fileno=os.dup(transport_socket.fileno())) as raw, suppress(OSError):
        raw.setsockopt(tcp.SOL_SOCKET, tcp.SO_LINGER, _RESET_LINGER)
        # The transport reads an end, and closes.
        raw.shutdown(tcp.SHUT_RD)


def reset_line(caller: SimulatedCaller) -> None:
    """Reset a caller's connection; the line notices like any other loss."""
    if isinstance(caller.socket, ClientWebSocketResponse):
        reset(caller.socket)


async def _connect(request: web.Request) -> web.StreamResponse:
    board = request.app[BOARD]
    board.handshakes += 1
    if status := board.next_refusal():
        return _refusal(status)
    socket = web.WebSocketResponse(compress=False, max_msg_size=_MAX_MESSAGE_BYTES, timeout=1.0)
    await socket.prepare(request)
    board.open.add(socket)
    try:
        await _converse(board, socket, request.query.get("model", ""))
    finally:
        board.open.discard(socket)
    return socket


async def _converse(board: Switchboard, socket: web.WebSocketResponse, model: str) -> None:
    """Answer a client by the plan of the caller whom its first message names."""
    first = await socket.receive(timeout=_FIRST_MESSAGE_S)
    if first.type is not WSMsgType.TEXT:
        return
    number = board.caller_in(first.data)
    plan = board.next_plan(number)
    line = BreakingSocket(socket, plan)
    async with asyncio.TaskGroup() as tasks:
        connection = Connection(board.handshakes, model, plan.script, line, tasks)
        board.add(number, connection)
        try:
            session = Session(connection)
            await session.open()
            await session.receive(first.data)
            async for message in line:
                if message.type is WSMsgType.TEXT:
                    await session.receive(message.data)
        finally:
            connection.end()


_REFUSALS: Final[Mapping[int, str]] = {401: "invalid_api_key", 429: "rate_limit_exceeded", 500: "server_error"}


def _refusal(status: int) -> web.Response:
    code = _REFUSALS.get(status, "refused")
    return web.json_response({"error": {"type": code, "code": code, "message": "Refused."}}, status=status)


async def _close_all(app: web.Application) -> None:
    for socket in set(app[BOARD].open):
        await socket.close(code=WSCloseCode.GOING_AWAY)
