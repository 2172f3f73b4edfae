"""The earpiece: audio and marks come out in order, at the line's pace, whatever the moment they went in."""

import pytest

from callfsm.sim.earpiece import SILENCE, Earpiece, Heard, Moment

SOUND, MARK, QUIET = Heard.SOUND, Heard.MARK, Heard.QUIET


def test_audio_and_marks_come_out_in_order_with_the_silence_between() -> None:
    ear = Earpiece()
    assert ear.advance(100) == []
    for queued in (b"a" * 80, "first", b"b" * 40, "second"):
        ear.put(queued)

    assert ear.advance(150) == [Moment(100, SOUND)]
    assert ear.advance(400) == [Moment(180, MARK, "first"), Moment(220, MARK, "second"), Moment(220, QUIET)]
    assert bytes(ear.recording) == SILENCE * 100 + b"a" * 80 + b"b" * 40 + SILENCE * 180


@pytest.mark.parametrize(
    ("queued", "moments"),
    [
        pytest.param([], [], id="silence"),
        pytest.param([b""], [], id="empty audio"),
        pytest.param(["m"], [Moment(0, MARK, "m")], id="a mark with nothing before it, at once"),
        pytest.param([b"a" * 160], [Moment(0, SOUND)], id="audio to the very end"),
        pytest.param([b"a" * 160, "m"], [Moment(0, SOUND), Moment(160, MARK, "m")], id="a mark at the end"),
        pytest.param([b"a" * 161, "m"], [Moment(0, SOUND)], id="a mark just ahead"),
    ],
)
def test_a_frame_of_time(queued: list[bytes | str], moments: list[Moment]) -> None:
    ear = Earpiece()
    for audio_or_mark in queued:
        ear.put(audio_or_mark)

    assert ear.advance(160) == moments


def test_a_clear_silences_at_once_and_returns_every_pending_mark() -> None:
    ear = Earpiece()
    for queued in (b"a" * 800, "first", b"b" * 800, "second"):
        ear.put(queued)
    ear.advance(160)

    assert ear.heard_ms == 20
    assert ear.clear() == [Moment(160, QUIET), Moment(160, MARK, "first"), Moment(160, MARK, "second")]
    assert ear.heard_ms == 0
    assert ear.advance(320) == []
    assert bytes(ear.recording) == b"a" * 160 + SILENCE * 160


def test_a_clear_of_nothing_returns_nothing() -> None:
    assert Earpiece().clear() == []
