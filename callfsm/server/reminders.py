"""What a call is told again and again while it is so: no session, an old session, the end of the longest call.

Whether this is the moment to do something about it is the machine's to say.
"""

import asyncio
import math
from collections.abc import Callable
from typing import Final

from callfsm.call import Call
from callfsm.events import CallExpiring, Event, RealtimeExpiring, RealtimeMissing
from callfsm.server.link import RealtimeLink
from callfsm.states.base import State

LOOK_S: Final = 0.25


class Reminders:
    """Looks at one call's time and its link, and reminds the machine of them."""

    def __init__(self, call: Call, link: RealtimeLink, feed: Callable[[Event], None]) -> None:
        self._now = asyncio.get_running_loop().time
        self._call = call
        self._link = link
        self._feed = feed
        config = call.config
        is_warned = 0 < config.warning_s < config.max_call_s
        self._warning_at = self._now() + config.max_call_s - config.warning_s if is_warned else math.inf
        self._spoke_at = -math.inf
        self._asked_since = -math.inf
        """When the session was lost for which the caller has been asked for a moment's patience."""

    async def run(self) -> None:
        """Remind until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            self._look(self._now())

    def _look(self, now: float) -> None:
        if self._call.turn.open is not None:
            self._spoke_at = now
        if now >= self._warning_at and self._is_announced(CallExpiring(now)):
            self._warning_at = math.inf
        if self._link.ready_at is None:
            self._miss(now)
        elif self._link.has_spare:
            self._feed(RealtimeExpiring(now))

    def _miss(self, now: float) -> None:
        lost_at = self._link.missing_since
        silent_s = now - max(lost_at, self._spoke_at)
        is_due = silent_s >= self._call.config.turn.moment_ms / 1000
        if is_due and self._asked_since != lost_at and self._is_announced(RealtimeMissing(now)):
            self._asked_since = lost_at

    def _is_announced(self, event: Event) -> bool:
        """Feed the event; say whether the caller now hears of it."""
        self._feed(event)
        return any(kind is type(event) and dest is State.AI_GRACE for _, kind, dest in self._call.moves)
