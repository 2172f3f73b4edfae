"""AI_SPEAKING: the assistant is heard to its end, or given up; what stops it is told in test_interrupting."""

import pytest

from callfsm.effects import CancelResponse, ClearPlayback
from callfsm.events import PlaybackMarked, TimerFired
from callfsm.states.base import State
from tests.calls import greeting_audible, quiet, quiets, speaking, tail
from tests.states.audible import CUT, audible_cases, done, ended, past_grace
from tests.states.shared import cancelled
from tests.table import Case, case, check, dropped, kept

HERE, CANCELLING = State.AI_SPEAKING, State.CANCELLING
LISTENING, WAITING = State.LISTENING, State.WAITING_FOR_USER
WEAK, ALMOST = quiet(3.625, "x"), quiet(3.625, "x", rms=149.9)

SPEAKING = speaking().then(quiets(3.5625, 30, "h"))
UNMARKED = {"playback.confirmed": 0, "playback._anchor": 0}
GREETING_TAIL = past_grace(greeting_audible()).then(done(1.875, "g1", "ga1"))
ALL_MARKED = speaking().then(PlaybackMarked(3.6875, "m2"))
GREETING_MARKED = greeting_audible().then(
    TimerFired(1.8125), PlaybackMarked(1.875, "m1"), PlaybackMarked(1.875, "m2")
)
STALLED = 3.6875 + 0.1 + 8

# fmt: off
CASES = [
    case("silence is dropped", HERE, SPEAKING, WEAK, HERE, [dropped()], {"gate.held": kept(WEAK, most=30)}),
    case("just below the threshold is silence", HERE, SPEAKING, ALMOST, HERE, [dropped(149.9)], {"gate.held": kept(ALMOST, most=30)}),
    case("all heard, and generation stalls", HERE, ALL_MARKED, TimerFired(STALLED), CANCELLING,
         [ClearPlayback(), CancelResponse("cancel3", "r1")],
         {**UNMARKED, **ended("a1", 4000), **cancelled(STALLED, ids=3, response_id="r1"), **CUT}),
    case("all heard, and generation of the greeting stalls", HERE, GREETING_MARKED, TimerFired(1.875 + 0.1 + 8), CANCELLING,
         [ClearPlayback(), CancelResponse("cancel2", "g1")],
         {**UNMARKED, **ended("ga1", 4000), **cancelled(9.975, ids=2, response_id="g1")}),
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
