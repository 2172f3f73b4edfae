"""Wav files of the telephone: 8000 Hz, mono, mu-law or 16-bit PCM in, mu-law out."""

import struct
import wave
from pathlib import Path
from typing import Final

import numpy as np

from callfsm.hearing.mulaw import SAMPLE_RATE_HZ, decode, encode

_PCM: Final = 1
_ULAW: Final = 7
_EXTENSIBLE: Final = 0xFFFE
_SUBFORMAT_AT: Final = 24
_UNKNOWN_SIZE: Final = 0x7FFF_F000


def read_wav(path: Path | str) -> bytes:
    """Return the mu-law samples of a wav file.

    Raises ValueError, naming the file and what is wrong, for any but an 8000 Hz mono file of mu-law or 16-bit
    PCM; OSError where it cannot be read.
    """
    try:
        return ulaw_of_wav(Path(path).read_bytes())
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def write_wav(path: Path | str, ulaw: bytes) -> None:
    """Write mu-law samples as an 8000 Hz mono wav file of 16-bit PCM, which every program plays."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(decode(ulaw).astype("<i2").tobytes())


def ulaw_of_wav(data: bytes) -> bytes:
    """Return the mu-law samples of a wav file's contents; ValueError says what is wrong with it."""
    chunks = _chunks(data)
    missing = {b"fmt ", b"data"} - chunks.keys()
    if missing:
        raise ValueError(f"has no {missing.pop().decode().strip()!r} chunk")

    tag, bits = _format(chunks[b"fmt "])
    samples = chunks[b"data"]
    if (tag, bits) == (_ULAW, 8):
        return samples
    if (tag, bits) != (_PCM, 16):
        raise ValueError(f"holds {bits}-bit samples of format {tag}, not mu-law (7) or 16-bit PCM (1)")
    if len(samples) % 2:
        raise ValueError("truncated: the last 16-bit sample is cut")
    return encode(np.frombuffer(samples, "<i2").astype(np.int16))


def _format(fmt: bytes) -> tuple[int, int]:
    """Return the format tag and the bits of a sample, once rate and channels have proved right."""
    if len(fmt) < 16:
        raise ValueError("truncated: the fmt chunk is too short")
    tag, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", fmt)
    if tag == _EXTENSIBLE:
        if len(fmt) < _SUBFORMAT_AT + 2:
            raise ValueError("truncated: the extensible fmt chunk is too short")
        (tag,) = struct.unpack_from("<H", fmt, _SUBFORMAT_AT)
    if rate_hz != SAMPLE_RATE_HZ:
        raise ValueError(f"has {rate_hz} samples a second, not {SAMPLE_RATE_HZ}")
    if channels != 1:
        raise ValueError(f"has {channels} channels, not 1")
    return tag, bits


def _chunks(data: bytes) -> dict[bytes, bytes]:
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ValueError("is no RIFF WAVE file")
    chunks: dict[bytes, bytes] = {}
    at = 12
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        body = data[at + 8 : at + 8 + size]
        if size >= _UNKNOWN_SIZE and name == b"data":
            # Whoever writes a wav into a pipe cannot know its length: it is what there is.
            size = len(body)
        if len(body) < size:
            raise ValueError(f"truncated: chunk {name!r} has {len(body)} of its {size} bytes")
        chunks.setdefault(name, body)
        # RIFF pads each chunk to an even length.
        at += 8 + size + size % 2
    return chunks
