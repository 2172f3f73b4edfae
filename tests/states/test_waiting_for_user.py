"""WAITING_FOR_USER: nobody has said anything real yet, so nothing may be requested but an owed greeting."""

import pytest

from callfsm.effects import ClearAudio, CommitAudio, CreateResponse, DeleteItem
from callfsm.events import (
    AudioCommitted,
    PlaybackMarked,
    RealtimeError,
    RealtimeLost,
    RealtimeReady,
    ResponseDone,
    SpeechDetected,
    TimerFired,
    TranscriptCompleted,
)
from callfsm.hearing.turn import TurnPhase
from callfsm.speaking.response import Owed, ResponsePhase
from callfsm.states.base import State
from tests.calls import (
    GREETED_WITH,
    GREETING_BUSINESS,
    Story,
    audio,
    greeting,
    greeting_audible,
    greeting_business,
    loud,
    louds,
    quiet,
    quiets,
    said_hello,
    utterance,
    waiting,
)
from tests.states.shared import (
    CLIP_SENT,
    FIRST,
    INF,
    SKIPPED,
    caller_cases,
    clip_played,
    common_cases,
    one_with,
    requested,
    settled,
    unasked_cases,
    user_said,
)
from tests.states.words import commit_cases, filter_cases, refused_commit_case, unreal_cases, words_cases
from tests.table import Case, added, appended, case, check, dropped, kept, said

HERE, LISTENING, GREETING = State.WAITING_FOR_USER, State.LISTENING, State.GREETING

NAMED_U1 = AudioCommitted(2.25, "u1")
HELLO = said_hello()
UNNAMED = waiting().then(utterance(2.0, "u"))
OVERDUE = UNNAMED.then(TimerFired(5.0))
AT_THRESHOLD = waiting().then(louds(2.0, 5, rms=150.0), quiets(2.0, 30), NAMED_U1)
GREETED = greeting_audible().then(ResponseDone(1.75, "g1", 1, "completed", ("ga1",)), PlaybackMarked(2.0, "m3"))
SPOKEN = waiting().then(louds(2.0, 5, "s"))
NOISE_ROSE = waiting().then(louds(2.0, 15, rms=200.0), quiets(2.0, 30), NAMED_U1, quiets(2.25, 300, rms=130.0))
"""An utterance of 200 on a line of 150, which is one of 260 now."""
NOISY = waiting().then(quiets(2.0, 300, rms=130.0))
NOISE_FELL = NOISY.then([loud(2.0, rms=270.0), quiet(2.0)] * 5, quiets(2.0, 29), NAMED_U1, quiets(2.25, 300))
"""An utterance of 210 on a line of 260, which is one of 150 again."""
MURMUR = waiting().then([loud(2.0, rms=150.0), quiet(2.0)] * 5, quiets(2.0, 29), NAMED_U1)
OFFLINE = waiting().then(RealtimeLost(2.0))
SPOKE_OFFLINE = OFFLINE.then(louds(2.0, 5, "s"))
ENDED_OFFLINE = SPOKE_OFFLINE.then(quiets(2.0, 30, "q"))

NO_SESSION = Story(business=GREETING_BUSINESS).then(quiets(1.0, 75, "c"))
BLOCKED = greeting().then(RealtimeError(2.0, "conversation_already_has_active_response", "create1"))
CLIP_OFFLINE = Story(business=GREETING_BUSINESS, clip=audio(500)).then(quiets(1.0, 75, "c"))
CLICKED = greeting_business().then(quiets(1.0, 70, "c"), louds(1.0, 4, "k"), quiets(1.0, 29, "q"))


PAID = {**requested(Owed.GREETING, 2.0, turn=1, ids=1), "response.owed": Owed.NOTHING}
PAID_AGAIN = {"phase": ResponsePhase.REQUESTED, "turn": 2, "create_event_id": "create2", "owed": Owed.NOTHING}
AGAIN = {f"response.{name}": now for name, now in PAID_AGAIN.items()} | {"_event_ids": 2}
GREET = GREETED_WITH
REAL = {
    **settled("u1"),
    **requested(Owed.REPLY, 2.5, turn=1, ids=2),
    "has_real_user_utterance": True,
    "history": [("user", "שלום")],
}

# fmt: off
CASES = [
    *caller_cases(HERE, waiting(), 2.0),
    *filter_cases(HERE, HELLO, 2.5, "u1", {"deadline": INF}),
    *unreal_cases(HERE, HELLO, 2.5, "u1", {"deadline": INF}, murmured=MURMUR),
    case("the first real utterance", HERE, HELLO, TranscriptCompleted(2.5, "u1", " שלום "), LISTENING,
         [FIRST, user_said("שלום"), CreateResponse("create2", 1, None)], REAL),
    case("three characters at the threshold are real", HERE, AT_THRESHOLD, TranscriptCompleted(2.5, "u1", "הלו"), LISTENING,
         [FIRST, user_said("הלו"), CreateResponse("create2", 1, None)], {**REAL, "history": [("user", "הלו")]}),
    case("no transcript in 3 s", HERE, UNNAMED, TimerFired(5.0), HERE, [SKIPPED],
         {"turn.phase": TurnPhase.SILENT, "turn.unsettled": [], "turn.unacknowledged": one_with(audio=[], rejected=True), "deadline": INF}),
    *commit_cases(HERE, waiting(), UNNAMED, OVERDUE, 2.5, late=5.5),
    refused_commit_case(HERE, UNNAMED, 2.5, "commit1", {"deadline": INF}),
    case("the owed greeting is requested when the session is ready", HERE, NO_SESSION, RealtimeReady(2.0), GREETING,
         [CreateResponse("create1", 1, GREET)], {**PAID, "is_ready": True}),
    case("the owed recording is played when the session is ready", HERE, CLIP_OFFLINE, RealtimeReady(2.0), State.AI_GRACE,
         [*CLIP_SENT], {**clip_played(2.0), "is_ready": True}),
    case("the owed greeting is requested after a blip", HERE, CLICKED, quiet(2.0, "x"), GREETING,
         [dropped(), ClearAudio(), CreateResponse("create1", 1, GREET)],
         {**PAID, "gate.held": kept(quiet(2.0, "x")), "turn.phase": TurnPhase.SILENT, "turn.open": None}),
    case("the end of what blocked the greeting", HERE, BLOCKED, ResponseDone(3.0, "f", None, "completed"), GREETING,
         [CreateResponse("create2", 2, GREET)], {**AGAIN, "response.requested_at": 3.0, "deadline": 11.0}),
    case("what blocks the greeting does not end", HERE, BLOCKED, TimerFired(9.0), GREETING,
         [CreateResponse("create2", 2, GREET)], {**AGAIN, "response.requested_at": 9.0, "deadline": 17.0, "response.failures": 1}),
    *unasked_cases(HERE, waiting(), 2.0, ids=0),
    case("the session is lost", HERE, waiting(), RealtimeLost(2.0), HERE, [], {"is_ready": False}),
    case("the session is lost with an utterance in it", HERE, HELLO, RealtimeLost(2.5), HERE, [],
         {"is_ready": False, "turn.unsettled": one_with(item_id=None, commit_event_id=None, deadline=INF), "deadline": INF}),
    case("the session is ready", HERE, OFFLINE, RealtimeReady(3.0), HERE, [], {"is_ready": True}),
    case("the session is ready while the caller speaks", HERE, SPOKE_OFFLINE, RealtimeReady(3.0), HERE,
         appended(*quiets(1.0, 75, "c")[60:], *louds(2.0, 5, "s")), {"is_ready": True}),
    case("the session is ready after the caller spoke", HERE, ENDED_OFFLINE, RealtimeReady(3.0), HERE,
         [*appended(*quiets(1.0, 75, "c")[60:], *louds(2.0, 5, "s"), *quiets(2.0, 25, "q")), CommitAudio("commit1")],
         {"is_ready": True, "turn.unsettled": one_with(commit_event_id="commit1", deadline=6.0), "deadline": 6.0,
          "turn.unacknowledged": added(said(
              *louds(2.0, 5, "s"), *quiets(2.0, 29, "q"), commit_event_id="commit1", deadline=6.0,
              sent=[f.payload for f in (*quiets(1.0, 75, "c")[60:], *louds(2.0, 5, "s"), *quiets(2.0, 25, "q"))])), "_event_ids": 1}),
    *words_cases(HERE, GREETED, 2.25, "g1"),
    case("the detector is sure of the caller", HERE, SPOKEN, SpeechDetected(2.0), HERE),
    case("real by the threshold that it began with: the noise has risen", HERE, NOISE_ROSE, TranscriptCompleted(2.5, "u1", "שלום"), LISTENING,
         [FIRST, user_said("שלום"), CreateResponse("create2", 1, None)], REAL),
    case("below the threshold that it began with: the noise has gone", HERE, NOISE_FELL, TranscriptCompleted(2.5, "u1", "שלום לך"), HERE,
         [SKIPPED, DeleteItem("u1")], {**settled("u1"), "deadline": INF}),
    *common_cases(HERE, waiting(), 2.0, PlaybackMarked(2.0, "m1")),
]
# fmt: on


@pytest.mark.parametrize("case", CASES)
def test_waiting_for_user(case: Case) -> None:
    check(case)
