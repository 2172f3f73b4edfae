"""How many calls one core carries: callfsm against a bare relay, with simulated peers, in one run.

The server under test has one core, the peers another. The same callers call both servers; each run begins few calls
and adds more, and at each number CPU and memory are read from /proc. callfsm and relay take turns, so that what else
the machine does falls on both. Ratios hold from machine to machine, absolute numbers do not.
"""

import argparse
import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Final

import processes
from processes import Peers, Server
from report import Point, Run, print_report

START: Final[dict[str, Callable[[str], AbstractContextManager[Server]]]] = {
    "callfsm": processes.callfsm,
    "relay": processes.relay,
}
QUICK: Final = ("--loud", "20", "--quiet", "90")
"""Callers who interrupt every 2.2 s, for more of the latencies of one lone call."""


def measured(server: Server, told: Peers, calls: int, seconds: float) -> Point:
    """Have as many calls, settled, and measure for a while."""
    told.tell(calls=calls, at=server.url)
    cpu_s, inside = server.cpu_s(), server.barge_ins()
    seen = told.tell(seconds=seconds)
    cpu_s = server.cpu_s() - cpu_s
    return Point(
        calls=calls,
        alive=seen["calls"],
        seconds=seen["seconds"],
        cpu_s=cpu_s,
        inside=server.barge_ins() - inside,
        rss_kib=server.rss_kib(),
        frames=seen["frames"],
        appends=seen["appends"],
        media=seen["media"],
        stops=seen["stops"],
        missed=seen["missed"],
        passes=seen["passes"],
        late=len(seen["late"]),
        peers_cpu=seen["peers_cpu"],
    )


def ran(kind: str, numbers: list[int], seconds: float, *options: str) -> Run:
    """Run one server through growing numbers of calls."""
    schedule = ("--on-schedule",) if kind == "relay" else ()
    with processes.peers(*schedule, *options) as told, START[kind](told.realtime_url) as server:
        idle_kib = server.rss_kib()
        points = []
        for calls in numbers:
            points.append(measured(server, told, calls, seconds))
            print(f"  {points[-1].line(kind)}", flush=True)
        told.tell(calls=0)
        return Run(kind, idle_kib, points)


def arguments() -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, nargs="+", default=[20, 50, 100], help="numbers of calls, growing")
    parser.add_argument("--seconds", type=float, default=8, help="how long each number is measured")
    parser.add_argument("--rounds", type=int, default=2, help="how often callfsm and relay take turns")
    parser.add_argument("--product", type=Path, help="measure this copy of the project in place of this one")
    return parser.parse_args()


def main() -> None:
    """Run everything and print the table."""
    options = arguments()
    if options.product:
        START["callfsm"] = partial(processes.callfsm, root=options.product.resolve())
    runs: list[Run] = []
    lone: list[Run] = []
    with contextlib.suppress(KeyboardInterrupt):
        for _ in range(options.rounds):
            for kind in START:
                lone.append(ran(kind, [1], 2 * options.seconds if kind == "callfsm" else options.seconds, *QUICK))
                runs.append(ran(kind, options.calls, options.seconds))
    print_report(runs, lone)


if __name__ == "__main__":
    main()
