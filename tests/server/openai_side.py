"""What the tests of OpenAI's side share: short pauses, an ear that hears all out, and what the machine was fed."""

import asyncio
import base64
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import aiohttp
import attrs
from aiohttp import web

from callfsm.config import Config, LimitsConfig, TurnConfig
from callfsm.environment import Environment
from callfsm.events import Event
from callfsm.server import link, reminders, spare_session
from callfsm.server.app import build_app
from callfsm.server.reminders import Reminders
from callfsm.server.session import CallSession
from callfsm.server.shared import make_server
from callfsm.sim.changes import Changes
from callfsm.sim.realtime import Connections, running
from callfsm.sim.realtime_script import Reply, Script, Utterance
from tests.server.beside import ready
from tests.server.by_hand import LOUD, QUIET, TIMEOUT_S, Api, Hands, Twilio, by_hand

WORDS = "מה שעות הפתיחה?"
VOICE = bytes([0x55]) * 8 * 200
SCRIPT = Script(default_utterance=Utterance(WORDS), default_reply=Reply("בתשע.", VOICE * 5, rate=50.0), speed=50.0)
GRACELESS = TurnConfig(grace_ms=0, moment_ms=60_000)
"""Nobody is asked for a moment because the machine is busy."""
HASTY = TurnConfig(grace_ms=0, reply_timeout_ms=200, cancel_timeout_ms=100)
NEXT = "ובשישי?"
HEARD = 15 + 15 + 25
"""Frames of a question that go to the API: pre-roll, speech, hangover."""


def with_limits(turn: TurnConfig = GRACELESS, **limits: Any) -> Config:
    return Config(turn=turn, limits=LimitsConfig(**limits))


@contextmanager
def quick() -> Iterator[None]:
    """Have everything that is waited for come soon."""
    pauses: dict[str, Any] = {"FIRST_BACKOFF_S": 0.02, "JITTER_S": 0.02, "LOOK_S": 0.05}
    looks = mock.patch.object(reminders, "LOOK_S", 0.02), mock.patch.object(spare_session, "SPARE_RETRY_S", 0.1)
    with mock.patch.multiple(link, **pauses), looks[0], looks[1]:
        yield


@asynccontextmanager
async def driven(folder: Path | None = None, config: Config | None = None) -> AsyncIterator[Hands]:
    """Run the application between two peers driven by hand, quickly."""
    with quick():
        async with by_hand(config or Config(turn=GRACELESS), folder=folder) as hands:
            yield hands


@asynccontextmanager
async def served(url: str, folder: Path | None = None, config: Config | None = None) -> AsyncIterator[Hands]:
    """Run the application against any API, quickly, with the caller's side driven by hand."""
    server = make_server(
        config or Config(turn=GRACELESS), Environment("sk-secret", url), journal_dir=folder, is_insecure=True
    )
    runner = web.AppRunner(build_app(server), access_log=None, shutdown_timeout=0.2)
    with quick():
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            base = f"://127.0.0.1:{runner.addresses[0][1]}"
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
                yield Hands(base, server, http, asyncio.Queue())
        finally:
            await runner.cleanup()


@attrs.frozen
class Simulated:
    """The application, and the simulated API that it talks to."""

    hands: Hands
    api: Connections


@asynccontextmanager
async def simulated(
    *scripts: Script, folder: Path | None = None, config: Config | None = None
) -> AsyncIterator[Simulated]:
    """Run the application against the simulated API: the n-th attempt to connect gets the n-th script."""
    async with running(*scripts) as api, served(api.url, folder, config) as hands:
        yield Simulated(hands, api.connections)


@attrs.define(eq=False)
class Ear:
    """A caller who hears out at once whatever is sent, and echoes the marks behind it."""

    line: Twilio
    audio: bytearray = attrs.field(factory=bytearray)
    events: list[str] = attrs.field(factory=list)
    is_echoing: bool = True
    marks: list[str] = attrs.field(factory=list)
    """Those that have not been echoed."""
    _changes: Changes = attrs.field(factory=Changes)

    async def listen(self) -> None:
        while "closed" not in self.events:
            message = await self.line.next()
            if message["event"] == "media":
                self.audio += base64.b64decode(message["media"]["payload"])
            if message["event"] == "mark":
                self.marks.append(message["mark"]["name"])
            if self.is_echoing:
                await self.echo()
            self.events.append(message["event"])
            self._changes.notify()

    async def echo(self, count: int | None = None) -> None:
        """Echo the marks that wait, or so many of them."""
        for name in self.marks[:count]:
            await self.line.echoes(name)
        del self.marks[:count]

    async def until(self, is_true: Callable[[], bool], what: str = "") -> None:
        await self._changes.until(is_true, f"{what} among {self.events[-20:]}", TIMEOUT_S)

    async def hears(self, audio: bytes) -> None:
        """Wait until the caller has been sent this, at the end of all."""
        await self.until(lambda: self.audio.endswith(audio), f"{len(audio)} bytes")

    async def hears_in_all(self, size: int) -> None:
        """Wait until the caller has been sent so many bytes, and no more."""
        await self.until(lambda: len(self.audio) == size, f"{size} bytes in all")

    async def until_marked(self, count: int) -> None:
        await self.until(lambda: len(self.marks) >= count, f"{count} marks")

    async def until_closed(self) -> None:
        await self.until(lambda: "closed" in self.events, "close")


@asynccontextmanager
async def ear(line: Twilio, *, is_echoing: bool = True) -> AsyncIterator[Ear]:
    """Hear a line for the length of the block; hang up in the end."""
    listening = Ear(line, is_echoing=is_echoing)
    task = asyncio.create_task(listening.listen())
    try:
        yield listening
        with contextlib.suppress(ConnectionError):
            await hangs_up(line)
        await listening.until_closed()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@attrs.define(eq=False)
class Fed:
    """What calls were fed, and how often they were looked at, by name."""

    counts: Counter[str] = attrs.field(factory=Counter)
    _changes: Changes = attrs.field(factory=Changes)

    def add(self, what: str) -> None:
        self.counts[what] += 1
        self._changes.notify()

    async def until(self, what: str, more: int = 1) -> None:
        """Wait until it has happened so many times more."""
        wanted = self.counts[what] + more
        await self._changes.until(lambda: self.counts[what] >= wanted, f"{what} {wanted}", TIMEOUT_S)


@contextmanager
def fed() -> Iterator[Fed]:
    """Count what every call is fed; "look" is one look of its reminders."""
    seen, feed, look = Fed(), CallSession.feed, Reminders._look

    def noted(self: CallSession, event: Event) -> None:
        feed(self, event)
        seen.add(type(event).__name__)

    def looked(self: Reminders, now: float) -> None:
        look(self, now)
        seen.add("look")

    with mock.patch.object(CallSession, "feed", noted), mock.patch.object(Reminders, "_look", looked):
        yield seen


def abort(api: Api) -> None:
    """Break the API's connection without a word."""
    assert api.socket._req is not None
    transport = api.socket._req.transport
    assert transport is not None
    transport.abort()


async def begun(hands: Hands, call_sid: str = "CA1") -> tuple[Twilio, Api]:
    """A call whose line is calibrated and whose session is ready."""
    line = await hands.call(call_sid)
    api = await ready(hands)
    await line.hears(*[QUIET] * 75)
    return line, api


async def said(line: Twilio, api: Api, count: int = 1, words: str = WORDS) -> dict[str, Any]:
    """Have the caller ask the session's count-th question; return the request for the reply."""
    await line.asks()
    return await transcribed(api, count, words)


async def transcribed(api: Api, count: int = 1, words: str = WORDS) -> dict[str, Any]:
    """Transcribe the session's count-th utterance; return the next request for a reply."""
    requests = api.types().count("response.create")
    await api.until("input_audio_buffer.commit", count)
    await api.send("input_audio_buffer.committed", item_id=f"u{count}")
    await api.transcribes(f"u{count}", words)
    return await api.until("response.create", requests + 1)


async def replies(
    api: Api, create: dict[str, Any], response_id: str, *, value: int = 0x55, words: str = "בתשע.", ms: int = 200
) -> None:
    """Answer a request in full."""
    turn = create["response"]["metadata"]["turn"]
    await api.creates(response_id, turn)
    await api.speaks(response_id, f"item_{response_id}", ms, value=value)
    await has_words(api, response_id, words)
    await api.ends(response_id, turn, "completed", f"item_{response_id}")


async def has_words(api: Api, response_id: str, words: str) -> None:
    """Give the words of a reply."""
    await api.send(
        "response.output_audio_transcript.done",
        response_id=response_id, item_id=f"item_{response_id}", output_index=0, content_index=0, transcript=words,
    )  # fmt: skip


async def is_answered(line: Twilio, api: Api, hearing: Ear, count: int = 1) -> None:
    """The caller asks a next question, and is answered."""
    create = await said(line, api, count, NEXT)
    await replies(api, create, f"next{count}", value=0x22)
    await hearing.hears(voice(200, 0x22))


async def goes_well(line: Twilio, api: Api, hearing: Ear, count: int = 1) -> None:
    """The call is as good as any: a next question is answered, and the caller hangs up."""
    await is_answered(line, api, hearing, count)
    await hangs_up(line)
    await hearing.until_closed()


async def is_idle(line: Twilio, api: Api, hearing: Ear) -> None:
    await replies(api, await said(line, api), "r1")
    await hearing.hears(VOICE)


def told(api: Api) -> list[tuple[str, str]]:
    """The turns that a session was told, in order."""
    items = [event["item"] for event in api.received if event["type"] == "conversation.item.create"]
    return [(item["role"], item["content"][0]["text"]) for item in items]


def voice(ms: int, value: int = 0x55) -> bytes:
    return bytes([value]) * (8 * ms)


async def asks(line: Twilio) -> None:
    """Calibrate the line and ask a question."""
    await line.hears(*[QUIET] * 75)
    await line.asks()


async def hangs_up(line: Twilio) -> None:
    await line.send({"event": "stop"})


async def status(hands: Hands, path: str = "/readyz") -> int:
    async with hands.http.get(f"http{hands.base}{path}") as answer:
        return answer.status


async def twiml(hands: Hands, path: str, call_sid: str = "CA1") -> str:
    async with hands.http.post(f"http{hands.base}{path}", data={"CallSid": call_sid, "To": "+9723"}) as answer:
        return await answer.text()


def gauge(hands: Hands, name: str) -> float:
    return hands.server.metrics.registry.get_sample_value(f"callfsm_{name}") or 0.0


def lines(folder: Path, call_sid: str = "CA1") -> list[dict[str, Any]]:
    """The lines of a call's journal, once the application is down."""
    (path,) = folder.glob(f"*-{call_sid}.jsonl")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


SPEAKS = [LOUD] * 10
