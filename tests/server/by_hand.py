"""Two peers driven by hand, message by message: for what must not happen, and for what happens in a given order."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import shake_256
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import numpy as np
from aiohttp import web

from callfsm.config import Config
from callfsm.environment import Environment
from callfsm.hearing.mulaw import FRAME_BYTES, SAMPLE_RATE_HZ, encode
from callfsm.server.app import build_app
from callfsm.server.shared import Server, make_server

TIMEOUT_S = 20.0


def frame(rms: float, hz: int = 200) -> bytes:
    """20 ms of a square wave of this RMS, as mu-law (which has no exact value for every RMS)."""
    half = np.full(SAMPLE_RATE_HZ // hz // 2, rms)
    return encode(np.tile(np.concatenate([half, -half]), FRAME_BYTES // (2 * len(half))).astype(np.int16))


def noise(rms: float) -> bytes:
    """20 ms of noise of this RMS, as mu-law."""
    signs = np.unpackbits(np.frombuffer(shake_256(b"noise").digest(FRAME_BYTES // 8), np.uint8))
    return encode((rms * (2.0 * signs - 1.0)).astype(np.int16))


QUIET, LOUD, CLICK = frame(50), frame(2000), noise(2000)
"""LOUD has a pitch, as a voice has."""
PROOF = [LOUD] * 7
"""So much of a voice proves that somebody speaks."""


@attrs.define(eq=False)
class Api:
    """The Realtime side of one connection."""

    socket: web.WebSocketResponse
    received: list[dict[str, Any]] = attrs.field(factory=list)
    _changed: asyncio.Condition = attrs.field(factory=asyncio.Condition)
    is_closed: bool = False

    async def listen(self) -> None:
        async for message in self.socket:
            self.received.append(json.loads(message.data))
            async with self._changed:
                self._changed.notify_all()
        self.is_closed = True
        async with self._changed:
            self._changed.notify_all()

    def types(self) -> list[str]:
        return [event["type"] for event in self.received]

    async def until(self, kind: str, count: int = 1) -> dict[str, Any]:
        """The count-th message of a kind."""
        async with asyncio.timeout(TIMEOUT_S), self._changed:
            await self._changed.wait_for(lambda: self.types().count(kind) >= count)
        return [event for event in self.received if event["type"] == kind][count - 1]

    async def until_closed(self) -> None:
        async with asyncio.timeout(TIMEOUT_S), self._changed:
            await self._changed.wait_for(lambda: self.is_closed)

    async def send(self, kind: str, **fields: Any) -> None:
        await self.socket.send_json({"type": kind, "event_id": "ev", **fields})

    async def ready(self) -> None:
        await self.send("session.updated", session={"type": "realtime"})

    async def transcribes(self, item_id: str, text: str) -> None:
        await self.send(
            "conversation.item.input_audio_transcription.completed",
            item_id=item_id, content_index=0, transcript=text, usage={},
        )  # fmt: skip

    async def creates(self, response_id: str, turn: str | None) -> None:
        metadata = None if turn is None else {"turn": turn}
        response = {"id": response_id, "status": "in_progress", "metadata": metadata}
        await self.send("response.created", response=response)

    async def speaks(self, response_id: str, item_id: str, ms: int, value: int = 0x55) -> None:
        audio = base64.b64encode(bytes([value]) * (8 * ms)).decode()
        await self.send(
            "response.output_audio.delta",
            response_id=response_id, item_id=item_id, output_index=0, content_index=0, delta=audio,
        )  # fmt: skip

    async def ends(self, response_id: str, turn: str | None, status: str = "completed", *items: str) -> None:
        metadata = None if turn is None else {"turn": turn}
        output = [{"id": item} for item in items]
        response = {"id": response_id, "status": status, "metadata": metadata, "output": output}
        await self.send("response.done", response=response)


@attrs.define(eq=False)
class Twilio:
    """The Twilio side of one call."""

    socket: aiohttp.ClientWebSocketResponse[bool]

    async def send(self, message: dict[str, Any]) -> None:
        await self.socket.send_json(message)

    async def starts(self, call_sid: str = "CA1", **parameters: str) -> None:
        await self.send({"event": "connected", "protocol": "Call", "version": "1.0.0"})
        body = {"accountSid": "AC1", "streamSid": "MZ1", "callSid": call_sid, "tracks": ["inbound"]}
        start = {**body, "customParameters": parameters}
        await self.send({"event": "start", "sequenceNumber": "1", "streamSid": "MZ1", "start": start})

    async def hears(self, *frames: bytes) -> None:
        for ulaw in frames:
            payload = base64.b64encode(ulaw).decode()
            media = {"track": "inbound", "chunk": "1", "timestamp": "0", "payload": payload}
            await self.send({"event": "media", "sequenceNumber": "2", "streamSid": "MZ1", "media": media})

    async def asks(self) -> None:
        """300 ms of speech and the silence that ends it."""
        await self.hears(*[LOUD] * 15, *[QUIET] * 30)

    async def echoes(self, name: str) -> None:
        await self.send({"event": "mark", "streamSid": "MZ1", "mark": {"name": name}})

    async def next(self) -> dict[str, Any]:
        """The next message from the server; the close as {"event": "closed", "code": ...}."""
        message = await self.socket.receive(timeout=TIMEOUT_S)
        if message.type is aiohttp.WSMsgType.TEXT:
            answer: dict[str, Any] = json.loads(message.data)
            return answer
        return {"event": "closed", "code": self.socket.close_code}

    async def until(self, event: str) -> list[dict[str, Any]]:
        """All messages up to the first of a kind."""
        messages = [await self.next()]
        while messages[-1]["event"] != event:
            messages.append(await self.next())
        return messages


@attrs.define(eq=False)
class Hands:
    """The application between two peers that do nothing by themselves."""

    base: str
    server: Server
    http: aiohttp.ClientSession
    _apis: asyncio.Queue[Api]
    _lines: list[Twilio] = attrs.field(factory=list)
    """Kept: a line that nobody holds is a line that is closed."""

    async def call(self, call_sid: str = "CA1", **parameters: str) -> Twilio:
        """A call whose stream has started."""
        twilio = await self.connect()
        await twilio.starts(call_sid, **parameters)
        return twilio

    async def connect(self, headers: dict[str, str] | None = None) -> Twilio:
        """A media socket on which nothing has been said."""
        self._lines.append(Twilio(await self.http.ws_connect(f"ws{self.base}/twilio/media", headers=headers)))
        return self._lines[-1]

    async def api(self) -> Api:
        """The next connection to the API."""
        async with asyncio.timeout(TIMEOUT_S):
            return await self._apis.get()


@asynccontextmanager
async def by_hand(
    config: Config | None = None, environment: Environment | None = None, folder: Path | None = None
) -> AsyncIterator[Hands]:
    """Run the application for the length of the block; insecure, unless the environment has a Twilio token."""
    apis: asyncio.Queue[Api] = asyncio.Queue()

    async def realtime(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(timeout=0.2)
        await socket.prepare(request)
        api = Api(socket)
        apis.put_nowait(api)
        await api.listen()
        return socket

    fake = web.Application()
    fake.router.add_get("/v1/realtime", realtime)
    runners = [web.AppRunner(fake, access_log=None, shutdown_timeout=0.2)]
    await runners[0].setup()
    await web.TCPSite(runners[0], "127.0.0.1", 0).start()
    url = f"ws://127.0.0.1:{runners[0].addresses[0][1]}/v1/realtime"
    environment = attrs.evolve(environment or Environment("sk-secret"), realtime_url=url)
    is_insecure = not environment.twilio_auth_token
    server = make_server(config or Config(), environment, journal_dir=folder, is_insecure=is_insecure)
    runners.append(web.AppRunner(build_app(server), access_log=None, shutdown_timeout=0.2))
    await runners[1].setup()
    await web.TCPSite(runners[1], "127.0.0.1", 0).start()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        try:
            yield Hands(f"://127.0.0.1:{runners[1].addresses[0][1]}", server, http, apis)
        finally:
            for runner in reversed(runners):
                await runner.cleanup()
