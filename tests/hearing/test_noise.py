"""The noise floor: it follows the line's noise and never the caller's speech."""

import math
from collections.abc import Iterable

import pytest

from callfsm.hearing.noise import WINDOW_FRAMES, NoiseFloor

S = 50
"""Frames in a second."""
WOBBLE = (0.94, 1.02, 1.07, 0.98, 0.9, 1.0, 1.1, 1.04, 0.96, 0.99)
"""What one frame of noise is to the next."""


def noise(level_rms: float, frames: int) -> list[float]:
    return [level_rms * WOBBLE[i % len(WOBBLE)] for i in range(frames)]


def unbroken(level_rms: float, frames: int, depth: float) -> list[float]:
    """Syllables, four a second and without a pause; between two the loudness falls to (1 - depth) of the level."""
    return [level_rms * (1 - depth + depth * abs(math.sin(0.251 * i))) for i in range(frames)]


def mixed(speech: Iterable[float], level_rms: float) -> list[float]:
    """Speech on a line with noise."""
    return [math.hypot(rms, level_rms * WOBBLE[i % len(WOBBLE)]) for i, rms in enumerate(speech)]


def talk(level_rms: float, seconds: int) -> list[float]:
    """Speech with natural pauses: 1.5 s of syllables, half a second of none."""
    phrase = [*unbroken(level_rms, 75, 0.95), *[0.0] * 25]
    return (phrase * (seconds // 2))[: seconds * S]


def track(floor: NoiseFloor, frames: Iterable[float]) -> list[float]:
    """What is tracked after each frame."""
    tracked = []
    for rms in frames:
        floor.hear(rms, is_masked=False)
        tracked.append(floor.noise_rms)
    return tracked


def settled(level_rms: float) -> NoiseFloor:
    """The floor of a line on which nothing but noise has been heard for 4 s."""
    floor = NoiseFloor()
    track(floor, noise(level_rms, 4 * S))
    return floor


def test_before_anything_was_heard() -> None:
    assert (0.0, False) == (NoiseFloor().noise_rms, NoiseFloor().is_known)


@pytest.mark.parametrize(
    ("frames", "tracked"),
    [
        pytest.param([90.0], 90.0, id="one"),
        pytest.param([90.0, 50.0], 50.0, id="two"),
        pytest.param([50.0, 40.0, 30.0, 20.0, 10.0], 10.0, id="five"),
        pytest.param([60.0, 50.0, 40.0, 30.0, 20.0, 10.0], 20.0, id="six"),
        pytest.param([float(n) for n in range(1, 102)], 21.0, id="a hundred and one"),
    ],
)
def test_a_window_that_is_not_full_says_the_20th_percentile_of_what_it_has(
    frames: list[float], tracked: float
) -> None:
    assert tracked == track(NoiseFloor(), frames)[-1]


def test_steady_noise_is_tracked_a_little_below_its_mean() -> None:
    assert pytest.approx(100.0, rel=0.06) == settled(100.0).noise_rms


@pytest.mark.parametrize(
    ("line_rms", "level_rms"),
    [
        (10.0, 150.0), (10.0, 400.0), (10.0, 8000.0), (60.0, 300.0), (60.0, 1500.0), (100.0, 400.0), (100.0, 8000.0),
    ],
)  # fmt: skip
@pytest.mark.parametrize("depth", [0.7, 0.95])
def test_unbroken_speech_is_not_absorbed(line_rms: float, level_rms: float, depth: float) -> None:
    tracked = track(settled(line_rms), mixed(unbroken(level_rms, 20 * S, depth), line_rms))

    assert max(tracked) <= 1.07 * line_rms


@pytest.mark.parametrize("level_rms", [150.0, 400.0, 1500.0, 8000.0])
def test_a_caller_who_speaks_all_the_time_is_not_absorbed(level_rms: float) -> None:
    tracked = track(settled(60.0), mixed(talk(level_rms, 60), 60.0))

    assert pytest.approx(60.0, rel=0.1) == max(tracked)


@pytest.mark.parametrize("level_rms", [400.0, 1500.0])
def test_speech_from_the_first_frame_is_not_taken_for_a_noise_that_is_known(level_rms: float) -> None:
    floor = NoiseFloor()
    track(floor, mixed(unbroken(level_rms, 4 * S, 0.95), 60.0))
    assert not floor.is_known

    track(floor, noise(60.0, 4 * S))
    assert floor.is_known
    assert pytest.approx(60.0, rel=0.07) == floor.noise_rms


@pytest.mark.parametrize("frames", [74, 75])
def test_a_steady_second_and_a_half_is_known(frames: int) -> None:
    floor = NoiseFloor()
    track(floor, noise(300.0, frames))

    assert (frames == 75) == floor.is_known


@pytest.mark.parametrize("level_rms", [150.0, 250.0, 400.0])
@pytest.mark.parametrize("line_rms", [0.0, 20.0, 80.0])
def test_noise_that_sets_in_is_followed_within_4_s(line_rms: float, level_rms: float) -> None:
    tracked = track(settled(line_rms), noise(level_rms, 4 * S))

    assert pytest.approx(line_rms, rel=0.1) == tracked[2 * S]
    assert pytest.approx(level_rms, rel=0.1) == tracked[-1]


def test_noise_that_is_as_uneven_as_the_babble_of_many_is_followed() -> None:
    uneven = [300.0 * share for share in (0.7, 1.2, 0.9, 0.8, 1.25, 0.85, 1.1, 1.3, 1.0, 0.82)] * 20

    assert pytest.approx(240.0) == track(settled(60.0), uneven)[-1]


@pytest.mark.parametrize("level_rms", [150.0, 250.0, 400.0])
def test_noise_that_ends_is_forgotten_within_1_s(level_rms: float) -> None:
    assert pytest.approx(40.0, rel=0.1) == track(settled(level_rms), noise(40.0, S))[-1]


def test_noise_that_sets_in_while_the_caller_speaks_is_followed_in_the_next_silence() -> None:
    floor = settled(50.0)
    assert track(floor, mixed(talk(2000.0, 20), 300.0))[-1] < 120.0

    assert pytest.approx(300.0, rel=0.1) == track(floor, noise(300.0, 4 * S))[-1]


def test_a_lost_packet_is_no_quiet_line() -> None:
    lossy = [0.0 if i % 10 == 3 else rms for i, rms in enumerate(noise(300.0, 8 * S))]

    assert min(track(settled(300.0), lossy)) > 250.0


def test_the_window_is_4_s() -> None:
    floor = NoiseFloor()
    track(floor, [10.0] * 40 + [100.0] * 160)
    assert (200, 10.0) == (WINDOW_FRAMES, floor.noise_rms)

    assert [100.0] == track(floor, [100.0])


@pytest.mark.parametrize(
    ("rms", "learned"),
    [
        pytest.param(199.9, True, id="under twice the track"),
        pytest.param(200.0, False, id="twice the track"),
        pytest.param(3000.0, False, id="echo"),
        pytest.param(20.0, True, id="quieter"),
    ],
)
def test_what_is_learned_while_the_far_end_is_loud(rms: float, learned: bool) -> None:
    floor = NoiseFloor()
    track(floor, [100.0] * WINDOW_FRAMES)
    for _ in range(WINDOW_FRAMES):
        floor.hear(rms, is_masked=True)

    assert (rms if learned else 100.0) == floor.noise_rms


def test_the_low_level_is_no_single_frame() -> None:
    floor = NoiseFloor()
    track(floor, [0.0] * 3 + [90.0] * 197)

    assert (90.0, True) == (floor.low_rms, floor.is_steady)
