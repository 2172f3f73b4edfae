"""A good call beside a bad one: whatever the other does, its caller asks and is answered."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from callfsm.config import Config
from tests.server.by_hand import QUIET, TIMEOUT_S, Api, Hands, by_hand


async def ready(hands: Hands) -> Api:
    """The session of the call that has just begun."""
    api = await hands.api()
    await api.until("session.update")
    await api.ready()
    return api


async def answer(api: Api) -> None:
    """Take the caller's first utterance, transcribe it, and speak the reply that is asked for."""
    await api.until("input_audio_buffer.commit")
    await api.send("input_audio_buffer.committed", item_id="u1")
    await api.transcribes("u1", "מה שעות הפתיחה?")
    create = await api.until("response.create")
    await api.creates("r1", create["response"]["metadata"]["turn"])
    await api.speaks("r1", "a1", 200)


@asynccontextmanager
async def beside(folder: Path, config: Config | None = None) -> AsyncIterator[Hands]:
    """Run the application with a good call on it, which asks and must be answered when the block has ended."""
    async with by_hand(config, folder=folder) as hands:
        twilio = await hands.call("CA99")
        api = await ready(hands)
        await twilio.hears(*[QUIET] * 75)
        yield hands
        await twilio.asks()
        await answer(api)
        await twilio.until("media")
        await twilio.send({"event": "stop"})
        await twilio.until("closed")
        async with asyncio.timeout(TIMEOUT_S):
            await hands.server.wait_for_the_last_call()


async def until_over(hands: Hands, call_sid: str = "CA1") -> None:
    """Wait for the end of a call."""
    async with asyncio.timeout(TIMEOUT_S), hands.server._ended:
        await hands.server._ended.wait_for(lambda: call_sid not in hands.server.calls)


def journal(folder: Path, call_sid: str = "CA1") -> list[dict[str, Any]]:
    """The lines of a call's journal, once the application is down."""
    (path,) = folder.glob(f"*-{call_sid}.jsonl")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def ending(folder: Path, call_sid: str = "CA1") -> dict[str, Any]:
    """How a call ended."""
    end: dict[str, Any] = journal(folder, call_sid)[-1]["end"]
    return end


def events(folder: Path, kind: str, call_sid: str = "CA1") -> int:
    """How many events of a kind a call had."""
    return sum(line.get("event") == kind for line in journal(folder, call_sid))


def metric(hands: Hands, name: str, **labels: str) -> float:
    return hands.server.metrics.registry.get_sample_value(f"callfsm_{name}_total", labels) or 0.0
