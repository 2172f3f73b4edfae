"""A hand-driven client of the simulated Realtime server; it validates all that it receives."""

import asyncio
import base64
from typing import Any, Final

import attrs
from aiohttp import ClientWebSocketResponse
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from callfsm.sim.realtime_connection import Connection

HEADERS: Final = {"Authorization": "Bearer key"}
URL: Final = "/v1/realtime?model=gpt-realtime-2.1"
TELEPHONE: Final = {
    "type": "realtime",
    "output_modalities": ["audio"],
    "instructions": "...",
    "max_output_tokens": 1024,
    "audio": {
        "input": {
            "format": {"type": "audio/pcmu"},
            "noise_reduction": None,
            "transcription": {"model": "gpt-transcribe", "languages": ["he"]},
            "turn_detection": None,
        },
        "output": {"format": {"type": "audio/pcmu"}, "voice": "marin", "speed": 1.0},
    },
    "tools": [],
    "tool_choice": "auto",
    "truncation": "auto",
    "tracing": None,
}
_SERVER_EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)


@attrs.define(eq=False)
class Client:
    """A client's socket, and the server's end of it. `is_strict`: each event must fit the SDK's models."""

    socket: ClientWebSocketResponse[bool]
    connection: Connection
    is_strict: bool = True

    async def send(self, event_type: str, **fields: Any) -> None:
        await self.socket.send_json({"type": event_type, **fields})

    async def receive(self) -> dict[str, Any]:
        event: dict[str, Any] = await self.socket.receive_json(timeout=5)
        if self.is_strict:
            _SERVER_EVENT.validate_python(event)
        return event

    async def until(self, event_type: str) -> list[dict[str, Any]]:
        """Return all events up to and with the next of this type."""
        events: list[dict[str, Any]] = []
        async with asyncio.timeout(5):
            while not events or events[-1]["type"] != event_type:
                events.append(await self.receive())
        return events

    async def next(self, event_type: str) -> dict[str, Any]:
        return (await self.until(event_type))[-1]

    async def set_up(self) -> None:
        await self.send("session.update", session=TELEPHONE)
        await self.until("session.updated")

    async def say(self, ulaw: bytes) -> str:
        """Append and commit audio; return the id of its item, once that is complete."""
        await self.send("input_audio_buffer.append", audio=base64.b64encode(ulaw).decode())
        await self.send("input_audio_buffer.commit")
        item_id: str = (await self.next("input_audio_buffer.committed"))["item_id"]
        await self.until("conversation.item.done")
        return item_id

    async def error(self, event_type: str, **fields: Any) -> dict[str, Any]:
        """Send an event that is refused, and return the error; nothing else may come before it."""
        await self.send(event_type, event_id="mine", **fields)
        event = await self.receive()
        assert event["type"] == "error", event
        assert event["error"]["type"] == "invalid_request_error"
        assert event["error"]["event_id"] == "mine"
        error: dict[str, Any] = event["error"]
        return error


def types(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


def audio_of(events: list[dict[str, Any]]) -> bytes:
    deltas = [event["delta"] for event in events if event["type"] == "response.output_audio.delta"]
    return b"".join(base64.b64decode(delta) for delta in deltas)
