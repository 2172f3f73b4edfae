"""The circuit breaker: where OpenAI fails call after call, new callers hear an apology and not a dead line."""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from prometheus_client import Gauge

from callfsm.config import LimitsConfig
from callfsm.server.realtime_session import RefusedError, UnavailableError
from callfsm.states.responses import QUOTA_EXHAUSTED

OPENAI_FAILED: Final = ("realtime_", "reply_failed")
"""Ends of calls, by their beginnings, that are OpenAI's failure."""
FINAL: Final = ("realtime_refused_401", "realtime_refused_403", QUOTA_EXHAUSTED)
"""Ends that time alone does not mend: calls that end so count, however far apart they are."""
QUOTA_LOOKS: Final = 12
"""So many looks are left out where the quota is exhausted: a session can be had all the same."""
_LOG: Final = logging.getLogger("callfsm.server")


class Breaker:
    """Whether OpenAI is down, as its server's calls have found."""

    def __init__(self, limits: LimitsConfig, gauge: Gauge, now: Callable[[], float]) -> None:
        self._limits = limits
        self._gauge = gauge
        self._now = now
        self._failures: deque[tuple[float, str]] = deque(maxlen=limits.breaker_calls)
        self._opened = asyncio.Event()
        self._reason = ""

    @property
    def is_open(self) -> bool:
        """Whether OpenAI is down."""
        return self._opened.is_set()

    def ended(self, reason: str) -> None:
        """Note why a call ended."""
        if not reason.startswith(OPENAI_FAILED):
            return
        self._failures.append((self._now(), reason))
        is_full = len(self._failures) == self._limits.breaker_calls
        is_soon = self._now() - self._failures[0][0] <= self._limits.breaker_s
        if is_full and (is_soon or all(why in FINAL for _, why in self._failures)):
            self._open(reason)

    def spoke(self) -> None:
        """Note that OpenAI has spoken: it is up."""
        self._close()

    def _open(self, reason: str) -> None:
        self._reason = reason
        if not self.is_open:
            _LOG.error("[OPENAI] Down, and new callers hear an apology: %s", reason)
        self._opened.set()
        self._gauge.set(1)

    def _close(self) -> None:
        self._failures.clear()
        if not self.is_open:
            return
        _LOG.warning("[OPENAI] Up again")
        self._opened.clear()
        self._gauge.set(0)

    async def watch(self, probe: Callable[[], Awaitable[None]]) -> None:
        """Look every now and then, while OpenAI is down, whether a session can be had; until cancelled."""
        while True:
            await self._opened.wait()
            looks = QUOTA_LOOKS if self._reason == QUOTA_EXHAUSTED else 1
            # Servers that lost OpenAI together come apart.
            spread = random.uniform(0.75, 1.25)  # noqa: S311
            await asyncio.sleep(looks * self._limits.breaker_probe_s * spread)
            if self.is_open and await self._is_up(probe):
                self._close()

    async def _is_up(self, probe: Callable[[], Awaitable[None]]) -> bool:
        try:
            await probe()
        except (RefusedError, UnavailableError):
            return False
        except Exception:  # noqa: BLE001
            # A bug of ours must not keep the door closed: the next calls will tell.
            _LOG.exception("[BUG] OpenAI cannot be looked for")
        return True
