"""Between two turns: a moment, please; the call ends soon; a new session takes an old one's place. And no more credit."""

import pytest
from _pytest.mark.structures import ParameterSet

from callfsm.effects import (
    INFO,
    CancelResponse,
    ClearPlayback,
    Count,
    Effect,
    EndCall,
    Log,
    PlayAudio,
    RenewSession,
    SendMark,
)
from callfsm.events import (
    CallEnded,
    CallExpiring,
    DtmfReceived,
    Event,
    PlaybackMarked,
    RealtimeError,
    RealtimeExpiring,
    RealtimeLost,
    RealtimeMissing,
    ResponseDone,
    TimerFired,
)
from callfsm.hearing.turn import TurnPhase
from callfsm.speaking.playback import Mark, PlaybackPhase
from callfsm.speaking.response import Owed, ResponsePhase
from callfsm.states.base import State
from tests.calls import (
    Story,
    audio,
    calibrating,
    cancelling,
    grace,
    greeting,
    greeting_begun,
    listening,
    loud,
    quiet,
    quiets,
    reply_begun,
    reply_requested,
    speaking,
    utterance,
    waiting,
)
from tests.states.interrupted import BARGE_IN
from tests.states.shared import CLIP_SENT, INF, Fields, clip_played, without
from tests.table import Case, case, check, kept, said

HERE, WAITING, AI_GRACE, ENDED = State.LISTENING, State.WAITING_FOR_USER, State.AI_GRACE, State.ENDED
MISSING, EXPIRING, ENDING = RealtimeMissing(6.0), RealtimeExpiring(6.0), CallExpiring(6.0)
NEWS = (MISSING, EXPIRING, ENDING)

OWED = reply_requested().with_clips().then(RealtimeLost(3.0))
"""The reply was requested, and its session is lost: it is owed, and the caller is silent."""
IDLE = listening().with_clips()
OFFLINE = IDLE.then(RealtimeLost(4.0))
UNSENT = OFFLINE.then(utterance(5.0, "v"))
PAUSED = OWED.then(MISSING, TimerFired(6.3125), loud(6.375, "b1"), TimerFired(6.375))
"""The recording was stopped by a sound that is still open."""

REST = speaking().with_clips().then(RealtimeLost(3.75), PlaybackMarked(4.0, "m2"), PlaybackMarked(4.0, "m3"))
"""The session was lost in mid-reply, and what was here has been heard: the rest is owed."""
MOMENT = {**without(clip_played(6.0), "response.owed", "reply_transcript"), "response.kind": Owed.NOTHING}
WARNING = {
    "response.kind": Owed.NOTHING,
    "response.response_id": None,
    "is_reply_unknown": True,
    "playback.phase": PlaybackPhase.PLAYING,
    "playback.started_at": 6.0,
    "playback.ends_at": 6.1,
    "playback.sent": 800,
    "playback.received": 800,
    "playback._kept": [(0, audio(100))],
    "playback.marks": [Mark(2, 800)],
    "playback.last_mark": 2,
    "playback._marked": 800,
    "playback._anchor_at": 6.0,
    "playback._items": [("clip", 0, 800)],
    "cut": [],
    "deadline": 6.3,
}
MOMENT_LATER = {
    **without(MOMENT, "playback.marks", "playback.last_mark"),
    "response.response_id": None,
    "cut": [],
}
UNPAID = "insufficient_quota"
NO_CREDIT = "realtime_quota_exhausted"
BROKE = {"end_reason": NO_CREDIT, "deadline": INF}


LATER = (RealtimeMissing(3.75), RealtimeExpiring(3.75), CallExpiring(3.75))
EARLY = (RealtimeMissing(3.5), RealtimeExpiring(3.5), CallExpiring(3.5))


def ignored(state: State, given: Story, *news: Event) -> list[ParameterSet]:
    return [case(f"{type(event).__name__} is ignored", state, given, event, state) for event in news]


def failed(at: float, response_id: str) -> ResponseDone:
    return ResponseDone(at, response_id, 1, "failed", (), UNPAID)


def sent_from(mark: int) -> list[Effect]:
    """The recording of half a second, as it is sent, with the marks from this number on."""
    names = [SendMark(f"m{number}") for number in range(mark, mark + 3)]
    pieces = [PlayAudio(audio(ms)) for ms in (200, 200, 100)]
    return [effect for pair in zip(pieces, names, strict=True) for effect in pair]


def marked_from(mark: int) -> Fields:
    marks = [Mark(mark + index, at_byte) for index, at_byte in enumerate((1600, 3200, 4000))]
    return {"playback.marks": marks, "playback.last_mark": mark + 2}


STOPPED_AT = 1600
"""How much of the recording had been heard."""
STOPPED = {
    "gate.held": [],
    "turn.phase": TurnPhase.SPEAKING,
    "turn.open": said(loud(6.375, "b1"), sent=["uQ26", "uQ27", "uQ28", "uQ29", "uQ30", "b1"], interrupts=True),
    "response.phase": ResponsePhase.CANCELLING,
    "response.cancel_event_id": "cancel3",
    "response.cancelled_at": 6.375,
    "playback.phase": PlaybackPhase.PAUSED,
    "playback.ends_at": 0.0,
    **dict.fromkeys(
        (f"playback.{name}" for name in ("sent", "confirmed", "_marked", "_anchor", "_heard")), STOPPED_AT
    ),
    "playback.marks": [],
    "playback._anchor_at": 0.0,
    "_event_ids": 3,
    "deadline": 6.375,
}
GOES_ON = {
    "gate.held": kept(quiet(6.5, "q")),
    "turn.phase": TurnPhase.SILENT,
    "turn.open": None,
    "playback.phase": PlaybackPhase.PLAYING,
    "playback.started_at": 6.5,
    "playback.ends_at": 7.0,
    "playback.sent": 4000,
    "playback.confirmed": 0,
    **marked_from(4),
    "playback._marked": 4000,
    "playback._anchor": 0,
    "playback._anchor_at": 6.5,
    "playback._resumed_from": 0,
    "deadline": 6.8,
}
FIRST = (BARGE_IN, ClearPlayback(), CancelResponse("cancel3", None))
RESUMED = Log(INFO, "[BARGE-IN] Not confirmed as speech – the assistant goes on")

# fmt: off
CASES = [
    case("a moment, please: a reply is owed", HERE, OWED, MISSING, AI_GRACE, CLIP_SENT, MOMENT),
    case("a moment, please: the rest of a reply is owed", HERE, REST, MISSING, AI_GRACE, sent_from(4), {**without(MOMENT_LATER, "cut"), **marked_from(4), "response.is_cut": False}),
    case("a moment, please: an utterance waits for a session", HERE, UNSENT, MISSING, AI_GRACE, sent_from(2),
         {**MOMENT_LATER, **marked_from(2)}),
    case("a moment, please: without a recording", HERE, reply_requested().then(RealtimeLost(3.0)), MISSING, HERE),
    case("a moment, please: nothing is owed", HERE, OFFLINE, MISSING, HERE),
    case("a moment, please: the caller speaks", HERE, UNSENT.then(loud(5.5)), MISSING, HERE),
    case("a moment, please: there is a session", HERE, reply_requested().with_clips(), MISSING, HERE),
    case("a moment, please: what was stopped may go on", HERE, PAUSED, RealtimeMissing(6.5), HERE),
    case("a sound stops the recording, and it is kept", State.AI_SPEAKING, OWED.then(MISSING, TimerFired(6.3125)), loud(6.375, "b1"),
         State.CANCELLING, FIRST, STOPPED),
    case("nobody: the recording goes on, and the reply is still owed", HERE, PAUSED.then(quiets(6.5, 29)), quiet(6.5, "q"), AI_GRACE,
         [RESUMED, *sent_from(4)], GOES_ON),
    case("the call ends soon: nothing is awaited", HERE, IDLE, ENDING, AI_GRACE, [PlayAudio(audio(100)), SendMark("m2")], WARNING),
    case("the call ends soon: without a recording", HERE, listening(), ENDING, HERE),
    case("the call ends soon: a reply is awaited", HERE, reply_begun().with_clips(), ENDING, HERE),
    case("the call ends soon: the caller speaks", HERE, IDLE.then(loud(5.5)), ENDING, HERE),
    case("the call ends soon: a reply is owed", HERE, OWED, ENDING, HERE),
    case("the call ends soon: keys are pressed", HERE, IDLE.then(DtmfReceived(5.5, "1")), ENDING, HERE),
    case("an old session is left between turns", HERE, IDLE, EXPIRING, HERE, [RenewSession()]),
    case("an old session is kept while a reply is awaited", HERE, reply_begun(), EXPIRING, HERE),
    case("an old session is left while nobody has spoken", WAITING, waiting(), EXPIRING, WAITING, [RenewSession()]),
    case("an old session is kept while somebody begins", WAITING, waiting().then(loud(5.5)), EXPIRING, WAITING),
    case("the quota is exhausted: the greeting fails", State.GREETING, greeting_begun(), failed(2.0, "g1"), ENDED, [EndCall(NO_CREDIT)], BROKE),
    case("the quota is exhausted: the greeting is refused", State.GREETING, greeting(), RealtimeError(2.0, UNPAID, "create1"), ENDED,
         [EndCall(NO_CREDIT)], BROKE),
    case("the quota is exhausted: the reply fails", HERE, reply_begun(), failed(3.0, "r1"), ENDED, [EndCall(NO_CREDIT)], BROKE),
    case("the quota is exhausted: the reply is refused", HERE, reply_requested(), RealtimeError(3.0, UNPAID, "create2"), ENDED,
         [EndCall(NO_CREDIT)], BROKE),
    case("the quota is exhausted: the error names no message", HERE, reply_requested(), RealtimeError(3.0, UNPAID, None), ENDED,
         [EndCall(NO_CREDIT)], BROKE),
    case("the quota is exhausted: nothing is requested", HERE, listening(), RealtimeError(6.0, UNPAID, None), HERE,
         [Count(f"realtime_error:{UNPAID}")]),
    *ignored(State.CALIBRATING, calibrating(), *NEWS),
    *ignored(WAITING, waiting(), MISSING, ENDING),
    *ignored(State.GREETING, greeting(), *NEWS),
    *ignored(AI_GRACE, grace(), *EARLY),
    *ignored(State.AI_SPEAKING, speaking(), *LATER),
    *ignored(State.CANCELLING, cancelling(), *LATER),
    *ignored(ENDED, IDLE.then(CallEnded(5.5, "hangup")), *NEWS),
]
# fmt: on


@pytest.mark.parametrize("case", CASES)
def test_announcing(case: Case) -> None:
    check(case)
