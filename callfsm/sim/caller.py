"""A simulated caller: place a call to a webhook or a media socket, and script who says what when."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
import attrs
from yarl import URL

from callfsm.hearing.mulaw import FRAME_BYTES, FRAME_MS
from callfsm.sim.earpiece import SILENCE
from callfsm.sim.media_line import Entry, Kind, MediaLine
from callfsm.sim.sockets import Socket
from callfsm.sim.webhook import Details, Signer, Stream, at_origin, ring

_CLOSE_TIMEOUT: Final = aiohttp.ClientWSTimeout(ws_close=1.0)


class CallOverError(ConnectionError):
    """The call ended while the caller's script still wanted something of it."""


@attrs.define(eq=False)
class SimulatedCaller:
    """A call in progress; `place_call` makes one, and `on_line` where there is a socket already.

    Every `..._ms` and `line_s` is line time, which runs `speed` times as fast as the clock; every `timeout_s`
    is real time. What waits raises TimeoutError when that is up, and CallOverError when the call ends first.
    What is audible is known to 20 ms of line time.
    """

    _line: MediaLine
    _lose: Callable[[], Awaitable[object]]
    _socket: Socket
    _streaming: asyncio.Task[None]

    @property
    def details(self) -> Details:
        """Who calls whom."""
        return self._line.details

    @property
    def log(self) -> list[Entry]:
        """All that happened on the line so far, in order."""
        return self._line.log

    @property
    def is_over(self) -> bool:
        """Whether the call has ended, whoever ended it."""
        return self._line.is_over

    @property
    def started_s(self) -> float:
        """When line time began, on the event loop's monotonic clock: the zero of a timeline."""
        return self._line.started_s

    @property
    def heard(self) -> bytes:
        """All that came out of the earpiece, silence included, as mu-law: byte 8 * t was heard at t ms."""
        return bytes(self._line.earpiece.recording)

    @property
    def is_assistant_audible(self) -> bool:
        """Whether the caller hears the assistant now."""
        return self._line.earpiece.playback_sample is not None

    @property
    def heard_ms(self) -> float:
        """How much has been heard of what is playing now; 0 in silence."""
        return self._line.earpiece.heard_ms

    def entries(self, kind: Kind) -> list[Entry]:
        """Return the log's entries of one kind, oldest first."""
        return [entry for entry in self._line.log if entry.kind is kind]

    async def say(self, ulaw: bytes) -> None:
        """Stream mu-law audio, after what is being said already, and return when all of it has gone out."""
        frames = -(-len(ulaw) // FRAME_BYTES)
        self._line.to_say += ulaw.ljust(frames * FRAME_BYTES, SILENCE)
        said_by = self._line.frames_streamed + len(self._line.to_say) // FRAME_BYTES
        self._line.note(Kind.SAY, str(frames * FRAME_MS))
        await self._until(lambda: self._line.frames_streamed >= said_by, "end of speech", timeout_s=None)
        self._line.note(Kind.SAID, str(frames * FRAME_MS))

    async def silence(self, line_s: float) -> None:
        """Let this much line time pass."""
        over_by = self._line.frames_streamed + round(line_s * 1000 / FRAME_MS)
        await self._until(lambda: self._line.frames_streamed >= over_by, "end of silence", timeout_s=None)

    async def wait_heard(self, min_ms: float, timeout_s: float = 10.0) -> None:
        """Wait until `min_ms` of one unbroken playback have been heard; ask for less than the whole of it."""
        await self._until(lambda: self.heard_ms >= min_ms, f"{min_ms} ms of the assistant", timeout_s)

    async def wait_quiet(self, timeout_s: float = 30.0) -> None:
        """Wait until the assistant is not audible, which it may not be to begin with."""
        await self._until(lambda: not self.is_assistant_audible, "silence of the assistant", timeout_s)

    async def wait_for(self, kind: Kind, count: int = 1, timeout_s: float = 10.0) -> list[Entry]:
        """Wait until the log has `count` entries of a kind; return all it has."""
        await self._until(lambda: len(self.entries(kind)) >= count, f"{kind} number {count}", timeout_s)
        return self.entries(kind)

    async def wait_over(self, timeout_s: float = 10.0) -> None:
        """Wait until the call is over and its socket closed, whoever ended it."""
        await self._line.changes.until(lambda: bool(self.entries(Kind.CLOSED)), "end of the call", timeout_s)

    async def hang_up(self) -> None:
        """End the call as the caller's hanging up does: `stop`, then a close. No effect once it is over."""
        self._streaming.cancel()
        if not self.is_over:
            await self._line.stop()

    async def drop(self) -> None:
        """Lose the connection: no `stop`, no closing handshake."""
        self._line.end()
        self._streaming.cancel()
        await self._lose()

    async def press(self, digits: str) -> None:
        """Press keys, a quarter of a second each."""
        for digit in digits:
            await self._line.press(digit)
            await self.silence(0.25)

    def stop_reading(self) -> None:
        """Take nothing more off the socket, as a peer that hangs."""
        self._line.is_reading.clear()

    def read_on(self) -> None:
        """Take what has come meanwhile, and what comes."""
        self._line.is_reading.set()

    @property
    def socket(self) -> Socket:
        """The media socket itself, for misbehaviour."""
        return self._socket

    async def send_raw(self, message: str | bytes) -> None:
        """Send a text or binary message as it stands, outside the numbering: for misbehaviour."""
        if isinstance(message, str):
            await self._socket.send_str(message)
        else:
            await self._socket.send_bytes(message)

    async def _until(self, is_true: Callable[[], bool], what: str, timeout_s: float | None) -> None:
        await self._line.changes.until(lambda: is_true() or self.is_over, what, timeout_s)
        if not is_true():
            raise CallOverError(f"the call was over before the {what}")


@asynccontextmanager
async def place_call(
    url: str,
    *,
    details: Details | None = None,
    parameters: Mapping[str, str] | None = None,
    signer: Signer | None = None,
    speed: float = 1.0,
    background: bytes = SILENCE,
    echo_marks: bool = True,
) -> AsyncIterator[SimulatedCaller]:
    """Call `url` and hang up at the end of the block.

    An http(s) URL is the voice webhook: it is rung first, and its TwiML names the media socket and the custom
    parameters. A ws(s) URL is the media socket itself, and `parameters` are the custom ones. `background` is
    the mu-law that the line carries, over and over, while the caller says nothing.

    Raises NotConnectedError where the webhook does not connect the call, aiohttp.ClientError where the server
    cannot be reached or refuses the handshake.
    """
    details = details or Details()
    signer = signer or Signer()
    async with aiohttp.ClientSession() as session:
        stream, media_url = await _route(session, URL(url), details, signer, parameters or {})
        headers = signer.headers(stream.url, {})
        async with session.ws_connect(media_url, headers=headers, timeout=_CLOSE_TIMEOUT) as socket:
            line = MediaLine(details, speed, background, echo_marks, socket)
            async with on_line(line, socket, stream.parameters, lose=session.close) as caller:
                yield caller


@asynccontextmanager
async def on_line(
    line: MediaLine, socket: Socket, parameters: Mapping[str, str], lose: Callable[[], Awaitable[object]]
) -> AsyncIterator[SimulatedCaller]:
    """Be the caller on a line whose socket is open, and hang up at the end of the block.

    `lose` breaks the connection off.
    """
    await line.start(parameters)
    streaming, listening = asyncio.create_task(line.stream()), asyncio.create_task(line.listen())
    for task in (streaming, listening):
        # Else a script would wait for ever on a line whose task has died.
        task.add_done_callback(lambda _: line.end())
    caller = SimulatedCaller(line, lose, socket, streaming)
    try:
        yield caller
    finally:
        await caller.hang_up()
        await _finish(streaming, listening)


async def _route(
    session: aiohttp.ClientSession, url: URL, details: Details, signer: Signer, parameters: Mapping[str, str]
) -> tuple[Stream, URL]:
    """Return the stream as the server knows it, and the URL at which it is reached from here."""
    if url.scheme in {"ws", "wss"}:
        return Stream(signer.public(url), dict(parameters)), url
    stream = await ring(session, url, details, signer)
    return stream, stream.url if signer.public_url is None else at_origin(stream.url, url)


async def _finish(*tasks: asyncio.Task[None]) -> None:
    """End the tasks, and raise what one of them may have died of."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.result()
