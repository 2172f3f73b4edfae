"""The laws of the table, the engine that runs it, and the cover that the cases of tests/states give it."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from transitions import Machine

from callfsm import machine
from callfsm.events import EVENTS, Event
from callfsm.machine import MACHINE, build, dispatch
from callfsm.states import TABLE
from callfsm.states.base import State, StateSpec, Transition
from tests.states import (
    test_ai_grace,
    test_ai_speaking,
    test_announcing,
    test_calibrating,
    test_cancelling,
    test_confirming,
    test_cut_off,
    test_ended,
    test_following,
    test_greeting,
    test_interrupting,
    test_listening,
    test_listening_replies,
    test_resuming,
    test_tools,
    test_waiting_for_user,
)
from tests.table import Case, value

TABLES = (
    test_calibrating,
    test_waiting_for_user,
    test_greeting,
    test_listening,
    test_listening_replies,
    test_ai_grace,
    test_ai_speaking,
    test_interrupting,
    test_cancelling,
    test_confirming,
    test_resuming,
    test_cut_off,
    test_tools,
    test_following,
    test_announcing,
    test_ended,
)
CASES = [value(param) for table in TABLES for param in table.CASES]
CELLS = [pytest.param(spec, event, id=f"{spec.state.name} x {event.__name__}") for spec in TABLE for event in EVENTS]
MAIN_MOVES = {
    "CALIBRATING": {"AI_GRACE", "GREETING", "WAITING_FOR_USER", "ENDED"},
    "WAITING_FOR_USER": {"AI_GRACE", "GREETING", "LISTENING", "ENDED"},
    "GREETING": {"AI_GRACE", "CANCELLING", "WAITING_FOR_USER", "ENDED"},
    "LISTENING": {"AI_GRACE", "CANCELLING", "ENDED"},
    "AI_GRACE": {"AI_SPEAKING", "CANCELLING", "LISTENING", "WAITING_FOR_USER", "ENDED"},
    "AI_SPEAKING": {"CANCELLING", "LISTENING", "WAITING_FOR_USER", "ENDED"},
    "CANCELLING": {"LISTENING", "WAITING_FOR_USER", "ENDED"},
    "ENDED": set(),
}
"""The changes of state that the design draws, and no others."""

NEVER_FED = [("CANCELLING", "RealtimeReady", 0), ("ENDED", "TimerFired", 0)]
"""Without a session nothing is cancelled for longer than the step; a call that is over has no deadline."""
NEVER_SEEN = [(("WAITING_FOR_USER", "SpeechDetected", 0), "is_caller_speaking", False)]
"""Nothing stays paused here but while the caller speaks: in the step in which that ends the greeting goes on."""

Row = tuple[str, str, int]
Seen = tuple[Row, str, bool]


def rows(spec: StateSpec, event: type[Event]) -> list[Transition]:
    return [row for row in spec.transitions if row.event is event]


def callables() -> Iterator[Any]:
    """Every guard, action and deadline that the table names."""
    for spec in TABLE:
        yield from (spec.deadline, *spec.entry)
        for row in spec.transitions:
            yield from (*row.when, *row.do)


@pytest.mark.parametrize(("spec", "event"), CELLS)
def test_a_cell_has_rows_or_is_ignored_and_not_both(spec: StateSpec, event: type[Event]) -> None:
    assert bool(rows(spec, event)) is not (event in spec.ignores)


@pytest.mark.parametrize(("spec", "event"), CELLS)
def test_the_last_row_of_a_cell_and_no_other_is_unguarded(spec: StateSpec, event: type[Event]) -> None:
    unguarded = [not row.when for row in rows(spec, event)]

    assert [False] * (len(unguarded) - 1) + [True] * bool(unguarded) == unguarded


@pytest.mark.parametrize("spec", TABLE, ids=lambda spec: spec.state.name)
def test_nothing_is_said_twice(spec: StateSpec) -> None:
    guards = Counter((row.event, row.when) for row in spec.transitions)

    assert [] == [cell for cell, count in guards.items() if count > 1]
    assert len(spec.ignores) == len(set(spec.ignores))


def test_every_state_has_one_specification() -> None:
    assert list(State) == [spec.state for spec in TABLE]


def test_the_changes_of_state_are_those_of_the_design() -> None:
    drawn = {spec.state.name: {row.to.name for row in spec.transitions if row.to} for spec in TABLE}

    assert MAIN_MOVES == drawn


def test_no_row_leads_from_a_state_to_itself() -> None:
    """A reaction that stays is internal; a self-transition would run the entry again."""
    assert [] == [row for spec in TABLE for row in spec.transitions if row.to is spec.state]


def test_every_state_is_reachable_and_the_end_is_final() -> None:
    moves = {spec.state: {row.to for row in spec.transitions if row.to} for spec in TABLE}
    reached, new = set[State](), {State.CALIBRATING}
    while new:
        reached |= new
        new = {to for state in new for to in moves[state]} - reached

    assert set(State) == reached
    assert set() == moves[State.ENDED]


def test_every_guard_and_action_says_what_it_means() -> None:
    assert [] == sorted({named.__qualname__ for named in callables() if not named.__doc__})


def test_machine_equals_table() -> None:
    for spec in TABLE:
        for event in EVENTS:
            run = MACHINE.events[event.__name__].transitions[spec.state.name]
            told = rows(spec, event) or [Transition(event, None)] * (event in spec.ignores)

            assert [row.to and row.to.name for row in told] == [row.dest for row in run]
            assert [list(row.when) for row in told] == [[guard.func for guard in row.conditions] for row in run]
            assert [[True] * len(row.when) for row in told] == [
                [guard.target for guard in row.conditions] for row in run
            ]
            assert [list(row.do) for row in told] == [row.before for row in run]
            assert [[]] * len(run) == [[*row.after, *row.prepare] for row in run]


def test_the_machine_has_no_other_way_in() -> None:
    assert {event.__name__ for event in EVENTS} == set(MACHINE.events)
    assert {state.name for state in State} == set(MACHINE.states)
    assert [] == MACHINE.models
    assert {spec.state.name: list(spec.entry) for spec in TABLE} == {
        name: state.on_enter for name, state in MACHINE.states.items()
    }
    assert [] == [action for state in MACHINE.states.values() for action in state.on_exit]
    assert not MACHINE.has_queue


def test_each_run_uses_the_one_machine_class_given() -> None:
    class Other(Machine):
        """A machine of another class, as the drawings use one."""

    assert isinstance(build(machine_class=Other), Other)


# The cover


def instrumented(fired: Counter[Row], seen: Counter[Seen]) -> Machine:
    """Return a machine of the table that counts the rows it takes, and what their guards say."""
    built = build()
    for name, event in built.events.items():
        for state, transitions in event.transitions.items():
            for index, row in enumerate(transitions):
                place = (str(state), name, index)
                for condition in row.conditions:
                    condition.func = _watched(place, condition.func, seen)
                row.before.append(_counter(place, fired))
    return built


def _watched(place: Row, guard: Any, seen: Counter[Seen]) -> Callable[..., bool]:
    def watched(*args: Any) -> bool:
        holds = bool(guard(*args))
        seen[place, guard.__name__, holds] += 1
        return holds

    return watched


def _counter(place: Row, fired: Counter[Row]) -> Callable[..., None]:
    def count(*_args: Any) -> None:
        fired[place] += 1

    return count


def run(cases: list[Case], monkeypatch: pytest.MonkeyPatch) -> tuple[Counter[Row], Counter[Seen]]:
    """Feed each case's event, and nothing of its past, to a machine that counts."""
    fired, seen = Counter[Row](), Counter[Seen]()
    counting = instrumented(fired, seen)
    triggers = {event: counting.events[event.__name__].trigger for event in EVENTS}
    for case in cases:
        call = case.given.call()
        with monkeypatch.context() as patched:
            patched.setattr(machine.ENGINE, "_trigger", triggers)
            dispatch(call, case.event)
    return fired, seen


def test_the_cases_fire_every_row_and_see_every_guard_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    fired, seen = run(CASES, monkeypatch)
    places: dict[Row, Transition] = {}
    for spec in TABLE:
        for event in EVENTS:
            cell = rows(spec, event) or [Transition(event, None)]
            places |= {(spec.state.name, event.__name__, index): row for index, row in enumerate(cell)}
    both = [
        (place, guard.__name__, holds)
        for place, row in places.items()
        for guard in row.when
        for holds in (True, False)
    ]

    assert NEVER_FED == [place for place in places if not fired[place]]
    assert NEVER_SEEN == [look for look in both if not seen[look]]


def test_the_cases_have_names_of_their_own() -> None:
    names = Counter((table.__name__, param.id) for table in TABLES for param in table.CASES)

    assert [] == [name for name, count in names.items() if count > 1]
