"""A call of the pure core between two sockets in memory, and the record of all that happened to it.

This is what `callfsm.server` does with real ones, without all that real ones need: connecting anew, bounded queues,
limits, metrics. A call with functions of the operator's is not for it.
"""

import asyncio
import json
import math
from collections.abc import Callable
from typing import Any, Literal

import attrs

from callfsm.call import Call
from callfsm.effects import (
    CallTool,
    ClearPlayback,
    Count,
    Effect,
    EndCall,
    Log,
    PlayAudio,
    RenewSession,
    SendMark,
)
from callfsm.events import (
    CallEnded,
    DtmfReceived,
    Event,
    PlaybackMarked,
    RealtimeReady,
    RmsFrame,
    TimerFired,
)
from callfsm.hearing.turn import TurnPhase
from callfsm.machine import dispatch
from callfsm.sim.virtual_socket import VirtualSocket
from callfsm.states.base import State
from callfsm.wire import realtime, realtime_out, twilio

Peer = Literal["twilio", "openai"]


@attrs.frozen
class Message:
    """A message on one of the two sockets, as the machine's side saw or sent it."""

    at_s: float
    peer: Peer
    is_ours: bool
    body: dict[str, Any] = attrs.field(repr=False)

    @property
    def name(self) -> str:
        """What the message is called on its wire."""
        return str(self.body["event" if self.peer == "twilio" else "type"])


@attrs.frozen
class Frame:
    """20 ms of the caller's line, the caller's turn before and after it, and whether it changed the call's state.

    `has_settled`: it proved a stop of the assistant to be somebody, or nobody.
    `is_loud`: at or above the limit that was in force when the machine had taken it.
    """

    at_s: float
    rms: float
    is_loud: bool
    before: TurnPhase
    after: TurnPhase
    has_moved: bool
    has_settled: bool = False


@attrs.frozen
class Move:
    """A change of state, and the event that made it."""

    at_s: float
    source: State
    event: type[Event]
    dest: State


@attrs.frozen
class Line:
    """A line of the call's log, and its level."""

    at_s: float
    level: int
    message: str


Happening = Message | Frame | Move | Line


@attrs.define(eq=False)
class VirtualCall:
    """One call; `connect` opens the socket of its Realtime session.

    `happened` is the record: what came in, then what the machine did about it, then its state.
    """

    call: Call
    _twilio: VirtualSocket
    _connect: Callable[[], VirtualSocket]
    happened: list[Happening] = attrs.field(factory=list, init=False)
    _openai: VirtualSocket = attrs.field(init=False)
    _encoder: twilio.Encoder = attrs.field(init=False)
    _framer: twilio.Framer = attrs.field(factory=twilio.Framer, init=False)
    _timer: asyncio.TimerHandle | None = attrs.field(default=None, init=False)
    _timer_at: float = attrs.field(default=math.inf, init=False)

    async def run(self) -> None:
        """Carry the call from its start to its end; then both sockets are closed."""
        await self._wait_for_start()
        self._openai = self._connect()
        async with asyncio.TaskGroup() as legs:
            reading = legs.create_task(self._read_openai())
            await self._read_twilio()
            reading.cancel()
        await self._twilio.close()
        await self._openai.close()

    async def _wait_for_start(self) -> None:
        async for message in self._twilio:
            start = twilio.decode(message.data)
            self._note("twilio", message.data)
            if isinstance(start, twilio.Start):
                self._encoder = twilio.Encoder(start.stream_sid)
                return

    async def _read_twilio(self) -> None:
        async for message in self._twilio:
            self._take(message.data)
            if self.call.state is State.ENDED:
                return

    def _take(self, text: str) -> None:
        at, message = _now_s(), twilio.decode(text)
        if not isinstance(message, twilio.Media):
            self._note("twilio", text)
        match message:
            case twilio.Media(media):
                for frame in self._framer.frames(media.payload):
                    self._feed(RmsFrame(at, *frame))
            case twilio.MarkEchoed(mark):
                self._feed(PlaybackMarked(at, mark.name))
            case twilio.Dtmf(dtmf):
                self._feed(DtmfReceived(at, dtmf.digit))
            case twilio.Stop():
                self._feed(CallEnded(at, "hangup"))
            case twilio.Connected() | twilio.Start():
                raise ValueError("the stream has started already")

    async def _read_openai(self) -> None:
        call = self.call
        self._send_openai(realtime_out.session_update(call.config.realtime, call.business, call.briefing))
        async for message in self._openai:
            at = _now_s()
            self._note("openai", message.data)
            event = realtime.decode(message.data, at)
            if isinstance(event, realtime.SessionUpdated):
                self._feed(RealtimeReady(at))
            elif event is not None:
                self._feed(event)

    def _feed(self, event: Event) -> None:
        call = self.call
        before, was_paused = call.turn.phase, call.playback.is_paused
        effects = dispatch(call, event)
        if isinstance(event, RmsFrame):
            is_loud = event.rms >= call.gate.limit_rms
            has_settled = was_paused and not call.playback.is_paused
            frame = Frame(event.at, event.rms, is_loud, before, call.turn.phase, bool(call.moves), has_settled)
            self.happened.append(frame)
        for effect in effects:
            self._perform(effect)
        self.happened += [Move(event.at, *move) for move in call.moves]
        self._arm()

    def _perform(self, effect: Effect) -> None:
        match effect:
            case PlayAudio() | SendMark() | ClearPlayback():
                self._send("twilio", self._twilio, self._encoder.encode(effect))
            case Log(level, message):
                self.happened.append(Line(_now_s(), level, message))
            case Count() | EndCall():
                pass
            case CallTool() | RenewSession():
                raise NotImplementedError(f"nobody carries out {effect}")
            case _:
                self._send_openai(realtime_out.encode(effect))

    def _send_openai(self, message: bytes) -> None:
        self._send("openai", self._openai, message)

    def _send(self, peer: Peer, socket: VirtualSocket, message: bytes) -> None:
        self._note(peer, message, is_ours=True)
        socket.put(message.decode())

    def _note(self, peer: Peer, text: str | bytes, *, is_ours: bool = False) -> None:
        self.happened.append(Message(_now_s(), peer, is_ours, json.loads(text)))

    def _arm(self) -> None:
        if self.call.deadline == self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = self.call.deadline
        if self._timer_at < math.inf:
            self._timer = asyncio.get_running_loop().call_at(self._timer_at, self._fire)

    def _fire(self) -> None:
        self._feed(TimerFired(max(self._timer_at, _now_s())))


def _now_s() -> float:
    return asyncio.get_running_loop().time()
