"""What the handlers of one server share."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import aiohttp
from aiohttp import web
from attrs import define, field, frozen

from callfsm.audit.journal import JournalWriter
from callfsm.config import Business, Config
from callfsm.detector.service import Detector
from callfsm.detector.silero import load
from callfsm.environment import Environment
from callfsm.server.breaker import Breaker
from callfsm.server.clips import read_clips, read_greetings, spoken_clips
from callfsm.server.metrics import Metrics
from callfsm.server.realtime_session import RealtimeAddress
from callfsm.server.security import Doorkeeper
from callfsm.server.seldom import Seldom
from callfsm.server.session import FAILURES, CallSession
from callfsm.server.tokens import Tokens
from callfsm.speaking.clips import Clip, Clips
from callfsm.wire.realtime_out import session_update
from callfsm.wire.redaction import redaction_of

REMEMBERED_ENDINGS: Final = 1000
AFTERWARDS_S: Final = 3.0
"""So soon Twilio asks what follows a stream that we closed, or fetches a clip that it was told to play."""
ENDED_BY_TWILIO: Final = ("hangup", "twilio_lost")
IDLE_POLL_S: Final = 0.05


@frozen
class Afterwards:
    """What follows a call's stream, before Twilio hangs up: a clip, or another number."""

    clip: str = ""
    number: str = ""


@define(eq=False)
class Server:
    """One server: its configuration, its services and its live calls."""

    config: Config
    environment: Environment
    journal_dir: Path | None
    doorkeeper: Doorkeeper | None
    """None: no signature and no token is asked for (`--insecure`)."""
    tokens: Tokens
    clips: Mapping[str, bytes]
    """The wav files that callers may hear, by name."""
    spoken_clips: Clips
    """Those of them that are spoken in mid-call."""
    greetings: Mapping[str, Clip]
    """The greetings that are recordings, by the business's number."""
    metrics: Metrics
    breaker: Breaker
    detector: Detector | None = None
    """Confirms interruptions; None where it is switched off."""
    calls: dict[str, CallSession] = field(factory=dict)
    """The live calls by CallSid."""
    is_draining: bool = False
    http: aiohttp.ClientSession = field(init=False)
    journals: JournalWriter | None = None
    _afterwards: OrderedDict[str, Afterwards] = field(factory=OrderedDict)
    unstarted: set[web.WebSocketResponse] = field(factory=set)
    """Media sockets whose stream has not started."""
    _refusals: dict[str, Seldom] = field(factory=dict)
    _needed_until: float = 0.0
    _ended: asyncio.Condition = field(factory=asyncio.Condition)

    @property
    def has_room(self) -> bool:
        """Whether another call may come in."""
        return not self.is_draining and len(self.calls) < self.config.max_calls

    def realtime_address(self, business: Business, briefing: str) -> RealtimeAddress:
        """Return where a call's Realtime session is to be had, and how it begins."""
        config = self.config
        return RealtimeAddress(
            url=self.environment.realtime_url,
            model=config.realtime.model,
            api_key=self.environment.openai_api_key,
            session_update=session_update(config.realtime, business, briefing),
            redaction=redaction_of(config.privacy.redact),
        )

    async def call_ended(self, call_sid: str, reason: str) -> None:
        """Note a call's end, and what its caller is to hear."""
        self.calls.pop(call_sid, None)
        self.metrics.active_calls.set(len(self.calls))
        self.metrics.calls.labels(reason.partition(":")[0]).inc()
        if reason not in ENDED_BY_TWILIO:
            self.stay()
        self.breaker.ended(reason)
        if reason.startswith(FAILURES):
            self.owe(call_sid, Afterwards(clip="apology"))
        async with self._ended:
            self._ended.notify_all()

    def stay(self) -> None:
        """Be there for a moment: Twilio is about to ask for what follows a stream, or for a clip."""
        self._needed_until = time.monotonic() + AFTERWARDS_S

    def refused(self, reason: str, place: str) -> None:
        """Note that somebody was not let in: in the count, and once a minute and reason in the log."""
        self.metrics.rejected.labels(reason).inc()
        self._refusals.setdefault(reason, Seldom()).say("[DOOR] Refused at %s: %s", place, reason)

    def owe(self, call_sid: str, afterwards: Afterwards) -> None:
        """Have a clip spoken, or another number connected, once a call's stream is closed."""
        self._afterwards[call_sid] = afterwards
        while len(self._afterwards) > REMEMBERED_ENDINGS:
            self._afterwards.popitem(last=False)

    def afterwards(self, call_sid: str) -> Afterwards:
        """Return what follows a call's stream; it is asked for once."""
        return self._afterwards.pop(call_sid, Afterwards())

    async def wait_for_the_last_call(self) -> None:
        """Return when no call is live."""
        async with self._ended:
            await self._ended.wait_for(lambda: not self.calls)

    async def wait_until_idle(self) -> None:
        """Return when no call is live or announced, and Twilio has had time to ask for what follows the last ones."""
        while self.calls or self.tokens.has_new_ones or time.monotonic() < self._needed_until:  # noqa: ASYNC110 - time is one of the reasons
            await asyncio.sleep(IDLE_POLL_S)


SERVER: Final = web.AppKey("server", Server)


def make_server(
    config: Config, environment: Environment, *, journal_dir: Path | None = None, is_insecure: bool = False
) -> Server:
    """Return a server that does not serve yet; raise ConfigError naming what it cannot load."""
    metrics = Metrics()
    gate = config.gate
    clips = read_clips(config.clips)
    return Server(
        config,
        environment,
        journal_dir,
        None if is_insecure else Doorkeeper(environment.twilio_auth_token, config.public_url),
        Tokens(time.monotonic, config.limits.token_s),
        clips,
        spoken_clips(config.clips, clips),
        read_greetings(config.business),
        metrics,
        Breaker(config.limits, metrics.realtime_down, time.monotonic),
        Detector(load(gate.detector_model), gate.min_speech_probability, metrics.registry) if gate.detector else None,
    )
