"""The log's formatter: an exception shows where it was raised and of which type it is, and never what it says.

What an exception says is not ours: a KeyError quotes its key, a decoder the value that it could not read.
"""

import logging
import re
import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import Final

_LIBRARY_MESSAGE: Final = re.compile(r"[\w .,'-]*")
"""Of a message of asyncio's or aiohttp's the beginning: behind it stands what a callback was called with."""
_OURS: Final = "callfsm"
_LED_TO: Final = "\n\nThe exception above led to this one:\n\n"


class QuietFormatter(logging.Formatter):
    """Formats a record without what its exception says, or what a library that reports one quotes."""

    def formatException(  # noqa: N802 - the name is logging's
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None],
    ) -> str:
        """Return the traceback, each exception by its type alone."""
        return _LED_TO.join(reversed([_shown(error) for error in _chain(ei[1])]))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        """Return the record's line."""
        if record.levelno >= logging.WARNING and record.name.partition(".")[0] != _OURS:
            found = _LIBRARY_MESSAGE.match(record.message)
            record.message = found[0].rstrip() if found else ""
        return super().formatMessage(record)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _shown(error: BaseException) -> str:
    kind = type(error)
    frames = "".join(traceback.format_tb(error.__traceback__))
    within = ""
    if isinstance(error, BaseExceptionGroup):
        within = "".join(f"\n+ {line}" for each in error.exceptions for line in _shown(each).splitlines())
    return f"Traceback (most recent call last):\n{frames}{kind.__module__}.{kind.__qualname__}{within}"
