"""The simulated Realtime server's mouth: which response is made when, one at a time."""

from collections.abc import Iterator

import attrs
from msgspec import UNSET

from callfsm.sim.realtime_connection import Connection
from callfsm.sim.realtime_response import Phase, Response
from callfsm.sim.realtime_script import Fault, Reply
from callfsm.sim.realtime_settings import ResponseRequest
from callfsm.sim.realtime_wire import RefusedError


@attrs.define(eq=False)
class Speaker:
    """Makes the script's replies, on request (and, by the script's faults, unasked)."""

    _connection: Connection
    _replies: Iterator[Reply] = attrs.field(init=False)
    _response: Response | None = attrs.field(default=None, init=False)
    _has_intruded: bool = attrs.field(default=False, init=False)

    @_replies.default
    def _scripted(self) -> Iterator[Reply]:
        return iter(self._connection.script.replies)

    def after_commit(self) -> None:
        """Speak unasked, where the script has this fault."""
        if self._intrudes(Fault.UNSOLICITED_RESPONSE):
            self._connection.start(self._new_response(self._connection.script.default_reply).run())

    async def create(self, request: ResponseRequest) -> None:
        """Start the response that was asked for, unless one is on its way already."""
        if self._intrudes(Fault.FOREIGN_RESPONSE):
            foreign = self._new_response(self._connection.script.default_reply)
            await foreign.begin()
            self._connection.start(foreign.generate())
        if self._response and self._response.phase is not Phase.OVER:
            raise RefusedError(
                "conversation_already_has_active_response",
                f"Conversation already has an active response in progress: {self._response.id}. "
                "Wait until the response is finished before creating a new one.",
            )
        reply = self._reply_to(request)
        if Fault.NO_RESPONSE not in reply.faults | self._connection.script.faults:
            self._connection.start(self._new_response(reply, request.metadata).run())

    def cancel(self, response_id: str | None) -> None:
        """Stop the active response; where an id is given, only if it is that one."""
        response = self._response
        is_active = response is not None and response.phase is Phase.ACTIVE
        if response is None or not is_active or response_id not in {None, response.id}:
            raise RefusedError("response_cancel_not_active", "Cancellation failed: no active response found")
        response.cancel()

    def _reply_to(self, request: ResponseRequest) -> Reply:
        script = self._connection.script
        is_first = not self._connection.conversation.has_assistant_spoken
        if script.greeting and is_first and request.instructions is not UNSET:
            return script.greeting
        return next(self._replies, script.default_reply)

    def _new_response(self, reply: Reply, metadata: dict[str, str] | None = None) -> Response:
        self._response = Response(self._connection.new_id("resp"), self._connection, reply, metadata)
        return self._response

    def _intrudes(self, fault: Fault) -> bool:
        """Whether the server now makes the one response that nobody asked for."""
        if fault not in self._connection.script.faults or self._has_intruded:
            return False
        self._has_intruded = True
        return True
