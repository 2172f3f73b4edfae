"""The numbers of Twilio's messages: which are missing, and which come late."""

from collections.abc import Sequence as Items

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callfsm.wire.sequence import LATE, MOST_LATE, MOST_MISSING, TRUSTED_STEPS, Sequence

CASES: list[tuple[str, list[object], list[int]]] = [
    ("in order", ["1", "2", "3", "4", "5"], [0, 0, 0, 0]),
    ("as numbers", [1, 2, 3, 4, 5], [0, 0, 0, 0]),
    ("from anywhere", ["70", "71", "72", "73", "72"], [0, 0, 0, LATE]),
    ("a start without a number", [None, "9", "10", "11", "12", "10"], [0, 0, 0, 0, LATE]),
    ("one missing", ["1", "2", "3", "4", "6", "7"], [0, 0, 0, 1, 0]),
    ("two missing, and they come", ["1", "2", "3", "4", "7", "5", "6", "8"], [0, 0, 0, 2, LATE, LATE, 0]),
    ("a duplicate", ["1", "2", "3", "4", "4", "5"], [0, 0, 0, LATE, 0]),
    ("the start again", ["1", "2", "3", "4", "1", "5"], [0, 0, 0, LATE, 0]),
    ("trusted after three steps", ["1", "2", "3", "4", "3"], [0, 0, 0, LATE]),
    ("and not after two", ["1", "2", "3", "2", "3", "4", "5", "2"], [0] * 7),
    ("constant", ["2"] * 8, [0] * 7),
    ("constant but for the start", ["1", "2", "2", "2", "2"], [0] * 4),
    ("by two", ["1", "3", "5", "7", "9", "3"], [0] * 5),
    ("downwards", ["9", "8", "7", "6", "9"], [0] * 4),
    ("none", [None] * 8, [0] * 7),
    ("some without", ["1", "2", None, "3", "4", None, "5", "4"], [0, 0, 0, 0, 0, 0, LATE]),
    ("no numbers", ["a", "", "1.5", "²", "+7", "9" * 5000, 1.5, True, [], {}], [0] * 9),
    ("a leap", ["1", "2", "3", "4", "9" * 18, "5"], [0, 0, 0, MOST_MISSING, LATE]),
]


@pytest.mark.parametrize(("numbers", "found"), [pytest.param(*c[1:], id=c[0]) for c in CASES])
def test_numbers_say_what_is_missing_and_what_is_late(numbers: list[object], found: list[int]) -> None:
    sequence = Sequence(numbers[0])

    assert [sequence.take(number) for number in numbers[1:]] == found


def trusted() -> Sequence:
    """A numbering that has come to 4 and is trusted."""
    sequence = Sequence("1")
    assert [sequence.take(number) for number in ("2", "3", "4")] == [0] * TRUSTED_STEPS
    return sequence


def test_numbers_that_are_only_late_mean_nothing_any_more() -> None:
    sequence = trusted()

    assert [sequence.take("1") for _ in range(MOST_LATE + 5)] == [LATE] * MOST_LATE + [0] * 5
    assert [sequence.take(number) for number in ("5", "5", "99", "1")] == [0] * 4


def test_one_good_number_ends_a_run_of_late_ones() -> None:
    sequence = trusted()
    found = [sequence.take(number) for number in [*["1"] * MOST_LATE, "5", *["1"] * MOST_LATE]]

    assert found == [*[LATE] * MOST_LATE, 0, *[LATE] * MOST_LATE]


def test_message_that_cannot_be_read_is_not_missing() -> None:
    sequence = trusted()
    sequence.unread()
    sequence.unread()

    assert [sequence.take(number) for number in ("7", "9")] == [0, 1]


def test_message_that_cannot_be_read_does_not_cost_the_trust() -> None:
    sequence = Sequence("1")
    sequence.unread()

    assert [sequence.take(number) for number in ("3", "4", "5", "6", "5")] == [0, 0, 0, 0, LATE]


@given(st.lists(st.integers(0, 60).map(str), max_size=80))
def test_nothing_trusted_is_heard_twice_or_out_of_order(numbers: Items[str]) -> None:
    sequence = trusted()
    heard = []
    for number in numbers:
        if sequence.take(number) != LATE:
            heard.append(int(number))
        if sequence._means_nothing:
            return

    assert heard == sorted(set(heard))
