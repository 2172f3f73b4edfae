"""What changed between two versions of the machine, in words that a reviewer can sign off.

The tables are compared, not what is written inside a guard or an action: of these the name and the meaning are known.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from attrs import evolve

from callfsm.audit.diagram.difference_rows import cell, names, row_changes
from callfsm.audit.diagram.graph import Graph, Named, PhaseMachine, Row, StateNode

_NO_MACHINE: Final = PhaseMachine("", "", (), (), (), ())


def differences(old: Graph, new: Graph) -> list[list[str]]:
    """Return one line a change, in groups: the whole, each state in the table's order, each small machine, functions.

    Nothing is returned where nothing changed. A state, event, guard or action with another name and the same meaning
    was renamed: that is one line, and the rows that have it do not count as changed.
    """
    renamings = _renamings(old, new)
    renamed = [f"{kind} {was} is now called {now}" for (kind, was), now in renamings.items()]
    was = _translate(old, {name: now for (_, name), now in renamings.items()})
    states = {state.name: state for state in was.states}
    machines = {machine.name: machine for machine in was.machines}
    events = {event.name for event in was.events}
    groups = [
        [*renamed, *_whole(was, new)],
        *(list(_state(states.get(state.name), state, new, events)) for state in new.states),
        [
            f"{state.name} is gone, with its {len(state.rows)} rows; it meant: {state.meaning}"
            for state in was.states
            if state.name not in {other.name for other in new.states}
        ],
        *(list(_small(machines.get(machine.name), machine)) for machine in new.machines),
        [
            f"{machine.name}: the small machine is gone; it meant: {machine.meaning}"
            for machine in was.machines
            if machine.name not in {other.name for other in new.machines}
        ],
        [line for kind, before, after in _functions(was, new) for line in _names(kind, before, after)],
    ]
    if not any(groups) and old != new:
        groups.append(["the versions differ in something that this comparison has no words for"])
    return [group for group in groups if group]


def _functions(old: Graph, new: Graph) -> Iterator[tuple[str, list[Named], list[Named]]]:
    yield "guard", old.guards(), new.guards()
    yield "action", old.actions(), new.actions()
    yield "deadline", _deadlines(old), _deadlines(new)


def _deadlines(graph: Graph) -> list[Named]:
    return sorted({state.deadline for state in graph.states if state.deadline})


def _states(graph: Graph) -> list[Named]:
    return [Named(state.name, state.meaning) for state in graph.states]


def _missing(named: Iterable[Named], others: Iterable[Named]) -> list[Named]:
    names = {other.name for other in others}
    return [each for each in named if each.name not in names]


def _renamings(old: Graph, new: Graph) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    kinds = [("state", _states(old), _states(new)), ("event", list(old.events), list(new.events))]
    for kind, was, now in (*kinds, *_functions(old, new)):
        gone, come = _by_meaning(_missing(was, now)), _by_meaning(_missing(now, was))
        for meaning, those in gone.items():
            if len(those) == len(come.get(meaning, [])) == 1:
                found[kind, those[0]] = come[meaning][0]
    return found


def _by_meaning(named: Iterable[Named]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in named:
        found.setdefault(each.meaning, []).append(each.name)
    return found


def _translate(graph: Graph, names: Mapping[str, str]) -> Graph:
    """Return the machine in the words of the other version; the small machines have words of their own."""

    def name(was: str) -> str:
        return names.get(was, was)

    def named(those: Iterable[Named]) -> tuple[Named, ...]:
        return tuple(evolve(each, name=name(each.name)) for each in those)

    def row(each: Row) -> Row:
        target = each.target and name(each.target)
        return Row(name(each.event), each.number, named(each.guards), named(each.actions), target)

    def state(each: StateNode) -> StateNode:
        return evolve(
            each,
            name=name(each.name),
            deadline=each.deadline and named([each.deadline])[0],
            entry=named(each.entry),
            rows=tuple(map(row, each.rows)),
            ignored=tuple(map(name, each.ignored)),
        )

    return evolve(
        graph, initial=name(graph.initial), events=named(graph.events), states=tuple(map(state, graph.states))
    )


def _whole(old: Graph, new: Graph) -> Iterator[str]:
    if old.initial != new.initial:
        yield f"a call began in {old.initial}, now in {new.initial}"
    yield from _names("event", old.events, new.events)
    for event in _missing(new.events, old.events):
        ignoring = [state.name for state in new.states if event.name in state.ignored]
        yield f"event {event.name} is ignored in {', '.join(ignoring) or 'no state'}"
    for event in _missing(old.events, new.events):
        reacting = [state.name for state in old.states if event.name not in state.ignored]
        yield f"event {event.name} had rows in {', '.join(reacting) or 'no state'}"
    yield from _order("events", old.events, new.events)
    yield from _order("states", _states(old), _states(new))


def _names(kind: str, old: Iterable[Named], new: Iterable[Named]) -> Iterator[str]:
    was, now = list(old), list(new)
    meanings = {each.name: each.meaning for each in was}
    for each in now:
        if each.name not in meanings:
            yield f"{kind} {each.name} is new: {each.meaning}"
        elif each.meaning != meanings[each.name]:
            yield f'{kind} {each.name} meant "{meanings[each.name]}", and now means "{each.meaning}"'
    yield from (f"{kind} {each.name} is gone; it meant: {each.meaning}" for each in _missing(was, now))


def _order(kind: str, old: Iterable[Named], new: Iterable[Named]) -> Iterator[str]:
    was, now = [each.name for each in old], [each.name for each in new]
    kept = [name for name in now if name in was]
    if kept != [name for name in was if name in now]:
        yield f"the {kind} are listed in another order: {', '.join(kept)}"


def _state(old: StateNode | None, new: StateNode, graph: Graph, events: set[str]) -> Iterator[str]:
    name = new.name
    if old is None:
        yield f"{name} is new: {new.meaning}"
        old = StateNode(name, new.meaning, new.prose, None, (), (), ())
        events = set()
    if old.meaning != new.meaning:
        yield f'{name} meant "{old.meaning}", now "{new.meaning}"'
    if old.prose != new.prose:
        yield f"{name}: what its module says about it was rewritten"
    if _deadline(old) != _deadline(new):
        yield f"{name}: deadline was {_deadline(old)}, now {_deadline(new)}"
    if names(old.entry) != names(new.entry):
        yield f"{name}: entry actions were {names(old.entry)}, now {names(new.entry)}"
    for event in graph.events:
        rows = new.rows_of(event.name)
        if event.name in events:
            yield from (f"{name} x {event.name}: {line}" for line in row_changes(old.rows_of(event.name), rows))
        elif rows:
            yield f"{name} x {event.name}: new, {cell(rows)}"
    if not events and new.ignored:
        yield f"{name} ignores {', '.join(new.ignored)}"


def _deadline(state: StateNode) -> str:
    return names([state.deadline] if state.deadline else [])


def _small(old: PhaseMachine | None, new: PhaseMachine) -> Iterator[str]:
    name = new.name
    if old is None:
        yield f"{name}: the small machine is new: {new.meaning}"
        old = evolve(_NO_MACHINE, meaning=new.meaning)
    if old.meaning != new.meaning:
        yield f'{name} meant "{old.meaning}", now "{new.meaning}"'
    if old.starts != new.starts:
        yield f"{name}: a call began in {' or '.join(old.starts) or 'no phase'}, now in {' or '.join(new.starts)}"
    yield from _names(f"{name}: phase", old.phases, new.phases)
    yield from _names(f"{name}: input", old.inputs, new.inputs)
    yield from _order(f"phases of {name}", old.phases, new.phases)
    yield from _order(f"inputs of {name}", old.inputs, new.inputs)
    was, now = _moves(old), _moves(new)
    for source, by in [*now, *(place for place in was if place not in now)]:
        before, after = was.get((source, by), "illegal"), now.get((source, by), "illegal")
        if before != after:
            yield f"{name}: {source} x {by}: was {before}, now {after}"


def _moves(machine: PhaseMachine) -> dict[tuple[str, str], str]:
    return {(move.source, move.by): move.target for move in machine.moves}
