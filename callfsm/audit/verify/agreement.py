"""The abstraction put to the proof: calls that are one configuration by their key must go on alike.

For a call that came to a configuration by another way than the one that was explored, every input is followed. What
comes of it must be among what came of the inputs of the same family there (the same thing, for a shorter or longer
while). Then the explored call stands for both, and nothing is lost by not exploring the other.
"""

from collections import defaultdict

from attrs import frozen

from callfsm.audit.verify.explore import Broken, Configuration, Explorer, family_of
from callfsm.audit.verify.laws import Law, LawBrokenError
from callfsm.states.base import State


@frozen
class Disagreement:
    """Two calls of one configuration that an input tells apart."""

    path: tuple[str, ...]
    """The way to the explored one."""
    other_path: tuple[str, ...]
    by: str
    buckets: tuple[str, ...]
    """The components in which what follows differs from the nearest of what followed."""


def unlike_effects(explorer: Explorer, one_of: int = 1) -> Broken | None:
    """Return where the same inputs had other effects the second time, on one in so many of the configurations."""
    for here in explorer.order[::one_of]:
        if here.parent is not None:
            events = explorer.events_of(here.by, here.parent.call, here.parent.now)
            first, second = (explorer.follow(here.parent, here.by, events)[3] for _ in range(2))
            if first != second or repr(first) != repr(second):
                return Broken(Law.SAME_EFFECTS, f"{first} and {second}", tuple(here.path()))
    return None


def disagreements(explorer: Explorer, one_of: int = 1, most: int = 3) -> list[Disagreement]:
    """Return what is wrong with the abstraction, found on one in so many configurations; hardly more than `most`."""
    found: list[Disagreement] = []
    for here in explorer.order[::one_of]:
        for other in here.others if here.call.state is not State.ENDED else ():
            if len(found) < most:
                found += _compare(explorer, here, other)
    return found


def _compare(explorer: Explorer, here: Configuration, other: Configuration) -> list[Disagreement]:
    expected: dict[str, set[int]] = defaultdict(set)
    for name, number in here.edges:
        expected[family_of(name)].add(number)
    found = []
    for name, events in explorer.choices(other):
        try:
            call, watch, _, _ = explorer.follow(other, name, events)
        except LawBrokenError as error:
            found.append(Disagreement(tuple(here.path()), tuple(other.path()), name, (error.law.name,)))
            continue
        key = explorer.key_of(call, watch)
        known = explorer.found.get(key)
        if known is None or known.number not in expected[family_of(name)]:
            keys = [explorer.order[number].key for number in sorted(expected[family_of(name)])]
            found.append(Disagreement(tuple(here.path()), tuple(other.path()), name, explorer.differing(key, keys)))
    return found
