"""The log: one line a record; the call it belongs to stands in a field of its own, in front of the message."""

import atexit
import logging
import os
import sys
from collections.abc import MutableMapping
from typing import Any, Final

from callfsm.audit.journal import Journal
from callfsm.server.log_hooks import log_what_python_prints
from callfsm.server.log_writer import LineWriter
from callfsm.server.quiet_formatter import QuietFormatter

FORMAT: Final = "%(asctime)s %(levelname)s %(call_sid)s %(message)s"
FLUSH_S: Final = 1.0
MOST_SHOWN: Final = 64
"""Characters of a CallSid, which has 34."""


class CallLog(logging.LoggerAdapter[logging.Logger]):
    """The log of one call: the record's field `call_sid` names it."""

    def __init__(self, call_sid: str, journal: Journal | None) -> None:
        # A peer names the call; a name of two lines must not become two lines of the log.
        shown = "".join(character if character.isprintable() else "?" for character in call_sid[:MOST_SHOWN])
        super().__init__(logging.getLogger("callfsm.call"), {"call_sid": shown})
        self._journal = journal

    def say(self, level: int, message: str, *, exc_info: bool = False) -> None:
        """Write a line that is the shell's and not the machine's: the journal holds it, for replay cannot make it."""
        self.log(level, message, exc_info=exc_info)
        if self._journal is not None:
            self._journal.note(level, message)

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Leave the message as it is; the call stands in the record's field."""
        return msg, {**kwargs, "extra": self.extra}


def set_up(level: str) -> LineWriter:
    """Log our own lines from this level on, those of libraries from WARNING on, to standard error.

    So is all that Python would print there by itself. At its end the process waits a moment for what is not written.
    """
    writer = LineWriter(sys.stderr.fileno() if sys.stderr is not None else os.open(os.devnull, os.O_WRONLY))
    writer.handler.setFormatter(QuietFormatter(FORMAT, defaults={"call_sid": "-"}))
    writer.start()
    logging.basicConfig(level=logging.WARNING, handlers=[writer.handler], force=True)
    logging.getLogger("callfsm").setLevel(level.upper())
    log_what_python_prints()
    atexit.register(writer.flush, FLUSH_S)
    return writer
