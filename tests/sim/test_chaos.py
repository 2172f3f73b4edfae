"""The hostile world of the soak: each caller meets their own faults, and what breaks does so on the wire."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType

from callfsm.sim import chaos
from callfsm.sim.caller import place_call
from callfsm.sim.chaos import Break, Plan, Switchboard
from callfsm.sim.media_line import Kind
from callfsm.sim.realtime_script import Reply, Script
from callfsm.sim.webhook import Details
from tests.sim.media_server import MediaServer
from tests.sim.realtime_client import HEADERS, TELEPHONE

SPEED = 50.0
DANA, ROY = "+972501111111", "+972502222222"
DELTA = "response.output_audio.delta"
SCRIPT = Script(default_reply=Reply("one two three four", bytes(800) * 16), speed=SPEED)
OTHER = Script(default_reply=Reply("other", bytes(1600)), speed=SPEED)
DETAILS = Details(call_sid="CA1")
Socket = ClientWebSocketResponse[bool]


@asynccontextmanager
async def session(url: str, number: str) -> AsyncIterator[Socket]:
    """A client's session of a caller; what has come of it so far is left to be read."""
    async with aiohttp.ClientSession() as http, http.ws_connect(f"{url}?model=m", headers=HEADERS) as socket:
        update = {**TELEPHONE, "instructions": f"the business is +97231234567, the caller {number}"}
        await socket.send_json({"type": "session.update", "session": update})
        yield socket


async def until(socket: Socket, kind: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    async with asyncio.timeout(5):
        while not events or events[-1]["type"] != kind:
            events.append(await socket.receive_json())
    return events


async def replied(socket: Socket) -> int:
    """How many pieces of audio a response has."""
    await socket.send_json({"type": "response.create"})
    return [event["type"] for event in await until(socket, "response.done")].count(DELTA)


async def test_each_caller_has_sessions_of_their_own_and_a_stranger_the_default() -> None:
    board = Switchboard(Plan(OTHER))
    board.expect(DANA, Plan(SCRIPT), Plan(OTHER))
    board.expect(ROY, Plan(SCRIPT))

    async with chaos.running(board) as url:
        pieces = []
        for number in (DANA, DANA, DANA, ROY, ROY, "+972503333333"):
            async with session(url, number) as socket:
                pieces.append(await replied(socket))
        first = await board.wait_for_session(DANA)

    assert pieces == [8, 1, 1, 8, 8, 1]
    assert first.script is SCRIPT
    assert [len(board.forget(number)) for number in (DANA, ROY, ROY)] == [3, 2, 0]


async def test_a_refusal_meets_one_handshake() -> None:
    board = Switchboard(Plan(SCRIPT))
    board.refusals.extend([429, 500])

    async with chaos.running(board) as url:
        statuses = []
        for _ in range(2):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                async with session(url, DANA):
                    pass
            statuses.append(refused.value.status)
        await board.wait_refused()
        async with session(url, DANA) as socket:
            assert await replied(socket) == 8

    assert statuses == [429, 500]
    assert board.handshakes == 3


async def test_a_session_falls_mute_and_is_read_all_the_same() -> None:
    board = Switchboard()
    board.expect(DANA, Plan(SCRIPT, Break.MUTE, DELTA, 3))

    async with chaos.running(board) as url, session(url, DANA) as socket:
        await socket.send_json({"type": "response.create"})
        for _ in range(2):
            await until(socket, DELTA)
        await socket.send_json({"type": "response.cancel"})
        connection = await board.wait_for_session(DANA)
        await connection.wait_for("response.done")
        await socket.close()
        rest = [message.type async for message in socket]

    assert connection.records("response.cancel")
    assert rest == []


async def test_a_session_is_reset_in_mid_reply() -> None:
    board = Switchboard()
    board.expect(DANA, Plan(SCRIPT, Break.RESET, DELTA, 2))

    async with chaos.running(board) as url, session(url, DANA) as socket:
        await until(socket, "session.updated")
        await socket.send_json({"type": "response.create"})
        async with asyncio.timeout(5):
            async for message in socket:
                assert message.type is WSMsgType.TEXT

        assert socket.close_code == aiohttp.WSCloseCode.ABNORMAL_CLOSURE


async def test_a_callers_line_is_reset(server: MediaServer) -> None:
    async with place_call(server.media_url, speed=SPEED) as caller:
        await caller.silence(0.1)
        chaos.reset_line(caller)
        await caller.wait_over()

    assert (await server.next("closed"))["code"] is None
    assert "stop" not in [message["event"] for message in server.received]


async def test_keys_are_numbered_with_the_rest(server: MediaServer) -> None:
    async with place_call(server.media_url, speed=SPEED) as caller:
        await caller.press("1#")

    keys = [message for message in server.received if message["event"] == "dtmf"]
    assert [key["dtmf"] for key in keys] == [{"track": "inbound_track", "digit": digit} for digit in "1#"]
    assert [int(key["sequenceNumber"]) - server.received.index(key) for key in keys] == [0, 0]


async def test_what_is_not_read_is_heard_later(server: MediaServer) -> None:
    async with place_call(server.media_url, details=DETAILS, speed=SPEED) as caller:
        await server.next("media")
        caller.stop_reading()
        await server.answer("mark", mark={"name": "first"})
        await caller.silence(1)
        before = caller.entries(Kind.MARK)
        caller.read_on()
        await caller.wait_for(Kind.MARK)

    assert before == []
