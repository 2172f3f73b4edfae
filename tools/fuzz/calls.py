"""Targets: bytes that are a whole call, on the pure core or through the readers of both sockets."""

import asyncio
from base64 import b64encode
from collections.abc import Iterator
from typing import Final

import msgspec
from aiohttp import WSMessage, WSMsgType, web

from callfsm.audit.journal import line_of
from callfsm.audit.lines import entry_of, values_of
from callfsm.call import Call
from callfsm.config_checks import REDACTABLE
from callfsm.effects import CallTool, ClearPlayback, Count, EndCall, Log, PlayAudio, RenewSession, SendMark
from callfsm.events import Event, RealtimeLost, RealtimeReady, RmsFrame, TimerFired
from callfsm.machine import ENGINE, dispatch
from callfsm.server.twilio_reader import TwilioReader
from callfsm.states.base import State
from callfsm.wire import realtime, realtime_out, twilio
from callfsm.wire.malformed import MalformedError
from callfsm.wire.redaction import Redaction
from tests.random_calls import goes_on
from tests.server.by_hand import CLICK, LOUD, QUIET
from tests.test_properties import CONFIG, FIRST, MOVES, NOTHING, STARTS, Move, act

STEP_S: Final = 0.02
PAUSES_S: Final = (0.0, 0.1, 0.5, 1.5, 3.0, 8.0)
AHEAD_S: Final = 60.0
MOST_EVENTS: Final = 100_000


def call_under_laws(data: bytes) -> None:
    """One byte a move, as tests/test_properties.py has them: the laws hold at every step, and the call goes on."""
    if not data:
        return
    start = STARTS[data[0] % len(STARTS)]
    moves: list[tuple[float, Move]] = [(0.0, FIRST)] if data[0] < 192 else []
    pause_s = 0.0
    for move in (MOVES[byte] for byte in data[1:200]):
        if isinstance(move, float):
            pause_s += move
        elif move is not NOTHING:
            moves.append((pause_s, move))
            pause_s = 0.0
    witness = start.witness(ENGINE)
    act(witness, moves)
    goes_on(witness)


def _media(ulaw: bytes) -> str:
    return msgspec.json.encode({"event": "media", "media": {"payload": b64encode(ulaw).decode()}}).decode()


FRAMES: Final = (_media(QUIET), _media(LOUD), _media(CLICK))
MOST_FRAMES: Final = 40


class _Call:
    """A call between two peers of whom each says anything.

    Each line is a message: its kind, the pause before it, a space, and what it is. `T`: a text of Twilio's, `B`:
    bytes of it, `F`: some frames of one of three sounds; `O`: a text of OpenAI's, `R`, `L`: the session is ready, or
    lost.
    """

    def __init__(self, data: bytes) -> None:
        lines = iter(data.split(b"\n"))
        who = int.from_bytes(next(lines)[:1])
        self.call = Call.begin(CONFIG, STARTS[who % len(STARTS)].business)
        self._lines: Iterator[bytes] = lines
        self._frames = 0
        self._sound = FRAMES[0]
        self._redaction = Redaction(REDACTABLE) if who & 0x80 else None
        self._encoder = twilio.Encoder("MZ1")
        self.now = 0.0
        self._events = 0

    async def receive(self) -> WSMessage:
        """Return Twilio's next message; OpenAI's before it are fed."""
        if not self._frames:
            self._read_on()
        if self._frames:
            self._frames -= 1
            self.now += STEP_S
            return WSMessage(WSMsgType.TEXT, self._sound, None)
        return self._message

    def _read_on(self) -> None:
        self._message = WSMessage(WSMsgType.CLOSE, 1000, None)
        for line in self._lines:
            self.now += PAUSES_S[line[1] % len(PAUSES_S)] if len(line) > 1 else STEP_S
            kind, body = line[:1], line[3:]
            if kind == b"F" and len(body) > 1:
                self._sound, self._frames = FRAMES[body[0] % len(FRAMES)], 1 + body[1] % MOST_FRAMES
                return
            if kind in {b"T", b"B"}:
                is_text = kind == b"T"
                what = body.decode("utf-8", "replace") if is_text else body
                self._message = WSMessage(WSMsgType.TEXT if is_text else WSMsgType.BINARY, what, None)
                return
            self._of_realtime(kind, body)

    def _of_realtime(self, kind: bytes, body: bytes) -> None:
        if kind in {b"R", b"L"}:
            self.feed((RealtimeReady if kind == b"R" else RealtimeLost)(self.now))
            return
        try:
            event = realtime.decode(body.decode("utf-8", "replace"), self.now, self._redaction)
        except MalformedError as error:
            self.count(error)
            return
        if event is not None and not isinstance(event, realtime.SessionUpdated):
            self.feed(event)

    def feed(self, event: Event) -> None:
        """Feed an event, and each deadline that is due before it; all that follows can be written down and read."""
        while self.call.deadline <= self.now and self.call.state is not State.ENDED:
            self._step(TimerFired(self.call.deadline))
        self._step(event)

    def _step(self, event: Event) -> None:
        self._events += 1
        assert self._events < MOST_EVENTS, "no end of events"
        source = self.call.state
        effects = dispatch(self.call, event)
        assert source is not State.ENDED or not effects
        line = msgspec.json.encode(line_of(event, source, self.call.state))
        entry_of(values_of(line), 0.0)
        for effect in effects:
            match effect:
                case PlayAudio() | SendMark() | ClearPlayback():
                    msgspec.json.decode(self._encoder.encode(effect))
                case Log():
                    effect.message.encode()
                case Count(what):
                    what.encode()
                case EndCall() | CallTool() | RenewSession():
                    assert self.call.state is State.ENDED or not isinstance(effect, EndCall)
                case _:
                    msgspec.json.decode(realtime_out.encode(effect))

    def hear(self, at: float, frame: twilio.Frame) -> None:
        """Take 20 ms of the line."""
        del at
        self.feed(RmsFrame(self.now, *frame))

    def count(self, error: MalformedError) -> None:
        """Take a malformed message."""
        assert error.place.startswith(("twilio ", "realtime "))

    def set_aside(self, what: str, count: int) -> None:
        """Take what is not heard."""
        assert what
        assert count > 0

    async def pong(self, message: bytes) -> None:
        """Answer a ping."""


async def _carry(data: bytes) -> None:
    call = _Call(data)
    start = twilio.Start(stream_sid="MZ1", sequence_number="1", start=twilio.StartBody(call_sid="CA1"))
    socket: web.WebSocketResponse = call  # type: ignore[assignment]  # as much of one as is read
    await TwilioReader(start, AHEAD_S, call).read(socket, lambda: call.call.state is State.ENDED)
    assert call.call.state is State.ENDED


_LOOP: Final = asyncio.new_event_loop()


def session_of_any_peers(data: bytes) -> None:
    """A first byte that says whose call it is, then a message a line: nothing that peers say is a bug of ours."""
    _LOOP.run_until_complete(_carry(data))
