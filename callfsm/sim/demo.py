"""The demo: the real server, a simulated Realtime API, and calls with recorded speech, all at the same time."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from callfsm.sim.caller import place_call
from callfsm.sim.realtime import Connections, running
from callfsm.sim.speech_files import load
from callfsm.sim.stories import GREETING_NUMBER, STORIES, Ending, Story
from callfsm.sim.timeline import timeline
from callfsm.sim.webhook import Details

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = Path("journals")
START_S: Final = 20.0
CONFIG: Final = f"""\
[[business]]
number = "*"

[[business]]
number = "{GREETING_NUMBER}"
enable_greeting = true
"""


@asynccontextmanager
async def _server(realtime_url: str, log: Path) -> AsyncIterator[str]:
    """Run server.py as an operator would; yield its address."""
    config = FOLDER / "demo.toml"
    config.write_text(CONFIG, encoding="utf-8")
    options = ["--insecure", "--port=0", "--admin-port=0", "--log-level=DEBUG"]
    environment = {**os.environ, "OPENAI_API_KEY": "simulated", "OPENAI_REALTIME_URL": realtime_url}
    environment.pop("CALLFSM_PUBLIC_URL", None)
    with log.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            ROOT / "server.py",
            *options,
            f"--config={config}",
            f"--journal={FOLDER}",
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
        )
    assert process.stdout is not None  # noqa: S101 - it was asked for
    try:
        async with asyncio.timeout(START_S):
            line = (await process.stdout.readline()).decode()
        if not line:
            raise RuntimeError(f"the server did not start; {log} says why")
        yield line.split()[-1]
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _play(story: Story, number: int, address: str, api: Connections, ringing: asyncio.Lock) -> Ending:
    details = Details(called=story.called)
    async with AsyncExitStack() as stack:
        async with ringing:
            # The n-th connection plays the n-th script: the next call waits until this one has connected.
            call = place_call(f"{address}/twilio/voice", details=details, background=load("line_noise").ulaw)
            caller = await stack.enter_async_context(call)
            connection = await api.wait_for(number)
        await story.act(caller)
        await caller.hang_up()
        await connection.wait_closed()
    return Ending(caller, connection, [])


def _log_of(text: str, call_sid: str) -> list[str]:
    return [line.split(call_sid, 1)[1].strip() for line in text.splitlines() if f" {call_sid} " in line]


def _tell(story: Story, ending: Ending) -> bool:
    call_sid = ending.caller.details.call_sid
    journal = next(iter(FOLDER.glob(f"*-{call_sid}.jsonl")), None)
    print(f"\n{story.title}\n  {call_sid}")
    print("\n".join(timeline(ending.caller.log, ending.caller.started_s, journal)))
    dropped = sum("[AUDIO GATE]" in line for line in ending.log)
    print("\n".join(f"  log         {line}" for line in ending.log if "[AUDIO GATE]" not in line))
    print(f"  log         [AUDIO GATE] frames dropped: {dropped}")
    holds = [(said, is_true(ending)) for said, is_true in story.claims]
    print("\n".join(f"  {'shown ' if shown else 'FAILED'}      {said}" for said, shown in holds))
    return all(shown for _, shown in holds)


async def _demo() -> bool:
    FOLDER.mkdir(exist_ok=True)
    log = FOLDER / "demo-server.log"
    print(f"{len(STORIES)} calls at the same time, in real time; this takes about half a minute ...", flush=True)
    scripts = [story.script for story in STORIES]
    async with running(*scripts) as api, _server(api.url, log) as address:
        ringing = asyncio.Lock()
        async with asyncio.TaskGroup() as calls:
            playing = [
                calls.create_task(_play(story, i, address, api.connections, ringing))
                for i, story in enumerate(STORIES, 1)
            ]
        endings = [call.result() for call in playing]
    text = log.read_text(encoding="utf-8")
    told = [
        _tell(story, Ending(end.caller, end.api, _log_of(text, end.caller.details.call_sid)))
        for story, end in zip(STORIES, endings, strict=True)
    ]
    print(f"\n{sum(told)} of {len(told)} stories showed what they claim. Journals and the log: {FOLDER}/")
    journal = next(iter(FOLDER.glob(f"*-{endings[3].caller.details.call_sid}.jsonl")))
    print(f"One of them as a page: .venv/bin/callfsm report {journal}")
    return all(told)


def main() -> int:
    """Play the stories; return 0 where each showed what it claims."""
    return 0 if asyncio.run(_demo()) else 1


if __name__ == "__main__":
    sys.exit(main())
