"""A listener whose connections are bounded in number, and in the time that they take to bring a request."""

import asyncio
import contextlib
import weakref
from collections.abc import Iterator
from typing import Any, Final, cast

from aiohttp import web
from aiohttp.typedefs import Handler
from attrs import frozen

from callfsm.server.seldom import Seldom
from callfsm.server.shared import Server

PUBLIC: Final = "public"
OPERATOR: Final = "operator"
LINGERING_S: Final = 1.0
"""What is left of a body is read for so long after the answer, so that a client still sees the answer."""
BACKLOG: Final = 128
"""Connections that the system keeps for us until they are accepted."""


@frozen
class Bounds:
    """What one listener's connections may take. `name` is its label in the metrics."""

    name: str
    connections: int
    request_s: float


class Visitor(web.RequestHandler):
    """One connection: closed where it does not bring a whole request, or take its answer, in time.

    Between two requests it may be silent for as long as a request may take.
    """

    def __init__(self, site: "BoundedSite") -> None:
        self._site = site
        self._due: asyncio.TimerHandle | None = None
        self._owes_request = True
        # Made here and not by aiohttp, so that what a runner was given for its handlers (an access log, say) is not
        # heeded; `listen` gives none.
        super().__init__(site.http, loop=asyncio.get_running_loop(), lingering_time=LINGERING_S)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._await_request(cast("asyncio.Transport", transport))

    def connection_lost(self, exc: BaseException | None) -> None:
        """Leave a place to the next one."""
        super().connection_lost(exc)
        self._site.visitors.discard(self)
        if self._due is not None:
            self._due.cancel()

    def data_received(self, data: bytes) -> None:
        """Note that a request has begun."""
        super().data_received(data)
        if self._due is not None:
            self._owes_request = True

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Wait for nothing while a request is handled, and for the next one after it."""
        if self._due is not None:
            self._due.cancel()
        self._due, self._owes_request = None, False
        try:
            yield
        finally:
            if self.transport is not None:
                self._await_request(self.transport)

    def _await_request(self, transport: asyncio.Transport) -> None:
        self._due = asyncio.get_running_loop().call_later(self._site.bounds.request_s, self._late, transport)

    def _late(self, transport: asyncio.Transport) -> None:
        # One that was only kept alive between two requests has done nothing wrong.
        if self._owes_request or transport.get_write_buffer_size():
            self._site.server.refused("slow_request", self._site.place)
        transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no HTTP with 400; it is worth a line of the log, and no traceback."""
        if status != web.HTTPBadRequest.status_code:
            return super().handle_error(request, status, exc, message)
        self._site.server.refused("bad_request", self._site.place)
        answer = web.Response(status=status, text="bad_request")
        answer.force_close()
        return answer

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Write a traceback where the fault is ours, and not where a stranger sends a broken body or goes away."""
        if isinstance(kw.get("exc_info"), (web.RequestPayloadError, ConnectionError)):
            self.logger.debug(*args)
        else:
            super().log_exception(*args, **kw)


class _TurnedAway(asyncio.Protocol):
    """Closes its connection before anything is read from it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).abort()


class BoundedSite(web.BaseSite):
    """Accepts so many connections at once; every other is closed at once, and counted.

    Without a bound of our own strangers would take all descriptors: then a call gets no connection to OpenAI and no
    journal, and the operator no answer.
    """

    def __init__(self, runner: web.AppRunner, server: Server, bounds: Bounds, host: str, port: int) -> None:
        super().__init__(runner)
        assert runner.server is not None  # noqa: S101 - the base class has looked
        self.http = runner.server
        self.server = server
        self.bounds = bounds
        self.place = f"the {bounds.name} listener"
        # Counted from accept on: a burst is accepted before the first of it is connected. Weak, so that a
        # connection that dies in between leaves no trace.
        self.visitors: weakref.WeakSet[Visitor] = weakref.WeakSet()
        self._address = (host, port)
        self._refused = server.metrics.connections_refused.labels(bounds.name)
        self._log = Seldom()
        server.metrics.connections.labels(bounds.name).set_function(lambda: len(self.visitors))

    @property
    def name(self) -> str:
        """What aiohttp calls a site."""
        return f"{self._address[0]}:{self._address[1]}"

    async def start(self) -> None:
        """Listen; OSError where the address cannot be taken."""
        await super().start()
        host, port = self._address
        # aiohttp has no way to give a site another protocol than its own. `_server` is what `stop` of the base class
        # closes, and where the runner looks for the address.
        self._server = await asyncio.get_running_loop().create_server(self._meet, host, port, backlog=BACKLOG)

    def _meet(self) -> asyncio.Protocol:
        if len(self.visitors) >= self.bounds.connections:
            self._refused.inc()
            self._log.say("[DOOR] More than %d connections at %s: refused", self.bounds.connections, self.place)
            return _TurnedAway()
        visitor = Visitor(self)
        self.visitors.add(visitor)
        return visitor


@web.middleware
async def in_time(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Tell a connection that its request is here; it is what a `BoundedSite` waits for."""
    with request.protocol.at_work() if isinstance(request.protocol, Visitor) else contextlib.nullcontext():
        return await handler(request)


async def listen(app: web.Application, server: Server, bounds: Bounds, host: str, port: int) -> web.AppRunner:
    """Serve an application; return what is to be cleaned up."""
    runner = web.AppRunner(app, shutdown_timeout=0.3)
    await runner.setup()
    try:
        await BoundedSite(runner, server, bounds, host, port).start()
    except BaseException:
        await runner.cleanup()
        raise
    return runner
