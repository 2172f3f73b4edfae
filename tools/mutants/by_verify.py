"""Which mutants the exploration notices.

A mutant of the table differs from it in one cell, a state and an event. So only those inputs are followed anew that
went through that cell, from every configuration that the table reaches; what they newly reach is explored as usual,
and then the law of answers is asked of the whole. A configuration that the mutant itself would not reach is asked
all the same, which can make it look noticed where a whole exploration would pass it by.
"""

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from attrs import define, evolve, field

from callfsm.audit.verify import explore
from callfsm.audit.verify.abstraction import BUCKETS, Bucket
from callfsm.audit.verify.agreement import disagreements
from callfsm.audit.verify.command import ONE_OF, places
from callfsm.audit.verify.explore import Configuration, EndlessError, Explorer, Place, engine_of
from callfsm.audit.verify.fairness import check_answers, check_resumes
from callfsm.audit.verify.laws import LawBrokenError
from callfsm.audit.verify.scopes import SCOPES, TALK, Scope
from callfsm.audit.verify.watch import Watch
from callfsm.call import Call
from callfsm.effects import Effect
from callfsm.events import Event
from callfsm.states import TABLE
from tools.mutants.table import Mutant

Cell = tuple[str, str]
MOST_NEW: Final = 600
"""A mutant that opens up so much is followed no further."""
MOST_CONFIGURATIONS: Final = 40_000
"""Enough to see that a mutant comes to no end."""
_CHOICES: Final = 64


@define(eq=False)
class Mapped(Explorer):
    """An exploration that knows which inputs went through which cell."""

    fired: Counter[Place] = field(factory=Counter)
    through: dict[Cell, "array[int]"] = field(factory=lambda: defaultdict(lambda: array("L")))

    def follow(
        self, here: Configuration, name: str, events: Sequence[Event]
    ) -> tuple[Call, Watch, float, list[Effect]]:
        """Follow an input, and note the cells that it went through."""
        self.fired.clear()
        followed = super().follow(here, name, events)
        for cell in {(state, event) for state, event, _ in self.fired}:
            self.through[cell].append(here.number * _CHOICES + len(here.edges))
        return followed


def mapped(scope: Scope) -> Mapped:
    """Explore a scope of the table as it is."""
    fired = Counter[Place]()
    plain = scope.explorer(engine_of(TABLE, fired))
    explorer = Mapped(plain.engine, plain.starts, plain.inputs, fired=fired)
    explorer.run()
    return explorer


def inputs_through(base: Mapped, cell: Cell) -> Iterator[tuple[Configuration, int]]:
    """Yield the inputs that went through a cell: the configuration, and which of its choices."""
    for packed in base.through[cell]:
        yield base.order[packed // _CHOICES], packed % _CHOICES


@define
class _Attempt:
    """One mutant in one scope."""

    base: Mapped
    fired: Counter[Place]
    explorer: Explorer
    new: list[Configuration]

    def ways(self, cell: Cell, most: int) -> Iterator[str]:
        """Follow what went through the cell, all or about `most` of it, and yield what is noticed."""
        order, found = self.base.order, self.base.found
        size = len(order)
        changed: dict[int, list[tuple[str, int]]] = {}
        queue: list[tuple[Configuration, list[int] | None]] = []
        by_config: dict[int, list[int]] = defaultdict(list)
        through = self.base.through[cell]
        for packed in through[:: max(1, len(through) // most)] if most else through:
            by_config[packed // _CHOICES].append(packed % _CHOICES)
        queue += [(order[number], choices) for number, choices in by_config.items()]
        self.explorer.found, self.explorer.order = found, order
        try:
            for here, choices in queue:
                yield from self._leave(here, choices, changed)
                if not most:
                    queue += [(order[n], None) for n in range(size + len(self.new), len(order))]
                self.new += order[size + len(self.new) :]
                if len(self.new) > MOST_NEW and not most:
                    return
            yield from self._answers(changed)
        finally:
            for here in order[size:]:
                del found[here.key]
            del order[size:]

    def _leave(
        self, here: Configuration, choices: list[int] | None, changed: dict[int, list[tuple[str, int]]]
    ) -> Iterator[str]:
        edges = list(here.edges)
        for index, (name, events) in enumerate(self.explorer.choices(here)):
            if choices is not None and index not in choices:
                continue
            try:
                call, watch, now, _ = self.explorer.follow(here, name, events)
            except LawBrokenError as error:
                yield error.law.name
                return
            edge = (name, self.explorer.add(call, watch, now, here, name))
            if choices is None:
                here.edges.append(edge)
            else:
                edges[index] = edge
        if choices is not None and edges != here.edges:
            changed[here.number] = edges

    def _answers(self, changed: dict[int, list[tuple[str, int]]]) -> Iterator[str]:
        order = self.base.order
        kept = {number: order[number].edges for number in changed}
        for number, edges in changed.items():
            order[number].edges = edges
        try:
            broken = check_answers(order).broken or check_resumes(order).broken
        finally:
            for number, edges in kept.items():
                order[number].edges = edges
        if broken is not None:
            yield broken.law.name


def notice_table(mutant: Mutant, bases: Sequence[Mapped], most: int = 0) -> str:
    """Return what notices a mutant of the table: a law, or a row that is never taken; empty where nothing does.

    With `most` no more than about so many inputs through the cell are followed, and nothing behind them.
    """
    cell = (mutant.state.name, mutant.event.__name__)
    fired = Counter[Place]()
    for base in bases:
        explorer = Explorer(engine_of(mutant.table, fired), base.starts, base.inputs)
        for law in _Attempt(base, fired, explorer, []).ways(cell, most):
            return law
    if most:
        return ""
    return "" if takes_all_rows(mutant, fired) else "NEVER_TAKEN"


def takes_all_rows(mutant: Mutant, fired: Counter[Place]) -> bool:
    """Say whether every row of the cell that was changed has been taken."""
    spec = next(spec for spec in mutant.table if spec.state is mutant.state)
    count = sum(row.event is mutant.event for row in spec.transitions)
    return all(fired[mutant.state.name, mutant.event.__name__, index] for index in range(count))


def notice_anything(*, is_short: bool) -> str:
    """Explore from the start, with what has been changed elsewhere; return what is noticed first.

    A short exploration has one utterance on its way and no functions, and counts no rows.
    """
    explore.MOST_CONFIGURATIONS = MOST_CONFIGURATIONS
    fired = Counter[Place]()
    for scope in [evolve(TALK, most=1)] if is_short else SCOPES:
        explorer = scope.explorer(engine_of(TABLE, fired))
        try:
            explorer.run()
        except EndlessError:
            return "ENDLESS"
        order = explorer.order
        broken = explorer.broken or check_answers(order).broken or check_resumes(order).broken
        if broken is not None:
            return broken.law.name
        if disagreements(explorer, ONE_OF, most=1):
            return "NOT_ALIKE"
    return "NEVER_TAKEN" if not is_short and any(not fired[place] for place in places(TABLE)) else ""


def count(scope: Scope, buckets: Sequence[Bucket] = BUCKETS) -> int | str:
    """Return how many configurations a scope has, which a test holds it to; or the law that stops it."""
    explorer = scope.explorer(engine_of(TABLE, Counter()))
    explorer.buckets = buckets
    explorer.run()
    return explorer.broken.law.name if explorer.broken else len(explorer.order)
