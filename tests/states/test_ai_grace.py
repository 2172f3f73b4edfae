"""AI_GRACE: the assistant's first 300 ms, in which sound may be its echo."""

import pytest

from callfsm.events import TimerFired
from callfsm.states.base import State
from tests.calls import Story, grace, loud, quiet, quiets
from tests.states.audible import audible_cases
from tests.table import Case, case, check, dropped, kept

HERE, AI_SPEAKING = State.AI_GRACE, State.AI_SPEAKING


def stays(story: Story) -> Story:
    return story


WEAK, ALMOST, AT, LOUD = quiet(3.5), quiet(3.5, rms=149.9), loud(3.5, rms=150.0), loud(3.5)
LONG_HUSH = grace().then(quiets(3.5, 40, "h"))
ENDS = 3.25 + 0.3

# fmt: off
CASES = [
    case("a loud frame is kept, unsent and not logged", HERE, grace(), LOUD, HERE, [], {"gate.held": kept(LOUD, most=30)}),
    case("a frame at the threshold is kept", HERE, grace(), AT, HERE, [], {"gate.held": kept(AT, most=30)}),
    case("silence is dropped", HERE, grace(), WEAK, HERE, [dropped()], {"gate.held": kept(WEAK, most=30)}),
    case("just below the threshold is silence", HERE, grace(), ALMOST, HERE, [dropped(149.9)], {"gate.held": kept(ALMOST, most=30)}),
    case("the pre-roll covers the grace: 600 ms are kept", HERE, LONG_HUSH, LOUD, HERE, [], {"gate.held": kept(LOUD, most=30)}),
    case("the grace is over", HERE, grace(), TimerFired(ENDS), AI_SPEAKING, [], {"deadline": 11.75}),
    case("a loud frame at 299 ms is kept", HERE, grace(), loud(ENDS - 0.001), HERE, [], {"gate.held": kept(loud(0.0), most=30)}),
    *audible_cases(HERE, stays, 3.5, late=5.75),
]
# fmt: on


@pytest.mark.parametrize("case", CASES)
def test_ai_grace(case: Case) -> None:
    check(case)
