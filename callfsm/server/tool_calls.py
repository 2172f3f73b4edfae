"""One call's functions of the business that have been asked and have not answered."""

import asyncio
import json
from collections.abc import Callable
from logging import WARNING

import aiohttp

from callfsm.call import Call
from callfsm.effects import CallTool
from callfsm.events import ToolAnswered
from callfsm.server.gauges import CallGauges
from callfsm.server.logs import CallLog
from callfsm.server.tools import ToolFailedError, ask

TaskDone = Callable[["asyncio.Task[None]"], None]


class ToolCalls:
    """Asks, each in a task of its own, and feeds the answers; `done` is called with each task that ends."""

    def __init__(self, call: Call, log: CallLog, gauges: CallGauges, *, call_sid: str, done: TaskDone) -> None:
        self._call = call
        self._log = log
        self._gauges = gauges
        self._call_sid = call_sid
        self._done = done
        self.tasks: set[asyncio.Task[None]] = set()

    def ask(self, http: aiohttp.ClientSession, effect: CallTool, feed: Callable[[ToolAnswered], None]) -> None:
        """Ask a function; its answer, or why there is none, is fed."""
        task = asyncio.create_task(self._answer(http, effect, feed))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        task.add_done_callback(self._done)

    async def _answer(
        self, http: aiohttp.ClientSession, effect: CallTool, feed: Callable[[ToolAnswered], None]
    ) -> None:
        tool = next(tool for tool in self._call.business.tool if tool.name == effect.name)
        try:
            output = await ask(http, tool, self._call_sid, effect.arguments)
        except ToolFailedError as error:
            self._log.say(WARNING, f"[TOOL] {tool.name}: {error}")
            self._gauges.noted("tool_failed")
            output = json.dumps({"error": str(error)})
        feed(ToolAnswered(asyncio.get_running_loop().time(), effect.call_id, output))
