"""How loud a reply is, place by place: what the caller is being played now, and where a word ends.

Places are bytes of mu-law from the reply's first byte, 8 a millisecond.
"""

from array import array
from typing import Final

from attrs import define, field

from callfsm.hearing.mulaw import BYTES_PER_MS, FRAME_BYTES, SAMPLE_RATE_HZ

BACK_BYTES: Final = 300 * BYTES_PER_MS
"""A reply that goes on begins so much before the place where the caller stopped hearing it."""
PAUSE_SEARCH_BYTES: Final = 1000 * BYTES_PER_MS
"""A pause between words is looked for no farther back than this, to begin there instead."""
_PAUSE_SHARE: Final = 0.1
"""A pause is less loud than this share of the loudest 20 ms that were searched."""


@define(eq=False)
class Levels:
    """The RMS of each 20 ms of a reply, and how far they have been listened to."""

    _ends: "array[int]" = field(factory=lambda: array("q"), repr=False)
    _rms: "array[int]" = field(factory=lambda: array("q"), repr=False)
    _next: int = 0
    """The first that has not been listened to, by the marks and the clock."""
    _next_by_clock: int = 0
    """The same, by the clock alone."""
    _ends_at: float = 0.0
    """When all that was sent will have been played, by the clock alone."""

    def add(self, start: int, levels_rms: tuple[int, ...], size: int) -> None:
        """Add those of a piece of so many bytes that begins at this place."""
        end = start + size
        for level in levels_rms:
            start = min(start + FRAME_BYTES, end)
            self._ends.append(start)
            self._rms.append(level)

    def loudest_to(self, place: int) -> int:
        """Return the loudest that began before this place and has not been listened to; 0 where there is none."""
        first, self._next = self._next, self._begun_at(place, self._next)
        return max(self._rms[first : self._next], default=0)

    def send(self, at: float, size: int) -> None:
        """Count so many bytes as sent: by the clock alone they are played behind what was sent before."""
        self._ends_at = max(self._ends_at, at) + size / SAMPLE_RATE_HZ

    def loudest_by_clock(self, at: float, sent: int) -> int:
        """Return the same by the clock alone, of a reply that has been sent up to this place."""
        place = sent - round(max(0.0, self._ends_at - at) * SAMPLE_RATE_HZ)
        first, self._next_by_clock = self._next_by_clock, self._begun_at(place, self._next_by_clock)
        return max(self._rms[first : self._next_by_clock], default=0)

    def _begun_at(self, place: int, first: int) -> int:
        ends = self._ends
        while first < len(ends) and ends[first] - FRAME_BYTES < place:
            first += 1
        return first

    def pause_before(self, place: int) -> int:
        """Return where to begin again before a place: at the end of the last pause, or a fixed time before it."""
        ends, rms = self._ends, self._rms
        last = len(ends)
        while last and ends[last - 1] > place:
            last -= 1
        first = last
        while first and ends[first - 1] > place - PAUSE_SEARCH_BYTES:
            first -= 1
        limit = max(rms[first:last], default=0) * _PAUSE_SHARE
        quiet = next((i for i in range(last - 1, first - 1, -1) if rms[i] < limit), None)
        return max(0, place - BACK_BYTES) if quiet is None else ends[quiet] - FRAME_BYTES // 2

    def stand_at(self, place: int) -> None:
        """Listen from this place on."""
        self._next = self._next_by_clock = next(
            (i for i, end in enumerate(self._ends) if end > place), len(self._ends)
        )

    def clear(self) -> None:
        """Forget the reply."""
        del self._ends[:], self._rms[:]
        self._next = self._next_by_clock = 0
        self._ends_at = 0.0

    def copy(self) -> "Levels":
        """Return another with the same levels."""
        return Levels(self._ends[:], self._rms[:], self._next, self._next_by_clock, self._ends_at)
