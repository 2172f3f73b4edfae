"""Whether a mutant that nobody notices is another machine at all.

Every input that goes through the changed cell, from every configuration that can be reached, is followed on both
machines. If all effects and the whole of the call are the same each time, no call can tell them apart.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from operator import attrgetter

import attrs

from callfsm.audit.verify.explore import Explorer, Place, engine_of
from callfsm.audit.verify.laws import LawBrokenError
from callfsm.call import Call
from callfsm.hearing.line import Line
from callfsm.hearing.turn import Turn, Utterance
from callfsm.speaking.levels import Levels
from callfsm.speaking.playback import Playback
from callfsm.speaking.response import Response
from tools.mutants import by_verify
from tools.mutants.by_verify import Mapped, inputs_through
from tools.mutants.table import Mutant

_PARTS = ("gate", "turn", "response", "playback")


def _values(kind: type, *without: str) -> Callable[[object], tuple[object, ...]]:
    return attrgetter(*(field.name for field in attrs.fields(kind) if field.name not in without))


_CALL = _values(Call, *_PARTS)
_RESPONSE, _PLAYBACK, _UTTERANCE = _values(Response), _values(Playback, "_levels"), _values(Utterance)
_LINE, _LEVELS = _values(Line, "floor", "echo"), _values(Levels)
_TURN = _values(Turn, "open", "unsettled", "unacknowledged")


def _whole(call: Call) -> tuple[object, ...]:
    """Return all that there is of a call, to be compared."""
    turn = call.turn
    utterances = [*turn.unsettled, None, *turn.unacknowledged, None, turn.open]
    return (
        _CALL(call),
        (_LINE(call.gate.line), call.gate.held),
        (_TURN(turn), [utterance and _UTTERANCE(utterance) for utterance in utterances]),
        _RESPONSE(call.response),
        (_PLAYBACK(call.playback), _LEVELS(call.playback._levels)),  # noqa: SLF001 - all that there is
    )


def followed_alike(mutant: Mutant, bases: Sequence[Mapped]) -> tuple[int, str]:
    """Return how many inputs were followed on both machines, and the first that tells them apart, if any.

    A row that is never taken tells them apart as well: exploration has it for an error.
    """
    count, fired = 0, Counter[Place]()
    for base in bases:
        other = Explorer(engine_of(mutant.table, fired), base.starts, base.inputs)
        for here, index in inputs_through(base, (mutant.state.name, mutant.event.__name__)):
            name, events = list(base.choices(here))[index]
            call, _, _, effects = Explorer.follow(base, here, name, events)
            try:
                changed, _, _, others = other.follow(here, name, events)
            except LawBrokenError as error:
                return count, f"{name}: {error}"
            count += 1
            if effects != others or _whole(call) != _whole(changed):
                return count, f"{' / '.join(here.path())} / {name}"
    return count, "" if by_verify.takes_all_rows(mutant, fired) else "a row is never taken"
