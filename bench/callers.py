"""The Twilio side of the load: a caller on a line of 20 ms frames in real time, who breaks into every answer.

The line is noise, then for ever: an utterance, and a silence in which the answer begins to play. The next utterance
interrupts it. Twilio's playback is imitated: marks come back when they have played, all of them at a `clear`.
"""

import asyncio
import base64
import time
from collections import deque
from typing import Final

import numpy as np
from attrs import define, field, frozen
from sessions import Session
from wsframes import Peer, client_handshake, frame

from callfsm.hearing.mulaw import encode

FRAME_S: Final = 0.02
CALIBRATION_FRAMES: Final = 100
VARIANTS: Final = 8
LATE_S: Final = 0.005
MEDIA_BYTES: Final = len('{"event":"media","streamSid":"","media":{"payload":""}}') + 34
"""A message of audio, less the audio."""


@frozen
class Shape:
    """How a caller behaves, in frames."""

    loud: int = 50
    quiet: int = 200

    @property
    def cycle_s(self) -> float:
        """Return how long one utterance and the silence after it last."""
        return (self.loud + self.quiet) * FRAME_S


@define
class Tally:
    """What the callers saw since it was made: lateness of their own frames, and how soon they were obeyed."""

    frames: int = 0
    late: list[float] = field(factory=list)
    stops: list[float] = field(factory=list)
    """Seconds from writing the loud frame to the `clear`."""
    missed: int = 0
    media: int = 0


def _payloads(rms: float) -> list[str]:
    noise = np.random.default_rng(1).normal(0, rms, (VARIANTS, 160)).astype(np.int16)
    return [base64.b64encode(encode(each)).decode() for each in noise]


QUIET: Final = _payloads(50)
LOUD: Final = _payloads(2000)


class Caller(Peer):
    """One call."""

    is_client = True

    def __init__(self, number: int, host: str, shape: Shape, tally: Tally) -> None:
        super().__init__()
        self._sid = f"MZ{number:032x}"
        self._call_sid = f"CA{number:032x}"
        self._host = host
        self._shape = shape
        self.tally = tally
        self._loop = asyncio.get_running_loop()
        self._quiet = [self._media(each) for each in QUIET]
        self._loud = [self._media(each) for each in LOUD]
        self.hello = base64.b64encode(number.to_bytes(160, "little")).decode()
        """The first frame names the call, so that a session can be told whose it is."""
        self._next = 0
        self._due = 0.0
        self._loud_at = 0.0
        self._played_at = 0.0
        self._marks: deque[tuple[float, bytes]] = deque()
        self.session: Session | None = None
        """Where this call's frames arrive one for one; known where the server under test is a bare relay."""

    def _media(self, payload: str) -> bytes:
        numbers = '"track":"inbound","chunk":"10000","timestamp":"200000"'
        text = (
            f'{{"event":"media","sequenceNumber":"10001","streamSid":"{self._sid}",'
            f'"media":{{{numbers},"payload":"{payload}"}}}}'
        )
        return frame(text.encode(), masked=True)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the media stream."""
        super().connection_made(transport)
        self.transport.write(client_handshake("/twilio/media", self._host))

    def upgraded(self, head: bytes) -> None:
        """Start the stream."""
        assert b" 101 " in head[:16], head
        start = (
            f'{{"event":"start","sequenceNumber":"1","streamSid":"{self._sid}","start":{{"accountSid":"AC1",'
            f'"streamSid":"{self._sid}","callSid":"{self._call_sid}","tracks":["inbound"],"mediaFormat":'
            '{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1},"customParameters":{}}}'
        )
        self.send(frame(b'{"event":"connected","protocol":"Call","version":"1.0.0"}', masked=True))
        self.send(frame(start.encode(), masked=True))
        self._due = time.perf_counter()
        self._tick()

    def hang_up(self) -> None:
        """End the call."""
        self.send(frame(f'{{"event":"stop","streamSid":"{self._sid}","stop":{{}}}}'.encode(), masked=True))
        self.transport.close()
        self.is_open = False

    def _tick(self) -> None:
        """Send one frame, and the marks that have been played."""
        if not self.is_open:
            return
        now = time.perf_counter()
        self.tally.frames += 1
        if now - self._due > LATE_S:
            self.tally.late.append(now - self._due)
        self._due += FRAME_S
        self._loop.call_later(max(0.0, self._due - now), self._tick)
        while self._marks and self._marks[0][0] <= now:
            self.transport.write(self._marks.popleft()[1])
        self.transport.write(self._frame(now))

    def _frame(self, now: float) -> bytes:
        self._next += 1
        if self._next == 1:
            return self._media(self.hello)
        at = (self._next - CALIBRATION_FRAMES) % (self._shape.loud + self._shape.quiet)
        if self._next < CALIBRATION_FRAMES or at >= self._shape.loud:
            return self._quiet[self._next % VARIANTS]
        if at == 0:
            if self._loud_at:
                self.tally.missed += 1
            self._loud_at = now if self._played_at > now else 0.0
            if self.session:
                self.session.wanted, self.session.written_at = self._next, now
        return self._loud[self._next % VARIANTS]

    def text(self, data: bytes, start: int, stop: int, mask: bytes) -> None:
        """Play audio, remember marks, obey `clear`."""
        del mask
        now = time.perf_counter()
        if data.startswith(b'{"event":"media"', start):
            self.tally.media += 1
            seconds = (stop - start - MEDIA_BYTES) // 4 * 3 / 8000
            self._played_at = max(now, self._played_at) + seconds
        elif data.startswith(b'{"event":"mark"', start):
            self._marks.append((self._played_at, frame(data[start:stop], masked=True)))
        elif data.startswith(b'{"event":"clear"', start):
            if self._loud_at:
                self.tally.stops.append(now - self._loud_at)
            self._loud_at, self._played_at = 0.0, now
            while self._marks:
                self.send(self._marks.popleft()[1])
