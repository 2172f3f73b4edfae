"""Waiting for something observed to come true, with a time-out and without polling."""

import asyncio
from collections.abc import Callable

import attrs


@attrs.define(eq=False)
class Changes:
    """Wakes those who wait, whenever the owner says that something has changed."""

    _changed: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)

    def notify(self) -> None:
        """Let every waiter look again."""
        self._changed.set()
        self._changed.clear()

    async def until(self, is_true: Callable[[], bool], what: str, timeout_s: float | None) -> None:
        """Return once `is_true`; TimeoutError names `what` where `timeout_s` is not enough (None: no limit)."""
        try:
            async with asyncio.timeout(timeout_s):
                while not is_true():
                    await self._changed.wait()
        except TimeoutError:
            raise TimeoutError(f"no {what} within {timeout_s} s") from None
