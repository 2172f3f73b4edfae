"""The response in flight and the one that is owed: two small machines."""

import math
from collections import deque
from enum import Enum
from typing import Final

from attrs import define, field

from callfsm.phases import PhaseTable

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
    REST = "the rest of what was being said, unless somebody has said something"


class OwedInput(Enum):
    """What changes the debt."""

    ACCEPTED = "an utterance was accepted"
    REQUESTED = "the response was requested"
    GREETING_UNHEARD = "the greeting was requested but not heard"
    REPLY_UNHEARD = "the reply was requested but not heard, or lost in the middle"
    INTERRUPTED = "a reply was stopped"
    RESUMED = "the reply goes on, and all of it is there"
    FORGONE = "the reply was stopped too often"


OWED: Final = PhaseTable(
    "owed",
    {
        Owed.NOTHING: {
            OwedInput.ACCEPTED: Owed.REPLY,
            OwedInput.GREETING_UNHEARD: Owed.GREETING,
            OwedInput.REPLY_UNHEARD: Owed.REPLY,
            OwedInput.INTERRUPTED: Owed.REST,
            OwedInput.RESUMED: Owed.NOTHING,
            OwedInput.FORGONE: Owed.NOTHING,
        },
        Owed.GREETING: {
            OwedInput.ACCEPTED: Owed.REPLY,
            OwedInput.REQUESTED: Owed.NOTHING,
        },
        Owed.REPLY: {
            OwedInput.ACCEPTED: Owed.REPLY,
            OwedInput.REQUESTED: Owed.NOTHING,
            OwedInput.REPLY_UNHEARD: Owed.REPLY,
            OwedInput.INTERRUPTED: Owed.REPLY,
            OwedInput.RESUMED: Owed.REPLY,
            OwedInput.FORGONE: Owed.REPLY,
        },
        Owed.REST: {
            OwedInput.ACCEPTED: Owed.REPLY,
            OwedInput.REQUESTED: Owed.NOTHING,
            OwedInput.REPLY_UNHEARD: Owed.REPLY,
            OwedInput.INTERRUPTED: Owed.REST,
            OwedInput.RESUMED: Owed.NOTHING,
            OwedInput.FORGONE: Owed.NOTHING,
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
    is_cut: bool = False
    """It was cancelled while it was being generated, and what it had to say may go on."""
    continued: int = 0
    """How often the rest of the reply stayed owed after a confirmed interruption."""
    settled_ids: deque[str] = field(factory=lambda: deque(maxlen=_REMEMBERED_RESPONSES))
    """Responses that are over or cancelled: their late events are dropped."""

    def move(self, by: ResponseInput) -> None:
        """Move the response; raise IllegalMoveError where the table has no such move."""
        self.phase = RESPONSE.move(self.phase, by)

    def owe(self, by: OwedInput) -> None:
        """Change the debt; raise IllegalMoveError where the table has no such move."""
        self.owed = OWED.move(self.owed, by)
        if by is OwedInput.ACCEPTED:
            self.continued = 0

    def confirm_interruption(self, most_continued: int) -> None:
        """Keep the rest of the reply owed no more than so often: somebody has spoken, whose words may be rejected."""
        if self.owed is Owed.REST and self.continued < most_continued:
            self.continued += 1
        else:
            self.owe(OwedInput.FORGONE)

    def settle(self) -> None:
        """Remember the response's id: what still comes of it is dropped."""
        if self.response_id is not None:
            self.settled_ids.append(self.response_id)
