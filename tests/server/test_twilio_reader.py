"""Reading Twilio's messages does not hold those up who wait for the same loop."""

import asyncio
import json
from itertools import pairwise
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web

from callfsm.server.twilio_reader import BURST_FRAMES, TwilioReader
from callfsm.wire import twilio
from callfsm.wire.malformed import MalformedError
from tests.server.raw_line import media


class Full:
    """A socket in which ten thousand messages wait."""

    def __init__(self, kind: aiohttp.WSMsgType, data: str | bytes) -> None:
        self._message = aiohttp.WSMessage(kind, data, "")
        self.read = 0

    async def receive(self) -> aiohttp.WSMessage:
        self.read += 1
        if self.read > 10_000:
            raise ConnectionResetError
        return self._message

    async def pong(self, message: bytes) -> None:
        pass


class Deaf:
    """Takes everything and does nothing."""

    def feed(self, event: object) -> None:
        pass

    def hear(self, at: float, frame: twilio.Frame) -> None:
        pass

    def count(self, error: MalformedError) -> None:
        pass

    def set_aside(self, what: str, count: int) -> None:
        pass


FULL: list[tuple[str, aiohttp.WSMsgType, Any, int]] = [
    ("audio", aiohttp.WSMsgType.TEXT, json.dumps(media()), BURST_FRAMES),
    ("audio of ten seconds", aiohttp.WSMsgType.TEXT, json.dumps(media(bytes(80_000))), 1),
    ("what cannot be read", aiohttp.WSMsgType.TEXT, "{", BURST_FRAMES),
    ("bytes", aiohttp.WSMsgType.BINARY, b"", BURST_FRAMES),
    ("pings", aiohttp.WSMsgType.PING, b"", BURST_FRAMES),
    ("pongs", aiohttp.WSMsgType.PONG, b"", BURST_FRAMES),
]


@pytest.mark.parametrize(("kind", "data", "most"), [pytest.param(*c[1:], id=c[0]) for c in FULL])
async def test_others_have_their_turn_while_messages_wait(kind: aiohttp.WSMsgType, data: Any, most: int) -> None:
    start = twilio.Start("MZ1", twilio.StartBody("CA1"))
    socket = Full(kind, data)
    reading = asyncio.create_task(
        TwilioReader(start, 1.0, Deaf()).read(cast("web.WebSocketResponse", socket), lambda: False)
    )
    read = []
    for _ in range(20):
        await asyncio.sleep(0)
        read.append(socket.read)
    reading.cancel()

    assert max(later - sooner for sooner, later in pairwise(read)) == most
