"""The clock: which deadlines of a call are armed, and how each of them can be the next to pass."""

import math
from typing import Final

from callfsm.call import Call
from callfsm.events import TimerFired
from callfsm.machine import state_deadline
from callfsm.states.base import State

TIMER: Final = "timer: "
"""Begins the name of an input by which a deadline passes."""
ROUNDING_S: Final = 1e-9
"""So that a sum of times that is due by right is due."""
ALL: Final = "all that are armed"
_CLOCKS: Final = {
    State.WAITING_FOR_USER: ("response", "requested_at"),
    State.GREETING: ("response", "requested_at"),
    State.LISTENING: ("response", "requested_at"),
    State.CANCELLING: ("response", "cancelled_at"),
    State.AI_GRACE: ("playback", "started_at"),
    State.AI_SPEAKING: ("playback", "ends_at"),
}
"""What each state counts its deadline from."""


def timers(call: Call) -> dict[str, float]:
    """Return the armed deadlines of a call, by what they are for."""
    armed = {
        "state": state_deadline(call),
        "transcript": call.turn.deadline,
        "keys": call.digits_deadline,
        "function": min(call.tools.values(), default=math.inf),
    }
    return {name: at for name, at in armed.items() if at < math.inf}


def choices(call: Call) -> list[str]:
    """Return the timers that can be next: each of those that are armed, and all of them at one time."""
    armed = list(timers(call))
    return [*armed, ALL] if len(armed) > 1 else armed


def expire(call: Call, name: str, now: float) -> TimerFired:
    """Let a deadline pass now, as if it had been armed so much earlier; return its timer."""
    if name == ALL:
        for one in timers(call):
            expire(call, one, now)
        return TimerFired(now)
    late_s = timers(call)[name] - now + ROUNDING_S
    if name == "state":
        part, field = _CLOCKS[call.state]
        thing = getattr(call, part)
        setattr(thing, field, getattr(thing, field) - late_s)
    elif name == "transcript":
        call.turn.unsettled[0].deadline = now
    elif name == "keys":
        call.digits_deadline = now
    else:
        call.tools = dict.fromkeys(call.tools, now)
    call.deadline = now
    return TimerFired(now)
