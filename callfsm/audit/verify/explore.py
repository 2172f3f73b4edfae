"""Exploration: from the start of a call, every input in every order, until no new configuration turns up."""

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from typing import Any, Final

from attrs import define, evolve, field, frozen

from callfsm.audit.verify.abstraction import BUCKETS, Bucket
from callfsm.audit.verify.alphabet import inputs
from callfsm.audit.verify.clock import TIMER, choices, expire
from callfsm.audit.verify.copying import copy_of, shallow
from callfsm.audit.verify.inputs import Input
from callfsm.audit.verify.laws import Law, LawBrokenError
from callfsm.audit.verify.watch import Watch
from callfsm.call import Call
from callfsm.effects import Effect
from callfsm.events import EVENTS, Event
from callfsm.machine import Engine, build
from callfsm.states.base import State, StateSpec, Transition

Place = tuple[str, str, int]
"""A row: its state, its event, and its index among the state's rows for it."""
TICK_S: Final = 1e-6
"""Between two inputs time moves on, and so little that no deadline passes by itself."""
MOST_CONFIGURATIONS = 150_000
"""Several times what there are: something is counted that no bucket bounds."""
_FAMILIES: Final = {one.name: one.family for one in inputs(2)}


def traced(table: Sequence[StateSpec], fired: Counter[Place]) -> tuple[StateSpec, ...]:
    """Return the table with every row's first action, or none, counting that the row was taken."""

    def counting(place: Place, row: Transition) -> Transition:
        def count(_call: Call, _event: Any) -> None:
            fired[place] += 1

        def count_and_do(call: Call, event: Any) -> None:
            fired[place] += 1
            first(call, event)

        # One more callback in each row would be a tenth of the engine's time.
        first = row.do[0] if row.do else count
        return evolve(row, do=(count_and_do, *row.do[1:]) if row.do else (count,))

    specs = []
    for spec in table:
        rows: list[Transition] = []
        for event in EVENTS:
            cell = [row for row in spec.transitions if row.event is event] or [Transition(event, None)]
            rows += [counting((spec.state.name, event.__name__, index), row) for index, row in enumerate(cell)]
        specs.append(evolve(spec, transitions=tuple(rows), ignores=()))
    return tuple(specs)


@define(eq=False, repr=False)
class Configuration:
    """One configuration, with the call that came to it first, and how."""

    number: int
    key: Hashable
    call: Call
    watch: Watch
    now: float
    parent: "Configuration | None" = None
    by: str = ""
    edges: list[tuple[str, int]] = field(factory=list)
    """Input by input, the number of the configuration that follows."""
    others: "list[Configuration]" = field(factory=list)
    """The first and the newest call that came here by another way."""

    def path(self) -> list[str]:
        """Return the inputs that lead here, first to last."""
        names: list[str] = []
        here: Configuration | None = self
        while here is not None and here.parent is not None:
            names.append(here.by)
            here = here.parent
        return names[::-1]


class EndlessError(RuntimeError):
    """Exploration comes to no end."""


@frozen
class Broken:
    """A law that was broken, and the shortest way there."""

    law: Law
    why: str
    path: tuple[str, ...]
    is_missing: bool = False
    """It is no step that breaks it: what is due never comes."""


@define(eq=False, repr=False)
class Explorer:
    """The configurations of one kind of call."""

    engine: Engine
    starts: Sequence[Call]
    inputs: Sequence[Input]
    buckets: Sequence[Bucket] = BUCKETS
    one_of: int = 1
    """Of one in so many configurations the calls that came another way are kept."""
    found: dict[Hashable, Configuration] = field(factory=dict)
    order: list[Configuration] = field(factory=list)
    edges: int = 0
    broken: Broken | None = None

    def run(self) -> None:
        """Explore breadth first up to a broken law, so that the way there is a shortest one; raise EndlessError."""
        for start in self.starts:
            self.add(start, Watch(), 0.0, None, "")
        for here in self.order:
            for name, events in self.choices(here):
                try:
                    call, watch, now, _ = self.follow(here, name, events)
                except LawBrokenError as error:
                    self.broken = Broken(error.law, error.why, (*here.path(), name))
                    return
                self.edges += 1
                here.edges.append((name, self.add(call, watch, now, here, name)))
            if len(self.order) > MOST_CONFIGURATIONS:
                raise EndlessError(f"more than {MOST_CONFIGURATIONS} configurations: a bucket counts without end")

    def add(self, call: Call, watch: Watch, now: float, parent: Configuration | None, by: str) -> int:
        """Return the number of the configuration that a call has come to, a new one where it is new."""
        key = self.key_of(call, watch)
        known = self.found.get(key)
        if known is None:
            known = self.found[key] = Configuration(len(self.order), key, call, watch, now, parent, by)
            self.order.append(known)
        elif parent is not known and known.number % self.one_of == 0:
            del known.others[1:]
            known.others.append(Configuration(known.number, key, call, watch, now, parent, by))
        return known.number

    def key_of(self, call: Call, watch: Watch) -> Hashable:
        """Return what a configuration is known by; all ended calls are one."""
        if call.state is State.ENDED:
            return State.ENDED
        return tuple([bucket.of(call, watch) for bucket in self.buckets])

    def differing(self, key: Hashable, others: Sequence[Hashable]) -> tuple[str, ...]:
        """Return the names of the buckets in which a key differs from the most similar of the others."""
        if not isinstance(key, tuple):
            return (str(key),)
        gaps = [
            tuple(bucket.name for bucket, mine, its in zip(self.buckets, key, other, strict=True) if mine != its)
            for other in others
            if isinstance(other, tuple)
        ]
        return min(gaps, key=len, default=("nothing alike",))

    def choices(self, here: Configuration) -> Iterator[tuple[str, Sequence[Event]]]:
        """Return the inputs that can happen, with their events; a timer's is made when it is followed."""
        for one in self.inputs:
            events = one.make(here.call, here.now)
            if events:
                yield one.name, events
        for name in choices(here.call):
            yield TIMER + name, ()

    def events_of(self, name: str, call: Call, now: float) -> Sequence[Event]:
        """Return an input's events for a call; none for a timer, whose event is made when it is followed."""
        return next((one.make(call, now) for one in self.inputs if one.name == name), ())

    def follow(
        self, here: Configuration, name: str, events: Sequence[Event]
    ) -> tuple[Call, Watch, float, list[Effect]]:
        """Return what an input makes of a configuration; raise LawBrokenError where a law is broken."""
        call, watch, now = copy_of(here.call), shallow(here.watch), here.now
        effects: list[Effect] = []
        for event in events or [expire(call, name.removeprefix(TIMER), now)]:
            effects += watch.feed(self.engine, call, event)
        return call, watch, now + TICK_S, effects


def family_of(name: str) -> str:
    """Return what an input is, whatever its length."""
    return _FAMILIES.get(name, name)


def engine_of(table: Sequence[StateSpec], fired: Counter[Place]) -> Engine:
    """Return an engine that counts the rows it takes."""
    return Engine(build(traced(table, fired)))
