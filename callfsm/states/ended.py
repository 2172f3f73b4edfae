"""ENDED: the call is over. Both legs are closed on entry, and whatever comes is ignored."""

from callfsm.events import EVENTS
from callfsm.states.base import State, StateSpec
from callfsm.states.link import end_call

SPEC = StateSpec(State.ENDED, ignores=EVENTS, entry=(end_call,))
