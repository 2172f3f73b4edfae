"""How voiced a sound is: whether it repeats itself at the pitch of a human voice.

Noise, clicks and breath do not; vowels do, and so do tones, music and the assistant's own echo.
"""

import math
from typing import Final

import numpy as np
from attrs import define, field

from callfsm.hearing.mulaw import FRAME_BYTES, LINEAR, SAMPLE_RATE_HZ

LOWEST_PITCH_HZ: Final = 70
HIGHEST_PITCH_HZ: Final = 400

_WINDOW: Final = 2 * FRAME_BYTES
_LONGEST: Final = SAMPLE_RATE_HZ // LOWEST_PITCH_HZ
_SHORTEST: Final = SAMPLE_RATE_HZ // HIGHEST_PITCH_HZ
_LAGS: Final = _LONGEST - _SHORTEST + 1
_COMPARED: Final = _WINDOW - _LONGEST
_IDLE_ENERGY: Final = _COMPARED * 4.0**2
"""Added to both energies, so that a line of half a step of mu-law is not voiced."""
_SILENCE: Final = b"\xff" * _WINDOW
_SAMPLES: Final = LINEAR.astype(np.float64)


@define(eq=False)
class Voicing:
    """The newest 40 ms of a line, silence before its first frame."""

    _newest: bytes = field(default=_SILENCE, repr=False)

    def skip(self, ulaw: bytes) -> None:
        """Hear a frame of mu-law without measuring it."""
        self._newest = (self._newest + ulaw)[-_WINDOW:]

    def measure(self, ulaw: bytes) -> float:
        """Hear a frame of mu-law; return how voiced the newest 40 ms are, from 0.0 to 1.0 in steps of 0.01.

        It is the highest normalised correlation of the newest 26 ms with as much sound 2.5 to 14 ms earlier. Voiced
        speech is over 0.6, white noise and clicks are under 0.4.
        """
        self.skip(ulaw)
        samples = _SAMPLES.take(np.frombuffer(self._newest, np.uint8))
        # The mean of the part that all the others are compared with: with the mean of the whole, a click that lies
        # before that part would leave it a constant, and any two constants are alike.
        samples -= np.add.reduce(samples[_LONGEST:]) / _COMPARED
        # Each part is as long as the others and has its own energy, so that a long lag does not fall short. The first
        # product belongs to the longest lag.
        products = np.correlate(samples, samples[_LONGEST:], "valid")[:_LAGS]
        energy = np.add.accumulate(samples * samples)
        energies = energy[_COMPARED - 1 : _COMPARED - 1 + _LAGS].copy()
        energies[1:] -= energy[: _LAGS - 1]
        own = float(energy[-1] - energy[_LONGEST - 1]) + _IDLE_ENERGY
        highest = float(np.maximum.reduce(products / np.sqrt(energies + _IDLE_ENERGY)))
        return round(min(max(highest / math.sqrt(own), 0.0), 1.0), 2)
