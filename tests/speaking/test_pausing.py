"""A reply that is stopped and goes on: what is kept, where it begins again, what the caller has heard in the end."""

from collections.abc import Iterable, Sequence

import pytest

from callfsm.speaking.playback import Heard, Mark, Piece, Playback, PlaybackPhase
from tests.calls import audio

SPOKEN = bytes(range(256)) * 32
"""1024 ms of audio, in which each place can be told from its neighbours."""


def audio_of(parts: Iterable[bytes | Mark]) -> bytes:
    return b"".join(part for part in parts if isinstance(part, bytes))


def marks_of(parts: Iterable[bytes | Mark]) -> list[Mark]:
    return [part for part in parts if isinstance(part, Mark)]


def playing(audio: bytes = SPOKEN, levels_rms: tuple[int, ...] = ()) -> Playback:
    """One item, sent at 1.0."""
    playback = Playback()
    list(playback.play(1.0, Piece("a1", audio, levels_rms)))
    return playback


def confirm(playback: Playback, at: float, name: str) -> None:
    mark = playback.pending_mark(name)
    assert mark is not None
    playback.confirm(at, mark)


def paused(*, heard_ms: int = 400) -> Playback:
    """Stopped when a mark has proven so much to be heard, a multiple of 200."""
    playback = playing()
    confirm(playback, 1.0 + heard_ms / 1000, f"m{heard_ms // 200}")
    playback.pause(1.0 + heard_ms / 1000)
    return playback


def test_what_was_received_is_kept() -> None:
    playback = paused()

    assert (PlaybackPhase.PAUSED, 8192, 3200) == (playback.phase, playback.received, playback.sent)


def test_nothing_can_be_heard_while_it_is_paused() -> None:
    playback = paused()

    assert not playback.is_audible
    assert 0 == playback.levels_rms(9.0)[0]
    assert 3200 == playback.heard(9.0)


def test_the_echo_of_a_mark_that_was_cleared_proves_nothing() -> None:
    playback = paused()

    assert [None] * 5 == [playback.pending_mark(f"m{number}") for number in range(1, 6)]


def test_a_place_between_the_marks_is_known_by_the_clock() -> None:
    playback = playing()
    confirm(playback, 1.5, "m1")
    playback.pause(1.5625)

    assert 1600 + 500 == playback.sent


@pytest.mark.parametrize(
    ("levels_rms", "begins"),
    [
        pytest.param((), 800, id="300 ms before, where nothing is known"),
        pytest.param((1000,) * 51, 800, id="300 ms before, where there is no pause"),
        pytest.param((1000,) * 10 + (0,) + (1000,) * 40, 10 * 160 + 80, id="in a pause"),
        pytest.param((0,) + (1000,) * 50, 80, id="in a pause farther back"),
        pytest.param((1000,) * 20 + (0,) + (1000,) * 30, 800, id="not in one that was not heard"),
    ],
)
def test_it_goes_on_a_little_earlier(levels_rms: tuple[int, ...], begins: int) -> None:
    playback = playing(levels_rms=levels_rms)
    confirm(playback, 1.4, "m2")
    playback.pause(1.4)

    assert SPOKEN[begins:] == audio_of(playback.resume(3.0))
    assert (PlaybackPhase.PLAYING, 8192) == (playback.phase, playback.sent)


def test_one_that_was_hardly_heard_begins_anew() -> None:
    playback = paused(heard_ms=200)

    assert SPOKEN == audio_of(playback.resume(3.0))


def test_it_goes_on_over_the_ends_of_pieces_and_items() -> None:
    """Three pieces of two items, 1000 bytes each, of which 2500 were heard: it begins in the first."""
    playback = Playback()
    for item, start in (("a1", 0), ("a1", 1000), ("a2", 2000)):
        list(playback.play(1.0, Piece(item, SPOKEN[start : start + 1000])))
    confirm(playback, 1.25, "m1")
    playback.pause(1.3125)

    assert SPOKEN[100:3000] == audio_of(playback.resume(3.0))
    assert [Heard("a1", 2000, 2000), Heard("a2", 500, 1000)] == playback.stop(3.0)


def test_the_marks_have_new_names_and_count_from_the_reply_s_first_byte() -> None:
    playback = paused()

    assert [Mark(6, 2400), Mark(7, 4000), Mark(8, 5600), Mark(9, 7200)] == marks_of(playback.resume(3.0))
    assert [Mark(10, 8192)] == playback.last_marks(3.0)


def test_the_grace_and_the_clock_begin_anew() -> None:
    playback = paused()
    list(playback.resume(3.0))

    assert (3.0, 3.0 + 924 / 1000) == (playback.started_at, playback.ends_at)
    assert [800, 1800, 2400] == [playback.heard(at) for at in (3.0, 3.125, 3.25)]
    confirm(playback, 3.25, "m7")
    assert 4000 == playback.heard(3.25)


def test_it_can_be_heard_to_its_end() -> None:
    playback = paused()
    list(playback.resume(3.0))
    playback.last_marks(3.0)
    assert not playback.is_all_heard(3.9)

    confirm(playback, 3.924, "m10")
    assert PlaybackPhase.HEARD is playback.phase
    assert playback.is_all_heard(3.924)
    assert [Heard("a1", 8192, 8192)] == playback.stop(3.924)


def test_what_was_heard_before_it_was_stopped_stays_heard() -> None:
    playback = paused()
    list(playback.resume(3.0))
    playback.pause(3.0625)
    assert 800 + 500 == playback.sent

    assert [Heard("a1", 3200, 8192)] == playback.stop(3.0625)


@pytest.mark.parametrize(
    ("marked", "at", "begins"),
    [
        pytest.param((), 3.0625, 2400 + 500, id="less than 120 ms were heard: where it was stopped"),
        pytest.param((), 3.125, 2400 + 960, id="more than 120 ms: 120 ms later than the first time"),
        pytest.param(((3.5, "m7"),), 3.5625, 5600 + 500 - 2400, id="more than 420 ms: 300 ms before, as ever"),
    ],
)
def test_stopped_twice_it_gets_on(marked: Sequence[tuple[float, str]], at: float, begins: int) -> None:
    """It went on for the first time at byte 2400."""
    playback = paused(heard_ms=600)
    list(playback.resume(3.0))
    for time, name in marked:
        confirm(playback, time, name)
    playback.pause(at)

    assert SPOKEN[begins:] == audio_of(playback.resume(4.0))


def test_stopped_twice_it_gets_on_though_a_pause_lies_farther_back() -> None:
    """The one pause is where it went on the first time."""
    playback = playing(levels_rms=(1000,) * 10 + (0,) + (1000,) * 40)
    confirm(playback, 1.4, "m2")
    playback.pause(1.4)
    assert SPOKEN[1680:] == audio_of(playback.resume(3.0))

    confirm(playback, 3.25, "m6")
    playback.pause(3.25)
    assert SPOKEN[1680 + 960 :] == audio_of(playback.resume(4.0))


def test_how_often_it_was_stopped_does_not_count_for_the_next_reply() -> None:
    playback = paused(heard_ms=600)
    list(playback.resume(3.0))
    playback.stop(3.5)
    list(playback.play(4.0, Piece("b1", SPOKEN)))
    playback.pause(4.0625)

    assert SPOKEN == audio_of(playback.resume(5.0))


def test_audio_that_comes_while_it_is_paused_is_said_when_it_goes_on() -> None:
    playback = playing(SPOKEN[:4000])
    confirm(playback, 1.4, "m2")
    playback.pause(1.4)
    playback.keep(Piece("a1", SPOKEN[4000:6000], (300,) * 13))
    playback.keep(Piece("a2", SPOKEN[6000:]))

    assert (PlaybackPhase.PAUSED, 3200, 8192) == (playback.phase, playback.sent, playback.received)
    assert SPOKEN[800:] == audio_of(playback.resume(3.0))
    assert [Heard("a1", 3200, 6000), Heard("a2", 0, 2192)] == playback.stop(3.0)


def test_there_is_a_rest_while_something_has_not_been_heard() -> None:
    playback = playing(SPOKEN[:1600])
    known = [playback.has_rest]
    playback.pause(1.1)
    known.append(playback.has_rest)
    list(playback.resume(3.0))
    known.append(playback.has_rest)
    playback.pause(4.0)
    known.append(playback.has_rest)
    playback.keep(Piece("a1", SPOKEN[1600:1601]))

    assert [False, True, False, False, True] == [*known, playback.has_rest]


def test_all_that_was_sent_may_have_been_heard_when_it_is_stopped() -> None:
    playback = playing(SPOKEN[:1600])

    assert [False, True] == [playback.is_all_heard(at) for at in (1.1875, 1.25)]


def test_what_was_all_heard_once_is_all_heard_when_it_is_repeated() -> None:
    """It was stopped with its last byte; repeated in part, it is stopped once more, and nothing of it is missing."""
    playback = playing(SPOKEN[:1600])
    playback.pause(1.25)
    list(playback.resume(3.0))

    assert playback.is_all_heard(3.0)


def test_a_paused_reply_that_is_dropped_leaves_nothing_behind() -> None:
    playback = paused()
    assert [Heard("a1", 3200, 8192)] == playback.stop(2.0)
    list(playback.play(4.0, Piece("b1", SPOKEN[:800])))

    assert (800, 800, 500) == (playback.sent, playback.received, playback.heard(4.0625))
    assert [Heard("b1", 500, 800)] == playback.stop(4.0625)


def test_the_audio_of_the_last_two_seconds_is_enough() -> None:
    """Of a long reply, what was proven to be heard two seconds ago is forgotten, and the rest can be repeated."""
    playback = Playback()
    pieces = [bytes([number]) * 1600 for number in range(50)]
    for piece in pieces:
        list(playback.play(1.0, Piece("a1", piece)))
    confirm(playback, 9.0, "m40")
    assert 40 * 1600 - 16_000 - 1600 <= playback._kept[0][0]

    playback.pause(9.0)
    assert b"".join(pieces)[40 * 1600 - 2400 :] == audio_of(playback.resume(10.0))


# How loud it is


def test_the_level_is_that_of_what_is_being_played() -> None:
    playback = playing(levels_rms=(100, 900, 300, *[0] * 48))

    assert [100, 900, 300, 0] == [playback.levels_rms(at)[0] for at in (1.01, 1.03, 1.05, 1.07)]


def test_the_level_of_a_repeated_place_is_heard_again() -> None:
    playback = playing(levels_rms=(900,) * 51)
    confirm(playback, 1.4, "m2")
    assert 900 == playback.levels_rms(1.4)[0]
    playback.pause(1.4)
    list(playback.resume(3.0))

    assert [0, 900, 0] == [playback.levels_rms(at)[0] for at in (3.0, 3.01, 3.01)]


def test_the_level_of_the_next_reply_is_its_own() -> None:
    playback = playing(levels_rms=(900,) * 51)
    playback.stop(1.25)
    list(playback.play(4.0, Piece("b1", SPOKEN[:320], (100, 300))))

    assert [100, 300] == [playback.levels_rms(at)[0] for at in (4.01, 4.03)]


def test_a_reply_that_is_over_is_silent() -> None:
    playback = playing(levels_rms=(900,) * 51)
    playback.stop(1.25)

    assert 0 == playback.levels_rms(9.0)[0]


def test_without_marks_the_level_goes_on_by_the_clock() -> None:
    """A mark that does not come holds the estimate of what was heard; the echo does not wait for it."""
    playback = Playback()
    list(playback.play(1.0, Piece("a1", audio(800), (100,) * 30 + (900,) * 10)))

    assert [100, 100, 900] == [playback.levels_rms(at)[1] for at in (1.1, 1.5, 1.7)]
    assert 0 == playback.levels_rms(1.75)[0]


def test_level_by_the_clock_begins_anew_where_the_reply_goes_on() -> None:
    playback = Playback()
    list(playback.play(1.0, Piece("a1", audio(400), (100,) * 10 + (900,) * 10)))
    playback.pause(1.1)
    list(playback.resume(3.0))

    assert [100, 900] == [playback.levels_rms(at)[1] for at in (3.1, 3.3)]
