"""How late the event loop is: everything that a caller hears waits for it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from callfsm.server.metrics import Metrics
from callfsm.server.seldom import Seldom

PERIOD_S: Final = 0.1
TOO_LATE_S: Final = 0.5


async def measure(metrics: Metrics) -> None:
    """Measure for ever; a lag that a caller would notice is a line of the log."""
    log = Seldom()
    while True:
        # Not the loop's own clock, which stands still while a callback runs.
        due_at = time.monotonic() + PERIOD_S
        await asyncio.sleep(PERIOD_S)
        lag_s = max(0.0, time.monotonic() - due_at)
        metrics.loop_lag_s.observe(lag_s)
        if lag_s > TOO_LATE_S:
            log.say("[LOOP] The event loop is late by %.1f s", lag_s)


@asynccontextmanager
async def watched(metrics: Metrics) -> AsyncIterator[None]:
    """Measure for the length of the block, and let the tasks be counted."""
    loop = asyncio.get_running_loop()
    metrics.tasks.set_function(lambda: len(asyncio.all_tasks(loop)))
    task = asyncio.create_task(measure(metrics))
    try:
        yield
    finally:
        task.cancel()
