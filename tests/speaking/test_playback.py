"""What the caller has heard: by the marks, and between them by the clock."""

import pytest

from callfsm.speaking.playback import Heard, Mark, Piece, Playback, PlaybackPhase


def ms(count: int) -> bytes:
    return bytes(8 * count)


def playing(*, at: float = 1.0, count_ms: int = 1000) -> Playback:
    playback = Playback()
    list(playback.play(at, Piece("a1", ms(count_ms))))
    return playback


def confirm(playback: Playback, at: float, name: str) -> None:
    mark = playback.pending_mark(name)
    assert mark is not None
    playback.confirm(at, mark)


@pytest.mark.parametrize(
    ("count_ms", "pieces"),
    [
        pytest.param(0, "", id="nothing"),
        pytest.param(199, "199", id="less than a mark's distance"),
        pytest.param(200, "200 m1", id="a mark's distance"),
        pytest.param(201, "200 m1 1", id="a little more"),
        pytest.param(650, "200 m1 200 m2 200 m3 50", id="more marks"),
    ],
)
def test_a_mark_stands_behind_every_200_ms(count_ms: int, pieces: str) -> None:
    sent = [
        piece.name if isinstance(piece, Mark) else str(len(piece) // 8)
        for piece in Playback().play(1.0, Piece("a1", ms(count_ms)))
    ]

    assert pieces.split() == sent


def test_small_pieces_are_marked_together() -> None:
    playback = Playback()
    sent = [piece for _ in range(5) for piece in playback.play(1.0, Piece("a1", ms(90)))]

    assert [Mark(1, 270 * 8)] == [piece for piece in sent if isinstance(piece, Mark)]


def test_the_audio_goes_out_unchanged() -> None:
    audio = bytes(range(256)) * 20
    pieces = [piece for piece in Playback().play(1.0, Piece("a1", audio)) if isinstance(piece, bytes)]

    assert audio == b"".join(pieces)


def test_a_mark_stands_behind_the_last_byte_once() -> None:
    playback = playing(count_ms=250)

    assert [Mark(2, 2000)] == playback.last_marks(1.5)
    assert [] == playback.last_marks(1.5)


def test_no_mark_is_needed_behind_a_mark() -> None:
    assert [] == playing(count_ms=400).last_marks(1.5)


def test_names_are_never_used_again() -> None:
    playback = playing(count_ms=400)
    playback.stop(1.1)
    again = [piece.name for piece in playback.play(2.0, Piece("a2", ms(400))) if isinstance(piece, Mark)]

    assert ["m3", "m4"] == again
    assert playback.pending_mark("m1") is None


@pytest.mark.parametrize(
    ("at", "heard_ms"),
    [
        pytest.param(1.0, 0, id="at once"),
        pytest.param(1.125, 125, id="by the clock"),
        pytest.param(1.25, 200, id="no further than the next mark"),
        pytest.param(2.125, 200, id="which is late by less than a second"),
        pytest.param(2.25, 400, id="which is lost: up to the one behind it"),
        pytest.param(9.0, 1000, id="all are lost"),
    ],
)
def test_by_the_clock_no_further_than_the_next_mark(at: float, heard_ms: int) -> None:
    assert heard_ms * 8 == playing().heard(at)


@pytest.mark.parametrize(
    ("at", "heard_ms"),
    [
        pytest.param(1.5, 200, id="what the mark proves"),
        pytest.param(1.625, 325, id="and the clock since"),
        pytest.param(2.0, 400, id="up to the next"),
    ],
)
def test_a_mark_sets_the_clock(at: float, heard_ms: int) -> None:
    """It came half a second late: the line was slow, so that all that follows is late too."""
    playback = playing()
    confirm(playback, 1.5, "m1")

    assert heard_ms * 8 == playback.heard(at)
    assert 1.5 + 0.8 == playback.ends_at


def test_a_mark_proves_what_the_clock_had_not_reached() -> None:
    playback = playing()
    confirm(playback, 1.125, "m2")

    assert 400 * 8 == playback.heard(1.125)


def test_a_mark_stands_for_those_before_it() -> None:
    playback = playing()
    confirm(playback, 1.5, "m3")

    assert [None, None, None] == [playback.pending_mark(name) for name in ("m1", "m2", "m3")]
    assert [Mark(4, 6400), Mark(5, 8000)] == list(playback.marks)


def test_all_marked_is_all_heard_until_more_comes() -> None:
    playback = playing(count_ms=200)
    confirm(playback, 1.25, "m1")
    assert PlaybackPhase.HEARD is playback.phase

    list(playback.play(3.0, Piece("a1", ms(100))))
    assert (PlaybackPhase.PLAYING, 3.1, 1.0) == (playback.phase, playback.ends_at, playback.started_at)
    assert 1600 + 500 == playback.heard(3.0625)


def test_audio_follows_what_is_still_to_be_heard() -> None:
    playback = playing(count_ms=400)
    list(playback.play(1.125, Piece("a1", ms(400))))

    assert pytest.approx(1.8) == playback.ends_at
    assert 125 * 8 == playback.heard(1.125)


def test_what_was_heard_of_each_item() -> None:
    playback = Playback()
    for item, count in (("a1", 100), ("a2", 80), ("a3", 60)):
        list(playback.play(1.0, Piece(item, ms(count))))

    assert [Heard("a1", 800, 800), Heard("a2", 200, 640), Heard("a3", 0, 480)] == playback.stop(1.125)
    assert PlaybackPhase.IDLE is playback.phase


def test_what_was_held_back_was_not_heard() -> None:
    playback = Playback()
    playback.hold(Piece("a1", ms(100)))
    playback.hold(Piece("a1", ms(50)))

    assert PlaybackPhase.HELD is playback.phase
    assert [Heard("a1", 0, 800), Heard("a1", 0, 400)] == playback.stop(9.0)
    assert (PlaybackPhase.IDLE, []) == (playback.phase, playback.held)


def test_a_playback_that_never_began_can_be_stopped() -> None:
    playback = Playback()

    assert [] == playback.stop(1.0)
    assert PlaybackPhase.IDLE is playback.phase


def test_a_stopped_playback_begins_anew() -> None:
    playback = playing()
    playback.stop(1.5)
    list(playback.play(4.0, Piece("b1", ms(100))))

    assert (4.0, 4.1, 800) == (playback.started_at, playback.ends_at, playback.sent)
    assert [Heard("b1", 500, 800)] == playback.stop(4.0625)


def test_no_more_was_heard_than_was_sent() -> None:
    playback = playing(count_ms=100)

    assert 800 == playback.heard(99.0)
