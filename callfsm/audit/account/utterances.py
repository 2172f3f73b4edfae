"""Following the caller's utterances through a call that is run again, blips included."""

import math
from typing import Final

from attrs import define, field

from callfsm.audit.account.values import Fate, Utterance
from callfsm.call import Call
from callfsm.effects import Effect, Log
from callfsm.events import Event, TranscriptCompleted, TranscriptFailed
from callfsm.hearing import turn
from callfsm.hearing.mulaw import FRAME_MS
from callfsm.states.transcripts import (
    ECHO_LINE,
    HALLUCINATION_LINE,
    PUNCTUATION_LINE,
    SKIPPED_LINE,
    TOO_SHORT_LINE,
)

_RULES: Final = {
    TOO_SHORT_LINE: Fate.TOO_SHORT,
    PUNCTUATION_LINE: Fate.PUNCTUATION,
    ECHO_LINE: Fate.ECHO,
    HALLUCINATION_LINE: Fate.HALLUCINATION,
    SKIPPED_LINE: Fate.NOT_REAL_YET,
}


@define(eq=False)
class _Draft:
    sound: turn.Utterance
    first: int
    """The place of its first loud frame among the call's frames."""
    closed_at: float | None = None
    settled_at: float | None = None
    transcript: str | None = None
    fate: Fate = Fate.UNSETTLED


@define(eq=False)
class Utterances:
    """The utterances so far, in the order in which they began."""

    drafts: list[_Draft] = field(factory=list)
    _waiting: list[_Draft] = field(factory=list)
    """Committed, and without a verdict."""

    def heard(self, call: Call, at: float, frames: int) -> None:
        """Note what a frame began or ended; it is the newest of so many frames."""
        newest = self.drafts[-1] if self.drafts else None
        if newest is not None and newest.closed_at is None and newest.sound is not call.turn.open:
            newest.closed_at = at
            if newest.sound in call.turn.unsettled:
                self._waiting.append(newest)
            else:
                newest.fate, newest.settled_at = Fate.BLIP, at
        opened = call.turn.open
        if opened is not None and (newest is None or newest.sound is not opened):
            self.drafts.append(_Draft(opened, frames - opened.frames))

    def adopt(self, call: Call) -> None:
        """Take the utterances of `call` for those that another call heard in the same frames."""
        mine = iter([*call.turn.unsettled, *([call.turn.open] if call.turn.open else [])])
        for draft in self.drafts:
            if draft.fate is not Fate.BLIP:
                draft.sound = next(mine)

    def settled(self, call: Call, event: Event, effects: tuple[Effect, ...], deadlines: dict[int, float]) -> None:
        """Note the verdicts of an event. `deadlines` are the transcripts', by the utterance's id(), before it."""
        for draft in [draft for draft in self._waiting if draft.sound not in call.turn.unsettled]:
            self._waiting.remove(draft)
            # The deadline is fed ahead of an event that comes at it or later.
            deadline = deadlines.get(id(draft.sound), math.inf)
            draft.settled_at = min(deadline, event.at)
            by = None if deadline <= event.at else event
            if isinstance(by, TranscriptCompleted):
                draft.transcript = by.transcript
            draft.fate = _verdict(draft.sound, by, effects)

    def finished(self, times: list[float]) -> tuple[Utterance, ...]:
        """Return them; `times` are those of the call's frames."""
        return tuple(_utterance(draft, times) for draft in self.drafts)

    def place_of_open(self) -> int:
        """Return the place of the newest one."""
        return len(self.drafts) - 1

    def place_of(self, item_id: str) -> int | None:
        """Return the place of the one that became this item."""
        return next((place for place, draft in enumerate(self.drafts) if draft.sound.item_id == item_id), None)


def deadlines(call: Call) -> dict[int, float]:
    """Return when the transcripts of a call's unsettled utterances are given up, by the utterance's id()."""
    return {id(sound): sound.deadline for sound in call.turn.unsettled}


def _verdict(sound: turn.Utterance, by: Event | None, effects: tuple[Effect, ...]) -> Fate:
    if not sound.rejected:
        return Fate.ACCEPTED
    match by:
        case TranscriptCompleted():
            lines = (effect.message for effect in reversed(effects) if isinstance(effect, Log))
            return next(_RULES[line] for line in lines if line in _RULES)
        case None | TranscriptFailed():
            return Fate.NO_TRANSCRIPT
        case _:
            return Fate.REFUSED


def _utterance(draft: _Draft, times: list[float]) -> Utterance:
    sound = draft.sound
    return Utterance(
        began_at=times[draft.first],
        ended_at=times[draft.first + sound.spoken_frames - 1],
        closed_at=draft.closed_at,
        settled_at=draft.settled_at,
        loud_ms=sound.loud_ms,
        voiced_ms=sound.voiced_frames * FRAME_MS,
        frames=sound.spoken_frames,
        rms=sound.rms,
        threshold_rms=sound.threshold_rms,
        fate=draft.fate,
        transcript=draft.transcript,
        item_id=sound.item_id,
        is_doubted=sound.is_doubted,
    )
