"""The demo's stories in virtual time: the simulated caller and API, with the pure core between them."""

import asyncio
import tomllib
from typing import Final

import attrs

from callfsm.call import Call
from callfsm.config_file import config_from
from callfsm.sim import virtual
from callfsm.sim.caller import on_line
from callfsm.sim.demo import CONFIG
from callfsm.sim.media_line import MediaLine
from callfsm.sim.realtime import converse
from callfsm.sim.realtime_connection import Connection
from callfsm.sim.speech_files import load
from callfsm.sim.stories import Ending, Story
from callfsm.sim.virtual_call import Happening, Line, VirtualCall
from callfsm.sim.virtual_socket import VirtualSocket
from callfsm.sim.webhook import Details

TWILIO_MS: Final = 30.0
OPENAI_MS: Final = 45.0
"""So long a message travels, one way. Chosen so that frames and the API's messages never arrive at one and the same
time: which of them came first would be anybody's guess."""
ACCOUNT_SID: Final = "AC" + "0" * 32
CALL_SID: Final = "CA" + "0" * 32


@attrs.frozen
class Performance:
    """A story that has been played: what it left behind, and all that happened to its call, in order."""

    story: Story
    ending: Ending
    happened: tuple[Happening, ...]


def perform(story: Story) -> Performance:
    """Play a story. It takes no time but the work.

    It is the same every time, but for the day on which the API's session would expire.
    """
    return virtual.run(_perform(story))


async def _perform(story: Story) -> Performance:
    config = config_from(tomllib.loads(CONFIG))
    phone, to_phone = VirtualSocket.pair(TWILIO_MS)
    api, to_api = VirtualSocket.pair(OPENAI_MS)
    details = Details(called=story.called, account_sid=ACCOUNT_SID, call_sid=CALL_SID)
    line = MediaLine(details, 1.0, load("line_noise").ulaw, echo_marks=True, socket=phone)
    async with asyncio.TaskGroup() as tasks:
        connection = Connection(1, config.realtime.model, story.script, api, tasks)

        def connect() -> VirtualSocket:
            tasks.create_task(_serve(connection, api))
            return to_api

        call = VirtualCall(Call.begin(config, config.business_of(story.called)), to_phone, connect)
        tasks.create_task(call.run())
        async with on_line(line, phone, {}, lose=phone.close) as caller:
            await story.act(caller)
            await caller.hang_up()
            await connection.wait_closed()
    log = [line.message for line in call.happened if isinstance(line, Line)]
    return Performance(story, Ending(caller, connection, log), tuple(call.happened))


async def _serve(connection: Connection, socket: VirtualSocket) -> None:
    try:
        await converse(connection, socket)
    finally:
        connection.end()
