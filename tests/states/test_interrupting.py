"""AI_SPEAKING: a loud frame stops the assistant in that very step, whoever it is; what is kept depends on who it is."""

import pytest
from attrs import evolve

from callfsm.config import Config, GateConfig, TurnConfig
from callfsm.effects import Effect, TruncateItem
from callfsm.events import (
    AudioCommitted,
    AudioDelta,
    PlaybackMarked,
    RealtimeLost,
    ResponseCreated,
    RmsFrame,
    TimerFired,
    TranscriptCompleted,
)
from callfsm.hearing.gate import HeardFrame
from callfsm.speaking.playback import Heard
from callfsm.states.base import State
from tests.calls import (
    Story,
    audio,
    grace,
    greeting_audible,
    loud,
    louds,
    quiets,
    reply_begun,
    speaking,
    tail,
)
from tests.states.audible import delta, past_grace
from tests.states.interrupted import (
    CONFIRMED,
    CUT_SHORT,
    REST,
    done,
    dropped_rest,
    paused,
    speaking_again,
    stopped,
    stopped_with,
)
from tests.states.shared import Fields, without
from tests.table import Case, added, appended, case, check, dropped, said

HERE, GRACE, CANCELLING = State.AI_SPEAKING, State.AI_GRACE, State.CANCELLING
X, AT, NOBODY = loud(3.625, "x"), loud(3.625, "x", rms=150.0), loud(3.625, "x", voicing=0.0)
HUSH = quiets(3.5625, 30, "h")
AHEAD = HUSH[15:]
UNMARKED = {"playback.confirmed": 0, "playback._anchor": 0}


LEVELS = [((number + 1) * 160, 3000) for number in range(25)]
LISTENED_TO = {"playback._levels": (LEVELS, 10)}
"""Of the loudness of its 500 ms, that of the 200 that have been heard."""


def opened(*frames: RmsFrame, ahead: list[RmsFrame]) -> Fields:
    """The utterance of these frames stopped the assistant."""
    return {"turn.open": said(*frames, sent=[frame.payload for frame in (*ahead, *frames)], interrupts=True)}


def stop(at: float, *heard: Heard, ids: int = 3, response_id: str = "r1") -> Fields:
    """The assistant is stopped, and nothing is kept."""
    over = without(dropped_rest(), "playback._heard", "playback.confirmed", "playback._anchor")
    floor = without(stopped(at, 0, ids=ids, response_id=response_id), *paused(0))
    rest = {"playback.marks": [], "playback.ends_at": 0.0, "playback._anchor_at": 0.0}
    return {**over, **floor, **rest, "cut": list(heard)}


SPEAKING, TAIL = speaking().then(HUSH), tail().then(HUSH)
PAUSED = {**stopped(3.625, 2600), **opened(X, ahead=AHEAD)}
PAUSE: list[Effect] = [*stopped_with(), *appended(*AHEAD, X)]
OFFLINE = SPEAKING.then(RealtimeLost(3.5625))

HUSH_IN_GRACE, SPEECH_IN_GRACE = quiets(3.5, 20, "p"), louds(3.5, 4, "g", rms=150.0)
NOISE_IN_GRACE = louds(3.5, 4, "g", voicing=0.0)
WEAK_VOICE = [RmsFrame(3.5, 90.0, f"w{number}", 1.0) for number in range(1, 4)]
BEGAN_IN_GRACE = grace().then(HUSH_IN_GRACE)
AT_300_MS = loud(3.25 + 0.3, "x")
BEFORE = HUSH_IN_GRACE[5:]
NO_GRACE = evolve(reply_begun(), config=Config(turn=TurnConfig(grace_ms=0))).then(delta(3.25), quiets(3.25, 30, "h"))
ANY_SOUND = evolve(SPEAKING, config=Config(turn=TurnConfig(confirm_voiced_ms=0)))
NOTHING_HEARD = loud(3.25, "x")
ALL_HEARD = past_grace(reply_begun().then(delta(3.25, 200))).then(HUSH)
ALL_MARKED = ALL_HEARD.then(PlaybackMarked(3.5625, "m1"))
PLACE_OF_THE_LAST_MARK = [f"playback.{name}" for name in ("sent", "confirmed", "_marked", "_anchor", "marks")]
ALL_PLAYED = tail().then(PlaybackMarked(3.6875, "m2"), HUSH)
GOES_ON_ALL_PLAYED, BEFORE_REST = speaking_again().then(PlaybackMarked(4.125, "m3")), quiets(3.75, 26, "q")[25:]
TWO_ITEMS = past_grace(reply_begun().then(delta(3.25, 200), delta(3.25, 300, "a2"))).then(
    PlaybackMarked(3.5, "m1"), HUSH
)
LOUD_REPLY = past_grace(
    reply_begun().with_gate(GateConfig(echo_factor=2.5)).then(AudioDelta(3.25, "r1", "a1", audio(500), (3000,) * 25))
)
"""Until more is known of the line, its echo is taken to be 0.08 of it: the limit is 600."""
ECHOED, ABOVE_ITS_ECHO = loud(3.625, "x", rms=180.0), loud(3.625, "x", rms=600.0)
QUIETS_OF_U = quiets(2.0, 30, "uQ")[25:]

GREETING = past_grace(greeting_audible())
C = quiets(1.0, 75, "c")[60:]
GREETING_SPEECH = louds(1.75, 4, "g", rms=150.0)


def talks_over(story: Story, at: float, number: int) -> Story:
    """Somebody stops the reply, of whom no word is accepted; the rest is requested, and audible a second later."""
    item, reply = f"u{number + 1}", f"r{number + 1}"
    return story.then(
        louds(at, 5, "k"),
        done(at, f"r{number}", number),
        quiets(at, 30, f"h{number}"),
        AudioCommitted(at, item),
        TranscriptCompleted(at, item, "?!"),
        ResponseCreated(at, reply, number + 1),
        delta(at + 0.625, 500, f"a{number + 1}", reply),
    )


THIRD = talks_over(talks_over(SPEAKING, 3.625, 1).then(TimerFired(4.5625)), 4.625, 2).then(louds(5.25, 4, "g"))
LAST = louds(5.25, 4, "g")
THIRD_AT = loud(5.25 + 0.3, "x")
BEFORE_THIRD = quiets(4.625, 30, "h2")[25:]

# fmt: off
CASES = [
    case("somebody, or nobody: all is kept, and nothing is truncated", HERE, SPEAKING, X, CANCELLING, PAUSE, {**PAUSED, **CUT_SHORT}),
    case("at the threshold", HERE, SPEAKING, AT, CANCELLING, PAUSE, {**PAUSED, **CUT_SHORT, **opened(AT, ahead=AHEAD)}),
    case("a sound that is no voice stops it as well", HERE, SPEAKING, NOBODY, CANCELLING, PAUSE,
         {**PAUSED, **CUT_SHORT, **opened(NOBODY, ahead=AHEAD)}),
    case("any sound proves somebody where that is configured", HERE, ANY_SOUND, NOBODY, CANCELLING,
         [*stopped_with(), TruncateItem("a1", 325), CONFIRMED, *appended(*AHEAD, NOBODY)],
         {**stop(3.625, Heard("a1", 2600, 4000)), **UNMARKED, **CUT_SHORT, **opened(NOBODY, ahead=AHEAD), "response.continued": 1}),
    case("on the tail, where nothing is left to cancel", HERE, TAIL, X, CANCELLING, PAUSE, {**PAUSED, **REST}),
    case("80 ms of voice, begun in the grace: the first word intact", GRACE, BEGAN_IN_GRACE.then(SPEECH_IN_GRACE[:3]), AT_300_MS, CANCELLING,
         [*stopped_with(), *appended(*BEFORE, *SPEECH_IN_GRACE[:3], AT_300_MS)],
         {**stopped(AT_300_MS.at, 1600), **CUT_SHORT, **opened(*SPEECH_IN_GRACE[:3], AT_300_MS, ahead=BEFORE)}, via=[HERE]),
    case("100 ms of voice, begun in the grace: confirmed in that very step", GRACE, BEGAN_IN_GRACE.then(SPEECH_IN_GRACE), AT_300_MS, CANCELLING,
         [*stopped_with(), TruncateItem("a1", 200), CONFIRMED, *appended(*BEFORE, *SPEECH_IN_GRACE, AT_300_MS)],
         {**stop(AT_300_MS.at, Heard("a1", 1600, 4000)), **CUT_SHORT, **opened(*SPEECH_IN_GRACE, AT_300_MS, ahead=BEFORE),
          "response.continued": 1}, via=[HERE]),
    case("20 ms of voice behind noise in the grace", GRACE, BEGAN_IN_GRACE.then(NOISE_IN_GRACE), AT_300_MS, CANCELLING,
         [*stopped_with(), *appended(*BEFORE, *NOISE_IN_GRACE, AT_300_MS)],
         {**stopped(AT_300_MS.at, 1600), **CUT_SHORT, **opened(*NOISE_IN_GRACE, AT_300_MS, ahead=BEFORE)}, via=[HERE]),
    case("80 ms of voice in the grace, and weak frames that are voiced", GRACE, BEGAN_IN_GRACE.then(SPEECH_IN_GRACE[:3], WEAK_VOICE), AT_300_MS, CANCELLING,
         [*stopped_with(), *appended(*BEFORE, *SPEECH_IN_GRACE[:3], *WEAK_VOICE, AT_300_MS)],
         {**stopped(AT_300_MS.at, 1600), **CUT_SHORT, **opened(*SPEECH_IN_GRACE[:3], *WEAK_VOICE, AT_300_MS, ahead=BEFORE)}, via=[HERE]),
    case("confirmed in that very step for the third time: the rest is owed no more", GRACE, THIRD, THIRD_AT, CANCELLING,
         [*stopped_with(9, "r3"), TruncateItem("a3", 200), CONFIRMED, *appended(*BEFORE_THIRD, *LAST, THIRD_AT)],
         {**stop(THIRD_AT.at, Heard("a3", 1600, 4000), ids=9, response_id="r3"), **opened(*LAST, THIRD_AT, ahead=BEFORE_THIRD),
          "response.is_cut": True}, via=[HERE]),
    case("before anything was heard", HERE, NO_GRACE, NOTHING_HEARD, CANCELLING, [*stopped_with(), *appended(*AHEAD, NOTHING_HEARD)],
         {**without(stopped(3.25, 0), "playback.confirmed", "playback._anchor", "playback._heard"), **CUT_SHORT,
          **opened(NOTHING_HEARD, ahead=AHEAD)}),
    case("all that was received has been heard, and more would come: it is open who it was", HERE, ALL_HEARD, X, CANCELLING, PAUSE,
         {**without(stopped(3.625, 1600), "playback.sent", "playback._marked"), **CUT_SHORT, **opened(X, ahead=AHEAD)}),
    case("all that was received has been marked as heard, and more would come: it is open who it was", HERE, ALL_MARKED, X, CANCELLING, PAUSE,
         {**without(stopped(3.625, 1600), *PLACE_OF_THE_LAST_MARK), **CUT_SHORT, **opened(X, ahead=AHEAD)}),
    case("all has been generated and heard, and its mark is under way: nothing is owed", HERE, ALL_PLAYED, loud(3.875, "x"), CANCELLING, PAUSE,
         {**stop(3.875, Heard("a1", 4000, 4000)), **UNMARKED, **opened(X, ahead=AHEAD)}),
    case("what was kept has been heard, and the rest was never generated: it is open who it was", HERE, GOES_ON_ALL_PLAYED, loud(4.375, "x"), CANCELLING,
         [*stopped_with(5), *appended(*BEFORE_REST, loud(4.375, "x"))],
         {**without(stopped(4.375, 4000, ids=5), "playback.sent", "playback._marked"), **opened(X, ahead=BEFORE_REST)}),
    case("in the second item", HERE, TWO_ITEMS, X, CANCELLING, PAUSE, {**PAUSED, **CUT_SHORT}),
    case("on the greeting: it is not owed again", HERE, GREETING, loud(1.875, "x"), CANCELLING, [*stopped_with(2, "g1"), *appended(*C, X)],
         {**stopped(1.875, 1600, ids=2, response_id="g1"), **opened(X, ahead=C)}),
    case("on the greeting, by 100 ms of voice: confirmed in that very step", GRACE, greeting_audible().then(GREETING_SPEECH), loud(1.8125, "x"), CANCELLING,
         [*stopped_with(2, "g1"), TruncateItem("ga1", 200), CONFIRMED, *appended(*C, *GREETING_SPEECH, X)],
         {**stop(1.8125, Heard("ga1", 1600, 4000), ids=2, response_id="g1"), **opened(*GREETING_SPEECH, X, ahead=C)}, via=[HERE]),
    case("without a session: the cut reply is owed already", HERE, OFFLINE, X, CANCELLING, stopped_with(), {**PAUSED, "deadline": X.at}),
    case("above the threshold and below the assistant's echo: dropped, and not loud", HERE, LOUD_REPLY, ECHOED, HERE, [dropped(180.0, 600.0)],
         {"gate.limit_rms": 600.0, "gate.held": added(HeardFrame(180.0, "x", 1.0)), **LISTENED_TO}),
    case("above the assistant's echo: stopped", HERE, LOUD_REPLY, ABOVE_ITS_ECHO, CANCELLING, [*stopped_with(), *appended(*QUIETS_OF_U, X)],
         {**stopped(3.625, 1600), **CUT_SHORT, "gate.limit_rms": 600.0, **LISTENED_TO, **opened(ABOVE_ITS_ECHO, ahead=QUIETS_OF_U)}),
]
# fmt: on


@pytest.mark.parametrize("case", CASES)
def test_interrupting(case: Case) -> None:
    check(case)


SPOKEN_RMS = (9000, 2500, 6000, 3000, 8000, 2000, 7000) * 6
"""How loud each 20 ms of 840 ms of the assistant are."""


def comes_back(levels_rms: tuple[int, ...]) -> Story:
    """Each 20 ms of it comes back 100 ms later as a voiced frame of an eighth, until 100 ms after it was stopped."""
    hears = RmsFrame(0.0, 90.0, "e", 1.0)
    returned = [90.0] * 5 + [rms / 8 for rms in SPOKEN_RMS]
    story = reply_begun().with_gate(GateConfig(echo_factor=1.0))
    story = story.then(AudioDelta(3.25, "r1", "a1", audio(840), levels_rms))
    for number in range(1, 22):
        at = 3.25 + number * 0.02
        marks = [PlaybackMarked(at, f"m{number // 10}")] * (number % 10 == 0)
        story = story.then(marks, evolve(hears, at=at, rms=returned[number]))
    return story


@pytest.mark.parametrize(
    ("levels_rms", "continued"),
    [
        pytest.param(SPOKEN_RMS, 0, id="of the assistant: it is its echo"),
        pytest.param((), 1, id="of a caller"),
    ],
)
def test_a_voice_that_goes_up_and_down_with_what_is_played_proves_nobody(
    levels_rms: tuple[int, ...], continued: int
) -> None:
    call = comes_back(levels_rms).call()

    assert CANCELLING is call.state
    assert continued == call.response.continued
