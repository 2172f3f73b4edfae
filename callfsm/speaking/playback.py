"""What the caller has heard: what was sent to Twilio, what its marks confirm, and what the clock adds.

All amounts are bytes of mu-law, 8 a millisecond, counted from the reply's first byte. Twilio buffers what it is
sent and plays it in order at 8000 bytes a second, so that most of a reply is sent long before it is heard.
"""

import math
from collections import deque
from collections.abc import Iterator
from enum import Enum
from typing import Final

from attrs import define, field, frozen

from callfsm.hearing.mulaw import BYTES_PER_MS, SAMPLE_RATE_HZ
from callfsm.phases import PhaseTable

MARK_BYTES: Final = 200 * BYTES_PER_MS
"""Between two marks lies at least so much audio: the resolution of what is known to have been heard."""
LOST_MARK_S: Final = 1.0
"""So long after the estimated end of a reply its last mark is held to be lost."""


class PlaybackPhase(Enum):
    """Where the assistant's voice stands."""

    IDLE = "nothing of a reply has been sent to the caller"
    HELD = "a reply is here, and kept back: the caller may be about to go on"
    PLAYING = "sent, and not all of it heard"
    HEARD = "all that was sent has been heard"


class PlaybackInput(Enum):
    """What moves the playback."""

    HOLD = "audio arrived and is kept back"
    PLAY = "audio was sent"
    ALL_MARKED = "the mark behind the last byte was echoed"
    STOP = "cleared, given up, or at its end"


PLAYBACK: Final = PhaseTable(
    "playback",
    {
        PlaybackPhase.IDLE: {
            PlaybackInput.HOLD: PlaybackPhase.HELD,
            PlaybackInput.PLAY: PlaybackPhase.PLAYING,
            PlaybackInput.STOP: PlaybackPhase.IDLE,
        },
        PlaybackPhase.HELD: {
            PlaybackInput.HOLD: PlaybackPhase.HELD,
            PlaybackInput.PLAY: PlaybackPhase.PLAYING,
            PlaybackInput.STOP: PlaybackPhase.IDLE,
        },
        PlaybackPhase.PLAYING: {
            PlaybackInput.PLAY: PlaybackPhase.PLAYING,
            PlaybackInput.ALL_MARKED: PlaybackPhase.HEARD,
            PlaybackInput.STOP: PlaybackPhase.IDLE,
        },
        PlaybackPhase.HEARD: {
            PlaybackInput.PLAY: PlaybackPhase.PLAYING,
            PlaybackInput.STOP: PlaybackPhase.IDLE,
        },
    },
)


@frozen
class Mark:
    """A mark that Twilio has not echoed, and how much audio lies before it."""

    number: int
    at_byte: int

    @property
    def name(self) -> str:
        """The mark's name on the wire, unique in the call."""
        return f"m{self.number}"


@frozen
class Heard:
    """What became of one item's audio when the playback ended: heard and received, in bytes."""

    item_id: str
    heard: int
    received: int


@define
class _Item:
    item_id: str
    start: int
    end: int


@define(eq=False)
class Playback:
    """The playback of one call's replies, one reply after the other."""

    phase: PlaybackPhase = PlaybackPhase.IDLE
    held: list[tuple[str, bytes]] = field(factory=list)
    started_at: float = 0.0
    ends_at: float = 0.0
    """When all that was sent will have been heard, by the clock and the newest mark, and the last mark sent."""
    sent: int = 0
    confirmed: int = 0
    marks: deque[Mark] = field(factory=deque)
    last_mark: int = 0
    _marked: int = 0
    _anchor: int = 0
    _anchor_at: float = 0.0
    _items: list[_Item] = field(factory=list)

    def hold(self, item_id: str, audio: bytes) -> None:
        """Keep a reply's audio back."""
        self.phase = PLAYBACK.move(self.phase, PlaybackInput.HOLD)
        self.held.append((item_id, audio))

    def play(self, at: float, item_id: str, audio: bytes) -> Iterator[bytes | Mark]:
        """Count audio as sent; yield it in pieces, with the marks to be sent between them."""
        if self.phase in (PlaybackPhase.IDLE, PlaybackPhase.HELD):
            self.started_at = at
        self.phase = PLAYBACK.move(self.phase, PlaybackInput.PLAY)
        if self.ends_at <= at:
            self._anchor, self._anchor_at = self.sent, at
        self.ends_at = max(self.ends_at, at) + len(audio) / SAMPLE_RATE_HZ
        if not self._items or self._items[-1].item_id != item_id:
            self._items.append(_Item(item_id, self.sent, self.sent))
        self._items[-1].end += len(audio)
        for start in range(0, len(audio), MARK_BYTES):
            piece = audio[start : start + MARK_BYTES]
            self.sent += len(piece)
            yield piece
            if self.sent - self._marked >= MARK_BYTES:
                yield self._mark(at)

    def last_marks(self, at: float) -> list[Mark]:
        """Return the mark that has still to be sent behind the last byte, if any."""
        return [self._mark(at)] if self.sent > self._marked else []

    def _mark(self, at: float) -> Mark:
        self.last_mark += 1
        self._marked = self.sent
        self.ends_at = max(self.ends_at, at)
        mark = Mark(self.last_mark, self.sent)
        self.marks.append(mark)
        return mark

    def pending_mark(self, name: str) -> Mark | None:
        """Return the mark of this name that is still to be echoed; None for any other.

        Twilio echoes a cleared mark as if it had been played; names are never used again, so that such an echo
        proves nothing.
        """
        return next((mark for mark in self.marks if mark.name == name), None)

    def confirm(self, at: float, mark: Mark) -> None:
        """Take an echoed mark as proof that all before it has been heard."""
        while self.marks and self.marks[0].number <= mark.number:
            self.marks.popleft()
        self.confirmed = self._anchor = mark.at_byte
        self._anchor_at = at
        self.ends_at = at + (self.sent - mark.at_byte) / SAMPLE_RATE_HZ
        if self.confirmed == self.sent:
            self.phase = PLAYBACK.move(self.phase, PlaybackInput.ALL_MARKED)

    def heard(self, at: float) -> int:
        """Return how much the caller has heard: what is confirmed, and the clock up to the next mark.

        A mark that is late by LOST_MARK_S holds the estimate back no longer.
        """
        by_clock = self._anchor + math.floor((at - self._anchor_at) * SAMPLE_RATE_HZ)
        lost = by_clock - LOST_MARK_S * SAMPLE_RATE_HZ
        limit = next((mark.at_byte for mark in self.marks if mark.at_byte > lost), self.sent)
        return max(self.confirmed, min(by_clock, limit))

    def stop(self, at: float) -> list[Heard]:
        """End the playback; return what was heard of each item of the reply, in the order of play."""
        heard = self.heard(at)
        report = [
            Heard(item.item_id, max(0, min(heard, item.end) - item.start), item.end - item.start)
            for item in self._items
        ]
        report += [Heard(item_id, 0, len(audio)) for item_id, audio in self.held]
        self.phase = PLAYBACK.move(self.phase, PlaybackInput.STOP)
        self.sent = self.confirmed = self._marked = self._anchor = 0
        self.ends_at = self._anchor_at = 0.0
        self.marks.clear()
        self.held.clear()
        self._items.clear()
        return report
