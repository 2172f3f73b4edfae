"""CANCELLING: a response was cancelled, and no other may begin before its end."""

import pytest

from callfsm.effects import (
    AppendAudio,
    CancelResponse,
    Count,
    CreateItem,
    CreateResponse,
    DeleteItem,
)
from callfsm.events import (
    AudioCommitted,
    PlaybackMarked,
    RealtimeError,
    RealtimeLost,
    RealtimeReady,
    ReplyDue,
    ResponseCreated,
    ResponseDone,
    SpeechDetected,
    TimerFired,
    TranscriptCompleted,
    TranscriptFailed,
)
from callfsm.speaking.response import Owed, ResponsePhase
from callfsm.states.base import State
from tests.calls import (
    GREETED_WITH,
    Story,
    confirmed,
    given_up,
    greeting_begun,
    greeting_given_up,
    loud,
    louds,
    quiet,
    quiets,
    reply_begun,
    reply_requested,
    speaking,
    utterance,
)
from tests.states.interrupted import cancelled_is_over
from tests.states.shared import (
    FIRST,
    INF,
    SKIPPED,
    TOO_SHORT,
    Fields,
    caller_cases,
    common_cases,
    requested,
    settled,
    unasked_cases,
    user_said,
    without,
)
from tests.states.words import commit_cases, filter_cases, refused_commit_case, unreal_cases, words_cases
from tests.table import Case, added, appended, case, check

HERE, LISTENING, WAITING, GREETING = State.CANCELLING, State.LISTENING, State.WAITING_FOR_USER, State.GREETING
NOT_ACTIVE = "response_cancel_not_active"
GREET = GREETED_WITH


def spoken(given: Story, at: float, item: str, loud_frames: int = 15) -> Story:
    return given.then(utterance(at, "v", loud_frames), AudioCommitted(at, item))


QUIET = given_up()
SILENT_GREETING = greeting_given_up()
PENDING = spoken(QUIET, 10.75, "u2")
SHORT = spoken(QUIET, 10.75, "u2", 14)
UNNAMED = QUIET.then(utterance(10.75, "v"))
REJECTED = reply_begun().then(utterance(7.25, "v", 14), TimerFired(10.5))
UNREAL = spoken(SILENT_GREETING, 9.25, "u1")
MURMUR = SILENT_GREETING.then([loud(9.25, rms=150.0), quiet(9.25)] * 5, quiets(9.25, 29), AudioCommitted(9.25, "u1"))
LATE = spoken(reply_begun(), 8.0, "u2").then(TimerFired(10.5))
LATE_SHORT = spoken(reply_begun(), 8.0, "u2", 14).then(TimerFired(10.5))
LATE_UNREAL = spoken(greeting_begun(), 6.5, "u1").then(TimerFired(9.0))

SOMEBODY = confirmed().then(louds(3.75, 10), quiets(3.75, 30), AudioCommitted(3.75, "u2"))
OVERTAKEN = reply_requested().then(TimerFired(10.5))
BEGUN_AFTER = OVERTAKEN.then(ResponseCreated(10.75, "r1", 1))
OFFLINE = speaking().then(RealtimeLost(3.625), loud(3.75, "b1"))

OWED = {"response.owed": Owed.REPLY}
ACCEPTED = {"response.continued": 0}
OVER = {"response.phase": ResponsePhase.NONE}
FORGOTTEN = {"response.settled_ids": added("r1")}


def asked_again(at: float) -> Fields:
    """The owed reply is requested in the same step in which the cancel has its end."""
    asked = without(requested(Owed.REPLY, at, turn=2, ids=4), "response.kind")
    return {**asked, "response.owed": Owed.NOTHING, "response.response_id": None}


def greeted_again(at: float) -> Fields:
    asked = without(requested(Owed.GREETING, at, turn=2, ids=3), "response.kind")
    settled_ids = {"response.settled_ids": added("g1")}
    return {**asked, **settled_ids, "response.owed": Owed.NOTHING, "response.response_id": None}


def done(at: float, response_id: str | None, turn: int | None, *items: str) -> ResponseDone:
    return ResponseDone(at, response_id, turn, "cancelled", items)


ASK, ASK_GREETING = CreateResponse("create4", 2, None), CreateResponse("create3", 2, GREET)
AGAIN, GREET_AGAIN = {**asked_again(10.75), **FORGOTTEN}, greeted_again(9.25)
LOST = {"is_ready": False, **OVER, "deadline": INF}

# fmt: off
CASES = [
    *caller_cases(HERE, QUIET, 10.75, ids=3, until=12.0),
    case("somebody, and no transcript of 300 ms: a reply is owed", HERE, SOMEBODY, TranscriptFailed(4.0, "u2"), HERE,
         [], {**settled("u2"), **OWED, **ACCEPTED}),
    case("somebody: a reply is owed", HERE, SOMEBODY, TranscriptCompleted(4.0, "u2", "רגע"), HERE,
         [user_said("רגע")], {**settled("u2"), **OWED, **ACCEPTED, "history": added(("user", "רגע"))}),
    case("somebody, whose words are rejected: the rest stays owed", HERE, SOMEBODY, TranscriptCompleted(4.0, "u2", ""), HERE,
         [TOO_SHORT, DeleteItem("u2")], settled("u2")),
    case("the detector is sure of the caller, and nothing is kept", HERE, QUIET.then(louds(10.75, 1)), SpeechDetected(10.75), HERE),
    *filter_cases(HERE, PENDING, 11.0, "u2", {}),
    case("accepted: owed", HERE, PENDING, TranscriptCompleted(11.0, "u2", "כן"), HERE, [user_said("כן")],
         {**settled("u2"), "history": added(("user", "כן"))}),
    case("the first real utterance: a reply is owed, not the greeting", HERE, UNREAL, TranscriptCompleted(9.5, "u1", "שלום"), HERE,
         [FIRST, user_said("שלום")],
         {**settled("u1"), **OWED, "has_real_user_utterance": True, "response.failures": 0, "history": [("user", "שלום")]}),
    *unreal_cases(HERE, UNREAL, 9.5, "u1", {}, murmured=MURMUR),
    case("no transcript: owed all the same", HERE, PENDING, TranscriptFailed(11.0, "u2"), HERE, [], settled("u2")),
    case("no transcript of 280 ms", HERE, SHORT, TranscriptFailed(11.0, "u2"), HERE, [DeleteItem("u2")], settled("u2")),
    case("no transcript in 3 s: owed all the same", HERE, LATE, TimerFired(11.0), HERE, [], {**settled("u2"), "deadline": 12.0}),
    case("no transcript in 3 s of 280 ms", HERE, LATE_SHORT, TimerFired(11.0), HERE, [DeleteItem("u2")], {**settled("u2"), "deadline": 12.0}),
    case("no transcript in 3 s, nobody real yet", HERE, LATE_UNREAL, TimerFired(9.5), HERE, [SKIPPED, DeleteItem("u1")],
         {**settled("u1"), "deadline": 10.5}),
    *commit_cases(HERE, QUIET, UNNAMED, REJECTED, 11.0, late=10.75),
    refused_commit_case(HERE, UNNAMED, 11.0, "commit4", {}),
    case("the response begins after its cancel: cancelled by its id", HERE, OVERTAKEN, ResponseCreated(10.75, "r1", 1), HERE,
         [CancelResponse("cancel4", "r1")],
         {"response.phase": ResponsePhase.CANCELLING, "response.response_id": "r1", "response.cancel_event_id": "cancel4",
          **FORGOTTEN, "_event_ids": 4}),
    case("it begins twice", HERE, BEGUN_AFTER, ResponseCreated(10.75, "r1", 1), HERE, [Count("stray_response")]),
    case("another response begins after the cancel", HERE, OVERTAKEN, ResponseCreated(10.75, "f", 9), HERE,
         [Count("foreign_response"), CancelResponse("foreign4", "f")], {"response.settled_ids": ["f"], "_event_ids": 4}),
    *unasked_cases(HERE, QUIET, 10.75, ids=3),
    case("the response ends: the owed reply is requested", HERE, QUIET, done(10.75, "r1", 1, "a1"), LISTENING, [DeleteItem("a1"), ASK], AGAIN),
    case("an old server's response.cancelled", HERE, QUIET, done(10.75, None, None), LISTENING, [ASK], AGAIN),
    case("an old server's response.cancelled, which began after its cancel", HERE, OVERTAKEN, done(10.75, None, None), HERE,
         [Count("stray_response")], {"response.other_over_at": 10.75}),
    case("it ends before it was seen to begin", HERE, OVERTAKEN, done(10.75, "r1", 1), LISTENING, [ASK],
         without(asked_again(10.75), "response.response_id")),
    case("it ends: what was heard of it is kept, the rest is deleted", HERE, confirmed(), done(4.0, "r1", 1, "a1", "a2"), LISTENING,
         [DeleteItem("a2")], {**OVER, **FORGOTTEN, "cut": [], "deadline": INF}),
    case("the greeting ends: it is requested again", HERE, SILENT_GREETING, done(9.25, "g1", 1, "ga1"), GREETING,
         [DeleteItem("ga1"), ASK_GREETING], GREET_AGAIN, via=[WAITING]),
    case("it does not end in 1.5 s", HERE, QUIET, TimerFired(12.0), LISTENING, [ASK], {**asked_again(12.0), **FORGOTTEN}),
    case("the greeting does not end in 1.5 s", HERE, SILENT_GREETING, TimerFired(10.5), GREETING, [ASK_GREETING], greeted_again(10.5), via=[WAITING]),
    case("not active any more: our cancel is answered", HERE, QUIET, RealtimeError(10.75, NOT_ACTIVE, "cancel3"), LISTENING, [ASK], AGAIN),
    case("any error that answers our cancel", HERE, QUIET, RealtimeError(10.75, "", "cancel3"), LISTENING, [ASK], AGAIN),
    case("not active any more: the greeting", HERE, SILENT_GREETING, RealtimeError(9.25, NOT_ACTIVE, "cancel2"), GREETING, [ASK_GREETING], GREET_AGAIN, via=[WAITING]),
    case("not active any more, unaddressed", HERE, QUIET, RealtimeError(10.75, NOT_ACTIVE, None), LISTENING, [ASK], AGAIN),
    case("not active, an answer to another", HERE, QUIET, RealtimeError(10.75, NOT_ACTIVE, "foreign1"), HERE, [Count(f"realtime_error:{NOT_ACTIVE}")]),
    case("not active yet: it still begins", HERE, OVERTAKEN, RealtimeError(10.75, NOT_ACTIVE, "cancel3"), HERE, [Count(f"realtime_error:{NOT_ACTIVE}")]),
    case("not active yet, unaddressed", HERE, OVERTAKEN, RealtimeError(10.75, NOT_ACTIVE, None), HERE, [Count(f"realtime_error:{NOT_ACTIVE}")]),
    case("the answer to the cancel that came too early", HERE, BEGUN_AFTER, RealtimeError(10.75, NOT_ACTIVE, "cancel3"), HERE,
         [Count(f"realtime_error:{NOT_ACTIVE}")]),
    case("the session is lost", HERE, QUIET, RealtimeLost(10.75), LISTENING, [], {**LOST, **FORGOTTEN}),
    case("the session is lost: the greeting", HERE, SILENT_GREETING, RealtimeLost(9.25), WAITING, [],
         {**LOST, "response.settled_ids": added("g1")}),
    case("without a session nobody answers a cancel: it is over at once", HERE, OFFLINE, RealtimeReady(4.0), LISTENING,
         [CreateItem("user", "שלום לך"), *appended(*quiets(2.0, 30, "uQ")[25:]), AppendAudio("b1")],
         {"is_ready": True, **cancelled_is_over(), "deadline": INF}),
    *words_cases(HERE, QUIET, 10.75, "r1"),
    *common_cases(HERE, QUIET, 10.75, ReplyDue(10.75), PlaybackMarked(10.75, "m1")),
]
# fmt: on


@pytest.mark.parametrize("case", CASES)
def test_cancelling(case: Case) -> None:
    check(case)
