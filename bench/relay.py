"""The opponent: a bare relay between Twilio and the Realtime API, as good as aiohttp allows, without logic.

Every frame of the caller goes to the API, every delta of the API goes to the caller with a mark behind it; nothing
is measured, decided, logged or remembered. uvloop, no compression, typed msgspec decoding, text never made a `str`,
base64 handed on as it came, messages written from templates.
"""

import asyncio
import os
from typing import Final

import aiohttp
import msgspec
import uvloop
from aiohttp import WSMsgType, web
from yarl import URL


class MediaBody(msgspec.Struct):
    """The caller's audio."""

    payload: str


class FromTwilio(msgspec.Struct):
    """What of Twilio's messages matters to a relay."""

    event: str
    media: MediaBody | None = None
    streamSid: str = ""  # noqa: N815 - Twilio's name


class FromRealtime(msgspec.Struct):
    """What of the API's events matters to a relay."""

    type: str
    delta: str = ""


OF_TWILIO: Final = msgspec.json.Decoder(FromTwilio)
OF_REALTIME: Final = msgspec.json.Decoder(FromRealtime)
HTTP: Final = web.AppKey("http", aiohttp.ClientSession)
PCMU: Final = {"format": {"type": "audio/pcmu"}}
SESSION: Final = {"type": "realtime", "audio": {"input": PCMU, "output": PCMU}}
BEGIN: Final = msgspec.json.encode({"type": "session.update", "session": SESSION})

Caller = web.WebSocketResponse[bool]
Api = aiohttp.ClientWebSocketResponse[bool]


async def upwards(caller: Caller, api: Api) -> None:
    """Hand the caller's frames to the API until the call ends."""
    async for message in caller:
        if message.type is not WSMsgType.TEXT:
            return
        told = OF_TWILIO.decode(message.data)
        if told.media is not None:
            audio = b'{"type":"input_audio_buffer.append","audio":"' + told.media.payload.encode() + b'"}'
            await api.send_frame(audio, WSMsgType.TEXT)
        elif told.event == "stop":
            return


async def downwards(caller: Caller, api: Api, sid: bytes) -> None:
    """Hand the API's audio to the caller, a mark behind each piece."""
    media = b'{"event":"media","streamSid":"' + sid + b'","media":{"payload":"'
    mark = b'{"event":"mark","streamSid":"' + sid + b'","mark":{"name":"m'
    marks = 0
    async for message in api:
        if message.type is not WSMsgType.TEXT:
            return
        told = OF_REALTIME.decode(message.data)
        if told.type == "response.output_audio.delta":
            marks += 1
            await caller.send_frame(media + told.delta.encode() + b'"}}', WSMsgType.TEXT)
            await caller.send_frame(mark + str(marks).encode() + b'"}}', WSMsgType.TEXT)


async def stream_sid(caller: Caller) -> bytes:
    """Return the name of the stream, which its start tells."""
    async for message in caller:
        told = OF_TWILIO.decode(message.data)
        if told.event == "start":
            return told.streamSid.encode()
    return b""


async def call(request: web.Request) -> Caller:
    """Carry one call."""
    caller: Caller = web.WebSocketResponse(compress=False, decode_text=False)
    await caller.prepare(request)
    sid = await stream_sid(caller)
    url = URL(os.environ["OPENAI_REALTIME_URL"]).update_query(model="none")
    async with request.app[HTTP].ws_connect(url, decode_text=False, max_msg_size=2**24) as api:
        await api.send_frame(BEGIN, WSMsgType.TEXT)
        down = asyncio.create_task(downwards(caller, api, sid))
        try:
            await upwards(caller, api)
        except ConnectionError:
            pass
        finally:
            down.cancel()
            await asyncio.wait([down])
    return caller


async def serve() -> None:
    """Serve on any free port until killed."""
    app = web.Application()
    app.router.add_get("/twilio/media", call)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        app[HTTP] = http
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(f"listening on http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve())
