"""The queue before a socket: its order, its bound, and what goes ahead."""

import asyncio

import pytest
from aiohttp import WSMsgType

from callfsm.server.outbox import Outbox, OutboxOverflowError


class Socket:
    """Takes messages until it has as many as wanted."""

    def __init__(self, wanted: int) -> None:
        self.taken: list[bytes] = []
        self.wanted = wanted
        self.done = asyncio.Event()

    async def send_frame(self, message: bytes, opcode: WSMsgType) -> None:
        assert opcode is WSMsgType.TEXT
        self.taken.append(message)
        if len(self.taken) == self.wanted:
            self.done.set()


async def written(outbox: Outbox, count: int) -> list[bytes]:
    socket = Socket(count)
    writer = asyncio.create_task(outbox.write_to(socket))
    async with asyncio.timeout(5):
        await socket.done.wait()
    writer.cancel()
    return socket.taken


async def test_messages_go_out_in_order() -> None:
    outbox = Outbox("peer", 100, drops_audio=False)
    for message in (b"1", b"2", b"3"):
        outbox.put(message)

    assert await written(outbox, 3) == [b"1", b"2", b"3"]


async def test_clear_goes_ahead_and_waiting_audio_is_thrown_away() -> None:
    outbox = Outbox("peer", 100, drops_audio=False)
    outbox.put(b"audio", audio=True)
    outbox.put(b"control")
    outbox.put(b"audio", audio=True)
    outbox.replace_audio(b"clear")

    assert await written(outbox, 2) == [b"clear", b"control"]


async def test_oldest_audio_makes_room_and_control_never_does() -> None:
    outbox = Outbox("peer", 9, drops_audio=True)
    outbox.put(b"old", audio=True)
    outbox.put(b"ctl")
    outbox.put(b"mid", audio=True)
    outbox.put(b"new", audio=True)

    assert outbox.dropped == 1
    assert await written(outbox, 3) == [b"ctl", b"mid", b"new"]


@pytest.mark.parametrize("drops_audio", [True, False])
async def test_control_without_room_is_an_overflow(drops_audio: bool) -> None:
    outbox = Outbox("peer", 5, drops_audio=drops_audio)
    outbox.put(b"1234")

    with pytest.raises(OutboxOverflowError):
        outbox.put(b"56")


async def test_cleared_outbox_has_all_its_room_again() -> None:
    outbox = Outbox("peer", 5, drops_audio=False)
    outbox.put(b"12345")
    outbox.clear()
    outbox.put(b"67890")

    assert await written(outbox, 1) == [b"67890"]


async def test_lost_socket_is_the_callers_business() -> None:
    class Lost:
        async def send_frame(self, message: bytes, opcode: WSMsgType) -> None:
            raise ConnectionResetError

    outbox = Outbox("peer", 5, drops_audio=False)
    outbox.put(b"1")

    with pytest.raises(ConnectionResetError):
        await outbox.write_to(Lost())
