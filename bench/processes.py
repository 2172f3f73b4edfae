"""The processes of a benchmark: a server on a core of its own, the peers on another, and what /proc tells of them."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

from attrs import frozen

BENCH: Final = Path(__file__).parent
ROOT: Final = BENCH.parent
CORES: Final = sorted(os.sched_getaffinity(0))
SERVER_CORE: Final = CORES[0]
PEERS_CORE: Final = CORES[-1]
TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


@frozen
class Server:
    """A server under test."""

    pid: int
    url: str
    admin_url: str | None

    def cpu_s(self) -> float:
        """Return the CPU seconds that the process has used, all threads, user and system."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    def rss_kib(self) -> int:
        """Return the memory that the process holds."""
        lines = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))

    def barge_ins(self) -> Counter[float]:
        """Return how many barge-ins took at most so many seconds in the process, by the server's own histogram."""
        if self.admin_url is None:
            return Counter()
        with urllib.request.urlopen(f"{self.admin_url}/metrics") as answer:  # noqa: S310 - our own loopback
            text = answer.read().decode()
        found = re.findall(r'^callfsm_barge_in_seconds_bucket\{le="([^"]+)"\} (\S+)$', text, re.MULTILINE)
        return Counter({float(most): int(float(count)) for most, count in found})


class Peers:
    """The load generator's process."""

    def __init__(self, process: subprocess.Popen[str], realtime_url: str) -> None:
        self._process = process
        self.realtime_url = realtime_url

    def tell(self, **command: Any) -> dict[str, Any]:
        """Give a command; return what it was answered with."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(_line(self._process.stdout))
        return answer


def _line(stream: IO[str] | None) -> str:
    assert stream is not None
    line = stream.readline()
    if not line:
        raise SystemExit("a process of the benchmark ended before its time; its last words are below")
    return line


def _started(command: list[str], core: int, environment: dict[str, str], words: IO[str]) -> subprocess.Popen[str]:
    """Start a Python program on one core: a child inherits where its parent may run."""
    os.sched_setaffinity(0, {core})
    try:
        return subprocess.Popen(  # noqa: S603 - our own programs
            [sys.executable, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=words,
            env={**os.environ, **environment},
            cwd=ROOT,
            text=True,
        )
    finally:
        os.sched_setaffinity(0, {PEERS_CORE})


def _end(process: subprocess.Popen[str]) -> None:
    """End a program: politely, then as one that still has calls, then at once."""
    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(3)
            return


@contextmanager
def _running(command: list[str], core: int, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run a Python program on one core; what it says is shown where it fails."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as words:
        process = _started(command, core, environment, words)
        try:
            yield process
        finally:
            _end(process)
            if process.returncode not in (0, -signal.SIGTERM):
                words.seek(0)
                print(words.read()[-3000:], file=sys.stderr)


@contextmanager
def peers(*options: str) -> Iterator[Peers]:
    """Run the load generator."""
    command = [str(BENCH / "load.py"), *options]
    with _running(command, PEERS_CORE, {"PYTHONPATH": str(ROOT)}) as process:
        yield Peers(process, _line(process.stdout).strip())


def _address(process: subprocess.Popen[str]) -> str:
    return _line(process.stdout).split()[-1]


@contextmanager
def relay(realtime_url: str) -> Iterator[Server]:
    """Run the bare relay."""
    with _running([str(BENCH / "relay.py")], SERVER_CORE, {"OPENAI_REALTIME_URL": realtime_url}) as process:
        yield Server(process.pid, _address(process), None)


@contextmanager
def callfsm(realtime_url: str, root: Path = ROOT) -> Iterator[Server]:
    """Run the product, or a copy of it, with journals, as an operator does."""
    environment = {"OPENAI_REALTIME_URL": realtime_url, "OPENAI_API_KEY": "none", "PYTHONPATH": str(root)}
    with tempfile.TemporaryDirectory(prefix="callfsm-bench-") as folder:
        config = Path(folder) / "callfsm.toml"
        config.write_text("max_calls = 1000\n", encoding="ascii")
        options = ["--insecure", "--port", "0", "--admin-port", "0", "--log-level", "INFO"]
        command = [str(root / "server.py"), *options, "--journal", f"{folder}/journals", "--config", str(config)]
        with _running(command, SERVER_CORE, environment) as process:
            yield Server(process.pid, _address(process), _address(process))
