"""Checks of the labels: a line written by hand, with one utterance and one reply of even loudness.

The line: 12 s; the assistant speaks from 4 to 8 s; the caller speaks for 1 s, at an RMS of 1000.
"""

from typing import Final

import numpy as np
from attrs import evolve

from .labels import Case, Noise, Speech
from .levels import PER_MS, Samples, telephone
from .marking import marked
from .mix import Tracks
from .noises import white
from .script import Line, Placed, Pool, Script

LENGTH_MS: Final = 12_000
REPLY_MS: Final = 4000
SPEECH_RMS: Final = 1000.0
LINE: Final = Line("noise", "en", -30.0, -20.0, Noise("white", 40.0, 0), None, -90.0)


def case(at_ms: float, *, noise_rms: float = 40.0, echo_rms: float = 0.0, tail_rms: float = 0.0) -> Case:
    """Return the labels where the caller begins here; a tail is 200 ms of weaker speech after the utterance."""
    rng = np.random.default_rng(1)
    count = LENGTH_MS * PER_MS
    said = np.concatenate([white(rng, 1000 * PER_MS, SPEECH_RMS), tail_rms * white(rng, 200 * PER_MS, 1.0)])
    spoken = Placed(round(at_ms * PER_MS), said, "en/hand", "en")
    reply = Placed(REPLY_MS * PER_MS, white(rng, 4000 * PER_MS, 3000.0), "assistant/hand")
    line = evolve(LINE, noise=evolve(LINE.noise, rms=noise_rms))
    script = Script(rng, Pool({}, {}, []), line, caller=[spoken], far=[reply])
    caller, far = _on_track(spoken, count), _on_track(reply, count)
    noise, echo = white(rng, count, noise_rms), echo_rms * white(rng, count, 1.0)
    near, _ = telephone(caller + noise + echo)
    without, _ = telephone(caller + noise)
    return marked(script, Tracks(caller, far, echo, noise, telephone(far)[0], near, without, None), "by-hand", "tune")


def _on_track(placed: Placed, count: int) -> Samples:
    return np.concatenate([np.zeros(placed.at), placed.samples, np.zeros(count - placed.end)])


def _speech(labels: Case) -> Speech:
    (speech,) = labels.speech
    return speech


def speech_lies_where_its_energy_is() -> None:
    """Speech from 5003 to 6003 ms lies in the frames from 5000 to 6020: those that hold a tenth of its level."""
    speech = _speech(case(5003))
    assert (speech.onset_ms, speech.offset_ms) == (5000, 6020)
    assert abs(speech.level_dbfs - -30.3) < 0.3
    assert _speech(case(5019.9)).onset_ms == 5020
    assert [reply.onset_ms for reply in case(5003).assistant] == [REPLY_MS]
    assert [reply.offset_ms for reply in case(5003).assistant] == [8000]


def interruption_begins_after_the_grace_and_before_the_end() -> None:
    """Speech interrupts from 320 ms of a reply on, and as long as the reply lasts."""
    begins = (REPLY_MS - 500, REPLY_MS + 300, REPLY_MS + 320, 7980, 8000)
    assert [_speech(case(at_ms)).is_interruption for at_ms in begins] == [False, False, True, True, False]


def recall_counts_from_10_db_over_noise_and_6_over_echo() -> None:
    """Speech at 10.5 dB over the noise counts, at 9.5 it does not; so it is at 6.5 and 5.5 dB over the echo."""
    by_noise = [_speech(case(5000, noise_rms=SPEECH_RMS / 10 ** (db / 20))) for db in (10.5, 9.5)]
    assert [speech.counts for speech in by_noise] == [True, False]
    assert [abs((speech.snr_db or 0) - db) < 0.3 for speech, db in zip(by_noise, (10.5, 9.5), strict=True)] == [
        True
    ] * 2
    by_echo = [_speech(case(5000, echo_rms=SPEECH_RMS / 10 ** (db / 20))) for db in (6.5, 5.5)]
    assert [speech.counts for speech in by_echo] == [True, False]
    assert _speech(case(5000)).echo_db is None


def weak_frames_are_speech_below_the_threshold() -> None:
    """A tail below the line's threshold is weak, as far as it is speech; one above it is not."""
    labels = case(5000, noise_rms=80.0, tail_rms=115.0)
    assert 135 < labels.threshold_rms < 145
    assert _speech(labels).frames == "s" * 50 + "w" * 10
    assert _speech(labels).offset_ms == 6200
    assert _speech(case(5000, noise_rms=80.0, tail_rms=200.0)).frames == "s" * 60
    assert _speech(case(5000, noise_rms=80.0, tail_rms=50.0)).offset_ms == 6000


def steady_noise_keeps_away_from_speech() -> None:
    """Steady are the time after the calibration up to 400 ms before anybody speaks, and from 1 s after that on."""
    assert [(span.onset_ms, span.offset_ms) for span in case(5000).steady] == [(2000, 3600), (9000, 12_000)]


CHECKS: Final = (
    speech_lies_where_its_energy_is,
    interruption_begins_after_the_grace_and_before_the_end,
    recall_counts_from_10_db_over_noise_and_6_over_echo,
    weak_frames_are_speech_below_the_threshold,
    steady_noise_keeps_away_from_speech,
)
