"""Samples while calls are made: the server's memory, and how late this process's own loop is."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from attrs import Factory, define

SAMPLE_S: Final = 1.0
LATE_EACH_S: Final = 0.05


@define
class Look:
    """What was sampled."""

    rss_kib: list[int] = Factory(list)
    own_late_s: list[float] = Factory(list)
    most_calls: float = 0.0

    async def sample(self, rss_kib: Callable[[], int]) -> None:
        """Sample the memory evenly, until cancelled."""
        while True:
            self.rss_kib.append(rss_kib())
            await asyncio.sleep(SAMPLE_S)

    async def time_own_loop(self) -> None:
        """Note how late this process's own timers are, until cancelled: callers cannot hear sooner."""
        while True:
            began = time.perf_counter()
            await asyncio.sleep(LATE_EACH_S)
            self.own_late_s.append(time.perf_counter() - began - LATE_EACH_S)
