"""The log is for whoever reads it: who does not read it stops no call, and what an exception says is in no line."""

import asyncio
import contextlib
import fcntl
import logging
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import aiohttp
import attrs
import pytest

from callfsm.server import log_writer
from callfsm.server.log_writer import LineWriter
from callfsm.server.logs import FORMAT
from callfsm.server.quiet_formatter import QuietFormatter
from callfsm.sim.caller import place_call
from callfsm.sim.realtime import running
from callfsm.sim.realtime_script import clip_reply
from tests.server.stage import HUM, QUESTION, SPEED, script
from tests.server.test_process import CONFIG, Running
from tests.test_server import OPENAI, ROOT, until_status

TIMEOUT_S = 20.0
END_S = 5.0
SMALL_BYTES = 20_000
PIPE_BYTES = 4096


@attrs.frozen
class Pipe:
    """A pipe that is full until it is read."""

    reading: int
    writing: int

    def fill(self) -> int:
        """Put in all that it takes; return how many bytes that were."""
        filled = 0
        os.set_blocking(self.writing, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                filled += os.write(self.writing, b".")
        os.set_blocking(self.writing, True)
        return filled

    def read(self, size_bytes: int) -> None:
        while size_bytes:
            size_bytes -= len(os.read(self.reading, size_bytes))

    def read_until(self, holds: Callable[[bytes], bool]) -> list[str]:
        text = b""
        while not holds(text):
            text += os.read(self.reading, PIPE_BYTES)
        return text.decode().splitlines()


@contextmanager
def pipe() -> Iterator[Pipe]:
    ends = Pipe(*os.pipe())
    fcntl.fcntl(ends.writing, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    try:
        yield ends
    finally:
        for end in (ends.reading, ends.writing):
            with contextlib.suppress(OSError):
                os.close(end)


# A process whose log nobody reads

SMALL_QUEUE = f"""
import sys
import server
from callfsm.server import log_writer

log_writer.MAX_WAITING_BYTES = {SMALL_BYTES}
sys.exit(server.main(sys.argv[1:]))
"""


@asynccontextmanager
async def unread(folder: Path, url: str, stderr: int) -> AsyncIterator[Running]:
    """A server for the length of the block that logs all that it can."""
    (folder / "callfsm.toml").write_text(CONFIG, encoding="utf-8")
    path = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SMALL_QUEUE,
        "--insecure", "--port", "0", "--admin-port", "0", "--log-level", "DEBUG", "--journal", str(folder / "journals"),
        env={**path, **OPENAI, "PYTHONPATH": str(ROOT), "OPENAI_REALTIME_URL": url},
        cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=stderr,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(TIMEOUT_S):
            public, admin = [(await process.stdout.readline()).decode().split()[-1] for _ in range(2)]
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(TIMEOUT_S)) as http:
            yield Running(process, public, admin, http, folder / "journals")
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def refused(server: Running, times: int) -> set[int]:
    """The answers to so many webhooks that are no forms."""

    async def post(path: str) -> int:
        async with server.http.post(server.public + path, json={}) as answer:
            return answer.status

    return set(
        await asyncio.gather(*[post(path) for path in ("/twilio/voice", "/twilio/after") for _ in range(times)])
    )


async def test_log_that_nobody_reads_stops_no_call_and_no_listener(tmp_path: Path) -> None:
    talk = script("שאלה", replies=(clip_reply("he_reply_short"),))
    with pipe() as log:
        filled = log.fill()
        async with running(talk) as api, unread(tmp_path, api.url, log.writing) as server:
            answers = await refused(server, 100)
            async with place_call(server.voice, speed=SPEED, background=HUM) as caller:
                await caller.silence(2)
                await caller.say(QUESTION)
                await caller.wait_heard(200, timeout_s=TIMEOUT_S)
                async with asyncio.timeout(TIMEOUT_S):
                    while not (lost := await server.metric("callfsm_log_lines_lost_total")):
                        await caller.silence(1)
                await caller.hang_up()
            for base in (server.public, server.admin):
                await until_status(server.http, f"{base}/livez", 200)
            server.process.terminate()
            code = await asyncio.wait_for(server.process.wait(), END_S + 3)
        os.close(log.writing)
        log.read(filled)
        said = os.read(log.reading, PIPE_BYTES)

    assert answers == {400}
    assert lost > 0
    assert code == 0
    assert said == b""


# The writer alone


@contextmanager
def logging_to(descriptor: int) -> Iterator[tuple[logging.Logger, LineWriter]]:
    """A log of its own, as the server's is set up."""
    writer = LineWriter(descriptor)
    writer.handler.setFormatter(QuietFormatter(FORMAT, defaults={"call_sid": "-"}))
    writer.start()
    log = logging.Logger("callfsm.test")  # noqa: LOG001 - nobody else's
    log.addHandler(writer.handler)
    try:
        yield log, writer
    finally:
        writer.stop()


def fail() -> None:
    raise KeyError("planted")


def test_line_is_as_it_always_was() -> None:
    with pipe() as ends, logging_to(ends.writing) as (log, writer):
        log.info("User said: %s", "שלום", extra={"call_sid": "CA1"})
        log.warning("no call")
        try:
            fail()
        except KeyError:
            log.exception("[BUG] It is ended")
        assert writer.flush(TIMEOUT_S)
        said, no_call, bug, *trace = os.read(ends.reading, PIPE_BYTES).decode().splitlines()

    assert [line.split(" ", 2)[2] for line in (said, no_call, bug)] == [
        "INFO CA1 User said: שלום",
        "WARNING - no call",
        "ERROR - [BUG] It is ended",
    ]
    assert (trace[0], trace[-1]) == ("Traceback (most recent call last):", "builtins.KeyError")
    assert "planted" not in "\n".join(trace).replace('raise KeyError("planted")', "")


def test_newest_lines_are_lost_and_the_log_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_writer, "MAX_WAITING_BYTES", SMALL_BYTES)
    with pipe() as ends:
        filled = ends.fill()
        with logging_to(ends.writing) as (log, writer):
            for number in range(1000):
                log.info("%d", number)
            lost = writer.lost_lines
            could_flush = writer.flush(0.05)
            ends.read(filled)
            *lines, last = ends.read_until(lambda text: b"[LOG]" in text and text.endswith(b"\n"))
            log.info("again")
            assert writer.flush(TIMEOUT_S)
            again = os.read(ends.reading, PIPE_BYTES).decode().splitlines()

    assert 0 < len(lines) < 1000
    assert not could_flush
    assert [line.split()[-1] for line in lines] == [str(number) for number in range(1000 - lost)]
    assert last.endswith(f"WARNING - [LOG] {lost} lines are lost: standard error did not take them")
    assert [line.split()[-1] for line in again] == ["again"]


def test_standard_error_that_is_gone_loses_lines_and_nothing_else() -> None:
    with pipe() as ends, logging_to(ends.writing) as (log, writer):
        os.close(ends.reading)
        for _ in range(3):
            log.info("nobody")
        assert writer.flush(TIMEOUT_S)
        lost = writer.lost_lines

    assert lost == 3


def test_line_that_cannot_be_made_is_named_by_its_place() -> None:
    with pipe() as ends, logging_to(ends.writing) as (log, writer):
        log.info("%d", "planted")
        assert writer.flush(TIMEOUT_S)
        line = os.read(ends.reading, PIPE_BYTES).decode()

    assert "ERROR - [LOG] A line cannot be made: " in line
    assert "test_logs.py, line " in line
    assert "planted" not in line


# What Python prints by itself

UNCAUGHT = """
import logging, sys, threading, warnings
from callfsm.server import logs

class Finalized:
    def __del__(self):
        raise OSError(sys.argv[1])

def raises():
    raise KeyError(sys.argv[1])

logs.set_up("INFO").handler.write("server.py: first")
thread = threading.Thread(target=raises, name="ours")
thread.start()
thread.join()
Finalized()
warnings.warn("coroutine 'x' was never awaited" + "(" + sys.argv[1], RuntimeWarning)
try:
    raises()
except KeyError as error:
    raise ValueError(sys.argv[1]) from error
"""


def test_exception_that_nobody_catches_is_logged_without_what_it_says(tmp_path: Path) -> None:
    program = tmp_path / "broken.py"
    program.write_text(UNCAUGHT, encoding="utf-8")
    process = subprocess.run(  # noqa: S603
        [sys.executable, program, "planted"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    first, *lines = process.stderr.splitlines()

    assert process.returncode == 1
    assert first == "server.py: first"
    assert "planted" not in process.stderr
    assert [line.split(" ", 2)[2] for line in lines if line.startswith("20")] == [
        "ERROR - [BUG] Nobody caught an exception, in the thread ours",
        "ERROR - [BUG] Nobody caught an exception, in a finalizer",
        "WARNING - RuntimeWarning in broken.py, line 17, coroutine 'x' was never awaited",
        "ERROR - [BUG] Nobody caught an exception, in the main thread",
    ]
    assert [line for line in lines if line.startswith("builtins.")] == [
        "builtins.KeyError", "builtins.OSError", "builtins.KeyError", "builtins.ValueError",
    ]  # fmt: skip
