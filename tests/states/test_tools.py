"""Functions that the assistant calls, its farewell, and keys that the caller presses: in every state."""

import pytest
from _pytest.mark.structures import ParameterSet

from callfsm.effects import (
    AnswerTool,
    CallTool,
    CancelResponse,
    ClearPlayback,
    Count,
    CreateItem,
    CreateResponse,
    EndCall,
    TruncateItem,
)
from callfsm.events import (
    AudioCommitted,
    AudioDelta,
    DtmfReceived,
    PlaybackMarked,
    RealtimeError,
    RealtimeLost,
    ResponseCreated,
    ResponseDone,
    SpeechDetected,
    TimerFired,
    ToolAnswered,
    ToolCalled,
    TranscriptCompleted,
)
from callfsm.speaking.playback import Heard
from callfsm.speaking.response import Owed, ResponsePhase
from callfsm.states.base import State
from callfsm.states.tools import STILL_TALKING, TOOL_FAILED, UNKNOWN_TOOL
from tests.calls import (
    Story,
    audio,
    calibrating,
    given_up,
    greeting_begun,
    listening,
    loud,
    louds,
    quiets,
    reply_begun,
    reply_requested,
    silent_business,
    utterance,
    waiting,
)
from tests.states.audible import Enter, delta, ended, past_grace
from tests.states.interrupted import CONFIRMED, CUT_SHORT, HEARD, REST, dropped_rest, stopped, stopped_with
from tests.states.shared import INF, Fields, cancelled, requested, settled, user_said, without
from tests.states.test_ai_grace import stays
from tests.states.test_interrupting import opened, stop
from tests.table import Case, added, appended, case, check

CALIBRATING, WAITING, GREETING = State.CALIBRATING, State.WAITING_FOR_USER, State.GREETING
LISTENING, CANCELLING, ENDED = State.LISTENING, State.CANCELLING, State.ENDED
AI_GRACE, AI_SPEAKING = State.AI_GRACE, State.AI_SPEAKING

STRAY = Count("stray_tool")
FOUND = '{"found":1}'
OWED = {"response.owed": Owed.REPLY}
CALLED = {"response.has_called_tool": True}
NEW = {"response.has_called_tool": False}
OVER = {"response.phase": ResponsePhase.NONE, "response.settled_ids": ["r1"]}
BEGUN = reply_begun().with_tools()
SECOND_BEGUN = (
    given_up()
    .with_tools()
    .then(RealtimeError(10.75, "response_cancel_not_active", "cancel3"), ResponseCreated(11.0, "r2", 2))
)


def calls(name: str, at: float, call_id: str = "c1", response_id: str = "r1") -> ToolCalled:
    return ToolCalled(at, response_id, call_id, name, "{}")


def done(at: float, response_id: str = "r1", turn: int = 1) -> ResponseDone:
    return ResponseDone(at, response_id, turn, "completed")


def keys(digits: str) -> CreateItem:
    return CreateItem("user", f"הלקוח הקיש במקלדת הטלפון: {digits}")


def told(digits: str, deadline: float) -> Fields:
    """The model knows which keys were pressed; this is the next deadline."""
    item = keys(digits)
    history = {"history": added((item.role, item.text))}
    return {"digits": "", "digits_deadline": INF, **history, "deadline": deadline}


def pressed(story: Story, at: float, digits: str = "12") -> Story:
    return story.then([DtmfReceived(at, digit) for digit in digits])


def leaves(reason: str) -> Fields:
    return {"end_reason": reason, "deadline": INF}


def bids(name: str) -> Fields:
    return {**CALLED, "farewell": name, "farewell_call_id": "c1"}


def asked(at: float) -> Fields:
    """The owed reply is requested in the same step."""
    fields = without(requested(Owed.REPLY, at, turn=2, ids=3), "response.kind")
    return {**fields, "response.response_id": None}


ASK = CreateResponse("create3", 2, None)


def calling_cases(state: State, given: Story, at: float, deadline: float) -> list[ParameterSet]:
    """The reply r1 of `given`, which is being generated, calls a function."""
    sooner = {"deadline": at + 5.0} if at + 5.0 < deadline else {}
    nobody = Story(given.events)
    # fmt: off
    return [
        case("a function is called by another response", state, given, calls("hang_up", at, response_id="f"), state, [STRAY]),
        case("the assistant hangs up", state, given, calls("hang_up", at), state, [], bids("hang_up")),
        case("the assistant hangs up where nothing is configured", state, nobody, calls("hang_up", at), state, [], bids("hang_up")),
        case("the assistant transfers the caller", state, given, calls("transfer_call", at), state, [], bids("transfer_call")),
        case("the assistant transfers the caller, and there is no number", state, nobody, calls("transfer_call", at), state,
             [AnswerTool("c1", UNKNOWN_TOOL)], {**CALLED, **OWED}),
        case("a function of the business is called", state, given, calls("lookup", at), state, [CallTool("c1", "lookup", "{}")],
             {**CALLED, "tools": {"c1": at + 5.0}, **sooner}),
        case("there is no such function", state, given, calls("order", at), state, [AnswerTool("c1", UNKNOWN_TOOL)], {**CALLED, **OWED}),
    ]
    # fmt: on


def answer_cases(
    state: State, awaiting: Story, at: float, deadline: float, owed: Fields = OWED
) -> list[ParameterSet]:
    """A function was called, `c1`; without it this is the deadline. No reply may be requested in this state."""
    changed = {"deadline": deadline} if awaiting.call().deadline != deadline else {}
    # fmt: off
    return [
        case("the function answers: a reply is owed", state, awaiting, ToolAnswered(at, "c1", FOUND), state,
             [AnswerTool("c1", FOUND)], {**owed, "tools": {}, **changed}),
        case("another function answers", state, awaiting, ToolAnswered(at, "c9", FOUND), state, [STRAY]),
        case("the function answers twice", state, awaiting.then(ToolAnswered(at, "c1", FOUND)), ToolAnswered(at, "c1", FOUND), state, [STRAY]),
    ]
    # fmt: on


def audible_cases(state: State, enter: Enter, at: float) -> list[ParameterSet]:
    """The reply's audio is sent at 3.25; where something is due later on, so long `before` it."""
    is_grace = state is AI_GRACE
    own, before, after = (3.55, 0.25, 0.05) if is_grace else (11.75, 0.5, 8.0)
    greeted = delta(6.0 - before, item="ga1", response="g1")
    reply = enter(BEGUN.then(delta(3.25)))
    awaiting = enter(BEGUN.then(calls("lookup", 3.25), delta(3.25)))
    goodbye = enter(BEGUN.then(calls("hang_up", 3.25), delta(3.25, 200)))
    overdue = enter(BEGUN.then(calls("lookup", 3.0), delta(8.0 - before)))
    digits = enter(pressed(BEGUN, 4.0).then(delta(6.0 - before)))
    unasked = enter(pressed(greeting_begun(), 4.0).then(greeted))
    end = PlaybackMarked(at, "m1")
    lost = RealtimeLost(at)
    # fmt: off
    return [
        *calling_cases(state, reply, at, own),
        case("the greeting calls a function", state, enter(greeting_begun().then(delta(3.25, item="ga1", response="g1"))).with_tools(),
             calls("lookup", at, response_id="g1"), state, [STRAY]),
        *answer_cases(state, awaiting, at, own),
        case("the function does not answer in 5 s: a reply is owed", state, overdue, TimerFired(8.0), state, [AnswerTool("c1", TOOL_FAILED)],
             {**OWED, "tools": {}, "deadline": 8.0 + after}),
        case("the goodbye is generated, then heard", state, goodbye.then(done(at)), end, ENDED, [EndCall("hang_up")], leaves("hang_up")),
        case("the goodbye is heard, then generated", state, goodbye.then(end), done(at), ENDED, [EndCall("hang_up")], leaves("hang_up")),
        case("keys: the model is told, and a reply is owed", state, digits, TimerFired(6.0), state, [keys("12")], {**told("12", 6.0 + after), **OWED}),
        case("keys, and nobody has spoken: the model is told", state, unasked, TimerFired(6.0), state, [keys("12")], told("12", 6.0 + after)),
        case("the session is lost, all was generated: the function is forgotten, a reply is owed", state, awaiting.then(done(at)), lost, state, [],
             {**OWED, "tools": {}, "is_ready": False, "is_reply_unknown": True, "response.settled_ids": ["r1", "r1"]}),
    ]
    # fmt: on


GIVEN_UP = BEGUN.then(calls("lookup", 9.5), TimerFired(10.5))
GIVEN_UP_EARLIER = BEGUN.then(calls("lookup", 6.0), TimerFired(10.5))
UNHEARD = BEGUN.then(calls("lookup", 3.0))
AWAITING = UNHEARD.then(done(3.5))
GOODBYE = past_grace(BEGUN.then(calls("hang_up", 3.25), delta(3.25, 200))).then(done(3.625))
LONG_GOODBYE = past_grace(BEGUN.then(calls("hang_up", 3.25), delta(3.25))).then(done(3.625))
STOPPED_GOODBYE = LONG_GOODBYE.then(loud(3.75, "x"))
GOODBYE_GOES_ON = STOPPED_GOODBYE.then(
    quiets(3.75, 30, "q"), RealtimeError(3.75, "response_cancel_not_active", "cancel3"), TimerFired(4.0625)
)
NOISE_OVER_IT = louds(3.75, 4, "n", voicing=0.0), quiets(3.75, 26, "q")
GOODBYE_OVER_NOISE = STOPPED_GOODBYE.then(
    *NOISE_OVER_IT,
    AudioCommitted(3.75, "u2"),
    RealtimeError(3.75, "response_cancel_not_active", "cancel3"),
    TimerFired(4.0625),
)
SPOKE_BEFORE = BEGUN.then(utterance(3.0, "v"), AudioCommitted(3.0, "u2"), calls("hang_up", 3.25), delta(3.25))
GOODBYE_OVER_WORDS = (
    past_grace(SPOKE_BEFORE)
    .then(done(3.625), loud(3.75, "x"), *NOISE_OVER_IT, AudioCommitted(3.75, "u3"))
    .then(RealtimeError(3.75, "response_cancel_not_active", "cancel4"), TimerFired(4.0625))
)
KEYS_GIVEN_UP = pressed(reply_begun(), 9.5).then(TimerFired(10.5))
KEYS_GREETING = pressed(greeting_begun(), 8.0).then(TimerFired(9.0))
KEPT = {"farewell": "", "farewell_call_id": ""}
NO_WORDS = {"playback.marks": [], "playback.confirmed": 0, "playback._anchor": 0}
X, HUSH = loud(3.75, "x"), quiets(2.0, 30, "uQ")[25:]

GOODBYE_STALLED = BEGUN.then(
    AudioDelta(3.25, "r1", "a1", audio(200)), calls("hang_up", 3.25), TimerFired(3.55), PlaybackMarked(3.625, "m1")
)
GOODBYE_BEGUN = past_grace(BEGUN.then(calls("hang_up", 3.25), delta(3.25, 200)))

# fmt: off
CASES = [
    case("keys, nothing of the line is known: the model is told", CALIBRATING, pressed(silent_business(), 1.0), TimerFired(3.0), CALIBRATING, [keys("12")],
         told("12", INF)),
    case("keys, and there is no session: they are remembered", CALIBRATING, pressed(Story(), 1.0), TimerFired(3.0), CALIBRATING, [], told("12", INF)),
    case("keys, and nobody has spoken: the model is told", WAITING, pressed(waiting(), 2.0), TimerFired(4.0), WAITING, [keys("12")], told("12", INF)),
    case("keys, and nobody has spoken: the model is told", GREETING, pressed(greeting_begun(), 2.0), TimerFired(4.0), GREETING, [keys("12")], told("12", 9.0)),
    case("another key", WAITING, pressed(waiting(), 2.0), DtmfReceived(3.5, "#"), WAITING, [], {"digits": "12#", "digits_deadline": 5.5, "deadline": 5.5}),
    *(case("a function is called by no reply", state, given.with_tools(), calls("lookup", at, response_id=response), state)
      for state, given, at, response in ((CALIBRATING, calibrating(), 1.0, "r1"), (WAITING, waiting(), 2.0, "r1"),
                                         (GREETING, greeting_begun(), 2.0, "g1"), (CANCELLING, given_up(), 10.75, "r1"))),
    *(case("a function answers that was not called", state, given.with_tools(), ToolAnswered(at, "c1", FOUND), state)
      for state, given, at in ((CALIBRATING, calibrating(), 1.0), (WAITING, waiting(), 2.0), (GREETING, greeting_begun(), 2.0))),

    *calling_cases(LISTENING, BEGUN, 3.0, 10.5),
    *answer_cases(LISTENING, UNHEARD, 4.0, 10.5),
    case("a function is called before the reply began", LISTENING, reply_requested().with_tools(), calls("hang_up", 2.75), LISTENING, [STRAY]),
    case("the reply is a function call: no failure, and none is requested", LISTENING, UNHEARD, done(3.5), LISTENING, [], OVER),
    case("the reply is a function call, after one that failed", LISTENING, SECOND_BEGUN.then(calls("lookup", 11.25, response_id="r2")),
         done(11.5, "r2", 2), LISTENING, [], {"response.phase": ResponsePhase.NONE, "response.settled_ids": added("r2")}),
    case("the function answers: the reply is requested", LISTENING, AWAITING, ToolAnswered(4.0, "c1", FOUND), LISTENING, [AnswerTool("c1", FOUND), ASK],
         {"tools": {}, **asked(4.0), **NEW}),
    case("one of two functions answers: nothing is requested", LISTENING, UNHEARD.then(calls("lookup", 3.25, "c2"), done(3.5)), ToolAnswered(4.0, "c1", FOUND),
         LISTENING, [AnswerTool("c1", FOUND)], {"tools": {"c2": 8.25}, **OWED, "deadline": 8.25}),
    case("the function does not answer in 5 s: the reply is requested", LISTENING, AWAITING, TimerFired(8.0), LISTENING,
         [AnswerTool("c1", TOOL_FAILED), ASK], {"tools": {}, **asked(8.0), **NEW}),
    case("the first of two functions does not answer", LISTENING, UNHEARD.then(calls("lookup", 3.25, "c2"), done(3.5)), TimerFired(8.0), LISTENING,
         [AnswerTool("c1", TOOL_FAILED)], {"tools": {"c2": 8.25}, **OWED, "deadline": 8.25}),
    case("there is no such function: the reply is requested at the end", LISTENING, BEGUN.then(calls("order", 3.0)), done(3.5), LISTENING, [ASK],
         {**asked(3.5), "response.owed": Owed.NOTHING, **NEW, "response.settled_ids": ["r1"]}),
    case("the assistant hangs up without a word", LISTENING, BEGUN.then(calls("hang_up", 3.0)), done(3.5), ENDED, [EndCall("hang_up")], leaves("hang_up")),
    case("the assistant hangs up without a word while the caller makes a sound: it is told, and a reply is owed", LISTENING,
         BEGUN.then(loud(3.0, "s"), calls("hang_up", 3.0)), done(3.5), LISTENING, [AnswerTool("c1", STILL_TALKING)], {**OVER, **OWED, **KEPT, "deadline": INF}),
    case("the assistant transfers the caller without a word", LISTENING, BEGUN.then(calls("transfer_call", 3.0)), done(3.5), ENDED,
         [EndCall("transfer_call")], leaves("transfer_call")),
    case("the goodbye that was not heard, and the caller says more: the model is told", LISTENING,
         BEGUN.then(utterance(3.0, "v"), AudioCommitted(3.0, "u2"), calls("hang_up", 3.0)), TranscriptCompleted(3.5, "u2", "רגע"), CANCELLING,
         [user_said("רגע"), AnswerTool("c1", STILL_TALKING), CancelResponse("cancel4", "r1")],
         {**settled("u2"), **OWED, **cancelled(3.5, ids=4, response_id="r1"), **KEPT,
          "history": added(("user", "רגע"))}),
    case("keys, nothing is in flight: a reply is requested", LISTENING, pressed(listening(), 4.0), TimerFired(6.0), LISTENING, [keys("12"), ASK],
         {**told("12", 14.0), **asked(6.0), "cut": []}),
    case("keys, a reply is in flight: it is cancelled", LISTENING, pressed(BEGUN, 3.0), TimerFired(5.0), CANCELLING,
         [keys("12"), CancelResponse("cancel3", "r1")], {**told("12", 6.5), **OWED, **cancelled(5.0, ids=3, response_id="r1")}),
    case("keys, and a function is awaited: owed", LISTENING, pressed(AWAITING, 4.0), TimerFired(6.0), LISTENING, [keys("12")], {**told("12", 8.0), **OWED}),
    case("the session is lost: the function is forgotten, a reply is owed", LISTENING, AWAITING, RealtimeLost(4.0), LISTENING, [],
         {"tools": {}, **OWED, "is_ready": False, "response.settled_ids": ["r1", "r1"], "deadline": INF}),
    case("the session is lost, the reply unheard: the function is forgotten", LISTENING, UNHEARD, RealtimeLost(4.0), LISTENING, [],
         {"tools": {}, **OWED, **OVER, "is_ready": False, "deadline": INF}),

    *audible_cases(AI_GRACE, stays, 3.5),
    *audible_cases(AI_SPEAKING, past_grace, 3.625),
    case("the goodbye's last mark is lost", AI_SPEAKING, GOODBYE, TimerFired(4.625), ENDED, [ClearPlayback(), EndCall("hang_up")],
         {**ended("a1", 1600), "playback.marks": [], **leaves("hang_up")}),
    case("the goodbye is heard and its generation never ends", AI_SPEAKING, GOODBYE_STALLED, TimerFired(11.625), ENDED, [ClearPlayback(), EndCall("hang_up")],
         {**ended("a1", 1600), "playback.confirmed": 0, "playback._anchor": 0, **leaves("hang_up")}),
    case("stopped when all of the goodbye was heard: the model is told", AI_SPEAKING, GOODBYE, X, CANCELLING,
         [*stopped_with(), AnswerTool("c1", STILL_TALKING), *appended(*HUSH, X)],
         {**stop(3.75, Heard("a1", 1600, 1600)), **opened(X, ahead=HUSH), **KEPT}),
    case("stopped when what there was of the goodbye was heard: it is open whether the caller goes on talking", AI_SPEAKING, GOODBYE_BEGUN, X, CANCELLING,
         [*stopped_with(), *appended(*HUSH, X)],
         {**without(stopped(3.75, 1600), "playback.sent", "playback._marked"), **CUT_SHORT, **opened(X, ahead=HUSH)}),
    case("stopped in the goodbye: it is open whether the caller goes on talking", AI_SPEAKING, LONG_GOODBYE, X, CANCELLING,
         [*stopped_with(), *appended(*HUSH, X)], {**stopped(3.75, 1600), **REST, **opened(X, ahead=HUSH)}),
    case("the goodbye was stopped by somebody: the model is told", CANCELLING, STOPPED_GOODBYE, SpeechDetected(3.75), CANCELLING,
         [TruncateItem("a1", 200), CONFIRMED, AnswerTool("c1", STILL_TALKING)], {**dropped_rest(1600), "response.continued": 1, **KEPT}),
    case("the goodbye was stopped by nobody: it is heard to its end, and the call ends", AI_SPEAKING, GOODBYE_GOES_ON, PlaybackMarked(4.25, "m6"), ENDED,
         [EndCall("hang_up")], leaves("hang_up")),
    case("the goodbye was stopped by nobody, whose transcript is late: the call ends all the same", AI_SPEAKING, GOODBYE_OVER_NOISE, PlaybackMarked(4.25, "m6"), ENDED,
         [EndCall("hang_up")], leaves("hang_up")),
    case("the goodbye was stopped by nobody, and words that were said before it are awaited: the caller stays", AI_SPEAKING, GOODBYE_OVER_WORDS, PlaybackMarked(4.25, "m6"), LISTENING,
         [AnswerTool("c1", STILL_TALKING)], {**ended("a1", 4000), **without(HEARD, "playback.confirmed", "playback._anchor"), **KEPT, "deadline": 6.0}),
    *answer_cases(CANCELLING, GIVEN_UP, 10.75, 12.0, owed={}),
    case("the function does not answer in 5 s", CANCELLING, GIVEN_UP_EARLIER, TimerFired(11.0), CANCELLING, [AnswerTool("c1", TOOL_FAILED)],
         {"tools": {}, "deadline": 12.0}),
    case("keys: the model is told", CANCELLING, KEYS_GIVEN_UP, TimerFired(11.5), CANCELLING, [keys("12")], told("12", 12.0)),
    case("keys, and nobody has spoken: the model is told", CANCELLING, KEYS_GREETING, TimerFired(10.0), CANCELLING, [keys("12")], told("12", 10.5)),
    case("the session is lost: the function is forgotten", CANCELLING, GIVEN_UP, RealtimeLost(10.75), LISTENING, [],
         {"tools": {}, **OVER, "response.settled_ids": ["r1", "r1"], "is_ready": False, "deadline": INF}),
]
# fmt: on


@pytest.mark.parametrize("case", CASES)
def test_tools(case: Case) -> None:
    check(case)
