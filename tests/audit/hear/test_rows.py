"""Recordings through the gate: real speech, clicks, noise, and what the caller was being played."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import callfsm.sim
from callfsm.audit.hear.rows import Row, replies_of, rows, values
from callfsm.audit.replay.settings import changed_config
from callfsm.config import Config
from callfsm.hearing.calibration import noise_floor, speech_threshold
from callfsm.hearing.mulaw import FRAME_BYTES, decode, encode, levels_rms, rms
from callfsm.hearing.wav import read_wav

SPEECH = Path(callfsm.sim.__file__).parent / "speech"
QUESTION = read_wav(SPEECH / "he_question.wav")
ANSWER = read_wav(SPEECH / "he_reply_hours.wav")
RANDOM = np.random.default_rng(1)


def noise(ms: int, loudness_rms: float) -> bytes:
    return encode((RANDOM.standard_normal(8 * ms) * loudness_rms).astype(np.int16))


def mixed(*tracks: bytes) -> bytes:
    whole = np.sum([decode(track).astype(np.int32) for track in tracks], axis=0)
    return encode(np.clip(whole, -32768, 32767).astype(np.int16))


def placed(sound: bytes, at_ms: int, length_ms: int) -> bytes:
    """A sound in silence."""
    return (b"\xff" * 8 * at_ms + sound).ljust(8 * length_ms, b"\xff")[: 8 * length_ms]


def times_ms(heard: Sequence[Row], what: str) -> list[int]:
    return [row.at_ms for row in heard if getattr(row, what)]


LINE = noise(12_000, 30.0)
PLAYED = placed(ANSWER, 3000, 12_000)
"""The assistant speaks from 3 s on."""


def test_nobody_on_a_quiet_line_is_sent_nothing() -> None:
    heard = rows(LINE)

    measured = noise_floor([row.rms for row in heard[:75]], Config().gate)
    assert len(heard) == 600
    assert [] == times_ms(heard, "sent") == times_ms(heard, "stopped")
    assert {speech_threshold(measured, Config().gate)} == {row.limit for row in heard[75:]}


def test_rms_is_that_of_each_frame_on_its_own() -> None:
    heard = rows(mixed(LINE, placed(QUESTION, 2000, 12_000)))

    assert [rms(LINE[:FRAME_BYTES])] == [heard[0].rms]
    assert max(row.rms for row in heard) > 1000


def test_speech_is_sent_with_what_stands_ahead_of_it() -> None:
    near = mixed(LINE, placed(QUESTION, 2000, 12_000))
    heard = rows(near)

    first_loud = next(row.at_ms for row in heard if row.rms >= row.limit)
    assert 2000 <= first_loud <= 2300
    assert first_loud - 300 == times_ms(heard, "sent")[0]


def test_speech_over_the_assistant_stops_it_at_once_and_is_confirmed() -> None:
    heard = rows(mixed(LINE, placed(QUESTION, 6000, 12_000)), PLAYED)

    first_loud = next(row.at_ms for row in heard if row.at_ms >= 6000 and row.rms >= row.limit)
    assert [first_loud] == times_ms(heard, "stopped")[:1]
    assert first_loud < times_ms(heard, "confirmed")[0] <= first_loud + 400
    assert [] == times_ms(heard, "resumed")


def test_click_over_the_assistant_stops_it_and_it_goes_on_within_700_ms() -> None:
    click = encode((RANDOM.standard_normal(8 * 20) * 6000).astype(np.int16))
    heard = rows(mixed(LINE, placed(click, 6000, 12_000)), PLAYED)

    assert [6000] == times_ms(heard, "stopped")
    assert [6600] == times_ms(heard, "resumed")
    assert [] == times_ms(heard, "confirmed")


def test_assistant_itself_is_no_interruption_where_it_comes_back() -> None:
    """An echo 23 dB weaker, 120 ms late: the plain threshold lets it stop the assistant, the limit does not."""
    echo = encode((decode(placed(ANSWER, 3120, 12_000)) * 0.07).astype(np.int16))
    near = mixed(LINE, echo)

    assert times_ms(rows(near, PLAYED, changed_config(Config(), ["gate.echo_factor=0"])), "stopped")
    assert [] == times_ms(rows(near, PLAYED), "stopped")


@pytest.mark.parametrize("loudness_rms", [150, 200, 300, 400])
def test_gate_does_not_stand_open_in_steady_noise(loudness_rms: int) -> None:
    heard = rows(noise(15_000, loudness_rms))

    assert [] == [row.at_ms for row in heard[5000 // 20 :] if row.sent]


def test_bare_rule_stands_open_there() -> None:
    bare = ["gate.follow_factor=0", "gate.echo_factor=0", "gate.preroll_ms=0", "gate.hangover_ms=0"]

    assert all(row.sent for row in rows(noise(15_000, 300), config=changed_config(Config(), bare))[75:])


def test_loop_may_be_closed_so_that_an_assistant_who_was_stopped_sends_no_echo() -> None:
    loud_echo = encode((decode(placed(ANSWER, 3100, 12_000)) * 0.5).astype(np.int16))
    near = mixed(LINE, loud_echo)

    opened, closed = rows(near, PLAYED), rows(near, PLAYED, line=LINE)

    assert times_ms(opened, "stopped")[0] == times_ms(closed, "stopped")[0]
    assert max(row.rms for row in closed) < max(row.rms for row in opened)


def test_replies_are_what_is_loud_with_pauses_within_them() -> None:
    played = placed(noise(500, 2000), 1000, 2000) + placed(noise(500, 2000), 100, 1700) + noise(500, 2000)

    assert [(50, 130), (185, 210)] == replies_of(levels_rms(played))


def test_values_are_those_of_a_line_of_json() -> None:
    names = ["at_ms", "rms", "limit", "sent", "stopped", "confirmed", "resumed"]

    assert names == list(next(values(rows(LINE))))


def test_same_recording_has_the_same_rows() -> None:
    near = mixed(LINE, placed(QUESTION, 6000, 12_000))

    assert rows(near, PLAYED) == rows(near, PLAYED)
