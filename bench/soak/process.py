"""The server under test, in a process of its own, and what can be seen of it from outside."""

import asyncio
import os
import re
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import aiohttp
from attrs import frozen
from prometheus_client.parser import text_string_to_metric_families

ROOT: Final = Path(__file__).parents[2]
START_S: Final = 30.0
TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
GREETING_NUMBER: Final = "+97239876543"
CONFIG: Final = f"""\
max_calls = 1000
drain_s = 5

[turn]
transcript_timeout_ms = 2000
reply_timeout_ms = 5000

[limits]
start_s = 2.0
no_media_s = 5.0
request_s = 4.0
twilio_ahead_s = 10.0
realtime_connect_s = 3.0
realtime_ready_s = 2.0
realtime_silent_s = 3.0
breaker_calls = 1000
breaker_probe_s = 1.0
digits_pause_s = 1.0

[[business]]
number = "*"

[[business]]
number = "{GREETING_NUMBER}"
enable_greeting = true
"""
"""Short limits, so that each is met many times. Half of the calls fail on purpose: that is no outage of OpenAI's."""
WRONG_WORDS: Final = re.compile(
    r"Traceback|\[BUG\]|never retrieved|was destroyed|Unclosed|never awaited|internal_error"
)
_TCP_STATES: Final = {"01": "ESTABLISHED", "04": "FIN_WAIT1", "05": "FIN_WAIT2", "08": "CLOSE_WAIT", "09": "LAST_ACK"}
_LISTEN: Final = "0A"

Metrics = dict[tuple[str, frozenset[tuple[str, str]]], float]


@frozen
class Served:
    """A running server."""

    process: asyncio.subprocess.Process
    public: str
    admin: str
    folder: Path

    @property
    def journals(self) -> Path:
        """Where each call leaves its journal."""
        return self.folder / "journals"

    def _proc(self, name: str) -> Path:
        return Path(f"/proc/{self.process.pid}/{name}")

    def rss_kib(self) -> int:
        """Return the memory that the process holds."""
        lines = self._proc("status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))

    def cpu_s(self) -> float:
        """Return the CPU seconds that the process has used."""
        fields = self._proc("stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    def descriptors(self) -> list[str]:
        """Return what each open file of the process is."""
        targets: list[str] = []
        for entry in self._proc("fd").iterdir():
            try:
                targets.append(str(entry.readlink()))
            except FileNotFoundError:
                continue
        return targets

    def connections(self) -> Counter[str]:
        """Return how many TCP connections the process holds, by their state, and how many other files."""
        targets = self.descriptors()
        inodes = {target[8:-1] for target in targets if target.startswith("socket:[")}
        states = Counter({"files": len(targets)})
        for table in ("net/tcp", "net/tcp6"):
            for line in self._proc(table).read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                if fields[9] in inodes and fields[3] != _LISTEN:
                    states[_TCP_STATES.get(fields[3], fields[3])] += 1
        return states

    async def metrics(self) -> Metrics:
        """Return every sample of /metrics by its name and labels."""
        async with aiohttp.ClientSession() as http, http.get(f"{self.admin}/metrics") as answer:
            text = await answer.text()
        families = text_string_to_metric_families(text)
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in families
            for sample in family.samples
        }

    def wrong_words(self) -> list[str]:
        """Return the lines of the log that no run should have."""
        lines = (self.folder / "server.log").read_text(encoding="utf-8", errors="replace").splitlines()
        return [line for line in lines if WRONG_WORDS.search(line)]


def plain(metrics: Metrics, name: str) -> float:
    """Return a metric without labels, 0 where there is none."""
    return metrics.get((name, frozenset()), 0.0)


def buckets_of(metrics: Metrics, name: str) -> dict[float, float]:
    """Return the cumulative buckets of a histogram without other labels."""
    found = [(dict(labels), value) for (sample, labels), value in metrics.items() if sample == f"{name}_bucket"]
    return {float(labels["le"]): value for labels, value in found}


@asynccontextmanager
async def serving(folder: Path, realtime_url: str) -> AsyncIterator[Served]:
    """Run server.py for the length of the block; its journals, log and configuration are in the folder."""
    config = folder / "callfsm.toml"
    config.write_text(CONFIG, encoding="utf-8")
    environment = {**os.environ, "OPENAI_API_KEY": "simulated", "OPENAI_REALTIME_URL": realtime_url}
    environment.pop("CALLFSM_PUBLIC_URL", None)
    with (folder / "server.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            ROOT / "server.py",
            *("--insecure", "--port=0", "--admin-port=0", f"--config={config}", f"--journal={folder / 'journals'}"),
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_S):
            public, admin = [(await process.stdout.readline()).decode().split()[-1] for _ in range(2)]
        yield Served(process, public, admin, folder)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
