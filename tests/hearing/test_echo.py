"""The echo's gain: found at once where there is an echo, gone at once where there is none."""

import math

import pytest

from callfsm.hearing.echo import EchoGain

S = 50
"""Frames in a second."""
THRESHOLD_RMS = 160.0
FACTOR = 2.5
LOUD_RMS = 3300.0


def far_speech(seconds: int) -> list[float]:
    """The assistant's loudness: syllables, four a second, with a pause of 200 ms in every 1.6 s."""
    frames = range(seconds * S)
    return [LOUD_RMS * (0.1 + 0.9 * abs(math.sin(0.251 * i))) if i % 80 < 70 else 0.0 for i in frames]


def echo_of(far: list[float], loss_db: float, late_ms: int) -> list[float]:
    """What comes back of it, and a tenth of it once more, 40 ms later."""
    gain, late = 10 ** (-loss_db / 20), late_ms // 20
    first = [0.0] * late + [gain * rms for rms in far]
    second = [0.0] * (late + 2) + [0.1 * gain * rms for rms in far]
    return [math.hypot(a, b) for a, b in zip(first, second, strict=False)][: len(far)]


def fired(echo: EchoGain, near: list[float], far: list[float], noise_rms: float) -> list[int]:
    """The numbers of the frames that are at or above the limit, which is what was found before each."""
    numbers = []
    for number, (near_rms, far_rms) in enumerate(zip(near, far, strict=True)):
        limit_rms = max(THRESHOLD_RMS, FACTOR * echo.gain * max(far_rms, echo.far_rms))
        is_firing = near_rms >= limit_rms
        echo.hear(near_rms, far_rms, noise_rms, is_firing=is_firing)
        numbers += [number] * is_firing
    return numbers


def learned(shares: list[float]) -> EchoGain:
    """The gain after as many frames, the far end at 1000, each coming back by its share."""
    echo = EchoGain()
    for share in shares:
        echo.hear(share * 1000.0, 1000.0, 0.0, is_firing=False)
    return echo


def test_before_anything_was_played() -> None:
    echo = EchoGain()

    assert (0.08, 0.0, False, 0.0) == (echo.gain, echo.far_rms, echo.is_far_loud, echo.limit_rms(FACTOR))


@pytest.mark.parametrize("noise_rms", [0.0, 40.0, 100.0])
def test_a_line_without_echo_has_its_plain_threshold_within_half_a_second(noise_rms: float) -> None:
    echo, far = EchoGain(), far_speech(10)
    limits = []
    for far_rms in far:
        echo.hear(noise_rms, far_rms, noise_rms, is_firing=False)
        limits.append(FACTOR * echo.gain * LOUD_RMS)

    assert min(limits[:19]) == FACTOR * 0.08 * LOUD_RMS
    assert max(limits[24:]) < 10.0


def test_a_click_in_the_first_words_is_no_echo_for_long() -> None:
    echo = learned([0.0] * 10 + [0.1] + [0.0] * 14)

    assert FACTOR * echo.gain * LOUD_RMS < 100.0


@pytest.mark.parametrize("late_ms", [60, 100, 160, 200, 260, 300])
@pytest.mark.parametrize("loss_db", [20.0, 23.0, 26.0])
@pytest.mark.parametrize("noise_rms", [0.0, 60.0])
def test_an_echo_never_fires(loss_db: float, late_ms: int, noise_rms: float) -> None:
    echo, far = EchoGain(), far_speech(20)
    near = [math.hypot(rms, noise_rms) for rms in echo_of(far, loss_db, late_ms)]

    assert [] == fired(echo, near, far, noise_rms)


@pytest.mark.parametrize("late_ms", [60, 160, 300])
@pytest.mark.parametrize("loss_db", [20.0, 26.0])
def test_the_gain_is_found_within_half_a_second(loss_db: float, late_ms: int) -> None:
    echo, far = EchoGain(), far_speech(1)[:25]
    fired(echo, echo_of(far, loss_db, late_ms), far, 0.0)

    assert 0.6 < echo.gain / 10 ** (-loss_db / 20) < 1.1


def test_the_caller_is_louder_than_the_echo() -> None:
    echo, far = EchoGain(), far_speech(6)
    near = echo_of(far, 23.0, 160)
    near[4 * S :] = [math.hypot(rms, 1500.0) for rms in near[4 * S :]]

    assert list(range(4 * S, 6 * S)) == fired(echo, near, far, 0.0)


def test_a_fifth_of_the_first_2_s_is_above_the_gain() -> None:
    echo = learned([n / 1000 for n in range(100, 0, -1)])

    assert 0.081 == echo.gain


def test_what_is_not_heard_of_before_the_echo_sets_in_does_not_count() -> None:
    assert 0.1 == learned([0.0] * 15 + [0.1] * 5).gain


def test_an_echo_of_40_db_return_loss_is_heard_of() -> None:
    assert (0.01, 0.001) == (learned([0.0] * 19 + [0.01]).gain, learned([0.0] * 19 + [0.0099]).gain)


@pytest.mark.parametrize(
    ("share", "step"),
    [
        pytest.param(0.06, 1.03, id="above"),
        pytest.param(0.05, 0.9925, id="at it"),
        pytest.param(0.0, 0.9925, id="below"),
    ],
)
def test_after_2_s_the_steps_are_small(share: float, step: float) -> None:
    assert pytest.approx(0.05 * step) == learned([0.05] * 100 + [share]).gain


@pytest.mark.parametrize(
    ("shares", "gain"),
    [
        pytest.param([0.5] * 200, 0.15, id="never above"),
        pytest.param([0.0] * 200, 0.001, id="never below"),
        pytest.param([0.5] * 10, 0.15, id="nor at first"),
    ],
)
def test_the_gain_keeps_within_its_bounds(shares: list[float], gain: float) -> None:
    assert gain == learned(shares).gain


def test_nothing_is_learned_for_half_a_second_after_a_frame_that_fired() -> None:
    echo = learned([0.05] * 100)
    echo.hear(2000.0, 1000.0, 0.0, is_firing=True)
    for _ in range(25):
        echo.hear(100.0, 1000.0, 0.0, is_firing=False)
    assert 0.05 == echo.gain

    echo.hear(100.0, 1000.0, 0.0, is_firing=False)
    assert echo.gain > 0.05


def test_noise_is_no_echo() -> None:
    echo = EchoGain()
    for _ in range(20):
        echo.hear(300.0, 3000.0, 300.0, is_firing=False)
    assert 0.001 == echo.gain

    for _ in range(80):
        echo.hear(500.0, 4000.0, 300.0, is_firing=False)
    assert 0.1 == echo.gain


@pytest.mark.parametrize(
    ("far_rms", "gain"), [pytest.param(199.9, 0.08, id="quiet"), pytest.param(200.0, 0.001, id="loud")]
)
def test_a_quiet_far_end_teaches_nothing(far_rms: float, gain: float) -> None:
    echo = EchoGain()
    for _ in range(100):
        echo.hear(0.0, far_rms, 0.0, is_firing=False)

    assert gain == echo.gain


def test_the_limit_is_of_the_loudest_that_was_played_in_400_ms() -> None:
    echo = EchoGain()
    for far_rms in (2000.0, 1000.0, *[0.0] * 18):
        echo.hear(90.0, far_rms, 90.0, is_firing=True)
    assert (2000.0, 2.5 * 0.08 * 2000.0) == (echo.far_rms, echo.limit_rms(FACTOR))

    echo.hear(90.0, 0.0, 90.0, is_firing=True)
    assert 1000.0 == echo.far_rms

    echo.hear(90.0, 0.0, 90.0, is_firing=True)
    assert (0.0, 0.0) == (echo.far_rms, echo.limit_rms(FACTOR))


# What fires, and goes up and down with what was played


def sounded(near: list[float], far: list[float], gain: float = 0.001) -> EchoGain:
    """The tracker after a line all of which fired, for a gain that had been found far too low."""
    echo = EchoGain(gain=gain)
    for near_rms, far_rms in zip(near, far, strict=True):
        echo.hear(near_rms, far_rms, 20.0, is_firing=near_rms >= THRESHOLD_RMS)
    return echo


@pytest.mark.parametrize("late_ms", [60, 160, 300])
def test_echo_that_fires_is_known_by_its_shape_and_its_gain_is_learned(late_ms: int) -> None:
    far = far_speech(2)
    echo = sounded(echo_of(far, 20.0, late_ms), far)

    assert echo.is_match
    assert 0.06 <= echo.gain <= 0.11


def test_caller_who_fires_is_none_whatever_is_played_meanwhile() -> None:
    far = far_speech(2)
    caller = [1200.0 * abs(math.sin(0.41 * number + 1)) for number in range(len(far))]

    echo = sounded(caller, far)

    assert not echo.is_match
    assert 0.001 == echo.gain


def test_what_comes_back_louder_than_any_echo_is_none() -> None:
    far = far_speech(2)

    assert not sounded(echo_of(far, 10.0, 100), far).is_match


def test_nothing_is_compared_before_there_is_enough_of_it() -> None:
    far = far_speech(2)[:40]

    assert not sounded(echo_of(far, 20.0, 60), far).is_match


def test_match_is_over_when_nothing_has_fired_for_half_a_second() -> None:
    far = far_speech(2)
    echo = sounded(echo_of(far, 20.0, 100), far)

    for far_rms in far_speech(1)[:26]:
        echo.hear(20.0, far_rms, 20.0, is_firing=False)

    assert not echo.is_match
