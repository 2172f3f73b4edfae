"""The assistant's echo on the caller's line: how much of it comes back, and what may be no more than echo."""

import math
from bisect import insort
from collections import deque
from typing import Final

import numpy as np
from attrs import define, field

from callfsm.hearing.mulaw import FRAME_MS

ECHO_FRAMES: Final = 400 // FRAME_MS
"""Echo comes back within so long."""
FAR_LOUD_RMS: Final = 200.0
"""Below it the assistant's echo is lost in the noise of any line."""
HEARD_SHARE: Final = 0.01
"""An echo of less is none: 40 dB of return loss."""
START_GAIN: Final = 0.08
MIN_GAIN: Final = 0.001
MAX_GAIN: Final = 0.15
FIRST_FRAMES: Final = 2000 // FRAME_MS
FROZEN_FRAMES: Final = 500 // FRAME_MS
MATCH_FRAMES: Final = 500 // FRAME_MS
"""So much of the line is compared with what was played, at each delay of an echo."""
DELAY_FRAMES: Final = 320 // FRAME_MS
MATCH: Final = 0.85
"""From this correlation on the line's loudness goes up and down with what was played: it is the echo."""
MATCH_SHARE: Final = 0.7
"""A gain that is measured place by place is so much above one that is a quantile over the loudest of 400 ms."""
STEP_UP: Final = 1.03
STEP_DOWN: Final = 1 - 0.03 / 4
"""Four small steps down to each step up: the track rests where a fifth of the frames is above it."""


@define(eq=False)
class EchoGain:
    """How loud the assistant comes back, as a share of what the caller is played: 80 % of the frames are below it."""

    gain: float = START_GAIN
    far_rms: float = 0.0
    """The loudest 20 ms of the assistant that the caller was played in the last 400 ms."""
    is_match: bool = False
    """What fired lately is the echo: it is as loud as what was played, place by place, only later."""
    _far: deque[float] = field(factory=lambda: deque(maxlen=ECHO_FRAMES), repr=False)
    _played: deque[float] = field(factory=lambda: deque(maxlen=MATCH_FRAMES + DELAY_FRAMES), repr=False)
    _line: deque[float] = field(factory=lambda: deque(maxlen=MATCH_FRAMES), repr=False)
    _first: list[float] = field(factory=list, repr=False)
    """The shares of the first 2 s of far speech, in order of size, without those before the echo set in."""
    _far_frames: int = 0
    _frozen_frames: int = 0

    @property
    def is_far_loud(self) -> bool:
        """The assistant, or its echo, can be heard on the line."""
        return self.far_rms >= FAR_LOUD_RMS

    def hear(
        self,
        near_rms: float,
        far_rms: float,
        noise_rms: float,
        *,
        is_firing: bool,
        played_rms: float | None = None,
    ) -> None:
        """Hear a frame of the line, and the loudest 20 ms that the caller was played in its time (0.0: silence).

        Only what is above the noise can be echo. Nothing is learned for 500 ms after a frame that fired, that is, was
        at or above the limit: that is the caller, unless it matches what was played.
        """
        self._far.append(far_rms)
        self._played.append(far_rms if played_rms is None else played_rms)
        self.far_rms = far = max(self._far)
        power = near_rms * near_rms - noise_rms * noise_rms
        near = math.sqrt(power) if power > 0 else 0.0
        self._line.append(near)
        if is_firing:
            self._frozen_frames = FROZEN_FRAMES
        elif self._frozen_frames:
            self._frozen_frames -= 1
        elif far >= FAR_LOUD_RMS:
            self._learn(near / far)
        if self._frozen_frames and far >= FAR_LOUD_RMS:
            self._compare()
        else:
            self.is_match = False

    def _compare(self) -> None:
        """Compare what the line carried with what was played, at each delay of an echo; learn the gain where it fits.

        Loudness that follows the assistant's is its echo even where it is too loud to be one by the gain so far.
        """
        self.is_match = False
        if len(self._played) < MATCH_FRAMES + DELAY_FRAMES:
            return
        line, played = np.array(self._line), np.array(self._played)
        delayed = np.lib.stride_tricks.sliding_window_view(played, MATCH_FRAMES)
        deviation = delayed - delayed.mean(axis=1, keepdims=True)
        own = line - line.mean()
        power = np.einsum("ij,ij->i", deviation, deviation)
        product = deviation @ own
        correlation = product / np.sqrt(np.maximum(power * (own @ own), 1.0))
        best = int(correlation.argmax())
        gain = float(product[best] / max(power[best], 1.0))
        if correlation[best] >= MATCH and gain <= MAX_GAIN:
            self.is_match = True
            self.gain = max(self.gain, MATCH_SHARE * gain)

    def _learn(self, share: float) -> None:
        gain = self.gain
        heard = self._far_frames
        if heard < FIRST_FRAMES:
            # In the first 2 s the steps are as big as they can be: the gain is the quantile itself. It may not fall
            # before 400 ms, for an echo may not have come back until then; and as it then is zero where nothing came
            # back, a line without echo has its plain threshold at once. Steps of a fixed size cannot have both: those
            # that fall far enough in 500 ms have fallen below an echo that is 300 ms late, and swing under it later.
            self._far_frames = heard = heard + 1
            first = self._first
            if first or share >= HEARD_SHARE or heard > ECHO_FRAMES:
                insort(first, share)
            gain = first[len(first) * 4 // 5] if first else MIN_GAIN
            if heard < ECHO_FRAMES:
                gain = max(gain, START_GAIN)
        else:
            gain *= STEP_UP if share > gain else STEP_DOWN
        self.gain = min(max(gain, MIN_GAIN), MAX_GAIN)

    def limit_rms(self, factor: float) -> float:
        """Return the RMS that a frame must reach to be more than echo; 0.0 where nothing was played in 400 ms."""
        return factor * self.gain * self.far_rms
