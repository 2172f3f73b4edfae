"""How long the caller's audio has been missing."""

import asyncio
from collections.abc import Callable


class MediaWatch:
    """Calls `due` once nothing has been seen for `limit_s`; the line is owed its audio from the watch's making on."""

    def __init__(self, limit_s: float, due: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._limit_s = limit_s
        self._due = due
        self.seen_at = self._loop.time()
        """When audio came last, on the loop's clock."""
        self._timer = self._loop.call_later(limit_s, self._look)

    def _look(self) -> None:
        left_s = self.seen_at + self._limit_s - self._loop.time()
        if left_s <= 0:
            self._due()
        else:
            self._timer = self._loop.call_later(left_s, self._look)

    def stop(self) -> None:
        """Watch no longer."""
        self._timer.cancel()
