"""What the diagrams draw, as plain values: the states with their rows, and the small machines with their moves."""

from collections.abc import Iterable
from typing import Final

from attrs import frozen

MARKER: Final = "Written by callfsm diagram, not by hand"
"""Stands in every file that is written, and tells them from what others keep beside them."""


@frozen(order=True)
class Named:
    """A name of the code and what it means: for a function or a class the first line of its docstring."""

    name: str
    meaning: str


def names_of(named: Iterable[Named]) -> str:
    """Return the names as a list in words; nothing for none."""
    return ", ".join(each.name for each in named)


@frozen
class Row:
    """One row of a state; `target` is None where the call stays in the state."""

    event: str
    number: int
    """Its place among the state's rows for this event: they are tried in this order."""
    guards: tuple[Named, ...]
    actions: tuple[Named, ...]
    target: str | None

    @property
    def does_nothing(self) -> bool:
        """It holds always and has no consequence."""
        return not (self.guards or self.actions or self.target)

    @property
    def condition(self) -> str:
        """When the row is taken if none before it was: `[a, b]`, `[else]`, or nothing where it is always taken."""
        if self.guards:
            return f"[{names_of(self.guards)}]"
        return "[else]" if self.number > 1 else ""


@frozen
class StateNode:
    """One state and all that it does."""

    name: str
    meaning: str
    prose: str
    """What its module says about it."""
    deadline: Named | None
    entry: tuple[Named, ...]
    rows: tuple[Row, ...]
    ignored: tuple[str, ...]

    @property
    def is_final(self) -> bool:
        """Whatever comes has no consequence any more."""
        return not self.rows

    def rows_of(self, event: str) -> list[Row]:
        """Return the rows for an event, in the order in which they are tried."""
        return [row for row in self.rows if row.event == event]


@frozen
class Change:
    """One arrow: all rows by which one event leads from one state to another, and of how many they are a part."""

    source: str
    target: str
    event: str
    rows: tuple[Row, ...]
    of: int

    def conditions(self) -> list[str]:
        """Return when each row is taken, numbered where the source has more rows for the event."""
        numbered = self.of > 1
        return [f"{row.number} {row.condition}" if numbered else row.condition for row in self.rows]


@frozen
class Move:
    """One legal move of a small machine."""

    source: str
    by: str
    target: str


@frozen
class PhaseMachine:
    """One small machine. What is not among its moves is a bug that ends the call."""

    name: str
    meaning: str
    phases: tuple[Named, ...]
    inputs: tuple[Named, ...]
    starts: tuple[str, ...]
    """The phases in which a call may begin."""
    moves: tuple[Move, ...]


@frozen
class Graph:
    """The whole machine, with the small ones that stand beside it."""

    initial: str
    events: tuple[Named, ...]
    states: tuple[StateNode, ...]
    machines: tuple[PhaseMachine, ...]

    def changes(self) -> list[Change]:
        """Return every change of state, in the order of the states and of their rows."""
        found: dict[tuple[str, str, str], list[Row]] = {}
        total: dict[tuple[str, str], int] = {}
        for state in self.states:
            for row in state.rows:
                total[state.name, row.event] = row.number
                if row.target is not None:
                    found.setdefault((state.name, row.target, row.event), []).append(row)
        return [
            Change(source, target, event, tuple(rows), total[source, event])
            for (source, target, event), rows in found.items()
        ]

    def common_changes(self) -> list[Change]:
        """Return, once each, what leads from every state but the final ones to one and the same, whatever holds."""
        living = [state.name for state in self.states if not state.is_final]
        alike: dict[tuple[str, str], list[Change]] = {}
        for change in self.changes():
            if change.of == 1 and not change.rows[0].guards:
                alike.setdefault((change.target, change.event), []).append(change)
        return [changes[0] for changes in alike.values() if [change.source for change in changes] == living]

    def particular_changes(self) -> list[Change]:
        """Return the changes that are not common to all states."""
        common = {(change.target, change.event) for change in self.common_changes()}
        return [change for change in self.changes() if (change.target, change.event) not in common]

    def guards(self) -> list[Named]:
        """Return every guard, by name."""
        return _sorted(guard for state in self.states for row in state.rows for guard in row.guards)

    def actions(self) -> list[Named]:
        """Return every action, those on entry too, by name."""
        entry = [action for state in self.states for action in state.entry]
        return _sorted([*entry, *(action for state in self.states for row in state.rows for action in row.actions)])


def _sorted(named: Iterable[Named]) -> list[Named]:
    return sorted(set(named))
