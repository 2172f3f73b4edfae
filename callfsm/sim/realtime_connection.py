"""One socket of the simulated Realtime server, and the record of all that went over it, for tests to read."""

import asyncio
import itertools
import json
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from typing import Any, Final

import attrs
from aiohttp import WSCloseCode

from callfsm.sim.changes import Changes
from callfsm.sim.realtime_conversation import Conversation, Item
from callfsm.sim.realtime_script import Fault, Script
from callfsm.sim.sockets import Socket

_BETA_NAMES: Final = {
    "conversation.item.added": "conversation.item.created",
    "response.output_audio.delta": "response.audio.delta",
    "response.output_audio.done": "response.audio.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
}
_NOT_IN_BETA: Final = "conversation.item.done"


@attrs.frozen
class Record:
    """An event on the wire, and when, on the event loop's monotonic clock."""

    at_s: float
    event: dict[str, Any]

    @property
    def type(self) -> str:
        """The event's type; empty where it has none."""
        return str(self.event.get("type", ""))


@attrs.define(eq=False)
class Connection:
    """A client's connection: what it asked for in the handshake, the traffic both ways, and the state it built up.

    `input_audio` is what was appended and neither committed nor cleared; what was committed is in the items of
    the conversation. `session` is the configuration in force, as sent in session.updated.
    """

    number: int
    model: str
    script: Script
    _socket: Socket
    _tasks: asyncio.TaskGroup
    _abort: Callable[[], None] | None = None
    """Breaks the connection; None where there is none but the socket."""
    received: list[Record] = attrs.field(factory=list, init=False)
    sent: list[Record] = attrs.field(factory=list, init=False)
    conversation: Conversation = attrs.field(init=False)
    input_audio: bytearray = attrs.field(factory=bytearray, init=False)
    session: dict[str, Any] = attrs.field(factory=dict, init=False)
    _work: list[asyncio.Task[None]] = attrs.field(factory=list, init=False)
    _changes: Changes = attrs.field(factory=Changes, init=False)
    _numbers: Iterator[int] = attrs.field(factory=lambda: itertools.count(1), init=False)

    @conversation.default
    def _empty_conversation(self) -> Conversation:
        return Conversation(self.number)

    @property
    def is_closed(self) -> bool:
        """Whether the socket is closed, by either side."""
        return self._socket.closed

    def records(self, event_type: str) -> list[Record]:
        """Return the events of one type, received or sent (no type goes both ways), oldest first."""
        return [record for record in (*self.received, *self.sent) if record.type == event_type]

    async def wait_for(self, event_type: str, count: int = 1, timeout_s: float = 5.0) -> list[Record]:
        """Wait until `count` events of a type have been received or sent; return all there are.

        Raises TimeoutError, with the types that did go over the wire, when they do not come.
        """
        try:
            await self._changes.until(lambda: len(self.records(event_type)) >= count, event_type, timeout_s)
        except TimeoutError as error:
            seen = sorted({record.type for record in (*self.received, *self.sent)})
            raise TimeoutError(f"{error} (number {count}); seen were {', '.join(seen)}") from None
        return self.records(event_type)

    async def wait_closed(self, timeout_s: float = 5.0) -> None:
        """Wait until the socket is closed, by either side."""
        await self._changes.until(lambda: self._socket.closed, "close", timeout_s)

    def new_id(self, kind: str) -> str:
        """Return an id that nothing else on this server has, like "resp_1_7"."""
        return f"{kind}_{self.number}_{next(self._numbers)}"

    async def pause(self, delay_ms: float) -> None:
        """Let a delay of the script pass."""
        await asyncio.sleep(delay_ms / 1000 / self.script.speed)

    def note_received(self, event: dict[str, Any]) -> None:
        """Record an event of the client."""
        self._record(self.received, event)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside the reading of events, until it is done or the connection ends."""
        self._work.append(self._tasks.create_task(work))

    def end(self) -> None:
        """Stop all that was started, and wake those who wait for the close."""
        for task in self._work:
            task.cancel()
        self._changes.notify()

    async def send(self, event_type: str, **fields: Any) -> None:
        """Send an event under the name that this server's faults give it; nothing once the socket is closed."""
        if Fault.UNKNOWN_EVENTS in self.script.faults:
            await self._send({"type": "session.weather", "event_id": self.new_id("event")})
        if Fault.BETA_NAMES in self.script.faults:
            if event_type == _NOT_IN_BETA:
                return
            event_type = _BETA_NAMES.get(event_type, event_type)
        await self._send({"type": event_type, "event_id": self.new_id("event"), **fields})

    async def announce(self, item: Item, previous_id: str | None) -> None:
        """Send that a finished item has been added to the conversation."""
        for happened in ("added", "done"):
            await self.send(f"conversation.item.{happened}", previous_item_id=previous_id, item=item.as_wire())

    async def send_raw(self, text: str) -> None:
        """Send text as it stands, unrecorded; nothing once the socket is closed."""
        if not self._socket.closed:
            # A client that has just gone is no error: the reader sees the close.
            with suppress(ConnectionResetError):
                await self._socket.send_str(text)

    async def close(self, code: int) -> None:
        """Close the socket with a WebSocket close code."""
        await self._socket.close(code=code)

    async def abort(self) -> None:
        """Break the connection without a word."""
        if self._abort is None:
            await self.close(WSCloseCode.INTERNAL_ERROR)
        else:
            self._abort()

    @property
    def _is_mute(self) -> bool:
        faults = self.script.faults
        return Fault.SILENT in faults or (Fault.HALF_OPEN in faults and bool(self.records("session.updated")))

    async def _send(self, event: dict[str, Any]) -> None:
        if not self._socket.closed and not self._is_mute:
            self._record(self.sent, event)
            await self.send_raw(json.dumps(event, ensure_ascii=False))

    def _record(self, records: list[Record], event: dict[str, Any]) -> None:
        records.append(Record(asyncio.get_running_loop().time(), event))
        self._changes.notify()
