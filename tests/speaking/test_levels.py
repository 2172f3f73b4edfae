"""How loud a reply is at each place: what is being played, and where a pause between words is."""

import pytest

from callfsm.speaking.levels import Levels

FRAME = 160
"""Bytes of 20 ms."""


def levels(*rms: int, start: int = 0) -> Levels:
    """Whole frames of these loudnesses, one behind the other."""
    known = Levels()
    known.add(start, rms, len(rms) * FRAME)
    return known


# What is being played


@pytest.mark.parametrize(
    ("place", "loudest"),
    [
        pytest.param(0, 0, id="nothing has begun"),
        pytest.param(1, 100, id="the first has begun"),
        pytest.param(160, 100, id="the first is over, the second has not begun"),
        pytest.param(161, 900, id="the second has begun"),
        pytest.param(480, 900, id="the loudest of three"),
        pytest.param(9999, 900, id="all are over"),
    ],
)
def test_the_loudest_that_has_begun(place: int, loudest: int) -> None:
    assert loudest == levels(100, 900, 200).loudest_to(place)


def test_each_is_listened_to_once() -> None:
    known = levels(100, 900, 200, 300)

    assert [900, 0, 200, 300, 0] == [known.loudest_to(place) for place in (200, 320, 321, 640, 640)]


def test_more_follows_what_has_been_listened_to() -> None:
    known = levels(100)
    known.loudest_to(160)
    known.add(160, (500,), FRAME)

    assert 500 == known.loudest_to(320)


def test_the_last_of_a_piece_may_be_shorter() -> None:
    """A piece of a frame and a half: what follows begins where it ends."""
    known = Levels()
    known.add(0, (100, 200), 240)
    known.add(240, (900,), FRAME)

    assert [200, 0, 900] == [known.loudest_to(place) for place in (240, 240, 241)]


def test_from_a_place_on_it_is_listened_to_again() -> None:
    known = levels(900, 100, 200)
    known.loudest_to(480)
    known.stand_at(160)

    assert 200 == known.loudest_to(480)


def test_where_it_stands_within_a_frame_that_frame_is_listened_to() -> None:
    known = levels(900, 100)
    known.stand_at(159)

    assert 900 == known.loudest_to(480)


def test_behind_the_end_there_is_nothing() -> None:
    known = levels(900)
    known.stand_at(160)

    assert 0 == known.loudest_to(9999)


# Where to begin again


@pytest.mark.parametrize(
    ("rms", "place", "begins"),
    [
        pytest.param([1000] * 100, 100 * FRAME, 85 * FRAME, id="no pause: 300 ms before"),
        pytest.param([1000] * 10, 10 * FRAME, 0, id="no pause, and less than 300 ms: the beginning"),
        pytest.param([1000, 0, *[1000] * 3], 5 * FRAME, FRAME * 3 // 2, id="the middle of the pause"),
        pytest.param([1000, 0, 0, 1000], 4 * FRAME, FRAME * 5 // 2, id="the end of a long pause"),
        pytest.param([0, 1000, 0, 1000], 4 * FRAME, FRAME * 5 // 2, id="the last of two"),
        pytest.param([1000, 99, 1000], 3 * FRAME, FRAME * 3 // 2, id="less than a tenth of the loudest"),
        pytest.param([*[1000] * 20, 100, 1000], 22 * FRAME, 7 * FRAME, id="a tenth of the loudest is no pause"),
        pytest.param([1000, 1000, 0], 2 * FRAME, 0, id="a pause that has not been heard"),
        pytest.param([1000, 0, 1000, 1000], 2 * FRAME, FRAME * 3 // 2, id="within the pause"),
        pytest.param([0, *[1000] * 49], 50 * FRAME, FRAME // 2, id="a pause of a second ago"),
        pytest.param([0, *[1000] * 50], 51 * FRAME, 36 * FRAME, id="a pause of more than a second ago"),
        pytest.param([], 0, 0, id="nothing was said"),
        pytest.param([], 100 * FRAME, 85 * FRAME, id="of which nothing is known"),
        pytest.param([0, 0, 0], 3 * FRAME, 0, id="silence is all there was"),
    ],
)
def test_where_it_goes_on(rms: list[int], place: int, begins: int) -> None:
    assert begins == levels(*rms).pause_before(place)


def test_a_pause_of_another_piece() -> None:
    """The places are those of the reply, not of the piece; a piece need not end with a frame."""
    known = Levels()
    known.add(0, (1000, 1000), 200)
    known.add(200, (0, 1000), 2 * FRAME)

    assert 280 == known.pause_before(520)


# The end of the reply


def test_a_reply_that_is_over_is_forgotten() -> None:
    known = levels(900, 100)
    known.loudest_to(480)
    known.clear()
    known.add(0, (300,), FRAME)

    assert 300 == known.loudest_to(160)
    assert 0 == known.pause_before(160)


def test_a_copy_goes_its_own_way() -> None:
    known = levels(100, 900)
    known.loudest_to(160)
    other = known.copy()
    known.add(320, (2000,), FRAME)

    assert [2000, 900] == [which.loudest_to(480) for which in (known, other)]
