"""The words of the table: a state, a transition, and what one state's module declares."""

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any

from attrs import frozen

if TYPE_CHECKING:
    from callfsm.call import Call
    from callfsm.events import Event


class State(Enum):
    """What the caller hears, and why the call is here."""

    CALIBRATING = "nothing; the line's noise is measured"
    WAITING_FOR_USER = "nothing; no real utterance yet, so no response may be requested"
    GREETING = "nothing yet; the one greeting has been requested and its first audio is awaited"
    LISTENING = "nothing; the caller has the floor, or a reply is awaited"
    AI_GRACE = "the assistant; its first moments, in which sound may be its echo"
    AI_SPEAKING = "the assistant; any speech of the caller stops it"
    CANCELLING = "nothing; the response is being cancelled, and no other may begin"
    ENDED = "the call is over"


Guard = Callable[["Call", Any], bool]
Action = Callable[["Call", Any], None]


@frozen
class Transition:
    """One row: on `event`, if every guard of `when` holds, do `do` and go `to` (None: stay, an internal reaction).

    The order is the engine's: the row's actions, the state's change, then the entry actions of the new state.
    """

    event: "type[Event]"
    to: State | None
    when: tuple[Guard, ...] = ()
    do: tuple[Action, ...] = ()


def never(_call: "Call") -> float:
    """No time: it is ended by frames, by a transcript, or by the end of the call."""
    return float("inf")


@frozen
class StateSpec:
    """One state's whole behaviour. Rows are tried in order; the last row of each event has no guard."""

    state: State
    transitions: tuple[Transition, ...] = ()
    ignores: "tuple[type[Event], ...]" = ()
    entry: tuple[Action, ...] = ()
    deadline: Callable[["Call"], float] = never
    """When the state wants `TimerFired`, beside the transcript that any state may await."""
