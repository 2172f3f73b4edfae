"""What the handlers of one server share."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import aiohttp
from aiohttp import web
from attrs import define, field

from callfsm.audit.journal import JournalWriter
from callfsm.config import Config
from callfsm.environment import Environment
from callfsm.server.clips import read_clips, read_greetings
from callfsm.server.metrics import Metrics
from callfsm.server.security import Doorkeeper
from callfsm.server.session import CallSession
from callfsm.server.tokens import Tokens

REMEMBERED_ENDINGS: Final = 1000
FAILURES: Final = ("reply_failed", "internal_error", "realtime_")
"""Reasons of a call's end, by their beginnings, for which the caller is owed an apology."""


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
    greetings: Mapping[str, bytes]
    """The greetings that are recordings, mu-law, by the business's number."""
    metrics: Metrics = field(factory=Metrics)
    calls: dict[str, CallSession] = field(factory=dict)
    """The live calls by CallSid."""
    is_draining: bool = False
    http: aiohttp.ClientSession = field(init=False)
    journals: JournalWriter | None = None
    _last_words: OrderedDict[str, str] = field(factory=OrderedDict)
    _ended: asyncio.Condition = field(factory=asyncio.Condition)

    @property
    def has_room(self) -> bool:
        """Whether another call may come in."""
        return not self.is_draining and len(self.calls) < self.config.max_calls

    async def call_ended(self, call_sid: str, reason: str) -> None:
        """Note a call's end, and what its caller is to hear."""
        del self.calls[call_sid]
        self.metrics.active_calls.set(len(self.calls))
        self.metrics.calls.labels(reason.partition(":")[0]).inc()
        if reason.startswith(FAILURES):
            self.owe_words(call_sid, "apology")
        async with self._ended:
            self._ended.notify_all()

    def owe_words(self, call_sid: str, clip: str) -> None:
        """Have a clip spoken to a caller once the stream is closed."""
        self._last_words[call_sid] = clip
        while len(self._last_words) > REMEMBERED_ENDINGS:
            self._last_words.popitem(last=False)

    def last_words(self, call_sid: str) -> str | None:
        """Return the clip that a caller is to hear after the stream, if any; it is asked for once."""
        return self._last_words.pop(call_sid, None)

    async def wait_for_the_last_call(self) -> None:
        """Return when no call is live."""
        async with self._ended:
            await self._ended.wait_for(lambda: not self.calls)


SERVER: Final = web.AppKey("server", Server)


def make_server(
    config: Config, environment: Environment, *, journal_dir: Path | None = None, is_insecure: bool = False
) -> Server:
    """Return a server that does not serve yet; raise ConfigError naming a clip that cannot be read."""
    return Server(
        config,
        environment,
        journal_dir,
        None if is_insecure else Doorkeeper(environment.twilio_auth_token, config.public_url),
        Tokens(time.monotonic, config.limits.token_s),
        read_clips(config.clips),
        read_greetings(config.business),
    )
