"""GREETING: the one greeting has been requested, and its first audio is awaited."""

import pytest

from callfsm.effects import CancelResponse, Count, CreateResponse, DeleteItem, Effect, PlayAudio, SendMark
from callfsm.events import (
    AudioCommitted,
    AudioDelta,
    PlaybackMarked,
    RealtimeError,
    RealtimeLost,
    RealtimeReady,
    ReplyDue,
    ReplyTranscript,
    ResponseCreated,
    ResponseDone,
    SpeechDetected,
    TimerFired,
    TranscriptCompleted,
)
from callfsm.hearing.turn import TurnPhase
from callfsm.speaking.playback import Mark, PlaybackPhase
from callfsm.speaking.response import Owed, ResponsePhase
from callfsm.states.base import State
from tests.calls import (
    GREETED_WITH,
    audio,
    greeting,
    greeting_begun,
    greeting_given_up,
    loud,
    louds,
    quiet,
    quiets,
    utterance,
)
from tests.states.shared import (
    FIRST,
    SKIPPED,
    caller_cases,
    cancelled,
    common_cases,
    one_with,
    requested,
    settled,
    unasked_cases,
    user_said,
    without,
)
from tests.states.words import commit_cases, filter_cases, refused_commit_case, unreal_cases
from tests.table import Case, case, check

HERE, WAITING, CANCELLING, AI_GRACE = State.GREETING, State.WAITING_FOR_USER, State.CANCELLING, State.AI_GRACE
GREET = GREETED_WITH

BEGUN = greeting_begun()
UNNAMED = greeting().then(utterance(2.0, "u"))
OVERDUE = UNNAMED.then(TimerFired(5.0))
NAMED_U1 = AudioCommitted(2.25, "u1")
PENDING = UNNAMED.then(NAMED_U1)
BEGUN_PENDING = BEGUN.then(utterance(2.0, "u"), NAMED_U1)
MURMUR = greeting().then([loud(2.0, rms=150.0), quiet(2.0)] * 5, quiets(2.0, 29), NAMED_U1)
SPOKEN_TO = BEGUN.then(louds(2.0, 1, "s"))
SECOND = greeting_given_up().then(RealtimeError(9.25, "response_cancel_not_active", "cancel2"))
SECOND_BEGUN = SECOND.then(ResponseCreated(9.5, "g2", 2))

BUSY, BROKEN = "conversation_already_has_active_response", "server_error"
HEARD = {
    **settled("u1"),
    "has_real_user_utterance": True,
    "history": [("user", "שלום")],
    "response.owed": Owed.REPLY,
}
OWED_AGAIN = {"response.owed": Owed.GREETING}
FAILED = {"response.failures": 1}
PLAYED = {
    "playback.phase": PlaybackPhase.PLAYING,
    "playback.started_at": 1.5,
    "playback.ends_at": 2.0,
    "playback.sent": 4000,
    "playback.received": 4000,
    "playback._kept": [(0, audio(500))],
    "playback.marks": [Mark(1, 1600), Mark(2, 3200)],
    "playback.last_mark": 2,
    "playback._marked": 3200,
    "playback._anchor_at": 1.5,
    "playback._items": [("ga1", 0, 4000)],
    "deadline": 1.5 + 0.3,
}
PLAY_500_MS: list[Effect] = [
    PlayAudio(audio(200)),
    SendMark("m1"),
    PlayAudio(audio(200)),
    SendMark("m2"),
    PlayAudio(audio(100)),
]


def again(at: float) -> dict[str, object]:
    """The greeting failed once and is requested a second time in the same step."""
    return {**without(requested(Owed.GREETING, at, turn=2, ids=2), "response.kind", "response.phase"), **FAILED}


def refused(code: str, event_id: str | None, at: float = 2.0) -> RealtimeError:
    return RealtimeError(at, code, event_id)


def done(at: float, response_id: str | None, turn: int | None = None, *items: str) -> ResponseDone:
    return ResponseDone(at, response_id, turn, "failed", items)


ASK_AGAIN = CreateResponse("create2", 2, GREET)
OVER = {"response.phase": ResponsePhase.NONE}
LATE = {"turn.phase": TurnPhase.SILENT, "turn.unsettled": [], "deadline": 9.0}

# fmt: off
CASES = [
    *caller_cases(HERE, greeting(), 2.0, ids=1, until=9.0),
    *filter_cases(HERE, PENDING, 2.5, "u1", {"deadline": 9.0}),
    *unreal_cases(HERE, PENDING, 2.5, "u1", {"deadline": 9.0}, murmured=MURMUR),
    case("the caller says something real before it begins", HERE, PENDING, TranscriptCompleted(2.5, "u1", "שלום"), CANCELLING,
         [FIRST, user_said("שלום"), CancelResponse("cancel3", None)], {**HEARD, **cancelled(2.5, ids=3, response_id=None)}),
    case("the caller says something real", HERE, BEGUN_PENDING, TranscriptCompleted(2.5, "u1", "שלום"), CANCELLING,
         [FIRST, user_said("שלום"), CancelResponse("cancel3", "g1")], {**HEARD, **cancelled(2.5, ids=3, response_id="g1")}),
    *commit_cases(HERE, greeting(), UNNAMED, OVERDUE, 2.5, late=5.5),
    refused_commit_case(HERE, UNNAMED, 2.5, "commit2", {"deadline": 9.0}),
    case("the greeting begins", HERE, greeting(), ResponseCreated(1.25, "g1", 1), HERE, [],
         {"response.phase": ResponsePhase.ACTIVE, "response.response_id": "g1"}),
    case("the greeting begins twice", HERE, BEGUN, ResponseCreated(1.5, "g1", 1), HERE, [Count("stray_response")]),
    case("its first audio", HERE, BEGUN, AudioDelta(1.5, "g1", "ga1", audio(500)), AI_GRACE, PLAY_500_MS, PLAYED),
    case("its first audio, and the caller speaks", HERE, SPOKEN_TO, AudioDelta(2.5, "g1", "ga1", audio(500)), CANCELLING,
         [CancelResponse("cancel2", "g1")], {**OWED_AGAIN, **cancelled(2.5, ids=2, response_id="g1")}),
    *unasked_cases(HERE, greeting(), 2.0, ids=1),
    case("it ends without audio: once more", HERE, BEGUN, done(2.0, "g1", 1, "ga1"), HERE, [DeleteItem("ga1"), ASK_AGAIN],
         {**again(2.0), "response.phase": ResponsePhase.REQUESTED, "response.response_id": None, "response.settled_ids": ["g1"]}, via=[WAITING]),
    case("it ends before it was seen to begin: once more", HERE, greeting(), done(2.0, "g1", 1), HERE, [ASK_AGAIN], again(2.0), via=[WAITING]),
    case("an old server's response.cancelled ends it", HERE, BEGUN, done(2.0, None), HERE, [ASK_AGAIN],
         {**again(2.0), "response.phase": ResponsePhase.REQUESTED, "response.response_id": None, "response.settled_ids": ["g1"]}, via=[WAITING]),
    case("an old server's response.cancelled before it began", HERE, greeting(), done(2.0, None), HERE, [Count("stray_response")],
         {"response.other_over_at": 2.0}),
    case("it ends without audio while the caller speaks", HERE, SPOKEN_TO, done(2.5, "g1", 1), WAITING, [],
         {**OVER, **OWED_AGAIN, **FAILED, "response.settled_ids": ["g1"], "deadline": float("inf")}),
    case("it ends without audio a second time", HERE, SECOND_BEGUN, done(9.75, "g2", 2, "ga2"), WAITING, [DeleteItem("ga2")],
         {**OVER, "response.settled_ids": ["g1", "g1", "g2"], "deadline": float("inf")}),
    case("no transcript in 3 s", HERE, UNNAMED, TimerFired(5.0), HERE, [SKIPPED],
         {**LATE, "turn.unacknowledged": one_with(audio=[], rejected=True)}),
    case("no transcript in 3 s of a named item", HERE, PENDING, TimerFired(5.0), HERE, [SKIPPED, DeleteItem("u1")],
         {**settled("u1"), "deadline": 9.0}),
    case("no audio in 8 s", HERE, BEGUN, TimerFired(9.0), CANCELLING, [CancelResponse("cancel2", "g1")],
         {**OWED_AGAIN, **FAILED, **cancelled(9.0, ids=2, response_id="g1")}),
    case("no audio in 8 s a second time", HERE, SECOND_BEGUN, TimerFired(17.25), CANCELLING, [CancelResponse("cancel4", "g2")],
         cancelled(17.25, ids=4, response_id="g2")),
    case("the session is ready once more", HERE, BEGUN, RealtimeReady(2.0), HERE),
    case("the session is lost: it stays owed", HERE, BEGUN, RealtimeLost(2.0), WAITING, [],
         {**OVER, **OWED_AGAIN, "is_ready": False, "response.settled_ids": ["g1"], "deadline": float("inf")}),
    case("another response is active", HERE, greeting(), refused(BUSY, "create1"), WAITING, [],
         {**OWED_AGAIN, "response.phase": ResponsePhase.BLOCKED}),
    case("another response is active, says an unaddressed error", HERE, greeting(), refused(BUSY, None), WAITING, [],
         {**OWED_AGAIN, "response.phase": ResponsePhase.BLOCKED}),
    case("another response is active, says an answer to another", HERE, greeting(), refused(BUSY, "create9"), HERE,
         [Count(f"realtime_error:{BUSY}")]),
    case("the other response has ended already: once more", HERE, greeting().then(done(1.5, "f")), refused(BUSY, "create1"), HERE, [ASK_AGAIN],
         without(again(2.0), "response.failures"), via=[WAITING]),
    case("another response is active a second time", HERE, SECOND, refused(BUSY, "create3", 9.5), WAITING, [],
         {**OVER, "deadline": float("inf")}),
    case("another response is active a second time, and has ended already: that is all", HERE, SECOND.then(done(9.5, "f")), refused(BUSY, "create3", 9.5),
         WAITING, [], {**OVER, "deadline": float("inf")}),
    case("our turn begins under an id that is known: it is ours", HERE, greeting().then(ResponseCreated(1.25, "f", None)), ResponseCreated(1.5, "f", 1),
         HERE, [], {"response.phase": ResponsePhase.ACTIVE, "response.response_id": "f"}),
    case("the request is refused: once more", HERE, greeting(), refused(BROKEN, "create1"), HERE, [ASK_AGAIN], again(2.0), via=[WAITING]),
    case("the request is refused a second time", HERE, SECOND, refused(BROKEN, "create3", 9.5), WAITING, [],
         {**OVER, "deadline": float("inf")}),
    *common_cases(HERE, greeting(), 2.0, SpeechDetected(2.0), ReplyDue(2.0), ReplyTranscript(2.0, "r", "שלום"), PlaybackMarked(2.0, "m1")),
]
# fmt: on


@pytest.mark.parametrize("case", CASES)
def test_greeting(case: Case) -> None:
    check(case)
