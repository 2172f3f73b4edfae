"""Mutants of the table: a row dropped, two rows swapped, a target changed, a guard negated, an action dropped."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from attrs import evolve, frozen

from callfsm.events import EVENTS, Event
from callfsm.states import TABLE
from callfsm.states.base import Action, Guard, State, StateSpec, Transition


@frozen
class Mutant:
    """A table with one thing changed. `name` says where and what; `kind` is the sort of the change."""

    name: str
    kind: str
    state: State
    event: type[Event]
    table: tuple[StateSpec, ...]


def _elsewhere(state: State) -> State:
    return State.LISTENING if state is State.CANCELLING else State.CANCELLING


def _negated(guard: Guard) -> Guard:
    def negated(call: object, event: object) -> bool:
        return not guard(call, event)  # type: ignore[arg-type]

    return negated


def _without(actions: Sequence[Action], index: int) -> tuple[Action, ...]:
    return (*actions[:index], *actions[index + 1 :])


def _of_row(spec: StateSpec, row: Transition) -> Iterator[tuple[str, str, Transition | None]]:
    """Yield what kind of change it is, what is changed, and the row that is left."""
    yield "row dropped", "dropped", None
    target = _elsewhere(spec.state) if row.to is None else None
    yield "target changed", f"to {target.name if target else 'nowhere'}", evolve(row, to=target)
    for index, guard in enumerate(row.when):
        when = (*row.when[:index], _negated(guard), *row.when[index + 1 :])
        yield "guard negated", f"not {guard.__name__}", evolve(row, when=when)
    for index, action in enumerate(row.do):
        yield "action dropped", f"without {action.__name__}", evolve(row, do=_without(row.do, index))


def _with_rows(spec: StateSpec, rows: Sequence[Transition]) -> tuple[StateSpec, ...]:
    return tuple(evolve(other, transitions=tuple(rows)) if other is spec else other for other in TABLE)


def mutants() -> Iterator[Mutant]:
    """Yield every mutant of the table, in the order of the table."""
    for spec in TABLE:
        for event in EVENTS:
            places = [index for index, row in enumerate(spec.transitions) if row.event is event]
            for number, place in enumerate(places, 1):
                row = spec.transitions[place]
                for kind, what, changed in _of_row(spec, row):
                    rows = list(spec.transitions)
                    rows[place : place + 1] = [] if changed is None else [changed]
                    name = f"{spec.state.name} x {event.__name__}, row {number}: {what}"
                    yield Mutant(name, kind, spec.state, event, _with_rows(spec, rows))
            for number, (first, second) in enumerate(pairwise(places), 1):
                rows = list(spec.transitions)
                rows[first], rows[second] = rows[second], rows[first]
                name = f"{spec.state.name} x {event.__name__}, rows {number} and {number + 1}: swapped"
                yield Mutant(name, "rows swapped", spec.state, event, _with_rows(spec, rows))
