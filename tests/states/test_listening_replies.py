"""LISTENING, the other half: the reply that was requested comes, is held back, fails, or loses its connection."""

import pytest

from callfsm.effects import (
    CancelResponse,
    ClearAudio,
    Count,
    CreateItem,
    CreateResponse,
    DeleteItem,
    Effect,
    EndCall,
    PlayAudio,
    SendMark,
)
from callfsm.events import (
    AudioCommitted,
    AudioDelta,
    RealtimeError,
    RealtimeLost,
    RealtimeReady,
    ResponseCreated,
    ResponseDone,
    TimerFired,
    TranscriptCompleted,
)
from callfsm.hearing.turn import TurnPhase
from callfsm.speaking.playback import Heard, Mark, Piece, PlaybackPhase
from callfsm.speaking.response import Owed, ResponsePhase
from callfsm.states.base import State
from tests.calls import (
    audio,
    given_up,
    listening,
    loud,
    louds,
    quiet,
    quiets,
    reply_begun,
    reply_requested,
    utterance,
)
from tests.states.shared import INF, cancelled, goes_on, requested, without
from tests.table import Case, added, appended, case, check, dropped, kept

HERE, CANCELLING, AI_GRACE, ENDED = State.LISTENING, State.CANCELLING, State.AI_GRACE, State.ENDED
BUSY, BROKEN = "conversation_already_has_active_response", "server_error"

BEGUN = reply_begun()
DELTA = AudioDelta(3.25, "r1", "a1", audio(500))
DONE = ResponseDone(3.5, "r1", 1, "completed", ("a1",))
ONE_LOUD = BEGUN.then(louds(3.0, 1, "k"))
BLIP = BEGUN.then(louds(3.0, 4, "k"))
PROVEN = BEGUN.then(louds(3.0, 5, "k"))
HELD = BLIP.then(DELTA)
HELD_DONE = HELD.then(DONE)
SECOND = given_up().then(RealtimeError(10.75, "response_cancel_not_active", "cancel3"))
SECOND_BEGUN = SECOND.then(ResponseCreated(11.0, "r2", 2))
OTHER_DONE = ResponseDone(2.625, "f", None, "completed")
BLOCKED_AGAIN = reply_requested().then(
    RealtimeError(2.75, BUSY, "create2"), TimerFired(10.5), RealtimeError(11.0, BUSY, "create3")
)
LATER = (
    listening()
    .then(ResponseDone(3.5, "f", None, "completed"), utterance(4.0, "v"), AudioCommitted(4.25, "u2"))
    .then(TranscriptCompleted(4.5, "u2", "עוד משהו"))
)
BLOCKED = reply_requested().then(RealtimeError(2.75, BUSY, "create2"))

OWED = {"response.owed": Owed.REPLY}
OVER = {"response.phase": ResponsePhase.NONE}
DROPPED = {"playback.phase": PlaybackPhase.IDLE, "playback.held": [], "cut": [Heard("a1", 0, 4000)]}
PLAY: list[Effect] = [
    PlayAudio(audio(200)),
    SendMark("m1"),
    PlayAudio(audio(200)),
    SendMark("m2"),
    PlayAudio(audio(100)),
]
MARKS = [Mark(1, 1600), Mark(2, 3200)]
ASK_AGAIN = CreateResponse("create3", 2, None)
X = loud(3.5, "x")


def playing(at: float, *marks: Mark) -> dict[str, object]:
    """500 ms of item a1 were sent at this time."""
    sent = {"phase": PlaybackPhase.PLAYING, "started_at": at, "ends_at": at + 0.5, "sent": 4000, "marks": list(marks)}
    counted = {"last_mark": len(marks), "_marked": marks[-1].at_byte, "_anchor_at": at, "_items": [("a1", 0, 4000)]}
    known = {"received": 4000, "_kept": [(0, audio(500))]}
    return {f"playback.{name}": now for name, now in (sent | counted | known).items()} | {"deadline": at + 0.3}


def again(at: float) -> dict[str, object]:
    """The reply failed once, and is requested a second time in the same step."""
    return {**without(requested(Owed.REPLY, at, turn=2, ids=3), "response.kind"), "response.failures": 1}


def begun_again(at: float) -> dict[str, object]:
    return {**again(at), "response.response_id": None, "response.settled_ids": ["r1"]}


def error(at: float, code: str, event_id: str | None) -> RealtimeError:
    return RealtimeError(at, code, event_id)


FIVE_SAID = goes_on("x")
ASKED_AGAIN = without(again(2.75), "response.phase")

# fmt: off
CASES = [
    case("the reply begins", HERE, reply_requested(), ResponseCreated(2.75, "r1", 1), HERE, [],
         {"response.phase": ResponsePhase.ACTIVE, "response.response_id": "r1"}),
    case("the reply begins under an id that is known: it is ours", HERE, reply_requested().then(ResponseCreated(2.5, "f", None)),
         ResponseCreated(2.75, "f", 1), HERE, [], {"response.phase": ResponsePhase.ACTIVE, "response.response_id": "f"}),
    case("first audio", HERE, BEGUN, DELTA, AI_GRACE, PLAY, playing(3.25, *MARKS)),
    case("first audio, an utterance is unsettled", HERE, BEGUN.then(utterance(3.0)), DELTA, AI_GRACE, PLAY, playing(3.25, *MARKS)),
    case("first audio, the caller speaks: cancelled and owed again", HERE, PROVEN, DELTA, CANCELLING, [CancelResponse("cancel3", "r1")],
         {**OWED, **cancelled(3.25, ids=3, response_id="r1")}),
    case("first audio, 80 ms of sound so far: held back", HERE, BLIP, DELTA, HERE, [],
         {"playback.phase": PlaybackPhase.HELD, "playback.held": [Piece("a1", audio(500))], "deadline": INF}),
    case("more audio is held back", HERE, HELD, DELTA, HERE, [], {"playback.held": added(Piece("a1", audio(500)))}),
    case("held back, all generated", HERE, HELD, DONE, HERE, [], {**OVER, "response.settled_ids": ["r1"]}),
    case("held back, and the sound goes on", HERE, ONE_LOUD.then(DELTA), X, HERE, appended(X), {"turn.open": goes_on("x")}),
    case("held back, and 100 ms prove speech", HERE, HELD, X, CANCELLING, [*appended(X), CancelResponse("cancel3", "r1")],
         {"turn.open": FIVE_SAID, **OWED, **DROPPED, **cancelled(3.5, ids=3, response_id="r1")}),
    case("held back, all generated, and 100 ms prove speech", HERE, HELD_DONE, X, CANCELLING, [*appended(X), CancelResponse("cancel3", "r1")],
         {"turn.open": FIVE_SAID, **OWED, **DROPPED, **cancelled(3.5, ids=3, response_id="r1")}),
    case("held back, and it was a blip: played", HERE, HELD.then(quiets(3.5, 29)), quiet(3.5, "x"), AI_GRACE,
         [dropped(), ClearAudio(), *PLAY, SendMark("m3")],
         {**playing(3.5, *MARKS, Mark(3, 4000)), "playback.held": [], "gate.held": kept(quiet(3.5, "x")),
          "turn.phase": TurnPhase.SILENT, "turn.open": None}),
    case("held back, all generated, and it was a blip: played", HERE, HELD_DONE.then(quiets(3.5, 29)), quiet(3.5, "x"), AI_GRACE,
         [dropped(), ClearAudio(), *PLAY, SendMark("m3")],
         {**playing(3.5, *MARKS, Mark(3, 4000)), "playback.held": [], "gate.held": kept(quiet(3.5, "x")),
          "turn.phase": TurnPhase.SILENT, "turn.open": None}),
    case("it ends without audio: once more", HERE, BEGUN, DONE, HERE, [DeleteItem("a1"), ASK_AGAIN], begun_again(3.5)),
    case("it ends without audio while the caller speaks", HERE, PROVEN, DONE, HERE, [DeleteItem("a1")],
         {**OVER, **OWED, "response.failures": 1, "response.settled_ids": ["r1"], "deadline": INF}),
    case("it ends without audio a second time", HERE, SECOND_BEGUN, ResponseDone(11.5, "r2", 2, "failed"), ENDED,
         [EndCall("reply_failed")], {"end_reason": "reply_failed", "deadline": INF}),
    case("the end of another response", HERE, BEGUN, ResponseDone(3.5, "f", None, "completed"), HERE, [Count("stray_response")],
         {"response.other_over_at": 3.5}),
    case("another response is active", HERE, reply_requested(), error(2.75, BUSY, "create2"), HERE, [],
         {**OWED, "response.phase": ResponsePhase.BLOCKED}),
    case("another response is active, says an unaddressed error", HERE, reply_requested(), error(2.75, BUSY, None), HERE, [],
         {**OWED, "response.phase": ResponsePhase.BLOCKED}),
    case("another response is active, says an answer to another", HERE, reply_requested(), error(2.75, BUSY, "create9"), HERE,
         [Count(f"realtime_error:{BUSY}")]),
    case("the end of what stood in the way", HERE, BLOCKED, ResponseDone(3.5, "f", None, "completed"), HERE, [ASK_AGAIN],
         {**without(again(3.5), "response.failures"), "response.owed": Owed.NOTHING}),
    case("what stands in the way does not end", HERE, BLOCKED, TimerFired(10.5), HERE, [ASK_AGAIN],
         {**again(10.5), "response.owed": Owed.NOTHING}),
    case("what stands in the way does not end a second time", HERE, BLOCKED_AGAIN, TimerFired(18.5), ENDED, [EndCall("reply_failed")],
         {"end_reason": "reply_failed", "deadline": INF}),
    case("what stood in the way has ended already", HERE, reply_requested().then(OTHER_DONE), error(2.75, BUSY, "create2"), HERE, [ASK_AGAIN],
         without(again(2.75), "response.failures", "response.phase")),
    case("what ended before the request stands in no way", HERE, LATER, error(5.0, BUSY, "create4"), HERE, [],
         {**OWED, "response.phase": ResponsePhase.BLOCKED}),
    case("the request is refused: once more", HERE, reply_requested(), error(2.75, BROKEN, "create2"), HERE, [ASK_AGAIN], ASKED_AGAIN),
    case("the request is refused a second time", HERE, SECOND, error(11.0, BROKEN, "create4"), ENDED, [EndCall("reply_failed")],
         {"end_reason": "reply_failed", "deadline": INF}),
    case("the session is lost", HERE, listening(), RealtimeLost(4.0), HERE, [], {"is_ready": False, "response.settled_ids": ["r1", "r1"]}),
    case("the session is lost: the reply is owed", HERE, BEGUN, RealtimeLost(3.0), HERE, [],
         {"is_ready": False, **OVER, **OWED, "response.settled_ids": ["r1"], "deadline": INF}),
    case("the session is lost: what was held back is owed", HERE, HELD_DONE, RealtimeLost(3.75), HERE, [],
         {"is_ready": False, **OWED, **DROPPED, "response.settled_ids": ["r1", "r1"]}),
    case("the session is ready: turns so far, then the owed reply", HERE, BEGUN.then(RealtimeLost(3.0)), RealtimeReady(4.0), HERE,
         [CreateItem("user", "שלום לך"), CreateResponse("create3", 2, None)],
         {"is_ready": True, **without(requested(Owed.REPLY, 4.0, turn=2, ids=3), "response.kind"),
          "response.owed": Owed.NOTHING, "response.response_id": None}),
    case("the session is ready, nothing is owed", HERE, listening().then(RealtimeLost(4.0)), RealtimeReady(5.0), HERE,
         [CreateItem("user", "שלום לך")], {"is_ready": True}),
]
# fmt: on


@pytest.mark.parametrize("case", CASES)
def test_listening_replies(case: Case) -> None:
    check(case)
