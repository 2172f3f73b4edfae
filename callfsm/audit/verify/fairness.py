"""The laws of what must come, if the caller is silent and the peers answer.

What was accepted is answered, and what was cut off is gone on with unless something was accepted, or the call ends.

Checked on paths and not on reachability. From every configuration in which something is due, only such inputs are
followed that silence, answering peers and the clock bring about. If among the configurations reached so, without
what is due, none can be come back to and none is a dead end, then every such path ends with it; the longest of them
is the bound.
"""

from collections.abc import Callable, Sequence
from typing import Final

from attrs import define, field, frozen

from callfsm.audit.verify.clock import TIMER
from callfsm.audit.verify.explore import Broken, Configuration
from callfsm.audit.verify.laws import AUDIBLE, Law
from callfsm.audit.verify.watch import Debt, Watch
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
    """In how many configurations something is due, and after how many inputs at most it is there."""

    owing: int
    longest: int
    broken: Broken | None = None


def check_answers(order: Sequence[Configuration]) -> Verdict:
    """Return the bound, or the shortest way to a configuration from which an answer may never come."""
    return _check(order, Law.ANSWERED, lambda watch: watch.debt is not Debt.NONE)


def check_resumes(order: Sequence[Configuration]) -> Verdict:
    """Return the bound, or the shortest way to a configuration from which the assistant may never go on."""
    return _check(order, Law.GOES_ON, lambda watch: watch.is_rest_due)


def _check(order: Sequence[Configuration], law: Law, is_due: Callable[[Watch], bool]) -> Verdict:
    owing = [here for here in order if is_due(here.watch)]
    paths = _Paths(order, law, is_due)
    for here in owing:
        found = paths.longest(here)
        if found is not None:
            return Verdict(len(owing), 0, found)
    return Verdict(len(owing), max(paths.left.values(), default=0))


@define
class _Paths:
    """How many inputs are left from each configuration until what is due is there."""

    order: Sequence[Configuration]
    law: Law
    is_due: Callable[[Watch], bool]
    left: dict[int, int] = field(factory=dict)

    def _steps(self, here: Configuration) -> list[tuple[str, Configuration]]:
        """Return where the promised inputs lead that change anything."""
        return [
            (name, self.order[number])
            for name, number in here.edges
            if number != here.number and is_promised(name, here.call)
        ]

    def longest(self, start: Configuration) -> Broken | None:
        """Note the longest way from here and from all that lies between, depth first."""
        if start.number in self.left:
            return None
        trail = [(start, "", iter(self._steps(start)))]
        on_trail = {start.number}
        while trail:
            here, _, steps = trail[-1]
            for name, there in steps:
                if not self.is_due(there.watch) or there.number in self.left:
                    continue
                if there.number in on_trail:
                    return self._starved(trail, name, "and so on without end")
                trail.append((there, name, iter(self._steps(there))))
                on_trail.add(there.number)
                break
            else:
                ahead = self._steps(here)
                if not ahead:
                    return self._starved(trail, "", "nothing that is promised leads on")
                self.left[here.number] = 1 + max(self.left.get(there.number, 0) for _, there in ahead)
                on_trail.discard(here.number)
                trail.pop()
        return None

    def _starved(self, trail: Sequence[tuple[Configuration, str, object]], last: str, why: str) -> Broken:
        names = [name for _, name, _ in trail[1:]] + ([last] if last else [])
        return Broken(
            self.law, f"{' -> '.join(names) or 'here'}: {why}", (*trail[0][0].path(), *names), is_missing=True
        )
