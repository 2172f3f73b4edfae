"""server.py as a process: what fits below `ulimit -n`, strangers who take what there is, and a drain with live calls."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import pytest
from prometheus_client.parser import text_string_to_metric_families

from callfsm.config import Config, LimitsConfig
from callfsm.config_checks import ConfigError
from callfsm.server.descriptors import Fit, all_descriptors, fitted
from callfsm.sim.caller import SimulatedCaller, place_call
from callfsm.sim.media_line import Kind
from callfsm.sim.realtime import running
from tests.server.stage import QUESTION, SPEED, script

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 20.0
FAST = """
[turn]
grace_ms = 30
cancel_timeout_ms = 300
transcript_timeout_ms = 500
reply_timeout_ms = 800

[limits]
twilio_ahead_s = 3600.0
"""
"""The callers are ten times as fast as the clock."""


def config(calls: int, connections: int) -> Config:
    return Config(max_calls=calls, limits=LimitsConfig(connections=connections))


FITS = [
    # id                 files     wanted               fitting                     the operator's
    ("many",             20_000,   config(200, 0),      config(200, 500),           32),
    ("just enough",      964,      config(200, 0),      config(200, 500),           32),
    ("one too few",      963,      config(200, 0),      config(200, 499),           32),
    ("fewer strangers",  900,      config(200, 0),      config(200, 436),           32),
    ("fewer calls",      512,      config(200, 0),      config(110, 228),           32),
    ("few",              96,       config(200, 0),      config(12, 32),             8),
    ("the least",        64,       config(200, 0),      config(4, 16),              8),
    ("one call",         60,       config(1, 0),        config(1, 18),              8),
    ("as configured",    20_000,   config(200, 7000),   config(200, 7000),          32),
    ("too many wanted",  4096,     config(200, 7000),   config(200, 3632),          32),
    ("few wanted",       512,      config(200, 50),     config(110, 50),            32),
]  # fmt: skip


@pytest.mark.parametrize(("files", "wanted", "fitting", "operators"), [pytest.param(*c[1:], id=c[0]) for c in FITS])
def test_what_fits(files: int, wanted: Config, fitting: Config, operators: int) -> None:
    fit = fitted(wanted, files)
    used = 32 + fit.operators_connections + fit.config.limits.connections + 2 * fit.config.max_calls

    assert fit == Fit(fitting, operators)
    assert used <= files


@pytest.mark.parametrize(("files", "lines"), [(964, 0), (963, 1)])
def test_what_does_not_fit_is_one_line(caplog: pytest.LogCaptureFixture, files: int, lines: int) -> None:
    fitted(Config(), files)

    assert len(caplog.records) == lines


@pytest.mark.parametrize("files", [0, 40, 63])
def test_too_few_files_are_an_error(files: int) -> None:
    with pytest.raises(ConfigError) as refused:
        fitted(Config(), files)

    assert refused.value.key == "RLIMIT_NOFILE"


def test_there_are_files() -> None:
    assert all_descriptors() > 0


@attrs.frozen
class Process:
    """server.py at work."""

    process: asyncio.subprocess.Process
    public: str
    operators: str
    http: aiohttp.ClientSession

    async def text(self, url: str) -> tuple[int, str]:
        async with self.http.get(url) as answer:
            return answer.status, await answer.text()

    async def rings(self, call_sid: str) -> str:
        async with self.http.post(f"{self.public}/twilio/voice", data={"CallSid": call_sid}) as answer:
            return await answer.text()

    async def metric(self, name: str, **labels: str) -> float | None:
        _, page = await self.text(f"{self.operators}/metrics")
        samples = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
        return next((s.value for s in samples if (s.name, s.labels) == (name, labels)), None)

    def cpu_s(self) -> float:
        """User and system time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def open_files(self) -> int:
        return sum(1 for _ in Path(f"/proc/{self.process.pid}/fd").iterdir())

    async def ends(self) -> tuple[int | None, list[str]]:
        """The exit code, and the lines of the log."""
        _, err = await asyncio.wait_for(self.process.communicate(), TIMEOUT_S)
        return self.process.returncode, err.decode().splitlines()


async def start(folder: Path, environ: dict[str, str], files: int) -> asyncio.subprocess.Process:
    (folder / "callfsm.toml").write_text(FAST, encoding="utf-8")
    path = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    options = ("--insecure", "--port", "0", "--admin-port", "0", "--journal", str(folder / "journals"))
    return await asyncio.create_subprocess_exec(
        *("sh", "-c", f'ulimit -n {files} && exec "$@"', "sh", sys.executable, ROOT / "server.py", *options),
        env={**path, "OPENAI_API_KEY": "sk-simulated", **environ},
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@asynccontextmanager
async def serving(folder: Path, realtime_url: str, files: int) -> AsyncIterator[Process]:
    """Run server.py, insecure, with so many files, for the length of the block."""
    process = await start(folder, {"OPENAI_REALTIME_URL": realtime_url}, files)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(TIMEOUT_S):
            public, operators = [(await process.stdout.readline()).decode().split()[-1] for _ in range(2)]
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as http:
            yield Process(process, public, operators, http)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def asks_and_hears(caller: SimulatedCaller, replies: int) -> None:
    """Ask, and hear the beginning of an answer."""
    await caller.say(QUESTION)
    await caller.wait_for(Kind.SOUND, replies)


async def stranger(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = url.removeprefix("http://").split(":")
    return await asyncio.open_connection(host, int(port))


async def is_closed(reader: asyncio.StreamReader, timeout_s: float) -> bool:
    try:
        return await asyncio.wait_for(reader.read(), timeout_s) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


async def test_strangers_who_take_every_connection_take_no_call(tmp_path: Path) -> None:
    talk = script("שאלה", "עוד שאלה")
    async with running(talk) as api, serving(tmp_path, api.url, files=96) as server:
        async with place_call(f"{server.public}/twilio/voice", speed=SPEED) as caller:
            await caller.silence(2)
            await asks_and_hears(caller, 1)
            await caller.wait_quiet()
            strangers = await asyncio.gather(*(stranger(server.public) for _ in range(300)))
            closed = await asyncio.gather(*(is_closed(reader, 2.0) for reader, _ in strangers))
            before = server.cpu_s(), asyncio.get_running_loop().time()
            await caller.silence(SPEED)
            spent = server.cpu_s() - before[0], asyncio.get_running_loop().time() - before[1]
            files = server.open_files()
            await asks_and_hears(caller, 2)
            refused = await server.metric("callfsm_connections_refused_total", listener="public")
            was_over = caller.is_over
            for _, writer in strangers:
                writer.transport.abort()
            async with asyncio.timeout(TIMEOUT_S):
                while await server.metric("callfsm_connections", listener="public") != 1:
                    pass
            served, _ = await server.text(f"{server.public}/livez")
        server.process.terminate()
        code, log = await server.ends()

    # 32 connections fit, and one of them is the call's.
    assert closed.count(True) == refused == 300 - 31
    assert not was_over
    assert files < 96
    assert spent[0] < 0.5 * spent[1]
    assert served == 200
    assert code == 0
    assert len([line for line in log if "[DOOR]" in line]) == 1
    assert len([line for line in log if "[LIMITS]" in line]) == 1
    assert [line for line in log if "ERROR" in line or "Traceback" in line] == []


async def test_too_few_files_end_the_start_with_one_line(tmp_path: Path) -> None:
    process = await start(tmp_path, {}, files=48)
    out, err = await asyncio.wait_for(process.communicate(), TIMEOUT_S)

    assert process.returncode == 2
    assert out == b""
    assert [line.split(":")[:2] for line in err.decode().splitlines()] == [["server.py", " RLIMIT_NOFILE"]]


async def test_drain_loses_no_live_call(tmp_path: Path) -> None:
    talk = script("שאלה", "עוד שאלה")
    async with running(talk) as api, serving(tmp_path, api.url, files=1024) as server, AsyncExitStack() as calls:
        callers = [
            await calls.enter_async_context(place_call(f"{server.public}/twilio/voice", speed=SPEED))
            for _ in range(2)
        ]
        await asyncio.gather(*(caller.silence(2) for caller in callers))
        await asyncio.gather(*(asks_and_hears(caller, 1) for caller in callers))
        server.process.terminate()
        async with asyncio.timeout(TIMEOUT_S):
            while (await server.text(f"{server.operators}/readyz"))[0] != 503:
                pass
        late = await server.rings("CA-late")
        await asyncio.gather(*(caller.wait_quiet() for caller in callers))
        await asyncio.gather(*(asks_and_hears(caller, 2) for caller in callers))
        is_ready = await server.text(f"{server.public}/readyz")
        were_over = [caller.is_over for caller in callers]
        await asyncio.gather(*(caller.hang_up() for caller in callers))
        code, log = await server.ends()

    assert "/clips/busy</Play><Hangup />" in late
    assert is_ready == (503, "draining\n")
    assert were_over == [False, False]
    assert code == 0
    assert [line.split(" ", 3)[3] for line in log if "WARNING" in line or "ERROR" in line] == [
        "- [DOOR] Refused at /twilio/voice: draining"
    ]
    ends: list[Any] = [
        path.read_text(encoding="utf-8").splitlines()[-1] for path in tmp_path.glob("journals/*.jsonl")
    ]
    assert [end.count('"hangup"') for end in ends] == [1, 1]
