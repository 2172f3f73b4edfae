"""Mu-law as ITU-T G.711 has it, and the loudness of a frame."""

import math

import numpy as np
import pytest

from callfsm.hearing.mulaw import BYTES_PER_MS, FRAME_BYTES, FRAME_MS, LINEAR, SAMPLE_RATE_HZ, decode, encode, rms

# G.711, table 2a: code, value on the 16-bit scale
KNOWN = [
    pytest.param(0xFF, 0, id="positive zero"),
    pytest.param(0x7F, 0, id="negative zero"),
    pytest.param(0xFE, 8, id="smallest positive"),
    pytest.param(0x7E, -8, id="smallest negative"),
    pytest.param(0xF0, 120, id="end of the first segment"),
    pytest.param(0xEF, 132, id="second segment"),
    pytest.param(0x80, 32124, id="largest positive"),
    pytest.param(0x00, -32124, id="largest negative"),
    pytest.param(0x8F, 16764, id="largest segment's first"),
]


def test_the_line() -> None:
    assert (8000, 8, 20, 160) == (SAMPLE_RATE_HZ, BYTES_PER_MS, FRAME_MS, FRAME_BYTES)


@pytest.mark.parametrize(("code", "value"), KNOWN)
def test_the_linear_value_of_a_code(code: int, value: int) -> None:
    assert value == decode(bytes([code]))[0]


def test_all_values_by_the_formula() -> None:
    """Sign, three bits of segment, four of step; complemented on the wire."""
    expected = []
    for code in range(256):
        sign, segment, step = (~code >> 7) & 1, (~code >> 4) & 7, ~code & 15
        magnitude = ((step * 8 + 132) << segment) - 132
        expected.append(-magnitude if sign else magnitude)

    assert expected == LINEAR.tolist()


def test_the_values_rise_with_the_codes() -> None:
    assert LINEAR[:128].tolist() == sorted(LINEAR[:128].tolist())
    assert (-LINEAR[:128]).tolist() == LINEAR[128:].tolist()


def test_every_code_survives_but_one_zero() -> None:
    codes = bytes(range(256))

    assert codes.replace(b"\x7f", b"\xff") == encode(decode(codes))


@pytest.mark.parametrize(
    ("value", "nearest"),
    [(3, 0), (5, 8), (32767, 32124), (-32768, -32124), (32635, 32124), (1000, 988), (-1000, -988)],
)
def test_a_value_is_encoded_as_its_nearest(value: int, nearest: int) -> None:
    assert nearest == decode(encode(np.array([value], np.int16)))[0]


def test_no_value_is_far_from_its_code() -> None:
    linear = np.arange(-32635, 32636, 7).astype(np.int16)
    error = np.abs(decode(encode(linear)).astype(int) - linear.astype(int))

    assert np.all(error <= np.maximum(4, np.abs(linear.astype(int)) // 30 + 4))


@pytest.mark.parametrize(
    ("ulaw", "loudness"),
    [
        pytest.param(b"", 0.0, id="nothing"),
        pytest.param(b"\xff" * FRAME_BYTES, 0.0, id="silence"),
        pytest.param(b"\x00" * FRAME_BYTES, 32124.0, id="the loudest"),
        pytest.param(b"\xf0\x70" * 80, 120.0, id="both signs"),
        pytest.param(b"\xf0" + b"\xff" * 3, 60.0, id="one of four"),
        pytest.param(b"\x80", 32124.0, id="one sample"),
    ],
)
def test_the_root_mean_square(ulaw: bytes, loudness: float) -> None:
    assert loudness == rms(ulaw)


def test_a_tone_has_the_loudness_of_its_amplitude() -> None:
    tone = (1000 * np.sin(2 * math.pi * 400 * np.arange(FRAME_BYTES) / SAMPLE_RATE_HZ)).astype(np.int16)

    assert pytest.approx(1000 / math.sqrt(2), rel=0.02) == rms(encode(tone))


def test_nothing_is_decoded_as_nothing() -> None:
    assert [] == decode(b"").tolist()
    assert b"" == encode(np.array([], np.int16))
