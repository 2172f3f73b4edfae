"""Where bugs of ours stop: each ends one call, and no other notices."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from logging import ERROR
from typing import Final

from callfsm.server.logs import CallLog

BUG_LINE: Final = "[BUG] The call is ended"


@contextmanager
def contained(log: CallLog, failed: Callable[[], None]) -> Iterator[None]:
    """Log an exception of the block, and say with `failed` that the call is over; it goes no further."""
    try:
        yield
    except Exception:  # noqa: BLE001 - a bug of ours ends this call and no other
        log.say(ERROR, BUG_LINE, exc_info=True)
        failed()
