"""Where the server's time goes: a profile of callfsm under load, taken from outside by py-spy.

py-spy is no dependency of the project: `pip install py-spy` anywhere and name it with `--py-spy`. With `--native`
the time inside C is told by the C function, without it by the Python line that called it.
"""

import argparse
import subprocess
import tempfile
from collections import Counter
from pathlib import Path
from typing import Final

import processes

JOURNAL: Final = "_write (callfsm/audit/journal.py"
GROUPS: Final = (
    ("logging", ("/logging/__init__.py", "callfsm/server/logs.py")),
    ("system calls", ("libc.so", "libc-", "libpthread", "[vdso]", "syscall")),
    ("transitions", ("transitions/core.py",)),
    ("aiohttp write", ("aiohttp/_websocket/writer.py", "send_frame", "_websocket/mask", "send_raw_frame")),
    ("aiohttp read", ("aiohttp/_websocket/reader", "aiohttp/web_ws.py", "aiohttp/client_ws.py", "aiohttp/")),
    ("json and base64", ("msgspec", "binascii", "base64.py", "callfsm/wire/")),
    ("loudness (numpy)", ("numpy", "callfsm/hearing/mulaw.py")),
    ("metrics", ("prometheus_client", "callfsm/server/gauges.py", "callfsm/server/metrics.py")),
    ("our rows and machine", ("callfsm/states/", "callfsm/hearing/", "callfsm/speaking/", "callfsm/machine.py")),
    ("our rows and machine", ("callfsm/call.py", "callfsm/phases.py", "callfsm/events.py", "callfsm/effects.py")),
    ("our shell", ("callfsm/server/", "callfsm/audit/", "server.py", "<attrs generated")),
    ("uvloop and asyncio", ("uvloop", "asyncio", "selectors", "threading.py")),
)


def group_of(stack: list[str]) -> str:
    """Return what a sample belongs to: the innermost frame that is known says it."""
    if any(JOURNAL in frame for frame in stack):
        return "journal thread"
    for frame in reversed(stack):
        for name, marks in GROUPS:
            if any(mark in frame for mark in marks):
                return name
    return "other"


def shown(frame: str) -> str:
    """Return a frame without the folders in front of its package."""
    name, _, place = frame.partition(" (")
    return f"{name} ({place.split('site-packages/')[-1]}" if place else name


def counted(samples: str) -> tuple[Counter[str], Counter[str]]:
    """Return the samples by group, and by innermost frame."""
    groups: Counter[str] = Counter()
    leaves: Counter[str] = Counter()
    for line in samples.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        if any("wait (threading.py" in frame for frame in frames):
            continue  # A thread that sleeps on a lock is taken for one at work.
        groups[group_of(frames)] += int(count)
        leaves[f"{shown(frames[-1])}  [{group_of(frames)}]"] += int(count)
    return groups, leaves


def sampled(options: argparse.Namespace) -> str:
    """Run the server under load and return py-spy's samples."""
    with tempfile.TemporaryDirectory() as folder, processes.peers() as told:
        root = (options.product or processes.ROOT).resolve()
        with processes.callfsm(told.realtime_url, root) as server:
            told.tell(calls=options.calls, at=server.url)
            file = Path(folder) / "samples"
            command = [options.py_spy, "record", "-p", str(server.pid), "-d", str(options.seconds), "-r", "200"]
            command += ["-f", "raw", "-F", "-o", str(file), *(["--native"] if options.native else [])]
            subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - the operator names it
            told.tell(calls=0)
            return file.read_text(encoding="utf-8")


def main() -> None:
    """Profile and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--py-spy", default="py-spy", help="the profiler's program")
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--native", action="store_true", help="name the functions of C extensions too")
    parser.add_argument("--product", type=Path, help="profile this copy of the project in place of this one")
    groups, leaves = counted(sampled(parser.parse_args()))
    total = groups.total()
    print(f"{total} samples in which the server was at work")
    for name, count in groups.most_common():
        print(f"{count / total:7.1%}  {name}")
    print("\nby self time")
    for name, count in leaves.most_common(15):
        print(f"{count / total:7.1%}  {name}")


if __name__ == "__main__":
    main()
