"""What stands between a connection and aiohttp's reading of it changes nothing that is right."""

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from callfsm.server.masks import MOST_FRAGMENTS, _MaskCheck
from tests.server.raw_line import BINARY, CLOSE, PING, TEXT, ws_frame


class Inner(asyncio.Protocol):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.received = b""
        self.told: list[Any] = []

    def data_received(self, data: bytes) -> None:
        self.received += data

    def connection_lost(self, exc: Exception | None) -> None:
        self.told.append(exc)

    def eof_received(self) -> bool:
        self.told.append("eof")
        return True

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")


def passed(sent: bytes, lengths: list[int]) -> tuple[bytes, bytes]:
    """What goes on of bytes that come in pieces of these lengths, and what is held back."""
    inner = Inner()
    check = _MaskCheck(inner)
    at = 0
    for length in [*lengths, len(sent)]:
        check.data_received(sent[at : at + length])
        at += length
    return inner.received, check._head


SIZES = st.sampled_from([0, 1, 125, 126, 127, 360, 65_535, 65_536, 70_000]) | st.integers(0, 400)
RIGHT = st.builds(
    lambda opcode, fin, size: ws_frame(opcode, bytes(size), fin=fin),
    st.sampled_from([0, TEXT, BINARY, PING, CLOSE]), st.booleans(), SIZES,
)  # fmt: skip
LENGTHS = st.lists(st.integers(1, 300), max_size=50)


@given(st.lists(RIGHT, max_size=8), LENGTHS)
def test_masked_frames_go_on_as_they_came_however_they_are_cut(frames: list[bytes], lengths: list[int]) -> None:
    sent = b"".join(frames)

    assert passed(sent, lengths) == (sent, b"")


@given(st.lists(RIGHT, max_size=4), st.sampled_from([0, 5, 126, 70_000]), LENGTHS)
def test_from_a_frame_without_a_mask_on_nothing_goes_on(frames: list[bytes], size: int, lengths: list[int]) -> None:
    right = b"".join(frames)
    wrong = ws_frame(TEXT, bytes(size), masked=False)

    assert passed(right + wrong + right, lengths)[0] == right + b"\xff\xff"


@given(st.binary(max_size=400), LENGTHS)
def test_anything_can_come(sent: bytes, lengths: list[int]) -> None:
    received, held = passed(sent, lengths)
    whole = received.removesuffix(b"\xff\xff")

    assert sent.startswith(whole)
    assert sent.endswith(held)


def test_message_of_many_fragments_goes_on_and_one_without_end_does_not() -> None:
    many = ws_frame(TEXT, b"{", fin=False) + ws_frame(0, fin=False) * (MOST_FRAGMENTS - 1)
    ping, more, last = ws_frame(PING), ws_frame(0, fin=False), ws_frame(0, b"}")

    assert passed((many + ping + last) * 2, []) == ((many + ping + last) * 2, b"")
    assert passed(many + ping + more + last, []) == (many + ping + b"\xff\xff", b"")


def test_connection_is_the_inner_protocols_own_affair() -> None:
    inner = Inner()
    check = _MaskCheck(inner)
    check.pause_writing()
    check.resume_writing()

    assert check.eof_received() is True
    check.connection_lost(None)
    assert inner.told == ["pause", "resume", "eof", None]
