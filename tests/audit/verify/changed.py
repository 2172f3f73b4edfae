"""Engines of a table with one row changed, and short explorations for them."""

from collections import Counter
from collections.abc import Callable, Iterable

from attrs import evolve

from callfsm.audit.verify.explore import Explorer, Place, engine_of
from callfsm.audit.verify.scopes import GREETING, TALK, TOOLS, Scope
from callfsm.events import Event
from callfsm.machine import Engine
from callfsm.states import TABLE
from callfsm.states.base import Action, State, StateSpec, Transition

Change = Callable[[Transition], Transition]


def without(*names: str) -> Change:
    """The row, without the actions of these names."""
    return lambda row: evolve(row, do=tuple(action for action in row.do if action.__name__ not in names))


def also(action: Action) -> Change:
    return lambda row: evolve(row, do=(*row.do, action))


def doing(*actions: Action) -> Change:
    """The row, with these actions and no others."""
    return lambda row: evolve(row, do=actions)


def leading(to: State | None) -> Change:
    return lambda row: evolve(row, to=to)


def unguarded(row: Transition) -> Transition:
    return evolve(row, when=())


def table(state: State, event: type[Event], change: Change, *actions: str) -> tuple[StateSpec, ...]:
    """The table, with the change made to the state's rows for the event that have all these actions."""
    changed = 0

    def row_of(row: Transition) -> Transition:
        nonlocal changed
        if row.event is not event or not set(actions) <= {action.__name__ for action in row.do}:
            return row
        changed += 1
        return change(row)

    specs = tuple(
        evolve(spec, transitions=tuple(row_of(row) for row in spec.transitions)) if spec.state is state else spec
        for spec in TABLE
    )
    assert changed
    return specs


def engine(state: State, event: type[Event], change: Change, *actions: str) -> Engine:
    return engine_of(table(state, event, change, *actions), Counter[Place]())


def explorer(engine: Engine, names: Iterable[str], scope: Scope = TALK) -> Explorer:
    """An exploration of these inputs alone, of a call without a greeting."""
    chosen = set(names)
    whole = scope.explorer(engine)
    inputs = [one for one in whole.inputs if one.name in chosen]
    assert len(chosen) == len(inputs)
    return Explorer(engine, whole.starts[:1], inputs)


A_CALL = (
    "a silent frame",
    "a frame at the threshold",
    "silence to the end of the turn",
    "session ready",
    "commit acknowledged",
    "transcript of the oldest item: real",
    "transcript of the oldest item: of two letters",
    "our response begins",
    "a piece of our response",
    "our response is done",
    "the first pending mark",
)
"""What happens in a call without trouble, and no more."""
TOOL_CALL = (*A_CALL, "our function is called", "our function answers", "the assistant hangs up")
GREETED = Scope("greeted", "GREETED", ((GREETING, b""),), 2)
__all__ = [
    "A_CALL",
    "GREETED",
    "TALK",
    "TOOLS",
    "TOOL_CALL",
    "also",
    "engine",
    "explorer",
    "leading",
    "table",
    "unguarded",
    "without",
]
