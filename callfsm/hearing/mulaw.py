"""Mu-law, the encoding of the telephone line, and the loudness of a frame of it.

One byte is one sample at 8000 Hz, so 8 bytes are 1 ms and a 20 ms frame is 160 bytes (ITU-T G.711).
Loudness is the root mean square on the scale of 16-bit linear PCM.
"""

import math
from typing import Final

import numpy as np
import numpy.typing as npt

SAMPLE_RATE_HZ: Final = 8000
BYTES_PER_MS: Final = 8
FRAME_MS: Final = 20
FRAME_BYTES: Final = FRAME_MS * BYTES_PER_MS

_BIAS: Final = 0x84
_CLIP: Final = 32635


def _linear_of_codes() -> npt.NDArray[np.int16]:
    """Return the linear value of each of the 256 codes (G.711, table 2a, shifted to 16 bits)."""
    codes = ~np.arange(256, dtype=np.int32) & 0xFF
    magnitude = (((codes & 0x0F) << 3) + _BIAS << ((codes & 0x70) >> 4)) - _BIAS
    return np.where(codes & 0x80, -magnitude, magnitude).astype(np.int16)


LINEAR: Final = _linear_of_codes()
_SQUARES: Final = LINEAR.astype(np.float64) ** 2


def decode(ulaw: bytes) -> npt.NDArray[np.int16]:
    """Return the linear samples, shape (n,), of n bytes of mu-law."""
    return LINEAR.take(np.frombuffer(ulaw, np.uint8))


def encode(linear: npt.NDArray[np.int16]) -> bytes:
    """Return n bytes of mu-law for n linear samples, clipped where mu-law ends (at 32635)."""
    wide = linear.astype(np.int32)
    magnitude = np.minimum(np.abs(wide), _CLIP) + _BIAS
    exponent = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    sign = np.where(wide < 0, 0x80, 0)
    codes: npt.NDArray[np.uint8] = (~(sign | (exponent << 4) | mantissa) & 0xFF).astype(np.uint8)
    return codes.tobytes()


def levels_rms(ulaw: bytes) -> tuple[int, ...]:
    """Return the RMS of each 20 ms of a piece of mu-law, in whole numbers; the last may be of less."""
    whole = len(ulaw) - len(ulaw) % FRAME_BYTES
    squares = _SQUARES.take(np.frombuffer(ulaw, np.uint8))
    frames = np.sqrt(squares[:whole].reshape(-1, FRAME_BYTES).mean(axis=1))
    rest = [round(rms(ulaw[whole:]))] if whole < len(ulaw) else []
    return (*map(round, frames.tolist()), *rest)


def rms(ulaw: bytes) -> float:
    """Return the root mean square of a piece of mu-law, 0.0 for an empty one."""
    if not ulaw:
        return 0.0
    squares = _SQUARES.take(np.frombuffer(ulaw, np.uint8))
    return math.sqrt(float(np.add.reduce(squares)) / len(ulaw))
