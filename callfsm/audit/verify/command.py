"""`callfsm verify`: explores every reachable configuration of the machine that runs and checks the laws there."""

import argparse
import gc
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from attrs import frozen

from callfsm.audit.verify.agreement import Disagreement, disagreements, unlike_effects
from callfsm.audit.verify.example import as_test
from callfsm.audit.verify.explore import Broken, EndlessError, Explorer, Place, engine_of
from callfsm.audit.verify.fairness import check_answers, check_resumes
from callfsm.audit.verify.laws import Law
from callfsm.audit.verify.scopes import SCOPES, Scope
from callfsm.events import EVENTS
from callfsm.states import TABLE
from callfsm.states.base import StateSpec

ONE_OF: Final = 24
"""So many configurations for one whose abstraction is put to the proof, unless all are asked for."""


@frozen
class Result:
    """What the exploration of one scope came to."""

    scope: Scope
    explorer: Explorer
    owing: int
    longest: int
    cut: int
    longest_cut: int
    compared: int
    broken: Broken | None
    disagreements: tuple[Disagreement, ...]
    took_s: float


def verify(scope: Scope, fired: Counter[Place], table: Sequence[StateSpec], one_of: int) -> Result:
    """Explore a scope and check every law; rows that are taken are counted in `fired`."""
    began = time.process_time()
    explorer = scope.explorer(engine_of(table, fired))
    explorer.one_of = one_of
    explorer.run()
    answers, resumes = check_answers(explorer.order), check_resumes(explorer.order)
    found = explorer.broken or unlike_effects(explorer, one_of) or answers.broken or resumes.broken
    differing = () if found else tuple(disagreements(explorer, one_of))
    compared = sum(len(here.others) for here in explorer.order[::one_of])
    return Result(
        scope,
        explorer,
        answers.owing,
        answers.longest,
        resumes.owing,
        resumes.longest,
        compared,
        found,
        differing,
        time.process_time() - began,
    )


def places(table: Sequence[StateSpec]) -> list[Place]:
    """Return every row of a table by its place."""
    return [
        (spec.state.name, event.__name__, index)
        for spec in table
        for event in EVENTS
        for index in range(sum(row.event is event for row in spec.transitions))
    ]


def _told(result: Result) -> Iterator[str]:
    explorer = result.explorer
    yield f"{result.scope.name}: {len(explorer.order)} configurations, {explorer.edges} edges, {result.took_s:.1f} s"
    yield f"  {result.owing} owe an answer, which is there after {result.longest} inputs at most"
    yield f"  {result.cut} are cut off with more to say, and go on after {result.longest_cut} inputs at most"
    yield f"  {result.compared} compared with calls that came another way, {len(result.disagreements)} not alike"
    if result.broken is not None:
        yield f"BROKEN {result.broken.law.name} ({result.broken.law.value})"
        yield f"  {result.broken.why}"
        yield as_test(explorer, result.broken, result.scope.constant)
    for one in result.disagreements[:3]:
        yield f"THE ABSTRACTION LOSES SOMETHING: {', '.join(one.buckets)}, seen by {one.by!r}, after"
        yield f"  {' / '.join(one.path)}"
        yield f"and not after\n  {' / '.join(one.other_path)}"


@frozen
class _Count:
    configurations: int = 0
    edges: int = 0
    took_s: float = 0.0

    def __add__(self, other: "_Count") -> "_Count":
        return _Count(
            self.configurations + other.configurations, self.edges + other.edges, self.took_s + other.took_s
        )


def _verify_one(scope: Scope, fired: Counter[Place], one_of: int) -> _Count | None:
    """Tell what the exploration of a scope came to, and forget it; None where it is not as it should be."""
    result = verify(scope, fired, TABLE, one_of)
    sys.stdout.write("".join(f"{line}\n" for line in _told(result)))
    sys.stdout.flush()
    if result.broken is not None or result.disagreements:
        return None
    return _Count(len(result.explorer.order), result.explorer.edges, result.took_s)


def _verify_all(one_of: int) -> int:
    fired = Counter[Place]()
    whole = _Count()
    for scope in SCOPES:
        count = _verify_one(scope, fired, one_of)
        if count is None:
            return 1
        whole += count
    rows = places(TABLE)
    never = [place for place in rows if not fired[place]]
    sys.stdout.write(f"in all: {whole.configurations} configurations, {whole.edges} edges, {whole.took_s:.1f} s\n")
    sys.stdout.write(f"rows: {len(rows) - len(never)} taken, {len(never)} never\n")
    sys.stdout.write("".join(f"NEVER TAKEN {state} x {event}, row {index + 1}\n" for state, event, index in never))
    if never:
        return 1
    sys.stdout.write("".join(f"holds: {law.name}: {law.value}\n" for law in Law))
    return 0


def main(argv: Sequence[str]) -> int:
    """Run the command; return 0 where every law holds and every row was taken, else 1."""
    parser = argparse.ArgumentParser("callfsm verify", description=__doc__)
    parser.add_argument(
        "--all", action="store_true", help="put the abstraction to the proof on every configuration (minutes)"
    )
    arguments = parser.parse_args(argv)
    # Millions of values that live to the end: looking for garbage among them takes a quarter of the time.
    gc.disable()
    try:
        return _verify_all(1 if arguments.all else ONE_OF)
    except EndlessError as error:
        sys.stdout.write(f"ENDLESS: {error}\n")
        return 1
    finally:
        gc.enable()
