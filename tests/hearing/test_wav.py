"""Wav files: what the telephone uses is read, everything else is refused by name."""

import struct
from pathlib import Path

import numpy as np
import pytest

from callfsm.hearing.mulaw import LINEAR
from callfsm.hearing.wav import read_wav, ulaw_of_wav, write_wav
from callfsm.sim import speech_files

# Code 0x7F, mu-law's negative zero, is the one that 16-bit PCM cannot tell from another.
ULAW = bytes(code for code in range(256) if code != 0x7F)
PCM = LINEAR[np.frombuffer(ULAW, np.uint8)].astype("<i2").tobytes()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack("<4sI", name, len(body)) + body + bytes(len(body) % 2)


def riff(*chunks: bytes) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return struct.pack("<4sI", b"RIFF", len(body)) + body


def fmt(tag: int, bits: int, channels: int = 1, rate_hz: int = 8000) -> bytes:
    align = channels * bits // 8
    return chunk(b"fmt ", struct.pack("<HHIIHH", tag, channels, rate_hz, rate_hz * align, align, bits))


def extensible(tag: int, bits: int) -> bytes:
    head = struct.pack("<HHIIHHHHI", 0xFFFE, 1, 8000, 8000 * bits // 8, bits // 8, bits, 22, bits, 4)
    return chunk(b"fmt ", head + struct.pack("<H", tag) + bytes(14))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(riff(fmt(7, 8), chunk(b"data", ULAW)), id="mu-law"),
        pytest.param(riff(fmt(1, 16), chunk(b"data", PCM)), id="pcm"),
        pytest.param(riff(extensible(7, 8), chunk(b"data", ULAW)), id="extensible mu-law"),
        pytest.param(riff(extensible(1, 16), chunk(b"data", PCM)), id="extensible pcm"),
        pytest.param(riff(chunk(b"LIST", b"odd"), fmt(7, 8), chunk(b"data", ULAW)), id="odd chunk before"),
        pytest.param(riff(fmt(7, 8), chunk(b"data", ULAW), chunk(b"id3 ", b"x")), id="chunk after"),
    ],
)
def test_the_formats_of_the_telephone_are_read(data: bytes) -> None:
    assert ulaw_of_wav(data) == ULAW


@pytest.mark.parametrize(
    ("data", "flaw"),
    [
        pytest.param(b"", "no RIFF WAVE", id="empty"),
        pytest.param(b"OggS" + bytes(40), "no RIFF WAVE", id="ogg"),
        pytest.param(riff(fmt(1, 16, rate_hz=16000), chunk(b"data", PCM)), "16000 samples a second", id="rate"),
        pytest.param(riff(fmt(1, 16, channels=2), chunk(b"data", PCM)), "2 channels", id="stereo"),
        pytest.param(riff(fmt(6, 8), chunk(b"data", ULAW)), "format 6", id="a-law"),
        pytest.param(riff(fmt(1, 8), chunk(b"data", ULAW)), "8-bit samples of format 1", id="8-bit pcm"),
        pytest.param(riff(chunk(b"data", ULAW)), "no 'fmt' chunk", id="no format"),
        pytest.param(riff(fmt(7, 8)), "no 'data' chunk", id="no samples"),
        pytest.param(riff(fmt(7, 8), chunk(b"data", ULAW))[:-9], "truncated", id="cut in the samples"),
        pytest.param(riff(fmt(1, 16), chunk(b"data", PCM[:-1])), "truncated", id="cut in a sample"),
        pytest.param(riff(chunk(b"fmt ", b"\x07"), chunk(b"data", ULAW)), "truncated", id="cut in the format"),
        pytest.param(
            riff(chunk(b"fmt ", struct.pack("<HHIIHH", 0xFFFE, 1, 8000, 8000, 1, 8)), chunk(b"data", ULAW)),
            "truncated",
            id="cut in the extension of the format",
        ),
    ],
)
def test_anything_else_is_refused_by_name(tmp_path: Path, data: bytes, flaw: str) -> None:
    path = tmp_path / "caller.wav"
    path.write_bytes(data)

    with pytest.raises(ValueError, match=rf"caller\.wav: .*{flaw}"):
        read_wav(path)


@pytest.mark.parametrize("ulaw", [b"", ULAW, ULAW[:-1]], ids=["nothing", "odd", "even"])
def test_what_is_written_is_read_back(tmp_path: Path, ulaw: bytes) -> None:
    path = tmp_path / "heard.wav"

    write_wav(path, ulaw)

    assert read_wav(path) == ulaw


def test_the_recorded_speech_has_words_and_sound() -> None:
    clip = speech_files.load("he_question")

    assert clip.language == "he"
    assert clip.text.startswith("מה שעות")
    assert len(clip.ulaw) > 8000


def test_an_unknown_recording_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no speech clip 'he_quesiton'; there are .*he_question"):
        speech_files.load("he_quesiton")


def test_wav_that_was_written_into_a_pipe_is_as_long_as_what_there_is(tmp_path: Path) -> None:
    write_wav(tmp_path / "whole.wav", b"\x55" * 800)
    whole = (tmp_path / "whole.wav").read_bytes()
    at = whole.index(b"data") + 4

    assert ulaw_of_wav(whole) == ulaw_of_wav(whole[:at] + b"\xff\xff\xff\xff" + whole[at + 4 :])
