"""What the machine wants done: its outputs. The shell carries them out in the order given.

Each but the last five is one message on one of the two sockets.
"""

from typing import Final

from attrs import field, frozen

DEBUG: Final = 10
INFO: Final = 20
WARNING: Final = 30


@frozen
class PlayAudio:
    """Twilio `media`: speak these n bytes of mu-law to the caller."""

    audio: bytes = field(repr=False)


@frozen
class SendMark:
    """Twilio `mark`: report when all audio before it has been played."""

    name: str


@frozen
class ClearPlayback:
    """Twilio `clear`, ahead of everything; what still waits for Twilio is thrown away."""


@frozen
class AppendAudio:
    """`input_audio_buffer.append`: the caller's 20 ms, in the base64 in which they came."""

    payload: str = field(repr=False)


@frozen
class CommitAudio:
    """`input_audio_buffer.commit`: the caller's utterance is complete."""

    event_id: str


@frozen
class ClearAudio:
    """`input_audio_buffer.clear`: what was appended was no utterance."""


@frozen
class CreateResponse:
    """`response.create`; `instructions` replace the session's where given."""

    event_id: str
    turn: int
    instructions: str | None = field(default=None, repr=False)


@frozen
class CancelResponse:
    """`response.cancel`; without an id where the response has not shown itself yet."""

    event_id: str
    response_id: str | None


@frozen
class TruncateItem:
    """`conversation.item.truncate`: the caller heard only so much of the item."""

    item_id: str
    audio_end_ms: int


@frozen
class DeleteItem:
    """`conversation.item.delete`: the model must not remember it."""

    item_id: str


@frozen
class CreateItem:
    """`conversation.item.create`: a turn of the call so far, told to a new session."""

    role: str
    text: str


@frozen
class AnswerTool:
    """`conversation.item.create`: what a function gave back, as JSON text."""

    call_id: str
    output: str = field(repr=False)


@frozen
class RenewSession:
    """Leave the Realtime session, which is old, for the one that is ready to take its place."""


@frozen
class CallTool:
    """Ask a function of the operator's, and feed `ToolAnswered` when it has answered or failed."""

    call_id: str
    name: str
    arguments: str = field(repr=False)


@frozen
class Log:
    """A line of the call's log, byte for byte."""

    level: int
    message: str


@frozen
class Count:
    """Something a peer did that is no fault of ours and changes nothing, to be counted."""

    what: str


@frozen
class EndCall:
    """Close both legs."""

    reason: str


Effect = (
    PlayAudio
    | SendMark
    | ClearPlayback
    | AppendAudio
    | CommitAudio
    | ClearAudio
    | CreateResponse
    | CancelResponse
    | TruncateItem
    | DeleteItem
    | CreateItem
    | AnswerTool
    | RenewSession
    | CallTool
    | Log
    | Count
    | EndCall
)
