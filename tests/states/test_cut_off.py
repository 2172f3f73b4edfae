"""A reply that is stopped before all of it has come: audio that comes late is kept, and the rest is requested."""

import pytest
from attrs import evolve

from callfsm.effects import (
    AnswerTool,
    CancelResponse,
    ClearAudio,
    CommitAudio,
    Count,
    CreateItem,
    CreateResponse,
    DeleteItem,
    Effect,
    PlayAudio,
    SendMark,
    TruncateItem,
)
from callfsm.events import (
    AudioCommitted,
    AudioDelta,
    RealtimeLost,
    RealtimeReady,
    ReplyTranscript,
    RmsFrame,
    SpeechDetected,
    ToolAnswered,
    ToolCalled,
    TranscriptCompleted,
    TranscriptFailed,
)
from callfsm.hearing.turn import TurnPhase
from callfsm.speaking.playback import Heard, Mark
from callfsm.states.base import State
from callfsm.states.tools import STILL_TALKING
from tests.calls import Story, audio, cancelling, confirmed, loud, louds, quiet, quiets, reply_begun, utterance
from tests.states.audible import delta, past_grace
from tests.states.interrupted import (
    CONFIRMED,
    KEEP_400,
    RESUMED,
    cancelled_is_over,
    done,
    dropped_rest,
    goes_on,
    stopped_at_end,
)
from tests.states.shared import CONTINUED_WITH, INF, PUNCTUATION, Fields, rest_requested, settled, user_said, without
from tests.table import Case, added, appended, case, check, said, unsent

HERE, LISTENING, AI_GRACE = State.CANCELLING, State.LISTENING, State.AI_GRACE
B1, X, STILL = loud(3.75, "b1"), loud(3.75, "x"), quiet(3.75, "x")
AHEAD, HUSH, NOISE = quiets(2.0, 30, "uQ")[25:], quiets(3.75, 30, "q"), louds(3.75, 4, "n", voicing=0.0)
VOICE = louds(3.75, 4, "s")


def opened(*frames: RmsFrame, ahead: list[RmsFrame] = AHEAD, **known: object) -> dict[str, object]:
    return said(*frames, sent=[frame.payload for frame in (*ahead, *frames)], **known)


# Audio that comes late

LATE, LEVELS = AudioDelta(3.75, "r1", "a1", audio(100)), (300, 400, 500, 600, 700)
FOREIGN = evolve(LATE, response_id="f")
ITS_LEVELS = [(4160, 300), (4320, 400), (4480, 500), (4640, 600), (4800, 700)]
KEPT: Fields = {"playback.received": 4800, "playback._kept": added((4000, audio(100)))}
ITEM, NEXT_ITEM = {"playback._items": [("a1", 0, 4800)]}, {"playback._items": added(("a2", 4000, 4800))}
WITH_LATE = cancelling().then(LATE)
ALL_OF_IT: list[Effect] = [
    RESUMED,
    PlayAudio(audio(200)),
    SendMark("m3"),
    PlayAudio(audio(200)),
    SendMark("m4"),
    PlayAudio(audio(100)),
    SendMark("m5"),
]
GOES_ON_LONGER: Fields = {
    **goes_on(3.75),
    "playback.ends_at": 4.25,
    "playback.sent": 4800,
    "playback._marked": 4800,
    "playback.last_mark": 5,
    "playback.marks": [Mark(3, 2400), Mark(4, 4000), Mark(5, 4800)],
}

# All that had been received had been heard

AT_END = stopped_at_end()
CLICKED = AT_END.then(HUSH)
CLICK_OPEN, HISS_OPEN = AT_END.then(done(3.75), HUSH[:29]), AT_END.then(done(3.75), NOISE, HUSH[:25])
DOUBTED = HISS_OPEN.then(STILL, AudioCommitted(3.75, "u2"))
HISS = opened(B1, *NOISE, *HUSH[:25], interrupts=True, is_doubted=True, commit_event_id="commit4", deadline=6.75)
LATE_AT_END = AT_END.then(LATE)
BLIP: Fields = {"turn.phase": TurnPhase.SILENT, "turn.open": None}
ENDED: Fields = {**dropped_rest(), "cut": [Heard("a1", 1600, 1600)]}
ENDED_AND_FORGOTTEN = without(ENDED, "cut")
SENT_ON: Fields = {"response.continued": 1}
LOST: Fields = {"is_ready": False, "is_reply_unknown": True}
ASK = CreateResponse("create4", 2, CONTINUED_WITH)
ANEW: Fields = {"playback.sent": 2400, "playback._marked": 2400, "playback.confirmed": 0, "playback._anchor": 0}
LATE_GOES_ON: Fields = {
    **goes_on(3.75, place=0),
    **ANEW,
    "playback.ends_at": 4.05,
    "playback.last_mark": 3,
    "playback.marks": [Mark(2, 1600), Mark(3, 2400)],
}
OFFLINE = AT_END.then(ReplyTranscript(3.75, "r1", "מיד"), RealtimeLost(3.75), HUSH)


def calling(name: str) -> Story:
    """CANCELLING: the same of a reply that has called a function; the sound is over, and was a blip."""
    called = reply_begun().with_tools().then(ToolCalled(3.25, "r1", "c1", name, "{}"))
    return past_grace(called.then(delta(3.25, 200))).then(B1, HUSH)


AWAITING, GOODBYE = calling("lookup"), calling("hang_up")
SPOKE_BEFORE = past_grace(reply_begun().then(utterance(3.0, "v"), AudioCommitted(3.0, "u2"), delta(3.25, 200))).then(
    B1, HUSH, done(3.75)
)
NOT_CALLED: Fields = {"response.has_called_tool": False}
STAYS: Fields = {"farewell": "", "farewell_call_id": "", **NOT_CALLED}


def asked(at: float, ids: int = 4) -> Fields:
    """Nobody was there: the playback is over, and the rest is requested."""
    return {**ENDED_AND_FORGOTTEN, **rest_requested(at, ids=ids)}


# fmt: off
CASES = [
    case("audio that still comes is kept", HERE, cancelling(), LATE, HERE, [], {**KEPT, **ITEM}),
    case("audio that still comes is kept, with its loudness", HERE, cancelling(), evolve(LATE, levels_rms=LEVELS), HERE, [],
         {**KEPT, **ITEM, "playback._levels": (ITS_LEVELS, 0)}),
    case("audio of the next item is kept", HERE, cancelling(), evolve(LATE, item_id="a2"), HERE, [], {**KEPT, **NEXT_ITEM}),
    case("audio of another response is not", HERE, cancelling(), FOREIGN, HERE, [Count("foreign_response"), CancelResponse("foreign4", "f")],
         {"response.settled_ids": added("f"), "_event_ids": 4}),
    case("somebody spoke: audio that still comes is dropped", HERE, confirmed(), LATE, HERE, [Count("stray_response")]),
    case("nobody: it goes on with what came late", HERE, WITH_LATE.then(HUSH), done(3.75), AI_GRACE, ALL_OF_IT,
         {**cancelled_is_over(), **GOES_ON_LONGER}, via=[LISTENING]),
    case("somebody: what came late has not been heard", HERE, WITH_LATE, SpeechDetected(3.75), HERE, [KEEP_400, CONFIRMED],
         {**dropped_rest(), **SENT_ON, "cut": [Heard("a1", 3200, 4800)]}),

    case("all was heard, and 80 ms of voice prove nobody", HERE, AT_END.then(VOICE[:2]), X, HERE, appended(X),
         {"turn.open": opened(B1, *VOICE[:2], X, interrupts=True)}),
    case("all was heard, and 100 ms of voice prove somebody: nothing is truncated", HERE, AT_END.then(VOICE[:3]), X, HERE, [*appended(X), CONFIRMED],
         {**ENDED, **SENT_ON, "turn.open": opened(B1, *VOICE[:3], X, interrupts=True)}),
    case("all was heard, and the detector is sure", HERE, AT_END, SpeechDetected(3.75), HERE, [CONFIRMED], {**ENDED, **SENT_ON}),
    case("all was heard, and nobody was there: the rest is requested", HERE, CLICKED, done(3.75, "r1", 1, "a1"), LISTENING, [RESUMED, ASK],
         {**cancelled_is_over(), **asked(3.75)}),
    case("all was heard, and a blip ends: the rest is requested", LISTENING, CLICK_OPEN, STILL, LISTENING, [ClearAudio(), RESUMED, ASK],
         {**asked(3.75), **BLIP, "gate.held": added(unsent(STILL))}),
    case("all was heard, and a doubted sound ends: its transcript is awaited", LISTENING, HISS_OPEN, STILL, LISTENING, [CommitAudio("commit4")],
         {"turn.phase": TurnPhase.UNSETTLED, "turn.open": None, "turn.unsettled": [HISS], "turn.unacknowledged": [HISS], "_event_ids": 4,
          "gate.held": [unsent(STILL)], "deadline": 6.75}),
    case("the detector is sure of a sound that is over", LISTENING, DOUBTED, SpeechDetected(3.75), LISTENING),
    case("a second sound begins while the transcript is awaited", LISTENING, DOUBTED, X, LISTENING, appended(STILL, X),
         {"gate.held": [], "turn.phase": TurnPhase.SPEAKING, "turn.open": opened(X, ahead=[STILL])}),
    case("a second sound is a voice", LISTENING, DOUBTED.then(VOICE), X, LISTENING, [*appended(X), CONFIRMED],
         {**ENDED_AND_FORGOTTEN, **SENT_ON, "turn.open": opened(*VOICE, X, ahead=[STILL])}),
    case("the doubted sound was no words: the rest is requested", LISTENING, DOUBTED, TranscriptCompleted(4.0, "u2", "?!"), LISTENING,
         [PUNCTUATION, DeleteItem("u2"), RESUMED, evolve(ASK, event_id="create5")], {**settled("u2"), **asked(4.0, 5)}),
    case("the doubted sound was words: a reply to them is requested", LISTENING, DOUBTED, TranscriptCompleted(4.0, "u2", "רגע"), LISTENING,
         [user_said("רגע"), CONFIRMED, CreateResponse("create5", 2, None)],
         {**settled("u2"), **asked(4.0, 5), "history": added(("user", "רגע"))}),
    case("audio comes late, and nobody was there: it goes on with that", HERE, LATE_AT_END.then(HUSH), done(3.75), AI_GRACE,
         [RESUMED, PlayAudio(audio(200)), SendMark("m2"), PlayAudio(audio(100)), SendMark("m3")], {**cancelled_is_over(), **LATE_GOES_ON},
         via=[LISTENING]),
    case("audio comes late, and somebody spoke: it has not been heard", HERE, LATE_AT_END, SpeechDetected(3.75), HERE,
         [TruncateItem("a1", 200), CONFIRMED], {**ENDED, **SENT_ON, "cut": [Heard("a1", 1600, 2400)]}),
    case("a function is awaited: nothing is requested", HERE, AWAITING, done(3.75), LISTENING, [], {**cancelled_is_over(), "deadline": 8.25}),
    case("a function answers: a reply to that is requested", LISTENING, AWAITING.then(done(3.75)), ToolAnswered(4.0, "c1", "{}"), LISTENING,
         [AnswerTool("c1", "{}"), RESUMED, CreateResponse("create4", 2, None)], {**asked(4.0), **NOT_CALLED, "tools": {}}),
    case("an earlier utterance is answered without its words: a reply to it is requested", LISTENING, SPOKE_BEFORE, TranscriptFailed(4.0, "u2"), LISTENING,
         [RESUMED, CreateResponse("create5", 2, None)], {**settled("u2"), **asked(4.0, 5)}),
    case("the goodbye was stopped by nobody, and more would come: the model is told", HERE, GOODBYE, done(3.75), LISTENING,
         [RESUMED, AnswerTool("c1", STILL_TALKING), ASK], {**cancelled_is_over(), **asked(3.75), **STAYS}),

    case("the session is lost: nothing can be requested", HERE, CLICKED, RealtimeLost(3.75), LISTENING, [], {**cancelled_is_over(), **LOST, "deadline": INF}),
    case("the session is lost while a sound is open", LISTENING, CLICK_OPEN, RealtimeLost(3.75), LISTENING, [], {**LOST, "response.settled_ids": added("r1")}),
    case("the session is ready again: it is told what was heard, and the rest is requested", LISTENING, OFFLINE, RealtimeReady(4.0), LISTENING,
         [CreateItem("user", "שלום לך"), RESUMED, CreateItem("assistant", "מיד"), ASK],
         {**asked(4.0), "is_ready": True, "is_reply_unknown": False, "reply_transcript": "", "history": added(("assistant", "מיד"))}),
]
# fmt: on


@pytest.mark.parametrize("case", CASES)
def test_cut_off(case: Case) -> None:
    check(case)
