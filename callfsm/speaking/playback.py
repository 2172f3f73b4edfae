"""What the caller has heard: what was sent to Twilio, what its marks confirm, and what the clock adds.

All amounts are bytes of mu-law, 8 a millisecond, counted from the reply's first byte. Twilio buffers what it is
sent and plays it in order at 8000 bytes a second, so that most of a reply is sent long before it is heard. What the
caller has not heard is kept, so that a reply that was stopped by nobody can go on.
"""

import math
from collections import deque
from collections.abc import Iterator
from enum import Enum
from typing import Final

from attrs import define, field, frozen

from callfsm.hearing.mulaw import BYTES_PER_MS, SAMPLE_RATE_HZ
from callfsm.phases import PhaseTable
from callfsm.speaking.levels import PAUSE_SEARCH_BYTES, Levels

MARK_BYTES: Final = 200 * BYTES_PER_MS
"""Between two marks lies at least so much audio: the resolution of what is known to have been heard."""
LOST_MARK_S: Final = 1.0
"""So long after the estimated end of a reply its last mark is held to be lost."""
STEP_BYTES: Final = 120 * BYTES_PER_MS
"""A reply that goes on a second time begins at least so much later than the first time."""
_KEPT_BYTES: Final = 2 * PAUSE_SEARCH_BYTES
"""Audio that has been confirmed to be heard for so long is forgotten."""


class PlaybackPhase(Enum):
    """Where the assistant's voice stands."""

    IDLE = "nothing of a reply has been sent to the caller"
    HELD = "a reply is here, and kept back: the caller may be about to go on"
    PLAYING = "sent, and not all of it heard"
    HEARD = "all that was sent has been heard"
    PAUSED = "stopped by a sound that may be nobody; what has not been heard is kept"


class PlaybackInput(Enum):
    """What moves the playback."""

    HOLD = "audio arrived and is kept back"
    PLAY = "audio was sent"
    ALL_MARKED = "the mark behind the last byte was echoed"
    PAUSE = "stopped; the rest is kept"
    KEEP = "more of it arrived while it was stopped"
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
            PlaybackInput.PAUSE: PlaybackPhase.PAUSED,
            PlaybackInput.STOP: PlaybackPhase.IDLE,
        },
        PlaybackPhase.HEARD: {
            PlaybackInput.PLAY: PlaybackPhase.PLAYING,
            PlaybackInput.PAUSE: PlaybackPhase.PAUSED,
            PlaybackInput.STOP: PlaybackPhase.IDLE,
        },
        PlaybackPhase.PAUSED: {
            PlaybackInput.KEEP: PlaybackPhase.PAUSED,
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


@frozen
class Piece:
    """A piece of a reply's speech, of one item, and how loud each 20 ms of it are."""

    item_id: str
    audio: bytes = field(repr=False)
    levels_rms: tuple[int, ...] = ()


@define
class _Item:
    item_id: str
    start: int
    end: int


@define(eq=False)
class Playback:
    """The playback of one call's replies, one reply after the other."""

    phase: PlaybackPhase = PlaybackPhase.IDLE
    held: list[Piece] = field(factory=list)
    started_at: float = 0.0
    ends_at: float = 0.0
    """When all that was sent will have been heard, by the clock and the newest mark, and the last mark sent."""
    sent: int = 0
    """How far the caller has been sent the reply; while it is paused, how far it has been heard."""
    received: int = 0
    """How much of the reply there is."""
    confirmed: int = 0
    marks: deque[Mark] = field(factory=deque)
    last_mark: int = 0
    _marked: int = 0
    _anchor: int = 0
    _anchor_at: float = 0.0
    _resumed_from: int = -STEP_BYTES
    """Where the reply went on the last time that it was paused."""
    _heard: int = 0
    """How far the reply had been heard when it was paused."""
    _items: list[_Item] = field(factory=list)
    _kept: deque[tuple[int, bytes]] = field(factory=deque, repr=False)
    """The reply's audio from shortly before what has been heard, each piece with the place of its first byte."""
    _levels: Levels = field(factory=Levels)

    def hold(self, piece: Piece) -> None:
        """Keep a reply's audio back."""
        self.phase = PLAYBACK.move(self.phase, PlaybackInput.HOLD)
        self.held.append(piece)

    def play(self, at: float, piece: Piece) -> Iterator[bytes | Mark]:
        """Count audio as sent; yield it in pieces, with the marks to be sent between them."""
        if self.phase in (PlaybackPhase.IDLE, PlaybackPhase.HELD):
            self.started_at = at
        self.phase = PLAYBACK.move(self.phase, PlaybackInput.PLAY)
        self._receive(piece)
        yield from self._send(at, piece.audio)

    def keep(self, piece: Piece) -> None:
        """Count audio that comes while the reply is paused: it is said when the reply goes on."""
        self.phase = PLAYBACK.move(self.phase, PlaybackInput.KEEP)
        self._receive(piece)

    def _receive(self, piece: Piece) -> None:
        if not self._items or self._items[-1].item_id != piece.item_id:
            self._items.append(_Item(piece.item_id, self.received, self.received))
        self._kept.append((self.received, piece.audio))
        self._levels.add(self.received, piece.levels_rms, len(piece.audio))
        self.received += len(piece.audio)
        self._items[-1].end = self.received

    def _send(self, at: float, audio: bytes) -> Iterator[bytes | Mark]:
        if self.ends_at <= at:
            self._anchor, self._anchor_at = self.sent, at
        self.ends_at = max(self.ends_at, at) + len(audio) / SAMPLE_RATE_HZ
        self._levels.send(at, len(audio))
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
        while self._kept and self._kept[0][0] + len(self._kept[0][1]) + _KEPT_BYTES < self.confirmed:
            self._kept.popleft()
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

    @property
    def is_audible(self) -> bool:
        """The caller has been sent a reply that has not come to its end."""
        return self.phase is PlaybackPhase.PLAYING or self.phase is PlaybackPhase.HEARD

    @property
    def is_paused(self) -> bool:
        """It was stopped by a sound that may be nobody, and may go on."""
        return self.phase is PlaybackPhase.PAUSED

    @property
    def has_rest(self) -> bool:
        """It is paused, and there is something that the caller has not heard."""
        return self.is_paused and self.received > self._heard

    def furthest(self, at: float) -> int:
        """Return how far the caller has heard the reply, wherever it went on since."""
        return max(self._heard, self.heard(at))

    def is_all_heard(self, at: float) -> bool:
        """Say whether the caller has heard all that there is of the reply."""
        return self.furthest(at) >= self.received

    def levels_rms(self, at: float) -> tuple[int, int]:
        """Return the loudest 20 ms that the caller has been played since this was last asked; 0 where none were.

        First by the marks and the clock, then by the clock alone. What was heard for sure may lie behind what can be
        heard by now: marks come late, or not at all, and the echo does not wait for them.
        """
        if not self.is_audible:
            return 0, 0
        return self._levels.loudest_to(self.heard(at)), self._levels.loudest_by_clock(at, self.sent)

    def pause(self, at: float) -> None:
        """Stop, and keep what the caller has not heard; what was on its way to the caller is to be cleared."""
        self.phase = PLAYBACK.move(self.phase, PlaybackInput.PAUSE)
        heard = self.heard(at)
        self._heard = max(self._heard, heard)
        self._stand_at(heard)

    def resume(self, at: float) -> Iterator[bytes | Mark]:
        """Go on a little before the place where the caller stopped hearing, at a pause between words if there is one.

        It gets on each time, be it a little, or noise that lasts would have the same words said for ever. Yield audio
        and marks as `play` does.
        """
        self.phase = PLAYBACK.move(self.phase, PlaybackInput.PLAY)
        self.started_at = at
        kept_from = self._kept[0][0] if self._kept else self.sent
        least = min(self.sent, max(kept_from, self._resumed_from + STEP_BYTES))
        start = self._resumed_from = max(least, self._levels.pause_before(self.sent))
        self._stand_at(start)
        for place, audio in list(self._kept):
            if place + len(audio) > start:
                yield from self._send(at, audio[max(0, start - place) :])

    def _stand_at(self, place: int) -> None:
        self.sent = self.confirmed = self._marked = self._anchor = place
        self.ends_at = self._anchor_at = 0.0
        self.marks.clear()
        self._levels.stand_at(place)

    def stop(self, at: float) -> list[Heard]:
        """End the playback; return what was heard of each item of the reply, in the order of play."""
        heard = self.furthest(at)
        report = [
            Heard(item.item_id, max(0, min(heard, item.end) - item.start), item.end - item.start)
            for item in self._items
        ]
        report += [Heard(piece.item_id, 0, len(piece.audio)) for piece in self.held]
        self.phase = PLAYBACK.move(self.phase, PlaybackInput.STOP)
        self._levels.clear()
        self._stand_at(0)
        self.received = self._heard = 0
        self._resumed_from = -STEP_BYTES
        self.held.clear()
        self._items.clear()
        self._kept.clear()
        return report
