"""What a frame tells of the line is known before the frame is judged, and is told once."""

from typing import Any

import pytest
from attrs import evolve

from callfsm.config import Config, GateConfig, TurnConfig
from callfsm.effects import INFO, WARNING, Count, Effect, Log
from callfsm.events import RmsFrame
from callfsm.hearing.gate import HeardFrame
from callfsm.states.base import State
from tests.calls import loud, louds, quiet, quiets, silent_business, waiting
from tests.states.shared import goes_on
from tests.table import Case, appended, case, check, dropped, kept

HERE = State.WAITING_FOR_USER

NOISE_SET_IN = waiting().then(quiets(2.0, 160, rms=130.0))
"""It fills four fifths of the last 4 s, and no more."""
NOISE_WENT = waiting().then(quiets(2.0, 300, rms=130.0), quiets(2.0, 39))
"""What is quieter fills less than a fifth of the last 4 s."""
SILENT_LINE = silent_business().then(quiets(1.0, 75, rms=0.0), quiets(2.0, 160, rms=40.0))
NEARLY_HEARD = waiting().then(quiets(2.0, 399, rms=115.0))
"""A frame less than 8 s of steady sound, over seven tenths of the threshold."""
HELD_VOICE = waiting().then(louds(2.0, 200))
LONG_HANGOVER = evolve(
    Config(), gate=GateConfig(hangover_ms=9000), turn=TurnConfig(end_of_turn_ms=10_000, confirm_ms=600)
)
WEAK_BUT_HEARD = evolve(waiting(), config=LONG_HANGOVER).then(louds(2.0, 5), quiets(2.0, 399, rms=115.0))
UNMOVED = NOISE_SET_IN.with_gate(GateConfig(follow_factor=0.0, echo_factor=0.0))
VOICE = loud(2.0, "x")
NOISE, LOUDER, HUSH, HUM, NEAR = (quiet(2.0, "x", rms=rms) for rms in (130.0, 155.0, 90.0, 40.0, 115.0))


def told(level: int, what: str, noise: float, threshold: float, count: str) -> list[Effect]:
    return [
        Log(level, f"[VAD] {what}, noise={noise:.1f}, speech_threshold={threshold:.1f}"),
        Count(f"line:{count}"),
    ]


def joined_by(frame: RmsFrame, before: dict[str, Any]) -> dict[str, object]:
    """A weak frame joined an utterance."""
    power = before["_power"] + frame.rms * frame.rms
    return {"audio": [*before["audio"], frame.payload], "frames": before["frames"] + 1, "_power": power}


def at(threshold: float) -> dict[str, object]:
    return {"gate.threshold_rms": threshold, "gate.limit_rms": threshold}


FOLLOWS = told(INFO, "Threshold follows the noise", 130.0, 260.0, "follows")
RESTORED = told(INFO, "Calibrated threshold restored", 90.0, 150.0, "restored")
RAISED = told(INFO, "Silent line hums, recalibrated", 40.0, 100.0, "raised")
DEAF = told(WARNING, "Sound just below the threshold for long, and nothing passes", 115.0, 150.0, "deaf")

# fmt: off
CASES = [
    case("noise has set in: the threshold is twice as loud", HERE, NOISE_SET_IN, NOISE, HERE, [*FOLLOWS, dropped(130.0, 260.0)],
         {**at(260.0), "gate.held": kept(NOISE)}),
    case("a frame is judged by the threshold that it moved itself", HERE, NOISE_SET_IN, LOUDER, HERE, [*FOLLOWS, dropped(155.0, 260.0)],
         {**at(260.0), "gate.held": lambda before: [*before[1:], HeardFrame(155.0, "x")]}),
    case("what was told is not told again", HERE, NOISE_SET_IN.then(NOISE), NOISE, HERE, [dropped(130.0, 260.0)], {"gate.held": kept(NOISE)}),
    case("noise has gone: the calibrated threshold is back", HERE, NOISE_WENT, HUSH, HERE, [*RESTORED, dropped()],
         {**at(150.0), "gate.held": kept(HUSH)}),
    case("a silent line hums: it is calibrated again", HERE, SILENT_LINE, HUM, HERE, [*RAISED, dropped(40.0, 100.0)],
         {**at(100.0), "gate.noise_rms": 40.0, "gate.held": kept(HUM)}),
    case("steady sound just below the threshold for 8 s: an alarm", HERE, NEARLY_HEARD, NEAR, HERE, [*DEAF, dropped(115.0)], {"gate.held": kept(NEAR)}),
    case("a voice held for seconds, louder than any noise that is followed, is none", HERE, HELD_VOICE, VOICE, HERE, appended(VOICE),
         {"turn.open": goes_on("x")}),
    case("weak sound that passes the open gate is no sign of deafness", HERE, WEAK_BUT_HEARD, NEAR, HERE, appended(NEAR),
         {"turn.open": lambda before: {**before, **joined_by(NEAR, before)}}),
    case("nothing moves the line where that is configured", HERE, UNMOVED, NOISE, HERE, [dropped(130.0)], {"gate.held": kept(NOISE)}),
]
# fmt: on


@pytest.mark.parametrize("case", CASES)
def test_following(case: Case) -> None:
    check(case)
