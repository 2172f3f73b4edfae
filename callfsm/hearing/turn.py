"""The caller's turn: a small machine, the utterance being spoken, and those committed but not yet settled."""

import math
from collections import deque
from enum import Enum
from typing import Final

from attrs import define, field

from callfsm.hearing.mulaw import FRAME_MS
from callfsm.phases import PhaseTable

RING_FRAMES: Final = 30_000 // FRAME_MS
"""So much audio that the API has not accepted is kept to be sent again after a lost connection."""


class TurnPhase(Enum):
    """Where the caller's turn stands."""

    SILENT = "the caller is silent and all that was said is settled"
    SPEAKING = "an utterance is open"
    UNSETTLED = "the caller is silent; an utterance awaits its transcript"


class TurnInput(Enum):
    """What moves the caller's turn."""

    SPEECH_STARTED = "a loud frame, and no utterance was open"
    BLIP_DROPPED = "the utterance was too short to be one"
    BLIP_DROPPED_UNSETTLED = "the same, and an earlier utterance is unsettled"
    COMMITTED = "the utterance is over"
    LAST_SETTLED = "the last unsettled utterance has its verdict"


TURN: Final = PhaseTable(
    "turn",
    {
        TurnPhase.SILENT: {TurnInput.SPEECH_STARTED: TurnPhase.SPEAKING},
        TurnPhase.SPEAKING: {
            TurnInput.BLIP_DROPPED: TurnPhase.SILENT,
            TurnInput.BLIP_DROPPED_UNSETTLED: TurnPhase.UNSETTLED,
            TurnInput.COMMITTED: TurnPhase.UNSETTLED,
        },
        TurnPhase.UNSETTLED: {
            TurnInput.SPEECH_STARTED: TurnPhase.SPEAKING,
            TurnInput.LAST_SETTLED: TurnPhase.SILENT,
        },
    },
)


@define(eq=False)
class Utterance:
    """One stretch of the caller's sound, from its first loud frame on.

    `audio` is what went, or must go, to the API for it: base64 frames, with those ahead of the first loud one.
    """

    audio: deque[str] = field(factory=deque, repr=False)
    loud_frames: int = 0
    frames: int = 0
    """Frames from the first loud one to the newest."""
    spoken_frames: int = 0
    """Frames from the first loud one to the last loud one."""
    commit_event_id: str | None = None
    item_id: str | None = None
    deadline: float = math.inf
    """When its transcript is given up, in monotonic seconds."""
    rejected: bool = False
    threshold_rms: float = 0.0
    """The speech threshold in force when it began."""
    voiced_frames: int = 0
    """Loud frames that were voiced, as speech is."""
    interrupts: bool = False
    """It began while the assistant was audible, and stopped it."""
    is_doubted: bool = False
    """It stopped the assistant, who went on because it had not been proven to be speech."""
    _spoken_power: float = 0.0
    _power: float = 0.0

    def hear(self, rms: float, *, loud: bool, voiced: bool = False) -> None:
        """Count one frame that belongs to the utterance."""
        self.frames += 1
        self._power += rms * rms
        if loud:
            self.loud_frames += 1
            self.voiced_frames += voiced
            self.spoken_frames = self.frames
            self._spoken_power = self._power

    @property
    def rms(self) -> float:
        """Root mean square over all frames from the first loud one to the last, not the loud ones alone."""
        return math.sqrt(self._spoken_power / self.spoken_frames)

    @property
    def loud_ms(self) -> int:
        """How much of it was at or above the threshold."""
        return self.loud_frames * FRAME_MS

    @property
    def quiet_ms(self) -> int:
        """How long it has been below the threshold since its last loud frame."""
        return (self.frames - self.spoken_frames) * FRAME_MS


@define(eq=False)
class Turn:
    """The caller's turn in one call."""

    phase: TurnPhase = TurnPhase.SILENT
    open: Utterance | None = None
    unsettled: deque[Utterance] = field(factory=deque)
    """Committed, oldest first, and without a verdict."""
    unacknowledged: deque[Utterance] = field(factory=deque)
    """Committed, in the order in which the API will name their items."""

    def speech_started(self, threshold_rms: float) -> Utterance:
        """Open an utterance, with the threshold that is in force."""
        self.phase = TURN.move(self.phase, TurnInput.SPEECH_STARTED)
        self.open = Utterance(threshold_rms=threshold_rms)
        return self.open

    def drop(self) -> None:
        """Forget the open utterance: it was a blip."""
        by = TurnInput.BLIP_DROPPED_UNSETTLED if self.unsettled else TurnInput.BLIP_DROPPED
        self.phase = TURN.move(self.phase, by)
        self.open = None

    def commit(self) -> Utterance:
        """Close the open utterance; it awaits its verdict."""
        self.phase = TURN.move(self.phase, TurnInput.COMMITTED)
        utterance = self.utterance
        self.unsettled.append(utterance)
        self.open = None
        return utterance

    def settle(self, utterance: Utterance, *, rejected: bool) -> None:
        """Give a committed utterance its verdict; its audio will not be needed again."""
        self.unsettled.remove(utterance)
        utterance.audio.clear()
        utterance.rejected = rejected
        if not self.unsettled and self.phase is TurnPhase.UNSETTLED:
            self.phase = TURN.move(self.phase, TurnInput.LAST_SETTLED)

    @property
    def utterance(self) -> Utterance:
        """The open utterance; asked for only while there is one."""
        assert self.open is not None  # noqa: S101 - a bug of ours, which ends the call
        return self.open

    @property
    def deadline(self) -> float:
        """When the oldest awaited transcript is given up, in monotonic seconds; inf where none is awaited."""
        return self.unsettled[0].deadline if self.unsettled else math.inf

    def unsettled_item(self, item_id: str) -> Utterance | None:
        """Return the unsettled utterance that became this item."""
        return next((u for u in self.unsettled if u.item_id == item_id), None)

    def trim(self) -> None:
        """Forget the oldest audio beyond what the ring holds."""
        waiting = [*self.unsettled, self.utterance]
        excess = sum(len(u.audio) for u in waiting) - RING_FRAMES
        for utterance in waiting:
            while excess > 0 and utterance.audio:
                utterance.audio.popleft()
                excess -= 1
