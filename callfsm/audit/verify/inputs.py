"""What exploration feeds: an input is a list of events for a call as it is now."""

from collections.abc import Callable, Sequence
from typing import Final

from attrs import frozen

from callfsm.call import Call
from callfsm.events import Event

NOISE: Final = "noise"
"""The name of a business whose calls are explored with echoes and made-up transcripts as well."""
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


def on_their_way(call: Call) -> int:
    """Return how many utterances have no verdict, or no name."""
    turn = call.turn
    if not turn.unacknowledged:
        return len(turn.unsettled)
    return len({id(utterance) for utterance in (*turn.unsettled, *turn.unacknowledged)})
