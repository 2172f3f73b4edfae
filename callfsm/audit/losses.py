"""Lines that no journal has: counted as they are lost, and said in the log once a minute at most."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

PAUSE_S: Final = 60.0
_LOG: Final = logging.getLogger("callfsm.journal")

Count = Callable[[str, int], None]
"""Is told the reason, `stalled`, `failed` or `without_header`, and how many lines were lost to it; by any thread."""


class Losses:
    """The lost lines of one writer. The event loop and the writer's thread both tell of them."""

    def __init__(self, count: Count, now: Callable[[], float] = time.monotonic) -> None:
        self._count = count
        self._now = now
        self._lock = threading.Lock()
        self._unsaid = 0
        self._why = ""
        self._silent_until = float("-inf")
        self._was_said = False
        """Whether the last line of the log about it is that lines are being lost."""

    def lost(self, reason: str, lines: int, why: str) -> None:
        """Count lost lines, if there are any; `why` is for the log."""
        if not lines:
            return
        self._count(reason, lines)
        with self._lock:
            self._unsaid += lines
            self._why = why
            self._say_when_due()

    def lost_without_header(self, lines: int) -> None:
        """Count lines of a call whose header was lost: the log knows of that, and the disk may be well by now."""
        self._count("without_header", lines)

    def written(self) -> None:
        """Note that all that was to be written has been."""
        with self._lock:
            if self._was_said:
                more = f"; {self._unsaid} more lines were lost" if self._unsaid else ""
                _LOG.warning("[JOURNAL] Is written again%s", more)
                self._unsaid = 0
                self._was_said = False
            elif self._unsaid:
                self._say_when_due()

    def say_the_rest(self) -> None:
        """Say what has not been said; no more will come."""
        with self._lock:
            self._silent_until = float("-inf")
            if self._unsaid:
                self._say_when_due()

    def _say_when_due(self) -> None:
        now = self._now()
        if now >= self._silent_until:
            self._silent_until = now + PAUSE_S
            _LOG.error("[JOURNAL] %d lines are lost: %s", self._unsaid, self._why)
            self._unsaid = 0
            self._was_said = True
