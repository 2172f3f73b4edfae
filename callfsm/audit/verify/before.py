"""What of a call the judgement of a step needs, as it was before that step.

It is looked at before every one of a million steps, so that nothing is worked out that the event does not ask for.
"""

from collections.abc import Sequence
from typing import Final

from attrs import define

from callfsm.audit.verify.clock import ROUNDING_S
from callfsm.call import Call
from callfsm.events import (
    Event,
    RealtimeError,
    RmsFrame,
    SpeechDetected,
    TimerFired,
    TranscriptCompleted,
    TranscriptFailed,
)
from callfsm.hearing.mulaw import FRAME_MS
from callfsm.hearing.transcript import is_echo_of, is_made_up, is_only_noise, is_real_speech, is_too_short
from callfsm.hearing.turn import Utterance
from callfsm.machine import state_deadline
from callfsm.states.base import State
from callfsm.states.transcripts import ANSWERABLE_MS, SHORT_MS

_SOUNDS: Final = (RmsFrame, SpeechDetected)
_NOBODY: Final[Sequence[Utterance]] = ()


@define
class Before:
    """A call as it was before a step."""

    state: State
    is_ready: bool
    held_bytes: int
    """What of a reply was held back."""
    unsettled: Sequence[Utterance]
    """The utterances that had no verdict."""
    judged: Sequence[Utterance] = _NOBODY
    """Those of them that the event may give one."""
    is_text: bool = False
    """The event is the transcript of one of them."""
    is_first: bool = False
    """The event is the transcript of the first real utterance."""
    is_accepted: bool = False
    """The event has an utterance accepted, with its words or without."""
    gives_up: bool = False
    """The end of a cancelled response is awaited no longer."""
    is_open: bool = False
    """The caller's utterance was open; asked only where the assistant was stopped or may be."""
    open_ms: int = 0
    """How long it had been open, by its frames."""
    voiced_ms: int = 0
    """How much voiced sound there had been, in the utterance or held for it."""
    rest_bytes: int = 0
    """What the caller had not heard of what was received."""

    @classmethod
    def of(cls, call: Call, event: Event, *, has_real_user: bool) -> "Before":
        """Return it for this event; whether somebody real has spoken is not taken from the call."""
        playback = call.playback
        held_bytes = sum([len(piece.audio) for piece in playback.held]) if playback.held else 0
        before = cls(call.state, call.is_ready, held_bytes, tuple(call.turn.unsettled))
        if isinstance(event, TimerFired):
            before.gives_up = call.state is State.CANCELLING and state_deadline(call) <= event.at + ROUNDING_S
        if before.unsettled:
            before._note_verdict(event, call, has_real_user=has_real_user)
        if playback.is_paused or call.state is State.AI_SPEAKING:
            before.rest_bytes = playback.received - playback.furthest(event.at)
            if isinstance(event, _SOUNDS):
                before._note_sound(call)
        return before

    def _note_verdict(self, event: Event, call: Call, *, has_real_user: bool) -> None:
        self.judged = judged = _judged(self.unsettled, event)
        if not judged:
            return
        if isinstance(event, TranscriptCompleted):
            self.is_text = True
            is_somebody = not _is_nobody(call, event, judged[0])
            is_first = is_somebody and _is_real(event.transcript, judged[0])
            self.is_first = is_first and not has_real_user
            self.is_accepted = is_first or (is_somebody and has_real_user)
        elif isinstance(event, TranscriptFailed | TimerFired):
            self.is_accepted = has_real_user and any(map(_is_answerable, judged))

    def _note_sound(self, call: Call) -> None:
        utterance, min_voicing = call.turn.open, call.config.gate.min_voicing
        if utterance is None:
            held = [frame for frame in call.gate.held if frame.is_loud and frame.voicing >= min_voicing]
            self.voiced_ms = len(held) * FRAME_MS
        else:
            self.is_open, self.open_ms = True, utterance.frames * FRAME_MS
            self.voiced_ms = utterance.voiced_frames * FRAME_MS

    def is_proof(self, call: Call, event: Event) -> bool:
        """Say whether it is with this event that what stopped the assistant is speech; asked behind the step."""
        if isinstance(event, RmsFrame):
            config = call.config
            voiced_ms = self.voiced_ms + FRAME_MS * (event.voicing >= config.gate.min_voicing)
            return event.rms >= call.gate.limit_rms and voiced_ms >= config.turn.confirm_voiced_ms
        if isinstance(event, SpeechDetected):
            return self.is_open
        return self.is_accepted and isinstance(event, TranscriptCompleted)


def _judged(unsettled: Sequence[Utterance], event: Event) -> Sequence[Utterance]:
    if isinstance(event, TranscriptCompleted | TranscriptFailed):
        return [u for u in unsettled if u.item_id == event.item_id]
    if isinstance(event, TimerFired):
        return [u for u in unsettled if u.deadline <= event.at]
    if isinstance(event, RealtimeError) and event.event_id is not None:
        return [u for u in unsettled if u.commit_event_id == event.event_id]
    return _NOBODY


def _power(utterance: Utterance) -> float:
    # From the sums and not by the machine's own property: over all frames up to the last loud one.
    return utterance._spoken_power / utterance.spoken_frames  # noqa: SLF001


def _is_nobody(call: Call, event: TranscriptCompleted, utterance: Utterance) -> bool:
    text = event.transcript
    if is_too_short(text) or is_only_noise(text):
        return True
    if utterance.interrupts and is_echo_of(text, call.words_heard(event.at)):
        return True
    is_weak = _power(utterance) < (2 * utterance.threshold_rms) ** 2
    return is_made_up(text) and (is_weak or utterance.loud_ms < SHORT_MS)


def _is_real(text: str, utterance: Utterance) -> bool:
    return _power(utterance) >= utterance.threshold_rms**2 and is_real_speech(text)


def _is_answerable(utterance: Utterance) -> bool:
    return utterance.loud_ms >= ANSWERABLE_MS and not utterance.is_doubted
