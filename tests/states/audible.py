"""Cases of AI_GRACE and AI_SPEAKING, which treat all but the caller's frames and the grace's end alike.

The reply's 500 ms (marks m1, m2), or the greeting's, are sent at 3.25 and will have been heard at 3.75.
`enter` leads a call from there into the state, and the events of the cases come at `at`.
"""

from collections.abc import Callable

from _pytest.mark.structures import ParameterSet

from callfsm.config import TurnConfig
from callfsm.effects import Count, CreateItem, CreateResponse, DeleteItem, PlayAudio, SendMark
from callfsm.events import (
    AudioCommitted,
    AudioDelta,
    PlaybackMarked,
    RealtimeLost,
    RealtimeReady,
    ReplyDue,
    ReplyTranscript,
    ResponseDone,
    SpeechDetected,
    TimerFired,
    TranscriptCompleted,
    TranscriptFailed,
)
from callfsm.speaking.playback import Heard, Mark, PlaybackPhase
from callfsm.speaking.response import Owed, ResponsePhase
from callfsm.states.base import State
from tests.calls import Story, audio, greeting_begun, loud, quiet, quiets, reply_begun, utterance
from tests.states.shared import (
    CONTINUED_WITH,
    FIRST,
    INF,
    SKIPPED,
    Fields,
    common_cases,
    rest_requested,
    settled,
    unasked_cases,
    user_said,
    without,
)
from tests.states.words import commit_cases, filter_cases, refused_commit_case, unreal_cases, words_cases
from tests.table import added, case, more

LISTENING, WAITING = State.LISTENING, State.WAITING_FOR_USER

Enter = Callable[[Story], Story]
OWED = {"response.owed": Owed.REPLY}
OVER = {"response.phase": ResponsePhase.NONE}
CUT = {"response.owed": Owed.REST, "response.is_cut": True, "response.continued": 1}
"""The rest of the reply is owed, for the first time."""
NEVER_CONTINUED = TurnConfig(confirm_voiced_ms=100, most_continued=0)
LOST = {"is_ready": False, "is_reply_unknown": True}


def past_grace(story: Story) -> Story:
    """The grace is over that began with the last event."""
    return story.then(TimerFired(story.events[-1].at + 0.3125))


def delta(at: float, ms: int = 500, item: str = "a1", response: str = "r1") -> AudioDelta:
    return AudioDelta(at, response, item, audio(ms))


def done(at: float, response: str = "r1", item: str = "a1") -> ResponseDone:
    return ResponseDone(at, response, 1, "completed", (item,))


def spoken(story: Story, name: str, item: str, loud_frames: int = 15) -> Story:
    """The caller said something that is unsettled at 3.0, and whose transcript is awaited until 6.0."""
    return story.then(utterance(3.0, name, loud_frames), AudioCommitted(3.0, item))


def failed(at: float, response: str = "r1") -> ResponseDone:
    return ResponseDone(at, response, 1, "failed", ("a1",), "server_error")


def greets(ms: int = 500, at: float = 3.25) -> AudioDelta:
    return AudioDelta(at, "g1", "a1", audio(ms))


def ended(item: str, sent: int) -> dict[str, object]:
    """The playback is over, and all of its one item was heard."""
    zero = dict.fromkeys(("ends_at", "_anchor_at", "sent", "received", "_marked"), 0)
    fields = {"phase": PlaybackPhase.IDLE, "_items": [], "_kept": [], **zero}
    named = {f"playback.{name}": now for name, now in fields.items()}
    return {**named, "cut": [Heard(item, sent, sent)], "deadline": INF}


def audible_cases(state: State, enter: Enter, at: float, *, late: float) -> list[ParameterSet]:
    """All but the frames and the timer; `late` is when a reply begins that is in this state at 6.0."""

    def until(deadline: float) -> Fields:
        return {"deadline": deadline} if state is State.AI_SPEAKING else {}

    reply, greeting = reply_begun(), greeting_begun()
    heard = enter(reply.then(delta(3.25)))
    real = enter(spoken(reply, "v", "u2").then(delta(3.25)))
    short = enter(spoken(reply, "v", "u2", 14).then(delta(3.25)))
    unnamed = enter(reply.then(utterance(3.0, "v"), delta(3.25)))
    unreal = enter(spoken(greeting, "u", "u1").then(greets()))
    murmur = [loud(3.0, rms=150.0), quiet(3.0)] * 5
    murmured = enter(greeting.then(murmur, quiets(3.0, 29), AudioCommitted(3.0, "u1"), greets()))
    rejected = enter(reply.then(utterance(3.0, "v", 14), TimerFired(6.0), delta(late + 1)))
    settled_2 = {**settled("u2"), **until(11.75)}

    # fmt: off
    return [
        *filter_cases(state, real, at, "u2", until(11.75)),
        case("accepted: owed until all was heard", state, real, TranscriptCompleted(at, "u2", "עוד"), state, [user_said("עוד")],
             {**settled_2, **OWED, "history": added(("user", "עוד"))}),
        case("the first real utterance, in the greeting: owed until all was heard", state, unreal, TranscriptCompleted(at, "u1", "שלום"), state,
             [FIRST, user_said("שלום")],
             {**settled("u1"), **OWED, "has_real_user_utterance": True, "history": [("user", "שלום")], **until(11.75)}),
        *unreal_cases(state, unreal, at, "u1", until(11.75), murmured=murmured),
        case("no transcript: owed all the same", state, real, TranscriptFailed(at, "u2"), state, [], {**settled_2, **OWED}),
        case("no transcript of 280 ms", state, short, TranscriptFailed(at, "u2"), state, [DeleteItem("u2")], settled_2),
        *overdue_cases(state, enter, late),
        *commit_cases(state, heard, unnamed, rejected, at, late=rejected.events[-1].at),
        refused_commit_case(state, unnamed, at, "commit3", until(11.75)),
        *unasked_cases(state, heard, at, ids=2),
        case("more audio", state, heard, delta(at, 100), state, [PlayAudio(audio(100)), SendMark("m3")],
             {**more(playback__sent=800, playback__received=800), "playback._kept": added((4000, audio(100))), "playback.ends_at": 3.75 + 0.1, "playback.marks": added(Mark(3, 4800)),
              "playback.last_mark": 3, "playback._marked": 4800, "playback._items": [("a1", 0, 4800)], **until(3.75 + 0.1 + 8)}),
        case("audio comes with the loudness of each 20 ms of it", state, heard, AudioDelta(at, "r1", "a1", audio(50), (300, 0, 100)), state, [PlayAudio(audio(50))],
             {**more(playback__sent=400, playback__received=400), "playback._kept": added((4000, audio(50))), "playback.ends_at": 3.8,
              "playback._items": [("a1", 0, 4400)], "playback._levels": ([(4160, 300), (4320, 0), (4400, 100)], 0), **until(11.8)}),
        case("audio of the next item", state, heard, delta(at, 50, "a2"), state, [PlayAudio(audio(50))],
             {**more(playback__sent=400, playback__received=400), "playback._kept": added((4000, audio(50))), "playback.ends_at": 3.8, "playback._items": added(("a2", 4000, 4400)), **until(11.8)}),
        *words_cases(state, heard, at, "r1"),
        *end_cases(state, enter, at, until),
        case("a mark that is not ours", state, heard, PlaybackMarked(at, "m9"), state, [Count("stray_mark")]),
        case("a mark", state, heard, PlaybackMarked(at, "m1"), state, [],
             {"playback.confirmed": 1600, "playback._anchor": 1600, "playback._anchor_at": at,
              "playback.ends_at": at + 0.3, "playback.marks": [Mark(2, 3200)], **until(at + 0.3 + 8)}),
        case("a mark twice", state, heard.then(PlaybackMarked(at, "m1")), PlaybackMarked(at, "m1"), state, [Count("stray_mark")]),
        case("a mark echoed behind one that was lost", state, heard, PlaybackMarked(at, "m2"), state, [],
             {"playback.confirmed": 3200, "playback._anchor": 3200, "playback._anchor_at": at,
              "playback.ends_at": at + 0.1, "playback.marks": [], **until(at + 0.1 + 8)}),
        case("the session is lost: the rest of the reply is owed", state, heard, RealtimeLost(at), state, [SendMark("m3")],
             {**OVER, "response.owed": Owed.REST, "response.is_cut": True, **LOST, "response.settled_ids": ["r1"], "playback.marks": added(Mark(3, 4000)),
              "playback.last_mark": 3, "playback._marked": 4000, **until(4.75)}),
        case("the session is lost: a greeting begun is not owed", state, enter(greeting.then(greets())), RealtimeLost(at), state,
             [SendMark("m3")],
             {**OVER, **LOST, "response.settled_ids": ["g1"], "playback.marks": added(Mark(3, 4000)),
              "playback.last_mark": 3, "playback._marked": 4000, **until(4.75)}),
        case("the session is lost when all was generated", state, heard.then(done(at)), RealtimeLost(at), state, [],
             {**LOST, "response.settled_ids": ["r1", "r1"]}),
        case("the session is ready again", state, heard.then(RealtimeLost(at)), RealtimeReady(at), state,
             [CreateItem("user", "שלום לך")], {"is_ready": True}),
        *common_cases(state, heard, at, SpeechDetected(at), ReplyDue(at)),
    ]
    # fmt: on


def overdue_cases(state: State, enter: Enter, late: float) -> list[ParameterSet]:
    """No transcript came in 3 s."""
    own = late + 0.3 if state is State.AI_GRACE else late + 8.5
    gone = {"deadline": own}
    real = enter(spoken(reply_begun(), "v", "u2").then(delta(late)))
    short = enter(spoken(reply_begun(), "v", "u2", 14).then(delta(late)))
    unreal = enter(spoken(greeting_begun(), "u", "u1").then(greets(at=late)))
    # fmt: off
    return [
        case("no transcript in 3 s: owed all the same", state, real, TimerFired(6.0), state, [], {**settled("u2"), **OWED, **gone}),
        case("no transcript in 3 s of 280 ms", state, short, TimerFired(6.0), state, [DeleteItem("u2")], {**settled("u2"), **gone}),
        case("no transcript in 3 s, nobody real yet", state, unreal, TimerFired(6.0), state, [SKIPPED, DeleteItem("u1")],
             {**settled("u1"), **gone}),
    ]
    # fmt: on


def end_cases(state: State, enter: Enter, at: float, until: Callable[[float], Fields]) -> list[ParameterSet]:
    """Generation ends; the last mark is echoed. Both must have happened."""
    heard_all = PlaybackMarked(at, "m1")
    reply, greeting = enter(reply_begun().then(delta(3.25, 200))), enter(greeting_begun().then(greets(200)))
    other = enter(reply_begun().then(delta(3.25)))
    words = other.then(ReplyTranscript(at, "r1", "שלום וברכה"), done(at))
    confirmed = {"playback.confirmed": 0, "playback._anchor": 0}
    stopped = {**ended("a1", 1600), "playback.marks": []}
    final = {
        **ended("a1", 4000),
        "playback.marks": [],
        "history": added(("assistant", "שלום וברכה")),
    }
    # fmt: off
    return [
        case("all generated, not all heard", state, other, done(at), state, [SendMark("m3")],
             {**OVER, "response.settled_ids": ["r1"], "playback.marks": added(Mark(3, 4000)), "playback.last_mark": 3,
              "playback._marked": 4000, **until(4.75)}),
        case("all heard, more may come", state, reply, heard_all, state, [],
             {"playback.phase": PlaybackPhase.HEARD, "playback.confirmed": 1600, "playback._anchor": 1600,
              "playback._anchor_at": at, "playback.ends_at": at, "playback.marks": [], **until(at + 8)}),
        case("all heard, then all generated", state, reply.then(heard_all), done(at), LISTENING, [],
             {**OVER, "response.settled_ids": ["r1"], **without_marks(stopped), **confirmed}),
        case("all heard, then all generated: the greeting", state, greeting.then(heard_all), done(at, "g1"), WAITING, [],
             {**OVER, "response.settled_ids": ["g1"], **without_marks(stopped), **confirmed}),
        case("the reply fails: the rest of it is owed", state, other, failed(at), state, [SendMark("m3")],
             {**OVER, **CUT, "response.settled_ids": ["r1"], "playback.marks": added(Mark(3, 4000)), "playback.last_mark": 3,
              "playback._marked": 4000, **until(4.75)}),
        case("all heard, then the reply fails", state, reply.then(heard_all), failed(at), LISTENING,
             [CreateResponse("create3", 2, CONTINUED_WITH)],
             {**without(rest_requested(at, ids=3), "response.owed", "response.is_cut", "deadline"), "response.continued": 1,
              "response.settled_ids": ["r1"], **without(without_marks(stopped), "cut", "deadline"), **confirmed,
              **({"deadline": at + 8} if state is State.AI_GRACE else {})}),
        case("the reply fails, and fails too often", state, other.with_turn(NEVER_CONTINUED), failed(at), state, [SendMark("m3")],
             {**OVER, "response.is_cut": True, "response.settled_ids": ["r1"], "playback.marks": added(Mark(3, 4000)),
              "playback.last_mark": 3, "playback._marked": 4000, **until(4.75)}),
        case("the greeting fails: it was begun, and is not owed", state, greeting.then(heard_all), failed(at, "g1"), WAITING, [],
             {**OVER, "response.settled_ids": ["g1"], **without_marks(stopped), **confirmed}),
        case("all heard, and the session is lost: the rest is owed", state, reply.then(heard_all), RealtimeLost(at), LISTENING, [],
             {**OVER, "response.owed": Owed.REST, "response.is_cut": True, "is_ready": False, "response.settled_ids": ["r1"],
              **without(without_marks(stopped), "cut"), **confirmed}),
        case("all generated, then all heard", state, reply.then(done(at)), heard_all, LISTENING, [], stopped),
        case("all generated, then all heard: the greeting", state, greeting.then(done(at, "g1")), heard_all, WAITING, [], stopped),
        case("all generated, a mark before the last", state, other.then(done(at)), PlaybackMarked(at, "m2"), state, [],
             {"playback.confirmed": 3200, "playback._anchor": 3200, "playback._anchor_at": at, "playback.ends_at": at + 0.1,
              "playback.marks": [Mark(3, 4000)], **until(at + 0.1 + 1)}),
        case("all heard: its words are remembered", state, words, PlaybackMarked(at, "m3"), LISTENING, [], final),
    ]
    # fmt: on


def without_marks(fields: dict[str, object]) -> dict[str, object]:
    return {name: now for name, now in fields.items() if name != "playback.marks"}
