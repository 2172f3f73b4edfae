"""The noise floor, the threshold, and the frames that go out ahead of speech."""

import math

import pytest
from attrs import evolve

from callfsm.config import GateConfig
from callfsm.hearing.calibration import noise_floor, speech_threshold
from callfsm.hearing.gate import Gate, HeardFrame

CONFIG = GateConfig()
QUIET, LOUD = HeardFrame(90.0, "q"), HeardFrame(400.0, "L", is_loud=True)


def held(pattern: str, keep_ms: int = 600) -> Gate:
    """A gate that holds frames: `q` for a quiet one, `L` for a loud one, each with its number."""
    gate = Gate.before_calibration(CONFIG)
    for number, kind in enumerate(pattern):
        gate.hold(evolve({"q": QUIET, "L": LOUD}[kind], payload=f"{kind}{number}"), keep_ms)
    return gate


@pytest.mark.parametrize(
    ("frames", "floor"),
    [
        pytest.param([], 100.0, id="none"),
        pytest.param([120.0] * 75, 100.0, id="none below the limit"),
        pytest.param([119.9] * 75, 119.9, id="just below the limit"),
        pytest.param([80.0, 100.0], 90.0, id="the mean"),
        pytest.param([80.0, 100.0, 120.0, 5000.0], 90.0, id="loud ones do not count"),
        pytest.param([0.0] * 75, 0.0, id="a dead line"),
    ],
)
def test_the_noise_floor(frames: list[float], floor: float) -> None:
    assert pytest.approx(floor) == noise_floor(iter(frames), CONFIG)


@pytest.mark.parametrize(
    ("floor", "threshold"),
    [
        pytest.param(0.0, 60.0, id="a dead line"),
        pytest.param(92.3, 152.3, id="the design's line"),
        pytest.param(100.0, 160.0, id="the default"),
        pytest.param(114.9, 174.9, id="just below the cap"),
        pytest.param(115.0, 175.0, id="at the cap"),
        pytest.param(119.9, 175.0, id="above the cap"),
    ],
)
def test_the_threshold(floor: float, threshold: float) -> None:
    assert pytest.approx(threshold) == speech_threshold(floor, CONFIG)


def test_before_calibration() -> None:
    gate = Gate.before_calibration(CONFIG)

    assert (160.0, 160.0, 0) == (gate.threshold_rms, gate.limit_rms, len(gate.held))


def test_the_threshold_and_the_limit_are_the_line_s() -> None:
    gate = Gate.before_calibration(CONFIG)
    gate.line.threshold_rms, gate.line.limit_rms = 150.0, 400.0

    assert (150.0, 400.0, 400.0) == (gate.threshold_rms, gate.limit_rms, gate.proof_limit_rms)


def test_nothing_proves_a_speaker_while_it_follows_what_is_played() -> None:
    gate = Gate.before_calibration(CONFIG)
    gate.line.echo.is_match = True

    assert (160.0, math.inf) == (gate.limit_rms, gate.proof_limit_rms)


def test_no_more_is_held_than_asked_for() -> None:
    gate = held("q" * 40, keep_ms=300)

    assert [f"q{number}" for number in range(25, 40)] == [frame.payload for frame in gate.held]


def test_nothing_is_held_where_nothing_is_asked_for() -> None:
    assert [] == list(held("qqq", keep_ms=0).held)


@pytest.mark.parametrize(
    ("pattern", "preroll_ms", "sent"),
    [
        pytest.param("", 300, "", id="nothing held"),
        pytest.param("qqq", 300, "q0 q1 q2", id="less than the pre-roll"),
        pytest.param("qqqqq", 40, "q3 q4", id="the newest"),
        pytest.param("qqqqq", 0, "", id="no pre-roll"),
        pytest.param("qqqLqq", 40, "q1 q2 L3 q4 q5", id="a loud frame of the grace, and that much ahead of it"),
        pytest.param("qqqLqq", 0, "L3 q4 q5", id="a loud frame of the grace and no pre-roll"),
        pytest.param("qLqLq", 20, "q0 L1 q2 L3 q4", id="the first loud frame counts"),
        pytest.param("Lqq", 300, "L0 q1 q2", id="nothing ahead of it"),
    ],
)
def test_what_goes_out_ahead_of_speech(pattern: str, preroll_ms: int, sent: str) -> None:
    gate = held(pattern)

    assert sent.split() == [frame.payload for frame in gate.release(preroll_ms)]
    assert [] == list(gate.held)


def test_fifteen_frames_are_the_pre_roll() -> None:
    assert 15 == len(held("q" * 30).release(CONFIG.preroll_ms))


@pytest.mark.parametrize(
    ("frame", "sent"),
    [
        pytest.param(HeardFrame(150.0, "x", is_loud=True), ["x"], id="loud"),
        pytest.param(HeardFrame(900.0, "x"), [], id="as loud, and echo when it was heard"),
    ],
)
def test_a_held_frame_is_as_loud_as_it_was_when_it_was_heard(frame: HeardFrame, sent: list[str]) -> None:
    gate = held("qqq")
    gate.hold(frame, 600)

    assert sent == [held.payload for held in gate.release(0)]
