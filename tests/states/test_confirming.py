"""Stopped, and it is open who it was: voice, the detector or words prove somebody, and time without proof nobody."""

from collections.abc import Sequence

import pytest
from _pytest.mark.structures import ParameterSet
from attrs import evolve, field, frozen

from callfsm.config import TurnConfig
from callfsm.effects import ClearAudio, CommitAudio, CreateItem, DeleteItem, Effect, TruncateItem
from callfsm.events import (
    AudioCommitted,
    AudioDelta,
    PlaybackMarked,
    RealtimeLost,
    ReplyTranscript,
    RmsFrame,
    SpeechDetected,
    TimerFired,
    TranscriptCompleted,
    TranscriptFailed,
)
from callfsm.hearing.turn import TurnPhase
from callfsm.speaking.response import Owed
from callfsm.states.base import State
from tests.calls import (
    Story,
    audio,
    cancelling,
    greeted_by_clip,
    greeting_begun,
    greeting_stopped,
    loud,
    louds,
    quiet,
    quiets,
    reply_begun,
    speaking,
    utterance,
)
from tests.states.interrupted import (
    CONFIRMED,
    ECHO,
    GREETING_GOES_ON,
    KEEP_400,
    REPLY_GOES_ON,
    cancelled_is_over,
    done,
    doubted,
    dropped_rest,
    goes_on,
    greeting_doubted,
)
from tests.states.shared import FIRST, INF, SKIPPED, Fields, settled, user_said, without
from tests.table import Case, added, appended, case, check, dropped, said, unsent

CANCELLING, LISTENING, WAITING = State.CANCELLING, State.LISTENING, State.WAITING_FOR_USER
AI_GRACE = State.AI_GRACE


@frozen
class Stopped:
    """A call in a state, stopped a moment ago: one voiced frame has been heard, behind these."""

    state: State
    given: Story
    at: float
    ids: int
    ahead: Sequence[RmsFrame]
    drops: Sequence[Effect]
    """What is done to the conversation when the rest is dropped."""
    dropped: Fields
    to: State
    resumes: Sequence[Effect] = ()
    resumed: Fields = field(factory=dict)


U, C = quiets(2.0, 30, "uQ")[25:], quiets(1.0, 75, "c")[60:]
FORGOTTEN = {"left_items": ()}
SENT_ON = {"response.continued": 1}
KEEP_200 = TruncateItem("ga1", 200)

STOPPED = Stopped(CANCELLING, cancelling(), 3.75, 3, U, [KEEP_400], {**dropped_rest(), **SENT_ON}, CANCELLING)
OVER = Stopped(
    LISTENING,
    cancelling().then(done(3.75, "r1", 1, "a1", "a2")),
    3.75,
    3,
    U,
    [KEEP_400, DeleteItem("a2")],
    {**without(dropped_rest(), "cut"), **FORGOTTEN, **SENT_ON},
    AI_GRACE,
    REPLY_GOES_ON,
    {**goes_on(3.75), **FORGOTTEN},
)
GREETING_OVER = Stopped(
    WAITING,
    greeting_stopped().then(done(1.875, "g1", 1, "ga1")),
    1.875,
    2,
    C,
    [KEEP_200],
    {**without(dropped_rest(1600, "ga1"), "cut"), **FORGOTTEN},
    AI_GRACE,
    GREETING_GOES_ON,
    {**goes_on(1.875, place=0), **FORGOTTEN},
)


def doubt_cases(call: Stopped) -> list[ParameterSet]:
    """The sound goes on, and is proven, or is not in 600 ms."""
    state, given, at = call.state, call.given, call.at
    first, voice, noise = loud(at, "b1"), louds(at, 4, "s"), louds(at, 29, "n", voicing=0.0)
    x, hiss, still, murmur = loud(at, "x"), loud(at, "x", voicing=0.0), quiet(at, "x"), RmsFrame(at, 90.0, "x", 1.0)
    hush = quiets(at, 29, "q")
    commit = CommitAudio(f"commit{call.ids + 1}")

    def open_(*frames: RmsFrame, sent: Sequence[RmsFrame] | None = None, **known: object) -> dict[str, object]:
        passed = [frame.payload for frame in (*call.ahead, first, *(frames if sent is None else sent))]
        return said(first, *frames, sent=passed, interrupts=True, **known)

    def committed(*frames: RmsFrame, sent: Sequence[RmsFrame]) -> Fields:
        fields = open_(*frames, sent=sent, commit_event_id=commit.event_id, deadline=at + 3.0, is_doubted=True)
        waits = {"turn.unsettled": [fields], "turn.unacknowledged": [fields], "_event_ids": call.ids + 1}
        return {"turn.phase": TurnPhase.UNSETTLED, "turn.open": None, **waits, **call.resumed}

    blip = {"turn.phase": TurnPhase.SILENT, "turn.open": None, **call.resumed}
    # fmt: off
    return [
        case("80 ms of voice prove nobody", state, given.then(voice[:2]), x, state, appended(x), {"turn.open": open_(*voice[:2], x)}),
        case("100 ms of voice prove somebody", state, given.then(voice[:3]), x, state, [*appended(x), *call.drops, CONFIRMED],
             {**call.dropped, "turn.open": open_(*voice[:3], x)}),
        case("80 ms of voice and a sound that is none prove nobody", state, given.then(voice[:3]), hiss, state, appended(hiss),
             {"turn.open": open_(*voice[:3], hiss)}),
        case("a frame as periodic as min_voicing is voiced", state, given.then(voice[:3]), evolve(x, voicing=0.55), state,
             [*appended(x), *call.drops, CONFIRMED], {**call.dropped, "turn.open": open_(*voice[:3], x)}),
        case("one less periodic is not", state, given.then(voice[:3]), evolve(x, voicing=0.54), state, appended(x),
             {"turn.open": open_(*voice[:3], hiss)}),
        case("a weak frame proves nobody, however voiced", state, given.then(voice[:3]), murmur, state, appended(murmur),
             {"turn.open": open_(*voice[:3], murmur)}),
        case("speech that has been proven goes on", state, given.then(voice), x, state, appended(x), {"turn.open": open_(*voice, x)}),
        case("580 ms: it may yet be somebody", state, given.then(hush[:28]), still, state, [dropped()],
             {"gate.held": [unsent(f) for f in (*hush[25:28], still)], "turn.open": open_(*hush[:28], still, sent=hush[:25])}),
        case("600 ms, of which 80 were loud: a blip", state, given.then(noise[:3], hush[:26]), still, call.to, [ClearAudio(), *call.resumes],
             {**blip, "gate.held": [unsent(f) for f in (hush[25], still)]}),
        case("600 ms, of which 100 were loud: committed, and doubted", state, given.then(noise[:4], hush[:25]), still, call.to,
             [commit, *call.resumes], {**committed(*noise[:4], *hush[:25], sent=[*noise[:4], *hush[:25]]), "gate.held": [unsent(still)]}),
        case("600 ms of noise, and it goes on: committed, and the frame is held", state, given.then(noise), hiss, call.to,
             [commit, *call.resumes], {**committed(*noise, sent=noise), "gate.held": [unsent(hiss)]}),
        case("the detector is sure", state, given, SpeechDetected(at), state, [*call.drops, CONFIRMED], call.dropped),
        case("the detector is sure of what has been proven", state, given.then(voice), SpeechDetected(at), state),
    ]
    # fmt: on


TWO_FRAMES = TurnConfig(confirm_voiced_ms=40)
NOISE = louds(3.75, 30, "n", voicing=0.0)
HELD_VOICE = speaking().with_turn(TWO_FRAMES).then(NOISE, loud(3.75, "y"))
BLIP_OVER = cancelling().then(quiets(3.75, 30, "q"))
WORDS = "אנחנו פתוחים עד שש"
TOLD = ReplyTranscript(3.75, "r1", WORDS, is_whole=False)
ONE_PIECE_TOLD = [ReplyTranscript(3.75, "r1", WORDS[:8]), ReplyTranscript(3.75, "r1", WORDS[8:], is_whole=False)]
LONG_DOUBTED = cancelling().then(NOISE[:14], quiets(3.75, 16, "q"), AudioCommitted(3.75, "u2"))
SPOKE_BEFORE = reply_begun().then(
    utterance(3.0, "v"),
    AudioCommitted(3.0, "u2"),
    AudioDelta(3.25, "r1", "a1", audio(500)),
    PlaybackMarked(3.5, "m1"),
    TimerFired(3.5625),
    loud(3.75, "b1"),
)
GREETING_SPOKE_BEFORE = greeting_begun().then(
    utterance(1.375, "u"),
    AudioCommitted(1.375, "u1"),
    AudioDelta(1.5, "g1", "ga1", audio(500)),
    TimerFired(1.8125),
    loud(1.875, "b1"),
    done(1.875, "g1", 1, "ga1"),
)
CLIP_STOPPED = greeted_by_clip().then(loud(1.375, "b1"))
OFFLINE_STOPPED = speaking().then(RealtimeLost(3.5625), loud(3.75, "b1"))
OWED = {"response.owed": Owed.REPLY}
SAID = {**OWED, "history": added(("user", "רגע"))}
GREETING_DOUBTED = greeting_doubted()

# fmt: off
CASES = [
    *doubt_cases(STOPPED),
    *doubt_cases(OVER),
    *doubt_cases(GREETING_OVER),
    case("the frame that found the doubt over may be the first voice", CANCELLING, HELD_VOICE, loud(3.75, "x"), CANCELLING,
         [*appended(loud(3.75, "y"), loud(3.75, "x")), KEEP_400, CONFIRMED],
         {**dropped_rest(), **SENT_ON, "gate.held": [], "turn.phase": TurnPhase.SPEAKING, "turn.open": said(loud(3.75, "y"), loud(3.75, "x"))}),
    case("confirmed: the words that were heard are remembered", CANCELLING, cancelling().then(ONE_PIECE_TOLD), SpeechDetected(3.75), CANCELLING,
         [KEEP_400, CONFIRMED], {**dropped_rest(), **SENT_ON, "history": added(("assistant", WORDS[:14]))}),
    case("the detector is sure of a sound that is over", CANCELLING, BLIP_OVER, SpeechDetected(3.75), CANCELLING),
    case("words prove somebody", CANCELLING, doubted(), TranscriptCompleted(4.0, "u2", "רגע"), CANCELLING, [user_said("רגע"), KEEP_400, CONFIRMED],
         {**settled("u2"), **SAID, **dropped_rest()}),
    case("words that the assistant is saying are its echo", CANCELLING, doubted().then(TOLD), TranscriptCompleted(4.0, "u2", "פתוחים עד שש"), CANCELLING,
         [ECHO, DeleteItem("u2")], settled("u2")),
    case("words that it said in a piece before are its echo, too", CANCELLING, doubted().then(ONE_PIECE_TOLD), TranscriptCompleted(4.0, "u2", WORDS), CANCELLING,
         [ECHO, DeleteItem("u2")], settled("u2")),
    case("its own words, said before it began to say them", CANCELLING, SPOKE_BEFORE.then(TOLD), TranscriptCompleted(4.0, "u2", "פתוחים עד שש"), CANCELLING,
         [user_said("פתוחים עד שש"), KEEP_400, CONFIRMED],
         {"turn.unsettled": [], **OWED, "history": [("user", "שלום לך"), ("user", "פתוחים עד שש"), ("assistant", WORDS[:14])], **dropped_rest()}),
    case("words before the first real utterance", CANCELLING, GREETING_DOUBTED, TranscriptCompleted(2.0, "u1", "שלום"), CANCELLING,
         [FIRST, user_said("שלום"), KEEP_200, CONFIRMED],
         {**settled("u1"), **dropped_rest(1600, "ga1"), **OWED, "has_real_user_utterance": True, "history": [("user", "שלום")]}),
    case("two characters before the first real utterance", CANCELLING, GREETING_DOUBTED, TranscriptCompleted(2.0, "u1", "כן"), CANCELLING,
         [SKIPPED, DeleteItem("u1")], settled("u1")),
    case("without a transcript what is doubted is nobody, however long", CANCELLING, LONG_DOUBTED, TranscriptFailed(4.0, "u2"), CANCELLING,
         [DeleteItem("u2")], settled("u2")),
    case("words that were said before, while a sound is open", LISTENING, SPOKE_BEFORE.then(done(3.75)), TranscriptCompleted(4.0, "u2", "רגע"), LISTENING,
         [user_said("רגע"), KEEP_400, CONFIRMED],
         {"turn.unsettled": [], **SAID, **without(dropped_rest(), "cut"), "deadline": INF}),
    case("the first real words were said before, while a sound is open", WAITING, GREETING_SPOKE_BEFORE, TranscriptCompleted(2.0, "u1", "שלום"), LISTENING,
         [FIRST, user_said("שלום"), KEEP_200, CONFIRMED],
         {"turn.unsettled": [], **OWED, "has_real_user_utterance": True, "history": [("user", "שלום")], **FORGOTTEN,
          **without(dropped_rest(1600, "ga1"), "cut"), "deadline": INF}),
    case("a recording was stopped by somebody: the session is told what was heard of it", CANCELLING, CLIP_STOPPED, SpeechDetected(1.375), CANCELLING,
         [CreateItem("assistant", "שלום,"), CONFIRMED],
         {**without(dropped_rest(), "cut"), "is_reply_unknown": False, "history": [("assistant", "שלום,")]}),
    case("without a session, and the words are not known: the rest is owed", CANCELLING, OFFLINE_STOPPED, SpeechDetected(3.75), LISTENING,
         [CONFIRMED], {"response.continued": 1, **without(dropped_rest(), "cut"), "is_reply_unknown": False, **cancelled_is_over(), "deadline": INF}),
]
# fmt: on


@pytest.mark.parametrize("case", CASES)
def test_confirming(case: Case) -> None:
    check(case)
