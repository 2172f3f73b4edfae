"""How long the caller's audio has been missing."""

import asyncio
from collections.abc import Callable
from typing import Final

LATE_S: Final = 0.25
"""A timer as late as this says that the process was stopped, or very busy: what came meanwhile has not been read."""


class MediaWatch:
    """Calls `due` once nothing has been seen for `limit_s`; the line is owed its audio from the watch's making on.

    A process that goes on after a stop meets its timers before its sockets. A line whose audio may be waiting there
    gets `limit_s` more, once.
    """

    def __init__(self, limit_s: float, due: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._limit_s = limit_s
        self._due = due
        self.seen_at = self._loop.time()
        """When audio came last, on the loop's clock."""
        self._spared_at: float | None = None
        """What `seen_at` was when the line got more time."""
        self._wait(limit_s)

    def _wait(self, wait_s: float) -> None:
        self._fires_at = self._loop.time() + wait_s
        self._timer = self._loop.call_at(self._fires_at, self._look)

    def _look(self) -> None:
        now = self._loop.time()
        left_s = self.seen_at + self._limit_s - now
        if left_s > 0:
            self._wait(left_s)
        elif now - self._fires_at > LATE_S and self._spared_at != self.seen_at:
            self._spared_at = self.seen_at
            self._wait(self._limit_s)
        else:
            self._due()

    def stop(self) -> None:
        """Watch no longer."""
        self._timer.cancel()
