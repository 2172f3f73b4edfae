"""LISTENING: the caller has the floor; the transcripts that are accepted, and the reply that is requested."""

import pytest

from callfsm.effects import CancelResponse, CreateResponse, DeleteItem, EndCall
from callfsm.events import (
    AudioCommitted,
    AudioDelta,
    PlaybackMarked,
    ReplyTranscript,
    TimerFired,
    TranscriptCompleted,
    TranscriptFailed,
)
from callfsm.hearing.turn import TurnPhase
from callfsm.speaking.playback import Heard, PlaybackPhase
from callfsm.speaking.response import Owed
from callfsm.states.base import State
from tests.calls import (
    REMINDED_WITH,
    Story,
    audio,
    given_up,
    listening,
    louds,
    quiets,
    reply_begun,
    reply_requested,
    utterance,
)
from tests.states.shared import (
    INF,
    MADE_UP,
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
from tests.states.words import commit_cases, filter_cases, refused_commit_case, words_cases
from tests.table import Case, added, case, check

HERE, CANCELLING, ENDED = State.LISTENING, State.CANCELLING, State.ENDED


def and_said(given: Story, loud_frames: int = 15) -> Story:
    """The caller said more, which is committed and named u2; its transcript is awaited until 7.0."""
    return given.then(utterance(4.0, "v", loud_frames), AudioCommitted(4.25, "u2"))


IDLE = listening()
PENDING = and_said(IDLE)
SHORT = and_said(IDLE, 14)
UNNAMED = IDLE.then(utterance(4.0, "v"))
OVERDUE = IDLE.then(utterance(4.0, "v", 14), TimerFired(7.0))
ASKED = and_said(reply_requested())
BEGUN = and_said(reply_begun())
BEGUN_SHORT = and_said(reply_begun(), 14)
HELD = BEGUN.then(louds(4.5, 4, "k"), AudioDelta(4.5, "r1", "a1", audio(500)))
NAMED_U2 = AudioCommitted(4.25, "u2")
CLEAR = IDLE.then(louds(4.0, 20, rms=300.0), quiets(4.0, 30), NAMED_U2)
FAINT = IDLE.then(louds(4.0, 20, rms=299.9), quiets(4.0, 30), NAMED_U2)
FILMS = "תודה שצפיתם"
THANKS = TranscriptCompleted(4.5, "u2", FILMS)
ENGLISH = PENDING.then(ReplyTranscript(4.5, "r1", "Hello there"))

U2 = settled("u2")
REPLY_ASKED = {
    **without(requested(Owed.REPLY, 4.5, turn=2, ids=4), "response.kind"),
    "response.response_id": None,
    "cut": [],
}
OWED = {"response.owed": Owed.REPLY}
SAID = {"history": added(("user", "עוד משהו"))}
MORE = TranscriptCompleted(4.5, "u2", "עוד משהו")
FAILED = TranscriptFailed(4.5, "u2")
LATE_ASKED = {**REPLY_ASKED, "response.requested_at": 7.0, "deadline": 15.0}
DROPPED = {"playback.phase": PlaybackPhase.IDLE, "playback.held": [], "cut": [Heard("a1", 0, 4000)]}
LOG = user_said("עוד משהו")
ASK = CreateResponse("create4", 2, None)
REMIND = CreateResponse("create4", 2, REMINDED_WITH)

# fmt: off
CASES = [
    *caller_cases(HERE, IDLE, 4.0, ids=2),
    *filter_cases(HERE, PENDING, 4.5, "u2", {"deadline": INF}),
    case("accepted: the reply is requested", HERE, PENDING, MORE, HERE, [LOG, ASK], {**U2, **SAID, **REPLY_ASKED}),
    case("two characters are enough now", HERE, PENDING, TranscriptCompleted(4.5, "u2", "כן"), HERE, [user_said("כן"), ASK],
         {**U2, **REPLY_ASKED, "history": added(("user", "כן"))}),
    case("English is valid input", HERE, PENDING, TranscriptCompleted(4.5, "u2", "house"), HERE, [user_said("house"), ASK],
         {**U2, **REPLY_ASKED, "history": added(("user", "house"))}),
    case("accepted after a reply that was not Hebrew: a reminder", HERE, ENGLISH, MORE, HERE, [LOG, REMIND],
         {**U2, **SAID, **REPLY_ASKED, "needs_reminder": False, "reply_transcript": ""}),
    case("a phrase that models make up, and 400 ms twice as loud as the threshold: accepted", HERE, CLEAR, THANKS, HERE, [user_said(FILMS), ASK],
         {**U2, **REPLY_ASKED, "history": added(("user", FILMS))}),
    case("the same, and 380 ms", HERE, IDLE.then(utterance(4.0, "v", 19), NAMED_U2), THANKS, HERE, [MADE_UP, DeleteItem("u2")], {**U2, "deadline": INF}),
    case("the same, and a little weaker", HERE, FAINT, THANKS, HERE, [MADE_UP, DeleteItem("u2")], {**U2, "deadline": INF}),
    case("the same, and other words with it", HERE, FAINT, TranscriptCompleted(4.5, "u2", f"{FILMS} אז מה"), HERE, [user_said(f"{FILMS} אז מה"), ASK],
         {**U2, **REPLY_ASKED, "history": added(("user", f"{FILMS} אז מה"))}),
    case("accepted while the caller goes on", HERE, PENDING.then(louds(4.5, 1)), MORE, HERE, [LOG],
         {"turn.unsettled": [], **SAID, **OWED, "deadline": INF}),
    case("accepted, a reply is requested", HERE, ASKED, MORE, CANCELLING, [LOG, CancelResponse("cancel4", None)],
         {**U2, **SAID, **OWED, **cancelled(4.5, ids=4, response_id=None)}),
    case("accepted, a reply is being generated", HERE, BEGUN, MORE, CANCELLING, [LOG, CancelResponse("cancel4", "r1")],
         {**U2, **SAID, **OWED, **cancelled(4.5, ids=4, response_id="r1")}),
    case("accepted, a reply is held back", HERE, HELD, MORE, CANCELLING, [LOG, CancelResponse("cancel4", "r1")],
         {"turn.unsettled": [], **SAID, **OWED, **DROPPED, **cancelled(4.5, ids=4, response_id="r1")}),
    case("no transcript: answered all the same", HERE, PENDING, FAILED, HERE, [ASK], {**U2, **REPLY_ASKED}),
    case("no transcript, a reply is in flight", HERE, BEGUN, FAILED, CANCELLING, [CancelResponse("cancel4", "r1")],
         {**U2, **OWED, **cancelled(4.5, ids=4, response_id="r1")}),
    case("no transcript of 280 ms", HERE, SHORT, FAILED, HERE, [DeleteItem("u2")], {**U2, "deadline": INF}),
    case("no transcript of 280 ms, a reply is in flight", HERE, BEGUN_SHORT, FAILED, HERE, [DeleteItem("u2")], {**U2, "deadline": 10.5}),
    case("no transcript in 3 s: answered all the same", HERE, PENDING, TimerFired(7.0), HERE, [ASK], {**U2, **LATE_ASKED}),
    case("no transcript in 3 s, a reply is in flight", HERE, BEGUN, TimerFired(7.0), CANCELLING, [CancelResponse("cancel4", "r1")],
         {**U2, **OWED, **cancelled(7.0, ids=4, response_id="r1")}),
    case("no transcript in 3 s of 280 ms", HERE, SHORT, TimerFired(7.0), HERE, [DeleteItem("u2")], {**U2, "deadline": INF}),
    case("no transcript in 3 s of 280 ms not named yet", HERE, IDLE.then(utterance(4.0, "v", 14)), TimerFired(7.0), HERE, [],
         {"turn.phase": TurnPhase.SILENT, "turn.unsettled": [], "turn.unacknowledged": one_with(audio=[], rejected=True), "deadline": INF}),
    *commit_cases(HERE, IDLE, UNNAMED, OVERDUE, 4.5, late=7.5),
    refused_commit_case(HERE, UNNAMED, 4.5, "commit3", {"deadline": INF}),
    *unasked_cases(HERE, IDLE, 4.0, ids=2),
    *words_cases(HERE, reply_begun(), 3.0, "r1"),
    *common_cases(HERE, IDLE, 4.0, PlaybackMarked(4.0, "m1")),
    case("no audio in 8 s", HERE, reply_begun(), TimerFired(10.5), CANCELLING, [CancelResponse("cancel3", "r1")],
         {**OWED, "response.failures": 1, **cancelled(10.5, ids=3, response_id="r1")}),
    case("no audio in 8 s a second time", HERE, given_up().then(TimerFired(12.0)), TimerFired(20.0), ENDED, [EndCall("reply_failed")],
         {"end_reason": "reply_failed", "deadline": INF}),
]
# fmt: on


@pytest.mark.parametrize("case", CASES)
def test_listening(case: Case) -> None:
    check(case)
