"""How far a peer is ahead of the clock."""

from typing import Final

from callfsm.hearing.mulaw import FRAME_MS

_FRAMES_PER_S: Final = 1000 // FRAME_MS
_CAUGHT_UP_PER_S: Final = 2 * _FRAMES_PER_S
"""The clock counts twice: a line that was late sends faster than real time until it has caught up."""


class Pace:
    """A token bucket, in frames of 20 ms: what `ahead_s` of audio are, and twice as much for all that comes."""

    def __init__(self, ahead_s: float, at: float) -> None:
        self._most = ahead_s * _FRAMES_PER_S
        self._ahead: float = 0.0
        self._at = at

    def spend(self, frames: int, at: float) -> None:
        """Count what came at this time."""
        left = self._ahead - (at - self._at) * _CAUGHT_UP_PER_S
        self._ahead = frames + left if left > 0.0 else frames
        self._at = at

    @property
    def is_ahead(self) -> bool:
        """Whether more has come than may be heard."""
        return self._ahead > self._most

    @property
    def is_flood(self) -> bool:
        """Whether more has come than any line brings."""
        return self._ahead > 2 * self._most
