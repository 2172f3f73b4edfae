"""A stage for whole calls: the real application between the simulated peers, ten times as fast as the clock."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
from aiohttp import web
from openai.types.realtime import RealtimeClientEvent
from pydantic import TypeAdapter

from callfsm.config import Business, Config, LimitsConfig, TurnConfig
from callfsm.environment import Environment
from callfsm.server.app import build_app
from callfsm.server.shared import Server, make_server
from callfsm.sim.realtime import Connections, running
from callfsm.sim.realtime_connection import Connection
from callfsm.sim.realtime_script import Reply, Script, Utterance, clip_reply
from callfsm.sim.speech_files import load

SPEED = 10.0
FAST = Config(
    turn=TurnConfig(
        grace_ms=30, cancel_timeout_ms=300, transcript_timeout_ms=500, reply_timeout_ms=800, max_turn_ms=30000
    ),
    # Callers run ahead of the clock.
    limits=LimitsConfig(twilio_ahead_s=3600),
    business=(Business(), Business(number="+97239876543", name="מאפייה", enable_greeting=True)),
)
QUESTION = load("he_question").ulaw
INTERRUPTION = load("he_interrupt").ulaw
HUM = load("line_noise").ulaw
_CLIENT_EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeClientEvent)


def script(*said: str, replies: tuple[Reply, ...] = (), **more: Any) -> Script:
    """What the utterances transcribe to, and what is answered: the opening hours, unless something else is given."""
    default = replies or (clip_reply("he_reply_hours"), clip_reply("he_reply_short"))
    utterances = tuple(Utterance(text) for text in said)
    return Script(utterances=utterances, replies=default, speed=SPEED, **more)


@attrs.frozen
class Stage:
    """The running application and the API it talks to."""

    url: str
    server: Server
    api: Connections
    journals: Path

    @property
    def voice(self) -> str:
        return f"http{self.url}/twilio/voice"

    @property
    def media(self) -> str:
        return f"ws{self.url}/twilio/media"

    def journal(self) -> list[dict[str, Any]]:
        """The lines of the one journal there is, once the server is down."""
        (path,) = self.journals.glob("*.jsonl")
        return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


@asynccontextmanager
async def staged(
    folder: Path, *scripts: Script, config: Config = FAST, api_key: str = "sk-simulated"
) -> AsyncIterator[Stage]:
    """Run the application against a simulated API for the length of the block."""
    async with running(*scripts) as api:
        server = make_server(config, Environment(api_key, api.url), journal_dir=folder, is_insecure=True)
        runner = web.AppRunner(build_app(server), access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            url = f"://127.0.0.1:{runner.addresses[0][1]}"
            yield Stage(url, server, api.connections, folder)
        finally:
            await runner.cleanup()


def validated(connection: Connection) -> list[str]:
    """The types of all that we sent to the API, each message held against OpenAI's own models."""
    for record in connection.received:
        _CLIENT_EVENT.validate_python(record.event)
    return [record.type for record in connection.received]
