"""The numbers that Twilio gives to its messages, and what they say: which are missing, and which come late.

The messages come over one TCP connection, so a number that does not count up is the doing of whatever stands between
Twilio and us. Many simple clients send one number for all or none: a numbering must prove that it is one.
"""

from typing import Final

TRUSTED_STEPS: Final = 3
"""So often in a row, from the start, the numbers count up by one before they are trusted."""
MOST_LATE: Final = 25
"""More late messages in a row are no late messages: the numbers mean nothing."""
MOST_MISSING: Final = 1000
"""A gap is counted up to here: nobody's leap is to fill a counter."""
LATE: Final = -1
_MOST_DIGITS: Final = 18


def _number(value: object) -> int | None:
    if type(value) is str:
        return int(value) if value.isdecimal() and len(value) <= _MOST_DIGITS else None
    return value if type(value) is int else None


class Sequence:
    """The numbering of one stream. A duplicate and a message that others have overtaken are both late."""

    def __init__(self, first: object) -> None:
        self._next: int | None = None
        self._steps = 0
        self._late = 0
        self._unread = 0
        self._means_nothing = False
        self.take(first)

    def unread(self) -> None:
        """Note a message whose number could not be read: it may have had the next one."""
        self._unread += 1

    def take(self, value: object) -> int:
        """Return how many messages are missing before the one of this number, or LATE.

        A message that has no number is never late.
        """
        if self._means_nothing or (number := _number(value)) is None:
            return 0
        if number == self._next:
            self._next += 1
            self._late = self._unread = 0
            self._steps += 1
            return 0
        return self._out_of_order(number)

    def _out_of_order(self, number: int) -> int:
        if self._next is None:
            self._next = number + 1
            return 0
        gap, forgiven = number - self._next, self._unread
        if self._steps < TRUSTED_STEPS:
            self._means_nothing = not 0 < gap <= forgiven
        elif gap < 0:
            return self._is_late()
        self._next, self._late, self._unread = number + 1, 0, 0
        return 0 if self._means_nothing else min(max(gap - forgiven, 0), MOST_MISSING)

    def _is_late(self) -> int:
        self._late += 1
        self._means_nothing = self._late > MOST_LATE
        return 0 if self._means_nothing else LATE
