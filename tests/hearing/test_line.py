"""The limit that a frame must reach: the calibrated threshold on a quiet line, to the number; else what is told."""

import math
from itertools import pairwise

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from callfsm.config import GateConfig
from callfsm.hearing.calibration import speech_threshold
from callfsm.hearing.line import Line, News, NewsKind

CONFIG = GateConfig()
S = 50
"""Frames in a second."""
WOBBLE = (0.94, 1.02, 1.07, 0.98, 0.9, 1.0, 1.1, 1.04, 0.96, 0.99)
"""What one frame of noise is to the next."""
FOLLOWS, RESTORED, RAISED, DEAF = NewsKind.FOLLOWS, NewsKind.RESTORED, NewsKind.RAISED, NewsKind.DEAF


def noise(level_rms: float, frames: int) -> list[float]:
    return [level_rms * WOBBLE[i % len(WOBBLE)] for i in range(frames)]


def calls_of_a_weak_caller(peak_rms: float, line_rms: float, seconds: int) -> list[float]:
    """Words of 600 ms that rise to the peak and fall, a second apart."""
    word = [peak_rms * math.sin(math.pi * (i + 1) / 31) for i in range(30)] + [0.0] * 50
    return [math.hypot(rms, line_rms) for rms in (word * seconds)[: seconds * S]]


def line(noise_rms: float, config: GateConfig = CONFIG) -> Line:
    """A line that was calibrated with this noise, and on which it has been heard for 4 s."""
    found = Line.before_calibration(config)
    found.calibrate(noise_rms, speech_threshold(noise_rms, config))
    assert [] == feed(found, noise(noise_rms, 4 * S), config=config)
    return found


def feed(
    heard: Line, frames: list[float], far_rms: float = 0.0, *, config: GateConfig = CONFIG, is_gate_open: bool = False
) -> list[News]:
    """Let the line hear frames; return its news."""
    news = [heard.hear(rms, far_rms, config, is_gate_open=is_gate_open) for rms in frames]
    return [one for one in news if one is not None]


def kinds(news: list[News]) -> list[NewsKind]:
    return [one.kind for one in news]


# A quiet line


def test_before_calibration_the_default_threshold_is_in_force_and_nothing_moves_it() -> None:
    heard = Line.before_calibration(CONFIG)

    assert [] == feed(heard, noise(300.0, 4 * S) + noise(130.0, 20 * S))
    assert (100.0, 160.0, 160.0) == (heard.noise_rms, heard.threshold_rms, heard.limit_rms)


def test_the_calibrated_threshold_is_in_force_at_once() -> None:
    heard = Line.before_calibration(CONFIG)
    heard.calibrate(92.3, 152.3)

    assert (92.3, 152.3, 152.3, 152.3) == (
        heard.noise_rms,
        heard.calibrated_threshold_rms,
        heard.threshold_rms,
        heard.limit_rms,
    )


RUNS = st.lists(
    st.tuples(
        st.one_of(st.floats(0.0, 119.0), st.floats(0.0, 30_000.0)),
        st.integers(1, 120),
        st.booleans(),
    ),
    max_size=20,
)
"""How loud it is for so many frames, and whether the gate was open."""


@given(st.floats(8.1, 119.9), RUNS)
def test_as_long_as_the_noise_is_quiet_the_limit_is_the_calibrated_threshold(
    calibrated_rms: float, runs: list[tuple[float, int, bool]]
) -> None:
    heard = Line.before_calibration(CONFIG)
    threshold = speech_threshold(calibrated_rms, CONFIG)
    heard.calibrate(calibrated_rms, threshold)

    for level_rms, frames, is_gate_open in runs:
        for rms in noise(level_rms, frames):
            news = heard.hear(rms, 0.0, CONFIG, is_gate_open=is_gate_open)
            if news is not None and news.kind in (DEAF, RAISED):
                threshold = news.threshold_rms
            assert heard.floor.noise_rms >= 120.0 or heard.limit_rms == threshold


FAR_RUNS = st.lists(
    st.tuples(
        st.one_of(st.just(0.0), st.floats(0.0, 2000.0)), st.sampled_from([0.0, 0.0, 3000.0]), st.integers(1, 150)
    ),
    max_size=20,
)


@given(st.sampled_from([0.0, 5.0, 40.0, 92.3, 119.0]), FAR_RUNS)
def test_every_threshold_in_force_has_been_told(calibrated_rms: float, runs: list[tuple[float, float, int]]) -> None:
    heard = Line.before_calibration(CONFIG)
    told = speech_threshold(calibrated_rms, CONFIG)
    heard.calibrate(calibrated_rms, told)

    for level_rms, far_rms, frames in runs:
        for rms in noise(level_rms, frames):
            news = heard.hear(rms, far_rms, CONFIG, is_gate_open=False)
            before, told = told, news.threshold_rms if news else told
            assert heard.threshold_rms == told
            assert news is None or news.kind is not FOLLOWS or abs(told - before) >= 0.1 * before
            assert heard.limit_rms >= told >= heard.calibrated_threshold_rms


@given(FAR_RUNS)
def test_with_both_factors_at_zero_the_bare_rule_holds(runs: list[tuple[float, float, int]]) -> None:
    config = evolve(CONFIG, follow_factor=0.0, echo_factor=0.0)
    heard = Line.before_calibration(config)
    heard.calibrate(0.0, 60.0)

    for level_rms, far_rms, frames in runs:
        news = feed(heard, noise(level_rms, frames), far_rms, config=config)
        assert {*kinds(news)} <= {DEAF}
        assert 60.0 == heard.limit_rms


# A line that is or becomes noisy


@pytest.mark.parametrize("level_rms", [150.0, 250.0, 400.0])
def test_the_threshold_follows_noise_that_sets_in_and_the_calibrated_one_comes_back(level_rms: float) -> None:
    heard = line(92.3)

    news = feed(heard, noise(level_rms, 4 * S))
    assert {FOLLOWS} == {*kinds(news)}
    assert len(news) <= 3
    assert pytest.approx(2 * level_rms, rel=0.15) == heard.limit_rms
    assert heard.limit_rms > max(noise(level_rms, 10))

    news = feed(heard, noise(60.0, S))
    assert RESTORED is news[-1].kind
    assert 92.3 + 60.0 == news[-1].threshold_rms == heard.limit_rms


def test_a_line_that_is_noisy_from_the_start_is_followed_when_it_has_been_calibrated() -> None:
    heard = Line.before_calibration(CONFIG)
    assert [] == feed(heard, noise(300.0, 75))

    heard.calibrate(100.0, 160.0)

    assert [News(FOLLOWS, 282.0, 564.0)] == feed(heard, noise(300.0, 10 * S))


def test_the_following_threshold_has_a_highest() -> None:
    heard = line(92.3)
    feed(heard, noise(3000.0, 8 * S))

    assert 1200.0 == heard.limit_rms


def test_the_following_threshold_is_never_below_the_calibrated_one() -> None:
    config = evolve(CONFIG, follow_factor=1.0)
    heard = line(110.0, config)

    assert [] == feed(heard, noise(150.0, 8 * S), config=config, is_gate_open=True)
    assert 170.0 == heard.limit_rms


def test_the_calibrated_threshold_is_back_when_the_noise_asks_for_no_more() -> None:
    config = evolve(CONFIG, follow_factor=1.0)
    heard = line(110.0, config)

    assert [News(FOLLOWS, 200.0, 200.0)] == feed(heard, [200.0] * 4 * S, config=config)
    assert [News(RESTORED, 150.0, 170.0)] == feed(heard, [150.0] * 4 * S, config=config)


@pytest.mark.parametrize(
    ("level_rms", "threshold"),
    [pytest.param(119.9, 150.0, id="below quiet_rms"), pytest.param(120.0, 240.0, id="at quiet_rms")],
)
def test_from_quiet_rms_on_the_threshold_follows(level_rms: float, threshold: float) -> None:
    heard = line(90.0)
    feed(heard, [level_rms] * 4 * S, is_gate_open=True)

    assert threshold == heard.limit_rms


def test_the_threshold_moves_by_a_tenth_at_least() -> None:
    heard = line(90.0)
    assert 400.0 == feed(heard, [200.0] * 4 * S)[-1].threshold_rms

    assert [] == feed(heard, [219.9] * 4 * S)
    assert [News(FOLLOWS, 220.0, 440.0)] == feed(heard, [220.0] * 4 * S)
    assert [] == feed(heard, [198.1] * 4 * S)
    assert [News(FOLLOWS, 197.0, 394.0)] == feed(heard, [197.0] * 4 * S)


@pytest.mark.parametrize("period_s", [2, 7, 12, 20])
def test_noise_that_wanders_about_quiet_rms_makes_no_storm(period_s: int) -> None:
    heard = line(100.0)
    wandering = [120.0 + 10.0 * math.sin(2 * math.pi * i / (period_s * S)) for i in range(60 * S)]

    assert len(feed(heard, wandering, is_gate_open=True)) <= 3


def test_noise_that_comes_back_and_stays_just_above_quiet_rms_is_followed_after_10_s() -> None:
    heard = line(100.0)
    feed(heard, [125.0] * 4 * S + [100.0] * 4 * S, is_gate_open=True)

    assert [] == feed(heard, [125.0] * 12 * S, is_gate_open=True)
    assert [News(FOLLOWS, 125.0, 250.0)] == feed(heard, [125.0] * 2 * S, is_gate_open=True)


def test_noise_that_comes_back_louder_is_followed_at_once() -> None:
    heard = line(100.0)
    feed(heard, [125.0] * 4 * S + [100.0] * 4 * S, is_gate_open=True)

    assert [News(FOLLOWS, 140.0, 280.0)] == feed(heard, [140.0] * 4 * S, is_gate_open=True)


@pytest.mark.parametrize("level_rms", [400.0, 2000.0, 9000.0])
def test_speech_without_a_pause_does_not_move_the_threshold(level_rms: float) -> None:
    heard = line(60.0)
    speech = [math.hypot(60.0, level_rms * (0.2 + 0.8 * abs(math.sin(0.251 * i)))) for i in range(20 * S)]

    assert [] == feed(heard, speech, is_gate_open=True)
    assert 120.0 == heard.limit_rms


def test_speech_from_the_first_frame_does_not_move_it_either() -> None:
    heard = Line.before_calibration(CONFIG)
    speech = [math.hypot(60.0, 3000.0 * (0.1 + 0.9 * abs(math.sin(0.251 * i)))) for i in range(4 * S)]
    feed(heard, speech[:75])
    heard.calibrate(100.0, 160.0)

    assert [] == feed(heard, speech[75:], is_gate_open=True)
    assert 160.0 == heard.limit_rms


# A silent line


def test_a_silent_line_that_hums_later_is_calibrated_again() -> None:
    heard = line(0.0)

    assert [News(RAISED, 50.0, 110.0)] == feed(heard, [50.0] * 4 * S)
    assert (50.0, 110.0, 110.0) == (heard.noise_rms, heard.calibrated_threshold_rms, heard.limit_rms)
    assert [News(RAISED, 90.0, 150.0)] == feed(heard, [90.0] * 4 * S)


def test_it_is_raised_and_never_lowered() -> None:
    heard = line(8.0)
    feed(heard, [90.0] * 4 * S)

    assert [] == feed(heard, [0.0] * 8 * S + [40.0] * 8 * S)
    assert 150.0 == heard.limit_rms


def test_it_is_raised_to_max_threshold_at_most() -> None:
    heard = line(0.0)

    assert [News(RAISED, 119.0, 175.0)] == feed(heard, [119.0] * 4 * S)


def test_a_hum_too_loud_for_that_is_followed_and_when_it_grows_less_it_is_raised() -> None:
    heard = line(0.0)

    assert [News(FOLLOWS, 200.0, 400.0)] == feed(heard, [200.0] * 4 * S)
    assert [News(RAISED, 70.0, 130.0)] == feed(heard, [70.0] * 4 * S)


@pytest.mark.parametrize(
    ("calibrated_rms", "hum_rms"),
    [
        pytest.param(8.1, 70.0, id="not silent when it was calibrated"),
        pytest.param(0.0, 8.0, id="still silent"),
        pytest.param(8.0, 14.0, id="less than a tenth"),
    ],
)
def test_what_is_not_raised(calibrated_rms: float, hum_rms: float) -> None:
    heard = line(calibrated_rms)

    assert [] == feed(heard, [hum_rms] * 8 * S, is_gate_open=True)
    assert calibrated_rms + 60.0 == heard.limit_rms


# A line on which the assistant is heard


def test_the_limit_is_above_the_echo_and_the_threshold_stays() -> None:
    heard = line(60.0)
    feed(heard, [60.0] * 10 + [330.0] * 40, far_rms=3300.0)
    assert pytest.approx(2.0 * 330.0, rel=0.05) == heard.limit_rms
    assert 120.0 == heard.threshold_rms

    feed(heard, [60.0] * 19)
    assert heard.limit_rms > 560.0

    feed(heard, [60.0])
    assert 120.0 == heard.limit_rms


def test_the_limit_counts_what_is_played_with_the_very_frame() -> None:
    heard = line(60.0)
    feed(heard, [60.0], far_rms=3300.0)

    assert pytest.approx(2.0 * 0.08 * 3300.0) == heard.limit_rms


def test_an_echo_that_comes_at_once_is_not_taken_for_the_caller() -> None:
    heard = line(60.0)
    feed(heard, [330.0] * 20, far_rms=3300.0)

    assert pytest.approx(0.1, rel=0.05) == heard.echo.gain


@pytest.mark.parametrize("wobble", [WOBBLE, (0.8, 1.2, 0.9, 1.0, 1.15, 0.85, 1.1, 0.95, 1.2, 0.85)])
def test_without_an_echo_the_plain_threshold_is_in_force_within_400_ms(wobble: tuple[float, ...]) -> None:
    heard = line(100.0)
    frames = [100.0 * share for share in wobble]
    feed(heard, frames * 20, is_gate_open=True)
    feed(heard, frames * 2, far_rms=3300.0)

    assert 160.0 == heard.limit_rms


def test_a_caller_who_interrupts_is_no_echo() -> None:
    heard = line(60.0)
    feed(heard, [330.0] * 2 * S, far_rms=3300.0)
    gain = heard.echo.gain
    feed(heard, [2000.0] * S, far_rms=3300.0)

    assert gain == heard.echo.gain


def test_the_echo_is_not_taken_for_noise() -> None:
    heard = line(60.0)

    assert [] == feed(heard, [200.0] * 8 * S, far_rms=3300.0)
    assert pytest.approx(60.0, rel=0.07) == heard.floor.noise_rms


def test_an_echo_factor_of_zero_leaves_the_echo_out() -> None:
    config = evolve(CONFIG, echo_factor=0.0)
    heard = line(60.0, config)
    feed(heard, [330.0] * S, far_rms=3300.0, config=config)

    assert 120.0 == heard.limit_rms


# A line that seems deaf


def test_a_weak_caller_is_heard_after_a_time() -> None:
    """The line was calibrated while it was louder than it is."""
    heard = line(90.0)
    weak = calls_of_a_weak_caller(140.0, 20.0, 40)

    news = feed(heard, weak[: 8 * S])
    assert [] == news

    news = feed(heard, weak[8 * S : 30 * S])
    assert [News(DEAF, 20.0, 80.0)] == news
    assert (20.0, 80.0, 80.0) == (heard.noise_rms, heard.calibrated_threshold_rms, heard.limit_rms)


def test_the_frame_that_proves_deafness_passes() -> None:
    heard = line(90.0)
    weak = iter(calls_of_a_weak_caller(140.0, 20.0, 40))
    proof = next(rms for rms in weak if heard.hear(rms, 0.0, CONFIG, is_gate_open=False))

    assert 80.0 == heard.limit_rms <= proof


def test_steady_noise_below_the_threshold_raises_the_alarm_and_stays_out() -> None:
    heard = line(90.0)
    steady = noise(115.0, 100 * S)

    assert [] == feed(heard, steady[: 8 * S - 1])
    news = feed(heard, steady[8 * S - 1 :])
    assert {DEAF} == {*kinds(news)}
    assert {150.0} == {one.threshold_rms for one in news} == {heard.limit_rms}
    assert 3 <= len(news) <= 4


def test_steady_noise_that_a_lower_threshold_would_let_in_stays_out() -> None:
    config = evolve(CONFIG, threshold_margin=20.0)
    heard = line(115.0, config)
    news = feed(heard, noise(105.0, 60 * S), config=config)

    assert {DEAF} == {*kinds(news)}
    assert 135.0 == heard.limit_rms


def test_a_noise_that_sets_in_just_below_the_threshold_does_not_open_the_gate() -> None:
    heard = line(90.0)
    feed(heard, noise(20.0, 8 * S))
    feed(heard, noise(112.0, 60 * S))

    assert 150.0 == heard.limit_rms


def test_the_alarm_is_raised_once_in_30_s() -> None:
    heard = line(90.0)
    alarms = [
        number
        for number, rms in enumerate(noise(118.0, 200 * S))
        if heard.hear(rms, 0.0, CONFIG, is_gate_open=False) is not None
    ]

    assert len(alarms) >= 5
    assert min(later - earlier for earlier, later in pairwise(alarms)) >= 30 * S


@pytest.mark.parametrize(
    ("frames", "far_rms", "is_gate_open"),
    [
        pytest.param([104.9] * 60 * S, 0.0, False, id="less than seven tenths of it"),
        pytest.param(([110.0] * 7 * S + [150.0]) * 8, 0.0, False, id="a frame passes now and then"),
        pytest.param([110.0] * 60 * S, 3000.0, False, id="the assistant is audible"),
        pytest.param([110.0] * 60 * S, 0.0, True, id="the gate is open"),
        pytest.param(([110.0] * 74 + [20.0] * 30 * S) * 4, 0.0, False, id="too seldom"),
    ],
)
def test_what_is_no_sign_of_deafness(frames: list[float], far_rms: float, is_gate_open: bool) -> None:
    assert [] == feed(line(90.0), frames, far_rms, is_gate_open=is_gate_open)


def test_a_threshold_that_follows_the_noise_is_not_lowered() -> None:
    heard = line(90.0)
    feed(heard, [200.0] * 4 * S)
    news = feed(heard, calls_of_a_weak_caller(335.0, 200.0, 60))

    assert {DEAF} == {*kinds(news)}
    assert 400.0 == heard.limit_rms


def test_a_line_that_cannot_be_calibrated_lower_raises_the_alarm_alone() -> None:
    heard = line(90.0)
    news = feed(heard, calls_of_a_weak_caller(105.0, 100.0, 60))

    assert {DEAF} == {*kinds(news)}
    assert 150.0 == heard.limit_rms


def test_a_deaf_line_is_not_calibrated_upward() -> None:
    heard = line(40.0)
    news = feed(heard, ([50.0] * 30 + [95.0] * 20) * 60)

    assert {DEAF} == {*kinds(news)}
    assert (40.0, 100.0) == (heard.noise_rms, heard.limit_rms)


def test_what_was_near_another_threshold_does_not_count() -> None:
    heard = line(90.0)
    assert [] == feed(heard, [115.0] * 7 * S)
    assert [280.0] == [one.threshold_rms for one in feed(heard, [140.0] * 4 * S, is_gate_open=True)]

    assert [] == feed(heard, [200.0] * 2 * S)
