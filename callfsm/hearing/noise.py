"""The noise of the line, followed through the call: a low percentile of what was heard lately."""

from bisect import bisect_left, insort
from collections import deque
from typing import Final

from attrs import define, field

from callfsm.hearing.mulaw import FRAME_MS

WINDOW_FRAMES: Final = 4000 // FRAME_MS
STEADY_RATIO: Final = 1.6
"""Noise is a window whose 80th percentile is at most so many times its 20th.

Measured over 4 s: white, pink and mains noise lie under 1.3, rumble under 1.5, the babble of eight at 1.5; real
speech without any pause lies over 1.7, mostly over 2.4, at any loudness 6 dB or more above the noise behind it.
"""
KNOWN_FRAMES: Final = 1500 // FRAME_MS
"""A steady window of fewer may be a vowel."""


@define(eq=False)
class NoiseFloor:
    """The noise of one line.

    It falls as soon as a fifth of the window is quieter. It rises only over a steady window: speech has a wide
    spread, whatever its loudness, and so the caller's own voice is never taken for the line, however long it goes
    on. Noise that sets in is followed when it fills four fifths of the window; while the caller speaks over it, it
    waits. A bounded rate of rise was the alternative: it absorbs long speech all the same, only later.

    Until a first steady window has been heard the percentile is all there is, and it may be the caller's.
    """

    noise_rms: float = 0.0
    """The tracked noise; 0.0 before anything was heard."""
    low_rms: float = 0.0
    """The 5th percentile of the window: nearly the lowest, but no single lost packet."""
    is_known: bool = False
    """There has been a steady window: what is tracked is the noise."""
    is_steady: bool = False
    """What was heard lately is noise, not speech."""
    _newest: deque[float] = field(factory=deque, repr=False)
    _sorted: list[float] = field(factory=list, repr=False)

    def hear(self, rms: float, *, is_masked: bool) -> None:
        """Hear a frame. While echo or a voice may mask the noise, only one under twice the track is learned."""
        if is_masked and rms >= 2 * self.noise_rms:
            return
        newest, ordered = self._newest, self._sorted
        if len(newest) == WINDOW_FRAMES:
            del ordered[bisect_left(ordered, newest.popleft())]
        newest.append(rms)
        insort(ordered, rms)

        last = len(ordered) - 1
        percentile_20 = ordered[last // 5]
        self.low_rms = ordered[last // 20]
        self.is_steady = is_steady = ordered[last * 4 // 5] <= STEADY_RATIO * percentile_20
        if is_steady and last + 1 >= KNOWN_FRAMES:
            self.is_known = True
        if is_steady or not self.is_known or percentile_20 < self.noise_rms:
            self.noise_rms = percentile_20
