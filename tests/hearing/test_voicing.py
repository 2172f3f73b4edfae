"""Voiced sound is told from noise and clicks."""

import numpy as np
import numpy.typing as npt
import pytest

from callfsm.hearing.mulaw import FRAME_BYTES, SAMPLE_RATE_HZ, decode, encode, rms
from callfsm.hearing.voicing import Voicing
from callfsm.sim import speech_files

SILENCE = b"\xff" * FRAME_BYTES
LOUD_RMS = 300.0


def frames(ulaw: bytes) -> list[bytes]:
    return [ulaw[at : at + FRAME_BYTES] for at in range(0, len(ulaw) - FRAME_BYTES + 1, FRAME_BYTES)]


def encoded(samples: npt.NDArray[np.float64]) -> bytes:
    return encode(samples.astype(np.int16))


def scores(ulaw: bytes) -> list[float]:
    """The score of each frame but the first, of which there is only half a window."""
    voicing = Voicing()
    return [voicing.measure(frame) for frame in frames(ulaw)][1:]


def vowel(pitch_hz: float, seconds: float, level: float = 3000.0) -> npt.NDArray[np.float64]:
    """A buzz at the pitch of a voice, each period of which rings and dies down."""
    since = np.arange(int(seconds * SAMPLE_RATE_HZ)) % (SAMPLE_RATE_HZ / pitch_hz)
    return np.asarray(level * np.exp(-since / 15) * np.cos(2 * np.pi * 700 * since / SAMPLE_RATE_HZ))


def white(seconds: float, level_rms: float, seed: int = 1) -> npt.NDArray[np.float64]:
    return np.random.default_rng(seed).normal(0.0, level_rms, int(seconds * SAMPLE_RATE_HZ))


def loud_scores(name: str, noise_db: float) -> list[float]:
    """The scores of a recording's loud frames, with so much white noise added to it."""
    clip = speech_files.load(name).ulaw
    noise = white(len(clip) / SAMPLE_RATE_HZ, rms(clip) * 10 ** (noise_db / 20))
    noisy = frames(encoded(np.clip(decode(clip) + noise, -32000, 32000)))
    voicing = Voicing()
    heard = [(voicing.measure(frame), rms(clean)) for frame, clean in zip(noisy, frames(clip), strict=True)]
    return [score for score, clean_rms in heard if clean_rms >= LOUD_RMS]


@pytest.mark.parametrize("pitch_hz", [72.0, 90.0, 120.0, 180.0, 250.0, 330.0, 395.0])
@pytest.mark.parametrize("level", [300.0, 3000.0, 30000.0])
def test_a_vowel_is_voiced_at_any_pitch_and_loudness(pitch_hz: float, level: float) -> None:
    assert min(scores(encoded(vowel(pitch_hz, 0.5, level)))) > 0.85


@pytest.mark.parametrize("pitch_hz", [72.0, 120.0, 250.0])
def test_a_vowel_is_voiced_in_noise_10_db_below_it(pitch_hz: float) -> None:
    clean = vowel(pitch_hz, 2.0)
    noisy = clean + white(2.0, float(np.sqrt(np.mean(clean**2))) / 10**0.5)

    assert np.percentile(scores(encoded(noisy)), 5) > 0.6


@pytest.mark.parametrize("fall", [0.2, 5.0], ids=["fades", "swells"])
def test_a_vowel_that_changes_its_loudness_is_voiced(fall: float) -> None:
    changing = vowel(80.0, 0.5, 2000.0) * fall ** (np.arange(4000) / 4000)

    assert min(scores(encoded(changing))) > 0.85


@pytest.mark.parametrize("level_rms", [20.0, 400.0, 5000.0])
def test_white_noise_is_not_voiced(level_rms: float) -> None:
    assert max(scores(encoded(white(20.0, level_rms)))) < 0.4


@pytest.mark.parametrize("width", [1, 4, 12])
@pytest.mark.parametrize("line_rms", [0.0, 3.0, 60.0])
def test_a_click_is_not_voiced_wherever_it_falls(width: int, line_rms: float) -> None:
    highest = 0.0
    for place in range(0, FRAME_BYTES, 7):
        samples = white(0.1, line_rms, seed=place)
        samples[FRAME_BYTES + place : FRAME_BYTES + place + width] += 12000.0 * np.exp(-np.arange(width) / 3)
        highest = max(highest, *scores(encoded(samples)))

    assert highest < 0.4


@pytest.mark.parametrize("code", [b"\xff", b"\x7f", b"\xfe", b"\x90"], ids=["zero", "other zero", "a step", "offset"])
def test_a_constant_is_not_voiced(code: bytes) -> None:
    assert [0.0, 0.0] == scores(code * FRAME_BYTES * 3)


def test_single_steps_on_an_idle_line_are_not_voiced() -> None:
    assert max(scores((b"\xfe" + b"\xff" * 79) * 10)) < 0.1


def test_mains_hum_is_not_voiced() -> None:
    """Its period is longer than that of any voice."""
    turns = 2 * np.pi * 50 * np.arange(8000) / SAMPLE_RATE_HZ
    hum = sum((np.sin(k * turns + k) / k for k in range(1, 12)), start=np.zeros(8000))

    assert max(scores(encoded(300 * hum))) < 0.4


@pytest.mark.parametrize(
    "name", ["en_human", "es_human", "ru_human", "he_question", "he_interrupt", "he_yes", "he_greeting"]
)
@pytest.mark.parametrize("noise_db", [-10.0, -40.0])
def test_most_of_recorded_speech_is_voiced(name: str, noise_db: float) -> None:
    """Consonants are not: so it is most of the loud frames, not all."""
    assert np.mean(np.array(loud_scores(name, noise_db)) >= 0.55) > 0.6


@pytest.mark.parametrize("name", ["click", "cough"])
def test_a_click_and_a_cough_are_not_voiced(name: str) -> None:
    assert max(loud_scores(name, -40.0)) < 0.4


def test_a_score_has_two_decimals_and_is_a_plain_number() -> None:
    score = scores(encoded(vowel(120.0, 0.1)))[0]

    assert score == round(score, 2)
    assert float is type(score)


def test_a_frame_that_is_skipped_is_heard_all_the_same() -> None:
    heard, skipped = Voicing(), Voicing()
    first, second, third = frames(encoded(vowel(75.0, 0.06)))
    heard.measure(first)
    heard.measure(second)
    skipped.skip(first)
    skipped.skip(second)

    assert heard.measure(third) == skipped.measure(third)
    assert heard.measure(SILENCE) != Voicing().measure(SILENCE)


def test_a_voice_is_there_with_its_second_frame() -> None:
    """The first has only silence before it."""
    voicing = Voicing()
    first, second = frames(encoded(vowel(75.0, 0.04)))

    assert voicing.measure(first) < voicing.measure(second)


def test_a_short_frame_and_none_are_heard() -> None:
    voicing = Voicing()
    for frame in frames(encoded(vowel(120.0, 0.06))):
        voicing.skip(frame)

    assert voicing.measure(b"") > 0.85
    assert voicing.measure(SILENCE[:8]) > 0.85
