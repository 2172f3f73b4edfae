"""Whether a mutant that nobody notices is another machine at all.

Every input that goes through the changed cell, from every configuration that can be reached, is followed on both
machines. If all effects and the whole of the call are the same each time, no call can tell them apart.
"""

from collections import Counter
from collections.abc import Sequence

from callfsm.audit.verify.explore import Explorer, engine_of
from callfsm.audit.verify.laws import LawBrokenError
from tests.table import snapshot
from tools.mutants.by_verify import Mapped, inputs_through
from tools.mutants.table import Mutant


def followed_alike(mutant: Mutant, bases: Sequence[Mapped]) -> tuple[int, str]:
    """Return how many inputs were followed on both machines, and the first that tells them apart, if any."""
    count = 0
    for base in bases:
        other = Explorer(engine_of(mutant.table, Counter()), base.starts, base.inputs)
        for here, index in inputs_through(base, (mutant.state.name, mutant.event.__name__)):
            name, events = list(base.choices(here))[index]
            call, _, _, effects = Explorer.follow(base, here, name, events)
            try:
                changed, _, _, others = other.follow(here, name, events)
            except LawBrokenError as error:
                return count, f"{name}: {error}"
            count += 1
            if (effects, call.moves, snapshot(call)) != (others, changed.moves, snapshot(changed)):
                return count, f"{' / '.join(here.path())} / {name}"
    return count, ""
