"""What must be true of every call at every step, each law with its name.

A law is judged by what went in and what came out. What has to be remembered for that is kept here and not taken from
the call, which may be wrong about it.
"""

import math
from enum import Enum
from typing import Final

from attrs import frozen

from callfsm.audit.verify.clock import ROUNDING_S
from callfsm.call import Call
from callfsm.effects import (
    AnswerTool,
    AppendAudio,
    CancelResponse,
    ClearAudio,
    ClearPlayback,
    CommitAudio,
    CreateItem,
    CreateResponse,
    DeleteItem,
    Effect,
    Log,
    TruncateItem,
)
from callfsm.events import (
    Event,
    RealtimeError,
    RmsFrame,
    TimerFired,
    TranscriptCompleted,
    TranscriptFailed,
)
from callfsm.hearing.transcript import is_only_noise, is_real_speech, is_too_short
from callfsm.hearing.turn import Utterance
from callfsm.machine import state_deadline
from callfsm.speaking.response import Owed, ResponsePhase
from callfsm.states.base import State
from callfsm.states.transcripts import ANSWERABLE_MS

AUDIBLE: Final = (State.AI_GRACE, State.AI_SPEAKING)
_SAID: Final = "User said: "
_TO_REALTIME: Final = (
    AppendAudio, CommitAudio, ClearAudio, CreateResponse, TruncateItem, DeleteItem, CreateItem, AnswerTool,
)  # fmt: skip
"""All but the cancel of a barge-in, which the third law demands even without a session."""


class Law(Enum):
    """The laws; the first seven are those of the design, in its order."""

    NO_EARLY_RESPONSE = "no response before the first real utterance, but one greeting, and none once it was heard"
    NO_STRAY_AUDIO = (
        "audio only into the audible states, begun over no speaking caller, of none but our living response"
    )
    BARGE_IN = "speech over the assistant: in that very step CANCELLING, clear, then cancel, then the caller's audio"
    ONE_RESPONSE = "at most one response in flight, and none requested in CANCELLING"
    NO_DEAD_END = "whatever is awaited has a deadline, or is ended by frames or by the session's return"
    ANSWERED = "the caller falls silent, the peers answer: what was accepted is answered, or the call ends"
    SAME_EFFECTS = "the same events have the same effects, byte for byte"
    NO_EXCEPTION = "no event raises"
    READINESS = "nothing goes to a session that is not ready"
    VERDICT = "what is accepted is logged, what is rejected leaves no trace, and no utterance is forgotten"
    HEARD = "while the caller may hear the assistant, the state is one of the two in which speech stops it"
    GRACE = "the grace lasts grace_ms and no longer"
    WHOLE = "audio of our response is played whole, or held back, or the response is cancelled"
    NEWEST = "no reply begins that was requested before the newest accepted utterance"


class LawBrokenError(AssertionError):
    """A call broke a law."""

    def __init__(self, law: Law, why: str) -> None:
        super().__init__(f"{law.name} ({law.value}): {why}")
        self.law = law
        self.why = why


@frozen
class Before:
    """What of a call the judgement of its next step needs, as it was before that step."""

    state: State
    is_ready: bool
    is_loud: bool
    is_first: bool
    """The event is the transcript of the first real utterance."""
    is_accepted: bool
    """The event has an utterance accepted, with its words or without."""
    is_known_item: bool
    held_bytes: int
    gives_up: bool
    """The end of a cancelled response is awaited no longer."""
    unsettled: frozenset[int]
    judged: frozenset[int]
    """The utterances that have no verdict, and those of them that this event may give one."""

    @classmethod
    def of(cls, call: Call, event: Event, *, has_real_user: bool) -> "Before":
        """Return it for this event; whether somebody real has spoken is not taken from the call."""
        judged = _judged(call, event)
        is_text = isinstance(event, TranscriptCompleted) and bool(judged)
        is_first = isinstance(event, TranscriptCompleted) and is_text and _is_first(call, event, judged[0])
        is_said = isinstance(event, TranscriptCompleted) and is_text and not _is_noise(event.transcript)
        is_untold = isinstance(event, TranscriptFailed | TimerFired) and any(map(_is_answerable, judged))
        return cls(
            call.state,
            call.is_ready,
            isinstance(event, RmsFrame) and event.rms >= call.gate.threshold_rms,
            is_first and not has_real_user,
            is_first or (has_real_user and (is_said or is_untold)),
            is_text,
            sum(len(audio) for _, audio in call.playback.held),
            _is_given_up(call, event),
            frozenset(map(id, call.turn.unsettled)),
            frozenset(map(id, judged)),
        )


def _judged(call: Call, event: Event) -> list[Utterance]:
    if isinstance(event, TranscriptCompleted | TranscriptFailed):
        return [u for u in call.turn.unsettled if u.item_id == event.item_id]
    if isinstance(event, TimerFired):
        return [u for u in call.turn.unsettled if u.deadline <= event.at]
    if isinstance(event, RealtimeError) and event.event_id is not None:
        return [u for u in call.turn.unsettled if u.commit_event_id == event.event_id]
    return []


def _is_given_up(call: Call, event: Event) -> bool:
    is_timer = call.state is State.CANCELLING and isinstance(event, TimerFired)
    return is_timer and state_deadline(call) <= event.at + ROUNDING_S


def _is_noise(transcript: str) -> bool:
    return is_too_short(transcript) or is_only_noise(transcript)


def _is_first(call: Call, event: TranscriptCompleted, utterance: Utterance) -> bool:
    # From the sums and not by the machine's own property: over all frames up to the last loud one.
    power = utterance._spoken_power / utterance.spoken_frames  # noqa: SLF001
    return power >= call.gate.threshold_rms**2 and is_real_speech(event.transcript)


def _is_answerable(utterance: Utterance) -> bool:
    return utterance.loud_ms >= ANSWERABLE_MS


def judge_barge_in(before: Before, call: Call, kinds: list[type[Effect]]) -> None:
    """Raise LawBrokenError where speech over the assistant did not stop it in this step."""
    if before.state is State.AI_SPEAKING and before.is_loud:
        order = [kinds.index(kind) if kind in kinds else -1 for kind in (ClearPlayback, CancelResponse)]
        appended = kinds.index(AppendAudio) if AppendAudio in kinds else len(kinds)
        is_kept = call.state is State.CANCELLING and 0 <= order[0] < order[1] < appended
        if not is_kept or (before.is_ready and AppendAudio not in kinds):
            raise LawBrokenError(Law.BARGE_IN, f"{call.state.name}, {[kind.__name__ for kind in kinds]}")


def judge_readiness(call: Call, kinds: list[type[Effect]]) -> None:
    """Raise LawBrokenError where something was sent to a session that is not ready."""
    if not call.is_ready:
        sent = [kind.__name__ for kind in kinds if kind in _TO_REALTIME]
        if sent:
            raise LawBrokenError(Law.READINESS, f"{sent}")


def judge_verdict(before: Before, call: Call, event: Event, effects: list[Effect]) -> None:
    """Raise LawBrokenError where a transcript got another verdict than the rules give it, or an utterance is gone."""
    if before.is_known_item and before.state not in (State.CALIBRATING, State.ENDED):
        said = any(isinstance(effect, Log) and effect.message.startswith(_SAID) for effect in effects)
        deleted = any(isinstance(effect, DeleteItem) for effect in effects)
        if said is not before.is_accepted:
            raise LawBrokenError(Law.VERDICT, f"{event} is {'accepted' if said else 'not accepted'}")
        if not said and call.is_ready and not deleted:
            raise LawBrokenError(Law.VERDICT, f"{event} is rejected, and its item stays")
    forgotten = before.unsettled - before.judged - frozenset(map(id, call.turn.unsettled))
    if forgotten and call.state is not State.ENDED:
        raise LawBrokenError(Law.VERDICT, f"{len(forgotten)} utterances are forgotten on {event}")


def judge_waiting(call: Call) -> None:
    """Raise LawBrokenError where something is awaited and nothing ends the waiting."""
    response, turn = call.response, call.turn
    is_awaiting = (
        call.state in (State.GREETING, State.CANCELLING, *AUDIBLE)
        or response.phase is not ResponsePhase.NONE
        or response.owed in (Owed.GREETING, Owed.REPLY)
        or bool(turn.unsettled or call.tools or call.digits)
    )
    is_ended_by_itself = call.deadline < math.inf or turn.open is not None or not call.is_ready
    if is_awaiting and not is_ended_by_itself and call.state not in (State.CALIBRATING, State.ENDED):
        raise LawBrokenError(Law.NO_DEAD_END, f"{call.state.name}, {response.phase.name}, {response.owed.name}")
