"""What the caller hears: audio and marks played in the order received, at the line's own pace.

Pure. The clock is the number of samples since the call began (8000 a second), which the owner passes in.
"""

from collections import deque
from enum import StrEnum
from typing import Final

import attrs

from callfsm.hearing.mulaw import BYTES_PER_MS

SILENCE: Final = b"\xff"


class Heard(StrEnum):
    """What can happen in an earpiece."""

    SOUND = "sound"
    """Audio began to play after silence."""
    MARK = "mark"
    """All audio before a mark has been played, or was cleared."""
    QUIET = "quiet"
    """Nothing is left to play."""


@attrs.frozen
class Moment:
    """Something heard, at a sample number; `mark` is the name of a MARK."""

    at_sample: int
    kind: Heard
    mark: str = ""


@attrs.define(eq=False)
class Earpiece:
    """A playback buffer and a recording of all that came out of it, the silence between included.

    `recording` holds one mu-law byte for every sample of the call so far, so its length is the time.
    `playback_sample` is where the current playback began, None while nothing is audible.
    """

    recording: bytearray = attrs.field(factory=bytearray, init=False)
    playback_sample: int | None = attrs.field(default=None, init=False)
    _queue: deque[bytes | str] = attrs.field(factory=deque, init=False)

    @property
    def heard_ms(self) -> float:
        """How much of the current playback has been heard, 0 while nothing is audible."""
        return 0.0 if self.playback_sample is None else (self._now - self.playback_sample) / BYTES_PER_MS

    def put(self, audio_or_mark: bytes | str) -> None:
        """Queue mu-law audio (bytes) or the name of a mark (str)."""
        if audio_or_mark != b"":
            self._queue.append(audio_or_mark)

    def clear(self) -> list[Moment]:
        """Drop all queued audio; every mark still pending comes back at once."""
        marks = [queued for queued in self._queue if isinstance(queued, str)]
        self._queue.clear()
        return [*self._fall_silent(), *(Moment(self._now, Heard.MARK, mark) for mark in marks)]

    def advance(self, to_sample: int) -> list[Moment]:
        """Play up to this sample number and return what happened on the way, in order."""
        moments: list[Moment] = []
        while self._queue:
            head = self._queue[0]
            if isinstance(head, str):
                moments.append(Moment(self._now, Heard.MARK, head))
                self._queue.popleft()
            elif self._now < to_sample:
                moments += self._sound(head, to_sample)
            else:
                return moments
        if self._now < to_sample:
            moments += self._fall_silent()
            self.recording.extend(SILENCE * (to_sample - self._now))
        return moments

    @property
    def _now(self) -> int:
        return len(self.recording)

    def _sound(self, audio: bytes, to_sample: int) -> list[Moment]:
        """Play the audio at the head of the queue, or as much of it as there is time for."""
        began: list[Moment] = []
        if self.playback_sample is None:
            self.playback_sample = self._now
            began.append(Moment(self._now, Heard.SOUND))
        played = audio[: to_sample - self._now]
        self.recording.extend(played)
        if len(played) == len(audio):
            self._queue.popleft()
        else:
            self._queue[0] = audio[len(played) :]
        return began

    def _fall_silent(self) -> list[Moment]:
        if self.playback_sample is None:
            return []
        self.playback_sample = None
        return [Moment(self._now, Heard.QUIET)]
