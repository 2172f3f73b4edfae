"""Twilio's side of one call: each of its messages is heard, or counted and set aside."""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

import aiohttp
from aiohttp import web

from callfsm.events import CallEnded, DtmfReceived, Event, PlaybackMarked
from callfsm.server.gauges import FLOOD
from callfsm.server.pace import Pace
from callfsm.wire import twilio
from callfsm.wire.malformed import MalformedError
from callfsm.wire.sequence import LATE, Sequence

BROKEN: Final = {
    aiohttp.WSCloseCode.INVALID_TEXT.value: "broken_text",
    aiohttp.WSCloseCode.MESSAGE_TOO_BIG.value: "too_large",
}
"""What a peer broke, by the code with which aiohttp has closed its socket; every other code is the protocol."""
BURST_FRAMES: Final = 16
"""So much is read at a stretch; receive() does not let others run while messages are waiting."""
FRAME_CHARS: Final = 216
"""20 ms of mu-law in base64."""
_OPENING: Final = (twilio.Start, twilio.Connected)
_Numbered = twilio.Media | twilio.MarkEchoed | twilio.Dtmf | twilio.Stop


def broken(message: aiohttp.WSMessage) -> str | None:
    """Return what the peer broke; None where the message says that the connection is lost."""
    if isinstance(message.data, aiohttp.WebSocketError):
        return BROKEN.get(message.data.code, "broken_protocol")
    return None


class Listener(Protocol):
    """Who is told what Twilio sends."""

    def feed(self, event: Event) -> None:
        """Take an event."""

    def hear(self, at: float, frame: twilio.Frame) -> None:
        """Take 20 ms of the caller's line."""

    def count(self, error: MalformedError) -> None:
        """Count a message that cannot be read, or has no place here."""

    def set_aside(self, what: str, count: int) -> None:
        """Count messages that are not heard."""


class TwilioReader:
    """Reads the media socket of one call."""

    def __init__(self, start: twilio.Start, ahead_s: float, listener: Listener) -> None:
        self._now = asyncio.get_running_loop().time
        self._stream_sid = start.stream_sid
        self._sequence = Sequence(start.sequence_number)
        self._pace = Pace(ahead_s, self._now())
        self._framer = twilio.Framer()
        self._to = listener
        self._burst = 0

    async def read(self, socket: web.WebSocketResponse, is_over: Callable[[], bool]) -> None:
        """Read until the call is over; the end of the socket is the end of the call."""
        try:
            while not is_over():
                await self._read_one(socket)
                if self._burst >= BURST_FRAMES:
                    self._burst = 0
                    await asyncio.sleep(0)
        except ConnectionError:
            self._end("twilio_lost")

    async def _read_one(self, socket: web.WebSocketResponse) -> None:
        message = await socket.receive()
        if message.type is aiohttp.WSMsgType.TEXT:
            self._spend(len(message.data) // FRAME_CHARS)
            self._take(message.data)
        elif message.type is aiohttp.WSMsgType.BINARY:
            self._spend(len(message.data) // FRAME_CHARS)
            self._to.count(MalformedError("twilio message: not text"))
        elif message.type is aiohttp.WSMsgType.PING:
            self._spend(1)
            await socket.pong(message.data)
        elif message.type is aiohttp.WSMsgType.PONG:
            self._spend(1)
        elif what := broken(message):
            self._to.count(MalformedError(f"twilio socket: {what}"))
            self._end("twilio_broke_protocol")
        else:
            self._end("twilio_lost")

    def _end(self, reason: str) -> None:
        self._to.feed(CallEnded(self._now(), reason))

    def _spend(self, frames: int) -> None:
        frames = max(frames, 1)
        self._burst += frames
        self._pace.spend(frames, self._now())
        if self._pace.is_flood:
            self._end("twilio_flood")

    def _take(self, text: str) -> None:
        try:
            message = twilio.decode(text)
        except MalformedError as error:
            self._sequence.unread()
            self._to.count(error)
            return
        if isinstance(message, _OPENING):
            self._sequence.unread()
            self._to.count(MalformedError("twilio start: the stream has started already"))
        elif message.stream_sid and message.stream_sid != self._stream_sid:
            self._to.count(MalformedError("twilio message: of another stream"))
        elif self._is_in_order(message):
            self._obey(message)

    def _is_in_order(self, message: _Numbered) -> bool:
        """Say whether a message is to be obeyed; a stop always is."""
        missing = self._sequence.take(message.sequence_number)
        if missing == LATE:
            self._to.set_aside("late", 1)
            return isinstance(message, twilio.Stop)
        if missing:
            self._to.set_aside("missing", missing)
        return True

    def _obey(self, message: _Numbered) -> None:
        at = self._now()
        match message:
            case twilio.Media(media):
                self._hear(at, media)
            case twilio.MarkEchoed(mark):
                self._to.feed(PlaybackMarked(at, mark.name))
            case twilio.Dtmf(dtmf):
                self._to.feed(DtmfReceived(at, dtmf.digit))
            case twilio.Stop():
                self._to.feed(CallEnded(at, "hangup"))

    def _hear(self, at: float, media: twilio.MediaBody) -> None:
        if not media.track.startswith("inbound"):
            self._to.count(MalformedError("twilio media: not the caller's track"))
            return
        if self._pace.is_ahead:
            self._to.set_aside(FLOOD, 1)
            return
        try:
            for frame in self._framer.frames(media.payload):
                self._to.hear(at, frame)
        except MalformedError as error:
            self._to.count(error)
