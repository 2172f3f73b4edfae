"""What exploration feeds: an input is a list of events for a call as it is now."""

from collections.abc import Callable, Sequence

from attrs import frozen

from callfsm.call import Call
from callfsm.events import Event

Events = Sequence[Event]
Make = Callable[[Call, float], Events]


@frozen
class Input:
    """Something that can happen; inputs of one family differ in how much of it happens.

    `make` returns its events for a call and a time, and none where it cannot happen.
    """

    name: str
    family: str
    make: Make
