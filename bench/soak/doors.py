"""Peers that never become a call, and one that falls silent: over bare sockets, for no caller does such things."""

import asyncio
import json
from typing import Final
from uuid import uuid4

import aiohttp
from aiohttp import WSMsgType
from yarl import URL

from callfsm.sim.webhook import Details, Signer, ring

from .acts import WrongError

PATIENCE_S: Final = 15.0
NEVER_STARTED: Final = 1008
FRAME: Final = json.dumps({"event": "media", "media": {"track": "inbound", "payload": "/" * 213 + "w=="}})


async def never_starts(base: str) -> None:
    """Ring, open the media socket, and say only `connected`: it is closed with 1008."""
    async with aiohttp.ClientSession() as http:
        stream = await ring(http, URL(f"{base}/twilio/voice"), Details(), Signer())
        async with http.ws_connect(stream.url) as socket:
            await socket.send_json({"event": "connected", "protocol": "Call", "version": "1.0.0"})
            message = await socket.receive(timeout=PATIENCE_S)
            if message.type is not WSMsgType.CLOSE or message.data != NEVER_STARTED:
                raise WrongError(f"a socket without a start got {message.type.name} {message.data}")


async def never_opens(base: str) -> None:
    """Ring, and open no media socket."""
    async with aiohttp.ClientSession() as http:
        await ring(http, URL(f"{base}/twilio/voice"), Details(), Signer())


async def never_asks(base: str) -> None:
    """Connect, and send half of a request: the connection is closed."""
    url = URL(base)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    try:
        writer.write(b"POST /twilio/voice HTTP/1.1\r\nHost: x\r\nContent-Le")
        async with asyncio.timeout(PATIENCE_S):
            await reader.read()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def falls_silent(base: str) -> str:
    """Begin a call, send half a second, then nothing: the server ends the call. Return its CallSid."""
    call_sid = f"CA{uuid4().hex}"
    start = {"accountSid": "AC1", "streamSid": "MZ1", "callSid": call_sid}
    async with aiohttp.ClientSession() as http, http.ws_connect(URL(base) / "twilio/media") as socket:
        await socket.send_json({"event": "start", "streamSid": "MZ1", "start": start})
        for _ in range(25):
            await socket.send_str(FRAME)
        message = await socket.receive(timeout=PATIENCE_S)
        while message.type is WSMsgType.TEXT:
            message = await socket.receive(timeout=PATIENCE_S)
    return call_sid
