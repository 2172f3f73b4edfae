"""A server's side of simulated calls, driven by hand: a webhook that says what it is told, and a media socket."""

import asyncio
import base64
import json
from typing import Any

import attrs
from aiohttp import WSMsgType, web


@attrs.define(eq=False)
class MediaServer:
    """A server's side of a call: what it received, and the socket to answer on."""

    base: str = ""
    twiml: str = ""
    status: int = 200
    webhooks: list[tuple[web.Request, dict[str, str]]] = attrs.field(factory=list)
    handshakes: list[web.Request] = attrs.field(factory=list)
    received: list[dict[str, Any]] = attrs.field(factory=list)
    _unread: asyncio.Queue[dict[str, Any]] = attrs.field(factory=asyncio.Queue)
    sockets: list[web.WebSocketResponse] = attrs.field(factory=list)

    @property
    def media_url(self) -> str:
        return f"{self.base}/twilio/media".replace("http", "ws")

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/twilio/voice", self.voice)
        app.router.add_get("/twilio/media", self.media)
        return app

    async def voice(self, request: web.Request) -> web.Response:
        self.webhooks.append((request, {name: str(value) for name, value in (await request.post()).items()}))
        return web.Response(text=self.twiml, content_type="text/xml", status=self.status)

    async def media(self, request: web.Request) -> web.WebSocketResponse:
        self.handshakes.append(request)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._receive(json.loads(message.data))
        finally:  # the test server cancels its handler when the client is gone
            self._receive({"event": "closed", "code": socket.close_code})
        return socket

    async def next(self, event: str) -> dict[str, Any]:
        """Return the next message of a kind, passing over the others."""
        async with asyncio.timeout(5):
            while (message := await self._unread.get())["event"] != event:
                pass
        return message

    async def answer(self, event: str, **body: Any) -> None:
        await self.sockets[0].send_json({"event": event, "streamSid": "MZ1", **body})

    async def play(self, ulaw: bytes, mark: str) -> None:
        await self.answer("media", media={"payload": base64.b64encode(ulaw).decode()})
        await self.answer("mark", mark={"name": mark})

    def _receive(self, message: dict[str, Any]) -> None:
        self.received.append(message)
        self._unread.put_nowait(message)
