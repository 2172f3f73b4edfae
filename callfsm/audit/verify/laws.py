"""What must be true of every call at every step, each law with its name.

A law is judged by what went in and what came out. What has to be remembered for that is kept beside the call and not
taken from it, which may be wrong about it.
"""

import math
from collections.abc import Sequence
from enum import Enum
from typing import Final

from attrs import define

from callfsm.audit.verify.before import Before
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
    PlayAudio,
    TruncateItem,
)
from callfsm.events import Event, RmsFrame
from callfsm.speaking.response import Owed, ResponsePhase
from callfsm.states.base import State

AUDIBLE: Final = (State.AI_GRACE, State.AI_SPEAKING)
_SAID: Final = "User said: "
_TO_REALTIME: Final = frozenset({
    AppendAudio, CommitAudio, ClearAudio, CreateResponse, TruncateItem, DeleteItem, CreateItem, AnswerTool,
})  # fmt: skip
"""All but the cancel of a barge-in, which the third law demands even without a session."""
_WAITING: Final = (State.GREETING, State.CANCELLING, *AUDIBLE)
_UNJUDGED: Final = (State.CALIBRATING, State.ENDED)


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
    CONFIRMED_STAYS = "what was said until a confirmed interruption is never resumed"
    GOES_ON = "a stop is doubted for confirm_ms; not confirmed, the assistant goes on with all that was not heard"
    CALLER_WINS = "what proves that somebody spoke ends what was being said for good, in that very step"
    UNTOUCHED = "until a stop is confirmed the conversation keeps what was being said, whole"
    NEWEST = "no reply begins that was requested before the newest accepted utterance"


class LawBrokenError(AssertionError):
    """A call broke a law."""

    def __init__(self, law: Law, why: str) -> None:
        super().__init__(f"{law.name} ({law.value}): {why}")
        self.law = law
        self.why = why


@define
class Step:
    """What went in and what came out."""

    event: Event
    effects: Sequence[Effect]
    kinds: Sequence[type[Effect]]
    played_bytes: int
    is_loud: bool
    """The event is a frame at or above the limit in force for it."""

    @classmethod
    def of(cls, call: Call, event: Event, effects: Sequence[Effect]) -> "Step":
        """Return it, behind the step."""
        kinds = [type(effect) for effect in effects]
        played = 0
        if PlayAudio in kinds:
            played = sum([len(effect.audio) for effect in effects if isinstance(effect, PlayAudio)])
        return cls(event, effects, kinds, played, isinstance(event, RmsFrame) and event.rms >= call.gate.limit_rms)


def judge_barge_in(before: Before, call: Call, step: Step) -> None:
    """Raise LawBrokenError where speech over the assistant did not stop it in this step."""
    if before.state is State.AI_SPEAKING and step.is_loud:
        kinds = step.kinds
        order = [kinds.index(kind) if kind in kinds else -1 for kind in (ClearPlayback, CancelResponse)]
        appended = kinds.index(AppendAudio) if AppendAudio in kinds else len(kinds)
        is_kept = call.state is State.CANCELLING and 0 <= order[0] < order[1] < appended
        if not is_kept or (before.is_ready and AppendAudio not in kinds):
            raise LawBrokenError(Law.BARGE_IN, f"{call.state.name}, {[kind.__name__ for kind in kinds]}")


def judge_readiness(call: Call, step: Step) -> None:
    """Raise LawBrokenError where something was sent to a session that is not ready."""
    if not call.is_ready and not _TO_REALTIME.isdisjoint(step.kinds):
        raise LawBrokenError(Law.READINESS, f"{[kind.__name__ for kind in step.kinds if kind in _TO_REALTIME]}")


def judge_verdict(before: Before, call: Call, step: Step) -> None:
    """Raise LawBrokenError where a transcript got another verdict than the rules give it, or an utterance is gone."""
    if before.is_text and before.state not in _UNJUDGED:
        said = any(isinstance(effect, Log) and effect.message.startswith(_SAID) for effect in step.effects)
        if said is not before.is_accepted:
            raise LawBrokenError(Law.VERDICT, f"{step.event} is {'accepted' if said else 'not accepted'}")
        if not said and call.is_ready and DeleteItem not in step.kinds:
            raise LawBrokenError(Law.VERDICT, f"{step.event} is rejected, and its item stays")
    if before.unsettled and call.state is not State.ENDED:
        kept = [*before.judged, *call.turn.unsettled]
        forgotten = sum(utterance not in kept for utterance in before.unsettled)
        if forgotten:
            raise LawBrokenError(Law.VERDICT, f"{forgotten} utterances are forgotten on {step.event}")


def judge_waiting(call: Call) -> None:
    """Raise LawBrokenError where something is awaited and nothing ends the waiting."""
    response, turn = call.response, call.turn
    if call.deadline < math.inf or turn.open is not None or not call.is_ready or call.state in _UNJUDGED:
        return
    is_awaiting = (
        call.state in _WAITING
        or response.phase is not ResponsePhase.NONE
        or response.owed is not Owed.NOTHING
        or call.playback.is_paused
        or bool(turn.unsettled or call.tools or call.digits)
    )
    if is_awaiting:
        raise LawBrokenError(Law.NO_DEAD_END, f"{call.state.name}, {response.phase.name}, {response.owed.name}")
