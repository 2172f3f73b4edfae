"""A way to a broken law, told so that it can be pasted as a test."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final

import attrs
from attrs import define, evolve, frozen

from callfsm.audit.verify.clock import ALL, TIMER, timers
from callfsm.audit.verify.copying import copy_of, shallow
from callfsm.audit.verify.explore import TICK_S, Broken, Explorer
from callfsm.audit.verify.laws import Law, LawBrokenError
from callfsm.audit.verify.watch import Watch
from callfsm.call import Call
from callfsm.events import Event, TimerFired
from callfsm.hearing.mulaw import FRAME_MS

MOST_TRIES: Final = 20_000
JUST_BEFORE_S: Final = 1e-3
_FAR_S: Final = 1e6
_MISSING: Final = {
    Law.ANSWERED: ("    assert watch.debt is Debt.NONE or watch.is_in_flight",),
    Law.GOES_ON: ("    assert not watch.is_rest_due",),
}
"""What does not hold at the end of the way where what is due never comes."""


@frozen
class Way:
    """Events that lead from one of the starts, by its number, to the broken law."""

    start: int
    events: tuple[Event, ...]


@define
class _Search:
    """For a way of named inputs, times at which it can really go: no deadline is moved, time only passes."""

    explorer: Explorer
    broken: Broken
    step_s: float
    """Between two events: a frame's length, as on a line, or next to nothing."""
    tries: int = 0

    def find(self, call: Call, watch: Watch, now: float, done: int = 0) -> tuple[Event, ...] | None:
        """Return the events of what is left of the way; None where no times are found."""
        if done == len(self.broken.path):
            return () if self.broken.is_missing else None
        self.tries += 1
        if self.tries > MOST_TRIES:
            return None
        for events, after, seen, at in self._ways(call, watch, now, self.broken.path[done]):
            rest = () if after is None else self.find(after, seen, at, done + 1)
            if rest is not None:
                return (*events, *rest)
        return None

    def _ways(
        self, call: Call, watch: Watch, now: float, name: str
    ) -> Iterator[tuple[Sequence[Event], Call | None, Watch, float]]:
        for at in _times(call, now, name):
            after, seen = copy_of(call), shallow(watch)
            events = [TimerFired(at)] if name.startswith(TIMER) else self._spread(name, after, at)
            try:
                for event in events:
                    seen.feed(self.explorer.engine, after, event)
            except LawBrokenError:
                yield events, None, seen, at
            else:
                if events:
                    yield events, after, seen, events[-1].at + self.step_s

    def _spread(self, name: str, call: Call, at: float) -> list[Event]:
        events = self.explorer.events_of(name, call, at)
        return [evolve(event, at=round(at + number * self.step_s, 6)) for number, event in enumerate(events)]


def _times(call: Call, now: float, name: str) -> list[float]:
    """Return when an input can happen: now, or just before the next deadline; a timer, when it is the next."""
    due = timers(call)
    if name.startswith(TIMER):
        meant = list(due) if name == TIMER + ALL else [name.removeprefix(TIMER)]
        first = min(due.values(), default=-1.0)
        return [first] if first >= now and all(due.get(one) == first for one in meant) else []
    late = min(due.values(), default=now) - JUST_BEFORE_S
    return [now, late] if now < late < now + _FAR_S else [now]


def way_of(explorer: Explorer, broken: Broken) -> Way | None:
    """Return the events of the way to a broken law, at times at which they can happen; None where none are found."""
    for step_s in (FRAME_MS / 1000, TICK_S):
        for number, start in enumerate(explorer.starts):
            events = _Search(explorer, broken, step_s).find(copy_of(start), Watch(), 0.0)
            if events is not None:
                return Way(number, events)
    return None


def as_test(explorer: Explorer, broken: Broken, scope: str) -> str:
    """Return a test that fails as the law is broken."""
    told = [f"# {number}. {name}" for number, name in enumerate(broken.path, 1)]
    way = way_of(explorer, broken)
    if way is None:
        return "\n".join([*told, "# No times were found at which the deadlines pass in this order."])
    names = sorted({type(event).__name__ for event in way.events})
    ending = _MISSING[broken.law] if broken.is_missing else ()
    lines = [
        f"from callfsm.audit.verify.watch import {'Debt, Watch' if broken.law is Law.ANSWERED else 'Watch'}",
        f"from callfsm.audit.verify.scopes import {scope}",
        f"from callfsm.events import {', '.join(names)}",
        "from callfsm.machine import ENGINE",
        "",
        "",
        f"def test_{broken.law.name.lower()}() -> None:",
        *(f"    {line}" for line in told),
        f"    call, watch = {scope}.explorer(ENGINE).starts[{way.start}], Watch()  # {_start(explorer, way)}",
        "    for event in [",
        *(f"        {line}," for line in _as_code(way.events)),
        "    ]:",
        "        watch.feed(ENGINE, call, event)",
        *ending,
    ]
    return "\n".join(lines)


def _start(explorer: Explorer, way: Way) -> str:
    call = explorer.starts[way.start]
    greets = "a greeting" if call.business.enable_greeting else "no greeting"
    return f"{greets}, a recording" if call.greeting_clip else greets


def _as_code(events: Sequence[Event]) -> Iterator[str]:
    for text, alike in groupby(events, key=_event_as_code):
        count = len(list(alike))
        yield f"*[{text}] * {count}" if count > 1 else text


def _event_as_code(event: Event) -> str:
    values = attrs.asdict(event, recurse=False)
    return f"{type(event).__name__}({', '.join(_value_as_code(value) for value in values.values())})"


def _value_as_code(value: Any) -> str:
    if isinstance(value, bytes) and value == value[:1] * len(value):
        return f"{value[:1]!r} * {len(value)}"
    return repr(value)
