"""The wire of a simulated call: Twilio's end of a Media Streams socket, paced like a telephone line."""

import asyncio
import base64
import itertools
import json
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

import attrs
from aiohttp import WSMsgType

from callfsm.hearing.mulaw import FRAME_BYTES, FRAME_MS, SAMPLE_RATE_HZ
from callfsm.sim.changes import Changes
from callfsm.sim.earpiece import SILENCE, Earpiece, Heard, Moment
from callfsm.sim.sockets import Socket
from callfsm.sim.webhook import Details


class Kind(StrEnum):
    """What the log of a call tells of; the comment names the entry's detail."""

    SAY = "say"  # ms of audio that begin to be streamed
    SAID = "said"  # ms of audio that have been streamed
    MEDIA = "media"  # bytes received
    MARK = "mark"  # name of a mark received
    ECHO = "echo"  # name of a mark played or cleared, and so echoed
    CLEAR = "clear"
    SOUND = "sound"  # the assistant becomes audible
    QUIET = "quiet"  # the assistant falls silent
    FAULT = "fault"  # a message that Twilio would refuse (error 31924)
    CLOSED = "closed"  # the socket's close code


@attrs.frozen
class Entry:
    """One line of a call's log; `at_s` is on the event loop's monotonic clock."""

    at_s: float
    kind: Kind
    detail: str = ""


@attrs.define(eq=False)
class MediaLine:
    """A connected media socket: streams a frame every 20 ms of line time, and plays what comes back.

    Line time runs `speed` times as fast as the clock, both ways. `to_say` is the mu-law audio that waits to
    be streamed; `background` is streamed, over and over, while there is none.
    """

    details: Details
    speed: float
    background: bytes
    echo_marks: bool
    _socket: Socket
    log: list[Entry] = attrs.field(factory=list, init=False)
    changes: Changes = attrs.field(factory=Changes, init=False)
    earpiece: Earpiece = attrs.field(factory=Earpiece, init=False)
    to_say: bytearray = attrs.field(factory=bytearray, init=False)
    frames_streamed: int = attrs.field(default=0, init=False)
    started_s: float = attrs.field(default=0.0, init=False)
    is_over: bool = attrs.field(default=False, init=False)
    is_reading: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    """Cleared, nothing more is read off the socket: what the server sends piles up on its way."""
    _stream_sid: str = attrs.field(init=False)
    _numbers: Iterator[int] = attrs.field(factory=lambda: itertools.count(1), init=False)

    @_stream_sid.default
    def _unique_stream_sid(self) -> str:
        return f"MZ{self.details.call_sid.removeprefix('CA')}"

    def note(self, kind: Kind, detail: str = "", at_s: float | None = None) -> None:
        """Write an entry into the log, of now unless `at_s` says when."""
        self.log.append(Entry(asyncio.get_running_loop().time() if at_s is None else at_s, kind, detail))
        self.changes.notify()

    async def start(self, parameters: Mapping[str, str]) -> None:
        """Send `connected` and `start`; line time begins."""
        self.started_s = asyncio.get_running_loop().time()
        self.is_reading.set()
        await self._socket.send_str(json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"}))
        start = {
            "accountSid": self.details.account_sid,
            "streamSid": self._stream_sid,
            "callSid": self.details.call_sid,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": SAMPLE_RATE_HZ, "channels": 1},
            "customParameters": dict(parameters),
        }
        await self._send("start", start=start)

    async def stop(self) -> None:
        """Send `stop`, then nothing more, and close the socket."""
        await self._send("stop", stop={"accountSid": self.details.account_sid, "callSid": self.details.call_sid})
        self.end()
        await self._socket.close()

    async def press(self, digit: str) -> None:
        """Send the key that was pressed."""
        await self._send("dtmf", dtmf={"track": "inbound_track", "digit": digit})

    async def stream(self) -> None:
        """Stream frames until the call is over, each at its own time: a late one does not delay the next."""
        loop = asyncio.get_running_loop()
        background = itertools.cycle(_frames(self.background))
        while not self.is_over:
            due_s = self.started_s + self.frames_streamed * FRAME_MS / 1000 / self.speed
            await asyncio.sleep(max(0.0, due_s - loop.time()))
            await self._happen(self.earpiece.advance(self._sample_now()))
            spoken = bytes(self.to_say[:FRAME_BYTES])
            del self.to_say[:FRAME_BYTES]
            await self._send_frame(spoken or next(background))

    async def listen(self) -> None:
        """Play and log what the server sends, until the socket closes."""
        async for message in self._socket:
            await self.is_reading.wait()
            await self._happen(self.earpiece.advance(self._sample_now()))
            if message.type is WSMsgType.TEXT:
                await self._receive(message.data)
            else:
                self.note(Kind.FAULT, f"a {message.type.name} message")
        self.end()
        self.note(Kind.CLOSED, str(self._socket.close_code))

    async def _receive(self, text: str) -> None:
        try:
            message = json.loads(text)
            if message["streamSid"] != self._stream_sid:
                raise ValueError("of another stream")  # noqa: TRY301 - one place makes a fault of every flaw
            match message["event"]:
                case "media":
                    audio = base64.b64decode(message["media"]["payload"], validate=True)
                    self.note(Kind.MEDIA, str(len(audio)))
                    self.earpiece.put(audio)
                case "mark":
                    self.note(Kind.MARK, message["mark"]["name"])
                    self.earpiece.put(message["mark"]["name"])
                    # With nothing buffered a mark is echoed at once.
                    await self._happen(self.earpiece.advance(self._sample_now()))
                case "clear":
                    self.note(Kind.CLEAR)
                    await self._happen(self.earpiece.clear())
                case unknown:
                    self.note(Kind.FAULT, f"unknown event {unknown!r}")
        except (KeyError, TypeError, ValueError) as error:
            self.note(Kind.FAULT, f"{error!r} in {text[:200]}")

    async def _happen(self, moments: list[Moment]) -> None:
        for moment in moments:
            at_s = self.started_s + moment.at_sample / SAMPLE_RATE_HZ / self.speed
            match moment.kind:
                case Heard.SOUND:
                    self.note(Kind.SOUND, at_s=at_s)
                case Heard.QUIET:
                    self.note(Kind.QUIET, at_s=at_s)
                case Heard.MARK if self.echo_marks:
                    self.note(Kind.ECHO, moment.mark)
                    await self._send("mark", mark={"name": moment.mark})
                case Heard.MARK:
                    pass

    async def _send_frame(self, ulaw: bytes) -> None:
        media = {
            "track": "inbound",
            "chunk": str(self.frames_streamed + 1),
            "timestamp": str(self.frames_streamed * FRAME_MS),
            "payload": base64.b64encode(ulaw).decode(),
        }
        self.frames_streamed += 1
        self.changes.notify()
        await self._send("media", media=media)

    async def _send(self, event: str, **body: Any) -> None:
        if self.is_over:
            return
        numbered = {"event": event, "sequenceNumber": str(next(self._numbers)), "streamSid": self._stream_sid}
        try:
            await self._socket.send_str(json.dumps(numbered | body))
        except ConnectionResetError:
            self.end()

    def end(self) -> None:
        """Send no more."""
        self.is_over = True
        self.changes.notify()

    def _sample_now(self) -> int:
        return int((asyncio.get_running_loop().time() - self.started_s) * SAMPLE_RATE_HZ * self.speed)


def _frames(ulaw: bytes) -> list[bytes]:
    """Cut mu-law into whole frames, the last one filled up with silence; one frame of silence for nothing."""
    starts = range(0, len(ulaw), FRAME_BYTES) or (0,)
    return [ulaw[at : at + FRAME_BYTES].ljust(FRAME_BYTES, SILENCE) for at in starts]
