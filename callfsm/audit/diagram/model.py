"""Reads what is drawn off the machine that was built: its rows are what runs, whatever the table says.

What the diagrams have no place for is refused, so that no rule can hide from the audit.
"""

import inspect
from collections.abc import Callable
from enum import Enum
from importlib import import_module
from typing import Any, Final

from transitions import Machine
from transitions import Transition as EngineRow

from callfsm.audit.diagram.graph import Graph, Move, Named, PhaseMachine, Row, StateNode
from callfsm.call import Call
from callfsm.config import Business, Config
from callfsm.events import EVENTS
from callfsm.hearing.turn import TURN
from callfsm.machine import MACHINE
from callfsm.phases import PhaseTable
from callfsm.speaking.playback import PLAYBACK
from callfsm.speaking.response import OWED, RESPONSE
from callfsm.states import TABLE
from callfsm.states.base import State, StateSpec, never

_SMALL: Final[tuple[tuple[PhaseTable[Any, Any], Callable[[Call], Enum]], ...]] = (
    (TURN, lambda call: call.turn.phase),
    (RESPONSE, lambda call: call.response.phase),
    (OWED, lambda call: call.response.owed),
    (PLAYBACK, lambda call: call.playback.phase),
)
"""The small machines, each with where a call keeps its phase."""


class UndrawableError(ValueError):
    """The machine has something in it that the diagrams would not show."""


def read_machine(machine: Machine = MACHINE) -> Graph:
    """Return what a built machine does; raise UndrawableError where the diagrams could not show all of it."""
    if set(machine.events) != {event.__name__ for event in EVENTS}:
        raise UndrawableError("the machine's triggers are not the events")
    if machine.before_state_change or machine.after_state_change or machine.prepare_event or machine.finalize_event:
        raise UndrawableError("the machine has callbacks beside its rows")
    beginnings = [
        Call.begin(Config(), Business(enable_greeting=enable_greeting)) for enable_greeting in (False, True)
    ]
    return Graph(
        initial=beginnings[0].state.name,
        events=tuple(_named(event) for event in EVENTS),
        states=tuple(_read_state(machine, spec) for spec in TABLE),
        machines=tuple(
            _read_small(table, list(dict.fromkeys(phase_of(call).name for call in beginnings)))
            for table, phase_of in _SMALL
        ),
    )


def _read_state(machine: Machine, spec: StateSpec) -> StateNode:
    name = spec.state.name
    state = machine.states[name]
    if state.on_exit:
        raise UndrawableError(f"{name} has exit actions")
    rows: list[Row] = []
    ignored: list[str] = []
    for event in EVENTS:
        read = _read_rows(event.__name__, machine.events[event.__name__].transitions.get(name, []))
        if not read:
            raise UndrawableError(f"{name} has no row for {event.__name__}")
        if [row.does_nothing for row in read] == [True]:
            ignored.append(event.__name__)
        else:
            rows += read
    return StateNode(
        name=name,
        meaning=spec.state.value,
        prose=inspect.getdoc(import_module(f"{State.__module__.rpartition('.')[0]}.{name.lower()}")) or "",
        deadline=None if spec.deadline is never else _named(spec.deadline),
        entry=tuple(_named(action) for action in state.on_enter),
        rows=tuple(rows),
        ignored=tuple(ignored),
    )


def _read_rows(event: str, rows: list[EngineRow]) -> list[Row]:
    return [_read_row(event, number, row) for number, row in enumerate(rows, 1)]


def _read_row(event: str, number: int, row: EngineRow) -> Row:
    if row.prepare or row.after or not all(condition.target for condition in row.conditions):
        raise UndrawableError(f"{event} in {row.source}, row {number}: only guards and actions before it are drawn")
    guards = tuple(_named(condition.func) for condition in row.conditions)
    return Row(event, number, guards, tuple(_named(action) for action in row.before), row.dest)


def _read_small(table: PhaseTable[Any, Any], starts: list[str]) -> PhaseMachine:
    phases = type(next(iter(table.moves)))
    inputs = type(next(by for moves in table.moves.values() for by in moves))
    return PhaseMachine(
        name=table.name,
        meaning=_named(phases).meaning,
        phases=_members(phases),
        inputs=_members(inputs),
        starts=tuple(starts),
        moves=tuple(
            Move(phase.name, by.name, target.name)
            for phase, moves in table.moves.items()
            for by, target in moves.items()
        ),
    )


def _members(enum: type[Enum]) -> tuple[Named, ...]:
    return tuple(Named(member.name, member.value) for member in enum)


def _named(thing: object) -> Named:
    name, doc = getattr(thing, "__name__", ""), inspect.getdoc(thing)
    if not name.isidentifier() or not doc:
        raise UndrawableError(f"{thing!r} needs a name and a docstring")
    return Named(name, doc.splitlines()[0])
