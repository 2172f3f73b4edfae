"""Virtual time: an event loop that never waits. What the simulators do in a minute takes it no longer than the work.

Nothing real may be waited for on it, no socket and no thread: all that happens is a task or a timer.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

ResultT = TypeVar("ResultT")
_DIGITS: Final = 9
_RESOLUTION_S: Final = 1e-9


class NothingToWaitForError(RuntimeError):
    """Every task waits, and no timer is set: real time would not help either."""


class _Selector(selectors.SelectSelector):
    """Lets the virtual time pass instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise NothingToWaitForError
        # To the nanosecond, so that no sum of delays comes out a hair before the moment that it stands for.
        self.now_s = round(self.now_s + timeout, _DIGITS)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time begins at 0 and jumps to the next timer whenever nothing else is to be done."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)
        # The real clock's, which is another one on every system, decides which timers are due together.
        self._clock_resolution = _RESOLUTION_S

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._virtual.now_s


def run(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run a coroutine in virtual time, from 0 on, and return its result."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
