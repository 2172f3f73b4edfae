"""Loudness: RMS on the scale of 16-bit linear PCM, and dBFS, where 0 is an RMS of 32768."""

import math
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from callfsm.hearing.mulaw import FRAME_MS, SAMPLE_RATE_HZ, decode, encode

Samples: TypeAlias = npt.NDArray[np.float64]

FULL_SCALE: Final = 32768
FRAME: Final = FRAME_MS * SAMPLE_RATE_HZ // 1000
PER_MS: Final = SAMPLE_RATE_HZ // 1000
SPEECH_SHARE: Final = 0.1
"""A 20 ms frame of a clean recording is speech from this share of the recording's level on."""


def rms_of(dbfs: float) -> float:
    """Return the RMS at a level in dBFS."""
    return FULL_SCALE * math.pow(10, dbfs / 20)


def dbfs_of(rms: float) -> float:
    """Return the level in dBFS of an RMS above 0."""
    return 20 * math.log10(rms / FULL_SCALE)


def ratio_db(rms: float, other_rms: float) -> float | None:
    """Return by how many dB the first is louder; None where there is no other, or no first."""
    return 20 * math.log10(rms / other_rms) if rms > 0 and other_rms > 0 else None


def frames_rms(samples: Samples) -> Samples:
    """Return the RMS of each whole 20 ms frame: shape (n,) gives (n // 160,)."""
    whole = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    loudness: Samples = np.sqrt(np.mean(whole**2, axis=1))
    return loudness


def rms(samples: Samples) -> float:
    """Return the RMS of all of it, 0.0 for nothing."""
    return float(np.sqrt(np.mean(samples**2))) if len(samples) else 0.0


def speech_rms(samples: Samples) -> float:
    """Return the RMS over the frames that are no pause: those within 20 dB of the loudest. 0.0 for silence."""
    loudness = frames_rms(samples)
    peak = loudness.max(initial=0.0)
    return rms(loudness[loudness >= SPEECH_SHARE * peak]) if peak > 0 else 0.0


def at_speech_level(samples: Samples, dbfs: float) -> Samples:
    """Return speech at this level, its pauses left out of account."""
    return samples * (rms_of(dbfs) / speech_rms(samples))


def at_rms(samples: Samples, level_rms: float) -> Samples:
    """Return noise at exactly this RMS."""
    return samples * (level_rms / rms(samples))


def telephone(samples: Samples) -> tuple[bytes, Samples]:
    """Return n samples as the n bytes of mu-law that the wire carries, and what they decode to."""
    ulaw = encode(np.clip(np.rint(samples), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16))
    return ulaw, decode(ulaw).astype(np.float64)
