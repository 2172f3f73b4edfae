"""AI_SPEAKING: any speech of the caller stops the assistant, in that very step."""

import pytest
from attrs import evolve

from callfsm.config import Config, TurnConfig
from callfsm.effects import INFO, CancelResponse, ClearPlayback, Effect, Log, TruncateItem
from callfsm.events import PlaybackMarked, RealtimeLost, ResponseCreated, RmsFrame, TimerFired
from callfsm.hearing.turn import TurnPhase
from callfsm.speaking.playback import Heard
from callfsm.speaking.response import Owed
from callfsm.states.base import State
from tests.calls import Story, grace, greeting_audible, loud, louds, quiet, quiets, reply_begun, speaking, tail
from tests.states.audible import audible_cases, delta, done, ended
from tests.states.shared import Fields, cancelled, without
from tests.table import Case, appended, case, check, dropped, kept, said

HERE, GRACE, CANCELLING = State.AI_SPEAKING, State.AI_GRACE, State.CANCELLING
LISTENING, WAITING = State.LISTENING, State.WAITING_FOR_USER
BARGE_IN = Log(INFO, "[BARGE-IN] User speaking while AI speaking – sending response.cancel")
X, AT, WEAK, ALMOST = loud(3.625, "x"), loud(3.625, "x", rms=150.0), quiet(3.625, "x"), quiet(3.625, "x", rms=149.9)
HUSH = quiets(3.5625, 30, "h")
AHEAD = HUSH[15:]


def past_grace(story: Story) -> Story:
    """The grace is over that began with the last event."""
    return story.then(TimerFired(story.events[-1].at + 0.3125))


def clicked(story: Story, at: float, number: int) -> Story:
    """A click interrupts the reply, which is requested again and is audible from a second later on."""
    return story.then(
        loud(at, "k"),
        done(at, f"r{number - 1}", f"a{number - 1}"),
        quiets(at, 30, f"h{number}"),
        ResponseCreated(at, f"r{number}", number),
        delta(at + 0.625, 500, f"a{number}", f"r{number}"),
        TimerFired(at + 0.9375),
    )


def cut(at: float, *heard: Heard, ids: int = 3, response_id: str = "r1") -> Fields:
    """What every barge-in changes: the playback is over, the response cancelled, and the caller has the floor."""
    over = without(ended("a1", 0), "cut", "deadline")
    zero = {"playback.marks": [], "cut": list(heard), "gate.held": [], "turn.phase": TurnPhase.SPEAKING}
    return {**over, **zero, **cancelled(at, ids=ids, response_id=response_id)}


def barge_in(*truncated: Effect, ids: int = 3, response_id: str = "r1") -> list[Effect]:
    return [BARGE_IN, ClearPlayback(), CancelResponse(f"cancel{ids}", response_id), *truncated]


def opened(*frames: RmsFrame, ahead: list[RmsFrame]) -> Fields:
    return {"turn.open": said(*frames, sent=[frame.payload for frame in (*ahead, *frames)])}


SPEAKING, TAIL = speaking().then(HUSH), tail().then(HUSH)
OFFLINE = SPEAKING.then(RealtimeLost(3.5625))
IF_NOBODY = {"response.owed": Owed.REPLY_IF_NOBODY}
UNMARKED = {"playback.confirmed": 0, "playback._anchor": 0}
CUT = {**cut(3.625, Heard("a1", 2600, 4000)), **UNMARKED, **opened(X, ahead=AHEAD)}
KEEP_325 = TruncateItem("a1", 325)

HUSH_IN_GRACE, SPEECH_IN_GRACE = quiets(3.5, 20, "p"), louds(3.5, 3, "g", rms=150.0)
BEGAN_IN_GRACE = grace().then(HUSH_IN_GRACE, SPEECH_IN_GRACE)
AT_300_MS = loud(3.25 + 0.3, "x")
NO_GRACE = evolve(reply_begun(), config=Config(turn=TurnConfig(grace_ms=0))).then(delta(3.25), quiets(3.25, 30, "h"))
NOTHING_HEARD = loud(3.25, "x")
ALL_HEARD = past_grace(reply_begun().then(delta(3.25, 200))).then(PlaybackMarked(3.5625, "m1"), HUSH)
TWO_ITEMS = past_grace(reply_begun().then(delta(3.25, 200), delta(3.25, 300, "a2"))).then(
    PlaybackMarked(3.5, "m1"), HUSH
)
GREETING = past_grace(greeting_audible())
GREETING_TAIL = GREETING.then(done(1.875, "g1", "ga1"))
TWICE_RESTORED = clicked(clicked(SPEAKING, 3.625, 2), 4.625, 3)
ALL_MARKED = speaking().then(PlaybackMarked(3.6875, "m2"))
STALLED = 3.6875 + 0.1 + 8
C = quiets(1.0, 75, "c")[60:]

# fmt: off
CASES = [
    case("silence is dropped", HERE, SPEAKING, WEAK, HERE, [dropped()], {"gate.held": kept(WEAK, most=30)}),
    case("just below the threshold is silence", HERE, SPEAKING, ALMOST, HERE, [dropped(149.9)], {"gate.held": kept(ALMOST, most=30)}),
    case("barge-in", HERE, SPEAKING, X, CANCELLING, [*barge_in(KEEP_325), *appended(*AHEAD, X)], {**CUT, **IF_NOBODY}),
    case("barge-in at the threshold", HERE, SPEAKING, AT, CANCELLING, [*barge_in(KEEP_325), *appended(*AHEAD, AT)],
         {**CUT, **opened(AT, ahead=AHEAD), **IF_NOBODY}),
    case("barge-in on the tail, where nothing is left to cancel", HERE, TAIL, X, CANCELLING, [*barge_in(KEEP_325), *appended(*AHEAD, X)],
         {**CUT, **IF_NOBODY}),
    case("barge-in of one who began in the grace: the first word intact", GRACE, BEGAN_IN_GRACE, AT_300_MS, CANCELLING,
         [*barge_in(TruncateItem("a1", 200)), *appended(*HUSH_IN_GRACE[5:], *SPEECH_IN_GRACE, AT_300_MS)],
         {**cut(AT_300_MS.at, Heard("a1", 1600, 4000)), **IF_NOBODY, **opened(*SPEECH_IN_GRACE, AT_300_MS, ahead=HUSH_IN_GRACE[5:])}, via=[HERE]),
    case("barge-in before anything was heard: nothing to truncate", HERE, NO_GRACE, NOTHING_HEARD, CANCELLING,
         [*barge_in(), *appended(*AHEAD, NOTHING_HEARD)],
         {**cut(3.25, Heard("a1", 0, 4000)), **IF_NOBODY, **opened(NOTHING_HEARD, ahead=AHEAD)}),
    case("barge-in after all was heard: nothing to truncate", HERE, ALL_HEARD, X, CANCELLING, [*barge_in(), *appended(*AHEAD, X)],
         {**without(CUT, "playback.marks"), **IF_NOBODY, "cut": [Heard("a1", 1600, 1600)]}),
    case("barge-in in the second item: that one is truncated", HERE, TWO_ITEMS, X, CANCELLING,
         [*barge_in(TruncateItem("a2", 125)), *appended(*AHEAD, X)],
         {**CUT, **IF_NOBODY, "cut": [Heard("a1", 1600, 1600), Heard("a2", 1000, 2400)]}),
    case("barge-in on the greeting: it is not owed again", HERE, GREETING, loud(1.875, "x"), CANCELLING,
         [*barge_in(TruncateItem("ga1", 200), ids=2, response_id="g1"), *appended(*C, X)],
         {**cut(1.875, Heard("ga1", 1600, 4000), ids=2, response_id="g1"), **opened(X, ahead=C)}),
    case("barge-in on a reply that was restored twice: it is not owed again", HERE, TWICE_RESTORED, loud(5.625, "x"), CANCELLING,
         [*barge_in(TruncateItem("a3", 200), ids=7, response_id="r3"), *appended(*quiets(4.625, 30, "h3")[25:], X)],
         {**cut(5.625, Heard("a3", 1600, 4000), ids=7, response_id="r3"), **opened(X, ahead=quiets(4.625, 30, "h3")[25:])}),
    case("barge-in without a session: the cut reply is owed already", HERE, OFFLINE, X, CANCELLING, barge_in(),
         {**without(CUT, "cut"), "is_reply_unknown": False}),
    case("all heard, and generation stalls", HERE, ALL_MARKED, TimerFired(STALLED), CANCELLING,
         [ClearPlayback(), CancelResponse("cancel3", "r1")],
         {**UNMARKED, **ended("a1", 4000), **cancelled(STALLED, ids=3, response_id="r1")}),
    case("the last marks are lost", HERE, tail(), TimerFired(4.8), LISTENING, [ClearPlayback()],
         {**UNMARKED, **ended("a1", 4000), "playback.marks": []}),
    case("the greeting's last marks are lost", HERE, GREETING_TAIL, TimerFired(3.0), WAITING, [ClearPlayback()],
         {**ended("ga1", 4000), "playback.marks": []}),
    *audible_cases(HERE, past_grace, 3.625, late=5.0),
]
# fmt: on


@pytest.mark.parametrize("case", CASES)
def test_ai_speaking(case: Case) -> None:
    check(case)
