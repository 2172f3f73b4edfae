"""The law of answers: what was accepted is answered, or the call ends, if the caller is silent and the peers answer.

Checked on paths and not on reachability. From every configuration in which the caller is owed an answer, only such
inputs are followed that silence, answering peers and the clock bring about. If among the configurations reached so,
without an answer, none can be come back to and none is a dead end, then every such path ends with the answer; the
longest of them is the bound.
"""

from collections.abc import Callable, Sequence
from typing import Final

from attrs import frozen

from callfsm.audit.verify.clock import TIMER
from callfsm.audit.verify.explore import Broken, Configuration
from callfsm.audit.verify.laws import AUDIBLE, Law
from callfsm.audit.verify.watch import Debt
from callfsm.call import Call
from callfsm.speaking.response import ResponsePhase

_PROMISES: Final[dict[str, Callable[[Call], bool]]] = {
    "silence to the end of the turn": lambda call: call.turn.open is not None,
    "session ready": lambda call: not call.is_ready,
    "commit acknowledged": lambda call: bool(call.turn.unacknowledged),
    "our response begins": lambda call: call.response.phase in (ResponsePhase.REQUESTED, ResponsePhase.OVERTAKEN),
    # What is being said comes to an end: more of it is no answer to what was said meanwhile.
    "a piece of our response": lambda call: call.response.phase is ResponsePhase.ACTIVE and call.state not in AUDIBLE,
    "our response is done": lambda call: call.response.phase in (ResponsePhase.ACTIVE, ResponsePhase.CANCELLING),
    "a foreign response is done": lambda call: call.response.phase is ResponsePhase.BLOCKED,
    "nothing to cancel, addressed": lambda call: call.response.phase is ResponsePhase.CANCELLING,
    "the first pending mark": lambda call: bool(call.playback.marks),
    "our function answers": lambda call: bool(call.tools),
}
"""What the peers do in time, and while it is awaited."""
_TRANSCRIPT: Final = "transcript of the oldest item"


def is_promised(name: str, call: Call) -> bool:
    """Say whether silence, peers that answer, or the clock bring an input about."""
    if name.startswith((TIMER, _TRANSCRIPT)):
        return True
    promise = _PROMISES.get(name)
    return promise is not None and promise(call)


@frozen
class Verdict:
    """How many configurations owe an answer, and after how many inputs at most it is there."""

    owing: int
    longest: int
    broken: Broken | None = None


def check_answers(order: Sequence[Configuration]) -> Verdict:
    """Return the bound, or the shortest way to a configuration from which an answer may never come."""
    owing = [here for here in order if here.watch.debt is not Debt.NONE]
    left: dict[int, int] = {}
    for here in owing:
        found = _longest(order, here, left)
        if found is not None:
            return Verdict(len(owing), 0, found)
    return Verdict(len(owing), max(left.values(), default=0))


def _steps(order: Sequence[Configuration], here: Configuration) -> list[tuple[str, Configuration]]:
    """Return where the promised inputs lead that change anything."""
    return [
        (name, order[number]) for name, number in here.edges if number != here.number and is_promised(name, here.call)
    ]


def _longest(order: Sequence[Configuration], start: Configuration, left: dict[int, int]) -> Broken | None:
    """Note the longest way to an answer from here and from all that lies between, depth first."""
    if start.number in left:
        return None
    trail = [(start, "", iter(_steps(order, start)))]
    on_trail = {start.number}
    while trail:
        here, _, steps = trail[-1]
        for name, there in steps:
            if there.watch.debt is Debt.NONE or there.number in left:
                continue
            if there.number in on_trail:
                return _starved(trail, name, "and so on, without an answer")
            trail.append((there, name, iter(_steps(order, there))))
            on_trail.add(there.number)
            break
        else:
            ahead = _steps(order, here)
            if not ahead:
                return _starved(trail, "", "nothing that is promised leads on")
            left[here.number] = 1 + max(left.get(there.number, 0) for _, there in ahead)
            on_trail.discard(here.number)
            trail.pop()
    return None


def _starved(trail: Sequence[tuple[Configuration, str, object]], last: str, why: str) -> Broken:
    names = [name for _, name, _ in trail[1:]] + ([last] if last else [])
    return Broken(Law.ANSWERED, f"{' -> '.join(names) or 'here'}: {why}", (*trail[0][0].path(), *names))
