"""The peers' process: N callers and N Realtime sessions, told by its standard input what to do.

It prints the Realtime URL first. Then each line of input is a JSON object, answered by one line of JSON:
`{"calls": 50, "at": "http://..."}` has as many calls running, their phases spread evenly, and answers when the last
of them has settled; `{"seconds": 10}` measures for so long; `{"calls": 0}` hangs up. It ends with its input.
"""

import argparse
import asyncio
import base64
import json
import sys
import time
from functools import partial
from typing import Any, Final

import uvloop
from attrs import asdict, define, field
from callers import CALIBRATION_FRAMES, FRAME_S, Caller, Shape, Tally
from sessions import TRANSCRIPT_S, Session
from yarl import URL

SETTLING_S: Final = CALIBRATION_FRAMES * FRAME_S + 1.0
END_OF_TURN_S: Final = 0.65
GOLDEN: Final = 0.618034


@define
class Load:
    """All calls of this process."""

    shape: Shape
    tally: Tally = field(factory=Tally)
    callers: list[Caller] = field(factory=list)

    async def grow(self, calls: int, url: URL) -> dict[str, Any]:
        """Begin calls until there are as many, one cycle long, so that their phases lie evenly."""
        loop = asyncio.get_running_loop()
        missing = calls - len(self.callers)
        began = loop.time()
        for i in range(missing):
            # The frames of the calls lie evenly in their 20 ms as well.
            offset_s = i * self.shape.cycle_s / missing + (i * GOLDEN % 1) * FRAME_S
            await asyncio.sleep(max(0.0, began + offset_s - loop.time()))
            make = partial(Caller, len(self.callers) + 1, url.authority, self.shape, self.tally)
            _, caller = await loop.create_connection(make, str(url.host), int(url.port or 80))
            self.callers.append(caller)
        await asyncio.sleep(SETTLING_S + END_OF_TURN_S + self.shape.loud * FRAME_S)
        self._introduce()
        return {"calls": sum(caller.is_open for caller in self.callers)}

    def _introduce(self) -> None:
        """Tell the callers of a relay which session their frames reach: the first frame carries the call's number."""
        by_hello = {caller.hello: caller for caller in self.callers}
        for session in Session.opened:
            hello = json.loads(session.first_append)["audio"] if session.first_append else ""
            if hello in by_hello and base64.b64decode(hello):
                by_hello[hello].session = session

    async def measure(self, seconds: float) -> dict[str, Any]:
        """Count for a while; return what was seen."""
        self.tally = Tally()
        for caller in self.callers:
            caller.tally = self.tally
        for session in Session.opened:
            session.passes = []
        appends = sum(session.appends for session in Session.opened)
        began, cpu_s = time.perf_counter(), time.process_time()
        await asyncio.sleep(seconds)
        took_s = time.perf_counter() - began
        return {
            **asdict(self.tally),
            "passes": [each for session in Session.opened for each in session.passes],
            "appends": sum(session.appends for session in Session.opened) - appends,
            "peers_cpu": (time.process_time() - cpu_s) / took_s,
            "seconds": took_s,
            "calls": sum(caller.is_open for caller in self.callers),
        }

    async def obey(self, line: str) -> dict[str, Any]:
        """Do what one line says."""
        command = json.loads(line)
        if "seconds" in command:
            return await self.measure(command["seconds"])
        if command["calls"]:
            return await self.grow(command["calls"], URL(command["at"]))
        return await self.end()

    async def end(self) -> dict[str, Any]:
        """Hang up every call."""
        for caller in self.callers:
            caller.hang_up()
        await asyncio.sleep(0.5)
        return {"calls": 0}


async def main() -> None:
    """Serve the Realtime sessions and obey the standard input."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--on-schedule", action="store_true", help="the sessions speak without being asked")
    parser.add_argument("--loud", type=int, default=Shape().loud, help="frames of an utterance")
    parser.add_argument("--quiet", type=int, default=Shape().quiet, help="frames of the silence after it")
    options = parser.parse_args()
    load = Load(Shape(options.loud, options.quiet))
    loop = asyncio.get_running_loop()
    first_s = (CALIBRATION_FRAMES + options.loud) * FRAME_S + END_OF_TURN_S + TRANSCRIPT_S
    speaks_after_s = first_s if options.on_schedule else None
    server = await loop.create_server(lambda: Session(speaks_after_s, load.shape.cycle_s), "127.0.0.1", 0)
    print(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/realtime", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(await load.obey(line)), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
