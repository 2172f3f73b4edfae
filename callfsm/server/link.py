"""The Realtime leg of one call: connected while the line is calibrated, connected anew when it is lost or old."""

import asyncio
import contextlib
import random
from typing import Final, Protocol

import aiohttp

from callfsm.config import LimitsConfig
from callfsm.events import (
    AudioDelta,
    CallEnded,
    Event,
    RealtimeError,
    RealtimeLost,
    RealtimeReady,
)
from callfsm.hearing.mulaw import SAMPLE_RATE_HZ
from callfsm.server.outbox import Outbox
from callfsm.server.realtime_session import (
    RealtimeAddress,
    RefusedError,
    UnavailableError,
    check_close,
    open_session,
)
from callfsm.server.spare_session import SpareSession
from callfsm.wire import realtime
from callfsm.wire.malformed import MalformedError

FIRST_BACKOFF_S: Final = 1.0
BACKOFF_FACTOR: Final = 3
LEAST_OF_BACKOFF: Final = 0.75
"""Of a back-off so much is certain, and the rest is jitter: calls that lost their sessions together come apart."""
JITTER_S: Final = 0.25
"""The same for the first try after a session that lasted, for which nobody should wait."""
RENEWED: Final = "left for a new one"
STEADY_S: Final = 5.0
"""After a session that lived as long the tries are counted anew."""
LASTING_S: Final = 60.0
MOST_SPEECHLESS: Final = 3
"""So many sessions in a row may end without a word, each before LASTING_S: the next one would not last either."""
LEAST_AGE: Final = 0.95
"""Of realtime_session_s so much is certain, and the rest is left to chance."""
WAITING_BYTES: Final = 2**20
"""Some 60 s of the caller's audio, base64 and JSON included."""
MOST_AHEAD_S: Final = 1800.0
"""So much audio ahead of the clock is no reply."""
LOOK_S: Final = 1.0
BURST_MESSAGES: Final = 32
"""So many are read at a stretch; receiving does not let others run while messages are waiting."""


class Owner(Protocol):
    """Whose link it is."""

    def feed(self, event: Event) -> None:
        """Take an event."""

    def count(self, error: MalformedError) -> None:
        """Count a message that cannot be read."""

    def tried(self, result: str) -> None:
        """Count a try to get a session, by what came of it."""

    def lost(self, why: str) -> None:
        """Note that a session is gone, and why."""

    @property
    def is_response_awaited(self) -> bool:
        """Whether a response has been requested that has not ended."""


class RealtimeLink:
    """One call's connection to the Realtime API, over as many sockets as it takes."""

    def __init__(
        self, http: aiohttp.ClientSession, address: RealtimeAddress, limits: LimitsConfig, owner: Owner
    ) -> None:
        self._http = http
        self._address = address
        self._limits = limits
        self._owner = owner
        self._now = asyncio.get_running_loop().time
        self._outbox = Outbox("realtime", WAITING_BYTES, drops_audio=True)
        self._renewed = asyncio.Event()
        self._is_answer_awaited = False
        self._has_heard = False
        self._has_spoken = False
        self._spare = SpareSession(self._open)
        self.ready_at: float | None = None
        """When the session that there is began, on the loop's clock."""
        self.missing_since = self._now()
        """When there last was a session, or the call began."""

    @property
    def dropped(self) -> int:
        """Return how many of the caller's frames were dropped because the API did not read them."""
        return self._outbox.dropped

    def send(self, message: bytes, *, audio: bool = False, is_answered: bool = False) -> None:
        """Queue a message for the session; without one it is dropped, for the next session is told anew.

        One that `is_answered` must be followed by some message of the API, or the session is held to be lost.
        """
        if self.ready_at is not None:
            self._outbox.put(message, audio=audio)
            self._is_answer_awaited |= is_answered

    def renew(self) -> None:
        """Leave the session for the one that has been made ready in its place."""
        self._renewed.set()

    @property
    def has_spare(self) -> bool:
        """Whether a session is ready to take the place of this one, which is old."""
        return self._spare.is_ready

    async def run(self) -> None:
        """Keep a session until cancelled; feed the end of the call where none can be had, or none lasts."""
        try:
            await self._keep_session()
        finally:
            await self._spare.close()

    async def _keep_session(self) -> None:
        tries, speechless, first_at, had_session = 0, 0, self._now(), False
        while True:
            tries += 1
            retry_after_s = lived_s = 0.0
            try:
                socket = await self._next_session()
                had_session = True
                lived_s = await self._serve(socket)
                reason = "realtime_lost"
            except RefusedError as error:
                self._owner.feed(CallEnded(self._now(), str(error)))
                return
            except UnavailableError as error:
                reason, retry_after_s = str(error), error.retry_after_s
            if lived_s >= STEADY_S or self._renewed.is_set():
                tries, first_at = 0, self._now()
                is_good = self._has_spoken or lived_s >= LASTING_S or self._renewed.is_set()
                speechless = 0 if is_good else speechless + 1
                self._renewed.clear()
            pause_s = max(_backoff_s(tries, is_known=had_session), retry_after_s)
            is_late = self._now() + pause_s > first_at + self._limits.realtime_tries_s
            if tries >= self._limits.realtime_tries or is_late or speechless >= MOST_SPEECHLESS:
                self._owner.feed(CallEnded(self._now(), reason))
                return
            if not self.has_spare:
                await asyncio.sleep(pause_s)

    async def _next_session(self) -> aiohttp.ClientWebSocketResponse:
        return await self._spare.take() or await self._open()

    async def _open(self) -> aiohttp.ClientWebSocketResponse:
        result = "ready"
        try:
            return await open_session(self._http, self._address, self._limits, self._decode)
        except (RefusedError, UnavailableError) as error:
            result = str(error)
            raise
        finally:
            self._owner.tried(result)

    async def _serve(self, socket: aiohttp.ClientWebSocketResponse) -> float:
        """Carry a session until its socket is lost, or left for another; return how many seconds it lived."""
        began = self.ready_at = self._now()
        self._renewed.clear()
        self._is_answer_awaited = self._has_heard = self._has_spoken = False
        self._owner.feed(RealtimeReady(began))
        legs = [
            asyncio.create_task(leg)
            for leg in (self._read(socket), self._write(socket), self._watch(began), self._renewed.wait())
        ]
        silence = legs[2]
        try:
            await asyncio.wait(legs, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.ready_at, self.missing_since = None, self._now()
            self._outbox.clear()
            self._owner.feed(RealtimeLost(self.missing_since))
            if silence.done():
                # The caller has been waiting as long.
                self.missing_since -= self._limits.realtime_silent_s
            for leg in legs:
                leg.cancel()
            ends = await asyncio.gather(*legs, return_exceptions=True)
            await socket.close()
        for end in ends:
            if isinstance(end, Exception):
                raise end
        why = "silent" if not silence.cancelled() else f"closed with {socket.close_code}"
        self._owner.lost(RENEWED if self._renewed.is_set() else why)
        check_close(socket)
        return self._now() - began

    async def _write(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        # A socket that cannot be written is lost, which reading it tells as well.
        with contextlib.suppress(ConnectionError):
            await self._outbox.write_to(socket)

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        spoken_until, burst = self._now(), 0
        async for message in socket:
            self._is_answer_awaited, self._has_heard = False, True
            event = self._decode(message)
            burst += 1
            if burst >= BURST_MESSAGES:
                burst = 0
                await asyncio.sleep(0)
            if event is None or isinstance(event, realtime.SessionUpdated):
                continue
            if isinstance(event, AudioDelta):
                self._has_spoken = True
                spoken_until = max(spoken_until, self._now()) + len(event.audio) / SAMPLE_RATE_HZ
                if spoken_until > self._now() + MOST_AHEAD_S:
                    raise RefusedError("realtime_flood")
            self._owner.feed(event)
            if isinstance(event, RealtimeError) and event.code == "session_expired":
                return

    async def _watch(self, began: float) -> None:
        """Return when an answer is overdue; have a session made ready that takes the place of an old one.

        Looks are counted and not seconds: a process that was stopped for long has not been looking.
        """
        awaited_looks = 0
        # Calls that began together do not renew together.
        session_s = self._limits.realtime_session_s * random.uniform(LEAST_AGE, 1)  # noqa: S311
        while awaited_looks * LOOK_S < self._limits.realtime_silent_s:
            await asyncio.sleep(LOOK_S)
            is_silent = not self._has_heard and (self._is_answer_awaited or self._owner.is_response_awaited)
            awaited_looks, self._has_heard = awaited_looks + 1 if is_silent else 0, False
            if self._now() >= began + session_s:
                self._spare.prepare()

    def _decode(self, message: aiohttp.WSMessage) -> Event | realtime.SessionUpdated | None:
        if message.type is aiohttp.WSMsgType.ERROR and not isinstance(message.data, aiohttp.WebSocketError):
            # The connection broke, or no ping came back: nobody sent a message.
            return None
        if message.type is not aiohttp.WSMsgType.TEXT:
            self._owner.count(MalformedError("realtime message: not text"))
            return None
        try:
            return realtime.decode(message.data, self._now(), self._address.redaction)
        except MalformedError as error:
            self._owner.count(error)
            return None


def _backoff_s(tries: int, *, is_known: bool) -> float:
    """Return how long to wait after so many tries in a row that failed.

    An API that has served this call is waited for twice as long: somebody is on the line who was told to wait.
    """
    if not tries:
        return random.uniform(0, JITTER_S)  # noqa: S311 - it spreads tries, and keeps no secret
    pause_s: float = (1 + is_known) * FIRST_BACKOFF_S * BACKOFF_FACTOR ** (tries - 1)
    return pause_s * random.uniform(LEAST_OF_BACKOFF, 1)  # noqa: S311
