"""The engine: one `transitions.Machine`, built once from the table and shared by all calls.

`dispatch` is the whole interface: an event goes in, effects come out. It performs nothing and reads no clock.
"""

import logging
import math
from collections.abc import Sequence
from typing import Final

from transitions import Machine

from callfsm.call import Call
from callfsm.effects import Effect
from callfsm.events import EVENTS, Event, ReplyDue, RmsFrame, TimerFired
from callfsm.hearing.turn import TurnPhase
from callfsm.speaking.response import Owed, ResponsePhase
from callfsm.states import TABLE
from callfsm.states.base import State, StateSpec

# The library logs every callback at INFO, which costs three times the transition itself.
logging.getLogger("transitions").setLevel(logging.WARNING)


MOST_TIMERS: Final = 100
"""So many deadlines cannot have passed between two events of a call."""


class NoTransitionError(RuntimeError):
    """No row took an event: our own bug."""


class StuckTimerError(RuntimeError):
    """Rows took a timer and the deadline stays: our own bug, which ends this call and must not stop all others."""


def build(table: Sequence[StateSpec] = TABLE, machine_class: type[Machine] = Machine) -> Machine:
    """Return a machine that runs a table; an event that a state ignores is a row that does nothing."""
    machine = machine_class(
        model=None,
        states=[{"name": spec.state, "on_enter": list(spec.entry), "final": not spec.transitions} for spec in table],
        initial=None,
        auto_transitions=False,
        queued=False,
    )
    for spec in table:
        for row in spec.transitions:
            machine.add_transition(
                row.event.__name__, spec.state, row.to, conditions=list(row.when), before=list(row.do)
            )
        for event in spec.ignores:
            machine.add_transition(event.__name__, spec.state, None)
    return machine


_DEADLINE: Final = {spec.state: spec.deadline for spec in TABLE}
_PAYS: Final = frozenset(spec.state for spec in TABLE if ReplyDue not in spec.ignores)
"""The states in which an owed response may be requested: those with rows for it."""


class Engine:
    """What moves calls: a machine that has been built, and the order of things within one event."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._trigger = {event: machine.events[event.__name__].trigger for event in EVENTS}

    def dispatch(self, call: Call, event: Event) -> list[Effect]:
        """Feed one event; return what is to be done, in order.

        A deadline that has passed by the event's time is fed first, as `TimerFired` at that very time. An exception
        from a row leaves no effects behind; the call is then to be ended.
        """
        call.moves.clear()
        try:
            self._fire_timers(call, event.at)
            if type(event) is not TimerFired:
                self._step(call, event)
        except BaseException:
            call.effects.clear()
            raise
        effects, call.effects = call.effects, []
        return effects

    def _fire_timers(self, call: Call, at: float) -> None:
        for _ in range(MOST_TIMERS):
            if call.deadline > at:
                return
            self._step(call, TimerFired(call.deadline))
        raise StuckTimerError(f"the deadline of {call.state.name} does not move")

    def _step(self, call: Call, event: Event) -> None:
        if type(event) is RmsFrame:
            call.hear(event)
        self._fire(call, event)
        for _ in range(len(call.backlog)):
            self._fire(call, call.backlog.popleft())
        if is_reply_due(call):
            self._fire(call, ReplyDue(event.at))
        # A deadline that turns out to have passed long ago is due now: time does not run backwards.
        call.deadline = max(next_deadline(call), event.at)

    def _fire(self, call: Call, event: Event) -> None:
        source = call.state
        if not self._trigger[type(event)](call, call, event):
            raise NoTransitionError(f"{type(event).__name__} in {source.name}")
        if call.state is not source:
            call.moves.append((source, type(event), call.state))


def is_reply_due(call: Call) -> bool:
    """Say whether something is owed and may be paid: a response is requested, or what was paused goes on."""
    response, phase = call.response, call.turn.phase
    if response.phase is not ResponsePhase.NONE or call.state not in _PAYS:
        return False
    if call.playback.has_rest:
        # What is here is played without a session, and what was said meanwhile has only to be over.
        return phase is not TurnPhase.SPEAKING
    return response.owed is not Owed.NOTHING and phase is TurnPhase.SILENT and call.is_ready and not call.tools


def state_deadline(call: Call) -> float:
    """Return when the call wants `TimerFired` for the state that it is in."""
    return _DEADLINE[call.state](call)


def next_deadline(call: Call) -> float:
    """Return when the call next wants `TimerFired`: for its state, a transcript, digits, or a function's answer."""
    if call.state is State.ENDED:
        return math.inf
    return min(state_deadline(call), call.turn.deadline, call.digits_deadline, *call.tools.values())


ENGINE: Final = Engine(build())
"""The one that all calls share."""
MACHINE: Final = ENGINE.machine
dispatch: Final = ENGINE.dispatch
