"""Nobody was proven to speak: the assistant goes on, and words that come after all stop it again."""

import pytest
from _pytest.mark.structures import ParameterSet

from callfsm.effects import (
    CancelResponse,
    ClearAudio,
    ClearPlayback,
    CommitAudio,
    DeleteItem,
    PlayAudio,
    SendMark,
    TruncateItem,
)
from callfsm.events import (
    AudioCommitted,
    PlaybackMarked,
    RealtimeError,
    RealtimeLost,
    ReplyTranscript,
    TimerFired,
    TranscriptCompleted,
    TranscriptFailed,
)
from callfsm.hearing.turn import TurnPhase
from callfsm.speaking.playback import Heard
from callfsm.speaking.response import Owed, ResponsePhase
from callfsm.states.base import State
from tests.calls import (
    Story,
    audio,
    cancelling,
    confirmed,
    greeted_by_clip,
    greeting_stopped,
    loud,
    louds,
    quiet,
    quiets,
    tail,
)
from tests.states.audible import ended
from tests.states.interrupted import (
    ASK_FOR_THE_REST,
    CONFIRMED,
    ECHO,
    GREETING_GOES_ON,
    HEARD,
    KEEP_400,
    REPLY_GOES_ON,
    RESUMED,
    cancelled_is_over,
    done,
    goes_on,
    greeting_resumed,
    resumed,
    speaking_again,
)
from tests.states.shared import (
    FIRST,
    INF,
    PUNCTUATION,
    SKIPPED,
    Fields,
    cancelled,
    rest_requested,
    settled,
    user_said,
    without,
)
from tests.table import Case, added, case, check, said, unsent

CANCELLING, LISTENING, WAITING = State.CANCELLING, State.LISTENING, State.WAITING_FOR_USER
AI_GRACE, AI_SPEAKING = State.AI_GRACE, State.AI_SPEAKING
NOT_ACTIVE = "response_cancel_not_active"
WORDS = "אנחנו פתוחים עד שש"

CLICK = quiets(3.75, 30, "q")
CLICKED = cancelling().then(CLICK)
TAIL_CLICKED = tail().then(loud(3.75, "b1"), CLICK)
GREETING_CLICKED = greeting_stopped().then(quiets(1.875, 30, "q"))
CLIP_CLICKED = greeted_by_clip().then(loud(1.375, "b1"), quiets(1.375, 30, "q"))
STILL_OPEN = cancelling().then(CLICK[:29])
LEFT, GREETING_LEFT = done(3.75, "r1", 1, "a1", "a2"), done(1.875, "g1", 1, "ga1")
X = quiet(3.75, "x")
BLIP = {"turn.phase": TurnPhase.SILENT, "turn.open": None, "gate.held": added(unsent(X))}
HISS = [*louds(3.75, 4, "n", voicing=0.0), *quiets(3.75, 25, "q")]
DOUBTED = said(
    loud(3.75, "b1"),
    *HISS,
    sent=[*(f.payload for f in quiets(2.0, 30, "uQ")[25:]), "b1", *(f.payload for f in HISS)],
    interrupts=True,
    is_doubted=True,
    commit_event_id="commit4",
    deadline=6.75,
)
COMMITTED = {"turn.phase": TurnPhase.UNSETTLED, "turn.open": None, "turn.unsettled": [DOUBTED]}
TWO_SOUNDS = CLICKED.then(loud(3.75, "c1"))

PAST = resumed().then(TranscriptFailed(3.75, "u2"), TimerFired(4.0625), PlaybackMarked(4.125, "m3"))
WHOLE = TAIL_CLICKED.then(RealtimeError(3.75, NOT_ACTIVE, "cancel3"), TimerFired(4.0625), PlaybackMarked(4.125, "m4"))
REJECTED = confirmed().then(done(3.75), quiets(3.75, 30, "q"), AudioCommitted(3.75, "u2"))
TOLD = [ReplyTranscript(3.75, "r1", WORDS[:8]), ReplyTranscript(3.75, "r1", WORDS[8:], is_whole=False)]
ECHOED = confirmed().then(TOLD, done(3.75), quiets(3.75, 30, "q"), AudioCommitted(3.75, "u2"))
GREETING_ECHOED = greeting_stopped().then(
    louds(1.875, 4, "v"),
    ReplyTranscript(1.875, "g1", "שלום, מאפייה."),
    done(1.875, "g1"),
    quiets(1.875, 30, "q"),
    AudioCommitted(1.875, "u1"),
)


def stopped_again(at: float, heard: int, *, ids: int, response_id: str, item: str) -> Fields:
    """It is stopped for good: the response, which is over, is cancelled all the same, and a reply is owed."""
    over = without(ended(item, 0), "cut", "deadline")
    floor = {"response.owed": Owed.REPLY, "cut": [Heard(item, heard, 4000)]}
    return {**over, **HEARD, **floor, **cancelled(at, ids=ids, response_id=response_id)}


def again_cases(state: State, again: Story, greeting: Story, at: float, greeting_at: float) -> list[ParameterSet]:
    """The doubted utterance's transcript comes while the assistant goes on, of which more was heard before the stop."""
    echoed = again.then(ReplyTranscript(again.events[-1].at, "r1", WORDS))
    stopped = stopped_again(at, 3200, ids=5, response_id="r1", item="a1")
    anew = without(
        stopped_again(greeting_at, 1600, ids=4, response_id="g1", item="ga1"),
        "playback.confirmed",
        "playback._anchor",
    )
    real = {"has_real_user_utterance": True, "history": [("user", "שלום")]}
    # fmt: off
    return [
        case("words: it is stopped for good", state, again, TranscriptCompleted(at, "u2", "רגע"), CANCELLING,
             [user_said("רגע"), ClearPlayback(), CancelResponse("cancel5", "r1"), KEEP_400, CONFIRMED],
             {**settled("u2"), **stopped, "history": added(("user", "רגע"))}),
        case("words that it is saying are its echo", state, echoed, TranscriptCompleted(at, "u2", "פתוחים עד שש"), state,
             [ECHO, DeleteItem("u2")], settled("u2")),
        case("no transcript of a doubted sound", state, again, TranscriptFailed(at, "u2"), state, [DeleteItem("u2")], settled("u2")),
        case("the first real words: the greeting is stopped for good", state, greeting, TranscriptCompleted(greeting_at, "u1", "שלום"), CANCELLING,
             [FIRST, user_said("שלום"), ClearPlayback(), CancelResponse("cancel4", "g1"), TruncateItem("ga1", 200), CONFIRMED],
             {**settled("u1"), **anew, **real}),
        case("two characters over the greeting", state, greeting, TranscriptCompleted(greeting_at, "u1", "כן"), state,
             [SKIPPED, DeleteItem("u1")], settled("u1")),
    ]
    # fmt: on


# fmt: off
CASES = [
    case("nobody: it goes on when the cancelled response is over", CANCELLING, CLICKED, LEFT, AI_GRACE, REPLY_GOES_ON,
         {**cancelled_is_over(), **goes_on(3.75)}, via=[LISTENING]),
    case("nobody over the greeting: it goes on", CANCELLING, GREETING_CLICKED, GREETING_LEFT, AI_GRACE, GREETING_GOES_ON,
         {**cancelled_is_over("g1"), **goes_on(1.875, place=0)}, via=[WAITING]),
    case("nobody on the tail: it goes on, and no more is owed", CANCELLING, TAIL_CLICKED, RealtimeError(3.75, NOT_ACTIVE, "cancel3"), AI_GRACE,
         [RESUMED, PlayAudio(audio(200)), SendMark("m4"), PlayAudio(audio(200)), SendMark("m5")],
         {**cancelled_is_over(), **goes_on(3.75, mark=4), "response.owed": Owed.NOTHING}, via=[LISTENING]),
    case("nobody, and the cancelled response does not end in 1.5 s: it goes on", CANCELLING, CLICKED, TimerFired(5.25), AI_GRACE, REPLY_GOES_ON,
         {**cancelled_is_over(), **goes_on(5.25)}, via=[LISTENING]),
    case("nobody, and the session is lost: it goes on without one", CANCELLING, CLICKED, RealtimeLost(3.75), AI_GRACE, REPLY_GOES_ON,
         {**cancelled_is_over(), **goes_on(3.75), "is_ready": False, "is_reply_unknown": True}, via=[LISTENING]),
    case("nobody over a recording: it goes on", CANCELLING, CLIP_CLICKED, RealtimeError(1.375, NOT_ACTIVE, "cancel1"), AI_GRACE,
         [RESUMED, PlayAudio(audio(200)), SendMark("m4"), PlayAudio(audio(200)), SendMark("m5"), PlayAudio(audio(100)), SendMark("m6")],
         {"response.phase": ResponsePhase.NONE, **goes_on(1.375, place=0, mark=4)}, via=[WAITING]),
    case("a sound is open: what the response left is remembered", CANCELLING, STILL_OPEN, LEFT, LISTENING, [],
         {**cancelled_is_over(), "left_items": ("a1", "a2"), "deadline": INF}),
    case("a second sound is open", CANCELLING, TWO_SOUNDS, LEFT, LISTENING, [],
         {**cancelled_is_over(), "left_items": ("a1", "a2"), "deadline": INF}),
    case("a sound over the greeting is open", CANCELLING, greeting_stopped(), GREETING_LEFT, WAITING, [],
         {**cancelled_is_over("g1"), "left_items": ("ga1",), "deadline": INF}),
    case("a blip's end: it goes on, and what the response left stays", LISTENING, STILL_OPEN.then(LEFT), X, AI_GRACE,
         [ClearAudio(), *REPLY_GOES_ON], {**goes_on(3.75), **BLIP, "left_items": ()}),
    case("a blip's end on the tail: it goes on, and no more is owed", LISTENING, tail().then(loud(3.75, "b1"), CLICK[:29], RealtimeError(3.75, NOT_ACTIVE, "cancel3")),
         X, AI_GRACE, [ClearAudio(), RESUMED, PlayAudio(audio(200)), SendMark("m4"), PlayAudio(audio(200)), SendMark("m5")],
         {**goes_on(3.75, mark=4), **BLIP, "response.owed": Owed.NOTHING}),
    case("a doubted sound's end: it goes on while the transcript is awaited", LISTENING, cancelling().then(done(3.75), HISS), X, AI_GRACE,
         [CommitAudio("commit4"), *REPLY_GOES_ON],
         {**goes_on(3.75), **COMMITTED, "turn.unacknowledged": [DOUBTED], "_event_ids": 4, "gate.held": [unsent(X)]}),
    case("what was kept has been heard: the rest is requested", AI_SPEAKING, PAST, PlaybackMarked(4.1875, "m4"), LISTENING, [ASK_FOR_THE_REST],
         {**without(ended("a1", 4000), "cut"), **HEARD, **rest_requested(4.1875)}),
    case("what was kept has been heard, and that was all", AI_SPEAKING, WHOLE, PlaybackMarked(4.1875, "m5"), LISTENING, [],
         {**ended("a1", 4000), **HEARD}),
    case("somebody, whose words are rejected: the rest is requested", LISTENING, REJECTED, TranscriptCompleted(4.0, "u2", "?!"), LISTENING,
         [PUNCTUATION, DeleteItem("u2"), ASK_FOR_THE_REST], {**settled("u2"), **rest_requested(4.0)}),
    case("a voice that was the assistant's echo: the rest is requested", LISTENING, ECHOED, TranscriptCompleted(4.0, "u2", "אנחנו פתוחים"), LISTENING,
         [ECHO, DeleteItem("u2"), ASK_FOR_THE_REST], {**settled("u2"), **rest_requested(4.0), "reply_transcript": "", "reply_words": ""}),
    case("a voice that was the greeting's echo", WAITING, GREETING_ECHOED, TranscriptCompleted(2.0, "u1", "שלום מאפייה"), WAITING,
         [ECHO, DeleteItem("u1")], {**settled("u1"), "deadline": INF}),
    *again_cases(AI_GRACE, resumed(), greeting_resumed(), 4.0, 2.0),
    *again_cases(AI_SPEAKING, speaking_again(), greeting_resumed().then(TimerFired(2.1875)), 4.25, 2.25),
]
# fmt: on


@pytest.mark.parametrize("case", CASES)
def test_resuming(case: Case) -> None:
    check(case)
