"""What changed in the rows that one state has for one event, in words."""

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from callfsm.audit.diagram.graph import Named, Row, names_of

Pair = tuple[Row, Row]
"""A row as it was, and as it is."""


def names(named: Iterable[Named]) -> str:
    """Return the names as a list in words, or that there are none."""
    return names_of(named) or "none"


def cell(rows: Sequence[Row]) -> str:
    """Return all that a state does on an event, in the order in which it is tried."""
    return "; ".join(map(in_words, rows)) or "ignored"


def in_words(row: Row) -> str:
    """Return a row as it is read: where it leads, when, and what is done."""
    does = f" (do: {names(row.actions)})" if row.actions else ""
    return f"{row.target or ('stays' if row.actions else 'nothing')}{_when(row)}{does}"


def _when(row: Row) -> str:
    if row.guards:
        return f" when {names(row.guards)}"
    return " otherwise" if row.number > 1 else ""


def row_changes(old: Sequence[Row], new: Sequence[Row]) -> Iterator[str]:
    """Yield one line a change: rows added, changed, moved, removed. No rows at all mean that the event is ignored.

    A row that only has another number because of rows that came or went before it has not changed.
    """
    if not (old and new):
        if old or new:
            yield f"was {cell(old)}, now {cell(new)}"
        return
    pairs = match(old, new)
    was = {now.number: then for then, now in pairs}
    for row in new:
        if row.number not in was:
            yield f"row {row.number} is new: {in_words(row)}"
        elif changes := list(_changes(was[row.number], row)):
            yield f"row {_numbers(was[row.number], row)}{_when(was[row.number])}: {'; '.join(changes)}"
    yield from _moves(pairs)
    kept = {then.number for then, _ in pairs}
    yield from (f"row {row.number} is gone, it was: {in_words(row)}" for row in old if row.number not in kept)


def _numbers(was: Row, now: Row) -> str:
    return f"{now.number}" if was.number == now.number else f"{now.number}, once row {was.number},"


def _changes(was: Row, now: Row) -> Iterator[str]:
    if was.target != now.target:
        yield f"target was {was.target or 'none'}, now {now.target or 'none'}"
    if _of(was.guards) != _of(now.guards):
        yield f"guards were {names(was.guards)}, now {names(now.guards)}"
    if _of(was.actions) != _of(now.actions):
        yield f"actions were {names(was.actions)}, now {names(now.actions)}"


def _moves(pairs: Sequence[Pair]) -> Iterator[str]:
    """Yield the rows that changed places with others: as few as explain the new order."""
    rest = list(pairs)
    while rest:
        # Of two that changed places, the lower one is said to have been moved up.
        moved = max(reversed(rest), key=lambda pair: len(_crossing(pair, rest)))
        crossed = _crossing(moved, rest)
        if not crossed:
            return
        rest.remove(moved)
        for word, rows in (
            ("before", [then for then, _ in crossed if then.number < moved[0].number]),
            ("after", [then for then, _ in crossed if then.number > moved[0].number]),
        ):
            if rows:
                which = ", ".join(f"row {row.number} ({in_words(row)})" for row in rows)
                yield f"row {moved[0].number} ({in_words(moved[0])}) is now tried {word} {which}"


def _crossing(pair: Pair, pairs: Iterable[Pair]) -> list[Pair]:
    was, now = pair
    return [other for other in pairs if (other[0].number < was.number) != (other[1].number < now.number)]


def _of(named: Iterable[Named]) -> tuple[str, ...]:
    return tuple(each.name for each in named)


_KEYS: Final[tuple[Callable[[Row], Hashable], ...]] = (
    lambda row: (_of(row.guards), _of(row.actions), row.target),
    lambda row: frozenset(_of(row.guards)),
    lambda row: (_of(row.actions), row.target),
)
"""What makes two rows the same one, the surest first."""


def match(old: Sequence[Row], new: Sequence[Row]) -> list[Pair]:
    """Return the rows that are the same ones in both versions, in their old order.

    They are matched by all they say, then by their guards, then by what follows, then by the row that they follow.
    """
    pairs: dict[int, Row] = {}
    for key in _KEYS:
        pairs |= _matched(
            old, new, pairs, {row.number: key(row) for row in old}, {row.number: key(row) for row in new}
        )
    counterparts = {now.number: number for number, now in pairs.items()}
    places = _places(old, {number: number for number in pairs}), _places(new, counterparts)
    pairs |= _matched(old, new, pairs, *places)
    return [(row, pairs[row.number]) for row in old if row.number in pairs]


def _matched(
    old: Sequence[Row],
    new: Sequence[Row],
    pairs: Mapping[int, Row],
    old_keys: Mapping[int, Hashable],
    new_keys: Mapping[int, Hashable],
) -> dict[int, Row]:
    """Return the rows, not matched yet, whose keys are the same, by their old numbers: the first with the first."""
    taken = {row.number for row in pairs.values()}
    free: dict[Hashable, deque[Row]] = defaultdict(deque)
    for row in new:
        if row.number not in taken:
            free[new_keys[row.number]].append(row)
    rest = (row for row in old if row.number not in pairs)
    return {row.number: free[old_keys[row.number]].popleft() for row in rest if free[old_keys[row.number]]}


def _places(rows: Sequence[Row], matched: Mapping[int, int]) -> dict[int, Hashable]:
    """Return for each row the nearest one before it that is matched, by that one's old number; 0 where none is."""
    places: dict[int, Hashable] = {}
    last = 0
    for row in rows:
        last = matched.get(row.number, last)
        places[row.number] = last
    return places
