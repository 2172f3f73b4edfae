"""Lines of the log that would come without end, caused by strangers or by a machine that is too slow."""

import logging
import time
from typing import Final

PAUSE_S: Final = 60.0
_LOG: Final = logging.getLogger("callfsm.server")


class Seldom:
    """Writes a WARNING, and for a minute no other."""

    def __init__(self) -> None:
        self._silent_until = 0.0

    def say(self, message: str, *values: object) -> None:
        """Write the line, unless the last one is younger than a minute."""
        now = time.monotonic()
        if now >= self._silent_until:
            self._silent_until = now + PAUSE_S
            _LOG.warning(message, *values)
