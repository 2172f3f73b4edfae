"""Sounds that are nobody: the line's noise, and a click, a cough, a door.

Noises are n samples at the RMS asked for. Single sounds have lengths of their own and are as loud as their loudest
20 ms. All of it is computed; the same generator gives the same samples.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from callfsm.hearing.mulaw import SAMPLE_RATE_HZ

from .levels import FRAME, PER_MS, Samples, at_rms, frames_rms

Rng = np.random.Generator
Noise = Callable[[Rng, int, float], Samples]
Sound = Callable[[Rng, float], Samples]

MAINS_HZ: Final = 50
HARMONICS: Final = 24


def _shaped(rng: Rng, count: int, gain_at: Callable[[Samples], Samples]) -> Samples:
    """Return white noise after a filter that is given as its gain by frequency in Hz."""
    spectrum = np.fft.rfft(rng.standard_normal(count))
    hz = np.fft.rfftfreq(count, 1 / SAMPLE_RATE_HZ).astype(np.float64)
    return np.fft.irfft(spectrum * gain_at(hz), count)


def _band(low_hz: float, high_hz: float) -> Callable[[Samples], Samples]:
    """Return the gain of a band that falls off by 12 dB an octave on both sides."""
    return lambda hz: 1 / ((1 + (low_hz / np.maximum(hz, 1.0)) ** 2) * (1 + (hz / high_hz) ** 2))


def white(rng: Rng, count: int, level_rms: float) -> Samples:
    """Return hiss."""
    return at_rms(rng.standard_normal(count), level_rms)


def pink(rng: Rng, count: int, level_rms: float) -> Samples:
    """Return noise that falls by 3 dB an octave above 60 Hz."""
    return at_rms(_shaped(rng, count, lambda hz: 1 / np.sqrt(np.maximum(hz, 60.0))), level_rms)


def hum(rng: Rng, count: int, level_rms: float) -> Samples:
    """Return the mains with its harmonics and a little hiss."""
    at_s = np.arange(count) / SAMPLE_RATE_HZ
    total = 0.1 * rng.standard_normal(count)
    for harmonic in range(1, HARMONICS + 1):
        amplitude = rng.uniform(0.3, 1.0) / harmonic**0.7
        phase = rng.uniform(0, 2 * np.pi)
        total += amplitude * np.sin(2 * np.pi * MAINS_HZ * harmonic * at_s + phase)
    return at_rms(total, level_rms)


def ambience(rng: Rng, count: int, level_rms: float) -> Samples:
    """Return a room or a street: low noise that swells and sinks by some 6 dB within seconds."""
    slow = _shaped(rng, count, lambda hz: (hz < 0.7).astype(np.float64))
    swell_db = 4.0 * slow / max(float(np.std(slow)), 1e-12)
    return at_rms(_shaped(rng, count, _band(120, 900)) * 10 ** (np.clip(swell_db, -9, 9) / 20), level_rms)


def _loudest_at(samples: Samples, level_rms: float) -> Samples:
    """Return a sound whose loudest 20 ms have this RMS; a shorter one is taken as though silence followed it."""
    padded = np.concatenate([samples, np.zeros(-len(samples) % FRAME)])
    return samples * (level_rms / float(frames_rms(padded).max()))


def click(rng: Rng, level_rms: float) -> Samples:
    """Return 2 to 6 ms of a contact's crackle."""
    count = int(rng.integers(2, 7)) * PER_MS
    fall = np.exp(-np.arange(count) / (count / 4))
    return _loudest_at(rng.standard_normal(count) * fall, level_rms)


def cough(rng: Rng, level_rms: float) -> Samples:
    """Return 100 to 400 ms: a burst of air, a weaker stretch of it, and in half of them a voiced end.

    The three phases are those that studies of coughs tell apart. The voiced end is what makes it hard: for some
    tens of milliseconds it is as periodic as speech.
    """
    count = int(rng.integers(100, 401)) * PER_MS
    at = np.arange(count) / count
    attack = np.minimum(1.0, np.arange(count) / (4 * PER_MS))
    burst = np.exp(-at / 0.10)
    breath = 0.35 * np.exp(-(((at - 0.4) / 0.25) ** 2))
    air = _shaped(rng, count, _band(rng.uniform(300, 600), rng.uniform(1200, 2200)))
    total = at_rms(air, 1.0) * attack * (burst + breath)
    if rng.random() < 0.5:
        pitch_hz = np.linspace(rng.uniform(160, 300), rng.uniform(110, 160), count)
        phase = 2 * np.pi * np.cumsum(pitch_hz) / SAMPLE_RATE_HZ
        voice = sum((np.sin(k * phase) / k for k in range(1, 9)), np.zeros(count))
        total += 0.4 * voice * np.exp(-(((at - 0.8) / 0.12) ** 2)) * (1 - at**6)
    return _loudest_at(total, level_rms)


def slam(rng: Rng, level_rms: float) -> Samples:
    """Return a door: a hard onset, a low thud of 150 to 350 ms, and the latch a moment before or after."""
    count = int(rng.integers(150, 351)) * PER_MS
    at_s = np.arange(count) / SAMPLE_RATE_HZ
    thud = _shaped(rng, count, _band(60, rng.uniform(150, 300))) * np.exp(-at_s / rng.uniform(0.04, 0.09))
    crack = _shaped(rng, count, _band(400, 2500)) * np.exp(-at_s / 0.008)
    total = at_rms(thud, 1.0) + 0.6 * at_rms(crack, 1.0)
    latch_at = int(rng.integers(20, 90)) * PER_MS
    latch = click(rng, 1.0)
    total[latch_at : latch_at + len(latch)] += 0.15 * np.abs(total).max() / np.abs(latch).max() * latch
    return _loudest_at(total, level_rms)


STEADY: Final[Mapping[str, Noise]] = MappingProxyType({"white": white, "pink": pink, "hum": hum})
NOISES: Final[Mapping[str, Noise]] = MappingProxyType({**STEADY, "ambience": ambience})
SOUNDS: Final[Mapping[str, Sound]] = MappingProxyType({"click": click, "cough": cough, "burst": slam})
