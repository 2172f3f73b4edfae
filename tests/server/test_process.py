"""What happens to the process as a whole: it is killed, stopped and goes on, loses its folder; and its live calls."""

import asyncio
import contextlib
import json
import shutil
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import attrs

from callfsm.server.media_watch import LATE_S, MediaWatch
from callfsm.sim.caller import place_call
from callfsm.sim.realtime import running
from callfsm.sim.realtime_script import clip_reply
from tests.server.by_hand import by_hand
from tests.server.stage import HUM, QUESTION, SPEED, script
from tests.server.test_doors import metric
from tests.server.test_session import GRACELESS, answered
from tests.test_server import OPENAI, run, until_status

NO_MEDIA_S = 0.6
CONFIG = f"""
[turn]
grace_ms = 30
cancel_timeout_ms = 300
transcript_timeout_ms = 3000
reply_timeout_ms = 5000

[limits]
no_media_s = {NO_MEDIA_S}
twilio_ahead_s = 3600.0
"""
"""The callers are ten times as fast as the clock."""
MOST_LOST_S = 0.1
TIMEOUT_S = 20.0


@attrs.frozen
class Running:
    """A server in a process of its own."""

    process: asyncio.subprocess.Process
    public: str
    admin: str
    http: aiohttp.ClientSession
    journals: Path

    @property
    def voice(self) -> str:
        return f"{self.public}/twilio/voice"

    async def metric(self, name: str) -> float:
        """The value of a metric without labels."""
        async with self.http.get(f"{self.admin}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        return next(float(line.split()[1]) for line in lines if line.split()[0] == name)

    async def until_metric(self, name: str, value: float) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            while await self.metric(name) != value:
                pass

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()

    async def stop(self, seconds: float) -> None:
        """Stop the process for so long, and let it go on."""
        self.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        self.process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def serving(folder: Path, url: str) -> AsyncIterator[Running]:
    """Run a server for the length of the block; its journals are in `folder / "journals"`."""
    (folder / "callfsm.toml").write_text(CONFIG, encoding="utf-8")
    options = ("--insecure", "--port", "0", "--admin-port", "0", "--journal", str(folder / "journals"))
    process = await run(*options, environ={**OPENAI, "OPENAI_REALTIME_URL": url}, cwd=folder)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(TIMEOUT_S), aiohttp.ClientSession() as http:
            public, admin = [(await process.stdout.readline()).decode().split()[-1] for _ in range(2)]
            await until_status(http, f"{admin}/readyz", 200)
        async with aiohttp.ClientSession() as http:
            yield Running(process, public, admin, http, folder / "journals")
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what another process does."""
    async with asyncio.timeout(TIMEOUT_S):
        while not holds():  # noqa: ASYNC110 - it cannot tell us
            await asyncio.sleep(0.01)


async def journal_of(folder: Path, *others: Path) -> Path:
    """The journal of the one call that there is beside the others, once it holds some events."""

    def found() -> list[Path]:
        return [path for path in folder.glob("*.jsonl") if path not in others and path.stat().st_size > 10_000]

    await until(lambda: len(found()) == 1)
    return found()[0]


async def test_killed_process_loses_a_tenth_of_a_second_and_the_next_one_closes_its_journals(tmp_path: Path) -> None:
    """Another process shares the folder, and goes on with its call."""
    async with running(script(), script()) as api, serving(tmp_path, api.url) as other:
        async with place_call(other.voice) as survivor:
            live = await journal_of(other.journals)
            async with serving(tmp_path, api.url) as killed, place_call(killed.voice):
                path = await journal_of(killed.journals, live)
                await killed.kill()
                killed_at = time.monotonic()
            before = path.read_bytes()
            async with serving(tmp_path, api.url) as third:
                await third.until_metric("callfsm_journals_aborted_total", 1)
            is_live = not survivor.is_over
            await survivor.hang_up()
        await until(lambda: lines_of(live)[-1].keys() == {"end"})

    *_, last, end = lines_of(path)
    torn_bytes = len(before) - before.rfind(b"\n") - 1
    state = last.get("to", last["state"])
    assert end == {"end": {"reason": "aborted", "state": state, "counts": {}, "torn_bytes": torn_bytes}}
    assert killed_at - last["at"] < MOST_LOST_S + 1.0
    assert is_live
    assert lines_of(live)[-1]["end"]["reason"] == "hangup"


async def test_process_that_is_stopped_for_longer_than_no_media_s_goes_on_with_its_call(tmp_path: Path) -> None:
    hours = clip_reply("he_reply_hours")
    talk = script("שאלה", "מה שעות הפתיחה?", replies=(clip_reply("he_reply_short"), hours))
    async with running(talk) as api, serving(tmp_path, api.url) as server:
        async with place_call(server.voice, speed=SPEED, background=HUM) as caller:
            await caller.silence(2)
            await caller.say(QUESTION)
            await caller.wait_heard(1000, timeout_s=TIMEOUT_S)
            await caller.wait_quiet()
            await server.stop(3 * NO_MEDIA_S)
            await caller.silence(5)
            await caller.say(QUESTION)
            await until(lambda: hours.audio in caller.heard)
            await caller.hang_up()
        path = await journal_of(server.journals)
        await until(lambda: lines_of(path)[-1].keys() == {"end"})

    assert lines_of(path)[-1]["end"]["reason"] == "hangup"


async def test_call_goes_on_when_the_journals_are_deleted(tmp_path: Path) -> None:
    folder = tmp_path / "journals"
    async with by_hand(GRACELESS, folder=folder) as hands:
        twilio, api = await answered(hands)
        await until(lambda: bool(list(folder.glob("*.jsonl"))))
        shutil.rmtree(folder)
        await api.speaks("r1", "a1", 200)
        heard = await twilio.until("media")
        await twilio.send({"event": "stop"})
        await twilio.until("closed")

    assert heard[-1]["event"] == "media"
    assert (metric(hands, "callfsm_journal_lost_lines_total", reason="failed") or 0) > 0
    assert not folder.exists()


# The watch alone


async def fired(watch_s: float, stops_s: list[float]) -> list[float]:
    """When the watch of a line without audio fired, in seconds, where the event loop is stopped meanwhile."""
    loop = asyncio.get_running_loop()
    began, times, is_due = loop.time(), list[float](), asyncio.Event()

    def due() -> None:
        times.append(loop.time() - began)
        is_due.set()

    watch = MediaWatch(watch_s, due)
    for stop_s in stops_s:
        await asyncio.sleep(0)
        time.sleep(stop_s)  # noqa: ASYNC251 - the loop is to stand still
    await asyncio.wait_for(is_due.wait(), TIMEOUT_S)
    watch.stop()
    return times


async def test_line_without_audio_is_given_up_in_time() -> None:
    (at,) = await fired(0.2, [])

    assert 0.2 <= at < 0.2 + 1.0


async def test_stopped_loop_gives_a_line_more_time_once() -> None:
    (at,) = await fired(0.2, [0.2 + 2 * LATE_S] * 2)

    assert 2 * (0.2 + 2 * LATE_S) <= at < 2 * (0.2 + 2 * LATE_S) + 1.0
