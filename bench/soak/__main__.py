"""Soaks the server in calls and judges it from outside. Exit 1: something was wrong, and the last lines say what."""

import argparse
import asyncio
import json
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import uvloop
from attrs import Factory, define, frozen

from callfsm.sim.chaos import Plan, Switchboard, running

from . import judge
from .calls import Outcome, Population, dealt, is_allowed, journal_of
from .kinds import DECK, GOOD, LAST, QUIET, CallKind
from .look import Look
from .process import Metrics, Served, buckets_of, plain, serving
from .tell import table

SETTLED_S: Final = 45.0
"""An HTTP client keeps an unused connection for 15 to 30 s."""
STOPPED_S: Final = 15.0
SPREAD_S: Final = 10.0


@frozen
class How:
    """What the command line says."""

    calls: int
    minutes: float
    seed: int
    deck: tuple[CallKind, ...]


@define
class Before:
    """What there was before the first call, and what the quiet run took."""

    sockets: Counter[str]
    tasks: float
    quiet: list[Outcome] = Factory(list)


async def _idle(server: Served, before: Before) -> tuple[Counter[str], Metrics]:
    """Wait until nothing of any call is left, or for as long as is allowed; return what there then is."""
    until_s = time.monotonic() + SETTLED_S
    while True:
        sockets, metrics = server.connections(), await server.metrics()
        is_settled = (
            plain(metrics, "callfsm_active_calls") == 0
            and plain(metrics, "callfsm_tasks") <= before.tasks
            and all(sockets[name] <= before.sockets[name] for name in sockets)
        )
        if is_settled or time.monotonic() > until_s:
            return sockets, metrics
        await asyncio.sleep(0.5)


def _read_ends(server: Served, outcomes: list[Outcome]) -> list[str]:
    """Give each outcome its end, from its journal; return what is wrong with the journals."""
    wrong: list[str] = []
    for outcome in outcomes:
        paths = journal_of(server.journals, outcome.call_sid)
        if len(paths) != 1:
            outcome.wrong.append(f"{len(paths)} journals")
            continue
        last = json.loads(paths[0].read_bytes().splitlines()[-1])
        outcome.end = last["end"]["reason"] if "end" in last else "no end"
        if not is_allowed(outcome):
            outcome.wrong.append(f"ended with {outcome.end}, not {' or '.join(outcome.ends)}")
    known = {outcome.call_sid for outcome in outcomes}
    strays = [path.name for path in server.journals.glob("*.jsonl") if path.stem.rpartition("-")[2] not in known]
    return wrong + [f"a journal of nobody's call: {name}" for name in strays]


def _judge_waits(quiet: list[Outcome], loaded: list[Outcome]) -> list[str]:
    healthy = [outcome for outcome in loaded if outcome.is_healthy]
    answers = [[each for o in some for each in o.took.answers] for some in (quiet, healthy)]
    stops = [[each for o in some for each in o.took.stops] for some in (quiet, healthy)]
    return [*judge.waits(judge.ANSWER, *answers), *judge.waits(judge.STOP, *stops)]


async def _stop(server: Served) -> list[str]:
    """End the server as an operator does; say what was wrong with that, and with its log."""
    server.process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(STOPPED_S):
            code = await server.process.wait()
    except TimeoutError:
        return [f"the server did not stop within {STOPPED_S:g} s"]
    wrong = [] if code == 0 else [f"the server's exit code is {code}"]
    return wrong + [f"in the log: {line}" for line in server.wrong_words()[:20]]


async def _quiet_run(population: Population) -> list[Outcome]:
    async with asyncio.TaskGroup() as calls:
        for kind in QUIET:
            calls.create_task(population.call(kind))
    outcomes, population.outcomes = population.outcomes, []
    return outcomes


async def _many(population: Population, server: Served, look: Look, how: How) -> None:
    """Keep so many callers at it for so long."""
    until_s = asyncio.get_running_loop().time() + 60 * how.minutes
    kinds = dealt(how.deck, how.seed)
    looking = [asyncio.create_task(work) for work in (look.sample(server.rss_kib), look.time_own_loop())]
    async with asyncio.TaskGroup() as callers:
        callers.create_task(population.knock(until_s))
        for number in range(how.calls):
            callers.create_task(population.keep_calling(kinds, until_s, number * SPREAD_S / how.calls))
    for task in looking:
        task.cancel()
    await population.call(LAST)


async def soak(how: How, folder: Path) -> list[str]:
    """Soak the server; print what happened, and return what was wrong."""
    board = Switchboard(Plan(GOOD))
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(folder, await stack.enter_async_context(running(board))))
        before = Before(server.connections(), plain(await server.metrics(), "callfsm_tasks"))
        population = Population(server.public, board)
        print("a quiet run of three calls, to compare with ...", flush=True)
        before.quiet = await _quiet_run(population)
        first = buckets_of(await server.metrics(), "callfsm_loop_lag_seconds")
        print(f"{how.calls} callers for {how.minutes:g} minutes, seed {how.seed}; files in {folder} ...", flush=True)
        look, cpu_s, own_s, began = Look(), server.cpu_s(), time.process_time(), time.perf_counter()
        await _many(population, server, look, how)
        took_s = time.perf_counter() - began
        loads = (server.cpu_s() - cpu_s) / took_s, (time.process_time() - own_s) / took_s
        sockets, metrics = await _idle(server, before)
        lags = buckets_of(metrics, "callfsm_loop_lag_seconds")
        lag_p99_s = judge.quantile([(most, count - first.get(most, 0.0)) for most, count in lags.items()], 0.99)
        everyone = [*before.quiet, *population.outcomes]
        wrong = await _stop(server) + _read_ends(server, everyone)
        wrong += [f"{outcome.kind} ({outcome.call_sid}): {why}" for outcome in everyone for why in outcome.wrong]
        wrong += population.door_errors
        wrong += judge.left_over("live calls", 0, plain(metrics, "callfsm_active_calls"))
        wrong += judge.left_over("tasks", before.tasks, plain(metrics, "callfsm_tasks"))
        wrong += [each for name in sockets for each in judge.left_over(name, before.sockets[name], sockets[name])]
        wrong += judge.memory(look.rss_kib) + judge.lag(lag_p99_s) + _judge_waits(before.quiet, population.outcomes)
        print(table(before.quiet, population, look, loads, lag_p99_s))
        return wrong


def main() -> int:
    """Read the command line, soak, and say what was wrong."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--calls", type=int, default=30, help="callers at a time")
    parser.add_argument("--minutes", type=float, default=5.0, help="how long new calls begin")
    parser.add_argument("--seed", type=int, default=1, help="the order of the calls")
    parser.add_argument("--only", default="", help="kinds of calls whose name has this in it, and no other")
    options = parser.parse_args()
    deck = tuple(kind for kind in DECK if options.only in kind.name)
    if not deck:
        parser.error("--only: there is no such kind")
    folder = Path(tempfile.mkdtemp(prefix="callfsm-soak-"))
    wrong = uvloop.run(soak(How(options.calls, options.minutes, options.seed, deck), folder))
    for line in wrong:
        print(f"WRONG  {line}")
    if wrong:
        print(f"soak: {len(wrong)} things were wrong; {folder} has the log and the journals")
        return 1
    shutil.rmtree(folder)
    print("soak: passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
