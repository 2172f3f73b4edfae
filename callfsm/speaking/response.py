"""The response in flight and the one that is owed: two small machines."""

import math
from collections import deque
from enum import Enum
from typing import Final

from attrs import define, field

from callfsm.phases import PhaseTable

MAX_RESTORED: Final = 2
"""So often a reply that was cut off by nobody is owed again."""
_REMEMBERED_RESPONSES: Final = 64


class ResponsePhase(Enum):
    """Where the one response in flight stands."""

    NONE = "nothing is being generated"
    REQUESTED = "requested; not yet begun as far as we know"
    ACTIVE = "being generated"
    OVERTAKEN = "cancelled before it began; it begins all the same, and is cancelled then"
    CANCELLING = "cancelled; its end is awaited"
    BLOCKED = "refused, because a response that is not ours is being generated"


class ResponseInput(Enum):
    """What moves the response."""

    REQUESTED = "we sent response.create"
    CREATED = "response.created with our turn"
    CANCELLED = "we sent response.cancel"
    REFUSED = "conversation_already_has_active_response"
    OVER = "it ended, failed, was given up, or the connection was lost"


RESPONSE: Final = PhaseTable(
    "response",
    {
        ResponsePhase.NONE: {
            ResponseInput.REQUESTED: ResponsePhase.REQUESTED,
            ResponseInput.CANCELLED: ResponsePhase.CANCELLING,
            ResponseInput.OVER: ResponsePhase.NONE,
        },
        ResponsePhase.REQUESTED: {
            ResponseInput.CREATED: ResponsePhase.ACTIVE,
            ResponseInput.CANCELLED: ResponsePhase.OVERTAKEN,
            ResponseInput.REFUSED: ResponsePhase.BLOCKED,
            ResponseInput.OVER: ResponsePhase.NONE,
        },
        ResponsePhase.ACTIVE: {
            ResponseInput.CANCELLED: ResponsePhase.CANCELLING,
            ResponseInput.OVER: ResponsePhase.NONE,
        },
        ResponsePhase.OVERTAKEN: {
            ResponseInput.CREATED: ResponsePhase.CANCELLING,
            ResponseInput.OVER: ResponsePhase.NONE,
        },
        ResponsePhase.CANCELLING: {
            ResponseInput.OVER: ResponsePhase.NONE,
        },
        ResponsePhase.BLOCKED: {
            ResponseInput.OVER: ResponsePhase.NONE,
        },
    },
)


class Owed(Enum):
    """What the caller is owed."""

    NOTHING = "nothing"
    GREETING = "the greeting"
    REPLY = "a reply to all that was said"
    REPLY_IF_NOBODY = "the rest of a reply, should the interruption prove to have been nobody"


class OwedInput(Enum):
    """What changes the debt."""

    ACCEPTED = "an utterance was accepted"
    REQUESTED = "the response was requested"
    GREETING_UNHEARD = "the greeting was requested but not heard"
    REPLY_UNHEARD = "the reply was requested but not heard, or lost in the middle"
    INTERRUPTED = "a reply was cut off"
    NOBODY = "an utterance proved to be nobody's"


OWED: Final = PhaseTable(
    "owed",
    {
        Owed.NOTHING: {
            OwedInput.ACCEPTED: Owed.REPLY,
            OwedInput.GREETING_UNHEARD: Owed.GREETING,
            OwedInput.REPLY_UNHEARD: Owed.REPLY,
            OwedInput.INTERRUPTED: Owed.REPLY_IF_NOBODY,
            OwedInput.NOBODY: Owed.NOTHING,
        },
        Owed.GREETING: {
            OwedInput.ACCEPTED: Owed.REPLY,
            OwedInput.REQUESTED: Owed.NOTHING,
            OwedInput.NOBODY: Owed.GREETING,
        },
        Owed.REPLY: {
            OwedInput.ACCEPTED: Owed.REPLY,
            OwedInput.REQUESTED: Owed.NOTHING,
            OwedInput.REPLY_UNHEARD: Owed.REPLY,
            OwedInput.INTERRUPTED: Owed.REPLY,
            OwedInput.NOBODY: Owed.REPLY,
        },
        Owed.REPLY_IF_NOBODY: {
            OwedInput.ACCEPTED: Owed.REPLY,
            OwedInput.REPLY_UNHEARD: Owed.REPLY,
            OwedInput.NOBODY: Owed.REPLY,
        },
    },
)


@define(eq=False)
class Response:
    """The responses of one call: at most one in flight, at most one owed.

    `turn`, `kind` and `response_id` stay those of the newest request while the caller still hears it.
    """

    phase: ResponsePhase = ResponsePhase.NONE
    owed: Owed = Owed.NOTHING
    kind: Owed = Owed.NOTHING
    turn: int = 0
    response_id: str | None = None
    create_event_id: str | None = None
    cancel_event_id: str | None = None
    requested_at: float = 0.0
    cancelled_at: float = 0.0
    other_over_at: float = -math.inf
    """When a response last ended that was not the one in flight."""
    has_called_tool: bool = False
    """It called a function: it need not speak."""
    failures: int = 0
    """How often what is owed was requested and came to nothing."""
    restored: int = 0
    """How often the reply was owed again after an interruption by nobody."""
    settled_ids: deque[str] = field(factory=lambda: deque(maxlen=_REMEMBERED_RESPONSES))
    """Responses that are over or cancelled: their late events are dropped."""

    def move(self, by: ResponseInput) -> None:
        """Move the response; raise IllegalMoveError where the table has no such move."""
        self.phase = RESPONSE.move(self.phase, by)

    def owe(self, by: OwedInput) -> None:
        """Change the debt; raise IllegalMoveError where the table has no such move."""
        before, self.owed = self.owed, OWED.move(self.owed, by)
        if by is OwedInput.ACCEPTED:
            self.restored = 0
        elif before is Owed.REPLY_IF_NOBODY:
            self.restored += 1

    def settle(self) -> None:
        """Remember the response's id: what still comes of it is dropped."""
        if self.response_id is not None:
            self.settled_ids.append(self.response_id)
